"""Searches that share work between their fits.

Two uses: `GDSearchCV`, scikit-learn's grid search where fits follow from each other (what the candidates share, and why not, is in
`sharing`); and the estimators that choose their own penalty, `GDLogisticRegressionCV` and `GDLinearRegressionCV`, by paths over it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .cross_validated import GDLinearRegressionCV, GDLogisticRegressionCV
from .paths import fit_path

if TYPE_CHECKING:
    from .search import GDSearchCV as GDSearchCV

__all__ = ["GDLinearRegressionCV", "GDLogisticRegressionCV", "GDSearchCV", "fit_path"]


def __getattr__(name: str) -> Any:
    """The search, when it is asked for: it imports scikit-learn's."""
    if name == "GDSearchCV":
        from .search import GDSearchCV

        return GDSearchCV
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
