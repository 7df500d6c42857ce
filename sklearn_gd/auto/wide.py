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
from ..forms import Mapped
from ..losses import HalfSquaredError
from ..preconditioners import EPS, Inexact, potrf, potrs, spotrf, spotrs, trtrs
from ..protocols import Array, Design, Moments
from . import limits
from .curved import model_search
from .ending import AIM, ENDED, hidden
from .problem import Problem, low_price, metric_for, plane_descent, slower_than
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
    objective, moments = product_objective(problem)
    run = problem.run(objective, problem.stopping(moments))
    run.metric = metric_for("diagonal", problem, moments)
    price = min(row_prices(problem))
    if price > 4:
        plane_descent(problem, run, until=lambda run: slower_than(price, run))
        if run.reason is not None:
            return run
    dependent = large_columns(moments, problem).any()
    solution = None if dependent else dual_solution(problem, moments.centre)
    if solution is None:
        return rotated(problem)
    if run.base is not None:
        run.move(run.objective, solution)
    else:
        run.point = run.objective.at(solution)
    return plane_descent(problem, run)


def row_prices(problem: Problem) -> tuple[float, float]:
    """What the solution costs from inner products of low precision, and from exact ones, in passes."""
    design = problem.design
    n, p = design.n_samples, design.n_features
    exact = limits.ROW_PASSES * n
    # rows that are stored as they are multiplied, in double precision: in float32 the corrections would not see their residuals
    if design.work != n * p or design.dtype != np.float64:
        return math.inf, exact
    return low_price(n) + limits.DUAL_PASSES, exact


def dual_solution(problem: Problem, centre: Array) -> Array | None:
    """The solution w = X̃ᵀu with (X̃X̃ᵀ + α/weight) u = y − b and Σu = 0, or None where that is too badly conditioned.

    From products of low precision first, a part of the time, as the metric of conjugate gradients whose residuals come from the
    data (Higham and Pranesh, see `preconditioners.Rounded`).
    """
    low, exact = row_prices(problem)
    solution = factorised_dual(problem, centre, low=True) if low < exact else None
    return factorised_dual(problem, centre, low=False) if solution is None else solution


# An iteration that leaves more than this of the error is slow: in low precision the matrix was too badly conditioned for it, or
# rounding errors of double precision are all that is left; those, where the error is smaller than the second number.
SLOW, SMALL = 0.3, 1e-8


def factorised_dual(problem: Problem, centre: Array, low: bool) -> Array | None:
    """`dual_solution` from a factor of low or double precision, or None where that cannot solve for it."""
    design = problem.design
    n = design.n_samples
    products = design.low_row_products(centre) if low else design.row_products(centre, every_column(design))
    weight = np.full(n, 1 / n) if problem.weight is None else problem.weight.astype(np.float64)
    penalty = (problem.alpha / weight)[:, None]
    products.flat[:: n + 1] += penalty[:, 0]
    factorise, solve = (spotrf, spotrs) if products.dtype == np.float32 else (potrf, potrs)
    with whole_blas():
        root, failed = factorise(products, lower=1, overwrite_a=1, clean=0)
    pivots = root.diagonal()
    if failed or not pivots.min() >= 1e-4 * pivots.max():
        return None

    def inverse(right: Array) -> Array:
        return solve(root, right, lower=1)[0].astype(np.float64, copy=False)

    ones = inverse(np.ones((n, 1)))

    def centred(right: Array) -> tuple[Array, Array]:
        """In the metric, with Σ = 0 for an intercept b: u and b with (X̃X̃ᵀ + α/weight) u = right − b."""
        u = inverse(right)
        if not design.fit_intercept:
            return u, np.zeros(right.shape[1])
        b = u.sum(axis=0) / ones.sum()
        return u - ones * b, b

    residual = problem.y.reshape(n, -1).astype(np.float64)
    # a constant has no part in u, and would round what has
    b = residual.mean(axis=0) if design.fit_intercept else np.zeros(residual.shape[1])
    residual -= b
    z, more = centred(residual)
    residual -= more
    b += more
    w = design.centred_adjoint(z, centre)
    if not low:
        return complete(w, b, centre, problem)
    # Conjugate gradients of a matrix of n rows: its product with u is one of X̃ᵀ and one of X̃.
    total, step, image = np.zeros_like(w), z, w
    first = rho = (residual * z).sum(axis=0)
    target = max(min(1e-9, 1e-4 * problem.tol), 1e-14)
    while True:
        flat = complete(image, np.zeros(len(b)), centre, problem)
        product = design.forward(flat).reshape(n, -1) + penalty * step
        bend = (step * product).sum(axis=0)
        rate = np.divide(rho, bend, out=np.zeros_like(rho), where=bend > 0)
        total += rate * image
        residual = residual - rate * product
        z, more = centred(residual)
        residual -= more
        b += more
        last, rho = rho, (residual * z).sum(axis=0)
        with np.errstate(all="ignore"):
            left, change = float(np.sqrt(np.max(rho / last))), float(np.sqrt(np.max(rho / first)))
        if change <= target or (left > SLOW and change < SMALL):
            return complete(total, b, centre, problem)
        if not left <= SLOW:
            return None
        step = z + rho / last * step
        image = design.centred_adjoint(step, centre)


