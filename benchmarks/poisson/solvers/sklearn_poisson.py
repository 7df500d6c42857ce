"""scikit-learn's `PoissonRegressor`."""

from benchmark_utils import Fit, Poisson

from benchmarks.rivals import poisson_regressor


class Solver(Poisson):
    """Both solvers of it."""

    name = "sklearn-PoissonRegressor"
    parameters = {"solver": ["newton-cholesky", "lbfgs"]}
    requirements = ["scikit-learn"]

    def reason(self):
        size = self.X.shape[1]
        return f"a Hessian of {size}²" if self.solver == "newton-cholesky" and size > 4000 else ""

    def fit(self, n_iter):
        options = {"solver": self.solver, "tol": 1e-15, "max_iter": n_iter}
        return Fit(*poisson_regressor(self.X, self.y, self.alpha, sample_weight=self.sample_weight, **options))
