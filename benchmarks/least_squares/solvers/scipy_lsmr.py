"""SciPy's `lsmr`, the method for large sparse least squares."""

import numpy as np
from benchmark_utils import Fit, LeastSquares
from scipy.sparse.linalg import LinearOperator, lsmr


class Solver(LeastSquares):
    """The columns are centred by an operator: no copy of X, sparse or dense."""

    name = "scipy-lsmr"
    requirements = ["scipy"]

    def fit(self, n_iter):
        X, y, n_samples = self.X, self.y, self.X.shape[0]
        mean, level, operator = np.zeros(X.shape[1]), 0.0, X
        if self.fit_intercept:
            mean, level = np.asarray(X.mean(axis=0)).ravel(), y.mean()
            operator = LinearOperator(
                X.shape, lambda w: X @ w - mean @ w, rmatvec=lambda r: X.T @ r - mean * r.sum(), dtype=X.dtype
            )
        damp = np.sqrt(n_samples * self.alpha)
        coef, _, done, *_ = lsmr(operator, y - level, damp, atol=0, btol=0, conlim=0, maxiter=n_iter)
        return Fit(coef, level - mean @ coef, 2.0 * done + 1)
