"""The objectives of quantile, Huber and Poisson regression, and their optima.

Two uses: a fit judged, and what it is judged against::

    pinball(X, y, coef, intercept, quantile=0.9) / pinball(X, y, *pinball_optimum(X, y, 0.9), quantile=0.9) - 1
    huber(X, y, coef, intercept)                # at the scale that suits these coefficients best
    poisson(X, y, coef, intercept, alpha=1e-4, sample_weight=exposure)

With S the sum of the weights sᵢ, and raw = X w + b:

======== ==========================================================================================================
pinball  1/S Σ sᵢ max(q rᵢ, (q − 1) rᵢ) + alpha ‖w‖₁, r = y − raw
huber    1/S Σ sᵢ [σ/2 + σ h(rᵢ/σ)] + alpha/2 ‖w‖², h(z) = z²/2 where |z| ≤ epsilon, else epsilon |z| − epsilon²/2
poisson  1/S Σ sᵢ [yᵢ log yᵢ − yᵢ rawᵢ − yᵢ + exp(rawᵢ)] + alpha/2 ‖w‖², half the mean deviance
======== ==========================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.optimize import linprog
from scipy.special import xlogy

from .problems import coordinates

__all__ = ["best_scale", "huber", "huber_optimum", "pinball", "pinball_optimum", "poisson", "poisson_optimum"]

#: Where HuberRegressor's loss turns from a square into a straight line, by default.
EPSILON = 1.35

#: Steps of reweighted least squares before Newton's method, whose convergence is of the first order.
REWEIGHTED = 30


def predictor(X: Any, coef: Any, intercept: Any) -> np.ndarray:
    return np.asarray(X @ np.ravel(coef)) + float(np.ravel(intercept)[0])


def mean(values: np.ndarray, sample_weight: np.ndarray | None) -> float:
    return float(np.average(values, weights=sample_weight))


# ---------------------------------------------------------------------------------------------------- values


def pinball(X: Any, y: np.ndarray, coef: Any, intercept: Any, quantile: float, alpha: float = 0.0) -> float:
    residual = y - predictor(X, coef, intercept)
    loss = np.maximum(quantile * residual, (quantile - 1) * residual)
    return mean(loss, None) + alpha * float(np.abs(coef).sum())


def huber(
    X: Any,
    y: np.ndarray,
    coef: Any,
    intercept: Any,
    alpha: float = 0.0,
    epsilon: float = EPSILON,
    scale: float | None = None,
) -> float:
    """At this scale, or where it is None at the best one."""
    size = np.abs(y - predictor(X, coef, intercept))
    scale = best_scale(size, epsilon) if scale is None else scale
    return _huber_loss(size, scale, epsilon) + 0.5 * alpha * float(np.sum(np.square(coef)))


def _huber_loss(size: np.ndarray, scale: float, epsilon: float) -> float:
    if scale <= 0:  # the limit: all of them are far
        return epsilon * float(size.mean()) if scale == 0 else np.inf
    inside = np.minimum(size, epsilon * scale)
    return 0.5 * scale + float(np.mean(inside * (size - 0.5 * inside))) / scale


def best_scale(size: np.ndarray, epsilon: float = EPSILON) -> float:
    """The scale at which the objective is least, of residuals of this size.

    Its slope in the scale, 1/2 Σ [1 − (min(rᵢ, epsilon σ)/σ)²], rises: found by bisection between the residuals, where the
    set of those inside is known, and then solved for.
    """
    size = np.sort(size)
    n = len(size)
    squares = np.cumsum(size**2)
    outside = n - 1 - np.arange(n)
    # the slopes at size/epsilon, each residual inside of its own, without the factor; 0/0 is where all inside are zero
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = n - epsilon**2 * (outside + np.nan_to_num(squares / size**2))
    k = int(np.searchsorted(slopes, 0.0))  # so many lie inside
    if k == n:  # even the largest residual does
        return float(np.sqrt(squares[-1] / n))
    inside = squares[k - 1] if k else 0.0
    return float(np.sqrt(inside / (n - epsilon**2 * (n - k))))


def poisson(
    X: Any,
    y: np.ndarray,
    coef: Any,
    intercept: Any,
    alpha: float = 0.0,
    sample_weight: np.ndarray | None = None,
) -> float:
    with np.errstate(over="ignore"):
        loss = _poisson_loss(y, predictor(X, coef, intercept))
        return mean(loss, sample_weight) + 0.5 * alpha * float(np.sum(np.square(coef)))


def _poisson_loss(y: np.ndarray, raw: np.ndarray) -> np.ndarray:
    return xlogy(y, y) - y * raw - y + np.exp(raw)


# ---------------------------------------------------------------------------------------------------- optima


def pinball_optimum(
    X: Any, y: np.ndarray, quantile: float, alpha: float = 0.0, time_limit: float | None = None
) -> tuple[np.ndarray, float]:
    """The coefficients and the intercept: the multipliers of the dual linear program, which has one row a column of X.

    max Σ dᵢ yᵢ, q − 1 ≤ dᵢ ≤ q, Σ dᵢ = 0, and Xᵀd = 0, or within ± n alpha. `QuantileRegressor` gives HiGHS the primal one,
    which has a row for each sample. HiGHS is compiled, and ended only by its own limit, in seconds.

    Raises
    ------
    RuntimeError
        Where it did not find the optimum.
    """
    n = len(y)
    middle, spread = _centre_and_spread(X)
    Z = (X @ sp.diags(1 / spread)).T if sp.issparse(X) else ((X - middle) / spread).T
    ones = np.ones((1, n))
    limits = {} if time_limit is None else {"time_limit": time_limit}
    options: dict[str, Any] = {"bounds": (quantile - 1, quantile), "method": "highs", "options": limits}
    if alpha:
        allowed = n * alpha / spread
        both = sp.vstack([Z, -Z]) if sp.issparse(Z) else np.vstack([Z, -Z])
        options |= {"A_ub": both, "b_ub": np.concatenate([allowed, allowed]), "A_eq": ones, "b_eq": [0.0]}
    else:
        rows = sp.vstack([ones, Z], format="csr") if sp.issparse(Z) else np.vstack([ones, Z])
        options |= {"A_eq": rows, "b_eq": np.zeros(rows.shape[0])}
    found = linprog(-y, **options)
    if found.status:
        raise RuntimeError(found.message)
    intercept, coef = -found.eqlin.marginals[0], -found.eqlin.marginals[1:]
    if alpha:
        above, below = np.split(-found.ineqlin.marginals, 2)
        coef = above - below
    coef = coef / spread
    return coef, float(intercept - middle @ coef)


def _centre_and_spread(X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of the columns; sparse ones stay where they are."""
    if sp.issparse(X):
        middle, spread = np.zeros(X.shape[1]), np.sqrt(np.asarray(X.multiply(X).mean(axis=0)).ravel())
    else:
        middle, spread = X.mean(axis=0), X.std(axis=0)
    return middle, np.where(spread > 0, spread, 1.0)


