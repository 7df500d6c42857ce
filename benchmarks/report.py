"""The report: raw results in, Markdown and pictures out.

Two uses: RESULTS.md, and the lines of it that the README shows::

    results = load(folder)
    markdown(results, "measured")
    renewed(readme, results, "benchmarks/measured/growth_features.png")

Nothing is measured or edited here: the same raw results give the same text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from . import breakdown, growth, losses, shapes
from .measure import described
from .pictures import convergence, pictures

__all__ = ["CROSSING", "DEFAULT", "Results", "duels", "figures", "load", "markdown", "renewed", "slim"]

#: Relative gaps of the objective that seconds are told for.
GAPS = (1e-3, 1e-6, 1e-9)

#: What a user gets who chooses nothing: the one of our solvers that the duels are fought with.
DEFAULT = "GD[preconditioner=auto]"

#: The README's picture.
CROSSING = "growth_features.png"

TITLES = {
    "least_squares": "Least squares and ridge",
    "logistic": "Logistic regression",
    "quantile": "Quantile regression",
    "huber": "Huber regression",
    "poisson": "Poisson regression",
}
TABLES = ("real_data", "growth", "growth_exponents", "breakdown")

#: Between these lines the README has what `renewed` writes.
BEGIN, END = "<!-- results: python -m benchmarks.results -->", "<!-- end of results -->"

NONE = "–"


@dataclass(frozen=True)
class Results:
    """What was measured.

    Attributes
    ----------
    tables : dict
        The main job's, by their names.
    curves : dict
        The benchopt benchmarks', as `slim` leaves them.
    accuracy : list
        Rows of `benchmarks.time_to_accuracy`.
    shapes : dict
        Records of `benchmarks.shapes`, by their families, each with its own machine.
    search, losses : dict
        The records of `benchmarks.search` and `benchmarks.losses`, each with its own machine.
    machine, peers : dict
        What the main job's seconds depend on, and the benchopt benchmarks', as `benchmarks.measure.machine` and
        `benchmarks.results` leave it.
    """

    tables: dict[str, pd.DataFrame]
    curves: dict[str, pd.DataFrame]
    accuracy: list[Any]
    machine: dict[str, Any]
    peers: dict[str, Any]
    shapes: dict[str, Any] = field(default_factory=dict)
    search: dict[str, Any] = field(default_factory=dict)
    losses: dict[str, Any] = field(default_factory=dict)


def load(folder: Path) -> Results:
    """The raw results of a folder; what is not there is empty."""

    def read(name: str) -> dict[str, Any]:
        path = folder / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else {}

    tables = {name: pd.read_csv(path) for name in TABLES if (path := folder / f"{name}.csv").exists()}
    curves = {name: pd.read_parquet(path) for name in TITLES if (path := folder / f"{name}.parquet").exists()}
    accuracy: list[Any] = []
    if (path := folder / "time_to_accuracy.csv").exists():
        from .time_to_accuracy import _read

        accuracy = _read(path)
    grids = {family: record for family in shapes.FAMILIES if (record := read(f"shapes_{family}"))}
    return Results(tables, curves, accuracy, read("machine"), read("peers"), grids, read("search"), read("losses"))


# ---------------------------------------------------------------------------------------------------- curves


def slim(curves: pd.DataFrame) -> pd.DataFrame:
    """Of benchopt's columns those that the report needs."""
    return pd.DataFrame(
        {
            "data": [_label(row) for row in curves.to_dict("records")],
            "solver": curves["solver_name"].to_numpy(),
            "turn": curves["turn"].to_numpy(),
            "stop": curves["stop_val"].astype(float).to_numpy(),
            "seconds": curves["time"].astype(np.float32).to_numpy(),
            "passes": curves["objective_passes"].astype(np.float32).to_numpy(),
            "gap": curves["objective_gap"].to_numpy(),
        }
    )


