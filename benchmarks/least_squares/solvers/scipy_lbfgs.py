"""SciPy's L-BFGS on the objective itself."""

import numpy as np
from benchmark_utils import Fit, LeastSquares
from scipy.optimize import minimize


class Solver(LeastSquares):
    """Two reads of X an evaluation."""

    name = "scipy-lbfgs"
    requirements = ["scipy"]

    def fit(self, n_iter):
        X, y, n_samples = self.X, self.y, self.X.shape[0]

        def function(theta):
            coef, intercept = theta[:-1], theta[-1]
            residual = X @ coef + intercept - y
            value = 0.5 * residual @ residual / n_samples + 0.5 * self.alpha * coef @ coef
            slope = residual.mean() if self.fit_intercept else 0.0
            return value, np.append(X.T @ residual / n_samples + self.alpha * coef, slope)

        options = {"maxiter": n_iter, "maxfun": 100 * n_iter, "ftol": 0.0, "gtol": 0.0}
        found = minimize(function, np.zeros(X.shape[1] + 1), jac=True, method="L-BFGS-B", options=options)
        return Fit(found.x[:-1], found.x[-1], 2.0 * found.nfev)
