"""Quantile regression: the optimum of the linear program, and the dual point that proves it."""

import re

import dask.array as da
import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import QuantileRegressor
from sklearn.metrics import d2_pinball_score
from sklearn.model_selection import GridSearchCV

from sklearn_gd import (
    DescentPathDisplay,
    DivergenceError,
    DivergenceWarning,
    FitDisplay,
    GDQuantileRegression,
    GDSearchCV,
    LearningRateDisplay,
    LossCurveDisplay,
    steps,
)
from sklearn_gd.plan import bands, quantiles
from sklearn_gd.quantile import in_order

QUANTILES = [0.01, 0.1, 0.25, 0.5, 0.75, 0.95, 0.99]


def objective(X, y, coef, intercept, quantile, alpha=0.0, weight=None):
    """F, in double precision."""
    residual = np.asarray(y, np.float64) - X @ np.asarray(coef, np.float64) - float(intercept)
    loss = np.average(np.maximum(quantile * residual, (quantile - 1) * residual), weights=weight)
    return loss + alpha * np.abs(coef).sum()


def of(model, X, y, quantile=None, alpha=0.0, weight=None):
    """F of a fitted model; of one with several quantiles an array of them."""
    if np.ndim(model.quantile) == 0:
        return objective(X, y, model.coef_, model.intercept_, model.quantile, alpha, weight)
    each = zip(model.coef_, model.intercept_, model.quantile, strict=True)
    return np.array([objective(X, y, w, b, q, alpha, weight) for w, b, q in each])


def program(X, y, quantile, alpha=0.0, weight=None, **params):
    """The least F, by scikit-learn's linear program."""
    model = QuantileRegressor(quantile=quantile, alpha=alpha, **params).fit(X, y, sample_weight=weight)
    return objective(X, y, model.coef_, model.intercept_, quantile, alpha, weight)


def _linear(n=150, p=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return rng, X, X @ rng.normal(size=p) + 1.0


def _normal():
    rng, X, line = _linear()
    return X, line + rng.normal(size=len(X))


def _heavy_tails():
    rng, X, line = _linear()
    return X, line + rng.standard_cauchy(size=len(X))


def _ties():
    rng, X, line = _linear()
    return np.round(X), np.round(line + rng.normal(size=len(X)))


def _repeated_rows():
    X, y = _normal()
    return np.repeat(X[:50], 3, axis=0), np.repeat(y[:50], 3)


def _exact():
    _, X, line = _linear()
    return X, line


def _mostly_exact():
    rng, X, line = _linear()
    return X, line + np.where(rng.random(len(X)) < 0.2, 5 * rng.normal(size=len(X)), 0.0)


def _constant():
    return _linear()[1], np.full(150, 3.0)


def _wide():
    rng, X, line = _linear(30, 45)
    return X, line + rng.normal(size=30)


def _few_columns_more_than_rows_allow():
    rng, X, line = _linear(12, 10)
    return X, line + rng.normal(size=12)


def _dependent():
    X, y = _normal()
    return np.column_stack([X, X[:, 0] + X[:, 1], np.ones(len(X)), X[:, 0]]), y


def _no_columns_that_vary():
    return np.ones((60, 2)), np.random.default_rng(0).normal(size=60)


CASES = {
    "normal": _normal,
    "heavy tails": _heavy_tails,
    "ties": _ties,
    "repeated rows": _repeated_rows,
    "exact": _exact,
    "mostly exact": _mostly_exact,
    "constant target": _constant,
    "fewer rows than columns": _wide,
    "hardly more rows than columns": _few_columns_more_than_rows_allow,
    "dependent columns": _dependent,
    "columns that are constant": _no_columns_that_vary,
}


@pytest.mark.parametrize("case", CASES)
def test_the_optimum_is_that_of_the_linear_program_and_the_gap_is_no_less_than_the_true_one(case):
    X, y = CASES[case]()
    model = GDQuantileRegression(quantile=QUANTILES).fit(X, y)
    least = np.array([program(X, y, quantile) for quantile in QUANTILES])
    reached = of(model, X, y)
    nothing = 1e-9 * np.abs(y).mean()  # an exact fit of either is rounding errors
    assert (reached <= least * (1 + 1e-6) + nothing).all()
    assert (model.dual_gap_ <= 1e-6).all()
    # HiGHS itself is feasible to 1e-7
    assert (reached - least <= (model.dual_gap_ + 1e-8) * reached + nothing).all()
    assert model.stop_reason_ == "gradient"


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.8])
def test_whatever_the_units_and_the_offsets(quantile):
    X, y = _normal()
    plain = GDQuantileRegression(quantile=quantile).fit(X, y)
    units, offsets = np.array([1e8, 1e-8, 1.0, 1e3]), np.array([0.0, 1e-8, 1e6, 1e9])
    for unit in (1e-8, 1.0, 1e8):
        model = GDQuantileRegression(quantile=quantile).fit(X * units + offsets, unit * y)
        raw = model.predict(X * units + offsets)
        assert objective(X, unit * y - raw, np.zeros(4), 0, quantile) <= (1 + 2e-6) * unit * of(plain, X, y)


