"""Properties that every registered loss must have, against SciPy's finite differences and against its own formulas."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime, check_grad

from sklearn_gd.losses import LOSSES, Binomial, HalfPoisson, Huber


def _case(name, n=7):
    rng = np.random.default_rng(0)
    loss = LOSSES[name]()
    if name == "multinomial":
        return loss, rng.integers(0, 3, size=n), 2 * rng.normal(size=(n, 3))
    if name == "binomial":
        return loss, rng.choice([-1.0, 1.0], size=n), 3 * rng.normal(size=n)
    if name == "half_poisson":
        return loss, rng.poisson(1.5, size=n).astype(float), rng.normal(size=n)
    if name == "huber":
        return Huber(1.0, 2.0, -0.3, 0.5), rng.normal(size=n), 3 * rng.normal(size=n)
    return loss, rng.normal(size=n), rng.normal(size=n)


@pytest.mark.parametrize("name", LOSSES)
def test_slopes_are_the_derivatives_of_the_value(name):
    loss, y, raw = _case(name)
    error = check_grad(
        lambda r: loss.derivatives(y, r.reshape(raw.shape), 0)[0].sum(),
        lambda r: loss.derivatives(y, r.reshape(raw.shape), 1)[1].ravel(),
        raw.ravel(),
    )
    assert error < 1e-6


@pytest.mark.parametrize("name", LOSSES)
def test_second_derivatives_are_the_derivatives_of_the_slopes(name):
    loss, y, raw = _case(name, n=1)
    second_derivative = loss.derivatives(y, raw, 2)[2]
    hessian = np.atleast_2d(
        approx_fprime(raw.ravel(), lambda r: loss.derivatives(y, r.reshape(raw.shape), 1)[1].ravel())
    )
    for direction in np.eye(raw.size):
        predictor = direction.reshape(raw.shape)
        np.testing.assert_allclose(
            loss.hessian_product(second_derivative, None, predictor).ravel(), hessian @ direction, atol=1e-6
        )
    np.testing.assert_allclose(loss.hessian_diagonal(second_derivative).ravel(), np.diag(hessian), atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_forms_are_weighted_sums_of_the_hessian(name, weighted):
    loss, y, raw = _case(name)
    rng = np.random.default_rng(1)
    weight = rng.random(len(raw)) if weighted else None
    predictors = [rng.normal(size=raw.shape) for _ in range(2)]
    second_derivative = loss.derivatives(y, raw, 2)[2]
    expected = [
        [np.vdot(loss.hessian_product(second_derivative, weight, a), b) for b in predictors] for a in predictors
    ]
    np.testing.assert_allclose(loss.forms(second_derivative, weight, predictors), expected)


@pytest.mark.parametrize("name", [name for name in LOSSES if _case(name)[0].bounded])
def test_curvature_bounds_the_hessian_everywhere(name):
    loss, y, _ = _case(name)
    shape = _case(name)[2].shape
    rng = np.random.default_rng(2)
    for scale in (1e-3, 1.0, 30.0):
        raw, predictor = scale * rng.normal(size=shape), rng.normal(size=shape)
        second_derivative = loss.derivatives(y, raw, 2)[2]
        assert np.vdot(predictor, loss.hessian_product(second_derivative, None, predictor)) <= loss.curvature * np.vdot(
            predictor, predictor
        ) * (1 + 1e-12)


@pytest.mark.parametrize("name", ["binomial", "multinomial"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_losses_stay_finite_where_everything_is_beyond_doubt(name, dtype):
    loss, y, raw = _case(name)
    raw = (1e4 * raw).astype(dtype)
    y = y.astype(dtype) if name == "binomial" else y
    for array in loss.derivatives(y, raw, 2):
        assert np.isfinite(array).all()
        assert array.dtype == dtype


def test_binomial_keeps_the_small_tail():
    """σ(−40) = e⁻⁴⁰ to all digits: 1 − σ(40) in floating point is 0."""
    loss = LOSSES["binomial"]()
    value, slope, second_derivative = loss.derivatives(np.array([1.0]), np.array([40.0]), 2)
    np.testing.assert_allclose([value[0], -slope[0], second_derivative[0]], np.exp(-40), rtol=1e-14)


def test_the_quadratics_of_a_first_step_are_the_losses_own_about_a_guess_of_the_mean():
    y = np.array([0.0, 0.0, 1.0, 2.0, 7.0])
    loss = HalfPoisson(mean=2.0, factor=3.0)
    guess = np.log([1.0, 1.0, 1.5, 2.0, 4.5])  # the mean of a gamma prior of shape 2 about 2, and of one count
    second_derivative, slope = loss.working(y, 0.7)
    _, own_slope, own_second_derivative = loss.derivatives(y, guess)
    assert_allclose(second_derivative, own_second_derivative)
    assert_allclose(slope + second_derivative * (guess - 0.7), own_slope, atol=1e-14)
    assert Binomial().working(y, 0.0) is None
