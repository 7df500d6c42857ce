"""AdaGrad, RMSProp, Adam and AMSGrad: each against its formulas written out, against PyTorch, and where it fails."""

import re

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from sklearn_gd import DivergenceWarning, GDLinearRegression, GDLogisticRegression, gradient_descent, steps
from sklearn_gd.steps import AdaGrad, Adam, AMSGrad, RMSProp

EXACT = {"rtol": 1e-12, "atol": 1e-12}
NAMES = ["adagrad", "rmsprop", "adam", "amsgrad"]
RULES = [
    *NAMES,
    AdaGrad(0.3, epsilon=1e-3),
    RMSProp(0.02, decay=0.9, epsilon=1e-3),
    Adam(0.05),
    Adam(lambda k: 0.1 / (k + 1) ** 0.5, beta1=0.5, beta2=0.9, epsilon=1e-3),
    Adam(steps.InverseTime(0.1, decay=0.05), beta1=0.0),
    AMSGrad(0.05, beta2=0.8),
]


def _rule(rule):
    return steps.RULES[rule]() if isinstance(rule, str) else rule


def written_out(rule, gradient, x, n):
    """The formulas of the sources, as loops over PyTorch's own names: n steps from x."""
    rule = _rule(rule)
    rate = rule.learning_rate
    path = [x]
    state_sum = square_avg = exp_avg = max_square_avg = np.zeros_like(x)
    for t in range(1, n + 1):
        lr = rate if isinstance(rate, float) else rate(t - 1) if callable(rate) else rate.rate(t - 1)
        g, eps = gradient(x), rule.epsilon
        if type(rule) is AdaGrad:
            state_sum = state_sum + g**2
            x = x - lr * g / (np.sqrt(state_sum) + eps)
        elif type(rule) is RMSProp:
            square_avg = rule.decay * square_avg + (1 - rule.decay) * g**2
            x = x - lr * g / (np.sqrt(square_avg) + eps)
        else:
            exp_avg = rule.beta1 * exp_avg + (1 - rule.beta1) * g
            square_avg = rule.beta2 * square_avg + (1 - rule.beta2) * g**2
            max_square_avg = np.maximum(max_square_avg, square_avg)
            counted = max_square_avg if type(rule) is AMSGrad else square_avg
            corrected = counted / (1 - rule.beta2**t)
            x = x - lr * (exp_avg / (1 - rule.beta1**t)) / (np.sqrt(corrected) + eps)
        path.append(x)
    return np.array(path)


@pytest.fixture(scope="module")
def robust():
    """A function that is not convex everywhere, of four numbers in units of their own: value and gradient, and a start."""
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((12, 4)) * [1, 10, 0.1, 3], rng.standard_normal(12)

    def function(x):
        r = A @ x - b
        return np.log1p(r * r).sum() + 0.1 * (x**4).sum(), A.T @ (2 * r / (1 + r * r)) + 0.4 * x**3

    return function, rng.standard_normal(4)


def compared(rule):
    """Steps in which a change of the start by a rounding error does not grow to 1e-12: the bounces of a short memory multiply it."""
    return 200 if isinstance(rule, str) else 30


def named(rule):
    """Its words, without the address of a function, which two processes that share the tests do not agree on."""
    return re.sub(r" at 0x\w+", "", repr(rule))


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_the_iterates_are_the_formulas(robust, rule):
    function, start = robust
    k = compared(rule)
    path = gradient_descent(function, start, jac=True, learning_rate=rule, max_iter=k, tol=0).path
    np.testing.assert_allclose(path, written_out(rule, lambda x: function(x)[1], start, k), **EXACT)


