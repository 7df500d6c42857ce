"""The pictures, by what is drawn in them: lines, marks, names and limits, not pixels."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from scipy.optimize import OptimizeResult
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler, scale

from sklearn_gd import (
    DescentPathDisplay,
    FitDisplay,
    GDLinearRegression,
    GDLogisticRegression,
    LearningRateDisplay,
    LossCurveDisplay,
)
from sklearn_gd.plots.learning_rate import behaviour
from sklearn_gd.plots.style import make_room, name_curves, name_lines, named, snapshots
from sklearn_gd.trace import optimal, steepest, trace

matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

BOTH = [GDLinearRegression, GDLogisticRegression]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def line():
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 3, size=40)
    return x[:, None], 2.5 * x - 1.0 + rng.normal(scale=0.3, size=40)


def _smoothness(X):
    X = np.column_stack([X, np.ones(len(X))])
    return np.linalg.eigvalsh(X.T @ X / len(X))[-1]


def _diabetes():
    X, y = load_diabetes(return_X_y=True)
    return scale(X), y


def _iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


def _quiet(model, X, y):
    """Fit, whatever the run's end is warned of."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y)


def _drawn(display):
    """Draw all of it, as saving does, and find no warning."""
    display.figure_.canvas.draw()
    return display


# every kind of problem that a display must take: estimator, X, y
PROBLEMS = {
    "one target": (GDLinearRegression(max_iter=20), *_diabetes()),
    "two targets": (GDLinearRegression(max_iter=20), _diabetes()[0], np.column_stack([_diabetes()[1]] * 2) * [1, -3]),
    "two classes": (GDLogisticRegression(max_iter=20), _iris()[0][:100], _iris()[1][:100]),
    "three classes": (GDLogisticRegression(max_iter=20), *_iris()),
    "no intercept": (GDLinearRegression(max_iter=20, fit_intercept=False), *_diabetes()),
    "pipeline": (make_pipeline(StandardScaler(), GDLinearRegression(max_iter=20)), *load_diabetes(return_X_y=True)),
}


def _last(estimator):
    return estimator[-1] if hasattr(estimator, "steps") else estimator


def _with(estimator, **params):
    from sklearn.base import clone

    estimator = clone(estimator)
    _last(estimator).set_params(**params)
    return estimator


# ------------------------------------------------------------------------------------------------------- the words


@pytest.mark.parametrize(
    ("multiple", "word"),
    [(0.5, "converges"), (1.0, "converges"), (1.01, "oscillates"), (2.0, "oscillates"), (2.01, "diverges")],
)
def test_thresholds_are_exact_for_a_quadratic(multiple, word):
    assert behaviour([3.0, 2.0, 1.0], "gradient", multiple=multiple) == word


@pytest.mark.parametrize(
    ("losses", "reason", "word"),
    [
        ([3, 2, 1.5], "max_iter", "creeps"),
        ([3, 2, 1.5], "callback", "creeps"),
        ([3, 2, 1.5], "gradient", "converges"),
        ([3, 2, 1.5], "precision", "converges"),
        ([3, 4, 1, 1.5, 1, 1.5, 1, 1.5, 1], "max_iter", "oscillates"),
        ([3, 4, 2, 1.5, 1.2, 1.1, 1.05, 1.02], "gradient", "converges"),  # one rise at the start is no oscillation
        ([3, 4, 5, 6], "max_iter", "diverges"),
        ([3, 4, 5, 6], "diverged", "diverges"),
    ],
)
def test_other_functions_are_told_by_the_run(losses, reason, word):
    assert behaviour(losses, reason) == word


@pytest.mark.parametrize(("multiple", "bounces", "grows"), [(0.9, False, False), (1.9, True, False), (2.1, True, True)])
def test_the_words_are_true(line, multiple, bounces, grows):
    """The gradient along the steepest direction is multiplied by 1 − ηL, which the swings show."""
    X, y = line
    display = LearningRateDisplay.from_estimator(
        GDLinearRegression(max_iter=30), X, y, learning_rates=[multiple / _smoothness(X)]
    )
    (swing,) = display.swings
    np.testing.assert_allclose(swing[1:8] / swing[:7], 1 - multiple, rtol=1e-6)
    assert (swing[1] * swing[0] < 0) == bounces
    assert (abs(swing[5]) > abs(swing[0])) == grows
    assert display.words == ["diverges" if grows else "oscillates" if bounces else "creeps"]


# ------------------------------------------------------------------------------------------------------- the traces


