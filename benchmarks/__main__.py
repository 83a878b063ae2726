"""Measure and print the table: ``python -m benchmarks [FILE or FILE.CASE ...]``, a trial by ``--size smoke``.

Each case runs in a process of its own, with its number of threads from the start and nobody else's memory.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import table, threads
from benchmarks.side_by_side import CASES, Row, Size, Target, measured

TOPICS = (
    "gibbs",
    "rapid_epoch",
    "enumeration",
    "annealing",
    "seam",
    "training",
    "imports",
    "sharded",
    "stages",
    "wire",
)
"""The files that have cases."""


def load() -> None:
    """Import every topic, so that its cases are registered."""
    for name in TOPICS:
        importlib.import_module(f"benchmarks.{name}")


def rows_of(name: str, size: Size, count: int) -> Iterator[Row]:
    """Measure one case here, at so many threads."""
    function, _ = CASES[name]
    with threads.held(count):
        for made in function(size, count):
            # What a peer loaded meanwhile has a pool of its own.
            with threads.held(count):
                yield measured(made, size, count)


def rows_of_process(name: str, size: Size, count: int) -> list[Row]:
    """Measure one case in a process of its own; one that fails says why and leaves no row."""
    command = [sys.executable, "-m", "benchmarks", name, "--size", size, "--here", str(count)]
    run = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, env=threads.environment(count), check=False
    )
    if run.returncode:
        print(f"{name} failed with {run.returncode}", file=sys.stderr)
        return []
    return [row_from(line) for line in run.stdout.splitlines()]


def row_from(line: str) -> Row:
    values = json.loads(line)
    target = values.pop("target")
    return Row(**values, target=None if target is None else Target(**target))


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="files or cases; all without any")
    parser.add_argument("--size", choices=["smoke", "full"], default="full")
    parser.add_argument("--threads", type=int, help="only at this number of threads")
    parser.add_argument("--page", type=Path, help="write the table into this Markdown file too")
    parser.add_argument("--here", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    load()
    names = [n for n in CASES if not given.names or {n, n.partition(".")[0]} & {*given.names}]
    if not names:
        parser.error(f"no case is called {' or '.join(given.names)}: there are {', '.join(CASES)}")
    if given.here:
        for row in rows_of(names[0], given.size, given.here):
            print(json.dumps(dataclasses.asdict(row)), flush=True)
        return
    rows: list[Row] = []
    failed = False
    for name in names:
        for count in (n for n in CASES[name][1] if given.threads in (None, n)):
            print(f"{name}, {count} threads", file=sys.stderr, flush=True)
            found = rows_of_process(name, given.size, count)
            failed |= not found
            rows += found
    rows.sort(key=lambda row: (row.line == "-", row.line.zfill(4)))
    print(table.text(rows))
    if given.page:
        # What is written by hand stands below the table and stays.
        before = given.page.read_text(encoding="utf-8") if given.page.exists() else ""
        _, heading, below = before.partition("\n## ")
        given.page.write_text(table.page(rows) + heading + below, encoding="utf-8")
    sys.exit(failed)


if __name__ == "__main__":
    main()
