"""What the parts ask of each other: the contracts, for the type checker and for whoever writes a part.

Two uses: to see what a new loss, design, learning rate, momentum or preconditioner must offer; and to annotate the one
tower with what it sees of the other, without an import between them. Nothing here runs.

Shapes: coefficients (n_features + fit_intercept,) or (n_features + fit_intercept, n_outputs), the intercept last; raw
predictions (n_samples,) or (n_samples, n_outputs); coordinates in a subspace (m,), or (n_outputs, m) where each output
has steps of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from .descent import Run
    from .designs.rows import Curvature

Array: TypeAlias = npt.NDArray[Any]


# ------------------------------------------------------------------------ what the method tower sees of a problem


class Direction(Protocol):
    """A vector of coefficient size."""

    @property
    def coef(self) -> Array: ...


class Point(Protocol):
    """A place, and what is known there; never changed."""

    def forget(self) -> None: ...
    def keep(self) -> Any:
        """Find all that a step needs, in as few reads of X as that takes; returns itself."""

    @property
    def coef(self) -> Array: ...
    @property
    def value(self) -> float: ...
    @property
    def gradient(self) -> Array: ...

    def direction(self, coef: Array) -> Any:
        """A vector of coefficient size as a `Direction` from here."""

    def minus(self, other: Any) -> Any:
        """The step from another point, as a `Direction`."""

    def along(self, *directions: Any) -> Subspace:
        """The subspace that directions span from here."""

    def refreshed(self) -> Point:
        """The same place, everything computed from its coefficients alone."""


class Subspace(Protocol):
    """φ(a) = F(w + Σ aₖ dₖ): what a search over learning rate and momentum sees."""

    fused: bool  # whether a read of X costs more than a trial: then `swept` looks before a search does

    @property
    def origin(self) -> Point: ...
    @property
    def directions(self) -> Any: ...

    def slopes(self) -> Array:
        """The gradient of φ at a = 0."""

    def hessian(self) -> Array | None:
        """The Hessian of φ where that is the same everywhere."""

    def value(self, a: Array) -> float:
        """φ(a)."""

    def derivatives(self, a: Array, order: int = 2) -> tuple[float, Any, Any]:
        """φ(a), and its gradient and Hessian where `order` asks for them."""

    def point(self, a: Array) -> Point:
        """The point at a."""

    def searched(self, a: Array, *goal: float) -> tuple[Array, float, float] | None:
        """`steps.newton_search` from a over all coordinates, where that can be had in one go.

        Parameters
        ----------
        a : ndarray
        *goal : float
            The value at the origin, its noise, the accuracy, how parallel directions may be, what is promised and the match so
            far; the end is returned with the last two.
        """

    def swept(self) -> Point:
        """Where `fused`: the point one first direction away, with its gradient."""

    def compare(self, point: Any, follow: bool) -> None:
        """Learn the first direction's predictor from the point that `swept` gave, which is followed, or not."""


class Objective(Protocol):
    """A function of coefficients, somewhere."""

    coupled: bool  # whether the outputs share one loss, and so one step
    least: float  # what its value cannot fall below, as far as is known
    reference: (
        bool  # whether it has no bound of the Hessian, and a curvature product of its own where no point is given
    )

    @property
    def passes(self) -> float: ...

    def at(self, coef: Array) -> Point:
        """The point at some coefficients."""

    def curvature_product(self, coef: Array, at: Any = None) -> Array:
        """(A bound of the Hessian, or, where there is none, the Hessian at a point, or a reference) @ coef."""


# ------------------------------------------------------------------------------------- the parts of the method tower

#: (subspace, momentum's factor) -> the coordinates of the step, and the point there if it is known
Choose: TypeAlias = "Callable[[Subspace, float], tuple[Array, Point | None]]"
#: run -> the point at which the gradient is taken, and the factor of the last step
Extrapolate: TypeAlias = "Callable[[Run], tuple[Point, float]]"


