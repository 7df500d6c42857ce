"""Pictures with sliders: their iterates, their redraws, and what is said without ipywidgets."""

import io
import json
import os
import pathlib
import pickle
import shutil
import subprocess
import sys
import time

import matplotlib
import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from sklearn_gd import (
    DescentPathDisplay,
    GDLinearRegression,
    GDLogisticRegression,
    GDQuantileRegression,
    LearningRateDisplay,
)
from sklearn_gd.plots.descent_path import _descents
from sklearn_gd.plots.interactive import Quadratic
from sklearn_gd.trace import optimal, trace

matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return scale(X), y


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.7])
def test_iterates_in_closed_form_are_the_loop(rate, momentum):
    rng = np.random.default_rng(0)
    root = rng.standard_normal((6, 4))
    hessian, linear, w = root.T @ root / 6, rng.standard_normal(4), rng.standard_normal(4)
    at = rng.standard_normal(4)
    path = Quadratic(hessian, at, hessian @ at - linear).path(w, rate, momentum, 25)
    before = w
    for row in path:
        np.testing.assert_allclose(row, w, rtol=1e-11, atol=1e-11 * np.abs(w).max())
        w, before = w - rate * (hessian @ w - linear) + momentum * (w - before), w


@pytest.mark.parametrize("alpha_or_c", [0.0, 0.3])
@pytest.mark.parametrize("momentum", [None, 0.7])
def test_a_slider_shows_the_numbers_of_the_estimator(diabetes, alpha_or_c, momentum):
    X, y = diabetes
    for model, target in (
        (GDLinearRegression(alpha=alpha_or_c), y),
        (GDLogisticRegression(C=1 / (alpha_or_c or 0.01)), y > 140),
    ):
        model.set_params(learning_rate=0.05, momentum=momentum, max_iter=30, tol=0)
        run = trace(model, X, target)
        lowest = optimal(model, X, target).run.coef
        descend, _ = _descents(run, lowest)
        path, losses = descend(np.zeros(lowest.size), 0.05, momentum or 0.0, 30)
        np.testing.assert_allclose(path, run.kept.reshape(31, -1), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(losses, run.estimator.loss_curve_, rtol=1e-9)


def pixels(png):
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(png)))


def test_a_redraw_moves_the_path_and_nothing_else(diabetes):
    X, y = diabetes
    display = DescentPathDisplay.from_estimator(GDLinearRegression(learning_rate=0.1, max_iter=20), X, y)
    descend, _ = display.descents_()
    draw = display._frames(descend)
    values = {"momentum": 0.0, "iteration": 40, "start": 5.0, "start_2": 5.0}
    first, other, again = (pixels(draw(rate=rate, **values)) for rate in (0.05, 0.3, 0.05))
    np.testing.assert_array_equal(first, again)  # nothing of the other is left
    changed = (first != other).any(axis=2).mean()
    assert 0 < changed < 0.1
    times = []
    for rate in np.linspace(0.01, 0.4, 9):
        begun = time.process_time()
        draw(rate=rate, **values)
        times.append(time.process_time() - begun)
    assert min(times) < 0.05
    # a run that diverges is drawn, too
    assert pixels(draw(rate=1e3, momentum=0.9, iteration=200, start=0.0, start_2=0.0)).shape == first.shape


def test_a_function_and_a_curve_have_sliders(recwarn):
    display = DescentPathDisplay.from_result(lambda x: float(x[0] ** 2), np.array([[1.0], [0.5]]))
    descend, _ = display.descents_()
    path, losses = descend(np.array([1.0]), 0.25, 0.0, 3)
    np.testing.assert_allclose(path[:, 0], [1, 0.5, 0.25, 0.125], atol=1e-6)
    np.testing.assert_allclose(losses, path[:, 0] ** 2, atol=1e-9)
    assert display._frames(descend)(rate=0.25, momentum=0.0, iteration=3, start=1.0).startswith(b"\x89PNG")


def test_displays_can_be_pickled(diabetes):
    for display in (DescentPathDisplay, LearningRateDisplay):
        made = display.from_estimator(GDLinearRegression(learning_rate=0.1, max_iter=5), *diabetes)
        again = pickle.loads(pickle.dumps(made))
        assert again.plot(plt.subplots()[1]) is again
        with pytest.raises(ValueError, match="from_estimator"):
            again.interactive()


def test_a_loss_with_kinks_is_refused(diabetes, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)  # it is the loss that is told of
    kinks = DescentPathDisplay.from_estimator(GDQuantileRegression(), *diabetes, grid_resolution=5)
    with pytest.raises(ValueError, match="kinks"):
        kinks.interactive()


