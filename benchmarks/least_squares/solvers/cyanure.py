"""Cyanure's `Regression`: variance-reduced stochastic gradients with quasi-Newton acceleration."""

import numpy as np
from benchmark_utils import Fit, LeastSquares
from cyanure.estimators import Regression


class Solver(LeastSquares):
    """Its iterations are passes."""

    name = "cyanure"
    requirements = ["pip::cyanure"]

    def fit(self, n_iter):
        model = Regression(
            lambda_1=self.alpha,
            fit_intercept=self.fit_intercept,
            tol=1e-14,
            max_iter=n_iter,
            duality_gap_interval=max(1, min(10, n_iter)),
            verbose=False,
        ).fit(self.X, self.y)
        intercept = float(np.ravel(model.intercept_)[0]) if self.fit_intercept else 0.0
        return Fit(np.ravel(model.coef_), intercept, float(np.max(model.n_iter_)))
