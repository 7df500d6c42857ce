"""What a descent means for the data: `FitDisplay`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils import check_array

from .. import messages
from .._checks import check_integer
from ..losses import Multinomial
from ..protocols import Array
from ..trace import split, trace
from .style import (
    COLOURS,
    DASHES,
    MARKERS,
    axes_for,
    make_room,
    name_curves,
    plain,
    require_matplotlib,
    snapshots,
)

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes

__all__ = ["FitDisplay"]


class FitDisplay:
    """The data of one feature and the model as it moves, from the start to the end of the descent.

    Lines for `GDLinearRegression`, one a target; for `GDLogisticRegression` the probability of the second of two classes, or
    of each of more. Behind a pipeline the curve may bend: the feature is the pipeline's, whatever the steps make of it.

    It is recommended to use `from_estimator` to create a `FitDisplay`. All parameters are stored as attributes.

    Parameters
    ----------
    x : ndarray of shape (n_samples,)
        The feature.
    y : ndarray of shape (n_samples, n_outputs)
        The targets; the probabilities of the classes that were seen, 0 or 1.
    grid : ndarray of shape (n_grid,)
        Where the model is drawn.
    curves : ndarray of shape (n_curves, n_grid, n_outputs)
        The model after some of the iterations.
    iterations : list of int
        Which these are.
    feature : str
        Its name.
    outputs : list of str
        The names of the targets or classes; one empty name where there is one target.
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
        The data of each output.
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

    def __init__(
        self,
        *,
        x: Array,
        y: Array,
        grid: Array,
        curves: Array,
        iterations: Sequence[int],
        feature: str,
        outputs: Sequence[str],
        probability: bool,
        reason: str,
    ) -> None:
        self.x = x
        self.y = y
        self.grid = grid
        self.curves = curves
        self.iterations = iterations
        self.feature = feature
        self.outputs = outputs
        self.probability = probability
        self.reason = reason

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
        line_kw: Mapping[str, Any] | None = None,
        scatter_kw: Mapping[str, Any] | None = None,
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
        model, coef = run.estimator, run.kept.reshape(*run.kept.shape[:2], -1)
        grid = np.linspace(data.min(), data.max(), grid_resolution)
        seen = grid[:, None] if columns is None else type(X)(grid[:, None], columns=columns)
        inputs = grid[:, None] if before is None else before.transform(seen)
        inputs = check_array(inputs, accept_sparse="csr", dtype=np.float64)
        # a run that diverges has left the data after a few iterations
        diverged = model.stop_reason_ == "diverged"
        iterations = list(range(min(len(coef), n_curves))) if diverged else snapshots(len(coef), n_curves)

        def predicted(w: Array) -> Array:
            p = inputs.shape[1]
            raw = inputs @ w[:p] + w[p:].sum(axis=0)  # an intercept, or none
            if not classes:
                return raw
            raw = np.column_stack([np.zeros(len(raw)), raw]) if raw.shape[1] == 1 else raw
            probabilities = Multinomial.probabilities(raw)[0]
            return probabilities[:, 1:] if len(classes) == 2 else probabilities

        classes = [str(name) for name in getattr(model, "classes_", ())]
        target = np.asarray(y)
        if classes:
            values = target.ravel()[:, None] == model.classes_[None, :]
            values = values[:, 1:] if len(classes) == 2 else values
            outputs = classes[1:] if len(classes) == 2 else classes
        else:
            values = target.reshape(len(target), -1)
            outputs = (
                [""]
                if values.shape[1] == 1
                else [str(name) for name in getattr(y, "columns", [f"target {k}" for k in range(values.shape[1])])]
            )
        with np.errstate(all="ignore"):
            curves = np.stack([predicted(coef[k]) for k in iterations])
        display = cls(
            x=data[:, 0],
            y=values.astype(float),
            grid=grid,
            curves=curves,
            iterations=iterations,
            feature="x" if columns is None else str(columns[0]),
            outputs=outputs,
            probability=bool(classes),
            reason=model.stop_reason_,
        )
        return display.plot(ax=ax, line_kw=line_kw, scatter_kw=scatter_kw)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        line_kw: Mapping[str, Any] | None = None,
        scatter_kw: Mapping[str, Any] | None = None,
    ) -> Self:
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
        self.points_: list[Any] = []
        self.lines_: list[list[Any]] = []
        # faint at the start, full at the end
        strength = np.linspace(0.25, 1, len(self.curves))
        for j in range(len(self.outputs)):
            colour, dash = COLOURS[j % len(COLOURS)], DASHES[j % len(DASHES)]
            look = {
                "linestyle": "",
                "marker": MARKERS[j % len(MARKERS)],
                "markersize": 4.5,
                "color": colour if len(self.outputs) > 1 else "#666666",
                "alpha": 0.5,
                "zorder": 1,
                **(scatter_kw or {}),
            }
            shown = self.y[:, j]
            if self.probability and len(self.outputs) > 1:
                # a class's samples above its curve, each class a row of its own
                at = self.x[shown == 1]
                self.points_.append(ax.plot(at, np.full(len(at), 1.04 + 0.05 * j), clip_on=False, **look)[0])
            else:
                self.points_.append(ax.plot(self.x, shown, **look)[0])
            self.lines_.append([])
            for curve, alpha in zip(self.curves, strength, strict=True):
                last = alpha == 1
                style = {
                    "color": colour,
                    "linestyle": dash,
                    "linewidth": 2.6 if last else 1.4,
                    "alpha": alpha,
                    "zorder": 4 if last else 3,
                    **(line_kw or {}),
                }
                self.lines_[-1].append(ax.plot(self.grid, curve[:, j], **style)[0])
        self._limit()
        plain(ax)
        ax.set_xlabel(self.feature)
        if self.probability:
            title = f"probability of {self.outputs[0]}" if len(self.outputs) == 1 else "probability"
        else:
            title = "target"
        ax.set_ylabel(title)
        if self.reason == "diverged":
            ax.set_title(f"diverges: the first {self.iterations[-1]} iterations", loc="left", fontsize=10)
        ax.locator_params(nbins=5)
        self._name()
        return self

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
        require_matplotlib(type(self).__name__)
        from matplotlib.animation import FuncAnimation

        self.plot(**plot_kw)
        for name in self.names_ if len(self.outputs) == 1 else ():
            name.remove()
        told = self.ax_.set_title("iteration 0", loc="left", fontsize=10)

        def show(frame: int) -> list[Any]:
            for lines in self.lines_:
                for k, line in enumerate(lines):
                    line.set_visible(k <= frame)
                    line.set_alpha(1.0 if k == frame else 0.15)
                    line.set_linewidth(2.6 if k == frame else 1.0)
            told.set_text(f"iteration {self.iterations[frame]}")
            return [told, *(line for lines in self.lines_ for line in lines)]

        return FuncAnimation(self.figure_, show, frames=len(self.curves), interval=interval, blit=False)

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
        if len(self.outputs) > 1:
            last = [lines[-1] for lines in self.lines_]
            ends = [self._end(line, name) for line, name in zip(last, self.outputs, strict=True)]
        else:
            lines = self.lines_[0]
            # first the two that matter most, and of the others those that end elsewhere
            order = [len(lines) - 1, *range(len(lines) - 1)]
            apart = 12 * (self.ax_.get_ylim()[1] - self.ax_.get_ylim()[0]) / self._height()
            wide = 0.2 * (self.grid[-1] - self.grid[0])
            ends = []
            for k in order:
                end = self._end(lines[k], self._told(k))
                if all(abs(end[1] - other[1]) > apart or abs(end[0] - other[0]) > wide for other in ends):
                    ends.append(end)
        low, high = self.ax_.get_ylim()
        ends = [end for end in ends if low <= end[1] <= high]
        make_room(self.ax_, ends)
        curves = [np.asarray(line.get_xydata(), dtype=float) for lines in self.lines_ for line in lines]
        self.names_ = name_curves(self.ax_, ends, curves)

    def _height(self) -> float:
        """Of the axes, in points."""
        return float(self.ax_.get_window_extent().height * 72 / self.figure_.dpi)

    def _end(self, line: Any, name: str) -> tuple[float, float, str, str]:
        """Where the name of a curve stands: at its end, where it leaves the picture, or where a probability is highest."""
        low, high = self.ax_.get_ylim()
        at = np.asarray(line.get_xydata(), dtype=float)
        if self.probability and len(self.outputs) > 1:
            place = at[at[:, 1].argmax()]
        else:
            inside = at[(at[:, 1] >= low) & (at[:, 1] <= high)]
            place = inside[-1] if len(inside) else at[-1]
            last = line is self.lines_[0][-1]
            if self.probability and last:  # the steepest part, where the sigmoids differ
                place = at[np.abs(np.gradient(at[:, 1])).argmax()]
        return float(place[0]), float(place[1]), name, line.get_color()

    def _told(self, k: int) -> str:
        if not k:
            return "start"
        if k < len(self.curves) - 1:
            return f"{self.iterations[k]}"
        return f"{self.iterations[k]} iterations" + ("\n(max_iter)" if self.reason == "max_iter" else "")
