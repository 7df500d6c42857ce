"""Seconds to a given accuracy, beside scikit-learn's solvers: ``python -m benchmarks.time_to_accuracy --help``.

Two uses: all problems, or some of them, with the best known objectives kept in a folder::

    python -m benchmarks.time_to_accuracy --reference-cache ~/references --output results
    python -m benchmarks.time_to_accuracy --problems 'adult-*' 'digits*' --reference-cache ~/references

"Time to accuracy" is the shortest fit, over tolerances, whose objective lies within 1e-6 (relative) of the best known,
as `problems.objective` evaluates it in float64 from ``coef_`` and ``intercept_``; where a problem says so, whose
coefficients lie within 1e-8 of the optimum's. Each solver's tolerance is taken from loose to tight in half decades,
until a fit gets there or the solver's seconds are spent. The fits that got there are then repeated in turn, and the
medians count. A solver more than three times slower than the fastest of its rivals is not repeated: it decides nothing.
Where other processes use the machine meanwhile (seen on Linux only), a fit waits for a calm moment and a disturbed one
is taken again, for ``--patience`` seconds a problem; the share that they had stands in the results.

Further parts: ``--sweep``, one loss and gradient against one ``X @ w``; ``--defaults``, small fits at default settings;
``--memory``, the peak beyond ``X``.
"""

from __future__ import annotations

import argparse
import csv
import fnmatch
import json
import os
import statistics
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from sklearn import datasets
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

from .measure import TimeSpent, described, limit, machine
from .problems import PROBLEMS, Unavailable, load_problem, objective, reference

__all__ = ["main"]

OBJECTIVE_GAP = 1e-6
COEF_ERROR = 1e-8
PASSES_GAP = 1e-4

#: Fits faster than this are timed in groups.
SHORT = 2e-3
# One that does not care whether it is the first.
LONG = 1.0


# ---------------------------------------------------------------------------------------------------- contestants


@dataclass(frozen=True)
class Solver:
    """A contestant.

    Attributes
    ----------
    name : str
    fit : callable
        ``fit(X, y, strength, tol)`` returns an object with ``coef_`` and ``intercept_``.
    tolerances : sequence
        From loose to tight.
    applies : callable
        ``applies(X, y, strength, budget)`` returns why not, or "".
    """

    name: str
    fit: Callable
    tolerances: Sequence = (None,)
    applies: Callable = lambda X, y, strength, budget: ""

    @property
    def ours(self):
        return self.name.startswith("GD")


def _ladder(first, last):
    """Half decades from ``10**first`` down to ``10**last``."""
    return [float(f"{10 ** (half / 2):.0e}") for half in range(2 * first, 2 * last - 1, -1)]


def _gd_logistic(X, y, C, tol):
    from sklearn_gd import GDLogisticRegression

    return GDLogisticRegression(C=C, tol=tol).fit(X, y)


def _gd_linear(X, y, alpha, tol):
    from sklearn_gd import GDLinearRegression

    return GDLinearRegression(alpha=alpha, tol=tol).fit(X, y)


def _logistic(solver):
    def fit(X, y, C, tol):
        # The clock ends a fit here, not `max_iter`.
        return LogisticRegression(C=C, solver=solver, tol=tol, max_iter=1_000_000).fit(X, y)

    return fit


def _hessian_too_large(X, y, strength, budget):
    classes = len(np.unique(y))
    size = X.shape[1] * (1 if classes == 2 else classes)
    return f"a Hessian of {size}²" if size > 4000 else ""


@dataclass(frozen=True)
class _Solution:
    coef_: np.ndarray
    intercept_: float


def normal_equation(X, y, alpha=0.0):
    """The centred normal equation from one symmetric product: no copy of `X`, which makes it the fastest form."""
    n_samples, n_features = X.shape
    mean, target = X.mean(axis=0), y.mean()
    matrix = X.T @ X  # one triangle (BLAS syrk), mirrored
    matrix -= (n_samples * mean)[:, None] * mean
    if alpha:
        matrix[np.diag_indices(n_features)] += n_samples * alpha
    factor = scipy.linalg.cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    coef = scipy.linalg.cho_solve(factor, X.T @ y - n_samples * target * mean, check_finite=False)
    return _Solution(coef, target - mean @ coef)


