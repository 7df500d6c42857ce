"""Losses with a number that is renewed once they have been minimised: the descent goes on with the next one.

Two uses: the scale of Huber's loss, which is to be the best for the coefficients; what rounds off the kink of a quantile's, and shrinks.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays import cast, namespace
from ..descent import Run
from ..losses import Huber, own
from ..protocols import Array

__all__ = ["ScaleRounds", "SmoothingRounds", "best_scale", "clipped_squares"]


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


# What the rounding shrinks by: of a path that is straight in it between changes of who lies within, a round takes a step or two.
SHRINK = 0.25
# The width of a kink that is none, in units of the loss.
SHARP = 1e-12
# The part of the gap that may be left of a round's loss: less would be lost beside what the rounding costs.
UNFINISHED = 0.1
# The part of the loss of a constant that is nothing but rounding errors: an exact fit has no gap that is relative to its loss.
NOTHING = 1e-13


class SmoothingRounds:
    """What rounds off the kink of the quantiles' losses: shrunk until a dual point shows that no loss is lower by more than a part `tol`.

    With r = y − raw the loss of the quantile q is max(q r, (q − 1) r), and its dual: the greatest mean of r·d over d from q − 1 to q whose
    products with the columns vanish, or, with a penalty alpha Σ|wⱼ|, do not exceed alpha. Where the rounded loss is least, its slopes are
    such d, and the gap between the two is what the rounding costs.

    Parameters
    ----------
    loss : Huber
    quantile : float or ndarray of shape (n_outputs,)
    width : float or ndarray of shape (n_outputs,)
        The first threshold.
    tol : float
    penalty : L1 or None
    null : ndarray of shape (n_outputs,)
        The losses of the best constant predictions.
    sharp : bool
        Whether the kink is as sharp as it gets from the first iteration on, as a rule that never looks at the loss has it.

    References
    ----------
    C. Chen, "A finite smoothing algorithm for quantile regression", Journal of Computational and Graphical Statistics 16, 2007,
    doi:10.1198/106186007X180336.
    """

    def __init__(
        self, loss: Huber, quantile: Any, width: Any, tol: float, penalty: Any, null: Array, sharp: bool
    ) -> None:
        self.loss, self.quantile, self.tol, self.penalty, self.null = loss, quantile, tol, penalty, null
        self.gap: Any = np.full(np.shape(quantile), math.inf)[()]
        self.sharp = sharp
        self.least = SHARP * width
        self.become(self.least if sharp else width)

    def become(self, width: Any) -> None:
        self.width = width if np.ndim(width) else float(width)
        self.loss.become(self.width, 0.5 / self.width, 0.5 - self.quantile)
        if self.penalty is not None:
            self.penalty.threshold = float(np.min(width))

    def renew(self, run: Run) -> bool:
        if np.max(self.gap) <= self.tol:
            return False
        model: Any = run.objective
        criterion: Any = run.stopping
        losses, duals = np.reshape(model.means(run.base, functools.partial(primal_and_dual, self.loss)), (2, -1))
        coef = run.base.coef.reshape(len(run.base.coef), -1)
        if self.penalty is not None:
            kink, rounded = self.penalty.primal_and_dual(coef)
            losses, duals = losses + kink, duals + rounded
        nothing = losses <= NOTHING * np.ravel(self.null)  # no loss is negative
        losses = np.where(nothing, 1.0, losses)
        # what the gradient that is left may take from the dual, of coefficients about as large as these
        unit = math.sqrt(2 * run.base.value) * criterion.metric.size(coef) / float(losses.sum())
        slack, gap = run.history.norm * unit, np.where(nothing, 0.0, (losses - duals) / losses)
        self.gap = np.squeeze(np.where(nothing, 0.0, gap + slack))[()]
        if not np.max(self.gap) > self.tol:
            return False
        stuck = run.reason == "precision"  # no smaller gradient is to be had at this width
        narrower = not self.sharp and (stuck or slack <= gap.max()) and bool(np.all(self.width > self.least))
        if narrower:
            shrinks = self.gap > self.tol if stuck else np.squeeze(gap)[()] > UNFINISHED * self.tol
            self.become(np.where(shrinks, SHRINK, 1.0)[()] * self.width)
        criterion.tol = min(criterion.tol, UNFINISHED * max(float(gap.max()), self.tol) / max(unit, 1e-300))
        # whether the gradient has stopped shrinking is asked of the next loss anew
        run.history.flattest_norm, run.history.improved = math.inf, run.iteration
        return narrower or (not stuck and run.history.norm > criterion.tol)


def primal_and_dual(loss: Huber, y: Array, raw: Array) -> tuple[Array, ...]:
    """The losses of quantiles without rounding, and r·d with d the slopes of those with it: vectors, one after the other."""
    residual = raw - y
    slope = loss.derivatives(y, raw, 1)[1]
    both = 0.5 * namespace(raw).abs(residual) + own(loss.tilt, raw) * residual, residual * slope
    return both if raw.ndim == 1 else tuple(part[:, k] for part in both for k in range(raw.shape[1]))
