"""gradient_descent on functions with known answers, and on functions that have none.

The classic lessons are among them: any differentiable function, several minima, plateaus, rates too large.
"""

import inspect
import math
import pickle

import numpy as np
import pytest
from scipy.optimize import Bounds, OptimizeResult, OptimizeWarning, basinhopping, minimize, rosen, rosen_der

from sklearn_gd import DivergenceError, DivergenceWarning, GDLinearRegression, gradient_descent, steps
from sklearn_gd.descent import HISTORY
from sklearn_gd.momentum import HeavyBall
from sklearn_gd.quasi_newton import LimitedMemory


def sphere(x):
    return x @ x


def sphere_gradient(x):
    return 2 * x


def booth(x):
    return (x[0] + 2 * x[1] - 7) ** 2 + (2 * x[0] + x[1] - 5) ** 2


def booth_gradient(x):
    a, b = x[0] + 2 * x[1] - 7, 2 * x[0] + x[1] - 5
    return np.array([2 * a + 4 * b, 4 * a + 2 * b])


def beale(x):
    return sum((c - x[0] * (1 - x[1] ** k)) ** 2 for k, c in ((1, 1.5), (2, 2.25), (3, 2.625)))


def beale_gradient(x):
    parts = [(k, c - x[0] * (1 - x[1] ** k)) for k, c in ((1, 1.5), (2, 2.25), (3, 2.625))]
    return 2 * np.array(
        [sum(r * (x[1] ** k - 1) for k, r in parts), sum(r * x[0] * k * x[1] ** (k - 1) for k, r in parts)]
    )


def falling(v):
    """Unbounded below."""
    return 3 * v[0] ** 2 + 4 * v[1] - math.sin(v[2])


def falling_gradient(v):
    return np.array([6 * v[0], 4.0, -math.cos(v[2])])


def valleys(x):
    """The left one is the lower."""
    return (x[0] ** 2 - 1) ** 2 + 0.3 * x[0]


KNOWN = [
    (sphere, sphere_gradient, [3.0, 4.0], [0.0, 0.0]),
    (booth, booth_gradient, [0.0, 0.0], [1.0, 3.0]),
    (beale, beale_gradient, [0.0, 0.0], [3.0, 0.5]),
    (beale, beale_gradient, [1.0, 1.0], [3.0, 0.5]),
    (rosen, rosen_der, [-1.2, 1.0], [1.0, 1.0]),
    (rosen, rosen_der, [-1.2, 1.0] * 5, [1.0] * 10),
]
RULES = ["auto", *(name for name, rule in steps.RULES.items() if name not in ("auto", "polyak") and not rule.scheduled)]


# --- known answers --------------------------------------------------------------------------------


@pytest.mark.parametrize("jac", ["callable", True, None, "2-point", "3-point", "cs"])
@pytest.mark.parametrize(("fun", "gradient", "start", "answer"), KNOWN)
def test_the_test_functions_of_scipy(fun, gradient, start, answer, jac):
    given = {"callable": gradient}.get(jac, jac)
    asked = (lambda x: (fun(x), gradient(x))) if jac is True else fun
    result = gradient_descent(asked, start, jac=given)
    assert result.success
    assert result.status == 0
    assert result.stop_reason == "gradient"
    np.testing.assert_allclose(result.x, answer, atol=1e-4)
    # The error of a forward difference, not of the solver: h·f''/2 = 6e-6 for Rosenbrock's function.
    assert np.linalg.norm(gradient(result.x)) <= (2e-4 if jac == "2-point" else 1e-6)
    np.testing.assert_allclose(result.jac, gradient(result.x), atol=2e-4)
    assert result.fun == fun(result.x)
    assert result.nit < 100


@pytest.mark.parametrize("jac", ["callable", True, None])
@pytest.mark.parametrize(("fun", "gradient", "start", "answer"), KNOWN)
def test_as_a_method_of_scipy(fun, gradient, start, answer, jac):
    given = {"callable": gradient}.get(jac, jac)
    asked = (lambda x: (fun(x), gradient(x))) if jac is True else fun
    result = minimize(asked, start, jac=given, method=gradient_descent, tol=1e-7)
    assert isinstance(result, OptimizeResult)
    assert result.success
    assert np.linalg.norm(gradient(result.x)) <= 2e-7
    np.testing.assert_allclose(result.x, answer, atol=1e-5)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "silver"])
def test_every_rule_finds_the_minimum(rule):
    result = gradient_descent(booth, [0.0, 0.0], jac=booth_gradient, learning_rate=rule, max_iter=100_000)
    assert result.stop_reason == "gradient"
    np.testing.assert_allclose(result.x, [1, 3], atol=1e-6)


def test_silver_steps_are_good_where_a_long_one_ends():
    """After 2^k − 1 of them; between, the gap goes up and down."""
    result = gradient_descent(booth, [0.0, 0.0], jac=booth_gradient, learning_rate="silver", max_iter=127)
    assert result.fun < 1e-5 * booth([0, 0])


@pytest.mark.parametrize("momentum", [0.9, "nesterov", HeavyBall(0.5)])
@pytest.mark.parametrize("rule", [0.02, "lipschitz", "backtracking", "exact"])
def test_momenta(rule, momentum):
    result = gradient_descent(booth, [0.0, 0.0], jac=booth_gradient, learning_rate=rule, momentum=momentum)
    assert result.stop_reason == "gradient"
    np.testing.assert_allclose(result.x, [1, 3], atol=1e-6)


