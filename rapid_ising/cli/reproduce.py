"""``rapid-ising reproduce``: the paper's figures and claims, measured again, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rapid_ising.cli import names
from rapid_ising.cli.console import remarks, results, write_json
from rapid_ising.cli.names import listed
from rapid_ising.cli.options import (
    DATA,
    FAILED,
    INTERRUPTED,
    KEEPING,
    OUTPUT,
    Json,
    Seed,
    output_folder,
)
from rapid_ising.errors import InvalidParameterError

if TYPE_CHECKING:
    from rapid_ising.report import Element, Table
    from rapid_ising.reproduction.study import Scale

SCALE, WORKERS = "How much", "Who works"


def reproduce(
    studies: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDY",
            help=f"{', '.join(names.STUDIES)}, or all of these; {listed(names.OTHER_STUDIES)}.",
            autocompletion=names.studies,
        ),
    ],
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Less than ten minutes on two cores; as without.", rich_help_panel=SCALE
        ),
    ] = False,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="All seeds and epochs: about half an hour on two cores.", rich_help_panel=SCALE
        ),
    ] = False,
    smoke: Annotated[
        bool,
        typer.Option(
            "--smoke", help="Only show that it runs; the numbers mean little.", rich_help_panel=SCALE
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Processes at once; as many as there are cores when left out.",
            rich_help_panel=WORKERS,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Of a Dask cluster, which does the work instead.",
            rich_help_panel=WORKERS,
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", help="Where results, pictures and the page go.", rich_help_panel=OUTPUT
        ),
    ] = Path("reproduction"),
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="The folder with MNIST; else the one that RAPID_ISING_DATA names.",
            rich_help_panel=DATA,
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Compute everything anew.", rich_help_panel=KEEPING)
    ] = False,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Use results that other versions of the code made, too.",
            rich_help_panel=KEEPING,
        ),
    ] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Measure the figures and the claims of arXiv:1910.01592 again, and write a page about them.

    A run that was interrupted goes on where it stopped: results are kept, and used again by the code that
    made them. For example, one figure, fast; and the whole paper:

      rapid-ising reproduce fig1a --smoke
      rapid-ising reproduce all --full
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
    claims = claims_table(wanted, outcome)
    tables = [*_first_tables(elements), ("claims", claims)]
    if not as_json:
        for title, table in tables:
            _show(title, table)
    for name, reason in outcome.left_out.items():
        remarks().print(f"{name} is left out: {reason}", soft_wrap=True)
    if as_json:
        write_json(
            {
                "scale": scale,
                "seconds": outcome.seconds,
                "tables": {title: _records(table) for title, table in tables},
                "left_out": outcome.left_out,
                "tasks": len(outcome.every),
                "failed": len(outcome.failed),
                "pages": [str(path) for path in paths],
            }
        )
    else:
        results().print(f"page: {paths[0]}, and as Markdown: {paths[1]}", soft_wrap=True)
    if outcome.failed:
        first = outcome.failed[0]
        remarks().print(
            f"error: {len(outcome.failed)} of {len(outcome.every)} tasks failed, the first one "
            f"({first.task.study} {first.task.key}) with {first.error}",
            soft_wrap=True,
            markup=False,
        )
        raise typer.Exit(FAILED)


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


def _records(table: Table) -> list[dict[str, str]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


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
