"""What the solvers of Huber regression share: their base class."""

import sys
from pathlib import Path

# benchopt runs from anywhere, and loads the files of a benchmark alone; what the benchmarks share lies above them.
sys.path[:0] = [root for root in [str(Path(__file__).parents[3])] if root not in sys.path]

from benchmarks.curves import Fit, Regression  # noqa: E402  from the path above

__all__ = ["Fit", "Huber"]


class Huber(Regression):
    """A solver of min 1/n Σ [σ/2 + σ h((y − X·w − b)/σ)] + alpha/2 ‖w‖²; has `X`, `y`, `alpha`, `epsilon` and `scale`.

    `scale` is σ where it is fixed, and None where it is to be found with the coefficients.
    """

    def joint(self):
        return "takes no scale that is given" if self.scale is not None else ""

    def fixed(self):
        return "estimates the scale by another objective" if self.scale is None else ""

    def descended(self, **options):
        """The fit of `GDHuberRegression`."""
        from sklearn_gd import GDHuberRegression

        scale = "joint" if self.scale is None else self.scale
        model = GDHuberRegression(epsilon=self.epsilon, scale=scale, alpha=self.alpha, **options).fit(self.X, self.y)
        return self.estimated(model, model.history_["passes"][-1])
