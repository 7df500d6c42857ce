"""What the solvers of quantile regression share: their base class."""

import sys
from pathlib import Path

# benchopt runs from anywhere, and loads the files of a benchmark alone; what the benchmarks share lies above them.
sys.path[:0] = [root for root in [str(Path(__file__).parents[3])] if root not in sys.path]

from benchmarks.curves import Fit, Regression  # noqa: E402  from the path above

__all__ = ["Fit", "Quantile"]


class Quantile(Regression):
    """A solver of min 1/n Σ max(q r, (q − 1) r) + alpha ‖w‖₁, r = y − X·w − b; has `X`, `y`, `quantile` and `alpha`."""

    def descended(self, **options):
        """The fit of `GDQuantileRegression`."""
        from sklearn_gd import GDQuantileRegression

        model = GDQuantileRegression(quantile=self.quantile, alpha=self.alpha, **options).fit(self.X, self.y)
        return self.estimated(model, model.history_["passes"][-1])
