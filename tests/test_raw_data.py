"""Data as people have them: correlated, in float32, in units of their own, constant, separated, at the ends of what numbers hold."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklearn_gd import GDLinearRegression, GDLogisticRegression
from sklearn_gd.exceptions import PrecisionWarning, SeparationWarning

STORAGE = {"dense": np.asarray, "sparse": sp.csr_array}


def r2(model, X, y):
    """With the coefficients as they are, in double precision."""
    residual = y - X.astype(np.float64) @ model.coef_.astype(np.float64) - float(model.intercept_)
    return 1 - residual @ residual / np.sum((y - y.mean()) ** 2)


def log_loss(model, X, y, C):
    raw = X.astype(np.float64) @ model.coef_[0].astype(np.float64) + float(model.intercept_[0])
    return np.logaddexp(0, -(2 * y - 1) * raw).mean() + (model.coef_.astype(float) ** 2).sum() / (2 * C * len(y))


# ---------------------------------------------------------------------------------------------------------- float32


def test_products_of_features_in_float32():
    X, y = load_breast_cancer(return_X_y=True)
    X = PolynomialFeatures(2, include_bias=False).fit_transform(StandardScaler().fit_transform(X)).astype(np.float32)
    exact = LinearRegression(tol=1e-13).fit(X.astype(np.float64), y)
    assert r2(GDLinearRegression().fit(X, y), X, y) > r2(exact, X, y) - 1e-3


@pytest.mark.parametrize("storage", STORAGE)
@pytest.mark.parametrize("columns", [5, 70])
def test_two_columns_that_nearly_agree_in_float32(columns, storage):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, columns))
    X[:, 1] = X[:, 0] + 1e-2 * rng.normal(size=1000)
    X = X.astype(np.float32)
    y = (3 * X[:, 0] - 2 * X[:, 1] + 1e-3 * rng.normal(size=1000)).astype(np.float32)
    model = GDLinearRegression().fit(STORAGE[storage](X), y)
    np.testing.assert_allclose(model.coef_[:2], [3, -2], atol=2e-2)


@pytest.mark.parametrize("factor", ["squared", "C=1", "C=100"])
def test_more_columns_than_rows_of_strong_factors_in_float32(factor):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(500, 30)) @ rng.normal(size=(30, 1000)) + 0.01 * rng.normal(size=(500, 1000))).astype(
        np.float32
    )
    y = rng.normal(size=500)
    if factor == "squared":
        assert r2(GDLinearRegression().fit(X, y), X, y) > 0.999
        return
    C, labels = float(factor[2:]), (y > 0).astype(int)
    ours, exact = (GDLogisticRegression(C=C).fit(Z, labels) for Z in (X, X.astype(np.float64)))
    assert log_loss(ours, X, labels, C) <= log_loss(exact, X, labels, C) * (1 + 1e-5)
    best = LogisticRegression(C=C, solver="newton-cg", tol=1e-8, max_iter=1000).fit(X.astype(np.float64), labels)
    assert log_loss(exact, X, labels, C) <= log_loss(best, X, labels, C) * (1 + 1e-6)


@pytest.mark.parametrize("C", [1e4, np.inf])
@pytest.mark.parametrize("columns", [3, 70])
def test_correlated_columns_and_a_weak_penalty_in_float32(columns, C):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(2000, columns))
    X[:, 1] = X[:, 0] + 1e-2 * X[:, 1]
    y = (rng.random(2000) < 1 / (1 + np.exp(-(200 * X[:, 0] - 200 * X[:, 1] + X[:, 2])))).astype(int)
    X = X.astype(np.float32)
    ours, exact = (GDLogisticRegression(C=C).fit(Z, y) for Z in (X, X.astype(np.float64)))
    assert log_loss(ours, X, y, C) <= log_loss(exact, X, y, C) * (1 + 1e-5)


def test_powers_of_one_variable_in_float32():
    rng = np.random.default_rng(1)
    x = rng.random(1000)
    X = np.vander(x, 8, increasing=True)[:, 1:].astype(np.float32)
    y = (rng.random(1000) < 0.5 + 0.4 * np.sin(12 * x)).astype(int)
    best = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12).fit(
        np.polynomial.legendre.legvander(2 * x - 1, 7)[:, 1:], y
    )
    expected = np.logaddexp(
        0, -(2 * y - 1) * best.decision_function(np.polynomial.legendre.legvander(2 * x - 1, 7)[:, 1:])
    ).mean()
    assert log_loss(GDLogisticRegression(C=np.inf).fit(X, y), X, y, np.inf) < expected + 1e-3 * (np.log(2) - expected)


def test_predictions_of_float32_data_far_from_zero():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(2000, 3)) + np.array([1e5, 0, 0])).astype(np.float32)
    y = X.astype(np.float64) @ [1.0, 2.0, 3.0] - 1e5
    model = GDLinearRegression().fit(X, y)
    exact = X.astype(np.float64) @ model.coef_.astype(np.float64) + float(model.intercept_)
    np.testing.assert_allclose(model.predict(X), exact, rtol=2e-7, atol=1e-6)


# ------------------------------------------------------------------------------- more columns than rows, one of them large


@pytest.mark.parametrize("storage", STORAGE)
@pytest.mark.parametrize("alpha", [0.0, 1e-3])
@pytest.mark.parametrize("kind", ["1e6 and far", "1e8", "user number", "milliseconds"])
def test_a_column_in_large_units(kind, alpha, storage):
    rng = np.random.default_rng(0)
    n, p = {"user number": (20, 50), "milliseconds": (60, 300)}.get(kind, (50, 200))
    Z = rng.normal(size=(n, p))
    y = Z[:, :5].sum(axis=1) + 0.1 * rng.normal(size=n)
    X = Z.copy()
    X[:, 0] = {
        "1e6 and far": (Z[:, 0] + 10) * 1e6,
        "1e8": Z[:, 0] * 1e8,
        "user number": rng.integers(10**8, 10**9, n),
        "milliseconds": 1.7e12 + rng.uniform(0, 3e10, n),
    }[kind]
    model = GDLinearRegression(alpha=alpha).fit(STORAGE[storage](X), y)
    unit = np.append(X[:, 0].std(), np.ones(p - 1))
    scaled = (X - X.mean(axis=0)) / unit
    rows = np.vstack([scaled, np.diag(np.sqrt(alpha * n) / unit)])
    best = np.linalg.lstsq(rows, np.append(y - y.mean(), np.zeros(p)), rcond=1e-14)[0] / unit
    residual = y - y.mean() - scaled @ (model.coef_ * unit)
    expected = y - y.mean() - scaled @ (best * unit)
    ours, least = (r @ r / n + alpha * w @ w for r, w in ((residual, model.coef_), (expected, best)))
    assert ours <= least + 1e-6 * y.var()
    if not alpha:  # among equal solutions the smallest
        assert np.linalg.norm(model.coef_) <= np.linalg.norm(best) * (1 + 1e-6)


@pytest.mark.parametrize("column", ["seconds", "user number"])
def test_words_beside_a_large_number(column):
    rng = np.random.default_rng(0)
    words = sp.csr_array(
        TfidfTransformer().fit_transform(sp.csr_array(rng.poisson(0.02, size=(200, 1000)).astype(float)))
    )
    large = 1.6e9 + rng.uniform(0, 3e7, 200) if column == "seconds" else rng.integers(10**6, 10**8, 200).astype(float)
    X = sp.csr_array(sp.hstack([words, sp.csr_array(large[:, None])]))
    y = (words[:, :50].sum(axis=1) > np.median(words[:, :50].sum(axis=1))).astype(int)
    scaled = sp.csr_array(sp.hstack([words, sp.csr_array(((large - large.mean()) / large.std())[:, None])]))
    # the large number's penalty is next to nothing in its own unit
    best = LogisticRegression(C=1.0, solver="newton-cg", tol=1e-9, max_iter=1000).fit(scaled, y)
    ours = GDLogisticRegression().fit(X, y)

    def objective(model, X):
        raw = X @ model.coef_[0] + model.intercept_[0]
        return np.logaddexp(0, -(2 * y - 1) * raw).mean() + (model.coef_[0, :-1] ** 2).sum() / 400

    assert objective(ours, X) <= objective(best, scaled) * (1 + 1e-6)
    assert GDLinearRegression().fit(X, y).score(X, y) > 0.9999
    theirs = Ridge(alpha=0.2, solver="svd").fit(scaled.toarray(), y).score(scaled.toarray(), y)
    assert GDLinearRegression(alpha=1e-3).fit(X, y).score(X, y) > theirs - 1e-3


@pytest.mark.parametrize("max_iter", [1, 5])
@pytest.mark.parametrize("storage", STORAGE)
def test_iterations_bound_every_fit(storage, max_iter):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(50, 200))
    y = Z[:, :5].sum(axis=1) + 0.1 * rng.normal(size=50)
    Z[:, 0] = (Z[:, 0] + 10) * 1e6
    for model in (GDLinearRegression(max_iter=max_iter), GDLogisticRegression(max_iter=max_iter)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(STORAGE[storage](Z), y if isinstance(model, GDLinearRegression) else y > 0)
        assert model.n_iter_ <= max_iter


# ------------------------------------------------------------------------------------------------------ no finite optimum


def clouds(rng):
    return np.r_[rng.normal(size=(30, 2)) + 3, rng.normal(size=(30, 2)) - 3], np.repeat([0, 1], 30)


def quasi(rng):
    y = rng.integers(0, 2, 200)
    return np.column_stack([(y == 1) & (rng.random(200) < 0.2), rng.normal(size=(200, 2))]).astype(float), y


def one_class_of_three(rng):
    y = np.repeat([0, 1, 2], 20)
    X = rng.normal(size=(60, 2))
    X[y == 2] += 20
    return X, y


def quasi_of_three(rng):
    y = rng.integers(0, 3, 200)
    return np.column_stack([(y == 2) & (rng.random(200) < 0.3), rng.normal(size=200)]).astype(float), y


def more_columns_than_rows(rng):
    return rng.normal(size=(20, 60)), np.repeat([0, 1], 10)


@pytest.mark.parametrize("storage", STORAGE)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", [clouds, quasi, one_class_of_three, quasi_of_three, more_columns_than_rows])
def test_separated_classes_have_no_optimum_without_a_penalty(case, dtype, storage):
    X, y = case(np.random.default_rng(0))
    X = STORAGE[storage](X.astype(dtype))
    with pytest.warns(SeparationWarning, match="no finite optimum.*Use a penalty"):
        model = GDLogisticRegression(C=np.inf).fit(X, y)
    assert np.isfinite(model.coef_).all()
    if case in (clouds, more_columns_than_rows):
        assert model.score(X, y) == 1.0
    if case is one_class_of_three:
        np.testing.assert_array_equal(model.predict(X) == 2, y == 2)
    GDLogisticRegression(C=1.0).fit(X, y)  # nothing to say


def test_what_is_not_separated_is_not_said_to_be():
    X, y = load_iris(return_X_y=True)
    rng = np.random.default_rng(0)
    for seed in range(10):
        y = np.where(rng.random(150) < 0.2, rng.integers(0, 3, 150), y)
        GDLogisticRegression(C=np.inf, max_iter=10_000).fit(X[:, seed % 4 :], y)


# -------------------------------------------------------------------------------------- nothing varies, nothing is explained


@pytest.mark.parametrize(
    "X", [np.zeros((5, 10)), np.full((5, 10), 5.0), sp.csr_array((5, 10)), np.zeros((5, 2)), sp.csr_array((5, 2))]
)
def test_classes_of_features_that_do_not_vary(X):
    y = np.array([0, 1, 1, 0, 2])
    np.testing.assert_allclose(GDLogisticRegression().fit(X, y).predict_proba(X)[0], [0.4, 0.4, 0.2], atol=1e-6)
    np.testing.assert_allclose(GDLogisticRegression().fit(X, y > 0).predict_proba(X)[0], [0.4, 0.6], atol=1e-6)


@pytest.mark.parametrize("strength", [1e3, 1e6, 1e9, 1e12])
@pytest.mark.parametrize("shape", [(400, 5), (40, 90)], ids=str)
def test_a_strong_penalty_shrinks_coefficients_and_not_to_nothing(shape, strength):
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape)
    y = X[:, 0] + rng.normal(size=shape[0])
    y -= y.mean()
    # alpha w = the covariance, up to what is left of the loss
    covariance = X.T @ y / len(y)
    model = GDLinearRegression(alpha=strength).fit(X, y)
    np.testing.assert_allclose(
        strength * model.coef_, covariance, atol=0.02 * np.abs(covariance).max() if strength == 1e3 else 2e-3
    )
    labels = (y > np.median(y)).astype(int)
    logistic = GDLogisticRegression(C=1 / strength).fit(X, labels)
    gradient = X.T @ (labels - labels.mean())
    np.testing.assert_allclose(
        logistic.coef_[0] * strength, gradient, atol=(0.2 if strength == 1e3 else 2e-3) * np.abs(gradient).max()
    )


@pytest.mark.parametrize("storage", STORAGE)
@pytest.mark.parametrize("preconditioner", ["auto", "diagonal", "full"])
@pytest.mark.parametrize("shape", [(400, 30), (60, 150)], ids=str)
def test_a_constant_column_is_the_intercepts(shape, preconditioner, storage):
    rng = np.random.default_rng(0)
    X = sp.random_array(shape, density=0.1, random_state=0).toarray()
    y = X[:, :3].sum(axis=1) + 1e5 + 0.5 * rng.normal(size=shape[0])
    X = np.column_stack([X, np.full(len(X), 2000.0)])
    model = GDLinearRegression(alpha=1e-6, preconditioner=preconditioner).fit(STORAGE[storage](X), y)
    assert model.coef_[-1] == 0
    # also from a start where it was something else
    start = (np.append(np.zeros(shape[1]), 7.0), 0.0)
    again = GDLinearRegression(alpha=1e-6, preconditioner=preconditioner, init=start).fit(STORAGE[storage](X), y)
    assert abs(again.coef_[-1]) < 1e-9
    np.testing.assert_allclose(again.predict(X), model.predict(X), rtol=1e-6)


def test_a_few_rounding_errors_of_spread_are_no_constant():
    """Nanoseconds since 1970, 256 apart: exact in double precision, and eleven of its rounding errors wide."""
    t = 1_700_000_000_000_000_000 + 256 * np.arange(40)
    y = 3.0 * np.arange(40) + np.random.default_rng(0).normal(size=40)
    slope = np.polyfit(np.arange(40.0), y, 1)[0] / 256
    for X in (t[:, None], sp.csr_array(t[:, None].astype(float))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PrecisionWarning)  # the intercept, 2e16, is rounded to a multiple of 4
            model = GDLinearRegression().fit(X, y)
        assert model.coef_[0] == pytest.approx(slope, rel=1e-2)


def test_wide_ridge_of_a_target_far_from_zero_ends():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 400))
    signal = X[:, :3].sum(axis=1) + 0.1 * rng.normal(size=60)
    near = GDLinearRegression(alpha=1e-3).fit(X, signal)
    far = GDLinearRegression(alpha=1e-3).fit(X, signal + 1e8)
    np.testing.assert_allclose(far.coef_, near.coef_, atol=1e-5)


# ------------------------------------------------------------------------------------------------- the ends of what numbers hold


@pytest.mark.parametrize("estimator", [GDLinearRegression, GDLogisticRegression])
@pytest.mark.parametrize("case", ["a column twice", "rank 2", "zeros", "three rows far from zero"])
def test_sketches_of_dependent_columns(case, estimator):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(200, 6))
    X = {
        "a column twice": np.c_[Z, Z].astype(np.float32),
        "rank 2": (Z[:, :2] @ rng.normal(size=(2, 100))).astype(np.float32),
        "zeros": np.zeros((200, 4)),
        "three rows far from zero": 1e6 + rng.normal(size=(3, 120)),
    }[case]
    y = (Z.sum(axis=1) + rng.normal(size=200))[: len(X)]
    y = y if estimator is GDLinearRegression else (y > np.median(y)).astype(int)
    for fit_intercept in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PrecisionWarning)  # of three rows, far from zero
            sketched, diagonal = (
                estimator(preconditioner=name, fit_intercept=fit_intercept).fit(X, y)
                for name in ("nystrom", "diagonal")
            )
        assert sketched.loss_curve_[-1] <= diagonal.loss_curve_[-1] + 1e-4 * diagonal.loss_curve_[0]


@pytest.mark.parametrize("storage", STORAGE)
@pytest.mark.parametrize("columns", [3, 70])
@pytest.mark.parametrize("scale", [1e-27, 1e-25, 1e20, 1e30])
def test_float32_targets_in_units_of_physics(scale, columns, storage):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, columns)).astype(np.float32)
    y = 2 * X[:, 0] - X[:, 1] + 0.1 * rng.normal(size=800)
    model = GDLinearRegression().fit(STORAGE[storage](X), (y * scale).astype(np.float32))
    np.testing.assert_allclose(model.coef_[:2] / scale, [2, -1], atol=2e-2)


def test_one_large_number_in_float32():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 70)).astype(np.float32)
    X[5, 1] = 1e20
    y = X[:, 0] + rng.normal(size=800)
    scaled = X.astype(np.float64)
    scaled[:, 1] /= 1e20
    assert GDLinearRegression().fit(X, y).coef_[0] == pytest.approx(
        LinearRegression().fit(scaled, y).coef_[0], rel=1e-4
    )


@pytest.mark.parametrize("size", [1e-200, 1e160])
def test_targets_whose_squares_are_no_numbers_are_refused_by_name(size):
    X = np.random.default_rng(0).normal(size=(50, 3))
    with pytest.raises(ValueError, match=r"^y has numbers up to .* another unit"):
        GDLinearRegression().fit(X, X[:, 0] * size)
    with pytest.raises(ValueError, match=r"^X[, ].*(too small|too large)"):
        GDLinearRegression().fit(X * size, X[:, 0])
    with pytest.raises(ValueError, match=r"^y has numbers up to .* too large for float32"):
        GDLinearRegression().fit(X.astype(np.float32), X[:, 0] * 1e39)
    with pytest.raises(ValueError, match=r"coefficient .* too large for float32"):
        GDLinearRegression().fit((X * 1e-25).astype(np.float32), X[:, 0] * 1e25)
