"""X that stays in its file: the same results, blocks alone in memory, and errors that say which rows failed."""

import os
import subprocess
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

from sklearn_gd import GDLinearRegression, GDLogisticRegression, compiled
from sklearn_gd.designs import design_for, stored
from sklearn_gd.designs.stored import (
    FileRows,
    MappedRows,
    MemoryRows,
    MirroredRows,
    PickedRows,
    SlicedRows,
    Window,
    is_stored,
    open_rows,
)
from sklearn_gd.designs.threads import one_blas_thread

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


def _without_mirrors(monkeypatch):
    """As without the compiled kernels."""
    monkeypatch.setattr(stored, "mirrored_rows", lambda *_: None)


@pytest.fixture(params=[*STORED, "rows, copied", "backwards, copied"])
def store(request, tmp_path, monkeypatch):
    if request.param == "rows, copied":
        _without_mirrors(monkeypatch)
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
    monkeypatch.setattr(stored, "HELD_BYTES", held)
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
    monkeypatch.setattr(stored, "HELD_BYTES", 1000)
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
needs_mirrors = pytest.mark.skipif(
    not LINUX or compiled.kernels is None, reason="mirrors are made by Linux, asked by the compiled kernels"
)


@pytest.mark.skipif(not LINUX, reason="another system has no way but the last")
def test_how_memory_maps_are_read(tmp_path, data, monkeypatch):
    ways = {
        "rows": (MirroredRows, FileRows),
        "a plain view": (MirroredRows, FileRows),
        "columns": (FileRows, FileRows),
        "a part": (FileRows, FileRows),
        "other bytes": (FileRows, FileRows),
        "replaced": (MirroredRows, MemoryRows),
        "backwards": (MirroredRows, MemoryRows),
        "private": (MemoryRows, MemoryRows),
    }
    for name, (way, without) in ways.items():
        mapped = STORED[name](tmp_path / f"{name}.npy", data[0])
        assert type(open_rows(mapped)) is (without if compiled.kernels is None else way), name
        with monkeypatch.context() as context:
            _without_mirrors(context)
            assert type(open_rows(mapped)) is without, name
            context.setattr(stored, "memory_rows", lambda *_: None)
            assert type(open_rows(mapped)) is (MappedRows if without is MemoryRows else without), name
    assert type(open_rows(Slices(data[0]))) is SlicedRows


@needs_mirrors
def test_rows_of_a_map_are_computed_where_they_are(tmp_path, data):
    """In a mapping of the same pages: what is written to the file is seen, and nobody writes to it by mistake."""
    path = tmp_path / "X.npy"
    mapped = _saved(path, data[0])
    rows = open_rows(mapped)
    part = rows.fetch(17, 4711, Window())
    assert np.shares_memory(part, rows.X)
    assert not part.flags.writeable
    np.load(path, mmap_mode="r+")[20, 3] = 42
    assert part[3, 3] == mapped[20, 3] == 42
    for index in (np.arange(17, 4711, 500), np.arange(17, 4711, 3), np.array([8999])):
        np.testing.assert_array_equal(PickedRows(rows, index).obtain(0, len(index), Window()), mapped[index])


@pytest.mark.skipif(not LINUX, reason="no other system has its memory as a file")
@pytest.mark.parametrize(
    "view",
    [np.s_[:], np.s_[::-1], np.s_[:, ::-1], np.s_[::50], np.s_[:, ::3], np.s_[5:70:3, 1:4]],
    ids=["rows", "backwards", "columns backwards", "few rows", "few columns", "a part"],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_is_copied_in_any_order(tmp_path, data, view, order):
    X = np.asarray(data[0], order=order)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="c")
    mapped[13] = 5.0  # in no file
    rows = open_rows(mapped[view])
    assert type(rows) is MemoryRows
    for start, stop in ((0, len(mapped[view])), (7, 11)):
        np.testing.assert_array_equal(rows.fetch(start, stop, Window()), mapped[view][start:stop])


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
    assert max(s.stop - s.start for s in X.slices) <= stored.BLOCK_BYTES // (8 * 20)
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
@pytest.mark.parametrize("way", ["rows", "rows, copied", "columns", "backwards", "backwards, copied"])
def test_a_truncated_file_is_an_error_that_names_it(tmp_path, data, estimator_class, way, monkeypatch):
    way, *copied = way.split(",")
    if copied:
        _without_mirrors(monkeypatch)
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
@pytest.mark.parametrize("way", ["rows", "rows, copied", "columns", "a part", "backwards", "backwards, copied"])
def test_a_file_that_is_truncated_during_the_fit(tmp_path, data, estimator_class, way, monkeypatch):
    way, *copied = way.split(",")
    if copied:
        _without_mirrors(monkeypatch)
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