@pytest.mark.parametrize("alpha", [0.003, 0.03, 0.3, 3.0])
@pytest.mark.parametrize("case", ["normal", "ties", "fewer rows than columns", "dependent columns"])
def test_the_penalty_is_that_of_the_linear_program(case, alpha):
    X, y = CASES[case]()
    weight = 1 + np.arange(len(y)) % 3
    for quantile in (0.2, 0.5):
        model = GDQuantileRegression(quantile=quantile, alpha=alpha).fit(X, y, weight)
        reached = of(model, X, y, alpha=alpha, weight=weight)
        assert reached == pytest.approx(program(X, y, quantile, alpha, weight), rel=1e-6)
        assert model.dual_gap_ <= 1e-6
        assert model.loss_curve_[-1] == pytest.approx(reached, rel=1e-9)


def test_a_strong_penalty_leaves_the_constant_quantile():
    X, y = _normal()
    model = GDQuantileRegression(quantile=0.3, alpha=10.0).fit(X, y)
    np.testing.assert_array_equal(model.coef_, 0)
    assert np.mean(y < model.intercept_ - 1e-9) <= 0.3 <= np.mean(y <= model.intercept_ + 1e-9)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_what_the_penalty_sets_to_zero_is_zero_to_the_last_bit(fit_intercept):
    X, y = _normal()
    X = np.column_stack([X, np.random.default_rng(1).normal(size=(len(X), 5))]) * [1, 1, 1, 1, 1e6, 1e-6, 1, 1, 1] + 5
    model = GDQuantileRegression(quantile=[0.3, 0.6], alpha=0.1, fit_intercept=fit_intercept).fit(X, y)
    for k, quantile in enumerate(model.quantile):
        theirs = QuantileRegressor(quantile=quantile, alpha=0.1, fit_intercept=fit_intercept).fit(X, y)
        np.testing.assert_array_equal(model.coef_[k] == 0, theirs.coef_ == 0)
        least = objective(X, y, theirs.coef_, theirs.intercept_, quantile, 0.1)
        assert of(model, X, y, alpha=0.1)[k] == pytest.approx(least, rel=1e-6)


def test_without_an_intercept():
    X, y = _normal()
    model = GDQuantileRegression(quantile=[0.2, 0.6], fit_intercept=False).fit(X, y)
    least = [program(X, y, quantile, fit_intercept=False) for quantile in (0.2, 0.6)]
    np.testing.assert_allclose(of(model, X, y), least, rtol=1e-6)
    np.testing.assert_array_equal(model.intercept_, [0, 0])


# ------------------------------------------------------------------------------------------------ weights


def test_a_weight_of_two_is_the_row_twice_and_of_zero_none():
    X, y = _normal()
    weight = np.arange(len(y)) % 3
    weighted = GDQuantileRegression(quantile=QUANTILES).fit(X, y, weight)
    rows = np.repeat(np.arange(len(y)), weight)
    repeated = GDQuantileRegression(quantile=QUANTILES).fit(X[rows], y[rows])
    np.testing.assert_allclose(of(weighted, X, y, weight=weight), of(repeated, X[rows], y[rows]), rtol=2e-6)
    assert weighted.crossings_ == len(np.unique(rows)) - (~_crossed(weighted, X[weight > 0])).sum()


def _crossed(model, X):
    """Which rows have curves that cross, but for rounding errors."""
    return (np.diff(model.predict(X), axis=1) < -1e-5).any(axis=1)


