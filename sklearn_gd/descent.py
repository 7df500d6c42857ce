"""The loop: gradient, direction, step; what was observed on the way; and why it ended.

Two uses: `base.BaseGD.fit`, on a linear model's loss; `minimize.gradient_descent`, on any function.

Everything here is of coefficient size. Where the data live, and what a pass over them costs, is the objective's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .forms import Coefficients
from .momentum import NoMomentum
from .preconditioners import largest_eigenvalue
from .progress import HISTORY, History, Log, Rounding, StageReport, Step
from .protocols import Array, Callback, Momentum, Norm, Objective, Point, Preconditioner, StepRule

__all__ = ["HISTORY", "GradientNorm", "Run", "StageReport", "Stopping", "descend"]

# A value below this is taken for minus infinity. A loss never comes there; for any function it is the limit of MATLAB's
# optimisers, too (ObjectiveLimit), 1e20 being what linear programming codes take for infinite.
BOTTOM = -1e20
# Iterations without a smaller gradient, where its square is at the rounding errors of the loss, that count as the end.
STAGNATION = 50
# And the rounding errors of a gradient within which it may be then: those of an intercept, far above its target's spread, are not
# independent between samples, as the others are (√n is 1000 at the most here), and a step shorter than them is none.
LOST = 1000


class Stopping:
    """When the gradient is close to zero, in units that do not depend on the data's.

    The norm is that of the gradient with respect to standardised coefficients, over the root of the curvature there,
    over the root of twice the objective: its square estimates the relative gap of the objective. It is the same for every
    rule, for n_samples and its double, for weights and their multiple, and for any units of the features and of the
    target.

    Parameters
    ----------
    metric : preconditioner
        The diagonal one: norms are taken in it.
    scale : float or ndarray of shape (n_outputs,)
        The root of twice the loss of the best constant prediction, an output: targets of different units count alike.
    tol : float
    floor : callable (coef) -> float
        The norm that the rounding errors of a gradient at `coef` have.
    eps : float
        The precision of the arithmetic.
    null_loss : float or None
        The loss of the best constant prediction; None where it is half the square of the scale.
    """

    def __init__(
        self,
        metric: Norm,
        scale: float | Array,
        tol: float,
        floor: Callable[[Array], float],
        eps: float,
        null_loss: float | None = None,
    ) -> None:
        self.metric, self.scale, self.tol, self.floor = metric, scale, tol, floor
        self.exact = math.sqrt(eps)
        self.null_loss = 0.5 * float(np.vdot(scale, scale)) if null_loss is None else null_loss

    def measure(self, gradient: Array, value: float, coef: Array) -> tuple[float, float]:
        """The norm of a gradient, and that of its rounding errors (0 where that decides nothing)."""
        part, norm = self._part(value), math.sqrt(self.metric.square(gradient, self.scale))
        return norm / part, self.rounding(value, coef) if self.tol * part < norm < 0.01 else 0.0

    def rounding(self, value: float, coef: Array) -> float:
        """The norm of a gradient's rounding errors, wherever it is."""
        return self.floor(coef) / self._part(value)

    def _part(self, value: float) -> float:
        """The root of the part of the null loss that is left: where it falls to nothing, 1 − 1e-8 explained counts as all of it."""
        return math.sqrt(max(value / self.null_loss, self.exact))


class GradientNorm:
    """‖gradient‖ ≤ tol, in the units of the function: nothing is known of any function that could scale it.

    Parameters
    ----------
    tol : float
    """

    null_loss = 0.0  # no value to which the others are relative

    def __init__(self, tol: float) -> None:
        self.tol = tol

    def measure(self, gradient: Array, value: float, coef: Array) -> tuple[float, float]:
        """The Euclidean norm of a gradient; its rounding errors are not known."""
        return math.sqrt(float(np.vdot(gradient, gradient))), 0.0

    def rounding(self, value: float, coef: Array) -> float:
        """Nothing is known."""
        return 0.0


