"""A path over the penalty: one `Prepared`, and a plan for each value, begun where the last one ended.

Two uses: `fit_path`, whose results are fitted estimators; and the folds of a cross-validation, of which the coefficients are enough
(`descents`).

Values are walked from the strongest penalty to the weakest. What an end knows is the next one's beginning: the predictions, the gradient,
which the penalty's part alone changes, and the Hessian, whose factor for another penalty takes no read of X. So the first step of each
descent is Newton's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
from sklearn.base import clone

from .. import messages
from ..base import BaseGD, Ingested, check_coefficients
from ..descent import Run
from ..designs.rows import NotFiniteError
from ..designs.threads import quiet
from ..losses import HalfSquaredError
from ..objectives.linear_model import ModelPoint
from ..objectives.samples import Trial
from ..plan import Problem, explicit, follow, plan_for
from ..plan.newton import SAMPLES, Sample, judged, noticed, within
from ..plan.problem import plane_descent
from ..plan.span import SpanPoint, inner_products, spanned, suits
from ..plan.stages import WAYS, Rent
from ..preconditioners import EPS, Full, Inexact, PerOutput, Renewed, ZeroSum
from ..protocols import Array, Design, Moments
from ..steps import PlaneSearch

__all__ = ["PENALTIES", "Descent", "descents", "fit_path", "pointers"]

#: The parameters that a path may be over, and whether a larger value is a stronger penalty.
PENALTIES = {"alpha": True, "C": False}

# By how much a penalty may fall from one value to the next for the Hessian to be what is left of its factor without it: of sixteen digits ten
# are left then.
MOST_FALL = 1e6
# How far optima point along the logarithm of a penalty: a decade.
REACH = 2.4


class Descent(NamedTuple):
    """One value of a path.

    Attributes
    ----------
    value : int
        Its place among the values.
    problem : Problem
    run : Run
    attributes : dict
        The fitted attributes that the target tells.
    """

    value: int
    problem: Problem
    run: Run
    attributes: dict[str, Any]


def fit_path(estimator: BaseGD, name: str, values: Any, X: Any, y: Any, sample_weight: Any = None) -> list[Any]:
    """Fit an estimator for each of several penalties, each from where the last one ended.

    Parameters
    ----------
    estimator : GDLogisticRegression, GDLinearRegression or GDPoissonRegression
        Its other parameters are those of all fits; it is not changed. The others, whose losses have a number of their own that goes with
        the penalty (a scale, what rounds off a kink), are fitted for each value from the beginning.
    name : {"C", "alpha"}
        The parameter.
    values : array-like of float
        Its values, in any order.
    X, y, sample_weight
        As ``fit`` takes them.

    Returns
    -------
    list of estimator
        Fitted clones, in the order of the values, each with all the attributes that its own fit would have left. ``n_iter_`` and
        ``loss_curve_`` begin where the value before it ended.

    Raises
    ------
    ValueError, TypeError
        For parameters or data that are not allowed, before any work is done.

    Warns
    -----
    ConvergenceWarning, DivergenceWarning, PrecisionWarning, SeparationWarning
        As ``fit`` does, for each value. scikit-learn's callbacks are not told.

    References
    ----------
    J. Friedman, T. Hastie and R. Tibshirani, "Regularization paths for generalized linear models via coordinate descent", Journal of
    Statistical Software 33, 2010, doi:10.18637/jss.v033.i01 (warm starts along the penalty).

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn_gd import GDLogisticRegression
    >>> from sklearn_gd.searches import fit_path
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> path = fit_path(GDLogisticRegression(), "C", [0.01, 1.0, 100.0], X, y)
    >>> [round(model.score(X, y), 3) for model in path]
    [0.951, 0.958, 0.982]
    """
    if name not in PENALTIES or name not in estimator.get_params(deep=False):
        raise ValueError(messages.no_penalty(name, type(estimator).__name__))
    values = list(np.atleast_1d(np.asarray(values, dtype=object)).ravel())
    models = [clone(estimator).set_params(**{name: value}) for value in values]
    for model in models:
        rule, _, _ = model._parts()
    if not models:
        return []
    if estimator._in_rounds:
        return [model.fit(X, y, sample_weight=sample_weight) for model in models]
    first = models[0]
    data = first._ingest(X, y, sample_weight)
    attributes = {
        known: value for known, value in vars(first).items() if known in ("n_features_in_", "feature_names_in_")
    }
    for index, problem, run, target in descents(first, name, values, data):
        model = models[index]
        with np.errstate(all="ignore"), quiet(problem.design):
            model._report(problem, run, rule)
        check_coefficients(run, problem)
        vars(model).update(attributes, **model._placed(run, problem, data, target))
    first.set_params(**{name: values[0]})
    return models


def descents(model: BaseGD, name: str, values: Any, data: Ingested) -> Iterator[Descent]:
    """The descents of a path, from the strongest penalty to the weakest.

    Parameters
    ----------
    model : GDLogisticRegression or GDLinearRegression
        With its other parameters checked.
    name, values
        As `fit_path` has them.
    data : Ingested
    """
    parts = model._parts()
    values = np.array(values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    order = order[::-1] if PENALTIES[name] else order
    strongest = float(values[order[0]])
    model.set_params(**{name: strongest})
    first, attributes = model._problem(data)
    if isinstance(first.loss, HalfSquaredError):
        first = replace(first, prepared=replace(first.prepared, design=cast(Design, Remembered(first.design))))
    before: list[Descent] = []
    for index in order:
        problem = first
        if before:
            problem = follower(before[-1].problem, penalty(first, name, strongest, float(values[index])))
        try:
            with np.errstate(all="ignore"), quiet(problem.design):
                run = descended(problem, before, parts)
        except NotFiniteError:
            model._refuse_not_finite(data.X, problem.design)
            raise
        before = [*before[-2:], Descent(int(index), problem, run, attributes)]
        yield before[-1]


class Remembered:
    """A design whose products of all columns, or of all rows, are made once: they are those of every penalty.

    Parameters
    ----------
    design : design
    """

    def __init__(self, design: Any) -> None:
        vars(self).update(design=design, products={})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.design, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.design, name, value)

    def gram(self, weight: Any = None, targets: Any = None) -> Moments:
        """Of weights and targets that are the same arrays each time; the matrix is the caller's to overwrite."""
        moments = self._once(("gram", id(weight), id(targets)), lambda: self.design.gram(weight, targets))
        return cast(Moments, moments._replace(matrix=moments.matrix.copy()))

    def row_products(self, centre: Array, used: Array) -> Array:
        """About the same centre each time; the matrix is the caller's to overwrite."""
        products = self._once(("rows", used.tobytes()), lambda: self.design.row_products(centre, used))
        return cast(Array, products.copy())

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self.products:
            self.products[key] = make()
        return self.products[key]