@pytest.mark.parametrize("ratio", [1e-12, 1e-6, 1e6])
def test_weights_far_from_each_other(ratio):
    X, y = _normal()
    weight = np.where(np.arange(len(y)) % 2, 1.0, ratio)
    model = GDQuantileRegression(quantile=[0.3, 0.5]).fit(X, y, weight)
    least = [program(X, y, quantile, weight=weight) for quantile in (0.3, 0.5)]
    np.testing.assert_allclose(of(model, X, y, weight=weight), least, rtol=2e-6)
    assert (model.dual_gap_ <= 1e-6).all()


# ------------------------------------------------------------------------------------------------ where X is


def _ways(X, tmp_path):
    yield "rows", sparse.csr_array(X)
    yield "columns", sparse.csc_array(X)
    path = tmp_path / "X.npy"
    np.save(path, X)
    yield "file", np.load(path, mmap_mode="r")
    yield "Fortran", np.asfortranarray(X)


@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_sparse_and_stored_data_have_the_same_optimum(tmp_path, alpha):
    X, y = _normal()
    X = np.where(np.abs(X) < 0.5, 0.0, X)
    here = GDQuantileRegression(quantile=[0.25, 0.75], alpha=alpha).fit(X, y)
    for name, given in _ways(X, tmp_path):
        there = GDQuantileRegression(quantile=[0.25, 0.75], alpha=alpha).fit(given, y)
        np.testing.assert_allclose(of(there, X, y, alpha=alpha), of(here, X, y, alpha=alpha), rtol=2e-6, err_msg=name)
        np.testing.assert_allclose(there.predict(given), there.predict(X), rtol=1e-9, atol=1e-12)
        assert there.crossings_ == here.crossings_


def test_single_precision():
    X, y = _normal()
    X, y = X.astype(np.float32), y.astype(np.float32)
    model = GDQuantileRegression(quantile=QUANTILES).fit(X, y)
    assert model.coef_.dtype == model.predict(X).dtype == np.float32
    double = GDQuantileRegression(quantile=QUANTILES).fit(X.astype(np.float64), y.astype(np.float64))
    np.testing.assert_allclose(of(model, X, y), of(double, X, y), rtol=2e-6)


@pytest.mark.parametrize("quantile", [0.3, [0.8, 0.3]])
def test_blocks_on_workers(quantile):
    X, y = load_diabetes(return_X_y=True)
    weight = np.arange(len(y)) % 4.0
    parts = [da.from_array(values, chunks=100) for values in (X, y, weight)]
    here = GDQuantileRegression(quantile=quantile, rearrange=True).fit(X, y, weight)
    there = GDQuantileRegression(quantile=quantile, rearrange=True).fit(*parts)
    np.testing.assert_allclose(of(there, X, y, weight=weight), of(here, X, y, weight=weight), rtol=2e-6)
    predicted = there.predict(parts[0])
    assert isinstance(predicted, da.Array)
    np.testing.assert_allclose(predicted.compute(), there.predict(X), rtol=1e-12)
    assert there.crossings_ == here.crossings_
    assert there.score(*parts) == pytest.approx(there.score(X, y, weight), rel=1e-12)


# ------------------------------------------------------------------------------------------------ several


def _many(kind):
    rng = np.random.default_rng(len(kind))
    X, noise = rng.normal(size=(12_000, 4)), rng.normal(size=12_000)
    if kind == "far rows":  # of which some cross the plane late
        X, noise = np.exp(1.5 * X), rng.exponential(size=12_000)
    if kind == "grid":
        X, noise = np.round(X), np.round(noise)
    if kind == "heavy tails":
        noise = rng.standard_t(1.5, size=12_000)
    return X, X @ [1.0, -2.0, 0.5, 0.0] + noise * (1 + np.abs(X[:, 0]))


@pytest.mark.parametrize("alpha", [0.0, 0.01])
@pytest.mark.parametrize("kind", ["normal", "far rows", "grid", "heavy tails"])
def test_rows_far_from_the_plane_are_left_out_and_nothing_is_lost(kind, alpha, monkeypatch):
    X, y = _many(kind)
    weight = np.random.default_rng(0).integers(0, 4, len(y)).astype(float)
    model = GDQuantileRegression(quantile=[0.02, 0.5, 0.9], alpha=alpha).fit(X, y, sample_weight=weight)
    assert (model.dual_gap_ <= 1e-6).all()
    monkeypatch.setattr(bands, "FEW", 0.0)
    monkeypatch.setattr(quantiles, "SAMPLED", 0.0)
    whole = GDQuantileRegression(quantile=[0.02, 0.5, 0.9], alpha=alpha).fit(X, y, sample_weight=weight)
    # either is no more than 1e-6 above the least
    np.testing.assert_allclose(
        of(model, X, y, alpha=alpha, weight=weight), of(whole, X, y, alpha=alpha, weight=weight), rtol=1e-6
    )


