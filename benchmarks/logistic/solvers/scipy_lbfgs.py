"""SciPy's L-BFGS on the objective itself."""

import numpy as np
from benchmark_utils import Fit, Logistic
from scipy.optimize import minimize
from scipy.special import expit, logsumexp


class Solver(Logistic):
    """Two reads of X an evaluation."""

    name = "scipy-lbfgs"
    requirements = ["scipy"]

    def prepare(self):
        self.hot = self.y[:, None] if self.n_classes == 2 else np.eye(self.n_classes)[self.y]

    def loss(self, raw):
        """The sum of the losses, and the residuals."""
        if self.n_classes == 2:
            return np.logaddexp(0.0, (1 - 2 * self.hot) * raw).sum(), expit(raw) - self.hot
        normaliser = logsumexp(raw, axis=1, keepdims=True)
        return (normaliser.sum() - (raw * self.hot).sum()), np.exp(raw - normaliser) - self.hot

    def fit(self, n_iter):
        X, (n_samples, n_features) = self.X, self.X.shape
        shape = (n_features + 1, self.hot.shape[1])

        def function(theta):
            coef, intercept = theta.reshape(shape)[:-1], theta.reshape(shape)[-1]
            value, residual = self.loss(X @ coef + intercept)
            gradient = np.zeros(shape)
            gradient[:-1] = X.T @ residual / n_samples + self.alpha * coef
            gradient[-1] = residual.mean(axis=0) if self.fit_intercept else 0.0
            return value / n_samples + 0.5 * self.alpha * np.sum(coef**2), gradient.ravel()

        options = {"maxiter": n_iter, "maxfun": 100 * n_iter, "ftol": 0.0, "gtol": 0.0}
        found = minimize(function, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options=options)
        theta = found.x.reshape(shape)
        coef, intercept = (theta[:-1, 0], theta[-1, 0]) if self.n_classes == 2 else (theta[:-1].T, theta[-1])
        return Fit(coef, intercept, 2.0 * found.nfev)
