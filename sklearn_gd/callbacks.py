"""A run of the solver, told to scikit-learn's callbacks.

Two uses: a ``ProgressBar`` over the iterations, and callbacks that look at the model of every iteration
(``ScoringMonitor``, early stopping). Every iteration is one task; what a callback sees is a copy of the estimator with
the coefficients of that iteration, in the user's own containers of X and y.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from ._compat import callback_root

if TYPE_CHECKING:
    from .descent import Run

__all__ = ["Tasks", "tasks_for"]

Attributes: TypeAlias = "Callable[[Run], dict[str, Any]]"


class Tasks:
    """Told by `descent.descend` before and after each iteration.

    Parameters
    ----------
    estimator : estimator
    root : CallbackContext
    data : dict
        ``X``, ``y`` and ``metadata`` as the user gave them.
    attributes : callable (run) -> dict
        The fitted attributes of an iteration; called only if a callback wants the model.
    """

    def __init__(self, estimator: Any, root: Any, data: dict[str, Any], attributes: Attributes) -> None:
        self.root, self.attributes = root, attributes
        self.data = {"estimator": estimator, **data}
        self.context: Any = None
        root.call_on_fit_task_begin(**self.data)

    def before(self, run: Run) -> None:
        self.context = self.root.subcontext(task_name="iteration")
        # from the second iteration on there is a model to look at
        known = {"reconstruction_attributes": lambda: self.attributes(run)} if run.iteration else {}
        self.context.call_on_fit_task_begin(**known, **self.data)

    def after(self, run: Run) -> bool:
        """Whether a callback asks to stop."""
        return bool(
            self.context.call_on_fit_task_end(reconstruction_attributes=lambda: self.attributes(run), **self.data)
        )

    def finish(self) -> None:
        # an empty dict, not None: the estimator itself is fitted now
        self.root.call_on_fit_task_end(reconstruction_attributes={}, **self.data)


def tasks_for(estimator: Any, data: dict[str, Any], attributes: Attributes) -> Tasks | None:
    """`Tasks`, or None where no callback is set."""
    root = callback_root(estimator, estimator.max_iter)
    return None if root is None else Tasks(estimator, root, data, attributes)
