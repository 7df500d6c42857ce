"""The compiled kernels do what NumPy does, at every level of instructions."""

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from sklearn_gd import GDLinearRegression, GDLogisticRegression, GDPoissonRegression, compiled
from sklearn_gd.descent import Run, Stopping
from sklearn_gd.designs.dense import DenseDesign
from sklearn_gd.designs.products import SingleProduct
from sklearn_gd.designs.rows import NotFiniteError
from sklearn_gd.designs.sparse import SparseDesign
from sklearn_gd.losses import Binomial, HalfPoisson, HalfSquaredError, Huber, Multinomial
from sklearn_gd.objectives import LinearModel
from sklearn_gd.penalties import L2
from sklearn_gd.preconditioners import Identity
from sklearn_gd.searches.side_by_side import Rows, inverted
from sklearn_gd.searches.squares import solved
from sklearn_gd.searches.trajectories import Losses
from sklearn_gd.steps import newton_search
from sklearn_gd.workers.model import Draw, block_trial, compiled_plane, plane

SHAPES = [(1, 1), (3, 5), (257, 1), (1003, 63), (517, 100), (5, 3000), (40000, 7)]
needs_kernels = pytest.mark.skipif(
    compiled.kernels is None, reason="no compiler where sklearn_gd was installed, or SKLEARN_GD_LEVEL is none"
)


def _target(loss, n, rng):
    y = np.where(rng.random(n) < 0.5, -1, 1)
    return y + 1 if loss is HalfPoisson else y


def _model(loss, n, p, dtype, weighted):
    rng = np.random.default_rng(n + p)
    X = rng.normal(size=(n, p)).astype(dtype)
    y = _target(loss, n, rng).astype(dtype)
    weight = rng.random(n) if weighted else None
    weight = None if weight is None else (weight / weight.sum()).astype(dtype)
    coef = rng.normal(size=p + 1)
    if loss is HalfPoisson:
        coef /= np.sqrt(p)  # predictions of about 1, whose exponentials are numbers of either precision
    return LinearModel(DenseDesign(X, True), loss(), y, weight, L2(0.1, p)), coef


@needs_kernels
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [*SHAPES, (400_000, 7)])  # and in several parts
@pytest.mark.parametrize("loss", [HalfSquaredError, Binomial, Huber, HalfPoisson])
def test_a_sweep_is_numpys(loss, shape, weighted, dtype, monkeypatch):
    model, coef = _model(loss, *shape, dtype, weighted)
    results = [(*model.value_and_gradient(coef), model.design.normal(coef, model.weight))]
    monkeypatch.setattr(compiled, "kernels", None)
    results.append((*model.value_and_gradient(coef), model.design.normal(coef, model.weight)))
    for ours, numpys in zip(*results, strict=True):
        np.testing.assert_allclose(ours, numpys, rtol=0, atol=1e-12 * np.abs(numpys).max())


