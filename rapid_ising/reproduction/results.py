"""Results on disk: one JSON file a task, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import final

from rapid_ising.errors import InvalidParameterError
from rapid_ising.provenance import code_fingerprint
from rapid_ising.reproduction.task import Result, Task
from rapid_ising.storage import write_bytes
from rapid_ising.version import __version__


@final
@dataclasses.dataclass(frozen=True)
class Store:
    """The results of a folder.

    Parameters
    ----------
    folder
        Where they are, one folder a study.
    keep
        Whether results of other code are used again.
    """

    folder: Path
    keep: bool = False

    def path(self, task: Task) -> Path:
        """Return the file of a task."""
        return self.folder / task.study / f"{task.key}.json"

    def get(self, task: Task) -> Result | None:
        """Return the earlier result of the very same task, or None; a damaged file is none."""
        try:
            found = json.loads(self.path(task).read_text(encoding="utf-8"))
            facts = {key: found[key] for key in ("values", "cpu", "wall", "version", "code")}
        except (OSError, ValueError, KeyError, TypeError):
            return None
        mine = facts["code"] == code_fingerprint() and facts["version"] == __version__
        if found.get("task") != json.loads(json.dumps(task.facts)) or not (mine or self.keep):
            return None
        return Result(task, reused=True, **facts)

    def put(self, result: Result) -> None:
        """Write a result, whole or not at all; an error is not kept."""
        if result.error is not None:
            return
        facts = {key: getattr(result, key) for key in ("values", "cpu", "wall", "version", "code")}
        write_file(self.path(result.task), json.dumps({"task": result.task.facts, **facts}, allow_nan=False))


def write_file(path: Path, content: str | bytes) -> Path:
    """Write a file, whole or not at all, and the folders that it is in."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidParameterError(f"cannot make {path.parent}: {error.strerror or error}") from error
    return write_bytes(path, content.encode() if isinstance(content, str) else content)
