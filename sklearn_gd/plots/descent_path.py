"""Where a descent went: `DescentPathDisplay`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .. import messages
from ..objectives import Direction
from ..protocols import Array
from ..trace import ARRIVED, Trace, optimal, split, trace
from .style import Style, animated, axes_for, look, name_curves, named, named_results, require_matplotlib, snapshots

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes

__all__ = ["DescentPathDisplay"]

# What gives the loss over a plane, or along a line: of its origin and directions a function of points of shape (n, 1 or 2).
Losses: TypeAlias = Callable[[Array, Array], Callable[[Array], Array]]

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

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure.
    surface_ : matplotlib QuadContourSet or Line2D
        The contours; the curve, with one coordinate.
    lines_ : list of matplotlib Line2D
        The path of each run.
    optimum_ : matplotlib Line2D or None
        The mark at the optimum.

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
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        line_kw, contour_kw : dict, default=None
            Passed to ``Axes.plot`` for the paths, and to ``Axes.contourf``.

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
        return display.plot(ax=ax, line_kw=line_kw, contour_kw=contour_kw)

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
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        line_kw, contour_kw : dict, default=None
            Passed to ``Axes.plot`` for the paths, and to ``Axes.contourf``.

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
            paths, heights, lowest, losses, labels, chosen, grid_resolution, known=optimum is not None
        )
        return display.plot(ax=ax, line_kw=line_kw, contour_kw=contour_kw)

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
    ) -> Self:
        """The display of paths in the space of all coefficients: the plane, the view and the loss there.

        `lowest` is the optimum where it is `known`.
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
        points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(axes))
        return cls(
            paths={name: (path - origin) @ directions.T for name, path in paths.items()},
            axes=[axis + shift for axis, shift in zip(axes, zero, strict=True)],
            surface=along(points).reshape((resolution,) * len(axes)),
            labels=labels,
            optimum=zero if known else None,
            heights=heights,
        )

    def plot(self, ax: Axes | None = None, *, line_kw: Style = None, contour_kw: Style = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        line_kw, contour_kw : dict, default=None
            Passed to ``Axes.plot`` for the paths, and to ``Axes.contourf``.

        Returns
        -------
        display : DescentPathDisplay
            Itself.
        """
        self.ax_ = ax = axes_for(type(self).__name__, ax, (6.0, 4.6))
        self.figure_: Any = ax.figure
        self._draw_surface(contour_kw or {})
        self.lines_: list[Any] = []
        points = [self._points(name) for name in self.paths]
        for k, at in enumerate(points):
            style = {
                **look(k),
                "linestyle": "-",
                "markersize": 4.5,
                "linewidth": 1.6,
                "markeredgecolor": "white",
                "markeredgewidth": 0.5,
                "markevery": self._apart(at),
                "zorder": 4 + k,
                **(line_kw or {}),
            }
            self.lines_ += ax.plot(at[:, 0], at[:, 1], **style)
        self.optimum_: Any = None
        if self.optimum is not None:
            x = float(self.optimum[0])
            y = float(self.optimum[1] if len(self.axes) == 2 else np.interp(x, self.axes[0], self.surface))
            (self.optimum_,) = ax.plot(
                [x], [y], linestyle="", marker="*", markersize=13, color="black", markeredgecolor="white", zorder=20
            )
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
        paths = [(line, line.get_xydata(), self._apart(line.get_xydata())) for line in self.lines_]
        iterations = snapshots(max(len(at) for _, at, _ in paths), max_frames)

        def show(frame: int) -> None:
            k = iterations[frame]
            for line, at, marked in paths:
                line.set_data(at[: k + 1, 0], at[: k + 1, 1])
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
        return at[: last + 2]

    def _inside(self, at: Array) -> Array:
        low, high = np.transpose([self.ax_.get_xlim(), self.ax_.get_ylim()])
        return np.all((at >= low) & (at <= high), axis=1)

    def _apart(self, at: Array) -> list[int]:
        """Which iterates are marked: those that do not cover the mark before."""
        pixels = self.ax_.transData.transform(at) * 72 / self.figure_.dpi
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
        else:
            style: dict[str, Any] = {"levels": self._levels(), "extend": "max", "zorder": 0}
            if not {"cmap", "colors"} & contour_kw.keys():
                from matplotlib.colors import LinearSegmentedColormap

                # from white at the bottom to a grey that prints, and on which every colour of a path stands out
                style["cmap"] = LinearSegmentedColormap.from_list("height", ["#ffffff", "#b9c3cc"])
            self.surface_ = ax.contourf(*self.axes, self.surface, **{**style, **contour_kw})
            ax.contour(
                *self.axes, self.surface, levels=self.surface_.levels, colors="#8f99a3", linewidths=0.6, zorder=1
            )
            ax.set_ylim(self.axes[1][0], self.axes[1][-1])
            ax.set_ylabel(self.labels[1])
        ax.set_xlim(self.axes[0][0], self.axes[0][-1])
        ax.set_xlabel(self.labels[0])
        ax.locator_params(nbins=5)

    def _levels(self) -> Array:
        finite = self.surface[np.isfinite(self.surface)]
        levels = np.unique(np.quantile(finite, LEVELS))
        return levels if len(levels) > 1 else np.array([levels[0], levels[0] + 1.0])

    def _name_points(self, points: Sequence[Array]) -> None:
        names: list[tuple[Any, Any, str, str]] = []
        curves = [*points] + ([] if self.optimum_ is None else [self.optimum_.get_xydata()])
        for (name, whole), at, line in zip(self.paths.items(), points, self.lines_, strict=True):
            inside = self._inside(at)
            if not inside.any():
                continue
            if inside[0] and not any((x, y) == tuple(at[0]) for x, y, *_ in names):
                names.append((*at[0], "start", "black"))
            left = len(at) < len(whole) or not inside[-1]
            several = len(self.paths) > 1
            text = (f"{name} leaves" if several else "leaves") if left else (name if several else "end")
            if len(at) > 1:
                names.append((*at[inside][-1], text, line.get_color()))
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
