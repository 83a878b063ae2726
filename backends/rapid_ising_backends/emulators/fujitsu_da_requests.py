"""What the Digital Annealer's Web API takes and what it refuses, version by version."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from rapid_ising import IsingModel, Sparse
from rapid_ising.errors import RejectedError

BITS: Mapping[str, int] = {"v2": 8192, "v3c": 100_000, "v4": 100_000}
"""The bits of each version; there are no others."""
QUADRATIC, LINEAR = 2**15, 2**25
"""Version 2 in its largest size: 16 bits for quadratic coefficients and 26 for linear ones."""


class Solver3(msgspec.Struct, forbid_unknown_fields=True):
    """The parameters of the third and fourth generation, with the service's own values."""

    time_limit_sec: int = 10
    num_run: int = 16
    num_group: int = 1
    num_output_solution: int = 5
    gs_level: int = 5
    gs_cutoff: int = 8000
    target_energy: float | None = None
    guidance_config: dict[str, bool] = {}


class Solver2(msgspec.Struct, forbid_unknown_fields=True):
    """The parameters of the second generation."""

    number_iterations: int = 2_000_000
    number_runs: int = 16
    offset_increase_rate: float = 0.0
    temperature_start: float = 5000.0
    temperature_decay: float = 0.001
    temperature_mode: Literal["EXPONENTIAL", "INVERSE", "INVERSE_ROOT"] = "EXPONENTIAL"
    temperature_interval: int = 100
    noise_model: Literal["METROPOLIS"] = "METROPOLIS"
    solution_mode: Literal["QUICK", "COMPLETE"] = "COMPLETE"
    expert_mode: bool = False
    guidance_config: dict[str, bool] = {}


class Term(msgspec.Struct, forbid_unknown_fields=True):
    """One term, in the short names of versions 3c and 4."""

    c: float
    p: list[int] = []


class OldTerm(msgspec.Struct, forbid_unknown_fields=True):
    """One term, in the long names of version 2."""

    c: float = msgspec.field(name="coefficient")
    p: list[int] = msgspec.field(name="polynomials", default=[])


class Terms(msgspec.Struct, forbid_unknown_fields=True):
    """A binary polynomial."""

    terms: list[Term]


class OldTerms(msgspec.Struct, forbid_unknown_fields=True):
    """A binary polynomial of version 2."""

    terms: list[OldTerm]


class Body3(msgspec.Struct, forbid_unknown_fields=True):
    """A request to versions 3c and 4."""

    fujitsuDA3: Solver3  # noqa: N815 - the service's name
    binary_polynomial: Terms


class Body2(msgspec.Struct, forbid_unknown_fields=True):
    """A request to version 2."""

    fujitsuDA2: Solver2  # noqa: N815 - the service's name
    binary_polynomial: OldTerms


RANGES: Mapping[str, tuple[float, float]] = {
    "time_limit_sec": (1, 3600),
    "num_run": (1, 1024),
    "num_group": (1, 16),
    "num_output_solution": (1, 1024),
    "gs_level": (0, 100),
    "gs_cutoff": (0, 1_000_000),
    "number_iterations": (1, 2_000_000_000),
    "number_runs": (1, 128),
    "offset_increase_rate": (0, math.inf),
    "temperature_start": (0, math.inf),
    "temperature_decay": (0, 1),
    "temperature_interval": (1, 2_000_000_000),
}


class Polynomial(NamedTuple):
    """A polynomial of bits; ``labels`` are the bits that it names, and rows and columns are places there."""

    labels: list[int]
    linear: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    quadratic: npt.NDArray[np.float64]
    constant: float

    def ising(self, factor: float = 1.0) -> IsingModel:
        """Return the Ising model of ``factor`` times the value: x = (1 + s) / 2."""
        n, b = len(self.labels), self.quadratic * (factor / 4)
        fields = self.linear * (factor / 2) + np.bincount(self.rows, b, n) + np.bincount(self.columns, b, n)
        offset = factor * (self.constant + self.linear.sum() / 2 + self.quadratic.sum() / 4)
        return IsingModel(fields, Sparse(n, self.rows, self.columns, b), offset)


class Asked(NamedTuple):
    """A request that the service takes."""

    solver: Solver3 | Solver2
    polynomial: Polynomial


def checked(version: str, body: bytes) -> Asked:
    """Return the request in a body, or raise ``RejectedError``."""
    asked: Any
    try:
        asked = msgspec.json.decode(body, type=Body2 if version == "v2" else Body3)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RejectedError(str(error)) from None
    solver: Solver3 | Solver2 = asked.fujitsuDA2 if version == "v2" else asked.fujitsuDA3
    for name, (low, high) in RANGES.items():
        value = getattr(solver, name, None)
        if value is not None and not low <= value <= high:
            raise RejectedError(f"{name} must be between {low} and {high}")
    polynomial = checked_polynomial(asked.binary_polynomial.terms, BITS[version])
    if isinstance(solver, Solver2) and solver.expert_mode:
        for values, most in ((polynomial.quadratic, QUADRATIC), (polynomial.linear, LINEAR)):
            if not (np.array_equal(values, np.rint(values)) and np.abs(values).max(initial=0) <= most):
                raise RejectedError(f"in expert mode coefficients must be integers up to {most}")
    return Asked(solver, polynomial)


def checked_polynomial(terms: list[Any], bits: int) -> Polynomial:
    """Return the polynomial that terms make, each pair of bits once."""
    linear: dict[int, float] = {}
    quadratic: dict[tuple[int, int], float] = {}
    constant = 0.0
    for term in terms:
        ends = sorted(set(term.p))
        if len(term.p) > 2 or any(not 0 <= i < bits for i in ends):
            raise RejectedError(f"polynomials must be at most 2 numbers between 0 and {bits - 1}")
        if len(ends) == 2:
            quadratic[ends[0], ends[1]] = quadratic.get((ends[0], ends[1]), 0.0) + term.c
            linear.setdefault(ends[0], 0.0)
            linear.setdefault(ends[1], 0.0)
        elif ends:
            linear[ends[0]] = linear.get(ends[0], 0.0) + term.c
        else:
            constant += term.c
    if not linear:
        raise RejectedError("binary_polynomial has no variables")
    labels = sorted(linear)
    place = {label: k for k, label in enumerate(labels)}
    rows = np.array([place[i] for i, _ in quadratic], np.int64)
    columns = np.array([place[j] for _, j in quadratic], np.int64)
    values = np.array(list(quadratic.values()), np.float64)
    return Polynomial(labels, np.array([linear[i] for i in labels]), rows, columns, values, constant)