def _normal_equation_too_large(X, y, alpha, budget):
    if X.shape[1] > X.shape[0]:
        return "more features than samples"
    return _too_long(X.shape[0] * X.shape[1] ** 2 + X.shape[1] ** 3 / 3, budget)


def _too_long(operations, budget):
    """Why not, where 4e10 operations a second took longer than twice the time allowed: LAPACK cannot be interrupted."""
    seconds = operations / 4e10
    return f"about {seconds:.0f} s expected" if seconds > 2 * budget else ""


def _ridge(solver):
    def fit(X, y, alpha, tol):
        options = {} if tol is None else {"tol": tol, "max_iter": 100_000}
        return Ridge(alpha=alpha * X.shape[0], solver=solver, **options).fit(X, y)

    return fit


def _ridge_sag(X, y, alpha, tol):
    # Compiled and not to be interrupted: as many epochs as a minute may take.
    max_iter = max(1, int(60 * 2e8 / X.size))
    return Ridge(alpha=alpha * X.shape[0], solver="sag", tol=tol, max_iter=max_iter, random_state=0).fit(X, y)


def _linear_regression(X, y, alpha, tol):
    return LinearRegression(**({} if tol is None else {"tol": tol})).fit(X, y)


LOGISTIC = [
    Solver("GDLogisticRegression", _gd_logistic, _ladder(-1, -14)),
    Solver("lbfgs", _logistic("lbfgs"), _ladder(1, -14)),
    Solver("newton-cholesky", _logistic("newton-cholesky"), _ladder(1, -14), _hessian_too_large),
    Solver("newton-cg", _logistic("newton-cg"), _ladder(1, -14)),
]

SQUARED = [
    Solver("GDLinearRegression", _gd_linear, _ladder(-1, -14)),
    Solver(
        "normal equation", lambda X, y, alpha, tol: normal_equation(X, y, alpha), applies=_normal_equation_too_large
    ),
    Solver(
        "LinearRegression",
        _linear_regression,
        (None, 0.0),  # the default, 1e-6, drops small singular values
        lambda X, y, alpha, budget: (
            "has no alpha" if alpha else _too_long(4 * max(X.shape) * min(X.shape) ** 2, budget)
        ),
    ),
    Solver(
        "Ridge cholesky",
        _ridge("cholesky"),
        applies=lambda X, y, alpha, budget: _too_long(max(X.shape) * min(X.shape) ** 2, budget),
    ),
    Solver(
        "Ridge svd",
        _ridge("svd"),
        applies=lambda X, y, alpha, budget: _too_long(6 * max(X.shape) * min(X.shape) ** 2, budget),
    ),
    Solver("Ridge lsqr", _ridge("lsqr"), _ladder(-2, -14)),
    Solver("Ridge sparse_cg", _ridge("sparse_cg"), _ladder(-2, -14)),
    Solver(
        "Ridge sag",
        _ridge_sag,
        _ladder(-2, -8),
        lambda X, y, alpha, budget: "" if X.size <= 3e7 else "an epoch takes longer than most fits",
    ),
]


# ---------------------------------------------------------------------------------------------------- the clock


