"""What is minimised: a linear model's loss over a design, or a quadratic known by its Hessian product.

Two uses: `LinearModel` for every loss and every rule, `Quadratic` for the automatic rule on squared error, where the
gradient itself moves along straight lines. Both give the method tower the same three things: a `Point` (a place
and what is known there), a `Direction`, and the `Subspace` that directions span from a point.

In a subspace the expensive part of each direction, its *image*, is computed once. The image is the raw predictions
[X 1] d for a linear model, the Hessian product H d for a quadratic; it is linear in the direction, so the image of the
last step is the difference of two points' and costs no pass over X.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import compiled
from .arrays import add_times, cast, dot, home, place_of, scalar, stacked, total
from .losses import spread
from .protocols import Array, Design, Loss, Penalty

__all__ = ["Direction", "LinearModel", "Quadratic"]


class Direction:
    """A coefficient-sized vector and, once it was needed, its image."""

    __slots__ = ("coef", "image")

    def __init__(self, coef: Array, image: Any = None) -> None:
        self.coef = coef
        self.image = image


class Point:
    """What the points of all objectives offer beside value and gradient."""

    __slots__ = ()

    def forget(self) -> None:
        """Let go of what is as large as the samples; here there is nothing of the kind."""

    def keep(self) -> Point:
        """Find all that a step needs; what is not is found when it is asked for."""
        return self

    def direction(self, coef: Array) -> Direction:
        """A vector of coefficient size as a direction from here, its image not yet known."""
        return Direction(coef)


class Subspace:
    """φ(a) = F(w + Σ aₖ dₖ) about a point: what a search over learning rate and momentum sees."""

    fused = False  # whether a read of X costs more than a trial: then `swept` looks before a search does

    def __init__(self, origin: Any, directions: Sequence[Direction]) -> None:
        self.origin = origin
        self.directions = directions

    def swept(self) -> Any:
        """The point one first direction away, with its gradient, where `fused`."""
        raise NotImplementedError

    def compare(self, point: Any, follow: bool) -> None:
        """Learn the first direction's image from the point that `swept` gave."""
        raise NotImplementedError

    def searched(self, a: Array, *goal: float) -> Any:
        """What a compiled search over all coordinates finds, or None where there is none."""
        return None

    def hessian(self) -> Array | None:
        """The Hessian of φ where φ is a quadratic."""
        return None

    def coef(self, a: Array) -> Array:
        out = self.origin.coef.copy()
        for factor, direction in zip(a, self.directions, strict=True):
            add_times(out, factor, direction.coef)
        return out

    def slopes(self) -> Array:
        """The gradient of φ at a = 0, from the gradient at the origin: no work on samples."""
        g = self.origin.gradient
        return np.array([np.vdot(d.coef, g) for d in self.directions])

    def point(self, a: Array) -> Any:
        """The point at a."""
        raise NotImplementedError

    def point_at(self, factor: float) -> Any:
        """The point at the same factor of every direction."""
        return self.point(np.array([factor]))


# ------------------------------------------------------------------------------------------------ linear models


