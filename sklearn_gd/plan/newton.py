"""Losses with a second derivative that changes: plane searches along Newton's direction.

Two uses: `newton_cg`, in which products with the Hessian are enough; `newton`, in the metric of Hessians that are factorised, of all rows
or of a `Sample` of them.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..arrays import nonzero, row_sums
from ..costs import CALL, DRAWN, PICKED
from ..descent import Run
from ..designs.rows import Curvature
from ..designs.threads import cut, whole_blas
from ..forms import Coefficients
from ..losses import HalfSquaredError
from ..objectives.linear_model import ModelPoint
from ..objectives.samples import Trial
from ..preconditioners import EPS, Composed, Full, Inexact, Joint, PerOutput, Renewed, ZeroSum
from ..protocols import Array, Design, Moments, Preconditioner
from .ending import AIM, ENDED, finer_metric, settled
from .least_squares import by_products
from .planning import INNER, NEWTON, blocks, hessian_cost, iteration_cost, needs_inner, sample_rows
from .problem import Prepared, Problem, Until, at_home, metric_for, plane_descent, rented
from .span import inner_products, spanned, suits

__all__ = ["SAMPLES", "Sample", "fixed", "newton", "newton_cg", "noticed", "sketch", "within"]


def begun(problem: Problem, run: Run | None) -> Run:
    """A run on the linear model's loss: a new one, or one that goes on from where it is."""
    if run is not None:
        at_home(problem, run, problem.model)
        return run
    if problem.loss.coupled:
        # what is common to all classes changes no probability, and the penalty is least without
        problem.start -= problem.start.mean(axis=1, keepdims=True)
    stopping = problem.stopping()
    problem.move_start()
    return problem.run(problem.model, stopping)


def fixed(problem: Problem, run: Run | None, until: Until, name: str | None) -> Run:
    """Plane searches in a metric that the user has chosen."""
    run = by_products(problem) if isinstance(problem.loss, HalfSquaredError) else begun(problem, run)
    run.metric = metric_for(name, problem)
    return plane_descent(problem, run, until)


def newton_cg(problem: Problem, run: Run | None, until: Until) -> Run:
    """Newton's direction by conjugate gradients in the diagonal metric: nothing is set up."""
    most = inner_products(until)
    if run is None and suits(problem):
        run = spanned(problem, most)
    else:
        new = run is None
        run = begun(problem, run)
        run.metric = Inexact(rented(problem), most)
        if new:
            reweighted(problem, run, run.metric.newton_step)
    return judged(problem, plane_descent(problem, run, until), until)


def reweighted(problem: Problem, run: Run, newton_step: Callable[[Any], Array]) -> None:
    """Begin with a step of reweighted least squares, where the loss knows a good one and it leads lower than the best constant prediction."""
    start, known = problem.start, problem.constant
    if known is not None and known.raw is not None and not start[: problem.design.n_features].any():
        found = problem.loss.working(problem.y, known.raw)
        if found is not None:
            second_derivative, slope = found
            weighted = slope if problem.weight is None else slope * problem.weight
            trial = Trial(0.0, problem.y, weighted, second_derivative)  # predictions, which nobody asks for
            point = problem.model.at(start + newton_step(ModelPoint(problem.model, start, trial))).keep()
            if point.value < known.loss:
                run.point = point
    run.point.keep()  # what the first step needs


def judged(problem: Problem, run: Run, until: Until) -> Run:
    """Go on where Newton's decrement, half the square of which is left to gain, is more than the criterion promises.

    The criterion takes the Hessian for its diagonal, which says little where it is far from that. The decrement is that of the last
    direction, fallen since as the gradient has.
    """
    criterion: Any = run.stopping
    aim = max(problem.tol, math.sqrt(AIM))
    while run.reason == "gradient" and run.iteration:
        left = run.metric.decrement * run.history.norm / run.history["gradient_norm"][-2]
        promised = aim * math.sqrt(2 * run.base.value)
        if left <= promised:
            break
        run.stopping = copy.copy(criterion)
        run.stopping.tol = run.history.norm * max(0.1, 0.7 * promised / left)
        run.move(run.objective, run.base.coef)
        plane_descent(problem, run, until)
    run.stopping = criterion
    return run


def sketch(problem: Problem, run: Run, until: Until) -> Run:
    """In the metric of a sketch of the Hessian's bound; never the first stage."""
    run.metric = metric_for("nystrom", problem)
    if not isinstance(problem.loss, HalfSquaredError):
        run.metric = Inexact(run.metric)
    at_home(problem, run, run.objective if run.form is problem.form else problem.model)
    return plane_descent(problem, run, until)


def newton(problem: Problem, run: Run | None, until: Until = None) -> Run:
    """Plane searches in the metric of Hessians, to what a user would notice."""
    return noticed(problem, *in_hessians(problem, run))


def noticed(problem: Problem, run: Run, sample: Sample) -> Run:
    """Go on from the end of a run in metrics of Hessians, to what a user would notice."""

    def finer() -> Preconditioner:
        sample.finer()
        run.metric.prepare(run)
        metric: Preconditioner = run.metric
        return metric

    # what float32 data do not tell apart, no metric does
    return settled(problem, run, finer if problem.eps == EPS else None)


