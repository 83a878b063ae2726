"""Every adapter while everything goes wrong, counted: ``python tests/faults.py SEEDS``.

Each machine and each fault, and all faults mixed, with so many seeds. What is printed is how many requests
had a right answer and how many a clear error; anything else is a breach, printed in full, and the exit status
is 1.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping

from adapters import ADAPTERS, running
from demo_service import demo

import rapid_ising as ri
from rapid_ising_backends.emulators.faults import KINDS
from rapid_ising_backends.emulators.server import Running
from rapid_ising_backends.emulators.trial import MIXED, Outcome, hurried, trial

MACHINES = [*ADAPTERS, "demo"]
"""The adapters of services, and the one of tests that uses all of what they share."""
CELLS = [*KINDS, MIXED]


@contextlib.contextmanager
def service(name: str) -> Iterator[tuple[ri.Backend, Running]]:
    with demo() if name == "demo" else running(name) as found:
        yield found


def row(name: str, seeds: range) -> Iterator[tuple[str, Outcome]]:
    """Yield what became of each fault's requests to one machine."""
    with hurried(), service(name) as (machine, place):
        assert place.emulator is not None
        for kind in CELLS:
            found = Outcome()
            for seed in seeds:
                found.add(trial(machine, place.emulator, kind, seed))
            yield kind, found


def table(found: Mapping[str, Mapping[str, Outcome]]) -> str:
    """Return the counts, a machine a column: right answers + clear errors of all requests."""
    width = 2 + max(map(len, CELLS))
    lines = ["right answers + clear errors, and faults that struck"]
    lines.append(" " * width + "".join(f"{name:>20}" for name in found))
    for kind in CELLS:
        cells = (found[name][kind] for name in found)
        shown = (f"{cell.right} + {cell.errors.total()}, {cell.struck}" for cell in cells)
        lines.append(f"{kind:<{width}}" + "".join(f"{text:>20}" for text in shown))
    return "\n".join(lines)


def main(seeds: int, names: list[str]) -> int:
    """Run all of it; return the exit status."""
    found: dict[str, dict[str, Outcome]] = {}
    for name in names or MACHINES:
        began = time.monotonic()
        found[name] = dict(row(name, range(1, 1 + seeds)))
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    total = Outcome()
    for cells in found.values():
        for cell in cells.values():
            total.add(cell)
    print(table(found))
    print("\nerrors: " + ", ".join(f"{count} {kind}" for kind, count in total.errors.most_common()))
    print("\n".join(total.breaches))
    print(
        f"{total.requests} requests, {total.struck} faults: {total.right} right answers, "
        f"{total.errors.total()} clear errors, {len(total.breaches)} breaches"
    )
    return int(bool(total.breaches) or total.right + total.errors.total() != total.requests)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20, sys.argv[2:]))