@pytest.mark.parametrize("rule", RULES[:7], ids=named)
def test_the_iterates_are_pytorchs(robust, rule):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: the formulas are compared above")
    function, start = robust
    k = compared(rule)
    path = gradient_descent(function, start, jac=True, learning_rate=rule, max_iter=k, tol=0).path
    rule = _rule(rule)
    x = torch.tensor(start, requires_grad=True)
    params = {"lr": rule.learning_rate, "eps": rule.epsilon}
    if isinstance(rule, AdaGrad):
        optimiser = torch.optim.Adagrad([x], **params)
    elif isinstance(rule, RMSProp):
        optimiser = torch.optim.RMSprop([x], alpha=rule.decay, **params)
    else:
        betas = (rule.beta1, rule.beta2)
        optimiser = torch.optim.Adam([x], betas=betas, amsgrad=isinstance(rule, AMSGrad), **params)
    theirs = [start]
    for _ in range(k):
        x.grad = torch.tensor(function(x.detach().numpy())[1])
        optimiser.step()
        theirs.append(x.detach().numpy().copy())
    np.testing.assert_allclose(path, theirs, **EXACT)


@pytest.mark.filterwarnings("ignore:.*max_iter:sklearn.exceptions.ConvergenceWarning")  # the first steps are enough
@pytest.mark.parametrize("rule", RULES, ids=named)
def test_the_estimators_take_the_same_steps(rule):
    X, y = load_diabetes(return_X_y=True)
    X = scale(X)
    n, k = len(y), 30
    ones = np.c_[X, np.ones(n)]
    coef = written_out(rule, lambda w: ones.T @ (ones @ w - y) / n, np.zeros(11), k)[-1]
    model = GDLinearRegression(learning_rate=rule, max_iter=k, tol=0).fit(X, y)
    np.testing.assert_allclose([*model.coef_, model.intercept_], coef, **EXACT)
    assert model.preconditioner_ is None

    X, labels = load_iris(return_X_y=True)
    ones, onehot = np.c_[X, np.ones(len(X))], np.eye(3)[labels]

    def gradient(w):
        p = np.exp(ones @ w)
        penalty = np.vstack([w[:-1], np.zeros((1, 3))]) / len(X)
        return ones.T @ (p / p.sum(axis=1, keepdims=True) - onehot) / len(X) + penalty

    coef = written_out(rule, gradient, np.zeros((5, 3)), k)[-1]
    model = GDLogisticRegression(learning_rate=rule, max_iter=k, tol=0).fit(X, labels)
    np.testing.assert_allclose(np.c_[model.coef_, model.intercept_].T, coef, **EXACT)


def test_a_rule_remembers_nothing_of_an_earlier_run(robust):
    function, start = robust
    for rule in (AdaGrad(0.1), RMSProp(0.1), Adam(0.1), AMSGrad(0.1)):
        first, again = (
            gradient_descent(function, start, jac=True, learning_rate=rule, max_iter=5, tol=0).path for _ in range(2)
        )
        np.testing.assert_array_equal(first, again)


def test_the_rate_of_the_history_is_the_rules(robust):
    function, start = robust
    rule = Adam(lambda k: 0.1 / (k + 1))
    history = gradient_descent(function, start, jac=True, learning_rate=rule, max_iter=4, tol=0).history
    np.testing.assert_allclose(history["learning_rate"], [0, 0.1, 0.1 / 2, 0.1 / 3, 0.1 / 4])
    assert history["momentum"] == [0] * 5


@pytest.mark.parametrize("rule", NAMES)
def test_steps_stay_in_the_box_and_end_at_its_wall(rule):
    bounds, rule = [(1.0, 3.0), (-1.0, 5.0)], steps.RULES[rule](0.05)
    result = gradient_descent(lambda x: x @ x, [3.0, 4.0], bounds=bounds, learning_rate=rule, max_iter=20_000, tol=1e-3)
    assert result.stop_reason == "gradient"
    assert (result.path[:, 0] >= 1).all()
    np.testing.assert_allclose(result.x, [1, 0], atol=1e-3)


def test_through_scipy():
    options = {"learning_rate": "adam", "maxiter": 5, "gtol": 0}
    result = minimize(lambda x: x @ x, [3.0, 4.0], method=gradient_descent, options=options)
    np.testing.assert_allclose(result.x, [2.995, 3.995], atol=1e-6)