def test_all_rows_are_read_a_few_times(monkeypatch):
    X, y = _many("normal")
    read = []

    class Counted(bands.Columns):
        def forward(self, v):
            read.append(self.n)
            return super().forward(v)

    monkeypatch.setattr(quantiles, "Columns", Counted)
    model = GDQuantileRegression(quantile=0.3).fit(X, y)
    # where it begins, the first steps, and the end
    assert read.count(len(y)) <= 4 < model.n_iter_


def test_a_plane_that_rows_cross_is_found_out(monkeypatch):
    """Where near rows are far too few, those that are left out cross the plane: that is seen at the end, and more are read."""
    X, y = _many("heavy tails")
    begun = []
    begin = bands.Quantile.begin

    def nearer(self, *args):
        begun.append(self.rows.n)
        self.reach = min(self.reach, 0.5 * len(begun))
        begin(self, *args)

    monkeypatch.setattr(bands, "LEAST_ROWS", 3)

    monkeypatch.setattr(bands.Quantile, "begin", nearer)
    model = GDQuantileRegression(quantile=0.05).fit(X, y)
    assert len(begun) > 3  # a sample, all, and at the end all for each time that they said otherwise, and once more
    assert model.dual_gap_ <= 1e-6
    assert model.loss_curve_[-1] == pytest.approx(of(model, X, y), rel=1e-12)


@pytest.mark.parametrize(("quantile", "slope"), [(0.49, 1.0), (0.51, 10.0)])
def test_a_plane_through_rows_goes_through_them_to_the_last_bit(quantile, slope):
    model = GDQuantileRegression(quantile=quantile).fit([[0], [1], [1]], [1, 2, 11])
    assert (model.coef_[0], model.intercept_) == (slope, 1.0)


def test_several_quantiles_are_each_alone():
    X, y = load_diabetes(return_X_y=True)
    together = GDQuantileRegression(quantile=QUANTILES).fit(X, y)
    assert together.coef_.shape == (len(QUANTILES), X.shape[1])
    assert together.intercept_.shape == together.dual_gap_.shape == (len(QUANTILES),)
    for k, quantile in enumerate(QUANTILES):
        alone = GDQuantileRegression(quantile=quantile).fit(X, y)
        assert of(together, X, y)[k] == pytest.approx(of(alone, X, y), rel=2e-6)
        assert np.ndim(alone.intercept_) == np.ndim(alone.dual_gap_) == 0
        assert alone.crossings_ == 0


def test_the_order_of_quantiles_is_the_users_and_they_may_be_repeated():
    X, y = load_diabetes(return_X_y=True)
    sorted_ = GDQuantileRegression(quantile=[0.2, 0.5, 0.9]).fit(X, y)
    shuffled = GDQuantileRegression(quantile=[0.9, 0.2, 0.5, 0.2], rearrange=True).fit(X, y)
    np.testing.assert_allclose(of(shuffled, X, y), of(sorted_, X, y)[[2, 0, 1, 0]], rtol=2e-6)
    assert shuffled.crossings_ == sorted_.crossings_
    raw = shuffled.predict(X)
    assert (raw[:, 0] >= raw[:, 2]).all()
    assert (raw[:, 2] >= np.maximum(raw[:, 1], raw[:, 3])).all()


def test_one_quantile_in_a_list_is_a_column():
    X, y = _normal()
    model = GDQuantileRegression(quantile=[0.4]).fit(X, y)
    assert model.coef_.shape == (1, 4)
    assert model.predict(X).shape == (len(X), 1)
    assert model.crossings_ == 0


def test_crossings_are_counted_and_sorted():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 6))
    y = rng.normal(size=40)
    quantiles = [0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95]
    model = GDQuantileRegression(quantile=quantiles).fit(X, y)
    raw = model.predict(X)
    assert model.crossings_ == _crossed(model, X).sum() > 0
    model.set_params(rearrange=True)
    np.testing.assert_array_equal(model.predict(X), np.sort(raw, axis=1))
    np.testing.assert_array_equal(in_order(np.array([[3.0, 1.0, 2.0]]), np.array([2, 0, 1])), [[3, 1, 2]])


