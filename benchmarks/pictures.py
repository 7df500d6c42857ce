"""The pictures, each to be understood without the text.

Two uses: one picture of a part's rows, and all that rows exist for::

    crossing(rows, summary, "features").savefig("growth_features.png")
    for name, figure in pictures(tables): ...

Colours are those of the package's own pictures, which the colour-blind tell apart; every curve has its own marker and its
name at its end, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from sklearn_gd.plots.style import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, plain

from . import growth

__all__ = ["breakdown", "convergence", "crossing", "pictures", "real_data"]

#: method -> colour, marker and the name at its curve.
STYLE = {
    growth.BASELINE: (RED, "s", "normal equation"),
    growth.LIBRARY: (PURPLE, "^", "LinearRegression"),
    growth.TEXTBOOK: (GREEN, "v", "textbook rate 1/L"),
    "normal equation (Cholesky)": (RED, "s", "normal equation"),
    "normal equation (solve)": (ORANGE, "P", "the same, solve()"),
    "normal equation (inverse)": (GREY, "X", "the same, inv()"),
    "numpy.linalg.lstsq": (GREEN, "^", "lstsq()"),
    "sklearn LinearRegression": (PURPLE, "<", "LinearRegression"),
    growth.AUTO: (SKY, "o", 'gradient descent "auto"'),
    growth.MATRIX_FREE: (BLUE, "D", "gradient descent without XᵀX"),
}


def pictures(tables: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, Figure]]:
    """File name and figure of each picture that the tables have rows for."""
    if "real_data" in tables and "method" in tables["real_data"]:
        yield "real_data.png", real_data(tables["real_data"])
    if "growth_exponents" in tables:
        for sweep in tables["growth_exponents"]["sweep"].unique():
            yield f"growth_{sweep}.png", crossing(tables["growth"], tables["growth_exponents"], sweep)
    if "breakdown" in tables and tables["breakdown"].get("condition", pd.Series(dtype=float)).notna().any():
        yield "breakdown.png", breakdown(tables["breakdown"])


def _labels_at_ends(ax: Axes, ends: list[tuple[float, float, str, str]], apart: float) -> None:
    """Names beside the last points, moved up and down until none covers another.

    Parameters
    ----------
    ends : list of (x, y, name, colour)
    apart : float
        Least distance of two names, as a fraction of the axes' height.
    """
    if not ends:
        return
    ends = sorted(ends, key=lambda end: end[1])
    heights = [float(ax.transLimits.transform(ax.transScale.transform((x, y)))[1]) for x, y, *_ in ends]
    for _ in range(200):
        for k in range(len(heights) - 1):
            push = (apart - (heights[k + 1] - heights[k])) / 2
            if push > 0:
                heights[k] -= push
                heights[k + 1] += push
    heights[-1] = min(heights[-1], 1.0)
    for k in reversed(range(len(heights) - 1)):
        heights[k] = min(heights[k], heights[k + 1] - apart)
    for (x, y, name, colour), height in zip(ends, heights, strict=True):
        ax.annotate(
            name,
            xy=(x, y),
            xytext=(1.04, height),
            textcoords="axes fraction",
            color=colour,
            fontsize=9,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4},
        )


def _time(value: float, _: Any = None) -> str:
    if value < 0.9995e-3:
        return f"{value * 1e6:.3g} µs"
    return f"{value * 1e3:.3g} ms" if value < 0.9995 else f"{value:.3g} s"


def crossing(rows: pd.DataFrame, summary: pd.DataFrame, sweep: str) -> Figure:
    """Seconds against size, one panel a condition number; the crossing with the normal equation marked."""
    rows = rows[(rows["sweep"] == sweep) & rows["seconds"].notna()]
    summary = summary[summary["sweep"] == sweep]
    conditions = list(rows["condition"].unique())
    size = f"n_{sweep}"
    figure = Figure(figsize=(0.8 + 5.4 * len(conditions), 4.6), layout="constrained")
    axes = figure.subplots(1, len(conditions), sharey=True, squeeze=False)[0]
    for ax, condition in zip(axes, conditions, strict=True):
        panel = rows[rows["condition"] == condition].sort_values(size)
        ax.set_xscale("log")
        ax.set_yscale("log")
        for method, curve in panel.groupby("method", sort=False):
            colour, marker, _ = STYLE[method]
            ax.fill_between(curve[size], curve["fastest"], curve["slowest"], color=colour, alpha=0.2, linewidth=0)
            ax.plot(curve[size], curve["seconds"], marker=marker, color=colour, markersize=5, linewidth=1.8)
        ticks = sorted(panel[size].unique())
        ax.set_xticks(ticks, labels=[f"{tick:,}" if tick < 1e4 else f"{tick / 1e3:g}k" for tick in ticks])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(FuncFormatter(_time))
        plain(ax)
        ax.set_ylim(rows["fastest"].min() / 2, rows["slowest"].max() * 2)
        ax.set_title(f"condition number {condition:,.0f}", fontsize=11, loc="left")
        first = panel.iloc[0]
        ratio = first["n_samples"] / first["n_features"]
        fixed = f"{ratio:g} samples for each" if sweep == "features" else f"{first['n_features']} features"
        ax.set_xlabel(f"number of {sweep}, {fixed}")
        _mark_crossing(ax, summary[summary["condition"] == condition], panel, size)
    # After all panels are drawn, for they share the axis of seconds and its limits.
    letter = "p" if sweep == "features" else "n"
    for ax, condition in zip(axes, conditions, strict=True):
        ends = []
        for method, curve in rows[rows["condition"] == condition].sort_values(size).groupby("method", sort=False):
            exponent = summary[(summary["condition"] == condition) & (summary["method"] == method)]["exponent"].iloc[0]
            growing = "" if np.isnan(exponent) else f"  ~ {letter}$^{{{exponent:.1f}}}$"
            last, (colour, _, name) = curve.iloc[-1], STYLE[method]
            ends.append((last[size], last["seconds"], name + growing, colour))
        _labels_at_ends(ax, ends, 0.075)
    axes[0].set_ylabel("time to the same coefficient error")
    figure.suptitle(f"Least squares: time as the {sweep} grow", x=0.005, ha="left", fontsize=13, fontweight="bold")
    return figure


def _mark_crossing(ax: Axes, summary: pd.DataFrame, panel: pd.DataFrame, size: str) -> None:
    """Where gradient descent without XᵀX meets the normal equation."""
    at = summary[summary["method"] == growth.MATRIX_FREE]["crossing"].dropna()
    if at.empty:
        return
    at = at.iloc[0]
    baseline = panel[panel["method"] == growth.BASELINE]
    height = np.exp(np.interp(np.log(at), np.log(baseline[size]), np.log(baseline["seconds"])))
    ax.plot([at], [height], marker="o", markersize=15, markerfacecolor="none", markeredgecolor="black", zorder=5)
    ax.axvline(at, color="black", linewidth=0.8, linestyle=":", zorder=1)
    right = at > np.sqrt(panel[size].min() * panel[size].max())  # then there is more room on the left
    ax.annotate(
        f"crossing:\n{float(f'{at:.2g}'):,.0f} {size[2:]}",
        xy=(at, 0.02),
        xycoords=ax.get_xaxis_transform(),
        xytext=(-5 if right else 5, 0),
        textcoords="offset points",
        ha="right" if right else "left",
        va="bottom",
        fontsize=9,
    )


#: Where a picture puts an error that is larger, and a method that gave up.
LARGEST, GAVE_UP = 1e2, 5e3


def breakdown(rows: pd.DataFrame) -> Figure:
    """Coefficient error against the condition number, float64 and float32."""
    rows = rows[rows["condition"].notna()].sort_values("condition")
    precisions = list(rows["precision"].unique())
    figure = Figure(figsize=(0.8 + 5.6 * len(precisions), 5.0), layout="constrained")
    axes = figure.subplots(1, len(precisions), sharey=True, squeeze=False)[0]
    for ax, precision in zip(axes, precisions, strict=True):
        panel = rows[rows["precision"] == precision]
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_ylim(1e-17, 1e6)
        ax.set_xlim(panel["condition"].min() / 1.5, panel["condition"].max() * 1.5)
        ax.axhspan(1e-1, LARGEST * 10, color="#f2f2f2", zorder=0)
        ax.axhspan(LARGEST * 10, 1e6, color="#f9ded0", zorder=0)
        for height, text in ((0.5, "no digit right"), (1.5e5, "the method gave up: LinAlgError")):
            ax.text(panel["condition"].min(), height, text, va="center", fontsize=9, color="#444444")
        ends = []
        for method, curve in panel.groupby("method", sort=False):
            colour, marker, name = STYLE[method]
            shown = curve["coefficient_error"].clip(1e-17, LARGEST).fillna(GAVE_UP)
            gave_up = shown == GAVE_UP
            ax.plot(curve["condition"], shown.mask(gave_up), marker=marker, color=colour, markersize=5, linewidth=1.8)
            ax.plot(curve["condition"], shown.where(gave_up), marker="x", color=colour, markersize=7, linewidth=1.2)
            if precision == "float32" and method == "numpy.linalg.lstsq":
                name += " (in float64)"
            ends.append((curve["condition"].iloc[-1], shown.iloc[-1], name, colour))
        ax.xaxis.set_major_locator(LogLocator(numticks=20))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_title(f"{precision}: {np.finfo(precision).precision} digits", fontsize=11, loc="left")
        ax.set_xlabel("condition number of X (that of XᵀX is its square)")
        plain(ax)
        _labels_at_ends(ax, ends, 0.055)
    axes[0].set_ylabel("relative error of the coefficients")
    figure.suptitle("Where the normal equation breaks", x=0.005, ha="left", fontsize=13, fontweight="bold")
    return figure


def real_data(rows: pd.DataFrame) -> Figure:
    """Time and error of every method on every data set."""
    rows = rows[rows["method"].notna()]
    names = list(rows["data"].unique())
    figure = Figure(figsize=(max(7.8, 2.6 + 3.0 * len(names)), 6.6), layout="constrained")
    axes = figure.subplots(2, len(names), squeeze=False, sharey=True)
    for column, name in enumerate(names):
        panel = rows[rows["data"] == name]
        # The panels share their labels, and each has its own rate.
        labels = ["textbook rate, standardised" if "textbook" in method else method for method in panel["method"]]
        labels = [re.sub(r" from [^,]*", "", label) for label in labels]
        height = -np.arange(len(panel))
        colours = [BLUE if kind == "gradient descent" else RED for kind in panel["kind"]]
        unique = panel["coefficient_error"].notna().any()
        error = panel["coefficient_error" if unique else "prediction_error"].clip(lower=1e-17)
        what = f"relative error of the {'coefficients' if unique else 'predictions'}"
        for ax, values, label in ((axes[0, column], panel["seconds"], "time"), (axes[1, column], error, what)):
            ax.set_xscale("log")
            left = values.min() / 3
            ax.set_xlim(left, values.max() * 3)
            ax.hlines(height, left, values, color=colours, linewidth=1, alpha=0.4)
            ax.scatter(values, height, c=colours, s=28)
            for y, failure in zip(height[values.isna()], panel["failure"][values.isna()], strict=True):
                text = str(failure).split(":")[0]
                ax.text(0.03, y, text, transform=ax.get_yaxis_transform(), va="center", fontsize=8, color=RED)
            ax.set_yticks(height, labels=labels, fontsize=8)
            ax.set_xlabel(label, fontsize=9)
            ax.xaxis.set_major_locator(LogLocator(numticks=6))
            ax.tick_params(axis="x", labelsize=8)
            plain(ax)
        axes[0, column].xaxis.set_major_formatter(FuncFormatter(_time))
        size = f"{panel['n_samples'].iloc[0]:,.0f} × {panel['n_features'].iloc[0]:,.0f}"
        axes[0, column].set_title(f"{name}\n{size}", fontsize=10)
    title = "Least squares on real data: closed forms (red) and gradient descent (blue)"
    figure.suptitle(title, x=0.005, ha="left", fontsize=13, fontweight="bold")
    return figure


#: What a solver's name begins with -> the group that it is drawn in, its colour and its marker; the first that fits.
GROUPS = {
    "GD-": ("gradient descent: rules, textbook", SKY, None),
    "GD": ("gradient descent: auto and preconditioners", BLUE, "D"),
    "normal-equation": ("normal equation, lstsq", RED, "s"),
    "numpy": ("normal equation, lstsq", RED, "s"),
    "sklearn-": ("scikit-learn", ORANGE, "^"),
    "scipy": ("SciPy", GREEN, "v"),
    "": ("other packages", PURPLE, "o"),
}

#: Gaps below are drawn here: it is where rounding begins.
FLOOR = 1e-11


def _short(solver: str) -> str:
    """A solver's name without the name of its parameter: "sklearn newton-cholesky", "normal-equation inverse"."""
    base, _, parameter = solver.rstrip("]").partition("[")
    base = base.partition("-")[0] if parameter and base.startswith("sklearn-") else base
    return f"{base} {parameter.split('=')[-1]}" if parameter else base


