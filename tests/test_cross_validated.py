"""Paths over the penalty, the estimators that choose it, and leave-one-out: beside fits one by one, and beside scikit-learn's."""

import ast
import inspect

import numpy as np
import pytest
import scipy.sparse
import scipy.special
from numpydoc.docscrape import ClassDoc
from numpydoc.validate import validate
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV, Ridge, RidgeCV
from sklearn.metrics import log_loss, make_scorer, mean_absolute_error
from sklearn.model_selection import GridSearchCV, KFold, LeaveOneOut, ShuffleSplit, StratifiedKFold, cross_val_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_gd import (
    GDHuberRegression,
    GDLinearRegression,
    GDLinearRegressionCV,
    GDLogisticRegression,
    GDLogisticRegressionCV,
    GDPoissonRegression,
    GDQuantileRegression,
    compiled,
)
from sklearn_gd.base import Ingested
from sklearn_gd.exceptions import SeparationWarning
from sklearn_gd.searches import fit_path
from sklearn_gd.searches.fold_paths import fold_paths
from sklearn_gd.searches.leave_one_out import most
from sklearn_gd.searches.paths import pointers

CS = np.logspace(-4, 4, 10)
needs_kernels = pytest.mark.skipif(
    compiled.kernels is None, reason="no compiler where sklearn_gd was installed, or SKLEARN_GD_LEVEL is none"
)


# ------------------------------------------------------------------------------------------------ scikit-learn's checks

ESTIMATORS = [
    GDLogisticRegressionCV(),
    GDLogisticRegressionCV(cv=3, class_weight="balanced"),
    GDLogisticRegressionCV(cv=2, refit=False),
    GDLogisticRegressionCV(cv="loo", scoring="neg_log_loss"),
    GDLogisticRegressionCV(Cs=[0.1, 1.0], scoring="f1_macro"),
    GDLinearRegressionCV(),
    GDLinearRegressionCV(cv=3),
    GDLinearRegressionCV(scoring="neg_mean_absolute_error"),
]
_PAIRS = parametrize_with_checks(ESTIMATORS).mark
# That of array libraries needs a variable of the environment before SciPy is imported, and these estimators take NumPy's arrays alone.
_CHECKS = [pair for pair in _PAIRS.args[1] if "check_array_api" not in repr(pair[1])]


