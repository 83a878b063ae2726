"""D-Wave's quantum annealers, by the vendor's Solver API (SAPI)."""

from __future__ import annotations

import base64
import dataclasses
import functools
import importlib
from collections.abc import Mapping
from typing import Any, ClassVar, final

import msgspec
import networkx as nx
import numpy as np
import numpy.typing as npt
from dwave.cloud.api.models import ProblemJob, SolverConfiguration, StructuredProblemAnswer
from dwave.cloud.coders import encode_problem_as_qp
from dwave.cloud.solver import StructuredSolver

from rapid_ising import Capabilities, Request
from rapid_ising.errors import CapabilityError, InvalidParameterError
from rapid_ising.remote import CONTRACT_TESTED, Secret, Sent, broken, check_energies, rows_of_spins
from rapid_ising.typing import States
from rapid_ising.validation import finite
from rapid_ising_backends.sapi import LABEL, SapiMachine
from rapid_ising_backends.twins.dwave import qubit_graph

Range = tuple[float, float]
Array = npt.NDArray[Any]
ADVANTAGE = 16
"""The size of the Pegasus graph of an Advantage."""
LONGEST_CALL, READ, PROGRAMMING = 1.0, 164e-6, 15e-3
"""The most seconds of a call, those of a read of it and those before the first; of an Advantage, at 20 us."""
KNOWN = ("chimera", "pegasus", "zephyr")


class Layout(msgspec.Struct):
    """The kind of a graph and its size."""

    type: str
    shape: list[int] = []


class Properties(msgspec.Struct):
    """What is used of the properties of a solver; times are in microseconds."""

    qubits: list[int]
    couplers: list[tuple[int, int]]
    topology: Layout
    h_range: Range
    j_range: Range
    num_reads_range: tuple[int, int]
    annealing_time_range: Range
    problem_run_duration_range: Range
    extended_j_range: Range | None = None
    per_qubit_coupling_range: Range | None = None
    default_readout_thermalization: float = 0.0
    default_programming_thermalization: float = 0.0


