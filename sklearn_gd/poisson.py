"""Poisson regression: counts and rates, by the half Poisson deviance."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np

from . import messages
from .arrays import mean, namespace
from .base import Target
from .losses import HalfPoisson
from .protocols import Array
from .regressors import Regressor, constant_of
from .workers import is_dask

__all__ = ["GDPoissonRegression"]


class GDPoissonRegression(Regressor):
    """Poisson regression by batch gradient descent."""

    def _target(self, y: Array, weight: Array | None, X: Any, factor: float = 1.0) -> Target:
        low = float(np.asarray(y.min()) if is_dask(y) else namespace(y).min(y))
        if low < 0:
            raise ValueError(messages.negative_counts(low))
        y, weight = self._numbers(y, weight, X)
        rate = float(np.asarray(mean(y, weight)))
        if not rate > 0:
            raise ValueError(messages.no_events())
        loss = HalfPoisson(rate, factor)
        constant = constant_of(loss, y, weight, math.log(rate) if self.fit_intercept else 0.0)
        return loss, y, weight, float(self.alpha), constant, None, {}

    def fit(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> Self:
        return self._fit_or_restore(X, y, sample_weight, offset=offset)

    def predict(self, X: Any, offset: Any = None) -> Array:
        raw = self._raw(X, "predict")
        if offset is not None:
            raw = raw + offset
        mean: Array = namespace(raw).exp(raw)
        return mean
