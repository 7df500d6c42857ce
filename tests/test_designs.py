"""Every kind of storage gives the same numbers as the matrix written out, on one thread or two."""

import functools
import tempfile
import threading
import time

import numpy as np
import pytest
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from sklearn_gd.designs import design_for
from sklearn_gd.designs.dense import DenseDesign
from sklearn_gd.designs.threads import map_ordered, n_threads, one_blas_thread
from sklearn_gd.files import open_rows
from sklearn_gd.losses import Binomial, HalfSquaredError, Multinomial
from sklearn_gd.objectives import LinearModel
from sklearn_gd.penalties import L2

STORAGE = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr": sp.csr_array,
    "csr, 32 bits": lambda X: sp.csr_array(X.astype(np.float32)),
    "C, 32 bits": lambda X: X.astype(np.float32),
    "in a file": lambda X: _in_file(X),
    "columns in a file, 32 bits": lambda X: _in_file(np.asfortranarray(X, dtype=np.float32)),
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
}


def _in_file(X):
    with tempfile.TemporaryDirectory() as folder:
        np.save(folder + "/X.npy", X)
        return open_rows(np.load(folder + "/X.npy", mmap_mode="r"))


def _matrix(n, p, offset=3.0):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.4)
    X[:, 0] += offset
    return X


def _tolerance(X):
    return {"rtol": 1e-4, "atol": 1e-4} if X.dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-10}


@pytest.fixture(params=[(60, 5), (3000, 300), (40_000, 6)], ids=["small", "blocks", "chunks"])
def shape(request):
    return request.param


@pytest.mark.parametrize("outputs", [(), (3,)])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("storage", STORAGE)
def test_products(storage, intercept, outputs, shape):
    n, p = shape
    dense = _matrix(n, p)
    X = STORAGE[storage](dense)
    design = design_for(X, intercept)
    full = np.column_stack([dense, np.ones(n)]) if intercept else dense
    rng = np.random.default_rng(1)
    coef = rng.normal(size=(design.size, *outputs))
    raw = full @ coef
    tolerance = _tolerance(X)
    np.testing.assert_allclose(design.forward(coef), raw, **tolerance)
    weight = rng.random(n)
    weight = (weight / weight.sum()).astype(X.dtype)
    expected = full.T @ (weight.reshape(-1, *(1 for _ in outputs)) * raw)
    np.testing.assert_allclose(design.normal(coef, weight), expected, **tolerance)
    value, gradient = design.sweep(lambda s, part: (float(np.vdot(part, part)), 2 * part), coef)
    np.testing.assert_allclose(value, np.vdot(raw, raw), rtol=1e-4)
    np.testing.assert_allclose(gradient / n, full.T @ (2 * raw) / n, **tolerance)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("storage", STORAGE)
def test_second_moments(storage, intercept, weighted, shape):
    n, p = shape
    dense = _matrix(n, p, offset=100.0)
    X = STORAGE[storage](dense)
    rng = np.random.default_rng(1)
    weight = rng.random(n)
    weight = (weight / weight.sum()).astype(X.dtype) if weighted else None
    w = np.full(n, 1 / n) if weight is None else weight.astype(np.float64)
    design = design_for(X, intercept)
    gram, moments = design.gram(weight), design.moments(weight)
    centre = w @ dense / w.sum() if intercept else np.zeros(p)
    expected = (dense - centre).T @ ((dense - centre) * w[:, None])
    tolerance = {"rtol": 1e-3, "atol": 2e-3} if X.dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_allclose(gram.matrix, expected, **tolerance)
    np.testing.assert_allclose(moments.matrix, np.diag(expected), **tolerance)
    np.testing.assert_allclose(gram.centre, centre, **tolerance)
    assert gram.weight_sum == pytest.approx(w.sum() if intercept else 0.0, rel=1e-5)


