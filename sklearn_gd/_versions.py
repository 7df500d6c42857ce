"""What a fit is computed with: for bug reports, and beside measurements.

Two uses: `show_versions`, and ``benchmarks/machine.json``.
"""

from __future__ import annotations

import platform
from typing import Any

import joblib
import numpy as np
import scipy
import sklearn
import threadpoolctl

from . import __version__, compiled
from .designs.threads import n_threads

__all__ = ["show_versions", "versions"]


def processor() -> str:
    """The processor's model, as far as the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:  # not on Linux
        pass
    return platform.processor() or platform.machine()


def numpys_blas() -> dict[str, str | None]:
    """The library behind NumPy's products, and the kernel that it has chosen for the processor."""
    found = [library for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]
    # of several, NumPy's own: wheels of NumPy and SciPy bring one each
    own = [library for library in found if "numpy" in library["filepath"]] or found
    library: dict[str, Any] = own[0] if own else {}
    return {
        "name": library.get("internal_api"),
        "version": library.get("version"),
        "architecture": library.get("architecture"),
    }


def versions() -> dict[str, Any]:
    """The machine and the libraries that a fit of this process is computed with.

    Returns
    -------
    dict
        ``processor``, its model; ``level``, the instructions in use, see `compiled.level`; ``cores`` that this process may use and
        ``threads`` of a fit; ``blas``, a dict of name, version and architecture, each None where it is not known; and the versions of
        ``python``, ``numpy``, ``scipy``, ``scikit-learn`` and ``sklearn_gd``.
    """
    return {
        "processor": processor(),
        "level": compiled.level(),
        "cores": int(joblib.cpu_count()),
        "threads": n_threads(),
        "blas": numpys_blas(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "sklearn_gd": __version__,
    }


def show_versions() -> None:
    """Print what a bug report needs: scikit-learn's table, and what this package computes with.

    The compiled loops and their compiler, the level of instructions in use and those that the machine has (the environment variable
    ``SKLEARN_GD_LEVEL`` caps it), the processor, its cores and the threads of a fit, and NumPy's BLAS with the kernel that it has chosen.

    See Also
    --------
    sklearn.show_versions : The first part of it.

    Examples
    --------
    >>> from sklearn_gd import show_versions
    >>> show_versions()  # doctest: +ELLIPSIS
    <BLANKLINE>
    System:
    ...
    sklearn_gd:
       version: ...
    """
    sklearn.show_versions()
    here = versions()
    compiler = None if (module := compiled.module) is None else module.compiler()
    lines = {
        "version": here["sklearn_gd"],
        "kernels": "not compiled: NumPy does all" if compiler is None else f"compiled by {compiler}",
        "level": f"{here['level']} of {', '.join(compiled.levels())}",
        "processor": here["processor"],
        "cores": here["cores"],
        "threads": here["threads"],
        "BLAS": " ".join(str(part) for part in here["blas"].values() if part) or "unknown",
    }
    print("\nsklearn_gd:")
    for name, value in lines.items():
        print(f"{name:>10}: {value}")