def test_backtracking_where_the_momentum_leads_uphill():
    """From where the last step alone would lead, the direction may point up: no reason to end."""
    result = gradient_descent(
        rosen, [-1.2, -1.0], jac=rosen_der, learning_rate="backtracking", momentum=0.9, max_iter=500
    )
    assert result.stop_reason == "max_iter"
    assert result.fun < 0.01 * rosen([-1.2, -1.0])


def test_polyak_needs_the_least_value():
    with pytest.raises(ValueError, match="optimum"):
        gradient_descent(booth, [0.0, 0.0], learning_rate="polyak")
    result = gradient_descent(booth, [0.0, 0.0], learning_rate=steps.Polyak(optimum=0.0))
    np.testing.assert_allclose(result.x, [1, 3], atol=1e-5)


def test_a_plane_search_follows_a_bent_valley():
    result = gradient_descent(rosen, [-1.2, 1.0], jac=rosen_der, learning_rate=steps.PlaneSearch())
    assert result.success
    assert result.nit < 20


def test_barzilai_borwein_is_the_formula():
    """The second rate is ΔxᵀΔg / ΔgᵀΔg of the first step, and so on."""
    result = gradient_descent(booth, [0.0, 0.0], jac=booth_gradient, learning_rate="barzilai-borwein")
    assert result.nit < 15
    for k in range(1, result.nit):
        step = result.path[k] - result.path[k - 1]
        change = booth_gradient(result.path[k]) - booth_gradient(result.path[k - 1])
        assert result.history["learning_rate"][k + 1] == pytest.approx(step @ change / (change @ change), rel=1e-6)


def test_wolfe_conditions_hold_at_every_step():
    rule = steps.Wolfe(sufficient=1e-3, flatter=0.8)
    result = gradient_descent(rosen, [-1.2, 1.0], jac=rosen_der, learning_rate=rule, tol=1e-3, max_iter=5000)
    assert result.success
    for k in range(result.nit):
        x, y = result.path[k], result.path[k + 1]
        slope = rosen_der(x) @ (y - x)
        assert rosen(y) <= rosen(x) + 1e-3 * slope
        assert rosen_der(y) @ (y - x) >= 0.8 * slope


def test_limited_memory_is_the_bfgs_matrix():
    """Two steps, and the product of the formula written out."""
    rng = np.random.default_rng(0)
    basis = rng.standard_normal((4, 4))
    hessian = basis @ basis.T + np.eye(4)
    metric, inverse = LimitedMemory(), np.eye(4)
    for _ in range(2):
        s = rng.standard_normal(4)
        y = hessian @ s
        metric.pairs.append((s, y, s @ y))
    inverse *= (s @ y) / (y @ y)
    for s, y, form in metric.pairs:
        left = np.eye(4) - np.outer(s, y) / form
        inverse = left @ inverse @ left.T + np.outer(s, s) / form
    g = rng.standard_normal(4)
    np.testing.assert_allclose(metric.direction(g), -inverse @ g, rtol=1e-12)


# --- the textbook -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("fun", "gradient", "start", "rate"), [
    (sphere, sphere_gradient, [3.0, 4.0], 0.1),
    (rosen, rosen_der, [-1.2, 1.0], 0.001),
    (falling, falling_gradient, [1.0, 1.0, 1.0], 0.1),
])  # fmt: skip
def test_a_fixed_rate_is_the_loop_written_out(fun, gradient, start, rate):
    result = gradient_descent(fun, start, jac=gradient, learning_rate=rate, max_iter=200, tol=0, check_gradient=False)
    x = np.array(start)
    for k in range(201):
        np.testing.assert_allclose(result.path[k], x, rtol=1e-12, atol=1e-12)
        assert result.history["loss"][k] == pytest.approx(fun(x), rel=1e-12, abs=1e-12)
        x = x - rate * gradient(x)


@pytest.mark.parametrize("rate", [
    lambda k: 0.1 / (k + 1),
    steps.InverseTime(0.3, decay=0.1),
    steps.Exponential(0.3, decay=0.1),
    steps.StepDecay(0.3, factor=0.5, every=5),
    steps.Cosine(0.3, period=20),
])  # fmt: skip
def test_schedules(rate):
    result = gradient_descent(booth, [0.0, 0.0], jac=booth_gradient, learning_rate=rate, max_iter=15, tol=0)
    x, eta = np.zeros(2), rate if callable(rate) else rate.rate
    for k in range(15):
        x = x - eta(k) * booth_gradient(x)
        np.testing.assert_allclose(result.path[k + 1], x, rtol=1e-12, atol=1e-12)
        assert result.history["learning_rate"][k + 1] == eta(k)


def test_heavy_ball_is_the_loop_written_out():
    result = gradient_descent(rosen, [-1.2, 1.0], jac=rosen_der, learning_rate=0.001, momentum=0.8, max_iter=100, tol=0)
    x, last = np.array([-1.2, 1.0]), np.zeros(2)
    for k in range(100):
        last = 0.8 * last - 0.001 * rosen_der(x)
        x = x + last
        np.testing.assert_allclose(result.path[k + 1], x, rtol=1e-12)


def test_the_length_of_a_step_is_the_rate_times_the_gradient():
    result = gradient_descent(sphere, [3.0, 4.0], learning_rate=0.1)
    history = result.history
    np.testing.assert_allclose(history["step_length"][1:], 0.1 * np.array(history["gradient_norm"][:-1]), rtol=1e-12)
    np.testing.assert_allclose(result.x, 0, atol=1e-6)


