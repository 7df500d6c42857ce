"""Passes over X by row blocks: what every kind of storage in memory shares.

Two uses: `dense.DenseDesign`, `sparse.SparseDesign`. A storage says how a block of its rows is multiplied; the rest,
the order of the sums, the threads, the implicit column of ones, is here.

Coefficients have shape (n_features + fit_intercept,) or (n_features + fit_intercept, n_outputs), the intercept last;
raw predictions (n_samples,) or (n_samples, n_outputs). "weight" is None or one factor a sample, and then a factor 1/n
is meant by None, so that every sum below is a mean.

Rows are cut into chunks, and chunks into blocks, by the shape of X alone. A block fits in a core's cache, so that
several operations on it read memory once; a chunk is what one thread takes at a time; the chunks' sums are added in their
order. So a result does not depend on the number of threads.

Products of X are made and added up in double precision, whatever it holds: numbers in float32 are converted block by block.
What is as long as there are samples is kept in the precision of X; its rounding errors are independent of each other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from .. import compiled
from ..costs import DenseCosts
from ..protocols import Array
from .products import SingleProduct, SymmetricProduct, lower_triangle
from .threads import cut, map_ordered, n_threads, quiet

__all__ = ["Curvature", "RowBlocks", "add_up", "finite_mean", "power_of_two"]

R = TypeVar("R")
#: What one chunk adds to a sum: floats and small arrays.
Parts: TypeAlias = tuple[Any, ...]

# About the 1 to 2 MB of second-level cache that a core has today: the block is read twice while it is there. Measured
# on two threads, over the time of X @ w with two BLAS threads (float64; p = 20, 100, 1000, 2000): 128 KB 1.8 to 4.7,
# 256 KB 1.3 to 2.3, 512 KB 1.2 to 1.6, 1 MB 1.1 to 1.5. All with np.dot: np.matmul keeps the interpreter's lock where the
# result has fewer than 500 entries, and two threads then take turns.
BLOCK_BYTES = 1024 * 1024
# Rows of narrow blocks: their predictions, and what a loss makes of them, are in the cache with them.
MOST_ROWS = 1 << 14
# Rows of a block of contiguous columns: short pieces of them waste cache lines and address translations. Those of float32 numbers are
# copied, and fewer.
COLUMN_ROWS, COPIED_ROWS = 1024, 256
# Rows of a block for work on predictions alone, about ten arrays of 8 bytes a row: in 8192 the interpreter's share shows,
# 32,768 leave the second-level cache. Fewer rows altogether are worked on at once.
PREDICTION_ROWS = 16384
# Fewer chunks than this leave threads idle at the end of a pass, more cost sums of coefficient size.
CHUNKS = 16
# Rows of a chunk at the least, where that leaves as many for two threads: its sums, up to three numbers a column in new memory, are then a
# tenth of what it reads.
LEAST_ROWS = 32
# Predictions up to which sums and differences of them are made on one thread: 0.1 ms of 130,000, 0.3 of 260,000.
LIGHT_PREDICTIONS = 1 << 18
# A copy of rows, centred and weighted, that a threaded product is made of.
GRAM_BYTES = 1 << 24
# Columns up to which each thread multiplies rows of its own: every one of them sums p² numbers. Measured, two threads: in double precision
# 0.14 s at 50,000 × 500, and 0.21 by tiles of columns; 85 and 94 ms at 10,000 × 700, but with three matrices more; at 20,000 × 2,000 1.6
# and 1.1 s. In low precision fits of 50,000 × 500 took 94 ms (least squares) and 137 (logistic), and 109 and 173 with shared blocks of
# 2 MB, at which threads wait for each other; a product of 10,000 × 1,000 29 ms, and 17 with shared ones.
ROWS_APART = 640
# Numbers of a sum from which rows are summed apart in two chunks rather than four: a machine with more threads than that gets less of
# them, and no more memory.
LARGE_SUM = 1 << 17
# What a centre that is off adds to the smallest eigenvalues of a low-precision matrix, about the square of its rounding errors.
NEAR_CENTRE = 2.0**-18
# Below this many bytes a pass takes less time than waking a thread up (about 50 µs).
SERIAL_BYTES = 1 << 20
# The same of a pass for one vector in a compiled kernel: of 30,000 × 23 0.39 ms on one thread, and 0.45 on two; of 65,000 × 23 0.75
# and 0.60. From there on chunks of half as much: of more, smaller ones 0.8 ms became 1.0.
LIGHT_BYTES = 1 << 23


# Spreads from zero at which products about zero lose three digits that products about the centre keep.
FAR = 1e3


class NotFiniteError(ValueError):
    """The first pass over X met NaN, infinity, or numbers whose squares overflow."""


class Curvature(NamedTuple):
    """Second moments of the rows about their weighted mean.

    Attributes
    ----------
    matrix : ndarray of shape (p, p) or (p,)
        Σ wᵢ (xᵢ − c)(xᵢ − c)ᵀ, or its diagonal.
    centre : ndarray of shape (p,)
        c = Σ wᵢ xᵢ / Σ wᵢ with an intercept, 0 without.
    weight_sum : float
        Σ wᵢ with an intercept, 0 without.
    cross : ndarray of shape (p,) or (p, n_targets), or None
        Σ wᵢ xᵢ tᵢ where targets t were given, which are about zero.
    """

    matrix: Array
    centre: Array
    weight_sum: Any
    cross: Array | None = None


def power_of_two(most: float) -> int:
    """The largest up to `most`, from 1 to the chunks of a pass."""
    return 1 << int(np.clip(most, 1, CHUNKS)).bit_length() - 1


def require_finite(squares: Array) -> None:
    """Refuse sums of squares that are not finite: something in X is not."""
    if not np.isfinite(squares).all():
        raise NotFiniteError("X contains NaN, infinity or a value whose square is too large for float64.")


def about_mean(design: Any, weight: Any, shift: Array, matrix: Array, sums: Any, weight_sum: Any) -> Curvature:
    """Second moments about the rows' mean from sums about a shift, in the matrix's memory.

    Parameters
    ----------
    design : design
    weight : object
        None where the sums are to be divided by the number of samples.
    shift : ndarray of shape (p,)
    matrix : ndarray of shape (p, p) or (p,)
        The sum of the products, or of the squares.
    sums : ndarray of shape (p,)
        Of the rows; without an intercept nobody asks for them.
    weight_sum : float
    """
    if weight is None:
        matrix /= design.n_samples
        sums, weight_sum = sums / design.n_samples, weight_sum / design.n_samples
    if not design.fit_intercept:
        return Curvature(matrix, np.zeros(len(matrix)), 0.0)
    offset = sums / (weight_sum or 1.0)
    if matrix.ndim == 1:
        matrix -= weight_sum * offset**2
        return Curvature(np.maximum(matrix, 0.0, out=matrix), shift + offset, weight_sum)
    for lines in cut(len(matrix), 64):  # no matrix beside it
        matrix[lines] -= weight_sum * np.multiply.outer(offset[lines], offset)  # symmetric to the last bit
    return Curvature(matrix, shift + offset, weight_sum)


def coupled(k: int, size: int, block: Callable[[int, int], Array]) -> Array:
    """A symmetric matrix over k outputs, of symmetric blocks: shape (k, size, k, size)."""
    out = np.empty((k, size, k, size))
    for a in range(k):
        for b in range(a + 1):
            out[a, :, b] = out[b, :, a] = block(a, b)
    return out


def coupling(p: Any, scaled: Any, a: int, b: int) -> Any:
    """The second derivative of the multinomial log loss in two outputs: a number a sample, times its weight."""
    return scaled[:, a] * (1 - p[:, a]) if a == b else -scaled[:, a] * p[:, b]


def finite_mean(rows: Array) -> Array:
    """The mean of rows, 0 where it is not finite: such an entry is reported by the pass that meets it, not hidden in a shift."""
    with np.errstate(all="ignore"):
        mean = rows.sum(axis=0, dtype=np.float64) / len(rows)
    return np.where(np.isfinite(mean), mean, 0.0)


class LinearMap(DenseCosts):
    """What every design knows of X, wherever that lives.

    Parameters
    ----------
    X : array or collection of shape (n_samples, n_features)
    fit_intercept : bool
    """

    sweep: Any

    def __init__(self, X: Any, fit_intercept: bool) -> None:
        self.X = X
        self.fit_intercept = fit_intercept
        self.n_samples, self.n_features = X.shape
        self.dtype = X.dtype
        self.size = self.n_features + fit_intercept
        self.passes = 0.0
        # floating-point operations of one product with one vector, the unit in which costs are compared
        self.work = float(self.n_samples * self.n_features)

    def normal(self, coef: Array, weight: Any) -> Array:
        """[X 1]ᵀ W [X 1] coef in one read of X."""
        out = self.sweep(Plain(weight), coef)[1]
        return out / self.n_samples if weight is None else out


class RowBlocks(LinearMap):
    """A design whose rows are in memory.

    Subclasses give `block(s)`, `block_forward(block, coef)`, `block_adjoint(block, residual)`, `block_dense(s)`, `take(rows)`, and
    may give a faster `forward` or `moments`.
    """

    where = "memory"
    most_rows = MOST_ROWS  # of a block that a thread reads for products of its columns

    def __init__(self, X: Any, fit_intercept: bool, row_bytes: float) -> None:
        super().__init__(X, fit_intercept)
        self._centre: Array | None = None
        self.far = True  # whether some column's centre is far from zero beside its spread; `moments` tell
        n = self.n_samples
        rows = min(max(1, int(BLOCK_BYTES * X.dtype.itemsize / (8 * max(row_bytes, 1)))), MOST_ROWS)
        # of arrays alone: sparse rows, and those that are copied where they are read, are next to each other
        self.rows_apart = isinstance(X, np.ndarray) and not X.flags.c_contiguous
        if self.rows_apart:
            rows = max(rows, COLUMN_ROWS if X.dtype == np.float64 else COPIED_ROWS)
        self.block_rows = min(rows, max(n, 1))
        n_blocks = -(-n // self.block_rows)
        # a power of two, so that each of as many threads gets as much as the others
        self.most_chunks = power_of_two(n // LEAST_ROWS)
        self.chunk_rows = self.light_rows = self.block_rows * -(-n_blocks // self.most_chunks)
        self.one_block = n <= PREDICTION_ROWS  # predictions of all samples at once
        self.streams = n * row_bytes > SERIAL_BYTES  # a pass reads memory, not a cache
        self.at_once = self.one_block and not self.streams  # products with all rows at once, too

    @functools.cached_property
    def threads(self) -> int:
        """Threads of a pass; asking for them takes as long as a small one."""
        return n_threads() if self.streams else 1

    # -- what a storage adds ------------------------------------------------------------------------------------

    def block(self, s: slice) -> Any:
        """X[s] in double precision, as the products below take it."""
        raise NotImplementedError

    def block_forward(self, block: Any, w: Array) -> Array:
        """X[s] @ w."""
        raise NotImplementedError

    def block_adjoint(self, block: Any, residual: Array) -> Array:
        """X[s].T @ residual."""
        raise NotImplementedError

    def block_dense(self, s: slice | Array) -> Array:
        """X[s] as a NumPy array."""
        raise NotImplementedError

    def take(self, rows: Array) -> RowBlocks:
        """The same design on a copy of some rows."""
        raise NotImplementedError

    # -- the shape of a pass ----------------------------------------------------------------------------------

    def in_turn(self, rows: int) -> Iterable[slice]:
        """Slices of about so many rows, for whoever goes through them one after the other."""
        return cut(self.n_samples, rows)

    def _chunks(self, task: Callable[[slice], R], chunk_rows: int | None = None) -> list[R]:
        if self.n_samples <= (chunk_rows or self.chunk_rows):
            return [task(slice(0, self.n_samples))]
        return map_ordered(task, cut(self.n_samples, chunk_rows or self.chunk_rows), self.threads)

    def _blocks(self, chunk: slice) -> Iterator[slice]:
        return _sub(chunk, self.block_rows)

    def over_predictions(self, task: Callable[[slice], Parts]) -> Parts:
        """Sum `task(slice)`, a tuple of floats and small arrays, over the samples; nothing of X is read."""
        if self.one_block:
            return task(slice(0, self.n_samples))

        def chunk_task(chunk: slice) -> Parts:
            return add_up(task(s) for s in _sub(chunk, PREDICTION_ROWS))

        return add_up(self._prediction_chunks(chunk_task, self.threads))

    def each_prediction(self, task: Callable[[slice], None]) -> None:
        """Call `task(slice)`, a few operations on a number each, on blocks of samples that together are all of them."""
        if self.one_block:
            task(slice(0, self.n_samples))
            return

        def chunk_task(chunk: slice) -> None:
            for s in _sub(chunk, PREDICTION_ROWS):
                task(s)

        self._prediction_chunks(chunk_task, self.threads if self.n_samples > LIGHT_PREDICTIONS else 1)

    def _prediction_chunks(self, task: Callable[[slice], R], threads: int) -> list[R]:
        size = PREDICTION_ROWS * max(1, -(-self.n_samples // (PREDICTION_ROWS * CHUNKS)))
        return map_ordered(task, cut(self.n_samples, size), threads)

    # -- the linear map -----------------------------------------------------------------------------------------

    def split(self, coef: Array) -> tuple[Array, Any]:
        """Coefficients in double precision, and the intercept or None."""
        coef = coef.astype(np.float64, copy=False)
        return (coef[:-1], coef[-1]) if self.fit_intercept else (coef, None)

    def forward(self, coef: Array) -> Array:
        """Raw predictions X @ w + b."""
        out = np.empty((self.n_samples, *coef.shape[1:]), dtype=self.dtype)
        if self.compiled_sweep(Plain(None, out), coef, gradient=False) is not None:
            return out
        w, b = self.split(coef)
        self.passes += 1
        if self.at_once:
            return self._raw(self.block(slice(0, self.n_samples)), w, b).astype(self.dtype, copy=False)

        def task(chunk: slice) -> None:
            for s in self._blocks(chunk):
                out[s] = self._raw(self.block(s), w, b)

        self._chunks(task)
        return out

    def _raw(self, block: Any, w: Array, b: Any) -> Array:
        raw = self.block_forward(block, w)
        if b is not None:
            raw += b
        return raw

    def sweep(self, pointwise: Callable[..., tuple[float, Array]], coef: Array | None = None) -> tuple[float, Array]:
        """One read of X: predictions of a block, `pointwise` of them, and the adjoint of the residual it returns.

        Parameters
        ----------
        pointwise : callable (slice, raw or None) -> (float, residual)
            One that has a ``kernel`` has all that compiled sweeps read, as `Plain`, and is then not called where there is such a sweep.
        coef : ndarray or None
            None where `pointwise` knows the predictions already.

        Returns
        -------
        value : float
            The sum of the floats.
        gradient : ndarray like the coefficients
            [X 1]ᵀ residual.
        """
        if getattr(pointwise, "kernel", None) is not None:
            found = self.compiled_sweep(pointwise, coef)
            if found is not None:
                return found
        self.passes += 1
        if coef is None and self.at_once:
            value, residual = pointwise(slice(0, self.n_samples), None)
            gradient = np.empty((self.size, *residual.shape[1:]))
            gradient[: self.n_features] = self.block_adjoint(self.block(slice(0, self.n_samples)), residual)
            if self.fit_intercept:
                np.add.reduce(residual, axis=0, dtype=np.float64, out=gradient[self.n_features, ...])
            return value, gradient
        w: Any = None
        b: Any = None
        if coef is not None:
            w, b = self.split(coef)

        def task(chunk: slice) -> Parts:
            total, gradient, count = 0.0, None, 0.0
            for s in self._blocks(chunk):
                block = self.block(s)
                value, residual = pointwise(s, None if coef is None else self._raw(block, w, b))
                total += value
                part = self.block_adjoint(block, residual)
                if gradient is None:
                    gradient = part
                else:
                    gradient += part
                del block  # before there is another
                if self.fit_intercept:
                    count = count + residual.sum(axis=0, dtype=np.float64)
            return total, gradient, count

        value, gradient, count = add_up(self._chunks(task))
        if self.fit_intercept:
            gradient = np.concatenate([gradient, np.reshape(count, (1, *gradient.shape[1:]))])
        return value, gradient

    def compiled_sweep(self, what: Any, coef: Array | None, gradient: bool = True) -> Any:
        """`sweep` by a kernel, or None where there is none; without the gradient, only predictions go to ``what.raw``.

        Parameters
        ----------
        what : object
            ``kernel``, an entry of the compiled table, and the arrays ``y``, ``weight``, ``cells`` and ``raw``, each None where the kernel
            reads none.
        coef : ndarray or None
        gradient : bool
        """
        return None

    def columns(self, chosen: Array) -> Array:
        """Some columns as a NumPy array, in double precision."""
        self.passes += 1
        return np.concatenate(
            [self.block_dense(s)[:, chosen].astype(np.float64) for s in self.in_turn(self.block_rows)]
        )

    # -- second moments -----------------------------------------------------------------------------------------

    def provisional_centre(self, weight: Array | None = None) -> Array:
        """About the mean of the rows, from a few of them: subtracting it leaves nothing large to cancel."""
        if self._centre is None:
            self._centre = self._mean_of_few(weight)
        return self._centre

    def _mean_of_few(self, weight: Array | None) -> Array:
        return finite_mean(self.block_dense(self._few(weight))) if self.fit_intercept else np.zeros(self.n_features)

    def _few(self, weight: Array | None) -> slice | Array:
        """About 64 rows that have weight: those without are not there, theirs may be any numbers.

        Their mean is within √(n/64) standard deviations of that of all n rows, whatever these are: second moments about it are
        exact to n/64 rounding errors at the worst, and to one as a rule.
        """
        if weight is None:
            return slice(0, self.n_samples, max(1, self.n_samples // 64))
        few = np.flatnonzero(weight)
        return few[:: max(1, len(few) // 64)]

    def gram(self, weight: Any = None, targets: Any = None) -> Curvature:
        """Second moments of the rows, and of the targets with them, in one read of X.

        Parameters
        ----------
        weight : None or ndarray of shape (n_samples,)
        targets : None or ndarray of shape (n_samples,) or (n_samples, n_targets)
            Treated as further columns.

        Returns
        -------
        Curvature
            Of the columns, and the targets behind them.
        """
        self.passes += 1
        shift = self.provisional_centre(weight)
        if targets is not None:
            targets = targets.reshape(self.n_samples, -1)
            middle = np.average(targets, axis=0, weights=weight) if self.fit_intercept else np.zeros(targets.shape[1])
            shift = np.concatenate([shift, middle])
        total = len(shift)
        about = About(shift, targets, None if weight is None else np.sqrt(weight, dtype=np.float64), self.fit_intercept)
        products = self._products_apart if total <= ROWS_APART else self._products_shared
        with quiet(self):
            matrix, sums, weight_sum = products(about, total)
        if targets is not None:  # the first pass over the data
            require_finite(matrix.diagonal())
        return about_mean(self, weight, shift, matrix, sums, weight_sum)

    def _products_apart(self, about: About, total: int) -> Parts:
        """The sums of `About` and of its products, each thread's of rows of its own."""
        rows = max(256, BLOCK_BYTES // (8 * total))

        def task(chunk: slice) -> Parts:
            out, sums, weight_sum = np.zeros((total, total)), np.zeros(total), 0.0
            for s in _sub(chunk, rows):
                Z, more, heavier = about(s, self.block_dense(s))
                # scipy.linalg.blas.dsyrk, which adds in place, keeps the interpreter's lock: two threads took 1.7 times as long
                out += np.dot(Z.T, Z)
                sums += more
                weight_sum += heavier
                del Z  # before there is another
            return out, sums, weight_sum

        # p² numbers a chunk: no more chunks than threads need
        chunks = 2 if total * total > LARGE_SUM else 4
        return add_up(self._chunks(task, max(rows, -(-self.n_samples // chunks))), in_place=True)

    def _products_shared(self, about: About, total: int) -> Parts:
        """The same by tiles of columns, which threads share."""
        product, sums, weight_sum = SymmetricProduct(total, self.threads), 0.0, 0.0
        for s in self.in_turn(max(256, min(GRAM_BYTES, 6 * total * total) // (8 * total))):
            block = self.block_dense(s)
            Z = np.empty((len(block), total))

            def place(part: slice, s: slice = s, block: Array = block, Z: Array = Z) -> Parts:
                here = slice(s.start + part.start, s.start + part.stop)
                Z[part], *more = about(here, block[part])
                return tuple(more)

            more = add_up(map_ordered(place, cut(len(block), 256), self.threads))
            product.add(Z)
            sums, weight_sum = sums + more[0], weight_sum + more[1]
            del Z, place  # before there is another
        return product.whole(), sums, weight_sum

    def gram_along(self, basis: Array, weight: Array | None = None) -> Array:
        """Second moments about their mean of the rows' products with a few vectors, in double precision, in one read of X.

        Parameters
        ----------
        basis : ndarray of shape (n_features, k)
        weight : None or ndarray of shape (n_samples,)

        Returns
        -------
        ndarray of shape (k, k)
        """
        self.passes += 1
        centre, k = self.provisional_centre(weight), basis.shape[1]

        def task(chunk: slice) -> Parts:
            out, sums, weight_sum = np.zeros((k, k)), np.zeros(k), 0.0
            for s in _sub(chunk, max(64, BLOCK_BYTES // (8 * max(k, self.n_features)))):
                Z = np.dot(np.subtract(self.block_dense(s), centre, dtype=np.float64), basis)
                w = np.ones(len(Z)) if weight is None else weight[s].astype(np.float64)
                weight_sum += float(w.sum())
                sums += np.dot(w, Z)
                Z *= np.sqrt(w)[:, None]
                out += np.dot(Z.T, Z)
            return out, sums, weight_sum

        with quiet(self):
            out, sums, weight_sum = add_up(self._chunks(task, max(self.block_rows, -(-self.n_samples // 2))))
        if self.fit_intercept:
            out -= np.multiply.outer(sums / weight_sum, sums)
        return out / self.n_samples if weight is None else out

    def low_gram(self, weight: Any, centre: Array, unit: Array) -> Curvature:
        """Second moments of the rows as exact as a metric needs them, see `products`, in one read of X.

        Parameters
        ----------
        weight : None or ndarray of shape (n_samples,)
        centre : ndarray of shape (n_features,)
            About the mean, whatever the weights.
        unit : ndarray of shape (n_features,)
            About the columns' spread: so float32 holds any of them. 0 leaves a column out.

        Returns
        -------
        Curvature
            Its matrix in these units, in float32, by columns, its lower triangle alone.
        """
        self.passes += 1
        n, p, intercept = self.n_samples, self.n_features, self.fit_intercept
        inverse = np.divide(1.0, unit, out=np.zeros_like(unit), where=unit > 0).astype(self.dtype)
        centre = centre.astype(self.dtype)

        def add(product: Any, s: slice) -> None:
            rows = self.block_dense(s)
            share = np.full(len(rows), 1 / n) if weight is None else weight[s]
            roots = np.sqrt(share, dtype=self.dtype)  # of a block: one vector of n_samples less
            product.add(rows, centre, inverse, roots)

        if p <= ROWS_APART:

            def task(chunk: slice) -> Parts:
                product = SingleProduct(p, 1, intercept)
                for s in _sub(chunk, min(product.rows, self.most_rows)):
                    add(product, s)
                return (product.sum,)

            chunks = 2 if p * p > LARGE_SUM else 4
            (total,) = add_up(self._chunks(task, max(2048, -(-n // chunks))), in_place=True)
        else:
            product = SingleProduct(p, self.threads, intercept)
            for s in self.in_turn(product.rows):
                add(product, s)
            total = product.sum
        if not intercept:
            return Curvature(lower_triangle(total, p), np.zeros(p), 0.0)
        weight_sum = 1.0 if weight is None else float(weight.sum(dtype=np.float64))
        rounded = total[p, p]  # as the sums are, so that what is left stays positive semidefinite
        offset = total[:p, p] / rounded
        matrix = lower_triangle(total, p)
        if weight_sum * float(offset @ offset) > NEAR_CENTRE:
            for part in cut(p, 64):
                matrix[part.start :, part] -= np.outer(rounded * offset[part.start :], offset[part])
        return Curvature(matrix, centre.astype(np.float64) + offset * unit, weight_sum)

    def coupled_gram(self, p: Array, scaled: Array) -> tuple[Array, Array]:
        """Σᵢ (diag(scaledᵢ) − scaledᵢ pᵢᵀ) ⊗ [x̃ᵢ 1][x̃ᵢ 1]ᵀ with x̃ the rows about a provisional centre.

        Parameters
        ----------
        p, scaled : ndarray of shape (n_samples, n_outputs)
            Probabilities, and the same times the sample's weight.

        Returns
        -------
        matrix : ndarray of shape (n_outputs, size, n_outputs, size)
        centre : ndarray of shape (n_features,)
        """
        self.passes += 1
        k, size = p.shape[1], self.size
        centre = self.provisional_centre()

        def block(s: slice) -> Parts:
            Z = np.subtract(self.block_dense(s), centre, dtype=np.float64)
            if self.fit_intercept:
                Z = np.concatenate([Z, np.ones((Z.shape[0], 1))], axis=1)
            here, heavy = p[s], scaled[s]
            return (coupled(k, size, lambda a, b: np.dot(Z.T, Z * coupling(here, heavy, a, b)[:, None])),)

        def task(chunk: slice) -> Parts:
            return add_up(block(s) for s in _sub(chunk, max(64, BLOCK_BYTES // (8 * size))))

        chunk_rows = max(self.block_rows, -(-self.n_samples // 2))
        return add_up(self._chunks(task, chunk_rows))[0], centre

    def moments(self, weight: Array | None = None, targets: Array | None = None) -> Curvature:
        """The diagonal of `gram`, and products with targets of mean zero, in one read of X."""
        self.passes += 1
        shift = self.provisional_centre(weight)
        sums, squares, weight_sum, cross = add_up(
            self._chunks(lambda chunk: self.column_sums(chunk, shift, weight, targets), self.light_rows)
        )
        require_finite(squares)
        found = about_mean(self, weight, shift, squares, sums, weight_sum)
        if self.fit_intercept:
            self._centre = found.centre
            self.far = bool((found.centre**2 > FAR**2 * found.matrix).any())
        if targets is None:
            return found
        return found._replace(cross=cross / self.n_samples if weight is None else cross)

    def row_spread(self, moments: Curvature) -> Array:
        """Mean square of the standardised features of each row: how far it lies from the centre."""
        self.passes += 1
        inverse = np.zeros(self.n_features)
        np.divide(1.0, self.n_features * moments.matrix, out=inverse, where=moments.matrix > 0)
        out = np.empty(self.n_samples)

        self._chunks(lambda chunk: self.distances(chunk, moments.centre, inverse, out), self.light_rows)
        return out

    def column_sums(self, chunk: slice, shift: Array, weight: Array | None, targets: Array | None) -> Parts:
        """Sums over a chunk of the rows about a shift, of their squares, of the weights, and of products with targets."""

        def block(s: slice) -> Parts:
            # float64: squares of small float32 numbers would vanish, of large ones overflow
            Z = np.subtract(self.block_dense(s), shift, dtype=np.float64)
            w = np.ones(Z.shape[0]) if weight is None else weight[s].astype(np.float64, copy=False)
            sums = np.dot(w, Z) if self.fit_intercept else 0.0
            cross = 0.0 if targets is None else np.dot((targets[s].T * w), Z).T
            Z *= Z
            return sums, np.dot(w, Z), float(w.sum()), cross

        return add_up(block(s) for s in self._blocks(chunk))

    def distances(self, chunk: slice, centre: Array, factor: Array, out: Array) -> None:
        """Fill a chunk of `out` with the rows' squared distances from a centre, each column's times its factor."""
        for s in self._blocks(chunk):
            Z = np.subtract(self.block_dense(s), centre, dtype=np.float64)
            Z *= Z
            np.dot(Z, factor, out=out[s])
            del Z  # before there is another


class About:
    """A block of rows about a shift, targets behind it, times the roots of the weights; with its column sums and its weight.

    Parameters
    ----------
    shift : ndarray of shape (p + n_targets,)
    targets : ndarray of shape (n_samples, n_targets) or None
    root : ndarray of shape (n_samples,) or None
        Of the weights.
    fit_intercept : bool
        Without, the shift is zero and nobody asks for the sums.
    """

    def __init__(self, shift: Array, targets: Array | None, root: Array | None, fit_intercept: bool) -> None:
        self.shift, self.targets, self.root, self.fit_intercept = shift, targets, root, fit_intercept

    def __call__(self, s: slice, Z: Array) -> Parts:
        if self.targets is not None:
            p = Z.shape[1]
            joined = np.empty((Z.shape[0], len(self.shift)))
            np.subtract(Z, self.shift[:p], out=joined[:, :p], dtype=np.float64)
            np.subtract(self.targets[s], self.shift[p:], out=joined[:, p:], dtype=np.float64)
            Z = joined
        elif self.fit_intercept:
            Z = np.subtract(Z, self.shift, dtype=np.float64)
        else:
            Z = Z.astype(np.float64, copy=self.root is not None)
        w: Any = None if self.root is None else self.root[s]
        if w is not None:
            Z *= w[:, None]
        sums = np.dot(np.ones(Z.shape[0]) if w is None else w, Z) if self.fit_intercept else 0.0
        return Z, sums, float(Z.shape[0]) if w is None else float(np.vdot(w, w))


class Plain:
    """The predictions themselves, times the weights: what a sweep makes a Hessian product of."""

    kernel, numbers = compiled.PLAIN, None
    y = cells = None

    def __init__(self, weight: Array | None, raw: Array | None = None) -> None:
        self.weight, self.raw = weight, raw

    def __call__(self, s: slice, raw: Array) -> tuple[float, Array]:
        if self.weight is None:
            return 0.0, raw
        weight = self.weight[s]
        return 0.0, raw * (weight if raw.ndim == 1 else weight[:, None])


def _sub(chunk: slice, step: int) -> Iterator[slice]:
    for start in range(chunk.start, chunk.stop, step):
        yield slice(start, min(start + step, chunk.stop))


def rows_of(s: slice, *arrays: Array | None) -> list[Any]:
    """The rows of some arrays, None apart."""
    return [None if array is None else array[s] for array in arrays]


def add_up(parts: Iterable[Parts], in_place: bool = False) -> Parts:
    """Sum tuples entry by entry, in their order: in double precision, or in the memory of the first, where copies are large."""
    if isinstance(parts, list) and len(parts) == 1:
        return parts[0]
    total: Any = None
    for part in parts:
        if total is None:
            copied = [isinstance(x, np.ndarray) and not in_place for x in part]
            total = [np.array(x, dtype=np.float64) if copy else x for x, copy in zip(part, copied, strict=True)]
        else:
            for i, x in enumerate(part):
                total[i] += x
    return tuple(total)
