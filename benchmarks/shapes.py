"""The default against scikit-learn's solvers over a grid of shapes: where it falls off a cliff, if anywhere.

Uses: everything, one family, and a corner of its grid::

    python -m benchmarks.shapes
    python -m benchmarks.shapes --family ridge --seed 7 --cap 3
    python -m benchmarks.shapes --family logistic --n 2000 --p 20000 --density 0.005 --C 1 100

========= ==============================================================================================
logistic  simulated data over n, p, density, classes and C
ridge     simulated data over n, p, density and alpha, a multiple of the columns' mean variance
named     problems that were cliffs once, or are known to be hard; real data where SKLEARN_GD_DATA has them
========= ==============================================================================================

Every solver is fitted at a few tolerances. Its figure is the shortest of those fits whose objective, as `problems.objective`
evaluates it, lies within 1e-5 (logistic; least squares 1e-6) of the best that any of them reached, relative to it. The ratio of
a problem is the best figure of the others over ours: below 1 we lose. Who is not there within ``--cap`` seconds has no figure;
the ratio then counts the cap for the others, and four caps for us. Fits under 0.05 s that matter are repeated in turn.

The data of a problem depend on ``--seed`` and its own shape alone, whatever else is in the grid. Grids are taken in random order:
with ``--limit`` what is left out is no part of them in particular.
"""

from __future__ import annotations

import argparse
import itertools
import json
import timeit
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from sklearn_gd import GDLinearRegression, GDLogisticRegression

from .growth import simulated
from .measure import TimeSpent, alternate, described, limit, machine
from .methods import cholesky, normal_equation
from .problems import Unavailable, load_npz, objective

__all__ = ["FAMILIES", "Summary", "main", "summary"]

FAMILIES = ("logistic", "ridge", "named")

OURS = "ours"

#: Relative gap of the objective at which a solver is there.
GAPS = {"logistic": 1e-5, "squared": 1e-6}

#: A fit that is shorter, in seconds, is made twice: the first may have paid for more than itself.
FIRST = 0.2
#: Fits that are shorter are repeated in turn; those of the others only within this multiple of the fastest, because slower
#: ones decide nothing.
SHORT, CONTENDER = 0.05, 3.0

#: Coefficients up to which newton-cholesky takes part: it factorises a Hessian of that order in each iteration.
MOST_COEFFICIENTS = 2500

#: The values of a grid, and of a small one.
GRIDS: dict[str, dict[str, list[float]]] = {
    "logistic": {
        "n": [300, 2000, 8000],
        "p": [20, 200, 2000, 20000],
        "density": [1, 0.05, 0.005],
        "classes": [2, 5],
        "C": [0.01, 1, 100],
    },
    "ridge": {
        "n": [300, 2000, 8000, 40000],
        "p": [20, 200, 2000, 20000],
        "density": [1, 0.05, 0.005],
        "alpha": [1e-5, 1e-2, 1],
    },
}
QUICK: dict[str, dict[str, list[float]]] = {
    "logistic": {"n": [300], "p": [20, 200], "density": [1, 0.05], "classes": [2, 3], "C": [1]},
    "ridge": {"n": [300], "p": [20, 200], "density": [1, 0.05], "alpha": [1e-2]},
}

#: Coefficients and intercept of a fit.
Fit = Callable[[Any, np.ndarray], tuple[Any, Any]]


# ---------------------------------------------------------------------------------------------------- problems


@dataclass(frozen=True)
class Data:
    """X and y, and the strengths of the penalty that they are fitted with.

    Attributes
    ----------
    name : str
    kind : {"logistic", "squared"}
    make : callable
        Returns X and y.
    strengths : sequence of float
        C where logistic; else alpha, as a multiple of the columns' mean variance.
    """

    name: str
    kind: str
    make: Callable[[], tuple[Any, np.ndarray]]
    strengths: Sequence[float]


def dense(n: int, p: int, rng: np.random.Generator) -> np.ndarray:
    """Normal columns of different spreads, off centre."""
    return rng.standard_normal((n, p)) * np.exp(rng.standard_normal(p)) + rng.standard_normal(p)


def counts(n: int, p: int, density: float, rng: np.random.Generator) -> sp.csr_matrix:
    """Sparse counts as of words: a share of `density` is not zero, most of them 1."""
    X = sp.random(n, p, density, "csr", random_state=rng, data_rvs=lambda size: 1 + rng.poisson(0.3, size))
    return X.astype(np.float64)


