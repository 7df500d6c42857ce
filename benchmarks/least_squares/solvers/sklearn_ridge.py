"""scikit-learn's `Ridge`, closed forms."""

from benchmark_utils import LeastSquares
from sklearn.linear_model import Ridge


class Solver(LeastSquares):
    """The closed forms: the normal equation, and singular values."""

    name = "sklearn-Ridge"
    parameters = {"solver": ["cholesky", "svd"]}
    requirements = ["scikit-learn"]
    sampling_strategy = "run_once"

    def reason(self):
        return self.sparse() or ("" if self.solver == "svd" else self.singular())

    def fit(self, _):
        alpha = self.X.shape[0] * self.alpha
        return self.estimated(Ridge(alpha, solver=self.solver, fit_intercept=self.fit_intercept).fit(self.X, self.y))
