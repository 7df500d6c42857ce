"""X in a Dask array or dataframe: rows stay where they are, and what comes home is of coefficient size.

Two uses: `DaskDesign`, the design of a fit; `over_blocks`, which makes the predict methods lazy.

Each pass is one graph: a task a block of rows, which gets the block and coefficient-sized inputs, runs the package's own
design for arrays in memory on it, and returns sums; a task or a small tree of them adds those up. A task remembers
nothing, and a graph holds one pass. So graphs do not grow with the iterations, and what a lost worker held is
computed again by Dask from the collections as they were given, and by nothing of ours.

Dask is imported where it is used, and recognised by what a program that has a Dask collection must have imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import validate_data

from .. import messages
from ..costs import STORED, DenseCosts
from ..protocols import Array
from .dense import DenseDesign
from .rows import Curvature, Parts, add_up, require_finite
from .sparse import SparseDesign
from .threads import one_blas_thread

__all__ = ["DaskDesign", "accuracy", "collect", "encode_blocks", "is_dask", "over_blocks", "r2", "small_temporaries"]

# Sums that one task adds up: so many blocks of 100 MB keep a machine busy for a second.
FAN_IN = 16
# Bytes that come home sooner than they are added up elsewhere: 20 ms at 1 Gbit/s.
HOME_BYTES = 2_500_000
# Bytes up to which columns are brought together without asking: a second's work for a network of 1 Gbit/s.
CHEAP_BYTES = 100_000_000


def is_dask(X: Any) -> bool:
    """Whether X is a Dask collection."""
    dask = sys.modules.get("dask")
    return dask is not None and bool(dask.is_dask_collection(X))


# ----------------------------------------------------------------------------------------------------- the engine


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


#: what distributed raises where scheduler or client have gone
LOST = {"CancelledError", "ClosedClientError", "CommClosedError"}


def on_block(task: Callable[..., Parts], fit_intercept: bool, X: Any, rows: Sequence[Any], args: Sequence[Any]) -> Any:
    """One block's part of a sum; an error in the data is a result like others, and raised by `compute_sum`."""
    with one_blas_thread(), np.errstate(all="ignore"):
        try:
            design = (SparseDesign if sp.issparse(X) else DenseDesign)(X, fit_intercept)
            design.threads = 1  # Dask's own are beside this one
            return task(design, *rows, *args)
        except ValueError as error:
            return error


def alone(task: Callable[..., Any], *args: Any) -> Any:
    with one_blas_thread(), np.errstate(all="ignore"):
        try:
            return task(*args)
        except ValueError as error:
            return error


def combine(add: Callable[[Any], Any], parts: list[Any]) -> Any:
    for part in parts:
        if isinstance(part, ValueError):
            return part
    return add(parts)


def compute_sum(parts: list[Any], add: Callable[[Any], Any] = add_up, home: int = 1) -> Any:
    """Add up what the tasks return, where they are; the sum, or at most `home` parts of it, come home."""
    from dask import delayed

    while len(parts) > home:
        groups = [parts[i : i + FAN_IN] for i in range(0, len(parts), FAN_IN)]
        parts = [delayed(combine, pure=False)(add, group) for group in groups]
    found = list(compute(*parts))
    total = combine(add, found) if len(found) > 1 else found[0]
    if isinstance(total, ValueError):
        raise total
    return total


def add_curvatures(parts: Sequence[Sequence[Curvature]]) -> list[Curvature]:
    """Second moments of the rows of several blocks together, each block's about its own centre.

    References
    ----------
    T. Chan, G. Golub and R. LeVeque, "Algorithms for computing the sample variance", The American Statistician 37, 1983,
    doi:10.1080/00031305.1983.10483115.
    """
    out = [Curvature(matrix.copy(), centre, mass) for matrix, centre, mass, *_ in parts[0]]
    for part in parts[1:]:
        for k, (matrix, centre, mass, *_) in enumerate(part):
            total = out[k].mass + mass
            out[k].matrix[...] += matrix
            if not mass:
                continue
            away = centre - out[k].centre
            share = out[k].mass * mass / total
            out[k].matrix[...] += share * (np.multiply.outer(away, away) if matrix.ndim == 2 else away * away)
            out[k] = Curvature(out[k].matrix, out[k].centre + away * (mass / total), total)
    return out


