"""The tests of other libraries' arrays, array_api_cases.py, in a process of their own.

scikit-learn dispatches on arrays only where SCIPY_ARRAY_API=1 was set before it was imported. To run them alone:
`SCIPY_ARRAY_API=1 python -m pytest tests/array_api_cases.py`.
"""

import os
import pathlib
import subprocess
import sys

import pytest


def test_in_a_process_of_its_own():
    pytest.importorskip("array_api_compat", reason="array-api-compat is in the extra 'array-api'")
    pytest.importorskip("array_api_strict", reason="array-api-strict is in the extra 'test'")
    cases = pathlib.Path(__file__).with_name("array_api_cases.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(cases)]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(command, env={**variables, "SCIPY_ARRAY_API": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
