"""What is prepared of the data, the problem on it, and the descent that all forms of a problem share.

Two uses: `explicit`, a rule that the user has chosen on the loss as it stands; and every form that ``"auto"`` chooses.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from .. import messages
from ..arrays import alike, mean
from ..descent import Run, Stopping, descend
from ..designs.rows import Curvature
from ..forms import Coefficients
from ..losses import HalfSquaredError
from ..momentum import NoMomentum
from ..objectives import LinearModel
from ..penalties import L2
from ..preconditioners import EPS, Diagonal, Full, Identity, Nystrom, constant
from ..protocols import Array, Callback, Design, Loss, Moments, Momentum, Norm, Objective, Preconditioner, StepRule
from ..steps import PlaneSearch

__all__ = [
    "Constant",
    "Prepared",
    "Problem",
    "Until",
    "at_home",
    "explicit",
    "in_rounds",
    "metric_for",
    "plane_descent",
    "positive_root",
    "rented",
]


ENDED = "gradient", "precision"

#: Whether to leave a run that has not ended, because something better is to be bought, for so many ``products``; None for never.
Until: TypeAlias = Any

#: Where the rows are, and whose model is not `LinearModel`: a wing's line.
MODELS: dict[str, type[LinearModel]] = {}

# How much columns' distance from zero multiplies rounding errors where predictions are not carried from step to step: those that the
# coefficients make have 1e4 rounding errors then, and the sum of a few steps loses touch with its coefficients.
FAR = 1e4
# A column whose spread is so many times that of the n-th largest is kept apart from the inner products of rows: there its square would
# leave the others 16 − 4 digits. Fewer than n columns are larger than the n-th, so they do not span the space of the rows alone.
LARGE = 100.0
# Vectors of a sketch, and numbers in them: 200 MB.
SKETCH, SKETCH_NUMBERS = 256, 25_000_000
# Numbers whose squares, and the sums of these, are below the range of float64.
LEAST = 1e-150


class Rounds(Protocol):
    """What becomes of a loss; see `rounds`."""

    penalty: Any  # in place of the L2 penalty, or None
    loose: float  # the part of the first gradient to which each loss is minimised, at the least to `tol`
    fresh: bool  # whether the last numbers are so far from those before that a metric is to be renewed

    def renew(self, run: Run) -> bool:
        """Give the loss of a run that has ended its next numbers, and the run what its end is to be; False where there are none."""


@dataclass(frozen=True)
class Prepared:
    """The data as all fits on them see it: nothing here depends on a penalty, a learning rate or a start.

    Attributes
    ----------
    design : design
    y : ndarray
        The target, as the loss wants it.
    weight : ndarray of shape (n_samples,) or None
        Sums to one.
    """

    design: Design
    y: Array
    weight: Array | None


class Constant(NamedTuple):
    """The best constant prediction.

    Attributes
    ----------
    loss : float
        Its mean loss.
    raw : float, ndarray of shape (n_outputs,) or None
        Itself, where a fit that may start anywhere starts there: a loss without a bound of its curvature is a bad place at zero.
    """

    loss: float
    raw: Any = None


@dataclass
class Problem:
    """What is minimised on prepared data, from where, and until when.

    Attributes
    ----------
    prepared : Prepared
    loss : loss
    alpha : float
    constant : Constant or None
        The best constant prediction, where the estimator knows it.
    start : ndarray
        Coefficients, the intercept last.
    tol, max_iter, verbose, callback
        As the estimator has them.
    rounds : Rounds or None
        What becomes of the loss when it has been minimised.
    form : Form
        The problem's coordinates.
    null_loss : float or None
        The loss of the best constant prediction, where `scale` does not say it.
    """

    prepared: Prepared
    loss: Loss
    alpha: float
    constant: Constant | None
    start: Array
    tol: float
    max_iter: int
    verbose: int = 0
    callback: Callback | None = None
    rounds: Rounds | None = None
    form: Any = field(default_factory=Coefficients)
    model: LinearModel = field(init=False)
    null_loss: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.design, self.y, self.weight = self.prepared.design, self.prepared.y, self.prepared.weight
        self.outputs = self.start.shape[1] if self.start.ndim == 2 else 1
        self.eps = float(np.finfo(self.design.dtype).eps) if self.design.dtype != np.float64 else EPS
        # sums over samples are in double precision; a device may have none
        self.sums_eps = self.eps if self.design.where == "device" else EPS
        model = MODELS.get(self.design.where, LinearModel)
        self.penalty: Any = (self.rounds.penalty if self.rounds else None) or L2(self.alpha, self.design.n_features)
        self.model = model(self.design, self.loss, self.y, self.weight, self.penalty)

    @functools.cached_property
    def middle(self) -> Any:
        """The best constant prediction of squared error; 0 without an intercept."""
        return mean(self.y, self.weight) if self.design.fit_intercept else 0.0

    @functools.cached_property
    def moments(self) -> Moments:
        """The columns' second moments and, of squared error in memory, the products with the target, in the same read of X.

        Who knows them already sets them.
        """
        if not (isinstance(self.loss, HalfSquaredError) and isinstance(self.y, np.ndarray)):
            return self.design.moments(self.weight)
        return self.design.moments(self.weight, self.y.astype(np.float64, copy=False) - self.middle)

    @functools.cached_property
    def gram(self) -> Moments:
        """All second moments of the columns."""
        return self.design.gram(self.weight)

    @functools.cached_property
    def alike(self) -> float:
        """How many columns of one spread vary as much as all of these together."""
        spread = self.moments.matrix
        return float(spread.sum() ** 2 / np.vdot(spread, spread)) if spread.any() else 0.0

    @functools.cached_property
    def large(self) -> Array:
        """Which columns are in units so large that inner products of rows would be nothing but they."""
        variance, least = self.moments.matrix, self.alpha / self.loss.curvature
        if variance.max(initial=0.0) <= LARGE**2 * max(variance.min(initial=0.0), least):
            return np.zeros(len(variance), dtype=bool)
        varying = variance[variance > 0]
        last = max(len(varying) - self.design.n_samples, 0)
        large: Array = variance > LARGE**2 * max(np.partition(varying, last)[last], least)
        return large

    @functools.cached_property
    def scale(self) -> float | Array:
        """The root of twice the loss of the best constant prediction, an output; who knows it already sets it."""
        if self.constant is not None:
            return positive_root(2 * self.constant.loss)
        if not self.design.fit_intercept:
            return positive_root(mean(self.y * self.y, self.weight))
        centre = mean(self.y, self.weight)
        about = self.y - alike(centre, self.y)
        # a mean has rounding errors of its own, which a constant target would be left with
        left = mean(about, self.weight)
        return self.scaled(mean(about * about, self.weight) - left * left, centre, self.eps)

    def scaled(self, variance: Any, centre: Any, eps: float) -> float | Array:
        """The scale of targets of some variance about their centre, set; of one that is constant but for rounding errors, its size.

        Such a target adds nothing to the loss that is to be explained, unless there is no other.
        """
        if self.design.where == "workers":
            variance, centre = np.asarray(np.stack([variance, centre]))  # in one go
        square = centre * centre
        varies = variance > (4 * eps) ** 2 * square
        if varies.all():
            self.scale = positive_root(variance)
        else:
            self.scale = positive_root(np.where(varies, variance, square))
            if varies.any():
                self.null_loss = 0.5 * float(np.sum(variance[varies]))
        return self.scale

    def stopping(self, norm: Norm | None = None) -> Stopping:
        """The one criterion, from the columns' moments; the norm is theirs, too, where none is given."""
        moments = self.moments
        small = (np.abs(moments.centre) < LEAST) & (moments.centre != 0) & (moments.matrix < LEAST**2)
        if small.any():
            column = int(np.flatnonzero(small)[0])
            size = float(np.abs(moments.centre[column]))
            raise ValueError(messages.out_of_range(f"X, column {column},", size, np.dtype(np.float64)))
        self.start = self.without_constant(self.start)
        norm = norm or self.diagonal
        return Stopping(norm, self.scale, self.tol, self.floor, self.eps, self.null_loss)

    def move_start(self) -> None:
        """Start from the best constant prediction rather than from a worse place: the minimum is the same from everywhere.

        Where all samples are beyond doubt, or beyond all bounds, there is no curvature to go by.
        """
        known = self.constant
        if known is None or not (self.start.any() or known.raw is not None):
            return
        if self.start.any() and self.model.at(self.start).keep().value < known.loss:
            return
        self.start = np.zeros_like(self.start)
        if known.raw is not None and self.design.fit_intercept:
            self.start[-1] = known.raw

    def without_constant(self, coef: Array) -> Array:
        """The same predictions by the intercept alone where columns are constant: metrics leave their coefficients where they are."""
        columns, p = self.moments, self.design.n_features
        without = constant(columns.matrix, columns.centre, columns.weight_sum)
        if not coef[:p][without].any():
            return coef
        coef = coef.copy()
        coef[p] += columns.centre[without] @ coef[:p][without]
        coef[:p][without] = 0.0
        return coef

    def floor(self, coef: Array) -> float:
        """The norm of a gradient's rounding errors, once `stopping` has been asked for.

        Those of the predictions, whose terms are w_j x_ij, and of the sums of residuals over columns that are far from zero, in the
        arithmetic of sums; and those of predictions as they are stored, in X's own. They are independent between samples, hence 1/√n,
        and add up over p columns.
        """
        n, p = self.design.n_samples, self.design.n_features
        w, b = (self.rms * coef[:p].T).T / self.scale, coef[p:] / self.scale
        terms = math.sqrt(np.vdot(w, w)) + math.sqrt(np.vdot(b, b))
        size = self.sums_eps * (self.amplified + terms)
        if self.eps > self.sums_eps:
            middle = (coef[p] + self.moments.centre @ coef[:p]) / self.scale if len(coef) > p else np.zeros(1)
            size += self.eps * (1 + math.sqrt(np.vdot(middle, middle)))
        return math.sqrt((p + 1) / n) * size

    @functools.cached_property
    def rms(self) -> Array:
        """The root of the mean square of each column."""
        return np.sqrt(self.moments.matrix + self.moments.centre**2)

    @functools.cached_property
    def diagonal(self) -> Diagonal:
        """The metric of the columns that the criterion is made of."""
        return Diagonal(self.moments, self.loss.curvature, self.alpha)

    @functools.cached_property
    def amplified(self) -> float:
        """By what columns' distance from zero multiplies the rounding errors of products."""
        # far from zero in units of the metric, where a column that does not vary has the penalty's
        offset = self.moments.centre * self.diagonal.root
        return math.sqrt(1 + self.loss.curvature * float(np.vdot(offset, offset)) / max(len(offset), 1))

    def run(self, objective: Objective, stopping: Stopping, start: Array | None = None) -> Run:
        """A new run on a form of the problem."""
        run = Run(objective, self.start if start is None else start, stopping, self.max_iter, self.eps, self.verbose)
        run.form = self.form
        if self.amplified > FAR:
            run.rounding.refresh_every = 1
        return run


