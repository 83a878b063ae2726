"""The stripes trained on every hardware service, each spoken to over a socket by way of its emulator."""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, final

from rapid_ising.backend import Backend
from rapid_ising.datasets import stripes
from rapid_ising.emulation import emulated, emulators
from rapid_ising.evaluation import hamming_distance, known_rows
from rapid_ising.machine.plan import not_a_sampler
from rapid_ising.machine.prepare import staged
from rapid_ising.machine.sent_law import sent_law
from rapid_ising.models import PatternRBM
from rapid_ising.notices import RapidIsingWarning
from rapid_ising.registry import load_backend
from rapid_ising.report import Element, Table, Text
from rapid_ising.reproduction.machines_calibration import Noted
from rapid_ising.reproduction.spread import mean, number
from rapid_ising.reproduction.study import Claim, Scale, Study
from rapid_ising.reproduction.task import Result, Task
from rapid_ising.request import Answer, Request
from rapid_ising.training import train
from rapid_ising.training.negative_phase import BackendSamples

SIDE, HIDDEN, PATTERNS = 4, 100, 8
"""The model that ``rapid-ising train`` makes when nothing is said."""
LOCAL = "simulated-annealing"
"""What the services are held beside."""
SWEEPS = 20
"""Gibbs sweeps from a machine's states: most of the services are optimisers, and the others are coarse, hold
only so large energies, or anneal too shortly for long chains."""
LEFT_OUT = {"dirac-3": "its client, qci-client, cannot share an environment with dwave-system"}
"""Services that are not asked, with the reason."""
READS: Mapping[str, int] = {"leap-hybrid": 8}
"""Reads of an update where each is a call of its own."""
OPTIONS: Mapping[str, dict[str, Any]] = {
    # A chain of a hundred places takes longer than that to turn; the sweeps here do what is missing.
    "hitachi-cmos": {"temperature_num_steps": 2, "temperature_step_length": 10},
}
GOOD = 0.05
"""The held-out distance at zero temperature that counts as trained."""


@final
class Services(Study):
    """Each task is one service."""

    name: ClassVar[str] = "services"
    title = "every hardware service, by way of its emulator"

    def tasks(self, scale: Scale, seed: int, data: Path | None) -> list[Task]:  # noqa: D102
        names = ("cim",) if scale == "smoke" else sorted(set(emulators()) - set(LEFT_OUT))
        seeds, epochs = {"smoke": (1, 2), "quick": (1, 100), "full": (3, 100)}[scale]
        return [
            Task(self.name, "training", {"backend": name, "seed": seed + place, "epochs": epochs}, 60.0)
            for name in (LOCAL, *names)
            for place in range(seeds)
        ]

    def run(self, task: Task) -> dict[str, Any]:  # noqa: D102
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always", RapidIsingWarning)
            values = trained(task.parameters)
        return {**values, "warnings": sorted({str(warning.message) for warning in noted})}

    def sections(self, results: Sequence[Result]) -> list[Element]:  # noqa: D102
        if not results:
            return [Text("No task of this study is done.")]
        rows, reasons = [], []
        for name, group in _groups(results).items():
            values = [result.values for result in group]
            rows.append(
                [
                    name if name == LOCAL else f"{name} (emulated)",
                    "yes" if values[0]["sampler"] else "no",
                    str(values[0]["refined"]) if values[0]["refined"] else "-",
                    str(len(values)),
                    number(mean([v["distance"] for v in values])),
                    number(mean([v["calls"] for v in values]), 0),
                    number(mean([v["reads"] for v in values]), 0),
                    number(mean([v["machine_seconds"] for v in values]), 1),
                    number(mean([v["seconds"] for v in values]), 1),
                ]
            )
            reasons += [f"{name}: {values[0]['reason']}."] if values[0]["reason"] else []
        columns = [
            "machine",
            "sampler",
            "sweeps here",
            "seeds",
            "distance",
            "calls",
            "reads",
            "machine s",
            "s",
        ]
        facts = results[0].task.parameters
        caption = (
            f"The {SIDE} x {SIDE} stripes trained for {facts['epochs']} epochs: distance of held-out images "
            "at zero temperature; Gibbs sweeps here from the machine's states; what was asked of the service "
            "and the seconds of the machine that its emulator stated; the seconds of the whole training"
        )
        first = Text(
            "No machine was asked: each adapter spoke its vendor's protocol over a socket to an emulator on "
            "this computer, which solves with a digital twin. Gibbs sweeps from its states follow here; on a "
            "model of this size they would reach the law from any states, so that a training that succeeds "
            "says that the whole way works, and nothing of the machines."
        )
        left_out = [Text(f"{name} is left out: {why}.") for name, why in LEFT_OUT.items()]
        return [first, Table(columns, rows, caption), *(Text(reason) for reason in reasons), *left_out]

    def claims(self, results: Sequence[Result]) -> list[Claim]:  # noqa: D102
        if not results:
            return []
        distances = {name: mean([r.values["distance"] for r in g]) for name, g in _groups(results).items()}
        bad = sorted(name for name, value in distances.items() if value is None or value >= GOOD)
        return [
            Claim(
                "every service trains the stripes",
                "held-out distance below .05 at zero temperature",
                f"all {len(distances)}" if not bad else f"not {', '.join(bad)}",
                not bad,
            )
        ]


@contextlib.contextmanager
def asked(name: str) -> Iterator[Backend]:
    """Yield a machine: a local one, or the adapter of a service whose emulator runs meanwhile."""
    options = OPTIONS.get(name, {})
    if name == LOCAL:
        yield load_backend(name, **options)
        return
    with emulated(name) as service:
        yield load_backend(name, url=service.url, token=service.token, **options)


def trained(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the distance of held-out images, and what was asked of the service."""
    name, data = facts["backend"], stripes(SIDE)
    calls: list[int] = []
    machine_seconds: list[float] = []

    def note(request: Request, answer: Answer) -> None:
        calls.append(request.num_reads)
        machine_seconds.append(float(answer.stages[-1].get("machine_seconds") or 0.0))

    model = PatternRBM(SIDE**2, HIDDEN, PATTERNS, seed=facts["seed"])
    refined = 0 if name == LOCAL else SWEEPS
    with asked(name) as machine:
        raw = staged(Noted(machine, note=note))
        chain = staged(Noted(machine, note=note), refine=refined)
        law = sent_law(raw, model.ising(), 1.0)
        why = not_a_sampler(raw.capabilities, machine.name, law)
        began = time.perf_counter()
        train(
            model,
            data.train,
            negative_phase=BackendSamples(chain, num_reads=READS.get(name)),
            epochs=facts["epochs"],
            seed=facts["seed"],
            progress=False,
        )
        seconds = time.perf_counter() - began
    return {
        "sampler": not why,
        "reason": why,
        "refined": refined,
        "distance": hamming_distance(model, data.test, known_rows(data.shape, 1), beta=math.inf, seed=0),
        "calls": len(calls),
        "reads": sum(calls),
        "machine_seconds": sum(machine_seconds),
        "seconds": seconds,
    }


def _groups(results: Sequence[Result]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.task.parameters["backend"], []).append(result)
    return found
