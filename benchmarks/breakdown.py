"""Part 3: where the closed form breaks.

Two uses: the cases, and the rows of all of them::

    X, y = CASES["duplicated columns"]()
    for rows in run(...): ...

Each method's error is measured against the solution in exact arithmetic (`benchmarks.exact`). Where the normal equation
has no single solution there is still one set of best predictions, so every case has an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import scipy.linalg

from .exact import exact
from .growth import AUTO, MATRIX_FREE
from .measure import attempt
from .methods import CLOSED_FORMS, Method, gradient_descent

__all__ = ["CASES", "GRADIENT_DESCENT", "WRONG", "run", "spectrum", "steps"]

N_SAMPLES, N_FEATURES = 100, 12

#: A relative prediction error above this is called wrong: no two digits are right.
WRONG = 1e-2

#: Precision, and the largest condition number worth trying in it: beyond, the data themselves are rounded away.
PRECISIONS: tuple[tuple[Any, float], ...] = ((np.float64, np.inf), (np.float32, 1e6))

#: As far as rounding lets it go, for the closed forms are not asked for less either.
GRADIENT_DESCENT: dict[str, Method] = {
    AUTO: gradient_descent(tol=0.0, max_iter=5000),
    MATRIX_FREE: gradient_descent(tol=0.0, max_iter=5000, preconditioner="diagonal"),
}


def spectrum(condition: float, dtype: Any = np.float64, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Columns with singular values from 1 down to ``1 / condition``, and a target that they explain.

    Without noise, for then the sensitivity of the solution is that of an orthogonal method, `condition`, and what is
    seen is the methods' own error.
    """
    rng = np.random.default_rng(seed)
    left = rng.standard_normal((N_SAMPLES, N_FEATURES))
    left = scipy.linalg.qr(left - left.mean(axis=0), mode="economic")[0]
    right = scipy.linalg.qr(rng.standard_normal((N_FEATURES, N_FEATURES)))[0]
    X = (left * np.geomspace(1, 1 / condition, N_FEATURES)) @ right * np.sqrt(N_SAMPLES)
    y = X @ rng.standard_normal(N_FEATURES) + 1.0
    return X.astype(dtype), y.astype(dtype)


def _noisy(X: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return X, X @ rng.standard_normal(X.shape[1]) + 1.0 + rng.standard_normal(len(X))


def well_behaved() -> tuple[np.ndarray, np.ndarray]:
    """Independent columns of about the same size: nothing breaks."""
    rng = np.random.default_rng(0)
    return _noisy(rng.standard_normal((N_SAMPLES, N_FEATURES)), rng)


def duplicated_columns() -> tuple[np.ndarray, np.ndarray]:
    """Three columns twice."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES))
    X[:, -3:] = X[:, :3]
    return _noisy(X, rng)


def one_hot() -> tuple[np.ndarray, np.ndarray]:
    """A category written as one column each: with the intercept, they always sum to one."""
    rng = np.random.default_rng(0)
    return _noisy(np.eye(N_FEATURES)[rng.integers(N_FEATURES, size=N_SAMPLES)], rng)


def constant_column() -> tuple[np.ndarray, np.ndarray]:
    """A column that never changes, beside the intercept."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES))
    X[:, 3] = 0.1
    return _noisy(X, rng)


def more_features_than_samples() -> tuple[np.ndarray, np.ndarray]:
    """20 samples, 40 features."""
    rng = np.random.default_rng(0)
    return _noisy(rng.standard_normal((20, 40)), rng)


def units() -> tuple[np.ndarray, np.ndarray]:
    """Independent columns in units from 1e-6 to 1e6."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES))
    y = X @ rng.standard_normal(N_FEATURES) + 1.0 + rng.standard_normal(N_SAMPLES)
    return X * np.geomspace(1e-6, 1e6, N_FEATURES), y


def far_from_zero() -> tuple[np.ndarray, np.ndarray]:
    """Columns such as a time stamp: 1e8 away from zero, with a spread of 1."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_SAMPLES, N_FEATURES)) + 1e8
    return X, (X - 1e8) @ rng.standard_normal(N_FEATURES) + rng.standard_normal(N_SAMPLES)


def polynomial() -> tuple[np.ndarray, np.ndarray]:
    """A cubic with noise, fitted with the powers of x up to 15, x from 0 to 3."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 3, N_SAMPLES))
    return x[:, None] ** np.arange(1, 16), x**3 - 4 * x**2 + 3 * x + 0.3 * rng.standard_normal(N_SAMPLES)


CASES: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {
    "well behaved": well_behaved,
    "duplicated columns": duplicated_columns,
    "constant column": constant_column,
    "one-hot category": one_hot,
    "more features than samples": more_features_than_samples,
    "units from 1e-6 to 1e6": units,
    "1e8 away from zero": far_from_zero,
    "powers up to 15": polynomial,
}


def run(
    conditions: Iterable[float], report: Callable[[str], None], cases: Iterable[str] = tuple(CASES)
) -> Iterator[list[dict[str, Any]]]:
    """The rows of one case after the other, then of one condition number after the other, float64 and float32."""
    for name in cases:
        report(f"where the closed form breaks: {name}")
        yield _measured(name, *CASES[name]())
    for dtype, most in PRECISIONS:
        for condition in conditions:
            if condition <= most:
                name = f"condition {condition:.0e}, {np.dtype(dtype).name}"
                report(f"where the closed form breaks: {name}")
                X, y = spectrum(condition, dtype)
                rows = _measured(name, X, y)
                for row in rows:
                    row["condition"] = condition
                yield rows


def _measured(name: str, X: np.ndarray, y: np.ndarray) -> list[dict[str, Any]]:
    truth = exact(X, y)
    rows = []
    for method_name, method in {**CLOSED_FORMS, **GRADIENT_DESCENT}.items():
        outcome = attempt(method, X, y)
        row: dict[str, Any] = {
            "case": name,
            "precision": X.dtype.name,
            "unique": truth.unique,
            "method": method_name,
            "word": outcome.word,
        }
        if outcome.solution is not None:
            row["coefficient_error"] = truth.coefficient_error(outcome.solution)
            row["prediction_error"] = truth.prediction_error(outcome.solution, X)
            row["iterations"] = outcome.solution.iterations
            row["ended"] = outcome.solution.ended
        # Not "<=": NaN is wrong, too.
        row["right"] = bool(row.get("prediction_error", np.inf) < WRONG)
        rows.append(row)
    return rows


def steps(conditions: Iterable[float]) -> int:
    """How many times `run` yields."""
    return len(CASES) + sum(sum(1 for _, most in PRECISIONS if condition <= most) for condition in conditions)
