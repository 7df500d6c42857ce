"""What `fit` is given, checked: collections in the same blocks of rows.

Two uses: X, y and weights of a fit, as arrays of numbers; and the classes of a target.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from ..protocols import Array
from .design import DaskDesign
from .graphs import compute, compute_sum, deferred, is_dask, parts_of

__all__ = ["as_array", "as_rows", "collect", "cut_as", "encode_blocks", "sized"]

# Bytes up to which columns are brought together without asking: a second's work for a network of 1 Gbit/s.
CHEAP_BYTES = 100_000_000


def collect(
    estimator: Any, X: Any, y: Any, sample_weight: Any, offset: Any, dtypes: Sequence[Any], one_column: bool
) -> Any:
    """Checked collections of one shape: X, y, weights and offsets in the same blocks of rows, in the workers' memory.

    Parameters
    ----------
    estimator : estimator
        Gets ``n_features_in_`` and ``feature_names_in_``.
    X, y, sample_weight, offset : as `fit` has them
    dtypes : sequence of dtype
        What X may be; the first is what it becomes where it is none of them.
    one_column : bool
        Whether y must have one dimension.

    Returns
    -------
    X, y : dask.array.Array
    weight, offset : dask.array.Array or None
        Without rows of weight zero.
    """
    import dask
    import dask.array as da

    if not is_dask(X):
        raise TypeError(
            f"y or sample_weight is a Dask collection and X is a {type(X).__name__}. Use y.compute(), sample_weight.compute(), or "
            "X = dask.array.from_array(X, chunks=(100_000, -1))."
        )
    X = as_array(estimator, X, dtypes, reset=True)
    if y is None:
        raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target y is None.")
    X, y, weight, offset = sized(*dask.persist(X, as_rows(y), as_rows(sample_weight), as_rows(offset)))
    for size, what in zip(X.shape, ("sample", "feature"), strict=True):
        if not size:
            raise ValueError(f"Found array with 0 {what}(s) (shape={X.shape}) while a minimum of 1 is required.")
    if y.shape[:1] != X.shape[:1]:
        raise ValueError(f"Found input variables with inconsistent numbers of samples: {[X.shape[0], *y.shape[:1]]}")
    y = cut_as(X, y)
    if y.ndim > 1 + (not one_column):
        raise ValueError(
            f"y should be a {'1d' if one_column else '1d or 2d'} array, got shape {y.shape}. Use y = y[:, 0]."
        )
    if y.dtype.kind == "f" and not compute(da.isfinite(y).all())[0]:
        raise ValueError("Input y contains NaN or infinity. Remove such rows from X and y.")
    if offset is not None:
        offset = beside(X, offset, "offset", "Offset", np.dtype(np.float64))[0]
    if weight is not None:
        X, y, weight, offset = weighted(X, y, weight, offset)
    filled = [k for k, rows in enumerate(X.chunks[0]) if rows]
    if len(filled) < X.numblocks[0]:
        X, y, weight, offset = (None if values is None else values.blocks[filled] for values in (X, y, weight, offset))
    return (*dask.persist(X, y), weight, offset)


def beside(X: Any, values: Any, name: str, what: str, dtype: Any) -> tuple[Any, float, float]:
    """One finite number a sample, cut as X is, and the lowest and the highest."""
    import dask.array as da

    n = X.shape[0]
    if values.ndim == 0:
        values = da.full(n, values, chunks=(X.chunks[0],), dtype=dtype)
    if values.shape[0] != n:
        raise ValueError(f"{name}.shape == {values.shape}, expected {(n,)}: one {what.split()[-1].lower()} a sample.")
    if values.ndim != 1:
        raise ValueError(f"{what}s must be 1D array or scalar, got {values.ndim}D array.")
    if values.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be numbers, got dtype {values.dtype}.")
    values = cut_as(X, values).astype(dtype).persist()
    low, high = (float(number) for number in compute(values.min(), values.max()))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"Input {name} contains NaN or infinity.")
    return values, low, high


def weighted(X: Any, y: Any, weight: Any, offset: Any) -> tuple[Any, Any, Any, Any]:
    """X, y, checked weights, which are cut as X is, and offsets, without the rows whose weight is zero."""
    weight, low, high = beside(X, weight, "sample_weight", "Sample weight", X.dtype)
    if low < 0:
        raise ValueError(f"Negative values in data passed to `sample_weight`: the smallest is {low:.3g}.")
    if not high:
        raise ValueError("Sample weights must not all be zero: at least one sample must have a positive weight.")
    if low:
        return X, y, weight, offset
    # A weight of zero removes the row: also from what decides how the problem is solved.
    DaskDesign(X, False).refuse_not_finite()  # the rows that go, too
    keep = weight > 0
    rows = compute_sum([deferred()(np.count_nonzero, part) for part in parts_of(keep)], list, len(weight.chunks[0]))

    def only(values: Any) -> Any:
        chosen = keep if values.ndim == 1 else keep[:, None]
        chunks = (tuple(rows), *values.chunks[1:])
        return values.map_blocks(kept, chosen, dtype=values.dtype, chunks=chunks, meta=values._meta)

    return only(X), only(y), only(weight), None if offset is None else only(offset)


def kept(values: Any, keep: Array) -> Any:
    return values[np.flatnonzero(keep)]


def as_array(estimator: Any, X: Any, dtypes: Sequence[Any], reset: bool) -> Any:
    """A Dask array of floats, all columns in one chunk, from an array or a dataframe; names and number checked."""
    skeleton: Any = None
    if hasattr(X, "to_dask_array"):
        if not hasattr(X, "columns"):
            raise ValueError(
                f"Expected a 2-dimensional container but got {type(X).__name__} instead. Use X.to_frame()."
            )
        import pandas as pd

        skeleton = pd.DataFrame(np.zeros((1, len(X.columns))), columns=X.columns)
        strange = [name for name, dtype in X.dtypes.items() if getattr(dtype, "kind", "O") not in "fiub"]
        if strange:
            raise ValueError(
                f"X has columns that are not numbers: {', '.join(map(str, strange))}. Encode or drop them."
            )
        X = X.to_dask_array()
    elif not hasattr(X, "numblocks"):
        raise TypeError(
            f"X is a Dask {type(X).__name__}; an array or a dataframe is required: X.to_dataframe().to_dask_array(lengths=True) of a bag, "
            "dask.array.from_delayed(X, shape, dtype) of a delayed array."
        )
    if X.ndim != 2:
        raise ValueError(f"Expected 2D array, got {X.ndim}D array instead. Use X[:, None] for a single feature.")
    if np.isnan(X.shape[1]):
        raise ValueError("The number of columns of X is not known. Use X.compute_chunk_sizes().")
    if X.dtype.kind not in "fiub":
        raise ValueError(f"X must be numbers, got dtype {X.dtype}. Use X = X.astype(float).")
    if skeleton is None:
        skeleton = np.zeros((1, X.shape[1]))
    validate_data(estimator, skeleton, reset=reset, ensure_min_features=0)
    if X.numblocks[1] > 1:
        if not X.nbytes <= CHEAP_BYTES:  # NaN, where the number of rows is not known
            raise ValueError(
                f"X is cut into {X.numblocks[1]} chunks along its columns, and a row must be in one. Use X = X.rechunk({{1: -1}})."
            )
        X = X.rechunk({1: -1})
    dtype = X.dtype if X.dtype in dtypes else np.dtype(dtypes[0])
    return X.map_blocks(plain, dtype, dtype=dtype, meta=plain(X._meta, dtype))


def plain(block: Any, dtype: Any) -> Any:
    """A block as an array of NumPy or a compressed sparse one of SciPy: itself, if it is that."""
    if hasattr(block, "tocsr"):  # SciPy's and sparse's
        block = block.tocsr().astype(dtype, copy=False)
        block.sum_duplicates()
        return block
    # An array that came over the network may begin at any byte: each product would copy it, ten times as slow as its own.
    return np.require(block, dtype, ["ALIGNED"])


def as_rows(values: Any) -> Any:
    """What lies beside the rows: a Dask array of one, or of a series; a NumPy array of all else; or None."""
    if values is None:
        return None
    if not is_dask(values):
        return np.asarray(values)
    if hasattr(values, "to_dask_array"):
        # strings and categories of pandas as the objects that they are of
        numbers = getattr(getattr(values, "dtype", None), "kind", "f") in "fiub"
        values = (values if numbers else values.astype(object)).to_dask_array()
    return values.map_blocks(plain, None, dtype=values.dtype)


def sized(*arrays: Any) -> tuple[Any, ...]:
    """The arrays, and the numbers of their rows, which a mask or a file leaves unknown."""
    for array in arrays:
        if is_dask(array) and np.isnan(array.shape[0]):
            array.compute_chunk_sizes()
    return arrays


def cut_as(X: Any, values: Any) -> Any:
    """In the blocks of rows that X has: a column or a few, so that moving them is cheap."""
    import dask.array as da

    chunks = (X.chunks[0], *values.shape[1:])
    return values.rechunk(chunks) if is_dask(values) else da.from_array(values, chunks=chunks)


def encode_blocks(y: Any, weight: Any, encode: Callable[..., Any]) -> tuple[Array, Any, Array]:
    """`linear_model.encode` of a Dask array: the classes, the index of each sample's, and the weight of each class.

    Parameters
    ----------
    y, weight : dask.array.Array
        The weight may be None.
    encode : callable (y, weight) -> (classes, index, counts)
        The same for an array in memory.
    """
    call, parts = deferred(), parts_of(y)
    weights = parts_of(weight) or [None] * len(parts)
    found = [call(block_classes, encode, part, w) for part, w in zip(parts, weights, strict=True)]
    classes, counts = compute_sum(found, merge_classes)
    return classes, y.map_blocks(index_in, classes, dtype=np.intp), counts


def block_classes(encode: Callable[..., Any], y: Array, weight: Any) -> tuple[Array, Array]:
    classes, _, counts = encode(y, weight)
    return classes, counts


def merge_classes(parts: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    classes, index = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    return classes, np.bincount(index, weights=np.concatenate([part[1] for part in parts]))


def index_in(y: Array, classes: Array) -> Array:
    if len(classes) == 2:  # a comparison takes a tenth of a search
        return (y == classes[1]).astype(np.intp)
    return np.searchsorted(classes, y)
