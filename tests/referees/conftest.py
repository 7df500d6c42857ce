"""What scikit-learn's tests expect of their own conftest.py."""

import pytest


def pytest_configure(config):
    # Marks that scikit-learn's pyproject.toml registers, and ours has no use for.
    config.addinivalue_line("markers", "thread_unsafe: scikit-learn's, of its own tests")
    config.addinivalue_line("markers", "no_check_spmatrix: scikit-learn's, of its own tests")


@pytest.fixture
def global_random_seed():
    """The seed scikit-learn's tests run with unless asked for another."""
    return 42
