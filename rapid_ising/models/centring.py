"""Steps of a machine whose spins are counted from their means: the centred gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from rapid_ising.models.statistics import Statistics
from rapid_ising.typing import Floats

Arrays = dict[str, Floats]


class Centrable(Protocol):
    """A machine of layers with free biases, ``bias_names`` naming those of each layer."""

    parameters: Arrays
    bias_names: tuple[str, ...]

    def centred(self, gradient: Mapping[str, Floats], offsets: Sequence[Floats]) -> Arrays:
        """Return the gradient with its weights' part as it is for spins counted from the layers' offsets."""

    def pulls(self, layers: Sequence[Floats]) -> list[Floats]:
        """Return what the weights add to the fields of each layer in a state of all layers."""


def centred_step(
    model: Centrable,
    gradient: Arrays,
    phases: tuple[Statistics, Statistics],
    step: Callable[[Arrays], None],
) -> None:
    r"""Step along the gradient of the same machine with spins counted from the means of both phases.

    With the offsets lambda of the rows and mu of the columns, E = -(h - lambda) W (v - mu) - ... is the same
    machine with other biases. The gradient in its weights is

    .. math:: G'_W = G_W - \lambda G_b^T - G_c \mu^T,

    that in its biases is as before. The step is taken there, and a change D of W taken back to the usual
    biases: b by -D^T lambda, c by -D mu. Weights and biases then no longer pull at each other where spins
    have means. An optimizer that scales each parameter's step has to step there: with the biases' part of the
    change in the gradient, Adam would scale it apart from the weights it belongs to. Cho, Raiko and Ilin,
    ICML (2011); Melchior, Fischer and Wiskott, J. Mach. Learn. Res. 17, 99 (2016).

    Parameters
    ----------
    model
        The machine, whose parameters are changed in place.
    gradient
        The plain gradient by parameter.
    phases
        The averages over the data and over the model, whose means are the offsets.
    step
        Changes the parameters along a gradient.

    Examples
    --------
    >>> import numpy as np
    >>> from rapid_ising.models import RBM
    >>> from rapid_ising.models.statistics import SampleStatistics
    >>> model = RBM(1, 1, weight_std=0.0)
    >>> up = SampleStatistics([np.zeros((1, 1)), np.ones((1, 1))])
    >>> slope = {"weights": np.ones((1, 1)), "visible_biases": np.array([0.5]), "hidden_biases": np.zeros(1)}
    >>> def ascend(g):
    ...     for name in g:
    ...         model.parameters[name] += g[name]
    >>> centred_step(model, slope, (up, up), ascend)
    >>> model.weights.item(), model.biases.item()
    (0.5, 0.0)
    """
    layers = range(len(model.bias_names))
    offsets = [(phases[0].mean(layer) + phases[1].mean(layer)) / 2 for layer in layers]
    moved = model.centred(gradient, offsets)
    before = model.pulls(offsets)
    step(moved)
    for name, now, then in zip(model.bias_names, model.pulls(offsets), before, strict=True):
        model.parameters[name] -= now - then
