"""One iteration with its numbers: they are the run's, to the last bit, and what is written about them is true."""

import html
import re
import sys

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

import sklearn_gd
from sklearn_gd import GDHuberRegression, GDLinearRegression, GDLogisticRegression, book_rate, explain, steps
from sklearn_gd.losses import HalfSquaredError, PointwiseLoss

DIABETES = load_diabetes(return_X_y=True)
IRIS = load_iris(return_X_y=True)
WEIGHTS = np.random.default_rng(0).integers(0, 4, 150)

CASES = {
    "plane": (GDLinearRegression(), DIABETES[0][:, 2:4], DIABETES[1]),
    "ridge": (GDLinearRegression(alpha=0.1), scale(DIABETES[0]), DIABETES[1]),
    "targets": (GDLinearRegression(alpha=0.1), scale(DIABETES[0]), np.c_[DIABETES[1], np.sqrt(DIABETES[1])]),
    "no intercept": (GDLinearRegression(fit_intercept=False), scale(DIABETES[0]), DIABETES[1]),
    "two classes": (GDLogisticRegression(), IRIS[0][50:], IRIS[1][50:]),
    "three classes": (GDLogisticRegression(C=0.1, class_weight={0: 1, 1: 2, 2: 3}), *IRIS),
    "sparse": (GDLogisticRegression(), sparse.csr_array(IRIS[0]), IRIS[1]),
    "float32": (GDLinearRegression(), scale(DIABETES[0]).astype(np.float32), DIABETES[1]),
}
RULES = {
    "number": {"learning_rate": 0.1},
    "heavy ball": {"learning_rate": 0.1, "momentum": 0.9},
    "nesterov": {"learning_rate": 0.1, "momentum": "nesterov"},
    "callable": {"learning_rate": lambda k: 0.2 / (1 + k)},
    "schedule": {"learning_rate": steps.Exponential(0.2, decay=0.1)},
    "metric": {"learning_rate": 0.5, "preconditioner": "full", "momentum": 0.3},
    "lipschitz": {"learning_rate": "lipschitz"},
    "backtracking": {"learning_rate": "backtracking", "momentum": "nesterov"},
    "exact": {"learning_rate": "exact"},
    "silver": {"learning_rate": "silver"},
    "adam": {"learning_rate": steps.Adam(0.5)},
}


def stopped(model, k, *data, **fit_params):
    """The fit of k iterations."""
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        return clone(model).set_params(max_iter=k).fit(*data, **fit_params)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("case", CASES)
def test_the_new_coefficients_are_the_next_iterate_to_the_last_bit(case, rule):
    model, X, y = CASES[case]
    model = clone(model).set_params(tol=0, **RULES[rule])
    for k in (0, 1, 4):
        step, following = explain(model, X, y, iteration=k), stopped(model, k + 1, X, y)
        np.testing.assert_array_equal(step.new_coef, following.coef_)
        np.testing.assert_array_equal(step.new_intercept, following.intercept_)
        assert step.new_coef.dtype == following.coef_.dtype
        assert type(step.new_intercept) is type(following.intercept_)
        assert (step.loss, step.new_loss) == tuple(following.loss_curve_[-2:])
        assert step.learning_rate == following.history_["learning_rate"][-1]

        columns = step.coefficients
        terms = [column for name, column in columns.items() if name.startswith(("step", "momentum"))]
        scale_of = np.abs([columns["value"], *terms]).max()
        np.testing.assert_allclose(columns["value"] + sum(terms), columns["new value"], atol=1e-14 * scale_of)
        assert step.deviation < (1e-5 if case == "float32" else 1e-6)


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["unweighted", "weighted"])
def test_every_number_is_that_of_the_loop_written_out(weight):
    X, y = IRIS
    model = GDLogisticRegression(C=0.01, learning_rate=0.1, momentum=0.8, tol=0)
    w = np.ones(len(y)) if weight is None else weight
    share, alpha = w / w.sum(), 1 / (0.01 * w.sum())
    Z, onehot = np.c_[X, np.ones(len(X))], np.eye(3)[y]
    penalised = np.r_[np.ones(4), 0.0][:, None]
    W = before = np.zeros((5, 3))
    for k in range(4):
        p = np.exp(Z @ W)
        p /= p.sum(axis=1, keepdims=True)
        of_loss, of_penalty = Z.T @ (share[:, None] * (p - onehot)), alpha * penalised * W
        new = W - 0.1 * (of_loss + of_penalty) + 0.8 * (W - before)
        step = explain(model, X, y, weight, iteration=k)
        kept = np.flatnonzero(w)

        samples = step.samples
        assert list(samples["sample"][::3]) == list(kept)
        np.testing.assert_allclose(samples["score"], (Z @ W)[kept].ravel(), atol=1e-12)
        np.testing.assert_allclose(samples["probability"], p[kept].ravel(), atol=1e-12)
        np.testing.assert_allclose(samples["residual"], (p - onehot)[kept].ravel(), atol=1e-12)
        losses = -np.log(p[np.arange(len(y)), y])
        np.testing.assert_allclose(samples["loss"], np.repeat(losses[kept], 3), atol=1e-12)
        assert step.loss == pytest.approx(share @ losses + alpha / 2 * (penalised * W**2).sum(), rel=1e-12)

        columns = step.coefficients
        assert list(columns["class"]) == [0] * 5 + [1] * 5 + [2] * 5
        assert list(columns["coefficient"]) == ["x0", "x1", "x2", "x3", "intercept"] * 3
        expected = {"value": W, "partial derivative": of_loss + of_penalty, "new value": new}
        expected["step = -0.1·derivative"] = -0.1 * (of_loss + of_penalty)
        if k:
            expected |= {"of the loss": of_loss, "of the penalty": of_penalty, "momentum": 0.8 * (W - before)}
        for name, matrix in expected.items():
            np.testing.assert_allclose(columns[name], matrix.T.ravel(), atol=1e-12, err_msg=name)
        assert set(columns) == {"class", "coefficient", *expected}
        W, before = new, W


