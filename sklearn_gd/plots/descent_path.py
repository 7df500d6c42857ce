"""Where a descent went: `DescentPathDisplay`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from .. import messages
from ..minimize import gradient_descent
from ..objectives import Direction
from ..plan import SmoothingRounds
from ..protocols import Array
from ..trace import ARRIVED, DENSE, Trace, optimal, split, trace
from .interactive import Frames, Quadratic, has_widgets, sliders
from .style import (
    COLOURS,
    Style,
    animated,
    axes_for,
    ink,
    look,
    name_curves,
    named,
    named_results,
    require_matplotlib,
    snapshots,
)

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes

__all__ = ["DescentPathDisplay"]

# What gives the loss over a plane, or along a line: of its origin and directions a function of points of shape (n, 1 or 2).
Losses: TypeAlias = Callable[[Array, Array], Callable[[Array], Array]]

# What runs a descent: of a start, a rate, a momentum and a number of iterations the iterates and their losses.
Descend: TypeAlias = Callable[[Array, float, float, int], tuple[Array, Array]]

# Iterates up to so many times the first gap belong to the view; a run that diverges leaves it.
IN_VIEW = 10.0
# How much of the way to where the loss reaches the first gap a view shows at least, in each direction.
LEAST_VIEW = {1: 1.0, 2: 0.35}
# Points between two marks on a path, at least.
APART = 4.5
MARGIN = 0.12
# Levels have equal distances in the root of the share of the view that lies below them: on a quadratic these are equally
# spaced ellipses, and no function, however steep its walls, has all its lines there.
LEVELS = np.linspace(0.07, 1, 13) ** 2
# Ends of runs within this part of the view's diagonal of each other are one minimum: half the width of the mark there.
SAME_END = 0.01
# The lines of equal height.
THIN: dict[str, Any] = {"colors": "#8f99a3", "linewidths": 0.6, "linestyles": "solid"}
# Arrows across the picture: so few that each is seen by itself.
ARROWS = 17
# The length of an arrow is this power of the slope: between a plateau and a wall slopes differ by thousands, and both are to be seen.
COMPRESSED = 0.3
# In three dimensions, the part of the height between the lowest point and the highest start that a surface rises above the latter.
ABOVE_START = 0.1


@dataclass(kw_only=True, eq=False, repr=False)
class DescentPathDisplay:
    """The iterates of one or several runs on the surface of their loss.

    Contours over two coefficients; where there are more, over a plane through the optimum: of two of them, or of the two
    principal directions of the iterates. With one coefficient the loss itself is drawn, and the iterates on it.

    It is recommended to use `from_estimator` or `from_result` to create a `DescentPathDisplay`. All parameters are stored as
    attributes.

    Parameters
    ----------
    paths : dict of str to ndarray of shape (n_points, 1) or (n_points, 2)
        The iterates of each run in the coordinates of the picture, by the run's name.
    axes : list of ndarray of shape (n_grid,)
        The grid, one or two coordinates.
    surface : ndarray of shape (n_grid,) or (n_grid, n_grid)
        The loss on the grid; the second coordinate is that of the rows.
    labels : list of str
        Of the coordinates.
    optimum : ndarray of shape (1,) or (2,), or None, default=None
        The minimum, where it is known.
    heights : dict of str to ndarray of shape (n_points,), default=None
        The loss of each iterate; needed where there is one coordinate.
    basins : ndarray of int of shape (n_starts,) or (n_starts, n_starts), default=None
        Which of `minima` a run from there ends in, and -1 where in none; the starts are evenly spaced over `axes`.
    minima : ndarray of shape (n_minima, 1) or (n_minima, 2), default=None
        Where the runs from there end.
    minimum_heights : ndarray of shape (n_minima,), default=None
        The loss there.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure.
    surface_ : matplotlib QuadContourSet, Line2D or Poly3DCollection
        The contours; the curve, with one coordinate; the surface in three dimensions.
    lines_ : list of matplotlib Line2D
        The path of each run.
    optimum_ : matplotlib Line2D or None
        The mark at the optimum.
    minima_ : list of matplotlib Line2D
        The marks at the minima that basins belong to.
    arrows_ : matplotlib Quiver or None
        The downhill directions.

    See Also
    --------
    FitDisplay : The same run as the line that it fits to the data.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_gd import DescentPathDisplay, GDLinearRegression
    >>> x = np.linspace(-1, 3, 40)
    >>> rates = [GDLinearRegression(learning_rate=rate, max_iter=50) for rate in (0.05, 0.7)]
    >>> display = DescentPathDisplay.from_estimator(rates, x[:, None], 2.5 * x - 1)
    >>> display.labels
    ['coefficient of x0', 'intercept']
    >>> {name: len(path) for name, path in display.paths.items()}
    {'η = 0.05': 51, 'η = 0.7': 30}

    Any function with the iterates of its descent:

    >>> def valley(x):
    ...     return (1 - x[0]) ** 2 + 10 * (x[1] - x[0] ** 2) ** 2
    >>> iterates = [[-1.0, 1.0], [-0.6, 0.5], [0.2, 0.1], [0.9, 0.8], [1.0, 1.0]]
    >>> display = DescentPathDisplay.from_result(valley, np.array(iterates))

    Several starts of a function with several minima, and where every other start would end:

    >>> from sklearn_gd import gradient_descent
    >>> def valleys(x):
    ...     slope = np.array([x[0] ** 3 - 4 * x[0] + 0.8, 2 * x[1]])
    ...     return x[0] ** 4 / 4 - 2 * x[0] ** 2 + 0.8 * x[0] + x[1] ** 2, slope
    >>> def descend(start):
    ...     return gradient_descent(valleys, start, jac=True, learning_rate=0.1)
    >>> runs = {"left": descend([-0.5, 2.0]), "right": descend([0.8, 2.0])}
    >>> both = DescentPathDisplay.from_result(valleys, runs, basins=descend, basin_resolution=9)
    >>> both.minima.round(1) + 0.0
    array([[-2.1,  0. ],
           [ 1.9,  0. ]])

    The same surface in three dimensions, and with arrows that point downhill:

    >>> display = both.plot(projection="3d")
    >>> display = both.plot(arrows=True)

    As an animation, which ``Animation.to_jshtml`` shows in a notebook:

    >>> from tempfile import TemporaryDirectory
    >>> from matplotlib.animation import PillowWriter
    >>> with TemporaryDirectory() as folder:
    ...     display.animate().save(f"{folder}/valley.gif", writer=PillowWriter(fps=4))
    """

    paths: Mapping[str, Array]
    axes: Sequence[Array]
    surface: Array
    labels: Sequence[str]
    optimum: Array | None = None
    heights: Mapping[str, Array] | None = None
    basins: Array | None = None
    minima: Array | None = None
    minimum_heights: Array | None = None
    # For `interactive`, where `from_estimator` or `from_result` knows it: what makes the descents, and the plane's origin and directions.
    descents_: Callable[[], tuple[Descend, float]] = field(init=False)
    plane_: tuple[Array, Array] = field(init=False)

    def __getstate__(self) -> dict[str, Any]:
        # a picture is kept without the run that it could repeat, which has the data and does not pickle
        return {name: value for name, value in vars(self).items() if name != "descents_"}

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        coefs: Sequence[Any] | None = None,
        sample_weight: Any = None,
        grid_resolution: int = 100,
        projection: Literal["3d"] | None = None,
        arrows: bool = False,
        ax: Axes | None = None,
        line_kw: Style = None,
        contour_kw: Style = None,
    ) -> Self:
        """Fit clones that keep their iterates, and draw their paths.

        The estimators themselves are not fitted, and no clone warns: how a run ended is seen.

        Parameters
        ----------
        estimator : estimator, list or dict of estimators
            Or pipelines whose last step is one; where the steps before it are fitted, they are used as they are. The keys of
            a dict are the names of the runs; in a list they are the parameters that differ. All minimise one objective.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The data.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The target.
        coefs : pair, default=None
            Which coefficients to show where there are more than two, each the index or the name of a feature or
            ``"intercept"``; with several targets or classes a tuple of that and the output's index. All others have their
            values at the optimum. None is the two principal directions of the iterates about the optimum.
        sample_weight : array-like of shape (n_samples,), default=None
            As in ``fit``.
        grid_resolution : int, default=100
            Points along each coordinate. For log losses each point of the grid costs O(n_samples).
        projection : {"3d"} or None, default=None
            "3d" for the surface in three dimensions; None for its contours.
        arrows : bool, default=False
            Whether arrows show the direction of the next step: against the gradient, longer where it is steeper.
        ax : matplotlib Axes, default=None
            Where to draw, axes of that projection; None for a new figure.
        line_kw, contour_kw : dict, default=None
            Passed to ``Axes.plot`` for the paths, and to ``Axes.contourf`` (``Axes3D.plot_surface`` in three dimensions).

        Returns
        -------
        display : DescentPathDisplay
            Drawn.

        Raises
        ------
        ValueError
            If the estimators have different objectives, or `coefs` does not name two coefficients.
        """
        require_matplotlib(cls.__name__)
        runs: dict[str, Trace] = {}
        for name, each in named(estimator).items():
            last, _, transformed = split(cls.__name__, each, X, y)
            runs[name] = trace(last, transformed, y, sample_weight)
            if len(runs) == 1:
                best = optimal(last, transformed, y, sample_weight)
        lowest = _lowest(cls.__name__, runs, best)
        first = next(iter(runs.values()))
        chosen = _chosen(coefs, lambda coef: _position(coef, first.estimator, lowest.shape))
        display = cls._on_a_plane(
            {name: run.kept.reshape(len(run.kept), -1) for name, run in runs.items()},
            {name: np.asarray(run.estimator.loss_curve_) for name, run in runs.items()},
            lowest.ravel(),
            _losses(first, lowest.shape),
            _names(first.estimator, lowest.shape),
            chosen,
            grid_resolution,
            known=best.estimator.stop_reason_ in ARRIVED,
        )
        display.descents_ = partial(_descents, first, lowest)
        return display.plot(ax=ax, projection=projection, arrows=arrows, line_kw=line_kw, contour_kw=contour_kw)

    @classmethod
    def from_result(
        cls,
        fun: Callable[..., Any],
        result: Any,
        *,
        args: tuple[Any, ...] = (),
        optimum: ArrayLike | None = None,
        coefs: Sequence[int] | None = None,
        names: Sequence[str] | None = None,
        grid_resolution: int = 200,
        basins: Callable[[Array], Any] | None = None,
        basin_resolution: int = 48,
        projection: Literal["3d"] | None = None,
        arrows: bool = False,
        ax: Axes | None = None,
        line_kw: Style = None,
        contour_kw: Style = None,
    ) -> Self:
        """Draw the paths of runs on any function.

        Parameters
        ----------
        fun : callable ``fun(x, *args) -> float``
            The function; where it returns a tuple, its first element is the value.
        result : OptimizeResult, dict, ndarray of shape (n_points, n) or dict of these
            The iterates, a result that has them as ``path``, or a history that has them as ``"coef"``; several runs by
            their names. Of a result of several starts, the runs from all of them.
        args : tuple, default=()
            Further arguments of `fun`.
        optimum : array-like of shape (n,), default=None
            The minimum, where it is known; it is marked, and the picture reaches it.
        coefs : pair of int, default=None
            Which coordinates to show where there are more than two; the others have their values at the optimum, or at the
            lowest iterate. None is the two principal directions of the iterates.
        names : sequence of str, default=None
            Of the coordinates; None for x0, x1, ...
        grid_resolution : int, default=200
            Points along each coordinate: `fun` is called for each point of the grid.
        basins : callable ``basins(x0) -> OptimizeResult, dict or ndarray of shape (n,)``, default=None
            A descent from a start, such as ``lambda x0: gradient_descent(fun, x0, learning_rate=0.1)``: it runs from every point of
            a grid, and the picture is coloured by where each ends. Runs that end nowhere (``success`` is False) stay without colour.
        basin_resolution : int, default=48
            Starts along each coordinate. With two coordinates the default is 2,304 runs, of some milliseconds each
            where the gradient is given.
        projection : {"3d"} or None, default=None
            "3d" for the surface in three dimensions; None for its contours.
        arrows : bool, default=False
            Whether arrows show the direction of the next step: against the gradient, longer where it is steeper.
        ax : matplotlib Axes, default=None
            Where to draw, axes of that projection; None for a new figure.
        line_kw, contour_kw : dict, default=None
            Passed to ``Axes.plot`` for the paths, and to ``Axes.contourf`` (``Axes3D.plot_surface`` in three dimensions).

        Returns
        -------
        display : DescentPathDisplay
            Drawn.
        """
        require_matplotlib(cls.__name__)
        paths = {name: _iterates(each) for name, each in named_results(result).items()}

        def value(x: Array) -> float:
            out = fun(x, *args)
            return float(out[0] if isinstance(out, tuple) else out)

        def losses(origin: Array, directions: Array) -> Callable[[Array], Array]:
            def along(points: Array) -> Array:
                with np.errstate(all="ignore"):
                    return np.array([value(origin + point @ directions) for point in points])

            return along

        heights = {name: np.array([value(x) for x in path]) for name, path in paths.items()}
        everywhere, high = np.vstack(list(paths.values())), np.concatenate(list(heights.values()))
        lowest = everywhere[np.nanargmin(high)] if optimum is None else np.asarray(optimum, dtype=float).ravel()
        n = len(lowest)
        labels = [f"x{k}" for k in range(n)] if names is None else list(names)
        chosen = _chosen(coefs, lambda k: int(k) % n)
        display = cls._on_a_plane(
            paths,
            heights,
            lowest,
            losses,
            labels,
            chosen,
            grid_resolution,
            known=optimum is not None,
            descend=basins,
            n_starts=basin_resolution,
        )

        def again(start: Array, rate: float, momentum: float, n_iter: int) -> tuple[Array, Array]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # how it ended is seen
                run = gradient_descent(value, start, learning_rate=rate, momentum=momentum or None, max_iter=n_iter)
            return run.path, np.asarray(run.history["loss"])

        display.descents_ = lambda: (again, 0.01)
        return display.plot(ax=ax, projection=projection, arrows=arrows, line_kw=line_kw, contour_kw=contour_kw)

    @classmethod
    def _on_a_plane(
        cls,
        paths: Mapping[str, Array],
        heights: Mapping[str, Array],
        lowest: Array,
        losses: Losses,
        names: Sequence[str],
        chosen: Sequence[int] | None,
        resolution: int,
        *,
        known: bool,
        descend: Callable[[Array], Any] | None = None,
        n_starts: int = 0,
    ) -> Self:
        """The display of paths in the space of all coefficients: the plane, the view and the loss there.

        `lowest` is the optimum where it is `known`; `descend` runs from as many starts along each coordinate.
        """
        n = len(lowest)
        base = losses(lowest, np.eye(1, n))(np.zeros((1, 1)))[0]
        gap = max(float(height[0]) - base for height in heights.values())
        in_view = [path[heights[name] - base <= IN_VIEW * gap] for name, path in paths.items()]
        if chosen is None and n > 2:
            directions, share = _principal(np.vstack(in_view) - lowest)
            labels = [f"direction {k + 1} ({part:.0%})" for k, part in enumerate(share)]
            origin, zero = lowest, np.zeros(2)
        else:
            chosen = list(range(n)) if chosen is None else list(chosen)
            directions, labels = np.eye(n)[chosen], [names[k] for k in chosen]
            origin, zero = np.array(lowest), lowest[chosen]
            origin[chosen] = 0.0
        along = losses(lowest, directions)  # about the optimum, where a quadratic has no large linear part
        seen = np.vstack([(path - origin) @ directions.T for path in in_view] + [zero]) - zero
        axes = []
        for k, unit in enumerate(np.eye(len(directions))):
            least = LEAST_VIEW[len(directions)]
            back, ahead = (least * _reach(along, way, base + gap) for way in (-unit, unit))
            low, high = min(seen[:, k].min(), -back), max(seen[:, k].max(), ahead)
            room = MARGIN * (high - low) or 1.0
            axes.append(np.linspace(low - room, high + room, resolution))
        points = _nodes(axes)
        labelled = minima = depths = None
        if descend is not None:
            starts = lowest + _nodes([np.linspace(axis[0], axis[-1], n_starts) for axis in axes]) @ directions
            same = SAME_END * float(np.linalg.norm([np.ptp(axis) for axis in axes]))
            found, ends = _basins([descend(start) for start in starts], same)
            labelled, minima = found.reshape((n_starts,) * len(axes)), (ends - origin) @ directions.T
            depths = along((ends - lowest) @ directions.T)
        display = cls(
            paths={name: (path - origin) @ directions.T for name, path in paths.items()},
            axes=[axis + shift for axis, shift in zip(axes, zero, strict=True)],
            surface=along(points).reshape((resolution,) * len(axes)),
            labels=labels,
            optimum=zero if known else None,
            heights=heights,
            basins=labelled,
            minima=minima,
            minimum_heights=depths,
        )
        display.plane_ = origin, directions
        return display

    def plot(
        self,
        ax: Axes | None = None,
        *,
        projection: Literal["3d"] | None = None,
        arrows: bool = False,
        line_kw: Style = None,
        contour_kw: Style = None,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw, axes of that projection; None for a new figure.
        projection : {"3d"} or None, default=None
            "3d" for the surface in three dimensions; None for its contours.
        arrows : bool, default=False
            Whether arrows show the direction of the next step: against the gradient, longer where it is steeper.
        line_kw, contour_kw : dict, default=None
            Passed to ``Axes.plot`` for the paths, and to ``Axes.contourf`` (``Axes3D.plot_surface`` in three dimensions).

        Returns
        -------
        display : DescentPathDisplay
            Itself.
        """
        if projection not in (None, "3d"):
            raise ValueError(messages.unknown_projection(projection))
        if len(self.axes) == 1 and (projection or arrows):
            raise ValueError(messages.one_coordinate('projection="3d"' if projection else "arrows=True"))
        if ax is not None and projection and ax.name != "3d":
            raise ValueError(messages.flat_axes(type(self).__name__))
        self.ax_ = ax = axes_for(type(self).__name__, ax, (6.0, 4.6), projection)
        self.solid_ = projection == "3d"
        self.figure_: Any = ax.figure
        self._draw_surface(contour_kw or {})
        self.arrows_: Any = self._draw_arrows() if arrows else None
        self.lines_: list[Any] = []
        points = [self._points(name) for name in self.paths]
        for k, at in enumerate(points):
            style = {
                **look(k),
                "color": self._colour(k, at),
                "linestyle": "-",
                "markersize": 4.5,
                "linewidth": 1.6,
                "markeredgecolor": "white",
                "markeredgewidth": 0.5,
                "markevery": self._apart(at),
                "zorder": 4 + k,
                **(line_kw or {}),
            }
            self.lines_ += ax.plot(*at.T, **style)
        star: dict[str, Any] = {"linestyle": "", "marker": "*", "markersize": 13, "markeredgecolor": "white"}
        self.optimum_: Any = None
        if self.optimum is not None:
            (self.optimum_,) = ax.plot(*self._lifted(self.optimum[None]).T, color="black", zorder=20, **star)
        self.minima_: list[Any] = []
        for k, at in enumerate(self._lifted(self.minima) if self.minima is not None else ()):
            colour = ink(COLOURS[k % len(COLOURS)])
            self.minima_ += ax.plot(*at[:, None], **{**star, "color": colour, "markersize": 15, "zorder": 19})
        self._name_points(points)
        return self

    def animate(self, *, interval: int = 150, max_frames: int = 80, **plot_kw: Any) -> FuncAnimation:
        """Animate the paths.

        ``.save("path.gif", writer=PillowWriter(fps=8))`` writes a GIF; ``IPython.display.HTML(animation.to_jshtml())`` shows
        it in a notebook.

        Parameters
        ----------
        interval : int, default=150
            Milliseconds a frame.
        max_frames : int, default=80
            Of longer runs that many iterations are shown, ever wider apart.
        **plot_kw : dict
            Passed to `plot`.

        Returns
        -------
        animation : matplotlib.animation.FuncAnimation
            Keep it: what nobody keeps is not drawn.
        """
        self.plot(**plot_kw)
        paths = [
            (line, at, self._apart(at))
            for line, at in zip(self.lines_, (self._points(name) for name in self.paths), strict=True)
        ]
        iterations = snapshots(max(len(at) for _, at, _ in paths), max_frames)

        def show(frame: int) -> None:
            k = iterations[frame]
            for line, at, marked in paths:
                (line.set_data_3d if self.solid_ else line.set_data)(*at[: k + 1].T)
                line.set_markevery([i for i in marked if i <= k])

        return animated(self.ax_, show, iterations, interval)

    def _points(self, name: str) -> Array:
        """What is drawn of a path: of one that leaves for good, the first iterate outside is the last."""
        at = np.asarray(self.paths[name], dtype=float)
        if len(self.axes) == 1:
            heights = self.heights or {}
            at = np.column_stack([at[:, 0], heights[name]])
        inside = self._inside(at)
        last = int(np.flatnonzero(inside)[-1]) if inside.any() else -1
        return self._lifted(at[: last + 1]) if self.solid_ else at[: last + 2]

    def _lifted(self, at: Array) -> Array:
        """Points with one coordinate more, the height of the surface there, where the picture has that."""
        if len(self.axes) == 1:
            return np.column_stack([at, np.interp(at[:, 0], self.axes[0], self.surface)])
        if not self.solid_:
            return at
        from scipy.interpolate import RegularGridInterpolator

        height = RegularGridInterpolator(tuple(self.axes), self.surface.T, bounds_error=False)
        return np.column_stack([at, height(at)])

    def _inside(self, at: Array) -> Array:
        low, high = np.transpose([self.ax_.get_xlim(), self.ax_.get_ylim()])
        return np.all((at[:, :2] >= low) & (at[:, :2] <= high), axis=1)

    def _flat(self, at: Array) -> Array:
        """Where points are in the picture, in the coordinates of its axes; of three dimensions, as they are projected."""
        if not self.solid_:
            return at
        from mpl_toolkits.mplot3d.proj3d import proj_transform

        ax: Any = self.ax_
        return np.column_stack(proj_transform(*at.T, ax.get_proj())[:2])

    def _apart(self, at: Array) -> list[int]:
        """Which iterates are marked: those that do not cover the mark before."""
        pixels = self.ax_.transData.transform(self._flat(at)) * 72 / self.figure_.dpi
        chosen: list[int] = []
        for k, place in enumerate(pixels):
            if not chosen or np.linalg.norm(place - pixels[chosen[-1]]) >= APART:
                chosen.append(k)
        return chosen

    def _draw_surface(self, contour_kw: Mapping[str, Any]) -> None:
        ax = self.ax_
        self.surface_: Any
        if len(self.axes) == 1:
            self.surface_ = ax.plot(self.axes[0], self.surface, color="#999999", linewidth=2.5, zorder=1)[0]
            low, high = np.nanmin(self.surface), np.nanmax(self.surface)
            ax.set_ylim(low - 0.08 * (high - low), high + 0.05 * (high - low))
            ax.set_ylabel("loss")
        elif self.solid_:
            self._draw_solid(contour_kw)
        else:
            style: dict[str, Any] = {"levels": self._levels(), "extend": "max", "zorder": 0}
            if not {"cmap", "colors"} & contour_kw.keys():
                style["cmap"] = _heights_map()
            if self.basins is not None:
                style["alpha"] = 0.0  # their colours are the ground, and the lines alone tell the height
            self.surface_ = ax.contourf(*self.axes, self.surface, **{**style, **contour_kw})
            ax.contour(*self.axes, self.surface, levels=self.surface_.levels, zorder=1, **THIN)
            ax.set_ylim(self.axes[1][0], self.axes[1][-1])
            ax.set_ylabel(self.labels[1])
        if self.basins is not None and not self.solid_:
            self._draw_basins(self.basins)
        ax.set_xlim(self.axes[0][0], self.axes[0][-1])
        ax.set_xlabel(self.labels[0])
        ax.locator_params(nbins=5)

    def _draw_basins(self, basins: Array) -> None:
        """The ground in the colours of the minima, with lines between them."""
        ax = self.ax_
        limits = ax.get_ylim()
        sides = [np.linspace(axis[0], axis[-1], len(basins)) for axis in self.axes]
        extent = (sides[0][0], sides[0][-1], *(limits if len(sides) == 1 else (sides[1][0], sides[1][-1])))
        # a start is the middle of its patch, so that those at the border reach beyond it by half a patch
        half = [0.5 * (axis[1] - axis[0]) for axis in sides] + [0.0]
        extent = (extent[0] - half[0], extent[1] + half[0], extent[2] - half[1], extent[3] + half[1])
        tints = self._tints(np.atleast_2d(basins))
        ax.imshow(tints, extent=extent, origin="lower", aspect="auto", zorder=-1, interpolation="nearest")
        for k in range(int(basins.max()) + 1 if len(sides) == 2 else 0):
            ax.contour(*sides, basins == k, levels=[0.5], colors="white", linewidths=1.2, zorder=0)
        ax.set_ylim(limits)

    def _draw_solid(self, surface_kw: Mapping[str, Any]) -> None:
        """The surface in three dimensions, up to a little above the highest start: walls would make everything else flat."""
        ax: Any = self.ax_
        low, top = float(np.nanmin(self.surface)), float(np.nanmax(self.surface))
        starts = self._lifted(np.array([path[0] for path in self.paths.values()]))[:, 2]
        highest = float(np.max(starts, initial=low, where=np.isfinite(starts)))
        high = min(top, highest + ABOVE_START * (highest - low)) if highest > low else top
        shown = np.where(self.surface <= high, self.surface, np.nan)
        style: dict[str, Any] = {"rcount": 60, "ccount": 60, "edgecolor": "#8f99a3", "linewidth": 0.25, "alpha": 0.85}
        if self.basins is not None:
            near = [np.linspace(0, len(self.basins) - 1, len(axis)).round().astype(int) for axis in self.axes]
            style["facecolors"] = self._tints(self.basins[np.ix_(near[1], near[0])])
            style["shade"] = False
        elif not {"cmap", "color", "facecolors"} & surface_kw.keys():
            style["cmap"] = _heights_map()
        ax.computed_zorder = False  # paths lie on the surface, and are seen wherever they are
        self.surface_ = ax.plot_surface(*np.meshgrid(*self.axes), shown, **{**style, **surface_kw})
        ax.set_ylim(self.axes[1][0], self.axes[1][-1])
        ax.set_xlim(self.axes[0][0], self.axes[0][-1])
        ax.set_zlim(low, high)
        ax.set_ylabel(self.labels[1])
        ax.set_zlabel("loss")
        ax.view_init(elev=38, azim=-60)

    def _draw_arrows(self) -> Any:
        """Of the direction in which the loss falls: the way of the next step in these coordinates."""
        ax: Any = self.ax_
        down = np.stack([-part for part in np.gradient(self.surface, *self.axes[::-1])][::-1], axis=-1)
        # the arrows' feet: nodes of the grid, evenly spaced, with a margin of half a space
        across, up = (
            np.unique(np.linspace(0, len(axis) - 1, 2 * n + 1)[1::2].round().astype(int))
            for axis, n in zip(self.axes, (ARROWS, round(0.75 * ARROWS)), strict=True)
        )
        down = down[np.ix_(up, across)]
        x, y = np.meshgrid(self.axes[0][across], self.axes[1][up])
        # in parts of the picture, so that all directions count alike
        size = np.hypot(*(down / [np.ptp(axis) for axis in self.axes]).T).T
        with np.errstate(all="ignore"):
            length = (np.linalg.norm(down, axis=-1) / np.nanmax(np.linalg.norm(down, axis=-1))) ** COMPRESSED / ARROWS
            u, v = (down * (length / size)[..., None]).transpose(2, 0, 1)
        style = {"color": "#4d5761", "zorder": 2}
        if self.solid_:
            feet, tips = (self._lifted(np.column_stack([a.ravel(), b.ravel()])) for a, b in ((x, y), (x + u, y + v)))
            seen = (feet[:, 2] <= ax.get_zlim()[1]) & np.isfinite(tips).all(axis=1)
            return ax.quiver(*feet[seen].T, *(tips - feet)[seen].T, arrow_length_ratio=0.35, linewidth=0.9, **style)
        return ax.quiver(x, y, u, v, angles="xy", scale_units="xy", scale=1.0, width=0.0032, headwidth=4, **style)

    def _colour(self, k: int, at: Array) -> Any:
        """Of the k-th path: that of the basin in which it ends, where they are coloured."""
        if self.minima is None or not len(at):
            return look(k)["color"]
        away = np.linalg.norm((self.minima - at[-1, : len(self.axes)]) / [np.ptp(axis) for axis in self.axes], axis=1)
        near = np.flatnonzero(away <= 5 * SAME_END)  # a run that has not arrived is on its way to somewhere
        return ink(COLOURS[near[away[near].argmin()] % len(COLOURS)]) if len(near) else "#444444"

    def _tints(self, basins: Array) -> Array:
        from matplotlib.colors import to_rgb

        n = max(int(basins.max()) + 1, 1)
        tints = [0.62 + 0.38 * np.array(to_rgb(COLOURS[k % len(COLOURS)])) for k in range(n)]
        return np.array([*tints, np.ones(3)])[basins]  # −1 is the last one, white

    def interactive(self, *, max_iter: int = 100) -> Any:
        """The picture with sliders, in a notebook: for rate, momentum, iteration and start.

        Each move runs plain gradient descent, whatever rule the runs of the picture had, and redraws its path alone: some milliseconds for squared error, every iterate of which is known
        in closed form. It needs ipywidgets (``pip install 'sklearn-gd[interactive]'``); without it a warning says so, and the picture stays.

        Parameters
        ----------
        max_iter : int, default=100
            Where the slider of the iteration ends.

        Returns
        -------
        widget : ipywidgets.VBox or DescentPathDisplay
            The sliders and the picture; itself, where there is no ipywidgets.

        Raises
        ------
        ValueError
            If the display was not made by `from_estimator` or `from_result`, and knows no descent that it could run again; or if the loss is
            that of a quantile, which has no curvature that a constant rate could go by.
        """
        if not hasattr(self, "descents_"):
            raise ValueError(messages.no_descent(type(self).__name__))
        descend, guess = self.descents_()
        if not has_widgets():
            return self
        start = next(iter(self.paths.values()))[0]
        names = ["start", "start_2"][: len(self.axes)]
        ranges: dict[str, tuple[str, float, float, float]] = {
            "rate": ("log", 0.5 * guess, float(np.log10(guess)) - 2, float(np.log10(guess)) + 0.5),
            "momentum": ("float", 0.0, 0.0, 0.99),
            "iteration": ("int", max_iter, 0, max_iter),
            **{
                name: ("float", float(np.clip(at, axis[0], axis[-1])), float(axis[0]), float(axis[-1]))
                for name, at, axis in zip(names, start, self.axes, strict=True)
            },
        }
        return sliders(self._frames(descend), ranges)

    def _frames(self, descend: Descend) -> Callable[..., bytes]:
        """What draws the picture for the sliders' values; the runs of the display itself are left out."""
        ground = replace(self, paths={}, heights={})
        frames = Frames(ground.plot().ax_)
        origin, directions = self.plane_
        low, high = np.transpose([ground.ax_.get_xlim(), ground.ax_.get_ylim()])

        def draw(rate: float, momentum: float, iteration: int, start: float, start_2: float = 0.0) -> bytes:
            first = np.array([start, start_2][: len(self.axes)])
            path, losses = descend(origin + first @ directions, rate, momentum, iteration)
            last = len(path) - 1
            with np.errstate(over="ignore", invalid="ignore"):
                at = (path - origin) @ directions.T
                if len(self.axes) == 1:
                    at = np.column_stack([at, losses])
                outside = not np.all((at[-1] >= low) & (at[-1] <= high))
            # a thousand views away is as far as any number beyond that, which could not be drawn
            shown = np.clip(at[np.isfinite(at).all(axis=1)], low - 1e3 * (high - low), high + 1e3 * (high - low))
            told = f"η = {rate:.3g}   β = {momentum:.2g}   iteration {last}   loss {losses[-1]:.4g}"
            return frames.png(shown, told + ("   (outside)" if outside else ""))

        return draw

    def _levels(self) -> Array:
        finite = self.surface[np.isfinite(self.surface)]
        levels = np.unique(np.quantile(finite, LEVELS))
        return levels if len(levels) > 1 else np.array([levels[0], levels[0] + 1.0])

    def _name_points(self, points: Sequence[Array]) -> None:
        names: list[tuple[Any, Any, str, str]] = []
        marks = [] if self.optimum is None else [self.optimum]
        marks += [] if self.minima is None else list(self.minima)
        curves = [self._flat(at) for at in points] + [self._flat(self._lifted(at[None])) for at in marks]
        for (name, whole), at, flat, line in zip(self.paths.items(), points, curves, self.lines_, strict=False):
            inside = self._inside(at)
            if not inside.any():
                continue
            left = len(at) < len(whole) or not inside[-1]
            several = len(self.paths) > 1
            if self.minima is not None:  # several runs end in one place, and it has a name of its own
                if inside[0]:
                    names.append((*flat[0], f"{name} leaves" if left else name, line.get_color()))
                continue
            if inside[0] and not any((x, y) == tuple(flat[0]) for x, y, *_ in names):
                names.append((*flat[0], "start", "black"))
            text = (f"{name} leaves" if several else "leaves") if left else (name if several else "end")
            if len(at) > 1:
                names.append((*flat[inside][-1], text, line.get_color()))
        if self.minima is not None and self.minimum_heights is not None:
            nothing = 1e-9 * float(np.ptp(self.surface[np.isfinite(self.surface)]))
            flat = self._flat(self._lifted(self.minima))
            for mark, at, height in zip(self.minima_, flat, self.minimum_heights, strict=True):
                told = f"{height if abs(height) > nothing else 0.0:.3g}".replace("-", "−")
                # in three dimensions short: names stand beside the numbers of the axes there
                names.append((*at, told if self.solid_ else f"minimum {told}", mark.get_color()))
        self.names_ = name_curves(self.ax_, names, curves)


