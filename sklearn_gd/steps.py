"""Learning rates: how far to go along a direction.

Two uses: a number or a schedule, which never looks at the function (`Constant`, `InverseTime`, ...), and rules that do
(`PlaneSearch`, `Backtracking`, `AdGD`, ...). Which one? ``"auto"``, unless the rate itself is what you study.

A rule's ``begin(run)`` returns a function ``choose(space, factor)``, called once an iteration. ``space`` is the subspace
spanned by the direction and, where there is momentum, the last step; ``factor`` is the momentum's multiple of the last
step. It returns the coordinates of the step in the subspace, and the point there if the rule has computed it. A
rule's parameters never change; what it remembers of a run lives in the function.

``plane`` says that a rule chooses the momentum, too; ``momentum`` whether it may be combined with one; ``scheduled``
that it never looks at the function, so that the defaults of everything else are the textbook's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from . import messages
from ._checks import check_choice, check_number
from ._compat import Documented
from .protocols import Array, Choose, Point, Subspace

if TYPE_CHECKING:
    from .descent import Run

__all__ = [
    "RULES",
    "AdGD",
    "Backtracking",
    "BarzilaiBorwein",
    "Constant",
    "Cosine",
    "Custom",
    "Exact",
    "Exponential",
    "InverseTime",
    "Lipschitz",
    "PlaneSearch",
    "Polyak",
    "Silver",
    "StepDecay",
    "Wolfe",
    "rule_for",
]


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

    def check(self) -> None:
        """Raise a TypeError or ValueError that names a parameter out of its range."""


# ------------------------------------------------------------------------------------------------- schedules


class Schedule(Rule):
    """A learning rate that is a function of the iteration k = 0, 1, 2, ... alone."""

    scheduled = True

    def rate(self, k: int) -> float:
        raise NotImplementedError

    def begin(self, run: Run) -> Choose:
        def choose(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            return coordinates(self.rate(run.iteration), factor, space), None

        return choose


class Constant(Schedule):
    """η(k) = learning_rate.

    Parameters
    ----------
    learning_rate : float, default=0.1
        Greater than 0.

    Examples
    --------
    >>> from sklearn_gd.steps import Constant
    >>> Constant(0.5).rate(10)
    0.5
    """

    def __init__(self, learning_rate: float = 0.1) -> None:
        self.learning_rate = learning_rate

    def check(self) -> None:
        check_number("learning_rate", self.learning_rate, 0, left=False, right=False)

    def rate(self, k: int) -> float:
        return float(self.learning_rate)


class InverseTime(Constant):
    """η(k) = learning_rate / (1 + decay·k).

    Parameters
    ----------
    learning_rate : float, default=0.1
        Greater than 0.
    decay : float, default=0.01
        At least 0.

    Examples
    --------
    >>> from sklearn_gd.steps import InverseTime
    >>> InverseTime(0.5, decay=1.0).rate(4)
    0.1
    """

    def __init__(self, learning_rate: float = 0.1, decay: float = 0.01) -> None:
        super().__init__(learning_rate)
        self.decay = decay

    def check(self) -> None:
        super().check()
        check_number("decay", self.decay, 0, right=False)

    def rate(self, k: int) -> float:
        return self.learning_rate / (1 + self.decay * k)


class Exponential(Constant):
    """η(k) = learning_rate · exp(−decay·k).

    Parameters
    ----------
    learning_rate : float, default=0.1
        Greater than 0.
    decay : float, default=0.001
        At least 0.

    Examples
    --------
    >>> from sklearn_gd.steps import Exponential
    >>> round(Exponential(1.0, decay=0.5).rate(2), 4)
    0.3679
    """

    def __init__(self, learning_rate: float = 0.1, decay: float = 0.001) -> None:
        super().__init__(learning_rate)
        self.decay = decay

    def check(self) -> None:
        super().check()
        check_number("decay", self.decay, 0, right=False)

    def rate(self, k: int) -> float:
        return self.learning_rate * math.exp(-self.decay * k)


class StepDecay(Constant):
    """η(k) = learning_rate · factor^⌊k / every⌋.

    Parameters
    ----------
    learning_rate : float, default=0.1
        Greater than 0.
    factor : float, default=0.5
        In (0, 1].
    every : int, default=100
        Iterations between two drops.

    Examples
    --------
    >>> from sklearn_gd.steps import StepDecay
    >>> StepDecay(0.4, factor=0.5, every=10).rate(25)
    0.1
    """

    def __init__(self, learning_rate: float = 0.1, factor: float = 0.5, every: int = 100) -> None:
        super().__init__(learning_rate)
        self.factor = factor
        self.every = every

    def check(self) -> None:
        super().check()
        check_number("factor", self.factor, 0, 1, left=False)
        check_number("every", self.every, 1, right=False)

    def rate(self, k: int) -> float:
        return self.learning_rate * self.factor ** (k // self.every)


class Cosine(Constant):
    """η(k) = floor + (learning_rate − floor)·(1 + cos(π·k/period))/2 up to k = period, and floor from there on.

    Parameters
    ----------
    learning_rate : float, default=0.1
        Greater than 0.
    period : int, default=1000
        Iterations from the first rate to the last.
    floor : float, default=0.0
        The last rate, at least 0.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: Stochastic gradient descent with warm restarts", ICLR 2017, arXiv:1608.03983.

    Examples
    --------
    >>> from sklearn_gd.steps import Cosine
    >>> Cosine(0.2, period=10).rate(5)
    0.1
    """

    def __init__(self, learning_rate: float = 0.1, period: int = 1000, floor: float = 0.0) -> None:
        super().__init__(learning_rate)
        self.period = period
        self.floor = floor

    def check(self) -> None:
        super().check()
        check_number("period", self.period, 1, right=False)
        check_number("floor", self.floor, 0, right=False)

    def rate(self, k: int) -> float:
        part = min(k / self.period, 1.0)
        return self.floor + (self.learning_rate - self.floor) * (1 + math.cos(math.pi * part)) / 2


class Custom(Schedule):
    """The user's own callable of the iteration: ``learning_rate=lambda k: 0.5 / (k + 1) ** 0.5``."""

    def __init__(self, function: Callable[[int], float]) -> None:
        self.function = function

    def rate(self, k: int) -> float:
        rate = self.function(k)
        check_number(f"learning_rate({k})", rate, 0, right=False)
        return float(rate)


