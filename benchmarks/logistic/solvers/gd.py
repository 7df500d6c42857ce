"""Gradient descent at its default, and with each preconditioner."""

from benchmark_utils import Fit, Logistic

from sklearn_gd import GDLogisticRegression


class Solver(Logistic):
    """Fits as users call it: at a tolerance. Passes as `history_` has them."""

    name = "GD"
    parameters = {"preconditioner": ["auto", "diagonal", "full", "nystrom"]}
    requirements = ["pip::sklearn-gd"]
    sampling_strategy = "tolerance"

    def fit(self, tol):
        model = GDLogisticRegression(
            C=self.C,
            tol=tol,
            max_iter=20_000,
            preconditioner=self.preconditioner,
            fit_intercept=self.fit_intercept,
        ).fit(self.X, self.y)
        return Fit(model.coef_, model.intercept_, model.history_["passes"][-1])
