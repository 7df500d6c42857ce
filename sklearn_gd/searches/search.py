"""GDSearchCV: scikit-learn's grid search, with fits that share their work where they can.

Two uses: penalties and learning rates of squared error, whose fits on all splits follow from second moments of a few groups of
rows; and, by itself, any other grid search, candidate by candidate.
"""

from __future__ import annotations

import time
import warnings
from typing import Any, Self

from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid, check_cv

from .. import messages
from .._compat import choose_best, evaluate, has_callbacks
from .sharing import Sharing, model_of
from .work import Work

__all__ = ["GDSearchCV"]

# Why a candidate that could be shared is fitted as the others are.
TOLD = "callbacks of the search see one fit at the least"
WITNESS = "all others that are fitted fail, which is no error of the whole search"


class GDSearchCV(GridSearchCV):
    _work: Any = None

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        self.__dict__.pop("shared_", None)
        model = model_of(self.estimator)
        if hasattr(self.cv, "__next__"):
            model = "cv is an iterator, which can be read once"
        if isinstance(model, str):
            return self._plain(model, X, y, params)
        try:
            work = Work(self, model, X, y, params)
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
        results = super()._format_results(work.candidates, len(work.splits), out)
        self.n_splits_ = len(work.splits)
        choose_best(self, work.metric, out[0]["test_scores"], results)
        if self.refit:
            best = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
            start = time.time()
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
