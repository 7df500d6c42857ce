"""Rows that are read where they are needed: some of them at a time, into memory that is used again.

Two uses: X of a fit and of predictions (`design.StoredDesign`), and the rows of it that have weight, or that a sample draws.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp

from .. import messages
from ..designs.rows import NotFiniteError
from ..designs.threads import cut
from ..protocols import Array

__all__ = ["Block", "PickedRows", "SlicedRows", "StoredRows", "has_slices"]

# A block is read into memory that stays in the cache until it is multiplied, by as few calls as possible: the threads take
# turns at Python's lock between them. Fits of 2,000,000 × 100 took 2.8 s with 1 MB, 2.6 with 2 MB and with 4 MB.
BLOCK_BYTES = 1 << 21
# Rows that are held at once where an algorithm needs some of them again and again (a sample, a group of rows whose inner
# products are taken), and the largest stored chunk that is read whole.
HELD_BYTES = 1 << 26
# Rows that are so far apart on average are read one by one, and what lies between is not: a read takes 1 µs, as a copy of so many
# bytes of the page cache does.
GAP_BYTES = 1 << 14
# What tells arrays that are in memory or on a device, data frames, and collections that have designs of their own.
NOT_STORED = (
    "__array_interface__",
    "__array_namespace__",
    "__cuda_array_interface__",
    "__dask_graph__",
    "__dataframe__",
    "iloc",
)


def has_slices(X: Any) -> bool:
    """Whether an object other than a NumPy array is one that hands out slices of its rows."""
    return (
        hasattr(type(X), "__getitem__")
        and isinstance(getattr(X, "dtype", None), np.dtype)
        and isinstance(getattr(X, "shape", None), tuple)
        and hasattr(X, "ndim")
        and not sp.issparse(X)
        and not any(hasattr(X, name) for name in NOT_STORED)
    )


class Block(threading.local):
    """What a thread has read: rows, where they start, and the memory that it reads into again and again."""

    start = 0
    rows: Any = None

    def __init__(self) -> None:
        self.memory = np.empty(0, dtype=np.uint8)

    def room(self, size: int) -> Array:
        """`size` bytes to read into."""
        if len(self.memory) < size:
            self.memory = np.empty(size, dtype=np.uint8)
        return self.memory[:size]

    @contextlib.contextmanager
    def holding(self, start: int, rows: Array) -> Iterator[None]:
        """Meanwhile slices of these rows are not read again in this thread."""
        self.start, self.rows = start, rows
        try:
            yield
        finally:
            self.rows = None


class StoredRows:
    """Rows of numbers in a file, in float32 or float64 once they are read; sliced, an array.

    Subclasses give `fetch(start, stop, room)`.

    Parameters
    ----------
    X : array
        Its shape and its kind of numbers are looked at.
    name : str
        What errors call X.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
        Of the rows as they are read.
    row_bytes : int
        Read for a row.
    unit : int
        Rows that are stored as one piece, and read together.
    checked : bool
        Whether all rows have been read once and were finite.
    """

    unit = 1
    checked = False

    def __init__(self, X: Any, name: str) -> None:
        self.shape, self.ndim, self.name = tuple(X.shape), len(X.shape), name
        self.size = int(np.prod(self.shape))
        self.dtype = np.dtype(np.float32 if X.dtype.kind == "f" and X.dtype.itemsize == 4 else np.float64)
        self.row_bytes = max(X.dtype.itemsize, self.dtype.itemsize) * (self.shape[1] if self.ndim > 1 else 1)
        self.block = Block()

    def stand_in(self) -> Array:
        """An array of the same shape and kind for scikit-learn's validation: one zero, repeated without a copy."""
        return np.broadcast_to(np.zeros((), dtype=self.dtype), self.shape)

    def fetch(self, start: int, stop: int, room: Callable[[int], Array]) -> Array:
        """The rows, in memory of so many bytes that `room` gives, or in memory of their own."""
        raise NotImplementedError

    def read(self, start: int, stop: int, room: Callable[[int], Array]) -> Array:
        """The rows, of shape (stop - start, n_features), in memory; errors tell the file and the rows."""
        try:
            return self.fetch(start, stop, room)
        except MemoryError:
            raise
        except Exception as error:
            raise OSError(messages.unreadable(self.name, start, stop, error)) from error

    def require_finite(self, rows: Array, start: int) -> None:
        """Refuse rows with NaN or infinity in them, of which the first is at `start`."""
        flat = rows.ravel(order="K")
        with np.errstate(all="ignore"):
            # a product costs a tenth of looking at every number; large ones overflow, and are then looked at
            if np.isfinite(np.dot(flat, flat)):
                return
        bad = np.argwhere(~np.isfinite(rows))
        if len(bad):
            row, column = bad[0]
            raise NotFiniteError(messages.not_finite(self.name, start + int(row), int(column), rows[row, column]))

    def pick(self, index: Array, out: Array) -> None:
        """Read some rows one by one."""
        room = Block().room
        for row, k in zip(out, index.tolist(), strict=True):
            row[:] = self.read(k, k + 1, room)[0]

    def __getitem__(self, s: slice | Array) -> Array:
        first, rows = self.block.start, self.block.rows
        if rows is not None and isinstance(s, slice) and s.step in (None, 1):
            start, stop, _ = s.indices(self.shape[0])
            if first <= start <= stop <= first + len(rows):
                return rows[start - first : stop - first]
        index = np.arange(self.shape[0])[s]
        return PickedRows(self, index).read(0, len(index), Block().room)

    def parts(self, size: int) -> list[slice]:
        """Slices of about `size` rows that cover all of them, and cut no stored piece in two."""
        return cut(self.shape[0], max(1, size // self.unit) * self.unit)


class SlicedRows(StoredRows):
    """The rows of an array that is asked for slices of them."""

    def __init__(self, X: Any) -> None:
        super().__init__(X, name_of(X))
        self.X = X
        chunks = getattr(X, "chunks", None)
        if chunks and isinstance(chunks[0], int):
            # stored by pieces of so many rows, each decompressed as a whole
            self.unit = max(1, min(chunks[0], HELD_BYTES // max(1, self.row_bytes)))

    def fetch(self, start: int, stop: int, room: Callable[[int], Array]) -> Array:
        rows = np.asarray(self.X[start:stop])
        if rows.shape != (stop - start, *self.shape[1:]):
            raise EOFError(f"{rows.shape} numbers came back, {(stop - start, *self.shape[1:])} were asked for")
        return rows.astype(self.dtype, copy=False)


def name_of(X: Any) -> str:
    """What a user calls a stored array: its file and its name in it, as far as it tells."""
    file = getattr(getattr(X, "file", None), "filename", None) or getattr(X, "store", None)
    name = getattr(X, "name", None)
    return " ".join(str(part) for part in (file, name) if part) or type(X).__name__


class PickedRows(StoredRows):
    """Some rows of others, in their order.

    Parameters
    ----------
    source : StoredRows
    index : ndarray of int
        Rising.
    all_checked : bool, default=False
        Whether the first sweep looks at the rows between, too: they are part of the data, and have no weight.
    """

    def __init__(self, source: StoredRows, index: Array, all_checked: bool = False) -> None:
        self.source, self.index, self.checked = source, index, not all_checked
        self.unit, self.name, self.dtype, self.row_bytes = source.unit, source.name, source.dtype, source.row_bytes
        self.shape, self.ndim = (len(index), source.shape[1]), 2
        self.size = len(index) * source.shape[1]
        self.block = Block()

    def read(self, start: int, stop: int, room: Callable[[int], Array]) -> Array:
        source, index, p = self.source, self.index[start:stop], self.shape[1]
        out = room(len(index) * p * self.dtype.itemsize).view(self.dtype).reshape(len(index), p)
        if not len(index):
            return out
        first, last, look = int(index[0]), int(index[-1]) + 1, not self.checked
        if look:
            first = 0 if start == 0 else first
            last = int(self.index[stop]) if stop < len(self.index) else source.shape[0]
        step = max(1, BLOCK_BYTES // max(1, source.row_bytes) // source.unit) * source.unit
        edges = [first, *range((first // step + 1) * step, last, step), last]
        inner = Block()
        for (a, b), (i, j) in zip(pairwise(edges), pairwise(np.searchsorted(index, edges)), strict=True):
            if not look and source.unit == 1 and (b - a) * source.row_bytes > GAP_BYTES * (j - i):
                source.pick(index[i:j], out[i:j])
            elif look or j > i:
                a, b = (a, b) if look else (int(index[i]), int(index[j - 1]) + 1)
                rows = source.read(a, b, inner.room)
                if look:
                    source.require_finite(rows, a)
                np.take(rows, index[i:j] - a, axis=0, out=out[i:j], mode="clip")
        return out

    def parts(self, size: int) -> list[slice]:
        if self.unit == 1:
            return cut(len(self.index), size)
        pieces = self.source.parts(max(size, self.unit))
        edges = np.searchsorted(self.index, [0, *(s.stop for s in pieces)])
        return [slice(int(a), int(b)) for a, b in pairwise(edges) if b > a]
