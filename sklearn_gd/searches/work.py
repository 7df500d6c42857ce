"""The work that candidates share: who shares, what was found for each on every split, and what has to be said of it.

Two uses: second moments, from which fits of squared error follow (`gram`); and paths over a penalty, on which each fit begins where the last
one ended (`walk`).
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ParameterGrid, check_cv
from sklearn.utils import indexable

from .. import messages
from .._compat import requested, tell_failures
from ..exceptions import DivergenceWarning
from ..protocols import Array
from .sharing import REFUSED, Model

__all__ = ["Work"]

# Why a candidate is fitted on its own whose divergence ends the search.
STRICT = "it diverges, which on_divergence='raise' makes an error, and error_score='raise' the search's"


class Work(ABC):
    """A search's candidates and splits, and what comes of those that can be shared.

    Parameters
    ----------
    search : GDSearchCV
    model : Model
    X, y, params : as `GDSearchCV.fit` has them

    Attributes
    ----------
    candidates : list of dict
    settings : list of object
        What a candidate asks for.
    splits : list of (train, test)
    scorers, metric, routed : as scikit-learn's search has them
    reasons : list of str or None
        Why a candidate is not shared.
    failing : set of int
        Those of which some fit is an error.
    out : list of list of dict
        What was found for a candidate, a split each.

    Raises
    ------
    KeyError
        For a parameter that there is not.
    """

    def __init__(self, search: Any, model: Model, X: Any, y: Any, params: dict[str, Any]) -> None:
        self.search, self.model = search, model
        self.X, self.y = indexable(X, y)
        self.scorers, self.metric, self.routed = requested(search, self.X, params)
        self.candidates: list[dict[str, Any]] = list(ParameterGrid(search.param_grid))
        self.settings = [self.setting(candidate) for candidate in self.candidates]
        self.reasons = [setting if isinstance(setting, str) else None for setting in self.settings]
        self.failing = {number for number, reason in enumerate(self.reasons) if reason and REFUSED in reason}
        self.splits: list[tuple[Array, Array]] = []
        self.out: list[list[dict[str, Any]]] = [[] for _ in self.candidates]
        self.ends: dict[str, list[int]] = {"max_iter": [], "diverged": []}

    # -- what a way of sharing adds -------------------------------------------------------------------------------------

    @abstractmethod
    def setting(self, candidate: Mapping[str, Any]) -> Any:
        """What a candidate asks for, or a str that says why it is fitted on its own."""

    @abstractmethod
    def ready(self, weight: Any) -> bool:
        """Whether the data can be shared; the weights are those of the fits, or None."""

    @abstractmethod
    def evaluate(self) -> None:
        """Find the results of all that are shared on all splits."""

    def refitted(self, number: int) -> Any:
        """A candidate's estimator on all rows; None where it is to be fitted as any other."""
        return None

    # -- the candidates -------------------------------------------------------------------------------------------------

    @property
    def shared(self) -> list[int]:
        """The candidates that are."""
        return [number for number, reason in enumerate(self.reasons) if reason is None]

    @property
    def plain(self) -> list[dict[str, Any]]:
        """The candidates that are fitted on their own."""
        pairs = zip(self.candidates, self.reasons, strict=True)
        return [candidate for candidate, reason in pairs if reason is not None]

    def with_plain(self, out: Sequence[dict[str, Any]], n_splits: int) -> list[dict[str, Any]]:
        """The results of all candidates in their order, from those of the others; shared fits that failed are told."""
        others = iter(out)
        found: list[dict[str, Any]] = []
        told: list[dict[str, Any]] = []
        for own, reason in zip(self.out, self.reasons, strict=True):
            these = own if reason is None else list(itertools.islice(others, n_splits))
            found += these
            # scikit-learn has told those of the others
            told += own if reason is None else [each for each in these if each["fit_error"] is None]
        tell_failures(self.search, told, found)
        return found

    def leave(self, reason: str, candidates: Sequence[int] | None = None) -> None:
        """Let candidates, or all, be fitted on their own."""
        for number in self.shared if candidates is None else candidates:
            self.reasons[number] = self.reasons[number] or reason

    def share(self) -> None:
        """Find the results of all candidates that can be shared."""
        given = dict(self.routed.estimator.fit)
        weight = given.pop(f"{self.model.last}__sample_weight" if self.model.last else "sample_weight", None)
        if given:
            self.leave(f"fit is passed {', '.join(given)}")
        if not self.shared or not self.ready(weight):
            return
        cv = check_cv(self.search.cv, self.y, classifier=is_classifier(self.search.estimator))
        splits = list(cv.split(self.X, self.y, **self.routed.splitter.split))
        self.splits = [(_numbers(train), _numbers(test)) for train, test in splits]
        self.evaluate()

    def note(
        self, members: Sequence[int], scores: Mapping[str, Sequence[Any]], n_test: int, times: tuple[float, float]
    ) -> None:
        """Note the results of a split.

        Parameters
        ----------
        members : sequence of int
            The candidates.
        scores : dict of str to sequence
            Those on the ``"test"`` and the ``"train"`` part, for each candidate a number, or one a name.
        n_test : int
            Rows of the test part.
        times : tuple of float
            Seconds of all fits, and of all scores.
        """
        for place, number in enumerate(members):
            self.out[number].append(
                {
                    "fit_error": None,
                    **{f"{name}_scores": values[place] for name, values in scores.items()},
                    "n_test_samples": n_test,
                    "fit_time": times[0] / len(members),
                    "score_time": times[1] / len(members),
                }
            )

    def without_errors(self, members: Sequence[int], fits: Mapping[int, Any], n_test: int, seconds: float) -> list[int]:
        """The candidates of a split that have scores; a divergence that is an error is noted as one.

        Parameters
        ----------
        members : sequence of int
            The candidates, whose settings say whether they are ``strict``.
        fits : dict of int to Fit
        n_test : int
            Rows of the test part.
        seconds : float
            Of all fits.
        """
        wrong = [n for n in members if fits[n].reason == "diverged" and self.settings[n].strict]
        score = self.search.error_score
        if score == "raise":
            self.leave(STRICT, wrong)
            self.failing.update(wrong)
        # several scorers that have names; of a function scikit-learn asks later for how many scores it has
        names = getattr(self.scorers, "_scorers", None)
        parts = ("test", "train") if self.search.return_train_score else ("test",)
        for number in wrong:
            self.out[number].append(
                {
                    "fit_error": messages.search_fit_diverged(fits[number].n_iter, self.candidates[number]),
                    **{f"{part}_scores": score if names is None else dict.fromkeys(names, score) for part in parts},
                    "n_test_samples": n_test,
                    "fit_time": seconds / len(members),
                    "score_time": 0.0,
                }
            )
        return [number for number in members if number not in wrong]

    def warnings(self) -> list[tuple[str, type[Warning]]]:
        """What has to be said of the ends of the shared fits: of those that did not converge, and of those that diverged."""
        kinds = (
            ("max_iter", messages.search_unconverged, ConvergenceWarning),
            ("diverged", messages.search_diverged, DivergenceWarning),
        )
        said: list[tuple[str, type[Warning]]] = []
        for reason, text, category in kinds:
            ends = [n for n in self.ends[reason] if self.reasons[n] is None]
            if ends:
                numbers = sorted(set(ends))
                total = len(self.shared) * len(self.splits)
                said.append((text(len(ends), total, numbers, [self.candidates[n] for n in numbers]), category))
        return said


def _numbers(rows: Any) -> Array:
    """Rows by their numbers, which splitters may give as a mask."""
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows
