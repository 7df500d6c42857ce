"""Bad input is refused before any work, in words that name it; and refusing loses nothing.

The second half is about good input that must not be copied, changed or made dense.
"""

import re
import tracemalloc
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from sklearn_gd import DivergenceError, GDLinearRegression, GDLogisticRegression, compiled, momentum, steps

BOTH = [GDLinearRegression, GDLogisticRegression]


@pytest.fixture
def data():
    X, y = load_wine(return_X_y=True)
    return X, y


# --- constructor parameters ------------------------------------------------------------------------

SHARED = {
    "learning_rate": [0, 0.0, -0.1, np.nan, np.inf, -np.inf, "", "no such rule", None, [], [0.1], True, 1j, {}],
    "momentum": [-0.1, 1.0, 1.5, np.nan, "no such momentum", [], True, 1j],
    "preconditioner": ["no such metric", 1, 0.5, [], True],
    "fit_intercept": ["yes", None, 2, []],
    "max_iter": [-1, 1.5, "many", None, np.nan, np.inf, [], True],
    "tol": [-1e-6, np.nan, "small", None, [], 1j, True],
    "batch_size": [0, -1, 0.5, "auto", np.nan, [], True],
    "init": ["no such start", 1.5, None, {}, np.nan, np.inf],
    "random_state": ["seed", -1, 0.5, []],
    "warm_start": ["yes", None, 2, []],
    "on_divergence": ["ignore", None, True, 1],
    "verbose": [-1, "loud", None, 0.5],
}
OWN = {
    GDLinearRegression: {"alpha": [-1.0, np.nan, np.inf, "none", None, [1.0], 1j, True]},
    GDLogisticRegression: {
        "C": [0, 0.0, -1.0, np.nan, "none", None, [1.0], 1j, True],
        "class_weight": ["unbalanced", 2, [1, 2], {0: -1.0, 1: 1.0, 2: 1.0}, {0: np.nan, 1: 1.0, 2: 1.0}],
    },
}
BAD_PARAMETERS = [
    (estimator_class, name, value)
    for estimator_class in BOTH
    for name, values in {**SHARED, **OWN[estimator_class]}.items()
    for value in values
]


@pytest.mark.parametrize(
    ("estimator_class", "name", "value"),
    BAD_PARAMETERS,
    ids=[f"{cls.__name__}-{name}-{value!r}" for cls, name, value in BAD_PARAMETERS],
)
def test_bad_parameters_are_refused_by_name(data, estimator_class, name, value):
    estimator = estimator_class(**{name: value})  # no error before fit
    with pytest.raises((ValueError, TypeError), match=name):
        estimator.fit(*data)
    assert not [attribute for attribute in vars(estimator) if attribute.endswith("_")]


def test_the_tables_above_leave_no_parameter_out():
    for estimator_class in BOTH:
        assert set(estimator_class().get_params(deep=False)) == set(SHARED) | set(OWN[estimator_class])


@pytest.mark.parametrize("estimator_class", BOTH)
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("learning_rate", [1, np.float32(0.5), np.int64(1), lambda k: 0.1, *steps.RULES]),
        ("momentum", [None, 0, 0.0, np.float64(0.5), "auto", *momentum.MOMENTA]),
        ("fit_intercept", [True, False, np.bool_(True)]),
        ("max_iter", [1, np.int64(5)]),
        ("tol", [0, 0.0, 1, np.float32(1e-3)]),
        ("batch_size", [None, 1, np.int64(5), 10_000]),
        ("random_state", [None, 0, np.int64(3), np.random.RandomState(0)]),
        ("verbose", [0, False, np.int64(0)]),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # a few iterations are enough here
def test_good_parameters_of_unusual_type_are_taken(data, estimator_class, name, values):
    X, y = scale(data[0]), data[1]
    for value in values:
        # A momentum and batches go with a rate that does not choose its own.
        params = {"learning_rate": 0.1} if name in ("momentum", "batch_size") else {}
        model = estimator_class(**{"max_iter": 5, **params, name: value}).fit(X, y)
        assert np.all(np.isfinite(model.coef_)), value


@pytest.mark.parametrize("estimator_class", BOTH)
def test_callables_that_return_no_rate_are_refused(data, estimator_class):
    for bad in (lambda k: "fast", lambda k: -1.0, lambda k: np.nan, lambda k: None):
        estimator = estimator_class(learning_rate=bad)
        with pytest.raises((ValueError, TypeError), match="learning_rate"):
            estimator.fit(*data)


@pytest.mark.parametrize("rule", list(steps.RULES))
def test_parameters_of_rules_are_refused_by_name(data, rule):
    for name, value in steps.RULES[rule]().get_params().items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            for bad in (-1, np.nan, "fast"):
                estimator = GDLinearRegression(learning_rate=steps.RULES[rule](**{name: bad}))
                with pytest.raises((ValueError, TypeError), match=name):
                    estimator.fit(*data)


# --- parameters of rules, and words of other packages ---------------------------------------------------


def _set(estimator, **params):
    """Set parameters, which leaves a clone the same."""
    estimator.set_params(**params)
    for name, value in params.items():
        assert estimator.get_params()[name] == value or name == "learning_rate"
    copy = clone(estimator)
    assert repr(copy) == repr(estimator)
    assert copy.get_params().keys() == estimator.get_params().keys()
    return estimator


