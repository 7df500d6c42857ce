"""X in an array of the Array API standard, on a device that NumPy cannot see: products and sums are taken there.

Two uses: PyTorch and CuPy on a GPU. Arrays of sample size stay on the device; what comes home is of coefficient size, and
each pass brings it in one transfer. X is read where it is; one that is not in row-major order is copied once.

An elementwise operation of such a library is a pass of its own over its arrays, so blocks that stay in a cache save
nothing here: predictions are worked on all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..arrays import CONVERTED, block_sums, column_sums, home, place_of, transfer
from ..costs import DenseCosts
from ..protocols import Array
from .dense import DenseDesign
from .rows import Curvature, Plain, require_finite
from .threads import cut

__all__ = ["ArrayDesign"]

# Rows of X that are centred and weighted in a copy: enough to keep a device busy, little beside X.
SLAB_BYTES = 1 << 28
# Rows that tell the columns' centre and range.
FEW_ROWS = 64
# Peaks of columns within which squares of float32 numbers, and sums of them, stay within its range.
SQUARABLE = (1e-12, 1e15)


class ArrayDesign(DenseCosts):
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
        self.fit_intercept = fit_intercept
        self.n_samples, self.n_features = X.shape
        self.dtype = np.dtype("float64" if X.dtype == self.xp.float64 else "float32")
        # a view of row-major X and a row-major copy of any other: blocks of rows are reshaped at every pass
        self.X = self.xp.reshape(self.xp.reshape(X, (-1,)), X.shape)
        self.size = self.n_features + fit_intercept
        self.passes = 0.0
        self.work = self.n_samples * self.n_features
        self._few: tuple[Array, Array] | None = None

    def _put(self, array: Array) -> Any:
        return self.place.put(array, self.dtype)

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

    def normal(self, coef: Array, weight: Any) -> Array:
        """[X 1]ᵀ W [X 1] coef."""
        out = self.sweep(Plain(weight), coef)[1]
        return out / self.n_samples if weight is None else out

    def over_predictions(self, task: Callable[[slice], tuple[Any, ...]]) -> tuple[Any, ...]:
        """`task` of all samples, what it returns brought home."""
        return home(*task(slice(0, self.n_samples)))

    def each_prediction(self, task: Callable[[slice], None]) -> None:
        """`task` of all samples."""
        task(slice(0, self.n_samples))

    # -- second moments -----------------------------------------------------------------------------------------

    def _centre_and_scale(self) -> tuple[Array, Array]:
        """About the columns' means, and what to divide them by so that their squares stay in range, from a few rows."""
        if self._few is None:
            step = max(1, self.n_samples // FEW_ROWS)
            rows = home(self.X[::step, :])[0]
            with np.errstate(all="ignore"):
                centre = rows.mean(axis=0) if self.fit_intercept else np.zeros(self.n_features)
                centre = np.where(np.isfinite(centre), centre, 0.0).astype(self.dtype).astype(np.float64)
                peak = np.abs(rows - centre).max(axis=0, initial=0.0)
            scale = np.ones(self.n_features)
            if self.dtype == np.float32:
                outside = (peak > 0) & ~((peak > SQUARABLE[0]) & (peak < SQUARABLE[1]))
                scale[outside & np.isfinite(peak)] = peak[outside & np.isfinite(peak)]
            self._few = centre, scale
        return self._few

    def _slabs(self, weight: Any) -> Iterator[tuple[slice, Any, Any]]:
        """Rows about the centre in units of the scale, times the roots of their weights; and the roots, or None."""
        xp = self.xp
        centre, scale = self._centre_and_scale()
        dtype = np.dtype("float64" if self.place.double == xp.float64 else "float32")
        low = self.place.put(centre, dtype) if self.fit_intercept else None
        unit = None if (scale == 1).all() else self.place.put(1 / scale, dtype)
        kind = getattr(xp, dtype.name)
        for s in cut(self.n_samples, max(1, SLAB_BYTES // (max(1, self.n_features) * dtype.itemsize))):
            Z = xp.astype(self.X[s, :], kind, copy=False)
            if low is not None:
                Z = Z - low
            if unit is not None:
                Z = Z * unit
            root = None if weight is None else xp.sqrt(xp.astype(weight[s], kind, copy=False))
            if root is not None:
                Z = Z * root[:, None]
            yield s, Z, root

    def _sums(self, Z: Any, root: Any) -> tuple[Any, Any]:
        """The weighted sum of the rows, and of the weights."""
        if root is None:
            return column_sums(Z), float(Z.shape[0])
        return block_sums(root[:, None], Z)[0, :], column_sums(root * root)

    def gram(self, weight: Any = None, targets: Any = None) -> Curvature:
        """As `rows.RowBlocks.gram`."""
        if self.place.double != self.xp.float64:  # the device has no double precision
            host = [None if array is None else transfer(array) for array in (weight, targets)]
            return DenseDesign(transfer(self.X).astype(np.float64), self.fit_intercept).gram(*host)
        self.passes += 1
        xp, n = self.xp, self.n_samples
        centre, scale = self._centre_and_scale()
        parts: Any = None
        shift = np.zeros(0)
        if targets is not None:
            targets = xp.reshape(targets, (n, -1))
            q = targets.shape[1]
            shift = np.zeros(q)
            if self.fit_intercept:
                # of the first few, as the columns' own: what is left is small enough to cancel nothing
                shift = home(targets[:: max(1, n // FEW_ROWS), :])[0].mean(axis=0)
                shift = shift.astype(self.dtype).astype(np.float64)
        for s, Z, root in self._slabs(weight):
            sums, weight_sum = self._sums(Z, root)
            new = [block_sums(Z, Z), sums, weight_sum]
            if targets is not None:
                T = xp.astype(targets[s, :], Z.dtype, copy=False) - self.place.put(shift)
                if root is not None:
                    T = T * root[:, None]
                new += [block_sums(Z, T), block_sums(T, T), self._sums(T, root)[0]]
            parts = new if parts is None else [a + b for a, b in zip(parts, new, strict=True)]
        matrix, sums, weight_sum, *more = home(*parts)
        matrix = matrix * np.multiply.outer(scale, scale)
        sums = sums * scale
        if more:
            cross, inner, target_sums = more
            cross = cross * scale[:, None]
            matrix = np.block([[matrix, cross], [cross.T, inner]])
            sums = np.concatenate([sums, target_sums])
            centre = np.concatenate([centre, shift])
        if weight is None:
            matrix, sums, weight_sum = matrix / n, sums / n, 1.0
        if targets is not None:  # the first pass over the data
            require_finite(matrix.diagonal())
        if not self.fit_intercept:
            return Curvature(matrix, np.zeros(len(matrix)), 0.0)
        offset = sums / weight_sum
        return Curvature(matrix - weight_sum * np.outer(offset, offset), centre + offset, weight_sum)

    def moments(self, weight: Any = None) -> Curvature:
        """As `rows.RowBlocks.moments`."""
        self.passes += 1
        centre, scale = self._centre_and_scale()
        parts: Any = None
        for _, Z, root in self._slabs(weight):
            new = [*self._sums(Z, root), column_sums(Z * Z)]
            parts = new if parts is None else [a + b for a, b in zip(parts, new, strict=True)]
        sums, weight_sum, squares = home(*parts)
        sums, squares = sums * scale, squares * scale**2
        require_finite(squares)
        if weight is None:
            sums, squares, weight_sum = sums / self.n_samples, squares / self.n_samples, 1.0
        if not self.fit_intercept:
            return Curvature(squares, np.zeros(self.n_features), 0.0)
        offset = sums / weight_sum
        return Curvature(np.maximum(squares - weight_sum * offset**2, 0.0), centre + offset, weight_sum)

    def coupled_gram(self, p: Any, scaled: Any) -> tuple[Array, Array]:
        """As `rows.RowBlocks.coupled_gram`."""
        self.passes += 1
        xp = self.xp
        k, size = p.shape[1], self.size
        centre, scale = self._centre_and_scale()
        parts: Any = None
        for s, Z, _ in self._slabs(None):
            if self.fit_intercept:
                Z = xp.concat([Z, xp.ones_like(Z[:, :1])], axis=1)
            new = []
            for a in range(k):
                for b in range(a + 1):
                    w = scaled[s, a] * (1 - p[s, a]) if a == b else -scaled[s, a] * p[s, b]
                    new.append(block_sums(Z, Z * w[:, None]))
            parts = new if parts is None else [x + y for x, y in zip(parts, new, strict=True)]
        out = np.empty((k, size, k, size))
        blocks = iter(home(*parts))
        unit = np.concatenate([scale, np.ones(size - self.n_features)])
        for a in range(k):
            for b in range(a + 1):
                out[a, :, b] = next(blocks) * np.multiply.outer(unit, unit)
                out[b, :, a] = out[a, :, b]
        return out, centre