def _label(row: dict[str, Any]) -> str:
    """A problem's name for readers."""
    own = {key.removeprefix("p_dataset_"): value for key, value in row.items() if key.startswith("p_dataset_")}
    own = {key: value for key, value in own.items() if not pd.isna(value)}
    name = str(row["dataset_name"]).split("[")[0]
    if name == "simulated":
        words = ["simulated", f"condition {own['condition']:g}"]
        words += [f"{own['n_classes']:g} classes"] if "n_classes" in own else []
        words += [f"{own['density']:.0%} dense"] if own["density"] < 1 else []
        words += [f"outliers {own['outliers']:.0%}"] if "outliers" in own else []
    else:
        words = [str(own[key]) for key in sorted(own, key=lambda key: key == "scaling")] or [name]
    words += ["ridge"] if row.get("p_obj_ridge", 0) else []
    words += [f"quantile {row['p_obj_quantile']:g}"] if "p_obj_quantile" in row else []
    words += ["scale given"] if row.get("p_obj_scale") == "optimum" else []
    words += [f"alpha {row['p_obj_alpha']:g}"] if row.get("p_obj_alpha", 0) else []
    return ", ".join([*words, f"{row['objective_n_samples']:,.0f} × {row['objective_n_features']:,.0f}"])


def reached(curves: pd.DataFrame, gap: float) -> pd.DataFrame:
    """The fastest fit of each solver on each problem with this gap, by the median over the rounds.

    Returns
    -------
    DataFrame with the columns data, solver, seconds, fastest, slowest, rounds, passes
    """
    near = curves[curves["gap"] <= gap]
    fits = near.groupby(["data", "solver", "stop"], sort=False).agg(
        seconds=("seconds", "median"),
        fastest=("seconds", "min"),
        slowest=("seconds", "max"),
        rounds=("seconds", "size"),
        passes=("passes", "first"),
    )
    fits = fits.reset_index()
    return fits.loc[fits.groupby(["data", "solver"], sort=False)["seconds"].idxmin()]


def duels(results: Results) -> pd.DataFrame:
    """Our default beside the fastest of the others: a row for each problem and gap, the lowest ratio first.

    Returns
    -------
    DataFrame with the columns benchmark, data, gap, ours, spread, peer, theirs, their_spread, ratio
    """
    rows = []
    for benchmark, curves in results.curves.items():
        for gap in GAPS:
            there = reached(curves, gap)
            for data in curves["data"].unique():
                known = there[there["data"] == data].set_index("solver")
                rivals = known[~known.index.str.startswith("GD")]
                row: dict[str, Any] = {"benchmark": benchmark, "data": data, "gap": gap}
                if DEFAULT in known.index:
                    mine = known.loc[DEFAULT]
                    row |= {"ours": mine["seconds"], "spread": _spread(mine)}
                if len(rivals):
                    best = rivals.loc[rivals["seconds"].idxmin()]
                    row |= {"peer": best.name, "theirs": best["seconds"], "their_spread": _spread(best)}
                mine, theirs = row.get("ours", np.inf), row.get("theirs", np.inf)
                row["ratio"] = np.nan if mine == theirs == np.inf else theirs / mine
                rows.append(row)
    columns = ["benchmark", "data", "gap", "ours", "spread", "peer", "theirs", "their_spread", "ratio"]
    return pd.DataFrame(rows, columns=columns).sort_values("ratio", kind="stable", ignore_index=True)


def _spread(fit: pd.Series) -> float:
    """Half the range of the rounds, relative to the median; NaN of one round."""
    return (fit["slowest"] - fit["fastest"]) / fit["seconds"] / 2 if fit["rounds"] > 1 else np.nan


# ---------------------------------------------------------------------------------------------------- Markdown


def seconds(value: float, spread: float = np.nan) -> str:
    if pd.isna(value):
        return "not there"
    text = f"{value * 1e3:.3g} ms" if value < 0.9995 else f"{value:.3g} s"
    return text if pd.isna(spread) else f"{text} ± {spread:.0%}"


def rows_of(headings: list[str], lines: list[list[str]]) -> list[str]:
    """A table in Markdown."""
    return [_line(headings), _line(["---"] * len(headings)), *(_line(line) for line in lines), ""]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


DUEL = ["benchmark", "data", "gap", "ours", "fastest peer", "takes", "ratio"]


def duel(row: Any) -> list[str]:
    return [
        row.benchmark.replace("_", " "),
        row.data,
        f"{row.gap:.0e}",
        seconds(row.ours, row.spread),
        str(row.peer) if not pd.isna(row.peer) else "none gets there",
        seconds(row.theirs, row.their_spread),
        _ratio(row.ratio) if np.isfinite(row.ratio) else NONE,
    ]


