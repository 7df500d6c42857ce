"""What is minimised: a linear model's loss over a design, or a quadratic known by its Hessian product.

Two uses: `LinearModel` for every loss and every rule, `Quadratic` for the automatic rule on squared error, where the
gradient itself moves along straight lines. Both give the method tower the same three things: a `Point` (a place
and what is known there), a `Direction`, and the `Subspace` that directions span from a point.

In a subspace the expensive part of each direction, its *predictor*, is computed once. The predictor is the raw predictions
[X 1] d for a linear model, the Hessian product H d for a quadratic; it is linear in the direction, so the predictor of the
last step is the difference of two points' and costs no pass over X.
"""

from .linear_model import LinearModel
from .points import Direction, Point, Subspace
from .quadratic import Quadratic

__all__ = ["Direction", "LinearModel", "Point", "Quadratic", "Subspace"]
