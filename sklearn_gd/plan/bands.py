"""The descent of one quantile: Newton's method on the loss with its kink rounded off, less and less, among the rows that may still matter.

Two uses: all rows, and a sample of them, whose optimum is where to begin.

With r = y − raw the loss of the quantile q is ρ(r) = max(q r, (q − 1) r). Rounded off within a width h its slope in r is
z = q − ½ + r/(2h), held between q − 1 and q, and its second derivative 1/(2h) in the band of rows with |r| < h, zero beyond. So Newton's matrix
is the Gram matrix of a few rows, fewer as h shrinks; and rows that are far from the plane add a straight line to the loss, for which nothing
needs to be read again (Portnoy and Koenker, 1997). The dual of Σ s ρ(r) is the greatest Σ s y d over d from q − 1 to q with X̃ᵀ(s d) = 0: of
such a d no coefficients have a lower loss than Σ s r d, which is one number at all of them. Newton's step takes the slopes z to such a d, as
long as it does not leave their range. A penalty alpha Σ|wⱼ| is p rows more, eⱼ with target 0, weight 2·alpha and the quantile ½.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.linalg import lapack

from ..compiled import trials
from ..designs import DenseDesign
from ..losses import Huber
from ..objectives.samples import Slopes
from ..preconditioners import EPS, Identity, constant, potrf, potrs
from ..protocols import Array, Moments

__all__ = ["FAINT", "TINY", "Columns", "Newton", "Quantile", "sized"]

# The share of the rows that the first band has, of those of the smaller side of the quantile's plane.
FIRST_SHARE = 0.5
# What a width shrinks by at the most, and at the least. The coefficients are a path that is straight in the width between changes of the band: a
# step along it is taken with Newton's, and a few rows change sides.
SHRINK, LEAST_SHRINK = 0.25, 0.7
# The distance in widths within which rows are near. A step moves those of the band by about a width.
REACH = 3.0
# The numbers of rows that are kept in coordinates of their own: they fit in a core's cache.
KEPT = 1 << 19
# The part of the rows that near ones may be, to be worth a copy; and the rows for a coefficient that they are at the least.
FEW, LEAST_ROWS = 0.5, 8
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
# The gradient of a dual point whose slopes' mean square is about one; that of one whose slopes move by as much as they have room, which is not
# brought back.
FEASIBLE, EXACT = 1e-9, 1e-12
# The part of the slope that is left by a search along a step.
STRAIGHT = 0.1
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

    def __init__(self, design: Any, weight: Array | None, alpha: float) -> None:
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
        #: The rows in these coordinates, where they are few.
        self.kept = self.made(slice(None)) if self.few(self.n) else None

    def few(self, n: int) -> bool:
        """Whether so many rows are kept in these coordinates."""
        return self.design.where == "memory" and (n + self.penalised) * self.size <= KEPT

    def made(self, rows: Any) -> Array:
        """Some rows in these coordinates, and those of the penalty."""
        some = np.subtract(self.design.block_dense(rows)[:, self.used], self.centre[self.used], dtype=np.float64)
        out = np.zeros((len(some) + self.penalised, self.size))
        np.multiply(some, self.root, out=out[: len(some), : self.m])
        if self.intercept:
            out[: len(some), self.m] = 1.0
        if self.penalised:
            out[len(some) :].flat[:: self.size + 1] = 1.0
        return out

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
        """Predictions of coefficients, both by outputs: those of the penalty behind those of X."""
        if self.kept is not None:
            return v @ self.kept.T
        coef = self.out(v.T)
        if not self.n:
            raw = np.zeros((coef.shape[1], 0))
        else:
            raw = self.design.forward(coef[:, 0])[None] if coef.shape[1] == 1 else self.design.forward(coef).T
            raw = np.ascontiguousarray(raw, dtype=np.float64)
        return np.concatenate([raw, v[:, : self.m]], axis=1) if self.penalised else raw

    def adjoint(self, u: Array) -> Array:
        """Its adjoint."""
        if self.kept is not None:
            return u @ self.kept
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
        return out.T

    def taken(self, rows: Array) -> Columns:
        """The same coordinates of some rows, and of the penalty's."""
        out = copy.copy(self)
        out.n, out.weight, out.room = len(rows), self.of(rows, self.weight), self.room[:, : len(rows)]
        if self.kept is not None:
            out.kept = self.of(rows, self.kept)
        elif self.few(len(rows)):
            out.kept = self.made(rows)
        elif len(rows):
            out.design = self.design.take(rows)
        return out

    def of(self, rows: Array, array: Array) -> Array:
        """What an array has for some rows, and for the penalty's."""
        return np.concatenate([array[rows], array[self.n :]]) if self.penalised else array[rows]

    def gram(self, weight: Array) -> Array:
        """The Gram matrix of the rows, by weights of theirs."""
        if self.kept is not None:
            return DenseDesign(self.kept, fit_intercept=False).gram(weight).matrix
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

    Its rows are all, or those near its plane, and the others are taken to stay on their side of it, where their losses are straight. What a dual
    point proves holds all the same; coefficients may have a higher loss.

    Attributes
    ----------
    quantile, tol : float
    nothing : float
        A loss that is rounding errors.
    v : ndarray
        The coefficients.
    width : float
    rows : Columns
    residual : ndarray
    q : float or ndarray
        The quantile, and ½ of the penalty's rows.
    tilt : ndarray
        The weights times q − ½.
    pull, beyond : ndarray, float
        What the other rows add to the gradient, with the sign of a step, and to the loss.
    reach : float
        The distance, in widths, within which rows are near.
    loss, rounding : float
        The loss, and what it is above the product of residuals and slopes.
    best, least : ndarray, float
        The coefficients of the least loss so far, and that.
    dual : float
        What no loss is below.
    gradient : ndarray
        Of all rows, with the sign of a step.
    band, slopes, weight : ndarray
        The rows within the width, and behind them those of the penalty; their slopes; their weights in Newton's matrix, which are zero of those
        beyond the width.
    part : Columns
        Of these rows.
    metric : Newton
    step, path : ndarray
        Newton's step; and the path on from there to where the width is zero, as far as the band stays what it is.
    near : ndarray
        What Newton's step takes from the residuals of the band.
    """

    quantile: float
    tol: float
    nothing: float
    v: Array
    width: float
    rows: Columns
    residual: Array
    reach: float = REACH
    dual: float = 0.0
    q: Any = field(init=False)
    tilt: Array = field(init=False)
    pull: Array = field(init=False)
    beyond: float = field(init=False)
    loss: float = field(init=False)
    rounding: float = field(init=False)
    best: Array = field(init=False)
    least: float = field(init=False)
    gradient: Array = field(init=False)
    band: Array = field(init=False)
    slopes: Array = field(init=False)
    weight: Array = field(init=False)
    part: Columns = field(init=False)
    metric: Newton = field(init=False)
    step: Array = field(init=False)
    path: Array = field(init=False)
    near: Array = field(init=False)

    def __post_init__(self) -> None:
        size, n, share = np.abs(self.residual[: self.rows.n]), self.rows.n, LEAST_ROWS * self.rows.size / self.rows.n
        if np.count_nonzero(size < self.width) < min(share, 1.0) * n:
            share = min(max(2 * FIRST_SHARE * min(self.quantile, 1 - self.quantile), share), 1.0)
            self.width = sized(size, self.rows.weight[:n], share) or float(np.abs(self.residual).mean())
        self.begin(self.v, self.width, self.rows, self.residual)

    def begin(self, v: Array, width: float, rows: Columns, residual: Array) -> None:
        """Begin at a place, with all rows."""
        self.v, self.width, self.wide, self.pull, self.beyond, self.least = (
            v,
            width,
            width,
            np.zeros(rows.size),
            0.0,
            math.inf,
        )
        self.among(rows, residual)
        self.arrive()

    def among(self, rows: Columns, residual: Array) -> None:
        """Go on with these rows."""
        self.rows, self.residual, q = rows, residual, self.quantile
        self.q = np.concatenate([np.full(rows.n, q), np.full(rows.m, 0.5)]) if rows.penalised else q
        self.tilt = rows.weight * (self.q - 0.5)

    def losses(self, residual: Array) -> float:
        """The loss of the rows at these residuals."""
        return 0.5 * float(self.rows.weight @ np.abs(residual)) + float(self.tilt @ residual)

    def arrive(self) -> None:
        """Find out what is known where it is."""
        self.loss = self.losses(self.residual) + self.beyond
        self.note(self.v, self.loss)

    def note(self, v: Array, loss: float) -> None:
        """Note a place, if it is better than the best."""
        if loss < self.least:
            self.best, self.least = v, loss
        if self.least <= self.nothing or not self.width > 0:
            self.dual = self.least  # no loss is negative, and this one is rounding errors

    @property
    def gap(self) -> float:
        return max(self.least - self.dual, 0.0) / self.least if self.least > 0 else 0.0

    @property
    def done(self) -> bool:
        return self.gap <= self.tol

    def pulls(self) -> Array:
        """The weighted slopes of the rows."""
        pull = self.residual * (0.5 / self.width)
        np.clip(pull, -0.5, 0.5, out=pull)
        pull *= self.rows.weight
        pull += self.tilt
        self.rounding = self.loss - self.beyond - float(pull @ self.residual)
        return pull

    def aim(self, pull: Array, gradient: Array) -> None:
        """Find the step, of slopes and what they add up to."""
        self.gradient = gradient + self.pull
        self.narrow(pull)
        rows = np.flatnonzero(np.abs(self.residual[: self.rows.n]) < self.width)
        self.band = np.concatenate([rows, np.arange(self.rows.n, len(self.residual))]) if self.rows.penalised else rows
        self.part = self.rows.taken(rows)
        pull = self.residual[self.band] * (0.5 / self.width)
        self.slopes = np.clip(pull, -0.5, 0.5) + (self.q_of_band - 0.5)
        self.weight = self.part.weight * (np.abs(pull) < 0.5) / (2 * self.width)
        share = max(float(self.part.weight[: self.part.n].sum()), 1 / self.rows.n)
        self.metric = Newton(self.part.gram(self.weight), (FAINT * share / (2 * self.width)) * self.rows.products)
        self.step = self.metric.solve(self.gradient)
        self.near = self.part.forward(self.step[None])[0]
        pull = self.weight * (self.residual[self.band] - self.near)
        self.path = self.metric.solve(self.part.adjoint(pull[None])[0])

    def narrow(self, pull: Array) -> None:
        """Leave out rows that are far from the plane, of which the weighted slopes are these."""
        rows = self.rows
        least = int(LEAST_ROWS * self.reach * rows.size)
        if not self.width < self.wide or least > FEW * rows.n:  # the first step goes far
            return
        size = np.abs(self.residual[: rows.n])
        near = np.flatnonzero(size < self.reach * self.width)
        if len(near) < least:
            near = np.flatnonzero(size <= np.partition(size, least)[least])
        if len(near) <= FEW * rows.n:
            near_rows = rows.taken(near)
            self.pull = self.gradient - near_rows.adjoint(rows.of(near, pull)[None])[0]
            self.among(near_rows, rows.of(near, self.residual))
            self.beyond = self.loss - self.losses(self.residual)

    @property
    def q_of_band(self) -> Any:
        return self.q[self.band] if np.ndim(self.q) else self.q

    def move(self, change: Array, along: Array) -> None:
        """Prove what can be proved, take the next width where this one has served, and the step.

        Parameters
        ----------
        change, along : ndarray
            What the step and the path take from the residuals.
        """
        served = self.judge()
        if self.done:
            return
        if served:
            self.leave(change, along)
        t = self.search(change)
        self.v = self.v + t * self.step
        self.residual -= t * change
        self.beyond -= t * float(self.pull @ self.step)
        self.arrive()

    def judge(self) -> bool:
        """Prove what can be proved at a place; whether its width has served."""
        lost = np.abs(self.gradient - self.metric.matrix @ self.step).max()
        if lost <= FEASIBLE:
            self.prove(np.where(self.weight > 0, self.near, 0.0) / (2 * self.width))
        if not self.done and self.rounding <= self.tol * self.least:
            self.correct()
        decrement = float(self.gradient @ self.step)
        small = decrement <= EPS * self.loss
        if self.rounding <= AIM * self.tol * self.least:
            return small and bool(lost <= FEASIBLE)
        return small or decrement <= SETTLED * self.rounding

    def prove(self, moved: Array) -> None:
        """Note the dual point that slopes in the band are when they have moved, if it proves more than the last.

        One that has left its range is brought back to it.
        """
        d, q = self.slopes - moved, self.q_of_band
        out = max(float((d / q).max(initial=1.0)), float((d / (q - 1)).max(initial=1.0)))
        product = self.loss - self.rounding - float((self.rows.weight[self.band] * self.residual[self.band]) @ moved)
        self.dual = max(self.dual, product / out)

    def correct(self) -> None:
        """A dual point from the slopes, each of which moves by as much as it has room."""
        q = self.q_of_band
        room = np.minimum(self.slopes - (q - 1), q - self.slopes) ** 2
        matrix = self.part.gram(self.part.weight * room)
        if not matrix.diagonal().min(initial=1.0) > 0:
            return
        metric = Newton(matrix, np.diag(1e-12 * matrix.diagonal()))
        u = metric.solve(self.gradient)
        if np.abs(self.gradient - matrix @ u).max() <= EXACT:
            self.prove(room * self.part.forward(u[None])[0])

    def leave(self, change: Array, along: Array) -> None:
        """Take the next width, and with Newton's step the one along the path to where that leads."""
        n = self.rows.n
        there = self.residual - change
        # where the width is zero, all of the band is on the plane
        beyond = self.beyond - float(self.pull @ (self.step + self.path))
        self.note(self.v + self.step + self.path, self.losses(there - along) + beyond)
        shrink = max(SHRINK, min(LEAST_SHRINK, math.sqrt(AIM * self.tol * self.least / max(self.rounding, TINY))))
        rows = min(int(BAND_ROWS * self.rows.size), n - 1)
        there -= (1 - SHRINK) * along
        size = np.abs(there[:n], out=there[:n])
        within = size[size < LEAST_SHRINK * self.width]
        ahead = float(np.partition(within, rows)[rows]) / self.width if len(within) > rows else LEAST_SHRINK
        shrink = max(shrink, min(LEAST_SHRINK, ahead))
        self.width *= shrink
        self.step = self.step + (1 - shrink) * self.path
        change += (1 - shrink) * along

    def search(self, change: Array) -> float:
        """The best length of the step: the slope along it, a broken line that rises, is zero there."""
        line = Line(self, change)
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


