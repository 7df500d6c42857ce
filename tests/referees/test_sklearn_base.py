"""scikit-learn's tests of LinearRegression, on GDLinearRegression."""

from . import referee

globals().update(
    referee.load(
        "test_base",
        classes=referee.stand_ins("LinearRegression"),
        solver="auto",
        elsewhere={
            # Helpers of scikit-learn's linear models that we do not use.
            "test_preprocess_data",
            "test_preprocess_data_multioutput",
            "test_preprocess_data_weighted",
            "test_sparse_preprocess_data_offsets",
            "test_csr_preprocess_data",
            "test_preprocess_copy_data_no_checks",
            "test_dtype_preprocess_data",
            "test_preprocess_data_integer_array_api_on_float32_only_device",
            "test_rescale_data",
            "test_fused_types_make_dataset",
            "test_predict_proba_lr_large_values",
        },
        not_offered={
            "test_array_api_move_estimator_to": "asks for a private function of theirs that moves fitted attributes",
        },
    )
)
