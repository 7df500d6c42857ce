"""What operations cost beside each other on this machine: the ratios that plans are priced by, measured anew.

Two uses: the table, and a look whether it runs::

    python -m benchmarks.cost_model
    python -m benchmarks.cost_model --quick

The unit is that of `sklearn_gd.costs`: one number of a dense float64 X, larger than the caches, in a product with a vector and back.
So a product of X with a vector, and of its transpose with the result, in one read of X from memory, costs n·p. Every operation is
the package's own, of `sklearn_gd.designs.design_for` or of its model, where the package has one. The operations are taken in turn,
several rounds, on as many threads as a fit has; a figure is the median of its rounds.

The constants are for all machines, and rounded: what is off by less than two is no reason to change one.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import timeit
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from sklearn_gd import GDLogisticRegression
from sklearn_gd.designs import design_for
from sklearn_gd.designs.threads import cut, map_ordered, n_threads
from sklearn_gd.losses import Binomial
from sklearn_gd.objectives import LinearModel
from sklearn_gd.penalties import L2

from .measure import described, machine

__all__ = ["CONSTANTS", "Figure", "current", "main", "measured"]

#: The module of the package's constants.
MODULE = "sklearn_gd.costs"

#: What is measured -> the constant that it is the value of: its name, and what it is to be multiplied by. "" where there is none.
CONSTANTS: dict[str, tuple[str, float]] = {
    "product": ("", 1.0),
    "gram": ("MULTIPLY_ADD", 1.0),
    "gram, float32": ("SINGLE", 1.0),  # relative to MULTIPLY_ADD: `current` multiplies them
    "placed": ("PLACED", 1.0),
    "row products": ("MULTIPLY_ADD", 1.0),
    "outputs": ("OUTPUT", 1.0),
    "sparse product": ("STORED", 1.0),
    "sparse gram": ("PAIR", 1.0),
    "factorisation": ("FACTORED", 1.0),
    "triangular solve": ("", 1.0),
    "eigenvalues": ("", 1.0),
    "trial": ("SAMPLE", 1 / 3),  # SAMPLE is for three of them
    "call": ("CALL", 1.0),
    "iteration": ("ITERATION", 1.0),
}

#: Repetitions of a short operation last as long, in seconds.
LEAST = 5e-3

#: Iterations of the two fits whose difference tells what one of them takes.
FEW, MANY = 20, 120

#: Outputs of a product for several.
OUTPUTS = 10


@dataclass(frozen=True)
class Operation:
    """What is timed: what it is called, what is counted of it, how many of these it has, and how it is done."""

    name: str
    counted: str
    count: float
    run: Callable[[], object]


@dataclass(frozen=True)
class Figure:
    """What was measured: seconds of one of what is counted, the same in units, and the package's value, if any."""

    name: str
    counted: str
    seconds: float
    units: float
    constant: str
    value: float | None


def current(name: str) -> tuple[str, float | None]:
    """The package's constant for an operation and its value in units; None where it has none of the name."""
    constant, factor = CONSTANTS[name]
    try:
        module = importlib.import_module(MODULE)
    except ImportError:
        return constant, None
    value = getattr(module, constant, None)
    if value is None:
        return constant, None
    if constant == "SINGLE":
        factor *= getattr(module, "MULTIPLY_ADD", np.nan)
    return constant, float(value) * factor


# ---------------------------------------------------------------------------------------------------- operations


