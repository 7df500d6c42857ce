"""mlxtend's `LinearRegression`, gradient descent."""

import numpy as np
from benchmark_utils import Fit, LeastSquares
from mlxtend.regressor import LinearRegression


class Solver(LeastSquares):
    """Its gradients are sums: the rate is 1/(n L) of ``[X, 1]``, known beforehand and not timed."""

    name = "mlxtend-gd"
    requirements = ["pip::mlxtend"]

    def reason(self):
        return self.penalised() or self.sparse() or ("" if self.fit_intercept else "always fits an intercept")

    def prepare(self):
        self.eta = 1 / np.linalg.norm(np.column_stack([self.X, np.ones(len(self.X))]), 2) ** 2

    def fit(self, n_iter):
        model = LinearRegression(method="sgd", minibatches=1, eta=self.eta, epochs=n_iter, random_seed=0)
        model.fit(self.X, self.y)
        # Forward and back, and once more for the cost that it keeps.
        return Fit(model.w_.ravel(), float(model.b_[0]), 3.0 * n_iter)
