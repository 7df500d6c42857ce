"""Gradient descent for linear models, with scikit-learn's API, and for any function.

>>> from sklearn.datasets import load_diabetes
>>> from sklearn_gd import GDLinearRegression
>>> X, y = load_diabetes(return_X_y=True)
>>> round(GDLinearRegression().fit(X, y).score(X, y), 3)
0.518
"""

__version__ = "0.1.0"

from typing import TYPE_CHECKING, Any

from ._versions import show_versions
from .exceptions import DivergenceError, DivergenceWarning, PrecisionWarning, SeparationWarning
from .linear_model import GDLinearRegression, GDLogisticRegression
from .minimize import gradient_descent
from .plots import DescentPathDisplay, FitDisplay, LearningRateDisplay, LossCurveDisplay, ValidationDisplay
from .quantile import GDQuantileRegression

if TYPE_CHECKING:
    from .searches import GDLinearRegressionCV, GDLogisticRegressionCV, GDSearchCV

__all__ = [
    "DescentPathDisplay",
    "DivergenceError",
    "DivergenceWarning",
    "FitDisplay",
    "GDLinearRegression",
    "GDLinearRegressionCV",
    "GDLogisticRegression",
    "GDLogisticRegressionCV",
    "GDQuantileRegression",
    "GDSearchCV",
    "LearningRateDisplay",
    "LossCurveDisplay",
    "PrecisionWarning",
    "SeparationWarning",
    "ValidationDisplay",
    "gradient_descent",
    "show_versions",
]


def __getattr__(name: str) -> Any:
    """A search, when it is asked for: `sklearn.model_selection` and `sklearn.metrics` are imported for these alone."""
    if name in ("GDLinearRegressionCV", "GDLogisticRegressionCV", "GDSearchCV"):
        from . import searches

        return getattr(searches, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
