"""In the places where scikit-learn's users put an estimator: searches, ensembles, wrappers, files.

All data are real ones that scikit-learn brings; what comes out is compared with what a linear model of
scikit-learn does in the same place, or with a number that it must reach.
"""

import copy
import io
import pickle

import joblib
import numpy as np
import pytest
import sklearn
from scipy.stats import loguniform
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_linnerud, load_wine
from sklearn.ensemble import BaggingClassifier, StackingRegressor, VotingClassifier
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - its import is what it does
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler

from sklearn_gd import GDLinearRegression, GDLogisticRegression, steps

RATES = [1e-3, 1e-2, 0.1, 1, 10, 100]


@pytest.fixture
def diabetes():
    return load_diabetes(return_X_y=True)


@pytest.fixture
def cancer():
    return load_breast_cancer(return_X_y=True)


@pytest.fixture
def wine():
    return load_wine(return_X_y=True)


# --- pipelines and searches ------------------------------------------------------------------------------


def test_pipeline(cancer):
    ours = make_pipeline(StandardScaler(), GDLogisticRegression()).fit(*cancer)
    theirs = make_pipeline(StandardScaler(), LogisticRegression(tol=1e-8, max_iter=1000)).fit(*cancer)
    np.testing.assert_allclose(ours.predict_proba(cancer[0]), theirs.predict_proba(cancer[0]), atol=1e-4)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_grid_search_ranks_diverging_rates_last(diabetes, n_jobs):
    pipeline = make_pipeline(StandardScaler(), GDLinearRegression(on_divergence="raise", max_iter=300))
    search = GridSearchCV(pipeline, {"gdlinearregression__learning_rate": RATES}, cv=3, n_jobs=n_jobs)
    with pytest.warns() as record:
        search.fit(*diabetes)
    categories = {warning.category for warning in record}
    assert FitFailedWarning in categories
    # FitFailedWarning is one itself; no other comes out of NumPy.
    assert not any(issubclass(category, RuntimeWarning) for category in categories - {FitFailedWarning})
    scores = search.cv_results_["mean_test_score"]
    # Standardised, with L about 4: two over that is where divergence begins.
    assert np.isnan(scores).tolist() == [False, False, False, True, True, True]
    ranks = search.cv_results_["rank_test_score"]
    assert min(ranks[3:]) > max(ranks[:3])
    assert search.best_params_["gdlinearregression__learning_rate"] in RATES[:3]
    assert np.all(np.isfinite(search.best_estimator_[-1].coef_))


def test_grid_search_where_divergence_only_warns(diabetes):
    """The default: no candidate is lost, a diverging one scores what its best iterate scores."""
    pipeline = make_pipeline(StandardScaler(), GDLinearRegression(max_iter=300))
    search = GridSearchCV(pipeline, {"gdlinearregression__learning_rate": RATES}, cv=3)
    with pytest.warns(ConvergenceWarning):
        search.fit(*diabetes)
    scores = search.cv_results_["mean_test_score"]
    assert np.all(np.isfinite(scores))
    assert search.best_params_["gdlinearregression__learning_rate"] in RATES[:3]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # rates at random: some are too small
def test_randomized_search(cancer):
    pipeline = make_pipeline(StandardScaler(), GDLogisticRegression())
    search = RandomizedSearchCV(
        pipeline,
        {
            "gdlogisticregression__learning_rate": loguniform(1e-3, 1e1),
            "gdlogisticregression__C": loguniform(1e-3, 1e3),
        },
        n_iter=6,
        cv=3,
        n_jobs=2,
        random_state=0,
    )
    assert search.fit(*cancer).best_score_ > 0.95


def test_halving_grid_search(diabetes):
    search = HalvingGridSearchCV(
        make_pipeline(StandardScaler(), GDLinearRegression(on_divergence="raise", max_iter=300)),
        {"gdlinearregression__learning_rate": RATES},
        cv=3,
        min_resources=100,
        random_state=0,
    )
    with pytest.warns() as record:
        search.fit(*diabetes)
    assert any(warning.category is FitFailedWarning for warning in record)
    assert search.best_params_["gdlinearregression__learning_rate"] in RATES[:3]
    assert np.isfinite(search.best_score_)


def test_halving_over_iterations(diabetes):
    """max_iter as the resource: more iterations for the candidates that come down fastest."""
    search = HalvingGridSearchCV(
        make_pipeline(StandardScaler(), GDLinearRegression(momentum=0.5)),
        {"gdlinearregression__learning_rate": [1e-4, 1e-3, 1e-2, 1e-1]},
        resource="gdlinearregression__max_iter",
        max_resources=400,
        min_resources=5,
        factor=2,
        cv=3,
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning):
        search.fit(*diabetes)
    assert search.best_params_["gdlinearregression__learning_rate"] == 0.1