@pytest.mark.parametrize("estimator_class", BOTH)
@pytest.mark.parametrize("rate", ["auto", "lipschitz", 0.1])
@pytest.mark.filterwarnings("ignore:.*max_iter:sklearn.exceptions.ConvergenceWarning")
def test_a_trace_has_every_iterate(estimator_class, rate):
    X, y = _diabetes() if estimator_class is GDLinearRegression else _iris()
    seen = trace(estimator_class(learning_rate=rate, max_iter=4), X, y)
    assert len(seen.kept) == len(seen.estimator.loss_curve_)
    for k, coef in enumerate(seen.kept):
        ended = estimator_class(learning_rate=rate, max_iter=k).fit(X, y)
        np.testing.assert_allclose(coef[:-1].T, ended.coef_, rtol=1e-10, atol=1e-12)
        assert seen.problem.model.at(coef).value == pytest.approx(seen.estimator.loss_curve_[k], rel=1e-9)


@pytest.mark.parametrize("model", [GDLinearRegression(), GDLinearRegression(alpha=0.1), GDLogisticRegression()])
def test_a_trace_of_wide_data_is_in_the_coordinates_of_the_features(model):
    X = np.random.default_rng(0).standard_normal((30, 80))
    y = np.arange(30) % 3
    seen = trace(model, X, y)
    assert seen.kept.shape[:2] == (len(seen.estimator.loss_curve_), 81)
    np.testing.assert_allclose(seen.kept[-1][:-1].T, seen.estimator.coef_, atol=1e-10)
    for coef, loss in zip(seen.kept, seen.estimator.loss_curve_, strict=True):
        assert seen.problem.model.at(coef).value == pytest.approx(loss, rel=1e-6, abs=1e-12)
    display = _drawn(DescentPathDisplay.from_estimator(model, X, y, grid_resolution=5))
    assert len(display.labels) == 2


def test_a_trace_where_nothing_moves():
    X, y = _diabetes()
    seen = trace(GDLinearRegression(max_iter=0), X, y)
    assert seen.kept.shape == (1, 11)
    assert not seen.kept.any()


def test_a_trace_of_a_run_that_diverges_is_finite():
    seen = trace(GDLinearRegression(learning_rate=1e6, max_iter=200), *_diabetes())
    assert seen.estimator.stop_reason_ == "diverged"
    assert len(seen.kept) == len(seen.estimator.loss_curve_)
    assert np.isfinite(seen.kept).all()


def test_largest_curvature():
    X, y = _diabetes()
    value, vector = steepest(trace(GDLinearRegression(learning_rate=0.1, max_iter=1), X, y))
    full = np.column_stack([X, np.ones(len(X))])
    hessian = full.T @ full / len(X)
    assert value == pytest.approx(np.linalg.eigvalsh(hessian)[-1], rel=1e-12)
    np.testing.assert_allclose(hessian @ vector, value * vector, atol=1e-10)
    # and where it is found by iterations
    X = np.random.default_rng(0).standard_normal((700, 600))
    value, _ = steepest(trace(GDLinearRegression(learning_rate=0.1, max_iter=1), X, X[:, 0]))
    assert value == pytest.approx(_smoothness(X), rel=1e-10)


# ---------------------------------------------------------------------------------------------------- loss curves


@pytest.mark.parametrize("name", PROBLEMS)
def test_loss_curve(name):
    estimator, X, y = PROBLEMS[name]
    models = [_quiet(_with(estimator, learning_rate=rate), X, y) for rate in ("auto", 0.1, 50.0)]
    display = _drawn(LossCurveDisplay.from_estimator(models))
    assert list(display.lines_) == ["loss", "gradient_norm", "learning_rate", "step_length"]
    assert [line.get_label() for line in display.lines_["loss"]] == ["auto", "η = 0.1", "η = 50"]
    runs = [_last(model) for model in models]
    optimum = min(min(run.loss_curve_) for run in runs)
    for k, run in enumerate(runs):
        x, gap = display.lines_["loss"][k].get_data()
        expected = np.array(run.loss_curve_) - optimum
        np.testing.assert_array_equal(x, np.arange(len(expected)))
        np.testing.assert_array_equal(gap[np.isfinite(gap)], expected[np.isfinite(gap)])
        assert (expected[np.isnan(gap)] <= 1e-15 * optimum).all()
        shown = np.asarray(display.lines_["learning_rate"][k].get_ydata())
        np.testing.assert_array_equal(shown[1:], run.history_["learning_rate"][1:])
        assert np.isnan(shown[0])  # no step led to the start
    assert display.ax_.get_yscale() == "log"
    assert display.axes_[-1].get_xlabel() == "iteration"


