"""Symmetric products of blocks of samples: exact ones, and ones good enough for a metric.

Two uses: the Gram matrix of X's columns (`rows.RowBlocks`), and the products of its rows (`dense.DenseDesign.row_products`).

`low_product` is the cheapest product that a metric can be made of. Where the processor has a matrix unit for bfloat16 numbers,
numbers are rounded to them and their products added up in float32: on two threads 0.07 s at 20,000 × 2,000, beside 0.27 in
float32 and 0.57 in float64. It is the Gram matrix of data with independent relative errors of at most 2⁻⁸, in the root mean square
ε = 2⁻⁹, and so positive semidefinite up to what float32 rounds. In the metric of the true matrix A, whose smallest eigenvalue is λ
where columns have unit variance, its eigenvalues lie within about (1 ± ε (1 + √(p/n)) / √λ)²: conjugate gradients in it take
a few iterations down to λ = 10⁻⁴, and some dozens at 10⁻⁷. What they solve is not rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import compiled
from ..protocols import Array
from .threads import cut, map_ordered

__all__ = ["SymmetricProduct", "low_product", "lower_triangle", "tile_sums"]


class SymmetricProduct:
    """Σ ZᵀZ over blocks of rows, its upper triangle by tiles of columns on threads of ours.

    Not on BLAS's own: a thread of OpenBLAS waits for the others by spinning, and with a third process on two cores a
    product of 20 ms took 900. `@`, not np.dot, which copies slices of columns; it computes one half of the tiles on
    the diagonal, as it does of the whole.
    """

    # Columns of a tile, of which there are at least four a side: of 250 columns a product is 15 % slower, of more there
    # are too few for the threads.
    TILE = 500

    def __init__(self, size: int, threads: int, dtype: Any = np.float64) -> None:
        self.matrix = np.zeros((size, size), dtype=dtype)
        self.threads = threads
        self.tiles = cut(size, -(-size // max(4, size // self.TILE)))
        tiles = self.tiles
        # those on the diagonal last: they are half the work
        self.pairs = [(a, b) for k, a in enumerate(tiles) for b in tiles[k + 1 :]] + [(a, a) for a in tiles]

    def add(self, Z: Array) -> None:
        def task(pair: tuple[slice, slice]) -> None:
            a, b = pair
            self.matrix[a, b] += Z[:, a].T @ Z[:, b]

        map_ordered(task, self.pairs, self.threads)

    def whole(self) -> Array:
        """The matrix, both its triangles."""
        for tile in self.tiles:
            self.matrix[tile.stop :, tile] = self.matrix[tile, tile.stop :].T
        return self.matrix


# Columns of a block of the kernel.
BLOCK = 32
# Blocks a side of a group, whose part of the sum and whose tiles stay in a core's cache of 2 MB.
GROUP = 16
# Bytes of rounded numbers, in both layouts, of a block of rows: those of one thread stay in its core's cache.
OWN_BYTES = 1 << 20
# Those that several threads share are many, because the sum is read and written once for each block, and the threads wait for each
# other twice (0.1 ms): at least so many, and three quarters of the sum's own bytes, so that all of them take less than a matrix and
# its factor. Two threads, by 2, 4, 8, 16 and 32 MB: 10,000 × 1,000 22, 17, 14, 13 and 28 ms; 20,000 × 2,000 99, 99, 90, 92 and 87.
SHARED_BYTES = 1 << 21
# Bytes of a block of rows in float32 at the most, whatever the threads: each block's sum is rounded.
SINGLE_BYTES = 1 << 23
# Numbers of such a block that a thread centres and scales at a time: 1 MB of double precision.
PLACED = 1 << 17


def shared_bytes(size: int) -> int:
    """Bytes of a block of rows that threads share, for a sum of so many columns."""
    return max(SHARED_BYTES, 3 * size * size)


def each(vectors: Sequence[Array], index: Sequence[slice]) -> list[Array]:
    """Vectors of both axes of a part of a matrix."""
    return [vector[part] for vector, part in zip(vectors, index, strict=True)]


def aligned(count: int, dtype: type) -> Array:
    """Zeros at a multiple of 64 bytes: a tile's row that crosses a cache line takes twice the time."""
    size = count * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype)