def test_the_history_is_the_estimators():
    X = np.arange(6.0)[:, None]
    fitted = GDLinearRegression().fit(X, 2 * X[:, 0] + 1)
    result = gradient_descent(rosen, [-1.2, 1.0])
    assert list(result.history) == list(fitted.history_) == list(HISTORY)
    assert {len(column) for column in result.history.values()} == {result.nit + 1}
    assert result.path.shape == (result.nit + 1, 2)
    np.testing.assert_array_equal(result.path[-1], result.x)
    assert [rosen(x) for x in result.path] == result.history["loss"]
    assert result.history["passes"][-1] == result.nfev


@pytest.mark.parametrize("jac", ["callable", True, None, "2-point"])
def test_calls_are_counted(jac):
    calls = {"fun": 0, "jac": 0}

    def fun(x):
        calls["fun"] += 1
        return (rosen(x), rosen_der(x)) if jac is True else rosen(x)

    def gradient(x):
        calls["jac"] += 1
        return rosen_der(x)

    result = gradient_descent(fun, [-1.2, 1.0], jac=gradient if jac == "callable" else jac)
    assert result.nfev == calls["fun"]
    if jac == "callable":
        assert result.njev == calls["jac"]
        assert result.history["passes"][-1] == result.nfev + result.njev
    textbook = gradient_descent(fun, [-1.2, 1.0], jac=True, learning_rate=1e-3, max_iter=10) if jac is True else None
    assert textbook is None or textbook.nfev == 11 + 2 + 2 * 2 + 2  # the run, the check at both ends, the curvature


# --- a function without a bottom, plateaus, valleys -------------------------------------------------------


@pytest.mark.parametrize("rule", [*(rule for rule in RULES if rule != "silver"), 0.1, "cosine"])
@pytest.mark.parametrize("jac", [falling_gradient, None])
def test_unbounded_below_ends_with_that_word(rule, jac):
    result = gradient_descent(falling, [1.0, 1.0, 1.0], jac=jac, learning_rate=rule)
    if rule == "cosine":  # whose rate falls to nothing: it has seen no more than that it ran out of iterations
        assert result.stop_reason in ("unbounded", "max_iter")
    else:
        assert result.stop_reason == "unbounded"
        assert "unbounded below" in result.message
    assert not result.success
    assert np.isfinite(result.x).all()
    assert np.isfinite(result.jac).all()
    assert result.fun < -100


@pytest.mark.parametrize("fun", [
    lambda x: -x[0] ** 2,
    lambda x: -(x[0] ** 4) + math.cos(x[0]) - 1,
    lambda x: -math.exp(x[0]) if x[0] < 700 else -math.inf,
    lambda x: -math.inf if x[0] < 0 else x[0],
])  # fmt: skip
def test_other_functions_without_a_bottom(fun):
    result = gradient_descent(fun, [0.5] if fun([0.5]) < 0 else [0.1])
    assert result.stop_reason == "unbounded"
    assert np.isfinite(result.fun)


@pytest.mark.parametrize("rate", [1e-4, 0.01])
def test_what_only_creeps_is_not_called_unbounded(rate):
    result = gradient_descent(booth, [100.0, 100.0], jac=booth_gradient, learning_rate=rate, max_iter=20)
    assert result.stop_reason == "max_iter"
    result = gradient_descent(lambda x: math.hypot(1, x[0]), [1e4], learning_rate=rate, max_iter=20)
    assert result.stop_reason == "max_iter"


def test_the_start_decides_which_valley_is_found():
    left = gradient_descent(valleys, [-0.5], learning_rate=0.05)
    right = gradient_descent(valleys, [0.5], learning_rate=0.05)
    assert left.x[0] < -1 < 0.9 < right.x[0]
    assert left.fun < right.fun


@pytest.mark.parametrize("rule", ["auto", 0.05, "adgd"])
def test_several_starts_find_the_lower_valley(rule):
    result = gradient_descent(valleys, [[2.0], [0.5], [-0.5]], n_starts=3, learning_rate=rule)
    assert result.fun == min(start.fun for start in result.starts)
    assert [start.path[0, 0] for start in result.starts] == [2.0, 0.5, -0.5]
    assert result.x[0] < -1
    assert {round(start.x[0], 2) for start in result.starts} >= {-1.04, 0.96}
    assert result.nfev == sum(start.nfev for start in result.starts)


def test_starts_drawn_in_a_box():
    box, lower = Bounds([-2.0], [2.0]), np.roots([4, 0, -4, 0.3]).real.min()
    once, again, other = (
        gradient_descent(valleys, None, bounds=box, n_starts=8, random_state=seed) for seed in (0, 0, 1)
    )
    assert len(once.starts) == 8
    for one, two in zip(once.starts, again.starts, strict=True):
        np.testing.assert_array_equal(one.path, two.path)
    assert once.starts[0].path[0, 0] != other.starts[0].path[0, 0]
    assert once.x[0] == pytest.approx(lower, abs=1e-5)
    first = minimize(
        valleys, [1.0], method=gradient_descent, bounds=[(-2, 2)], options={"n_starts": 4, "random_state": 1}
    )
    assert first.starts[0].path[0, 0] == 1.0
    assert len(first.starts) == 4
    assert first.x[0] == pytest.approx(lower, abs=1e-5)


@pytest.mark.parametrize(("rule", "arrives"), [(0.1, False), ("auto", True), ("backtracking", True), ("adgd", True)])
def test_on_a_plateau_a_constant_rate_crawls(rule, arrives):
    """f = 1 − exp(−x²/8) from x = 8: a slope of 7e-4 at the start, and everything happens below 4."""
    result = gradient_descent(lambda x: -math.expm1(-(x[0] ** 2) / 8), [8.0], learning_rate=rule, max_iter=300)
    assert result.success is arrives
    assert (abs(result.x[0]) < 1e-4) == arrives
    if not arrives:
        assert result.x[0] > 7.5
        assert result.stop_reason == "max_iter"


