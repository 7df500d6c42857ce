"""Logistic regressions of two classes side by side: on the same rows, each with weights and a penalty of its own.

Two uses: the folds of a cross-validation, whose test rows have no weight (`fold_paths`); and the fits without one row each
(`leave_one_out`). Of few rows and columns a fit takes mostly the interpreter's time for its steps, and here a step is one for all.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..base import Ingested
from ..designs import design_for
from ..designs.threads import quiet
from ..linear_model import GDLogisticRegression
from ..objectives.samples import Slopes
from ..plan import Problem
from ..plan.ending import AIM
from ..protocols import Array, Moments
from .folds import with_weight

__all__ = ["BLOCK", "Paths", "Rows", "along", "applied", "fold_paths", "inverted", "minimised", "shifted", "wrongness"]

#: Numbers that are known of the rows, or of fits that go side by side: 32 MB.
BLOCK = 1 << 22
# Numbers of the products of columns up to which folds are no slower side by side than one by one.
SMALL = 1 << 20
# What a Hessian costs, in steps in a metric that is there; and what a step costs, however many fits take it. Of 569 rows of 31 columns 15 µs
# a fit, 10 and 100.
PRICE, CALL = 3.0, 20.0
# Fits from which on their Hessians are one product with all products of columns.
MANY = 8
# Iterations, and trials of a learning rate, at the most.
MOST, TRIALS = 50, 20
# The largest entry of a matrix times that of its inverse, from which on fits that know of rounding errors are asked.
CONDITION = 1e10
# The part of the slope that a step may leave with the other sign; and the least part of a step that is tried next.
BEYOND, LEAST_PART = 0.5, 0.3
# Tolerances below this one are left to fits that know of rounding errors.
LEAST_TOL = 1e-10


class Rows:
    """Rows in double precision, their columns centred and of spread one, with a one behind them where there is an intercept.

    Parameters
    ----------
    design : design
    moments : Moments
        Of its columns.

    Attributes
    ----------
    centre, unit : ndarray of shape (p,)
    size : int
        Of the coefficients of a fit.
    """

    def __init__(self, design: Any, moments: Moments) -> None:
        self.design, p = design, design.n_features
        self.intercept = bool(design.fit_intercept)
        self.centre = moments.centre if self.intercept else np.zeros(p)
        unit = np.sqrt(moments.matrix)
        self.unit = np.where(unit > 0, unit, 1.0)
        self.size = p + self.intercept
        in_memory = isinstance(design.X, np.ndarray) and design.n_samples * self.size <= BLOCK
        self.kept = self.made(slice(None)) if in_memory else None

    def made(self, which: Any) -> Array:
        """Some rows, as columns."""
        rows, p = self.design.block_dense(which), len(self.unit)
        out = np.ones((self.size, len(rows)))
        np.subtract(rows.T, self.centre[:, None], out=out[:p])
        out[:p] /= self.unit[:, None]
        return out

    @functools.cached_property
    def products(self) -> Array:
        """Those of each pair of columns, of shape (n_pairs, n_samples)."""
        assert self.kept is not None
        out, first = np.empty((self.size * (self.size + 1) // 2, self.kept.shape[1])), 0
        for a in range(self.size):
            last = first + self.size - a
            np.multiply(self.kept[a], self.kept[a:], out=out[first:last])
            first = last
        return out

    @functools.cached_property
    def places(self) -> Array:
        """Where each entry of a symmetric matrix is among its pairs."""
        out = np.zeros((self.size, self.size), dtype=np.intp)
        a, b = np.triu_indices(self.size)
        out[a, b] = out[b, a] = np.arange(len(a))
        return out

    def forward(self, coef: Array) -> Array:
        """The predictions, of shape (n_fits, n_samples), by coefficients of shape (n_fits, size)."""
        if self.kept is not None:
            return coef @ self.kept
        raw: Array = self.design.forward(np.ascontiguousarray(self.own(coef).T)).T
        return raw.astype(np.float64)

    def adjoint(self, slopes: Array) -> Array:
        """The gradients, of shape (n_fits, size), from the slopes of the predictions."""
        if self.kept is not None:
            return slopes @ self.kept.T
        out: Array = self.design.sweep(Slopes(np.ascontiguousarray(slopes.T)))[1].T.astype(np.float64)
        p = len(self.unit)
        if self.intercept:
            out[:, :p] -= out[:, p:] * self.centre
        out[:, :p] /= self.unit
        return out

    def hessians(self, weight: Array) -> Array:
        """Of shape (n_fits, size, size), from the weighted second derivatives of the predictions."""
        p = len(self.unit)
        if self.kept is not None and self.size * self.kept.size <= 2 * BLOCK and len(weight) >= MANY:
            return (weight @ self.products.T)[:, self.places]
        if self.kept is not None:
            return np.stack([(self.kept * each) @ self.kept.T for each in weight])
        out = np.empty((len(weight), self.size, self.size))
        for matrix, each in zip(out, weight, strict=True):
            gram = self.design.gram(each.astype(self.design.dtype, copy=False))
            matrix[:p, :p] = gram.matrix / self.unit / self.unit[:, None]
            if self.intercept:
                offset = np.append((gram.centre - self.centre) / self.unit, 1.0)
                matrix[p] = matrix[:, p] = 0.0
                matrix += gram.weight_sum * offset * offset[:, None]
        return out

    def own(self, coef: Array) -> Array:
        """Coefficients of the columns as they are."""
        p, out = len(self.unit), coef.copy()
        out[:, :p] /= self.unit
        if self.intercept:
            out[:, p] -= out[:, :p] @ self.centre
        return out

    def into(self, coef: Array) -> Array:
        """The way back."""
        p, out = len(self.unit), coef.astype(np.float64)
        if self.intercept:
            out[:, p] += out[:, :p] @ self.centre
        out[:, :p] *= self.unit
        return out

    def penalties(self, alphas: Array) -> Array:
        """Those of each coefficient, of shape (n_fits, size)."""
        out = np.zeros((len(alphas), self.size))
        out[:, : len(self.unit)] = alphas[:, None] / self.unit**2
        return out


def along(a: Array, b: Array) -> Array:
    """The inner product of each row of one matrix with that of another."""
    out: Array = np.einsum("ij,ij->i", a, b)
    return out


def wrongness(y: Array, raw: Array) -> Array:
    """The probability of the other class."""
    out: Array = y * raw
    np.exp(out, out=out)
    out += 1.0
    return np.divide(1.0, out, out=out)


def shifted(matrices: Array, diagonals: Array) -> Array:
    """Matrices with something added to their diagonals, in place."""
    np.einsum("kii->ki", matrices)[:] += diagonals
    return matrices


def inverted(matrices: Array) -> tuple[Array, Array]:
    """The inverses of symmetric matrices, and for which of them these have digits enough."""
    try:
        inverses = np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        inverses = np.full_like(matrices, np.nan)
    largest, least = (np.einsum("kii->ki", each).max(axis=1) for each in (matrices, inverses))
    return inverses, largest * least < CONDITION


def applied(inverse: Array, gradient: Array) -> Array:
    """Newton's direction in the metric of an inverse, for each fit."""
    return -(inverse @ gradient[:, :, None])[:, :, 0]