def markdown(results: Results, folder: str) -> str:
    """RESULTS.md, with its pictures in `folder`."""
    lines = [
        "# Results",
        "",
        "Made by `python -m benchmarks.results` from the raw results beside it, never by hand; measured by",
        "`python -m benchmarks.results --run`. How to read it, and how to add a solver or data: [README.md](README.md).",
        "",
        *_machine(results),
    ]
    fought = duels(results)
    lines += ["## Where we lose", ""]
    lost = fought[fought["ratio"] < 1]
    if len(fought):
        lines += [
            f"Seconds to a relative gap of the objective, `{DEFAULT}` beside the fastest of all others, medians of the rounds ±",
            f"half their spread. A ratio is the peer's seconds over ours: below 1 we lose, in {len(lost)} of {len(fought)} rows.",
            "",
            *rows_of(DUEL, [duel(row) for row in lost.itertuples()]),
        ]
    lines += _lost_digits(results.tables)
    lines += _lost_growth(results.tables)
    if len(fought):
        lines += [
            "## Where we win",
            "",
            *rows_of(DUEL, [duel(row) for row in fought[~(fought["ratio"] < 1)].itertuples()]),
        ]
    for benchmark, curves in results.curves.items():
        lines += _peers(benchmark, curves, folder)
    lines += _losses(results.losses)
    lines += _search(results.search)
    lines += _shapes(results.shapes)
    lines += _growth(results.tables, folder)
    lines += _breakdown(results.tables, folder)
    lines += _real_data(results.tables, folder)
    if results.accuracy:
        from .time_to_accuracy import table

        lines += [
            "## To a given accuracy, over tolerances",
            "",
            "By `python -m benchmarks.time_to_accuracy`: the shortest fit, over tolerances, that gets within 1e-6 of the best known",
            "objective, beside scikit-learn's solvers and the normal equation; the lowest ratio first.",
            "",
            table(results.accuracy),
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


#: Whose versions the seconds depend on, as a record of the machine has them.
VERSIONS = ("python", "sklearn_gd", "scikit-learn", "numpy", "scipy")


def measured_on(results: Results) -> str:
    """The machine of the benchopt benchmarks in one line, or the main job's where none were measured."""
    # one record, and never a mixture of two machines
    return described(results.peers or results.machine)


def _machine(results: Results) -> list[str]:
    machine, peers = results.machine, results.peers
    if not machine:
        return []
    lines = [f"- {measured_on(results)}; {machine['platform']}; load {peers.get('load')}"]
    elsewhere = {described(machine)} | {row.machine for row in results.accuracy if row.machine}
    elsewhere |= {described(record["machine"]) for record in results.shapes.values()}
    elsewhere |= {described(record["machine"]) for record in (results.search, results.losses) if record}
    lines += [f"- in part on {told}" for told in sorted(elsewhere - {measured_on(results)})]
    lines += ["- " + " · ".join(f"{name} {machine[name]}" for name in VERSIONS)]
    if "peers" in peers:
        others = " · ".join(f"{name} {version}" for name, version in peers["peers"].items())
        lines += [f"- {others}"]
        rounds = f"- {peers['rounds']} rounds of the solvers in contention, {peers['timeout']:g} s and more for a solver's curve"
        lines += [rounds + ("; **a quick run, for the layout alone**" if peers.get("quick") else "")]
    return [*lines, ""]


def _lost_digits(tables: dict[str, pd.DataFrame]) -> list[str]:
    if "breakdown" not in tables:
        return []
    lines = []
    for case, group in tables["breakdown"].groupby("case", sort=False):
        kind = "coefficient_error" if group["coefficient_error"].notna().any() else "prediction_error"
        errors = group.set_index("method")[kind]
        best = errors.idxmin()
        if errors[growth.AUTO] > 10 * errors[best]:
            what = kind.split("_")[0]
            lines.append([str(case), what, f"{errors[growth.AUTO]:.0e}", str(best), f"{errors[best]:.0e}"])
    if not lines:
        return []
    return [
        "Digits: cases in which the default has an error more than ten times that of the best method.",
        "",
        *rows_of(["case", "error of the", "ours", "best method", "its error"], lines),
    ]


def _lost_growth(tables: dict[str, pd.DataFrame]) -> list[str]:
    if "growth" not in tables or "seconds" not in tables["growth"]:
        return []
    wide = tables["growth"].pivot_table(
        index=["sweep", "condition", "n_samples", "n_features"], columns="method", values="seconds", sort=False
    )
    ratio = (wide[growth.BASELINE] / wide[growth.AUTO]).dropna().sort_values()
    lines = [
        [
            f"{n:,} × {p:,}",
            f"{condition:g}",
            *(seconds(wide.loc[(sweep, condition, n, p), method]) for method in (growth.AUTO, growth.BASELINE)),
            f"**{value:.2g}**",
        ]
        for (sweep, condition, n, p), value in ratio[ratio < 1].items()
    ]
    return [
        "Growth: sizes at which the default takes longer than the normal equation to a coefficient error of 1e-6, in",
        f"{len(lines)} of {len(ratio)} rows.",
        "",
        *rows_of(["n × p", "condition", "ours", "normal equation", "ratio"], lines),
    ]


def _peers(benchmark: str, curves: pd.DataFrame, folder: str) -> list[str]:
    title = TITLES[benchmark]
    lines = [
        f"## {title}: every solver",
        "",
        f"![{title}: relative gap against seconds, every solver on every problem]({folder}/curves_{benchmark}.png)",
        "",
        "Each with the seconds of its shortest fit to a gap, and the reads of X of the one to 1e-6 where it tells them.",
        "",
    ]
    there = {gap: reached(curves, gap).set_index(["data", "solver"]) for gap in GAPS}
    for data, group in curves.groupby("data", sort=False):
        table = []
        for solver in group["solver"].unique():
            fits = [there[gap].loc[(data, solver)] if (data, solver) in there[gap].index else None for gap in GAPS]
            passes = fits[1]["passes"] if fits[1] is not None else np.nan
            best = group[group["solver"] == solver]["gap"].min()
            cells = [
                solver,
                *(NONE if fit is None else seconds(fit["seconds"], _spread(fit)) for fit in fits),
                NONE if pd.isna(passes) else f"{passes:,.0f}",
                f"{best:.0e}",
            ]
            table.append((tuple(np.inf if fit is None else fit["seconds"] for fit in (fits[1], fits[0])), cells))
        headings = ["solver", *(f"to {gap:.0e}" for gap in GAPS), "passes", "smallest gap"]
        lines += [
            f"<details><summary>{data}</summary>",
            "",
            *rows_of(headings, [cells for _, cells in sorted(table, key=lambda entry: entry[0])]),
            "</details>",
            "",
        ]
    return lines


def _losses(record: dict[str, Any]) -> list[str]:
    if not record or not record["rows"]:
        return []
    summary = [
        [
            group,
            f"{told.races:,}",
            f"{told.contested:,}",
            NONE if pd.isna(told.mean) else f"{told.mean:.3g}",
            f"{losses.MEANS[group]:.3g}" if group in losses.MEANS else NONE,
            NONE if pd.isna(told.least) else _ratio(told.least),
            f"{told.below:,}",
            f"{told.failures:,}",
        ]
        for group, told in losses.standings(record["rows"]).items()
    ]
    rows = sorted(record["rows"], key=lambda row: (not losses.lost(row), row["ratio"]))
    lines = [
        "## Quantile, Poisson and Huber regression",
        "",
        "By `python -m benchmarks.losses`: the loosest of our tolerances that gets within 1e-6 of the best objective, beside the fastest",
        "other that does. The ratio is theirs over ours; nobody there counts as the cap, and where we are not, as four caps. Means and the",
        "least are of the contested races, in which another is there; a failure is a fit of ours that is not there, or whose dual gap at",
        "`tol=1e-6` is above it.",
        "",
        *rows_of(
            [
                *("group", "races", "contested", "geometric mean", "to be at least", "least"),
                *("below what it is to be", "failures"),
            ],
            summary,
        ),
        "All of them, failures and the lowest ratios first:",
        "",
        *rows_of(
            ["race", "ours", "fastest other", "takes", "ratio", "to be at least", "dual gap"],
            [
                [
                    *_shape({**row, "data": row["race"]}),
                    f"{row['least']:.3g}",
                    NONE if row["dual_gap"] is None else f"{row['dual_gap']:.0e}",
                ]
                for row in rows
            ],
        ),
    ]
    return [*lines, *_about(record)]


def _about(record: dict[str, Any]) -> list[str]:
    """Cap, machine and what is left out of a record of searches or losses."""
    quick = "; **a quick run**" if record["options"]["quick"] else ""
    lines = [f"cap {record['options']['cap']:g} s; {described(record['machine'])}{quick}", ""]
    lines += [f"Left out is {name}: {reason}." for name, reason in record["missing"].items()]
    return [*lines, ""] if record["missing"] else lines


def _search(record: dict[str, Any]) -> list[str]:
    if not record or not record["rows"]:
        return []
    lines = [
        "## Cross-validated searches",
        "",
        "By `python -m benchmarks.search`: our search beside the fastest other that finds the same best score, to 1e-8 relative to it. The",
        "ratio is theirs over ours; nobody there counts as the cap, and where we are not, as four caps.",
        "",
        *rows_of(
            ["search", "ours", "fastest other", "takes", "ratio", "to be at least"],
            [_one_search(row) for row in record["rows"]],
        ),
    ]
    return [*lines, *_about(record)]


def _one_search(row: dict[str, Any]) -> list[str]:
    _, ours, best, takes, told = _shape({**row, "data": row["search"]})
    return [row["search"], ours, best, takes, told, f"{row['least']:.3g}"]


#: Rows of a grid of shapes that are told, the lowest ratios first.
SLOWEST = 10


def _shapes(records: dict[str, Any]) -> list[str]:
    records = {family: record for family, record in records.items() if record["rows"]}
    if not records:
        return []
    table = []
    for family, record in records.items():
        told = shapes.summary(record["rows"])
        cells = [family, f"{told.problems:,}", f"{record['left_out']:,}", f"{told.mean:.3g}", _ratio(told.least)]
        table.append([*cells, f"{told.lost:.0%}"])
    lines = [
        "## Over a grid of shapes",
        "",
        "By `python -m benchmarks.shapes`: our default beside the fastest of scikit-learn's solvers, each by its shortest fit, over",
        "tolerances, that gets within 1e-5 of the best objective (logistic; least squares and ridge 1e-6). The ratio is theirs over ours;",
        "nobody there counts as the cap, and where we are not, as four caps.",
        "",
        *rows_of(["family", "problems", "left out", "geometric mean", "least", "below 1"], table),
    ]
    for family, record in records.items():
        cap, quick = record["options"]["cap"], record["options"]["quick"]
        about = f"cap {cap:g} s; {described(record['machine'])}{'; **a quick run**' if quick else ''}"
        rows = sorted(record["rows"], key=lambda row: row["ratio"])
        rows, which = (rows, "all of them") if family == "named" else (rows[:SLOWEST], "the lowest ratios")
        lines += [
            f"{family}, {which} ({about}):",
            "",
            *rows_of(["data", "ours", "fastest other", "takes", "ratio"], [_shape(row) for row in rows]),
        ]
    return lines


def _shape(row: dict[str, Any]) -> list[str]:
    there = {name: value for name, value in row["seconds"].items() if value is not None}
    ours = there.pop(shapes.OURS, np.nan)
    best = min(there, key=lambda name: there[name], default="none gets there")
    return [row["data"], seconds(ours), best, seconds(there.get(best, np.nan)), _ratio(row["ratio"])]


def _ratio(value: float) -> str:
    return f"**{value:.2g}**" if value < 1 else f"{value:.3g}"


def _growth(tables: dict[str, pd.DataFrame], folder: str) -> list[str]:
    if "growth_exponents" not in tables:
        return []
    lines = ["## Growth, and where the two methods cross", ""]
    lines += [f"![Seconds against the number of features, the crossing marked]({folder}/{CROSSING})", ""]
    lines += [f"![Seconds against the number of samples]({folder}/growth_samples.png)", ""]
    lines += [
        "Seconds to a coefficient error of 1e-6; exponents fitted to the larger sizes; crossings with the normal equation."
    ]
    lines += [""]
    summary = tables["growth_exponents"].set_index(["sweep", "condition", "method"])
    for (sweep, condition), group in tables["growth"].groupby(["sweep", "condition"], sort=False):
        letter = "p" if sweep == "features" else "n"
        sizes = sorted(group[f"n_{sweep}"].unique())
        table = []
        for method, curve in group.groupby("method", sort=False):
            taken = curve.set_index(f"n_{sweep}")["seconds"].reindex(sizes)
            told = summary.loc[(sweep, condition, method)] if (sweep, condition, method) in summary.index else {}
            exponent, crossing = told.get("exponent", np.nan), told.get("crossing", np.nan)
            table.append(
                [
                    str(method),
                    *(NONE if pd.isna(value) else seconds(value) for value in taken),
                    NONE if pd.isna(exponent) else f"{letter}^{exponent:.1f}",
                    NONE if pd.isna(crossing) else f"{letter} = {crossing:,.0f}",
                ]
            )
        fixed = f"{group['n_samples'].iloc[0] / group['n_features'].iloc[0]:g} samples for each feature"
        if sweep == "samples":
            fixed = f"{group['n_features'].iloc[0]} features"
        lines += [f"{fixed}, condition number {condition:,g}:", ""]
        lines += rows_of(["method", *(f"{letter} = {size:,}" for size in sizes), "growth", "crossing"], table)
    return lines


def _breakdown(tables: dict[str, pd.DataFrame], folder: str) -> list[str]:
    if "breakdown" not in tables:
        return []
    rows = tables["breakdown"]
    methods = list(rows["method"].unique())
    table = []
    for case, group in rows.groupby("case", sort=False):
        cells = []
        for row in (group[group["method"] == method].iloc[0] for method in methods):
            error = row["prediction_error"]
            text = str(row["word"]).split(":")[0] if pd.isna(error) else f"{error:.0e}"
            cells.append(text if row["right"] else f"**{text}**")
        table.append([str(case), *cells])
    return [
        "## Where the closed form breaks",
        "",
        f"![Coefficient error against the condition number, float64 and float32]({folder}/breakdown.png)",
        "",
        f"Relative error of the predictions against the solution in exact arithmetic; bold: above {breakdown.WRONG:g}, or given up.",
        "",
        *rows_of(["case", *methods], table),
    ]


def _real_data(tables: dict[str, pd.DataFrame], folder: str) -> list[str]:
    if "real_data" not in tables or "method" not in tables["real_data"]:
        return []
    lines = [
        "## Real data: every rule, every closed form",
        "",
        f"![Time and error of every method]({folder}/real_data.png)",
        "",
    ]
    for data, group in tables["real_data"].groupby("data", sort=False):
        if group["method"].isna().all():
            lines += [f"{data} is {group['failure'].iloc[0]}.", ""]
            continue
        n, p = group[["n_samples", "n_features"]].iloc[0]
        table = [
            [
                row["method"],
                *(
                    NONE if pd.isna(row[error]) else f"{row[error]:.0e}"
                    for error in ("coefficient_error", "prediction_error")
                ),
                NONE if pd.isna(row["r2"]) else f"{row['r2']:.5f}",
                *(NONE if pd.isna(row[count]) else f"{row[count]:,.0f}" for count in ("iterations", "passes")),
                seconds(row["seconds"], _spread(pd.Series(row).rename({"repeats": "rounds"}))),
            ]
            for row in group.to_dict("records")
        ]
        headings = ["method", "coefficient error", "prediction error", "R²", "iterations", "passes", "time"]
        lines += [
            f"<details><summary>{data}, {n:,.0f} × {p:,.0f}</summary>",
            "",
            *rows_of(headings, table),
            "</details>",
            "",
        ]
    return lines


# ---------------------------------------------------------------------------------------------------- README, pictures


def renewed(readme: str, results: Results, picture: str) -> str:
    """The README with its picture, and the lowest, the middle and the highest ratio at a gap of 1e-6."""
    fought = duels(results)
    fought = fought[(fought["gap"] == 1e-6) & np.isfinite(fought["ratio"])]
    if BEGIN not in readme or not len(fought):
        return readme
    chosen = fought.iloc[[0, len(fought) // 2, len(fought) - 1]]
    alternative = "Time to the same accuracy against the number of features, for the normal equation, LinearRegression and gradient descent"
    lines = [BEGIN, f"![{alternative}]({picture})", ""]
    lines += rows_of(DUEL, [duel(row) for row in chosen.itertuples()])
    lines += [f"*Measured on: {measured_on(results)}.*", "", END]
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: "\n".join(lines), readme, flags=re.DOTALL)


def figures(results: Results) -> Iterator[tuple[str, Figure]]:
    """File name and figure of every picture of the report."""
    yield from pictures(results.tables)
    for benchmark, curves in results.curves.items():
        yield f"curves_{benchmark}.png", convergence(curves, TITLES[benchmark], DEFAULT)


def pictured(text: str) -> list[str]:
    """The files of a report's pictures."""
    return re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