class _Others:
    """The share of the processors that other processes use: BLAS threads that wait for each other suffer most."""

    calm = 0.1

    def __init__(self):
        self.start()

    def start(self):
        self.ticks, self.own = self._ticks(), self._own()

    @staticmethod
    def _ticks():
        try:
            first = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        except OSError:
            return None
        counts = [int(count) for count in first]
        return sum(counts), sum(counts) - counts[3] - counts[4]  # all, and all but idle and waiting

    @staticmethod
    def _own():
        spent = os.times()
        return spent.user + spent.system

    def share(self):
        """Since `start`; NaN where it cannot be told, and over times too short for the kernel's clock."""
        ticks = self._ticks()
        if ticks is None or ticks[0] - self.ticks[0] < 10:
            return float("nan")
        own = (self._own() - self.own) * os.sysconf("SC_CLK_TCK")
        return max(0.0, (ticks[1] - self.ticks[1] - own) / (ticks[0] - self.ticks[0]))

    def wait(self, patience):
        """For a calm moment; returns the seconds that it took."""
        start = time.perf_counter()
        while time.perf_counter() - start < patience:
            self.start()
            time.sleep(0.1)
            if not self.share() > self.calm:
                break
        return time.perf_counter() - start


def _seconds(run, number=1):
    """The median of so many runs one after the other, and the last one's result."""
    seconds = []
    for _ in range(number):
        start = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), result


# ---------------------------------------------------------------------------------------------------- one problem


@dataclass
class Row:
    """What one solver did on one problem.

    `seconds` is the median, `others` the share of the processors that other processes had; without `reached`, `note`
    says why.
    """

    problem: str
    solver: str
    seconds: float
    reached: bool
    gap: float = float("nan")
    tol: float | None = None
    iterations: int | None = None
    fastest: float = float("nan")
    slowest: float = float("nan")
    others: float = float("nan")
    passes: float = float("nan")
    stop: str = ""
    note: str = ""
    group: str = ""
    n_samples: int = 0
    n_features: int = 0
    machine: str = ""


def _gap(problem, best, X, y, strength, kind, fitted):
    coef = np.asarray(fitted.coef_)
    if not np.all(np.isfinite(coef)):
        return float("inf")
    if problem.target == "coef":
        return float(np.linalg.norm(coef.ravel() - best["coef"]) / np.linalg.norm(best["coef"]))
    return objective(X, y, coef, fitted.intercept_, strength, kind) / best["objective"] - 1


def _passes(fitted, best):
    """Passes over `X` until the fit's own objective was within 1e-4 of the best; infinity where it never was."""
    history = getattr(fitted, "history_", None)
    if not history:
        return float("nan")
    there = np.flatnonzero(np.asarray(history["loss"]) <= best["objective"] * (1 + PASSES_GAP))
    return float(history["passes"][there[0]]) if len(there) else float("inf")


def _search(problem, solver, best, data, budget, known):
    """The loosest tolerance that gets there.

    `known` is where an earlier run found it, a place to begin; or the seconds in which it did not, and the words.
    """
    X, y, strength, kind = data
    row = Row(problem.name, solver.name, float("nan"), False, group=problem.group)
    row.n_samples, row.n_features = X.shape
    target = COEF_ERROR if problem.target == "coef" else OBJECTIVE_GAP
    row.note = solver.applies(X, y, strength, budget)
    if row.note:
        return row
    if isinstance(known, dict):
        if budget <= known["budget"]:
            row.note = known["note"]
            return row
        known = None
    tolerances = list(solver.tolerances)
    if known is not None and known in tolerances:
        tolerances = tolerances[tolerances.index(known) :]
    left, gap = budget, float("nan")
    for tol in tolerances:
        start = time.perf_counter()
        try:
            with limit(left):
                fitted = solver.fit(X, y, strength, tol)
        except TimeSpent:
            row.note = f"not in {budget:g} s"
            break
        except Exception as error:  # a failure is a result: the others go on
            row.note = f"{type(error).__name__}: {error}"[:120]
            break
        seconds = time.perf_counter() - start
        left -= seconds
        gap = _gap(problem, best, X, y, strength, kind, fitted)
        row.gap, row.tol, row.seconds = gap, tol, seconds
        row.iterations = int(np.max(getattr(fitted, "n_iter_", None) or 0)) or None
        row.stop = getattr(fitted, "stop_reason_", "")
        if gap <= target:
            row.reached, row.passes = True, _passes(fitted, best)
            return row
        if left <= 0:
            row.note = f"not in {budget:g} s"
            break
    row.note = row.note or "at no tolerance"
    row.note += f", gap {gap:.1e}" if np.isfinite(gap) else ""
    row.seconds = float("nan")
    return row


