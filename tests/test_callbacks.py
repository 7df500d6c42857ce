"""scikit-learn's callbacks (1.9 and later); without them, on any version, nothing is paid for."""

import inspect
import sys

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.utils.fixes import parse_version

from sklearn_gd import (
    DivergenceError,
    DivergenceWarning,
    GDHuberRegression,
    GDLinearRegression,
    GDLogisticRegression,
    GDPoissonRegression,
    GDQuantileRegression,
)

HAVE_CALLBACKS = parse_version(sklearn.__version__) >= parse_version("1.9")
needs_callbacks = pytest.mark.skipif(not HAVE_CALLBACKS, reason="callbacks are new in scikit-learn 1.9")
ALL = [GDLinearRegression, GDLogisticRegression, GDPoissonRegression, GDQuantileRegression]


class Recorder:
    """Everything it is told, in order."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.events = []
        self.iterates = []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.events.append(f"begin {context.task_name}")
        self.X, self.y, self.metadata = X, y, metadata

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.events.append(f"end {context.task_name}")
        if context.task_name != "fit":
            self.iterates.append(fitted_estimator)
            return self.stop_after is not None and len(self.iterates) >= self.stop_after
        self.last = fitted_estimator
        return None


def _data(estimator_class):
    X, y = (load_iris if estimator_class is GDLogisticRegression else load_diabetes)(return_X_y=True)
    return X, y // 50 if estimator_class is GDPoissonRegression else y


@needs_callbacks
@pytest.mark.parametrize("estimator_class", ALL)
def test_hooks_are_called_once_around_the_fit_and_around_each_iteration(estimator_class):
    X, y = _data(estimator_class)
    recorder = Recorder()
    model = estimator_class().set_callbacks(recorder).fit(X, y)
    iteration = next(event for event in recorder.events if event not in ("setup", "begin fit")).split()[1]
    assert recorder.events == [
        "setup",
        "begin fit",
        *[f"begin {iteration}", f"end {iteration}"] * model.n_iter_,
        "end fit",
        "teardown",
    ]
    # The user's own containers, not copies.
    assert recorder.X is X
    assert recorder.y is y


@needs_callbacks
@pytest.mark.parametrize("estimator_class", ALL)
@pytest.mark.parametrize("learning_rate", ["auto", "lipschitz", 0.1])
@pytest.mark.filterwarnings("ignore:.*max_iter:sklearn.exceptions.ConvergenceWarning")  # stopped early on purpose
def test_each_iterate_is_the_fit_that_ends_there(estimator_class, learning_rate):
    X, y = _data(estimator_class)
    recorder = Recorder()
    model = estimator_class(learning_rate=learning_rate, max_iter=3, tol=0).set_callbacks(recorder).fit(X, y)
    assert len(recorder.iterates) == model.n_iter_ >= 2
    for k, shown in enumerate(recorder.iterates, start=1):
        ended = estimator_class(learning_rate=learning_rate, max_iter=k, tol=0).fit(X, y)
        np.testing.assert_allclose(shown.coef_, ended.coef_, rtol=1e-12)
        np.testing.assert_allclose(shown.intercept_, ended.intercept_, rtol=1e-12)
        assert shown.n_iter_ == k
        np.testing.assert_allclose(shown.predict(X), ended.predict(X))
        if estimator_class is GDLogisticRegression:
            np.testing.assert_allclose(shown.predict_proba(X), ended.predict_proba(X))


@needs_callbacks
@pytest.mark.parametrize("estimator_class", ALL)
@pytest.mark.parametrize("stop_after", [1, 2])
def test_a_callback_may_end_the_run(estimator_class, stop_after):
    X, y = _data(estimator_class)
    recorder = Recorder(stop_after)
    # No warning: it was asked for.
    model = estimator_class(learning_rate="lipschitz", tol=1e-12).set_callbacks(recorder).fit(X, y)
    assert model.n_iter_ == stop_after
    assert model.stop_reason_ == "callback"
    np.testing.assert_array_equal(model.coef_, recorder.iterates[-1].coef_)
    assert recorder.events[-2:] == ["end fit", "teardown"]


@needs_callbacks
def test_early_stopping_on_held_out_data():
    """What such a callback is for: to end where other data say that it is enough."""
    X, y = load_diabetes(return_X_y=True)
    X_held, y_held = X[300:], y[300:]

    class EarlyStopping:
        best, since = -np.inf, 0

        def setup(self, estimator, context):
            pass

        teardown = on_fit_task_begin = setup

        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            if context.task_name == "fit":
                return None
            score = fitted_estimator.score(X_held, y_held)
            self.since = 0 if score > self.best + 1e-4 else self.since + 1
            self.best = max(score, self.best)
            return self.since >= 5

    model = GDLinearRegression(learning_rate=0.5, max_iter=100_000).set_callbacks(EarlyStopping())
    model.fit(X[:300], y[:300])
    assert model.stop_reason_ == "callback"
    assert model.n_iter_ < 100_000
    assert model.score(X_held, y_held) > 0.4


@needs_callbacks
def test_sample_weights_are_shown():
    X, y = load_diabetes(return_X_y=True)
    recorder, weights = Recorder(), np.ones(len(y))
    GDLinearRegression().set_callbacks(recorder).fit(X, y, sample_weight=weights)
    assert recorder.metadata["sample_weight"] is weights


@needs_callbacks
def test_teardown_follows_a_fit_that_raises():
    X, y = load_diabetes(return_X_y=True)
    recorder = Recorder()
    model = GDLinearRegression(learning_rate=1e6, on_divergence="raise").set_callbacks(recorder)
    with pytest.raises(DivergenceError):
        model.fit(X, y)
    assert recorder.events[-1] == "teardown"
    assert not hasattr(model, "coef_")


@needs_callbacks
@pytest.mark.parametrize("estimator_class", ALL)
def test_scoring_monitor(estimator_class):
    from sklearn.callback import ScoringMonitor

    X, y = _data(estimator_class)
    monitor = ScoringMonitor(scoring="accuracy" if estimator_class is GDLogisticRegression else "r2")
    model = estimator_class().set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs().data
    name = "accuracy" if estimator_class is GDLogisticRegression else "r2"
    scores = [row[name] for row in log if row["task_name"] != "fit"]
    assert len(scores) == model.n_iter_
    final = pytest.approx(get_scorer(name)(model, X, y), abs=1e-9)
    assert scores[-1] == final
    # The whole fit has a score of its own, the final one.
    assert [row[name] for row in log if row["task_name"] == "fit"] == [final]


@needs_callbacks
def test_scoring_monitor_with_a_data_frame_has_its_names():
    pandas = pytest.importorskip("pandas")
    from sklearn.callback import ScoringMonitor

    X, y = load_diabetes(return_X_y=True, as_frame=True)
    assert isinstance(X, pandas.DataFrame)
    # "X does not have valid feature names" would be an error here.
    GDLinearRegression().set_callbacks(ScoringMonitor(scoring="r2")).fit(X, y)


@needs_callbacks
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_scoring_monitor_inside_a_search(n_jobs):
    from sklearn.callback import ScoringMonitor

    X, y = load_diabetes(return_X_y=True)
    monitor = ScoringMonitor(scoring="r2")
    search = GridSearchCV(GDLinearRegression().set_callbacks(monitor), {"alpha": [0, 0.1]}, cv=2, n_jobs=n_jobs)
    search.fit(X, y)
    log = monitor.get_logs().data
    # Two candidates on two folds, and the refit.
    assert len([row for row in log if row["task_name"] == "fit"]) == 5


@needs_callbacks
def test_progress_bar(capsys, monkeypatch):
    pytest.importorskip("rich")  # what ProgressBar draws with
    from sklearn.callback import ProgressBar

    monkeypatch.setenv("COLUMNS", "200")  # wide enough for every name
    X, y = load_iris(return_X_y=True)
    GDLogisticRegression().set_callbacks(ProgressBar()).fit(X, y)
    assert "GDLogisticRegression" in capsys.readouterr().out
    # Set on the outermost estimator, it shows one level below that, too.
    search = GridSearchCV(GDLogisticRegression(), {"C": [0.1, 1]}, cv=2).set_callbacks(ProgressBar())
    search.fit(X, y)
    printed = capsys.readouterr().out
    assert "GridSearchCV" in printed
    assert "GDLogisticRegression" in printed


@needs_callbacks
def test_callbacks_change_nothing():
    X, y = load_iris(return_X_y=True)
    plain = GDLogisticRegression().fit(X, y)
    watched = GDLogisticRegression().set_callbacks(Recorder()).fit(X, y)
    np.testing.assert_array_equal(plain.coef_, watched.coef_)
    assert plain.loss_curve_ == watched.loss_curve_
    assert {name for name in vars(watched) if name.endswith("_")} == {
        name for name in vars(plain) if name.endswith("_")
    }


@pytest.mark.parametrize("told", [False, pytest.param(True, marks=needs_callbacks)])
@pytest.mark.parametrize(
    ("estimator", "category"),
    [
        (GDLinearRegression(learning_rate=1e-3, max_iter=2), ConvergenceWarning),
        (GDLinearRegression(learning_rate=1e3), DivergenceWarning),
        (GDPoissonRegression(max_iter=1, tol=1e-12), ConvergenceWarning),
        (GDHuberRegression(max_iter=1, tol=1e-12), ConvergenceWarning),
    ],
)
def test_a_warning_points_at_the_call_of_fit(estimator, category, told):
    X, y = load_diabetes(return_X_y=True)
    estimator = clone(estimator)
    if told:
        estimator.set_callbacks(Recorder())
    with pytest.warns(category) as caught:
        estimator.fit(X, y)
    line = inspect.currentframe().f_lineno - 1
    assert [(warning.filename, warning.lineno) for warning in caught] == [(__file__, line)]


@needs_callbacks
@pytest.mark.parametrize("estimator_class", ALL)
def test_nothing_is_paid_where_none_is_set(estimator_class, monkeypatch):
    from sklearn.callback import CallbackContext

    X, y = _data(estimator_class)

    def no_context(*args, **kwargs):
        raise AssertionError("a context was made for an iteration that nobody watches")

    monkeypatch.setattr(CallbackContext, "subcontext", no_context)
    estimator_class().fit(X, y)


def test_the_package_works_where_scikit_learn_has_no_callbacks(tmp_path):
    """In a fresh interpreter in which `sklearn.callback` cannot be imported."""
    import subprocess

    program = """
import sys
sys.modules["sklearn.callback"] = None
import numpy as np
from sklearn_gd import GDLinearRegression
X = np.arange(8.0).reshape(4, 2) ** 2
print(GDLinearRegression().fit(X, X @ [1.0, 2.0]).coef_.round(6).tolist())
"""
    if HAVE_CALLBACKS:
        # scikit-learn 1.9 itself imports the module: it can be hidden only from what comes later.
        program = "import sklearn.linear_model, sklearn.pipeline, sklearn.utils\n" + program
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[1.0, 2.0]", done.stderr


@needs_callbacks
@pytest.mark.parametrize("classes", [2, 3])
def test_callbacks_see_the_users_coefficients_where_rows_are_fewer_than_columns(classes):
    """ "auto" works in the space that the rows span; what it tells of an iteration is in the columns."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 80)), np.arange(30) % classes
    recorder = Recorder()
    model = GDLogisticRegression().set_callbacks(recorder).fit(X, y)
    assert {fitted.coef_.shape for fitted in recorder.iterates} == {model.coef_.shape}
    np.testing.assert_allclose(recorder.iterates[-1].coef_, model.coef_, atol=1e-12)
