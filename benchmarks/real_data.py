"""Part 1: real data, every learning-rate rule beside every closed form.

Two uses: which data can be had, and the part itself::

    X, y = DATA["diabetes"](download=False)
    for rows in run(["diabetes"], repeats=5, max_iter=2000, download=False, report=print): ...
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import fetch_california_housing, load_diabetes
from sklearn.metrics import r2_score

from sklearn_gd.steps import RULES

from .exact import refined
from .measure import alternate, attempt
from .methods import CLOSED_FORMS, SEARCHES, Method, gradient_descent, on_standardised, textbook_rate

__all__ = ["DATA", "Unavailable", "run"]

FOLDER = "SKLEARN_GD_DATA"

#: Milliseconds matter less than a fair look at every rule: a fit slower than this is not repeated.
SLOW = 0.5


class Unavailable(Exception):
    """Data that cannot be had here, with the reason."""


def diabetes(download: bool) -> tuple[np.ndarray, np.ndarray]:
    """442 patients, 10 measurements in their own units; bundled with scikit-learn."""
    return load_diabetes(return_X_y=True, scaled=False)


def california_housing(download: bool) -> tuple[np.ndarray, np.ndarray]:
    """20,640 districts, 8 measurements; scikit-learn's fetcher keeps it where SCIKIT_LEARN_DATA says."""
    try:
        return fetch_california_housing(return_X_y=True, download_if_missing=download)
    except OSError as error:
        reason = str(error) if download else "not in scikit-learn's data folder (--download fetches it)"
        raise Unavailable(reason) from error


def npz(name: str, download: bool) -> tuple[np.ndarray, np.ndarray]:
    """Arrays ``X`` and ``y`` from a file in the folder that the environment variable names."""
    folder = os.environ.get(FOLDER)
    if not folder:
        raise Unavailable(f"the environment variable {FOLDER} names no folder")
    path = Path(folder, f"{name}.npz")
    if not path.exists():
        raise Unavailable(f"{path} does not exist")
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["X"].astype(np.float64), arrays["y"].astype(np.float64)


DATA: dict[str, Callable[[bool], tuple[np.ndarray, np.ndarray]]] = {
    "diabetes": diabetes,
    "california_housing": california_housing,
    "uci_protein": partial(npz, "uci_protein"),
    "blogfeedback": partial(npz, "blogfeedback"),
}


def contestants(X: np.ndarray, max_iter: int) -> dict[str, tuple[str, Method]]:
    """Name, kind and method. Iterations are limited by the size of the data, so that the slow ones end, too."""
    limit = int(np.clip(5e8 / X.size, 50, max_iter))
    rate = textbook_rate(X)
    methods: dict[str, tuple[str, Method]] = {name: ("closed form", method) for name, method in CLOSED_FORMS.items()}
    textbook = on_standardised(learning_rate=rate, max_iter=limit)
    methods[f"textbook rate {rate:g}, standardised"] = ("gradient descent", textbook)
    for name, rule in RULES.items():
        if rule.scheduled and name != "constant":
            method = on_standardised(learning_rate=rule(rate), max_iter=limit)
            methods[f'"{name}" from {rate:g}, standardised'] = ("gradient descent", method)
    for name in SEARCHES:
        if name != "auto":
            method = gradient_descent(learning_rate=name, max_iter=limit)
            methods[f'"{name}", raw'] = ("gradient descent", method)
    methods['"auto", raw'] = ("gradient descent", gradient_descent())
    return methods


def run(
    names: Iterable[str], *, repeats: int, max_iter: int, download: bool, report: Callable[[str], None]
) -> Iterator[list[dict[str, Any]]]:
    """The rows of one data set after the other.

    Parameters
    ----------
    names : iterable of str
        Out of `DATA`.
    repeats : int
    max_iter : int
        Of everything but "auto", which has its own default; fewer where the data are large.
    download : bool
        Whether scikit-learn may fetch what it has not.
    report : callable
        Is told what is going on.
    """
    for name in names:
        report(f"real data: {name}")
        try:
            X, y = DATA[name](download)
        except Unavailable as error:
            yield [{"data": name, "failure": f"not to be had: {error}"}]
            continue
        yield measured(name, np.ascontiguousarray(X), y, repeats, max_iter, report)


def measured(
    name: str, X: np.ndarray, y: np.ndarray, repeats: int, max_iter: int, report: Callable[[str], None]
) -> list[dict[str, Any]]:
    """The rows of one data set."""
    truth = refined(X, y)
    rows, quick, once = [], {}, {}
    methods = contestants(X, max_iter)
    for method_name, (kind, method) in methods.items():
        report(f"real data: {name}, {method_name}")
        outcome = attempt(method, X, y)
        row: dict[str, Any] = {
            "data": name,
            "n_samples": X.shape[0],
            "n_features": X.shape[1],
            "method": method_name,
            "kind": kind,
            "seconds": outcome.seconds,
            "fastest": outcome.seconds,
            "slowest": outcome.seconds,
            "repeats": 1,
            "failure": outcome.word,
        }
        if (solution := outcome.solution) is not None:
            row["coefficient_error"] = truth.coefficient_error(solution)
            row["prediction_error"] = truth.prediction_error(solution, X)
            if np.isfinite(row["prediction_error"]):
                row["r2"] = r2_score(y, X @ solution.coef + solution.intercept)
            row["iterations"] = solution.iterations
            row["passes"] = solution.passes
            row["ended"] = solution.ended
            if outcome.seconds < SLOW:
                quick[method_name] = partial(method, X, y)
                once[method_name] = outcome.seconds
        rows.append(row)
    report(f"real data: {name}, seconds in turn")
    for method_name, taken in alternate(quick, repeats, once).items():
        next(row for row in rows if row["method"] == method_name).update(dataclasses.asdict(taken))
    return rows
