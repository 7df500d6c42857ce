"""statsmodels' `QuantReg`."""

import statsmodels  # noqa: F401  where it is missing the solver is left out
from benchmark_utils import Fit, Quantile

from benchmarks.rivals import statsmodels_quantreg


class Solver(Quantile):
    """Reweighted least squares, without a penalty."""

    name = "statsmodels-QuantReg"
    requirements = ["pip::statsmodels"]

    def reason(self):
        return self.penalised() or self.sparse()

    def fit(self, n_iter):
        return Fit(*statsmodels_quantreg(self.X, self.y, self.quantile, tol=1e-14, max_iter=n_iter))
