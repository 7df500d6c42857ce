"""Pointwise losses: what one prediction costs, and its first two derivatives.

Two uses: what the estimators minimise, a loss each or two; and losses of one's own (see the documentation, "Extend").

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
from .arrays import alike, cast, dot, entries, into, less_one_at, namespace, picked, row_max, row_sums, stacked
from .protocols import Array

__all__ = ["LOSSES", "Binomial", "HalfPoisson", "HalfSquaredError", "Huber", "Multinomial"]

#: values, slopes and second derivatives of the samples
Derivatives: TypeAlias = tuple[Array, Array | None, Array | None]


class PointwiseLoss:
    """A loss whose Hessian in the raw predictions is diagonal.

    ``derivatives(y, raw, order)`` returns the loss of each sample; for order 1 the slopes, too; for order 2 also the second derivatives,
    whatever the two methods below make the Hessian of.
    """

    kernel: int | None = None  # its row in the table of compiled losses; None for NumPy
    numbers: Any = None  # its own, four of them, as the compiled loss reads them; None where it has none
    bounded = True  # whether `curvature` is an upper bound; else it is that of the best constant prediction
    # Whether the optimum may be at infinity. Then ``margins(y, change)`` says how far each sample goes to its infimum as raw predictions
    # change: a direction that takes some sample there, and none away, leaves no finite optimum.
    separable = False
    straight = False  # whether its second derivative is zero on whole intervals
    coupled = False  # whether the outputs of a sample share a loss: then targets are indices, and second derivatives are no diagonal

    def working(self, y: Array, raw: Any) -> tuple[Array, Array] | None:
        """Second derivatives and slopes, at a constant prediction, of quadratics whose optimum is a good start; None where there are none.

        Those of generalized linear models are the loss's own about a guess of each sample's mean, between its target and that of all.
        """
        return None

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


def ndim(number: Any) -> int:
    """The dimensions of an array, or 0 of a number; `numpy.ndim` takes a microsecond."""
    return getattr(number, "ndim", 0)


def own(number: Any, raw: Array) -> Any:
    """A loss's own number, or one for each output, in the arithmetic of the predictions."""
    if not ndim(number):
        return number
    return number.astype(raw.dtype, copy=False) if isinstance(raw, np.ndarray) else alike(number, raw)


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
    separable = True

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

    def margins(self, y: Array, change: Array) -> Array:
        return y * change


class Huber(PointwiseLoss):
    """factor·H(raw − y) + tilt·(raw − y) + level, summed over the outputs, H(r) = ½ r² up to the threshold and threshold·(|r| − threshold/2) beyond.

    With factor 1 alone the loss of Huber (1964). With factor 1/(2·threshold) and tilt ½ − q the loss of the quantile q, its kink
    rounded off within the threshold (He, Pan, Tan and Zhou, 2023).

    Parameters
    ----------
    threshold, factor, tilt, level : float or ndarray of shape (n_outputs,)
    curvature : float or None
        That of the best constant prediction; None for the bound, which is the factor.

    References
    ----------
    P. Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35, 1964, doi:10.1214/aoms/1177703732.

    X. He, X. Pan, K. Tan and W. Zhou, "Smoothed quantile regression with large-scale inference", Journal of Econometrics 232, 2023,
    doi:10.1016/j.jeconom.2021.07.010.
    """

    def __init__(
        self,
        threshold: Any = 1.35,
        factor: Any = 1.0,
        tilt: Any = 0.0,
        level: Any = 0.0,
        curvature: float | None = None,
    ) -> None:
        self.curvature, self.bounded = curvature or 0.0, curvature is None
        self.become(threshold, factor, tilt, level)

    kernel: int | None = compiled.HUBER
    straight = True

    def become(self, threshold: Any, factor: Any, tilt: Any = 0.0, level: Any = 0.0) -> None:
        """Take other numbers, for all who have this loss: what was known of it at any point is to be forgotten."""
        self.threshold, self.factor, self.tilt, self.level = own = threshold, factor, tilt, level
        if self.bounded:
            self.curvature = float(factor.max() if ndim(factor) else factor)
        if any(map(ndim, own)):
            self.kernel = self.numbers = None
        elif self.numbers is None:
            self.numbers = np.array(own, dtype=np.float64)
        else:
            self.numbers[:] = own  # where compiled searches read them

    def derivatives(self, y: Array, raw: Array, order: int = 2) -> Derivatives:
        xp = namespace(raw)
        numbers = self.threshold, self.factor, self.tilt, self.level
        threshold, factor, tilt, level = (own(number, raw) for number in numbers)
        residual = raw - y
        size = xp.abs(residual)
        within = xp.minimum(size, threshold)
        value = factor * within * (size - 0.5 * within) + tilt * residual + level
        if value.ndim == 2:
            value = xp.sum(value, axis=1)
        if not order:
            return value, None, None
        slope = factor * xp.copysign(within, residual) + tilt
        if order == 1:
            return value, slope, None
        return value, slope, factor * cast(size <= threshold, raw.dtype)