# What follows would end the process if it failed, so it runs in one of its own. `cut` cuts the file in the last part of a sweep, between
# all that is looked at before and the products, by a kernel, NumPy or BLAS.
CUT = """
import os, sys
import numpy as np
from sklearn_gd import GDLinearRegression, GDLogisticRegression, compiled
from sklearn_gd.designs.stored import MirroredRows, StoredDesign, open_rows

path, whole = sys.argv[1], os.path.getsize(sys.argv[1])
X = np.load(path, mmap_mode=sys.argv[2])
kept = np.array(X)
assert type(open_rows(X)) is MirroredRows

def cut(self, task, *rest):
    def one(part):
        if part.stop == len(X):
            self.X[part]  # asked for, and not touched
            os.truncate(path, whole * 2 // 5 + 100)
        return task(part)
    return inner(self, one, *rest)

def failing(call, *rest):
    StoredDesign._chunks = cut
    try:
        call(X, *rest)
        raise SystemExit("nothing was noticed")
    except OSError as error:
        words = str(error)
        assert "reading rows " in words and path in words and "truncated" in words, words
    finally:
        StoredDesign._chunks = inner
    # as it was, and the array shows what is in the file, rather than zeros that stand for what was lost
    os.truncate(path, 0)
    with open(path, "r+b") as file:
        file.write(content)
    assert np.array_equal(X, kept)

inner = StoredDesign._chunks
content = open(path, "rb").read()
y = kept[:, :3] + np.random.default_rng(0).normal(size=(len(kept), 3))
"""


def _run(code, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=300, **options
    )


def _passes(code, *arguments):
    ended = _run(code, *arguments)
    assert ended.returncode == 0, (ended.returncode, ended.stderr)
    return ended.stdout


# narrow: all products compiled; wide: by NumPy and BLAS in the mapping; several outputs: by BLAS
@needs_mirrors
@pytest.mark.parametrize(
    ("shape", "several", "mode"), [((60_000, 20), False, "r"), ((60_000, 20), True, "r+"), ((20_000, 100), False, "r")]
)
def test_a_file_that_is_cut_in_the_part_that_is_computed(tmp_path, shape, several, mode):
    np.save(tmp_path / "X.npy", np.random.default_rng(0).normal(size=shape))
    code = f"""
several = {several}
for estimator_class in (GDLinearRegression, GDLogisticRegression):
    target = y if several else y[:, 0]
    if estimator_class is GDLogisticRegression:
        target = target.argmax(axis=1) if several else target > 0
    for params in ({{}}, {{"learning_rate": 0.1, "max_iter": 5, "tol": 0}}):
        model = estimator_class(**params)
        failing(model.fit, target)
        assert not [name for name in vars(model) if name.endswith("_")], vars(model)
    fitted = estimator_class().fit(X, target)
    coef = fitted.coef_
    for method in ("fit", "predict", "decision_function", "predict_proba"):
        if hasattr(fitted, method):
            failing(getattr(fitted, method), *([target] if method == "fit" else []))
    assert fitted.coef_ is coef
"""
    _passes(CUT + code, tmp_path / "X.npy", mode)


