"""A linear model's loss over a design whose raw predictions are at hand: in memory or on a device.

Two uses: every loss and every rule on a design in memory; the same with fewer waits on a device. What is added up over the samples is in
`samples`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import compiled
from ..arrays import cast, home, place_of, scalar, total
from ..penalties import Along
from ..protocols import Array, Design, Loss, Penalty
from .points import Direction, Point, Subspace
from .samples import HessianProduct, SampleLoss, Slopes, Trial, moved, sums


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
        self.reference = not loss.bounded
        self.compiled = compiled.trials(loss, y, weight, design.dtype)

    @property
    def passes(self) -> float:
        return self.design.passes

    def at(self, coef: Array) -> ModelPoint:
        return ModelPoint(self, coef)

    def again(self, point: Any) -> ModelPoint:
        """The same place, its predictions kept, where the loss has other numbers than it had there."""
        raw = getattr(point.trial, "raw", None)
        return self.at(point.coef) if raw is None else ModelPoint(self, point.coef, self.trial(raw, (), (), 1)[0])

    def curvature_product(self, coef: Array, at: Any = None) -> Array:
        """(curvature bound of the loss · [X 1]ᵀW[X 1] + penalty) @ coef, at least the Hessian; of a loss without one, the Hessian at a point."""
        if at is not None and not self.loss.bounded:
            product: Array = at.hessian_product(coef)
            return product
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

    def means(self, point: Any, of: Callable[[Array, Array], tuple[Array, ...]]) -> tuple[float, ...]:
        """Weighted means over the samples of what `of` makes of targets and of the raw predictions at a point."""
        raw = point.known().raw

        def block(s: slice) -> tuple[Any, ...]:
            weight = None if self.weight is None else self.weight[s]
            return tuple(total(values, weight) for values in of(self.y[s, ...], raw[s, ...]))

        return tuple(self.mean * float(each) for each in self.design.over_predictions(block))

    def trial(
        self, base: Array, a: Array | tuple[()], predictors: Sequence[Array], order: int, slopes: bool = True
    ) -> tuple[Trial, Any, Any]:
        """The loss at the predictions base + Σ aₖ predictorₖ; the slopes may be left out where nobody needs them.

        Returns
        -------
        trial : Trial
        gradient, hessian : ndarray of shape (m,) and (m, m), or None
            Of the data's part, along the predictors.
        """
        arrays: list[Any]
        if self.design.where == "device":
            raw = moved(base, self._moves(base, a, predictors))
            found, *computed = sums(self.loss, self.y, self.weight, raw, predictors, order)
            found, arrays = home(*found), [raw, *computed]
        else:
            wanted = bool(predictors), order > 0 and slopes, order > 1
            arrays = [np.empty_like(base) if each else None for each in wanted]
            found = self._in_memory(base, a, predictors, order, arrays)
            if not predictors:
                arrays[0] = base  # where it is
        value, gradient, hessian = (*found, None, None)[:3]
        return (
            Trial(value * self.mean, *arrays),
            gradient * self.mean if order else None,
            hessian * self.mean if order == 2 else None,
        )

    @staticmethod
    def _moves(base: Array, a: Any, predictors: Sequence[Array]) -> list[tuple[Any, Array]]:
        return [(scalar(factor, base), predictor) for factor, predictor in zip(a, predictors, strict=True) if factor]

    def _in_memory(
        self, base: Array, a: Any, predictors: Sequence[Array], order: int, arrays: list[Any]
    ) -> tuple[Any, ...]:
        """What `sums` returns, block by block; predictions, slopes and second derivatives go to the arrays, as far as they are there."""
        over, compiled_block = self.design.over_predictions, self.compiled
        if compiled_block is not None and compiled_block.takes(base, predictors):
            at_once = compiled_block.at_once(base)
            task: Any = functools.partial(compiled_block, base=base, a=a, predictors=predictors, arrays=arrays)
            return task(slice(0, len(base))) if at_once else over(task)
        loss, y, weight, moves = self.loss, self.y, self.weight, self._moves(base, a, predictors)

        def block(s: slice) -> tuple[Any, ...]:
            raw = moved(base[s], [(factor, predictor[s]) for factor, predictor in moves])
            w = None if weight is None else weight[s]
            found, *computed = sums(loss, y[s], w, raw, [predictor[s] for predictor in predictors], order)
            for array, values in zip(arrays, (raw, *computed), strict=True):
                if array is not None:
                    array[s] = values
            return found

        return over(block)

    def trials_ahead(
        self, base: Array, a: Array, predictors: Sequence[Array], along: Array, forms: Array, count: int
    ) -> list[tuple[Array, Trial, Array, Array]]:
        """`trial` at a, at Newton's step from there, and so on, on a device that is asked once for all of them.

        Parameters
        ----------
        base, a, predictors : as `trial` has them
        along, forms : ndarray of shape (m,) and (m, m)
            The penalty's gradient along the predictors at the base, and its Hessian.
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
        arrays: list[tuple[Any, Any, Any]] = []
        found: list[Any] = []
        for _ in range(count):
            factors = cast(here, base.dtype)
            raw = moved(base, [(factors[k], predictor) for k, predictor in enumerate(predictors)])
            (value, gradient, hessian), slope, second_derivative = sums(
                self.loss, self.y, self.weight, raw, predictors, 2
            )
            arrays.append((raw, slope, second_derivative))
            found += [here, value, gradient, hessian]
            change = xp.matmul(forms, here)
            here = here + newton_on_device(xp, self.mean * hessian + forms, self.mean * gradient + along + change)
        slopes = [xp.reshape(slope, (n, -1)) for _, slope, _ in arrays]
        *numbers, gradients = home(*found, design.adjoint(xp.concat(slopes, axis=1)))
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


