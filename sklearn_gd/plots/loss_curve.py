"""How fast a descent came down: `LossCurveDisplay`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .. import messages
from .._checks import check_choice
from ..trace import ARRIVED, last_step
from .style import Style, axes_for, look, name_lines, named, named_results, plain, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LossCurveDisplay", "gap_to", "shown_range"]

#: What can be shown, and its title.
QUANTITIES = {
    "loss": "loss − lowest",
    "gradient_norm": "gradient norm",
    "learning_rate": "learning rate",
    "step_length": "step length",
}
#: What is written behind the name of a run that did not converge.
ENDED = {"unbounded": "(unbounded)", "max_iter": "(max_iter)", "diverged": "(diverged)", "callback": "(stopped)"}
# A run as many times longer than another one needs a logarithmic axis of iterations for both to be seen.
UNEQUAL = 8
# How far above the highest start a loss may rise and still be shown.
HEADROOM = 1e2


@dataclass(kw_only=True, eq=False, repr=False)
class LossCurveDisplay:
    """Loss, gradient, learning rate and step length over the iterations of one or several fits.

    The loss is shown as its gap to the optimum, on a logarithmic axis: linear convergence is a straight line there.

    It is recommended to use `from_estimator` to create a `LossCurveDisplay`. All parameters are stored as attributes.

    Parameters
    ----------
    histories : dict of str to dict
        The ``history_`` of each run by the run's name.
    optimum : float or None, default=None
        The minimum of the objective, which the runs share; None for the lowest loss of all of them.
    ended : dict of str to str, default=None
        The ``stop_reason_`` of each run, where it is known.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The first panel.
    axes_ : list of matplotlib Axes
        All panels, from the top.
    figure_ : matplotlib Figure
        The figure.
    lines_ : dict of str to list of matplotlib Line2D
        The lines of each quantity, a run each.
    names_ : list of matplotlib Annotation
        The names beside the curves.

    See Also
    --------
    LearningRateDisplay : Several learning rates on the same data.
    DescentPathDisplay : The same runs as paths on the surface of the loss.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from sklearn_gd import GDLogisticRegression, LossCurveDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> rules = ("auto", "adgd", "barzilai-borwein")
    >>> runs = [GDLogisticRegression(learning_rate=rule).fit(scale(X), y) for rule in rules]
    >>> display = LossCurveDisplay.from_estimator(runs)
    >>> [line.get_label() for line in display.lines_["loss"]]
    ['auto', 'adgd', 'barzilai-borwein']
    """

    histories: Mapping[str, Mapping[str, Sequence[float]]]
    optimum: float | None = None
    ended: Mapping[str, str] | None = None

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        optimum: float | None = None,
        quantities: str | Sequence[str] | None = None,
        ax: Axes | None = None,
        line_kw: Style = None,
    ) -> Self:
        """Draw the runs of fitted estimators.

        Parameters
        ----------
        estimator : estimator, list or dict of estimators
            Fitted; pipelines whose last step is one are taken, too. The keys of a dict are the names of the runs; in a list
            they are the parameters that differ.
        optimum : float or None, default=None
            The minimum of the objective; None for the lowest loss of all runs.
        quantities : str, sequence of str or None, default=None
            Which of ``"loss"``, ``"gradient_norm"``, ``"learning_rate"`` and ``"step_length"`` to show, a panel each. None
            is all four in a figure of their own, and the loss alone in a given `ax`.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        line_kw : dict, default=None
            Passed to ``Axes.plot``.

        Returns
        -------
        display : LossCurveDisplay
            Drawn.

        Raises
        ------
        ValueError
            If the runs minimised different objectives, or `optimum` is above the lowest loss.
        """
        require_matplotlib(cls.__name__)
        runs = {name: last_step(cls.__name__, each) for name, each in named(estimator).items()}
        _check_one_objective(cls.__name__, runs)
        display = cls(
            histories={name: model.history_ for name, model in runs.items()},
            optimum=optimum,
            ended={name: model.stop_reason_ for name, model in runs.items()},
        )
        return display.plot(ax=ax, quantities=quantities, line_kw=line_kw)

    @classmethod
    def from_history(
        cls,
        history: Any,
        *,
        optimum: float | None = None,
        quantities: str | Sequence[str] | None = None,
        ax: Axes | None = None,
        line_kw: Style = None,
    ) -> Self:
        """Draw recorded histories, or the results of runs on any function.

        Parameters
        ----------
        history : dict, OptimizeResult, or dict of these
            A ``history_``, a result that has a ``history``, or several of them by their names; of a result of several
            starts, each.
        optimum : float or None, default=None
            The minimum of the function; None for the lowest loss of all runs.
        quantities : str, sequence of str or None, default=None
            As in `from_estimator`.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        line_kw : dict, default=None
            Passed to ``Axes.plot``.

        Returns
        -------
        display : LossCurveDisplay
            Drawn.
        """
        require_matplotlib(cls.__name__)
        runs = named_results(history)
        histories = {name: run.get("history", run) for name, run in runs.items()}
        ended = {name: run["stop_reason"] for name, run in runs.items() if "stop_reason" in run}
        display = cls(histories=histories, optimum=optimum, ended=ended)
        return display.plot(ax=ax, quantities=quantities, line_kw=line_kw)

    def plot(
        self, ax: Axes | None = None, *, quantities: str | Sequence[str] | None = None, line_kw: Style = None
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure. Where several quantities are shown, its place is divided among them.
        quantities : str, sequence of str or None, default=None
            As in `from_estimator`.
        line_kw : dict, default=None
            Passed to ``Axes.plot``.

        Returns
        -------
        display : LossCurveDisplay
            Itself.
        """
        if quantities is None:
            quantities = list(QUANTITIES) if ax is None else ["loss"]
        elif isinstance(quantities, str):
            quantities = [quantities]
        for quantity in quantities:
            check_choice("quantities", quantity, QUANTITIES)
        losses = [np.asarray(history["loss"], dtype=float) for history in self.histories.values()]
        lowest = min(float(loss.min()) for loss in losses)
        if self.optimum is not None and self.optimum > lowest + 1e-9 * abs(lowest):
            raise ValueError(messages.not_the_optimum(self.optimum, lowest))
        gaps = [gap_to(loss, lowest if self.optimum is None else self.optimum) for loss in losses]
        self._divide(axes_for(type(self).__name__, ax, (6.4, 2.6 + 1.05 * len(quantities))), quantities)
        self.lines_: dict[str, list[Any]] = {}
        for panel, quantity in zip(self.axes_, quantities, strict=True):
            curves = gaps if quantity == "loss" else [history[quantity] for history in self.histories.values()]
            self.lines_[quantity] = [
                _curve(panel, k, name, values, line_kw or {})
                for k, (name, values) in enumerate(zip(self.histories, curves, strict=True))
            ]
            panel.set_yscale("log")
            plain(panel)
            panel.set_title(self._title(quantity), loc="left", fontsize=10, pad=3)
            if quantity == "loss":
                panel.set_ylim(*shown_range(gaps))
        self._limit([len(loss) - 1 for loss in losses])
        self.axes_[-1].set_xlabel("iteration")
        self.names_ = name_lines(self.ax_, self.lines_[quantities[0]], [self._told(name) for name in self.histories])
        return self

    def _divide(self, ax: Axes, quantities: Sequence[str]) -> None:
        """Divide the place of an axes among the panels, of which that of the loss is the largest."""
        self.figure_: Any = ax.figure
        self.axes_ = [ax]
        if len(quantities) > 1:
            spec = ax.get_subplotspec()
            if spec is None:
                raise ValueError(messages.no_subplot(type(self).__name__))
            ax.set_axis_off()
            ratios = [3 if quantity == "loss" else 1 for quantity in quantities]
            grid = spec.subgridspec(len(quantities), 1, height_ratios=ratios)
            panels: Any = grid.subplots(sharex=True)
            self.axes_ = list(panels)
        self.ax_ = self.axes_[0]

    def _limit(self, lengths: Sequence[int]) -> None:
        """The axis of iterations: logarithmic where a short run could not be seen beside a long one."""
        longest = max(lengths)
        if longest <= UNEQUAL * max(min(lengths), 1):
            self.ax_.set_xlim(0, max(longest, 1) * 1.02)
            return
        self.ax_.set_xscale("symlog", linthresh=1)
        self.ax_.set_xlim(0, longest * 1.1)
        decades = range(int(np.log10(longest)) + 1)
        self.ax_.set_xticks([0, *(10**k for k in decades)][:: 2 if len(decades) > 4 else 1])
        self.ax_.set_xticks([], minor=True)

    def _title(self, quantity: str) -> str:
        if quantity != "loss":
            return QUANTITIES[quantity]
        if self.optimum is not None:
            return "loss − optimum"
        lowest = min(self.histories, key=lambda name: min(self.histories[name]["loss"]))
        arrived = (self.ended or {}).get(lowest, "gradient") in ARRIVED
        return QUANTITIES[quantity] + ("" if arrived else " (unconverged)")

    def _told(self, name: str) -> str:
        """What is written beside a curve: the name, where there are several, and an end that is no optimum."""
        how = ENDED.get((self.ended or {}).get(name, ""), "")
        return "\n".join(part for part in (name if len(self.histories) > 1 else "", how) if part)


