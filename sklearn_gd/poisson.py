"""Poisson regression: counts and rates, by the half Poisson deviance."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
from sklearn.utils import check_array

from . import messages
from ._compat import with_callbacks
from .arrays import beside, cast, dispatched, is_elsewhere, mean, namespace, on_host
from .base import Target, goes_on_as, lazy_on_dask
from .files import loaded
from .linear_model import check_range
from .losses import HalfPoisson
from .protocols import Array
from .regressors import Regressor, constant_of
from .workers import compute, is_dask, paired

__all__ = ["GDPoissonRegression"]


class GDPoissonRegression(Regressor):
    """Poisson regression with the logarithm as link, by batch gradient descent.

    Minimises half the mean Poisson deviance, plus a penalty if one is asked for:

        F(w, b) = 1/S · Σᵢ sᵢ ½ d(yᵢ, μᵢ) + alpha/2 ‖w‖²,    μᵢ = exp(xᵢ·w + b + offsetᵢ),    S = Σᵢ sᵢ,

    with ½ d(y, μ) = y log(y/μ) − y + μ and sᵢ the sample weights. By default there is nothing to tune: the fit chooses its
    learning rates, its momentum and its metric, and ends at the optimum on raw, unscaled data. With a number as
    `learning_rate` it is the textbook's gradient descent.

    Parameters
    ----------
    alpha : float, default=0.0
        Strength of the L2 penalty, at least 0; 0 is none. It is the ``alpha`` of scikit-learn's ``PoissonRegressor``, whose
        default is 1.

    learning_rate : float, str, callable or rule, default="auto"
        How far each iteration goes, as in `GDLinearRegression`: ``"auto"``, a number, a callable, a rule of
        `sklearn_gd.steps`, or the name of one: ``"constant"``, ``"inverse-time"``, ``"exponential"``, ``"step"``,
        ``"cosine"``, ``"lipschitz"``, ``"backtracking"``, ``"wolfe"``, ``"exact"``, ``"barzilai-borwein"``, ``"polyak"``,
        ``"adgd"``, ``"silver"``, ``"adam"``, ``"amsgrad"``, ``"adagrad"``, ``"rmsprop"``. The curvature has no bound: where a rule is in units of 1/L, L is the larger of the
        curvature where the run is and that of the best constant prediction, found anew at the iterations 0, 1, 3, 7, ...

    momentum : {"auto", "nesterov"}, float, momentum object or None, default="auto"
        How much of the last step is repeated, as in `GDLinearRegression`: ``"auto"``, a number in [0, 1), ``"nesterov"``, an object of
        `sklearn_gd.momentum`, or None.

    preconditioner : {"auto", "diagonal", "full", "nystrom"} or None, default="auto"
        The metric in which descent is steepest, as in `GDLogisticRegression`: ``"auto"``, ``"diagonal"``, ``"full"``,
        ``"nystrom"``, or None for plain gradients. Where that has a bound of the Hessian, this has the Hessian of the best
        constant prediction.

    fit_intercept : bool, default=True
        Whether to add an intercept, which is not penalised.

    max_iter : int, default=1000
        Iterations at the most, at least 0. Ending there is a `ConvergenceWarning` that names the cause and the way out.

    tol : float, default=1e-6
        When the gradient counts as zero, as in `GDLinearRegression`.

    batch_size : int or None, default=None
        Samples of a step, as in `GDLinearRegression`; None is all. Not with weights or an offset.

    init : {"zeros", "random"}, array-like or tuple, default="zeros"
        The first coefficients, as in `GDLinearRegression`. ``"auto"`` and the rules that look at the loss begin at the best
        constant prediction where that is better, ``"auto"`` lower still (see Notes); numbers, callables and schedules never do.

    random_state : int, RandomState instance or None, default=None
        Of ``init="random"`` and of the order of batches. Nothing else is random: same data and same parameters give the same
        result.

    warm_start : bool, default=False
        Whether to start from the coefficients of the last fit rather than from `init`.

    on_divergence : {"warn", "raise"}, default="warn"
        What to do when the loss rises without end or leaves the finite numbers, as in `GDLinearRegression`.

    verbose : int, default=0
        0 is silent; 1 prints a line for the iterations 0 to 9, then every tenth to 90, every hundredth, and so on; 2
        and more print all of them.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients: exp(coef_[j]) is the factor of the mean where feature j is larger by 1.

    intercept_ : float
        The intercept; 0 with ``fit_intercept=False``.

    n_iter_ : int
        Steps taken.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`; defined only where X has feature names that are all strings.

    loss_curve_ : list of float
        The objective F at the start and after each iteration: ``n_iter_ + 1`` numbers, less a last one that is not finite.

    history_ : dict of str to list of float
        What was observed, an entry for each of ``loss_curve_``, as in `GDLinearRegression`.

    preconditioner_ : {"diagonal", "full", "nystrom"} or None
        The metric at the end.

    stages_ : list of dict
        What was done, in order, as in `GDLinearRegression`.

    stop_reason_ : {"gradient", "precision", "max_iter", "diverged", "callback"}
        Why the fit ended, as in `GDLinearRegression`.

    See Also
    --------
    GDLinearRegression : Least squares.
    GDLogisticRegression : The same for classes.
    sklearn.linear_model.PoissonRegressor : Quasi-Newton and Newton solvers of the same problem.

    Notes
    -----
    **Counts and exposures.** Counts over different exposures (years insured, person-hours, areas) are told in either of two
    ways, which give the same coefficients: the counts as `y` and the logarithm of the exposure as `offset`; or the rates, counts
    divided by exposures, as `y` and the exposures as `sample_weight`. With the offset the objective is the deviance of the
    counts, and predictions are counts where they are given an offset, rates where they are not.

    **Weights.** A sample weight of 2 is the same as the row twice, a weight of 0 the same as the row removed; only the ratios
    of weights count. The intercept is never penalised.

    **The end of a fit** is that of `GDLinearRegression`. In D stands for c the second derivative at the best constant prediction,
    which is the mean of `y`: the exponential has no bound for it.

    **What "auto" does** is what it does in `GDLogisticRegression`: plane searches along Newton's directions. It begins with a step
    of iteratively reweighted least squares [1]_, about means between each target and that of all, or at the best constant prediction
    where that is better: at zero the exponential may be far from its target. In the metric of the Hessian a step of length 1 is another
    one of these; the search may go further or less far, and so does not leave the finite numbers.

    **No finite optimum.** With ``alpha=0`` there is none where some direction lowers the means of samples whose y is 0, and moves
    no others: a value of a feature in whose rows there is no event [2]_. It is a `SeparationWarning` where Newton's step at the end
    shows such a direction. The means of these samples are right, nearly 0; the coefficients have no meaning.

    **Precision**, files and what the end is worth are as in `GDLogisticRegression`.

    References
    ----------
    .. [1] J. Nelder and R. Wedderburn, "Generalized linear models", Journal of the Royal Statistical Society A 135, 1972,
       doi:10.2307/2344614.

    .. [2] J. Santos Silva and S. Tenreyro, "On the existence of the maximum likelihood estimates in Poisson regression",
       Economics Letters 107, 2010, doi:10.1016/j.econlet.2010.02.020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gd import GDPoissonRegression
    >>> rng = np.random.default_rng(0)
    >>> X, exposure = rng.normal(size=(1000, 2)), rng.uniform(1, 5, size=1000)
    >>> counts = rng.poisson(exposure * np.exp(0.5 * X[:, 0] - 1))
    >>> model = GDPoissonRegression().fit(X, counts, offset=np.log(exposure))
    >>> model.coef_.round(1), round(model.intercept_, 1)
    (array([0.5, 0. ]), np.float64(-1.0))
    >>> model.stop_reason_
    'gradient'

    Rates, and counts in ten years:

    >>> model.predict([[0, 0], [1, 0]]).round(1)
    array([0.4, 0.6])
    >>> model.predict([[0, 0], [1, 0]], offset=np.log([10, 10])).round()
    array([4., 6.])

    The textbook, with a learning rate of its own:

    >>> textbook = GDPoissonRegression(learning_rate=0.1).fit(X, counts, offset=np.log(exposure))
    >>> textbook.history_["learning_rate"][:3]
    [0.0, 0.1, 0.1]
    """

    _separated = messages.empty_rows()

    def _target(self, y: Array, weight: Array | None, X: Any, offset: Any = None) -> Target:
        check_counts(y)
        factor = 1.0
        if offset is not None:
            y, weight, factor = as_rates(y, weight, offset, X.dtype)
        y, weight = self._numbers(y, weight, X)
        rate = float(np.asarray(mean(y, weight)))
        if not rate > 0:
            raise ValueError(messages.no_events())
        loss = HalfPoisson(rate, factor)
        constant = constant_of(loss, y, weight, math.log(rate) if self.fit_intercept else 0.0)
        return loss, y, weight, float(self.alpha), constant, None, {}

    @goes_on_as(Regressor.fit)
    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)
            Training data, as in `GDLinearRegression`.
        y : array-like of shape (n_samples,)
            Counts or rates, at least 0, not all 0.
        sample_weight : array-like of shape (n_samples,), default=None
            Not negative, not all zero. A weight of 2 is the same as the row twice, a weight of 0 as the row removed. The exposure,
            where `y` is a rate.
        offset : float or array-like of shape (n_samples,), default=None
            Added to the raw predictions: the logarithm of the exposure, where `y` is a count.
        """
        return self._fit_or_restore(X, y, sample_weight, offset=offset)

    @lazy_on_dask
    def _predictor(self, X: Any) -> Array:
        return self._raw(X, "predict")

    def _offset(self, offset: Any, raw: Any) -> Any:
        """Offsets beside predictions, checked; None where there are none."""
        if offset is None:
            return None
        if is_dask(raw):
            return offset if np.ndim(offset) == 0 else paired(raw, offset, None)[1]
        return self._check_beside(on_host(offset) if dispatched(offset) else loaded(offset), raw, "offset", "Offset")

    def predict(self, X: Any, offset: Any = None) -> Array:
        """Predict the mean of the target.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)
            The samples.
        offset : float or array-like of shape (n_samples,), default=None
            Added to the raw predictions, as in `fit`; None is 0, the mean of an exposure of 1.

        Returns
        -------
        mean : ndarray of shape (n_samples,)
            ``exp(X @ coef_ + intercept_ + offset)``.
        """
        raw = self._predictor(X)
        offset = self._offset(offset, raw)
        return exponential(raw if offset is None else raw + offset)

    def score(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> float:
        """Compute D², the share of the deviance that is explained.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,)
            Counts or rates, at least 0.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.
        offset : float or array-like of shape (n_samples,), default=None
            As in `fit`.

        Returns
        -------
        score : float
            1 − D(y, prediction) / D(y, the best constant rate), D the mean deviance: that of ``PoissonRegressor``. Where the
            best constant rate leaves nothing to explain, 1 for a prediction that is as right, else 0.
        """
        raw = self._predictor(X)
        offset = self._offset(offset, raw)
        weight: Any
        if is_dask(raw):
            raw, y, weight = paired(raw, y, sample_weight)
        else:
            y = check_array(on_host(y) if dispatched(y) else loaded(y), ensure_2d=False, input_name="y", estimator=self)
            if y.shape != raw.shape:
                raise ValueError(f"y.shape == {y.shape}, expected {raw.shape}: one number a sample.")
            given = on_host(sample_weight) if dispatched(sample_weight) else loaded(sample_weight)
            weight = self._check_weight(given, raw)
            y = beside(y, raw)
            if is_elsewhere(raw):
                y = cast(y, raw.dtype)
        check_counts(y)
        if offset is not None:
            y, weight, _ = as_rates(y, weight, offset, raw.dtype)
        rate = float(np.asarray(mean(y, weight)))
        loss = HalfPoisson(rate)
        # of y alone: log(rate) may be minus infinity
        null = constant_of(loss, y, weight, math.log(rate)).loss if rate > 0 else 0.0

        def value(y: Array, raw: Array) -> Array:
            return loss.derivatives(y, raw, 0)[0]

        each = y.map_blocks(value, raw, dtype=np.float64) if is_dask(y) else value(y, raw)
        left = float(np.asarray(mean(each, weight)))
        rounding = ROUNDINGS * np.finfo(np.float64).eps * rate * (1 + abs(math.log(rate))) if rate > 0 else 0.0
        if null > rounding:
            return 1 - left / null
        return 1.0 if left <= rounding else 0.0

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        return tags


# Roundings of the terms of a deviance up to which it is taken for zero: a mean of equal numbers has a few.
ROUNDINGS = 16


def exponential(raw: Any) -> Any:
    """exp(raw), of an array of any library or of a Dask collection."""
    return np.exp(raw) if is_dask(raw) else namespace(raw).exp(raw)


def check_counts(y: Any) -> None:
    """Refuse a target that has numbers below zero."""
    low = float(np.asarray(y.min()) if is_dask(y) else namespace(y).min(y))
    if low < 0:
        raise ValueError(messages.negative_counts(low))


def as_rates(y: Any, weight: Any, offset: Any, dtype: Any) -> tuple[Any, Any, float]:
    """Rates, their exposures as weights, and the mean exposure e: what has the same deviance as y with an offset, over that mean.

    With e = exp(offset) half the deviance of y from e·exp(raw) is e times that of y/e from exp(raw).
    """
    low, high = (
        compute(offset.min(), offset.max())
        if is_dask(offset)
        else (getattr(namespace(offset), k)(offset) for k in ("min", "max"))
    )
    # half the exponents of the arithmetic, so that products and sums of exposures have room
    kind = np.finfo(np.float32 if "float32" in str(dtype) else np.float64)
    most = 0.5 * math.log(float(kind.max))
    if not -most <= float(low) <= float(high) <= most:
        raise ValueError(messages.offset_out_of_range(float(low), float(high), most, kind.dtype))
    exposure = exponential(offset)
    if is_elsewhere(offset):
        y = cast(beside(y, offset), offset.dtype)
    if isinstance(y, np.ndarray):
        check_range(y, kind.dtype)
    factor = float(np.asarray(mean(exposure, weight)))
    return y / exposure, exposure if weight is None else weight * exposure, factor
