"""Any differentiable function in a box, as the solver sees it: its points, and subspaces to search from them.

Two uses: a gradient of the user's, beside the function or with it; finite differences where there is none.

Every place is projected on the box before the function is asked, so the paths that a search follows bend at its walls. A trial of a
search costs one value; its gradient comes at the point where the search ends, or asks for slopes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.optimize import approx_fprime

from . import messages
from .objectives import Direction, Point, Subspace
from .protocols import Array

__all__ = ["SCHEMES", "EvaluationsSpentError", "Function"]

EPS = float(np.finfo(np.float64).eps)
#: scheme -> the step of its differences, relative to max(1, |x|): where its own error and the rounding errors of the
#: values (for a complex step there are none) are of one size.
SCHEMES = {"2-point": EPS ** (1 / 2), "3-point": EPS ** (1 / 3), "cs": EPS}


class EvaluationsSpentError(Exception):
    """No call of the function is left; caught where the run's result is made."""


class Function:
    """F(x) = fun(x, *args) for low ≤ x ≤ high.

    Parameters
    ----------
    fun : callable (x, *args) -> float, or (float, gradient) with ``jac=True``
    args : tuple, or a single argument
    jac : callable (x, *args) -> gradient, True or a name in `SCHEMES`
    low, high : ndarray of shape (n,)

    Attributes
    ----------
    nfev, njev : int
        Evaluations of the function, those of finite differences included, and of the gradient.
    limit : float
        What `nfev` may come to.
    errors : dict
        NumPy's floating-point error handling while a function of the user's runs: that of where this is made, without warnings.
    trusted : bool
        Whether the gradient rests on the user's word.
    """

    coupled = True
    least = -math.inf
    reference = False  # the Hessian is asked for at a point

    def __init__(self, fun: Callable[..., Any], args: Any, jac: Any, low: Array, high: Array) -> None:
        self.fun, self.jac, self.low, self.high = fun, jac, low, high
        self.args = args if isinstance(args, tuple) else (args,)
        # What a search meets on its way is told in words; who asked NumPy for errors gets them.
        self.errors: Any = {kind: "ignore" if how == "warn" else how for kind, how in np.geterr().items()}
        self.nfev = self.njev = 0
        self.limit = math.inf
        # real arithmetic on the way (abs, float) loses a complex step's derivative
        self.trusted = jac is True or jac == "cs" or callable(jac)
        self.anchor = low

    @property
    def passes(self) -> float:
        """Calls of `fun` and `jac`."""
        return self.nfev + self.njev if callable(self.jac) else self.nfev

    def at(self, coef: Array) -> FunctionPoint:
        self.anchor = np.clip(coef, self.low, self.high)
        return FunctionPoint(self, self.anchor)

    def curvature_product(self, coef: Array, at: Any = None) -> Array:
        """H @ coef by the change of the gradient, H the Hessian at a point, or at the place that was last asked for."""
        anchor = self.anchor if at is None else at.coef
        size = float(np.linalg.norm(coef))
        if not size:
            return np.zeros_like(coef)
        h = SCHEMES["2-point"] * max(1.0, float(np.linalg.norm(anchor))) / size
        gradients = [FunctionPoint(self, anchor + t * coef).full for t in (h, -h)]
        return (gradients[0] - gradients[1]) / (2 * h)

    # -- the user's functions

    def _call(self, function: Callable[..., Any], x: Array) -> Any:
        with np.errstate(**self.errors):
            return function(x.copy(), *self.args)  # a copy: what the user does to it stays there

    def _count_call(self) -> None:
        if self.nfev >= self.limit:
            raise EvaluationsSpentError
        self.nfev += 1

    def evaluate(self, x: Array) -> tuple[float, Any]:
        """The value and, where the function returns it too, the gradient."""
        self._count_call()
        out = self._call(self.fun, x)
        gradient = None
        if self.jac is True:
            if not isinstance(out, (tuple, list)) or len(out) != 2:
                raise TypeError(messages.not_a_pair(out))
            out, gradient = out
            self.njev += 1
            gradient = self._vector(gradient, x)
        value = np.asarray(out)
        if value.size != 1 or value.dtype.kind not in "fiub":
            raise TypeError(messages.not_a_number(out))
        return float(value.reshape(())), gradient

    @staticmethod
    def _vector(out: Any, x: Array) -> Array:
        gradient = np.asarray(out)
        if gradient.size != x.size or gradient.dtype.kind not in "fiub":
            raise TypeError(messages.not_a_gradient(out, x.shape))
        return gradient.reshape(x.shape).astype(np.float64)

    def gradient(self, x: Array) -> Array:
        """The gradient by the user's function, or by differences of values."""
        self.njev += 1
        return self._vector(self._call(self.jac, x), x) if callable(self.jac) else self._differences(x)

    def _differences(self, x: Array) -> Array:
        out, free = np.zeros_like(x), np.flatnonzero(self.low < self.high)
        step = SCHEMES[self.jac] * np.maximum(1.0, np.abs(x[free]))
        if self.jac == "cs":
            for k, h in zip(free, step, strict=True):
                shifted = x.astype(complex)
                shifted[k] += 1j * h
                self._count_call()
                out[k] = self._vector(np.imag(self._call(self.fun, shifted)), np.empty(1))[0] / h
            return out
        above, below = self.high[free] - x[free], x[free] - self.low[free]
        # Inside the box: half the larger side, where it is narrower than two steps.
        forward = np.where(above >= below, np.minimum(step, above / 2), -np.minimum(step, below / 2))

        def value(z: Array) -> float:
            place = x.copy()
            place[free] = z
            return self.evaluate(place)[0]

        def slopes(steps: Array) -> Array:
            return approx_fprime(x[free], value, steps)

        if self.jac == "2-point":
            out[free] = slopes(forward)
        else:
            # (D(h) + D(−h))/2, and at a wall 2·D(h) − D(2h), D the difference quotient: both of second order.
            central = (above >= step) & (below >= step)
            other = slopes(np.where(central, -forward, 2 * forward))
            out[free] = np.where(central, 0.5, 2.0) * slopes(forward) + np.where(central, 0.5, -1.0) * other
        return out

    def disagreement(self, point: FunctionPoint) -> tuple[float, float] | None:
        """The change of the function along a short random line, and what its gradient says; None where they agree."""
        x = point.coef
        random = np.random.default_rng(0)
        h = SCHEMES["3-point"] * np.maximum(1.0, np.abs(x))
        h *= random.uniform(0.5, 1.0, x.shape) * random.choice([-1.0, 1.0], x.shape)
        ends = [np.clip(x + h, self.low, self.high), np.clip(x - h, self.low, self.high)]
        above, below = (self.evaluate(end)[0] for end in ends)
        line = ends[0] - ends[1]
        seen, said = above - below, float(np.vdot(point.full, line))
        if not (math.isfinite(seen) and math.isfinite(said) and line.any()):
            return None
        # What is left of a true gradient: the third derivative, a kink (the second difference), rounding errors.
        room = 1e-3 * float(np.abs(point.full) @ np.abs(line)) + abs(above - 2 * point.value + below)
        room += 1e3 * EPS * (abs(above) + abs(below))
        length = float(np.linalg.norm(line))
        return None if abs(seen - said) <= room else (seen / length, said / length)


