"""Quantile regression: absolute errors, weighted by the side that they are on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._checks import check_boolean, check_number
from .arrays import mean, on_host
from .base import Target, lazy_on_dask
from .descent import Run
from .losses import Huber
from .penalties import L1
from .plan import Constant, Problem, SmoothingRounds
from .protocols import Array, Momentum, StepRule
from .regressors import Regressor, average
from .steps import rule_for
from .workers import is_dask

__all__ = ["GDQuantileRegression"]


class GDQuantileRegression(Regressor):
    """Linear quantile regression, by batch gradient descent."""

    def __init__(
        self,
        *,
        quantile: float | ArrayLike = 0.5,
        alpha: float = 0.0,
        rearrange: bool = False,
        learning_rate: str | float | Callable[[int], float] | StepRule = "auto",
        momentum: str | float | Momentum | None = "auto",
        preconditioner: str | None = "auto",
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-6,
        batch_size: int | None = None,
        init: str | ArrayLike | tuple[ArrayLike, ArrayLike] = "zeros",
        random_state: int | np.random.RandomState | None = None,
        warm_start: bool = False,
        on_divergence: str = "warn",
        verbose: int = 0,
    ) -> None:
        super().__init__(
            alpha=alpha,
            learning_rate=learning_rate,
            momentum=momentum,
            preconditioner=preconditioner,
            fit_intercept=fit_intercept,
            max_iter=max_iter,
            tol=tol,
            batch_size=batch_size,
            init=init,
            random_state=random_state,
            warm_start=warm_start,
            on_divergence=on_divergence,
            verbose=verbose,
        )
        self.quantile = quantile
        self.rearrange = rearrange

    def _check_own_parameters(self) -> None:
        super()._check_own_parameters()
        check_boolean("rearrange", self.rearrange)
        quantiles = [self.quantile] if np.ndim(self.quantile) == 0 else list(np.asarray(self.quantile).ravel())
        for quantile in quantiles:
            check_number("quantile", quantile, 0, 1, left=False, right=False)
        if not quantiles or np.ndim(self.quantile) > 1:
            raise ValueError(f"quantile must be a number between 0 and 1, or a list of such, got {self.quantile!r}.")

    def _target(self, y: Array, weight: Array | None, X: Any) -> Target:
        y, weight = self._numbers(y, weight, X)
        quantile: Any = float(self.quantile) if np.ndim(self.quantile) == 0 else np.asarray(self.quantile, np.float64)
        outputs = None if np.ndim(quantile) == 0 else len(quantile)
        levels = np.array([constant_quantile(y, weight, q, bool(self.fit_intercept)) for q in np.ravel(quantile)])
        losses = np.array(
            [
                average(lambda part, q=q, level=level: pinball(part - level, q), y, weight)
                for q, level in zip(np.ravel(quantile), levels, strict=True)
            ]
        )
        width = np.where(losses > 0, losses, 1.0)
        raw, width = (levels[0], float(width[0])) if outputs is None else (levels, width)
        # errors of Laplace's distribution, of that mean, have the density 1/(4 loss) where they are zero
        loss = Huber(width, 0.5 / width, 0.5 - quantile, curvature=0.25 / float(np.mean(width)))
        penalty = L1(float(self.alpha), X.shape[1], np.min(width)) if self.alpha else None
        rounds = SmoothingRounds(
            loss, quantile, width, float(self.tol), penalty, losses, rule_for(self.learning_rate).scheduled
        )
        if outputs is not None:
            y = np.broadcast_to(y[:, None], (len(y), outputs))
        return loss, y, weight, 0.0, Constant(float(losses.sum()), raw), outputs, {}, rounds

    def _results(self, run: Run, problem: Problem) -> dict[str, Any]:
        rounds: Any = problem.rounds
        return {**super()._results(run, problem), "dual_gap_": rounds.gap}

    @lazy_on_dask
    def predict(self, X: Any) -> Array:
        raw = self._raw(X, "predict")
        return np.sort(raw, axis=1) if self.rearrange and raw.ndim == 2 else raw


def pinball(residual: Array, quantile: float) -> Array:
    """The loss of a quantile at residuals y − raw."""
    return 0.5 * abs(residual) + (quantile - 0.5) * residual


def constant_quantile(y: Any, weight: Any, quantile: float, located: bool) -> float:
    """The best constant prediction, a quantile of the target; 0 unless `located`."""
    if not located:
        return 0.0
    if is_dask(y):
        return float(np.asarray(mean(y, weight)))
    host = on_host(y)
    if weight is None:
        return float(np.quantile(host, quantile, method="inverted_cdf"))
    order = np.argsort(host)
    reach = np.cumsum(on_host(weight)[order], dtype=np.float64)
    return float(host[order[min(int(np.searchsorted(reach, quantile * reach[-1])), len(order) - 1)]])
