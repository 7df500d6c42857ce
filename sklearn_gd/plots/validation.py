"""What a cross-validated search found over what it varied: `ValidationDisplay`."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .. import messages
from ..protocols import Array
from .style import BLUE, ORANGE, RED, axes_for, ink, name_lines, plain, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ValidationDisplay"]

#: What a parameter is called on its axis, and beside its value.
CALLED = {"learning_rate": ("learning rate η", "η")}
# A score is off the scale that is worse than the best by so many times the best itself: an error of thirty times the least. Runs that
# diverge grow without end, and pass it soon; the start of a descent, as a rule, lies within.
REACH = 30
# The share of a map's cells between whose scores colours change evenly; beyond, they change with the logarithm of the distance to the best.
# One in ten are the neighbours of the best.
NEAR = 0.1
# Of the length of a scale, between two ticks at the least.
APART = 0.06
PALE = "#f9ded0"


@dataclass(kw_only=True, eq=False, repr=False)
class ValidationDisplay:
    """The scores of a cross-validated search over one or two of its parameters.

    Over one, the mean of the folds' scores with a band of their standard deviation, and that of the training scores where there are some;
    over two, as learning rate and iterations, a map of the mean. The best is marked. Where fits failed there is no score, and where they
    diverged it is out of all proportion: these are marked, too, and left out of the scale.

    It is recommended to use `from_estimator` to create a `ValidationDisplay`. All parameters are stored as attributes.

    Parameters
    ----------
    x : ndarray of shape (n_x,)
        The values of the first parameter, ascending.
    mean_test : ndarray of shape (n_x,) or (n_y, n_x)
        The mean scores, NaN where a fit failed; masked where there was no candidate.
    labels : list of str
        Of the parameters.
    metric : str
        What the scores are; one whose name begins with ``"neg_"`` is shown without its sign, as an error.
    y : ndarray of shape (n_y,) or None, default=None
        The values of the second parameter, ascending.
    std_test : ndarray of the shape of `mean_test`, or None, default=None
        The standard deviation over the folds.
    mean_train, std_train : ndarray of the shape of `mean_test`, or None, default=None
        The same of the training scores.
    best : tuple of float or None, default=None
        The parameters' values at the best score; None where there is none.
    marks : dict of str to float, default=None
        Values of the first parameter at which a line is drawn, by their names.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The curve of the scores, and that of the training scores; over two parameters there is none.
    bands_ : list of matplotlib PolyCollection
        The bands about these.
    mesh_ : matplotlib QuadMesh or None
        The map, over two parameters.
    colorbar_ : matplotlib Colorbar or None
        Its scale.
    failed_ : matplotlib artist or None
        The marks of what has no score on the scale.
    best_ : matplotlib Line2D or None
        The mark of the best.
    marks_ : list of matplotlib Line2D
        The lines at the marks.

    See Also
    --------
    GDSearchCV : A grid search whose fits share their work.
    LearningRateDisplay : What each of several learning rates does to the loss.

    Notes
    -----
    With ``on_divergence="warn"``, the default, a fit that diverges is scored at its best iterate, which may be a good one. With
    ``"raise"`` it has no score, and is seen.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_gd import GDLinearRegression, GDSearchCV, ValidationDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = GDSearchCV(GDLinearRegression(), {"alpha": np.logspace(-7, -3, 20)}).fit(X, y)
    >>> display = ValidationDisplay.from_estimator(search)
    >>> display.ax_.get_xscale(), display.labels, len(display.x)
    ('log', ['alpha'], 20)
    >>> display.best == (search.best_params_["alpha"],)
    True
    """

    x: Array
    mean_test: Array
    labels: Sequence[str]
    metric: str
    y: Array | None = None
    std_test: Array | None = None
    mean_train: Array | None = None
    std_train: Array | None = None
    best: tuple[float, ...] | None = None
    marks: Mapping[str, float] | None = None

    @classmethod
    def from_estimator(
        cls,
        search: Any,
        *,
        metric: str | None = None,
        x: str | None = None,
        y: str | None = None,
        marks: Mapping[str, float] | None = None,
        ax: Axes | None = None,
        line_kw: Mapping[str, Any] | None = None,
        mesh_kw: Mapping[str, Any] | None = None,
    ) -> Self:
        """Draw the scores of a fitted search.

        Parameters
        ----------
        search : estimator
            `GDSearchCV`, scikit-learn's ``GridSearchCV`` or another one with its ``cv_results_``; or `GDLogisticRegressionCV`, or
            `GDLinearRegressionCV` with ``store_cv_results=True``, over their penalties.
        metric : str or None, default=None
            Which of several scores; None for the only one, or the one that `refit` names.
        x, y : str or None, default=None
            The parameters of the axes, whose values are numbers; a name's last part will do, as ``"alpha"`` for ``"ridge__alpha"``. None
            for those that vary, two at the most, the learning rate on the first axis. All others have their values at the best score.
        marks : dict of str to float, default=None
            Values of the first parameter at which a line is drawn, by their names, as ``{"2/L": 2 / L}``.
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        line_kw : dict, default=None
            Passed to ``Axes.plot`` for the curves.
        mesh_kw : dict, default=None
            Passed to ``Axes.pcolormesh`` for the map.

        Returns
        -------
        display : ValidationDisplay
            Drawn.

        Raises
        ------
        TypeError
            If `search` is no search.
        ValueError
            If `metric`, `x` or `y` is none of its scores or parameters, or what to draw cannot be told without them.
        """
        require_matplotlib(cls.__name__)
        check_is_fitted(search)
        if isinstance(getattr(search, "cv_results_", None), Mapping):
            display = cls._of_results(search, metric, x, y)
        else:
            display = cls._of_path(search)
            for name, value in {"metric": metric, "x": x, "y": y}.items():
                if value is not None:
                    raise ValueError(messages.nothing_to_choose(name, value, type(search).__name__))
        display.marks = marks
        return display.plot(ax=ax, line_kw=line_kw, mesh_kw=mesh_kw)

    @classmethod
    def _of_results(cls, search: Any, metric: str | None, x: str | None, y: str | None) -> Self:
        """The display of a search's ``cv_results_``."""
        results, params = search.cv_results_, list(search.cv_results_["params"])
        score, called = _score(cls.__name__, search, metric)
        means = np.asarray(results[f"mean_test_{score}"], dtype=float)
        names = _axes(cls.__name__, params, x, y)
        best = _best(search, score, means, [k for k, each in enumerate(params) if all(name in each for name in names)])
        others = {key: value for key, value in params[best].items() if key not in names}
        chosen = [
            k
            for k, each in enumerate(params)
            if all(name in each for name in names) and all(_same(each.get(key), value) for key, value in others.items())
        ]
        points = np.array([[float(params[k][name]) for name in names] for k in chosen])
        axes, places = zip(*(np.unique(column, return_inverse=True) for column in points.T), strict=True)

        def on_grid(what: str) -> Any:
            if f"{what}_{score}" not in results:
                return None
            grid = np.ma.masked_all([len(axis) for axis in axes[::-1]])
            grid[places[::-1]] = np.asarray(results[f"{what}_{score}"], dtype=float)[chosen]
            return grid

        return cls(
            x=axes[0],
            y=axes[1] if len(axes) > 1 else None,
            mean_test=on_grid("mean_test"),
            std_test=on_grid("std_test"),
            mean_train=on_grid("mean_train"),
            std_train=on_grid("std_train"),
            labels=[_short(name) for name in names],
            metric=called,
            best=tuple(float(params[best][name]) for name in names) if np.isfinite(means[best]) else None,
        )

    @classmethod
    def _of_path(cls, model: Any) -> Self:
        """The display of an estimator that chose its own penalty."""
        if hasattr(model, "scores_") and hasattr(model, "Cs_"):
            name, values, scores = "C", np.asarray(model.Cs_, dtype=float), np.asarray(model.scores_)
            std = scores.std(axis=0) if len(scores) > 1 else None
            mean = scores.mean(axis=0)
        elif hasattr(model, "alphas") and hasattr(model, "alpha_"):
            errors = getattr(model, "cv_results_", None)
            if errors is None or model.scoring is not None:
                raise ValueError(messages.no_scores_kept(cls.__name__, type(model).__name__))
            name, values = "alpha", np.asarray(model.alphas, dtype=float)
            std, mean = None, -np.asarray(errors).reshape(-1, len(values)).mean(axis=0)
        else:
            raise TypeError(messages.not_a_search(cls.__name__, model))
        order = np.argsort(values)
        return cls(
            x=values[order],
            mean_test=mean[order],
            std_test=None if std is None else std[order],
            labels=[name],
            metric=_path_metric(model),
            best=(float(values[np.argmax(mean)]),),
        )

    def plot(
        self,
        ax: Axes | None = None,
        *,
        line_kw: Mapping[str, Any] | None = None,
        mesh_kw: Mapping[str, Any] | None = None,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        line_kw : dict, default=None
            Passed to ``Axes.plot`` for the curves.
        mesh_kw : dict, default=None
            Passed to ``Axes.pcolormesh`` for the map.

        Returns
        -------
        display : ValidationDisplay
            Itself.
        """
        ax = axes_for(type(self).__name__, ax, (6.4, 4.4))
        self.ax_, self.figure_ = ax, ax.figure
        self.lines_: list[Any] = []
        self.bands_: list[Any] = []
        self.mesh_: Any = None
        self.colorbar_: Any = None
        self.failed_: Any = None
        self.best_: Any = None
        sign = -1.0 if self.metric.startswith("neg_") else 1.0
        means = np.ma.masked_invalid(sign * self.mean_test)
        lowest = _off_scale(self, self.mean_test)
        means = np.ma.masked_where(np.ma.filled(sign * means < lowest, False), means)
        # of a candidate that there was, and whose score is not on the scale
        failed = np.ma.getmaskarray(means) & ~np.ma.getmaskarray(self.mean_test)
        off = np.isfinite(np.ma.filled(self.mean_test, np.nan))[failed].any()
        told = f"failed, or {'above' if sign < 0 else 'below'} {_number(sign * lowest)}" if off else "failed"
        _set_scale(ax, "x", self.x)
        ax.set_xlabel(_called(self.labels[0])[0])
        if self.y is None:
            self._curves(ax, sign, means, failed, told, line_kw or {})
        else:
            self._map(ax, self.y, sign, means, failed, told, mesh_kw or {})
        self.marks_ = [ax.axvline(at, color="black", linewidth=1.2, zorder=2.5) for at in (self.marks or {}).values()]
        for name, at in (self.marks or {}).items():
            place: dict[str, Any] = {
                "xytext": (0, 3),
                "textcoords": "offset points",
                "ha": "center",
                "va": "bottom",
                "fontsize": 9,
            }
            ax.annotate(name, (at, 1), xycoords=ax.get_xaxis_transform(), annotation_clip=False, **place)
        return self

    def _title(self, ax: Axes) -> None:
        """What is best, above the axes."""
        if self.best is not None:
            best = ", ".join(
                f"{_called(name)[1]} = {_number(value)}" for name, value in zip(self.labels, self.best, strict=True)
            )
            # higher where the names of marks stand below
            ax.set_title(f"best: {best}", loc="left", fontsize=10, pad=18 if self.marks else 6)

    def _curves(self, ax: Any, sign: float, means: Any, failed: Array, told: str, line_kw: Mapping[str, Any]) -> None:
        drawn: list[tuple[str, Any, Any, dict[str, Any]]] = [
            ("validation", means, self.std_test, {"color": BLUE, "marker": "o"})
        ]
        if self.mean_train is not None:
            train = np.ma.masked_where(np.ma.getmaskarray(means), sign * self.mean_train)
            drawn.append(
                ("training", train, self.std_train, {"color": ORANGE, "marker": "s", "linestyle": (0, (5, 1.5))})
            )
        for name, mean, std, style in drawn:
            style = {"linewidth": 1.8, "markersize": 4, **style, **line_kw}
            (line,) = ax.plot(self.x, np.ma.filled(mean, np.nan), label=name, **style)
            self.lines_.append(line)
            if std is not None:
                low, high = (np.ma.filled(mean + side * std, np.nan) for side in (-1, 1))
                self.bands_.append(ax.fill_between(self.x, low, high, color=line.get_color(), alpha=0.15, linewidth=0))
        if failed.any():
            self._failed(ax, self.x[failed], told, top=sign < 0)
        plain(ax)
        ax.set_ylabel(_metric_label(self.metric, "" if len(drawn) > 1 else "validation"))
        self._title(ax)
        if self.best is not None:
            at = means[np.searchsorted(self.x, self.best[0])]
            (self.best_,) = ax.plot(*self.best, at, "o", mfc="none", mec="black", markersize=12, markeredgewidth=1.4)
        names = ["validation", "training"] if len(drawn) > 1 else [""]
        name_lines(ax, self.lines_, names)

    def _failed(self, ax: Any, at: Array, told: str, *, top: bool) -> None:
        """Marks at the worse end of the axis, named beside the one next to it."""
        height, side = (0.97, -8) if top else (0.03, 8)
        place = ax.get_xaxis_transform()
        (self.failed_,) = ax.plot(at, np.full(len(at), height), "X", color=RED, markersize=7, transform=place)
        left = ax.transScale.transform((at[0], 0))[0] < ax.transScale.transform((np.median(self.x), 0))[0]
        style: dict[str, Any] = {"textcoords": "offset points", "color": ink(RED), "fontsize": 9}
        style |= {"ha": "left" if left else "right", "va": "top" if top else "bottom"}
        ax.annotate(told, (at[0 if left else -1], height), (0, side), xycoords=place, **style)

    def _map(
        self, ax: Any, y: Array, sign: float, means: Any, failed: Array, told: str, mesh_kw: Mapping[str, Any]
    ) -> None:
        from matplotlib.colors import FuncNorm, ListedColormap
        from matplotlib.patches import Patch

        _set_scale(ax, "y", y)
        ax.set_ylabel(_called(self.labels[1])[0])
        edges = [_edges(axis, values) for axis, values in ((ax.xaxis, self.x), (ax.yaxis, y))]
        ax.set_xlim(edges[0][0], edges[0][-1])
        ax.set_ylim(edges[1][0], edges[1][-1])
        values = means.compressed()
        if len(values):
            best = float(values.min() if sign < 0 else values.max())
            gaps = np.abs(values - best)
            width = float(np.quantile(gaps[gaps > 0], NEAR)) if (gaps > 0).any() else 1.0
            norm = FuncNorm(
                (lambda v: np.arcsinh((v - best) / width), lambda u: best + width * np.sinh(u)),
                vmin=values.min(),
                vmax=values.max() if (gaps > 0).any() else values.max() + width,
            )
            style = {"cmap": "viridis_r" if sign < 0 else "viridis", "norm": norm, **mesh_kw}
            self.mesh_ = ax.pcolormesh(*edges, means, **style)
            self.colorbar_ = self.figure_.colorbar(self.mesh_, ax=ax, label=_metric_label(self.metric, "validation"))
            ticks = _ticks(best, values, norm, width)
            self.colorbar_.set_ticks(ticks, labels=[f"{tick:.4g}" for tick in ticks])
            self.colorbar_.minorticks_off()
        if failed.any():
            look: dict[str, Any] = {"hatch": "///", "edgecolor": "#e8a583", "linewidth": 0.0}
            cells = np.ma.masked_where(~failed, np.zeros(failed.shape))
            self.failed_ = ax.pcolor(*edges, cells, cmap=ListedColormap([PALE]), **look)
            patch = Patch(facecolor=PALE, **look)
            ax.legend([patch], [told], fontsize=9, loc="lower left", framealpha=0.9)
        self._title(ax)
        if self.best is not None:
            (self.best_,) = ax.plot(
                *self.best, "*", mfc="white", mec="black", markersize=15, markeredgewidth=1.2, zorder=4
            )


# ------------------------------------------------------------------------------------------------- what there is to draw


def _score(display: str, search: Any, metric: str | None) -> tuple[str, str]:
    """The name of a score in ``cv_results_``, and what it is called."""
    known: list[Any] = [key.removeprefix("mean_test_") for key in search.cv_results_ if key.startswith("mean_test_")]
    scoring = getattr(search, "scoring", None)
    called = scoring if isinstance(scoring, str) else "score"
    if known == ["score"] and metric in (None, called):
        return "score", called
    if metric is None:
        metric = known[0] if len(known) == 1 else getattr(search, "refit", None)
    if not isinstance(metric, str) or metric not in known:
        raise ValueError(messages.no_such_score(display, metric, known))
    return metric, called if metric == "score" else metric


def _best(search: Any, score: str, means: Array, eligible: Sequence[int]) -> int:
    """The candidate that the search chose, where it did by this score; else the first of the highest."""
    chosen: Any = getattr(search, "best_index_", None)
    if chosen in eligible and (score == "score" or not isinstance(search.refit, str) or search.refit == score):
        return int(chosen)
    return eligible[int(np.argmax(np.where(np.isfinite(means[eligible]), means[eligible], -np.inf)))]


def _axes(display: str, params: Sequence[Mapping[str, Any]], x: str | None, y: str | None) -> list[str]:
    """The full names of the parameters of the axes."""
    every = list(dict.fromkeys(name for each in params for name in each))
    told: list[str] = []
    for asked in (x, y):
        if asked is not None:
            found = [name for name in every if name == asked] or [name for name in every if _short(name) == asked]
            if len(found) != 1 or found[0] in told or not _numeric(found[0], params):
                raise ValueError(
                    messages.no_such_axis(display, asked, [name for name in every if _numeric(name, params)])
                )
            told += found
    if x is not None:
        return told
    varied = [
        name for name in every if _numeric(name, params) and len({each[name] for each in params if name in each}) > 1
    ]
    varied = sorted((name for name in varied if name not in told), key=lambda name: _short(name) != "learning_rate")
    if not 1 <= len(varied + told) <= 2 or not varied:
        raise ValueError(messages.not_one_or_two(display, varied))
    return varied + told


def _numeric(name: str, params: Sequence[Mapping[str, Any]]) -> bool:
    """Whether all values of a parameter are finite numbers."""
    values: list[Any] = [each[name] for each in params if name in each]
    return all(isinstance(v, numbers.Real) and not isinstance(v, (bool, np.bool_)) and math.isfinite(v) for v in values)


def _same(one: Any, other: Any) -> bool:
    """Whether two values of a parameter are one."""
    return one is other or repr(one) == repr(other)


def _short(name: str) -> str:
    return name.rpartition("__")[2]


def _path_metric(model: Any) -> str:
    """What the scores of an estimator are that chose its own penalty."""
    if not hasattr(model, "Cs_"):
        return "neg_mean_squared_error"
    return "accuracy" if model.scoring is None else model.scoring if isinstance(model.scoring, str) else "score"


# ----------------------------------------------------------------------------------------------------------- its scales


def _off_scale(display: ValidationDisplay, means: Array) -> float:
    """The score below which one is off the scale."""
    finite = np.isfinite(np.ma.filled(means, np.nan))
    if not finite.any():
        return -np.inf
    best = int(np.argmax(np.where(finite, np.ma.filled(means, -np.inf), -np.inf)))
    spread = 0.0 if display.std_test is None else float(display.std_test.flat[best])
    reach = REACH * max(abs(float(means.flat[best])), spread)
    return float(means.flat[best]) - reach if reach > 0 else -np.inf


def _set_scale(ax: Any, which: str, values: Array) -> None:
    """A logarithmic axis where values are spaced like that, from zero on where it is among them."""
    positive = values[values > 0]
    if len(positive) < 2 or positive[-1] < 10 * positive[0] or (values < 0).any():
        return
    steps, ratios = np.diff(positive), np.diff(np.log(positive))
    if ratios.std() / ratios.mean() > steps.std() / steps.mean():
        return
    if len(positive) == len(values):
        ax.set(**{f"{which}scale": "log"})
    else:
        getattr(ax, f"set_{which}scale")("symlog", linthresh=positive[0])


def _edges(axis: Any, values: Array) -> Array:
    """Between the values on the axis, and as far beyond the first and the last."""
    transform = axis.get_transform()
    at = transform.transform(values)
    half = np.diff(at) / 2 if len(at) > 1 else np.array([0.5])
    return transform.inverted().transform(
        np.concatenate([at[:1] - half[:1], at[:-1] + half[: len(at) - 1], at[-1:] + half[-1:]])
    )


def _ticks(best: float, values: Array, norm: Any, width: float) -> list[float]:
    """The best, and round values ever further from it, as far apart as their names need."""
    low, high = float(values.min()), float(values.max())
    side = 1.0 if best == low else -1.0
    ticks = [best]
    for k in range(int(np.floor(np.log10(width))), int(np.floor(np.log10(max(high - low, width)))) + 1):
        for step in (1, 3):
            tick = round(best + side * step * 10.0**k, -k)
            if low < tick < high and abs(float(norm(tick)) - float(norm(ticks[-1]))) >= APART:
                ticks.append(tick)
    return ticks


def _called(name: str) -> tuple[str, str]:
    return CALLED.get(name, (name, name))


def _number(value: float) -> str:
    whole = value == int(value) or abs(value) >= 1000
    return f"{value:,.0f}" if 1 <= abs(value) < 1e6 and whole else f"{value:.3g}"


def _metric_label(metric: str, what: str = "") -> str:
    name = metric.removeprefix("neg_").replace("_", " ").replace("r2", "R²")
    return f"{what} {name}".strip()
