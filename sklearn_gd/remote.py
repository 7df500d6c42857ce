"""A linear model's loss where the rows, and so the raw predictions, are elsewhere.

Two uses: fits on Dask collections; and, through the same few methods, any other design that can add a function up over
blocks of rows.

What `objectives.LinearModel` keeps of a point, its predictions, is not kept here. A trial of a search is one pass over
the blocks: predictions at the trial and along the directions by one product of a block with a few columns, and, while
the block is in cache, the gradient. It returns the loss, the gradient, and the Hessian's forms along the directions; and
the Hessian itself of some rows, drawn in their blocks. That is the whole of what the search asks at a place, and what the
next iteration begins with. So an iteration is as many passes as trials, one or two, and no pass more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from . import compiled
from .designs.dask import TEMPORARY_BYTES, add_curvatures, small_temporaries
from .designs.rows import Curvature, add_up, cut
from .losses import spread
from .objectives import Direction, LinearModel, Point, Subspace
from .protocols import Array, Design, Loss, Penalty

__all__ = ["Draw", "RemoteModel", "Trial", "drawn"]


class Draw(NamedTuple):
    """The rows whose Hessian a trial returns with the rest.

    Attributes
    ----------
    rate : float, ndarray of shape (n_outputs,) or None
        Rows that a unit of a row's share of the Hessian stands for; None for all rows.
    joint : bool
        Whether the whole Hessian over coupled outputs is wanted rather than a block an output.
    centre : ndarray of shape (n_features,)
        About the mean of the rows.
    number : int
        Of the draw: part of its seed.
    """

    rate: Any
    joint: bool
    centre: Array
    number: int


class Trial(NamedTuple):
    """What is known at some coefficients, as sums over the samples.

    Attributes
    ----------
    value : float
    gradient : ndarray like the coefficients
    curvature : float or ndarray of shape (n_outputs,)
        The weighted Hessian's diagonal in the predictions.
    forms : ndarray of shape (n_directions, n_directions)
        Of the Hessian.
    grams : list of Curvature
        The Hessian of each output, of the rows that were drawn; empty where the outputs are coupled.
    totals : list of float or ndarray
        The weight of each of them; or the coupled Hessian.
    """

    value: float
    gradient: Array
    curvature: Any
    forms: Array
    grams: list[Curvature]
    totals: list[Any]


def add_trials(parts: Sequence[Trial]) -> Trial:
    """Several blocks together."""
    value, gradient, curvature, forms = add_up([tuple(part[:4]) for part in parts])
    grams, totals = add_curvatures([part.grams for part in parts]), add_up([tuple(part.totals) for part in parts])
    return Trial(value, gradient, curvature, forms, grams, list(totals))


def block_trial(
    design: Any, y: Array, weight: Any, far: Any, block: int, loss: Loss, mean: float, draw: Draw | None, *coefs: Array
) -> Trial:
    """One block's part of a trial.

    Parameters
    ----------
    design, y, weight
        Of the block.
    far : ndarray or None
        How far each row lies from the centre.
    block : int
        Its number.
    loss : loss
    mean : float
        The weight of a sample where there are no weights.
    draw : Draw or None
    *coefs : ndarray
        The coefficients at the trial, and those of the directions.
    """
    picked = None if draw is None else Picked(draw, block, loss, mean if weight is None else weight, far)
    found = compiled_plane(design, y, weight, loss, coefs, picked) or plane(design, y, weight, loss, coefs, picked)
    grams, totals = ([], []) if picked is None else picked.hessians(design)
    return Trial(*found, grams, totals)


def plane(
    design: Any, y: Array, weight: Any, loss: Loss, coefs: Sequence[Array], picked: Picked | None
) -> tuple[float, Array, Any, Array]:
    """The first four of a block's `Trial`, in one read of X; rows are picked on the way."""
    m = len(coefs)
    outputs = coefs[0].shape[1:]
    columns = np.stack(coefs, axis=1).reshape(len(coefs[0]), -1)
    small_temporaries(design, columns.shape[1])
    forms = np.zeros((m - 1, m - 1))
    curved = m > 1 or picked is not None
    curvature: Any = 0.0

    def pointwise(s: slice, raws: Array) -> tuple[float, Array]:
        nonlocal curvature
        parts = np.ascontiguousarray(raws.reshape(-1, m, *outputs).swapaxes(0, 1))
        raw, images = parts[0], list(parts[1:])
        value, slope, bend = loss.derivatives(y[s], raw, 2 if curved else 1)
        w = None if weight is None else weight[s]
        if curved:
            diagonal = loss.hessian_diagonal(bend)
            diagonal = diagonal if w is None else diagonal * spread(w, diagonal)
            curvature = curvature + diagonal.sum(axis=0, dtype=np.float64)
            if images:
                forms[...] += loss.forms(bend, w, images)
            if picked is not None:
                picked.add(s, bend)
        if w is not None:
            slope = slope * spread(w, slope)
            return float(np.vdot(w, value)), slope
        return float(value.sum(dtype=np.float64)), slope

    value, gradient = design.sweep(pointwise, columns)
    return value, gradient, curvature, forms


