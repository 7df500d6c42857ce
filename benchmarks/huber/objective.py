"""Huber regression: the objective that every solver here minimises."""

import numpy as np
from benchopt import BaseObjective

from benchmarks.curves import once, scores
from benchmarks.objectives import huber, huber_optimum


class Objective(BaseObjective):
    """F(w, b, σ) = 1/n Σ [σ/2 + σ h((yᵢ − xᵢ·w − b)/σ)] + alpha/2 ‖w‖², the intercept b not penalised.

    h(z) is z²/2 up to epsilon, then epsilon |z| − epsilon²/2. It is half the mean of scikit-learn's
    ``HuberRegressor(epsilon=epsilon, alpha=n * alpha)``. `scale` is

    - "joint": found with the coefficients. A result is judged at the scale that suits its coefficients best.
    - "optimum": fixed, at what it is at the joint optimum, and given to the solvers: statsmodels' ``RLM(M=HuberT(epsilon))``
      has estimates of its own, which are of other objectives.

    A result is told by its relative gap F / F* − 1; F* is that of Newton's method (`benchmarks.objectives`).
    """

    name = "huber"
    min_benchopt_version = "1.10"
    parameters = {"scale": ["joint", "optimum"], "epsilon": [1.35], "alpha": [0.0]}
    requirements = ["pip::sklearn-gd"]
    test_dataset_name = "simulated"

    def skip(self, X, y, missing):
        return (True, missing) if X is None else (False, None)

    def set_data(self, X, y, missing):
        self.X, self.y, self.sigma = X, y, None
        if self.scale == "optimum":
            self.sigma = once(
                lambda: huber_optimum(X, y, self.alpha, self.epsilon)[2], "scale", X, y, self.alpha, self.epsilon
            )
        self.best = once(self._best, X, y, self.alpha, self.epsilon, self.scale)

    def value(self, coef, intercept):
        return huber(self.X, self.y, coef, intercept, self.alpha, self.epsilon, self.sigma)

    def _best(self):
        return self.value(*huber_optimum(self.X, self.y, self.alpha, self.epsilon, self.sigma)[:2])

    def get_objective(self):
        return {"X": self.X, "y": self.y, "alpha": self.alpha, "epsilon": self.epsilon, "scale": self.sigma}

    def evaluate_result(self, coef, intercept, passes):
        with np.errstate(all="ignore"):
            return scores(self.value(coef, intercept), self.best, passes, self.X)

    def get_one_result(self):
        return {"coef": np.zeros(self.X.shape[1]), "intercept": 0.0, "passes": 0.0}
