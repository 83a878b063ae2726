"""What patterns are held to while they are trained."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, final

import numpy as np

from rapid_ising.arrays import is_numpy, namespace, signs
from rapid_ising.models import Model, pattern_model
from rapid_ising.training.parts import as_part
from rapid_ising.typing import Floats
from rapid_ising.validation import finite


class Constraint:
    """Changes the parameters of a model in place; by itself it changes nothing."""

    name: ClassVar[str]

    def start(self, model: Model) -> None:
        """Prepare the patterns before the first epoch."""

    def after_update(self, model: Model) -> None:
        """Hold the patterns after each step of the optimizer."""

    def after_epoch(self, model: Model) -> None:
        """Hold the patterns at the end of each epoch."""


@final
@dataclasses.dataclass(frozen=True)
class Free(Constraint):
    """Parameters go where the gradient leads."""

    name: ClassVar[str] = "free"


@final
@dataclasses.dataclass(frozen=True)
class Signs(Constraint):
    """Patterns are their signs at the start and after each epoch, as in the paper. A zero becomes +1."""

    name: ClassVar[str] = "signs"

    def start(self, model: Model) -> None:
        """Replace each entry by its sign."""
        self.after_epoch(model)

    def after_epoch(self, model: Model) -> None:
        """Replace each entry by its sign."""
        for patterns in _patterns(model):
            # Plus 0, which makes +0 of -0.
            patterns[...] = signs(patterns + 0.0)


@final
@dataclasses.dataclass(frozen=True)
class Clip(Constraint):
    """Patterns stay real and within -limit .. limit after each step."""

    name: ClassVar[str] = "clip"

    limit: float = 1.0

    def __post_init__(self) -> None:
        finite("limit", self.limit, minimum=0, exclusive=True)

    def after_update(self, model: Model) -> None:
        """Clip each entry."""
        for patterns in _patterns(model):
            if is_numpy(patterns):
                np.clip(patterns, -self.limit, self.limit, out=patterns)
            else:
                patterns[...] = namespace(patterns).clip(patterns, -self.limit, self.limit)


def _patterns(model: Model) -> list[Floats]:
    held = pattern_model(model, "a constraint on patterns")
    return [held.parameters[name] for name in held.pattern_names]


CONSTRAINTS: dict[str, type[Signs] | type[Clip] | type[Free]] = {
    Signs.name: Signs,
    Clip.name: Clip,
    Free.name: Free,
}


def as_constraint(constraint: str | Constraint | None, model: Model) -> Constraint:
    """Return a constraint from its name; None means none."""
    held = Free() if constraint is None else as_part("constraint", constraint, Constraint, CONSTRAINTS)
    if not isinstance(held, Free):
        pattern_model(model, f"constraint {held}")
    return held
