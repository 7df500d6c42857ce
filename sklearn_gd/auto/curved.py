"""Losses with a curvature that changes: plane searches in the metric of their Hessian.

Two uses: `Sample`, some of the rows, for a start and for metrics of tall data; whole Hessians of all rows for the others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..arrays import row_sums
from ..descent import Run
from ..designs.rows import Curvature
from ..designs.threads import cut
from ..forms import Coefficients
from ..preconditioners import EPS, Composed, Full, Inexact, Joint, PerOutput, Renewed, ZeroSum
from ..protocols import Array, Moments, Preconditioner
from . import limits
from .ending import finer_metric, settled
from .problem import Problem, gram_price, metric_for, plane_descent, row_pairs, slower_than, without_matrix

__all__ = ["Sample", "model_search"]


def model_search(problem: Problem, preconditioner: str | None) -> Run:
    """Plane searches on the linear model's loss, to what a user would notice."""
    run = search(problem, preconditioner)
    source = run.metric
    while isinstance(source, (Inexact, Renewed)):
        source = source.source if isinstance(source, Renewed) else source.metric

    def finer() -> Preconditioner:
        source.finer()
        run.metric.prepare(run)
        metric: Preconditioner = run.metric
        return metric

    # what float32 data do not tell apart, no metric does
    return settled(problem, run, finer if isinstance(source, Sample) and problem.eps == EPS else None)


def search(problem: Problem, preconditioner: str | None) -> Run:
    """Plane searches on the linear model's loss."""
    design = problem.design
    if problem.start.ndim == 2:
        # what is common to all classes changes no probability, and the penalty is least without
        problem.start -= problem.start.mean(axis=1, keepdims=True)
    moments = design.moments(problem.weight)
    stopping = problem.stopping(moments)
    run = problem.run(problem.model, stopping)
    if problem.start.any() and not run.point.keep().value < stopping.null_loss:
        # Worse than nothing: where all samples are misclassified beyond doubt, there is no curvature to go by. The
        # minimum is the same from everywhere.
        run = problem.run(problem.model, stopping, np.zeros_like(problem.start))
    if preconditioner not in ("auto", "full"):
        run.metric = metric_for(preconditioner, problem, moments)
        return plane_descent(problem, run)
    wide = design.n_features > limits.GRAM_SIZE // 4
    price = gram_price(design)
    sparse = design.where == "memory" and design.work < design.n_samples * design.n_features
    pairs = row_pairs(design)
    if pairs is not None:
        p = design.n_features
        matrix = pairs + limits.SQUARE * p**2 + limits.CUBE * p**3
        price = limits.SEARCHES + limits.MATRICES * matrix / max(design.work, 1)
    if preconditioner == "auto" and (wide or (sparse and price > limits.MANY_PASSES)):
        # a product of columns cannot be had, or costs what many passes do
        run.metric = metric_for("diagonal", problem, moments)
        if problem.start.ndim == 2:
            run.metric = Inexact(run.metric)
        if wide:
            return without_matrix(problem, run, moments)
        plane_descent(problem, run, until=lambda run: slower_than(price, run))
        if run.reason is not None:
            return run
        run.move(run.objective, run.base.coef)
    sample = sample_of(problem, moments)
    if not run.iteration:
        if sample.whole:
            run.point.keep()
        else:
            run.move_start(sample.start())
    run.metric = Renewed(sample)
    if needs_inner(problem):
        run.metric = Inexact(run.metric)
    return plane_descent(problem, run)


def sample_of(problem: Problem, moments: Moments) -> Sample:
    """What makes metrics and a start, where the rows are."""
    if problem.design.where == "workers":
        from .remote import RemoteSample  # which builds on this module

        return RemoteSample(problem, moments)
    return Sample(problem, moments)