class LinearModel:
    """F(w, b) = Σ weightᵢ ℓ(yᵢ, xᵢ·w + b) + penalty(w).

    Parameters
    ----------
    design : design
    loss : loss
    y : ndarray
        The targets, as the loss wants them.
    weight : ndarray of shape (n_samples,) or None
        Sums to one; None for 1/n each.
    penalty : penalty
    """

    coupled = True  # the outputs share one loss: one step for all of them
    least = 0.0

    def __init__(self, design: Design, loss: Loss, y: Array, weight: Array | None, penalty: Penalty) -> None:
        self.design, self.loss, self.y, self.weight, self.penalty = design, loss, y, weight, penalty
        self.mean = 1.0 / design.n_samples if weight is None else 1.0
        self.compiled = loss.compiled_trials(y, weight, design.dtype)

    @property
    def passes(self) -> float:
        return self.design.passes

    @property
    def curvature(self) -> float:
        return self.loss.curvature

    def at(self, coef: Array) -> ModelPoint:
        return ModelPoint(self, coef)

    def curvature_product(self, coef: Array) -> Array:
        """(curvature bound of the loss · [X 1]ᵀW[X 1] + penalty) @ coef: at least the Hessian, everywhere."""
        out = self.loss.curvature * self.design.normal(coef, self.weight)
        self.penalty.add_gradient(coef, out)
        return out

    # -- over the samples

    def value_and_gradient(self, coef: Array, raw: Array | None = None) -> tuple[float, Array]:
        """The fused sweep: one read of X, and of n_samples nothing is kept but the predictions, where `raw` takes them."""
        value, gradient = self.design.sweep(SampleLoss(self.loss, self.y, self.weight, raw), coef)
        gradient *= self.mean
        self.penalty.add_gradient(coef, gradient)
        return value * self.mean + self.penalty.value(coef), gradient

    def gradient(self, coef: Array, trial: Trial) -> Array:
        """The gradient from the weighted slopes of the samples: one read of X, where a trial has not made it already."""
        gradient = trial.gradient
        if gradient is None:
            gradient = self.design.sweep(Slopes(trial.slope))[1]
        gradient = gradient * self.mean
        self.penalty.add_gradient(coef, gradient)
        return gradient

    def trial(
        self, base: Array, a: Array | tuple[()], images: Sequence[Array], order: int, slopes: bool = True
    ) -> tuple[Trial, Any, Any]:
        """The loss at the predictions base + Σ aₖ imageₖ; the slopes may be left out where nobody needs them.

        Returns
        -------
        trial : Trial
        gradient, hessian : ndarray of shape (m,) and (m, m), or None
            Of the data's part, along the images.
        """
        if self.compiled is not None and self.compiled.takes(base, images):
            return self._compiled_trial(base, a, images, order, slopes)
        moves = [(scalar(factor, base), image) for factor, image in zip(a, images, strict=True) if factor]
        if not self.design.one_block:
            value, arrays, gradient, hessian = self._trial_by_blocks(base, moves, images, order)
        else:
            raw = base
            for factor, image in moves:
                raw = raw + factor * image
            sums, slope, bend = self._sums(raw, images, order)
            value, gradient, hessian = sums if isinstance(raw, np.ndarray) else home(*sums)
            arrays = (raw, slope, bend)
        if gradient is not None:
            gradient *= self.mean
        if hessian is not None:
            hessian *= self.mean
        return Trial(value * self.mean, *arrays), gradient, hessian

    def _compiled_trial(
        self, base: Array, a: Any, images: Sequence[Array], order: int, slopes: bool
    ) -> tuple[Trial, Any, Any]:
        # one pass over the samples for all of it
        compiled: Any = self.compiled
        wanted = bool(images), order > 0 and slopes, order > 1
        arrays: list[Any] = [np.empty_like(base) if wanted[k] else None for k in range(3)]
        if not images:
            arrays[0] = base  # where it is

        def task(s: slice) -> Any:
            return compiled(s, base, a, images, arrays)

        at_once = compiled.at_once(base)
        value, gradient, hessian = task(slice(0, len(base))) if at_once else self.design.over_predictions(task)
        return (
            Trial(value * self.mean, *arrays),
            gradient * self.mean if order else None,
            hessian * self.mean if order == 2 else None,
        )

    def _sums(self, raw: Array, images: Sequence[Array], order: int) -> tuple[tuple[Any, Any, Any], Any, Any]:
        # value, gradient and Hessian along the images, where the predictions are; the weighted slopes, and the bends
        weight = self.weight
        value, slope, bend = self.loss.derivatives(self.y, raw, order)
        gradient = hessian = None
        if order:
            if weight is not None:
                slope *= spread(weight, slope)
            parts = [dot(image, slope) for image in images]
            gradient = np.array(parts, dtype=np.float64) if isinstance(slope, np.ndarray) else stacked(parts)
            if order == 2:
                hessian = self.loss.forms(bend, weight, images)
        return (total(value, weight), gradient, hessian), slope, bend

    def trials_ahead(
        self, base: Array, a: Array, images: Sequence[Array], along: Array, forms: Array, count: int
    ) -> list[tuple[Array, Trial, Array, Array]]:
        """`trial` at a, at Newton's step from there, and so on, on a device that is asked once for all of them.

        Parameters
        ----------
        base, a, images : as `trial` has them
        along, forms : ndarray of shape (m,) and (m, m)
            The penalty's gradient along the images at the base, and its Hessian.
        count : int

        Returns
        -------
        list of (a, trial, gradient, hessian)
            Trials with their gradients of coefficient size: one read of X for all of them.
        """
        design: Any = self.design  # one on a device, which has an adjoint
        place = place_of(base)
        xp, n = place.xp, design.n_samples
        along, forms, here = place.put(along), place.put(forms), place.put(a)
        arrays, sums = [], []
        for _ in range(count):
            factors = cast(here, base.dtype)
            raw = base
            for k, image in enumerate(images):
                raw = raw + factors[k] * image
            (value, gradient, hessian), slope, bend = self._sums(raw, images, 2)
            arrays.append((raw, slope, bend))
            sums += [here, value, gradient, hessian]
            bent = xp.matmul(forms, here)
            here = here + newton_on_device(xp, self.mean * hessian + forms, self.mean * gradient + along + bent)
        slopes = [xp.reshape(slope, (n, -1)) for _, slope, _ in arrays]
        *numbers, gradients = home(*sums, design.adjoint(xp.concat(slopes, axis=1)))
        gradients = gradients.reshape(len(gradients), count, *base.shape[1:])
        return [
            (
                numbers[4 * k],
                Trial(numbers[4 * k + 1] * self.mean, *arrays[k], gradients[:, k]),
                numbers[4 * k + 2] * self.mean,
                numbers[4 * k + 3] * self.mean,
            )
            for k in range(count)
        ]

    def _trial_by_blocks(
        self, base: Array, moves: list[tuple[Any, Array]], images: Sequence[Array], order: int
    ) -> tuple[Any, Any, Any, Any]:
        # the same for more samples than a cache holds: block by block, into arrays of their own
        loss, weight = self.loss, self.weight
        arrays: list[Any] = [np.empty_like(base) if k <= order else None for k in range(3)]

        def task(s: slice) -> tuple[Any, ...]:
            views: Any = (None if array is None else array[s] for array in arrays)
            raw, slope, bend = views
            if moves:
                np.multiply(moves[0][1][s], moves[0][0], out=raw)
                raw += base[s]
                for factor, image in moves[1:]:
                    raw += factor * image[s]
            else:
                raw[...] = base[s]
            value, slopes, bends = loss.derivatives(self.y[s], raw, order)
            w = None if weight is None else weight[s]
            out: tuple[Any, ...] = (float(value.sum(dtype=np.float64) if w is None else np.vdot(w, value)),)
            if order:
                np.copyto(slope, slopes) if w is None else np.multiply(slopes, spread(w, slope), out=slope)
                parts = [image[s] for image in images]
                out += (np.array([np.vdot(part, slope) for part in parts], dtype=np.float64),)
                if order == 2:
                    bend[...] = bends
                    out += (loss.forms(bends, w, parts),)
            return out

        value, *rest = self.design.over_predictions(task)
        gradient, hessian = (*rest, None, None)[:2]
        return value, arrays, gradient, hessian


