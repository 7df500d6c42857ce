"""X that stays in its file: the same results, blocks alone in memory, and errors that say which rows failed."""

import os
import sys
import threading
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from threadpoolctl import threadpool_limits

from sklearn_gd import GDLinearRegression, GDLogisticRegression
from sklearn_gd.designs import design_for
from sklearn_gd.designs.threads import one_blas_thread
from sklearn_gd.files import PickedRows, design, is_stored, maps, open_rows
from sklearn_gd.files.rows import BLOCK_BYTES, Block

BOTH = [GDLinearRegression, GDLogisticRegression]


class Slices:
    """What h5py and zarr offer: shape, dtype, and slices of rows; it counts what is read."""

    def __init__(self, array, chunks=None, fail_at=None):
        self.array, self.chunks, self.fail_at = array, chunks, fail_at
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, array.dtype
        self.name = "numbers"
        self.slices = []

    def __getitem__(self, s):
        assert isinstance(s, slice), "only slices of rows"
        self.slices.append(s)
        if self.fail_at is not None and s.start <= self.fail_at < s.stop:
            raise RuntimeError("checksum error")
        return self.array[s]

    @property
    def rows_read(self):
        return sum(s.stop - s.start for s in self.slices)


def _saved(path, X):
    np.save(path, X)
    return np.load(path, mmap_mode="r")


def _strange(path, X):
    wide = np.zeros((len(X), 2 * X.shape[1] + 3), dtype=X.dtype)
    wide[:, 3 : 3 + X.shape[1]] = X
    return _saved(path, np.concatenate([np.ones((7, wide.shape[1]), dtype=X.dtype), wide]))[7:, 3 : 3 + X.shape[1]]


def _backwards(path, X):
    return _saved(path, X[::-1])[::-1]


def _replaced(path, X):
    mapped = _saved(path, X)
    np.save(str(path) + ".new.npy", np.full_like(X, np.nan))
    os.replace(str(path) + ".new.npy", path)
    return mapped


def _private(path, X):
    np.save(path, np.zeros_like(X))
    mapped = np.load(path, mmap_mode="c")
    mapped[...] = X
    return mapped


def _hdf5(path, X):
    h5py = pytest.importorskip("h5py", reason="the test extra has it; the lowest versions' environment has not")
    return h5py.File(path, "w").create_dataset("table/numbers", data=X, chunks=(1000, X.shape[1]), compression="gzip")


def _zarr(path, X):
    zarr = pytest.importorskip("zarr", reason="the test extra has it; the lowest versions' environment has not")
    array = zarr.create_array(str(path), shape=X.shape, chunks=(1500, 4), dtype=X.dtype)
    array[...] = X
    return array


STORED = {
    "rows": _saved,
    "columns": lambda path, X: _saved(path, np.asfortranarray(X)),
    "a plain view": lambda path, X: np.asarray(_saved(path, X)),
    "a part": _strange,
    "backwards": _backwards,
    "other bytes": lambda path, X: _saved(path, X.astype(X.dtype.newbyteorder())),
    "replaced": _replaced,
    "private": _private,
    "slices": lambda path, X: Slices(X),
    "chunks": lambda path, X: Slices(X, chunks=(700, X.shape[1])),
    "one chunk": lambda path, X: Slices(X, chunks=X.shape),
    "hdf5": _hdf5,
    "zarr": _zarr,
}


def _nothing_is_told(monkeypatch):
    """As on a system that tells neither which file is mapped nor what is in memory."""
    monkeypatch.setattr(maps, "opened", lambda _: None)


@pytest.fixture(params=[*STORED, "rows, elsewhere", "backwards, elsewhere"])
def store(request, tmp_path, monkeypatch):
    if request.param.endswith("elsewhere"):
        _nothing_is_told(monkeypatch)
    return lambda X: STORED[request.param.split(",")[0]](tmp_path / "X.npy", X)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(9000, 8)) * 10 ** rng.uniform(-1, 1, 8) + rng.normal(size=8)
    raw = (X - X.mean(axis=0)) @ rng.normal(size=(8, 3)) / X.std(axis=0).mean()
    return X, raw + rng.normal(size=raw.shape), np.exp(rng.normal(size=len(X)))


