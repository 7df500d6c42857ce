"""What "auto" is made of: conjugate gradients, the normal equation, samples, rotations, sketches."""

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import expit, log_softmax
from sklearn.datasets import load_diabetes, load_digits, make_classification
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import scale

from sklearn_gd import GDLinearRegression, GDLogisticRegression, base
from sklearn_gd.designs.dense import DenseDesign
from sklearn_gd.losses import PointwiseLoss
from sklearn_gd.plan import Plan, Stage, least_squares, planning
from sklearn_gd.preconditioners import EPS, Composed, Diagonal, Full, Joint, PerOutput, Rounded, ZeroSum
from sklearn_gd.progress import StageReport
from sklearn_gd.trace import trace


def _iterates(model, X, y, count):
    out = []
    for k in range(1, count + 1):
        with pytest.warns(match="max_iter"):
            out.append(model.set_params(max_iter=k, tol=0.0).fit(X, y).coef_)
    return out


def test_the_plane_search_on_a_quadratic_is_conjugate_gradients():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 8)) @ np.diag(np.linspace(1, 10, 8))
    y = rng.normal(size=60)
    # conjugate gradients on the normal equation, as in every textbook
    A, b = X.T @ X / 60, X.T @ y / 60
    w, r = np.zeros(8), b.copy()
    p, expected = r.copy(), []
    for _ in range(5):
        step = r @ r / (p @ A @ p)
        w = w + step * p
        new = r - step * A @ p
        p, r = new + (new @ new) / (r @ r) * p, new
        expected.append(w)
    model = GDLinearRegression(preconditioner=None, fit_intercept=False)
    np.testing.assert_allclose(_iterates(model, X, y, 5), expected, rtol=1e-9)


@pytest.mark.parametrize("rate", ["auto", "lipschitz", 1.0])
def test_one_step_in_the_full_metric_is_the_normal_equation(rate):
    X, y = load_diabetes(return_X_y=True)
    full = np.column_stack([X, np.ones(len(y))])
    expected = np.linalg.solve(full.T @ full, full.T @ y)
    model = GDLinearRegression(learning_rate=rate, preconditioner="full", max_iter=1, tol=1e-4).fit(X, y)
    assert model.n_iter_ == 1
    np.testing.assert_allclose([*model.coef_, model.intercept_], expected, rtol=2e-2 if rate == "lipschitz" else 1e-8)


def test_many_columns_are_solved_without_their_gram_matrix_and_with_it(monkeypatch):
    """Well conditioned: conjugate gradients. Badly: the run notices its pace and forms XᵀX."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(8000, 800)), rng.normal(size=8000)
    easy = GDLinearRegression().fit(X, y)
    assert easy.preconditioner_ == "diagonal"
    reference = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean(), rcond=None)[0]
    np.testing.assert_allclose(easy.coef_, reference, atol=1e-5)
    mixed = X @ (np.eye(800) + 3 * rng.normal(size=(800, 800)))
    hard = GDLinearRegression(tol=1e-8).fit(mixed, y)
    assert hard.preconditioner_ == "full"
    np.testing.assert_allclose(hard.predict(mixed), X @ reference + y.mean() - X.mean(axis=0) @ reference, atol=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alpha", [1e-6, 1e-2, 1e2])
def test_wide_ridge_is_ridge(alpha, weighted):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 300)) + 1, rng.normal(size=90)
    weight = rng.integers(1, 4, size=90).astype(float) if weighted else None
    total = 90 if weight is None else weight.sum()
    ours = GDLinearRegression(alpha=alpha, tol=1e-10).fit(X, y, sample_weight=weight)
    theirs = Ridge(alpha=alpha * total, solver="svd").fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-8)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-7)


def _gap(model, X, y, C):
    """The objective over that of scikit-learn's Newton method, less one."""

    def objective(coef, intercept):
        raw = X @ coef.T + intercept
        raw = np.column_stack([-raw, raw]) / 2 if raw.shape[1] == 1 else raw
        index = np.searchsorted(model.classes_, y)
        return -log_softmax(raw, axis=1)[np.arange(len(y)), index].mean() + (coef**2).sum() / (2 * C * len(y))

    best = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(X, y)
    return objective(model.coef_, model.intercept_) / objective(best.coef_, best.intercept_) - 1


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_tall_data_start_from_a_sample(classes, storage):
    X, y = make_classification(60_000, 12, n_informative=6, n_classes=classes, random_state=0)
    X = X * np.logspace(-3, 3, 12)
    model = GDLogisticRegression().fit(storage(X), y)
    # the start is the sample's optimum: at once within what 2,000 rows can know
    assert model.loss_curve_[0] / model.loss_curve_[-1] - 1 < 0.05
    assert model.history_["passes"][-1] < 40
    assert abs(_gap(model, X, y, 1.0)) < 1e-9


