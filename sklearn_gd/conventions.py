"""Learning rates of other conventions: the same step from a loss that is a multiple of this package's."""

from __future__ import annotations

from ._checks import check_choice, check_integer, check_number
from .messages import no_samples_for_a_sum

__all__ = ["book_rate"]

#: the loss of a book -> by what it multiplies this package's loss of a sample, and whether it is a sum
CONVENTIONS = {
    "mean of halves": (1.0, False),
    "mean of squares": (2.0, False),
    "sum of halves": (1.0, True),
    "sum of squares": (2.0, True),
    "mean of log losses": (1.0, False),
    "sum of log losses": (1.0, True),
}


def book_rate(rate: float, loss: str, n_samples: int | None = None) -> float:
    """Translate the learning rate of a book, for the same iterates.

    A step is η times a gradient, and a gradient is as large as the loss is written: that of a mean of squares is twice that
    of a mean of halves, which is this package's, and that of a sum is n_samples times that of a mean.

    Parameters
    ----------
    rate : float
        The book's learning rate η, greater than 0.
    loss : {"mean of halves", "mean of squares", "sum of halves", "sum of squares", "mean of log losses", "sum of log losses"}
        What the book descends on, with m samples and residuals r: 1/(2m) Σ r², with the gradient 1/m Xᵀr; 1/m Σ r², 2/m Xᵀr;
        ½ Σ r², Xᵀr; Σ r², 2 Xᵀr; and the mean and the sum of the log losses (cross-entropies).
    n_samples : int or None, default=None
        The number of samples m, or the sum of their weights; needed for sums, and not used for means.

    Returns
    -------
    learning_rate : float
        For ``learning_rate=`` of the estimators.

    Raises
    ------
    ValueError, TypeError
        For a rate that is not positive, a loss without a name here, and a sum without `n_samples`.

    Examples
    --------
    >>> from sklearn_gd import GDLinearRegression, book_rate
    >>> book_rate(0.1, "mean of squares")
    0.2
    >>> book_rate(0.001, "sum of halves", n_samples=50)
    0.05
    >>> model = GDLinearRegression(learning_rate=book_rate(0.1, "mean of squares"))

    A rate that falls is translated where it is written:

    >>> model = GDLinearRegression(learning_rate=lambda k: book_rate(5 / (k + 50), "mean of squares"))
    """
    check_number("rate", rate, 0, left=False, right=False)
    check_choice("loss", loss, CONVENTIONS)
    factor, is_sum = CONVENTIONS[loss]
    if is_sum:
        if n_samples is None:
            raise ValueError(no_samples_for_a_sum(loss))
        check_integer("n_samples", n_samples, 1)
        factor *= n_samples
    return factor * float(rate)
