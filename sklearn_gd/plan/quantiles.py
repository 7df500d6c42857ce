"""Quantile regression to an end that a dual point proves: Newton's method on the loss with its kink rounded off, less and less.

Two uses: one quantile, and several, which share the reads of X.

With r = y − raw the loss of the quantile q is ρ(r) = max(q r, (q − 1) r). Rounded off within a width h its slope in r is
z = q − ½ + r/(2h), held between q − 1 and q, and its second derivative 1/(2h) in the band of rows with |r| < h, zero beyond. So Newton's matrix
is the Gram matrix of a few rows, fewer as h shrinks. The dual of Σ s ρ(r) is the greatest Σ s y d over d from q − 1 to q with X̃ᵀ(s d) = 0: of such
a d no coefficients have a lower loss than Σ s r d, which is one number at all of them. Newton's step takes the slopes z to such a d, as long as
it does not leave their range. A penalty alpha Σ|wⱼ| is p rows more, eⱼ with target 0, weight 2·alpha and the quantile ½.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.linalg import lapack

from ..compiled import trials
from ..descent import Run, ended
from ..losses import Huber
from ..objectives.points import Point
from ..objectives.samples import Slopes
from ..preconditioners import EPS, Identity, constant, potrf, potrs
from ..protocols import Array, Design, Moments
from .dual import RowSpan
from .ending import as_stored
from .problem import Problem, Until
from .rounds import SHARP, SmoothingRounds

__all__ = ["quantiles"]

# The share of the rows that the first band has, of those of the smaller side of the quantile's plane.
FIRST_SHARE = 0.5
# A random sample's optimum as the start (Portnoy and Koenker, 1997) saves one iteration of eight, for as much time.
# What a width shrinks by at the most, and at the least. The coefficients are a path that is straight in the width between changes of the band: a
# step along it is taken with Newton's, and a few rows change sides.
SHRINK, LEAST_SHRINK = 0.25, 0.7
# Rows of the band for a coefficient, at the least: of fewer Newton's matrix is singular.
BAND_ROWS = 1.2
# The square of Newton's decrement, in units of the gap that the rounding leaves, that ends the descent at one width: the next one moves the
# optimum by more.
SETTLED = 0.2
# The gap to aim at by a width, in units of `tol`: the rest is for what the descent leaves.
AIM = 0.5
# Of the Gram matrix of all rows in Newton's: a step where the band has no rows, and taken away by refinement where it has.
FAINT, REFINED = 1e-7, 2
# The squared distance of a column from the span of the others, in units of its own, below which it depends on them.
DEPENDENT = 1e-11
# The gradient of a dual point whose slopes' mean square is about one, and of a loss that is nothing but rounding errors.
FEASIBLE, NOTHING = 1e-9, 1e-13
# That of one whose slopes move by as much as they have room, which is not brought back.
EXACT = 1e-12
# The part of the slope that is left by a search along a step.
STRAIGHT = 1e-3
TINY = 1e-300


class Columns:
    """Coordinates in which columns are standardised, those that depend on others left out; the prediction at their centre is the last.

    Parameters
    ----------
    design : design
    weight : ndarray of shape (n_samples,) or None
    alpha : float
        Of the L1 penalty, whose rows stand behind those of X.
    """

    def __init__(self, design: Design, weight: Array | None, alpha: float) -> None:
        self.design, self.p = design, design.n_features
        self.n, self.intercept = design.n_samples, bool(design.fit_intercept)
        moments = design.gram(weight)
        spread, self.centre = moments.matrix.diagonal(), moments.centre
        used = np.flatnonzero(~constant(spread, self.centre, moments.weight_sum) & (spread > 0))
        root = 1 / np.sqrt(spread[used])
        products = moments.matrix[np.ix_(used, used)] * root * root[:, None]
        if not alpha and len(used):
            _, order, rank, _ = lapack.dpstrf(products, tol=DEPENDENT)
            kept = np.sort(order[:rank] - 1)
            used, root, products = used[kept], root[kept], products[np.ix_(kept, kept)]
        self.used, self.root, self.m = used, root, len(used)
        self.size = self.m + self.intercept
        self.products = np.eye(self.size)
        self.products[: self.m, : self.m] = products
        if alpha:  # columns may depend on each other
            at = np.arange(self.m)
            self.products[at, at] += DEPENDENT**0.5 + alpha * root
        weights = np.full(self.n, 1 / self.n) if weight is None else np.asarray(weight).astype(np.float64)
        self.penalised = self.m if alpha else 0
        self.weight = np.concatenate([weights, 2 * alpha * root]) if alpha else weights
        # of a search: zeros, and what is not looked at
        self.room = np.zeros((3, self.n))

    def out(self, v: Array) -> Array:
        """The user's coefficients."""
        coef = np.zeros((self.p + self.intercept, *v.shape[1:]))
        coef[self.used] = (self.root * v[: self.m].T).T
        if self.intercept:
            coef[self.p] = v[self.m] - self.centre @ coef[: self.p]
        return coef

    def into(self, coef: Array) -> Array:
        """These of the user's, as far as columns are in use."""
        v = np.zeros((self.size, *coef.shape[1:]))
        v[: self.m] = (coef[self.used].T / self.root).T
        if self.intercept:
            v[self.m] = coef[self.p] + self.centre @ coef[: self.p]
        return v

    def forward(self, v: Array) -> Array:
        """Predictions, by outputs: those of the penalty behind those of X."""
        coef = self.out(v)
        if not self.n:
            raw = np.zeros((coef.shape[1], 0))
        else:
            raw = self.design.forward(coef[:, 0])[None] if coef.shape[1] == 1 else self.design.forward(coef).T
            raw = np.ascontiguousarray(raw, dtype=np.float64)
        return np.concatenate([raw, v[: self.m].T], axis=1) if self.penalised else raw

    def adjoint(self, u: Array) -> Array:
        """Its adjoint, of an array by outputs."""
        found, out = np.zeros((self.p + self.intercept, len(u))), np.empty((self.size, len(u)))
        if self.n:
            slopes = u[0, : self.n] if len(u) == 1 else np.ascontiguousarray(u[:, : self.n].T)
            found = self.design.sweep(Slopes(slopes))[1].reshape(-1, len(u))
        sums = u[:, : self.n].sum(axis=1)
        features = found[: self.p] - np.multiply.outer(self.centre, sums) if self.intercept else found[: self.p]
        out[: self.m] = (self.root * features[self.used].T).T
        if self.intercept:
            out[self.m] = sums
        if self.penalised:
            out[: self.m] += u[:, self.n :].T
        return out

    def taken(self, rows: Array) -> Columns:
        """The same coordinates of some rows, and of the penalty's."""
        out = copy.copy(self)
        out.n, out.weight = len(rows), np.concatenate([self.weight[rows], self.weight[self.n :]])
        if len(rows):
            out.design = self.design.take(rows)
        return out

    def gram(self, weight: Array) -> Array:
        """The Gram matrix of the rows, by weights of theirs."""
        out = np.zeros((self.size, self.size))
        if self.n:
            self._add(self.design.gram(weight[: self.n]), out)
        if self.penalised:
            at = np.arange(self.m)
            out[at, at] += weight[self.n :]
        return out

    def _add(self, some: Moments, out: Array) -> None:
        out[: self.m, : self.m] = some.matrix[np.ix_(self.used, self.used)] * self.root * self.root[:, None]
        if self.intercept:
            shift = self.root * (some.centre - self.centre)[self.used]
            out[: self.m, : self.m] += np.multiply.outer(some.weight_sum * shift, shift)
            out[: self.m, self.m] = out[self.m, : self.m] = some.weight_sum * shift
            out[self.m, self.m] = some.weight_sum


