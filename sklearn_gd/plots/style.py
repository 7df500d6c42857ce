"""How the pictures look: colours, marks and names beside curves.

Two uses: the Displays, and the pictures of the benchmarks. Colours are those of M. Okabe and K. Ito (Color Universal
Design, 2008), which the colour-blind tell apart; every curve has its own dashes or marker and its name beside it, too.
"""

from __future__ import annotations

import numbers
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .. import messages
from ..protocols import Array

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from matplotlib.text import Annotation

#: Keywords of the user's for matplotlib.
Style: TypeAlias = Mapping[str, Any] | None
#: of the first curve, the second, ...
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#777777")
BLUE, RED, GREEN, PURPLE, ORANGE, SKY, GREY = COLOURS
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1.2, 1.2, 1.2)), (0, (8, 1.5)), (0, (3, 1, 1, 1, 1, 1)), "-")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def look(k: int) -> dict[str, Any]:
    """Colour, dashes and marker of the k-th curve."""
    k %= len(COLOURS)
    return {"color": COLOURS[k], "linestyle": DASHES[k], "marker": MARKERS[k]}


def require_matplotlib(display: str) -> None:
    """Raise an ImportError that says what to install, before any work."""
    try:
        import matplotlib  # noqa: F401 (whether it is there)
    except ImportError as error:
        raise ImportError(messages.no_matplotlib(display)) from error


def ink(colour: Any) -> Any:
    """A colour for text: darker, because thin strokes on white look lighter than areas."""
    from matplotlib.colors import to_rgb

    return tuple(0.75 * part for part in to_rgb(colour))


def axes_for(display: str, ax: Axes | None, figsize: tuple[float, float], projection: str | None = None) -> Axes:
    """The axes that were given, or those of a new figure."""
    require_matplotlib(display)
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=figsize, layout="constrained", subplot_kw={"projection": projection})[1]


