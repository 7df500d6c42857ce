"""Memory maps, read from their files.

Two uses: X in a `numpy.memmap`, and a target or weights in one.

A system ends a process that touches pages of a mapping which its file has lost (SIGBUS), and a library that handled that signal would
take it from the program. A read of the same bytes fails instead, with an error that says so. So a map's numbers are never touched:
they are copied by reads into a buffer, from the file, if that is the mapped one, at the offsets and strides of the map.

Where the file is not to be had (deleted, or another one has its name), and where the numbers are in no file (changes of a private
mapping, ``mode="c"``), Linux offers the process's memory as a file, whose reads fail in the same way and take four times as long.
Other systems do not tell which file is mapped, and have no such file: there rows are copied from the map, after a comparison of the
file's size, and a file that is cut meanwhile may end the process.

Any order will do: a block of rows is one read where at most four times its bytes lie between its first number and its last, and
else a read for each row, or for each column in Fortran order.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import messages
from ..protocols import Array
from .rows import BLOCK_BYTES, StoredRows

__all__ = ["MappedRows", "memory_map"]

# The system reads whole pages.
PAGE = 4096


def memory_map(X: Array) -> tuple[np.memmap[Any, Any], mmap.mmap] | None:
    """The memory map whose memory an array is, and the mapping; None for other arrays."""
    found: Any = None
    base: Any = X
    while isinstance(base, np.ndarray):
        found = base if isinstance(base, np.memmap) else found
        base = base.base
    return (found, base) if found is not None and isinstance(base, mmap.mmap) else None


class MappedRows(StoredRows):
    """A memory map's rows.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    memory, mapping
        As `memory_map` has them.
    """

    def __init__(self, X: Array, memory: np.memmap[Any, Any], mapping: mmap.mmap) -> None:
        super().__init__(X, str(memory.filename or "a memory map"))
        self.X, self.mapping = X, mapping
        address = X.__array_interface__["data"][0]
        # a mapping begins where its system allows one to begin: before the first number
        position = memory.offset - memory.offset % mmap.ALLOCATIONGRANULARITY
        position += address - np.frombuffer(mapping, dtype=np.uint8).__array_interface__["data"][0]
        self.end = position + extent(X)[1] + X.itemsize
        self._require_whole()
        kept = memory.filename is not None and memory.mode != "c"
        self.file, self.position = mapped_file(str(memory.filename), address) if kept else None, position
        if self.file is None:
            self.file, self.position = opened("/proc/self/mem"), address
        if self.file is not None:
            weakref.finalize(self, os.close, self.file)
        across = abs(X.strides[0])
        if across < abs(X.strides[1]):
            # by columns: a page of each at least, and more while blocks stay small
            self.unit = max(PAGE, BLOCK_BYTES // max(1, X.shape[1])) // X.itemsize
        else:
            self.row_bytes = max(self.row_bytes, min(across, 4 * self.row_bytes))

    def _require_whole(self) -> None:
        if self.size and self.mapping.size() < self.end:
            raise OSError(messages.truncated(self.name, self.end, self.mapping.size()))

    def fetch(self, start: int, stop: int, room: Callable[[int], Array]) -> Array:
        part = self.X[start:stop]
        if self.file is None:
            self._require_whole()
            return part.astype(self.dtype)
        position = self.position + start * self.X.strides[0]
        try:
            rows = copied(self.file, position, part, room)
        finally:
            self._require_whole()  # says it in words; in memory, zeros follow the end of a file that ends within a page
        return rows.astype(self.dtype, copy=False)

    def pick(self, index: Array, out: Array) -> None:
        across, along = self.X.strides
        if self.file is not None and self.X.dtype == self.dtype and along == self.X.itemsize:
            with contextlib.suppress(OSError):  # said in words below
                got = [
                    os.preadv(self.file, [row], self.position + k * across)
                    for row, k in zip(out, index.tolist(), strict=True)
                ]
                self._require_whole()
                if sum(got) == out.nbytes:
                    return
        super().pick(index, out)


def extent(X: Array) -> tuple[int, int]:
    """How far the first and the last number in memory are from that of index 0, in bytes."""
    spans = [(n - 1) * stride for n, stride in zip(X.shape, X.strides, strict=True)]
    return sum(s for s in spans if s < 0), sum(s for s in spans if s > 0)


def copied(file: int, position: int, X: Array, room: Callable[[int], Array]) -> Array:
    """What X has in a file, where its number of index 0 is at `position`, in memory that `room` gives; X itself is not touched."""
    low, high = extent(X)
    if X.ndim == 1 or high - low <= 4 * X.nbytes + PAGE:
        buffer = room(high - low + X.itemsize)
        fill(file, buffer, position + low)
        return np.ndarray(X.shape, X.dtype, buffer, -low, X.strides)
    by_rows = abs(X.strides[0]) > abs(X.strides[1])
    lines = X if by_rows else X.T
    out = room(X.nbytes).view(X.dtype).reshape(lines.shape)
    for k, line in enumerate(lines):
        out[k] = copied(file, position + k * lines.strides[0], line, empty)
    return out if by_rows else out.T


def empty(size: int) -> Array:
    """Memory of so many bytes."""
    return np.empty(size, dtype=np.uint8)


def fill(file: int, buffer: Array, position: int) -> None:
    """Read bytes of a file, or fail."""
    view = memoryview(buffer)  # type: ignore[arg-type]
    while view:
        got = os.preadv(file, [view], position)
        if not got:
            raise EOFError(f"the file ends at byte {os.fstat(file).st_size}, before these rows: it was truncated")
        view, position = view[got:], position + got


def opened(name: str) -> int | None:
    """A file to be read by offset, if there is one and the system reads in this way."""
    try:
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC) if hasattr(os, "preadv") else None
    except OSError:
        return None


def mapped_file(name: str, address: int) -> int | None:
    """The file of that name, if it is what is mapped at an address, and not another one that has taken its name."""
    file = opened(name)
    if file is None:
        return None
    with contextlib.suppress(OSError), open("/proc/self/maps") as lines:  # Linux alone has it
        for line in lines:
            span, _, _, _, inode, *_ = line.split()
            first, last = (int(edge, 16) for edge in span.split("-"))
            if first <= address < last and int(inode) == os.fstat(file).st_ino:
                return file
    os.close(file)
    return None
