"""X in a SciPy sparse array: centring stays implicit, so nothing becomes dense but blocks of a few rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from .. import compiled
from ..protocols import Array
from .rows import Curvature, Parts, RowBlocks, add_up

__all__ = ["SparseDesign"]


# What the compiled sweep knows.
KERNELS = compiled.PLAIN, compiled.SQUARED, compiled.BINOMIAL, compiled.GIVEN
# Stored values that make a part of a compiled pass worth a thread, see `rows.LIGHT_BYTES`.
PART_VALUES = 1 << 17
# The share of a column that is stored, above which its squares are summed about its mean rather than about zero: below, ten rounding
# errors at the most are lost.
NEARLY_FULL = 0.9


class SparseDesign(RowBlocks):
    """A linear model's X in compressed sparse rows."""

    def __init__(self, X: Any, fit_intercept: bool) -> None:
        n, p = X.shape
        per_row = X.nnz / max(n, 1)
        super().__init__(X, fit_intercept, per_row * (X.dtype.itemsize + X.indices.itemsize))
        self.work = 2 * X.nnz  # an index beside every value
        # The adjoint of a chunk is as large as the coefficients: chunks must hold more than they return.
        chunks = int(np.clip(X.nnz // max(4 * p, 1 << 15), 1, 16))
        self.chunk_rows = max(1, -(-n // chunks))
        # One view per chunk, made once: cutting a sparse array costs more than a small product.
        self.block_rows = self.chunk_rows
        self.at_once &= self.chunk_rows == n
        self._views: dict[int, tuple[Any, Any]] = {}
        parts = int(np.clip(2 * (X.nnz // (2 * max(4 * p, PART_VALUES))), 1, 16))
        self.light_rows = max(1, -(-n // parts))

    def _view(self, s: slice) -> tuple[Any, Any]:
        """A chunk of X and its transpose."""
        if s.start not in self._views:
            X, stop = self.X, min(s.start + self.block_rows, self.n_samples)
            lo, hi = X.indptr[s.start], X.indptr[stop]
            view = sp.csr_array(
                (X.data[lo:hi], X.indices[lo:hi], X.indptr[s.start : stop + 1] - lo),
                shape=(stop - s.start, self.n_features),
                copy=False,
            )
            self._views[s.start] = view, view.T
        return self._views[s.start]

    def block_forward(self, s: slice, w: Array, out: Array | None = None) -> Array:
        part = self._view(s)[0] @ w
        if out is None:
            return part
        out[...] = part
        return out

    def block_adjoint(self, s: slice, residual: Array) -> Array:
        return self._view(s)[1] @ residual

    def _takes(self, *arrays: Array | None) -> bool:
        """Whether the kernels can read the rows, and these arrays with them."""
        X = self.X
        return (
            compiled.kernels is not None
            and X.indices.dtype == X.indptr.dtype == np.int32
            and compiled.takes(self.dtype, (X.data, *arrays))
        )

    def _rows(self, chunk: slice) -> tuple[Any, ...]:
        """What the kernels are told of a chunk."""
        X = self.X
        shape = X.dtype.itemsize, self.n_samples, self.n_features, X.data.size
        return *shape, chunk.start, chunk.stop, X.indptr, X.indices, X.data

    def _sweep(
        self, kernel: int, coef: Array | None, *arrays: Array | None, gradient: bool = True
    ) -> tuple[float, Array] | None:
        """The compiled sweep, or None where there is none; its arrays are y, weight, cells and raw."""
        w, b = (None, None) if coef is None else self.split(coef)
        w = None if w is None else np.ascontiguousarray(w)
        if not self._takes(w, *arrays):
            return None
        self.passes += 1
        *given, raw = arrays
        p, intercept = self.n_features, 0.0 if b is None else float(b)

        def task(chunk: slice) -> tuple[Any, ...]:
            out = np.zeros(self.size) if gradient else None
            into = None if out is None else out[:p]
            value, total = compiled.kernels.sparse_sweep(kernel, *self._rows(chunk), w, intercept, *given, into, raw)
            if out is not None and self.fit_intercept:
                out[p] = total
            return value, out if gradient else 0.0

        return add_up(self._chunks(task, self.light_rows))

    def sweep(self, pointwise: Callable[..., tuple[float, Array]], coef: Array | None = None) -> tuple[float, Array]:
        what: Any = pointwise  # what has a kernel has all that kernels read
        kernel = getattr(what, "kernel", None)
        found = None
        if kernel in KERNELS and (what.cells if coef is None else coef).ndim == 1:
            found = self._sweep(kernel, coef, what.y, what.weight, what.cells, what.raw)
        return super().sweep(pointwise, coef) if found is None else found

    def forward(self, coef: Array) -> Array:
        raw = np.empty((self.n_samples, *coef.shape[1:]), dtype=self.dtype)
        if coef.ndim == 1 and self._sweep(compiled.PLAIN, coef, None, None, None, raw, gradient=False) is not None:
            return raw
        return super().forward(coef)

    def block_dense(self, s: slice | Array) -> Array:
        return self.X[s].toarray()

    def take(self, rows: Array) -> SparseDesign:
        """The same design on a copy of some rows."""
        return SparseDesign(self.X[rows], self.fit_intercept)

    def row_products(self, dtype: Any = None) -> tuple[Array, Array]:
        """Inner products of the rows, as `DenseDesign.row_products`; about zero, and in X's own precision."""
        self.passes += 1
        return (self.X @ self.X.T).toarray().astype(np.float64, copy=False), np.zeros(self.n_features)

    def centred_adjoint(self, residual: Array, centre: Array) -> Array:
        """Xᵀ residual, as `DenseDesign.centred_adjoint`."""
        self.passes += 1
        return (self.X.T @ residual.astype(self.dtype, copy=False)).astype(np.float64, copy=False)

    def row_spread(self, moments: Curvature) -> Array:
        self.passes += 1
        inverse = np.zeros(self.n_features)
        np.divide(1.0, self.n_features * moments.matrix, out=inverse, where=moments.matrix > 0)
        X = self.X
        per_value = X.data * (X.data - 2 * moments.centre[X.indices]) * inverse[X.indices]
        rows = np.repeat(np.arange(self.n_samples), np.diff(X.indptr))
        return np.bincount(rows, per_value, minlength=self.n_samples) + float(moments.centre**2 @ inverse)

    def moments(self, weight: Array | None = None, targets: Array | None = None) -> Curvature:
        """The diagonal of `gram`, and products with targets, from the stored values alone."""
        self.passes += 1
        p = self.n_features
        mass = 1.0 if weight is None else float(weight.sum(dtype=np.float64))
        add = self._column_sums if self._takes(weight) and (targets is None or targets.ndim == 1) else self._numpy_sums
        held, sums, squares, cross = add(weight, targets, None)
        if not self.fit_intercept:
            return Curvature(squares, np.zeros(p), 0.0, cross)
        self._centre = centre = sums / mass
        # By Cauchy's inequality the square of the sum is at most `held` times the squares: what is left of them is at least their share
        # that the zeros have in the column.
        if (held > NEARLY_FULL * mass).any():
            # less than rounding errors of its sum is no row without the column: a far centre would multiply them
            zeros = np.where(held < (1 - 1e-13) * mass, mass - held, 0.0)
            squares = add(weight, None, centre)[2] + zeros * centre**2
        else:
            squares -= mass * centre**2
        return Curvature(squares, centre, mass, cross)

    def _column_sums(self, weight: Array | None, targets: Array | None, centre: Array | None) -> tuple[Any, ...]:
        """Sums over the stored values of each column: weights, values about a centre, their squares, products with targets."""

        def task(chunk: slice) -> Parts:
            sums = np.zeros((self.n_features, 4))
            compiled.kernels.sparse_columns(*self._rows(chunk), weight, targets, centre, sums)
            return (sums,)

        (total,) = add_up(self._chunks(task, self.light_rows))
        if weight is None:
            total /= self.n_samples
        held, sums, squares, cross = np.ascontiguousarray(total.T)
        return held, sums, squares, None if targets is None else cross

    def _numpy_sums(self, weight: Array | None, targets: Array | None, centre: Array | None) -> tuple[Any, ...]:
        """The same in NumPy."""
        X, n, p = self.X, self.n_samples, self.n_features
        w = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
        cross = None if targets is None else (X.T @ (targets.T * w).T).astype(np.float64, copy=False)
        w = np.repeat(w, np.diff(X.indptr))
        Z = X.data.astype(np.float64, copy=False) if centre is None else X.data - centre[X.indices]
        sums = *(np.bincount(X.indices, part, p) for part in (w, w * Z, w * Z * Z)), cross
        # whole numbers of rows up to here, so that a column that is stored everywhere is known to be
        return sums if weight is not None else tuple(None if total is None else total / n for total in sums)