@pytest.mark.parametrize("estimator_class", BOTH)
def test_the_parameter_of_a_rule_that_is_a_name(estimator_class):
    estimator = _set(estimator_class(learning_rate="inverse-time"), learning_rate__decay=0.1)
    assert repr(estimator.learning_rate) == "InverseTime(decay=0.1)"
    _set(estimator, learning_rate__learning_rate=0.5)
    assert (estimator.learning_rate.learning_rate, estimator.learning_rate.decay) == (0.5, 0.1)
    # a name that comes with it, in whatever order; another name forgets the old rule
    _set(estimator, learning_rate__factor=0.2, learning_rate="step")
    assert repr(estimator.learning_rate) == "StepDecay(factor=0.2)"
    assert estimator.set_params(learning_rate="step").learning_rate == "step"
    for name, rule in steps.RULES.items():
        for key, value in rule().get_params().items():
            assert (
                type(_set(estimator_class(learning_rate=name), **{f"learning_rate__{key}": value}).learning_rate)
                is rule
            )


@pytest.mark.filterwarnings(
    "ignore:.*max_iter:sklearn.exceptions.ConvergenceWarning"
)  # a few iterations are enough here
def test_the_parameter_of_a_named_rule_in_a_fit_is_the_objects(data):
    X, y = scale(data[0]), data[1]
    named = GDLinearRegression(learning_rate="inverse-time", max_iter=5).set_params(learning_rate__decay=0.1)
    given = GDLinearRegression(learning_rate=steps.InverseTime(decay=0.1), max_iter=5)
    np.testing.assert_array_equal(named.fit(X, y).coef_, given.fit(X, y).coef_)
    assert named.history_["learning_rate"][2] == pytest.approx(0.1 / 1.1)


@pytest.mark.parametrize(("given", "change", "words"), [
    ({"learning_rate": 0.1}, {"learning_rate__decay": 0.1}, r"learning_rate=0\.1 has no.*steps\.InverseTime\(decay="),
    ({"learning_rate": len}, {"learning_rate__decay": 0.1}, r"has no parameter 'decay'.*InverseTime, Exponential"),
    ({"learning_rate": "exact"}, {"learning_rate__shrink": 0.1}, r"learning_rate='exact'.*Backtracking\(shrink="),
    ({"learning_rate": "step"}, {"learning_rate__decay": 0.1}, r"learning_rate='step' has no parameter 'decay'"),
    ({"learning_rate": steps.InverseTime}, {"learning_rate__decay": 0.1}, r"has no parameter 'decay'"),
    ({"learning_rate": None}, {"learning_rate__speed": 0.1}, r"'speed', as all others that learning_rate may be"),
    ({}, {"learning_rate": "exponential", "learning_rate__every": 3}, r"StepDecay"),
    ({}, {"tol": 1.0, "learning_rate__decay": 0.1}, r"learning_rate='auto' has no parameter 'decay'"),
    ({"momentum": 0.9}, {"momentum__momentum": 0.5}, r"momentum=0\.9 has no.*HeavyBall\(momentum="),
    ({"momentum": "nesterov"}, {"momentum__beta": 0.5}, r"momentum='nesterov' has no parameter 'beta'"),
    ({}, {"eta0": 0.1}, r"Invalid parameter 'eta0'.*learning_rate itself.*Valid parameters are.*'learning_rate'"),
    ({}, {"penalty": None}, r"Invalid parameter 'penalty'.*alpha=0.*C=np\.inf"),
    ({}, {"solver__x": 1}, r"Invalid parameter 'solver'.*preconditioner"),
    ({}, {"no_such": 1}, r"Invalid parameter 'no_such'"),
])  # fmt: skip
@pytest.mark.parametrize("estimator_class", BOTH)
def test_parameters_that_are_not_there_are_refused_and_nothing_is_set(estimator_class, given, change, words):
    estimator = estimator_class(**given)
    before = estimator.get_params(deep=False)
    with pytest.raises(ValueError, match=words):
        estimator.set_params(**change)
    assert estimator.get_params(deep=False) == before


def test_each_estimator_names_the_others_penalty():
    with pytest.raises(ValueError, match="least squares has alpha"):
        GDLinearRegression().set_params(C=1.0)
    with pytest.raises(ValueError, match="logistic regression has C"):
        GDLogisticRegression().set_params(alpha=1.0)


def test_a_momentum_object_is_reached_as_before():
    estimator = _set(GDLinearRegression(learning_rate=0.1, momentum=momentum.HeavyBall()), momentum__momentum=0.5)
    assert estimator.momentum.momentum == 0.5


@pytest.mark.filterwarnings(
    "ignore:.*max_iter:sklearn.exceptions.ConvergenceWarning"
)  # a few iterations are enough here
@pytest.mark.parametrize("names", [None, ["inverse-time", "exponential"], [steps.InverseTime(0.05), "exponential"]])
def test_a_search_over_the_parameter_of_a_rule(data, names):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), GDLinearRegression(learning_rate="inverse-time", max_iter=20))
    grid = {"gdlinearregression__learning_rate__decay": [0.0, 0.5]}
    if names:
        grid["gdlinearregression__learning_rate"] = names
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert len(search.cv_results_["params"]) == 2 * len(names or [1])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    found = search.best_estimator_[-1].learning_rate
    assert found.decay == search.best_params_["gdlinearregression__learning_rate__decay"]
    assert pipeline[-1].learning_rate == "inverse-time"
    momenta = {"momentum__momentum": [0.1, 0.9], "learning_rate__decay": [0.0, 0.1]}
    estimator = GDLinearRegression(learning_rate="inverse-time", momentum=momentum.HeavyBall(), max_iter=20)
    assert GridSearchCV(estimator, momenta, cv=3).fit(scale(X), y).best_params_.keys() == momenta.keys()


