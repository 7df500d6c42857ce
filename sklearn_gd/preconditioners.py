"""The metric in which descent is steepest: from a gradient to a direction, the optimum untouched.

Two uses: `Diagonal`, which makes raw columns as good as standardised ones, also the unit of the stopping rule; `Full`,
with which one step on squared error is the normal equation.

All of them eliminate the intercept exactly. With c the weighted mean of the rows, the step in the intercept at the
centre, b + c·w, is independent of the step in w, so a direction is

    d_w = −A⁻¹(g_w − c g_b),    d_b = −g_b/weight_sum − c·d_w

where A, c and weight_sum are the second moments that a design computes (`designs.rows.Curvature`), plus the penalty.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

from .forms import with_intercept
from .protocols import Array, MetricSource, Moments, Preconditioner

if TYPE_CHECKING:
    from .descent import Run

# LAPACK itself rather than SciPy's functions: those check and copy for longer than a small factorisation takes.
potrf, potrs, pocon, trtrs = scipy.linalg.get_lapack_funcs(("potrf", "potrs", "pocon", "trtrs"), dtype=np.float64)
symm, symv = scipy.linalg.get_blas_funcs(("symm", "symv"), dtype=np.float64)
spotrf, spotrs = scipy.linalg.get_lapack_funcs(("potrf", "potrs"), dtype=np.float32)

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
    """Plain gradient descent: the direction is −∇F.

    Beside a direction a metric knows the square of a gradient's norm in it. The halves T of P = T Tᵀ are for who asks for L, which is in
    the metrics that a user chooses; of the others it is that of plain gradients.
    """

    name: str | None = None
    newton = False  # whether a step of length 1 is about the best
    null: Any = None  # the directions that it takes for none: of shape (size, k) or (size, n_outputs, k); None where there are none

    def adapt(self, run: Run) -> None:
        """Renew the metric where that pays; a fixed one never does."""

    def prepare(self, run: Run) -> None:
        """Be the metric of where a run is now; a fixed one always is."""

    def direction(self, gradient: Array) -> Array:
        return -self.half(self.half_transposed(gradient))

    def square(self, gradient: Array, unit: Any = 1.0) -> float:
        half = self.half_transposed(gradient) / unit
        return float(np.vdot(half, half))

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

    name: str | None = "full"

    def __init__(self, centre: Array, weight_sum: float) -> None:
        self.centre = centre
        self.has_intercept = bool(weight_sum > 0)
        self.root_weight_sum = math.sqrt(weight_sum)

    def solve(self, w: Array, /) -> None:
        """Replace w, of the features alone and about the centre, by P w."""
        raise NotImplementedError

    def solve_half(self, u: Array, /) -> Array:
        """T u for the features alone, about the centre."""
        raise NotImplementedError

    def solve_half_transposed(self, gradient: Array, /) -> Array:
        """Tᵀ gradient for the features alone, about the centre."""
        raise NotImplementedError

    def about_centre(self, gradient: Array) -> tuple[Array, Array]:
        """A copy of a gradient whose part of the features is about the centre, and that part of the copy."""
        if not self.has_intercept:
            out = gradient.copy()
            return out, out
        if gradient.ndim == 1:
            out = gradient.copy()
            w = out[:-1]
            w -= self.centre * out[-1]
            return out, w
        # of many columns and outputs this is the larger part of an iteration: no arrays but the result are made
        out = np.empty_like(gradient)
        w, out[-1] = out[:-1], gradient[-1]
        np.multiply(self.centre[:, None], -gradient[-1], out=w)
        w += gradient[:-1]
        return out, w

    def level(self, w: Array) -> Array:
        """Coefficients of the features with the intercept that leaves the prediction at the centre as it is."""
        return with_intercept(w, 0.0, self.centre) if self.has_intercept else w

    def direction(self, gradient: Array) -> Array:
        out, w = self.about_centre(gradient)
        self.solve(w)
        np.negative(w, out=w)
        if self.has_intercept:
            out[-1] = -gradient[-1] / self.root_weight_sum**2 - self.centre @ w
        return out

    def square(self, gradient: Array, unit: Any = 1.0) -> float:
        out, w = self.about_centre(gradient)
        out /= unit
        right = out.copy()
        self.solve(w)
        if self.has_intercept:
            out[-1] /= self.root_weight_sum**2
        return float(np.vdot(out, right))

    def half(self, u: Array) -> Array:
        if not self.has_intercept:
            return self.solve_half(u)
        out = self.level(self.solve_half(u[:-1]))
        out[-1] += u[-1] / self.root_weight_sum
        return out

    def half_transposed(self, gradient: Array) -> Array:
        out, w = self.about_centre(gradient)
        w[...] = self.solve_half_transposed(w)
        if self.has_intercept:
            out[-1] /= self.root_weight_sum
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

    def solve(self, w: Array) -> None:
        root = self.root if w.ndim == 1 else self.root[:, None]
        w *= root
        w *= root

    def square(self, gradient: Array, unit: Any = 1.0) -> float:
        out, w = self.about_centre(gradient)
        w *= self.root if w.ndim == 1 else self.root[:, None]
        if self.has_intercept:
            out[-1] /= self.root_weight_sum
        out /= unit
        return float(np.vdot(out, out))

    def size(self, coef: Array) -> float:
        """The norm of coefficients of features that goes with that of gradients: their product bounds the inner product."""
        used = self.root > 0
        return float(np.linalg.norm(coef[: len(used)][used].T / self.root[used]))

    def solve_half(self, u: Array) -> Array:
        return (self.root * u.T).T

    solve_half_transposed = solve_half


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
    alpha : float or ndarray of shape (p,)
        The penalty's curvature.
    eps : float
        The precision of the arithmetic in which the matrix was computed.
    without : ndarray of bool of shape (p,) or None
        Columns that are constant; None for those that the diagonal and the centre tell.

    Attributes
    ----------
    reciprocal_condition : float
        Of the scaled matrix.

    References
    ----------
    D. Böhning and B. Lindsay, "Monotonicity of quadratic-approximation algorithms", Annals of the Institute of
    Statistical Mathematics 40, 1988, doi:10.1007/BF00049423 (the bound of the logistic Hessian).
    """

    def __init__(
        self,
        matrix: Array,
        centre: Array,
        weight_sum: float,
        alpha: Any,
        eps: float,
        without: Any = None,
    ) -> None:
        super().__init__(centre, weight_sum)
        p = matrix.shape[0]
        without = constant(matrix.diagonal(), centre, weight_sum) if without is None else without
        matrix.flat[:: p + 1] += alpha
        self.root = root_of(matrix.diagonal(), without)
        matrix *= self.root
        matrix *= self.root[:, None]
        matrix.flat[:: p + 1] = 1.0  # exactly, and for constant columns, which are left where they are
        self.vectors: Array | None = None
        # in the matrix's own memory, whose other triangle it leaves as it was
        columns = matrix if matrix.flags.f_contiguous else matrix.T
        self.factor, failed = potrf(columns, lower=1, overwrite_a=1, clean=0)
        if failed:
            self.reciprocal_condition = 0.0
        else:
            # the squared pivots: small where columns depend on each other
            pivots = self.factor.diagonal().tolist()
            self.reciprocal_condition = min(pivots) ** 2
            # The mean of the eigenvalues is 1. So the least is the determinant over the product of the others at the least, which is
            # at most (p/(p − 1))^(p−1) < e, and the largest is at most p.
            self._at_least = math.prod(pivots) ** 2 / (math.e * p)
        # Pivots that small may hide a dependence: the eigenvectors tell.
        if self.reciprocal_condition < max(16 * p * eps, 1e-10):
            columns.flat[:: p + 1] = 1.0
            values, vectors = scipy.linalg.eigh(columns, lower=False, check_finite=False)
            keep = values > 16 * p * eps * values[-1]
            self.vectors = vectors * root_of(values, ~keep)
            if not keep.all():
                self.null = self.level(self.root[:, None] * vectors[:, ~keep])
            self.reciprocal_condition = float(values[keep][0] / values[-1])

    def about(self, centre: Array, weight_sum: float) -> Full:
        """The same metric where its last column, which depends on no other, is the intercept at the centre of the others."""
        out = copy.copy(self)
        out.__dict__.pop("_units", None)
        Centred.__init__(out, centre, weight_sum)
        p = len(centre)
        out.root, out.factor = self.root[:p], np.asfortranarray(self.factor[:p, :p])
        return out

    @functools.cached_property
    def _units(self) -> tuple[Array, Array]:
        """The roots of the diagonal that was scaled to one, 0 of columns that are left out; and what the factor's lacks of it."""
        units = np.zeros_like(self.root)
        np.divide(1.0, self.root, out=units, where=self.root > 0)
        return units, 1 - self.factor.diagonal()

    def product(self, coef: Array) -> Array:
        """The matrix times coefficients about the centre, from the triangle that the factor has left as it was."""
        (units, lacking), times = self._units, symv
        if coef.ndim == 2:
            units, lacking, times = units[:, None], lacking[:, None], symm
        scaled = units * coef
        out: Array = times(1.0, self.factor, scaled, lower=0)
        out += lacking * scaled
        out *= units
        return out

    def matrix(self) -> Array:
        """The matrix itself, from that triangle."""
        units, upper = self._units[0], np.triu(self.factor, 1)
        out: Array = upper + upper.T
        np.einsum("ii->i", out)[:] = 1.0
        return out * units * units[:, None]

    def condition_above(self, least: float) -> bool:
        """Whether the reciprocal of the condition number is: by a bound, or by LAPACK's estimator, which takes p² operations."""
        if self.vectors is not None or not self.reciprocal_condition:
            return self.reciprocal_condition > least
        if self._at_least > least:
            return True
        # the matrix has a unit diagonal: its norm is between 1 and p, and p the cautious one
        return float(pocon(self.factor, float(len(self.factor)), uplo="L")[0]) > least

    def solve(self, w: Array) -> None:
        scaled = (self.root * w.T).T
        inner = (
            potrs(self.factor, scaled, lower=1)[0] if self.vectors is None else self.vectors @ (self.vectors.T @ scaled)
        )
        np.multiply(self.root, inner.T, out=w.T)

    def solve_half(self, u: Array) -> Array:
        inner = trtrs(self.factor, u, lower=1, trans=1)[0] if self.vectors is None else self.vectors @ u
        return (self.root * inner.T).T

    def solve_half_transposed(self, gradient: Array) -> Array:
        scaled = (self.root * gradient.T).T
        return trtrs(self.factor, scaled, lower=1)[0] if self.vectors is None else self.vectors.T @ scaled


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

    def __init__(self, basis: Array, matrix: Array, centre: Array, weight_sum: float) -> None:
        super().__init__(centre, weight_sum)
        self.basis = basis
        self.inner = Full(matrix, np.zeros(len(matrix)), 0.0, 0.0, EPS)
        if self.inner.null is not None:
            self.null = self.level(basis @ self.inner.null)

    def solve(self, w: Array) -> None:
        inner = self.basis.T @ w
        self.inner.solve(inner)
        w[:] = self.basis @ inner


