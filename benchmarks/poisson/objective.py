"""Poisson regression: the objective that every solver here minimises."""

import numpy as np
from benchopt import BaseObjective

from benchmarks.curves import once, scores
from benchmarks.objectives import poisson, poisson_optimum


class Objective(BaseObjective):
    """F(w, b) = 1/S Σ sᵢ d(yᵢ, exp(xᵢ·w + b))/2 + alpha/2 ‖w‖², d the deviance, S the sum of the weights; b is not penalised.

    alpha is scikit-learn's ``PoissonRegressor(alpha=alpha)`` and glum's; statsmodels' ``GLM`` has no such penalty. Data of
    frequencies come with weights, their exposures.

    A result is told by its relative gap F / F* − 1; F* is that of Newton's method (`benchmarks.objectives`).
    """

    name = "poisson"
    min_benchopt_version = "1.10"
    parameters = {"alpha": [0.0, 1e-3]}
    requirements = ["pip::sklearn-gd"]
    test_dataset_name = "simulated"

    def set_data(self, X, y, sample_weight=None):
        self.X, self.y, self.sample_weight = X, y, sample_weight
        self.best = once(self._best, X, y, sample_weight, self.alpha)

    def value(self, coef, intercept):
        return poisson(self.X, self.y, coef, intercept, self.alpha, self.sample_weight)

    def _best(self):
        return self.value(*poisson_optimum(self.X, self.y, self.alpha, self.sample_weight))

    def get_objective(self):
        return {"X": self.X, "y": self.y, "alpha": self.alpha, "sample_weight": self.sample_weight}

    def evaluate_result(self, coef, intercept, passes):
        with np.errstate(all="ignore"):
            return scores(self.value(coef, intercept), self.best, passes, self.X)

    def get_one_result(self):
        return {"coef": np.zeros(self.X.shape[1]), "intercept": 0.0, "passes": 0.0}