def minimised(
    rows: Rows,
    y: Array,
    weight: Array,
    penalty: Array,
    coef: Array,
    inverse: Array | None,
    excess: Callable[[Array, Array, Array, Array, Array], Array],
    most: int = MOST,
) -> tuple[Array, Array, Array]:
    """Several fits, each by Newton's method in the metric of a Hessian that is renewed where that pays.

    Parameters
    ----------
    rows : Rows
    y : ndarray of shape (n_samples,)
        −1 and 1.
    weight : ndarray of shape (n_fits, n_samples)
    penalty : ndarray of shape (n_fits, size)
    coef : ndarray of shape (n_fits, size)
        Where they begin.
    inverse : ndarray of shape (n_fits, size, size) or None
        The metric that each begins in, of a Hessian's inverse; None is that of where it begins.
    excess : callable (fits, coef, gradient, direction, left) -> ndarray
        How many times the criterion is missed by fits that are under way; at 1 a fit ends. `left` is the part of its slope that
        the last step has left.
    most : int
        Iterations.

    Returns
    -------
    coef : ndarray of shape (n_fits, size)
    steps : ndarray of shape (n_fits,)
    ended : ndarray of bool of shape (n_fits,)
        False where there is no end in sight, or a Hessian has lost its digits.
    """
    out, steps, ended = coef.copy(), np.zeros(len(coef), dtype=int), np.zeros(len(coef), dtype=bool)
    fits: Array = np.arange(len(coef))
    left: Array = np.zeros(len(coef))
    price = PRICE * len(coef) / (len(coef) + CALL)

    def evaluated(coef: Array, which: Any) -> tuple[Array, Array]:
        wrong = wrongness(y, rows.forward(coef))
        slopes = weight[which] * wrong
        slopes *= -y
        return wrong, rows.adjoint(slopes) + penalty[which] * coef

    def renewed(which: Any) -> Array:
        second = weight[which] * wrong[which]
        second *= 1 - wrong[which]
        inverses, well = inverted(shifted(rows.hessians(second), penalty[which]))
        inverses[~well] = np.nan
        return inverses

    wrong, gradient = evaluated(coef, slice(None))
    inverse = renewed(slice(None)) if inverse is None else inverse
    for _ in range(most + 1):
        direction = applied(inverse, gradient)
        ratio = excess(fits, coef, gradient, direction, left)
        going, arrived = ratio > 1, ratio <= 1  # what is no number is neither
        if not going.all():
            out[fits[arrived]], ended[fits[arrived]] = coef[arrived], True
            if not going.any():
                break
            fits, left, ratio, coef, wrong, gradient, direction, weight, penalty, inverse = (
                each[going] for each in (fits, left, ratio, coef, wrong, gradient, direction, weight, penalty, inverse)
            )
        # the steps to the end, where each leaves as much as the last one
        old = np.flatnonzero(np.log(ratio) > -price * np.log(left))
        if len(old):
            inverse[old] = renewed(old)
            direction[old] = applied(inverse[old], gradient[old])
        first = along(gradient, direction)
        base, rate = coef, np.ones(len(fits))
        coef = base + direction
        wrong, gradient = evaluated(coef, slice(None))
        for _ in range(TRIALS):
            slope = along(gradient, direction)
            beyond = np.flatnonzero(slope > -BEYOND * first)
            if not len(beyond):
                break
            # where the slope's chord is zero, but no wall is so steep
            rate[beyond] *= np.maximum(first / (first - slope), LEAST_PART)[beyond]
            coef[beyond] = base[beyond] + rate[beyond, None] * direction[beyond]
            wrong[beyond], gradient[beyond] = evaluated(coef[beyond], beyond)
        left = np.minimum(np.abs(slope / first), 1.0)
        steps[fits] += 1
    return out, steps, ended


