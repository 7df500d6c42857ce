"""A linear model's loss where the rows, and so the raw predictions, are on workers.

Two uses: searches, which try the loss at some coefficients; and products with its Hessian.

What `objectives.LinearModel` keeps of a point, its predictions, is not kept here. A trial of a search is one pass over
the blocks: predictions at the trial and along the directions by one product of a block with a few columns, and, while
the block is in cache, the gradient. It returns the loss, the gradient, and the Hessian's forms along the directions; and
the Hessian itself of some rows, drawn in their blocks. That is the whole of what the search asks at a place, and what the
next iteration begins with. So an iteration is as many passes as trials, one or two, and no pass more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import compiled
from ..arrays import total
from ..designs.rows import Curvature, add_up
from ..losses import spread
from ..objectives import Direction, LinearModel, Point, Subspace
from ..penalties import L2
from ..protocols import Array, Loss, Penalty
from .design import add_curvatures, small_temporaries
from .graphs import parts_of

__all__ = ["Draw", "RemoteModel", "Trial", "drawn"]


class Draw(NamedTuple):
    """The rows whose Hessian a trial returns with the rest.

    Attributes
    ----------
    rates : list of float, or None
        Rows that a unit of a row's share of the Hessian stands for, an output; None for all rows.
    joint : bool
        Whether the whole Hessian over coupled outputs is wanted rather than a block an output.
    centre : ndarray of shape (n_features,)
        About the mean of the rows.
    number : int
        Of the draw: part of its seed.
    """

    rates: list[float] | None
    joint: bool
    centre: Array
    number: int


class Trial(NamedTuple):
    """What is known at some coefficients, as sums over the samples.

    Attributes
    ----------
    value : float
    gradient : ndarray like the coefficients
    forms : ndarray of shape (n_directions, n_directions)
        Of the Hessian.
    totals : list of float or ndarray
        About the weighted sum of the second derivatives of each output, from the rows that were drawn. Where the outputs are
        coupled, of all of them, and behind it the Hessian.
    grams : list of Curvature
        The Hessian of each output where they are not coupled.
    """

    value: float
    gradient: Array
    forms: Array
    totals: list[Any]
    grams: list[Curvature]


def add_trials(parts: Sequence[Trial]) -> Trial:
    """Several blocks together."""
    value, gradient, forms, *totals = add_up([(*part[:3], *part.totals) for part in parts])
    return Trial(value, gradient, forms, totals, add_curvatures([part.grams for part in parts]))


def on_rows(
    design: Any, y: Array, weight: Any, far: Any, number: int, task: Callable[..., Any], loss: Loss, *args: Any
) -> Any:
    """A task of the linear model of one block's rows, whose penalty is added where the sums come home.

    Parameters
    ----------
    design, y, weight
        Of the block.
    far : ndarray or None
        How far each row lies from the centre.
    number : int
        The block's.
    task : callable (model, far, number, *args)
    loss : loss
    *args
    """
    return task(LinearModel(design, loss, y, weight, L2(0.0, design.n_features)), far, number, *args)


def block_trial(model: LinearModel, far: Any, number: int, mean: float, draw: Draw | None, *coefs: Array) -> Trial:
    """One block's part of a trial.

    Parameters
    ----------
    model, far, number
        See `on_rows`.
    mean : float
        The weight of a sample where there are no weights.
    draw : Draw or None
    *coefs : ndarray
        The coefficients at the trial, and those of the directions.
    """
    design: Any = model.design
    shape = design.n_samples, *coefs[0].shape[1:]
    second = None if draw is None else np.empty(shape, dtype=design.dtype)
    found = compiled_plane(model, coefs, second) or plane(model, coefs, second)
    if draw is None:
        return Trial(*found, [], [])
    weight = np.full(shape[0], mean, dtype=design.dtype) if model.weight is None else model.weight
    return Trial(*found, *hessians(model, weight, far, number, draw, second))


def plane(model: LinearModel, coefs: Sequence[Array], second: Array | None) -> tuple[float, Array, Array]:
    """The first three of a block's `Trial`; second derivatives are written where there is an array for them."""
    m, y, weight = len(coefs) - 1, model.y, model.weight
    order = 2 if m or second is not None else 1
    forms = np.zeros((m, m))

    def pointwise(s: slice, raw: Array, *directions: Array) -> tuple[float, Array]:
        value, slope, here = model.loss.derivatives(y[s], raw, order)
        w = None if weight is None else weight[s]
        if second is not None:
            second[s] = here
        if directions:
            forms[...] += model.loss.forms(here, w, directions)
        return total(value, w), slope if w is None else slope * spread(w, slope)

    return *sweep(model.design, pointwise, coefs), forms


