"""Learning rates from what the last step has shown, without a search, or hardly any.

Two uses: the curvature that the change of the gradient tells (`BarzilaiBorwein`, `AdGD`), and the distance from the least value
(`Polyak`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import check_number
from ..protocols import Array, Choose, Point, Subspace
from ._rules import Rule

if TYPE_CHECKING:
    from ..descent import Run

__all__ = ["AdGD", "BarzilaiBorwein", "Polyak"]


class Memory:
    """The last gradient and direction of a run without momentum, and what their change says of the curvature."""

    def __init__(self) -> None:
        self.gradient: Any = None
        self.direction: Any = None

    def compare(self, space: Subspace) -> tuple[float, float, float] | None:
        """(‖Δw‖² in the metric, Δwᵀ∇, ‖Δ∇‖² in the dual metric) over the last rate, or None at the first step.

        With Δw = η·d and d = −P∇: ‖Δw‖²/η² = −dᵀ∇, Δwᵀ(Δ∇)/η = dᵀΔ∇, and PΔ∇ is minus the change of d.
        """
        gradient, direction = space.origin.gradient, space.directions[0].coef
        out = None
        if self.gradient is not None:
            change = gradient - self.gradient
            out = (
                -float(np.vdot(self.direction, self.gradient)),
                float(np.vdot(self.direction, change)),
                float(np.vdot(change, self.direction - direction)),
            )
        self.gradient, self.direction = gradient, direction
        return out


def cautious(space: Subspace, run: Run) -> float:
    """A first rate that cannot overshoot by much: 1/L ≤ 2(F − F*)/‖∇F‖² for every L-smooth F ≥ F*."""
    slope = -float(space.slopes().sum())
    if math.isfinite(run.objective.least):
        return 1e-3 * 2 * (space.origin.value - run.objective.least) / slope if slope > 0 else 1.0
    # Nothing is known of F*: a step that changes the fourth digit, and the gradient enough to learn from.
    length = float(np.linalg.norm(space.directions[0].coef))
    return 1e-4 * max(1.0, float(np.linalg.norm(space.origin.coef))) / length if length else 1.0


class BarzilaiBorwein(Rule):
    """η = ΔwᵀΔ∇ / ‖Δ∇‖²: the secant's curvature; where the loss exceeds that of the last ten iterates, halved.

    Parameters
    ----------
    window : int, default=10
        The iterates whose largest loss may not be exceeded.

    References
    ----------
    J. Barzilai and J. Borwein, "Two-point step size gradient methods", IMA Journal of Numerical Analysis 8, 1988,
    doi:10.1093/imanum/8.1.141.

    M. Raydan, "The Barzilai and Borwein gradient method for the large scale unconstrained minimization problem", SIAM
    Journal on Optimization 7, 1997, doi:10.1137/S1052623494266365 (the non-monotone safeguard).

    Examples
    --------
    >>> from sklearn_gd.steps import BarzilaiBorwein
    >>> BarzilaiBorwein()
    BarzilaiBorwein()
    """

    momentum = False

    def __init__(self, window: int = 10) -> None:
        self.window = window

    def check(self) -> None:
        check_number("window", self.window, 1, right=False)

    def begin(self, run: Run) -> Choose:
        memory = Memory()
        rate: Any = None

        def choose(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            nonlocal rate
            seen = memory.compare(space)
            if seen is None:
                rate = cautious(space, run)
            elif seen[1] > 0 and seen[2] > 0:
                rate *= seen[1] / seen[2]
            else:  # a place without curvature, or bent down: away from it
                rate *= 10
            slope = float(space.slopes().sum())
            recent = max(run.history["loss"][-int(self.window) :])
            noise = run.noise(recent)
            for _ in range(60):
                point = space.point(np.array([rate]))
                if point.value <= recent + 1e-4 * rate * slope + noise:
                    break
                rate *= 0.5
            return np.array([rate]), point

        return choose


class AdGD(Rule):
    """η = min(√(1 + θ)·η₋, ‖Δw‖ / (2‖Δ∇‖)), θ the ratio of the last two rates: the local curvature, no search.

    References
    ----------
    Y. Malitsky and K. Mishchenko, "Adaptive gradient descent without descent", ICML 2020, arXiv:1910.09529.

    Examples
    --------
    >>> from sklearn_gd.steps import AdGD
    >>> AdGD()
    AdGD()
    """

    momentum = False

    def begin(self, run: Run) -> Choose:
        # Rates that follow a cautious first one may grow at once, unless the curvature may grow with them: then step by step.
        memory, ratio = Memory(), 1.0 if run.objective.reference else math.inf
        rate: Any = None

        def choose(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            nonlocal rate, ratio
            seen = memory.compare(space)
            if seen is None:
                rate = cautious(space, run)
            else:
                length, _, change = seen
                local = math.sqrt(rate * rate * length / change) / 2 if change > 0 else math.inf
                new = min(math.sqrt(1 + ratio) * rate, local)
                if not math.isfinite(new):
                    new = rate
                ratio, rate = new / rate, new
            return np.array([rate]), None

        return choose


class Polyak(Rule):
    """η = (F − F*)/‖∇F‖², with F* given, or guessed.

    Without F* the guess begins at the least value that a loss can have, 0. A guess below F* makes the step too long:
    where the loss would rise, half the distance to the guess is tried; where it falls, the next guess is twice as far
    below, but never below 0.

    Parameters
    ----------
    optimum : float or None, default=None
        F*, where it is known.

    References
    ----------
    B. T. Polyak, "Introduction to optimization", Optimization Software, 1987.

    E. Hazan and S. Kakade, "Revisiting the Polyak step size", 2019, arXiv:1905.00313 (the unknown optimum).

    Examples
    --------
    >>> from sklearn_gd.steps import Polyak
    >>> Polyak(optimum=0.0)
    Polyak(optimum=0.0)
    """

    momentum = False

    def __init__(self, optimum: float | None = None) -> None:
        self.optimum = optimum

    def check(self) -> None:
        if self.optimum is not None:
            check_number("optimum", self.optimum, -math.inf, left=False, right=False)

    def begin(self, run: Run) -> Choose:
        distance = math.inf

        def choose(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            nonlocal distance
            value = space.origin.value
            slope = -float(space.slopes().sum())
            if not slope > 0:
                return np.zeros(1), None
            if self.optimum is not None:
                return np.array([max(value - self.optimum, 0.0) / slope]), None
            distance = min(2 * distance, value)
            for _ in range(200):
                a = np.array([distance / slope])
                point = space.point(a)
                if point.value <= value - 0.25 * distance + run.noise(value) or distance <= run.noise(value):
                    break
                distance /= 2
            return a, point

        return choose
