"""Parameters are refused at one place, with the name, the value and what is allowed.

Two uses: the estimators' constructor parameters, and those of the rules that are passed as objects.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any

import numpy as np

__all__ = ["check_boolean", "check_choice", "check_integer", "check_level", "check_number"]


def check_number(
    name: str, value: Any, low: float, high: float = math.inf, *, left: bool = True, right: bool = True
) -> None:
    """Refuse what is not a real number in the interval; NaN is in none."""
    # the usual type first: to ask an abstract class takes longer than all the rest
    if type(value) is not float and (isinstance(value, (bool, np.bool_)) or not isinstance(value, Real)):
        raise TypeError(f"{name} must be a number, got {value!r} of type {type(value).__name__}.")
    number: Any = value
    above = number >= low if left else number > low
    below = number <= high if right else number < high
    if not (above and below):
        interval = f"{'[' if left else '('}{low}, {high}{']' if right else ')'}"
        raise ValueError(f"{name} must be in {interval}, got {value!r}.")


def check_integer(name: str, value: Any, low: int) -> None:
    """Refuse what is not an integer of at least `low`."""
    if type(value) is not int and (isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral)):
        raise TypeError(f"{name} must be an integer, got {value!r} of type {type(value).__name__}.")
    if value < low:
        raise ValueError(f"{name} must be at least {low}, got {value!r}.")


def check_level(name: str, value: Any) -> None:
    """Refuse what is neither an integer of at least 0 nor True or False, which are 1 and 0."""
    if not isinstance(value, (bool, np.bool_)):
        check_integer(name, value, 0)


def check_boolean(name: str, value: object) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}.")


def check_choice(name: str, value: object, choices: Collection[str], also: str = "") -> None:
    """Refuse a string that names none of the choices."""
    if value not in choices:
        names = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {names}{also}; got {value!r}.")
