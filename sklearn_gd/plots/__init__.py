"""Pictures of a descent, in scikit-learn's conventions.

Uses: to see in one line what a fit did (`LossCurveDisplay`, `FitDisplay`) or a search found (`ValidationDisplay`), and to teach what
a learning rate or a rule does (`LearningRateDisplay`, `DescentPathDisplay`). Each has ``from_estimator(...)``, which draws at once, and keeps its
numbers in attributes, which ``plot(ax=None)`` draws again. matplotlib is imported when something is drawn.
"""

from .descent_path import DescentPathDisplay
from .fit import FitDisplay
from .learning_rate import LearningRateDisplay
from .loss_curve import LossCurveDisplay
from .validation import ValidationDisplay

__all__ = ["DescentPathDisplay", "FitDisplay", "LearningRateDisplay", "LossCurveDisplay", "ValidationDisplay"]
