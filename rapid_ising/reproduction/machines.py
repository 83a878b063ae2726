"""Every machine side by side: the law it samples, what calibration is worth, and what it trains."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, final

from rapid_ising.errors import RapidIsingError
from rapid_ising.notices import RapidIsingWarning
from rapid_ising.registry import available_backends, load_backend
from rapid_ising.report import Element, Heading, Table, Text
from rapid_ising.reproduction.machines_calibration import (
    ANNEALER,
    BETAS,
    SIGMAS,
    SPINS,
    TWIN,
    calibration,
    root_mean_square,
)
from rapid_ising.reproduction.machines_law import MODELS, law
from rapid_ising.reproduction.machines_rounding import BITS, rounding
from rapid_ising.reproduction.machines_training import training
from rapid_ising.reproduction.spread import mean, number
from rapid_ising.reproduction.study import Claim, Scale, Study
from rapid_ising.reproduction.task import Result, Task

CHOICES: dict[str, dict[str, Any]] = {
    "as it is": {"gauges": 1},
    "10 gauges": {"gauges": 10},
    "10 sweeps of refinement": {"gauges": 1, "refine": 10},
    "both": {"gauges": 10, "refine": 10},
}
"""What the errors of a noisy machine are held against."""
NOISES = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Multiples of the twin's own noise on fields and couplings."""
FIELD_NOISE, COUPLING_NOISE = 0.03, 0.02
PREFACTORS = (0.3, 0.7, 1.414, 3.0, 6.0, None)
"""Chain strengths, in units of the torque compensation; None is the library's own rule."""
REASONABLE = 1.5
"""The error of a calibrated machine that is good enough, in units of the exact machine's."""
RUNS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "calibration": calibration,
    "noise": calibration,
    "chains": calibration,
    "law": law,
    "training": training,
    "rounding": rounding,
}


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is run."""

    instances: int
    """The models of a cell of calibration."""
    others: int
    """The models of a cell of the other tables."""
    reads: int
    epochs: int
    sigmas: tuple[float, ...] = SIGMAS
    betas: tuple[float, ...] = BETAS
    noises: tuple[float, ...] = NOISES
    backends: tuple[str, ...] | None = None
    """The machines of the tables of all machines; None is every one that is installed."""


SIZES: dict[Scale, Size] = {
    "smoke": Size(1, 1, 200, 2, SIGMAS[:1], BETAS[:1], NOISES[:1], ("exact", "tabu", "twin-dwave")),
    "quick": Size(2, 2, 4000, 100),
    "full": Size(10, 3, 4000, 100),
}


@final
class Machines(Study):
    """Each task is one machine on one model."""

    name: ClassVar[str] = "machines"
    title = "every machine, through the stages"

    def tasks(self, scale: Scale, seed: int, data: Path | None) -> list[Task]:  # noqa: D102
        size = SIZES[scale]
        made: list[tuple[str, dict[str, Any], float]] = []
        quiet: dict[str, Any] = {"field_noise": 0.0, "coupling_noise": 0.0}
        free: dict[str, Any] = {"topology": "complete", "size": SPINS, **quiet}
        for place in range(size.instances):
            for sigma in size.sigmas:
                base: dict[str, Any] = {"sigma": sigma, "seed": seed + place, "reads": size.reads}
                made += [
                    ("calibration", {**base, "machine": ANNEALER, "beta": beta}, 6.0) for beta in size.betas
                ]
                made.append(("calibration", {**base, "machine": TWIN, "options": free}, 2.0))
        for place in range(size.others):
            base = {"sigma": SIGMAS[1], "seed": seed + place, "reads": size.reads, "machine": TWIN}
            for factor in size.noises:
                noise = {"field_noise": factor * FIELD_NOISE, "coupling_noise": factor * COUPLING_NOISE}
                for choices in CHOICES.values():
                    facts = {**base, "noise": factor, "options": {**free, **noise}, "choices": choices}
                    made.append(("noise", facts, 2.0))
            for prefactor in PREFACTORS:
                options = {"topology": "pegasus", "size": 4, **quiet}
                facts = {**base, "options": options, "choices": {"gauges": 1}, "prefactor": prefactor}
                made.append(("chains", facts, 3.0))
        for backend in size.backends or local_backends():
            for model in MODELS:
                facts = {"backend": backend, "model": model, "reads": size.reads, "seed": seed}
                made.append(("law", facts, 2.0))
            facts = {"backend": backend, "seed": seed, "epochs": size.epochs}
            made.append(("training", facts, 60.0))
        for sigma in size.sigmas:
            for bits in BITS:
                facts = {"sigma": sigma, "bits": bits, "instances": size.others, "seed": seed}
                made.append(("rounding", {**facts, "reads": size.reads}, 4.0))
        return [Task(self.name, kind, facts, cost) for kind, facts, cost in made]

    def run(self, task: Task) -> dict[str, Any]:  # noqa: D102
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always", RapidIsingWarning)
            values = RUNS[task.kind](task.parameters)
        return {**values, "warnings": sorted({str(warning.message) for warning in noted})}

    def sections(self, results: Sequence[Result]) -> list[Element]:  # noqa: D102
        by_kind: dict[str, list[Result]] = {}
        for result in results:
            by_kind.setdefault(result.task.kind, []).append(result)
        made: list[Element] = []
        for kind, title, table in (
            ("calibration", "Calibration", _calibration),
            ("noise", "Noise, gauges and refinement", _noise),
            ("chains", "Chain strength", _chains),
            ("law", "The law of every machine", _law),
            ("training", "Training on every machine", _training),
            ("rounding", "Rounding", _rounding),
        ):
            if kind in by_kind:
                made += [Heading(title, 3), *table(by_kind[kind])]
        return made or [Text("No task of this study is done.")]

    def claims(self, results: Sequence[Result]) -> list[Claim]:  # noqa: D102
        made = []
        groups = _groups([r for r in results if r.task.kind == "calibration"], "machine", "beta", "sigma")
        if groups:
            worst = max(_pooled(group) for group in groups.values())
            wrong = max(_beta_error(result.values) for group in groups.values() for result in group)
            made += [
                Claim(
                    "a calibrated machine's correlations are nearly as good as exact draws",
                    f"at most {REASONABLE:g} times the error",
                    f"at most {worst:.2f} times",
                    worst <= REASONABLE,
                ),
                Claim(
                    "the machine's own beta is estimated", "within 3 %", f"within {wrong:.1%}", wrong <= 0.03
                ),
            ]
        laws = [r.values for r in results if r.task.kind == "law" and r.values.get("sampler")]
        if laws:
            held = sum(values["distance"] <= values["tolerance"] for values in laws)
            made.append(
                Claim(
                    "what passes as a sampler follows the Boltzmann law",
                    "all",
                    f"{held} of {len(laws)}",
                    held == len(laws),
                )
            )
        trained = _groups(
            [
                r
                for r in results
                if r.task.kind == "training" and r.values.get("sampler") and "distance" in r.values
            ],
            "backend",
        )
        if trained:
            distances = {
                key[0]: mean([r.values["distance"] for r in group]) for key, group in trained.items()
            }
            bad = sorted(str(name) for name, value in distances.items() if value is None or value >= 0.05)
            made.append(
                Claim(
                    "every sampler trains the stripes",
                    "held-out distance below .05 at zero temperature",
                    f"all {len(distances)}" if not bad else f"not {', '.join(bad)}",
                    not bad,
                )
            )
        return made


def local_backends() -> list[str]:
    """Return the machines that compute here: a study sends nothing to a service."""
    names = []
    for name in available_backends():
        with contextlib.suppress(RapidIsingError):
            # What keeps a machine from being loaded is told by its tasks.
            if load_backend(name).capabilities.remote:
                continue
        names.append(name)
    return names


def _groups(results: Sequence[Result], *keys: str) -> dict[tuple[Any, ...], list[Result]]:
    found: dict[tuple[Any, ...], list[Result]] = {}
    for result in results:
        found.setdefault(tuple(result.task.parameters.get(key) for key in keys), []).append(result)
    return found


def _errors(group: Sequence[Result], name: str) -> float | None:
    values = [result.values["errors"][name] for result in group if name in result.values["errors"]]
    return root_mean_square(values) if values else None


def _pooled(group: Sequence[Result]) -> float:
    """Return the prepared machine's error over the exact one's, both pooled over the instances."""
    own, exact = _errors(group, "prepared"), _errors(group, "exact")
    assert own is not None
    assert exact is not None
    return own / exact


def _beta_error(values: Mapping[str, Any]) -> float:
    """Return how far the estimated beta of the machine is from its own, relative."""
    return float(abs(values["machine_beta"] / values["true_beta"] - 1))


def _calibration(results: Sequence[Result]) -> list[Element]:
    rows = [
        [
            str(machine),
            number(group[0].values["true_beta"], 2),
            number(sigma, 1),
            str(len(group)),
            number(_errors(group, "exact"), 4),
            number(_errors(group, "raw"), 4),
            number(_errors(group, "prepared"), 4),
            number(_pooled(group), 2),
            f"{max(_beta_error(result.values) for result in group):.1%}",
        ]
        for (machine, _, sigma), group in _groups(results, "machine", "beta", "sigma").items()
    ]
    columns = ["machine", "its beta", "σ", "models", "exact", "raw", "calibrated", "ratio", "error of beta"]
    reads = results[0].task.parameters["reads"]
    caption = (
        "RMS error of all <s_i s_j> of random RBMs of 16 x 8 spins, weights and biases N(0, σ), from "
        f"{reads} reads; exact: independent draws from the law. Error of beta: the largest, relative"
    )
    return [Table(columns, rows, caption)]


def _noise(results: Sequence[Result]) -> list[Element]:
    labels = {str(choices): name for name, choices in CHOICES.items()}
    groups: dict[float, dict[str, list[Result]]] = {}
    for result in results:
        facts = result.task.parameters
        name = labels[str(dict(facts["choices"]))]
        groups.setdefault(facts["noise"], {}).setdefault(name, []).append(result)
    rows = [
        [
            number(noise * FIELD_NOISE, 3),
            number(noise * COUPLING_NOISE, 3),
            number(_errors([r for group in by_name.values() for r in group], "exact"), 4),
            *(number(_errors(by_name.get(name, []), "prepared"), 4) for name in CHOICES),
        ]
        for noise, by_name in groups.items()
    ]
    columns = ["noise of fields", "of couplings", "exact", *CHOICES]
    caption = (
        f"The same error at σ = {SIGMAS[1]:g} on {TWIN} with a complete graph, calibrated, by the standard "
        "deviation of its noise, in the units of its ranges"
    )
    return [Table(columns, rows, caption)]


def _chains(results: Sequence[Result]) -> list[Element]:
    rows = []
    for prefactor in PREFACTORS:
        group = [r for r in results if r.task.parameters["prefactor"] == prefactor]
        if group:
            rows.append(
                [
                    "the default rule" if prefactor is None else number(prefactor),
                    number(_errors(group, "exact"), 4),
                    number(_errors(group, "prepared"), 4),
                    number(mean([r.values.get("chain_breaks") for r in group]), 4),
                ]
            )
    columns = ["prefactor of the chain strength", "exact", "calibrated", "share of broken chains"]
    caption = (
        f"The same error at σ = {SIGMAS[1]:g} on {TWIN}, embedded, without noise. The default is the larger "
        "of prefactor 1.414 and the strength at which heat breaks 1 % of the longest chains"
    )
    return [Table(columns, rows, caption)]


def _law(results: Sequence[Result]) -> list[Element]:
    rows: list[list[str]] = []
    reasons: dict[str, list[str]] = {}
    for (backend,), group in _groups(results, "backend").items():
        by_model = {result.task.parameters["model"]: result.values for result in group}
        passing = sum(bool(values.get("sampler")) for values in by_model.values())
        cells = []
        for model in MODELS:
            values = by_model.get(model, {})
            cells.append(number(values.get("distance"), 3) + _foreseen(values.get("predicted")))
            if reason := values.get("reason"):
                reasons.setdefault(f"{backend}: {reason}", []).append(model)
        rows.append([str(backend), f"{passing} of {len(by_model)}", *cells])
    tolerances = {
        r.task.parameters["model"]: r.values["tolerance"] for r in results if "tolerance" in r.values
    }
    rows.append(["tolerance", "", *(number(tolerances.get(model), 3) for model in MODELS)])
    reads = results[0].task.parameters["reads"]
    caption = (
        f"Total variation between {reads} reads at beta = 1, after prepare, and enumeration; draws from the "
        "law stay below the tolerance but one time in a million. In brackets, where the machine has steps: "
        "what the plan foresees of the law that it is sent, before chance, breaks and the machine itself"
    )
    for result in results:
        # A model that is refused has its reason above.
        for text in result.values["warnings"] if result.values.get("sampler") else []:
            backend = result.task.parameters["backend"]
            reasons.setdefault(f"{backend}, {result.task.parameters['model']}: {text}", []).append("warned")
    said = [f"{reason} ({', '.join(models)})." for reason, models in reasons.items()]
    return [Table(["machine", "sampler of", *MODELS], rows, caption), *(Text(text) for text in said)]


def _foreseen(distance: float | None) -> str:
    """Return the total variation that a plan foresees, where it is more than rounding of the last digits."""
    return "" if distance is None or distance < 1e-3 else f" ({number(distance, 3)})"


def _training(results: Sequence[Result]) -> list[Element]:
    rows, reasons = [], []
    for (backend,), group in _groups(results, "backend").items():
        done = [r.values for r in group if "distance" in r.values]
        reasons += sorted({f"{backend}: {r.values['reason']}." for r in group if r.values.get("reason")})
        if not done:
            continue
        rows.append(
            [
                str(backend),
                "yes" if done[0]["sampler"] else "no",
                str(len(done)),
                number(mean([v["distance"] for v in done])),
                number(mean([v["calls"] for v in done]), 0),
                number(mean([v["reads"] for v in done]), 0),
                number(mean([v.get("machine_beta") for v in done])),
                number(mean([v.get("chain_breaks") for v in done])),
                number(mean([v["seconds"] for v in done]), 1),
            ]
        )
    columns = ["machine", "sampler", "seeds", "distance", "calls", "reads", "beta", "broken chains", "s"]
    facts = results[0].task.parameters
    caption = (
        f"The 4 x 4 stripes trained for {facts['epochs']} epochs with each machine through prepare: distance "
        "of held-out images at zero temperature, what was asked of the machine, the inverse temperature found"
    )
    return [Table(columns, rows, caption), *(Text(text) for text in reasons)]


def _rounding(results: Sequence[Result]) -> list[Element]:
    rows = [
        [
            number(sigma, 1),
            str(bits),
            number(mean([r.values["predicted"] for r in group]), 4),
            number(mean([r.values["measured"] for r in group]), 4),
            number(mean([r.values["zeros"] for r in group])),
            number(mean([r.values["error"] for r in group]), 4),
            number(mean([r.values["exact"] for r in group]), 4),
        ]
        for (sigma, bits), group in _groups(results, "sigma", "bits").items()
    ]
    columns = ["σ", "bits", "predicted", "measured", "rounded to 0", "error of <s s>", "exact"]
    caption = (
        "Rounding to whole numbers of so many bits and a sign: RMS error of the coefficients, relative to "
        "their RMS; and the RMS error of all correlations of exact draws from the rounded model"
    )
    return [Table(columns, rows, caption)]