@pytest.mark.parametrize("rule", [*NAMES, Adam(0.1)], ids=named)
def test_what_is_a_metric_itself_goes_with_no_other(rule):
    X, y = load_iris(return_X_y=True)
    for metric in ("diagonal", "full", "nystrom"):
        with pytest.raises(
            ValueError, match=f"preconditioner must be 'auto' or None .*whose metric is its own.*{metric}"
        ):
            GDLogisticRegression(learning_rate=rule, preconditioner=metric).fit(X, y)
    with pytest.raises(ValueError, match=r"whose metric is its own.*lbfgs"):
        gradient_descent(lambda x: x @ x, [1.0], learning_rate=rule, preconditioner="lbfgs")
    for momentum in ("nesterov", 0.9):
        with pytest.raises(ValueError, match="momentum must be 'auto' or None"):
            GDLogisticRegression(learning_rate=rule, momentum=momentum).fit(X, y)


@pytest.mark.parametrize("bad", ["cosine", None, True, "fast"])
def test_a_rate_of_the_rules_is_a_number_a_callable_or_a_schedule(bad):
    with pytest.raises(TypeError, match="learning_rate"):
        gradient_descent(lambda x: x @ x, [1.0], learning_rate=Adam(bad))


def test_the_parameters_of_a_schedule_within_a_rule_are_reached():
    model = GDLinearRegression(learning_rate=Adam(steps.InverseTime(0.1)))
    model.set_params(learning_rate__learning_rate__decay=0.5, learning_rate__beta1=0.8)
    assert model.learning_rate.learning_rate.decay == 0.5
    assert model.learning_rate.beta1 == 0.8


# ------------------------------------------------------------------------------------------------ where each fails


def test_adagrad_dries_up_far_from_the_minimum():
    """Of a gradient that hardly changes the k-th step is η/√k: k of them go 2η√k."""
    result = gradient_descent(lambda x: (x @ x, 2 * x), [100.0], jac=True, learning_rate=AdaGrad(0.1), max_iter=10_000)
    assert result.stop_reason == "max_iter"
    assert 100 - result.x[0] == pytest.approx(2 * 0.1 * np.sqrt(10_000), rel=0.05)


def test_rmsprop_bounces_at_half_its_rate_for_ever():
    """Where ∇F² is the same at both ends of a bounce, u is the gradient's sign; even from a place that is all but the minimum."""

    def square(x):
        return x @ x, 2 * x

    params = {"jac": True, "max_iter": 5000, "tol": 0}
    for start in (1.0, 3.3):
        path = gradient_descent(square, [start], learning_rate=RMSProp(0.1, decay=0.9), **params).path[:, 0]
        assert np.abs(path).min() < 1e-15
        np.testing.assert_allclose(np.abs(path[-100:]), 0.05, atol=1e-6)
    falling = RMSProp(lambda k: 0.1 / (k + 1) ** 0.5, decay=0.9)
    path = gradient_descent(square, [1.0], learning_rate=falling, **params).path[:, 0]
    assert np.abs(path[-100:]).max() < 1e-3


def test_a_run_that_does_not_arrive_says_what_to_do():
    X, y = load_diabetes(return_X_y=True)
    with pytest.warns(
        ConvergenceWarning, match=r"Adam takes steps of about learning_rate=0.001 in each coefficient: raise it"
    ):
        GDLinearRegression(learning_rate="adam", max_iter=10).fit(X, y)


def test_a_run_that_diverges_names_no_rate_of_another_method():
    X, y = load_diabetes(return_X_y=True)
    rule = RMSProp(lambda k: 10.0**k, decay=0.0)
    with pytest.warns(DivergenceWarning, match="RMSProp takes steps of about its rate") as told:
        model = GDLinearRegression(learning_rate=rule).fit(scale(X), y)
    assert "2/L" not in str(told[0].message)
    assert np.isfinite(model.coef_).all()
    with pytest.warns(DivergenceWarning) as told:
        result = gradient_descent(lambda x: (x @ x, 2 * x), [0.3], jac=True, learning_rate=rule)
    assert "2/L" not in str(told[0].message)
    assert result.stop_reason == "diverged"