# Rows of a sample for a column: its Gram matrix then differs from that of all rows, in the metric of the latter, by
# about 2/√50 = 0.28, which costs the plane search an iteration or two.
SAMPLE_ROWS = 50
# The same where inner iterations mend what the metric lacks: it is only their preconditioner.
INNER_SAMPLE_ROWS = 3
# Iterations that a metric of all rows may cost: a sampled one needs one or two more.
LITTLE = 2.0
# Rows of a part that is drawn from at once: a few arrays of 8 bytes a row in a core's cache.
DRAWN_ROWS = 1 << 16


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
        self.spread: Any = None
        self.fine = False
        self._settle()

    def _settle(self) -> None:
        problem, n = self.problem, self.problem.design.n_samples
        # On a device a symmetric product costs a few passes, drawing rows and gathering them about as much.
        self.whole = 3 * self.size > n or problem.design.where == "device"
        if row_pairs(problem.design) is not None:
            # Few values a row: all rows cost little more than an iteration, and rare columns are in no sample.
            self.whole = self.whole or renewal_cost(problem, n) < LITTLE
        self.cost = renewal_cost(problem, n if self.whole else self.size)
        if self.whole:
            return
        if self.spread is None:
            # Of all rows: the few that carry a Hessian are not among a part of them (kddcup99 took twice as many iterations).
            self.spread = self._row_spread()
            self.random = np.random.default_rng(0)

    def _row_spread(self) -> Any:
        design = self.problem.design
        spread = design.row_spread(self.moments)
        spread += 1
        return spread.astype(np.float32)  # it is divided by where a row is drawn: any number would do

    def finer(self) -> None:
        """Metrics of all rows from now on, in coordinates in which their directions are told apart."""
        self.whole = self.fine = True

    def grow(self) -> None:
        """More rows from now on."""
        if not self.whole:
            self.size *= 4
            self._settle()

    def _draw(self, share: Array) -> tuple[Array, Array]:
        """Rows drawn in proportion to their share, one from each of `size` equal parts of the whole, and weights that make up for it.

        A row that fills whole parts is drawn once for certain for each of them, and counts that often.
        """
        parts = cut(len(share), DRAWN_ROWS)  # so that nothing else is as large as the samples
        sums = [float(np.vdot(share[s], self.spread[s])) for s in parts]
        ends = np.cumsum(sums)
        total = float(ends[-1])
        places = (np.arange(self.size) + self.random.random(self.size)) * (total / self.size)
        found = []
        for s, end, size, here in zip(
            parts, ends, sums, np.split(places, np.searchsorted(places, ends[:-1])), strict=True
        ):
            shares = share[s] * self.spread[s]
            reach = np.cumsum(shares, dtype=np.float64)
            rows, count = np.unique(np.searchsorted(reach[:-1], here - (end - size), side="right"), return_counts=True)
            found.append((rows + s.start, count * (total / self.size) / shares[rows]))
        rows, factor = (np.concatenate(column) for column in zip(*found, strict=True))
        return rows, factor

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
            form=Coefficients(),
            verbose=0,
        )
        return search(sampled, "full").coef

    def metric(self, point: Any) -> Preconditioner:
        """The metric of the Hessian at a point, from a sample of rows."""
        problem, design = self.problem, self.problem.design
        bend = point.known(2).bend
        if bend.ndim == 2 and not needs_inner(problem):
            # few coefficients: their whole Hessian
            rows, weight = self._part(row_sums(problem.loss.hessian_diagonal(bend)), relative=True)
            sample = design if rows is None else design.take(rows)
            share = bend if rows is None else bend[rows]
            hessian, centre = sample.coupled_gram(share, share * (weight if np.ndim(weight) == 0 else weight[:, None]))
            return ZeroSum(Joint(hessian, centre, problem.alpha, design.fit_intercept, problem.sums_eps))
        columns = problem.loss.hessian_diagonal(bend)
        if bend.ndim == 1:
            return self._block(columns)
        return ZeroSum(PerOutput([self._block(columns[:, k]) for k in range(columns.shape[1])]))

    def _part(self, bends: Array, relative: bool = False) -> tuple[Array | None, Array]:
        """The rows to use (None for all), and their weights in the Hessian, or relative to their bends."""
        problem = self.problem
        base: Any = problem.model.mean if problem.weight is None else problem.weight
        if self.whole:
            return None, base if relative else bends * base
        rows, factor = self._draw(bends if np.ndim(base) == 0 else bends * base)
        problem.design.passes += len(rows) / problem.design.n_samples
        weight = (base if np.ndim(base) == 0 else base[rows]) * factor
        return rows, (weight if relative else weight * bends[rows]).astype(problem.design.dtype)

    def _block(self, bends: Array) -> Full | Composed:
        """The metric of one output."""
        design = self.problem.design
        rows, share = self._part(bends)
        if self.fine:
            return finer_metric(self.problem, share, 1.0)
        sample = design if rows is None else design.take(rows)
        total = None if rows is None else share.sum(dtype=np.float64)
        gram = sample.gram(share)
        if not (gram.mass > 0 if design.fit_intercept else gram.matrix.any()):
            # Every sample is where the loss is straight, as a start far from the targets may be: its bound knows a step.
            bound = design.gram(self.problem.weight)
            factor = self.problem.loss.curvature
            return self._full(Curvature(factor * bound.matrix, bound.centre, factor * bound.mass), None)
        return self._full(gram, total)

    def _full(self, gram: Moments, total: float | None) -> Full:
        """The metric of a matrix of all rows, or of a sample whose share of the Hessian is `total`."""
        problem = self.problem
        matrix, mass = gram.matrix, gram.mass
        if total is not None:
            # Columns that the sample does not have get their own spread.
            unseen = matrix.diagonal() < 1e-3 * total * self.moments.matrix
            matrix.flat[:: len(matrix) + 1] += np.where(unseen, total * self.moments.matrix, 0.0)
        if problem.design.fit_intercept:  # all samples beyond doubt: an intercept without curvature
            mass = max(mass, problem.sums_eps * problem.loss.curvature)
        return Full(matrix, gram.centre, mass, problem.alpha, problem.sums_eps)


