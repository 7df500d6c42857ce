"""`batch_size`: each pass against the loop written out, what it is refused for, and what it teaches."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_gd import (
    DescentPathDisplay,
    DivergenceError,
    DivergenceWarning,
    GDLinearRegression,
    GDLogisticRegression,
    GDSearchCV,
    steps,
)
from sklearn_gd.momentum import HeavyBall
from sklearn_gd.steps import AdaGrad, Adam, AMSGrad

EXACT = {"rtol": 1e-12, "atol": 1e-12}
SEED = 3


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return scale(X), y


def _cut_off(estimator, X, y, passes=3):
    """So many passes, which are not enough, as the fit says."""
    with pytest.warns(ConvergenceWarning, match=f"max_iter={passes}"):
        return estimator.set_params(max_iter=passes, tol=0).fit(X, y)


def loop(gradient, coef, n, size, passes, rate, momentum=0.0):
    """Mini-batches, written out; `gradient(rows, coef)`."""
    random = np.random.RandomState(SEED)
    k, last = 0, np.zeros_like(coef)
    for _ in range(passes):
        order = random.permutation(n)
        for first in range(0, n, size):
            last = -rate(k) * gradient(order[first : first + size], coef) + momentum * last
            coef, k = coef + last, k + 1
    return coef


def squared(X, y, alpha=0.0):
    """The gradient of squared error on some rows, the intercept last."""
    ones = np.c_[X, np.ones(len(X))]

    def gradient(rows, coef):
        penalty = alpha * np.concatenate([coef[:-1], 0 * coef[-1:]])
        return ones[rows].T @ (ones[rows] @ coef - y[rows]) / len(rows) + penalty

    return gradient


# 442 rows: by 7 the last batch has one row, by 34 all are of a size, and more than there are make one batch
@pytest.mark.parametrize("size", [1, 7, 34, 442, 10_000])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_the_iterates_are_the_loop(diabetes, size, momentum):
    X, y = diabetes

    def rate(k):
        return 0.02 / (1 + 0.01 * k)

    coef = loop(squared(X, y, 0.01), np.zeros(11), 442, size, 3, rate, momentum)
    params = {"learning_rate": rate, "momentum": momentum or None, "alpha": 0.01, "random_state": SEED}
    for data in (X, np.asfortranarray(X), sparse.csr_array(X)):
        model = _cut_off(GDLinearRegression(batch_size=size, **params), data, y)
        np.testing.assert_allclose([*model.coef_, model.intercept_], coef, **EXACT)


def test_several_targets(diabetes):
    X, y = diabetes
    Y = np.c_[y, 10 * X[:, 0]]
    coef = loop(squared(X, Y), np.zeros((11, 2)), 442, 32, 3, lambda k: 0.05)
    model = _cut_off(GDLinearRegression(learning_rate=0.05, batch_size=32, random_state=SEED), X, Y)
    np.testing.assert_allclose(np.c_[model.coef_, model.intercept_].T, coef, **EXACT)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_loop_on_log_losses(classes):
    X, y = load_iris(return_X_y=True)
    X, y = scale(X[y < classes]), y[y < classes]
    n, k = len(y), classes
    ones, onehot = np.c_[X, np.ones(n)], np.eye(k)[y]

    def gradient(rows, coef):
        raw = ones[rows] @ coef
        if k == 2:
            residual = 1 / (1 + np.exp(-raw)) - y[rows]
        else:
            p = np.exp(raw)
            residual = p / p.sum(axis=1, keepdims=True) - onehot[rows]
        return ones[rows].T @ residual / len(rows) + np.concatenate([coef[:-1], 0 * coef[-1:]]) / n

    coef = loop(gradient, np.zeros(5) if k == 2 else np.zeros((5, k)), n, 8, 3, lambda k: 0.3)
    model = _cut_off(GDLogisticRegression(learning_rate=0.3, batch_size=8, random_state=SEED), X, y)
    found = np.r_[model.coef_[0], model.intercept_] if k == 2 else np.c_[model.coef_, model.intercept_].T
    np.testing.assert_allclose(found, coef, **EXACT)


def test_rules_that_look_at_gradients_see_those_of_batches(diabetes):
    X, y = diabetes
    gradient, moments = squared(X, y), [np.zeros(11), np.zeros(11)]
    steps_taken = 0

    def direction(rows, coef):
        nonlocal steps_taken
        steps_taken += 1
        g = gradient(rows, coef)
        moments[0] = 0.9 * moments[0] + 0.1 * g
        moments[1] = 0.999 * moments[1] + 0.001 * g**2
        return moments[0] / (1 - 0.9**steps_taken) / (np.sqrt(moments[1] / (1 - 0.999**steps_taken)) + 1e-8)

    coef = loop(direction, np.zeros(11), 442, 32, 3, lambda k: 0.1)
    model = _cut_off(GDLinearRegression(learning_rate=Adam(0.1), batch_size=32, random_state=SEED), X, y)
    assert steps_taken == 3 * 14
    np.testing.assert_allclose([*model.coef_, model.intercept_], coef, **EXACT)


def test_one_batch_of_all_rows_is_the_default(diabetes):
    whole, batch = (
        _cut_off(GDLinearRegression(learning_rate=0.1, batch_size=size), *diabetes, 20) for size in (None, 442)
    )
    np.testing.assert_allclose(batch.coef_, whole.coef_, rtol=1e-10)
    np.testing.assert_allclose(batch.loss_curve_, whole.loss_curve_, rtol=1e-12)


def test_a_metric_is_that_of_all_rows(diabetes):
    """In the metric of the whole Gram matrix one batch of all rows is the normal equation."""
    params = {"learning_rate": 1.0, "preconditioner": "full", "batch_size": 442}
    model = GDLinearRegression(**params).fit(*diabetes)
    assert (model.n_iter_, model.stop_reason_) == (1, "gradient")
    np.testing.assert_allclose(model.coef_, GDLinearRegression().fit(*diabetes).coef_, rtol=1e-8)


def test_the_history_has_a_row_a_pass(diabetes):
    X, y = diabetes
    model = GDLinearRegression(learning_rate=lambda k: 0.05 / (k + 1), momentum=0.5, batch_size=100, random_state=SEED)
    _cut_off(model, X, y, 4)
    assert model.n_iter_ == 4
    assert {len(column) for column in model.history_.values()} == {5}
    # one read for the batches, one to look at all samples
    np.testing.assert_array_equal(np.diff(model.history_["passes"]), 2)
    # the rate of the pass's last step: five of them a pass
    np.testing.assert_allclose(model.history_["learning_rate"][1:], 0.05 / np.array([5, 10, 15, 20]))
    assert model.history_["momentum"] == [0, 0.5, 0.5, 0.5, 0.5]
    residual = X @ model.coef_ + model.intercept_ - y
    assert model.loss_curve_[-1] == pytest.approx(0.5 * np.mean(residual**2), rel=1e-12)
    assert model.stages_[0]["rule"] == "MiniBatches"


def test_the_end_is_that_of_all_samples():
    """Where a fit is perfect the noise of batches falls to nothing, and a constant rate arrives."""
    X = np.random.default_rng(0).standard_normal((60, 3))
    model = GDLinearRegression(learning_rate=0.1, batch_size=4, random_state=0, tol=1e-6).fit(
        X, X @ [1.0, -2.0, 3.0] + 4
    )
    assert model.stop_reason_ == "gradient"
    np.testing.assert_allclose([*model.coef_, model.intercept_], [1, -2, 3, 4], atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*max_iter:sklearn.exceptions.ConvergenceWarning")  # two passes
def test_the_order_is_the_random_states(diabetes):
    X, y = diabetes
    model = GDLinearRegression(learning_rate=0.01, batch_size=10, max_iter=2, random_state=0)
    first, again, other = (clone(model).set_params(random_state=seed).fit(X, y).coef_ for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    # an object goes on drawing, so that a warm start continues the run
    model.set_params(random_state=np.random.RandomState(0), max_iter=1, warm_start=True)
    np.testing.assert_allclose(model.fit(X, y).fit(X, y).coef_, first, **EXACT)
    assert np.abs(clone(model).set_params(random_state=None).fit(X, y).coef_).max() > 0


# ------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("params", "word"),
    [
        *(({"learning_rate": name}, name) for name, rule in steps.RULES.items() if not rule.scheduled),
        ({"learning_rate": 0.1, "momentum": "nesterov"}, "momentum='nesterov'.*noise"),
        ({"learning_rate": 0.1, "batch_size": 0}, "at least 1"),
        ({"learning_rate": 0.1, "batch_size": -1}, "at least 1"),
    ],
)
def test_what_would_void_a_promise_is_refused(diabetes, params, word):
    for estimator in (GDLinearRegression, GDLogisticRegression):
        with pytest.raises(ValueError, match=f"batch_size .*{word}"):
            estimator(**{"batch_size": 10, **params}).fit(*diabetes)


@pytest.mark.parametrize("size", [0.5, "auto", True, np.nan])
def test_sizes_are_integers(diabetes, size):
    with pytest.raises(TypeError, match="batch_size must be an integer"):
        GDLinearRegression(learning_rate=0.1, batch_size=size).fit(*diabetes)


def test_weights_are_refused(diabetes):
    X, y = diabetes
    with pytest.raises(ValueError, match=r"sample_weight or class_weight: a weight of 2 .* batch_size=None"):
        GDLinearRegression(learning_rate=0.1, batch_size=10).fit(X, y, np.ones(len(y)))
    with pytest.raises(ValueError, match="sample_weight or class_weight"):
        GDLogisticRegression(learning_rate=0.1, batch_size=10, class_weight="balanced").fit(X, y > 100)


def test_rows_in_a_file_are_drawn_too(diabetes, tmp_path):
    X, y = diabetes
    np.save(tmp_path / "X.npy", X)
    model = GDLinearRegression(learning_rate=0.1, batch_size=10, random_state=0)
    stored = _cut_off(clone(model), np.load(tmp_path / "X.npy", mmap_mode="r"), y)
    np.testing.assert_allclose(stored.coef_, _cut_off(model, X, y).coef_, **EXACT)


def test_data_with_workers_are_refused(diabetes):
    X, y = diabetes
    array = pytest.importorskip("dask.array", reason="Dask is not installed")
    model = GDLinearRegression(learning_rate=0.1, batch_size=10)
    with pytest.raises(ValueError, match="batch_size does not go with data of Dask or on a device"):
        model.fit(array.from_array(X, chunks=100), array.from_array(y, chunks=100))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # two passes
def test_a_search_fits_each_candidate_by_itself(diabetes):
    X, y = diabetes
    model = make_pipeline(
        StandardScaler(), GDLinearRegression(batch_size=50, random_state=0, max_iter=2, learning_rate=0.1)
    )
    grid = {"gdlinearregression__learning_rate": [0.01, 0.1]}
    ours, theirs = GDSearchCV(model, grid, cv=3).fit(X, y), GridSearchCV(model, grid, cv=3).fit(X, y)
    assert "batch_size=50 draws the batches of every fit" in str(ours.shared_)
    np.testing.assert_allclose(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-12)
    labels = y > 100
    model = GDLogisticRegression(batch_size=50, random_state=0, max_iter=2, learning_rate=0.1)
    ours, theirs = (search(model, {"C": [0.1, 1.0]}, cv=3).fit(X, labels) for search in (GDSearchCV, GridSearchCV))
    np.testing.assert_allclose(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-12)


# ------------------------------------------------------------------------------------------------ what is told


def test_a_run_that_levels_off_is_told_why(diabetes):
    with pytest.warns(
        ConvergenceWarning, match=r"batch_size=10 have noise that does not fall: at a constant rate, 0.05 here"
    ):
        GDLinearRegression(learning_rate=0.05, batch_size=10, max_iter=10, random_state=0).fit(*diabetes)


def test_a_rate_too_large_for_batches(diabetes):
    """0.4 is below 2/L of all rows, and far beyond that of single ones."""
    X, y = diabetes
    whole = GDLinearRegression(learning_rate=0.4, tol=1e-3, max_iter=10_000).fit(X, y)
    assert whole.stop_reason_ == "gradient"
    model = GDLinearRegression(learning_rate=0.4, batch_size=1, random_state=0)
    with pytest.warns(DivergenceWarning, match="Batches of 1 may be steeper than all samples together"):
        model.fit(X, y)
    assert model.stop_reason_ == "diverged"
    assert np.isfinite(model.coef_).all()
    with pytest.raises(DivergenceError, match="Batches of 1"):
        model.set_params(on_divergence="raise").fit(X, y)


def test_the_path_display_draws_a_place_a_pass(diabetes):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    X, y = diabetes
    model = GDLinearRegression(learning_rate=0.1, batch_size=50, random_state=0, max_iter=5, tol=0)
    display = DescentPathDisplay.from_estimator(model, X[:, :1], y)
    fitted = _cut_off(model, X[:, :1], y, 5)
    (path,) = display.paths.values()
    assert len(path) == 6
    np.testing.assert_allclose(path[-1], [*fitted.coef_, fitted.intercept_], **EXACT)


# ------------------------------------------------------------------------------------------------ what it teaches


def test_in_the_first_passes_small_batches_are_ahead_and_a_constant_rate_levels_off(diabetes):
    """Bottou's comparison: a pass of small steps goes further than one large step, and does not arrive."""
    X, y = diabetes
    least = GDLinearRegression().fit(X, y).loss_curve_[-1]
    gaps = {}
    for size in (1, 32, None):
        model = GDLinearRegression(learning_rate=0.01, batch_size=size, random_state=0)
        gaps[size] = np.array(_cut_off(model, X, y, 100).loss_curve_) / least - 1
    assert gaps[1][1] < 0.1 * gaps[32][1] < 0.1 * gaps[None][1]
    # after a hundred passes the order is another
    assert gaps[32][-1] < gaps[1][-1]
    assert gaps[1][-1] > 0.003
    falling = GDLinearRegression(learning_rate=lambda k: 0.01 / (1 + 0.001 * k), batch_size=1, random_state=0)
    assert _cut_off(falling, X, y, 100).loss_curve_[-1] / least - 1 < 0.25 * gaps[1][-1]