# --- rates too large ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "end"), [(0.4, "gradient"), (0.9, "gradient"), (1.1, "diverged"), (1e200, "diverged")]
)
def test_the_threshold_of_a_quadratic(rate, end):
    """L = 2 for the sphere: below 1/L monotone, below 2/L it bounces and converges, beyond it diverges."""
    if end == "diverged":
        with pytest.warns(DivergenceWarning, match=r"about 1 \(2/L\)"):
            result = gradient_descent(sphere, [3.0, 4.0], learning_rate=rate)
        np.testing.assert_array_equal(result.x, [3, 4])  # the best of the run
        with pytest.raises(DivergenceError):
            gradient_descent(sphere, [3.0, 4.0], learning_rate=rate, on_divergence="raise")
    else:
        result = gradient_descent(sphere, [3.0, 4.0], learning_rate=rate)
        bounces = (np.diff(np.sign(result.path[:, 0])) != 0).any()
        assert bounces == (rate > 0.5)
    assert result.stop_reason == end
    assert np.isfinite(result.fun)
    assert np.isfinite(result.path).all()


def test_max_iter_says_so():
    result = gradient_descent(sphere, [3.0, 4.0], learning_rate=1e-3, max_iter=10)
    assert (result.status, result.success, result.nit) == (1, False, 10)
    assert "max_iter=10" in result.message
    assert gradient_descent(sphere, [3.0, 4.0], max_iter=0).nit == 0


# --- NaN, exceptions, wrong gradients ----------------------------------------------------------------------


def log_squared(x):
    return np.log(x[0]) ** 2  # NaN for x < 0


@pytest.mark.parametrize("rule", ["auto", "wolfe", "backtracking", "barzilai-borwein"])
def test_a_search_turns_back_from_nan(rule):
    result = gradient_descent(log_squared, [5.0], learning_rate=rule)
    assert result.success
    assert result.x[0] == pytest.approx(1, abs=1e-5)


def test_a_fixed_rate_ends_at_nan_and_says_so():
    with pytest.warns(DivergenceWarning, match="the function is nan at iteration 2"):
        result = gradient_descent(log_squared, [5.0], learning_rate=5.0)
    assert np.isfinite(result.x).all()
    assert np.isfinite(result.fun)
    assert result.stop_reason == "diverged"


def test_a_gradient_that_is_nan_on_the_way():
    with pytest.warns(DivergenceWarning, match="the gradient is not finite"):
        result = gradient_descent(sphere, [3.0], jac=lambda x: 2 * x if x[0] > 1 else x * np.nan, learning_rate=0.25)
    assert np.isfinite(result.jac).all()


def test_a_start_without_a_value():
    with pytest.raises(ValueError, match=r"x0=\[-1\.\] fun is nan"):
        gradient_descent(log_squared, [-1.0])
    with pytest.raises(ValueError, match="the gradient is not finite"):
        gradient_descent(sphere, [1.0], jac=lambda x: x * np.nan)
    result = gradient_descent(log_squared, [[-1.0], [3.0]], n_starts=2)
    assert result.success
    assert [start.stop_reason for start in result.starts] == ["diverged", "gradient"]
    assert result.starts[0].fun == np.inf


@pytest.mark.parametrize("where", ["fun", "jac", "callback"])
def test_an_exception_comes_through(where):
    def fails(x):
        raise LookupError(f"in {where}")

    given = {"fun": rosen, "jac": rosen_der, "callback": None, where: fails}
    with pytest.raises(LookupError, match=f"in {where}"):
        gradient_descent(given["fun"], [-1.2, 1.0], jac=given["jac"], callback=given["callback"])


def test_numpy_errors_that_were_asked_for_come_through():
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        gradient_descent(lambda x: np.exp(x[0]) * 1e308, [1e3])


@pytest.mark.parametrize("wrong", [
    lambda x: -rosen_der(x),
    lambda x: 2 * rosen_der(x),
    lambda x: rosen_der(x)[::-1],
    lambda x: rosen_der(x) + 5.0,
    lambda x: 0 * x,
])  # fmt: skip
def test_a_wrong_gradient_is_found_at_the_start(wrong):
    with pytest.raises(ValueError, match="disagrees with finite differences"):
        gradient_descent(rosen, [-1.2, 1.0], jac=wrong)
    with pytest.raises(ValueError, match="disagrees with finite differences"):
        gradient_descent(lambda x: (rosen(x), wrong(x)), [-1.2, 1.0], jac=True)
    result = gradient_descent(rosen, [-1.2, 1.0], jac=wrong, check_gradient=False, max_iter=50)
    assert np.isfinite(result.x).all()


def test_a_gradient_that_is_wrong_further_on_is_told_in_the_result():
    result = gradient_descent(sphere, [3.0], jac=lambda x: 2 * x if x[0] > 2 else -2 * x, learning_rate="wolfe")
    assert not result.success
    result = gradient_descent(sphere, [3.0], jac=lambda x: 2 * x if x[0] > 2 else -2 * x, learning_rate=0.1, max_iter=4)
    assert "disagrees with finite differences" in result.message


def test_a_complex_step_through_real_arithmetic_is_no_gradient():
    with pytest.raises(ValueError, match="disagrees"):
        gradient_descent(lambda x: abs(x[0] ** 2 + 1), [2.0], jac="cs")


