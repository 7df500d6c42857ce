"""GDSearchCV against GridSearchCV: the same results, whatever is shared, and what is said of it.

Two references: `GridSearchCV` over the same estimator, and over scikit-learn's `Ridge`, whose penalty is that of the sum.
"""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, PolynomialFeatures, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from sklearn_gd import DivergenceWarning, GDLinearRegression, GDLogisticRegression, GDPoissonRegression, GDSearchCV
from sklearn_gd.momentum import HeavyBall
from sklearn_gd.steps import Cosine, InverseTime

ALPHAS = [0.0, 1e-3, 0.1, 10.0]
RATES = [1e-3, 0.05, 0.3, 0.7]


def data(n=120, p=6, targets=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * np.linspace(0.5, 2, p) + np.linspace(-1, 3, p)
    coef = rng.normal(size=(p,) if targets is None else (p, targets))
    y = X @ coef + 3 + rng.normal(size=(n,) if targets is None else (n, targets))
    return X, y


def both(estimator, grid, X, y, fit=None, **search):
    """The two searches, fitted; warnings of fits are not what is compared."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ours = GDSearchCV(estimator, grid, **search).fit(X, y, **(fit or {}))
        theirs = GridSearchCV(estimator, grid, **search).fit(X, y, **(fit or {}))
    return ours, theirs


def assert_same(ours, theirs, rtol=1e-8):
    """All of cv_results_ but the times, and what was chosen."""
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    for key, expected in theirs.cv_results_.items():
        found = ours.cv_results_[key]
        if key == "params":
            assert found == expected
            continue
        assert type(found) is type(expected)
        assert found.dtype == expected.dtype, key
        assert found.shape == expected.shape
        if key.startswith("param_"):
            assert (np.ma.getmaskarray(found) == np.ma.getmaskarray(expected)).all()
        elif "time" not in key and not key.startswith("rank"):
            np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)
    assert ours.n_splits_ == theirs.n_splits_
    assert ours.multimetric_ == theirs.multimetric_
    if hasattr(theirs, "best_score_"):
        np.testing.assert_allclose(ours.best_score_, theirs.best_score_, rtol=rtol, atol=rtol)


SPLITTERS = {
    "3": 3,
    "shuffled": KFold(4, shuffle=True, random_state=0),
    "repeated": RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
    "random": ShuffleSplit(4, random_state=0),
    "series": TimeSeriesSplit(4),
    "predefined": PredefinedSplit(np.repeat([-1, 0, 1, 2], 30)),
    "one": LeaveOneOut(),
}


@pytest.mark.parametrize("cv", SPLITTERS.values(), ids=SPLITTERS)
def test_splitters(cv):
    X, y = data()
    scoring = "neg_mean_squared_error"  # R² of one sample is none
    ours, theirs = both(GDLinearRegression(), {"alpha": ALPHAS}, X, y, cv=cv, scoring=scoring, return_train_score=True)
    assert all(ours.shared_.shared)
    assert_same(ours, theirs)


STORES = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "integers": lambda X: np.round(3 * X).astype(int),
    "csr": sp.csr_matrix,
    "csc": sp.csc_array,
    "list": lambda X: X.tolist(),
}


@pytest.mark.parametrize("cv", [3, KFold(3, shuffle=True, random_state=0)], ids=["whole", "picked"])
@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
@pytest.mark.parametrize("targets", [None, 1, 2])
def test_storage_and_targets(store, targets, cv):
    X, y = data(targets=targets)
    grid = {"alpha": ALPHAS, "fit_intercept": [True, False]}
    ours, theirs = both(GDLinearRegression(), grid, store(X), y, cv=cv)
    assert all(ours.shared_.shared)
    assert_same(ours, theirs, 1e-6 if store is STORES["float32"] else 1e-8)


@pytest.mark.parametrize("cv", [3, ShuffleSplit(3, random_state=0)], ids=["whole", "picked"])
@pytest.mark.parametrize("scaler", ["passthrough", StandardScaler(), MinMaxScaler()])
def test_memory_maps(tmp_path, scaler, cv):
    """Rows in a file are read by blocks."""
    X, y = data()
    stored = np.memmap(tmp_path / "X", dtype=X.dtype, mode="w+", shape=X.shape)
    stored[:] = X
    grid = {"model__alpha": [1e-3, 0.1]}
    ours = GDSearchCV(piped(scaler), grid, cv=cv).fit(stored, y)
    theirs = GridSearchCV(piped(scaler), grid, cv=cv).fit(X, y)
    assert all(ours.shared_.shared)
    assert_same(ours, theirs)


def test_ridge():
    """Alphas over eight decades, on columns of units far apart: the optimum that scikit-learn finds."""
    X, y = data(400, 10)
    X = X * np.geomspace(1e-3, 1e3, 10)
    alphas = np.logspace(-6, 2, 12)
    ours = GDSearchCV(GDLinearRegression(), {"alpha": alphas}).fit(X, y)
    theirs = GridSearchCV(Ridge(), {"alpha": alphas * 320}).fit(X, y)
    assert all(ours.shared_.shared)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-8, atol=1e-8
    )
    assert ours.best_index_ == theirs.best_index_


@pytest.mark.parametrize(
    "scoring", [None, "r2", "neg_root_mean_squared_error", ["r2", "neg_mean_squared_error"], "neg_max_error"]
)
@pytest.mark.parametrize("zero", [False, True])
def test_weights(scoring, zero):
    """Of the fits and, where scikit-learn weighs scores, of the scores."""
    X, y = data()
    weight = np.random.default_rng(1).uniform(0.1, 3, len(y))
    if zero:
        weight[::7] = 0.0
    refit = "r2" if isinstance(scoring, list) else True
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The scoring", UserWarning)
        ours, theirs = both(
            GDLinearRegression(),
            [{"alpha": ALPHAS}, {"learning_rate": [0.01, 0.1]}],
            X,
            y,
            {"sample_weight": weight},
            scoring=scoring,
            refit=refit,
        )
    assert all(ours.shared_.shared)
    assert_same(ours, theirs)
    unweighted = GDSearchCV(GDLinearRegression(), {"alpha": ALPHAS}, scoring=scoring, refit=refit).fit(X, y)
    key = "split0_test_r2" if isinstance(scoring, list) else "split0_test_score"
    assert abs(unweighted.cv_results_[key][0] - ours.cv_results_[key][0]) > 1e-6


# -- scalers ---------------------------------------------------------------------------------------------------------------

SCALERS = {
    "standard": StandardScaler(),
    "mean": StandardScaler(with_std=False),
    "std": StandardScaler(with_mean=False),
    "minmax": MinMaxScaler((-2, 5)),
    "maxabs": MaxAbsScaler(),
    "two": Pipeline([("a", MaxAbsScaler()), ("b", StandardScaler())]),
    "none": "passthrough",
}


def piped(scaler, **params):
    steps = list(scaler.steps) if isinstance(scaler, Pipeline) else [("scaler", scaler)]
    return Pipeline([*steps, ("model", GDLinearRegression(**params))])


@pytest.mark.parametrize("scaler", SCALERS.values(), ids=SCALERS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("cv", [3, KFold(3, shuffle=True, random_state=0)], ids=["whole", "picked"])
def test_scalers(scaler, weighted, cv):
    X, y = data()
    X[:, 2] = 7.0  # constant
    X[:80, 3] = 0.0  # constant in a training part
    grid = [{"model__alpha": [1e-3, 0.1]}, {"model__learning_rate": [0.01, 0.05], "model__max_iter": [5, 50]}]
    fit = {"model__sample_weight": np.random.default_rng(0).uniform(0.2, 2, len(y))} if weighted else {}
    ours, theirs = both(piped(scaler), grid, X, y, fit, cv=cv)
    assert all(ours.shared_.shared)
    assert_same(ours, theirs)


def test_scalers_of_sparse_data():
    X, y = data()
    X[np.abs(X) < 1] = 0
    X = sp.csr_matrix(X)
    grid = {"scaler": [MaxAbsScaler(), StandardScaler(with_mean=False), "passthrough"], "model__alpha": [1e-3, 0.1]}
    ours, theirs = both(piped(StandardScaler(with_mean=False)), grid, X, y)
    assert all(ours.shared_.shared)
    assert_same(ours, theirs)
    for scaler in (MinMaxScaler(), StandardScaler()):
        with pytest.raises((TypeError, ValueError), match="sparse"):
            GDSearchCV(piped(scaler), {"model__alpha": [0.1]}, error_score="raise").fit(X, y)


def test_parameters_of_scalers():
    X, y = data()
    grid = [
        {"scaler__with_mean": [True, False], "scaler__with_std": [True, False], "model__alpha": [0.01, 1.0]},
        {"scaler": [MinMaxScaler()], "scaler__feature_range": [(0, 1), (-1, 3)], "model__alpha": [1.0]},
        {"scaler": [MinMaxScaler(clip=True)]},
    ]
    ours, theirs = both(piped(StandardScaler()), grid, X, y)
    assert ours.shared_.shared == (True,) * 10 + (False,)
    assert_same(ours, theirs)


def test_no_leak():
    """Scalers see the training part alone: scores are those of it, and not those of columns that all rows have scaled."""
    X, y = data()
    X[-20:] *= 30
    grid, cv = {"model__alpha": [0.1, 1.0]}, KFold(6)
    ours, theirs = both(piped(StandardScaler()), grid, X, y, cv=cv)
    assert_same(ours, theirs)
    leaking = GDSearchCV(GDLinearRegression(), {"alpha": [0.1, 1.0]}, cv=cv).fit(StandardScaler().fit_transform(X), y)
    difference = leaking.cv_results_["split5_test_score"] - ours.cv_results_["split5_test_score"]
    assert np.abs(difference).min() > 1e-2


# -- learning rates --------------------------------------------------------------------------------------------------------


class Ends:
    """A scorer that remembers where the estimators that it is given ended."""

    def __init__(self):
        self.coefs, self.ends = [], []

    def __call__(self, estimator, X, y):
        model = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        self.coefs.append(np.append(model.coef_, model.intercept_))
        self.ends.append((model.n_iter_, model.stop_reason_))
        return estimator.score(X, y)


def ends(search, estimator, grid, X, y, **others):
    """Coefficients and ends of all fits, in scikit-learn's order."""
    scorer = Ends()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = search(estimator, grid, scoring=scorer, refit=False, cv=KFold(3), **others).fit(X, y)
    n = len(fitted.cv_results_["params"])
    order = np.arange(3 * n) if search is GridSearchCV else np.arange(3 * n).reshape(3, n).T.ravel()
    return np.array(scorer.coefs)[order], [scorer.ends[i] for i in order], fitted


PATHS = {
    "constant": {"learning_rate": [1e-4, 0.003, 0.02, 0.06, 0.1, 0.5, 3.0]},
    "iterations": {"learning_rate": [0.01, 0.08, 0.3], "max_iter": [0, 1, 10, 100]},
    "penalties": {"learning_rate": [0.01, 0.08], "alpha": [0.0, 0.1, 2.0]},
    "tolerances": {"learning_rate": [0.08], "tol": [0.0, 1e-9, 1e-4, 1e-1], "max_iter": [3000]},
    "no intercept": {"learning_rate": [0.01, 0.1, 1.0], "fit_intercept": [False]},
    "heavy ball": {"learning_rate": [0.01, 0.08, 0.6], "momentum": [0.0, 0.5, HeavyBall(0.9)]},
    "nesterov": {"learning_rate": [0.01, 0.05, 0.2, 0.6], "momentum": ["nesterov"], "max_iter": [1, 2, 40, 300]},
    "nesterov's ends": {
        "learning_rate": [0.03, Cosine(0.1)],
        "momentum": ["nesterov"],
        "tol": [1e-8, 1e-3],
        "alpha": [0, 0.1],
    },
    "schedules": {"learning_rate": [InverseTime(0.1), Cosine(0.1), "step", lambda k: 0.1 / (1 + k)]},
    "start": {"learning_rate": [0.02], "init": [np.arange(6.0), (np.ones(6), 2.0)]},
}


@pytest.mark.parametrize("grid", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("scaled", [False, True])
def test_iterates(grid, scaled):
    """Iterates within 1e-10 of those of the fits, diverged ones included, and as many of them."""
    X, y = data()
    estimator = GDLinearRegression()
    if scaled:
        estimator = piped(StandardScaler())
        grid = {f"model__{name}": values for name, values in grid.items()}
    found, ours, search = ends(GDSearchCV, estimator, grid, X, y)
    expected, theirs, _ = ends(GridSearchCV, estimator, grid, X, y)
    assert all(search.shared_.shared)
    size = np.linalg.norm(expected, axis=1)
    assert (np.linalg.norm(found - expected, axis=1) <= 1e-10 * size + 1e-15).all()
    for mine, other in zip(ours, theirs, strict=True):
        # where rounding errors are all that is left, these differ
        assert mine == other or mine[1] == other[1] == "precision"


@pytest.mark.parametrize("seed", range(3))
def test_iterates_of_columns_that_depend_on_each_other(seed):
    """Where the criterion is met is found without going through all iterates; here these are many, and oscillate."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(90, 5)) @ rng.normal(size=(5, 5))
    y = X @ rng.normal(size=5) + 0.1 * rng.normal(size=90)
    L = np.linalg.eigvalsh(np.cov(X[:60].T))[-1]
    grid = {
        "learning_rate": list(np.array([0.5, 1.0, 1.8, 2.2]) / L),
        "tol": [1e-1, 1e-3],
        "max_iter": [1000],
    }
    found, ours, _ = ends(GDSearchCV, GDLinearRegression(), grid, X, y)
    expected, theirs, _ = ends(GridSearchCV, GDLinearRegression(), grid, X, y)
    assert ours == theirs
    assert np.abs(found - expected).max() <= 1e-10 * np.abs(expected).max()
    assert {reason for _, reason in ours} >= {"gradient", "diverged"}


def test_iterates_of_several_targets():
    X, y = data(targets=3)
    y = y * [1, 100, 1e-3] + [5, 0, 0]
    estimator, grid = GDLinearRegression(), {"learning_rate": [0.01, 0.05, 0.4], "max_iter": [7, 2000]}
    ours, theirs = both(estimator, grid, X, y, scoring="neg_mean_squared_error")
    assert all(ours.shared_.shared)
    assert_same(ours, theirs, 1e-10)


# -- what is not shared ------------------------------------------------------------------------------------------------------

ALONE = {
    "searching rule": ({"learning_rate": ["backtracking"]}, "looks at the loss"),
    "metric": ({"learning_rate": [0.5], "preconditioner": ["diagonal"]}, "not known in closed form"),
    "loose": ({"tol": [0.1]}, "may end before the optimum"),
    "random start": ({"init": ["random"], "random_state": [0]}, "draws another start"),
    "refused": ({"alpha": [-1.0]}, "refuses its parameters"),
    "part": ({"learning_rate": [InverseTime()], "learning_rate__decay": [0.1]}, "parameter of a part"),
}


@pytest.mark.parametrize(("grid", "reason"), ALONE.values(), ids=ALONE)
def test_candidates_on_their_own(grid, reason):
    """They are fitted as scikit-learn does, and put among the others in their place."""
    X, y = data()
    grids = [{"alpha": [0.1]}, grid, {"alpha": [1.0, 2.0]}]
    failed = pytest.warns(FitFailedWarning) if reason == "refuses its parameters" else warnings.catch_warnings()
    with failed, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more of the test scores are non-finite", UserWarning)
        ours, theirs = both(GDLinearRegression(), grids, X, y)
    assert reason in ours.shared_.reasons[1]
    # where all that are fitted are refused, one more is
    assert ours.shared_.shared[-1]
    assert ours.shared_.shared[0] == (reason != "refuses its parameters")
    assert reason in str(ours.shared_)
    assert_same(ours, theirs)


def test_dependent_columns():
    """Where a Gram matrix has lost its digits, the fit is asked."""
    X, y = data()
    X[:, 1] = X[:, 0] + 1e-7 * X[:, 1]
    ours, theirs = both(GDLinearRegression(), {"alpha": [0.0, 1e-13, 1e-3]}, X, y)
    assert ours.shared_.shared == (False, False, True)
    assert "lost too many digits" in str(ours.shared_)
    assert_same(ours, theirs, 1e-7)


class Shrunk(RegressorMixin, BaseEstimator):
    """An estimator of somebody else's."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y):
        self.mean_ = self.factor * np.mean(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


@pytest.mark.parametrize(
    ("estimator", "grid", "reason"),
    [
        (Shrunk(), {"factor": [0.5, 1.0]}, "Shrunk"),
        (
            make_pipeline(PolynomialFeatures(2), GDLinearRegression()),
            {"gdlinearregression__alpha": [1.0]},
            "Polynomial",
        ),
        (make_pipeline(StandardScaler(), Shrunk()), {"shrunk__factor": [0.5, 1.0]}, "Shrunk"),
    ],
)
def test_other_estimators(estimator, grid, reason):
    X, y = data()
    ours, theirs = both(estimator, grid, X, y)
    assert not any(ours.shared_.shared)
    assert reason in str(ours.shared_)
    assert_same(ours, theirs)


def test_bootstrap():
    """A training part with a row more than once is no sum of groups."""
    X, y = data()
    rng = np.random.default_rng(0)
    cv = [(rng.integers(0, 100, 100), np.arange(100, 120)) for _ in range(3)]
    ours, theirs = both(GDLinearRegression(), {"alpha": ALPHAS}, X, y, cv=cv)
    assert "more than once" in str(ours.shared_)
    assert_same(ours, theirs)


@pytest.mark.parametrize(
    "store", [np.asarray, sp.csr_matrix, lambda X: X.astype(np.float32)], ids=["C", "csr", "float32"]
)
@pytest.mark.parametrize("targets", [None, 2])
@pytest.mark.parametrize("cv", [4, KFold(3, shuffle=True, random_state=0)], ids=["whole", "picked"])
def test_few_samples(store, targets, cv):
    """Fewer than features: optima from inner products of rows; all else on its own."""
    X, y = data(40, 60, targets)
    X = store(X + 5)
    weight = np.random.default_rng(0).uniform(0.5, 2, 40)
    grids = [{"alpha": [1e-3, 0.1, 10.0], "fit_intercept": [True, False]}, {"alpha": [0.0]}]
    fit = {"sample_weight": weight}
    search = {"cv": cv, "scoring": "neg_mean_squared_error", "return_train_score": True}
    ours = GDSearchCV(GDLinearRegression(), grids, **search).fit(X, y, **fit)
    assert ours.shared_.shared == (True,) * 6 + (False,)
    float32 = ours.best_estimator_.coef_.dtype == np.float32
    for index, params in enumerate(ours.cv_results_["params"][:6]):
        for split, (train, test) in enumerate(KFold(4).split(X) if cv == 4 else cv.split(X)):
            total = weight[train].sum()
            model = Ridge(
                total * params["alpha"],
                fit_intercept=params["fit_intercept"],
                solver="svd" if not sp.issparse(X) else "sparse_cg",
                tol=1e-14,
            )
            model.fit(X[train].astype(float), y[train], sample_weight=weight[train])
            for part, rows in (("test", test), ("train", train)):
                errors = (model.predict(X[rows].astype(float)) - y[rows]) ** 2
                expected = -np.average(errors.reshape(len(rows), -1).mean(axis=1), weights=weight[rows])
                found = ours.cv_results_[f"split{split}_{part}_score"][index]
                np.testing.assert_allclose(
                    found, expected, rtol=2e-5 if float32 else 1e-7, atol=1e-6 if float32 else 1e-12
                )


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("store", [np.asarray, np.asfortranarray, lambda X: X.astype(np.float32)], ids=["C", "F", "32"])
@pytest.mark.parametrize("cv", [3, KFold(3, shuffle=True, random_state=0)], ids=["whole", "picked"])
def test_few_samples_behind_scalers(store, weighted, cv):
    """By the inner products of each training part's rows, whose scalers know nothing of the others."""
    X, y = data(45, 60)
    X[:30, 3] = 0.0  # constant in a training part
    X = store(X + 5)
    fit = {"model__sample_weight": np.random.default_rng(0).uniform(0.2, 2, len(y))} if weighted else {}
    scalers = [StandardScaler(), StandardScaler(with_mean=False), MinMaxScaler((-2, 5)), MaxAbsScaler(), "passthrough"]
    grid = {"scaler": scalers, "model__alpha": [1e-3, 0.1, 1.0], "model__fit_intercept": [True, False]}
    ours, theirs = both(piped("passthrough", tol=1e-10), grid, X, y, fit, cv=cv, return_train_score=True)
    assert all(ours.shared_.shared)
    # in float32 scaled columns are rounded, of which a weak penalty makes a thousand times as much
    assert_same(ours, theirs, 1e-3 if X.dtype == np.float32 else 1e-8)


def test_few_sparse_samples_behind_scalers():
    X, y = data(30, 40)
    X[np.abs(X) < 1] = 0
    grid = {"scaler": [MaxAbsScaler(), StandardScaler(with_mean=False)], "model__alpha": [1e-2, 0.1, 1.0]}
    ours, theirs = both(
        piped(StandardScaler(), tol=1e-10), grid, sp.csr_matrix(X), y, scoring=["r2", "neg_max_error"], refit="r2"
    )
    assert all(ours.shared_.shared)
    assert_same(ours, theirs)


@pytest.mark.parametrize(
    ("grid", "reason"),
    [
        ({"learning_rate": [0.01, 0.02], "max_iter": [5]}, "fewer samples than features"),
        ({"alpha": [0.1, 1.0]}, "fewer than 3 penalties"),
    ],
)
def test_few_samples_on_their_own(grid, reason):
    X, y = data(30, 40)
    grid = {f"model__{name}": values for name, values in grid.items()}
    ours, theirs = both(piped(StandardScaler()), grid, X, y)
    assert not any(ours.shared_.shared)
    assert reason in str(ours.shared_)
    assert_same(ours, theirs)


# -- the ways of scikit-learn's search -----------------------------------------------------------------------------------------


def test_several_scorers():
    X, y = data()
    scoring = {"a": "r2", "b": make_scorer(mean_absolute_error, greater_is_better=False), "c": "neg_max_error"}
    grids = [{"alpha": ALPHAS}, {"learning_rate": [0.01, "exact"]}]
    ours, theirs = both(GDLinearRegression(), grids, X, y, scoring=scoring, refit="b", return_train_score=True)
    assert_same(ours, theirs)
    assert set(ours.scorer_) == set(theirs.scorer_) == {"a", "b", "c"}
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y))


def test_scoring_function_of_several():
    X, y = data()

    def scoring(estimator, X, y):
        return {"first": estimator.score(X, y), "second": -float(np.abs(estimator.predict(X) - y).max())}

    ours, theirs = both(GDLinearRegression(), {"alpha": ALPHAS}, X, y, scoring=scoring, refit="second")
    assert_same(ours, theirs)
    with pytest.raises(ValueError, match="multi-metric"):
        GDSearchCV(GDLinearRegression(), {"alpha": ALPHAS}, scoring=scoring).fit(X, y)


def test_refit():
    X, y = data()
    ours, theirs = both(GDLinearRegression(), {"alpha": ALPHAS}, X, y, refit=lambda results: 2)
    assert ours.best_index_ == theirs.best_index_ == 2
    assert not hasattr(ours, "best_score_")
    np.testing.assert_allclose(ours.best_estimator_.coef_, theirs.best_estimator_.coef_)
    without = GDSearchCV(GDLinearRegression(), {"alpha": ALPHAS}, refit=False).fit(X, y)
    assert without.best_params_ == {"alpha": ALPHAS[without.best_index_]}
    assert not hasattr(without, "best_estimator_")
    assert not hasattr(without, "predict")
    with pytest.raises(ValueError, match="refit"):
        GDSearchCV(GDLinearRegression(), {"alpha": ALPHAS}, scoring=["r2"]).fit(X, y)


def test_groups():
    X, y = data()
    groups = np.arange(120) % 7
    ours, theirs = both(GDLinearRegression(), {"alpha": ALPHAS}, X, y, {"groups": groups}, cv=GroupKFold(4))
    assert all(ours.shared_.shared)
    assert_same(ours, theirs)


def test_random_splits():
    """Candidates that are shared and those that are not see the same splits, drawn once."""
    X, y = data()
    cv = KFold(3, shuffle=True)
    grids = [{"alpha": [0.1]}, {"learning_rate": ["exact"], "alpha": [0.1], "tol": [1e-9]}]
    ours = GDSearchCV(GDLinearRegression(), grids, cv=cv).fit(X, y)
    assert ours.shared_.shared == (True, False)
    np.testing.assert_allclose(*ours.cv_results_["mean_test_score"], rtol=1e-7)


def test_iterator_of_splits():
    X, y = data()
    splits = list(KFold(3).split(X))
    ours, theirs = both(GDLinearRegression(), {"alpha": ALPHAS}, X, y, cv=splits)
    assert all(ours.shared_.shared)
    assert_same(ours, theirs)
    once = GDSearchCV(GDLinearRegression(), {"alpha": ALPHAS}, cv=iter(splits)).fit(X, y)
    assert_same(once, theirs)


def test_masks():
    X, y = data()
    rows = np.arange(120)
    cv = [(rows % 3 != k, rows % 3 == k) for k in range(3)]
    ours = GDSearchCV(GDLinearRegression(), {"alpha": ALPHAS}, cv=cv).fit(X, y)
    theirs = GridSearchCV(GDLinearRegression(), {"alpha": ALPHAS}, cv=[(np.where(a)[0], np.where(b)[0]) for a, b in cv])
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.fit(X, y).cv_results_["mean_test_score"], rtol=1e-10
    )