@pytest.mark.parametrize(("estimator_class", "given", "words"), [
    (GDLinearRegression, {"learning_rate": "invscaling"}, r"name of SGDRegressor's.*'inverse-time'"),
    (GDLinearRegression, {"learning_rate": "optimal"}, r"name of SGDRegressor's.*InverseTime"),
    (GDLogisticRegression, {"learning_rate": "adaptive"}, r"name of SGDRegressor's.*'backtracking'"),
    (GDLogisticRegression, {"learning_rate": None}, r"one of 'auto', .*got None"),
    (GDLinearRegression, {"learning_rate": True}, r"one of 'auto', .*got True"),
    (GDLogisticRegression, {"C": None}, r"no penalty is C=np\.inf"),
    (GDLinearRegression, {"alpha": None}, r"no penalty is alpha=0"),
    (GDLinearRegression, {"tol": None}, r"tol=0"),
    (GDLinearRegression, {"momentum": True, "learning_rate": 0.1}, r"momentum='nesterov'"),
    (GDLogisticRegression, {"momentum": False}, r"got False: write momentum=None"),
])  # fmt: skip
def test_other_packages_words_are_answered_with_ours(data, estimator_class, given, words):
    with pytest.raises((ValueError, TypeError), match=words):
        estimator_class(**given).fit(*data)


# --- starts of the wrong shape -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "init",
    [
        np.zeros(12),
        np.zeros((2, 13)),
        np.full(13, np.nan),
        np.full(13, np.inf),
        (np.zeros(13),),
        (np.zeros(13), np.zeros(2)),
        (np.zeros(13), np.nan),
        (np.zeros(13), 0.0, 0.0),
        np.array(["a"] * 13),
    ],
    ids=["short", "two", "nan", "inf", "no intercept", "two intercepts", "nan intercept", "three", "text"],
)
def test_bad_starts_are_refused_by_name(data, init):
    X, y = data
    with pytest.raises((ValueError, TypeError), match="init"):
        GDLinearRegression(init=init).fit(X, y)
    with pytest.raises((ValueError, TypeError), match="init"):
        GDLogisticRegression(init=init).fit(X, y)


@pytest.mark.parametrize("estimator_class", BOTH)
def test_a_fit_starts_where_init_says(data, estimator_class):
    X, y = scale(data[0]), data[1]
    first = estimator_class(tol=1e-10, max_iter=10_000).fit(X, y)
    again = estimator_class(init=(first.coef_, first.intercept_)).fit(X, y)
    assert again.n_iter_ <= 1
    np.testing.assert_allclose(again.coef_, first.coef_, rtol=1e-5, atol=1e-7)
    assert again.loss_curve_[0] == pytest.approx(first.loss_curve_[-1], rel=1e-10)


def test_random_starts_differ_by_seed_and_only_by_seed():
    X, y = load_diabetes(return_X_y=True)

    def start(seed):
        return GDLinearRegression(init="random", random_state=seed, tol=1e-8).fit(X, y).loss_curve_[0]

    assert start(0) == start(0)
    assert start(0) != start(1)


# --- X, y, sample_weight ---------------------------------------------------------------------------------


def _with(array, value):
    array = np.array(array, dtype=float)
    array.flat[3] = value
    return array


BAD_DATA = {
    "NaN in X": (lambda X, y: (_with(X, np.nan), y, None), "NaN"),
    "inf in X": (lambda X, y: (_with(X, np.inf), y, None), "infinity"),
    "NaN in sparse X": (lambda X, y: (sparse.csr_array(_with(X, np.nan)), y, None), "NaN"),
    "NaN in y": (lambda X, y: (X, _with(y, np.nan), None), "NaN"),
    "inf in y": (lambda X, y: (X, _with(y, np.inf), None), "infinity"),
    "complex X": (lambda X, y: (X + 1j, y, None), "[Cc]omplex"),
    "objects in X": (lambda X, y: (np.array([[object()] * 13] * 178), y, None), "float"),
    "text in X": (lambda X, y: (np.full(X.shape, "a"), y, None), "convert|string|float|dtype"),
    "one-dimensional X": (lambda X, y: (X[:, 0], y, None), "2D array"),
    "three-dimensional X": (lambda X, y: (X[:, :, None], y, None), "dim"),
    "no rows": (lambda X, y: (X[:0], y[:0], None), "0 sample"),
    "no columns": (lambda X, y: (X[:, :0], y, None), "0 feature"),
    "y too short": (lambda X, y: (X, y[:-1], None), "inconsistent"),
    "no y": (lambda X, y: (X, None, None), "requires y to be passed"),
    "three-dimensional y": (lambda X, y: (X, np.zeros((178, 2, 2)), None), "dim|shape"),
    "sparse y": (lambda X, y: (X, sparse.csr_array(y[:, None]), None), "[Ss]parse|dense"),
    "weights too few": (lambda X, y: (X, y, np.ones(177)), "sample_weight"),
    "weights of two dimensions": (lambda X, y: (X, y, np.ones((178, 2))), "[Ss]ample.weight"),
    "weights all zero": (lambda X, y: (X, y, np.zeros(178)), "weight.*zero|zero.*weight"),
    "a negative weight": (
        lambda X, y: (X, y, _with(np.ones(178), -1)),
        "[Nn]egative.*sample_weight|sample_weight.*neg",
    ),
    "NaN in the weights": (lambda X, y: (X, y, _with(np.ones(178), np.nan)), "NaN"),
    "inf in the weights": (lambda X, y: (X, y, _with(np.ones(178), np.inf)), "infinity"),
    "text for weights": (lambda X, y: (X, y, ["heavy"] * 178), "sample_weight|convert|dtype"),
}