@pytest.mark.filterwarnings(
    "ignore:.*max_iter:sklearn.exceptions.ConvergenceWarning"
)  # a hundred passes show where it goes
def test_adam_on_single_samples_ends_at_the_median_of_what_has_a_mean():
    """Reddi, Kale and Kumar: a rare large gradient is forgotten before it has moved the coefficient, and AMSGrad keeps it."""
    X, y = np.ones((100, 1)), np.ones(100)
    y[0] = -198.0

    def rate(k):
        return 1 / (k + 1) ** 0.5

    ends = {}
    for rule in (rate, AdaGrad(1.0), AMSGrad(rate, beta2=0.9), Adam(rate, beta2=0.9)):
        model = GDLinearRegression(learning_rate=rule, batch_size=1, random_state=0, fit_intercept=False, max_iter=100)
        ends[type(rule)] = float(model.fit(X, y).coef_[0])
    assert ends[Adam] == pytest.approx(np.median(y), abs=0.05)
    assert ends[AMSGrad] == pytest.approx(np.mean(y), abs=0.2)
    assert ends[AdaGrad] == pytest.approx(np.mean(y), abs=0.2)


# ------------------------------------------------------------------------------------------------ scikit-learn's checks

# Weights are refused; what these checks ask of them cannot hold of batches, see above.
WITH_WEIGHTS = ("sample_weight", "class_weight")


