"""The best candidate on all rows, from the sum of all groups' second moments.

Two uses: descents with learning rates, of which a thousand iterations would cost more than the search; and the same behind scalers. An
optimum is one read of X, and is fitted as any other.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import validate_data

from ..base import Ingested
from ..linear_model import GDLinearRegression
from ..objectives import Quadratic
from ..preconditioners import Identity
from ..progress import HISTORY
from ..protocols import Array
from .moments import Columns, affine
from .squares import Descent, Part

__all__ = ["fitted_front", "refitted"]


def fitted_front(steps: list[Any], X: Any) -> tuple[list[Any], dict[str, Any]]:
    """The steps in front of a model, fitted, and what the model learns of the columns' names.

    Parameters
    ----------
    steps : list of (str, transformer)
    X : array-like
    """
    front = Pipeline(steps).fit(X)
    probe = GDLinearRegression()
    validate_data(probe, front.transform(_safe_indexing(X, [0])), skip_check_array=True)
    return front.steps, {name: value for name, value in vars(probe).items() if name.endswith("_in_")}


def refitted(work: Any, number: int) -> Any:
    """The estimator of a candidate, fitted on all rows; None where it is to be fitted as any other.

    Parameters
    ----------
    work : Work
    number : int
        The candidate's.
    """
    setting = work.settings[number]
    if setting.rule is None or work.whole is None:
        return None
    part, columns = work.whole
    best = clone(work.search.estimator).set_params(**clone(work.candidates[number], safe=False))
    model, attributes = best, work.attributes
    if isinstance(best, Pipeline):
        model = best.steps[-1][1]
        if len(best.steps) > 1:
            front, attributes = fitted_front(best.steps[:-1], work.X)
            best.steps = [*front, best.steps[-1]]
    vars(model).update(attributes)
    _descend(model, work, setting, _seen(part, columns, setting))
    return best


def _seen(part: Part, columns: Columns | None, setting: Any) -> Part:
    """All rows as the model sees them."""
    return part.scaled(*affine(setting.scaling, columns)) if setting.scaling and columns is not None else part


def _descend(model: Any, work: Any, setting: Any, part: Part) -> None:
    """Set what `fit` sets, and warn of what it warns, from the descent in closed form."""
    problem, _ = model._problem(Ingested(work.design.X, work.target, work.weight))
    start: Array = problem.start
    descent = Descent(part, setting.alpha, setting.fit_intercept, start.reshape(len(start), -1))
    fit = descent.fit(setting.rule, setting.momentum, setting.max_iter, setting.tol)
    stopping = problem.stopping(descent.moments)  # what the problem is told of its columns, too
    hessian = (descent.vectors * descent.values) @ descent.vectors.T
    objective = Quadratic(hessian.__matmul__, np.zeros_like(start), np.zeros_like(start), descent.loss, lambda: 1.0)
    run = problem.run(objective, stopping, start)
    run.metric, run.iteration, run.reason = Identity(), fit.n_iter, fit.reason
    for name, column in zip(HISTORY, descent.history(setting.rule, setting.momentum, fit.n_iter), strict=True):
        run.history[name].extend(column.tolist())
    run.history.norm, run.last.rate = run.history["gradient_norm"][-1], run.history["learning_rate"][-1]
    run.history.rises = int(fit.reason == "diverged") * fit.n_iter
    end = fit.coef[: len(start)].reshape(start.shape)
    run.base = objective.at(end)
    run.history.best_coef = run.history.flattest_coef = end
    run.end_stage("coefficients", None, type(setting.rule).__name__, 1.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model._report(problem, run, setting.rule)
    for each in caught:  # from where the user's call is
        warnings.warn(each.message, each.category, stacklevel=6)
    vars(model).update(model._results(run, problem))
