"""The default finds the optimum: on every classification and regression set that scikit-learn brings,
raw and standardised, without a warning, against the best that scikit-learn's own solvers find."""

import os

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit, logsumexp
from sklearn.datasets import (
    fetch_california_housing,
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_linnerud,
    load_wine,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler, scale

from sklearn_gd import GDLinearRegression, GDLogisticRegression

CLASSES = {"iris": load_iris, "wine": load_wine, "digits": load_digits, "breast cancer": load_breast_cancer}


def _california():
    if "SCIKIT_LEARN_DATA" not in os.environ:
        pytest.skip("California housing is not bundled; SCIKIT_LEARN_DATA names no folder that may hold it")
    try:
        return fetch_california_housing(return_X_y=True, download_if_missing=False)
    except OSError:
        pytest.skip("California housing is not in SCIKIT_LEARN_DATA")


REGRESSION = {
    "diabetes": lambda: load_diabetes(return_X_y=True, scaled=False),
    "linnerud": lambda: load_linnerud(return_X_y=True),  # three targets
    "california housing": _california,
    # A class's number is a target like any other, and these bring what the others lack: constant
    # columns (digits), columns that nearly say the same (breast cancer).
    **{name: lambda load=load: load(return_X_y=True) for name, load in CLASSES.items()},
}


def _form(X, form):
    return scale(X) if form == "standardised" else X


def _half_squared_error(model, X, y, alpha=0.0):
    residual = (model.predict(X) - y).reshape(len(y), -1)
    return 0.5 * np.sum(residual**2) / len(y) + alpha / 2 * np.sum(model.coef_**2)


def _log_loss(coef, intercept, X, codes, C, weights=None):
    """The objective of the package, with the numbers of scikit-learn's LogisticRegression(C)."""
    weights = np.ones(len(codes)) if weights is None else weights
    raw = X @ coef.T + intercept
    if raw.shape[1] == 1:
        raw = np.c_[np.zeros(len(raw)), raw]
    loss = logsumexp(raw, axis=1) - raw[np.arange(len(raw)), codes]
    return (weights @ loss + np.sum(coef**2) / (2 * C)) / weights.sum()


@pytest.mark.parametrize("form", ["raw", "standardised"])
@pytest.mark.parametrize("name", REGRESSION)
def test_least_squares(name, form):
    X, y = REGRESSION[name]()
    X, y = _form(X, form), y.astype(float)
    model = GDLinearRegression().fit(X, y)
    # tol=0: the default drops directions that it takes for noise, at the cost of the optimum.
    references = [LinearRegression(tol=0).fit(X, y), LinearRegression().fit(X, y)]
    best = min(references, key=lambda reference: _half_squared_error(reference, X, y))
    gap = _half_squared_error(model, X, y) / _half_squared_error(best, X, y) - 1
    assert gap <= 1e-6
    spread = np.std(y, axis=0).max()
    np.testing.assert_allclose(model.predict(X), best.predict(X), atol=5e-3 * spread)

    precise = GDLinearRegression(tol=1e-11, max_iter=100_000).fit(X, y)
    assert _half_squared_error(precise, X, y) / _half_squared_error(best, X, y) - 1 <= 1e-10


@pytest.mark.parametrize("form", ["raw", "standardised"])
@pytest.mark.parametrize("name", CLASSES)
def test_logistic(name, form):
    X, y = CLASSES[name](return_X_y=True)
    X = _form(X, form)
    model = GDLogisticRegression().fit(X, y)
    reference = LogisticRegression(solver="newton-cholesky", tol=1e-14, max_iter=1000).fit(X, y)
    best = _log_loss(reference.coef_, reference.intercept_, X, y, 1.0)
    gap = _log_loss(model.coef_, model.intercept_, X, y, 1.0) / best - 1
    assert gap <= 1e-6
    # But for ties: rows that the best model itself cannot tell from another class.
    top = np.sort(reference.predict_proba(X), axis=1)
    clear = top[:, -1] - top[:, -2] > 1e-2
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(model.predict(X)[clear], reference.predict(X)[clear])

    precise = GDLogisticRegression(tol=1e-11, max_iter=100_000).fit(X, y)
    assert _log_loss(precise.coef_, precise.intercept_, X, y, 1.0) / best - 1 <= 1e-10


@pytest.mark.parametrize("C", [1e-4, 1e-2, 1e2, 1e4])
@pytest.mark.parametrize("form", ["raw", "standardised"])
@pytest.mark.parametrize("name", ["breast cancer", "wine"])
@pytest.mark.filterwarnings(
    "ignore:Line search of Newton solver:sklearn.exceptions.ConvergenceWarning"
)  # the reference
def test_logistic_with_much_and_with_little_penalty(name, form, C):
    X, y = CLASSES[name](return_X_y=True)
    X = _form(X, form)
    model = GDLogisticRegression(C=C).fit(X, y)
    reference = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-14, max_iter=1000).fit(X, y)
    best = _log_loss(reference.coef_, reference.intercept_, X, y, C)
    value = _log_loss(model.coef_, model.intercept_, X, y, C)
    # With little penalty the classes come apart, and the optimum is next to nothing: an absolute
    # measure takes over there, a millionth of the loss at the start.
    assert value - best <= 1e-6 * max(best, model.loss_curve_[0])


