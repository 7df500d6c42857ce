"""X in a NumPy array, float32 or float64, C- or F-contiguous, a read-only memory map included: never copied."""

from __future__ import annotations

import numpy as np

from .rows import RowBlocks

__all__ = ["DenseDesign"]


class DenseDesign(RowBlocks):
    """A linear model's X in a NumPy array of shape (n_samples, n_features)."""

    def __init__(self, X, fit_intercept):
        super().__init__(X, fit_intercept, X.shape[1] * X.dtype.itemsize)
        # floating-point operations of one product with one vector, the unit in which costs are compared
        self.work = X.size

    def block_forward(self, s, w, out=None):
        if out is None:
            return self.X[s] @ w
        return np.matmul(self.X[s], w, out=out)

    def block_adjoint(self, s, residual):
        return self.X[s].T @ residual

    def block_dense(self, s):
        return self.X[s]

    def take(self, rows):
        """The same design on a copy of some rows."""
        return DenseDesign(self.X[rows], self.fit_intercept)

    def is_finite(self):
        """Whether every entry is finite, read from column sums where those can be trusted."""
        return bool(np.isfinite(self.X).all())
