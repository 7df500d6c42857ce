"""Squared error: its Gram matrix, or conjugate gradients without it.

Two uses: tall data, where one symmetric product of X and one step in its metric are the normal equation; and many columns,
where a product costs as much as a hundred passes, and conjugate gradients often need fewer.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.linalg

from ..descent import Run
from ..designs.rows import Curvature
from ..designs.threads import whole_blas
from ..forms import Mapped
from ..objectives import Quadratic
from ..preconditioners import EPS, Composed, Diagonal, Full, Rounded, constant, spread
from ..protocols import Array, Moments
from .ending import ENDED, NOTICED, finer_metric, hidden, settled
from .problem import Problem, Until, at_home, plane_descent, rented
from .span import inner_products, spanned, suits

__all__ = ["by_products", "gram", "product_objective", "products", "rounded"]


def by_products(problem: Problem) -> Run:
    """A run on the quadratic of which only the Hessian's products are needed, each of them one read of X."""
    run = problem.run(product_objective(problem), problem.stopping())
    run.metric = rented(problem)
    return run


def products(problem: Problem, run: Run | None, until: Until) -> Run:
    """Conjugate gradients."""
    if suits(problem):
        return plane_descent(problem, spanned(problem, inner_products(until)), until)
    return plane_descent(problem, by_products(problem), until)


def rounded(problem: Problem, run: Run | None, until: Until) -> Run:
    """The Gram matrix in single precision, for a part of the time, as the metric of a descent in double precision.

    A few iterations in it give the digits that a matrix in double precision would have given at once. Where single precision cannot tell
    the columns apart there are none.
    """
    run, moments = run or by_products(problem), problem.moments
    unit = spread(moments)
    low = problem.design.low_gram(problem.weight, moments.centre, unit)
    try:
        with whole_blas(len(unit)):
            run.metric = Rounded(low, unit, problem.alpha)
    except scipy.linalg.LinAlgError:
        return run
    del low
    at_home(problem, run, product_objective(problem))
    plane_descent(problem, run, until)
    # Gradients are carried along as sums of products, of which the first were large.
    lost = LARGE_PRODUCTS * problem.eps * problem.amplified**2
    if lost > problem.tol and run.reason in ENDED:
        run.move(run.objective, run.base.coef)
        plane_descent(problem, run)
    return run


NOWHERE = np.zeros(0)  # the centre of coordinates that have none


class AtCentre:
    """Squared error about the centre of the data: in the coefficients and the prediction there, in place of the intercept.

    These do not depend on each other, so a product, a step and a norm are those of one matrix.

    Parameters
    ----------
    gram : Moments
        Of features and targets together; overwritten.
    p : int
        Features.
    has_intercept : bool
    alpha : float
        The penalty's curvature.

    Attributes
    ----------
    cross : ndarray of shape (p, n_targets)
        Minus the gradient at the best constant prediction.
    moments : Moments
        Of the features' columns.
    target, variances : ndarray of shape (n_targets,)
    metric : Full
    """

    def __init__(self, gram: Moments, p: int, has_intercept: bool, alpha: float) -> None:
        self.has_intercept = has_intercept
        matrix = gram.matrix
        diagonal = matrix.diagonal().copy()
        self.cross, self.variances = matrix[:p, p:].copy(), diagonal[p:]
        self.centre, self.target = gram.centre[:p], gram.centre[p:]
        self.moments = Curvature(diagonal[:p], self.centre, gram.weight_sum)
        size = p + has_intercept
        matrix = matrix[:size, :size]
        without = np.zeros(size, dtype=bool)
        without[:p] = constant(diagonal[:p], self.centre, gram.weight_sum)
        if has_intercept:
            # there is a target's column at the least, whose place this takes
            matrix[p] = matrix[:, p] = 0.0
            matrix[p, p] = gram.weight_sum
        if alpha:
            np.einsum("ii->i", matrix)[:p] += alpha
        # symmetric, so its transpose is it in LAPACK's order
        self.metric = Full(np.ascontiguousarray(matrix).T, NOWHERE, 0.0, 0.0, EPS, without=without)

    def into(self, coef: Array) -> Array:
        """From the user's coordinates."""
        return self._shifted(coef, 1)

    def out(self, coef: Array) -> Array:
        """To the user's coordinates; among equal solutions to the smallest."""
        return self.smallest(self._shifted(coef, -1), self.metric.null)

    def null(self) -> Any:
        """The metric's null directions in the user's coordinates."""
        return None if self.metric.null is None else self._shifted(self.metric.null, -1)

    def _shifted(self, coef: Array, sign: int) -> Array:
        coef = coef.copy()
        if self.has_intercept:
            coef[-1] += sign * (self.centre @ coef[:-1])
        return coef

    def smallest(self, coef: Array, null: Array | None) -> Array:
        """Coefficients without a part in what columns that depend on each other leave free."""
        if null is None:
            return coef
        coef, p = coef.copy(), len(self.centre)
        free = scipy.linalg.orth(null[:p])
        part = free @ (free.T @ coef[:p])
        coef[:p] -= part
        if self.has_intercept:
            coef[-1] += self.centre @ part
        return coef


