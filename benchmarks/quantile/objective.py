"""Quantile regression: the objective that every solver here minimises."""

import numpy as np
from benchopt import BaseObjective

from benchmarks.curves import once, scores
from benchmarks.objectives import pinball, pinball_optimum


class Objective(BaseObjective):
    """F(w, b) = 1/n Σ max(q rᵢ, (q − 1) rᵢ) + alpha ‖w‖₁, r = y − X·w − b, the intercept b not penalised.

    q is scikit-learn's ``QuantileRegressor(quantile=q, alpha=alpha)``, statsmodels' ``q``, pinball-qr's ``tau``, pyfixest's
    ``quantile`` and quantes' ``tau``; all but the first without a penalty.

    A result is told by its relative gap F / F* − 1; F* is that of the dual linear program (`benchmarks.objectives`).
    """

    name = "quantile"
    min_benchopt_version = "1.10"
    parameters = {"quantile": [0.5, 0.9], "alpha": [0.0]}
    requirements = ["pip::sklearn-gd"]
    test_dataset_name = "simulated"

    def skip(self, X, y, missing):
        return (True, missing) if X is None else (False, None)

    def set_data(self, X, y, missing):
        self.X, self.y = X, y
        self.best = once(self._best, X, y, self.quantile, self.alpha)

    def value(self, coef, intercept):
        return pinball(self.X, self.y, coef, intercept, self.quantile, self.alpha)

    def _best(self):
        return self.value(*pinball_optimum(self.X, self.y, self.quantile, self.alpha))

    def get_objective(self):
        return {"X": self.X, "y": self.y, "quantile": self.quantile, "alpha": self.alpha}

    def evaluate_result(self, coef, intercept, passes):
        with np.errstate(all="ignore"):
            return scores(self.value(coef, intercept), self.best, passes, self.X)

    def get_one_result(self):
        return {"coef": np.zeros(self.X.shape[1]), "intercept": 0.0, "passes": 0.0}
