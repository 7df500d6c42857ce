"""Quantile regression to an end that a dual point proves.

Two uses: one quantile, and several, which share the reads of X. How each descends is in `bands`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..descent import Run, ended
from ..objectives.points import Point
from ..preconditioners import Identity
from ..protocols import Array, Design
from .bands import FAINT, TINY, Columns, Newton, Quantile, sized
from .dual import RowSpan
from .ending import as_stored
from .problem import Problem, Until
from .rounds import NOTHING, SHARP, SmoothingRounds

__all__ = ["quantiles"]

# A sample is worth its price where it is less than this part of the rows; and its iterations at the most.
SAMPLED, SAMPLE_ITERATIONS = 0.125, 20
# The first width on all rows, in units of the errors of a sample's predictions.
SURE = 1.0
# The part of the target up to which a residual is rounding errors.
THROUGH = 1e-13
# What the distance within which rows are near grows by where some of the others crossed the plane.
FURTHER = 3.0


class Place(Point):
    """The best coefficients so far, and the losses there."""

    __slots__ = ("coef", "gap", "value")
    gradient = np.zeros(0)

    def __init__(self, coef: Array, value: float, gap: float) -> None:
        self.coef, self.value, self.gap = coef, value, gap

    def keep(self) -> Place:
        return self


class Standing(Identity):
    """What stands for the metrics of the bands in what is told of a run."""

    name = "full"


class Losses:
    """The losses as an objective, of which only the place is asked where the bands are."""

    coupled, least, reference = False, 0.0, False

    def __init__(self, design: Design, place: Callable[[], Any]) -> None:
        self.design, self.place = design, place

    @property
    def passes(self) -> float:
        return self.design.passes

    def at(self, coef: Array) -> Any:
        return self.place()

    def curvature_product(self, coef: Array, at: Any = None) -> Array:
        """Of a loss that is straight nearly everywhere."""
        return np.zeros_like(coef)


class DualGap:
    """The criterion: how far the loss may be above the least one, in units of itself, as a dual point shows."""

    def __init__(self, tol: float, null_loss: float) -> None:
        self.tol, self.null_loss, self.gap = tol, null_loss, math.inf

    def measure(self, gradient: Array, value: float, coef: Array) -> tuple[float, float]:
        return self.gap, 0.0

    def rounding(self, value: float, coef: Array) -> float:
        return 0.0


class Fits:
    """Some quantiles side by side.

    Parameters
    ----------
    columns : Columns
    y : ndarray of shape (n_samples,)
    quantiles : sequence of float
    start : ndarray of shape (n_outputs, size)
        In the coordinates of the columns.
    widths : sequence of float
        The first ones; zero where the residuals are to tell.
    nothing : ndarray of shape (n_outputs,)
        Losses that are rounding errors.
    tol : float
    """

    def __init__(
        self, columns: Columns, y: Array, quantiles: Any, start: Array, widths: Any, nothing: Array, tol: float
    ) -> None:
        self.columns = columns
        self.y = np.concatenate([y, np.zeros(columns.penalised)])
        residuals = self.y - columns.forward(start)
        self.all = [
            Quantile(float(quantiles[k]), tol, nothing[k], start[k], widths[k], columns, residuals[k])
            for k in range(len(quantiles))
        ]
        #: The best place of each, as all rows say: its coefficients and loss, and the width there.
        self.best = [(fit.best, fit.least, fit.width) for fit in self.all]

    @property
    def gaps(self) -> list[float]:
        """How far the loss of each may be above the least, in units of itself."""
        return [
            max(loss - fit.dual, 0.0) / loss if loss > 0 else 0.0
            for fit, (_, loss, _) in zip(self.all, self.best, strict=True)
        ]

    def advance(self) -> None:
        """One iteration of those that are not done: two reads of their rows."""
        fits = [fit for fit in self.all if not fit.done]
        for fit, (pull,), gradient in self.read(Columns.adjoint, [(fit, fit.pulls()[None]) for fit in fits]):
            fit.aim(pull, gradient[0])
        for fit, _, changes in self.read(Columns.forward, [(fit, np.stack([fit.step, fit.path])) for fit in fits]):
            fit.move(*changes)
        self.ask([fit.done for fit in self.all])

    def read(
        self, how: Callable[[Columns, Array], Array], given: Sequence[tuple[Quantile, Array]]
    ) -> Iterator[tuple[Quantile, Array, Array]]:
        """Read the rows of each; all rows at once for those who have them."""
        whole = [each for fit, each in given if fit.rows is self.columns]
        found = iter(np.split(how(self.columns, np.concatenate(whole)), len(whole)) if whole else ())
        for fit, each in given:
            yield fit, each, next(found) if fit.rows is self.columns else how(fit.rows, each)

    def ask(self, which: Sequence[bool]) -> None:
        """Ask all rows of the best places of some fits; where they say otherwise than the rows near the plane, go on with all of them."""
        asked = []
        for k, fit in enumerate(self.all):
            if fit.rows is not self.columns:
                asked += [k] if which[k] else []
            elif fit.least < self.best[k][1]:
                self.best[k] = fit.best, fit.least, fit.width
        if not asked:
            return
        places = np.stack([self.all[k].best for k in asked])
        for k, v, residual in zip(asked, places, self.y - self.columns.forward(places), strict=True):
            fit = self.all[k]
            _, loss, widest = self.best[k]
            # what the rounding costs is as the square of the width: one to go on with need not be narrower than the gap is wide
            unit = fit.width / math.sqrt(max(fit.rounding, TINY))
            fit.begin(v, fit.width, self.columns, residual)
            if fit.least < loss:
                self.best[k] = v, fit.least, fit.width
            if not fit.done:
                fit.reach *= FURTHER
                v, least, _ = self.best[k]
                if least < fit.least:
                    residual = self.y - self.columns.forward(v[None])[0]
                fit.begin(
                    v, max(fit.width, min(widest, unit * math.sqrt(max(least - fit.dual, 0.0)))), self.columns, residual
                )


def quantiles(problem: Problem, run: Run | None, until: Until) -> Run:
    """All quantiles of a problem, until dual points prove that none has a loss more than `tol` above the least."""
    rounds: Any = problem.rounds
    assert isinstance(rounds, SmoothingRounds)
    design = problem.design
    alpha = 0.0 if rounds.penalty is None else rounds.penalty.alpha
    rotated = not alpha and design.n_samples < design.n_features and design.where == "memory"
    inner = RowSpan(problem).problem() if rotated else problem
    columns = Columns(inner.design, inner.weight, alpha)
    each = np.ravel(rounds.quantile)
    y = np.asarray(inner.y if inner.y.ndim == 1 else inner.y[:, 0]).astype(np.float64)
    # losses that are nothing but rounding errors, of the loss of a constant and of predictions as large as targets are
    nothing = NOTHING * rounds.null + 8 * problem.eps * float(np.abs(y).mean())
    start, widths = begun(columns, y, each, nothing, inner.start.reshape(len(inner.start), -1))
    fits = Fits(columns, y, each, start, widths, nothing, problem.tol)
    stopping: Any = DualGap(problem.tol, float(rounds.null.sum()))
    many = problem.start.ndim == 2

    def place() -> Any:
        coef = columns.out(np.stack([v for v, _, _ in fits.best], axis=1))
        stopping.gap = max(fits.gaps)
        if columns.kept is not None and stopping.gap <= problem.tol:
            coef = np.stack([refined(columns, fits.y, w) for w in coef.T], axis=1)
        return Place(coef if many else coef[:, 0], math.fsum(loss for _, loss, _ in fits.best), stopping.gap)

    run = Run(Losses(design, place), problem.start, stopping, problem.max_iter, problem.eps, problem.verbose)
    run.form, run.metric = inner.form, Standing()
    while True:
        run.base = run.point
        if ended(run, problem.callback, until):
            break
        if problem.callback is not None:
            problem.callback.before(run)
        fits.advance()
        if run.iteration + 1 == problem.max_iter:
            fits.ask([True] * len(fits.all))
        run.advance(place(), np.array([1.0]), 0.0)
    rounds.become(SHARP * np.maximum(rounds.null, 1e-300) if many else SHARP * max(rounds.null[0], 1e-300))
    rounds.gap = np.array(fits.gaps) if many else fits.gaps[0]
    stored = as_stored(problem, run.coef)
    if run.reason == "gradient" and not np.array_equal(
        stored, run.coef
    ):  # what coefficients that are rounded to the precision of X have
        coef = stored.astype(np.float64).reshape(len(run.coef), -1)
        value, dual = float(lost(problem, rounds, coef).sum()), math.fsum(fit.dual for fit in fits.all)
        run.rounding.left_out = max(value - dual, 0.0) / value if value > nothing.sum() else 0.0
    return run


def refined(columns: Columns, y: Array, coef: Array) -> Array:
    """The user's coefficients of a plane that goes through rows, to the last bits: a step of iterative refinement, residuals by them."""
    residual = y.copy()
    residual[: columns.n] -= columns.design.forward(coef)
    residual[columns.n :] -= columns.into(coef)[: columns.penalised]
    through = np.abs(residual) <= THROUGH * (np.abs(y).max() + np.abs(y - residual).max())
    rows = np.flatnonzero(through[: columns.n])
    part = columns.taken(rows)
    weight = np.concatenate([np.ones(part.n), through[columns.n :]])
    if not columns.size <= weight.sum():
        return coef
    metric = Newton(part.gram(weight), FAINT * columns.products)
    return coef + columns.out(metric.solve(part.adjoint((weight * columns.of(rows, residual))[None])[0]))


