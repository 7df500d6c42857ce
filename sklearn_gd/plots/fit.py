"""What a descent means for the data: `FitDisplay`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils import check_array

from .. import messages
from .._checks import check_integer
from ..losses import Binomial, HalfPoisson, Multinomial
from ..protocols import Array, Loss
from ..trace import split, trace
from .style import Style, animated, axes_for, look, make_room, name_curves, plain, require_matplotlib, snapshots

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes

__all__ = ["FitDisplay"]


@dataclass(kw_only=True, eq=False, repr=False)
class FitDisplay:
    """The data of one feature and the model as it moves, from the start to the end of the descent.

    Lines for `GDLinearRegression`, one a target; for `GDLogisticRegression` the probability of the second of two classes, or
    of each of more; for `GDPoissonRegression` the mean, for `GDQuantileRegression` a line a quantile. Behind a pipeline the curve may
    bend: the feature is the pipeline's, whatever the steps make of it.

    It is recommended to use `from_estimator` to create a `FitDisplay`. All parameters are stored as attributes.

    Parameters
    ----------
    x : ndarray of shape (n_samples,)
        The feature.
    y : ndarray of shape (n_samples, n_outputs)
        The targets, of several quantiles the one that they have; the probabilities of the classes that were seen, 0 or 1.
    grid : ndarray of shape (n_grid,)
        Where the model is drawn.
    curves : ndarray of shape (n_curves, n_grid, n_outputs)
        The model after some of the iterations.
    iterations : list of int
        Which these are.
    feature : str
        Its name.
    outputs : list of str
        The names of the targets, quantiles or classes; one empty name where there is one target.
    probability : bool
        Whether the model predicts probabilities.
    reason : str
        The ``stop_reason_``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure.
    points_ : list of matplotlib Line2D
        The data of each output; of several quantiles once.
    lines_ : list of list of matplotlib Line2D
        The curves of each output, the first iteration first.
    names_ : list of matplotlib Annotation
        The names beside the curves.

    See Also
    --------
    DescentPathDisplay : The same run as a path of its coefficients.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gd import FitDisplay, GDLinearRegression
    >>> x = np.linspace(0, 2, 30)
    >>> display = FitDisplay.from_estimator(GDLinearRegression(learning_rate=0.1, max_iter=200), x[:, None], 4 + 3 * x)
    >>> display.iterations
    [0, 1, 4, 14, 53, 200]
    """

    x: Array
    y: Array
    grid: Array
    curves: Array
    iterations: Sequence[int]
    feature: str
    outputs: Sequence[str]
    probability: bool
    reason: str

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        n_curves: int = 6,
        sample_weight: Any = None,
        grid_resolution: int = 200,
        ax: Axes | None = None,
        line_kw: Style = None,
        scatter_kw: Style = None,
    ) -> Self:
        """Fit a clone that keeps its iterates, and draw its model after some of them.

        The estimator itself is not fitted, and the clone does not warn: how the run ended is in the picture.

        Parameters
        ----------
        estimator : estimator
            An estimator, or a pipeline whose last step is one; where the steps before it are fitted, they are used as they
            are.
        X : array-like of shape (n_samples, 1)
            The data, of one feature.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The target.
        n_curves : int, default=6
            How many iterations to show, at least 2: the first, the last, and between them ever wider apart; of a run that
            diverges, the first ones.
        sample_weight : array-like of shape (n_samples,), default=None
            As in ``fit``.
        grid_resolution : int, default=200
            Points along the feature.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        line_kw, scatter_kw : dict, default=None
            Passed to ``Axes.plot`` for the curves and for the data.

        Returns
        -------
        display : FitDisplay
            Drawn.

        Raises
        ------
        ValueError
            If X has not one feature.
        """
        require_matplotlib(cls.__name__)
        check_integer("n_curves", n_curves, 2)
        columns = getattr(X, "columns", None)
        last, before, transformed = split(cls.__name__, estimator, X, y)
        data = check_array(X, dtype=np.float64)
        if data.shape[1] != 1:
            raise ValueError(messages.not_one_feature(data.shape[1]))
        run = trace(last, transformed, y, sample_weight)
        model = run.estimator
        grid = np.linspace(data.min(), data.max(), grid_resolution)
        seen = grid[:, None] if columns is None else type(X)(grid[:, None], columns=columns)
        inputs = grid[:, None] if before is None else before.transform(seen)
        inputs = check_array(inputs, accept_sparse="csr", dtype=np.float64)
        # a run that diverges has left the data after a few iterations
        n = len(run.kept)
        iterations = list(range(min(n, n_curves))) if model.stop_reason_ == "diverged" else snapshots(n, n_curves)
        with np.errstate(all="ignore"):
            curves = np.stack([_predicted(run.kept[k], inputs, run.problem.loss) for k in iterations])
        values, outputs = _shown(model, y)
        display = cls(
            x=data[:, 0],
            y=values,
            grid=grid,
            curves=curves,
            iterations=iterations,
            feature="x" if columns is None else str(columns[0]),
            outputs=outputs,
            probability=hasattr(model, "classes_"),
            reason=model.stop_reason_,
        )
        return display.plot(ax=ax, line_kw=line_kw, scatter_kw=scatter_kw)

    def plot(self, ax: Axes | None = None, *, line_kw: Style = None, scatter_kw: Style = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        line_kw, scatter_kw : dict, default=None
            Passed to ``Axes.plot`` for the curves and for the data.

        Returns
        -------
        display : FitDisplay
            Itself.
        """
        self.ax_ = ax = axes_for(type(self).__name__, ax, (6.0, 4.2))
        self.figure_: Any = ax.figure
        self.points_ = [self._draw_data(j, scatter_kw or {}) for j in range(self.y.shape[1])]
        self.lines_ = [self._draw_curves(j, line_kw or {}) for j in range(len(self.outputs))]
        self._limit()
        plain(ax)
        ax.set_xlabel(self.feature)
        of = f" of {self.outputs[0]}" if len(self.outputs) == 1 else ""
        ax.set_ylabel(f"probability{of}" if self.probability else "target")
        if self.reason == "diverged":
            ax.set_title(f"diverges: the first {self.iterations[-1]} iterations", loc="left", fontsize=10)
        ax.locator_params(nbins=5)
        self._name()
        return self

    def _draw_data(self, j: int, scatter_kw: Mapping[str, Any]) -> Any:
        """The data of an output; of several classes, a row for each above the curves."""
        several = self.y.shape[1] > 1
        style = {**look(j), "linestyle": "", "markersize": 4.5, "alpha": 0.5, "zorder": 1}
        if not several:
            style["color"] = "#666666"
        x, y = self.x, self.y[:, j]
        if self.probability and several:
            x = x[y == 1]
            y = np.full(len(x), 1.04 + 0.05 * j)
            style["clip_on"] = False
        return self.ax_.plot(x, y, **{**style, **scatter_kw})[0]

    def _draw_curves(self, j: int, line_kw: Mapping[str, Any]) -> list[Any]:
        """The curves of an output, faint at the start, full at the end."""
        lines = []
        for curve, alpha in zip(self.curves, np.linspace(0.25, 1, len(self.curves)), strict=True):
            last = alpha == 1
            style = {**look(j), "marker": "", "linewidth": 2.6 if last else 1.4, "zorder": 4 if last else 3}
            lines += self.ax_.plot(self.grid, curve[:, j], **{**style, "alpha": alpha, **line_kw})
        return lines

    def animate(self, *, interval: int = 300, **plot_kw: Any) -> FuncAnimation:
        """Animate the model.

        ``.save("fit.gif", writer=PillowWriter(fps=4))`` writes a GIF; ``IPython.display.HTML(animation.to_jshtml())`` shows
        it in a notebook. A frame is one of the display's curves: more of them come from ``n_curves=40``.

        Parameters
        ----------
        interval : int, default=300
            Milliseconds a frame.
        **plot_kw : dict
            Passed to `plot`.

        Returns
        -------
        animation : matplotlib.animation.FuncAnimation
            Keep it: what nobody keeps is not drawn.
        """
        self.plot(**plot_kw)
        for name in self.names_ if len(self.outputs) == 1 else ():
            name.remove()

        def show(frame: int) -> None:
            for lines in self.lines_:
                for k, line in enumerate(lines):
                    line.set(
                        visible=k <= frame, alpha=1.0 if k == frame else 0.15, linewidth=2.6 if k == frame else 1.0
                    )

        return animated(self.ax_, show, self.iterations, interval)

    def _limit(self) -> None:
        """The data fill the picture; a model that leaves them may leave it."""
        ax = self.ax_
        ax.set_xlim(float(self.grid[0]), float(self.grid[-1]))
        if self.probability:
            ax.set_ylim(-0.05, 1.05)
            return
        low, high = float(self.y.min()), float(self.y.max())
        span = (high - low) or 1.0
        first = self.curves[0]
        low, high = min(low, max(float(first.min()), low - span)), max(high, min(float(first.max()), high + span))
        ax.set_ylim(low - 0.08 * span, high + 0.08 * span)

    def _name(self) -> None:
        """The iterations of the curves of one output; with several, the outputs."""
        low, high = self.ax_.get_ylim()
        if len(self.outputs) > 1:
            ends = [self._end(lines[-1], name) for lines, name in zip(self.lines_, self.outputs, strict=True)]
        else:
            apart = 12 * (high - low) / (self.ax_.get_window_extent().height * 72 / self.figure_.dpi)  # 12 points
            wide = 0.2 * (self.grid[-1] - self.grid[0])
            ends = []
            # first the two that matter most, and of the others those that end elsewhere
            for k in (len(self.curves) - 1, *range(len(self.curves) - 1)):
                end = self._end(self.lines_[0][k], self._told(k))
                if all(abs(end[1] - other[1]) > apart or abs(end[0] - other[0]) > wide for other in ends):
                    ends.append(end)
        ends = [end for end in ends if low <= end[1] <= high]
        make_room(self.ax_, ends)
        curves = [np.asarray(line.get_xydata(), dtype=float) for lines in self.lines_ for line in lines]
        self.names_ = name_curves(self.ax_, ends, curves)

    def _end(self, line: Any, name: str) -> tuple[float, float, str, str]:
        """Where the name of a curve stands: at its end, where it leaves the picture, or where a probability is highest."""
        (low, high), y = self.ax_.get_ylim(), np.asarray(line.get_ydata(), dtype=float)
        if self.probability and len(self.outputs) > 1:
            k = int(y.argmax())
        elif self.probability and line is self.lines_[0][-1]:  # the steepest part, where the sigmoids differ
            k = int(np.abs(np.gradient(y)).argmax())
        else:
            k = max(np.flatnonzero((y >= low) & (y <= high)).tolist(), default=-1)
        return float(self.grid[k]), float(y[k]), name, line.get_color()

    def _told(self, k: int) -> str:
        if not k:
            return "start"
        if k < len(self.curves) - 1:
            return f"{self.iterations[k]}"
        return f"{self.iterations[k]} iterations" + ("\n(max_iter)" if self.reason == "max_iter" else "")


