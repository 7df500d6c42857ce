"""Whatever the learning rate: the optimum, or a warning; never NaN, never silence."""

import re
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import scale

from sklearn_gd import DivergenceError, DivergenceWarning, GDLinearRegression, GDLogisticRegression

RATES = [10.0**power for power in range(-8, 9)]


def _problem(case):
    """Data, an estimator, and the objective's least value."""
    task, form = case.split("-")
    if task == "regression":
        X, y = load_diabetes(return_X_y=True, scaled=False)
    elif task == "binary":
        X, y = load_breast_cancer(return_X_y=True)
    else:
        X, y = load_iris(return_X_y=True)
    X = scale(X) if form == "standardised" else X
    if task == "regression":
        design = np.c_[X, np.ones(len(y))]
        residual = design @ np.linalg.lstsq(design, y, rcond=None)[0] - y
        return X, y, GDLinearRegression(), 0.5 * np.mean(residual**2)
    reference = LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(X, y)
    return X, y, GDLogisticRegression(), _logistic_objective(reference, X, y)


def _logistic_objective(model, X, y):
    log_proba = model.predict_log_proba(X)
    loss = -np.mean(log_proba[np.arange(len(y)), np.searchsorted(model.classes_, y)])
    return loss + np.sum(model.coef_**2) / (2 * len(y))


def _objective(model, X, y):
    if isinstance(model, GDLinearRegression):
        return 0.5 * np.mean((model.predict(X) - y) ** 2)
    return _logistic_objective(model, X, y)


def _fit_and_listen(estimator, X, y):
    """Fit; return the warnings, of which none may come out of NumPy."""
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        with np.errstate(all="warn"):
            estimator.fit(X, y)
    heard = [warning.category for warning in record]
    assert all(issubclass(category, ConvergenceWarning) for category in heard), [str(w.message) for w in record]
    return heard


CASES = [f"{task}-{form}" for task in ("regression", "binary", "multinomial") for form in ("raw", "standardised")]


@pytest.mark.parametrize("momentum", ["auto", 0.9, "nesterov"])
@pytest.mark.parametrize("case", CASES)
def test_every_rate_ends_at_the_optimum_or_in_a_warning(case, momentum):
    X, y, estimator, best = _problem(case)
    ends = {}
    for rate in RATES:
        estimator.set_params(learning_rate=rate, momentum=momentum, max_iter=300)
        heard = _fit_and_listen(estimator, X, y)
        assert np.all(np.isfinite(estimator.coef_)), rate
        assert np.all(np.isfinite(estimator.intercept_)), rate
        value = _objective(estimator, X, y)
        if estimator.stop_reason_ == "diverged":
            assert heard == [DivergenceWarning], rate
            # The best place of all is kept, which is never worse than not having fitted.
            assert value <= min(estimator.loss_curve_) * (1 + 1e-9), rate
        elif estimator.stop_reason_ == "max_iter":
            assert len(heard) == 1, rate
            assert estimator.n_iter_ == 300
        else:
            assert heard == [], rate
            assert value - best <= 1e-6 * best, rate
        ends[rate] = estimator.stop_reason_
    # The sweep has seen both ends: rates that are hopelessly small, and hopelessly large.
    assert ends[RATES[0]] == "max_iter"
    if case.startswith("regression"):
        assert ends[RATES[-1]] == "diverged"


@pytest.mark.parametrize("case", CASES)
def test_raise_where_the_other_warns(case):
    X, y, estimator, _ = _problem(case)
    for rate in RATES:
        estimator.set_params(learning_rate=rate, max_iter=100, on_divergence="warn")
        diverged = DivergenceWarning in _fit_and_listen(estimator, X, y)
        estimator.set_params(on_divergence="raise")
        if diverged:
            with pytest.raises(DivergenceError, match=r"learning.rate"):
                estimator.fit(X, y)
        else:
            _fit_and_listen(estimator, X, y)


