"""Fig. 2b: handwritten digits, RAPID against PCD-5 at equal CPU time."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from rapid_ising.datasets import Dataset, digits, mnist
from rapid_ising.errors import InvalidDataError, MissingDependencyError
from rapid_ising.evaluation import (
    annealed_importance,
    class_balance,
    estimated_log_likelihood,
    image_distances,
    known_rows,
    log_likelihood_curve,
    overlaps,
)
from rapid_ising.models import Model, PatternRBM
from rapid_ising.report import Element
from rapid_ising.reproduction.fig2b_methods import (
    EQUAL,
    LARGE,
    LONG,
    PLAIN,
    RAPID,
    REFERENCES,
    SETTINGS,
    Settings,
    pcd,
    rapid,
    whole_epochs,
)
from rapid_ising.reproduction.fig2b_page import claims, sections
from rapid_ising.reproduction.measures import (
    free_samples,
    random_masks,
    samples_from_patterns,
    unknown_distance,
)
from rapid_ising.reproduction.study import Claim, Scale, Study
from rapid_ising.reproduction.task import Result, Task
from rapid_ising.reproduction.watch import CPU, Watch, measured
from rapid_ising.training import train
from rapid_ising.typing import States
from rapid_ising.validation import generator

SHOWN = 10
"""The images in a row of a picture."""
SCORED = 1000
"""The images of each part that distances are measured on."""


@dataclasses.dataclass(frozen=True)
class Size:
    """How many images and how large a model."""

    train: int
    test: int
    hidden: int
    patterns: int
    epochs: int
    samples: int
    chains: int
    betas: int
    plain: int = 0
    """The epochs of the recipe with clamped spins; 0 leaves it out."""
    long: float | None = None
    """CPU seconds of a longer run of PCD."""
    large: tuple[int, int, int] | None = None
    """The hidden spins and patterns of the paper, and the epochs of such a model."""


MNIST: dict[Scale, Size] = {
    "smoke": Size(200, 100, 20, 10, 1, 20, 20, 30, 1),
    "quick": Size(6000, 1000, 100, 50, 20, 200, 100, 1000, 10),
    "full": Size(60000, 10000, 500, 200, 10, 500, 100, 2000, 3, 280.0, (3000, 200, 4)),
}
DIGITS: dict[Scale, Size] = {
    "smoke": Size(200, 100, 20, 10, 1, 20, 20, 30, 1),
    "quick": Size(1400, 400, 100, 50, 100, 200, 100, 500, 50),
    "full": Size(1400, 400, 200, 50, 200, 500, 100, 1000, 100, 60.0),
}
"""Images of 8 x 8 pixels: fewer patterns, and more epochs as there are few images."""
COSTS: dict[Scale, dict[str, float]] = {
    "smoke": dict.fromkeys(("equal", "plain", "long", "large"), 3.0),
    "quick": dict.fromkeys(("equal", "plain", "long", "large"), 20.0),
    "full": {"equal": 270.0, "plain": 70.0, "long": 340.0, "large": 210.0},
}
"""About how many CPU seconds a task takes."""
COLDEST = 1.5
"""The highest inverse temperature that a best one is looked for at."""
LOOKS = [(str(beta), steps) for steps in (1, 20) for beta in (1, "inf")]
"""The inverse temperatures and Gibbs steps at which images are restored."""
PROBE = 6000
"""The images, at most, that tell how long an epoch takes."""


@final
class Fig2b(Study):
    """MNIST where its files are, else the digits of scikit-learn."""

    name: ClassVar[str] = "fig2b"
    title = "handwritten digits"

    def tasks(self, scale: Scale, seed: int, data: Path | None) -> list[Task]:  # noqa: D102
        source = "mnist"
        try:
            mnist(data, train=1, test=1)
        except InvalidDataError as error:
            if data is not None:
                raise
            try:
                digits()
            except MissingDependencyError as other:
                raise MissingDependencyError(
                    f"{error}; and in their place digits of 8 x 8: {other}"
                ) from other
            source = "digits"
        size = (MNIST if source == "mnist" else DIGITS)[scale]
        facts = {
            **dataclasses.asdict(size),
            "seed": seed,
            "source": source,
            "settings": dataclasses.asdict(SETTINGS[source]),
        }
        wanted = {"equal": True, "plain": size.plain, "long": size.long, "large": size.large}
        return [Task(self.name, kind, facts, COSTS[scale][kind]) for kind, given in wanted.items() if given]

    def run(self, task: Task) -> dict[str, Any]:  # noqa: D102
        facts = task.parameters
        data = _images(facts["source"], facts["train"], facts["test"])
        settings, seed = Settings(**facts["settings"]), facts["seed"]
        if task.kind == "plain":
            model = PatternRBM(
                data.images.shape[1], facts["hidden"], facts["patterns"], biases=True, seed=seed
            )
            return {PLAIN: _trained(facts, data, model, {"epochs": facts["plain"]})}
        if task.kind == "large":
            hidden, patterns, epochs = facts["large"]
            began = time.process_time()
            made = rapid(data.train, hidden, patterns, settings.large, epochs, settings, seed)
            return {LARGE: _trained(facts, data, *made, spent=time.process_time() - began)}
        if task.kind == "long":
            return {LONG: _pcd(facts, data, settings, facts["long"])}
        sizes = facts["hidden"], facts["patterns"]
        began = time.process_time()
        made = rapid(data.train, *sizes, settings.rapid, facts["epochs"], settings, seed)
        found = _trained(facts, data, *made, spent=time.process_time() - began)
        truth = data.test[:SHOWN].tolist()
        return {RAPID: found, EQUAL: _pcd(facts, data, settings, found["seconds"]), "true": truth}

    def sections(self, results: Sequence[Result]) -> list[Element]:  # noqa: D102
        return sections(results)

    def claims(self, results: Sequence[Result]) -> list[Claim]:  # noqa: D102
        return claims(results)


@functools.cache
def _images(source: str, train_count: int, test_count: int) -> Dataset:
    if source == "mnist":
        return mnist(train=train_count, test=test_count)
    data = digits()
    return Dataset(
        data.name,
        data.images,
        data.train[:train_count],
        data.test[:test_count],
        data.shape,
        None if data.train_labels is None else data.train_labels[:train_count],
        None if data.test_labels is None else data.test_labels[:test_count],
    )


def _pcd(facts: Mapping[str, Any], data: Dataset, settings: Settings, budget: float) -> dict[str, Any]:
    """Train the baseline for as many epochs as take some CPU seconds, told by a short training first."""
    part = data.train[:PROBE]
    probe, options = pcd(part, facts["hidden"], 3, settings, facts["seed"])
    run = train(probe, part, seed=facts["seed"], callbacks=[Watch()], progress=False, **options)
    # Not the first one, which loads and compiles.
    epoch = float(np.diff([record[CPU] for record in run.history]).mean())
    epochs = whole_epochs(budget, epoch * len(data.train) / len(part))
    return _trained(facts, data, *pcd(data.train, facts["hidden"], epochs, settings, facts["seed"]))


def _trained(
    facts: Mapping[str, Any], data: Dataset, model: Model, options: Mapping[str, Any], spent: float = 0.0
) -> dict[str, Any]:
    """Train a model and return everything that is measured of it; its start took ``spent`` CPU seconds."""
    seed = facts["seed"]
    scored, means = data.test[:SCORED], data.train.mean(axis=0)
    masks = {
        "erased": random_masks(scored, 0.5, generator(seed)),
        "lower": known_rows(data.shape, data.shape[0] // 2)[np.newaxis],
    }

    def distance(model: Model) -> dict[str, float]:
        return {"erased": unknown_distance(model, scored, masks["erased"], unknown=means, seed=seed)}

    watch = Watch(distance, range(1, options["epochs"] + 1))
    watch.spent = spent
    run = train(model, data.train, seed=seed, callbacks=[watch], progress=False, **options)
    distances = {
        name: {
            f"{beta}, {steps}": unknown_distance(
                model, scored, mask, unknown=means, beta=float(beta), steps=steps, seed=seed
            )
            for beta, steps in LOOKS
        }
        for name, mask in masks.items()
    }
    given = np.where(masks["lower"], data.test[:SHOWN], 0)
    restored = model.reconstruct(given, masks["lower"][0], steps=20, unknown=means, seed=seed)
    draw = samples_from_patterns if isinstance(model, PatternRBM) else free_samples
    return {
        "epochs": run.epochs,
        "seconds": watch.spent,
        "wall": run.seconds,
        "curves": measured(run, "erased"),
        "likelihood": _likelihood(facts, data, model),
        "distances": distances,
        "samples": _portrait(data, draw(model, facts["samples"], seed=seed)),
        "given": given.tolist(),
        "restored": restored.tolist(),
    }


def _likelihood(facts: Mapping[str, Any], data: Dataset, model: Model) -> dict[str, float]:
    """Return the likelihood at beta = 1 and at the best one, both from a base at the data's means."""
    amount = {"chains": facts["chains"], "betas": facts["betas"], "seed": facts["seed"]}
    path = annealed_importance(model, beta=COLDEST, **amount)
    curve = log_likelihood_curve(model, data.test, path)
    beta = max(curve.best_beta, float(curve.betas[1]))
    at_one = annealed_importance(model, base="data", data=data.train, **amount)
    at_best = annealed_importance(model, beta=beta, base="data", data=data.train, **amount)
    runs = {beta: at_best, 1.0: at_one}
    values = {b: estimated_log_likelihood(model, data.test, run) for b, run in runs.items()}
    best = max(values, key=lambda b: values[b])
    return {
        "at one": values[1.0],
        "beta": best,
        "best": values[best],
        "standard_error": at_one.standard_error,
        "effective_sample_size": at_one.effective_sample_size,
    }


def _portrait(data: Dataset, samples: States) -> dict[str, Any]:
    """Return how free samples look beside the images."""
    references = data.train[:REFERENCES]
    alike = overlaps(samples, references)
    classify = classifier(data)
    found: dict[str, Any] = {
        "inverted": float((-alike.min(axis=1) > alike.max(axis=1)).mean()),
        **image_distances(samples, references).as_dict(),
        "nearest_test": image_distances(data.test[:SCORED], references).nearest,
        "images": samples[:SHOWN].tolist(),
    }
    if classify is not None:
        balance = class_balance(samples, classify, classes=range(10))
        found["classes"] = list(balance.counts.values())
        found["entropy"] = balance.entropy
    return found


@functools.cache
def classifier(data: Dataset) -> Callable[[States], npt.ArrayLike] | None:
    """Return what names the digit of an image, by its nearest training images; None without scikit-learn."""
    if data.train_labels is None:
        return None
    try:
        from sklearn.neighbors import KNeighborsClassifier
    except ImportError:
        return None
    fitted = KNeighborsClassifier(3).fit(data.train[:REFERENCES], data.train_labels[:REFERENCES])
    predict: Callable[[States], npt.ArrayLike] = fitted.predict
    return predict
