"""What each row is predicted to be by the model of all other rows, without fitting that.

Two uses: `residuals_left_out`, squared error, exactly from leverages; `left_out`, log losses, by a Newton step from the optimum of all rows,
and where that is doubtful by a descent without the row.

In the notation here a row x has a one for the intercept, w are the weights of the rows, which sum to one, and H is the Hessian of all of
them at their optimum. Without row i, whose curvature along itself is s = w ℓ'' xᵀH⁻¹x, its
leverage, Newton's step changes its prediction by w ℓ' xᵀH⁻¹x / (1 − s) (Sherman and Morrison, 1950).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.linalg

from .. import messages
from ..designs.threads import cut
from ..forms import Coefficients
from ..plan import Problem
from ..plan.dual import RowSpan
from ..plan.newton import Sample
from ..plan.planning import MATRIX, needs_inner
from ..plan.problem import plane_descent
from ..preconditioners import EPS, Inexact, Joint, Renewed
from ..protocols import Array
from .side_by_side import BLOCK, Rows, along, applied, inverted, minimised, shifted, wrongness

__all__ = ["left_out", "residuals_left_out"]

# ------------------------------------------------------------------------------------------------------- squared error


def residuals_left_out(design: Any, y: Array, weight: Array | None, alphas: Array) -> Iterator[Array]:
    """The residuals of each row by the fit without it, for each of several penalties.

    The fit without row i has the mean loss of the others, so its penalty is (1 − wᵢ) alpha where all rows' is alpha: for every row as
    for as many fits.

    Parameters
    ----------
    design : design
        In memory or in a file.
    y : ndarray of shape (n_samples, n_targets)
    weight : ndarray of shape (n_samples,) or None
        Sums to one.
    alphas : ndarray

    Yields
    ------
    residuals : ndarray of shape (n_samples, n_targets)
        Predictions less y, in double precision.

    References
    ----------
    R. Rifkin and R. Lippert, "Notes on regularized least squares", MIT-CSAIL-TR-2007-025, 2007.
    """
    n = design.n_samples
    weight = np.full(n, 1 / n) if weight is None else weight.astype(np.float64)
    middle = weight @ y if design.fit_intercept else np.zeros(y.shape[1])
    about = y - middle
    by = by_rows if n <= design.n_features else by_columns
    yield from by(design, about, weight, alphas)


def shrinkage(values: Array, alpha: float, weight: Array, eps: float = EPS) -> Array:
    """1/(value + penalty) of each eigenvalue, of shape (1, k), or (n, k) where rows have different weights.

    Without a penalty the limit of small ones: a rounding error of the largest, of which eps is the relative size. Squares of columns that
    are rounding errors are EPS² of it; of eps = EPS^1.5 these have a leverage of EPS^0.5, and others lose no more of theirs.
    """
    same = float(weight.max()) - float(weight.min()) <= EPS
    own = weight[:1] if same else weight
    least = len(values) * eps * float(values.max(initial=0.0)) or 1.0
    out: Array = 1 / (values + np.maximum((1 - own) * alpha, least)[:, None])
    return out


def by_columns(design: Any, about: Array, weight: Array, alphas: Array) -> Iterator[Array]:
    """By the eigenvectors V of the columns' Gram matrix: in coordinates in which the columns are XV."""
    n, p = design.n_samples, design.n_features
    gram = design.gram(weight)
    vectors = scipy.linalg.eigh(gram.matrix, check_finite=False)[1]
    blocks = cut(n, max(1, BLOCK // max(p, 1)))
    values, slopes = np.zeros(p), np.zeros((p, about.shape[1]))
    for s in blocks:  # from the rows: the matrix has lost the small ones among its rounding errors
        Z = (design.block_dense(s) - gram.centre) @ vectors
        values += weight[s] @ np.square(Z)
        slopes += Z.T @ (weight[s, None] * about[s])
    out = [np.empty_like(about) for _ in alphas]
    for s in blocks:
        Z = (design.block_dense(s) - gram.centre) @ vectors
        for residuals, alpha in zip(out, alphas, strict=True):
            D = shrinkage(values, alpha, weight[s], EPS**1.5)
            fit = Z @ (D.T * slopes) if len(D) == 1 else (Z * D) @ slopes
            leverage = (np.square(Z) * D).sum(axis=1) + bool(design.fit_intercept)
            residuals[s] = (fit - about[s]) / (1 - weight[s] * leverage)[:, None]
    yield from out


def by_rows(design: Any, about: Array, weight: Array, alphas: Array) -> Iterator[Array]:
    """Fewer rows than columns: by the eigenvectors of the rows' inner products.

    With an intercept the weighted rows about their centre sum to zero. An eigenvalue of that direction, the mean of all, keeps it apart
    from others that are zero; its part is the intercept's, and taken out of the leverages.
    """
    n, root = design.n_samples, np.sqrt(weight)
    centre = design.moments(weight).centre
    products = design.row_products(centre, np.ones(design.n_features, dtype=bool))
    products *= root
    products *= root[:, None]
    shift = (float(products.trace()) / n or 1.0) if design.fit_intercept else 0.0
    products += shift * root[:, None] * root
    values, vectors = scipy.linalg.eigh(products, check_finite=False)
    values = np.maximum(values, 0.0)
    slopes = vectors.T @ (root[:, None] * about)
    for alpha in alphas:
        D = shrinkage(values, alpha, weight)
        fit = vectors @ (D.T * slopes) if len(D) == 1 else (vectors * D) @ slopes
        diagonal = (np.square(vectors) * D).sum(axis=1)
        if shift:
            diagonal -= weight * shrinkage(np.array([shift]), alpha, weight)[:, 0]
        yield -fit / (diagonal * root)[:, None]


# ------------------------------------------------------------------------------------------------------- log losses

# What rows that are taken as they are may together change the mean log loss by, as far as it can be foreseen, and what descents without a
# row may leave: a twentieth and a fifth of the 1 % that is promised.
UNSEEN, LEFT = 5e-4, 2e-3
# What a Newton step of one in log-odds has left out of it: the change of the Hessian along it, of second order in its length. Breast cancer's
# rows had 0.02 to 0.1 of the square, those of very heavy tails (Student's t of 1.2 degrees of freedom) more.
SECOND = 0.3
# Iterations of a descent without a row; and of one in metrics of all its rows by itself, with its tolerance: where classes are separated, the
# loss of all other rows is next to nothing, and the criterion is relative to it.
TOGETHER, MOST, ALONE = 30, 100, 1e-8


def left_out(problem: Problem, alphas: Array, coefs: Sequence[Array], rows: Rows | None = None) -> list[Array]:
    """The raw prediction of each row by the optimum without it, for each of several penalties.

    Parameters
    ----------
    problem : Problem
        Of a log loss, with any of the penalties.
    alphas : ndarray
    coefs : sequence of ndarray
        The optimum of all rows for each.
    rows : Rows or None
        Those of the problem, who has them.

    Returns
    -------
    list of ndarray of shape (n_samples,) or (n_samples, n_classes)

    References
    ----------
    K. Rahnama Rad and A. Maleki, "A scalable estimate of the out-of-sample prediction error via approximate leave-one-out
    cross-validation", Journal of the Royal Statistical Society B 82, 2020, doi:10.1111/rssb.12374.
    """
    problems = []
    for alpha, coef in zip(alphas, coefs, strict=True):
        each = replace(problem, alpha=float(alpha), start=coef)
        each.moments = problem.moments
        problems.append(each)
    if problem.outputs > 1 or problem.design.n_samples < problem.design.n_features:
        return [raw for each in problems for raw in one_left_out(each)]
    design, rows = problem.design, rows or Rows(problem.design, problem.moments)
    some = max(1, BLOCK // (design.size**2 + design.n_samples))
    return [raw for s in cut(len(problems), some) for raw in Binary(problems[s], rows).predictions()]


def one_left_out(problem: Problem) -> list[Array]:
    """`left_out` for one penalty, from its optimum."""
    if problem.design.n_samples < problem.design.n_features:
        # the models without a row are in the span of the rows, too
        problem = replace(RowSpan(problem).problem(), form=Coefficients())
    return (
        Several(problem).predictions()
        if problem.outputs > 1
        else Binary([problem], Rows(problem.design, problem.moments)).predictions()
    )


def ones_behind(design: Any, which: Any) -> Array:
    """Some rows as columns, their ones last, as gradients are."""
    rows = design.block_dense(which).astype(np.float64, copy=False).T
    return np.concatenate([rows, np.ones((1, rows.shape[1]))]) if design.fit_intercept else rows


def alone(problem: Problem, row: int) -> Any:
    """The prediction of one row at the optimum without it, in metrics of its own Hessians, from the problem's start."""
    design = problem.design
    weight = weights(problem).astype(design.dtype)
    weight[row] = 0.0
    prepared = replace(problem.prepared, weight=weight)
    without = replace(problem, prepared=prepared, start=problem.start.copy(), tol=ALONE, max_iter=MOST, verbose=0)
    without.moments = problem.moments
    run = without.run(without.model, without.stopping())
    run.metric = Renewed(Sample(without, without.moments))
    if needs_inner(without):
        run.metric = Inexact(run.metric)
    plane_descent(without, run)
    return ones_behind(design, [row])[:, 0] @ run.coef


def weights(problem: Problem) -> Array:
    """Those of the rows, which sum to one."""
    n = problem.design.n_samples
    return np.full(n, 1 / n) if problem.weight is None else problem.weight.astype(np.float64)


class Binary:
    """Two classes: one prediction a row. A matrix has a row for each penalty.

    Parameters
    ----------
    problems : sequence of Problem
        That differ in the penalty; each starts at its optimum.
    rows : Rows

    Attributes
    ----------
    raw, wrong : ndarray of shape (n_penalties, n_samples)
        At the optima of all rows: the predictions, and the probability of the other class.
    inverse : ndarray of shape (n_penalties, size, size)
        H⁻¹, in the coordinates of `rows`.
    gradient : ndarray of shape (n_penalties, size)
        Of all rows, in the same coordinates.
    leverage, kept : ndarray of shape (n_penalties, n_samples)
        xᵀH⁻¹x of each row, and 1 − s.
    """

    def __init__(self, problems: Sequence[Problem], rows: Rows) -> None:
        self.problems, self.rows, problem = problems, rows, problems[0]
        self.y, self.weight = problem.y.astype(np.float64, copy=False), weights(problem)
        self.penalty = self.rows.penalties(np.array([each.alpha for each in problems]))
        self.coef = self.rows.into(np.array([each.start for each in problems]))
        self.raw = self.rows.forward(self.coef)
        self.wrong = wrongness(self.y, self.raw)
        self.slope, second = -self.weight * self.y * self.wrong, self.weight * self.wrong * (1 - self.wrong)
        self.gradient = self.rows.adjoint(self.slope) + self.penalty * self.coef
        hessians = shifted(self.rows.hessians(second), self.penalty)
        self.inverse, well = inverted(hessians)
        for k in np.flatnonzero(~well):  # without the directions in which nothing varies
            self.inverse[k] = scipy.linalg.pinvh(hessians[k], rtol=16 * self.rows.size * EPS)
        self.leverage = np.empty_like(self.raw)
        for s in cut(len(self.y), max(1, BLOCK // self.rows.size)):
            points = self.rows.made(s)
            for leverage, inverse in zip(self.leverage, self.inverse, strict=True):
                leverage[s] = np.einsum("ij,ij->j", points, inverse @ points)
        self.second, self.kept = second, 1 - second * self.leverage

    def predictions(self) -> list[Array]:
        """By Newton's step, or by a descent where that is doubtful; of each penalty."""
        move = self.slope * self.leverage / self.kept
        raw = self.raw + move
        # what an error of a prediction does to the loss, if the step should be twice as long
        risk = self.weight * wrongness(self.y, raw + move)
        total = np.logaddexp(0.0, -self.y * raw) @ self.weight
        far = np.abs(move)
        doubt = risk * np.minimum(SECOND * far**2, far)
        doubtful = [most(each, UNSEEN * loss) for each, loss in zip(doubt, total, strict=True)]
        which = np.repeat(np.arange(len(raw)), [len(rows) for rows in doubtful])
        rows = np.concatenate(doubtful)
        # all of a penalty's share what may be left
        allowed = LEFT * np.repeat(total / [len(each) or 1 for each in doubtful], [len(each) for each in doubtful])
        for s in cut(len(rows), max(1, BLOCK // (len(self.y) + self.rows.size**2))):
            raw[which[s], rows[s]] = self.descended(which[s], rows[s], allowed[s])
        return list(raw)

    def descended(self, which: Array, rows: Array, allowed: Array) -> Array:
        """The predictions of some rows at the optima without them, from Newton's step on."""
        points = np.ascontiguousarray(self.rows.made(rows).T)
        signed = -self.y * self.weight
        towards = -applied(self.inverse[which], points)  # H⁻¹x
        without = (self.second / self.kept)[which, rows, None] * towards
        inverse = self.inverse[which] + towards[:, :, None] * without[:, None]
        out = np.empty(len(rows))

        def excess(fits: Array, coef: Array, _: Array, gradient: Array, direction: Array, left: Array) -> Array:
            at = points[fits]
            step = along(at, direction)
            out[fits] = along(at, coef) + step
            # this step and those behind it, where each leaves as much as the last one; which are better than what they are judged by
            ratio: Array = self.weight[rows[fits]] * np.abs(step) / (1 - left) / allowed[fits]
            return ratio

        def slopes(fits: Array, wrong: Array) -> Array:
            each = signed * wrong
            each[np.arange(len(fits)), rows[fits]] = 0.0
            return each

        known = self.wrong[which], self.gradient[which] - self.slope[which, rows, None] * points
        _, _, ended = minimised(
            self.rows, self.y, slopes, self.penalty[which], self.coef[which], inverse, excess, TOGETHER, known=known
        )
        for k in np.flatnonzero(~ended):
            out[k] = alone(self.problems[which[k]], int(rows[k]))
        return out


class Several:
    """More classes: as many predictions a row, and in place of its leverage a matrix of them, X_i H⁻¹ X_iᵀ."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.design, self.weight = problem, problem.design, weights(problem)
        self.coef = problem.start

    def predictions(self) -> list[Array]:
        """By Newton's step, or by a descent where that is doubtful."""
        loss, y = self.problem.loss, self.problem.y
        start = self.design.forward(self.coef).astype(np.float64)
        _, slope, p = loss.derivatives(y, start, 2)
        assert slope is not None
        assert p is not None
        leverage = self.leverages(p)
        second = -np.einsum("ij,ik->ijk", p, p)
        second[:, np.arange(p.shape[1]), np.arange(p.shape[1])] += p
        second *= self.weight[:, None, None]
        kept = np.eye(p.shape[1]) - second @ leverage
        move = (leverage @ np.linalg.solve(kept, (self.weight[:, None] * slope)[:, :, None]))[:, :, 0]
        raw = start + move
        own = np.arange(len(y)), y
        risk = self.weight * np.abs(loss.derivatives(y, raw + move, 1)[1][own])
        total = float(self.weight @ loss.derivatives(y, raw, 0)[0])
        far = move.max(axis=1) - move.min(axis=1)
        for row in most(risk * np.minimum(SECOND * far**2, far), UNSEEN * total):
            raw[row] = alone(self.problem, int(row))
        return [raw]

    def leverages(self, p: Array) -> Array:
        """X_i H⁻¹ X_iᵀ of each row, of shape (n_samples, n_classes, n_classes)."""
        design, (size, k) = self.design, self.coef.shape
        if size * k > MATRIX:
            raise ValueError(messages.too_many_to_leave_out(k, design.n_features, MATRIX))
        hessian, centre = design.coupled_gram(p, p * self.weight[:, None])
        metric = Joint(hessian, centre, self.problem.alpha, design.fit_intercept, self.problem.sums_eps)
        half = metric.inner.solve_half(np.eye(k * size))
        inverse = (half @ half.T).reshape(k, size, k, size)
        out = np.empty((design.n_samples, k, k))
        for s in cut(design.n_samples, max(1, BLOCK // (size * k))):
            rows = ones_behind(design, s)
            rows[: len(centre)] -= centre[:, None]
            for a in range(k):
                for b in range(a + 1):
                    out[s, a, b] = out[s, b, a] = (rows * (inverse[a, :, b] @ rows)).sum(axis=0)
        return out


def most(parts: Array, rest: float) -> Array:
    """The fewest of some parts without which the others sum to no more than `rest`, by index."""
    order = np.argsort(parts)
    return np.sort(order[np.searchsorted(np.cumsum(parts[order]), rest, side="right") :])
