"""The Extension for scikit-learn (oneDAL): the normal equation behind scikit-learn's names."""

from benchmark_utils import LeastSquares
from sklearnex.linear_model import LinearRegression, Ridge


class Solver(LeastSquares):
    """`Ridge` with a penalty, `LinearRegression` without."""

    name = "sklearnex"
    requirements = ["pip::scikit-learn-intelex"]
    sampling_strategy = "run_once"

    def reason(self):
        return self.sparse() or self.singular()

    def fit(self, _):
        model = Ridge(self.X.shape[0] * self.alpha) if self.alpha else LinearRegression()
        return self.estimated(model.set_params(fit_intercept=self.fit_intercept).fit(self.X, self.y))
