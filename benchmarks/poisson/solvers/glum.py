"""glum's `GeneralizedLinearRegressor` of the Poisson family."""

import glum as _installed  # noqa: F401  where it is missing the solver is left out
from benchmark_utils import Fit, Poisson

from benchmarks.rivals import glum


class Solver(Poisson):
    """Reweighted least squares and L-BFGS."""

    name = "glum"
    parameters = {"solver": ["irls-ls", "lbfgs"]}
    requirements = ["pip::glum"]

    def fit(self, n_iter):
        options = {"solver": self.solver, "tol": 1e-14, "max_iter": n_iter}
        return Fit(*glum(self.X, self.y, self.alpha, sample_weight=self.sample_weight, **options))
