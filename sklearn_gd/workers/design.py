"""A linear model's X in a Dask array: sums over its blocks of rows.

Two uses: moments and products of X, as every design has them; and `sum_over_blocks`, for the trials of a model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from .. import messages
from ..costs import STORED
from ..designs import design_for
from ..designs.dense import DenseDesign
from ..designs.rows import Curvature, LinearMap, Parts, add_up, require_finite
from ..objectives.samples import Slopes
from ..protocols import Array
from .graphs import FAN_IN, compute, compute_sum, deferred, on_block, parts_of

__all__ = ["DaskDesign", "add_curvatures", "small_temporaries"]

# Bytes that come home sooner than they are added up elsewhere: 20 ms at 1 Gbit/s.
HOME_BYTES = 2_500_000


class DaskDesign(LinearMap):
    """A linear model's X in a Dask array.

    Parameters
    ----------
    X : dask.array.Array
        As `collect` returns it.
    fit_intercept : bool
    """

    where = "workers"

    def __init__(self, X: Any, fit_intercept: bool) -> None:
        super().__init__(X, fit_intercept)
        self.blocks: Any = parts_of(X)
        if sp.issparse(X._meta):
            self.work = self.sum_over_blocks(block_work)[0]

    def product_cost(self, outputs: int = 1) -> float:
        # blocks may be sparse: an operation is then half a stored value
        return min(super().product_cost(outputs), STORED * self.work / 2 * outputs)

    def hold(self, rows: Any) -> Any:
        """Keep values, one or several a row, beside their rows."""
        return None if rows is None else rows.persist()

    def tasks(self, task: Callable[..., Any], *args: Any, rows: Sequence[Any] = ()) -> list[Any]:
        """``task(block's design, *its parts of rows, *args)`` of every block, not yet computed."""
        from dask import delayed

        columns = [parts_of(values) or [None] * len(self.blocks) for values in rows]
        large = any(isinstance(arg, np.ndarray) and arg.nbytes > 1 << 20 for arg in args)
        small = delayed(args, traverse=False) if large else args
        call = deferred()
        return [
            call(on_block, task, self.fit_intercept, X, list(parts), small)
            for X, *parts in zip(self.blocks, *columns, strict=True)
        ]

    def sum_over_blocks(
        self, task: Callable[..., Any], *args: Any, rows: Sequence[Any] = (), add: Callable[[Any], Any] = add_up
    ) -> Any:
        """The sum of ``task(block's design, *its parts of rows, *args)`` over the blocks."""
        # A few small parts are added up here: a task for it costs a message between workers, a third of a round trip.
        home = FAN_IN if 8 * self.size**2 * FAN_IN <= HOME_BYTES else 1
        return compute_sum(self.tasks(task, *args, rows=rows), add, home)

    def normal(self, coef: Array, weight: Any) -> Array:
        """[X 1]ᵀ W [X 1] coef in one read of X."""
        self.passes += 1
        (out,) = self.sum_over_blocks(block_normal, coef, rows=[weight])
        return out / self.n_samples if weight is None else out

    def moments(self, weight: Any = None) -> Curvature:
        """The columns' second moments, and their centre."""
        return self._mean(block_moments, weight)

    def gram(self, weight: Any = None, targets: Any = None) -> Curvature:
        """All second moments of the columns, and of the targets behind them."""
        return self._mean(block_gram, weight, targets)

    def _mean(self, task: Callable[..., Any], weight: Any, *rows: Any) -> Curvature:
        self.passes += 1
        ((matrix, centre, weight_sum, *_),) = self.sum_over_blocks(task, rows=[weight, *rows], add=add_curvatures)
        scale = 1.0 / self.n_samples if weight is None else 1.0
        return Curvature(matrix * scale, centre, weight_sum * scale)

    # -- what is as long as there are samples, at home: a number a row and output comes home, or goes there

    def _parts(self, array: Array) -> list[Array]:
        """The parts of an array that lie beside the blocks."""
        return np.split(array, np.cumsum(self.X.chunks[0])[:-1])

    def _each(self, task: Callable[..., Any], *args: Any, rows: Sequence[Any] = ()) -> list[Any]:
        """What a task returns of every block."""
        self.passes += 1
        found = list(compute(*self.tasks(task, *args, rows=rows)))
        for part in found:
            if isinstance(part, ValueError):
                raise part
        return found

    def forward(self, coef: Array) -> Array:
        """Raw predictions."""
        return np.concatenate(self._each(block_forward, coef))

    def sweep(self, slopes: Any, coef: Any = None) -> tuple[float, Array]:
        """The adjoint of slopes that are known."""
        self.passes += 1
        (total,) = self.sum_over_blocks(block_adjoint, rows=[self._parts(slopes.cells)])
        return 0.0, total

    def take(self, rows: Array) -> Any:
        """A design in memory of some rows, in their order."""
        ends = np.cumsum(self.X.chunks[0])
        parts = np.split(rows, np.searchsorted(rows, ends[:-1]))
        starts = np.concatenate([[0], ends[:-1]])
        own = [part - start for part, start in zip(parts, starts, strict=True)]
        found = self._each(block_rows_of, rows=[own])
        X: Any = sp.vstack(found, format="csr") if sp.issparse(found[0]) else np.concatenate(found)
        return design_for(X, self.fit_intercept)

    def row_spread(self, moments: Curvature) -> list[Any]:
        """How far each row lies from the centre, and 1, kept beside the rows."""
        import dask

        self.passes += 1
        return list(dask.persist(*self.tasks(block_spread, moments)))

    def refuse_not_finite(self) -> None:
        """Say which entry of X is not a number that can be used."""
        found = compute(self.tasks(block_not_finite))[0]
        start = 0
        for k, (part, rows) in enumerate(zip(found, self.X.chunks[0], strict=True)):
            if part is not None:
                row, column, value = part
                raise ValueError(messages.not_finite_in_block(value, start + row, column, k, row))
            start += rows


# Bytes of a temporary array in a task. Dask starts its workers with MALLOC_TRIM_THRESHOLD_ set, and so with glibc's fixed
# limit of 128 KB from which every array is fresh pages of the kernel's: passes over 1 MB blocks took three times as long.
TEMPORARY_BYTES = 120_000


def small_temporaries(design: Any, numbers: int) -> None:
    """Let a dense block be worked on in so few rows that arrays of `numbers` a row are small."""
    if isinstance(design, DenseDesign):
        design.block_rows = max(1, min(design.block_rows, TEMPORARY_BYTES // (8 * max(numbers, 1))))


# What is computed of a block. Sums, not means: blocks have different numbers of rows.


def block_work(design: Any) -> Parts:
    return (float(design.work),)


def block_normal(design: Any, weight: Any, coef: Array) -> Parts:
    out = design.normal(coef, weight)
    return (out * design.n_samples if weight is None else out,)


def block_forward(design: Any, coef: Array) -> Array:
    raw: Array = design.forward(coef)
    return raw


def block_adjoint(design: Any, slopes: Array) -> Parts:
    return (design.sweep(Slopes(np.ascontiguousarray(slopes)))[1],)


def block_rows_of(design: Any, rows: Array) -> Any:
    return design.X[rows]


def block_moments(design: Any, weight: Any) -> list[Curvature]:
    small_temporaries(design, design.n_features)
    return as_sum(design.moments(weight), design.n_samples if weight is None else 1)


def block_gram(design: Any, weight: Any, targets: Any) -> list[Curvature]:
    return as_sum(design.gram(weight, targets), design.n_samples if weight is None else 1)


def as_sum(mean: Curvature, n_samples: int) -> list[Curvature]:
    require_finite(mean.matrix if mean.matrix.ndim == 1 else mean.matrix.diagonal())
    return [Curvature(mean.matrix * n_samples, mean.centre, mean.weight_sum * n_samples)]


def block_spread(design: Any, moments: Curvature) -> Array:
    small_temporaries(design, design.n_features)
    return (1 + design.row_spread(moments)).astype(np.float32)


def block_not_finite(design: Any) -> tuple[int, int, float] | None:
    X = design.X.tocoo() if sp.issparse(design.X) else design.X
    rows, columns = (X.row, X.col) if sp.issparse(X) else np.nonzero(~np.isfinite(X))
    values = X.data if sp.issparse(X) else X[rows, columns]
    bad = np.flatnonzero(~np.isfinite(values))
    if not len(bad):
        return None
    first = bad[0]
    return int(rows[first]), int(columns[first]), float(values[first])


def add_curvatures(parts: Sequence[Sequence[Curvature]]) -> list[Curvature]:
    """Second moments of the rows of several blocks together, each block's about its own centre."""
    out = list(parts[0])
    for part in parts[1:]:
        out = [merged(one, other) for one, other in zip(out, part, strict=True)]
    return out


def merged(one: Curvature, other: Curvature) -> Curvature:
    """Those of two blocks.

    References
    ----------
    T. Chan, G. Golub and R. LeVeque, "Algorithms for computing the sample variance", The American Statistician 37, 1983,
    doi:10.1080/00031305.1983.10483115.
    """
    weight_sum = one.weight_sum + other.weight_sum
    share = other.weight_sum / weight_sum if weight_sum else 0.0
    away = other.centre - one.centre
    between = np.multiply.outer(away, away) if one.matrix.ndim == 2 else away * away
    between *= one.weight_sum * share
    between += one.matrix
    between += other.matrix
    return Curvature(between, one.centre + share * away, weight_sum)