def in_hessians(problem: Problem, run: Run | None) -> tuple[Run, Sample]:
    """The same to the criterion; and what the metrics are from."""
    new = run is None
    run = begun(problem, run)
    sample = SAMPLES.get(problem.design.where, Sample)(problem, problem.moments)
    if new:
        if sample.starts:
            run.move_start(sample.start())
        else:
            reweighted(problem, run, sample.newton_step)
    return within(problem, run, Renewed(sample)), sample


def within(problem: Problem, run: Run, renewed: Renewed) -> Run:
    """A descent in metrics of Hessians."""
    run.metric = Inexact(renewed) if needs_inner(problem) else renewed
    plane_descent(problem, run)
    if renewed.metric is None and run.reason in ENDED:  # the criterion was met where it began
        run.metric.prepare(run)
    return run


# Iterations that a metric of all rows may cost: a sampled one needs one or two more.
LITTLE = 2.0
# Rows of a part that is drawn from at once: a few arrays of 8 bytes a row in a core's cache.
DRAWN_ROWS = 1 << 16

# Samples where such a loss is curved, a coefficient, below which the Hessian is singular where the gradient is not; and the part of the bound
# that is added then: of 0.1, 0.01 and 1e-3 the last took the fewest iterations, of none ten times as many (epsilon=1 of Huber's).
FEW_CURVED, BOUND_PART = 1, 1e-3
# Of the Gram matrix of all rows in the Hessian of those where a loss is curved: less than what the plane search does not notice.
FAINT = 1e-7


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
        self.size = sample_rows(problem)
        self.spread: Any = None
        self.fine = False
        self._settle()

    def _settle(self) -> None:
        problem, n = self.problem, self.problem.design.n_samples
        # On a device a symmetric product costs a few passes, drawing rows and gathering them about as much.
        self.whole = 3 * self.size > n or problem.design.where == "device"
        self.starts = not self.whole
        if problem.design.pairs is not None:
            # Few values a row: all rows cost little more than an iteration, and rare columns are in no sample.
            self.whole = self.whole or renewal_cost(problem, n) < LITTLE
            self.starts = not self.whole
        elif self.starts and problem.design.where == "memory":
            self.whole, self.starts = not draws_pay(problem, self.size), start_pays(problem, self.size)
        self.cost = renewal_cost(problem, n if self.whole else self.size)
        if not self.whole:
            self._find_spread()

    def _find_spread(self) -> None:
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
        self._find_spread()
        weight = np.full(n, 1 / n) if problem.weight is None else problem.weight
        rows, factor = self._draw(weight)
        part = weight[rows] * factor
        sampled = replace(
            problem,
            prepared=Prepared(
                problem.design.take(rows),
                problem.y[rows],
                (part / part.sum()).astype(problem.design.dtype, copy=False),
            ),
            tol=max(problem.tol, 1e-3),
            max_iter=100,
            callback=None,
            form=Coefficients(),
            verbose=0,
        )
        return in_hessians(sampled, None)[0].coef

    def newton_step(self, point: Any) -> Array:
        """Newton's step from a point of one output."""
        return self._block(point.known(2).second_derivative, self.problem.alpha).direction(point.gradient)

    def metric(self, point: Any) -> Preconditioner:
        """The metric of the Hessian at a point, from a sample of rows."""
        problem, design = self.problem, self.problem.design
        second_derivative = point.known(2).second_derivative
        if problem.loss.coupled and not needs_inner(problem):
            # few coefficients: their whole Hessian
            share = row_sums(problem.loss.hessian_diagonal(second_derivative))
            sample, part, weight = self._part(share, second_derivative)
            hessian, centre = sample.coupled_gram(part, part * (weight if np.ndim(weight) == 0 else weight[:, None]))
            return ZeroSum(Joint(hessian, centre, problem.alpha, design.fit_intercept, problem.sums_eps))
        columns, penalty = problem.loss.hessian_diagonal(second_derivative), problem.model.penalty.curvature(point.coef)
        if second_derivative.ndim == 1:
            return self._block(columns, penalty)
        penalties = np.broadcast_to(penalty, (design.n_features, columns.shape[1])) if np.ndim(penalty) else None
        each = PerOutput(
            [
                self._block(columns[:, k], penalty if penalties is None else penalties[:, k])
                for k in range(columns.shape[1])
            ]
        )
        return ZeroSum(each) if problem.loss.coupled else each

    def _part(self, share: Array, second_derivatives: Array) -> tuple[Design, Array, Any]:
        """The rows to use, drawn by their share of the Hessian but for their weights, their second derivatives, and their new weights."""
        problem, design = self.problem, self.problem.design
        weight: Any = problem.model.mean if problem.weight is None else problem.weight
        if self.whole:
            return design, second_derivatives, weight
        scalar = np.ndim(weight) == 0
        rows, factor = self._draw(share if scalar else share * weight)
        design.passes += len(rows) / design.n_samples
        weight = (weight if scalar else weight[rows]) * factor
        return design.take(rows), second_derivatives[rows], weight.astype(design.dtype, copy=False)

    def _block(self, second_derivatives: Array, penalty: Any) -> Full | Composed:
        """The metric of one output."""
        design, loss = self.problem.design, self.problem.loss
        if loss.straight and nonzero(second_derivatives) < FEW_CURVED * design.size:
            second_derivatives = second_derivatives + BOUND_PART * loss.curvature
        sample, part, weight = self._part(second_derivatives, second_derivatives)
        share = part * weight
        if self.fine:
            return finer_metric(self.problem, share, 1.0)
        total = None if self.whole else share.sum(dtype=np.float64)
        if self.problem.loss.straight and sample is design and isinstance(share, np.ndarray):
            curved = np.flatnonzero(share)
            if 2 * len(curved) < len(share):
                sample, share = design.take(curved), share[curved]
        gram = sample.gram(share)
        if self.problem.loss.straight:
            # a step, if a wide one, where no sample has any curvature
            faint = FAINT * (gram.weight_sum or self.problem.loss.curvature)
            gram = gram._replace(matrix=gram.matrix + faint * self.problem.gram.matrix)
        if not (gram.weight_sum > 0 if design.fit_intercept else gram.matrix.any()):
            # Every sample is where the loss is straight, as a start far from the targets may be: its bound knows a step.
            bound = design.gram(self.problem.weight)
            factor = self.problem.loss.curvature
            return self._full(Curvature(factor * bound.matrix, bound.centre, factor * bound.weight_sum), None, penalty)
        return self._full(gram, total, penalty)

    def _full(self, gram: Moments, total: float | None, penalty: Any) -> Full:
        """The metric of a matrix of all rows, or of a sample whose share of the Hessian is `total`, and of the penalty's second derivatives."""
        problem = self.problem
        matrix, weight_sum = gram.matrix, gram.weight_sum
        if total is not None:
            # Columns that the sample does not have get their own spread.
            unseen = matrix.diagonal() < 1e-3 * total * self.moments.matrix
            matrix.flat[:: len(matrix) + 1] += np.where(unseen, total * self.moments.matrix, 0.0)
        if problem.design.fit_intercept:  # all samples beyond doubt: an intercept without curvature
            weight_sum = max(weight_sum, problem.sums_eps * problem.loss.curvature)
        with whole_blas(len(matrix)):
            return Full(matrix, gram.centre, weight_sum, penalty, problem.sums_eps)


