"""Huber regression: squared error near the line, absolute error far from it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._checks import check_number
from .arrays import on_host
from .base import Target, lazy_on_dask
from .descent import Run
from .losses import Huber
from .plan import Problem, ScaleRounds
from .plan.rounds import best_scale, clipped_squares
from .protocols import Array, Momentum, StepRule
from .regressors import Regressor, average, constant_of
from .workers import is_dask

__all__ = ["GDHuberRegression"]


class GDHuberRegression(Regressor):
    """Regression with Huber's loss, by batch gradient descent."""

    def __init__(
        self,
        *,
        epsilon: float = 1.35,
        scale: str | float = "joint",
        alpha: float = 0.0,
        learning_rate: str | float | Callable[[int], float] | StepRule = "auto",
        momentum: str | float | Momentum | None = "auto",
        preconditioner: str | None = "auto",
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-6,
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
            init=init,
            random_state=random_state,
            warm_start=warm_start,
            on_divergence=on_divergence,
            verbose=verbose,
        )
        self.epsilon = epsilon
        self.scale = scale

    def _check_own_parameters(self) -> None:
        super()._check_own_parameters()
        joint = isinstance(self.scale, str)
        if joint and self.scale != "joint":
            raise ValueError(f"scale must be 'joint' or a number greater than 0, got {self.scale!r}.")
        # with 1 or less no scale makes residuals beyond the threshold count as much as they should
        check_number("epsilon", self.epsilon, 1 if joint else 0, left=joint, right=False)
        if not joint:
            check_number("scale", self.scale, 0, left=False, right=False)

    def _target(self, y: Array, weight: Array | None, X: Any) -> Target:
        y, weight = self._numbers(y, weight, X)
        epsilon, fixed = float(self.epsilon), None if isinstance(self.scale, str) else float(self.scale)
        level, scale = location_and_scale(y, weight, epsilon, bool(self.fit_intercept))
        # the loss of the best constant prediction is that of the last scale, where it is known
        loss = Huber(epsilon * scale, 1 / scale, 0.0, 0.5 * scale) if fixed is None else Huber(epsilon * fixed)
        constant = constant_of(loss, y, weight, level)
        rounds = ScaleRounds(loss, epsilon, max(scale, fixed or 0.0), fixed, float(self.tol))
        return loss, y, weight, float(self.alpha), constant, None, {}, rounds

    def _results(self, run: Run, problem: Problem) -> dict[str, Any]:
        rounds: Any = problem.rounds
        return {**super()._results(run, problem), "scale_": rounds.scale}

    @lazy_on_dask
    def predict(self, X: Any) -> Array:
        return self._raw(X, "predict")


# How far in units of the scale the first location may be from the best one: a fit begins there, and its criterion is relative to the loss there.
NEAR = 1e-3


def location_and_scale(y: Any, weight: Any, epsilon: float, located: bool) -> tuple[float, float]:
    """About the best constant prediction by Huber's loss, 0 unless `located`, and the scale that goes with it; 1 where nothing varies."""

    def clipped(scale: float) -> tuple[float, float]:
        squares = functools.partial(clipped_squares, scale, epsilon)
        whole, within = (average(lambda part, k=k: squares(part, 0 * part + level)[k], y, weight) for k in (0, 1))
        return whole, within

    level = 0.0
    if located:  # the median is not moved by outliers; to find that of a collection takes more than a pass
        level = average(lambda part: part, y, weight) if is_dask(y) else float(np.median(on_host(y)))
    scale = math.sqrt(average(lambda part: (part - level) ** 2, y, weight))
    for _ in range(20):
        if not scale > 0:
            break
        scale = best_scale(scale, epsilon, clipped)
        part = functools.partial(Huber(epsilon * scale).derivatives, order=2)
        slope, curvature = (
            average(lambda y, k=k, level=level, part=part: part(y, 0 * y + level)[k], y, weight) for k in (1, 2)
        )
        step = -slope / curvature if located else 0.0
        level += step
        if abs(step) <= NEAR * scale:
            break
    return level, scale or 1.0
