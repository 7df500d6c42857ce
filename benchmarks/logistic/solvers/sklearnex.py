"""The Extension for scikit-learn (oneDAL) behind `LogisticRegression`."""

from benchmark_utils import Logistic
from sklearnex.linear_model import LogisticRegression


class Solver(Logistic):
    """Its own losses in L-BFGS; what oneDAL does not have it leaves to scikit-learn."""

    name = "sklearnex"
    requirements = ["pip::scikit-learn-intelex"]

    def fit(self, n_iter):
        model = LogisticRegression(
            C=self.C, solver="lbfgs", tol=1e-15, max_iter=n_iter, fit_intercept=self.fit_intercept
        )
        return self.estimated(model.fit(self.X, self.y))