def sweep(design: Any, pointwise: Callable[..., tuple[float, Array]], coefs: Sequence[Array]) -> tuple[float, Array]:
    """A design's sweep, in which `pointwise` gets the predictions of several coefficients."""
    shape = -1, len(coefs), *coefs[0].shape[1:]
    columns = np.stack(coefs, axis=1).reshape(design.size, -1)
    small_temporaries(design, columns.shape[1])

    def apart(s: slice, raws: Array) -> tuple[float, Array]:
        return pointwise(s, *np.ascontiguousarray(raws.reshape(shape).swapaxes(0, 1)))

    value, gradient = design.sweep(apart, columns)
    return value, gradient


def compiled_plane(
    model: LinearModel, coefs: Sequence[Array], second: Array | None
) -> tuple[float, Array, Array] | None:
    """`plane` in a compiled pass, or None where there is none."""
    design: Any = model.design
    X, m, y, weight = design.X, len(coefs) - 1, model.y, model.weight
    known = compiled.kernels is not None and model.loss.kernel == compiled.BINOMIAL and m <= 2
    if not known or not compiled.takes(X.dtype, [X, y, weight]):
        return None
    (n, p), gradient = X.shape, np.zeros(design.size)
    w, b = design.split(np.stack(coefs, axis=1))
    w, b = np.ascontiguousarray(w.T), np.zeros(m + 1) if b is None else b
    found = compiled.kernels.plane(X.itemsize, m, n, p, X, w, b, y, weight, gradient[:p], second)
    value, slopes, _, *forms = found
    if design.fit_intercept:
        gradient[p] = slopes
    return value, gradient, np.array([forms[:2], forms[1:]])[:m, :m]


def hessians(
    model: LinearModel, weight: Array, far: Any, number: int, draw: Draw, second: Any
) -> tuple[list[Any], list[Curvature]]:
    """The last two of a block's `Trial`, of rows drawn by their share of the Hessian."""
    design: Any = model.design
    p = design.n_features
    columns = model.loss.hessian_diagonal(second)
    columns = columns.sum(axis=1)[None] if draw.joint else columns.T.reshape(-1, len(second))
    totals: list[Any] = []
    grams = []
    for k, column in enumerate(columns):
        rows, factor, sample = slice(None), 1.0, design
        if draw.rates is not None:
            random = np.random.default_rng((draw.number, number, k))
            rows, factor = drawn(column * weight * far * draw.rates[k], random)
            sample = design.take(rows)
        sample.threads, sample._centre = 1, draw.centre  # one centre for all blocks
        scale = weight[rows] * factor
        share = column[rows] * scale
        totals.append(float(share.sum(dtype=np.float64)))
        if draw.joint:
            found, shape = second[rows], (second.shape[1], design.size) * 2
            totals.append(sample.coupled_gram(found, found * scale[:, None])[0] if totals[0] > 0 else np.zeros(shape))
        else:
            grams.append(sample.gram(share) if totals[k] > 0 else Curvature(np.zeros((p, p)), np.zeros(p), 0.0))
    return totals, grams


def drawn(chance: Array, random: np.random.Generator) -> tuple[Any, Any]:
    """The rows drawn, and the factors that make up for those that were not; none where a run has diverged and chances are NaN."""
    rows = np.flatnonzero(random.random(len(chance), dtype=np.float32) < chance)
    return rows, 1 / np.minimum(chance[rows], 1)


def block_product(model: LinearModel, far: Any, number: int, coef: Array, step: Array) -> tuple[float, Array]:
    """One block's part of the Hessian at some coefficients times a direction."""
    loss, y, weight = model.loss, model.y, model.weight

    def pointwise(s: slice, raw: Array, direction: Array) -> tuple[float, Array]:
        second = loss.derivatives(y[s], raw, 2)[2]
        return 0.0, loss.hessian_product(second, None if weight is None else weight[s], direction)

    return sweep(model.design, pointwise, [coef, step])