class Folds:
    """The fits of several folds.

    Parameters
    ----------
    rows : Rows
        Of all folds.
    y : ndarray of shape (n_samples,)
        −1 and 1.
    weight : ndarray of shape (n_folds, n_samples)
    problems : sequence of Problem
        Of each fold, with the strongest penalty.
    """

    def __init__(self, rows: Rows, y: Array, weight: Array, problems: Sequence[Problem]) -> None:
        self.rows, self.y, self.weight, first = rows, y, weight, problems[0]
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
        penalty, weight = rows.penalties(falls * self.alphas[folds]), self.weight[folds]
        bound, centre = self.spread[folds] + penalty[:, :p], self.centre[folds]
        root, null_loss = self.root[folds], self.null_loss[folds]

        def excess(fits: Array, coef: Array, gradient: Array, direction: Array, left: Array) -> Array:
            features = gradient[:, :p]
            if rows.intercept:
                features = features - centre[fits] * gradient[:, p:]
            squares = along(features, features / bound[fits])
            if rows.intercept:
                squares += (gradient[:, p] / root[fits]) ** 2
            # of a loss that is not below that of the best constant
            ratio: Array = np.sqrt(squares / (2 * null_loss[fits])) / tol
            near = np.flatnonzero(ratio <= 1)
            if len(near):
                which = fits[near]
                value, whole = self.value(weight[which], penalty[which], coef[near]), null_loss[which]
                ratio[near] /= np.sqrt(np.maximum(value / whole, self.exact))
                gain = -0.5 * along(gradient[near], direction[near])
                explained = np.maximum(whole - value, 0.0) + gain
                noticed = np.sqrt(np.maximum(gain, 0.0) / (max(tol, AIM) * explained + (explained == 0)))
                ratio[near] = np.maximum(ratio[near], noticed)
            return ratio

        end, steps, ended = minimised(rows, self.y, weight, penalty, coef, None, excess, self.most)
        return end, steps, bool(ended.all())

    def value(self, weight: Array, penalty: Array, coef: Array) -> Array:
        """The objective of each fit."""
        losses = np.logaddexp(0.0, -self.y * self.rows.forward(coef))
        return along(weight, losses) + 0.5 * along(penalty, coef**2)

    def paths(self, falls: Array) -> tuple[Array, Array] | None:
        """The fits for some parts of the strongest penalty, which fall: some one after the other, and then all others from between these.

        Returns
        -------
        coefs : ndarray of shape (n_folds, n_penalties, size)
        steps : ndarray of shape (n_folds, n_penalties)
            Or None in place of both, where a fit has not ended.
        """
        n_folds, n_falls = len(self.weight), len(falls)
        coefs, steps = np.zeros((n_falls, n_folds, self.rows.size)), np.zeros((n_falls, n_folds), dtype=int)
        all_folds, last = np.arange(n_folds), np.zeros((n_folds, self.rows.size))
        first = np.unique(np.linspace(0, n_falls - 1, math.ceil(math.sqrt(n_falls))).astype(int))
        for k in first:
            last, steps[k], ended = self.solved(all_folds, np.full(n_folds, falls[k]), last)
            if not ended:
                return None
            coefs[k] = last
        others = np.setdiff1d(np.arange(n_falls), first)
        if len(others):
            after = np.searchsorted(first, others)
            low, high = first[after - 1], first[after]
            near = np.log(falls[low] / falls[others]) / np.log(falls[low] / falls[high])
            near = np.nan_to_num(near)[:, None, None]  # of values that are the same
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
    problems : list of Problem
        Of the folds, with the strongest penalty.
    rows : Rows
    """

    coefs: Array
    steps: Array
    alphas: Array
    problems: list[Problem]
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
    X, (n, p) = data.X, data.X.shape
    small = isinstance(X, np.ndarray) and X.dtype == np.float64 and n * (p + 1) * (p + 2) // 2 <= SMALL
    small = small and len(trains) * len(Cs) * (n + (p + 1) ** 2) <= BLOCK
    if not small or model.verbose or model.tol < LEAST_TOL or not np.isfinite(Cs).all():
        return None
    order = np.argsort(Cs, kind="stable")
    model.set_params(C=float(Cs[order[0]]))
    weight, problems = np.zeros((len(trains), n)), []
    try:
        with np.errstate(all="ignore"):
            for each, train in zip(weight, trains, strict=True):
                problem, _ = model._problem(with_weight(data, train))
                if problem.design.n_samples <= p:
                    return None
                seen = train if data.weight is None else train[data.weight[train] != 0]
                np.add.at(each, seen, 1 / len(seen) if problem.weight is None else problem.weight)
                problems.append(problem)
            design: Any = design_for(X, bool(model.fit_intercept))
            with quiet(design):
                rows = Rows(design, design.moments(None if data.weight is None else data.weight / data.weight.sum()))
                folds = Folds(rows, data.y * 2.0 - 1.0, weight, problems)
                found = folds.paths(Cs[order[0]] / Cs[order])
    except ValueError:  # of data that are refused: a fit says which
        return None
    if found is None:
        return None
    coefs, steps = np.empty_like(found[0]), np.empty_like(found[1])
    coefs[:, order], steps[:, order] = found
    return Paths(coefs[:, :, None], steps, folds.alphas[:, None] * (Cs[order[0]] / Cs), problems, rows)
