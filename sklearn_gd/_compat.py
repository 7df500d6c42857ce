"""What differs between the supported versions of scikit-learn, and names of its own with an underscore, at one place.

Two uses: the estimators' callbacks and links; the search, which goes the way of ``GridSearchCV`` step by step.

scikit-learn 1.9 brought callbacks. The documented entry of its mixin for an estimator's author,
``_init_callback_context``, and the two attributes that tell whether there is anybody to call, have an underscore in their
names; they are used here and nowhere else. On older versions there is nothing to call.

The attributes from which scikit-learn makes the link in an object's HTML representation have an underscore, too.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

__all__ = [
    "DOCUMENTATION",
    "CallbackSupportMixin",
    "Documented",
    "at_rows",
    "callback_root",
    "choose_best",
    "evaluate",
    "has_callbacks",
    "requested",
    "score",
    "tell_failures",
    "with_callbacks",
]

try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as managed
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef, unused-ignore]
        """Nothing: this scikit-learn has no callbacks."""

    def managed(method: Any) -> Any:
        return method


def has_callbacks(estimator: Any) -> bool:
    return hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx")


def with_callbacks(fit: Any) -> Any:
    """scikit-learn's decorator, which tears callbacks down, for a fit that has some: without them it pays nothing."""
    told = managed(fit)

    @functools.wraps(fit)
    def either(estimator: Any, *args: Any, **kwargs: Any) -> Any:
        return (told if has_callbacks(estimator) else fit)(estimator, *args, **kwargs)

    return either


def callback_root(estimator: Any, max_subtasks: int) -> Any:
    """The root context of a fit, or None where no callback is set."""
    return estimator._init_callback_context(max_subtasks=max_subtasks) if has_callbacks(estimator) else None


#: Where the documentation is on the web, with a slash at the end. Empty until it is published: this is what to change then.
DOCUMENTATION = ""


class Documented:
    """Links the HTML representation to the page of the API reference, named as autosummary names it."""

    # scikit-learn links the objects of this module and no others: of none, as long as there are no pages to link to.
    _doc_link_module = "sklearn_gd" if DOCUMENTATION else ""
    _doc_link_template = DOCUMENTATION + "api/{estimator_module}.{estimator_name}.html"


# -- the steps of GridSearchCV.fit; what they need is imported with it -------------------------------------------------------


def requested(search: Any, X: Any, params: dict[str, Any]) -> tuple[Any, str, Any]:
    """The scorers of a search with valid parameters, the metric that it refits by, and what is passed on to whom."""
    from sklearn import get_config
    from sklearn.utils.validation import _check_method_params

    if not get_config()["skip_parameter_validation"]:
        search._validate_params()
    scorers, metric = search._get_scorers()
    return scorers, metric, search._get_routed_params_for_fit(_check_method_params(X, params=params))


def at_rows(X: Any, params: dict[str, Any], rows: Any) -> dict[str, Any]:
    """Parameters of a method for some rows of X: those with an entry a row are cut."""
    from sklearn.utils.validation import _check_method_params

    cut: dict[str, Any] = _check_method_params(X, params=params, indices=rows)
    return cut


def score(estimator: Any, X: Any, y: Any, scorers: Any, params: dict[str, Any], error_score: Any) -> Any:
    """The scores of a fitted estimator: a number, or one a name."""
    from sklearn.model_selection._validation import _score

    return _score(estimator, X, y, scorers, params, error_score)


def tell_failures(search: Any, told: Sequence[dict[str, Any]], out: Sequence[dict[str, Any]]) -> None:
    """Tell of fits that failed, or raise an error if all did; give those among `out` as many scores as the others have."""
    from sklearn.model_selection._validation import _insert_error_scores, _warn_or_raise_about_fit_failures

    if any(each["fit_error"] is not None for each in told):
        _warn_or_raise_about_fit_failures(told, search.error_score)
    if callable(search.scoring):
        _insert_error_scores(out, search.error_score)


def choose_best(search: Any, metric: str, scores: Any, results: dict[str, Any]) -> None:
    """Set what a search finds, from its results and the scores of one fit."""
    search.multimetric_ = isinstance(scores, dict)
    if callable(search.scoring) and search.multimetric_:
        search._check_refit_for_multimetric(scores)
        metric = search.refit
    if search.refit or not search.multimetric_:
        search.best_index_ = search._select_best_index(search.refit, metric, results)
        if not callable(search.refit):
            search.best_score_ = results[f"mean_test_{metric}"][search.best_index_]
        search.best_params_ = results["params"][search.best_index_]


def evaluate(search: Any, evaluate_candidates: Any, candidates: Sequence[Any], cv: Any, context: Any) -> None:
    """Fit and score candidates on the splits of cv, or of the search's own where that is None, and tell the callbacks."""
    if context is None:  # scikit-learn < 1.9
        evaluate_candidates(candidates, cv=cv)
        return
    told = context.subcontext(
        task_name="search", max_subtasks=len(candidates) * search.n_splits_, sequential_subtasks=False
    )
    told.call_on_fit_task_begin(estimator=search)
    evaluate_candidates(candidates, cv=cv, callback_ctx=told)
    told.call_on_fit_task_end(estimator=search)