def measure(problem, data, best, solvers, repeats, budget, known, patience=0.0):
    """Rows of all solvers on one problem; `known` maps solvers to where an earlier search ended."""
    X, y, strength, _ = data
    others = _Others()
    patience -= others.wait(patience)
    rows = {}
    for solver in solvers:
        others.start()
        row = rows[solver.name] = _search(problem, solver, best, data, budget, known.get(solver.name))
        row.others = others.share()
    reached = [(solver, rows[solver.name]) for solver in solvers if rows[solver.name].reached]
    rivals = [row.seconds for solver, row in reached if not solver.ours]
    decisive = [(s, row, []) for s, row in reached if s.ours or row.seconds <= 3 * min(rivals)]
    for _ in range(10 * repeats):
        open_ = [entry for entry in decisive if sum(calm for _, calm, _ in entry[2]) < repeats]
        if not open_ or (patience <= 0 and all(len(taken) >= repeats for _, _, taken in decisive)):
            break
        # All, not only what is open: they are to be taken in turn. What takes long is not disturbed by chance.
        for solver, row, taken in decisive:
            if row.seconds > 10 and len(taken) >= 2:
                continue
            patience -= others.wait(patience)
            run = partial(solver.fit, X, y, strength, row.tol)
            # Short fits are those of a loop: after a pause the first few take up to three times as long, a normal equation of
            # 20,640 × 8 0.86 ms for 0.24, our fit of it 1.4 for 0.25. The first of all has imports to make, too.
            once = _seconds(run)[0] if row.seconds < LONG else row.seconds
            number = max(1, min(100, round(SHORT * 20 / once)))
            others.start()
            seconds = _seconds(run, number)[0]
            share = others.share()
            taken.append((seconds, not share > others.calm, share))
        decisive.reverse()
    for _, row, taken in decisive:
        taken = [entry for entry in taken if entry[1]] or taken
        seconds, _, shares = zip(*taken, strict=True)
        row.seconds, row.fastest, row.slowest = statistics.median(seconds), min(seconds), max(seconds)
        row.others = float(np.nanmax([0.0, *shares]))
    return list(rows.values())


def _budget(X, y, budget):
    if budget is not None:
        return budget
    classes = len(np.unique(y)) if X.dtype.kind == "f" and np.asarray(y).dtype.kind in "iu" else 2
    size = X.nnz if sp.issparse(X) else X.size
    return 60.0 if size * max(1, classes - 1) >= 2e7 else 15.0


# ---------------------------------------------------------------------------------------------------- the table


@dataclass(frozen=True)
class Claim:
    """A row of what must hold: ratios of seconds, rival to ours, over some problems."""

    title: str
    applies: Callable  # of a Row of ours
    rivals: Callable  # of a solver's name
    each: float
    mean: float = 0.0


def _is_sklearn_logistic(name):
    return name in {"lbfgs", "newton-cholesky", "newton-cg"}


CLAIMS = [
    Claim("logistic, binary", lambda r: r.group == "binary", _is_sklearn_logistic, 1, 3),
    Claim("multinomial", lambda r: r.group == "multinomial", _is_sklearn_logistic, 1, 2),
    Claim("logistic, tall", lambda r: r.group == "tall", _is_sklearn_logistic, 5),
    Claim(
        "least squares, 2,000 ≤ p ≤ n/2, coefficients to 1e-8, against the normal equation",
        lambda r: r.group == "wide" and r.n_features >= 2000,
        lambda name: name == "normal equation",
        3,
    ),
    Claim(
        "least squares, p = 1,000, coefficients to 1e-8, against the normal equation",
        lambda r: r.group == "wide" and r.n_features < 2000,
        lambda name: name == "normal equation",
        1,
    ),
    Claim(
        "least squares, n ≥ 50 p, p ≤ 500, against the normal equation",
        lambda r: r.group == "squares" and r.n_samples >= 50 * r.n_features and r.n_features <= 500,
        lambda name: name == "normal equation",
        1 / 1.1,
    ),
    Claim(
        "least squares, n·p ≥ 1e6, against LinearRegression",
        lambda r: r.group in {"squares", "wide"} and r.n_samples * r.n_features >= 1e6,
        lambda name: name == "LinearRegression",
        4,
    ),
    Claim(
        "least squares, n·p ≥ 1e6, against the fastest Ridge",
        lambda r: r.group in {"squares", "wide"} and r.n_samples * r.n_features >= 1e6,
        lambda name: name.startswith("Ridge"),
        1,
    ),
    Claim(
        "ridge, mice_snp, against the fastest Ridge",
        lambda r: r.group == "ridge",
        lambda name: name.startswith("Ridge"),
        1,
    ),
]


