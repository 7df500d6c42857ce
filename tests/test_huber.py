"""GDHuberRegression: the optimum in coefficients and scale, whatever the outliers, and words where there is none."""

import math
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import HuberRegressor, LinearRegression, Ridge

from sklearn_gd import GDHuberRegression, GDSearchCV, LossCurveDisplay, steps
from sklearn_gd.huber import location_and_scale, median


def line(n=300, p=4, outliers=0.2, offset=0.0, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = X @ np.arange(1.0, p + 1) + 5 + noise * rng.normal(size=n)
    bad = rng.random(n) < outliers
    y[bad] += rng.exponential(20, size=bad.sum())
    return X + offset, y


def objective(X, y, coef, intercept, scale, alpha=0.0, epsilon=1.35, weight=None):
    z = np.abs(y - X @ coef - intercept) / scale
    h = np.where(z <= epsilon, z**2 / 2, epsilon * z - epsilon**2 / 2)
    return scale / 2 + scale * np.average(h, weights=weight) + alpha / 2 * coef @ coef


def least(X, y, alpha=0.0, epsilon=1.35, weight=None):
    """The minimum by Newton's method on coefficients, intercept and scale together: columns about their mean, and small steps where needed."""
    share = np.full(len(y), 1 / len(y)) if weight is None else weight / weight.sum()
    centre = share @ X
    A = np.column_stack([X - centre, np.ones(len(y))])
    penalty = np.append(np.full(X.shape[1], alpha), 0.0)
    theta = np.linalg.lstsq(A * np.sqrt(share)[:, None], y * np.sqrt(share), rcond=None)[0]  # squared error's
    theta = np.append(theta, np.sqrt(share @ (y - A @ theta) ** 2))

    def value(theta):
        return objective(A, y, theta[:-1], 0.0, theta[-1], 0.0, epsilon, share) + penalty @ theta[:-1] ** 2 / 2

    for _ in range(200):
        scale = theta[-1]
        z = (y - A @ theta[:-1]) / scale
        within = (np.abs(z) <= epsilon) * share
        slope = share * np.clip(z, -epsilon, epsilon)
        gradient = np.append(
            -A.T @ slope + penalty * theta[:-1], 0.5 * (1 - share @ np.clip(z, -epsilon, epsilon) ** 2)
        )
        B = np.column_stack([A, z])
        hessian = (B.T * within) @ B / scale + np.diag(np.append(penalty, 0.0))
        step = -np.linalg.lstsq(hessian + 1e-13 * np.eye(len(hessian)) * hessian.max(), gradient, rcond=None)[0]
        t = 1.0 if step[-1] > 0 else min(1.0, -0.9 * scale / step[-1])
        while t > 1e-12 and not value(theta + t * step) <= value(theta):
            t /= 2
        theta = theta + t * step
        if abs(gradient @ step) < 1e-16:
            break
    return theta[:-2], theta[-2] - centre @ theta[:-2], theta[-1]


CASES = {
    "no outliers": (line(outliers=0.0), {}),
    "30 % of outliers": (line(outliers=0.3), {}),
    "far from zero": (line(offset=1e6), {}),
    "penalty": (line(), {"alpha": 0.5}),
    "epsilon": (line(), {"epsilon": 1.1}),
    "all within": (line(), {"epsilon": 30.0}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_optimum_of_coefficients_and_scale(case):
    (X, y), params = CASES[case]
    model = GDHuberRegression(**params).fit(X, y)
    coef, intercept, scale = least(X, y, **params)
    assert_allclose(model.scale_, scale, rtol=1e-6)
    assert_allclose(model.coef_, coef, atol=1e-5 * scale)
    best = objective(X, y, coef, intercept, scale, **params)
    assert objective(X, y, model.coef_, model.intercept_, model.scale_, **params) <= best * (1 + 1e-10)
    assert_allclose(model.loss_curve_[-1], best, rtol=1e-9)
    assert model.stop_reason_ == "gradient"


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_the_optimum_of_huber_regressor(alpha):
    X, y = line()
    model = GDHuberRegression(alpha=alpha).fit(X, y)
    theirs = HuberRegressor(alpha=len(y) * alpha, tol=1e-9, max_iter=10_000).fit(X, y)
    assert_allclose(model.coef_, theirs.coef_, rtol=1e-4)
    assert_allclose(model.intercept_, theirs.intercept_, rtol=1e-4)
    assert_allclose(model.scale_, theirs.scale_, rtol=1e-4)
    assert (model.outliers_ != theirs.outliers_).mean() < 0.01


def test_no_feature_far_from_zero_ends_a_fit_early():
    # scikit-learn#27777: HuberRegressor says that it has converged
    X, y = line(offset=1e5, outliers=0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = HuberRegressor(alpha=0.0, max_iter=10_000).fit(X, y)
    ours = GDHuberRegression().fit(X, y)
    near = GDHuberRegression().fit(X - 1e5, y)
    assert_allclose(ours.coef_, near.coef_, atol=1e-6)
    of = [objective(X, y, m.coef_, m.intercept_, m.scale_) for m in (ours, theirs)]
    assert of[0] < 0.999 * of[1]


@pytest.mark.parametrize("size", [1e10, 1e15])
def test_a_few_outliers_however_far_decide_nothing(size):
    X, y = line(outliers=0.1)
    near, far = y.copy(), y.copy()
    near[:10], far[:10] = 1e4, size
    at = GDHuberRegression().fit(X, near), GDHuberRegression().fit(X, far)
    assert_allclose(at[1].coef_, at[0].coef_, rtol=1e-5)
    assert_allclose(at[1].scale_, at[0].scale_, rtol=1e-5)


@pytest.mark.parametrize("unit", [1e-100, 1e-8, 1e8])
def test_units_change_nothing(unit):
    X, y = line()
    one, other = GDHuberRegression().fit(X, y), GDHuberRegression().fit(X * [1e-6, 1e-3, 1, 1e6], unit * y)
    assert_allclose(other.coef_ * [1e-6, 1e-3, 1, 1e6] / unit, one.coef_, rtol=1e-6)
    assert_allclose(other.scale_ / unit, one.scale_, rtol=1e-6)
    assert_array_equal(other.outliers_, one.outliers_)


def test_single_precision():
    X, y = (array.astype(np.float32) for array in line(offset=100.0))
    model, double = GDHuberRegression().fit(X, y), GDHuberRegression().fit(X.astype(float), y.astype(float))
    assert model.coef_.dtype == np.float32
    assert_allclose(model.coef_, double.coef_, rtol=1e-4)
    assert_allclose(model.scale_, double.scale_, rtol=1e-4)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
def test_weights_are_repetitions(container):
    X, y = line()
    weight = np.random.default_rng(1).integers(0, 4, len(y))
    weighted = GDHuberRegression().fit(container(X), y, weight)
    repeated = GDHuberRegression().fit(container(np.repeat(X, weight, axis=0)), np.repeat(y, weight))
    assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-9)
    assert_allclose(weighted.scale_, repeated.scale_, rtol=1e-9)
    assert_array_equal(np.repeat(weighted.outliers_, weight), repeated.outliers_)
    assert weighted.outliers_.shape == y.shape
    assert_array_equal(weighted.outliers_, np.abs(y - weighted.predict(X)) > 1.35 * weighted.scale_)


def test_weights_of_all_sizes():
    X, y = line()
    weight = 10 ** np.random.default_rng(1).uniform(-10, 0, len(y))
    model = GDHuberRegression().fit(X, y, weight)
    coef, _, scale = least(X, y, weight=weight)
    assert_allclose(model.coef_, coef, rtol=1e-5)
    assert_allclose(model.scale_, scale, rtol=1e-6)


# --- the textbook ---------------------------------------------------------------------------------------------------------


def loop(X, y, rate, n_iter, threshold, curvature):
    w, b = np.zeros(X.shape[1]), 0.0
    for _ in range(n_iter):
        slope = curvature * np.clip(X @ w + b - y, -threshold, threshold)
        w, b = w - rate * X.T @ slope / len(y), b - rate * slope.mean()
    return w, b


def test_a_rate_with_a_scale_is_the_textbook():
    X, y = line()
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        model = GDHuberRegression(scale=2.0, learning_rate=0.1, max_iter=50, tol=0).fit(X, y)
    w, b = loop(X, y, 0.1, 50, 1.35 * 2.0, 1.0)
    assert_allclose(model.coef_, w, rtol=1e-12)
    assert_allclose(model.intercept_, b, rtol=1e-12)
    assert model.scale_ == 2.0


def test_a_rate_without_a_scale_is_the_textbook_with_the_first_one():
    X, y = line()
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        first = GDHuberRegression(learning_rate=0.5, max_iter=30).fit(X, y)
    w, b = loop(X, y, 0.5, 30, 1.35 * first.scale_, 1 / first.scale_)
    assert_allclose(first.coef_, w, rtol=1e-12)
    assert_allclose(first.intercept_, b, rtol=1e-12)
    whole = GDHuberRegression(learning_rate=0.5, max_iter=5000).fit(X, y)
    assert whole.scale_ < first.scale_
    assert_allclose(whole.coef_, GDHuberRegression().fit(X, y).coef_, atol=1e-5)


@pytest.mark.parametrize("scale", ["joint", 0.8])
@pytest.mark.parametrize("preconditioner", [None, "diagonal", "full", "nystrom"])
@pytest.mark.parametrize("rule", ["auto", "lipschitz", "backtracking", "barzilai-borwein", "adgd", 0.9])
def test_every_way_ends_at_the_optimum(rule, preconditioner, scale):
    X, y = line(n=200, p=2)
    params = {"learning_rate": rule, "preconditioner": preconditioner, "scale": scale, "max_iter": 5000}
    model = GDHuberRegression(**params).fit(X, y)
    best = GDHuberRegression(scale=scale).fit(X, y)
    assert_allclose(model.coef_, best.coef_, atol=1e-4)
    assert_allclose(model.scale_, best.scale_, rtol=1e-5)


def test_a_schedule_begins_anew_with_each_scale():
    X, y = line(n=100, p=1)
    rates = []
    model = GDHuberRegression(learning_rate=lambda k: rates.append(k) or 0.5, max_iter=2000).fit(X, y)
    assert model.stop_reason_ == "gradient"
    assert rates[0] == 0


# --- a scale that is given -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_a_given_scale_is_hubers_own_loss(scale):
    X, y = line()
    model = GDHuberRegression(scale=scale).fit(X, y)
    slope = np.clip(model.predict(X) - y, -1.35 * scale, 1.35 * scale)
    assert abs(slope.mean()) < 1e-4 * min(scale, y.std())
    assert np.abs(X.T @ slope).max() / len(y) < 1e-4 * min(scale, y.std())
    assert model.scale_ == scale


def test_a_large_scale_is_least_squares():
    X, y = line()
    assert_allclose(GDHuberRegression(scale=1e6).fit(X, y).coef_, LinearRegression().fit(X, y).coef_, rtol=1e-6)
    assert_allclose(
        GDHuberRegression(scale=1e6, alpha=0.5).fit(X, y).coef_, Ridge(0.5 * len(y)).fit(X, y).coef_, rtol=1e-6
    )


# --- where the best scale is zero ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [300, 12, 3, 2])
def test_nothing_is_left_where_nothing_is_noise(n):
    X = np.random.default_rng(0).normal(size=(n, 2))
    y = X @ [1.0, 2.0]
    model = GDHuberRegression(fit_intercept=False).fit(X, y)
    assert_allclose(model.coef_, [1, 2], rtol=1e-6)
    assert model.n_iter_ <= 10
    assert_array_equal(model.outliers_, np.zeros(n, dtype=bool))


def test_more_columns_than_rows_without_a_penalty():
    X = np.random.default_rng(0).normal(size=(30, 60))
    y = X[:, 0] + 100 * (np.arange(30) < 3)
    model = GDHuberRegression().fit(X, y)
    assert_allclose(model.coef_, LinearRegression().fit(X, y).coef_, atol=1e-5)
    assert model.n_iter_ <= 20


@pytest.mark.parametrize("case", ["most targets are equal", "more columns than rows", "exact but for outliers"])
def test_absolute_errors_where_the_best_scale_is_zero(case):
    X, y = line()
    alpha = 0.0
    if case == "most targets are equal":
        y[:200] = 3.0
    elif case == "exact but for outliers":
        y = X @ [1.0, 2.0, 3.0, 4.0] + 50 * (np.arange(len(y)) < 30)
    else:
        X, y = line(n=30, p=40)
        alpha = 0.01
    with pytest.warns(ConvergenceWarning, match="best scale is 0.*45% of the samples.*scale, in units of y"):
        model = GDHuberRegression(alpha=alpha).fit(X, y)
    assert model.scale_ < 1e-5 * y.std()
    assert model.n_iter_ < 500
    # no direction lowers the sum of absolute errors
    rng = np.random.default_rng(0)

    def absolute(coef, intercept):
        return 1.35 * np.abs(y - X @ coef - intercept).mean() + alpha / 2 * coef @ coef

    here = absolute(model.coef_, model.intercept_)
    for size in (1e-4, 1e-2, 1.0):
        for _ in range(30):
            step = size * rng.normal(size=X.shape[1] + 1)
            assert absolute(model.coef_ + step[:-1], model.intercept_ + step[-1]) >= here * (1 - 1e-6)


@pytest.mark.parametrize("y", [np.zeros(50), np.full(50, 2.5)], ids=["zero", "constant"])
def test_a_constant_target(y):
    model = GDHuberRegression().fit(np.random.default_rng(0).normal(size=(50, 3)), y)
    assert_allclose(model.coef_, 0.0, atol=1e-12)
    assert_allclose(model.intercept_, y[0])
    assert not model.outliers_.any()


def test_counts_of_which_most_are_equal_have_a_scale():
    X, y = line(outliers=0.0, n=1000)
    y = np.round(np.abs(y - X @ [1, 2, 3, 4] - 5))  # 0 or 1 for the most part
    model = GDHuberRegression(alpha=1e-3).fit(X, y)
    coef, intercept, scale = least(X, y, alpha=1e-3)
    assert_allclose(model.scale_, scale, rtol=1e-5)
    assert_allclose([*model.coef_, model.intercept_], [*coef, intercept], atol=1e-5)


@pytest.mark.filterwarnings("ignore:The best scale is 0")  # no scale makes the objective less than it is at 0
def test_epsilon_one_is_the_absolute_error():
    X, y = line()
    model = GDHuberRegression(epsilon=1.0).fit(X, y)
    signs = np.sign(y - model.predict(X)) * (np.abs(y - model.predict(X)) > 1e-3)
    # as many above as below, up to the samples on the line
    assert abs(signs.sum()) <= X.shape[1] + 1


# --- parts and places --------------------------------------------------------------------------------------------------------------


def test_the_first_scale_is_that_of_the_best_constant():
    _, y = line()
    level, scale, _ = location_and_scale(y, None, 1.35, True)
    _, intercept, best = least(np.zeros((len(y), 1)), y)
    assert_allclose([level, scale], [intercept, best], rtol=1e-2)
    only = brentq(lambda s: np.mean(np.minimum(np.abs(y) / s, 1.35) ** 2) - 1, 1e-3, 1e3)
    assert_allclose(location_and_scale(y, None, 1.35, False)[1], only, rtol=1e-2)


def test_a_weighted_median_is_that_of_repetitions():
    y = np.array([3.0, 1.0, 2.0, 10.0])
    assert median(y, None) == 2.0
    assert median(y, np.array([1.0, 1.0, 1.0, 5.0]) / 7) == median(np.repeat(y, [1, 1, 1, 5]), None) == 10.0


def test_in_a_file_as_in_memory(tmp_path):
    X, y = line()
    np.save(tmp_path / "X.npy", X)
    stored = GDHuberRegression().fit(np.load(tmp_path / "X.npy", mmap_mode="r"), y)
    memory = GDHuberRegression().fit(X, y)
    assert_allclose(stored.coef_, memory.coef_, rtol=1e-10)
    assert_array_equal(stored.outliers_, memory.outliers_)


@pytest.mark.parametrize("scale", ["joint", 1.0])
def test_warm_starts_and_searches(scale):
    X, y = line()
    model = GDHuberRegression(scale=scale, warm_start=True).fit(X, y)
    first = model.n_iter_
    assert model.fit(X, y).n_iter_ <= first
    search = GDSearchCV(GDHuberRegression(scale=scale), {"alpha": [1e-3, 1.0]}, cv=3).fit(X, y)
    assert not any(search.shared_.shared)
    assert "GDHuberRegression" in str(search.shared_)


def test_the_curve_falls_and_is_drawn():
    pytest.importorskip("matplotlib")
    X, y = line()
    model = GDHuberRegression().fit(X, y)
    curve = np.array(model.loss_curve_)
    assert len(curve) == model.n_iter_ + 1
    assert curve[-1] == curve.min()
    LossCurveDisplay.from_estimator(model)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"scale": "mad"}, "scale must be 'joint' or a number greater than 0, got 'mad'"),
        ({"scale": 0}, "scale"),
        ({"epsilon": 0.9}, "epsilon"),
        ({"epsilon": 0, "scale": 1.0}, "epsilon"),
        ({"epsilon": math.nan}, "epsilon"),
        ({"alpha": -1}, "alpha"),
    ],
)
def test_refused(params, message):
    with pytest.raises(ValueError, match=message):
        GDHuberRegression(**params).fit(*line())


