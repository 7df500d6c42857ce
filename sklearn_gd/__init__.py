"""Gradient descent for linear models, with scikit-learn's API, and for any function.

>>> from sklearn.datasets import load_diabetes
>>> from sklearn_gd import GDLinearRegression
>>> X, y = load_diabetes(return_X_y=True)
>>> round(GDLinearRegression().fit(X, y).score(X, y), 3)
0.518
"""

__version__ = "0.1.0"

from ._versions import show_versions
from .exceptions import DivergenceError, DivergenceWarning, PrecisionWarning, SeparationWarning
from .linear_model import GDLinearRegression, GDLogisticRegression
from .minimize import gradient_descent
from .plots import DescentPathDisplay, FitDisplay, LearningRateDisplay, LossCurveDisplay
from .searches import GDLinearRegressionCV, GDLogisticRegressionCV

__all__ = [
    "DescentPathDisplay",
    "DivergenceError",
    "DivergenceWarning",
    "FitDisplay",
    "GDLinearRegression",
    "GDLinearRegressionCV",
    "GDLogisticRegression",
    "GDLogisticRegressionCV",
    "LearningRateDisplay",
    "LossCurveDisplay",
    "PrecisionWarning",
    "SeparationWarning",
    "gradient_descent",
    "show_versions",
]