# The shape of a gamma prior, about the mean of all samples, of the mean of each. Over ten tables, rates from 0.05 to 10, shapes of 0.25, 0.5
# and 1, and the middle between the two means, led less far down, or as far.
PRIOR = 2.0


class HalfPoisson(PointwiseLoss):
    """factor·(exp(raw) − y + y (log y − raw)): half the Poisson deviance of the mean exp(raw), y at least 0.

    Parameters
    ----------
    mean : float
        Of the targets: the second derivative has no bound, and this is that of the best constant prediction.
    factor : float
    """

    bounded = False
    kernel: int | None = compiled.POISSON
    separable = True

    def __init__(self, mean: float = 1.0, factor: float = 1.0) -> None:
        self.mean, self.factor = mean, factor
        self.curvature = mean * factor
        self.numbers = np.array([factor, 0.0, 0.0, 0.0])

    def derivatives(self, y: Array, raw: Array, order: int = 2) -> Derivatives:
        xp = namespace(raw)
        mean = xp.exp(raw)
        y = cast(y, raw.dtype)  # its logarithm has as many digits as the predictions
        # 0 log 0 = 0
        relative = xp.where(y > 0, xp.log(xp.where(y > 0, y, 1.0)) - raw, xp.zeros_like(raw))
        value = self.factor * (mean - y + y * relative)
        if not order:
            return value, None, None
        return value, self.factor * (mean - y), self.factor * mean if order == 2 else None

    def working(self, y: Array, raw: Any) -> tuple[Array, Array]:
        xp = namespace(y)
        # the mean of each sample, from one count and that prior
        mean = (self.mean / (self.mean + PRIOR)) * (y + PRIOR)
        second_derivative = self.factor * mean
        return second_derivative, second_derivative * (raw - xp.log(mean) + 1) - self.factor * y

    def margins(self, y: Array, change: Array) -> Array:
        # samples without an event may go to a mean of 0, the others nowhere
        return np.where(y > 0, -np.abs(change), -change)


class Multinomial(PointwiseLoss):
    """logsumexp(raw) − raw[y] with ``y`` the index of the class, raw of shape (n_samples, n_classes).

    Symmetric: every class has its own raw prediction, and a shift common to all changes nothing.
    """

    kernel: int | None = compiled.MULTINOMIAL
    separable = True
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

    def margins(self, y: Array, change: Array) -> Array:
        """The log-odds of each sample's class against every other."""
        own = np.take_along_axis(change, y[:, None], axis=1)
        return np.delete((own - change).ravel(), np.arange(len(y)) * change.shape[1] + y)


LOSSES = {
    "half_squared_error": HalfSquaredError,
    "binomial": Binomial,
    "multinomial": Multinomial,
    "huber": Huber,
    "half_poisson": HalfPoisson,
}
