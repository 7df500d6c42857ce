"""Other packages' quantile, Huber and Poisson regressions, called the same way.

Two uses: the solvers of the benchopt benchmarks, and the races of `benchmarks.losses`::

    coef, intercept = pinball(X, y, 0.9, tol=1e-6, method="fn")
    RIVALS_THERE = [name for name in PACKAGES if there(name)]

What a package needs beforehand, a column of ones, a data frame, columns stored in another order, is part of its fit. Their
imports are made at the call: they are optional.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from sklearn.linear_model import HuberRegressor, PoissonRegressor, QuantileRegressor

__all__ = [
    "glum",
    "highs",
    "huber_regressor",
    "pinball",
    "poisson_regressor",
    "pyfixest",
    "quantes",
    "statsmodels_glm",
    "statsmodels_quantreg",
    "statsmodels_rlm",
    "there",
]

#: Coefficients and intercept.
Solution = tuple[Any, Any]

#: No limit of theirs: what ends a fit is its tolerance, or the cap.
MANY = 20_000


def there(*modules: str) -> bool:
    """Whether all of these are installed."""
    return all(importlib.util.find_spec(module) is not None for module in modules)


def _estimated(model: Any) -> Solution:
    return model.coef_, model.intercept_


def _with_ones(X: np.ndarray) -> np.ndarray:
    return np.column_stack([X, np.ones(len(X))])


def _split(theta: Any) -> Solution:
    theta = np.asarray(theta)
    return theta[:-1], theta[-1]


# ---------------------------------------------------------------------------------------------------- quantiles


def highs(X: Any, y: np.ndarray, quantile: float, alpha: float = 0.0, time_limit: float | None = None) -> Solution:
    """scikit-learn's linear program by HiGHS, a vertex; compiled, and ended only by its own limit, in seconds."""
    options = {} if time_limit is None else {"time_limit": time_limit}
    return _estimated(
        QuantileRegressor(quantile=quantile, alpha=alpha, solver="highs", solver_options=options).fit(X, y)
    )


def statsmodels_quantreg(X: np.ndarray, y: np.ndarray, quantile: float, tol: float, max_iter: int = 1000) -> Solution:
    """Reweighted least squares, to changes of the coefficients below `tol`."""
    from statsmodels.api import QuantReg

    return _split(QuantReg(y, _with_ones(X)).fit(quantile, p_tol=tol, max_iter=max_iter).params)


def pinball(X: np.ndarray, y: np.ndarray, quantile: float, tol: float, method: str = "fn") -> Solution:
    """pinball-qr: quantreg's Fortran, by interior points ("fn"), those on a part of the data ("pfn"), or the simplex ("br")."""
    from pinball import QuantileRegressor as Pinball

    return _estimated(Pinball(tau=quantile, method=method, solver_options={"eps": tol}).fit(X, y))


def pyfixest(X: np.ndarray, y: np.ndarray, quantile: float, tol: float, method: str = "fn") -> Solution:
    """Interior points in NumPy, to this gap between the sums of the losses; with the cheapest of its covariances."""
    import pandas as pd
    from pyfixest import quantreg

    names = [f"x{column}" for column in range(X.shape[1])]
    data = pd.DataFrame(X, columns=names).assign(y=y)
    found = quantreg(f"y ~ {' + '.join(names)}", data, vcov="iid", quantile=quantile, method=method, tol=tol, seed=0)
    params = found.coef()
    # columns that depend on others are left out
    return params.reindex(names).fillna(0.0).to_numpy(), float(params["Intercept"])


def quantes(X: np.ndarray, y: np.ndarray, quantile: float, tol: float, max_iter: int = MANY) -> Solution:
    """Smoothed quantile regression (conquer) by its authors: smoothed here over the square root of `tol`.

    The smoothed optimum is as far above the true one as the width squared, about, and has to be found as well.
    """
    from quantes.linear import low_dim

    options = {"max_iter": max_iter, "tol": tol}
    theta = low_dim(X, y, options=options).fit(tau=quantile, h=float(np.sqrt(tol)))["beta"]
    return theta[1:], theta[0]


# ---------------------------------------------------------------------------------------------------- Huber


def huber_regressor(X: Any, y: np.ndarray, alpha: float, epsilon: float, tol: float, max_iter: int = MANY) -> Solution:
    """scikit-learn's, by L-BFGS; `alpha` beside the mean of the losses."""
    return _estimated(HuberRegressor(alpha=alpha * len(y), epsilon=epsilon, tol=tol, max_iter=max_iter).fit(X, y))


def statsmodels_rlm(
    X: np.ndarray, y: np.ndarray, epsilon: float, scale: float, tol: float, max_iter: int = MANY
) -> Solution:
    """Reweighted least squares at a scale that is given: its own estimates of it, HuberScale's too, are of other objectives."""
    from statsmodels.api import RLM
    from statsmodels.robust.norms import HuberT

    found = RLM(y, _with_ones(X), M=HuberT(epsilon)).fit(
        scale_est=lambda model, residual: scale, tol=tol, maxiter=max_iter, conv="coefs"
    )
    return _split(found.params)


# ---------------------------------------------------------------------------------------------------- Poisson


def poisson_regressor(
    X: Any,
    y: np.ndarray,
    alpha: float,
    tol: float,
    sample_weight: np.ndarray | None = None,
    solver: str = "newton-cholesky",
    max_iter: int = MANY,
) -> Solution:
    model = PoissonRegressor(alpha=alpha, solver=solver, tol=tol, max_iter=max_iter)
    return _estimated(model.fit(X, y, sample_weight=sample_weight))


def glum(
    X: Any,
    y: np.ndarray,
    alpha: float,
    tol: float,
    sample_weight: np.ndarray | None = None,
    solver: str = "irls-ls",
    max_iter: int = 1000,
) -> Solution:
    from glum import GeneralizedLinearRegressor

    model = GeneralizedLinearRegressor(
        family="poisson", alpha=alpha, l1_ratio=0, solver=solver, gradient_tol=tol, max_iter=max_iter
    )
    return _estimated(model.fit(X, y, sample_weight=sample_weight))


def statsmodels_glm(
    X: np.ndarray, y: np.ndarray, tol: float, sample_weight: np.ndarray | None = None, max_iter: int = 1000
) -> Solution:
    """Reweighted least squares, to changes of the deviance below `tol`, relative to it; without a penalty, and dense."""
    from statsmodels.api import GLM, families

    model = GLM(y, _with_ones(X), family=families.Poisson(), var_weights=sample_weight)
    return _split(model.fit(tol=0.0, rtol=tol, maxiter=max_iter).params)
