"""``rapid-ising reproduce``: the paper's figures and claims, measured again, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rapid_ising.cli.console import remarks, results
from rapid_ising.cli.options import ERROR, INTERRUPTED, Seed, output_folder
from rapid_ising.errors import InvalidParameterError

if TYPE_CHECKING:
    from rapid_ising.report import Element, Table
    from rapid_ising.reproduction.study import Scale


def reproduce(
    studies: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDY...",
            help="fig1a, fig1b, fig2a, fig2b, negative-phases, models, likelihood, or all.",
        ),
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="Less than ten minutes on two cores; as without.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="All seeds and epochs: about half an hour on two cores.")
    ] = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Only show that it runs; the numbers mean little.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", help="Processes at once; as many as there are cores when left out."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Of a Dask cluster, which does the work instead."),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where results, pictures and the page go.")
    ] = Path("reproduction"),
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="The folder with MNIST; else the one that RAPID_ISING_DATA names."
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compute everything anew.")] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Use results that other versions of the code made, too.")
    ] = False,
    seed: Seed = 0,
) -> None:
    """Measure the figures and the claims of arXiv:1910.01592 again, and write a page about them.

    A run that was interrupted goes on where it stopped: results are kept, and used again by the code that
    made them.
    """
    from rapid_ising.plotting import require_matplotlib
    from rapid_ising.provenance import cores
    from rapid_ising.reproduction.catalogue import chosen
    from rapid_ising.reproduction.page import claims_table, page, write_page
    from rapid_ising.reproduction.reproduce import reproduce as run
    from rapid_ising.validation import positive_integer

    scale = _scale(smoke=smoke, quick=quick, full=full)
    if data is not None and not data.is_dir():
        raise InvalidParameterError(f"--data {data} is no folder: give the one with the files of MNIST")
    if scheduler is not None and workers is not None:
        raise InvalidParameterError(
            "a cluster has its own number of workers: leave --workers or --scheduler out"
        )
    count = cores() if workers is None else positive_integer("--workers", workers)
    positive_integer("--seed", seed, minimum=0)
    wanted = chosen(studies)
    require_matplotlib()
    folder = output_folder(out)
    try:
        outcome = run(
            wanted,
            folder,
            scale=scale,
            seed=seed,
            workers=count,
            data=data,
            fresh=fresh,
            keep=keep,
            scheduler=scheduler,
        )
    except KeyboardInterrupt:
        remarks().print(
            f"interrupted: finished tasks are kept in {folder}; the same command"
            f"{' without --fresh' if fresh else ''} goes on",
            soft_wrap=True,
        )
        raise typer.Exit(INTERRUPTED) from None
    elements = page(wanted, outcome)
    paths = write_page(elements, folder)
    for title, table in _first_tables(elements):
        _show(title, table)
    _show("claims", claims_table(wanted, outcome))
    for name, reason in outcome.left_out.items():
        remarks().print(f"{name} is left out: {reason}", soft_wrap=True)
    results().print(f"page: {paths[0]}, and as Markdown: {paths[1]}", soft_wrap=True)
    if outcome.failed:
        first = outcome.failed[0]
        remarks().print(
            f"error: {len(outcome.failed)} of {len(outcome.every)} tasks failed, the first one "
            f"({first.task.study} {first.task.key}) with {first.error}",
            soft_wrap=True,
            markup=False,
        )
        raise typer.Exit(ERROR)


def _scale(**asked: bool) -> Scale:
    names: list[Scale] = [name for name in ("smoke", "quick", "full") if asked[name]]
    if len(names) > 1:
        raise InvalidParameterError(f"--{names[0]} and --{names[1]} are two scales: give one")
    return names[0] if names else "quick"


def _first_tables(elements: list[Element]) -> list[tuple[str, Table]]:
    """Return the first table of each study under its heading."""
    from rapid_ising.report import Heading, Table

    found: list[tuple[str, Table]] = []
    heading = ""
    for element in elements:
        if isinstance(element, Heading):
            heading = element.text if element.level == 2 and ":" in element.text else heading
        elif isinstance(element, Table) and heading:
            found.append((heading, element))
            heading = ""
    return found


def _show(title: str, table: Table) -> None:
    import rich.table
    from rich import box
    from rich.text import Text

    shown = rich.table.Table(box=box.SIMPLE_HEAD, padding=(0, 1), title=Text(title), title_justify="left")
    for column, right in zip(table.columns, table.numeric, strict=True):
        shown.add_column(Text(column), justify="right" if right else "left")
    for row in table.rows:
        shown.add_row(*map(Text, row))
    results().print(shown)
