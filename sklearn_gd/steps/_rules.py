"""What the learning-rate rules share.

Two uses: `Rule`, which every rule derives from, the user's own included; and the step of a rate and a momentum in the
coordinates of a subspace.
"""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator

from .._compat import Documented
from ..protocols import Array, Subspace

__all__ = ["Rule", "coordinates"]


def coordinates(rate: float, factor: float, space: Subspace) -> Array:
    """The step rate·direction + factor·(last step), in the subspace's coordinates."""
    if len(space.directions) == 1:
        return np.array([rate])
    return np.array([rate, factor])


class Rule(Documented, BaseEstimator):
    """What the rules share: their defaults."""

    plane = False
    momentum = True
    scheduled = False
    metric = True

    def check(self) -> None:
        """Raise a TypeError or ValueError that names a parameter out of its range."""