def test_search_over_rules_and_over_the_parameters_of_a_rule(diabetes):
    X, y = StandardScaler().fit_transform(diabetes[0]), diabetes[1]
    search = GridSearchCV(
        GDLinearRegression(learning_rate=steps.InverseTime(learning_rate=0.3), tol=1e-4, max_iter=3000),
        {"learning_rate__decay": [0.0, 1e-4, 100.0]},
        cv=2,
    )
    with pytest.warns(ConvergenceWarning):  # with the large decay it never gets there
        search.fit(X, y)
    assert search.best_params_["learning_rate__decay"] in (0.0, 1e-4)
    rules = GridSearchCV(
        GDLinearRegression(max_iter=20_000), {"learning_rate": ["auto", "lipschitz", steps.BarzilaiBorwein()]}, cv=2
    ).fit(X, y)
    # All of them find the optimum, so all score the same.
    np.testing.assert_allclose(rules.cv_results_["mean_test_score"], rules.best_score_, rtol=1e-3)


def test_set_params_reaches_into_a_rule():
    estimator = GDLinearRegression(learning_rate=steps.InverseTime(learning_rate=0.3))
    estimator.set_params(learning_rate__decay=0.25)
    assert estimator.learning_rate.decay == 0.25
    assert estimator.get_params()["learning_rate__learning_rate"] == 0.3
    copied = clone(estimator)
    assert copied.learning_rate is not estimator.learning_rate
    assert copied.learning_rate.get_params() == estimator.learning_rate.get_params()
    copied.set_params(learning_rate__decay=0.5)
    assert estimator.learning_rate.decay == 0.25
    # The rule itself may be exchanged and changed at once.
    estimator.set_params(learning_rate=steps.Exponential(), learning_rate__decay=0.5)
    assert estimator.learning_rate.decay == 0.5


def test_a_fit_leaves_the_rule_of_the_user_as_it_was(diabetes):
    rule = steps.BarzilaiBorwein()
    before = vars(rule).copy()
    first = GDLinearRegression(learning_rate=rule, max_iter=10_000).fit(*diabetes)
    second = GDLinearRegression(learning_rate=rule, max_iter=10_000).fit(*diabetes)
    assert vars(rule) == before
    np.testing.assert_array_equal(first.coef_, second.coef_)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_cross_validate(cancer, n_jobs):
    pipeline = make_pipeline(StandardScaler(), GDLogisticRegression())
    scores = cross_validate(
        pipeline, *cancer, cv=3, n_jobs=n_jobs, scoring=["accuracy", "neg_log_loss"], return_estimator=True
    )
    theirs = cross_validate(
        make_pipeline(StandardScaler(), LogisticRegression()), *cancer, cv=3, scoring="neg_log_loss"
    )
    np.testing.assert_allclose(scores["test_neg_log_loss"], theirs["test_score"], rtol=1e-2)
    assert all(estimator[-1].stop_reason_ == "gradient" for estimator in scores["estimator"])


def test_cross_val_predict_of_probabilities(wine):
    proba = cross_val_predict(GDLogisticRegression(), *wine, method="predict_proba", cv=3)
    assert np.mean(proba.argmax(axis=1) == wine[1]) > 0.9


def test_learning_and_validation_curves(diabetes):
    _, _, scores = learning_curve(GDLinearRegression(), *diabetes, cv=3, train_sizes=[0.3, 1.0], n_jobs=2)
    assert scores.mean(axis=1)[1] > 0.4
    train, _ = validation_curve(GDLinearRegression(), *diabetes, param_name="alpha", param_range=[0, 1e-3, 1e3], cv=3)
    assert np.all(np.diff(train.mean(axis=1)) < 0)  # the more penalty, the worse the fit


# --- wrappers --------------------------------------------------------------------------------------------


def test_calibrated_classifier(cancer):
    model = CalibratedClassifierCV(make_pipeline(StandardScaler(), GDLogisticRegression()), cv=3, n_jobs=2).fit(*cancer)
    assert model.score(*cancer) > 0.95


def test_bagging_classifier(cancer):
    model = BaggingClassifier(
        make_pipeline(StandardScaler(), GDLogisticRegression()), n_estimators=4, n_jobs=2, random_state=0
    )
    assert model.fit(*cancer).score(*cancer) > 0.95


def test_stacking_regressor(diabetes):
    model = StackingRegressor(
        [("gd", GDLinearRegression()), ("ridge", Ridge())], final_estimator=GDLinearRegression(), cv=3, n_jobs=2
    )
    assert model.fit(*diabetes).score(*diabetes) > 0.5


