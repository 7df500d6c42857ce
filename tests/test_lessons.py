"""The lessons under docs/: their code runs, and what they say of other packages' numbers is the loop written out."""

import doctest
import math
import pathlib
import re
import warnings

import matplotlib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from sklearn_gd import GDLinearRegression, GDLogisticRegression, gradient_descent, steps

matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

LESSONS = pathlib.Path(__file__).parents[1] / "docs" / "lessons"
if not LESSONS.is_dir():
    pytest.skip(
        "docs/ is in the repository and the source distribution, not beside these tests", allow_module_level=True
    )

EXACT = {"rtol": 1e-12, "atol": 1e-12}
RATES = (LESSONS / "your_books_rate.rst").read_text()


ORDER = re.findall(r"^   (\w+)$", (LESSONS / "index.rst").read_text(), re.MULTILINE)


def test_every_lesson_is_in_the_index():
    assert sorted(ORDER) == sorted(path.stem for path in LESSONS.glob("*.rst") if path.stem != "index")


@pytest.mark.parametrize("lesson", ORDER)
def test_a_lesson_has_one_picture_one_thing_to_change_and_what_to_expect(lesson):
    text = (LESSONS / f"{lesson}.rst").read_text()
    assert text.count("**One thing to change.**") == 1
    assert "*What to expect:*" in re.sub(r"\s+", " ", text)
    if ".. raw:: html" in text:  # a picture that moves
        return
    (picture,) = re.findall(r"^\.\. plot::\n((?:   .*\n|\n)+)", text, re.MULTILINE)
    assert re.search(r":alt: .{40}", picture)  # what a reader is told who does not see it
    # at a phone's width, 360 pixels, 10-point text is as large as the page's
    (width,) = re.findall(r"figsize=\((\d+),", picture)
    assert int(width) == 5


def test_ten_lessons_lead_from_the_first_to_the_last():
    way = [ORDER[0]]
    while following := re.findall(
        r"^Next: :doc:`[^`]*<(\w+)>`", (LESSONS / f"{way[-1]}.rst").read_text(), re.MULTILINE
    ):
        assert ORDER.index(following[0]) > ORDER.index(way[-1])
        way += following
    assert way[-1] == ORDER[-1]
    assert len(way) >= 10


def test_what_a_rate_multiplies_the_error_by():
    text = (LESSONS / "learning_rate.rst").read_text()
    rows = re.findall(r"^(\d\.\d+) +(\d\.\d+) +times ([−\d.]+):", text, re.MULTILINE)
    assert len(rows) == 4
    x, y = np.arange(-2.0, 3.0)[:, None], np.arange(5.0, 14.0, 2.0)
    for rate, of_l, factor in rows:
        assert float(rate) * 2 == float(of_l)
        with pytest.warns(ConvergenceWarning):
            fitted = GDLinearRegression(learning_rate=float(rate), max_iter=1, tol=0).fit(x, y)
        assert fitted.coef_[0] - 2 == pytest.approx(float(factor.replace("−", "-")) * (0 - 2), rel=1e-12)


@pytest.fixture(scope="module")
def page():
    """What the page "Your book's rate" has computed, by name."""
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
    code = parser.get_doctest(RATES, {}, "your_books_rate", str(LESSONS / "your_books_rate.rst"), 0)
    with warnings.catch_warnings():  # the page silences some
        runner.run(code, clear_globs=False)
    assert not runner.failures
    plt.close("all")
    return code.globs


EXERCISES = re.split(r"\n(.+)\n-{3,}\n", RATES.partition("\nThe exercises\n")[2])[1:]


@pytest.mark.parametrize(("title", "text"), [*zip(EXERCISES[::2], EXERCISES[1::2], strict=True)], ids=EXERCISES[::2])
def test_an_exercise_takes_five_lines(title, text):
    lines = [line for line in text.splitlines() if line.startswith((">>>", "..."))]
    assert 1 <= len([line for line in lines if "import" not in line]) <= 5
    assert max(map(len, lines)) <= 120


# --------------------------------------------------------------------------------------- the exercises, written out


def iterate(model, k, X, y):
    """The first k iterations of a model of the page."""
    fitted = clone(model).set_params(max_iter=k)
    with pytest.warns(ConvergenceWarning):
        fitted.fit(X, y)
    assert fitted.n_iter_ == k
    return np.array([*np.ravel(fitted.coef_), *np.ravel(fitted.intercept_)])


def test_four_plus_three_x(page):
    x, y = page["x"], page["y"]
    X, theta, m = np.c_[np.ones((100, 1)), x], np.zeros(2), 100
    for k in range(1, 1001):
        gradients = 2 / m * X.T @ (X @ theta - y)
        theta = theta - 0.1 * gradients
        if k in (1, 2, 3, 10, 100, 500):
            np.testing.assert_allclose(iterate(page["line"], k, x, y), theta[::-1], **EXACT)
    # the run has ended where no iteration changes more than rounding errors do
    assert page["line"].stop_reason_ == "precision"
    assert 900 < page["line"].n_iter_ <= 1000
    np.testing.assert_allclose([page["line"].intercept_, *page["line"].coef_], theta, **EXACT)
    # the book's own figures
    np.testing.assert_allclose(theta, [4.21509616, 2.77011339], atol=5e-9)


def test_the_table_of_slope_and_intercept(page):
    x, y = page["hours"][:, 0].tolist(), page["marks"].tolist()
    slope = intercept = 0.0
    rows = []
    for _ in range(5):
        n, d_slope, d_intercept = len(x), 0.0, 0.0
        for xi, yi in zip(x, y, strict=True):
            d_slope += -2 / n * xi * (yi - (slope * xi + intercept))
            d_intercept += -2 / n * (yi - (slope * xi + intercept))
        slope, intercept = slope - 0.05 * d_slope, intercept - 0.05 * d_intercept
        rows.append((slope, intercept))
    np.testing.assert_allclose(page["table"], rows, **EXACT)


