"""Optima on training parts of fewer samples than features, from the inner products of the rows.

Two uses: bare columns with an intercept, and without. One read of X makes the products of all rows; a training part's are a block of them,
moved to its own mean, and an optimum is a factorisation as large as there are rows:

    w = X̃ᵀ Ω^½ (Ω^½ X̃X̃ᵀ Ω^½ + alpha)⁻¹ Ω^½ ỹ,    Ω the weights, which sum to one, X̃ and ỹ about their means.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..protocols import Array
from .squares import solved

__all__ = ["InnerProducts"]


class InnerProducts:
    """The inner products of all rows, about a centre near their mean, or about zero.

    Parameters
    ----------
    design : design
        With an intercept.
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
    weight : ndarray of shape (n_samples,) or None
    fit_intercept : bool
        About their mean.
    """

    def __init__(self, design: Any, y: Array, weight: Array | None, fit_intercept: bool) -> None:
        n, p = design.n_samples, design.n_features
        self.fit_intercept = fit_intercept
        self.design, self.y = design, y.reshape(n, -1).astype(np.float64, copy=False)
        self.weight = np.ones(n) if weight is None else weight.astype(np.float64, copy=False)
        self.centre = design.provisional_centre(weight) if fit_intercept else np.zeros(p)
        self.products = design.row_products(self.centre, np.ones(p, dtype=bool))

    def optima(self, rows: Array, alphas: Sequence[float]) -> list[Array | None]:
        """As `squares.optima`, on some rows."""
        share = self.weight[rows] / self.weight[rows].sum()
        root = np.sqrt(share)[:, None]
        about, y = self.products[np.ix_(rows, rows)], self.y[rows]
        centre, target = self.centre, np.zeros(y.shape[1])
        if self.fit_intercept:
            centre, target = self._mean(rows, share), share @ y
            along = about @ share
            about += share @ along
            about -= along
            about -= along[:, None]
        about *= root
        about *= root.T
        dual, lost = solved(about, alphas, root * (y - target))
        if lost.all():
            return [None] * len(alphas)
        known = dual[~lost]
        spread = np.zeros((len(self.y), len(known) * y.shape[1]))
        spread[rows] = np.concatenate(root * known, axis=1)
        coefs = iter(np.split(self.design.centred_adjoint(spread, centre), len(known), axis=1))
        return [
            None if without else np.concatenate([coef := next(coefs), [target - centre @ coef]]) for without in lost
        ]

    def _mean(self, rows: Array, share: Array) -> Array:
        """The mean of some rows."""
        spread = np.zeros((len(self.y), 1))
        spread[rows, 0] = share
        mean: Array = self.centre + self.design.centred_adjoint(spread, self.centre)[:, 0]
        return mean