def plain(ax: Axes) -> None:
    """No frame, a light grid behind what is drawn."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, which="major", color="#e6e6e6", linewidth=0.8)
    ax.set_axisbelow(True)


def animated(ax: Axes, show: Callable[[int], None], iterations: Sequence[int], interval: int) -> FuncAnimation:
    """An animation that tells the iteration of each frame above the axes; `show` changes what is drawn there."""
    from matplotlib.animation import FuncAnimation

    told = ax.set_title("iteration 0", loc="left", fontsize=10)

    def frame(k: int) -> list[Any]:
        show(k)
        told.set_text(f"iteration {iterations[k]}")
        return [told, *ax.lines]

    figure: Any = ax.figure
    return FuncAnimation(figure, frame, frames=len(iterations), interval=interval, blit=False)


def snapshots(n: int, count: int) -> list[int]:
    """At most `count` of the indices 0, ..., n − 1: first and last, and between them ever wider apart.

    A descent moves most in its first iterations.
    """
    if n <= count:
        return list(range(n))
    return sorted({0, *np.geomspace(1, n - 1, count - 1).round().astype(int).tolist()})


# ------------------------------------------------------------------------------------------------- names of runs


def _told(parameter: str, value: Any) -> str:
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    text = f"{value:.3g}" if number else getattr(value, "__name__", str(value))
    if parameter == "learning_rate":
        return f"η = {text}" if number else text
    return f"{parameter}={text}"


def named(estimators: Any) -> dict[str, Any]:
    """Estimators by their names: those of a dict, or the parameters in which the last steps differ.

    Parameters
    ----------
    estimators : estimator, list or dict of estimators
    """
    if not isinstance(estimators, (Sequence, Mapping)):
        return {estimators.steps[-1][0] if hasattr(estimators, "steps") else type(estimators).__name__: estimators}
    if not len(estimators):
        raise ValueError(messages.no_runs())
    if isinstance(estimators, Mapping):
        return {str(name): estimator for name, estimator in estimators.items()}
    last = [estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator for estimator in estimators]
    params = [estimator.get_params(deep=False) for estimator in last]
    every = dict.fromkeys(name for each in params for name in each)
    differ = [name for name in every if len({repr(each.get(name)) for each in params}) > 1]
    out: dict[str, Any] = {}
    met: Counter[str] = Counter()
    for each, estimator in zip(params, estimators, strict=True):
        name = ", ".join(_told(parameter, each[parameter]) for parameter in differ if parameter in each) or "run"
        met[name] += 1
        out[name if met[name] == 1 else f"{name} ({met[name]})"] = estimator
    return out


def named_results(result: Any) -> dict[str, Any]:
    """Results, histories or arrays of iterates by their names.

    Parameters
    ----------
    result : OptimizeResult, history, ndarray, or dict of these
        A result of several starts is one run a start.
    """
    if not isinstance(result, Mapping):
        return {"run": result}
    starts = result.get("starts", ())
    if len(starts) > 1:
        return {f"run {k}": start for k, start in enumerate(starts, 1)}
    if {"path", "coef", "history", "loss"} & set(result):
        return {"run": result}
    return {str(name): each for name, each in result.items()}


# ----------------------------------------------------------------------------------------- names beside the curves

# Of the names, in points.
FONT_SIZE = 9
# Where a name may stand: offset in points and alignment, the most wanted first.
PLACES = (
    (5, 0, "left", "center"),
    (5, 7, "left", "bottom"),
    (5, -7, "left", "top"),
    (0, 7, "center", "bottom"),
    (0, -7, "center", "top"),
    (-5, 7, "right", "bottom"),
    (-5, -7, "right", "top"),
    (-5, 0, "right", "center"),
    (5, 20, "left", "bottom"),
    (5, -20, "left", "top"),
    (-5, 20, "right", "bottom"),
    (-5, -20, "right", "top"),
)


def name_curves(
    ax: Axes, ends: Iterable[tuple[float, float, str, Any]], curves: Iterable[Array] = ()
) -> list[Annotation]:
    """Write names beside points, each where it covers the least of the curves and of the other names.

    Parameters
    ----------
    ax : Axes
        With its final limits.
    ends : iterable of (x, y, name, colour)
    curves : iterable of ndarray of shape (n_points, 2)
        What is drawn there, in data coordinates.

    Returns
    -------
    list of Annotation
        One an end, from the highest.
    """
    from matplotlib.patheffects import withStroke

    frame = ax.get_window_extent().padded(-2)
    drawn = np.vstack([np.empty((0, 2)), *(_dense(ax.transData.transform(curve)) for curve in curves)])
    taken: list[Any] = []
    out = []

    def price(place: tuple[int, int, str, str]) -> float:
        _put(text, place)
        box = text.get_window_extent()
        covered = (drawn > box.min).all(axis=1) & (drawn < box.max).all(axis=1)
        outside = max(frame.x0 - box.x0, box.x1 - frame.x1, frame.y0 - box.y0, box.y1 - frame.y1, 0.0)
        overlaps = sum(bool(box.overlaps(other)) for other in taken)
        return float(covered.sum() + 1000 * overlaps + 100 * outside)

    halo = [withStroke(linewidth=2.5, foreground="white")]
    style: Any = {"fontsize": FONT_SIZE, "linespacing": 0.9, "path_effects": halo, "zorder": 10}
    # from the top, so that a name that gives way to another one does not pass a third
    for x, y, name, colour in sorted(ends, key=lambda end: -end[1]):
        text = ax.annotate(name, xy=(x, y), xytext=(0, 0), textcoords="offset points", color=ink(colour), **style)
        _put(text, min(PLACES, key=price))
        taken.append(text.get_window_extent())
        out.append(text)
    return out


def make_room(ax: Axes, ends: Iterable[tuple[float, float, str, Any]]) -> None:
    """Move the right limit, so that the names of curves that end there stand behind them."""
    figure: Any = ax.figure
    width = ax.get_window_extent().width * 72 / figure.dpi
    left, right = (ax.transScale.transform((x, 1.0))[0] for x in ax.get_xlim())

    def behind(x: float) -> float:
        return (right - ax.transScale.transform((x, 1.0))[0]) / (right - left) * width

    # 0.58 of its size is the mean width of a letter; 12 points lie between the curve and the frame
    need = max(
        (0.58 * FONT_SIZE * max(map(len, name.split("\n"))) + 12 - behind(x) for x, _, name, _ in ends), default=0.0
    )
    if need > 0:
        right = left + (right - left) * width / (width - min(need, 0.45 * width))
        ax.set_xlim(right=ax.transScale.inverted().transform((right, 0.0))[0])


def name_lines(ax: Axes, lines: Sequence[Line2D], names: Sequence[str]) -> list[Annotation]:
    """Write the names of curves, those that have one, behind their last points in the view, and make room for them."""
    bottom, top = ax.get_ylim()
    curves: list[Array] = []
    ends: list[tuple[float, float, str, Any]] = []
    for line, name in zip(lines, names, strict=True):
        points = np.asarray(line.get_xydata(), dtype=float)
        points = points[np.isfinite(points).all(axis=1)]
        if not len(points):  # at the bottom of a logarithmic axis from the start
            points = np.array([[0.0, bottom]])
        inside = points[points[:, 1] <= top]
        curves.append(np.clip(points, (-np.inf, bottom), (np.inf, top)))
        if name:
            ends.append((*(inside if len(inside) else curves[-1])[-1], name, line.get_color()))
    make_room(ax, ends)
    return name_curves(ax, ends, curves)


def _put(text: Annotation, place: tuple[int, int, str, str]) -> None:
    text.set(position=place[:2], horizontalalignment=place[2], verticalalignment=place[3])


def _dense(pixels: Array) -> Array:
    """Points of a polyline some 3 pixels apart; what is not finite is left out."""
    pixels = pixels[np.isfinite(pixels).all(axis=1)]
    if len(pixels) < 2:
        return pixels
    pixels = np.clip(pixels, -1e4, 1e4)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(pixels, axis=0), axis=1))])
    at = np.linspace(0, along[-1], min(5000, 2 + int(along[-1] / 3)))
    return np.column_stack([np.interp(at, along, pixels[:, k]) for k in range(2)])