@pytest.mark.parametrize("estimator_class", BOTH)
@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_are_refused_by_name(data, case, estimator_class):
    make, words = BAD_DATA[case]
    X, y, weights = make(*data)
    estimator = estimator_class()
    with pytest.raises((ValueError, TypeError), match=words):
        estimator.fit(X, y, sample_weight=weights)
    assert not [attribute for attribute in vars(estimator) if attribute.endswith("_")]


U64, I64 = np.iinfo(np.uint64), np.iinfo(np.int64)
LABELS = {
    "beyond int64": np.array([2**63 + 5, 2**63 + 6, 2**63 + 9], np.uint64),
    "the last of uint64": np.array([U64.max - 1, U64.max], np.uint64),
    "all of uint64": np.array([0, 5, U64.max], np.uint64),
    "the first of int64": np.array([I64.min, I64.min + 1, I64.min + 200]),
    "the last of int64": np.array([I64.max - 3, I64.max]),
    "all of int64": np.array([I64.min, 0, I64.max]),
    "all of int8": np.array([-128, 0, 127], np.int8),
    "all of uint8": np.array([0, 1, 255], np.uint8),
    "the last of uint32": np.array([2**32 - 2, 2**32 - 1], np.uint32),
    "both of bool": np.array([False, True]),
    "whole floats": np.array([-1.0, 2.0, 5.0]),
    "strings": np.array(["a", "b", "c"]),
    "strings as objects": np.array(["a", "b", "c"], dtype=object),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_up_to_the_ends_of_their_types(data, name):
    X, y = scale(data[0]), data[1]
    labels = LABELS[name]
    index = y % len(labels)
    model = GDLogisticRegression().fit(X, labels[index], sample_weight=np.linspace(1, 2, len(y)))
    np.testing.assert_array_equal(model.classes_, labels)
    assert model.classes_.dtype == labels.dtype
    plain = GDLogisticRegression().fit(X, index, sample_weight=np.linspace(1, 2, len(y)))
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), labels[plain.predict(X)])


@pytest.mark.parametrize("labels", [[1, 2, 3], [2**70, 1, 2], [1, "a", 2], ["a", None, "b"], [True, False, True]])
def test_objects_that_are_no_strings_are_no_labels(data, labels):
    X, y = data
    kinds = ", ".join(sorted({type(label).__name__ for label in labels}))
    with pytest.raises(ValueError, match=rf"objects of type {kinds}.*y\.astype\(int\)"):
        GDLogisticRegression().fit(X, np.array(labels, dtype=object)[y])


# --- sparse X of every make --------------------------------------------------------------------------------


def _typed(X, indices, indptr):
    X.indices, X.indptr = X.indices.astype(indices), X.indptr.astype(indptr)
    return X


def _unsorted(X):
    """The values of each row from the last to the first."""
    order = np.concatenate([np.arange(a, b)[::-1] for a, b in zip(X.indptr[:-1], X.indptr[1:], strict=True)])
    return sparse.csr_array((X.data[order], X.indices[order], X.indptr), shape=X.shape)


def _in_parts(X):
    """Every value as two that add up to it."""
    parts = np.stack([0.25 * X.data, 0.75 * X.data], axis=1).ravel()
    return sparse.csr_array((parts, np.repeat(X.indices, 2), 2 * X.indptr), shape=X.shape)


MAKES = {
    "indices of 32 bits, pointers of 64": lambda X: _typed(X, np.int32, np.int64),
    "indices of 64 bits, pointers of 32": lambda X: _typed(X, np.int64, np.int32),
    "64 bits": lambda X: _typed(X, np.int64, np.int64),
    "unsigned": lambda X: _typed(X, np.uint32, np.uint32),
    "a matrix": lambda X: _typed(sparse.csr_matrix(X), np.int32, np.int64),
    "columns": lambda X: _typed(X.tocsc(), np.int32, np.int64),
    "blocks": lambda X: _typed(X.tobsr((2, 2)), np.int32, np.int64),
    "unsorted": _unsorted,
    "in parts": _in_parts,
    "in parts, of two types": lambda X: _typed(_in_parts(X), np.int32, np.int64),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(200, 6), (50, 300)], ids=["tall", "wide"])
