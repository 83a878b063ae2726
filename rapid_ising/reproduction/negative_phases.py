"""Negative phases side by side: one pattern model on bars and stripes, its averages from many places."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, final

from rapid_ising.errors import ProblemTooLargeError
from rapid_ising.evaluation import sample_quality
from rapid_ising.models import PatternRBM
from rapid_ising.registry import load_backend
from rapid_ising.report import Element, Table, Text
from rapid_ising.reproduction.bars import images_of, restored, restored_from_edges
from rapid_ising.reproduction.measures import free_samples
from rapid_ising.reproduction.spread import median, number, spread
from rapid_ising.reproduction.study import Claim, Scale, Study
from rapid_ising.reproduction.task import Result, Task
from rapid_ising.reproduction.watch import Watch
from rapid_ising.training import train
from rapid_ising.training.negative_phase import (
    NEGATIVE_PHASES,
    BackendSamples,
    ContrastiveDivergence,
    Mixture,
    NegativePhase,
    ParallelTempering,
    PatternCorrelations,
    PersistentContrastiveDivergence,
    as_negative_phase,
)

SWEEPS = 30
"""The sweeps of machines that start at random states."""
PLAIN, REFRESHED = "patterns", "patterns, 5 Gibbs steps"
PHASES: dict[str, Callable[[], NegativePhase]] = {
    PLAIN: lambda: PatternCorrelations(gibbs_steps=0, chains=3),
    "patterns, 1 Gibbs step": lambda: PatternCorrelations(gibbs_steps=1, chains=3),
    REFRESHED: lambda: PatternCorrelations(gibbs_steps=5, chains=3),
    "patterns, 20 Gibbs steps": lambda: PatternCorrelations(gibbs_steps=20, chains=3),
    "patterns, 5 Gibbs steps, 1 % start anew": lambda: PatternCorrelations(
        gibbs_steps=5, chains=3, restart=0.01
    ),
    "half patterns with 5 Gibbs steps, half PCD-5": lambda: Mixture(
        [PatternCorrelations(gibbs_steps=5, chains=3), PersistentContrastiveDivergence(k=5, chains=90)]
    ),
    "simulated annealing, 5 sweeps from the patterns": lambda: BackendSamples("simulated-annealing"),
    "Gibbs machine, 5 sweeps from the patterns": lambda: BackendSamples("gibbs"),
    f"simulated annealing, {SWEEPS} sweeps from random states": lambda: BackendSamples(
        load_backend("simulated-annealing", num_sweeps=SWEEPS), from_patterns=False
    ),
    f"Gibbs machine, {SWEEPS} sweeps from random states": lambda: BackendSamples(
        load_backend("gibbs", burn_in=SWEEPS), from_patterns=False
    ),
    "CD-1": lambda: ContrastiveDivergence(k=1),
    "CD-10": lambda: ContrastiveDivergence(k=10),
    "PCD-10, 100 chains": lambda: PersistentContrastiveDivergence(k=10, chains=100),
    "parallel tempering, 10 temperatures": lambda: ParallelTempering(),
}
"""Where the model's averages come from, by the names of the table. The patterns and the machines have three
chains a pattern, 90."""
SHOWN = (
    PatternCorrelations,
    BackendSamples,
    ContrastiveDivergence,
    PersistentContrastiveDivergence,
    ParallelTempering,
)
"""What is above; other methods of the library are added with their own settings."""
COSTS = {"simulated annealing, 5": 3.0, "simulated annealing, 30": 12.0, "wang-landau": 10.0}
"""About how many CPU seconds an epoch takes, by the beginning of the name; others take less than two."""
SLOW = 5.0
"""A method of which an epoch takes longer is trained with one seed."""


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is run."""

    side: int
    hidden: int
    patterns: int
    epochs: int
    seeds: int
    samples: int = 500


SIZES: dict[Scale, Size] = {
    "smoke": Size(4, 30, 6, 1, 1, 50),
    "quick": Size(12, 300, 30, 3, 1),
    "full": Size(12, 300, 30, 6, 3),
}


