"""Squared error from second moments: a training part as it sees it, and the fits that follow from that.

Two uses: the optimum for many penalties, a factorisation each; and the iterates of gradient descent with given learning rates, of which
every one is known from the eigenvectors of the training part's Hessian.

With H = V diag(λ) Vᵀ, and g the gradient at the start w₀, iterate k is

    w_k = w₀ − V φ_k(λ) Vᵀ g,    ∇F(w_k) = V ρ_k(λ) Vᵀ g,    ρ_k = 1 − λ φ_k,

where ρ_k is a polynomial that the learning rates alone make: (1 − ηλ)^k for a constant one, and for others, and with the heavy ball,

    ρ_{k+1} = (1 + β − η_k λ) ρ_k − β ρ_{k−1},    ρ_{−1} = ρ_0 = 1.

With Nesterov's momentum the gradient is taken at σ_k = ρ_k + β_k (ρ_k − ρ_{k−1}), and ρ_{k+1} = (1 − η_k λ) σ_k; whether it points uphill
there, so that the sequence of β begins anew, these polynomials and g tell, too.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg

from .. import compiled
from ..descent import Stopping
from ..designs.rows import Curvature
from ..momentum import Nesterov
from ..plan.least_squares import DIGITS_LOST
from ..preconditioners import EPS, Diagonal
from ..progress import RISES
from ..protocols import Array, Momentum
from ..steps import Constant, Schedule
from .moments import Moments

__all__ = ["Descent", "Fit", "Part", "heavy", "optima", "solved"]

(posv,) = scipy.linalg.get_lapack_funcs(("posv",), dtype=np.float64)

# Penalties from which on their factorisations are made at once.
LANES = 4
# A column whose spread is within so many rounding errors of its mean is constant: moments that are put together have a few of them.
NEAR = 100 * EPS
# Iterates that are looked at together: a product of matrices takes no longer than one of a matrix and a few vectors.
BLOCK = 64
# Rounding errors of its sums within which a gradient may end a fit.
ROUNDED = 1e3


class Part:
    """A training part, as squared error sees it.

    Attributes
    ----------
    matrix : ndarray of shape (p, p)
        The columns' covariances.
    cross : ndarray of shape (p, n_targets)
        Theirs with the targets.
    variances, target : ndarray of shape (n_targets,)
        The targets' variances and means.
    centre : ndarray of shape (p,)
        The columns' means.
    n_samples : int
    eps : float
        The precision of X.
    """

    def __init__(self, moments: Moments, p: int, n_samples: int, eps: float) -> None:
        matrix = moments.matrix / moments.weight_sum
        self.matrix, self.cross = matrix[:p, :p], matrix[:p, p:]
        self.variances = matrix.diagonal()[p:]
        self.centre, self.target = moments.centre[:p], moments.centre[p:]
        self.n_samples, self.eps = n_samples, eps
        without = self.matrix.diagonal() <= (NEAR * self.centre) ** 2
        if without.any():  # what is left there are rounding errors
            self.matrix[without] = self.matrix[:, without] = self.cross[without] = 0.0

    def scaled(self, factor: Array, shift: Array) -> Part:
        """The same of columns x ↦ factor·x + shift."""
        out = copy.copy(self)
        out.matrix = factor[:, None] * self.matrix * factor
        out.cross = factor[:, None] * self.cross
        out.centre = factor * self.centre + shift
        return out

    def about(self, fit_intercept: bool) -> tuple[Array, Array, Array]:
        """Second moments of the columns, theirs with the targets, and the targets', about the mean or about zero."""
        if fit_intercept:
            return self.matrix, self.cross, self.variances
        return (
            self.matrix + np.multiply.outer(self.centre, self.centre),
            self.cross + np.multiply.outer(self.centre, self.target),
            self.variances + self.target**2,
        )


