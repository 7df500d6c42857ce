"""scikit-learn's `LinearRegression`: SciPy's `lstsq` on centred columns."""

import numpy as np
from benchmark_utils import LeastSquares
from sklearn.linear_model import LinearRegression


class Solver(LeastSquares):
    """With NumPy's tolerance: since scikit-learn 1.9 the default drops singular values below 1e-6 of the largest."""

    name = "sklearn-LinearRegression"
    requirements = ["scikit-learn"]
    sampling_strategy = "run_once"

    def reason(self):
        return self.penalised() or self.sparse()

    def fit(self, _):
        tol = float(np.finfo(float).eps * max(self.X.shape))
        return self.estimated(LinearRegression(tol=tol, fit_intercept=self.fit_intercept).fit(self.X, self.y))
