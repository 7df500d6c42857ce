"""X that stays in its file: memory maps, and arrays that hand out slices of their rows.

Two uses: `numpy.memmap`; and `h5py.Dataset`, `zarr.Array` and their like, recognised without being imported.

This is the one door. `maps` reads memory maps, `rows` says what rows are to everybody else, `design` multiplies them. The designs of
arrays in memory (`sklearn_gd.designs`) know nothing of files: their registry gets its line from here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import messages
from ..designs import DESIGNS
from ..designs.threads import one_blas_thread
from ..protocols import Array
from .design import StoredDesign
from .maps import MappedRows, memory_map
from .rows import PickedRows, SlicedRows, StoredRows, has_slices

__all__ = ["PickedRows", "StoredRows", "is_stored", "loaded", "open_rows", "predictions"]

DESIGNS.append((lambda X: isinstance(X, StoredRows), StoredDesign))


def is_stored(X: Any) -> bool:
    """Whether X is to be read by blocks of rows.

    That is a `numpy.memmap` or a view of one; or any object that has a `shape`, an `ndim`, a NumPy `dtype` and slices of
    rows, and is no NumPy array, no Array API or CUDA array, no sparse matrix, no data frame and no Dask collection.
    """
    return memory_map(X) is not None if isinstance(X, np.ndarray) else has_slices(X)


def open_rows(X: Any) -> StoredRows:
    """The rows of what `is_stored` recognises; nothing of them is read yet."""
    kind = X.dtype.kind
    if kind not in "fiub":
        raise (ValueError if kind == "c" else TypeError)(messages.no_numbers(X.dtype))
    # arrays that are no tables are refused by their shape, see `stand_in`
    mapped = memory_map(X) if isinstance(X, np.ndarray) and X.ndim == 2 else None
    return SlicedRows(X) if mapped is None else MappedRows(X, *mapped)


def loaded(array: Any) -> Any:
    """A target or weights; of a memory map's numbers a copy, made by reads that fail where the file has lost them."""
    mapped = isinstance(array, np.memmap) and array.ndim in (1, 2) and array.dtype.kind in "fiub" and memory_map(array)
    if not mapped:
        return array
    rows = open_rows(array[:, None] if array.ndim == 1 else array)
    rows.dtype = array.dtype  # labels are not computed with
    return rows[:].reshape(array.shape)


def predictions(rows: StoredRows, coef: Array, intercept: Any) -> Array:
    """X @ coef.T + intercept, in the wider of the two precisions."""
    rows.dtype = np.result_type(rows.dtype, coef.dtype)
    both = np.concatenate([coef.T, np.reshape(intercept, (1, *coef.T.shape[1:]))])
    with one_blas_thread(), np.errstate(all="ignore"):
        return StoredDesign(rows, True).forward(both)
