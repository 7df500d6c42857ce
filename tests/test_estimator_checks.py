"""scikit-learn's estimator checks, on every rule, momentum and metric; none is expected to fail.

What is registered in `steps.RULES`, `momentum.MOMENTA` and `preconditioners.PRECONDITIONERS` is checked by that alone.
"""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, PoissonRegressor
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_gd import (
    GDHuberRegression,
    GDLinearRegression,
    GDLogisticRegression,
    GDPoissonRegression,
    GDQuantileRegression,
    momentum,
    preconditioners,
    steps,
)

# The checks fit unscaled data, often a handful of rows. A textbook rate need not converge there in the iterations
# it is given; warning of that, and of divergence, is what it should do.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# They know no size of a gradient: from a rate with which their way from zero is no longer than the others'.
STEPS_OF_ONE_SIZE = ("adagrad", "adam", "amsgrad")


def _configurations(**short):
    for rule, rule_class in steps.RULES.items():
        # Polyak's rate is a difference of values, (F - level)/|gradient|^2: near the minimum nothing but their rounding
        # errors, which differ between weights and repetitions. The check of these compares to 1e-7.
        max_iter = {"polyak": 30, **short}.get(rule, 100)
        if rule in STEPS_OF_ONE_SIZE and rule not in short:
            yield {"learning_rate": rule_class(0.3), "max_iter": max_iter}
            continue
        yield {"learning_rate": rule} if rule == "auto" else {"learning_rate": rule, "max_iter": max_iter}
        if rule == "lipschitz":
            # A rule may be an object with parameters of its own.
            yield {"learning_rate": rule_class(), "max_iter": 100}
    for name in momentum.MOMENTA:
        yield {"learning_rate": "lipschitz", "momentum": name, "max_iter": 100}
    yield {"learning_rate": 0.1, "momentum": 0.5, "max_iter": 100}
    for name in [None, *preconditioners.PRECONDITIONERS]:
        yield {"preconditioner": name}
    yield {"learning_rate": "exact", "preconditioner": "diagonal", "max_iter": 100}
    yield {"learning_rate": 0.1, "max_iter": 100}
    yield {"learning_rate": 1.0, "preconditioner": "full"}
    yield {"fit_intercept": False}
    yield {"init": "random", "random_state": 0}
    yield {"warm_start": True}


SCHEDULES = ("inverse-time", "exponential", "step", "cosine")
ESTIMATORS = [
    *(GDLinearRegression(**params) for params in _configurations()),
    GDLinearRegression(alpha=0.1),
    # Rates from differences of gradients are as sensitive where a sample's slope has a kink; and steps that know no size of a gradient take
    # longer where the first scale is not the last.
    *(
        GDHuberRegression(**params)
        for params in _configurations(**{"barzilai-borwein": 10, "adgd": 30}, **dict.fromkeys(STEPS_OF_ONE_SIZE, 1000))
    ),
    GDHuberRegression(alpha=0.1),
    GDHuberRegression(scale=1.0),
    *(GDLogisticRegression(**params) for params in _configurations()),
    GDLogisticRegression(class_weight="balanced"),
    # Of the schedules, which see nothing of the loss, one.
    *(GDPoissonRegression(**params) for params in _configurations() if params.get("learning_rate") not in SCHEDULES),
    GDPoissonRegression(alpha=0.1),
    # Of the schedules none, for which a number stands; Adam and its kin as there.
    *(
        GDQuantileRegression(**params)
        for params in _configurations()
        if params.get("learning_rate") not in (*SCHEDULES, *STEPS_OF_ONE_SIZE)
    ),
    *(GDQuantileRegression(learning_rate=steps.RULES[rule](0.3), max_iter=100) for rule in STEPS_OF_ONE_SIZE),
    GDQuantileRegression(quantile=0.8, alpha=0.1),
    GDQuantileRegression(quantile=[0.2, 0.5, 0.8], rearrange=True),
]