def test_loss_curve_names_how_a_run_ended():
    X, y = _diabetes()
    runs = [_quiet(GDLinearRegression(learning_rate=rate, max_iter=30), X, y) for rate in (0.1, 0.9)]
    texts = {text.get_text() for text in LossCurveDisplay.from_estimator(runs).names_}
    assert texts == {"η = 0.1\n(max_iter)", "η = 0.9\n(diverged)"}


def test_a_run_that_diverges_does_not_squeeze_the_others():
    X, y = _diabetes()
    runs = [_quiet(GDLinearRegression(learning_rate=rate), X, y) for rate in (0.1, 30.0)]
    display = LossCurveDisplay.from_estimator(runs)
    assert display.ax_.get_ylim()[1] < 1e3 * runs[0].loss_curve_[0] < max(runs[1].loss_curve_)


def test_loss_curve_in_given_axes_is_one_panel():
    model = GDLinearRegression().fit(*_diabetes())
    _, ax = plt.subplots()
    display = LossCurveDisplay.from_estimator(model, ax=ax)
    assert display.ax_ is ax
    assert display.axes_ == [ax]
    both = LossCurveDisplay.from_estimator(model, ax=plt.subplots()[1], quantities=["loss", "gradient_norm"])
    assert len(both.axes_) == 2
    with pytest.raises(ValueError, match="subplot"):
        LossCurveDisplay.from_estimator(
            model, ax=plt.figure().add_axes((0.1, 0.1, 0.8, 0.8)), quantities=["loss", "gradient_norm"]
        )


def test_loss_curve_with_a_known_optimum():
    model = GDLinearRegression().fit(*_diabetes())
    lowest = min(model.loss_curve_)
    display = LossCurveDisplay.from_estimator(model, optimum=lowest - 1.0)
    assert display.lines_["loss"][0].get_ydata()[-1] == pytest.approx(1.0)
    assert display.ax_.get_title("left") == "loss − optimum"
    with pytest.raises(ValueError, match="above the lowest loss"):
        LossCurveDisplay.from_estimator(model, optimum=lowest + 1.0)


def test_loss_curve_says_when_its_lowest_is_no_optimum():
    model = _quiet(GDLinearRegression(learning_rate=0.01, max_iter=3), *_diabetes())
    assert "unconverged" in LossCurveDisplay.from_estimator(model).ax_.get_title("left")


def test_loss_curves_of_different_objectives_are_refused():
    X, y = _diabetes()
    models = [GDLinearRegression(alpha=alpha).fit(X, y) for alpha in (0, 1)]
    with pytest.raises(ValueError, match="alpha"):
        LossCurveDisplay.from_estimator(models)
    with pytest.raises(ValueError, match="log loss"):
        LossCurveDisplay.from_estimator({"a": models[0], "b": GDLogisticRegression(C=1).fit(*_iris())})


def test_loss_curve_from_history():
    model = GDLinearRegression().fit(*_diabetes())
    one = LossCurveDisplay.from_history(model.history_)
    two = LossCurveDisplay.from_history({"a": model.history_, "b": {"history": model.history_}})
    assert len(one.lines_["loss"]) == 1
    assert list(two.histories) == ["a", "b"]
    assert two.histories["b"] is model.history_


# ------------------------------------------------------------------------------------------------- learning rates


@pytest.mark.parametrize("name", PROBLEMS)
def test_learning_rates(name):
    estimator, X, y = PROBLEMS[name]
    display = _drawn(LearningRateDisplay.from_estimator(estimator, X, y, learning_rates=[0.5, 0.01]))
    np.testing.assert_array_equal(display.learning_rates, [0.01, 0.5])
    assert display.axes_.shape == (2, 2)
    assert [axes.get_title("left") for axes in display.axes_[0]] == display.words
    for rate, losses, curve in zip(display.learning_rates, display.losses, display.lines_, strict=True):
        model = _quiet(_with(estimator, learning_rate=rate), X, y)
        np.testing.assert_array_equal(losses, _last(model).loss_curve_)
        gap = np.asarray(curve.get_ydata())
        np.testing.assert_allclose(gap[0], losses[0] - display.optimum)
    one, two = (line.get_xdata()[0] for line in display.thresholds_)
    assert two == pytest.approx(2 * one)
    assert one == pytest.approx(1 / display.smoothness)
    assert not hasattr(_last(estimator), "coef_")


