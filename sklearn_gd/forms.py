"""In which coordinates a problem is solved, and the way from the user's coefficients and back.

Two uses: the coefficients as they are, which most runs are in; coordinates in which a run converges faster, and whose result is taken
back at its end, or for a callback under way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .protocols import Array

__all__ = ["Coefficients", "Mapped", "with_intercept"]


def with_intercept(w: Array, level: Any, centre: Array) -> Array:
    """Coefficients of the features, and the intercept whose prediction at their centre is the level."""
    return np.concatenate([w, np.reshape(level - centre @ w, (1, *w.shape[1:]))])


class Coefficients:
    """The coefficients as they are."""

    def into(self, coef: Array) -> Array:
        return coef

    def out(self, coef: Array) -> Array:
        return coef


class Mapped:
    """Coordinates that are known by the way back, which may cost a read of X: it is gone once for a place, however many ask.

    Parameters
    ----------
    back : callable (coef) -> ndarray
    """

    def __init__(self, back: Callable[[Array], Array]) -> None:
        self.back = back
        self.place: Any = None
        self.found: Any = None

    def out(self, coef: Array) -> Array:
        if self.place is not coef:
            self.place, self.found = coef, self.back(coef)
        out: Array = self.found
        return out
