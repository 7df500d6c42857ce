"""A linear model's loss where the rows, and so the raw predictions, are elsewhere.

Two uses: fits on Dask collections; and, through the same few methods, any other design that can add a function up over
blocks of rows.

What `objectives.LinearModel` keeps of a point, its predictions, is not kept here. A trial of a search is one pass over
the blocks: predictions at the trial and along the directions by one product of a block with a few columns, and, while
the block is in cache, the gradient. It returns the loss, the gradient and the Hessian's forms along the directions: the
whole of what the search asks at a place, and what the next iteration begins with. So an iteration is as many passes
as trials, one or two, and no pass more for its gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .losses import spread
from .objectives import Direction, LinearModel, Point, Subspace
from .protocols import Array, Design, Loss, Penalty

__all__ = ["RemoteModel", "block_trial"]


def block_trial(design: Design, y: Array, weight: Array | None, loss: Loss, *coefs: Array) -> tuple[Any, ...]:
    """One block's part of a trial.

    Parameters
    ----------
    design, y, weight, loss
        Of the block.
    *coefs : ndarray
        The coefficients at the trial, and those of the directions.

    Returns
    -------
    value : float
    gradient : ndarray like the coefficients
    curvature : float or ndarray of shape (n_outputs,)
        The sum of the weighted Hessian's diagonal over the samples; 0 without directions.
    forms : ndarray of shape (n_directions, n_directions)
        Of the Hessian.
    """
    m = len(coefs)
    outputs = coefs[0].shape[1:]
    columns = np.stack(coefs, axis=1).reshape(len(coefs[0]), -1)
    forms = np.zeros((m - 1, m - 1))
    curvature: Any = 0.0

    def pointwise(s: slice, raws: Array) -> tuple[float, Array]:
        nonlocal curvature
        parts = np.ascontiguousarray(raws.reshape(-1, m, *outputs).swapaxes(0, 1))
        raw, images = parts[0], list(parts[1:])
        value, slope, bend = loss.derivatives(y[s], raw, 2 if images else 1)
        w = None if weight is None else weight[s]
        if images:
            forms[...] += loss.forms(bend, w, images)
            diagonal = loss.hessian_diagonal(bend)
            diagonal = diagonal if w is None else diagonal * spread(w, diagonal)
            curvature = curvature + diagonal.sum(axis=0, dtype=np.float64)
        if w is not None:
            slope = slope * spread(w, slope)
            return float(np.vdot(w, value)), slope
        return float(value.sum(dtype=np.float64)), slope

    value, gradient = design.sweep(pointwise, columns)
    return value, gradient, curvature, forms


def block_product(design: Design, y: Array, weight: Array | None, loss: Loss, coef: Array, step: Array) -> tuple[Any, ...]:
    """One block's part of the Hessian at some coefficients times a direction."""
    outputs = coef.shape[1:]
    columns = np.stack([coef, step], axis=1).reshape(len(coef), -1)

    def pointwise(s: slice, raws: Array) -> tuple[float, Array]:
        raw, image = np.ascontiguousarray(raws.reshape(-1, 2, *outputs).swapaxes(0, 1))
        bend = loss.derivatives(y[s], raw, 2)[2]
        return 0.0, loss.bent(bend, None if weight is None else weight[s], image)

    return design.sweep(pointwise, columns)


class RemoteModel(LinearModel):
    """The formula of `LinearModel` over a design that is elsewhere.

    Parameters
    ----------
    design : design with ``sum_over_blocks``
    loss, penalty
    y, weight : collections
        Beside the rows of the design.
    """

    design: Any

    def __init__(self, design: Any, loss: Loss, y: Any, weight: Any, penalty: Penalty) -> None:
        super().__init__(design, loss, y, weight, penalty)
        self.rows = [None if values is None else design.parts_of(values) for values in (y, weight)]

    def at(self, coef: Array) -> Any:
        return RemotePoint(self, coef)

    def sums(self, task: Any, *args: Any) -> Any:
        """What a task returns of each block's design, targets and weights, added up over the blocks: one round trip."""
        self.design.passes += 1
        return self.design.sum_over_blocks(task, self.loss, *args, rows=self.rows)

    def remote_trial(self, coef: Array, directions: Sequence[Array]) -> tuple[float, Array, Any, Array]:
        """Value, gradient, curvature and forms at some coefficients, the penalty included."""
        value, gradient, curvature, forms = self.sums(block_trial, coef, *directions)
        gradient = gradient * self.mean
        self.penalty.add_gradient(coef, gradient)
        forms = forms * self.mean + np.array(
            [[self.penalty.inner(d, e) for e in directions] for d in directions]
        ).reshape(forms.shape)
        return value * self.mean + self.penalty.value(coef), gradient, curvature * self.mean, forms

    def value_and_gradient(self, coef: Array) -> tuple[float, Array]:
        return self.remote_trial(coef, ())[:2]


class RemotePoint(Point):
    """A place on a remote model's loss: value and gradient, and of the Hessian what the search met."""

    __slots__ = ("_curvature", "_gradient", "_value", "coef", "model")

    def __init__(self, model: RemoteModel, coef: Array, known: Any = (None, None, None)) -> None:
        self.model, self.coef = model, coef
        self._value, self._gradient, self._curvature = known

    def known(self, order: int = 0) -> RemotePoint:
        """The point, with what is asked of it: value and gradient, and with order 2 the curvature."""
        if self._value is None or (order == 2 and self._curvature is None):
            directions = [np.zeros_like(self.coef)] if order == 2 else []
            self._value, self._gradient, self._curvature, _ = self.model.remote_trial(self.coef, directions)
            if order < 2:
                self._curvature = None
        return self

    @property
    def value(self) -> float:
        return self.known()._value

    @property
    def gradient(self) -> Array:
        return self.known()._gradient

    @property
    def curvature(self) -> Any:
        """The weighted sum over the samples of the second derivatives in the predictions, an output."""
        return self.known(2)._curvature

    def hessian_product(self, coef: Array) -> Array:
        """H @ coef in one round trip."""
        out = self.model.sums(block_product, self.coef, coef)[1] * self.model.mean
        self.model.penalty.add_gradient(coef, out)
        return out

    def refreshed(self) -> RemotePoint:
        """The same place: nothing in it is a sum of steps but the coefficients."""
        return self

    def minus(self, other: Any) -> Direction:
        return Direction(self.coef - other.coef)

    def along(self, *directions: Direction) -> RemoteSubspace:
        return RemoteSubspace(self, directions)


class RemoteSubspace(Subspace):
    """φ for a remote model: a round trip a trial, whatever is asked of it."""

    _last: Any = None

    def derivatives(self, a: Array, order: int = 2) -> tuple[float, Any, Any]:
        """φ(a), and its gradient and Hessian where `order` asks for them."""
        coef = self.coef(a)
        directions = [direction.coef for direction in self.directions]
        value, gradient, curvature, forms = self.origin.model.remote_trial(coef, directions if order == 2 else ())
        known = (value, gradient, curvature if order == 2 else None)
        self._last = (a, RemotePoint(self.origin.model, coef, known))
        slopes = np.array([np.vdot(d, gradient) for d in directions]) if order else None
        return value, slopes, forms if order == 2 else None

    def value(self, a: Array) -> float:
        return self.derivatives(a, 0)[0]

    def point(self, a: Array) -> RemotePoint:
        """The point at a, as far as a search has evaluated it."""
        if self._last is not None and self._last[0] is a:
            return self._last[1]
        return RemotePoint(self.origin.model, self.coef(a))
