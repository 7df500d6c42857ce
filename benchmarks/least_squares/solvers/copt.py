"""copt's accelerated proximal gradients."""

import numpy as np
from benchmark_utils import LeastSquares
from copt import minimize_proximal_gradient
from copt.loss import SquareLoss


class Solver(LeastSquares):
    """It has no intercept: the columns are centred, in its seconds."""

    name = "copt"
    requirements = ["pip::copt"]

    def reason(self):
        return self.sparse()

    def fit(self, n_iter):
        X, y, back = self.centred()
        loss = SquareLoss(X, y, self.alpha)
        start = np.zeros(X.shape[1])
        found = minimize_proximal_gradient(
            loss.f_grad, start, jac=True, step="backtracking", accelerated=True, tol=0.0, max_iter=n_iter
        )
        return back(found.x)
