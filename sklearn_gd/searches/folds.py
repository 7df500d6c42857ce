"""Folds of validated data, and scores of their test rows.

Two uses: `GDLogisticRegressionCV` and `GDLinearRegressionCV`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import LeaveOneOut, check_cv

from .. import messages
from .._checks import check_choice, check_number
from ..arrays import is_elsewhere, settled, taken
from ..base import BaseGD, Ingested
from ..descent import Run
from ..designs.threads import cut, one_blas_thread, quiet
from ..files import PickedRows, StoredRows, loaded, predictions
from ..linear_model import GDLinearRegression, GDLogisticRegression
from ..losses import Binomial, Multinomial
from ..plan import Problem, as_stored
from ..protocols import Array
from ..steps import PlaneSearch
from ..workers import is_dask
from .paths import Descent, descents
from .side_by_side import BLOCK

__all__ = [
    "RAW_SCORES",
    "checked_cv",
    "checked_values",
    "class_path",
    "fitted",
    "fold_scores",
    "in_memory",
    "is_loo",
    "path_scores",
    "reported",
    "rows_of",
    "rows_of_classes",
    "scored",
    "splits_of",
    "with_weight",
    "without_array_api",
]

# The least probability that `sklearn.metrics.log_loss` tells from 0.
LEAST_PROBABILITY = float(np.finfo(np.float64).eps)


def in_memory(estimator: BaseGD, X: Any, y: Any, sample_weight: Any) -> Ingested:
    """Validated data, in memory or in a file; the rows without weight are among them, because splitters count these, too."""
    name = type(estimator).__name__
    if any(is_dask(array) for array in (X, y, sample_weight)):
        raise TypeError(messages.in_memory_alone(name, "a Dask collection"))
    X, place, (y, sample_weight) = settled(X, y, sample_weight)
    if place is not None or is_elsewhere(X):
        raise TypeError(messages.in_memory_alone(name, "an array outside NumPy"))
    X, y = estimator._check_X_y(X, loaded(y))
    return Ingested(X, y, estimator._check_weight(loaded(sample_weight), X))


def rows_of(data: Ingested, rows: Array) -> Ingested:
    """Some rows of the data."""
    X = PickedRows(data.X, rows) if isinstance(data.X, StoredRows) else taken(data.X, rows)
    return Ingested(X, data.y[rows], None if data.weight is None else data.weight[rows])


def with_weight(data: Ingested, rows: Array | None = None) -> Ingested:
    """Those of some rows, or of all, that have a weight: what a fit sees."""
    if data.weight is None or data.weight.all():
        return data if rows is None else rows_of(data, rows)
    rows = np.arange(len(data.weight)) if rows is None else rows
    return rows_of(data, rows[data.weight[rows] != 0])


def splits_of(cv: Any, data: Ingested, classifier: bool) -> list[tuple[Array, Array]]:
    """The training and the test rows of each fold, by index; in the order of a file where they are in one."""
    stored = isinstance(data.X, StoredRows)

    def indices(rows: Any) -> Array:
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        return np.sort(rows) if stored else rows

    pairs = check_cv(cv, data.y, classifier=classifier).split(np.empty((len(data.y), 1)) if stored else data.X, data.y)
    return [(indices(train), indices(test)) for train, test in pairs]


def raw_predictions(X: Any, coef: Array, intercept: Any) -> Array:
    """X @ coef.T + intercept."""
    if isinstance(X, StoredRows):
        return predictions(X, coef, intercept)
    with one_blas_thread():
        return X @ coef.T + intercept


def checked_values(name: str, given: Any, zero: bool) -> Array:
    """The values of a penalty, checked one by one."""
    values = list(np.atleast_1d(np.asarray(given, dtype=object)).ravel())
    if not values:
        raise ValueError(f"{name} must have at least one value, got {given!r}.")
    for value in values:
        check_number(f"each of {name}", value, 0, left=zero, right=not zero)
    return np.array(values, dtype=np.float64)


def reported(model: BaseGD, descent: Descent) -> tuple[Problem, Run]:
    """What was solved, and how it went, with the warnings that a fit would issue."""
    with np.errstate(all="ignore"), quiet(descent.problem.design):
        model._report(descent.problem, descent.run, PlaneSearch())
    return descent.problem, descent.run


def class_path(
    model: GDLogisticRegression, Cs: Array, data: Ingested, n_classes: int
) -> tuple[Array, Array, dict[int, Descent]]:
    """The coefficients along a path over C, of shape (n_cs, n_classes or 1, size), the steps taken, and the ends.

    Parameters
    ----------
    model : GDLogisticRegression
    Cs : ndarray of shape (n_cs,)
    data : Ingested
        y the indices of the classes, of which some may be missing.
    n_classes : int
    """
    present = np.flatnonzero(np.bincount(data.y))
    # two of more classes: with w₁ = −w₀ the penalty of both is half that of their difference
    halved = len(present) == 2 < n_classes
    size = data.X.shape[1] + bool(model.fit_intercept)
    coefs = np.zeros((len(Cs), 1 if n_classes == 2 else n_classes, size), dtype=data.X.dtype)
    if len(present) < n_classes:
        # the limit: a probability of 0
        coefs[..., -1 if model.fit_intercept else slice(None)] = -np.inf
    steps, ends = np.zeros(len(Cs), dtype=int), {}
    for descent in descents(model, "C", 2 * Cs if halved else Cs, data):
        k, (problem, run) = descent.value, reported(model, descent)
        ends[k] = descent
        steps[k], coef = run.iteration, rows_of_classes(as_stored(problem, run.coef))
        coefs[k, present if n_classes > 2 else [0]] = np.concatenate([-coef, coef]) / 2 if halved else coef
    return coefs, steps, ends


def rows_of_classes(coef: Array) -> Array:
    """Coefficients with a row for each class, or one for two."""
    return coef[None, :] if coef.ndim == 1 else coef.T


def fitted(model: Any, coef: Array, intercept: Any, **attributes: Any) -> Any:
    """A model as if it had been fitted: what scorers ask."""
    vars(model).update(coef_=coef, intercept_=intercept, n_features_in_=coef.shape[-1], **attributes)
    return model


def scored(scorer: Any, model: Any, X: Any, y: Array, weight: Array | None) -> float:
    """The score of a model on some samples."""
    return float(scorer(model, X, y) if weight is None else scorer(model, X, y, sample_weight=weight))


def accuracy(raw: Array, index: Array, weight: Array | None) -> float:
    """The share of the samples whose class has the largest raw prediction."""
    predicted = raw[:, 0] > 0 if raw.shape[1] == 1 else raw.argmax(axis=1)
    return float(np.average(predicted == index, weights=weight))


def neg_log_loss(raw: Array, index: Array, weight: Array | None) -> float:
    """The mean log-likelihood, with probabilities as `sklearn.metrics.log_loss` bounds them."""
    if raw.shape[1] == 1:
        losses = Binomial().derivatives((2 * index - 1).astype(raw.dtype), raw[:, 0], 0)[0]
    else:
        losses = Multinomial().derivatives(index, raw, 0)[0]
    return -float(np.average(np.minimum(losses, -np.log(LEAST_PROBABILITY)), weights=weight))


#: The scores that need the raw predictions alone.
RAW_SCORES = {"accuracy": accuracy, "neg_log_loss": neg_log_loss}


def path_scores(scorer: Any, data: Ingested, index: Array, path: Array, classes: Array) -> list[float]:
    """The scores on some rows of the coefficients along a path, of shape (n_cs, n_classes or 1, size).

    Parameters
    ----------
    scorer : callable
    data : Ingested
        The rows.
    index : ndarray of shape (n_samples,)
        Their classes', among `classes`.
    path, classes : ndarray
    """
    (count, k, size), (n, p) = path.shape, data.X.shape
    features, intercepts = path[..., :p], path[..., p] if size > p else np.zeros((count, k), dtype=path.dtype)
    scores: list[float] = []
    if scorer not in RAW_SCORES.values():
        for coef, intercept in zip(features, intercepts, strict=True):
            model = fitted(GDLogisticRegression(), coef, intercept, classes_=classes)
            scores.append(scored(scorer, model, data.X, data.y, data.weight))
        return scores
    for s in cut(count, max(1, BLOCK // (n * k))):
        raws = raw_predictions(data.X, features[s].reshape(-1, p), intercepts[s].reshape(-1))
        scores += [scorer(raw, index, data.weight) for raw in np.split(raws, raws.shape[1] // k, axis=1)]
    return scores


def fold_scores(
    model: GDLinearRegression, alphas: Array, data: Ingested, train: Array, test: Array, scorer: Any
) -> list[float]:
    """The scores of a path on a fold's test rows."""
    scores, left = [0.0] * len(alphas), rows_of(data, test)
    for descent in descents(model, "alpha", alphas, with_weight(data, train)):
        k, (problem, run) = descent.value, reported(model, descent)
        results = model._results(run, problem)
        predicts = fitted(GDLinearRegression(), results["coef_"], results["intercept_"])
        scores[k] = scored(scorer or GDLinearRegression.score, predicts, left.X, left.y, left.weight)
    return scores


def is_loo(cv: Any) -> bool:
    """Whether one row is left out after the other."""
    return isinstance(cv, LeaveOneOut) or (isinstance(cv, str) and cv == "loo")


def checked_cv(cv: Any) -> None:
    """Refuse a name of folds that there is none of; all else `check_cv` refuses."""
    if isinstance(cv, str):
        check_choice("cv", cv, ("loo",), ", an integer, a splitter, an iterable of splits or None")


def without_array_api(tags: Any) -> Any:
    """scikit-learn's tags of an estimator that takes NumPy's arrays alone."""
    tags.array_api_support = False
    return tags
