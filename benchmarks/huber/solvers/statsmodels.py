"""statsmodels' `RLM`."""

import statsmodels  # noqa: F401  where it is missing the solver is left out
from benchmark_utils import Fit, Huber

from benchmarks.rivals import statsmodels_rlm


class Solver(Huber):
    """Reweighted least squares at a fixed scale, without a penalty: the scales that it estimates are of other objectives."""

    name = "statsmodels-RLM"
    requirements = ["pip::statsmodels"]
    test_config = {"objective": {"scale": "optimum"}}

    def reason(self):
        return self.fixed() or self.penalised() or self.sparse()

    def fit(self, n_iter):
        return Fit(*statsmodels_rlm(self.X, self.y, self.epsilon, self.scale, tol=1e-15, max_iter=n_iter))
