"""The metric in which descent is steepest: from a gradient to a direction, the optimum untouched.

Two uses: `Diagonal`, which makes raw columns as good as standardised ones, also the unit of the stopping rule; `Full`,
with which one step on squared error is the normal equation.

All of them eliminate the intercept exactly. With c the weighted mean of the rows, the step in the intercept at the
centre, b + c·w, is independent of the step in w, so a direction is

    d_w = −A⁻¹(g_w − c g_b),    d_b = −g_b/weight_sum − c·d_w

where A, c and weight_sum are the second moments that a design computes (`designs.rows.Curvature`), plus the penalty.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg
from scipy.sparse.linalg import LinearOperator, eigsh

from .protocols import Array, MetricSource, Moments, Preconditioner

if TYPE_CHECKING:
    from .descent import Run

# LAPACK itself rather than SciPy's functions: those check and copy for longer than a small factorisation takes.
potrf, potrs, pocon, trtrs = scipy.linalg.get_lapack_funcs(("potrf", "potrs", "pocon", "trtrs"), dtype=np.float64)
spotrf, spotrs, strtrs = scipy.linalg.get_lapack_funcs(("potrf", "potrs", "trtrs"), dtype=np.float32)

__all__ = [
    "PRECONDITIONERS",
    "Composed",
    "Diagonal",
    "Full",
    "Identity",
    "Inexact",
    "Joint",
    "Nystrom",
    "PerOutput",
    "Renewed",
    "Rounded",
    "ZeroSum",
    "largest_eigenvalue",
    "spread",
]


EPS = float(np.finfo(np.float64).eps)
# Rounding errors of its centre that a column's spread must exceed to count as varying: numbers that differ by how they were rounded have one
# at the most. Second moments are about a mean of some rows, so that those of a constant column are much smaller.
CONSTANT = 1


class Identity:
    """Plain gradient descent: the direction is −∇F."""

    name: str | None = None
    newton = False  # whether a step of length 1 is about the best

    def adapt(self, run: Run) -> None:
        """Renew the metric where that pays; a fixed one never does."""

    def prepare(self, run: Run) -> None:
        """Be the metric of where a run is now; a fixed one always is."""

    def direction(self, gradient: Array) -> Array:
        return -self.half(self.half_transposed(gradient))

    def half(self, u: Array) -> Array:
        """T u, where the metric's inverse is P = T Tᵀ."""
        return u

    def half_transposed(self, gradient: Array) -> Array:
        return gradient


class Centred(Identity):
    """The change of variables to centred columns; subclasses solve with the centred matrix.

    Parameters
    ----------
    centre : ndarray of shape (p,)
    weight_sum : float
        0 without an intercept.
    """

    def __init__(self, centre: Array, weight_sum: float) -> None:
        self.centre = centre
        self.has_intercept = bool(weight_sum > 0)
        self.root_weight_sum = math.sqrt(weight_sum)

    def solve_half(self, u: Array, /) -> Array:
        """T u for the features alone, about the centre."""
        raise NotImplementedError

    def solve_half_transposed(self, gradient: Array, /) -> Array:
        """Tᵀ gradient for the features alone, about the centre."""
        raise NotImplementedError

    def half(self, u: Array) -> Array:
        if not self.has_intercept:
            return self.solve_half(u)
        w = self.solve_half(u[:-1])
        out = np.empty_like(u)
        out[:-1] = w
        out[-1] = u[-1] / self.root_weight_sum - self.centre @ w
        return out

    def half_transposed(self, gradient: Array) -> Array:
        if not self.has_intercept:
            return self.solve_half_transposed(gradient)
        b = gradient[-1]
        out = np.empty_like(gradient)
        shifted = self.centre * b if gradient.ndim == 1 else np.multiply.outer(self.centre, b)
        out[:-1] = self.solve_half_transposed(gradient[:-1] - shifted)
        out[-1] = b / self.root_weight_sum
        return out