def on_dense(n: int, p: int, rng: np.random.Generator) -> list[Operation]:
    """Products with X, and of its columns and rows; the first is the unit."""
    X = rng.standard_normal((n, p))
    design: Any = design_for(X, True)
    moments = design.moments()
    unit = np.sqrt(moments.matrix)
    several = rng.standard_normal((p + 1, OUTPUTS))
    # the same numbers as a matrix of few rows; their products have p of them
    wide: Any = design_for(X[: n - n % p].reshape(p, -1), True)
    centre, used = np.zeros(wide.n_features), np.ones(wide.n_features, dtype=bool)
    pairs = f"a multiply-add of X'X, n·p²/2 of them; n = {n:,}, p = {p:,}"
    return [
        Operation(
            "product",
            f"a number of X, n·p of them; n = {n:,}, p = {p:,}",
            n * p,
            partial(design.normal, several[:, 0].copy(), None),
        ),
        Operation("gram", pairs, n * p * p / 2, design.gram),
        Operation("gram, float32", pairs, n * p * p / 2, partial(design.low_gram, None, moments.centre, unit)),
        Operation("placed", "a number that is copied, centred and weighted", n * p, partial(placed, X)),
        Operation(
            "row products",
            f"a multiply-add of XX', n²·p/2 of them; n = {wide.n_samples:,}, p = {wide.n_features:,}",
            wide.n_samples**2 * wide.n_features / 2,
            partial(wide.row_products, centre, used),
        ),
        Operation(
            "outputs",
            f"a multiply-add, n·p·k of them there and as many back; k = {OUTPUTS}",
            n * p * OUTPUTS,
            partial(design.normal, several, None),
        ),
    ]


