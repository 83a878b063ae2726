"""A task: one piece of work of a study, told in JSON so that any process can do it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, final


@final
@dataclasses.dataclass(frozen=True)
class Task:
    """One piece of work: what to do and with which numbers, its seed among them.

    Examples
    --------
    >>> Task("fig1", "cd", {"seed": 0, "epochs": 100}, cost=2.0).key
    'cd-8bfd8b7d12dc'
    """

    study: str
    """The study that does it."""
    kind: str
    """What is done: a method, usually."""
    parameters: Mapping[str, Any]
    """JSON values; with study and kind they say the task entirely."""
    cost: float = 1.0
    """About how many CPU seconds it takes: long tasks start first. No part of what the task is."""

    @property
    def facts(self) -> dict[str, Any]:
        """What the task is, as JSON values."""
        return {"study": self.study, "kind": self.kind, "parameters": dict(self.parameters)}

    @property
    def key(self) -> str:
        """A name for the task that no other one has."""
        text = json.dumps(self.facts, sort_keys=True, allow_nan=False)
        return f"{self.kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


@final
@dataclasses.dataclass(frozen=True)
class Result:
    """What came of a task: its values, or the error that ended it."""

    task: Task
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """JSON values."""
    error: str | None = None
    cpu: float = 0.0
    """CPU seconds of the process, all threads together."""
    wall: float = 0.0
    """Seconds by the clock."""
    version: str = ""
    """The version of the library that made it."""
    code: str = ""
    """The fingerprint of the code that made it."""
    reused: bool = False
    """Whether it is of an earlier run."""