def test_cat_or_not(page):
    images, is_one = load_digits(n_class=2, return_X_y=True)
    X, Y = images.T / 16, is_one.reshape(1, -1)  # samples are columns in that course
    w, b, m = np.zeros((X.shape[0], 1)), 0.0, X.shape[1]
    for k in range(1, 2001):
        A = 1 / (1 + np.exp(-(w.T @ X + b)))
        cost = -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / m
        assert page["cat"].loss_curve_[k - 1] == pytest.approx(cost, rel=1e-12)
        dw, db = X @ (A - Y).T / m, np.sum(A - Y) / m
        w, b = w - 0.005 * dw, b - 0.005 * db
        if k in (1, 10):
            np.testing.assert_allclose(iterate(page["cat"], k, images / 16, is_one), [*w[:, 0], b], **EXACT)
    np.testing.assert_allclose(page["cat"].coef_, w.T, **EXACT)
    np.testing.assert_allclose(page["cat"].intercept_, [b], **EXACT)


def path_of(slope, start, rate, n):
    """Plain descent along partial derivatives that are written one by one."""
    place, path = list(start), [list(start)]
    for _ in range(n):
        place = [value - rate * d for value, d in zip(place, slope(*place), strict=True)]
        path.append(place)
    return path


def test_functions_of_two_and_three_numbers(page):
    bowl, endless = page["bowl"].path, page["endless"].path
    assert len(bowl) == 51
    np.testing.assert_allclose(bowl, path_of(lambda x, y: (2 * x, 2 * y), [3.0, 4.0], 0.1, 50), **EXACT)
    assert len(endless) == 101
    expected = path_of(lambda x, y, z: (6 * x, 4, -math.cos(z)), [1.0, 1.0, 1.0], 0.1, 100)
    np.testing.assert_allclose(endless, expected, **EXACT)


def test_valleys_and_a_plateau(page):
    for run in page["ends"].starts:
        expected = path_of(lambda x: (x**3 - 4 * x + 0.8,), run.path[0], 0.02, len(run.path) - 1)
        np.testing.assert_allclose(run.path, expected, **EXACT)
    assert page["ends"].x < 0 < page["ends"].starts[0].x
    expected = path_of(lambda x: (x * math.exp(-x * x / 2),), [4.0], 1.0, 100)
    np.testing.assert_allclose(page["crawling"].path, expected, **EXACT)


def test_the_thing_to_change_ends_as_the_page_says(page):
    with pytest.warns(ConvergenceWarning, match=r"about 0\.\d+ \(2/L\)"):
        clone(page["line"]).set_params(learning_rate=1.0).fit(page["x"], page["y"])


# ------------------------------------------------------------------------------------------------------ the tables

NUMBERS = {"η": 0.3, "d": 0.7, "s": 7, "γ": 0.6, "a": 0.2, "e": 0.01, "t0": 5.0, "t1": 50.0}
DECAYS = re.findall(
    r"   \* - (.+)\n     - ``(.+)``\n     - ``(.+)``\n", RATES.partition("Which decay?")[2].partition("Every other")[0]
)


@pytest.mark.parametrize(("there", "formula", "here"), DECAYS, ids=[row[0] for row in DECAYS])
def test_a_decay_of_another_package_is_the_schedule_beside_it(there, formula, here):
    known = {**vars(math), **vars(steps), **NUMBERS}
    schedule = eval(here, known)
    for k in range(8 if "up to s" in there else 40):
        assert schedule.rate(k) == pytest.approx(eval(formula, {**known, "k": k}), rel=1e-12, abs=1e-15)


def test_all_rows_of_the_table_of_decays_are_tested():
    table = RATES.partition("Which decay?")[2].partition("Every other")[0]
    assert len(DECAYS) == table.count("   * - ") - 1 == 11


def test_a_penalty_of_another_objective_has_the_alpha_beside_it():
    rng = np.random.default_rng(0)
    X, lam = rng.standard_normal((60, 3)), 2.5
    y = X @ [1.0, -2.0, 0.5] + 1 + 0.1 * rng.standard_normal(60)
    m = len(y)
    objectives = {
        lam / m: lambda w, r: (r @ r + lam * w @ w) / (2 * m),
        lam: lambda w, r: r @ r / m + lam * w @ w,
        0.5 * lam / m: lambda w, r: r @ r + 0.5 * lam * w @ w,
    }
    for alpha, objective in objectives.items():
        best = gradient_descent(lambda p, f=objective: f(p[:3], X @ p[:3] + p[3] - y), np.zeros(4)).x
        model = GDLinearRegression(alpha=alpha).fit(X, y)
        np.testing.assert_allclose([*model.coef_, model.intercept_], best, atol=1e-5)
    np.testing.assert_allclose(model.coef_, Ridge(0.5 * lam).fit(X, y).coef_, rtol=1e-7)

    classes = (y > 1).astype(int)

    def with_penalty(p):
        signed = np.where(classes, 1, -1) * (X @ p[:3] + p[3])
        return np.logaddexp(0, -signed).mean() + lam / (2 * m) * p[:3] @ p[:3]

    model = GDLogisticRegression(C=1 / lam).fit(X, classes)
    np.testing.assert_allclose(
        [*model.coef_[0], *model.intercept_], gradient_descent(with_penalty, np.zeros(4)).x, atol=1e-5
    )
    np.testing.assert_allclose(model.coef_, LogisticRegression(C=1 / lam, tol=1e-8).fit(X, classes).coef_, rtol=1e-4)
