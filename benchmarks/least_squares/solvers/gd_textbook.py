"""Gradient descent as textbooks write it: one number for all iterations."""

from benchmark_utils import Fit, LeastSquares

from sklearn_gd import GDLinearRegression

#: What a number as the learning rate does with the columns. The penalty stays on the user's coefficients.
METRIC = {"raw": None, "standardised": "diagonal"}


class Solver(LeastSquares):
    """w ← w − ∇F(w)/L; that L is known beforehand is a gift, and not timed."""

    name = "GD-textbook"
    parameters = {"columns": ["raw", "standardised"]}
    requirements = ["pip::sklearn-gd"]

    def model(self, rate, n_iter):
        return GDLinearRegression(
            alpha=self.alpha,
            learning_rate=rate,
            preconditioner=METRIC[self.columns],
            tol=0.0,
            max_iter=n_iter,
            fit_intercept=self.fit_intercept,
        ).fit(self.X, self.y)

    def prepare(self):
        self.rate = self.model("lipschitz", 1).history_["learning_rate"][1]

    def fit(self, n_iter):
        model = self.model(self.rate, n_iter)
        return Fit(model.coef_, model.intercept_, model.history_["passes"][-1])
