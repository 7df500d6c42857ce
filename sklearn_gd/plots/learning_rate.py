"""What a learning rate does: `LearningRateDisplay`, and the words for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from .. import messages
from .._checks import check_number
from ..plan import SmoothingRounds
from ..protocols import Array
from ..trace import ARRIVED, Trace, optimal, split, steepest, trace
from .interactive import Frames, has_widgets, sliders
from .loss_curve import gap_to, shown_range
from .style import GREEN, ORANGE, PURPLE, RED, Style, axes_for, ink, name_lines, plain, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..descent import Run

__all__ = ["LearningRateDisplay", "behaviour"]

#: The words, with colour and marker.
WORDS = {
    "creeps": (ORANGE, "v"),
    "converges": (GREEN, "o"),
    "oscillates": (PURPLE, "D"),
    "diverges": (RED, "X"),
}
# Multiples of 1/L that show the four.
MULTIPLES = (0.02, 0.9, 1.9, 2.1)
# How many of the first steps show whether a run bounces.
SWINGS = 12
# Within so many roundings of a threshold a rate counts as being on it: L is known to rounding alone.
ON_THRESHOLD = 1e-9
# The part of the last half of a run's iterations that must raise the loss for "oscillates".
OFTEN = 0.1


def behaviour(losses: ArrayLike, reason: str, *, multiple: float | None = None) -> str:
    """What a constant learning rate does, in one word.

    On a quadratic the answer is exact. With L the largest eigenvalue of the Hessian, the error along that eigenvector is
    multiplied by 1 − ηL at every iteration: for η ≤ 1/L it never changes its sign, for 1/L < η ≤ 2/L it does every time
    and shrinks (at 2/L it stays), for η > 2/L it grows. On other functions the run itself tells.

    Parameters
    ----------
    losses : array-like of shape (n_points,)
        The loss at the start and after each iteration.
    reason : str
        Why the run ended: its ``stop_reason_``.
    multiple : float or None, default=None
        η·L, where the function is a quadratic and the run has no momentum.

    Returns
    -------
    word : {"creeps", "converges", "oscillates", "diverges"}
        "creeps" is a run that neither bounces nor arrives.

    Examples
    --------
    >>> from sklearn_gd.plots.learning_rate import behaviour
    >>> behaviour([1.0, 0.9, 0.8], "max_iter", multiple=0.1)
    'creeps'
    >>> behaviour([1.0, 0.9, 0.8], "max_iter", multiple=1.5)
    'oscillates'
    """
    if reason == "diverged":
        return "diverges"
    if multiple is not None:
        if multiple > 2 * (1 + ON_THRESHOLD):
            return "diverges"
        bounces = multiple > 1 + ON_THRESHOLD
    else:
        loss = np.asarray(losses, dtype=float)
        if reason == "max_iter" and loss[-1] > loss[0] and loss[-1] == loss.max():
            return "diverges"
        late = loss[len(loss) // 2 :]
        noise = 100 * np.finfo(float).eps * np.abs(late[:-1])
        bounces = len(late) > 1 and float(np.mean(np.diff(late) > noise)) > OFTEN
    if bounces:
        return "oscillates"
    return "converges" if reason in ARRIVED else "creeps"


@dataclass(kw_only=True, eq=False, repr=False)
class LearningRateDisplay:
    """The same descent with several learning rates, side by side, each named by what it does.

    The column of a rate has its loss, as the gap to the optimum, and below that how the gradient along the steepest
    direction changes in the first steps: there one sees it shrink, change sides or grow. A ruler shows where the rates
    lie between 1/L, up to which no step overshoots, and 2/L, beyond which a quadratic diverges. L is the largest eigenvalue
    of the Hessian, in the run's metric: exactly for squared error; for log losses, by the bound of Böhning and Lindsay,
    therefore there rates beyond 2/L may work; for a loss without a bound, as Poisson regression has it, at the optimum, therefore
    rates below 1/L may diverge on the way there.

    It is recommended to use `from_estimator` to create a `LearningRateDisplay`. All parameters are stored as attributes.

    Parameters
    ----------
    learning_rates : ndarray of shape (n_rates,)
        Ascending.
    losses : list of ndarray
        The losses of each run, at the start and after each iteration.
    swings : list of ndarray
        The gradient along the steepest direction, likewise, the first of each 1 or −1.
    words : list of {"creeps", "converges", "oscillates", "diverges"}
        What each rate does.
    reasons : list of str
        The ``stop_reason_`` of each run.
    optimum : float
        The minimum of the objective, found by ``learning_rate="auto"``.
    smoothness : float
        L.
    exact : bool
        Whether L is the Hessian's largest eigenvalue, at the optimum, rather than a bound of it.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The ruler, or the axes that were given.
    axes_ : ndarray of matplotlib Axes, of shape (2, n_rates)
        The columns; not where the axes were given.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The loss curve of each rate.
    thresholds_ : list of matplotlib Line2D
        1/L and 2/L on the ruler.

    See Also
    --------
    LossCurveDisplay : Any runs in one panel, with their gradients and steps.

    References
    ----------
    D. Böhning and B. Lindsay, "Monotonicity of quadratic-approximation algorithms", Annals of the Institute of Statistical
    Mathematics 40, 1988, doi:10.1007/BF00049423.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from sklearn_gd import GDLinearRegression, LearningRateDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> display = LearningRateDisplay.from_estimator(
    ...     GDLinearRegression(tol=0.01), scale(X), y, learning_rates=[0.001, 0.2, 0.4, 0.6]
    ... )
    >>> display.words
    ['creeps', 'converges', 'oscillates', 'diverges']
    """

    learning_rates: Any
    losses: Sequence[Any]
    swings: Sequence[Any]
    words: Sequence[str]
    reasons: Sequence[str]
    optimum: float
    smoothness: float
    exact: bool
    # For `interactive`, where `from_estimator` knows it: the run of a rate and other parameters, and the word for it.
    run_of_: Callable[..., tuple[Trace, str]] = field(init=False)

    def __getstate__(self) -> dict[str, Any]:
        # a picture is kept without the run that it could repeat, which has the data and does not pickle
        return {name: value for name, value in vars(self).items() if name != "run_of_"}

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        learning_rates: Sequence[float] | None = None,
        sample_weight: Any = None,
        ax: Axes | None = None,
        line_kw: Style = None,
    ) -> Self:
        """Fit a clone with each rate and draw what it does.

        The estimator itself is not fitted, and no clone warns: how each run ended is in the picture.

        Parameters
        ----------
        estimator : estimator
            An estimator, or a pipeline whose last step is one; where the steps before it are fitted, they are used as they
            are.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The target.
        learning_rates : sequence of float or None, default=None
            Each greater than 0. None is 0.02, 0.9, 1.9 and 2.1 times 1/L.
        sample_weight : array-like of shape (n_samples,), default=None
            As in ``fit``.
        ax : matplotlib Axes, default=None
            Where to draw all curves, each with its rate in units of 1/L; None for a new figure with a column a rate and
            the ruler.
        line_kw : dict, default=None
            Passed to ``Axes.plot`` for the loss curves.

        Returns
        -------
        display : LearningRateDisplay
            Drawn.

        Raises
        ------
        ValueError
            If the loss has kinks, as that of a quantile: it has no L.
        """
        require_matplotlib(cls.__name__)
        for rate in () if learning_rates is None else learning_rates:
            check_number("learning_rates", rate, 0, left=False, right=False)
        last, _, X = split(cls.__name__, estimator, X, y)
        # a run of one step knows the metric and the objective
        first = trace(clone(last).set_params(learning_rate=1.0, max_iter=1), X, y, sample_weight)
        if isinstance(first.problem.rounds, SmoothingRounds):
            raise ValueError(messages.no_curvature(cls.__name__))
        best = optimal(last, X, y, sample_weight)
        smoothness, direction = steepest(first, best.run.coef)
        if learning_rates is None:
            learning_rates = [multiple / smoothness for multiple in MULTIPLES]
        rates = np.sort(np.asarray(learning_rates, dtype=float))

        def slope(run: Run) -> Array:
            return np.asarray(np.vdot(direction, run.metric.half_transposed(run.base.gradient).ravel()))

        def run_of(rate: float, **params: Any) -> tuple[Trace, str]:
            model = clone(last).set_params(learning_rate=float(rate), **params)
            run = trace(model, X, y, sample_weight, slope)
            textbook = run.quadratic and model.momentum in ("auto", None)
            multiple = float(rate) * smoothness if textbook else None
            return run, behaviour(run.estimator.loss_curve_, run.estimator.stop_reason_, multiple=multiple)

        runs, words = zip(*(run_of(rate) for rate in rates), strict=True)
        losses = [np.array(run.estimator.loss_curve_) for run in runs]
        reasons = [run.estimator.stop_reason_ for run in runs]
        display = cls(
            learning_rates=rates,
            losses=losses,
            swings=[run.kept[: SWINGS + 1] / (abs(run.kept[0]) or 1.0) for run in runs],
            words=list(words),
            reasons=reasons,
            optimum=min(float(np.min(loss)) for loss in (best.estimator.loss_curve_, *losses)),
            smoothness=smoothness,
            exact=first.quadratic or first.problem.model.reference,
        )
        display.run_of_ = run_of
        return display.plot(ax=ax, line_kw=line_kw)

    def plot(self, ax: Axes | None = None, *, line_kw: Style = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw all curves, each with its rate in units of 1/L; None for a new figure with a column a rate and
            the ruler.
        line_kw : dict, default=None
            Passed to ``Axes.plot`` for the loss curves.

        Returns
        -------
        display : LearningRateDisplay
            Itself.
        """
        require_matplotlib(type(self).__name__)
        gaps = [gap_to(loss, self.optimum) for loss in self.losses]
        arrived = [len(loss) - 1 for loss, reason in zip(self.losses, self.reasons, strict=True) if reason in ARRIVED]
        longest = max(len(loss) - 1 for loss in self.losses)
        # three times as long as the fastest: whatever has not arrived by then creeps
        shown = max(min([longest, *(3 * n for n in arrived)]), 1)
        looks = [{"color": WORDS[word][0], "linewidth": 2.0, "zorder": 3, **(line_kw or {})} for word in self.words]
        if ax is not None:
            self._together(ax, gaps, shown, looks)
        else:
            self._side_by_side(gaps, shown, looks)
        return self

    def interactive(self, *, max_iter: int = 100) -> Any:
        """The loss curve with sliders, in a notebook: for rate, momentum and iteration, before the curves of the display.

        Each move fits a clone, and redraws its curve alone. It needs ipywidgets (``pip install 'sklearn-gd[interactive]'``); without it a
        warning says so, and the picture stays.

        Parameters
        ----------
        max_iter : int, default=100
            Where the slider of the iteration ends.

        Returns
        -------
        widget : ipywidgets.VBox or LearningRateDisplay
            The sliders and the picture; itself, where there is no ipywidgets.

        Raises
        ------
        ValueError
            If the display was not made by `from_estimator`, and knows no descent that it could run again.
        """
        if not hasattr(self, "run_of_"):
            raise ValueError(messages.no_descent(type(self).__name__))
        if not has_widgets():
            return self
        middle = float(np.log10(1 / self.smoothness))
        ranges = {
            "rate": ("log", 0.5 / self.smoothness, middle - 2, middle + 0.5),
            "momentum": ("float", 0.0, 0.0, 0.99),
            "iteration": ("int", max_iter, 1, max_iter),
        }
        return sliders(self._frames(max_iter), ranges)

    def _frames(self, max_iter: int) -> Callable[..., bytes]:
        """What draws the picture for the sliders' values."""
        ground = replace(self)
        ax = axes_for(type(self).__name__, None, (6.0, 4.0))
        ground.plot(ax, line_kw={"color": "#bbbbbb", "linewidth": 1.2})
        for text in ax.texts:
            text.set_color("#777777")
        ax.set_title("")
        ax.set_ylabel("loss − optimum")
        ax.set_xlim(right=max(max_iter, ax.get_xlim()[1]))
        frames = Frames(ax)

        def draw(rate: float, momentum: float, iteration: int) -> bytes:
            run, word = self.run_of_(rate, momentum=momentum or None, max_iter=iteration)
            gap = np.asarray(gap_to(run.estimator.loss_curve_, self.optimum))
            multiple = f"{rate * self.smoothness:.3g}/L"
            told = f"η = {rate:.3g} = {multiple}   β = {momentum:.2g}   iteration {len(gap) - 1}:  {word}"
            low, high = ax.get_ylim()
            at = np.column_stack(
                [np.arange(len(gap)), np.clip(np.nan_to_num(gap, nan=low, posinf=high), low / 2, 1e3 * high)]
            )
            return frames.png(at, told)

        return draw

    def _loss_axes(self, ax: Any, gaps: Sequence[Any], shown: int) -> None:
        ax.set_yscale("log")
        ax.set_ylim(*shown_range([gap[: shown + 1] for gap in gaps]))
        ax.set_xlim(0, shown)
        plain(ax)

    def _together(self, ax: Any, gaps: Sequence[Any], shown: int, looks: Sequence[Mapping[str, Any]]) -> None:
        self.ax_, self.figure_ = ax, ax.figure
        self._loss_axes(ax, gaps, shown)
        ax.set_title("loss − optimum", loc="left", fontsize=10, pad=3)
        ax.set_xlabel("iteration")
        multiples = [
            np.format_float_positional(rate * self.smoothness, precision=2, fractional=False, trim="-")
            for rate in self.learning_rates
        ]
        names = [f"{multiple}/L {word}" for multiple, word in zip(multiples, self.words, strict=True)]
        self.lines_ = [
            ax.plot(np.arange(len(gap))[: shown + 1], gap[: shown + 1], label=name, **look)[0]
            for name, gap, look in zip(names, gaps, looks, strict=True)
        ]
        name_lines(ax, self.lines_, names)

    def _side_by_side(self, gaps: Sequence[Any], shown: int, looks: Sequence[Mapping[str, Any]]) -> None:
        import matplotlib.pyplot as plt
        from matplotlib.ticker import MaxNLocator

        n = len(gaps)
        self.figure_ = plt.figure(figsize=(max(4.8, 1.2 + 1.45 * n), 5.0), layout="constrained")
        grid = self.figure_.add_gridspec(3, n, height_ratios=[3.4, 2, 1.1])
        panels = grid.subplots(sharey="row", squeeze=False)
        self.axes_ = panels[:2]
        self.lines_ = []
        for k, (loss, swing) in enumerate(self.axes_.T):
            self._loss_axes(loss, gaps, shown)
            for other in (*gaps[:k], *gaps[k + 1 :]):
                loss.plot(np.arange(len(other)), other, color="#cccccc", linewidth=0.8, zorder=1)
            rate = f"{self.learning_rates[k]:.3g}"
            self.lines_.append(loss.plot(np.arange(len(gaps[k])), gaps[k], label=rate, **looks[k])[0])
            colour, marker = WORDS[self.words[k]]
            loss.set_title(self.words[k], loc="left", fontsize=11, color=ink(colour), fontweight="bold", pad=17)
            loss.annotate(
                f"η = {rate}", (0, 1), (0, 4), xycoords="axes fraction", textcoords="offset points", fontsize=10
            )
            swing.axhline(0, color="black", linewidth=0.8)
            swing.plot(self.swings[k], color=colour, marker=marker, markersize=4, linewidth=1.2)
            swing.set_xlim(-0.4, SWINGS + 0.4)
            swing.set_ylim(-1.6, 1.6)
            swing.set_xlabel("iteration", fontsize=9)
            plain(swing)
            for panel in (loss, swing):
                panel.xaxis.set_major_locator(MaxNLocator(2, integer=True))
        self.axes_[0, 0].set_ylabel("loss − optimum")
        self.axes_[1, 0].set_ylabel("steepest\nslope")
        self.figure_.align_ylabels(self.axes_[:, 0])
        for panel in panels[2]:  # one axes as wide as all of them
            panel.remove()
        self._ruler(self.figure_.add_subplot(grid[2, :]))

    def _ruler(self, ax: Any) -> None:
        from matplotlib.ticker import NullLocator

        self.ax_ = ax
        one, two = 1 / self.smoothness, 2 / self.smoothness
        low, high = min(self.learning_rates.min(), one), max(self.learning_rates.max(), two)
        ax.set_xscale("log")
        # a fifth of the length is room for the name of 2/L
        left, right = low / (high / low) ** 0.08, high * max((high / low) ** 0.08, (two / low) ** 0.25 * two / high)
        ax.set_xlim(left, right)
        ax.set_ylim(0, 1)
        ax.axvspan(one, two, color="#f3e3ec", zorder=0, linewidth=0)
        ax.axvspan(two, right, color="#f9ded0", zorder=0, linewidth=0)
        self.thresholds_ = [ax.axvline(at, color="black", linewidth=1.2) for at in (one, two)]
        for at, name, offset, side in ((one, "1/L", -4, "right"), (two, "2/L", 4, "left")):
            ax.annotate(
                f"{name} = {at:.3g}",
                (at, 0.78),
                (offset, 0),
                textcoords="offset points",
                ha=side,
                va="center",
                fontsize=9,
            )
        for rate, word in zip(self.learning_rates, self.words, strict=True):
            colour, marker = WORDS[word]
            ax.plot([rate], [0.3], marker=marker, color=colour, markersize=8, clip_on=False, zorder=4)
        ax.yaxis.set_major_locator(NullLocator())
        ax.spines[["left", "right", "top"]].set_visible(False)
        ax.set_xlabel("learning rate η" + ("" if self.exact else " (L an upper bound of the curvature)"))
