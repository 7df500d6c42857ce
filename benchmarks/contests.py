"""Contests that are measured one by one, printed and written: their options, a row's line, and the record that they fill.

Two uses: the races of `benchmarks.losses`, the searches of `benchmarks.search`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .measure import described, machine
from .problems import Unavailable

__all__ = ["line", "parser", "run"]


def parser(module: str, about: str | None, many: str, quick: str, cap: str) -> argparse.ArgumentParser:
    """The options of ``python -m benchmarks.<module>``.

    Parameters
    ----------
    module, about : str
        Its name and docstring.
    many : str
        What the contests are called.
    quick, cap : str
        What these options are.
    """
    options = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{module}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--quick", action="store_true", help=quick)
    add("--only", nargs="+", metavar="WORDS", help=f"{many} whose names begin so (all)")
    add("--seed", type=int, default=0, help="of the simulated data (0)")
    add("--repeats", type=int, help="rounds of what takes less than five seconds (5)")
    add("--cap", type=float, metavar="S", help=cap)
    folder = Path(__file__).parent / "output"
    add("--output", type=Path, default=folder, help=f"folder for {module}.json (benchmarks/output)")
    return options


def line(kind: str, row: Mapping[str, Any], *more: str) -> str:
    """A row in words; `kind` is where it has its name."""
    told = [f"{name}={'-' if value is None else f'{value:.4f}'}" for name, value in row["seconds"].items()]
    told += [f"{name}: {words}" for name, words in row["failed"].items()]
    return "  ".join([row[kind], *told, *more, f"ratio {row['ratio']:.2f} (at least {row['least']:.3g})"])


def run(
    options: argparse.Namespace,
    contests: Iterable[Any],
    measure: Callable[[Any, float, int], dict[str, Any]],
    told: Callable[[Mapping[str, Any]], str],
    file: str,
) -> dict[str, Any]:
    """Measure, print and write; the record, as `report` reads it.

    Parameters
    ----------
    options : Namespace
        `cap` and `repeats` are known.
    contests : iterable
        Each with a `name`.
    measure : callable (contest, cap, repeats) -> row
        Raises `Unavailable` where the data are not here.
    told : callable (row) -> str
    file : str
        In the folder of the output.
    """
    options.output.mkdir(parents=True, exist_ok=True)
    chosen = {name: getattr(options, name) for name in ("quick", "seed", "repeats", "cap")}
    rows: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    record: dict[str, Any] = {"machine": machine(), "options": chosen, "rows": rows, "missing": missing}
    print(described(record["machine"]), flush=True)
    for contest in contests:
        if options.only and not contest.name.startswith(tuple(options.only)):
            continue
        try:
            rows.append(measure(contest, options.cap, options.repeats))
        except Unavailable as error:
            missing[contest.name] = str(error)
            print(f"{contest.name}: {error}", flush=True)
        else:
            print(told(rows[-1]), flush=True)
        # after every one, so that what was finished is there whatever happens next
        (options.output / file).write_text(json.dumps(record, indent=1) + "\n")
    return record
