"""What is solved how: the objective, the metric and the start that a fit gets.

Two uses: a rule that the user has chosen, on the linear model's loss as it stands (`explicit`); and
``learning_rate="auto"`` (`automatic`), which is free to choose the form of the problem, too.

This is, beside `base`, the one place where the method tower meets the problem tower: choosing a metric needs to know
what a product with X costs, and neither tower may know both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.linalg

from .descent import Run, Stopping, descend
from .designs.dense import DenseDesign
from .designs.rows import Curvature
from .designs.threads import whole_blas
from .losses import HalfSquaredError
from .momentum import NoMomentum
from .objectives import LinearModel, Quadratic
from .penalties import L2
from .preconditioners import (
    Diagonal,
    Full,
    Identity,
    Inexact,
    Joint,
    Nystrom,
    PerOutput,
    Renewed,
    ZeroSum,
    potrf,
    potrs,
    trtrs,
)
from .protocols import Array, Callback, Design, Loss, Moments, Momentum, Objective, Preconditioner, StepRule
from .steps import PlaneSearch

__all__ = ["Problem", "automatic", "explicit"]


@dataclass
class Problem:
    """A validated fit: what is minimised, from where, and until when.

    Attributes
    ----------
    design : design
    loss : loss
    y : ndarray
    weight : ndarray of shape (n_samples,) or None
        Sums to one.
    alpha : float
    scale : float or ndarray
        The root of twice the loss of the best constant prediction, an output.
    start : ndarray
        Coefficients, the intercept last.
    tol, max_iter, verbose, callback
        As the estimator has them.
    """

    design: Design
    loss: Loss
    y: Array
    weight: Array | None
    alpha: float
    scale: float | Array
    start: Array
    tol: float
    max_iter: int
    verbose: int = 0
    callback: Callback | None = None
    criterion: Stopping | None = None
    model: LinearModel = field(init=False)

    def __post_init__(self) -> None:
        self.eps = float(np.finfo(self.design.dtype).eps)
        self.model = LinearModel(self.design, self.loss, self.y, self.weight, L2(self.alpha, self.design.n_features))

    def stopping(self, moments: Moments) -> Stopping:
        """The one criterion, from the columns' moments."""
        if self.criterion is not None:
            return self.criterion
        metric = Diagonal(moments, self.loss.curvature, self.alpha)
        n, p = self.design.n_samples, self.design.n_features
        centre = moments.centre
        rms = np.sqrt(np.maximum(moments.matrix, 0) + centre**2)
        sigma = np.sqrt(moments.matrix)
        with np.errstate(divide="ignore", invalid="ignore"):
            offset = np.where(metric.root > 0, np.abs(centre) / sigma, 0.0)
        amplified = float(np.sqrt(np.mean(1 + offset**2))) if p else 1.0
        spread = math.sqrt((p + 1) / n)
        size = float(np.min(self.scale))

        def floor(coef: Array) -> float:
            # Rounding errors of the predictions, whose terms are w_j x_ij, and of the sums of residuals over columns that
            # are far from zero; both are independent between samples, hence 1/√n, and add up over p columns.
            w = coef[:p]
            terms = float(np.linalg.norm((rms * w.T).T)) + float(np.linalg.norm(coef[p:]))
            return self.eps * spread * (amplified + terms / size)

        return Stopping(metric, self.scale, self.tol, floor, self.eps)

    def run(self, objective: Objective, stopping: Stopping, start: Array | None = None) -> Run:
        return Run(objective, self.start if start is None else start, stopping, self.max_iter, self.eps, self.verbose)


# Numbers that a sketch may hold: 200 MB of them.
SKETCH_NUMBERS = 25_000_000