class Newton(Identity):
    """The inverse of the Gram matrix of a band of rows, and of a little of that of all rows, which refinement takes away again."""

    name = "full"
    newton = True

    def __init__(self, matrix: Array, faint: Array) -> None:
        self.matrix = matrix
        regular = matrix + faint
        self.root = 1 / np.sqrt(regular.diagonal())
        self.factor, failed = potrf(regular * self.root * self.root[:, None], lower=1)
        if failed:
            regular.flat[:: len(regular) + 1] *= 1 + 1e-8
            self.factor, _ = potrf(regular * self.root * self.root[:, None], lower=1)

    def solve(self, gradient: Array) -> Array:
        out = self._roughly(gradient)
        for _ in range(REFINED):
            out += self._roughly(gradient - self.matrix @ out)
        return out

    def _roughly(self, gradient: Array) -> Array:
        out: Array = self.root * potrs(self.factor, self.root * gradient, lower=1)[0]
        return out


@dataclass
class Quantile:
    """The fit of one quantile: where it is, and what is proved of it.

    Attributes
    ----------
    quantile : float
    q : float or ndarray
        The same, and ½ of the penalty's rows.
    tilt : ndarray
        The weights times q − ½.
    v : ndarray
        The coefficients.
    residual : ndarray
    width : float
    nothing : float
        A loss that is rounding errors.
    best, primal : ndarray, float
        The coefficients of the least loss so far, and that.
    dual : float
        What no loss is below.
    done : bool
    loss, rounding : float
        The loss where it is, and what it is above the product of residuals and slopes.
    band, slopes, weight : ndarray
        The rows within the width, and behind them those of the penalty; their slopes; their weights in Newton's matrix, which are zero of those
        beyond the width.
    part : Columns
        Of these rows.
    metric : Newton
    step, change : ndarray
        The next step, and what it takes from the residuals.
    near : ndarray
        What Newton's step takes from those of the band.
    """

    quantile: float
    q: Any
    tilt: Array
    v: Array
    residual: Array
    width: float
    nothing: float
    best: Array = field(init=False)
    primal: float = math.inf
    dual: float = 0.0
    done: bool = False
    loss: float = field(init=False)
    rounding: float = field(init=False)
    band: Array = field(init=False)
    slopes: Array = field(init=False)
    weight: Array = field(init=False)
    part: Columns = field(init=False)
    near: Array = field(init=False)
    metric: Newton = field(init=False)
    step: Array = field(init=False)
    change: Array = field(init=False)

    @property
    def gap(self) -> float:
        return max(self.primal - self.dual, 0.0) / self.primal if self.primal > 0 else 0.0


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


