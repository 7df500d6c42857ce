"""skglm's L-BFGS on its compiled losses."""

import scipy.sparse
from benchmark_utils import LeastSquares
from skglm.datafits import Quadratic
from skglm.penalties import L2
from skglm.solvers import LBFGS
from skglm.utils.jit_compilation import compiled_clone


class Solver(LeastSquares):
    """Its one solver of smooth problems; without an intercept: the columns are centred, in its seconds."""

    name = "skglm"
    requirements = ["pip::skglm"]

    def reason(self):
        if self.fit_intercept and scipy.sparse.issparse(self.X):
            return "its solver of smooth problems has no intercept, and sparse columns cannot be centred"
        return ""

    def prepare(self):
        self.loss, self.penalty = compiled_clone(Quadratic()), compiled_clone(L2(self.alpha))

    def fit(self, n_iter):
        X, y, back = self.centred()
        return back(LBFGS(max_iter=n_iter, tol=0.0).solve(X, y, self.loss, self.penalty)[0])
