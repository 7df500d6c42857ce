"""scikit-learn's `SGDClassifier`."""

import numpy as np
from benchmark_utils import Logistic
from sklearn.linear_model import SGDClassifier


class Solver(Logistic):
    """Single samples at a time; an epoch is a pass."""

    name = "sklearn-SGDClassifier"
    parameters = {"schedule": ["optimal", "adaptive"]}
    requirements = ["scikit-learn"]

    def reason(self):
        if self.schedule == "optimal" and not np.isfinite(self.C):
            return "its schedule divides by the penalty"
        return self.binary()  # more classes one against the rest

    def fit(self, n_iter):
        model = SGDClassifier(
            loss="log_loss",
            alpha=self.alpha,
            penalty="l2" if self.alpha else None,
            learning_rate=self.schedule,
            eta0=0.01,
            max_iter=n_iter,
            tol=1e-8 if self.schedule == "adaptive" else None,  # "adaptive" divides its rate where less is gained
            n_iter_no_change=5,
            fit_intercept=self.fit_intercept,
            random_state=0,
        )
        try:
            model.fit(self.X, self.y)
        except ValueError:  # it found numbers that are not finite
            return self.nothing()
        return self.estimated(model, float(model.n_iter_))
