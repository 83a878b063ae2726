"""What a machine can do, as facts in one frozen record, and the table made from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from typing import Any, Literal

import networkx as nx
import numpy as np

from rapid_ising.couplings import Couplings
from rapid_ising.errors import CapabilityError, ProblemTooLargeError
from rapid_ising.ising import IsingModel
from rapid_ising.typing import Floats

Temperature = Literal["settable", "effective", "none"]
Returns = Literal["multiset", "distinct"]

PREPARE = "; rapid_ising.prepare(machine, model) puts it around the machine"
"""What to do about a limit that a stage lifts."""
EMBED = f"embed the problem into the machine's graph, as the stage Embedded does{PREPARE}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """Facts of a machine; None means that there is no limit.

    Examples
    --------
    >>> Capabilities(max_variables=8).check(
    ...     "demo", IsingModel(np.zeros(9), np.zeros((9, 9))), 1
    ... )  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    rapid_ising.errors.ProblemTooLargeError: demo holds 8 spins and the problem has 9: take 1 fewer, ...
    """

    max_variables: int | None = None
    """The most spins of one problem."""
    topology: nx.Graph[Any] | None = None
    """The graph of spins and couplers; None couples every pair."""
    field_range: tuple[float, float] | None = None
    """The lowest and highest field."""
    coupling_range: tuple[float, float] | None = None
    """The lowest and highest coupling."""
    integer_coefficients: bool = False
    """Whether fields and couplings must be whole numbers."""
    step: float | None = None
    """The step that coefficients are rounded to on their way; None is none that is known."""
    fields: bool = True
    """Whether the machine has fields."""
    temperature: Temperature = "settable"
    """"settable": at the asked beta; "effective": at one of its own, unknown; "none": an optimiser."""
    max_beta: float | None = None
    """The highest beta that may be asked; None includes infinity, which asks for ground states."""
    returns: Returns = "multiset"
    """"multiset": every read is a row; "distinct": the best states, each once, perhaps fewer than asked."""
    max_reads: int | None = None
    """The most reads of one call."""
    read_time: float | None = None
    """The seconds of the machine that a read takes, where the machine states them."""
    max_call_time: float | None = None
    """The most seconds of the machine in one call."""
    call_time: float | None = None
    """The seconds of the machine that a call takes, beside its reads, where machine or options state them."""
    structures: tuple[type[Couplings], ...] | None = None
    """The structures of couplings that the machine takes; None is any."""
    seedable: bool = True
    """Whether a seed fixes the samples."""
    remote: bool = False
    """Whether a call leaves this computer."""
    tested: str | None = None
    """What the adapter of a remote machine was held to; None for what computes here."""
    initial_states: bool = False
    """Whether reads can start from given states."""
    exact: bool = False
    """Whether the reads are independent draws from the Boltzmann law, with no approximation."""

    @property
    def reads_a_call(self) -> int | None:
        """The most reads of one call, by their number and by the machine's time; None has no limit."""
        limits = [] if self.max_reads is None else [self.max_reads]
        if self.read_time is not None and self.max_call_time is not None:
            limits.append(max(1, int(self.max_call_time / self.read_time)))
        return min(limits, default=None)

    def seconds(self, calls: int, reads: int) -> float | None:
        """Return the seconds of the machine for so many calls, with so many reads in all; None is unknown.

        >>> Capabilities(call_time=10.0).seconds(2, 64), Capabilities(read_time=0.5).seconds(2, 64)
        (20.0, 32.0)
        """
        if self.call_time is None and self.read_time is None:
            return None
        return (self.call_time or 0.0) * calls + (self.read_time or 0.0) * reads

    def check(
        self,
        name: str,
        model: IsingModel,
        num_reads: int,
        labels: Sequence[Hashable] | None = None,
        *,
        beta: float = 1.0,
    ) -> None:
        """Raise, before anything is sent, when the machine ``name`` cannot take this problem.

        ``labels`` names the spins in the machine's topology; 0..N-1 when left out.
        """
        if self.max_beta is not None and beta > self.max_beta:
            raise CapabilityError(
                f"{name} takes beta up to {self.max_beta:g} and {beta:g} was asked: "
                "ask for less, or use a machine that finds ground states"
            )
        n = model.num_variables
        if self.max_variables is not None and n > self.max_variables:
            raise ProblemTooLargeError(
                f"{name} holds {self.max_variables} spins and the problem has {n}: take "
                f"{n - self.max_variables} fewer, hidden ones for instance, or a larger machine "
                "(rapid-ising backends lists them)"
            )
        most = self.reads_a_call
        if most is not None and num_reads > most:
            raise CapabilityError(
                f"{name} returns at most {most} reads a call and {num_reads} were asked: "
                f"split the reads over several calls, as the stage Batched does{PREPARE}"
            )
        if self.structures is not None and not isinstance(model.couplings, self.structures):
            known = " or ".join(kind.__name__ for kind in self.structures)
            raise CapabilityError(
                f"{name} takes {known} couplings and the problem has {type(model.couplings).__name__}: "
                "use a model that has them (PatternBoltzmannMachine has Patterns), or another machine"
            )
        if not self.fields and np.any(model.fields):
            raise CapabilityError(
                f"{name} has no fields and the problem has {np.count_nonzero(model.fields)}: "
                f"give each a coupling to one extra spin, as the stage Ancilla does{PREPARE}"
            )
        self._check_values(name, "field", model.fields, self.field_range)
        if self.coupling_range is not None or self.integer_coefficients:
            self._check_values(name, "coupling", model.couplings.values(), self.coupling_range)
        if self.topology is not None:
            self._check_graph(name, model, range(n) if labels is None else labels, self.topology)

    def _check_graph(
        self, name: str, model: IsingModel, labels: Sequence[Hashable], graph: nx.Graph[Any]
    ) -> None:
        for label in labels:
            if label not in graph:
                raise CapabilityError(f"{name} has no spin {label!r}: {EMBED}")
        rows, columns, _ = model.couplings.to_coo()
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True):
            if not graph.has_edge(labels[i], labels[j]):
                raise CapabilityError(
                    f"{name} has no coupler between spins {labels[i]!r} and {labels[j]!r}: {EMBED}"
                )

    def _check_values(
        self, name: str, kind: str, values: Floats, allowed: tuple[float, float] | None
    ) -> None:
        if not values.size:
            return
        if allowed is not None and (values.min() < allowed[0] or values.max() > allowed[1]):
            raise CapabilityError(
                f"{name} takes {kind}s from {allowed[0]:g} to {allowed[1]:g} and the problem has "
                f"{values.min():g} to {values.max():g}: scale the problem, as the stage Scaled does{PREPARE}"
            )
        if self.integer_coefficients and not whole(values):
            raise CapabilityError(
                f"{name} takes whole-number {kind}s only: quantise the problem, as the stage Quantized "
                f"does{PREPARE}"
            )

    def row(self) -> dict[str, str]:
        """Return the facts as short texts, one a column of the table of machines."""

        def span(limits: tuple[float, float] | None) -> str:
            return "real" if limits is None else f"{limits[0]:g} to {limits[1]:g}"

        coupling = span(self.coupling_range)
        return {
            "spins": "any" if self.max_variables is None else f"{self.max_variables}",
            "graph": "complete" if self.topology is None else "sparse",
            "couplings": f"integer {coupling}" if self.integer_coefficients else coupling,
            "fields": span(self.field_range) if self.fields else "no",
            "temperature": self.temperature,
            "returns": self.returns,
            "reads a call": "any" if self.reads_a_call is None else f"{self.reads_a_call}",
            "seed": "yes" if self.seedable else "no",
            "initial states": "yes" if self.initial_states else "no",
            "exact": "yes" if self.exact else "no",
            "where": ", ".join(["remote", *filter(None, [self.tested])]) if self.remote else "local",
        }


def whole(values: Floats) -> bool:
    """Return whether all values are whole numbers.

    >>> whole(np.array([1.0, -2.0])), whole(np.array([1.0, 0.5]))
    (True, False)
    """
    # In pieces that stay in the processor's cache: several times faster than all at once.
    pieces = np.array_split(values, 1 + values.size // 2**16)
    return all(np.array_equal(piece, np.rint(piece)) for piece in pieces)
