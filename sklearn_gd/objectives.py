"""What is minimised: a linear model's loss over a design, or a quadratic known by its Hessian product.

Two uses: `LinearModel` for every loss and every rule, `Quadratic` for the automatic rule on squared error, where the
gradient itself moves along straight lines. Both give the method tower the same three things: a `Point` (a place
and what is known there), a `Direction`, and the `Subspace` that directions span from a point.

In a subspace the expensive part of each direction, its *image*, is computed once. The image is the raw predictions
[X 1] d for a linear model, the Hessian product H d for a quadratic; it is linear in the direction, so the image of the
last step is the difference of two points' and costs no pass over X.
"""

from __future__ import annotations

import numpy as np

__all__ = ["Direction", "LinearModel", "Quadratic"]


class Direction:
    """A coefficient-sized vector and, once it was needed, its image."""

    __slots__ = ("coef", "image")

    def __init__(self, coef, image=None):
        self.coef = coef
        self.image = image


class Point:
    """What the points of all objectives offer beside value and gradient."""

    __slots__ = ()

    def direction(self, coef):
        """A vector of coefficient size as a direction from here, its image not yet known."""
        return Direction(coef)


class Subspace:
    """φ(a) = F(w + Σ aₖ dₖ) about a point: what a search over learning rate and momentum sees."""

    def __init__(self, origin, directions):
        self.origin = origin
        self.directions = directions

    def coef(self, a):
        out = self.origin.coef.copy()
        for factor, direction in zip(a, self.directions, strict=True):
            out += factor * direction.coef
        return out

    def slopes(self):
        """The gradient of φ at a = 0, from the gradient at the origin: no work on samples."""
        g = self.origin.gradient
        return np.array([np.vdot(d.coef, g) for d in self.directions])

    def point_at(self, factor):
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

    def __init__(self, design, loss, y, weight, penalty):
        self.design, self.loss, self.y, self.weight, self.penalty = design, loss, y, weight, penalty
        self.mean = 1.0 / design.n_samples if weight is None else 1.0

    @property
    def passes(self):
        return self.design.passes

    @property
    def curvature(self):
        return self.loss.curvature

    def at(self, coef):
        return ModelPoint(self, coef)

    def curvature_product(self, coef):
        """(curvature bound of the loss · [X 1]ᵀW[X 1] + penalty) @ coef: at least the Hessian, everywhere."""
        out = self.loss.curvature * self.design.normal(coef, self.weight)
        self.penalty.add_gradient(coef, out)
        return out

    def weights(self):
        """The weights, one a sample."""
        if self.weight is not None:
            return self.weight
        return np.full(self.design.n_samples, self.mean, dtype=self.design.dtype)

    def bends(self, raw):
        """Each sample's part of the Hessian's diagonal in the raw predictions."""
        bends = np.empty_like(raw)

        def task(s):
            bends[s] = self.loss.hessian_diagonal(self.y[s], raw[s])
            bends[s] *= self.mean if self.weight is None else (self.weight[s] if raw.ndim == 1 else self.weight[s, None])

        self.design.each_prediction(task)
        return bends

    # -- over the samples

    def _residual(self, s, raw):
        value, slope, _ = self.loss.derivatives(self.y[s], raw, 1)
        if self.weight is None:
            return float(value.sum(dtype=np.float64)), slope
        w = self.weight[s]
        return float(np.vdot(w, value)), slope * (w if slope.ndim == 1 else w[:, None])

    def value_and_gradient(self, coef, raw):
        """One read of X; the predictions are computed on the way where they are not known."""
        if raw is None:
            value, gradient = self.design.sweep(self._residual, coef)
        else:
            value, gradient = self.design.sweep(lambda s, _: self._residual(s, raw[s]))
        gradient *= self.mean
        self.penalty.add_gradient(coef, gradient)
        return value * self.mean + self.penalty.value(coef), gradient


class ModelPoint(Point):
    """A place on a linear model's loss. Value and gradient are computed when first asked for, and kept."""

    __slots__ = ("_gradient", "_value", "coef", "model", "raw")

    def __init__(self, model, coef, raw=None, value=None):
        self.model, self.coef, self.raw = model, coef, raw
        self._value, self._gradient = value, None

    def _evaluate(self):
        self._value, self._gradient = self.model.value_and_gradient(self.coef, self.raw)

    @property
    def value(self):
        if self._value is None:
            self._evaluate()
        return self._value

    @property
    def gradient(self):
        if self._gradient is None:
            self._evaluate()
        return self._gradient

    def predictions(self):
        if self.raw is None:
            self.raw = self.model.design.forward(self.coef)
        return self.raw

    def refreshed(self):
        """The same place, with predictions from its coefficients rather than from a sum of steps."""
        return ModelPoint(self.model, self.coef)

    def minus(self, other):
        """The step from another point, as a direction whose image is known where both points' are."""
        image = None
        if self.raw is not None and other.raw is not None:
            image = np.empty_like(self.raw)
            self.model.design.each_prediction(lambda s: np.subtract(self.raw[s], other.raw[s], out=image[s]))
        return Direction(self.coef - other.coef, image)

    def along(self, *directions):
        return ModelSubspace(self, directions)


