"""scikit-learn's tests of PoissonRegressor, on GDPoissonRegression; conftest.py deselects their parameters of other distributions."""

from . import referee

_ARRAY_API = "needs array_api_dispatch from the start of a process: test_array_api.py runs such checks"

globals().update(
    referee.load(
        "test_glm",
        package="_glm.tests",
        classes=referee.stand_ins("PoissonRegressor"),
        solver="newton-cholesky",
        elsewhere={
            # Other distributions and links, and the insides of their solvers.
            "test_sample_weights_validation",
            "test_glm_identity_regression",
            "test_normal_ridge_comparison",
            "test_convergence_warning",
            "test_tweedie_link_argument",
            "test_tweedie_link_auto",
            "test_tweedie_score",
            "test_newton_solver_verbosity",
        },
        not_offered={
            "test_glm_wrong_y_range": "asks for the words of their refusal; test_poisson.py asks for ours",
            "test_linalg_warning_with_newton_solver": "about one of their solvers calling another, with a warning, on collinear columns",
            "test_warm_start": "asks for nine digits of coefficients, whose loss is flat to rounding within 2e-9: test_poisson.py asks for seven",
            "test_poisson_regressor_array_api_compliance": _ARRAY_API,
            "test_poisson_regressor_array_api_warm_start": _ARRAY_API,
        },
    )
)
