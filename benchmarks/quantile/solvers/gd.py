"""Gradient descent at its default, and with the full preconditioner."""

from benchmark_utils import Quantile


class Solver(Quantile):
    """Fits as users call it: at a tolerance. Passes as `history_` has them."""

    name = "GD"
    parameters = {"preconditioner": ["auto", "full"]}
    requirements = ["pip::sklearn-gd"]
    sampling_strategy = "tolerance"

    def fit(self, tol):
        return self.descended(tol=tol, max_iter=20_000, preconditioner=self.preconditioner)