@pytest.mark.parametrize("make", MAKES)
def test_sparse_rows_of_every_make_are_the_dense_array(make, shape, dtype):
    rng = np.random.default_rng(0)
    X = sparse.csr_array(sparse.random(*shape, density=0.2, format="csr", random_state=0, dtype=dtype))
    dense, y, weight = X.toarray(), rng.normal(size=shape[0]), rng.uniform(0.5, 2, size=shape[0])
    given = MAKES[make](X)
    before = given.data.copy()
    for estimator, target in (
        (GDLinearRegression(alpha=0.1), y),
        (GDLinearRegression(alpha=0.1, preconditioner="diagonal"), np.c_[y, y**2]),
        (GDLinearRegression(alpha=0.1, preconditioner="nystrom"), y),
        (GDLinearRegression(alpha=0.1, learning_rate="lipschitz", tol=1e-5), np.c_[y, y**2]),
        (GDLogisticRegression(), y > 0),
        (GDLogisticRegression(fit_intercept=False), np.digitize(y, [-0.5, 0.5])),
    ):
        for w in (None, weight):
            expected = clone(estimator).fit(dense, target, w)
            model = clone(estimator).fit(given, target, w)
            # the criterion is the same, too: the metric's columns are those of whole values; a plan may not be, of other prices
            if [stage["form"] for stage in model.stages_] == [stage["form"] for stage in expected.stages_]:
                assert abs(model.n_iter_ - expected.n_iter_) <= 3  # a metric may be renewed an iteration later
            size = np.abs(expected.coef_).max()
            np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-3 * size)
            np.testing.assert_allclose(model.predict(given), model.predict(dense), atol=1e-5)
    np.testing.assert_array_equal(given.data, before)


def test_the_values_of_rows_with_indices_of_two_types_are_not_copied():
    X = sparse.random(20_000, 200, density=0.1, format="csr", random_state=0)
    y = np.arange(20_000.0)
    GDLinearRegression(learning_rate=0.1, max_iter=1, tol=1e3).fit(X[:100], y[:100])
    of_one_type = _peak_of(lambda: GDLinearRegression(learning_rate=0.1, max_iter=1, tol=1e3).fit(X, y))
    X.indptr = X.indptr.astype(np.int64)
    peak = _peak_of(lambda: GDLinearRegression(learning_rate=0.1, max_iter=1, tol=1e3).fit(X, y))
    # NumPy, where there are no kernels, sums columns by arrays that are as long as the stored values, whatever their indices
    assert peak < X.data.nbytes / 2 + (0 if compiled.kernels is not None else of_one_type)


@pytest.mark.parametrize("rate", ["auto", "exact", "lipschitz"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", [int, float, np.float32])
def test_sparse_rows_without_a_value(kind, weighted, rate):
    """Nothing but the intercepts is left: the weighted means, and the log-odds of the classes."""
    X, weight = sparse.csr_array((10, 2), dtype=np.float32 if kind is np.float32 else float), np.arange(1.0, 11)
    both = np.c_[np.arange(10), np.ones(10)].astype(kind)
    w = weight if weighted else None
    for alpha in (0.0, 1.0):
        for y in (both, both[:, 0], both[:, :1]):
            model = GDLinearRegression(alpha=alpha, learning_rate=rate).fit(X, y, w)
            assert not model.coef_.any()
            np.testing.assert_allclose(model.intercept_, np.average(y, axis=0, weights=w), rtol=1e-5)
    model = GDLogisticRegression(learning_rate=rate).fit(X, both[:, 0] > 3, w)
    share = np.average(both[:, 0] > 3, weights=w)
    np.testing.assert_allclose(model.intercept_, np.log(share / (1 - share)), rtol=1e-5)
    assert not model.coef_.any()


def test_one_class_is_refused(data):
    X, _ = data
    with pytest.raises(ValueError, match="class"):
        GDLogisticRegression().fit(X, np.ones(len(X)))


def test_one_class_left_by_zero_weights_is_refused_or_predicted(data):
    """What scikit-learn's check of the same asks."""
    X, y = data
    estimator = GDLogisticRegression()
    try:
        estimator.fit(X, y, sample_weight=(y == 1).astype(float))
    except ValueError as error:
        if "class" not in str(error):
            raise
    else:
        assert np.all(estimator.predict(X) == 1)


def test_continuous_targets_are_no_classes(data):
    X, _ = data
    with pytest.raises(ValueError, match=r"[Uu]nknown label type|continuous"):
        GDLogisticRegression().fit(X, np.linspace(0, 1, len(X)))


def test_several_outputs_are_no_classes(data):
    X, y = data
    with pytest.raises(ValueError, match=r"multi|1d|shape"):
        GDLogisticRegression().fit(X, np.c_[y, y])


def test_a_column_of_classes_is_flattened_with_a_warning(data):
    X, y = data
    with pytest.warns(DataConversionWarning):
        model = GDLogisticRegression().fit(X, y[:, None])
    np.testing.assert_array_equal(model.coef_, GDLogisticRegression().fit(X, y).coef_)


@pytest.mark.parametrize("estimator_class", BOTH)
def test_predict_wants_a_fit_and_the_same_features(data, estimator_class):
    X, y = data
    methods = ["predict"]
    if estimator_class is GDLogisticRegression:
        methods += ["predict_proba", "predict_log_proba", "decision_function"]
    for method in methods:
        with pytest.raises(NotFittedError):
            getattr(estimator_class(), method)(X)
    model = estimator_class().fit(X, y)
    for method in methods:
        with pytest.raises(ValueError, match=r"X has 12 features, but .* is expecting 13"):
            getattr(model, method)(X[:, 1:])
        with pytest.raises(ValueError, match="NaN"):
            getattr(model, method)(_with(X, np.nan))


def test_names_of_columns_must_be_the_same(data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    frame = pandas.DataFrame(X, columns=[f"c{i}" for i in range(13)])
    model = GDLinearRegression().fit(frame, y)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"c0": "other"}))


