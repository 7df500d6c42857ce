"""Newton's method on the few numbers that a step is made of.

Two uses: the learning rate and the momentum together (`PlaneSearch`), and the learning rate alone (`Exact`). For a linear model
a trial costs O(n_samples), because raw predictions are linear in the coefficients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..protocols import Array, Choose, Point, Subspace
from ._rules import Rule, coordinates

if TYPE_CHECKING:
    from ..descent import Run

__all__ = ["Exact", "PlaneSearch", "newton_search"]


# 1 − cos² of the angle of two directions, in the Hessian's inner product, below which the second is left out: predictors carry
# rounding errors, and a step along the difference of two nearly equal directions would follow those.
PARALLEL = {True: 1e-8, False: 1e-3}  # double precision, single precision


def newton_step(hessian: Array, gradient: Array, parallel: float) -> Array:
    """−H⁻¹g for one or two coupled numbers; a direction without curvature, or parallel to the first, is left out."""
    h, g = float(hessian[0, 0]), float(gradient[0])
    alone = -g / h if h > 0 else 0.0
    if len(gradient) == 1:
        return np.array([alone])
    k, e, c = float(hessian[1, 1]), float(gradient[1]), float(hessian[0, 1])
    determinant = h * k - c * c
    if determinant > parallel * h * k:
        return np.array([(c * e - k * g) / determinant, (c * g - h * e) / determinant])
    return np.array([alone, 0.0])


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
    hessian, slopes, origin = space.hessian(), space.slopes(), space.origin.value
    if hessian is not None:  # one step, whatever the values' rounding errors say
        step = newton_steps(hessian, slopes, run.rounding.eps)
        run.rounding.note_promise(origin, -0.5 * float(np.vdot(step, slopes)))
        return step
    promised = -float(slopes[..., 0].sum())
    noise = run.noise(origin)
    if slopes.ndim == 1 and free == len(slopes):
        found = space.searched(
            start, origin, noise, accuracy, PARALLEL[run.rounding.eps < 1e-10], promised, run.last.match
        )
        if found is not None and (found[1] > 0 or not promised > 0):
            a, promised, run.last.match = found
            run.rounding.note_promise(origin, promised)
            return a
        if found is not None:
            free = 1  # a slope without curvature: along the direction alone, as far as it takes
    here = Trial(start, *space.derivatives(start))
    if start[..., :free].any():
        if slopes.ndim == 1 and promised > 0:
            # 1 where the metric knows the curvature along its direction
            run.last.match = 1 + float(here.gradient[0]) / promised
        if not here.value <= origin + noise:
            a = start.copy()
            a[..., :free] = 0.0
            here = Trial(a, *space.derivatives(a))
    here, promised = damped_newton(space, here, free, accuracy, promised, noise, run.rounding.eps)
    gained = origin - here.value
    if start.size == 1 and gained > noise:
        # Along a line what was gained was there to gain, whatever was promised. In a plane, of two directions that are nearly one, the
        # predictors' rounding errors are multiplied, and a gain may be theirs.
        promised = max(promised, gained)
    run.rounding.note_promise(origin, promised)
    if not here.a[..., :free].any():  # nothing lower, nothing flatter: the next search from here would be the same
        run.rounding.exhausted = True
    return here.a


class Trial(NamedTuple):
    """φ and its derivatives at a."""

    a: Array
    value: float
    gradient: Array
    hessian: Any


def damped_newton(
    space: Subspace, here: Trial, free: int, accuracy: float, promised: float, noise: float, eps: float
) -> tuple[Trial, float]:
    """Newton steps from a trial until there is little left to gain; the last trial, and what was promised in all."""
    steep: Array | None = None  # the last step, where it has left the slope as it was
    for _ in range(20):
        g = here.gradient[..., :free]
        step = newton_steps(here.hessian[..., :free, :free], g, eps)
        line = free == step.size == 1
        if line and not step[0] and g[0] < 0:
            # a slope without curvature: as far as one unit, and further if it goes on
            step = np.array([1 / max(1.0, float(np.linalg.norm(space.directions[0].coef)))])
        if steep is not None and abs(step[0]) < 10 * abs(steep[0]):
            step = 10 * steep  # whatever the Hessian says, which by differences may be all rounding errors
        decrement = -float((step * g).sum())
        if not here.a[..., :free].any():
            promised = decrement
        elif not decrement > accuracy * accuracy * promised:
            break
        if not decrement > 0:
            break
        found = damped(space, here, step, decrement, noise)
        if found is None:
            break
        here, step, left = found
        steep = step if line and left < -0.9 * decrement else None
    return here, promised


def damped(
    space: Subspace, here: Trial, step: Array, decrement: float, noise: float
) -> tuple[Trial, Array, float] | None:
    """Of a step, a quarter of it, ... the first that leads lower, or to a flatter slope; the slope that is left."""
    free = step.shape[-1]
    t = 1.0
    for _ in range(30):
        a = here.a.copy()
        a[..., :free] += t * step
        new = Trial(a, *space.derivatives(a, 2 if t == 1 else 1))  # a Hessian is for the next step
        left = float((new.gradient[..., :free] * step).sum())
        # flatter by a tenth: a bounce to the same slope is none
        flatter = new.value <= here.value + noise and abs(left) <= 0.9 * decrement
        if new.value <= here.value - 1e-4 * t * decrement or flatter:
            return (new if t == 1 else Trial(a, *space.derivatives(a))), t * step, left
        t *= 0.25
    return None


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
    run.last.match = 1 - left / slope
    run.rounding.note_promise(value, -slope)
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
