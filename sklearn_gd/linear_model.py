"""The two estimators: their loss, their target and their predictions on `base.BaseGD`."""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse
from sklearn.base import ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from ._checks import check_number
from .base import BaseGD
from .losses import Binomial, HalfSquaredError, Multinomial

__all__ = ["GDLinearRegression", "GDLogisticRegression"]


class GDLinearRegression(MultiOutputMixin, RegressorMixin, BaseGD):
    """Least squares by batch gradient descent."""

    def __init__(
        self,
        *,
        alpha=0.0,
        learning_rate="auto",
        momentum="auto",
        preconditioner="auto",
        fit_intercept=True,
        max_iter=1000,
        tol=1e-6,
        init="zeros",
        random_state=None,
        warm_start=False,
        on_divergence="warn",
        verbose=0,
    ):
        super().__init__(
            learning_rate=learning_rate,
            momentum=momentum,
            preconditioner=preconditioner,
            fit_intercept=fit_intercept,
            max_iter=max_iter,
            tol=tol,
            init=init,
            random_state=random_state,
            warm_start=warm_start,
            on_divergence=on_divergence,
            verbose=verbose,
        )
        self.alpha = alpha

    def _check_own_parameters(self):
        check_number("alpha", self.alpha, 0, right=False)

    def _check_X_y(self, X, y):
        if scipy.sparse.issparse(y):
            raise TypeError("y is sparse; a dense array is required: use y.toarray().")
        return validate_data(
            self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32], multi_output=True, y_numeric=True
        )

    def _target(self, y, weight, dtype):
        y = y.astype(dtype, copy=False)
        if weight is None:
            about = y - (y.mean(axis=0, dtype=np.float64) if self.fit_intercept else 0.0)
            scale = np.sqrt(np.einsum("i...,i...->...", about, about) / len(y))
        else:
            mean = np.average(y, axis=0, weights=weight) if self.fit_intercept else 0.0
            scale = np.sqrt(np.average(np.square(y - mean, dtype=np.float64), axis=0, weights=weight))
        # A constant target is predicted exactly by the intercept: any scale but zero will do.
        scale = np.where(scale > 0, scale, 1.0)
        n_outputs = y.shape[1] if y.ndim == 2 else None
        return HalfSquaredError(), y, weight, float(self.alpha), scale, n_outputs, {}

    def _shaped(self, coef, intercept):
        return coef, intercept[()]

    def predict(self, X):
        """Predict the target.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        return self._raw(X)


class GDLogisticRegression(ClassifierMixin, BaseGD):
    """Logistic regression by batch gradient descent."""

    def __init__(
        self,
        *,
        C=1.0,
        class_weight=None,
        learning_rate="auto",
        momentum="auto",
        preconditioner="auto",
        fit_intercept=True,
        max_iter=1000,
        tol=1e-6,
        init="zeros",
        random_state=None,
        warm_start=False,
        on_divergence="warn",
        verbose=0,
    ):
        super().__init__(
            learning_rate=learning_rate,
            momentum=momentum,
            preconditioner=preconditioner,
            fit_intercept=fit_intercept,
            max_iter=max_iter,
            tol=tol,
            init=init,
            random_state=random_state,
            warm_start=warm_start,
            on_divergence=on_divergence,
            verbose=verbose,
        )
        self.C = C
        self.class_weight = class_weight

    def _check_own_parameters(self):
        check_number("C", self.C, 0, left=False)
        weight = self.class_weight
        if not (weight is None or isinstance(weight, dict) or (isinstance(weight, str) and weight == "balanced")):
            raise ValueError(f"class_weight must be None, a dict or 'balanced', got {weight!r}.")

    def _check_X_y(self, X, y):
        return validate_data(self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32])

    def _target(self, y, weight, dtype):
        classes, index = encode(y)
        k = len(classes)
        if k < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least 2 classes in the data, but the data contains only one "
                f"class: {classes[0]!r}"
            )
        if self.class_weight is not None:
            per_class = compute_class_weight(self.class_weight, classes=classes, y=y, sample_weight=weight)
            if not (np.isfinite(per_class).all() and (per_class >= 0).all() and per_class.any()):
                raise ValueError(
                    f"class_weight must give finite weights that are not negative, and not all zero, got {self.class_weight!r}."
                )
            factor = per_class[index].astype(dtype)
            weight = factor if weight is None else weight * factor
        total = float(len(y) if weight is None else weight.sum(dtype=np.float64))
        alpha = 0.0 if math.isinf(self.C) else 1.0 / (float(self.C) * total)
        share = np.bincount(index, weights=weight, minlength=k) / total
        present = share[share > 0]
        # twice the entropy: the loss of the constant prediction; 2 log k without an intercept
        entropy = float(-(present * np.log(present)).sum()) if self.fit_intercept else math.log(k)
        scale = math.sqrt(2 * entropy) if entropy > 0 else 1.0
        attributes = {"classes_": classes}
        if k == 2:
            return Binomial(), (2 * index - 1).astype(dtype), weight, alpha, scale, None, attributes
        return Multinomial(), index, weight, alpha, scale, k, attributes

    def _shaped(self, coef, intercept):
        return (coef[None, :], np.reshape(intercept, (1,))) if coef.ndim == 1 else (coef, intercept)

    def decision_function(self, X):
        """Raw predictions: the log-odds, or one score a class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        raw : ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        raw = self._raw(X)
        return raw.ravel() if raw.shape[1] == 1 else raw

    def predict(self, X):
        """Predict the most probable class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        raw = self.decision_function(X)
        return self.classes_[(raw > 0).astype(int) if raw.ndim == 1 else raw.argmax(axis=1)]

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        raw = self.decision_function(X)
        return Multinomial.probabilities(self._two_columns(raw))[0]

    def predict_log_proba(self, X):
        """Logarithms of the probabilities of the classes, exact where a probability rounds to 0.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        raw = self._two_columns(self.decision_function(X))
        return raw - Multinomial.probabilities(raw)[1][:, None]

    @staticmethod
    def _two_columns(raw):
        return np.column_stack([np.zeros_like(raw), raw]) if raw.ndim == 1 else raw


def encode(y):
    """The sorted classes, and the index of each sample's; continuous targets are refused."""
    if y.dtype.kind in "iub" and len(y):
        low, high = int(y.min()), int(y.max())
        if high - low < max(len(y), 256):
            # small integers, as most labels are: counted in one pass, not sorted
            shifted = np.subtract(y, low, dtype=np.intp)
            present = np.flatnonzero(np.bincount(shifted, minlength=high - low + 1))
            if len(present) == high - low + 1:
                return (present + low).astype(y.dtype), shifted
            return (present + low).astype(y.dtype), np.searchsorted(present, shifted)
    else:
        check_classification_targets(y)
    return np.unique(y, return_inverse=True)
