"""pyfixest's `quantreg`."""

import pyfixest as _installed  # noqa: F401  where it is missing the solver is left out
from benchmark_utils import Fit, Quantile

from benchmarks.rivals import pyfixest


class Solver(Quantile):
    """Interior points, and those on a part of the data; a formula, a data frame and a covariance come with them."""

    name = "pyfixest"
    parameters = {"method": ["fn", "pfn"]}
    requirements = ["pip::pyfixest"]
    sampling_strategy = "tolerance"

    def reason(self):
        return self.penalised() or self.sparse()

    def fit(self, tol):
        # below 1, it wants
        return Fit(*pyfixest(self.X, self.y, self.quantile, min(tol, 0.1), self.method))