class Line:
    """The slope and the second derivative of a rounded loss along a step.

    Parameters
    ----------
    columns : Columns
    fit : Quantile
    change : ndarray
        What the step takes from the residuals.
    """

    def __init__(self, columns: Columns, fit: Quantile, change: Array) -> None:
        self.fit, self.change, self.n = fit, change, columns.n
        self.heavy = columns.weight * change
        loss = Huber(fit.width, 0.5 / fit.width, 0.5 - fit.quantile)
        self.trials = trials(loss, fit.residual[: self.n], columns.weight[: self.n], fit.residual.dtype)
        self.base, *self.arrays = columns.room

    def __call__(self, t: float) -> tuple[float, float]:
        first = 0
        slope = curvature = 0.0
        if self.trials is not None:
            arrays, first = [None, *self.arrays], self.n
            _, g, h = self.trials(slice(0, first), self.base, [t], [self.change[:first]], arrays)
            slope, curvature = float(g[0]), float(h[0, 0])
        if first < len(self.change):
            change, heavy, fit = self.change[first:], self.heavy[first:], self.fit
            z = (fit.residual[first:] - t * change) / (2 * fit.width)
            within = np.abs(z) <= 0.5
            q = fit.q[first:] if np.ndim(fit.q) else fit.q
            slope -= float(heavy @ (np.clip(z, -0.5, 0.5) + (q - 0.5)))
            curvature += float(heavy[within] @ change[within]) / (2 * fit.width)
        return slope, curvature


