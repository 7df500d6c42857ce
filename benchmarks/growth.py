"""Part 2: how the seconds grow with the features and with the samples, and where the two methods cross.

Two uses: the seconds, and what follows from them::

    for rows in run_features([50, 100, 200], [1, 100], ...): ...
    summary = exponents(pandas.DataFrame(all_rows))

Every method is timed to the *same* coefficient error. Gradient descent reaches it at a tolerance that is not known
beforehand: the loosest of a few that does is the one timed, with the tolerance in the row.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import scipy.fft

from .exact import Truth, refined
from .measure import Outcome, alternate, attempt
from .methods import Method, cholesky, gradient_descent, linear_regression

__all__ = ["AUTO", "BASELINE", "exponents", "run", "simulated"]

BASELINE = "normal equation"
#: The default, which forms XᵀX where that is the cheaper way: then its cost is the normal equation's.
AUTO = 'gradient descent "auto"'
#: The same search on X itself: O(n_samples · n_features) an iteration.
MATRIX_FREE = "gradient descent without XᵀX"
TEXTBOOK = "textbook rate 1/L"
LIBRARY = "LinearRegression"

#: What never forms XᵀX.
ITERATIVE = (MATRIX_FREE, TEXTBOOK)

#: Multiples of the target: an ill-conditioned problem needs a gradient far smaller than the error that it leaves.
TOLERANCES = (10, 1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5)


def simulated(n_samples: int, n_features: int, condition: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Normal rows whose covariance has eigenvalues spread evenly, in their logarithms, from 1 to `condition`.

    The eigenvectors are those of a cosine transform with random signs: no column is special, so that scaling the
    columns does not undo the condition number, and no ``n_features`` x ``n_features`` rotation has to be multiplied.
    The target is linear, with coefficients of norm 1 and noise of standard deviation 0.1.
    """
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    X *= np.geomspace(1, np.sqrt(condition), n_features) * rng.choice([-1.0, 1.0], n_features)
    X = scipy.fft.dct(X, norm="ortho", axis=1, overwrite_x=True, workers=-1)
    coef = rng.standard_normal(n_features)
    coef /= np.linalg.norm(coef)
    return X, X @ coef + 1.0 + 0.1 * rng.standard_normal(n_samples)


def run(
    sweep: str,
    sizes: Iterable[tuple[int, int]],
    conditions: Iterable[float],
    *,
    target: float,
    repeats: int,
    limit: float,
    report: Callable[[str], None],
) -> Iterator[list[dict[str, Any]]]:
    """The rows of one size after the other.

    Parameters
    ----------
    sweep : {"features", "samples"}
        What grows.
    sizes : iterable of (n_samples, n_features)
        Ascending.
    conditions : iterable of float
        Condition numbers of the covariance.
    target : float
        Relative coefficient error that counts as there.
    limit : float
        Seconds: a method that would take longer at the next size is left out from there on.
    """
    sizes = list(sizes)
    for condition in conditions:
        last: dict[str, float] = {}
        before = None
        for n_samples, n_features in sizes:
            what = f"growth with {sweep}: {n_samples:,} × {n_features:,}, condition {condition:g}"
            report(what)
            shared: dict[str, Any] = {
                "sweep": sweep,
                "condition": condition,
                "n_samples": n_samples,
                "n_features": n_features,
            }
            if before is not None:
                features, samples = n_features / before[1], n_samples / before[0]
                for name in last:
                    # A pass costs n·p, a symmetric product and a factorisation n·p².
                    last[name] *= samples * features ** (1 if name in ITERATIVE else 2)
            before = n_samples, n_features
            rows: dict[str, dict[str, Any]] = {
                name: {**shared, "method": name} for name in (BASELINE, LIBRARY, AUTO, MATRIX_FREE, TEXTBOOK)
            }
            out = {name for name in rows if last.get(name, 0.0) > limit}
            for name in out:
                rows[name]["failure"] = f"left out: would take more than {limit:g} s"
            if len(out) < len(rows):
                X, y = simulated(n_samples, n_features, condition)
                truth = refined(X, y, extended=False)
                runs = {}
                for name, make in contestants(X).items():
                    if name in out:
                        continue
                    report(f"{what}, {name}")
                    outcome, tolerance, method = reach(make, X, y, truth, target, limit)
                    row = rows[name]
                    row |= {"tolerance": tolerance, "failure": outcome.word}
                    if outcome.solution is not None:
                        row["coefficient_error"] = truth.coefficient_error(outcome.solution)
                        row["iterations"] = outcome.solution.iterations
                        row["passes"] = outcome.solution.passes
                    if row.get("coefficient_error", np.inf) <= target:
                        row["failure"] = ""
                        runs[name] = partial(method, X, y)
                        last[name] = outcome.seconds
                    else:
                        row["failure"] = row["failure"] or "target not reached"
                        last[name] = np.inf
                report(f"{what}, seconds in turn")
                for name, taken in alternate(runs, repeats, last).items():
                    rows[name] |= dataclasses.asdict(taken)
                    last[name] = taken.seconds
            yield list(rows.values())


