"""A weight is a number of repetitions: on dense data and on every format of sparse data."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import scale

from sklearn_gd import GDLinearRegression, GDLogisticRegression, GDPoissonRegression

FORMATS = ["csr", "csc", "coo", "bsr", "dia", "dok", "lil"]


def _regression():
    X, y = load_diabetes(return_X_y=True)
    return X[:150], y[:150], GDLinearRegression()


def _two_targets():
    X, y, estimator = _regression()
    return X, np.c_[y, y[::-1]], estimator


def _binary():
    X, y = load_iris(return_X_y=True)
    return X, (y == 1).astype(int), GDLogisticRegression()


def _multinomial():
    X, y = load_wine(return_X_y=True)
    return X, y, GDLogisticRegression()


def _counts():
    X, y, _ = _regression()
    return X, y // 50, GDPoissonRegression()


TASKS = {
    "regression": _regression,
    "two targets": _two_targets,
    "binary": _binary,
    "multinomial": _multinomial,
    "counts": _counts,
}


def _assert_same(model, other, rtol=1e-7):
    largest = np.abs(other.coef_).max()
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=rtol, atol=rtol * largest)
    np.testing.assert_allclose(model.intercept_, other.intercept_, rtol=rtol, atol=rtol * largest)


def _clone(estimator, **params):
    return type(estimator)(**{**estimator.get_params(deep=False), **params})


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csc_matrix], ids=["dense", "csr", "csc"])
@pytest.mark.parametrize("learning_rate", ["auto", "lipschitz", 0.05])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.filterwarnings("ignore:.*max_iter:sklearn.exceptions.ConvergenceWarning")  # of the fixed rate
def test_weights_are_repetitions(task, learning_rate, container):
    X, y, estimator = TASKS[task]()
    X = scale(X)
    weights = np.random.default_rng(0).integers(0, 4, size=len(X))
    rows = np.repeat(np.arange(len(X)), weights)
    params = {"learning_rate": learning_rate, "max_iter": 300}
    weighted = _clone(estimator, **params).fit(container(X), y, sample_weight=weights)
    repeated = _clone(estimator, **params).fit(container(X[rows]), y[rows])
    # The same path, not only the same end.
    assert weighted.n_iter_ == repeated.n_iter_
    _assert_same(weighted, repeated)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("task", TASKS)
def test_a_zero_weight_removes_the_row_whatever_is_in_it(task, container):
    X, y, estimator = TASKS[task]()
    weights = np.random.default_rng(1).uniform(0.5, 2, size=len(X))
    weights[::5] = 0
    kept = weights > 0
    removed = _clone(estimator).fit(container(X[kept]), y[kept], sample_weight=weights[kept])
    X = X.copy()
    X[~kept] = 1e6
    if y.dtype.kind == "f":
        y = y.copy()
        y[~kept] = -1e9
    _assert_same(_clone(estimator).fit(container(X), y, sample_weight=weights), removed)


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_least_squares_knows_no_total_of_the_weights(factor):
    X, y, estimator = _regression()
    weights = np.random.default_rng(2).uniform(size=len(X))
    plain = _clone(estimator, alpha=0.1).fit(X, y, sample_weight=weights)
    _assert_same(_clone(estimator, alpha=0.1).fit(X, y, sample_weight=factor * weights), plain)


@pytest.mark.parametrize("size", [5e307, 1e300, 5e37, 1e30, 1e-30, 1e-44, 1e-300, 1e-322])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("task", TASKS)
def test_weights_at_the_ends_of_the_range_of_numbers(task, container, dtype, size):
    """Their sum overflows, their products underflow, float32 has none of them: but their ratios are the same."""
    X, y, estimator = TASKS[task]()
    X, base = scale(X).astype(dtype), np.random.default_rng(6).choice([1.0, 2.0, 3.0], size=len(X))
    weights = base * size
    estimator = _clone(
        estimator, **({"C": np.inf, "class_weight": "balanced"} if task in ("binary", "multinomial") else {})
    )
    model = _clone(estimator, max_iter=5, tol=1e3).fit(container(X), y, sample_weight=weights)
    # the first iteration is the same, whatever the exact weights are worth
    ratios = weights / weights.max()
    _assert_same(model, _clone(estimator, max_iter=5, tol=1e3).fit(container(X), y, sample_weight=ratios))
    if task == "regression":
        _assert_same(
            _clone(estimator).fit(container(X), y, weights), _clone(estimator).fit(container(X), y, ratios), 1e-4
        )
    if 1e-38 < size < 1e38:
        single = _clone(estimator, max_iter=5, tol=1e3).fit(container(X), y, weights.astype(np.float32))
        _assert_same(model, single, rtol=1e-5)


@pytest.mark.parametrize("size", [1e300, 1e-300])
@pytest.mark.parametrize("task", ["binary", "multinomial"])
def test_the_penalty_knows_weights_of_any_size(task, size):
    X, y, estimator = TASKS[task]()
    heavy = _clone(estimator, C=1 / size).fit(X, y, sample_weight=np.full(len(X), size))
    _assert_same(heavy, estimator.fit(X, y))


@pytest.mark.parametrize(("C", "weight"), [(5e-324, None), (1e-200, 1e-150), (1.0, 1e-315)])
def test_a_penalty_that_overflows_is_refused_by_name(C, weight):
    X, y, _ = _binary()
    with pytest.raises(ValueError, match=rf"C={C} is too small.*overflows"):
        GDLogisticRegression(C=C).fit(X, y, sample_weight=weight)
    # a little less: the coefficients are nothing, the intercept is the log-odds
    model = GDLogisticRegression(C=1e-300).fit(X, y)
    assert np.abs(model.coef_).max() < 1e-290
    assert model.intercept_[0] == pytest.approx(-np.log(2), rel=1e-5)


@pytest.mark.parametrize("task", ["binary", "multinomial"])
def test_weights_are_worth_a_penalty(task):
    """C multiplies the sum over samples: doubling all weights is doubling C."""
    X, y, estimator = TASKS[task]()
    doubled = _clone(estimator).fit(X, y, sample_weight=np.full(len(X), 2.0))
    _assert_same(doubled, _clone(estimator, C=2.0).fit(X, y))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("weight", [1, 2.5])
def test_one_number_for_all(task, weight):
    X, y, estimator = TASKS[task]()
    _assert_same(
        _clone(estimator).fit(X, y, sample_weight=weight),
        _clone(estimator).fit(X, y, sample_weight=np.full(len(X), float(weight))),
    )


@pytest.mark.parametrize("kind", ["list", "float32", "int", "pandas"])
def test_weights_of_any_kind(kind):
    X, y, estimator = _regression()
    weights = np.random.default_rng(3).integers(1, 5, size=len(X))
    if kind == "pandas":
        given = pytest.importorskip("pandas").Series(weights)
    else:
        given = {"list": weights.tolist(), "float32": weights.astype(np.float32), "int": weights}[kind]
    _assert_same(
        _clone(estimator).fit(X, y, sample_weight=given),
        _clone(estimator).fit(X, y, sample_weight=weights.astype(float)),
    )


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("class_weight", ["balanced", "dict"])
@pytest.mark.parametrize("task", ["binary", "multinomial"])
def test_class_weight_as_in_scikit_learn(task, class_weight, weighted):
    X, y, _ = TASKS[task]()
    X, y = scale(X)[25:], y[25:]  # unbalanced
    weights = np.random.default_rng(4).uniform(0.1, 3, size=len(y)) if weighted else None
    if class_weight == "dict":
        class_weight = {label: 1.0 + 3 * label for label in np.unique(y)}
    ours = GDLogisticRegression(class_weight=class_weight, tol=1e-11, max_iter=10_000)
    theirs = LogisticRegression(class_weight=class_weight, solver="newton-cholesky", tol=1e-14)
    ours.fit(X, y, sample_weight=weights)
    theirs.fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-7, atol=1e-8)


def test_class_weight_is_a_sample_weight():
    X, y, _ = _multinomial()
    by_class = GDLogisticRegression(class_weight={0: 1.0, 1: 2.0, 2: 5.0}).fit(X, y)
    by_sample = GDLogisticRegression().fit(X, y, sample_weight=np.array([1.0, 2.0, 5.0])[y])
    _assert_same(by_class, by_sample)


@pytest.mark.parametrize("interface", ["array", "matrix"])
@pytest.mark.parametrize("sparse_format", FORMATS)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.filterwarnings("ignore:Constructing a DIA matrix:scipy.sparse.SparseEfficiencyWarning")
def test_every_sparse_format_is_the_dense_array(task, sparse_format, interface):
    X, y, estimator = TASKS[task]()
    X = np.where(np.abs(scale(X)) > 0.5, X, 0.0)
    container = getattr(sparse, f"{sparse_format}_{interface}")
    weights = np.random.default_rng(5).uniform(0.5, 2, size=len(X))
    params = {"tol": 1e-10, "max_iter": 10_000}
    dense = _clone(estimator, **params).fit(X, y, sample_weight=weights)
    model = _clone(estimator, **params).fit(container(X), y, sample_weight=weights)
    _assert_same(model, dense)
    np.testing.assert_allclose(model.predict(container(X)), dense.predict(X))
    if task in ("binary", "multinomial"):
        np.testing.assert_allclose(model.predict_proba(container(X)), dense.predict_proba(X), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("task", TASKS)
def test_weights_are_not_written_to(task):
    X, y, estimator = TASKS[task]()
    weights = np.linspace(0.5, 2, len(X))
    before = weights.copy()
    weights.flags.writeable = False
    _clone(estimator).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(weights, before)
