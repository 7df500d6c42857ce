"""The classic lessons on gradient descent, each against the loop or the formula of the books.

"Textbook" is `learning_rate=<number>` and nothing else: no momentum, no metric, no search. Such a
run is compared with the loop written out, iterate for iterate. `tol=0` keeps it from ending early.
"""

import math
import re
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler, scale

from sklearn_gd import DivergenceWarning, GDLinearRegression, GDLogisticRegression, steps
from sklearn_gd.momentum import MOMENTA

EXACT = {"rtol": 1e-12, "atol": 1e-12}


def _stopped_early(estimator, X, y, **fit_params):
    """Fit, where the run is meant to end at `max_iter`, and must say so."""
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        return estimator.fit(X, y, **fit_params)


def _first(estimator_class, n_iter, X, y, fit_params=None, **params):
    """`n_iter` iterations of the textbook."""
    return _stopped_early(estimator_class(max_iter=n_iter, tol=0, **params), X, y, **(fit_params or {}))


def _sigmoid(z):
    return 1 / (1 + math.exp(-z))


# --- 1: the line -------------------------------------------------------------------------------


@pytest.fixture
def line():
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 3, size=40)
    return x, 2.5 * x - 1.0 + rng.normal(scale=0.3, size=40)


def test_line_goes_through_the_iterates_of_the_two_partial_derivatives(line):
    x, y = line
    eta, m, b = 0.2, 0.0, 0.0
    for k in range(1, 41):
        residual = m * x + b - y
        m, b = m - eta * np.mean(x * residual), b - eta * np.mean(residual)
        model = _first(GDLinearRegression, k, x[:, None], y, learning_rate=eta)
        assert model.n_iter_ == k
        np.testing.assert_allclose([model.coef_[0], model.intercept_], [m, b], **EXACT)


def test_line_ends_at_the_closed_form(line):
    x, y = line
    m = np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2)
    b = y.mean() - m * x.mean()
    for learning_rate in ("auto", 0.2):
        model = GDLinearRegression(learning_rate=learning_rate, tol=1e-12, max_iter=5000).fit(x[:, None], y)
        np.testing.assert_allclose([model.coef_[0], model.intercept_], [m, b], rtol=1e-10)


def test_line_creeps_with_a_small_rate_and_bounces_out_with_a_large_one(line):
    x, y = line
    design = np.c_[x, np.ones_like(x)]
    largest = np.linalg.eigvalsh(design.T @ design / len(x))[-1]
    goal = np.linalg.lstsq(design, y, rcond=None)[0]

    creeping = _first(GDLinearRegression, 10, x[:, None], y, learning_rate=0.01 / largest)
    assert np.linalg.norm(goal - [creeping.coef_[0], creeping.intercept_]) > 0.5 * np.linalg.norm(goal)
    assert np.all(np.diff(creeping.loss_curve_) < 0)

    with pytest.warns(DivergenceWarning):
        bouncing = GDLinearRegression(learning_rate=2.5 / largest).fit(x[:, None], y)
    assert bouncing.stop_reason_ == "diverged"
    # Once the steepest direction has taken over, every bounce is bigger than the last.
    assert np.all(np.diff(bouncing.loss_curve_[5:]) > 0)


# --- 2: batch gradient descent on y = 4 + 3x + noise --------------------------------------------


@pytest.fixture
def four_plus_three_x():
    rng = np.random.default_rng(42)
    x = 2 * rng.random((100, 1))
    return x, 4 + 3 * x[:, 0] + rng.standard_normal(100), rng.standard_normal(2)


