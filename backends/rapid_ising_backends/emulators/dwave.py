"""An emulator of a D-Wave processor behind the Solver API."""

from __future__ import annotations

import base64
import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast, final

import dimod
import networkx as nx
import numpy as np
import numpy.typing as npt

from rapid_ising import Backend
from rapid_ising_backends.emulators.sapi import SapiEmulator
from rapid_ising_backends.emulators.sapi_wire import bad_job
from rapid_ising_backends.twins.dwave import SIZES, Topology, TwinDwave

Array = npt.NDArray[Any]
FIELDS, COUPLINGS, EXTENDED, AT_A_QUBIT = (-4.0, 4.0), (-1.0, 1.0), (-2.0, 1.0), (-18.0, 15.0)
READS, ANNEALING = (1, 10_000), (0.5, 2000.0)
ROOMY = 11
"""The size of a Pegasus graph where none is given: 120 spins, all coupled, fit on it."""
LONGEST = 1_000_000.0
"""Microseconds that a job may take."""
PROGRAMMING, THERMALIZATION, READOUT, DELAY, ANNEAL = 14_000.0, 1_000.0, 123.0, 21.0, 20.0
PARAMETERS: Mapping[str, str] = {
    "annealing_time": "Microseconds of an anneal.",
    "answer_mode": "raw or histogram.",
    "auto_scale": "Whether to fill the ranges.",
    "label": "Label of the problem.",
    "num_reads": "Number of reads.",
}


