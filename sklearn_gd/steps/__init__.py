"""Learning rates: how far to go along a direction.

Two uses: a number or a schedule, which never looks at the function (`Constant`, `InverseTime`, ...), and rules that do
(`PlaneSearch`, `Backtracking`, `AdGD`, ...), or at its gradients alone (`Adam`, ...). Which one? ``"auto"``, unless the rate itself is what you study.

A rule's ``begin(run)`` returns a function ``choose(space, factor)``, called once an iteration. ``space`` is the subspace
spanned by the direction and, where there is momentum, the last step; ``factor`` is the momentum's multiple of the last
step. It returns the coordinates of the step in the subspace, and the point there if the rule has computed it. A
rule's parameters never change; what it remembers of a run lives in the function.

``plane`` says that a rule chooses the momentum, too; ``momentum`` whether it may be combined with one; ``scheduled``
that it never looks at the function's values, so that the defaults of everything else are the textbook's; ``metric`` whether it
may be combined with a preconditioner.

The files have an underscore, because a rule is documented as `sklearn_gd.steps.Constant`, wherever it is written; scikit-learn
links it so.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from .. import messages
from .._checks import check_choice
from ._adaptive import AdaGrad, Adam, AMSGrad, RMSProp
from ._bounds import Lipschitz, Silver
from ._lines import Backtracking, Wolfe
from ._newton import Exact, PlaneSearch, newton_search
from ._rules import Rule
from ._schedules import Constant, Cosine, Custom, Exponential, InverseTime, Schedule, StepDecay, schedule_for
from ._secants import AdGD, BarzilaiBorwein, Polyak

__all__ = [
    "RULES",
    "AMSGrad",
    "AdGD",
    "AdaGrad",
    "Adam",
    "Backtracking",
    "BarzilaiBorwein",
    "Constant",
    "Cosine",
    "Custom",
    "Exact",
    "Exponential",
    "InverseTime",
    "Lipschitz",
    "PlaneSearch",
    "Polyak",
    "RMSProp",
    "Rule",
    "Schedule",
    "Silver",
    "StepDecay",
    "Wolfe",
    "newton_search",
    "rule_for",
]

#: name -> class; what is registered is tested
RULES: dict[str, type[Rule]] = {
    "auto": PlaneSearch,
    "lipschitz": Lipschitz,
    "backtracking": Backtracking,
    "wolfe": Wolfe,
    "exact": Exact,
    "barzilai-borwein": BarzilaiBorwein,
    "polyak": Polyak,
    "adgd": AdGD,
    "silver": Silver,
    "constant": Constant,
    "inverse-time": InverseTime,
    "exponential": Exponential,
    "step": StepDecay,
    "cosine": Cosine,
    "adagrad": AdaGrad,
    "rmsprop": RMSProp,
    "adam": Adam,
    "amsgrad": AMSGrad,
}


def rule_for(rate: Any) -> Rule:
    """The rule that a parameter ``learning_rate`` means, checked.

    Parameters
    ----------
    rate : float, str, callable or rule
    """
    if isinstance(rate, str):
        if rate in messages.SGDS_RATES:
            raise ValueError(messages.sgds_rate(rate))
        check_choice("learning_rate", rate, RULES, ", a positive number, a callable or a rule of sklearn_gd.steps")
        return RULES[rate]()
    if isinstance(rate, Rule):
        rate.check()
        return rate
    if isinstance(rate, type):
        raise TypeError(f"learning_rate must be an instance, got the class {rate.__name__}: write {rate.__name__}().")
    number = isinstance(rate, Real) and not isinstance(rate, (bool, np.bool_))
    if not (number or callable(rate)):
        raise TypeError(messages.not_a_rate(rate, RULES))
    return schedule_for(rate)