def optima(part: Part, alphas: Sequence[float], fit_intercept: bool) -> list[Array | None]:
    """The optimum for each penalty, by Cholesky's factorisation.

    Parameters
    ----------
    part : Part
    alphas : sequence of float
    fit_intercept : bool

    Returns
    -------
    list of ndarray of shape (p + 1, n_targets) or None
        Coefficients, the intercept last (0 without one); None where the second moments have lost too many digits.
    """
    matrix, cross, _ = part.about(fit_intercept)
    slopes, lost = solved(matrix, alphas, cross)
    coefs = np.zeros((len(alphas), len(matrix) + 1, cross.shape[1]))
    coefs[:, :-1] = slopes
    if fit_intercept:
        coefs[:, -1] = part.target - part.centre @ slopes
    return [None if without else coef for coef, without in zip(coefs, lost, strict=True)]


def solved(matrix: Array, alphas: Sequence[float], right: Array) -> tuple[Array, Array]:
    """(matrix + alpha)⁻¹ right for each penalty, by Cholesky's factorisation; and for which of them it has lost too many digits.

    Several penalties of a small matrix are the lanes of one compiled factorisation.
    """
    added = np.array(alphas, dtype=np.float64)
    p, count = len(matrix), len(added)
    if compiled.kernels is not None and p <= compiled.LANES_ORDER and count >= LANES:
        solutions, least = np.empty((count, *right.shape)), np.empty(count)
        arrays = np.ascontiguousarray(matrix), np.ascontiguousarray(right), added, solutions, least
        compiled.kernels.shifted(8, p, count, right.shape[1], *arrays)
        return solutions, ~(least * DIGITS_LOST >= EPS)
    entries = matrix.diagonal() + added[:, None]
    entries[entries == 0.0] = 1.0  # a column of zeros, or a row without weight
    solutions, pivots, failed = np.empty((count, *right.shape)), np.empty_like(entries), np.empty(count)
    shifted = np.empty_like(matrix, order="C")
    for k, diagonal in enumerate(entries):
        shifted[...] = matrix
        shifted.flat[:: p + 1] = diagonal
        # symmetric, so its transpose is it in LAPACK's order
        factor, solutions[k], failed[k] = posv(shifted.T, right, lower=1, overwrite_a=1)
        pivots[k] = factor.diagonal()
    # What a column varies by beside those before it, of what it varies by, bounds the condition number from below, whatever the units; as
    # a rule it is about that.
    least = (pivots**2 / entries).min(axis=1, initial=1.0)
    return solutions, (failed != 0) | ~(least * DIGITS_LOST >= EPS)


class Fit(NamedTuple):
    """Where a fit ends.

    Attributes
    ----------
    coef : ndarray of shape (p + 1, n_targets)
        The intercept last.
    n_iter : int
    reason : str
        As the estimators have it.
    """

    coef: Array
    n_iter: int
    reason: str


def heavy(momentum: Momentum) -> float:
    """The heavy ball's number, 0 of all others."""
    return float(getattr(momentum, "momentum", 0.0))


