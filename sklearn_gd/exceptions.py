"""What a run that left the finite numbers, or grew without end, is reported as."""

from sklearn.exceptions import ConvergenceWarning

__all__ = ["DivergenceError", "DivergenceWarning"]


class DivergenceWarning(ConvergenceWarning):
    """The loss grew without end; the fit kept its best finite iterate.

    Issued by ``fit`` with ``on_divergence="warn"``. The message names the learning rate, the iteration and
    the largest rate that is safe for the data.
    """


class DivergenceError(ArithmeticError):
    """The loss grew without end, and ``on_divergence="raise"`` asked for an error.

    In a ``GridSearchCV`` with its default ``error_score=nan`` such a candidate is scored NaN and ranked last.
    """
