"""Pictures of a descent, in scikit-learn's conventions.

Two uses: to see in one line what a fit did (`LossCurveDisplay`, `FitDisplay`), and to teach what a learning rate or a rule
does (`LearningRateDisplay`, `DescentPathDisplay`). Each has ``from_estimator(...)``, which draws at once, and keeps its
numbers in attributes, which ``plot(ax=None)`` draws again. matplotlib is imported when something is drawn.
"""

from .descent_path import DescentPathDisplay
from .fit import FitDisplay
from .learning_rate import LearningRateDisplay
from .loss_curve import LossCurveDisplay

__all__ = ["DescentPathDisplay", "FitDisplay", "LearningRateDisplay", "LossCurveDisplay"]
