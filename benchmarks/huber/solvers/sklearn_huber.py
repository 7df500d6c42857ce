"""scikit-learn's `HuberRegressor`."""

from benchmark_utils import Fit, Huber

from benchmarks.rivals import huber_regressor


class Solver(Huber):
    """L-BFGS in the coefficients, the intercept and the scale."""

    name = "sklearn-HuberRegressor"
    requirements = ["scikit-learn"]

    def reason(self):
        return self.joint()

    def fit(self, n_iter):
        return Fit(*huber_regressor(self.X, self.y, self.alpha, self.epsilon, tol=1e-15, max_iter=n_iter))