# --- a fit that fails loses nothing -----------------------------------------------------------------------


def _fitted_state(estimator):
    return {name: value for name, value in vars(estimator).items() if name.endswith("_")}


class _StopError(Exception):
    pass


def _break_on_the_third(k):
    if k == 2:
        raise _StopError
    return 1e-3


@pytest.mark.parametrize("estimator_class", BOTH)
@pytest.mark.parametrize("failure", ["parameter", "X", "weights", "feature count", "diverged", "rate", "keyboard"])
def test_a_failed_fit_leaves_the_fitted_estimator_as_it_was(data, estimator_class, failure):
    X, y = data
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"c{i}" for i in range(13)])
    estimator = estimator_class().fit(frame, y)
    before = _fitted_state(estimator)
    kept = {name: np.copy(value) for name, value in before.items() if isinstance(value, np.ndarray)}
    predicted = estimator.predict(frame)

    bad_X, weights, error = X[:, :4] * 1.0, None, ValueError
    other_y = (y == 2).astype(int)  # other classes, fewer of them
    if failure == "parameter":
        estimator.set_params(tol=-1)
    elif failure == "X":
        bad_X = _with(bad_X, np.nan)
    elif failure == "weights":
        weights = -np.ones(len(y))
    elif failure == "feature count":
        estimator.set_params(init=np.zeros(13))
    elif failure == "diverged":
        estimator.set_params(learning_rate=1e8, on_divergence="raise")
        error = DivergenceError
        if estimator_class is GDLogisticRegression:
            # Log loss grows only as fast as the coefficients: it is the penalty that runs away.
            estimator.set_params(C=1e-3)
    elif failure == "rate":
        estimator.set_params(learning_rate=_break_on_the_third)
        error = _StopError
    else:

        def interrupt(k):
            raise KeyboardInterrupt

        estimator.set_params(learning_rate=interrupt)
        error = KeyboardInterrupt
    with pytest.raises(error):
        estimator.fit(bad_X, other_y, sample_weight=weights)

    after = _fitted_state(estimator)
    assert set(after) == set(before)
    for name, value in before.items():
        assert after[name] is value, name
    for name, value in kept.items():
        np.testing.assert_array_equal(after[name], value)
    np.testing.assert_array_equal(estimator.predict(frame), predicted)


@pytest.mark.parametrize("estimator_class", BOTH)
def test_a_second_fit_forgets_the_first(data, estimator_class):
    pandas = pytest.importorskip("pandas")
    X, y = data
    frame = pandas.DataFrame(X, columns=[f"c{i}" for i in range(13)])
    estimator = estimator_class().fit(frame, y).fit(X[:, :5], (y > 0).astype(int))
    fresh = estimator_class().fit(X[:, :5], (y > 0).astype(int))
    assert not hasattr(estimator, "feature_names_in_")
    assert estimator.n_features_in_ == 5
    np.testing.assert_array_equal(estimator.coef_, fresh.coef_)
    assert set(_fitted_state(estimator)) == set(_fitted_state(fresh))


@pytest.mark.parametrize("estimator_class", BOTH)
def test_a_warm_start_on_other_features_is_refused_by_name(data, estimator_class):
    X, y = data
    estimator = estimator_class(warm_start=True).fit(X, y)
    coef = estimator.coef_
    with pytest.raises(ValueError, match="warm_start"):
        estimator.fit(X[:, :5], y)
    assert estimator.coef_ is coef


# --- good input is neither copied, nor changed, nor made dense ----------------------------------------------

N_SAMPLES, N_FEATURES = 60_000, 80


def _peak_of(action):
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _tall(dtype, order):
    rng = np.random.default_rng(0)
    X = np.empty((N_SAMPLES, N_FEATURES), dtype=dtype, order=order)
    X[:] = rng.normal(size=X.shape)
    return X, (X[:, 0] - X[:, 1] + rng.normal(size=N_SAMPLES)).astype(dtype)


@pytest.mark.parametrize("learning_rate", ["auto", 0.1])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("estimator_class", BOTH)
@pytest.mark.filterwarnings("ignore:.*max_iter:sklearn.exceptions.ConvergenceWarning")
def test_peak_memory_is_a_few_vectors(estimator_class, dtype, order, learning_rate):
    X, y = _tall(dtype, order)
    if estimator_class is GDLogisticRegression:
        y = (y > 0).astype(np.int8)
    estimator = estimator_class(max_iter=8, learning_rate=learning_rate)
    # Once in small: what is imported or compiled at the first fit is no memory of this one.
    estimator.fit(X[:500], y[:500])
    peak = _peak_of(lambda: estimator.fit(X, y))
    # A quarter of X, as much as twenty of its columns, and room for constants: no copy hides in that.
    assert peak < 0.25 * X.nbytes + 2**21, f"{peak / X.nbytes:.2f} times X"


