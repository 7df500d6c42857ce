"""Learning rates of logistic regression in GDSearchCV: side by side on each training part, and the same as fits one by one."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.model_selection import GridSearchCV, KFold, PredefinedSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklearn_gd import DivergenceError, DivergenceWarning, GDLogisticRegression, GDSearchCV, compiled
from sklearn_gd.momentum import HeavyBall
from sklearn_gd.steps import Cosine, InverseTime


def data(n=120, p=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * np.linspace(0.5, 2, p) + np.linspace(-1, 1, p)
    return X, X @ rng.normal(size=p) + 3 * rng.logistic(size=n) > 0


def searched(search, estimator, grid, X, y, fit=None, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", DivergenceWarning)
        warnings.filterwarnings("ignore", "The scoring", UserWarning)  # weights are for the fits alone
        return search(estimator, grid, **params).fit(X, y, **(fit or {}))


def both(*args, **params):
    return [searched(search, *args, **params) for search in (GDSearchCV, GridSearchCV)]


def assert_same(ours, theirs, rtol=1e-10):
    """All of cv_results_ but the times."""
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    for key, expected in theirs.cv_results_.items():
        if key == "params":
            assert ours.cv_results_[key] == expected
        elif "score" in key and "time" not in key:
            np.testing.assert_allclose(ours.cv_results_[key], expected, rtol=rtol, atol=rtol)


class Ends:
    """A scorer that remembers where the estimators that it is given ended."""

    def __init__(self):
        self.coefs, self.ends = [], []

    def __call__(self, estimator, X, y):
        model = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        self.coefs.append(np.append(model.coef_, model.intercept_))
        self.ends.append((model.n_iter_, model.stop_reason_, model.coef_.dtype, model.classes_.tolist()))
        return estimator.score(X, y)


def ends(search, estimator, grid, X, y, fit=None):
    """Coefficients and ends of all fits, in scikit-learn's order."""
    scorer = Ends()
    fitted = searched(search, estimator, grid, X, y, fit, scoring=scorer, refit=False, cv=KFold(3))
    order = np.arange(len(scorer.ends))
    if search is GDSearchCV:
        order = order.reshape(3, -1).T.ravel()
    return np.array(scorer.coefs)[order], [scorer.ends[i] for i in order], fitted


def assert_same_ends(estimator, grid, X, y, fit=None, rtol=1e-10):
    found, ours, search = ends(GDSearchCV, estimator, grid, X, y, fit)
    expected, theirs, _ = ends(GridSearchCV, estimator, grid, X, y, fit)
    assert all(search.shared_.shared), str(search.shared_)
    size = np.linalg.norm(expected, axis=1)
    assert (np.linalg.norm(found - expected, axis=1) <= rtol * size + 1e-15).all()
    for mine, other in zip(ours, theirs, strict=True):
        # where rounding errors are all that is left, the iteration is one of chance
        assert mine == other or (mine[1] == other[1] == "precision" and mine[2:] == other[2:])
    return ours


def test_rates_and_iterations():
    """What a user types: the same results as scikit-learn's search, the fits of which are one: that of the best."""
    X, y = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), GDLogisticRegression(tol=0))
    grid = {
        "gdlogisticregression__learning_rate": np.geomspace(1e-2, 3, 6),
        "gdlogisticregression__max_iter": [1, 10, 100],
    }
    scoring = ["neg_log_loss", "accuracy"]
    ours, theirs = both(model, grid, X, y, scoring=scoring, refit="neg_log_loss", return_train_score=True)
    assert str(ours.shared_) == "candidates 0 to 17: shared"
    assert_same(ours, theirs)
    assert ours.best_params_ == theirs.best_params_
    mine, other = ours.best_estimator_[-1], theirs.best_estimator_[-1]
    assert (mine.coef_ == other.coef_).all()
    assert mine.history_ == other.history_
    assert (ours.predict(X) == theirs.predict(X)).all()


