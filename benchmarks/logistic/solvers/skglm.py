"""skglm's L-BFGS on its compiled losses."""

from benchmark_utils import Fit, Logistic
from skglm.datafits import Logistic as Loss
from skglm.penalties import L2
from skglm.solvers import LBFGS
from skglm.utils.jit_compilation import compiled_clone


class Solver(Logistic):
    """Its one solver of smooth problems; it has no intercept."""

    name = "skglm"
    requirements = ["pip::skglm"]
    test_config = {"objective": {"fit_intercept": False}}

    def reason(self):
        return self.binary() or self.intercept()

    def prepare(self):
        self.loss, self.penalty = compiled_clone(Loss()), compiled_clone(L2(self.alpha))
        self.sign = 2.0 * self.y - 1

    def fit(self, n_iter):
        return Fit(LBFGS(max_iter=n_iter, tol=0.0).solve(self.X, self.sign, self.loss, self.penalty)[0], 0.0)
