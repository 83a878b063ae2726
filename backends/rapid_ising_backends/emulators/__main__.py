"""``python -m rapid_ising_backends.emulators NAME``: the emulator of a machine until it is stopped."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from types import FrameType
from typing import Any

from rapid_ising_backends.emulators import available_emulators, emulate
from rapid_ising_backends.emulators.faults import parsed


def main(arguments: list[str] | None = None) -> None:
    """Run one emulator; SIGTERM and Ctrl-C end it."""
    parser = argparse.ArgumentParser(prog="python -m rapid_ising_backends.emulators", description=__doc__)
    parser.add_argument("name", choices=available_emulators())
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--faults", default="", help="KIND:RATE,... such as 429:0.2,slow:0.1")
    parser.add_argument("--seed", type=int, default=0, help="of the faults")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=JSON", help="of the emulator")
    parser.add_argument("--json", action="store_true", help="print the address as JSON")
    parser.add_argument("--attached", action="store_true", help="end when the standard input is closed")
    asked = parser.parse_args(arguments)
    options = {key: json.loads(value) for key, _, value in (text.partition("=") for text in asked.option)}
    run(asked.name, asked.port, asked.faults, asked.seed, asked.json, options, attached=asked.attached)


def run(
    name: str,
    port: int,
    faults: str,
    seed: int,
    as_json: bool,
    options: dict[str, Any],
    *,
    attached: bool = False,
) -> None:
    """Run an emulator and tell where it is, until the process is asked to end."""
    ended = threading.Event()
    if attached:

        def watch() -> None:
            sys.stdin.read()
            ended.set()

        threading.Thread(target=watch, daemon=True).start()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    with emulate(name, faults=parsed(faults, seed), port=port, **options) as running:
        if as_json:
            print(json.dumps({"name": name, "url": running.url, "token": running.token}), flush=True)
        else:
            print(f"emulator of {name} (a digital twin, not the machine): {running.url}")
            print(f"  --backend-option url={running.url} --backend-option token={running.token}", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
