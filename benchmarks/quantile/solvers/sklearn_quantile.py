"""scikit-learn's `QuantileRegressor`."""

from benchmark_utils import Fit, Quantile

from benchmarks.rivals import highs


class Solver(Quantile):
    """A linear program with a row for each sample, by HiGHS."""

    name = "sklearn-QuantileRegressor"
    requirements = ["scikit-learn"]
    sampling_strategy = "run_once"

    def fit(self, _):
        return Fit(*highs(self.X, self.y, self.quantile, self.alpha))