def test_batch_gradient_descent_is_the_loop_with_a_column_of_ones(four_plus_three_x):
    x, y, theta = four_plus_three_x
    X = np.c_[np.ones(100), x]
    normal_equation = np.linalg.inv(X.T @ X) @ X.T @ y
    start = theta.copy()
    iterates, losses = [theta], [0.5 * np.mean((X @ theta - y) ** 2)]
    for _ in range(1000):
        theta = theta - 0.1 / 100 * X.T @ (X @ theta - y)
        iterates.append(theta)
        losses.append(0.5 * np.mean((X @ theta - y) ** 2))

    for n_iter in [*range(1, 31), 100, 1000]:
        with_intercept = _first(GDLinearRegression, n_iter, x, y, learning_rate=0.1, init=(start[1:], start[0]))
        np.testing.assert_allclose([with_intercept.intercept_, with_intercept.coef_[0]], iterates[n_iter], **EXACT)
        # The same loop, with the column of ones given by the user.
        without = _first(GDLinearRegression, n_iter, X, y, learning_rate=0.1, init=start, fit_intercept=False)
        np.testing.assert_allclose(without.coef_, iterates[n_iter], **EXACT)
    # The last of these runs shows every loss on its way, the start's included.
    np.testing.assert_allclose(with_intercept.loss_curve_, losses, **EXACT)
    np.testing.assert_allclose(without.loss_curve_, losses, **EXACT)
    np.testing.assert_allclose(theta, normal_equation, rtol=1e-5)
    np.testing.assert_allclose(without.coef_, normal_equation, rtol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_from_any_start_the_same_minimum(four_plus_three_x, seed):
    x, y, _ = four_plus_three_x
    X = np.c_[np.ones(100), x]
    coef, intercept = np.random.default_rng(seed).normal(scale=100, size=(2, 1))
    model = GDLinearRegression(learning_rate=0.1, tol=1e-11, max_iter=5000, init=(coef, intercept[0]))
    model.fit(x, y)
    np.testing.assert_allclose([model.intercept_, model.coef_[0]], np.linalg.solve(X.T @ X, X.T @ y), rtol=1e-9)


# --- both losses, every iterate, with all that enters the objective --------------------------------


def _loop(loss, X, y, eta, n_iter, *, alpha, weights, fit_intercept):
    """Gradient descent on the package's one formula, written out, for any number of outputs.

    Yields the coefficients (outputs, features), the intercepts and the objective after each iteration.
    """
    p = X.shape[1]
    S = weights.sum()
    targets = y if y.ndim == 2 else y[:, None]
    W, b = np.zeros((targets.shape[1], p)), np.zeros(targets.shape[1])

    def state():
        raw = X @ W.T + b
        if loss == "squared":
            values, residual = 0.5 * ((raw - targets) ** 2).sum(axis=1), raw - targets
        elif loss == "binomial":
            proba = 1 / (1 + np.exp(-raw))
            values = -(targets * np.log(proba) + (1 - targets) * np.log(1 - proba)).sum(axis=1)
            residual = proba - targets
        else:
            proba = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
            values, residual = -(targets * np.log(proba)).sum(axis=1), proba - targets
        return weights @ values / S + alpha / 2 * np.sum(W**2), weights[:, None] * residual / S

    objective, residual = state()
    yield W, b, objective
    for _ in range(n_iter):
        W = W - eta * (residual.T @ X + alpha * W)
        if fit_intercept:
            b = b - eta * residual.sum(axis=0)
        objective, residual = state()
        yield W, b, objective


LOOPS = {
    "squared": ("squared", lambda y: y, GDLinearRegression),
    "squared-two-targets": ("squared", lambda y: np.c_[y, np.sqrt(y)], GDLinearRegression),
    "binomial": ("binomial", lambda y: (y > np.median(y)).astype(int), GDLogisticRegression),
    "multinomial": ("multinomial", lambda y: np.digitize(y, np.quantile(y, [0.3, 0.6])), GDLogisticRegression),
}


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("penalised", [False, True], ids=["unpenalised", "penalised"])
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])
@pytest.mark.parametrize("case", LOOPS)
def test_every_iterate_is_the_one_of_the_loop_written_out(case, fit_intercept, penalised, weighted):
    loss, target_of, estimator_class = LOOPS[case]
    X, y = load_diabetes(return_X_y=True)
    X, y = scale(X)[:120] + 0.5, target_of(y)[:120]
    weights = np.random.default_rng(0).uniform(0.5, 3, size=len(y)) if weighted else np.ones(len(y))
    alpha = 0.3 if penalised else 0.0
    if estimator_class is GDLinearRegression:
        params = {"alpha": alpha}
    else:
        params = {"C": 1 / (alpha * weights.sum()) if penalised else np.inf}
    targets = {"multinomial": np.eye(3)[y] if loss == "multinomial" else None}.get(loss, y)

    iterates = list(_loop(loss, X, targets, 0.1, 25, alpha=alpha, weights=weights, fit_intercept=fit_intercept))
    for n_iter in (1, 2, 3, 4, 5, 10, 25):
        model = _first(
            estimator_class,
            n_iter,
            X,
            y,
            {"sample_weight": weights} if weighted else {},
            learning_rate=0.1,
            fit_intercept=fit_intercept,
            **params,
        )
        W, b, _ = iterates[n_iter]
        np.testing.assert_allclose(np.atleast_2d(model.coef_), W, **EXACT)
        np.testing.assert_allclose(np.atleast_1d(model.intercept_), b, **EXACT)
    np.testing.assert_allclose(model.loss_curve_, [objective for _, _, objective in iterates], **EXACT)


