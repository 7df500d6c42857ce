"""Rates of each coordinate's own, from the gradients that it has seen.

Two uses: those that sum all squares (`AdaGrad`), or keep the largest mean of them (`AMSGrad`), and never grow; those that forget
(`RMSProp`, `Adam`).

All of them are a diagonal metric that adapts, √(squares seen) + ε, in which the step follows the gradient or a mean of the
last ones. They never look at the loss, and the metric is theirs: no preconditioner and no momentum go with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import check_number
from ..protocols import Array, Choose, Point, Subspace
from ._rules import Rule
from ._schedules import Schedule, schedule_for

if TYPE_CHECKING:
    from ..descent import Run

__all__ = ["AMSGrad", "AdaGrad", "Adam", "RMSProp"]


class Adaptive(Rule):
    """w ← w − η(k)·u(k), u made of the gradients up to ∇F(w): what the rules of this file share.

    Parameters
    ----------
    learning_rate : float, callable or schedule
        η(k), as the estimators have it.
    epsilon : float
        Greater than 0: what is added to the root of the squares.
    """

    momentum = False
    scheduled = True
    metric = False

    def __init__(self, learning_rate: float | Callable[[int], float] | Schedule, epsilon: float) -> None:
        self.learning_rate = learning_rate
        self.epsilon = epsilon

    def check(self) -> None:
        schedule_for(self.learning_rate)
        check_number("epsilon", self.epsilon, 0, left=False, right=False)

    def follow(self) -> Callable[[Array], Array]:
        """The function of one run that makes u(k) of the k-th gradient; what it has seen lives in there."""
        raise NotImplementedError

    def begin(self, run: Run) -> Choose:
        follow, rate = self.follow(), schedule_for(self.learning_rate).rate

        def choose(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            origin, eta = space.origin, rate(run.iteration)
            step = origin.direction(-eta * follow(origin.gradient))
            return np.array([eta]), origin.along(step).point(np.ones(1))

        return choose


class AdaGrad(Adaptive):
    """u = ∇F/(√s + ε), s the sum of all squares of ∇F so far, by coordinates.

    Rates only fall: it suits columns that are rarely not zero, and dries up where the start is far away. As ``torch.optim.Adagrad``.

    Parameters
    ----------
    learning_rate : float, callable or schedule, default=0.01
        η, or η(k): a number greater than 0, a function of the iteration, or a schedule of `sklearn_gd.steps`.
    epsilon : float, default=1e-10
        ε, greater than 0.

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning and stochastic optimization", Journal of
    Machine Learning Research 12, 2011.

    Examples
    --------
    The first step is as long as the rate in each coordinate, however steep it is; the second one √2 times shorter at the least:

    >>> from sklearn_gd import gradient_descent
    >>> from sklearn_gd.steps import AdaGrad
    >>> result = gradient_descent(lambda x: 3e3 * x[0] + 1e-3 * x[1], [0, 0], learning_rate=AdaGrad(0.1), max_iter=2)
    >>> result.path.round(4)
    array([[ 0.    ,  0.    ],
           [-0.1   , -0.1   ],
           [-0.1707, -0.1707]])
    """

    def __init__(self, learning_rate: float | Callable[[int], float] | Schedule = 0.01, epsilon: float = 1e-10) -> None:
        super().__init__(learning_rate, epsilon)

    def follow(self) -> Callable[[Array], Array]:
        squares: Any = 0.0

        def follow(gradient: Array) -> Array:
            nonlocal squares
            squares = squares + gradient * gradient
            return gradient / (np.sqrt(squares) + self.epsilon)

        return follow


class RMSProp(Adaptive):
    """u = ∇F/(√v + ε), v ← decay·v + (1 − decay)·∇F² by coordinates.

    It forgets old gradients, so its steps do not dry up: with a constant rate they do not end, either, and bounce about the minimum
    at a distance of about η. As ``torch.optim.RMSprop``.

    Parameters
    ----------
    learning_rate : float, callable or schedule, default=0.01
        η, or η(k): a number greater than 0, a function of the iteration, or a schedule of `sklearn_gd.steps`.
    decay : float, default=0.99
        In [0, 1): the part of v that is kept, PyTorch's ``alpha``. Keras has 0.9.
    epsilon : float, default=1e-8
        ε, greater than 0.

    References
    ----------
    T. Tieleman and G. Hinton, "Lecture 6.5: RMSProp, divide the gradient by a running average of its recent magnitude", Coursera,
    Neural networks for machine learning, 2012.

    Examples
    --------
    >>> from sklearn_gd.steps import RMSProp
    >>> RMSProp(0.001, decay=0.9)
    RMSProp(decay=0.9, learning_rate=0.001)
    """

    def __init__(
        self,
        learning_rate: float | Callable[[int], float] | Schedule = 0.01,
        decay: float = 0.99,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(learning_rate, epsilon)
        self.decay = decay

    def check(self) -> None:
        super().check()
        check_number("decay", self.decay, 0, 1, right=False)

    def follow(self) -> Callable[[Array], Array]:
        squares: Any = 0.0

        def follow(gradient: Array) -> Array:
            nonlocal squares
            squares = self.decay * squares + (1 - self.decay) * (gradient * gradient)
            return gradient / (np.sqrt(squares) + self.epsilon)

        return follow


class Adam(Adaptive):
    """u = m̂/(√v̂ + ε), m̂ and v̂ the means of ∇F and ∇F² by coordinates, the older the less.

    m ← beta1·m + (1 − beta1)·∇F and v ← beta2·v + (1 − beta2)·∇F² begin at 0, for which m̂ = m/(1 − beta1^(k+1)) and
    v̂ = v/(1 − beta2^(k+1)) make up. As ``torch.optim.Adam``.

    Parameters
    ----------
    learning_rate : float, callable or schedule, default=0.001
        η, or η(k): a number greater than 0, a function of the iteration, or a schedule of `sklearn_gd.steps`.
    beta1 : float, default=0.9
        In [0, 1): the part of m that is kept.
    beta2 : float, default=0.999
        In [0, 1): the part of v that is kept.
    epsilon : float, default=1e-8
        ε, greater than 0.

    References
    ----------
    D. Kingma and J. Ba, "Adam: A method for stochastic optimization", ICLR 2015, arXiv:1412.6980.

    S. Reddi, S. Kale and S. Kumar, "On the convergence of Adam and beyond", ICLR 2018, arXiv:1904.09237 (where it does not converge).

    Examples
    --------
    >>> from sklearn_gd import gradient_descent
    >>> from sklearn_gd.steps import Adam
    >>> result = gradient_descent(lambda x: 3e3 * x[0] + 1e-3 * x[1], [0, 0], learning_rate=Adam(0.1), max_iter=2)
    >>> result.path.round(4)
    array([[ 0. ,  0. ],
           [-0.1, -0.1],
           [-0.2, -0.2]])
    """

    def __init__(
        self,
        learning_rate: float | Callable[[int], float] | Schedule = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(learning_rate, epsilon)
        self.beta1 = beta1
        self.beta2 = beta2

    def check(self) -> None:
        super().check()
        check_number("beta1", self.beta1, 0, 1, right=False)
        check_number("beta2", self.beta2, 0, 1, right=False)

    def keep(self, largest: Any, squares: Array) -> Any:
        """Which mean of the squares counts: the last one."""
        return squares

    def follow(self) -> Callable[[Array], Array]:
        mean: Any = 0.0
        squares: Any = 0.0
        counted: Any = 0.0
        kept1 = kept2 = 1.0  # of a mean's start, which is 0

        def follow(gradient: Array) -> Array:
            nonlocal mean, squares, counted, kept1, kept2
            kept1, kept2 = self.beta1 * kept1, self.beta2 * kept2
            mean = self.beta1 * mean + (1 - self.beta1) * gradient
            squares = self.beta2 * squares + (1 - self.beta2) * (gradient * gradient)
            counted = self.keep(counted, squares)
            return mean / (1 - kept1) / (np.sqrt(counted / (1 - kept2)) + self.epsilon)

        return follow


class AMSGrad(Adam):
    """Adam with the largest v so far: what was once steep stays so, and rates do not grow again.

    As ``torch.optim.Adam(amsgrad=True)``: the largest of the v, over 1 − beta2^(k+1).

    Parameters
    ----------
    learning_rate : float, callable or schedule, default=0.001
        η, or η(k): a number greater than 0, a function of the iteration, or a schedule of `sklearn_gd.steps`. The source's
        theorem is for rates that fall like 1/√k.
    beta1 : float, default=0.9
        In [0, 1): the part of m that is kept.
    beta2 : float, default=0.999
        In [0, 1): the part of v that is kept.
    epsilon : float, default=1e-8
        ε, greater than 0.

    References
    ----------
    S. Reddi, S. Kale and S. Kumar, "On the convergence of Adam and beyond", ICLR 2018, arXiv:1904.09237.

    Examples
    --------
    >>> from sklearn_gd.steps import AMSGrad
    >>> AMSGrad(lambda k: 0.1 / (k + 1) ** 0.5).beta2
    0.999
    """

    def keep(self, largest: Any, squares: Array) -> Any:
        """Which mean of the squares counts: the largest."""
        return np.maximum(largest, squares)
