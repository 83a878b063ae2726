"""The whole state of a training between two epochs, in memory and on disk."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from rapid_ising import storage
from rapid_ising.errors import CheckpointError
from rapid_ising.log import logger
from rapid_ising.training.negative_phase import NegativePhase
from rapid_ising.training.optimizers import Optimizer
from rapid_ising.training.run import TrainingRun
from rapid_ising.typing import Floats

KIND = "checkpoint"
log = logger(__name__)


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """Everything that the next epoch depends on."""

    parameters: dict[str, Floats]
    optimizer: dict[str, Floats]
    negative_phase: dict[str, Floats]
    generator: dict[str, Any]
    history: list[dict[str, float]]
    origin: dict[str, Any]
    stopped_early: bool = False

    @classmethod
    def take(
        cls, run: TrainingRun, optimizer: Optimizer, phase: NegativePhase, rng: np.random.Generator
    ) -> Snapshot:
        """Copy the state."""
        return cls(
            {name: array.copy() for name, array in run.model.numpy_parameters().items()},
            optimizer.state(),
            phase.state(),
            # Made anew at each look.
            dict(rng.bit_generator.state),
            list(run.history),
            copy.deepcopy(run.origin),
            run.stopped == "early",
        )

    def put_back(
        self, run: TrainingRun, optimizer: Optimizer, phase: NegativePhase, rng: np.random.Generator
    ) -> None:
        """Return model, optimizer, negative phase, random numbers and history to this state."""
        run.model.set_parameters(self.parameters)
        optimizer.restore(self.optimizer)
        phase.restore(self.negative_phase)
        name = rng.bit_generator.state["bit_generator"]
        if self.generator["bit_generator"] != name:
            raise CheckpointError(
                f"the training was made with a {self.generator['bit_generator']} generator, not {name}: "
                "resume with a seed of that kind"
            )
        rng.bit_generator.state = _arrays(copy.deepcopy(self.generator))
        run.history[:] = [dict(record) for record in self.history]
        run.origin = copy.deepcopy(self.origin)

    def write(self, path: str | os.PathLike[str], settings: dict[str, Any]) -> None:
        """Write one safetensors file, whole or not at all."""
        groups = {
            "parameters": self.parameters,
            "optimizer": self.optimizer,
            "negative_phase": self.negative_phase,
        }
        arrays = {f"{group}/{name}": array for group, part in groups.items() for name, array in part.items()}
        facts = {
            "settings": settings,
            "generator": self.generator,
            "history": self.history,
            "origin": self.origin,
            "stopped_early": self.stopped_early,
        }
        storage.write(path, KIND, arrays, facts)
        log.debug("checkpoint %s: %d epochs", path, len(self.history))

    @classmethod
    def read(cls, path: str | os.PathLike[str], settings: dict[str, Any]) -> Snapshot:
        """Return the state in a file, which must come from a training with the same settings."""
        arrays, facts = storage.read(path, KIND)
        written = facts.get("settings", {})
        for key, there, here in _differences(written, settings):
            what = (
                "its data are others" if key.startswith("data.") else f"its {key} is {there!r}, not {here!r}"
            )
            raise CheckpointError(
                f"{path} belongs to another training: {what}; resume with the same settings, or start anew "
                "with another file"
            )
        return cls.of(arrays, facts)

    @classmethod
    def of(cls, arrays: storage.Arrays, facts: dict[str, Any]) -> Snapshot:
        """Return the state that the arrays and facts of a checkpoint tell."""
        groups: dict[str, dict[str, Floats]] = {"parameters": {}, "optimizer": {}, "negative_phase": {}}
        for key, array in arrays.items():
            group, _, name = key.partition("/")
            groups.setdefault(group, {})[name] = array
        return cls(
            groups["parameters"],
            groups["optimizer"],
            groups["negative_phase"],
            facts["generator"],
            facts["history"],
            # Files of earlier versions have none.
            facts.get("origin", {}),
            facts["stopped_early"],
        )


def _differences(there: Any, here: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the key and both values of each setting that differs, as deep as both have the same keys."""
    if isinstance(there, dict) and isinstance(here, dict):
        for name in sorted(set(there) | set(here)):
            yield from _differences(there.get(name), here.get(name), f"{key}.{name}" if key else name)
    elif there != here:
        yield key, there, here


def _arrays(state: dict[str, Any]) -> dict[str, Any]:
    """Return a generator's state with its lists of numbers as the arrays that they were before JSON."""
    return {
        key: _arrays(value)
        if isinstance(value, dict)
        else np.array(value, dtype=np.uint64)
        if isinstance(value, list)
        else value
        for key, value in state.items()
    }
