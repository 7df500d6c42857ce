"""Fewer rows than columns: the problem in the space that the rows span.

Two uses: `rows`, any loss in n coordinates instead of p; `dual`, squared error with a penalty, by its dual normal equation.
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
from ..forms import Mapped, with_intercept
from ..losses import HalfSquaredError
from ..preconditioners import EPS, Inexact, potrf, potrs, trtrs
from ..protocols import Array
from .ending import AIM, ENDED, hidden
from .least_squares import by_products, gram, product_objective
from .newton import newton
from .problem import Prepared, Problem, Until, at_home, metric_for, plane_descent, rented

__all__ = ["dual", "rows"]


def dual(problem: Problem, run: Run | None, until: Until = None) -> Run:
    """Squared error with a penalty, which makes the solution unique: the dual normal equation.

    Its solution is checked, and where it lacks digits improved, by conjugate gradients on the columns.
    """
    if run is None:
        run = by_products(problem)
    columns = problem.moments
    solution = None if problem.large.any() else dual_solution(problem, columns.centre)
    if solution is None:
        return rows(problem, run)
    at_home(problem, run, product_objective(problem), solution)
    run.metric = rented(problem)
    return plane_descent(problem, run)


def dual_solution(problem: Problem, centre: Array) -> Array | None:
    """The solution w = X̃ᵀu with (X̃X̃ᵀ + α/weight) u = y − b and Σu = 0, or None where that is too badly conditioned."""
    design = problem.design
    n = design.n_samples
    matrix = design.row_products(centre, np.ones(design.n_features, dtype=bool))
    weight = np.full(n, 1 / n) if problem.weight is None else problem.weight.astype(np.float64)
    matrix.flat[:: n + 1] += problem.alpha / weight
    with whole_blas(n):
        root, failed = potrf(matrix, lower=1, overwrite_a=1, clean=0)
    pivots = root.diagonal()
    if failed or not pivots.min() >= 1e-4 * pivots.max():
        return None
    y = problem.y.reshape(n, -1).astype(np.float64)
    if not design.fit_intercept:
        u, b = potrs(root, y, lower=1)[0], np.zeros(y.shape[1])
    else:
        # a constant has no part in u, and would round what has
        middle = y.mean(axis=0)
        u, ones = np.hsplit(potrs(root, np.hstack([y - middle, np.ones((n, 1))]), lower=1)[0], [y.shape[1]])
        b = u.sum(axis=0) / ones.sum()
        u, b = u - ones * b, b + middle
    w = design.centred_adjoint(u, centre)
    return (with_intercept(w, b, centre) if design.fit_intercept else w).reshape(problem.start.shape)


class RowSpan:
    """The same problem in coordinates of the space that the rows span.

    With the rows' inner products X̃X̃ᵀ + γ11ᵀ = LLᵀ the predictions X̃w of any w in that space are Lv with ‖v‖ = ‖w‖: the same
    loss and the same penalty in n coordinates instead of p, after one product of X. The optimum lies in that space; among
    equal ones it is the smallest. γ > 0 makes rows about their centre independent; it stands for one more constant column,
    which an intercept without a penalty leaves at zero. Columns in much larger units than the others keep coordinates of their own,
    beside those of the space that the others span.

    Parameters
    ----------
    problem : Problem
    """

    def __init__(self, problem: Problem) -> None:
        self.outer, self.design, self.centre = problem, problem.design, problem.moments.centre
        self.large = large = problem.large
        products = self.design.row_products(self.centre, ~large)
        size = float(np.average(products.diagonal(), weights=problem.weight)) or 1.0
        root, self.inverse, self.shift, self.dropped = row_root(products, size if self.design.fit_intercept else 0.0)
        self.rank = root.shape[1]
        self.root = np.hstack([root, self.design.columns(large) - self.centre[large]]) if large.any() else root

    def into(self, coef: Array) -> Array:
        """Coefficients of the same predictions; of those without a part beside the space."""
        out = np.zeros((self.root.shape[1] + self.design.fit_intercept, *coef.shape[1:]))
        if coef.any():
            raw = self.design.forward(coef).astype(np.float64)
            if self.design.fit_intercept:
                out[-1] = coef[-1] + self.centre @ coef[:-1]
                raw -= out[-1]
            root, rank = self.root, self.root.shape[1]
            triangular = rank == len(root) and self.dropped is None and not self.large.any()
            out[:rank] = trtrs(root, raw, lower=1)[0] if triangular else np.linalg.lstsq(root, raw, rcond=None)[0]
        return out

    def out(self, v: Array) -> Array:
        """The user's coefficients."""
        u = self.inverse(v[: self.rank])
        w = self.design.centred_adjoint(u, self.centre)
        w[self.large] = v[self.rank : self.root.shape[1]]
        return with_intercept(w, v[-1] + self.shift * u.sum(axis=0), self.centre) if self.design.fit_intercept else w

    def problem(self) -> Problem:
        """The problem in these coordinates."""
        problem, design = self.outer, self.design
        y, weight = (in_double(array) for array in (problem.y, problem.weight))
        return replace(
            problem,
            prepared=Prepared(DenseDesign(self.root, design.fit_intercept), y, weight),
            start=self.into(problem.start),
            # The norm of a gradient in as many columns as there are rows, of the same variance together, is so much less.
            tol=0.1 * problem.tol * math.sqrt(min(design.n_samples / design.n_features, 1.0)),
            form=Mapped(self.out),
        )

    def null(self) -> Array | None:
        """Directions of the user's coefficients that were taken for none."""
        if self.dropped is None:
            return None
        null = self.design.centred_adjoint(self.dropped, self.centre)
        null[self.large] = 0.0
        return with_intercept(null, 0.0, self.centre) if self.design.fit_intercept else null