def cells_of(text):
    """Rows of a table of text, by the first word of each."""
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]


def test_sums_are_those_of_all_samples_where_few_are_shown():
    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    step = explain(GDLinearRegression(learning_rate=1e-5), X[["bmi", "bp"]], y, rows=3)
    table = cells_of(str(step))
    assert table[2] == ["sample", "bmi", "bp", "y", "prediction", "residual", "loss", "residual·bmi", "residual·bp"]
    assert [row[0] for row in table[3:9]] == ["0", "1", "2", "…", "sum", "mean"]
    residual = -y.to_numpy()
    sums = [residual.sum(), (residual**2 / 2).sum(), residual @ X["bmi"], residual @ X["bp"]]
    assert table[7][1:] == [f"{value:.6g}" for value in sums]
    assert table[8][1:] == [f"{value / len(y):.6g}" for value in sums]
    # the sums are the partial derivatives
    frame = step.to_frame()
    assert list(frame.index) == ["bmi", "bp", "intercept"]
    np.testing.assert_allclose(frame["partial derivative"], np.array(sums)[[2, 3, 0]] / len(y), rtol=1e-12)


def test_of_many_features_the_first_are_shown_and_the_frame_has_all():
    X, y = DIABETES
    step = explain(GDLinearRegression(learning_rate=0.1), X, y, rows=4)
    text = str(step)
    assert "8 more features" in text
    assert [row[0] for row in cells_of(text)[-8:-2]] == ["x0", "x1", "x2", "x3", "…", "intercept"]
    assert max(map(len, text.splitlines())) <= 120
    frame = step.to_frame("samples")
    assert frame.shape == (442, 10 + 4 + 10)
    np.testing.assert_array_equal(frame["residual·x9"], -y * X[:, 9])


def test_html_has_the_cells_of_the_text_and_escapes_names():
    X, y = load_iris(return_X_y=True, as_frame=True)
    X = X.rename(columns={"sepal length (cm)": "<b>&"})
    step = explain(GDLogisticRegression(learning_rate=0.1), X, load_iris().target_names[y], WEIGHTS, rows=2)
    page = step._repr_html_()
    assert "<b>" not in page
    words = [html.unescape(word) for word in re.findall(r"<t[hd]>(.*?)</t[hd]>", page)]
    lines = str(step).splitlines()
    for word in words:
        assert any(word in line for line in lines)
    assert len(re.findall("<table>", page)) == 2
    assert {"<b>&", "setosa", "weighted mean"} <= set(words)


def test_a_feature_may_be_called_as_a_column_is():
    X, y = load_iris(return_X_y=True, as_frame=True)
    X = X.iloc[:100, :2].set_axis(["y", "loss"], axis=1)
    frame = explain(GDLogisticRegression(learning_rate=0.1), X, y[:100]).to_frame("samples")
    np.testing.assert_array_equal(frame["y of X"], X["y"])
    np.testing.assert_array_equal(frame["y"], y[:100])
    np.testing.assert_allclose(frame["loss"], np.log(2), rtol=1e-15)