def _show(seconds):
    return f"{seconds:.2g}" if seconds < 0.1 else f"{seconds:.2f}"


def table(rows):
    """The results in Markdown: what must hold, then all problems, those first where a rival is faster."""
    by_problem = {}
    for row in rows:
        by_problem.setdefault(row.problem, []).append(row)
    lines = ["| what must hold | problems | lowest ratio | geometric mean | at least | |", "|---|---|---|---|---|---|"]
    for claim in CLAIMS:
        ratios, missed = {}, []
        for name, group in by_problem.items():
            ours = next((row for row in group if row.solver.startswith("GD")), None)
            if ours is None or not claim.applies(ours):
                continue
            times = [row.seconds for row in group if row.reached and claim.rivals(row.solver)]
            if not ours.reached:
                missed.append(name)
            elif times:
                ratios[name] = min(times) / ours.seconds
        if not ratios and not missed:
            continue
        if ratios:
            lowest = min(ratios, key=ratios.get)
            mean = statistics.geometric_mean(ratios.values())
            shown = f"{len(ratios)} | {ratios[lowest]:.2f} ({lowest}) | {mean:.2f}"
            held = not missed and ratios[lowest] >= claim.each and mean >= claim.mean
        else:
            shown, held = "0 | | ", False
        least = f"{claim.each:.2g} each" + (f", {claim.mean:g} in the mean" if claim.mean else "")
        word = "holds" if held else "**missed**" + (f", not solved: {', '.join(missed)}" if missed else "")
        lines.append(f"| {claim.title} | {shown} | {least} | {word} |")
    ours = [row for row in rows if row.solver.startswith("GD")]
    passes = [row.passes if row.reached else float("inf") for row in ours]
    if passes:
        solved, median = sum(row.reached for row in ours), statistics.median(passes)
        held = "holds" if median <= 20 and solved == len(ours) else "**missed**"
        lines.append(f"| passes over X to a gap of 1e-4, median | {solved} of {len(ours)} solved | | {median:g} "
                     f"| at most 20, all solved | {held} |")  # fmt: skip

    lines += [
        "",
        "| problem | n × p | ours, s | tol | iterations, passes to 1e-4 | fastest rival, s | ratio | others |",
    ]
    lines.append("|---|---|---|---|---|---|---|---|")
    entries = []
    for name, group in by_problem.items():
        ours = next((row for row in group if row.solver.startswith("GD")), None)
        rivals = sorted((row for row in group if row is not ours), key=lambda row: (not row.reached, row.seconds))
        best = rivals[0] if rivals and rivals[0].reached else None
        ratio = best.seconds / ours.seconds if best and ours and ours.reached else float("inf")
        if ours is None:
            mine = " | | "
        elif ours.reached:
            mine = f"{_show(ours.seconds)} | {ours.tol:g} | {ours.iterations}, {ours.passes:g}"
        else:
            ratio, mine = 0.0, f"**{ours.note}** ({ours.stop}) | | {ours.iterations}"
        others = "; ".join(
            f"{row.solver} {_show(row.seconds) if row.reached else row.note}" for row in rivals if row is not best
        )
        rival = f"{best.solver} {_show(best.seconds)}" if best else "none gets there"
        shown = f"{ratio:.2f}" if np.isfinite(ratio) else ""
        line = f"| {name} | {group[0].n_samples}×{group[0].n_features} | {mine} | {rival} | {shown} | {others} |"
        entries.append((ratio, line))
    lines += [line for _, line in sorted(entries, key=lambda entry: entry[0])]
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------------- further parts