# tall, with metrics of a sample of 4 MB; products of rows apart, and of blocks that threads share; a sample of half of X
SHAPES = [(40_000, 100), (50_000, 500), (5_000, 1_100), (10_000, 700)]


@pytest.mark.parametrize("n_outputs", [0, 1, 3])
@pytest.mark.parametrize(("n_samples", "n_features"), SHAPES)
def test_peak_memory_is_the_preconditioner_and_twelve_vectors(n_samples, n_features, n_outputs):
    """The preconditioner: a matrix and its factor for each output that has one, with the bytes that they have."""
    harness = pytest.importorskip(
        "benchmarks.time_to_accuracy",
        reason="benchmarks/ is in the repository and the source distribution, not beside these tests",
    )
    rng = np.random.default_rng(0)
    X = rng.random(size=(n_samples, n_features))
    X -= 0.5
    y = X[:, :10].sum(axis=1) + rng.normal(size=n_samples)
    if n_outputs:
        y = np.digitize(y, [[0.0], [-0.5, 0.5]][n_outputs > 1])
    estimator = (GDLogisticRegression if n_outputs else GDLinearRegression)()
    estimator.fit(X[:500, :20], y[:500])
    metrics = []
    peak = _peak_of(lambda: metrics.append(estimator._fit(X, y, None)[1].metric))
    # the factor is in the matrix's place
    matrices = 2 * harness.matrix_bytes(metrics, n_features)
    vectors = 12 * n_samples * max(1, n_outputs) * X.itemsize
    # blocks that do not grow with the data, some of a core's cache for each of two threads: 12 vectors of these are as small
    blocks = 1 << 22
    assert peak <= matrices + vectors + blocks, f"{(peak - matrices) / vectors * 12:.1f} vectors"


@pytest.mark.parametrize("estimator_class", BOTH)
def test_read_only_memory_map(tmp_path, estimator_class):
    X, y = _tall(np.float64, "C")
    if estimator_class is GDLogisticRegression:
        y = (y > 0).astype(np.int8)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    estimator = estimator_class()
    estimator.fit(X[:500], y[:500])
    peak = _peak_of(lambda: estimator.fit(mapped, y))
    # and the blocks that are read from its file: two a thread, of 2 MB
    assert peak < 0.25 * X.nbytes + 2**21 + 2**23
    # sums over blocks of another size: equal to rounding
    np.testing.assert_allclose(estimator.coef_, estimator_class().fit(X, y).coef_, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("sparse_format", ["csr", "csc"])
@pytest.mark.parametrize("estimator_class", BOTH)
@pytest.mark.filterwarnings("ignore:.*max_iter:sklearn.exceptions.ConvergenceWarning")
def test_sparse_is_never_made_dense(estimator_class, sparse_format):
    rng = np.random.default_rng(0)
    X = sparse.random(10_000, 3_000, density=5e-4, format=sparse_format, random_state=0)
    y = X @ rng.normal(size=3_000)
    if estimator_class is GDLogisticRegression:
        y = (y > np.median(y)).astype(int)
    estimator = estimator_class(max_iter=20)
    estimator.fit(X[:200], y[:200])
    peak = _peak_of(lambda: estimator.fit(X, y))
    # Dense, X would take 240 MB, its Gram matrix 72 MB.
    assert peak < 10e6, f"{peak / 1e6:.0f} MB"


@pytest.mark.parametrize("estimator_class", BOTH)
def test_data_are_not_written_to(data, estimator_class):
    X, y = (array.copy() for array in data)
    weights = np.ones(len(y))
    for array in (X, y, weights):
        array.flags.writeable = False
    estimator_class().fit(X, y, sample_weight=weights).predict(X)
    np.testing.assert_array_equal(X, data[0])
    np.testing.assert_array_equal(y, data[1])


@pytest.mark.parametrize("estimator_class", BOTH)
def test_strides_of_any_kind(data, estimator_class):
    X, y = data
    expected = estimator_class(tol=1e-9).fit(X, y)
    wide = np.zeros((2 * len(X), 2 * X.shape[1]))
    wide[::2, ::2] = X
    for view in (wide[::2, ::2], np.asfortranarray(X), X[::-1][::-1], X.tolist(), np.ma.array(X).data):
        model = estimator_class(tol=1e-9).fit(view, y)
        np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("estimator_class", BOTH)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int64, np.bool_])
def test_dtypes_are_kept_or_become_double(data, estimator_class, dtype):
    X, y = (data[0] > 2 if dtype == np.bool_ else np.round(data[0])).astype(dtype), data[1]
    if dtype == np.float16:
        X = X[:, :5]
    model = estimator_class().fit(X, y)
    expected = dtype if dtype in (np.float32, np.float64) else np.float64
    assert model.coef_.dtype == expected
    assert np.asarray(model.intercept_).dtype == expected or isinstance(model.intercept_, float)
    if estimator_class is GDLogisticRegression:
        assert model.predict_proba(X).dtype == expected
    elif dtype == np.float32:
        assert model.predict(X).dtype == np.float32


# --- shapes ------------------------------------------------------------------------------------------------


