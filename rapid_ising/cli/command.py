"""How a function becomes a command: its docstring is the help, and --verbose is an option of each."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
import textwrap
from collections.abc import Callable
from contextlib import nullcontext
from typing import Annotated, Any

import typer

from rapid_ising.cli.options import OUTPUT
from rapid_ising.progress import hide_progress

LOGGER = "rapid_ising"
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Show the log of the library on stderr.", rich_help_panel=OUTPUT),
]


def add(app: typer.Typer, function: Callable[..., None], name: str | None = None) -> None:
    """Make a function a command of an application."""
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    verbose = inspect.Parameter("verbose", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Verbose)

    @functools.wraps(function)
    def command(*, verbose: bool, **given: Any) -> None:
        with Logs(shown=verbose), hide_progress() if given.get("quiet") else nullcontext():
            function(**given)

    # What typer reads the options from.
    vars(command)["__signature__"] = inspect.Signature([*parameters, verbose])
    command.__annotations__ = {"verbose": Verbose, **{p.name: p.annotation for p in parameters}}
    app.command(name, help=help_text(inspect.getdoc(function) or ""))(command)


def help_text(docstring: str) -> str:
    r"""Return a docstring as the text of a help: paragraphs in one line each, examples a line each.

    >>> help_text("Draw.\n\nSo and\nso:\n\n  rapid-ising sample m\n  rapid-ising train")
    'Draw.\n\nSo and so:\n\nrapid-ising sample m\nrapid-ising train'
    """
    return "\n\n".join(
        textwrap.dedent(text) if text.startswith(" ") else " ".join(text.split())
        for text in docstring.split("\n\n")
    )


class _Stderr(logging.StreamHandler[Any]):
    """A handler of what stderr is at the moment: a bar puts lines above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        self.setStream(sys.stderr)
        super().emit(record)


class Logs:
    """The log of the library on stderr for as long as the block lasts, where it is ``shown``."""

    def __init__(self, shown: bool) -> None:
        self._handler = _Stderr() if shown else None

    def __enter__(self) -> None:
        if self._handler is not None:
            self._handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
            logger = logging.getLogger(LOGGER)
            self._level = logger.level
            logger.setLevel(logging.DEBUG)
            logger.addHandler(self._handler)

    def __exit__(self, *error: object) -> None:
        if self._handler is not None:
            logger = logging.getLogger(LOGGER)
            logger.removeHandler(self._handler)
            logger.setLevel(self._level)
