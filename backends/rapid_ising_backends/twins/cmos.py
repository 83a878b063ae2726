"""A twin of Hitachi's CMOS annealing machine: digital annealing of whole numbers on a King's graph."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, final, get_args

import networkx as nx
import numpy as np

from rapid_ising import Capabilities, LocalBackend, Request, gibbs_sweeps
from rapid_ising.errors import InvalidParameterError
from rapid_ising.typing import Reals, States
from rapid_ising.validation import finite, positive_integer

LARGEST = 7
"""The largest field or coupling of four bits with a sign."""
Type = Literal[3, 4, 5]
"""The machine: GPUs with 32-bit whole numbers, GPUs with 32-bit floating point, or the 4-bit chip."""
LARGEST_OF_GPU = 2**15
"""The largest whole number that is put on the GPUs: sums over 8 neighbours stay far inside 32 bits."""


def ranges_of(type: Type) -> dict[str, Any]:
    """Return what capabilities say of the coefficients of a machine.

    >>> ranges_of(5)["coupling_range"], ranges_of(4)
    ((-7, 7), {})
    """
    if type == 4:
        return {}
    largest = LARGEST if type == 5 else LARGEST_OF_GPU
    limits = (-largest, largest)
    return {"field_range": limits, "coupling_range": limits, "integer_coefficients": True}


COLDEST = 0.01
"""The service's own ``temperature_target``; a step of the energy, 2, is frozen there."""
HOTTEST = 1e6
"""Stands for an infinite temperature: the probability of a spin is 1/2 to 1e-4 in the largest field."""


@final
@dataclasses.dataclass(frozen=True)
class TwinCmos(LocalBackend):
    r"""A twin of the CMOS annealing machine: simulated annealing that ends at the asked temperature.

    .. math:: p(s) \propto e^{-E(s) / T}, \quad T = 1 / \beta

    The machine takes whole numbers from -7 to 7 on a King's graph, whose nodes are the places (x, y) of a
    square and whose edges join the up to 8 neighbours of each, and makes at most 10 reads a call. Its
    temperature goes from ``temperature_initial`` to ``temperature_target`` in ``temperature_num_steps``
    steps of ``temperature_step_length`` sweeps. Here the target is 1 / beta: 0.01, the service's own, at
    beta = infinity, and 1e6 at beta = 0. What is left out: the order in which the hardware updates its spins,
    and its random numbers.

    Parameters
    ----------
    size
        The nodes along each side; the machine itself has 384.
    temperature_num_steps, temperature_step_length
        The steps of the temperature, 1 to 100, and the sweeps of each, 1 to 1000.
    temperature_initial
        The temperature of the first step.
    hold
        The share of the steps at the target, at the end. The service documents no such setting: it is here so
        that the reads follow the law; with 0, one step is at the target.
    type
        3 for the GPUs with 32-bit whole numbers, 4 for those with floating point, 5 for the chip, as the
        service numbers them.

    Notes
    -----
    The parameters are those of the Annealing Cloud Web API v2, its ASIC type. Between its two ends the
    temperature falls geometrically here, which that document leaves open. Yamaoka et al., IEEE J.
    Solid-State Circuits 51, 303 (2016).

    Examples
    --------
    >>> import dimod
    >>> pair = dimod.BinaryQuadraticModel({}, {((0, 0), (1, 1)): 3.0}, "SPIN")
    >>> answer = TwinCmos(size=4).sample(pair, num_reads=2, beta=5.0, seed=0)
    >>> answer.info["rapid_ising"]["stages"][0]["energies"]
    [-3, -3]
    """

    name: ClassVar[str] = "twin-cmos"
    capabilities: Capabilities = dataclasses.field(init=False, repr=False, compare=False)

    size: int = 32
    temperature_num_steps: int = 10
    temperature_step_length: int = 100
    temperature_initial: float = 10.0
    hold: float = 0.5
    type: Type = 5

    def __post_init__(self) -> None:
        positive_integer("size", self.size)
        if self.type not in get_args(Type):
            raise InvalidParameterError(f"type must be 3, 4 or 5, not {self.type!r}: the others were retired")
        for option, most in (("temperature_num_steps", 100), ("temperature_step_length", 1000)):
            if positive_integer(option, getattr(self, option)) > most:
                raise InvalidParameterError(f"{option} must be at most {most}, not {getattr(self, option)}")
        finite("temperature_initial", self.temperature_initial, minimum=0, exclusive=True)
        finite("hold", self.hold, minimum=0, maximum=1)
        facts = Capabilities(
            max_variables=self.size**2,
            topology=kings_graph(self.size),
            max_reads=10,
            **ranges_of(self.type),
        )
        # The way to set a field of a frozen dataclass.
        object.__setattr__(self, "capabilities", facts)

    def schedule(self, target: float) -> Reals:
        """Return the temperature of each step."""
        held = max(1, round(self.hold * self.temperature_num_steps))
        moving = self.temperature_num_steps - held
        falling = np.geomspace(self.temperature_initial, target, moving, endpoint=False)
        return np.concatenate([falling, np.full(held, target)])

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        rng, model, sweeps = request.rng, request.model, self.temperature_step_length
        target = COLDEST if math.isinf(request.beta) else 1 / max(request.beta, 1 / HOTTEST)
        states = (2 * rng.integers(2, size=(request.num_reads, model.num_variables)) - 1).astype(np.int8)
        for temperature in self.schedule(target):
            states = gibbs_sweeps(model, states, sweeps, 1 / float(temperature), rng, request.deadline)
        energies = model.energies(states) - model.offset
        facts = {
            "twin": {"beta": 1 / target},
            "temperature_num_steps": self.temperature_num_steps,
            "temperature_step_length": sweeps,
            "temperature_initial": self.temperature_initial,
            "temperature_target": target,
            "hold": self.hold,
            # The machine knows no offset, and most of the machines whole numbers only.
            "energies": energies.tolist() if self.type == 4 else np.rint(energies).astype(int).tolist(),
        }
        return states, facts


@functools.cache
def kings_graph(size: int) -> nx.Graph[tuple[int, int]]:
    """Return the graph of the machine, made once: each place of a square with its up to 8 neighbours.

    >>> sorted(kings_graph(3)[0, 0])
    [(0, 1), (1, 0), (1, 1)]
    """
    line: nx.Graph[int] = nx.path_graph(size)
    graph: nx.Graph[tuple[int, int]] = nx.strong_product(line, line)
    nx.freeze(graph)
    return graph
