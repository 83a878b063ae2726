"""What several studies measure alike: restored pixels, free samples, and the temperatures of both."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rapid_ising.evaluation import hamming_distance
from rapid_ising.models import Model
from rapid_ising.registry import load_backend
from rapid_ising.typing import States
from rapid_ising.validation import generator

BETAS = ("0.5", "0.7", "1", "1.4", "2", "4", "inf")
"""Inverse temperatures that models are held against each other at, as texts that JSON can hold."""
TICKS = {**{float(beta): beta for beta in BETAS[:-1]}, 8.0: "∞"}
"""The same as labels at places of an axis."""
MASKS = 20
"""How many patterns of erased pixels the images share."""


def erased_distance(
    model: Model, images: States, *, share: float = 0.5, beta: float = 1.0, steps: int = 1, seed: int = 0
) -> float:
    """Return the mean share of wrong pixels when each pixel was erased with probability ``share``.

    The images take turns at a few masks; the same seed erases the same pixels, so that methods are compared
    on the same images.
    """
    rng = generator(seed)
    known = random_masks(images, share, rng)
    parts = [images[place :: len(known)] for place in range(len(known))]
    found = [
        len(part) * hamming_distance(model, part, mask, beta=beta, steps=steps, tries=1, seed=rng)
        for part, mask in zip(parts, known, strict=True)
    ]
    return sum(found) / len(images)


def random_masks(images: States, share: float, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Return a few masks of known pixels, each erased with probability ``share``, for images to share."""
    known: npt.NDArray[np.bool_] = rng.random((min(MASKS, len(images)), images.shape[1])) >= share
    return known


def unknown_distance(
    model: Model,
    images: States,
    known: npt.NDArray[np.bool_],
    *,
    unknown: npt.ArrayLike = 0.0,
    beta: float = 1.0,
    steps: int = 1,
    seed: int = 0,
) -> float:
    """Return the share of unknown pixels that are wrong, the known ones held at each Gibbs step.

    The images take turns at the masks ``known``, shape (m, V); unknown pixels start at ``unknown``.
    """
    rng = generator(seed)
    wrong = total = 0
    for place, mask in enumerate(known):
        truth = images[place :: len(known)]
        found = model.reconstruct(truth, mask, beta=beta, steps=steps, unknown=unknown, seed=rng)
        wrong += int(np.count_nonzero(found != truth))
        total += len(truth) * int(np.count_nonzero(~mask))
    return wrong / total


def edges_known(shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return the mask of images whose first row and first column are known.

    >>> edges_known((2, 3)).astype(int)
    array([1, 1, 1, 1, 0, 0])
    """
    known = np.zeros(shape, np.bool_)
    known[0], known[:, 0] = True, True
    return known.ravel()


def free_samples(model: Model, count: int, *, beta: float = 1.0, sweeps: int = 200, seed: int = 0) -> States:
    """Return the ends of ``count`` Gibbs chains that began at random states."""
    machine = load_backend("gibbs", burn_in=sweeps)
    return model.sample(count, backend=machine, beta=beta, seed=seed)


def samples_from_patterns(
    model: Model, count: int, *, beta: float = 1.0, steps: int = 200, seed: int = 0
) -> States:
    """Return the ends of ``count`` Gibbs chains, each begun at a random pattern."""
    rng = generator(seed)
    patterns = model.states()
    chains = model.gibbs_step(patterns[rng.integers(len(patterns), size=count)], beta, rng, steps)
    return chains[:, : model.n_visible].astype(np.int8)
