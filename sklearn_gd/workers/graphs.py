"""Tasks on blocks of rows, and sums of what they return.

Two uses: passes of a fit over X; the classes of a target.

Each pass is one graph: a task a block of rows, which gets the block and coefficient-sized inputs, runs the package's own
design for arrays in memory on it, and returns sums; a task or a small tree of them adds those up. A task remembers
nothing, and a graph holds one pass. So graphs do not grow with the iterations, and what a lost worker held is
computed again by Dask from the collections as they were given, and by nothing of ours.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import messages
from ..designs import design_for
from ..designs.rows import add_up
from ..designs.threads import one_blas_thread

__all__ = ["FAN_IN", "compute", "compute_sum", "deferred", "is_dask", "on_block", "parts_of"]

# Sums that one task adds up: so many blocks of 100 MB keep a machine busy for a second.
FAN_IN = 16

#: what distributed raises where scheduler or client have gone
LOST = {"CancelledError", "ClosedClientError", "CommClosedError"}


def is_dask(X: Any) -> bool:
    """Whether X is a Dask collection."""
    dask = sys.modules.get("dask")
    return dask is not None and bool(dask.is_dask_collection(X))


def parts_of(rows: Any) -> Any:
    """The blocks of a Dask array, each an input of a task; a list is what this has returned before."""
    if rows is None or isinstance(rows, list):
        return rows
    return list(rows.to_delayed(optimize_graph=False).ravel())


def compute(*collections: Any) -> tuple[Any, ...]:
    """`dask.compute`, with an error that says so where the cluster has gone."""
    import dask

    try:
        return dask.compute(*collections)
    except BaseException as error:  # CancelledError, which distributed raises, is no Exception
        # a client that closes in this moment leaves its futures to Dask's own scheduler, which knows nothing of them
        orphaned = isinstance(error, ValueError) and str(error).startswith("Missing dependency")
        if not orphaned and not LOST & {cls.__name__ for cls in type(error).__mro__}:
            raise
        raise RuntimeError(messages.cluster_lost(error)) from error


def deferred() -> Callable[..., Any]:
    """What makes a task of a function and its arguments."""
    from dask import delayed

    return delayed(guarded, pure=False)


def guarded(function: Callable[..., Any], *args: Any) -> Any:
    """What a function returns, on one thread, as Dask's own are beside it; an error in the data is a result, which no worker logs."""
    with one_blas_thread(), np.errstate(all="ignore"):
        try:
            return function(*args)
        except ValueError as error:
            return error


def on_block(task: Callable[..., Any], fit_intercept: bool, X: Any, rows: Sequence[Any], args: Sequence[Any]) -> Any:
    """A task of one block: what it returns of the block's design, and of what lies beside its rows."""
    design: Any = design_for(X, fit_intercept)
    design.threads = 1
    return task(design, *rows, *args)


def combined(add: Callable[[Any], Any], parts: list[Any]) -> Any:
    """The sum of what tasks have returned, or the first error."""
    errors = [part for part in parts if isinstance(part, ValueError)]
    return errors[0] if errors else add(parts)


def compute_sum(parts: list[Any], add: Callable[[Any], Any] = add_up, home: int = 1) -> Any:
    """Add up what the tasks return, where they are; the sum, or at most `home` parts of it, come home."""
    call = deferred()
    while len(parts) > home:
        parts = [call(combined, add, parts[i : i + FAN_IN]) for i in range(0, len(parts), FAN_IN)]
    total = combined(add, list(compute(*parts)))
    if isinstance(total, ValueError):
        raise total
    return total
