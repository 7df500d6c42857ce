"""scikit-learn's tests of Ridge, on GDLinearRegression(alpha=...)."""

import pytest

from . import referee

globals().update(
    referee.load(
        "test_ridge",
        classes=referee.stand_ins("LinearRegression", "Ridge"),
        # Of their solvers the one that takes all that ours takes, sparse data with an
        # intercept included: some tests skip combinations that the others refuse.
        solver="sparse_cg",
        elsewhere={
            # RidgeCV, RidgeClassifier, RidgeClassifierCV, and the function ridge_regression.
            "test_ridge_gcv_integer_arrays",
            "test_ridge_gcv_vs_ridge_loo_cv",
            "test_ridge_loo_cv_asym_scoring",
            "test_ridge_gcv_cv_results_not_stored",
            "test_ridge_best_score",
            "test_ridge_classifier_with_scoring",
            "test_ridge_regression_custom_scoring",
            "test_ridge_classifier_multilabel_array_api",
            "test_class_weights",
            "test_class_weight_vs_sample_weight",
            "test_class_weights_cv",
            "test_ridgecv_store_cv_results",
            "test_ridge_classifier_cv_store_cv_results",
            "test_ridgecv_alphas_conversion",
            "test_ridgecv_alphas_zero",
            "test_ridgecv_int_alphas",
            "test_ridgecv_alphas_validation",
            "test_ridgecv_alphas_scalar",
            "test_metadata_routing_with_default_scoring",
            "test_set_score_request_with_default_scoring",
            "test_ridge_regression_convergence_fail",
            "test_ridge_regression_check_arguments_validity",
            "test_ridge_regression_dtype_stability",
            # The insides of their solvers.
            "test_primal_dual_relationship",
            "test_X_CenterStackOp",
            "test_compute_gram",
            "test_compute_covariance",
            "test_check_gcv_mode_choice",
            "test_lbfgs_solver_consistency",
        },
        not_offered={
            "test_ridge_array_api_compliance": "needs array_api_dispatch from the start of a process: test_array_api.py runs such checks",
            "test_ridge_per_target_alpha_array_api": "alpha is one number, whatever the array library",
            "test_array_api_error_and_warnings_for_solver_parameter": "asks for words about `solver`, which we do not have",
            "test_array_api_numpy_namespace_no_warning": "needs array_api_dispatch from the start of a process: test_array_api.py runs such checks",
            "test_n_iter": "asks for n_iter_ = None of their direct solvers; ours always counts",
            "test_ridge_fit_intercept_sparse_error": (
                "asks for the refusal of sparse data with an intercept, which we take"
            ),
            "test_ridge_fit_intercept_sparse_sag": (
                "ends by asking for a warning of their sag; "
                "what comes before is asked by test_ridge_fit_intercept_sparse, too"
            ),
        },
        marks={
            # RidgeCV, which is theirs: where its warning is seen by pytest.warns, it comes again without its module.
            "test_regularization_limits_ridge_gcv": [
                pytest.mark.filterwarnings("ignore:divide by zero encountered:RuntimeWarning")
            ],
            # Asks for one iteration and is content with any result.
            "test_sparse_cg_max_iter": [pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")],
        },
        theirs=[
            # RidgeCV where it leaves one out, or has no penalty to speak of.
            "Scoring failed:UserWarning",
            "One or more of the test scores are non-finite:UserWarning",
            "R.2 score is not well-defined:sklearn.exceptions.UndefinedMetricWarning",
            "divide by zero encountered:RuntimeWarning:sklearn.linear_model._ridge",
        ],
    )
)
