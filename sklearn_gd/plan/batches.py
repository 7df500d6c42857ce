"""Mini-batches: an iteration that is a pass over the rows in steps of a few of them.

Two uses: single samples and batches of them, with a number, a callable, a schedule or a rule that looks at gradients alone.

The loop of `descent` stays the one there is: it takes a whole pass for one step, looks at the objective of all samples after it, and
decides by that whether the run ends.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..descent import Run, directions
from ..objectives import LinearModel
from ..protocols import Array, Choose, Momentum, Point, StepRule, Subspace
from ..steps import Rule

__all__ = ["MiniBatches"]


class MiniBatches(Rule):
    """A pass over the rows, drawn in a new order, as one step.

    Parameters
    ----------
    rule : rule
        One that is `scheduled`; its iteration k counts the batches since the start.
    momentum : NoMomentum or HeavyBall
        Of the steps of batches, from one pass to the next, too.
    model : LinearModel
        The objective of all rows, in memory or in a file, and without weights.
    size : int
        Rows of a batch; the last one of a pass has what is left.
    random : RandomState
    """

    momentum = False
    scheduled = True

    def __init__(
        self, rule: StepRule, momentum: Momentum, model: LinearModel, size: int, random: np.random.RandomState
    ) -> None:
        self.rule, self.ahead, self.model, self.size, self.random = rule, momentum, model, size, random

    def batches(self) -> Iterator[LinearModel]:
        """The objectives of one pass: the mean loss of a batch, and the whole penalty."""
        model = self.model
        order: Array = self.random.permutation(model.design.n_samples)
        for first in range(0, len(order), self.size):
            rows = np.sort(order[first : first + self.size])  # as files are read
            yield LinearModel(model.design.take(rows), model.loss, model.y[rows], None, model.penalty)

    def begin(self, run: Run) -> Choose:
        model = self.model
        within = Run(model, run.point.coef, run.stopping, run.max_iter, run.rounding.eps)
        choose, extrapolate = self.rule.begin(within), self.ahead.begin(within)

        def choose_pass(space: Subspace, factor: float) -> tuple[Array, Point | None]:
            for batch in self.batches():
                within.point = batch.at(within.point.coef)
                within.base, factor = extrapolate(within)
                near = within.base.along(*directions(within, run.metric, factor != 0))
                a, point = choose(near, factor)
                within.advance(near.point(a) if point is None else point, a, factor)
            model.design.passes += 1
            return np.array([within.last.rate, within.last.momentum]), model.at(within.point.coef)

        return choose_pass
