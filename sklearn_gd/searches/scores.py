"""Scores of many candidates on the rows of a split.

Two uses: R² and the mean squared error, whose candidates are columns of one product with the rows; any other scorer, which gets a
fitted estimator for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from ..designs.threads import quiet
from ..protocols import Array
from .moments import rows_of
from .sharing import Rows
from .squares import Fit

__all__ = ["STANDARD", "fitted", "mean_squares", "standard_scores"]

# Predictions that are in memory at a time: 32 MB.
PREDICTIONS = 1 << 22


def r2(squares: Array, spread: Array) -> Array:
    """R² of each candidate, the mean over the targets."""
    return np.asarray((1.0 - squares / spread).mean(axis=1))


#: Scorers by name -> the score from mean squared errors of shape (n_candidates, n_targets) and the targets' variances. No name is the
#: estimator's own.
STANDARD: dict[str | None, Callable[[Array, Array], Array]] = {
    None: r2,
    "r2": r2,
    "neg_mean_squared_error": lambda squares, spread: -squares.mean(axis=1),
    "neg_root_mean_squared_error": lambda squares, spread: -np.sqrt(squares).mean(axis=1),
}


def standard_scores(
    wanted: Mapping[str, str | None], design: Any, rows: Rows, coefs: Array, y: Array, weight: Array | None
) -> dict[str, Array] | None:
    """The scores of all candidates on some rows, or None where R² has no meaning there: its cases are scikit-learn's.

    Parameters
    ----------
    wanted : dict of str to str
        The scorers by the names of their results.
    design : design
    rows : slice or ndarray
    coefs : ndarray of shape (n_features + 1, n_candidates, n_targets)
        The intercepts last.
    y : ndarray of shape (n_samples, n_targets)
    weight : ndarray of shape (n_samples,) or None
    """
    y = y[rows]
    weight = None if weight is None else weight[rows]
    about = y - np.average(y, axis=0, weights=weight)
    spread = np.average(about * about, axis=0, weights=weight)
    if not (spread > 0).all() and r2 in [STANDARD[kind] for kind in wanted.values()]:
        return None
    squares = mean_squares(rows_of(design, rows), coefs, y, weight)
    return {name: STANDARD[kind](squares, spread) for name, kind in wanted.items()}


def mean_squares(design: Any, coefs: Array, y: Array, weight: Array | None) -> Array:
    """The mean squared errors, of shape (n_candidates, n_targets)."""
    size, count, targets = coefs.shape
    out = np.empty((count, targets))
    step = max(1, PREDICTIONS // (design.n_samples * targets))
    for first in range(0, count, step):
        some = coefs[:, first : first + step]
        with quiet(design):
            raw = design.forward(np.ascontiguousarray(some.reshape(size, -1)))
        errors = raw.reshape(len(raw), -1, targets) - y[:, None]
        errors *= errors
        out[first : first + step] = np.average(errors, axis=0, weights=weight)
    return out


def fitted(
    estimator: Any, params: Mapping[str, Any], fit: Fit, front: Sequence[Any], attributes: Mapping[str, Any], y: Any
) -> Any:
    """The estimator of a candidate, as if it had been fitted.

    Parameters
    ----------
    estimator : estimator
    params : dict of str to object
        The candidate's.
    fit : Fit
        In the model's own coordinates.
    front : sequence of (str, transformer)
        The fitted steps in front of the model.
    attributes : dict
        Further fitted attributes of the model.
    y : ndarray
        The target, whose dimensions are those of the results.
    """
    out = clone(estimator).set_params(**clone(dict(params), safe=False))
    model = out
    if isinstance(out, Pipeline):
        model = out.steps[-1][1]
        out.steps = [*front, out.steps[-1]]
    coef = np.ascontiguousarray(fit.coef[:-1].T)
    intercept = fit.coef[-1]
    vars(model).update(
        coef_=coef if y.ndim == 2 else coef[0],
        intercept_=intercept if y.ndim == 2 else intercept[0],
        n_iter_=fit.n_iter,
        stop_reason_=fit.reason,
        **attributes,
    )
    return out