def placed(X: np.ndarray) -> None:
    """What a symmetric product does to rows of X before it multiplies them, by as many rows as the package copies at once."""
    n, p = X.shape
    centre, root = np.zeros(p), 0.5
    room = np.empty((min(n, max(1, (1 << 24) // (8 * p))), p))

    def place(part: slice, start: int) -> None:
        out = room[part]
        np.subtract(X[start + part.start : start + part.start + len(out)], centre, out=out)
        out *= root

    for block in cut(n, len(room)):
        rows = block.stop - block.start
        map_ordered(partial(place, start=block.start), cut(rows, max(1, -(-rows // 8))), n_threads())


def on_sparse(n: int, p: int, density: float, rng: np.random.Generator) -> list[Operation]:
    X = sp.random(n, p, density, "csr", random_state=rng, data_rvs=rng.standard_normal)
    design: Any = design_for(X, True)
    stored = np.diff(X.indptr).astype(np.float64)
    return [
        Operation(
            "sparse product",
            f"a stored value; n = {n:,}, p = {p:,}, {density:.1%} of it",
            X.nnz,
            partial(design.normal, rng.standard_normal(p + 1), None),
        ),
        Operation("sparse gram", "a pair of stored values of a row", float(stored @ (stored + 1)) / 2, design.gram),
    ]


def on_matrices(p: int, rng: np.random.Generator) -> list[Operation]:
    """What LAPACK does with a symmetric matrix."""
    Z = rng.standard_normal((p, p))
    matrix = Z @ Z.T / p + np.eye(p)
    factor = scipy.linalg.cholesky(matrix, lower=True)
    vector = rng.standard_normal(p)
    few = p // 2  # eigenvalues take thirty times as long
    return [
        Operation(
            "factorisation",
            f"a multiply-add of Cholesky's, p³/6 of them; p = {p:,}",
            p**3 / 6,
            partial(scipy.linalg.cholesky, matrix, lower=True, check_finite=False),
        ),
        Operation(
            "triangular solve",
            "a number of the triangle, p²/2 of them",
            p * p / 2,
            partial(scipy.linalg.solve_triangular, factor, vector, lower=True, check_finite=False),
        ),
        Operation(
            "eigenvalues",
            f"one of p³, with the vectors; p = {few:,}",
            few**3,
            partial(scipy.linalg.eigh, matrix[:few, :few], check_finite=False),
        ),
    ]


def on_predictions(n: int, rng: np.random.Generator) -> list[Operation]:
    """A trial of a search along a direction: the loss, its slope and its curvature there, from predictions."""
    model = logistic_model(rng.standard_normal((n, 2)), rng)
    point = model.at(np.zeros(3)).keep()
    line = point.along(point.direction(-point.gradient))
    places = itertools.cycle([np.array([0.5]), np.array([0.75])])  # not twice the same, which it would know
    line.derivatives(next(places))
    return [Operation("trial", f"a sample; n = {n:,}", n, lambda: line.derivatives(next(places)))]


def on_little(rng: np.random.Generator) -> list[Operation]:
    """What the interpreter takes, of data so small that nothing else counts."""
    X = rng.standard_normal((50, 5)) * np.geomspace(1, 1e3, 5)
    model, coef = logistic_model(X, rng), np.zeros(6)
    return [Operation("call", "an operation on X, whatever its size", 1, partial(model.value_and_gradient, coef))]


def logistic_model(X: np.ndarray, rng: np.random.Generator) -> Any:
    n, p = X.shape
    return LinearModel(design_for(X, True), Binomial(), rng.choice([-1.0, 1.0], n), None, L2(1 / n, p))


# ---------------------------------------------------------------------------------------------------- measuring


def medians(operations: list[Operation], rounds: int) -> dict[str, float]:
    """Seconds of each operation, taken in turn."""
    timers = {operation.name: timeit.Timer(operation.run) for operation in operations}
    numbers = {name: max(1, round(LEAST / min(timer.repeat(2, 1)))) for name, timer in timers.items()}
    taken: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(rounds):
        for name, timer in timers.items():
            taken[name].append(timer.timeit(numbers[name]) / numbers[name])
    return {name: float(np.median(seconds)) for name, seconds in taken.items()}


def iteration(rounds: int, rng: np.random.Generator) -> float:
    """Seconds of an iteration of a fit of next to nothing, the operations on X included: of a long fit beside a short one."""
    X = rng.standard_normal((50, 5)) @ rng.standard_normal((5, 5)) * np.geomspace(1, 1e4, 5)
    y = rng.integers(0, 2, 50)
    ends: dict[int, list[tuple[float, int]]] = {FEW: [], MANY: []}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # neither is to converge
        for _ in range(max(3, rounds)):
            for most, taken in ends.items():
                # what has no metric, and an accuracy that it does not reach
                estimator = GDLogisticRegression(preconditioner=None, tol=0, max_iter=most)
                start = timeit.default_timer()
                estimator.fit(X, y)
                taken.append((timeit.default_timer() - start, int(np.max(estimator.n_iter_))))
    # the shortest: of a difference of medians little would be left on a busy machine
    (short, few), (long, many) = min(ends[FEW]), min(ends[MANY])
    if many <= few:
        raise RuntimeError(f"the fits ended after {few} and {many} iterations: nothing to tell them apart")
    return (long - short) / (many - few)


def measured(rounds: int, quick: bool) -> list[Figure]:
    """The figures in the order of `CONSTANTS`."""
    rng = np.random.default_rng(0)
    n, p = (2_000, 300) if quick else (20_000, 2_000)
    operations = [
        *on_dense(n, p, rng),
        *on_sparse(10 * n, p, 0.01, rng),
        *on_matrices(p, rng),
        *on_predictions(10 * n, rng),
        *on_little(rng),
    ]
    seconds = medians(operations, rounds)
    counted = {operation.name: operation.counted for operation in operations}
    one = {operation.name: seconds[operation.name] / operation.count for operation in operations}
    one["iteration"] = iteration(rounds, rng)
    counted["iteration"] = "an iteration of next to nothing, its operations on X included"
    unit = one["product"]
    return [
        Figure(name, counted[name], one[name], one[name] / unit, *current(name)) for name in CONSTANTS if name in one
    ]


def table(figures: list[Figure]) -> str:
    lines = [f"{'operation':18s}{'ns':>12s}{'units':>12s}{'package':>12s}  {'constant':14s}of"]
    for figure in figures:
        value = "-" if figure.value is None else f"{figure.value:.4g}"
        lines.append(
            f"{figure.name:18s}{figure.seconds * 1e9:12.4g}{figure.units:12.4g}{value:>12s}  "
            f"{figure.constant or '-':14s}{figure.counted}"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> list[Figure]:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cost_model",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="small matrices, which caches hold: to see that it runs")
    parser.add_argument("--rounds", type=int, help="of which a figure is the median (5; 2 with --quick)")
    options = parser.parse_args(arguments)
    figures = measured(options.rounds or (2 if options.quick else 5), options.quick)
    print(described(machine()))
    print(f"unit: {figures[0].seconds * 1e9:.3g} ns, {figures[0].counted}")
    print(table(figures))
    print(
        f"SAMPLE is told as a third of its value, SINGLE multiplied by MULTIPLY_ADD; the constants are those of {MODULE}"
    )
    return figures


if __name__ == "__main__":
    main()
