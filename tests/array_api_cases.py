"""Arrays of other libraries: they stay in their library and on their device, and the numbers are those of NumPy.

Run by test_array_api.py, in a process with SCIPY_ARRAY_API=1.

The device is array-api-strict's "device1", which NumPy cannot look into; PyTorch on the CPU is told to be such a device,
too. Where PyTorch sees a GPU, all is run there besides.
"""

import importlib.util
import pathlib
import subprocess
import sys
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import estimator_checks

from sklearn_gd import GDLinearRegression, GDLogisticRegression, GDPoissonRegression, GDQuantileRegression, arrays
from sklearn_gd.designs import array_api, design_for
from sklearn_gd.designs.dense import DenseDesign

array_api_strict = pytest.importorskip("array_api_strict", reason="array-api-strict is in the extra 'test'")

try:
    import torch
except ImportError:
    torch = None  # optional: what needs it says so
else:
    torch.set_num_threads(1)  # on small data threads only wait for each other

DEVICES = {"strict": (array_api_strict, array_api_strict.Device("device1"))}
if torch is not None:
    DEVICES["torch, cpu"] = (torch, "cpu")
    if torch.cuda.is_available():
        DEVICES["torch, cuda"] = (torch, "cuda")


@pytest.fixture
def dispatch():
    with sklearn.config_context(array_api_dispatch=True):
        yield


@pytest.fixture
def as_device(monkeypatch):
    """NumPy does not look into PyTorch's memory: what runs then is what runs on a GPU."""
    monkeypatch.setattr(arrays, "host_view", lambda array: array if isinstance(array, np.ndarray) else None)


@pytest.fixture(params=DEVICES)
def put(request, dispatch, as_device):
    xp, device = DEVICES[request.param]
    return lambda array: xp.asarray(np.array(array), device=device)


@pytest.fixture
def transfers(monkeypatch):
    """The sizes of what came home."""
    sizes = []
    transfer = arrays.transfer

    def counted(array):
        out = transfer(array)
        sizes.append(out.size)
        return out

    monkeypatch.setattr(arrays, "transfer", counted)
    monkeypatch.setattr(array_api, "transfer", counted)
    return sizes


# ------------------------------------------------------------------------------------------ scikit-learn's own checks

ESTIMATORS = {
    "regression": GDLinearRegression(),
    "ridge": GDLinearRegression(alpha=0.1, preconditioner="diagonal"),
    "logistic": GDLogisticRegression(),
    "balanced": GDLogisticRegression(class_weight="balanced"),
    "textbook": GDLogisticRegression(learning_rate=0.1, max_iter=20),
    "poisson": GDPoissonRegression(alpha=0.1),
    "textbook quantile": GDQuantileRegression(learning_rate=0.1, max_iter=20),
}


def _has_cuda():
    return importlib.util.find_spec("torch") is not None and importlib.import_module("torch").cuda.is_available()


# scikit-learn's checks skip these themselves, but for PyTorch 2.15, which raises another error than they wait for
needs_cuda = pytest.mark.skipif(not _has_cuda(), reason="PyTorch finds no CUDA device here")


def _array_checks():
    for name, estimator in ESTIMATORS.items():
        for _, check in estimator_checks.estimator_checks_generator(estimator):
            if "check_array_api" in repr(check):
                words = [*map(str, check.keywords.values())]
                marks = [needs_cuda] if any("cuda" in word for word in words) else []
                yield pytest.param(estimator, check, id="-".join([name, check.func.__name__, *words]), marks=marks)


@pytest.mark.parametrize("seen", [True, False], ids=["looked into", "as a device"])
@pytest.mark.parametrize(("estimator", "check"), [*_array_checks()])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # the textbook's rate on 30 rows
def test_checks_of_scikit_learn(estimator, check, seen, monkeypatch):
    if not seen:
        monkeypatch.setattr(arrays, "host_view", lambda array: array if isinstance(array, np.ndarray) else None)
    check(clone(estimator))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize(
    ("library", "device", "dtype"),
    [("array_api_strict", "CPU_DEVICE", "float64"), ("array_api_strict", "device1", "float32")]
    + [("torch", "cpu", dtype) for dtype in ("float32", "float64")]
    + [pytest.param("torch", "cuda", dtype, marks=needs_cuda) for dtype in ("float32", "float64")],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # the textbook's rate on 30 rows
def test_check_of_values(library, device, dtype, name, weighted):
    check = getattr(estimator_checks, "check_array_api_input_and_values", None)
    if check is None or not hasattr(estimator_checks, "check_array_api_mixed_inputs"):
        pytest.skip("the check with these arguments came with scikit-learn 1.9")
    estimator = ESTIMATORS[name]
    check(type(estimator).__name__, estimator, library, device, dtype, check_sample_weight=weighted)


# ------------------------------------------------------------------------------------------ every form of the problem


def _wide(n=40, p=60):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p))
    return X, X[:, :3].sum(axis=1) + rng.normal(size=n)


