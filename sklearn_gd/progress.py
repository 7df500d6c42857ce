"""What a run knows of itself: what it has seen, its last step, what rounding errors do to it, and what is told of it.

Two uses: `descent.Run`, which is made of these; and whoever asks a run how it went, the messages to the user first of all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .protocols import Array, Point

if TYPE_CHECKING:
    from .descent import Run

__all__ = ["HISTORY", "History", "Log", "Rounding", "StageReport", "Step"]

#: The columns of ``history_``, one row a point: the start, and the end of every iteration.
HISTORY = ("loss", "gradient_norm", "learning_rate", "momentum", "step_length", "passes")

#: Why a run ends.
REASONS = ("gradient", "precision", "max_iter", "diverged", "unbounded", "callback")

# Rises of the loss in a row, above ten times where it started, that count as divergence. A rate beyond 2/L makes a
# quadratic's loss grow at every iteration from some point on; on a logistic loss a large rate rises for a few iterations,
# often once, and comes back (Wu et al., 2024, arXiv:2402.15926). Twenty leave room for that, and end long before 1e308.
RISES = 20
# Predictions carried along as sums of steps are computed afresh after so many iterations: their rounding errors add up
# like a random walk, so 32 steps cost at most a digit.
REFRESH = 32


class History(dict[str, list[float]]):
    """The rows of all points with finite numbers, and the best of them.

    Parameters
    ----------
    start : ndarray
        The first coefficients.

    Attributes
    ----------
    norm : float
        That of the last gradient, finite or not.
    rises : int
        How often in a row the loss has risen.
    best_value, best_coef : float, ndarray
        The least loss, and where.
    flattest_norm, flattest_coef : float, ndarray
        The smallest norm since the loss was last seen to be lower, and where.
    improved : int
        The iteration of that norm.
    """

    def __init__(self, start: Array) -> None:
        super().__init__({name: [] for name in HISTORY})
        self.norm, self.rises = math.nan, 0
        self.best_value, self.best_coef = math.inf, start
        self.flattest_norm, self.flattest_coef, self.improved = math.inf, start, 0

    def note(self, coef: Array, row: Sequence[float], iteration: int, noise: float) -> bool:
        """Note a point; whether its norm is less than half the flattest.

        Parameters
        ----------
        coef : ndarray
        row : sequence of float
            An entry for each of `HISTORY`.
        iteration : int
        noise : float
            What a loss may be lower by without being so.
        """
        value, self.norm = row[:2]
        losses = self["loss"]
        self.rises = self.rises + 1 if losses and value > losses[-1] else 0
        if not (math.isfinite(value) and math.isfinite(self.norm)):
            return False
        if value < self.best_value:
            if value < self.best_value - noise:
                self.flattest_norm = math.inf  # norms are relative to losses, and those of higher ones count no longer
            self.best_value, self.best_coef = value, coef
        shrunk = self.norm < 0.5 * self.flattest_norm
        if self.norm < self.flattest_norm:
            self.flattest_norm, self.flattest_coef, self.improved = self.norm, coef, iteration
        for column, entry in zip(self.values(), row, strict=True):
            column.append(entry)
        return shrunk

    def grows(self, value: float) -> bool:
        """Whether the loss has risen so often, and so far, that it will not come back."""
        return self.rises >= RISES and value > 10 * abs(self["loss"][0])

    def forget(self) -> None:
        """Take the last row back: the point will be noted again."""
        for column in self.values():
            column.pop()

    def move(self, change: Callable[[Array], Array]) -> None:
        """Remember places in other coordinates."""
        self.best_coef, self.flattest_coef = change(self.best_coef), change(self.flattest_coef)


@dataclass
class Step:
    """The last step.

    Attributes
    ----------
    start : Point or None
        Where it began; None where there was none in these coordinates.
    rate, momentum, length : float
    match : float
        The curvature along the last direction over what its metric took it for.
    """

    start: Point | None = None
    rate: float = 0.0
    momentum: float = 0.0
    length: float = 0.0
    match: float = 1.0


@dataclass
class Rounding:
    """What rounding errors do to a run, and what is done about it.

    Attributes
    ----------
    eps : float
        The precision of the arithmetic.
    refresh_every : int
        Iterations after which predictions, sums of steps until then, are computed from the coefficients.
    refreshed : int
        The last iteration in which they were.
    exhausted : bool
        Whether the last search was promised nothing but rounding errors to gain: then slopes alone can tell.
    left_out : float
        The part of the explained loss that the end is known to leave out.
    """

    eps: float
    refresh_every: int = REFRESH
    refreshed: int = 0
    exhausted: bool = False
    left_out: float = 0.0

    def note_promise(self, value: float, promised: float) -> None:
        """Note what the last search, from a place of that value, was promised to gain."""
        self.exhausted = promised <= self.eps * abs(value)

    def due(self, iteration: int) -> bool:
        """Whether predictions have been sums of steps for long enough."""
        return iteration - self.refreshed >= self.refresh_every

    def blurred(self, iteration: int) -> bool:
        """Whether they have been for too long to believe the end that they tell."""
        return iteration - self.refreshed > self.refresh_every // 4


class StageReport(NamedTuple):
    """A part of a run, in one form of the problem and one metric.

    Parameters
    ----------
    form : str
        The coordinates, for instance ``"coefficients"``.
    metric : str or None
    rule : str
    iterations : int
    passes : float
        The metric's set-up included.
    left : str
        Why it was left: the reason of the run's end, or for what was bought then.
    """

    form: str
    metric: str | None
    rule: str
    iterations: int
    passes: float
    left: str

    def __str__(self) -> str:
        """The line that is printed of it."""
        return (
            f"{self.form}, {self.metric or 'no'} metric, {self.rule}: {self.iterations} "
            f"iteration{'' if self.iterations == 1 else 's'}, {self.passes:.1f} passes; left: {self.left}"
        )


class Log:
    """What is told of a run: its stages, and lines of text where these are asked for.

    Parameters
    ----------
    verbose : int
        0 prints nothing.
    """

    def __init__(self, verbose: int) -> None:
        self.verbose = verbose
        self.started = time.perf_counter()
        self.stages: list[StageReport] = []

    def report(self, run: Run) -> None:
        """One line an iteration; the last, and every tenth, hundredth, ... with verbose=1, all with more."""
        k = run.iteration
        if not self.verbose:
            return
        if self.verbose > 1 or run.reason is not None or k % 10 ** max(0, len(str(k)) - 1) == 0:
            seconds = time.perf_counter() - self.started
            print(
                f"iteration {k:5d}  loss {run.base.value:.8g}  gradient norm {run.history.norm:.2e}  "
                f"learning rate {run.last.rate:.3g}  passes {run.objective.passes:.1f}  {seconds:.2f} s"
                + (f"  end: {run.reason}" if run.reason else "")
            )

    def end_stage(self, stage: StageReport) -> None:
        """Record a stage that has ended; one line, where it is not the only one."""
        self.stages.append(stage)
        if self.verbose and (len(self.stages) > 1 or stage.left not in REASONS):
            print(f"stage {len(self.stages)}: {stage}")