# ------------------------------------------------------------------------------------------------- from runs to a plane


def _lowest(display: str, runs: Mapping[str, Trace], best: Trace) -> Array:
    """The lowest end of all runs, whose objectives must be one."""
    first = next(iter(runs))
    model = runs[first].problem.model
    lowest = min((run.run.coef for run in (best, *runs.values())), key=lambda coef: model.at(coef).value)
    for name, run in runs.items():
        if run.kept[0].shape != lowest.shape or not np.isclose(
            model.at(lowest).value, run.problem.model.at(lowest).value, rtol=1e-6
        ):
            reason = "they differ in the loss of the same coefficients"
            raise ValueError(messages.other_objective(display, (first, name), reason))
    return lowest


def _losses(run: Trace, shape: tuple[int, ...]) -> Losses:
    """The objective of a run over a plane; of a quadratic, of which all is known at one point, at once."""

    def losses(origin: Array, directions: Array) -> Callable[[Array], Array]:
        start = run.problem.model.at(origin.reshape(shape))
        space = start.along(*(Direction(d.reshape(shape).copy()) for d in directions))

        def along(points: Array) -> Array:
            with np.errstate(all="ignore"):
                if not run.quadratic:
                    return np.array([space.value(point) for point in points])
                value, slope, hessian = space.derivatives(np.zeros(len(directions)))
                return value + points @ slope + 0.5 * np.einsum("ni,ij,nj->n", points, hessian, points)

        return along

    return losses


