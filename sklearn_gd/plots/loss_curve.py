"""How fast a descent came down: `LossCurveDisplay`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .. import messages
from .._checks import check_choice
from ..trace import last_step
from .style import (
    COLOURS,
    DASHES,
    MARKERS,
    axes_for,
    divided,
    make_room,
    name_curves,
    named,
    named_results,
    plain,
    require_matplotlib,
)

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

    def __init__(
        self,
        *,
        histories: Mapping[str, Mapping[str, Sequence[float]]],
        optimum: float | None = None,
        ended: Mapping[str, str] | None = None,
    ) -> None:
        self.histories = histories
        self.optimum = optimum
        self.ended = ended

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        optimum: float | None = None,
        quantities: str | Sequence[str] | None = None,
        ax: Axes | None = None,
        line_kw: Mapping[str, Any] | None = None,
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
        first, reference = next(iter(runs.items()))
        for name, model in runs.items():
            check_is_fitted(model)
            if type(model) is not type(reference):
                raise ValueError(messages.other_objective(cls.__name__, (first, name), "squared error and log loss"))
            for parameter in ("alpha", "C", "class_weight", "fit_intercept"):
                mine, its = getattr(model, parameter, None), getattr(reference, parameter, None)
                if mine is not its and mine != its:
                    raise ValueError(
                        messages.other_objective(cls.__name__, (first, name), f"{parameter}={its!r} and {mine!r}")
                    )
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
        line_kw: Mapping[str, Any] | None = None,
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
        self,
        ax: Axes | None = None,
        *,
        quantities: str | Sequence[str] | None = None,
        line_kw: Mapping[str, Any] | None = None,
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
        display = type(self).__name__
        if quantities is None:
            quantities = list(QUANTITIES) if ax is None else ["loss"]
        elif isinstance(quantities, str):
            quantities = [quantities]
        for quantity in quantities:
            check_choice("quantities", quantity, QUANTITIES)
        losses = {name: np.asarray(history["loss"], dtype=float) for name, history in self.histories.items()}
        lowest = min(float(loss.min()) for loss in losses.values())
        if self.optimum is not None and self.optimum > lowest + 1e-9 * abs(lowest):
            raise ValueError(messages.not_the_optimum(self.optimum, lowest))
        optimum = lowest if self.optimum is None else self.optimum
        outer = axes_for(display, ax, (6.4, 2.6 + 1.05 * len(quantities)))
        if len(quantities) == 1:
            self.axes_ = [outer]
        else:
            ratios = [3 if quantity == "loss" else 1 for quantity in quantities]
            figure, grid = divided(display, outer, (len(quantities), 1), height_ratios=ratios)
            self.axes_ = [figure.add_subplot(grid[0])]
            self.axes_ += [figure.add_subplot(grid[row], sharex=self.axes_[0]) for row in range(1, len(quantities))]
        self.ax_, self.figure_ = self.axes_[0], self.axes_[0].figure
        self.lines_: dict[str, list[Any]] = {}
        for panel, quantity in zip(self.axes_, quantities, strict=True):
            panel.set_yscale("log")
            self.lines_[quantity] = [
                self._curve(panel, quantity, k, name, losses[name], optimum, line_kw or {})
                for k, name in enumerate(self.histories)
            ]
            plain(panel)
            panel.set_title(self._title(quantity), loc="left", fontsize=10, pad=3)
            panel.tick_params(labelbottom=panel is self.axes_[-1])
            if quantity == "loss":
                bottom, top = shown_range([gap_to(loss, optimum) for loss in losses.values()])
                panel.set_ylim(bottom, top)
        longest, shortest = (pick(len(loss) - 1 for loss in losses.values()) for pick in (max, min))
        if longest > UNEQUAL * max(shortest, 1):
            self.ax_.set_xscale("symlog", linthresh=1)
            self.ax_.set_xlim(0, longest * 1.1)
            decades = range(int(np.log10(longest)) + 1)
            self.ax_.set_xticks([0, *(10**k for k in decades)][:: 2 if len(decades) > 4 else 1])
            self.ax_.set_xticks([], minor=True)
        else:
            self.ax_.set_xlim(0, max(longest, 1) * 1.02)
        self.axes_[-1].set_xlabel("iteration")
        self._name_the_runs(quantities[0])
        return self

    def _title(self, quantity: str) -> str:
        if quantity != "loss":
            return QUANTITIES[quantity]
        if self.optimum is not None:
            return "loss − optimum"
        lowest = min(self.histories, key=lambda name: min(self.histories[name]["loss"]))
        arrived = (self.ended or {}).get(lowest, "gradient") in ("gradient", "precision")
        return QUANTITIES[quantity] + ("" if arrived else " (unconverged)")

    def _curve(
        self, panel: Axes, quantity: str, k: int, name: str, loss: Any, optimum: float, line_kw: Mapping[str, Any]
    ) -> Any:
        values = gap_to(loss, optimum) if quantity == "loss" else np.array(self.histories[name][quantity], dtype=float)
        values = np.where(values > 0, values, np.nan)  # at the start no step has been taken; at the end no gap is left
        few = max(1, len(values) // 8)
        look = {
            "color": COLOURS[k % len(COLOURS)],
            "linestyle": DASHES[k % len(DASHES)],
            "linewidth": 1.8,
            "marker": MARKERS[k % len(MARKERS)],
            "markersize": 4,
            "markevery": (k * few // 3 if few > 1 else 0, few),
            **line_kw,
        }
        return panel.plot(np.arange(len(values)), values, label=name, **look)[0]

    def _name_the_runs(self, quantity: str) -> None:
        ended = self.ended or {}
        lines = self.lines_[quantity]
        bottom, top = self.ax_.get_ylim()
        curves, ends = [], []
        for name, line in zip(self.histories, lines, strict=True):
            points = np.column_stack([line.get_xdata(), line.get_ydata()]).astype(float)
            points = points[np.isfinite(points).all(axis=1)]
            how = ENDED.get(ended.get(name, ""), "")
            text = "\n".join(part for part in (name if len(lines) > 1 else "", how) if part)
            if not len(points):
                points = np.array([[0.0, bottom]])
            inside = points[points[:, 1] <= top]
            curves.append(np.clip(points, bottom, top))
            if text:
                ends.append((*(inside[-1] if len(inside) else curves[-1][-1]), text, line.get_color()))
        make_room(self.ax_, ends)
        self.names_ = name_curves(self.ax_, ends, curves)


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
