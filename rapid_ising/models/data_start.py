"""The start of a machine at its data: biases at the means of pixels, patterns at the leading components."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from rapid_ising.arrays import to_numpy
from rapid_ising.errors import InvalidDataError, InvalidParameterError
from rapid_ising.models.base import Model
from rapid_ising.models.pattern_rbm import PatternRBM
from rapid_ising.typing import Reals
from rapid_ising.validation import MODEL, Seed, finite, generator, spins

LARGEST_MEAN = 0.99
"""The largest mean of a pixel that a bias stands for: a pixel that never changes in the data may still."""
LEAST_VARIANCE = 0.05
"""The least variance that a pixel is divided by, so that one that hardly changes does not lead."""
LEAST_STRENGTH = 0.01
"""The least 1 - 1/l of a component of variance l: patterns beyond the signal start small, and not at 0."""


def start_from_data(model: Model, images: npt.ArrayLike, *, gain: float = 0.5, seed: Seed = None) -> None:
    r"""Set the parameters of an untrained model, in place, to where training would take it first.

    Visible biases become b_i = atanh <v_i>. The K patterns of a ``PatternRBM`` become the K leading
    components e_k, of variances l_k, of the scaled pixels D^(-1/2) (v - <v>) with D = 1 - <v>^2:

    .. math:: W = \gamma \sum_k \sqrt{1 - 1 / l_k} \; q_k \, (D^{-1/2} e_k)^T

    with random orthonormal hidden directions q_k, each shared evenly between the two halves of its pattern.
    At gain 1 and with linear hidden spins this is probabilistic PCA (Tipping and Bishop, J. R. Stat. Soc. B
    61, 611 (1999)); hidden spins saturate, and half of it is the better start. Free hidden biases become
    c = -W <v>, so that hidden spins begin even. An ``RBM`` keeps its weights. The constraint "signs" would
    throw such patterns away.

    Parameters
    ----------
    model
        An ``RBM`` or a ``PatternRBM``; of the patterns without free biases, means count as a component.
    images
        The data, spins of shape (n, V).
    gain
        The factor gamma of the weights.
    seed
        Seeds the hidden directions.

    Raises
    ------
    InvalidParameterError
        If the model is of another kind, or has more patterns than pixels or hidden spins.

    Examples
    --------
    >>> from rapid_ising.datasets import stripes
    >>> model = PatternRBM(16, 50, 3, biases="free")
    >>> start_from_data(model, stripes(4).train, seed=0)
    >>> rows = model.visible_patterns.reshape(3, 4, 4)
    >>> bool(np.abs(rows - rows.mean(axis=1, keepdims=True)).max() < 1e-5)
    True
    """
    rows = spins("images", images, model.n_visible).astype(np.float64)
    if not len(rows):
        raise InvalidDataError("images has no rows: give at least one image")
    strength = finite("gain", gain, minimum=0, exclusive=True)
    means = np.clip(rows.mean(axis=0), -LARGEST_MEAN, LARGEST_MEAN)
    if isinstance(model, PatternRBM):
        _start_patterns(model, rows, strength, generator(seed, MODEL))
    elif "visible_biases" not in model.parameters:
        raise InvalidParameterError(
            f"a {type(model).__name__} has no start at the data: an RBM and a PatternRBM have"
        )
    if "visible_biases" in model.parameters:
        model.set_parameters({"visible_biases": np.arctanh(means)})
    model.temperature = 1.0


def _start_patterns(model: PatternRBM, rows: Reals, gain: float, rng: np.random.Generator) -> None:
    count, hidden = model.n_patterns, model.n_hidden
    if count > min(model.n_visible, hidden):
        raise InvalidParameterError(
            f"{count} patterns cannot start at the components of {model.n_visible} pixels and {hidden} "
            "hidden spins: take at most as many as the fewer of them"
        )
    free = bool(model.bias_names)
    means = rows.mean(axis=0) if free else np.zeros(model.n_visible)
    scales = 1 / np.sqrt(np.maximum(1 - means**2, LEAST_VARIANCE))
    scaled = (rows - means) * scales
    variances, vectors = np.linalg.eigh(scaled.T @ scaled / len(rows))
    leading = np.argsort(variances)[::-1][:count]
    strengths = gain * np.sqrt(np.maximum(1 - 1 / np.maximum(variances[leading], 1e-9), LEAST_STRENGTH))
    directions = vectors[:, leading].T * scales
    sizes = np.linalg.norm(directions, axis=1)
    orthonormal = np.linalg.qr(rng.normal(size=(hidden, count)))[0].T
    shared = np.sqrt(math.sqrt(count) * strengths * sizes)[:, np.newaxis]
    visible = shared * directions / sizes[:, np.newaxis]
    model.set_parameters({"visible_patterns": visible, "hidden_patterns": shared * orthonormal})
    model.scale = 1.0
    if free:
        model.set_parameters({"hidden_biases": -(means @ to_numpy(model.weights).T)})
