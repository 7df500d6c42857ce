"""How the pictures look: colours, marks and names beside curves.

Two uses: the Displays, and the pictures of the benchmarks. Colours are those of M. Okabe and K. Ito (Color Universal
Design, 2008), which the colour-blind tell apart; every curve has its own dashes or marker and its name beside it, too.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import messages
from ..protocols import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

__all__ = [
    "BLUE",
    "COLOURS",
    "DASHES",
    "GREEN",
    "GREY",
    "MARKERS",
    "ORANGE",
    "PURPLE",
    "RED",
    "SKY",
    "axes_for",
    "divided",
    "ink",
    "make_room",
    "name_curves",
    "named",
    "named_results",
    "plain",
    "require_matplotlib",
    "snapshots",
    "written_on",
]

BLUE, SKY, GREEN, ORANGE, RED, PURPLE, GREY = (
    "#0072B2",
    "#56B4E9",
    "#009E73",
    "#E69F00",
    "#D55E00",
    "#CC79A7",
    "#777777",
)
#: of the first curve, the second, ...
COLOURS = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, GREY)
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1.2, 1.2, 1.2)), (0, (8, 1.5)), (0, (3, 1, 1, 1, 1, 1)), "-")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def require_matplotlib(display: str) -> None:
    """Raise an ImportError that says what to install, before any work."""
    try:
        import matplotlib  # noqa: F401 (whether it is there)
    except ImportError as error:
        raise ImportError(messages.no_matplotlib(display)) from error


def ink(colour: str) -> Any:
    """A colour for text: darker, because thin strokes on white look lighter than areas."""
    from matplotlib.colors import to_rgb

    return tuple(0.75 * part for part in to_rgb(colour))


def axes_for(display: str, ax: Axes | None, figsize: tuple[float, float]) -> Axes:
    """The axes that were given, or those of a new figure."""
    require_matplotlib(display)
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=figsize, layout="constrained")[1]


def divided(display: str, ax: Axes, shape: tuple[int, int], **options: Any) -> tuple[Figure, Any]:
    """The figure of an axes that gives its place to a grid of others, and that grid."""
    spec = ax.get_subplotspec()
    if spec is None:
        raise ValueError(messages.no_subplot(display))
    ax.set_axis_off()
    figure: Any = ax.figure
    return figure, spec.subgridspec(*shape, **options)


def plain(ax: Axes) -> None:
    """No frame, a light grid behind what is drawn."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, which="major", color="#e6e6e6", linewidth=0.8)
    ax.set_axisbelow(True)


