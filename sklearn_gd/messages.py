"""What is said of a fit that did not end at the optimum, and of data that could not be read: the value, the cause, the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .descent import Run
    from .protocols import StepRule

__all__ = ["diverged", "no_numbers", "not_finite", "truncated", "unconverged", "unreadable"]


def _rate(rate: float) -> str:
    return f"{rate:.3g}"


def diverged(run: Run, rule: StepRule, limit: float) -> str:
    """The text for a run that left the finite numbers or grew without end.

    Parameters
    ----------
    run : Run
    rule : rule
    limit : float
        2/L of the run's metric.
    """
    rate = run.last[0]
    where = "became infinite" if run.rises < 20 else f"rose {run.rises} times in a row"
    text = (
        f"Gradient descent diverged: with learning_rate={_rate(rate)} the loss {where} at iteration {run.iteration}. "
        f"The largest safe learning rate for these data is about {_rate(limit)} (2/L). "
    )
    if rule.scheduled:
        text += (
            f"Use a smaller one ({_rate(limit / 2)} never rises), standardise the features, which allows a larger one, or "
            "leave the choice to learning_rate='auto'."
        )
    else:
        text += f"{type(rule).__name__} should not do this: use learning_rate='auto'."
    return text + " The coefficients are those of the best iterate."


def unconverged(run: Run, rule: StepRule, limit: float | None, tol: float) -> str:
    """The text for a run that ended at ``max_iter``."""
    norm = run.history["gradient_norm"][-1]
    text = f"Gradient descent did not converge: after max_iter={run.max_iter} iterations the gradient's norm is {norm:.2g}, tol={tol:.2g}. "
    losses = np.array(run.history["loss"][-50:])
    rises = int((np.diff(losses) > 0).sum())
    rate = run.last[0]
    if not rule.scheduled or limit is None:
        return text + (
            "Raise max_iter, or tol if this is close enough, or use a stronger preconditioner "
            "('full') or learning_rate='auto' if this was not the choice already."
        )
    if rate > limit:
        return text + (
            f"The learning rate {_rate(rate)} is too large: beyond about {_rate(limit)} (2/L) the iterates leave the minimum. "
            f"Try {_rate(limit / 2)}, or learning_rate='auto'."
        )
    if rises > len(losses) // 4:
        return text + (
            f"The loss oscillates: the learning rate {_rate(rate)} bounces across the minimum. "
            f"Try {_rate(limit / 2)} (1/L for these data), or learning_rate='auto'."
        )
    if rate < 0.1 * limit:
        return text + (
            f"The learning rate {_rate(rate)} is too small: the loss is still falling. Rates up to about {_rate(limit / 2)} (1/L for "
            "these data) never rise. Raise it, raise max_iter, or use learning_rate='auto'."
        )
    return text + (
        f"The learning rate {_rate(rate)} is about right for these data (1/L is {_rate(limit / 2)}), but they are badly conditioned: "
        "standardise the features, add momentum='nesterov', raise max_iter, or use learning_rate='auto'."
    )


def no_numbers(dtype: np.dtype[Any]) -> str:
    """The text for a stored X of another kind than numbers."""
    if dtype.kind == "c":
        return f"Complex data not supported: X is stored as {dtype}. Use X.real and X.imag as features."
    return f"X is stored as {dtype}, which are no numbers: floating-point numbers, integers or booleans are needed."


def not_finite(name: str, row: int, column: int, value: float) -> str:
    """The text for a stored X with NaN or infinity in it, rows and columns counted from 0."""
    what = "NaN" if np.isnan(value) else "infinity"
    return (
        f"Input X contains {what}: row {row}, column {column} (counted from 0) of {name} is the first. "
        "Give rows that are to be ignored finite numbers and a sample weight of 0."
    )


def truncated(name: str, needed: int, size: int) -> str:
    """The text for a file that is shorter than the array in it."""
    return f"{name} is truncated: X needs its first {needed} bytes, and it has {size}. Write or copy it again."


def unreadable(name: str, start: int, stop: int, error: Exception) -> str:
    """The text for rows that could not be read."""
    return f"X could not be read: rows {start} to {stop - 1} of {name} failed with {type(error).__name__}: {error}"
