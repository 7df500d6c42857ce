"""What each row is predicted to be by the model of all other rows, without fitting that.

Two uses: `residuals_left_out`, squared error, exactly from leverages; `left_out`, log losses, by a Newton step from the optimum of all rows,
and where that is doubtful by a descent without the row.

In the notation here a row x has a one for the intercept, w are the weights of the rows, which sum to one, and H is the Hessian of all of
them at their optimum, its factor the metric of `preconditioners.Full`. Without row i, whose curvature along itself is s = w ℓ'' xᵀH⁻¹x, its
leverage, Newton's step changes its prediction by w ℓ' xᵀH⁻¹x / (1 − s) (Sherman and Morrison, 1950).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.linalg
import scipy.special

from .. import messages
from ..descent import Run
from ..designs.threads import cut
from ..forms import Coefficients
from ..objectives.samples import Slopes
from ..plan import Problem
from ..plan.dual import RowSpan
from ..plan.newton import Sample
from ..plan.planning import MATRIX, needs_inner
from ..plan.problem import plane_descent
from ..preconditioners import EPS, Full, Inexact, Joint, Renewed
from ..protocols import Array

__all__ = ["left_out", "residuals_left_out"]

# Numbers of a block of rows, and of the predictions of the descents that go side by side: 32 MB.
BLOCK = 1 << 22


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
# row may leave: fifths of the 1 % that is promised.
UNSEEN, LEFT = 2e-3, 2e-3
# What a Newton step of one in log-odds has left out of it: the change of the Hessian along it, of second order in its length, and what is
# left with the next term. Without it breast cancer's rows had 0.02 to 0.1 of the square, with it 0.002 to 0.02 of the cube.
SECOND, THIRD = 0.1, 0.02
# The part of a Newton step up to which the next term is taken for the last: of heavy tails one of 0.3 was followed by four times as much.
BELIEVED = 0.2
# Iterations of descents in the metric of all rows; and of one in metrics of its own, with its tolerance: where classes are separated, the loss
# of all other rows is next to nothing, and the criterion is relative to it.
SHARED, MOST, ALONE = 8, 100, 1e-8
# A slope that is flat enough, relative to where a search began; by how much a rate grows at the most; and trials.
FLAT, FURTHER, TRIALS = 0.2, 4.0, 12


def left_out(problem: Problem, run: Run) -> Array:
    """The raw prediction of each row by the optimum without it.

    Parameters
    ----------
    problem : Problem
        Of a log loss.
    run : Run
        Ended at the optimum of all rows.

    Returns
    -------
    raw : ndarray of shape (n_samples,) or (n_samples, n_classes)

    References
    ----------
    K. Rahnama Rad and A. Maleki, "A scalable estimate of the out-of-sample prediction error via approximate leave-one-out
    cross-validation", Journal of the Royal Statistical Society B 82, 2020, doi:10.1111/rssb.12374.
    """
    coef, design = run.coef, problem.design
    if design.n_samples < design.n_features:
        # the models without a row are in the span of the rows, too
        outer = replace(problem, start=coef)
        outer.moments = problem.moments
        problem = replace(RowSpan(outer).problem(), form=Coefficients())
        coef = problem.start
    return (Binary if coef.ndim == 1 else Several)(problem, coef).predictions()


class LeftOut:
    """What both kinds of log loss share: the optimum of all rows, and descents without one of them.

    Attributes
    ----------
    coef : ndarray
        At the optimum of all rows, the intercept last.
    weight : ndarray of shape (n_samples,)
    """

    def __init__(self, problem: Problem, coef: Array) -> None:
        self.problem, self.coef = problem, coef
        self.design: Any = problem.design
        n = self.design.n_samples
        self.weight = np.full(n, 1 / n) if problem.weight is None else problem.weight.astype(np.float64)

    def rows(self, which: Any) -> Array:
        """Some rows as columns, their ones last, as gradients are."""
        rows = self.design.block_dense(which).astype(np.float64, copy=False).T
        return np.concatenate([rows, np.ones((1, rows.shape[1]))]) if self.design.fit_intercept else rows

    def alone(self, row: int, coef: Array) -> Any:
        """The prediction of one row at the optimum without it, in metrics of its own Hessians."""
        weight = self.weight.astype(self.design.dtype)
        weight[row] = 0.0
        prepared = replace(self.problem.prepared, weight=weight)
        problem = replace(self.problem, prepared=prepared, start=coef.copy(), tol=ALONE, max_iter=MOST, verbose=0)
        problem.moments = self.problem.moments
        run = problem.run(problem.model, problem.stopping())
        run.metric = Renewed(Sample(problem, problem.moments))
        if needs_inner(problem):
            run.metric = Inexact(run.metric)
        plane_descent(problem, run)
        return self.rows([row])[:, 0] @ run.coef


class Binary(LeftOut):
    """Two classes: one prediction a row.

    Attributes
    ----------
    raw, slope, second : ndarray of shape (n_samples,)
        At the optimum of all rows; the derivatives without weights.
    metric : Full
        H⁻¹.
    leverage : ndarray of shape (n_samples,)
        xᵀH⁻¹x of each row.
    """

    def __init__(self, problem: Problem, coef: Array) -> None:
        super().__init__(problem, coef)
        n = self.design.n_samples
        self.y = problem.y.astype(np.float64, copy=False)
        self.raw = self.design.forward(coef).astype(np.float64)
        self.slope, self.second = self.derivatives(self.raw)
        gram = self.design.gram(self.weight * self.second)
        self.metric = Full(gram.matrix, gram.centre, gram.weight_sum, problem.alpha, EPS)
        self.leverage = np.empty(n)
        for s in cut(n, max(1, BLOCK // self.design.size)):
            self.leverage[s] = np.square(self.metric.half_transposed(self.rows(s))).sum(axis=0)
        self.kept = 1 - self.weight * self.second * self.leverage  # 1 − s

    def derivatives(self, raw: Array) -> tuple[Array, Array]:
        """Slopes and second derivatives of predictions, one column a descent; without values, which nobody asks for."""
        y = self.y if raw.ndim == 1 else self.y[:, None]
        wrong = scipy.special.expit(-y * raw)
        return -y * wrong, wrong * (1 - wrong)

    def predictions(self) -> Array:
        """By Newton's step, corrected to the next order, or by a descent where that is doubtful."""
        move = self.weight * self.slope * self.leverage / self.kept
        raw = self.raw + move
        # what an error of a prediction does to the loss, if the step should be twice as long
        risk = self.weight * np.abs(self.derivatives(raw + move)[0])
        total = float(self.weight @ self.problem.loss.derivatives(self.y, raw, 0)[0])
        far = np.abs(move)
        looked_at = most(risk * np.minimum(SECOND * far**2, far), UNSEEN * total)
        doubt = np.minimum(SECOND * far**2, far)
        doubt[looked_at] = np.minimum(THIRD * far**3, far)[looked_at]
        for rows in self.groups(looked_at):
            correction = self.correction(rows)
            raw[rows] += correction
            doubt[rows] = np.where(np.abs(correction) > BELIEVED * far[rows], far[rows], doubt[rows])
        for rows in self.groups(most(risk * doubt, UNSEEN * total)):
            raw[rows] = self.descended(rows, total)
        return raw

    def groups(self, rows: Array) -> list[Array]:
        """Some rows, as many at a time as have room."""
        return [rows[s] for s in cut(len(rows), max(1, BLOCK // self.design.n_samples))] if len(rows) else []

    def correction(self, rows: Array) -> Array:
        """What the change of the Hessian along Newton's step changes the predictions by, to the next order."""
        predictors = self.design.forward(-self.metric.direction(self.rows(rows))).astype(np.float64)
        step = predictors * (self.weight * self.slope / self.kept)[rows]
        third = self.weight * self.second * (1 - 2 * scipy.special.expit(self.raw))
        cubes = third[:, None] * step**2 * predictors
        cubes[rows, np.arange(len(rows))] = 0.0
        out: Array = -0.5 * cubes.sum(axis=0) / self.kept[rows]
        return out

    def descended(self, rows: Array, total: float) -> Array:
        """The predictions of some rows at the optima without them: descents side by side, by conjugate gradients in the metric H⁻¹.

        A column of what follows is a descent, which has its own row left out.
        """
        p, alpha, out = self.design.n_features, self.problem.alpha, np.empty(len(rows))
        under_way = np.arange(len(rows))
        coef = np.repeat(self.coef[:, None], len(rows), axis=1)
        raw = np.repeat(self.raw[:, None], len(rows), axis=1)
        points = self.rows(rows)
        towards = -self.metric.direction(points)  # H⁻¹x
        share, reach = (self.weight * self.second / self.kept)[rows], (self.leverage / self.kept)[rows]
        gradient = -points * (self.weight * self.slope)[rows]
        direction = last = np.zeros_like(coef)
        before = np.ones(len(rows))
        for _ in range(SHARED):
            scaled = -self.metric.direction(gradient)
            scaled += towards * (share * along(towards, gradient))
            size = along(gradient, scaled)
            # Newton's decrement bounds what is left to come in the row's own prediction
            change = self.weight[rows[under_way]] * np.sqrt(np.maximum(size, 0.0) * reach)
            going = change > LEFT * total / len(rows)
            direction = np.maximum((size - along(last, scaled)) / before, 0.0) * direction - scaled
            if not going.all():
                arrived = ~going
                out[under_way[arrived]] = raw[rows[under_way], np.arange(len(under_way))][arrived]
                under_way, share, reach, size = under_way[going], share[going], reach[going], size[going]
                raw, coef, towards = raw[:, going], coef[:, going], towards[:, going]
                gradient, direction = gradient[:, going], direction[:, going]
            if not len(under_way):
                return out
            penalty = alpha * along(coef[:p], direction[:p]), alpha * along(direction[:p], direction[:p])
            rate, raw, slope = self.searched(rows[under_way], raw, direction, along(gradient, direction), penalty)
            coef = coef + rate * direction
            last, before = gradient, size
            gradient = self.design.sweep(Slopes(slope))[1]
            gradient[:p] += alpha * coef[:p]
        for k, column in zip(under_way, coef.T, strict=True):
            out[k] = self.alone(int(rows[k]), column)
        return out

    def searched(
        self, rows: Array, raw: Array, direction: Array, first: Array, penalty: tuple[Array, Array]
    ) -> tuple[Array, Array, Array]:
        """A learning rate for each column, at which its slope has flattened; the predictions there, and the samples' weighted slopes.

        By Newton's method between bounds. `first` is the slope at the beginning, `penalty` the first two derivatives of the penalty there.
        """
        columns = np.arange(len(rows))
        predictor = self.design.forward(direction).astype(np.float64)
        rate, low, high = np.ones(len(rows)), np.zeros(len(rows)), np.full(len(rows), np.inf)
        for trial in range(TRIALS):
            here = raw + rate * predictor
            slope, second = self.derivatives(here)
            slope *= self.weight[:, None]
            slope[rows, columns] = second[rows, columns] = 0.0
            down = along(slope, predictor) + penalty[0] + rate * penalty[1]
            steep = np.abs(down) > FLAT * np.abs(first)
            if not steep.any() or trial == TRIALS - 1:
                break
            low, high = np.where(down < 0, rate, low), np.where(down >= 0, rate, high)
            curved = along(second * self.weight[:, None] * predictor, predictor) + penalty[1]
            to = rate - down / np.where(curved > 0, curved, np.inf)
            most = np.minimum(high, FURTHER * rate)
            to = np.where((to > low) & (to < most), to, np.where(most < high, most, 0.5 * (low + high)))
            rate = np.where(steep, to, rate)
        return rate, here, slope


def along(a: Array, b: Array) -> Array:
    """The inner product of each column of one matrix with that of another."""
    out: Array = np.einsum("ij,ij->j", a, b)
    return out


class Several(LeftOut):
    """More classes: as many predictions a row, and in place of its leverage a matrix of them, X_i H⁻¹ X_iᵀ."""

    def predictions(self) -> Array:
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
            raw[row] = self.alone(int(row), self.coef)
        return raw

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
            rows = self.rows(s)
            rows[: len(centre)] -= centre[:, None]
            for a in range(k):
                for b in range(a + 1):
                    out[s, a, b] = out[s, b, a] = (rows * (inverse[a, :, b] @ rows)).sum(axis=0)
        return out


def most(parts: Array, rest: float) -> Array:
    """The fewest of some parts without which the others sum to no more than `rest`, by index."""
    order = np.argsort(parts)
    return np.sort(order[np.searchsorted(np.cumsum(parts[order]), rest, side="right") :])