def test_voting_classifier(wine):
    model = VotingClassifier(
        [("gd", make_pipeline(StandardScaler(), GDLogisticRegression())), ("bayes", GaussianNB())],
        voting="soft",
        n_jobs=2,
    )
    assert model.fit(*wine).score(*wine) > 0.95


@pytest.mark.parametrize(
    "estimators", [(GDLinearRegression(), LinearRegression()), (GDLogisticRegression(), LogisticRegression())]
)
def test_rfe_drops_the_same_columns(estimators):
    ours, theirs = estimators
    X, y = (load_diabetes if is_regressor(ours) else load_wine)(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    np.testing.assert_array_equal(
        RFE(ours, n_features_to_select=4).fit(X, y).support_, RFE(theirs, n_features_to_select=4).fit(X, y).support_
    )


def test_select_from_model(cancer):
    X = StandardScaler().fit_transform(cancer[0])
    ours = SelectFromModel(GDLogisticRegression()).fit(X, cancer[1])
    theirs = SelectFromModel(LogisticRegression()).fit(X, cancer[1])
    np.testing.assert_array_equal(ours.get_support(), theirs.get_support())


def test_transformed_target(diabetes):
    ours = TransformedTargetRegressor(GDLinearRegression(), func=np.log, inverse_func=np.exp).fit(*diabetes)
    theirs = TransformedTargetRegressor(LinearRegression(), func=np.log, inverse_func=np.exp).fit(*diabetes)
    np.testing.assert_allclose(ours.predict(diabetes[0]), theirs.predict(diabetes[0]), rtol=1e-4)


def test_multi_output_regressor():
    X, Y = load_linnerud(return_X_y=True)
    wrapped = MultiOutputRegressor(GDLinearRegression(), n_jobs=2).fit(X, Y)
    at_once = GDLinearRegression().fit(X, Y)
    np.testing.assert_allclose(wrapped.predict(X), at_once.predict(X), rtol=1e-4)


def test_one_vs_rest(wine):
    X = StandardScaler().fit_transform(wine[0])
    ours = OneVsRestClassifier(GDLogisticRegression(), n_jobs=2).fit(X, wine[1])
    theirs = OneVsRestClassifier(LogisticRegression(tol=1e-8)).fit(X, wine[1])
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-3)


