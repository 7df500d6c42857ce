"""Fewer rows than columns: the problem in the space that the rows span.

Two uses: `rotated`, any loss in n coordinates instead of p; `wide_ridge`, squared error with a penalty, by conjugate
gradients or by its dual normal equation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.linalg

from ..descent import Run, Stopping
from ..designs.dense import DenseDesign
from ..designs.threads import whole_blas
from ..losses import HalfSquaredError
from ..preconditioners import potrf, potrs, trtrs
from ..protocols import Array
from . import limits
from .curved import model_search
from .problem import Problem, metric_for, plane_descent, slower_than
from .squares import product_objective, squares

__all__ = ["by_loss", "rotated", "wide_ridge"]


def by_loss(problem: Problem, preconditioner: str | None) -> Run:
    """The run of a problem in the form that its loss allows."""
    if isinstance(problem.loss, HalfSquaredError):
        return squares(problem, preconditioner)
    return model_search(problem, preconditioner)


def wide_ridge(problem: Problem) -> Run:
    """Squared error with a penalty, which makes the solution unique: conjugate gradients, or the dual normal equation.

    Conjugate gradients often end before the rows are multiplied; where their pace says that they will not, the
    solution comes from the rows' inner products, and they begin again from there.
    """
    design = problem.design
    n = design.n_samples
    objective, moments = product_objective(problem)
    run = problem.run(objective, problem.stopping(moments))
    run.metric = metric_for("diagonal", problem, moments)
    price = limits.GRAM_PASSES * n  # of the inner products, in passes
    if price > 4:
        plane_descent(problem, run, until=lambda run: slower_than(price, run))
        if run.reason is not None:
            return run
    solution = dual_solution(problem)
    if solution is None:
        return rotated(problem)
    if run.base is not None:
        run.move(run.objective, solution)
    else:
        run.point = run.objective.at(solution)
    return plane_descent(problem, run)


def dual_solution(problem: Problem) -> Array | None:
    """The solution w = X̃ᵀu with (X̃X̃ᵀ + α/weight) u = y − b and Σu = 0, or None where that is too badly conditioned.

    In single precision first, for half the time, with corrections that follow residuals from the data (Higham and Pranesh,
    see `squares.single_metric`).
    """
    single = problem.design.dtype == np.float64
    solution = factorised_dual(problem, np.float32) if single else None
    return factorised_dual(problem, np.float64) if solution is None else solution


# A correction from single precision that leaves more than this of the residual has met a matrix too badly conditioned for
# it, or rounding errors of double precision: those, where it was smaller than the second number.
CORRECTED, SMALL = 0.05, 1e-8


def factorised_dual(problem: Problem, dtype: Any) -> Array | None:
    """`dual_solution` from a factor of some precision, or None where that cannot solve for it."""
    design = problem.design
    n = design.n_samples
    products, centre = design.row_products(dtype)
    weight = np.full(n, 1 / n) if problem.weight is None else problem.weight.astype(np.float64)
    penalty = problem.alpha / weight
    products.flat[:: n + 1] += penalty
    with whole_blas():
        root, failed = potrf(products, lower=1, overwrite_a=1)
    if failed or root.diagonal().min() < 1e-4 * root.diagonal().max():
        return None
    ones = potrs(root, np.ones((n, 1)), lower=1)[0]
    targets = problem.y.reshape(n, -1).astype(np.float64)
    u, b = np.zeros_like(targets), np.zeros(targets.shape[1])
    residual = targets
    while True:
        step = potrs(root, residual, lower=1)[0]
        if design.fit_intercept:
            more = (step.sum(axis=0) + u.sum(axis=0)) / ones.sum()
            step, b = step - ones * more, b + more
        u = u + step
        w = design.centred_adjoint(u, centre)
        if design.fit_intercept:
            w = np.concatenate([w, (b - centre @ w)[None]])
        if dtype == np.float64:
            return w.reshape(problem.start.shape)
        before = np.linalg.norm(residual)
        residual = targets - design.forward(w) - u * penalty[:, None]
        left = float(np.linalg.norm(residual) / before) if before else 0.0
        change = float(np.linalg.norm(step)) / (float(np.linalg.norm(u)) or 1.0)
        # the next correction would be smaller by what this one has left
        if left * change <= min(1e-11, 1e-6 * problem.tol) or (left > CORRECTED and change < SMALL):
            return w.reshape(problem.start.shape)
        if not left <= CORRECTED:
            return None


def rotated(problem: Problem) -> Run:
    """The same problem in coordinates of the space that the rows span.

    With the rows' inner products X̃X̃ᵀ + γ11ᵀ = LLᵀ the predictions X̃w of any w in that space are Lv with ‖v‖ = ‖w‖: the same
    loss and the same penalty in n coordinates instead of p, after one product of X. The optimum lies in that space; among
    equal ones it is the smallest. γ > 0 makes rows about their centre independent; it stands for one more constant column,
    which an intercept without a penalty leaves at zero.
    """
    design = problem.design
    n = design.n_samples
    moments = design.moments(problem.weight)  # first: the rows are centred at the mean that it finds
    products, centre = design.row_products()
    size = float(np.average(products.diagonal(), weights=problem.weight)) or 1.0
    L, inverse, shift = row_root(products, size if design.fit_intercept else 0.0, problem.eps)

    def back(v: Array) -> Array:
        u = inverse(v[: L.shape[1]])
        w = design.centred_adjoint(u, centre)
        if not design.fit_intercept:
            return w
        b = v[-1] + shift * u.sum(axis=0) - centre @ w
        return np.concatenate([w, np.reshape(b, (1, *w.shape[1:]))])

    outputs = problem.start.shape[1:]
    inner = DenseDesign(L.astype(design.dtype), design.fit_intercept)
    start = np.zeros((inner.size, *outputs))
    if problem.start.any():
        raw = design.forward(problem.start).astype(np.float64)
        if design.fit_intercept:
            start[-1] = problem.start[-1] + centre @ problem.start[:-1]
            raw -= start[-1]
        start[: L.shape[1]] = np.linalg.lstsq(L, raw, rcond=None)[0]
    true = problem.stopping(moments)
    # In the rotated coordinates a column's own curvature is not to be seen: the mean one stands for it while the run is
    # under way; where it ends the gradient is taken back to the columns and judged as everywhere.
    spread = problem.loss.curvature * float(moments.matrix.mean()) + problem.alpha

    def floor(v: Array) -> float:
        return 2 * problem.eps * (1 + np.linalg.norm(L @ v[: L.shape[1]]) / math.sqrt(n) / np.min(problem.scale))

    criterion = Stopping(
        RowSpan(spread or 1.0, shift, design.fit_intercept), problem.scale, 0.1 * problem.tol, floor, problem.eps
    )
    inner_problem = replace(problem, design=inner, start=start, criterion=criterion, back=back)
    run = by_loss(inner_problem, "auto")
    while run.reason == "gradient":
        coef = run.coef
        value, gradient = problem.model.value_and_gradient(coef)
        norm, floor_norm = true.measure(gradient, value, coef)
        run.history["gradient_norm"][-1] = norm
        run.history["passes"][-1] = design.passes + 1  # and one for the way back
        if norm <= problem.tol:
            break
        if norm <= floor_norm:
            run.reason = "precision"
            break
        criterion.tol *= 0.3 * problem.tol / norm
        run.move(run.objective, run.base.coef)
        plane_descent(inner_problem, run)
    return run


class RowSpan:
    """The norm of a gradient in the space of the rows, without the constant column that `rotated` adds."""

    def __init__(self, spread: float, shift: float, has_intercept: bool) -> None:
        self.spread, self.shift, self.has_intercept = spread, shift, has_intercept

    def half_transposed(self, gradient: Array) -> Array:
        if not self.has_intercept:
            return gradient / math.sqrt(self.spread)
        rows, intercept = gradient[:-1], gradient[-1]
        squares = (rows * rows).sum(axis=0) - self.shift * intercept**2
        return np.stack([np.sqrt(np.maximum(squares, 0) / self.spread), intercept])


def row_root(products: Array, shift: float, eps: float) -> tuple[Array, Callable[[Array], Array], float]:
    """L with L Lᵀ = products + shift, the map from v to the u for which (X̃X̃ᵀ + shift) u = L v, and the shift that was used.

    By Cholesky where the rows are independent enough; else by eigenvectors, without those in which nothing varies and then
    without the shift, of which there is no need.
    """
    n = len(products)
    L, failed = potrf(products + shift, lower=1, clean=1)
    if not failed and L.diagonal().min() > 1e-3 * L.diagonal().max():
        return L, lambda v: trtrs(L, v, lower=1, trans=1)[0], shift
    values, vectors = scipy.linalg.eigh(products, check_finite=False)
    keep = values > 16 * n * eps * max(values[-1], np.finfo(np.float64).tiny)
    root, vectors = np.sqrt(values[keep]), vectors[:, keep]
    return vectors * root, lambda v: vectors @ (v.T / root).T, 0.0
