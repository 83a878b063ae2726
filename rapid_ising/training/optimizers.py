"""Steps up the gradient: stochastic gradient ascent with momentum, and Adam."""

from __future__ import annotations

import copy
import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, final

import numpy as np

from rapid_ising.arrays import Place, is_numpy, namespace, to_numpy, zeros_like
from rapid_ising.couplings import row_blocks
from rapid_ising.errors import InvalidParameterError
from rapid_ising.training.parts import as_part
from rapid_ising.training.schedules import Constant, Schedule
from rapid_ising.typing import Floats
from rapid_ising.validation import finite

Arrays = dict[str, Floats]
PART = 2**15
"""Entries that are moved at a time."""


class Optimizer(ABC):
    """Changes parameters in place along a gradient; what it remembers goes into checkpoints."""

    name: ClassVar[str]
    learning_rate: float
    schedule: Schedule

    def _check(self) -> None:
        finite("learning_rate", self.learning_rate, minimum=0, exclusive=True)
        if not isinstance(self.schedule, Schedule):
            raise InvalidParameterError(
                f"schedule must be a Schedule such as Exponential(0.96), not {self.schedule!r}"
            )

    def rate(self, epoch: float) -> float:
        """Return the learning rate of an epoch, the first being 0, or at a place within one."""
        return self.learning_rate * self.schedule.factor(epoch, self.learning_rate)

    def begin_epoch(self, epoch: int) -> None:
        """Take note of the epoch that begins, the first being 0."""

    @abstractmethod
    def start(self) -> None:
        """Forget what earlier steps left."""

    @abstractmethod
    def step(self, parameters: Arrays, gradient: Arrays, rate: float) -> None:
        """Move each parameter that has a gradient."""

    @abstractmethod
    def state(self) -> Arrays:
        """Return what it remembers, as arrays by name."""

    @abstractmethod
    def restore(self, state: Arrays) -> None:
        """Take back what ``state`` returned."""