#: Where the rows are, and whose sample is not `Sample`: a wing's line.
SAMPLES: dict[str, type[Sample]] = {}

# Samples up to which costs are those of so many: a weight of 2 and a row twice shall take the same path.
NOMINAL_SAMPLES = 5000


def renewal_cost(problem: Problem, rows: float) -> float:
    """What a new metric from so many rows costs, in iterations."""
    many = max(1.0, NOMINAL_SAMPLES / problem.design.n_samples)
    product, iteration = iteration_cost(problem, many)
    inner = INNER if needs_inner(problem) else 1
    return hessian_cost(problem, many * rows) / (inner * product + iteration)


def drawing_cost(problem: Problem, rows: int) -> float:
    """What drawing so many rows costs."""
    return CALL + DRAWN * problem.design.n_samples + PICKED * rows


def product_of(problem: Problem, rows: float) -> float:
    """The cost of the symmetric products of a Hessian of so many rows, whose second derivatives are known."""
    design = problem.design
    return blocks(problem, design.n_features, design.gram_cost * rows / design.n_samples)


def steps_cost(problem: Problem, rows: float) -> float:
    """The cost of an iteration on so many rows, its metric left out."""
    product, iteration = iteration_cost(problem, rows / problem.design.n_samples)
    return (INNER if needs_inner(problem) else 1) * product + iteration


def draws_pay(problem: Problem, rows: int) -> bool:
    """Whether metrics of so many rows, drawn each time, cost less than those of all rows: they take an iteration more a fit, of `NEWTON`."""
    n = problem.design.n_samples
    more = drawing_cost(problem, rows) + steps_cost(problem, n) / NEWTON
    return product_of(problem, rows) + more < product_of(problem, n)


def start_pays(problem: Problem, rows: int) -> bool:
    """Whether the optimum of so many rows costs less than the iteration on all rows that it saves.

    Of eleven shapes, 6,500 × 5 to 100,000 × 50, this is so where fits with that start took no longer than those without.
    """
    n, design = problem.design.n_samples, problem.design
    drawing = drawing_cost(problem, rows)
    fit = NEWTON * (steps_cost(problem, rows) + product_of(problem, rows)) + drawing
    if draws_pay(problem, rows):
        return fit < steps_cost(problem, n) + product_of(problem, rows) + drawing
    return fit + design.product_cost() < steps_cost(problem, n) + product_of(
        problem, n
    )  # how far rows lie from the centre is found for it alone