# --- 3: logistic regression, sample by sample ------------------------------------------------------


@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "no-intercept"])
def test_logistic_regression_is_the_double_loop_in_plain_python(fit_intercept):
    X, y = load_iris(return_X_y=True)
    X, y = X[50:, :2], (y[50:] == 2).astype(int)
    m, alpha = len(y), 0.1
    w1 = w2 = b = 0.0
    for iteration in range(1, 31):
        J = dw1 = dw2 = db = 0.0
        for i in range(m):
            x1, x2 = float(X[i, 0]), float(X[i, 1])
            a = _sigmoid(w1 * x1 + w2 * x2 + b)
            J += -(y[i] * math.log(a) + (1 - y[i]) * math.log(1 - a))
            dz = a - y[i]
            dw1, dw2, db = dw1 + x1 * dz, dw2 + x2 * dz, db + dz
        J, dw1, dw2, db = J / m, dw1 / m, dw2 / m, db / m
        w1, w2 = w1 - alpha * dw1, w2 - alpha * dw2
        if fit_intercept:
            b -= alpha * db
        model = _first(
            GDLogisticRegression, iteration, X, y, learning_rate=alpha, C=np.inf, fit_intercept=fit_intercept
        )
        np.testing.assert_allclose([*model.coef_[0], *model.intercept_], [w1, w2, b], **EXACT)
        # J is the loss before this iteration.
        assert model.loss_curve_[iteration - 1] == pytest.approx(J, rel=1e-12)


def test_a_warm_start_goes_on_where_the_textbook_stopped():
    X, y = load_diabetes(return_X_y=True)
    at_once = _first(GDLinearRegression, 20, X, y, learning_rate=0.5)
    in_parts = GDLinearRegression(learning_rate=0.5, max_iter=5, tol=0, warm_start=True)
    for _ in range(4):
        _stopped_early(in_parts, X, y)
    np.testing.assert_allclose(in_parts.coef_, at_once.coef_, **EXACT)
    np.testing.assert_allclose(in_parts.intercept_, at_once.intercept_, **EXACT)


# --- momentum, written out ---------------------------------------------------------------------------


def test_heavy_ball_is_polyaks_formula():
    X, y = load_diabetes(return_X_y=True)
    X = scale(X)
    eta, beta, w, before = 0.1, 0.8, np.zeros(10), np.zeros(10)
    for k in range(1, 21):
        w, before = w - eta * X.T @ (X @ w - y) / len(y) + beta * (w - before), w
        model = _first(GDLinearRegression, k, X, y, learning_rate=eta, momentum=beta, fit_intercept=False)
        np.testing.assert_allclose(model.coef_, w, rtol=1e-10)


@pytest.mark.parametrize("momentum", [*MOMENTA, 0.8])
@pytest.mark.parametrize("rule", [name for name, rule in steps.RULES.items() if rule.momentum and not rule.scheduled])
def test_momentum_goes_with_every_rule_that_allows_it(rule, momentum):
    """Two classes of iris, penalised: a run without momentum needs up to a thousand iterations."""
    X, y = load_iris(return_X_y=True)
    X, y = X[y < 2], y[y < 2]
    params = {"C": 0.1, "fit_intercept": False, "tol": 1e-6}
    best = GDLogisticRegression(**params).fit(X, y).loss_curve_[-1]
    model = GDLogisticRegression(learning_rate=rule, momentum=momentum, max_iter=500, **params).fit(X, y)
    assert model.stop_reason_ == "gradient"
    assert model.loss_curve_[-1] / best - 1 <= 1e-9


# --- 6: the learning rate ----------------------------------------------------------------------------


@pytest.fixture
def quadratic():
    """A quadratic with its largest curvature L and its minimum known: X'X/n has eigenvalues 4, 1."""
    rng = np.random.default_rng(3)
    U = np.linalg.qr(rng.normal(size=(30, 3)) - 0)[0][:, :2]
    V = np.linalg.qr(rng.normal(size=(2, 2)))[0]
    X = np.sqrt(30) * U @ np.diag([2.0, 1.0]) @ V.T
    coef = V @ np.array([1.0, -2.0])
    return X, X @ coef, coef, V[:, 0], 4.0