@final
@dataclasses.dataclass(frozen=True)
class Dwave(SapiMachine):
    r"""Quantum annealing on the graph of a D-Wave processor, at a temperature that is not told.

    .. math:: p(s) \approx e^{-\beta E(s)}

    with a beta of the machine, the problem and the annealing time; what beta was asked has no part in it.
    Reads come as they were made (``answer_mode="raw"``), coefficients are sent as they are
    (``auto_scale=False``), and each job is labelled, so that it can be found again.

    Its graph, ranges and limits are asked of the solver when they are first needed. Without a token,
    ``capabilities`` are those published for an Advantage without defects: enough for a plan.

    Contract-tested against the vendor's own client and an emulator, not yet run on hardware.

    Parameters
    ----------
    solver
        The name of a solver; None takes the processor with the most qubits that is online, when it is first
        asked.
    annealing_time
        The microseconds of each anneal.
    url
        A region such as ``eu-central-1``, or the address of the API; else DWAVE_API_ENDPOINT or
        DWAVE_API_REGION, else the vendor's configuration file, else na-west-1.
    token
        The API token of a Leap project; else the environment variable DWAVE_API_TOKEN, else the vendor's
        configuration file.

    Notes
    -----
    Solver API 3.0. The sums of couplings at each qubit are held to ``per_qubit_coupling_range`` here; those
    of groups of couplers, ``per_group_coupling_range``, by the service alone, which refuses the job.

    Examples
    --------
    >>> Dwave(url="https://sapi.example.org", token="none", annealing_time=50.0)
    Dwave(solver=None, annealing_time=50.0, url='https://sapi.example.org')
    """

    name: ClassVar[str] = "dwave"
    category: ClassVar[str] = "qpu"
    kind: ClassVar[str] = "ising"

    solver: str | None = None
    annealing_time: float = 20.0
    url: str = ""
    token: str | Secret | None = dataclasses.field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        finite("annealing_time", self.annealing_time, minimum=0, exclusive=True)
        self._open()

    @property
    def published(self) -> Capabilities:
        """An Advantage without defects, by the vendor's documents."""
        return self._capabilities(qubit_graph("pegasus", ADVANTAGE), (-4.0, 4.0), (-2.0, 1.0), 10_000)

    def _capabilities(
        self,
        graph: nx.Graph[Any],
        fields: Range,
        couplings: Range,
        reads: int,
        read_time: float = READ,
        longest_call: float = LONGEST_CALL,
        programming: float = PROGRAMMING,
    ) -> Capabilities:
        return Capabilities(
            max_variables=len(graph),
            topology=graph,
            field_range=fields,
            coupling_range=couplings,
            temperature="effective",
            max_reads=reads,
            read_time=read_time,
            max_call_time=longest_call,
            call_time=programming,
            seedable=False,
            remote=True,
            tested=CONTRACT_TESTED,
        )

    def _rank(self, found: SolverConfiguration) -> Any:
        return len(found.properties.get("qubits") or ()), found.identity.name

    @functools.cached_property
    def properties(self) -> Properties:
        """The facts that the solver states."""
        try:
            return msgspec.convert(self.definition.properties, Properties)
        except msgspec.ValidationError as error:
            raise broken(self.name, f"its solver is not described as a processor: {error}") from None

    @functools.cached_property
    def structure(self) -> StructuredSolver:
        """The vendor's object for the solver, which knows the order of qubits on the wire."""
        return StructuredSolver(None, self.definition)

    def _facts(self) -> Capabilities:
        own = self.properties
        shortest, longest = own.annealing_time_range
        if not shortest <= self.annealing_time <= longest:
            raise InvalidParameterError(
                f"annealing_time of {self.definition.identity.name} must be {shortest:g} to {longest:g} "
                f"microseconds, not {self.annealing_time:g}"
            )
        read, call, programming = self._times()
        return self._capabilities(
            graph_of(own),
            own.h_range,
            own.extended_j_range or own.j_range,
            own.num_reads_range[1],
            1e-6 * read,
            1e-6 * call,
            1e-6 * programming,
        )

    def _times(self) -> tuple[float, float, float]:
        """Return the microseconds of a read, the most of all reads of a call, and those before them."""
        own, longest = self.properties, self.properties.problem_run_duration_range[1]
        try:
            # By the vendor's model, for a problem on all qubits: their readout takes longest.
            one, two = (
                self.structure.estimate_qpu_access_time(
                    len(own.qubits), num_reads=reads, annealing_time=self.annealing_time
                )
                for reads in (1, 2)
            )
        except (KeyError, ValueError):
            # Without the vendor's timing data: the limit as `max_num_reads` of its client has it.
            read = self.annealing_time + own.default_readout_thermalization
            programming = own.default_programming_thermalization
            return read, longest - programming, programming
        programming = float(2 * one - two)
        return float(two - one), longest - programming, programming

    def _check(self, request: Request) -> None:
        limits = None if self.token is None else self.properties.per_qubit_coupling_range
        if limits is None:
            return
        rows, columns, values = request.model.couplings.to_coo()
        sums = np.zeros(request.model.num_variables)
        np.add.at(sums, rows, values)
        np.add.at(sums, columns, values)
        if sums.size and (sums.min() < limits[0] or sums.max() > limits[1]):
            raise CapabilityError(
                f"{self.name} takes couplings that add up to {limits[0]:g} to {limits[1]:g} at a qubit, and "
                f"the problem has {sums.min():g} to {sums.max():g}: scale the problem, or make chains weaker"
            )

    def job(self, request: Request, tag: str) -> ProblemJob:
        """Return a request as it is sent."""
        # The labels are qubits, or the request was refused.
        qubits: list[Any] = request.variables
        rows, columns, values = request.model.couplings.to_coo()
        ends = zip(rows.tolist(), columns.tolist(), values.tolist(), strict=True)
        data = encode_problem_as_qp(
            self.structure,
            dict(zip(qubits, request.model.fields.tolist(), strict=True)),
            {(qubits[i], qubits[j]): value for i, j, value in ends},
            undirected_biases=True,
        )
        parameters = {
            "num_reads": request.num_reads,
            "annealing_time": self.annealing_time,
            "answer_mode": "raw",
            "auto_scale": False,
        }
        return ProblemJob(
            data=data,
            params=parameters,
            solver=self.definition.identity,
            type=self.kind,
            label=LABEL + tag,
        )

    def _send(self, request: Request, tag: str) -> Sent:
        return self._post(request, self.job(request, tag))

    def _read(self, request: Request, reply: Any) -> tuple[States, Mapping[str, Any]]:
        if not isinstance(reply, StructuredProblemAnswer):
            raise broken(self.name, "its answer is none of a processor")
        qubits, bits, energies, counts = arrays(self.name, reply)
        column = {qubit: place for place, qubit in enumerate(qubits)}
        if len(column) != len(qubits) or set(column) != set(request.variables):
            raise broken(self.name, "the qubits of its answer are not those that were asked")
        places = [column[qubit] for qubit in request.variables]
        rows = rows_of_spins(self.name, bits[:, places], len(places), bits=True)
        check_energies(self.name, request.model, rows, energies, offset=False)
        if counts.min(initial=1) < 1 or int(counts.sum(dtype=np.int64)) != request.num_reads:
            raise broken(
                self.name, f"{request.num_reads} reads were asked and its counts add up to {counts.sum()}"
            )
        facts: dict[str, Any] = {
            "service": "D-Wave SAPI",
            "solver": str(self.definition.identity.name),
            "graph": str(getattr(self.definition.identity.version, "graph_id", None)),
            "annealing_time": self.annealing_time,
        }
        spent = reply.timing.get("qpu_access_time")
        if isinstance(spent, int | float) and 0 <= spent < 1e12:
            facts["machine_seconds"] = 1e-6 * spent
        return np.repeat(rows, counts, axis=0), facts