def contestants(X: np.ndarray) -> dict[str, Callable[[float], Method]]:
    """Names, and their methods for a tolerance; the closed forms have none."""

    @functools.cache
    def largest() -> float:
        """Eigenvalue of the covariance: a gift to the textbook, and not timed."""
        return float(np.linalg.eigvalsh(np.atleast_2d(np.cov(X, rowvar=False)))[-1])

    return {
        BASELINE: lambda tolerance: cholesky,
        LIBRARY: lambda tolerance: linear_regression,
        AUTO: lambda tolerance: gradient_descent(tol=tolerance),
        MATRIX_FREE: lambda tolerance: gradient_descent(tol=tolerance, preconditioner="diagonal"),
        TEXTBOOK: lambda tolerance: gradient_descent(learning_rate=1 / largest(), tol=tolerance, max_iter=5000),
    }


def reach(
    make: Callable[[float], Method], X: np.ndarray, y: np.ndarray, truth: Truth, target: float, limit: float
) -> tuple[Outcome, float | None, Method]:
    """The first fit that is there, its tolerance, and its method; the last one tried where none is."""
    for multiple in TOLERANCES:
        tolerance = target * multiple
        method = make(tolerance)
        if method in (cholesky, linear_regression):
            return attempt(method, X, y), None, method
        outcome = attempt(method, X, y)
        if outcome.solution is None or truth.coefficient_error(outcome.solution) <= target:
            break
        if outcome.solution.ended != "gradient" or outcome.seconds > limit:
            break
    return outcome, tolerance, method


def exponents(rows: pd.DataFrame) -> pd.DataFrame:
    """For each curve the exponent of its growth, and where it crosses the normal equation.

    The exponent is the slope of a straight line through the logarithms, over the larger half of the sizes: at the small
    ones the calls cost more than the arithmetic. The crossing is interpolated between the two sizes it lies between.
    """
    summary = []
    rows = rows.dropna(subset=["seconds"])
    for (sweep, condition), group in rows.groupby(["sweep", "condition"], sort=False):
        size = f"n_{sweep}"
        baseline = group[group["method"] == BASELINE].set_index(size)["seconds"]
        for method, curve in group.groupby("method", sort=False):
            seconds = curve.set_index(size)["seconds"].sort_index()
            upper = seconds[len(seconds) // 2 :] if len(seconds) > 4 else seconds[-3:]
            exponent = np.polyfit(np.log(upper.index), np.log(upper), 1)[0] if len(upper) > 1 else np.nan
            crossing = np.nan
            if method != BASELINE:
                crossing = _crossing((seconds / baseline).dropna())
            summary.append(
                {"sweep": sweep, "condition": condition, "method": method, "exponent": exponent, "crossing": crossing}
            )
    return pd.DataFrame(summary)


def _crossing(ratio: pd.Series) -> float:
    """The last size at which the ratio passes 1; NaN where it does not."""
    size, level = np.log(ratio.index.to_numpy(float)), np.log(ratio.to_numpy(float))
    changes = np.flatnonzero(np.sign(level[1:]) != np.sign(level[:-1]))
    if not len(changes):
        return float("nan")
    k = changes[-1]
    return float(np.exp(size[k] - level[k] * (size[k + 1] - size[k]) / (level[k + 1] - level[k])))
