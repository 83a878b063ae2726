"""What the page says of Fig. 2a: samples, restored images and order parameters of every method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rapid_ising.plotting import curves_figure, images_figure, png
from rapid_ising.report import Element, Heading, Picture, Table, Text
from rapid_ising.reproduction.fig2a_methods import BASELINES, LARGE, PAPER, PATTERNS, RAPID
from rapid_ising.reproduction.measures import BETAS, TICKS
from rapid_ising.reproduction.spread import median, number, spread
from rapid_ising.reproduction.study import Claim
from rapid_ising.reproduction.task import Result
from rapid_ising.reproduction.watch import CPU

GENERAL = 0.005
"""How far apart distances of training and of held-out images may be to count as equal."""
LOWER, LOWER_AT_BEST = 3.0, 1.5
"""How many times smaller RAPID's distance should be than each baseline's, at beta = 1 and at best betas."""
MORE = 0.05
"""How many more of its samples should be valid and distinct, at the best beta of each."""


def sections(results: Sequence[Result]) -> list[Element]:
    """Return what the page shows of the races."""
    found = _by_method(results)
    if not found:
        return [Text("No task of this study is done.")]
    hidden = results[0].task.parameters["hidden"]
    large = results[0].task.parameters["large"]
    settings = "; ".join(
        f"{name} with {one.hidden} hidden spins, Adam at {one.learning_rate:g}"
        f"{f' times {one.decay:g} after each epoch' if one.decay < 1 else ''}, batches of {one.batch_size}"
        f"{', centred gradients' if one.centred else ''}"
        for name, one in BASELINES.items()
    )
    return [
        Text(
            f"RAPID has {hidden} hidden spins ({large} in the second row and with the paper's recipe) "
            f"and {PATTERNS} patterns, and is trained by the recipe recall. The baselines are trained until "
            "they have used the CPU time of "
            f"RAPID with {hidden} hidden spins, one after the other in one process, which is fair also "
            f"on a machine with other work: {settings}. These are the best settings of a small scan for each "
            "method. Time for measures is not counted."
        ),
        _samples_table(found),
        Text(
            f"Samples are the ends of {results[0].task.parameters['samples']} chains of 200 Gibbs steps "
            "from random states. Valid: the share that is exactly an image of bars or stripes; distinct: "
            "the number of different valid images, over the number of samples; new: the share of the "
            "valid ones that was held out of the training. A model that repeats one image is valid and "
            "not distinct."
        ),
        _by_beta_picture(found),
        Heading("Restored images", 3),
        _curves_picture(found),
        _distances_table(found),
        *_image_pictures(results),
        Heading("Order parameters", 3),
        _order_table(found),
    ]


def claims(results: Sequence[Result]) -> list[Claim]:
    """Return what the races decide."""
    found = _by_method(results)
    made: list[Claim] = []
    if RAPID not in found:
        return made
    rapid = found[RAPID]
    gap = median([abs(one["by_beta"]["1"]["restored"]["train"] - _restored(one, "1")) for one in rapid])
    new, ideal = (
        median([_at(one, "1", "novel") for one in rapid]),
        rapid[0]["by_beta"]["1"]["novel_ideal"],
    )
    best = {name: _best(runs) for name, runs in found.items()}
    rivals = [name for name in BASELINES if name in found]
    made = [
        Claim(
            "RAPID restores held-out images as well as training images (paper)",
            f"distances at most {GENERAL:g} apart",
            number(gap, 4),
            None if gap is None else gap <= GENERAL,
        ),
        Claim(
            "RAPID generates images that it was not trained on (paper)",
            f"at least half of the share held out, {ideal:.2f}",
            number(new, 2),
            new is not None and new >= ideal / 2,
        ),
        Claim(
            "valid and distinct samples of RAPID, best over beta",
            "at least 0.90",
            f"{best[RAPID][1]:.3f} at beta = {best[RAPID][0].replace('inf', '∞')}",
            best[RAPID][1] >= 0.9,
        ),
    ]
    if rivals:
        made += _against(found, rivals)
    if PAPER in found:
        valid = max(float(_at(found[PAPER][0], beta, "valid") or 0) for beta in BETAS)
        made.append(
            Claim(
                "the paper's recipe generates valid images without Monte Carlo steps (paper)",
                "at least half of the samples valid, at any beta",
                f"{valid:.3f} (one seed)",
                valid >= 0.5,
            )
        )
    if "CD-10" in found:
        ours, theirs = (
            float(np.median([one["frustration"] for one in found[name]])) for name in (RAPID, "CD-10")
        )
        made.append(
            Claim(
                "RAPID's weights are less frustrated than those of CD-10 (paper: control of frustration)",
                "lower weighted share of frustrated 4-cycles",
                f"{ours:.3f}; CD-10 {theirs:.3f}",
                ours < theirs,
            )
        )
    return made


def _against(found: Mapping[str, Sequence[dict[str, Any]]], rivals: Sequence[str]) -> list[Claim]:
    """Return whether RAPID beats every baseline, at beta = 1 and each at its best beta."""
    names = (RAPID, *rivals)
    quality = {name: _best(found[name])[1] for name in names}
    cold = {name: _best_restored(found[name])[1] for name in names}
    warm = {name: median([_restored(one, "1") for one in found[name]]) or 0.0 for name in names}
    most = max(quality[name] for name in rivals)
    made = [
        Claim(
            "RAPID has more valid and distinct samples than each baseline at equal CPU time, each at its "
            "best beta",
            f"at least {most + MORE:.3f}: {MORE:g} more",
            "; ".join(f"{name} {value:.3f}" for name, value in quality.items()),
            quality[RAPID] >= most + MORE,
        )
    ]
    for said, distances, times in (
        ("at beta = 1", warm, LOWER),
        ("each at its best beta", cold, LOWER_AT_BEST),
    ):
        least = min(distances[name] for name in rivals)
        made.append(
            Claim(
                "RAPID restores half-erased held-out images better than each baseline at equal CPU time, "
                f"{said}",
                f"at most {least / times:.4f}: {times:g} times lower",
                "; ".join(f"{name} {value:.4f}" for name, value in distances.items()),
                distances[RAPID] * times <= least,
            )
        )
    return made


def _by_method(results: Sequence[Result]) -> dict[str, list[dict[str, Any]]]:
    """Return what each method gave, one entry a seed."""
    names = (RAPID, LARGE, *BASELINES, PAPER)
    races = [result.values["methods"] for result in results]
    found = {name: [race[name] for race in races if name in race] for name in names}
    return {name: runs for name, runs in found.items() if runs}


def _at(one: Mapping[str, Any], beta: str, name: str) -> float | None:
    """Return a measure at an inverse temperature; None where there was nothing to measure."""
    value = one["by_beta"][beta].get(name)
    return None if value is None else float(value)


def _restored(one: Mapping[str, Any], beta: str) -> float:
    return float(one["by_beta"][beta]["restored"]["test"])


def _best(runs: Sequence[Mapping[str, Any]]) -> tuple[str, float]:
    """Return the beta with the largest median of valid and distinct samples, and that median."""
    medians = {beta: median([_at(one, beta, "valid_and_distinct") for one in runs]) or 0.0 for beta in BETAS}
    return max(medians.items(), key=lambda item: item[1])


def _best_restored(runs: Sequence[Mapping[str, Any]]) -> tuple[str, float]:
    """Return the beta with the smallest median distance of held-out images, and that median."""
    medians = {beta: median([_restored(one, beta) for one in runs]) or 0.0 for beta in BETAS}
    return min(medians.items(), key=lambda item: item[1])


def _samples_table(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    columns = ["method", "seeds", "epochs", "CPU s", "valid", "distinct", "best over beta", "at", "new", "F1"]
    rows = []
    for name, runs in found.items():
        beta, value = _best(runs)
        rows.append(
            [
                name,
                str(len(runs)),
                number(median([one["epochs"] for one in runs]), 0),
                number(median([one["seconds"] for one in runs]), 1),
                spread([_at(one, "1", "valid") for one in runs]),
                spread([_at(one, "1", "valid_and_distinct") for one in runs]),
                number(value),
                beta.replace("inf", "∞"),
                number(median([_at(one, "1", "novel") for one in runs]), 2),
                number(median([_at(one, "1", "f1") for one in runs])),
            ]
        )
    first = next(iter(found.values()))[0]["by_beta"]["1"]
    caption = (
        f"Free samples at beta = 1. As many uniform draws of valid images have "
        f"{first['valid_and_distinct_ideal']:.3f} distinct and {first['novel_ideal']:.2f} new."
    )
    return Table(columns, rows, caption)


def _by_beta_picture(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Picture:
    places = list(TICKS)
    panels = {
        "valid and distinct samples": {
            name: (places, [[_at(one, beta, "valid_and_distinct") or 0.0 for beta in BETAS] for one in runs])
            for name, runs in found.items()
        },
        "distance of half-erased held-out images": {
            name: (places, [[_restored(one, beta) for beta in BETAS] for one in runs])
            for name, runs in found.items()
        },
    }
    figure = curves_figure(
        panels, x_label="β of the samples and of the Gibbs step", y_label="share", ticks=TICKS
    )
    return Picture(
        "fig2a-by-beta",
        png(figure),
        "Valid and distinct samples, and the distance of restored images, by inverse temperature",
        "Every method at every temperature: a difference at one beta alone says little.",
    )


def _curves_picture(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Picture:
    panels: dict[str, dict[str, tuple[Any, Any]]] = {}
    for part, title in (("train", "training images"), ("test", "held-out images")):
        panels[title] = {}
        for name, runs in found.items():
            length = min(len(one["curves"]["epoch"]) for one in runs)
            seconds = np.median([one["curves"][CPU][:length] for one in runs], axis=0)
            panels[title][name] = seconds, [one["curves"][part][:length] for one in runs]
    figure = curves_figure(
        panels,
        x_label="CPU seconds of training",
        y_label="distance",
        title="Half of the pixels erased, β = 1",
    )
    return Picture(
        "fig2a-curves",
        png(figure),
        "Distance of half-erased training and held-out images by CPU time of training",
        "Each pixel is erased with probability one half; one Gibbs step at beta = 1 restores the image.",
    )


def _distances_table(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    columns = [
        "method",
        "half erased, train",
        "held out",
        "best over beta",
        "at",
        "T = 0",
        "row and column known",
        "T = 0",
    ]
    rows = []
    for name, runs in found.items():
        beta, value = _best_restored(runs)
        rows.append(
            [
                name,
                number(median([one["by_beta"]["1"]["restored"]["train"] for one in runs]), 4),
                spread([_restored(one, "1") for one in runs], 4),
                number(value, 4),
                beta.replace("inf", "∞"),
                number(median([_restored(one, "inf") for one in runs]), 4),
                number(median([_at(one, "1", "edges") for one in runs])),
                number(median([_at(one, "inf", "edges") for one in runs])),
            ]
        )
    return Table(
        columns,
        rows,
        "The share of wrong pixels among all, the known ones drawn anew too, after one Gibbs step, at "
        "beta = 1 where nothing else is said",
    )


def _order_table(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    columns = ["method", "width of P(q)", "distance from the data's P(q)", "frustrated 4-cycles"]
    rows = [
        [
            name,
            number(median([_at(one, "1", "overlap_std") for one in runs])),
            number(median([_at(one, "1", "overlap_distance") for one in runs])),
            number(median([one["frustration"] for one in runs])),
        ]
        for name, runs in found.items()
    ]
    width = next(iter(found.values()))[0]["data_overlap_std"]
    caption = (
        f"The law P(q) of overlaps of free samples at beta = 1 (its width in the data is {width:.3f}), and "
        "the share of 4-cycles, weighted by their size, whose couplings cannot all be satisfied"
    )
    return Table(columns, rows, caption)


def _image_pictures(results: Sequence[Result]) -> list[Element]:
    """Return pictures of samples and of restored images of the first seed, where it is among the results."""
    race = next((result for result in results if result.task.parameters["first"]), None)
    if race is None:
        return []
    side = race.task.parameters["side"]
    images = {name: one["images"] for name, one in race.values["methods"].items()}
    samples = {name: one["samples"] for name, one in images.items()}
    rows = {
        "given": next(iter(images.values()))["given"],
        **{name: one["restored"] for name, one in images.items()},
        "true": race.values["true"],
    }
    seed = race.task.parameters["seed"]
    return [
        Picture(
            "fig2a-restored",
            png(images_figure(rows, (side, side))),
            "Held-out images with half of their pixels erased, and what each model makes of them",
            f"Held-out images restored in one Gibbs step at beta = 1 (seed {seed}); grey pixels were erased.",
        ),
        Picture(
            "fig2a-samples",
            png(images_figure(samples, (side, side))),
            "Free samples of each model",
            f"Free samples at beta = 1 (seed {seed}).",
        ),
    ]
