"""The metric of the last steps: what the changes of the gradient along them say of the Hessian.

Two uses: the default of `minimize.gradient_descent`, with the Wolfe search; the same under any other rule
(``preconditioner="lbfgs"``).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from .preconditioners import Identity
from .protocols import Array

if TYPE_CHECKING:
    from .descent import Run

__all__ = ["LimitedMemory"]

# Steps that are remembered: Liu and Nocedal find 3 to 7 enough for large problems; SciPy's L-BFGS-B has 10.
MEMORY = 10


class LimitedMemory(Identity):
    """L-BFGS: the inverse Hessian that agrees with the last steps, applied without a matrix.

    A step along which the slope did not rise says nothing of a minimum, and is left out. A step of length zero is a search
    that failed: then the memory is emptied, and the next direction is the gradient's.

    References
    ----------
    D. Liu and J. Nocedal, "On the limited memory BFGS method for large scale optimization", Mathematical
    Programming 45, 1989, doi:10.1007/BF01589116.

    D.-H. Li and M. Fukushima, "On the global convergence of the BFGS method for nonconvex unconstrained optimization problems",
    SIAM Journal on Optimization 11, 2001, doi:10.1137/S1052623499354242 (what is left out).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gd.quasi_newton import LimitedMemory
    >>> LimitedMemory().direction(np.array([1.0, -2.0]))
    array([-1.,  2.])
    """

    name = "lbfgs"

    def __init__(self) -> None:
        self.pairs: deque[tuple[Array, Array, float]] = deque(maxlen=MEMORY)
        self.last: Any = None

    @property
    def newton(self) -> bool:  # type: ignore[override]
        """Whether anything is known: then a step of length 1 is about the best."""
        return bool(self.pairs)

    def adapt(self, run: Run) -> None:
        coef, gradient = run.base.coef, run.base.gradient
        if self.last is not None:
            step, change = coef - self.last[0], gradient - self.last[1]
            form, size = float(np.vdot(step, change)), float(np.vdot(change, change))
            if not step.any():
                self.pairs.clear()
            elif form > run.rounding.eps * size:
                self.pairs.append((step, change, form))
        self.last = coef, gradient

    def direction(self, gradient: Array) -> Array:
        q, factors = -gradient, []
        for step, change, form in reversed(self.pairs):
            factors.append(float(np.vdot(step, q)) / form)
            q = q - factors[-1] * change
        if self.pairs:
            _, change, form = self.pairs[-1]
            q = q * (form / float(np.vdot(change, change)))
        for (step, change, form), factor in zip(self.pairs, reversed(factors), strict=True):
            q = q + (factor - float(np.vdot(change, q)) / form) * step
        return q
