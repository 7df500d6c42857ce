"""Larger than memory: a file of 1.6 GB fitted by blocks, against the same numbers in memory.

Two uses: the numbers of ``docs/scaling.rst``, and the acceptance of a change to `sklearn_gd.files`::

    python -m benchmarks.larger_than_memory
    python -m benchmarks.larger_than_memory --shape 4000000 50 --folder /some/disk

Every fit runs in a process of its own, which reports its seconds and its peak of anonymous memory (``RssAnon`` of
``/proc/self/status``, so on Linux alone): the resident set without the page cache. What the process had before, Python, its
libraries and the target, is told apart. The file is read once before, so that all fits find it in the page cache;
``--cold`` drops it from there first (as far as the system allows) and times the disk, too.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_gd import GDLinearRegression, GDLogisticRegression

from .measure import described, machine

ESTIMATORS = {"GDLinearRegression": GDLinearRegression, "GDLogisticRegression": GDLogisticRegression}
#: What must hold: megabytes of anonymous memory, and seconds over those in memory.
MOST_MEGABYTES, MOST_TIMES = 300, 1.6


def write(folder: Path, n: int, p: int, dtype: str) -> None:
    """Columns of different sizes and offsets, a target that is linear in them and classes that are logistic."""
    rng = np.random.default_rng(0)
    X = np.lib.format.open_memmap(folder / "X.npy", mode="w+", dtype=dtype, shape=(n, p))
    coef, size = rng.standard_normal(p) / np.sqrt(p), 10 ** rng.uniform(-1, 1, p)
    raw = np.empty(n)
    for start in range(0, n, 50_000):
        Z = rng.standard_normal((min(50_000, n - start), p))
        raw[start : start + len(Z)] = Z @ coef
        X[start : start + len(Z)] = Z * size + size
    X.flush()
    np.save(folder / "GDLinearRegression.npy", (raw + rng.standard_normal(n)).astype(dtype))
    np.save(folder / "GDLogisticRegression.npy", (2 * raw + rng.logistic(size=n) > 0).astype(np.int8))


def anonymous() -> float:
    """Megabytes of memory that are no file's."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None, "this system does not tell RssAnon"
    return int(found[1]) / 1000


class Peak(threading.Thread):
    """The largest `anonymous` memory while it runs, looked at every 2 ms."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.megabytes, self.ended = anonymous(), threading.Event()

    def run(self) -> None:
        while not self.ended.wait(2e-3):
            self.megabytes = max(self.megabytes, anonymous())

    def stop(self) -> float:
        self.ended.set()
        self.join()
        return self.megabytes


def measure(folder: Path, name: str, where: str, repeats: int) -> dict[str, Any]:
    """Fit and score in this process."""
    X: Any = np.load(folder / "X.npy", mmap_mode="r")
    y = np.load(folder / f"{name}.npy")
    if where == "memory":
        X = np.array(X)
    elif where == "cold":
        # pages that nobody has mapped or changed can be dropped without being root
        with open(folder / "X.npy", "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    model, before, peak = ESTIMATORS[name](), anonymous(), Peak()
    peak.start()
    seconds = []
    for _ in range(1 if where == "cold" else repeats):
        start = time.perf_counter()
        model.fit(X, y)
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    score = model.score(X, y)
    return {
        "seconds": min(seconds),
        "score_seconds": time.perf_counter() - start,
        "peak": peak.stop(),
        "before": before,
        "score": score,
        "passes": model.history_["passes"][-1],
        "coef": model.coef_.ravel().tolist(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=2, default=(2_000_000, 100), metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument("--folder", type=Path, default=None, help="where the file goes; a temporary folder by default")
    parser.add_argument("--repeats", type=int, default=3, help="fits a process, of which the fastest counts")
    parser.add_argument("--cold", action="store_true", help="time a fit from the disk, too")
    parser.add_argument("--one", nargs=2, metavar=("ESTIMATOR", "WHERE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.folder, options.one[0], options.one[1], options.repeats)))
        return 0
    folder = Path(tempfile.mkdtemp(prefix="larger_than_memory_", dir=options.folder))
    try:
        return compare(folder, options)
    finally:
        shutil.rmtree(folder)


def compare(folder: Path, options: argparse.Namespace) -> int:
    n, p = options.shape
    write(folder, n, p, options.dtype)
    print(described(machine()))
    print(f"{n:,} × {p} {options.dtype}: {n * p:,} values, {(folder / 'X.npy').stat().st_size / 1e9:.2f} GB\n")
    print(f"{'':22}{'where':8}{'fit, s':>8}{'score, s':>10}{'passes':>8}{'peak, MB':>10}{'of which before':>17}")
    kept = True
    for name in ESTIMATORS:
        results = {}
        for where in ("memory", "file", *(["cold"] if options.cold else [])):
            command = [sys.executable, "-m", "benchmarks.larger_than_memory", "--folder", str(folder)]
            command += ["--repeats", str(options.repeats), "--one", name, where]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            result = results[where] = json.loads(out)
            print(
                f"{name:22}{where:8}{result['seconds']:8.2f}{result['score_seconds']:10.2f}{result['passes']:8.1f}"
                f"{result['peak']:10.0f}{result['before']:17.0f}",
                flush=True,
            )
        memory, file = results["memory"], results["file"]
        times = file["seconds"] / memory["seconds"]
        off = np.abs(np.subtract(file["coef"], memory["coef"])).max() / np.abs(memory["coef"]).max()
        kept &= times <= MOST_TIMES and file["peak"] < MOST_MEGABYTES
        print(f"{'':22}file / memory: {times:.2f} times the seconds, coefficients {off:.0e} apart\n")
    print(f"{'Kept' if kept else 'Missed'}: at most {MOST_TIMES} times the seconds, and {MOST_MEGABYTES} MB.")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