def _errors_along(steepest, coef, X, y, learning_rate, n_iter=12):
    return [
        steepest @ (_first(GDLinearRegression, k, X, y, learning_rate=learning_rate, fit_intercept=False).coef_ - coef)
        for k in range(1, n_iter)
    ]


def test_below_one_over_l_every_direction_shrinks_without_crossing_the_minimum(quadratic):
    X, y, coef, steepest, L = quadratic
    errors = _errors_along(steepest, coef, X, y, 0.9 / L)
    assert np.all(np.array(errors) < 0)  # the start is at -1
    np.testing.assert_allclose(errors, [-(0.1**k) for k in range(1, 12)], rtol=1e-6, atol=1e-11)


def test_between_one_and_two_over_l_it_bounces_and_converges(quadratic):
    X, y, coef, steepest, L = quadratic
    errors = _errors_along(steepest, coef, X, y, 1.9 / L)
    np.testing.assert_allclose(errors, [-((-0.9) ** k) for k in range(1, 12)], rtol=1e-9)
    model = GDLinearRegression(learning_rate=1.9 / L, fit_intercept=False).fit(X, y)
    assert model.stop_reason_ == "gradient"
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-5)


def test_beyond_two_over_l_it_diverges_and_says_what_would_not(quadratic):
    X, y, _, _, L = quadratic
    with pytest.warns(DivergenceWarning) as record:
        model = GDLinearRegression(learning_rate=2.1 / L, fit_intercept=False, max_iter=100_000).fit(X, y)
    assert model.stop_reason_ == "diverged"
    assert np.all(np.isfinite(model.coef_))
    # What is kept is the best place of all that were seen, here one of the first.
    objective = 0.5 * np.mean((X @ model.coef_ - y) ** 2)
    assert objective == pytest.approx(np.nanmin(model.loss_curve_), rel=1e-9)
    assert len(record) == 1
    said = _numbers(str(record[0].message))
    assert any(number == pytest.approx(2.1 / L, rel=1e-2) for number in said)
    assert any(number == pytest.approx(2 / L, rel=2e-2) for number in said)
    assert any(number == model.n_iter_ for number in said)


def _numbers(text):
    return [float(number) for number in re.findall(r"\d+\.?\d*(?:e[+-]?\d+)?", text)]


def test_too_small_a_rate_ends_at_max_iter_and_says_so(quadratic):
    X, y, _, _, L = quadratic
    with pytest.warns(ConvergenceWarning, match="max_iter") as record:
        model = GDLinearRegression(learning_rate=1e-4 / L, fit_intercept=False).fit(X, y)
    assert not issubclass(record[0].category, DivergenceWarning)
    assert model.stop_reason_ == "max_iter"
    assert model.n_iter_ == 1000
    assert np.all(np.diff(model.loss_curve_) < 0)


@pytest.mark.parametrize("rate", [8.0, 12.0])
def test_a_rate_that_is_too_large_at_the_start_only_is_no_divergence(rate):
    """Where classes come apart, the log loss is flatter at its minimum than at zero: one rise, then down."""
    X, y = load_breast_cancer(return_X_y=True)
    model = GDLogisticRegression(learning_rate=rate).fit(scale(X), y)
    assert model.stop_reason_ == "gradient"
    assert np.sum(np.diff(model.loss_curve_) > 0) == 1
    assert max(model.loss_curve_) > model.loss_curve_[0]


# --- 7: the learning rate as a function of the iteration ------------------------------------------------

SCHEDULES = ["constant", "inverse-time", "exponential", "step", "cosine"]


