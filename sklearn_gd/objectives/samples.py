"""Losses over the samples of a linear model: what a sweep makes of a block's predictions, and sums at given predictions.

Two uses: the sweeps of a design, which call for a block at a time or know a loss by its row in the compiled table; and trials of a
search, value, slopes and second-order forms along directions, in NumPy or any library of the Array API standard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import compiled
from ..arrays import dot, stacked, total
from ..losses import spread
from ..protocols import Array, Loss


class Trial(NamedTuple):
    """The loss of the data at some predictions, and what was computed with it: the weighted slopes, and the second derivatives."""

    value: float
    raw: Array
    slope: Any  # an array or None
    second_derivative: Any
    gradient: Any = None  # the sum of the slopes over the rows, of coefficient size, where it came along


class SampleLoss:
    """What a sweep asks of a block: the sum of its losses, and their weighted slopes.

    Designs that have a compiled sweep know the loss by its ``kernel``, and call for nothing.
    """

    cells = None

    def __init__(self, loss: Loss, y: Array, weight: Array | None, raw: Array | None = None) -> None:
        self.loss, self.y, self.weight, self.raw = loss, y, weight, raw
        self.kernel, self.numbers = loss.kernel, loss.numbers

    def __call__(self, s: slice, raw: Array) -> tuple[float, Array]:
        if self.raw is not None:
            self.raw[s] = raw
        value, slope, _ = self.loss.derivatives(self.y[s, ...], raw, 1)
        assert slope is not None
        if self.weight is None:
            return total(value), slope
        w = self.weight[s]
        return total(value, w), slope * spread(w, slope)


class HessianProduct:
    """The same of a product with the Hessian: the weighted second derivatives times a direction's predictions."""

    y = raw = numbers = None

    def __init__(self, loss: Loss, weight: Array | None, second_derivative: Any) -> None:
        self.loss, self.weight, self.cells = loss, weight, second_derivative
        self.kernel = compiled.CURVED if loss.coupled and loss.kernel is not None else None

    def __call__(self, s: slice, predictor: Array) -> tuple[float, Array]:
        return 0.0, self.loss.hessian_product(
            self.cells[s, ...], None if self.weight is None else self.weight[s], predictor
        )


class Slopes:
    """The same of slopes that are known."""

    y = weight = raw = numbers = None
    kernel = compiled.GIVEN

    def __init__(self, slope: Any) -> None:
        self.cells = slope

    def __call__(self, s: slice, _: Any) -> tuple[float, Array]:
        return 0.0, self.cells[s, ...]


def moved(base: Array, moves: Iterable[tuple[Any, Array]]) -> Array:
    """Predictions plus factors times those of directions."""
    raw = base
    for factor, predictor in moves:
        raw = raw + factor * predictor
    return raw


def sums(
    loss: Loss, y: Array, weight: Array | None, raw: Array, predictors: Sequence[Array], order: int
) -> tuple[tuple[Any, ...], Any, Any]:
    """The loss at some predictions.

    Returns
    -------
    sums : tuple
        Of the losses; for order 1 of the slopes along the predictors, too, (m,); for order 2 also of the Hessian's forms, (m, m).
    slope, second_derivative : arrays or None
        Weighted slopes, and second derivatives.
    """
    value, slope, second_derivative = loss.derivatives(y, raw, order)
    out: tuple[Any, ...] = (total(value, weight),)
    if order:
        if weight is not None:
            slope *= spread(weight, slope)
        parts = [dot(predictor, slope) for predictor in predictors]
        out += (np.array(parts, dtype=np.float64) if isinstance(slope, np.ndarray) else stacked(parts),)
    if order == 2:
        out += (loss.forms(second_derivative, weight, predictors),)
    return out, slope, second_derivative
