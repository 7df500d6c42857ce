"""Cyanure's `LogisticRegression`: variance-reduced stochastic gradients with quasi-Newton acceleration."""

import logging

import numpy as np
from benchmark_utils import Logistic
from cyanure.estimators import LogisticRegression


class Solver(Logistic):
    """Its iterations are passes."""

    name = "cyanure"
    requirements = ["pip::cyanure"]

    def prepare(self):
        logging.getLogger("Cyanure").setLevel(logging.WARNING)

    def fit(self, n_iter):
        model = LogisticRegression(
            lambda_1=self.alpha,
            fit_intercept=self.fit_intercept,
            tol=1e-14,
            max_iter=n_iter,
            duality_gap_interval=max(1, min(10, n_iter)),
            multi_class="auto" if self.n_classes == 2 else "multinomial",
            verbose=False,
        ).fit(self.X, self.y)
        if self.n_classes > 2:
            model.coef_ = model.coef_.T  # classes in its columns
        return self.estimated(model, float(np.max(model.n_iter_)))
