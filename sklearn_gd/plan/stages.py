"""The stages of a plan, carried out.

Two uses: the run of ``learning_rate="auto"``, and of a metric that the user has chosen for it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..descent import Run
from .dual import dual, rows
from .ending import settled
from .least_squares import gram, products, rounded
from .newton import fixed, newton, newton_cg, sketch
from .planning import Plan, Stage
from .policy import buys, rest
from .problem import Problem, in_rounds, plane_descent
from .quantiles import quantiles

__all__ = ["WAYS", "Rent", "Way", "follow"]


class Way(NamedTuple):
    """How to go on with a run, or begin one.

    Attributes
    ----------
    form : str
        What is minimised, in which coordinates.
    rule : str
        By which steps.
    setup : str
        What is bought for it; empty where it needs no set-up.
    go : callable (problem, run or None, until) -> run
    """

    form: str
    rule: str
    setup: str
    go: Callable[..., Run]


#: name -> way, as stages have them
WAYS: dict[str, Way] = {
    "products": Way("quadratic by its products", "plane search", "", products),
    "rounded": Way("quadratic by its products", "plane search", "a Gram matrix in single precision", rounded),
    "gram": Way("normal equation", "Newton's step", "a Gram matrix", gram),
    "dual": Way("dual normal equation", "Newton's step", "products of the rows", dual),
    "newton_cg": Way("coefficients", "Newton-CG", "", newton_cg),
    "newton": Way("coefficients", "Newton's step, plane search", "Hessians", newton),
    "rows": Way("span of the rows", "Newton's step, plane search", "products of the rows", rows),
    "quantiles": Way("coefficients", "Newton's step", "", quantiles),
    "sketch": Way("coefficients", "Newton-CG", "a sketch of the Hessian", sketch),
}


class Rent:
    """Whether to leave a stage for the next one, asked after each of its iterations."""

    def __init__(self, plan: Plan, price: float) -> None:
        self.plan, self.price = plan, price
        self.products = price / plan.product
        self.work: list[float] = []
        self.norms: list[float] = []

    def __call__(self, run: Run) -> bool:
        self.work.append(run.objective.passes * self.plan.read + run.iteration * self.plan.iteration)
        # the criterion is relative to the loss, which may fall as fast as the gradient for a while
        self.norms.append(run.history.norm * math.sqrt(max(run.base.value, 0.0)))
        left = run.history.norm / max(run.stopping.tol, run.rounding.eps)
        return buys(self.work[-1] - self.work[0], rest(self.work, self.norms, left), self.price)


def follow(plan: Plan, problem: Problem, preconditioner: str | None, run: Any = None) -> Run:
    """Descend by the stages of a plan, from where a run is or anew, to the end or until the last; what was done is in the run's log."""
    tol, loose = problem.tol, problem.rounds is not None and plan.stages[0].way == "newton"
    if problem.rounds is not None and loose:
        problem.tol = max(tol, problem.rounds.loose)
    for k, stage in enumerate(plan.stages):
        later = plan.stages[k + 1 :]
        way = WAYS.get(stage.way) or chosen(preconditioner)
        run = way.go(problem, run, Rent(plan, later[0].cost) if later else None)
        left = None if run.reason or not later else f"for {WAYS[later[0].way].setup}"
        run.end_stage(way.form, run.metric.name, way.rule, problem.design.passes, left)
        if run.reason is not None:
            break
    if problem.rounds is not None and way.go is not quantiles:
        steps = run.iteration
        if loose:
            problem.tol = run.stopping.tol = tol
        descents = Descents(plan, problem, way, later)
        in_rounds(problem, run, descents)
        if loose:
            settled(problem, run)
        if run.iteration > steps:
            run.end_stage(descents.way.form, run.metric.name, "plane search", problem.design.passes)
    return run


class Descents:
    """The descents on renewed losses: in the metric at hand, until a better one is bought there.

    Parameters
    ----------
    plan : Plan
    problem : Problem
    way : Way
        That led to the first loss's minimum.
    later : sequence of Stage
        What has not been bought.
    """

    def __init__(self, plan: Plan, problem: Problem, way: Way, later: Sequence[Stage]) -> None:
        self.plan, self.problem, self.way, self.later = plan, problem, way, later

    def __call__(self, run: Run) -> None:
        problem, later = self.problem, self.later
        plane_descent(problem, run, Rent(self.plan, later[0].cost) if later else None)
        if run.reason is None:
            way = WAYS[later[0].way]
            run.end_stage(self.way.form, run.metric.name, "plane search", problem.design.passes, f"for {way.setup}")
            self.way, self.later = way, later[1:]
            way.go(problem, run, Rent(self.plan, self.later[0].cost) if self.later else None)


def chosen(preconditioner: str | None) -> Way:
    """Plane searches in a metric that the user has chosen."""
    return Way("coefficients", "plane search", "", functools.partial(fixed, name=preconditioner))
