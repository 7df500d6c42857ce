"""scikit-learn's `SGDRegressor`."""

from benchmark_utils import LeastSquares
from sklearn.linear_model import SGDRegressor


class Solver(LeastSquares):
    """Single samples at a time; an epoch is a pass."""

    name = "sklearn-SGDRegressor"
    parameters = {"schedule": ["invscaling", "adaptive"]}
    requirements = ["scikit-learn"]

    def fit(self, n_iter):
        model = SGDRegressor(
            alpha=self.alpha,
            penalty="l2" if self.alpha else None,
            learning_rate=self.schedule,
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