@pytest.mark.parametrize("form", ["raw", "standardised"])
def test_logistic_without_penalty(form):
    """C=inf, where the optimum exists: classes that overlap."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    X, y = _form(X, form), (y > 140).astype(int)
    model = GDLogisticRegression(C=np.inf).fit(X, y)
    reference = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-14, max_iter=1000).fit(X, y)
    best = _log_loss(reference.coef_, reference.intercept_, X, y, np.inf)
    assert _log_loss(model.coef_, model.intercept_, X, y, np.inf) / best - 1 <= 1e-6


@pytest.mark.parametrize("alpha", [1e-6, 1e-2, 1.0, 1e4])
@pytest.mark.parametrize("form", ["raw", "standardised"])
def test_ridge(form, alpha):
    X, y = load_diabetes(return_X_y=True, scaled=False)
    X = _form(X, form)
    model = GDLinearRegression(alpha=alpha).fit(X, y)
    centred = X - X.mean(axis=0)
    coef = np.linalg.solve(centred.T @ centred / len(y) + alpha * np.eye(10), centred.T @ y / len(y))
    best = 0.5 * np.mean((centred @ coef + y.mean() - y) ** 2) + alpha / 2 * np.sum(coef**2)
    assert _half_squared_error(model, X, y, alpha) / best - 1 <= 1e-6


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_known_answer_is_found(fit_intercept, dtype):
    """Data made from coefficients, far from the origin and of units nine orders of magnitude apart."""
    rng = np.random.default_rng(0)
    units = np.array([1e-4, 1.0, 1e2, 1e5])
    X = (rng.normal(size=(200, 4)) + (3 if fit_intercept else 0)) * units
    coef = np.array([1.0, -2.0, 3.0, -4.0]) / units
    y = X @ coef + (5.0 if fit_intercept else 0.0)
    model = GDLinearRegression(fit_intercept=fit_intercept, tol=1e-10).fit(X.astype(dtype), y.astype(dtype))
    accuracy = 1e-3 if dtype == np.float32 else 1e-8
    np.testing.assert_allclose(model.coef_ * units, coef * units, rtol=accuracy)
    if fit_intercept:
        assert model.intercept_ == pytest.approx(5.0, rel=10 * accuracy)
    else:
        assert model.intercept_ == 0.0


def test_a_target_whose_outliers_are_at_regular_distances():
    """The target is shifted by the mean of every hundredth of these rows, a thousand times the others' spread from theirs."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6400, 3))
    y = X @ [1.0, 2.0, 3.0] + rng.normal(size=6400)
    y[::100] += 1e3 * y.std()
    model = GDLinearRegression(tol=1e-10).fit(X, y)
    exact = np.linalg.lstsq(np.column_stack([X, np.ones(6400)]), y, rcond=None)[0]
    np.testing.assert_allclose([*model.coef_, model.intercept_], exact, rtol=1e-10)
    assert model.loss_curve_[0] == pytest.approx(0.5 * np.mean(y**2), rel=1e-12)
    assert model.stop_reason_ == "gradient"