@pytest.mark.parametrize("schedule", [*SCHEDULES, lambda k: 0.2 / (1 + k) ** 0.5], ids=[*SCHEDULES, "callable"])
def test_a_schedule_is_the_loop_with_the_rates_that_it_shows(schedule):
    X, y = load_diabetes(return_X_y=True)
    X = scale(X)
    model = _first(GDLinearRegression, 15, X, y, learning_rate=schedule)
    rates = model.history_["learning_rate"]
    assert len(rates) == 16
    assert rates[0] == 0.0  # the start: no step has been taken
    w, b = np.zeros(10), 0.0
    for eta in rates[1:]:
        residual = X @ w + b - y
        w, b = w - eta * X.T @ residual / len(y), b - eta * residual.mean()
    np.testing.assert_allclose(model.coef_, w, **EXACT)
    np.testing.assert_allclose(model.intercept_, b, **EXACT)
    if callable(schedule):
        assert rates[1:] == [schedule(k) for k in range(15)]
    elif schedule == "constant":
        assert len(set(rates[1:])) == 1
    else:
        assert rates[1] >= rates[2] >= rates[-1]
        if schedule != "step":
            assert rates[-1] < rates[1]


def test_a_constant_schedule_is_the_number():
    X, y = load_diabetes(return_X_y=True)
    number = _first(GDLinearRegression, 15, X, y, learning_rate=0.7)
    schedule = _first(GDLinearRegression, 15, X, y, learning_rate=steps.Constant(learning_rate=0.7))
    np.testing.assert_array_equal(number.coef_, schedule.coef_)


def test_history_tells_the_rate_from_the_length_of_the_step():
    """The length of a step is the rate times the norm of the gradient, not the rate."""
    X, y = load_diabetes(return_X_y=True)
    X = scale(X)
    model = _first(GDLinearRegression, 10, X, y, learning_rate=0.3, fit_intercept=False)
    iterates = [np.zeros(10)] + [
        _first(GDLinearRegression, k, X, y, learning_rate=0.3, fit_intercept=False).coef_ for k in range(1, 11)
    ]
    lengths = np.linalg.norm(np.diff(iterates, axis=0), axis=1)
    np.testing.assert_allclose(model.history_["step_length"], [0.0, *lengths], rtol=1e-10)
    assert model.history_["learning_rate"] == [0.0] + [0.3] * 10
    assert not np.allclose(lengths, 0.3)


# --- 8: when to stop ----------------------------------------------------------------------------------


def test_what_ended_the_run_is_part_of_the_result():
    X, y = load_diabetes(return_X_y=True)
    assert GDLinearRegression().fit(X, y).stop_reason_ == "gradient"
    # Squared error can be solved to the last bit; the log loss cannot.
    precise = GDLogisticRegression(tol=1e-30, max_iter=100_000).fit(X, y > 140)
    assert precise.stop_reason_ == "precision"
    assert _stopped_early(GDLinearRegression(max_iter=1, learning_rate=0.1), X, y).stop_reason_ == "max_iter"
    with pytest.warns(DivergenceWarning):
        assert GDLinearRegression(learning_rate=1e6).fit(X, y).stop_reason_ == "diverged"


def test_a_smaller_tolerance_costs_iterations_and_brings_the_optimum_nearer():
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)
    best = GDLogisticRegression(tol=1e-13, max_iter=100_000).fit(X, y)
    iterations, distances = [], []
    for tol in (1e-2, 1e-4, 1e-6, 1e-8):
        model = GDLogisticRegression(tol=tol, max_iter=100_000).fit(X, y)
        iterations.append(model.n_iter_)
        distances.append(np.linalg.norm(model.coef_ - best.coef_))
    # in between a metric that is kept for longer may cost an iteration, and save a matrix
    assert iterations[0] < min(iterations[1:])
    assert max(iterations[:-1]) < iterations[-1]
    assert distances == sorted(distances, reverse=True)


@pytest.mark.parametrize("estimator_class", [GDLinearRegression, GDLogisticRegression])
def test_stopping_knows_neither_the_number_of_samples_nor_the_scale_of_the_weights(estimator_class):
    X, y = load_breast_cancer(return_X_y=True)
    X = scale(X)
    y = np.where(
        np.random.default_rng(0).random(len(y)) < 0.1, 1 - y, y
    )  # not separable: there is an optimum without a penalty
    # A penalty per sample, so that the objective, a mean, stays the same.
    params = {"alpha": 0.1} if estimator_class is GDLinearRegression else {"C": np.inf, "tol": 1e-3}
    once = estimator_class(max_iter=100_000, **params).fit(X, y)
    thrice = estimator_class(max_iter=100_000, **params).fit(np.r_[X, X, X], np.r_[y, y, y])
    heavy = estimator_class(max_iter=100_000, **params).fit(X, y, sample_weight=np.full(len(y), 1e6))
    for model in (thrice, heavy):
        assert model.stop_reason_ == once.stop_reason_ == "gradient"
        assert model.n_iter_ == once.n_iter_
        np.testing.assert_allclose(model.coef_, once.coef_, rtol=1e-7)


