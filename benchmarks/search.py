"""Cross-validated searches: ours beside scikit-learn's and himalaya's, medians side by side, and the best score of each.

Uses: everything, or the searches whose names begin with one of some words::

    python -m benchmarks.search
    python -m benchmarks.search --only rates leave-one-out --cap 300

================== ===========================================================================================
alphas             ridge's penalties, 5 folds
rates              learning rates of textbook descents on standardised columns, 5 folds
logistic rates     learning rates of textbook descents of logistic regression, 5 folds
Cs                 penalties of logistic regression, 5 folds
leave-one-out      ridge's penalties, and those of logistic regression beside five folds of it
not shared         candidates that have to be fitted one by one: what is lost by having asked
================== ===========================================================================================

A figure is the median over rounds, in each of which all that take part have a turn; of what takes longer than five seconds it is one
run. Who iterates to a tolerance is tried at several, and its figure is of the loosest that finds the best score to 1e-8, relative
to it; who never does has none. The best score is what most find at their tightest, two at the least. The ratio of a search is the best
figure of the others over ours: below 1 we lose. Beside it stands what it is to be at the least. Nobody there within ``--cap`` seconds
counts as the cap, and we as four caps.

himalaya takes part where it is installed. Data that cannot be had (adult, in the folder that SKLEARN_GD_DATA names) are left out.
"""

from __future__ import annotations

import importlib.util
import timeit
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegressionCV, Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from sklearn_gd import (
    GDLinearRegression,
    GDLinearRegressionCV,
    GDLogisticRegression,
    GDLogisticRegressionCV,
    GDSearchCV,
)

from . import contests
from .measure import TimeSpent, alternate, limit
from .problems import load_npz
from .shapes import MOST_COEFFICIENTS, OURS, make, ratio

__all__ = ["Search", "main", "searches"]

#: Relative difference of the best scores that is none.
EQUAL = 1e-8
#: Longer searches are made once, in seconds.
LONG = 5.0
#: Folds. The numbers of rows are multiples of it, so that all training parts are as long.
FOLDS = 5
SQUARED = "neg_mean_squared_error"

#: Searches by one that takes part, from the loosest tolerance to the tightest; each gives its best score.
Runs = Mapping[str, Sequence[Callable[[], float]]]


@dataclass(frozen=True)
class Search:
    """A search on some data, and who takes part.

    Attributes
    ----------
    name : str
    make : callable
        Returns X and y, or raises `Unavailable`.
    runs : callable
        Of X and y; returns a mapping of names to the runs of each.
    least : float
        What the ratio is to be.
    same : bool
        Whether all look for the same score.
    """

    name: str
    make: Callable[[], tuple[Any, Any]]
    runs: Callable[[Any, Any], Runs]
    least: float
    same: bool = True


# ---------------------------------------------------------------------------------------------------- who takes part


def best(search: Any, X: Any, y: Any) -> float:
    return float(search.fit(X, y).best_score_)


def alphas(n_alphas: int, X: Any, y: Any) -> Runs:
    grid, rows = np.logspace(-6, 2, n_alphas), len(y) * (FOLDS - 1) // FOLDS
    ours = GDSearchCV(GDLinearRegression(), {"alpha": grid}, cv=FOLDS, scoring=SQUARED)
    # the penalty of a sum of squares
    plain = GridSearchCV(Ridge(), {"alpha": grid * rows}, cv=FOLDS, scoring=SQUARED, n_jobs=2)
    own = RidgeCV(grid * rows, cv=FOLDS, scoring=SQUARED)
    return {
        OURS: [partial(best, ours, X, y)],
        "GridSearchCV(Ridge(), n_jobs=2)": [partial(best, plain, X, y)],
        "RidgeCV(cv=5)": [partial(best, own, X, y)],
    }


def beside_himalaya(n_alphas: int, X: Any, y: Any) -> Runs:
    from himalaya.ridge import RidgeCV as Himalaya

    grid, rows = np.logspace(-6, 2, n_alphas), len(y) * (FOLDS - 1) // FOLDS
    theirs = Himalaya(grid * rows, fit_intercept=True, cv=KFold(FOLDS))
    ours = GDSearchCV(GDLinearRegression(), {"alpha": grid}, cv=FOLDS, scoring=SQUARED)
    return {
        OURS: [partial(best, ours, X, y)],
        "himalaya": [lambda: float(np.ravel(theirs.fit(X, y).cv_scores_).max())],
    }


def rates(n_rates: int, n_iter: int, X: Any, y: Any) -> Runs:
    L = float(np.linalg.eigvalsh(np.cov(scale(X).T, bias=True))[-1])
    model = make_pipeline(StandardScaler(), GDLinearRegression(tol=0, max_iter=n_iter))
    # below 2/L, so that none diverges and is shorter by that; L of a training part is another one, by little
    grid = {"gdlinearregression__learning_rate": np.geomspace(1e-3, 1.8, n_rates) / L}
    searches = {OURS: GDSearchCV(model, grid, cv=FOLDS, scoring=SQUARED)}
    searches["GridSearchCV(GDLinearRegression())"] = GridSearchCV(model, grid, cv=FOLDS, scoring=SQUARED)
    return {name: [partial(best, search, X, y)] for name, search in searches.items()}


