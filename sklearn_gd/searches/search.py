"""GDSearchCV: scikit-learn's grid search, with fits that share their work where they can.

Two uses: penalties and learning rates, whose fits follow from second moments of a few groups of rows, begin where others ended, or go side
by side; and any other grid search, candidate by candidate.
"""

from __future__ import annotations

import time
import warnings
from typing import Any, Self

from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid, check_cv

from .. import messages
from .._compat import choose_best, evaluate, has_callbacks, tell_failures
from ..linear_model import GDLinearRegression, GDLogisticRegression
from ..poisson import GDPoissonRegression
from .gram import GramWork
from .rates import RateWork
from .sharing import Sharing, model_of
from .walk import PathWork
from .work import Work

__all__ = ["GDSearchCV"]

#: How the fits of an estimator share their work.
WAYS: dict[type, type[Work]] = {
    GDLinearRegression: GramWork,
    GDLogisticRegression: RateWork,
    GDPoissonRegression: PathWork,
}
# Why a candidate that could be shared is fitted as the others are.
TOLD = "callbacks of the search see one fit at the least"
WITNESS = "all others that are fitted fail, which is no error of the whole search"


class GDSearchCV(GridSearchCV):
    """Grid search with cross-validation, at the price of about one fit where fits follow from each other.

    scikit-learn's ``GridSearchCV``, with its parameters, its attributes and its results. Candidates that differ in what squared error knows
    in closed form are not fitted one by one: one read of X gives second moments of the groups of rows that splits are made of, their sums
    give every training part, and all optima, and all iterates of gradient descent, follow from these. All other candidates are fitted as
    ``GridSearchCV`` does, and stand in their place among the others. ``shared_`` says what became of each.

    Parameters
    ----------
    estimator : estimator
        Shared are fits of `GDLinearRegression`, bare or as the last step of a `Pipeline` whose other steps are `StandardScaler`,
        `MinMaxScaler`, `MaxAbsScaler` or ``"passthrough"``; and those of `GDLogisticRegression`, behind any other steps, that differ in
        `C` alone or have learning rates that are known beforehand, and those of `GDPoissonRegression` that differ in `alpha` alone. Any
        other estimator is fitted for each candidate.

    param_grid : dict of str to list, or list of dict
        Parameters' names and the values to try; of a list each dict is a grid of its own. See Notes for those that are shared.

    scoring : str, callable, list, tuple or dict, default=None
        As ``GridSearchCV`` has it. R² (also None, the estimator's own score), ``"neg_mean_squared_error"`` and
        ``"neg_root_mean_squared_error"`` are computed for all candidates together; any other scorer is called with a fitted estimator.

    n_jobs : int, default=None
        Processes for the candidates that are not shared. Those that are take the threads of BLAS.

    refit : bool, str or callable, default=True
        Whether to fit the best candidate on all data; with several scorers the name of the one that says which is best; or a function
        of ``cv_results_`` that returns its index.

    cv : int, splitter or iterable, default=None
        How to split; None is 5 folds. An iterator, which can be read once, leaves nothing to share.

    verbose : int, default=0
        How much to print.

    pre_dispatch : int or str, default="2*n_jobs"
        Fits that are handed to processes ahead of time, where there are several.

    error_score : "raise" or number, default=np.nan
        The score of a fit that fails; ``"raise"`` raises its error.

    return_train_score : bool, default=False
        Whether to compute the scores on the training parts, too.

    Attributes
    ----------
    shared_ : Sharing
        What became of the candidates: ``shared``, a bool for each, and ``reasons``, a str for each that is not; printed, it says both.

    cv_results_ : dict of str to ndarray
        The results, as ``GridSearchCV`` has them. The times of shared candidates are their parts of what was done for all.

    best_estimator_ : estimator
        The best candidate, fitted on all data.

    best_score_ : float
        Its mean score on the test parts.

    best_params_ : dict
        Its parameters.

    best_index_ : int
        Where it is in ``cv_results_``.

    scorer_ : callable or dict
        The scorers.

    n_splits_ : int
        Number of splits.

    refit_time_ : float
        Seconds that the last fit took.

    multimetric_ : bool
        Whether there are several scorers.

    classes_ : ndarray of shape (n_classes,)
        The classes; defined only where the best estimator has some.

    n_features_in_ : int
        Number of features seen during `fit`; defined only with `refit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`; defined only with `refit` and where X has feature names that are all strings.

    See Also
    --------
    GDLinearRegression : The estimator whose fits are shared.
    sklearn.model_selection.GridSearchCV : The same, a fit for each candidate and split.
    sklearn.linear_model.RidgeCV : Penalties alone, by leave-one-out.

    Notes
    -----
    **What is shared.** With ``learning_rate="auto"``, the optimum, for all values of `alpha` and `fit_intercept`: by a Cholesky
    factorisation of a training part's second moments for each. With a number, a schedule or a function of the iteration as
    `learning_rate`, and with the heavy ball's or Nesterov's `momentum`: the iterate that a fit ends with, for all values of these, of
    `max_iter` and of `tol`. With λ and V the eigenvalues and eigenvectors of the Hessian, and g the gradient at the start w₀, iterate k is

        w_k = w₀ − V diag((1 − (1 − ηλ)^k) / λ) Vᵀ g

    for a constant rate η, and a similar polynomial in λ for others. Diverging rates are known beforehand, and end where the fit would
    have ended. Of scalers all parameters but ``clip=True``.

    **What is not,** and is fitted for each candidate: rules that look at the loss, metrics with a learning rate of one's own,
    ``init="random"``; learning rates on training parts with fewer samples than features (optima follow from the inner products of the
    rows there, behind scalers from three penalties on); those with a row more than once; and optima of columns that depend on each other
    so much (a condition number of 5e7 in units of their spread) that second moments have lost more than half of
    their digits.

    **Logistic regression.** Candidates with ``learning_rate="auto"`` that differ in `C` alone are a path on each training part, from the
    strongest penalty to the weakest: each fit begins where the last one ended, and ends where its own criterion is met, so that scores agree
    as far as `tol` says. Candidates with a number, a schedule or a function of the iteration as `learning_rate`, whatever their `momentum`
    and `C`, descend side by side on each training part, so that an iteration of all of them is one read of X, and have their ends, by
    `max_iter` and `tol`, on the same iterates. Not shared are those of several classes on large data, whose reads of X are worth it already,
    and two or three of many columns with few entries. Steps in front are fitted once for all of them.

    **Failures.** A shared fit that diverges with ``on_divergence="raise"`` has the score `error_score`, and is told as a fit that failed.

    **Sums, not differences.** The second moments of a training part are the sum of those of its groups of rows. Scalers are fitted on each
    training part alone: their means, spreads and bounds follow from the groups', and their map is put into the moments.

    **Ends.** Shared fits that did not converge, or diverged, are told in one `ConvergenceWarning` or `DivergenceWarning` a search, with
    their number and their candidates. In double precision iterates are those of the fits to about 1e-12; in single precision, where
    fits keep predictions in it, to 1e-6.

    References
    ----------
    G. Golub and C. Van Loan, "Matrix computations", 4th edition, Johns Hopkins University Press, 2013, ISBN 978-1-4214-0794-4 (sections
    4.2 and 8.1).

    T. Chan, G. Golub and R. LeVeque, "Algorithms for computing the sample variance: analysis and recommendations", The American
    Statistician 37, 1983, doi:10.1080/00031305.1983.10483115 (moments of groups put together).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_gd import GDLinearRegression, GDSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = GDSearchCV(GDLinearRegression(), {"alpha": np.logspace(-8, 0, 20)}).fit(X, y)
    >>> print(search.shared_)
    candidates 0 to 19: shared
    >>> print(f"{search.best_params_['alpha']:.1e}, {search.best_score_:.4f}")
    1.3e-06, 0.4823

    Early stopping, over learning rates and iterations of the textbook's descent; ``tol=0`` goes on to `max_iter`:

    >>> import warnings
    >>> from sklearn.exceptions import ConvergenceWarning
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> model = make_pipeline(StandardScaler(), GDLinearRegression(tol=0))
    >>> grid = {"gdlinearregression__learning_rate": [0.01, 0.1], "gdlinearregression__max_iter": [10, 100, 1000]}
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", ConvergenceWarning)  # they are not meant to converge
    ...     search = GDSearchCV(model, grid).fit(X, y)
    >>> search.cv_results_["mean_test_score"].reshape(2, 3).round(3)
    array([[-3.07 , -0.083,  0.48 ],
           [-0.031,  0.48 ,  0.482]])
    """

    _work: Any = None

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Score all candidates on all splits, and fit the best.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data; not copied where it is an array and splits are made of rows that lie together.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            The target.
        **params : dict
            As ``GridSearchCV`` passes them on: `sample_weight` to the fits (``gdlinearregression__sample_weight`` in a pipeline) and, where
            they take it, to the scorers; `groups` to the splitter.

        Returns
        -------
        self : GDSearchCV
            Fitted.

        Raises
        ------
        ValueError, TypeError
            Whatever ``GridSearchCV`` raises: for grids, parameters and data that are not allowed, or where all fits fail.

        Warns
        -----
        ConvergenceWarning
            If shared fits reached `max_iter`: how many, and of which candidates.
        DivergenceWarning
            If shared fits diverged: how many, and of which candidates.
        """
        self.__dict__.pop("shared_", None)
        model = model_of(self.estimator)
        if hasattr(self.cv, "__next__"):
            model = "cv is an iterator, which can be read once"
        if isinstance(model, str):
            return self._plain(model, X, y, params)
        try:
            work = WAYS[type(model.steps[model.last])](self, model, X, y, params)
        except KeyError:
            # a parameter that there is not, of which scikit-learn has more to say
            return self._plain("a parameter is not known", X, y, params)
        work.share()
        if work.shared and len(work.shared) == len(work.candidates) and not has_callbacks(self):
            self._finish(work)
        else:
            self._mix(work, X, y, params)
        self.shared_ = Sharing(tuple(work.reasons))
        for text, category in work.warnings():
            warnings.warn(text, category, stacklevel=2)
        return self

    def _plain(self, reason: str, X: Any, y: Any, params: dict[str, Any]) -> Self:
        """Fit every candidate on its own."""
        super().fit(X, y, **params)
        self.shared_ = Sharing((reason,) * len(self.cv_results_["params"]))
        return self

    def _finish(self, work: Work) -> None:
        """Results and refit, where there is nothing left to fit but the best."""
        if self.verbose > 0:
            print(messages.search_shares(len(work.candidates), len(work.splits)))
        out = [split for splits in work.out for split in splits]
        tell_failures(self, out, out)
        results = super()._format_results(work.candidates, len(work.splits), out)
        self.n_splits_ = len(work.splits)
        choose_best(self, work.metric, out[0]["test_scores"], results)
        if self.refit:
            start = time.time()
            best = work.refitted(self.best_index_)
            if best is None:
                best = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
                best.fit(work.X, work.y, **work.routed.estimator.fit)
            self.refit_time_ = time.time() - start
            self.best_estimator_ = best
            if hasattr(best, "feature_names_in_"):
                self.feature_names_in_ = best.feature_names_in_
        self.scorer_ = getattr(work.scorers, "_scorers", work.scorers)
        self.cv_results_ = results

    # -- shared candidates beside others: scikit-learn's fit, which calls these two --------------------------------------

    def _mix(self, work: Work, X: Any, y: Any, params: dict[str, Any]) -> None:
        """Let scikit-learn fit the candidates that are not shared, and put the results together."""
        if not work.plain:
            work.leave(TOLD, work.shared[:1])
        elif len(work.plain) <= len(work.failing):
            work.leave(WITNESS, work.shared[:1])
        self._work = work
        try:
            super().fit(X, y, **params)
        finally:
            del self._work

    def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        work = self._work
        candidates = list(ParameterGrid(self.param_grid)) if work is None else work.plain
        cv = check_cv(work.splits) if work is not None and work.splits else None
        evaluate(self, evaluate_candidates, candidates, cv, callback_ctx)

    def _format_results(self, candidate_params: Any, n_splits: int, out: Any, more_results: Any = None) -> Any:
        if self._work is not None:
            candidate_params, out = self._work.candidates, self._work.with_plain(out, n_splits)
        return super()._format_results(candidate_params, n_splits, out, more_results)