class StepRule(Protocol):
    """How far to go along a direction; see `steps`."""

    plane: bool  # whether it chooses the momentum, too
    momentum: bool  # whether it may be combined with one
    scheduled: bool  # whether it never looks at the function's values
    metric: bool  # whether it may be combined with one

    def check(self) -> None:
        """Refuse parameters out of range, naming them."""

    def begin(self, run: Run) -> Choose:
        """What it does in one run."""


class Momentum(Protocol):
    """Where the next gradient is taken; see `momentum`."""

    def check(self) -> None:
        """Refuse parameters out of range, naming them."""

    def begin(self, run: Run) -> Extrapolate:
        """What it does in one run."""


class Form(Protocol):
    """Coordinates that a problem is solved in; see `forms`."""

    def into(self, coef: Array) -> Array:
        """The user's coefficients in them."""

    def out(self, coef: Array) -> Array:
        """The user's coefficients."""


class Norm(Protocol):
    """What measures a gradient."""

    def square(self, gradient: Array, unit: Any = 1.0) -> float:
        """The square of the norm of gradient / unit, gradientᵀ P gradient where that is 1; a unit for all outputs or one for each."""


class Preconditioner(Norm, Protocol):
    """The metric in which descent is steepest, P = T Tᵀ; see `preconditioners`."""

    @property
    def name(self) -> str | None: ...
    @property
    def newton(self) -> bool: ...
    @property
    def null(self) -> Array | None:
        """The directions that it takes for none, in the coordinates of the coefficients."""

    def adapt(self, run: Run) -> None:
        """Renew the metric where that pays."""

    def prepare(self, run: Run) -> None:
        """Be the metric of where the run is."""

    def direction(self, gradient: Array) -> Array:
        """−P gradient."""

    def half(self, u: Array) -> Array:
        """T u."""

    def half_transposed(self, gradient: Array) -> Array:
        """Tᵀ gradient."""


class MetricSource(Protocol):
    """What makes a new metric of the Hessian at a point."""

    cost: float  # of a new metric, in iterations

    def metric(self, point: Any) -> Preconditioner: ...
    def grow(self) -> None:
        """Make better ones from now on."""


class Callback(Protocol):
    """Told before and after each iteration."""

    def before(self, run: Run) -> None: ...
    def after(self, run: Run) -> bool:
        """Whether to stop."""


class Recorder(Callback, Protocol):
    """Told also when the fit is done."""

    def finish(self) -> None: ...


# ------------------------------------------------------------------------------------ the parts of the problem tower


class Loss(Protocol):
    """Pointwise; never sees X. See `losses`."""

    curvature: (
        float  # an upper bound of the second derivative in the raw prediction; where there is none, a typical one
    )
    bounded: bool  # whether it is a bound
    kernel: int | None  # its row in the table of compiled losses
    numbers: Any  # its own, as the compiled loss reads them
    separable: bool  # whether its optimum may be at infinity
    straight: bool  # whether its second derivative is zero on whole intervals
    coupled: bool  # whether the outputs of a sample share it

    def derivatives(self, y: Array, raw: Array, order: int = 2) -> tuple[Any, Any, Any]:
        """The loss of each sample, its slope, and its second derivative, as far as `order` asks."""

    def working(self, y: Array, raw: Any) -> tuple[Array, Array] | None:
        """Second derivatives and slopes, at a constant prediction, of quadratics whose optimum is a good start; None for none."""

    def hessian_product(self, second_derivative: Array, weight: Array | None, predictor: Array) -> Array:
        """Each sample's weighted Hessian times a direction of the raw predictions."""

    def hessian_diagonal(self, second_derivative: Array) -> Array:
        """The Hessian's diagonal in the raw predictions."""

    def forms(self, second_derivative: Array, weight: Array | None, predictors: Any) -> Array:
        """Weighted sums over the samples of the Hessian's forms in m directions, shape (m, m)."""


