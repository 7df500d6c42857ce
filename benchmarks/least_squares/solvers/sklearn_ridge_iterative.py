"""scikit-learn's `Ridge`, iterative solvers."""

import numpy as np
from benchmark_utils import LeastSquares
from sklearn.linear_model import Ridge

#: Reads of X in an iteration; `sparse_cg` does not tell its iterations.
READS = {"lsqr": 2, "sag": 1, "saga": 1}


class Solver(LeastSquares):
    """Krylov methods on centred columns, and stochastic average gradients."""

    name = "sklearn-Ridge-iterative"
    parameters = {"solver": ["lsqr", "sparse_cg", "sag", "saga"]}
    requirements = ["scikit-learn"]

    def reason(self):
        return self.sparse() if self.solver == "saga" and self.fit_intercept else ""

    def fit(self, n_iter):
        model = Ridge(
            self.X.shape[0] * self.alpha,
            solver=self.solver,
            tol=0.0,
            max_iter=n_iter,
            fit_intercept=self.fit_intercept,
            random_state=0,
        ).fit(self.X, self.y)
        iterations = np.nan if model.n_iter_ is None else np.max(model.n_iter_)
        return self.estimated(model, READS.get(self.solver, np.nan) * iterations)