def test_workers():
    X, y = data()
    ours, theirs = both(GDLinearRegression(), [{"alpha": [1.0]}, {"learning_rate": ["exact"]}], X, y, n_jobs=2)
    assert_same(ours, theirs)


def test_verbose(capsys):
    X, y = data()
    GDSearchCV(GDLinearRegression(), {"alpha": ALPHAS}, verbose=1).fit(X, y)
    assert "Fitting 5 folds for each of 4 candidates, totalling 20 fits" in capsys.readouterr().out


ERRORS = {
    "parameter": (GDLinearRegression(), {"nonsense": [1]}, {}),
    "step": (make_pipeline(StandardScaler(), GDLinearRegression()), {"nobody__alpha": [1]}, {}),
    "scaler": (make_pipeline(StandardScaler(), GDLinearRegression()), {"standardscaler__clip": [1]}, {}),
    "grid": (GDLinearRegression(), {"alpha": 1.0}, {}),
    "empty": (GDLinearRegression(), {"alpha": []}, {}),
    "folds": (GDLinearRegression(), {"alpha": [1.0]}, {"cv": 1}),
    "many folds": (GDLinearRegression(), {"alpha": [1.0]}, {"cv": 500}),
    "scoring": (GDLinearRegression(), {"alpha": [1.0]}, {"scoring": "nonsense"}),
    "verbose": (GDLinearRegression(), {"alpha": [1.0]}, {"verbose": "loud"}),
    "refused": (GDLinearRegression(), {"alpha": [-1.0]}, {"error_score": "raise"}),
    "all refused": (GDLinearRegression(), {"alpha": [-1.0]}, {}),
    "strict": (GDLinearRegression(on_divergence="raise"), {"learning_rate": [0.01, 9.0]}, {"error_score": "raise"}),
}


