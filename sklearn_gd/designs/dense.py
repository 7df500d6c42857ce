"""X in a NumPy array, float32 or float64, C- or F-contiguous, a read-only memory map included: never copied."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .. import compiled
from ..costs import SINGLE, symmetric_product
from ..protocols import Array
from .products import SymmetricProduct, shared_bytes
from .rows import (
    BLOCK_BYTES,
    CHUNKS,
    LIGHT_BYTES,
    Curvature,
    Parts,
    RowBlocks,
    add_up,
    coupled,
    coupling,
    finite_mean,
    require_finite,
    rows_of,
)
from .threads import cut, map_ordered

# Multiplications up to which OpenBLAS multiplies without packing: twice as fast where one side is narrow (784 by 10).
SMALL_PRODUCT = 1_000_000
# A slice of columns of this size is a copy that stays in the last-level cache while its rows are multiplied.
COLUMN_BYTES = 1 << 24
# Columns up to which the compiled product takes less time than copies of rows that are centred and multiplied by BLAS, without vectors
# of 512 bits and with them. With AVX-512, two threads: 5,000 × 100 1.4 ms, and 2.7 by BLAS with the copies, in float32 1.3 and 1.4 to
# 1.7; 16,000 × 100 3.9 and 7.5, in float32 3.9 and 4.6. Without it, one thread: 100,000 × 20 2.8, 50,000 × 64 11, by BLAS 6.4 and 12.8.
NARROW, NARROW_WIDE = 64, 256
# Rows times k² + 4k that make a chunk of the compiled product worth a thread: 100 to 200 µs.
CHUNK_PRODUCTS = 4_000_000
# The least rows of one for each of its columns.
CHUNK_ROWS = 16

# Rows that are copied where some of them are used again and again: those that fit in a core's cache, or are as large as a few
# vectors of n_samples. Of tall data the samples that metrics are made of are up to a third of X.
COPIED_BYTES = 1 << 20
COPIED_VECTORS = 2

__all__ = ["DenseDesign"]


class DenseDesign(RowBlocks):
    """A linear model's X in a NumPy array of shape (n_samples, n_features)."""

    def __init__(self, X: Array, fit_intercept: bool) -> None:
        super().__init__(X, fit_intercept, X.shape[1] * X.dtype.itemsize)
        if self._takes():  # passes that are compiled, of one vector
            size = X.size * X.dtype.itemsize
            parts = 1 if size <= LIGHT_BYTES else max(2, min(self.most_chunks, 2 * size // LIGHT_BYTES))
            self.light_rows = max(1, -(-X.shape[0] // parts))
        self.copied = not isinstance(X, np.ndarray)  # each read is a copy
        if self.copied:
            self.most_rows = max(256, BLOCK_BYTES // (X.shape[1] * X.dtype.itemsize))

    @property
    def legible(self) -> bool:
        """Whether sweeps for several outputs can read the rows: contiguous, whatever lies between them."""
        X = self.X
        if self.copied:
            return True
        return bool(X.flags.aligned and X.strides[0] >= 0 and (X.strides[1] == X.itemsize or X.shape[1] == 1))

    @property
    def joint(self) -> bool:
        """Whether `gram` is one compiled read."""
        most = NARROW_WIDE if compiled.level() == compiled.LEVELS[0] else NARROW
        return compiled.kernels is not None and self.n_features <= most and (self.copied or self.X.flags.aligned)

    @property
    def gram_cost(self) -> float:
        # the compiled product copies nothing, and multiplies at a lower rate
        return self.product_cost() * (1 + self.n_features / 64) if self.joint else super().gram_cost

    @property
    def low_gram_cost(self) -> float:  # type: ignore[override]
        # a compiled product is exact, and costs as much as the first iterations in a metric that is not
        return math.inf if self.joint else SINGLE * self.gram_cost

    @property
    def row_products_cost(self) -> float:  # type: ignore[override]
        return symmetric_product(self.n_features, self.n_samples)

    def block(self, s: slice) -> Array:
        return self.X[s].astype(np.float64, copy=False)

    def block_forward(self, block: Array, w: Array) -> Array:
        if w.ndim == 1 or len(block) <= (rows := max(16, SMALL_PRODUCT // w.size)):
            return np.dot(block, w)
        out = np.empty((len(block), w.shape[1]))
        for part in cut(len(block), rows):
            np.dot(block[part], w, out=out[part])
        return out

    def block_adjoint(self, block: Array, residual: Array) -> Array:
        if residual.ndim == 1:
            return np.dot(block.T, residual)
        # the other way round: the long rows of X are the columns that BLAS walks along (twice as fast, 784 by 10)
        return np.dot(residual.T, block).T

    def block_dense(self, s: slice | Array) -> Array:
        return self.X[s]

    def _pieces(self, chunk: slice) -> Iterable[slice]:
        """What kernels get of a chunk at a time: they make blocks of their own of rows that are in memory."""
        return list(self._blocks(chunk)) if self.copied else [chunk]

    def _rows(self, chunk: slice) -> Iterator[tuple[slice, Array]]:
        """The pieces of a chunk, and their rows; of those that are copied the numbers of a row are next to each other."""
        for s in self._pieces(chunk):
            yield s, np.ascontiguousarray(self.X[s]) if self.copied else self.X[s]

    def _takes(self, *arrays: Array | None) -> bool:
        """Whether the kernels can read the rows, and these arrays with them."""
        return compiled.kernels is not None and not self.rows_apart and compiled.takes(self.dtype, arrays)

    def compiled_sweep(self, what: Any, coef: Array | None, gradient: bool = True) -> Any:
        if self.rows_apart or (what.cells if coef is None else coef).ndim == 2:
            return self._outputs(what, coef, gradient) if what.kernel in compiled.OUTPUT_KERNELS else None
        if coef is None or not gradient or not self._takes(what.y, what.weight, what.raw):
            return None
        self.passes += 1
        w, b = self.split(coef)
        w = np.ascontiguousarray(w)
        p, size, intercept = self.n_features, self.dtype.itemsize, 0.0 if b is None else float(b)

        def task(chunk: slice) -> tuple[Any, ...]:
            value, gradient = 0.0, np.zeros(self.size)
            for s, X in self._rows(chunk):
                y, weight, raw = rows_of(s, what.y, what.weight, what.raw)
                more, total = compiled.kernels.sweep(
                    what.kernel, size, len(X), p, X, w, intercept, y, weight, what.numbers, gradient[:p], raw
                )
                value += more
                if self.fit_intercept:
                    gradient[p] += total
            return value, gradient

        return add_up(self._chunks(task, self.light_rows))

    def _outputs(self, what: Any, coef: Array | None, gradient: bool) -> Any:
        """A compiled sweep for several outputs, or for rows that are apart; None where there is none."""
        shape = (what.cells if coef is None else coef).shape[1:]
        k = shape[0] if shape else 1
        arrays = what.weight, what.cells, what.raw
        known = compiled.kernels is not None and self.legible and compiled.coded(what.y) and k <= compiled.MOST_SWEPT
        if not known or not compiled.takes(self.dtype, arrays):
            return None
        self.passes += 1
        p, size, models = self.n_features, self.dtype.itemsize, what.kernel == compiled.BINOMIAL
        w, b = None, np.zeros(k)
        if coef is not None:
            w, b = self.split(coef)
            w, b = compiled.columns_of(w.reshape(-1, k)), np.zeros(k) if b is None else np.full(k, b)

        def task(chunk: slice) -> tuple[Any, ...] | None:
            value = 0.0
            sums, totals = (np.zeros((k, p)), np.zeros(k)) if gradient else (None, None)
            values = np.zeros(k)
            for s, X in self._rows(chunk):
                y, weight, cells, raw = rows_of(s, what.y, *arrays)
                if models:
                    compiled.kernels.models(size, k, X, w, b, y, weight, sums, totals, values)
                else:
                    value += compiled.kernels.outputs(
                        what.kernel, size, k, X, w, b, y, weight, cells, sums, totals, raw
                    )
            return (values if models else value, sums, totals) if gradient else None

        found: list[Any] = self._chunks(task)
        if not gradient:
            return 0.0, b
        value, sums, totals = add_up(found)
        out = np.empty((self.size, k))
        out[:p] = sums.T
        if self.fit_intercept:
            out[p] = totals
        return value, out.reshape(self.size, *shape)

    def column_sums(self, chunk: slice, shift: Array, weight: Array | None, targets: Array | None) -> Parts:
        if not self._takes(weight) or (targets is not None and targets.ndim > 1):
            return super().column_sums(chunk, shift, weight, targets)
        p, weight_sum = self.n_features, 0.0
        sums, squares = np.zeros(p), np.zeros(p)
        cross = None if targets is None else np.zeros(p)
        for s, X in self._rows(chunk):
            ws, ts = rows_of(s, weight, targets)
            weight_sum += compiled.kernels.columns(X.itemsize, len(X), p, X, shift, ws, ts, sums, squares, cross)
        return sums, squares, weight_sum, 0.0 if cross is None else cross

    def distances(self, chunk: slice, centre: Array, factor: Array, out: Array) -> None:
        if not self._takes():
            super().distances(chunk, centre, factor, out)
            return
        for s, X in self._rows(chunk):
            compiled.kernels.distances(X.itemsize, len(X), self.n_features, X, centre, factor, out[s])

    def _joint_products(self, weight: Array | None, targets: Array | None) -> tuple[Array, Array]:
        """ZᵀWZ with Z = [X T 1] less a shift, and the shift, in one compiled read."""
        self.passes += 1
        n, dtype = self.n_samples, self.dtype
        if targets is not None:
            targets = targets.reshape(n, -1).astype(dtype, copy=False)
        if weight is not None:
            weight = np.ascontiguousarray(weight, dtype=dtype)
        shift = self._joint_shift(weight, targets)
        order = len(shift) + 1

        def task(chunk: slice) -> tuple[Array]:
            out = np.zeros((order, order))
            for s in self._pieces(chunk):
                ts, ws = rows_of(s, targets, weight)
                compiled.kernels.gram(dtype.itemsize, s.stop - s.start, self.X[s], ts, ws, shift, out)
            return (out,)

        # of many columns each chunk has many sums to make, and takes a tenth of its time for them at this many rows
        chunks = min(CHUNKS, max(1, n * order * (order + 4) // CHUNK_PRODUCTS), max(4, n // (CHUNK_ROWS * order)))
        (products,) = add_up(self._chunks(task, -(-n // chunks)))
        if weight is None:
            products /= n
        return products, shift

    def _joint_shift(self, weight: Array | None, targets: Array | None) -> Array:
        """About the mean of the rows of [X T], from a few of them."""
        shift = np.zeros(self.n_features + (0 if targets is None else targets.shape[1]))
        if not self.fit_intercept:
            return shift
        if weight is None and not self.copied:
            few: Any = self._few(None)
            compiled.kernels.middle(self.dtype.itemsize, self.n_samples, few.step, self.X, targets, shift)
            return shift
        shift[: self.n_features] = self.provisional_centre(weight)
        if targets is not None:
            shift[self.n_features :] = finite_mean(targets[self._few(weight)])
        return shift

    def gram(self, weight: Array | None = None, targets: Array | None = None) -> Curvature:
        """As `RowBlocks.gram`; narrow ones in one compiled read."""
        if not self.joint:
            return super().gram(weight, targets)
        products, shift = self._joint_products(weight, targets)
        matrix, weight_sum = products[:-1, :-1], 0.0
        if self.fit_intercept:
            weight_sum, trace = compiled.kernels.about_mean(products, shift)
        else:
            trace = float(np.trace(matrix))
        if targets is not None and not math.isfinite(trace):  # the first pass over the data
            require_finite(matrix.diagonal())
        return Curvature(matrix, shift, weight_sum)

    def coupled_gram(self, p: Array, scaled: Array) -> tuple[Array, Array]:
        """As `RowBlocks.coupled_gram`; of little data by compiled products."""
        if not (self.at_once and self.joint):
            return super().coupled_gram(p, scaled)
        size, passes = self.size, self.passes

        def block(a: int, b: int) -> Array:
            sign = 1.0 if a == b else -1.0  # weights are positive
            return sign * self._joint_products(sign * coupling(p, scaled, a, b), None)[0][:size, :size]

        out = coupled(p.shape[1], size, block)
        self.passes = passes + 1  # as far as memory is concerned
        return out, self.provisional_centre()

    def row_products(self, centre: Array, used: Array) -> Array:
        """Inner products of the rows about a centre, in double precision.

        Parameters
        ----------
        centre : ndarray of shape (n_features,)
        used : ndarray of bool of shape (n_features,)
            The columns that take part.

        Returns
        -------
        products : ndarray of shape (n_samples, n_samples)
        """
        self.passes += 1
        n, p = self.X.shape
        product = SymmetricProduct(n, self.threads)
        width = max(16, shared_bytes(n) // (8 * n))
        buffer = np.empty(n * min(width, p))  # one for all blocks: new memory takes longer than what is put there
        for columns in cut(p, width):
            Z = buffer[: n * (columns.stop - columns.start)].reshape(n, -1)

            def place(rows: slice, columns: slice = columns, Z: Array = Z) -> None:
                np.subtract(self.X[rows, columns], centre[columns], out=Z[rows])

            map_ordered(place, cut(n, max(1, -(-n // 8))), self.threads)
            product.add(Z.T if used[columns].all() else Z.T[used[columns]])
        return product.whole()

    def centred_adjoint(self, residual: Array, centre: Array) -> Array:
        """(X − 1 centreᵀ)ᵀ residual, without the intercept, in double precision."""
        self.passes += 1
        if not self.far and self.dtype == np.float64:
            return np.asarray(self.X.T @ residual - np.multiply.outer(centre, residual.sum(axis=0)))
        out = np.empty((self.n_features, *residual.shape[1:]))
        # about the centre before they are multiplied: what is far from zero would cancel
        for columns in cut(self.n_features, max(256, COLUMN_BYTES // (8 * self.n_samples))):
            np.dot((self.X[:, columns] - centre[columns]).T, residual, out=out[columns])
        return out

    def take(self, rows: Array) -> DenseDesign:
        """The same design on some rows: a copy of few, many where they are."""
        X: Any = Picked(self.X, rows)
        copied = max(COPIED_BYTES, COPIED_VECTORS * self.n_samples * self.dtype.itemsize)
        return DenseDesign(X[:] if X.size * self.dtype.itemsize <= copied else X, self.fit_intercept)


class Picked:
    """Some rows of an array, copied block by block where they are read.

    Parameters
    ----------
    X : array
    rows : ndarray of int
    """

    ndim = 2

    def __init__(self, X: Any, rows: Array) -> None:
        self.X, self.rows, self.dtype = X, rows, X.dtype
        self.shape = len(rows), X.shape[1]
        self.size = len(rows) * X.shape[1]
        self.in_order = isinstance(X, np.ndarray) and X.flags.c_contiguous

    def __getitem__(self, s: slice | Array) -> Array:
        rows = self.rows[s]
        # of other layouts np.take would copy all of X first
        return np.take(self.X, rows, axis=0) if self.in_order else self.X[rows]