def test_a_pipeline_is_explained_on_what_its_steps_make_of_x():
    X, y = DIABETES
    pipeline = make_pipeline(StandardScaler(), GDLinearRegression(learning_rate=0.1))
    step = explain(pipeline, X, y, iteration=2)
    np.testing.assert_array_equal(step.new_coef, explain(pipeline[-1], scale(X), y, iteration=2).new_coef)


def test_the_model_and_the_data_stay_as_they_are():
    X, y = DIABETES[0].copy(), DIABETES[1].copy()
    model = GDLinearRegression(learning_rate=0.1)
    explain(model, X, y)
    assert not hasattr(model, "coef_")
    np.testing.assert_array_equal(X, DIABETES[0])
    np.testing.assert_array_equal(y, DIABETES[1])


def test_a_rule_with_a_rate_for_each_coefficient_shows_its_direction():
    step = explain(GDLinearRegression(learning_rate=steps.AdaGrad(0.1, epsilon=1e-300)), *DIABETES)
    np.testing.assert_allclose(step.coefficients["u"], np.sign(step.coefficients["partial derivative"]), rtol=1e-12)
    np.testing.assert_allclose(step.coefficients["step = -0.1·u"], step.coefficients["new value"], rtol=1e-12)


class Huber(PointwiseLoss):
    """Another loss of the same shape."""

    curvature = 1.0

    def derivatives(self, y, raw, order=2):
        residual = raw - y
        slope = np.clip(residual, -20.0, 20.0)
        return slope * (residual - slope / 2), slope, (np.abs(residual) <= 20).astype(raw.dtype)


class Wrong(HalfSquaredError):
    """A loss whose slope is another's."""

    kernel = None

    def derivatives(self, y, raw, order=2):
        value, slope, second = super().derivatives(y, raw, order)
        return value, None if slope is None else 1.01 * slope, second


class WithLoss(GDLinearRegression):
    """Least squares with another loss."""

    def _target(self, y, weight, X):
        return LOSS, *super()._target(y, weight, X)[1:]


LOSS = Huber()


def test_a_further_loss_needs_nothing():
    X, y = scale(DIABETES[0]), DIABETES[1]
    step = explain(WithLoss(learning_rate=0.5, tol=0), X, y, iteration=30)
    assert {"raw prediction", "slope"} <= set(step.samples)
    assert "Mean of slope·x" in str(step)
    assert np.abs(step.samples["slope"]).max() == 20
    assert step.deviation < 1e-4  # the slope has kinks
    derivative = X.T @ step.samples["slope"] / len(y)
    np.testing.assert_allclose(step.coefficients["partial derivative"][:-1], derivative, atol=1e-12)


def test_a_loss_that_is_renewed_is_shown_as_it_was():
    """Huber's scale becomes another one when its loss has been minimised: the last step before is told with the old one."""
    X, y = scale(DIABETES[0]), DIABETES[1]
    model = GDHuberRegression(learning_rate=20.0, tol=1e-2).fit(X, y)
    scales = []
    for k in range(model.n_iter_):
        step = explain(model, X, y, iteration=k)
        assert step.samples["loss"].mean() == pytest.approx(step.loss, rel=1e-12)
        derivative = X.T @ step.samples["slope"] / len(y)
        np.testing.assert_allclose(step.coefficients["partial derivative"][:-1], derivative, atol=1e-12)
        residual = np.abs(step.samples["raw prediction"] - y)
        # 1/scale times the residual, up to epsilon: the loss's own scale is told by a sample within the threshold
        within = np.argmin(residual)
        scales.append(round(residual[within] / abs(step.samples["slope"][within]), 6))
    assert len(set(scales)) > 1
    assert scales[-1] == pytest.approx(model.scale_, rel=1e-2)
    np.testing.assert_array_equal(step.new_coef, model.coef_)


def test_a_wrong_gradient_is_told(monkeypatch):
    monkeypatch.setitem(globals(), "LOSS", Wrong())
    step = explain(WithLoss(learning_rate=0.1), DIABETES[0][:, 2:3], DIABETES[1])
    assert step.deviation == pytest.approx(0.01, rel=0.05)
    assert "deviation 0.01." in str(step)


def test_of_many_coefficients_the_largest_derivatives_are_checked():
    rng = np.random.default_rng(0)
    X = sparse.random_array((60, 300), density=0.1, rng=rng, format="csr")
    step = explain(GDLinearRegression(learning_rate=0.1), X, X @ rng.standard_normal(300))
    assert "The 100 largest of 301 partial derivatives checked by" in str(step)
    assert step.deviation < 1e-8