def test_default_rates_show_the_four(line):
    display = LearningRateDisplay.from_estimator(GDLinearRegression(max_iter=200), *line)
    assert display.words == ["creeps", "converges", "oscillates", "diverges"]
    np.testing.assert_allclose(display.learning_rates * _smoothness(line[0]), [0.02, 0.9, 1.9, 2.1])
    assert display.exact


def test_the_bound_is_called_one():
    display = LearningRateDisplay.from_estimator(GDLogisticRegression(max_iter=20), *_iris())
    assert not display.exact
    assert "bound" in display.ax_.get_xlabel()


def test_learning_rates_in_given_axes(line):
    _, ax = plt.subplots(figsize=(3, 2.2))
    display = LearningRateDisplay.from_estimator(GDLinearRegression(), *line, ax=ax)
    assert display.ax_ is ax
    names = {text.get_text() for text in ax.texts}
    assert names == {"0.02/L creeps", "0.9/L converges", "1.9/L oscillates", "2.1/L diverges"}


def test_momentum_and_a_metric_have_their_own_thresholds(line):
    X, y = line
    metric = LearningRateDisplay.from_estimator(GDLinearRegression(preconditioner="full"), X, y, learning_rates=[1.0])
    assert metric.smoothness == pytest.approx(1.0)
    assert metric.words == ["converges"]
    # beyond 2/L, where heavy ball still converges
    ball = GDLinearRegression(momentum=0.9)
    display = LearningRateDisplay.from_estimator(ball, X, y, learning_rates=[2.5 / _smoothness(X)])
    assert display.reasons == ["gradient"]
    assert display.words != ["diverges"]


@pytest.mark.parametrize("rates", [[0.1, -1], [0.0], ["a"], [np.inf]])
def test_learning_rates_are_checked_before_any_work(line, rates):
    with pytest.raises((TypeError, ValueError), match="learning_rates"):
        LearningRateDisplay.from_estimator(GDLinearRegression(), *line, learning_rates=rates)


# --------------------------------------------------------------------------------------------------------- paths


def test_path_of_a_line(line):
    X, y = line
    rates = (0.02, 0.6)
    display = _drawn(
        DescentPathDisplay.from_estimator(
            {f"{rate}": GDLinearRegression(learning_rate=rate, max_iter=10) for rate in rates}, X, y
        )
    )
    assert display.labels == ["coefficient of x0", "intercept"]
    w = np.zeros(2)
    full = np.column_stack([X, np.ones(len(X))])
    for rate, drawn in zip(rates, display.lines_, strict=True):
        w = np.zeros(2)
        expected = [w]
        for _ in range(10):
            w = w - rate * full.T @ (full @ w - y) / len(y)
            expected.append(w)
        np.testing.assert_allclose(display.paths[f"{rate}"], expected, rtol=1e-10)
        np.testing.assert_allclose(drawn.get_xydata(), expected, rtol=1e-10)
    best = np.linalg.lstsq(full, y, rcond=None)[0]
    np.testing.assert_allclose(display.optimum_.get_xydata()[0], best, rtol=1e-6)
    # the surface is the loss
    for i, j in ((0, 0), (20, 70), (99, 50)):
        w = np.array([display.axes[0][j], display.axes[1][i]])
        assert display.surface[i, j] == pytest.approx(0.5 * np.mean((full @ w - y) ** 2), rel=1e-9)
    assert {text.get_text() for text in display.names_} == {"start", "0.02", "0.6"}


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("rate", ["auto", 0.1, 50.0])
def test_path_of_every_problem(name, rate):
    estimator, X, y = PROBLEMS[name]
    display = _drawn(DescentPathDisplay.from_estimator(_with(estimator, learning_rate=rate), X, y, grid_resolution=12))
    (path,) = display.paths.values()
    assert np.isfinite(path).all()
    assert path.shape[1] == 2
    assert np.isfinite(display.surface).all()
    assert np.asarray(display.lines_[0].get_xydata()).shape[0] >= 1
    assert [label.split(" (")[0] for label in display.labels] == ["direction 1", "direction 2"]


