from sklearn.utils.estimator_checks import parametrize_with_checks
import pytest
from sklearn_gd import GDLinearRegressionCV, GDLogisticRegressionCV
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
ESTIMATORS=[GDLogisticRegressionCV(), GDLogisticRegressionCV(cv=3, class_weight="balanced"), GDLogisticRegressionCV(cv=2,refit=False), GDLinearRegressionCV(), GDLinearRegressionCV(cv=3),GDLinearRegressionCV(alphas=[0.1,1]),GDLogisticRegressionCV(cv="loo")]
_PAIRS = parametrize_with_checks(ESTIMATORS).mark
_CHECKS = [pair for pair in _PAIRS.args[1] if "check_array_api" not in repr(pair[1])]
@pytest.mark.parametrize(_PAIRS.args[0], _CHECKS, **_PAIRS.kwargs)
def test_estimator(estimator, check):
    check(estimator)