@final
class DwaveEmulator(SapiEmulator):
    """An emulator of the Solver API with one processor, which is a digital twin and says so by its name.

    Parameters
    ----------
    twin
        A ``TwinDwave``; None makes one.
    topology, size
        Those of the twin that is made; a Pegasus graph of size 11 when left out.
    """

    name: ClassVar[str] = "dwave"
    kinds = ("ising", "qubo")

    def __init__(
        self,
        twin: Backend | None = None,
        *,
        topology: Topology = "pegasus",
        size: int | None = None,
        **options: Any,
    ) -> None:
        self.topology, self.size = topology, size
        super().__init__(twin, **options)

    def default_twin(self) -> Backend:
        """Return a processor of the size that was asked."""
        roomy = ROOMY if self.topology == "pegasus" else None
        return TwinDwave(self.topology, self.size or roomy)

    @functools.cached_property
    def graph(self) -> nx.Graph[int]:
        """The qubits and couplers."""
        facts = self.twin.capabilities
        return nx.complete_graph(facts.max_variables or 0) if facts.topology is None else facts.topology

    @functools.cached_property
    def qubits(self) -> list[int]:
        """The qubits, in the order of the wire."""
        return sorted(self.graph)

    @functools.cached_property
    def couplers(self) -> list[tuple[int, int]]:
        """The couplers, in the order of the wire."""
        return sorted((min(u, v), max(u, v)) for u, v in self.graph.edges)

    def definition(self) -> dict[str, Any]:
        """Return the processor as the API describes it."""
        twin = cast("TwinDwave", self.twin)
        size = SIZES[twin.topology] if twin.size is None else twin.size
        shape = {"chimera": [size, size, 4], "zephyr": [size, 4]}.get(twin.topology, [size])
        total = max(self.qubits) + 1
        timing = {
            "version": "1.0.0",
            "typical_programming_time": PROGRAMMING,
            "reverse_annealing_with_reinit_prog_time_delta": 0.0,
            "reverse_annealing_without_reinit_prog_time_delta": 0.0,
            "default_programming_thermalization": THERMALIZATION,
            "default_annealing_time": ANNEAL,
            "readout_time_model": "pwl_linear",
            "readout_time_model_parameters": [0.0, 1e6, READOUT, READOUT],
            "qpu_delay_time_per_sample": DELAY,
            "reverse_annealing_with_reinit_delay_time_delta": 0.0,
            "reverse_annealing_without_reinit_delay_time_delta": 0.0,
            "default_readout_thermalization": 0.0,
            "decorrelation_max_nominal_anneal_time": 2000.0,
            "decorrelation_time_range": [500.0, 10000.0],
        }
        properties = {
            "category": "qpu",
            "chip_id": "emulator",
            "topology": {"type": twin.topology if twin.topology != "complete" else "clique", "shape": shape},
            "supported_problem_types": list(self.kinds),
            "qubits": self.qubits,
            "couplers": self.couplers,
            "num_qubits": total,
            "h_range": FIELDS,
            "j_range": COUPLINGS,
            "extended_j_range": EXTENDED,
            "per_qubit_coupling_range": AT_A_QUBIT,
            "num_reads_range": READS,
            "annealing_time_range": ANNEALING,
            "default_annealing_time": ANNEAL,
            "default_readout_thermalization": 0.0,
            "default_programming_thermalization": THERMALIZATION,
            "problem_run_duration_range": [0.0, LONGEST],
            "problem_timing_data": timing,
            "quota_conversion_rate": 1,
            "parameters": dict(PARAMETERS),
            "tags": ["emulator"],
        }
        return {
            "identity": {
                "name": f"emulator-{twin.topology}-{size}",
                "version": {"graph_id": f"emulator-{len(self.qubits)}"},
            },
            "status": "ONLINE",
            "description": "An emulator on this computer, not a machine",
            "properties": properties,
            "avg_load": 0.0,
        }

    def failure(self, asked: Mapping[str, Any]) -> str | None:
        """Return the text of a job whose reads take too long: it is taken on, and then fails."""
        taken = access_time(asked["params"])
        if taken > LONGEST:
            return f"Run duration of {taken:.0f} us exceeds the limit of {LONGEST:.0f} us"
        return None

    def problem(self, asked: Mapping[str, Any], body: bytes) -> Callable[[], dict[str, Any]]:
        """Return what anneals a job."""
        checked_parameters(asked["params"])
        bqm = self._bqm(asked)
        ising = bqm.change_vartype(dimod.SPIN, inplace=False)
        scale = scale_of(ising)
        if not asked["params"].get("auto_scale", True):
            if scale < 1 - 1e-12 or not self._fits(ising):
                raise bad_job("Problem coefficients are out of range (h_range, extended_j_range)")
            scale = 1.0
        return lambda: self._anneal(bqm, asked["params"], scale, body)

    def _bqm(self, asked: Mapping[str, Any]) -> dimod.BinaryQuadraticModel:
        data = asked["data"]
        if data.get("format") != "qp" or set(data) - {"format", "lin", "quad", "offset"}:
            raise bad_job("Problem data must be of format qp")
        linear = doubles(data.get("lin"))
        if len(linear) != len(self.qubits):
            raise bad_job(f"lin must have {len(self.qubits)} values, one a qubit")
        active = {q for q, value in zip(self.qubits, linear, strict=True) if not np.isnan(value)}
        if not active:
            raise bad_job("Problem has no active qubits")
        pairs = [pair for pair in self.couplers if active.issuperset(pair)]
        quadratic = doubles(data.get("quad"))
        if len(quadratic) != len(pairs):
            raise bad_job(f"quad must have {len(pairs)} values, one an active coupler")
        if np.isinf(linear).any() or not np.isfinite(quadratic).all():
            raise bad_job("Problem coefficients must be finite")
        bqm = dimod.BinaryQuadraticModel("SPIN" if asked["type"] == "ising" else "BINARY")
        bqm.add_linear_from([(q, v) for q, v in zip(self.qubits, linear, strict=True) if q in active])
        bqm.add_quadratic_from([(*pair, value) for pair, value in zip(pairs, quadratic, strict=True)])
        return bqm

    def _fits(self, ising: dimod.BinaryQuadraticModel) -> bool:
        sums = dict.fromkeys(ising.variables, 0.0)
        for (u, v), value in ising.quadratic.items():
            sums[u] += value
            sums[v] += value
        return all(AT_A_QUBIT[0] <= total <= AT_A_QUBIT[1] for total in sums.values())

    def _anneal(
        self, bqm: dimod.BinaryQuadraticModel, parameters: Mapping[str, Any], scale: float, body: bytes
    ) -> dict[str, Any]:
        reads = parameters.get("num_reads", 1)
        qubits = sorted(cast("list[int]", list(bqm.variables)))
        scaled = bqm.change_vartype(dimod.SPIN, inplace=False)
        scaled.scale(scale)
        twin = dataclasses.replace(
            cast("TwinDwave", self.twin), annealing_time=parameters.get("annealing_time", ANNEAL)
        )
        found = twin.sample(scaled, num_reads=reads, seed=self.seed(body))
        places = [found.variables.index(q) for q in qubits]
        bits = (found.record.sample[:, places] > 0).astype(np.uint8)
        values = bits if bqm.vartype is dimod.BINARY else 2 * bits.astype(np.int8) - 1
        # The offset is not sent by the machine.
        energies = bqm.energies((values, qubits)) - bqm.offset
        counts = np.ones(reads, "<i4")
        if parameters.get("answer_mode", "histogram") == "histogram":
            bits, first, counts = np.unique(bits, axis=0, return_index=True, return_counts=True)
            order = np.argsort(energies[first], kind="stable")
            bits, energies, counts = bits[order], energies[first][order], counts[order]
        fault = self.content_fault()
        if fault == "missing-variables":
            qubits, bits = qubits[1:], bits[:, 1:]
        elif fault == "nan-energies":
            energies[0] = np.nan
        elif fault == "duplicated-rows":
            bits, energies, counts = (np.concatenate([part, part[:1]]) for part in (bits, energies, counts))
        answer: dict[str, Any] = {
            "format": "qp",
            "num_variables": max(self.qubits) + 1,
            "active_variables": packed(np.array(qubits), "<i4"),
            "solutions": packed(np.packbits(bits, axis=1), "u1"),
            "energies": packed(energies, "<f8"),
            "num_occurrences": packed(counts, "<i4"),
            "timing": {
                "qpu_access_time": access_time(parameters),
                "qpu_programming_time": PROGRAMMING + THERMALIZATION,
                "qpu_anneal_time_per_sample": parameters.get("annealing_time", ANNEAL),
                "qpu_readout_time_per_sample": READOUT,
                "qpu_delay_time_per_sample": DELAY,
            },
        }
        if fault == "wrong-types":
            answer["energies"] = energies.tolist()
        return answer


