"""The command ``rapid-ising``: its sub-commands, and their errors as one line and an exit status."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rapid_ising.cli.backends import backends
from rapid_ising.cli.command import add
from rapid_ising.cli.demo import demo
from rapid_ising.cli.doctor import doctor
from rapid_ising.cli.emulate import emulate
from rapid_ising.cli.jobs import jobs
from rapid_ising.cli.options import ERROR, INTERRUPTED, OVER_BUDGET, STATUSES
from rapid_ising.cli.plan import plan
from rapid_ising.cli.reconstruct import reconstruct
from rapid_ising.cli.report import report
from rapid_ising.cli.reproduce import reproduce
from rapid_ising.cli.sample import sample
from rapid_ising.cli.train import train
from rapid_ising.errors import BudgetExceededError, RapidIsingError, causes
from rapid_ising.version import __version__

USAGE_ERROR: type[typer.BadParameter] = typer.BadParameter.__mro__[1]
"""What typer raises for a wrong option, argument or command."""


class Commands(TyperGroup):
    """The commands, each of whose errors becomes one line and an exit status."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command line and exit with its status."""
        shown, warnings.showwarning = warnings.showwarning, _warn
        try:
            status = super().main(*args, **{**options, "standalone_mode": False})
        except RapidIsingError as error:
            status = _report(str(error))
            if any(isinstance(cause, BudgetExceededError) for cause in causes(error)):
                status = OVER_BUDGET
        except USAGE_ERROR as error:
            command = error.ctx.command_path if error.ctx is not None else "rapid-ising"
            status = _report(f"{error.format_message()} ({command} --help shows what there is)")
        except (OSError, MemoryError) as error:
            status = _report(str(error) or type(error).__name__)
        except (typer.Abort, KeyboardInterrupt):
            status = INTERRUPTED
        finally:
            warnings.showwarning = shown
        sys.exit(status if isinstance(status, int) else 0)


def _warn(message: Warning | str, *place: Any, **options: Any) -> None:
    """Write a warning as one line, without the place in the code."""
    print("warning:", " ".join(str(message).split()), file=sys.stderr)


def _report(message: str) -> int:
    print("error:", " ".join(message.split()), file=sys.stderr)
    return ERROR


def _statuses() -> str:
    return "; ".join(f"{number} {what}" for number, what in STATUSES.items())


app = typer.Typer(
    cls=Commands,
    name="rapid-ising",
    help="Train Boltzmann machines with low-energy samples from any Ising machine.",
    epilog="Start with:\n\nrapid-ising demo --quick\nrapid-ising doctor\n\n"
    "Each command has examples in its --help, and --json for programs. "
    f"Exit status: {_statuses()}.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for command in (train, sample, reconstruct, plan, backends, doctor, emulate, demo, report, reproduce):
    add(app, command)
app.add_typer(jobs, name="jobs")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rapid-ising {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Train Boltzmann machines with low-energy samples from any Ising machine."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line of this process."""
    app()
