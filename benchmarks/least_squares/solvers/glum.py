"""glum's `GeneralizedLinearRegressor` of the normal family."""

from benchmark_utils import LeastSquares
from glum import GeneralizedLinearRegressor


class Solver(LeastSquares):
    """Reweighted least squares, which is the normal equation here, and L-BFGS."""

    name = "glum"
    parameters = {"solver": ["irls-ls", "lbfgs"]}
    requirements = ["pip::glum"]

    def fit(self, n_iter):
        model = GeneralizedLinearRegressor(
            family="normal",
            alpha=self.alpha,
            l1_ratio=0,
            solver=self.solver,
            gradient_tol=1e-14,
            max_iter=n_iter,
            fit_intercept=self.fit_intercept,
        )
        return self.estimated(model.fit(self.X, self.y))
