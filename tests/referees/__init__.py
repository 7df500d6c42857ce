"""scikit-learn's own tests of its linear models, run on ours."""
