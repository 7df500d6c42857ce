"""scikit-learn's tests of QuantileRegressor, on GDQuantileRegression."""

from . import referee

globals().update(
    referee.load(
        "test_quantile",
        classes=referee.stand_ins("QuantileRegressor"),
        solver="highs",
        elsewhere=set(),
        theirs=["lbfgs failed to converge"],  # their HuberRegressor, which theirs is compared with
        not_offered={
            "test_incompatible_solver_for_sparse_input": "asks for words about `solver`, which we do not have",
            "test_linprog_failure": "asks for words about a linear program that fails",
            "test_error_interior_point_future": "asks for words about `solver`, which we do not have",
        },
    )
)