def written_on() -> list[Any]:
    """The halo of a text that lies on other things."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground="white")]


def snapshots(n: int, count: int) -> list[int]:
    """At most `count` of the indices 0, ..., n − 1: first and last, and between them ever wider apart.

    A descent moves most in its first iterations.
    """
    if n <= count:
        return list(range(n))
    return sorted({0, *np.geomspace(1, n - 1, count - 1).round().astype(int).tolist()})


# ------------------------------------------------------------------------------------------------- names of runs


def _told(parameter: str, value: Any) -> str:
    if not isinstance(value, (str, numbers.Real, type(None))):
        value = getattr(value, "__name__", None) or str(value)
    text = f"{value:.3g}" if isinstance(value, numbers.Real) and not isinstance(value, bool) else str(value)
    if parameter == "learning_rate":
        return f"η = {text}" if isinstance(value, numbers.Real) else text
    return f"{parameter}={text}"


def named(estimators: Any) -> dict[str, Any]:
    """Estimators by their names: those of a dict, or the parameters in which the last steps differ.

    Parameters
    ----------
    estimators : estimator, list or dict of estimators
    """
    if isinstance(estimators, Mapping) and estimators:
        return {str(name): estimator for name, estimator in estimators.items()}
    if not isinstance(estimators, (Sequence, Mapping)):
        return {type(estimators).__name__ if not hasattr(estimators, "steps") else estimators.steps[-1][0]: estimators}
    if not len(estimators):
        raise ValueError(messages.no_runs())
    last = [estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator for estimator in estimators]
    params = [estimator.get_params(deep=False) for estimator in last]
    every = dict.fromkeys(name for each in params for name in each)
    differ = [name for name in every if len({repr(each.get(name)) for each in params}) > 1]
    names: list[str] = []
    for each in params:
        name = ", ".join(_told(parameter, each[parameter]) for parameter in differ if parameter in each) or "run"
        again = sum(other == name or other.startswith(f"{name} (") for other in names)
        names.append(f"{name} ({again + 1})" if again else name)
    return dict(zip(names, estimators, strict=True))


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
    ax: Axes, ends: Iterable[tuple[float, float, str, str]], curves: Iterable[Array] = (), fontsize: float = 9
) -> list[Annotation]:
    """Write names beside points, each where it covers the least of the curves and of the other names.

    Parameters
    ----------
    ax : Axes
        With its final limits.
    ends : iterable of (x, y, name, colour)
    curves : iterable of ndarray of shape (n_points, 2)
        What is drawn there, in data coordinates.
    fontsize : float, default=9

    Returns
    -------
    list of Annotation
        One an end, from the highest.
    """
    frame = ax.get_window_extent().padded(-2)
    drawn = np.vstack([np.empty((0, 2)), *(_dense(ax.transData.transform(curve)) for curve in curves)])
    taken: list[Any] = []
    out = []
    # from the top, so that a name that gives way to another one does not pass a third
    for x, y, name, colour in sorted(ends, key=lambda end: -end[1]):
        text = ax.annotate(
            name,
            xy=(x, y),
            xytext=PLACES[0][:2],
            textcoords="offset points",
            color=ink(colour),
            fontsize=fontsize,
            linespacing=0.9,
            path_effects=written_on(),
            zorder=10,
        )
        prices = []
        for place in PLACES:
            _put(text, place)
            box = text.get_window_extent()
            covered = (drawn > box.min).all(axis=1) & (drawn < box.max).all(axis=1)
            outside = max(frame.x0 - box.x0, box.x1 - frame.x1, frame.y0 - box.y0, box.y1 - frame.y1, 0.0)
            overlaps = sum(bool(box.overlaps(other)) for other in taken)
            prices.append(covered.sum() + 1000 * overlaps + 100 * outside)
        _put(text, PLACES[int(np.argmin(prices))])
        taken.append(text.get_window_extent())
        out.append(text)
    return out


def make_room(ax: Axes, ends: Iterable[tuple[float, float, str, str]], fontsize: float = 9) -> None:
    """Move the right limit, so that the names of curves that end there stand behind them."""
    figure: Any = ax.figure
    width = ax.get_window_extent().width * 72 / figure.dpi
    left, right = (ax.transScale.transform((x, 1.0))[0] for x in ax.get_xlim())

    def behind(x: float) -> float:
        return (right - ax.transScale.transform((x, 1.0))[0]) / (right - left) * width

    # 0.58 of its size is the mean width of a letter; 12 points lie between the curve and the frame
    need = max(
        (0.58 * fontsize * max(map(len, name.split("\n"))) + 12 - behind(x) for x, _, name, _ in ends), default=0.0
    )
    if need > 0:
        right = left + (right - left) * width / (width - min(need, 0.45 * width))
        ax.set_xlim(right=ax.transScale.inverted().transform((right, 0.0))[0])


def _put(text: Annotation, place: tuple[int, int, str, str]) -> None:
    text.set_position(place[:2])
    text.set_horizontalalignment(place[2])  # type: ignore[arg-type]
    text.set_verticalalignment(place[3])  # type: ignore[arg-type]


def _dense(pixels: Array) -> Array:
    """Points of a polyline some 3 pixels apart; what is not finite is left out."""
    pixels = pixels[np.isfinite(pixels).all(axis=1)]
    if len(pixels) < 2:
        return pixels
    pixels = np.clip(pixels, -1e4, 1e4)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(pixels, axis=0), axis=1))])
    at = np.linspace(0, along[-1], min(5000, 2 + int(along[-1] / 3)))
    return np.column_stack([np.interp(at, along, pixels[:, k]) for k in range(2)])
