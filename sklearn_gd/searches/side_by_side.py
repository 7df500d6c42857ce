"""Logistic regressions of two classes side by side: on the same rows, each with weights and a penalty of its own.

Two uses: the folds of a cross-validation, whose test rows have no weight (`fold_paths`); and the fits without one row each
(`leave_one_out`). Of few rows and columns a fit takes mostly the interpreter's time for its steps, and here a step is one for all; of
many rows it is one read of them for all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import compiled
from ..objectives.samples import Slopes
from ..protocols import Array, Moments

__all__ = ["BLOCK", "MOST", "PRICE", "Rows", "along", "applied", "inverted", "minimised", "shifted", "wrongness"]

#: Numbers that are known of the rows, or of fits that go side by side: 32 MB.
BLOCK = 1 << 22
# What a Hessian costs, in steps in a metric that is there; and what a step costs, however many fits take it. Of 569 rows of 31 columns 15 µs
# a fit, 10 and 100.
PRICE, CALL = 3.0, 20.0
# The order of matrices up to which several inverses at once, in lanes, take less time than LAPACK's one after the other: of 31 columns
# 1.6 µs each, and 11; of 100 37, and 120.
LANES_ORDER = 128
# Iterations, and trials of a learning rate, at the most.
MOST, TRIALS = 50, 20
# The largest entry of a matrix times that of its inverse, from which on fits that know of rounding errors are asked.
CONDITION = 1e10
# The part of the slope that a step may leave with the other sign; and the least part of a step that is tried next.
BEYOND, LEAST_PART = 0.5, 0.3


class Rows:
    """Rows in double precision, their columns centred and of spread one, with a one behind them where there is an intercept.

    Parameters
    ----------
    design : design
    moments : Moments
        Of its columns.
    keep : bool
        Whether to have them in memory once more, as they are here, where they are few.

    Attributes
    ----------
    centre, unit : ndarray of shape (p,)
    size : int
        Of the coefficients of a fit.
    """

    def __init__(self, design: Any, moments: Moments, keep: bool = True) -> None:
        self.design, p = design, design.n_features
        self.intercept = bool(design.fit_intercept)
        self.centre = moments.centre if self.intercept else np.zeros(p)
        unit = np.sqrt(moments.matrix)
        self.unit = np.where(unit > 0, unit, 1.0)
        self.size = p + self.intercept
        keep = keep and isinstance(design.X, np.ndarray) and design.n_samples * self.size <= BLOCK
        self.kept = self.made(slice(None)) if keep else None

    def made(self, which: Any) -> Array:
        """Some rows, as columns."""
        rows, p = self.design.block_dense(which), len(self.unit)
        out = np.ones((self.size, len(rows)))
        np.subtract(rows.T, self.centre[:, None], out=out[:p])
        out[:p] /= self.unit[:, None]
        return out

    def forward(self, coef: Array) -> Array:
        """The predictions, of shape (n_fits, n_samples), by coefficients of shape (n_fits, size)."""
        if self.kept is not None:
            return coef @ self.kept
        raw: Array = self.design.forward(np.ascontiguousarray(self.own(coef).T)).T
        return raw.astype(np.float64, copy=False)

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
        if self.kept is None:
            return np.stack([self.products_of(self.design, each) for each in weight])
        if compiled.kernels is None or self.size > LANES_ORDER:
            return np.stack([(self.kept * each) @ self.kept.T for each in weight])
        (p, n), features = self.kept.shape, self.kept[: len(self.unit)].T
        out, shift = np.zeros((len(weight), len(self.unit) + 1, len(self.unit) + 1)), np.zeros(len(self.unit))
        for matrix, each in zip(out, weight, strict=True):  # behind the features the kernel has ones of its own
            compiled.kernels.gram(8, n, features, None, np.ascontiguousarray(each), shift, matrix)
        return out[:, :p, :p]

    def products_of(self, design: Any, weight: Array) -> Array:
        """The Hessian of the rows of a design, some of these or all, of shape (size, size)."""
        p, gram = len(self.unit), design.gram(weight.astype(design.dtype, copy=False))
        out = np.zeros((self.size, self.size))
        out[:p, :p] = gram.matrix / self.unit / self.unit[:, None]
        if self.intercept:
            offset = np.append((gram.centre - self.centre) / self.unit, 1.0)
            out += gram.weight_sum * offset * offset[:, None]
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
    count, p, _ = matrices.shape
    if compiled.kernels is not None and p <= LANES_ORDER:
        inverses = matrices.copy(order="C")
        compiled.kernels.inverses(8, p, count, inverses)
    else:
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
    slopes: Callable[[Array, Array], Array],
    penalty: Array,
    coef: Array,
    inverse: Array | None,
    excess: Callable[[Array, Array, Array, Array, Array, Array], Array],
    most: int = MOST,
    hessians: Callable[[Array, Array], Array] | None = None,
    price: float | None = None,
    known: tuple[Array, Array] | None = None,
) -> tuple[Array, Array, Array]:
    """Several fits, each by Newton's method in the metric of a Hessian that is renewed where that pays.

    Parameters
    ----------
    rows : Rows
    y : ndarray of shape (n_samples,)
        −1 and 1.
    slopes : callable (fits, wrong) -> ndarray of shape (n_fits, n_samples)
        −y times the weights of some fits times the probabilities of the other class.
    penalty : ndarray of shape (n_fits, size)
    coef : ndarray of shape (n_fits, size)
        Where they begin.
    inverse : ndarray of shape (n_fits, size, size) or None
        The metric that each begins in, of a Hessian's inverse; None is that of where it begins.
    excess : callable (fits, coef, wrong, gradient, direction, left) -> ndarray
        How many times the criterion is missed by fits that are under way; at 1 a fit ends. `wrong` are the probabilities of the other class,
        `left` is the part of its slope that the last step has left.
    most : int
        Iterations.
    hessians : callable (fits, second) -> ndarray of shape (n_fits, size, size), default=None
        Those of some fits without penalties, from the weighted second derivatives of the predictions, where that is not each by itself.
    price : float, default=None
        What a Hessian costs, in steps in a metric that is there.
    known : (wrong, gradient) or None
        Where they begin: the probabilities of the other class, and the gradients.

    Returns
    -------
    coef : ndarray of shape (n_fits, size)
        Each a step behind where the criterion was met: the direction is there.
    steps : ndarray of shape (n_fits,)
    ended : ndarray of bool of shape (n_fits,)
        False where there is no end in sight, or a Hessian has lost its digits.
    """
    out, steps, ended = coef.copy(), np.zeros(len(coef), dtype=int), np.zeros(len(coef), dtype=bool)
    fits: Array = np.arange(len(coef))
    left: Array = np.zeros(len(coef))
    price = PRICE * len(coef) / (len(coef) + CALL) if price is None else price
    hessians = hessians or (lambda _, second: rows.hessians(second))

    def evaluated(coef: Array, which: Any) -> tuple[Array, Array]:
        wrong = wrongness(y, rows.forward(coef))
        return wrong, rows.adjoint(slopes(fits[which], wrong)) + penalty[which] * coef

    def renewed(which: Any, wrong: Array) -> Array:
        second = slopes(fits[which], wrong)
        second *= -y
        second *= 1 - wrong
        inverses, well = inverted(shifted(hessians(fits[which], second), penalty[which]))
        inverses[~well] = np.nan
        return inverses

    wrong, gradient = known or evaluated(coef, slice(None))
    inverse = renewed(slice(None), wrong) if inverse is None else inverse
    for _ in range(most + 1):
        direction = applied(inverse, gradient)
        ratio = excess(fits, coef, wrong, gradient, direction, left)
        going, arrived = ratio > 1, ratio <= 1  # what is no number is neither
        places = np.flatnonzero(going)
        if len(places) < len(fits):
            out[fits[arrived]], ended[fits[arrived]] = coef[arrived] + direction[arrived], True
            if not len(places):
                break
            fits, left, ratio, coef, gradient, direction, penalty, inverse = (
                each[going] for each in (fits, left, ratio, coef, gradient, direction, penalty, inverse)
            )
        # the steps to the end, where each leaves as much as the last one
        old = np.flatnonzero(np.log(ratio) > -price * np.log(left))
        if len(old):
            inverse[old] = renewed(old, wrong[places[old]])
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
