"""A quadratic known by its Hessian product: φ is of coefficient size, and gradients follow the steps.

Two uses: squared error in the metric of its columns, and with one step an output for several targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..protocols import Array
from .points import Direction, Point, Subspace


class Quadratic:
    """F(w) = constant − b·v + ½ vᵀHv with v = w − anchor, known by its Hessian product.

    With several outputs each column is a problem of its own, and they share the passes. The anchor is the best
    constant prediction, so that a target far from zero does not cost the value its last digits.

    Parameters
    ----------
    product : callable (coef) -> ndarray
        H @ coef.
    linear, anchor : ndarray like the coefficients
    constant : float
    passes : callable () -> float
        Reads of X so far.
    """

    coupled = False
    least = 0.0
    reference = False

    def __init__(
        self,
        product: Callable[[Array], Array],
        linear: Array,
        anchor: Array,
        constant: float,
        passes: Callable[[], float],
    ) -> None:
        self.product, self.linear, self.anchor, self.constant = product, linear, anchor, constant
        self._passes = passes

    @property
    def passes(self) -> float:
        return self._passes()

    def at(self, coef: Array) -> QuadraticPoint:
        return QuadraticPoint(self, coef)

    def curvature_product(self, coef: Array, at: Any = None) -> Array:
        return self.product(coef)


class QuadraticPoint(Point):
    """A place on a quadratic. Its gradient is H w − b at first, and then follows the steps."""

    __slots__ = ("_gradient", "_value", "coef", "model", "step")

    def __init__(self, model: Quadratic, coef: Array, gradient: Any = None, step: Any = None) -> None:
        self.model, self.coef, self._gradient, self.step = model, coef, gradient, step
        self._value: Any = None

    @property
    def gradient(self) -> Array:
        if self._gradient is None:
            self._gradient = self.model.product(self.coef - self.model.anchor) - self.model.linear
        return self._gradient

    @property
    def value(self) -> float:
        if self._value is None:
            model = self.model
            value = model.constant + 0.5 * float(np.vdot(self.coef - model.anchor, self.gradient - model.linear))
            # a sum of squares, but for rounding errors of the size of the constant's
            self._value = value if not value < 0 else 0.0
        return self._value

    def refreshed(self) -> QuadraticPoint:
        return QuadraticPoint(self.model, self.coef)

    def minus(self, other: Any) -> Direction:
        # The predictor of the step itself: the difference of the gradients is the same but for errors of their size, and
        # those grow from step to step.
        return self.step if self.step is not None else Direction(self.coef - other.coef, self.gradient - other.gradient)

    def along(self, *directions: Direction) -> QuadraticSubspace:
        return QuadraticSubspace(self, directions)


def inner(a: Array, b: Array) -> Any:
    """The inner product of two vectors, of each output."""
    return np.vdot(a, b) if a.ndim == 1 else np.einsum("ij,ij->j", a, b)


class QuadraticSubspace(Subspace):
    """φ for a quadratic: of coefficient size; a row of steps an output."""

    def predictors(self) -> list[Array]:
        product = self.origin.model.product
        first, *rest = self.directions
        if first.predictor is None and rest:
            # The product is taken of the combination that the search will choose, the one conjugate to the last step, and
            # the last step's part subtracted. So the predictor of the next step is a product of its own: carried along by a
            # recurrence alone, its errors double every few steps where the matrix is badly conditioned.
            last = rest[0]
            last_form = (last.coef * last.predictor).sum(axis=0)
            beta = -(first.coef * last.predictor).sum(axis=0) / np.where(last_form > 0, last_form, 1.0)
            first.predictor = product(first.coef + beta * last.coef) - beta * last.predictor
        for direction in self.directions:
            if direction.predictor is None:
                direction.predictor = product(direction.coef)
        return [direction.predictor for direction in self.directions]

    def slopes(self) -> Array:
        return np.array([inner(direction.coef, self.origin.gradient) for direction in self.directions]).T

    def hessian(self) -> Array:
        coefs = [direction.coef for direction in self.directions]
        return np.array([[inner(coef, product) for coef in coefs] for product in self.predictors()]).T

    def derivatives(self, a: Array, order: int = 2) -> tuple[float, Any, Any]:
        hessian, slopes = self.hessian(), self.slopes()
        change = (hessian @ a[..., None])[..., 0]
        value = self.origin.value + float(np.vdot(a, slopes + 0.5 * change))
        return value, slopes + change, hessian

    def value(self, a: Array) -> float:
        return self.derivatives(a, 0)[0]

    @staticmethod
    def _combine(a: Array, vectors: Sequence[Array]) -> Array:
        out = a[..., 0] * vectors[0]
        for k in range(1, len(vectors)):
            out += a[..., k] * vectors[k]
        return out

    def point(self, a: Array) -> QuadraticPoint:
        origin, predictors = self.origin, self.predictors()
        step = Direction(self._combine(a, [d.coef for d in self.directions]), self._combine(a, predictors))
        return QuadraticPoint(origin.model, origin.coef + step.coef, origin.gradient + step.predictor, step)
