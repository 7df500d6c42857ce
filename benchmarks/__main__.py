"""The command line of the main job: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import json
import math
import sys
import timeit
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rich.box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from . import breakdown, growth, real_data
from .measure import described, machine
from .pictures import pictures

DESCRIPTION = """\
Gradient descent against the closed-form normal equation, in three parts:

  real       real data: every learning-rate rule beside every closed form
  growth     time as the features and the samples grow, and where the two methods cross
  breakdown  where the closed form breaks: singular, ill-conditioned, float32

Results come as tables on the terminal, as CSV files and as pictures. Ctrl-C ends the job and keeps what was finished.
"""

EPILOG = """\
Real data beyond what scikit-learn bundles are used where they can be had, and named where they cannot:
  SCIKIT_LEARN_DATA   the folder in which scikit-learn's fetchers keep their data (California housing)
  SKLEARN_GD_DATA     a folder with uci_protein.npz and blogfeedback.npz, each with arrays X and y

examples:
  python -m benchmarks                                      everything; less than two minutes on two cores
  python -m benchmarks --quick                              the same on less data; some twenty seconds
  python -m benchmarks --parts real --data diabetes         one part, one data set
  python -m benchmarks --parts growth --features 100 1000   two sizes
"""

PARTS = ("real", "growth", "breakdown")


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def parser() -> argparse.ArgumentParser:
    """The options, with what --quick changes filled in by `settings`."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = options.add_argument
    add("--quick", action="store_true", help="fewer and smaller sizes, fewer repeats")
    add("--parts", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=f"which of {', '.join(PARTS)} (all)")
    known = ", ".join(real_data.DATA)
    add("--data", nargs="*", choices=real_data.DATA, default=None, metavar="NAME", help=f"real data: {known} (all)")
    add("--download", action="store_true", help="let scikit-learn download California housing")
    add("--features", nargs="+", type=positive, metavar="P", help="growth: numbers of features")
    add("--ratio", type=positive, default=10, help="growth with features: samples for each feature (10)")
    add("--samples", nargs="+", type=positive, metavar="N", help="growth: numbers of samples")
    add("--fixed-features", type=positive, default=100, metavar="P", help="growth with samples: features (100)")
    add(
        "--conditions",
        nargs="+",
        type=float,
        metavar="K",
        help="growth: condition numbers of the covariance (1 100 10000)",
    )
    add("--target", type=float, default=1e-6, help="growth: relative coefficient error that counts as there (1e-6)")
    add("--limit", type=float, metavar="S", help="growth: leave out fits longer than this, in seconds (1)")
    add("--max-iter", type=positive, help="real data: iterations of the textbook and the named rules at most (2000)")
    add("--repeats", type=positive, help="runs of each fit, taken in turn (5; 3 with --quick)")
    add(
        "--output",
        type=Path,
        default=Path(__file__).parent / "output",
        help="folder for the results (benchmarks/output)",
    )
    return options


def settings(arguments: list[str] | None = None) -> argparse.Namespace:
    """The parsed options, all of them set."""
    options = parser().parse_args(arguments)
    quick = options.quick
    chosen = {
        "data": ["diabetes"] if quick else list(real_data.DATA),
        "features": [50, 100, 200] if quick else [50, 100, 200, 400, 800, 1600],
        "samples": [1_000, 4_000, 16_000] if quick else [1_000, 4_000, 16_000, 64_000],
        "conditions": [1.0, 100.0] if quick else [1.0, 1e2, 1e4],
        "limit": 0.5 if quick else 1.0,
        "repeats": 3 if quick else 5,
        "max_iter": 500 if quick else 2000,
    }
    for name, value in chosen.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    options.breakdown = [10.0**k for k in range(2, 13, 2 if quick else 1)]
    return options