def _nodes(axes: Sequence[Array]) -> Array:
    """The points of a grid, of shape (n, 1 or 2), in the order of the surface."""
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(axes))


def _basins(results: Sequence[Any], same: float) -> tuple[Array, Array]:
    """Which minimum each run has ended in, -1 for none, and the minima, the most frequent first.

    Ends closer than `same` are one; a run that has not arrived makes none, but may have come close to one.
    """
    ends = np.array([_end(result) for result in results])
    arrived = np.array([not isinstance(each, Mapping) or bool(each.get("success", True)) for each in results])
    arrived &= np.isfinite(ends).all(axis=1)
    minima: list[Array] = []
    for end in ends[arrived]:
        if not minima or np.linalg.norm(np.array(minima) - end, axis=1).min() > same:
            minima.append(end)
    if not minima:
        return np.full(len(ends), -1), np.empty((0, ends.shape[1]))
    with np.errstate(all="ignore"):
        away = np.linalg.norm(ends[:, None] - np.array(minima), axis=2)
    nearest = np.where((away <= same).any(axis=1), np.where(np.isfinite(away), away, np.inf).argmin(axis=1), -1)
    frequent = np.argsort(-np.bincount(nearest[nearest >= 0], minlength=len(minima)), kind="stable")
    renamed = np.append(np.argsort(frequent), -1)
    return renamed[nearest], np.array(minima)[frequent]