class FunctionPoint(Point):
    """A place in the box; its gradient leaves out what points out of it."""

    __slots__ = ("_full", "_value", "coef", "function")

    def __init__(self, function: Function, coef: Array) -> None:
        self.function, self.coef = function, np.clip(coef, function.low, function.high)
        self._value: Any = None
        self._full: Any = None

    @property
    def value(self) -> float:
        if self._value is None:
            self._value, self._full = self.function.evaluate(self.coef)
        return self._value

    @property
    def full(self) -> Array:
        """∇F, as it is."""
        if self._full is None and self.function.jac is True:
            self._value, self._full = self.function.evaluate(self.coef)
        elif self._full is None:
            self._full = self.function.gradient(self.coef)
        return self._full

    @property
    def gradient(self) -> Array:
        """∇F, zero where a descent would only press against a wall."""
        return np.where(self._presses(-self.full), 0.0, self.full)

    def _presses(self, move: Array) -> Array:
        low, high = self.function.low, self.function.high
        return ((self.coef <= low) & (move < 0)) | ((self.coef >= high) & (move > 0))

    def direction(self, coef: Array) -> Direction:
        """A direction that stays in the box at first.

        With it a metric's descent is one for the projected path, too: D. Bertsekas, "Projected Newton methods for optimization
        problems with simple constraints", SIAM Journal on Control and Optimization 20, 1982, doi:10.1137/0320018.
        """
        return Direction(np.where(self._presses(-self.full) | self._presses(coef), 0.0, coef))

    def along(self, *directions: Direction) -> FunctionSubspace:
        return FunctionSubspace(self, directions)


class FunctionSubspace(Subspace):
    """φ(a) = F(projection of x + Σ aₖ dₖ): one value a trial."""

    def __init__(self, origin: FunctionPoint, directions: Sequence[Direction]) -> None:
        super().__init__(origin, directions)
        self._last: Any = None

    def point(self, a: Array) -> FunctionPoint:
        if not a.any():
            return self.origin
        if self._last is None or self._last[0] is not a:
            self._last = a, FunctionPoint(self.origin.function, self.coef(a))
        return self._last[1]

    def value(self, a: Array) -> float:
        return self.point(a).value

    def _slopes(self, point: FunctionPoint, a: Array) -> Array:
        inside = np.where(point.coef == self.coef(a), point.full, 0.0)
        return np.array([np.vdot(d.coef, inside) for d in self.directions])

    def derivatives(self, a: Array, order: int = 2) -> tuple[float, Any, Any]:
        """φ(a), and its gradient and Hessian where `order` asks for them; the Hessian by differences of gradients.

        Where φ bends down, the search gets the second derivative's absolute value: a Newton step along it leads down (Y. Dauphin et
        al., "Identifying and attacking the saddle point problem in high-dimensional non-convex optimization", NeurIPS 2014,
        arXiv:1406.2572).
        """
        value, slopes = self.value(a), self._slopes(self.point(a), a) if order else None
        if order < 2:
            return value, slopes, None
        m = len(self.directions)
        hessian = np.empty((m, m))
        size = max(1.0, float(np.linalg.norm(self.origin.coef)))
        for k, direction in enumerate(self.directions):
            length = float(np.linalg.norm(direction.coef))
            step = np.zeros(m)
            step[k] = h = SCHEMES["2-point"] * size / length if length else 1.0
            beside = FunctionPoint(self.origin.function, self.coef(a + step))
            hessian[k] = (self._slopes(beside, a + step) - slopes) / h
        hessian = (hessian + hessian.T) / 2
        if np.isfinite(hessian).all():
            second_derivatives, axes = np.linalg.eigh(hessian)
            hessian = (axes * np.abs(second_derivatives)) @ axes.T
        return value, slopes, hessian
