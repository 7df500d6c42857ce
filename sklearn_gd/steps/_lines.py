"""Searches along a line by trial and error, until an inequality holds.

Two uses: `Backtracking`, which asks that the loss falls; `Wolfe`, which asks for a flatter slope, too, as quasi-Newton metrics need it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .._checks import check_number
from ..protocols import Array, Choose, Point, Subspace
from ._rules import Rule, coordinates

if TYPE_CHECKING:
    from ..descent import Run

__all__ = ["Backtracking", "Wolfe"]


class Backtracking(Rule):
    """Armijo's rule: halve the rate until the loss falls by a part of what the slope promises; O(n_samples) a trial.

    Parameters
    ----------
    shrink : float, default=0.5
        In (0, 1): what a refused rate is multiplied by.
    growth : float, default=2.0
        At least 1: the first trial is the last rate times this.
    sufficient : float, default=0.1
        In (0, 0.5): the part of the slope's promise that has to be kept. 0.1 rather than Armijo's customary 1e-4, which lets
        a quadratic bounce at nearly 2/L.

    References
    ----------
    L. Armijo, "Minimization of functions having Lipschitz continuous first partial derivatives", Pacific Journal of
    Mathematics 16, 1966, doi:10.2140/pjm.1966.16.1.

    W. Hager and H. Zhang, "A new conjugate gradient method with guaranteed descent and an efficient line search", SIAM
    Journal on Optimization 16, 2005, doi:10.1137/030601880 (slopes near the optimum).

    Examples
    --------
    >>> from sklearn_gd.steps import Backtracking
    >>> Backtracking(shrink=0.8)
    Backtracking(shrink=0.8)
    """

    def __init__(self, shrink: float = 0.5, growth: float = 2.0, sufficient: float = 0.1) -> None:
        self.shrink = shrink
        self.growth = growth
        self.sufficient = sufficient

    def check(self) -> None:
        check_number("shrink", self.shrink, 0, 1, left=False, right=False)
        check_number("growth", self.growth, 1, right=False)
        check_number("sufficient", self.sufficient, 0, 0.5, left=False, right=False)

    def begin(self, run: Run) -> Choose:
        rate = 1.0
        # Accelerated methods need the descent lemma, η ≤ 1/L, and rates that do not grow again.
        sufficient, growth = (0.5, 1.0) if run.accelerated else (self.sufficient, self.growth)
        # The lemma holds up to the minimum along the direction; without a bound, curvature that is met later does not make up for more.
        strict = run.accelerated and run.objective.reference

        def choose(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            nonlocal rate
            value, gradient, _ = space.derivatives(coordinates(0.0, factor, space), 1)
            if factor and not gradient[0] < 0:
                # the momentum leads to where the direction is uphill, or nowhere: without it there is always a step
                factor = 0.0
                value, gradient, _ = space.derivatives(coordinates(0.0, factor, space), 1)
            slope = float(gradient[0])
            noise = run.noise(value)
            for _ in range(200):
                a = coordinates(rate, factor, space)
                new = space.value(a)
                if new <= value + sufficient * rate * slope:
                    break
                if new <= value + noise:
                    # flatter by a tenth: a bounce to the same value on the other side of a valley is none
                    new_slope = float(space.derivatives(a, 1)[1][0])
                    if abs(new_slope) <= -0.9 * slope and not (strict and new_slope > 0):
                        break
                rate *= self.shrink
            run.rounding.note_promise(value, -rate * slope)
            rate *= growth
            return a, None

        return choose


class Wolfe(Rule):
    """Weak Wolfe conditions: the loss falls by a part of what the slope promises, and the slope has flattened.

    F(w + ηd) ≤ F(w) + sufficient·η·∇F(w)ᵀd and ∇F(w + ηd)ᵀd ≥ flatter·∇F(w)ᵀd, by extrapolation and by interpolation of
    the bracket that it ends in. So steps are never too short, and the change of the gradient along them shows a
    positive curvature, which quasi-Newton metrics live on, in functions that are not convex, too.

    Parameters
    ----------
    sufficient : float, default=1e-4
        In (0, 0.5).
    flatter : float, default=0.9
        In (0.5, 1).

    References
    ----------
    P. Wolfe, "Convergence conditions for ascent methods", SIAM Review 11, 1969, doi:10.1137/1011036.

    A. Lewis and M. Overton, "Nonsmooth optimization via quasi-Newton methods", Mathematical Programming 141, 2013,
    doi:10.1007/s10107-012-0514-2 (the bracket).

    W. Hager and H. Zhang, "A new conjugate gradient method with guaranteed descent and an efficient line search", SIAM
    Journal on Optimization 16, 2005, doi:10.1137/030601880 (slopes near the optimum).

    Examples
    --------
    >>> from sklearn_gd.steps import Wolfe
    >>> Wolfe(flatter=0.8)
    Wolfe(flatter=0.8)
    """

    momentum = False

    def __init__(self, sufficient: float = 1e-4, flatter: float = 0.9) -> None:
        self.sufficient = sufficient
        self.flatter = flatter

    def check(self) -> None:
        check_number("sufficient", self.sufficient, 0, 0.5, left=False, right=False)
        check_number("flatter", self.flatter, 0.5, 1, left=False, right=False)

    def begin(self, run: Run) -> Choose:
        promised = 0.0  # by the last step
        failed = False

        def choose(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            nonlocal promised, failed
            slope = float(space.slopes().sum())
            best = self._search(space, slope, first_rate(space, slope, promised, run), run) if slope < 0 else None
            if best is None:
                # Once more from the gradient alone, in a metric without memory; then there is nothing to gain.
                run.rounding.exhausted, failed, promised = failed, True, 0.0
                return np.zeros(1), None
            failed, promised = False, float(best[0]) * slope
            run.rounding.note_promise(space.origin.value, -promised)
            return best, None

        return choose

    def _search(self, space: Subspace, slope: float, rate: float | None, run: Run) -> Array | None:
        """The first trial that satisfies both conditions, else the last one that is lower; None where none is."""
        value = space.origin.value
        noise = run.noise(value)
        bracket, best = Bracket(value, slope), None
        for _ in range(100):
            if rate is None:
                break
            a = np.array([rate])
            new, new_slope = space.value(a), math.nan
            lower = new < value and new <= value + self.sufficient * rate * slope
            if lower or new <= value + noise:
                new_slope = float(space.derivatives(a, 1)[1][0])
            if run.unbounded(new):
                return a
            flat = new_slope >= self.flatter * slope
            # where differences of values are rounding errors the slopes tell the same
            lower = lower or (flat and new_slope <= (2 * self.sufficient - 1) * slope)
            if lower and not math.isnan(new_slope):
                best = a
                if flat:
                    break
                rate = bracket.beyond(rate, new, new_slope)
            elif best is None and -rate * slope <= run.rounding.eps * abs(value):
                break  # shorter steps promise less than a value can show
            else:
                rate = bracket.before(rate, new)
        return best


def first_rate(space: Subspace, slope: float, promised: float, run: Run) -> float:
    """The first trial along a direction downhill, after a step that promised so much."""
    if run.metric.newton:
        return 1.0
    if promised:
        # the next step promises about what the last one did (Nocedal and Wright, Numerical optimization, 3.60)
        return promised / slope
    # what it promises can be seen in the value
    seen = -100 * run.rounding.eps * abs(space.origin.value) / slope
    return max(1 / max(1.0, float(np.linalg.norm(space.directions[0].coef))), seen)


class Bracket:
    """Two rates, between which there are some that satisfy Wolfe's conditions; the next one to try.

    Parameters
    ----------
    value, slope : float
        At rate 0.
    """

    def __init__(self, value: float, slope: float) -> None:
        self.low, self.low_value, self.low_slope = 0.0, value, slope
        self.high = self.high_value = math.inf

    def beyond(self, rate: float, value: float, slope: float) -> float | None:
        """The next one after a rate that is too short."""
        steeper = self.low_slope - slope
        longer = (rate - self.low) * slope / steeper if steeper < 0 else math.inf
        self.low, self.low_value, self.low_slope = rate, value, slope
        if self.high == math.inf:
            # the secant's zero of the slope, at least twice and at most ten times as far
            return min(max(rate + longer, 2 * rate), 10 * rate)
        return self._inside()

    def before(self, rate: float, value: float) -> float | None:
        """The next one after a rate that is too long."""
        self.high, self.high_value = rate, value
        return self._inside()

    def _inside(self) -> float | None:
        """The minimum of the parabola through the bracket, not too close to its ends; None where these are one number."""
        width = self.high - self.low
        if not width > 1e-15 * self.high:
            return None
        curvature = self.high_value - self.low_value - self.low_slope * width
        part = -0.5 * self.low_slope * width / curvature if curvature > 0 else 0.5
        return self.low + width * (min(max(part, 0.1), 0.9) if math.isfinite(part) else 0.1)
