"""Logistic regression on a local Dask cluster, beside dask-ml's solvers in the same run.

Two uses: seconds to a relative gap of 1e-6 on rows that stay on two worker processes; and the seconds of one iteration on
data so small that nothing is timed but the scheduler::

    pip install 'sklearn-gd[dask]' dask-ml
    python -m benchmarks.dask_cluster

Every solver gets the same collections, held by the workers before the clock starts, and a ladder of tolerances; what
counts is the fastest fit that ends within the gap. (dask-ml's "newton" leaves the penalty out, its others penalise the
intercept: with two million samples and C = 1 neither is seen at 1e-6.)
"""

from __future__ import annotations

import argparse
import timeit
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from sklearn_gd import GDLogisticRegression

from .measure import described, machine

GAP = 1e-6


def problem(n_samples: int, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of unlike means, and classes that overlap."""
    random = np.random.default_rng(0)
    X = random.standard_normal((n_samples, n_features))
    coef = random.standard_normal(n_features) * 2 / np.sqrt(n_features)
    raw = X @ coef - 0.5
    X += random.standard_normal(n_features)
    return X, (random.logistic(size=n_samples) < raw).astype(np.int64)


def objective(X: np.ndarray, y: np.ndarray, coef: np.ndarray, intercept: float) -> float:
    """The sum of the losses and the penalty at C = 1."""
    margin = (2 * y - 1) * (X @ coef + intercept)
    return float(np.logaddexp(0, -margin).sum() + 0.5 * coef @ coef)


def fits() -> Iterator[tuple[str, Any]]:
    """Name and estimator of every fit, one solver's tolerances after each other from loose to tight."""
    for tol in (1e-2, 1e-3, 1e-4, 1e-6):
        yield f"sklearn_gd tol={tol:g}", GDLogisticRegression(tol=tol)
    try:
        from dask_ml.linear_model import LogisticRegression
    except ImportError:
        print("dask-ml is not installed: nothing to compare with")
        return
    ladders: dict[str, tuple[float, ...]] = {
        "newton": (1e-1, 1e-2, 1e-3),
        "lbfgs": (1e2, 1e0, 1e-4),
        "proximal_grad": (1e-6, 1e-8),
        "gradient_descent": (1e-6, 1e-8),
        "admm": (1e-4,),
    }
    for solver, tols in ladders.items():
        for tol in tols:
            yield f"dask-ml {solver} tol={tol:g}", LogisticRegression(solver=solver, C=1.0, tol=tol, max_iter=100)


def main() -> None:
    parser = argparse.ArgumentParser(description="Logistic regression on a local Dask cluster, beside dask-ml")
    parser.add_argument("--samples", type=int, default=2_000_000)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--only", default="", help="of the fits, those whose names contain one of these words, by commas"
    )
    options = parser.parse_args()

    import dask.array as da
    from distributed import Client, LocalCluster, wait

    warnings.simplefilter("ignore")  # large graphs, and fits that end at the tolerance they were given
    X, y = problem(options.samples, options.features)
    in_memory = GDLogisticRegression(tol=1e-9).fit(X, y)
    best = objective(X, y, in_memory.coef_[0], in_memory.intercept_[0])
    cluster = LocalCluster(n_workers=options.workers, threads_per_worker=1, dashboard_address=":0")
    with cluster, Client(cluster):
        rows = -(-options.samples // options.blocks)
        # copied by the workers: what came over the network is not aligned, and slow for whoever does not copy it
        blocks = [da.from_array(v, chunks=(rows, -1)[: v.ndim]).map_blocks(np.copy).persist() for v in (X, y)]
        wait(blocks)
        GDLogisticRegression(max_iter=1).fit(*(values[:1000] for values in blocks))  # the workers import what they need
        print(described(machine()))
        print(
            f"{options.samples:,} × {options.features}, {options.blocks} blocks on {options.workers} worker processes"
        )
        print(f"{'fit':36} seconds  relative gap  difference of the coefficients  iterations")
        seconds: dict[str, float] = {}
        for name, model in fits():
            if options.only and not any(word in name for word in options.only.split(",")):
                continue
            start = timeit.default_timer()
            try:
                model.fit(*blocks)
            except Exception as error:  # another project's: its failure is its result
                print(f"{name:36} {type(error).__name__}: {error}")
                continue
            taken = timeit.default_timer() - start
            coef = np.ravel(model.coef_)
            gap = objective(X, y, coef, float(np.ravel(model.intercept_)[0])) / best - 1
            away = np.abs(coef - in_memory.coef_[0]).max() / np.abs(in_memory.coef_).max()
            print(f"{name:36} {taken:7.2f}  {gap:12.1e}  {away:30.1e}  {getattr(model, 'n_iter_', '')}", flush=True)
            library = name.split()[0]
            if gap <= GAP:
                seconds[library] = min(taken, seconds.get(library, np.inf))
        if len(seconds) == 2:
            print(
                f"to a gap of {GAP:g}: {seconds['dask-ml'] / seconds['sklearn_gd']:.1f} times as fast as dask-ml's fastest"
            )

        few = [da.from_array(values[:4000], chunks=(1000, -1)[: values.ndim]).persist() for values in (X, y)]
        plain = GDLogisticRegression(learning_rate=0.1, tol=0.0, max_iter=50)
        for tiny in (plain, GDLogisticRegression(tol=1e-10)):
            start = timeit.default_timer()
            tiny.fit(*few)
            taken = timeit.default_timer() - start
            print(
                f"4,000 rows in 4 blocks, learning_rate={tiny.learning_rate}: {1e3 * taken / tiny.n_iter_:.0f} ms an iteration, "
                f"all round trips of the fit counted ({tiny.n_iter_} iterations)"
            )


if __name__ == "__main__":
    main()
