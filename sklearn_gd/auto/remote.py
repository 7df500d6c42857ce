"""What `curved.Sample` does, where the rows are elsewhere: they are drawn there, and sums of p² numbers come home.

Two uses: the metric of the Hessian at a point, of all rows or of a sample of each block's; and a start, the optimum of a
sample, which one worker finds by the same fit in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..designs import design_for
from ..designs.dask import add_curvatures
from ..designs.rows import Curvature, add_up
from ..preconditioners import Full, Joint, PerOutput, ZeroSum
from ..protocols import Array, Design, Loss, Moments, Preconditioner
from . import curved
from .problem import Problem

__all__ = ["RemoteSample"]

# Bytes of rows that one worker is sent for a start.
START_BYTES = 1 << 28


class RemoteSample(curved.Sample):
    """Rows of a sample drawn in their blocks, by their share of the Hessian."""

    def _settle(self) -> None:
        super()._settle()
        self.cost = max(self.cost, 1.0)  # a round trip, as an iteration is

    def _row_spread(self) -> Any:
        # beside their rows from now on
        self.draws = 0
        design: Any = self.problem.design
        design.passes += 1
        return design.keep(block_spread, self.moments)

    def _draw_args(self, total: Any) -> tuple[Any, list[Any]]:
        """How many rows a unit of their share stands for; and each block's spread and seed."""
        design: Any = self.problem.design
        n = len(design.blocks)
        if self.whole:
            return None, [[None] * n, [None] * n]
        self.draws += 1
        # Twice, as the spread, 1 and the row's own, is 2 on average.
        return self.size / (2 * np.maximum(total, np.finfo(float).tiny)), [self.spread, [(k, self.draws) for k in range(n)]]

    def start(self) -> Array:
        """The optimum of a sample, to its statistical accuracy."""
        problem = self.problem
        model: Any = problem.model
        design: Any = problem.design
        if self.size * design.work / design.n_samples * design.dtype.itemsize > START_BYTES:
            return problem.start
        rate, beside = self._draw_args(1.0)
        parts = design.tasks(block_sample, model.mean, rate, rows=[*model.rows, *beside])
        fit = sample_fit, problem.loss, design.fit_intercept, problem.alpha, problem.scale, problem.start, problem.tol
        return design.compute_one(*fit, parts)

    def metric(self, point: Any) -> Preconditioner:
        """The metric of the Hessian at a point."""
        problem, moments = self.problem, self.moments
        model: Any = problem.model
        joint = problem.start.ndim == 2 and not curved.needs_inner(problem)
        total = point.curvature if not self.whole else None
        rate, beside = self._draw_args(np.sum(total) if joint and total is not None else total)
        problem.design.passes += 1
        args = problem.loss, model.mean, point.coef, rate, joint, moments.centre
        grams, totals = model.design.sum_over_blocks(block_hessian, *args, rows=[*model.rows, *beside], add=add_hessians)
        if joint:
            fit_intercept = problem.design.fit_intercept
            return ZeroSum(Joint(totals[0], moments.centre, problem.alpha, fit_intercept, problem.eps))
        metrics = [self._full(gram, None if self.whole else total) for gram, total in zip(grams, totals, strict=True)]
        return metrics[0] if problem.start.ndim == 1 else ZeroSum(PerOutput(metrics))



def block_spread(design: Any, moments: Curvature) -> Array:
    return (1 + design.row_spread(moments)).astype(np.float32)


def drawn(share: Array, spread: Any, rate: Any, seed: Any) -> tuple[Any, Any]:
    """The rows drawn (all, without a rate) and the factors that make up for those that were not."""
    if rate is None:
        return slice(None), 1.0
    chance = np.minimum(share * spread * rate, 1)
    rows = np.flatnonzero(np.random.default_rng(seed).random(len(chance), dtype=np.float32) < chance)
    return rows, 1 / chance[rows]


def block_sample(
    design: Any, y: Array, weight: Any, spread: Array, seed: Any, mean: float, rate: float
) -> tuple[Any, Array, Array]:
    """Rows by their weight and spread; their targets and new weights."""
    base = np.full(design.n_samples, mean) if weight is None else weight
    rows, factor = drawn(base, spread, rate, seed)
    return design.X[rows], y[rows], base[rows] * factor


def sample_fit(
    loss: Loss, fit_intercept: bool, alpha: float, scale: Any, start: Array, tol: float, parts: Sequence[Any]
) -> Array:
    """The optimum of rows brought together, by the fit of data in memory."""
    X = (sp.vstack if sp.issparse(parts[0][0]) else np.concatenate)([part[0] for part in parts])
    y, weight = (np.concatenate([part[k] for part in parts]) for k in (1, 2))
    if not len(y):
        return start
    design = design_for(X.tocsr() if sp.issparse(X) else X, fit_intercept)
    weight = (weight / weight.sum()).astype(X.dtype, copy=False)
    problem = Problem(design, loss, y, weight, alpha, scale, start.copy(), max(tol, 1e-3), 100)
    return curved.model_search(problem, "full").coef


def block_hessian(
    design: Any,
    y: Array,
    weight: Any,
    spread: Any,
    seed: Any,
    loss: Loss,
    mean: float,
    coef: Array,
    rate: Any,
    joint: bool,
    centre: Array,
) -> tuple[list[Curvature], list[Any]]:
    """One block's part of the Hessian at some coefficients, in its matrices and the weight that they have."""
    bend = design.forward(coef)

    def bend_there(s: slice) -> None:
        bend[s] = loss.derivatives(y[s], bend[s], 2)[2]

    design.each_prediction(bend_there)
    base = np.asarray(mean if weight is None else weight)
    columns = loss.hessian_diagonal(bend)
    if joint:
        rows, factor = drawn(columns.sum(axis=1) * base, spread, rate, seed)
        sample = design if rate is None else design.take(rows)
        sample._centre = centre
        p = bend[rows]
        scaled = p * np.reshape((base if base.ndim == 0 else base[rows]) * factor, (-1, 1))
        return [], [sample.coupled_gram(p, scaled.astype(p.dtype))[0] if len(p) else 0.0]
    grams, totals = [], []
    rates = np.broadcast_to(rate, columns.shape[1:]).ravel() if rate is not None else [None] * columns[:1].size
    for k, (column, own) in enumerate(zip(columns.T.reshape(-1, len(columns)), rates, strict=True)):
        share = column * base
        rows, factor = drawn(share, spread, own, None if seed is None else (*seed, k))
        share = (share[rows] * factor).astype(design.dtype)
        total = float(share.sum(dtype=np.float64))
        totals.append(total)
        if not total > 0:
            p = design.n_features
            grams.append(Curvature(np.zeros((p, p)), np.zeros(p), 0.0))
            continue
        sample = design if own is None else design.take(rows)
        sample._centre = centre
        grams.append(sample.gram(share))
    return grams, totals


def add_hessians(parts: Sequence[Any]) -> tuple[list[Curvature], list[Any]]:
    grams = add_curvatures([part[0] for part in parts])
    return grams, list(add_up([tuple(part[1]) for part in parts]))