def constant(variance: Array, centre: Array, weight_sum: float) -> Array:
    """Which columns are constant up to rounding: a coefficient there is the intercept's business, and has no direction of its own.

    Parameters
    ----------
    variance : ndarray of shape (p,)
        The curvature of the loss along each column, the penalty's left out.
    centre : ndarray of shape (p,)
    weight_sum : float
        The curvature of the loss in the intercept; 0 without, where no column is.
    """
    noise = centre * centre * (weight_sum * (CONSTANT * EPS) ** 2)
    return (noise > 0) & (variance <= noise)


def spread(moments: Moments) -> Array:
    """The root of each column's variance, 0 where it is that of rounding errors."""
    return np.where(constant(moments.matrix, moments.centre, moments.weight_sum), 0.0, np.sqrt(moments.matrix))


def root_of(diagonal: Array, without: Any = False) -> Array:
    """The inverse roots of the entries, 0 of those that are not positive, or to be left out."""
    return 1 / np.sqrt(np.where((diagonal > 0) & ~np.asarray(without), diagonal, np.inf))


class Diagonal(Centred):
    """Columns as if standardised, centring included and implicit.

    Parameters
    ----------
    curvature : Curvature
        Its matrix the diagonal, of shape (p,).
    factor : float
        The loss's bound of the second derivative.
    alpha : float
        The penalty's curvature.
    """

    name = "diagonal"

    def __init__(self, curvature: Moments, factor: float, alpha: float) -> None:
        super().__init__(curvature.centre, factor * curvature.weight_sum)
        without = constant(curvature.matrix, curvature.centre, curvature.weight_sum)
        self.root = root_of(factor * curvature.matrix + alpha, without)

    def solve_half(self, u: Array) -> Array:
        return (self.root * u.T).T

    solve_half_transposed = solve_half

    # Of many columns and outputs these are the larger part of an iteration: no arrays but the results are made.

    def direction(self, gradient: Array) -> Array:
        out = np.empty_like(gradient)
        w = self._centred(gradient, out)
        w *= -self._factor(gradient)
        if self.has_intercept:
            out[-1] = -gradient[-1] / self.root_weight_sum**2 - self.centre @ w
        return out

    def half_transposed(self, gradient: Array) -> Array:
        out = np.empty_like(gradient)
        self._centred(gradient, out)
        if self.has_intercept:
            out[-1] = gradient[-1] / self.root_weight_sum
        return out

    def _factor(self, like: Array) -> Array:
        return self.root if like.ndim == 1 else self.root[:, None]

    def _centred(self, gradient: Array, out: Array) -> Array:
        """Fill the rows of the features: the gradient about the centre, in units of the metric."""
        w = out[: len(self.centre)]
        if self.has_intercept:
            np.multiply(self.centre if gradient.ndim == 1 else self.centre[:, None], -gradient[-1], out=w)
            w += gradient[:-1]
            w *= self._factor(gradient)
        else:
            np.multiply(gradient, self._factor(gradient), out=w)
        return w