def test_columns_that_a_sample_does_not_see_are_fitted_all_the_same():
    rng = np.random.default_rng(0)
    X, y = make_classification(20_000, 50, random_state=0)
    rare = np.zeros((20_000, 3))
    for j, count in enumerate((1, 3, 10)):
        rare[rng.choice(20_000, count, replace=False), j] = 1.0
    X = np.column_stack([X, rare])
    model = GDLogisticRegression(C=100).fit(X, y)
    assert abs(_gap(model, X, y, 100)) < 1e-8


def test_many_classes_take_inner_iterations():
    X, y = load_digits(return_X_y=True)
    assert planning.JOINT < 10 * 65
    model = GDLogisticRegression(C=0.1).fit(scale(X), y)
    assert model.n_iter_ < 20  # outer ones
    assert abs(_gap(model, scale(X), y, 0.1)) < 1e-8


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_fewer_rows_than_columns_cost_few_passes(storage):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2000)) * np.logspace(-1, 1, 2000)
    y = X[:, 1000] > 0
    model = GDLogisticRegression(C=0.1).fit(storage(X), y)
    # a sparse array with every number stored has products that cost more
    assert sp.issparse(storage(X)) or model.history_["passes"][-1] <= 10

    def objective(u):  # in the space of the rows, by SciPy
        w, b = X.T @ u[:-1], u[-1]
        margin = np.where(y, 1, -1) * (X @ w + b)
        slope = -np.where(y, 1, -1) * expit(-margin) / 60
        value = np.logaddexp(0, -margin).mean() + w @ w / (2 * 0.1 * 60)
        return value, np.append(X @ (X.T @ slope + w / 6), slope.sum())

    best = minimize(
        objective, np.zeros(61), jac=True, method="L-BFGS-B", options={"maxiter": 20_000, "ftol": 0, "gtol": 1e-9}
    )
    assert model.loss_curve_[-1] / best.fun - 1 < 1e-7


@pytest.mark.parametrize("estimator", [GDLinearRegression(alpha=1e-4), GDLogisticRegression()])
def test_a_sketch_finds_the_same_optimum_in_fewer_iterations(estimator):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 100)) @ np.diag(np.logspace(0, -2, 100)) @ np.linalg.qr(rng.normal(size=(100, 100)))[0]
    y = X @ rng.normal(size=100) + 0.01 * rng.normal(size=400)
    y = y if isinstance(estimator, GDLinearRegression) else (y > 0).astype(int)
    sketched = estimator.set_params(preconditioner="nystrom").fit(X, y)
    iterations, coef = sketched.n_iter_, sketched.coef_
    assert sketched.preconditioner_ == "nystrom"
    diagonal = estimator.set_params(preconditioner="diagonal").fit(X, y)
    np.testing.assert_allclose(coef, diagonal.coef_, rtol=1e-3, atol=1e-4 * np.abs(coef).max())
    assert iterations < diagonal.n_iter_


def test_where_no_matrix_can_be_had_a_slow_run_is_sketched(monkeypatch):
    """The limit lowered to the size of a test: both sides count as large."""
    monkeypatch.setattr(planning, "MATRIX", 50)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 300)) @ np.diag(np.logspace(0, -3, 300)) @ np.linalg.qr(rng.normal(size=(300, 300)))[0]
    y = X @ rng.normal(size=300) + 0.1 * rng.normal(size=800)
    model = GDLinearRegression(alpha=1e-7).fit(X, y)
    assert model.preconditioner_ == "nystrom"
    best = Ridge(alpha=8e-5, solver="svd").fit(X, y)
    np.testing.assert_allclose(model.predict(X), best.predict(X), atol=1e-4)