def _per_iteration(make, X, y, about, few=4, repeats=3):
    """Seconds of one iteration: the difference between two runs of the textbook's, so that what is done once is out.

    Of the shortest of each: what is done once, the largest rate among it, takes longer than a few iterations, and varies more. So the
    longer run has a quarter of a second of them, at `about` so many seconds each.
    """
    more = few + max(8, min(128, round(0.25 / about)))
    short, long = (min(_seconds(lambda k=k: make(k).fit(X, y))[0] for _ in range(repeats)) for k in (few, more))
    return (long - short) / (more - few)


def sweep(sizes=(2e7, 6e7, 2e8), features=(20, 100, 1000)):
    """One loss and gradient against one two-threaded ``X @ w`` of the same array."""
    from sklearn_gd import GDLinearRegression, GDLogisticRegression

    lines = ["| n × p | type | X @ w, s | squared, s | ratio | at most | logistic, s | ratio | at most |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for size in sizes:
        for n_features in features:
            n_samples = int(size / n_features)
            rng = np.random.default_rng(0)
            X = rng.standard_normal((n_samples, n_features), dtype=np.float32)
            for dtype in (np.float32, np.float64):
                X = X.astype(dtype, copy=False)
                coef = rng.standard_normal(n_features).astype(dtype)
                y = (X @ coef).astype(dtype)
                classes = (y > 0).astype(dtype)
                product = statistics.median(_seconds(lambda X=X, w=coef: X @ w, 3)[0] for _ in range(5))
                # A number as the learning rate: nothing but loss and gradient; too small a rate to converge.
                common = {"learning_rate": 1e-4, "tol": 0.0}
                squared = _per_iteration(lambda k, o=common: GDLinearRegression(max_iter=k, **o), X, y, product)
                logistic = _per_iteration(
                    lambda k, o=common: GDLogisticRegression(max_iter=k, **o), X, classes, product
                )
                lines.append(
                    f"| {n_samples}×{n_features} | {np.dtype(dtype).name} | {product:.4f} | {squared:.4f} | "
                    f"{squared / product:.2f} | 1.5 | {logistic:.4f} | {logistic / product:.2f} | 2 |"
                )
                print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines)


def defaults(repeats=15):
    """Small fits at default settings, in turn."""
    from sklearn_gd import GDLinearRegression, GDLogisticRegression

    lines = ["| fit | rival, ms | ours, ms | ratio |", "|---|---|---|---|"]
    for load, rival, mine in (
        (datasets.load_iris, LogisticRegression, GDLogisticRegression),
        (datasets.load_breast_cancer, LogisticRegression, GDLogisticRegression),
        (datasets.load_diabetes, LinearRegression, GDLinearRegression),
    ):
        X, y = load(return_X_y=True)
        taken = {rival: [], mine: []}
        fits = {estimator: partial(lambda e, X, y: e().fit(X, y), estimator, X, y) for estimator in taken}
        for _ in range(repeats + 1):
            for estimator, seconds in taken.items():
                seconds.append(_seconds(fits[estimator], 5)[0])
        theirs, ours = (1e3 * statistics.median(seconds[1:]) for seconds in taken.values())
        lines.append(f"| {load.__name__[5:]}, {rival.__name__}() | {theirs:.2f} | {ours:.2f} | {theirs / ours:.2f} |")
    return "\n".join(lines)


#: Shapes of `memory`: tall; few columns a row; samples of a third of X; one matrix larger than all vectors together.
MEMORY_SHAPES = (
    (1_000_000, 20),
    (300_000, 100),
    (100_000, 600),
    (50_000, 500),
    (10_000, 1_000),
    (20_000, 2_000),
)


