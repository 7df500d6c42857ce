"""The paths over C of the folds of a cross-validation, of two classes, side by side.

Two uses: folds of few rows and columns, whose fits take mostly the interpreter's time; and those of many rows, whose fits take mostly reads
of them: here all folds share each, and a Hessian of each group of rows that they are made of.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base import Ingested
from ..designs import design_for
from ..designs.threads import quiet
from ..linear_model import GDLogisticRegression
from ..plan import Problem
from ..plan.ending import AIM
from ..preconditioners import EPS
from ..protocols import Array
from .paths import pointers
from .side_by_side import BLOCK, MOST, Rows, along, inverted, minimised, shifted

__all__ = ["Paths", "fold_paths"]

# Numbers of the products of columns up to which folds are no slower side by side than one by one.
SMALL = 1 << 20
# What the step behind the end of a fit may leave, in tolerances: of 1e-6, scores to 1e-8.
BEHIND = 0.01
# What folds that share their reads and Hessians know of each row and fold, in numbers: no more than X has, or the largest block.
ARRAYS = 8
# Columns up to which sharing pays: of 8,000 x 250 three folds took longer than one by one, whose Hessians serve for more steps.
WIDEST = 128
# Folds and groups of rows at the most, to which reads and Hessians are shared.
FOLDS, GROUPS = 30, 64
# Rows for a coefficient of a fold that have their own part in its Hessian.
OWN = 8
# And all of these together at the most, of all rows: so that they cost less than what is shared.
FEW = 4
# Columns for each fold of which a Hessian of all groups costs a step of all folds.
COLUMNS_A_STEP = 8
# Tolerances below this one are left to fits that know of rounding errors.
LEAST_TOL = 1e-10


class Groups:
    """Rows that are in the same folds, which lie together.

    Parameters
    ----------
    rows : Rows
        All of them.
    spread : ndarray of shape (n_samples,)
        How far each is from the centre, in units of the mean.
    ends : ndarray of shape (n_groups,)
        Where each group ends.
    members : ndarray of bool of shape (n_folds, n_groups)
        Which folds a group is in.
    unit : ndarray of shape (n_folds,)
        What each fold multiplies the weights by that a row has in all of its folds.
    """

    def __init__(self, rows: Rows, spread: Array, ends: Array, members: Array, unit: Array) -> None:
        self.rows, self.spread, self.sizes = rows, spread, np.diff(ends, prepend=0)
        self.slices = [slice(*pair) for pair in itertools.pairwise([0, *ends])]
        self.designs: list[Any] = [design_for(rows.design.X[s], rows.intercept) for s in self.slices]
        self.shares = members * unit[:, None]
        self.some = min(len(spread) // (FEW * len(unit)), OWN * rows.size)

    def hessians(self, folds: Array, second: Array) -> Array:
        """Those of some folds, from the weighted second derivatives, of shape (n_folds, n_samples), of the predictions.

        Each is the sum of its groups', in which a row has the mean second derivative of these folds, whose coefficients are near each other,
        but for the rows that this changes most: those have their own.
        """
        shares, mean = self.shares[folds], second.sum(axis=0)
        out = np.zeros((len(folds), self.rows.size, self.rows.size))
        for s, design, share in zip(self.slices, self.designs, shares.T, strict=True):
            if share.any():
                mean[s] /= share.sum()
                out += share[:, None, None] * self.rows.products_of(design, mean[s])
        if len(folds) > 1:
            for matrix, own, share in zip(out, second, shares, strict=True):
                apart = own - np.repeat(share, self.sizes) * mean
                far = np.argpartition(np.abs(apart) * self.spread, -self.some)[-self.some :]
                points = self.rows.made(far)
                matrix += (points * apart[far]) @ points.T
        return out


class Folds:
    """The fits of several folds, with parts of their strongest penalties.

    Parameters
    ----------
    rows : Rows
        Of all folds.
    y : ndarray of shape (n_samples,)
        −1 and 1.
    weight : ndarray of shape (n_folds, n_samples)
    problems : sequence of Problem
        Of each fold, with the strongest penalty.
    groups : Groups or None
        Where the folds share their Hessians.
    """

    def __init__(
        self, rows: Rows, y: Array, weight: Array, problems: Sequence[Problem], groups: Groups | None = None
    ) -> None:
        self.rows, self.y, self.weight, self.problems, self.groups = rows, y, weight, problems, groups
        self.signed = -y * weight
        first = problems[0]
        self.known: Any = None
        self.price = rows.size / (COLUMNS_A_STEP * len(problems))
        self.alphas = np.array([problem.alpha for problem in problems])
        self.tol, self.most, self.exact = first.tol, min(MOST, first.max_iter), first.stopping().exact
        self.null_loss = np.array([problem.stopping().null_loss for problem in problems])
        # the metric of the criterion, in the coordinates of the rows
        seen = np.array([problem.diagonal.root > 0 for problem in problems])
        spread = first.loss.curvature * np.array([problem.moments.matrix for problem in problems]) / rows.unit**2
        self.spread = np.where(seen, spread, np.inf)
        self.centre = (np.array([problem.moments.centre for problem in problems]) - rows.centre) / rows.unit
        self.root = np.array([problem.diagonal.root_weight_sum for problem in problems])

    def solved(self, folds: Array, falls: Array, coef: Array) -> tuple[Array, Array, bool]:
        """Fits of some folds with parts of their strongest penalties, from some coefficients: the ends, the steps, and whether all ended."""
        rows, p, tol = self.rows, len(self.rows.unit), self.tol
        penalty = rows.penalties(falls * self.alphas[folds])
        bound, centre = self.spread[folds] + penalty[:, :p], self.centre[folds]
        root, null_loss = self.root[folds], self.null_loss[folds]

        def excess(fits: Array, coef: Array, wrong: Array, gradient: Array, direction: Array, left: Array) -> Array:
            features = gradient[:, :p]
            if rows.intercept:
                features = features - centre[fits] * gradient[:, p:]
            squares = along(features, features / bound[fits])
            if rows.intercept:
                squares += (gradient[:, p] / root[fits]) ** 2
            # of a loss that is not below that of the best constant
            ratio: Array = np.sqrt(squares / (2 * null_loss[fits])) / tol
            # the step behind the end, which leaves as much as the last one, leaves what scores do not tell
            ratio *= np.maximum(1.0, left / BEHIND)
            near = np.flatnonzero(ratio <= 1)
            if len(near):
                which = fits[near]
                # of rows beyond all doubt on the wrong side the loss is bounded here
                losses = np.log(np.maximum(1 - wrong[near], EPS))
                value = 0.5 * along(penalty[which], coef[near] ** 2) - along(self.weight[folds[which]], losses)
                whole = null_loss[which]
                ratio[near] /= np.sqrt(np.maximum(value / whole, self.exact))
                gain = -0.5 * along(gradient[near], direction[near])
                explained = np.maximum(whole - value, 0.0) + gain
                noticed = np.sqrt(np.maximum(gain, 0.0) / (max(tol, AIM) * explained + (explained == 0)))
                ratio[near] = np.maximum(ratio[near], noticed)
            return ratio

        def slopes(fits: Array, wrong: Array) -> Array:
            each: Array = self.signed[folds[fits]] * wrong
            return each

        inverse, hessians, price = None, None, None
        if self.groups is not None:
            hessians, price = functools.partial(self._shared, self.groups, folds), self.price
            if self.known is not None:
                inverse = inverted(shifted(self.known[folds], penalty))[0]
        end, steps, ended = minimised(
            rows, self.y, slopes, penalty, coef, inverse, excess, self.most, hessians=hessians, price=price
        )
        return end, steps, bool(ended.all())

    def _shared(self, groups: Groups, folds: Array, fits: Array, second: Array) -> Array:
        """The Hessians of some fits, each of a fold of its own; where the next penalty begins, they are known."""
        out = groups.hessians(folds[fits], second)
        if self.known is None:
            self.known = np.empty((len(self.weight), *out.shape[1:]))
        self.known[folds[fits]] = out
        return out

    def constant(self) -> Array:
        """The coefficients of each fold's best constant prediction."""
        out = np.zeros((len(self.weight), self.rows.size))
        if self.rows.intercept:
            share = self.weight @ (self.y > 0)
            out[:, -1] = np.log(share / (1 - share))
        return out

    def paths(self, falls: Array) -> tuple[Array, Array] | None:
        """The fits for some parts of the strongest penalty, which fall: some one after the other, and then all others from between these.

        Where folds share their Hessians, all one after the other, each from where those before it point to.

        Returns
        -------
        coefs : ndarray of shape (n_folds, n_penalties, size)
        steps : ndarray of shape (n_folds, n_penalties)
            Or None in place of both, where a fit has not ended.
        """
        n_folds, n_falls = len(self.weight), len(falls)
        coefs, steps = np.zeros((n_falls, n_folds, self.rows.size)), np.zeros((n_falls, n_folds), dtype=int)
        all_folds = np.arange(n_folds)
        some = n_falls if self.groups is not None else math.ceil(math.sqrt(n_falls))
        first = np.unique(np.linspace(0, n_falls - 1, some).astype(int))
        for place, k in enumerate(first):
            start = self.constant()
            if place:
                before = first[max(place - 3, 0) : place]
                start = np.tensordot(pointers(falls[before], falls[k]), coefs[before], axes=1)
            coefs[k], steps[k], ended = self.solved(all_folds, np.full(n_folds, falls[k]), start)
            if not ended:
                return None
        others = np.setdiff1d(np.arange(n_falls), first)
        if len(others):
            after = np.searchsorted(first, others)
            low, high = first[after - 1], first[after]
            near = (np.log(falls[low] / falls[others]) / np.log(falls[low] / falls[high]))[:, None, None]
            start = (1 - near) * coefs[low] + near * coefs[high]
            found = self.solved(
                np.tile(all_folds, len(others)), np.repeat(falls[others], n_folds), start.reshape(-1, self.rows.size)
            )
            if not found[2]:
                return None
            coefs[others], steps[others] = (each.reshape(len(others), n_folds, *each.shape[1:]) for each in found[:2])
        return self.rows.own(coefs.reshape(-1, self.rows.size)).reshape(coefs.shape).swapaxes(0, 1), steps.T


