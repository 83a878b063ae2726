"""The REST interface of Amplify AE, version 0, spoken by simulated annealing."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, final

import dimod
import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from rapid_ising import Backend
from rapid_ising_backends.emulators.emulator import Emulator, Lenient, digest_of, refuse
from rapid_ising_backends.emulators.faults import FATES
from rapid_ising_backends.simulated_annealing import SimulatedAnnealing

OUTPUTS: Mapping[str, Any] = {
    "spins": True,
    "energies": True,
    "feasibilities": True,
    "sort": True,
    "duplicate": False,
    "num_outputs": 1,
}
DEFAULTS: Mapping[str, Any] = {
    "constant": 0,
    "timeout": 10_000,
    "num_gpus": 1,
    "penalty_calibration": True,
    "outputs": {},
}
VERSION = "v0.8.7-emulator"
LONGEST, MOST_GPUS, LARGEST = 600_000, 4, 131_072


@final
class AmplifyAeEmulator(Emulator):
    """An emulator of the Amplify AE API of version 0: synchronous, without constraints.

    It is solved by simulated annealing, the method that the engine is said to use; the twin of the Digital
    Annealer takes whole numbers only, and the engine takes real ones. The document has no texts of errors:
    those here are the emulator's own.

    Parameters
    ----------
    iterations
        The annealing runs of a job; the engine makes as many as it has time for.
    """

    name: ClassVar[str] = "amplify-ae"
    synchronous: ClassVar[bool] = True

    def __init__(self, twin: Backend | None = None, *, iterations: int = 100, **options: Any) -> None:
        super().__init__(twin, **options)
        self.iterations = iterations

    def default_twin(self) -> Backend:
        """Return simulated annealing."""
        return SimulatedAnnealing(num_sweeps=200)

    def routes(self) -> Sequence[Route]:
        """Return the addresses."""
        return [
            Route("/health", self._health, methods=["GET"]),
            Route("/solve", self._solve, methods=["POST"]),
        ]

    def refusal(self, kind: str) -> tuple[int, dict[str, Any]]:
        """Return a status with a message."""
        return int(kind), {"message": f"refused with {kind}"}

    async def _health(self, http: HttpRequest) -> JSONResponse:
        return JSONResponse({"message": "healthy"})

    async def _solve(self, http: HttpRequest) -> JSONResponse:
        body = await http.body()
        if http.headers.get("authorization") != f"Bearer {self.token}":
            raise refused(401, "invalid token")
        plain = unpacked(body, http.headers.get("content-encoding", "identity"))
        asked = checked(plain)
        self.accept(digest_of(plain))
        if self.faults.draw(FATES) is not None:
            raise refused(500, "the solver failed")
        return Lenient(await run_in_threadpool(self._answer, asked, self.seed(plain)))

    def _answer(self, asked: Mapping[str, Any], seed: int) -> dict[str, Any]:
        bqm, outputs = asked["problem"], asked["outputs"]
        found = self.twin.sample(bqm, num_reads=self.iterations, beta=math.inf, seed=seed)
        columns = [list(found.variables).index(i) for i in range(bqm.num_variables)]
        spins, energies = found.record.sample[:, columns], found.record.energy
        if outputs["sort"]:
            order = np.argsort(energies, kind="stable")
            spins, energies = spins[order], energies[order]
        if not outputs["duplicate"]:
            kept = np.sort(np.unique(energies, return_index=True)[1])
            spins, energies = spins[kept], energies[kept]
        if outputs["num_outputs"]:
            # That many energies, and all states of each.
            kinds = list(dict.fromkeys(energies.tolist()))[: outputs["num_outputs"]]
            spins, energies = spins[np.isin(energies, kinds)], energies[np.isin(energies, kinds)]
        rows, values = spins.tolist(), energies.tolist()
        fault = self.content_fault()
        if fault == "wrong-types":
            rows[0] = [str(bit) for bit in rows[0]]
        elif fault == "missing-variables":
            rows = [row[1:] for row in rows]
        elif fault == "nan-energies":
            values[0] = math.nan
        elif fault == "duplicated-rows":
            # The document allows one state twice, but not without its energy.
            rows = [*rows, rows[0]]
        shown = {"spins": rows, "energies": values, "feasibilities": [True] * len(values)}
        return {
            "execution_time": {
                "annealing_time": float(asked["timeout"]),
                "queue_time": 0.05,
                "cpu_time": 0.2,
                "time_stamps": [float(asked["timeout"])] * len(values),
            },
            "execution_parameters": {
                "num_gpus": asked["num_gpus"] or MOST_GPUS,
                "timeout": asked["timeout"],
                "num_iterations": self.iterations,
                "penalty_calibration": asked["penalty_calibration"],
                "penalty_multipliers": [],
                "version": VERSION,
            },
            "message": "",
            **{key: value for key, value in shown.items() if outputs[key]},
        }


def refused(status: int, text: str) -> HTTPException:
    """Return a refusal."""
    return refuse(status, {"message": text})


def unpacked(body: bytes, encoding: str) -> bytes:
    """Return a body as it was before it was compressed."""
    try:
        if encoding == "gzip":
            return gzip.decompress(body)
        if encoding == "deflate":
            return zlib.decompress(body)
    except (OSError, EOFError, zlib.error):
        raise refused(400, f"the body is not {encoding}") from None
    if encoding != "identity":
        raise refused(415, f"unknown content encoding {encoding}")
    return body


def checked(body: bytes) -> dict[str, Any]:
    """Return the request in a body, its problem as a BQM, or raise the refusal."""
    try:
        given = json.loads(body)
    except ValueError:
        raise refused(400, "the body is not JSON") from None
    if not isinstance(given, dict):
        raise refused(400, "the body is not an object")
    if "constraints" in given:
        raise refused(400, "this emulator takes no constraints")
    unknown = sorted(set(given) - {"polynomial", "matrix", *DEFAULTS})
    if unknown:
        raise refused(400, f"unknown key {unknown[0]}")
    asked = {**DEFAULTS, **given}
    if ("polynomial" in given) == ("matrix" in given):
        raise refused(400, "one of polynomial and matrix is required")
    for key, most in (("timeout", LONGEST), ("num_gpus", MOST_GPUS)):
        if not whole(asked[key], most):
            raise refused(400, f"{key} is out of range")
    if not real(asked["constant"]):
        raise refused(400, "constant is not a number")
    if not isinstance(asked["penalty_calibration"], bool):
        raise refused(400, "penalty_calibration is not a boolean")
    asked["outputs"] = outputs_of(asked["outputs"])
    terms = terms_of(given["polynomial"]) if "polynomial" in given else terms_of_matrix(given["matrix"])
    n = 1 + max((max(i, j) for i, j, _ in terms), default=-1)
    if not 1 <= n <= LARGEST:
        raise refused(400, f"the problem has {n} variables")
    bqm = dimod.BinaryQuadraticModel("BINARY")
    bqm.add_variables_from((i, 0.0) for i in range(n))
    for i, j, q in terms:
        if i == j:
            bqm.add_linear(i, q)
        else:
            bqm.add_quadratic(i, j, q)
    bqm.offset = float(asked["constant"])
    asked["problem"] = bqm
    return asked


def outputs_of(given: Any) -> dict[str, Any]:
    """Return what an answer is to hold, with the defaults of what was left out."""
    if not isinstance(given, dict) or set(given) - set(OUTPUTS):
        raise refused(400, "outputs has an unknown key")
    outputs = {**OUTPUTS, **given}
    for key, value in outputs.items():
        if not (whole(value, 10**9) if key == "num_outputs" else isinstance(value, bool)):
            raise refused(400, f"outputs.{key} is of a wrong type")
    return outputs


def terms_of(polynomial: Any) -> list[tuple[int, int, float]]:
    """Return the terms of a polynomial, [i, j, Q] or [i, Q]."""
    terms = []
    for term in polynomial if isinstance(polynomial, list) else [None]:
        if not (isinstance(term, list) and len(term) in (2, 3) and real(term[-1])):
            raise refused(400, "a term of the polynomial is neither [i, j, Q] nor [i, Q]")
        *places, q = term
        if not all(whole(i, LARGEST - 1) for i in places):
            raise refused(400, "an index of the polynomial is out of range")
        terms.append((places[0], places[-1], float(q)))
    return terms


def terms_of_matrix(matrix: Any) -> list[tuple[int, int, float]]:
    """Return the terms of an upper triangle, row i of which begins at the diagonal."""
    n = len(matrix) if isinstance(matrix, list) else 0
    terms = []
    for i, row in enumerate(matrix if n else [None]):
        if not (isinstance(row, list) and len(row) == n - i and all(map(real, row))):
            raise refused(400, "the matrix is not an upper triangle of numbers")
        terms += [(i, i + k, float(q)) for k, q in enumerate(row)]
    return terms


def whole(value: Any, most: int) -> bool:
    """Return whether a value is a whole number from 0 to ``most``."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def real(value: Any) -> bool:
    """Return whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