def _end(result: Any) -> Array:
    return np.asarray(result["x"] if isinstance(result, Mapping) else result, dtype=float).ravel()


def _heights_map() -> Any:
    """From white at the bottom to a grey that prints, and on which every colour of a path stands out."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("height", ["#ffffff", "#b9c3cc"])


def _descents(run: Trace, lowest: Array) -> tuple[Descend, float]:
    """What runs the descent of an estimator's objective from any start, in raveled coefficients; and 1/L, nearly."""
    if isinstance(run.problem.rounds, SmoothingRounds):
        raise ValueError(messages.no_curvature("DescentPathDisplay.interactive"))
    model, shape = run.problem.model, lowest.shape
    here = model.at(lowest)
    steep, size = np.random.default_rng(0).standard_normal(shape), 1.0
    # powers of the Hessian: its largest eigenvalue to some per cent is enough for where a slider begins
    for _ in range(30):
        steep = model.curvature_product(steep / size, here)
        size = float(np.linalg.norm(steep)) or 1.0
    if run.quadratic and lowest.size <= DENSE:
        hessian = np.stack([model.curvature_product(e.reshape(shape), here).ravel() for e in np.eye(lowest.size)])
        quadratic = Quadratic(hessian, lowest.ravel(), here.gradient.ravel())

        def closed(start: Array, rate: float, momentum: float, n_iter: int) -> tuple[Array, Array]:
            path = quadratic.path(start, rate, momentum, n_iter)
            away = path - lowest.ravel()
            with np.errstate(over="ignore", invalid="ignore"):
                losses = here.value + away @ here.gradient.ravel() + 0.5 * np.einsum("ni,ni->n", away @ hessian, away)
            return path, losses

        return closed, 1 / size

    def again(start: Array, rate: float, momentum: float, n_iter: int) -> tuple[Array, Array]:
        beta, before = start.reshape(shape), start.reshape(shape)
        path, losses = [], []
        for _ in range(n_iter + 1):
            point = model.at(beta)
            path.append(beta.ravel())
            losses.append(point.value)
            beta, before = beta - rate * point.gradient + momentum * (beta - before), beta
        return np.array(path), np.array(losses)

    return again, 1 / size