def test_polynomial_features_on_raw_data(diabetes):
    """A pipeline that makes columns of very different sizes, without a scaler."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    model = make_pipeline(PolynomialFeatures(2, include_bias=True), GDLinearRegression(max_iter=10_000)).fit(X, y)
    design = PolynomialFeatures(2).fit_transform(X)
    best = LinearRegression(tol=0).fit(StandardScaler().fit_transform(design), y)
    assert model.score(X, y) > best.score(StandardScaler().fit_transform(design), y) - 1e-4


def test_column_transformer_with_sparse_output():
    pandas = pytest.importorskip("pandas")
    data = load_wine(as_frame=True)
    frame = data.data.assign(band=pandas.cut(data.data["alcohol"], 4, labels=list("abcd")))
    columns = ColumnTransformer(
        [("category", OneHotEncoder(), ["band"])], remainder=StandardScaler(), sparse_threshold=1.0
    )
    model = make_pipeline(columns, GDLogisticRegression()).fit(frame, data.target)
    assert model.score(frame, data.target) > 0.98


def test_scorers(cancer):
    model = GDLogisticRegression().fit(*cancer)
    for name in ("roc_auc", "average_precision", "neg_log_loss", "neg_brier_score", "f1", "balanced_accuracy"):
        assert np.isfinite(get_scorer(name)(model, *cancer))
    assert get_scorer("roc_auc")(model, *cancer) > 0.98


def test_kinds():
    assert is_regressor(GDLinearRegression())
    assert not is_classifier(GDLinearRegression())
    assert is_classifier(GDLogisticRegression())


# --- copies and files ------------------------------------------------------------------------------------


def _fitted(kind):
    if kind == "regression":
        X, y = load_diabetes(return_X_y=True)
        return GDLinearRegression().fit(X, y), X
    if kind == "targets":
        X, y = load_linnerud(return_X_y=True)
        return GDLinearRegression().fit(X, y), X
    data = load_iris()
    return GDLogisticRegression().fit(data.data, data.target_names[data.target]), data.data


KINDS = ["regression", "targets", "text labels"]


def _through_pickle(model, tmp_path):
    return pickle.loads(pickle.dumps(model))


def _through_joblib(model, tmp_path):
    joblib.dump(model, tmp_path / "model.joblib")
    return joblib.load(tmp_path / "model.joblib", mmap_mode="r")


def _through_skops(model, tmp_path):
    skops = pytest.importorskip("skops.io")
    data = skops.dumps(model)
    own = {f"{type(model).__module__}.{type(model).__qualname__}"}
    untrusted = set(skops.get_untrusted_types(data=data))
    assert untrusted <= own, untrusted
    return skops.loads(data, trusted=sorted(untrusted))


@pytest.mark.parametrize(
    "way", [_through_pickle, _through_joblib, _through_skops, lambda model, _: copy.deepcopy(model)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fitted_estimator_survives(kind, way, tmp_path):
    model, X = _fitted(kind)
    again = way(model, tmp_path)
    assert type(again) is type(model)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.get_params() == model.get_params()
    assert set(vars(again)) == set(vars(model))
    assert again.history_ == model.history_
    assert again.stop_reason_ == model.stop_reason_


def test_rules_as_objects_survive_pickle(diabetes):
    model = GDLinearRegression(learning_rate=steps.Lipschitz(), max_iter=10_000).fit(*diabetes)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.fit(*diabetes).coef_, model.coef_)


def test_a_fitted_estimator_keeps_no_data(diabetes):
    model, _ = _fitted("regression")
    stream = io.BytesIO()
    pickle.dump(model, stream)
    # 442 rows of anything would not fit in here.
    assert stream.tell() < 442 * 8 * 3
    assert not any(442 in np.shape(value) for value in vars(model).values() if isinstance(value, np.ndarray))


@pytest.mark.parametrize(
    "estimator", [GDLinearRegression(alpha=3.0, tol=1e-3), GDLogisticRegression(C=0.1, momentum=0.5)]
)
def test_clone(estimator):
    copied = clone(estimator)
    assert copied.get_params() == estimator.get_params()
    assert not hasattr(copied, "coef_")


def test_repr_shows_what_was_changed():
    assert repr(GDLinearRegression(alpha=2.0)) == "GDLinearRegression(alpha=2.0)"
    html = GDLogisticRegression(C=3.0)._repr_html_()
    assert "GDLogisticRegression" in html


# --- metadata, names of features, containers ------------------------------------------------------------------


def test_metadata_routing(cancer):
    X, y = cancer
    weights = np.random.default_rng(0).uniform(0, 5, size=len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = GDLogisticRegression().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipeline = Pipeline([("scale", StandardScaler().set_fit_request(sample_weight=True)), ("gd", estimator)])
        scorer = get_scorer("neg_log_loss").set_score_request(sample_weight=True)
        search = GridSearchCV(pipeline, {"gd__C": [0.1, 10.0]}, cv=3, scoring=scorer)
        search.fit(X, y, sample_weight=weights)
        weighted = pipeline.fit(X, y, sample_weight=weights)
        # Requests exist for the arguments of `fit` and `score`, and for nothing else.
        assert not hasattr(estimator, "set_predict_request")
        assert not hasattr(estimator, "set_predict_proba_request")
    assert np.isfinite(search.best_score_)
    by_hand = make_pipeline(StandardScaler(), GDLogisticRegression())
    by_hand.fit(X, y, standardscaler__sample_weight=weights, gdlogisticregression__sample_weight=weights)
    np.testing.assert_allclose(weighted[-1].coef_, by_hand[-1].coef_)
    unweighted = make_pipeline(StandardScaler(), GDLogisticRegression()).fit(X, y)
    assert not np.allclose(weighted[-1].coef_, unweighted[-1].coef_, rtol=1e-2)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_and_their_names(library):
    frames = pytest.importorskip(library)
    X, y = load_diabetes(return_X_y=True)
    names = load_diabetes().feature_names
    frame = frames.DataFrame(dict(zip(names, X.T, strict=True)))
    model = GDLinearRegression().fit(frame, frames.Series(y))
    assert model.feature_names_in_.tolist() == names
    assert model.feature_names_in_.dtype == object
    np.testing.assert_allclose(model.coef_, GDLinearRegression().fit(X, y).coef_, rtol=1e-9)
    assert model.score(frame, y) > 0.5
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[names[::-1]])


def test_labels_of_a_categorical_series():
    pandas = pytest.importorskip("pandas")
    data = load_iris(as_frame=True)
    labels = data.target.map(dict(enumerate(data.target_names)))
    for column in (labels, labels.astype("category"), pandas.Series(labels, dtype="string")):
        model = GDLogisticRegression().fit(data.data, column)
        assert sorted(model.classes_) == ["setosa", "versicolor", "virginica"]
        assert model.score(data.data, labels) > 0.95
