"""The main job: what it writes, and that what it writes is right."""

import contextlib
import io
import json
import os
import platform
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip(
    "benchmarks", reason="benchmarks/ is in the repository and the source distribution, not beside these tests"
)

from benchmarks import breakdown, growth
from benchmarks.__main__ import main
from benchmarks.exact import exact, refined
from benchmarks.measure import UNKNOWN, alternate, attempt, described
from benchmarks.measure import machine as here
from benchmarks.methods import CLOSED_FORMS, SEARCHES, Solution, gradient_descent


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """The tables and the folder of a tiny run, and what it printed."""
    folder = tmp_path_factory.mktemp("results")
    sizes = ["--features", "10", "20", "40", "--samples", "200", "400", "--fixed-features", "10"]
    arguments = ["--quick", "--repeats", "2", "--conditions", "1", "100", *sizes, "--output", str(folder)]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main([*arguments, "--data", "diabetes", "uci_protein"]) == 0
    return {path.stem: pd.read_csv(path) for path in folder.glob("*.csv")}, folder, printed.getvalue()


@pytest.fixture(autouse=True)
def no_data_folder(monkeypatch):
    monkeypatch.delenv("SKLEARN_GD_DATA", raising=False)


@pytest.fixture(scope="module", autouse=True)
def no_data_folder_for_the_job():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SKLEARN_GD_DATA", raising=False)
        yield


def test_files(job):
    tables, folder, _ = job
    assert set(tables) == {"real_data", "growth", "growth_exponents", "breakdown"}
    pictures = {path.name for path in folder.glob("*.png")}
    assert pictures == {"real_data.png", "growth_features.png", "growth_samples.png", "breakdown.png"}
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    machine = json.loads((folder / "machine.json").read_text())
    assert {name: machine[name] for name in here()} == here()
    assert "output" not in machine["options"]


def test_every_table_names_its_machine(job):
    tables, folder, printed = job
    told = described(json.loads((folder / "machine.json").read_text()))
    for name, rows in tables.items():
        assert set(rows["machine"]) == {told}, name
    # diabetes, two sweeps at two condition numbers, and where the closed form breaks; lines are broken where they are long
    assert " ".join(printed.split()).count(" ".join(told.split())) == 1 + 4 + 1


def test_real_data(job):
    rows = job[0]["real_data"]
    diabetes = rows[rows["data"] == "diabetes"].set_index("method")
    assert set(CLOSED_FORMS) < set(diabetes.index)
    assert {f'"{name}", raw' for name in SEARCHES} < set(diabetes.index)
    assert any(name.startswith("textbook rate") for name in diabetes.index)
    assert (diabetes["seconds"] > 0).all()
    assert (diabetes["fastest"] <= diabetes["seconds"]).all()
    assert (diabetes["seconds"] <= diabetes["slowest"]).all()
    auto = diabetes.loc['"auto", raw']
    assert auto["coefficient_error"] < 1e-4
    assert auto["r2"] == pytest.approx(0.517748, abs=1e-6)
    assert auto["ended"] in {"gradient", "precision"}
    assert diabetes.loc[list(CLOSED_FORMS), "coefficient_error"].max() < 1e-9


def test_data_that_cannot_be_had_are_named(job):
    rows = job[0]["real_data"]
    (row,) = rows[rows["data"] == "uci_protein"].to_dict("records")
    assert "not to be had" in row["failure"]
    assert "SKLEARN_GD_DATA" in row["failure"]


def test_growth_is_timed_at_the_same_error(job):
    rows = job[0]["growth"]
    timed = rows.dropna(subset=["seconds"])
    assert (timed["coefficient_error"] <= 1e-6).all()
    for method in (growth.BASELINE, growth.AUTO, growth.MATRIX_FREE, growth.LIBRARY):
        assert len(timed[timed["method"] == method]) == 2 * 3 + 2 * 2, method
    # What was not there, or left out, says so.
    assert rows.loc[rows["seconds"].isna(), "failure"].notna().all()


def test_the_closed_form_breaks_and_says_how(job):
    rows = job[0]["breakdown"].set_index(["case", "method"])
    cholesky = rows.loc[("more features than samples", "normal equation (Cholesky)")]
    assert cholesky["word"].startswith("LinAlgError")
    assert not cholesky["right"]
    assert not rows.loc[("more features than samples", "normal equation (inverse)"), "right"]
    assert rows.loc[("more features than samples", "numpy.linalg.lstsq"), "prediction_error"] < 1e-10
    assert rows.loc["well behaved", "right"].all()
    assert not rows.loc["duplicated columns", "unique"].any()


@pytest.mark.parametrize(
    "case", ["duplicated columns", "constant column", "one-hot category", "more features than samples"]
)
def test_gradient_descent_predicts_where_the_closed_form_breaks(job, case):
    rows = job[0]["breakdown"].set_index(["case", "method"])
    for method in breakdown.GRADIENT_DESCENT:
        assert rows.loc[(case, method), "prediction_error"] < 1e-6, method


def test_ctrl_c_keeps_what_was_finished(tmp_path, monkeypatch, capsys):
    def interrupted(*arguments, **options):
        yield [{"data": "diabetes", "failure": "not to be had: for a test"}]
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarks.real_data.run", interrupted)
    assert main(["--parts", "real", "--output", str(tmp_path)]) == 130
    assert len(pd.read_csv(tmp_path / "real_data.csv")) == 1
    assert "Interrupted" in capsys.readouterr().out


