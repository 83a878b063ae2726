"""What goes over the wire to a Digital Annealer and back, and the binary polynomial of an Ising model."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from rapid_ising import IsingModel, Request
from rapid_ising.remote import Reply, broken, encoded, rows_of_spins
from rapid_ising.typing import States

Whole = npt.NDArray[np.int64]
BLOCK = 2**15
"""The terms that are objects at one time: a dense problem of 2000 bits has two million."""
MOST = 2**31
"""The most times that a state can have been found."""


class Term(msgspec.Struct, gc=False):
    """One term of a polynomial: the coefficient and the bits that it multiplies."""

    c: int
    p: tuple[int, ...]


class OldTerm(msgspec.Struct, gc=False):
    """The same, as version 2 names it."""

    coefficient: int
    polynomials: tuple[int, ...]


class Polynomial(msgspec.Struct):
    """The function that is minimised, its terms a list that is JSON already."""

    terms: msgspec.Raw


class Solver3(msgspec.Struct):
    """The parameters of the third and fourth generation."""

    time_limit_sec: int
    num_run: int
    num_group: int
    num_output_solution: int
    gs_level: int
    gs_cutoff: int


class Solver2(msgspec.Struct):
    """The parameters of the second generation."""

    number_iterations: int
    number_runs: int
    temperature_start: float
    temperature_decay: float
    temperature_interval: int
    temperature_mode: str = "EXPONENTIAL"
    noise_model: str = "METROPOLIS"
    offset_increase_rate: float = 0.0
    solution_mode: str = "COMPLETE"
    # Without it the service chooses temperatures of its own and scales the coefficients.
    expert_mode: bool = True


class Problem3(msgspec.Struct):
    """The body of a request to versions 3c and 4."""

    fujitsuDA3: Solver3  # noqa: N815 - the service's name
    binary_polynomial: Polynomial


class Problem2(msgspec.Struct):
    """The body of a request to version 2."""

    fujitsuDA2: Solver2  # noqa: N815 - the service's name
    binary_polynomial: Polynomial


class JobId(msgspec.Struct):
    """What the service says when it takes a job on, and what it is asked to cancel."""

    job_id: str


State = Literal["Waiting", "Running", "Done", "Error", "Canceled", "Deleted"]


class Status(msgspec.Struct):
    """The state of one job."""

    status: State


class Listed(msgspec.Struct):
    """One job in the list of all jobs."""

    job_id: str
    job_status: str
    start_time: str | None = None


class Jobs(msgspec.Struct):
    """The list of all jobs of the account."""

    job_status_list: list[Listed]


class Solution(msgspec.Struct):
    """A state, its energy, and how often it was found."""

    energy: float
    frequency: int
    configuration: dict[str, bool]


class Timing(msgspec.Struct):
    """Milliseconds, written as text."""

    solve_time: str
    total_elapsed_time: str | None = None


class Solutions(msgspec.Struct):
    """What the machine found."""

    result_status: bool
    solutions: list[Solution]
    timing: Timing


class Result(msgspec.Struct):
    """The state of a job, and its answer when it is done."""

    status: State
    qubo_solution: Solutions | None = None
    message: str | None = None


class Binary(NamedTuple):
    r"""A function of bits x = (1 + s) / 2.

    .. math:: Q(x) = \sum_i a_i x_i + \sum_{i<j} b_{ij} x_i x_j

    With whole fields and couplings it is whole, and it equals the energy without the model's offset, less
    ``constant``.
    """

    linear: Whole
    rows: npt.NDArray[Any]
    columns: npt.NDArray[Any]
    quadratic: Whole
    constant: float


def binary(model: IsingModel) -> Binary:
    r"""Return the binary form of an Ising model of whole numbers.

    .. math:: a_i = 2 h_i - 2 \sum_j J_{ij}, \quad b_{ij} = 4 J_{ij}, \quad
        \mathrm{constant} = \sum_{i<j} J_{ij} - \sum_i h_i

    Examples
    --------
    >>> form = binary(IsingModel([1.0, 0.0], [[0.0, -3.0], [-3.0, 0.0]]))
    >>> form.linear.tolist(), form.quadratic.tolist(), form.constant
    ([8, 6], [-12], -4.0)
    """
    rows, columns, values = model.couplings.to_coo()
    n, values = model.num_variables, values.astype(np.float64)
    sums = np.bincount(rows, values, n) + np.bincount(columns, values, n)
    linear = 2 * model.fields.astype(np.float64) - 2 * sums
    constant = float(values.sum() - model.fields.sum(dtype=np.float64))
    return Binary(whole(linear), rows, columns, whole(4 * values), constant)


def whole(values: npt.NDArray[Any]) -> Whole:
    """Return whole numbers, which come as floats, as integers."""
    integers: Whole = np.rint(values).astype(np.int64)
    return integers


def terms(form: Binary, kind: type[Term] | type[OldTerm]) -> msgspec.Raw:
    """Return the terms as a list in JSON, each bit first, also one that nothing acts on.

    Examples
    --------
    >>> form = binary(IsingModel([1.0, 0.0], [[0.0, -3.0], [-3.0, 0.0]]))
    >>> bytes(terms(form, Term))
    b'[{"c":8,"p":[0]},{"c":6,"p":[1]},{"c":-12,"p":[0,1]}]'
    """
    # Objects by blocks, and none of them for the garbage collector: benchmarks/wire.py.
    return msgspec.Raw(b"[" + b",".join(_blocks(form, kind)) + b"]")


def _blocks(form: Binary, kind: type[Term] | type[OldTerm]) -> Iterator[bytes]:
    bits = ((i,) for i in range(len(form.linear)))
    yield encoded(list(map(kind, form.linear.tolist(), bits)))[1:-1]
    for first in range(0, len(form.quadratic), BLOCK):
        part = slice(first, first + BLOCK)
        pairs = zip(form.rows[part].tolist(), form.columns[part].tolist(), strict=True)
        yield encoded(list(map(kind, form.quadratic[part].tolist(), pairs)))[1:-1]


def rows_of(machine: str, request: Request, solutions: Sequence[Solution]) -> tuple[States, Whole]:
    """Return the states of solutions and how often each was found.

    Spins that nothing acts on are drawn where the service leaves them out.
    """
    if not all(1 <= solution.frequency <= MOST for solution in solutions):
        raise broken(machine, "a solution was found less than once, or more often than there are searches")
    n, couplings = request.model.num_variables, request.model.couplings
    names = [str(i) for i in range(n)]
    bits = np.array([[s.configuration.get(name, -1) for name in names] for s in solutions], np.int8)
    missing = bits < 0
    if any(len(s.configuration) > n - m for s, m in zip(solutions, missing.sum(axis=1), strict=True)):
        raise broken(machine, f"a configuration has other variables than the {n} that were sent")
    rows, columns, _ = couplings.to_coo()
    acted = request.model.fields != 0
    acted[rows] = acted[columns] = True
    if missing[:, acted].any():
        raise broken(machine, f"a configuration lacks some of the {n} variables")
    bits[missing] = request.rng.integers(2, size=int(missing.sum()))
    counts = np.array([solution.frequency for solution in solutions], np.int64)
    return rows_of_spins(machine, bits, n, bits=True), counts


def seconds(machine: str, milliseconds: str) -> float:
    """Return a time in seconds that was written in milliseconds.

    >>> seconds("demo", "1500")
    1.5
    """
    try:
        found = 1e-3 * float(milliseconds)
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise broken(machine, f"{milliseconds!r} is no time in milliseconds")
    return found


def moment(text: str | None) -> float:
    """Return a date and time in seconds since 1970, UTC where it does not say; infinity if it is none.

    >>> moment("1970-01-01T00:01:00Z"), moment("1970-01-01T01:00:00+01:00"), moment(None)
    (60.0, 0.0, inf)
    """
    try:
        found = datetime.fromisoformat(text or "")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.inf


def ahead(reply: Reply) -> float:
    """Return the seconds by which the clock of the service is ahead of ours; 0 where it does not tell."""
    try:
        return parsedate_to_datetime(reply.headers["date"]).timestamp() - time.time()
    except (KeyError, ValueError, OverflowError):
        return 0.0
