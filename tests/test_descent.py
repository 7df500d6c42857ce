"""The parts of a run, one at a time and without a fit: what it has seen, its stages, its rounding errors, its coordinates."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_gd.descent import GradientNorm, Run, descend
from sklearn_gd.forms import Coefficients, Mapped
from sklearn_gd.functions import EPS, Function
from sklearn_gd.momentum import HeavyBall, NoMomentum
from sklearn_gd.preconditioners import Identity
from sklearn_gd.progress import HISTORY, History, Rounding, StageReport
from sklearn_gd.steps import Constant


def a_run(start=(4.0, -2.0), **parameters):
    """On half the sum of squares, whose gradient is the place."""
    unbounded = np.full(2, np.inf)
    function = Function(lambda x: 0.5 * x @ x, (), lambda x: x, -unbounded, unbounded)
    given = {"stopping": GradientNorm(1e-3), "max_iter": 100, "eps": EPS, **parameters}
    run = Run(function, np.array(start), **given)
    run.metric = Identity()
    return run


def go(run, rate=0.5, momentum=None, **parameters):
    momentum = NoMomentum() if momentum is None else momentum
    return descend(run, learning_rate=Constant(rate), momentum=momentum, preconditioner=run.metric, **parameters)


def row(loss, norm):
    return loss, norm, 0.0, 0.0, 0.0, 1.0


# --- the loop ---------------------------------------------------------------------------------------------------


def test_half_steps_halve_the_distance():
    run = go(a_run(), until=lambda run: run.iteration == 3)
    np.testing.assert_array_equal(run.coef, [0.5, -0.25])
    assert run.reason is None
    assert run.history["learning_rate"] == [0.0, 0.5, 0.5, 0.5]
    assert go(run).reason == "gradient"
    assert run.history["gradient_norm"][-1] <= 1e-3 < run.history["gradient_norm"][-2]


def test_the_last_step_is_repeated_from_where_it_began():
    run = go(a_run(), rate=0.25, momentum=HeavyBall(0.5), until=lambda run: run.iteration == 2)
    np.testing.assert_array_equal(run.last.start.coef, [3.0, -1.5])
    np.testing.assert_array_equal(run.coef, [1.75, -0.875])  # 3 − 3/4 − 1/2
    assert (run.last.rate, run.last.momentum) == (0.25, 0.5)
    assert run.last.length == pytest.approx(math.hypot(1.25, 0.625))


@pytest.mark.parametrize(("change", "reason"), [
    ({"max_iter": 2}, "max_iter"),
    ({"stopping": GradientNorm(10.0)}, "gradient"),
    ({"start": (np.nan, 1.0)}, "diverged"),
])  # fmt: skip
def test_the_reason_of_an_end(change, reason):
    assert go(a_run(**change)).reason == reason


def test_a_run_that_grows_has_diverged_and_its_best_place_is_the_result():
    run = go(a_run(), rate=3.0)
    assert run.reason == "diverged"
    assert run.history.rises == 20
    np.testing.assert_array_equal(run.coef, [4.0, -2.0])


def test_a_run_that_is_promised_nothing_ends_for_precision_once_its_gradient_stays():
    run = a_run()
    run.base = run.point
    run.observe()
    assert run.reason is None
    run.rounding.note_promise(value=1.0, promised=EPS / 2)
    run.observe()
    assert run.reason == "precision"


# --- what was seen ------------------------------------------------------------------------------------------------


def test_a_history_is_a_table_and_knows_its_best_row():
    start, lower, higher = np.zeros(1), np.ones(1), np.full(1, 2.0)
    history = History(start)
    assert history.note(start, row(10.0, 1.0), 0, noise=0.0)
    assert history.note(lower, row(4.0, 0.9), 1, noise=0.0)  # the first norm of a lower loss
    assert not history.note(higher, row(5.0, 0.8), 2, noise=0.0)  # less, but not by half
    assert tuple(history) == HISTORY
    assert history["loss"] == [10.0, 4.0, 5.0]
    assert history["gradient_norm"] == [1.0, 0.9, 0.8]
    assert history.best_value == 4.0
    assert history.best_coef is lower
    assert history.flattest_coef is higher
    assert (history.rises, history.improved) == (1, 2)
    history.forget()
    assert history["loss"] == [10.0, 4.0]


def test_a_lower_loss_begins_the_norms_anew_unless_it_is_noise():
    for noise, flattest in ((0.0, 3.0), (1.0, 1.0)):
        history = History(np.zeros(1))
        history.note(np.zeros(1), row(2.0, 1.0), 0, noise)
        history.note(np.ones(1), row(1.5, 3.0), 1, noise)
        assert history.flattest_norm == flattest
        assert history.best_value == 1.5


def test_what_is_not_finite_has_no_row():
    history = History(np.zeros(1))
    history.note(np.zeros(1), row(2.0, 1.0), 0, 0.0)
    history.note(np.ones(1), row(np.inf, 1.0), 1, 0.0)
    history.note(np.ones(1), row(1.0, np.nan), 2, 0.0)
    assert history["loss"] == [2.0]
    assert math.isnan(history.norm)


# --- rounding errors -----------------------------------------------------------------------------------------------


def test_predictions_are_refreshed_in_time_and_an_end_is_believed_from_fresh_ones():
    rounding = Rounding(EPS, refresh_every=8, refreshed=10)
    assert [rounding.due(k) for k in (17, 18)] == [False, True]
    assert [rounding.blurred(k) for k in (12, 13)] == [False, True]


def test_a_refreshed_base_takes_the_place_of_the_point_and_of_the_last_row():
    run = a_run()
    fresh, coef = run.point, run.point.coef
    # its value is a sum of steps
    run.base = run.point = SimpleNamespace(coef=coef, value=11.0, gradient=coef, refreshed=lambda: fresh)
    run.observe()
    assert run.history["loss"] == [11.0]
    run.iteration = 5
    run.refresh()
    assert run.base is run.point is fresh
    assert run.rounding.refreshed == 5
    assert run.history["loss"] == [10.0]


# --- coordinates -----------------------------------------------------------------------------------------------------


def test_the_result_is_in_the_users_coordinates_and_the_way_back_is_gone_once():
    gone = []

    def back(coef):
        gone.append(coef)
        return 2 * coef

    run = go(a_run(), until=lambda run: run.iteration == 1)
    assert run.coef is run.base.coef
    run.form = Mapped(back)
    for _ in range(3):
        np.testing.assert_array_equal(run.coef, [4.0, -2.0])
    assert len(gone) == 1
    go(run, until=lambda run: run.iteration == 2)
    np.testing.assert_array_equal(run.coef, [2.0, -1.0])
    assert len(gone) == 2


def test_the_coefficients_are_a_form():
    coef = np.arange(3.0)
    assert Coefficients().into(coef) is Coefficients().out(coef) is coef


# --- stages -------------------------------------------------------------------------------------------------------------


def test_the_stages_of_a_run_add_up_to_it(capsys):
    run = go(a_run(), until=lambda run: run.iteration == 1)
    run.end_stage("coefficients", None, "constant rate", run.objective.passes, left="bought 'diagonal'")
    run.move(run.objective, run.base.coef)
    go(run)
    run.end_stage("centred columns", "diagonal", "constant rate", run.objective.passes)
    first, second = run.log.stages
    assert (first.form, first.metric, first.iterations, first.left) == ("coefficients", None, 1, "bought 'diagonal'")
    assert second.left == "gradient"
    assert first.iterations + second.iterations == run.iteration
    assert first.passes + second.passes == run.objective.passes
    assert first.passes > 0
    assert capsys.readouterr().out == ""


def test_a_stage_is_a_line_where_lines_are_asked_for(capsys):
    run = a_run(verbose=1)
    run.iteration = 12
    run.end_stage("coefficients", "diagonal", "plane search", 0.0, left="bought 'full'")
    run.iteration = 13
    run.end_stage("coefficients", None, "plane search", 0.0)
    assert capsys.readouterr().out.splitlines() == [
        "stage 1: coefficients, diagonal metric, plane search: 12 iterations, 0.0 passes; left: bought 'full'",
        "stage 2: coefficients, no metric, plane search: 1 iteration, 0.0 passes; left: not ended",
    ]


def test_a_stage_never_changes():
    stage = StageReport("coefficients", "full", "plane search", 3, 7.0, "gradient")
    with pytest.raises(AttributeError):
        stage.iterations = 4