def complete(w: Array, b: Array, centre: Array, problem: Problem) -> Array:
    """Coefficients with the intercept that stands for b at the centre, in the shape that the problem has them."""
    if problem.design.fit_intercept:
        w = np.concatenate([w, (b - centre @ w)[None]])
    return w.reshape(problem.start.shape)


# A column whose spread is so many times that of the n-th largest is kept apart from the inner products of rows: there its square would
# leave the others 16 − 4 digits. Fewer than n columns are larger than the n-th, so they do not span the space of the rows alone.
LARGE = 100.0


def every_column(design: Design) -> Array:
    """All columns take part."""
    return np.ones(design.n_features, dtype=bool)


def large_columns(moments: Moments, problem: Problem) -> Array:
    """Which columns are in units so large that inner products of rows would be nothing but they."""
    spread = np.sqrt(moments.matrix)
    varying = np.sort(spread[spread > 0])[::-1]
    if not len(varying):
        return np.zeros(len(spread), dtype=bool)
    unit = varying[min(problem.design.n_samples, len(varying)) - 1]
    large: Array = spread > LARGE * max(unit, math.sqrt(problem.alpha / problem.loss.curvature))
    return large


def rotated(problem: Problem) -> Run:
    """The same problem in coordinates of the space that the rows span.

    With the rows' inner products X̃X̃ᵀ + γ11ᵀ = LLᵀ the predictions X̃w of any w in that space are Lv with ‖v‖ = ‖w‖: the same
    loss and the same penalty in n coordinates instead of p, after one product of X. The optimum lies in that space; among
    equal ones it is the smallest. γ > 0 makes rows about their centre independent; it stands for one more constant column,
    which an intercept without a penalty leaves at zero. Columns in much larger units than the others keep coordinates of their own,
    beside those of the space that the others span.
    """
    design = problem.design
    n, has_intercept = design.n_samples, design.fit_intercept
    moments = design.moments(problem.weight)
    centre, large = moments.centre, large_columns(moments, problem)
    products = design.row_products(centre, ~large)
    size = float(np.average(products.diagonal(), weights=problem.weight)) or 1.0
    L, inverse, shift, dropped = row_root(products, size if has_intercept else 0.0)
    rank = L.shape[1]
    if large.any():
        L = np.hstack([L, design.columns(large) - centre[large]])

    def back(v: Array) -> Array:
        u = inverse(v[:rank])
        w = design.centred_adjoint(u, centre)
        w[large] = v[rank : L.shape[1]]
        if not has_intercept:
            return w
        b = v[-1] + shift * u.sum(axis=0) - centre @ w
        return np.concatenate([w, np.reshape(b, (1, *w.shape[1:]))])

    outputs = problem.start.shape[1:]
    inner = DenseDesign(L, has_intercept)
    start = np.zeros((inner.size, *outputs))
    if problem.start.any():
        raw = design.forward(problem.start).astype(np.float64)
        if has_intercept:
            start[-1] = problem.start[-1] + centre @ problem.start[:-1]
            raw -= start[-1]
        start[: L.shape[1]] = np.linalg.lstsq(L, raw, rcond=None)[0]
    true = problem.stopping(moments)
    curvature, alpha = problem.loss.curvature, problem.alpha
    # In the rotated coordinates a column's own curvature is not to be seen: the mean one stands for it while the run is
    # under way; where it ends the gradient is taken back to the columns and judged as everywhere.
    spread = curvature * float(moments.matrix[~large].mean()) + alpha

    def floor(v: Array) -> float:
        return 2 * EPS * (1 + np.linalg.norm(L @ v[: L.shape[1]]) / math.sqrt(n) / np.min(problem.scale))

    norm = RowSpan(
        rank, spread or 1.0, curvature * moments.matrix[large] + alpha, shift, curvature if has_intercept else 0.0
    )
    criterion = Stopping(norm, problem.scale, 0.1 * problem.tol, floor, EPS)
    y, weight = (in_double(array) for array in (problem.y, problem.weight))
    form = Mapped(back)
    inner_problem = replace(problem, design=inner, y=y, weight=weight, start=start, criterion=criterion, form=form)
    run = judged(problem, by_loss(inner_problem, "auto"), inner_problem, moments, true)
    if dropped is not None and run.reason in ENDED:
        null = design.centred_adjoint(dropped, centre)
        null[large] = 0.0
        null = np.concatenate([null, -(centre @ null)[None]]) if has_intercept else null
        unseen = hidden(problem, run.coef, null)
        left = unseen / (max(true.null_loss - run.base.value, 0.0) + unseen or 1.0)
        run.rounding.left_out = max(run.rounding.left_out, left)
    return run


