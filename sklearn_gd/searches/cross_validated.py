"""The estimators that choose their own penalty, with scikit-learn's names and attributes.

Two uses: `GDLogisticRegressionCV`, a warm path over C for each fold; `GDLinearRegressionCV`, whose leave-one-out errors come from leverages,
and other folds' from warm paths over alpha.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import check_scoring
from sklearn.utils import compute_class_weight

from .. import messages
from .._checks import check_boolean, check_integer
from ..base import Ingested, check_coefficients
from ..descent import Run
from ..designs import design_for
from ..designs.rows import NotFiniteError
from ..designs.threads import quiet
from ..linear_model import GDLinearRegression, GDLogisticRegression, encode
from ..plan import Problem, as_stored
from ..protocols import Array
from .fold_paths import fold_paths
from .folds import (
    RAW_SCORES,
    checked_cv,
    checked_values,
    class_path,
    fitted,
    fold_scores,
    in_memory,
    is_loo,
    path_scores,
    reported,
    rows_of,
    rows_of_classes,
    scored,
    splits_of,
    with_weight,
    without_array_api,
)
from .leave_one_out import left_out, residuals_left_out
from .paths import descents

__all__ = ["GDLinearRegressionCV", "GDLogisticRegressionCV"]

#: The default penalties.
ALPHAS = (1e-06, 1e-05, 0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0)


class GDLogisticRegressionCV(GDLogisticRegression):
    """Logistic regression whose penalty is chosen by cross-validation.

    For each fold one path: its data are prepared once, and the values of C are walked from the strongest penalty to the weakest, each from
    where the last one ended, with its predictions and its Hessian. To leave out one row after the other takes no folds at all:
    ``cv="loo"`` is one path on all rows.

    Parameters
    ----------
    Cs : int or array-like of float, default=10
        The values of C, each greater than 0; ``np.inf`` is no penalty. An integer is that many from 1e-4 to 1e4, their logarithms evenly
        spaced.

    cv : int, splitter, iterable, "loo" or None, default=None
        The folds, as `sklearn.model_selection.check_cv` takes them: an integer is that many stratified folds, None is 5.
        ``"loo"`` and ``sklearn.model_selection.LeaveOneOut()`` leave out one row after the other, see Notes.

    scoring : str, callable or None, default=None
        What is best, as `sklearn.metrics.check_scoring` takes it; None is the accuracy. With leave-one-out it is the score of the
        left-out predictions of all rows together, which a callable gets in place of X.

    refit : bool, default=True
        Whether the mean score of the folds chooses one C, with which all rows are fitted; else each fold chooses its own, and C and the
        coefficients are the means of theirs.

    class_weight : dict, "balanced" or None, default=None
        As `GDLogisticRegression` has it; ``"balanced"`` is by all rows, whatever the fold.

    fit_intercept : bool, default=True
        Whether to add an intercept, which is not penalised.

    max_iter : int, default=1000
        Iterations of each fit at the most.

    tol : float, default=1e-6
        When the gradient counts as zero, as `GDLogisticRegression` has it.

    verbose : int, default=0
        What each fit prints, as `GDLogisticRegression` has it.

    Attributes
    ----------
    C_ : float
        The value that was chosen; the mean of the folds' with ``refit=False``.

    Cs_ : ndarray of shape (n_cs,)
        The values of C.

    scores_ : ndarray of shape (n_folds, n_cs)
        The scores of each fold's test rows; with leave-one-out one row.

    coefs_paths_ : ndarray of shape (n_folds, n_cs, n_classes, n_features + 1)
        Coefficients, the intercept last where there is one; of two classes one row. A class that is not among a fold's training rows has an
        intercept of -inf.

    n_iter_ : ndarray of shape (n_folds, n_cs)
        Steps taken, each from the ends of other penalties'.

    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients; one row for two classes, of the log-odds of the second.

    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts; 0 with ``fit_intercept=False``.

    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`; defined only where X has feature names that are all strings.

    See Also
    --------
    GDLogisticRegression : The same for one C.
    sklearn.linear_model.LogisticRegressionCV : The same search by other solvers.

    Notes
    -----
    **Leave-one-out.** The optimum without a row is about one Newton step away, and what that step does to the row's prediction is told by its
    leverage [1]_. Where the step is long this is too optimistic. So what it leaves out is estimated, and rows where that might change
    the mean log loss are fitted without the row, from the full optimum on. The mean log loss is within 1 % of that of as many fits
    as there are rows.

    References
    ----------
    .. [1] K. Rahnama Rad and A. Maleki, "A scalable estimate of the out-of-sample prediction error via approximate leave-one-out
       cross-validation", Journal of the Royal Statistical Society B 82, 2020, doi:10.1111/rssb.12374.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn_gd import GDLogisticRegressionCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDLogisticRegressionCV(cv=5).fit(X, y)
    >>> model.scores_.shape
    (5, 10)
    >>> loo = GDLogisticRegressionCV(cv="loo", scoring="neg_log_loss").fit(X, y)
    >>> round(loo.C_, 1)
    166.8
    """

    n_iter_: Any  # of each fit, where the other estimators have one

    def __init__(
        self,
        *,
        Cs: int | ArrayLike = 10,
        cv: Any = None,
        scoring: Any = None,
        refit: bool = True,
        class_weight: dict[Any, float] | str | None = None,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-6,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            class_weight=class_weight, fit_intercept=fit_intercept, max_iter=max_iter, tol=tol, verbose=verbose
        )
        self.Cs = Cs
        self.cv = cv
        self.scoring = scoring
        self.refit = refit

    def _fit(self, X: Any, y: Any, sample_weight: Any, recorder: Any = None, offset: Any = None) -> Any:
        """A path for each fold, the choice, and the fit on all rows."""
        Cs, model, scorer = self._checked()
        data = in_memory(self, X, y, sample_weight)
        classes, index, counts = encode(data.y, data.weight, data.X)
        if not counts.all():  # a class whose rows have no weight is none, and where its rows are put changes nothing
            index = np.maximum(np.cumsum(counts > 0) - 1, 0)[index]
            classes, counts = classes[counts > 0], counts[counts > 0]
        if len(classes) < 2:
            seen = with_weight(data)
            self._target(seen.y, seen.weight, seen.X)  # which says so
        labelled = data._replace(y=index, weight=self._class_weighted(data.weight, classes, index, counts))
        self.classes_, self.Cs_ = classes, Cs
        if is_loo(self.cv):
            self._leave_one_out(model, data, labelled, scorer)
        else:
            self._folds(model, data, labelled, scorer)
        if not self.refit:
            each = self.scores_.argmax(axis=1)
            self.C_ = float(Cs[each].mean())
            self._keep(self.coefs_paths_[np.arange(len(each)), each].mean(axis=0), data.X.shape[1])
            return
        best = int(self.scores_.sum(axis=0).argmax())
        self.C_ = float(Cs[best])
        if is_loo(self.cv):
            coef = self.coefs_paths_[0, best]
        else:
            problem, run = reported(model, next(descents(model, "C", Cs[[best]], with_weight(labelled))))
            check_coefficients(run, problem)
            coef = rows_of_classes(as_stored(problem, run.coef))
        self._keep(coef, data.X.shape[1])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute the score that `scoring` names: the accuracy where it is None.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,)
            The classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        score : float
            The larger, the better.
        """
        if self.scoring is None:
            return super().score(X, y, sample_weight)
        return scored(check_scoring(self, scoring=self.scoring), self, X, y, sample_weight)

    def __sklearn_tags__(self) -> Any:
        return without_array_api(super().__sklearn_tags__())

    def _keep(self, coef: Array, p: int) -> None:
        """Take coefficients, the intercept last, for the model's."""
        self.coef_ = np.ascontiguousarray(coef[:, :p])
        self.intercept_ = coef[:, p].copy() if self.fit_intercept else np.zeros(len(coef), dtype=coef.dtype)

    def _checked(self) -> tuple[Array, GDLogisticRegression, Any]:
        """The values of C, the model of each fit, and the scorer, with all parameters checked."""
        self._parts()
        check_boolean("refit", self.refit)
        checked_cv(self.cv)
        grid: Any = self.Cs
        if isinstance(grid, (int, np.integer)):
            check_integer("Cs", grid, 1)
            grid = np.logspace(-4, 4, int(grid))
        Cs = checked_values("Cs", grid, zero=False)
        model = GDLogisticRegression(
            fit_intercept=self.fit_intercept, max_iter=self.max_iter, tol=self.tol, verbose=self.verbose
        )
        name = "accuracy" if self.scoring is None else self.scoring
        raw = RAW_SCORES.get(name) if isinstance(name, str) else None
        return Cs, model, raw or check_scoring(model, scoring=name)

    def _class_weighted(self, weight: Array | None, classes: Array, index: Array, counts: Array) -> Array | None:
        """The samples' weights times those of their classes."""
        if self.class_weight is None:
            return weight
        # a sample of each class stands for all of them, with their weight
        each = compute_class_weight(self.class_weight, classes=classes, y=classes, sample_weight=counts)[index]
        return each if weight is None else weight * each

    def _folds(self, model: GDLogisticRegression, data: Ingested, labelled: Ingested, scorer: Any) -> None:
        """A path on each fold's training rows, and the scores of its test rows."""
        coefs, scores, steps = [], [], []
        splits = splits_of(self.cv, data, classifier=True)
        small = self._side_by_side(model, labelled, [train for train, _ in splits])
        for k, (train, test) in enumerate(splits):
            if small is None:
                path, taken_steps, _ = class_path(model, self.Cs_, with_weight(labelled, train), len(self.classes_))
            else:
                path, taken_steps = small.coefs[k], small.steps[k]
            left, index = rows_of(data, test), labelled.y[test]
            coefs.append(path)
            scores.append(path_scores(scorer, left, index, path, self.classes_))
            steps.append(taken_steps)
        self.coefs_paths_, self.scores_, self.n_iter_ = np.stack(coefs), np.array(scores), np.stack(steps)

    def _side_by_side(self, model: GDLogisticRegression, labelled: Ingested, trains: list[Array]) -> Any:
        """The paths of all folds together, of two classes and few rows; None for others."""
        return fold_paths(model, self.Cs_, labelled, trains) if len(self.classes_) == 2 else None

    def _leave_one_out(self, model: GDLogisticRegression, data: Ingested, labelled: Ingested, scorer: Any) -> None:
        """A path on all rows, and the scores of the prediction of each by the others."""
        rows = slice(None) if labelled.weight is None else labelled.weight != 0
        y, weight = data.y[rows], None if data.weight is None else data.weight[rows]
        labelled = with_weight(labelled)
        alone = np.flatnonzero(np.bincount(labelled.y) == 1)
        if len(alone):
            raise ValueError(messages.alone_in_its_class(self.classes_.tolist()[alone[0]]))
        small = self._side_by_side(model, labelled, [np.arange(len(labelled.y))])
        if small is None:
            path, steps, ends = class_path(model, self.Cs_, labelled, len(self.classes_))
            for end in ends.values():
                check_coefficients(end.run, end.problem)
            problem, coefs = ends[0].problem, [ends[k].run.coef for k in range(len(ends))]
            alphas = np.array([ends[k].problem.alpha for k in range(len(ends))])
        else:
            path, steps, problem, alphas = small.coefs[0], small.steps[0], small.problems[0], small.alphas[0]
            coefs = list(path[:, 0])
        with np.errstate(all="ignore"), quiet(problem.design):
            raws = left_out(problem, alphas, coefs, None if small is None else small.rows)
        scores = []
        for raw in raws:
            raw = raw.reshape(len(raw), -1)
            if scorer in RAW_SCORES.values():
                scores.append(scorer(raw, labelled.y, weight))
                continue
            model = fitted(GDLogisticRegression(), np.eye(raw.shape[1]), np.zeros(raw.shape[1]), classes_=self.classes_)
            scores.append(scored(scorer, model, raw, y, weight))
        self.coefs_paths_, self.scores_, self.n_iter_ = path[None], np.array([scores]), steps[None]


class GDLinearRegressionCV(GDLinearRegression):
    """Ridge regression whose penalty is chosen by cross-validation.

    By default one row is left out after the other, which takes no fits: the residuals without a row follow exactly from its leverage,
    for all penalties from one eigendecomposition, of the Gram matrix or, of fewer rows than columns, of the rows' inner products. Other
    folds are warm paths over alpha.

    Parameters
    ----------
    alphas : array-like of float, default=(1e-06, 1e-05, 0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
        The values of alpha, each at least 0. The loss is a mean: alpha is that of scikit-learn's `RidgeCV` over the number of rows
        that a fit has, n_samples - 1 where one is left out.

    fit_intercept : bool, default=True
        Whether to add an intercept, which is not penalised.

    scoring : str, callable or None, default=None
        What is best, as `sklearn.metrics.check_scoring` takes it. None is minus the mean squared error with ``cv=None``, and R² of each
        fold's test rows else. With leave-one-out any other is the score of the left-out predictions of all rows together.

    cv : int, splitter, iterable, "loo" or None, default=None
        The folds, as `sklearn.model_selection.check_cv` takes them. None, ``"loo"`` and
        ``sklearn.model_selection.LeaveOneOut()`` leave out one row after the other.

    store_cv_results : bool, default=False
        Whether to keep ``cv_results_``; with leave-one-out alone.

    max_iter : int, default=1000
        Iterations of each fit at the most.

    tol : float, default=1e-6
        When the gradient counts as zero, as `GDLinearRegression` has it.

    verbose : int, default=0
        What each fit prints, as `GDLinearRegression` has it.

    Attributes
    ----------
    alpha_ : float
        The value that was chosen.

    best_score_ : float
        Its score, the mean of the folds'. Of squared errors each is multiplied by its sample's weight.

    cv_results_ : ndarray of shape (n_samples, n_alphas) or (n_samples, n_targets, n_alphas)
        Squared errors of the left-out predictions, times the samples' weights; of another `scoring` the predictions. With
        ``store_cv_results=True``.

    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients; of two dimensions where y has two.

    intercept_ : float or ndarray of shape (n_targets,)
        The intercept; 0 with ``fit_intercept=False``.

    n_iter_ : int
        Steps taken by the fit on all rows.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`; defined only where X has feature names that are all strings.

    See Also
    --------
    GDLinearRegression : The same for one alpha.
    sklearn.linear_model.RidgeCV : The same choice, with a penalty in other units.

    References
    ----------
    .. [1] R. Rifkin and R. Lippert, "Notes on regularized least squares", MIT-CSAIL-TR-2007-025, 2007.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_gd import GDLinearRegressionCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = GDLinearRegressionCV().fit(X, y)
    >>> model.alpha_
    1e-05
    >>> round(model.best_score_, 1)
    -2999.8
    """

    def __init__(
        self,
        *,
        alphas: ArrayLike = ALPHAS,
        fit_intercept: bool = True,
        scoring: Any = None,
        cv: Any = None,
        store_cv_results: bool = False,
        max_iter: int = 1000,
        tol: float = 1e-6,
        verbose: int = 0,
    ) -> None:
        super().__init__(fit_intercept=fit_intercept, max_iter=max_iter, tol=tol, verbose=verbose)
        self.alphas = alphas
        self.scoring = scoring
        self.cv = cv
        self.store_cv_results = store_cv_results

    def _fit(self, X: Any, y: Any, sample_weight: Any, recorder: Any = None, offset: Any = None) -> tuple[Problem, Run]:
        """The scores, the choice, and the fit on all rows."""
        alphas, model, scorer = self._checked()
        data = in_memory(self, X, y, sample_weight)
        self.__dict__.pop("cv_results_", None)
        if self.cv is None or is_loo(self.cv):
            scores = self._leave_one_out(alphas, data, scorer)
        else:
            folds = splits_of(self.cv, data, classifier=False)
            scores = np.mean([fold_scores(model, alphas, data, *fold, scorer) for fold in folds], axis=0)
        best = int(np.argmax(scores))
        self.alpha_, self.best_score_ = float(alphas[best]), float(scores[best])
        problem, run = reported(model, next(descents(model, "alpha", alphas[[best]], with_weight(data))))
        check_coefficients(run, problem)
        results = model._results(run, problem)
        self.coef_, self.intercept_, self.n_iter_ = (results[name] for name in ("coef_", "intercept_", "n_iter_"))
        return problem, run

    def __sklearn_tags__(self) -> Any:
        return without_array_api(super().__sklearn_tags__())

    def _checked(self) -> tuple[Array, GDLinearRegression, Any]:
        """The values of alpha, the model of each fit, and the scorer, with all parameters checked."""
        self._parts()
        check_boolean("store_cv_results", self.store_cv_results)
        checked_cv(self.cv)
        if self.store_cv_results and not (self.cv is None or is_loo(self.cv)):
            raise ValueError(messages.nothing_to_store(self.cv))
        alphas = checked_values("alphas", self.alphas, zero=True)
        model = GDLinearRegression(
            fit_intercept=self.fit_intercept, max_iter=self.max_iter, tol=self.tol, verbose=self.verbose
        )
        return alphas, model, None if self.scoring is None else check_scoring(model, scoring=self.scoring)

    def _leave_one_out(self, alphas: Array, data: Ingested, scorer: Any) -> Array:
        """The score of each alpha, from the residuals of each row by the fit without it."""
        seen, n = with_weight(data), len(data.y)
        if len(seen.y) < 2:
            raise ValueError(messages.nothing_left(len(seen.y)))
        _, target, weight, *_ = self._target(seen.y, seen.weight, seen.X)
        weight = None if weight is None else weight / weight.sum(dtype=np.float64)
        y = target.astype(np.float64).reshape(len(target), -1)
        design: Any = design_for(seen.X, bool(self.fit_intercept))
        rows = slice(None) if data.weight is None else data.weight != 0
        scores = np.empty(len(alphas))
        stored = np.zeros((n, y.shape[1], len(alphas) if self.store_cv_results else 0))
        try:
            with np.errstate(all="ignore"), quiet(design):
                for k, residuals in enumerate(residuals_left_out(design, y, weight, alphas)):
                    each, scores[k] = self._judged(residuals, y, seen, scorer)
                    if self.store_cv_results:
                        stored[rows, :, k] = each
        except NotFiniteError:
            self._refuse_not_finite(seen.X, design)
            raise
        if scorer is None:
            scores *= len(y) / n  # rows without weight are there, with errors of zero
        if self.store_cv_results:
            self.cv_results_ = stored[:, 0] if data.y.ndim == 1 else stored
        return scores

    def _judged(self, residuals: Array, y: Array, data: Ingested, scorer: Any) -> tuple[Array, float]:
        """What is kept of left-out residuals, and their score."""
        if scorer is None:
            errors = np.square(residuals) if data.weight is None else np.square(residuals) * data.weight[:, None]
            return errors, -float(errors.mean())
        left = residuals + y
        model = fitted(GDLinearRegression(), np.eye(y.shape[1]) if data.y.ndim == 2 else np.ones(1), 0.0)
        return left, scored(scorer, model, left, data.y, data.weight)
