"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rapid_ising.cli import names
from rapid_ising.cli.names import listed
from rapid_ising.errors import InvalidParameterError

if TYPE_CHECKING:
    from rapid_ising.backend import Backend
    from rapid_ising.models import Model

FAILED, ERROR, OVER_BUDGET, INTERRUPTED = 1, 2, 3, 130
"""The exit statuses beside 0: some of it was not done, an error, a budget that would be passed, Ctrl-C."""
STATUSES = {
    0: "done",
    FAILED: "a check or a part of the work failed: doctor, reproduce, jobs resume",
    ERROR: "an error, told in one line",
    OVER_BUDGET: "--budget would be passed: nothing more was sent, and --resume goes on",
    INTERRUPTED: "Ctrl-C",
}

HIDDEN, PATTERNS = 100, 8
"""The size of a model when none is asked for: the paper's patterns and a tenth of its hidden spins."""
HIDDEN_LAYERS = (64, 32)
"""The hidden layers of a deep machine when none are asked for."""

DATA, MODEL, TRAINING, MACHINE, KEEPING, OUTPUT = (
    "Data",
    "Model",
    "Training",
    "Machine",
    "Stopping, going on and costs",
    "Output",
)
"""The groups of options in a help."""

DatasetName = Annotated[
    str,
    typer.Option(
        "--dataset",
        metavar="NAME|FILE|FOLDER",
        help=f"{listed(names.DATASETS)}; stripes-N or bars-and-stripes-N, N pixels a side; a .npy file of -1 "
        "and +1, one image a row; or a folder/ of files like those of MNIST. MNIST itself is looked for in "
        "the folder that RAPID_ISING_DATA names.",
        autocompletion=names.datasets,
        rich_help_panel=DATA,
    ),
]
BackendName = Annotated[
    str | None,
    typer.Option(
        "--backend",
        metavar="NAME",
        help="The machine that draws samples; rapid-ising backends lists them.",
        autocompletion=names.backends,
        rich_help_panel=MACHINE,
    ),
]
BackendOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--backend-option",
        metavar="KEY=VALUE",
        help="An option of the machine, such as num_sweeps=200; may be repeated. rapid-ising backends NAME "
        "lists them.",
        autocompletion=names.backend_options,
        rich_help_panel=MACHINE,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        metavar="N",
        help="Fixes every random number, from 0 on; a resumed training goes on with its own.",
        rich_help_panel=OUTPUT,
    ),
]
Beta = Annotated[
    float,
    typer.Option(
        metavar="B|inf",
        help="The inverse temperature, in units of the model's energy; inf asks for the states of lowest "
        "energy.",
        rich_help_panel=MODEL,
    ),
]
ModelFile = Annotated[Path, typer.Argument(metavar="MODEL", help="A file that rapid-ising train wrote.")]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Write one JSON object to stdout and nothing else; remarks go to stderr.",
        rich_help_panel=OUTPUT,
    ),
]


def hidden_sizes(text: str | None, left_out: tuple[int, ...], layers: int | None = None) -> tuple[int, ...]:
    """Return the hidden spins that ``64`` or ``64,32`` names: one number, or one a layer.

    >>> hidden_sizes("64,32", (10,)), hidden_sizes(None, (10,))
    ((64, 32), (10,))
    """
    if text is None:
        return left_out
    parts = text.split(",")
    if not all(re.fullmatch(r"\d{1,18}", part.strip()) for part in parts) or layers not in (None, len(parts)):
        wanted = "a number of spins" if layers == 1 else "the spins of each layer, such as 64,32"
        raise InvalidParameterError(f"--hidden {text} must be {wanted}")
    return tuple(int(part) for part in parts)


def chosen_backend(name: str | None, options: list[str] | None) -> Backend | None:
    """Return the machine ``name`` with ``KEY=VALUE`` options, or None where no name was given."""
    if name is None:
        if options:
            raise InvalidParameterError(f"--backend-option {shown_key(options[0])} needs --backend NAME")
        return None
    from rapid_ising.registry import load_backend

    return load_backend(name, **dict(key_value(text) for text in options or []))


def key_value(text: str) -> tuple[str, Any]:
    """Return the key and the value of ``KEY=VALUE``, the value read as JSON where it is JSON, else as text.

    A token is always text: it may be all digits.

    >>> key_value("burn_in=50"), key_value("solver=Advantage"), key_value("token=123")
    (('burn_in', 50), ('solver', 'Advantage'), ('token', '123'))
    """
    key, equals, value = text.partition("=")
    if not (equals and key.isidentifier()):
        raise InvalidParameterError(
            f"--backend-option {shown_key(text)!r} must read KEY=VALUE, such as num_sweeps=200"
        )
    if key == "token":
        return key, value
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def shown_key(text: str) -> str:
    """Return what a message may show of ``KEY=VALUE``: the value may be a token.

    >>> shown_key("token=swordfish"), shown_key("token: swordfish"), shown_key("burn_in")
    ('token', 'token', 'burn_in')
    """
    return re.split(r"[=:\s]", text, maxsplit=1)[0]


def image_shape(text: str | None, model: Model) -> tuple[int, int]:
    """Return the rows and columns that ``ROWSxCOLUMNS`` names, or a square where the pixels make one.

    Pixels that make no square are one row.
    """
    pixels = model.n_visible
    if text is None:
        from rapid_ising.datasets.dataset import usual_shape

        return usual_shape(pixels)
    match = re.fullmatch(r"(\d{1,9})[x×](\d{1,9})", text)
    if match is None or int(match[1]) * int(match[2]) != pixels:
        raise InvalidParameterError(
            f"--shape {text} must read ROWSxCOLUMNS and make the model's {pixels} pixels, such as 1x{pixels}"
        )
    return int(match[1]), int(match[2])


def model_of(path: Path) -> Model:
    """Return the model in a file."""
    from rapid_ising.models import load_model

    return load_model(path)


def output_file(path: Path, *others: Path | None) -> Path:
    """Return ``path`` when a file can be written there, so that no work is lost for want of a place.

    ``others`` are the files that the command reads or writes besides, None where it does not: no output may
    take the place of one.
    """
    folder = path.parent
    if path.is_dir():
        raise InvalidParameterError(f"cannot write {path}: it is a folder; name a file in it")
    if not folder.is_dir():
        raise InvalidParameterError(f"cannot write {path}: there is no folder {folder}; make it first")
    if not all(os.access(place, os.W_OK) for place in (folder, path) if place.exists()):
        raise InvalidParameterError(f"cannot write {path}: permission denied")
    for other in others:
        if other is not None and _same_file(path, other):
            raise InvalidParameterError(
                f"cannot write {path}: it is the same file as {other}, which this command needs too and "
                "which would be lost; name another"
            )
    return path


def _same_file(one: Path, other: Path) -> bool:
    """Return whether two paths lead to one file, or will: a file may not be there yet."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def data_file(dataset: str | None) -> Path | None:
    """Return the path that ``--dataset`` gives, None where it gives a name or nothing."""
    from rapid_ising.datasets.catalogue import is_path

    return Path(dataset) if dataset is not None and is_path(dataset) else None


def output_folder(path: Path) -> Path:
    """Return ``path`` as a folder that files can be written in, made where it is missing."""
    if path.exists() and not path.is_dir():
        raise InvalidParameterError(f"cannot write into {path}: it is a file; name a folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidParameterError(f"cannot make the folder {path}: {error.strerror or error}") from error
    if not os.access(path, os.W_OK):
        raise InvalidParameterError(f"cannot write into {path}: permission denied")
    return path
