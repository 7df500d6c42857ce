"""scikit-learn's tests of LogisticRegression, on GDLogisticRegression."""

import pytest

from . import referee

_MESSAGES = "asks for the words in which their solvers refuse a parameter"
_DEPRECATED = "about the end of a parameter that we never had"
_STOPPED_EARLY = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
_L1 = "compares penalties of which only L2 is offered yet"
_ARRAY_API = "needs array_api_dispatch from the start of a process: test_array_api.py runs such checks"

globals().update(
    referee.load(
        "test_logistic",
        classes=referee.stand_ins("LogisticRegression"),
        solver="lbfgs",
        elsewhere={
            # LogisticRegressionCV alone, and the function behind it.
            "test_logistic_regression_path_convergence_fail",
            "test_logistic_cv_refit_false_non_elasticnet",
            "test_logistic_cv_mock_scorer",
            "test_logistic_cv_sparse",
            "test_logistic_regressioncv_class_weights",
            "test_LogisticRegressionCV_no_refit",
            "test_LogisticRegressionCV_elasticnet_attribute_shapes",
            "test_logistic_regression_path_coefs_multinomial",
            "test_logistic_regression_path_init_coefs",
            "test_lr_cv_scores_differ_when_sample_weight_is_requested",
            "test_lr_cv_scores_without_enabling_metadata_routing",
            "test_passing_params_without_enabling_metadata_routing",
            "test_logisticregressioncv_warns_with_use_legacy_attributes",
            "test_lr_scoring_warns",
            "test_get_default_scorer",
        },
        not_offered={
            "test_check_solver_option": _MESSAGES,
            "test_elasticnet_l1_ratio_err_helpful": _MESSAGES,
            "test_liblinear_multiclass_raises": _MESSAGES,
            "test_liblinear_with_large_values": _MESSAGES,
            "test_penalty_none": _DEPRECATED,
            "test_penalty_deprecated": _DEPRECATED,
            "test_l1_ratio_None_deprecated": _DEPRECATED,
            "test_l1_ratio_non_elasticnet": _DEPRECATED,
            "test_lr_penalty_l1ratio_incompatible": _DEPRECATED,
            "test_elastic_net_l1_l2_equivalence": _DEPRECATED,
            "test_logisticregression_warns_with_n_jobs": _DEPRECATED,
            "test_logistic_regression_array_api_compliance": _ARRAY_API,
            "test_logistic_regression_array_api_warm_start": _ARRAY_API,
            # The adapter would skip these, too, after some fits that lead to nothing.
            "test_elastic_net_vs_l1_l2": _L1,
            "test_elastic_net_coeffs": _L1,
            "test_LogisticRegressionCV_GridSearchCV_elastic_net": _L1,
            "test_logistic_cv": "compares six digits with where their liblinear ends at its loose tolerance",
            "test_sparsify": "sparsify() and densify() serve coefficients that an L1 penalty made sparse",
            "test_logreg_predict_proba_multinomial": (
                "ends in a private method of theirs; the loss below one-vs-rest's is asked by test_optimum.py"
            ),
            "test_newton_cholesky_fallback_to_lbfgs": ("about one of their solvers calling another"),
            "test_logistic_regression_callback_support": (
                "counts the empty task at the end of their lbfgs; test_callbacks.py counts ours"
            ),
            "test_logistic_regression_callback_support_warning": (
                "about a solver of theirs without callbacks; ours all have them"
            ),
        },
        theirs=[
            # LogisticRegressionCV, where it does not converge.
            "lbfgs failed to converge:sklearn.exceptions.ConvergenceWarning",
            "The max_iter was reached which means:sklearn.exceptions.ConvergenceWarning",
        ],
        marks={
            # Refits with max_iter=1, 2, ... to compare with what a callback was shown.
            "test_logistic_regression_callback_fitted_estimator": [_STOPPED_EARLY],
        },
        restated={
            # Theirs name each solver in its message.
            "test_max_iter": ("solver, message", [("lbfgs", "max_iter")]),
            # Without neg_log_loss, where their lbfgs ends at its loose tolerance with three right digits of six.
            "test_logistic_cv_multinomial_score": (
                "scoring, multiclass_agg_list",
                [
                    ("accuracy", [""]),
                    ("precision", ["_macro", "_weighted"]),
                    ("f1", ["_macro", "_weighted"]),
                    ("recall", ["_macro", "_weighted"]),
                ],
            ),
            # Two single steps are two steps at once for a method without a memory only.
            "test_warm_start_newton_solver": ("solver", ["newton-cg"]),
        },
    )
)
