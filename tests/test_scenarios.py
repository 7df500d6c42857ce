"""The classic lessons: each is an example in the gallery, run here, and what its picture claims is checked.

The same lessons against loops written out, iterate for iterate, are in `test_textbook.py`; functions of the user's in
`test_minimize.py`; every learning rate there is in `test_divergence.py`.
"""

import pathlib
import runpy
import warnings

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib", reason="the examples draw")
EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip(
        "examples/ is in the repository and the source distribution, not beside these tests", allow_module_level=True
    )
SCENARIOS = sorted(EXAMPLES.glob("plot_*.py"))


@pytest.fixture
def scenario(request):
    """What the example of a number has computed, its figure under `figure`."""
    import matplotlib.pyplot as plt

    (path,) = EXAMPLES.glob(f"plot_{request.param:02d}_*.py")
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.use("Agg")
        plt.close("all")  # what a page of the documentation has drawn in another test
        # plt.show() in a backend that shows nothing
        warnings.filterwarnings("ignore", message=".*non-interactive", category=UserWarning)
        names = runpy.run_path(str(path))
        (number,) = plt.get_fignums()  # one picture an example
        yield {**names, "figure": plt.figure(number)}
        plt.close("all")


def of(number):
    return pytest.mark.parametrize("scenario", [number], indirect=True, ids=[f"{number}"])


def relative(a, b):
    return np.linalg.norm(np.subtract(a, b)) / np.linalg.norm(b)


@of(1)
def test_the_line(scenario):
    model = scenario["fitted"]
    assert relative([model.coef_[0], model.intercept_], [scenario["m"], scenario["b"]]) < 1e-5
    creeps, converges, bounces = (np.array(path) for path in scenario["display"].paths.values())
    goal = np.array([scenario["m"], scenario["b"]])
    start = np.linalg.norm(creeps[0] - goal)
    assert np.linalg.norm(creeps[-1] - goal) > 0.8 * start
    assert np.linalg.norm(converges[-1] - goal) < 0.1 * start
    assert np.linalg.norm(bounces[-1] - goal) > start


@of(2)
def test_from_any_start_the_normal_equation(scenario):
    assert len(scenario["ends"]) == 4
    for end in scenario["ends"]:
        assert relative(end, scenario["solution"]) < 1e-4


@of(3)
def test_logistic_regression_is_the_double_loop(scenario):
    model = scenario["model"]
    found = [model.coef_[0, 0], model.intercept_[0]]
    np.testing.assert_allclose(found, [scenario["w"], scenario["b"]], rtol=1e-12)


@of(4)
def test_any_differentiable_function(scenario):
    run = scenario["run"]
    assert run.success
    assert np.linalg.norm(run.x) < 1e-3
    # The length of a step is the rate times the gradient's norm, and the norm is that of the gradient 2x of the bowl.
    lengths, rates = np.array(run.history["step_length"][1:]), np.array(run.history["learning_rate"][1:])
    np.testing.assert_allclose(lengths, rates * 2 * np.linalg.norm(run.path[:-1], axis=1), rtol=1e-10)
    assert np.all(rates == scenario["rate"])
    assert np.all(np.diff(lengths) < 0)
    assert scenario["unbounded"].stop_reason == "unbounded"
    assert np.isfinite(scenario["unbounded"].x).all()


@of(5)
def test_several_minima_and_a_plateau(scenario):
    found = scenario["found"]
    x = np.linspace(-3.3, 3.3, 100_001)
    lowest = x[np.argmin([scenario["valleys"]([v]) for v in x])]
    assert found.x[0] == pytest.approx(lowest, abs=1e-3)
    # The start decides: either valley was found by some.
    assert {round(float(run.x[0])) for run in found.starts} == {-2, 2}
    crawling, adaptive = scenario["crawling"], scenario["adaptive"]
    assert crawling.stop_reason == "max_iter"
    assert abs(crawling.x[0]) > 3.5
    assert adaptive.stop_reason == "gradient"
    assert abs(adaptive.x[0]) < 1e-3


@of(6)
def test_what_a_learning_rate_does(scenario):
    L = scenario["L"]
    creeps, below, between, beyond = (rate * L for rate in scenario["display"].learning_rates)
    assert creeps < 0.1 < below < 1 < between < 2 < beyond
    assert scenario["display"].words == ["creeps", "converges", "oscillates", "diverges"]


