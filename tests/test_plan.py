"""The plan of a fit, and the policy by which its stages are left: nothing here is fitted."""

import itertools
import math

import numpy as np
import pytest
import scipy.sparse as sp

from sklearn_gd import compiled, costs
from sklearn_gd.designs import design_for
from sklearn_gd.losses import Binomial, HalfSquaredError
from sklearn_gd.plan import Plan, Prepared, Problem, Stage, plan_for
from sklearn_gd.plan.newton import Sample
from sklearn_gd.plan.policy import FORESEEN, OBSERVED, buys, rest

TOL = 1e-4


def rented(paces, price, iteration=1.0):
    """The work until the end of a descent whose norm shrinks by so much an iteration, with a purchase that ends it at any time."""
    norm, work, norms = 1.0, [0.0], [1.0]
    for pace in paces:
        if buys(work[-1], rest(work, norms, norms[-1] / TOL), price):
            return work[-1] + price
        norm *= pace
        work.append(work[-1] + iteration)
        norms.append(norm)
        if norm <= TOL:
            return work[-1]
    raise AssertionError("the paces do not lead to the end")


@pytest.mark.parametrize("price", [0.5, 3.0, 10.0, 47.0, 300.0])
@pytest.mark.parametrize("iterations", [1, 4, 9, 10, 46, 100, 600, 10_000])
def test_at_most_twice_the_better_choice(iterations, price):
    """Ski rental: whatever the pace and the price, renting first costs at most twice the better single choice in hindsight."""
    pace = TOL ** (1 / iterations)
    best = min(iterations, price)
    assert rented(itertools.repeat(pace), price) <= 2 * best + 1  # an iteration is not divided


@pytest.mark.parametrize("seed", range(20))
def test_at_most_three_times_it_where_the_pace_changes(seed):
    random = np.random.default_rng(seed)
    price = float(10 ** random.uniform(0.5, 2.5))
    # slow and fast stretches, rises among them
    lengths = random.integers(1, 60, 200)
    paces = np.repeat(np.exp(random.normal(-0.1, 0.2, 200)), lengths)
    norms = np.cumprod(paces)
    ends = np.flatnonzero(norms <= TOL)
    iterations = ends[0] + 1 if len(ends) else math.inf
    best = min(iterations, price)
    assert rented([*paces, *itertools.repeat(0.5, 1000)], price) <= 3 * best + 1


def test_nothing_is_bought_where_the_end_is_nearer():
    pace = TOL ** (1 / 30)
    assert rented(itertools.repeat(pace), 31.0) == pytest.approx(30, abs=1)


def test_a_slow_pace_buys_before_the_price_is_spent():
    assert rented(itertools.repeat(0.999), 100.0) == 100.0 / FORESEEN + 100.0
    assert rented(itertools.repeat(0.999), 1.5 * OBSERVED) == 2.5 * OBSERVED


def test_no_pace_is_known_of_norms_that_rise():
    assert rest([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 1.5, 2.0, 2.5, 3.0, 3.5], 1e4) is None


def problem(X, loss=None, outputs=1, alpha=1e-3, fit_intercept=True):
    design = design_for(X, fit_intercept)
    n = X.shape[0]
    y = np.zeros(n) if loss is None else np.ones(n)
    start = np.zeros((design.size, outputs) if outputs > 1 else design.size)
    return Problem(Prepared(design, y, None), loss or HalfSquaredError(), alpha, None, start, TOL, 100)


def ways(*args, preconditioner="auto", **kwargs):
    return [stage.way for stage in plan_for(problem(*args, **kwargs), preconditioner).stages]


def empty(n, p):
    """An array of any shape without its memory, of columns that vary alike."""
    return np.broadcast_to(np.random.default_rng(0).standard_normal((n, 1)), (n, p))


def sparse(n, p, each):
    """Rows of so many stored values."""
    indices = np.arange(n * each, dtype=np.int32) % p
    return sp.csr_array((np.ones(n * each), indices, np.arange(0, n * each + 1, each, dtype=np.int32)), shape=(n, p))


