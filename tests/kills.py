"""Trainings that are killed at random moments and resumed: ``python tests/kills.py KILLS``.

Each training asks an emulator in this process, which outlives it; the training is a process of its own and is
killed with SIGKILL. Resumed until it ends, it must have the parameters of a training that was never stopped,
bit for bit, and every job must have reached the machine exactly once.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from adapters import ADAPTERS

import rapid_ising as ri
from rapid_ising.jobs import Journal
from rapid_ising_backends.emulators import emulate
from rapid_ising_backends.emulators.server import Running

OPTIONS = {
    "cim": ["--backend-option", "size=40", "--refine", "5"],
    "fujitsu-da": ["--refine", "5"],
    "dwave": [],
}
"""Machines that keep their answers, with options that make a training short."""
EMULATORS: dict[str, dict[str, Any]] = {
    "cim": {"size": 40, "round_trips": 100},
    "dwave": {"topology": "complete", "size": 32},
}
LIMIT = 300.0
"""The seconds of one training, kills and all."""


@dataclasses.dataclass
class Outcome:
    """What was seen of one machine."""

    machine: str
    kills: int = 0
    resumes: int = 0
    trainings: int = 0
    jobs: int = 0
    equal: int = 0
    """The trainings that ended with the parameters of the one that was never stopped."""
    once: int = 0
    """The trainings whose jobs were each sent exactly once."""
    left: int = 0
    """The jobs that took up a place on the machine at the end."""
    problems: list[str] = dataclasses.field(default_factory=list)


def training(folder: Path, machine: str, url: str, epochs: int, *, resume: bool) -> subprocess.Popen[str]:
    """Start a training in a process of its own."""
    words = [sys.executable, "-c", "from rapid_ising.cli.app import main; main()", "train"]
    words += ["--dataset", "stripes", "--hidden", "12", "--patterns", "4", "--epochs", str(epochs)]
    words += ["--reads", "20", "--seed", "3", "--quiet", "--backend", machine]
    words += ["--backend-option", f"url={url}", "--out", str(folder / "model.safetensors")]
    words += ["--checkpoint", str(folder / "state"), *OPTIONS[machine]]
    words += ["--resume"] if resume else []
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **TOKENS}
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables)


TOKENS = {name: "emulator-token" for name in ("CIM_GATEWAY_TOKEN", "FUJITSU_DA_API_KEY", "DWAVE_API_TOKEN")}


def parameters(path: Path) -> dict[str, bytes]:
    """Return the bytes of a model's parameters."""
    return {name: array.tobytes() for name, array in ri.load_model(path).parameters.items()}


def finished(process: subprocess.Popen[str]) -> None:
    """Wait for a training that is to end by itself."""
    _, said = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, said


def trial(machine: str, kills: int, *, seed: int = 0, epochs: int = 5, most: int = 10) -> Outcome:
    """Kill trainings so many times, at most ``most`` times each, and return what was seen."""
    rng, found = np.random.default_rng(seed), Outcome(machine)
    own = EMULATORS.get(machine, ADAPTERS[machine].emulator)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        whole = home / "whole"
        whole.mkdir()
        with emulate(machine, **own) as service:
            finished(training(whole, machine, service.url, epochs, resume=False))
            expected = len(service.state()["accepted"])
        truth = parameters(whole / "model.safetensors")
        while found.kills < kills:
            place = home / f"run-{found.trainings}"
            place.mkdir()
            with emulate(machine, **own) as service:
                _one(found, place, service, epochs, expected, min(most, kills - found.kills), rng)
                state = service.state()
            found.trainings += 1
            found.jobs += len(state["accepted"])
            found.left += len(state["open"])
            times = Counter(state["accepted"])
            if len(state["accepted"]) == expected == len(times):
                found.once += 1
            else:
                found.problems.append(f"{place.name}: {len(state['accepted'])} jobs for {expected}: {times}")
            if parameters(place / "model.safetensors") == truth:
                found.equal += 1
            else:
                found.problems.append(f"{place.name}: other parameters")
    return found


def _one(
    found: Outcome,
    place: Path,
    service: Running,
    epochs: int,
    expected: int,
    kills: int,
    rng: np.random.Generator,
) -> None:
    """Run one training to its end through so many kills."""
    for _ in range(kills):
        begun = (place / "state").exists() or journal_of(place)
        process = training(place, service.name, service.url, epochs, resume=begun)
        found.resumes += begun
        if not _killed(process, service, expected, rng):
            finished(process)
            return
        found.kills += 1
    found.resumes += 1
    begun = (place / "state").exists() or journal_of(place)
    finished(training(place, service.name, service.url, epochs, resume=begun))


def _killed(
    process: subprocess.Popen[str], service: Running, expected: int, rng: np.random.Generator
) -> bool:
    """Kill a training at a random moment between here and a third of its way; False if it ended before."""
    assert service.emulator is not None
    accepted = service.emulator.accepted
    goal = len(accepted) + int(rng.integers(0, 2 + max(0, expected - len(accepted)) // 3))
    end = time.monotonic() + LIMIT
    while process.poll() is None and len(accepted) < goal and time.monotonic() < end:
        time.sleep(0.002)
    # A job takes some tens of milliseconds: to be written, sent, answered, written, forgotten.
    time.sleep(rng.uniform(0.0, 0.1))
    if process.poll() is not None:
        return False
    process.kill()
    process.communicate()
    return True


def journal_of(place: Path) -> bool:
    """Return whether a training has written of any job."""
    path = place / "state.jobs"
    if not path.is_file() or not path.stat().st_size:
        return False
    try:
        journal = Journal(path, write=False)
    except ri.errors.CheckpointError:
        # Killed before its tables were there.
        return False
    try:
        return bool(journal.entries())
    finally:
        journal.close()


def main(kills: int = 200) -> int:
    """Print what was seen; return 1 where anything was lost."""
    bad = 0
    for machine in OPTIONS:
        found = trial(machine, kills)
        print(
            f"{machine}: {found.kills} kills, {found.resumes} resumes, {found.trainings} trainings, "
            f"{found.jobs} jobs: {found.equal} of {found.trainings} with equal parameters, {found.once} with "
            f"each job sent once, {found.left} jobs left with the machine",
            flush=True,
        )
        for problem in found.problems:
            print(f"  {problem}")
        bad += bool(found.problems or found.left)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
