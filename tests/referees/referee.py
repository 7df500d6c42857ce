"""Run a test module of the installed scikit-learn on classes of our own.

Uses:

    globals().update(referee.load("test_ridge", elsewhere=..., not_offered=..., restated=...))

    SKLEARN_GD_REFEREE=identity pytest tests/referees -o xfail_strict=false -W default

the second being the same on scikit-learn's own classes: what fails there is wrong with this file.

A private copy of the module is executed while `sklearn.linear_model` holds our classes under
scikit-learn's names, so that parametrisations see them, too; scikit-learn itself is not
changed. Every test of the module is then either collected, or skipped for a reason given by
name, or left out because it never mentions a class that we stand in for (`elsewhere`, checked).
"""

import ast
import contextlib
import importlib
import importlib.util
import inspect
import os

import pytest
import sklearn
from sklearn.utils.fixes import parse_version

# Written against these tests; scikit-learn keeps no promise about them between versions.
OLDEST = "1.9"
IDENTITY = os.environ.get("SKLEARN_GD_REFEREE") == "identity"


def available():
    """The reason why scikit-learn's tests cannot run here, or None."""
    if parse_version(sklearn.__version__) < parse_version(OLDEST):
        return f"written against the tests of scikit-learn {OLDEST}, found {sklearn.__version__}"
    if importlib.util.find_spec("sklearn.linear_model.tests") is None:
        return "this scikit-learn is installed without its tests"
    return None


@contextlib.contextmanager
def _standing_in(classes):
    import sklearn.linear_model as place

    theirs = {name: getattr(place, name) for name in classes}
    vars(place).update(classes)
    try:
        yield
    finally:
        vars(place).update(theirs)


def _copy_of(module, classes, package):
    full_name = f"sklearn.linear_model.{package}.{module}"
    # First as it is: what it imports must not meet our classes while they stand in.
    importlib.import_module(full_name)
    spec = importlib.util.find_spec(full_name)
    copy = importlib.util.module_from_spec(spec)
    with _standing_in(classes):
        spec.loader.exec_module(copy)
    return copy


def mentions(copy, classes):
    """The names of the tests that mention one of `classes`, themselves or in a helper."""
    tree = ast.parse(inspect.getsource(copy))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}

    def mentioned(name, seen):
        for node in ast.walk(functions[name]):
            if not isinstance(node, ast.Name):
                continue
            if node.id in classes:
                return True
            if node.id in functions and node.id not in seen:
                seen.add(node.id)
                if mentioned(node.id, seen):
                    return True
        return False

    return {name for name in functions if name.startswith("test") and mentioned(name, {name})}


def _one_solver(mark, preferred):
    """The parametrisation, with one value only of `solver`: they all become the same run."""
    names, values = mark.args[:2]
    names = [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)
    values = list(values)
    if "solver" in names:
        at = names.index("solver")

        def solver(value):
            value = getattr(value, "values", value)
            return value if len(names) == 1 and isinstance(value, str) else value[at]

        kept = [value for value in values if solver(value) == preferred]
        values = kept or values[:1]
    return pytest.mark.parametrize(mark.args[0], values, **mark.kwargs).mark


def _without_xfail(mark):
    """The parametrisation, with no value expected to fail: what theirs does wrong, ours need not."""
    values = [
        pytest.param(*v.values, id=v.id, marks=[m for m in v.marks if m.name != "xfail"]) if hasattr(v, "marks") else v
        for v in mark.args[1]
    ]
    return pytest.mark.parametrize(mark.args[0], values, **mark.kwargs).mark


def load(module, *, classes, solver, elsewhere, not_offered, restated=None, marks=None, theirs=(), package="tests"):
    """The tests of scikit-learn's `module`, ready for pytest to collect.

    Parameters
    ----------
    module : str
        A module of the package's.
    classes : dict of str to class
        Who stands in for whom.
    solver : str
        The one value kept where a test is parametrised over `solver`.
    elsewhere : collection of str
        Tests that never mention any of `classes`: not collected.
    not_offered : dict of str to str
        Tests skipped, each with its reason.
    restated : dict of str to (str, list)
        Other parameters for a test, as (argnames, argvalues), where scikit-learn's name
        messages of its own solvers.
    marks : dict of str to list of marks
        Further marks for a test.
    theirs : sequence of str
        Warnings that only scikit-learn's own classes utter, as filters for pytest. All other
        warnings are errors, those of ours about convergence first of all.
    package : str
        Of `sklearn.linear_model`, where the module is.
    """
    reason = available()
    if reason is not None:

        def test_available():
            pytest.skip(reason)

        return {"test_available": test_available}

    restated, marks = restated or {}, marks or {}
    copy = _copy_of(module, classes, package)
    tests = {name: test for name, test in vars(copy).items() if name.startswith("test_") and inspect.isfunction(test)}
    about_us = mentions(copy, set(classes))
    a_fixture = type(pytest.fixture(lambda: None))
    collected = {name: thing for name, thing in vars(copy).items() if isinstance(thing, a_fixture)}
    collected["pytestmark"] = [
        *(pytest.mark.filterwarnings(f"ignore:{message}") for message in theirs),
        *([copy.pytestmark] if hasattr(copy, "pytestmark") else []),
    ]
    for name, test in tests.items():
        if name in elsewhere and name not in about_us:
            continue
        own = []
        for mark in getattr(test, "pytestmark", []):
            if mark.name == "parametrize":
                if name in restated and mark.args[0] == restated[name][0]:
                    mark = pytest.mark.parametrize(*restated[name]).mark
                else:
                    mark = _one_solver(mark, solver)
                if not IDENTITY:
                    mark = _without_xfail(mark)
            own.append(mark)
        if name in not_offered and not IDENTITY:
            # Its fixtures and parameters would be set up only to be thrown away.
            def skipped(reason=not_offered[name]):
                pytest.skip(reason)

            skipped.__name__ = name
            skipped.__doc__ = test.__doc__
            collected[name] = skipped
            continue
        test.pytestmark = own + [getattr(mark, "mark", mark) for mark in marks.get(name, [])]
        collected[name] = test

    def test_every_test_has_its_place():
        assert not set(elsewhere) & set(not_offered)
        strangers = (set(elsewhere) | set(not_offered) | set(restated) | set(marks)) - set(tests)
        # Another scikit-learn may have dropped a test; the one this was written against has all.
        if not sklearn.__version__.startswith(f"{OLDEST}."):
            strangers = set()
        assert not strangers, f"named here, unknown to scikit-learn: {strangers}"
        assert not set(elsewhere) & about_us
        assert set(collected) >= set(tests) - set(elsewhere)

    collected["test_every_test_has_its_place"] = test_every_test_has_its_place
    return collected


def stand_ins(*names):
    """Our classes for these names of scikit-learn, or, to try this machinery, scikit-learn's."""
    if IDENTITY:
        from sklearn import linear_model as source
    else:
        from . import adapters as source
    return {name: getattr(source, name) for name in names}