class DaskDesign(DenseCosts):
    """A linear model's X in a Dask array.

    Parameters
    ----------
    X : dask.array.Array
        As `collect` returns it.
    fit_intercept : bool
    """

    where = "workers"  # see `remote.RemoteModel`

    def __init__(self, X: Any, fit_intercept: bool) -> None:
        self.X = X
        self.fit_intercept = fit_intercept
        self.n_samples, self.n_features = X.shape
        self.dtype = X.dtype
        self.size = self.n_features + fit_intercept
        self.passes = 0.0
        self.blocks = self.parts_of(X)
        self.work = self._work()

    def _work(self) -> float:
        if not sp.issparse(self.X._meta):
            return float(self.n_samples * self.n_features)
        return float(self.sum_over_blocks(block_work)[0])

    def product_cost(self, outputs: int = 1) -> float:
        # blocks may be sparse: an operation is then half a stored value
        return min(super().product_cost(outputs), STORED * self.work / 2 * outputs)

    @staticmethod
    def parts_of(rows: Any) -> list[Any]:
        """The blocks of a Dask array, each an input of a task; a list is what this has returned before."""
        return rows if isinstance(rows, list) else list(rows.to_delayed(optimize_graph=False).ravel())

    def hold(self, rows: Any) -> Any:
        """Keep values, one or several a row, beside their rows."""
        return rows if rows is None or isinstance(rows, list) else rows.persist()

    def tasks(self, task: Callable[..., Any], *args: Any, rows: Sequence[Any] = ()) -> list[Any]:
        """``task(block's design, *its parts of rows, *args)`` of every block, not yet computed."""
        from dask import delayed

        columns = [[None] * len(self.blocks) if values is None else self.parts_of(values) for values in rows]
        call = delayed(on_block, pure=False)
        small = (
            delayed(args, traverse=False)
            if any(isinstance(arg, np.ndarray) and arg.nbytes > 1 << 20 for arg in args)
            else args
        )
        return [
            call(task, self.fit_intercept, X, list(parts), small)
            for X, *parts in zip(self.blocks, *columns, strict=True)
        ]

    def sum_over_blocks(
        self, task: Callable[..., Any], *args: Any, rows: Sequence[Any] = (), add: Callable[[Any], Any] = add_up
    ) -> Any:
        """The sum of ``task(block's design, *its parts of rows, *args)`` over the blocks."""
        # A few small parts are added up here: a task for it costs a message between workers, a third of a round trip.
        home = FAN_IN if 8 * self.size**2 * FAN_IN <= HOME_BYTES else 1
        return compute_sum(self.tasks(task, *args, rows=rows), add, home)

    def keep(self, task: Callable[..., Any], *args: Any, rows: Sequence[Any] = ()) -> list[Any]:
        """What a task returns of each block, kept where it is, beside the rows."""
        import dask

        return list(dask.persist(*self.tasks(task, *args, rows=rows)))

    @staticmethod
    def compute_one(task: Callable[..., Any], *args: Any) -> Any:
        """A task of its own, of what others return."""
        from dask import delayed

        return compute_sum([delayed(alone, pure=False)(task, *args)])

    def normal(self, coef: Array, weight: Any) -> Array:
        """[X 1]ᵀ W [X 1] coef in one read of X."""
        self.passes += 1
        (out,) = self.sum_over_blocks(block_normal, coef, rows=[weight])
        return out / self.n_samples if weight is None else out

    def moments(self, weight: Any = None) -> Curvature:
        """The columns' second moments, and their centre."""
        self.passes += 1
        return self._mean(block_moments, weight, rows=[weight])

    def gram(self, weight: Any = None, targets: Any = None) -> Curvature:
        """All second moments of the columns, and of the targets behind them."""
        self.passes += 1
        return self._mean(block_gram, weight, rows=[weight, targets])

    def _mean(self, task: Callable[..., Any], weight: Any, *args: Any, rows: Sequence[Any]) -> Curvature:
        ((matrix, centre, mass, *_),) = self.sum_over_blocks(task, *args, rows=rows, add=add_curvatures)
        scale = 1.0 / self.n_samples if weight is None else 1.0
        return Curvature(matrix * scale, centre, mass * scale)

    def refuse_not_finite(self) -> None:
        """Say which entry of X is not a number that can be used."""
        found = compute(self.tasks(block_not_finite))[0]
        start = 0
        for k, (part, rows) in enumerate(zip(found, self.X.chunks[0], strict=True)):
            if part is not None:
                row, column, value = part
                raise ValueError(messages.not_finite_in_block(value, start + row, column, k, row))
            start += rows