class Bands:
    """The descent of some quantiles side by side.

    Parameters
    ----------
    columns : Columns
    y : ndarray of shape (n_samples,)
    quantiles : sequence of float
    start : ndarray of shape (size, n_outputs)
        In the coordinates of the columns.
    nothing : ndarray of shape (n_outputs,)
        Losses that are rounding errors.
    tol : float
    """

    def __init__(self, columns: Columns, y: Array, quantiles: Any, start: Array, nothing: Array, tol: float) -> None:
        self.columns, self.tol, n, weight = columns, tol, columns.n, columns.weight
        y = np.concatenate([y, np.zeros(columns.penalised)])
        residuals = y - columns.forward(start)
        self.fits = []
        for k, quantile in enumerate(quantiles):
            share = min(max(2 * FIRST_SHARE * min(quantile, 1 - quantile), 4 * columns.size / n), 1.0)
            width = sized(np.abs(residuals[k, :n]), weight[:n], share) or float(np.abs(residuals[k]).mean())
            q = (
                np.concatenate([np.full(n, quantile), np.full(columns.penalised, 0.5)])
                if columns.penalised
                else quantile
            )
            fit = Quantile(float(quantile), q, weight * (q - 0.5), start[:, k], residuals[k], width, nothing[k])
            self.arrive(fit)
            self.fits.append(fit)

    def loss(self, fit: Quantile, residual: Array) -> float:
        """The loss itself."""
        return 0.5 * float(self.columns.weight @ np.abs(residual)) + float(fit.tilt @ residual)

    def arrive(self, fit: Quantile) -> None:
        """Find out what is known of a fit where it is."""
        fit.loss = self.loss(fit, fit.residual)
        self.note(fit, fit.v, fit.loss)

    def note(self, fit: Quantile, v: Array, loss: float) -> None:
        """Note a place, if it is better than the best."""
        if loss < fit.primal:
            fit.best, fit.primal = v, loss
        if fit.primal <= fit.nothing or not fit.width > 0:
            fit.dual = fit.primal  # no loss is negative, and this one is rounding errors
        fit.done = fit.gap <= self.tol

    def prove(self, fit: Quantile, moved: Array) -> None:
        """Note the dual point that slopes in the band are when they have moved, if it proves more than the last.

        One that has left its range is brought back to it.
        """
        d, q = fit.slopes - moved, fit.q[fit.band] if np.ndim(fit.q) else fit.q
        out = max(float((d / q).max(initial=1.0)), float((d / (q - 1)).max(initial=1.0)))
        product = fit.loss - fit.rounding - float((self.columns.weight[fit.band] * fit.residual[fit.band]) @ moved)
        fit.dual = max(fit.dual, product / out)
        fit.done = fit.gap <= self.tol

    def advance(self) -> None:
        """One iteration of those that are not done: two reads of X."""
        columns, n = self.columns, self.columns.n
        fits = [fit for fit in self.fits if not fit.done]
        pulls = np.empty((len(fits), len(columns.weight)))
        for fit, pull in zip(fits, pulls, strict=True):
            np.multiply(fit.residual, 0.5 / fit.width, out=pull)
            rows = np.flatnonzero(np.abs(pull[:n]) < 0.5)
            fit.band = np.concatenate([rows, np.arange(n, len(pull))]) if columns.penalised else rows
            fit.part = columns.taken(rows)
            fit.weight = fit.part.weight * (np.abs(pull[fit.band]) < 0.5) / (2 * fit.width)
            np.clip(pull, -0.5, 0.5, out=pull)
            fit.slopes = pull[fit.band] + ((fit.q[fit.band] if np.ndim(fit.q) else fit.q) - 0.5)
            pull *= columns.weight
            pull += fit.tilt
            fit.rounding = fit.loss - float(pull @ fit.residual)
        gradients = columns.adjoint(pulls).T
        del pulls
        paths = [self.newton(fit, gradient) for fit, gradient in zip(fits, gradients, strict=True)]
        steps = [fit.step for fit in fits]
        changes = columns.forward(np.stack([*steps, *paths], axis=1))
        for fit, gradient, path, change, along in zip(
            fits, gradients, paths, changes, changes[len(fits) :], strict=False
        ):
            fit.change = change
            if self.judge(fit, gradient) and not fit.done:
                self.leave(fit, path, along)
            if not fit.done:
                t = self.search(fit)
                fit.v = fit.v + t * fit.step
                fit.residual -= t * fit.change
                self.arrive(fit)

    def newton(self, fit: Quantile, gradient: Array) -> Array:
        """Find Newton's step; and the path on from there to where the width is zero, as far as the band stays what it is."""
        columns, part = self.columns, fit.part
        share = max(float(part.weight[: part.n].sum()), 1 / columns.n)
        fit.metric = Newton(part.gram(fit.weight), (FAINT * share / (2 * fit.width)) * columns.products)
        fit.step = fit.metric.solve(gradient)
        fit.near = part.forward(fit.step[:, None])[0]
        pull = fit.weight * (fit.residual[fit.band] - fit.near)
        return fit.metric.solve(part.adjoint(pull[None])[:, 0])

    def judge(self, fit: Quantile, gradient: Array) -> bool:
        """Prove what can be proved at a place; whether its width has served."""
        lost = np.abs(gradient - fit.metric.matrix @ fit.step).max()
        if lost <= FEASIBLE:
            self.prove(fit, np.where(fit.weight > 0, fit.near, 0.0) / (2 * fit.width))
        if not fit.done and fit.rounding <= self.tol * fit.primal:
            self.correct(fit, gradient)
        decrement = float(gradient @ fit.step)
        small = decrement <= EPS * fit.loss
        if fit.rounding <= AIM * self.tol * fit.primal:
            return small and lost <= FEASIBLE
        return small or decrement <= SETTLED * fit.rounding

    def correct(self, fit: Quantile, gradient: Array) -> None:
        """A dual point from the slopes, each of which moves by as much as it has room."""
        q = fit.q[fit.band] if np.ndim(fit.q) else fit.q
        room = np.minimum(fit.slopes - (q - 1), q - fit.slopes) ** 2
        matrix = fit.part.gram(fit.part.weight * room)
        if not matrix.diagonal().min(initial=1.0) > 0:
            return
        metric = Newton(matrix, np.diag(1e-12 * matrix.diagonal()))
        u = metric.solve(gradient)
        if np.abs(gradient - matrix @ u).max() <= EXACT:
            self.prove(fit, room * fit.part.forward(u[:, None])[0])

    def leave(self, fit: Quantile, path: Array, along: Array) -> None:
        """Take the next width, and with Newton's step the one along the path to where that leads."""
        columns = self.columns
        there = fit.residual - fit.change
        # where the width is zero, all of the band is on the plane
        self.note(fit, fit.v + fit.step + path, self.loss(fit, there - along))
        shrink = max(SHRINK, min(LEAST_SHRINK, math.sqrt(AIM * self.tol * fit.primal / max(fit.rounding, TINY))))
        rows = min(int(BAND_ROWS * columns.size), columns.n - 1)
        there -= (1 - SHRINK) * along
        ahead = np.partition(np.abs(there[: columns.n], out=there[: columns.n]), rows)[rows]
        shrink = max(shrink, min(LEAST_SHRINK, float(ahead) / fit.width))
        fit.width *= shrink
        fit.step = fit.step + (1 - shrink) * path
        fit.change += (1 - shrink) * along

    def search(self, fit: Quantile) -> float:
        """The best length of a step: the slope along it, a broken line that rises, is zero there."""
        line = Line(self.columns, fit, fit.change)
        low, high, t = 0.0, math.inf, 1.0
        first, _ = line(0.0)
        if not first < 0:
            return 0.0
        for _ in range(40):
            slope, curvature = line(t)
            if abs(slope) <= -STRAIGHT * first:
                break
            low, high = (low, t) if slope > 0 else (t, high)
            new = t - slope / curvature if curvature > 0 else math.nan
            if not low < new < high:
                new = 2 * t if high == math.inf else 0.5 * (low + high)
            if high - low <= 1e-12 * t:
                break
            t = min(new, 10 * t)
        return t


