"""What `newton.Sample` does, where the rows are elsewhere: they are drawn there, and sums of p² numbers come home.

Two uses: the metric of the Hessian at a point, of all rows or of a sample of each block's; and a start, the optimum of a
sample, which one worker finds by the same fit in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..designs import design_for
from ..plan.newton import Sample, in_hessians
from ..plan.planning import needs_inner
from ..plan.problem import Prepared, Problem
from ..preconditioners import Joint, PerOutput, ZeroSum
from ..protocols import Array, Loss, Preconditioner
from .graphs import compute_sum, deferred
from .model import Draw, drawn

__all__ = ["RemoteSample"]

# Bytes of rows that one worker is sent for a start.
START_BYTES = 1 << 28
# Rows of a sample for a column, at the most: its metric then costs the search no iteration, as that of all rows.
MOST_SAMPLE_ROWS = 500
# Operations on one core, of the Hessian of all rows, that take no longer than a round trip to a worker, about 10 ms.
SHORT = 1e8


class RemoteSample(Sample):
    """Rows of a sample drawn in their blocks, by their share of the Hessian."""

    @property
    def model(self) -> Any:
        return self.problem.model

    def _settle(self) -> None:
        problem, design = self.problem, self.model.design
        n, p = design.n_samples, design.n_features
        if self.spread is None:
            # A quarter of a pass: it takes 2 ns an entry, products of rows 0.1 ns for each pair of columns and 6 ns an entry.
            self.size = max(self.size, int(min(MOST_SAMPLE_ROWS * p, n / (p / 5 + 12))))
            self.draws = 0
        super()._settle()
        self.joint = problem.outputs > 1 and not needs_inner(problem)
        # Where its Hessian comes with every trial, a metric costs nothing; elsewhere a round trip, as an iteration.
        self.fused = not self.whole or n * p * (p + 60) < SHORT * len(design.blocks)
        self.cost = 0.0 if self.fused else max(self.cost, 1.0)
        self._next([problem.loss.curvature] * problem.outputs)

    def _row_spread(self) -> Any:
        self.model.rows[2] = self.model.design.row_spread(self.moments)
        return self.model.rows[2]

    def _next(self, totals: Sequence[float]) -> Draw:
        """What the next trials draw, given about the weighted sums of the second derivatives."""
        self.draws += 1
        # Twice, as 1 and a row's own distance are 2 on average.
        rates = None if self.whole else [self.size / (2 * max(total, np.finfo(float).tiny)) for total in totals]
        draw = Draw(rates, self.joint, self.moments.centre, self.draws)
        if self.fused:
            self.model.draw = draw
        return draw

    def start(self) -> Array:
        """The optimum of a sample, to its statistical accuracy."""
        problem, model, design = self.problem, self.model, self.model.design
        if self.size * design.work / design.n_samples * design.dtype.itemsize > START_BYTES:
            return problem.start
        parts = design.tasks(block_sample, model.mean, self.size / 2, rows=model.rows)
        fit = problem.loss, design.fit_intercept, problem.alpha, problem.constant, problem.start, problem.tol
        return compute_sum([deferred()(sample_fit, *fit, parts)])

    def metric(self, point: Any) -> Preconditioner:
        """The metric of the Hessian at a point."""
        problem, centre = self.problem, self.moments.centre
        trial = point.known(2, None if self.fused else self._next([]))
        if self.joint:
            total, hessian = trial.totals
            self._next([total])
            return ZeroSum(Joint(hessian.copy(), centre, problem.alpha, problem.design.fit_intercept, problem.sums_eps))
        self._next(trial.totals)
        metrics = [
            self._full(gram._replace(matrix=gram.matrix.copy()), None if self.whole else total, problem.alpha)
            for gram, total in zip(trial.grams, trial.totals, strict=True)
        ]
        if problem.start.ndim == 1:
            return metrics[0]
        return ZeroSum(PerOutput(metrics)) if problem.loss.coupled else PerOutput(metrics)


def block_sample(
    design: Any, y: Array, weight: Any, far: Array, block: int, mean: float, rate: float
) -> tuple[Any, Array, Array]:
    """Rows drawn by their weight and their distance from the centre; their targets and new weights."""
    weight = np.full(design.n_samples, mean) if weight is None else weight
    rows, factor = drawn(weight * far * rate, np.random.default_rng((0, block)))
    return design.X[rows], y[rows], weight[rows] * factor


def sample_fit(
    loss: Loss, fit_intercept: bool, alpha: float, constant: Any, start: Array, tol: float, parts: Sequence[Any]
) -> Array:
    """The optimum of rows brought together, by the fit of data in memory."""
    blocks, targets, weights = zip(*parts, strict=True)
    X: Any = sp.vstack(blocks, format="csr") if sp.issparse(blocks[0]) else np.concatenate(blocks)
    weight = np.concatenate(weights)
    if not len(weight):
        return start
    share = (weight / weight.sum()).astype(X.dtype, copy=False)
    prepared = Prepared(design_for(X, fit_intercept), np.concatenate(targets), share)
    problem = Problem(prepared, loss, alpha, constant, start.copy(), max(tol, 1e-3), 100)
    return in_hessians(problem, None)[0].coef
