"""Symmetric products good enough for a metric, in the processor's matrix unit where it has one.

Two uses: the Gram matrix of X's columns (`RowBlocks.low_gram`), and the products of its rows (`DenseDesign.row_products`).

Numbers are rounded to bfloat16, which has the range of float32 and 8 bits, and their products added up in float32. So the result
is the Gram matrix of data with relative errors of at most u = 2⁻⁹, about 2⁻¹⁰ in the root mean square, to float32's precision:
positive semidefinite up to that. In the metric of the true matrix A, whose smallest eigenvalue is λ (columns of unit variance), its
eigenvalues lie within (1 ± 2⁻¹⁰ (1 + √(p/n)) / √λ)². Conjugate gradients in it take about as many iterations as in A itself
down to λ = 10⁻⁴, and some dozens at 10⁻⁸. What they solve is not rounded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import compiled
from ..protocols import Array
from .threads import map_ordered

__all__ = ["LowProduct"]

# Columns of a block of the kernel.
BLOCK = 32
# Blocks a side of a group, whose part of the sum and whose tiles stay in a core's cache of 2 MB.
GROUP = 16
# Bytes of rounded numbers, in both layouts, of a block of rows: on one thread they stay in a core's cache, several share the
# last one. A fourth of the matrix's own at most, which is read and written once for each block.
OWN_BYTES, SHARED_BYTES = 1 << 20, 1 << 25


def aligned(count: int, dtype: type) -> Array:
    """Zeros at a multiple of 64 bytes: a tile's row that crosses a cache line takes twice the time."""
    size = count * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype)


class LowProduct:
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
        # half a kilobyte beyond a power of two, so that rows do not meet in a few sets of the caches
        pitch = side + (BLOCK if side % 128 == 0 else 0)
        self.sum = aligned(side * pitch, np.float32).reshape(side, pitch)
        group = max(4, min(GROUP, self.blocks // (2 * threads)))
        starts = range(0, self.blocks, group)
        self.groups = [(start, min(start + group, self.blocks)) for start in starts]
        self.pairs = [(a, b) for k, a in enumerate(self.groups) for b in self.groups[k:]]
        # the longer ones first, so that all threads end together
        self.pairs.sort(key=lambda pair: pair[0] == pair[1])
        most = OWN_BYTES if threads == 1 else SHARED_BYTES
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
            other = slice(None)
            index = (part, other) if along == 0 else (other, part)
            self._add(Z[index], along, [v[i] for v, i in zip(shift, index)], [v[i] for v, i in zip(scale, index)])

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
            (s0, s1), (t0, t1) = ([v[i] for v, i in zip(both, index)] for both in (shift, scale))
            compiled.kernels.pack(Z[index], along, s0, t0, s1, t1, ones, a[to], b[to])

        def multiply(pair: tuple[tuple[int, int], tuple[int, int]]) -> None:
            compiled.kernels.multiply(a, b, steps, *pair[0], *pair[1], self.sum)

        map_ordered(pack, self.groups, self.threads)
        map_ordered(multiply, self.pairs, self.threads)