def test_principal_directions_hold_distances():
    X, y = _diabetes()
    model = GDLinearRegression(learning_rate=0.1, max_iter=30)
    display = DescentPathDisplay.from_estimator(model, X, y, grid_resolution=5)
    share = sum(float(label.split("(")[1].rstrip("%)")) for label in display.labels)
    (path,) = display.paths.values()
    offsets = trace(model, X, y).kept - optimal(model, X, y).run.coef
    shown = (path - display.optimum) if display.optimum.any() else path
    assert share > 90
    assert (np.linalg.norm(shown, axis=1) <= np.linalg.norm(offsets, axis=1) * (1 + 1e-9)).all()
    assert (shown**2).sum() / (offsets**2).sum() == pytest.approx(share / 100, abs=0.011)


@pytest.mark.parametrize(
    ("name", "coefs", "labels"),
    [
        ("one target", (2, "x8"), ["coefficient of x2", "coefficient of x8"]),
        ("one target", ("x0", "intercept"), ["coefficient of x0", "intercept"]),
        ("two targets", ((2, 1), (3, 0)), ["coefficient of x2, target 1", "coefficient of x3, target 0"]),
        ("three classes", ((2, 0), ("intercept", 2)), ["coefficient of x2, 0", "intercept, 2"]),
        ("pipeline", (0, 1), ["coefficient of x0", "coefficient of x1"]),
    ],
)
def test_chosen_coefficients(name, coefs, labels):
    estimator, X, y = PROBLEMS[name]
    display = DescentPathDisplay.from_estimator(
        _with(estimator, learning_rate=0.1), X, y, coefs=coefs, grid_resolution=5
    )
    assert display.labels == labels
    model = _last(_quiet(_with(estimator, learning_rate=0.1), X, y))
    (path,) = display.paths.values()
    for k, coef in enumerate(coefs):
        row, output = coef if isinstance(coef, tuple) else (coef, 0)
        if row == "intercept":
            expected = np.atleast_1d(model.intercept_)[output]
        else:
            expected = np.atleast_2d(model.coef_)[output, int(str(row).lstrip("x"))]
        assert path[-1, k] == pytest.approx(expected)


@pytest.mark.parametrize("coefs", [(0,), (0, 0), (0, 99), ("nobody", 1), ((0, 1), 1), (0, -1)])
def test_coefficients_that_are_not_there(coefs):
    with pytest.raises(ValueError, match="coefs"):
        DescentPathDisplay.from_estimator(GDLinearRegression(), *_diabetes(), coefs=coefs)


def test_a_path_that_diverges_leaves(line):
    models = {"good": GDLinearRegression(learning_rate=0.1), "bad": GDLinearRegression(learning_rate=0.9)}
    display = DescentPathDisplay.from_estimator(models, *line)
    drawn, whole = display.lines_[1].get_xydata(), display.paths["bad"]
    assert len(drawn) < len(whole)
    (left, right), (low, high) = display.ax_.get_xlim(), display.ax_.get_ylim()
    outside = (drawn[:, 0] < left) | (drawn[:, 0] > right) | (drawn[:, 1] < low) | (drawn[:, 1] > high)
    assert outside[-1]
    assert not outside[-2]
    assert "bad leaves" in {text.get_text() for text in display.names_}
    # the view is that of the run that arrives
    assert right - left < 10


def test_paths_on_different_surfaces_are_refused(line):
    with pytest.raises(ValueError, match="different ones"):
        DescentPathDisplay.from_estimator([GDLinearRegression(), GDLinearRegression(alpha=1.0)], *line)


def test_one_coefficient_is_a_curve(line):
    X, y = line
    display = _drawn(
        DescentPathDisplay.from_estimator(GDLinearRegression(learning_rate=0.1, fit_intercept=False, max_iter=5), X, y)
    )
    drawn = display.lines_[0].get_xydata()
    np.testing.assert_allclose(drawn[:, 1], 0.5 * np.mean((X * drawn[:, 0] - y[:, None]) ** 2, axis=0))
    curve = display.surface_.get_xydata()
    np.testing.assert_allclose(curve[:, 1], 0.5 * np.mean((X * curve[:, 0] - y[:, None]) ** 2, axis=0))


def _bowl(x, a=1.0):
    return a * (x[0] ** 2 + 4 * x[1] ** 2), None


def test_path_on_any_function():
    iterates = np.array([[2.0, 1.0], [1.0, -0.5], [0.2, 0.1], [0.0, 0.0]])
    display = _drawn(DescentPathDisplay.from_result(_bowl, iterates, args=(2.0,), optimum=[0, 0]))
    np.testing.assert_array_equal(display.lines_[0].get_xydata(), iterates)
    assert display.surface[0, 0] == pytest.approx(_bowl([display.axes[0][0], display.axes[1][0]], 2.0)[0])
    np.testing.assert_array_equal(display.optimum_.get_xydata(), [[0, 0]])
    # where no optimum is known none is marked
    assert DescentPathDisplay.from_result(_bowl, iterates).optimum_ is None