@pytest.mark.parametrize(("fun", "gradient"), [
    (lambda x: np.abs(x).sum(), np.sign),
    (lambda x: 1e8 + ((x - 1) ** 2).sum(), lambda x: 2 * (x - 1)),
    (lambda x: 1e9 * (x @ x), lambda x: 2e9 * x),
    (lambda x: 3.0, lambda x: 0 * x),
    (lambda x: np.exp(30 * x).sum(), lambda x: 30 * np.exp(30 * x)),
    (lambda x: ((x - 1e8) ** 2).sum(), lambda x: 2 * (x - 1e8)),
])  # fmt: skip
def test_a_true_gradient_is_not_suspected(fun, gradient):
    for seed in range(20):
        start = np.random.default_rng(seed).standard_normal(3)
        start[0] = 0.0
        gradient_descent(fun, start, jac=gradient, max_iter=2)


def test_what_the_user_does_to_x_stays_there():
    def spoils(x):
        value = rosen(x)
        x[:] = np.nan
        return value

    start = np.array([-1.2, 1.0])
    assert gradient_descent(spoils, start).success
    np.testing.assert_array_equal(start, [-1.2, 1.0])


# --- bounds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jac", [True, False])
@pytest.mark.parametrize("seed", range(15))
def test_boxes_against_scipy(seed, jac):
    rng = np.random.default_rng(seed)
    n = rng.integers(2, 10)
    basis, linear = rng.standard_normal((n, n)), 3 * rng.standard_normal(n)
    hessian = basis @ basis.T + 0.01 * np.eye(n)
    low = rng.uniform(-2, 0, n)
    box = Bounds(low, low + rng.uniform(0, 2, n) * (rng.random(n) > 0.2))  # some are fixed

    def fun(x):
        assert (x >= box.lb).all()
        assert (x <= box.ub).all()
        return 0.5 * x @ hessian @ x + linear @ x

    gradient = (lambda x: hessian @ x + linear) if jac else None
    result = gradient_descent(fun, rng.standard_normal(n), jac=gradient, bounds=box)
    exact = {"ftol": 1e-16, "gtol": 1e-10}
    other = minimize(fun, low, jac=lambda x: hessian @ x + linear, method="L-BFGS-B", bounds=box, options=exact)
    assert result.success
    assert result.fun <= other.fun + 1e-9
    np.testing.assert_allclose(result.x, other.x, atol=1e-4)


@pytest.mark.parametrize(
    "rule", [0.001, "barzilai-borwein", "backtracking", "exact", "adgd", "wolfe", "lipschitz", "auto"]
)
@pytest.mark.parametrize("bounds", [[(-2, 0.5), (None, 2)], Bounds(-2, [0.5, 2])])
def test_every_rule_in_a_box(rule, bounds):
    result = minimize(
        rosen, [0.0, 0.0], jac=rosen_der, method=gradient_descent, bounds=bounds,
        options={"learning_rate": rule, "max_iter": 5000},
    )  # fmt: skip
    assert result.success
    np.testing.assert_allclose(result.x, [0.5, 0.25], atol=1e-6)
    assert result.jac[0] == pytest.approx(-1)  # the wall holds it
    assert (result.path <= [0.5, 2]).all()


def test_a_projected_step_is_the_formula():
    result = gradient_descent(
        booth, [0.0, 0.0], jac=booth_gradient, bounds=[(0, 0.8), (0, 9)], learning_rate=0.02, max_iter=30, tol=0
    )
    x = np.zeros(2)
    for k in range(30):
        x = np.clip(x - 0.02 * booth_gradient(x), [0, 0], [0.8, 9])
        np.testing.assert_allclose(result.path[k + 1], x, rtol=1e-12, atol=1e-12)


def test_a_start_outside_is_projected():
    result = gradient_descent(sphere, [-3.0, 9.0], bounds=[(1, 2), (-4, 4)])
    np.testing.assert_array_equal(result.path[0], [1, 4])
    np.testing.assert_allclose(result.x, [1, 0], atol=1e-6)


# --- callbacks, results -----------------------------------------------------------------------------------


def test_both_signatures_of_a_callback():
    seen = []
    result = gradient_descent(rosen, [-1.2, 1.0], callback=seen.append)
    np.testing.assert_array_equal(seen, result.path[1:])

    def told(intermediate_result):
        seen.append(intermediate_result)

    for call in (gradient_descent, lambda *args, **kwargs: minimize(*args, method=gradient_descent, **kwargs)):
        seen.clear()
        result = call(rosen, [-1.2, 1.0], callback=told)
        assert [state.nit for state in seen] == list(range(1, result.nit + 1))
        assert [state.fun for state in seen] == result.history["loss"][1:]


def test_stop_iteration_stops():
    def stop(xk):
        raise StopIteration

    result = gradient_descent(rosen, [[-1.2, 1.0], [0.0, 0.0]], callback=stop)
    assert (result.status, result.stop_reason, result.success, result.nit) == (99, "callback", False, 1)
    assert len(result.starts) == 1


def test_args_shapes_and_types():
    assert gradient_descent(lambda x, a: (x[0] - a) ** 2, 5, args=3.0).x == pytest.approx([3])
    assert gradient_descent(lambda x, a, b: (x - a) ** 2 + b, np.float32(5), args=(3, 1)).fun == pytest.approx(1)
    result = gradient_descent(lambda x: np.array([[x @ x]]), (1, 2), jac=lambda x: [2 * x])
    assert result.x.dtype == np.float64
    assert result.jac.shape == (2,)


