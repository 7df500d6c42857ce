"""What every test file shares."""

import os

# The libraries behind NumPy read this once, when they are loaded: two workers of
# pytest-xdist that each start as many threads as there are cores only get in each
# other's way. A test of threads sets its own limit with threadpoolctl.
if "PYTEST_XDIST_WORKER" in os.environ:
    for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(_name, "1")

import pytest

from sklearn_gd import compiled


# Where the environment names one, that alone: .ci/run goes through the others.
@pytest.fixture(params=[compiled.level()] if os.environ.get(compiled.VARIABLE) else compiled.levels())
def level(request, monkeypatch):
    """Each level of instructions that this machine has, none among them."""
    if request.param == compiled.LEVELS[-1]:
        monkeypatch.setattr(compiled, "kernels", None)
        yield request.param
        return
    kernels = compiled.module
    before = kernels.level()
    kernels.use(request.param)
    monkeypatch.setattr(compiled, "kernels", kernels)
    yield request.param
    kernels.use(before)
