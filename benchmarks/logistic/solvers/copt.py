"""copt's accelerated proximal gradients."""

import numpy as np
from benchmark_utils import Fit, Logistic
from copt import minimize_proximal_gradient
from copt.loss import LogLoss


class Solver(Logistic):
    """It has no intercept."""

    name = "copt"
    requirements = ["pip::copt"]
    test_config = {"objective": {"fit_intercept": False}}

    def reason(self):
        return self.binary() or self.intercept()

    def fit(self, n_iter):
        loss = LogLoss(self.X, self.y, self.alpha)
        start = np.zeros(self.X.shape[1])
        found = minimize_proximal_gradient(
            loss.f_grad, start, jac=True, step="backtracking", accelerated=True, tol=0.0, max_iter=n_iter
        )
        return Fit(found.x, 0.0)
