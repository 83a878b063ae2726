"""Fig. 1: RAPID against contrastive divergence and the exact gradient on the 4 x 4 stripes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, final

from rapid_ising.datasets import stripes
from rapid_ising.evaluation import best_temperature, evaluate
from rapid_ising.models import RBM, Model, PatternRBM
from rapid_ising.plotting import curves_figure, png
from rapid_ising.report import Element, Picture, Table, Text
from rapid_ising.reproduction.spread import mean, median, number, quartiles, spread
from rapid_ising.reproduction.study import Claim, Scale, Study
from rapid_ising.reproduction.task import Result, Task
from rapid_ising.reproduction.watch import Watch, measured
from rapid_ising.training import train
from rapid_ising.training.negative_phase import (
    ContrastiveDivergence,
    ExactExpectation,
    NegativePhase,
    PersistentContrastiveDivergence,
)

METHODS = {
    "paper": "RAPID, paper's recipe",
    "default": "RAPID, default recipe",
    "likelihood": "RAPID, likelihood recipe",
    "cd": "CD-10",
    "pcd": "PCD-10",
    "exact": "exact gradient",
}
"""The methods by the kinds of their tasks."""
EPOCHS = (1, 2, 5, 10, 15, 20, 25, 30, 40, 50, 70, 100, 150, 200, 300, 500, 700, 1000)
"""The epochs at which distances are measured."""
EARLY = 20
"""The epochs that RAPID needs by the paper's text: "about 20", where the other methods need O(10^3)."""
RESTORED = 0.01
"""A median distance below this counts as restored: one wrong pixel in a hundred."""
COMPARED = 50
"""The last epoch of the paper's recipe, at which all methods are held against each other."""
PAPER = {"train": (0.035, 0.65), "test": (0.010, 0.65)}
"""The largest mean distance of the paper's recipe, and the least share of seeds that restore the images."""
TIME = 10.0
"""The CPU seconds that all runs of RAPID together should take at most."""


RECALL = (0.010, 0.020)
"""The mean distances on training and on held-out images that the default recipe should reach, at beta = 1."""
RESTORED_SHARE = 0.85
"""The share of its seeds that should restore both."""
LIKELIHOODS = {"": (-4.0, -5.5), " (stretch)": (-3.0, -3.7)}
"""The nats an image, of training and of held-out images, that the likelihood recipe should reach."""
BETAS: dict[str, Any] = {"bounds": (0.005, 5.0), "points": 9}
"""Where best temperatures are looked for; half the work of the usual bounds."""


@dataclasses.dataclass(frozen=True)
class Size:
    """How much of each method is run."""

    hidden: int
    runs: Mapping[str, tuple[int, int]]
    """The seeds and the epochs of each method."""
    likelihoods: int
    """Of how many seeds the exact likelihood is computed, seconds each; of all with its recipe."""
    tries: int = 30
    chains: int = 2048


SIZES: dict[Scale, Size] = {
    "smoke": Size(
        30,
        {
            "paper": (4, 5),
            "default": (4, 5),
            "likelihood": (2, 5),
            "cd": (2, 5),
            "pcd": (1, 2),
            "exact": (1, 2),
        },
        1,
        5,
        64,
    ),
    "quick": Size(
        1000,
        {
            "paper": (100, 50),
            "default": (100, 100),
            "likelihood": (5, 300),
            "cd": (5, 300),
            "pcd": (1, 10),
            "exact": (1, 20),
        },
        5,
    ),
    "full": Size(
        1000,
        {
            "paper": (100, 50),
            "default": (100, 100),
            "likelihood": (20, 300),
            "cd": (20, 1000),
            "pcd": (2, 50),
            "exact": (2, 60),
        },
        10,
    ),
}
COSTS = {"paper": 0.002, "default": 0.003, "likelihood": 0.003, "cd": 0.005, "pcd": 1.4, "exact": 1.6}
"""About how many CPU seconds an epoch takes."""
LIKELIHOOD_COST = 3.0