def test_a_column_of_starts_and_a_column_of_numbers_are_told_apart():
    target = np.array([[1.0], [2.0]])

    def squares(theta):  # broadcasts whatever it gets
        return ((theta.reshape(-1, 1) - target) ** 2).sum()

    column = np.zeros((2, 1))
    with pytest.raises(ValueError, match="one start of 2 numbers or 2 starts"):
        gradient_descent(squares, column)
    # both ways that the message names, and the pair of bounds that leaves one reading
    result = gradient_descent(squares, column.ravel())
    np.testing.assert_allclose(result.x, [1, 2], atol=1e-6)
    assert len(result.starts) == 1
    for given in ({"n_starts": 2}, {"bounds": [(None, None)]}, {"bounds": [(-3, 3)], "n_starts": 2}):
        result = gradient_descent(squares, column, **given)
        assert [start.x.shape for start in result.starts] == [(1,), (1,)]
    # neither a row nor a single number leaves a doubt
    np.testing.assert_allclose(gradient_descent(squares, [[0.0, 0.0]]).x, [1, 2], atol=1e-6)
    assert gradient_descent(valleys, [[0.5]]).x.shape == (1,)


def test_values_and_gradients_of_any_shape():
    """As matrix products of columns leave them."""

    def square(x):
        column = x[:, None] - np.array([[1.0], [2.0]])
        return column.T @ column  # (1, 1)

    for gradient in (lambda x: 2 * (x[:, None] - [[1.0], [2.0]]), lambda x: 2 * (x - [1.0, 2.0])[None]):
        for fun, jac in ((square, gradient), (lambda x: (square(x), gradient(x)), True), (square, None)):  # noqa: B023
            result = gradient_descent(fun, [0.0, 0.0], jac=jac)
            np.testing.assert_allclose(result.x, [1, 2], atol=1e-6)
            assert isinstance(result.fun, float)
            assert result.jac.shape == (2,)


def test_a_result_is_pickled_and_printed_on_a_screen():
    result = gradient_descent(rosen, [[-1.2, 1.0], [0.0, 0.0]], learning_rate=1e-3)
    again = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(again.path, result.path)
    assert len(repr(result)) < 1500


def test_verbose(capsys):
    gradient_descent(rosen, [-1.2, 1.0])
    assert capsys.readouterr().out == ""
    result = gradient_descent(rosen, [-1.2, 1.0], verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == result.nit + 1  # one a place, none twice
    for word in ("iteration", "loss", "gradient norm", "learning rate", "passes", " s"):
        assert word in lines[5]
    assert lines[-1].endswith("end: gradient")


# --- where nothing but rounding errors is left ----------------------------------------------------------------


def steep(x):
    return 1e12 * ((x - [1.0, 2.0]) ** 2).sum()


def steep_gradient(x):
    return 2e12 * (x - [1.0, 2.0])


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("jac", [steep_gradient, None])
@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "silver"])
def test_rounding_errors_are_an_end_after_a_few_searches(rule, jac, offset):
    """The gradient is never within tol, the function cannot get lower: no rule may search on to max_iter."""
    tol = 0 if jac else 1e-6
    result = gradient_descent(lambda x: steep(x) + offset, [0.0, 0.0], jac=jac, learning_rate=rule, tol=tol)
    assert result.stop_reason in ("precision", "gradient")
    assert result.nit < 250
    np.testing.assert_allclose(result.x, [1, 2], rtol=1e-9)
    if rule == "exact":
        assert result.nfev < 500


@pytest.mark.parametrize("rule", ["auto", "exact", "wolfe", "backtracking", "barzilai-borwein"])
@pytest.mark.parametrize(("fun", "minimum"), [
    (lambda x: 1e8 + ((x - [1.0, 2.0]) ** 2).sum(), [1, 2]),  # whose digits end at differences of x of 1e-4
    (lambda x: ((x - 1e8) ** 2).sum(), [1e8, 1e8]),
    (lambda x: 1e8 * ((x - [1.0, 2.0]) ** 4).sum(), [1, 2]),
])  # fmt: skip
def test_differences_full_of_rounding_errors_do_not_end_a_run_early(rule, fun, minimum):
    """Second differences of such values are all noise; the slopes along a step tell that it was too short."""
    result = gradient_descent(fun, [0.0, 0.0], learning_rate=rule)
    assert result.success
    np.testing.assert_allclose(result.x, minimum, atol=1e-3)


def test_an_exact_search_along_a_slope_without_curvature():
    result = gradient_descent(lambda x: np.abs(x - [1.0, 2.0]).sum(), [0.0, 0.3], learning_rate="exact")
    np.testing.assert_allclose(result.x, [1, 2], atol=1e-6)


@pytest.mark.parametrize("rule", ["exact", "backtracking", "wolfe"])
def test_a_search_that_finds_nothing_is_not_repeated(rule):
    """Uphill all the way: the gradient has the wrong sign."""
    result = gradient_descent(sphere, [1.0, 1.0], jac=lambda x: -2 * x, learning_rate=rule, check_gradient=False)
    assert result.stop_reason == "precision"
    assert result.nfev < 1000


def test_a_step_of_one_number_is_a_step():
    """1e12 beside 1e-3: what moves the small one alone is no rounding error."""
    result = gradient_descent(lambda x: (x[1] - 2e-3) ** 2, [1e12, 1e-3], jac=lambda x: np.array([0, 2 * (x[1] - 2e-3)]),
                              learning_rate="lipschitz", tol=1e-12)  # fmt: skip
    assert result.success
    assert result.x[1] == pytest.approx(2e-3, rel=1e-9)


