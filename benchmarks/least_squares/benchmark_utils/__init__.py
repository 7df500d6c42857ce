"""What the least-squares solvers share: their base class, and the forms of the problem that some of them need."""

import sys
from pathlib import Path

# benchopt runs from anywhere, and loads the files of a benchmark alone; what the benchmarks share lies above them.
sys.path[:0] = [root for root in [str(Path(__file__).parents[3])] if root not in sys.path]

from benchmarks.curves import Fit, Regression  # noqa: E402  from the path above

__all__ = ["Fit", "LeastSquares"]


class LeastSquares(Regression):
    """A solver of min 1/n Σ ½ (y − X·w − b)² + alpha/2 ‖w‖²; has `X`, `y`, `alpha` and `fit_intercept`."""

    # -- what a solver may not be able to express ------------------------------------------------------------------

    def singular(self):
        n_samples, n_features = self.X.shape
        return "XᵀX is singular: more features than samples" if n_features >= n_samples and not self.alpha else ""

    # -- forms of the problem --------------------------------------------------------------------------------------

    def centred(self):
        """Columns and target about their means, which stand for the intercept, and the way back; part of the fit."""
        if not self.fit_intercept:
            return self.X, self.y, lambda coef, passes=float("nan"): Fit(coef, 0.0, passes)
        mean, level = self.X.mean(axis=0), self.y.mean()

        def back(coef, passes=float("nan")):
            return Fit(coef, level - mean @ coef, passes)

        return self.X - mean, self.y - level, back