class SampleLoss:
    """What a sweep asks of a block: the sum of its losses, and their weighted slopes.

    Designs that have a compiled sweep know the loss by its ``kernel``, and call for nothing.
    """

    cells = None

    def __init__(self, loss: Loss, y: Array, weight: Array | None, raw: Array | None = None) -> None:
        self.loss, self.y, self.weight, self.raw, self.kernel = loss, y, weight, raw, loss.kernel

    def __call__(self, s: slice, raw: Array) -> tuple[float, Array]:
        if self.raw is not None:
            self.raw[s] = raw
        value, slope, _ = self.loss.derivatives(self.y[s, ...], raw, 1)
        assert slope is not None
        if self.weight is None:
            return total(value), slope
        w = self.weight[s]
        return total(value, w), slope * spread(w, slope)


class Bent:
    """The same of a product with the Hessian: the weighted bends times a direction's predictions."""

    y = raw = None

    def __init__(self, loss: Loss, weight: Array | None, bend: Any) -> None:
        self.loss, self.weight, self.cells, self.kernel = loss, weight, bend, loss.bent_kernel

    def __call__(self, s: slice, image: Array) -> tuple[float, Array]:
        return 0.0, self.loss.bent(self.cells[s, ...], None if self.weight is None else self.weight[s], image)


class Slopes:
    """The same of slopes that are known."""

    y = weight = raw = None
    kernel = compiled.GIVEN

    def __init__(self, slope: Any) -> None:
        self.cells = slope

    def __call__(self, s: slice, _: Any) -> tuple[float, Array]:
        return 0.0, self.cells[s, ...]


def newton_on_device(xp: Any, hessian: Any, gradient: Any) -> Any:
    """−H⁻¹g for one or two numbers, by arithmetic alone: a guess of where a search goes next, which it need not follow."""
    if gradient.shape[0] == 1:
        return -gradient / hessian[0, :]
    h, k, c = hessian[0, 0], hessian[1, 1], hessian[0, 1]
    g, e = gradient[0], gradient[1]
    return xp.stack([c * e - k * g, c * g - h * e]) / (h * k - c * c)


