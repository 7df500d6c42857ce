"""A fit that keeps every iterate: what the pictures draw.

Two uses: the path of the coefficients over the surface of the loss, and a model's line as it moves. A clone is fitted, so
the user's estimator stays as it is; a run is deterministic, so the clone's is the one that the estimator made.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from . import messages
from .base import BaseGD
from .losses import HalfSquaredError
from .preconditioners import in_metric
from .protocols import Array

if TYPE_CHECKING:
    from .descent import Run
    from .plan import Problem

__all__ = ["ARRIVED", "Trace", "last_step", "optimal", "split", "steepest", "trace"]

#: The ends of a run, `stop_reason_`, that are the optimum.
ARRIVED = ("gradient", "precision")
# Coefficients up to which the Hessian is formed, to find its largest eigenvalue: 2 MB.
DENSE = 500


@dataclass(frozen=True)
class Trace:
    """A run with its iterates.

    Attributes
    ----------
    estimator : estimator
        The fitted clone.
    kept : ndarray of shape (n_points, ...)
        By default the coefficients, of shape (size,) or (size, n_outputs), the intercept last: at the start and after each
        iteration, a row for each of ``loss_curve_``.
    problem : Problem
        What was solved; ``problem.model`` is the objective.
    run : Run
    """

    estimator: Any
    kept: Array
    problem: Problem
    run: Run

    @property
    def quadratic(self) -> bool:
        """Whether the objective is one."""
        return isinstance(self.problem.loss, HalfSquaredError)


def coefficients(run: Run) -> Array:
    """Where the gradient was taken last, in the user's coordinates: a run may change its own under way."""
    return np.asarray(run.form.out(run.base.coef))


class Iterates:
    """Told before and after each iteration; keeps what a function says of the run there."""

    def __init__(self, keep: Callable[[Run], Array]) -> None:
        self.keep = keep
        self.rows: dict[int, Array] = {}

    def before(self, run: Run) -> None:
        self.rows[run.iteration] = self.keep(run)

    def after(self, run: Run) -> bool:
        self.before(run)
        return False

    def finish(self) -> None:
        """Nothing: the rows are kept already."""


def trace(
    estimator: BaseGD,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    keep: Callable[[Run], Array] = coefficients,
) -> Trace:
    """Fit a clone of an estimator and keep its iterates.

    Neither divergence nor a run that ends at ``max_iter`` warns: whoever draws the run shows how it ended.

    Parameters
    ----------
    estimator : GDLinearRegression or GDLogisticRegression
    X, y, sample_weight
        As ``fit`` takes them.
    keep : callable (run) -> ndarray
        What to keep of each iterate.

    Returns
    -------
    Trace
    """
    model = clone(estimator).set_params(on_divergence="warn")
    iterates = Iterates(keep)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        problem, run = model._fit(X, y, sample_weight, iterates)
    if not iterates.rows:  # no step was taken
        iterates.before(run)
    rows = [iterates.rows[k] for k in range(len(model.loss_curve_))]
    return Trace(model, np.stack(rows).astype(np.float64, copy=False), problem, run)


def steepest(trace: Trace, coef: Array | None = None) -> tuple[float, Array]:
    """L, to rounding: the largest eigenvalue of the objective's curvature bound in the run's metric, and its eigenvector.

    The bound is the Hessian for squared error; for the log losses that of Böhning and Lindsay (1988), which the Hessian
    never exceeds. Where a loss has none, it is the Hessian at some coefficients, or where the run ended.
    """
    shape = trace.problem.start.shape
    size = int(np.prod(shape))
    model, here = trace.problem.model, trace.problem.model.at(trace.run.coef if coef is None else coef)
    apply = in_metric(lambda coef: model.curvature_product(coef, here), trace.run.metric, shape)
    if size <= DENSE:
        matrix = np.stack([apply(column) for column in np.eye(size)])
        values, vectors = scipy.linalg.eigh((matrix + matrix.T) / 2)
    else:
        operator = LinearOperator((size, size), matvec=apply, dtype=np.float64)
        values, vectors = eigsh(operator, k=1, which="LA", v0=np.random.default_rng(0).standard_normal(size))
    return float(values[-1]), vectors[:, -1]


def optimal(estimator: BaseGD, X: Any, y: Any, sample_weight: Any = None) -> Trace:
    """The run of ``learning_rate="auto"`` to the optimum of an estimator's objective."""
    solver = clone(estimator).set_params(
        learning_rate="auto",
        momentum="auto",
        preconditioner="auto",
        batch_size=None,
        init="zeros",
        max_iter=1000,
        tol=1e-8,
        verbose=0,
    )
    return trace(solver, X, y, sample_weight)


def last_step(display: str, estimator: Any) -> BaseGD:
    """The estimator itself, or the last step of a pipeline."""
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    if not isinstance(last, BaseGD):
        raise TypeError(messages.not_gradient_descent(display, last))
    return last


def split(display: str, estimator: Any, X: Any, y: Any) -> tuple[BaseGD, Any, Any]:
    """The last step, the steps before it (fitted; None where there are none), and X as they transform it."""
    last = last_step(display, estimator)
    if last is estimator or len(estimator.steps) == 1:
        return last, None, X
    before = estimator[:-1]
    try:
        check_is_fitted(before)
    except NotFittedError:
        before = clone(before)
        return last, before, before.fit_transform(X, y)
    return last, before, before.transform(X)