def judged(problem: Problem, run: Run, inner: Problem, moments: Moments, true: Stopping) -> Run:
    """A rotated run by the criterion in the user's coordinates; it goes on until that is met."""
    criterion: Any = inner.criterion
    while run.reason == "gradient":
        coef = run.coef
        value, gradient = problem.model.value_and_gradient(coef)
        reached, rounding = true.measure(gradient, value, coef)
        run.history["gradient_norm"][-1] = reached
        run.history["passes"][-1] = problem.design.passes + 1  # and one for the way back
        if reached <= problem.tol:
            break
        if reached <= rounding:
            run.reason = "precision"
            break
        iteration = run.iteration
        criterion.tol *= 0.3 * problem.tol / reached
        run.move(run.objective, run.base.coef)
        plane_descent(inner, run)
        if run.iteration == iteration:
            # Nothing moves in these coordinates any more. In the columns' own the gradient is to be seen; or it is the rounding of the way
            # back, from coordinates in which the solution is much larger.
            if reached * reached * value <= AIM * (true.null_loss - value):
                run.reason = "precision"
                break
            return by_columns(problem, run, moments, true)
    return run


def by_columns(problem: Problem, run: Run, moments: Moments, stopping: Stopping) -> Run:
    """Go on from the end of a rotated run in the user's coordinates, in the diagonal metric."""
    objective = product_objective(problem)[0] if isinstance(problem.loss, HalfSquaredError) else problem.model
    run.move(objective, run.base.coef, run.form.out)
    run.form, run.stopping = problem.form, stopping
    run.metric = metric_for("diagonal", problem, moments)
    if objective.coupled and problem.start.ndim == 2:
        run.metric = Inexact(run.metric)
    return plane_descent(problem, run)


def in_double(array: Any) -> Any:
    """Targets or weights as rows in double precision want them; classes as they are."""
    return array.astype(np.float64, copy=False) if array is not None and array.dtype.kind == "f" else array


class RowSpan:
    """The norm of a gradient in the space of the rows, without the constant column that `rotated` adds.

    Parameters
    ----------
    rank : int
        Coordinates of the space; those of large columns follow, and the intercept.
    spread : float
        The curvature of a column in that space.
    large : ndarray of shape (n_large,)
        That of each large column.
    shift : float
    curvature : float
        That of the intercept; 0 without.
    """

    def __init__(self, rank: int, spread: float, large: Array, shift: float, curvature: float) -> None:
        self.rank, self.spread, self.shift, self.curvature = rank, spread, shift, curvature
        self.large = 1 / np.sqrt(large)

    def half_transposed(self, gradient: Array) -> Array:
        rows, rest = gradient[: self.rank], gradient[self.rank :]
        squares = (rows * rows).sum(axis=0)
        parts = []
        if self.curvature:
            rest, intercept = rest[:-1], rest[-1]
            squares = np.maximum(squares - self.shift * intercept**2, 0)
            parts.append(np.reshape(intercept / math.sqrt(self.curvature), (1, *gradient.shape[1:])))
        parts.append(np.reshape(np.sqrt(squares / self.spread), (1, *gradient.shape[1:])))
        parts.append((self.large * rest.T).T)
        return np.concatenate(parts)


def row_root(products: Array, shift: float) -> tuple[Array, Callable[[Array], Array], float, Array | None]:
    """L with L Lᵀ = products + shift, the map from v to the u for which (X̃X̃ᵀ + shift) u = L v, the shift that was used, and what was dropped.

    By Cholesky where the rows are independent enough; else by eigenvectors, without those in which nothing varies and then
    without the shift, of which there is no need.
    """
    n = len(products)
    L, failed = potrf(products + shift, lower=1, clean=1)
    if not failed and L.diagonal().min() > 1e-3 * L.diagonal().max():
        return L, lambda v: trtrs(L, v, lower=1, trans=1)[0], shift, None
    values, vectors = scipy.linalg.eigh(products, check_finite=False)
    keep = values > 16 * n * EPS * max(values[-1], np.finfo(np.float64).tiny)
    if not keep.any():  # no row differs from another: one coordinate, along which nothing varies
        return np.zeros((n, 1)), lambda v: np.zeros((n, *v.shape[1:])), 0.0, None
    dropped = vectors[:, ~keep]
    root, vectors = np.sqrt(values[keep]), vectors[:, keep]
    return vectors * root, lambda v: vectors @ (v.T / root).T, 0.0, dropped
