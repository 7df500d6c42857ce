"""RESULTS.md: everything that feeds it, measured, and the report made of it.

Two uses: the report of the raw results in ``benchmarks/measured``, and everything measured anew before::

    python -m benchmarks.results
    python -m benchmarks.results --run             # some thirty-five minutes on two cores that do nothing else
    python -m benchmarks.results --run --quick     # on less data; some three minutes

What is measured: the main job (``python -m benchmarks``); the benchopt benchmarks, in
rounds, so that a slow spell of the machine falls on all; `benchmarks.time_to_accuracy` on some problems; and
`benchmarks.shapes`, as much of its grids as ten minutes allow; `benchmarks.search`; and `benchmarks.losses`. Data that
cannot be had (SCIKIT_LEARN_DATA, SKLEARN_GD_DATA) and solvers that are not installed (``pip install '.[peers]'``) are left
out; the report says which.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from . import report
from .__main__ import main as main_job
from .losses import main as losses
from .measure import machine
from .search import main as search
from .shapes import main as shapes

__all__ = ["main"]

HERE = Path(__file__).parent
ROOT = HERE.parent

#: Raw results, pictures and the machine they are from.
MEASURED = HERE / "measured"

#: The parts that --run measures.
PARTS = ("job", "peers", "accuracy", "shapes", "search", "losses")

#: Seconds for each family of shapes, after which none of its problems is begun.
SHAPES_LIMIT = 190.0

#: Solvers that take longer than this multiple of the fastest one's seconds to a gap of 1e-6 are not repeated.
CONTENDER = 10.0

#: A dataset and an objective in benchopt's words, and a multiple of --timeout: larger data have more time.
Problem = tuple[dict[str, Any], dict[str, Any], float]


def problems(benchmark: str, quick: bool) -> list[Problem]:
    """What is measured."""
    return PROBLEMS[benchmark](quick)


def _least_squares(quick: bool) -> list[Problem]:
    plain, ridge = ({"least squares": {"ridge": [value]}} for value in (0.0, 1e-3))
    small: Problem = ({"diabetes": {}}, plain, 1)
    if quick:
        return [small, (_simulated(1000, 100, 1e4), plain, 1), (_simulated(2000, 100, 1, density=0.05), ridge, 1)]
    return [
        small,
        ({"california": {}}, plain, 1),
        ({"npz": {"file": ["uci_protein"]}}, plain, 1),
        (_simulated(20_000, 200, 1), plain, 3),
        (_simulated(20_000, 200, 1e4), plain, 3),
        (_simulated(4_000, 1_000, 100), ridge, 3),
        (_simulated(500, 2_000, 100), ridge, 2),
        (_simulated(20_000, 500, 1, density=0.01), ridge, 1),
    ]


def _logistic(quick: bool) -> list[Problem]:
    one: dict[str, Any] = {"logistic": {"C": [1.0]}}

    def bundled(name: str, scaling: str) -> Problem:
        return {"bundled": {"data": [name], "scaling": [scaling]}}, one, 1

    def npz(name: str, scaling: str, patience: float) -> Problem:
        return {"npz": {"file": [name], "scaling": [scaling]}}, one, patience

    if quick:
        wide = (_simulated(2000, 100, 1e4, n_classes=2), one, 1)
        return [bundled("breast_cancer", "raw"), bundled("wine", "standardised"), wide]
    return [
        bundled("breast_cancer", "raw"),
        bundled("breast_cancer", "standardised"),
        bundled("wine", "raw"),
        bundled("digits", "standardised"),
        npz("credit_default", "raw", 1.5),
        npz("adult", "standardised", 4),
        npz("golub_leukemia", "raw", 1.5),
        (_simulated(20_000, 100, 1, n_classes=2), one, 2),
        (_simulated(20_000, 100, 1e4, n_classes=2), one, 2),
        (_simulated(5_000, 50, 100, n_classes=4), one, 1),
        (_simulated(20_000, 500, 1, density=0.01, n_classes=2), one, 1.5),
    ]


def _quantile(quick: bool) -> list[Problem]:
    middle, upper = ({"quantile": {"quantile": [value], "alpha": [0.0]}} for value in (0.5, 0.9))
    small: list[Problem] = [({"diabetes": {}}, middle, 1), (_simulated(2_000, 10, 1), upper, 1)]
    if quick:
        return small
    return [
        *small,
        ({"california": {}}, middle, 2),
        ({"npz": {"file": ["uci_protein"]}}, middle, 2),
        (_simulated(10_000, 10, 1e4), middle, 2),
        (_simulated(100_000, 20, 1), middle, 5),
    ]


def _huber(quick: bool) -> list[Problem]:
    joint, fixed = ({"huber": {"scale": [value], "epsilon": [1.35], "alpha": [0.0]}} for value in ("joint", "optimum"))
    small: list[Problem] = [({"diabetes": {}}, joint, 1), (_simulated(2_000, 20, 1e4, outliers=0.1), joint, 1)]
    if quick:
        return small
    return [
        *small,
        (_simulated(2_000, 20, 1e4, outliers=0.1), fixed, 1),
        ({"california": {}}, joint, 1),
        ({"npz": {"file": ["uci_protein"]}}, joint, 1),
        (_simulated(20_000, 100, 1e4, outliers=0.3), joint, 2),
        (_simulated(20_000, 100, 1e4, outliers=0.3), fixed, 2),
    ]


def _poisson(quick: bool) -> list[Problem]:
    plain, penalised = ({"poisson": {"alpha": [value]}} for value in (0.0, 1e-3))
    small: list[Problem] = [(_simulated(1_000, 30, 1e4), plain, 1), (_simulated(2_000, 100, 1), penalised, 1)]
    if quick:
        return small
    return [
        *small,
        ({"claims": {"n_samples": [100_000]}}, plain, 3),
        (_simulated(20_000, 100, 1e4), plain, 2),
        (_simulated(2_000, 1_000, 100), penalised, 3),
        (_simulated(20_000, 500, 1, density=0.01), penalised, 1),
    ]


def _simulated(n_samples: int, n_features: int, condition: float, **more: Any) -> dict[str, Any]:
    sizes = {"n_samples, n_features": [(n_samples, n_features)], "condition": [condition]}
    return {"simulated": sizes | {name: [value] for name, value in more.items()}}


#: By benchmarks.
PROBLEMS: dict[str, Callable[[bool], list[Problem]]] = {
    "least_squares": _least_squares,
    "logistic": _logistic,
    "quantile": _quantile,
    "huber": _huber,
    "poisson": _poisson,
}

#: Some of `benchmarks.problems`, which has them all.
ACCURACY = {
    False: [
        *("california", "uci_protein", "gaussian-100000x100", "mice_snp-0.1"),
        *("iris-raw-C1", "breast_cancer-std-C1", "digits-std-C1", "credit_default-std-C1", "adult-std-C1"),
        "classification-300000x100-C1",
    ],
    True: ["california", "iris-raw-C1", "wine-std-C1"],
}


# ---------------------------------------------------------------------------------------------------- measuring


def measure_peers(benchmark: str, folder: Path, quick: bool, rounds: int, timeout: float) -> None:
    """Curves of every solver on every problem; those in contention again, in turn, forwards and backwards."""
    from benchopt import run_benchmark

    curves = []
    for dataset, objective, patience in problems(benchmark, quick):
        solvers: list[dict[str, dict[str, list[Any]]]] | None = None
        for turn in range(rounds):
            with tempfile.TemporaryDirectory() as there:
                try:
                    file = run_benchmark(
                        HERE / benchmark,
                        solver_names=solvers,
                        dataset_names=[dataset],
                        objective_filters=[objective],
                        max_runs=1000,
                        n_repetitions=1,
                        timeout=patience * timeout,
                        plot_result=False,
                        show_progress=False,
                        no_cache=True,
                        output_file=str(Path(there, "curves.parquet")),
                    )
                except RuntimeError as error:  # nothing ran: the data cannot be had, and benchopt has said so
                    print(f"{dataset}: {error}", file=sys.stderr)
                    break
                found = pd.read_parquet(file)
            if turn == 0:
                solvers = contenders(found)
            curves.append(found.assign(turn=turn))
            if not solvers:
                break
            solvers = solvers[::-1]
        # After every problem, so that what was finished is there whatever happens next.
        report.slim(pd.concat(curves)).to_parquet(folder / f"{benchmark}.parquet", index=False)


def contenders(curves: pd.DataFrame) -> list[dict[str, dict[str, list[Any]]]]:
    """What is worth repeating, in benchopt's words: solvers that come near the fastest, and our default."""
    there = curves[curves["objective_gap"] <= 1e-6].groupby("solver_name")["time"].min()
    chosen = set(there.index[there <= CONTENDER * there.min()]) | {report.DEFAULT} if len(there) else set()
    names = []
    for name, curve in curves.groupby("solver_name", sort=False):
        if name in chosen:
            own = {
                column.removeprefix("p_solver_"): [curve[column].iloc[0]]
                for column in curve
                if column.startswith("p_solver_") and not pd.isna(curve[column].iloc[0])
            }
            names.append({str(name).split("[")[0]: paired(own)})
    return names