class Trial(NamedTuple):
    """The loss of the data at some predictions, and what was computed with it: the weighted slopes, and the bends."""

    value: float
    raw: Array
    slope: Any  # an array or None
    bend: Any
    gradient: Any = None  # the sum of the slopes over the rows, of coefficient size, where it came along


class ModelPoint(Point):
    """A place on a linear model's loss.

    Value and gradient are computed when first asked for, and kept: in one fused sweep where the predictions are not
    known, from the trial of the search that found the point where they are.
    """

    __slots__ = ("_gradient", "_value", "coef", "model", "step", "trial")

    def __init__(self, model: LinearModel, coef: Array, trial: Any = None, step: Any = None) -> None:
        self.model, self.coef, self.trial, self.step = model, coef, trial, step
        self._value: Any = None if trial is None else trial.value + model.penalty.value(coef)
        self._gradient: Any = None

    def _sweep(self) -> None:
        self._value, self._gradient = self.model.value_and_gradient(self.coef)

    def keep(self) -> ModelPoint:
        """Find value, gradient and predictions in one read of X, where predictions are at home."""
        model = self.model
        if self._gradient is None and self.trial is None and model.design.where == "memory":
            raw = np.empty((model.design.n_samples, *self.coef.shape[1:]), dtype=model.design.dtype)
            self._value, self._gradient = model.value_and_gradient(self.coef, raw)
            self.trial = Trial(self._value - model.penalty.value(self.coef), raw, None, None)
        return self

    @property
    def value(self) -> float:
        if self._value is None:
            self._sweep()
        return self._value

    @property
    def gradient(self) -> Array:
        if self._gradient is None:
            if self.trial is None or self.trial.slope is None:
                # a trial of order 0 has no slopes
                self._value, self._gradient = self.model.value_and_gradient(self.coef)
            else:
                self._gradient = self.model.gradient(self.coef, self.trial)
        return self._gradient

    def known(self, order: int = 0) -> Trial:
        """The trial at this point, with derivatives up to `order`."""
        if self.trial is None or self.trial[1 + order] is None:
            raw = self.model.design.forward(self.coef) if self.trial is None else self.trial.raw
            # a second derivative is asked for where the gradient is known: its slopes would be one vector of n_samples more
            self.trial = self.model.trial(raw, (), (), order, slopes=order < 2 or self._gradient is None)[0]
        return self.trial

    def hessian_product(self, coef: Array) -> Array:
        """H @ coef in one read of X."""
        model = self.model
        out = model.design.sweep(Bent(model.loss, model.weight, self.known(2).bend), coef)[1]
        out *= model.mean
        model.penalty.add_gradient(coef, out)
        return out

    def release(self) -> None:
        """Keep of the trial what a step needs: the predictions."""
        _ = self.gradient  # computed from the slopes, which go
        self.known()
        self.trial = self.trial._replace(slope=None, bend=None, gradient=None)

    def refreshed(self) -> ModelPoint:
        """The same place, with predictions from its coefficients rather than from a sum of steps."""
        return ModelPoint(self.model, self.coef)

    def minus(self, other: Any) -> Direction:
        """The step from another point, as a direction whose image is known where a search has computed the parts."""
        if isinstance(self.step, Direction):
            return self.step
        if self.step is None or self.step[0] is not other.coef:  # with Nesterov's momentum steps start elsewhere
            return Direction(self.coef - other.coef)
        # the combination of the parts rather than the difference of two sums: no errors but its own
        _, a, images = self.step
        first, *others = [(scalar(factor, image), image) for factor, image in zip(a, images, strict=True)]
        if self.model.design.one_block:
            image = first[0] * first[1]
            for factor, part in others:
                image += factor * part
        else:
            image = np.empty_like(first[1])

            def task(s: slice) -> None:
                np.multiply(first[1][s], first[0], out=image[s])
                for factor, part in others:
                    image[s] += factor * part[s]

            self.model.design.each_prediction(task)
        self.step = Direction(self.coef - other.coef, image)  # and the parts are not needed any more
        return self.step

    def forget(self) -> None:
        """Let go of all that is as large as the samples, where the point is only remembered as a place."""
        self.trial = self.step = None

    def along(self, *directions: Direction) -> ModelSubspace:
        return (DistantSubspace if self.model.design.where == "device" else ModelSubspace)(self, directions)


