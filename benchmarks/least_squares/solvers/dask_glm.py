"""dask-glm's algorithms for the normal family, on NumPy arrays."""

import numpy as np
from benchmark_utils import LeastSquares
from dask_glm import algorithms
from dask_glm.families import Normal


class Solver(LeastSquares):
    """Its penalties take the intercept in: the columns are centred, in its seconds."""

    name = "dask-glm"
    parameters = {"solver": ["lbfgs", "proximal_grad", "admm", "gradient_descent", "newton"]}
    requirements = ["pip::dask-glm"]

    def reason(self):
        ignores = self.alpha and self.solver in {"gradient_descent", "newton"}
        return self.sparse() or (self.penalised() if ignores else "")

    def fit(self, n_iter):
        X, y, back = self.centred()
        options = {"max_iter": n_iter, "family": Normal, "normalize": False}
        if self.solver == "admm":
            options |= {"abstol": 0.0, "reltol": 0.0}
        else:
            options["tol"] = 0.0
        if self.solver not in {"gradient_descent", "newton"}:
            options |= {"regularizer": "l2", "lamduh": 2 * len(y) * self.alpha}
        return back(np.asarray(getattr(algorithms, self.solver)(X, y, **options)).ravel())