@pytest.fixture
def staged(monkeypatch):
    """Fits take some ways, each of which seems as slow after an iteration that the next is bought; and what products they ask for."""
    products = []

    def force(*ways):
        stages = tuple(Stage(way, 1e-9 if k else 0.0) for k, way in enumerate(ways))
        monkeypatch.setattr(base, "plan_for", lambda *_: Plan(stages, 1.0, 1.0, 1.0))
        return products

    def note(name):
        method = getattr(DenseDesign, name)

        def noted(self, *args, **kwargs):
            products.append(name)
            return method(self, *args, **kwargs)

        monkeypatch.setattr(DenseDesign, name, noted)

    for name in ("low_gram", "gram", "row_products"):
        note(name)
    return force


def test_a_gram_matrix_of_low_precision_costs_no_digits(staged):
    """Units of twelve orders of magnitude, a far centre, a constant column: what float32 alone could not hold."""
    rng = np.random.default_rng(0)
    units = np.logspace(-6, 6, 100)
    X = (rng.normal(size=(2000, 100)) @ (np.eye(100) + 0.3 * rng.normal(size=(100, 100))) + 1e3) * units
    X[:, 7] = 5.0
    y = rng.normal(size=2000) + 1e4
    weight = rng.uniform(0.5, 2, size=2000)
    asked = staged("products", "rounded")
    fitted = GDLinearRegression(tol=1e-10).fit(X, y, sample_weight=weight)
    assert asked == ["low_gram"]
    assert fitted.preconditioner_ == "full"
    assert fitted.coef_[7] == 0
    others = np.arange(100) != 7
    Z = ((X - np.average(X, axis=0, weights=weight)) / units * np.sqrt(weight)[:, None])[:, others]
    reference = np.linalg.lstsq(Z, np.sqrt(weight) * (y - np.average(y, weights=weight)))[0]
    np.testing.assert_allclose((fitted.coef_ * units)[others], reference, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_low_precision_finds_the_optimum_of_ridge_and_of_several_targets(staged, dtype):
    asked = staged("products", "rounded")
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(900, 60)) @ (np.eye(60) + 0.5 * rng.normal(size=(60, 60)))).astype(dtype)
    X[:, 3] = 2.0
    y = rng.normal(size=(900, 3)).astype(dtype)
    fitted = GDLinearRegression(alpha=0.1, tol=1e-9 if dtype == np.float64 else 1e-5).fit(X, y)
    assert asked == ["low_gram"]
    reference = Ridge(alpha=90, solver="svd").fit(X.astype(np.float64), y)
    np.testing.assert_allclose(fitted.coef_, reference.coef_, atol=1e-8 if dtype == np.float64 else 1e-5)


def test_low_precision_gives_way_where_it_cannot_tell_columns_apart(staged):
    """Directions down to 1e-7 of the largest, of which it sees none below 1e-3: the data's own precision finishes."""
    asked = staged("products", "rounded", "gram")
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(100, 100)))[0]
    X = np.linalg.qr(rng.normal(size=(600, 100)))[0] @ (np.logspace(0, -7, 100)[:, None] * basis)
    coef = rng.normal(size=100)
    fitted = GDLinearRegression(tol=1e-12, fit_intercept=False).fit(X, X @ coef)
    assert asked == ["low_gram", "gram"]
    np.testing.assert_allclose(X @ fitted.coef_, X @ coef, atol=1e-6)


def test_a_matrix_that_low_precision_cannot_factorise_is_computed_again(staged, monkeypatch):
    def fail(*args):
        raise scipy.linalg.LinAlgError

    monkeypatch.setattr(least_squares, "Rounded", fail)
    asked = staged("products", "rounded", "gram")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 90)), rng.normal(size=400)
    fitted = GDLinearRegression().fit(X, y)
    assert asked == ["low_gram", "gram"]
    reference = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean())[0]
    np.testing.assert_allclose(fitted.coef_, reference, atol=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_the_dual_normal_equation_is_ridges(staged, fit_intercept, weighted):
    asked = staged("dual")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 300)) * np.logspace(0, 2, 300) + 1, rng.normal(size=(90, 2)) + 1e4
    weight = rng.uniform(0.5, 2, size=90) if weighted else None
    total = 90 if weight is None else weight.sum()
    ours = GDLinearRegression(alpha=1e-2, tol=1e-12, fit_intercept=fit_intercept).fit(X, y, sample_weight=weight)
    assert asked == ["row_products"]
    theirs = Ridge(alpha=1e-2 * total, solver="svd", fit_intercept=fit_intercept).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-9 * np.abs(theirs.coef_).max())


