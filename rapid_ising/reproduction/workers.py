"""Worker processes: each does one task at a time, and one that dies takes only its task with it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, final

from rapid_ising.provenance import code_fingerprint
from rapid_ising.reproduction.task import Result, Task
from rapid_ising.version import __version__

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
"""What tells the libraries under NumPy how many threads to take; read once, when they are loaded."""
LIMIT = 4 * 3600.0
"""The seconds that one task may take."""
COMMAND = (sys.executable, "-P", "-m", "rapid_ising.reproduction.worker")


def results_of(
    tasks: Sequence[Task],
    *,
    workers: int,
    environment: Mapping[str, str] | None = None,
    limit: float = LIMIT,
    command: Sequence[str] = COMMAND,
) -> Iterator[Result]:
    """Yield the result of each task as it is done, the long tasks begun first.

    Every worker has one thread. When the caller stops asking, or Ctrl-C comes, all workers end.

    Parameters
    ----------
    tasks
        What to do.
    workers
        How many processes at most.
    environment
        Variables for the workers, beside those of this process.
    limit
        The seconds that one task may take before its worker is ended.
    command
        What starts a worker.
    """
    waiting = sorted(tasks, key=lambda task: -task.cost)
    answers: queue.Queue[tuple[_Worker, str]] = queue.Queue()
    # Workers import what this process does, and nothing from the current folder.
    path = os.pathsep.join(entry for entry in sys.path if entry)
    variables = {**os.environ, "PYTHONPATH": path, **dict.fromkeys(THREADS, "1"), **(environment or {})}
    with contextlib.ExitStack() as running:
        busy: dict[_Worker, Task] = {}

        def give(worker: _Worker | None) -> None:
            if waiting:
                chosen = worker or running.enter_context(_Worker(command, variables, answers))
                busy[chosen] = waiting.pop(0)
                chosen.send(busy[chosen])

        for _ in range(min(workers, len(waiting))):
            give(None)
        while busy:
            worker, line = _next_answer(answers, busy, limit)
            task = busy.pop(worker)
            if line:
                said = json.loads(line)
                said.pop("trace", None)
                result = Result(task, version=__version__, code=code_fingerprint(), **said)
            else:
                result = Result(task, error=worker.last_words(limit), wall=worker.seconds)
                worker.close()
            # The next task is under way before the caller looks at this result.
            give(worker if line else None)
            yield result


def _next_answer(
    answers: queue.Queue[tuple[_Worker, str]], busy: Mapping[_Worker, Task], limit: float
) -> tuple[_Worker, str]:
    """Wait for a line of a busy worker; one over the limit is ended, which makes its line empty."""
    while True:
        with contextlib.suppress(queue.Empty):
            worker, line = answers.get(timeout=max(0.01, limit - max(worker.seconds for worker in busy)))
            if worker in busy:
                return worker, line
        for worker in busy:
            if worker.seconds > limit:
                worker.end()


@final
class _Worker:
    """One process, with a thread that passes its lines on; an empty line says that it has ended."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        answers: queue.Queue[tuple[_Worker, str]],
    ) -> None:
        self._log: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
            env=dict(environment),
        )
        self._since = time.monotonic()
        self._late = False
        self._reader = threading.Thread(target=self._listen, args=(answers,), daemon=True)
        self._reader.start()

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process and close its files; twice does no harm."""
        self.end()
        self._process.wait(timeout=30)
        self._reader.join(timeout=30)
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _listen(self, answers: queue.Queue[tuple[_Worker, str]]) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                answers.put((self, line))
        answers.put((self, ""))

    @property
    def seconds(self) -> float:
        """The seconds since it was given its task."""
        return time.monotonic() - self._since

    def send(self, task: Task) -> None:
        """Give it a task; if it is dead, its empty line says so."""
        self._since = time.monotonic()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(task.facts) + "\n")
            self._process.stdin.flush()

    def end(self) -> None:
        """End the process now."""
        self._late = self._late or self._process.poll() is None
        with contextlib.suppress(OSError):
            self._process.kill()

    def last_words(self, limit: float) -> str:
        """Return why there is no answer."""
        status = self._process.wait(timeout=30)
        if self._late:
            return f"the task took longer than {limit:g} s, and its worker was ended"
        self._log.seek(0)
        lines: list[Any] = self._log.read().strip().splitlines()
        return f"the worker died with status {status}" + (f": {lines[-1]}" if lines else "")