def matrix_bytes(part, n_features, found=None):
    """Bytes of the matrices of n_features rows that a preconditioner of ours holds, each counted once."""
    found = {} if found is None else found
    if isinstance(part, np.ndarray):
        if part.ndim == 2 and part.shape[0] >= n_features:
            found[part.__array_interface__["data"][0]] = part.nbytes
    elif isinstance(part, (list, tuple)):
        for entry in part:
            matrix_bytes(entry, n_features, found)
    elif type(part).__module__ == "sklearn_gd.preconditioners":
        matrix_bytes(list(vars(part).values()), n_features, found)
    return sum(found.values())


def memory():
    """Peak memory beyond `X`, as `tracemalloc` sees it: all arrays of NumPy, and what our kernels allocate.

    The preconditioner of ours is that with which the fit ended, with the bytes that it has: for each class that has one of its
    own a matrix and its factor, in float32 or float64. The factor is made in the matrix's place, so that this is twice what is
    held. What is left of the peak is counted in vectors of n_samples float64 numbers, for each of the raw predictions that a
    sample has. Of the others, `LogisticRegression` has no preconditioner, and the normal equation a matrix and its factor.
    """
    from sklearn_gd import GDLinearRegression, GDLogisticRegression

    lines = [
        "| fit | n × p | peak, MB | preconditioner, MB | vectors an output beside it | at most |",
        "|---|---|---|---|---|---|",
    ]
    for n_samples, n_features in MEMORY_SHAPES:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((n_samples, n_features))
        y = X @ rng.standard_normal(n_features) / np.sqrt(n_features) + rng.standard_normal(n_samples)
        two, three = (y > 0).astype(np.int64), np.digitize(y, [-0.5, 0.5])
        for name, fit, target, n_outputs in (
            ("GDLinearRegression", GDLinearRegression, y, 1),
            ("GDLogisticRegression", GDLogisticRegression, two, 1),
            ("GDLogisticRegression, 3 classes", GDLogisticRegression, three, 3),
            ("LogisticRegression", LogisticRegression, two, 1),
            ("LogisticRegression, 3 classes", LogisticRegression, three, 3),
            ("normal equation", None, y, 1),
        ):
            ours = name.startswith("GD")
            if fit is not None:  # what is imported at the first fit is no memory of this one
                fit().fit(X[:100, :5], target[:100])
            tracemalloc.start()
            if ours:
                run = fit()._fit(X, target, None)[1]  # as `fit` calls it
            elif fit is not None:
                fit().fit(X, target)
            else:
                normal_equation(X, target)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            matrix = 2 * matrix_bytes(run.metric, n_features) if ours else 0 if fit else 2 * 8 * n_features**2
            vectors = max(0, peak - matrix) / (8 * n_samples * n_outputs)
            line = f"| {name} | {n_samples}×{n_features} | {peak / 1e6:.1f} | {matrix / 1e6:.1f} | {vectors:.1f} | {12 if ours else ''} |"
            lines.append(line)
            print(line, file=sys.stderr, flush=True)
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------------- command line


def _circumstances(record):
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    versions = ", ".join(
        f"{name} {record[name]}" for name in ("python", "sklearn_gd", "numpy", "scipy", "scikit-learn")
    )
    return f"{described(record)}. {versions}; load {load:.1f}."


