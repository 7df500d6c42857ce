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
from ..designs.dask import TEMPORARY_BYTES, small_temporaries
from ..designs.rows import Curvature, cut
from ..preconditioners import Joint, PerOutput, ZeroSum
from ..protocols import Array, Loss, Preconditioner
from ..remote import Draw, drawn
from .newton import Sample, in_hessians
from .planning import needs_inner
from .problem import Prepared, Problem

__all__ = ["RemoteSample"]

# Bytes of rows that one worker is sent for a start.
START_BYTES = 1 << 28
# Rows of a sample for a column, at the most: its metric then costs the search no iteration, as that of all rows.
MOST_SAMPLE_ROWS = 500
# Operations on one core, of the Hessian of all rows, that take no longer than a round trip to a worker, about 10 ms.
SHORT = 1e8


class RemoteSample(Sample):
    """Rows of a sample drawn in their blocks, by their share of the Hessian."""

    def _settle(self) -> None:
        design: Any = self.problem.design
        n, p = design.n_samples, design.n_features
        if self.spread is None:
            # A quarter of a pass: it takes 2 ns an entry, products of rows 0.1 ns for each pair of columns and 6 ns an entry.
            self.size = max(self.size, int(min(MOST_SAMPLE_ROWS * p, n / (p / 5 + 12))))
            self.draws = 0
        super()._settle()
        # Where its Hessian comes with every trial, a metric costs nothing; elsewhere a round trip, as an iteration.
        self.fused = not self.whole or n * p * (p + 60) < SHORT * len(design.blocks)
        self.cost = 0.0 if self.fused else max(self.cost, 1.0)
        self._next(self.problem.loss.curvature)

    def _row_spread(self) -> Any:
        # beside their rows from now on
        model: Any = self.problem.model
        model.design.passes += 1
        model.rows[2] = model.design.keep(block_spread, self.moments)
        return model.rows[2]

    def _next(self, curvature: Any) -> Draw:
        """What the next trials draw, given about the weighted sum of the second derivatives."""
        problem, model = self.problem, self.problem.model
        self.draws += 1
        joint = problem.start.ndim == 2 and not needs_inner(problem)
        rate = None
        if not self.whole:
            total = np.sum(curvature) if joint else np.asarray(curvature)
            # Twice, as 1 and a row's own distance are 2 on average.
            rate = self.size / (2 * np.maximum(total, np.finfo(float).tiny))
        draw = Draw(rate, joint, self.moments.centre, self.draws)
        if self.fused:
            model.draw = draw  # type: ignore[attr-defined]
        return draw

    def start(self) -> Array:
        """The optimum of a sample, to its statistical accuracy."""
        problem = self.problem
        model: Any = problem.model
        design: Any = problem.design
        if self.size * design.work / design.n_samples * design.dtype.itemsize > START_BYTES:
            return problem.start
        parts = design.tasks(block_sample, model.mean, self.size / 2, rows=model.rows)
        fit = sample_fit, problem.loss, design.fit_intercept, problem.alpha, problem.entropy, problem.start, problem.tol
        return design.compute_one(*fit, parts)

    def metric(self, point: Any) -> Preconditioner:
        """The metric of the Hessian at a point."""
        problem = self.problem
        trial = point.known(2, None if self.fused else self._next(0.0))
        self._next(trial.curvature)
        if problem.start.ndim == 2 and not needs_inner(problem):
            (hessian,), intercept = trial.totals, problem.design.fit_intercept
            return ZeroSum(Joint(hessian.copy(), self.moments.centre, problem.alpha, intercept, problem.sums_eps))
        metrics = [
            self._full(Curvature(matrix.copy(), centre, mass), None if self.whole else total)
            for (matrix, centre, mass, *_), total in zip(trial.grams, trial.totals, strict=True)
        ]
        return metrics[0] if problem.start.ndim == 1 else ZeroSum(PerOutput(metrics))


def block_spread(design: Any, moments: Curvature) -> Array:
    small_temporaries(design, design.n_features)
    return (1 + design.row_spread(moments)).astype(np.float32)


def block_sample(
    design: Any, y: Array, weight: Any, far: Array, block: int, mean: float, rate: float
) -> tuple[Any, Array, Array]:
    """Rows drawn by their weight and their distance from the centre; their targets and new weights."""
    random, parts = np.random.default_rng((0, block)), []
    for s in cut(design.n_samples, TEMPORARY_BYTES // 8):
        base = np.full(s.stop - s.start, mean) if weight is None else weight[s]
        rows, factor = drawn(base * far[s] * rate, random)
        parts.append((rows + s.start, base[rows] * factor))
    rows, weights = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    return design.X[rows], y[rows], weights


def sample_fit(
    loss: Loss, fit_intercept: bool, alpha: float, entropy: Any, start: Array, tol: float, parts: Sequence[Any]
) -> Array:
    """The optimum of rows brought together, by the fit of data in memory."""
    X: Any = (sp.vstack if sp.issparse(parts[0][0]) else np.concatenate)([part[0] for part in parts])
    y, weight = (np.concatenate([part[k] for part in parts]) for k in (1, 2))
    if not len(y):
        return start
    design = design_for(X.tocsr() if sp.issparse(X) else X, fit_intercept)
    weight = (weight / weight.sum()).astype(X.dtype, copy=False)
    problem = Problem(Prepared(design, y, weight), loss, alpha, entropy, start.copy(), max(tol, 1e-3), 100)
    return in_hessians(problem, None)[0].coef
