"""Gradient descent at its default, and with each preconditioner."""

from benchmark_utils import Huber


class Solver(Huber):
    """Fits as users call it: at a tolerance. Passes as `history_` has them."""

    name = "GD"
    parameters = {"preconditioner": ["auto", "diagonal", "full", "nystrom"]}
    requirements = ["pip::sklearn-gd"]
    sampling_strategy = "tolerance"

    def fit(self, tol):
        return self.descended(tol=tol, max_iter=20_000, preconditioner=self.preconditioner)
