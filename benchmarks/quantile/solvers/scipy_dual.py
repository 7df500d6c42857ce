"""SciPy's `linprog` on the dual linear program."""

from benchmark_utils import Fit, Quantile

from benchmarks.objectives import pinball_optimum


class Solver(Quantile):
    """A row for each column of X instead of one for each sample, by HiGHS; what all are judged by."""

    name = "scipy-dual"
    requirements = ["scipy"]
    sampling_strategy = "run_once"

    def fit(self, _):
        return Fit(*pinball_optimum(self.X, self.y, self.quantile, self.alpha))
