"""The measures of models of bars and stripes, where every valid image is known."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from rapid_ising.datasets import Dataset, bars_and_stripes
from rapid_ising.evaluation import (
    OverlapDistribution,
    frustration,
    hamming_distance,
    overlap_distribution,
    sample_quality,
)
from rapid_ising.models import Model
from rapid_ising.reproduction.measures import BETAS, edges_known, erased_distance, free_samples

SCORED = 1000
"""The images of each part that distances are measured on."""


@functools.cache
def images_of(side: int) -> Dataset:
    """Return the data set; the split is the same for every seed of a study."""
    return bars_and_stripes(side)


@functools.cache
def overlaps_of(side: int) -> OverlapDistribution:
    """Return P(q) of every valid image."""
    return overlap_distribution(images_of(side).images)


def restored(model: Model, side: int, beta: float = 1.0, seed: int = 0) -> dict[str, float]:
    """Return the distances of training and held-out images with half of their pixels erased."""
    data = images_of(side)
    return {
        part: erased_distance(model, images[:SCORED], beta=beta, seed=seed)
        for part, images in (("train", data.train), ("test", data.test))
    }


def restored_from_edges(model: Model, side: int, beta: float = 1.0, seed: int = 0) -> float:
    """Return the distance of held-out images of which the first row and column are known."""
    data = images_of(side)
    known = edges_known(data.shape)
    return hamming_distance(model, data.test[:SCORED], known, beta=beta, tries=1, seed=seed)


def portrait(model: Model, side: int, samples: int, seed: int = 0) -> dict[str, Any]:
    """Return everything that is measured of a trained model, at each inverse temperature."""
    data = images_of(side)
    by_beta: dict[str, Mapping[str, Any]] = {}
    for beta in BETAS:
        drawn = free_samples(model, samples, beta=float(beta), seed=seed)
        law = overlap_distribution(drawn)
        by_beta[beta] = {
            **sample_quality(drawn, data).as_dict(),
            "restored": restored(model, side, float(beta), seed),
            "edges": restored_from_edges(model, side, float(beta), seed),
            "overlap_std": law.std,
            "overlap_distance": law.distance(overlaps_of(side)),
        }
    return {
        "by_beta": by_beta,
        "frustration": frustration(model).weighted,
        "data_overlap_std": overlaps_of(side).std,
    }
