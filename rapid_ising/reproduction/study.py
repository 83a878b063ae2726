"""What a study is: tasks, how one is done, and what the page says of their results."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, final

from rapid_ising.report import Element
from rapid_ising.reproduction.task import Result, Task

Scale = Literal["smoke", "quick", "full"]
"""Sizes of a study: "smoke" only shows that it runs, "quick" takes minutes, "full" half an hour."""


@final
@dataclasses.dataclass(frozen=True)
class Claim:
    """A statement that was put to the test, with what was seen."""

    what: str
    target: str
    seen: str
    met: bool | None
    """Whether what was seen meets the target; None where this run cannot tell."""


class Study(ABC):
    """One study: where its numbers come from and how they are shown."""

    name: ClassVar[str]
    """What the folder of its results is called."""
    title: str

    @abstractmethod
    def tasks(self, scale: Scale, seed: int, data: Path | None) -> list[Task]:
        """Return the work to do; an error of the library's tree leaves the study out, with its message.

        ``seed`` is the first one that is used; ``data`` is a folder of data sets.
        """

    @abstractmethod
    def run(self, task: Task) -> dict[str, Any]:
        """Do one task and return JSON values; the process has nothing else to do."""

    @abstractmethod
    def sections(self, results: Sequence[Result]) -> list[Element]:
        """Return what the page shows, all of it computed from results, of which some may be missing."""

    @abstractmethod
    def claims(self, results: Sequence[Result]) -> list[Claim]:
        """Return the statements that these results decide."""
