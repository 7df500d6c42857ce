"""Huber regression: squared error near the line, absolute error far from it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from . import messages
from ._checks import check_number
from .arrays import is_elsewhere, mean, on_host, total
from .base import Target, lazy_on_dask, warn
from .descent import Run
from .files import loaded
from .losses import Huber
from .plan import Problem, ScaleRounds
from .plan.rounds import ABOUT, best_scale, clipped_squares
from .preconditioners import EPS
from .protocols import Array, Momentum, StepRule
from .regressors import Regressor, average, constant_of
from .steps import PlaneSearch, rule_for
from .workers import is_dask

__all__ = ["GDHuberRegression"]


class GDHuberRegression(Regressor):
    """Regression that outliers do not move, with Huber's loss, by batch gradient descent.

    Minimises the loss of errors in units of their scale σ, which is estimated with the coefficients [1]_ [2]_, plus a penalty if one is
    asked for:

        F(w, b, σ) = 1/S · Σᵢ sᵢ (σ/2 + σ h((yᵢ − xᵢ·w − b)/σ)) + alpha/2 ‖w‖²,    S = Σᵢ sᵢ,

        h(z) = z²/2 where abs(z) ≤ epsilon,    epsilon abs(z) − epsilon²/2 beyond,

    with sᵢ the sample weights: squared error near the line, absolute error far from it. The optimum is that of scikit-learn's
    ``HuberRegressor(epsilon=epsilon, alpha=S * alpha)``. By default there is nothing to tune.

    Parameters
    ----------
    epsilon : float, default=1.35
        From which error on, in units of the scale, a sample counts as an outlier: at least 1, with ``scale="joint"``; greater than 0
        with a number. With 1.35 normal errors cost 5 % of the efficiency of least squares.

    scale : "joint" or float, default="joint"
        ``"joint"``: σ is estimated with the coefficients. A number greater than 0, in units of y: σ is that, and the loss Huber's own,
        ½ r² up to the threshold t = epsilon·scale and t (abs(r) − t/2) beyond, whose curvature is 1.

    alpha : float, default=0.0
        Strength of the L2 penalty, at least 0. The loss is a mean: see above.

    learning_rate : float, str, callable or rule, default="auto"
        As in `GDLinearRegression`. With ``"auto"`` steps are Newton's.

    momentum : {"auto", "nesterov"}, float, momentum object or None, default="auto"
        As in `GDLinearRegression`.

    preconditioner : {"auto", "diagonal", "full", "nystrom"} or None, default="auto"
        As in `GDLinearRegression`.

    fit_intercept : bool, default=True
        Whether to add an intercept, which is not penalised.

    max_iter : int, default=1000
        Iterations at the most, over all scales, at least 0.

    tol : float, default=1e-6
        When the gradient counts as zero, at least 0, and when the scale does not change any more; see Notes.

    batch_size : int or None, default=None
        As in `GDLinearRegression`.

    init : {"zeros", "random"}, array-like or tuple, default="zeros"
        As in `GDLinearRegression`. With ``learning_rate="auto"`` a fit begins at the best constant prediction where that is better.

    random_state : int, RandomState instance or None, default=None
        Of ``init="random"`` and `batch_size`.

    warm_start : bool, default=False
        Whether to start from the coefficients of the last fit rather than from `init`.

    on_divergence : {"warn", "raise"}, default="warn"
        As in `GDLinearRegression`.

    verbose : int, default=0
        As in `GDLinearRegression`.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients.

    intercept_ : float
        The intercept; 0 with ``fit_intercept=False``.

    scale_ : float
        σ, in units of y.

    outliers_ : ndarray of bool of shape (n_samples,)
        The samples of the fit whose error is greater than ``epsilon * scale_``. Not there after a fit on Dask collections, whose rows are not on this
        machine: ``abs(y - model.predict(X)) > model.epsilon * model.scale_`` is the same.

    n_iter_ : int
        Steps taken, over all scales.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`; defined only where X has feature names that are all strings.

    loss_curve_ : list of float
        The objective at the start and after each iteration, with the scale that was held there.

    history_ : dict of str to list of float
        As in `GDLinearRegression`.

    preconditioner_ : {"diagonal", "full", "nystrom"} or None
        The metric at the end.

    stages_ : list of dict
        As in `GDLinearRegression`; what came after the first scale is a stage of its own.

    stop_reason_ : {"gradient", "precision", "max_iter", "diverged", "callback"}
        As in `GDLinearRegression`.

    See Also
    --------
    GDLinearRegression : Least squares.
    sklearn.linear_model.HuberRegressor : The same objective, by L-BFGS.

    Notes
    -----
    **The scale.** F is convex in all of w, b and σ. With σ held the coefficients descend until the gradient is within `tol`; then σ is
    renewed, and the descent goes on from where it is, until σ changes by no more than `tol` of itself. A rule that the user has chosen
    does the same: with ``learning_rate=0.1`` the iterates up to the first renewal are the textbook's with the first σ, which is that
    of the best constant prediction (``max_iter=1`` shows it in ``scale_``); a smaller σ has a larger curvature, 1/σ times that of squared
    error, and allows smaller learning rates. A schedule begins anew with each σ. With a number as `scale` and a learning rate of the user's all iterates are the textbook's.

    **The end of a fit.** The criterion of `GDLinearRegression` with c = 1/σ (1 with a number as `scale`), and with the smaller one of F
    and σ (of F and σ²) in the place of F: where a few outliers make up most of the loss, they do not decide when the others are fitted well.

    **No scale.** Where more than 1 − 1/epsilon² of the samples (45 % of them by default) can be fitted exactly, the best σ is 0, and the
    optimum that of absolute errors. A fit ends at a σ of 1e-6 of the scale of the target then, and says so in a `ConvergenceWarning`, but
    where nothing is left to explain.

    References
    ----------
    .. [1] P. Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35, 1964,
       doi:10.1214/aoms/1177703732.
    .. [2] A. Owen, "A robust hybrid of lasso and ridge regression", Contemporary Mathematics 443, 2007,
       doi:10.1090/conm/443/08555.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gd import GDHuberRegression, GDLinearRegression
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 1))
    >>> y = 3 * X[:, 0] + rng.normal(scale=0.5, size=200)
    >>> y[X[:, 0] > 1.2] -= 20  # a sensor that fails where X is large
    >>> GDLinearRegression().fit(X, y).coef_.round(1)
    array([-1.2])
    >>> model = GDHuberRegression().fit(X, y)
    >>> model.coef_.round(1)
    array([2.7])
    >>> int(model.outliers_[X[:, 0] > 1.2].sum())
    25
    """

    _in_rounds = True

    def __init__(
        self,
        *,
        epsilon: float = 1.35,
        scale: str | float = "joint",
        alpha: float = 0.0,
        learning_rate: str | float | Callable[[int], float] | StepRule = "auto",
        momentum: str | float | Momentum | None = "auto",
        preconditioner: str | None = "auto",
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-6,
        batch_size: int | None = None,
        init: str | ArrayLike | tuple[ArrayLike, ArrayLike] = "zeros",
        random_state: int | np.random.RandomState | None = None,
        warm_start: bool = False,
        on_divergence: str = "warn",
        verbose: int = 0,
    ) -> None:
        super().__init__(
            alpha=alpha,
            learning_rate=learning_rate,
            momentum=momentum,
            preconditioner=preconditioner,
            fit_intercept=fit_intercept,
            max_iter=max_iter,
            tol=tol,
            batch_size=batch_size,
            init=init,
            random_state=random_state,
            warm_start=warm_start,
            on_divergence=on_divergence,
            verbose=verbose,
        )
        self.epsilon = epsilon
        self.scale = scale

    def _check_own_parameters(self) -> None:
        super()._check_own_parameters()
        joint = isinstance(self.scale, str)
        if joint and self.scale != "joint":
            raise ValueError(f"scale must be 'joint' or a number greater than 0, got {self.scale!r}.")
        # with 1 or less no scale makes residuals beyond the threshold count as much as they should
        check_number("epsilon", self.epsilon, 1 if joint else 0, left=joint, right=False)
        if not joint:
            check_number("scale", self.scale, 0, left=False, right=False)

    def _target(self, y: Array, weight: Array | None, X: Any) -> Target:
        y, weight = self._numbers(y, weight, X)
        epsilon, fixed = float(self.epsilon), None if isinstance(self.scale, str) else float(self.scale)
        level, best, least = location_and_scale(y, weight, epsilon, bool(self.fit_intercept))
        if not self.alpha and not is_dask(X) and X.shape[0] < FEW_ROWS * (X.shape[1] + 1):
            best = max(best, 2 * float(np.abs(on_host(y) - level).max()) / epsilon)
        if self.warm_start and hasattr(self, "coef_"):
            best = min(best, max(self.scale_, LARGE * best))
        if fixed is None:
            loss, scale = Huber(), best
        else:
            # a rule of the user's has the loss as it is from the first iteration on
            loss, scale = Huber(), best if isinstance(rule_for(self.learning_rate), PlaneSearch) else fixed
        rounds = ScaleRounds(loss, epsilon, scale, fixed, least, float(self.tol))
        constant = constant_of(loss, y, weight, level)
        return loss, y, weight, float(self.alpha), constant, None, {}, rounds

    def _fit(self, X: Any, y: Any, sample_weight: Any, *args: Any, **given: Any) -> tuple[Problem, Run]:
        self.__dict__.pop("outliers_", None)
        problem, run = super()._fit(X, y, sample_weight, *args, **given)
        if problem.design.where != "workers":
            threshold = self.epsilon * self.scale_
            raw: Any = run.base.known().raw
            self.outliers_ = on_host(abs(problem.y - raw) > threshold)
            if sample_weight is not None:
                target = loaded(y)
                target = np.asarray(on_host(target) if is_elsewhere(target) else target, dtype=np.float64).ravel()
                if len(target) > len(raw):  # rows without a weight were no part of the fit
                    self.outliers_ = np.abs(target - on_host(self.predict(X))) > threshold
        return problem, run

    def _report(self, problem: Problem, run: Run, rule: StepRule) -> None:
        super()._report(problem, run, rule)
        rounds: Any = problem.rounds
        # residuals that are rounding errors are the best that there is
        if (
            rounds.vanishes
            and run.reason in ("gradient", "precision")
            and run.base.value > EXPLAINED * run.stopping.null_loss
        ):
            warn(messages.no_scale(self.epsilon, rounds.scale), ConvergenceWarning)

    def _results(self, run: Run, problem: Problem) -> dict[str, Any]:
        rounds: Any = problem.rounds
        return {**super()._results(run, problem), "scale_": rounds.scale}

    @lazy_on_dask
    def predict(self, X: Any) -> Array:
        """Predict the target.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Predictions, where X is: of Dask collections computed block by block, when they are asked for.
        """
        return self._raw(X, "predict")


# How far in units of the scale the first location may be from the best one: a fit begins there, and its criterion is relative to the loss there.
NEAR = 1e-3
# The first scale in units of the mean absolute residual, at the least. Where many targets are equal, or nearly, the best scale of a constant
# prediction is 0, or nearly: a loss with a kink is a bad beginning.
LARGE = 1e-2
# The scale below which there is none, in units of the best scale of a constant prediction: rounding errors of residuals, with room.
LEAST = 1e-6
# The part of the mean absolute residual that no outlier leaves of the scale of the others.
NONE = 1e-30
# Rows a coefficient, of fewer of which the first loss is squared error where there is no penalty: at others too few may have a second derivative for a direction.
FEW_ROWS = 2
# The part of the loss of the best constant prediction that is as good as none: what the least scale itself adds, with room.
EXPLAINED = 2e-6


def location_and_scale(y: Any, weight: Any, epsilon: float, located: bool) -> tuple[float, float, float]:
    """Where a fit begins: about the best constant prediction by Huber's loss, 0 unless `located`, and the scale that goes with it.

    Returns
    -------
    level, scale, least : float
        `least` is where a scale is as good as 0.
    """

    def averages(of: Callable[..., Any], *which: int) -> list[float]:
        if is_dask(y):
            return [average(functools.partial(part_of, of, k, level), y, weight) for k in which]
        parts = of(y, level)
        if isinstance(y, np.ndarray):
            return [total(parts[k], weight) / weight_sum for k in which]
        return [float(mean(parts[k], weight)) for k in which]

    def clipped(scale: float) -> tuple[float, float]:
        whole, within = averages(functools.partial(clipped_squares, scale, epsilon), 0, 1)
        return whole, within

    weight_sum = total(weight) if isinstance(weight, np.ndarray) else len(y)
    level = 0.0
    if located:  # the median is not moved by outliers; to find that of a collection takes more than a pass
        level = average(lambda part: part, y, weight) if is_dask(y) else median(on_host(y), weight)
    size = average(lambda part: abs(part - level), y, weight)
    if not size > EPS * abs(level):
        size = abs(level) or 1.0
        return level, size, LEAST * size
    scale = size
    for _ in range(20):
        scale = best_scale(scale, epsilon, clipped, ABOUT)
        if not scale > max(EPS * abs(level), NONE * size):
            return level, LARGE * size, LEAST * size
        slope, curvature = averages(functools.partial(slopes, epsilon * scale), 0, 1)
        step = -slope / curvature if located and curvature else 0.0
        level += step
        if abs(step) <= NEAR * scale:
            break
    return level, max(scale, LARGE * size), LEAST * scale


def median(y: Array, weight: Any) -> float:
    """The least target up to which there is half of the weight: a weight of 2 and a row twice have the same."""
    if weight is None:
        middle = (len(y) - 1) // 2
        return float(np.partition(y, middle)[middle])
    order = np.argsort(y)
    reach = np.cumsum(np.ones(len(y)) if weight is None else on_host(weight)[order], dtype=np.float64)
    return float(y[order[np.searchsorted(reach, (0.5 - EPS * len(y)) * reach[-1])]])


def slopes(threshold: float, y: Any, level: float) -> tuple[Any, Any]:
    """Slopes and second derivatives of Huber's loss at a constant prediction."""
    _, slope, second_derivative = Huber(threshold).derivatives(y, 0 * y + level)
    return slope, second_derivative


def part_of(of: Any, k: int, level: float, y: Any) -> Any:
    """One of the numbers that `of` makes of targets and a constant prediction."""
    return of(y, level)[k]
