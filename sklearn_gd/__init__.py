"""Gradient descent for linear models, with scikit-learn's API, and for any function.

>>> from sklearn.datasets import load_diabetes
>>> from sklearn_gd import GDLinearRegression
>>> X, y = load_diabetes(return_X_y=True)
>>> round(GDLinearRegression().fit(X, y).score(X, y), 3)
0.518
"""

__version__ = "0.1.0"

import importlib
from typing import TYPE_CHECKING, Any

from ._versions import show_versions
from .exceptions import DivergenceError, DivergenceWarning, PrecisionWarning, SeparationWarning
from .huber import GDHuberRegression
from .linear_model import GDLinearRegression, GDLogisticRegression
from .minimize import gradient_descent
from .plots import DescentPathDisplay, FitDisplay, LearningRateDisplay, LossCurveDisplay, ValidationDisplay
from .poisson import GDPoissonRegression
from .quantile import GDQuantileRegression

if TYPE_CHECKING:
    from .conventions import book_rate
    from .explanation import explain
    from .searches import GDLinearRegressionCV, GDLogisticRegressionCV, GDSearchCV

__all__ = [
    "DescentPathDisplay",
    "DivergenceError",
    "DivergenceWarning",
    "FitDisplay",
    "GDHuberRegression",
    "GDLinearRegression",
    "GDLinearRegressionCV",
    "GDLogisticRegression",
    "GDLogisticRegressionCV",
    "GDPoissonRegression",
    "GDQuantileRegression",
    "GDSearchCV",
    "LearningRateDisplay",
    "LossCurveDisplay",
    "PrecisionWarning",
    "SeparationWarning",
    "ValidationDisplay",
    "book_rate",
    "explain",
    "gradient_descent",
    "show_versions",
]


# What is imported when it is asked for: the searches alone need `sklearn.model_selection` and `sklearn.metrics`.
LATER = {
    "GDLinearRegressionCV": "searches",
    "GDLogisticRegressionCV": "searches",
    "GDSearchCV": "searches",
    "book_rate": "conventions",
    "explain": "explanation",
}


def __getattr__(name: str) -> Any:
    """A search, or a teacher's tool, when it is asked for."""
    if name in LATER:
        return getattr(importlib.import_module(f".{LATER[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
