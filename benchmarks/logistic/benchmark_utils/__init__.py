"""What the logistic solvers share: their base class."""

import sys
from pathlib import Path

import numpy as np
import scipy.sparse

# benchopt runs from anywhere, and loads the files of a benchmark alone; what the benchmarks share lies above them.
sys.path[:0] = [root for root in [str(Path(__file__).parents[3])] if root not in sys.path]

from benchmarks.curves import Contestant, Fit  # noqa: E402  from the path above

__all__ = ["Fit", "Logistic"]


class Logistic(Contestant):
    """A solver of min 1/n Σ ℓ(yᵢ, xᵢ·W + b) + 1/(2·C·n) ‖W‖²; has `X`, `y`, `C` and `fit_intercept`.

    `y` has the classes' numbers, 0, 1, …; `C` may be infinite.
    """

    @property
    def n_classes(self):
        return int(self.y.max()) + 1

    @property
    def alpha(self):
        """The strength of the penalty beside a mean of losses."""
        return 1 / (self.C * len(self.y))

    def nothing(self):
        n_features = self.X.shape[1]
        return Fit(
            *(
                (np.zeros(n_features), 0.0)
                if self.n_classes == 2
                else (np.zeros((self.n_classes, n_features)), np.zeros(self.n_classes))
            ),
            0.0,
        )

    # -- what a solver may not be able to express ------------------------------------------------------------------

    def binary(self):
        return "has no multinomial loss" if self.n_classes > 2 else ""

    def penalised(self):
        return "has no L2 penalty" if np.isfinite(self.C) else ""

    def sparse(self):
        return "takes no sparse matrix" if scipy.sparse.issparse(self.X) else ""

    def intercept(self):
        return "penalises the intercept, or has none" if self.fit_intercept else ""

    # ------------------------------------------------------------------------------------------------------------------

    def estimated(self, model, passes=float("nan")):
        """The fit of an estimator with scikit-learn's attributes."""
        intercept = model.intercept_ if self.fit_intercept else 0.0
        if self.n_classes == 2:
            return Fit(np.ravel(model.coef_), float(np.ravel(intercept)[0]), passes)
        return Fit(np.asarray(model.coef_), np.broadcast_to(np.ravel(intercept), self.n_classes), passes)