@final
class Fig1(Study):
    """Distances by epoch, on the images that were trained on (Fig. 1a) or on those held out (Fig. 1b)."""

    name: ClassVar[str] = "fig1"

    def __init__(self, images: Literal["train", "test"]) -> None:
        self.images = images
        self.said = "training images" if images == "train" else "held-out images"
        self.title = f"restoring {self.said} of the 4 x 4 stripes"

    def tasks(self, scale: Scale, seed: int, data: Path | None) -> list[Task]:  # noqa: D102
        size = SIZES[scale]
        made = []
        for kind, (seeds, epochs) in size.runs.items():
            for place in range(seeds):
                scored = place < size.likelihoods or kind == "likelihood"
                facts = {
                    "seed": seed + place,
                    "epochs": epochs,
                    "hidden": size.hidden,
                    "chains": size.chains,
                    "tries": size.tries,
                    "likelihood": scored,
                }
                made.append(Task(self.name, kind, facts, COSTS[kind] * epochs + LIKELIHOOD_COST * scored))
        return made

    def run(self, task: Task) -> dict[str, Any]:  # noqa: D102
        facts, images = task.parameters, stripes(4)
        seed, tries = facts["seed"], facts["tries"]

        def distances(model: Model) -> dict[str, float]:
            return evaluate(model, images, tries=tries, seed=seed, likelihood=False).as_dict()

        watch = Watch(distances, {*EPOCHS, facts["epochs"]})
        model, settings = _training(task)
        run = train(
            model,
            images.train,
            epochs=facts["epochs"],
            seed=seed,
            callbacks=[watch],
            progress=False,
            **settings,
        )
        names = [f"{kind}_{part}" for kind in ("hamming", "zero_temperature") for part in ("train", "test")]
        values: dict[str, Any] = {"curves": measured(run, *names), "seconds": watch.spent}
        if facts["likelihood"]:
            asis = evaluate(model, images, tries=tries, seed=seed, likelihood=True).as_dict()
            beta, _ = best_temperature(model, images.train, **BETAS)
            model.rescale(beta)
            calibrated = evaluate(model, images, tries=tries, seed=seed, likelihood=True).as_dict()
            values["likelihood"] = {"beta": beta, "as trained": asis, "calibrated": calibrated}
        return values

    def sections(self, results: Sequence[Result]) -> list[Element]:  # noqa: D102
        found = _by_method(results)
        if not found:
            return [Text("No task of this study is done.")]
        return [
            Text(
                "Each image is given by its first row, and one Gibbs step v -> h -> v restores it; the "
                "distance is the mean share of wrong pixels among all 16, the known ones drawn anew too; 0.5 "
                "is chance. Baselines have the paper's "
                "settings: free weights and as many hidden spins, Adam at 0.001 with its time counted in "
                "epochs, an update after each image. The default recipe is for recall: its models are kept "
                "colder than they were fitted. The likelihood recipe is for models that explain the images: "
                "chains of their own, and Adam."
            ),
            self._picture(found),
            self._distances(found),
            *self._compared(found),
            *self._needed(found),
            *self._likelihoods(found),
            Text(self._temperature(found)),
        ]

    def claims(self, results: Sequence[Result]) -> list[Claim]:  # noqa: D102
        found = _by_method(results)
        made = []
        if "paper" in found:
            rapid = found["paper"]
            seconds = sum(result.values["seconds"] for result in rapid)
            epochs = sorted({result.task.parameters["epochs"] for result in rapid})
            made.append(
                Claim(
                    f"CPU seconds of {len(rapid)} RAPID trainings of {epochs[-1]} epochs, the paper's recipe",
                    f"less than {TIME:g}",
                    number(seconds, 2),
                    seconds < TIME if len(rapid) >= 100 else None,
                )
            )
            made.append(self._restored(rapid))
            first = self._first(rapid, "hamming")
            made.append(
                Claim(
                    f"RAPID restores {self.said} after about {EARLY} epochs (paper)",
                    f"median distance below {RESTORED:g} by epoch {EARLY + 5}",
                    _epoch(first, rapid),
                    None if first is None and epochs[-1] < EARLY + 5 else (first or 10**9) <= EARLY + 5,
                )
            )
        if "default" in found:
            made.append(_recalled(found["default"]))
        if "likelihood" in found:
            made += [_explained(found["likelihood"], note) for note in LIKELIHOODS]
        return made + [self._slow(kind, found[kind]) for kind in ("cd", "exact") if kind in found]

    def _slow(self, kind: str, runs: Sequence[Result]) -> Claim:
        """Return the paper's claim on a baseline; it fails where zero temperature restores the images."""
        warm, cold = self._first(runs, "hamming"), self._first(runs, "zero_temperature")
        epochs = runs[0].task.parameters["epochs"]
        met: bool | None = None
        if min(warm or 10**9, cold or 10**9) < 500:
            met = False
        elif epochs >= 500:
            met = True
        return Claim(
            f"{METHODS[kind]} needs O(10^3) epochs on {self.said} (paper)",
            f"median distance above {RESTORED:g} before epoch 500, at beta = 1 and at T = 0",
            f"beta = 1: {_epoch(warm, runs)}; T = 0: {_epoch(cold, runs)}",
            met,
        )

    def _picture(self, found: Mapping[str, Sequence[Result]]) -> Picture:
        panels = {
            f"{title}, {self.said}": {
                METHODS[kind]: (
                    runs[0].values["curves"]["epoch"],
                    [run.values["curves"][f"{measure}_{self.images}"] for run in runs],
                )
                for kind, runs in found.items()
            }
            for measure, title in (("hamming", "at β = 1"), ("zero_temperature", "at zero temperature"))
        }
        figure = curves_figure(
            panels,
            x_label="epoch",
            y_label="distance (share of wrong pixels)",
            title="4 x 4 stripes",
            reference=(0.5, "chance"),
        )
        letter = "a" if self.images == "train" else "b"
        return Picture(
            f"fig1{letter}",
            png(figure),
            f"Distance by epoch on {self.said}, at beta = 1 and at zero temperature, for each method",
            "Medians over seeds, with bands from the first to the third quartile.",
        )

    def _distances(self, found: Mapping[str, Sequence[Result]]) -> Table:
        rows = []
        for kind, runs in found.items():
            last = [_at(run, f"hamming_{self.images}") for run in runs]
            rows.append(
                [
                    METHODS[kind],
                    str(len(runs)),
                    str(runs[0].values["curves"]["epoch"][-1]),
                    number(median([_at(run, f"hamming_{self.images}", EARLY) for run in runs])),
                    number(median(last)),
                    quartiles(last),
                    number(mean(last)),
                    f"{sum(value < RESTORED for value in last if value is not None) / len(last):.2f}",
                    number(median([_at(run, f"zero_temperature_{self.images}", EARLY) for run in runs])),
                    number(median([_at(run, f"zero_temperature_{self.images}") for run in runs])),
                    number(median([run.values["seconds"] for run in runs]), 2),
                ]
            )
        columns = [
            "method",
            "seeds",
            "epochs",
            f"epoch {EARLY}",
            "end",
            "quartiles",
            "mean",
            f"< {RESTORED:g}",
            f"T = 0, epoch {EARLY}",
            "T = 0, end",
            "CPU s",
        ]
        return Table(
            columns,
            rows,
            f"Distance on {self.said}: medians over seeds, at beta = 1 where nothing else is said",
        )

    def _compared(self, found: Mapping[str, Sequence[Result]]) -> list[Element]:
        rows = []
        for kind, runs in found.items():
            for measure, beta in (("hamming", "1"), ("zero_temperature", "∞")):
                values = self._values(runs, measure, COMPARED)
                if values:
                    share = sum(value < RESTORED for value in values) / len(values)
                    rows.append(
                        [
                            METHODS[kind],
                            beta,
                            str(len(values)),
                            number(median(values)),
                            quartiles(values),
                            number(mean(values)),
                            f"{share:.2f}",
                        ]
                    )
        columns = ["method", "beta", "seeds", "median", "quartiles", "mean", f"< {RESTORED:g}"]
        return [Table(columns, rows, f"Distance on {self.said} after {COMPARED} epochs")] if rows else []

    def _values(self, runs: Sequence[Result], measure: str, epoch: int) -> list[float]:
        seen = [_at(run, f"{measure}_{self.images}", epoch) for run in runs]
        return [value for value in seen if value is not None]

    def _restored(self, runs: Sequence[Result]) -> Claim:
        """Return the claim on the paper's recipe at its last epoch."""
        values = self._values(runs, "hamming", COMPARED)
        most, least = PAPER[self.images]
        share = sum(value < RESTORED for value in values) / max(1, len(values))
        middle, average = median(values), mean(values)
        met = middle == 0 and average is not None and average <= most and share >= least
        return Claim(
            f"the paper's recipe restores {self.said} at epoch {COMPARED}, at beta = 1",
            f"median distance 0, mean at most {most:g}, {least:.0%} of seeds below {RESTORED:g}",
            f"{number(middle)}, {number(average)}, {share:.0%} of {len(values)} seeds",
            met if len(values) >= 100 else None,
        )

    def _needed(self, found: Mapping[str, Sequence[Result]]) -> list[Element]:
        rows = [
            [
                METHODS[kind],
                *(_epoch(self._first(runs, name), runs) for name in ("hamming", "zero_temperature")),
            ]
            for kind, runs in found.items()
        ]
        caption = f"The first measured epoch with a median distance below {RESTORED:g} on {self.said}"
        return [
            Table(["method", "at beta = 1", "at zero temperature"], rows, caption),
            Text(f"The paper says that RAPID needs about {EARLY} epochs and the other methods O(10^3)."),
        ]

    def _likelihoods(self, found: Mapping[str, Sequence[Result]]) -> list[Element]:
        rows = []
        for kind, runs in found.items():
            scored = [run.values["likelihood"] for run in runs if "likelihood" in run.values]
            if scored:
                name = f"log_likelihood_{self.images}"
                rows.append(
                    [
                        METHODS[kind],
                        str(len(scored)),
                        spread([one["as trained"][name] for one in scored], 2),
                        number(median([one["beta"] for one in scored])),
                        spread([one["calibrated"][name] for one in scored], 2),
                        number(median([one["calibrated"][f"hamming_{self.images}"] for one in scored])),
                        number(
                            median([one["calibrated"][f"zero_temperature_{self.images}"] for one in scored])
                        ),
                    ]
                )
        columns = [
            "method",
            "seeds",
            "log-lik. at beta = 1",
            "best beta",
            "log-lik. there",
            "distance there",
            "distance at T = 0",
        ]
        caption = (
            f"Exact log-likelihood of {self.said} in nats an image, at the end; all images equally likely: "
            f"{-16 * math.log(2):.2f}. The best beta is that of the training images."
        )
        return [Table(columns, rows, caption)] if rows else []

    def _temperature(self, found: Mapping[str, Sequence[Result]]) -> str:
        """Say what the temperature does, in numbers."""
        warm = {
            kind: median([_at(r, f"hamming_{self.images}") for r in runs]) for kind, runs in found.items()
        }
        cold = {
            kind: median([_at(r, f"zero_temperature_{self.images}") for r in runs])
            for kind, runs in found.items()
        }
        return (
            "A distance at beta = 1 measures how large the weights are as well as what they are: multiply "
            "all fields of a model, and only the noise of the restored pixels changes. At zero temperature "
            f"that size drops out. At the end {_best(warm)} at beta = 1, and {_best(cold)} at zero "
            "temperature."
        )

    def _first(self, runs: Sequence[Result], measure: str) -> int | None:
        """Return the first measured epoch whose median distance is below RESTORED."""
        epochs = runs[0].values["curves"]["epoch"]
        for place, epoch in enumerate(epochs):
            middle = median([run.values["curves"][f"{measure}_{self.images}"][place] for run in runs])
            if middle is not None and middle < RESTORED:
                return int(epoch)
        return None


