"""What the benchopt benchmarks share: how a curve is sampled, and where their data come from.

Two uses: the base class of a benchmark's solvers, and its data by name::

    class LeastSquares(Regression): ...        # benchmarks/least_squares/benchmark_utils
    data("breast_cancer-raw")                  # {"X": ..., "y": ..., "missing": ""}

A point of a curve is a whole fit from the start: stopped after a number of iterations that grows by a third
(``sampling_strategy = "iteration"``), at a tolerance that falls by half decades ("tolerance"), or one fit of a closed
form ("run_once"). Whatever a solver computes beforehand is in its seconds.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
import scipy.fft
import scipy.sparse
from benchopt import BaseSolver
from benchopt.stopping_criterion import INFINITY, SingleRunCriterion, StoppingCriterion
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from .problems import PROBLEMS, Unavailable, load_npz

__all__ = ["Contestant", "Fit", "Regression", "bundled", "data", "npz", "once", "scores", "simulated"]

#: A curve ends at this relative gap.
CLOSE = 1e-10

#: A curve ends when so many points in a row were no better than the best before.
PATIENCE = 6

#: Problems with fewer entries are solved on one thread of BLAS, whatever the solver: there two that wait for each other
#: cost more than they bring.
ONE_THREAD = 200_000

#: Gaps are cut off here: a solver that diverges shows, and does not end the run.
FAR = 1e4


# ---------------------------------------------------------------------------------------------------- solvers


@dataclass(frozen=True)
class Fit:
    """What a solver ends with.

    Attributes
    ----------
    coef : ndarray of shape (n_features,), or (n_classes, n_features) for three classes and more
    intercept : float, or ndarray of shape (n_classes,)
    passes : float
        Reads of X: a product with X is one, with its transpose another, both in one sweep are one; a symmetric product
        is one, an epoch of a stochastic solver is one. NaN where a solver does not tell.
    """

    coef: np.ndarray
    intercept: Any
    passes: float = float("nan")


class Closeness(StoppingCriterion):
    """Ends a curve at a relative gap of `CLOSE`, or when it gets no better."""

    def __init__(self, strategy: str | None = None, key_to_monitor: str = "gap", minimize: bool = True) -> None:
        super().__init__(strategy=strategy, key_to_monitor=key_to_monitor, minimize=minimize)

    def check_convergence(self, objective_list: list[dict[str, float]]) -> tuple[bool, float]:
        gaps = [point["objective_gap"] for point in objective_list]
        best = int(np.argmin(gaps))
        # While a solver is still where it started it may only need longer.
        stuck = len(gaps) - 1 - best >= PATIENCE and gaps[best] < gaps[0]
        progress = np.log10(max(gaps[best], CLOSE) / FAR) / np.log10(CLOSE / FAR)
        return gaps[best] <= CLOSE or stuck, float(progress)


class Contestant(BaseSolver):
    """A solver: its file says what it cannot express (`reason`), and how it fits (`fit`)."""

    sampling_strategy = "iteration"

    def __init_subclass__(cls) -> None:
        # benchopt writes the strategy into the criterion: each class has one of its own.
        cls.stopping_criterion = SingleRunCriterion() if cls.sampling_strategy == "run_once" else Closeness()

    def reason(self) -> str:
        """Why this solver cannot solve the problem; empty where it can."""
        return ""

    def prepare(self) -> None:
        """What is not timed: the data in the container that the solver wants, a learning rate that a user knows."""

    def fit(self, stop: float) -> Fit:
        """Fit from the start, to `stop` iterations or to the tolerance `stop`."""
        raise NotImplementedError

    def skip(self, **problem: Any) -> tuple[bool, str | None]:
        self.__dict__.update(problem)
        reason = self.reason()
        return bool(reason), reason or None

    def set_objective(self, **problem: Any) -> None:
        self.__dict__.update(problem)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.prepare()
        # What is compiled or imported at the first call is not timed. In `warm_up` it would count as time spent.
        self.run(1e-1 if self.sampling_strategy == "tolerance" else 2)

    def get_next(self, previous: float) -> float:
        if self.sampling_strategy == "tolerance":
            return min(1.0, previous / np.sqrt(10))
        return max(previous + 1, previous * 4 // 3)

    def pre_run_hook(self, stop: float) -> None:
        self.threads = threadpool_limits(1 if self.X.shape[0] * self.X.shape[1] < ONE_THREAD else None)

    def run(self, stop: float) -> None:
        start = stop == (INFINITY if self.sampling_strategy == "tolerance" else 0)
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fit that is stopped early says so; here its objective is looked at
            self.result = self.nothing() if start else self.fit(stop)

    def nothing(self) -> Fit:
        """Where every solver starts."""
        raise NotImplementedError

    def get_result(self) -> dict[str, Any]:
        self.threads.restore_original_limits()
        return vars(self.result)


class Regression(Contestant):
    """A solver of a problem with one output: a coefficient a column, and one intercept."""

    def nothing(self) -> Fit:
        return Fit(np.zeros(self.X.shape[1]), 0.0, 0.0)

    def estimated(self, model: Any, passes: float = float("nan")) -> Fit:
        """The fit of an estimator with scikit-learn's attributes."""
        return Fit(np.ravel(model.coef_), float(np.ravel(model.intercept_)[0]), passes)

    # -- what a solver may not be able to express --------------------------------------------------------------

    def penalised(self) -> str:
        return "has no such penalty" if self.alpha else ""

    def sparse(self) -> str:
        return "takes no sparse matrix" if scipy.sparse.issparse(self.X) else ""