class Line:
    """The slope and the second derivative of a fit's rounded loss along its step, which takes `change` from the residuals."""

    def __init__(self, fit: Quantile, change: Array) -> None:
        self.fit, self.change, self.n = fit, change, fit.rows.n
        self.heavy, self.beyond = fit.rows.weight * change, float(fit.pull @ fit.step)
        loss = Huber(fit.width, 0.5 / fit.width, 0.5 - fit.quantile)
        self.trials = trials(loss, fit.residual[: self.n], fit.rows.weight[: self.n], fit.residual.dtype)
        self.base, *self.arrays = fit.rows.room

    def __call__(self, t: float) -> tuple[float, float]:
        first = 0
        slope, curvature = -self.beyond, 0.0
        if self.trials is not None:
            arrays, first = [None, *self.arrays], self.n
            _, g, h = self.trials(slice(0, first), self.base, [t], [self.change[:first]], arrays)
            slope, curvature = slope + float(g[0]), float(h[0, 0])
        if first < len(self.change):
            change, heavy, fit = self.change[first:], self.heavy[first:], self.fit
            z = (fit.residual[first:] - t * change) / (2 * fit.width)
            within = np.abs(z) <= 0.5
            q = fit.q[first:] if np.ndim(fit.q) else fit.q
            slope -= float(heavy @ (np.clip(z, -0.5, 0.5) + (q - 0.5)))
            curvature += float(heavy[within] @ change[within]) / (2 * fit.width)
        return slope, curvature


def sized(size: Array, weight: Array, share: float) -> float:
    """The size that a share of the rows do not exceed."""
    if (weight == weight[0]).all():
        at = min(int(share * len(size)), len(size) - 1)
        return float(np.partition(size, at)[at])
    order = np.argsort(size)
    reach = np.cumsum(weight[order])
    return float(size[order[min(int(np.searchsorted(reach, share * reach[-1])), len(order) - 1)]])
