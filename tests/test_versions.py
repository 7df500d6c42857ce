"""What bug reports and measurements say about the machine."""

import platform

import numpy as np
import pytest
import scipy
import sklearn
from threadpoolctl import threadpool_info, threadpool_limits

import sklearn_gd
from sklearn_gd import _versions, compiled


def test_versions_are_those_of_this_process(level):
    found = _versions.versions()
    assert list(found) == [
        "processor", "level", "cores", "threads", "blas", "python", "numpy", "scipy", "scikit-learn", "sklearn_gd",
    ]  # fmt: skip
    assert found["level"] == level
    assert (found["numpy"], found["scipy"]) == (np.__version__, scipy.__version__)
    assert (found["scikit-learn"], found["sklearn_gd"]) == (sklearn.__version__, sklearn_gd.__version__)
    assert found["python"] == platform.python_version()
    assert found["processor"]
    assert found["cores"] >= 1
    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    assert found["blas"] in [
        {"name": library["internal_api"], "version": library["version"], "architecture": library.get("architecture")}
        for library in libraries
    ]


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_those_that_a_fit_may_use(threads):
    with threadpool_limits(threads, user_api="blas"):
        assert _versions.versions()["threads"] == threads


def test_show_versions_ends_with_what_the_package_computes_with(level, capsys):
    sklearn_gd.show_versions()
    first, own = capsys.readouterr().out.split("\nsklearn_gd:\n")
    assert "Python dependencies:" in first
    table = dict(line.split(": ", 1) for line in own.splitlines())
    table = {name.strip(): value for name, value in table.items()}
    assert list(table) == ["version", "kernels", "level", "processor", "cores", "threads", "BLAS"]
    assert table["level"] == f"{level} of {', '.join(compiled.levels())}"
    assert table["kernels"].startswith("compiled by" if compiled.module else "not compiled")


def test_a_machine_without_kernels_and_without_procfs_says_so(monkeypatch, capsys):
    def missing(*args, **kwargs):
        raise FileNotFoundError

    monkeypatch.setattr("builtins.open", missing)
    assert _versions.processor() == (platform.processor() or platform.machine())
    monkeypatch.undo()
    monkeypatch.setattr(compiled, "kernels", None)
    monkeypatch.setattr(compiled, "module", None)
    sklearn_gd.show_versions()
    assert "kernels: not compiled: NumPy does all\n" in capsys.readouterr().out
