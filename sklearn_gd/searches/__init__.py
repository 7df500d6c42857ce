"""Searches that share work between their fits.

Two uses: the estimators that choose their own penalty, `GDLogisticRegressionCV` and `GDLinearRegressionCV`; and paths over the penalty.
"""

from __future__ import annotations

from .cross_validated import GDLinearRegressionCV, GDLogisticRegressionCV
from .paths import fit_path

__all__ = ["GDLinearRegressionCV", "GDLogisticRegressionCV", "fit_path"]
