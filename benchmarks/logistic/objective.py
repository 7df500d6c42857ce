"""Logistic regression, two classes and more: the objective that every solver here minimises."""

import numpy as np
from benchopt import BaseObjective
from sklearn.linear_model import LogisticRegression

from benchmarks.curves import once, scores
from benchmarks.problems import objective, optimum


class Objective(BaseObjective):
    """F(W, b) = 1/n Σ ℓ(yᵢ, xᵢ·W + b) + 1/(2·C·n) ‖W‖², the intercept b not penalised.

    ℓ is log(1 + exp(−y·raw)), y = ±1, for two classes and the negative logarithm of the softmax for more, with one
    column of W a class. With n samples and alpha = 1/(C·n), C is

    - scikit-learn's ``LogisticRegression(C=C)``, ``SGDClassifier(loss="log_loss", alpha=alpha)``;
    - glum's ``alpha``, cyanure's ``lambda_1``, skglm's ``L2(alpha)``, copt's ``alpha``;
    - dask-glm's ``lamduh=1/C`` and mlxtend's ``l2_lambda=1/C``, ``l2=1/C``, whose losses are sums.

    A result is told by its relative gap F / F* − 1; F* is that of Newton's method (`benchmarks.problems`), or without an
    intercept that of scikit-learn's.
    """

    name = "logistic"
    min_benchopt_version = "1.10"
    parameters = {"C": [1.0], "fit_intercept": [True]}
    requirements = ["pip::sklearn-gd"]
    test_dataset_name = "simulated"

    def skip(self, X, y, missing):
        return (True, missing) if X is None else (False, None)

    def set_data(self, X, y, missing):
        self.X, self.y = X, np.unique(y, return_inverse=True)[1]
        self.best = once(self._best, X, self.y, self.C, self.fit_intercept)

    def _best(self):
        if self.fit_intercept:
            coef, intercept, _, _ = optimum(self.X, self.y, self.C, "logistic")
        else:
            model = LogisticRegression(
                C=self.C, solver="newton-cholesky", tol=1e-12, max_iter=1000, fit_intercept=False
            ).fit(self.X, self.y)
            coef, intercept = model.coef_, 0.0
        return objective(self.X, self.y, coef, intercept, self.C, "logistic")

    def get_objective(self):
        return {"X": self.X, "y": self.y, "C": self.C, "fit_intercept": self.fit_intercept}

    def evaluate_result(self, coef, intercept, passes):
        with np.errstate(all="ignore"):
            value = objective(self.X, self.y, coef, intercept, self.C, "logistic")
        return scores(value, self.best, passes, self.X)

    def get_one_result(self):
        classes = int(self.y.max()) + 1
        shape = (self.X.shape[1],) if classes == 2 else (classes, self.X.shape[1])
        return {"coef": np.zeros(shape), "intercept": np.zeros(shape[:-1]), "passes": 0.0}
