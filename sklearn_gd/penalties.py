"""Penalties on the coefficients, never on the intercept.

One term of the formula F(w) = mean loss + penalty(w), with what the objectives need of it: value, gradient and
curvature, on the rows of the coefficient vector that belong to features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .arrays import add_times
from .protocols import Array

__all__ = ["L1", "L2"]


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

    def add_product(self, at: Array, coef: Array, out: Array) -> None:
        """Add the Hessian at some coefficients times others to `out`, in place."""
        self.add_gradient(coef, out)

    def curvature(self, at: Array) -> float:
        """The second derivative in each coefficient at some, which is the same for all."""
        return self.alpha

    def along(self, origin: Array, vectors: Sequence[Array]) -> Along:
        """The penalty in the subspace of some vectors about some coefficients: its sums are computed once."""
        if not self.alpha:
            return Along(0.0, np.zeros(len(vectors)), np.zeros((len(vectors), len(vectors))))
        slopes = np.array([self.inner(vector, origin) for vector in vectors])
        forms = np.array([[self.inner(u, v) for v in vectors] for u in vectors]).reshape(2 * [len(vectors)])
        return Along(self.value(origin), slopes, forms)

    def inner(self, a: Array, b: Array) -> float:
        """aᵀ (Hessian) b."""
        if not self.alpha:
            return 0.0
        return self.alpha * float(np.vdot(a[: self.n_features], b[: self.n_features]))


class Along(NamedTuple):
    """A quadratic of a few coordinates: its value, slopes and forms where they are zero."""

    start: float
    slopes: Array
    forms: Array

    def __call__(self, a: Array) -> tuple[float, Array, Array]:
        """Value, gradient and Hessian at a."""
        slopes = self.forms @ a
        slopes += self.slopes
        return self.start + 0.5 * float((self.slopes + slopes) @ a), slopes, self.forms


class L1:
    """alpha Σ|wⱼ|, summed over the outputs, with the kink rounded off: alpha·wⱼ²/(2·threshold) + alpha·threshold/2 within the threshold.

    Parameters
    ----------
    alpha : float
        Greater than 0.
    n_features : int
        The leading rows of the coefficients that are penalised.
    threshold : float or ndarray of shape (n_features,) or (n_features, n_outputs)
    """

    def __init__(self, alpha: float, n_features: int, threshold: Any) -> None:
        self.alpha, self.n_features, self.threshold = float(alpha), n_features, threshold

    def value(self, coef: Array) -> float:
        size = np.abs(coef[: self.n_features])
        within = np.minimum(size, self.threshold)
        return self.alpha * float((size - within + 0.5 * (within * within / self.threshold + self.threshold)).sum())

    def primal_and_dual(self, coef: Array) -> tuple[Array, Array]:
        """The penalty of each output with its kink, and coefficients times the slopes of that without."""
        w = coef[: self.n_features]
        dual: Array = self.alpha * (w * np.clip(w / self.threshold, -1, 1)).sum(axis=0)
        return self.alpha * np.abs(w).sum(axis=0), dual

    def add_gradient(self, coef: Array, gradient: Array) -> None:
        """Add the penalty's gradient to `gradient`, in place."""
        gradient[: self.n_features] += self.alpha * np.clip(coef[: self.n_features] / self.threshold, -1, 1)

    def curvature(self, at: Array) -> Array:
        """The second derivative in each coefficient at some."""
        within: Array = np.abs(at[: self.n_features]) <= self.threshold
        return within * (self.alpha / self.threshold)

    def add_product(self, at: Array, coef: Array, out: Array) -> None:
        """Add the Hessian at some coefficients times others to `out`, in place."""
        out[: self.n_features] += self.curvature(at) * coef[: self.n_features]

    def along(self, origin: Array, vectors: Sequence[Array]) -> Callable[[Array], tuple[float, Array, Array]]:
        """The penalty in the subspace of some vectors about some coefficients."""

        def at(a: Array) -> tuple[float, Array, Array]:
            coef, gradient = origin.copy(), np.zeros_like(origin)
            for factor, vector in zip(a, vectors, strict=True):
                add_times(coef, factor, vector)
            self.add_gradient(coef, gradient)
            curvature, p = self.curvature(coef), self.n_features
            slopes = np.array([np.vdot(vector, gradient) for vector in vectors])
            forms = np.array([[np.vdot(u[:p], curvature * v[:p]) for v in vectors] for u in vectors])
            return self.value(coef), slopes, forms

        return at
