"""A linear model's X that is read by blocks of rows.

Two uses: fits of stored rows, and predictions on them.

A sweep hands out spans of rows to two threads or more; a thread reads its span block by block into a buffer of its own, and multiplies
each block there, while it is in the core's cache. So one thread's reading and another's arithmetic overlap, each block is read once a
sweep, and what is in memory is a buffer a thread. The first sweep looks for NaN and infinity on its way.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, cycle, zip_longest
from typing import Any, TypeVar

import numpy as np

from ..designs.dense import DenseDesign
from ..designs.rows import NotFiniteError, add_up, finite_mean
from ..designs.threads import map_ordered
from ..protocols import Array
from .rows import BLOCK_BYTES, HELD_BYTES, Block, PickedRows, StoredRows

__all__ = ["StoredDesign"]

R = TypeVar("R")


class StoredDesign(DenseDesign):
    """A linear model's X that is read by blocks of rows, again in every sweep.

    In memory, beside what the solver keeps for coefficients and samples, is a buffer of one block a thread, and what is computed of it:
    2 MB, or one row, or one stored chunk of rows where that is more (up to 64 MB); 16 MB for a Gram matrix of more than 640 columns;
    and up to 64 MB of rows that a sample draws.

    Parameters
    ----------
    X : StoredRows
    fit_intercept : bool
    """

    X: Any

    def __init__(self, X: StoredRows, fit_intercept: bool) -> None:
        super().__init__(X, fit_intercept)  # type: ignore[arg-type]
        self.at_once = False
        self.parts = X.parts(max(1, BLOCK_BYTES // max(1, X.row_bytes)))
        # Where one thread alone may compute, a second reads meanwhile. More threads need no such order: while one waits for
        # the disk, others compute.
        self._turn: Any = threading.Lock() if self.threads == 1 else contextlib.nullcontext()

    def _chunks(self, task: Callable[[slice], R], chunk_rows: int | None = None) -> list[R]:
        X, block = self.X, self.X.block

        def one(part: slice) -> Any:
            rows = X.read(part.start, part.stop, block.room)
            with self._turn, block.holding(part.start, rows):
                result: Any = task(part)
            # a result that every number goes into tells, for less, that all are finite
            if not X.checked and (result is None or not all(np.isfinite(sums).all() for sums in result)):
                X.require_finite(rows, part.start)
            return result

        def several(parts: list[slice]) -> Any:
            results = map(one, parts)
            try:
                # sums are added up as they come, so that those of many blocks are never in memory together
                first = next(results)
                return [None for _ in results] if first is None else add_up(chain([first], results))
            except NotFiniteError as error:
                return error

        count = max(1, (chunk_rows or self.chunk_rows) * len(self.parts) // self.n_samples)
        spans = [self.parts[k : k + count] for k in range(0, len(self.parts), count)]
        found: list[Any] = map_ordered(several, spans, max(2, self.threads))
        for error in found:
            if isinstance(error, NotFiniteError):
                raise error  # the first row, whichever thread was faster
        X.checked = True
        return found

    def in_turn(self, size: int) -> Iterator[slice]:
        X, parts, rooms = self.X, self.X.parts(size), cycle([Block().room, Block().room])
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(X.read, parts[0].start, parts[0].stop, next(rooms))
            for part, after in zip_longest(parts, parts[1:]):
                rows = coming.result()
                if after is not None:
                    coming = pool.submit(X.read, after.start, after.stop, next(rooms))
                if not X.checked:
                    X.require_finite(rows, part.start)
                with X.block.holding(part.start, rows):
                    yield part
        X.checked = True

    def _mean_of_few(self, weight: Array | None) -> Array:
        if self.X.unit == 1 or not self.fit_intercept:
            return super()._mean_of_few(weight)
        # of the first piece: 64 rows from everywhere would be as many pieces
        return finite_mean(self.X[: self.X.unit])

    def take(self, rows: Array) -> DenseDesign:
        """The same design on some rows: a copy of few, many in their file."""
        X = PickedRows(self.X, rows)
        if X.size * self.dtype.itemsize > HELD_BYTES:
            return StoredDesign(X, self.fit_intercept)
        return DenseDesign(X[:], self.fit_intercept)

    def _pieces(self, chunk: slice) -> Iterable[slice]:
        return [chunk]  # a block that is in memory

    def row_products(self, centre: Array, used: Array) -> Array:
        """Inner products of the rows, as `DenseDesign.row_products`: groups of them by all, a read of X a group."""
        n = self.n_samples
        out = np.empty((n, n))
        for group in self.X.parts(max(1, HELD_BYTES // (16 * max(1, self.n_features)))):
            self.passes += 1
            few = (self.X[group] - centre)[:, used]

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
