"""Where the next gradient is taken, and how much of the last step is repeated.

Two uses: heavy ball with the textbook's number, Nesterov's momentum with restarts beside ``"lipschitz"`` or
``"backtracking"``. (The plane search of ``"auto"`` chooses its momentum itself.)

A momentum's ``begin(run)`` returns a function of the run, called before each step: it returns the point at which
the gradient is taken, and the factor of the last step that is added to the next one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from . import messages
from ._checks import check_choice, check_number
from ._compat import Documented

if TYPE_CHECKING:
    from .descent import Run
    from .protocols import Extrapolate, Momentum, Point, StepRule

__all__ = ["MOMENTA", "HeavyBall", "Nesterov", "NoMomentum", "momentum_for"]


class NoMomentum(Documented, BaseEstimator):
    """Every step follows the gradient alone."""

    def check(self) -> None:
        """Nothing to refuse."""

    def begin(self, run: Run) -> Extrapolate:
        return lambda run: (run.point, 0.0)


class HeavyBall(Documented, BaseEstimator):
    """w ← w − η·∇F(w) + momentum·(last step).

    Parameters
    ----------
    momentum : float, default=0.9
        In [0, 1).

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Computational Mathematics
    and Mathematical Physics 4(5), 1964, doi:10.1016/0041-5553(64)90137-5.

    Examples
    --------
    >>> from sklearn_gd.momentum import HeavyBall
    >>> HeavyBall(momentum=0.5)
    HeavyBall(momentum=0.5)
    """

    def __init__(self, momentum: float = 0.9) -> None:
        self.momentum = momentum

    def check(self) -> None:
        check_number("momentum", self.momentum, 0, 1, right=False)

    def begin(self, run: Run) -> Extrapolate:
        return lambda run: (run.point, self.momentum)


class Nesterov(NoMomentum):
    """The gradient is taken ahead, where the last step leads; restarted when it points uphill there.

    y = w + β·(last step), w ← y − η·∇F(y), with β from Nesterov's sequence. When ∇F(y)ᵀ(w₊ − w) > 0 the momentum carries
    uphill, and the sequence begins anew: so the condition number need not be known.

    References
    ----------
    Y. Nesterov, "A method for solving the convex programming problem with convergence rate O(1/k²)", Dokl. Akad.
    Nauk SSSR 269, 1983.

    B. O'Donoghue and E. Candès, "Adaptive restart for accelerated gradient schemes", Foundations of Computational
    Mathematics 15, 2015, doi:10.1007/s10208-013-9150-3.

    Examples
    --------
    >>> from sklearn_gd.momentum import Nesterov
    >>> Nesterov()
    Nesterov()
    """

    def begin(self, run: Run) -> Extrapolate:
        t = 1.0

        def extrapolate(run: Run) -> tuple[Point, float]:
            nonlocal t
            if run.last.start is None:
                return run.point, 0.0
            step = run.point.minus(run.last.start)
            if (run.base.gradient * step.coef).sum() > 0:
                t = 1.0
                return run.point, 0.0
            following = (1 + math.sqrt(1 + 4 * t * t)) / 2
            beta, t = (t - 1) / following, following
            if not beta:
                return run.point, 0.0
            return run.point.along(step).point(np.array([beta])), 0.0

        return extrapolate


#: name -> class; what is registered is tested
MOMENTA = {"nesterov": Nesterov}


def momentum_for(momentum: Any, rule: StepRule, rate: Any) -> Momentum:
    """The momentum that a parameter ``momentum`` means, checked.

    Parameters
    ----------
    momentum : float, str, momentum or None
    rule : rule
        That it goes with.
    rate : object
        The parameter that the rule was made of.
    """
    given = momentum
    if momentum is None or (isinstance(momentum, str) and momentum == "auto"):
        return NoMomentum()
    if isinstance(momentum, str):
        check_choice("momentum", momentum, ("auto", *MOMENTA), ", None, or a number in [0, 1)")
        momentum = MOMENTA[momentum]()
    elif not isinstance(momentum, (HeavyBall, *MOMENTA.values())):
        if isinstance(momentum, (bool, np.bool_)):
            raise TypeError(messages.momentum_switched(bool(momentum)))
        momentum = HeavyBall(momentum)
    momentum.check()
    if not rule.momentum:
        raise ValueError(
            f"momentum must be 'auto' or None with learning_rate={rate!r}, which chooses its steps by itself; got "
            f"momentum={given!r}. Use a number, a schedule, 'lipschitz', 'backtracking' or 'exact' with it."
        )
    return momentum