@pytest.mark.parametrize(
    "wrap", [lambda x: x, lambda x: {"coef": x}, lambda x: {"history": {"coef": list(x)}}, lambda x: {"path": x}]
)
def test_path_of_a_result(wrap):
    iterates = np.array([[2.0, 1.0], [1.0, -0.5], [0.2, 0.1]])
    one = DescentPathDisplay.from_result(_bowl, wrap(iterates))
    np.testing.assert_array_equal(one.paths["run"], iterates)
    two = DescentPathDisplay.from_result(_bowl, {"a": wrap(iterates), "b": wrap(-iterates)})
    np.testing.assert_array_equal(two.paths["b"], -iterates)


def test_a_result_of_several_starts_is_as_many_runs():
    iterates = np.array([[2.0, 1.0], [1.0, -0.5], [0.2, 0.1]])
    history = {
        "loss": [8.0, 2.0, 0.08],
        "gradient_norm": [4, 2, 1],
        "learning_rate": [0, 1, 1],
        "step_length": [0, 1, 1],
    }
    start = {"path": iterates, "history": history, "stop_reason": "max_iter"}
    result = OptimizeResult(**start, starts=[OptimizeResult(start), OptimizeResult({**start, "path": -iterates})])
    display = DescentPathDisplay.from_result(_bowl, result)
    np.testing.assert_array_equal(display.paths["run 2"], -iterates)
    curves = LossCurveDisplay.from_history(result)
    assert [text.get_text() for text in curves.names_] == ["run 1\n(max_iter)", "run 2\n(max_iter)"]


def test_path_in_many_dimensions():
    rng = np.random.default_rng(0)
    iterates = rng.standard_normal((6, 5)) * np.array([[5], [4], [3], [2], [1], [0]])
    display = DescentPathDisplay.from_result(lambda x: float(x @ x), iterates, grid_resolution=5)
    assert display.paths["run"].shape == (6, 2)
    chosen = DescentPathDisplay.from_result(lambda x: float(x @ x), iterates, coefs=(3, 1), grid_resolution=5)
    np.testing.assert_array_equal(chosen.paths["run"], iterates[:, [3, 1]])
    assert chosen.labels == ["x3", "x1"]


def test_animation_of_a_path(line, tmp_path):
    from matplotlib.animation import PillowWriter
    from PIL import Image

    display = DescentPathDisplay.from_estimator(
        [GDLinearRegression(learning_rate=rate, max_iter=6) for rate in (0.1, 0.9)], *line
    )
    animation = display.animate()
    animation.save(tmp_path / "path.gif", writer=PillowWriter(fps=5), dpi=40)
    with Image.open(tmp_path / "path.gif") as image:
        assert image.n_frames == 7
    np.testing.assert_allclose(display.lines_[0].get_xydata(), display.paths["η = 0.1"])
    assert animation.to_jshtml(fps=5).count("data:image/png") == 7


# ------------------------------------------------------------------------------------------------------- the fit


def test_fit_of_a_line(line):
    X, y = line
    model = GDLinearRegression(learning_rate=0.1, max_iter=50)
    display = _drawn(FitDisplay.from_estimator(model, X, y, n_curves=4))
    assert display.iterations[0] == 0
    assert display.iterations[-1] == 50
    np.testing.assert_array_equal(display.points_[0].get_xydata(), np.column_stack([X[:, 0], y]))
    for k, drawn in zip(display.iterations, display.lines_[0], strict=True):
        fitted = _quiet(GDLinearRegression(learning_rate=0.1, max_iter=k), X, y)
        np.testing.assert_allclose(drawn.get_ydata(), fitted.predict(display.grid[:, None]), rtol=1e-9, atol=1e-12)
    assert {"start", "50 iterations\n(max_iter)"} <= {text.get_text() for text in display.names_}