@final
@dataclasses.dataclass
class SGD(Optimizer):
    r"""Stochastic gradient ascent.

    .. math:: m \leftarrow \mu m + (g - \lambda \theta), \quad \theta \leftarrow \theta + \eta m

    Parameters
    ----------
    learning_rate
        The rate eta of the first epoch.
    momentum
        The share mu of the last step that is kept, 0 to 1.
    decay
        The rate lambda at which parameters shrink.
    schedule
        How the rate changes from epoch to epoch.
    factors
        Factors on the rate of single parameters, by name; 1 for those that are not named.

    Examples
    --------
    >>> theta = {"w": np.array([1.0])}
    >>> SGD(0.1).step(theta, {"w": np.array([2.0])}, 0.1)
    >>> theta["w"]
    array([1.2])
    """

    name: ClassVar[str] = "sgd"

    learning_rate: float = 0.01
    momentum: float = 0.0
    decay: float = 0.0
    schedule: Schedule = dataclasses.field(default_factory=Constant)
    factors: Mapping[str, float] = dataclasses.field(default_factory=dict)
    _velocity: Arrays = dataclasses.field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check()
        finite("momentum", self.momentum, minimum=0, maximum=1)
        finite("decay", self.decay, minimum=0)

    def start(self) -> None:  # noqa: D102
        self._velocity = {}

    def step(self, parameters: Arrays, gradient: Arrays, rate: float) -> None:  # noqa: D102
        for name, slope in gradient.items():
            theta = parameters[name]
            if self.decay:
                slope = slope - self.decay * theta
            if self.momentum:
                velocity = _remembered(self._velocity, name, theta)
                velocity *= self.momentum
                velocity += slope
                slope = velocity
            factor = rate * self.factors.get(name, 1.0)
            if not is_numpy(theta):
                theta += factor * slope
                continue
            # In parts that stay in the cache from the product to the sum.
            scaled = theta.dtype.type(factor)
            for part in row_blocks(len(theta), max(1, PART * len(theta) // max(1, theta.size))):
                theta[part] += scaled * slope[part]

    def state(self) -> Arrays:  # noqa: D102
        return {f"velocity.{name}": np.array(to_numpy(array)) for name, array in self._velocity.items()}

    def restore(self, state: Arrays) -> None:  # noqa: D102
        self._velocity = {name.removeprefix("velocity."): array.copy() for name, array in state.items()}


@final
@dataclasses.dataclass
class Adam(Optimizer):
    r"""Adam: steps by the ratio of the gradient's running mean to its running root mean square.

    .. math:: m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad q \leftarrow \beta_2 q + (1 - \beta_2) g^2,
    .. math:: \theta \leftarrow \theta
              + \eta \frac{m / (1 - \beta_1^t)}{\sqrt{q / (1 - \beta_2^t)} + \epsilon}

    Kingma and Ba, arXiv:1412.6980.

    Parameters
    ----------
    learning_rate
        The rate eta of the first epoch.
    mean_decay, square_decay
        beta_1 and beta_2.
    epsilon
        Keeps the ratio finite.
    time
        What t counts: "updates", or "epochs" as in the program of the authors of arXiv:1910.01592, whose
        first epochs so take steps many times as large.
    decay
        The rate at which parameters shrink, added to the gradient.
    schedule
        How the rate changes from epoch to epoch.

    Examples
    --------
    >>> theta = {"w": np.array([1.0])}
    >>> Adam(0.1).step(theta, {"w": np.array([2.0])}, 0.1)
    >>> theta["w"].round(6)
    array([1.1])
    """

    name: ClassVar[str] = "adam"

    learning_rate: float = 0.001
    mean_decay: float = 0.9
    square_decay: float = 0.999
    epsilon: float = 1e-8
    decay: float = 0.0
    schedule: Schedule = dataclasses.field(default_factory=Constant)
    time: Literal["updates", "epochs"] = "updates"
    _epoch: int = dataclasses.field(default=0, init=False, repr=False, compare=False)
    _steps: int = dataclasses.field(default=0, init=False, repr=False, compare=False)
    _means: Arrays = dataclasses.field(default_factory=dict, init=False, repr=False, compare=False)
    _squares: Arrays = dataclasses.field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check()
        finite("mean_decay", self.mean_decay, minimum=0, maximum=0.999999)
        finite("square_decay", self.square_decay, minimum=0, maximum=0.999999999)
        finite("epsilon", self.epsilon, minimum=0, exclusive=True)
        finite("decay", self.decay, minimum=0)
        if self.time not in ("updates", "epochs"):
            raise InvalidParameterError(f"time must be 'updates' or 'epochs', not {self.time!r}")

    def begin_epoch(self, epoch: int) -> None:  # noqa: D102
        self._epoch = epoch

    def start(self) -> None:  # noqa: D102
        self._steps, self._means, self._squares = 0, {}, {}

    def step(self, parameters: Arrays, gradient: Arrays, rate: float) -> None:  # noqa: D102
        self._steps += 1
        t = self._steps if self.time == "updates" else self._epoch + 1
        mean_share, square_share = 1 - self.mean_decay**t, 1 - self.square_decay**t
        for name, slope in gradient.items():
            theta = parameters[name]
            if self.decay:
                slope = slope - self.decay * theta
            mean = _remembered(self._means, name, theta)
            square = _remembered(self._squares, name, theta)
            mean += (1 - self.mean_decay) * (slope - mean)
            square += (1 - self.square_decay) * (slope * slope - square)
            root = namespace(theta).sqrt(square / square_share)
            theta += rate / mean_share * mean / (root + self.epsilon)

    def state(self) -> Arrays:  # noqa: D102
        steps: dict[str, Any] = {"steps": np.array([self._steps], np.float64)}
        for kind, memory in (("mean", self._means), ("square", self._squares)):
            steps |= {f"{kind}.{name}": np.array(to_numpy(array)) for name, array in memory.items()}
        return steps

    def restore(self, state: Arrays) -> None:  # noqa: D102
        self._steps = int(state["steps"][0])
        self._means = {n.removeprefix("mean."): a.copy() for n, a in state.items() if n.startswith("mean.")}
        self._squares = {
            n.removeprefix("square."): a.copy() for n, a in state.items() if n.startswith("square.")
        }


def _remembered(memory: Arrays, name: str, theta: Floats) -> Floats:
    """Return what is remembered of a parameter, zeros at first, where the parameter lies."""
    known = memory.get(name)
    memory[name] = zeros_like(theta) if known is None else Place.of(theta).put(known)
    return memory[name]


OPTIMIZERS: dict[str, type[SGD] | type[Adam]] = {SGD.name: SGD, Adam.name: Adam}


def as_optimizer(optimizer: str | Optimizer, learning_rate: float | None = None) -> Optimizer:
    """Return an optimizer of its own for one training, from a name or an example, at the rate if given."""
    chosen = copy.copy(as_part("optimizer", optimizer, Optimizer, OPTIMIZERS))
    if learning_rate is not None:
        chosen.learning_rate = finite("learning_rate", learning_rate, minimum=0, exclusive=True)
    return chosen