# -------------------------------------------------------------------------------- rates from a bound of the curvature


class Lipschitz(Rule):
    """η = 1/L, with L the largest eigenvalue of a bound of the Hessian, in the metric of the preconditioner.

    L is estimated by Lanczos iterations and raised when a step shows it too small. Every step decreases the loss.

    Examples
    --------
    >>> from sklearn_gd.steps import Lipschitz
    >>> Lipschitz()
    Lipschitz()
    """

    def begin(self, run: Run) -> Choose:
        smoothness: float | None = None

        def choose(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            nonlocal smoothness
            if smoothness is None:
                smoothness = run.smoothness() or 1.0  # without curvature any step goes down
            while True:
                a = coordinates(1 / smoothness, factor, space)
                if factor or len(space.directions) > 1:
                    return a, None
                # The descent lemma: F(w + ηd) ≤ F(w) + η/2·∇F(w)ᵀd wherever L is an upper bound; what is added is rounding.
                point = space.point(a)
                value = space.origin.value
                room = 1e-10 * abs(value) + run.noise(value)
                if not point.value > value + 0.5 * a[0] * space.slopes().sum() + room:
                    return a, point
                smoothness *= 2

        return choose


class Silver(Rule):
    """η(k) = (1 + ρ^(ν(k+1) − 1))/L with ρ = 1 + √2 and ν(i) the number of times that 2 divides i.

    Long steps among short ones, in a fractal order, converge faster than any constant rate, without momentum: in
    O(ε^−0.786) iterations. The loss rises at the long ones.

    References
    ----------
    J. Altschuler and P. Parrilo, "Acceleration by stepsize hedging II: silver stepsize schedule for smooth convex
    optimization", Mathematical Programming, 2024, arXiv:2309.16530.

    Examples
    --------
    >>> from sklearn_gd.steps import Silver
    >>> [round(Silver.multiple(k), 3) for k in range(4)]
    [1.414, 2.0, 1.414, 3.414]
    """

    momentum = False

    @staticmethod
    def multiple(k: int) -> float:
        """η(k)·L."""
        i = k + 1
        twos = (i & -i).bit_length() - 1
        return 1 + (1 + math.sqrt(2)) ** (twos - 1)

    def begin(self, run: Run) -> Choose:
        smoothness: float | None = None

        def choose(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            nonlocal smoothness
            if smoothness is None:
                smoothness = run.smoothness() or 1.0
            return np.array([self.multiple(run.iteration) / smoothness]), None

        return choose


# ---------------------------------------------------------------------------------------------------- searches


# 1 − cos² of the angle of two directions, in the Hessian's inner product, below which the second is left out: images carry
# rounding errors, and a step along the difference of two nearly equal directions would follow those.
PARALLEL = {True: 1e-8, False: 1e-3}  # double precision, single precision


def newton_step(hessian: Array, gradient: Array, parallel: float) -> Array:
    """−H⁻¹g for one or two coupled numbers; a direction without curvature, or parallel to the first, is left out."""
    h, g = float(hessian[0, 0]), float(gradient[0])
    if len(gradient) == 1:
        return np.array([-g / h if h > 0 else 0.0])
    k, e, c = float(hessian[1, 1]), float(gradient[1]), float(hessian[0, 1])
    determinant = h * k - c * c
    if determinant > parallel * h * k:
        return np.array([(c * e - k * g) / determinant, (c * g - h * e) / determinant])
    return np.array([-g / h if h > 0 else 0.0, 0.0])


def newton_steps(hessian: Array, gradient: Array, eps: float) -> Array:
    """`newton_step` where each output has numbers of its own: one row an output."""
    parallel = PARALLEL[eps < 1e-10]
    if gradient.ndim == 1:
        return newton_step(hessian, gradient, parallel)
    return np.stack([newton_step(h, g, parallel) for h, g in zip(hessian, gradient, strict=True)])


def newton_search(space: Subspace, start: Array, free: int, run: Run, accuracy: float) -> Array:
    """Minimise φ over its first `free` coordinates by a few damped Newton steps.

    Stops when the Newton decrement, an estimate of what is left to gain, has fallen to `accuracy`² of what the
    direction promised: the next gradient says more than the last digit of this search. Near the optimum, where differences
    of values are rounding noise, slopes decide.

    Parameters
    ----------
    space : Subspace
    start : ndarray
        The first trial; where it is worse than the origin, the search begins at its distance from there.
    free : int
    run : Run
    accuracy : float

    Returns
    -------
    a : ndarray
        The coordinates of the last trial.
    """
    hessian = space.hessian()
    if hessian is not None:  # one step, whatever the values' rounding errors say
        slopes = space.slopes()
        step = newton_steps(hessian, slopes, run.eps)
        run.note_progress(space.origin.value, -0.5 * float(np.vdot(step, slopes)))
        return step
    origin, slopes = space.origin.value, space.slopes()
    promised = -float(slopes[..., 0].sum())
    noise = run.noise(origin)
    if slopes.ndim == 1 and free == len(slopes):
        found = space.searched(start, origin, noise, accuracy, PARALLEL[run.eps < 1e-10], promised, run.match)
        if found is not None:
            a, promised, run.match = found
            run.note_progress(origin, promised)
            return a
    a = start
    value, gradient, hessian = space.derivatives(a)
    if a[..., :free].any():
        if slopes.ndim == 1 and promised > 0:
            # 1 where the metric knows the curvature along its direction
            run.match = 1 + float(gradient[0]) / promised
        if not value <= origin + noise:
            a = a.copy()
            a[..., :free] = 0.0
            value, gradient, hessian = space.derivatives(a)
    steep: Any = None  # the last step, where it has left the slope as it was
    for _ in range(20):
        g = gradient[..., :free]
        step = newton_steps(hessian[..., :free, :free], g, run.eps)
        if free == step.size == 1 and not step[0] and g[0] < 0:
            # a slope without curvature: as far as one unit, and further if it goes on
            step = np.array([1 / max(1.0, float(np.linalg.norm(space.directions[0].coef)))])
        if steep is not None and abs(step[0]) < 10 * abs(steep[0]):
            step = 10 * steep  # whatever the Hessian says, which by differences may be all rounding errors
        decrement = -float((step * g).sum())
        if not a[..., :free].any():
            promised = decrement
        elif not decrement > accuracy * accuracy * promised:
            break
        if not decrement > 0:
            break
        t = 1.0
        for _ in range(30):
            trial = a.copy()
            trial[..., :free] += t * step
            order = 2 if t == 1 else 1  # a Hessian is for the next step
            new = space.derivatives(trial, order)
            left = float((new[1][..., :free] * step).sum())
            # lower, or flatter by a tenth: a bounce to the same slope is none
            if new[0] <= value - 1e-4 * t * decrement or (new[0] <= value + noise and abs(left) <= 0.9 * decrement):
                break
            t *= 0.25
        else:
            break
        steep = t * step if free == step.size == 1 and left < -0.9 * decrement else None
        a = trial
        value, gradient, hessian = new if order == 2 else space.derivatives(trial)
    gained = origin - value
    if a.size == 1 and gained > noise:
        # Along a line what was gained was there to gain, whatever was promised. In a plane, of two directions that are nearly one, the
        # images' rounding errors are multiplied, and a gain may be theirs.
        promised = max(promised, gained)
    run.note_progress(origin, promised)
    if not a[..., :free].any():  # nothing lower, nothing flatter: the next search from here would be the same
        run.exhausted = True
    return a


# What may be left of the slope where the metric's own step is taken without a search: the metric of a sample of 50 rows a
# column knows the curvature within 2/√50 = 0.28. Tall data took as long with 0.5 and 0.7, and 15 % longer with 0.2; others up to
# 20 % longer with 0.5.
LEFT = 0.35


def own_step(space: Subspace, run: Run) -> Point | None:
    """The point at the metric's own step, with its gradient in one read of X, or None where a search would do better."""
    slope = float(space.slopes()[0])
    if not slope < 0:
        return None
    point = space.swept()
    left = float(np.vdot(space.directions[0].coef, point.gradient))
    value = space.origin.value
    good = abs(left) <= -LEFT * slope and point.value <= value + run.noise(value)
    space.compare(point, follow=good)
    if not good:
        return None
    run.match = 1 - left / slope
    run.note_progress(value, -slope)
    return point


class PlaneSearch(Rule):
    """The best learning rate and the best momentum of each iteration, together.

    Minimises the loss over the plane of the direction and the last step. For a linear model a trial costs
    O(n_samples), because raw predictions are linear in the coefficients and those of the last step are known. On a
    quadratic the iterates are the conjugate gradients'.

    Where a metric knows the Hessian, and X is larger than a cache, the step of that metric is tried first, with its gradient
    in one read of X. It is taken where little of the slope is left.

    References
    ----------
    G. Narkiss and M. Zibulevsky, "Sequential subspace optimization method for large-scale unconstrained problems",
    Technion CCIT report 559, 2005.

    B. Shea and M. Schmidt, "Why line search when you can plane search? SO-friendly neural networks allow per-iteration
    optimization of learning and momentum rates for every layer", 2024, arXiv:2406.17954.

    Examples
    --------
    >>> from sklearn_gd.steps import PlaneSearch
    >>> PlaneSearch()
    PlaneSearch()
    """

    plane = True
    momentum = False

    def begin(self, run: Run) -> Choose:
        def choose(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            shape: tuple[int, ...] = (len(space.directions),)
            if not run.objective.coupled and space.origin.coef.ndim == 2:
                shape = (space.origin.coef.shape[1], *shape)
            start = np.zeros(shape)
            if run.metric.newton:
                # The direction itself is the step, as far as the metric knows; and since the next direction will know
                # the curvature, there is little to gain from a better search (over 20 fits: 0.1 … 0.3 were alike, 0.03 took
                # 40 % more trials, 0.7 half as many iterations again).
                start[0] = 1.0
                accuracy = 0.2
                if space.fused:
                    point = own_step(space, run)
                    if point is not None:
                        return start, point
            else:
                # Conjugacy to the last step is lost with the digits of the search.
                accuracy = 0.1
            return newton_search(space, start, shape[-1], run, accuracy), None

        return choose


class Exact(Rule):
    """The best learning rate along the direction, by Newton's method on one number; O(n_samples) a trial.

    References
    ----------
    A. Cauchy, "Méthode générale pour la résolution des systèmes d'équations simultanées", Comptes rendus 25, 1847.

    Examples
    --------
    >>> from sklearn_gd.steps import Exact
    >>> Exact()
    Exact()
    """

    def begin(self, run: Run) -> Choose:
        def choose(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            return newton_search(space, coordinates(0.0, factor, space), 1, run, accuracy=1e-6), None

        return choose


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
                    if abs(new_slope) <= -0.9 * slope:
                        break
                rate *= self.shrink
            run.note_progress(value, -rate * slope)
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
            value, slope = space.origin.value, float(space.slopes().sum())
            noise = run.noise(value)
            if run.metric.newton:
                rate = 1.0
            elif promised:
                # the next step promises about what the last one did (Nocedal and Wright, Numerical optimization, 3.60)
                rate = promised / slope if slope else 1.0
            else:
                rate = 1 / max(1.0, float(np.linalg.norm(space.directions[0].coef)))
                if slope < 0:  # what it promises can be seen in the value
                    rate = max(rate, -100 * run.eps * abs(value) / slope)
            low, low_value, low_slope = 0.0, value, slope
            high, high_value = math.inf, math.inf
            best: Any = None
            for _ in range(100 if slope < 0 else 0):
                a = np.array([rate])
                new = space.value(a)
                new_slope = math.nan
                lower = new < value and new <= value + self.sufficient * rate * slope
                if lower or new <= value + noise:
                    new_slope = float(space.derivatives(a, 1)[1][0])
                flat = new_slope >= self.flatter * slope
                if run.unbounded(new):
                    best = a
                    break
                # where differences of values are rounding errors the slopes tell the same
                if not lower:
                    lower = flat and new_slope <= (2 * self.sufficient - 1) * slope
                if not lower or math.isnan(new_slope):
                    high, high_value = rate, new
                    if best is None and -rate * slope <= run.eps * abs(value):
                        break  # shorter steps promise less than a value can show
                else:
                    best = a
                    if flat:
                        break
                    steeper = low_slope - new_slope
                    longer = (rate - low) * new_slope / steeper if steeper < 0 else math.inf
                    low, low_value, low_slope = rate, new, new_slope
                    if high == math.inf:
                        # the secant's zero of the slope, at least twice and at most ten times as far
                        rate = min(max(rate + longer, 2 * rate), 10 * rate)
                        continue
                width = high - low
                if not width > 1e-15 * high:
                    break
                # the minimum of the parabola through the bracket, not too close to its ends
                bend = high_value - low_value - low_slope * width
                part = -0.5 * low_slope * width / bend if bend > 0 else 0.5
                rate = low + width * (min(max(part, 0.1), 0.9) if math.isfinite(part) else 0.1)
            if best is None:
                # Once more from the gradient alone, in a metric without memory; then there is nothing to gain.
                run.exhausted, failed, promised = failed, True, 0.0
                return np.zeros(1), None
            failed, promised = False, float(best[0]) * slope
            run.note_progress(value, -promised)
            return best, None

        return choose


# ----------------------------------------------------------------------------- rates from what the last step has shown


class Memory:
    """The last gradient and direction of a run without momentum, and what their change says of the curvature."""

    def __init__(self) -> None:
        self.gradient: Any = None
        self.direction: Any = None

    def compare(self, space: Subspace) -> tuple[float, float, float] | None:
        """(‖Δw‖² in the metric, Δwᵀ∇, ‖Δ∇‖² in the dual metric) over the last rate, or None at the first step.

        With Δw = η·d and d = −P∇: ‖Δw‖²/η² = −dᵀ∇, Δwᵀ(Δ∇)/η = dᵀΔ∇, and PΔ∇ is minus the change of d.
        """
        gradient, direction = space.origin.gradient, space.directions[0].coef
        out = None
        if self.gradient is not None:
            change = gradient - self.gradient
            out = (
                -float(np.vdot(self.direction, self.gradient)),
                float(np.vdot(self.direction, change)),
                float(np.vdot(change, self.direction - direction)),
            )
        self.gradient, self.direction = gradient, direction
        return out


def cautious(space: Subspace, run: Run) -> float:
    """A first rate that cannot overshoot by much: 1/L ≤ 2(F − F*)/‖∇F‖² for every L-smooth F ≥ F*."""
    slope = -float(space.slopes().sum())
    if math.isfinite(run.objective.least):
        return 1e-3 * 2 * (space.origin.value - run.objective.least) / slope if slope > 0 else 1.0
    # Nothing is known of F*: a step that changes the fourth digit, and the gradient enough to learn from.
    length = float(np.linalg.norm(space.directions[0].coef))
    return 1e-4 * max(1.0, float(np.linalg.norm(space.origin.coef))) / length if length else 1.0


class BarzilaiBorwein(Rule):
    """η = ΔwᵀΔ∇ / ‖Δ∇‖²: the secant's curvature; where the loss exceeds that of the last ten iterates, halved.

    Parameters
    ----------
    window : int, default=10
        The iterates whose largest loss may not be exceeded.

    References
    ----------
    J. Barzilai and J. Borwein, "Two-point step size gradient methods", IMA Journal of Numerical Analysis 8, 1988,
    doi:10.1093/imanum/8.1.141.

    M. Raydan, "The Barzilai and Borwein gradient method for the large scale unconstrained minimization problem", SIAM
    Journal on Optimization 7, 1997, doi:10.1137/S1052623494266365 (the non-monotone safeguard).

    Examples
    --------
    >>> from sklearn_gd.steps import BarzilaiBorwein
    >>> BarzilaiBorwein()
    BarzilaiBorwein()
    """

    momentum = False

    def __init__(self, window: int = 10) -> None:
        self.window = window

    def check(self) -> None:
        check_number("window", self.window, 1, right=False)

    def begin(self, run: Run) -> Choose:
        memory = Memory()
        rate: Any = None

        def choose(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            nonlocal rate
            seen = memory.compare(space)
            if seen is None:
                rate = cautious(space, run)
            elif seen[1] > 0 and seen[2] > 0:
                rate *= seen[1] / seen[2]
            else:  # a place without curvature, or bent down: away from it
                rate *= 10
            slope = float(space.slopes().sum())
            recent = max(run.history["loss"][-int(self.window) :])
            noise = run.noise(recent)
            for _ in range(60):
                point = space.point(np.array([rate]))
                if point.value <= recent + 1e-4 * rate * slope + noise:
                    break
                rate *= 0.5
            return np.array([rate]), point

        return choose


class AdGD(Rule):
    """η = min(√(1 + θ)·η₋, ‖Δw‖ / (2‖Δ∇‖)), θ the ratio of the last two rates: the local curvature, no search.

    References
    ----------
    Y. Malitsky and K. Mishchenko, "Adaptive gradient descent without descent", ICML 2020, arXiv:1910.09529.

    Examples
    --------
    >>> from sklearn_gd.steps import AdGD
    >>> AdGD()
    AdGD()
    """

    momentum = False

    def begin(self, run: Run) -> Choose:
        memory, ratio = Memory(), math.inf
        rate: Any = None

        def choose(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            nonlocal rate, ratio
            seen = memory.compare(space)
            if seen is None:
                rate = cautious(space, run)
            else:
                length, _, change = seen
                local = math.sqrt(rate * rate * length / change) / 2 if change > 0 else math.inf
                new = min(math.sqrt(1 + ratio) * rate, local)
                if not math.isfinite(new):
                    new = rate
                ratio, rate = new / rate, new
            return np.array([rate]), None

        return choose


class Polyak(Rule):
    """η = (F − F*)/‖∇F‖², with F* given, or guessed.

    Without F* the guess begins at the least value that a loss can have, 0. A guess below F* makes the step too long:
    where the loss would rise, half the distance to the guess is tried; where it falls, the next guess is twice as far
    below, but never below 0.

    Parameters
    ----------
    optimum : float or None, default=None
        F*, where it is known.

    References
    ----------
    B. T. Polyak, "Introduction to optimization", Optimization Software, 1987.

    E. Hazan and S. Kakade, "Revisiting the Polyak step size", 2019, arXiv:1905.00313 (the unknown optimum).

    Examples
    --------
    >>> from sklearn_gd.steps import Polyak
    >>> Polyak(optimum=0.0)
    Polyak(optimum=0.0)
    """

    momentum = False

    def __init__(self, optimum: float | None = None) -> None:
        self.optimum = optimum

    def check(self) -> None:
        if self.optimum is not None:
            check_number("optimum", self.optimum, -math.inf, left=False, right=False)

    def begin(self, run: Run) -> Choose:
        distance = math.inf

        def choose(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            nonlocal distance
            value = space.origin.value
            slope = -float(space.slopes().sum())
            if not slope > 0:
                return np.zeros(1), None
            if self.optimum is not None:
                return np.array([max(value - self.optimum, 0.0) / slope]), None
            distance = min(2 * distance, value)
            for _ in range(200):
                a = np.array([distance / slope])
                point = space.point(a)
                if point.value <= value - 0.25 * distance + run.noise(value) or distance <= run.noise(value):
                    break
                distance /= 2
            return a, point

        return choose


#: name -> class; what is registered is tested
RULES: dict[str, type[Rule]] = {
    "auto": PlaneSearch,
    "lipschitz": Lipschitz,
    "backtracking": Backtracking,
    "wolfe": Wolfe,
    "exact": Exact,
    "barzilai-borwein": BarzilaiBorwein,
    "polyak": Polyak,
    "adgd": AdGD,
    "silver": Silver,
    "constant": Constant,
    "inverse-time": InverseTime,
    "exponential": Exponential,
    "step": StepDecay,
    "cosine": Cosine,
}


def rule_for(rate: Any) -> Rule:
    """The rule that a parameter ``learning_rate`` means, checked.

    Parameters
    ----------
    rate : float, str, callable or rule
    """
    if isinstance(rate, str):
        if rate in messages.SGDS_RATES:
            raise ValueError(messages.sgds_rate(rate))
        check_choice("learning_rate", rate, RULES, ", a positive number, a callable or a rule of sklearn_gd.steps")
        return RULES[rate]()
    if isinstance(rate, Rule):
        rate.check()
        return rate
    if isinstance(rate, type):
        raise TypeError(f"learning_rate must be an instance, got the class {rate.__name__}: write {rate.__name__}().")
    if callable(rate):
        return Custom(rate)
    number = isinstance(rate, Real) and not isinstance(rate, (bool, np.bool_))
    if not number:
        raise TypeError(messages.not_a_rate(rate, RULES))
    rule = Constant(rate)
    rule.check()
    return rule