class Columns:
    """The norm of a gradient at the centre: each column in units of its own spread."""

    def __init__(self, root: Array) -> None:
        self.root = root

    def square(self, gradient: Array, unit: Any = 1.0) -> float:
        half = (self.root * gradient.T).T / unit
        return float(np.vdot(half, half))


def gram(problem: Problem, run: Run | None, until: Until = None) -> Run:
    """One symmetric product of X, after which everything is of coefficient size.

    In the metric of the Gram matrix one step of length 1 is the solution of the normal equation. Where that matrix has lost
    too many digits, a few steps more in the same metric follow gradients that are computed from the data.

    Parameters
    ----------
    problem : Problem
    run : Run or None
        One to go on with.
    until
        Not asked: little is left to do.
    """
    design = problem.design
    p, outputs = design.n_features, problem.start.shape[1:]

    products = design.gram(problem.weight, problem.y)
    with whole_blas(p):
        here = AtCentre(products, p, design.fit_intercept, problem.alpha)
    del products
    metric = here.metric
    problem.scaled(here.variances.reshape(outputs), here.target.reshape(outputs), EPS)
    linear, anchor = np.zeros(problem.start.shape), np.zeros(problem.start.shape)
    linear[:p] = here.cross.reshape(p, *outputs)
    if design.fit_intercept:
        anchor[p] = here.target.reshape(outputs)
    # the product is about the anchor, whose own penalty is none: the intercept alone is moved
    objective = Quadratic(
        metric.product,
        linear,
        anchor,
        0.5 * math.fsum(here.variances.tolist()),
        lambda: design.passes,
    )
    problem.moments = here.moments
    stop = problem.stopping(Columns(metric.root))
    if run is None:
        run = problem.run(objective, stop, here.into(problem.start))
    else:
        at_home(problem, run, objective)
        run.move(objective, run.point.coef, here.into)
        run.stopping = stop
    stopping: Any = run.stopping
    outer = run.form
    run.form = Mapped(lambda coef: outer.out(here.out(coef)))
    run.metric = metric
    plane_descent(problem, run)
    if run.reason not in ENDED:
        return run
    if metric.condition_above(EPS / DIGITS_LOST):
        if metric.null is None:
            return run if run.iteration else settled(problem, run)
        unseen = hidden(problem, here.out(run.base.coef), here.null())
        if run.iteration and unseen <= NOTICED * (stopping.null_loss - run.base.value + unseen):
            return run
    # in the user's coordinates, in which the data are
    stopping.metric = Diagonal(here.moments, 1.0, problem.alpha)
    run.move(problem.model, run.base.coef, here.out)
    run.form = Mapped(lambda coef: outer.out(here.smallest(coef, run.metric.null)))
    return by_the_data(problem, run, here)


def by_the_data(problem: Problem, run: Run, here: AtCentre) -> Run:
    """Go on where a Gram matrix has lost digits: in its metric, by gradients that are computed from the data."""
    p, centre, weight_sum = problem.design.n_features, here.centre, here.moments.weight_sum
    if here.metric.vectors is None:
        run.metric = here.metric.about(centre, weight_sum)
    else:
        run.metric = Full(here.metric.matrix()[:p, :p].copy(order="F"), centre, weight_sum, 0.0, EPS)

    def finer() -> Composed:
        return finer_metric(problem, problem.weight, 1.0)

    # the solution is large beside its predictions: sums of steps would lose touch with it
    run.rounding.refresh_every = 1
    plane_descent(problem, run)
    return settled(problem, run, finer if problem.eps == EPS else None)


# Rounding errors of a product of X'X with the first steps, relative to the gradient there and its distance from zero, squared.
LARGE_PRODUCTS = 1e3
# The relative error of coefficients from a Gram matrix, the arithmetic's precision times its condition number, beyond
# which the data are asked again.
DIGITS_LOST = 1e-8


def product_objective(problem: Problem) -> Quadratic:
    """The quadratic whose Hessian product is one read of X."""
    design, weight, alpha, moments = problem.design, problem.weight, problem.alpha, problem.moments
    p = design.n_features
    anchor = np.zeros_like(problem.start)
    anchor[p:] = problem.middle
    if moments.cross is not None:
        linear = np.zeros_like(problem.start)
        linear[:p] = moments.cross
        about = problem.y.astype(np.float64, copy=False) - problem.middle
        constant = 0.5 * problem.model.mean * float(np.vdot(about if weight is None else (about.T * weight).T, about))
    else:
        # the anchor has no penalty, nor slope in its intercept
        constant, gradient = problem.model.value_and_gradient(anchor)
        linear = -gradient

    def product(coef: Array) -> Array:
        if design.fit_intercept and not coef[:p].any():
            # all predictions are the same: nothing of X but its centre
            return np.concatenate([np.multiply.outer(moments.centre, coef[p]), coef[p:]])
        out = design.normal(coef, weight)
        out[:p] += alpha * coef[:p]
        return out

    return Quadratic(product, linear, anchor, constant, lambda: design.passes)
