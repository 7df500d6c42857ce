"""Quantile regression: absolute errors, weighted by the side that they are on."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from . import messages
from ._checks import check_boolean, check_number
from .arrays import is_elsewhere, mean, namespace, on_host, place_of
from .base import Target, lazy_on_dask
from .descent import Run
from .exceptions import DivergenceError, DivergenceWarning
from .losses import Huber
from .penalties import L1
from .plan import Constant, Problem, SmoothingRounds, as_stored
from .protocols import Array, Moments, Momentum, StepRule
from .regressors import Regressor, average
from .steps import rule_for
from .workers import compute, is_dask, paired

__all__ = ["GDQuantileRegression"]


class GDQuantileRegression(Regressor):
    """Linear quantile regression by batch gradient descent.

    Minimises the mean pinball loss, plus an L1 penalty if one is asked for:

        F(w, b) = 1/S · Σᵢ sᵢ ρ_q(yᵢ − xᵢ·w − b) + alpha ‖w‖₁,    S = Σᵢ sᵢ,

    with sᵢ the sample weights and ρ_q(r) = max(q·r, (q − 1)·r): a line below which a share q of the samples lies, with
    q = 0.5 that of least absolute errors. The optimum is that of the linear program which scikit-learn's
    ``QuantileRegressor(quantile=q, alpha=alpha)`` solves. Several quantiles are fitted at once and share the reads of X.
    By default there is nothing to tune, and the end is certified: a point of the dual program proves that no
    coefficients have a loss that is lower by more than a part `tol`.

    Parameters
    ----------
    quantile : float or array-like of shape (n_quantiles,), default=0.5
        The quantile, greater than 0 and less than 1, or several. They need not be in order, and may be repeated; the columns
        of predictions are in their order.

    alpha : float, default=0.0
        Strength of the L1 penalty, at least 0, that of ``QuantileRegressor`` (whose default is 1.0). It sets coefficients to
        zero.

    rearrange : bool, default=False
        Whether predictions of several quantiles are sorted within each sample, so that none crosses another [4]_. The
        coefficients are the same.

    learning_rate : float, str, callable or rule, default="auto"
        How far each iteration goes, as in `GDLinearRegression`. The loss has a kink at every sample:

        - ``"auto"`` rounds the kinks off within a width that shrinks, and takes Newton's steps on the samples within it.
        - the other rules that look at the loss do so in rounds: they descend on the rounded loss, and where the dual shows
          that the rounding costs more than `tol`, on one that is rounded less.
        - a number, a callable or a schedule is the textbook's subgradient method, iterate for iterate, with slope q − ½ at
          the kink. With a constant rate it does not converge, because subgradients do not shrink towards the optimum;
          with one that falls like 1/k it does, slowly, and proves nothing.

    momentum : {"auto", "nesterov"}, float, momentum object or None, default="auto"
        As in `GDLinearRegression`.

    preconditioner : {"auto", "diagonal", "full", "nystrom"} or None, default="auto"
        As in `GDLinearRegression`. With ``learning_rate="auto"`` a name other than ``"full"`` is for plane searches in rounds.

    fit_intercept : bool, default=True
        Whether to add an intercept, which is not penalised.

    max_iter : int, default=1000
        Iterations at the most, at least 0. Ending there is a `ConvergenceWarning` that names the cause and the way out.

    tol : float, default=1e-6
        The gap between the loss and what the dual proves no loss to be below, in units of the loss, at which a fit ends; of
        several quantiles of each. At least 0.

    batch_size : int or None, default=None
        Samples of a step, as in `GDLinearRegression`; None is all. Not with weights.

    init : {"zeros", "random"}, array-like or tuple, default="zeros"
        The first coefficients, as in `GDLinearRegression`. ``"auto"`` begins there if that is better than where it would.

    random_state : int, RandomState instance or None, default=None
        Of ``init="random"`` and of the order of batches.

    warm_start : bool, default=False
        Whether to start from the coefficients of the last fit rather than from `init`.

    on_divergence : {"warn", "raise"}, default="warn"
        What to do when the loss rises without end or leaves the finite numbers, as in `GDLinearRegression`.

    verbose : int, default=0
        0 is silent; 1 prints some iterations and 2 all, as in `GDLinearRegression`.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_quantiles, n_features)
        Coefficients; of two dimensions where `quantile` is a list.

    intercept_ : float or ndarray of shape (n_quantiles,)
        The intercept; 0 with ``fit_intercept=False``.

    dual_gap_ : float or ndarray of shape (n_quantiles,)
        The part by which the loss may be above the least one at the most, as a dual point proves. inf where nothing was
        proved, as after a fit with a learning rate of one's own.

    crossings_ : int
        The number of training samples, those without weight left out, at which the curve of a quantile lies below that of the
        next smaller one, by more than a part `tol` of the loss of a constant; 0 for one quantile. Of the curves before
        they are rearranged.

    n_iter_ : int
        Steps taken; of several quantiles those of the slowest.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`; defined only where X has feature names that are all strings.

    loss_curve_ : list of float
        The objective at the start and after each iteration, summed over the quantiles: with ``"auto"`` the lowest so far,
        with other rules that look at the loss the rounded one, which may rise where it is rounded less.

    history_ : dict of str to list of float
        As in `GDLinearRegression`. With ``"auto"`` the ``"gradient_norm"`` is the largest of the relative gaps.

    preconditioner_ : {"diagonal", "full", "nystrom"} or None
        The metric at the end.

    stages_ : list of dict
        As in `GDLinearRegression`.

    stop_reason_ : {"gradient", "precision", "max_iter", "diverged", "callback"}
        Why the fit ended: ``"gradient"`` where the gap is within `tol`, so that this is the optimum. The others are as in
        `GDLinearRegression`.

    See Also
    --------
    GDLinearRegression : The conditional mean.
    sklearn.linear_model.QuantileRegressor : The same optimum by a linear program.

    Notes
    -----
    **The dual.** With s the shares of the weights, Σ sᵢ rᵢ dᵢ is the same for all coefficients, and no more than their
    loss, if q − 1 ≤ dᵢ ≤ q and Σ sᵢ dᵢ x̃ᵢ = 0 (with a penalty: within ±alpha for each feature), x̃ the row and the 1
    of the intercept. The largest such number is the least loss. Where a rounded loss is least, its slopes are such d; and
    Newton's step takes the slopes of other places to such d.

    **The median of an even number.** Where several coefficients are optimal, as for the median of an even number of
    samples, which of them is returned depends on the start and on the path.

    **Weights.** A sample weight of 2 is the same as the row twice, a weight of 0 the same as the row removed.

    References
    ----------
    .. [1] R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46, 1978, doi:10.2307/1913643.

    .. [2] C. Chen, "A finite smoothing algorithm for quantile regression", Journal of Computational and Graphical
       Statistics 16, 2007, doi:10.1198/106186007X180336.

    .. [3] X. He, X. Pan, K. Tan and W. Zhou, "Smoothed quantile regression with large-scale inference", Journal of
       Econometrics 232, 2023, doi:10.1016/j.jeconom.2021.07.010.

    .. [4] V. Chernozhukov, I. Fernández-Val and A. Galichon, "Quantile and probability curves without crossing",
       Econometrica 78, 2010, doi:10.3982/ECTA7880.

    .. [5] S. Portnoy and R. Koenker, "The Gaussian hare and the Laplacian tortoise: computability of squared-error versus
       absolute-error estimators", Statistical Science 12, 1997, doi:10.1214/ss/1030037960.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_gd import GDQuantileRegression
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = GDQuantileRegression(quantile=[0.1, 0.5, 0.9]).fit(X, y)
    >>> model.coef_.shape, model.predict(X).shape
    ((3, 10), (442, 3))

    A share of the samples lies below each, and the dual proves that they are the best:

    >>> (y[:, None] < model.predict(X)).mean(axis=0).round(1)
    array([0.1, 0.5, 0.9])
    >>> bool((model.dual_gap_ <= 1e-6).all()), model.crossings_
    (True, 2)
    """

    _in_rounds = True

    def __init__(
        self,
        *,
        quantile: float | ArrayLike = 0.5,
        alpha: float = 0.0,
        rearrange: bool = False,
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
        self.quantile = quantile
        self.rearrange = rearrange

    def _check_own_parameters(self) -> None:
        super()._check_own_parameters()
        check_boolean("rearrange", self.rearrange)
        try:
            quantiles: Any = np.asarray(self.quantile)
        except ValueError:  # rows of different lengths
            quantiles = np.empty((0, 0))
        if quantiles.ndim > 1 or not quantiles.size:
            raise ValueError(messages.no_quantiles(self.quantile))
        for quantile in [self.quantile] if quantiles.ndim == 0 else list(self.quantile):  # type: ignore[arg-type]
            check_number("quantile", quantile, 0, 1, left=False, right=False)

    @property
    def _quantiles(self) -> Array:
        return np.atleast_1d(np.asarray(self.quantile, dtype=np.float64))

    def _target(self, y: Array, weight: Array | None, X: Any) -> Target:
        y, weight = self._numbers(y, weight, X)
        each, several = self._quantiles, np.ndim(self.quantile) > 0
        levels = constant_quantiles(y, weight, each, bool(self.fit_intercept))
        losses = np.array(
            [
                average(functools.partial(pinball, quantile=q, level=level), y, weight)
                for q, level in zip(each.tolist(), levels.tolist(), strict=True)
            ]
        )
        widths = np.where(losses > 0, losses, 1.0)
        quantile: Any = each if several else float(each[0])
        width: Any = widths if several else float(widths[0])
        # errors of Laplace's distribution, of that mean, have the density 1/(4 loss) where they are zero
        loss = Huber(width, 0.5 / width, 0.5 - quantile, curvature=0.25 / float(np.mean(width)))
        penalty = L1(float(self.alpha), X.shape[1], np.min(widths)) if self.alpha else None
        sharp = rule_for(self.learning_rate).scheduled
        rounds = SmoothingRounds(loss, quantile, width, float(self.tol), penalty, losses, sharp)
        raw: Any = levels if several else float(levels[0])
        if several:
            library: Any = namespace(y) if is_elsewhere(y) else np
            y = library.broadcast_to(y[:, None], (y.shape[0], len(each)))
        outputs = len(each) if several else None
        return loss, y, weight, 0.0, Constant(float(losses.sum()), raw), outputs, {}, rounds

    def _results(self, run: Run, problem: Problem) -> dict[str, Any]:
        rounds: Any = problem.rounds
        fitted = {**super()._results(run, problem), "dual_gap_": rounds.gap}
        if run.reason is not None:  # these take products with X
            fitted["crossings_"] = self._crossings(run, problem, float(np.mean(rounds.null)))
            if self.alpha:
                fitted |= without_rounding_errors(
                    fitted["coef_"], fitted["intercept_"], problem.moments, rounds.null, bool(self.fit_intercept)
                )
        return fitted

    def _crossings(self, run: Run, problem: Problem, loss: float) -> int:
        coef = as_stored(problem, run.coef)
        if coef.ndim == 1 or coef.shape[1] == 1:
            return 0
        raw = on_host(problem.design.forward(coef.astype(np.float64)))[:, np.argsort(self._quantiles, kind="stable")]
        # curves that meet in a sample, as those of neighbouring quantiles do, differ there by what the fit and rounding leave
        least = self.tol * loss + 8 * problem.eps * float(np.abs(raw).max(initial=0.0))
        return int((raw[:, :-1] - raw[:, 1:] > least).any(axis=1).sum())

    def _report_own(self, problem: Problem, run: Run, rule: StepRule) -> bool:
        rounds: Any = problem.rounds
        gap = float(np.max(rounds.gap))
        if run.reason == "callback" or (run.reason == "diverged" and not rule.scheduled):
            return False
        if run.reason in ("gradient", "precision") and gap <= self.tol:
            return False
        text = messages.not_proved(run, rule, gap, self.tol)
        if run.reason != "diverged":
            warnings.warn(text, ConvergenceWarning, stacklevel=7)
        elif self.on_divergence == "raise":
            raise DivergenceError(text)
        else:
            warnings.warn(text, DivergenceWarning, stacklevel=7)
        return True

    def predict(self, X: Any) -> Array:
        """Predict the quantiles of the target.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_quantiles)
            ``X @ coef_.T + intercept_``; with ``rearrange=True`` sorted within each sample, in the order of the quantiles.
        """
        raw = self._curves(X)
        if not self.rearrange or raw.ndim == 1:
            return raw
        rank = np.argsort(np.argsort(self._quantiles, kind="stable"))
        if is_dask(raw):
            rearranged: Array = raw.map_blocks(in_order, rank, dtype=raw.dtype)
            return rearranged
        return in_order(raw, rank)

    @lazy_on_dask
    def _curves(self, X: Any) -> Any:
        return self._raw(X, "predict")

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute D², the share of the pinball loss that is explained.

        It is `sklearn.metrics.d2_pinball_score`, of the quantile that was fitted. (R², which scikit-learn's
        ``QuantileRegressor`` returns, scores a prediction of the mean, and prefers the median to any other quantile.)

        Parameters
        ----------
        X : {array-like, sparse matrix, Dask array or dataframe} of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,)
            The target.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        score : float
            1 − (loss of the predictions) / (loss of the best constant), averaged over the quantiles.
        """
        from sklearn.metrics import d2_pinball_score

        predicted: Any = self.predict(X)
        if is_dask(predicted):
            predicted, y, sample_weight = compute(*paired(predicted, y, sample_weight))
        # the labels and weights of a device come home: a score is a number there
        predicted, y = on_host(predicted), on_host(y) if is_elsewhere(y) else y
        sample_weight = on_host(sample_weight) if is_elsewhere(sample_weight) else sample_weight
        columns = predicted.reshape(len(predicted), -1).T
        scores = [
            d2_pinball_score(y, column, sample_weight=sample_weight, alpha=q)
            for q, column in zip(self._quantiles.tolist(), columns, strict=True)
        ]
        return float(np.mean(scores))


# Of the loss of a constant what a coefficient may move predictions by, in the mean, and is nothing but rounding errors.
NOTHING = 1e-12


def without_rounding_errors(
    coef: Array, intercept: Any, moments: Moments, loss: Array, located: bool
) -> dict[str, Any]:
    """Coefficients that a penalty has set to zero, zero to the last bit; the intercept has what they said at the centre."""
    nothing = np.abs(coef) * np.sqrt(moments.matrix) <= NOTHING * (loss[:, None] if coef.ndim == 2 else loss)
    if located:
        intercept = (intercept + np.where(nothing, coef, 0) @ moments.centre).astype(coef.dtype)[()]
    return {"coef_": np.where(nothing, 0, coef), "intercept_": intercept}


def pinball(y: Array, quantile: float, level: float) -> Array:
    """The loss of a quantile at residuals y − level."""
    residual = y - level
    return 0.5 * abs(residual) + (quantile - 0.5) * residual


def in_order(raw: Array, rank: Array) -> Array:
    """The numbers of each row sorted, and given to the columns by their rank."""
    library: Any = namespace(raw)
    rank = place_of(raw).put(rank) if is_elsewhere(raw) else rank
    out: Array = library.take(library.sort(raw, axis=1), rank, axis=1)
    return out


def constant_quantiles(y: Any, weight: Any, quantiles: Array, located: bool) -> Array:
    """About the best constant predictions, quantiles of the target; 0 unless `located`.

    They are the first place of rules that begin anywhere. To find those of a collection takes more than a pass: there it is the mean.
    """
    if not located:
        return np.zeros(len(quantiles))
    if is_dask(y):
        return np.full(len(quantiles), float(np.asarray(mean(y, weight))))
    host = on_host(y)
    if weight is None:
        return np.quantile(host, quantiles, method="inverted_cdf").astype(np.float64)
    order = np.argsort(host)
    reach = np.cumsum(on_host(weight)[order], dtype=np.float64)
    found: Array = host[order[np.minimum(np.searchsorted(reach, quantiles * reach[-1]), len(order) - 1)]]
    return found.astype(np.float64)
