"""Threads over row blocks, with BLAS kept to one thread meanwhile.

Two uses: every pass over X (`rows.RowBlocks`), and the elementwise work of a line search on predictions.

NumPy's matrix products and ufuncs and SciPy's sparse products release the interpreter's lock, so plain threads
reach the memory bandwidth. A pool of two threads that each call a BLAS of two threads would run four: the guard
below counts its users, because fits may run side by side under joblib's threading backend, and the last one to
leave restores what the first one found (threadpoolctl's own context managers restore in the order in which they
end, which leaves BLAS at one thread for good when two of them overlap).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

__all__ = ["cut", "map_ordered", "n_threads", "one_blas_thread", "quiet", "whole_blas"]

T = TypeVar("T")
R = TypeVar("R")


class _State:
    """The pool, the BLAS libraries and the guard's count of one process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
        self.found: list[int] = []
        self.original = 1
        self.pool: ThreadPoolExecutor | None = None
        self._libraries: list[Any] | None = None

    def libraries(self) -> list[Any]:
        if self._libraries is None:  # a millisecond: found once per process
            self._libraries = ThreadpoolController().select(user_api="blas").lib_controllers
        return self._libraries

    def numbers(self) -> list[int]:
        """The threads that each library may use."""
        return [library.num_threads for library in self.libraries()]

    def set(self, numbers: Iterable[int]) -> None:
        # one by one: threadpoolctl's own limiter takes four times as long, a tenth of a small fit
        for library, number in zip(self.libraries(), numbers, strict=False):
            library.set_num_threads(number)


_state = _State()


def _forget() -> None:
    # A forked child has none of the parent's threads, and a lock that it may have inherited locked.
    global _state
    _state = _State()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def n_threads() -> int:
    """Threads that a pass may use: what BLAS may, so that ``threadpool_limits`` and joblib's workers are obeyed."""
    state = _state
    with state.lock:
        if state.users:
            return state.original
        return max(state.numbers(), default=1)


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS works on one thread while anybody is inside."""
    state = _state
    with state.lock:
        if state.users == 0:
            state.found = state.numbers()
            state.original = max(state.found, default=1)
            state.set(itertools.repeat(1))
        state.users += 1
    try:
        yield
    finally:
        with state.lock:
            state.users -= 1
            if state.users == 0:
                state.set(state.found)


# The least order of a matrix whose factorisation is worth more than one thread: 0.15 s. OpenBLAS's threads wait for each other by spinning,
# and where they come to lie on one processor take turns in it: of order 2,000, 48 ms on one thread, 28 on two, and 300 to 1,000 then.
THREADED_ORDER = 3000
# Entries of X below which OpenBLAS (0.3) uses one thread for products with vectors (2304 · 4), and for the small
# products of such data; and columns up to which it does for the factorisations of their matrices. Of order 100, on a busy machine, those take
# 0.7 ms on one thread and up to 60 on two.
TINY, TINY_ORDER = 9216, 64


def quiet(design: Any) -> contextlib.AbstractContextManager[None]:
    """`one_blas_thread` around passes over a design, where BLAS would use more; telling it takes 15 µs."""
    tiny = design.n_samples * design.n_features <= TINY and design.n_features <= TINY_ORDER
    return contextlib.nullcontext() if tiny or design.where == "device" else one_blas_thread()


@contextlib.contextmanager
def whole_blas(order: int) -> Iterator[None]:
    """BLAS has its threads back for a large factorisation inside `one_blas_thread`, of a matrix of some order."""
    state = _state
    if order < THREADED_ORDER or not state.users or state.original == 1:
        yield
        return
    inside = state.numbers()
    state.set(state.found)
    try:
        yield
    finally:
        state.set(inside)


def cut(n: int, size: int) -> list[slice]:
    """Slices of `size` that cover range(n)."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def map_ordered(task: Callable[[T], R], items: Sequence[T], threads: int) -> list[R]:
    """``[task(item) for item in items]``, on `threads` threads; the order of the results is the items'.

    The caller's thread is one of them, and takes item after item: handing one over costs 20 µs, and waking a thread up to a
    millisecond where the processors are busy, in which the caller has done the work of a small pass.
    """
    if threads <= 1 or len(items) <= 1:
        return [task(item) for item in items]
    state = _state
    with state.lock:
        if state.pool is None:
            state.pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="sklearn_gd")
    job: list[Any] = [task, items]
    left = deque(range(len(items)))
    results: dict[int, R] = {}

    def work() -> None:
        # Floating-point error handling is per thread: overflow is found from its result, not from a warning.
        with np.errstate(all="ignore"):
            try:
                while True:
                    try:
                        k = left.popleft()
                    except IndexError:
                        return
                    results[k] = job[0](job[1][k])
            except BaseException:
                left.clear()  # what failed in one thread ends the others
                raise

    others = [state.pool.submit(work) for _ in range(min(threads, len(items)) - 1)]
    try:
        work()
    finally:
        # those that have not begun have nothing left to do
        begun = [other for other in others if not other.cancel()]
        wait(begun)
    for other in begun:
        other.result()
    found = [results[k] for k in range(len(items))]
    # A cancelled `work` lies in the pool's queue until a thread wakes up for it: what it would have worked on is not kept till then.
    job.clear()
    results.clear()
    return found
