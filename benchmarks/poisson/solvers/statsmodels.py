"""statsmodels' `GLM` of the Poisson family."""

import statsmodels  # noqa: F401  where it is missing the solver is left out
from benchmark_utils import Fit, Poisson

from benchmarks.rivals import statsmodels_glm


class Solver(Poisson):
    """Reweighted least squares, without a penalty."""

    name = "statsmodels-GLM"
    requirements = ["pip::statsmodels"]
    test_config = {"objective": {"alpha": 0.0}}

    def reason(self):
        return self.penalised() or self.sparse()

    def fit(self, n_iter):
        return Fit(*statsmodels_glm(self.X, self.y, 0.0, self.sample_weight, max_iter=n_iter))