def logistic_rates(n_rates: int, n_iter: int, X: Any, y: Any) -> Runs:
    # the second derivative of the loss is 1/4 at the most
    L = float(np.linalg.eigvalsh(np.cov(X.T, bias=True))[-1]) / 4
    model, grid = GDLogisticRegression(tol=0, max_iter=n_iter), {"learning_rate": np.geomspace(1e-3, 1.8, n_rates) / L}
    searches = {OURS: GDSearchCV(model, grid, cv=FOLDS, scoring="neg_log_loss")}
    searches["GridSearchCV(GDLogisticRegression())"] = GridSearchCV(model, grid, cv=FOLDS, scoring="neg_log_loss")
    return {name: [partial(best, search, X, y)] for name, search in searches.items()}


def path_best(model: Any, X: Any, y: Any) -> float:
    """The best mean score of an estimator that keeps those of its folds."""
    scores = np.asarray(model.fit(X, y).scores_)
    return float(scores.reshape(len(scores), -1).mean(axis=0).max())


def strengths(n_values: int, X: Any, y: Any, cv: Any = FOLDS) -> Runs:
    """Penalties of logistic regression."""
    Cs = np.logspace(-4, 4, n_values)
    common: dict[str, Any] = {"Cs": Cs, "scoring": "neg_log_loss"}
    runs = {OURS: [partial(path_best, GDLogisticRegressionCV(cv=cv, tol=tol, **common), X, y) for tol in (1e-6, 1e-8)]}
    classes = len(np.unique(y))
    solvers = ["lbfgs", "newton-cg"]
    if X.shape[1] * (classes if classes > 2 else 1) <= MOST_COEFFICIENTS:
        solvers.append("newton-cholesky")
    for solver in solvers:
        theirs = [
            LogisticRegressionCV(
                cv=FOLDS, solver=solver, tol=tol, max_iter=20_000, l1_ratios=(0,), use_legacy_attributes=False, **common
            )
            for tol in (1e-4, 1e-6, 1e-8, 1e-10)
        ]
        runs[f"LogisticRegressionCV(solver={solver!r})"] = [partial(path_best, model, X, y) for model in theirs]
    return runs


def beside_folds(n_values: int, X: Any, y: Any) -> Runs:
    """Leave-one-out beside five folds of the same."""
    runs = {**strengths(n_values, X, y), OURS: strengths(n_values, X, y, cv="loo")[OURS]}
    # at their defaults: different searches have no score in common
    return {name: run[:1] for name, run in runs.items()}


def left_out(n_alphas: int, X: Any, y: Any) -> Runs:
    grid = np.logspace(-6, 2, n_alphas)
    # a fit without a row has one row less
    theirs = RidgeCV(grid * (len(y) - 1), scoring=SQUARED)
    return {
        OURS: [partial(best, GDLinearRegressionCV(alphas=grid), X, y)],
        "RidgeCV()": [partial(best, theirs, X, y)],
    }


def unshared(n_alphas: int, X: Any, y: Any) -> Runs:
    model, grid = GDLinearRegression(preconditioner="diagonal"), {"alpha": np.logspace(-6, 0, n_alphas)}
    searches = {OURS: GDSearchCV(model, grid), "GridSearchCV(GDLinearRegression())": GridSearchCV(model, grid)}
    return {name: [partial(best, search, X, y)] for name, search in searches.items()}


# ---------------------------------------------------------------------------------------------------- the searches


def standardised(load: Callable[[], tuple[Any, Any]], step: int = 1) -> tuple[Any, Any]:
    """Data in columns of spread 1, of every `step`-th row."""
    X, y = load()
    return scale(X[::step]), y[::step]


