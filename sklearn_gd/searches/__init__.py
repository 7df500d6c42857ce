"""Searches that share work between their fits.

Two uses: `GDSearchCV`, scikit-learn's grid search where fits follow from each other (what the candidates share, and why not, is in
`sharing`); and the estimators that choose their own penalty, `GDLogisticRegressionCV` and `GDLinearRegressionCV`, by paths over it.
"""

from .cross_validated import GDLinearRegressionCV, GDLogisticRegressionCV
from .paths import fit_path
from .search import GDSearchCV

__all__ = ["GDLinearRegressionCV", "GDLogisticRegressionCV", "GDSearchCV", "fit_path"]