def _target(estimator_class, Y, several):
    if estimator_class is GDLinearRegression:
        return Y if several else Y[:, 0]
    return Y.argmax(axis=1) if several else (Y[:, 0] > 0).astype(int)


def _same(model, other, X, stored_X, rtol):
    scale = np.abs(other.coef_).max()
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=rtol, atol=rtol * scale)
    np.testing.assert_allclose(model.intercept_, other.intercept_, rtol=10 * rtol, atol=10 * rtol * scale)
    assert model.coef_.dtype == other.coef_.dtype
    for method in ("predict", "decision_function", "predict_proba", "predict_log_proba"):
        if hasattr(other, method):
            ours, theirs = getattr(other, method)(stored_X), getattr(other, method)(X)
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 if X.dtype == np.float32 else 1e-9)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("estimator_class", BOTH)
def test_the_same_results_as_in_memory(data, store, estimator_class, several):
    X, Y, weight = data
    y, stored_X = _target(estimator_class, Y, several), store(X)
    assert is_stored(stored_X)
    weight = np.where(np.arange(len(X)) % 5 < 2, 0.0, weight)  # two rows of five are as if they were not there
    for params, sample_weight in (({}, None), ({"fit_intercept": False}, weight)):
        model = estimator_class(tol=1e-9, **params)
        other = clone(model).fit(X, y, sample_weight=sample_weight)
        model.fit(stored_X, y, sample_weight=sample_weight)
        _same(model, other, X, stored_X, 1e-7)
        assert model.score(stored_X, y, sample_weight) == pytest.approx(other.score(X, y, sample_weight), rel=1e-9)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("estimator_class", BOTH)
def test_float32_stays_float32(data, store, estimator_class, several):
    X, Y, weight = data
    X, y = X.astype(np.float32), _target(estimator_class, Y, several)
    stored_X = store(X)
    model, other = (estimator_class(tol=1e-4).fit(array, y, sample_weight=weight) for array in (stored_X, X))
    _same(model, other, X, stored_X, 2e-3)
    double = estimator_class(tol=1e-4).fit(X.astype(np.float64), y)
    assert double.predict(stored_X).dtype == double.predict(X).dtype


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.bool_, np.float16])
def test_other_numbers_are_converted_by_blocks(tmp_path, data, dtype):
    X = (data[0] > 0.5) if dtype == np.bool_ else np.abs(3 * data[0]).astype(dtype)
    y = data[1][:, 0]
    model, other = (GDLinearRegression().fit(array, y) for array in (_saved(tmp_path / "X.npy", X), X))
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=1e-8, atol=1e-8)
    assert model.coef_.dtype == np.float64


@pytest.mark.parametrize("estimator_class", BOTH)
def test_class_weights_learning_rates_and_metrics(tmp_path, data, estimator_class):
    X, Y, _ = data
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    mapped, y = _saved(tmp_path / "X.npy", X), _target(estimator_class, Y, False)
    choices = [{"learning_rate": 0.1}, {"learning_rate": "adgd"}, {"preconditioner": "nystrom"}]
    if estimator_class is GDLogisticRegression:
        choices.append({"class_weight": "balanced"})
    for params in choices:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a few iterations tell the paths apart
            model, other = (estimator_class(max_iter=20, **params).fit(array, y) for array in (mapped, X))
        np.testing.assert_allclose(model.loss_curve_, other.loss_curve_, rtol=1e-6)
        np.testing.assert_allclose(model.coef_, other.coef_, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("estimator_class", BOTH)
@pytest.mark.parametrize("held", [1 << 26, 1 << 12])
def test_fewer_rows_than_columns(tmp_path, monkeypatch, estimator_class, held):
    monkeypatch.setattr(design, "HELD_BYTES", held)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 300)) + 5
    Y = rng.normal(size=(40, 3))
    mapped = _saved(tmp_path / "X.npy", X)
    for y in (_target(estimator_class, Y, False), _target(estimator_class, Y, True)):
        model, other = (estimator_class().fit(array, y) for array in (mapped, X))
        np.testing.assert_allclose(model.coef_, other.coef_, rtol=1e-5, atol=1e-7)
        assert model.history_["passes"][-1] >= other.history_["passes"][-1]