@final
class NegativePhases(Study):
    """All else is the default recipe."""

    name: ClassVar[str] = "negative-phases"
    title = "where the model's averages come from"

    def tasks(self, scale: Scale, seed: int, data: Path | None) -> list[Task]:  # noqa: D102
        size = SIZES[scale]
        others = [name for name, kind in NEGATIVE_PHASES.items() if kind not in SHOWN]
        made = []
        for phase in (*PHASES, *others):
            cost = next((cost for start, cost in COSTS.items() if phase.startswith(start)), 0.3)
            for place in range(1 if cost > SLOW else size.seeds):
                facts = {**dataclasses.asdict(size), "phase": phase, "seed": seed + place}
                del facts["seeds"]
                made.append(Task(self.name, "phase", facts, cost * size.epochs + 1))
        return made

    def run(self, task: Task) -> dict[str, Any]:  # noqa: D102
        facts = task.parameters
        side, seed, name = facts["side"], facts["seed"], facts["phase"]
        data = images_of(side)
        model = PatternRBM(side**2, facts["hidden"], facts["patterns"], seed=seed)
        watch = Watch()
        try:
            train(
                model,
                data.train,
                negative_phase=PHASES[name]() if name in PHASES else as_negative_phase(name),
                epochs=facts["epochs"],
                seed=seed,
                callbacks=[watch],
                progress=False,
            )
        except ProblemTooLargeError as error:
            return {"left_out": str(error)}
        quality = sample_quality(free_samples(model, facts["samples"], seed=seed), data)
        return {
            "seconds": watch.spent,
            **quality.as_dict(),
            "restored": restored(model, side, seed=seed),
            "edges": restored_from_edges(model, side, seed=seed),
        }

    def sections(self, results: Sequence[Result]) -> list[Element]:  # noqa: D102
        found = _by_phase(results)
        if not found:
            return [Text("No task of this study is done.")]
        facts = results[0].task.parameters
        rows = [
            [
                name,
                str(len(runs)),
                number(median([run["seconds"] for run in runs]), 2),
                spread([run["valid"] for run in runs]),
                spread([run["valid_and_distinct"] for run in runs]),
                number(median([run["restored"]["test"] for run in runs]), 4),
                number(median([run["edges"] for run in runs])),
            ]
            for name, runs in found.items()
        ]
        columns = [
            "negative phase",
            "seeds",
            "CPU s",
            "valid",
            "distinct",
            "half erased",
            "row and column known",
        ]
        side = facts["side"]
        caption = (
            f"{facts['epochs']} epochs of the default recipe on bars and stripes of {side} x {side}, "
            f"{facts['hidden']} hidden spins, {facts['patterns']} patterns; free samples and distances of "
            "held-out images at beta = 1"
        )
        shares = {
            name: median([run["valid_and_distinct"] for run in runs]) or 0.0 for name, runs in found.items()
        }
        most = max(shares, key=lambda name: shares[name])
        elements: list[Element] = [
            Table(columns, rows, caption),
            *(
                [Text(f"Most valid and distinct samples: {most}, {shares[most]:.3f}.")]
                if shares[most]
                else []
            ),
        ]
        missing = {
            result.task.parameters["phase"]: result.values["left_out"]
            for result in results
            if "left_out" in result.values
        }
        return elements + [Text(f"Left out: {name}, since {reason}.") for name, reason in missing.items()]

    def claims(self, results: Sequence[Result]) -> list[Claim]:  # noqa: D102
        found = _by_phase(results)
        if PLAIN not in found or REFRESHED not in found:
            return []
        plain, refreshed = (
            median([run["valid_and_distinct"] for run in found[name]]) or 0.0 for name in (PLAIN, REFRESHED)
        )
        return [
            Claim(
                "five Gibbs steps from the patterns give more valid and distinct samples than the patterns "
                "alone",
                f"above {plain:.3f}",
                f"{refreshed:.3f}",
                refreshed > plain,
            )
        ]


def _by_phase(results: Sequence[Result]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        if "left_out" not in result.values:
            found.setdefault(result.task.parameters["phase"], []).append(dict(result.values))
    return found
