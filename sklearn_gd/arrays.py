"""What NumPy and the Array API standard say in different words, so that a formula is written once.

Two uses: losses and objectives, whose arrays of sample size live where X lives; and the estimators, which take X of
PyTorch, CuPy or any other library of the standard when scikit-learn's ``array_api_dispatch`` is set, and return arrays of
the same library on the same device.

An array in the host's memory is NumPy's: it is looked at through DLPack, without a copy. On other devices the arrays of
sample size stay where they are; sums over the samples are taken there, and `home` brings them to the host, all that belong
together in one transfer. Products of float32 numbers are made
and added up in double precision, where the device has that; sums of them are sums of blocks: they do not drift.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from sklearn import get_config

from . import messages
from .protocols import Array

# Terms of a sum that are added up in the arithmetic of X, whose rounding errors in float32 reach 256 · 6e-8 at the worst
# (of equal numbers, one by one): elementwise sums, and products where a device has no double precision.
BLOCK_ROWS = 256
# Numbers that are converted to double precision at a time, 256 MB of them: enough to keep a device busy, little beside X.
CONVERTED = 1 << 25
# Numbers of a piece that lies in a core's cache while a few operations are made with it.
PIECE = 1 << 15

# What X may be without a copy; the first is what it becomes where it is neither.
DTYPES = [np.float64, np.float32]

#: what is on the host
HOME = (float, np.ndarray, np.generic, type(None))


def compat() -> ModuleType:
    """The package that gives PyTorch and CuPy the standard's names."""
    try:
        import array_api_compat
    except ImportError as error:
        raise ImportError(messages.NO_ARRAY_API_COMPAT) from error
    return array_api_compat


def is_elsewhere(array: Any) -> bool:
    """Whether this is an array of the standard, and neither NumPy's nor Dask's, which have NumPy's own functions."""
    if isinstance(array, (*HOME, list, tuple)) or scipy.sparse.issparse(array):
        return False
    module = sys.modules.get("array_api_compat")
    return module is not None and bool(module.is_array_api_obj(array)) and not module.is_dask_array(array)


def namespace(array: Any) -> Any:
    """NumPy, or the namespace of the standard that the array belongs to."""
    return np if isinstance(array, np.ndarray) else compat().array_namespace(array)


# ------------------------------------------------------------------------------------------------ one formula, any array


def into(function: Callable[..., Any], array: Any) -> Any:
    """function(array), in the memory of the array where that is possible."""
    return function(array, out=array) if isinstance(array, np.ndarray) else function(array)


def cast(array: Any, dtype: Any) -> Any:
    """The array in another arithmetic, the same object where it has that already."""
    if isinstance(array, np.ndarray) or not is_elsewhere(array):
        return array.astype(dtype, copy=False)
    xp = namespace(array)
    return xp.astype(array, getattr(xp, dtype.name) if isinstance(dtype, np.dtype) else dtype, copy=False)


def scalar(factor: Any, like: Any) -> Any:
    """A factor in the arithmetic of an array."""
    return like.dtype.type(factor) if isinstance(like, np.ndarray) else float(factor)


def row_max(array: Any) -> Any:
    """The largest number of each row."""
    return array.max(axis=1) if isinstance(array, np.ndarray) else namespace(array).max(array, axis=1)


def row_sums(array: Any) -> Any:
    """The sum of each row."""
    if isinstance(array, np.ndarray):
        # a product, because NumPy's sums over a few columns cost more than the exponentials
        return array @ np.ones(array.shape[1], dtype=array.dtype)
    return namespace(array).sum(array, axis=1)


def entries(like: Any, y: Any) -> Any:
    """Column y of each row, as `picked` and `less_one_at` want it."""
    if isinstance(like, np.ndarray):
        return np.arange(len(y)), y
    xp = namespace(like)
    columns = xp.arange(like.shape[1], dtype=y.dtype, device=compat().device(like))
    return xp.astype(y[:, None] == columns[None, :], like.dtype)


def picked(array: Any, own: Any) -> Any:
    """One entry of each row."""
    return array[own] if isinstance(array, np.ndarray) else namespace(array).sum(array * own, axis=1)