def lost(problem: Problem, rounds: SmoothingRounds, coef: Array) -> Array:
    """The losses of the user's coefficients, penalty included, an output each."""
    y = np.asarray(problem.y if problem.y.ndim == 1 else problem.y[:, 0])
    weight = None if problem.weight is None else np.asarray(problem.weight)
    residual = y[:, None] - problem.design.forward(coef)
    each = 0.5 * np.abs(residual) + (np.ravel(rounds.quantile) - 0.5) * residual
    penalty = 0.0 if rounds.penalty is None else rounds.penalty.primal_and_dual(coef)[0]
    found: Array = np.average(each, axis=0, weights=weight) + penalty
    return found


def begun(columns: Columns, y: Array, each: Array, nothing: Array, user: Array) -> tuple[Array, Any]:
    """Where to begin, and the widths there: the optimum of a sample, or least squares; where the user says, if that is better."""
    rows = sampled(columns)
    if rows is None:
        starts, widths = squares(columns, columns.products, y, each), np.zeros(len(each))
    else:
        sample, some = columns.taken(rows), y[rows]
        sample.weight[: sample.n] /= sample.weight[: sample.n].sum()
        starts = squares(sample, sample.gram(sample.weight), some, each)
        # what a sample knows: with k coefficients the loss of m rows is some k/m below that of the others
        fits = Fits(sample, some, each, starts, np.zeros(len(each)), nothing, sample.size / sample.n)
        for _ in range(SAMPLE_ITERATIONS):
            if all(fit.done for fit in fits.all):
                break
            fits.advance()
        starts = np.stack([v for v, _, _ in fits.best])
        residuals = some - sample.forward(starts)[:, : sample.n]
        # what is predicted at the sample's optimum is √(k q (1 − q) / m) / f off, f the density of the residuals there: as wide is the band of
        # twice that part of the rows
        parts = 2 * SURE * np.sqrt(each * (1 - each) * sample.size / sample.n)
        widths = np.array(
            [
                sized(np.abs(r), sample.weight[: sample.n], min(part, 1.0))
                for r, part in zip(residuals, parts, strict=True)
            ]
        )
    if user.any():
        full = np.concatenate([y, np.zeros(columns.penalised)])
        losses = []
        for coef in (starts, columns.into(user).T):
            r = full - columns.forward(coef)
            q = np.where(np.arange(len(full)) < columns.n, each[:, None], 0.5)
            losses.append(np.maximum(q * r, (q - 1) * r) @ columns.weight)
        better = losses[1] < losses[0]
        starts[better], widths[better] = columns.into(user).T[better], 0.0
    return starts, widths