def test_curves_that_meet_do_not_cross():
    _, X, line = _linear()
    assert GDQuantileRegression(quantile=QUANTILES).fit(X, line + 100).crossings_ == 0


# ------------------------------------------------------------------------------------------------ the certificate


@pytest.mark.parametrize("params", [{}, {"learning_rate": "barzilai-borwein"}, {"preconditioner": "diagonal"}])
@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.filterwarnings(
    "ignore:.*did not converge:sklearn.exceptions.ConvergenceWarning"
)  # stopped early on purpose
def test_what_is_claimed_is_true_wherever_a_fit_is_stopped(params, alpha):
    X, y = _heavy_tails()
    least = program(X, y, 0.3, alpha)
    claims = []
    for max_iter in [*range(12), 20, 40, 80, 160, 1000]:
        model = GDQuantileRegression(quantile=0.3, alpha=alpha, max_iter=max_iter, **params).fit(X, y)
        reached = of(model, X, y, alpha=alpha)
        # of rounds the gap is that of the last one which ended, and the loss may be lower since
        claims.append(float(model.dual_gap_))
        if not params:
            assert reached - least <= (model.dual_gap_ + 1e-8) * reached
    assert claims[-1] <= 1e-6 < claims[0]


@pytest.mark.parametrize("tol", [1e-2, 1e-4, 1e-10])
def test_the_tolerance_is_the_gap(tol):
    X, y = load_diabetes(return_X_y=True)
    model = GDQuantileRegression(quantile=0.7, tol=tol).fit(X, y)
    reached = of(model, X, y)
    assert model.dual_gap_ <= tol
    assert reached <= program(X, y, 0.7) * (1 + tol)
    assert model.history_["gradient_norm"][-1] == model.dual_gap_


@pytest.mark.parametrize("rule", sorted(steps.RULES))
@pytest.mark.filterwarnings("ignore:.*dual p:sklearn.exceptions.ConvergenceWarning")
def test_every_rule_ends_at_the_optimum_or_says_that_it_did_not(rule):
    X, y = _normal()
    model = GDQuantileRegression(quantile=0.3, learning_rate=rule, preconditioner="full", max_iter=3000)
    if steps.RULES[rule].scheduled:
        with pytest.warns(ConvergenceWarning, match="No run with rates of one's own proves"):
            model.set_params(preconditioner="auto", max_iter=100).fit(X, y)
        assert model.dual_gap_ == np.inf
        return
    model.fit(X, y)
    if model.stop_reason_ == "gradient":
        assert of(model, X, y) <= program(X, y, 0.3) * (1 + 1e-6)
        assert model.dual_gap_ <= 1e-6
    else:
        with pytest.warns(ConvergenceWarning, match="use learning_rate='auto': other rules descend on"):
            model.fit(X, y)


# ------------------------------------------------------------------------------------------------ the textbook


def _subgradient(X, y, quantile, weight, alpha, rates, momentum=0.0):
    """The loop of the books, and 0 where a kink has many slopes and the middle one is 0."""
    weight = np.full(len(y), 1 / len(y)) if weight is None else weight / weight.sum()
    X = np.column_stack([X, np.ones(len(X))])
    w, step = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for rate in rates:
        slope = 0.5 * np.sign(X @ w - y) + 0.5 - quantile
        gradient = X.T @ (weight * slope)
        gradient[:-1] += alpha * np.sign(w[:-1])
        step = momentum * step - rate * gradient
        w = w + step
    return w


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("params", "rates"),
    [
        ({"learning_rate": 0.5}, lambda k: 0.5),
        ({"learning_rate": 0.5, "momentum": 0.6}, lambda k: 0.5),
        ({"learning_rate": 0.3, "alpha": 0.2}, lambda k: 0.3),
        ({"learning_rate": steps.InverseTime(2.0, decay=0.1)}, lambda k: 2.0 / (1 + 0.1 * k)),
        ({"learning_rate": lambda k: 1 / (k + 1) ** 0.5}, lambda k: 1 / (k + 1) ** 0.5),
    ],
)
def test_a_rate_of_ones_own_is_the_subgradient_method(params, rates, weighted):
    X, y = _normal()
    weight = np.arange(1.0, len(y) + 1) if weighted else None
    for n_iter in (1, 2, 7, 40):
        model = GDQuantileRegression(quantile=0.3, max_iter=n_iter, **params)
        with pytest.warns(ConvergenceWarning, match=f"max_iter={n_iter} "):
            model.fit(X, y, weight)
        w = _subgradient(
            X, y, 0.3, weight, params.get("alpha", 0), map(rates, range(n_iter)), params.get("momentum", 0)
        )
        np.testing.assert_allclose([*model.coef_, model.intercept_], w, rtol=1e-12, atol=1e-12)
        assert model.loss_curve_[-1] == pytest.approx(of(model, X, y, alpha=params.get("alpha", 0), weight=weight))