def parts(options: argparse.Namespace, report: Any) -> Iterator[tuple[str, int, Iterable[list[dict[str, Any]]]]]:
    """The table that a part fills, the number of its steps, and its rows, step by step."""
    if "real" in options.parts:
        rows = real_data.run(
            options.data,
            repeats=options.repeats,
            max_iter=options.max_iter,
            download=options.download,
            report=report,
        )
        yield "real_data", len(options.data), rows
    if "growth" in options.parts:
        sweeps = {
            "features": [(options.ratio * p, p) for p in sorted(options.features)],
            "samples": [(n, options.fixed_features) for n in sorted(options.samples)],
        }
        for sweep, sizes in sweeps.items():
            rows = growth.run(
                sweep,
                sizes,
                options.conditions,
                target=options.target,
                repeats=options.repeats,
                limit=options.limit,
                report=report,
            )
            yield "growth", len(sizes) * len(options.conditions), rows
    if "breakdown" in options.parts:
        yield "breakdown", breakdown.steps(options.breakdown), breakdown.run(options.breakdown, report)


def main(arguments: list[str] | None = None) -> int:
    """Run the job; 0 where it was finished, 130 where Ctrl-C ended it."""
    options = settings(arguments)
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)  # a log has no width of its own
    options.output.mkdir(parents=True, exist_ok=True)
    here = machine()
    told = described(here)
    chosen = {name: value for name, value in vars(options).items() if name != "output"}
    (options.output / "machine.json").write_text(json.dumps({**here, "options": chosen}, indent=2) + "\n")
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    rows: dict[str, list[dict[str, Any]]] = {}
    interrupted = False
    start = timeit.default_timer()
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            bar = progress.add_task("", total=None)

            def report(what: str) -> None:
                progress.update(bar, description=what)

            todo = list(parts(options, report))
            progress.update(bar, total=sum(steps for _, steps, _ in todo))
            for table, _, batches in todo:
                for batch in batches:
                    rows.setdefault(table, []).extend(batch)
                    # Written after every step, so that what was finished is there whatever happens next.
                    pd.DataFrame(rows[table]).assign(machine=told).to_csv(options.output / f"{table}.csv", index=False)
                    progress.advance(bar)
    except KeyboardInterrupt:
        interrupted = True
    tables = {name: pd.DataFrame(content) for name, content in rows.items()}
    if "growth" in tables and "seconds" in tables["growth"]:
        tables["growth_exponents"] = growth.exponents(tables["growth"])
        tables["growth_exponents"].assign(machine=told).to_csv(options.output / "growth_exponents.csv", index=False)
    for content in reports(tables, options):
        if isinstance(content, Table):  # each by itself, since it is by itself that a table is copied
            content.caption = f"{content.caption}\n{told}"
        console.print(content)
        console.print()
    for name, figure in pictures(tables):
        figure.savefig(options.output / name, dpi=110)
    console.print(f"{timeit.default_timer() - start:.0f} s. Tables and pictures are in {options.output}")
    if interrupted:
        console.print("Interrupted: this is what was finished.")
        return 130
    return 0


# ------------------------------------------------------------------------------------------- tables on the terminal

#: What a table has no number for.
NONE = "–"


def reports(tables: dict[str, pd.DataFrame], options: argparse.Namespace) -> Iterator[Table | str]:
    """What is printed, in reading order."""
    if "real_data" in tables:
        yield from real_data_tables(tables["real_data"])
    if "growth" in tables:
        yield from growth_tables(tables["growth"], tables.get("growth_exponents"), options)
    if "breakdown" in tables:
        yield breakdown_table(tables["breakdown"])


def number(value: float, form: str) -> str:
    return NONE if pd.isna(value) else format(value, form)


def milliseconds(value: float) -> str:
    """Three digits."""
    return NONE if pd.isna(value) else f"{value * 1e3:,.{max(0, 2 - math.floor(math.log10(value * 1e3)))}f}"


def table_of(title: str, caption: str) -> Table:
    return Table(
        title=title,
        caption=caption,
        box=rich.box.SIMPLE,
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        padding=(0, 1, 0, 0),
    )