@pytest.mark.parametrize(("estimator", "grid", "params"), ERRORS.values(), ids=ERRORS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_errors(estimator, grid, params):
    """The same as scikit-learn's, word for word."""
    X, y = data()
    with pytest.raises(Exception) as expected:  # noqa: PT011 - the next line says which
        GridSearchCV(estimator, grid, **params).fit(X, y)
    with pytest.raises(type(expected.value)) as found:
        GDSearchCV(estimator, grid, **params).fit(X, y)
    theirs = str(expected.value).replace("GridSearchCV", "GDSearchCV")
    assert str(found.value).splitlines()[:3] == theirs.splitlines()[:3]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_data_that_are_refused(wrong):
    X, y = data()
    X[[3, 100], 2] = wrong  # in every training part
    with pytest.raises(ValueError, match="All the 8 fits failed"):
        GDSearchCV(GDLinearRegression(), {"alpha": ALPHAS}, cv=2).fit(X, y)


def test_unconverged_and_diverged_fits_are_told():
    X, y = data()
    search = GDSearchCV(GDLinearRegression(), {"learning_rate": [1e-6, 0.05, 9.0], "max_iter": [20000]}, refit=False)
    with pytest.warns(ConvergenceWarning) as caught:
        search.fit(X, y)
    unconverged, diverged = caught
    assert unconverged.category is ConvergenceWarning
    assert "5 of 15" in str(unconverged.message)
    assert "0 ({'learning_rate': 1e-06, " in str(unconverged.message)
    assert diverged.category is DivergenceWarning
    assert "5 of 15" in str(diverged.message)
    assert "2 ({'learning_rate': 9.0, " in str(diverged.message)


@pytest.mark.skipif(not hasattr(sklearn, "callback") and sklearn.__version__ < "1.9", reason="callbacks came with 1.9")
def test_callbacks():
    """A search with callbacks is told to them; fits that have callbacks of their own are not replaced."""

    class Count:
        def __init__(self):
            self.tasks = []

        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            self.tasks.append(context.task_name)

        def on_fit_task_end(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

    X, y = data()
    told = Count()
    search = GDSearchCV(GDLinearRegression(), {"alpha": ALPHAS}).set_callbacks(told).fit(X, y)
    assert {"search", "candidate-split-evaluation", "refit-with-best-params"} <= set(told.tasks)
    assert sum(search.shared_.shared) == len(ALPHAS) - 1
    own = GDSearchCV(GDLinearRegression().set_callbacks(Count()), {"alpha": ALPHAS}).fit(X, y)
    assert not any(own.shared_.shared)
    assert_same(search, own)


def test_routing():
    X, y = data()
    weight = np.random.default_rng(1).uniform(0.1, 3, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        model = GDLinearRegression().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        ours, theirs = both(model, {"alpha": ALPHAS}, X, y, {"sample_weight": weight})
        assert all(ours.shared_.shared)
        assert_same(ours, theirs)
        silent = GDLinearRegression().set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        other, reference = both(silent, {"alpha": ALPHAS}, X, y, {"sample_weight": weight})
        assert_same(other, reference)
        assert abs(other.best_score_ - ours.best_score_) > 1e-6


def test_names_of_columns():
    pandas = pytest.importorskip("pandas")
    X, y = data()
    frame = pandas.DataFrame(X, columns=list("abcdef"))

    def scoring(estimator, X, y):
        assert list(X.columns) == list(estimator.feature_names_in_)
        return estimator.score(X, y)

    ours, theirs = both(GDLinearRegression(), {"alpha": ALPHAS}, frame, pandas.Series(y), scoring=scoring)
    assert all(ours.shared_.shared)
    assert_same(ours, theirs)
    assert list(ours.feature_names_in_) == list("abcdef")


def test_it_is_an_estimator():
    X, y = data()
    search = GDSearchCV(GDLinearRegression(), {"alpha": ALPHAS}, cv=3)
    assert clone(search).get_params()["param_grid"] == {"alpha": ALPHAS}
    assert cross_val_score(search, X, y, cv=3).min() > 0.5
    search.fit(X, y)
    first = search.cv_results_["mean_test_score"]
    again = search.fit(X, y).cv_results_["mean_test_score"]
    assert (first == again).all()


def test_scikit_learns_checks():
    """All that a search of scikit-learn's passes over the same estimator."""
    searches = (
        search(GDLinearRegression(), {"alpha": [0.1, 1.0]}, cv=2, error_score="raise")
        for search in (GDSearchCV, GridSearchCV)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = (
            {result["check_name"]: result["status"] for result in check_estimator(search, on_fail=None, on_skip=None)}
            for search in searches
        )
    assert len(ours) > 40
    assert ours == theirs


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("steps", [(), (StandardScaler(),), (PolynomialFeatures(2), StandardScaler())], ids=len)
def test_penalties_of_logistic_regression(steps, weighted):
    """Those that differ in C alone are a path on each training part, behind any transformers; the others are on their own."""
    X, y = data()
    labels = np.where(y > 4, "high", np.where(y > 0, "middle", "low"))
    model = GDLogisticRegression(tol=1e-8)
    estimator = make_pipeline(*steps, model) if steps else model
    name = "gdlogisticregression__" if steps else ""
    grids = [
        {f"{name}C": [0.01, 10.0, 1.0], f"{name}fit_intercept": [True, False]},
        {f"{name}learning_rate": ["backtracking"], f"{name}tol": [1e-3], f"{name}C": [0.1]},
        {f"{name}C": [0.1]},
    ]
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    fit = {f"{name}sample_weight": weight} if weighted else {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The scoring", UserWarning)
        ours, theirs = both(
            estimator,
            grids,
            X,
            labels,
            fit,
            scoring=["accuracy", "neg_log_loss"],
            refit="accuracy",
            return_train_score=True,
        )
    assert ours.shared_.shared == (True,) * 6 + (False, False)
    assert "no other candidate differs from it in C alone" in ours.shared_.reasons[-1]
    assert_same(ours, theirs, 1e-6)


STRICT = {
    "one scorer": {},
    "two scorers": {"scoring": ["r2", "neg_max_error"], "refit": "r2"},
    "a function": {"scoring": lambda model, X, y: {"a": model.score(X, y), "b": model.n_iter_}, "refit": "a"},
    "a number": {"error_score": -9.0},
}


@pytest.mark.filterwarnings("ignore:One or more of the t")
@pytest.mark.parametrize("mixed", [False, True], ids=["alone", "mixed"])
@pytest.mark.parametrize("search", STRICT.values(), ids=STRICT)
def test_divergence_that_is_an_error(search, mixed):
    """Its scores are the search's error_score, as scikit-learn's are of fits that fail; the others stay shared."""
    X, y = data()
    grid = {"learning_rate": [3.0, 0.02, 9.0, *(["exact"] if mixed else [])], "on_divergence": ["raise"], "tol": [1e-2]}
    with pytest.warns(FitFailedWarning, match=f"6 fits failed out of a total of {12 if mixed else 9}"):
        ours, theirs = both(GDLinearRegression(), grid, X, y, cv=3, return_train_score=True, **search)
    assert ours.shared_.shared == (True, True, True, False)[: 3 + mixed]
    assert_same(ours, theirs)
    assert ours.best_index_ == theirs.best_index_


def test_products_of_rows_that_cost_more_than_the_fits_are_not_made():
    rng = np.random.default_rng(0)
    X = sp.random(1000, 4000, 0.005, format="csr", random_state=0)
    y = X @ rng.normal(size=4000) + rng.normal(size=1000)
    ours = GDSearchCV(GDLinearRegression(), {"alpha": [0.01, 0.1]}, cv=5).fit(X, y)
    assert all("cost more than the fits" in reason for reason in ours.shared_.reasons)
    # fewer rows of as many columns are worth it, and rows as many as columns, of which no spectrum is foreseen
    few, square = rng.normal(size=(100, 400)), rng.normal(size=(75, 60))
    for X in (few, square):
        y = X[:, 0] + rng.normal(size=len(X))
        ours, theirs = (
            kind(GDLinearRegression(), {"alpha": [0.01, 0.1]}, cv=5).fit(X, y) for kind in (GDSearchCV, GridSearchCV)
        )
        assert all(ours.shared_.shared)
        np.testing.assert_allclose(
            ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], atol=1e-5
        )


def test_penalties_of_poisson_regression_are_a_path():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    y = rng.poisson(np.exp(0.5 * X[:, 0]))
    model = make_pipeline(StandardScaler(), GDPoissonRegression(tol=1e-9))
    grid = {"gdpoissonregression__alpha": np.logspace(-4, 2, 7), "gdpoissonregression__fit_intercept": [True, False]}
    ours, plain = GDSearchCV(model, grid, cv=4).fit(X, y), GridSearchCV(model, grid, cv=4).fit(X, y)
    assert all(ours.shared_.shared)
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(ours.cv_results_[name], plain.cv_results_[name], atol=1e-8)
    assert ours.best_params_ == plain.best_params_
    np.testing.assert_allclose(ours.predict(X), plain.predict(X), rtol=1e-7)
    bare = GDSearchCV(GDPoissonRegression(), {"fit_intercept": [True, False]}, cv=3).fit(X, y)
    assert "GDPoissonRegression shares the fits along a path over alpha" in bare.shared_.reasons[0]


def test_all_fits_diverge():
    X, y = data()
    grid = {"learning_rate": [3.0, 9.0], "on_divergence": ["raise"]}
    for search in (GDSearchCV, GridSearchCV):
        with pytest.raises(ValueError, match="All the 10 fits failed") as caught:
            search(GDLinearRegression(), grid).fit(X, y)
        assert "DivergenceError: Gradient descent diverged" in str(caught.value)


REFITS = {
    "converged": {"learning_rate": [0.3], "tol": [1e-3]},
    "diverged": {"learning_rate": [3.0]},
    "ended": {"learning_rate": [0.02], "max_iter": [150]},
    "heavy ball": {"learning_rate": [0.1], "momentum": [0.7], "max_iter": [70]},
    "nesterov": {"learning_rate": [0.1], "momentum": ["nesterov"], "max_iter": [130]},
    "nesterov diverged": {"learning_rate": [3.0], "momentum": ["nesterov"]},
    "schedule": {"learning_rate": [InverseTime(0.3)], "max_iter": [40]},
    "nothing": {"learning_rate": [0.3], "max_iter": [0]},
    "start": {"learning_rate": [0.02], "init": [(np.ones(6), 2.0)], "fit_intercept": [True], "max_iter": [10]},
    "no intercept": {"learning_rate": [0.02], "fit_intercept": [False], "max_iter": [10]},
}


@pytest.mark.parametrize("grid", REFITS.values(), ids=REFITS)
@pytest.mark.parametrize("targets", [None, 2])
def test_refit_from_sums(grid, targets):
    """The best estimator has all that a fit gives it, and warns of what a fit warns; but it has read X once."""
    if targets and "init" in grid:
        grid = {**grid, "init": [(np.ones((2, 6)), np.ones(2))]}
    X, y = data(targets=targets)
    grid = {f"model__{name}": values for name, values in grid.items()}
    searches = [search(piped(StandardScaler()), grid, cv=3) for search in (GDSearchCV, GridSearchCV)]
    told = []
    for search in searches:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            search.fit(X, y)
        told.append([str(each.message) for each in caught if str(each.message).startswith("Gradient descent")][-1:])
    ours, theirs = (vars(search.best_estimator_[-1]) for search in searches)
    assert list(ours) == list(theirs)
    assert told[0] == told[1]
    for name in ("coef_", "intercept_", "loss_curve_"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-10, atol=1e-12)
    assert ours["n_iter_"] == theirs["n_iter_"]
    assert ours["stop_reason_"] == theirs["stop_reason_"]
    for name, column in theirs["history_"].items():
        if name != "passes":
            np.testing.assert_allclose(ours["history_"][name], column, rtol=1e-8, atol=1e-10, err_msg=name)
    assert set(ours["history_"]["passes"]) == {1.0}
    assert [stage["iterations"] for stage in ours["stages_"]] == [stage["iterations"] for stage in theirs["stages_"]]
    assert searches[0].predict(X).shape == y.shape


@pytest.mark.parametrize("output", ["default", "pandas"])
def test_names_of_columns_behind_scalers(output):
    """A model behind a scaler knows the names that the scaler gives it, and no others."""
    pandas = pytest.importorskip("pandas")
    X, y = data()
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    estimator = piped(StandardScaler())
    estimator.set_output(transform=output)
    grid = {"model__learning_rate": [0.05, 0.1], "model__tol": [1e-2]}
    ours, theirs = both(estimator, grid, frame, y, scoring="neg_max_error")
    assert_same(ours, theirs)
    assert hasattr(ours.best_estimator_[-1], "feature_names_in_") == (output == "pandas")
    np.testing.assert_allclose(ours.predict(frame), theirs.predict(frame))


@pytest.mark.parametrize("front", [[], [StandardScaler()], [MinMaxScaler()]], ids=["bare", "standardised", "bounded"])
@pytest.mark.parametrize("targets", [1, 2])
def test_dask_collections_are_read_where_they_are(front, targets):
    dask = pytest.importorskip("dask.array", reason="dask is not installed")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 6)) + 3, rng.normal(size=(200, targets)).squeeze()
    y = (X[:, :targets].squeeze() + y).astype(float)
    model = make_pipeline(*front, GDLinearRegression(max_iter=300))
    grid = [{"gdlinearregression__alpha": [0.1, 1.0]}, {"gdlinearregression__learning_rate": [0.01, 0.05]}]

    def search(X, y):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # at small rates
            return GDSearchCV(model, grid, cv=3, refit=False).fit(X, y)

    lazy = search(dask.from_array(X, chunks=(50, 6)), dask.from_array(y, chunks=(70,) if targets == 1 else (70, 2)))
    assert all(lazy.shared_.shared)
    score = "mean_test_score"
    np.testing.assert_allclose(lazy.cv_results_[score], search(X, y).cv_results_[score], rtol=1e-10)