def test_batches_take_the_slopes_of_the_same_loss():
    X, y = _normal()
    all_of_it = GDQuantileRegression(quantile=0.3, learning_rate=0.5, max_iter=5)
    with pytest.warns(ConvergenceWarning, match="max_iter=5 "):
        all_of_it.fit(X, y)
    one_batch = GDQuantileRegression(quantile=0.3, learning_rate=0.5, max_iter=5, batch_size=len(y))
    with pytest.warns(ConvergenceWarning, match="max_iter=5 "):
        one_batch.fit(X, y)
    np.testing.assert_allclose(one_batch.coef_, all_of_it.coef_, rtol=1e-9)


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (5.0, "steps of a constant rate go on for ever"),
        (1e-3, "the learning rates are too small. They are in units of y"),
        (lambda k: 5 / (k + 1), "after max_iter=50 iterations no dual point proves anything of the loss"),
    ],
)
def test_what_is_said_of_a_rate_of_ones_own(rate, words):
    X, y = _normal()
    with pytest.warns(ConvergenceWarning, match=words) as caught:
        GDQuantileRegression(learning_rate=rate, max_iter=50).fit(X, y)
    assert caught[0].filename == __file__


def test_auto_that_is_cut_short_tells_the_gap():
    X, y = load_diabetes(return_X_y=True)
    with pytest.warns(
        ConvergenceWarning, match=r"the dual proves a gap of .*, tol=1e-06. Raise max_iter, or tol"
    ) as caught:
        model = GDQuantileRegression(max_iter=3).fit(X, y)
    assert model.stop_reason_ == "max_iter"
    assert f"{model.dual_gap_:.2g}" in str(caught[0].message)
    assert "gradient" not in str(caught[0].message).replace("Gradient descent", "")


def test_rates_that_grow_diverge():
    X, y = _normal()
    grows = GDQuantileRegression(learning_rate=lambda k: 2.0**k)
    with pytest.warns(DivergenceWarning, match="it is the learning rates that grow"):
        grows.fit(X, y)
    with pytest.raises(DivergenceError, match="it is the learning rates that grow"):
        grows.set_params(on_divergence="raise").fit(X, y)


# ------------------------------------------------------------------------------------------------ the estimator


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("quantile", 0.0, ValueError),
        ("quantile", 1, ValueError),
        ("quantile", 50, ValueError),
        ("quantile", np.nan, ValueError),
        ("quantile", None, TypeError),
        ("quantile", "0.5", TypeError),
        ("quantile", True, TypeError),
        ("quantile", [], ValueError),
        ("quantile", [0.5, 1.5], ValueError),
        ("quantile", ["0.5"], TypeError),
        ("quantile", [[0.1, 0.5]], ValueError),
        ("quantile", [[0.1], [0.2, 0.5]], ValueError),
        ("alpha", -1.0, ValueError),
        ("alpha", None, TypeError),
        ("rearrange", 1, TypeError),
        ("rearrange", None, TypeError),
    ],
)
def test_bad_parameters_are_refused_by_name(name, value, error):
    X, y = _normal()
    with pytest.raises(error, match=re.escape(name)):
        GDQuantileRegression(**{name: value}).fit(X, y)


@pytest.mark.parametrize("quantile", [np.float32(0.5), (0.25, 0.5), np.array([0.25, 0.5]), np.float64(0.5)])
def test_quantiles_of_every_type(quantile):
    X, y = _normal()
    model = GDQuantileRegression(quantile=quantile).fit(X, y)
    assert model.coef_.shape == (4,) if np.ndim(quantile) == 0 else (2, 4)


def test_several_targets_are_refused():
    X, y = _normal()
    with pytest.raises(ValueError, match="1d array"):
        GDQuantileRegression().fit(X, np.column_stack([y, y]))


