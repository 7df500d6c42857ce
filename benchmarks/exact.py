"""The solutions that every method is measured against.

Two uses: a small problem solved exactly, and a large one to more digits than any float64 method has::

    truth = exact(X, y)           # integers: no rounding at all, singular or not
    truth = refined(X, y)         # residuals in extended precision

A reference of the same precision as the contestants would be wrong by as much as they are, and would flatter the
method that errs the way it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import scipy.linalg

from .methods import Solution

__all__ = ["Truth", "exact", "refined"]


@dataclass(frozen=True)
class Truth:
    """The least-squares solution.

    Attributes
    ----------
    coef : ndarray of shape (n_features,)
        One of many where it is not `unique`.
    prediction : ndarray of shape (n_samples,)
        What it predicts for the training rows: unique always.
    unique : bool
        Whether the columns are linearly independent, the constant one included.
    scale : ndarray of shape (n_features,)
        The columns' standard deviations, for errors that do not depend on units.
    spread : float
        The norm of the centred target.
    """

    coef: np.ndarray
    prediction: np.ndarray
    unique: bool
    scale: np.ndarray
    spread: float

    def coefficient_error(self, solution: Solution) -> float:
        """Relative, with every column in units of its standard deviation; NaN where there is no one solution."""
        if not self.unique:
            return float("nan")
        with np.errstate(over="ignore", invalid="ignore"):
            difference = np.linalg.norm(self.scale * (solution.coef - self.coef))
        return float(difference / np.linalg.norm(self.scale * self.coef))

    def prediction_error(self, solution: Solution, X: np.ndarray) -> float:
        """Norm of the difference to the best predictions, relative to the spread of the target."""
        with np.errstate(over="ignore", invalid="ignore"):
            prediction = X @ solution.coef.astype(np.float64) + solution.intercept
            return float(np.linalg.norm(prediction - self.prediction) / self.spread)


def exact(X: np.ndarray, y: np.ndarray) -> Truth:
    """Least squares in exact arithmetic.

    Floating-point numbers are fractions with a power of two below, so the normal equation of ``[X, 1]`` can be written
    with integers and solved without rounding, by E. H. Bareiss's fraction-free elimination (Sylvester's Identity and
    Multistep Integer-Preserving Gaussian Elimination, 1968, doi:10.1090/S0025-5718-1968-0226829-0). ``A'A`` is
    positive semidefinite and so is what elimination leaves of it: a zero on the diagonal means a zero row, that is a
    column that depends on the earlier ones, and its coefficient is set to 0.

    Meant for small problems: the integers grow by some 150 bits with every column.
    """
    n_features = X.shape[1]
    columns, exponents = _integers(np.column_stack([X, np.ones(len(X), dtype=X.dtype)]).astype(np.float64))
    target, (target_exponent,) = _integers(y.astype(np.float64)[:, None])
    rows: list[list[int]] = np.hstack([columns.T @ columns, columns.T @ target]).tolist()

    previous, pivots = 1, []
    for k in range(n_features + 1):
        pivot = rows[k][k]
        if pivot == 0:
            continue
        pivots.append(k)
        for i in range(k + 1, n_features + 1):
            factor = rows[i][k]
            rows[i] = [(pivot * a - factor * b) // previous for a, b in zip(rows[i], rows[k], strict=True)]
        previous = pivot

    theta = [Fraction(0)] * (n_features + 1)
    for k in reversed(pivots):
        known = sum((rows[k][j] * theta[j] for j in pivots if j > k), start=Fraction(0))
        theta[k] = (rows[k][-1] - known) / rows[k][k]
    theta = [value * Fraction(2) ** (e - target_exponent) for value, e in zip(theta, exponents, strict=True)]

    prediction = [
        float(sum((Fraction(x) * w for x, w in zip(row, theta[:-1], strict=True)), start=theta[-1]))
        for row in X.tolist()
    ]
    return _truth(X, y, np.array([float(w) for w in theta[:-1]]), np.array(prediction), len(pivots) == n_features + 1)


def _integers(columns: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Whole numbers, and the power of two that each column was multiplied with."""
    exponents = []
    scaled = np.empty(columns.shape, dtype=object)
    for j, column in enumerate(columns.T.tolist()):
        ratios = [value.as_integer_ratio() for value in column]
        exponent = max(denominator.bit_length() - 1 for _, denominator in ratios)
        scaled[:, j] = [(numerator << exponent) // denominator for numerator, denominator in ratios]
        exponents.append(exponent)
    return scaled, exponents


def refined(X: np.ndarray, y: np.ndarray, steps: int = 20, extended: bool = True) -> Truth:
    """Least squares by a triangular factor of the standardised columns, refined with more precise gradients.

    Newton's method with an inexact Hessian and a nearly exact gradient (Å. Björck, Stability analysis of the method of
    seminormal equations, 1987, doi:10.1016/0024-3795(87)90101-7): each step multiplies the error by about the rounding
    error times the squared condition number, until the gradient's own rounding is reached.

    Columns that depend on others, to 1e-10 of the largest, are left out: then the solution is not unique.

    Parameters
    ----------
    steps : int
        At most so many.
    extended : bool
        Whether gradients are computed in `numpy.longdouble`, which has 64 bits on x86, and on some other machines no
        more than float64. Slow, for no BLAS does it.
    """
    precision: Any = np.longdouble if extended else np.float64
    mean, scale = X.mean(axis=0, dtype=precision), X.std(axis=0, dtype=np.float64)
    varies = np.flatnonzero(scale > 1e-12 * np.maximum(abs(mean), scale.max()).astype(np.float64))
    triangle, order = _triangle((X[:, varies] - mean[varies].astype(np.float64)) / scale[varies])
    rank = len(triangle)
    kept = varies[order[:rank]]

    target = y - y.mean(dtype=precision)
    coef = np.zeros(rank, dtype=precision)
    last: Any = np.inf
    for _ in range(steps):
        gradient = _gradient(X, target, kept, mean[kept], scale[kept], coef)
        half = scipy.linalg.solve_triangular(triangle, gradient.astype(np.float64), trans="T")
        step = scipy.linalg.solve_triangular(triangle, half)
        size = np.linalg.norm(step)
        if size >= last / 2:  # at the gradient's own rounding
            break
        coef, last = coef + step, size
    weights = np.zeros(X.shape[1])
    weights[kept] = (coef / scale[kept]).astype(np.float64)
    intercept = float(y.mean(dtype=precision) - mean @ weights)
    return _truth(X, y, weights, X @ weights + intercept, rank == X.shape[1])


def _triangle(Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``R`` with ``R'R = Z'Z`` on the independent columns, and the columns' order."""
    try:
        triangle = scipy.linalg.cholesky(Z.T @ Z, check_finite=False)
        diagonal = abs(np.diag(triangle))
        if diagonal.min() > 1e-4 * diagonal.max():
            return triangle, np.arange(len(triangle))
    except np.linalg.LinAlgError:
        pass  # dependent columns: the slower factor says which
    triangle = scipy.linalg.qr(Z, mode="r", check_finite=False)[0][: Z.shape[1]]
    triangle, order = scipy.linalg.qr(triangle, mode="r", pivoting=True, check_finite=False)
    diagonal = abs(np.diag(triangle))
    rank = int(np.sum(diagonal > 1e-10 * diagonal[0]))
    return triangle[:rank, :rank], order


def _gradient(X: np.ndarray, target: np.ndarray, kept: np.ndarray, mean: Any, scale: Any, coef: Any) -> Any:
    """``Z'(target - Z coef)`` in the precision of `coef`; by row blocks, for `Z` is a copy."""
    gradient = np.zeros_like(coef)
    for start in range(0, len(X), 4096):
        Z = (X[start : start + 4096, kept].astype(coef.dtype, copy=False) - mean) / scale
        gradient += Z.T @ (target[start : start + 4096] - Z @ coef)
    return gradient


def _truth(X: np.ndarray, y: np.ndarray, coef: np.ndarray, prediction: np.ndarray, unique: bool) -> Truth:
    scale = X.std(axis=0, dtype=np.float64)
    spread = float(np.linalg.norm(y - y.mean(dtype=np.float64)))
    return Truth(coef, prediction, unique, scale, spread)