def labels(X: Any, classes: int, rng: np.random.Generator) -> np.ndarray:
    """Draws from a multinomial model on some thirty of the columns, with raw predictions of standard deviation 2."""
    p = X.shape[1]
    raw = X @ (rng.standard_normal((p, classes)) * few(p, rng)[:, None])
    # Gumbel noise makes the largest a draw from the softmax
    return np.argmax(2 * raw / raw.std() + rng.gumbel(size=raw.shape), axis=1)


def target(X: Any, rng: np.random.Generator) -> np.ndarray:
    """Linear in some thirty of the columns; half the variance is noise."""
    p = X.shape[1]
    y = X @ (rng.standard_normal(p) * few(p, rng))
    return y + y.std() * rng.standard_normal(len(y)) + 3


def few(p: int, rng: np.random.Generator) -> np.ndarray:
    chosen = rng.random(p) < min(1, 30 / p)
    chosen[rng.integers(p)] = True  # one at least
    return chosen


def make(n: int, p: int, density: float, classes: int, seed: int) -> tuple[Any, np.ndarray]:
    """X and y; 0 classes for a target that is a number."""
    rng = np.random.default_rng([seed, n, p, round(1e6 * density), classes])
    X = dense(n, p, rng) if density == 1 else counts(n, p, density, rng)
    return X, labels(X, classes, rng) if classes else target(X, rng)


def grid(family: str, values: Mapping[str, Sequence[float]], most: float, seed: int) -> list[Data]:
    """A family's data in random order: of at most so many stored values, and of three a row at least."""
    kind = "logistic" if family == "logistic" else "squared"
    found = []
    for n, p, density, classes in itertools.product(
        map(int, values["n"]),
        map(int, values["p"]),
        values["density"],
        map(int, values.get("classes", [0]) if family == "logistic" else [0]),
    ):
        if n * p * density <= most and p * density >= 3:
            words = [f"{n:,} × {p:,}"]
            words += [f"{density:.3g} of it stored"] if density < 1 else []
            words += [f"{classes} classes"] if classes else []
            maker = partial(make, n, p, density, classes, seed)
            found.append(Data(", ".join(words), kind, maker, values["C" if classes else "alpha"]))
    np.random.default_rng(seed).shuffle(found)
    return found