def test_a_sample_too_large_to_be_held_is_read_again(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30_000, 12))
    y = (X @ rng.normal(size=12) + rng.logistic(size=len(X)) > 0).astype(int)
    mapped = _saved(tmp_path / "X.npy", X)
    model = GDLogisticRegression(tol=1e-8).fit(mapped, y)
    monkeypatch.setattr(design, "HELD_BYTES", 1000)
    again = GDLogisticRegression(tol=1e-8).fit(mapped, y)
    np.testing.assert_allclose(again.coef_, model.coef_, rtol=1e-6)


def test_many_columns_go_through_in_turn(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 270))
    y = X[:, 0] + rng.normal(size=len(X))
    model, other = (GDLinearRegression().fit(array, y) for array in (_saved(tmp_path / "X.npy", X), X))
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-10)


# --- how they are read -------------------------------------------------------------------------------


LINUX = sys.platform == "linux"
needs_linux = pytest.mark.skipif(
    not LINUX, reason="other systems tell neither which file is mapped nor what is in memory"
)


@needs_linux
@pytest.mark.parametrize(
    "way", ["rows", "a plain view", "columns", "a part", "backwards", "other bytes", "replaced", "private"]
)
def test_memory_maps_are_read_from_their_files(tmp_path, data, way):
    """From memory, as if that was a file, where the numbers are in no file of that name."""
    path = tmp_path / "X.npy"
    rows = open_rows(STORED[way](path, data[0]))
    with open("/proc/self/mem" if way in ("replaced", "private") else path, "rb") as file:
        assert os.path.sameopenfile(rows.file, file.fileno())


VIEWS = {
    "rows": np.s_[:],
    "backwards": np.s_[::-1],
    "columns backwards": np.s_[:, ::-1],
    "few rows": np.s_[::50],
    "few columns": np.s_[:, ::3],
    "a part": np.s_[5:70:3, 1:4],
    "one column": np.s_[:, 2:3],
}


@needs_linux
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("mode", ["r", "c"])
def test_views_in_any_order_are_copied_by_reads(tmp_path, data, mode, order, view):
    np.save(tmp_path / "X.npy", np.asarray(data[0], order=order))
    mapped = np.load(tmp_path / "X.npy", mmap_mode=mode)
    if mode == "c":
        mapped[13] = 5.0  # in no file
    mapped = mapped[VIEWS[view]]
    rows = open_rows(mapped)
    for start, stop in ((0, len(mapped)), (7, 11)):
        found = rows.read(start, stop, Block().room)
        np.testing.assert_array_equal(found, mapped[start:stop])
        assert not np.shares_memory(found, mapped)
    for index in (np.arange(1, len(mapped), 7), np.array([len(mapped) - 1]), np.arange(0)):
        np.testing.assert_array_equal(PickedRows(rows, index)[:], mapped[index])


def test_rows_far_apart_are_read_without_those_between():
    X = Slices(np.ones((9000, 400)))
    picked = PickedRows(open_rows(X), np.array([*range(0, 600, 2), 7000, 8999]))
    assert picked[:].shape == (302, 400)
    assert X.slices == [slice(0, 599), slice(7000, 7001), slice(8999, 9000)]


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((3, 2)),
        np.float64(1),
        sp.csr_array((3, 2)),
        pd.DataFrame({"a": [1.0]}),
        pd.Series([1.0]),
        [[1.0]],
        np.array(np.zeros((3, 2)))[::2],
    ],
    ids=lambda X: type(X).__name__,
)
def test_what_is_in_memory_is_not_stored(X):
    assert not is_stored(X)