def sampled(columns: Columns) -> Array | None:
    """A sample of the rows, one of each stretch of them; None where they are too few.

    Of m rows the optimum has errors of √(k/m) for k coefficients, and as large a part of all rows is near it: so many that both cost the same.
    """
    m = int(columns.n ** (2 / 3) * columns.size ** (1 / 3))
    if m > SAMPLED * columns.n:
        return None
    found: Array = ((np.arange(m) + np.random.default_rng(0).random(m)) * (columns.n / m)).astype(np.intp)
    return found if (columns.weight[found] > 0).sum() > m / 2 else None


def squares(columns: Columns, matrix: Array, y: Array, each: Array) -> Array:
    """Least squares, its intercept the quantiles of the residuals, an output each."""
    weight, matrix = columns.weight, matrix.copy()
    middle = sized(y, weight[: columns.n], 0.5) if columns.intercept else 0.0
    pull = np.concatenate([weight[: columns.n] * (y - middle), np.zeros(columns.penalised)])
    if columns.penalised:
        at = np.arange(columns.m)
        matrix[at, at] += 0.5 * weight[columns.n :] / (float(weight[: columns.n] @ np.abs(y - middle)) or 1.0)
    v = Newton(matrix, np.diag(1e-10 * matrix.diagonal())).solve(columns.adjoint(pull[None])[0])
    starts = np.repeat(v[None], len(each), axis=0)
    if columns.intercept:
        residual = y - middle - columns.forward(v[None])[0, : columns.n]
        for k, q in enumerate(each):
            starts[k, columns.m] += middle + sized(residual, weight[: columns.n], q)
    return starts