class Full(Centred):
    """The inverse of a whole p × p matrix, by Cholesky's factorisation of its correlation form.

    Scaled to a unit diagonal first, so that units do not matter to the rounding errors; where columns depend on each
    other, by eigenvectors, without the directions in which nothing varies.

    Parameters
    ----------
    matrix : ndarray of shape (p, p)
        The curvature of the loss about the centre; overwritten.
    centre : ndarray of shape (p,)
    weight_sum : float
        The curvature of the loss in the intercept at the centre; 0 without an intercept.
    alpha : float
        The penalty's curvature.
    eps : float
        The precision of the arithmetic in which the matrix was computed.
    without : ndarray of bool of shape (p,) or None
        Columns that are constant; None for those that the diagonal and the centre tell.

    Attributes
    ----------
    rank : int
    reciprocal_condition : float
        Of the scaled matrix.

    References
    ----------
    D. Böhning and B. Lindsay, "Monotonicity of quadratic-approximation algorithms", Annals of the Institute of
    Statistical Mathematics 40, 1988, doi:10.1007/BF00049423 (the bound of the logistic Hessian).
    """

    name = "full"

    def __init__(
        self,
        matrix: Array,
        centre: Array,
        weight_sum: float,
        alpha: float,
        eps: float,
        without: Any = None,
    ) -> None:
        super().__init__(centre, weight_sum)
        p = matrix.shape[0]
        without = constant(matrix.diagonal(), centre, weight_sum) if without is None else without
        if alpha:
            matrix.flat[:: p + 1] += alpha
        self.root = root_of(matrix.diagonal(), without)
        matrix *= self.root
        matrix *= self.root[:, None]
        matrix.flat[:: p + 1] = 1.0  # exactly, and for constant columns, which are left where they are
        self.rank = p
        self.null: Array | None = None
        self.vectors: Array | None = None
        # in the matrix's own memory, whose other triangle it leaves as it was
        columns = matrix if matrix.flags.f_contiguous else matrix.T
        self.factor, failed = potrf(columns, lower=1, overwrite_a=1, clean=0)
        if failed:
            self.reciprocal_condition = 0.0
        else:
            # the squared pivots: small where columns depend on each other
            pivots = self.factor.diagonal().tolist()
            self.reciprocal_condition = min(pivots, default=1.0) ** 2
            # The mean of the eigenvalues is 1. So the least is the determinant over the product of the others at the least, which is
            # at most (p/(p − 1))^(p−1) < e, and the largest is at most p.
            self._at_least = math.prod(pivots) ** 2 / (math.e * max(p, 1))
        # Pivots that small may hide a dependence: the eigenvectors tell.
        if self.reciprocal_condition < max(16 * p * eps, 1e-10):
            columns.flat[:: p + 1] = 1.0
            values, vectors = scipy.linalg.eigh(columns, lower=False, check_finite=False)
            keep = values > 16 * p * eps * values[-1]
            self.rank = int(keep.sum())
            self.vectors = vectors[:, keep] / np.sqrt(values[keep])
            if self.rank < p:
                self.null = self.root[:, None] * vectors[:, ~keep]
            self.reciprocal_condition = float(values[keep][0] / values[-1])

    def condition_above(self, least: float) -> bool:
        """Whether the reciprocal of the condition number is: by a bound, or by LAPACK's estimator, which takes p² operations."""
        if self.vectors is not None or not self.reciprocal_condition:
            return self.reciprocal_condition > least
        if self._at_least > least:
            return True
        # the matrix has a unit diagonal: its norm is between 1 and p, and p the cautious one
        return float(pocon(self.factor, float(len(self.factor)), uplo="L")[0]) > least

    def direction(self, gradient: Array) -> Array:
        if self.vectors is not None:
            return super().direction(gradient)
        # both halves at once
        if not self.has_intercept:
            return self._solve(-gradient)
        b = gradient[-1]
        shifted = self.centre * b if gradient.ndim == 1 else np.multiply.outer(self.centre, b)
        w = self._solve(shifted - gradient[:-1])
        out = np.empty_like(gradient)
        out[:-1] = w
        out[-1] = -b / self.root_weight_sum**2 - self.centre @ w
        return out

    def _solve(self, right: Array) -> Array:
        if not len(right):
            return right
        return (self.root * potrs(self.factor, (self.root * right.T).T, lower=1)[0].T).T

    def solve_half(self, u: Array) -> Array:
        cholesky = self.vectors is None
        inner = trtrs(self.factor, u, lower=1, trans=1)[0] if cholesky else self.vectors @ u[: self.rank]
        return (self.root * inner.T).T

    def solve_half_transposed(self, gradient: Array) -> Array:
        scaled = (self.root * gradient.T).T
        if self.vectors is None:
            return trtrs(self.factor, scaled, lower=1)[0] if len(scaled) else scaled
        out = np.zeros_like(scaled)
        out[: self.rank] = self.vectors.T @ scaled
        return out


class Composed(Centred):
    """The inverse of a matrix that is known in another basis of the features, in which it is better conditioned.

    Parameters
    ----------
    basis : ndarray of shape (p, p)
        T: the features' coefficients are T times those in the basis.
    matrix : ndarray of shape (p, p)
        Tᵀ (curvature about the centre, penalty included) T; overwritten.
    centre : ndarray of shape (p,)
    weight_sum : float
    """

    name = "full"

    def __init__(self, basis: Array, matrix: Array, centre: Array, weight_sum: float) -> None:
        super().__init__(centre, weight_sum)
        self.basis = basis
        self.inner = Full(matrix, np.zeros(len(matrix)), 0.0, 0.0, EPS)

    @property
    def null(self) -> Array | None:
        """Directions in which nothing varies."""
        return None if self.inner.null is None else self.basis @ self.inner.null

    def solve_half(self, u: Array) -> Array:
        return self.basis @ self.inner.solve_half(u)

    def solve_half_transposed(self, gradient: Array) -> Array:
        return self.inner.solve_half_transposed(self.basis.T @ gradient)


