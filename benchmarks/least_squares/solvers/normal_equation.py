"""The normal equation, (XᵀX + n·alpha·1) w = Xᵀy, on moments about the mean."""

import numpy as np
import scipy.linalg
import scipy.sparse
from benchmark_utils import Fit, LeastSquares


def cholesky(matrix, right):
    """The fastest: the matrix is symmetric and positive."""
    factor = scipy.linalg.cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    return scipy.linalg.cho_solve(factor, right, check_finite=False)


def inverse(matrix, right):
    """As textbooks write it."""
    return np.linalg.inv(matrix) @ right


METHODS = {"cholesky": cholesky, "solve": np.linalg.solve, "inverse": inverse}


class Solver(LeastSquares):
    """One symmetric product of X; the intercept by the columns' means, without a copy of X."""

    name = "normal-equation"
    parameters = {"method": ["cholesky", "solve", "inverse"]}
    requirements = ["numpy", "scipy"]
    sampling_strategy = "run_once"

    def reason(self):
        return self.singular()

    def fit(self, _):
        X, y = self.X, self.y
        n_samples, n_features = X.shape
        matrix, right = X.T @ X, X.T @ y
        if scipy.sparse.issparse(matrix):
            matrix = matrix.toarray()
        mean, level = np.zeros(n_features), 0.0
        if self.fit_intercept:
            mean, level = np.asarray(X.mean(axis=0)).ravel(), y.mean()
            matrix -= (n_samples * mean)[:, None] * mean
            right -= n_samples * level * mean
        matrix[np.diag_indices(n_features)] += n_samples * self.alpha
        coef = METHODS[self.method](matrix, right)
        return Fit(coef, level - mean @ coef, 1.0)
