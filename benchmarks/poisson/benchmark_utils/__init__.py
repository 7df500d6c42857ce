"""What the solvers of Poisson regression share: their base class."""

import sys
from pathlib import Path

# benchopt runs from anywhere, and loads the files of a benchmark alone; what the benchmarks share lies above them.
sys.path[:0] = [root for root in [str(Path(__file__).parents[3])] if root not in sys.path]

from benchmarks.curves import Fit, Regression  # noqa: E402  from the path above

__all__ = ["Fit", "Poisson"]


class Poisson(Regression):
    """A solver of the mean Poisson deviance/2 + alpha/2 ‖w‖²; has `X`, `y`, `alpha` and `sample_weight`, or None for it."""

    def descended(self, **options):
        """The fit of `GDPoissonRegression`."""
        from sklearn_gd import GDPoissonRegression

        model = GDPoissonRegression(alpha=self.alpha, **options)
        model.fit(self.X, self.y, sample_weight=self.sample_weight)
        return self.estimated(model, model.history_["passes"][-1])
