"""X in a SciPy sparse array: centring stays implicit, so nothing becomes dense but blocks of a few rows."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import scipy.sparse as sp

from .. import compiled
from ..costs import PAIR, PLACED, STORED
from ..protocols import Array
from .rows import FAR, Curvature, Parts, RowBlocks, add_up, power_of_two, require_finite
from .threads import cut

__all__ = ["SparseDesign"]


# What the compiled sweep knows.
KERNELS = compiled.PLAIN, compiled.SQUARED, compiled.BINOMIAL, compiled.HUBER, compiled.POISSON, compiled.GIVEN
# Stored values that make a part of a compiled pass worth a thread, see `rows.LIGHT_BYTES`.
PART_VALUES = 1 << 18
# Stored values that tell how they are spread over the columns.
COUNTED = 1 << 16
# The share of a column that is stored, above which its squares are summed about its mean rather than about zero: below, ten rounding
# errors at the most are lost.
NEARLY_FULL = 0.9
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
        self.work = 2.0 * X.nnz  # an index beside every value
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
        self._shifted: Any = None
        parts = int(np.clip(2 * (X.nnz // (2 * max(4 * p, PART_VALUES))), 1, 16))
        self.light_rows = max(1, -(-n // parts))

    def block(self, s: slice) -> tuple[Any, Any]:
        """A chunk of X and its transpose, in double precision."""
        found = self._views.get(s.start)
        if found is None:
            X, stop = self.X, min(s.start + self.block_rows, self.n_samples)
            lo, hi = X.indptr[s.start], X.indptr[stop]
            view = sp.csr_array(
                (X.data[lo:hi].astype(np.float64, copy=False), X.indices[lo:hi], X.indptr[s.start : stop + 1] - lo),
                shape=(stop - s.start, self.n_features),
                copy=False,
            )
            found = view, view.T
            if self.dtype == np.float64:  # a copy otherwise, which is not kept
                self._views[s.start] = found
        return found

    def block_forward(self, block: tuple[Any, Any], w: Array) -> Array:
        return block[0] @ w

    def block_adjoint(self, block: tuple[Any, Any], residual: Array) -> Array:
        return block[1] @ residual

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

    def compiled_sweep(self, what: Any, coef: Array | None, gradient: bool = True) -> Any:
        shape = (what.cells if coef is None else coef).shape[1:]
        numbers: tuple[Any, ...] = what.weight, what.cells, what.raw
        if shape:  # several outputs
            known = (
                what.kernel in compiled.OUTPUT_KERNELS and compiled.coded(what.y) and shape[0] <= compiled.MOST_SWEPT
            )
        else:
            known, numbers = what.kernel in KERNELS, (what.y, *numbers)
        if not known or not self._takes(*numbers):
            return None
        self.passes += 1
        p, (w, b) = self.n_features, (None, None) if coef is None else self.split(coef)
        w = None if w is None else np.ascontiguousarray(w)
        b = np.zeros(shape) if b is None else np.asarray(b, order="C")
        of_samples = what.y, what.weight, what.cells

        def task(chunk: slice) -> tuple[Any, Any]:
            out = np.zeros((self.size, *shape)) if gradient else None
            into: Any = None if out is None else out[:p]
            if shape:
                totals = None if out is None else np.zeros(shape)
                if what.kernel == compiled.BINOMIAL:
                    value = np.zeros(shape)
                    parts = *self._rows(chunk), w, b, what.y, what.weight, into, totals, value
                    compiled.kernels.sparse_models(shape[0], *parts)
                else:
                    value = compiled.kernels.sparse_outputs(
                        what.kernel, shape[0], *self._rows(chunk), w, b, *of_samples, into, totals, what.raw
                    )
            else:
                value, totals = compiled.kernels.sparse_sweep(
                    what.kernel,
                    *self._rows(chunk),
                    w,
                    float(b),
                    what.y,
                    what.weight,
                    what.numbers,
                    what.cells,
                    into,
                    what.raw,
                )
            if out is None:
                return value, 0.0
            if self.fit_intercept:
                out[p] = totals
            return value, out

        return add_up(self._chunks(task, self.output_rows if shape else self.light_rows), in_place=True)

    @functools.cached_property
    def pairs(self) -> float | None:  # type: ignore[override]
        """Pairs of values of a row, in all rows, where these make a symmetric product; None where dense rows do."""
        if not (self._takes() and self.X.has_canonical_format):
            return None
        counts = np.diff(self.X.indptr).astype(np.float64)
        pairs = 0.5 * float(np.vdot(counts, counts + 1))
        return pairs if pairs < DENSE_ENTRY * self.n_samples * self.n_features**2 else None

    def product_cost(self, outputs: int = 1) -> float:
        return STORED * self.X.nnz * outputs

    @property
    def gram_cost(self) -> float:
        if self.pairs is None:
            return super().gram_cost
        return PAIR * self.pairs + 3 * PLACED * self.n_features**2

    @functools.cached_property
    def row_products_cost(self) -> float:  # type: ignore[override]
        # A pair of a column's values is an entry of a sparse product, which is then made dense. Counted on every so many values: counts of
        # these have a variance of their own, which the squares have beside them.
        step = max(1, self.X.nnz // COUNTED)
        counts = step * np.bincount(self.X.indices[::step], minlength=self.n_features).astype(np.float64)
        pairs = max(float(np.vdot(counts, counts)) - (step - 1) * float(counts.sum()), float(self.X.nnz))
        return 7 * PAIR * pairs + PLACED * self.n_samples**2

    def gram(self, weight: Any = None, targets: Any = None) -> Curvature:
        """As `RowBlocks.gram`; of few stored values by their pairs."""
        found = None if self.pairs is None else self._pair_gram(weight, self.pairs)
        if found is None:
            return super().gram(weight, targets)
        p, (sums, centre, weight_sum) = self.n_features, found
        if targets is None:
            return Curvature(sums[:p, :p], centre, weight_sum)
        targets = targets.reshape(self.n_samples, -1).astype(np.float64, copy=False)
        middle = np.average(targets, axis=0, weights=weight) if self.fit_intercept else np.zeros(targets.shape[1])
        targets = targets - middle
        cross = np.zeros((self.n_features, targets.shape[1]))
        for k, column in enumerate(targets.T):
            cross[:, k] = self.moments(weight, np.ascontiguousarray(column)).cross
        require_finite(sums.diagonal()[:p])
        heavy = targets if weight is None else targets * weight[:, None]
        own = heavy.T @ targets / (self.n_samples if weight is None else 1)
        size = p + targets.shape[1]
        if size > len(sums):
            sums, columns = np.empty((size, size)), sums
            sums[:p, :p] = columns[:p, :p]
        sums[:p, p:], sums[p:, :p], sums[p:, p:] = cross, cross.T, own
        return Curvature(sums, np.concatenate([centre, middle]), weight_sum)

    def _pair_gram(self, weight: Any, pairs: float) -> tuple[Array, Array, float] | None:
        """The Gram matrix from pairs of stored values, with room for a target's row and column, the centre and the weight sum.

        None where the pairs would lose digits.
        """
        n, p = self.n_samples, self.n_features
        w = None if weight is None else np.ascontiguousarray(weight, dtype=self.dtype)
        self.passes += 1

        def task(chunk: slice) -> tuple[Array]:
            out = np.zeros((p + 1, p + 1))
            compiled.kernels.sparse_gram(*self._rows(chunk), w, out)
            return (out,)

        chunks = power_of_two(pairs // max(4 * p * p, CHUNK_PRODUCTS))
        (out,) = add_up(self._chunks(task, max(1, -(-n // chunks))), in_place=True)
        if weight is None:
            out /= n
        squares, weight_sum = out.diagonal()[:p].copy(), float(out[p, p])
        matrix = symmetric(out[:p, :p])
        if not self.fit_intercept:
            return out, np.zeros(p), 0.0
        centre = out[p, :p] / (weight_sum or 1.0)
        for lines in cut(p, 64):  # no matrix beside it
            matrix[lines] -= np.multiply.outer(weight_sum * centre[lines], centre)
        # of columns (almost) without a zero, far from it, what varies would be lost in rounding errors
        return (out, centre, weight_sum) if (matrix.diagonal() >= LEFT * squares).all() else None

    def block_dense(self, s: slice | Array) -> Array:
        return self.X[s].toarray()

    def take(self, rows: Array) -> SparseDesign:
        """The same design on a copy of some rows."""
        return SparseDesign(self.X[rows], self.fit_intercept)

    def _about(self, centre: Array) -> tuple[Any, Array]:
        """X in double precision with the columns that have no zero about their centre, and what the others' centres are.

        Of a column that has a zero the mean is at most √n of its spread: about zero nothing cancels that double precision cannot spare.
        """
        if self._shifted is None or self._shifted[0] is not centre:
            X = self.X
            shift = np.zeros(self.n_features)
            if X.has_canonical_format:
                full = np.bincount(X.indices, minlength=self.n_features) == self.n_samples
                shift[full] = centre[full]
            data = X.data - shift[X.indices]
            about = sp.csr_array((data, X.indices, X.indptr), shape=X.shape, copy=False)
            self._shifted = centre, about, centre - shift
        return self._shifted[1:]

    def row_products(self, centre: Array, used: Array) -> Array:
        """Inner products of the rows, as `DenseDesign.row_products`."""
        self.passes += 1
        about, rest = self._about(centre)
        about = about if used.all() else about[:, used]
        rest = rest[used]
        products = (about @ about.T).toarray()
        along = about @ rest
        products -= along
        products -= along[:, None]
        products += rest @ rest
        return products

    def centred_adjoint(self, residual: Array, centre: Array) -> Array:
        """(X − 1 centreᵀ)ᵀ residual, as `DenseDesign.centred_adjoint`."""
        self.passes += 1
        about, rest = self._about(centre)
        return about.T @ residual - np.multiply.outer(rest, residual.sum(axis=0))

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
        weight_sum = 1.0 if weight is None else float(weight.sum(dtype=np.float64))
        add = self._column_sums if self._takes(weight) and (targets is None or targets.ndim == 1) else self._numpy_sums
        held, sums, squares, cross = add(weight, targets, None)
        if not self.fit_intercept:
            self.far = False
            return Curvature(squares, np.zeros(p), 0.0, cross)
        self._centre = centre = sums / weight_sum
        # By Cauchy's inequality the square of the sum is at most `held` times the squares: what is left of them is at least their share
        # that the zeros have in the column.
        if (held > NEARLY_FULL * weight_sum).any():
            # less than rounding errors of its sum is no row without the column: a far centre would multiply them
            zeros = np.where(held < (1 - 1e-13) * weight_sum, weight_sum - held, 0.0)
            # about the centre as it is, a rounding error from the mean; of zeros their distance is the centre's
            _, rest, squares, _ = add(weight, None, centre)
            rest -= zeros * centre
            squares = np.maximum(squares + zeros * centre**2 - rest**2 / weight_sum, 0.0)
        else:
            squares -= weight_sum * centre**2
        self.far = bool((centre**2 > FAR**2 * squares).any())
        return Curvature(squares, centre, weight_sum, cross)

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
        # of no values at all NumPy counts in integers
        sums = (
            *(np.bincount(X.indices, part, p).astype(np.float64, copy=False) for part in (w, w * Z, w * Z * Z)),
            cross,
        )
        # whole numbers of rows up to here, so that a column that is stored everywhere is known to be
        return sums if weight is not None else tuple(None if total is None else total / n for total in sums)


def symmetric(lower: Array) -> Array:
    """A matrix, in its own memory, whose lower triangle is known and whose upper one is zero."""
    for tile in cut(len(lower), 256):  # a few at a time stay in the cache
        lower[tile, tile.stop :] = lower[tile.stop :, tile].T
        corner = lower[tile, tile]
        diagonal = corner.diagonal().copy()
        corner += corner.T
        np.einsum("ii->i", corner)[:] = diagonal
    return lower
