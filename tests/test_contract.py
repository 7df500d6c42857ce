"""At the optimum, or with a warning: over condition numbers, units and offsets, precisions, shapes, storage and losses.

What a fit finds is held against the optimum of the same numbers, found in coordinates in which they are well conditioned: the singular
vectors of the columns about their means, in units of their spread. A user notices more than 1e-3 of the loss that can be explained.
"""

import warnings

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sklearn_gd import GDLinearRegression, GDLogisticRegression

NOTICED = 1e-3
WIDE = np.longdouble
# of one column, times the others' unit, and how many of its spreads it lies from zero
UNITS = [(1, 0), (1e-8, 0), (1e6, 10), (1e12, 0), (1, 1e4), (1, 1e8), (1, 1e12)]
CONDITIONS = [1, 1e4, 1e8, 1e12]


def data(n, p, condition, unit, offset, dtype, seed=0):
    """X with singular values from 1 to 1/condition but for one column's unit, and its left singular vectors before that."""
    rng = np.random.default_rng(seed)
    k = min(n, p)
    U, V = (np.linalg.qr(rng.normal(size=(size, k)))[0] for size in (n, p))
    X = (U * np.geomspace(1, 1 / condition, k)) @ V.T * np.sqrt(n)
    X[:, 0] = (X[:, 0] + offset) * unit
    return X.astype(dtype), U * np.sqrt(n), rng


def standardised(X):
    X = X.astype(np.float64)
    Z = X - X.mean(axis=0)
    Z -= Z.mean(axis=0)
    spread = np.sqrt((Z * Z).mean(axis=0))
    spread[spread == 0] = 1
    return Z / spread, spread


def raw(X, coef, intercept):
    return X.astype(WIDE) @ np.ravel(coef).astype(WIDE) + WIDE(np.ravel(intercept)[0])


def squares(X, y, coef, intercept, alpha):
    residual = raw(X, coef, intercept) - y.astype(WIDE)
    return float(0.5 * (residual * residual).mean() + 0.5 * alpha * (coef.astype(WIDE) ** 2).sum())


def least_squares(X, y, alpha):
    n, p = X.shape
    Z, spread = standardised(X)
    about = y.astype(np.float64) - y.astype(np.float64).mean()
    rows, targets = Z, about
    if alpha:
        rows, targets = np.vstack([Z, np.diag(np.sqrt(alpha * n) / spread)]), np.r_[about, np.zeros(p)]
    v = scipy.linalg.lstsq(rows, targets, cond=1e-15)[0]
    residual = Z @ v - about
    return float(0.5 * (residual * residual).mean() + 0.5 * alpha * ((v / spread) ** 2).sum())


def log_loss(X, y, coef, intercept, alpha):
    margin = (2 * y - 1) * raw(X, coef, intercept)
    return float(np.logaddexp(WIDE(0), -margin).mean() + 0.5 * alpha * (coef.astype(WIDE) ** 2).sum())


def least_log_loss(X, y, alpha):
    """By Newton's method, whose steps are least squares of the rows themselves."""
    n, p = X.shape
    Z, spread = standardised(X)
    sign = 2.0 * y - 1
    rows = np.column_stack([Z, np.ones(n)])
    penalty = np.append(np.sqrt(alpha) / spread, 0.0)

    def objective(v):
        return np.logaddexp(0, -sign * (rows @ v)).mean() + 0.5 * ((penalty * v) ** 2).sum()

    v = np.zeros(p + 1)
    value = objective(v)
    for _ in range(200):
        tail = 1 / (1 + np.exp(np.clip(sign * (rows @ v), -700, 700)))
        root = np.sqrt(tail * (1 - tail) / n)
        left = np.vstack([rows * root[:, None], np.diag(penalty)])
        right = np.append(sign * tail / n / root, -penalty * v)
        step = scipy.linalg.lstsq(left, right, cond=1e-16)[0]
        lengths = 0.5 ** np.arange(40)
        lower = next((t for t in lengths if objective(v + t * step) < value), None)
        if lower is None:
            break
        v = v + lower * step
        fallen, value = value - objective(v), objective(v)
        if fallen < 1e-13 * value:
            break
    return value


