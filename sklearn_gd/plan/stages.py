"""The stages of a plan, carried out.

Two uses: the run of ``learning_rate="auto"``, and of a metric that the user has chosen for it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from ..descent import Run
from ..losses import HalfSquaredError
from .dual import dual, rows
from .least_squares import gram, in_metric, products, rounded
from .newton import fixed, newton, newton_cg, sketch
from .planning import Plan
from .policy import buys, rest
from .problem import Problem

__all__ = ["WAYS", "follow"]

#: name -> what goes on with a run, or begins one, in that way
WAYS: dict[str, Callable[..., Run]] = {
    "products": products,
    "rounded": rounded,
    "gram": gram,
    "dual": dual,
    "newton_cg": newton_cg,
    "newton": newton,
    "rows": rows,
    "sketch": sketch,
}


class Rent:
    """Whether to leave a stage for the next one, asked after each of its iterations."""

    def __init__(self, plan: Plan, price: float) -> None:
        self.plan, self.price = plan, price
        self.products = price / plan.product
        self.work: list[float] = []
        self.norms: list[float] = []

    def __call__(self, run: Run) -> bool:
        self.work.append(run.objective.passes * self.plan.product + run.iteration * self.plan.iteration)
        # the criterion is relative to the loss, which may fall as fast as the gradient for a while
        self.norms.append(run.history.norm * math.sqrt(max(run.base.value, 0.0)))
        left = run.history.norm / max(run.stopping.tol, run.rounding.eps)
        return buys(self.work[-1] - self.work[0], rest(self.work, self.norms, left), self.price)


def follow(plan: Plan, problem: Problem, preconditioner: str | None) -> Run:
    """Descend by the stages of a plan, to the end or until the last."""
    run: Any = None
    for stage, *later in (plan.stages[k:] for k in range(len(plan.stages))):
        way = WAYS.get(stage.way)
        if way is None:
            fixed_way = in_metric if isinstance(problem.loss, HalfSquaredError) else fixed
            way = functools.partial(fixed_way, name=preconditioner)
        run = way(problem, run, Rent(plan, later[0].cost) if later else None)
        if run.reason is not None:
            break
    return run