def arrays(machine: str, reply: StructuredProblemAnswer) -> tuple[list[Any], Array, Array, Array]:
    """Return the qubits of an answer, its rows of bits, and the energy and the count of each row.

    Raises
    ------
    ProtocolError
        If one is no base64, or does not fit the others.
    """

    def array(text: str, kind: str) -> Array:
        return np.frombuffer(base64.b64decode(text, validate=True), dtype=kind)

    try:
        qubits, energies = array(reply.active_variables, "<i4"), array(reply.energies, "<f8")
        counts = array(reply.num_occurrences, "<i4")
        if counts.shape != energies.shape:
            raise broken(machine, f"{len(energies)} energies and {len(counts)} counts")
        packed = array(reply.solutions, "u1").reshape(len(energies), -(-len(qubits) // 8))
    except ValueError as error:
        raise broken(machine, f"an array of its answer cannot be read: {error}") from None
    return qubits.tolist(), np.unpackbits(packed, axis=1, count=len(qubits)), energies, counts


def graph_of(properties: Properties) -> nx.Graph[Any]:
    """Return the graph of a processor; of the families that embeddings know, with what they need to know."""
    layout = properties.topology
    graph: nx.Graph[Any] = nx.Graph()
    if layout.type not in KNOWN or not layout.shape:
        graph.add_nodes_from(properties.qubits)
        graph.add_edges_from(properties.couplers)
    else:
        # Without its defects, by lists of what is there.
        make = getattr(importlib.import_module("dwave.graphs"), f"{layout.type}_graph")
        graph = make(*layout.shape, node_list=properties.qubits, edge_list=properties.couplers)
    nx.freeze(graph)
    return graph