def real_data_tables(rows: pd.DataFrame) -> Iterator[Table | str]:
    for name, group in rows.groupby("data", sort=False):
        if "method" not in group or group["method"].isna().all():
            yield f"Real data: {name} is {group['failure'].iloc[0]}."
            continue
        size = f"{group['n_samples'].iloc[0]:,.0f} × {group['n_features'].iloc[0]:,.0f}"
        caption = "Errors are relative to a solution refined in extended precision; ±: half the spread of the runs."
        if group["coefficient_error"].isna().all():
            caption = f"Columns depend on each other: compare the predictions, not the coefficients.\n{caption}"
        table = table_of(f"Real data: {name}, {size}", caption)
        table.add_column("method", no_wrap=True)
        for heading in ("coefficient\nerror", "prediction\nerror", "R²", "iterations", "passes", "ms", "±"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("ended")
        for row in group.to_dict("records"):
            # A fit that ended at max_iter says so once.
            words = [row["ended"], str(row["failure"]).split(":")[0].replace("ConvergenceWarning", "")]
            spread = (row["slowest"] - row["fastest"]) / row["seconds"] / 2 if row["repeats"] > 1 else np.nan
            table.add_row(
                row["method"],
                number(row["coefficient_error"], ".0e"),
                number(row["prediction_error"], ".0e"),
                number(row["r2"], ".5f"),
                number(row["iterations"], ",.0f"),
                number(row["passes"], ",.0f"),
                milliseconds(row["seconds"]),
                number(spread, ".0%"),
                " ".join(word for word in words if isinstance(word, str) and word),
            )
        yield table


def growth_tables(
    rows: pd.DataFrame, exponents: pd.DataFrame | None, options: argparse.Namespace
) -> Iterator[Table | str]:
    for (sweep, condition), group in rows.groupby(["sweep", "condition"], sort=False):
        size = f"n_{sweep}"
        table = table_of(
            f"Milliseconds to a coefficient error of {options.target:g} as the {sweep} grow, condition number {condition:,g}",
            f"{NONE}: longer than {options.limit:g} s, or never there. Growth: fitted to the larger sizes. "
            "Crossing: with the normal equation.",
        )
        table.add_column("method", no_wrap=True)
        sizes = sorted(group[size].unique())
        letter = "p" if sweep == "features" else "n"
        for value in sizes:
            table.add_column(f"{letter} = {value:,}", justify="right", no_wrap=True)
        table.add_column("growth", justify="right")
        table.add_column("crossing", justify="right")
        for method, curve in group.groupby("method", sort=False):
            taken = curve.set_index(size)["seconds"] if "seconds" in curve else pd.Series(dtype=float)
            exponent = crossing = np.nan
            if exponents is not None:
                same = (exponents[["sweep", "condition", "method"]] == [sweep, condition, method]).all(axis=1)
                for told in exponents[same].itertuples():
                    exponent, crossing = told.exponent, told.crossing
            table.add_row(
                method,
                *(milliseconds(taken.get(value, np.nan)) for value in sizes),
                NONE if pd.isna(exponent) else f"{letter}^{exponent:.1f}",
                NONE if pd.isna(crossing) else f"{letter} = {crossing:,.0f}",
            )
        yield table


def breakdown_table(rows: pd.DataFrame) -> Table:
    headings = {
        "normal equation (Cholesky)": "Cholesky",
        "normal equation (solve)": "solve",
        "normal equation (inverse)": "inverse",
        "numpy.linalg.lstsq": "lstsq",
        "sklearn LinearRegression": "Linear-\nRegression",
        'gradient descent "auto"': 'descent\n"auto"',
        "gradient descent without XᵀX": "descent\nno XᵀX",
    }
    table = table_of(
        "Where the closed form breaks: relative error of the predictions",
        f"Against the solution in exact arithmetic. !: above {breakdown.WRONG:g}, wrong. LinAlgError: the method gave up.",
    )
    table.add_column("case", no_wrap=True)
    methods = list(rows["method"].unique())
    for method in methods:
        table.add_column(headings[method], justify="right", no_wrap=True)
    for case, group in rows.groupby("case", sort=False):
        cells = []
        for row in (group[group["method"] == method].iloc[0] for method in methods):
            value = row.get("prediction_error", np.nan)
            text = str(row["word"]).split(":")[0] if pd.isna(value) else f"{value:.0e}"
            cells.append(text if row["right"] else f"[bold red]{text} ![/]")
        table.add_row(str(case), *cells)
    return table


if __name__ == "__main__":
    sys.exit(main())
