"""Learning rates from L, a bound of the curvature.

Two uses: 1/L, which never rises; the silver schedule in units of it, which converges faster, and does.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..protocols import Array, Choose, Point, Subspace
from ._rules import Rule, coordinates

if TYPE_CHECKING:
    from ..descent import Run

__all__ = ["Lipschitz", "Silver"]


def renews(run: Run) -> bool:
    """Whether L is due again: never, or, without a bound, after twice as many iterations as the last time, a few times a run."""
    k = run.iteration
    return run.objective.reference and k & (k + 1) == 0


class Lipschitz(Rule):
    """η = 1/L, with L the largest eigenvalue of a bound of the Hessian, in the metric of the preconditioner.

    L is estimated by Lanczos iterations and raised when a step shows it too small. Every step decreases the loss. Of a loss without a
    bound L is that of the Hessian where the run is, estimated anew at the iterations 0, 1, 3, 7, ...

    Examples
    --------
    >>> from sklearn_gd.steps import Lipschitz
    >>> Lipschitz()
    Lipschitz()
    """

    def begin(self, run: Run) -> Choose:
        smoothness: float | None = None

        def choose(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            nonlocal smoothness
            if smoothness is None or renews(run):
                smoothness = run.smoothness() or 1.0  # without curvature any step goes down
            while True:
                a = coordinates(1 / smoothness, factor, space)
                if factor:
                    return a, None
                # The descent lemma: F(w + ηd) ≤ F(w) + η/2·∇F(w)ᵀd wherever L is an upper bound; what is added is rounding.
                point = space.point(a)
                value = space.origin.value
                room = 1e-10 * abs(value) + run.noise(value)
                if not point.value > value + 0.5 * a[0] * space.slopes().sum() + room:
                    return a, point
                smoothness *= 2

        return choose


class Silver(Rule):
    """η(k) = (1 + ρ^(ν(k+1) − 1))/L with ρ = 1 + √2 and ν(i) the number of times that 2 divides i.

    Long steps among short ones, in a fractal order, converge faster than any constant rate, without momentum: in
    O(ε^−0.786) iterations. The loss rises at the long ones. Of a loss without a bound L is that of the Hessian where the run is,
    estimated anew at the iterations 0, 1, 3, 7, ..., each of which is the longest step so far, and doubled where the loss rises by more
    than a step of this length may raise it if L is a bound.

    References
    ----------
    J. Altschuler and P. Parrilo, "Acceleration by stepsize hedging II: silver stepsize schedule for smooth convex
    optimization", Mathematical Programming, 2024, arXiv:2309.16530.

    Examples
    --------
    >>> from sklearn_gd.steps import Silver
    >>> [round(Silver.multiple(k), 3) for k in range(4)]
    [1.414, 2.0, 1.414, 3.414]
    """

    momentum = False

    @staticmethod
    def multiple(k: int) -> float:
        """η(k)·L."""
        i = k + 1
        twos = (i & -i).bit_length() - 1
        return 1 + (1 + math.sqrt(2)) ** (twos - 1)

    def begin(self, run: Run) -> Choose:
        smoothness: float | None = None

        def choose(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            nonlocal smoothness
            if smoothness is None or renews(run):
                smoothness = run.smoothness() or 1.0
            while True:
                rate = self.multiple(run.iteration) / smoothness
                a = np.array([rate])
                if not run.objective.reference:
                    return a, None
                # what a long step may raise the loss by where L is an upper bound; where it rises by more, L is no bound
                point = space.point(a)
                value, slope = space.origin.value, float(space.slopes().sum())
                if not point.value > value + rate * (1 - 0.5 * smoothness * rate) * slope + run.noise(value):
                    return a, point
                smoothness *= 2

        return choose