def tile_sums(count: int, size: int) -> Array:
    """Zeros for so many sums of tiles, each of at least `size` columns."""
    side = -(-size // BLOCK) * BLOCK
    return aligned(count * side * pitch_of(side), np.float32).reshape(count, side, -1)


def lower_triangle(sums: Array, size: int) -> Array:
    """The first `size` columns of a sum, whose upper triangle is known, as a lower triangle in columns; the upper one is undefined.

    In the sum's own memory, which is lost: beside the blocks of a product there is one matrix, and its factor takes its place.
    """
    out = sums.reshape(-1)[: size * size].reshape(size, size)
    # A row moves to where earlier ones were: NumPy copies what would be overwritten first, so a few at a time.
    for rows in cut(size, 64):
        out[rows, rows.start :] = sums[rows, rows.start : size]
    return out.T


def pitch_of(side: int) -> int:
    """Half a kilobyte beyond a power of two, so that rows do not meet in a few sets of the caches."""
    return side + (BLOCK if side % 128 == 0 else 0)


class SingleProduct:
    """The same as `TileProduct` in float32 by BLAS.

    Parameters
    ----------
    size, threads, ones
        As `TileProduct` has them.
    """

    def __init__(self, size: int, threads: int, ones: bool) -> None:
        self.size, self.threads, self.ones = size, threads, ones
        self.product = SymmetricProduct(size + ones, threads, np.float32)
        self.sum = self.product.matrix
        self.rows = max(256, min(SINGLE_BYTES, shared_bytes(size)) // (4 * (size + ones)))

    def add(self, Z: Array, along: int, shift: Sequence[Array], scale: Sequence[Array]) -> None:
        if along == 1:
            Z, shift, scale = Z.T, shift[::-1], scale[::-1]
        for block in cut(len(Z), self.rows):
            out = np.empty((block.stop - block.start, self.size + self.ones), dtype=np.float32)

            def place(part: slice, start: int = block.start, out: Array = out) -> None:
                s = slice(start + part.start, start + part.stop)
                rows = Z[s] - shift[1]
                rows -= shift[0][s, None]
                rows *= scale[1]
                rows *= scale[0][s, None]
                out[part, : self.size] = rows
                out[part, self.size :] = scale[0][s, None]

            map_ordered(place, cut(len(out), max(16, PLACED // self.size)), self.threads)
            self.product.add(out)

    def whole(self) -> Array:
        return lower_triangle(self.sum, self.size)


class TileProduct:
    """Σ z zᵀ over samples z, shifted, scaled and rounded; with their sums, in the last row and column, where asked.

    Parameters
    ----------
    size : int
    threads : int
    ones : bool
        Whether a column of ones, times the samples' scales, goes with the others.
    """

    def __init__(self, size: int, threads: int, ones: bool) -> None:
        self.size, self.threads, self.ones = size, threads, ones
        self.blocks = -(-(size + ones) // BLOCK)
        side = self.blocks * BLOCK
        self.sum = tile_sums(1, size + ones)[0]
        group = max(4, min(GROUP, self.blocks // (2 * threads)))
        starts = range(0, self.blocks, group)
        self.groups = [(start, min(start + group, self.blocks)) for start in starts]
        self.pairs = [(a, b) for k, a in enumerate(self.groups) for b in self.groups[k:]]
        # the longer ones first, so that all threads end together
        self.pairs.sort(key=lambda pair: pair[0] == pair[1])
        most = OWN_BYTES if threads == 1 else shared_bytes(side)
        self.rows = max(512, min(most // (4 * side), 1 << 14)) // BLOCK * BLOCK
        self.buffers: tuple[Array, Array] = (np.empty(0), np.empty(0))

    def add(self, Z: Array, along: int, shift: Sequence[Array], scale: Sequence[Array]) -> None:
        """Add the products of some samples.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, size), or its transpose
            One of its axes contiguous.
        along : int
            The axis of the samples.
        shift, scale : two ndarrays, of both axes
            In Z's precision: (Z − shift₀ − shift₁) scale₀ scale₁ is rounded.
        """
        for start in range(0, Z.shape[along], self.rows):
            part = slice(start, start + self.rows)
            index = (part, slice(None)) if along == 0 else (slice(None), part)
            self._add(Z[index], along, each(shift, index), each(scale, index))

    def _add(self, Z: Array, along: int, shift: Sequence[Array], scale: Sequence[Array]) -> None:
        steps = -(-Z.shape[along] // BLOCK)
        panel = 2 * (steps | 1) * 512  # numbers of a block of columns
        if len(self.buffers[0]) < self.blocks * panel:
            self.buffers = aligned(self.blocks * panel, np.uint16), aligned(self.blocks * panel, np.uint16)
        a, b = (buffer[: self.blocks * panel] for buffer in self.buffers)

        def pack(group: tuple[int, int]) -> None:
            columns = slice(group[0] * BLOCK, min(group[1] * BLOCK, self.size))
            index = (slice(None), columns) if along == 0 else (columns, slice(None))
            ones = self.ones and group[1] == self.blocks
            to = slice(group[0] * panel, group[1] * panel)
            (s0, s1), (t0, t1) = each(shift, index), each(scale, index)
            compiled.kernels.pack(Z[index], along, s0, t0, s1, t1, ones, a[to], b[to])

        def multiply(pair: tuple[tuple[int, int], tuple[int, int]]) -> None:
            compiled.kernels.multiply(a, b, steps, *pair[0], *pair[1], self.sum)

        map_ordered(pack, self.groups, self.threads)
        map_ordered(multiply, self.pairs, self.threads)

    def whole(self) -> Array:
        """The lower triangle, without the column sums, in columns and in the memory of `sum`."""
        return lower_triangle(self.sum, self.size)


def low_product(size: int, threads: int, ones: bool) -> TileProduct | SingleProduct:
    """The cheapest symmetric product that a metric can be made of."""
    return (TileProduct if compiled.has_tiles() else SingleProduct)(size, threads, ones)