def _check_one_objective(display: str, runs: Mapping[str, Any]) -> None:
    """Refuse estimators that minimised different objectives."""
    first, reference = next(iter(runs.items()))
    for name, model in runs.items():
        check_is_fitted(model)
        if type(model) is not type(reference):
            raise ValueError(messages.other_objective(display, (first, name), "squared error and log loss"))
        for parameter in ("alpha", "C", "class_weight", "fit_intercept"):
            mine, its = getattr(model, parameter, None), getattr(reference, parameter, None)
            if mine is not its and mine != its:
                raise ValueError(messages.other_objective(display, (first, name), f"{parameter}={its!r} and {mine!r}"))


def _curve(panel: Axes, k: int, name: str, values: ArrayLike, line_kw: Mapping[str, Any]) -> Any:
    values = np.asarray(values, dtype=float)
    values = np.where(values > 0, values, np.nan)  # at the start no step has been taken; at the end no gap is left
    few = max(1, len(values) // 8)
    marks = (k * few // 3 if few > 1 else 0, few)
    style = {**look(k), "linewidth": 1.8, "markersize": 4, "markevery": marks, **line_kw}
    return panel.plot(np.arange(len(values)), values, label=name, **style)[0]


def gap_to(loss: ArrayLike, optimum: float) -> Any:
    """Loss − optimum, NaN where it is nothing but rounding."""
    loss = np.asarray(loss, dtype=float)
    gap = loss - optimum
    return np.where(gap > 4 * np.finfo(float).eps * max(abs(optimum), np.finfo(float).tiny), gap, np.nan)


def shown_range(gaps: Sequence[Any]) -> tuple[float, float]:
    """Limits of a logarithmic axis of gaps, from which a run that diverges does not squeeze the others."""
    finite = np.concatenate([gap[np.isfinite(gap)] for gap in gaps])
    if not len(finite):
        return 0.1, 1.0
    starts = [gap[np.isfinite(gap)][0] for gap in gaps if np.isfinite(gap).any()]
    top = min(float(finite.max()), max(starts) * HEADROOM) * 2
    bottom = min(float(finite.min()), top / 4) / 1.5
    return bottom, top