@pytest.mark.parametrize("chunks", [None, (700, 20)])
@pytest.mark.parametrize("estimator_class", BOTH)
def test_a_sweep_reads_each_block_once(estimator_class, chunks):
    rng = np.random.default_rng(0)
    X = Slices(rng.normal(size=(50_000, 20)), chunks)
    y = _target(estimator_class, X.array[:, :3] + rng.normal(size=(len(X.array), 3)), False)
    model = estimator_class(learning_rate=0.5, tol=1e-2).fit(X, y)
    passes = model.history_["passes"][-1]
    assert passes >= len(model.loss_curve_) + 1  # the columns' moments, and one sweep a gradient
    assert passes * len(X.array) <= X.rows_read <= passes * len(X.array) + 1000
    assert max(s.stop - s.start for s in X.slices) <= BLOCK_BYTES // (8 * 20)
    X.slices.clear()
    model.predict(X)
    assert sorted((s.start, s.stop) for s in X.slices)[-1][1] == X.rows_read == len(X.array)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_next_block_is_read_while_this_one_is_computed(threads):
    """The arithmetic on the first block waits until another block is being read."""
    X = Slices(np.ones((60_000, 20)))
    reads = threading.Semaphore(0)
    inner = X.__class__.__getitem__

    class Told(Slices):
        def __getitem__(self, s):
            reads.release()
            return inner(self, s)

    with threadpool_limits(threads, user_api="blas"), one_blas_thread():
        design = design_for(open_rows(Told(X.array)), False)

        def pointwise(s, raw):
            if s.start == 0:
                assert all(reads.acquire(timeout=60) for _ in range(2)), "no other block is read"
            return 0.0, raw

        design.sweep(pointwise, np.ones(20))