GRIDS = {
    "constant": {"learning_rate": [1e-4, 0.01, 0.3, 1.0, 3.0], "max_iter": [400]},
    "iterations": {"learning_rate": [0.01, 0.3], "max_iter": [0, 1, 7, 8, 9, 100]},
    "tolerances": {"learning_rate": [0.1, 0.5], "tol": [0.0, 1e-6, 1e-3, 1e-1, 2.0], "max_iter": [250]},
    "penalties": {"learning_rate": [0.05, 0.5], "C": [1e-2, 1.0, np.inf], "max_iter": [50]},
    "divergence": {"learning_rate": [0.1, 30.0, 300.0, 1e200], "C": [1e-3, 1e-2], "max_iter": [25, 70]},
    "no intercept": {"learning_rate": [0.01, 0.3], "fit_intercept": [False], "max_iter": [50]},
    "heavy ball": {"learning_rate": [0.01, 0.3, 2.0], "momentum": [0.0, 0.5, HeavyBall(0.9)], "max_iter": [80]},
    "nesterov": {"learning_rate": [0.01, 0.3, 2.0], "momentum": ["nesterov", None, 0.5], "max_iter": [150]},
    "schedules": {"learning_rate": [InverseTime(0.5), Cosine(0.5), "step", lambda k: 0.5 / (1 + k)], "max_iter": [70]},
    "start": {"learning_rate": [0.02, 0.2], "init": [np.arange(6.0), (np.ones(6), 2.0)], "max_iter": [50]},
    "classes": {"learning_rate": [0.02, 0.2], "class_weight": [None, "balanced", {False: 3.0}], "max_iter": [50]},
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("scaled", [False, True], ids=["bare", "scaled"])
def test_iterates(grid, scaled):
    """Iterates within 1e-10 of those of the fits, and ends in the same iteration for the same reason."""
    X, y = data()
    estimator = GDLogisticRegression()
    if scaled:
        estimator = Pipeline([("scaler", StandardScaler()), ("model", estimator)])
        grid = {f"model__{name}": values for name, values in grid.items()}
    assert_same_ends(estimator, grid, X, y)


def test_all_reasons():
    """Each way to end is met, and the best iterate of a descent that diverged is its result."""
    X, y = data()
    grid = {"learning_rate": [0.5, 300.0], "C": [1e-2], "max_iter": [50, 3000], "tol": [1e-3, 0.0]}
    found = assert_same_ends(GDLogisticRegression(), grid, X, y)
    assert {reason for _, reason, *_ in found} == {"gradient", "precision", "max_iter", "diverged"}


STORES = {
    "F": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "integers": lambda X: np.round(3 * X).astype(int),
    "csr": sp.csr_matrix,
    "csc": sp.csc_array,
    "far": lambda X: X + 1e6,
}


@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_storage_and_weights(store, weighted):
    X, y = data()
    weight = np.random.default_rng(1).uniform(0, 2, len(y))
    weight[::5] = 0
    grid = {"learning_rate": [0.01, 0.1], "momentum": [None, 0.5], "max_iter": [3, 60], "tol": [1e-4]}
    X = store(X)
    if store is STORES["far"]:
        grid["learning_rate"] = [1e-14, 1e-13]
    fit = {"sample_weight": weight} if weighted else None
    assert_same_ends(GDLogisticRegression(), grid, X, y, fit, 1e-6 if X.dtype == np.float32 else 1e-10)


@pytest.mark.parametrize("kernels", [True, False], ids=["compiled", "NumPy"])
@pytest.mark.parametrize("several", [False, True], ids=["two", "three"])
def test_classes(kernels, several, monkeypatch):
    if not kernels:
        monkeypatch.setattr(compiled, "kernels", None)
    X, y = load_iris(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))
    X, y = X[rows], np.array(["setosa", "other", "virginica"])[y[rows] if several else (y[rows] > 1).astype(int)]
    grid = {
        "learning_rate": [0.02, 0.1],
        "momentum": [None, "nesterov"],
        "C": [0.1, 10.0],
        "max_iter": [40],
        "tol": [1e-2],
    }
    found = assert_same_ends(GDLogisticRegression(), grid, X, y)
    assert len(found[0][-1]) == 2 + several


def test_training_parts_of_one_class():
    """Such a fit fails, as scikit-learn's search has it fail."""
    X, _ = data()
    y = np.arange(120) < 60
    grid = {"learning_rate": [0.1, 0.2], "max_iter": [5]}
    with pytest.raises(ValueError, match="All the 4 fits failed"):
        GDSearchCV(GDLogisticRegression(), grid, cv=KFold(2)).fit(X, y)
    y = np.arange(120) < 40
    with pytest.warns(FitFailedWarning, match="2 fits failed"), pytest.warns(UserWarning, match="non-finite"):
        ours = searched(GDSearchCV, GDLogisticRegression(), grid, X, y, cv=PredefinedSplit(np.repeat([0, 1, 0], 40)))
    assert not any(ours.shared_.shared)
    assert "only one class" in str(ours.shared_)


ALONE = {
    "rule": ({"learning_rate": ["backtracking", "exact"]}, "logistic regression shares fits along a path over C, and"),
    "metric": ({"learning_rate": [0.1, 0.2], "preconditioner": ["diagonal"]}, "preconditioner='diagonal'"),
    "batches": ({"learning_rate": [0.1, 0.2], "batch_size": [20], "random_state": [0]}, "batch_size=20"),
    "random start": ({"learning_rate": [0.1, 0.2], "init": ["random"], "random_state": [0]}, "init='random'"),
    "one": ({"learning_rate": [0.1], "fit_intercept": [True, False]}, "no other candidate descends on the same data"),
    "error": ({"learning_rate": [lambda k: [0.1][k], lambda k: 0.1]}, "its fit failed: list index out of range"),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the test scores")
@pytest.mark.parametrize(("grid", "reason"), ALONE.values(), ids=ALONE)
def test_candidates_on_their_own(grid, reason):
    """They are fitted as scikit-learn does, and put among the others in their place."""
    X, y = data()
    grids = [{"learning_rate": [0.1, 0.3]}, grid, {"C": [0.1, 1.0]}]
    ours, theirs = both(GDLogisticRegression(tol=1e-2, max_iter=50), grids, X, y)
    # where all that are fitted fail, one more is
    assert ours.shared_.shared[:3] == ("failed" not in reason, True, False)
    assert reason in ours.shared_.reasons[2]
    assert ours.shared_.shared[-2:] == (True, True)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"][:4], theirs.cv_results_["mean_test_score"][:4], rtol=1e-10
    )