def huber_optimum(
    X: Any, y: np.ndarray, alpha: float = 0.0, epsilon: float = EPSILON, scale: float | None = None
) -> tuple[np.ndarray, float, float]:
    """The coefficients, the intercept and the scale: Newton's method in all of them, or at a given scale."""
    Z, inverse_squares, back = coordinates(X)
    Z = np.column_stack([Z, np.ones(len(y))])
    penalty = np.append(alpha * inverse_squares, 0.0)
    n, size = Z.shape

    def at(theta: np.ndarray) -> tuple[np.ndarray, float]:
        return y - Z @ theta[:size], float(theta[size]) if scale is None else scale

    def value(theta: np.ndarray) -> float:
        residual, sigma = at(theta)
        loss = _huber_loss(np.abs(residual), sigma, epsilon) if sigma > 0 else np.inf
        return loss + 0.5 * float(penalty @ theta[:size] ** 2)

    def derivatives(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        residual, sigma = at(theta)
        z = residual / sigma
        inside = np.abs(z) <= epsilon
        clipped, z = np.clip(z, -epsilon, epsilon), z * inside
        gradient = penalty * theta[:size] - Z.T @ clipped / n
        hessian = (Z.T * inside) @ Z / (n * sigma) + np.diag(penalty)
        if scale is not None:
            return gradient, hessian
        mixed = Z.T @ z / (n * sigma)
        gradient = np.append(gradient, 0.5 * (1 - np.mean(clipped**2)))
        return gradient, np.block([[hessian, mixed[:, None]], [mixed, np.mean(z**2) / sigma]])

    # Reweighted least squares come near it from anywhere; a Newton step may take the scale to where hardly a residual is inside.
    theta = np.zeros(size)
    theta[-1], sigma = np.median(y), 1.0
    for _ in range(REWEIGHTED):
        distance = np.abs(y - Z @ theta)
        sigma = scale or best_scale(distance, epsilon)
        weight = np.minimum(1.0, epsilon * sigma / np.maximum(distance, epsilon * sigma)) / (n * sigma)
        theta = scipy.linalg.lstsq((Z.T * weight) @ Z + np.diag(penalty), Z.T @ (weight * y))[0]
    theta = _newton(value, derivatives, theta if scale else np.append(theta, sigma))
    coef, intercept = back(theta[: size - 1], theta[size - 1])
    return coef, float(intercept), float(theta[size]) if scale is None else scale


def poisson_optimum(
    X: Any, y: np.ndarray, alpha: float = 0.0, sample_weight: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """The coefficients and the intercept, by Newton's method."""
    Z, inverse_squares, back = coordinates(X)
    Z = np.column_stack([Z, np.ones(len(y))])
    penalty = np.append(alpha * inverse_squares, 0.0)
    weight = np.ones(len(y)) if sample_weight is None else sample_weight
    weight = weight / weight.sum()

    def value(theta: np.ndarray) -> float:
        with np.errstate(over="ignore"):
            return float(weight @ _poisson_loss(y, Z @ theta) + 0.5 * penalty @ theta**2)

    def derivatives(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rate = np.exp(Z @ theta)
        gradient = Z.T @ (weight * (rate - y)) + penalty * theta
        return gradient, (Z.T * (weight * rate)) @ Z + np.diag(penalty)

    start = np.zeros(Z.shape[1])
    start[-1] = np.log(weight @ y)
    theta = _newton(value, derivatives, start)
    coef, intercept = back(theta[:-1], theta[-1])
    return coef, float(intercept)


def _newton(
    value: Callable[[np.ndarray], float],
    derivatives: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    theta: np.ndarray,
) -> np.ndarray:
    """Newton's method with halved steps, down to the rounding of the value."""
    current = value(theta)
    for _ in range(500):
        gradient, hessian = derivatives(theta)
        scale = 1 / np.sqrt(np.maximum(np.diag(hessian), 1e-300))
        # dependent columns, or too few residuals inside, leave directions without curvature
        scaled = hessian * scale[:, None] * scale
        values, vectors = scipy.linalg.eigh(scaled)
        values = np.maximum(values, 1e-12 * max(1.0, values[-1]))
        step = scale * (vectors @ ((vectors.T @ (scale * gradient)) / values))
        decrement = float(gradient @ step)
        if decrement <= 1e-16 * abs(current):
            break
        length = 1.0
        while length > 1e-12:
            new = value(theta - length * step)
            if new < current - 1e-4 * length * decrement:
                break
            length /= 2
        else:
            break
        theta, current = theta - length * step, new
    return theta