def _principal(offsets: Array) -> tuple[Array, Array]:
    """Two orthonormal directions that the offsets spread in most, and the share of each in their squares."""
    _, sizes, rows = np.linalg.svd(offsets, full_matrices=False)
    squares = np.concatenate([sizes**2, [0.0, 0.0]])
    total = squares.sum() or 1.0
    found = [row for row, size in zip(rows[:2], sizes[:2], strict=True) if size > 1e-9 * sizes[0]]
    while len(found) < 2:
        # a path along a line: any second direction will do; the axis that is most orthogonal to the first
        basis = np.array(found).reshape(-1, offsets.shape[1])
        axis = np.eye(offsets.shape[1])[np.argmin((basis**2).sum(axis=0))]
        axis -= basis.T @ (basis @ axis)
        found.append(axis / np.linalg.norm(axis))
    signs = [1.0 if row[np.abs(row).argmax()] > 0 else -1.0 for row in found]
    return np.array(signs)[:, None] * np.array(found), squares[:2] / total


def _reach(along: Callable[[Array], Array], way: Array, level: float) -> float:
    """How far along a way a loss first has risen to a level, to a few per cent; 0 where it does not."""

    def risen(t: float) -> bool:
        return bool(along(t * way[None])[0] >= level)

    t = next((t for t in 1e-12 * 2.0 ** np.arange(100) if risen(t)), 0.0)
    low = t / 2
    for _ in range(5 if t else 0):
        middle = (low + t) / 2
        low, t = (low, middle) if risen(middle) else (middle, t)
    return t


