"""What is solved how: the objective, the metric and the start that a fit gets.

Two uses: a rule that the user has chosen, on the linear model's loss as it stands (`explicit`); and
``learning_rate="auto"`` (`automatic`), which is free to choose the form of the problem, too.

This is, beside `base`, the one place where the method tower meets the problem tower: choosing a metric needs to know
what a product with X costs, and neither tower may know both.
"""

from __future__ import annotations

from ..descent import Run
from ..designs.threads import quiet
from ..losses import HalfSquaredError
from . import limits
from .ending import NOTICED, as_stored, note_rounding, separated
from .problem import Problem, explicit
from .squares import gram_at_once, gram_squares
from .wide import by_loss, rotated, wide_ridge

__all__ = ["NOTICED", "Problem", "as_stored", "automatic", "explicit", "note_rounding", "separated"]


def automatic(problem: Problem, preconditioner: str | None) -> Run:
    """The run of ``learning_rate="auto"``."""
    n, p = problem.design.n_samples, problem.design.n_features
    by_rows = (
        preconditioner in ("auto", "full")
        and n < p
        and n <= limits.ROWS_TO_ROTATE
        and hasattr(problem.design, "row_products")
    )
    squared = isinstance(problem.loss, HalfSquaredError)
    if squared and not by_rows and gram_at_once(problem, preconditioner):
        return gram_squares(problem)
    with quiet(problem.design):
        if by_rows:
            return wide_ridge(problem) if squared and problem.alpha else rotated(problem)
        return by_loss(problem, preconditioner)