def _refused(estimator):
    from sklearn.utils import estimator_checks

    names = [
        name for name in dir(estimator_checks) if name.startswith("check_") and any(w in name for w in WITH_WEIGHTS)
    ]
    return dict.fromkeys(names, "weights are refused with batch_size")


_ESTIMATORS = [
    GDLinearRegression(learning_rate=0.01, batch_size=4, random_state=0, max_iter=30),
    GDLogisticRegression(learning_rate=0.01, batch_size=4, random_state=0, max_iter=30),
]
_PAIRS = parametrize_with_checks(_ESTIMATORS, expected_failed_checks=_refused).mark
_CHECKS = [pair for pair in _PAIRS.args[1] if "check_array_api" not in repr(pair)]


@pytest.mark.parametrize(_PAIRS.args[0], _CHECKS, **_PAIRS.kwargs)
def test_estimator(estimator, check):
    with warnings.catch_warnings():
        # the checks fit unscaled data; warning of that, and of divergence, is what a rate should do there
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)


def test_momentum_objects_are_numbers(diabetes):
    X, y = diabetes
    params = {"learning_rate": 0.01, "batch_size": 50, "random_state": 0}
    number, part = (_cut_off(GDLinearRegression(momentum=m, **params), X, y).coef_ for m in (0.5, HeavyBall(0.5)))
    np.testing.assert_array_equal(number, part)
