"""Pointwise losses: what one prediction costs, and its first two derivatives.

Two uses: the half squared error of `GDLinearRegression`, the log losses of `GDLogisticRegression`.

Conventions, stated once for all of them: ``raw`` is the prediction in the link space, shape (n_samples,) or
(n_samples, n_outputs); every derivative is with respect to ``raw``; ``weight`` is None or one factor a sample.
A loss never sees X, and sums over samples in `forms` alone, because a search over a few step sizes needs nothing else.
The arrays are NumPy's, or of any library of the Array API standard: a formula is written once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from . import compiled
from .arrays import dot, entries, into, less_one_at, namespace, picked, row_max, row_sums, stacked
from .protocols import Array

__all__ = ["LOSSES", "Binomial", "HalfSquaredError", "Multinomial"]

#: values, slopes and second derivatives of the samples
Derivatives: TypeAlias = tuple[Array, Array | None, Array | None]


class PointwiseLoss:
    """A loss whose Hessian in the raw predictions is diagonal.

    ``derivatives(y, raw, order)`` returns the loss of each sample; for order 1 the slopes, too; for order 2 also the second derivatives,
    whatever the two methods below make the Hessian of.
    """

    kernel: int | None = None  # its row in the table of compiled losses; None for NumPy
    coupled = False  # whether the outputs of a sample share a loss: then targets are indices, and second derivatives are no diagonal

    def hessian_product(self, second_derivative: Array, weight: Array | None, predictor: Array) -> Array:
        """Each sample's weighted Hessian times a direction of the raw predictions."""
        product = second_derivative * predictor
        return product if weight is None else product * spread(weight, predictor)

    def hessian_diagonal(self, second_derivative: Array) -> Array:
        """The Hessian's diagonal in the raw predictions."""
        return second_derivative

    def forms(self, second_derivative: Array, weight: Array | None, predictors: Sequence[Array]) -> Array:
        """Weighted sums over the samples of the Hessian's forms in m directions, shape (m, m)."""
        m = len(predictors)
        out: Any = np.empty((m, m)) if isinstance(second_derivative, np.ndarray) else {}
        for i, predictor in enumerate(predictors):
            product = self.hessian_product(second_derivative, weight, predictor)
            for j in range(i, m):
                out[i, j] = out[j, i] = dot(product, predictors[j])
        return stacked([[out[i, j] for j in range(m)] for i in range(m)]) if isinstance(out, dict) else out


def spread(weight: Array, like: Array) -> Array:
    """Weights, one a sample, in a shape that multiplies `like`."""
    return weight if like.ndim == 1 else weight[:, None]


class HalfSquaredError(PointwiseLoss):
    """½ (raw − y)², summed over the targets of a sample.

    ``y`` has the shape of ``raw``.
    """

    curvature = 1.0  # the second derivative, everywhere
    kernel: int | None = compiled.SQUARED

    def derivatives(self, y: Array, raw: Array, order: int = 2) -> Derivatives:
        residual = raw - y
        value = 0.5 * residual * residual
        xp = namespace(raw)
        if value.ndim == 2:
            value = xp.sum(value, axis=1)
        if not order:
            return value, None, None
        return value, residual, xp.ones_like(residual) if order == 2 else None


class Binomial(PointwiseLoss):
    """log(1 + exp(−y·raw)) with ``y`` −1 or +1: the negative log-likelihood of a logistic model.

    Signed labels keep the small tail small: the gradient −y·σ(−y·raw) of a well classified sample is exact to its
    last digits, which σ(raw) − 1 is not.
    """

    curvature = 0.25  # σ(1 − σ) has its maximum 1/4 at raw = 0 (Böhning and Lindsay, 1988)
    kernel: int | None = compiled.BINOMIAL

    def derivatives(self, y: Array, raw: Array, order: int = 2) -> Derivatives:
        xp = namespace(raw)
        margin = y * raw
        tail = into(xp.negative, xp.abs(margin))
        tail = into(xp.exp, tail)  # in (0, 1]: neither factor below can overflow
        value = xp.log1p(tail)
        value -= xp.minimum(margin, 0)
        if not order:
            return value, None, None
        right = 1 / (1 + tail)
        tail *= right
        # σ(−margin), the probability given to the wrong class
        slope = xp.where(margin < 0, right, tail)
        slope *= -y
        if order == 1:
            return value, slope, None
        tail *= right
        return value, slope, tail


class Multinomial(PointwiseLoss):
    """logsumexp(raw) − raw[y] with ``y`` the index of the class, raw of shape (n_samples, n_classes).

    Symmetric: every class has its own raw prediction, and a shift common to all changes nothing.
    """

    kernel: int | None = compiled.MULTINOMIAL
    coupled = True
    curvature = 0.5  # diag(p) − ppᵀ ≤ ½ (I − 11ᵀ/K) (Böhning, 1992), whose largest eigenvalue is ½

    @staticmethod
    def probabilities(raw: Array) -> tuple[Array, Array]:
        """Softmax and its log-normaliser, shapes (n_samples, n_classes) and (n_samples,)."""
        xp = namespace(raw)
        peak = row_max(raw)
        p = xp.exp(raw - peak[:, None])
        total = row_sums(p)
        p /= total[:, None]
        return p, xp.log(total) + peak

    def derivatives(self, y: Array, raw: Array, order: int = 2) -> Derivatives:
        p, normaliser = self.probabilities(raw)
        own = entries(raw, y)
        value = normaliser - picked(raw, own)
        if not order:
            return value, None, None
        return value, less_one_at(p, own, in_place=order == 1), p if order == 2 else None

    def hessian_product(self, second_derivative: Array, weight: Array | None, predictor: Array) -> Array:
        out = second_derivative * predictor
        out -= second_derivative * row_sums(out)[:, None]
        if weight is not None:
            out *= weight[:, None]
        return out

    def hessian_diagonal(self, second_derivative: Array) -> Array:
        """The Hessian's diagonal, from the second derivatives, which are the probabilities."""
        return second_derivative * (1 - second_derivative)


LOSSES = {"half_squared_error": HalfSquaredError, "binomial": Binomial, "multinomial": Multinomial}
