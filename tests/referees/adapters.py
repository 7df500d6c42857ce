"""scikit-learn's signatures in front of our estimators.

scikit-learn's own tests call ``LinearRegression(positive=True)``,
``Ridge(alpha=1.0, solver="lsqr")``, ``LogisticRegression(C=10)``. The classes here have
those names and parameters. What we offer, they map; what we do not offer, they skip, with
the reason. Fitting is done by the public estimator inside, so that nothing here depends
on how it is made; predictions and scores are inherited from it.
"""

import numbers

import numpy as np
import pytest

from sklearn_gd import (
    GDHuberRegression,
    GDLinearRegression,
    GDLogisticRegression,
    GDPoissonRegression,
    GDQuantileRegression,
)

# scikit-learn's tests compare solvers with each other: each becomes another of our methods, so that
# these tests compare our methods. That of newton-cg has no memory: a warm start continues such a
# run as if it had never stopped, and a test asks that of it.
METHODS = {
    "auto": {},
    "lbfgs": {},
    "sparse_cg": {},
    "newton-cg": {"learning_rate": "exact", "momentum": None, "preconditioner": "full"},
    "newton-cholesky": {"preconditioner": "full"},
    "svd": {"preconditioner": "full"},
    "cholesky": {"learning_rate": "lipschitz", "preconditioner": "full"},
    "lsqr": {"learning_rate": "exact", "momentum": "nesterov", "preconditioner": "diagonal"},
    "sag": {"learning_rate": "barzilai-borwein"},
    "saga": {"learning_rate": "lipschitz", "momentum": "nesterov"},
    "liblinear": {"preconditioner": "diagonal"},
}

# What closed forms and factorisations have instead of a tolerance. The run ends where the
# gradient is all rounding, and says "precision".
TO_THE_LAST_BIT = 1e-15
UNTIL_DONE = 100_000


# Tolerances have a unit of their own for each of their solvers, and so has ours, the relative size
# of the gradient. Where they compare digits they compare solvers with themselves; a fraction of
# their number makes up for the difference.
def _tolerance(tol):
    return max(1e-3 * tol, 1e-10)


def _iterations(max_iter, solver):
    """A hundred iterations mean "until it has converged"; a gradient step is less than a Newton step."""
    return 20_000 if METHODS[solver] and max_iter >= 100 else max_iter


def _fitted(estimator):
    return {k: v for k, v in vars(estimator).items() if k.endswith("_") and not k.startswith("_")}


def _delegate(adapter, inner, X, y, sample_weight):
    """Fit `inner` in the place of `adapter`: its past (warm starts), its callbacks, its results."""
    vars(inner).update(_fitted(adapter))
    if hasattr(adapter, "_skl_callbacks"):
        inner.set_callbacks(*adapter._skl_callbacks)
    inner.fit(X, y, sample_weight=sample_weight)
    vars(adapter).update(_fitted(inner))
    return adapter


class LinearRegression(GDLinearRegression):
    def __init__(self, *, fit_intercept=True, copy_X=True, tol=1e-6, n_jobs=None, positive=False):
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.tol = tol
        self.n_jobs = n_jobs
        self.positive = positive

    def fit(self, X, y, sample_weight=None):
        if self.positive:
            pytest.skip("no constraint on the sign of coefficients is offered")
        if not self.copy_X:
            pytest.skip("copy_X=False asks that X be overwritten: we neither copy nor change it")
        # Their tol is the cut-off of singular values, nothing that ends an iteration.
        inner = GDLinearRegression(fit_intercept=self.fit_intercept, tol=TO_THE_LAST_BIT, max_iter=UNTIL_DONE)
        return _delegate(self, inner, X, y, sample_weight)


class Ridge(GDLinearRegression):
    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        copy_X=True,
        max_iter=None,
        tol=1e-4,
        solver="auto",
        positive=False,
        random_state=None,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        if self.positive:
            pytest.skip("no constraint on the sign of coefficients is offered")
        if not isinstance(self.alpha, numbers.Real):
            pytest.skip("one penalty per target is not offered")
        # Ridge penalises a sum over samples, we a weighted mean.
        if sample_weight is None:
            total = np.shape(X)[0]
        elif isinstance(sample_weight, numbers.Real):
            total = sample_weight * np.shape(X)[0]
        else:
            total = np.sum(sample_weight)
        # Their tol is for the solvers that iterate.
        iterates = self.solver in ("sag", "saga")
        inner = GDLinearRegression(
            alpha=self.alpha / total,
            fit_intercept=self.fit_intercept,
            tol=self.tol if iterates else TO_THE_LAST_BIT,
            max_iter=UNTIL_DONE if self.max_iter is None else self.max_iter,
            random_state=self.random_state,
            **METHODS[self.solver],
        )
        _delegate(self, inner, X, y, sample_weight)
        self.solver_ = self.solver
        if self.coef_.shape[0] == 1 and self.coef_.ndim == 2:
            # Ridge's own exception for y of shape (n_samples, 1); LinearRegression has none.
            self.coef_ = self.coef_.ravel()
        return self