def test_standardising_or_not_gives_the_same_predictions():
    """Least squares knows no units: neither does the run."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    raw = GDLinearRegression().fit(X, y)
    standardised = GDLinearRegression().fit(StandardScaler().fit_transform(X), y)
    np.testing.assert_allclose(raw.predict(X), standardised.predict(scale(X)), rtol=1e-4)


def test_classes_keep_their_names():
    data = load_iris()
    names = data.target_names[data.target]
    model = GDLogisticRegression().fit(data.data, names)
    np.testing.assert_array_equal(model.classes_, np.unique(names))
    assert model.predict(data.data).dtype == names.dtype
    assert model.score(data.data, names) > 0.95


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("form", ["raw", "standardised"])
@pytest.mark.parametrize("name", [*CLASSES, "diabetes", "three rows"])
def test_float32(name, form, container):
    """Single precision finds the same model, to single precision."""
    if name == "diabetes":
        X, y = REGRESSION[name]()
        estimator_class = GDLinearRegression
    else:
        X, y = CLASSES[name](return_X_y=True) if name in CLASSES else (np.array([[-1.0, 0], [0, 1], [1, 1]]), [0, 1, 1])
        estimator_class = GDLogisticRegression
    X = np.asarray(_form(X, form))
    single = estimator_class().fit(container(X.astype(np.float32)), y)
    double = estimator_class().fit(X, y)
    assert single.coef_.dtype == np.float32
    if estimator_class is GDLogisticRegression:
        values = [_log_loss(model.coef_, model.intercept_, X, np.asarray(y), 1.0) for model in (single, double)]
    else:
        values = [_half_squared_error(model, X, y) for model in (single, double)]
    # In double precision, from the coefficients: what the run believes of itself is no evidence.
    assert values[0] / values[1] - 1 <= 1e-4
    assert single.loss_curve_[-1] == pytest.approx(values[0], rel=1e-4)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_many_rows_are_not_only_a_sample_of_them(container):
    """However a run begins, the end is the optimum of all the rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 5)) * [1, 10, 100, 1, 1] + [0, 0, 0, 5, -5]
    y = (X @ [1, 0.1, 0.01, -0.5, 0.3] + rng.logistic(size=20_000) > -4).astype(int)
    weights = rng.integers(0, 3, size=20_000)
    model = GDLogisticRegression().fit(container(X), y, sample_weight=weights)
    reference = LogisticRegression(solver="newton-cholesky", tol=1e-14).fit(X, y, sample_weight=weights)
    best = _log_loss(reference.coef_, reference.intercept_, X, y, 1.0, weights)
    assert _log_loss(model.coef_, model.intercept_, X, y, 1.0, weights) / best - 1 <= 1e-6
    # Weights and repetitions, where parts of the rows are looked at first.
    rows = np.repeat(np.arange(len(X)), weights)
    weighted = GDLogisticRegression(tol=1e-9).fit(container(X), y, sample_weight=weights)
    repeated = GDLogisticRegression(tol=1e-9).fit(container(X[rows]), y[rows])
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6)


def test_the_multinomial_loss_is_below_that_of_one_against_the_rest():
    X, y = load_wine(return_X_y=True)
    X = scale(X)
    joint = GDLogisticRegression(C=0.1).fit(X, y)
    apart = OneVsRestClassifier(GDLogisticRegression(C=0.1)).fit(X, y)
    assert log_loss(y, joint.predict_proba(X)) < log_loss(y, apart.predict_proba(X))
    # Its probabilities are a softmax, not sigmoids made to add up to one.
    sigmoids = expit(joint.decision_function(X))
    assert log_loss(y, joint.predict_proba(X)) < log_loss(y, sigmoids / sigmoids.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("far", [1.0, 1e3])
@pytest.mark.parametrize("name", ["breast cancer", "wine"])
def test_from_far_away(name, far):
    """Where every prediction is certain and wrong the log loss is a plane, without curvature: a start like others."""
    X, y = CLASSES[name](return_X_y=True)
    near = GDLogisticRegression().fit(X, y)
    start = far * np.random.default_rng(0).normal(size=near.coef_.shape)
    model = GDLogisticRegression(init=(start, np.zeros_like(near.intercept_))).fit(X, y)
    assert model.loss_curve_[-1] / near.loss_curve_[-1] - 1 <= 1e-6