def penalty(first: Problem, name: str, strongest: float, value: float) -> float:
    """The strength of the penalty, from that of the strongest."""
    if name == "alpha":
        return value
    return 0.0 if math.isinf(value) else first.alpha * (strongest / value)


def follower(before: Problem, alpha: float) -> Problem:
    """The same problem with another penalty; what is known of the data stays known."""
    problem = replace(before, alpha=alpha)
    for known in ("middle", "moments", "alike", "scale"):
        if known in before.__dict__:
            problem.__dict__[known] = before.__dict__[known]
    problem.null_loss = before.null_loss
    problem.design.passes = 0.0
    return problem


def descended(problem: Problem, before: Sequence[Descent], parts: Any) -> Run:
    """The descent for one value, behind those of others."""
    rule, momentum, preconditioner = parts
    last = before[-1] if before else None
    if last is not None and isinstance(last.run.base, SpanPoint):
        problem.start = np.zeros_like(problem.start)
        if suits(problem):
            return in_span(problem, before, preconditioner)
    if last is not None:
        problem.start = last.run.coef
    if not isinstance(rule, PlaneSearch):
        return explicit(problem, rule, momentum, preconditioner)
    plan = plan_for(problem, preconditioner)
    if last is not None and plan.stages[0].way == "newton":
        return continued(problem, last)
    return follow(plan, problem, preconditioner)