def named(quick: bool, seed: int) -> Iterator[Data]:
    """Problems that have names; with `quick` a twentieth as long and as wide."""
    cut = 20 if quick else 1

    def simulated_data(
        name: str, n: int, p: int, density: float, classes: int, strengths: Sequence[float], scaled: bool = False
    ) -> Data:
        maker = partial(make, n // cut, p // cut, density, classes, seed)
        if scaled:
            maker = partial(standardised, maker)
        told = [name, f"{n // cut:,} × {p // cut:,}", *([f"{classes} classes"] if classes else [])]
        return Data(", ".join(told), "logistic" if classes else "squared", maker, strengths)

    yield simulated_data("dense ridge", 300, 2_000, 1, 0, [1e-2])
    yield simulated_data("dense ridge", 300, 20_000, 1, 0, [1e-2])
    yield simulated_data("sparse ridge", 8_000, 20_000, 0.005, 0, [1e-2])
    yield real("basehock", simulated_data("like basehock", 2_000, 5_000, 0.014, 2, [1]))
    yield simulated_data("sparse", 2_000, 20_000, 0.005, 2, [0.01, 1, 100])
    yield simulated_data("sparse", 2_000, 20_000, 0.005, 5, [1])
    yield simulated_data("dense, raw", 2_000, 2_000, 1, 5, [1])
    yield simulated_data("dense, standardised", 2_000, 2_000, 1, 5, [1], scaled=True)
    stand_in = Data(
        f"like orl_faces, {400 // cut:,} × {1_024 // cut:,}, {40 // cut} classes",
        "logistic",
        partial(gaussian_classes, 400 // cut, 1_024 // cut, 40 // cut, seed),
        [1],
    )
    yield real("orl_faces", stand_in, scaled=True)
    for name, p in (("like isolet", 600), ("like mnist", 2_000)):
        maker = partial(gaussian_classes, 5_000 // cut, p // cut, 25, seed)
        yield Data(f"{name}, {5_000 // cut:,} × {p // cut:,}, 25 classes", "logistic", maker, [1])
    yield simulated_data("least squares", 8_000, 4_000, 1, 0, [0])


def real(name: str, stand_in: Data, scaled: bool = False) -> Data:
    """Data from a file; the stand-in where there is none."""
    try:
        X, y = load_npz(name)
    except Unavailable:
        return stand_in
    told = f"{name}{', standardised' if scaled else ''}, {X.shape[0]:,} × {X.shape[1]:,}, {len(np.unique(y))} classes"
    return Data(told, "logistic", partial(standardised, lambda: (X, y)) if scaled else lambda: (X, y), [1])


def standardised(maker: Callable[[], tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    X, y = maker()
    return StandardScaler().fit_transform(X), y


def gaussian_classes(n: int, p: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal classes that overlap, of one covariance of condition number 1e4; the columns vary by 1 about."""
    rng = np.random.default_rng([seed, n, p, classes])
    # each class has a row at least
    y = rng.permutation(np.arange(n) % classes)
    # their centres are of the same covariance, at a Mahalanobis distance of about 4 from each other
    centres = simulated(classes, p, 1e4, seed + 1)[0] * np.sqrt(8 / p)
    X = simulated(n, p, 1e4, seed)[0]
    return (X + centres[y]) / X.std(), y


def mean_variance(X: Any) -> float:
    """Of the columns; of sparse ones about zero, which is what they nearly are about."""
    return float(X.multiply(X).mean() if sp.issparse(X) else X.var(axis=0).mean())


# ---------------------------------------------------------------------------------------------------- solvers


def of(estimators: Sequence[Any]) -> list[Fit]:
    def fit(estimator: Any, X: Any, y: np.ndarray) -> tuple[Any, Any]:
        estimator.fit(X, y)
        return estimator.coef_, estimator.intercept_

    return [partial(fit, estimator) for estimator in estimators]


def logistic_solvers(X: Any, classes: int, C: float) -> dict[str, list[Fit]]:
    """Fits by each solver, from loose to tight.

    liblinear's penalty takes the intercept in; as a coefficient of a column of hundreds that is hardly a penalty, and slower.
    """

    def rival(solver: str, *tolerances: float, **more: Any) -> list[LogisticRegression]:
        return [LogisticRegression(C=C, solver=solver, tol=tol, max_iter=20_000, **more) for tol in tolerances]

    fits = {OURS: of([GDLogisticRegression(C=C, tol=tol, max_iter=5_000) for tol in (1e-2, 1e-3, 1e-4, 1e-5)])}
    fits |= {solver: of(rival(solver, 1e-3, 1e-5, 1e-7)) for solver in ("lbfgs", "newton-cg")}
    if X.shape[1] * (classes if classes > 2 else 1) <= MOST_COEFFICIENTS:
        fits["newton-cholesky"] = of(rival("newton-cholesky", 1e-3, 1e-5, 1e-7))
    if classes == 2:
        scaled = rival("liblinear", 1e-3, 1e-5, intercept_scaling=100.0)
        fits["liblinear"] = of(rival("liblinear", 1e-3, 1e-5) + scaled)
    return fits


def squared_solvers(X: Any, alpha: float, cap: float) -> dict[str, list[Fit]]:
    """The same for ridge, and for least squares where alpha is 0."""
    n = X.shape[0]
    fits = {OURS: of([GDLinearRegression(alpha=alpha, tol=tol, max_iter=5_000) for tol in (1e-2, 1e-3, 1e-4, 1e-5)])}
    if not alpha:
        return fits | {"normal equation": [solved], "normal equation (Cholesky)": [factorised]}

    def rival(solver: str, *tolerances: float, **more: Any) -> list[Fit]:
        return of([Ridge(alpha=alpha * n, solver=solver, tol=tol, **more) for tol in tolerances])

    if sp.issparse(X):
        # compiled, and not to be interrupted: as many epochs as the cap has, at 2e8 stored values a second
        epochs = max(1, int(cap * 2e8 / max(X.nnz, n)))
        fits["sag"] = rival("sag", 1e-4, max_iter=epochs, random_state=0)
    else:
        fits["cholesky"] = rival("cholesky", 1e-4)
    return fits | {solver: rival(solver, 1e-4, 1e-6, 1e-8, max_iter=20_000) for solver in ("lsqr", "sparse_cg")}


def solved(X: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
    """The normal equation as one writes it in NumPy and SciPy."""
    theta = scipy.linalg.solve(*normal_equation(X, y), assume_a="pos")
    return theta[:-1], theta[-1]


def factorised(X: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
    """The same at its fastest."""
    solution = cholesky(X, y)
    return solution.coef, solution.intercept


# ---------------------------------------------------------------------------------------------------- measuring


@dataclass(frozen=True)
class Ended:
    """A fit: its seconds, its objective, and how to do it again."""

    seconds: float
    objective: float
    again: Callable[[], object]


def attempts(fits: Sequence[Fit], X: Any, y: np.ndarray, judge: Callable[..., float], cap: float) -> list[Ended] | str:
    """The fits that ended in time, from the loosest on; or the words with which the first one failed."""
    ended: list[Ended] = []
    for fit in fits:
        seconds = np.inf
        try:
            with limit(cap), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what stopped early shows in its objective
                for _ in range(2):
                    start = timeit.default_timer()
                    coef, intercept = fit(X, y)
                    seconds = min(seconds, timeit.default_timer() - start)
                    if seconds > FIRST:
                        break
        except TimeSpent:
            break
        except Exception as error:  # a failure is a result: the others go on
            return ended or f"{type(error).__name__}: {error}"
        ended.append(Ended(seconds, judge(coef, intercept), partial(fit, X, y)))
        if seconds > cap / 2:  # a tighter one would not be
            break
    return ended


def figures(found: Mapping[str, Sequence[Ended]], gap: float) -> dict[str, float | None]:
    """Each solver's shortest fit that is there; None where none is."""
    best = min((fit.objective for fits in found.values() for fit in fits), default=np.inf)
    there = {
        name: [fit for fit in fits if fit.objective - best <= gap * abs(best)]  # NaN is not
        for name, fits in found.items()
    }
    rivals = [fit.seconds for name, fits in there.items() if name != OURS for fit in fits]
    runs: dict[str, Callable[[], object]] = {}
    for name, fits in there.items():
        within = CONTENDER * min((fit.seconds for fit in fits) if name == OURS else rivals, default=0.0)
        runs |= {f"{name} {k}": fit.again for k, fit in enumerate(fits) if fit.seconds <= min(SHORT, within)}
    repeated = alternate(runs, repeats=3) if runs else {}
    seconds = {
        name: [
            repeated[key].seconds if (key := f"{name} {k}") in repeated else fit.seconds for k, fit in enumerate(fits)
        ]
        for name, fits in there.items()
    }
    return {name: min(taken, default=None) for name, taken in seconds.items()}


def ratio(seconds: Mapping[str, float | None], cap: float) -> float:
    """The best figure of the others over ours."""
    rivals = [value for name, value in seconds.items() if name != OURS and value is not None]
    return min(rivals, default=cap) / (seconds.get(OURS) or 4 * cap)


def measure(data: Data, cap: float, end: float) -> Iterator[dict[str, Any]]:
    """A row for each strength of the penalty, none of them begun after `end`, by the clock of `timeit`."""
    if timeit.default_timer() >= end:
        return
    X, y = data.make()
    for given in data.strengths:
        if timeit.default_timer() >= end:
            return
        if data.kind == "logistic":
            strength, label = given, f"C = {given:g}"
            fits = logistic_solvers(X, len(np.unique(y)), strength)
        else:
            strength, label = given * mean_variance(X), f"alpha = {given:g}" if given else ""
            fits = squared_solvers(X, strength, cap)

        def judge(coef: Any, intercept: Any, strength: float = strength) -> float:
            return objective(X, y, coef, intercept, strength, data.kind)

        found = {name: attempts(several, X, y, judge, cap) for name, several in fits.items()}
        failed = {name: words for name, words in found.items() if isinstance(words, str)}
        seconds = figures(
            {name: [] if isinstance(ended, str) else ended for name, ended in found.items()}, GAPS[data.kind]
        )
        yield {
            "data": ", ".join(filter(None, (data.name, label))),
            "seconds": seconds,
            "failed": failed,
            "ratio": ratio(seconds, cap),
        }


@dataclass(frozen=True)
class Summary:
    """Of a family's ratios: how many, their geometric mean, the least, and the share below 1."""

    problems: int
    mean: float
    least: float
    lost: float

    def __str__(self) -> str:
        return f"problems {self.problems}  geometric mean {self.mean:.2f}  least {self.least:.3f}  below 1: {self.lost:.0%}"


def summary(rows: Sequence[Mapping[str, Any]]) -> Summary:
    """Of one row at least."""
    ratios = np.array([row["ratio"] for row in rows])
    return Summary(len(ratios), float(np.exp(np.log(ratios).mean())), float(ratios.min()), float((ratios < 1).mean()))


def run(family: str, options: argparse.Namespace) -> dict[str, Any]:
    """A family, measured, printed and written."""
    given = {
        name: values for name in ("n", "p", "density", "classes", "C", "alpha") if (values := getattr(options, name))
    }
    if family == "named":
        todo = list(named(options.quick, options.seed))
    else:
        todo = grid(family, (QUICK if options.quick else GRIDS)[family] | given, options.most, options.seed)
    told = {name: getattr(options, name) for name in ("seed", "cap", "limit", "most", "quick")}
    rows: list[dict[str, Any]] = []
    record: dict[str, Any] = {"machine": machine(), "options": told | given, "rows": rows}
    print(f"{family}, {len(todo)} data sets; {described(record['machine'])}", flush=True)
    end = timeit.default_timer() + options.limit
    for row in itertools.chain.from_iterable(measure(data, options.cap, end) for data in todo):
        rows.append(row)
        if family == "named" or row["ratio"] < options.below:
            print(line(row), flush=True)
        # after every one, so that what was finished is there whatever happens next
        write(record, todo, options.output / f"shapes_{family}.json")
    write(record, todo, options.output / f"shapes_{family}.json")
    print(f"{family}: {summary(rows) if rows else 'nothing measured'}", flush=True)
    return record


def write(record: dict[str, Any], todo: Sequence[Data], path: Path) -> None:
    record["left_out"] = sum(len(data.strengths) for data in todo) - len(record["rows"])
    path.write_text(json.dumps(record, indent=1) + "\n")


def line(row: Mapping[str, Any]) -> str:
    told = [f"{name}={'-' if value is None else f'{value:.4f}'}" for name, value in row["seconds"].items()]
    told += [f"{name}: {words}" for name, words in row["failed"].items()]
    return "  ".join([row["data"], *told, f"ratio {row['ratio']:.2f}"])


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.shapes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = options.add_argument
    add("--family", nargs="+", choices=FAMILIES, default=FAMILIES, help="which (all)")
    add("--quick", action="store_true", help="a small grid, and a cap of a second; some ten seconds altogether")
    for name, kind, what in (
        ("n", int, "samples"),
        ("p", int, "features"),
        ("density", float, "shares of the entries that are stored; 1 is dense"),
        ("classes", int, "numbers of classes (logistic)"),
        ("C", float, "inverse strengths of the penalty (logistic)"),
        ("alpha", float, "strengths of the penalty, multiples of the columns' mean variance (ridge)"),
    ):
        grids = [f"{family} {' '.join(f'{v:g}' for v in grid[name])}" for family, grid in GRIDS.items() if name in grid]
        add(f"--{name}", nargs="+", type=kind, help=f"{what} ({'; '.join(grids)})")
    add("--most", type=float, default=2e7, help="the largest n·p·density of the grids (2e7)")
    add("--seed", type=int, default=0, help="of the simulated data (0)")
    add("--cap", type=float, metavar="S", help="seconds for a fit (6)")
    add(
        "--limit",
        type=float,
        metavar="S",
        default=float("inf"),
        help="begin no further problem after so many seconds a family",
    )
    add("--below", type=float, default=1.0, help="print the grids' rows with a ratio below this (1)")
    add(
        "--output",
        type=Path,
        default=Path(__file__).parent / "output",
        help="folder for shapes_FAMILY.json (benchmarks/output)",
    )
    return options


def main(arguments: list[str] | None = None) -> dict[str, dict[str, Any]]:
    """Measure, print and write; the records of the families, as `report` reads them."""
    options = parser().parse_args(arguments)
    options.cap = options.cap or (1.0 if options.quick else 6.0)
    options.output.mkdir(parents=True, exist_ok=True)
    return {family: run(family, options) for family in options.family}


if __name__ == "__main__":
    main()
