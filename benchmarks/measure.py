"""Fits and their seconds, and the machine that they are of.

Uses: a fit with what it warned or failed with, several timed in turn, one that ends in time, and what every published second
stands beside::

    outcome = attempt(cholesky, X, y)                      # outcome.solution or outcome.word
    seconds = alternate({"a": run_a, "b": run_b}, repeats=5)
    with limit(10): estimator.fit(X, y)                    # or TimeSpent
    described(machine())
"""

from __future__ import annotations

import platform
import signal
import threading
import timeit
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController, threadpool_limits

from sklearn_gd._versions import versions

from .methods import Method, Solution

__all__ = ["Outcome", "Taken", "TimeSpent", "alternate", "attempt", "described", "limit", "machine"]


#: Shorter runs are not tried on several threads of BLAS, in seconds.
WORTH_THREADS = 5e-3

#: Longer runs are repeated three times at most, in seconds.
SLOW = 0.1


@dataclass(frozen=True)
class Outcome:
    """A fit that ended, one way or the other.

    Attributes
    ----------
    solution : Solution or None
        None where the method raised.
    seconds : float
        Of this one fit.
    word : str
        The exception or the warnings, by their names; empty where all went well.
    """

    solution: Solution | None
    seconds: float
    word: str


def attempt(method: Method, X: np.ndarray, y: np.ndarray) -> Outcome:
    """One fit. What it raises or warns is its result, not the end of the benchmark.

    On one thread of BLAS: two that wait for each other on a busy machine can take a thousand times as long.
    """
    start = timeit.default_timer()
    solution, words = None, list[str]()
    with warnings.catch_warnings(record=True) as caught, threadpool_limits(1):
        warnings.simplefilter("always")
        try:
            solution = method(X, y)
        except (np.linalg.LinAlgError, ArithmeticError, ValueError) as error:
            words.append(f"{type(error).__name__}: {error}")
    seconds = timeit.default_timer() - start
    words += sorted({warning.category.__name__ for warning in caught})
    if solution is not None and not (np.all(np.isfinite(solution.coef)) and np.isfinite(solution.intercept)):
        words.append("coefficients not finite")
    return Outcome(solution, seconds, "; ".join(words))


@dataclass(frozen=True)
class Taken:
    """The seconds of several runs: median, least and most; how many, and on how many threads of BLAS."""

    seconds: float
    fastest: float
    slowest: float
    repeats: int
    threads: int


def alternate(
    runs: Mapping[str, Callable[[], object]],
    repeats: int,
    known: Mapping[str, float] | None = None,
    least: float = 2e-3,
) -> dict[str, Taken]:
    """Seconds of each run, the runs taken in turn: a slow spell of the machine falls on all of them.

    Each run gets the number of BLAS threads, one or all, that suited it better when tried before: on small matrices
    threads cost more than they bring, and no method is to look bad for that. (`GDLinearRegression` takes as many threads
    as BLAS may.)

    Parameters
    ----------
    runs : mapping of str to callable
    repeats : int
        Three at most where a run is `SLOW`.
    known : mapping of str to float, optional
        Seconds that a run has taken before, on one thread.
    least : float
        Runs shorter than this are repeated within a measurement until they last as long, in seconds.
    """
    controller = ThreadpoolController()
    all_threads = max((pool["num_threads"] for pool in controller.info()), default=1)
    timers = {name: timeit.Timer(run) for name, run in runs.items()}
    numbers, threads = {}, {}
    taken: dict[str, list[float]] = {name: [] for name in runs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # known already, from the fit that went before

        def least_of(name: str, count: int, times: int) -> float:
            with controller.limit(limits=count):
                return min(timers[name].repeat(times, 1))

        for name in runs:
            once = (known or {}).get(name, 0.0)
            if once < WORTH_THREADS:  # the first call may have paid for more than itself
                once = least_of(name, 1, 3)
            threads[name] = 1
            if once > WORTH_THREADS and all_threads > 1:
                several = least_of(name, all_threads, 1 if once > SLOW else 2)
                if several < 0.9 * once:
                    once, threads[name] = several, all_threads
            numbers[name] = max(1, round(least / once))
        for turn in range(repeats):
            for name, timer in timers.items():
                if turn < 3 or taken[name][0] < SLOW:
                    with controller.limit(limits=threads[name]):
                        taken[name].append(timer.timeit(numbers[name]) / numbers[name])
    return {name: Taken(float(np.median(t)), min(t), max(t), len(t), threads[name]) for name, t in taken.items()}


class TimeSpent(BaseException):
    """A run took longer than its `limit`; no Exception, which a search would take for a fit that failed, and go on."""


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Ends what runs Python code at least now and then; does nothing where there are no alarm signals (Windows).

    Raises
    ------
    TimeSpent
        Where the time was up. What is compiled is told when it comes back.
    """
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: object) -> None:
        raise TimeSpent

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# ---------------------------------------------------------------------------------------------------- the machine

#: What is said of a field that a record of measurements does not have.
UNKNOWN = "not recorded"


def machine() -> dict[str, Any]:
    """What seconds depend on, as it is in force in this process: `sklearn_gd._versions.versions`, and the platform.

    The kernels of BLAS, ``architecture``, are those that it has chosen or was told to use (OPENBLAS_CORETYPE).
    """
    return {**versions(), "platform": platform.platform()}


def described(record: Mapping[str, Any]) -> str:
    """A record of `machine` in one line, which says so of what it does not have."""

    def known(value: Any) -> Any:
        return UNKNOWN if value is None else value

    blas = record.get("blas") or {}
    version = f"{blas['name']} {known(blas.get('version'))}" if blas.get("name") else UNKNOWN
    return (
        f"{known(record.get('processor'))}, {known(record.get('cores'))} cores; "
        f"instruction level of the kernels: {known(record.get('level'))}; "
        f"BLAS: {version}, its kernels: {known(blas.get('architecture'))}, threads: {known(record.get('threads'))}"
    )
