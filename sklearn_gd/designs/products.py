"""Symmetric products of blocks of samples: exact ones, and ones good enough for a metric.

Two uses: the Gram matrix of X's columns (`rows.RowBlocks`), and the products of its rows (`dense.DenseDesign.row_products`).

`SingleProduct` is the cheapest product that a metric can be made of: numbers about their centre and scaled, rounded to float32 and
multiplied by BLAS, for half the time of float64: 0.27 and 0.57 s at 20,000 × 2,000 on two threads. What conjugate gradients solve in
such a metric is not rounded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..protocols import Array
from .threads import cut, map_ordered

__all__ = ["SingleProduct", "SymmetricProduct", "lower_triangle", "shared_bytes"]


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


# Bytes of a block of rows that threads share, who wait for each other twice for each (0.1 ms): at least so many, and three quarters of the
# sum's own bytes, because the sum is read and written once for each block, but less than a matrix and its factor.
SHARED_BYTES = 1 << 21
# Bytes of a block of rows in float32 at the most, whatever the threads: each block's sum is rounded.
SINGLE_BYTES = 1 << 23
# Numbers of such a block that a thread centres and scales at a time: 1 MB of double precision.
PLACED = 1 << 17


def shared_bytes(size: int) -> int:
    """Bytes of a block of rows that threads share, for a sum of so many columns."""
    return max(SHARED_BYTES, 3 * size * size)


def lower_triangle(sums: Array, size: int) -> Array:
    """The first `size` columns of a sum, whose upper triangle is known, as a lower triangle in columns; the upper one is undefined.

    In the sum's own memory, which is lost: beside the blocks of a product there is one matrix, and its factor takes its place.
    """
    out = sums.reshape(-1)[: size * size].reshape(size, size)
    # A row moves to where earlier ones were: NumPy copies what would be overwritten first, so a few at a time.
    for rows in cut(size, 64):
        out[rows, rows.start :] = sums[rows, rows.start : size]
    return out.T


class SingleProduct:
    """Σ z zᵀ over samples z, shifted, scaled and rounded to float32; with their sums, in the last row and column, where asked.

    Parameters
    ----------
    size : int
    threads : int
    ones : bool
        Whether a column of ones, times the samples' scales, goes with the others.
    """

    def __init__(self, size: int, threads: int, ones: bool) -> None:
        self.size, self.threads, self.ones = size, threads, ones
        self.product = SymmetricProduct(size + ones, threads, np.float32)
        self.sum = self.product.matrix
        self.rows = max(256, min(SINGLE_BYTES, shared_bytes(size)) // (4 * (size + ones)))

    def add(self, Z: Array, shift: Array, scale: Array, weight: Array) -> None:
        """Add the products of some samples.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, size)
        shift, scale : ndarray of shape (size,)
        weight : ndarray of shape (n_samples,)
            In Z's precision: weight (Z − shift) scale is rounded.
        """
        for block in cut(len(Z), self.rows):
            out = np.empty((block.stop - block.start, self.size + self.ones), dtype=np.float32)

            def place(part: slice, start: int = block.start, out: Array = out) -> None:
                s = slice(start + part.start, start + part.stop)
                rows = Z[s] - shift
                rows *= scale
                rows *= weight[s, None]
                out[part, : self.size] = rows
                out[part, self.size :] = weight[s, None]

            map_ordered(place, cut(len(out), max(16, PLACED // self.size)), self.threads)
            self.product.add(out)
