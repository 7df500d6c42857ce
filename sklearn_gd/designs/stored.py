"""X that stays in its file: memory maps, and arrays that hand out slices of their rows.

Two uses: `numpy.memmap`; and `h5py.Dataset`, `zarr.Array` and their like, recognised without being imported.

A sweep hands the rows out by chunks, in their order, to two threads or more: each reads a block of rows into a buffer of
its own and multiplies it there, while it is in the core's cache. So one thread's reading and another's arithmetic
overlap, each block is read once a sweep, and what is in memory is a buffer a thread. The first sweep looks for NaN and
infinity on its way.

A memory map whose rows need no conversion is computed where it is, without a copy, through a mapping of our own: where pages of
it are lost, because the file has become shorter or its disk fails, a thread that touches them reads zeros, rather than being
ended with its process (SIGBUS), and the mapping remembers it (`_kernels_guard.c`). So whoever computes in place asks afterwards,
by `confirm`, and what was computed of lost rows never counts. On two threads, fits of 2,000,000 × 100 in the page cache took 1.08
(least squares) and 1.11 (logistic) times as long as in memory; by copies up to 1.9. Asking for a part's pages beforehand
(MADV_POPULATE_READ) saves no time: a sweep takes 0.12 s with it, and 0.115 without.

Without the compiled kernels, for private mappings, and where rows have to be converted, they are copied by the system, from the
file or from memory as if it was one: what is lost is then the error of a read. Elsewhere than on Linux a file's size is compared before
each block, and one that is cut while that is computed may end the process.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp

from .. import compiled, messages
from ..protocols import Array
from .dense import DenseDesign
from .rows import MOST_ROWS, NotFiniteError, add_up
from .threads import cut, one_blas_thread

__all__ = ["StoredDesign", "StoredRows", "is_stored", "open_rows", "predictions"]

R = TypeVar("R")

# A block is read into memory that stays in the cache until it is multiplied, by as few calls as possible: the threads take
# turns at Python's lock between them. Fits of 2,000,000 × 100 took 2.8 s with 1 MB, 2.6 with 2 MB and with 4 MB.
BLOCK_BYTES = 1 << 21
# Rows that are held at once where an algorithm needs some of them again and again (a sample, a group of rows whose inner
# products are taken), and the largest stored chunk that is read whole.
HELD_BYTES = 1 << 26
# Blocks of a chunk: few enough that all threads end together, enough that handing chunks out costs nothing (30 µs each).
CHUNK_BLOCKS = 8
# The same of rows that are computed where they are, 32 MB: a sweep of 2,000,000 × 100 took 0.14 s in memory, 0.15 in place, and by
# parts of 8 MB 0.19.
MAPPED_BLOCKS = 16
# Rows that are further apart are read one by one, and what is between them is not.
SPARSE = 32
# The system reads whole pages.
PAGE = 4096
# What tells arrays that are in memory or on a device, data frames, and collections that have designs of their own.
NOT_STORED = (
    "__array_interface__",
    "__array_namespace__",
    "__cuda_array_interface__",
    "__dask_graph__",
    "__dataframe__",
    "iloc",
)


def is_stored(X: Any) -> bool:
    """Whether X is to be read by blocks of rows.

    That is a `numpy.memmap` or a view of one; or any object that has a `shape`, an `ndim`, a NumPy `dtype` and slices of
    rows, and is no NumPy array, no Array API or CUDA array, no sparse matrix, no data frame and no Dask collection.
    """
    if isinstance(X, np.ndarray):
        return memory_map(X) is not None
    return (
        hasattr(type(X), "__getitem__")
        and isinstance(getattr(X, "dtype", None), np.dtype)
        and isinstance(getattr(X, "shape", None), tuple)
        and hasattr(X, "ndim")
        and not sp.issparse(X)
        and not any(hasattr(X, name) for name in NOT_STORED)
    )


def memory_map(X: Any) -> tuple[np.memmap[Any, Any], mmap.mmap] | None:
    """The memory map whose memory an array is, and the mapping; None for other arrays."""
    found, base = None, X
    while isinstance(base, np.ndarray):
        found = base if isinstance(base, np.memmap) else found
        base = base.base
    return (found, base) if found is not None and isinstance(base, mmap.mmap) else None


def open_rows(X: Any) -> StoredRows:
    """The rows of what `is_stored` recognises; nothing of them is read yet."""
    kind = X.dtype.kind
    if kind not in "fiub":
        raise (ValueError if kind == "c" else TypeError)(messages.no_numbers(X.dtype))
    mapped = memory_map(X) if isinstance(X, np.ndarray) else None
    if mapped is None:
        return SlicedRows(X)
    as_it_is = X.ndim == 2 and X.flags.c_contiguous and X.flags.aligned and X.dtype in (np.float32, np.float64)
    ways = (mirrored_rows, file_rows, memory_rows) if as_it_is else (file_rows, mirrored_rows, memory_rows)
    for way in ways:
        rows = way(X, *mapped)
        if rows is not None:
            return rows
    return MappedRows(X, *mapped)


def loaded(array: Any) -> Any:
    """A target or weights; of a memory map's numbers a copy, made by reads that fail where the file has lost them."""
    mapped = isinstance(array, np.memmap) and array.ndim in (1, 2) and array.dtype.kind in "fiub" and memory_map(array)
    if not mapped:
        return array
    rows = open_rows(array.reshape(len(array), -1) if array.ndim == 1 else array)
    rows.dtype = array.dtype  # labels are not computed with
    return rows[:].reshape(array.shape)