def block_means(
    model: LinearModel, far: Any, number: int, coef: Array, of: Callable[[Array, Array], tuple[Array, ...]]
) -> tuple[float, ...]:
    """One block's part of `LinearModel.means`, in sums."""

    def pointwise(s: slice, raw: Array) -> tuple[float, Array]:
        weight = None if model.weight is None else model.weight[s]
        sums.append([total(values, weight) for values in of(model.y[s], raw)])
        return 0.0, raw

    sums: list[Any] = []
    sweep(model.design, pointwise, [coef])
    return tuple(map(sum, zip(*sums, strict=True)))


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
        # each block's targets, weights, distances from the centre once they are known, and number
        self.rows: list[Any] = [parts_of(y), parts_of(weight), None, list(range(len(design.blocks)))]
        self.draw: Draw | None = None  # the rows whose Hessian the trials of a search return

    def at(self, coef: Array) -> Any:
        return RemotePoint(self, coef)

    def try_at(self, coef: Array, directions: Sequence[Array], draw: Draw | None) -> Trial:
        """What is known at some coefficients, the penalty included: one round trip."""
        trial = self.over_rows(block_trial, self.mean, draw, coef, *directions, add=add_trials)
        gradient, forms = trial.gradient * self.mean, trial.forms * self.mean
        self.penalty.add_gradient(coef, gradient)
        forms += self.penalty.along(coef, directions)(np.zeros(len(directions)))[2]
        return trial._replace(value=trial.value * self.mean + self.penalty.value(coef), gradient=gradient, forms=forms)

    def over_rows(self, task: Callable[..., Any], *args: Any, add: Callable[[Any], Any] = add_up) -> Any:
        """The sum of a task over the blocks, see `on_rows`."""
        self.design.passes += 1
        return self.design.sum_over_blocks(on_rows, task, self.loss, *args, rows=self.rows, add=add)

    def means(self, point: Any, of: Callable[[Array, Array], tuple[Array, ...]]) -> tuple[float, ...]:
        return tuple(self.mean * float(each) for each in self.over_rows(block_means, point.coef, of))

    def value_and_gradient(self, coef: Array, raw: Array | None = None) -> tuple[float, Array]:
        return self.try_at(coef, (), None)[:2]


class RemotePoint(Point):
    """A place on a remote model's loss, and the trial that found what is known there."""

    __slots__ = ("_trial", "coef", "model")

    def __init__(self, model: RemoteModel, coef: Array, trial: Trial | None = None) -> None:
        self.model, self.coef, self._trial = model, coef, trial

    def known(self, order: int = 0, draw: Draw | None = None) -> Trial:
        """The trial at this point; for order 2 with a Hessian, of the rows of `draw` unless it has one already."""
        if self._trial is None or (order == 2 and not self._trial.totals):
            self._trial = self.model.try_at(self.coef, (), (draw or self.model.draw) if order == 2 else None)
        return self._trial

    def keep(self) -> RemotePoint:
        """Find all that a step needs in one round trip."""
        self.known(2)
        return self

    @property
    def value(self) -> float:
        return self.known().value

    @property
    def gradient(self) -> Array:
        return self.known().gradient

    def hessian_product(self, coef: Array) -> Array:
        """H @ coef in one round trip."""
        out = self.model.over_rows(block_product, self.coef, coef)[1] * self.model.mean
        self.model.penalty.add_product(self.coef, coef, out)
        return out

    def forget(self) -> None:
        """Let go of the Hessian, where the point is only remembered as a place."""
        if self._trial is not None:
            self._trial = self._trial._replace(grams=[], totals=[])

    def along(self, *directions: Direction) -> RemoteSubspace:
        return RemoteSubspace(self, directions)


class RemoteSubspace(Subspace):
    """φ for a remote model: a round trip a trial, whatever is asked of it."""

    _last: Any = None

    def derivatives(self, a: Array, order: int = 2) -> tuple[float, Any, Any]:
        """φ(a), and its gradient and Hessian where `order` asks for them."""
        model, coef = self.origin.model, self.coef(a)
        directions = [direction.coef for direction in self.directions]
        trial = model.try_at(coef, directions, model.draw) if order == 2 else model.try_at(coef, (), None)
        self._last = (a, RemotePoint(model, coef, trial))
        slopes = np.array([np.vdot(d, trial.gradient) for d in directions]) if order else None
        return trial.value, slopes, trial.forms if order == 2 else None

    def point(self, a: Array) -> RemotePoint:
        """The point at a, as far as a search has evaluated it."""
        if self._last is not None and self._last[0] is a:
            return self._last[1]
        return RemotePoint(self.origin.model, self.coef(a))