def test_fit_of_a_sigmoid():
    X, y = load_iris(return_X_y=True)
    X, y = X[50:, [2]], np.array(["no", "yes"])[y[50:] - 1]
    model = make_pipeline(StandardScaler(), GDLogisticRegression())
    display = _drawn(FitDisplay.from_estimator(model, X, y))
    last = np.asarray(display.lines_[0][-1].get_ydata())
    np.testing.assert_allclose(last, model.fit(X, y).predict_proba(display.grid[:, None])[:, 1], rtol=1e-6)
    np.testing.assert_array_equal(display.points_[0].get_ydata(), y == "yes")
    assert display.ax_.get_ylabel() == "probability of yes"


def test_fit_of_several_classes_and_targets(line):
    X, y = load_iris(return_X_y=True)
    model = GDLogisticRegression(max_iter=50)
    display = _drawn(FitDisplay.from_estimator(model, X[:, [2]], y))
    last = np.column_stack([lines[-1].get_ydata() for lines in display.lines_])
    np.testing.assert_allclose(last, model.fit(X[:, [2]], y).predict_proba(display.grid[:, None]), rtol=1e-6)
    assert {text.get_text() for text in display.names_} == {"0", "1", "2"}
    X, y = line
    display = _drawn(FitDisplay.from_estimator(GDLinearRegression(), X, np.column_stack([y, -y])))
    assert {text.get_text() for text in display.names_} == {"target 0", "target 1"}


def test_fit_in_a_pipeline_that_bends_it(line):
    X, y = line
    model = make_pipeline(PolynomialFeatures(3, include_bias=False), StandardScaler(), GDLinearRegression())
    display = FitDisplay.from_estimator(model, X, y)
    last = np.asarray(display.lines_[0][-1].get_ydata())
    np.testing.assert_allclose(last, model.fit(X, y).predict(display.grid[:, None]), rtol=1e-8)


def test_fit_of_a_data_frame(line):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(line[0], columns=["size"])
    display = FitDisplay.from_estimator(
        make_pipeline(StandardScaler(), GDLinearRegression()).fit(X, line[1]), X, line[1]
    )
    assert display.ax_.get_xlabel() == "size"


def test_fit_that_diverges_shows_the_first_bounces(line):
    display = _drawn(FitDisplay.from_estimator(GDLinearRegression(learning_rate=0.9), *line))
    assert display.iterations == [0, 1, 2, 3, 4, 5]
    assert display.ax_.get_title("left").startswith("diverges")
    assert max(map(abs, display.ax_.get_ylim())) < 3 * abs(line[1]).max()


def test_fit_needs_one_feature():
    with pytest.raises(ValueError, match="X has 10"):
        FitDisplay.from_estimator(GDLinearRegression(), *_diabetes())


def test_animation_of_a_fit(line, tmp_path):
    from matplotlib.animation import PillowWriter
    from PIL import Image

    display = FitDisplay.from_estimator(GDLinearRegression(learning_rate=0.1, max_iter=20), *line, n_curves=5)
    display.animate().save(tmp_path / "fit.gif", writer=PillowWriter(fps=5), dpi=40)
    with Image.open(tmp_path / "fit.gif") as image:
        assert image.n_frames == 5


# ---------------------------------------------------------------------------------------------- what all have in common

MADE = {
    "LossCurveDisplay": lambda X, y, ax=None: LossCurveDisplay.from_estimator(GDLinearRegression().fit(X, y), ax=ax),
    "LearningRateDisplay": lambda X, y, ax=None: LearningRateDisplay.from_estimator(GDLinearRegression(), X, y, ax=ax),
    "DescentPathDisplay": lambda X, y, ax=None: DescentPathDisplay.from_estimator(GDLinearRegression(), X, y, ax=ax),
    "FitDisplay": lambda X, y, ax=None: FitDisplay.from_estimator(GDLinearRegression(), X, y, ax=ax),
}


@pytest.mark.parametrize("name", MADE)
def test_conventions(name, line):
    """What a display holds is what its constructor takes, and draws the same again."""
    display = MADE[name](*line)
    again = type(display)(**{key: value for key, value in vars(display).items() if not key.endswith("_")})
    assert not hasattr(again, "ax_")
    figure, ax = plt.subplots()
    assert again.plot(ax=ax) is again
    assert again.ax_ is ax
    assert again.figure_ is figure
    assert display.figure_ is not figure


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("size", [(3, 2.2), (6.4, 4.8), (14, 4)])
def test_names_lie_inside_and_apart(name, size, line):
    figure, ax = plt.subplots(figsize=size, layout="constrained")
    MADE[name](*line, ax=ax)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    for k, box in enumerate(boxes):
        assert figure.bbox.padded(2).contains(box.x0, box.y0)
        assert figure.bbox.padded(2).contains(box.x1, box.y1)
        assert not any(box.padded(-2).overlaps(other.padded(-2)) for other in boxes[:k])