def sized(size: Array, weight: Array, share: float) -> float:
    """The size that a share of the rows do not exceed."""
    if (weight == weight[0]).all():
        at = min(int(share * len(size)), len(size) - 1)
        return float(np.partition(size, at)[at])
    order = np.argsort(size)
    reach = np.cumsum(weight[order])
    return float(size[order[min(int(np.searchsorted(reach, share * reach[-1])), len(order) - 1)]])


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
    start = begun(columns, y, each, inner.start.reshape(len(inner.start), -1))
    bands = Bands(columns, y, each, start, nothing, problem.tol)
    null_loss = float(rounds.null.sum())
    stopping: Any = DualGap(problem.tol, null_loss)
    many = problem.start.ndim == 2

    def place() -> Any:
        coef = columns.out(np.stack([fit.best for fit in bands.fits], axis=1))
        gaps = [fit.gap for fit in bands.fits]
        stopping.gap = max(gaps)
        return Place(coef if many else coef[:, 0], math.fsum(fit.primal for fit in bands.fits), stopping.gap)

    run = Run(Losses(design, place), problem.start, stopping, problem.max_iter, problem.eps, problem.verbose)
    run.form, run.metric = inner.form, Standing()
    while True:
        run.base = run.point
        if ended(run, problem.callback, until):
            break
        if problem.callback is not None:
            problem.callback.before(run)
        bands.advance()
        run.advance(place(), np.array([1.0]), 0.0)
    rounds.become(SHARP * np.maximum(rounds.null, 1e-300) if many else SHARP * max(rounds.null[0], 1e-300))
    rounds.gap = np.array([fit.gap for fit in bands.fits]) if many else bands.fits[0].gap
    if run.reason == "gradient":  # what coefficients that are rounded to the precision of X have
        coef = as_stored(problem, run.coef).astype(np.float64).reshape(len(run.coef), -1)
        value, dual = float(lost(problem, rounds, coef).sum()), math.fsum(fit.dual for fit in bands.fits)
        run.rounding.left_out = max(value - dual, 0.0) / value if value > nothing.sum() else 0.0
    return run


