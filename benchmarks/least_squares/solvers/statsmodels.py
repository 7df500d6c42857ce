"""statsmodels' `OLS`."""

from benchmark_utils import Fit, LeastSquares
from statsmodels.api import OLS, add_constant


class Solver(LeastSquares):
    """The pseudo-inverse, its default, and QR."""

    name = "statsmodels-OLS"
    parameters = {"method": ["pinv", "qr"]}
    requirements = ["pip::statsmodels"]
    sampling_strategy = "run_once"

    def reason(self):
        return self.penalised() or self.sparse() or ("" if self.method == "pinv" else self.singular())

    def fit(self, _):
        X = add_constant(self.X, has_constant="add") if self.fit_intercept else self.X
        params = OLS(self.y, X).fit(method=self.method).params
        return Fit(params[1:], params[0]) if self.fit_intercept else Fit(params, 0.0)
