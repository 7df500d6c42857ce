"""`ValidationDisplay`, by what is drawn in it: values, marks, limits and names."""

import warnings

import matplotlib
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning, NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from sklearn_gd import (
    GDLinearRegression,
    GDLinearRegressionCV,
    GDLogisticRegressionCV,
    GDSearchCV,
    ValidationDisplay,
)

matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

RATE, ITERATIONS = "gdlinearregression__learning_rate", "gdlinearregression__max_iter"


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def data():
    return load_diabetes(return_X_y=True)


def quiet(search, X, y):
    """Fit, whatever ends early or fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", FitFailedWarning)
        warnings.filterwarnings("ignore", "One or more of the test scores are non-finite", UserWarning)
        return search.fit(X, y)


def of_rates(data, rates=(0.01, 0.1, 1.0), iterations=(10, 100, 1000), **more):
    model = make_pipeline(StandardScaler(), GDLinearRegression(tol=0, on_divergence="raise"))
    return quiet(GDSearchCV(model, {RATE: list(rates), ITERATIONS: list(iterations)}, **more), *data)


@pytest.fixture(scope="module")
def over_rates(data):
    """Three rates, of which the last diverges, and three numbers of iterations."""
    return of_rates(data)


@pytest.fixture(scope="module")
def over_alpha(data):
    grid = {"alpha": np.logspace(-6, -1, 6)}
    scoring = ["r2", "neg_root_mean_squared_error"]
    return GDSearchCV(GDLinearRegression(), grid, scoring=scoring, refit="r2", return_train_score=True).fit(*data)


# ------------------------------------------------------------------------------------------------------ one parameter


def test_one_parameter_is_a_curve_with_its_band(over_alpha):
    display = ValidationDisplay.from_estimator(over_alpha)
    display.figure_.canvas.draw()
    results, ax = over_alpha.cv_results_, display.ax_
    np.testing.assert_array_equal(display.x, np.logspace(-6, -1, 6))
    for line, band, part in zip(display.lines_, display.bands_, ("test", "train"), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), results[f"mean_{part}_r2"])
        top = results[f"mean_{part}_r2"] + results[f"std_{part}_r2"]
        assert band.get_paths()[0].vertices[:, 1].max() == pytest.approx(top.max())
    assert {text.get_text() for text in ax.texts} == {"validation", "training"}
    assert (ax.get_xscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "alpha", "R²")
    assert display.best == (over_alpha.best_params_["alpha"],)
    assert display.best_.get_ydata()[0] == over_alpha.best_score_
    assert display.mesh_ is display.colorbar_ is display.failed_ is None


def test_an_error_is_shown_without_its_sign(over_alpha):
    display = ValidationDisplay.from_estimator(over_alpha, metric="neg_root_mean_squared_error", x="alpha")
    mean = over_alpha.cv_results_["mean_test_neg_root_mean_squared_error"]
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), -mean)
    assert display.ax_.get_ylabel() == "root mean squared error"
    # not what the search chose, which went by R²
    assert display.best_.get_ydata()[0] == -mean.max()


@pytest.mark.parametrize(
    ("values", "axis"),
    [
        (np.logspace(-6, 2, 9), "log"),
        ([0.1, 1.0], "log"),
        ([1, 3, 10, 30, 100], "log"),
        ([0.0, 1e-3, 1e-2, 1e-1], "symlog"),
        ([1, 2, 3, 4, 5], "linear"),
        (range(1, 21), "linear"),
        ([1.0, 2.0], "linear"),
        ([0.0], "linear"),
        ([-1.0, 10.0, 100.0], "linear"),
    ],
)
def test_the_axis_is_spaced_as_the_values(values, axis):
    x = np.array(values, dtype=float)
    display = ValidationDisplay(x=x, mean_test=np.linspace(0, 1, len(x)), labels=["alpha"], metric="r2").plot()
    display.figure_.canvas.draw()
    assert display.ax_.get_xscale() == axis


def test_scores_that_are_no_scores_are_marked_and_do_not_wreck_the_axis():
    mean = np.array([0.4, 0.5, -1e9, np.nan, -np.inf])
    display = ValidationDisplay(
        x=np.arange(5.0), mean_test=mean, std_test=abs(mean) / 10, labels=["a"], metric="r2", best=(1.0,)
    )
    low, high = display.plot().ax_.get_ylim()
    assert 0.2 < low < high < 0.8
    np.testing.assert_array_equal(display.failed_.get_xdata(), [2, 3, 4])
    assert display.ax_.texts[0].get_text() == "failed, or below -14.5"
    errors = ValidationDisplay(
        x=np.arange(3.0), mean_test=np.array([-4.0, -5.0, -1e9]), labels=["a"], metric="neg_error"
    ).plot()
    assert errors.ax_.get_ylim()[1] < 6
    assert errors.ax_.texts[0].get_text() == "failed, or above 124"
    nothing = ValidationDisplay(x=np.arange(3.0), mean_test=np.full(3, np.nan), labels=["a"], metric="r2").plot()
    assert len(nothing.failed_.get_xdata()) == 3
    assert nothing.best_ is None


def test_other_parameters_stay_at_the_best(data):
    grid = {"alpha": [1e-4, 1e-2, 1.0], "fit_intercept": [False, True]}
    search = GridSearchCV(Ridge(), grid).fit(*data)
    display = ValidationDisplay.from_estimator(search)
    assert display.labels == ["alpha"]
    with_intercept = search.cv_results_["param_fit_intercept"] == True  # noqa: E712 (an array of objects)
    assert search.best_params_["fit_intercept"]
    np.testing.assert_array_equal(display.mean_test, search.cv_results_["mean_test_score"][with_intercept])


def test_a_slice_of_two_parameters(over_rates):
    display = ValidationDisplay.from_estimator(over_rates, x="max_iter")
    best = over_rates.best_params_[RATE]
    at_best = [each[RATE] == best for each in over_rates.cv_results_["params"]]
    np.testing.assert_array_equal(display.mean_test, over_rates.cv_results_["mean_test_score"][at_best])
    assert display.labels == ["max_iter"]


# ----------------------------------------------------------------------------------------------------- two parameters


def test_rates_and_iterations_are_a_map(over_rates):
    L = np.linalg.eigvalsh(np.cov(scale(load_diabetes().data).T, bias=True))[-1]
    display = ValidationDisplay.from_estimator(over_rates, marks={"2/L": 2 / L})
    display.figure_.canvas.draw()
    ax, scores = display.ax_, over_rates.cv_results_["mean_test_score"].reshape(3, 3).T
    assert display.labels == ["learning_rate", "max_iter"]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    np.testing.assert_array_equal(display.mean_test, scores)
    # cells about their values, all of one size
    np.testing.assert_allclose(ax.get_xlim(), [10**-2.5, 10**0.5])
    np.testing.assert_allclose(ax.get_ylim(), [10**0.5, 10**3.5])
    assert display.best == (over_rates.best_params_[RATE], over_rates.best_params_[ITERATIONS])
    assert ax.get_title(loc="left") == f"best: η = {display.best[0]:g}, max_iter = {display.best[1]:,.0f}"
    assert display.colorbar_.ax.get_ylabel() == "validation score"
    # the rate beyond 2/L fails, as soon as it has risen long enough
    (line,) = display.marks_
    assert 0.1 < line.get_xdata()[0] < 1
    drawn = display.mesh_.get_array()
    assert np.isnan(scores[1:, 2]).all()
    assert drawn.mask[1:, 2].all()
    assert not drawn.mask[:, :2].any()
    assert drawn.min() == display.mesh_.norm.vmin
    assert drawn.max() == display.mesh_.norm.vmax == over_rates.best_score_


def test_colours_are_of_the_scores_that_are_some():
    rng = np.random.default_rng(0)
    mean = np.ma.MaskedArray(rng.uniform(0, 0.5, size=(4, 5)))
    mean[0, 0], mean[1, 1], mean[2, 2] = -1e200, np.nan, np.ma.masked
    display = ValidationDisplay(
        x=np.arange(5.0), y=np.arange(4.0), mean_test=mean, labels=["a", "b"], metric="r2", best=(3.0, 3.0)
    ).plot()
    display.figure_.canvas.draw()
    assert display.mesh_.norm.vmin >= 0
    failed = np.argwhere(~np.ma.getmaskarray(display.failed_.get_array()))
    np.testing.assert_array_equal(failed, [[0, 0], [1, 1]])  # where there was no candidate nothing failed
    # evenly along the scale, and the same upside down for errors
    norm = display.mesh_.norm
    assert (np.diff(norm(np.sort(display.mesh_.get_array().compressed()))) > 0).all()
    errors = ValidationDisplay(
        x=display.x, y=display.y, mean_test=mean - 1, labels=["a", "b"], metric="neg_error"
    ).plot()
    assert errors.mesh_.cmap.name == "viridis_r"
    assert errors.mesh_.norm.vmin == pytest.approx(1 - np.nanmax(mean.compressed()))


@pytest.mark.parametrize("score", [0.5, 0.0, np.nan])
def test_a_map_of_one_score(score):
    mean = np.full((2, 1), score)
    display = ValidationDisplay(x=np.ones(1), y=np.arange(2.0), mean_test=mean, labels=["a", "b"], metric="r2").plot()
    display.figure_.canvas.draw()
    assert (display.mesh_ is None) == np.isnan(score)


def test_ticks_of_the_scale_lie_apart(over_rates):
    display = ValidationDisplay.from_estimator(over_rates)
    display.figure_.canvas.draw()
    boxes = [label.get_window_extent() for label in display.colorbar_.ax.get_yticklabels() if label.get_text()]
    assert len(boxes) > 2
    assert not any(box.overlaps(other) for k, box in enumerate(boxes) for other in boxes[:k])


# ----------------------------------------------------------------------------------------- searches that are no grids


def test_the_estimators_that_choose_their_penalty(data):
    X, y = load_breast_cancer(return_X_y=True)
    model = GDLogisticRegressionCV(cv=3, Cs=[100.0, 1.0, 0.01], scoring="neg_log_loss").fit(scale(X), y)
    display = ValidationDisplay.from_estimator(model)
    np.testing.assert_array_equal(display.x, [0.01, 1.0, 100.0])
    np.testing.assert_allclose(display.lines_[0].get_ydata(), -model.scores_.mean(axis=0)[::-1])
    assert display.best == (model.C_,)
    assert display.ax_.get_ylabel() == "validation log loss"
    model = GDLinearRegressionCV(store_cv_results=True).fit(*data)
    display = ValidationDisplay.from_estimator(model)
    assert display.best == (model.alpha_,)
    assert display.best_.get_ydata()[0] == pytest.approx(-model.best_score_)
    assert not display.bands_  # one row a fold has no spread of its own
    model = GDLogisticRegressionCV(cv=3, Cs=2).fit(scale(X), y)
    assert ValidationDisplay.from_estimator(model).ax_.get_ylabel() == "validation accuracy"


def test_candidates_of_several_grids(data):
    grids = [{"alpha": [1e-3, 1e-2]}, {"alpha": [1e-1], "tol": [1e-3]}, {"fit_intercept": [False]}]
    search = GridSearchCV(GDLinearRegression(), grids).fit(*data)
    display = ValidationDisplay.from_estimator(search, x="alpha")
    np.testing.assert_array_equal(display.x, [1e-3, 1e-2, 1e-1])


# ------------------------------------------------------------------------------------------------------------ refused


def test_what_cannot_be_drawn_is_refused(data, over_alpha, over_rates):
    X, y = data
    draw = ValidationDisplay.from_estimator
    with pytest.raises(NotFittedError):
        draw(GridSearchCV(Ridge(), {"alpha": [1.0]}))
    with pytest.raises(TypeError, match=r"draws searches with cv_results_.*got Ridge"):
        draw(Ridge().fit(X, y))
    with pytest.raises(ValueError, match=r"one of \['r2', 'neg_root_mean_squared_error'\], got 'accuracy'"):
        draw(over_alpha, metric="accuracy")
    with pytest.raises(ValueError, match="got 'beta'"):
        draw(over_alpha, x="beta")
    with pytest.raises(ValueError, match="got 'max_iter'"):
        draw(over_rates, x="max_iter", y="max_iter")
    with pytest.raises(ValueError, match="store_cv_results=True"):
        draw(GDLinearRegressionCV().fit(X, y))
    with pytest.raises(ValueError, match="leave x=None"):
        draw(GDLinearRegressionCV(store_cv_results=True).fit(X, y), x="alpha")
    splits = list(KFold(2).split(X))
    search = GridSearchCV(GDLinearRegression(), {"fit_intercept": [True, False]}, cv=splits).fit(X, y)
    with pytest.raises(ValueError, match="varied none: name the axes"):
        draw(search)
    with pytest.raises(ValueError, match="values are numbers"):
        draw(search, x="fit_intercept")
    search = GDSearchCV(Ridge(), {"alpha": [1.0, 2.0], "tol": [1e-3, 1e-4], "max_iter": [10, 20]}, cv=splits).fit(X, y)
    with pytest.raises(ValueError, match=r"varied \['alpha', 'max_iter', 'tol'\]"):
        draw(search)
    assert draw(search, x="tol", y="alpha").labels == ["tol", "alpha"]


# -------------------------------------------------------------------------------------------------------- conventions


@pytest.mark.parametrize("which", ["over_alpha", "over_rates"])
def test_what_it_holds_draws_the_same_again(which, request):
    display = ValidationDisplay.from_estimator(request.getfixturevalue(which))
    again = ValidationDisplay(**{key: value for key, value in vars(display).items() if not key.endswith("_")})
    figure, ax = plt.subplots()
    assert again.plot(ax=ax) is again
    assert again.ax_ is ax
    assert again.figure_ is figure
    assert display.figure_ is not figure


@pytest.mark.parametrize("method", ["from_estimator", "plot"])
def test_docstrings_of_the_methods(method):
    from numpydoc.validate import validate

    free = {"GL01", "GL02", "ES01", "SA01", "EX01", "RT02"}  # as in test_plots.py
    found = validate(f"sklearn_gd.ValidationDisplay.{method}")["errors"]
    assert not [error for error in found if error[0] not in free]
