"""The warnings of a fit that did not end at the optimum: the value, the cause, the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .descent import Run
    from .protocols import StepRule

__all__ = ["NO_ARRAY_API_COMPAT", "diverged", "other_namespace", "unconverged"]

NO_ARRAY_API_COMPAT = (
    "array_api_dispatch=True with arrays that are not NumPy's needs the package array-api-compat: "
    "pip install 'sklearn-gd[array-api]'."
)


def other_namespace(method: str, fitted: object, given: object) -> str:
    """The text for X that lives elsewhere than the X of the fit.

    Parameters
    ----------
    method : str
        With its class.
    fitted, given : Place or None
        None for NumPy.
    """

    def told(place: object) -> str:
        return "NumPy" if place is None else str(place)

    return (
        f"{method}() must use the same namespace and the same device as fit(): the coefficients are of {told(fitted)}, X is "
        f"of {told(given)}. Convert X, or fit again on arrays like it (with array_api_dispatch=True to stay outside NumPy)."
    )


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