@pytest.mark.parametrize("rule", ["auto", "lipschitz", "backtracking", "exact", "barzilai-borwein", "polyak", "adgd"])
def test_the_tolerance_means_the_same_for_every_rule(rule):
    X, y = load_diabetes(return_X_y=True)
    X = scale(X)
    # In standardised units, here the user's own, the gradient at the end is what tol says.
    model = GDLinearRegression(learning_rate=rule, tol=1e-4, max_iter=100_000).fit(X, y)
    assert model.stop_reason_ == "gradient"
    ends = model.history_["gradient_norm"]
    assert ends[-1] <= 1e-4 * max(1.0, ends[0])
    assert len(ends) < 3 or ends[-2] > 1e-4 * min(1.0, ends[0])


# --- targets that hardly vary, or not at all ------------------------------------------------------------

EVERY_RULE = [0.5, "auto", "lipschitz", "backtracking", "wolfe", "exact", "barzilai-borwein", "polyak", "adgd"]


@pytest.fixture
def five_columns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    return X, X @ [1.0, -2.0, 3.0, 0.0, 0.5], rng.normal(size=200), rng.uniform(0.5, 2, size=200)


@pytest.mark.parametrize("form", ["dense", "sparse", "weighted", "float32"])
@pytest.mark.parametrize("constant", [0.5, 1.1, -0.1, 1e5 / 3, 1.1e-12, 1.1e12])
@pytest.mark.parametrize("rule", EVERY_RULE)
def test_a_constant_target_is_predicted_after_some_tens_of_iterations(five_columns, rule, constant, form):
    """Most constants are no binary fractions: what their mean leaves of them is no spread to be explained."""
    X, _, _, weight = five_columns
    X = {"sparse": sparse.csr_array(X), "float32": X.astype(np.float32)}.get(form, X)
    model = GDLinearRegression(learning_rate=rule).fit(
        X, np.full(200, constant), weight if form == "weighted" else None
    )
    assert model.stop_reason_ in ("gradient", "precision")
    assert model.n_iter_ < 70
    precision = 1e-4 if form == "float32" else 1e-9
    assert model.intercept_ == pytest.approx(constant, rel=precision)
    assert np.abs(model.coef_).max() <= precision * abs(constant)


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_a_constant_target_beside_others(five_columns, rule):
    X, line, noise, weight = five_columns
    Y = np.c_[np.full(200, 1.1), line + noise, np.full(200, 7e5 / 3)]
    for w in (None, weight):
        model = GDLinearRegression(learning_rate=rule).fit(X, Y, w)
        assert model.stop_reason_ in ("gradient", "precision")
        assert model.n_iter_ < 100
        alone = GDLinearRegression().fit(X, Y[:, 1], w)
        np.testing.assert_allclose(model.coef_[1], alone.coef_, atol=1e-5)
        np.testing.assert_allclose(model.intercept_[[0, 2]], [1.1, 7e5 / 3], rtol=1e-6)
        assert np.abs(model.coef_[[0, 2]].T / [1.1, 7e5 / 3]).max() < 1e-6


@pytest.mark.parametrize("rule", [rule for rule in EVERY_RULE if rule != "lipschitz"])
@pytest.mark.parametrize(("level", "spread"), [(1e6, 1.0), (1e9, 1.0), (1e12, 1.0), (1.1, 1e-9), (1.1, 2e-13)])
def test_a_target_far_from_zero_ends_within_rounding_errors(five_columns, rule, level, spread):
    """An exact line as far away as that: no rate makes steps of less than the intercept's last digit."""
    X, line, _, _ = five_columns
    y = level + spread * line
    model = GDLinearRegression(learning_rate=rule).fit(X, y)
    assert model.stop_reason_ in ("gradient", "precision")
    assert model.n_iter_ < 300
    # 4 of those digits, or as close as tol asks for
    assert np.abs(model.predict(X) - y).max() <= max(4 * np.spacing(level), 1e-8 * spread)


