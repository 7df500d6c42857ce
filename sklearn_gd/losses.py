"""Pointwise losses: what one prediction costs, and its first two derivatives.

Two uses: the half squared error of `GDLinearRegression`, the log losses of `GDLogisticRegression`.

Conventions, stated once for all of them: ``raw`` is the prediction in the link space, shape (n_samples,) or
(n_samples, n_outputs); every derivative is with respect to ``raw``; ``weight`` is None or one factor a sample.
A loss never sees X and never sums over samples except in `along`, which returns sums because a search
over a few step sizes needs nothing else.
"""

from __future__ import annotations

import numpy as np

__all__ = ["LOSSES", "Binomial", "HalfSquaredError", "Multinomial"]


class PointwiseLoss:
    """A loss whose Hessian in the raw predictions is diagonal: `along` is written once for those."""

    def along(self, y, raw, weight, images, order=2):
        """Weighted sums of the loss and of its derivatives along directions of the raw predictions.

        Parameters
        ----------
        y, raw, weight : arrays of one block of samples
        images : sequence of m arrays like `raw`
            The raw predictions of the directions.
        order : {0, 1, 2}
            0 for the value alone, 1 for the gradient, too, 2 for the Hessian, too.

        Returns
        -------
        value : float
        gradient : ndarray of shape (m,) or None
        hessian : ndarray of shape (m, m) or None
        """
        value, slope, bend = self.derivatives(y, raw, order)
        if weight is None:
            total = value.sum(dtype=np.float64)
        else:
            total = np.vdot(weight, value)
            if order:
                factor = weight if slope.ndim == 1 else weight[:, None]
                slope = slope * factor
                if order == 2:
                    bend = bend * factor
        if not order:
            return float(total), None, None
        m = len(images)
        gradient = np.array([np.vdot(image, slope) for image in images], dtype=np.float64)
        if order == 1:
            return float(total), gradient, None
        hessian = np.empty((m, m))
        for i, image in enumerate(images):
            bent = image * bend
            for j in range(i + 1):
                hessian[i, j] = hessian[j, i] = np.vdot(bent, images[j])
        return float(total), gradient, hessian


class HalfSquaredError(PointwiseLoss):
    """½ (raw − y)², summed over the targets of a sample.

    ``y`` has the shape of ``raw``.
    """

    curvature = 1.0  # the second derivative, everywhere

    def derivatives(self, y, raw, order=2):
        residual = raw - y
        value = 0.5 * residual * residual
        if value.ndim == 2:
            value = value.sum(axis=1)
        return value, residual, np.ones((), dtype=residual.dtype)

    def hessian_diagonal(self, y, raw):
        return np.ones_like(raw)


class Binomial(PointwiseLoss):
    """log(1 + exp(−y·raw)) with ``y`` −1 or +1: the negative log-likelihood of a logistic model.

    Signed labels keep the small tail small: the gradient −y·σ(−y·raw) of a well classified sample is exact to its
    last digits, which σ(raw) − 1 is not.
    """

    curvature = 0.25  # σ(1 − σ) has its maximum 1/4 at raw = 0 (Böhning and Lindsay, 1988)

    def derivatives(self, y, raw, order=2):
        margin = y * raw
        tail = np.exp(-np.abs(margin))  # in (0, 1]: neither factor can overflow
        value = np.log1p(tail)
        value -= np.minimum(margin, 0)
        if not order:
            return value, None, None
        # σ(−margin), the probability given to the wrong class
        wrong = np.where(margin < 0, 1, tail)
        tail += 1
        wrong /= tail
        slope = -y * wrong
        if order == 1:
            return value, slope, None
        return value, slope, wrong * (1 - wrong)

    def hessian_diagonal(self, y, raw):
        tail = np.exp(-np.abs(raw))
        return tail / (1 + tail) ** 2


class Multinomial:
    """logsumexp(raw) − raw[y] with ``y`` the index of the class, raw of shape (n_samples, n_classes).

    Symmetric: every class has its own raw prediction, and a shift common to all changes nothing.
    """

    curvature = 0.5  # diag(p) − ppᵀ ≤ ½ (I − 11ᵀ/K) (Böhning, 1992), whose largest eigenvalue is ½

    @staticmethod
    def probabilities(raw):
        """Softmax and its log-normaliser, shapes (n_samples, n_classes) and (n_samples,)."""
        peak = raw.max(axis=1)
        p = np.exp(raw - peak[:, None])
        total = p.sum(axis=1)
        p /= total[:, None]
        return p, np.log(total) + peak

    def derivatives(self, y, raw, order=2):
        p, normaliser = self.probabilities(raw)
        rows = np.arange(len(y))
        value = normaliser - raw[rows, y]
        if not order:
            return value, None, None
        slope = p.copy() if order == 2 else p
        slope[rows, y] -= 1
        return value, slope, p

    def hessian_diagonal(self, y, raw):
        p, _ = self.probabilities(raw)
        return p * (1 - p)

    def along(self, y, raw, weight, images, order=2):
        """As `PointwiseLoss.along`, with the Hessian diag(p) − ppᵀ of each sample."""
        value, slope, p = self.derivatives(y, raw, order)
        if weight is None:
            total = value.sum(dtype=np.float64)
        else:
            total = np.vdot(weight, value)
            if order:
                slope = slope * weight[:, None]
        if not order:
            return float(total), None, None
        gradient = np.array([np.vdot(image, slope) for image in images], dtype=np.float64)
        if order == 1:
            return float(total), gradient, None
        m = len(images)
        hessian = np.empty((m, m))
        bent = [p * image for image in images]
        means = [b.sum(axis=1) for b in bent]
        for i in range(m):
            for j in range(i + 1):
                if weight is None:
                    entry = np.vdot(bent[i], images[j]) - np.vdot(means[i], means[j])
                else:
                    entry = np.vdot(weight, (bent[i] * images[j]).sum(axis=1) - means[i] * means[j])
                hessian[i, j] = hessian[j, i] = entry
        return float(total), gradient, hessian


LOSSES = {"half_squared_error": HalfSquaredError, "binomial": Binomial, "multinomial": Multinomial}
