"""mlxtend's `LinearRegression`, closed forms."""

from benchmark_utils import Fit, LeastSquares
from mlxtend.regressor import LinearRegression


class Solver(LeastSquares):
    """``inv(XᵀX)``, QR and the pseudo-inverse."""

    name = "mlxtend"
    parameters = {"method": ["direct", "qr", "svd"]}
    requirements = ["pip::mlxtend"]
    sampling_strategy = "run_once"

    def reason(self):
        no = "" if self.fit_intercept else "always fits an intercept"
        return self.penalised() or self.sparse() or no or ("" if self.method == "svd" else self.singular())

    def fit(self, _):
        model = LinearRegression(method=self.method).fit(self.X, self.y)
        return Fit(model.w_.ravel(), float(model.b_[0]))