class Rounded(Full):
    """The inverse of a whole p × p matrix of low precision, by Cholesky's factorisation in float32.

    For gradients in double precision it is a metric as good as the exact one, as long as the smallest eigenvalues are
    larger than the rounding errors.

    Parameters
    ----------
    curvature : Curvature
        As `low_gram` returns it, its matrix in `unit`; overwritten.
    unit : ndarray of shape (p,)
        The columns' spread; 0 where they are constant.
    alpha : float
        The penalty's curvature.

    Attributes
    ----------
    resolves : bool
        Whether no direction in which little varies got its curvature from rounding.

    Raises
    ------
    scipy.linalg.LinAlgError
        If the matrix is not positive definite in float32.

    References
    ----------
    N. Higham and S. Pranesh, "Exploiting lower precision arithmetic in solving symmetric positive definite linear systems
    and least squares problems", SIAM Journal on Scientific Computing 43, 2021, doi:10.1137/19M1298263.
    """

    # What float32's rounding takes from the smallest eigenvalues, relative to the diagonal: p entries off by independent
    # errors are a matrix of norm 2√p of one. Added, so that the factorisation does not fail on it.
    LOST = 2 * float(np.finfo(np.float32).eps)
    # A pivot, relative to the diagonal, that may be the work of rounding: 1/25 of it is, see `designs.products`.
    SMALL = 1e-4
    # What the penalty must have of such a pivot. Where rounding had a hundred times as much, on 100 columns of which five were
    # combinations of others, a logistic descent took ten iterations for five; with up to twenty times as much, on dummy
    # variables, it took as many as in double precision.
    PENALTY_SHARE = 0.02

    def __init__(self, curvature: Moments, unit: Array, alpha: float) -> None:
        Centred.__init__(self, curvature.centre, curvature.weight_sum)
        matrix = curvature.matrix
        p = len(matrix)
        usable: Array = (unit > 0) | bool(alpha and not self.has_intercept)
        unit = np.where(unit > 0, unit, 1.0)
        entries = np.einsum("ii->i", matrix)
        diagonal = entries * (1 + self.LOST * math.sqrt(p)) + alpha / unit**2
        entries[...] = np.where(usable & (diagonal > 0), diagonal, 1.0)
        self.root = np.where(usable, 1 / unit, 0.0)
        self.rank, self.null, self.vectors = p, None, None
        self.factor, failed = spotrf(matrix, lower=1, overwrite_a=1, clean=0)
        pivots = np.square(self.factor.diagonal(), dtype=np.float64)
        if failed or not np.isfinite(pivots.sum()):
            raise scipy.linalg.LinAlgError("not positive definite in float32")
        # whether no pivot that may be the work of rounding decides
        small = usable & (pivots < self.SMALL * diagonal)
        self.resolves = not small.any() or bool((alpha / unit**2 >= self.PENALTY_SHARE * pivots)[small].all())

    def _solve(self, right: Array) -> Array:
        right = (self.root * right.T).T
        size = np.abs(right).max(initial=0.0) or 1.0
        inner = spotrs(self.factor, (right / size).astype(np.float32), lower=1)[0]
        return (size * self.root * inner.T.astype(np.float64)).T

    def solve_half(self, u: Array) -> Array:
        inner = strtrs(self.factor, u.astype(np.float32), lower=1, trans=1)[0]
        return (self.root * inner.T.astype(np.float64)).T

    def solve_half_transposed(self, gradient: Array) -> Array:
        scaled = (self.root * gradient.T).T.astype(np.float32)
        return strtrs(self.factor, scaled, lower=1)[0].astype(np.float64)