def _not_of_this_model(estimator):
    """Checks that no optimum can pass; the test below shows that it is not ours that cannot."""
    if isinstance(estimator, GDLogisticRegression) and not estimator.fit_intercept:
        reason = "asks that class weights move the boundary away from the origin, which takes an intercept"
        return {"check_class_weight_classifiers": reason}
    if isinstance(estimator, GDPoissonRegression) and not estimator.fit_intercept:
        return {
            "check_regressors_train": "asks that half the deviance about the mean be explained, which takes an intercept"
        }
    if isinstance(estimator, GDQuantileRegression) and np.ndim(estimator.quantile):
        # "check_estimator_sparse_..." and "check_regressors_train" ask for predictions of the shape of y
        names = ("check_estimator_sparse_array", "check_estimator_sparse_matrix", "check_regressors_train")
        return dict.fromkeys(names, "asks for one prediction a sample, and there are three quantiles")
    if isinstance(estimator, GDQuantileRegression) and estimator.learning_rate == 1.0:
        # a step goes by the sign of residuals, and in this metric the first one leads to where these are rounding errors
        names = ("dense", "sparse")
        reason = "asks that weights and repeated rows take one path, which rounding errors of residuals part"
        return dict.fromkeys((f"check_sample_weight_equivalence_on_{name}_data" for name in names), reason)
    return {}


def test_scikit_learns_own_models_without_intercept_fail_these_checks_too():
    with pytest.raises(AssertionError):
        estimator_checks.check_regressors_train(
            "PoissonRegressor", PoissonRegressor(fit_intercept=False, solver="newton-cholesky")
        )
    with pytest.raises(AssertionError):
        estimator_checks.check_class_weight_classifiers(
            "LogisticRegression", LogisticRegression(fit_intercept=False, solver="newton-cholesky")
        )


# Before 1.9 scikit-learn hands pytest a generator, which pytest 9 warns of: a list is the same.
_PAIRS = parametrize_with_checks(ESTIMATORS, expected_failed_checks=_not_of_this_model).mark
# Those of array libraries need a process of their own: test_array_api.py.
_CHECKS = [pair for pair in _PAIRS.args[1] if "check_array_api" not in repr(pair[1])]


@pytest.mark.parametrize(_PAIRS.args[0], _CHECKS, **_PAIRS.kwargs)
def test_estimator(estimator, check):
    check(estimator)


# Checks that scikit-learn runs on its own estimators only. Of these `check_param_validation` reads a private
# declaration that we do not make: test_validation.py asks the same of every parameter.
NOT_RUN_FOR_OTHERS = ["check_dataframe_column_names_consistency", "check_inplace_ensure_writeable"]


@pytest.mark.parametrize("check", NOT_RUN_FOR_OTHERS)
@pytest.mark.parametrize(
    "estimator",
    [GDLinearRegression(), GDLogisticRegression(), GDPoissonRegression()],
    ids=["regression", "logistic", "poisson"],
)
def test_checks_that_are_not_run_for_others(estimator, check):
    if not hasattr(estimator_checks, check):
        pytest.skip("this scikit-learn has no such check")
    getattr(estimator_checks, check)(type(estimator).__name__, clone(estimator))


def test_check_class_weight_balanced_linear_classifier():
    # Run by scikit-learn on subclasses of a private mixin only.
    check = estimator_checks.check_class_weight_balanced_linear_classifier
    takes_instances = (
        "estimator_orig" in check.__wrapped__.__code__.co_varnames
        if hasattr(check, "__wrapped__")
        else "estimator_orig" in check.__code__.co_varnames
    )
    check("GDLogisticRegression", GDLogisticRegression() if takes_instances else GDLogisticRegression)


@pytest.mark.parametrize("name", ["sample weights", "sparse sample weights"])
@pytest.mark.parametrize(
    "estimator",
    [GDLinearRegression(), GDLogisticRegression(), GDPoissonRegression()],
    ids=["regression", "logistic", "poisson"],
)
def test_sample_weight_equivalence_at_other_tolerances(estimator, name):
    """The check itself, where the run is cut off: the paths agree, not only their ends."""
    check = getattr(
        estimator_checks,
        "check_sample_weight_equivalence_on_" + ("sparse_data" if name.startswith("sparse") else "dense_data"),
    )
    for params in ({"max_iter": 3}, {"tol": 1e-2}, {"tol": 1e-12, "max_iter": 10_000}):
        check(type(estimator).__name__, clone(estimator).set_params(**params))


def test_every_part_is_among_the_configurations():
    checked = [estimator.get_params(deep=False) for estimator in ESTIMATORS]
    for registry, parameter in (
        (steps.RULES, "learning_rate"),
        (momentum.MOMENTA, "momentum"),
        (preconditioners.PRECONDITIONERS, "preconditioner"),
    ):
        values = [params[parameter] for params in checked]
        for name, part in registry.items():
            assert (
                sum(value == name or type(value) is part for value in values if not callable(value)) >= 2
                or name == "auto"
            ), name
    assert len(ESTIMATORS) >= 24
    assert np.any([isinstance(params["learning_rate"], float) for params in checked])
