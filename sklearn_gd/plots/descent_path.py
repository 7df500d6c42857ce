"""Where a descent went: `DescentPathDisplay`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from .. import messages
from ..objectives import Direction
from ..protocols import Array
from ..trace import Trace, optimal, split, trace
from .style import COLOURS, MARKERS, axes_for, name_curves, named, named_results, require_matplotlib, snapshots

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes

__all__ = ["DescentPathDisplay"]

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

    def __init__(
        self,
        *,
        paths: Mapping[str, Array],
        axes: Sequence[Array],
        surface: Array,
        labels: Sequence[str],
        optimum: Array | None = None,
        heights: Mapping[str, Array] | None = None,
    ) -> None:
        self.paths = paths
        self.axes = axes
        self.surface = surface
        self.labels = labels
        self.optimum = optimum
        self.heights = heights

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
        line_kw: Mapping[str, Any] | None = None,
        contour_kw: Mapping[str, Any] | None = None,
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
        first = next(iter(runs.values()))
        candidates = [best.run.coef, *(run.run.coef for run in runs.values())]
        lowest = min(candidates, key=lambda coef: first.problem.model.at(coef).value)
        for name, run in runs.items():
            same = run.kept[0].shape == lowest.shape and np.isclose(
                first.problem.model.at(lowest).value, run.problem.model.at(lowest).value, rtol=1e-6
            )
            if not same:
                raise ValueError(
                    messages.other_objective(
                        cls.__name__, (next(iter(runs)), name), "they differ in the loss of the same coefficients"
                    )
                )
        shape = lowest.shape
        chosen = None if coefs is None else [_position(coef, first.estimator, shape) for coef in coefs]
        if chosen is not None and (len(chosen) != 2 or chosen[0] == chosen[1]):
            raise ValueError(messages.not_two_coefficients(coefs))
        model = first.problem.model

        def losses(origin: Array, directions: Array) -> Callable[[Array], Array]:
            start = origin.reshape(shape)
            space = model.at(start).along(*(Direction(d.reshape(shape).copy()) for d in directions))

            def along(points: Array) -> Array:
                with np.errstate(all="ignore"):
                    if first.quadratic:
                        value, slope, hessian = space.derivatives(np.zeros(len(directions)))
                        return value + points @ slope + 0.5 * np.einsum("ni,ij,nj->n", points, hessian, points)
                    return np.array([space.value(point) for point in points])

            return along

        paths = {name: run.kept.reshape(len(run.kept), -1) for name, run in runs.items()}
        heights = {name: np.asarray(run.estimator.loss_curve_) for name, run in runs.items()}
        # the star stands for the optimum, or not at all
        known = best.estimator.stop_reason_ in ("gradient", "precision")
        names = _names(first.estimator, shape)
        display = _display(cls, paths, heights, lowest.ravel(), losses, names, chosen, grid_resolution, known)
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
        line_kw: Mapping[str, Any] | None = None,
        contour_kw: Mapping[str, Any] | None = None,
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
        if coefs is not None and (len(coefs) != 2 or len({k % n for k in coefs}) != 2):
            raise ValueError(messages.not_two_coefficients(coefs))
        chosen = None if coefs is None else [int(k) % n for k in coefs]
        display = _display(cls, paths, heights, lowest, losses, labels, chosen, grid_resolution, optimum is not None)
        return display.plot(ax=ax, line_kw=line_kw, contour_kw=contour_kw)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        line_kw: Mapping[str, Any] | None = None,
        contour_kw: Mapping[str, Any] | None = None,
    ) -> Self:
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
        self.lines_ = []
        points = [self._points(name) for name in self.paths]
        for k, at in enumerate(points):
            look = {
                "color": COLOURS[k % len(COLOURS)],
                "marker": MARKERS[k % len(MARKERS)],
                "markersize": 4.5,
                "linewidth": 1.6,
                "markeredgecolor": "white",
                "markeredgewidth": 0.5,
                "markevery": self._apart(at),
                "zorder": 4 + k,
                **(line_kw or {}),
            }
            self.lines_.append(ax.plot(at[:, 0], at[:, 1], **look)[0])
        self.optimum_: Any = None
        if self.optimum is not None:
            place = list(self.optimum)
            if len(place) == 1:
                place.append(np.interp(place[0], self.axes[0], self.surface))
            look = {"marker": "*", "markersize": 13, "color": "black", "markeredgecolor": "white", "linestyle": ""}
            (self.optimum_,) = ax.plot(*([float(x)] for x in place), **look, zorder=20)
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
        require_matplotlib(type(self).__name__)
        from matplotlib.animation import FuncAnimation

        self.plot(**plot_kw)
        points = [self._points(name) for name in self.paths]
        marked = {line: self._apart(at) for line, at in zip(self.lines_, points, strict=True)}
        told = self.ax_.set_title("iteration 0", loc="left", fontsize=10)

        def show(k: int) -> list[Any]:
            for line, at in zip(self.lines_, points, strict=True):
                line.set_data(at[: k + 1, 0], at[: k + 1, 1])
                line.set_markevery([i for i in marked[line] if i <= k])
            told.set_text(f"iteration {k}")
            return [*self.lines_, told]

        frames = snapshots(max(len(at) for at in points), max_frames)
        return FuncAnimation(self.figure_, show, frames=frames, interval=interval, blit=False)

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
        limits = np.array(self._limits())
        return np.all((at >= limits[:, 0]) & (at <= limits[:, 1]), axis=1)

    def _apart(self, at: Array) -> list[int]:
        """Which iterates are marked: those that do not cover the mark before."""
        pixels = self.ax_.transData.transform(at) * 72 / self.figure_.dpi
        chosen: list[int] = []
        for k, place in enumerate(pixels):
            if not chosen or np.linalg.norm(place - pixels[chosen[-1]]) >= APART:
                chosen.append(k)
        return chosen

    def _limits(self) -> list[tuple[float, float]]:
        sides = [(float(axis[0]), float(axis[-1])) for axis in self.axes]
        if len(self.axes) == 1:
            low, high = float(np.nanmin(self.surface)), float(np.nanmax(self.surface))
            sides.append((low - 0.08 * (high - low), high + 0.05 * (high - low)))
        return sides

    def _draw_surface(self, contour_kw: Mapping[str, Any]) -> None:
        ax = self.ax_
        (left, right), (low, high) = self._limits()
        self.surface_: Any
        if len(self.axes) == 1:
            self.surface_ = ax.plot(self.axes[0], self.surface, color="#999999", linewidth=2.5, zorder=1)[0]
        else:
            look: dict[str, Any] = {"levels": self._levels(), "colors": None, "extend": "max", "zorder": 0}
            if "cmap" not in contour_kw and "colors" not in contour_kw:
                from matplotlib.colors import LinearSegmentedColormap

                # from white at the bottom to a grey that prints, and on which every colour of a path stands out
                look["cmap"] = LinearSegmentedColormap.from_list("height", ["#ffffff", "#b9c3cc"])
            self.surface_ = ax.contourf(*self.axes, self.surface, **{**look, **contour_kw})
            ax.contour(
                *self.axes, self.surface, levels=self.surface_.levels, colors="#8f99a3", linewidths=0.6, zorder=1
            )
        ax.set_xlim(left, right)
        ax.set_ylim(low, high)
        ax.set_xlabel(self.labels[0])
        ax.set_ylabel(self.labels[1] if len(self.axes) == 2 else "loss")
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


def _display(
    cls: type[Any],
    paths: Mapping[str, Array],
    heights: Mapping[str, Array],
    optimum: Array,
    losses: Callable[[Array, Array], Callable[[Array], Array]],
    names: Sequence[str],
    chosen: Sequence[int] | None,
    resolution: int,
    known: bool,
) -> Any:
    """The display of paths in the space of all coefficients: the plane, the view and the loss there."""
    n = len(optimum)
    base = losses(optimum, np.eye(1, n))(np.zeros((1, 1)))[0]
    gap = max(float(height[0]) - base for height in heights.values())
    in_view = [
        path[height - base <= IN_VIEW * gap] for path, height in zip(paths.values(), heights.values(), strict=True)
    ]
    if chosen is None and n > 2:
        directions, share = _principal(np.vstack(in_view) - optimum)
        labels = [f"direction {k + 1} ({part:.0%})" for k, part in enumerate(share)]
        origin, zero = optimum, np.zeros(2)
    else:
        chosen = list(range(n)) if chosen is None else list(chosen)
        directions, labels = np.eye(n)[chosen], [names[k] for k in chosen]
        origin, zero = np.array(optimum), optimum[chosen]
        origin[chosen] = 0.0
    along = losses(optimum, directions)  # about the optimum, where a quadratic has no large linear part
    flat = {name: (path - origin) @ directions.T for name, path in paths.items()}
    seen = np.vstack([(path - origin) @ directions.T for path in in_view] + [zero[None]]) - zero
    axes = []
    for k in range(len(directions)):
        unit = np.eye(len(directions))[k]
        back, ahead = (
            LEAST_VIEW[len(directions)] * _reach(lambda t, way=way: along(t * way[None])[0] - base, gap)  # type: ignore[misc]
            for way in (-unit, unit)
        )
        low, high = min(seen[:, k].min(), -back), max(seen[:, k].max(), ahead)
        room = MARGIN * (high - low) or 1.0
        axes.append(np.linspace(low - room, high + room, resolution))
    points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(axes))
    surface = along(points).reshape((resolution,) * len(axes))
    return cls(
        paths=flat,
        axes=[axis + shift for axis, shift in zip(axes, zero, strict=True)],
        surface=surface,
        labels=labels,
        optimum=zero if known else None,
        heights=heights,
    )


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


def _reach(rise: Callable[[float], float], gap: float) -> float:
    """How far from a place a loss first has risen by a gap, to a few per cent; 0 where it does not."""
    t = 1e-12
    for _ in range(100):
        if rise(t) >= gap:
            break
        t *= 2
    else:
        return 0.0
    low = t / 2
    for _ in range(5):
        middle = (low + t) / 2
        low, t = (low, middle) if rise(middle) >= gap else (middle, t)
    return t


def _iterates(run: Any) -> Array:
    if isinstance(run, Mapping):
        run = run["path"] if "path" in run else run.get("history", run)["coef"]
    path = np.asarray(run, dtype=float)
    return path.reshape(len(path), -1)


def _features(estimator: Any) -> list[str]:
    names = getattr(estimator, "feature_names_in_", None)
    return [f"x{k}" for k in range(estimator.n_features_in_)] if names is None else [str(name) for name in names]


def _outputs(estimator: Any, shape: tuple[int, ...]) -> list[str]:
    if len(shape) == 1:
        return [""]
    return [f", {name}" for name in getattr(estimator, "classes_", [f"target {k}" for k in range(shape[1])])]


def _names(estimator: Any, shape: tuple[int, ...]) -> list[str]:
    """Of the coefficients, in the order of a raveled run."""
    rows = [f"coefficient of {name}" for name in _features(estimator)]
    rows += ["intercept"] * (shape[0] - len(rows))
    return [f"{row}{output}" for row in rows for output in _outputs(estimator, shape)]


def _position(coef: Any, estimator: Any, shape: tuple[int, ...]) -> int:
    """Of a coefficient that the user has named, among those of a raveled run."""
    features = _features(estimator)
    row, output = coef if isinstance(coef, tuple) else (coef, 0)
    if isinstance(coef, tuple) and len(shape) == 1 and output:
        raise ValueError(messages.no_such_coefficient(coef, features, shape))
    known = [*features, "intercept"][: shape[0]]
    at = known.index(row) if isinstance(row, str) and row in known else row
    if isinstance(at, (str, float)) or not 0 <= at < shape[0] or not 0 <= output < (shape[1] if len(shape) > 1 else 1):
        raise ValueError(messages.no_such_coefficient(coef, features, shape))
    return int(at) * (shape[1] if len(shape) > 1 else 1) + int(output)
