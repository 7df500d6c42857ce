"""What the end of a run leaves out: whether a user would notice, and a metric that sees more.

Two uses: the Gram matrix of squared error and the Hessians of the other losses, which have squared the condition number of the
columns, so that in double precision they see nothing of directions below some 1e-7 of the leading one; and penalties so strong that
the criterion is met before the first step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

from ..arrays import mean
from ..descent import Run, Stopping
from ..losses import HalfSquaredError
from ..preconditioners import EPS, Composed, Renewed, constant, potrf, root_of
from ..protocols import Array, Preconditioner
from .problem import ENDED, Problem, plane_descent
from .rounds import SmoothingRounds

__all__ = ["NOTICED", "as_stored", "finer_metric", "hidden", "note_rounding", "separated", "settled"]

# The part of the explained loss that is told to the user where it is left out, half of what is promised, 1e-3, because it is an estimate;
# and what a fit aims at whose `tol` is smaller.
NOTICED, AIM = 5e-4, 1e-6
# Iterations in a metric of the Hessian that are not worth more: it takes some ten where rounding errors do not drown the gradient.
MOST_ITERATIONS = 50
# Rounding errors of a value of the loss: what is less cannot be seen in it.
ROUNDING = 100 * EPS
# Rounding errors of the terms of a product with a row, up to which the product is taken for zero.
DEPENDENT = 8
# Null directions whose Hessian is asked for one by one, where outputs are coupled.
MOST_DIRECTIONS = 32


def settled(problem: Problem, run: Run, finer: Callable[[], Preconditioner] | None = None) -> Run:
    """Go on where the end of a run leaves more than a part of what it explained; note the part that is left out at last.

    Half the square of Newton's decrement is what the run's metric sees to gain; what lies in directions that it takes for none is told by
    the data.

    Parameters
    ----------
    problem : Problem
        In whose coordinates the run is.
    run : Run
        Ended.
    finer : callable () -> preconditioner, or None
        A metric that sees directions which the run's does not.
    """
    criterion, aim = run.stopping, max(problem.tol, AIM)
    places: list[tuple[Array, float]] = []  # where it was worth to go on from, and what was left out there
    for tries in (2, 1, 0):
        if run.reason not in ENDED:
            break
        value = run.base.value
        left = 0.5 * run.metric.square(run.base.gradient)
        unseen = hidden(problem, run.base.coef, run.metric.null)
        whole = max(run.stopping.null_loss - value, 0.0) + left + unseen
        run.rounding.left_out = (
            0.0 if left + unseen <= ROUNDING * value else (left + unseen) / whole if np.isfinite(whole) else 1.0
        )
        # another metric is worth its price where a user would notice what this one does not see
        blind = unseen > NOTICED * whole and run.rounding.left_out > NOTICED
        enough = left <= aim * whole or left <= ROUNDING * value
        if not tries or run.iteration >= run.max_iter or (enough and not (blind and finer)):
            break
        places.append((run.base.coef, run.rounding.left_out))
        try:
            if blind and finer is not None:
                run.metric, finer = finer(), None
            else:
                run.metric.prepare(run)
        except scipy.linalg.LinAlgError:  # of a Hessian that is nothing but rounding errors
            break
        tol = min(problem.tol, float(np.sqrt(aim * whole / value)))
        run.stopping = Stopping(run.metric, problem.scale, tol, lambda coef: 0.0, EPS)
        run.move(run.objective, run.base.coef)
        # in a metric this fine steps are long, and what is summed of them is not what their coefficients predict
        run.rounding.refresh_every = 1
        run.history.flattest_norm, last = np.inf, run.iteration + MOST_ITERATIONS
        plane_descent(problem, run, until=lambda run, last=last: run.iteration >= last)
        if run.reason in (None, "diverged"):
            run.reason = "precision"
    run.stopping = criterion
    if places and run.reason in ENDED:
        here = run.rounding.left_out
        choose(run, [(run.base.coef, here), (run.history.flattest_coef, here), *places], whole)
    return run


def choose(run: Run, places: list[tuple[Array, float]], whole: float) -> None:
    """End a run at the best of some places, as their coefficients tell: where gradients are rounding errors, their norm says little."""
    points = [run.objective.at(coef) for coef, _ in places]
    values = [point.value if np.isfinite(point.value) else np.inf for point in points]
    best = int(np.argmin(values))
    run.rounding.left_out = min(max(places[best][1], (values[best] - min(run.base.value, *values)) / whole), 1.0)
    if best:
        run.reason = "precision"
        run.base, run.history.flattest_coef = points[best], places[best][0]
    run.history["loss"][-1] = values[best]
    run.history["gradient_norm"][-1] = run.stopping.measure(run.base.gradient, run.base.value, run.base.coef)[0]


def hidden(problem: Problem, coef: Array, null: Array | None) -> float:
    """What directions have to gain that a metric takes for none, as the data tell; nothing where their columns do depend on each other.

    Parameters
    ----------
    problem : Problem
    coef : ndarray
        Where; in the problem's coordinates.
    null : ndarray of shape (size, k) or (size, n_outputs, k), or None
    """
    design = problem.design
    if null is None or not null.size or design.where != "memory":
        return 0.0
    p = design.n_features
    features = null[:p].reshape(p, -1)
    # products with rows about their centre: about zero those of columns far from there would be rounding errors
    variation = design.gram_along(features).diagonal()
    real: Any = variation > (DEPENDENT * EPS) ** 2 * p * (problem.moments.matrix @ np.square(features))
    real = real.reshape(-1, null.shape[-1]).any(axis=0)
    if not real.any():
        return 0.0
    return to_gain(problem, problem.model.at(coef), null[..., real])


def to_gain(problem: Problem, point: Any, null: Array) -> float:
    """What there is to gain along directions, as their slopes and second derivatives tell."""
    design, model, weight = problem.design, problem.model, problem.weight
    p, gradient, coef = design.n_features, point.gradient, point.coef
    if null.ndim == 3:
        null = null[..., :MOST_DIRECTIONS]
        slopes = np.tensordot(null, gradient, axes=((0, 1), (0, 1)))
        predictors = np.stack([point.hessian_product(null[..., k]) for k in range(null.shape[-1])], axis=-1)
        return gain(np.tensordot(null, predictors, axes=((0, 1), (0, 1))), slopes)
    base: Any = model.mean if weight is None else weight
    slopes = null.T @ gradient
    penalty = problem.alpha * (null[:p].T @ null[:p])
    if isinstance(problem.loss, HalfSquaredError):
        return gain(design.gram_along(null[:p], np.broadcast_to(base, design.n_samples)) + penalty, slopes)
    known = point.known(2)
    second_derivatives = problem.loss.hessian_diagonal(known.second_derivative)
    if coef.ndim == 1 and not problem.loss.bounded:
        # Second derivatives that differ by orders of magnitude blur null directions; a slope of rounding errors has nothing to gain.
        terms = problem.rms @ np.abs(null[:p]) + np.abs(null[p:]).sum(axis=0)
        size = mean(np.abs(problem.loss.derivatives(model.y, known.raw, 1)[1]), weight)
        slopes[np.abs(slopes) <= EPS * size * terms] = 0.0
    if coef.ndim == 1:
        return gain(design.gram_along(null[:p], second_derivatives * base) + penalty, slopes)
    each = range(coef.shape[1])
    return math.fsum(
        gain(design.gram_along(null[:p], second_derivatives[:, k] * base) + penalty, slopes[:, k]) for k in each
    )


def gain(forms: Array, slopes: Array) -> float:
    """What a quadratic has to gain along directions, from its second derivatives along them and its slopes, in one column or in several."""
    root = root_of(forms.diagonal())
    slopes = (root * slopes.T).T
    return 0.5 * float(np.vdot(slopes, scipy.linalg.pinvh(forms * root * root[:, None], rtol=1e-10) @ slopes))


def finer_metric(problem: Problem, weight: Array | None, factor: float) -> Composed:
    """The metric of a Hessian, from the data in coordinates in which its directions are about equally long.

    The Gram matrix G of the columns sees a direction of length σ beside one of length 1 where σ² is above its rounding errors. With
    G + s = RᵀR and s a few of these, the columns X R⁻¹ have lengths σ/√(σ² + s), and their Gram matrix, computed from the rows, sees σ down to
    about 1e-14.

    Parameters
    ----------
    problem : Problem
    weight : ndarray or None
        Of the rows, second derivatives of the loss included.
    factor : float
        Of the Gram matrix in the Hessian.

    References
    ----------
    T. Fukaya, R. Kannan, Y. Nakatsukasa, Y. Yamamoto and Y. Yanagisawa, "Shifted Cholesky QR for computing the QR factorization of
    ill-conditioned matrices", SIAM Journal on Scientific Computing 42, 2020, doi:10.1137/18M1218212.
    """
    design, alpha = problem.design, problem.alpha
    gram = design.gram(weight)
    matrix, p = factor * gram.matrix, design.n_features
    without = constant(matrix.diagonal(), gram.centre, factor * gram.weight_sum)
    matrix.flat[:: p + 1] += alpha
    root = root_of(matrix.diagonal(), without)
    matrix *= root
    matrix *= root[:, None]
    matrix.flat[:: p + 1] = 1.0
    matrix.flat[:: p + 1] += 16 * EPS * np.sqrt(p) * np.linalg.norm(matrix)
    upper, _ = potrf(matrix.T, lower=0, clean=1)
    basis = root[:, None] * scipy.linalg.solve_triangular(upper, np.eye(p), check_finite=False)
    del upper, matrix
    inner = factor * design.gram_along(basis, weight)
    inner += alpha * (basis.T @ basis)
    return Composed(basis, inner, gram.centre, factor * gram.weight_sum)


# The change of a log-odds by a step of Newton's that is no rounding of an optimum. Of samples without an optimum every step adds about 1.
STILL_MOVING = 0.1
# What a null direction must change in predictions, in units of its largest coefficient, to be more than columns that depend on each other.
VARIES = 1e-6
# What the step may take from the margin of a sample, of what it adds to another's, and count as nothing.
NOT_LOST = 1e-2


def separated(run: Run) -> bool:
    """Whether a run on a loss with margins, without a penalty, shows that there is no finite optimum.

    There is none where some direction lowers no sample's margin, the log-odds of its class against each other class, and raises one
    (Albert and Anderson, 1984). The coefficients are such a direction where all samples are classified right, or those of one class;
    Newton's step is, up to rounding, where some of them never will be.
    """
    model: Any = run.objective
    raw = run.base.known().raw
    if model.loss.margins(model.y, raw).min() > 0:
        return True
    if model.loss.coupled and one_apart(model.y, raw, model.design.fit_intercept):
        return True
    if stands(run):
        return False
    run.metric.prepare(run)  # curvatures fall by e in an iteration there
    gradient = run.base.gradient
    directions = [run.metric.direction(gradient)]
    null = run.metric.null
    if null is not None and null.ndim == gradient.ndim + 1:
        # those whose curvature has fallen to rounding errors, downhill; as long as a step is that moves a margin
        for v in np.moveaxis(null, -1, 0):
            length = np.abs(v[: model.design.n_features]).max() or 1.0
            directions.append(v * (-np.sign(np.vdot(v, gradient)) / (length * VARIES)))
    for direction in directions:
        change = model.loss.margins(model.y, model.design.forward(direction).astype(np.float64))
        if change.max() > STILL_MOVING and change.min() >= -NOT_LOST * change.max():
            return True
    return False


def stands(run: Run) -> bool:
    """Whether a bound says that Newton's step moves no sample's prediction by what counts; False where there is none, too.

    With H the Hessian and hᵢ a sample's second derivative times its weight, hᵢ xᵢᵀ H⁻¹ xᵢ is at most 1. So the step moves the prediction by
    λ/√hᵢ at the most, λ Newton's decrement. Where there is no finite optimum it moves some sample by 1; in a metric of an earlier Hessian
    the bound is less by the root of the factor by which that sample's second derivative has fallen since, a hundred at the most here.
    """
    model: Any = run.objective
    renewed, point = run.metric, run.base
    if model.loss.coupled or not isinstance(renewed, Renewed):
        return False
    source: Any = renewed.source
    if renewed.metric is None or not source.whole or renewed.null is not None:
        return False
    share = point.known(2).second_derivative
    least = float(share.min()) * model.mean if model.weight is None else float((share * model.weight).min())
    return bool(renewed.square(point.gradient) <= STILL_MOVING**2 * least)


def one_apart(y: Array, raw: Array, shifted: bool) -> bool:
    """Whether some class's predictions against the mean of the others' are larger for all its samples than for all others."""
    against = raw * (raw.shape[1] / (raw.shape[1] - 1)) - raw.sum(axis=1, keepdims=True) / (raw.shape[1] - 1)
    for k in range(raw.shape[1]):
        low, high = against[y == k, k].min(), against[y != k, k].max()
        if low > high and (shifted or low > 0 > high):
            return True
    return False


def as_stored(problem: Problem, coef: Array) -> Array:
    """Coefficients in the precision of X, the intercept that which goes with the others as they were rounded."""
    low = coef.astype(problem.design.dtype)
    if problem.design.fit_intercept and low.dtype != coef.dtype:
        low[-1] = coef[-1] + problem.moments.centre @ (coef[:-1] - low[:-1])
    return low


def note_rounding(problem: Problem, run: Run) -> None:
    """Note what is left out because coefficients are rounded: half a unit in their last digit, times columns as far from zero as they are."""
    if run.reason not in ENDED or isinstance(problem.rounds, SmoothingRounds):  # a dual point tells
        return
    p, coef = problem.design.n_features, run.coef
    units = problem.eps * coef
    terms = (problem.rms * units[:p].T).T
    squares = float(np.vdot(terms, terms) + np.vdot(units[p:], units[p:]))
    explained = max(run.stopping.null_loss - run.base.value, 0.0)
    lost = 0.5 * problem.loss.curvature * squares
    if problem.design.dtype == np.float32 and lost > AIM * explained:
        # in double precision it can be told what came of it
        low = as_stored(problem, coef).astype(np.float64)
        lost = max(problem.model.value_and_gradient(low)[0] - run.base.value, 0.0)
    if lost > ROUNDING * run.base.value:
        run.rounding.left_out = min(max(run.rounding.left_out, lost / (explained or lost)), 1.0)
