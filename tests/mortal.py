"""A machine whose process can be killed while it works: tests in other processes import it from here."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, final

import rapid_ising as ri
from rapid_ising.typing import States


@final
@dataclasses.dataclass(frozen=True)
class Mortal(ri.LocalBackend):
    """The exact law, in so many seconds; each call leaves a file of its process id when it begins."""

    name: ClassVar[str] = "mortal"

    folder: str
    seconds: float = 0.0
    capabilities: ri.Capabilities = ri.Capabilities()  # noqa: RUF009 - frozen

    def _draw(self, request: ri.Request) -> tuple[States, Mapping[str, Any]]:
        (Path(self.folder) / f"{time.monotonic_ns()}").write_text(f"{os.getpid()}")
        time.sleep(self.seconds)
        law = ri.enumerate_model(request.model, request.beta, request.deadline)
        return law.sample(request.num_reads, request.rng), {}


def calls(folder: Path) -> list[int]:
    """Return the process of each call so far, in order."""
    texts = [path.read_text() for path in sorted(folder.iterdir(), key=lambda path: int(path.name))]
    return [int(text) for text in texts if text]


def kill_in_the_middle(folder: Path, begun: int) -> Callable[[], int]:
    """Return what waits for so many calls and then kills the process of the last one."""

    def kill() -> int:
        end = time.monotonic() + 60
        while len(calls(folder)) < begun:
            assert time.monotonic() < end, "nothing was begun"
            time.sleep(0.01)
        # What came in before has reached the caller by then.
        time.sleep(0.1)
        victim = calls(folder)[-1]
        assert victim != os.getpid()
        os.kill(victim, signal.SIGKILL)
        return victim

    return kill
