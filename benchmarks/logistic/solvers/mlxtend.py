"""mlxtend's `LogisticRegression` and `SoftmaxRegression`: full-batch gradient descent."""

import numpy as np
from benchmark_utils import Fit, Logistic
from mlxtend.classifier import LogisticRegression, SoftmaxRegression


class Solver(Logistic):
    """Its gradients are sums: the rate is 1/L of the sum, known beforehand and not timed."""

    name = "mlxtend-gd"
    requirements = ["pip::mlxtend"]

    def reason(self):
        return self.sparse() or ("" if self.fit_intercept else "always fits an intercept")

    def prepare(self):
        squared = np.linalg.norm(np.column_stack([self.X, np.ones(len(self.X))]), 2) ** 2
        self.eta = 1 / ((0.25 if self.n_classes == 2 else 0.5) * squared + 1 / self.C)

    def fit(self, n_iter):
        options = {"eta": self.eta, "epochs": n_iter, "minibatches": 1, "random_seed": 0}
        if self.n_classes == 2:
            model = LogisticRegression(l2_lambda=1 / self.C, **options).fit(self.X, self.y)
            coef, intercept = model.w_.ravel(), float(model.b_[0])
        else:
            model = SoftmaxRegression(l2=1 / self.C, **options).fit(self.X, self.y)
            coef, intercept = model.w_.T, model.b_
        # Forward and back, and once more for the cost that it keeps.
        return Fit(coef, intercept, 3.0 * n_iter)