class Descent:
    """Gradient descent on a training part: all its iterates, for any learning rates.

    Parameters
    ----------
    part : Part
    alpha : float
    fit_intercept : bool
    start : ndarray of shape (p + fit_intercept, n_targets)
    """

    def __init__(self, part: Part, alpha: float, fit_intercept: bool, start: Array) -> None:
        matrix, cross, squares = part.about(fit_intercept)
        p = len(matrix)
        self.start, self.has_intercept = start, fit_intercept
        hessian = np.zeros((len(start), len(start)))
        linear = np.empty(start.shape)
        linear[:p], linear[p:] = cross, part.target
        if fit_intercept:
            self.moments = Curvature(matrix.diagonal().copy(), part.centre, 1.0)
            hessian[:p, :p] = matrix + np.multiply.outer(part.centre, part.centre)
            linear[:p] += np.multiply.outer(part.centre, part.target)
            hessian[p, :p] = hessian[:p, p] = part.centre
            hessian[p, p] = 1.0
        else:
            self.moments = Curvature(matrix.diagonal().copy(), np.zeros(p), 0.0)
            hessian[:] = matrix
        hessian.flat[: p * (len(start) + 1) : len(start) + 1] += alpha
        self.values, self.vectors = np.linalg.eigh(hessian)
        product = hessian @ start
        self.gradient = self.vectors.T @ (product - linear)
        energy = part.variances + part.target**2
        self.loss = 0.5 * float(energy.sum() + np.vdot(start, product - 2 * linear))
        self._criterion(part, alpha, np.sqrt(squares))

    def _criterion(self, part: Part, alpha: float, scale: Array) -> None:
        """What `Stopping` is made of, in the coordinates of the eigenvectors."""
        metric = Diagonal(self.moments, 1.0, alpha)
        self.stopping = Stopping(metric, scale, 0.0, self.floor, part.eps)
        self.half = metric.half_transposed(self.vectors)
        self.scaled = self.gradient / scale
        # Where λ is a rounding error, so is the part of the gradient there, and φ is what it is at λ = 0.
        self.flat = self.values <= EPS * max(self.values[-1], 0.0)
        self.inverse = 1.0 / np.where(self.flat, np.inf, self.values)
        self.share = 0.5 * self.inverse * np.einsum("ij,ij->i", self.gradient, self.gradient)
        offset = metric.centre * metric.root
        self.amplified = math.sqrt(1.0 + float(offset @ offset) / max(len(offset), 1))
        self.rms = np.sqrt(self.moments.matrix + self.moments.centre**2)
        self.rough = math.sqrt((len(part.centre) + 1) / part.n_samples)
        self.eps = part.eps
        # ‖T⁻¹‖ at the most, where T is the criterion's metric: no gradient is shorter there than over it
        spread = float(np.sqrt(self.moments.matrix + alpha).max(initial=1.0))
        singular = bool((metric.root == 0).any())
        self.shortest = 0.0 if singular else 1.0 / (spread + math.sqrt(1.0 + float(metric.centre @ metric.centre)))

    def floor(self, coef: Array) -> float:
        """The norm of a gradient's rounding errors: as `Problem.floor` has it."""
        p, scale = len(self.rms), self.stopping.scale
        w, b = (self.rms * coef[:p].T).T / scale, coef[p:] / scale
        size = EPS * (self.amplified + math.sqrt(np.vdot(w, w)) + math.sqrt(np.vdot(b, b)))
        if self.eps > EPS:
            middle = (coef[p:].sum(axis=0) + self.moments.centre @ coef[:p]) / scale
            size += self.eps * (1 + (math.sqrt(np.vdot(middle, middle)) if self.has_intercept else 0.0))
        return self.rough * size

    @property
    def limit(self) -> float:
        """2/L: constant learning rates beyond it diverge."""
        return 2.0 / float(self.values[-1])

    # -- iterates ---------------------------------------------------------------------------------------------------

    def coef(self, rho: Array, reach: float) -> Array:
        """The iterate of a polynomial, from its values and its reach, φ at λ = 0."""
        phi = np.where(self.flat, reach, (1.0 - rho) * self.inverse)
        return self.start - self.vectors @ (phi[:, None] * self.gradient)

    def norms(self, rho: Array) -> tuple[Array, Array]:
        """Losses, and gradients' norms as `tol` measures them, of several polynomials, a column each."""
        values = self.loss - self.share.sum() + self.share @ (rho * rho)
        squares = np.zeros(rho.shape[1])
        for gradient in self.scaled.T:
            half = self.half @ (gradient[:, None] * rho)
            squares += np.einsum("ij,ij->j", half, half)
        return values, np.sqrt(squares / np.maximum(values / self.stopping.null_loss, self.stopping.exact))

    def blocks(self, rule: Schedule, momentum: Momentum, first: int, last: int) -> Iterator[tuple[int, Array, Array]]:
        """The iterates from the first to the last: their first number, their polynomials, a column each, and the reaches of these."""
        if type(momentum) is Nesterov:
            yield from self.ahead(rule, last)
            return
        beta = heavy(momentum)
        if type(rule) is Constant and not beta:
            factor = 1.0 - rule.rate(0) * self.values
            powers = np.empty((BLOCK, len(factor)))
            powers[0], powers[1:] = 1.0, factor
            np.multiply.accumulate(powers, axis=0, out=powers)
            for k in range(first, last + 1, BLOCK):
                count = min(BLOCK, last + 1 - k)
                rho = np.power(factor, k)[:, None] * powers[:count].T
                yield k, rho, rule.rate(0) * np.arange(k, k + count)
            return
        before = now = np.ones(len(self.values))
        reached = earlier = 0.0
        for k in range(first, last + 1, BLOCK):
            rows, reaches = [], []
            for i in range(k, min(k + BLOCK, last + 1)):
                rows.append(now)
                reaches.append(reached)
                rate = rule.rate(i)
                before, now = now, (1.0 + beta - rate * self.values) * now - beta * before
                earlier, reached = reached, reached + rate + beta * (reached - earlier)
            yield k, np.array(rows).T, np.array(reaches)

    def ahead(self, rule: Schedule, last: int) -> Iterator[tuple[int, Array, Array]]:
        """The same with Nesterov's momentum, of the places where gradients are taken, from the start on."""
        weight = np.einsum("ij,ij->i", self.gradient, self.gradient)
        before = now = place = np.ones(len(self.values))
        earlier = reached = reach = 0.0
        t = 1.0
        for k in range(0, last + 1, BLOCK):
            rows, reaches = [], []
            for i in range(k, min(k + BLOCK, last + 1)):
                if i:
                    # φ of the last step, which is its opposite in the eigenvectors, over g
                    step = np.where(self.flat, reached - earlier, (before - now) * self.inverse)
                    following = (1 + math.sqrt(1 + 4 * t * t)) / 2
                    uphill = -float((weight * place) @ step) > 0
                    beta, t = (0.0, 1.0) if uphill else ((t - 1) / following, following)
                    place, reach = now + beta * (now - before), reached + beta * (reached - earlier)
                rows.append(place)
                reaches.append(reach)
                rate = rule.rate(i)
                before, now = now, (1.0 - rate * self.values) * place
                earlier, reached = reached, reach + rate
            yield k, np.array(rows).T, np.array(reaches)

    def surely_until(self, rule: Schedule, momentum: Momentum, max_iter: int, tol: float) -> int:
        """An iterate before which the criterion cannot be met: the gradient's norm has a lower bound that falls steadily."""
        factor = 1.0 - rule.rate(0) * self.values
        accelerated = type(momentum) is Nesterov or heavy(momentum) > 0
        if type(rule) is not Constant or accelerated or np.abs(factor).max() > 1.0:
            return 0
        weight = np.einsum("ij,ij->i", self.scaled, self.scaled)
        largest = max(self.loss / self.stopping.null_loss, self.stopping.exact)

        def met(k: int) -> bool:
            return self.shortest * math.sqrt(float(weight @ np.power(factor, 2 * k)) / largest) <= tol

        low, high = 0, max_iter
        if not met(high):
            return high
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if met(middle) else (middle + 1, high)
        return low

    # -- a fit ------------------------------------------------------------------------------------------------------

    def fit(self, rule: Schedule, momentum: Momentum, max_iter: int, tol: float) -> Fit:
        """Where the estimator ends with these learning rates.

        Parameters
        ----------
        rule : Schedule
        momentum : Momentum
            None, heavy ball's or Nesterov's.
        max_iter, tol : as the estimator has them
        """
        watch = Watch(self.loss)
        first = self.surely_until(rule, momentum, max_iter, tol)
        for k, rho, reach in self.blocks(rule, momentum, first, max_iter):
            values, norms = self.norms(rho)
            ends = norms <= self.least_norm(rho, reach, values, norms, tol)
            diverged = watch.diverged(values) | ~np.isfinite(norms)
            over = np.flatnonzero(ends | diverged)
            end = int(over[0]) if len(over) else len(norms) - 1
            watch.note(values[: end + 1], rho, reach)
            if len(over) and diverged[end]:
                return Fit(self.ended(watch.rho, watch.reach), k + end, "diverged")
            if len(over):
                reason = "gradient" if norms[end] <= tol else "precision"
                return Fit(self.ended(rho[:, end], reach[end]), k + end, reason)
        return Fit(self.ended(rho[:, -1], reach[-1]), max_iter, "max_iter")

    def history(self, rule: Schedule, momentum: Momentum, n_iter: int) -> list[Array]:
        """What a fit notes of its iterates: the columns of ``history_``, of one read of X."""
        found: list[tuple[Array, Array]] = []
        rates = np.array([0.0, *(rule.rate(k) for k in range(n_iter))])
        ahead, last = type(momentum) is Nesterov, np.zeros((len(self.values), 1))
        lengths = [np.zeros(1)] if ahead else []
        for k, rho, reach in self.blocks(rule, momentum, 0, n_iter):
            found.append(self.norms(rho))
            phi = np.where(self.flat[:, None], reach, (1.0 - rho) * self.inverse[:, None])
            if ahead:  # where the steps from there end, which is not where the next gradient is taken
                taken = rates[k + 1 : k + 1 + phi.shape[1]]
                phi = phi[:, : len(taken)] + rho[:, : len(taken)] * taken
            moves = np.diff(np.column_stack([last, phi]), axis=1)
            lengths.append(np.sqrt(np.einsum("ij,ij->i", self.gradient, self.gradient) @ (moves * moves)))
            last = np.column_stack([last, phi])[:, -1:]
        values, norms = (np.concatenate(columns) for columns in zip(*found, strict=True))
        momenta = np.where(np.arange(n_iter + 1) > 0, heavy(momentum), 0.0)
        known = np.isfinite(values) & np.isfinite(norms)
        columns = [values, norms, rates, momenta, np.concatenate(lengths), np.ones(n_iter + 1)]
        return [column[known] for column in columns]

    def least_norm(self, rho: Array, reach: Array, values: Array, norms: Array, tol: float) -> Any:
        """The norms that end a fit: the tolerance, or the rounding errors of a gradient where these are larger."""
        if not float(norms.min()) < ROUNDED * self.eps * self.amplified:
            return tol
        floor = self.floor(self.coef(rho[:, -1], reach[-1]))
        part = np.sqrt(np.maximum(values / self.stopping.null_loss, self.stopping.exact))
        return np.maximum(tol, np.where(norms < 0.01, floor / part, 0.0))

    def ended(self, rho: Array, reach: float) -> Array:
        """An iterate, with an intercept in any case."""
        coef = self.coef(rho, reach)
        return coef if self.has_intercept else np.concatenate([coef, np.zeros((1, coef.shape[1]))])


