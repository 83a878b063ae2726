"""``rapid-ising emulate``: a service on this computer that speaks a vendor's protocol."""

from __future__ import annotations

import json
import signal
import sys
import threading
from types import FrameType
from typing import Annotated

import typer

from rapid_ising.cli import names
from rapid_ising.cli.console import remarks, results
from rapid_ising.cli.options import OUTPUT, key_value


def emulate(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="The machine, such as hitachi-cmos.", autocompletion=names.backends
        ),
    ],
    port: Annotated[int, typer.Option(metavar="N", help="The port on 127.0.0.1; 0 takes a free one.")] = 0,
    faults: Annotated[
        str,
        typer.Option(
            metavar="KIND:RATE,...",
            help="What goes wrong, and how often, from 0 to 1: 401, 403, 404, 429, 500, 503, "
            "disconnect-before, disconnect-after, slow, truncated, job-failed, never-finishes, deleted, "
            "wrong-types, missing-variables, nan-energies, duplicated-rows.",
        ),
    ] = "",
    seed: Annotated[int, typer.Option(metavar="N", help="Fixes when the faults strike.")] = 0,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="An option of the emulator; may be repeated."),
    ] = None,
    attached: Annotated[
        bool,
        typer.Option("--attached", help="End when the standard input is closed, as by a parent that ends."),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Write the address as one line of JSON.", rich_help_panel=OUTPUT),
    ] = False,
) -> None:
    """Run an emulator of a hardware service until Ctrl-C.

    It solves with a digital twin, and every answer says so: nothing of it is a machine's.

    For example, and one whose service is busy at every fifth request:

      rapid-ising emulate fujitsu-da
      rapid-ising emulate hitachi-cmos --faults 429:0.2
    """
    from rapid_ising.emulation import emulated

    options = dict(key_value(text) for text in option or [])
    if faults:
        options |= {"faults": faults, "seed": seed}
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    def watch() -> None:
        sys.stdin.read()
        ended.set()

    with emulated(name, port=port, **options) as service:
        if attached:
            threading.Thread(target=watch, daemon=True).start()
        before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            if as_json:
                print(json.dumps({"name": name, "url": service.url, "token": service.token}), flush=True)
            else:
                results().print(f"emulator of {name}, a digital twin and not the machine, at {service.url}")
            remarks().print(
                f"  rapid-ising train --backend {name} --backend-option url={service.url} "
                f"--backend-option token={service.token}",
                soft_wrap=True,
            )
            ended.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
