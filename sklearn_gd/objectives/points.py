"""What all objectives share: a direction, and what every point and every subspace offers.

Two uses: the objectives beside this file; those that are elsewhere or are not of a linear model (`remote`, `functions`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import add_times
from ..protocols import Array


class Direction:
    """A coefficient-sized vector and, once it was needed, its linear predictor; of a quadratic its Hessian product."""

    __slots__ = ("coef", "predictor")

    def __init__(self, coef: Array, predictor: Any = None) -> None:
        self.coef = coef
        self.predictor = predictor


class Point:
    """What the points of all objectives offer beside value and gradient."""

    __slots__ = ()
    coef: Array

    def forget(self) -> None:
        """Let go of what is as large as the samples; here there is nothing of the kind."""

    def keep(self) -> Point:
        """Find all that a step needs; what is not is found when it is asked for."""
        return self

    def direction(self, coef: Array) -> Direction:
        """A vector of coefficient size as a direction from here, its predictor not yet known."""
        return Direction(coef)

    def minus(self, other: Any) -> Direction:
        """The step from another point, its predictor not yet known."""
        return Direction(self.coef - other.coef)

    def refreshed(self) -> Any:
        """The same place; itself, where nothing in it is a sum of steps but the coefficients."""
        return self


class Subspace:
    """φ(a) = F(w + Σ aₖ dₖ) about a point: what a search over learning rate and momentum sees."""

    fused = False  # whether a read of X costs more than a trial: then `swept` looks before a search does

    def __init__(self, origin: Any, directions: Sequence[Direction]) -> None:
        self.origin = origin
        self.directions = directions

    def swept(self) -> Any:
        """The point one first direction away, with its gradient, where `fused`."""
        raise NotImplementedError

    def compare(self, point: Any, follow: bool) -> None:
        """Learn the first direction's predictor from the point that `swept` gave."""
        raise NotImplementedError

    def searched(self, a: Array, *goal: float) -> Any:
        """What a compiled search over all coordinates finds, or None where there is none."""
        return None

    def hessian(self) -> Array | None:
        """The Hessian of φ where φ is a quadratic."""
        return None

    def coef(self, a: Array) -> Array:
        out = self.origin.coef.copy()
        for factor, direction in zip(a, self.directions, strict=True):
            add_times(out, factor, direction.coef)
        return out

    def derivatives(self, a: Array, order: int = 2) -> tuple[float, Any, Any]:
        """φ(a), and its gradient and Hessian where `order` asks for them."""
        raise NotImplementedError

    def value(self, a: Array) -> float:
        """φ(a)."""
        return self.derivatives(a, 0)[0]

    def slopes(self) -> Array:
        """The gradient of φ at a = 0, from the gradient at the origin: no work on samples."""
        g = self.origin.gradient
        return np.array([np.vdot(d.coef, g) for d in self.directions])

    def point(self, a: Array) -> Any:
        """The point at a."""
        raise NotImplementedError
