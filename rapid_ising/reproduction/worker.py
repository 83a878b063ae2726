"""A worker process: tasks come in as lines of JSON, results go out as lines of JSON.

python -m rapid_ising.reproduction.worker
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from typing import Any

from rapid_ising.reproduction.catalogue import study_of
from rapid_ising.reproduction.task import Task


def answer(line: str) -> dict[str, Any]:
    """Do the task of a line and return what to say of it.

    >>> answer('{"study": "none", "kind": "x", "parameters": {}}')["error"].partition(":")[0]
    'UnknownNameError'
    """
    cpu, wall = time.process_time(), time.perf_counter()
    said: dict[str, Any] = {}
    try:
        task = Task(**json.loads(line))
        said["values"] = study_of(task.study).run(task)
        json.dumps(said, allow_nan=False)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong in a task is told, and the others go on
        said = {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
    return {**said, "cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def _listen(lines: queue.SimpleQueue[str]) -> None:
    """Pass lines on; at their end the parent is gone, and whatever is under way is for nobody."""
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


def main() -> None:
    """Do tasks until there are no more."""
    # Ctrl-C reaches every process of the terminal; the parent alone decides what then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Answers have the pipe for themselves: whatever else prints goes to the log.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as pipe:
        os.dup2(2, 1)
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(lines,), daemon=True).start()
        while True:
            print(json.dumps(answer(lines.get()), allow_nan=False), file=pipe, flush=True)


if __name__ == "__main__":
    main()