def test_help_explains(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    told = capsys.readouterr().out
    for word in ("SKLEARN_GD_DATA", "SCIKIT_LEARN_DATA", "--quick", "--output", "condition numbers"):
        assert word in told


# ------------------------------------------------------------------------------------------------ the machine


def test_what_is_told_of_a_machine():
    record = here()
    assert record["processor"]
    assert record["blas"]["version"] in described(record)
    blas = {"name": "openblas", "version": "0.3", "architecture": "Zen"}
    told = described({"processor": "A", "level": "x86-64-v4", "cores": 2, "threads": 1, "blas": blas})
    assert told == (
        "A, 2 cores; instruction level of the kernels: x86-64-v4; BLAS: openblas 0.3, its kernels: Zen, threads: 1"
    )


def test_what_is_not_known_of_a_machine_is_said_to_be_so():
    told = described({"processor": "A", "level": None, "cores": 2, "blas": {"name": "mkl", "version": "1"}})
    assert told == (
        f"A, 2 cores; instruction level of the kernels: {UNKNOWN}; BLAS: mkl 1, its kernels: {UNKNOWN}, threads: {UNKNOWN}"
    )


def test_the_kernels_of_blas_are_those_in_force():
    if here()["blas"]["name"] != "openblas" or platform.machine() not in {"x86_64", "AMD64"}:
        pytest.skip("the variable, and the kernels' names, are OpenBLAS's on x86-64")
    code = "from benchmarks.measure import machine; print(machine()['blas']['architecture'])"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "OPENBLAS_CORETYPE": "Nehalem"},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    # what any such processor can run, and none of today's would choose
    assert told.stdout.strip() == "Nehalem"


# ------------------------------------------------------------------------------------------------ references


def test_exact_recovers_small_integers():
    rng = np.random.default_rng(0)
    X = rng.integers(-9, 10, size=(20, 3)).astype(float)
    truth = exact(X, X @ [1.0, -2.0, 3.0] + 4.0)
    np.testing.assert_array_equal(truth.coef, [1.0, -2.0, 3.0])
    assert truth.unique
    assert truth.prediction_error(Solution(np.array([1.0, -2.0, 3.0]), 4.0), X) == 0.0


def test_exact_on_dependent_columns_predicts_as_on_the_independent_ones():
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((12, 3)), rng.standard_normal(12)
    alone, doubled = exact(X, y), exact(np.hstack([X, X[:, :2]]), y)
    assert alone.unique
    assert not doubled.unique
    np.testing.assert_array_equal(alone.prediction, doubled.prediction)


@pytest.mark.parametrize("condition", [1.0, 1e4, 1e8])
def test_refined_agrees_with_exact(condition):
    X, y = growth.simulated(60, 6, condition)
    truth, near = exact(X, y), refined(X, y)
    assert truth.coefficient_error(Solution(near.coef, 0.0)) < 1e-13


def test_refined_leaves_dependent_columns_out():
    X, y = breakdown.CASES["duplicated columns"]()
    near, truth = refined(X, y), exact(X, y)
    assert not near.unique
    np.testing.assert_allclose(near.prediction, truth.prediction, rtol=1e-12)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_forms(name):
    X, y = breakdown.CASES["well behaved"]()
    truth = exact(X, y)
    solution = CLOSED_FORMS[name](X, y)
    assert truth.coefficient_error(solution) < 1e-12
    assert truth.prediction_error(solution, X) < 1e-12


def test_simulated_covariance():
    X, _ = growth.simulated(50_000, 8, 100.0)
    values = np.linalg.eigvalsh(np.cov(X, rowvar=False))
    np.testing.assert_allclose(values, np.geomspace(1, 100, 8), rtol=0.05)
    # No column is special.
    assert X.std(axis=0).max() / X.std(axis=0).min() < 3


# ------------------------------------------------------------------------------------------------ measuring


def test_a_failing_method_is_a_result():
    X, y = breakdown.CASES["more features than samples"]()
    outcome = attempt(CLOSED_FORMS["normal equation (Cholesky)"], X, y)
    assert outcome.solution is None
    assert outcome.word.startswith("LinAlgError")


def test_a_warning_is_told_and_goes_no_further():
    X, y = breakdown.CASES["well behaved"]()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome = attempt(gradient_descent(learning_rate=1e-6, max_iter=2), X, y)
    assert outcome.solution.ended == "max_iter"
    assert outcome.word == "ConvergenceWarning"


def test_runs_alternate():
    order = []
    taken = alternate({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, repeats=3, least=0.0)
    assert order[-6:] == ["a", "b"] * 3
    assert taken["a"].repeats == 3
    assert taken["a"].fastest <= taken["a"].seconds <= taken["a"].slowest


def test_exponents_and_crossing_of_known_curves():
    sizes = np.array([10, 20, 40, 80, 160, 320])
    shared = {"sweep": "features", "condition": 1.0, "n_features": sizes}
    cubic = pd.DataFrame({**shared, "method": growth.BASELINE, "seconds": sizes**3 * 1e-6})
    square = pd.DataFrame({**shared, "method": growth.MATRIX_FREE, "seconds": sizes**2 * 1e-4})
    summary = growth.exponents(pd.concat([cubic, square])).set_index("method")
    assert summary.loc[growth.BASELINE, "exponent"] == pytest.approx(3)
    assert summary.loc[growth.MATRIX_FREE, "exponent"] == pytest.approx(2)
    assert summary.loc[growth.MATRIX_FREE, "crossing"] == pytest.approx(100)