def metric_for(name: str | None, problem: Problem, moments: Moments) -> Preconditioner:
    """The fixed preconditioner of that name on the loss's curvature bound."""
    factor, alpha = problem.loss.curvature, problem.alpha
    if name is None:
        return Identity()
    if name == "diagonal":
        return Diagonal(moments, factor, alpha)
    if name == "nystrom":
        diagonal = Diagonal(moments, factor, alpha)
        most = max(16, min(256, SKETCH_NUMBERS // problem.design.size))
        return Nystrom(diagonal, problem.model.curvature_product, problem.design.size, most)
    gram = problem.design.gram(problem.weight)
    return Full(factor * gram.matrix, gram.centre, factor * gram.mass, alpha, problem.eps)


def explicit(problem: Problem, rule: StepRule, momentum: Momentum, preconditioner: str | None) -> Run:
    """The run of a rule that the user has chosen."""
    moments = problem.design.moments(problem.weight)
    metric = metric_for(preconditioner, problem, moments)
    run = problem.run(problem.model, problem.stopping(moments))
    run.metric = metric
    return descend(run, learning_rate=rule, momentum=momentum, preconditioner=metric, callback=problem.callback)


def automatic(problem: Problem, preconditioner: str | None) -> Run:
    """The run of ``learning_rate="auto"``."""
    n, p = problem.design.n_samples, problem.design.n_features
    if preconditioner in ("auto", "full") and n < p and n <= ROWS_TO_ROTATE and hasattr(problem.design, "row_products"):
        if isinstance(problem.loss, HalfSquaredError) and problem.alpha:
            return wide_ridge(problem)
        return rotated(problem)
    if isinstance(problem.loss, HalfSquaredError):
        return squares(problem, preconditioner)
    return model_search(problem, preconditioner)


# ------------------------------------------------------------------------------------------- fewer rows than columns

# Rows up to which their inner products are factorised: n³/3 operations, and n² numbers.
ROWS_TO_ROTATE = 3000


def wide_ridge(problem: Problem) -> Run:
    """Squared error with a penalty, which makes the solution unique: conjugate gradients, or the dual normal equation.

    Conjugate gradients often end before the rows are multiplied; where their pace says that they will not, the
    solution comes from the rows' inner products, and they begin again from there.
    """
    design = problem.design
    n = design.n_samples
    moments = design.moments(problem.weight)
    run = problem.run(product_objective(problem), problem.stopping(moments))
    run.metric = metric_for("diagonal", problem, moments)
    price = n / 12  # of the inner products, in passes
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
    """The solution w = X̃ᵀu with (X̃X̃ᵀ + α/weight) u = y − b and Σu = 0, or None where that is too badly conditioned."""
    design = problem.design
    n = design.n_samples
    products, centre = design.row_products()
    weight = np.full(n, 1 / n) if problem.weight is None else problem.weight.astype(np.float64)
    products.flat[:: n + 1] += problem.alpha / weight
    with whole_blas():
        root, failed = potrf(products, lower=1, overwrite_a=1)
    if failed or root.diagonal().min() < 1e-4 * root.diagonal().max():
        return None
    targets = problem.y.reshape(n, -1).astype(np.float64)
    solved = potrs(root, np.column_stack([targets, np.ones(n)]), lower=1)[0]
    u, ones = solved[:, :-1], solved[:, -1:]
    b = np.zeros(targets.shape[1])
    if design.fit_intercept:
        b = u.sum(axis=0) / ones.sum()
        u = u - ones * b
    w = design.centred_adjoint(u, centre)
    if design.fit_intercept:
        w = np.concatenate([w, (b - centre @ w)[None]])
    return w.reshape(problem.start.shape)


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
    inner_problem = replace(problem, design=inner, start=start, criterion=criterion)
    run = automatic(inner_problem, "auto")
    smallest = run.back
    run.back = lambda v: back(smallest(v))
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


# -------------------------------------------------------------------------------------------------- squared error


def squares(problem: Problem, preconditioner: str | None) -> Run:
    """Squared error: the gradient is linear in the coefficients, and the search exact."""
    design = problem.design
    n, p = design.n_samples, design.n_features
    price = n * p * (p / 12 + 4) / design.work  # of a Gram matrix, in passes
    affordable = preconditioner in ("auto", "full") and p <= GRAM_SIZE
    if affordable and (preconditioner == "full" or price < FEW_PASSES):
        return gram_squares(problem)
    moments = design.moments(problem.weight)
    run = problem.run(product_objective(problem), problem.stopping(moments))
    run.metric = metric_for("diagonal" if preconditioner == "auto" else preconditioner, problem, moments)
    if not affordable:
        return plane_descent(problem, run) if preconditioner != "auto" else without_matrix(problem, run, moments)
    plane_descent(problem, run, until=lambda run: slower_than(price, run))
    return run if run.reason is not None else gram_squares(problem, run)


def without_matrix(problem: Problem, run: Run, moments: Moments) -> Run:
    """Where neither X'X nor XX' can be had: the diagonal metric and, if that proves slow, a sketch."""
    plane_descent(problem, run, until=lambda run: slower_than(SKETCH_PASSES, run))
    if run.reason is None:
        run.metric = metric_for("nystrom", problem, moments)
        if problem.start.ndim == 2 and run.objective.coupled:
            run.metric = Inexact(run.metric)
        run.move(run.objective, run.base.coef)
        plane_descent(problem, run)
    return run


# What a sketch of rank 256 costs, in passes: its products share reads of X, but not the arithmetic.
SKETCH_PASSES = 60
# Passes that are not worth a first try: a Gram matrix of up to some 600 columns costs less than conjugate gradients to
# eight digits even on data of condition number 10.
FEW_PASSES = 55
# Columns up to which p² numbers and p³/3 operations are spent.
GRAM_SIZE = 8000


def slower_than(price: float, run: Run) -> bool:
    """Whether the end of a run, at its pace so far, is further away than so many passes."""
    norms = run.history["gradient_norm"]
    if len(norms) < 12:
        return False
    pace = (norms[-1] / norms[-11]) ** 0.1
    return not pace < 1 or np.log(run.stopping.tol / norms[-1]) / np.log(pace) > 1.5 * price


def plane_descent(problem: Problem, run: Run, until: Callable[[Run], bool] | None = None) -> Run:
    """Descend by plane searches in the run's metric."""
    return descend(
        run,
        learning_rate=PlaneSearch(),
        momentum=NoMomentum(),
        preconditioner=run.metric,
        callback=problem.callback,
        until=until,
    )


def gram_squares(problem: Problem, run: Run | None = None) -> Run:
    """One symmetric product of X, after which everything is of coefficient size.

    In the metric of the Gram matrix one step of length 1 is the solution of the normal equation. Where that matrix has lost
    too many digits, a few steps more in the same metric follow gradients that are computed from the data.

    Parameters
    ----------
    problem : Problem
    run : Run or None
        One to go on with.
    """
    design, alpha = problem.design, problem.alpha
    p, outputs = design.n_features, problem.start.shape[1:]
    targets = problem.y.reshape(len(problem.y), -1)
    gram, eps = design.gram(problem.weight, targets), problem.eps
    metric = gram_metric(gram, p, alpha, eps)
    if eps > 1e-10 and metric.condition_estimate() < SINGLE_ENOUGH:
        gram, eps = design.gram(problem.weight, targets, np.float64), float(np.finfo(np.float64).eps)
        metric = gram_metric(gram, p, alpha, eps)
    matrix, centre = gram.matrix[:p, :p], gram.centre[:p]
    linear, anchor = np.zeros_like(problem.start), np.zeros_like(problem.start)
    linear[:p] = gram.matrix[:p, p:].reshape(p, *outputs)
    if design.fit_intercept:
        anchor[p] = gram.centre[p:].reshape(outputs)

    def product(coef: Array) -> Array:
        w = coef[:p]
        out = np.empty_like(coef)
        out[:p] = matrix @ w + alpha * w
        if design.fit_intercept:
            at_centre = coef[p] + centre @ w  # the mean prediction
            out[p] = at_centre
            out[:p] += np.multiply.outer(centre, at_centre)
        return out

    constant = 0.5 * float(np.trace(gram.matrix[p:, p:]))
    objective = Quadratic(product, linear, anchor, constant, lambda: design.passes)
    # the product is about the anchor, whose own penalty is none: the intercept alone is moved
    moments = Curvature(matrix.diagonal(), centre, gram.mass)
    if run is None:
        run = problem.run(objective, problem.stopping(moments))
    else:
        run.move(objective, run.base.coef)
    run.metric = metric
    plane_descent(problem, run)
    if eps > DIGITS_LOST * metric.condition_estimate() and run.reason in ("gradient", "precision"):
        run.move(problem.model, run.base.coef)
        plane_descent(problem, run)
    if metric.null is not None:
        # Among equal solutions the smallest: without the part that columns which depend on each other leave free.
        basis = scipy.linalg.orth(metric.null)

        def smallest(coef: Array) -> Array:
            coef = coef.copy()
            free = basis @ (basis.T @ coef[:p])
            coef[:p] -= free
            if design.fit_intercept:
                coef[p] += centre @ free
            return coef

        run.back = smallest
    return run


def gram_metric(gram: Moments, p: int, alpha: float, eps: float) -> Full:
    """The metric of the first p columns of a Gram matrix."""
    return Full(gram.matrix[:p, :p].copy(order="F"), gram.centre[:p], gram.mass, alpha, eps)


# The reciprocal condition number down to which a Gram matrix of float32 products solves for float32 coefficients.
SINGLE_ENOUGH = 1e-4
# The relative error of coefficients from a Gram matrix, the arithmetic's precision times its condition number, beyond
# which the data are asked again.
DIGITS_LOST = 1e-8


def product_objective(problem: Problem) -> Quadratic:
    """The quadratic whose Hessian product is one read of X."""
    design, weight, alpha, y = problem.design, problem.weight, problem.alpha, problem.y
    p = design.n_features
    anchor = np.zeros_like(problem.start)
    if design.fit_intercept:
        anchor[p] = np.average(y, axis=0, weights=weight)
    about = y - anchor[p].astype(y.dtype) if design.fit_intercept else y

    def product(coef: Array) -> Array:
        out = design.normal(coef, weight)
        out[:p] += alpha * coef[:p]
        return out

    def weighted(s: slice, raw: Array | None) -> tuple[float, Array]:
        part = about[s] if weight is None else times(about[s], weight[s])
        return float(np.vdot(part, about[s])), part

    constant, linear = design.sweep(weighted)
    return Quadratic(
        product, linear * problem.model.mean, anchor, 0.5 * constant * problem.model.mean, lambda: design.passes
    )


def times(values: Array, weight: Array) -> Array:
    return values * (weight if values.ndim == 1 else weight[:, None])


# ---------------------------------------------------------------------------------------------------- other losses


def model_search(problem: Problem, preconditioner: str | None) -> Run:
    """Plane searches on the linear model's loss."""
    design = problem.design
    if problem.start.ndim == 2:
        # what is common to all classes changes no probability, and the penalty is least without
        problem.start -= problem.start.mean(axis=1, keepdims=True)
    moments = design.moments(problem.weight)
    stopping = problem.stopping(moments)
    run = problem.run(problem.model, stopping)
    if problem.start.any() and not run.point.value < stopping.null_loss:
        # Worse than nothing: where all samples are misclassified beyond doubt, there is no curvature to go by. The
        # minimum is the same from everywhere.
        run = problem.run(problem.model, stopping, np.zeros_like(problem.start))
    if preconditioner not in ("auto", "full"):
        run.metric = metric_for(preconditioner, problem, moments)
        return plane_descent(problem, run)
    if preconditioner == "auto" and design.n_features > GRAM_SIZE // 4:
        run.metric = metric_for("diagonal", problem, moments)
        if problem.start.ndim == 2:
            run.metric = Inexact(run.metric)
        return without_matrix(problem, run, moments)
    sample = Sample(problem, moments)
    if not sample.whole:
        run.move_start(sample.start())
    run.metric = Renewed(sample)
    if needs_inner(problem):
        run.metric = Inexact(run.metric)
    return plane_descent(problem, run)


# Rows of a sample for a column: its Gram matrix then differs from that of all rows, in the metric of the latter, by
# about 2/√50 = 0.28, which costs the plane search an iteration or two.
SAMPLE_ROWS = 50
# The same where inner iterations mend what the metric lacks: it is only their preconditioner.
INNER_SAMPLE_ROWS = 3


class Sample:
    """Some of the rows: where to start, and a metric, for a fraction of what all of them cost.

    The optimum of m random rows is about p/2m above that of all of them in the objective; the Hessian of m rows is within
    2√(p/m) of that of all. So the many early iterations and all matrices are computed on a sample, and a few passes over
    all rows do the rest. Rows are drawn by their share of the Hessian, and weighted by the inverse: where most
    samples are classified beyond doubt, few carry it.

    References
    ----------
    A. Mokhtari, H. Daneshmand, A. Lucchi, T. Hofmann and A. Ribeiro, "Adaptive Newton method for empirical risk minimization to
    statistical accuracy", NeurIPS 2016, arXiv:1605.07659.

    P. Xu, J. Yang, F. Roosta-Khorasani, C. Ré and M. Mahoney, "Sub-sampled Newton methods with non-uniform sampling", NeurIPS
    2016, arXiv:1607.00559.
    """

    def __init__(self, problem: Problem, moments: Moments) -> None:
        self.problem, self.moments = problem, moments
        p = problem.design.n_features
        self.size = max((INNER_SAMPLE_ROWS if needs_inner(problem) else SAMPLE_ROWS) * p, 2000)
        self.random = np.random.default_rng(0)
        self.spread: Array | None = None
        self._settle()

    def _settle(self) -> None:
        problem, n = self.problem, self.problem.design.n_samples
        self.whole = 3 * self.size > n
        self.cost = renewal_cost(problem, n if self.whole else self.size)
        if self.whole:
            return
        if self.spread is None:
            # Of all rows: the few that carry a Hessian are not among a part of them (kddcup99 took twice as many iterations).
            self.spread = 1 + problem.design.row_spread(self.moments)

    def grow(self) -> None:
        """More rows from now on."""
        if not self.whole:
            self.size *= 4
            self._settle()

    def _draw(self, share: Array) -> tuple[Array, Array]:
        """Rows drawn with a probability in proportion to their share, and the weights that make up for it."""
        chance = share * self.spread
        chance *= self.size / chance.sum()
        for _ in range(3):  # what is certain leaves its surplus to the others
            if not chance.max() > 1:
                break
            free = chance < 1
            chance = np.minimum(chance, 1)
            left = float(chance[free].sum())
            chance[free] *= max(self.size - int(np.count_nonzero(~free)), 0) / (left or 1.0)
        rows = np.flatnonzero(self.random.random(len(chance), dtype=np.float32) < chance)
        return rows, 1 / np.minimum(chance[rows], 1)

    def start(self) -> Array:
        """The optimum of a sample, to its statistical accuracy."""
        problem = self.problem
        n = problem.design.n_samples
        weight = np.full(n, 1 / n) if problem.weight is None else problem.weight
        rows, factor = self._draw(weight)
        part = weight[rows] * factor
        sampled = replace(
            problem,
            design=problem.design.take(rows),
            y=problem.y[rows],
            weight=(part / part.sum()).astype(problem.design.dtype, copy=False),
            tol=max(problem.tol, 1e-3),
            max_iter=100,
            callback=None,
            verbose=0,
        )
        return model_search(sampled, "full").coef

    def metric(self, point: Any) -> Preconditioner:
        """The metric of the Hessian at a point, from a sample of rows."""
        problem, design = self.problem, self.problem.design
        bend = point.known(2).bend
        if bend.ndim == 2 and not needs_inner(problem):
            # few coefficients: their whole Hessian
            rows, weight = self._part(problem.loss.hessian_diagonal(bend).sum(axis=1), relative=True)
            sample = design if rows is None else design.take(rows)
            share = bend if rows is None else bend[rows]
            hessian, centre = sample.coupled_gram(share, share * np.reshape(weight, (-1, 1)))
            return ZeroSum(Joint(hessian, centre, problem.alpha, design.fit_intercept, problem.eps))
        columns = problem.loss.hessian_diagonal(bend)
        metrics = [self._block(column) for column in columns.T.reshape(-1, len(columns))]
        return metrics[0] if bend.ndim == 1 else ZeroSum(PerOutput(metrics))

    def _part(self, bends: Array, relative: bool = False) -> tuple[Array | None, Array]:
        """The rows to use (None for all), and their weights in the Hessian, or relative to their bends."""
        problem = self.problem
        base: Any = problem.model.mean if problem.weight is None else problem.weight
        if self.whole:
            return None, np.asarray(base if relative else bends * base, dtype=problem.design.dtype)
        rows, factor = self._draw(bends * base)
        problem.design.passes += len(rows) / problem.design.n_samples
        weight = (base if np.ndim(base) == 0 else base[rows]) * factor
        return rows, (weight if relative else weight * bends[rows]).astype(problem.design.dtype)

    def _block(self, bends: Array) -> Full:
        """The metric of one output."""
        problem, design = self.problem, self.problem.design
        rows, share = self._part(bends)
        if rows is None:
            matrix, centre, mass = design.gram(share)
        else:
            matrix, centre, mass = design.take(rows).gram(share)
            # Columns that the sample does not have get their own spread.
            total = share.sum(dtype=np.float64)
            unseen = matrix.diagonal() < 1e-3 * total * self.moments.matrix
            matrix.flat[:: len(matrix) + 1] += np.where(unseen, total * self.moments.matrix, 0.0)
        if design.fit_intercept:  # all samples beyond doubt: an intercept without curvature
            mass = max(mass, problem.eps * problem.loss.curvature)
        return Full(matrix, centre, mass, problem.alpha, problem.eps)


# Coefficients up to which the whole multinomial Hessian is computed and factorised; beyond, its blocks on the diagonal
# precondition inner iterations. On digits (650 coefficients) the latter took a third of the time of the former.
JOINT_SIZE = 200


def needs_inner(problem: Problem) -> bool:
    """Whether the whole Hessian over coupled outputs is too large to factorise."""
    return problem.start.ndim == 2 and problem.start.size > JOINT_SIZE


NOMINAL_SAMPLES = 5000
# About the inner iterations of an outer one.
INNER = 8


def renewal_cost(problem: Problem, rows: float) -> float:
    """What a new metric from so many rows costs, in iterations."""
    n, p = problem.design.n_samples, problem.design.n_features
    if n <= NOMINAL_SAMPLES:
        # A weight of 2 and a row twice shall take the same path: small data decide as if they had as many rows.
        rows, n = NOMINAL_SAMPLES * rows / n, NOMINAL_SAMPLES
    outputs = problem.start.shape[1] if problem.start.ndim == 2 else 1
    iteration = 2 * p + 100 + 3e5 / n
    pairs, order = 1, p
    if needs_inner(problem):
        iteration, pairs = iteration * INNER, outputs
    elif outputs > 1:
        pairs, order = outputs * (outputs + 1), outputs * p
    renewal = rows / n * pairs * (p * p / 12 + 4 * p + 60) + order**3 / (36 * n) + 2e5 / n
    return renewal / (iteration * outputs)
