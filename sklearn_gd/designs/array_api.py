"""X in an array of the Array API standard, on a device that NumPy cannot see: products and sums are taken there.

Two uses: PyTorch and CuPy on a GPU. Arrays of sample size stay on the device; what comes home is of coefficient size, and
each pass brings it in one transfer. X is read where it is; one that is not in row-major order is copied once.

An elementwise operation of such a library is a pass of its own over its arrays, so blocks that stay in a cache save
nothing here: predictions are worked on all at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..arrays import CONVERTED, block_sums, column_sums, home, place_of, transfer
from ..protocols import Array
from .dense import DenseDesign
from .rows import Curvature, LinearMap, about_mean, add_up, coupled, coupling, finite_mean, require_finite
from .threads import cut

__all__ = ["ArrayDesign"]

# Rows of X that are centred and weighted in a copy: enough to keep a device busy, little beside X.
SLAB_BYTES = 1 << 28
# Rows that tell the columns' centre.
FEW_ROWS = 64


class ArrayDesign(LinearMap):
    """A linear model's X on a device, of shape (n_samples, n_features).

    Coefficients come from the host and gradients and moments go there, in double precision; raw predictions and all that
    is as long stay on the device, in the arithmetic of X.
    """

    where = "device"
    one_block = True
    streams = False  # a trial with its gradient would wait for one number

    def __init__(self, X: Any, fit_intercept: bool) -> None:
        self.place = place_of(X)
        self.xp = self.place.xp
        # a view of row-major X and a row-major copy of any other: blocks of rows are reshaped at every pass
        super().__init__(self.xp.reshape(self.xp.reshape(X, (-1,)), X.shape), fit_intercept)
        self.dtype = np.dtype("float64" if X.dtype == self.xp.float64 else "float32")
        self.double = self.place.double == self.xp.float64  # whether the device has double precision

    # -- the linear map -----------------------------------------------------------------------------------------

    def forward(self, coef: Array) -> Any:
        """Raw predictions X @ w + b, on the device."""
        self.passes += 1
        xp = self.xp
        # in double precision where the device has that, block by block
        kind = self.place.double
        coef = self.place.put(coef)
        w = coef[: self.n_features, ...]
        parts = []
        for s in cut(self.n_samples, max(1, CONVERTED // max(1, self.n_features))):
            part = xp.matmul(xp.astype(self.X[s, :], kind, copy=False), w)
            if self.fit_intercept:
                part += coef[-1, ...]
            parts.append(xp.astype(part, self.X.dtype, copy=False))
        return parts[0] if len(parts) == 1 else xp.concat(parts)

    def adjoint(self, residual: Any) -> Any:
        """[X 1]ᵀ residual in double precision, on the device."""
        xp = self.xp
        self.passes += 1
        columns = residual if residual.ndim == 2 else residual[:, None]
        out = xp.reshape(block_sums(self.X, columns), (self.n_features, *residual.shape[1:]))
        if self.fit_intercept:
            out = xp.concat([out, column_sums(residual)[None, ...]])
        return out

    def sweep(self, pointwise: Callable[..., tuple[Any, Any]], coef: Array | None = None) -> tuple[float, Array]:
        """Predictions, `pointwise` of them, and the adjoint of the residual that it returns: one transfer."""
        raw = None if coef is None else self.forward(coef)
        value, residual = pointwise(slice(0, self.n_samples), raw)
        value, gradient = home(value, self.adjoint(residual))
        return value, gradient

    def over_predictions(self, task: Callable[[slice], tuple[Any, ...]]) -> tuple[Any, ...]:
        """`task` of all samples, what it returns brought home."""
        return home(*task(slice(0, self.n_samples)))

    def each_prediction(self, task: Callable[[slice], None]) -> None:
        """`task` of all samples."""
        task(slice(0, self.n_samples))

    # -- second moments: in double precision, on the host where the device has none

    def _host(self, *arrays: Any) -> tuple[Any, ...]:
        """X on the host, and what lies beside its rows."""
        X = DenseDesign(transfer(self.X).astype(np.float64), self.fit_intercept)
        return X, *(None if array is None else transfer(array) for array in arrays)

    def _mean_of_few(self, array: Any) -> Array:
        """About the columns' means, from a few rows: what is left is small enough to cancel nothing."""
        few = home(array[:: max(1, self.n_samples // FEW_ROWS), :])[0]
        return finite_mean(few) if self.fit_intercept else np.zeros(few.shape[1])

    @functools.cached_property
    def _centre(self) -> Array:
        return self._mean_of_few(self.X)

    def _slabs(self, weight: Any, shift: Any, targets: Any = None) -> Iterator[tuple[slice, Any, Any]]:
        """Rows, and targets behind them, about a shift and times the roots of their weights; and the roots, or None."""
        xp = self.xp
        shift = self.place.put(shift)
        for s in cut(self.n_samples, max(1, SLAB_BYTES // (8 * max(1, self.n_features)))):
            Z = xp.astype(self.X[s, :], xp.float64, copy=False)
            if targets is not None:
                Z = xp.concat([Z, xp.astype(targets[s, :], xp.float64, copy=False)], axis=1)
            if self.fit_intercept:
                Z = Z - shift
            root = None if weight is None else xp.sqrt(xp.astype(weight[s], xp.float64, copy=False))
            yield s, Z if root is None else Z * root[:, None], root

    def _moments(self, weight: Any, shift: Array, products: Callable[[Any], Any], targets: Any = None) -> Curvature:
        """Sums over the slabs, about the mean."""
        self.passes += 1

        def parts() -> Iterator[Any]:
            for _, Z, root in self._slabs(weight, shift, targets):
                if root is None:
                    yield products(Z), column_sums(Z), float(Z.shape[0])
                else:
                    yield products(Z), block_sums(root[:, None], Z)[0, :], column_sums(root * root)

        matrix, sums, weight_sum = home(*add_up(parts(), in_place=True))
        return about_mean(self, weight, shift, matrix.copy(), sums, weight_sum)

    def gram(self, weight: Any = None, targets: Any = None) -> Curvature:
        """As `rows.RowBlocks.gram`."""
        if not self.double:
            X, *arrays = self._host(weight, targets)
            return X.gram(*arrays)
        shift = self._centre
        if targets is not None:
            targets = self.xp.reshape(targets, (self.n_samples, -1))
            shift = np.concatenate([shift, self._mean_of_few(targets)])
        found = self._moments(weight, shift, lambda Z: block_sums(Z, Z), targets)
        if targets is not None:  # the first pass over the data
            require_finite(found.matrix.diagonal())
        return found

    def moments(self, weight: Any = None) -> Curvature:
        """As `rows.RowBlocks.moments`."""
        if not self.double:
            X, weight = self._host(weight)
            return X.moments(weight)
        found = self._moments(weight, self._centre, lambda Z: column_sums(Z * Z))
        require_finite(found.matrix)
        return found

    def coupled_gram(self, p: Any, scaled: Any) -> tuple[Array, Array]:
        """As `rows.RowBlocks.coupled_gram`."""
        if not self.double:
            X, *arrays = self._host(p, scaled)
            return X.coupled_gram(*arrays)
        self.passes += 1
        xp, k = self.xp, p.shape[1]

        def parts() -> Iterator[Any]:
            for s, Z, _ in self._slabs(None, self._centre):
                if self.fit_intercept:
                    Z = xp.concat([Z, xp.ones_like(Z[:, :1])], axis=1)
                weights = [coupling(p[s, :], scaled[s, :], a, b) for a in range(k) for b in range(a + 1)]
                yield [block_sums(Z, Z * w[:, None]) for w in weights]

        blocks = iter(home(*add_up(parts(), in_place=True)))
        return coupled(k, self.size, lambda a, b: next(blocks)), self._centre
