"""The docstrings say what there is: every parameter, every fitted attribute, every registered name."""

import ast
import inspect
import re

import numpy as np
import pytest
from numpydoc.docscrape import ClassDoc, FunctionDoc
from numpydoc.validate import validate

import sklearn_gd
from sklearn_gd import (
    GDHuberRegression,
    GDLinearRegression,
    GDLogisticRegression,
    GDPoissonRegression,
    GDQuantileRegression,
    gradient_descent,
)
from sklearn_gd.momentum import MOMENTA
from sklearn_gd.preconditioners import PRECONDITIONERS
from sklearn_gd.steps import RULES

ESTIMATORS = [GDLinearRegression, GDLogisticRegression]
# those whose shared parameters are described there
SHORT = [GDHuberRegression, GDPoissonRegression, GDQuantileRegression]
PUBLIC = [f"sklearn_gd.{name}" for name in sklearn_gd.__all__]
METHODS = [
    f"sklearn_gd.{estimator.__name__}.{name}"
    for estimator in ESTIMATORS + SHORT
    for name in ("fit", "predict", "decision_function", "predict_proba", "predict_log_proba", "score")
    if hasattr(estimator, name)
]
# What scikit-learn does not ask for of its own docstrings, either.
IGNORED = {
    "GL01",  # the text begins on the first line
    "GL02",  # and ends where it ends
    "GL07",  # Attributes come after Parameters
    "ES01",  # an extended summary where there is more to say
    "SA01",  # See Also, likewise
    "EX01",  # examples are at the class
    "RT02",  # the value that is returned has a name
}


@pytest.mark.parametrize("name", PUBLIC + METHODS)
def test_numpydoc(name):
    errors = [error for error in validate(name)["errors"] if error[0] not in IGNORED]
    assert not errors


def example(estimator):
    X = np.random.default_rng(0).standard_normal((30, 2))
    y = X[:, 0] + 0.5 * X[:, 1] ** 2
    model = estimator().fit(X, np.abs(y) if estimator in SHORT else (y > 0).astype(int))
    model.feature_names_in_ = None  # fitted where X has names
    return model


def check_parameters(doc, signature):
    """Every parameter is named, and its default is the one that is written."""
    names = [(name, entry.type) for entry in doc["Parameters"] for name in entry.name.split(", ")]
    assert [name for name, _ in names] == list(signature)
    for name, kind in names:
        if signature[name].default is not inspect.Parameter.empty and kind != "None":
            assert ast.literal_eval(kind.partition("default=")[2]) == signature[name].default, name


def test_function_parameters():
    check_parameters(FunctionDoc(gradient_descent), inspect.signature(gradient_descent).parameters)


@pytest.mark.parametrize("estimator", ESTIMATORS + SHORT)
def test_parameters_and_attributes(estimator):
    doc = ClassDoc(estimator)
    check_parameters(doc, inspect.signature(estimator).parameters)
    fitted = {name for name in vars(example(estimator)) if name.endswith("_") and not name.startswith("_")}
    assert {entry.name for entry in doc["Attributes"]} == fitted


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("parameter", "registry"),
    [("learning_rate", RULES), ("momentum", MOMENTA), ("preconditioner", PRECONDITIONERS)],
)
def test_registered_names(estimator, parameter, registry):
    (entry,) = (entry for entry in ClassDoc(estimator)["Parameters"] if entry.name == parameter)
    assert set(registry) <= set(re.findall(r'"([^"]+)"', " ".join(entry.desc)))
