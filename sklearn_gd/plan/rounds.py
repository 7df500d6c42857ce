"""Losses with a number that is renewed once they have been minimised: the descent goes on with the next one.

Two uses: the scale of Huber's loss, which is to be the best for the coefficients; what rounds off the kink of a quantile's, and shrinks.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays import cast, into, namespace
from ..descent import Run
from ..losses import Huber, own
from ..preconditioners import EPS
from ..protocols import Array

__all__ = ["ScaleRounds", "SmoothingRounds", "best_scale", "clipped_squares"]


# Rounds at the most. Each takes a digit or more: of 20 fits with up to 30 % of outliers none took more than 9.
MOST_ROUNDS = 50
# The part of the gradient at a new scale, after which there is a next one: that will have a gradient of its own.
LOOSE = 0.1
# The change of the logarithm of a scale that the metric of before is no guess for.
FRESH = 0.1
# The change of its logarithm after which a scale is near enough to the best for given residuals: Newton's next would be about its square, and
# the next round's residuals have another one.
ABOUT = 0.03
# The change of the logarithm of a scale in one round at the most: of fewer residuals within the threshold Newton's step knows too little.
MOST_CHANGE = 2.0


class ScaleRounds:
    """The scale of Huber's loss, renewed until it is the best one for the coefficients, or the one that is asked for.

    The loss with a scale σ, minimised over the coefficients and over σ, is convex in both. With σ held the coefficients descend; then σ
    is the best for their residuals. That map of a number to the next is followed by secants.

    The criterion of a fit is relative to the loss, of which outliers may be nearly all: then it would say nothing of the other samples. So
    in its place here is what the others have of it, about the scale.

    Parameters
    ----------
    loss : Huber
    epsilon : float
        The threshold in units of the scale.
    scale : float
        The first one.
    fixed : float or None
        The last one; None for the best.
    least : float
        Below it there is none: residuals are rounding errors.
    tol : float

    References
    ----------
    A. Owen, "A robust hybrid of lasso and ridge regression", Contemporary Mathematics 443, 2007, doi:10.1090/conm/443/08555.
    """

    penalty = None
    loose = LOOSE

    def __init__(
        self, loss: Huber, epsilon: float, scale: float, fixed: float | None, least: float, tol: float
    ) -> None:
        self.loss, self.epsilon, self.fixed, self.tol = loss, epsilon, fixed, tol
        self.least = least if fixed is None else fixed
        self.seen: list[tuple[float, float]] = []  # logarithms of scales, and what the map adds to them
        self.asked: Any = None  # the criterion's
        self.fresh = True
        self.become(max(scale, self.least))

    def become(self, scale: float) -> None:
        self.scale = scale
        if self.fixed is None:
            self.loss.become(self.epsilon * scale, 1 / scale, 0.0, 0.5 * scale)
        else:
            self.loss.become(self.epsilon * scale, 1.0)

    @property
    def vanishes(self) -> bool:
        """Whether the best scale is less than the least."""
        return self.fixed is None and self.scale <= self.least

    def renew(self, run: Run) -> bool:
        """Go on with the next scale; with the same one where the gradient is to be smaller; False at the end."""
        if len(self.seen) > MOST_ROUNDS:
            return False
        step = self.step(run)
        if step:
            scale = self.scale * math.exp(step)
            self.become(scale if scale > (1 + 8 * EPS) * self.least else self.least)
        self.asked = self.asked or run.stopping.tol
        value, others = run.base.value, self.scale if self.fixed is None else self.scale**2
        # where there is no scale, the least one is no measure, either
        tol = self.asked if self.vanishes else self.asked * math.sqrt(others / max(value, others))
        run.stopping.tol, self.fresh = tol, abs(step) > FRESH
        # where scales fall without end each minimum is the way to the next
        self.loose = LOOSE if abs(step) < MOST_CHANGE and self.scale > self.least else 0.0
        return bool(step) or (run.reason == "gradient" and run.history.norm > tol)

    def step(self, run: Run) -> float:
        """What to add to the logarithm of the scale; 0 where it is the last one."""
        if self.scale == self.least:
            return 0.0
        if self.fixed is not None:
            return max(math.log(self.least / self.scale), -MOST_CHANGE)
        model: Any = run.objective

        def clipped(scale: float) -> tuple[float, float]:
            return model.means(run.base, functools.partial(clipped_squares, scale, self.epsilon))

        best = max(best_scale(self.scale, self.epsilon, clipped, ABOUT), self.least)
        change = math.log(best / self.scale)
        self.seen.append((math.log(self.scale), change))
        step = self.secant(change)
        if abs(step) <= self.tol:
            return 0.0
        return min(max(step, -MOST_CHANGE), MOST_CHANGE)

    def secant(self, change: float) -> float:
        """A change that the map would have the next scale for, from the last two."""
        if len(self.seen) > 1:
            (u, before), (v, _) = self.seen[-2:]
            slope = (change - before) / (v - u) if v != u else -1.0
            # between the map itself, which has -1, and what would take it for nearly the identity
            return change / min(max(-slope, 0.1), 2.0)
        return change


def clipped_squares(scale: float, epsilon: float, y: Array, raw: Any) -> tuple[Array, Array]:
    """min(z², epsilon²) of residuals in units of the scale, and the same of those within the threshold alone; raw may be a number."""
    xp = namespace(y)
    size = into(xp.abs, raw - y)
    size /= scale
    within = size <= epsilon
    square = xp.minimum(size, epsilon)
    square *= square
    return square, square * cast(within, square.dtype)


def best_scale(
    scale: float, epsilon: float, clipped: Callable[[float], tuple[float, float]], accuracy: float = 1e-6
) -> float:
    """The scale at which the mean of min(z², epsilon²) is one, z residuals in its units; found by Newton's method on its logarithm.

    Parameters
    ----------
    scale : float
        The first guess.
    epsilon : float
    clipped : callable (scale) -> (float, float)
        That mean, and the part of it of residuals within the threshold.
    accuracy : float
        A change of the logarithm after which there is none to speak of: the next would be about its square.
    """
    for _ in range(50):
        whole, within = clipped(scale)
        step = 0.5 * (whole - 1) / within if within > 0 else -1.0 if whole < 1 else 1.0
        step = min(max(step, -2.0), 2.0)
        scale *= math.exp(step)
        if abs(step) < accuracy or not scale > 0:
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

    loose, fresh = 0.0, True

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