def _recalled(runs: Sequence[Result]) -> Claim:
    """Return whether the default recipe restores both parts, in the mean and with nearly every seed."""
    ends = [[_at(run, f"hamming_{part}") or 0.0 for part in ("train", "test")] for run in runs]
    means = [mean(column) or 0.0 for column in zip(*ends, strict=True)]
    share = sum(max(pair) < RESTORED for pair in ends) / len(ends)
    met = all(seen <= most for seen, most in zip(means, RECALL, strict=True)) and share >= RESTORED_SHARE
    return Claim(
        f"the default recipe restores training and held-out images of {len(runs)} seeds",
        f"mean distances at most {RECALL[0]:.3f} and {RECALL[1]:.3f}, and at least {RESTORED_SHARE:.0%} of "
        f"the seeds below {RESTORED:g} on both",
        f"{means[0]:.4f} and {means[1]:.4f}; {share:.0%}",
        met,
    )


def _explained(runs: Sequence[Result], note: str) -> Claim:
    """Return whether models of the likelihood recipe, at their best temperature, explain the images."""
    targets = LIKELIHOODS[note]
    found = [run.values["likelihood"] for run in runs]

    def middle(when: str, name: str) -> list[float]:
        return [median([one[when][f"{name}_{part}"] for one in found]) or 0.0 for part in ("train", "test")]

    seen, warm = middle("calibrated", "log_likelihood"), middle("as trained", "log_likelihood")
    cold = middle("calibrated", "zero_temperature")
    return Claim(
        f"the likelihood recipe explains the images and restores them at zero temperature{note}",
        f"median log-likelihoods at least {targets[0]:.1f} (training) and {targets[1]:.1f} (held out) at the "
        "best beta of the training images, median distances 0 at T = 0",
        f"{seen[0]:.2f} and {seen[1]:.2f} (at beta = 1: {warm[0]:.2f} and {warm[1]:.2f}); distances "
        f"{cold[0]:.3f} and {cold[1]:.3f}",
        all(value >= least for value, least in zip(seen, targets, strict=True)) and max(cold) == 0,
    )