def _iterates(run: Any) -> Array:
    if isinstance(run, Mapping):
        run = run["path"] if "path" in run else run.get("history", run)["coef"]
    path = np.asarray(run, dtype=float)
    return path.reshape(len(path), -1)


def _features(estimator: Any) -> list[str]:
    names = getattr(estimator, "feature_names_in_", None)
    return [f"x{k}" for k in range(estimator.n_features_in_)] if names is None else [str(name) for name in names]


def _names(estimator: Any, shape: tuple[int, ...]) -> list[str]:
    """Of the coefficients, in the order of a raveled run."""
    rows = [*(f"coefficient of {name}" for name in _features(estimator)), "intercept"][: shape[0]]
    if len(shape) == 1:
        return rows
    outputs = getattr(estimator, "classes_", [f"target {k}" for k in range(shape[1])])
    return [f"{row}, {output}" for row in rows for output in outputs]


def _chosen(coefs: Sequence[Any] | None, position: Callable[[Any], int]) -> list[int] | None:
    """The positions of the two coefficients that the user has named, if any."""
    if coefs is None:
        return None
    chosen = [position(coef) for coef in coefs]
    if len(chosen) != 2 or chosen[0] == chosen[1]:
        raise ValueError(messages.not_two_coefficients(coefs))
    return chosen


def _position(coef: Any, estimator: Any, shape: tuple[int, ...]) -> int:
    """Of a coefficient that the user has named, among those of a raveled run."""
    features = _features(estimator)
    row, output = coef if isinstance(coef, tuple) else (coef, 0)
    names = [*features, "intercept"][: shape[0]]
    try:
        return int(np.ravel_multi_index((names.index(row) if row in names else row, output), (*shape, 1)[:2]))
    except (TypeError, ValueError) as error:
        raise ValueError(messages.no_such_coefficient(coef, features, shape)) from error