def _sparse(n, p, density, dtype):
    """Some rows are empty, one is full; one column is stored everywhere, far from zero."""
    rng = np.random.default_rng(n + p)
    X = np.where(rng.random((n, p)) < density, rng.normal(size=(n, p)), 0)
    X[:: max(1, n // 7)] = 0
    X[n // 2] = rng.normal(size=p)
    X[:, p // 2] = 1e3 + rng.normal(size=n)
    return sp.csr_array(X.astype(dtype))


@needs_kernels
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (400, 5, 0.2), (300, 2000, 0.05), (20_000, 60, 0.5)]
)  # the last in several parts
@pytest.mark.parametrize("loss", [HalfSquaredError, Binomial, Huber, HalfPoisson])
def test_sparse_sweeps_and_moments_are_numpys(loss, shape, fit_intercept, weighted, dtype, monkeypatch):
    n, p, density = shape
    X = _sparse(n, p, density, dtype)
    rng = np.random.default_rng(n)
    y = _target(loss, n, rng).astype(dtype)
    weight = (rng.random(n) / n).astype(dtype) if weighted else None
    about = rng.normal(size=n)
    coef = rng.normal(size=p + fit_intercept) / np.sqrt(p)
    if loss is HalfPoisson:
        coef[p // 2] /= 1e3  # of the column that is far from zero

    def everything():
        design = SparseDesign(X, fit_intercept)
        model = LinearModel(design, loss(), y, weight, L2(0.1, p))
        raw = np.empty(n, dtype=dtype)
        found = [*model.value_and_gradient(coef, raw), raw, design.forward(coef), design.normal(coef, weight)]
        found += [model.at(coef).gradient, *design.moments(weight, about)[:4]]
        return [*found, design.passes], design

    ours, design = everything()
    assert n < 20_000 or design.light_rows < n
    assert not design._views  # none of it was SciPy's
    monkeypatch.setattr(compiled, "kernels", None)
    for one, expected in zip(ours, everything()[0], strict=True):
        assert np.shape(one) == np.shape(expected)
        size = np.abs(expected).max(initial=0)
        np.testing.assert_allclose(one, expected, rtol=0, atol=size * (1e-12 if dtype == np.float64 else 2.0**-23))


@needs_kernels
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_spread_of_sparse_columns_is_exact_however_full_they_are(dtype):
    rng = np.random.default_rng(0)
    full = np.array([0.01, 0.5, 0.89, 0.91, 0.999, 1.0])
    dense = np.where(rng.random((5000, 6)) < full, 1e3 + rng.normal(size=(5000, 6)), 0).astype(dtype)
    spread = SparseDesign(sp.csr_array(dense), True).moments().matrix
    np.testing.assert_allclose(spread, dense.astype(np.float64).var(axis=0), rtol=1e-11)


@needs_kernels
@pytest.mark.parametrize("change", [("indptr", np.int64), ("indices", np.int64)])
def test_sparse_rows_that_the_kernels_do_not_read_are_multiplied_by_scipy(change):
    X = _sparse(50, 8, 0.3, np.float64)
    coef = np.arange(9.0)
    expected = SparseDesign(X, True).normal(coef, None)
    setattr(X, change[0], getattr(X, change[0]).astype(change[1]))
    design = SparseDesign(X, True)
    np.testing.assert_allclose(design.normal(coef, None), expected, rtol=1e-12)
    assert design._views


@needs_kernels
@pytest.mark.parametrize(
    ("part", "message"),
    [
        ((0, 4), "not there"),
        ((-1, 2), "not there"),
        ((2, 1), "not there"),
        ((0, 3), "a buffer of 24 bytes, expected 32"),
    ],
)
def test_a_sparse_sweep_refuses_rows_and_arrays_that_are_not_there(part, message):
    rows, at, x = np.array([0, 1, 2, 3], dtype=np.int32), np.zeros(3, dtype=np.int32), np.ones(3)
    coef = np.zeros(3 if "expected" in message else 4)
    arrays = rows, at, x, coef, 0.0, None, None, None, None, np.zeros(4), None
    with pytest.raises(ValueError, match=message):
        compiled.kernels.sparse_sweep(compiled.PLAIN, 8, 3, 4, 3, *part, *arrays)
    with pytest.raises(ValueError, match="is None"):
        compiled.kernels.sparse_sweep(compiled.SQUARED, 8, 3, 4, 3, 0, 3, rows, at, x, np.zeros(4), *arrays[4:])
    with pytest.raises(ValueError, match="is None"):
        compiled.kernels.sparse_columns(8, 3, 4, 3, 0, 3, None, at, x, None, None, None, np.zeros(16))


@needs_kernels
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    "shape", [(1, 1, 2), (65, 9, 3), (257, 130, 10), (1000, 33, 17), (9, 3000, 6), (70, 5, 256), (70, 5, 257)]
)
def test_a_sweep_for_several_outputs_is_numpys(shape, apart, weighted, dtype, monkeypatch):
    n, p, k = shape
    rng = np.random.default_rng(n + p)
    X = rng.normal(size=(n, p + 3)).astype(dtype)[:, : p if apart else p + 3]
    weight = rng.random(n).astype(dtype) / n if weighted else None
    design = DenseDesign(X, not apart)
    model = LinearModel(design, Multinomial(), rng.integers(k, size=n), weight, L2(0.1, X.shape[1]))
    coef, other = rng.normal(size=(2, design.size, k)) / np.sqrt(p)

    def everything():
        raw = np.empty((n, k), dtype=dtype)
        start = design.passes
        point = model.at(coef)
        known = point.known(1)
        found = [*model.value_and_gradient(coef, raw), raw, known.raw, point.gradient]
        found += [point.hessian_product(other), design.normal(other, weight)]
        return [*found, design.passes - start]

    ours = everything()
    monkeypatch.setattr(compiled, "kernels", None)
    model.compiled = None
    for one, expected in zip(ours, everything(), strict=True):
        assert np.shape(one) == np.shape(expected)
        size = np.abs(expected).max()
        np.testing.assert_allclose(one, expected, rtol=0, atol=size * (1e-12 if dtype == np.float64 else 2.0**-23))


@needs_kernels
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_that_are_apart_are_swept_like_others(weighted, dtype):
    """A slice of columns, whose rows are contiguous and the whole is not."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 12)).astype(dtype)
    y = np.where(rng.random(500) < 0.5, -1, 1).astype(dtype)
    weight = rng.random(500).astype(dtype) / 500 if weighted else None
    coef = rng.normal(size=10)
    found = []
    for part in (X[:, :9], X[:, :9].copy()):
        model = LinearModel(DenseDesign(part, True), Binomial(), y, weight, L2(0.1, 9))
        point = model.at(coef)
        found.append([point.known(1).raw, point.gradient, model.design.normal(coef, weight)])
    for one, expected in zip(*found, strict=True):
        assert one.shape == expected.shape
        size = np.abs(expected).max()
        np.testing.assert_allclose(one, expected, rtol=0, atol=size * (1e-12 if dtype == np.float64 else 2.0**-23))


@needs_kernels
def test_a_sweep_for_several_outputs_refuses_what_it_cannot_read():
    sweep, X = compiled.kernels.outputs, np.ones((4, 3))
    coef, sums, totals = compiled.columns_of(np.ones((3, 2))), np.zeros((2, 3)), np.zeros(2)
    many = compiled.columns_of(np.ones((3, 257))), np.zeros(257)
    with pytest.raises(ValueError, match="257 outputs, expected 1 to 256"):
        sweep(compiled.PLAIN, 8, 257, X, *many, None, None, None, np.zeros((257, 3)), np.zeros(257), None)
    with pytest.raises(ValueError, match="contiguous rows and numbers of 8 bytes"):
        sweep(compiled.PLAIN, 8, 2, np.asfortranarray(X), coef, np.zeros(2), None, None, None, sums, totals, None)
    with pytest.raises(ValueError, match="is None"):
        sweep(compiled.MULTINOMIAL, 8, 2, X, coef, np.zeros(2), None, None, None, sums, totals, None)
    with pytest.raises(ValueError, match="a buffer of 48 bytes, expected 192"):
        sweep(compiled.PLAIN, 8, 2, X, np.ones((3, 2)), np.zeros(2), None, None, None, sums, totals, None)


@needs_kernels
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (65, 9, 2), (257, 130, 20), (70, 5, 256), (70, 5, 257), (9000, 40, 3)])
def test_a_sweep_for_several_models_is_numpys(shape, sparse, weighted, dtype, monkeypatch):
    n, p, k = shape
    rng = np.random.default_rng(n + p)
    X = rng.normal(size=(n, p)).astype(dtype)
    y = rng.choice([-1.0, 1.0], size=n).astype(dtype)
    weight = rng.random(n).astype(dtype) if weighted else None
    design = SparseDesign(sp.csr_array(np.where(X > 0, X, 0)), True) if sparse else DenseDesign(X, True)
    coef = rng.normal(size=(design.size, k)) * 3
    found = []
    for _ in range(2):
        start = design.passes
        found.append([*design.sweep(Losses(Binomial(), y, weight, 1), coef), design.passes - start])
        monkeypatch.setattr(compiled, "kernels", None)
    for one, expected in zip(*found, strict=True):
        assert np.shape(one) == np.shape(expected)
        np.testing.assert_allclose(one, expected, rtol=1e-11, atol=1e-11 * np.abs(expected).max())


@needs_kernels
def test_a_sweep_for_several_models_refuses_what_it_cannot_read():
    sweep, X, y = compiled.kernels.models, np.ones((4, 3)), np.ones(4, dtype=np.int64)
    coef, sums, totals = compiled.columns_of(np.ones((3, 2))), np.zeros((2, 3)), np.zeros(2)
    with pytest.raises(ValueError, match="is None"):
        sweep(8, 2, X, coef, np.zeros(2), y, None, sums, totals, None)
    with pytest.raises(ValueError, match="contiguous rows and numbers of 8 bytes"):
        sweep(8, 2, np.asfortranarray(X), coef, np.zeros(2), y, None, sums, totals, np.zeros(2))
    many = compiled.columns_of(np.ones((3, 300))), np.zeros(300)
    with pytest.raises(ValueError, match="300 outputs, expected 1 to 256"):
        sweep(8, 300, X, *many, y, None, np.zeros((300, 3)), np.zeros(300), np.zeros(300))
    with pytest.raises(ValueError, match="a buffer of 16 bytes, expected 32"):
        sweep(8, 2, X, coef, np.zeros(2), y[:2].copy(), None, sums, totals, np.zeros(2))


@needs_kernels
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_several_outputs_that_are_not_finite_stay_so(bad):
    y = np.array([0, 1, 2, 1])
    model = LinearModel(DenseDesign(np.ones((4, 1)), False), Multinomial(), y, None, L2(0.0, 1))
    raw = np.tile([0.0, bad, 0.0], (4, 1))
    assert not np.isfinite(model.value_and_gradient(raw[:1])[0])
    assert not np.isfinite(model.trial(raw, (), (), 2)[0].value)


@needs_kernels
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [1, 255, 1000, 40000, 70000])  # at once, and by parts
@pytest.mark.parametrize("directions", [0, 1, 2])
@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("loss", [HalfSquaredError, Binomial, Huber, HalfPoisson])
def test_a_trial_is_numpys(loss, order, directions, n, weighted, dtype, monkeypatch):
    model, _ = _model(loss, n, 2, dtype, weighted)
    rng = np.random.default_rng(0)
    base, *predictors = rng.normal(size=(1 + directions, n)).astype(dtype) * 3
    a = rng.normal(size=directions)
    results = [model.trial(base, a, predictors, order)]
    assert model.compiled is not None
    monkeypatch.setattr(model, "compiled", None)
    results.append(model.trial(base, a, predictors, order))
    tolerance = {"rtol": 1e-12, "atol": 1e-14} if dtype == np.float64 else {"rtol": 1e-4, "atol": 1e-6}
    (trial, *ours), (expected, *numpys) = results
    for one, other in zip([*trial, *ours], [*expected, *numpys], strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, **tolerance)


@needs_kernels
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("directions", [0, 1, 2])
def test_a_block_of_a_remote_trial_is_numpys(directions, shape, intercept, weighted, dtype):
    model, coef = _model(Binomial, *shape, dtype, weighted)
    design = model.design = DenseDesign(model.design.X, intercept)
    design.threads = 1
    # predictions of about 1: of 55 a second derivative's relative error is 55 times their own
    coefs = [coef[: design.size] / (k + 1) / np.sqrt(shape[1]) for k in range(1 + directions)]
    results = []
    for task in (compiled_plane, plane):
        second = np.empty(shape[0], dtype=dtype)
        results.append((*task(model, coefs, second), second))
    for ours, numpys in zip(*results, strict=True):
        assert np.shape(ours) == np.shape(numpys)
        size = np.abs(numpys).max(initial=0.0)
        np.testing.assert_allclose(ours, numpys, rtol=0, atol=size * (1e-12 if dtype == np.float64 else 2.0**-23))


@needs_kernels
def test_a_remote_trial_draws_the_same_rows(monkeypatch):
    """Whoever has computed the second derivatives."""
    model, coef = _model(Binomial, 40000, 7, np.float64, True)
    model.design.threads = 1  # as in a task of Dask's
    far = np.linspace(0.5, 2, 40000).astype(np.float32)
    draw = Draw([2e5], False, np.zeros(7), 3)
    arguments = (model, far, 5, 1.0, draw, coef)
    ours = block_trial(*arguments)
    monkeypatch.setattr(compiled, "kernels", None)
    numpys = block_trial(*arguments)
    assert 0 < ours.grams[0].weight_sum < np.inf
    np.testing.assert_allclose(ours.grams[0].matrix, numpys.grams[0].matrix, rtol=1e-9)
    # some thousand of the rows stand for all of them
    second = model.loss.derivatives(model.y, model.design.forward(coef), 2)[2]
    assert ours.totals[0] == pytest.approx(float(model.weight @ second), rel=0.05)


@needs_kernels
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("targets", [None, 1, 2])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (256, 4), (257, 5), (1000, 64), (3000, 120), (40000, 7)])
def test_a_narrow_gram_matrix_is_numpys(shape, fit_intercept, targets, weighted, dtype, monkeypatch):
    rng = np.random.default_rng(shape[0])
    n, p = shape
    X = (rng.normal(size=shape) * 10.0 ** rng.integers(-3, 3, p) + rng.normal(size=p)).astype(dtype)
    y = None if targets is None else rng.normal(size=(n, targets) if targets > 1 else n).astype(dtype)
    weight = (rng.random(n) / n).astype(dtype) if weighted else None
    # contiguous rows, contiguous columns, neither
    layouts = [X, np.asfortranarray(X), np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3], X[::-1][::-1]]
    ours = [DenseDesign(layout, fit_intercept).gram(weight, y) for layout in layouts]
    monkeypatch.setattr(compiled, "kernels", None)
    numpys = DenseDesign(X.astype(np.float64), fit_intercept).gram(weight, y)
    size = np.sqrt(np.outer(*2 * [numpys.matrix.diagonal() + numpys.weight_sum * numpys.centre**2 + 1e-30]))
    for gram in ours:
        np.testing.assert_allclose(gram.matrix / size, numpys.matrix / size, rtol=0, atol=1e-12)
        np.testing.assert_allclose(gram.centre, numpys.centre, rtol=1e-12, atol=1e-13)
        assert gram.weight_sum == pytest.approx(numpys.weight_sum, rel=1e-12)
        assert (gram.matrix == gram.matrix.T).all()


@needs_kernels
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [1, 8, 15, 16, 20, 255, 256, 300, 513])
def test_symmetric_products_have_every_order_and_layout(n, weighted, dtype):
    """One column short of a tile, a tile, and one more; rows that fill vectors, strips and blocks, and do not."""
    rng = np.random.default_rng(n)
    for p in [*range(25), 64, 101]:
        base = rng.normal(size=(n, 2 * p + 3)).astype(dtype)
        C = np.ascontiguousarray(base[:, :p])
        # contiguous rows and columns, rows apart, both apart, backwards, one row again and again
        layouts = [
            C,
            np.asfortranarray(C),
            base[:, :p],
            base[:, : 2 * p : 2],
            C[::-1, ::-1],
            np.broadcast_to(C[:1], (n, p)),
        ]
        weight = rng.random(n).astype(dtype) if weighted else None
        for X, T in [
            (X, T) for X in layouts for T in (None, base[:, -1], base[:, -2:], np.asfortranarray(base[:, -2:]))
        ]:
            extra = np.zeros((n, 0)) if T is None else T.reshape(n, -1)
            shift = rng.normal(size=p + extra.shape[1])
            Z = np.concatenate([X.astype(np.float64), extra], axis=1) - shift
            Z = np.concatenate([Z, np.ones((n, 1))], axis=1)
            if weight is not None:
                Z *= np.sqrt(weight.astype(np.float64))[:, None]
            start = Z[:1].T @ Z[:1]
            out = start.copy()
            compiled.kernels.gram(X.itemsize, n, X, T, weight, shift, out)
            expected = start + Z.T @ Z
            size = np.sqrt(np.outer(expected.diagonal(), expected.diagonal()))
            np.testing.assert_allclose(out / size, expected / size, rtol=0, atol=1e-13)
            assert (out == out.T).all()


@needs_kernels
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
def test_a_narrow_gram_matrix_refuses_what_is_not_finite(bad):
    X, y = np.ones((300, 3)), np.arange(300.0)
    X[290, 1] = bad
    with pytest.raises(NotFiniteError):
        DenseDesign(X, True).gram(None, y)


@needs_kernels
def test_the_tails_are_exact():
    """Far out the loss is the margin, and the slope of a well classified sample keeps its last digits."""
    raw = np.array([-1e4, -700, -40, -1e-9, 0, 1e-9, 0.4, 0.5, 40, 700])
    model = LinearModel(DenseDesign(np.zeros((10, 1)), False), Binomial(), np.ones(10), None, L2(0.0, 1))
    trial, *_ = model.trial(raw, (), (), 2)
    value, slope, second_derivative = Binomial().derivatives(np.ones(10), raw, 2)
    np.testing.assert_allclose(trial.slope, slope, rtol=1e-14)
    np.testing.assert_allclose(trial.second_derivative[1:], second_derivative[1:], rtol=1e-14)
    assert trial.value == pytest.approx(value.mean(), rel=1e-15)


@needs_kernels
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_so(bad):
    model = LinearModel(DenseDesign(np.ones((4, 1)), False), Binomial(), np.array([1.0, -1, 1, -1]), None, L2(0.0, 1))
    assert not np.isfinite(model.value_and_gradient(np.array([bad]))[0])
    assert not np.isfinite(model.trial(np.full(4, bad), (), (), 2)[0].value)


@needs_kernels
def test_buffers_of_another_size_are_refused():
    with pytest.raises(ValueError, match="a buffer of 16 bytes, expected 24"):
        compiled.kernels.sweep(0, 8, 1, 3, np.ones(3), np.ones(2), 0.0, None, None, None, np.zeros(3), None)
    with pytest.raises(ValueError, match="an array of 2 rows of numbers of 8 bytes is needed"):
        compiled.kernels.gram(8, 2, np.ones((3, 1)), None, None, np.zeros(1), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="an array of 2 rows of numbers of 8 bytes is needed"):
        compiled.kernels.gram(8, 2, np.ones((2, 1), dtype=np.float32), None, None, np.zeros(1), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="a buffer of 32 bytes, expected 72"):
        compiled.kernels.gram(8, 2, np.ones((2, 2)), None, None, np.zeros(2), np.zeros((2, 2)))


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("p", [1, 2, 7, 60])
def test_small_systems_that_differ_on_their_diagonals(p, targets, level):
    """In any units of the columns: beside the same in units of their spread, where LAPACK loses nothing."""
    rng = np.random.default_rng(p)
    X = rng.normal(size=(3 * p, p))
    matrix, right = X.T @ X, X.T @ rng.normal(size=(3 * p, targets))
    unit, alphas = np.logspace(-6, 6, p), np.array([0.0, 1e-9, 1e-3, 1.0, 1e6] * 4)
    solutions, lost = solved(matrix * unit * unit[:, None], alphas, right * unit[:, None])
    assert not lost.any()
    for alpha, solution in zip(alphas, solutions, strict=True):
        expected = np.linalg.solve(matrix + np.diag(alpha / unit**2), right)
        np.testing.assert_allclose(solution * unit[:, None], expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def test_systems_that_have_lost_their_digits_are_told(level):
    X = np.random.default_rng(0).normal(size=(30, 5))
    X[:, 4] = X[:, 3]
    matrix, right, alphas = X.T @ X, np.ones((5, 1)), [0.0, 1e-14, 1e-3, 1.0, 10.0]
    assert solved(matrix, alphas, right)[1].tolist() == [True, True, False, False, False]
    matrix[0, 0] = np.nan
    assert solved(matrix, alphas, right)[1].all()
    matrix[0] = matrix[:, 0] = matrix[4] = matrix[:, 4] = right[4] = 0.0  # columns of zeros have coefficients of zero
    solutions, lost = solved(matrix, alphas, right)
    assert not lost.any()
    assert (solutions[:, 4] == 0).all()


@pytest.mark.parametrize("count", [1, 3, 20])
@pytest.mark.parametrize("p", [1, 2, 31, 64])
def test_small_inverses(p, count, level):
    X = np.random.default_rng(p).normal(size=(count, 2 * p, p)) * np.logspace(-1, 1, p)
    matrices = np.swapaxes(X, 1, 2) @ X
    inverses, well = inverted(matrices)
    assert well.all()
    products = inverses @ matrices
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(p), products.shape), atol=1e-9)
    if p > 1:  # of rank one, but for a few digits
        matrices[0] = 1.0 + 1e-12 * np.eye(p)
        assert inverted(matrices)[1].tolist() == [False] + [True] * (count - 1)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_hessians_of_few_rows(fit_intercept, level):
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(300, 6)), rng.random((10, 300))
    design = DenseDesign(X, fit_intercept)
    rows = Rows(design, design.moments())
    points = rows.made(slice(None))
    expected = np.stack([(points * each) @ points.T for each in weight])
    np.testing.assert_allclose(rows.hessians(weight), expected, rtol=1e-12, atol=1e-11)


@needs_kernels
def test_arguments_that_make_no_sense_are_refused():
    y, coef, out = np.ones(3), np.ones(1), np.zeros(1)
    arguments = 8, 3, 1, y, coef, 0.0, y, None, None, out, None
    with pytest.raises(ValueError, match="no loss of kind 8"):
        compiled.kernels.sweep(8, *arguments)
    with pytest.raises(ValueError, match="numbers of 2 bytes, expected 4 or 8"):
        compiled.kernels.sweep(compiled.SQUARED, 2, 3, 1, y.astype(np.float16), coef, 0.0, None, None, None, out, None)
    with pytest.raises(TypeError, match="the arguments are f s n p X:Rnp"):
        compiled.kernels.sweep(compiled.SQUARED, *arguments[:-1])
    with pytest.raises(TypeError, match="the arguments are f s n p X:Rnp"):
        compiled.kernels.sweep(compiled.SQUARED, *arguments, None)
    with pytest.raises(TypeError, match="float"):
        compiled.kernels.sweep(compiled.SQUARED, 8.5, *arguments[1:])
    with pytest.raises(ValueError, match="a buffer of 24 bytes"):
        compiled.kernels.sweep(compiled.SQUARED, 8, 3, 1, y, np.ones(3), 0.0, y, None, None, out, None)
    with pytest.raises(ValueError, match="is None"):
        compiled.kernels.sweep(compiled.SQUARED, *arguments[:6], None, *arguments[7:])
    read_only = np.zeros(1)
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        compiled.kernels.sweep(compiled.SQUARED, *arguments[:9], read_only, None)
    with pytest.raises(ValueError, match="3 directions"):
        compiled.kernels.plane(8, 3, 3, 1, y, np.ones(4), np.ones(4), y, None, out, None)
    with pytest.raises(ValueError, match="square"):
        compiled.kernels.about_mean(np.ones((3, 2)), np.ones(1))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "model",
    [
        GDLinearRegression(),
        GDLogisticRegression(),
        GDLogisticRegression(learning_rate=0.1),
        GDPoissonRegression(alpha=0.1),
        GDPoissonRegression(alpha=0.1, learning_rate=0.1),
    ],
)
def test_at_every_level_the_coefficients_are_the_same(model, dtype, level, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5)).astype(dtype)
    y = (X[:, 0] + rng.normal(size=400) > 0).astype(int)
    model.set_params(tol=1e-6, max_iter=5000)
    fitted = model.fit(X, y).coef_
    assert compiled.level() == level
    monkeypatch.setattr(compiled, "kernels", None)
    np.testing.assert_allclose(model.fit(X.astype(np.float64), y).coef_, fitted, rtol=1e-5)


def _level(cap):
    """What a process with this cap has."""
    code = "from sklearn_gd import compiled; print(compiled.level(), *compiled.levels())"
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, compiled.VARIABLE: cap}, capture_output=True, text=True
    )


@pytest.mark.parametrize("cap", ["", *compiled.LEVELS])
def test_the_environment_caps_the_level(cap):
    found = _level(cap).stdout.split()
    here = list(compiled.levels())
    assert found[1:] == here
    highest = compiled.LEVELS.index(cap) if cap else 0
    assert found[0] == next(level for level in here if compiled.LEVELS.index(level) >= highest)


def test_a_level_that_there_is_not_is_refused():
    ended = _level("x86-64-v9")
    assert ended.returncode
    assert "ValueError: The environment variable SKLEARN_GD_LEVEL is 'x86-64-v9', and must be one of" in ended.stderr
    assert all(repr(level) in ended.stderr for level in compiled.LEVELS)


@needs_kernels
def test_the_kernels_take_no_level_that_there_is_not():
    before = compiled.level()
    with pytest.raises(ValueError, match="no level 'x86-64-v9' on this machine"):
        compiled.kernels.use("x86-64-v9")
    assert compiled.level() == before


def test_a_low_product_is_the_same_on_any_number_of_threads():
    X = np.random.default_rng(0).normal(size=(3000, 1300))
    sums = []
    for threads in (1, 2, 5):
        product = SingleProduct(1300, threads, False)
        product.add(X, np.zeros(1300), np.ones(1300), np.ones(3000))
        sums.append(product.sum[np.triu_indices(1300)])
    np.testing.assert_array_equal(sums[0], sums[1])
    np.testing.assert_array_equal(sums[0], sums[2])


@pytest.mark.parametrize("p", [30, 1100])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_a_low_gram_matrix_is_the_gram_matrix_up_to_its_rounding(fit_intercept, weighted, p):
    """Weights other than those of the moments, too: those of a Hessian are."""
    rng = np.random.default_rng(0)
    n, unit = 1500, np.logspace(-25, 25, p)
    X = (rng.normal(size=(n, p)) + rng.normal(size=p)) * unit
    weight = rng.uniform(size=n) * (X[:, 0] > 0) if weighted else None
    design = DenseDesign(X, fit_intercept)
    moments = design.moments()
    low, exact = design.low_gram(weight, moments.centre, np.sqrt(moments.matrix)), design.gram(weight)
    spread = np.sqrt(exact.matrix.diagonal())
    matrix = np.tril(low.matrix) * np.sqrt(np.outer(moments.matrix, moments.matrix))
    assert np.abs((matrix - np.tril(exact.matrix)) / np.outer(spread, spread)).max() < 2 * n * 2.0**-24
    np.testing.assert_allclose(low.weight_sum, exact.weight_sum, rtol=1e-6)
    assert np.abs((low.centre - exact.centre) / spread).max() < 1e-3


@needs_kernels
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_moments_and_distances_are_numpys(shape, weighted, dtype, monkeypatch):
    model, _ = _model(HalfSquaredError, *shape, dtype, weighted)
    design, targets = model.design, model.y.astype(np.float64)
    moments = design.moments(model.weight, targets)
    spread = design.row_spread(moments)
    monkeypatch.setattr(compiled, "kernels", None)
    expected = DenseDesign(design.X, True).moments(model.weight, targets)
    for ours, numpys in zip(moments, expected, strict=True):
        np.testing.assert_allclose(ours, numpys, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(spread, design.row_spread(expected), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kernels", [pytest.param(True, marks=needs_kernels), False])
@pytest.mark.parametrize("follow", [True, False])
def test_a_point_from_one_read_knows_what_two_would(kernels, follow, monkeypatch):
    if not kernels:
        monkeypatch.setattr(compiled, "kernels", None)
    model, coef = _model(Binomial, 3000, 60, np.float64, True)
    origin = model.at(coef).keep()
    step = origin.direction(-0.1 * origin.gradient)
    space = origin.along(step)
    before = model.design.passes
    point = space.swept()
    space.compare(point, follow=follow)
    value, gradient = point.value, point.gradient
    assert model.design.passes == before + 1
    expected = model.at(coef + step.coef)
    np.testing.assert_allclose(value, expected.value, rtol=1e-13)
    np.testing.assert_allclose(gradient, expected.gradient, atol=1e-14)
    np.testing.assert_allclose(step.predictor, model.design.forward(step.coef), atol=1e-12)
    np.testing.assert_allclose(point.known(2).raw, model.design.forward(point.coef), atol=1e-12)
    assert (point.minus(origin) is step) == follow


def _plane(loss, dtype, weighted, start):
    """A plane about a point of a model with or without classes, and a run that searches there."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(700, 4)).astype(dtype)
    y = rng.integers(3, size=700) if loss is Multinomial else np.where(rng.random(700) < 0.4, -1, 1).astype(dtype)
    y = y + (loss is HalfPoisson)
    weight = rng.random(700) if weighted else None
    weight = None if weight is None else (weight / weight.sum()).astype(dtype)
    model = LinearModel(DenseDesign(X, True), loss(), y, weight, L2(0.1, 4))
    shape = (5, 3) if loss is Multinomial else (5,)
    origin = model.at(rng.normal(size=shape))
    stopping = Stopping(Identity(), 1.0, 1e-4, lambda coef: 0.0, float(np.finfo(dtype).eps))
    run = Run(model, origin.coef, stopping, 10, float(np.finfo(dtype).eps))
    second = [origin.direction(rng.normal(size=shape))] if len(start) == 2 else []
    return origin.along(origin.direction(-origin.gradient), *second), run


@needs_kernels
@pytest.mark.parametrize("start", [[0.0], [1.0], [0.0, 0.0], [1.0, 0.0], [100.0, 3.0]])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", [Binomial, HalfPoisson, Multinomial])
def test_a_compiled_search_is_the_search(loss, weighted, dtype, start, monkeypatch):
    results = []
    for kernels in (compiled.kernels, None):
        monkeypatch.setattr(compiled, "kernels", kernels)
        space, run = _plane(loss, dtype, weighted, start)
        assert (space.origin.model.compiled is None) == (kernels is None)
        # steps of 100 lead to exponentials that are no numbers, by the last bit or not
        first = np.minimum(start, 2.0) if loss is HalfPoisson else np.array(start)
        a = newton_search(space, first, len(start), run, accuracy=1e-2)
        point = space.point(a)
        known = point.known(2)
        seen = run.last.match, run.rounding.exhausted
        results.append((a, *seen, point.value, point.gradient, known.raw, known.second_derivative))
    assert np.abs(results[0][0]).max() > 1e-3
    for ours, numpys in zip(*results, strict=True):
        exact = dtype == np.float64
        np.testing.assert_allclose(ours, numpys, rtol=1e-8 if exact else 2e-3, atol=1e-12 if exact else 1e-5)


@needs_kernels
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", [Binomial, HalfPoisson, Multinomial])
def test_second_derivatives_without_slopes_are_the_same(loss, weighted):
    space, _ = _plane(loss, np.float64, weighted, [1.0])
    model, raw = space.origin.model, space.origin.known().raw
    full, bare = (model.trial(raw, (), (), 2, slopes=slopes)[0] for slopes in (True, False))
    assert full.slope is not None
    assert bare.slope is None
    assert bare.value == full.value
    np.testing.assert_array_equal(bare.second_derivative, full.second_derivative)


def _few(n, p, dtype, density=0.05):
    rng = np.random.default_rng(n + p)
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < density)
    X[n // 2] = 0  # a row without values
    return sp.csr_array(X.astype(dtype))


@needs_kernels
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("shape", [(30, 9, 3), (5000, 400, 20), (70, 50, 256), (70, 50, 257)])
def test_a_sparse_sweep_for_several_outputs_is_scipys(shape, fit_intercept, weighted, dtype, monkeypatch):
    n, p, k = shape
    rng = np.random.default_rng(k)
    X, y = _few(n, p, dtype), rng.integers(0, k, n)
    weight = rng.random(n).astype(dtype) / n if weighted else None
    coef, along = rng.normal(size=(2, p + fit_intercept, k))

    def everything():
        point = LinearModel(SparseDesign(X, fit_intercept), Multinomial(), y, weight, L2(0.1, p)).at(coef)
        point.keep()
        trial = point.known(1)
        given = point.model.gradient(coef, trial._replace(gradient=None))
        return (
            point.value,
            point.gradient,
            trial.raw,
            given,
            point.hessian_product(along),
            point.model.design.forward(along),
        )

    ours = everything()
    monkeypatch.setattr(compiled, "kernels", None)
    for mine, scipys in zip(ours, everything(), strict=True):
        atol = np.abs(scipys).max() * (1e-12 if dtype == np.float64 else 2.0**-23)
        np.testing.assert_allclose(mine, scipys, rtol=0, atol=atol)


@needs_kernels
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_a_gram_matrix_of_sparse_rows_is_that_of_dense_ones(fit_intercept, weighted, dtype):
    X = _few(20_000, 60, dtype)
    weight = np.random.default_rng(0).random(20_000).astype(dtype) if weighted else None
    design = SparseDesign(X, fit_intercept)
    assert design.pairs == sum(m * (m + 1) / 2 for m in np.diff(X.indptr))
    ours, dense = (d.gram(weight) for d in (design, DenseDesign(X.toarray().astype(np.float64), fit_intercept)))
    for mine, theirs in zip(ours[:3], dense[:3], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-12 * np.abs(theirs).max())


@needs_kernels
@pytest.mark.parametrize("kind", ["far from zero", "duplicates"])
def test_a_gram_matrix_that_pairs_would_spoil_is_made_of_dense_rows(kind):
    """A column's variance lost in the square of its mean; values of one place that are stored apart, which multiply each other."""
    X = _few(3000, 60, np.float64)
    if kind == "duplicates":
        stored = X.tocoo()
        rows, columns = (np.repeat(axis, 2) for axis in stored.coords)
        order = np.argsort(rows, kind="stable")
        ends = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=3000))]).astype(np.int32)
        X = sp.csr_array((np.repeat(stored.data, 2)[order] / 2, columns[order].astype(np.int32), ends), shape=X.shape)
        assert not X.has_canonical_format
    else:
        far = 1e9 + np.random.default_rng(0).normal(size=(3000, 1))
        X = sp.csr_array(sp.hstack([X, sp.csr_array(far)], format="csr"))
    gram = SparseDesign(X, True).gram()
    expected = np.cov(X.toarray(), rowvar=False, bias=True)
    np.testing.assert_allclose(gram.matrix, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


@needs_kernels
def test_sparse_rows_that_are_not_there_are_refused():
    X = _few(10, 6, np.float64, 0.5)
    out, shape = np.zeros((7, 7)), (8, 10, 6, X.data.size)
    arrays = X.indices, X.data, None, out
    for start, stop in ((-1, 5), (5, 4), (0, 11)):
        with pytest.raises(ValueError, match="rows"):
            compiled.kernels.sparse_gram(*shape, start, stop, X.indptr, *arrays)
    backwards = X.indptr.copy()
    backwards[-1] = X.data.size + 1
    with pytest.raises(ValueError, match="not there"):
        compiled.kernels.sparse_gram(*shape, 0, 10, backwards, *arrays)
    with pytest.raises(ValueError, match="None"):
        compiled.kernels.sparse_gram(*shape, 0, 10, X.indptr, *arrays[:3], None)
    sweep = compiled.PLAIN, 2, *shape, 0, 10, X.indptr, X.indices, X.data
    with pytest.raises(ValueError, match="None"):
        compiled.kernels.sparse_outputs(*sweep, None, None, None, None, None, np.zeros((6, 2)), np.zeros(2), None)
    with pytest.raises(ValueError, match="not there"):
        compiled.kernels.sparse_outputs(
            *sweep[:8],
            backwards,
            *sweep[9:],
            np.zeros((6, 2)),
            np.zeros(2),
            None,
            None,
            None,
            None,
            None,
            np.zeros((10, 2)),
        )
    assert not out.any()