def scores(value: float, best: float, passes: float, X: Any) -> dict[str, float]:
    """What a result is told by: the objective, its relative gap, the passes, and the size of the problem."""
    gap = value / best - 1
    gap = min(gap, FAR) if np.isfinite(gap) else FAR
    rows, columns = X.shape
    return {"value": value, "gap": max(gap, 0.0), "passes": passes, "n_samples": rows, "n_features": columns}


_known: dict[str, float] = {}


def once(compute: Callable[[], float], *key: Any) -> float:
    """The best value of a problem, computed once in a process, however often benchopt loads the problem."""
    name = joblib.hash(key)
    if name not in _known:
        _known[name] = compute()
    return _known[name]


# ---------------------------------------------------------------------------------------------------- data


def data(name: str) -> dict[str, Any]:
    """X and y of one of `problems.PROBLEMS`, named without its strength."""
    problem = next(problem for key, problem in PROBLEMS.items() if key == name or key.startswith(f"{name}-C"))
    return _made(problem.make)


def npz(name: str, scaling: str = "raw") -> dict[str, Any]:
    """X and y of a file in the folder that SKLEARN_GD_DATA names; `scaling` is "raw" or "standardised"."""

    def make() -> tuple[Any, np.ndarray]:
        X, y = load_npz(name)
        return (StandardScaler().fit_transform(X) if scaling == "standardised" else X), y

    return _made(make)


def bundled(load: Callable[..., Any]) -> dict[str, Any]:
    """X and y of one of scikit-learn's loaders, in their own units."""
    return _made(lambda: load(return_X_y=True))


def _made(make: Callable[[], tuple[Any, np.ndarray]]) -> dict[str, Any]:
    """What a dataset gives its objective, which skips it, with the reason, where the data cannot be had."""
    try:
        X, y = make()
    except Unavailable as error:
        return {"X": None, "y": None, "missing": str(error)}
    return {"X": X, "y": y, "missing": ""}


def simulated(n_samples: int, n_features: int, condition: float, density: float, seed: int) -> Any:
    """Normal rows with a covariance of this condition number, or independent sparse columns of this spread.

    Parameters
    ----------
    condition : float
        Of the covariance: eigenvalues evenly spread, in their logarithms, from 1 down to ``1 / condition``. Dense
        columns are mixed by a cosine transform with random signs, so that scaling does not undo it; a mixture of
        sparse columns would not be sparse, so there the columns' own sizes are spread.
    density : float
        Share of the entries that are not zero; below 1 the matrix is sparse (CSR).
    """
    rng = np.random.default_rng(seed)
    sizes = np.geomspace(1, 1 / np.sqrt(condition), n_features)
    if density < 1:
        X = scipy.sparse.random(
            n_samples, n_features, density, format="csr", random_state=rng, data_rvs=rng.standard_normal
        )
        return scipy.sparse.csr_matrix(X @ scipy.sparse.diags(sizes / np.sqrt(density)))
    X = rng.standard_normal((n_samples, n_features))
    X *= sizes * rng.choice([-1.0, 1.0], n_features)
    return np.ascontiguousarray(scipy.fft.dct(X, norm="ortho", axis=1)) + rng.uniform(-1, 1, n_features)
