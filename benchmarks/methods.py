"""The contestants: closed forms, scikit-learn's `LinearRegression`, and gradient descent, all called the same way.

Two uses: one fit, and a table of them::

    solution = cholesky(X, y)                                # coef, intercept
    methods = {**CLOSED_FORMS, "auto": gradient_descent()}   # name -> callable of X and y

Every method fits an intercept. The closed forms form the normal equation of ``[X, 1]`` without ever copying ``X``:
they are to be at their best, in time and in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_gd import GDLinearRegression
from sklearn_gd.steps import RULES

__all__ = ["CLOSED_FORMS", "SEARCHES", "Method", "Solution", "gradient_descent", "on_standardised", "textbook_rate"]

#: The named rules that look at the data; the others are schedules and need a rate of the user's.
SEARCHES = [name for name, rule in RULES.items() if not rule.scheduled]


@dataclass(frozen=True)
class Solution:
    """What a fit ends with.

    Attributes
    ----------
    coef : ndarray of shape (n_features,)
    intercept : float
    iterations : int or None
        None for what does not iterate.
    passes : float
        How often the fit went through the data.
    ended : str
        Why it ended, in the words of `stop_reason_`; empty for what does not iterate.
    """

    coef: np.ndarray
    intercept: float
    iterations: int | None = None
    passes: float = 1.0
    ended: str = ""


Method = Callable[[np.ndarray, np.ndarray], Solution]


def normal_equation(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``A'A`` and ``A'y`` of ``A = [X, 1]``, bordered with the columns' sums instead of stored with a column of ones."""
    n_samples, n_features = X.shape
    matrix = np.empty((n_features + 1, n_features + 1), dtype=X.dtype)
    matrix[:-1, :-1] = X.T @ X  # NumPy computes one triangle only, and mirrors it
    matrix[-1, :-1] = matrix[:-1, -1] = X.sum(axis=0)
    matrix[-1, -1] = n_samples
    right = np.append(X.T @ y, y.sum()).astype(X.dtype, copy=False)
    return matrix, right


def _split(theta: np.ndarray) -> Solution:
    return Solution(theta[:-1], float(theta[-1]))


def cholesky(X: np.ndarray, y: np.ndarray) -> Solution:
    """The normal equation by a Cholesky factor: the fastest, for the matrix is symmetric."""
    matrix, right = normal_equation(X, y)
    factor = scipy.linalg.cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    return _split(scipy.linalg.cho_solve(factor, right, check_finite=False))


def solve(X: np.ndarray, y: np.ndarray) -> Solution:
    """The normal equation by `numpy.linalg.solve`: a factor of any square matrix."""
    return _split(np.linalg.solve(*normal_equation(X, y)))


def inverse(X: np.ndarray, y: np.ndarray) -> Solution:
    """The normal equation as textbooks write it, ``inv(A'A) A'y``."""
    matrix, right = normal_equation(X, y)
    return _split(np.linalg.inv(matrix) @ right)


def lstsq(X: np.ndarray, y: np.ndarray) -> Solution:
    """`numpy.linalg.lstsq`: singular values of ``[X, 1]``, no normal equation."""
    ones = np.ones((len(X), 1), dtype=X.dtype)
    theta = np.linalg.lstsq(np.hstack([X, ones]), y.astype(X.dtype, copy=False), rcond=None)[0]
    return _split(theta)


def linear_regression(X: np.ndarray, y: np.ndarray) -> Solution:
    """scikit-learn's `LinearRegression`, which centres and then calls SciPy's `lstsq`.

    With the tolerance of `numpy.linalg.lstsq`: since scikit-learn 1.9 the default drops singular values below 1e-6 of
    the largest, and 0 would keep those that are nothing but rounding.
    """
    model = LinearRegression(tol=float(np.finfo(X.dtype).eps * max(X.shape))).fit(X, y)
    return Solution(model.coef_, float(model.intercept_))


#: name -> method, the best of them first.
CLOSED_FORMS: dict[str, Method] = {
    "normal equation (Cholesky)": cholesky,
    "normal equation (solve)": solve,
    "normal equation (inverse)": inverse,
    "numpy.linalg.lstsq": lstsq,
    "sklearn LinearRegression": linear_regression,
}


def gradient_descent(**parameters: Any) -> Method:
    """`GDLinearRegression` with these parameters, as a method."""

    def fit(X: np.ndarray, y: np.ndarray) -> Solution:
        return _solution(GDLinearRegression(**parameters).fit(X, y))

    return fit


def on_standardised(**parameters: Any) -> Method:
    """`GDLinearRegression` behind a `StandardScaler`; the coefficients come back in the units of ``X``."""

    def fit(X: np.ndarray, y: np.ndarray) -> Solution:
        scaler, model = make_pipeline(StandardScaler(), GDLinearRegression(**parameters)).fit(X, y)
        solution = _solution(model)
        coef = solution.coef / scaler.scale_
        intercept = solution.intercept - float(coef @ scaler.mean_)
        return Solution(coef, intercept, solution.iterations, solution.passes, solution.ended)

    return fit


def _solution(model: GDLinearRegression) -> Solution:
    passes = model.history_["passes"][-1]
    return Solution(model.coef_, float(model.intercept_), model.n_iter_, passes, model.stop_reason_)


def textbook_rate(X: np.ndarray) -> float:
    """``1/L`` of the standardised columns, to one digit: what a patient user finds by trial.

    L is the largest eigenvalue of the columns' correlations. 2/L is where descent starts to diverge.
    """
    n_samples = len(X)
    mean, scale = X.mean(axis=0), X.std(axis=0)
    scale[scale == 0] = 1.0
    correlation = (X.T @ X / n_samples - np.outer(mean, mean)) / np.outer(scale, scale)
    return float(f"{1 / np.linalg.eigvalsh(correlation)[-1]:.0e}")
