"""Predictions and scores of Dask collections, block by block.

Two uses: the predict methods, whose results are computed when asked for; and `score`, whose sums come home.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..protocols import Array
from .graphs import compute
from .inputs import as_array, as_rows, cut_as, sized

__all__ = ["accuracy", "over_blocks", "paired", "r2"]


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
    shape = {"drop_axis": 1} if like.ndim == 1 else {"chunks": (X.chunks[0], (like.shape[1],))}
    return X.map_blocks(apply, call, dtype=like.dtype, meta=like[:0], **shape)


def apply(block: Any, call: Callable[[Any], Array]) -> Array:
    if not block.shape[0]:
        return call(np.zeros((1, block.shape[1]), dtype=block.dtype))[:0]
    return call(block)


def paired(predicted: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Predictions, targets and weights (1 where there are none) in the same blocks."""
    import dask.array as da

    given = sized(*(as_rows(values) for values in (predicted, y, sample_weight) if values is not None))
    lengths = [values.shape[0] for values in given]
    if len(set(lengths)) > 1:
        raise ValueError(f"Found input variables with inconsistent numbers of samples: {lengths}")
    predicted, y, *weight = (cut_as(given[0], values) for values in given)
    return predicted, y, weight[0] if weight else da.ones(lengths[0], chunks=predicted.chunks[:1])


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