def test_few_columns_are_a_normal_equation_at_once():
    # without kernels it is made of blocks that are copied first, and costs as much as some products from fewer columns on
    assert ways(empty(100_000, 20 if compiled.kernels is not None else 8)) == ["gram"]


def test_many_columns_begin_with_conjugate_gradients():
    assert ways(empty(20_000, 2_000)) == ["products", "rounded", "gram"]
    assert ways(sparse(20_000, 2_000, 20)) == ["products", "gram"]


def test_a_penalty_on_few_rows_allows_for_the_dual():
    assert ways(empty(300, 20_000)) == ["products", "dual"]
    # where few columns vary more than the others conjugate gradients are slow: nobody need try them first
    assert ways(empty(300, 20_000) * np.where(np.arange(20_000) < 310, 100.0, 1.0), alpha=1e-6) == ["dual"]


def test_without_a_penalty_few_rows_mean_their_span():
    assert ways(empty(2_000, 20_000), alpha=0.0) == ["rows"]
    assert ways(empty(2_000, 20_000), Binomial(), alpha=0.0) == ["rows"]


def test_tall_data_of_a_curved_loss_are_given_a_hessian_at_once():
    assert ways(empty(1_000_000, 20), Binomial()) == ["newton"]


def test_wide_sparse_data_begin_with_products_with_the_hessian():
    assert ways(sparse(2_000, 20_000, 100), Binomial())[0] == "newton_cg"


def test_where_no_matrix_can_be_held_a_sketch_is_what_can_be_bought():
    assert ways(sparse(20_000, 20_000, 10), Binomial()) == ["newton_cg", "sketch"]


def test_a_named_metric_is_the_only_stage():
    for name in ("diagonal", "nystrom", None):
        assert ways(empty(1_000, 50), preconditioner=name) == ["fixed"]
    assert ways(empty(20_000, 2_000), preconditioner="full") == ["gram"]


def test_a_plan_knows_no_units():
    random = np.random.default_rng(0)
    X = random.standard_normal((500, 300))
    assert plan_for(problem(X), "auto") == plan_for(problem(1e3 * X + 7), "auto")


def test_a_plan_says_what_it_will_do():
    text = str(plan_for(problem(empty(20_000, 2_000)), "auto"))
    assert text.splitlines()[0] == "1. products"
    assert "3. gram, where that proves slow: worth" in text


def test_stages_but_the_first_have_a_price():
    for plan in (
        plan_for(problem(empty(20_000, 2_000)), "auto"),
        Plan((Stage("products"), Stage("gram", 3.0)), 1.0, 1.0, 1.0),
    ):
        assert plan.stages[0].cost == 0
        assert all(stage.cost > 0 for stage in plan.stages[1:])


def test_costs_grow_with_sizes():
    assert costs.dense_product(100, 10) < costs.dense_product(200, 10) < costs.dense_product(200, 10, 20)
    assert costs.symmetric_product(1000, 10) < costs.symmetric_product(1000, 20)
    assert 4 < costs.factorisation(8_000) / costs.factorisation(4_000) < 8


@pytest.mark.skipif(
    compiled.kernels is None, reason="products of all rows cost more without kernels: other shapes are drawn from"
)
@pytest.mark.parametrize(
    ("n", "p", "whole", "starts"),
    [
        (4_000, 10, True, False),
        (10_000, 10, True, False),
        (100_000, 10, True, True),
        (20_000, 100, False, False),
        (100_000, 50, False, True),
    ],
)
def test_rows_are_drawn_where_that_costs_less_than_all_of_them(n, p, whole, starts):
    curved = problem(empty(n, p), Binomial())
    sample = Sample(curved, curved.moments)
    assert (sample.whole, sample.starts) == (whole, starts)
    # more rows a sample are all rows at last
    for _ in range(4):
        sample.grow()
    assert sample.whole