class Nystrom(Identity):
    """A low-rank sketch of the matrix about another metric: for both sides large.

    The leading eigenvectors of the curvature, in coordinates in which the other metric is the identity, from its product
    with a few random vectors: one read of X for all of them. The rank is doubled until the sketch reaches down to what is
    left of the curvature.

    Parameters
    ----------
    metric : preconditioner
        The diagonal one.
    product : callable (coef) -> ndarray
        The curvature, of coefficients of shape (size, n_vectors).
    size : int
        Of a coefficient vector.
    most : int
        The largest rank.

    Attributes
    ----------
    rank : int

    References
    ----------
    Z. Frangella, J. Tropp and M. Udell, "Randomized Nyström preconditioning", SIAM Journal on Matrix Analysis and
    Applications 44, 2023, doi:10.1137/21M1466244.
    """

    name = "nystrom"
    newton = False
    # A sketch whose last eigenvalue is this part of the first has caught what a condition number is made of; twice the
    # rank would save fewer iterations than it costs passes.
    CAUGHT = 1e-3

    def __init__(self, metric: Preconditioner, product: Callable[[Array], Array], size: int, most: int = 256) -> None:
        self.metric = metric
        random = np.random.default_rng(0)
        most = min(most, size)
        test, predictor = np.zeros((size, 0)), np.zeros((size, 0))
        rank = min(16, most)
        while True:
            # only the new vectors are multiplied
            fresh = random.standard_normal((size, rank - test.shape[1]))
            fresh -= test @ (test.T @ fresh)
            fresh = np.linalg.qr(fresh)[0]
            test = np.concatenate([test, fresh], axis=1)
            predictor = np.concatenate([predictor, metric.half_transposed(product(metric.half(fresh)))], axis=1)
            values, vectors = sketch(test, predictor)
            if rank == most or len(values) < rank or values[-1] <= self.CAUGHT * values[0]:
                break
            rank = min(2 * rank, most)
        self.rank = len(values)
        self.vectors = vectors
        self.shrink = np.sqrt(values[-1:] / values) - 1

    def _bend(self, u: Array) -> Array:
        # the root of the sketch's inverse, up to a factor: 1 beyond the sketch, less along it
        return u + self.vectors @ (self.shrink * (self.vectors.T @ u).T).T

    def half(self, u: Array) -> Array:
        return self.metric.half(self._bend(u))

    def half_transposed(self, gradient: Array) -> Array:
        return self._bend(self.metric.half_transposed(gradient))


def sketch(test: Array, predictor: Array) -> tuple[Array, Array]:
    """Eigenvalues, falling, and eigenvectors of the Nyström approximation predictor (testᵀ predictor)⁺ predictorᵀ."""
    forms = test.T @ predictor
    values, vectors = np.linalg.eigh((forms + forms.T) / 2)
    # Directions in which the curvature is the rounding errors of its product, which make it asymmetric, too.
    noise = max(EPS * max(values[-1], np.finfo(np.float64).tiny), float(np.abs(forms - forms.T).max()))
    keep = values > 10 * len(values) * noise
    half = predictor @ (vectors[:, keep] / np.sqrt(values[keep]))
    vectors, roots, _ = np.linalg.svd(half, full_matrices=False)
    return roots**2, vectors


class PerOutput(Identity):
    """One metric an output: the blocks on the diagonal of a coupled Hessian."""

    name = "full"

    def __init__(self, metrics: Sequence[Preconditioner]) -> None:
        self.metrics = metrics

    def direction(self, gradient: Array) -> Array:
        return np.stack([m.direction(column) for m, column in zip(self.metrics, gradient.T, strict=True)], axis=1)

    def half(self, u: Array) -> Array:
        return np.stack([metric.half(column) for metric, column in zip(self.metrics, u.T, strict=True)], axis=1)

    def half_transposed(self, gradient: Array) -> Array:
        columns = zip(self.metrics, gradient.T, strict=True)
        return np.stack([metric.half_transposed(column) for metric, column in columns], axis=1)