def needs_inner(problem: Problem) -> bool:
    """Whether the whole Hessian over coupled outputs is too large to factorise."""
    return problem.start.ndim == 2 and problem.start.size > limits.JOINT_SIZE


NOMINAL_SAMPLES = 5000
# About the inner iterations of an outer one: 20 products in 7 iterations of digits standardised, 32 in 8 raw, 38 in 15 of 10,000 × 784
# in ten classes; and one more in the end.
INNER = 4
# Operations of an entry of a symmetric product of one row; a column of it costs four more. On one thread 1,797 × 64 take 0.36 ms,
# 20,000 × 300 128, beside 0.35 ns for a unit of an iteration.
ENTRY = 1 / 12
# The same of a product with sparse rows, of each of the operations that `work` counts, and of a pair of a row's stored values in a
# symmetric product: 10 ms for 1.2e7, and 33 for 3.9e7.
SPARSE_PRODUCT, PAIR = 2.3, 2.4


def renewal_cost(problem: Problem, rows: float) -> float:
    """What a new metric from so many rows costs, in iterations."""
    n, p = problem.design.n_samples, problem.design.n_features
    if n <= NOMINAL_SAMPLES:
        # A weight of 2 and a row twice shall take the same path: small data decide as if they had as many rows.
        rows, n = NOMINAL_SAMPLES * rows / n, NOMINAL_SAMPLES
    outputs = problem.start.shape[1] if problem.start.ndim == 2 else 1
    product, gram = float(p), p * p * ENTRY + 4 * p
    stored = row_pairs(problem.design)
    if stored is not None:
        product, gram = (
            SPARSE_PRODUCT * problem.design.work / problem.design.n_samples,
            PAIR * stored / problem.design.n_samples,
        )
    iteration = 2 * product + 100 + 3e5 / n
    pairs, order, factors = 1, p, 1
    if needs_inner(problem):
        # A product of an output, in a sweep for all of them, and its metric: 7.8 ns a row and 8 µs at 1,797 × 64, 50 ns and 0.8 ms at
        # 10,000 × 784, on two threads; and the search. They make iterations of 1.4 and 57 ms; 1.4 and 43 were measured.
        iteration = INNER * (p / 5 + 6 + (4 * p * p + 24e3) / n) + 56
        pairs = factors = outputs
    elif outputs > 1:
        pairs, order = outputs * (outputs + 1), outputs * p
    renewal = rows / n * pairs * (gram + 60)
    renewal += factors * order**3 / (36 * n) + 2e5 / n
    return renewal / (iteration * outputs)