def searches(quick: bool, seed: int = 0) -> Iterator[Search]:
    """All of them; with `quick` on a few rows, and over a few values."""
    cut, many = (40, 4) if quick else (1, 20)

    def simulated(n: int, p: int, density: float, classes: int) -> tuple[str, Callable[[], tuple[Any, Any]]]:
        n, p = n // cut, max(p // cut, 5)
        stored = f", {density:.3g} of it stored" if density < 1 else ""
        return f"{n:,} × {p:,}{stored}", partial(make, n, p, density, classes, seed)

    for n, p, least in ((5_000, 50, 50.0), (20_000, 500, 15.0)):
        shape, maker = simulated(n, p, 1, 0)
        yield Search(f"alphas, {many} of them, {shape}", maker, partial(alphas, many), least)
        if importlib.util.find_spec("himalaya") is not None:
            yield Search(f"alphas, {many} of them beside himalaya, {shape}", maker, partial(beside_himalaya, many), 3.0)
    shape, maker = simulated(5_000, 50, 1, 0)
    n_iter = 50 if quick else 1_000
    yield Search(f"rates, {many} of them, {n_iter:,} iterations, {shape}", maker, partial(rates, many, n_iter), 100.0)
    few = partial(strengths, 3 if quick else 10)
    bundled: dict[str, Callable[[], tuple[Any, Any]]] = {
        "breast_cancer": partial(load_breast_cancer, return_X_y=True),
        "adult": partial(load_npz, "adult"),
        "digits": partial(load_digits, return_X_y=True),
    }
    for name, load in bundled.items():
        yield Search(f"Cs, {name}, standardised", partial(standardised, load, 8 if quick else 1), few, 1.5)
    for n, p, density in ((8_000, 20_000, 0.005), (100_000, 50, 1.0)):
        # of few columns more of each row, or there would be none
        shape, maker = simulated(n, p, min(1.0, density * (10 if quick else 1)), 2)
        yield Search(f"Cs, {shape}", maker, few, 1.5)
    breast = partial(standardised, bundled["breast_cancer"], 4 if quick else 1)
    rows = (("breast_cancer, standardised", breast, n_iter, 4.0), (shape, maker, n_iter // 20, 2.0))
    for name, load, long, least in rows:
        told = f"logistic rates, {many} of them, {long:,} iterations, {name}"
        yield Search(told, load, partial(logistic_rates, many, long), least)
    shape, maker = simulated(5_000, 50, 1, 0)
    yield Search(f"leave-one-out, {many} alphas, {shape}", maker, partial(left_out, many), 1.0)
    folds = partial(beside_folds, 3 if quick else 10)
    yield Search("leave-one-out, Cs, beside 5 folds, breast_cancer, standardised", breast, folds, 5.0, same=False)
    yield Search(f"not shared, {many // 2} alphas, {shape}", maker, partial(unshared, many // 2), 1 / 1.05)


# ---------------------------------------------------------------------------------------------------- measuring


@dataclass(frozen=True)
class Ended:
    """A search that ended: its seconds, its best score, and how to do it again."""

    seconds: float
    score: float
    again: Callable[[], float]


def attempts(runs: Sequence[Callable[[], float]], cap: float) -> list[Ended] | str:
    """Those that ended in time, from the loosest on; or the words with which the first one failed."""
    ended: list[Ended] = []
    for run in runs:
        try:
            with limit(cap), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what stopped early shows in its score
                start = timeit.default_timer()
                score = run()
                seconds = timeit.default_timer() - start
        except TimeSpent:
            break
        except Exception as error:  # a failure is a result: the others go on
            return ended or f"{type(error).__name__}: {error}"
        ended.append(Ended(seconds, score, run))
        if seconds > cap / 2:
            break
    return ended


def chosen(found: Mapping[str, Sequence[Ended]], same: bool) -> tuple[dict[str, Ended], float]:
    """Of each the loosest run that is there, and the score that it has to find: the one that most of the tightest runs do, two at least."""
    scores = np.array([ended[-1].score for ended in found.values() if ended])
    agree = (np.abs(scores[:, None] - scores) <= EQUAL * np.abs(scores)).sum(axis=1)
    goal = float(scores[agree.argmax()]) if agree.max(initial=0) > 1 else np.nan
    there = {
        name: next((run for run in ended if not same or abs(run.score - goal) <= EQUAL * abs(goal)), None)
        for name, ended in found.items()
    }
    return {name: run for name, run in there.items() if run is not None}, goal


def measure(search: Search, cap: float, repeats: int) -> dict[str, Any]:
    """The row of a search."""
    X, y = search.make()
    found = {name: attempts(runs, cap) for name, runs in search.runs(X, y).items()}
    failed = {name: words for name, words in found.items() if isinstance(words, str)}
    ended = {name: runs for name, runs in found.items() if not isinstance(runs, str)}
    there, goal = chosen(ended, search.same)
    short = {name: run.again for name, run in there.items() if run.seconds <= LONG}
    repeated = alternate(short, repeats, {name: there[name].seconds for name in short}) if short else {}
    seconds = {
        name: repeated[name].seconds if name in repeated else there[name].seconds if name in there else None
        for name in found
    }
    return {
        "search": search.name,
        "seconds": seconds,
        "threads": {name: taken.threads for name, taken in repeated.items()},
        "scores": {name: there.get(name, runs[-1]).score for name, runs in ended.items() if runs},
        "score": goal if search.same and np.isfinite(goal) else None,
        "failed": failed,
        "ratio": ratio(seconds, cap),
        "least": search.least,
    }


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Measure, print and write; the record, as `report` reads it."""
    quick, cap = "on a few rows, over a few values; some ten seconds altogether", "seconds for a search (120)"
    options = contests.parser("search", __doc__, "searches", quick, cap).parse_args(arguments)
    options.cap = options.cap or (10.0 if options.quick else 120.0)
    options.repeats = options.repeats or (2 if options.quick else 5)
    asked = searches(options.quick, options.seed)
    return contests.run(options, asked, measure, partial(contests.line, "search"), "search.json")


if __name__ == "__main__":
    main()