class Run:
    """Where the descent is, and what it has seen.

    Attributes
    ----------
    objective : Objective
    form : Form
        The coordinates that the objective is in.
    metric : preconditioner
    stopping : Stopping or GradientNorm
    max_iter : int
    point : Point
        Where the last step ended.
    base : Point
        Where the gradient was taken last: the result, when the run ends here; differs from `point` under Nesterov's momentum.
    last : Step
        The last one.
    iteration : int
        Steps taken.
    reason : {None, "gradient", "precision", "max_iter", "diverged", "unbounded", "callback"}
    history : History
        What was seen: a dict of str to list of float, and the best of it.
    rounding : Rounding
        What rounding errors do to it.
    log : Log
        What is told of it.
    accelerated : bool
        Whether there is a momentum beside the rule.
    """

    def __init__(
        self,
        objective: Objective,
        start: Array,
        stopping: Stopping | GradientNorm,
        max_iter: int,
        eps: float,
        verbose: int = 0,
    ) -> None:
        self.objective, self.stopping, self.max_iter = objective, stopping, max_iter
        self.form: Any = Coefficients()
        self.metric: Any = None
        self.point = objective.at(start)
        self.base: Any = None
        self.last = Step()
        self.iteration = 0
        self.reason: str | None = None
        self.history = History(start)
        self.rounding = Rounding(eps)
        self.log = Log(verbose)
        self.accelerated = False

    def observe(self) -> None:
        """Note what is known at the base, and whether it is the end."""
        base, last = self.base, self.last
        value = base.value
        norm, floor = self.stopping.measure(base.gradient, value, base.coef)
        # of steps that were promised nothing a lower loss is the rounding errors of their predictions
        noise = math.inf if self.rounding.exhausted else self.noise(value)
        row = value, norm, last.rate, last.momentum, last.length, self.objective.passes
        shrunk = self.history.note(base.coef, row, self.iteration, noise)
        if self.unbounded(value):
            self.reason = "unbounded"
        elif not (math.isfinite(value) and math.isfinite(norm)) or self.history.grows(value):
            self.reason = "diverged"
        elif norm <= self.stopping.tol:
            self.reason = "gradient"
        elif norm <= floor or (self.rounding.exhausted and not shrunk) or self._stagnates(norm):
            self.reason = "precision"
        else:
            self.reason = "max_iter" if self.iteration >= self.max_iter else None

    def unbounded(self, value: float) -> bool:
        """Whether a value is too low for there to be a least one."""
        return value < BOTTOM

    def _stagnates(self, norm: float) -> bool:
        """Whether the gradient has stopped shrinking where the objective's gap, or the steps made of it, are rounding errors."""
        if self.iteration - self.history.improved < STAGNATION:
            return False
        if norm * norm <= 100 * self.rounding.eps:
            return True
        return norm <= LOST * self.stopping.rounding(self.base.value, self.base.coef)

    def refresh(self) -> None:
        """Compute the base from its coefficients alone; the last row of the history is corrected."""
        self.history.forget()
        fresh = self.base.refreshed()
        if self.point is self.base:
            self.point = fresh
        self.base, self.rounding.refreshed = fresh, self.iteration
        self.observe()

    def advance(self, point: Point, a: Array, factor: float) -> None:
        """Go to a point, by a step of coordinates a in its subspace; factor is the momentum where that is not one of them."""
        last, start = self.last, self.point
        move = point.coef - start.coef
        rates = a if a.ndim == 1 else a.mean(axis=0)
        last.rate, last.momentum = float(rates[0]), float(rates[1]) if len(rates) > 1 else factor
        last.start, last.length = start, math.sqrt(float(np.vdot(move, move)))
        start.forget()
        self.point = point
        self.iteration += 1

    def move(self, objective: Objective, coef: Array, change: Callable[[Array], Array] | None = None) -> None:
        """Go on from where a run is, on another form of the same problem, which may have other coordinates."""
        if self.base is not None:
            self.history.forget()
        if change is not None:
            coef = change(coef)
            self.history.move(change)
        self.objective, self.point, self.last.start, self.base = objective, objective.at(coef), None, None
        self.reason, self.rounding.exhausted, self.rounding.refreshed = None, False, self.iteration

    def move_start(self, coef: Array) -> None:
        """Begin at another place, if its loss is lower."""
        point: Any = self.objective.at(coef)
        point.keep()  # what the first step needs, and the value with it
        here = self.point.value if self.point.coef.any() else self.stopping.null_loss
        if point.value < here:
            self.point = point

    def end_stage(self, form: str, metric: str | None, rule: str, passes: float, left: str | None = None) -> None:
        """Record all that was done since the last stage ended.

        Parameters
        ----------
        form, metric, rule : str
            As `StageReport` has them.
        passes : float
            Reads of X since the beginning.
        left : str or None
            Why the stage was left; None is the reason of the run's end.
        """
        before = self.log.stages
        iterations = self.iteration - sum(stage.iterations for stage in before)
        passes -= sum(stage.passes for stage in before)
        self.log.end_stage(StageReport(form, metric, rule, iterations, passes, left or self.reason or "not ended"))

    def noise(self, value: float) -> float:
        """Rounding errors of a value of the loss, with room: of its sum, and of the residuals it is made of."""
        return 100 * self.rounding.eps * (abs(value) + math.sqrt(abs(value) * self.stopping.null_loss))

    def smoothness(self) -> float:
        """L: the largest eigenvalue, in the run's metric, of the objective's bound of the Hessian.

        Of an objective without a bound that of the Hessian where the run is, or that of what it has in its place, if that is more.
        """
        here = self.objective.at(self.history.best_coef) if self.reason == "diverged" else self.base or self.point
        places = (here, None) if self.objective.reference else (here,)

        def largest(place: Point | None) -> float:
            return largest_eigenvalue(
                lambda coef: self.objective.curvature_product(coef, place), self.metric, here.coef.shape
            )

        return max(map(largest, places))

    @property
    def coef(self) -> Array:
        """The result: where the run ended; its best finite iterate where it diverged, or wandered among rounding errors."""
        if self.reason in ("diverged", "unbounded"):
            place = self.history.best_coef
        else:
            place = self.history.flattest_coef if self.reason == "precision" else self.base.coef
        coef: Array = self.form.out(place)
        return coef