REFUSED = {
    "auto": ({"learning_rate": "auto"}, {}, "learning_rate='auto' has no textbook iteration"),
    "plane search": ({"learning_rate": steps.PlaneSearch()}, {}, "'lipschitz'"),
    "end by tol": (
        {"tol": 0.5},
        {"iteration": 50},
        r"its last iteration is \d+ \(the gradient is within tol=0.5; tol=0",
    ),
    "no step": ({"tol": 5}, {}, "it takes no step at all"),
    "end by max_iter": ({"max_iter": 3}, {"iteration": 3}, r"its last iteration is 2 \(that is max_iter; raise it"),
    "diverged": ({"learning_rate": 5.0}, {"iteration": 500}, "a smaller learning_rate does not"),
    "batches": ({"batch_size": 10}, {}, "use batch_size=None"),
    "iteration": ({}, {"iteration": -1}, "iteration must be at least 0"),
    "rows": ({}, {"rows": 0}, "rows must be at least 1"),
    "bad rate": ({"learning_rate": -1}, {}, "learning_rate must be in"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_explained_is_refused_with_the_way_out(case):
    params, asked, words = REFUSED[case]
    model = GDLinearRegression(learning_rate=0.1).set_params(**params)
    with pytest.raises(ValueError, match=words):
        explain(model, scale(DIABETES[0]), DIABETES[1], **asked)


def test_numbers_that_are_not_in_memory_are_refused(tmp_path):
    np.save(tmp_path / "X.npy", DIABETES[0])
    with pytest.raises(TypeError, match="got memmap: convert some rows"):
        explain(GDLinearRegression(learning_rate=0.1), np.load(tmp_path / "X.npy", mmap_mode="r"), DIABETES[1])
    with pytest.raises(TypeError, match="got LinearRegression"):
        explain(LinearRegression(), *DIABETES)


def test_frames_need_pandas_and_name_their_tables(monkeypatch):
    step = explain(GDLinearRegression(learning_rate=0.1), *DIABETES)
    with pytest.raises(ValueError, match="table must be one of 'coefficients', 'samples'"):
        step.to_frame("rows")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        step.to_frame()
    assert "coefficient" in str(step)


def test_the_tools_are_there_by_name():
    assert callable(sklearn_gd.explain)
    assert callable(sklearn_gd.book_rate)


# --------------------------------------------------------------------------------------------- the rate of a book

m = 50
LINE_X = np.random.default_rng(0).uniform(0, 2, m)
LINE_Y = 4 + 3 * LINE_X + np.random.default_rng(1).standard_normal(m)
CAT = (LINE_Y > 7).astype(int)


def residuals(w, b):
    return w * LINE_X + b - LINE_Y


def surprises(w, b):
    return 1 / (1 + np.exp(-(w * LINE_X + b))) - CAT


@pytest.mark.parametrize(
    ("loss", "rate", "factor", "residual"),
    [
        ("mean of halves", 0.1, 1 / m, residuals),
        ("mean of squares", 0.1, 2 / m, residuals),
        ("sum of halves", 0.001, 1, residuals),
        ("sum of squares", 0.001, 2, residuals),
        ("mean of log losses", 0.5, 1 / m, surprises),
        ("sum of log losses", 0.01, 1, surprises),
    ],
)
def test_a_books_rate_makes_the_books_iterates(loss, rate, factor, residual):
    w = b = 0.0
    for _ in range(20):
        r = residual(w, b)
        w, b = w - rate * factor * (r @ LINE_X), b - rate * factor * r.sum()
    ours = book_rate(rate, loss, n_samples=m if "sum" in loss else None)
    if residual is residuals:
        model = stopped(GDLinearRegression(learning_rate=ours, tol=0), 20, LINE_X[:, None], LINE_Y)
    else:
        model = stopped(GDLogisticRegression(C=np.inf, learning_rate=ours, tol=0), 20, LINE_X[:, None], CAT)
    np.testing.assert_allclose([*np.ravel(model.coef_), *np.ravel(model.intercept_)], [w, b], rtol=1e-12)


def test_a_books_rate_is_refused_where_it_says_too_little():
    with pytest.raises(ValueError, match=r"needs n_samples.*len"):
        book_rate(0.1, "sum of squares")
    with pytest.raises(ValueError, match="loss must be one of 'mean of halves'"):
        book_rate(0.1, "mse")
    with pytest.raises(ValueError, match="rate must be in"):
        book_rate(0, "mean of squares")