def access_time(parameters: Mapping[str, Any]) -> float:
    """Return the microseconds of the processor that a job takes."""
    read = parameters.get("annealing_time", ANNEAL) + READOUT + DELAY
    return float(PROGRAMMING + THERMALIZATION + parameters.get("num_reads", 1) * read)


def checked_parameters(parameters: Mapping[str, Any]) -> None:
    """Raise unless a job's parameters are those of the processor, each in its range."""
    unknown = sorted(set(parameters) - set(PARAMETERS))
    if unknown:
        raise bad_job(f"Unknown parameter {', '.join(unknown)}")
    reads, time = parameters.get("num_reads", 1), parameters.get("annealing_time", ANNEAL)
    if isinstance(reads, bool) or not isinstance(reads, int) or not READS[0] <= reads <= READS[1]:
        raise bad_job(f"num_reads must be an integer in the range {list(READS)}")
    if (
        isinstance(time, bool)
        or not isinstance(time, int | float)
        or not ANNEALING[0] <= time <= ANNEALING[1]
    ):
        raise bad_job(f"annealing_time must be a number in the range {list(ANNEALING)}")
    if parameters.get("answer_mode", "raw") not in ("raw", "histogram"):
        raise bad_job("answer_mode must be raw or histogram")
    if not isinstance(parameters.get("auto_scale", True), bool):
        raise bad_job("auto_scale must be a boolean")


def scale_of(ising: dimod.BinaryQuadraticModel) -> float:
    """Return the factor that fills the ranges of fields and couplings.

    >>> scale_of(dimod.BinaryQuadraticModel({0: 8.0}, {(0, 1): 1.0}, "SPIN"))
    0.5
    """
    ends = [(value, FIELDS) for value in ising.linear.values()]
    ends += [(value, EXTENDED) for value in ising.quadratic.values()]
    return float(min((limit[int(value > 0)] / value for value, limit in ends if value), default=1.0))


def doubles(text: Any) -> Array:
    """Return the numbers in base64 of little-endian doubles."""
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), "<f8")
    except (TypeError, ValueError):
        raise bad_job("Problem data cannot be decoded") from None


def packed(values: Array, kind: str) -> str:
    """Return an array as the API has it: base64 of little-endian numbers."""
    return base64.b64encode(values.astype(kind).tobytes()).decode()