@of(7)
def test_the_learning_rate_as_a_function_of_the_iteration(scenario):
    first, k = scenario["first"], np.arange(400)
    formulas = {
        "constant": np.full(400, first),
        "step": first * 0.5 ** (k // 150),
        "cosine": first * (1 + np.cos(np.pi * k / 400)) / 2,
        "inverse time": first / (1 + 0.02 * k),
        "1/√(1 + k)": first / np.sqrt(1 + k),
        "exponential": first * np.exp(-0.05 * k),
    }
    assert set(scenario["runs"]) == set(formulas)
    for name, run in scenario["runs"].items():
        np.testing.assert_allclose(run.history_["learning_rate"][1:], formulas[name], rtol=1e-12, err_msg=name)
    # The picture's claim: the smaller the sum of the rates, the further from the minimum the run dries up.
    by_sum = sorted(formulas, key=lambda name: formulas[name].sum())
    ends = [scenario["gaps"][name][-1] for name in by_sum]
    assert ends == sorted(ends, reverse=True)


@of(8)
def test_when_to_stop(scenario):
    runs = scenario["runs"]
    assert {name: run.stop_reason_ for name, run in runs.items()} == {
        "max_iter=40": "max_iter",
        "tol=1e-2": "gradient",
        "tol=1e-4": "gradient",
        "tol=1e-6": "gradient",
        "tol=0": "precision",
    }
    for name in ("tol=1e-2", "tol=1e-4", "tol=1e-6"):
        norms, tol = runs[name].history_["gradient_norm"], float(name.removeprefix("tol="))
        assert norms[-1] <= tol < min(norms[:-1])
        # tol² estimates the gap, to an order of magnitude or so
        assert runs[name].loss_curve_[-1] / min(scenario["longest"].loss_curve_) - 1 < 10 * tol
    # One descent: every run is the beginning of the longest.
    for run in runs.values():
        np.testing.assert_array_equal(run.loss_curve_, scenario["longest"].loss_curve_[: len(run.loss_curve_)])


@of(9)
def test_gradient_descent_against_the_normal_equation(scenario):
    """The same coefficients at every size; which is faster where is the machine's matter."""
    assert len(scenario["errors"]) == len(scenario["sizes"])
    assert max(scenario["errors"]) < 1e-6
    assert all(len(seconds) == len(scenario["sizes"]) for seconds in scenario["times"].values())
    # the condition number that the title states
    X, _ = scenario["data"](60)
    assert np.linalg.cond(X) ** 2 == pytest.approx(scenario["condition"], rel=1e-6)


@of(10)
def test_the_same_rules_on_another_loss(scenario):
    assert set(scenario["gaps"]) == {"squared error", "two classes", "three classes"}
    for problem, gaps in scenario["gaps"].items():
        for rule, gap in gaps.items():
            assert gap[-1] < 1e-10, (problem, rule)
        # The closed form is one step; without it "auto" takes a few more, and fewer than any other rule.
        assert (len(gaps["auto"]) == 2) == (problem == "squared error")
        assert len(gaps["auto"]) < min(len(gap) for rule, gap in gaps.items() if rule != "auto")


@of(11)
def test_a_search_over_rates_and_iterations(scenario):
    grid, search = list(scenario["grid"].values()), scenario["search"]
    errors = -search.cv_results_["mean_test_score"].reshape([len(values) for values in grid])
    safe, long = grid[0] < 2 / scenario["L"], grid[1] > 20
    # rates beyond 2/L fail, as soon as the loss has risen 20 times in a row, and no others
    assert np.isnan(errors[np.ix_(~safe, long)]).all()
    assert np.isfinite(errors[safe]).all()
    # twice the rate is half the iterations, but for the first ones, which are few and large
    slow = grid[0] < 0.1 / scenario["L"]
    np.testing.assert_allclose(errors[2:][slow[2:]][:, 3:-1], errors[:-2][slow[2:]][:, 4:], rtol=0.02)
    # to stop early is better than to go on, whatever the rate
    for error in errors[safe & (grid[0] > 0.005)]:
        assert 0 < error.argmin() < len(error) - 1
        assert error[-1] > error.min() + 1
    # the mark is at the least of them
    assert errors[
        tuple(np.searchsorted(v, b) for v, b in zip(grid, scenario["search"].best_params_.values(), strict=True))
    ] == np.nanmin(errors)


@of(12)
def test_batches_mini_batches_and_single_samples(scenario):
    whole, few, single, falling = (gap[1:] for gap in scenario["gaps"].values())
    assert single[0] < 0.5 * few[0] < 0.5 * whole[0]  # after one pass
    # a constant rate of single samples levels off: its last half is no lower than what came before, and the others' are
    assert np.median(single[50:]) > 0.8 * np.median(single[10:50])
    for gap in (few, falling):
        assert gap[-10:].max() < 0.75 * gap[49] < 0.75 * np.median(single[50:])
    assert (np.diff(whole) < 0).all()
    assert whole[-1] > 10 * few[-1]


def test_the_gallery_has_all_of_them():
    assert [int(path.name.split("_")[1]) for path in SCENARIOS] == list(range(1, len(SCENARIOS) + 1))