def _predicted(coef: Array, inputs: Any, loss: Loss) -> Array:
    """What a model of these coefficients, the intercept last if there is one, predicts; not for the first of two classes."""
    coef, p = coef.reshape(len(coef), -1), inputs.shape[1]
    raw = inputs @ coef[:p] + coef[p:].sum(axis=0)
    if isinstance(loss, HalfPoisson):
        mean: Array = np.exp(raw)
        return mean
    if not isinstance(loss, (Binomial, Multinomial)):
        return raw
    if raw.shape[1] > 1:
        return Multinomial.probabilities(raw)[0]
    return Multinomial.probabilities(np.column_stack([np.zeros(len(raw)), raw]))[0][:, 1:]


def _shown(model: Any, y: Any) -> tuple[Array, list[str]]:
    """The targets, or whether a sample is of a class, a column for each curve, and their names."""
    target = np.asarray(y)
    if hasattr(model, "classes_"):
        classes = model.classes_[1:] if len(model.classes_) == 2 else model.classes_
        return (target.ravel()[:, None] == classes).astype(float), [str(name) for name in classes]
    target = target.reshape(len(target), -1).astype(float)
    if model.coef_.ndim == 2 and len(model.coef_) > target.shape[1]:  # several quantiles of one target
        return target, [f"{quantile:g}" for quantile in model.quantile]
    if target.shape[1] == 1:
        return target, [""]
    return target, [str(name) for name in getattr(y, "columns", [f"target {k}" for k in range(target.shape[1])])]