def test_rows_that_their_products_cannot_tell_apart_are_fitted_in_their_span(staged):
    staged("dual")
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(40, 300)), 2, axis=0) + 1e-6 * rng.normal(size=(80, 300))
    y = X @ rng.normal(size=300)
    ours = GDLinearRegression(alpha=1e-13, tol=1e-13).fit(X, y)
    np.testing.assert_allclose(ours.predict(X), y, atol=1e-4)


def test_sparse_rows_are_not_multiplied_where_a_descent_ends_before(monkeypatch):
    """20,000 × 500 with one entry in a hundred: a Hessian costs 800 passes, the descent some twenty."""
    rng = np.random.default_rng(0)
    X = sp.random(20_000, 500, density=0.01, format="csr", random_state=0)
    y = X @ rng.normal(size=500) + 0.1 * rng.logistic(size=20_000) > 0
    fitted = GDLogisticRegression().fit(X, y)
    assert fitted.preconditioner_ == "diagonal"
    assert fitted.history_["passes"][-1] < 100
    whole = GDLogisticRegression(preconditioner="full").fit(X, y)
    np.testing.assert_allclose(fitted.coef_, whole.coef_, atol=1e-3)


def test_the_metrics_own_step_is_one_pass():
    X, y = make_classification(40_000, 60, random_state=0)
    model = GDLogisticRegression(tol=1e-6).fit(X, y)
    rates, passes = np.array(model.history_["learning_rate"][1:]), np.diff(model.history_["passes"])
    own = rates == 1
    assert own.sum() >= 3
    # and a sample of the rows for some metrics, which is less than a pass
    assert (passes[own] < 1.2).all()


@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, -1e6])
@pytest.mark.parametrize("C", [1.0, 1e3, np.inf])
def test_a_constant_column_does_not_pass_for_rounding_errors(constant, C):
    """It has the penalty's curvature and no variance: the fit goes on to the optimum that it has without the column."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = X[:, 0] + rng.logistic(size=300) > 0
    without = GDLogisticRegression(C=C, tol=1e-8).fit(X, y)
    fitted = GDLogisticRegression(C=C, tol=1e-8).fit(np.column_stack([X, np.full(300, constant)]), y)
    assert fitted.stop_reason_ in ("gradient", "precision")
    assert fitted.history_["gradient_norm"][-1] < 1e-6
    np.testing.assert_allclose(fitted.coef_[:, :4], without.coef_, rtol=1e-5, atol=1e-7)


class LogCosh(PointwiseLoss):
    curvature = 1.0

    def derivatives(self, y, raw, order=2):
        slope = np.tanh(raw - y)
        return (
            np.logaddexp(raw - y, y - raw) - np.log(2),
            slope if order else None,
            1 - slope**2 if order == 2 else None,
        )


class LogCoshRegression(GDLinearRegression):
    def _target(self, y, weight, X):
        _, *others = super()._target(y, weight, X)
        return LogCosh(), *others


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_loss_that_is_straight_at_the_start_is_minimised(fit_intercept):
    """No sample has curvature there, to the last digit: 1 − tanh²(1000) is 0."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3)) + (0 if fit_intercept else 1)
    truth = np.array([1000.0, 2000.0, -500.0])
    y = X @ truth + rng.normal(size=200) + 1e3 * fit_intercept
    fitted = LogCoshRegression(fit_intercept=fit_intercept, tol=1e-8).fit(X, y)
    assert fitted.stop_reason_ in ("gradient", "precision")
    near = LogCoshRegression(fit_intercept=fit_intercept, tol=1e-8, init=(truth, 1e3) if fit_intercept else truth).fit(
        X, y
    )
    np.testing.assert_allclose(fitted.coef_, near.coef_, atol=1e-4)


