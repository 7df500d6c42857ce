"""Candidates that differ in the penalty alone: a path on each training part, from one value to the next.

Two uses: `GDLogisticRegression` and `GDPoissonRegression`, bare or behind any transformers, which are fitted once for all values.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from .._compat import at_rows, has_callbacks, score
from ..linear_model import GDLogisticRegression
from ..poisson import GDPoissonRegression
from ..protocols import Array
from ..steps import PlaneSearch
from ..workers import is_dask
from .paths import fit_path
from .sharing import REFUSED
from .work import Work

__all__ = ["PENALTY", "PathWork"]

#: The parameter that a path is over.
PENALTY: dict[type, str] = {GDLogisticRegression: "C", GDPoissonRegression: "alpha"}


class Place(NamedTuple):
    """Where a candidate is on a path.

    Attributes
    ----------
    path : tuple of (str, int)
        The candidate's other parameters and their values' identities: a grid has one object for each value.
    value : float
        Of the penalty.
    """

    path: tuple[tuple[str, int], ...]
    value: float


class PathWork(Work):
    """As `Work`, for `GDLogisticRegression` and `GDPoissonRegression`."""

    @property
    def penalty(self) -> str:
        """The parameter that a path is over."""
        return PENALTY[type(self.model.steps[self.model.last])]

    @property
    def name(self) -> str:
        """The same, as candidates call it."""
        return f"{self.model.last}__{self.penalty}" if self.model.last else self.penalty

    def setting(self, candidate: Mapping[str, Any]) -> Place | str:
        kind = type(self.model.steps[self.model.last])
        if self.name not in candidate:
            return f"{kind.__name__} shares the fits along a path over {self.penalty}"
        try:
            model = self.last_of(self.made(candidate))
        except ValueError as error:
            raise KeyError(str(error)) from error
        if type(model) is not kind:
            return f"{type(model).__name__} has no path over {self.penalty}"
        try:
            rule, _, _ = model._parts()
        except (TypeError, ValueError) as error:
            return f"{type(model).__name__} {REFUSED}: {error}"
        if type(rule) is not PlaneSearch:
            return f"learning_rate={model.learning_rate!r} has iterates of its own, which depend on the start"
        if model.verbose or has_callbacks(model) or not isinstance(model.init, str):
            return "its start, its callbacks or its verbose are its own"
        others = tuple(sorted((key, id(value)) for key, value in candidate.items() if key != self.name))
        return Place(others, float(getattr(model, self.penalty)))

    def ready(self, weight: Any) -> bool:
        self.weight = weight
        if any(is_dask(array) for array in (self.X, self.y, weight)):
            self.leave("the data are Dask collections, of which each fit reads its own rows")
        for members in self.paths().values():
            if len(members) == 1:
                self.leave(f"no other candidate differs from it in {self.penalty} alone", members)
        return bool(self.shared)

    def paths(self) -> dict[Any, list[int]]:
        """The shared candidates of each path."""
        found: dict[Any, list[int]] = {}
        for number in self.shared:
            found.setdefault(self.settings[number].path, []).append(number)
        return found

    def made(self, candidate: Mapping[str, Any]) -> Any:
        """The estimator of a candidate."""
        return clone(self.search.estimator).set_params(**clone(dict(candidate), safe=False))

    def last_of(self, estimator: Any) -> Any:
        """The model in it."""
        return estimator.steps[-1][1] if self.model.last else estimator

    def evaluate(self) -> None:
        for train, test in self.splits:
            for members in self.paths().values():
                start = time.perf_counter()
                try:
                    estimators = self.fitted(members, train)
                except (ArithmeticError, LookupError, TypeError, ValueError) as error:
                    self.leave(f"its path failed: {error}", members)
                    continue
                middle = time.perf_counter()
                scores = {"test": self.scores(estimators, test)}
                if self.search.return_train_score:
                    scores["train"] = self.scores(estimators, train)
                self.note(members, scores, len(test), (middle - start, time.perf_counter() - middle))

    def fitted(self, members: list[int], train: Array) -> list[Any]:
        """The estimators of a path, fitted on a training part."""
        X, y = _safe_indexing(self.X, train), _safe_indexing(self.y, train)
        weight = at_rows(self.X, {"weight": self.weight}, train)["weight"]
        first = self.made(self.candidates[members[0]])
        front: list[Any] = []
        if self.model.last and len(first.steps) > 1:
            pipeline = Pipeline(first.steps[:-1])
            X, front = pipeline.fit_transform(X, y), pipeline.steps
        models = fit_path(self.last_of(first), self.penalty, [self.settings[n].value for n in members], X, y, weight)
        if not self.model.last:
            return list(models)
        estimators = []
        for number, model in zip(members, models, strict=True):
            estimator = self.made(self.candidates[number])
            estimator.steps = [*front, (self.model.last, model)]
            estimators.append(estimator)
        return estimators

    def scores(self, estimators: list[Any], rows: Array) -> list[Any]:
        """Their scores on some rows."""
        X, y = _safe_indexing(self.X, rows), _safe_indexing(self.y, rows)
        params = at_rows(self.X, self.routed.scorer.score, rows)
        return [score(each, X, y, self.scorers, params, self.search.error_score) for each in estimators]
