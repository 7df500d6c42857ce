"""dask-glm's algorithms for the logistic family, on NumPy arrays."""

import numpy as np
from benchmark_utils import Fit, Logistic
from dask_glm import algorithms
from dask_glm.families import Logistic as Family


class Solver(Logistic):
    """Its penalties take the intercept in, a column of ones."""

    name = "dask-glm"
    parameters = {"solver": ["lbfgs", "proximal_grad", "admm", "gradient_descent", "newton"]}
    requirements = ["pip::dask-glm"]
    test_config = {"objective": {"fit_intercept": False}}

    def reason(self):
        ignores = self.solver in {"gradient_descent", "newton"}
        penalised = self.penalised() if ignores else self.intercept() if np.isfinite(self.C) else ""
        return self.sparse() or self.binary() or penalised

    def fit(self, n_iter):
        X = np.column_stack([self.X, np.ones(len(self.X))]) if self.fit_intercept else self.X
        options = {"max_iter": n_iter, "family": Family, "normalize": False}
        if self.solver == "admm":
            options |= {"abstol": 0.0, "reltol": 0.0}
        else:
            options["tol"] = 0.0
        if self.solver not in {"gradient_descent", "newton"}:
            options |= {"regularizer": "l2", "lamduh": 1 / self.C}
        coef = np.asarray(getattr(algorithms, self.solver)(X, self.y, **options)).ravel()
        return Fit(coef[:-1], coef[-1]) if self.fit_intercept else Fit(coef, 0.0)
