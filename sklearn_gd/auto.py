"""What is solved how: the objective, the metric and the start that a fit gets.

Two uses: a rule that the user has chosen, on the linear model's loss as it stands (`explicit`); and
``learning_rate="auto"`` (`automatic`), which is free to choose the form of the problem, too.

This is, beside `base`, the one place where the method tower meets the problem tower: choosing a metric needs to know
what a product with X costs, and neither tower may know both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from .descent import Run, Stopping, descend
from .momentum import NoMomentum
from .objectives import LinearModel, Quadratic
from .penalties import L2
from .preconditioners import Diagonal, Full, Identity
from .steps import PlaneSearch

__all__ = ["Problem", "automatic", "explicit"]


@dataclass
class Problem:
    """A validated fit: what is minimised, from where, and until when.

    Attributes
    ----------
    design : design
    loss : loss
    y : ndarray
    weight : ndarray of shape (n_samples,) or None
        Sums to one.
    alpha : float
    scale : float or ndarray
        The root of twice the loss of the best constant prediction, an output.
    start : ndarray
        Coefficients, the intercept last.
    tol, max_iter, verbose, callback
        As the estimator has them.
    """

    design: object
    loss: object
    y: np.ndarray
    weight: np.ndarray | None
    alpha: float
    scale: object
    start: np.ndarray
    tol: float
    max_iter: int
    verbose: int = 0
    callback: object = None
    model: LinearModel = field(init=False)

    def __post_init__(self):
        self.eps = float(np.finfo(self.design.dtype).eps)
        self.model = LinearModel(self.design, self.loss, self.y, self.weight, L2(self.alpha, self.design.n_features))

    def stopping(self, moments):
        """The one criterion, from the columns' moments."""
        metric = Diagonal(moments, self.loss.curvature, self.alpha)
        n, p = self.design.n_samples, self.design.n_features
        centre = moments.centre
        rms = np.sqrt(np.maximum(moments.matrix, 0) + centre**2)
        sigma = np.sqrt(moments.matrix)
        with np.errstate(divide="ignore", invalid="ignore"):
            offset = np.where(metric.root > 0, np.abs(centre) / sigma, 0.0)
        amplified = float(np.sqrt(np.mean(1 + offset**2))) if p else 1.0
        spread = math.sqrt((p + 1) / n)
        size = float(np.min(self.scale))

        def floor(coef):
            # Rounding errors of the predictions, whose terms are w_j x_ij, and of the sums of residuals over columns that
            # are far from zero; both are independent between samples, hence 1/√n, and add up over p columns.
            w = coef[:p]
            terms = float(np.linalg.norm((rms * w.T).T)) + float(np.linalg.norm(coef[p:]))
            return self.eps * spread * (amplified + terms / size)

        return Stopping(metric, self.scale, self.tol, floor)

    def run(self, objective, stopping, start=None):
        return Run(objective, self.start if start is None else start, stopping, self.max_iter, self.eps, self.verbose)


def metric_for(name, problem, moments):
    """The fixed preconditioner of that name on the loss's curvature bound."""
    factor, alpha = problem.loss.curvature, problem.alpha
    if name is None:
        return Identity()
    if name == "diagonal":
        return Diagonal(moments, factor, alpha)
    return Full(problem.design.gram(problem.weight), factor, alpha, problem.eps)


def explicit(problem, rule, momentum, preconditioner):
    """The run of a rule that the user has chosen."""
    moments = problem.design.moments(problem.weight)
    metric = metric_for(preconditioner, problem, moments)
    run = problem.run(problem.model, problem.stopping(moments))
    run.metric = metric
    return descend(run, learning_rate=rule, momentum=momentum, preconditioner=metric, callback=problem.callback)


def automatic(problem, preconditioner):
    """The run of ``learning_rate="auto"``."""
    moments = problem.design.moments(problem.weight)
    run = problem.run(problem.model, problem.stopping(moments))
    run.metric = metric_for("diagonal" if preconditioner == "auto" else preconditioner, problem, moments)
    return descend(
        run, learning_rate=PlaneSearch(), momentum=NoMomentum(), preconditioner=run.metric, callback=problem.callback
    )
