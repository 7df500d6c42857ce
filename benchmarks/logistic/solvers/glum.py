"""glum's `GeneralizedLinearRegressor` of the binomial family."""

import numpy as np
from benchmark_utils import Logistic
from glum import GeneralizedLinearRegressor


class Solver(Logistic):
    """Reweighted least squares and L-BFGS."""

    name = "glum"
    parameters = {"solver": ["irls-ls", "lbfgs"]}
    requirements = ["pip::glum"]

    def reason(self):
        return self.binary()

    def prepare(self):
        self.target = self.y.astype(np.float64)

    def fit(self, n_iter):
        model = GeneralizedLinearRegressor(
            family="binomial",
            alpha=self.alpha,
            l1_ratio=0,
            solver=self.solver,
            gradient_tol=1e-14,
            max_iter=n_iter,
            fit_intercept=self.fit_intercept,
        )
        return self.estimated(model.fit(self.X, self.target))
