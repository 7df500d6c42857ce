"""The loop: gradient, direction, step; what was observed on the way; and why it ended.

Two uses: `base.BaseGD.fit`, on a linear model's loss; `minimize.gradient_descent`, on any function.

Everything here is of coefficient size. Where the data live, and what a pass over them costs, is the objective's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .momentum import NoMomentum
from .preconditioners import largest_eigenvalue
from .protocols import Array, Callback, Momentum, Norm, Objective, Point, Preconditioner, StepRule

__all__ = ["HISTORY", "GradientNorm", "Run", "Stopping", "descend"]

#: The columns of ``history_``, one row a point: the start, and the end of every iteration.
HISTORY = ("loss", "gradient_norm", "learning_rate", "momentum", "step_length", "passes")

# Rises of the loss in a row, above ten times where it started, that count as divergence. A rate beyond 2/L makes a
# quadratic's loss grow at every iteration from some point on; on a logistic loss a large rate rises for a few iterations,
# often once, and comes back (Wu et al., 2024, arXiv:2402.15926). Twenty leave room for that, and end long before 1e308.
RISES = 20
# A value below this is taken for minus infinity. A loss never comes there; for any function it is the limit of MATLAB's
# optimisers, too (ObjectiveLimit), 1e20 being what linear programming codes take for infinite.
BOTTOM = -1e20
# Iterations without a smaller gradient, where its square is at the rounding errors of the loss, that count as the end.
STAGNATION = 50
# And the rounding errors of a gradient within which it may be then: those of an intercept, far above its target's spread, are not
# independent between samples, as the others are (√n is 1000 at the most here), and a step shorter than them is none.
LOST = 1000
# Predictions carried along as sums of steps are computed afresh after so many iterations: their rounding errors add up
# like a random walk, so 32 steps cost at most a digit.
REFRESH = 32


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
        half = self.metric.half_transposed(gradient) / self.scale
        # Where the loss falls to nothing, 1 − 1e-8 of the null loss explained counts as all of it.
        part = math.sqrt(max(value / self.null_loss, self.exact)) if value == value else math.nan
        norm = math.sqrt(np.vdot(half, half))
        floor = self.floor(coef) / part if norm < 0.01 and norm > self.tol * part else 0.0
        return norm / part, floor

    def rounding(self, value: float, coef: Array) -> float:
        """The norm of a gradient's rounding errors, wherever it is."""
        return self.floor(coef) / math.sqrt(max(value / self.null_loss, self.exact))


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
    base : Point
        Where the gradient was taken last: the result, when the run ends here.
    point : Point
        Where the last step ended; differs from `base` under Nesterov's momentum.
    previous : Point or None
        Where the step before ended.
    iteration : int
        Steps taken.
    history : dict of str to list of float
    reason : {None, "gradient", "precision", "max_iter", "diverged", "unbounded", "callback"}
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
        self.eps, self.verbose = eps, verbose
        self.metric: Any = None
        self.back: Callable[[Array], Array] = lambda coef: (
            coef
        )  # to the user's coefficients, where the run is in others
        self.point = objective.at(start)
        self.base: Any = None
        self.previous: Point | None = None
        self.iteration = 0
        self.reason: str | None = None
        self.started = time.perf_counter()
        self.history: dict[str, list[float]] = {name: [] for name in HISTORY}
        self.best_value, self.best_coef = math.inf, start
        self.flattest_norm, self.flattest_coef = math.inf, start
        self.last = (0.0, 0.0, 0.0)  # learning rate, momentum and length of the last step
        self.refreshed, self.refresh_every = 0, REFRESH
        self.exhausted = False
        self.rises = 0
        self.norm = math.nan  # of the last gradient
        self.improved = 0
        self.accelerated = False
        self.left_out = 0.0  # the part of the explained loss that the end is known to leave out
        self._result: Any = (None, None, None)
        self.match = 1.0  # the curvature along the last direction over what its metric took it for

    def observe(self, base: Point) -> None:
        """Note what is known at a point, and whether it is the end."""
        self.base = base
        value = base.value
        norm, floor = self.stopping.measure(base.gradient, value, base.coef)
        self.norm = norm
        finite = math.isfinite(value) and math.isfinite(norm)
        losses = self.history["loss"]
        self.rises = self.rises + 1 if losses and value > losses[-1] else 0
        grown = self.rises >= RISES and value > 10 * abs(losses[0])
        if finite:
            if value < self.best_value:
                if value < self.best_value - self.noise(value) and not self.exhausted:
                    # norms are relative to losses, and those of higher ones count no longer; of steps that were promised
                    # nothing a lower loss is the rounding errors of their images
                    self.flattest_norm = math.inf
                self.best_value, self.best_coef = value, base.coef
            shrunk = norm < 0.5 * self.flattest_norm
            if norm < self.flattest_norm:
                self.flattest_norm, self.flattest_coef, self.improved = norm, base.coef, self.iteration
            entries = (value, norm, *self.last, self.objective.passes)
            for column, entry in zip(self.history.values(), entries, strict=True):
                column.append(entry)
        if self.unbounded(value):
            self.reason = "unbounded"
        elif not finite or grown:
            self.reason = "diverged"
        else:
            if norm <= self.stopping.tol:
                self.reason = "gradient"
            elif norm <= floor or (self.exhausted and not shrunk) or self._stagnates(norm):
                self.reason = "precision"
            elif self.iteration >= self.max_iter:
                self.reason = "max_iter"
            else:
                self.reason = None

    def unbounded(self, value: float) -> bool:
        """Whether a value is too low for there to be a least one."""
        return value < BOTTOM

    def report(self) -> None:
        """One line an iteration; the last, and every tenth, hundredth, ... with verbose=1, all with more."""
        k = self.iteration
        if not self.verbose:
            return
        if self.verbose > 1 or self.reason is not None or k % 10 ** max(0, len(str(k)) - 1) == 0:
            seconds = time.perf_counter() - self.started
            print(
                f"iteration {k:5d}  loss {self.base.value:.8g}  gradient norm {self.norm:.2e}  "
                f"learning rate {self.last[0]:.3g}  passes {self.objective.passes:.1f}  {seconds:.2f} s"
                + (f"  end: {self.reason}" if self.reason else "")
            )

    def _stagnates(self, norm: float) -> bool:
        """Whether the gradient has stopped shrinking where the objective's gap, or the steps made of it, are rounding errors."""
        if self.iteration - self.improved < STAGNATION:
            return False
        return norm * norm <= 100 * self.eps or norm <= LOST * self.stopping.rounding(self.base.value, self.base.coef)

    def forget(self) -> None:
        """Take the last row of the history back: the point will be observed again."""
        for column in self.history.values():
            column.pop()

    def move(self, objective: Objective, coef: Array, change: Callable[[Array], Array] | None = None) -> None:
        """Go on from where a run is, on another form of the same problem, which may have other coordinates."""
        if self.base is not None:
            self.forget()
        if change is not None:
            coef, self.best_coef, self.flattest_coef = map(change, (coef, self.best_coef, self.flattest_coef))
        self.objective, self.point, self.previous, self.base = objective, objective.at(coef), None, None
        self.reason, self.exhausted, self.refreshed = None, False, self.iteration

    def move_start(self, coef: Array) -> None:
        """Begin at another place, if its loss is lower."""
        point: Any = self.objective.at(coef)
        point.keep()  # what the first step needs, and the value with it
        here = self.point.value if self.point.coef.any() else self.stopping.null_loss
        if point.value < here:
            self.point = point

    def noise(self, value: float) -> float:
        """Rounding errors of a value of the loss, with room: of its sum, and of the residuals it is made of."""
        return 100 * self.eps * (abs(value) + math.sqrt(abs(value) * self.stopping.null_loss))

    def note_progress(self, value: float, promised: float) -> None:
        """Note whether the last search was promised nothing but rounding errors to gain: then slopes alone can tell."""
        self.exhausted = promised <= self.eps * abs(value)

    def smoothness(self) -> float:
        """L: the largest eigenvalue of the objective's curvature bound in the run's metric."""
        return largest_eigenvalue(self.objective.curvature_product, self.metric, self.point.coef.shape)

    @property
    def coef(self) -> Array:
        """The result: where the run ended; its best finite iterate where it diverged, or wandered among rounding errors."""
        if self.reason in ("diverged", "unbounded"):
            place = self.best_coef
        else:
            place = self.flattest_coef if self.reason == "precision" else self.base.coef
        if self._result[0] is not place or self._result[1] is not self.back:
            # the way back may cost a read of X, and several ask for it
            self._result = place, self.back, self.back(place)
        return self._result[2]


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
    choose = learning_rate.begin(run)
    look = momentum.begin(run)
    while True:
        base, factor = look(run)
        run.observe(base)
        if run.reason in ("gradient", "precision") and run.iteration - run.refreshed > run.refresh_every // 4:
            # Believe the end only from predictions that no sum of steps has blurred.
            base = refresh(run, base)
        run.report()
        if callback is not None and run.iteration and callback.after(run) and run.reason is None:
            run.reason = "callback"
        if run.reason is not None or (until is not None and until(run)):
            return run
        if run.iteration - run.refreshed >= run.refresh_every:
            base = refresh(run, base)
            if run.reason is not None:
                return run
        if callback is not None:
            callback.before(run)
        preconditioner.adapt(run)
        directions = [base.direction(preconditioner.direction(base.gradient))]
        if run.previous is not None and (learning_rate.plane or factor):
            directions.append(run.point.minus(run.previous))
        space = base.along(*directions)
        a, point = choose(space, factor)
        point = space.point(a) if point is None else point
        move = point.coef - run.point.coef
        rates = a if a.ndim == 1 else a.mean(axis=0)
        run.last = (
            float(rates[0]),
            float(rates[1]) if len(rates) > 1 else factor,
            math.sqrt(float(np.vdot(move, move))),
        )
        run.previous, run.point = run.point, point
        run.previous.forget()
        run.iteration += 1
        del space, directions  # images as large as the samples, which the next metric need not find there


def refresh(run: Run, base: Point) -> Point:
    """The same point from its coefficients alone; the last row of the history is corrected."""
    run.forget()
    fresh = base.refreshed()
    if run.point is base:
        run.point = fresh
    run.refreshed = run.iteration
    run.observe(fresh)
    return fresh