# What is computed of a block. Sums, not means: blocks have different numbers of rows.


# Bytes of a temporary array in a task. Dask starts its workers with MALLOC_TRIM_THRESHOLD_ set, and so with glibc's fixed
# limit of 128 KB from which every array is fresh pages of the kernel's: passes over 1 MB blocks took three times as long.
TEMPORARY_BYTES = 120_000


def small_temporaries(design: Any, numbers: int) -> None:
    """Let a dense block be worked on in so few rows that arrays of `numbers` a row are small."""
    if isinstance(design, DenseDesign):
        design.block_rows = max(1, min(design.block_rows, TEMPORARY_BYTES // (8 * max(numbers, 1))))


def block_work(design: Any) -> Parts:
    return (float(design.work),)


def block_normal(design: Any, weight: Any, coef: Array) -> Parts:
    out = design.normal(coef, weight)
    return (out * design.n_samples if weight is None else out,)


def as_sum(curvature: Curvature, n_samples: int, weight: Any) -> list[Curvature]:
    """The list of one curvature, a sum over the samples, whether it was that or a mean."""
    matrix, centre, mass, *_ = curvature
    require_finite(matrix if matrix.ndim == 1 else matrix.diagonal())
    return [curvature if weight is not None else Curvature(matrix * n_samples, centre, mass * n_samples)]


def block_moments(design: Any, weight: Any) -> list[Curvature]:
    small_temporaries(design, design.n_features)
    return as_sum(design.moments(weight), design.n_samples, weight)


def block_gram(design: Any, weight: Any, targets: Any) -> list[Curvature]:
    return as_sum(design.gram(weight, targets), design.n_samples, weight)


def block_not_finite(design: Any) -> tuple[int, int, float] | None:
    X = design.X
    if sp.issparse(X):
        X = X.tocoo()
        bad = np.flatnonzero(~np.isfinite(X.data))
        return (int(X.row[bad[0]]), int(X.col[bad[0]]), float(X.data[bad[0]])) if len(bad) else None
    rows = np.flatnonzero(~np.isfinite(X).all(axis=1))
    if not len(rows):
        return None
    column = int(np.flatnonzero(~np.isfinite(X[rows[0]]))[0])
    return int(rows[0]), column, float(X[rows[0], column])


# ------------------------------------------------------------------------------------------- what fit is given


def collect(estimator: Any, X: Any, y: Any, sample_weight: Any, dtypes: Sequence[Any], one_column: bool) -> Any:
    """Checked collections of one shape: X, y and weights in the same blocks of rows, in the workers' memory.

    Parameters
    ----------
    estimator : estimator
        Gets ``n_features_in_`` and ``feature_names_in_``.
    X, y, sample_weight : as `fit` has them
    dtypes : sequence of dtype
        What X may be; the first is what it becomes where it is none of them.
    one_column : bool
        Whether y must have one dimension.

    Returns
    -------
    X, y : dask.array.Array
    weight : dask.array.Array or None
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
    held = {"X": X}
    for name, values in (("y", y), ("sample_weight", sample_weight)):
        if values is None:
            if name == "y":
                raise ValueError(f"{type(estimator).__name__} requires y to be passed, but the target y is None.")
        elif is_dask(values):
            values = column(values)
            held[name] = values.map_blocks(plain, None, dtype=values.dtype)
    held = dict(zip(held, dask.persist(*held.values()), strict=True))
    for array in held.values():
        if np.isnan(array.shape[0]):
            array.compute_chunk_sizes()
    X = held["X"]
    n = X.shape[0]
    if not n:
        raise ValueError(f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required.")
    if not X.shape[1]:
        raise ValueError(f"Found array with 0 feature(s) (shape={X.shape}) while a minimum of 1 is required.")

    def beside(name: str, values: Any) -> Any:
        # as X is cut: a column or a few, so that moving them is cheap
        values = held[name] if name in held else np.asarray(values)
        if values.ndim == 0 and name == "sample_weight":
            return da.full(n, values, chunks=(X.chunks[0],), dtype=X.dtype)
        if values.shape[:1] != (n,):
            if name == "y":
                raise ValueError(
                    f"Found input variables with inconsistent numbers of samples: {[n, *values.shape[:1]]}"
                )
            raise ValueError(f"sample_weight.shape == {values.shape}, expected {(n,)}: one weight a sample.")
        chunks = (X.chunks[0], *values.shape[1:])
        return values.rechunk(chunks) if name in held else da.from_array(values, chunks=chunks)

    y = beside("y", y)
    if y.ndim > 1 + (not one_column):
        raise ValueError(
            f"y should be a {'1d' if one_column else '1d or 2d'} array, got shape {y.shape}. Use y = y[:, 0]."
        )
    weight = None if sample_weight is None else beside("sample_weight", sample_weight)
    if y.dtype.kind == "f" and not compute(da.isfinite(y).all())[0]:
        raise ValueError("Input y contains NaN or infinity. Remove such rows from X and y.")
    if weight is not None:
        if weight.ndim != 1:
            raise ValueError(f"Sample weights must be 1D array or scalar, got {weight.ndim}D array.")
        if weight.dtype.kind not in "fiub":
            raise ValueError(f"sample_weight must be numbers, got dtype {weight.dtype}.")
        weight = weight.astype(X.dtype).persist()
        low, high = (float(number) for number in compute(weight.min(), weight.max()))
        if not (np.isfinite(low) and np.isfinite(high)):
            raise ValueError("Input sample_weight contains NaN or infinity.")
        if low < 0:
            raise ValueError(f"Negative values in data passed to `sample_weight`: the smallest is {low:.3g}.")
        if not high:
            raise ValueError("Sample weights must not all be zero: at least one sample must have a positive weight.")
        if not low:
            # A weight of zero removes the row: also from what decides how the problem is solved.
            DaskDesign(X, False).refuse_not_finite()  # the rows that go, too
            keep = weight > 0
            rows = compute(*(dask.delayed(np.count_nonzero)(part) for part in DaskDesign.parts_of(keep)))
            X, y, weight = (only(values, keep, rows) for values in (X, y, weight))
    filled = [k for k, rows in enumerate(X.chunks[0]) if rows]
    if len(filled) < X.numblocks[0]:
        X, y = X.blocks[filled], y.blocks[filled]
        weight = None if weight is None else weight.blocks[filled]
    return (*dask.persist(X, y), weight)


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
    validate_data(
        estimator, np.zeros((1, X.shape[1])) if skeleton is None else skeleton, reset=reset, ensure_min_features=0
    )
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


def column(values: Any) -> Any:
    """A Dask array of a series or of one already."""
    if not hasattr(values, "to_dask_array"):
        return values
    # strings and categories of pandas as the objects that they are of
    numbers = getattr(getattr(values, "dtype", None), "kind", "f") in "fiub"
    return (values if numbers else values.astype(object)).to_dask_array()


def only(values: Any, keep: Any, rows: Sequence[int]) -> Any:
    """The kept rows of a Dask array, of which there are so many in each block."""
    keep = keep if values.ndim == 1 else keep[:, None]
    chunks = (tuple(map(int, rows)), *values.chunks[1:])
    return values.map_blocks(kept, keep, dtype=values.dtype, chunks=chunks, meta=values._meta)


def kept(values: Any, keep: Array) -> Any:
    return values[np.flatnonzero(keep)]


def encode_blocks(y: Any, weight: Any, encode: Callable[..., Any]) -> tuple[Array, Any, Array]:
    """`linear_model.encode` of a Dask array: the classes, the index of each sample's, and the weight of each class.

    Parameters
    ----------
    y, weight : dask.array.Array
        The weight may be None.
    encode : callable (y, weight) -> (classes, index, counts)
        The same for an array in memory.
    """
    from dask import delayed

    parts = y.to_delayed(optimize_graph=False).ravel()
    weights = [None] * len(parts) if weight is None else weight.to_delayed(optimize_graph=False).ravel()
    call = delayed(block_classes, pure=False)
    found = compute_sum([call(encode, part, w) for part, w in zip(parts, weights, strict=True)], merge_classes)
    classes, counts = found
    return classes, y.map_blocks(index_in, classes, dtype=np.intp), counts


def block_classes(encode: Callable[..., Any], y: Array, weight: Any) -> Any:
    try:
        classes, _, counts = encode(y, weight)
    except ValueError as error:
        return error
    return classes, counts


def merge_classes(parts: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    classes, index = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    return classes, np.bincount(index, weights=np.concatenate([part[1] for part in parts]))


def index_in(y: Array, classes: Array) -> Array:
    if len(classes) == 2:  # a comparison takes a tenth of a search
        return (y == classes[1]).astype(np.intp)
    return np.searchsorted(classes, y)


# ---------------------------------------------------------------------------------------------------- predictions


def over_blocks(estimator: Any, method: str, X: Any, dtypes: Sequence[Any], attributes: Sequence[str]) -> Any:
    """A method of a fitted estimator on every block of X, when it is computed.

    Parameters
    ----------
    estimator : estimator
    method : str
        Of one argument, returning an entry or a row a sample.
    X : Dask array or dataframe
    dtypes : sequence of dtype
    attributes : sequence of str
        The fitted attributes that the method reads: no more travel.

    Returns
    -------
    dask.array.Array
    """
    X = as_array(estimator, X, dtypes, reset=False)
    bare = type(estimator)()  # without names, which the blocks do not have
    for name in attributes:
        setattr(bare, name, getattr(estimator, name))
    call = getattr(bare, method)
    like = call(np.zeros((1, X.shape[1]), dtype=X.dtype))
    if like.ndim == 1:
        return X.map_blocks(apply, call, dtype=like.dtype, drop_axis=1, meta=like[:0])
    chunks = (X.chunks[0], (like.shape[1],))
    return X.map_blocks(apply, call, dtype=like.dtype, chunks=chunks, meta=like[:0])


def apply(block: Any, call: Callable[[Any], Array]) -> Array:
    if not block.shape[0]:
        return call(np.zeros((1, block.shape[1]), dtype=block.dtype))[:0]
    return call(block)


def paired(predicted: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Predictions, targets and weights (1 where there are none) in the same blocks."""
    import dask.array as da

    def array(values: Any) -> Any:
        values = column(values)
        return values if is_dask(values) else np.asarray(values)

    given = [array(values) for values in (predicted, y, sample_weight) if values is not None]
    for values in given:
        if is_dask(values) and np.isnan(values.shape[0]):
            values.compute_chunk_sizes()
    lengths = [values.shape[0] for values in given]
    if len(set(lengths)) > 1:
        raise ValueError(f"Found input variables with inconsistent numbers of samples: {lengths}")
    rows = given[0].chunks[0]
    given = [
        values.rechunk({0: rows}) if is_dask(values) else da.from_array(values, chunks=(rows, *values.shape[1:]))
        for values in given
    ]
    return given[0], given[1], given[2] if len(given) == 3 else da.ones(lengths[0], chunks=(rows,))


def accuracy(predicted: Any, y: Any, sample_weight: Any) -> float:
    """The weighted share of predictions that are right."""
    predicted, y, weight = paired(predicted, y, sample_weight)
    right, total = compute(((predicted == y) * weight).sum(), weight.sum())
    return float(right) / float(total)


def r2(predicted: Any, y: Any, sample_weight: Any) -> float:
    """The weighted R², averaged over the targets."""
    predicted, y, weight = paired(predicted, y, sample_weight)
    weight = weight if y.ndim == 1 else weight[:, None]
    mean = (weight * y).sum(axis=0) / weight.sum()
    left, all_of_it = compute((weight * (y - predicted) ** 2).sum(axis=0), (weight * (y - mean) ** 2).sum(axis=0))
    left, all_of_it = np.atleast_1d(left), np.atleast_1d(all_of_it)
    constant = np.where(left == 0, 1.0, 0.0)  # as scikit-learn scores a constant target
    return float(np.mean(np.where(all_of_it > 0, 1 - left / np.where(all_of_it > 0, all_of_it, 1.0), constant)))
