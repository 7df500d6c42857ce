"""Penalties on the coefficients, never on the intercept.

One term of the formula F(w) = mean loss + penalty(w), with what the objectives need of it: value, gradient and
curvature, on the rows of the coefficient vector that belong to features.
"""

from __future__ import annotations

import numpy as np

from .arrays import add_times
from .protocols import Array

__all__ = ["L2"]


class L2:
    """alpha/2 ‖w‖², summed over the outputs.

    Parameters
    ----------
    alpha : float
        At least 0.
    n_features : int
        The leading rows of the coefficients that are penalised.
    """

    def __init__(self, alpha: float, n_features: int) -> None:
        self.alpha = float(alpha)
        self.n_features = n_features

    def value(self, coef: Array) -> float:
        if not self.alpha:
            return 0.0
        w = coef[: self.n_features]
        return 0.5 * self.alpha * float(np.vdot(w, w))

    def add_gradient(self, coef: Array, gradient: Array) -> None:
        """Add alpha·w to `gradient`, in place."""
        if self.alpha:
            add_times(gradient[: self.n_features], self.alpha, coef[: self.n_features])

    def inner(self, a: Array, b: Array) -> float:
        """aᵀ (Hessian) b."""
        if not self.alpha:
            return 0.0
        return self.alpha * float(np.vdot(a[: self.n_features], b[: self.n_features]))