def descend(
    run: Run,
    *,
    learning_rate: StepRule,
    momentum: Momentum,
    preconditioner: Preconditioner,
    callback: Callback | None = None,
    until: Callable[[Run], bool] | None = None,
) -> Run:
    """Descend until the run has a reason to end.

    Parameters
    ----------
    run : Run
        At its start.
    learning_rate, momentum, preconditioner : parts
        As `steps`, `momentum` and `preconditioners` define them.
    callback : object with ``before(run)`` and ``after(run) -> bool``, or None
    until : callable (run) -> bool, or None
        Whether to leave a run that has not ended, because another form of the problem has become cheaper.

    Returns
    -------
    Run
        The same, ended.
    """
    run.accelerated = type(momentum) is not NoMomentum
    choose, extrapolate = learning_rate.begin(run), momentum.begin(run)
    while True:
        run.base, factor = extrapolate(run)
        if ended(run, callback, until):
            return run
        if callback is not None:
            callback.before(run)
        preconditioner.adapt(run)
        space = run.base.along(*directions(run, preconditioner, learning_rate.plane or factor != 0))
        a, point = choose(space, factor)
        run.advance(space.point(a) if point is None else point, a, factor)
        del space  # it has arrays as large as the samples, which the next metric need not find there


def ended(run: Run, callback: Callback | None, until: Callable[[Run], bool] | None) -> bool:
    """Whether the run ends at its base, or is left there; what is known of the base is computed afresh where that is due."""
    run.observe()
    if run.reason in ("gradient", "precision") and run.rounding.blurred(run.iteration):
        # Believe the end only from predictions that no sum of steps has blurred.
        run.refresh()
    run.log.report(run)
    if callback is not None and run.iteration and callback.after(run) and run.reason is None:
        run.reason = "callback"
    if run.reason is not None or (until is not None and until(run)):
        return True
    if run.rounding.due(run.iteration):
        run.refresh()
    return run.reason is not None


def directions(run: Run, metric: Preconditioner, repeated: bool) -> Iterator[Any]:
    """What spans the subspace of a step: the steepest direction in the metric and, where it is repeated, the last step."""
    yield run.base.direction(metric.direction(run.base.gradient))
    if repeated and run.last.start is not None:
        yield run.point.minus(run.last.start)