@pytest.mark.parametrize("far", [0.0, 5e3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_run_that_changes_its_coordinates_tells_every_iterate_in_the_users(far, fit_intercept, monkeypatch):
    """Conjugate gradients in the user's, the Gram matrix about the centre, and the data again where that has lost digits."""
    stages = Stage("products"), Stage("gram", 20.0)
    monkeypatch.setattr(base, "plan_for", lambda *_: Plan(stages, 1.0, 1.0, 1.0))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 60)) * np.logspace(0, 3, 60) @ np.linalg.qr(rng.normal(size=(60, 60)))[0] + far
    y = X @ rng.normal(size=60) + rng.normal(size=2000)
    seen = trace(GDLinearRegression(tol=1e-9, fit_intercept=fit_intercept), X, y)
    assert seen.estimator.preconditioner_ == "full"
    assert seen.estimator.n_iter_ > 3
    intercepts = seen.kept[:, 60:].sum(axis=1)
    losses = [0.5 * np.mean((X @ w + b - y) ** 2) for w, b in zip(seen.kept[:, :60], intercepts, strict=True)]
    np.testing.assert_allclose(losses, seen.estimator.loss_curve_, rtol=1e-6)
    np.testing.assert_array_equal(seen.kept[-1, :60], seen.estimator.coef_)


def test_what_a_run_remembers_moves_with_it():
    X, y = np.array([[0.0], [1.0], [3.0]]), np.array([0.0, 2.0, 4.0])
    run = trace(GDLinearRegression(learning_rate=0.1, max_iter=3), X, y).run
    best, flattest = run.history.best_coef, run.history.flattest_coef
    coef = run.base.coef
    run.move(run.objective, coef, lambda coef: 2 * coef)
    np.testing.assert_array_equal(run.point.coef, 2 * coef)
    np.testing.assert_array_equal(run.history.best_coef, 2 * best)
    np.testing.assert_array_equal(run.history.flattest_coef, 2 * flattest)


@pytest.mark.parametrize("p", [1, 2, 9, 40])
@pytest.mark.parametrize("dependence", [0.0, 0.5, 0.999, 1 - 1e-7])
def test_the_bound_of_a_condition_number_is_one(p, dependence):
    """Where it answers for LAPACK's estimate, the eigenvalues agree."""
    rng = np.random.default_rng(p)
    Z = rng.normal(size=(200, p)) * 10.0 ** rng.integers(-3, 3, p)
    Z[:, -1] = dependence * Z[:, 0] + (1 - dependence) * Z[:, -1] if p > 1 else Z[:, 0]
    gram = Z.T @ Z
    root = 1 / np.sqrt(gram.diagonal())
    values = np.linalg.eigvalsh(gram * root * root[:, None])
    metric = Full(np.asfortranarray(gram), np.zeros(p), 0.0, 0.0, EPS)
    ratio = values[0] / values[-1]
    assert metric._at_least <= ratio * (1 + 1e-6)
    assert metric.condition_above(1e-3 * ratio / p)


