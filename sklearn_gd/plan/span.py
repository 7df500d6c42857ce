"""Fewer rows than columns: descent in the span of the rows, by products with X alone.

Two uses: squared error and every other loss of wide sparse data, where work on vectors as long as there are columns would take longer than the
products.

The coefficients are w = X̃ᵀu with X̃ the rows about their centre: every gradient, and so every step from zero, is of this kind. A
coefficient vector here is (u, b) with b the intercept at the centre, and two of them have the inner product uᵀKv + bc with K = X̃X̃ᵀ,
which is that of the coefficients w. In it the gradient is (s + αu, Σs) with s the slopes of the samples, which takes no product with X; its
length and the linear predictor of a step in its direction take one, X̃ᵀ and back.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np

from ..descent import Run
from ..forms import Mapped
from ..losses import HalfSquaredError
from ..objectives import Direction, LinearModel
from ..objectives.linear_model import ModelPoint, ModelSubspace
from ..objectives.samples import Slopes
from ..penalties import Along
from ..preconditioners import EPS, Diagonal, Identity
from ..protocols import Array, Design
from .problem import Problem, Until, rented

__all__ = ["inner_products", "spanned", "suits"]


class SpanDesign:
    """The linear map (u, b) → Ku + b.

    Parameters
    ----------
    design : design
    centre : ndarray of shape (n_features,)
        Zero without an intercept.
    """

    where = "memory"
    streams = False

    def __init__(self, design: Design, centre: Array) -> None:
        self.inner, self.centre = design, centre
        self.n_samples, self.dtype, self.fit_intercept = design.n_samples, design.dtype, design.fit_intercept
        self.size = design.n_samples + design.fit_intercept
        self.one_block = design.one_block
        self.over_predictions, self.each_prediction = design.over_predictions, design.each_prediction
        self.form = Mapped(self._columns)

    @property
    def passes(self) -> float:
        return self.inner.passes

    def _columns(self, coef: Array) -> Array:
        """The user's coefficients."""
        w = self.inner.sweep(Slopes(coef[: self.n_samples]))[1]
        if self.fit_intercept:
            p = self.inner.n_features
            w[:p] -= np.multiply.outer(self.centre, w[p])
            w[p] = coef[-1] - self.centre @ w[:p]
        return w

    def forward(self, coef: Array) -> Array:
        """The linear predictor."""
        if not coef[: self.n_samples].any():
            level = coef[-1] if self.fit_intercept else 0.0
            return np.full((self.n_samples, *coef.shape[1:]), level, dtype=np.float64)
        return self.inner.forward(self.form.out(coef))


class SpanModel(LinearModel):
    """A linear model's loss in these coordinates."""

    design: Any

    def at(self, coef: Array) -> SpanPoint:
        return SpanPoint(self, coef)

    def riesz(self, slope: Array, coef: Array) -> Array:
        """The vector that stands for slopes of the samples and the penalty's gradient at some coefficients."""
        n = self.design.n_samples
        out = np.empty_like(coef)
        np.multiply(slope, self.mean, out=out[:n])
        if self.design.fit_intercept:
            out[n] = out[:n].sum(axis=0)
        out[:n] += self.penalty.alpha * coef[:n]
        return out

    def apart(self, coef: Array, predictor: Array) -> tuple[Array, Array]:
        """Ku and u of a vector whose linear predictor is known."""
        n = self.design.n_samples
        return (predictor - coef[n], coef[:n]) if self.design.fit_intercept else (predictor, coef)

    def inner(self, a: Array, b: Array, predictor: Array) -> float:
        """The inner product of two vectors, of the second of which the linear predictor is known."""
        n = self.design.n_samples
        out = float(np.vdot(a[:n], predictor))
        return out + float(np.vdot(a[n] - a[:n].sum(axis=0), b[n])) if self.design.fit_intercept else out


class SpanPoint(ModelPoint):
    """A place, whose gradient comes from the slopes of its samples."""

    __slots__ = ()
    model: Any

    def __init__(self, model: SpanModel, coef: Array, trial: Any = None, step: Any = None) -> None:
        super().__init__(model, coef, None, step)
        self.trial = trial

    @property
    def value(self) -> float:
        if self._value is None:
            trial = self.known(1)
            kernel, u = self.model.apart(self.coef, trial.raw)
            self._value = trial.value + 0.5 * self.model.penalty.alpha * float(np.vdot(u, kernel))
        return self._value

    @property
    def gradient(self) -> Array:
        if self._gradient is None:
            self._gradient = self.model.riesz(self.known(1).slope, self.coef)
        return self._gradient

    def keep(self) -> SpanPoint:
        self.known(1)
        return self

    def refreshed(self) -> SpanPoint:
        return SpanPoint(self.model, self.coef)

    def direction(self, coef: Array) -> Direction:
        metric = self.model.metric
        return Direction(coef, metric.predictor if metric.last is coef else None)

    def along(self, *directions: Direction) -> SpanSubspace:
        return SpanSubspace(self, directions)


class SpanSubspace(ModelSubspace):
    """φ in these coordinates."""

    def slopes(self) -> Array:
        model, q = self.origin.model, self.origin.gradient
        return np.array(
            [model.inner(q, d.coef, predictor) for d, predictor in zip(self.directions, self.predictors(), strict=True)]
        )

    def _penalty(self) -> Along:
        if self._along is None:
            model, origin, alpha = self.origin.model, self.origin, self.origin.model.penalty.alpha
            parts = [
                model.apart(d.coef, predictor) for d, predictor in zip(self.directions, self.predictors(), strict=True)
            ]
            kernel, u = model.apart(origin.coef, origin.known().raw)
            along = alpha * np.array([np.vdot(u, other) for other, _ in parts])
            forms = alpha * np.array([[np.vdot(vector, other) for other, _ in parts] for _, vector in parts])
            self._along = Along(0.5 * alpha * float(np.vdot(u, kernel)), along, forms)
        return self._along


