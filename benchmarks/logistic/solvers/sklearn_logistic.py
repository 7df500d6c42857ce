"""scikit-learn's `LogisticRegression`."""

import numpy as np
from benchmark_utils import Logistic
from sklearn.linear_model import LogisticRegression


class Solver(Logistic):
    """Every solver of it; an epoch of sag and saga is a pass, the others tell their outer iterations only."""

    name = "sklearn-LogisticRegression"
    parameters = {"solver": ["lbfgs", "newton-cholesky", "newton-cg", "sag", "saga", "liblinear"]}
    requirements = ["scikit-learn"]

    def reason(self):
        if self.solver == "liblinear":
            return self.intercept() or self.binary() or ("" if np.isfinite(self.C) else "needs a finite C")
        size = self.X.shape[1] * (1 if self.n_classes == 2 else self.n_classes)
        return f"a Hessian of {size}²" if self.solver == "newton-cholesky" and size > 4000 else ""

    def fit(self, n_iter):
        model = LogisticRegression(
            C=self.C,
            solver=self.solver,
            tol=1e-15,
            max_iter=n_iter,
            fit_intercept=self.fit_intercept,
            random_state=0,
        )
        return self.estimated(
            model.fit(self.X, self.y), float(np.max(model.n_iter_)) if self.solver in {"sag", "saga"} else np.nan
        )
