"""``rapid-ising report``: one page about a training, to keep, to send, or to read on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rapid_ising.cli import names
from rapid_ising.cli.console import remarks, results, write_json
from rapid_ising.cli.options import DATA, MACHINE, OUTPUT, Json, Seed, data_file, output_file
from rapid_ising.errors import RapidIsingError

if TYPE_CHECKING:
    from rapid_ising.datasets import Dataset
    from rapid_ising.training.run import TrainingRun


def report(
    run_file: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="What rapid-ising train wrote: the model of --out, or --checkpoint."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="Where the page goes. Left out, beside RUN, as RUN.html.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE|FOLDER",
            help="The data it was trained on, as for train; left out, those that the run names.",
            autocompletion=names.datasets,
            rich_help_panel=DATA,
        ),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The journal of its jobs; left out, RUN.jobs or CHECKPOINT.jobs.",
            rich_help_panel=MACHINE,
        ),
    ] = None,
    price: Annotated[
        float | None,
        typer.Option(
            metavar="PRICE",
            help="What a second of the machine costs, for the cost of the run.",
            rich_help_panel=MACHINE,
        ),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Write one page about a training: curves, samples, reconstructions, machine use, provenance.

    The page is one HTML file that asks for nothing else: it can be sent, kept, and read on a phone, light or
    dark. For example:

      rapid-ising report model.safetensors --dataset stripes
    """
    from rapid_ising.jobs import Journal
    from rapid_ising.plotting import require_matplotlib
    from rapid_ising.report import html
    from rapid_ising.report.run_page import journal_of, run_page
    from rapid_ising.storage import write_bytes
    from rapid_ising.training.load_run import load_run
    from rapid_ising.validation import finite

    require_matplotlib()
    if price is not None:
        finite("price", price, minimum=0)
    run = load_run(run_file)
    beside = journal_of(run, run_file) if journal is None else journal
    target = run_file.with_name(run_file.name + ".html") if out is None else out
    output_file(target, run_file, beside, data_file(_named(run) if dataset is None else dataset))
    data = data_of(run, dataset)
    kept = None if beside is None else Journal(beside, write=False)
    try:
        page = html(run_page(run, data, journal=kept, price=price, seed=seed))
    finally:
        if kept is not None:
            kept.close()
    write_bytes(target, page.encode())
    if as_json:
        write_json({"out": str(target), "bytes": len(page.encode()), "epochs": run.epochs})
        return
    results().print(f"report: {target}", soft_wrap=True, markup=False)


def _named(run: TrainingRun) -> str | None:
    """Return the text that named the data of a training, None where none did."""
    source: str | None = run.origin.get("dataset", {}).get("source")
    return source


def data_of(run: TrainingRun, asked: str | None) -> Dataset | None:
    """Return the data set that was asked for, or the one that the run names if it is still the same."""
    from rapid_ising.datasets import load
    from rapid_ising.report.run_page import same_data

    named = _named(run)
    if asked is not None:
        return load(asked)
    if named is None:
        return None
    try:
        found = load(named)
    except RapidIsingError as error:
        remarks().print(f"without reconstructions: {error}", soft_wrap=True, markup=False)
        return None
    if not same_data(run, found):
        remarks().print(
            f"without reconstructions: {named} has other images than those of the training",
            soft_wrap=True,
            markup=False,
        )
        return None
    return found
