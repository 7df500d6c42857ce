"""Descents with given learning rates side by side, on the same rows: an iteration of all of them is one read of X.

Two uses: the learning rates of logistic regression on a training part, and its penalties at given rates (`rates`). Iterates are those of
`plan.explicit`, and end where its run does; a run's `max_iter` and `tol` decide nothing but that, so that one trajectory has the ends
for all of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import compiled
from ..descent import LOST, STAGNATION
from ..momentum import Nesterov
from ..objectives.samples import SampleLoss
from ..plan import Problem
from ..plan.problem import FAR
from ..progress import REFRESH, RISES
from ..protocols import Array, Loss, Momentum
from ..steps import Schedule
from .squares import Fit, heavy

__all__ = ["Asked", "Trajectory", "follow_all"]

# Iterations between two looks at the criterion, at first and at the most: it is looked at for all of them together. What is gone too far
# is at most as much as there was before.
FEWEST, MOST = 8, 64
# Numbers of the iterates that are looked at together: 4 MB.
NUMBERS = 1 << 19


class Asked(NamedTuple):
    """A candidate that a trajectory has an end for."""

    candidate: int
    max_iter: int
    tol: float


class Trajectory:
    """A descent, and what it remembers of its losses: as `descent.Run` and its history do.

    Parameters
    ----------
    problem : Problem
    start : ndarray
        Its first coefficients.
    rule : Schedule
    momentum : Momentum
        None, heavy ball's or Nesterov's.
    asked : sequence of Asked

    Attributes
    ----------
    fits : dict of int to Fit
        The ends of the candidates, coefficients of shape (size, n_outputs).
    error : Exception or None
        Why there are none: what the rule raised.
    """

    def __init__(
        self, problem: Problem, start: Array, rule: Schedule, momentum: Momentum, asked: Sequence[Asked]
    ) -> None:
        self.problem, self.start, self.rule, self.momentum, self.open = problem, start, rule, momentum, list(asked)
        self.last = max(each.max_iter for each in asked)
        self.fits: dict[int, Fit] = {}
        self.error: Exception | None = None
        self.stopping = problem.stopping()
        self.every = 1 if problem.amplified > FAR else REFRESH
        self.refreshed = self.rises = self.improved = 0
        self.first, self.before, self.best, self.flattest = math.nan, math.inf, math.inf, math.inf
        self.best_coef = self.flattest_coef = self.start

    def rates(self, first: int, count: int) -> list[float]:
        """Those of the next iterations; 0 where no candidate goes, and of a rule that raises an error."""
        try:
            known = [self.rule.rate(k) for k in range(first, min(first + count, self.last))]
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            self.error, self.open, known = error, [], []
        return known + [0.0] * (count - len(known))

    def noise(self, values: Any) -> Any:
        """The rounding errors of losses: as `Run.noise` has it."""
        size = np.abs(values)
        return 100 * self.problem.eps * (size + np.sqrt(size * self.stopping.null_loss))

    def note(self, k: int, values: Array, norms: Array, floors: Array, coefs: Array) -> None:
        """Look at the iterates from the k-th on.

        Parameters
        ----------
        k : int
        values, norms, floors : ndarray of shape (n_iterates,)
            Losses, and gradients' norms and those of their rounding errors, as the criterion measures them; of the latter 0 where they
            decide nothing.
        coefs : ndarray of shape (n_iterates, size, n_outputs)
        """
        if not k:
            self.first = float(values[0])
        noise = self.noise(values)
        falls = values < np.minimum(np.append(self.best, values[:-1]), self.best) - noise
        if bool(falls.all()) and bool((norms > np.maximum(floors, max(each.tol for each in self.open))).all()):
            self._fallen(k, values, norms, coefs)
            return
        rows = zip(values.tolist(), norms.tolist(), floors.tolist(), noise.tolist(), strict=True)
        for number, row in enumerate(rows):
            self._observe(k + number, *row, coefs[number])
            if not self.open:
                return
        self.best_coef, self.flattest_coef = self.best_coef.copy(), self.flattest_coef.copy()

    def _fallen(self, k: int, values: Array, norms: Array, coefs: Array) -> None:
        """Iterates each of which is better than all before, and none the end but at the last iteration."""
        last = k + len(values) - 1
        for each in self.open:
            if each.max_iter <= last:
                self.fits[each.candidate] = Fit(coefs[each.max_iter - k].copy(), each.max_iter, "max_iter")
        self.open = [each for each in self.open if each.max_iter > last]
        self.before = self.best = float(values[-1])
        self.flattest, self.improved, self.rises = float(norms[-1]), last, 0
        self.best_coef = self.flattest_coef = coefs[-1].copy()
        self.refreshed = last - (last - self.refreshed) % self.every

    def _observe(self, k: int, value: float, norm: float, floor: float, noise: float, coef: Array) -> None:
        """As `Run.observe`."""
        rises = value > self.before
        self.rises = self.rises + 1 if rises else 0
        finite = math.isfinite(value) and math.isfinite(norm)
        if finite and value < self.best:
            if value < self.best - noise:
                self.flattest = math.inf
            self.best, self.best_coef = value, coef
        if finite and norm < self.flattest:
            self.flattest, self.flattest_coef, self.improved = norm, coef, k
        if not finite or self._grows(value):
            self._end(k, "diverged", self.best_coef)
            return
        for each in [each for each in self.open if norm <= each.tol]:
            self.fits[each.candidate] = Fit(coef.copy(), k, "gradient")
            self.open.remove(each)
        if (floor and norm <= floor) or self._stagnates(k, value, norm, coef):
            self._end(k, "precision", self.flattest_coef)
            return
        for each in [each for each in self.open if k >= each.max_iter]:
            self.fits[each.candidate] = Fit(coef.copy(), k, "max_iter")
            self.open.remove(each)
        if (
            k - self.refreshed >= self.every
        ):  # a run looks at the same place again there, and counts what has risen twice
            self.refreshed, self.rises = k, self.rises + rises
            if self._grows(value):
                self._end(k, "diverged", self.best_coef)
        self.before = value

    def _grows(self, value: float) -> bool:
        return self.rises >= RISES and value > 10 * abs(self.first)

    def _stagnates(self, k: int, value: float, norm: float, coef: Array) -> bool:
        """As `Run._stagnates`."""
        if k - self.improved < STAGNATION:
            return False
        if norm * norm <= 100 * self.problem.eps:
            return True
        return norm <= LOST * self.stopping.rounding(value, coef.reshape(self.start.shape))

    def _end(self, k: int, reason: str, coef: Array) -> None:
        """The end of all candidates that have none."""
        for each in self.open:
            self.fits[each.candidate] = Fit(np.array(coef).reshape(len(coef), -1), k, reason)
        self.open = []


class Losses:
    """What a sweep asks of a block of predictions of several trajectories: the sum of the losses of each, and their weighted slopes.

    Parameters
    ----------
    loss : loss
    y : ndarray of shape (n_samples,)
    weight : ndarray of shape (n_samples,) or None
    outputs : int
        Of a trajectory.
    """

    cells = raw = None

    def __init__(self, loss: Loss, y: Array, weight: Array | None, outputs: int) -> None:
        # for compiled sweeps, which know models of two classes
        self.kernel = None if loss.coupled else loss.kernel
        self.y, self.weight = y.astype(np.int64, copy=False), weight
        # and for blocks of predictions
        self.targets = y if loss.coupled else y.astype(np.float64, copy=False)
        self.heaviness = None if weight is None else weight.astype(np.float64, copy=False)
        self.outputs, self.loss = outputs, loss
        known = compiled.trials(loss, self.targets, self.heaviness, np.dtype(np.float64)) is not None
        self.trial = compiled.kernels.trial if known else None

    def __call__(self, s: slice, raw: Array) -> tuple[Array, Array]:
        m, k = len(raw), self.outputs
        # those of a trajectory lie together
        apart = np.ascontiguousarray(raw.reshape(m, -1, k).transpose(1, 0, 2))
        slopes, values = np.empty_like(apart), np.empty(len(apart))
        y, weight = self.targets[s], None if self.heaviness is None else self.heaviness[s]
        if self.trial is None:
            single = SampleLoss(self.loss, y, weight)
            for number, predictions in enumerate(apart):
                values[number], slopes[number] = self._of_one(single, predictions)
        else:
            kind, own = self.loss.kernel, self.loss.numbers
            for number, predictions in enumerate(apart):
                found = self.trial(
                    kind, 8, m, k, 0.0, 0.0, y, weight, own, predictions, None, None, None, slopes[number], None
                )
                values[number] = found[0]
        return values, slopes[:, :, 0].T if k == 1 else slopes.transpose(1, 0, 2).reshape(m, -1)

    def _of_one(self, single: SampleLoss, predictions: Array) -> tuple[float, Array]:
        value, slope = single(slice(None), predictions if self.loss.coupled else predictions[:, 0])
        return value, slope.reshape(predictions.shape)


def follow_all(trajectories: Sequence[Trajectory]) -> None:
    """Follow trajectories on the same rows to their ends.

    Parameters
    ----------
    trajectories : sequence of Trajectory
        Their problems differ in the penalty alone.
    """
    under_way = list(trajectories)
    steps, k, count = Steps(under_way), 0, FEWEST
    criterion = Criterion(under_way)
    while under_way:
        count = max(1, min(count, NUMBERS // steps.point.size))
        # with one more, the last iterate is looked at, too
        count = min(count, max(each.last for each in under_way) + 1 - k)
        rates = np.array([each.rates(k, count) for each in under_way]).T
        values, coefs, gradients = steps.taken(rates)
        norms, floors = criterion.measured(values, coefs, gradients)
        for number, each in enumerate(under_way):
            if each.open:
                each.note(k, values[:, number], norms[:, number], floors[:, number], coefs[:, :, number])
        k, count = k + count, min(2 * count, MOST)
        going = np.array([bool(each.open) for each in under_way])
        if not going.all():
            under_way = [each for each in under_way if each.open]
            steps.keep(going)
            criterion = Criterion(under_way) if under_way else criterion


class Steps:
    """Where trajectories are.

    Parameters
    ----------
    trajectories : sequence of Trajectory

    Attributes
    ----------
    point, before : ndarray of shape (size, n_trajectories, n_outputs)
        Where the last step of each ended, and where it began.
    """

    def __init__(self, trajectories: Sequence[Trajectory]) -> None:
        first = trajectories[0].problem
        self.design: Any = first.design
        self.mean = first.model.mean
        self.losses = Losses(first.loss, first.y, first.weight, first.outputs)
        start = np.stack([each.start.reshape(len(each.start), -1) for each in trajectories], axis=1)
        self.point = self.before = self.gradient = start.astype(np.float64)
        self.alphas = np.array([each.problem.alpha for each in trajectories])
        self.heavy = np.array([heavy(each.momentum) for each in trajectories])
        self.ahead = np.array([isinstance(each.momentum, Nesterov) for each in trajectories])
        self.t = np.ones(len(trajectories))
        self.room: Any = None

    def keep(self, going: Array) -> None:
        """Go on with some of them."""
        self.point, self.before, self.gradient = (a[:, going] for a in (self.point, self.before, self.gradient))
        self.alphas, self.heavy, self.ahead, self.t = (a[going] for a in (self.alphas, self.heavy, self.ahead, self.t))
        self.room = None

    def taken(self, rates: Array) -> tuple[Array, Array, Array]:
        """The next iterates by rates of shape (n_iterates, n_trajectories): losses, coefficients and gradients, until the next ones."""
        p, shape = self.design.n_features, self.point.shape
        if self.room is None or len(self.room[0]) < len(rates):
            # of many columns new memory takes as long as what is put there
            self.room = np.empty((len(rates), *shape)), np.empty((len(rates), *shape)), np.empty(shape)
        coefs, gradients, scratch = self.room[0][: len(rates)], self.room[1][: len(rates)], self.room[2]
        values, heavy = np.empty(rates.shape), self.heavy[:, None] if self.heavy.any() else None
        penalised, ahead = bool(self.alphas.any()), bool(self.ahead.any())
        for i, rate in enumerate(rates[:, :, None]):
            coefs[i] = self._extrapolated() if ahead else self.point
            base = coefs[i]
            values[i], gradient = self.design.sweep(self.losses, base.reshape(len(base), -1))
            self.gradient = np.multiply(gradient.reshape(shape), self.mean, out=gradients[i])
            if penalised:
                self.gradient[:p] += np.multiply(self.alphas[:, None], base[:p], out=scratch[:p])
            np.multiply(rate, self.gradient, out=scratch)
            if heavy is None and not ahead:
                self.point = np.subtract(base, scratch)
                continue
            step = np.subtract(base, scratch)
            if heavy is not None:
                step += heavy * (self.point - self.before)
            self.before, self.point = self.point, step
        self.gradient = self.gradient.copy()
        values *= self.mean
        if penalised:
            values += 0.5 * self.alphas * np.einsum("ijkl,ijkl->ik", coefs[:, :p], coefs[:, :p])
        return values, coefs, gradients

    def _extrapolated(self) -> Array:
        """Where the next gradients are taken: as `momentum.Nesterov` has it."""
        step = self.point - self.before
        uphill = np.einsum("jkl,jkl->k", self.gradient, step) > 0
        following = (1 + np.sqrt(1 + 4 * self.t * self.t)) / 2
        beta = np.where(self.ahead & ~uphill, (self.t - 1) / following, 0.0)
        if (step != 0).any():  # at the start there is no step, and the sequence has not begun
            self.t = np.where(uphill, 1.0, following)
        step *= beta[:, None]
        step += self.point
        return step


class Criterion:
    """The norms that end runs, of iterates of several trajectories: as `Stopping.measure` has it.

    Parameters
    ----------
    trajectories : sequence of Trajectory
    """

    def __init__(self, trajectories: Sequence[Trajectory]) -> None:
        problems = [each.problem for each in trajectories]
        self.problem, metric = problems[0], problems[0].diagonal
        self.roots = np.stack([problem.diagonal.root for problem in problems], axis=1)[:, :, None]
        self.amplified = np.array([problem.amplified for problem in problems])
        self.centre, self.root = metric.centre[:, None, None], metric.root_weight_sum
        self.null_loss, self.exact = trajectories[0].stopping.null_loss, trajectories[0].stopping.exact

    def measured(self, values: Array, coefs: Array, gradients: Array) -> tuple[Array, Array]:
        """The norms of gradients, which are overwritten, and those of their rounding errors where these decide something."""
        problem = self.problem
        about, last = gradients[:, : problem.design.n_features], gradients[:, problem.design.n_features :]
        if problem.design.fit_intercept:
            about -= self.centre * last
        about *= self.roots
        norms = np.einsum("ijkl,ijkl->ik", about, about)
        if problem.design.fit_intercept:
            norms += np.square(last[:, 0] / self.root).sum(axis=-1)
        norms = np.sqrt(norms) / problem.scale
        part = np.sqrt(np.maximum(values / self.null_loss, self.exact))
        near = norms < 0.01
        floors = np.where(near, self._floors(coefs), 0.0) / part if near.any() else np.zeros_like(norms)
        return norms / part, floors

    def _floors(self, coefs: Array) -> Array:
        """The norms of the rounding errors of gradients: as `Problem.floor` has it."""
        problem = self.problem
        n, p = problem.design.n_samples, problem.design.n_features
        w, b = coefs[:, :p], coefs[:, p:]
        terms = np.sqrt(np.einsum("ijkl,ijkl,j->ik", w, w, problem.rms**2)) + np.sqrt(np.einsum("ijkl,ijkl->ik", b, b))
        size = problem.sums_eps * (self.amplified + terms / problem.scale)
        if problem.eps > problem.sums_eps:
            middle = np.einsum("j,ijkl->ikl", problem.moments.centre, w) + b.sum(axis=1)
            of_middle = np.sqrt(np.square(middle).sum(axis=-1)) / problem.scale
            size += problem.eps * (1 + (of_middle if problem.design.fit_intercept else 0.0))
        return np.asarray(math.sqrt((p + 1) / n) * size)
