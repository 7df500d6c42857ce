"""What scikit-learn's tests expect of their own conftest.py."""

from types import SimpleNamespace

import pytest
from sklearn.base import BaseEstimator

_NONE = SimpleNamespace(params={})


def pytest_configure(config):
    # Marks that scikit-learn's pyproject.toml registers, and ours has no use for.
    config.addinivalue_line("markers", "thread_unsafe: scikit-learn's, of its own tests")
    config.addinivalue_line("markers", "no_check_spmatrix: scikit-learn's, of its own tests")


@pytest.fixture
def global_random_seed():
    """The seed scikit-learn's tests run with unless asked for another."""
    return 42


def _others(value):
    """Whether a parameter is, or has in it, an estimator of another name than PoissonRegressor."""
    if isinstance(value, tuple):
        return any(_others(part) for part in value)
    kind = value if isinstance(value, type) else type(value)
    return issubclass(kind, BaseEstimator) and kind.__name__ != "PoissonRegressor"


def pytest_collection_modifyitems(config, items):
    """Of the tests of generalised linear models those of other distributions are scikit-learn's own affair."""
    others = [
        item
        for item in items
        if item.path.name == "test_sklearn_glm.py"
        and any(map(_others, getattr(item, "callspec", _NONE).params.values()))
    ]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in set(others)]
