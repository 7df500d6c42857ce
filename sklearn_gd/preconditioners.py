"""The metric in which descent is steepest: from a gradient to a direction, the optimum untouched.

Two uses: `Diagonal`, which makes raw columns as good as standardised ones, also the unit of the stopping rule; `Full`,
with which one step on squared error is the normal equation.

All of them eliminate the intercept exactly. With c the weighted mean of the rows, the step in the intercept at the
centre, b + c·w, is independent of the step in w, so a direction is

    d_w = −A⁻¹(g_w − c g_b),    d_b = −g_b/mass − c·d_w

where A, c and mass are the second moments that a design computes (`designs.rows.Curvature`), plus the penalty.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
from scipy.sparse.linalg import LinearOperator, eigsh

__all__ = ["PRECONDITIONERS", "Diagonal", "Full", "Identity", "largest_eigenvalue"]


class Identity:
    """Plain gradient descent: the direction is −∇F."""

    name = None

    def adapt(self, run):
        """Renew the metric where that pays; a fixed one never does."""

    def direction(self, gradient):
        return -self.half(self.half_transposed(gradient))

    def half(self, u):
        """T u, where the metric's inverse is P = T Tᵀ."""
        return u

    def half_transposed(self, gradient):
        return gradient


class Centred(Identity):
    """The change of variables to centred columns; subclasses solve with the centred matrix.

    Parameters
    ----------
    centre : ndarray of shape (p,)
    mass : float or ndarray of shape (n_outputs,)
        0 without an intercept.
    """

    def __init__(self, centre, mass):
        self.centre = centre
        self.has_intercept = bool(np.all(np.asarray(mass) > 0))
        self.root_mass = np.sqrt(mass) if self.has_intercept else None

    def half(self, u):
        if not self.has_intercept:
            return self.solve_half(u)
        w = self.solve_half(u[:-1])
        b = u[-1] / self.root_mass - self.centre @ w
        return np.concatenate([w, np.reshape(b, (1, *u.shape[1:]))])

    def half_transposed(self, gradient):
        if not self.has_intercept:
            return self.solve_half_transposed(gradient)
        b = gradient[-1]
        w = self.solve_half_transposed(gradient[:-1] - np.multiply.outer(self.centre, b))
        return np.concatenate([w, np.reshape(b / self.root_mass, (1, *gradient.shape[1:]))])


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

    def __init__(self, curvature, factor, alpha):
        super().__init__(curvature.centre, factor * curvature.mass)
        diagonal = factor * curvature.matrix + alpha
        # A column constant up to rounding has no direction of its own: its variance is the square of a rounding error.
        noise = (8 * np.finfo(np.float64).eps * np.abs(curvature.centre)) ** 2
        usable = diagonal > factor * noise
        self.root = np.divide(1.0, np.sqrt(diagonal), out=np.zeros_like(diagonal), where=usable & (diagonal > 0))

    def solve_half(self, u):
        return (self.root * u.T).T

    solve_half_transposed = solve_half


class Full(Centred):
    """The inverse of a whole p × p matrix, by Cholesky's factorisation of its correlation form.

    Scaled to a unit diagonal first, so that units do not matter to the rounding errors; where columns depend on each
    other, by eigenvectors, without the directions in which nothing varies.

    Parameters
    ----------
    curvature : Curvature
    factor, alpha : float
        As for `Diagonal`.
    eps : float
        The precision of the arithmetic in which the matrix was computed.

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

    def __init__(self, curvature, factor, alpha, eps=np.finfo(np.float64).eps):
        super().__init__(curvature.centre, factor * curvature.mass)
        matrix = factor * curvature.matrix
        p = matrix.shape[0]
        matrix.flat[:: p + 1] += alpha
        diagonal = matrix.diagonal()
        noise = (8 * eps * np.abs(curvature.centre)) ** 2
        usable = (diagonal > factor * noise) & (diagonal > 0)
        self.root = np.divide(1.0, np.sqrt(diagonal, where=usable), out=np.zeros(p), where=usable)
        matrix *= self.root
        matrix *= self.root[:, None]
        matrix.flat[:: p + 1] = 1.0  # exactly, and for constant columns, which are left where they are
        self.rank = p
        self.null = None
        try:
            self.factor = scipy.linalg.cholesky(matrix, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            self.reciprocal_condition = 0.0
        else:
            one_norm = np.abs(matrix).sum(axis=0).max() if p else 1.0
            self.reciprocal_condition = float(scipy.linalg.lapack.dpocon(self.factor, one_norm, uplo="L")[0]) if p else 1.0
        self.vectors = None
        if self.reciprocal_condition < 16 * p * eps:
            values, vectors = scipy.linalg.eigh(matrix, check_finite=False)
            keep = values > 16 * p * eps * values[-1]
            self.rank = int(keep.sum())
            self.vectors = vectors[:, keep] / np.sqrt(values[keep])
            self.null = (self.root[:, None] * vectors[:, ~keep])[:, :] if self.rank < p else None
            self.reciprocal_condition = float(values[keep][0] / values[-1])

    def solve_half(self, u):
        if self.vectors is not None:
            inner = np.zeros_like(u)
            inner = self.vectors @ u[: self.rank]
        else:
            inner = scipy.linalg.solve_triangular(self.factor, u, lower=True, trans=1, check_finite=False)
        return (self.root * inner.T).T

    def solve_half_transposed(self, gradient):
        scaled = (self.root * gradient.T).T
        if self.vectors is None:
            return scipy.linalg.solve_triangular(self.factor, scaled, lower=True, check_finite=False)
        out = np.zeros_like(scaled)
        out[: self.rank] = self.vectors.T @ scaled
        return out


def largest_eigenvalue(product, metric, shape):
    """An upper estimate of the largest eigenvalue of the Hessian bound in a metric: L.

    Parameters
    ----------
    product : callable (coef) -> ndarray
    metric : preconditioner
    shape : tuple
        Of the coefficients.
    """
    size = int(np.prod(shape))

    def apply(u):
        return metric.half_transposed(product(metric.half(u.reshape(shape)))).ravel()

    if size <= 16:
        matrix = np.stack([apply(column) for column in np.eye(size)])
        return float(np.linalg.eigvalsh((matrix + matrix.T) / 2)[-1])
    operator = LinearOperator((size, size), matvec=apply, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(size)
    # Lanczos' values come from below; with a tolerance of 1 % two more per cent make an upper bound of them.
    value = eigsh(operator, k=1, which="LA", tol=1e-2, v0=start, return_eigenvectors=False, maxiter=1000)[0]
    return 1.02 * float(value)


#: name -> class; what is registered is tested
PRECONDITIONERS = {"diagonal": Diagonal, "full": Full}
