"""Machines at a temperature of their own, and the study of what calibration makes of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, final

import numpy as np

import rapid_ising as ri
from rapid_ising.machine import Calibrated
from rapid_ising.typing import States

NO_START = ri.Capabilities(temperature="effective")
OWN_TEMPERATURE = ri.Capabilities(temperature="effective", initial_states=True)


@final
@dataclasses.dataclass(frozen=True)
class HiddenExact(ri.LocalBackend):
    """Exact draws at beta = ``hidden`` times a power of the largest coefficient, whatever is asked."""

    name: ClassVar[str] = "hidden-exact"

    hidden: float
    power: float = 0.0
    capabilities: ri.Capabilities = NO_START
    calls: list[int] = dataclasses.field(default_factory=list)

    def _draw(self, request: ri.Request) -> tuple[States, Mapping[str, Any]]:
        model = request.model
        values = np.concatenate([model.fields, model.couplings.values()])
        beta = self.hidden * float(np.abs(values).max(initial=0.0) or 1.0) ** self.power
        self.calls.append(request.num_reads)
        sign = -1.0 if beta < 0 else 1.0
        return ri.enumerate_model(model.scaled(sign), abs(beta)).sample(request.num_reads, request.rng), {}


@final
@dataclasses.dataclass(frozen=True)
class HiddenAnnealer(ri.LocalBackend):
    """Gibbs sweeps up to a beta that it does not tell: the energies are taken as they are sent."""

    name: ClassVar[str] = "hidden-annealer"

    hidden: float
    sweeps: int = 100
    capabilities: ri.Capabilities = OWN_TEMPERATURE

    def _draw(self, request: ri.Request) -> tuple[States, Mapping[str, Any]]:
        model, rng = request.model, request.rng
        states = request.initial_states
        if states is None:
            shape = (request.num_reads, model.num_variables)
            states = (2 * rng.integers(2, size=shape) - 1).astype(np.int8)
        for share in [*np.linspace(0, 1, self.sweeps // 2, endpoint=False), *[1.0] * (self.sweeps // 2)]:
            states = ri.gibbs_sweeps(model, states, 1, self.hidden * share, rng, request.deadline)
        return states, {}


def random_rbm(deviation: float, seed: int, visible: int = 16, hidden: int = 8) -> ri.IsingModel:
    rng = np.random.default_rng([seed, round(1000 * deviation)])
    block = rng.normal(0, deviation, (visible, hidden)).astype(np.float32)
    fields = rng.normal(0, deviation, visible + hidden).astype(np.float32)
    return ri.IsingModel(fields, ri.Bipartite(block))


def correlations(states: States) -> np.ndarray[Any, np.dtype[np.float64]]:
    """<s_i s_j> of all pairs i < j."""
    rows = states.astype(np.float64)
    return (rows.T @ rows / len(rows))[np.triu_indices(rows.shape[1], 1)]


@dataclasses.dataclass(frozen=True)
class Case:
    """One machine on one model: RMS errors of <s_i s_j> against enumeration, and what the stage said."""

    deviation: float
    hidden: float
    seed: int
    exact: float
    raw: float
    calibrated: float
    machine_beta: float
    machine_error: float
    rounds: int
    met: bool


def calibration_study(
    deviations: Iterable[float],
    hidden: Iterable[float],
    seeds: Iterable[int],
    num_reads: int = 4000,
    sweeps: int = 800,
) -> list[Case]:
    """Random RBMs on annealers of a hidden beta, as they come and calibrated, beside exact draws.

    The error of exact draws is the root mean square of eight sets: that of one varies by a quarter.
    """
    cases = []
    for deviation in deviations:
        for seed in seeds:
            model = random_rbm(deviation, seed)
            law = ri.enumerate_model(model)
            pairs = law.moments(whole=True).pairs[np.triu_indices(model.num_variables, 1)]

            def error(states: States, truth: Any = pairs) -> float:
                return float(np.sqrt(np.mean((correlations(states) - truth) ** 2)))

            rng = np.random.default_rng([seed, 1])
            exact = math.sqrt(np.mean([error(law.sample(num_reads, rng)) ** 2 for _ in range(8)]))
            for beta in hidden:
                machine = HiddenAnnealer(beta, sweeps)
                raw = machine.sample(model, num_reads=num_reads // 4, seed=seed)
                answer = Calibrated(machine).sample(model, num_reads=num_reads, seed=seed)
                record = answer.info["rapid_ising"]["stages"][-1]
                cases.append(
                    Case(
                        deviation,
                        beta,
                        seed,
                        exact,
                        error(raw.record.sample),
                        error(answer.record.sample),
                        record["machine_beta"],
                        record["machine_error"],
                        record["rounds"],
                        record["met"],
                    )
                )
    return cases


def table(cases: list[Case]) -> str:
    """The study, one row a deviation and hidden beta: RMS over models, and the worst one."""
    rows = [
        "| sigma | hidden | exact | raw | calibrated | / exact | worst | beta off (rms) | worst | calls |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for key in sorted({(case.deviation, case.hidden) for case in cases}):
        group = [case for case in cases if (case.deviation, case.hidden) == key]

        def rms(values: Iterable[float]) -> float:
            found = list(values)
            return math.sqrt(math.fsum(v * v for v in found) / len(found))

        exact, calibrated = rms(c.exact for c in group), rms(c.calibrated for c in group)
        off = [c.machine_beta / c.hidden - 1 for c in group]
        rows.append(
            f"| {key[0]:g} | {key[1]:g} | {exact:.4f} | {rms(c.raw for c in group):.4f} | {calibrated:.4f} "
            f"| {calibrated / exact:.2f} | {max(c.calibrated / c.exact for c in group):.2f} "
            f"| {100 * rms(off):.2f} % | {100 * max(map(abs, off)):.2f} % "
            f"| {sum(c.rounds for c in group) / len(group):.1f} |"
        )
    return "\n".join(rows)