class Rounded(Centred):
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

    def __init__(self, curvature: Moments, unit: Array, alpha: float) -> None:
        super().__init__(curvature.centre, curvature.weight_sum)
        matrix = curvature.matrix
        p = len(matrix)
        usable: Array = (unit > 0) | bool(alpha and not self.has_intercept)
        unit = np.where(unit > 0, unit, 1.0)
        entries = np.einsum("ii->i", matrix)
        diagonal = entries * (1 + self.LOST * math.sqrt(p)) + alpha / unit**2
        entries[...] = np.where(usable & (diagonal > 0), diagonal, 1.0)
        self.root = np.where(usable, 1 / unit, 0.0)
        self.factor, failed = spotrf(matrix, lower=1, overwrite_a=1, clean=0)
        if failed or not np.isfinite(self.factor.diagonal()).all():
            raise scipy.linalg.LinAlgError("not positive definite in float32")

    def solve(self, w: Array) -> None:
        right = (self.root * w.T).T
        size = np.abs(right).max(initial=0.0) or 1.0
        inner = spotrs(self.factor, (right / size).astype(np.float32), lower=1)[0]
        np.multiply(size * self.root, inner.T, out=w.T, dtype=np.float64)


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

    References
    ----------
    Z. Frangella, J. Tropp and M. Udell, "Randomized Nyström preconditioning", SIAM Journal on Matrix Analysis and
    Applications 44, 2023, doi:10.1137/21M1466244.
    """

    name = "nystrom"
    # A sketch whose last eigenvalue is this part of the first has caught what a condition number is made of; twice the
    # rank would save fewer iterations than it costs passes.
    CAUGHT = 1e-3

    def __init__(self, metric: Preconditioner, product: Callable[[Array], Array], size: int, most: int) -> None:
        self.metric = metric
        random = np.random.default_rng(0)
        most = min(most, size)
        test, products = np.zeros((size, 0)), np.zeros((size, 0))
        rank = min(16, most)
        while True:
            # only the new vectors are multiplied
            fresh = random.standard_normal((size, rank - test.shape[1]))
            fresh -= test @ (test.T @ fresh)
            fresh = np.linalg.qr(fresh)[0]
            test = np.concatenate([test, fresh], axis=1)
            products = np.concatenate([products, metric.half_transposed(product(metric.half(fresh)))], axis=1)
            values, vectors = sketch(test, products)
            if rank == most or len(values) < rank or values[-1] <= self.CAUGHT * values[0]:
                break
            rank = min(2 * rank, most)
        self.vectors = vectors
        self.shrink = np.sqrt(values[-1:] / values) - 1

    def _flattened(self, u: Array) -> Array:
        # the root of the sketch's inverse, up to a factor: 1 beyond the sketch, less along it
        return u + self.vectors @ (self.shrink * (self.vectors.T @ u).T).T

    def half(self, u: Array) -> Array:
        return self.metric.half(self._flattened(u))

    def half_transposed(self, gradient: Array) -> Array:
        return self._flattened(self.metric.half_transposed(gradient))


def sketch(test: Array, products: Array) -> tuple[Array, Array]:
    """Eigenvalues, falling, and eigenvectors of the Nyström approximation products (testᵀ products)⁺ productsᵀ."""
    forms = test.T @ products
    values, vectors = np.linalg.eigh((forms + forms.T) / 2)
    # Directions in which the curvature is the rounding errors of its product, which make it asymmetric, too.
    noise = max(EPS * max(values[-1], np.finfo(np.float64).tiny), float(np.abs(forms - forms.T).max()))
    keep = values > 10 * len(values) * noise
    half = products @ (vectors[:, keep] / np.sqrt(values[keep]))
    vectors, roots, _ = np.linalg.svd(half, full_matrices=False)
    return roots**2, vectors


class PerOutput(Identity):
    """One metric an output: the blocks on the diagonal of a coupled Hessian."""

    name = "full"

    def __init__(self, metrics: Sequence[Preconditioner]) -> None:
        self.metrics = metrics
        placed = [
            np.stack([null if j == k else np.zeros_like(null) for j in range(len(metrics))], axis=1)
            for k, null in enumerate(metric.null for metric in metrics)
            if null is not None
        ]
        self.null = np.concatenate(placed, axis=2) if placed else None

    def direction(self, gradient: Array) -> Array:
        return np.stack([m.direction(column) for m, column in zip(self.metrics, gradient.T, strict=True)], axis=1)

    def square(self, gradient: Array, unit: Any = 1.0) -> float:
        return math.fsum(m.square(part) for m, part in zip(self.metrics, (gradient / unit).T, strict=True))


class Joint(Centred):
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

    def __init__(self, hessian: Array, centre: Array, alpha: float, has_intercept: bool, eps: float) -> None:
        super().__init__(centre, has_intercept)
        k, size = hessian.shape[:2]
        diagonal = np.einsum("aibi->abi", hessian)
        common = diagonal[np.arange(k), np.arange(k)].mean(axis=0)
        diagonal += common / k
        matrix = hessian.reshape(k * size, k * size)
        features = np.tile(np.arange(size) < len(centre), k)
        matrix.flat[:: k * size + 1] += alpha * features
        # a full matrix is what `Full` inverts, once the intercepts are columns like the others
        self.inner = Full(matrix, np.zeros(k * size), 0.0, 0.0, eps)
        if self.inner.null is not None:
            self.null = self.inner.null.reshape(k, size, -1).swapaxes(0, 1).copy()
            if has_intercept:
                self.null[-1] -= np.tensordot(centre, self.null[:-1], axes=1)

    def direction(self, gradient: Array) -> Array:
        out = self.inner.direction(self.about_centre(gradient)[0].T.ravel()).reshape(gradient.T.shape).T
        if self.has_intercept:
            out[-1] -= self.centre @ out[:-1]
        return out

    def square(self, gradient: Array, unit: Any = 1.0) -> float:
        return self.inner.square(self.about_centre(gradient / unit)[0].T.ravel())


class Around(Identity):
    """What a metric around another one leaves as it is."""

    name = "full"

    def __init__(self, metric: Any) -> None:
        self.metric = metric

    @property
    def null(self) -> Any:
        return self.metric.null

    def direction(self, gradient: Array) -> Array:
        return self.metric.direction(gradient)

    def square(self, gradient: Array, unit: Any = 1.0) -> float:
        return self.metric.square(gradient, unit)


class ZeroSum(Around):
    """Another metric, without the direction common to all outputs, in which a multinomial loss does not change."""

    def direction(self, gradient: Array) -> Array:
        out = self.metric.direction(gradient - gradient.mean(axis=1, keepdims=True))
        return out - out.mean(axis=1, keepdims=True)

    def square(self, gradient: Array, unit: Any = 1.0) -> float:
        return self.metric.square(gradient - gradient.mean(axis=1, keepdims=True), unit)


class Renewed(Around):
    """A metric of the current Hessian, computed anew when the decrease has slowed and a new one pays.

    Near the optimum of a logistic loss most second derivatives are far below their bound, so descent in the metric
    of the bound crawls. A new metric costs as much as a few iterations; the decrease of the last one tells how many
    more the old one would need. A new metric that gains little was made of too few rows: the next one gets more.

    Parameters
    ----------
    source : object with ``metric(point)``, ``cost`` (of a new metric, in iterations) and ``grow()``
    """

    newton = True
    # What an exact metric needs from where a renewal is considered: its convergence is quadratic.
    FRESH = 2.0
    # A new metric made of enough rows knows the curvature along its direction within this factor.
    GOOD = 1.5

    def __init__(self, source: MetricSource) -> None:
        super().__init__(None)
        self.source = source
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


class Inexact(Around):
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
        super().__init__(metric)
        self.most = most
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

    def newton_step(self, point: Any) -> Array:
        """Newton's step from a point, in the metric as it is."""
        self.base, self.forcing = point, 0.3
        return self.direction(point.gradient)

    def direction(self, gradient: Array) -> Array:
        residual = gradient.copy()
        step = z = self.metric.direction(residual)
        out = np.zeros_like(gradient)
        rho = first = -float(np.vdot(residual, z))
        for _ in range(self.most):
            product = self.base.hessian_product(step)
            second_derivative = np.vdot(step, product)
            if not second_derivative > 0:
                break
            # in place: of many coefficients every array more costs a tenth of a product
            rate = rho / second_derivative
            product *= rate
            residual += product
            out += np.multiply(step, rate, out=product)
            z = self.metric.direction(residual)
            last, rho = rho, -float(np.vdot(residual, z))
            if not rho > self.forcing**2 * first:
                break
            step *= rho / last
            step += z
        self.decrement = math.sqrt(max(-float(np.vdot(gradient, out)), 0.0))
        return out if out.any() else self.metric.direction(gradient)


def in_metric(
    product: Callable[[Array], Array], metric: Preconditioner, shape: tuple[int, ...]
) -> Callable[[Array], Array]:
    """The product Tᵀ H T u of vectors, where `product` is that of H with coefficients of some shape."""
    return lambda u: metric.half_transposed(product(metric.half(u.reshape(shape)))).ravel()


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

    apply = in_metric(product, metric, shape)
    if size <= 16:
        matrix = np.stack([apply(column) for column in np.eye(size)])
        return float(np.abs(np.linalg.eigvalsh((matrix + matrix.T) / 2)).max(initial=0.0))
    operator = LinearOperator((size, size), matvec=apply, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(size)
    # Lanczos' values come from below; with a tolerance of 1 % two more per cent make an upper bound of them.
    try:
        value = eigsh(operator, k=1, which="LM", tol=1e-2, v0=start, return_eigenvectors=False, maxiter=1000)[0]
    except ArpackError:
        if apply(start).any():
            raise
        return 0.0  # a loss may be straight everywhere
    return 1.02 * abs(float(value))


#: name -> class; what is registered is tested
PRECONDITIONERS: dict[str, type[Identity]] = {"diagonal": Diagonal, "full": Full, "nystrom": Nystrom}