def test_without_ipywidgets_the_picture_stays_and_a_word_says_why(diabetes, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    display = DescentPathDisplay.from_estimator(GDLinearRegression(learning_rate=0.1, max_iter=5), *diabetes)
    with pytest.warns(UserWarning, match=r"pip install 'sklearn-gd\[interactive\]'"):
        assert display.interactive() is display
    with pytest.raises(ValueError, match="from_estimator"):
        DescentPathDisplay(paths={}, axes=[], surface=np.empty(0), labels=[]).interactive()


@pytest.mark.parametrize(
    "model", [GDLinearRegression(), GDLogisticRegression(C=1.0), GDLinearRegression(preconditioner="diagonal")]
)
def test_learning_rates_with_sliders(diabetes, model):
    X, y = diabetes
    display = LearningRateDisplay.from_estimator(model.set_params(max_iter=30), X, y > 140)
    draw = display._frames(60)
    first, other, again = (
        pixels(draw(rate=k / display.smoothness, momentum=0.0, iteration=60)) for k in (0.5, 1.9, 0.5)
    )
    np.testing.assert_array_equal(first, again)
    assert 0 < (first != other).any(axis=2).mean() < 0.1
    run, word = display.run_of_(1.9 / display.smoothness, momentum=0.5, max_iter=9)
    assert run.estimator.get_params()["momentum"] == 0.5
    assert len(run.estimator.loss_curve_) <= 10
    assert word in {"creeps", "converges", "oscillates", "diverges"}
    assert pixels(draw(rate=100 / display.smoothness, momentum=0.9, iteration=60)).shape == first.shape
    with pytest.raises(ValueError, match="from_estimator"):
        LearningRateDisplay(**{key: value for key, value in vars(display).items() if key[-1] != "_"}).interactive()


def test_sliders(diabetes):
    pytest.importorskip("ipywidgets", reason="ipywidgets is an extra, and not installed")
    display = DescentPathDisplay.from_estimator(GDLinearRegression(learning_rate=0.1, max_iter=5), *diabetes)
    widget = display.interactive(max_iter=50)
    rate, momentum, iteration, *starts, picture = widget.children
    assert [each.description for each in (rate, momentum, iteration)] == ["rate", "momentum", "iteration"]
    assert len(starts) == 2
    before = picture.value
    rate.value *= 1.5
    assert picture.value != before
    before = picture.value
    iteration.value = 3
    assert picture.value != before
    rates = LearningRateDisplay.from_estimator(GDLinearRegression(max_iter=30), *diabetes).interactive()
    assert [each.description for each in rates.children[:-1]] == ["rate", "momentum", "iteration"]
    before = rates.children[-1].value
    rates.children[1].value = 0.5
    assert rates.children[-1].value != before


PAGE = pathlib.Path(__file__).parents[1] / "docs" / "lessons" / "moving.html"


@pytest.mark.skipif(
    not PAGE.exists(), reason="docs/ is in the repository and the source distribution, not beside these tests"
)
@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node, which runs the page's script")
@pytest.mark.parametrize(("rate", "momentum"), [(0.1, 0.0), (0.4, 0.0), (0.55, 0.0), (0.3, 0.6)])
def test_the_script_of_the_page_has_the_numbers_of_the_estimator(rate, momentum):
    script = PAGE.read_text().partition("<script>")[2].partition("</script>")[0]
    script += f"\nconst path = descent({rate}, {momentum}, 20);"
    script += f"console.log(JSON.stringify([path, path.map(loss), word({rate}, {momentum})]))"
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    path, losses, word = json.loads(done.stdout)
    x, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([1.0, 3.0, 2.0, 5.0])
    model = GDLinearRegression(learning_rate=rate, momentum=momentum or None, max_iter=20, tol=0)
    run = trace(model, x, y)
    np.testing.assert_allclose(path, run.kept.reshape(-1, 2), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(losses, run.estimator.loss_curve_, rtol=1e-10)
    assert word.startswith("diverges") == (rate == 0.55)


@pytest.mark.skipif(
    not PAGE.exists(), reason="docs/ is in the repository and the source distribution, not beside these tests"
)
@pytest.mark.skipif(
    "SKLEARN_GD_BROWSER" not in os.environ, reason="SKLEARN_GD_BROWSER names no Chromium that could open the page"
)
def test_the_page_in_a_browser(tmp_path):
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright, which moves the sliders, is not installed"
    )
    page_file = tmp_path / "page.html"
    page_file.write_text(
        f"<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'>{PAGE.read_text()}"
    )
    options = ["--no-sandbox", "--headless=shell", "--single-process", "--no-zygote", "--disable-gpu"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["SKLEARN_GD_BROWSER"], args=options)
        page = browser.new_page(viewport={"width": 360, "height": 640})
        failures, requests = [], []
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(page_file.as_uri())
        assert page.text_content("#moving-word").startswith("converges")
        first = page.inner_html(".moving svg")
        page.locator("input[name=rate]").fill("0.55")
        assert page.text_content("#moving-word").startswith("diverges")
        assert page.inner_html(".moving svg") != first
        assert page.evaluate("document.documentElement.scrollWidth") <= 360  # nothing is cut off on a phone
        browser.close()
    assert not failures
    assert requests == [page_file.as_uri()]  # no network
