"""What the regressors with a loss of their own share: the penalty, one numeric target, raw predictions.

Three uses: `GDPoissonRegression`, `GDHuberRegression`, `GDQuantileRegression`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin

from . import messages
from ._checks import check_number
from .arrays import beside, cast, in_units, mean
from .base import BaseGD
from .linear_model import check_range
from .plan import Constant
from .protocols import Array, Loss, Momentum, StepRule
from .workers import is_dask

__all__ = ["Regressor", "average", "constant_of"]


class Regressor(RegressorMixin, BaseGD):
    """A linear model of one numeric target."""

    def __init__(
        self,
        *,
        alpha: float = 0.0,
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
        self.alpha = alpha

    def _check_own_parameters(self) -> None:
        if self.alpha is None:
            raise TypeError(messages.none_given("alpha", "no penalty", "alpha=0"))
        check_number("alpha", self.alpha, 0, right=False)

    def _check_X_y(self, X: Any, y: Any) -> tuple[Any, Array]:
        if scipy.sparse.issparse(y):
            raise TypeError("y is sparse; a dense array is required: use y.toarray().")
        return self._validated(X, y, **self._accepted(X), y_numeric=True)

    def _numbers(self, y: Array, weight: Array | None, X: Any) -> tuple[Array, Array | None]:
        """The target beside X and in its precision, and the weights in a unit of their own."""
        if isinstance(y, np.ndarray):
            check_range(y, X.dtype)
        return cast(beside(y, X), X.dtype), in_units(weight)[0]

    def _shaped(self, coef: Array, intercept: Array) -> tuple[Array, Any]:
        return coef, intercept[()]


def average(of: Callable[[Array], Array], y: Any, weight: Any) -> float:
    """The weighted mean over the samples of a function of their targets."""
    return float(np.asarray(mean(y.map_blocks(of) if is_dask(y) else of(y), weight)))


def constant_of(loss: Loss, y: Any, weight: Any, raw: float) -> Constant:
    """A constant prediction and its mean loss."""
    return Constant(average(lambda part: loss.derivatives(part, 0 * part + raw, 0)[0], y, weight), raw)
