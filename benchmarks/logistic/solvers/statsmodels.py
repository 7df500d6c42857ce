"""statsmodels' `Logit` and `MNLogit`."""

import numpy as np
from benchmark_utils import Fit, Logistic
from statsmodels.api import Logit, MNLogit, add_constant


class Solver(Logistic):
    """Newton's method, its default, without a penalty; of several classes the first has no coefficients."""

    name = "statsmodels"
    requirements = ["pip::statsmodels"]
    test_config = {"objective": {"C": 1e999}}  # infinite, as a literal: read off the source where the import fails

    def reason(self):
        return self.penalised() or self.sparse()

    def fit(self, n_iter):
        X = add_constant(self.X, prepend=False, has_constant="add") if self.fit_intercept else self.X
        model = Logit if self.n_classes == 2 else MNLogit
        found = model(self.y, X).fit(maxiter=n_iter, tol=0.0, disp=0, warn_convergence=False, skip_hessian=True)
        params = np.asarray(found.params)
        if self.n_classes > 2:
            params = np.column_stack([np.zeros(len(params)), params])
        coef, intercept = (params[:-1], params[-1]) if self.fit_intercept else (params, np.zeros(params.shape[1:]))
        return Fit(coef.T, intercept)