MODELS = {"least squares": 0.0, "ridge": 1e-3, "logistic, C=1": 1.0, "logistic, C=1e4": 1e4}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("shape", [(200, 20), (300, 70), (40, 90)], ids=str)
def test_the_optimum_or_a_warning(shape, storage, dtype, model):
    n = shape[0]
    silent = []
    for condition in CONDITIONS:
        for unit, offset in UNITS:
            if model == "logistic, C=1" and unit == 1e-8:
                continue  # the column's penalty alone decides
            X, U, rng = data(*shape, condition, unit, offset, dtype)
            signal = U @ rng.normal(size=U.shape[1])
            if model.startswith("logistic"):
                C = MODELS[model]
                y = (rng.random(n) < 1 / (1 + np.exp(-signal))).astype(int)
                estimator, objective, alpha = GDLogisticRegression(C=C), log_loss, 1 / (C * n)
                best, share = least_log_loss(X, y, alpha), y.mean()
                null = -share * np.log(share) - (1 - share) * np.log(1 - share)
            else:
                y = (signal + rng.normal(size=n)).astype(dtype)
                alpha = MODELS[model] * X.astype(np.float64)[:, 1:].var(axis=0).mean()
                estimator, objective = GDLinearRegression(alpha=alpha), squares
                best, null = least_squares(X, y, alpha), 0.5 * y.astype(np.float64).var()
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                estimator.fit(storage(X), y)
            assert all(issubclass(warning.category, ConvergenceWarning) for warning in told)
            assert estimator.n_iter_ <= estimator.max_iter
            found = objective(X, y, estimator.coef_, estimator.intercept_, alpha)
            gap = (found - min(best, found)) / (null - min(best, found))
            if not told and not gap <= NOTICED:
                silent.append(
                    f"condition {condition:g}, unit {unit:g}, offset {offset:g}: {gap:.2g} {estimator.stop_reason_}"
                )
    assert not silent


@pytest.mark.parametrize("condition", [1e2, 1e4])
@pytest.mark.parametrize("shape", [(400, 30), (50, 120)], ids=str)
@pytest.mark.parametrize("storage", [np.asarray, np.asfortranarray, sp.csr_array], ids=["C", "F", "sparse"])
def test_float32_data_have_the_optimum_of_their_numbers(shape, storage, condition):
    """To 1e-5 of the loss, without a warning: the float64 fit of the same numbers."""
    X, U, rng = data(*shape, condition, 1, 0, np.float32)
    weight = rng.uniform(0.5, 2, size=shape[0])
    y = (U @ rng.normal(size=U.shape[1]) + 3 * rng.normal(size=shape[0])).astype(np.float32)
    alpha = 1e-6
    coarse, fine = (GDLinearRegression(alpha=alpha).fit(storage(Z), y, weight) for Z in (X, X.astype(np.float64)))
    values = []
    for model in (coarse, fine):
        residual = raw(X, model.coef_, model.intercept_) - y
        values.append(
            float(0.5 * np.average(residual**2, weights=weight) + 0.5 * alpha * (model.coef_.astype(WIDE) ** 2).sum())
        )
    assert values[0] <= values[1] * (1 + 1e-5)
    labels = (y > np.median(y)).astype(int)
    coarse, fine = (GDLogisticRegression(C=1e3).fit(storage(Z), labels) for Z in (X, X.astype(np.float64)))
    values = [log_loss(X, labels, m.coef_[0], m.intercept_, 1e-3 / len(y)) for m in (coarse, fine)]
    assert values[0] <= values[1] * (1 + 1e-5)


@pytest.mark.parametrize("condition", [1e5, 1e9, 1e11])
@pytest.mark.parametrize("case", ["weighted", "two targets", "in a file", "three classes"])
def test_columns_that_nearly_depend_are_told_apart_in_double_precision(case, condition, tmp_path):
    """The Gram matrix of such columns has no digit of them; the optimum is found all the same."""
    X, U, rng = data(300, 12, condition, 1, 0, np.float64)
    if case == "three classes":
        if condition > 1e5:
            pytest.skip("the Hessian over all classes has no finer form: such a fit ends with a warning, see above")
        y = (U @ rng.normal(size=(12, 3)) + rng.gumbel(size=(300, 3))).argmax(axis=1)
        model = GDLogisticRegression(C=np.inf).fit(X, y)
        best = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(U, y)
        np.testing.assert_allclose(model.predict_log_proba(X), best.predict_log_proba(U), atol=2e-3)
        return
    weight = rng.uniform(0.2, 3, size=300) if case == "weighted" else np.ones(300)
    y = U @ rng.normal(size=(12, 2)) + rng.normal(size=(300, 2))
    y = y if case == "two targets" else y[:, 0]
    Z = X
    if case == "in a file":
        np.save(tmp_path / "X.npy", X)
        Z = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = GDLinearRegression().fit(Z, y, weight)
    rows = np.column_stack([U, np.ones(300)]) * np.sqrt(weight)[:, None]
    targets = (y.T * np.sqrt(weight)).T
    best = rows @ np.linalg.lstsq(rows, targets, rcond=None)[0]
    found = (model.predict(X).T * np.sqrt(weight)).T
    # the residual has the length that it must
    assert np.linalg.norm(targets - found) <= np.linalg.norm(targets - best) * (1 + 1e-6)