def lost(problem: Problem, rounds: SmoothingRounds, coef: Array) -> Array:
    """The losses of the user's coefficients, penalty included, an output each."""
    y = np.asarray(problem.y if problem.y.ndim == 1 else problem.y[:, 0])
    weight = None if problem.weight is None else np.asarray(problem.weight)
    residual = y[:, None] - problem.design.forward(coef)
    each = 0.5 * np.abs(residual) + (np.ravel(rounds.quantile) - 0.5) * residual
    penalty = 0.0 if rounds.penalty is None else rounds.penalty.primal_and_dual(coef)[0]
    found: Array = np.average(each, axis=0, weights=weight) + penalty
    return found


def begun(columns: Columns, y: Array, each: Array, user: Array) -> Array:
    """Where to begin: least squares, its intercept the quantile of the residuals; where the user says, if that is better."""
    weight = columns.weight
    middle = sized(y, weight[: columns.n], 0.5) if columns.intercept else 0.0
    pull = np.concatenate([weight[: columns.n] * (y - middle), np.zeros(columns.penalised)])
    matrix = columns.products.copy()
    if columns.penalised:
        at = np.arange(columns.m)
        matrix[at, at] += 0.5 * weight[columns.n :] / (float(weight[: columns.n] @ np.abs(y - middle)) or 1.0)
    v = Newton(matrix, np.diag(1e-10 * matrix.diagonal())).solve(columns.adjoint(pull[None])[:, 0])
    starts = np.repeat(v[:, None], len(each), axis=1)
    if columns.intercept:
        residual = y - middle - columns.forward(v[:, None])[0, : columns.n]
        for k, q in enumerate(each):
            starts[columns.m, k] += middle + sized(residual, weight[: columns.n], q)
    if user.any():
        given = columns.into(user)
        full = np.concatenate([y, np.zeros(columns.penalised)])
        for k, q in enumerate(each):
            losses = []
            for v in (starts[:, k], given[:, k]):
                r = full - columns.forward(v[:, None])[0]
                r[: columns.n] = np.maximum(q * r[: columns.n], (q - 1) * r[: columns.n])
                r[columns.n :] = 0.5 * np.abs(r[columns.n :])
                losses.append(float(weight @ r))
            if losses[1] < losses[0]:
                starts[:, k] = given[:, k]
    return starts
