"""How the learning rate changes from epoch to epoch."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from typing import ClassVar, final

from rapid_ising.validation import finite, positive_integer


class Schedule(ABC):
    """A factor on the first epoch's learning rate."""

    by_update: ClassVar[bool] = False
    """Whether the rate changes from update to update: ``epoch`` then has a fraction."""

    def over(self, epochs: int) -> Schedule:
        """Return the schedule of a training of so many epochs: the same, unless it was left open."""
        return self

    @abstractmethod
    def factor(self, epoch: float, first: float) -> float:
        """Return the factor of an epoch (the first is 0) when the first epoch's rate is ``first``."""


@final
@dataclasses.dataclass(frozen=True)
class Constant(Schedule):
    """The same rate throughout."""

    def factor(self, epoch: float, first: float) -> float:
        """Return 1."""
        return 1.0


@final
@dataclasses.dataclass(frozen=True)
class Exponential(Schedule):
    """The rate times ``ratio`` after each epoch, until it is at most ``floor``.

    Examples
    --------
    >>> Exponential(0.5).factor(2, 0.1)
    0.25
    """

    ratio: float = 0.96
    floor: float = 1e-5

    def __post_init__(self) -> None:
        finite("ratio", self.ratio, minimum=0, exclusive=True, maximum=1)
        finite("floor", self.floor, minimum=0)

    def factor(self, epoch: float, first: float) -> float:
        """Return ratio ** epoch, no more steps being taken once the rate is at most the floor."""
        if self.floor > 0 and self.ratio < 1:
            # The first epoch whose rate is at most the floor is the last that the ratio is applied for.
            epoch = min(epoch, max(0, math.ceil(math.log(self.floor / first) / math.log(self.ratio))))
        return float(self.ratio**epoch)


@final
@dataclasses.dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from the first rate down to the share ``final`` of it over ``epochs`` epochs.

    Examples
    --------
    >>> round(Cosine(epochs=10).factor(5, 0.1), 6)
    0.5
    """

    epochs: int
    final: float = 0.0

    def __post_init__(self) -> None:
        positive_integer("epochs", self.epochs)
        finite("final", self.final, minimum=0, maximum=1)

    def factor(self, epoch: float, first: float) -> float:
        """Return the cosine at this epoch, ``final`` after the last."""
        place = min(1.0, epoch / self.epochs)
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * place)) / 2


@final
@dataclasses.dataclass(frozen=True)
class Linear(Schedule):
    """The rate falls to 0 over ``epochs`` epochs, a little after each update; left out, over the training.

    Examples
    --------
    >>> Linear(epochs=10).factor(2.5, 0.1)
    0.75
    """

    by_update: ClassVar[bool] = True

    epochs: int | None = None

    def __post_init__(self) -> None:
        if self.epochs is not None:
            positive_integer("epochs", self.epochs)

    def over(self, epochs: int) -> Linear:
        """Return the schedule with its epochs set."""
        return self if self.epochs is not None else Linear(epochs)

    def factor(self, epoch: float, first: float) -> float:
        """Return the share of the epochs that is left."""
        return 1.0 if self.epochs is None else max(0.0, 1.0 - epoch / self.epochs)