def test_the_score_is_the_explained_part_of_the_loss_that_was_minimised():
    X, y = load_diabetes(return_X_y=True)
    weight = np.arange(len(y)) % 5.0
    quantiles = [0.1, 0.5, 0.9]
    model = GDQuantileRegression(quantile=quantiles).fit(X, y)
    for given in (None, weight):
        each = [
            d2_pinball_score(y, column, alpha=q, sample_weight=given)
            for q, column in zip(quantiles, model.predict(X).T, strict=True)
        ]
        assert model.score(X, y, given) == pytest.approx(np.mean(each), rel=1e-12)
    # the quantile that is scored is the one that was fitted: R² would take the median for the best 0.9-quantile
    high, median = (GDQuantileRegression(quantile=q).fit(X, y) for q in (0.9, 0.5))
    assert high.score(X, y) > d2_pinball_score(y, median.predict(X), alpha=0.9)


def test_a_warm_start_and_a_start_of_ones_own():
    X, y = load_diabetes(return_X_y=True)
    model = GDQuantileRegression(quantile=[0.2, 0.8], warm_start=True).fit(X, y)
    first = of(model, X, y)
    np.testing.assert_allclose(of(model.fit(X, y), X, y), first, rtol=2e-6)
    model.set_params(max_iter=0)
    with pytest.warns(ConvergenceWarning, match="max_iter=0"):
        model.fit(X, y)
    np.testing.assert_allclose(of(model, X, y), first, rtol=2e-6)
    random = GDQuantileRegression(quantile=[0.2, 0.8], init="random", random_state=0).fit(X, y)
    np.testing.assert_allclose(of(random, X, y), first, rtol=2e-6)


def test_it_prints_its_iterations(capsys):
    X, y = _normal()
    model = GDQuantileRegression(verbose=2).fit(X, y)
    assert len(re.findall(r"^iteration ", capsys.readouterr().out, re.MULTILINE)) == model.n_iter_ + 1


def test_the_losses_that_are_recorded_never_rise_with_auto():
    X, y = load_diabetes(return_X_y=True)
    model = GDQuantileRegression(quantile=[0.2, 0.8]).fit(X, y)
    assert len(model.loss_curve_) == model.n_iter_ + 1
    assert (np.diff(model.loss_curve_) <= 0).all()
    assert model.loss_curve_[-1] == pytest.approx(of(model, X, y).sum(), rel=1e-9)
    assert sum(stage["iterations"] for stage in model.stages_) == model.n_iter_


def test_a_search_fits_each_candidate_and_says_why():
    X, y = load_diabetes(return_X_y=True)
    grid = {"alpha": [0.0, 0.5]}
    ours = GDSearchCV(GDQuantileRegression(quantile=0.9), grid, cv=3).fit(X, y)
    theirs = GridSearchCV(GDQuantileRegression(quantile=0.9), grid, cv=3).fit(X, y)
    assert "not shared, because GDQuantileRegression has no fits" in str(ours.shared_)
    np.testing.assert_allclose(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"])


# ------------------------------------------------------------------------------------------------ pictures


@pytest.fixture
def axes():
    plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is in the extra 'plot'")
    yield plt
    plt.close("all")


def test_a_picture_has_a_line_a_quantile_and_the_data_once(axes):
    X, y = _normal()
    quantiles = [0.1, 0.5, 0.9]
    display = FitDisplay.from_estimator(GDQuantileRegression(quantile=quantiles), X[:, [0]], y)
    assert display.outputs == ["0.1", "0.5", "0.9"]
    assert len(display.points_) == 1
    last = [lines[-1].get_ydata() for lines in display.lines_]
    model = GDQuantileRegression(quantile=quantiles).fit(X[:, [0]], y)
    np.testing.assert_allclose(last, model.predict(display.grid[:, None]).T, rtol=1e-6)
    assert {name.get_text() for name in display.names_} == {"0.1", "0.5", "0.9"}


def test_curves_and_paths_are_drawn_and_rates_in_units_of_the_curvature_are_refused(axes):
    X, y = _normal()
    model = GDQuantileRegression()
    assert len(LossCurveDisplay.from_estimator(model.fit(X, y)).lines_) >= 1
    assert DescentPathDisplay.from_estimator(model, X, y, coefs=(0, 1)).ax_ is not None
    with pytest.raises(ValueError, match="has kinks, where L is infinite"):
        LearningRateDisplay.from_estimator(model, X, y)