class Joint(Identity):
    """The inverse of a whole Hessian over coupled outputs.

    The sum over the classes of a multinomial model's coefficients is left undetermined by the loss; the matrix gets
    a curvature of its own there, which changes nothing for gradients that have no part in it.

    Parameters
    ----------
    hessian : ndarray of shape (n_outputs, size, n_outputs, size)
        Without the penalty.
    centre : ndarray of shape (n_features,)
    alpha : float
    has_intercept : bool
    eps : float
    """

    name = "full"

    def __init__(self, hessian: Array, centre: Array, alpha: float, has_intercept: bool, eps: float) -> None:
        k, size = hessian.shape[:2]
        self.shape, self.centre, self.has_intercept = (k, size), centre, has_intercept
        diagonal = np.einsum("aibi->abi", hessian)
        common = diagonal[np.arange(k), np.arange(k)].mean(axis=0)
        diagonal += common / k
        matrix = hessian.reshape(k * size, k * size)
        features = np.tile(np.arange(size) < len(centre), k)
        matrix.flat[:: k * size + 1] += alpha * features
        # a full matrix is what `Full` inverts, once the intercepts are columns like the others
        self.inner = Full(matrix, np.zeros(k * size), 0.0, 0.0, eps)

    def half(self, u: Array) -> Array:
        k, size = self.shape
        out = self.inner.solve_half(u.T.ravel()).reshape(k, size).T
        if self.has_intercept:
            out[-1] -= self.centre @ out[:-1]
        return out

    def half_transposed(self, gradient: Array) -> Array:
        k, size = self.shape
        if self.has_intercept:
            gradient = gradient.copy()
            gradient[:-1] -= np.multiply.outer(self.centre, gradient[-1])
        return self.inner.solve_half_transposed(gradient.T.ravel()).reshape(k, size).T


class ZeroSum(Identity):
    """Another metric, without the direction common to all outputs, in which a multinomial loss does not change."""

    name = "full"

    def __init__(self, metric: Preconditioner) -> None:
        self.metric = metric

    def direction(self, gradient: Array) -> Array:
        out = self.metric.direction(gradient - gradient.mean(axis=1, keepdims=True))
        return out - out.mean(axis=1, keepdims=True)

    def half(self, u: Array) -> Array:
        out = self.metric.half(u)
        return out - out.mean(axis=1, keepdims=True)

    def half_transposed(self, gradient: Array) -> Array:
        return self.metric.half_transposed(gradient - gradient.mean(axis=1, keepdims=True))


class Renewed(Identity):
    """A metric of the current Hessian, computed anew when the decrease has slowed and a new one pays.

    Near the optimum of a logistic loss most second derivatives are far below their bound, so descent in the metric
    of the bound crawls. A new metric costs as much as a few iterations; the decrease of the last one tells how many
    more the old one would need. A new metric that gains little was made of too few rows: the next one gets more.

    Parameters
    ----------
    source : object with ``metric(point)``, ``cost`` (of a new metric, in iterations) and ``grow()``
    """

    name = "full"
    newton = True
    # What an exact metric needs from where a renewal is considered: its convergence is quadratic.
    FRESH = 2.0
    # A new metric made of enough rows knows the curvature along its direction within this factor.
    GOOD = 1.5

    def __init__(self, source: MetricSource) -> None:
        self.source = source
        self.metric: Any = None
        self.age = 0
        self.poor = False  # whether the metric, when new, mistook the curvature along its direction

    def adapt(self, run: Run) -> None:
        norms = run.history["gradient_norm"]
        if self.metric is not None and len(norms) == 1:
            return  # made for the start
        if self.metric is not None:
            shrink = norms[-1] / norms[-2]
            if self.age == 1:
                self.poor = not 1 / self.GOOD < run.last.match < self.GOOD
            if not self._pays(run, shrink):
                self.age += 1
                return
            if self.poor:
                self.source.grow()
        self.prepare(run)

    def prepare(self, run: Run) -> None:
        self.metric = None  # before there is another: two of them are never in memory
        self.metric = self.source.metric(run.base)
        self.age = 1

    def _pays(self, run: Run, shrink: float) -> bool:
        """Whether the present metric would need more iterations to the end than a new one costs."""
        if not shrink < 0.999:
            return True
        target = max(run.stopping.tol, run.rounding.eps) / run.history["gradient_norm"][-1]
        return np.log(target) / np.log(shrink) > self.source.cost + self.FRESH

    def direction(self, gradient: Array) -> Array:
        return self.metric.direction(gradient)

    def half(self, u: Array) -> Array:
        return self.metric.half(u)

    def half_transposed(self, gradient: Array) -> Array:
        return self.metric.half_transposed(gradient)


