"""One file for arrays and facts: safetensors, with JSON in its header. Written whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from rapid_ising.errors import CheckpointError, nearest
from rapid_ising.version import __version__

Arrays = dict[str, npt.NDArray[Any]]
KEY = "rapid_ising"
NPY = b"\x93NUMPY"
"""What a .npy file begins with."""


def write(
    path: str | os.PathLike[str], kind: str, arrays: Mapping[str, Any], facts: Mapping[str, Any]
) -> None:
    """Write arrays and facts to ``path``; an earlier file stays whole until the new one is complete."""
    told = {"kind": kind, "version": __version__, **facts}
    header = {KEY: json.dumps(told, sort_keys=True, default=_plain)}
    content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata=header)
    write_bytes(path, content)


def write_bytes(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a file, whole or not at all: an earlier one stays until the new one is complete.

    Raises
    ------
    CheckpointError
        If it cannot be written.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise CheckpointError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _plain(value: Any) -> Any:
    """Return a NumPy value as plain numbers."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise CheckpointError(f"a {type(value).__name__} cannot be written: records hold numbers")


def _like(path: Path) -> str:
    """Return the files beside it that a missing file may be, as a question."""
    beside = path.parent
    near = nearest(path.name, (file.name for file in beside.iterdir())) if beside.is_dir() else ""
    return f": did you mean {near}?" if near else ""


def _begins(path: Path, mark: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(mark)) == mark


def read(path: str | os.PathLike[str], *kinds: str) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and facts of a file that ``write`` made, of one of these kinds.

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, damaged or of another kind.
    """
    source = Path(path)
    if not source.is_file():
        raise CheckpointError(f"there is no file {source}{_like(source)}")
    try:
        with safe_open(source, framework="numpy") as file:
            facts = json.loads((file.metadata() or {})[KEY])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError) as error:
        if _begins(source, NPY):
            raise CheckpointError(
                f"{source} is an array of NumPy, no file of rapid-ising: "
                "datasets.load, or --dataset, takes data"
            ) from error
        raise CheckpointError(
            f"{source} is truncated or damaged, or no file of rapid-ising ({error})"
        ) from error
    except KeyError as error:
        raise CheckpointError(f"{source} was not written by rapid-ising") from error
    if facts.get("kind") not in kinds:
        raise CheckpointError(f"{source} holds a {facts.get('kind')}, not a {' or a '.join(kinds)}")
    return arrays, facts
