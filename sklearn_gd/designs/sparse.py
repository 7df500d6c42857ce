"""X in a SciPy sparse array: centring stays implicit, so nothing becomes dense but blocks of a few rows."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from .. import compiled
from ..protocols import Array
from .rows import CHUNKS, Curvature, RowBlocks

__all__ = ["SparseDesign"]

# What a compiled sweep for several outputs knows.
OUTPUT_KERNELS = compiled.PLAIN, compiled.MULTINOMIAL, compiled.CURVED, compiled.GIVEN
# Products of values that make a chunk of a compiled pass worth a thread: about 100 µs.
CHUNK_PRODUCTS = 1 << 17
# Pairs of a row's values, 1.7 ns each on one thread, up to which they cost less than all entries of the matrix by dense rows, 0.03 ns each.
DENSE_ENTRY = 1 / 50
# The part of a column's squares that must be left about the mean: less than 1e-6 of it is then a rounding error.
LEFT = 1e-10


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
        # A chunk of a compiled sweep returns as many numbers as there are coefficients: a power of two, so that each of as many
        # threads gets as much as the others, and no more than adding them up is worth.
        self.output_rows = max(1, -(-n // power_of_two(X.nnz // max(4 * p, CHUNK_PRODUCTS // 8))))
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

    def _rows(self, chunk: slice) -> tuple[Any, ...]:
        """What kernels are told of a chunk."""
        X = self.X
        return self.n_samples, self.n_features, X.data.size, chunk.start, chunk.stop, X.indptr, X.indices, X.data

    def _takes(self, *arrays: Array | None) -> bool:
        """Whether the kernels can read the rows, and these arrays with them."""
        X = self.X
        indices = (
            X.indices.dtype == X.indptr.dtype == np.int32
            and X.indices.flags.c_contiguous
            and X.indptr.flags.c_contiguous
        )
        return compiled.kernels is not None and indices and compiled.takes(self.dtype, (X.data, *arrays))

    def sweep(self, pointwise: Callable[..., tuple[float, Array]], coef: Array | None = None) -> tuple[float, Array]:
        kernel = getattr(pointwise, "kernel", None)
        what: Any = pointwise  # what has a kernel has all that kernels read
        if kernel in OUTPUT_KERNELS and (what.cells if coef is None else coef).ndim == 2:
            found = self._outputs(kernel, coef, (what.y, what.weight, what.cells, what.raw))
            if found is not None:
                return found
        return super().sweep(pointwise, coef)

    def forward(self, coef: Array) -> Array:
        if coef.ndim == 2:
            raw = np.empty((self.n_samples, coef.shape[1]), dtype=self.dtype)
            if self._outputs(compiled.PLAIN, coef, (None, None, None, raw), gradient=False) is not None:
                return raw
        return super().forward(coef)

    def _outputs(
        self, kernel: int, coef: Array | None, parts: tuple[Any, ...], gradient: bool = True
    ) -> tuple[float, Array] | None:
        """A compiled sweep for several outputs, or None where there is none; its arrays are y, weight, cells and raw."""
        y, weight, cells, raw = parts
        p, k = self.n_features, (cells if coef is None else coef).shape[1]
        coded = y is None or (isinstance(y, np.ndarray) and y.dtype == np.int64 and y.flags.c_contiguous)
        if not coded or k > compiled.MOST_SWEPT or not self._takes(weight, cells, raw):
            return None
        self.passes += 1
        w, b = None, np.zeros(k)
        if coef is not None:
            w, given = self.split(coef)
            w, b = np.ascontiguousarray(w), b if given is None else np.ascontiguousarray(given, dtype=np.float64)

        def task(chunk: slice) -> tuple[float, Any]:
            out, into, totals = None, None, None
            if gradient:
                out = np.zeros((self.size, k))
                into, totals = out[:p], out[p] if self.fit_intercept else np.zeros(k)
            value = compiled.kernels.sparse_outputs(
                kernel, self.dtype.itemsize, k, *self._rows(chunk), w, b, y, weight, cells, into, totals, raw
            )
            return value, out

        found = self._chunks(task, self.output_rows)
        total = found[0][1]
        for _, more in found[1:]:
            if gradient:
                total += more
        return sum(value for value, _ in found), total

    @functools.cached_property
    def pairs(self) -> float | None:
        """Pairs of values of a row, in all rows, where these make a symmetric product; None where dense rows do."""
        if not (self._takes() and self.X.has_canonical_format):
            return None
        counts = np.diff(self.X.indptr).astype(np.float64)
        pairs = 0.5 * float(np.vdot(counts, counts + 1))
        return pairs if pairs < DENSE_ENTRY * self.n_samples * self.n_features**2 else None

    def gram(self, weight: Any = None, targets: Any = None, dtype: Any = None) -> Curvature:
        """As `RowBlocks.gram`; of few stored values by their pairs, in double precision."""
        if targets is not None or self.pairs is None:
            return super().gram(weight, targets, dtype)
        n, p = self.n_samples, self.n_features
        w = None if weight is None else np.ascontiguousarray(weight, dtype=self.dtype)

        def task(chunk: slice) -> tuple[Array]:
            out = np.zeros((p + 1, p + 1))
            compiled.kernels.sparse_gram(self.dtype.itemsize, *self._rows(chunk), w, out)
            return (out,)

        chunks = power_of_two(self.pairs // max(4 * p * p, CHUNK_PRODUCTS))
        (out,), *more = self._chunks(task, max(1, -(-n // chunks)))
        for (part,) in more:
            out += part
        if weight is None:
            out /= n
        matrix, squares, mass = out[:p, :p], out.diagonal()[:p].copy(), float(out[p, p])
        if not self.fit_intercept:
            self.passes += 1
            return Curvature(symmetric(matrix), np.zeros(p), 0.0, double=True)
        centre = out[p, :p] / (mass or 1.0)
        matrix -= np.multiply.outer(mass * centre, centre)
        if not (matrix.diagonal() >= LEFT * squares).all():
            # columns (almost) without a zero, far from it: what varies would be lost in rounding errors
            return super().gram(weight, targets, dtype)
        self.passes += 1
        return Curvature(symmetric(matrix), centre, mass, double=True)

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


def power_of_two(most: float) -> int:
    """The largest up to `most`, from 1 to the chunks of a pass."""
    return 1 << int(np.clip(most, 1, CHUNKS)).bit_length() - 1


def symmetric(lower: Array) -> Array:
    """The symmetric matrix with this lower triangle."""
    out = np.tril(lower)
    out += np.tril(lower, -1).T
    return out
