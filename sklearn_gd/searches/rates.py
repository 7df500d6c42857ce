"""Candidates of logistic regression whose learning rates are known beforehand: side by side on each training part.

Two uses: `GDLogisticRegression` bare; and behind any transformers, which are fitted once for all of them. Those without learning rates are
paths over the penalty, as `walk` has them.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from .._compat import at_rows, has_callbacks
from ..designs.threads import quiet
from ..linear_model import GDLogisticRegression
from ..momentum import HeavyBall, Nesterov, NoMomentum
from ..plan import Problem, as_stored
from ..protocols import Array, Momentum
from ..steps import Schedule, rule_for
from .paths import follower, penalty
from .sharing import REFUSED
from .squares import Fit
from .trajectories import Asked, Trajectory, follow_all
from .walk import PathWork

__all__ = ["RateWork"]

# Why a candidate is fitted on its own that asks for neither.
NEITHER = (
    "logistic regression shares fits along a path over C, and those with learning rates that never look at the loss"
)
# Parameters that descents on the same data may differ in, and those that say where they end.
OWN, ENDS = ("C", "learning_rate", "momentum"), ("max_iter", "tol", "on_divergence")

# Multiplications of a read for each coefficient, below which work on coefficients takes the time that reading together saves: of few descents,
# and of many. 30 x 5,000 two took 1.4 times as long as one by one, three as long, twenty half; 200 x 2,000 two as long. Of so few columns the
# interpreter's time is what is saved.
FEW, OF_FEW, OF_MANY, FEW_COLUMNS = 4, 100, 8, 512


def alone(problem: Problem, count: int) -> str | None:
    """Why so many descents of a problem take no less time together than one by one."""
    design: Any = problem.design
    if problem.loss.coupled and not design.at_once:
        return "several classes share the reads of large data already"
    if design.size > FEW_COLUMNS and design.work < (OF_FEW if count < FEW else OF_MANY) * design.size:
        return f"{count} descents on as few entries for as many columns are as fast one by one"
    return None


class Track(NamedTuple):
    """Which descent a candidate asks for, and its end there.

    Attributes
    ----------
    path : tuple of (str, int)
        The parameters that say what the data are, and their values' identities: a grid has one object for each value.
    descent : tuple of (str, int)
        The same of those that the descent is made of.
    rule, momentum : parts
    estimator : estimator
        The candidate's; not fitted.
    model : GDLogisticRegression
        The model in it.
    """

    path: tuple[tuple[str, int], ...]
    descent: tuple[tuple[str, int], ...]
    rule: Schedule
    momentum: Momentum
    estimator: Any
    model: GDLogisticRegression

    @property
    def strict(self) -> bool:
        """Whether divergence is an error."""
        return self.model.on_divergence == "raise"


class RateWork(PathWork):
    """As `Work`, for `GDLogisticRegression`."""

    def setting(self, candidate: Mapping[str, Any]) -> Any:
        if not self._scheduled(candidate):
            return super().setting(candidate) if self.name in candidate else NEITHER
        try:
            estimator = self.made(candidate)
        except ValueError as error:
            raise KeyError(str(error)) from error
        model = self.last_of(estimator)
        if type(model) is not GDLogisticRegression:
            return super().setting(candidate)
        try:
            rule, momentum, preconditioner = model._parts()
        except (TypeError, ValueError) as error:
            return f"{type(model).__name__} {REFUSED}: {error}"
        if model.verbose or has_callbacks(model):
            return "its callbacks or its verbose are its own"
        if model.batch_size is not None:
            return f"batch_size={model.batch_size} draws the batches of every fit"
        if isinstance(model.init, str) and model.init != "zeros":
            return f"init={model.init!r} draws another start for every fit"
        if preconditioner is not None or type(momentum) not in (NoMomentum, HeavyBall, Nesterov):
            return f"preconditioner={preconditioner!r} and momentum={model.momentum!r} have a descent of their own"
        data: list[tuple[str, int]] = []
        descent: list[tuple[str, int]] = []
        prefix = f"{self.model.last}__" if self.model.last else ""
        for key, value in candidate.items():
            name = key.removeprefix(prefix).partition("__")[0] if key.startswith(prefix) else ""
            if name not in ENDS:
                (descent if name in OWN else data).append((key, id(value)))
        return Track(tuple(sorted(data)), tuple(sorted(descent)), rule, momentum, estimator, model)  # type: ignore[arg-type]

    def _scheduled(self, candidate: Mapping[str, Any]) -> bool:
        """Whether the model's learning rate is one that is known beforehand; where it is none at all the model says so."""
        model = candidate.get(self.model.last, self.model.steps[self.model.last])
        name = f"{self.model.last}__learning_rate" if self.model.last else "learning_rate"
        try:
            return isinstance(rule_for(candidate.get(name, getattr(model, "learning_rate", "auto"))), Schedule)
        except (TypeError, ValueError):
            return False

    def paths(self) -> dict[Any, list[int]]:
        """The shared candidates that are on paths over the penalty."""
        found: dict[Any, list[int]] = {}
        for number in self.shared:
            if not isinstance(self.settings[number], Track):
                found.setdefault(self.settings[number].path, []).append(number)
        return found

    def alike(self) -> list[list[int]]:
        """The shared candidates that descend on the same data."""
        found: dict[Any, list[int]] = {}
        for number in self.shared:
            if isinstance(self.settings[number], Track):
                found.setdefault(self.settings[number].path, []).append(number)
        return list(found.values())

    def ready(self, weight: Any) -> bool:
        super().ready(weight)
        for members in self.alike():
            if len(members) == 1:
                self.leave("no other candidate descends on the same data", members)
        return bool(self.shared)

    def evaluate(self) -> None:
        super().evaluate()
        for train, test in self.splits:
            for members in self.alike():
                try:
                    self._side_by_side(members, train, test)
                except (ArithmeticError, LookupError, TypeError, ValueError) as error:
                    self.leave(f"its fit failed: {error}", members)
                    self.failing.update(members)

    def _side_by_side(self, members: list[int], train: Array, test: Array) -> None:
        """The results of candidates on a split."""
        start = time.perf_counter()
        X, y = _safe_indexing(self.X, train), _safe_indexing(self.y, train)
        weight = at_rows(self.X, {"weight": self.weight}, train)["weight"]
        first = self.settings[members[0]].estimator
        front: list[Any] = []
        if self.model.last and len(first.steps) > 1:
            pipeline = Pipeline(first.steps[:-1])
            X, front = pipeline.fit_transform(X, y), pipeline.steps
        strongest = min(members, key=lambda number: float(self.settings[number].model.C))
        model = copy.copy(self.settings[strongest].model)
        data = model._ingest(X, y, weight)
        problem, attributes = model._problem(data)
        known = {name: value for name, value in vars(model).items() if name in ("n_features_in_", "feature_names_in_")}
        if problem.design.where != "memory" or data.place is not None or data.labels is not None:
            self.leave("the data are not NumPy's", members)
            return
        with np.errstate(all="ignore"), quiet(problem.design):
            fits = self._fits(members, problem, float(model.C))
        members = [number for number in members if number in fits]
        if not members:
            return
        middle = time.perf_counter()
        members = self.without_errors(members, fits, len(test), middle - start)
        estimators = [self._estimator(number, problem, fits[number], front, known | attributes) for number in members]
        middle = time.perf_counter()
        scores = {"test": self.scores(estimators, test)}
        if self.search.return_train_score:
            scores["train"] = self.scores(estimators, train)
        for number in members:
            if fits[number].reason in self.ends:
                self.ends[fits[number].reason].append(number)
        self.note(members, scores, len(test), (middle - start, time.perf_counter() - middle))

    def _fits(self, members: list[int], first: Problem, strongest: float) -> dict[int, Fit]:
        """Where candidates end; those whose rules raise errors are left."""
        descents: dict[Any, list[int]] = {}
        for number in members:
            descents.setdefault(self.settings[number].descent, []).append(number)
        reason = alone(first, len(descents))
        if reason is not None:
            self.leave(reason, members)
            return {}
        start, problems, trajectories = first.start, {strongest: first}, []
        for alike in descents.values():
            track: Track = self.settings[alike[0]]
            C = float(track.model.C)
            if C not in problems:
                problems[C] = follower(first, penalty(first, "C", strongest, C))
            asked = [Asked(n, int(self.settings[n].model.max_iter), float(self.settings[n].model.tol)) for n in alike]
            trajectories.append(Trajectory(problems[C], start, track.rule, track.momentum, asked))
        follow_all(trajectories)
        for alike, trajectory in zip(descents.values(), trajectories, strict=True):
            if trajectory.error is not None:
                self.leave(f"its fit failed: {trajectory.error}", alike)
                self.failing.update(alike)
        return {
            number: fit
            for trajectory in trajectories
            if trajectory.error is None
            for number, fit in trajectory.fits.items()
        }

    def _estimator(
        self, number: int, problem: Problem, fit: Fit, front: list[Any], attributes: Mapping[str, Any]
    ) -> Any:
        """The estimator of a candidate, as if it had been fitted."""
        track: Track = self.settings[number]
        model: Any = copy.copy(track.model)
        stored = as_stored(problem, fit.coef.reshape(problem.start.shape))
        coef, intercept = (stored[:-1], stored[-1]) if model.fit_intercept else (stored, np.zeros(stored.shape[1:]))
        coef, intercept = model._shaped(np.ascontiguousarray(coef.T), intercept.astype(stored.dtype))
        vars(model).update(attributes, coef_=coef, intercept_=intercept, n_iter_=fit.n_iter, stop_reason_=fit.reason)
        if not self.model.last:
            return model
        estimator = copy.copy(track.estimator)
        estimator.steps = [*front, (self.model.last, model)]
        return estimator