def test_shapes_of_what_is_fitted():
    X, y = load_diabetes(return_X_y=True)
    one = GDLinearRegression().fit(X, y)
    assert one.coef_.shape == (10,)
    assert np.ndim(one.intercept_) == 0
    assert one.predict(X).shape == (442,)
    column = GDLinearRegression().fit(X, y[:, None])
    assert column.coef_.shape == (1, 10)
    assert column.predict(X).shape == (442, 1)
    two = GDLinearRegression().fit(X, np.c_[y, -y])
    assert two.coef_.shape == (2, 10)
    assert two.intercept_.shape == (2,)
    assert GDLinearRegression(fit_intercept=False).fit(X, y).intercept_ == 0.0

    X, y = load_iris(return_X_y=True)
    binary = GDLogisticRegression().fit(X, y == 0)
    assert binary.coef_.shape == (1, 4)
    assert binary.intercept_.shape == (1,)
    assert binary.decision_function(X).shape == (150,)
    assert binary.predict_proba(X).shape == (150, 2)
    three = GDLogisticRegression().fit(X, y)
    assert three.coef_.shape == (3, 4)
    assert three.intercept_.shape == (3,)
    assert three.decision_function(X).shape == (150, 3)
    assert GDLogisticRegression(fit_intercept=False).fit(X, y).intercept_.tolist() == [0.0] * 3
    for model in (one, binary, three):
        assert isinstance(model.n_iter_, int)
        assert len(model.loss_curve_) == model.n_iter_ + 1
        assert all(len(column) == model.n_iter_ + 1 for column in model.history_.values())
        assert model.history_["loss"] == model.loss_curve_
        assert all(type(value) is float for value in model.loss_curve_)


def test_probabilities_are_probabilities():
    X, y = load_iris(return_X_y=True)
    model = GDLogisticRegression().fit(X, y)
    # Far out, where a naive exponential overflows.
    far = np.r_[X, 1e6 * X, -1e6 * X]
    proba = model.predict_proba(far)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert np.all(proba >= 0)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))
    assert np.all(np.isfinite(model.predict_log_proba(X)))
    np.testing.assert_array_equal(model.classes_[proba.argmax(axis=1)], model.predict(far))


# --- the same again ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator_class", BOTH)
@pytest.mark.parametrize("learning_rate", ["auto", "barzilai-borwein", 1e-3])
def test_the_same_on_one_thread_or_two(estimator_class, learning_rate):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    X, y = _tall(np.float64, "C")
    if estimator_class is GDLogisticRegression:
        y = (y > 0).astype(int)
    models = []
    for threads in (1, 2, 1):
        with threadpoolctl.threadpool_limits(threads), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            models.append(estimator_class(learning_rate=learning_rate, max_iter=10).fit(X, y))
    one, two, again = models
    np.testing.assert_array_equal(one.coef_, again.coef_)
    assert one.loss_curve_ == again.loss_curve_
    np.testing.assert_array_equal(one.coef_, two.coef_)
    np.testing.assert_array_equal(one.intercept_, two.intercept_)


def test_verbose_prints_and_silence_is_silent(data, capsys):
    X, y = data
    GDLinearRegression().fit(X, y)
    assert capsys.readouterr().out == ""
    GDLinearRegression(verbose=1).fit(X, y)
    assert re.search(r"\d", capsys.readouterr().out)


@pytest.mark.parametrize("rate", ["adgd", 0.1])
def test_verbose_prints_a_line_an_iteration(data, capsys, rate):
    X, y = scale(data[0]), data[1]
    model = GDLinearRegression(learning_rate=rate, tol=1e-5, verbose=2).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert model.n_iter_ > 32  # predictions have been computed afresh, and the line is not repeated
    assert [int(line.split()[1]) for line in lines] == list(range(model.n_iter_ + 1))
    for word in ("loss", "gradient norm", "learning rate", "passes", " s"):
        assert word in lines[-1]
    assert lines[-1].endswith(f"end: {model.stop_reason_}")
    GDLinearRegression(learning_rate=rate, tol=1e-5, verbose=1).fit(X, y)
    few = capsys.readouterr().out.splitlines()
    assert len(few) < 30
    assert few[-1].split()[:4] == lines[-1].split()[:4]


@pytest.mark.parametrize("rate", ["auto", 0.1])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("estimator", [GDLinearRegression(), GDLogisticRegression()])
def test_what_is_not_finite_in_large_data_is_found_by_the_first_pass(estimator, bad, rate):
    """Above some size X is not read once more just to look for NaN; what the user hears is the same."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50_000, 4)), rng.integers(0, 2, size=50_000)
    X[41_003, 2] = bad
    fitted = clone(estimator).set_params(learning_rate=rate)
    with pytest.raises(ValueError, match="NaN" if np.isnan(bad) else "infinity"):
        fitted.fit(X, y)
    assert not hasattr(fitted, "coef_")
    assert not hasattr(fitted, "n_features_in_")
    weight = np.ones(50_000)
    weight[41_003] = 0.0
    with pytest.raises(ValueError, match="NaN" if np.isnan(bad) else "infinity"):
        fitted.fit(X, y, sample_weight=weight)


def test_squares_that_overflow_are_refused():
    X = np.full((50_000, 4), 1e200) * np.arange(1, 50_001)[:, None]
    with pytest.raises(ValueError, match="square is too large"):
        GDLinearRegression().fit(X, np.arange(50_000.0))