class LogisticRegression(GDLogisticRegression):
    def __init__(
        self,
        penalty="deprecated",
        *,
        C=1.0,
        l1_ratio=0.0,
        dual=False,
        tol=1e-4,
        fit_intercept=True,
        intercept_scaling=1,
        class_weight=None,
        random_state=None,
        solver="lbfgs",
        max_iter=100,
        verbose=0,
        warm_start=False,
        n_jobs=None,
    ):
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        # For liblinear, which penalises the intercept; ours never is, as if this were infinite.
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    def fit(self, X, y, sample_weight=None):
        if self.penalty not in ("deprecated", "l2"):
            pytest.skip("penalty is deprecated in favour of C and l1_ratio, and not offered")
        if self.l1_ratio != 0:
            pytest.skip("the L1 penalty and the elastic net are not offered yet")
        if self.dual:
            pytest.skip("the dual problem is not offered")
        inner = GDLogisticRegression(
            C=self.C,
            class_weight=self.class_weight,
            fit_intercept=self.fit_intercept,
            tol=_tolerance(self.tol),
            max_iter=_iterations(self.max_iter, self.solver),
            random_state=self.random_state,
            warm_start=self.warm_start,
            verbose=self.verbose,
            **METHODS[self.solver],
        )
        if hasattr(self, "n_iter_"):
            self.n_iter_ = int(self.n_iter_[0])
        _delegate(self, inner, X, y, sample_weight)
        # Theirs has always been an array, from the days of one run per class.
        self.n_iter_ = np.array([self.n_iter_], dtype=np.int32)
        return self


class PoissonRegressor(GDPoissonRegression):
    def __init__(
        self,
        *,
        alpha=1.0,
        fit_intercept=True,
        solver="lbfgs",
        max_iter=100,
        tol=1e-4,
        warm_start=False,
        verbose=0,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose

    def _get_loss(self, xp=None, device=None):
        """Their tests know the optimum from their own loss."""
        from sklearn._loss import HalfPoissonLoss

        return HalfPoissonLoss(xp=xp, device=device)

    def fit(self, X, y, sample_weight=None):
        inner = GDPoissonRegression(
            alpha=self.alpha,
            fit_intercept=self.fit_intercept,
            tol=1e-3 * self.tol,
            max_iter=_iterations(self.max_iter, self.solver),
            warm_start=self.warm_start,
            **METHODS[self.solver],
        )
        return _delegate(self, inner, X, y, sample_weight)


class HuberRegressor(GDHuberRegression):
    def __init__(self, *, epsilon=1.35, max_iter=100, alpha=0.0001, warm_start=False, fit_intercept=True, tol=1e-05):
        self.epsilon = epsilon
        self.max_iter = max_iter
        self.alpha = alpha
        self.warm_start = warm_start
        self.fit_intercept = fit_intercept
        self.tol = tol

    def fit(self, X, y, sample_weight=None):
        # Theirs is twice a sum over samples, with alpha rather than alpha/2 before the penalty; ours a weighted mean.
        total = np.shape(X)[0] if sample_weight is None else np.sum(sample_weight)
        inner = GDHuberRegression(
            epsilon=self.epsilon,
            alpha=self.alpha / total,
            max_iter=UNTIL_DONE if self.max_iter >= 100 else self.max_iter,
            warm_start=self.warm_start,
            fit_intercept=self.fit_intercept,
            tol=_tolerance(self.tol),
        )
        return _delegate(self, inner, X, y, sample_weight)


class QuantileRegressor(GDQuantileRegression):
    def __init__(self, *, quantile=0.5, alpha=1.0, fit_intercept=True, solver="highs", solver_options=None):
        self.quantile = quantile
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.solver_options = solver_options

    rearrange = False

    def fit(self, X, y, sample_weight=None):
        # A linear program ends at a vertex.
        inner = GDQuantileRegression(
            quantile=self.quantile, alpha=self.alpha, fit_intercept=self.fit_intercept, tol=1e-10
        )
        return _delegate(self, inner, X, y, sample_weight)