class Penalty(Protocol):
    """A term of the objective in the coefficients alone. See `penalties`."""

    alpha: float

    def value(self, coef: Array) -> float: ...
    def add_gradient(self, coef: Array, gradient: Array) -> None:
        """Add the penalty's gradient, in place."""

    def add_product(self, at: Array, coef: Array, out: Array) -> None:
        """Add the Hessian at some coefficients times others, in place."""

    def curvature(self, at: Array) -> Any:
        """The second derivative in each coefficient at some."""

    def along(self, origin: Array, vectors: Any) -> Any:
        """Value, gradient and Hessian in the subspace of some vectors."""


#: Second moments of the rows about their centre
Moments: TypeAlias = "Curvature"


class Design(Protocol):
    """The linear map X; never sees a loss. See `designs`."""

    n_samples: int
    n_features: int
    size: int  # of a coefficient vector
    fit_intercept: bool
    dtype: np.dtype[Any]
    passes: float  # reads of X so far
    work: float  # of one product with a vector, in operations
    one_block: bool  # whether work on predictions is done on all samples at once
    streams: bool  # whether a pass reads memory rather than a cache, and predictions are at home
    far: bool  # whether some column's centre is far from zero beside its spread, once `moments` have been asked for
    where: str  # arrays of sample size: in "memory", as NumPy's; on a "device"; with "workers", who do all work on them

    # what products cost, in the unit of `costs`; infinite where there are none
    @property
    def pairs(self) -> float | None:
        """Pairs of the rows' stored values, where symmetric products of columns are made of these."""

    @property
    def gram_cost(self) -> float: ...
    @property
    def low_gram_cost(self) -> float: ...
    @property
    def row_products_cost(self) -> float: ...
    def product_cost(self, outputs: int = 1) -> float:
        """Of a product with a vector an output, and back."""

    def forward(self, coef: Array) -> Array:
        """Raw predictions."""

    def sweep(self, pointwise: Callable[..., tuple[float, Array]], coef: Array | None = None) -> tuple[float, Array]:
        """One read of X: predictions, `pointwise` of them, and the adjoint of what it returns."""

    def normal(self, coef: Array, weight: Array | None) -> Array:
        """[X 1]ᵀ W [X 1] coef."""

    def over_predictions(self, task: Callable[[slice], tuple[Any, ...]]) -> tuple[Any, ...]:
        """Sum `task(slice)` over the samples."""

    def each_prediction(self, task: Callable[[slice], None]) -> None:
        """Call `task(slice)` on blocks of samples that together are all of them."""

    def moments(self, weight: Array | None = None, targets: Array | None = None) -> Curvature:
        """The columns' second moments, their centre, and their products with targets."""

    def gram(
        self,
        weight: Array | None = None,
        targets: Array | None = None,
    ) -> Curvature:
        """All second moments of the columns, and of the targets behind them."""

    def gram_along(self, basis: Array, weight: Array | None = None) -> Array:
        """Second moments of the rows' products with a few vectors."""

    def low_gram(self, weight: Array | None, centre: Array, unit: Array) -> Curvature:
        """Those of the columns as exact as a metric needs them, in units of their own."""

    def coupled_gram(self, p: Array, scaled: Array) -> tuple[Array, Array]:
        """The multinomial Hessian over all outputs, and the centre it is about."""

    def row_spread(self, moments: Any) -> Array:
        """How far each row lies from the centre."""

    def columns(self, chosen: Array) -> Array:
        """Some columns as a NumPy array."""

    def row_products(self, centre: Array, used: Array) -> Array:
        """Inner products of the rows about a centre, of the columns in use."""

    def centred_adjoint(self, residual: Array, centre: Array) -> Array:
        """(X − 1 centreᵀ)ᵀ residual."""

    def take(self, rows: Array) -> Design:
        """The same design on a copy of some rows."""