class ModelSubspace(Subspace):
    """φ for a linear model: O(n_samples) a trial, after one product a direction."""

    _images = None

    def images(self):
        if self._images is None:
            design = self.origin.model.design
            for direction in self.directions:
                if direction.image is None:
                    direction.image = design.forward(direction.coef)
            self._images = [direction.image for direction in self.directions]
        return self._images

    def derivatives(self, a, order=2):
        """φ(a), and its gradient and Hessian where `order` asks for them."""
        model, images = self.origin.model, self.images()
        base, weight = self.origin.predictions(), model.weight
        moves = [(float(factor), image) for factor, image in zip(a, images, strict=True) if factor]

        def task(s):
            raw = base[s]
            for factor, image in moves:
                raw = raw + raw.dtype.type(factor) * image[s]
            out = model.loss.along(
                model.y[s], raw, None if weight is None else weight[s], [image[s] for image in images], order
            )
            return out[: order + 1]

        out = model.design.over_predictions(task)
        coef = self.coef(a)
        value = out[0] * model.mean + model.penalty.value(coef)
        if order == 0:
            return value, None, None
        gradient = out[1] * model.mean
        for i, d in enumerate(self.directions):
            gradient[i] += model.penalty.inner(d.coef, coef)
        if order == 1:
            return value, gradient, None
        hessian = out[2] * model.mean
        for i, d in enumerate(self.directions):
            for j in range(i + 1):
                hessian[i, j] = hessian[j, i] = hessian[i, j] + model.penalty.inner(d.coef, self.directions[j].coef)
        return value, gradient, hessian

    def value(self, a):
        return self.derivatives(a, 0)[0]

    def point(self, a, value=None):
        """The point at a; it carries its predictions where a search has computed the images."""
        model = self.origin.model
        raw = None
        if self._images is not None and self.origin.raw is not None:
            raw = np.empty_like(self.origin.raw)
            images = self._images

            def task(s):
                np.copyto(raw[s], self.origin.raw[s])
                for factor, image in zip(a, images, strict=True):
                    raw[s] += raw.dtype.type(factor) * image[s]

            model.design.each_prediction(task)
        return ModelPoint(model, self.coef(a), raw, value)


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

    def __init__(self, product, linear, anchor, constant, passes):
        self.product, self.linear, self.anchor, self.constant = product, linear, anchor, constant
        self._passes = passes

    @property
    def passes(self):
        return self._passes()

    def at(self, coef):
        return QuadraticPoint(self, coef)

    def curvature_product(self, coef):
        return self.product(coef)


class QuadraticPoint(Point):
    """A place on a quadratic. Its gradient is H w − b at first, and then follows the steps."""

    __slots__ = ("_gradient", "coef", "model")

    def __init__(self, model, coef, gradient=None):
        self.model, self.coef, self._gradient = model, coef, gradient

    @property
    def gradient(self):
        if self._gradient is None:
            self._gradient = self.model.product(self.coef - self.model.anchor) - self.model.linear
        return self._gradient

    @property
    def value(self):
        model = self.model
        return model.constant + 0.5 * float(np.vdot(self.coef - model.anchor, self.gradient - model.linear))

    def refreshed(self):
        return QuadraticPoint(self.model, self.coef)

    def minus(self, other):
        return Direction(self.coef - other.coef, self.gradient - other.gradient)

    def along(self, *directions):
        return QuadraticSubspace(self, directions)


class QuadraticSubspace(Subspace):
    """φ for a quadratic: exact, of coefficient size; a row of steps an output."""

    def images(self):
        for direction in self.directions:
            if direction.image is None:
                direction.image = self.origin.model.product(direction.coef)
        return [direction.image for direction in self.directions]

    def slopes(self):
        g = self.origin.gradient
        if g.ndim == 1:
            return super().slopes()
        return np.stack([np.einsum("ij,ij->j", d.coef, g) for d in self.directions], axis=1)

    def derivatives(self, a, order=2):
        images = self.images()
        coefs = [d.coef for d in self.directions]
        if self.origin.gradient.ndim == 1:
            hessian = np.array([[np.vdot(c, image) for image in images] for c in coefs])
        else:
            hessian = np.array([[np.einsum("ij,ij->j", c, image) for image in images] for c in coefs])
            hessian = np.moveaxis(hessian, -1, 0)
        slopes = self.slopes()
        bent = (hessian @ a[..., None])[..., 0]
        value = self.origin.value + float(np.sum(a * (slopes + 0.5 * bent)))
        return value, slopes + bent, hessian

    def value(self, a):
        return self.derivatives(a, 0)[0]

    def coef(self, a):
        out = self.origin.coef.copy()
        for k, direction in enumerate(self.directions):
            out += a[..., k] * direction.coef
        return out

    def point(self, a, value=None):
        gradient = self.origin.gradient.copy()
        for k, image in enumerate(self.images()):
            gradient += a[..., k] * image
        return QuadraticPoint(self.origin.model, self.coef(a), gradient)
