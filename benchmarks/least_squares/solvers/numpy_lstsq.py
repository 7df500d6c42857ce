"""NumPy's `lstsq`: singular values, no normal equation."""

import numpy as np
from benchmark_utils import Fit, LeastSquares


class Solver(LeastSquares):
    """On ``[X, 1]``; with a penalty there are rows to add, a second copy of X, and `Ridge` is what one uses."""

    name = "numpy-lstsq"
    requirements = ["numpy"]
    sampling_strategy = "run_once"

    def reason(self):
        return self.penalised() or self.sparse()

    def fit(self, _):
        X = self.X
        if not self.fit_intercept:
            return Fit(np.linalg.lstsq(X, self.y, rcond=None)[0], 0.0)
        coef = np.linalg.lstsq(np.hstack([X, np.ones((len(X), 1))]), self.y, rcond=None)[0]
        return Fit(coef[:-1], coef[-1])