def compiled_plane(
    design: Any, y: Array, weight: Any, loss: Loss, coefs: Sequence[Array], picked: Picked | None
) -> tuple[float, Array, Any, Array] | None:
    """The same in a compiled pass, or None where there is none."""
    X, m = design.X, len(coefs) - 1
    if (
        compiled.kernels is None
        or loss.kernel != compiled.BINOMIAL
        or m > 2
        or not compiled.takes(X.dtype, [X, y, weight])
    ):
        return None
    (n, p), gradient, sums = X.shape, np.zeros(design.size), np.zeros(6)
    w, b = design.split(np.stack(coefs, axis=1))
    w, b = np.ascontiguousarray(w.T), np.zeros(m + 1) if b is None else b
    rows = n if picked is None else min(n, TEMPORARY_BYTES // X.itemsize)
    bends = None if picked is None else np.empty(rows, dtype=X.dtype)
    for s in cut(n, rows):
        k = s.stop - s.start
        known = None if bends is None else bends[:k]
        w_s = None if weight is None else weight[s]
        sums += compiled.kernels.plane(X.itemsize, m, k, p, X[s], w, b, y[s], w_s, gradient[:p], known)
        if picked is not None:
            picked.add(s, known)
    value, total, mass, *forms = sums
    if design.fit_intercept:
        gradient[p] = total
    return value, gradient, mass, np.array([forms[:2], forms[1:]])[:m, :m]


class Picked:
    """The rows of a block whose Hessian a trial returns, drawn by their share of it while that is at hand.

    Parameters
    ----------
    draw : Draw
    block : int
    loss : loss
    weight : float or ndarray
        Of the rows.
    far : ndarray or None
        How far each row lies from the centre.
    """

    def __init__(self, draw: Draw, block: int, loss: Loss, weight: Any, far: Any) -> None:
        self.draw, self.block, self.loss, self.weight, self.far = draw, block, loss, weight, far
        self.randoms: Any = None  # a generator an output
        self.parts: Any = None  # for each output the indices of rows, their bends, and their weights

    def add(self, s: slice, bend: Any) -> None:
        """Draw from some rows, whose bends are given."""
        weight = np.asarray(self.weight if np.ndim(self.weight) == 0 else self.weight[s], dtype=bend.dtype)
        columns = self.loss.hessian_diagonal(bend)
        columns = columns.sum(axis=1)[None] if self.draw.joint else columns.T.reshape(-1, len(bend))
        if self.parts is None:
            self.randoms = [np.random.default_rng((self.draw.number, self.block, k)) for k in range(len(columns))]
            self.parts = [[] for _ in columns]
        rates = [None] * len(columns) if self.draw.rate is None else np.broadcast_to(self.draw.rate, len(columns))
        for column, rate, random, parts in zip(columns, rates, self.randoms, self.parts, strict=True):
            rows, factor = np.arange(len(column)), np.ones(1)
            if rate is not None:
                chance = column * weight
                chance *= self.far[s]
                chance *= rate
                rows, factor = drawn(chance, random)
            known = bend[rows] if self.draw.joint else column[rows]
            parts.append((rows + s.start, known.copy(), (weight if weight.ndim == 0 else weight[rows]) * factor))

    def hessians(self, design: Any) -> tuple[list[Curvature], list[Any]]:
        """The last two of a block's `Trial`."""
        grams, totals = [], []
        for parts in self.parts:
            rows, bends = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
            weight = np.concatenate([np.broadcast_to(part[2], len(part[0])) for part in parts])
            sample = design if self.draw.rate is None else design.take(rows)
            sample.threads, sample._centre = design.threads, self.draw.centre  # one centre for all blocks
            if self.draw.joint:
                scaled = (bends * weight[:, None]).astype(bends.dtype)
                return [], [sample.coupled_gram(bends, scaled)[0] if len(rows) else 0.0]
            share = (bends * weight).astype(bends.dtype)
            totals.append(float(share.sum(dtype=np.float64)))
            p = design.n_features
            empty = Curvature(np.zeros((p, p)), np.zeros(p), 0.0)
            grams.append(sample.gram(share) if totals[-1] > 0 else empty)
        return grams, totals


def drawn(chance: Array, random: np.random.Generator) -> tuple[Array, Array]:
    """The rows drawn, and the factors that make up for those that were not; none where a run has diverged and chances are NaN."""
    rows = np.flatnonzero(random.random(len(chance), dtype=np.float32) < chance)
    return rows, 1 / np.minimum(chance[rows], 1)


def block_product(
    design: Design, y: Array, weight: Any, far: Any, block: int, loss: Loss, coef: Array, step: Array
) -> tuple[Any, ...]:
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
        n = len(design.blocks)
        # each block's targets, weights, distances from the centre, and number
        self.rows = [[None] * n if v is None else design.parts_of(v) for v in (y, weight, None)] + [list(range(n))]
        self.draw: Draw | None = None  # the rows whose Hessian the trials of a search return

    def at(self, coef: Array) -> Any:
        return RemotePoint(self, coef)

    def try_at(self, coef: Array, directions: Sequence[Array], draw: Draw | None) -> Trial:
        """What is known at some coefficients, the penalty included: one round trip."""
        self.design.passes += 1
        trial = self.design.sum_over_blocks(
            block_trial, self.loss, self.mean, draw, coef, *directions, rows=self.rows, add=add_trials
        )
        value, gradient, curvature, forms, *_ = trial
        gradient = gradient * self.mean
        self.penalty.add_gradient(coef, gradient)
        bent = np.array([[self.penalty.inner(d, e) for e in directions] for d in directions]).reshape(forms.shape)
        return trial._replace(
            value=value * self.mean + self.penalty.value(coef),
            gradient=gradient,
            curvature=curvature * self.mean,
            forms=forms * self.mean + bent,
        )

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
        model = self.model
        model.design.passes += 1
        out = model.design.sum_over_blocks(block_product, model.loss, self.coef, coef, rows=model.rows)[1] * model.mean
        model.penalty.add_gradient(coef, out)
        return out

    def refreshed(self) -> RemotePoint:
        """The same place: nothing in it is a sum of steps but the coefficients."""
        return self

    def forget(self) -> None:
        """Let go of the Hessian, where the point is only remembered as a place."""
        if self._trial is not None:
            self._trial = self._trial._replace(grams=[], totals=[])

    def minus(self, other: Any) -> Direction:
        return Direction(self.coef - other.coef)

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

    def value(self, a: Array) -> float:
        return self.derivatives(a, 0)[0]

    def point(self, a: Array) -> RemotePoint:
        """The point at a, as far as a search has evaluated it."""
        if self._last is not None and self._last[0] is a:
            return self._last[1]
        return RemotePoint(self.origin.model, self.coef(a))
