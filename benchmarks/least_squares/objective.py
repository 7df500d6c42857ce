"""Least squares and ridge regression: the objective that every solver here minimises."""

import numpy as np
import scipy.linalg
import scipy.sparse
from benchmark_utils import Fit
from benchopt import BaseObjective

from benchmarks.curves import once, scores
from benchmarks.problems import largest_eigenvalue, objective, optimum


class Objective(BaseObjective):
    """F(w, b) = 1/n Σ ½ (yᵢ − xᵢ·w − b)² + alpha/2 ‖w‖², the intercept b not penalised.

    `ridge` is alpha in multiples of the largest eigenvalue of the columns' covariance; 0 is ordinary least squares. With
    n samples, alpha is

    - scikit-learn's ``Ridge(alpha=n * alpha)``, ``SGDRegressor(alpha=alpha)``;
    - SciPy's ``lsmr(damp=sqrt(n * alpha))``, on centred data;
    - glum's ``alpha``, cyanure's ``lambda_1``, skglm's ``L2(alpha)``, copt's ``alpha``;
    - dask-glm's ``lamduh=2 * n * alpha``, whose loss is the sum of squares without the half.

    A result is told by its relative gap F / F* − 1; F* is that of an orthogonal factorisation (`benchmarks.problems`).
    """

    name = "least squares"
    min_benchopt_version = "1.10"
    parameters = {"ridge": [0.0, 1e-3], "fit_intercept": [True]}
    requirements = ["pip::sklearn-gd"]
    test_dataset_name = "simulated"

    def skip(self, X, y, missing):
        return (True, missing) if X is None else (False, None)

    def set_data(self, X, y, missing):
        self.X, self.y = X, y
        self.alpha = self.ridge * largest_eigenvalue(X) if self.ridge else 0.0
        self.best = once(self._best, X, y, self.alpha, self.fit_intercept)

    def _best(self):
        if self.fit_intercept:
            coef, intercept, _, _ = optimum(self.X, self.y, self.alpha, "squared")
        else:
            X = self.X.toarray() if scipy.sparse.issparse(self.X) else self.X
            below = np.sqrt(len(self.y) * self.alpha) * np.eye(X.shape[1])
            coef = scipy.linalg.lstsq(np.vstack([X, below]), np.append(self.y, np.zeros(X.shape[1])))[0]
            intercept = 0.0
        return objective(self.X, self.y, coef, intercept, self.alpha, "squared")

    def get_objective(self):
        return {"X": self.X, "y": self.y, "alpha": self.alpha, "fit_intercept": self.fit_intercept}

    def evaluate_result(self, coef, intercept, passes):
        with np.errstate(all="ignore"):
            value = objective(self.X, self.y, coef, intercept, self.alpha, "squared")
        return scores(value, self.best, passes, self.X)

    def get_one_result(self):
        return vars(Fit(np.zeros(self.X.shape[1]), 0.0))