@pytest.mark.parametrize("display", [LossCurveDisplay, LearningRateDisplay, DescentPathDisplay, FitDisplay])
def test_other_estimators_are_refused(display, line):
    from sklearn.linear_model import LinearRegression

    data = () if display is LossCurveDisplay else line
    with pytest.raises(TypeError, match="got LinearRegression"):
        display.from_estimator(LinearRegression(), *data)


@pytest.mark.parametrize("nothing", [[], {}])
def test_no_runs(nothing, line):
    with pytest.raises(ValueError, match="at least one"):
        LossCurveDisplay.from_estimator(nothing)
    with pytest.raises(ValueError, match="at least one"):
        DescentPathDisplay.from_estimator(nothing, *line)


def test_names_of_runs():
    a, b = GDLinearRegression(learning_rate=0.1), GDLinearRegression(learning_rate="adgd", momentum=None)
    assert list(named([a, b])) == ["η = 0.1, momentum=auto", "adgd, momentum=None"]
    assert list(named({"first": a})) == ["first"]
    assert list(named([a, a])) == ["run", "run (2)"]


def test_snapshots():
    assert snapshots(3, 5) == [0, 1, 2]
    chosen = snapshots(1001, 6)
    assert (chosen[0], chosen[-1], len(chosen)) == (0, 1000, 6)
    assert (np.diff(np.diff(chosen)) >= 0).all()


def test_names_give_way():
    _, ax = plt.subplots()
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    ends = [(0.9, 0.5, "one of them", "black"), (0.9, 0.5, "another", "black")]
    make_room(ax, ends)
    assert ax.get_xlim()[1] > 1
    one, other = name_curves(ax, ends)
    assert not one.get_window_extent().overlaps(other.get_window_extent())


def test_names_give_way_to_curves():
    _, ax = plt.subplots()
    ax.set(xlim=(0, 200), yscale="log", ylim=(1e3, 1e5))
    lines = [ax.plot([0, end], [first, 1e4])[0] for end, first in ((200, 1e4), (100, 2e3))]
    (name,) = name_lines(ax, lines, ["", "run"])
    box, height = name.get_window_extent(), ax.transData.transform((100, 1e4))[1]
    assert not box.y0 < height < box.y1


def test_without_matplotlib():
    """In a fresh interpreter that cannot import it: the package fits, a display says what to install."""
    program = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "matplotlib":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
import numpy as np
import sklearn_gd
X = np.arange(8.0).reshape(4, 2) ** 2
model = sklearn_gd.GDLinearRegression().fit(X, X @ [1.0, 2.0])
print(model.coef_.round(6).tolist())
for name, data in (("LossCurve", ()), ("LearningRate", (X, X[:, 0])), ("DescentPath", (X, X[:, 0])), ("Fit", (X[:, :1], X[:, 0])), ("Validation", ())):
    try:
        getattr(sklearn_gd, name + "Display").from_estimator(model, *data)
    except ImportError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    first, *errors = done.stdout.splitlines()
    assert first == "[1.0, 2.0]", done.stderr
    assert len(errors) == 5
    for error in errors:
        assert "pip install 'sklearn-gd[plot]'" in error


def test_importing_the_package_imports_no_matplotlib():
    program = "import sys, sklearn_gd; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_breast_cancer_as_in_the_example():
    X, y = load_breast_cancer(return_X_y=True)
    runs = [GDLogisticRegression(learning_rate=rate).fit(scale(X), y) for rate in ("auto", "adgd")]
    display = LossCurveDisplay.from_estimator(runs)
    assert display.ax_.get_xscale() == "symlog"  # 7 and 220 iterations, both to be seen


@pytest.mark.parametrize(
    "name",
    [
        f"{display.__name__}.{method}"
        for display in (DescentPathDisplay, FitDisplay, LearningRateDisplay, LossCurveDisplay)
        for method in ("from_estimator", "from_history", "from_result", "plot", "animate", "interactive")
        if hasattr(display, method)
    ],
)
def test_docstrings_of_the_methods(name):
    from numpydoc.validate import validate

    # the summary's form, See Also, examples (at the class) and names of what is returned are free
    free = {"GL01", "GL02", "ES01", "SA01", "EX01", "RT02"}
    assert not [error for error in validate(f"sklearn_gd.{name}")["errors"] if error[0] not in free]