class SpanNewton(Identity):
    """Newton's direction by conjugate gradients, as `preconditioners.Inexact` has it in the columns' coordinates.

    In a metric of one spread for all columns, and of the intercept apart. A quadratic's direction is the step to its least value, as exact
    as the criterion asks.

    Parameters
    ----------
    model : SpanModel
    diagonal : Diagonal
        The metric of the columns that it stands for.
    most : int
        Inner iterations at the most.
    """

    name = "diagonal"
    newton = True

    def __init__(self, model: SpanModel, diagonal: Diagonal, most: int) -> None:
        self.model, self.most = model, most
        self.scale = float(diagonal.root.max()) ** 2
        self.intercept = 1 / diagonal.root_weight_sum**2 if diagonal.has_intercept else 0.0
        self.base: Any = None
        self.last: Any = None  # the last direction, and its linear predictor
        self.predictor: Any = None
        self.decrement = 0.0

    def adapt(self, run: Run) -> None:
        norms = run.history["gradient_norm"]
        self.base, self.forcing = run.base, min(0.5, math.sqrt(norms[-1] / max(norms)))
        self.goal = 0.7 * run.stopping.tol / norms[-1] if isinstance(self.model.loss, HalfSquaredError) else None

    def scaled(self, q: Array) -> tuple[Array, Array]:
        """A gradient in the metric, and its linear predictor: one product with X and back."""
        z, predictor = self.scale * q, self.model.design.forward(q)
        predictor *= self.scale
        if self.model.design.fit_intercept:
            z[-1] = self.intercept * q[-1]
            predictor += z[-1] - self.scale * q[-1]
        return z, predictor

    def direction(self, gradient: Array) -> Array:
        model, second = self.model, self.base.known(2).second_derivative
        residual = gradient.copy()
        step, predictor = self.scaled(gradient)
        total, total_predictor = np.zeros_like(step), np.zeros_like(predictor)
        rho = first = model.inner(residual, step, predictor)
        value, size = self.base.value, float(np.vdot(residual, residual))
        least = self.forcing**2 * first
        for _ in range(self.most):
            product = model.riesz(model.loss.hessian_product(second, model.weight, predictor), step)
            form = model.inner(product, step, predictor)
            if not (form > 0 and rho > 0):
                break
            rate = rho / form
            total -= rate * step
            total_predictor -= rate * predictor
            residual -= rate * product
            if self.goal is not None:
                # the criterion is relative to the loss, which falls on the way as is known
                value -= 0.5 * rate * rho
                least = self.goal**2 * first * value / self.base.value
            before, size = size, float(np.vdot(residual, residual))
            if not rho * size > least * before:  # about what the next product would show
                break
            z, more = self.scaled(residual.copy())
            last, rho = rho, model.inner(residual, z, more)
            step = z + (rho / last) * step
            predictor = more + (rho / last) * predictor
        self.last, self.predictor = total, total_predictor
        self.decrement = math.sqrt(max(-model.inner(gradient, total, total_predictor), 0.0))
        return total


class SpanNorm:
    """The norm of a gradient as the columns have it."""

    def __init__(self, design: SpanDesign, columns: Diagonal) -> None:
        self.design, self.columns = design, columns

    def square(self, gradient: Array, unit: Any = 1.0) -> float:
        w = (self.columns.root * self.design.form.out(gradient)[: self.design.inner.n_features].T).T / unit
        b = gradient[self.design.n_samples :] / (unit * (self.columns.root_weight_sum or 1.0))
        return float(np.vdot(w, w)) + float(np.vdot(b, b))


# Products with a Hessian for one direction: at the most, and where a better metric could be had for fewer.
MOST_INNER, LEAST_INNER = 100, 10


def inner_products(until: Until) -> int:
    """The most products for one direction, in which nobody asks whether to buy something better."""
    return MOST_INNER if until is None else int(np.clip(until.products, LEAST_INNER, MOST_INNER))


def suits(problem: Problem) -> bool:
    """Whether products dominate here what is done to the columns: sparse rows, fewer than columns, from a start in their span."""
    design = problem.design
    sparse = design.where == "memory" and design.work < design.n_samples * design.n_features
    wide = sparse and design.n_samples < design.n_features and problem.eps == EPS
    return bool(wide and not problem.start.any() and not problem.large.any() and not design.far)


def spanned(problem: Problem, most: int) -> Run:
    """A run in the span of the rows, at its start."""
    outer, moments = problem.model, problem.moments
    criterion: Any = problem.stopping()
    design = SpanDesign(problem.design, moments.centre)
    model: Any = SpanModel(design, problem.loss, problem.y, problem.weight, outer.penalty)  # type: ignore[arg-type]
    diagonal = rented(problem)
    model.metric = SpanNewton(model, diagonal, most)
    stopping = copy.copy(criterion)
    stopping.metric = SpanNorm(design, criterion.metric)
    stopping.floor = lambda coef: 4 * EPS
    start = np.zeros((design.size, *problem.start.shape[1:]))
    if isinstance(problem.loss, HalfSquaredError) and design.fit_intercept:
        start[-1] = problem.middle
    run = problem.run(model, stopping, start)
    run.form = design.form
    run.metric = model.metric
    return run