@pytest.mark.parametrize("schedule", ["constant", "inverse-time", "exponential", "step", "cosine"])
def test_schedules_that_start_too_high(schedule):
    from sklearn_gd import steps

    X, y, estimator, best = _problem("regression-raw")
    rule = steps.RULES[schedule](learning_rate=1e3)
    heard = _fit_and_listen(estimator.set_params(learning_rate=rule), X, y)
    assert np.all(np.isfinite(estimator.coef_))
    assert heard or _objective(estimator, X, y) - best <= 1e-6 * best
    assert _objective(estimator, X, y) <= estimator.loss_curve_[0]


@pytest.mark.parametrize("rate", [1e3, 1e100, 1e300])
def test_callables_of_any_size(rate):
    X, y, estimator, _ = _problem("regression-raw")
    heard = _fit_and_listen(estimator.set_params(learning_rate=lambda k: rate), X, y)
    assert heard == [DivergenceWarning]
    assert np.all(np.isfinite(estimator.coef_))


def test_one_rise_is_no_divergence():
    """The loss rises on the way, and the run converges all the same."""
    X, y, estimator, best = _problem("binary-standardised")
    estimator.set_params(learning_rate=12.0)
    heard = _fit_and_listen(estimator, X, y)
    assert np.any(np.diff(estimator.loss_curve_) > 0)
    assert heard == []
    assert _objective(estimator, X, y) - best <= 1e-6 * best


@pytest.mark.parametrize("case", ["regression-raw", "binary-raw"])
def test_the_message_names_rate_iteration_and_what_would_be_safe(case):
    X, y, estimator, _ = _problem(case)
    estimator.set_params(learning_rate=12345.0, max_iter=10_000)
    with pytest.warns(DivergenceWarning) as record:
        estimator.fit(X, y)
    message = str(record[0].message)
    assert "iteration" in message
    # What the message calls safe is safe. The curvature of squared error is the same everywhere; of
    # the log loss a quarter of X'X/n bounds it.
    design = np.c_[X, np.ones(len(y))]
    largest = np.linalg.eigvalsh(design.T @ design / len(y))[-1]
    if case.startswith("binary"):
        largest = largest / 4 + 1 / len(y)
    for number in (12345.0, estimator.n_iter_, 2 / largest):
        assert any(said == pytest.approx(number, rel=0.05) for said in _numbers(message)), message


def _numbers(text):
    return [float(number) for number in re.findall(r"\d+\.?\d*(?:e[+-]?\d+)?", text)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale_of_X", [1e-30, 1e-8, 1e8, 1e15])
@pytest.mark.parametrize("task", ["regression", "binary"])
def test_units_of_the_data_make_no_noise(task, scale_of_X, dtype):
    """Kilometres or nanometres: with the default rule, no warning out of NumPy, no NaN."""
    X, y, estimator, _ = _problem(f"{task}-standardised")
    X = (X * scale_of_X).astype(dtype)
    heard = _fit_and_listen(estimator, X, y)
    assert np.all(np.isfinite(estimator.coef_))
    if task == "regression":
        assert heard == []
        assert estimator.score(X, y) > 0.5


@pytest.mark.parametrize("scale_of_y", [1e-100, 1e-12, 1e12, 1e100])
def test_units_of_the_target_make_no_difference(scale_of_y):
    X, y, estimator, _ = _problem("regression-raw")
    plain = estimator.fit(X, y).predict(X)
    heard = _fit_and_listen(estimator, X, y * scale_of_y)
    assert heard == []
    np.testing.assert_allclose(estimator.predict(X) / scale_of_y, plain, rtol=1e-4)


@pytest.mark.parametrize("rule", ["auto", "lipschitz", "backtracking", "exact", "barzilai-borwein", "polyak", "adgd"])
@pytest.mark.parametrize("task", ["regression", "binary"])
def test_rules_that_choose_their_rate_never_diverge(task, rule):
    X, y, estimator, _ = _problem(f"{task}-raw")
    heard = _fit_and_listen(estimator.set_params(learning_rate=rule, max_iter=200), X, y)
    assert DivergenceWarning not in heard
    assert estimator.loss_curve_[-1] <= estimator.loss_curve_[0]