def test_few_descents_on_few_rows_are_as_fast_one_by_one():
    X, y = data(80, 600)
    for count in (3, 4):
        grid = {"learning_rate": list(np.geomspace(1e-3, 1e-2, count)), "max_iter": [3]}
        ours, theirs = both(GDLogisticRegression(), grid, X, y, cv=2)
        assert ours.shared_.shared == (count == 4,) * count
        assert_same(ours, theirs)
    assert "3 descents" in str(
        searched(GDSearchCV, GDLogisticRegression(), {**grid, "learning_rate": [1, 2, 3]}, X, y).shared_
    )


def test_several_classes_of_large_data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60000, 2))
    y = rng.integers(3, size=60000) + (X[:, 0] > 0)
    grid = {"learning_rate": [0.1, 0.2], "max_iter": [3]}
    ours, theirs = both(GDLogisticRegression(), grid, X, y, cv=2)
    assert "several classes" in str(ours.shared_)
    assert_same(ours, theirs)


def test_large_data_are_read_once_an_iteration():
    X, y = data(40000, 5)
    for store in (np.asarray, sp.csr_matrix, lambda X: X.astype(np.float32)):
        assert_same_ends(
            GDLogisticRegression(), {"learning_rate": [0.1, 0.5], "max_iter": [4, 20]}, store(X), y, None, 1e-6
        )


def test_steps_in_front_are_fitted_once(monkeypatch):
    X, y = data()
    fits = []
    fit_transform = PolynomialFeatures.fit_transform
    monkeypatch.setattr(
        PolynomialFeatures, "fit_transform", lambda *args, **kwargs: fits.append(1) or fit_transform(*args, **kwargs)
    )
    model = make_pipeline(PolynomialFeatures(2), StandardScaler(), GDLogisticRegression(max_iter=20))
    grid = {
        "polynomialfeatures__degree": [1, 2],
        "gdlogisticregression__learning_rate": [0.1, 0.2, 0.3],
        "gdlogisticregression__C": [0.1, 1.0],
    }
    ours, theirs = both(model, grid, X, y, refit=False, cv=3)
    assert all(ours.shared_.shared)
    assert_same(ours, theirs)
    assert len(fits) == 2 * 3 + 12 * 3


def test_names_of_steps_are_none_of_parameters():
    X, y = data()
    model = Pipeline([("C", PolynomialFeatures(2)), ("tol", StandardScaler()), ("model", GDLogisticRegression())])
    grid = {
        "C__degree": [1, 2],
        "tol__with_mean": [True, False],
        "model__learning_rate": [0.1, 0.2],
        "model__max_iter": [20],
    }
    ours, theirs = both(model, grid, X, y, cv=2)
    assert all(ours.shared_.shared)
    assert_same(ours, theirs)


def test_ends_are_told():
    X, y = data()
    grid = {"learning_rate": [0.1, 300.0], "C": [1e-2], "max_iter": [50]}
    with pytest.warns(ConvergenceWarning) as caught:
        GDSearchCV(GDLogisticRegression(), grid, refit=False, cv=2).fit(X, y)
    assert ["2 of 4" in str(each.message) for each in caught] == [True, True]
    assert caught[1].category is DivergenceWarning


def test_names_of_columns():
    pandas = pytest.importorskip("pandas")
    X, y = data()
    frame = pandas.DataFrame(X, columns=list("abcdef"))

    def scoring(estimator, X, y):
        assert list(estimator.feature_names_in_) == list("abcdef")
        return estimator.score(X, y)

    ours, theirs = both(GDLogisticRegression(), {"learning_rate": [0.1, 0.2]}, frame, y, scoring=scoring)
    assert all(ours.shared_.shared)
    assert_same(ours, theirs)


@pytest.mark.filterwarnings("ignore:One or more of the test scores")
@pytest.mark.parametrize("error_score", [np.nan, -7.0, "raise"])
def test_divergence_that_is_an_error(error_score):
    X, y = data()
    grid = {"learning_rate": [0.1, 300.0], "C": [1e-2], "max_iter": [50], "on_divergence": ["raise"]}
    if error_score == "raise":
        for search in (GDSearchCV, GridSearchCV):
            with pytest.raises(DivergenceError, match="diverged"):
                searched(search, GDLogisticRegression(), grid, X, y, error_score=error_score)
        return
    with pytest.warns(FitFailedWarning, match="5 fits failed out of a total of 10"):
        ours, theirs = both(GDLogisticRegression(), grid, X, y, error_score=error_score)
    assert all(ours.shared_.shared)
    assert_same(ours, theirs)
    assert ours.best_params_ == theirs.best_params_
