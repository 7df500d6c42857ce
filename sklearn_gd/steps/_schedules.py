"""Schedules: learning rates that are functions of the iteration alone, and never look at the loss.

Two uses: the textbook's constant rate; rates that fall with the iteration.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._checks import check_number
from ..protocols import Array, Choose, Point, Subspace
from ._rules import Rule, coordinates

if TYPE_CHECKING:
    from ..descent import Run

__all__ = ["Constant", "Cosine", "Custom", "Exponential", "InverseTime", "Schedule", "StepDecay", "schedule_for"]


class Schedule(Rule):
    """A learning rate that is a function of the iteration k = 0, 1, 2, ... alone."""

    scheduled = True

    def rate(self, k: int) -> float:
        raise NotImplementedError

    def begin(self, run: Run) -> Choose:
        def choose(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            return coordinates(self.rate(run.iteration), factor, space), None

        return choose


class Constant(Schedule):
    """η(k) = learning_rate.

    Parameters
    ----------
    learning_rate : float, default=0.1
        Greater than 0.

    Examples
    --------
    >>> from sklearn_gd.steps import Constant
    >>> Constant(0.5).rate(10)
    0.5
    """

    def __init__(self, learning_rate: float = 0.1) -> None:
        self.learning_rate = learning_rate

    def check(self) -> None:
        check_number("learning_rate", self.learning_rate, 0, left=False, right=False)

    def rate(self, k: int) -> float:
        return float(self.learning_rate)


class InverseTime(Constant):
    """η(k) = learning_rate / (1 + decay·k).

    Parameters
    ----------
    learning_rate : float, default=0.1
        Greater than 0.
    decay : float, default=0.01
        At least 0.

    Examples
    --------
    >>> from sklearn_gd.steps import InverseTime
    >>> InverseTime(0.5, decay=1.0).rate(4)
    0.1
    """

    def __init__(self, learning_rate: float = 0.1, decay: float = 0.01) -> None:
        super().__init__(learning_rate)
        self.decay = decay

    def check(self) -> None:
        super().check()
        check_number("decay", self.decay, 0, right=False)

    def rate(self, k: int) -> float:
        return self.learning_rate / (1 + self.decay * k)


class Exponential(Constant):
    """η(k) = learning_rate · exp(−decay·k).

    Parameters
    ----------
    learning_rate : float, default=0.1
        Greater than 0.
    decay : float, default=0.001
        At least 0.

    Examples
    --------
    >>> from sklearn_gd.steps import Exponential
    >>> round(Exponential(1.0, decay=0.5).rate(2), 4)
    0.3679
    """

    def __init__(self, learning_rate: float = 0.1, decay: float = 0.001) -> None:
        super().__init__(learning_rate)
        self.decay = decay

    def check(self) -> None:
        super().check()
        check_number("decay", self.decay, 0, right=False)

    def rate(self, k: int) -> float:
        return self.learning_rate * math.exp(-self.decay * k)


class StepDecay(Constant):
    """η(k) = learning_rate · factor^⌊k / every⌋.

    Parameters
    ----------
    learning_rate : float, default=0.1
        Greater than 0.
    factor : float, default=0.5
        In (0, 1].
    every : int, default=100
        Iterations between two drops.

    Examples
    --------
    >>> from sklearn_gd.steps import StepDecay
    >>> StepDecay(0.4, factor=0.5, every=10).rate(25)
    0.1
    """

    def __init__(self, learning_rate: float = 0.1, factor: float = 0.5, every: int = 100) -> None:
        super().__init__(learning_rate)
        self.factor = factor
        self.every = every

    def check(self) -> None:
        super().check()
        check_number("factor", self.factor, 0, 1, left=False)
        check_number("every", self.every, 1, right=False)

    def rate(self, k: int) -> float:
        return self.learning_rate * self.factor ** (k // self.every)


class Cosine(Constant):
    """η(k) = floor + (learning_rate − floor)·(1 + cos(π·k/period))/2 up to k = period, and floor from there on.

    Parameters
    ----------
    learning_rate : float, default=0.1
        Greater than 0.
    period : int, default=1000
        Iterations from the first rate to the last.
    floor : float, default=0.0
        The last rate, at least 0.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: Stochastic gradient descent with warm restarts", ICLR 2017, arXiv:1608.03983.

    Examples
    --------
    >>> from sklearn_gd.steps import Cosine
    >>> Cosine(0.2, period=10).rate(5)
    0.1
    """

    def __init__(self, learning_rate: float = 0.1, period: int = 1000, floor: float = 0.0) -> None:
        super().__init__(learning_rate)
        self.period = period
        self.floor = floor

    def check(self) -> None:
        super().check()
        check_number("period", self.period, 1, right=False)
        check_number("floor", self.floor, 0, right=False)

    def rate(self, k: int) -> float:
        part = min(k / self.period, 1.0)
        return self.floor + (self.learning_rate - self.floor) * (1 + math.cos(math.pi * part)) / 2


class Custom(Schedule):
    """The user's own callable of the iteration: ``learning_rate=lambda k: 0.5 / (k + 1) ** 0.5``."""

    def __init__(self, function: Callable[[int], float]) -> None:
        self.function = function

    def rate(self, k: int) -> float:
        rate = self.function(k)
        check_number(f"learning_rate({k})", rate, 0, right=False)
        return float(rate)


def schedule_for(rate: Any) -> Schedule:
    """A number, a callable or a schedule as a schedule, checked.

    Parameters
    ----------
    rate : float, callable or schedule
    """
    schedule = rate if isinstance(rate, Schedule) else Custom(rate) if callable(rate) else Constant(rate)
    schedule.check()
    return schedule