def test_the_best_place_is_no_earlier_one_of_higher_loss(five_columns):
    """A perfect fit that is far away: the relative gradient stays 1 all the way down, and rounding errors are the end of it."""
    X, line, _, _ = five_columns
    for rule in ("adgd", 0.5):
        model = GDLinearRegression(learning_rate=rule).fit(X, 1e12 + line)
        assert model.loss_curve_[0] > 1e23
        assert model.intercept_ == pytest.approx(1e12, rel=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_lipschitz_rule_is_not_misled_by_rounding_errors_of_the_loss(dtype):
    X = sparse.csr_array((10, 2), dtype=dtype)
    model = GDLinearRegression(learning_rate="lipschitz").fit(X, np.arange(10.0), np.arange(1.0, 11))
    assert (model.n_iter_, model.stop_reason_) == (1, "gradient")
    assert model.intercept_ == pytest.approx(6, rel=1e-6)


def test_a_rate_without_effect_is_said_to_be_too_small(five_columns):
    """Steps that are lost in rounding errors far from the optimum are no end within them."""
    X, line, noise, _ = five_columns
    for rate in (1e-9, 1e-20):
        model = GDLinearRegression(learning_rate=rate, init=np.ones(5), max_iter=200)
        with pytest.warns(ConvergenceWarning, match="too small"):
            model.fit(X, line + noise)


# --- 9: gradient descent against the normal equation -----------------------------------------------------


def _singular(kind):
    X, y = load_diabetes(return_X_y=True)
    X = scale(X)
    if kind == "duplicated column":
        X = np.c_[X, X[:, 2]]
    elif kind == "constant column":
        X = np.c_[X, np.ones(len(y))]
    else:
        X, y = X[:8], y[:8]
    return X, y


@pytest.mark.parametrize("kind", ["duplicated column", "constant column", "more features than samples"])
def test_gradient_descent_solves_what_the_normal_equation_cannot(kind):
    X, y = _singular(kind)
    gram = np.c_[X, np.ones(len(y))].T @ np.c_[X, np.ones(len(y))]
    assert np.linalg.matrix_rank(gram) < len(gram)  # no inverse: the closed form has no answer

    fitted = np.c_[X, np.ones(len(y))] @ np.linalg.lstsq(np.c_[X, np.ones(len(y))], y, rcond=None)[0]
    model = GDLinearRegression(tol=1e-10, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(model.predict(X), fitted, rtol=1e-6)


@pytest.mark.parametrize("kind", ["duplicated column", "constant column", "more features than samples"])
def test_the_textbook_ends_at_the_shortest_of_all_solutions(kind):
    """From zero, every gradient lies in the row space of X; so does the limit, which makes it the shortest."""
    X, y = _singular(kind)
    largest = np.linalg.eigvalsh(X.T @ X / len(y))[-1]
    model = GDLinearRegression(learning_rate=1 / largest, fit_intercept=False, tol=1e-11, max_iter=200_000)
    model.fit(X, y)
    np.testing.assert_allclose(model.coef_, np.linalg.pinv(X) @ y, rtol=1e-6, atol=1e-6)


# --- 10: change the loss and the closed form is gone -------------------------------------------------------


@pytest.mark.parametrize("rule", list(steps.RULES))
@pytest.mark.parametrize("case", ["squared", "binomial", "multinomial"])
def test_the_same_rules_on_another_loss(case, rule):
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    if case == "squared":
        estimator = GDLinearRegression(alpha=0.1)
        y = y.astype(float)
    else:
        estimator = GDLogisticRegression(C=0.1)
        y = y if case == "multinomial" else (y == 1).astype(int)
    best = estimator.set_params(tol=1e-10, max_iter=10_000).fit(X, y).loss_curve_[-1]
    estimator.set_params(learning_rate=rule, tol=1e-4, max_iter=20_000)
    if rule in ("inverse-time", "exponential", "step", "cosine") or not steps.RULES[rule].metric:
        # A schedule may run dry before the minimum, as AdaGrad does, and Adam and its kin need not arrive at a constant rate: it must have
        # come down and say where it stands. RMSProp may pass so near to the minimum that there is nothing but rounding.
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            estimator.set_params(max_iter=500, tol=0).fit(X, y)
        assert [warning.category for warning in told] == [ConvergenceWarning] * (estimator.stop_reason_ == "max_iter")
        assert estimator.loss_curve_[-1] < 0.5 * (estimator.loss_curve_[0] + best)
    else:
        estimator.fit(X, y)
        assert estimator.stop_reason_ == "gradient"
        assert estimator.loss_curve_[-1] - best <= 1e-6 * best