@pytest.mark.parametrize("storage", ["C", "csr", "in a file"])
def test_rows_products_and_their_adjoint(storage):
    dense = _matrix(30, 80)
    design = design_for(STORAGE[storage](dense), True)
    centre = design.moments().centre
    used = np.arange(80) != 3
    products = design.row_products(centre, used)
    centred = dense - centre
    np.testing.assert_allclose(products, centred[:, used] @ centred[:, used].T, atol=1e-9)
    residual = np.random.default_rng(2).normal(size=30)
    np.testing.assert_allclose(design.centred_adjoint(residual, centre), centred.T @ residual, atol=1e-9)


def test_a_large_offset_cancels_nothing():
    """Columns 1e7 times farther from zero than they are wide: moments about zero would have no digit left."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5000, 3))
    far = design_for(X + 1e7, True)
    np.testing.assert_allclose(far.gram().matrix, np.cov(X.T, bias=True), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(far.moments().matrix, X.var(axis=0), rtol=1e-6)


@pytest.mark.parametrize("storage", ["C", "F", "csr", "C, 32 bits"])
def test_the_same_bits_on_one_thread_and_two(storage):
    X = STORAGE[storage](_matrix(400_000, 8))  # light passes over less are not shared between threads
    coef = np.arange(9.0)
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"), one_blas_thread():
            design = design_for(X, True)
            results.append((design.normal(coef, None), design.gram().matrix, design.moments().matrix))
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


def test_float32_sums_do_not_drift():
    """A running float32 sum of 0.1 over half a million rows is off in the third digit."""
    X = np.full((500_000, 1), 0.1, dtype=np.float32)
    design = design_for(X, True)
    gradient = design.sweep(lambda s, raw: (0.0, np.ones(s.stop - s.start, dtype=np.float32)), np.zeros(2))[1]
    np.testing.assert_allclose(gradient, [float(np.float32(0.1)) * 500_000, 500_000], rtol=1e-12)


SINGLE = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "rows apart": lambda X: np.concatenate([X, X], axis=1)[:, : X.shape[1]],
    "csr": sp.csr_array,
    "csr, 64-bit indices": lambda X: _wide_indices(sp.csr_array(X)),
    "in a file": lambda X: _in_file(X),
}


def _wide_indices(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


@functools.lru_cache(maxsize=4)
def _exact(shape, loss, weighted):
    """A problem in float32, and in numbers of twice the digits its sums, each with the sizes of its terms."""
    (n, p), exact = shape, np.longdouble
    X = _matrix(n, p, offset=30.0).astype(np.float32)
    rng = np.random.default_rng(1)
    outputs = (3,) if loss is Multinomial else ()
    y = rng.integers(3, size=n) if outputs else np.where(rng.random(n) < 0.5, -1, 1).astype(np.float32)
    weight = rng.random(n)
    weight = (weight / weight.sum()).astype(np.float32) if weighted else None
    coef, other = rng.normal(size=(2, p + 1, *outputs)) / np.sqrt(p) / 30
    full = np.column_stack([X, np.ones(n, dtype=np.float32)]).astype(exact)
    flat = np.full(n, 1 / exact(n)) if weight is None else weight.astype(exact)
    w = flat.reshape(-1, *(1 for _ in outputs))
    raw, size = full @ coef.astype(exact), np.abs(full) @ np.abs(coef).astype(exact)
    # derivatives of float64 predictions: of one more rounding error, which is independent between samples
    slope = loss().derivatives(y, raw.astype(np.float64), 1)[1]
    gradient = full.T @ (w * slope), np.abs(full).T @ (w * (size + np.abs(slope)))
    image, image_size = full @ other.astype(exact), np.abs(full) @ np.abs(other).astype(exact)
    normal = full.T @ (w * image), np.abs(full).T @ (w * image_size)
    centre = flat @ full[:, :p] / flat.sum()
    Z = full[:, :p] - centre
    products = Z.T @ (Z * flat[:, None])
    far = np.sqrt(products.diagonal() + flat.sum() * centre**2) + 1e-30
    return X, y, weight, coef, other, (raw, size), gradient, normal, (centre, far), products


@pytest.mark.parametrize("shape", [(90, 5), (2000, 37), (20_000, 6), (30, 500)])
@pytest.mark.parametrize("loss", [HalfSquaredError, Binomial, Multinomial])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("storage", SINGLE)
def test_products_of_float32_are_made_in_double_precision(storage, weighted, loss, shape, level):
    """Predictions, gradient, Hessian products and second moments: exact to 1e-12 of the sums of their terms' sizes.

    Products in float32 would be off by 2⁻²⁴ = 6e-8 of them, times the root of the number of terms.
    """
    X, y, weight, coef, other, (raw, size), gradient, normal, (centre, far), products = _exact(shape, loss, weighted)
    design = design_for(SINGLE[storage](X), True)
    model = LinearModel(design, loss(), y, weight, L2(0.0, shape[1]))

    def close(found, exact):
        assert np.abs(found - exact[0]).max() <= 1e-12 * exact[1].max()

    close(model.value_and_gradient(coef)[1], gradient)
    close(design.normal(other, weight), normal)
    stored = np.spacing(np.float32(np.abs(raw).max()))  # predictions are kept in float32
    assert np.abs(design.forward(coef) - raw).max() <= stored / 2 + 1e-12 * size.max()
    if loss is not HalfSquaredError:
        return
    gram, moments = design.gram(weight), design.moments(weight)
    assert np.abs((gram.matrix - products) / np.outer(far, far)).max() <= 1e-12
    assert np.abs((moments.matrix - products.diagonal()) / far**2).max() <= 1e-12
    assert np.abs((gram.centre - centre) / far).max() <= 1e-12


def test_blas_gets_its_threads_back_from_whoever_leaves_last():
    before = n_threads()
    outer, inner = one_blas_thread(), one_blas_thread()
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)  # not in the order of a stack, as fits on several threads end
    inner.__exit__(None, None, None)
    assert n_threads() == before


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_tasks_are_shared_with_the_callers_thread(threads):
    at_work, most, lock = set(), [0], threading.Lock()

    def task(k):
        with lock:
            at_work.add(threading.get_ident())
            most[0] = max(most[0], len(at_work))
        time.sleep(0.002)
        with lock:
            at_work.remove(threading.get_ident())
        seen.add(threading.get_ident())
        return map_ordered(lambda part: part * k, range(3), threads)  # from any thread: nobody waits for a free one

    seen = set()
    results = map_ordered(task, list(range(40)), threads)
    assert results == [[0, k, 2 * k] for k in range(40)]
    assert threading.get_ident() in seen
    assert most[0] <= threads
    if threads == 2:
        assert most[0] == 2


def test_a_task_that_fails_ends_the_others():
    begun = []

    def task(k):
        begun.append(k)
        time.sleep(0.001)
        if k == 3:
            raise RuntimeError("three")

    with pytest.raises(RuntimeError, match="three"):
        map_ordered(task, list(range(1000)), 2)
    assert len(begun) < 20
    running = len(begun)
    time.sleep(0.01)
    assert len(begun) == running  # nothing goes on behind the caller's back


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_coupled_hessian_of_little_data_is_that_of_more(fit_intercept):
    rng = np.random.default_rng(0)
    X, p = rng.normal(size=(300, 5)) + 10, rng.dirichlet(np.ones(4), size=300)
    scaled = p * rng.random((300, 1))
    design = DenseDesign(X, fit_intercept)
    assert design.at_once
    matrix, centre = design.coupled_gram(p, scaled)
    np.testing.assert_array_equal(centre, design.provisional_centre())
    Z = np.column_stack([X - centre, np.ones(300)]) if fit_intercept else X - centre
    inner = np.einsum("ia,ab->iab", scaled, np.eye(4)) - np.einsum("ia,ib->iab", scaled, p)
    expected = np.einsum("iab,ij,ik->ajbk", inner, Z, Z)
    np.testing.assert_allclose(matrix, expected, atol=1e-12 * np.abs(expected).max())
    design.at_once = False
    np.testing.assert_allclose(design.coupled_gram(p, scaled)[0], expected, atol=1e-12 * np.abs(expected).max())