def paired(parameters: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Two parameters that benchopt knows only as a pair."""
    if "rule" in parameters:
        return {"rule, momentum": [(parameters["rule"][0], parameters["momentum"][0])]}
    return parameters


def measure_accuracy(folder: Path, quick: bool) -> None:
    from .time_to_accuracy import main as time_to_accuracy

    with tempfile.TemporaryDirectory() as there:
        time_to_accuracy(
            [
                "--problems",
                *ACCURACY[quick],
                *("--repeats", "3", "--budget", "1" if quick else "8", "--patience", "5"),
                *("--output", there, "--reference-cache", there, "--fresh"),
            ]
        )
        Path(there, "results.csv").rename(folder / "time_to_accuracy.csv")


def surroundings(options: argparse.Namespace) -> dict[str, Any]:
    """The machine, what else it does, the other packages, and how they are measured."""
    versions = {}
    for requirement in metadata.requires("sklearn-gd") or []:
        if "extra == 'peers'" in requirement.replace('"', "'"):
            name = requirement.split(">")[0].split(";")[0].strip()
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                versions[name] = "not installed"
    return {
        **machine(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "peers": {name: version for name, version in sorted(versions.items()) if not name.startswith("sklearn-gd")},
        "rounds": options.rounds,
        "timeout": options.timeout,
        "quick": options.quick,
    }


def run(options: argparse.Namespace) -> None:
    """Measure the parts that are asked for."""
    folder = options.measured
    folder.mkdir(parents=True, exist_ok=True)
    if "job" in options.parts and main_job(["--output", str(folder), *(["--quick"] if options.quick else [])]):
        raise KeyboardInterrupt  # which it has told; what is there stays
    if {"peers", "accuracy"} & set(options.parts):  # of the main job alone the peers' figures are as old as they were
        (folder / "peers.json").write_text(json.dumps(surroundings(options), indent=2) + "\n")
    if "peers" in options.parts:
        for benchmark in PROBLEMS:
            measure_peers(benchmark, folder, options.quick, options.rounds, options.timeout)
    if "accuracy" in options.parts:
        measure_accuracy(folder, options.quick)
    if "shapes" in options.parts:
        shapes(["--output", str(folder), "--limit", str(SHAPES_LIMIT), *(["--quick"] if options.quick else [])])
    if "search" in options.parts:
        search(["--output", str(folder), *(["--quick"] if options.quick else [])])
    if "losses" in options.parts:
        losses(["--output", str(folder), *(["--quick"] if options.quick else [])])


# ---------------------------------------------------------------------------------------------------- command line


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.results",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = options.add_argument
    add("--run", action="store_true", help="measure before; otherwise the report of what was measured")
    add("--quick", action="store_true", help="with --run: less data, two rounds of half a second")
    add("--parts", nargs="+", choices=PARTS, default=PARTS, help="with --run: which parts (all)")
    add("--rounds", type=int, help="with --run: rounds of the solvers in contention (5)")
    add("--timeout", type=float, metavar="S", help="with --run: seconds for a solver's curve, more on larger data (1)")
    add("--measured", type=Path, default=MEASURED, help="folder of the raw results (benchmarks/measured)")
    add("--report", type=Path, default=HERE / "RESULTS.md", help="where to write (benchmarks/RESULTS.md)")
    add("--readme", type=Path, default=ROOT / "README.md", help="whose lines of the table to renew (README.md)")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Measure, where asked to, and write the report."""
    options = parser().parse_args(arguments)
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.timeout = options.timeout or (0.5 if options.quick else 1.0)
    if options.run:
        run(options)
    results = report.load(options.measured)
    for name, figure in report.figures(results):
        figure.savefig(options.measured / name, dpi=110)
    pictures = os.path.relpath(options.measured, options.report.parent)
    options.report.write_text(report.markdown(results, Path(pictures).as_posix()))
    if options.readme.exists():
        text = options.readme.read_text()
        picture = os.path.relpath(options.measured / report.CROSSING, options.readme.parent)
        options.readme.write_text(report.renewed(text, results, Path(picture).as_posix()))
    print(f"{options.report} and its pictures in {options.measured} are written.")


if __name__ == "__main__":
    main()