def newton_on_device(xp: Any, hessian: Any, gradient: Any) -> Any:
    """−H⁻¹g for one or two numbers, by arithmetic alone: a guess of where a search goes next, which it need not follow."""
    if gradient.shape[0] == 1:
        return -gradient / hessian[0, :]
    h, k, c = hessian[0, 0], hessian[1, 1], hessian[0, 1]
    g, e = gradient[0], gradient[1]
    return xp.stack([c * e - k * g, c * g - h * e]) / (h * k - c * c)


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
        known: Any = self._gradient
        return known

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
        out = model.design.sweep(HessianProduct(model.loss, model.weight, self.known(2).second_derivative), coef)[1]
        out *= model.mean
        model.penalty.add_product(self.coef, coef, out)
        return out

    def release(self) -> None:
        """Keep of the trial what a step needs: the predictions."""
        _ = self.gradient  # computed from the slopes, which go
        self.known()
        self.trial = self.trial._replace(slope=None, second_derivative=None, gradient=None)

    def refreshed(self) -> ModelPoint:
        """The same place, with predictions from its coefficients rather than from a sum of steps."""
        return ModelPoint(self.model, self.coef)

    def minus(self, other: Any) -> Direction:
        """The step from another point, as a direction whose predictor is known where a search has computed the parts."""
        if isinstance(self.step, Direction):
            return self.step
        if self.step is None or self.step[0] is not other.coef:  # with Nesterov's momentum steps start elsewhere
            return Direction(self.coef - other.coef)
        # the combination of the parts rather than the difference of two sums: no errors but its own
        _, a, predictors = self.step
        first, *others = [
            (scalar(factor, predictor), predictor) for factor, predictor in zip(a, predictors, strict=True)
        ]
        if self.model.design.one_block:
            predictor = moved(first[0] * first[1], others)
        else:
            predictor = np.empty_like(first[1])

            def task(s: slice) -> None:
                np.multiply(first[1][s], first[0], out=predictor[s])
                for factor, part in others:
                    predictor[s] += factor * part[s]

            self.model.design.each_prediction(task)
        self.step = Direction(self.coef - other.coef, predictor)  # and the parts are not needed any more
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

    _predictors: Any = None
    _last: Any = None
    _along: Any = None

    def predictors(self) -> list[Array]:
        if self._predictors is None:
            design = self.origin.model.design
            for direction in self.directions:
                if direction.predictor is None:
                    direction.predictor = design.forward(direction.coef)
            self._predictors = [direction.predictor for direction in self.directions]
        return self._predictors

    def derivatives(self, a: Array, order: int = 2) -> tuple[float, Any, Any]:
        """φ(a), and its gradient and Hessian where `order` asks for them."""
        model = self.origin.model
        trial, gradient, hessian = self._trial(a, order)
        self._last = (a, trial)
        value = trial.value
        if model.penalty.alpha:
            own, slopes, forms = self._penalty()(a)
            value += own
            if order:
                gradient += slopes
            if order == 2:
                hessian += forms
        return value, gradient, hessian

    def swept(self) -> ModelPoint:
        """The point one first direction away, with its gradient and its predictions from one read of X."""
        self.origin.release()
        return ModelPoint(self.origin.model, self.origin.coef + self.directions[0].coef).keep()

    def compare(self, point: ModelPoint, follow: bool) -> None:
        """Take the first direction's predictor from the point that `swept` gave; where that is followed, in place of the origin's."""
        old, new = self.origin.trial.raw, point.trial.raw
        first = self.directions[0]
        predictor = first.predictor = old if follow else np.empty_like(old)

        def task(s: slice) -> None:
            np.subtract(new[s], old[s], out=predictor[s])

        self.origin.model.design.each_prediction(task)
        if follow:
            self.origin.forget()
            point.step = first

    def searched(self, a: Array, *goal: float) -> Any:
        """What a compiled search over all coordinates finds, or None where there is none."""
        model = self.origin.model
        predictors = self.predictors()
        self.origin.release()
        base = self.origin.known().raw
        trials = model.compiled
        if trials is None or not trials.takes(base, predictors) or not (model.design.one_block or trials.at_once(base)):
            return None
        arrays = [np.empty_like(base) for _ in range(3)]
        quadratic = self._penalty()
        if not isinstance(quadratic, Along):
            return None
        start, along, forms = quadratic
        m = len(a) - 1
        sums = model.mean, start, along[0], m * along[m], forms[0, 0], m * forms[0, m], m * forms[m, m]
        *found, value, promised, match = trials.search(base, a, predictors, arrays, sums, goal)
        a = np.array(found[: len(a)])
        # the value is the penalty's, too, which is subtracted to be added again where the point is
        own = quadratic(a)[0] if model.penalty.alpha else 0.0
        self._last = (a, Trial(value - own, *arrays))
        return a, promised, match

    def _trial(self, a: Array, order: int) -> tuple[Trial, Any, Any]:
        self.origin.release()
        self._last = None
        return self.origin.model.trial(self.origin.known().raw, a, self.predictors(), order)

    def _penalty(self) -> Any:
        """The penalty's part, a function of the coordinates."""
        if self._along is None:
            vectors = [direction.coef for direction in self.directions]
            self._along = self.origin.model.penalty.along(self.origin.coef, vectors)
        return self._along

    def point(self, a: Array) -> ModelPoint:
        """The point at a; it carries its predictions where a search has computed the predictors."""
        origin, trial = self.origin, None
        if self._last is not None and self._last[0] is a:
            trial = self._last[1]
        elif self._predictors is not None and origin.trial is not None:
            trial = origin.model.trial(origin.trial.raw, a, self._predictors, 1)[0]
        step = None if trial is None else (origin.coef, a, self._predictors)
        return type(origin)(origin.model, self.coef(a), trial, step)


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
            _, along, forms = self._penalty()(np.zeros(len(a)))
            raw = self.origin.known().raw
            self._seen = self.origin.model.trials_ahead(raw, a, self.predictors(), along, forms, self.AHEAD)
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