def _classes(X_y, k):
    X, y = X_y
    return X, np.digitize(y, np.quantile(y, np.arange(1, k) / k))


PROBLEMS = {
    "least squares": (GDLinearRegression(), load_diabetes(return_X_y=True)),
    "two targets": (GDLinearRegression(alpha=0.1), (load_iris().data[:, :2], load_iris().data[:, 2:])),
    "without matrix": (GDLinearRegression(preconditioner="diagonal"), load_diabetes(return_X_y=True)),
    "wide ridge": (GDLinearRegression(alpha=0.1), _wide()),
    "wide": (GDLinearRegression(), _wide()),
    "binomial": (GDLogisticRegression(), load_breast_cancer(return_X_y=True)),
    "no intercept": (GDLogisticRegression(fit_intercept=False, C=10.0), load_breast_cancer(return_X_y=True)),
    "multinomial": (GDLogisticRegression(), load_iris(return_X_y=True)),
    "multinomial, balanced": (GDLogisticRegression(class_weight="balanced"), load_iris(return_X_y=True)),
    "multinomial, many": (GDLogisticRegression(C=0.1), _classes(_wide(200, 60), 5)),
    "wide logistic": (GDLogisticRegression(), _classes(_wide(), 2)),
    "sketch": (GDLogisticRegression(preconditioner="nystrom"), _classes(_wide(200, 60), 2)),
    "diagonal": (GDLogisticRegression(preconditioner="diagonal"), load_breast_cancer(return_X_y=True)),
    "nesterov": (
        GDLogisticRegression(learning_rate="lipschitz", momentum="nesterov", preconditioner="full"),
        load_breast_cancer(return_X_y=True),
    ),
    "backtracking": (GDLogisticRegression(learning_rate="backtracking"), load_iris(return_X_y=True)),
    "barzilai-borwein": (GDLogisticRegression(learning_rate="barzilai-borwein"), load_iris(return_X_y=True)),
    "poisson": (GDPoissonRegression(), load_iris(return_X_y=True)),
    "wide poisson": (GDPoissonRegression(alpha=0.1), _classes(_wide(), 3)),
    "poisson, lipschitz": (
        GDPoissonRegression(learning_rate="lipschitz", momentum="nesterov"),
        load_iris(return_X_y=True),
    ),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_optimum_is_that_of_numpy(name, weighted, put):
    estimator, (X, y) = PROBLEMS[name]
    # weights of zero remove rows
    weight = {"sample_weight": np.arange(len(y)) % 4.0} if weighted else {}
    here = clone(estimator).set_params(tol=1e-7, max_iter=5000).fit(X, y, **weight)
    there = clone(here).fit(put(X), put(y), **{key: put(value) for key, value in weight.items()})
    np.testing.assert_allclose(
        arrays.transfer(there.coef_), here.coef_, rtol=1e-4, atol=1e-5 * np.abs(here.coef_).max()
    )
    assert there.loss_curve_[-1] == pytest.approx(here.loss_curve_[-1], rel=1e-8)
    assert type(there.coef_) is type(put(X))
    assert type(there.predict(put(X))) is type(put(X))
    assert all(type(entry) is float for column in there.history_.values() for entry in column)
    assert there.score(put(X), put(y)) == pytest.approx(here.score(X, y), abs=1e-6)


@pytest.mark.parametrize(("quantile", "alpha"), [(0.3, 0.0), ([0.8, 0.3], 0.0), (0.3, 0.5)])
def test_quantiles_on_a_device_are_proved_to_be_the_optimum(quantile, alpha, put):
    X, y = load_diabetes(return_X_y=True)
    X, weight = X / X.std(axis=0), np.arange(len(y)) % 4.0
    # in rounds the kinks of a penalty leave more of the gradient
    here = GDQuantileRegression(quantile=quantile, alpha=alpha, rearrange=True, tol=1e-5 if alpha else 1e-6)
    there = clone(here).fit(put(X), put(y), put(weight))
    here.fit(X, y, weight)
    assert np.max(there.dual_gap_) <= here.tol
    assert there.crossings_ == here.crossings_
    assert type(there.coef_) is type(there.predict(put(X))) is type(put(X))
    score = there.score(put(X), put(y), put(weight))
    assert score == pytest.approx(here.score(X, y, weight), abs=1e-5)
    np.testing.assert_allclose(arrays.transfer(there.predict(put(X))), here.predict(X), rtol=1e-3)


def test_an_offset_on_a_device(put):
    X, y = load_iris(return_X_y=True)
    offset, weight = np.linspace(-1, 1, len(y)), np.arange(len(y)) % 4.0
    here = GDPoissonRegression(alpha=0.1, tol=1e-8).fit(X, y, weight, offset)
    for given in (put(offset), offset):
        there = GDPoissonRegression(alpha=0.1, tol=1e-8).fit(put(X), put(y), put(weight), given)
        np.testing.assert_allclose(arrays.transfer(there.coef_), here.coef_, rtol=1e-5)
        predicted = there.predict(put(X), given)
        assert type(predicted) is type(put(X))
        np.testing.assert_allclose(arrays.transfer(predicted), here.predict(X, offset), rtol=1e-5)
        score = there.score(put(X), put(y), put(weight), given)
        assert score == pytest.approx(here.score(X, y, weight, offset), abs=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_textbook_run_step_by_step(dtype, put):
    X, y = load_iris(return_X_y=True)
    X = X.astype(dtype)
    estimator = GDLogisticRegression(learning_rate=0.1, max_iter=30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        here, there = clone(estimator).fit(X, y), estimator.fit(put(X), put(y))
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-5 if dtype == np.float32 else 1e-12)
    assert arrays.transfer(there.coef_).dtype == dtype


# ------------------------------------------------------------------------------------------ what comes home


def _tall(n, p, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    scale = np.geomspace(0.1, 10, p)
    X = rng.normal(size=(n, p)) * scale + 1.0
    return X.astype(dtype), (X @ (rng.normal(size=p) / scale) + rng.logistic(size=n) > 1).astype(int)


def test_one_transfer_an_iteration_with_a_rate_that_is_given(put, transfers):
    X, y = _tall(20_000, 5)
    numbers = []
    for max_iter in (10, 30):
        transfers.clear()
        with pytest.warns(ConvergenceWarning):
            GDLogisticRegression(learning_rate="adgd", max_iter=max_iter, tol=0).fit(put(X), put(y))
        numbers.append(len(transfers))
    assert numbers[1] - numbers[0] == 20
    assert max(transfers) < 100 * 5  # a few rows, for the columns' centres; never n_samples


@pytest.mark.parametrize("preconditioner", ["auto", "diagonal"])
@pytest.mark.parametrize("classes", [2, 3])
def test_two_transfers_an_iteration_with_auto(classes, preconditioner, put, transfers):
    """One for the trials and their gradients; a second one for a new metric, or for a search of more than three trials."""
    X, y = _tall(20_000, 5, np.float64)
    if classes == 3:
        y = y + (X[:, 1] > 1)
    numbers = []
    for max_iter in (0, 100):
        transfers.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # no iteration at all, to count what comes before
            model = GDLogisticRegression(preconditioner=preconditioner, max_iter=max_iter).fit(put(X), put(y))
        numbers.append(len(transfers))
    assert model.stop_reason_ == "gradient"
    assert numbers[1] - numbers[0] <= 2 * model.n_iter_, transfers
    assert max(transfers) < 100 * 5 * classes


def test_an_iteration_on_squares_reads_no_data_once_there_is_a_gram_matrix(put, transfers):
    X, _ = _tall(20_000, 5, np.float64)
    y = X @ np.arange(5.0) + np.random.default_rng(1).normal(size=len(X))
    GDLinearRegression().fit(put(X), put(y))
    assert len(transfers) <= 6


# ------------------------------------------------------------------------------------------ sums and moments


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("shape", [(50, 7), (20_001, 3)])
def test_products_and_moments_are_those_of_the_dense_design(shape, intercept, weighted, dtype, put):
    rng = np.random.default_rng(0)
    n = shape[0]
    X = (rng.normal(size=shape) + 100).astype(dtype)
    weight = rng.random(n).astype(dtype) if weighted else None
    if weighted:
        weight /= weight.sum()
    there_weight = None if weight is None else put(weight)
    here, there = DenseDesign(X, intercept), design_for(put(X), intercept)
    assert isinstance(there, array_api.ArrayDesign)
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-9}
    for outputs in ((), (2,)):
        coef = rng.normal(size=(here.size, *outputs))
        np.testing.assert_allclose(arrays.transfer(there.forward(coef)), here.forward(coef), **tolerance)
        np.testing.assert_allclose(there.normal(coef, there_weight), here.normal(coef, weight), rtol=tolerance["rtol"])
    for ours, theirs in (
        (there.moments(there_weight), here.moments(weight)),
        (there.gram(there_weight), here.gram(weight)),
        (there.gram(there_weight, put(X[:, 0])), here.gram(weight, X[:, 0])),
    ):
        scale = np.abs(theirs.matrix).max()
        np.testing.assert_allclose(ours.matrix / scale, theirs.matrix / scale, atol=tolerance["atol"])
        np.testing.assert_allclose(ours.centre, theirs.centre, rtol=1e-6)
        assert ours.weight_sum == pytest.approx(theirs.weight_sum, rel=1e-5)


def test_float32_sums_do_not_drift(put):
    """A running float32 sum of 0.1 over half a million rows is off in the third digit."""
    n = 500_001
    design = design_for(put(np.full((n, 1), 0.1, dtype=np.float32)), True)
    ones = put(np.ones(n, dtype=np.float32))
    value, gradient = design.sweep(lambda s, raw: (arrays.total(design.X[:, 0]), ones), np.zeros(2))
    exact = float(np.float32(0.1)) * n
    np.testing.assert_allclose([value, *gradient], [exact, exact, n], rtol=3e-6)
    assert arrays.home(arrays.dot(ones, design.X[:, 0]))[0] == pytest.approx(exact, rel=3e-6)


def test_columns_whose_squares_leave_the_range_of_float32(put):
    X, y = _tall(3000, 4)
    scale = np.array([1e-25, 1, 1e18, 1e-3], dtype=np.float32)
    plain, scaled = (GDLinearRegression().fit(put(A), put(y.astype(np.float32))) for A in (X, X * scale))
    np.testing.assert_allclose(
        arrays.transfer(scaled.coef_).astype(float) * scale, arrays.transfer(plain.coef_), rtol=1e-3
    )


def test_a_device_without_double_precision_solves_as_exactly(put, monkeypatch):
    """The sums are in float32 then; a Gram matrix that needs more digits is computed on the host."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 6)).astype(np.float32)
    X[:, 5] = X[:, 4] + 0.01 * X[:, 5]
    y = (X @ np.arange(6) + rng.normal(size=2000)).astype(np.float32)
    monkeypatch.setattr(arrays.Place, "double", property(lambda place: place.xp.float32))
    here, there = GDLinearRegression().fit(X, y), GDLinearRegression().fit(put(X), put(y))
    np.testing.assert_allclose(arrays.transfer(there.coef_), here.coef_, rtol=1e-3)
    assert arrays.transfer(there.coef_).dtype == np.float32


# ------------------------------------------------------------------------------------------ what goes in and comes out


def test_columns_in_order_of_fortran_are_copied_once(dispatch, as_device):
    if torch is None:
        pytest.skip("array-api-strict has no order of memory, and PyTorch is not installed")
    X, y = _tall(500, 4, np.float64)
    there = GDLogisticRegression().fit(torch.asarray(np.ascontiguousarray(X.T)).T, torch.asarray(y))
    np.testing.assert_allclose(there.coef_.numpy(), GDLogisticRegression().fit(X, y).coef_, rtol=1e-5)


def test_memory_of_the_host_is_looked_at_and_not_copied(dispatch, transfers):
    X, y = _tall(500, 4, np.float64)
    array = array_api_strict.asarray(X)
    assert np.shares_memory(arrays.host_view(array), np.from_dlpack(array))
    there = GDLogisticRegression().fit(array, array_api_strict.asarray(y))
    here = GDLogisticRegression().fit(X, y)
    np.testing.assert_array_equal(np.from_dlpack(there.coef_), here.coef_)
    assert there.history_ == here.history_
    assert transfers == []


def test_words_as_labels_stay_numpys(put):
    X, y = load_iris(return_X_y=True)
    names = load_iris().target_names[y]
    model = GDLogisticRegression().fit(put(X), names)
    assert isinstance(model.classes_, np.ndarray)
    assert isinstance(model.predict(put(X)), np.ndarray)
    np.testing.assert_array_equal(model.predict(put(X)), GDLogisticRegression().fit(X, names).predict(X))


@pytest.mark.parametrize("labels", [[-1, 1], [3, 90], [0.0, 2.0], [False, True], list(range(40))])
def test_labels_of_every_kind(labels, put):
    X, _ = _tall(400, 3, np.float64)
    y = np.array(labels)[np.arange(400) % len(labels)]
    there, here = GDLogisticRegression().fit(put(X), put(y)), GDLogisticRegression().fit(X, y)
    np.testing.assert_array_equal(arrays.transfer(there.classes_), here.classes_)
    np.testing.assert_allclose(arrays.transfer(there.predict_proba(put(X))), here.predict_proba(X), atol=1e-5)
    assert arrays.transfer(there.predict(put(X))).dtype == y.dtype


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(bad, put):
    X, y = _tall(200, 3, np.float64)
    X[7, 1] = bad
    model = GDLogisticRegression()
    with pytest.raises(ValueError, match="Input X contains"):
        model.fit(put(X), put(y))
    assert not hasattr(model, "coef_")


def test_bad_weights_are_refused(put):
    X, y = _tall(200, 3, np.float64)
    for weight, match in ((np.zeros(200), "zero"), (np.arange(200) - 1.0, "Negative"), (np.ones(3), "shape")):
        with pytest.raises(ValueError, match=match):
            GDLogisticRegression().fit(put(X), put(y), put(weight))


def test_a_second_fit_starts_from_coefficients_on_the_device(put):
    X, y = _tall(2000, 4, np.float64)
    model = GDLogisticRegression(warm_start=True).fit(put(X), put(y))
    assert model.fit(put(X), put(y)).n_iter_ == 0
    assert GDLogisticRegression(init=(model.coef_, model.intercept_)).fit(put(X), put(y)).n_iter_ == 0


def test_predictions_elsewhere_than_the_fit_are_refused_by_name(put):
    X, y = load_diabetes(return_X_y=True)
    model = GDLinearRegression().fit(put(X), put(y))
    with pytest.raises(ValueError, match=r"GDLinearRegression\.predict\(\) must use the same namespace"):
        model.predict(X)
    with (
        sklearn.config_context(array_api_dispatch=False),
        pytest.raises(ValueError, match="array_api_dispatch=True"),
    ):
        model.predict(X)
    model = GDLinearRegression().fit(X, y)
    with pytest.raises(ValueError, match="of NumPy, X is"):
        model.predict(put(X))


def test_without_dispatch_a_tensor_is_an_array_like():
    if torch is None:
        pytest.skip("needs PyTorch, which is optional")
    X, y = load_diabetes(return_X_y=True)
    model = GDLinearRegression().fit(torch.asarray(X), torch.asarray(y))
    assert isinstance(model.coef_, np.ndarray)
    assert isinstance(model.predict(torch.asarray(X)), np.ndarray)


def test_a_tensor_that_follows_its_gradients(dispatch):
    if torch is None:
        pytest.skip("needs PyTorch, which is optional")
    X, y = load_diabetes(return_X_y=True)
    model = GDLinearRegression().fit(torch.asarray(X).requires_grad_(), torch.asarray(y))
    np.testing.assert_array_equal(model.coef_.numpy(), GDLinearRegression().fit(X, y).coef_)


def test_what_is_missing_is_named(dispatch, monkeypatch):
    monkeypatch.setitem(sys.modules, "array_api_compat", None)
    with pytest.raises(ImportError, match="array-api-compat"):
        GDLinearRegression().fit(array_api_strict.ones((3, 1)), array_api_strict.ones(3))
    GDLinearRegression().fit(np.eye(3), np.ones(3))  # NumPy's arrays need nothing


def test_the_measurement_on_a_gpu_runs_in_small_on_a_cpu():
    if torch is None:
        pytest.skip("needs PyTorch, which is optional")
    pytest.importorskip(
        "benchmarks", reason="benchmarks/ is in the repository and the source distribution, not beside these tests"
    )
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--samples", "2000", "--features", "3"]
    root = pathlib.Path(__file__).parents[1]
    done = subprocess.run([*command, "--repeats", "1"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for line in ("copying X", "loss and gradient", "sklearn_gd", "LogisticRegression", "torch.optim.LBFGS"):
        assert line in done.stdout
