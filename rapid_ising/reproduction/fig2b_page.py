"""What the page says of Fig. 2b: likelihoods, restored digits and samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rapid_ising.plotting import curves_figure, images_figure, png
from rapid_ising.report import Element, Picture, Table, Text
from rapid_ising.reproduction.fig2b_methods import (
    EQUAL,
    LONG,
    METHODS,
    RAPID,
    REFERENCES,
    Settings,
)
from rapid_ising.reproduction.spread import number
from rapid_ising.reproduction.study import Claim
from rapid_ising.reproduction.task import Result
from rapid_ising.reproduction.watch import CPU

NO_MNIST = (
    "They stand in for MNIST, whose files are not here: give their folder with `--data FOLDER` or in the "
    "variable `RAPID_ISING_DATA`."
)

WHOLE = 60_000
"""The training images of MNIST: with fewer, targets for it decide nothing."""
TIME = 200.0
"""The seconds by the clock that RAPID may train for; CPU seconds are at most as many on one thread."""
WRONG = {"erased": 0.09, "lower": 0.15}
"""The share of unknown pixels that RAPID may have wrong."""
NATS, LIMIT = -100.0, 300.0
"""The log-likelihood that PCD-5 should reach, and within how many CPU seconds."""
UNKNOWN = {"erased": "half-erased images", "lower": "lower halves"}


def sections(results: Sequence[Result]) -> list[Element]:
    """Return what the page shows of the digits."""
    found = _by_method(results)
    if not found:
        return [Text("No task of this study is done.")]
    facts = results[0].task.parameters
    digits_note = "" if facts["source"] == "mnist" else f" {NO_MNIST}"
    settings = Settings(**facts["settings"])
    large = (
        f" The paper's size is {facts['large'][0]} hidden spins and {facts['large'][1]} patterns, "
        f"{facts['large'][2]} epochs at {settings.large:g}."
        if facts["large"]
        else ""
    )
    return [
        Text(
            f"The data are {_said(facts)}.{digits_note} One seed. RAPID has {facts['hidden']} hidden spins, "
            f"{facts['patterns']} patterns and free biases. It starts at the data: the patterns at their "
            f"leading components with gain {settings.gain:g}, visible biases at the means of the pixels. "
            f"{settings.chains} chains of {settings.gibbs_steps} Gibbs steps an update go on from update to "
            f"update, and a share of {settings.restart:g} of them starts anew at random patterns. PCD-5 has "
            "as many hidden spins, chains and Gibbs steps, and visible biases at the means too. Both follow "
            f"centred gradients in batches of {settings.batch_size}; their rates, {settings.rapid:g} and "
            f"{settings.pcd:g}, fall linearly to 0 over all epochs, and are the best of a small scan for "
            f"each.{large} With clamped spins RAPID has their default recipe: it "
            "does not start at the data, all chains start anew at the patterns at each update, and steps are "
            "not centred."
        ),
        Text(
            "Times are CPU seconds of one thread, the start at the data counted and measures not. PCD-5 at "
            "equal time is trained for the whole epochs that take at least the time of RAPID: a few epochs "
            "of another model, of some of the images, are timed first, so that its rate is 0 at its end."
        ),
        _scores_table(found),
        _distances_table(found),
        _samples_table(found),
        _curves_picture(found),
        *_image_pictures(found, results),
    ]


def claims(results: Sequence[Result]) -> list[Claim]:
    """Return what the digits decide."""
    found = _by_method(results)
    if RAPID not in found or EQUAL not in found:
        return []
    whole = results[0].task.parameters["train"] >= WHOLE
    made = _targets(found[RAPID], whole)
    if LONG in found:
        likelihood, seconds = found[LONG]["likelihood"]["at one"], found[LONG]["seconds"]
        made.append(
            Claim(
                f"PCD-5 explains held-out digits within {LIMIT:g} CPU seconds: it is no weak baseline",
                f"log-likelihood at least {NATS:g} nats an image at beta = 1",
                f"{likelihood:.1f} after {seconds:.0f} CPU s",
                likelihood >= NATS and seconds <= LIMIT if whole else None,
            )
        )
    return made + _comparisons(found[RAPID], found[EQUAL])


def _targets(one: Mapping[str, Any], whole: bool) -> list[Claim]:
    """Return what RAPID should do on all of MNIST; a smaller run decides none of it."""
    wall, cpu, samples = one["wall"], one["seconds"], one["samples"]
    made = [
        Claim(
            "RAPID trains on all of MNIST",
            f"less than {TIME:g} s by the clock",
            f"{wall:.0f} s by the clock, {cpu:.0f} CPU s",
            wall < TIME if whole else None,
        )
    ]
    for name, what in UNKNOWN.items():
        look, value = _best(one, name)
        made.append(
            Claim(
                f"RAPID restores {what} of held-out digits",
                f"at most {WRONG[name]:g} of the unknown pixels wrong",
                f"{value:.4f} ({look})",
                value <= WRONG[name] if whole else None,
            )
        )
    if "classes" in samples:
        seen = sum(count > 0 for count in samples["classes"])
        made.append(
            Claim(
                "samples of RAPID, 200 Gibbs steps from its patterns, show every digit",
                "ten classes",
                f"{seen}; {' '.join(map(str, samples['classes']))}",
                seen == 10 if whole else None,
            )
        )
    made.append(
        Claim(
            "no sample of RAPID, 200 Gibbs steps from its patterns, is an inverted image",
            "a share of 0",
            f"{samples['inverted']:.3f}",
            samples["inverted"] == 0 if whole else None,
        )
    )
    return made


def _comparisons(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[Claim]:
    """Return who is better at equal CPU time."""
    made = []
    for name, what in UNKNOWN.items():
        (_, mine), (_, other) = _best(ours, name), _best(theirs, name)
        made.append(
            Claim(
                f"RAPID restores {what} of held-out digits better than PCD-5 at equal CPU time, each at its "
                "best number of steps and temperature",
                f"below {other:.4f}",
                f"{mine:.4f} (one seed)",
                mine < other,
            )
        )
    mine, other = ours["likelihood"]["best"], theirs["likelihood"]["best"]
    error = math.hypot(*(one["likelihood"]["standard_error"] for one in (ours, theirs)))
    made.append(
        Claim(
            "RAPID explains held-out digits as well as PCD-5 at equal CPU time, each at its best beta "
            "(stretch)",
            f"at least {other:.1f} nats an image",
            f"{mine:.1f}, one seed; the estimates' difference has a standard error of {error:.1f}",
            mine >= other if abs(mine - other) > 3 * error else None,
        )
    )
    return made


def _best(one: Mapping[str, Any], name: str) -> tuple[str, float]:
    """Return how images are restored best, in words, and the share of wrong pixels."""
    look = min(one["distances"][name], key=one["distances"][name].get)
    return _look(look), float(one["distances"][name][look])


def _look(key: str) -> str:
    """Return the heading of a temperature and a number of Gibbs steps, as results name them.

    >>> _look("inf, 20")
    'T = 0, 20 steps'
    """
    beta, steps = key.split(", ")
    return f"{'T = 0' if beta == 'inf' else f'beta = {beta}'}, {steps} step{'s' if steps != '1' else ''}"


def _by_method(results: Sequence[Result]) -> dict[str, Mapping[str, Any]]:
    return {name: result.values[name] for name in METHODS for result in results if name in result.values}


def _said(facts: Mapping[str, Any]) -> str:
    if facts["source"] == "mnist":
        return f"the first {facts['train']} training and {facts['test']} held-out images of MNIST, 28 x 28"
    return "scikit-learn's digits, 8 x 8"


def _scores_table(found: Mapping[str, Mapping[str, Any]]) -> Table:
    columns = [
        "method",
        "epochs",
        "CPU s",
        "s by the clock",
        "log-lik. at beta = 1",
        "± s.e.",
        "ESS",
        "best beta",
        "log-lik. there",
    ]
    rows = []
    for name, one in found.items():
        likelihood = one["likelihood"]
        rows.append(
            [
                name,
                str(one["epochs"]),
                number(one["seconds"], 1),
                number(one["wall"], 1),
                number(likelihood["at one"], 1),
                number(likelihood["standard_error"], 2),
                number(likelihood["effective_sample_size"], 1),
                number(likelihood["beta"], 2),
                number(likelihood["best"], 1),
            ]
        )
    caption = (
        "Log-likelihoods of held-out images in nats an image, by annealed importance sampling from pixels "
        "with the means of the data, with the standard error and the effective sample size of the run at "
        "beta = 1"
    )
    return Table(columns, rows, caption)


def _distances_table(found: Mapping[str, Mapping[str, Any]]) -> Table:
    looks = list(next(iter(found.values()))["distances"]["erased"])
    columns = ["method", *(f"{name}: {_look(look)}" for name in ("half", "lower") for look in looks)]
    rows = [
        [name, *(number(one["distances"][part][look], 4) for part in UNKNOWN for look in looks)]
        for name, one in found.items()
    ]
    caption = (
        "The share of unknown pixels that are wrong, the known ones held, in held-out images with half of "
        "the pixels or with the lower half of the image unknown; unknown pixels start at the means of the "
        "training images"
    )
    return Table(columns, rows, caption)


def _samples_table(found: Mapping[str, Mapping[str, Any]]) -> Table:
    columns = [
        "method",
        "nearest",
        "diversity",
        "lit",
        "inverted",
        "entropy of classes",
        "samples of 0 to 9",
    ]
    rows = [
        [
            name,
            number(drawn["nearest"]),
            number(drawn["diversity"]),
            number(drawn["lit"]),
            number(drawn["inverted"], 2),
            number(drawn.get("entropy"), 2),
            " ".join(map(str, drawn["classes"])) if "classes" in drawn else "no classifier here",
        ]
        for name, drawn in ((name, one["samples"]) for name, one in found.items())
    ]
    real = next(iter(found.values()))["samples"]
    caption = (
        "Free samples, the ends of 200 Gibbs steps at beta = 1, of RAPID from random patterns and of PCD-5 "
        "from random states. Nearest: the mean distance to the nearest of "
        f"{REFERENCES} training images or fewer (held-out images have {real['nearest_test']:.3f}); "
        f"diversity: of two samples (real images {real['diversity_reference']:.3f}); lit: the share of "
        f"pixels at +1 (real {real['lit_reference']:.3f}); inverted: the share that looks more like a "
        "negative of an image. Classes by a classifier of nearest neighbours; ten equal ones have an entropy "
        f"of {math.log(10):.2f} nats."
    )
    return Table(columns, rows, caption)


def _curves_picture(found: Mapping[str, Mapping[str, Any]]) -> Picture:
    curves = {name: (one["curves"][CPU], [one["curves"]["erased"]]) for name, one in found.items()}
    figure = curves_figure(
        {"held-out images, half of the pixels unknown, one step at β = 1": curves},
        x_label="CPU seconds of training",
        y_label="share of unknown pixels wrong",
    )
    return Picture(
        "fig2b-curves", png(figure), "Distance of half-erased held-out digits by CPU time of training"
    )


def _image_pictures(found: Mapping[str, Mapping[str, Any]], results: Sequence[Result]) -> list[Element]:
    facts = results[0].task.parameters
    shape = (28, 28) if facts["source"] == "mnist" else (8, 8)
    samples = {name: one["samples"]["images"] for name, one in found.items()}
    rows = {
        "given": next(iter(found.values()))["given"],
        **{name: one["restored"] for name, one in found.items()},
    }
    truth = next((result.values["true"] for result in results if "true" in result.values), None)
    if truth is not None:
        rows["true"] = truth
    return [
        Picture(
            "fig2b-restored",
            png(images_figure(rows, shape)),
            "Held-out digits without their lower halves, and what each model makes of them",
            "Held-out digits, their lower half erased and restored in 20 Gibbs steps at beta = 1.",
        ),
        Picture(
            "fig2b-samples",
            png(images_figure(samples, shape)),
            "Free samples of each model at beta = 1",
            "Free samples after 200 Gibbs steps at beta = 1.",
        ),
    ]