def test_rules_are_not_shared_between_fits():
    X, y = line()
    model = GDHuberRegression(learning_rate=steps.Lipschitz())
    assert_array_equal(model.fit(X, y).coef_, model.fit(X, y).coef_)


def test_a_hessian_is_bought_while_the_scale_is_renewed():
    # at the first scale conjugate gradients do, where few residuals lie within the threshold they crawl
    rng = np.random.default_rng(0)
    n, p = 700, 420
    X = rng.normal(size=(n, p)) * 10 ** rng.uniform(-1, 1, p)
    y = X @ rng.normal(size=p) / X.std(0).mean() + rng.normal(size=n)
    far = rng.random(n) < 0.1
    y[far] += rng.exponential(20, size=far.sum())
    model = GDHuberRegression().fit(X, y)
    assert model.stop_reason_ == "gradient"
    first, second, *_ = model.stages_
    assert (first["rule"], second["left"]) == ("Newton-CG", "for Hessians")
    whole = GDHuberRegression(preconditioner="full").fit(X, y)
    assert_allclose(model.predict(X), whole.predict(X), atol=1e-4 * y.std())


def test_a_warm_start_at_the_optimum_stays_there():
    X, y = np.random.RandomState(0).uniform(size=(30, 3)), np.arange(30) % 3.0
    model = GDHuberRegression(warm_start=True).fit(X, y)
    before = model.coef_
    assert_allclose(model.fit(X, y).coef_, before, rtol=1e-12)