class Watch:
    """What a run remembers of its losses: how often they have risen in a row, and the least.

    Parameters
    ----------
    start : float
        The loss at the start.

    Attributes
    ----------
    rho, reach : ndarray, float
        The polynomial of the iterate with the least loss, and its reach.
    """

    def __init__(self, start: float) -> None:
        self.start, self.last, self.least = start, math.inf, math.inf
        self.rises = 0
        self.rho: Any = None
        self.reach = 0.0

    def diverged(self, values: Array) -> Array:
        """Which of the next iterates have diverged, as `Run.observe` sees it."""
        rises = values > np.concatenate([[self.last], values[:-1]])
        order = np.arange(len(values))
        self.in_a_row = order - np.maximum.accumulate(np.where(rises, -1 - self.rises, order))
        grown = (self.in_a_row >= RISES) & (values > 10 * abs(self.start))
        return np.asarray(grown | ~np.isfinite(values))

    def note(self, values: Array, rho: Array, reach: Array) -> None:
        """Remember iterates that were come to."""
        finite = np.where(np.isfinite(values), values, np.inf)
        best = int(finite.argmin())
        if finite[best] < self.least:
            self.least, self.rho, self.reach = float(finite[best]), rho[:, best], float(reach[best])
        self.last, self.rises = float(values[-1]), int(self.in_a_row[len(values) - 1])