# --- refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "error", "match"), [
    ({"fun": 3}, TypeError, "fun must be callable"),
    ({"fun": lambda x: None}, TypeError, "Does it return anything"),
    ({"fun": lambda x: x}, TypeError, "fun must return a real number"),
    ({"fun": lambda x: 1j}, TypeError, "fun must return a real number"),
    ({"jac": True}, TypeError, "pair"),
    ({"jac": "4-point"}, ValueError, "jac must be one of"),
    ({"jac": 3}, TypeError, "jac must be"),
    ({"jac": lambda x: x[:1]}, TypeError, r"of shape \(2,\)"),
    ({"x0": None}, ValueError, "n_starts"),
    ({"x0": None, "n_starts": 3}, ValueError, "bounds"),
    ({"x0": None, "n_starts": 3, "bounds": [(0, None)] * 2}, ValueError, "finite on both sides"),
    ({"x0": [[0, 0], [1, 1]], "n_starts": 3, "bounds": [(0, 1)] * 2}, ValueError, "one of them"),
    ({"n_starts": 0}, ValueError, "n_starts"),
    ({"x0": np.zeros((2, 1))}, ValueError, r"shape \(2, 1\) could be one start of 2 numbers or 2 starts.*ravel.*n_starts=2"),
    ({"x0": np.zeros((2, 1)), "bounds": [(0, 1)] * 2}, ValueError, r"x0\.ravel"),
    ({"x0": np.zeros((2, 1)), "bounds": Bounds(0, 1)}, ValueError, r"x0\.ravel"),
    ({"x0": np.zeros((2, 1)), "n_starts": 3, "bounds": [(0, 1)]}, ValueError, "one of them"),
    ({"jac": lambda x: np.ones((2, 2))}, TypeError, r"of shape \(2,\), got shape \(2, 2\)"),
    ({"maxiter": -1}, ValueError, "maxiter must be at least 0"),
    ({"maxiter": 5.5}, TypeError, "maxiter must be an integer"),
    ({"maxiter": np.nan}, TypeError, "maxiter must be an integer"),
    ({"maxiter": "5"}, TypeError, "maxiter must be an integer"),
    ({"maxiter": True}, TypeError, "maxiter must be an integer"),
    ({"maxiter": np.array([5, 6]), "max_iter": 5}, TypeError, "maxiter must be a number"),
    ({"maxfev": 0}, ValueError, "maxfev must be at least 1"),
    ({"maxfun": "many"}, TypeError, "maxfun must be an integer"),
    ({"gtol": -1.0}, ValueError, "gtol"),
    ({"disp": "yes"}, TypeError, "disp"),
    ({"return_all": 1}, TypeError, "return_all"),
    ({"x0": [np.nan, 1]}, ValueError, "x0 must be finite"),
    ({"x0": []}, ValueError, "x0 must be finite"),
    ({"x0": np.zeros((2, 2, 2))}, ValueError, "x0"),
    ({"x0": ["a", "b"]}, TypeError, "x0 must be real"),
    ({"x0": [1j, 1]}, TypeError, "x0 must be real"),
    ({"bounds": [(0, 1)]}, ValueError, "1 pairs"),
    ({"bounds": [(1, 0)] * 2}, ValueError, "low <= high"),
    ({"bounds": [(np.nan, 0)] * 2}, ValueError, "low <= high"),
    ({"bounds": [(1, 0, 2)] * 2}, ValueError, "pairs"),
    ({"bounds": 3}, TypeError, "pairs"),
    ({"hess": rosen}, ValueError, "hess was given"),
    ({"hessp": rosen}, ValueError, "hessp was given"),
    ({"constraints": {"type": "eq", "fun": rosen}}, ValueError, "constraints was given"),
    ({"callback": 3}, TypeError, "callback"),
    ({"tol": -1}, ValueError, "tol"),
    ({"max_iter": 1.5}, TypeError, "max_iter"),
    ({"learning_rate": "fast"}, ValueError, "learning_rate must be one of"),
    ({"learning_rate": -1.0}, ValueError, "learning_rate"),
    ({"momentum": 0.5}, ValueError, r"got momentum=0\.5"),
    ({"preconditioner": "full"}, ValueError, "preconditioner"),
    ({"check_gradient": 2}, TypeError, "check_gradient"),
    ({"on_divergence": "no"}, ValueError, "on_divergence"),
    ({"verbose": -1}, ValueError, "verbose"),
])  # fmt: skip
def test_refusals(change, error, match):
    with pytest.raises(error, match=match):
        gradient_descent(**{"fun": rosen, "x0": [-1.2, 1.0], **change})


@pytest.mark.parametrize("name", ["hess", "hessp", "constraints"])
def test_scipy_hands_on_what_is_refused(name):
    value = {"constraints": {"type": "eq", "fun": rosen}}.get(name, rosen)
    with pytest.raises(ValueError, match=f"{name} was given"):
        minimize(rosen, [0.0, 0.0], method=gradient_descent, **{name: value})


def test_a_keyword_that_does_not_exist_is_refused_with_the_one_that_is_meant():
    with pytest.raises(TypeError, match="'learning_rat': did you mean 'learning_rate'"):
        gradient_descent(rosen, [0.0, 0.0], learning_rat=0.1)
    with pytest.raises(TypeError, match=r"'eps'.*maxfev"):
        gradient_descent(rosen, [0.0, 0.0], eps=0.1)


def test_minimize_warns_of_options_that_do_not_exist_as_for_its_own_methods():
    heard = []
    for method in ("BFGS", gradient_descent):
        with pytest.warns(OptimizeWarning) as record:
            result = minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=method, options={"eta": 3, "lr": 0.1})
        assert result.success
        assert record[0].filename == __file__
        heard.append([str(warning.message) for warning in record])
    assert heard[0] == heard[1] == ["Unknown solver options: eta, lr"]