def rows(problem: Problem, run: Run | None, until: Until = None) -> Run:
    """Whatever the loss, by Gram matrix or Hessians in the space that the rows span."""
    form = RowSpan(problem)
    true, inner = problem.stopping(), form.problem()
    if run is not None:
        at_home(problem, run, problem.model)
        run.move(inner.model, run.point.coef, form.into)
        run.stopping, run.form = inner.stopping(), inner.form
    run = gram(inner, run) if isinstance(problem.loss, HalfSquaredError) else newton(inner, run)
    run = judged(problem, run, inner, true)
    if run.reason in ENDED:
        unseen = hidden(problem, run.coef, form.null())
        left = unseen / (max(true.null_loss - run.base.value, 0.0) + unseen or 1.0)
        run.rounding.left_out = max(run.rounding.left_out, left)
    return run


def judged(problem: Problem, run: Run, inner: Problem, true: Stopping) -> Run:
    """A rotated run by the criterion in the user's coordinates; it goes on until that is met."""
    stopping: Any = run.stopping
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
        stopping.tol = run.history.norm * 0.3 * problem.tol / reached
        run.move(run.objective, run.base.coef)
        plane_descent(inner, run)
        if run.iteration == iteration:
            # Nothing moves in these coordinates any more. In the columns' own the gradient is to be seen; or it is the rounding of the way
            # back, from coordinates in which the solution is much larger.
            if reached * reached * value <= AIM * (true.null_loss - value):
                run.reason = "precision"
                break
            squared = isinstance(problem.loss, HalfSquaredError)
            at_home(problem, run, product_objective(problem) if squared else problem.model)
            diagonal = metric_for("diagonal", problem)
            run.metric = diagonal if squared else Inexact(diagonal)
            return plane_descent(problem, run)
    return run


def in_double(array: Any) -> Any:
    """Targets or weights as rows in double precision want them; classes as they are."""
    return array.astype(np.float64, copy=False) if array is not None and array.dtype.kind == "f" else array


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
