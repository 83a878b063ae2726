"""A twin of D-Wave's quantum annealers: noisy programming, a temperature of its own, a sparse graph."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, final, get_args

import networkx as nx
import numpy as np

from rapid_ising import Capabilities, IsingModel, LocalBackend, Request, gibbs_sweeps
from rapid_ising.errors import InvalidParameterError, MissingDependencyError
from rapid_ising.typing import Floats, States
from rapid_ising.validation import finite, positive_integer
from rapid_ising_backends.twins.schedule import rise_and_hold

Topology = Literal["pegasus", "zephyr", "chimera", "complete"]
AnswerMode = Literal["raw", "histogram"]

SIZES: Mapping[str, int] = {"pegasus": 4, "zephyr": 3, "chimera": 8, "complete": 64}
"""The size of each topology where none is given: a few hundred qubits, for speed."""
READOUT, DELAY = 123.0, 21.0
"""Microseconds that a read takes beside its anneal, as the machines report them with an answer."""
LONGEST_CALL = 1.0
"""Seconds of all anneals and readouts of one call (``problem_run_duration_range``)."""


@final
@dataclasses.dataclass(frozen=True)
class TwinDwave(LocalBackend):
    r"""A twin of a D-Wave machine: thermal annealing of the problem as it was really programmed.

    .. math:: p(s) \propto e^{-\beta E'(s)}, \quad
        E'(s) = \sum_i (h_i + \delta h_i) s_i + \sum_{i<j} (J_{ij} + \delta J_{ij}) s_i s_j

    The errors are drawn once a call, for every spin of the problem and every coupling that is not 0, as
    integrated control errors are: all reads of a call share them, and reads of another call or another gauge
    do not. The inverse temperature rises evenly from 0 to ``beta`` over Gibbs sweeps and is held there; the
    beta that was asked has no part in it. What is left out: quantum dynamics, chain breaks other than
    thermal ones, drifts and defects.

    Parameters
    ----------
    topology
        The graph of the qubits, or "complete", which needs no package and no embedding.
    size
        The size of the graph, as in ``dwave.graphs``; of "complete", the number of qubits. None takes a
        small one: 4 (Pegasus, 264 qubits), 3 (Zephyr, 336), 8 (Chimera, 512), 64. An Advantage is a
        Pegasus graph of size 16.
    beta
        The inverse temperature that the machine does not tell, in units of the programmed numbers.
    field_noise, coupling_noise
        The standard deviations of the errors of fields and couplings.
    answer
        "raw", reads in the order that they were made; "histogram", sorted by energy, equal reads together.
    sweeps
        The Gibbs sweeps of an anneal.
    hold
        The share of the sweeps at ``beta``, at the end.
    annealing_time
        The microseconds of an anneal, which count for the limit of a call and for nothing else.

    Raises
    ------
    MissingDependencyError
        If the graph needs a package that is not installed.

    Notes
    -----
    The vendor models its errors by this equation (D-Wave documentation, "Error sources for problem
    representation"). The defaults, 0.03 and 0.02, are of the size that users report: a few hundredths of
    the largest coupling, more on fields than on couplings (King, McGeoch, arXiv:1410.2628; Pearson et al.,
    npj Quantum Information 5, 107 (2019)). The default ``beta`` is a round number: effective temperatures
    differ between machines, problems and annealing times (Raymond et al., Front. ICT 3, 23 (2016)).

    Examples
    --------
    >>> machine = TwinDwave("complete", size=2, beta=2.0)
    >>> answer = machine.sample(IsingModel([0.0, 0.0], [[0, -1], [-1, 0]]), num_reads=3, seed=0)
    >>> answer.info["rapid_ising"]["stages"][0]["twin"]
    {'beta': 2.0, 'field_noise': 0.03, 'coupling_noise': 0.02}
    """

    name: ClassVar[str] = "twin-dwave"
    capabilities: Capabilities = dataclasses.field(init=False, repr=False, compare=False)

    topology: Topology = "pegasus"
    size: int | None = None
    beta: float = 3.0
    field_noise: float = 0.03
    coupling_noise: float = 0.02
    answer: AnswerMode = "raw"
    sweeps: int = 500
    hold: float = 0.2
    annealing_time: float = 20.0

    def __post_init__(self) -> None:
        for option, value, known in (
            ("topology", self.topology, get_args(Topology)),
            ("answer", self.answer, get_args(AnswerMode)),
        ):
            if value not in known:
                raise InvalidParameterError(f"{option} must be one of {', '.join(known)}, not {value!r}")
        size = SIZES[self.topology] if self.size is None else positive_integer("size", self.size)
        finite("beta", self.beta, minimum=0)
        finite("field_noise", self.field_noise, minimum=0)
        finite("coupling_noise", self.coupling_noise, minimum=0)
        positive_integer("sweeps", self.sweeps)
        finite("hold", self.hold, minimum=0, maximum=1)
        finite("annealing_time", self.annealing_time, minimum=0.5, maximum=2000)
        graph = None if self.topology == "complete" else qubit_graph(self.topology, size)
        facts = Capabilities(
            max_variables=size if graph is None else len(graph),
            topology=graph,
            field_range=(-4.0, 4.0),
            coupling_range=(-2.0, 1.0),
            temperature="effective",
            max_reads=10_000,
            read_time=1e-6 * (self.annealing_time + READOUT + DELAY),
            max_call_time=LONGEST_CALL,
        )
        # The way to set a field of a frozen dataclass.
        object.__setattr__(self, "capabilities", facts)

    def _draw(self, request: Request) -> tuple[States, Mapping[str, Any]]:
        rng = request.rng
        model = self._programmed(request.model, rng)
        states = (2 * rng.integers(2, size=(request.num_reads, model.num_variables)) - 1).astype(np.int8)
        schedule = rise_and_hold(self.beta, self.sweeps, self.hold)
        rising = int((schedule < self.beta).sum())
        for beta in schedule[:rising]:
            states = gibbs_sweeps(model, states, 1, float(beta), rng, request.deadline)
        states = gibbs_sweeps(model, states, self.sweeps - rising, self.beta, rng, request.deadline)
        if self.answer == "histogram":
            states = histogram(request.model, states)
        hidden = {
            "beta": self.beta,
            "field_noise": self.field_noise,
            "coupling_noise": self.coupling_noise,
        }
        facts = {
            "twin": hidden,
            "topology": self.topology,
            "qubits": self.capabilities.max_variables,
            "answer": self.answer,
            "sweeps": self.sweeps,
            "annealing_time": self.annealing_time,
        }
        return states, facts

    def _programmed(self, asked: IsingModel, rng: np.random.Generator) -> IsingModel:
        """Return the problem with this call's errors."""

        def with_errors(couplings: Floats) -> Floats:
            errors = rng.normal(0.0, self.coupling_noise, couplings.shape)
            return np.where(couplings == 0, 0.0, couplings + errors)

        fields = asked.fields + rng.normal(0.0, self.field_noise, asked.num_variables)
        return IsingModel(fields, asked.couplings.mapped(with_errors))


@functools.cache
def qubit_graph(topology: str, size: int) -> nx.Graph[int]:
    """Return the graph of a machine without defects, its qubits numbered as the vendor does; made once."""
    try:
        # Here, since "complete" does without it.
        graphs = importlib.import_module("dwave.graphs")
    except ImportError as error:
        raise MissingDependencyError(
            f"the graph {topology!r} of twin-dwave needs dwave-graphs, not installed here: "
            "pip install 'rapid-ising[embedding]', or use topology='complete'"
        ) from error
    graph: nx.Graph[int] = getattr(graphs, f"{topology}_graph")(size)
    nx.freeze(graph)
    return graph


def histogram(model: IsingModel, states: States) -> States:
    """Return the same reads sorted by their energy, equal ones next to each other."""
    rows, counts = np.unique(states, axis=0, return_counts=True)
    order = np.argsort(model.energies(rows), kind="stable")
    return np.repeat(rows[order], counts[order], axis=0)