class Inexact(Identity):
    """Newton's direction by conjugate gradients: as exact as the distance from the optimum deserves.

    Where the whole Hessian is too large to factorise, its product with a vector still costs one read of X. Another metric
    preconditions the inner iterations.

    Parameters
    ----------
    metric : preconditioner
    most : int
        Inner iterations at the most.

    Attributes
    ----------
    decrement : float
        Newton's, of the last direction: half its square is about what there was to gain.

    References
    ----------
    R. Dembo, S. Eisenstat and T. Steihaug, "Inexact Newton methods", SIAM Journal on Numerical Analysis 19, 1982,
    doi:10.1137/0719025.
    """

    newton = True

    def __init__(self, metric: Preconditioner, most: int = 100) -> None:
        self.metric, self.most = metric, most
        self.base: Any = None
        self.decrement = 0.0

    @property
    def name(self) -> str | None:  # type: ignore[override]
        return self.metric.name

    def adapt(self, run: Run) -> None:
        self.base = run.base
        self.metric.adapt(run)
        norms = run.history["gradient_norm"]
        # superlinear convergence: the closer, the more exact
        self.forcing = min(0.3, np.sqrt(norms[-1] / max(norms)))

    def prepare(self, run: Run) -> None:
        self.base, self.forcing = run.base, 0.1
        self.metric.prepare(run)

    def direction(self, gradient: Array) -> Array:
        residual = gradient.copy()
        step = z = self.metric.direction(residual)
        out = np.zeros_like(gradient)
        rho = first = -float(np.vdot(residual, z))
        for _ in range(self.most):
            predictor = self.base.hessian_product(step)
            second_derivative = np.vdot(step, predictor)
            if not second_derivative > 0:
                break
            # in place: of many coefficients every array more costs a tenth of a product
            rate = rho / second_derivative
            predictor *= rate
            residual += predictor
            out += np.multiply(step, rate, out=predictor)
            z = self.metric.direction(residual)
            last, rho = rho, -float(np.vdot(residual, z))
            if not rho > self.forcing**2 * first:
                break
            step *= rho / last
            step += z
        self.decrement = math.sqrt(max(-float(np.vdot(gradient, out)), 0.0))
        return out if out.any() else self.metric.direction(gradient)

    def half(self, u: Array) -> Array:
        return self.metric.half(u)

    def half_transposed(self, gradient: Array) -> Array:
        return self.metric.half_transposed(gradient)


def largest_eigenvalue(product: Callable[[Array], Array], metric: Preconditioner, shape: tuple[int, ...]) -> float:
    """An upper estimate of the largest eigenvalue of the Hessian bound in a metric, its sign left out: L.

    Parameters
    ----------
    product : callable (coef) -> ndarray
    metric : preconditioner
    shape : tuple
        Of the coefficients.
    """
    size = int(np.prod(shape))

    def apply(u: Array) -> Array:
        return metric.half_transposed(product(metric.half(u.reshape(shape)))).ravel()

    if size <= 16:
        matrix = np.stack([apply(column) for column in np.eye(size)])
        return float(np.abs(np.linalg.eigvalsh((matrix + matrix.T) / 2)).max(initial=0.0))
    operator = LinearOperator((size, size), matvec=apply, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(size)
    # Lanczos' values come from below; with a tolerance of 1 % two more per cent make an upper bound of them.
    value = eigsh(operator, k=1, which="LM", tol=1e-2, v0=start, return_eigenvectors=False, maxiter=1000)[0]
    return 1.02 * abs(float(value))


#: name -> class; what is registered is tested
PRECONDITIONERS: dict[str, type[Identity]] = {"diagonal": Diagonal, "full": Full, "nystrom": Nystrom}
