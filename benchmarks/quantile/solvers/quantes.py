"""quantes: conquer, the smoothed loss by Barzilai-Borwein steps."""

import quantes.linear  # noqa: F401  where it, or cvxopt, is missing the solver is left out
from benchmark_utils import Fit, Quantile

from benchmarks.rivals import quantes as conquer


class Solver(Quantile):
    """The width is the square root of the tolerance; without a penalty."""

    name = "quantes"
    requirements = ["pip::quantes", "pip::cvxopt"]
    sampling_strategy = "tolerance"

    def reason(self):
        return self.penalised() or self.sparse()

    def fit(self, tol):
        return Fit(*conquer(self.X, self.y, self.quantile, tol))