def convergence(curves: pd.DataFrame, title: str, default: str) -> Figure:
    """Relative gap against seconds, one panel a problem; the default and the fastest other solver by name.

    Parameters
    ----------
    curves : DataFrame
        As `report.slim` leaves them.
    default : str
        The solver to emphasise.
    """
    names = list(curves["data"].unique())
    across = min(3, len(names))
    down = -(-len(names) // across)
    figure = Figure(figsize=(0.6 + 4.6 * across, 1.0 + 3.4 * down), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel()
    handles = {}
    for ax, name in zip(axes, names, strict=False):
        panel = curves[(curves["data"] == name) & curves["stop"].between(0, 1e30, inclusive="neither")]
        points = panel.groupby(["solver", "stop"], sort=False)[["seconds", "gap"]].median().reset_index()
        points = points[points["gap"] < 1e3]
        # What a shorter fit has reached already is no news.
        points = points.sort_values("seconds", kind="stable")
        points["gap"] = points.groupby("solver")["gap"].cummin().clip(lower=FLOOR)
        there = points[points["gap"] <= 1e-6].groupby("solver")["seconds"].min()
        rivals = there[~there.index.str.startswith("GD")]
        named = {default: "GD, auto"} | ({rivals.idxmin(): _short(str(rivals.idxmin()))} if len(rivals) else {})
        fastest = there[there.index.isin(list(named))].idxmin() if there.index.isin(list(named)).any() else ""
        for solver, curve in points.groupby("solver", sort=False):
            group, colour, marker = next(style for prefix, style in GROUPS.items() if str(solver).startswith(prefix))
            strong = solver in named
            handles[group] = Line2D([], [], color=colour, marker=marker, markersize=5, linewidth=1.8)
            ax.plot(
                curve["seconds"],
                curve["gap"],
                color=colour,
                marker=marker if strong or len(curve) == 1 else None,
                markersize=5,
                linewidth=2.4 if strong else 0.9,
                alpha=1 if strong else 0.55,
                zorder=4 if strong else 2,
            )
            if strong and solver in there:
                # The faster one is named on its left, the other on its right.
                left = solver == fastest
                ax.annotate(
                    named[solver],
                    xy=(there[solver], curve["gap"][curve["seconds"] >= there[solver]].iloc[0]),
                    xytext=(-7 if left else 7, 4 if left else -4),
                    textcoords="offset points",
                    ha="right" if left else "left",
                    va="bottom" if left else "top",
                    color=colour,
                    fontsize=8,
                    fontweight="bold",
                    zorder=6,
                )
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_ylim(FLOOR / 10, max(10.0, 3 * points["gap"].max()))
        # Room for a name on the left.
        span = points["seconds"].max() / points["seconds"].min()
        ax.set_xlim(points["seconds"].min() / span**0.45, points["seconds"].max() * span**0.05)
        ax.axhline(1e-6, color="black", linewidth=0.8, linestyle=":", zorder=1)
        ax.xaxis.set_major_formatter(FuncFormatter(_time))
        ax.tick_params(labelsize=8)
        plain(ax)
        ax.set_title("\n".join(str(name).rsplit(", ", 1)), fontsize=9, loc="left")
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    for row in range(down):
        axes[row * across].set_ylabel("relative gap of the objective", fontsize=9)
    for ax in axes[max(0, len(names) - across) : len(names)]:
        ax.set_xlabel("time of a fit", fontsize=9)
    order = [group for group, *_ in dict.fromkeys(GROUPS.values()) if group in handles]
    figure.legend(
        [handles[group] for group in order], order, loc="outside lower center", ncols=3, frameon=False, fontsize=9
    )
    figure.suptitle(
        f"{title}: gap against time, lower left is better", x=0.005, ha="left", fontsize=13, fontweight="bold"
    )
    return figure