@pytest.mark.parametrize("fewest", [7, np.int64(7), 7.0])
@pytest.mark.parametrize("jac", [rosen_der, True, None])
def test_scipys_options(jac, fewest):
    asked = (lambda x: (rosen(x), rosen_der(x))) if jac is True else rosen
    result = minimize(asked, [-1.2, 1.0], jac=jac, method=gradient_descent, options={"maxiter": fewest})
    ours = gradient_descent(asked, [-1.2, 1.0], jac=jac, max_iter=7)
    assert (result.nit, result.status, result.stop_reason) == (7, 1, "max_iter")
    np.testing.assert_array_equal(result.x, ours.x)
    everything = {"maxiter": np.inf, "maxfev": None, "gtol": 1e-3, "return_all": True}
    result = minimize(asked, [-1.2, 1.0], jac=jac, method=gradient_descent, options=everything)
    assert 1e-6 < np.linalg.norm(rosen_der(result.x)) <= 1e-3
    np.testing.assert_array_equal(result.allvecs, result.path)
    assert "allvecs" not in gradient_descent(asked, [-1.2, 1.0], jac=jac)


def test_the_tolerance_of_minimize_is_the_default_of_gtol():
    """As for SciPy's own methods, whichever is the smaller."""
    for method in ("BFGS", gradient_descent):
        exact = minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=method, tol=1e-1, options={"gtol": 1e-6})
        rough = minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=method, tol=1e-6, options={"gtol": 1e-1})
        assert np.linalg.norm(exact.jac) < 1e-6 < np.linalg.norm(rough.jac)


@pytest.mark.parametrize("change", [
    {"maxiter": 5, "max_iter": 6}, {"maxiter": 5.0, "max_iter": 1000}, {"gtol": 1e-3, "tol": 1e-6}, {"maxfun": 5, "maxfev": 6},
])  # fmt: skip
def test_one_parameter_under_two_names(change):
    first, second = change
    with pytest.raises(ValueError, match=f"{first}=.* and {second}=.* are two names of one parameter"):
        gradient_descent(rosen, [-1.2, 1.0], **change)
    assert gradient_descent(rosen, [-1.2, 1.0], **dict.fromkeys(change, 5)).nit <= 5


@pytest.mark.parametrize("jac", [rosen_der, True, None, "2-point", "cs"])
@pytest.mark.parametrize("rule", ["auto", "backtracking", "exact", "lipschitz", 1e-3])
@pytest.mark.parametrize("most", [20, 41])
def test_maxfev_is_never_exceeded_and_keeps_the_best_place(most, rule, jac):
    seen = []

    def fun(x):
        seen.append(x.copy())
        return (rosen(x), rosen_der(x)) if jac is True else rosen(x)

    result = gradient_descent(fun, [-1.2, 1.0], jac=jac, learning_rate=rule, maxfev=most)
    assert result.nfev == len(seen) == most
    assert (result.stop_reason, result.status, result.success) == ("maxfev", 5, False)
    assert f"maxfev={most}" in result.message
    assert result.fun == rosen(result.x) == min(result.history["loss"])
    np.testing.assert_allclose(result.jac, rosen_der(result.x), rtol=1e-4, atol=1e-4)
    assert {len(column) for column in result.history.values()} == {len(result.path)} == {result.nit + 1}


def test_maxfev_leaves_the_start_its_gradient_and_each_start_its_calls():
    result = gradient_descent(rosen, [-1.2, 1.0], maxfev=1)
    np.testing.assert_allclose(result.jac, rosen_der([-1.2, 1.0]), rtol=1e-6)
    assert (result.nit, result.stop_reason) == (0, "maxfev")
    assert gradient_descent(rosen, [1.0, 1.0], maxfev=1).success
    both = gradient_descent(rosen, [[-1.2, 1.0], [3.0, 0.0]], jac=rosen_der, maxfun=10)
    assert [start.nfev for start in both.starts] == [10, 10]
    # a run that ends by itself does not look further than it may
    result = gradient_descent(rosen, [-1.2, 1.0], jac=rosen_der, learning_rate=1e-3, max_iter=6, maxfev=10)
    assert (result.stop_reason, result.nfev) == ("max_iter", 10)


@pytest.mark.parametrize("end", ["gradient", "max_iter", "maxfev", "diverged", "unbounded"])
@pytest.mark.filterwarnings("ignore::sklearn_gd.DivergenceWarning")
def test_disp_says_at_the_end_what_it_took(capsys, end):
    given = {"max_iter": {"max_iter": 3}, "maxfev": {"maxfev": 20}, "diverged": {"learning_rate": 9.0}}.get(end, {})
    result = minimize(
        falling if end == "unbounded" else rosen,
        [-1.2, 1.0, 1.0],
        method=gradient_descent,
        options={"disp": True, **given},
    )
    assert result.stop_reason == end
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == result.message
    words = ["Current function value", "Iterations", "Function evaluations", "Gradient evaluations"]
    assert [line.split(":")[0].strip() for line in lines[1:]] == words
    assert [line.split(": ")[1] for line in lines[2:]] == [str(result[name]) for name in ("nit", "nfev", "njev")]


def test_in_a_global_method_of_scipys():
    minimizer = {"method": gradient_descent, "options": {"maxiter": 100}}
    found = basinhopping(valleys, [1.0], niter=2, minimizer_kwargs=minimizer, take_step=lambda x: -x)
    assert found.x[0] == pytest.approx(np.roots([4, 0, -4, 0.3]).real.min(), abs=1e-5)


def test_the_parameters_are_those_of_the_estimators():
    ours = inspect.signature(gradient_descent).parameters
    theirs = inspect.signature(GDLinearRegression).parameters
    for name in ("learning_rate", "momentum", "preconditioner", "max_iter", "tol", "on_divergence", "verbose"):
        assert ours[name].default == theirs[name].default