def less_one_at(array: Any, own: Any, in_place: bool) -> Any:
    """The array less 1 in one entry of each row."""
    if not isinstance(array, np.ndarray):
        return array - own
    out = array if in_place else array.copy()
    out[own] -= 1
    return out


# ---------------------------------------------------------------------------------------------- sums over the samples


def block_sums(a: Any, b: Any) -> Any:
    """Aᵀ B, of arrays of shape (n, p) and (n, q) that are not NumPy's, its products made and added up in double precision.

    Blocks of rows are converted. Where the device has no double precision, products of small blocks are one batch in its own.
    """
    xp = namespace(a)
    double = place_of(a).double
    n, p, q = a.shape[0], a.shape[1], b.shape[1]
    if double == xp.float64:
        out: Any = None
        for start in range(0, n, rows := max(1, CONVERTED // max(1, p + q))):
            stop = min(start + rows, n)
            left = xp.astype(b[start:stop, :], double, copy=False)
            # (Bᵀ A)ᵀ, so that A is walked along its rows: four times as fast on PyTorch's CPU
            part = xp.matmul(left.T, xp.astype(a[start:stop, :], double, copy=False))
            out = part if out is None else out + part
        return out.T
    rows = max(BLOCK_ROWS, 4 * q)  # so that the products are much smaller than a
    k = n // rows
    if k < 2:
        return xp.astype(xp.matmul(a.T, b), double, copy=False)
    left = xp.permute_dims(xp.reshape(b[: k * rows, :], (k, rows, q)), (0, 2, 1))
    parts = xp.matmul(left, xp.reshape(a[: k * rows, :], (k, rows, p)))
    out = xp.sum(parts, axis=0, dtype=double)
    if k * rows < n:
        out += xp.astype(xp.matmul(b[k * rows :, :].T, a[k * rows :, :]), double, copy=False)
    return out.T


def column_sums(a: Any) -> Any:
    """The sum of a vector, or of each column, in double precision, where the array is; not for NumPy's."""
    xp = namespace(a)
    double = place_of(a).double
    n, shape = a.shape[0], tuple(a.shape[1:])
    k = n // BLOCK_ROWS
    if k < 2:
        return xp.sum(a, axis=0, dtype=double)
    parts = xp.sum(xp.reshape(a[: k * BLOCK_ROWS, ...], (k, BLOCK_ROWS, *shape)), axis=1)
    out = xp.sum(parts, axis=0, dtype=double)
    if k * BLOCK_ROWS < n:
        out += xp.sum(a[k * BLOCK_ROWS :, ...], axis=0, dtype=double)
    return out


def total(values: Any, weight: Any = None) -> Any:
    """Σ values, or Σ weight·values: a float, or a number where the values are."""
    if isinstance(values, np.ndarray):
        return float(values.sum(dtype=np.float64) if weight is None else np.vdot(weight, values))
    return column_sums(values if weight is None else weight * values)


def dot(a: Any, b: Any) -> Any:
    """The inner product of two arrays of the same shape: a number where they are."""
    if isinstance(a, np.ndarray):
        return np.vdot(a, b)
    return column_sums(namespace(a).reshape(a * b, (-1,)))


def add_times(out: Array, factor: Any, x: Array) -> None:
    """Add factor·x to `out`, without another array as large as they are."""
    if out.size <= PIECE:
        out += factor * x
        return
    rows = max(1, PIECE * len(out) // out.size)
    for start in range(0, len(out), rows):
        s = slice(start, start + rows)
        out[s] += factor * x[s]


def stacked(numbers: Sequence[Any]) -> Any:
    """Numbers, or rows of them, as one array where they are."""
    first: Any = numbers
    while isinstance(first, list) and first:
        first = first[0]
    if isinstance(first, (*HOME, list)):
        return np.array(numbers, dtype=np.float64)
    xp = namespace(first)
    return xp.stack([stacked(row) if isinstance(row, list) else row for row in numbers])


def home(*parts: Any) -> tuple[Any, ...]:
    """Numbers and small arrays on the host, in double precision; all that come from a device in one transfer.

    What is on the host already is returned as it is, and None, too.
    """
    away = [part for part in parts if not isinstance(part, HOME)]
    if not away:
        return parts
    xp, double = namespace(away[0]), place_of(away[0]).double
    flat = [xp.reshape(xp.astype(part, double, copy=False), (-1,)) for part in away]
    numbers = transfer(xp.concat(flat) if len(flat) > 1 else flat[0]).astype(np.float64, copy=False)
    out, start = [], 0
    for part in parts:
        if isinstance(part, HOME):
            out.append(part)
            continue
        stop = start + int(np.prod(part.shape))
        out.append(float(numbers[start]) if part.ndim == 0 else numbers[start:stop].reshape(part.shape))
        start = stop
    return tuple(out)


def transfer(array: Any) -> Array:
    """An array of another library in NumPy, from whatever device: the one way home."""
    module = compat()
    if hasattr(array, "detach"):  # a tensor of PyTorch may carry the history of its gradients
        array = array.detach()
    xp = module.array_namespace(array)
    host = xp.Device("CPU_DEVICE") if module.is_array_api_strict_namespace(xp) else "cpu"
    return np.asarray(module.to_device(array, host))


def nonzero(values: Any) -> int:
    """How many numbers of a vector are not zero."""
    if isinstance(values, np.ndarray):
        return int(np.count_nonzero(values))
    return int(home(total(cast(values != 0, values.dtype)))[0])


def rows_with(weight: Any) -> Any:
    """The numbers of the rows that have weight."""
    return np.flatnonzero(weight) if isinstance(weight, np.ndarray) else namespace(weight).nonzero(weight)[0]


def mean(values: Any, weight: Any = None) -> Any:
    """The weighted mean of a vector, or of each column, on the host in double precision; of a Dask array not yet computed."""
    if isinstance(values, np.ndarray) or not is_elsewhere(values):
        return values.mean(axis=0, dtype=np.float64) if weight is None else np.average(values, axis=0, weights=weight)
    if weight is None:
        return np.asarray(home(column_sums(values))[0]) / values.shape[0]
    sums, weight_sum = home(
        column_sums(values * (weight if values.ndim == 1 else weight[:, None])), column_sums(weight)
    )
    return np.asarray(sums) / weight_sum


# Powers of two up to which weights are taken as they are: beyond, sums over 2^64 samples or products with the weights of classes could
# leave the range of float32.
PLAIN_WEIGHTS = 60


def in_units(weight: Any) -> tuple[Any, int]:
    """Weights divided by the power of two above the largest, where that is far from 1, and its exponent: only ratios count.

    A power of two changes no digit.
    """
    if weight is None:
        return None, 0
    largest = float(weight.max() if not is_elsewhere(weight) else namespace(weight).max(weight))
    exponent = math.frexp(largest)[1]
    if abs(exponent) <= PLAIN_WEIGHTS:
        return weight, 0
    half = -exponent // 2  # the power itself may be no number
    return weight * 2.0**half * 2.0 ** (-exponent - half), exponent


def one_index_type(X: Any) -> Any:
    """Compressed sparse rows whose two arrays of indices are of one type, as SciPy's products want them; their values are not copied."""
    kinds = {X.indices.dtype, X.indptr.dtype}
    if len(kinds) == 1 and kinds <= {np.dtype(np.int32), np.dtype(np.int64)}:
        return X
    kind = np.int32 if max(X.nnz, *X.shape) <= np.iinfo(np.int32).max else np.int64
    indices, indptr = X.indices.astype(kind, copy=False), X.indptr.astype(kind, copy=False)
    return type(X)((X.data, indices, indptr), shape=X.shape)


def class_totals(index: Any, weight: Any, k: int) -> Array:
    """The samples, or their weight, in each of k classes."""
    if isinstance(index, np.ndarray):
        return np.bincount(index, weights=weight, minlength=k)
    xp = namespace(index)
    kind = place_of(index).xp.float32 if weight is None else weight.dtype
    return home(xp.stack([total(xp.astype(index == c, kind), weight) for c in range(k)]))[0]


# ---------------------------------------------------------------------------------------------- where arrays live


class Place(NamedTuple):
    """A library's namespace and one of its devices."""

    xp: Any
    device: Any

    @property
    def double(self) -> Any:
        """float64, or float32 where the device has no other."""
        key = (self.xp.__name__, str(self.device))
        if key not in _DOUBLE:
            try:
                self.xp.zeros(1, dtype=self.xp.float64, device=self.device)
                _DOUBLE[key] = self.xp.float64
            except (TypeError, ValueError, RuntimeError):
                _DOUBLE[key] = self.xp.float32
        return _DOUBLE[key]

    def put(self, array: Any, dtype: Any = None) -> Any:
        """An array of whatever library, here."""
        if is_elsewhere(array):
            if place_of(array) == self:
                return array if dtype is None else cast(array, dtype)
            array = transfer(array)
        array = np.asarray(array)
        if not array.flags.writeable:
            array = array.copy()  # other libraries have no read-only arrays, and PyTorch warns
        if dtype is None and array.dtype == np.float64:
            dtype = self.double
        if isinstance(dtype, np.dtype):
            dtype = getattr(self.xp, dtype.name)
        return self.xp.asarray(array, dtype=dtype, device=self.device)


_DOUBLE: dict[tuple[str, str], Any] = {}


def place_of(array: Any) -> Place:
    """Where an array lives that is not NumPy's."""
    module = compat()
    return Place(module.array_namespace(array), module.device(array))


def dispatched(array: Any) -> bool:
    """Whether scikit-learn is told to leave an array in its library, and it is not NumPy's."""
    if isinstance(array, np.ndarray) or not get_config()["array_api_dispatch"]:
        return False
    if scipy.sparse.issparse(array) or hasattr(array, "__dataframe__") or not hasattr(array, "dtype"):
        return False
    return bool(compat().is_array_api_obj(array))


def host_view(array: Any) -> Array | None:
    """The same memory as a NumPy array, or None where NumPy cannot look at it."""
    if isinstance(array, np.ndarray):
        return array
    module = compat()
    xp = module.array_namespace(array)
    if module.is_array_api_strict_namespace(xp) and module.device(array) != xp.Device("CPU_DEVICE"):
        return None  # a device for tests, whose memory is the host's
    if hasattr(array, "detach"):
        array = array.detach()
    try:
        return np.from_dlpack(array)
    except (AttributeError, BufferError, RuntimeError, TypeError, ValueError):
        return None


def float_dtypes(X: Any) -> list[Any]:
    """What X may be computed in: the dtypes that scikit-learn's validation is told."""
    if not dispatched(X):
        return DTYPES
    place = place_of(X)
    return [place.xp.float64, place.xp.float32] if place.double == place.xp.float64 else [place.xp.float32]


def settled(X: Any, *others: Any) -> tuple[Any, Place | None, tuple[Any, ...]]:
    """X where it will be worked on, the place to which results return, and what follows X.

    Returns
    -------
    X : array
        A NumPy view of X, where there is one; X itself otherwise.
    place : Place or None
        None where results are NumPy's.
    others : tuple
        Those that are arrays of the standard are moved to where X is; all others are as they were.
    """
    # of NumPy's arrays nobody need be asked
    if all(array is None or isinstance(array, np.ndarray) for array in (X, *others)):
        return X, None, others
    place, move = None, on_host
    if dispatched(X):
        place, view = place_of(X), host_view(X)
        X, move = (X, place.put) if view is None else (view, on_host)
    return X, place, tuple(move(other) if dispatched(other) else other for other in others)


def on_host(array: Any) -> Any:
    """A NumPy view of an array, or a copy of what is on a device."""
    if isinstance(array, np.ndarray):
        return array
    view = host_view(array)
    return transfer(array) if view is None else view


def beside(array: Any, X: Any) -> Any:
    """An array where X is."""
    return place_of(X).put(array) if is_elsewhere(X) else array


def alike(array: Array, like: Any) -> Any:
    """An array of the host where another one is, and in its arithmetic where that is a device."""
    return cast(place_of(like).put(array), like.dtype) if is_elsewhere(like) else array


def looked_up(table: Any, index: Any) -> Any:
    """The entries of a vector at an index, where the index is."""
    if isinstance(index, np.ndarray):
        return on_host(table)[index]
    return namespace(index).take(place_of(index).put(table), index, axis=0)


def taken(array: Any, rows: Any) -> Any:
    """Some rows, whose numbers need not be where the array is."""
    if not is_elsewhere(array):
        return array[transfer(rows) if is_elsewhere(rows) else rows]
    return namespace(array).take(array, place_of(array).put(rows), axis=0)