def _solvers(kind, options):
    solvers = LOGISTIC if kind == "logistic" else SQUARED
    if options.ours_only:
        return [solver for solver in solvers if solver.ours]
    if options.rivals_only:
        return [solver for solver in solvers if not solver.ours]
    return solvers


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.time_to_accuracy", description=__doc__.split("\n")[0])
    parser.add_argument("--problems", nargs="+", default=["*"], metavar="GLOB", help="names, see --list")
    parser.add_argument("--list", action="store_true", help="the problems' names, and no more")
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--rivals-only", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, help="folder for results.csv and table.md")
    parser.add_argument("--patience", type=float, default=20.0, help="seconds a problem to wait for a calm machine")
    parser.add_argument("--budget", type=float, help="seconds for a solver's search; otherwise 15 or, large data, 60")
    parser.add_argument("--reference-cache", type=Path, default=Path.home() / ".cache" / "sklearn_gd_benchmarks")
    parser.add_argument("--dtype", choices=["float64", "float32"], default="float64", help="of X")
    parser.add_argument("--fresh", action="store_true", help="search again for the tolerances that were kept")
    parser.add_argument("--table", nargs="+", type=Path, metavar="CSV", help="of earlier results, nothing measured")
    parser.add_argument("--sweep", action="store_true", help="one loss and gradient against X @ w")
    parser.add_argument("--defaults", action="store_true", help="small fits at default settings")
    parser.add_argument("--memory", action="store_true", help="peak memory beyond X")
    options = parser.parse_args(arguments)
    names = [name for name in PROBLEMS if any(fnmatch.fnmatch(name, pattern) for pattern in options.problems)]
    if options.list:
        print("\n".join(names))
        return
    if options.table:
        print(table([row for path in options.table for row in _read(path)]))
        return
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
    # A fit that stops early warns; here its objective is looked at instead.
    warnings.simplefilter("ignore")
    here = machine()
    text = [_circumstances(here)]
    parts = {"sweep": sweep, "defaults": defaults, "memory": memory}
    chosen = [part for part in parts if getattr(options, part)]
    for part in chosen:
        text += [f"## {part}", parts[part]()]
    if not chosen:
        with np.errstate(all="ignore"):
            text.append(table(_run(names, options, described(here))))
    text = "\n\n".join(text)
    if options.output:
        (options.output / f"{'-'.join(chosen) or 'table'}.md").write_text(text + "\n")
    print(text)


def _read(path):
    """The rows of a results.csv."""
    kinds = {field.name: field.type for field in fields(Row)}
    read = {"str": str, "float": float, "int": int, "bool": lambda text: text == "True"}
    read |= {f"{kind} | None": lambda text, kind=kind: read[kind](text) if text else None for kind in ("float", "int")}
    with path.open(newline="") as file:
        return [Row(**{name: read[kinds[name]](text) for name, text in row.items()}) for row in csv.DictReader(file)]


def _run(names, options, told):
    rows, writer, file = [], None, None
    if options.output:
        file = (options.output / "results.csv").open("w", newline="")
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
    for name in names:
        problem = PROBLEMS[name]
        try:
            data = load_problem(name, np.dtype(options.dtype))
            best = reference(problem, options.reference_cache, data if options.dtype == "float64" else None)
        except Unavailable as error:
            print(f"{name}: cannot be had: {error}", file=sys.stderr, flush=True)
            continue
        budget = _budget(data[0], data[1], options.budget)
        kept = options.reference_cache / f"{name}.{options.dtype}.tolerances.json"
        known = {} if options.fresh or not kept.exists() else json.loads(kept.read_text())
        found = measure(
            problem, data, best, _solvers(problem.kind, options), options.repeats, budget, known, options.patience
        )
        # Ours changes, theirs does not: only the search of theirs is worth keeping, a failure only from a calm machine.
        rivals = [row for row in found if not row.solver.startswith("GD")]
        known.update({row.solver: row.tol for row in rivals if row.reached})
        known.update(
            {
                row.solver: {"note": row.note, "budget": budget}
                for row in rivals
                if row.note and not isinstance(known.get(row.solver), float) and not row.others > _Others.calm
            }
        )
        kept.write_text(json.dumps(known, indent=1))
        for row in found:
            row.machine = told
            word = f"{row.seconds:.4f} s, tol {row.tol}, gap {row.gap:.1e}" if row.reached else row.note
            print(f"{name:36s} {row.solver:22s} {word}", file=sys.stderr, flush=True)
            if writer:
                writer.writerow(asdict(row))
        if file:
            file.flush()
        rows += found
        del data
    if file:
        file.close()
    return rows


if __name__ == "__main__":
    main()
