"""From data to the optimum in three steps: prepare, plan, run.

    prepared = Prepared(design, y, weight)         what the data are: immutable, without alpha or rate
    plan = plan_for(problem, ...)                  by which stages the optimum is sought, and what they cost
    run = follow(plan, problem)                    the descent

Two uses: a rule that the user has chosen, whose plan is one stage on the linear model's loss as it stands; and ``learning_rate="auto"``,
which is free to choose the form of the problem and its metric, too.

This is, beside `base`, the one place where the method tower meets the problem tower: choosing a metric needs to know
what a product with X costs, and neither tower may know both.
"""

from __future__ import annotations

from .batches import MiniBatches
from .ending import NOTICED, as_stored, note_rounding, separated
from .planning import Plan, Stage, plan_for
from .problem import Constant, Prepared, Problem, Rounds, explicit
from .rounds import ScaleRounds, SmoothingRounds
from .stages import follow

__all__ = [
    "NOTICED",
    "Constant",
    "MiniBatches",
    "Plan",
    "Prepared",
    "Problem",
    "Rounds",
    "ScaleRounds",
    "SmoothingRounds",
    "Stage",
    "as_stored",
    "explicit",
    "follow",
    "note_rounding",
    "plan_for",
    "separated",
]