def test_the_same_bits_on_one_thread_and_two(tmp_path):
    mapped = _saved(tmp_path / "X.npy", np.random.default_rng(0).normal(size=(50_000, 30)))
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"), one_blas_thread():
            design = design_for(open_rows(mapped), True)
            results.append((design.normal(np.arange(31.0), None), design.gram().matrix, design.moments().matrix))
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("estimator_class", BOTH)
def test_blocks_alone_are_in_memory(tmp_path, estimator_class, order):
    """40 MB of numbers, of which less than half may be in memory: three blocks, a sample, and vectors of n_samples."""
    n, p = 50_000, 100
    X = np.lib.format.open_memmap(
        tmp_path / "X.npy", mode="w+", dtype=np.float64, shape=(n, p), fortran_order=order == "F"
    )
    rng = np.random.default_rng(0)
    X[...] = rng.normal(size=(n, p)) + 1
    X.flush()
    y = _target(estimator_class, X[:, :3] + rng.normal(size=(n, 3)), False)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = estimator_class().fit(mapped, y)  # what is imported or made once is not counted
    tracemalloc.start()
    try:
        model.fit(mapped, y).score(mapped, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes / 2


# --- what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("estimator_class", BOTH)
def test_what_is_not_finite_is_named_by_row(data, store, estimator_class, value):
    X, Y, _ = data
    X, y = X.copy(), _target(estimator_class, Y, False)
    X[8123, 5] = X[8124, 0] = value
    bad = store(X)
    words = f"X contains {'NaN' if np.isnan(value) else 'infinity'}: row 8123, column 5"
    weight = np.ones(len(X))
    weight[8000:8500] = 0  # rows without weight are data, too
    for params in ({}, {"learning_rate": 0.1}):
        for sample_weight in (None, weight):
            model = estimator_class(**params)
            with pytest.raises(ValueError, match=words):
                model.fit(bad, y, sample_weight=sample_weight)
            with pytest.raises(NotFittedError):
                model.predict(X)
    fitted = estimator_class().fit(data[0], y)
    coef = fitted.coef_
    with pytest.raises(ValueError, match=words):
        fitted.predict(bad)
    with pytest.raises(ValueError, match=words):
        fitted.fit(bad, y)
    assert fitted.coef_ is coef


@pytest.mark.parametrize("shape", [(20_000, 270), (3000, 700), (2000, 1100), (50, 900)])
@pytest.mark.parametrize("estimator_class", BOTH)
def test_not_finite_among_many_columns(tmp_path, estimator_class, shape):
    X = np.random.default_rng(0).normal(size=shape)
    y = _target(estimator_class, X[:, :1], False)
    for value in (np.nan, np.inf):
        X[-1, -1] = value
        with pytest.raises(ValueError, match=f"row {shape[0] - 1}, column {shape[1] - 1}"):
            estimator_class().fit(_saved(tmp_path / "X.npy", X), y)


def test_large_numbers_are_not_taken_for_infinity(tmp_path):
    X = np.random.default_rng(0).normal(size=(5000, 3))
    y = X[:, 0]
    X[:, 1] *= 1e200
    with pytest.raises(ValueError, match="too large"):
        GDLinearRegression().fit(_saved(tmp_path / "X.npy", X), y)
    X[:, 1] *= 1e-100
    GDLinearRegression().fit(_saved(tmp_path / "X.npy", X), y)


@pytest.mark.parametrize("estimator_class", BOTH)
@pytest.mark.parametrize("way", ["rows", "columns", "a part", "backwards", "private", "rows, elsewhere"])
def test_a_truncated_file_is_an_error_that_names_it(tmp_path, data, estimator_class, way, monkeypatch):
    way, *elsewhere = way.split(",")
    if elsewhere:
        _nothing_is_told(monkeypatch)
    X, Y, _ = data
    path, y = tmp_path / "X.npy", _target(estimator_class, Y, False)
    mapped = STORED[way](path, X)
    fitted = estimator_class().fit(mapped, y)
    coef = fitted.coef_
    os.truncate(path, X.nbytes // 2)
    for model in (fitted, estimator_class()):
        with pytest.raises(OSError, match=r"X\.npy is truncated: its array needs the first \d+ bytes"):
            model.fit(mapped, y)
    with pytest.raises(OSError, match="truncated"):
        fitted.predict(mapped)
    assert fitted.coef_ is coef
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("estimator_class", BOTH)
@pytest.mark.parametrize("way", ["rows", "columns", "a part", "backwards", "private"])
def test_a_file_that_is_truncated_during_the_fit(tmp_path, data, estimator_class, way, monkeypatch):
    way, *elsewhere = way.split(",")
    if elsewhere:
        _nothing_is_told(monkeypatch)
    X, Y, _ = data
    path, y = tmp_path / "X.npy", _target(estimator_class, Y, False)
    mapped = STORED[way](path, X)

    def rate(k):
        if k == 3:
            os.truncate(path, X.nbytes // 2)
        return 1e-3

    model = estimator_class(learning_rate=rate)
    with pytest.raises(OSError, match=r"rows \d+ to \d+ of .*X\.npy failed .* truncated"):
        model.fit(mapped, y)
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("estimator_class", BOTH)
@pytest.mark.parametrize("given", ["y", "sample_weight"])
@pytest.mark.parametrize("mode", ["r", "c"])
def test_a_target_or_weights_in_a_file(tmp_path, data, estimator_class, given, mode):
    X, Y, weight = data
    y = _target(estimator_class, Y, False)
    arrays = {"y": y, "sample_weight": weight}
    np.save(tmp_path / "numbers.npy", arrays[given])
    mapped = np.load(tmp_path / "numbers.npy", mmap_mode=mode)
    fitted = estimator_class().fit(X, **{**arrays, given: mapped})
    np.testing.assert_array_equal(fitted.coef_, estimator_class().fit(X, **arrays).coef_)
    if hasattr(fitted, "classes_"):
        assert fitted.classes_.dtype == np.unique(y).dtype
    os.truncate(tmp_path / "numbers.npy", 1000)
    with pytest.raises(OSError, match=r"numbers\.npy is truncated"):
        estimator_class().fit(X, **{**arrays, given: mapped})


@needs_linux
@pytest.mark.parametrize("way", ["rows", "columns", "a part", "backwards", "private"])
@pytest.mark.parametrize("lost", [8, 200_000], ids=["the last number", "pages"])
def test_what_a_file_has_lost_is_an_error_whoever_reads(tmp_path, data, way, lost):
    """Where a file ends within a page, its mapping goes on with zeros: these are not taken for numbers."""
    X, path = data[0], tmp_path / "X.npy"
    mapped = STORED[way](path, X)
    rows, content = open_rows(mapped), path.read_bytes()
    last = 8 * X.itemsize if way == "a part" else 0  # behind the last number of the part
    os.truncate(path, len(content) - last - lost)
    for call in (
        lambda: rows.read(0, len(X), Block().room),
        lambda: PickedRows(rows, np.arange(2, len(X), 3))[:],
        lambda: PickedRows(rows, np.arange(999, len(X), 1000))[:],
        lambda: rows[-3:],
        lambda: list(design.StoredDesign(rows, False).in_turn(1000)),
    ):
        with pytest.raises(OSError, match=r"rows \d+ to \d+ of .*X\.npy failed .* truncated"):
            call()
    if way != "private":  # whose own numbers are gone with the file's
        path.write_bytes(content)
        np.testing.assert_array_equal(rows[:], X)


@pytest.mark.parametrize("estimator_class", BOTH)
def test_rows_that_cannot_be_read_are_named(data, estimator_class):
    X, Y, _ = data
    y = _target(estimator_class, Y, False)
    fitted = estimator_class().fit(X, y)
    coef = fitted.coef_
    failing = Slices(X, fail_at=8765)
    for model in (fitted, estimator_class()):
        with pytest.raises(OSError, match=r"rows \d+ to \d+ of numbers failed with RuntimeError: checksum error"):
            model.fit(failing, y)
    with pytest.raises(OSError, match="checksum"):
        fitted.predict(failing)
    assert fitted.coef_ is coef
    assert not hasattr(model, "coef_")
    short = Slices(X)
    short.array = X[:5000]
    with pytest.raises(OSError, match="were asked for"):
        estimator_class().fit(short, y)


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros((5, 2), dtype=complex), "Complex data not supported"),
        (np.full((5, 2), "a"), "no numbers"),
        (np.full((5, 2), None), "no numbers"),
        (np.zeros(5), "Expected 2D array"),
        (np.zeros((5, 2, 2)), "dim"),
        (np.zeros((0, 2)), "0 sample"),
        (np.zeros((5, 0)), "0 feature"),
        (np.zeros((6, 2)), "inconsistent"),
    ],
    ids=["complex", "text", "objects", "one-dimensional", "three-dimensional", "no rows", "no columns", "y too short"],
)
@pytest.mark.parametrize("estimator_class", BOTH)
def test_what_is_no_table_of_numbers_is_refused_unread(estimator_class, X, words):
    X = Slices(X)
    with pytest.raises((ValueError, TypeError), match=words):
        estimator_class().fit(X, np.arange(5) % 2)
    assert not X.slices


def test_another_number_of_features_is_refused_unread(data):
    X, Y, _ = data
    model, other = GDLinearRegression().fit(X, Y), Slices(X[:, :5])
    with pytest.raises(ValueError, match="5 features"):
        model.predict(other)
    assert not other.slices