class Window:
    """Rows that are in memory: a buffer, and what was read into it.

    Parameters
    ----------
    turn : lock or None
        Held by a thread that computes where one alone may, given back while it reads.
    """

    def __init__(self, turn: threading.Lock | None = None) -> None:
        self.start = self.stop = 0
        self.rows: Any = None
        self.buffer = np.empty(0, dtype=np.uint8)
        self.turn, self.has_turn = turn, False

    def give_turn(self) -> None:
        """Let another thread compute."""
        if self.turn is not None and self.has_turn:
            self.has_turn = False
            self.turn.release()

    def room(self, size: int) -> Array:
        """`size` bytes to read into."""
        if len(self.buffer) < size:
            self.buffer = np.empty(size, dtype=np.uint8)
        return self.buffer[:size]

    def read(self, source: StoredRows, start: int, stop: int, late: bool = False) -> None:
        """Fill with some rows; where these are looked through later, not now."""
        self.start = self.stop = 0
        self.give_turn()
        try:
            self.rows = (source.obtain if late else source.read)(start, stop, self)
        finally:
            if self.turn is not None:
                self.turn.acquire()
                self.has_turn = True
        self.start, self.stop = start, stop


class StoredRows:
    """Rows of numbers in a file, in float32 or float64 once they are read.

    Subclasses give `fetch(start, stop, window)`.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
        Of the rows as they are read.
    name : str
        What errors call X.
    row_bytes : int
        Read for a row.
    unit : int
        Rows that are stored as one piece, and read together.
    in_place : bool
        Whether rows are computed where they are stored, without a copy.
    checked : bool
        Whether all rows have been read once and were finite.
    """

    unit = 1
    in_place = False
    checked = False

    @property
    def whole(self) -> bool:
        """Whether a thread reads its rows at once, rather than by blocks."""
        return self.unit > 1 or self.in_place

    def __init__(self, X: Any, name: str) -> None:
        self.shape, self.ndim, self.name = tuple(X.shape), len(X.shape), name
        self.size = int(np.prod(self.shape))
        self.stored = X.dtype
        self.dtype = np.dtype(np.float32 if X.dtype.kind == "f" and X.dtype.itemsize == 4 else np.float64)
        self.row_bytes = max(X.dtype.itemsize, self.dtype.itemsize) * (self.shape[1] if self.ndim > 1 else 1)
        self._local = threading.local()

    def stand_in(self) -> Array:
        """An array of the same shape and kind for scikit-learn's validation: one zero, repeated without a copy."""
        return np.broadcast_to(np.zeros((), dtype=self.dtype), self.shape)

    def fetch(self, start: int, stop: int, window: Window) -> Array:
        """The rows, in memory that belongs to the window or to nobody else."""
        raise NotImplementedError

    def obtain(self, start: int, stop: int, window: Window) -> Array:
        """The rows, of shape (stop - start, n_features), as they are; where they are computed in place, to be confirmed then."""
        with self._named(start, stop):
            return self.fetch(start, stop, window)

    def confirm(self, start: int, stop: int) -> None:
        """Refuse rows that were lost while they were computed in place."""

    @contextlib.contextmanager
    def _named(self, start: int, stop: int) -> Iterator[None]:
        """Errors tell the file and the rows."""
        try:
            yield
        except MemoryError:
            raise
        except Exception as error:
            raise OSError(messages.unreadable(self.name, start, stop, error)) from error

    def read(self, start: int, stop: int, window: Window) -> Array:
        """The rows, in the first sweep looked through for what is not finite."""
        rows = self.obtain(start, stop, window)
        if not self.checked:
            self.require_finite(rows, start)
        return rows

    def copy_row(self, row: int, out: Array, window: Window) -> None:
        """One row, into memory of its own."""
        out[...] = self.obtain(row, row + 1, window)[0]

    def swept(self) -> None:
        """Note that all rows have been read."""
        self.checked = True

    def require_finite(self, rows: Array, start: int) -> None:
        """Refuse rows with NaN or infinity in them, of which the first is at `start`."""
        flat = rows.ravel(order="K")
        with np.errstate(all="ignore"):
            # a product costs a tenth of looking at every number; large ones overflow, and are then looked at
            if np.isfinite(np.dot(flat, flat)):
                return
            bad = ~np.isfinite(rows)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise NotFiniteError(messages.not_finite(self.name, start + int(row), int(column), rows[row, column]))

    # -- what a design sees of it: an array

    def use(self, window: Window | None) -> None:
        """Read into this window in this thread."""
        self._local.window = window

    def __getitem__(self, s: slice | Array) -> Array:
        window = getattr(self._local, "window", None)
        if isinstance(s, slice) and s.step in (None, 1) and window is not None:
            start, stop, _ = s.indices(self.shape[0])
            if not window.start <= start <= stop <= window.stop:
                window.read(self, start, stop)
            return window.rows[start - window.start : stop - window.start]
        # whoever has no window confirms nothing: a copy
        index = np.arange(self.shape[0])[s] if isinstance(s, slice) else np.asarray(s)
        return PickedRows(self, index).obtain(0, len(index), Window())

    def parts(self, size: int) -> list[slice]:
        """Slices of about `size` rows that cover all of them, and cut no stored piece in two."""
        return cut(self.shape[0], max(1, size // self.unit) * self.unit)


class FileRows(StoredRows):
    """A memory map's rows, read from its file.

    Parameters
    ----------
    X : ndarray
        Of rows whose numbers are neighbours, or of columns whose numbers are.
    file : int
        Its descriptor; closed with this object.
    position : int
        Of the first number in the file, in bytes.
    name : str
    """

    def __init__(self, X: Array, file: int, position: int, name: str) -> None:
        super().__init__(X, name)
        self.file, self.position, self.strides = file, position, X.strides
        weakref.finalize(self, os.close, file)
        self.by_columns = not by_rows(X)
        if self.by_columns:
            # a read for each column of a block: a page at least, and more while blocks stay small
            self.unit = max(PAGE, BLOCK_BYTES // max(1, X.shape[1])) // X.itemsize
        else:
            self.row_bytes = max(self.row_bytes, X.strides[0])
        n, p = X.shape
        end = position + (n - 1) * X.strides[0] + (p - 1) * X.strides[1] + X.itemsize
        if X.size and end > (size := os.fstat(file).st_size):
            raise OSError(messages.truncated(name, end, size))

    def fetch(self, start: int, stop: int, window: Window) -> Array:
        n, p, item = stop - start, self.shape[1], self.stored.itemsize
        across, along = self.strides
        if self.by_columns:
            buffer = window.room(p * n * item)
            for j, part in enumerate(buffer.reshape(p, n * item)):
                fill(self.file, part, self.position + start * item + j * along)
            rows = buffer.view(self.stored).reshape(p, n).T
        else:
            buffer = window.room((n - 1) * across + p * item)
            fill(self.file, buffer, self.position + start * across)
            rows = np.ndarray((n, p), dtype=self.stored, buffer=buffer, strides=self.strides)
        return rows.astype(self.dtype, copy=False)

    def copy_row(self, row: int, out: Array, window: Window) -> None:
        if not self.by_columns and self.stored == self.dtype:
            with contextlib.suppress(OSError):  # said in words below
                if os.preadv(self.file, [out], self.position + row * self.strides[0]) == out.nbytes:  # type: ignore[list-item]
                    return
        super().copy_row(row, out, window)


def fill(file: int, buffer: Array, position: int) -> None:
    """Read bytes of a file, or fail."""
    view = memoryview(buffer)  # type: ignore[arg-type]
    while view:
        got = os.preadv(file, [view], position)
        if not got:
            raise EOFError(f"the file ends at byte {os.fstat(file).st_size}, before these rows: it was truncated")
        view, position = view[got:], position + got


def by_rows(X: Array) -> bool:
    """Whether a block of rows is one piece of the file, with no more than a few gaps."""
    p = X.shape[1]
    across, along = X.strides
    return (along == X.itemsize or p <= 1) and p * X.itemsize <= across <= max(4 * p * X.itemsize, PAGE)


def file_rows(X: Array, memory: np.memmap[Any, Any], mapping: mmap.mmap) -> FileRows | None:
    """A memory map's rows from its file, where the file is known to be the mapped one, and its order one to read by."""
    columns = X.ndim == 2 and X.strides[0] == X.itemsize and X.strides[1] >= X.shape[0] * X.itemsize
    if memory.filename is None or memory.mode == "c" or not X.size or X.ndim != 2 or not (by_rows(X) or columns):
        return None
    if not hasattr(os, "preadv"):
        return None
    try:
        file = os.open(memory.filename, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # deleted: the mapping keeps what it was
        return None
    if not is_mapped(file, address_of(X)):
        os.close(file)
        return None
    return FileRows(X, file, position_of(X, memory, mapping), str(memory.filename))


def mirrored_rows(X: Array, memory: np.memmap[Any, Any], mapping: mmap.mmap) -> MirroredRows | None:
    """A memory map's rows where they are, where the system can map their pages a second time."""
    if compiled.kernels is None:
        return None
    try:
        mirror = compiled.kernels.mirror(mapping)
    except OSError:
        return None
    return MirroredRows(X, memory, mapping, mirror)


def memory_rows(X: Array, memory: np.memmap[Any, Any], mapping: mmap.mmap) -> MemoryRows | None:
    """A memory map's rows from memory, in any order, where the system offers it as a file."""
    try:
        file = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
    except (AttributeError, OSError):  # not on Linux
        return None
    return MemoryRows(X, memory, mapping, file)


def address_of(X: Array) -> int:
    return X.__array_interface__["data"][0]


def bounds(X: Array) -> tuple[int, int]:
    """The addresses between which an array's numbers are."""
    spans = [(n - 1) * stride for n, stride in zip(X.shape, X.strides, strict=True)]
    address = address_of(X)
    return address + sum(s for s in spans if s < 0), address + sum(s for s in spans if s > 0) + X.itemsize


def begin_of(memory: np.memmap[Any, Any]) -> int:
    """Where in the file a mapping begins."""
    # where its system allows one to begin: before the first number
    return memory.offset - memory.offset % mmap.ALLOCATIONGRANULARITY


def position_of(X: Array, memory: np.memmap[Any, Any], mapping: mmap.mmap) -> int:
    """Where in the file the first number of a view is."""
    return begin_of(memory) + address_of(X) - address_of(np.frombuffer(mapping, dtype=np.uint8))


def is_mapped(file: int, address: int) -> bool:
    """Whether the open file, not another one that has taken its name, is what is mapped at an address; False if unknown."""
    try:
        with open("/proc/self/maps") as lines:
            for line in lines:
                span, _, _, _, inode, *_ = line.split()
                first, last = (int(number, 16) for number in span.split("-"))
                if first <= address < last:
                    return int(inode) == os.fstat(file).st_ino
    except OSError:  # not on Linux
        pass
    return False


class SlicedRows(StoredRows):
    """The rows of an array that is asked for slices of them."""

    def __init__(self, X: Any, name: str | None = None) -> None:
        super().__init__(X, name_of(X) if name is None else name)
        self.X = X
        chunks = getattr(X, "chunks", None)
        if chunks and isinstance(chunks[0], int):
            # stored by pieces of so many rows, each decompressed as a whole
            self.unit = max(1, min(chunks[0], HELD_BYTES // max(1, self.row_bytes)))

    def fetch(self, start: int, stop: int, window: Window) -> Array:
        rows = np.asarray(self.X[start:stop])
        if rows.shape != (stop - start, *self.shape[1:]):
            raise EOFError(f"{rows.shape} numbers came back, {(stop - start, *self.shape[1:])} were asked for")
        return rows.astype(self.dtype, copy=False)


class MappedRows(SlicedRows):
    """The rows of a memory map in a system that has no other way to read them: the file's size is compared before each block."""

    def __init__(self, X: Array, memory: np.memmap[Any, Any], mapping: mmap.mmap) -> None:
        super().__init__(X, str(memory.filename or "a memory map"))
        self.mapping = mapping
        self.end = position_of(X, memory, mapping) + bounds(X)[1] - address_of(X)
        self._require_whole()

    def _require_whole(self) -> None:
        if self.size and self.mapping.size() < self.end:
            raise OSError(messages.truncated(self.name, self.end, self.mapping.size()))

    def fetch(self, start: int, stop: int, window: Window) -> Array:
        self._require_whole()
        return super().fetch(start, stop, window)


class MirroredRows(MappedRows):
    """The rows of a memory map where they are, in a second mapping of the same pages, in which those that are lost are zeros.

    Parameters
    ----------
    X, memory, mapping
        As `memory_map` has them.
    mirror : Mirror
        Of the mapping; it remembers where pages were lost.
    """

    def __init__(self, X: Array, memory: np.memmap[Any, Any], mapping: mmap.mmap, mirror: Any) -> None:
        super().__init__(X, memory, mapping)
        self.mirror, self.begin = mirror, begin_of(memory)
        offset = address_of(X) - address_of(np.frombuffer(mapping, dtype=np.uint8))
        self.X = np.ndarray(X.shape, X.dtype, mirror, offset, X.strides)

    @property
    def in_place(self) -> bool:  # type: ignore[override]
        return self.dtype == self.stored and self.X.flags.c_contiguous and self.X.flags.aligned

    def _require_kept(self) -> None:
        # Both, and after the rows were touched: of the page in which a file ends now, what is behind the end reads as zeros
        # without a fault; a file that is whole again was not while they were touched.
        self._require_whole()
        if self.mirror.lost is not None:
            raise OSError(messages.lost(self.name, self.begin + self.mirror.lost))

    def confirm(self, start: int, stop: int) -> None:
        with self._named(start, stop):
            self._require_kept()

    def fetch(self, start: int, stop: int, window: Window) -> Array:
        rows = super().fetch(start, stop, window)
        self._require_kept()
        return rows

    def pick(self, index: Array, out: Array) -> None:
        """Copy some rows, rising."""
        np.take(self.X, index, axis=0, out=out, mode="clip")  # without a check of its own, and the buffer for it
        self.confirm(int(index[0]), int(index[-1]) + 1)


class MemoryRows(MappedRows):
    """The rows of a memory map copied by the system from this process's memory, as if that was a file.

    Reading the memory itself would be ended by a signal where pages are lost; this read fails. It is half as fast as one of a
    file (7.5 GB/s beside 14 on two threads; process_vm_readv, which Python does not offer, as fast as that).

    Parameters
    ----------
    X, memory, mapping
        As `memory_map` has them.
    file : int
        The descriptor of the memory; closed with this object.
    """

    def __init__(self, X: Array, memory: np.memmap[Any, Any], mapping: mmap.mmap, file: int) -> None:
        self.file = file
        weakref.finalize(self, os.close, file)
        super().__init__(X, memory, mapping)

    def fetch(self, start: int, stop: int, window: Window) -> Array:
        part = self.X[start:stop]
        out = window.room(part.nbytes).view(self.stored).reshape(part.shape)
        try:
            self._copy(part, out)
        finally:
            self._require_whole()  # behind the end of a file that ends within a page are zeros
        return out.astype(self.dtype, copy=False)

    def _copy(self, part: Array, out: Array) -> None:
        """Read what lies close together at once, the rest by halves."""
        low, high = bounds(part)
        if part.flags.c_contiguous and out.flags.c_contiguous:
            fill(self.file, out.reshape(-1).view(np.uint8), low)
        elif high - low <= 4 * part.nbytes + PAGE:
            buffer = np.empty(high - low, dtype=np.uint8)
            fill(self.file, buffer, low)
            out[...] = np.ndarray(part.shape, part.dtype, buffer, address_of(part) - low, part.strides)
        else:
            axis = int(np.argmax(np.abs(part.strides) * (np.array(part.shape) - 1)))
            half = part.shape[axis] // 2
            for s in (slice(half), slice(half, None)):
                index = (*[slice(None)] * axis, s)
                self._copy(part[index], out[index])


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
        self.source, self.index, self.all_checked = source, index, all_checked
        self.unit, self.name, self.dtype, self.row_bytes = source.unit, source.name, source.dtype, source.row_bytes
        self.shape, self.ndim = (len(index), source.shape[1]), 2
        self.size = len(index) * source.shape[1]
        self._local = threading.local()

    def swept(self) -> None:
        if self.all_checked:
            self.source.swept()

    def read(self, start: int, stop: int, window: Window) -> Array:
        return self.obtain(start, stop, window, self.all_checked and not self.source.checked)

    def obtain(self, start: int, stop: int, window: Window, look: bool = False) -> Array:
        source, index = self.source, self.index[start:stop]
        out = window.room(len(index) * self.shape[1] * self.dtype.itemsize).view(self.dtype)
        out = out.reshape(len(index), self.shape[1])
        if not len(index):
            return out
        first, last = int(index[0]), int(index[-1]) + 1
        if look:
            first = 0 if start == 0 else first
            last = int(self.index[stop]) if stop < len(self.index) else source.shape[0]
        step = max(1, BLOCK_BYTES // max(1, source.row_bytes), source.unit)
        edges = np.append(np.arange(first // step * step, last, step), last)
        edges[0] = first
        inner = Window()
        if isinstance(source, MirroredRows) and source.in_place and not look:
            source.pick(index, out)
            return out
        for (a, b), (i, j) in zip(pairwise(edges), pairwise(np.searchsorted(index, edges)), strict=True):
            if look:
                np.take(source.read(int(a), int(b), inner), index[i:j] - a, axis=0, out=out[i:j])
            elif source.unit == 1 and (j - i) * SPARSE < b - a:
                for k in range(i, j):
                    source.copy_row(int(index[k]), out[k], inner)
            elif j > i:
                a, b = index[i], index[j - 1] + 1
                np.take(source.obtain(int(a), int(b), inner), index[i:j] - a, axis=0, out=out[i:j])
        source.confirm(first, last)
        return out

    def parts(self, size: int) -> list[slice]:
        if self.unit == 1:
            return cut(len(self.index), size)
        pieces = self.source.parts(max(size, self.unit))
        edges = np.searchsorted(self.index, [0, *(s.stop for s in pieces)])
        return [slice(int(a), int(b)) for a, b in pairwise(edges) if b > a]


class StoredDesign(DenseDesign):
    """A linear model's X that is read by blocks of rows, again in every sweep.

    In memory, beside what the solver keeps for coefficients and samples, is a buffer of one block a thread, none where rows are
    computed in place, and what is computed of it: 2 MB, or one row, or one stored chunk of rows where that is more (up to
    64 MB); 16 MB for a Gram matrix of more than 256 columns; and up to 64 MB of rows that a sample draws.

    Parameters
    ----------
    X : StoredRows
    fit_intercept : bool
    """

    X: Any

    def __init__(self, X: StoredRows, fit_intercept: bool) -> None:
        super().__init__(X, fit_intercept)  # type: ignore[arg-type]
        n = self.n_samples
        self.at_once = False
        rows = max(1, min(BLOCK_BYTES // max(1, X.row_bytes), MOST_ROWS, n))
        self.block_rows = max(1, rows * self.dtype.itemsize // 8)  # in double precision as many bytes
        # without a copy a result shows as well, and for less, what is not finite in the rows
        self.late = X.in_place
        if X.unit == 1:
            blocks = MAPPED_BLOCKS if self.late else CHUNK_BLOCKS
            rows *= int(np.clip(-(-n // rows) // (2 * CHUNK_BLOCKS), 1, blocks))
        self.parts = X.parts(rows)
        self._free: list[Window] = []
        # Where one thread alone may compute, a second reads meanwhile. More threads need no such order: while one waits for
        # the disk, others compute. One thread too many would be stopped in the middle of Python's lock.
        self._turn = threading.Lock() if self.threads == 1 else None
        self.workers = max(2, self.threads)

    def _chunks(self, task: Callable[[slice], R], chunk_rows: int | None = None) -> list[R]:
        X = self.X

        def one(part: slice) -> R:
            with np.errstate(all="ignore"):
                window = self._free.pop() if self._free else Window(self._turn)
                X.use(window)
                try:
                    if X.whole:
                        window.read(X, part.start, part.stop, self.late)  # once, whatever blocks the task cuts it into
                    result = task(part)
                    X.confirm(part.start, part.stop)
                    if self.late and not X.checked and not is_finite(result):
                        X.require_finite(window.rows, part.start)
                    return result
                finally:
                    window.give_turn()
                    window.start = window.stop = 0
                    X.use(None)
                    self._free.append(window)

        # A pool a sweep: it costs less than a block, and leaves no thread behind.
        with ThreadPoolExecutor(self.workers) as pool:
            results: Iterator[Any] = pool.map(one, self.parts)
            first = next(results)
            # sums are added up as they come, so that those of many chunks are never in memory together
            out: list[Any] = list(results) if first is None else [add_up(chain([first], results))]
        X.swept()
        return out

    def in_turn(self, size: int) -> Iterator[slice]:
        X = self.X
        parts = X.parts(size)
        windows = [Window(), Window()]
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(windows[0].read, X, parts[0].start, parts[0].stop)
            for k, part in enumerate(parts):
                coming.result()
                if k + 1 < len(parts):
                    after = parts[k + 1]
                    coming = pool.submit(windows[(k + 1) % 2].read, X, after.start, after.stop)
                X.use(windows[k % 2])
                try:
                    yield part
                finally:
                    X.use(None)
                X.confirm(part.start, part.stop)
        X.swept()

    def _mean_of_few(self, weight: Array | None) -> Array:
        if self.X.unit == 1 or not self.fit_intercept:
            return super()._mean_of_few(weight)
        # of the first piece: 64 rows from everywhere would be as many pieces
        with np.errstate(all="ignore"):
            centre = self.X[np.arange(min(self.X.unit, self.n_samples))].mean(axis=0, dtype=np.float64)
        return np.where(np.isfinite(centre), centre, 0.0)

    def take(self, rows: Array) -> DenseDesign:
        """The same design on some rows: a copy of few, many in their file."""
        part = StoredDesign(PickedRows(self.X, rows), self.fit_intercept)
        if part.X.size * self.dtype.itemsize > HELD_BYTES:
            return part
        return DenseDesign(part.held(), self.fit_intercept)

    def held(self) -> Array:
        """All rows, in memory."""
        return self.X.obtain(0, self.n_samples, Window())

    def _pieces(self, chunk: slice) -> Iterable[slice]:
        return [chunk] if self.X.whole else self._blocks(chunk)

    def row_products(self, centre: Array, used: Array) -> Array:
        """Inner products of the rows, as `DenseDesign.row_products`: groups of them by all, a read of X a group."""
        n = self.n_samples
        out = np.empty((n, n))
        for group in self.X.parts(max(1, HELD_BYTES // (16 * max(1, self.n_features)))):
            self.passes += 1
            few = StoredDesign(PickedRows(self.X, np.arange(group.start, group.stop)), self.fit_intercept).held()
            few = (few - centre)[:, used]

            def task(part: slice, group: slice = group, few: Array = few) -> None:
                for s in self._blocks(part):
                    out[group, s] = np.dot(few, (self.X[s] - centre)[:, used].T)

            self._chunks(task)
        return out

    def centred_adjoint(self, residual: Array, centre: Array) -> Array:
        """(X − 1 centreᵀ)ᵀ residual, as `DenseDesign.centred_adjoint`."""
        self.passes += 1

        def task(chunk: slice) -> tuple[Array]:
            out = np.zeros((self.n_features, *residual.shape[1:]))
            for s in self._blocks(chunk):
                out += np.dot((self.X[s] - centre).T, residual[s])
            return (out,)

        (out,) = add_up(self._chunks(task))
        return out


def is_finite(result: Any) -> bool:
    """Whether a result that every number of X goes into says that all of them are finite; None says nothing."""
    return result is not None and all(np.isfinite(part).all() for part in result)


def predictions(rows: StoredRows, coef: Array, intercept: Any) -> Array:
    """X @ coef.T + intercept, in the wider of the two precisions."""
    rows.dtype = np.result_type(rows.dtype, coef.dtype)
    both = np.concatenate([coef.T, np.reshape(intercept, (1, *coef.T.shape[1:]))])
    with one_blas_thread(), np.errstate(all="ignore"):
        return StoredDesign(rows, True).forward(both)


def name_of(X: Any) -> str:
    """What a user calls a stored array: its file and its name in it, as far as it tells."""
    file = getattr(getattr(X, "file", None), "filename", None) or getattr(X, "store", None)
    name = getattr(X, "name", None)
    return " ".join(str(part) for part in (file, name) if part) or type(X).__name__