class ModelSubspace(Subspace):
    """φ for a linear model: O(n_samples) a trial, after one product a direction."""

    def __init__(self, origin: ModelPoint, directions: Sequence[Direction]) -> None:
        super().__init__(origin, directions)
        self.fused = origin.model.design.streams

    _images: Any = None
    _last: Any = None
    _forms: Any = None

    def images(self) -> list[Array]:
        if self._images is None:
            design = self.origin.model.design
            for direction in self.directions:
                if direction.image is None:
                    direction.image = design.forward(direction.coef)
            self._images = [direction.image for direction in self.directions]
        return self._images

    def derivatives(self, a: Array, order: int = 2) -> tuple[float, Any, Any]:
        """φ(a), and its gradient and Hessian where `order` asks for them."""
        model = self.origin.model
        trial, gradient, hessian = self._trial(a, order)
        self._last = (a, trial)
        value = trial.value
        if model.penalty.alpha:
            # the penalty's part is quadratic: its forms are computed once
            start, along, forms = self._penalty_forms()
            bent = forms @ a
            value += start + float((along + 0.5 * bent) @ a)
            if order:
                gradient += along
                gradient += bent
                if order == 2:
                    hessian += forms
        return value, gradient, hessian

    def swept(self) -> ModelPoint:
        """The point one first direction away, with its gradient and its predictions from one read of X."""
        self.origin.release()
        return ModelPoint(self.origin.model, self.origin.coef + self.directions[0].coef).keep()

    def compare(self, point: ModelPoint, follow: bool) -> None:
        """Take the first direction's image from the point that `swept` gave; where that is followed, in place of the origin's."""
        old, new = self.origin.trial.raw, point.trial.raw
        first = self.directions[0]
        image = first.image = old if follow else np.empty_like(old)

        def task(s: slice) -> None:
            np.subtract(new[s], old[s], out=image[s])

        self.origin.model.design.each_prediction(task)
        if follow:
            self.origin.forget()
            point.step = first

    def searched(self, a: Array, *goal: float) -> Any:
        model = self.origin.model
        images = self.images()
        self.origin.release()
        base = self.origin.known().raw
        compiled = model.compiled
        if (
            compiled is None
            or not compiled.takes(base, images)
            or not (model.design.one_block or compiled.at_once(base))
        ):
            return None
        arrays = [np.empty_like(base) for _ in range(3)]
        start, along, forms = self._penalty_forms()
        m = len(a) - 1
        plane = (model.mean, start, along[0], m * along[m], forms[0, 0], m * forms[0, m], m * forms[m, m])
        *found, value, promised, match = compiled.search(base, a, images, arrays, plane, goal)
        a = np.array(found[: len(a)])
        # the value is the penalty's, too, which is subtracted to be added again where the point is
        at = start + float((along + 0.5 * (forms @ a)) @ a)
        self._last = (a, Trial(value - at, *arrays))
        return a, promised, match

    def _trial(self, a: Array, order: int) -> tuple[Trial, Any, Any]:
        self.origin.release()
        self._last = None
        return self.origin.model.trial(self.origin.known().raw, a, self.images(), order)

    def _penalty_forms(self) -> tuple[float, Array, Array]:
        if self._forms is None:
            penalty, origin = self.origin.model.penalty, self.origin.coef
            vectors = [direction.coef for direction in self.directions]
            along = np.array([penalty.inner(d, origin) for d in vectors])
            forms = np.array([[penalty.inner(d, e) for e in vectors] for d in vectors])
            self._forms = penalty.value(origin), along, forms
        return self._forms

    def value(self, a: Array) -> float:
        return self.derivatives(a, 0)[0]

    def point(self, a: Array) -> ModelPoint:
        """The point at a; it carries its predictions where a search has computed the images."""
        if self._last is not None and self._last[0] is a:
            return type(self.origin)(
                self.origin.model, self.coef(a), self._last[1], (self.origin.coef, a, self._images)
            )
        if self._images is None or self.origin.trial is None:
            return type(self.origin)(self.origin.model, self.coef(a))
        trial = self.origin.model.trial(self.origin.trial.raw, a, self._images, 1)[0]
        return type(self.origin)(self.origin.model, self.coef(a), trial, (self.origin.coef, a, self._images))


