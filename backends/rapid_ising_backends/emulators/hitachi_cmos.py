"""The Annealing Cloud Web API v2, spoken by a twin of the CMOS annealing machine."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast, final

import dimod
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from rapid_ising import Backend
from rapid_ising_backends.emulators.emulator import Emulator, Lenient, digest_of, refuse
from rapid_ising_backends.twins.cmos import LARGEST, TwinCmos

SIDES: Mapping[int, int] = {3: 512, 4: 512, 5: 384}
DEFAULTS: Mapping[str, float] = {
    "temperature_num_steps": 10,
    "temperature_step_length": 100,
    "temperature_initial": 10.0,
    "temperature_target": 0.01,
}
TEXTS: Mapping[int, str] = {
    0: "",
    3: "Unauthorized",
    10: "Busy",
    17: "Unknown type",
    33: "Hardware error",
    49: "Invalid JSON",
    50: "Invalid parameter",
    51: "Missing item",
    52: "Coordinate out of range",
    53: "Value out of range",
    255: "Unknown error",
}
NANOSECONDS_A_SWEEP = 100


@final
class HitachiCmosEmulator(Emulator):
    """An emulator of the Annealing Cloud Web API v2: synchronous, every answer with HTTP status 200.

    Parameters
    ----------
    expired
        Whether the token has expired.
    """

    name: ClassVar[str] = "hitachi-cmos"
    synchronous: ClassVar[bool] = True

    def __init__(self, twin: Backend | None = None, *, expired: bool = False, **options: Any) -> None:
        super().__init__(twin, **options)
        self.expired = expired

    def default_twin(self) -> Backend:
        """Return the largest machine; each job is solved on the part that it uses."""
        return TwinCmos(size=2)

    def routes(self) -> Sequence[Route]:
        """Return the one address."""
        return [Route("/solve", self._solve, methods=["POST"])]

    def refusal(self, kind: str) -> tuple[int, dict[str, Any]]:
        """Return the service's own words: it has no HTTP status but 200, save for an address it lacks."""
        status = {"401": 3, "403": 3, "429": 10, "503": 10, "500": 33}.get(kind)
        return (404, {}) if status is None else (200, {"status": status, "message": TEXTS[status]})

    async def _solve(self, http: HttpRequest) -> JSONResponse:
        body = await http.body()
        if self.expired or http.headers.get("authorization") != f"Bearer {self.token}":
            raise refused(3)
        asked = checked(body)
        self.accept(digest_of(body))
        if self.faults.draw(("job-failed", "deleted")) is not None:
            # One that never finishes is silent, which every synchronous emulator can be.
            raise refused(33)
        answer = await run_in_threadpool(self._answer, asked, self.seed(body))
        return Lenient(answer)

    def _answer(self, asked: Mapping[str, Any], seed: int) -> dict[str, Any]:
        parameters, type = asked["parameters"], asked["type"]
        bqm = dimod.BinaryQuadraticModel("SPIN")
        for x0, y0, x1, y1, p in asked["model"]:
            if (x0, y0) == (x1, y1):
                bqm.add_linear((x0, y0), p)
            else:
                bqm.add_quadratic((x0, y0), (x1, y1), p)
        places: list[tuple[int, int]] = sorted(cast("list[tuple[int, int]]", list(bqm.variables)))
        side = 1 + max((max(place) for place in places), default=1)
        twin = TwinCmos(
            size=side,
            type=type,
            hold=0.0,
            temperature_num_steps=parameters["temperature_num_steps"],
            temperature_step_length=parameters["temperature_step_length"],
            temperature_initial=max(parameters["temperature_initial"], 1e-6),
        )
        target = parameters["temperature_target"]
        found = twin.sample(
            bqm,
            num_reads=asked["num_executions"],
            beta=math.inf if target <= 0.01 else 1 / target,
            seed=seed,
        )
        columns = [found.variables.index(place) for place in places]
        energies = found.record.energy.tolist()
        if type != 4:
            energies = [round(energy) for energy in energies]
        spins: list[list[Any]] = [
            [[x, y, s] for (x, y), s in zip(places, row, strict=True)]
            for row in found.record.sample[:, columns].tolist()
        ]
        sweeps = parameters["temperature_num_steps"] * parameters["temperature_step_length"]
        fault = self.content_fault()
        if fault == "wrong-types":
            spins[0][0] = [str(value) for value in spins[0][0]]
        elif fault == "missing-variables":
            spins = [row[1:] for row in spins]
        elif fault == "nan-energies":
            energies[0] = math.nan
        elif fault == "duplicated-rows":
            spins, energies = [*spins, spins[0]], [*energies, energies[0]]
        result = {
            "execution_time": NANOSECONDS_A_SWEEP * sweeps * asked["num_executions"],
            "energies": energies,
            "spins": spins,
        }
        return {"status": 0, "message": "", "job_id": seed % 2**31, "result": result}


def refused(status: int) -> HTTPException:
    """Return the service's refusal: a status of its own, and HTTP status 200."""
    return refuse(200, {"status": status, "message": TEXTS[status]})


def checked(body: bytes) -> dict[str, Any]:
    """Return the request in a body, or raise the status with which the service refuses it."""
    try:
        asked = json.loads(body)
    except ValueError:
        raise refused(49) from None
    if not isinstance(asked, dict):
        raise refused(49)
    if "type" not in asked or "model" not in asked:
        raise refused(51)
    if asked["type"] not in SIDES:
        raise refused(17)
    executions = asked.setdefault("num_executions", 1)
    if not whole(executions, 1, 10):
        raise refused(50)
    given = asked.setdefault("parameters", {})
    if not isinstance(given, dict) or set(given) - set(DEFAULTS):
        raise refused(50)
    parameters = asked["parameters"] = {**DEFAULTS, **given}
    if not (
        whole(parameters["temperature_num_steps"], 1, 100)
        and whole(parameters["temperature_step_length"], 1, 1000)
        and all(number(parameters[f"temperature_{end}"]) for end in ("initial", "target"))
    ):
        raise refused(50)
    outputs = asked.get("outputs", {})
    if not isinstance(outputs, dict) or not outputs.get("spins") or not outputs.get("energies"):
        # The vendor's default gives less; the twin of it speaks only to clients that ask for both.
        raise refused(50)
    _check_model(asked["model"], asked["type"])
    return asked


def _check_model(model: Any, type: int) -> None:
    if not isinstance(model, list) or not model:
        raise refused(51)
    side = SIDES[type]
    for entry in model:
        if not (isinstance(entry, list) and len(entry) == 5):
            raise refused(50)
        *ends, p = entry
        if not all(isinstance(c, int) and not isinstance(c, bool) for c in ends):
            raise refused(50)
        if not all(0 <= c < side for c in ends):
            raise refused(52)
        if max(abs(ends[0] - ends[2]), abs(ends[1] - ends[3])) > 1:
            raise refused(50)
        if isinstance(p, bool) or not isinstance(p, int | float) or not math.isfinite(p):
            raise refused(50)
        if type != 4 and p != int(p):
            raise refused(50)
        if (type == 5 and abs(p) > LARGEST) or (type == 3 and abs(p) >= 2**31):
            raise refused(53)


def whole(value: Any, low: int, high: int) -> bool:
    """Return whether a value is a whole number between two others."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def number(value: Any) -> bool:
    """Return whether a value is a number of at least 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
