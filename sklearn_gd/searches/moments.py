"""First and second moments of rows, put together from those of groups of them; and the maps that scalers learn from these.

Two uses: the training parts of a cross-validation, each of them a sum of groups; and all rows, for the last fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from ..files import StoredRows
from ..preconditioners import EPS
from ..protocols import Array
from .sharing import Rows

__all__ = ["Columns", "Moments", "affine", "columns_of", "columns_together", "moments_of", "rows_of", "sum_of"]


def rows_of(design: Any, rows: Rows) -> Any:
    """The same design on some rows: where they are, if they lie together."""
    if not isinstance(rows, slice):
        return design.take(rows)
    if isinstance(design.X, StoredRows):
        return design.take(np.arange(rows.start, rows.stop))
    return type(design)(design.X[rows], True)


class Moments(NamedTuple):
    """Second moments of some rows.

    Attributes
    ----------
    weight_sum : float
    centre : ndarray of shape (p + n_targets,)
        The weighted mean of the features, and of the targets behind them.
    matrix : ndarray of shape (p + n_targets, p + n_targets)
        The weighted sum of products about it.
    """

    weight_sum: float
    centre: Array
    matrix: Array


def moments_of(design: Any, rows: Rows, y: Array, weight: Array | None) -> Moments:
    """The second moments of some rows of a design with an intercept, in one read of them.

    Parameters
    ----------
    design : design
    rows : slice or ndarray
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
    weight : ndarray of shape (n_samples,) or None
    """
    part = rows_of(design, rows)
    gram = part.gram(None if weight is None else weight[rows], y[rows])
    if weight is None:  # a mean
        return Moments(float(part.n_samples), gram.centre, gram.matrix * part.n_samples)
    return Moments(float(gram.weight_sum), gram.centre, gram.matrix)


def sum_of(groups: Sequence[Moments]) -> Moments:
    """The moments of groups of rows together: sums, in which nothing cancels."""
    weights = np.array([group.weight_sum for group in groups])
    centres = np.stack([group.centre for group in groups])
    total = float(weights.sum())
    centre = weights @ centres / total
    about = centres - centre
    matrix = (about.T * weights) @ about
    for group in groups:
        matrix += group.matrix
    return Moments(total, centre, matrix)


class Columns(NamedTuple):
    """What scalers know of the columns of a training part; each of shape (n_features,)."""

    n_samples: int
    mean: Array
    variance: Array
    low: Any = None
    high: Any = None


def columns_of(design: Any, rows: Rows, moments: Moments | None, bounds: bool) -> Columns:
    """The columns of a group of rows, without weights: from its moments, where these have none, or by another read.

    Parameters
    ----------
    design : design
    rows : slice or ndarray
    moments : Moments or None
    bounds : bool
        Whether the least and the largest entries are asked for.
    """
    part = rows_of(design, rows)
    p, n = part.n_features, part.n_samples
    if moments is None:
        found = part.moments()
        mean, variance = found.centre, found.matrix
    else:
        mean, variance = moments.centre[:p], moments.matrix.diagonal()[:p] / n
    if not bounds:
        return Columns(n, mean, variance)
    return Columns(n, mean, variance, *bounds_of(part))


def bounds_of(design: Any) -> tuple[Array, Array]:
    """The least and the largest entry of each column."""
    if scipy.sparse.issparse(design.X):
        low, high = (bound(axis=0).toarray().ravel() for bound in (design.X.min, design.X.max))
        return low.astype(np.float64), high.astype(np.float64)
    low, high = np.full(design.n_features, np.inf), np.full(design.n_features, -np.inf)
    for s in design.in_turn(design.block_rows):
        block = design.block_dense(s)
        np.minimum(low, block.min(axis=0), out=low)
        np.maximum(high, block.max(axis=0), out=high)
    return low, high


def columns_together(groups: Sequence[Columns]) -> Columns:
    """The columns of groups of rows together."""
    counts = np.array([group.n_samples for group in groups])
    n = int(counts.sum())
    means = np.stack([group.mean for group in groups])
    mean = counts @ means / n
    variance = counts @ (np.stack([group.variance for group in groups]) + (means - mean) ** 2) / n
    if groups[0].low is None:
        return Columns(n, mean, variance)
    low, high = np.min([group.low for group in groups], axis=0), np.max([group.high for group in groups], axis=0)
    return Columns(n, mean, variance, low, high)


def affine(scaling: Sequence[tuple[type, tuple[Any, ...]]], columns: Columns) -> tuple[Array, Array]:
    """The map x ↦ factor·x + shift of each column that scalers one behind the other learn from a training part.

    Parameters
    ----------
    scaling : sequence of (class, parameters)
        As `sharing.Setting` has them.
    columns : Columns
        Of the training part.

    Returns
    -------
    factor, shift : ndarray of shape (n_features,)
    """
    factor, shift = np.ones(len(columns.mean)), np.zeros(len(columns.mean))
    for kind, given in scaling:
        if kind is StandardScaler:
            a, b = _standard(columns.n_samples, factor * columns.mean + shift, factor**2 * columns.variance, *given)
        else:
            low, high = factor * columns.low + shift, factor * columns.high + shift
            if kind is MinMaxScaler:
                (least, most), _ = given
                a = (most - least) / _no_zeros(high - low)
                b = least - low * a
            else:
                a = 1.0 / _no_zeros(np.maximum(np.abs(low), np.abs(high)))
                b = np.zeros(len(a))
        factor, shift = a * factor, a * shift + b
    return factor, shift


def _standard(n: int, mean: Array, variance: Array, with_mean: bool, with_std: bool) -> tuple[Array, Array]:
    """StandardScaler's map; columns that it takes for constant are centred alone."""
    constant = variance <= n * EPS * variance + (n * mean * EPS) ** 2
    a = 1.0 / np.sqrt(np.where(constant, 1.0, variance)) if with_std else np.ones(len(mean))
    return a, -mean * a if with_mean else np.zeros(len(mean))


def _no_zeros(scale: Array) -> Array:
    """As scikit-learn's scalers treat columns without a spread."""
    return np.where(scale < 10 * EPS, 1.0, scale)