class DistantSubspace(ModelSubspace):
    """The same on a device, where to look at a number is to wait for it: trials are made ahead of the search.

    Where a Newton search goes next is known from sums that the device has. It makes `AHEAD` steps of its own, with their
    gradients, and all that they found comes home in one transfer. A search that goes another way is as right, and waits
    once more.
    """

    # Trials of most searches (1 to 3 in nine of ten). One too many costs O(n_samples) on the device, one too few a wait.
    AHEAD = 3
    # The same formula of the same numbers, on the device and on the host, but for its rounding errors.
    SAME = 1e-10

    def _trial(self, a: Array, order: int) -> tuple[Trial, Any, Any]:
        if order < 2:
            return super()._trial(a, order)
        found = self._found(a)
        if found is None:
            self.origin.release()
            _, along, forms = self._penalty_forms()
            raw = self.origin.known().raw
            self._seen = self.origin.model.trials_ahead(raw, a, self.images(), along, forms, self.AHEAD)
            found = self._seen[0]
        return found[1], found[2].copy(), found[3].copy()

    _seen: Any = ()

    def _found(self, a: Array) -> Any:
        for entry in self._seen:
            if np.abs(entry[0] - a).max() <= self.SAME * np.abs(a).max():
                return entry
        return None

    def point(self, a: Array) -> ModelPoint:
        found = self._found(a)
        if found is not None:
            self._last = (a, found[1])
        return super().point(a)


# ---------------------------------------------------------------------------------------------------- quadratics


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

    curvature = 1.0
    coupled = False
    least = 0.0

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

    def curvature_product(self, coef: Array) -> Array:
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
        # The image of the step itself: the difference of the gradients is the same but for errors of their size, and
        # those grow from step to step.
        return self.step if self.step is not None else Direction(self.coef - other.coef, self.gradient - other.gradient)

    def along(self, *directions: Direction) -> QuadraticSubspace:
        return QuadraticSubspace(self, directions)


class QuadraticSubspace(Subspace):
    """φ for a quadratic: of coefficient size; a row of steps an output."""

    def images(self) -> list[Array]:
        product = self.origin.model.product
        first, *rest = self.directions
        if first.image is None and rest:
            # The product is taken of the combination that the search will choose, the one conjugate to the last step, and
            # the last step's part subtracted. So the image of the next step is a product of its own: carried along by a
            # recurrence alone, its errors double every few steps where the matrix is badly conditioned.
            last = rest[0]
            last_form = column_sums(last.coef * last.image)
            beta = -column_sums(first.coef * last.image) / np.where(last_form > 0, last_form, 1.0)
            first.image = product(first.coef + beta * last.coef) - beta * last.image
        for direction in self.directions:
            if direction.image is None:
                direction.image = product(direction.coef)
        return [direction.image for direction in self.directions]

    def slopes(self) -> Array:
        g = self.origin.gradient
        if g.ndim == 1:
            return np.array([np.vdot(d.coef, g) for d in self.directions])
        return np.stack([np.einsum("ij,ij->j", d.coef, g) for d in self.directions], axis=1)

    def hessian(self) -> Array:
        images = self.images()
        if self.origin.gradient.ndim == 1:
            if len(images) == 1:
                return np.array([[np.vdot(self.directions[0].coef, images[0])]])
            return np.array([[np.vdot(d.coef, image) for image in images] for d in self.directions])
        coefs = [d.coef for d in self.directions]
        return np.moveaxis(np.array([[np.einsum("ij,ij->j", c, image) for image in images] for c in coefs]), -1, 0)

    def derivatives(self, a: Array, order: int = 2) -> tuple[float, Any, Any]:
        hessian, slopes = self.hessian(), self.slopes()
        bent = (hessian @ a[..., None])[..., 0]
        value = self.origin.value + float(np.vdot(a, slopes + 0.5 * bent))
        return value, slopes + bent, hessian

    def value(self, a: Array) -> float:
        return self.derivatives(a, 0)[0]

    def coef(self, a: Array) -> Array:
        return self.origin.coef + self._combine(a, [direction.coef for direction in self.directions])

    @staticmethod
    def _combine(a: Array, vectors: Sequence[Array]) -> Array:
        out = a[..., 0] * vectors[0]
        for k in range(1, len(vectors)):
            out += a[..., k] * vectors[k]
        return out

    def point(self, a: Array) -> QuadraticPoint:
        origin, images = self.origin, self.images()
        step = Direction(self._combine(a, [d.coef for d in self.directions]), self._combine(a, images))
        return QuadraticPoint(origin.model, origin.coef + step.coef, origin.gradient + step.image, step)


def column_sums(array: Array) -> Any:
    """The sum of a vector, or of each column."""
    return array.sum(axis=0)