def at_home(problem: Problem, run: Run, objective: Objective, coef: Array | None = None) -> None:
    """Go on with a run in the problem's own coordinates: from where it is, or from some coefficients."""
    if run.form is problem.form:
        run.move(objective, run.point.coef)
    else:
        run.move(objective, run.point.coef, run.form.out)
        run.form, run.stopping = problem.form, problem.stopping()
    if coef is not None:
        run.point = objective.at(coef)


def positive_root(squares: Any) -> float | Array:
    """The root, or 1 where there is none: a constant target is predicted exactly by the intercept, and any scale will do."""
    root: Any = np.sqrt(np.asarray(squares))  # of a Dask array: here it is computed
    return np.where(root > 0, root, 1.0) if root.ndim else float(root) if root > 0 else 1.0


def metric_for(name: str | None, problem: Problem) -> Preconditioner:
    """The fixed preconditioner of that name on the loss's curvature bound."""
    factor, alpha = problem.loss.curvature, problem.alpha
    if name is None:
        return Identity()
    if name in ("diagonal", "nystrom"):
        diagonal = Diagonal(problem.moments, factor, alpha)
        if name == "diagonal":
            return diagonal
        most = max(16, min(SKETCH, SKETCH_NUMBERS // problem.design.size))
        return Nystrom(diagonal, problem.model.curvature_product, problem.design.size, most)
    gram = problem.design.gram(problem.weight)
    return Full(factor * gram.matrix, gram.centre, factor * gram.weight_sum, alpha, problem.sums_eps)


def rented(problem: Problem) -> Diagonal:
    """The metric that needs no set-up: the diagonal one.

    Of fewer rows than columns one spread for all columns, unless their units are worlds apart. Gradients then stay in the space that the
    rows span, in which all of the loss is; columns in units of their own would lead out of it, to where there is nothing but the
    penalty.
    """
    moments, design = problem.moments, problem.design
    if design.n_samples < design.n_features and not problem.large.any():
        without = constant(moments.matrix, moments.centre, moments.weight_sum)
        moments = Curvature(np.where(without, 0.0, moments.matrix.mean()), moments.centre, moments.weight_sum)
    return Diagonal(moments, problem.loss.curvature, problem.alpha)


def explicit(problem: Problem, rule: StepRule, momentum: Momentum, preconditioner: str | None) -> Run:
    """The run of a rule that the user has chosen."""
    problem.moments, start = problem.design.moments(problem.weight), problem.start
    metric, stopping = metric_for(preconditioner, problem), problem.stopping()
    if not (rule.scheduled or problem.loss.bounded):
        # a search may be led astray from where the loss has another curvature than it has at the optimum
        problem.move_start()
        start = problem.start
    # plain gradients know no constant column from another
    run = problem.run(problem.model, stopping, start if preconditioner is None else None)
    run.metric = metric

    def again(run: Run) -> Run:
        return descend(run, learning_rate=rule, momentum=momentum, preconditioner=run.metric, callback=problem.callback)

    def renewed(run: Run) -> Run:
        run.metric = metric_for(preconditioner, problem)
        return again(run)

    in_rounds(problem, again(run), renewed)
    run.end_stage("coefficients", run.metric.name, type(rule).__name__, problem.design.passes)
    return run


def in_rounds(problem: Problem, run: Run, again: Callable[[Run], Any]) -> Run:
    """Go on with a run that has ended, for as long as its loss is renewed."""
    while problem.rounds is not None and run.reason in ENDED and problem.rounds.renew(run):
        # the criterion is in units of the loss's curvature, which is another one
        criterion: Any = run.stopping
        if criterion.metric is problem.__dict__.pop("diagonal", None):
            criterion.metric = problem.diagonal
        model: Any = run.objective
        place, refreshed = run.base, run.rounding.refreshed
        run.move(model, place.coef)
        run.base = run.point = model.again(place)
        run.rounding.refreshed = refreshed  # predictions are those of before
        run.history.rises = 0  # another loss may be higher
        norm = criterion.measure(run.base.gradient, run.base.value, run.base.coef)[0]
        criterion.tol = max(criterion.tol, problem.rounds.loose * norm)
        if problem.rounds.fresh:
            run.metric.prepare(run)
        again(run)
    return run


def plane_descent(problem: Problem, run: Run, until: Until = None) -> Run:
    """Descend by plane searches in the run's metric."""
    return descend(
        run,
        learning_rate=PlaneSearch(),
        momentum=NoMomentum(),
        preconditioner=run.metric,
        callback=problem.callback,
        until=until,
    )