class Paths(NamedTuple):
    """The paths over C of several folds.

    Attributes
    ----------
    coefs : ndarray of shape (n_folds, n_cs, 1, size)
    steps : ndarray of shape (n_folds, n_cs)
    alphas : ndarray of shape (n_folds, n_cs)
    problems : sequence of Problem
        Of the folds, with the strongest penalty.
    rows : Rows
    """

    coefs: Array
    steps: Array
    alphas: Array
    problems: Sequence[Problem]
    rows: Rows


def fold_paths(model: GDLogisticRegression, Cs: Array, data: Ingested, trains: Sequence[Array]) -> Paths | None:
    """The paths over C of all folds, of two classes, where these are small; None also where a fit may have more to tell than its end.

    Parameters
    ----------
    model : GDLogisticRegression
    Cs : ndarray of shape (n_cs,)
    data : Ingested
        y the indices of the classes.
    trains : sequence of ndarray
        The training rows of each fold.
    """
    X, (n, p), n_folds = data.X, data.X.shape, len(trains)
    if not isinstance(X, np.ndarray) or X.dtype != np.float64:
        return None
    if model.verbose or model.tol < LEAST_TOL or not np.isfinite(Cs).all():
        return None
    values, places = np.unique(Cs, return_inverse=True)
    times = np.array([np.bincount(train, minlength=n) for train in trains])
    ends = None
    if n * (p + 1) * (p + 2) // 2 > SMALL or n_folds * len(values) * (n + (p + 1) ** 2) > BLOCK:
        design: Any = design_for(X, True)
        shared = p <= WIDEST and n_folds * n <= max(BLOCK, n * p // ARRAYS) and design.joint
        found = grouped(times) if shared else None
        if found is None:
            return None
        order, ends = found
        if (order[1:] < order[:-1]).any():
            times = times[:, order]
            data = Ingested(
                np.take(X, order, axis=0), data.y[order], None if data.weight is None else data.weight[order]
            )
    model.set_params(C=float(values[0]))
    try:
        with np.errstate(all="ignore"):
            folds = folds_of(model, data, times, ends)
            if folds is None:
                return None
            with quiet(folds.rows.design):
                ended = folds.paths(values[0] / values)
    except ValueError:  # of data that are refused: a fit says which
        return None
    if ended is None:
        return None
    coefs, steps = (each[:, places] for each in ended)
    return Paths(coefs[:, :, None], steps, folds.alphas[:, None] * (values[0] / Cs), folds.problems, folds.rows)


def grouped(times: Array) -> tuple[Array, Array] | None:
    """An order of the rows in which those that are in the same folds lie together, and where each of these groups ends.

    None where some are in a fold more than once, or where there are many groups.
    """
    if len(times) > FOLDS or times.max(initial=0) > 1:
        return None
    kind = (1 << np.arange(len(times))) @ times
    ends = np.cumsum(np.unique(kind, return_counts=True)[1])
    return (np.argsort(kind, kind="stable"), ends) if len(ends) <= GROUPS else None


def folds_of(model: GDLogisticRegression, data: Ingested, times: Array, ends: Array | None) -> Folds | None:
    """The fits of several folds, of which each row is so many times in each; None where one has few rows, or one class."""
    given = times.astype(np.float64) if data.weight is None else times * data.weight
    weight, problems = np.empty_like(given), []
    for some, out in zip(given, weight, strict=True):
        rows_of_class = np.bincount(data.y[some > 0], minlength=2)
        if rows_of_class.sum() <= data.X.shape[1] or not rows_of_class.all():
            return None
        problem, _ = model._problem(data._replace(weight=some))
        problems.append(problem)
        out[:] = problem.weight
    design, groups = problems[0].design, None
    with quiet(design):
        moments = design.moments(None if data.weight is None else data.weight / data.weight.sum())
        rows = Rows(design, moments, keep=ends is None)
        if ends is not None:
            spread = design.row_spread(moments) + 1
            groups = Groups(rows, spread, ends, times[:, ends - 1] > 0, 1 / given.sum(axis=1))
        return Folds(rows, data.y * 2.0 - 1.0, weight, problems, groups)