def _training(task: Task) -> tuple[Model, dict[str, Any]]:
    """Return the model of a task, untrained, and how it is trained."""
    facts = task.parameters
    seed, hidden = facts["seed"], facts["hidden"]
    if task.kind in ("paper", "default", "likelihood"):
        return PatternRBM(16, hidden, 8, seed=seed), {"recipe": task.kind}
    phases: dict[str, NegativePhase] = {
        "cd": ContrastiveDivergence(k=10),
        "pcd": PersistentContrastiveDivergence(k=10, chains=facts["chains"]),
        "exact": ExactExpectation(),
    }
    return RBM(16, hidden, seed=seed), {"recipe": "paper", "negative_phase": phases[task.kind]}


def _by_method(results: Sequence[Result]) -> dict[str, list[Result]]:
    found = {kind: [result for result in results if result.task.kind == kind] for kind in METHODS}
    return {kind: runs for kind, runs in found.items() if runs}


def _at(run: Result, name: str, epoch: int | None = None) -> float | None:
    """Return a measure at an epoch, or at the last one; None where it was not measured."""
    curves = run.values["curves"]
    if epoch is None:
        return float(curves[name][-1])
    return float(curves[name][curves["epoch"].index(epoch)]) if epoch in curves["epoch"] else None


def _epoch(first: int | None, runs: Sequence[Result]) -> str:
    return f"epoch {first}" if first else f"not within {runs[0].task.parameters['epochs']} epochs"


def _best(medians: Mapping[str, float | None]) -> str:
    """Say which methods have the lowest median; equal ones share the place."""
    numbers = {kind: round(value, 3) for kind, value in medians.items() if value is not None}
    lowest = min(numbers.values())
    names = [METHODS[kind] for kind, value in numbers.items() if value == lowest]
    joined = f"{', '.join(names[:-1])} and {names[-1]} have" if len(names) > 1 else f"{names[0]} has"
    return f"{joined} the smallest median distance, {lowest:.3f},"