def in_span(problem: Problem, before: Sequence[Descent], preconditioner: str | None) -> Run:
    """In the span of the rows, from where the ends of other descents there point to, with the predictions."""
    plan = plan_for(problem, preconditioner)
    until = Rent(plan, plan.stages[1].cost) if len(plan.stages) > 1 else None
    run = spanned(problem, inner_products(until))
    bases: list[Any] = [each.run.base for each in before if isinstance(each.run.base, SpanPoint)]
    weight = pointers([each.problem.alpha for each in before][-len(bases) :], problem.alpha)
    coef = sum(part * base.coef for part, base in zip(weight, bases, strict=True))
    raw = sum(part * base.known().raw for part, base in zip(weight, bases, strict=True))
    objective: Any = run.objective
    run.point = SpanPoint(objective, coef, Trial(math.nan, raw, None, None))
    run = judged(problem, plane_descent(problem, run, until), until)
    left = None if run.reason else f"for {WAYS[plan.stages[1].way].setup}"
    run.end_stage("coefficients", run.metric.name, "Newton-CG", problem.design.passes, left)
    return run if run.reason else follow(replace(plan, stages=plan.stages[1:]), problem, preconditioner, run)


def pointers(alphas: Sequence[float], there: float) -> Array:
    """The parts of the optima for some penalties in the polynomial through them, in the logarithm, at another penalty.

    Of the last one alone where that is far from it: beyond a decade it was the better start.
    """
    out = np.zeros(len(alphas))
    out[-1] = 1.0
    if (
        not (there > 0 and min(alphas) > 0)
        or abs(math.log(there / alphas[-1])) > REACH
        or len(set(alphas)) < len(alphas)
    ):
        return out
    at = np.log(np.array(alphas) / there)
    for k in range(len(at)):
        others = np.delete(at, k)
        out[k] = np.prod(others / (others - at[k]))
    return out


def continued(problem: Problem, last: Descent) -> Run:
    """In the metric of Hessians, from the end of another descent, of which the predictions, the gradient and the Hessian are known."""
    run = problem.run(problem.model, problem.stopping())
    run.point = moved_on(problem, last)
    sample = SAMPLES.get(problem.design.where, Sample)(problem, problem.moments)
    renewed = Renewed(sample)
    if problem.alpha and last.problem.alpha <= MOST_FALL * problem.alpha:
        renewed.metric, renewed.age = carried(last.run.metric, problem.alpha - last.problem.alpha), 1
    run = noticed(problem, within(problem, run, renewed), sample)
    run.end_stage("coefficients", run.metric.name, "Newton's step, plane search", problem.design.passes)
    return run


def moved_on(problem: Problem, last: Descent) -> ModelPoint:
    """The end of another descent as a place of this problem, with all that is known there."""
    before: Any = last.run.base
    point = problem.model.at(problem.start)
    if before is None or before.coef is not problem.start or before.trial is None:
        return point
    change = problem.alpha - last.problem.alpha
    value = before.value - last.problem.model.penalty.value(before.coef)
    point = ModelPoint(problem.model, before.coef, Trial(value, before.trial.raw, None, None))
    gradient = before.gradient.copy()
    p = problem.design.n_features
    gradient[:p] += change * before.coef[:p]
    point._gradient = gradient
    return point


def carried(metric: Any, change: float) -> Any:
    """The metric of the same Hessian with another penalty, or None where that is not known."""
    if isinstance(metric, (Renewed, Inexact)):
        return carried(metric.metric, change)
    if isinstance(metric, ZeroSum):
        inner = carried(metric.metric, change)
        return None if inner is None else ZeroSum(inner)
    if isinstance(metric, PerOutput):
        inner = [carried(part, change) for part in metric.metrics]
        return None if any(part is None for part in inner) else PerOutput(inner)
    return shifted(metric, change) if type(metric) is Full and metric.vectors is None else None


def shifted(metric: Full, change: float) -> Full:
    """The inverse of the same matrix with something added to its diagonal."""
    return Full(metric.matrix(), metric.centre, metric.root_weight_sum**2, change, EPS, without=metric.root == 0)
