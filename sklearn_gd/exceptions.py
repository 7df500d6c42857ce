"""What a run is reported as that left the finite numbers, has no optimum, or is not told its optimum by the arithmetic."""

from sklearn.exceptions import ConvergenceWarning

__all__ = ["DivergenceError", "DivergenceWarning", "PrecisionWarning", "SeparationWarning"]


class DivergenceWarning(ConvergenceWarning):
    """The loss grew without end; the fit kept its best finite iterate.

    Issued by ``fit`` with ``on_divergence="warn"``. The message names the learning rate, the iteration and
    the largest rate that is safe for the data.
    """


class PrecisionWarning(ConvergenceWarning):
    """A part of the loss that could be explained is left out, because the arithmetic cannot tell the columns apart.

    Issued by ``fit`` where that part is larger than 1e-3, or ``tol`` where that is more. The message names it, and what helps.
    """


class SeparationWarning(ConvergenceWarning):
    """A logistic model without a penalty has no finite optimum: a hyperplane separates classes.

    Issued by ``fit`` with ``C=inf``. The coefficients are finite, and predictions are right, but the coefficients would grow without end.

    References
    ----------
    A. Albert and J. Anderson, "On the existence of maximum likelihood estimates in logistic regression models", Biometrika 71, 1984,
    doi:10.1093/biomet/71.1.1.
    """


class DivergenceError(ArithmeticError):
    """The loss grew without end, and ``on_divergence="raise"`` asked for an error.

    In a ``GridSearchCV`` with its default ``error_score=nan`` such a candidate is scored NaN and ranked last.
    """
