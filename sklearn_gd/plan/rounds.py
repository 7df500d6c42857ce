"""Losses with a number that is renewed once they have been minimised: the descent goes on with the next one.

Two uses: the scale of Huber's loss, which is to be the best for the coefficients; what rounds off the kink of a quantile's, and shrinks.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from ..arrays import cast, namespace
from ..descent import Run
from ..losses import Huber
from ..protocols import Array

__all__ = ["ScaleRounds", "best_scale", "clipped_squares"]


# The part of the first scale below which there is none: of residuals that are rounding errors.
LEAST_SCALE = 1e-10
# Rounds at the most. Each takes a digit or more: of 20 fits with up to 30 % of outliers none took more than 9.
MOST_ROUNDS = 50


# The change of the logarithm of a scale in one round at the most: of fewer residuals within the threshold Newton's step knows too little.
MOST_CHANGE = 2.0


class ScaleRounds:
    """The scale of Huber's loss, renewed until it is the best one for the coefficients, or the one that is asked for.

    The loss with a scale σ, minimised over the coefficients and over σ, is convex in both. With σ held the coefficients descend; then σ
    is the best for their residuals. That map of a number to the next is followed by secants.

    Parameters
    ----------
    loss : Huber
    epsilon : float
        The threshold in units of the scale.
    scale : float
        The first one.
    fixed : float or None
        The last one; None for the best.
    tol : float

    References
    ----------
    A. Owen, "A robust hybrid of lasso and ridge regression", Contemporary Mathematics 443, 2007, doi:10.1090/conm/443/08555.
    """

    penalty = None

    def __init__(self, loss: Huber, epsilon: float, scale: float, fixed: float | None, tol: float) -> None:
        self.loss, self.epsilon, self.fixed, self.tol = loss, epsilon, fixed, tol
        self.least = LEAST_SCALE * scale
        self.seen: list[tuple[float, float]] = []  # logarithms of scales, and what the map adds to them
        self.become(scale)

    def become(self, scale: float) -> None:
        self.scale = scale
        if self.fixed is None:
            self.loss.become(self.epsilon * scale, 1 / scale, 0.0, 0.5 * scale)
        else:
            self.loss.become(self.epsilon * scale, 1.0)

    def renew(self, run: Run) -> bool:
        if self.scale == self.fixed or len(self.seen) > MOST_ROUNDS:
            return False
        model: Any = run.objective

        def clipped(scale: float) -> tuple[float, float]:
            return model.means(run.base, functools.partial(clipped_squares, scale, self.epsilon))

        best = max(best_scale(self.scale, self.epsilon, clipped), self.least, self.fixed or 0.0)
        change = math.log(best / self.scale)
        if self.fixed is None and abs(change) <= 0.1 * self.tol:
            return False
        self.seen.append((math.log(self.scale), change))
        step = min(max(self.secant(change), -MOST_CHANGE), MOST_CHANGE)
        self.become(max(self.scale * math.exp(step), self.least, self.fixed or 0.0))
        return True

    def secant(self, change: float) -> float:
        """What to add to the logarithm of the scale."""
        if len(self.seen) > 1:
            (u, before), (v, _) = self.seen[-2:]
            slope = (change - before) / (v - u) if v != u else -1.0
            # between the map itself, which has -1, and what would take it for nearly the identity
            return change / min(max(-slope, 0.1), 2.0)
        return change


def clipped_squares(scale: float, epsilon: float, y: Array, raw: Array) -> tuple[Array, Array]:
    """min(z², epsilon²) of residuals in units of the scale, and the same of those within the threshold alone."""
    xp = namespace(raw)
    size = xp.abs((raw - y) / scale)
    square = xp.minimum(size, epsilon) ** 2
    return square, square * cast(size <= epsilon, square.dtype)


def best_scale(scale: float, epsilon: float, clipped: Callable[[float], tuple[float, float]]) -> float:
    """The scale at which the mean of min(z², epsilon²) is one, z residuals in its units; found by Newton's method on its logarithm.

    Parameters
    ----------
    scale : float
        The first guess.
    epsilon : float
    clipped : callable (scale) -> (float, float)
        That mean, and the part of it of residuals within the threshold.
    """
    for _ in range(50):
        whole, within = clipped(scale)
        step = 0.5 * (whole - 1) / within if within > 0 else -1.0 if whole < 1 else 1.0
        step = min(max(step, -2.0), 2.0)
        scale *= math.exp(step)
        if abs(step) < 1e-12 or not scale > 0:
            break
    return scale