@pytest.mark.skipif(not LINUX, reason="no other system has its memory as a file")
@pytest.mark.parametrize("step", [1, -1, 50])
def test_memory_that_is_lost_is_an_error(tmp_path, data, step, monkeypatch):
    """Cut after its size was looked at, and before that."""
    np.save(tmp_path / "X.npy", data[0])
    rows = open_rows(np.load(tmp_path / "X.npy", mmap_mode="c")[::step])
    assert type(rows) is MemoryRows
    os.truncate(tmp_path / "X.npy", data[0].nbytes // 2)
    n = rows.shape[0]
    with pytest.raises(OSError, match=r"rows 0 to \d+ of .*X\.npy failed .* truncated"):
        rows.obtain(0, n, Window())
    monkeypatch.setattr(MemoryRows, "_require_whole", lambda self: None)
    with pytest.raises(OSError, match=r"rows 0 to \d+ of .*X\.npy failed with OSError: \[Errno 5\]"):
        rows.obtain(0, n, Window())
    kept = slice(0, n // 3) if step > 0 else slice(n - n // 3, n)
    np.testing.assert_array_equal(rows.obtain(kept.start, kept.stop, Window()), data[0][::step][kept])


@needs_mirrors
def test_what_was_computed_of_lost_rows_never_counts(tmp_path, data):
    """A page that is lost, the end of the page in which the file ends now, and a file that is whole again before anybody looks."""
    code = """
import os, sys
from itertools import product
import numpy as np
from sklearn_gd.designs.stored import PickedRows, StoredDesign, Window, open_rows

path, whole = sys.argv[1], os.path.getsize(sys.argv[1])
content = open(path, "rb").read()
def in_turn():
    design = StoredDesign(open_rows(X), False)
    for part in design.in_turn(len(X) // 3):
        if part.stop == len(X):
            os.truncate(path, size)
        design.X[part].sum()

for step, (size, again) in product((1, -1), ((whole // 2, False), (whole // 2, True), (whole - 8, False))):
    X = np.load(path, mmap_mode="r")[::step]
    rows = open_rows(X)
    part = rows.obtain(0, len(X), Window())
    rows.confirm(0, len(X))
    os.truncate(path, size)
    total = part.sum()  # of zeros, too
    if again:
        open(path, "r+b").write(content)
    for call in (
        lambda: rows.confirm(0, len(X)),
        lambda: rows.obtain(0, len(X), Window()),
        lambda: PickedRows(rows, np.arange(0, len(X), 3)).obtain(0, len(X) // 3, Window()),
        lambda: rows[:9],
        in_turn,
    ):
        if call is in_turn:
            open(path, "r+b").write(content)
        try:
            call()
        except OSError as error:
            assert "rows " in str(error) and path in str(error) and "truncated" in str(error), error
        else:
            raise SystemExit("nothing was noticed")
    open(path, "r+b").write(content)
    assert np.array_equal(X, np.load(path)[::step])
    fresh = open_rows(X)
    assert np.array_equal(fresh.obtain(0, len(X), Window()), X)
    fresh.confirm(0, len(X))
"""
    _saved(tmp_path / "X.npy", data[0])
    _passes(code, tmp_path / "X.npy")


HANDLERS = """
import faulthandler, gc, mmap, os, signal, sys
import numpy as np
from sklearn_gd.designs.stored import FileRows, MirroredRows, Window, open_rows

path, whole = sys.argv[1], os.path.getsize(sys.argv[1])
X = np.load(path, mmap_mode="r")

def caught():
    # whether the system would call a handler of SIGBUS
    # From Python 3.12 on an error that left a context manager's generator is part of a cycle, whose frames hold the rows.
    gc.collect()
    (mask,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("SigCgt"))
    return bool(int(mask, 16) >> (signal.SIGBUS - 1) & 1)

def is_lost(rows):
    os.truncate(path, whole // 2)
    try:
        part = rows.X[:]
        assert rows.mirror.lost is None
        part.sum()
        assert whole // 2 - mmap.PAGESIZE < rows.mirror.lost < whole // 2 + mmap.PAGESIZE
        rows.confirm(0, len(X))
    except OSError:
        return True
    finally:
        os.truncate(path, whole)
    return False

def touch_another_lost_page():
    with open(path + ".other", "w+b") as file:
        file.truncate(4 * mmap.PAGESIZE)
        other = mmap.mmap(file.fileno(), 0)
        file.truncate(0)
    return other[mmap.PAGESIZE]
"""


@needs_mirrors
def test_a_handler_is_there_while_it_is_needed(tmp_path, data):
    _saved(tmp_path / "X.npy", data[0])
    code = """
assert not caught()
rows = open_rows(X)
assert caught()
more = [open_rows(X) for _ in range(80)]  # more than there are places for
assert {type(one) for one in more} == {MirroredRows, FileRows}
assert is_lost(rows)
more.clear()
assert caught()
again = open_rows(X)
part = again.obtain(0, 9, Window())
del rows, again
assert caught()  # its numbers are held
del part
assert not caught()
assert is_lost(open_rows(X)) and not caught()
"""
    _passes(HANDLERS + code, tmp_path / "X.npy")


@needs_mirrors
def test_what_is_not_ours_ends_the_process_as_before(tmp_path, data):
    _saved(tmp_path / "X.npy", data[0])
    code = """
from itertools import product

def end(before, ours, happens):
    child = os.fork()
    if not child:
        os.dup2(os.open(path + ".err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        before()
        kept = ours()
        happens()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), open(path + ".err").read()

def nothing():
    pass

def ignored():
    signal.signal(signal.SIGBUS, signal.SIG_IGN)

def during():
    rows = open_rows(X)
    assert is_lost(rows) and caught()
    return rows

def after():
    assert is_lost(open_rows(X))

def sent():
    os.kill(os.getpid(), signal.SIGBUS)

befores = nothing, faulthandler.enable, ignored
for before, ours, happens in product(befores, (nothing, during, after), (sent, touch_another_lost_page)):
    status, words = end(before, ours, happens)
    assert status == (0 if before is ignored and happens is sent else -signal.SIGBUS), (before, ours, happens, status)
    told = words.count("Fatal Python error: Bus error")
    assert told == (before is faulthandler.enable), (before, ours, happens, words)
"""
    _passes(HANDLERS + code, tmp_path / "X.npy")


@needs_mirrors
def test_other_handlers_are_called_as_before(tmp_path, data):
    _saved(tmp_path / "X.npy", data[0])
    code = """
calls = []
signal.signal(signal.SIGBUS, lambda number, frame: calls.append(number))
rows = open_rows(X)
assert is_lost(rows) and not calls
os.kill(os.getpid(), signal.SIGBUS)
assert calls == [signal.SIGBUS]
del rows
os.kill(os.getpid(), signal.SIGBUS)
assert len(calls) == 2
"""
    _passes(HANDLERS + code, tmp_path / "X.npy")


@needs_mirrors
def test_a_handler_above_ours_is_left_alone(tmp_path, data):
    """It may call ours, so that ours is not installed once more above it: rows are copied until it has gone."""
    _saved(tmp_path / "X.npy", data[0])
    code = """
rows = open_rows(X)
faulthandler.enable()
assert type(open_rows(X)) is FileRows
del rows
assert type(open_rows(X)) is FileRows
if not os.fork():
    touch_another_lost_page()
assert os.waitstatus_to_exitcode(os.wait()[1]) == -signal.SIGBUS
faulthandler.disable()
assert is_lost(open_rows(X)) and not caught()
"""
    ended = _run(HANDLERS + code, tmp_path / "X.npy")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("Fatal Python error: Bus error") == 1


@needs_mirrors
def test_a_forked_process_has_mirrors_of_its_own(tmp_path, data):
    _saved(tmp_path / "X.npy", data[0])
    code = """
rows = open_rows(X)
child = os.fork()
if not child:
    os._exit(0 if is_lost(rows) and is_lost(open_rows(X)) else 1)
assert os.waitpid(child, 0)[1] == 0
assert rows.mirror.lost is None and is_lost(rows)
"""
    _passes(HANDLERS + code, tmp_path / "X.npy")


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