@pytest.fixture
def dependent():
    """Columns far from zero, of which the last is the sum of two others; and their second moments."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5)) * [1, 2, 3, 4, 5] + 50
    X[:, 4] = X[:, 0] + X[:, 1]
    return X, DenseDesign(X, True).gram()


def metrics(X, gram):
    def full():
        return Full(gram.matrix.copy(), gram.centre, gram.weight_sum, 0.0, EPS)

    independent = Full(gram.matrix.copy(), gram.centre, gram.weight_sum, 0.1, EPS)
    basis, p = np.diag([1.0, 2.0, 3.0, 1.0, 1.0]), np.full((len(X), 2), 0.5)
    hessian, centre = DenseDesign(X, True).coupled_gram(p, p / len(X))
    return {
        "diagonal": Diagonal(gram._replace(matrix=gram.matrix.diagonal()), 1.0, 0.0),
        "full": full(),
        "penalised": independent,
        "composed": Composed(basis, basis @ gram.matrix @ basis, gram.centre, gram.weight_sum),
        "rounded": Rounded(gram._replace(matrix=np.eye(5, dtype=np.float32, order="F")), np.arange(1.0, 6.0), 0.1),
        "output by output": PerOutput([full(), independent]),
        "joint": Joint(hessian, centre, 0.0, True, EPS),
        "zero sum": ZeroSum(PerOutput([full(), full()])),
    }


NAMES = "diagonal", "full", "penalised", "composed", "rounded", "output by output", "joint", "zero sum"


@pytest.mark.parametrize("name", NAMES)
def test_the_square_of_a_gradients_norm_is_its_slope_along_the_direction(name, dependent):
    metric = metrics(*dependent)[name]
    gradient = np.random.default_rng(1).normal(size=(6, 2))
    if name not in ("output by output", "joint", "zero sum"):
        gradient = gradient[:, 0]
    slope = -np.vdot(gradient, metric.direction(gradient))
    rtol = 1e-4 if name == "rounded" else 1e-8
    np.testing.assert_allclose(metric.square(gradient), slope, rtol=rtol)
    np.testing.assert_allclose(metric.square(gradient, 2.0), slope / 4, rtol=rtol)
    if name in ("diagonal", "full", "penalised"):
        np.testing.assert_allclose(np.sum(metric.half_transposed(gradient) ** 2), slope, rtol=rtol)
        np.testing.assert_allclose(
            -metric.half(metric.half_transposed(gradient)), metric.direction(gradient), rtol=1e-6, atol=1e-9
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_says_which_directions_it_takes_for_none(name, dependent):
    """Those that change no prediction: of an output, the sum of two columns less the third; of two with a common one, their difference."""
    X, _ = dependent
    null = metrics(*dependent)[name].null
    if name in ("diagonal", "penalised", "rounded"):
        assert null is None
        return
    assert null.shape == ((6, 1) if name in ("full", "composed") else (6, 2, 2 if name == "zero sum" else 1))
    predictions = np.column_stack([X, np.ones(len(X))]) @ null.reshape(6, -1)
    assert np.abs(null).max() > 0.01
    np.testing.assert_allclose(predictions, 0.0, atol=1e-6 * np.abs(null).max())


def test_what_was_done_is_told_stage_by_stage(staged, capsys):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(600, 90)) * np.logspace(0, 3, 90), rng.normal(size=600)
    staged("products", "gram")
    model = GDLinearRegression(verbose=1).fit(X, y)
    first, second = model.stages_
    assert (first["form"], first["metric"]) == ("quadratic by its products", "diagonal")
    assert first["left"] == "for a Gram matrix"
    assert (second["form"], second["metric"], second["left"]) == ("normal equation", "full", model.stop_reason_)
    assert first["iterations"] + second["iterations"] == model.n_iter_
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("stage")]
    assert lines == [f"stage {k + 1}: {StageReport(**stage)}" for k, stage in enumerate(model.stages_)]


@pytest.mark.parametrize("rate", ["auto", "exact", "lipschitz"])
def test_a_fit_of_one_stage_tells_it(rate):
    X, y = load_diabetes(return_X_y=True)
    model = GDLinearRegression(learning_rate=rate, max_iter=10_000).fit(scale(X), y)
    (stage,) = model.stages_
    assert (stage["iterations"], stage["left"]) == (model.n_iter_, model.stop_reason_)
    assert stage["metric"] == model.preconditioner_


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_few_sparse_rows_are_fitted_in_their_span(staged, fit_intercept, weighted, classes):
    staged("newton_cg")
    rng = np.random.default_rng(0)
    X = sp.random(150, 3000, 0.02, "csr", random_state=rng)
    signal = X @ rng.normal(size=3000)
    y = np.digitize(signal, np.quantile(signal, np.arange(1, classes) / classes))
    weight = rng.uniform(0.5, 2, size=150) if weighted else None
    ours = GDLogisticRegression(C=10, tol=1e-8, fit_intercept=fit_intercept).fit(X, y, sample_weight=weight)
    assert ours.stages_[0]["rule"] == "Newton-CG"
    theirs = LogisticRegression(C=10, tol=1e-10, fit_intercept=fit_intercept, max_iter=10_000, solver="newton-cg")
    np.testing.assert_allclose(ours.coef_, theirs.fit(X, y, sample_weight=weight).coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("case", ["independent", "dependent", "constant"])
def test_the_matrix_of_a_metric_is_there_beside_its_factor(case, order):
    """The triangle that the factorisation leaves gives the matrix, also where it fails and eigenvectors take its place."""
    rng = np.random.default_rng(3)
    A = rng.normal(size=(40, 6)) * 10.0 ** np.arange(-2, 4)
    without = np.zeros(6, dtype=bool)
    if case == "dependent":
        A[:, 4] = A[:, 3] - 2 * A[:, 0]
    if case == "constant":
        A[:, 2], without[2] = 0.0, True
    gram = A.T @ A
    metric = Full(np.array(gram, order=order), np.zeros(6), 0.0, 0.0, EPS, without=without)
    assert (metric.vectors is not None) == (case == "dependent")
    scale = np.sqrt(np.outer(gram.diagonal(), gram.diagonal())) + without[:, None] + without
    expected = np.where(without[:, None] | without, 0.0, gram)
    np.testing.assert_allclose(metric.matrix() / scale, expected / scale, atol=1e-14)
    for coef in (rng.normal(size=6), rng.normal(size=(6, 3))):
        size = np.sqrt(gram.diagonal()) @ np.abs(coef)
        found = metric.product(coef) - expected @ coef
        units = np.sqrt(gram.diagonal()) + without
        assert np.abs(found.T / units).max() <= 1e-13 * np.max(size)


def test_the_same_metric_about_a_centre():
    """The last column of a Gram matrix about the centre is the intercept's: its metric in the user's coordinates."""
    rng = np.random.default_rng(4)
    X, weight_sum = rng.normal(size=(50, 4)) + 3, 1.0
    centre = X.mean(axis=0)
    whole = np.zeros((5, 5))
    whole[:4, :4], whole[4, 4] = (X - centre).T @ (X - centre) / 50, weight_sum
    at_centre = Full(whole.copy(), np.zeros(0), 0.0, 0.0, EPS, without=np.zeros(5, dtype=bool))
    at_centre.product(np.ones(5))  # what it remembers is of its own size
    ones = np.column_stack([X, np.ones(50)])
    gradient = rng.normal(size=5)
    metric = at_centre.about(centre, weight_sum)
    np.testing.assert_allclose(metric.direction(gradient), -np.linalg.solve(ones.T @ ones / 50, gradient), rtol=1e-10)
    np.testing.assert_allclose(metric.matrix(), whole[:4, :4], rtol=1e-13)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_least_squares_of_few_sparse_rows_in_their_span(staged, fit_intercept, weighted):
    staged("products")
    rng = np.random.default_rng(0)
    X = sp.random(150, 3000, 0.02, "csr", random_state=rng)
    y = X @ rng.normal(size=3000) + 5
    weight = rng.uniform(0.5, 2, size=150) if weighted else None
    total = 150 if weight is None else weight.sum()
    ours = GDLinearRegression(alpha=1e-3, tol=1e-9, fit_intercept=fit_intercept).fit(X, y, sample_weight=weight)
    assert ours.history_["passes"][-1] > 2 * ours.n_iter_  # inner iterations
    theirs = Ridge(1e-3 * total, fit_intercept=fit_intercept, solver="sparse_cg", tol=1e-13)
    np.testing.assert_allclose(ours.coef_, theirs.fit(X, y, sample_weight=weight).coef_, atol=1e-7)


def test_a_purchase_leads_back_from_the_span(staged):
    """Newton-CG in the span of the rows, and then their products; or the columns' Hessian."""
    rng = np.random.default_rng(0)
    X = sp.random(100, 400, 0.1, "csr", random_state=rng)
    y = X @ rng.normal(size=400) > 0
    reference = LogisticRegression(C=10, tol=1e-10, max_iter=10_000, solver="newton-cg").fit(X, y)
    for way in ("rows", "newton", "sketch"):
        staged("newton_cg", way)
        model = GDLogisticRegression(C=10, tol=1e-8).fit(X, y)
        assert len(model.stages_) == 2
        np.testing.assert_allclose(model.coef_, reference.coef_, atol=1e-6)