# The checks fit a handful of rows; folds of these may be separable.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(_PAIRS.args[0], _CHECKS, **_PAIRS.kwargs)
def test_estimator(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", [GDLogisticRegressionCV, GDLinearRegressionCV])
def test_docstrings(estimator):
    name = f"sklearn_gd.{estimator.__name__}"
    # as in test_docstrings.py
    ignored = {"GL01", "GL02", "GL07", "ES01", "SA01", "EX01", "RT02"}
    assert not [error for error in validate(name)["errors"] if error[0] not in ignored]
    doc, signature = ClassDoc(estimator), inspect.signature(estimator).parameters
    assert [entry.name for entry in doc["Parameters"]] == list(signature)
    for entry in doc["Parameters"]:
        assert ast.literal_eval(entry.type.partition("default=")[2]) == signature[entry.name].default, entry.name
    X = np.random.default_rng(0).standard_normal((30, 2))
    stored = {"store_cv_results": True} if estimator is GDLinearRegressionCV else {}
    model = estimator(**stored).fit(X, (X[:, 0] + 0.5 * X[:, 1] ** 2 > 0).astype(int))
    model.feature_names_in_ = None  # fitted where X has names
    fitted = {name for name in vars(model) if name.endswith("_") and not name.startswith("_")}
    assert {entry.name for entry in doc["Attributes"]} == fitted


# ------------------------------------------------------------------------------------------------ paths


def binary(n=200, p=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.lognormal(size=p)
    return X, (X @ (rng.normal(size=p) / X.std(axis=0)) + 2 * rng.logistic(size=n) > 0).astype(int)


DATA = {
    "binary": binary(),
    "raw": load_breast_cancer(return_X_y=True),
    "iris": load_iris(return_X_y=True),
    "sparse and wide": (
        scipy.sparse.random(80, 300, density=0.05, random_state=0, format="csr"),
        np.random.default_rng(0).integers(0, 2, 80),
    ),
    "wide": (np.random.default_rng(0).normal(size=(40, 90)), np.arange(40) % 3),
    "single precision": (binary()[0].astype(np.float32), binary()[1]),
    "text": (binary()[0], np.array(["no", "yes"])[binary()[1]]),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", DATA)
def test_a_path_over_C_has_the_optima_of_its_values(name, weighted):
    X, y = DATA[name]
    weight = np.random.default_rng(1).integers(0, 3, len(y)) if weighted else None
    values = [1.0, 1e-3, 30.0]
    models = fit_path(GDLogisticRegression(), "C", values, X, y, weight)
    for value, model in zip(values, models, strict=True):
        alone = GDLogisticRegression(C=value).fit(X, y, weight)
        assert value == model.C
        assert set(vars(model)) == set(vars(alone))
        assert np.array_equal(model.classes_, alone.classes_)
        assert model.coef_.dtype == alone.coef_.dtype
        assert model.history_["gradient_norm"][-1] <= model.tol or model.stop_reason_ == "precision"
        assert len(model.loss_curve_) == model.n_iter_ + 1
        assert sum(stage["iterations"] for stage in model.stages_) == model.n_iter_
        # the criterion is the root of the relative gap, in float32 above its rounding errors
        assert model.loss_curve_[-1] == pytest.approx(
            alone.loss_curve_[-1], rel=1e-9 if X.dtype == np.float64 else 1e-5
        )
        scale = np.abs(alone.coef_).max()
        assert np.abs(model.coef_ - alone.coef_).max() <= (1e-4 if X.dtype == np.float64 else 2e-3) * scale


def test_a_path_takes_fewer_iterations_than_its_fits():
    X, y = DATA["raw"]
    path = fit_path(GDLogisticRegression(), "C", CS, X, y)
    alone = [GDLogisticRegression(C=C).fit(X, y) for C in CS]
    assert sum(model.n_iter_ for model in path) < 0.8 * sum(model.n_iter_ for model in alone)


@pytest.mark.parametrize("shape", [(100, 7), (30, 60), (30, 30)])
def test_a_path_over_alpha_has_the_solutions_of_its_values(shape):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=shape) + 3, rng.normal(size=(shape[0], 2))
    values = [0.1, 1e-4, 10.0]
    for value, model in zip(values, fit_path(GDLinearRegression(), "alpha", values, X, Y), strict=True):
        alone = GDLinearRegression(alpha=value).fit(X, Y)
        assert set(vars(model)) == set(vars(alone))
        np.testing.assert_allclose(model.coef_, alone.coef_, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(model.intercept_, alone.intercept_, rtol=1e-6)


def test_a_path_of_a_rule_that_the_user_chose():
    X, y = StandardScaler().fit_transform(DATA["raw"][0]), DATA["raw"][1]
    model = GDLogisticRegression(learning_rate=1.0, momentum=0.9, tol=1e-3, max_iter=3000)
    for value, found in zip([0.1, 0.01], fit_path(model, "C", [0.1, 0.01], X, y), strict=True):
        alone = clone(model).set_params(C=value).fit(X, y)
        assert found.stop_reason_ == alone.stop_reason_ == "gradient"
        assert found.loss_curve_[-1] == pytest.approx(alone.loss_curve_[-1], rel=1e-5)


def test_a_path_to_no_penalty_warns_as_a_fit_does():
    X = np.linspace(-1, 1, 20)[:, None]
    with pytest.warns(SeparationWarning):
        models = fit_path(GDLogisticRegression(), "C", [1.0, np.inf], X, X[:, 0] > 0)
    assert models[0].stop_reason_ == "gradient"
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        fit_path(GDLogisticRegression(max_iter=1), "C", [1.0, 10.0], *DATA["raw"])


def test_what_a_path_refuses():
    X, y = DATA["binary"]
    with pytest.raises(ValueError, match="a path is over the penalty, got 'tol'"):
        fit_path(GDLogisticRegression(), "tol", [1e-3], X, y)
    with pytest.raises(ValueError, match="got 'C' of GDLinearRegression"):
        fit_path(GDLinearRegression(), "C", [1.0], X, y)
    with pytest.raises(ValueError, match="C must be in"):
        fit_path(GDLogisticRegression(), "C", [1.0, -1.0], X, y)
    with pytest.raises(ValueError, match="NaN"):
        fit_path(GDLogisticRegression(), "C", [1.0], np.full((20_000, 10), np.nan), np.arange(20_000) % 2)
    assert fit_path(GDLogisticRegression(), "C", [], X, y) == []


@pytest.mark.parametrize("model", [GDPoissonRegression(), GDHuberRegression(), GDQuantileRegression()])
def test_a_path_of_every_loss_has_its_own_fits(model):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = rng.poisson(np.exp(0.5 * X[:, 0])).astype(float)
    values, weight = [0.001, 1.0, 0.1], rng.integers(1, 3, len(y)).astype(float)
    for value, found in zip(values, fit_path(model, "alpha", values, X, y, weight), strict=True):
        alone = clone(model).set_params(alpha=value).fit(X, y, sample_weight=weight)
        np.testing.assert_allclose(found.coef_, alone.coef_, atol=1e-5)
        assert vars(found).keys() == vars(alone).keys()


# ------------------------------------------------------------------------------------------------ logistic regression


@pytest.mark.parametrize("name", ["binary", "iris", "text", "sparse and wide"])
@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss"])
def test_scores_are_those_of_a_grid_search(name, scoring):
    X, y = DATA[name]
    Cs = [0.01, 1.0, 100.0]
    model = GDLogisticRegressionCV(Cs=Cs, cv=3, scoring=scoring, tol=1e-8).fit(X, y)
    grid = GridSearchCV(GDLogisticRegression(tol=1e-8), {"C": Cs}, cv=3, scoring=scoring).fit(X, y)
    scores = np.stack([grid.cv_results_[f"split{k}_test_score"] for k in range(3)])
    np.testing.assert_allclose(model.scores_, scores, atol=1e-8 if scoring == "accuracy" else 1e-6)
    assert grid.best_params_["C"] == model.C_
    np.testing.assert_allclose(model.coef_, grid.best_estimator_.coef_, rtol=1e-5, atol=1e-8)
    assert np.array_equal(model.predict(X), grid.predict(X))


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_folds_side_by_side_end_where_they_do_one_by_one(weighted, fit_intercept):
    """Of raw columns, in any order of the values, one of them twice; the criterion is the fits' own."""
    X, y = load_breast_cancer(return_X_y=True)
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float) if weighted else None
    Cs = np.array([10.0, 1e-3, 1e3, 0.1, 10.0, 1.0])
    trains = [train for train, _ in StratifiedKFold(3).split(X, y)]
    model = GDLogisticRegression(tol=1e-8, fit_intercept=fit_intercept)
    found = fold_paths(model, Cs, Ingested(X, y, weight), trains)
    for k, train in enumerate(trains):
        for j, C in enumerate(Cs):
            some = None if weight is None else weight[train]
            alone = clone(model).set_params(C=C).fit(X[train], y[train], some)
            raw = X @ found.coefs[k, j, 0, :30] + (found.coefs[k, j, 0, 30] if fit_intercept else 0.0)
            np.testing.assert_allclose(scipy.special.expit(raw), alone.predict_proba(X)[:, 1], atol=1e-5)


def many_rows(n=3000, p=30):
    """Rows of which folds share the reads: six columns are ones in a few rows each."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(n, p)) * np.logspace(-2, 2, p) + np.logspace(-1, 3, p)
    X[:, :6] = rng.random((n, 6)) < 2e-3
    about = (X - X.mean(axis=0)) / X.std(axis=0)
    return X, (about @ rng.normal(size=p) + rng.logistic(size=n) > 1).astype(int)


@needs_kernels
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "cv", [StratifiedKFold(4), KFold(3, shuffle=True, random_state=0), ShuffleSplit(4, random_state=0)]
)
def test_folds_of_many_rows_end_where_they_do_one_by_one(cv, weighted, fit_intercept):
    X, y = many_rows()
    X = X if fit_intercept else X - X.mean(axis=0)
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float) if weighted else None
    Cs = np.array([10.0, 1e-3, 1e3, 0.1, 10.0, 1.0])
    trains = [train for train, _ in cv.split(X, y)]
    model = GDLogisticRegression(tol=1e-8, fit_intercept=fit_intercept)
    found = fold_paths(model, Cs, Ingested(X, y, weight), trains)
    assert found.rows.kept is None
    assert found.steps.max() < 15
    for k, train in enumerate(trains):
        some = None if weight is None else weight[train]
        for j in (1, 2, 4):
            alone = clone(model).set_params(C=Cs[j]).fit(X[train], y[train], some)
            raw = X @ found.coefs[k, j, 0, :30] + (found.coefs[k, j, 0, 30] if fit_intercept else 0.0)
            np.testing.assert_allclose(scipy.special.expit(raw), alone.predict_proba(X)[:, 1], atol=1e-5)
    np.testing.assert_array_equal(found.coefs[:, 0], found.coefs[:, 4])


@needs_kernels
def test_folds_of_many_rows_that_share_nothing():
    X, y = many_rows()
    trains = [np.arange(2000), np.arange(1000, 3000)]

    def paths(trains, y=y):
        return fold_paths(GDLogisticRegression(), np.array([1.0]), Ingested(X, y, None), trains)

    assert paths(trains) is not None
    assert paths([*trains, np.repeat(np.arange(1000), 2)]) is None  # rows twice
    assert (
        paths([train for train, _ in ShuffleSplit(12, random_state=0).split(X)]) is None
    )  # a group for every few rows
    assert paths(trains, np.where(np.arange(3000) < 2500, 0, y)) is None  # one class


def test_optima_point_to_the_next_penalty():
    alphas, there = [1.0, 0.3, 0.1], 0.05
    known = np.array([2 + 3 * x - 5 * x**2 for x in np.log(alphas)])
    x = np.log(there)
    np.testing.assert_allclose(pointers(alphas, there) @ known, 2 + 3 * x - 5 * x**2, rtol=1e-12)
    for alphas, there in (([1.0, 0.3, 0.1], 1e-3), ([1.0, 0.3, 0.3], 0.1), ([1.0, 0.3, 0.1], 0.0), ([0.3], 0.1)):
        np.testing.assert_array_equal(pointers(alphas, there), [0.0] * (len(alphas) - 1) + [1.0])


def test_what_has_more_to_tell_is_fitted_one_by_one():
    X, y = DATA["binary"]
    trains = [np.arange(100), np.arange(100, 200)]

    def paths(X, model=None, Cs=(1.0,)):
        return fold_paths(model or GDLogisticRegression(), np.array(Cs), Ingested(X, y, None), trains)

    assert paths(X) is not None
    assert paths(X, GDLogisticRegression(max_iter=1)) is None
    assert paths(X, GDLogisticRegression(tol=0)) is None
    assert paths(X, Cs=(1.0, np.inf)) is None
    assert paths(X.astype(np.float32)) is None
    assert paths(np.full_like(X, np.nan)) is None
    # columns that depend on each other, with next to no penalty
    assert paths(np.hstack([X, X]), Cs=(1e14,)) is None


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0, 1: 1.0, 2: 0.5}])
def test_beside_scikit_learns_LogisticRegressionCV(refit, class_weight):
    X, y = DATA["iris"]
    weight = np.random.default_rng(0).integers(1, 4, len(y))
    options = {"Cs": 4, "cv": KFold(3, shuffle=True, random_state=0), "scoring": "neg_log_loss", "refit": refit}
    ours = GDLogisticRegressionCV(class_weight=class_weight, tol=1e-8, **options).fit(X, y, weight)
    theirs = LogisticRegressionCV(class_weight=class_weight, solver="newton-cholesky", tol=1e-9, **options)
    if "use_legacy_attributes" in theirs.get_params():
        theirs.set_params(use_legacy_attributes=False, l1_ratios=(0,))
    theirs.fit(X, y, weight)
    scores = theirs.scores_[0] if isinstance(theirs.scores_, dict) else theirs.scores_
    np.testing.assert_allclose(ours.scores_, np.reshape(scores, ours.scores_.shape), rtol=1e-5)
    np.testing.assert_allclose(ours.C_, np.ravel(theirs.C_)[0])
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(ours.Cs_, theirs.Cs_)
    assert ours.coefs_paths_.shape == (3, 4, 3, 5)
    assert ours.n_iter_.shape == (3, 4)


def test_a_class_that_a_fold_lacks_has_no_probability_there():
    X, y = DATA["iris"]
    y = y.copy()
    y[:] = np.arange(len(y)) % 2
    y[0] = 2  # in one fold's test rows alone
    splits = [(np.arange(1, 150), np.arange(10)), (np.arange(75), np.arange(75, 150))]
    model = GDLogisticRegressionCV(Cs=[1.0], cv=splits, scoring="neg_log_loss").fit(X, y)
    assert np.isneginf(model.coefs_paths_[0, 0, 2, -1])
    assert np.isfinite(model.coefs_paths_[1]).all()
    # of the two that are there the difference is that of a model of two classes, with the penalty of both
    two = GDLogisticRegression(C=2.0).fit(X[1:], y[1:])
    difference = model.coefs_paths_[0, 0, 1] - model.coefs_paths_[0, 0, 0]
    np.testing.assert_allclose(difference[:-1], two.coef_[0], rtol=1e-6)
    assert np.isfinite(model.scores_).all()
    assert model.classes_.tolist() == [0, 1, 2]


def test_rows_without_weight_are_no_rows():
    X, y = DATA["binary"]
    weight = np.ones(len(y))
    weight[::4] = 0
    y = y.copy()
    y[0] = 7  # a class of rows without weight is none
    kept = np.flatnonzero(weight)
    folds = [(np.arange(100), np.arange(100, 200)), (np.arange(100, 200), np.arange(100))]
    of_kept = [tuple(np.flatnonzero(np.isin(kept, rows)) for rows in fold) for fold in folds]
    for scoring in ("accuracy", "neg_log_loss"):
        one = GDLogisticRegressionCV(Cs=3, cv=folds, scoring=scoring).fit(X, y, weight)
        other = GDLogisticRegressionCV(Cs=3, cv=of_kept, scoring=scoring).fit(X[kept], y[kept])
        np.testing.assert_allclose(one.scores_, other.scores_, rtol=1e-12)
        np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-9)
    loo = [GDLogisticRegressionCV(Cs=3, cv="loo").fit(*data) for data in ((X, y, weight), (X[kept], y[kept]))]
    np.testing.assert_allclose(loo[0].scores_, loo[1].scores_, rtol=1e-12)


def test_a_scorer_that_asks_the_model(tmp_path):
    X, y = DATA["binary"]
    callable_scorer = make_scorer(log_loss, greater_is_better=False, response_method="predict_proba")
    one = GDLogisticRegressionCV(Cs=3, cv=3, scoring=callable_scorer).fit(X, y)
    other = GDLogisticRegressionCV(Cs=3, cv=3, scoring="neg_log_loss").fit(X, y)
    np.testing.assert_allclose(one.scores_, other.scores_, rtol=1e-10)
    # rows in a file are read there
    np.save(tmp_path / "X.npy", X)
    stored = GDLogisticRegressionCV(Cs=3, cv=StratifiedKFold(3, shuffle=True, random_state=0))
    in_memory = clone(stored).fit(X, y)
    stored.fit(np.load(tmp_path / "X.npy", mmap_mode="r"), y)
    np.testing.assert_allclose(stored.scores_, in_memory.scores_, atol=1e-12)
    np.testing.assert_allclose(stored.coef_, in_memory.coef_, rtol=1e-5)


@pytest.mark.parametrize(
    ("params", "error", "text"),
    [
        ({"Cs": 0}, ValueError, "Cs must be at least 1"),
        ({"Cs": []}, ValueError, "Cs must have at least one value"),
        ({"Cs": [1.0, 0.0]}, ValueError, r"each of Cs must be in \(0"),
        ({"Cs": ["a"]}, TypeError, "each of Cs must be a number"),
        ({"refit": "yes"}, TypeError, "refit must be True or False"),
        ({"cv": "five"}, ValueError, "cv must be one of 'loo'"),
        ({"scoring": "best"}, ValueError, "scoring"),
        ({"tol": -1.0}, ValueError, "tol must be in"),
        ({"class_weight": "some"}, ValueError, "class_weight must be"),
    ],
)
def test_parameters_are_refused_before_the_data_are_looked_at(params, error, text):
    with pytest.raises(error, match=text):
        GDLogisticRegressionCV(**params).fit(None, None)


def test_a_failed_fit_loses_nothing():
    model = GDLogisticRegressionCV(Cs=2, cv=2).fit(*DATA["binary"])
    before = model.coef_
    with pytest.raises(ValueError, match="one class"):
        model.fit(DATA["binary"][0], np.zeros(200))
    assert model.coef_ is before
    with pytest.raises(ValueError, match="two samples of each class, and 1 has one"):
        GDLogisticRegressionCV(cv="loo").fit(np.eye(4), [0, 0, 0, 1])


# ------------------------------------------------------------------------------------------------ leave-one-out


def left_out_one_by_one(X, y, C):
    """The probabilities of each row by a fit without it."""
    found = np.empty((len(y), len(np.unique(y))))
    for i in range(len(y)):
        kept = np.arange(len(y)) != i
        found[i] = GDLogisticRegression(C=C).fit(X[kept], y[kept]).predict_proba(X[[i]])
    return found


@pytest.mark.parametrize(
    "name", ["raw", "standardised", "wide", "iris", "separated", "heavy tails", "very heavy tails"]
)
def test_left_out_log_losses_are_within_a_hundredth(name):
    """At penalties at which Newton's step alone is off by up to a fifth, too."""
    X, y = load_breast_cancer(return_X_y=True)
    if name == "standardised":
        X = StandardScaler().fit_transform(X)
    elif name == "wide":
        rng = np.random.default_rng(3)
        X = rng.normal(size=(60, 100))
        y = (X[:, 0] + rng.normal(size=60) > 0).astype(int)
    elif name == "iris":
        X, y = load_iris(return_X_y=True)
    elif name == "separated":
        X, y = load_wine(return_X_y=True)
    elif name == "heavy tails":  # not among the data on which the guard was developed
        rng = np.random.default_rng(11)
        X = rng.standard_t(2, size=(150, 12))
        y = (X[:, :3].sum(axis=1) + rng.standard_t(2, size=150) > 0).astype(int)
    elif name == "very heavy tails":  # rows of much leverage, with short steps
        rng = np.random.default_rng(5)
        X = rng.standard_t(1.2, size=(300, 5))
        y = (X[:, :2].sum(axis=1) + rng.standard_t(1.2, size=300) > 0).astype(int)
    if name in ("raw", "standardised", "separated"):  # every second one, or the fits one by one would take a minute
        X, y = X[::2], y[::2]
    Cs = [1e-4, 1e-1, 167.0, 1e4]
    model = GDLogisticRegressionCV(Cs=Cs, cv="loo", scoring="neg_log_loss").fit(X, y)
    for C, score in zip(Cs, model.scores_[0], strict=True):
        exact = -log_loss(y, left_out_one_by_one(X, y, C))
        assert score == pytest.approx(exact, rel=1e-2), C


def test_leave_one_out_by_its_splitter_and_other_scores():
    X, y = DATA["binary"]
    by_name = GDLogisticRegressionCV(Cs=3, cv="loo", scoring="roc_auc").fit(X, y)
    by_splitter = GDLogisticRegressionCV(Cs=3, cv=LeaveOneOut(), scoring="roc_auc").fit(X, y)
    assert np.array_equal(by_name.scores_, by_splitter.scores_)
    assert by_name.scores_.shape == (1, 3)
    probabilities = left_out_one_by_one(X, y, by_name.C_)[:, 1]
    order = probabilities[y == 1][:, None] > probabilities[y == 0]
    assert by_name.scores_.max() == pytest.approx(order.mean(), abs=1e-3)
    accuracy = GDLogisticRegressionCV(Cs=[1.0], cv="loo").fit(X, y)
    folds = cross_val_score(GDLogisticRegression(), X, y, cv=LeaveOneOut())
    assert accuracy.scores_[0, 0] == pytest.approx(folds.mean(), abs=0.011)
    assert accuracy.score(X, y) == np.mean(accuracy.predict(X) == y)
    assert by_name.score(X, y) > accuracy.score(X, y)  # the area under the curve, not the accuracy
    # the optimum of all rows is an end of the path already
    np.testing.assert_allclose(accuracy.coef_, GDLogisticRegression().fit(X, y).coef_, rtol=1e-6)


def test_weights_of_leave_one_out():
    X, y = binary(60, 3)
    weight = np.random.default_rng(0).integers(1, 4, 60).astype(float)
    model = GDLogisticRegressionCV(Cs=[1.0], cv="loo", scoring="neg_log_loss").fit(X, y, weight)
    losses = []
    for i in range(60):
        kept = np.arange(60) != i
        alone = GDLogisticRegression().fit(X[kept], y[kept], weight[kept])
        losses.append(-alone.predict_log_proba(X[[i]])[0, y[i]])
    assert -model.scores_[0, 0] == pytest.approx(np.average(losses, weights=weight), rel=1e-3)


def test_most_leaves_out_what_is_little_together():
    assert most(np.array([0.1, 5.0, 0.2, 1.0]), 0.35).tolist() == [1, 3]
    assert most(np.array([0.1, 5.0]), 10.0).tolist() == []


# ------------------------------------------------------------------------------------------------ least squares


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", [(40, 6), (25, 60), (20, 20)])
def test_left_out_residuals_are_exact(shape, fit_intercept):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=shape) + 2, rng.normal(size=(shape[0], 2))
    weight = rng.integers(0, 4, shape[0]).astype(float)
    alphas = [1e-4, 0.1, 10.0]
    for weights in (None, weight):
        model = GDLinearRegressionCV(alphas=alphas, fit_intercept=fit_intercept, store_cv_results=True)
        model.fit(X, Y, weights)
        s = np.ones(shape[0]) if weights is None else weights
        for k, alpha in enumerate(alphas):
            for i in np.flatnonzero(s):
                kept = (np.arange(shape[0]) != i) & (s > 0)
                alone = Ridge(alpha=alpha * s[kept].sum(), fit_intercept=fit_intercept, solver="svd")
                alone.fit(X[kept], Y[kept], s[kept])
                errors = s[i] * (alone.predict(X[[i]])[0] - Y[i]) ** 2
                np.testing.assert_allclose(model.cv_results_[i, :, k], errors, rtol=1e-8, atol=1e-12)
        scores = -model.cv_results_.mean(axis=(0, 1))
        assert model.best_score_ == pytest.approx(scores.max(), rel=1e-12)
        assert model.alpha_ == alphas[int(scores.argmax())]
        alone = GDLinearRegression(alpha=model.alpha_, fit_intercept=fit_intercept).fit(X, Y, weights)
        np.testing.assert_allclose(model.coef_, alone.coef_, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("sparse", [False, True])
def test_beside_scikit_learns_RidgeCV(sparse):
    X, y = load_diabetes(return_X_y=True)
    ours = GDLinearRegressionCV(store_cv_results=True).fit(scipy.sparse.csr_array(X) if sparse else X, y)
    theirs = RidgeCV(alphas=(len(y) - 1) * np.array(ours.alphas), store_cv_results=True).fit(X, y)
    assert ours.alpha_ == pytest.approx(theirs.alpha_ / (len(y) - 1))
    assert ours.best_score_ == pytest.approx(theirs.best_score_, rel=1e-8)
    np.testing.assert_allclose(ours.cv_results_, theirs.cv_results_, rtol=1e-8, atol=1e-8)


def test_leave_one_out_without_a_penalty_and_with_columns_that_depend_on_each_other():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    one = GDLinearRegressionCV(alphas=[0.0], store_cv_results=True).fit(X, y)
    twice = GDLinearRegressionCV(alphas=[0.0], store_cv_results=True).fit(np.hstack([X, X, np.ones((30, 1))]), y)
    np.testing.assert_allclose(twice.cv_results_, one.cv_results_, rtol=1e-5)
    leverage = np.einsum("ij,ji->i", np.c_[X, np.ones(30)], np.linalg.pinv(np.c_[X, np.ones(30)]))
    residual = y - GDLinearRegression().fit(X, y).predict(X)
    np.testing.assert_allclose(one.cv_results_[:, 0], (residual / (1 - leverage)) ** 2, rtol=1e-8)


def test_other_scores_and_folds_of_least_squares():
    X, y = load_diabetes(return_X_y=True)
    alphas = [1e-5, 1e-3, 0.1]
    model = GDLinearRegressionCV(alphas=alphas, scoring="neg_mean_absolute_error", store_cv_results=True).fit(X, y)
    errors = [-mean_absolute_error(y, column) for column in model.cv_results_.T]
    assert model.best_score_ == pytest.approx(max(errors))
    folds = GDLinearRegressionCV(alphas=alphas, cv=4).fit(X, y)
    grid = GridSearchCV(GDLinearRegression(), {"alpha": alphas}, cv=4).fit(X, y)
    assert folds.best_score_ == pytest.approx(grid.best_score_, rel=1e-8)
    assert folds.alpha_ == grid.best_params_["alpha"]
    assert not hasattr(folds, "cv_results_")
    with pytest.raises(ValueError, match="store_cv_results=True goes with leave-one-out"):
        GDLinearRegressionCV(cv=4, store_cv_results=True).fit(X, y)
    with pytest.raises(ValueError, match="each of alphas must be in"):
        GDLinearRegressionCV(alphas=[-1.0]).fit(X, y)


def test_one_row_cannot_be_left_out():
    for weight in (None, [1.0, 0.0]):
        with pytest.raises(ValueError, match="at least 2 samples that have a weight, got n_samples=1"):
            GDLinearRegressionCV().fit(
                np.ones((1 if weight is None else 2, 2)), [1.0] * (1 if weight is None else 2), weight
            )


def test_arrays_outside_numpy_are_refused_in_the_tags():
    assert not get_tags(GDLinearRegressionCV()).array_api_support
    assert not get_tags(GDLogisticRegressionCV()).array_api_support


def test_dask_is_refused_with_what_to_do():
    dask = pytest.importorskip("dask.array", reason="dask is not installed")
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(TypeError, match="use GridSearchCV"):
        GDLinearRegressionCV().fit(dask.from_array(X), y)
