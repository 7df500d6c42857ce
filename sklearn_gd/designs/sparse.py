"""X in a SciPy sparse array: centring stays implicit, so nothing becomes dense but blocks of a few rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from ..protocols import Array
from .rows import Curvature, RowBlocks

__all__ = ["SparseDesign"]


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
        for start in range(0, n, self.block_rows):
            stop = min(start + self.block_rows, n)
            lo, hi = X.indptr[start], X.indptr[stop]
            view = sp.csr_array(
                (X.data[lo:hi], X.indices[lo:hi], X.indptr[start : stop + 1] - lo), shape=(stop - start, p), copy=False
            )
            self._views[start] = (view, view.T)

    def block_forward(self, s: slice, w: Array, out: Array | None = None) -> Array:
        part = self._views[s.start][0] @ w
        if out is None:
            return part
        out[...] = part
        return out

    def block_adjoint(self, s: slice, residual: Array) -> Array:
        return self._views[s.start][1] @ residual

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
        w = np.full(self.n_samples, 1.0 / self.n_samples) if weight is None else np.asarray(weight, dtype=np.float64)
        mass = float(w.sum())
        X, p = self.X, self.n_features
        cross = None if targets is None else (X.T @ (targets.T * w).T).astype(np.float64, copy=False)
        w = np.repeat(w, np.diff(X.indptr))
        if not self.fit_intercept:
            return Curvature(
                np.bincount(X.indices, w * np.square(X.data, dtype=np.float64), p), np.zeros(p), 0.0, cross
            )
        centre = self._centre = np.bincount(X.indices, w * X.data, p) / mass
        # about the centre, the zeros included: nothing large cancels
        away = np.bincount(X.indices, w * np.square(X.data - centre[X.indices]), p)
        zeros = np.maximum(mass - np.bincount(X.indices, w, p), 0.0)
        return Curvature(away + zeros * centre**2, centre, mass, cross)
