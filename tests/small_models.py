"""Models small enough to sum over every state, with strong couplings and unequal signs."""

from __future__ import annotations

from typing import TypeVar

import networkx as nx
import numpy as np

import rapid_ising as ri

Kind = TypeVar("Kind", bound=ri.Model)

IMAGES = np.array([[1, 1, -1, 1], [-1, 1, -1, -1], [1, 1, 1, 1]], dtype=np.int8)


def rbm() -> ri.RBM:
    model = ri.RBM(4, 3, seed=1, weight_std=0.7, dtype=np.float64)
    rng = np.random.default_rng(2)
    model.parameters["visible_biases"][:] = rng.normal(0, 0.4, 4)
    model.parameters["hidden_biases"][:] = rng.normal(0, 0.4, 3)
    return model


def biased_pattern_rbm() -> ri.PatternRBM:
    model = ri.PatternRBM(4, 3, 2, seed=1, scale=1.3, learn_scale=True, biases=True, dtype=np.float64)
    rng = np.random.default_rng(2)
    for name in ("visible_patterns", "hidden_patterns", "visible_clamp", "hidden_clamp"):
        model.parameters[name][...] = rng.normal(0, 0.8, model.parameters[name].shape)
    return model


def freely_biased_pattern_rbm() -> ri.PatternRBM:
    return randomised(ri.PatternRBM(4, 3, 2, scale=1.3, learn_scale=True, biases="free", dtype=np.float64))


def pattern_rbm() -> ri.PatternRBM:
    model = ri.PatternRBM(4, 3, 2, seed=1, scale=1.3, learn_scale=True, dtype=np.float64)
    rng = np.random.default_rng(2)
    model.visible_patterns[...] = rng.normal(0, 0.8, (2, 4))
    model.hidden_patterns[...] = rng.normal(0, 0.8, (2, 3))
    return model


def boltzmann_machine() -> ri.BoltzmannMachine:
    """All four spins visible and coupled."""
    return randomised(ri.BoltzmannMachine(4, dtype=np.float64))


def hidden_boltzmann_machine() -> ri.BoltzmannMachine:
    """Four visible spins and three hidden ones on a graph with odd cycles, hidden pairs among its edges."""
    edges = [(0, 1), (1, 2), (0, 4), (1, 4), (2, 5), (3, 5), (3, 6), (4, 5), (5, 6), (0, 6)]
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(7))
    graph.add_edges_from(edges)
    return randomised(ri.BoltzmannMachine(graph, n_visible=4, dtype=np.float64))


def pattern_boltzmann_machine() -> ri.PatternBoltzmannMachine:
    return randomised(ri.PatternBoltzmannMachine(4, 2, scale=1.3, learn_scale=True, dtype=np.float64))


def hidden_pattern_boltzmann_machine() -> ri.PatternBoltzmannMachine:
    return randomised(
        ri.PatternBoltzmannMachine(7, 2, 4, scale=1.3, learn_scale=True, biases=True, dtype=np.float64)
    )


def deep_boltzmann_machine() -> ri.DeepBoltzmannMachine:
    return randomised(ri.DeepBoltzmannMachine((4, 2, 3), dtype=np.float64))


def deeper_boltzmann_machine() -> ri.DeepBoltzmannMachine:
    return randomised(ri.DeepBoltzmannMachine((4, 2, 2, 1), dtype=np.float64))


def pattern_deep_boltzmann_machine() -> ri.PatternDeepBoltzmannMachine:
    return randomised(
        ri.PatternDeepBoltzmannMachine((4, 2, 3), 2, scale=1.3, learn_scale=True, dtype=np.float64)
    )


def biased_pattern_deep_boltzmann_machine() -> ri.PatternDeepBoltzmannMachine:
    return randomised(
        ri.PatternDeepBoltzmannMachine(
            (4, 3, 2), 2, scale=1.3, learn_scale=True, biases=True, dtype=np.float64
        )
    )


def randomised(model: Kind) -> Kind:
    """Return the model with all parameters but its scale drawn anew."""
    rng = np.random.default_rng(2)
    for name, array in model.parameters.items():
        if name != "scale":
            array[...] = rng.normal(0, 0.6, array.shape)
    return model


def general_models() -> list[ri.Model]:
    """Return one model of each kind on a graph or of several layers."""
    return [
        boltzmann_machine(),
        hidden_boltzmann_machine(),
        pattern_boltzmann_machine(),
        hidden_pattern_boltzmann_machine(),
        deep_boltzmann_machine(),
        deeper_boltzmann_machine(),
        pattern_deep_boltzmann_machine(),
        biased_pattern_deep_boltzmann_machine(),
    ]


def all_models() -> list[ri.Model]:
    """Return one model of each kind."""
    return [rbm(), pattern_rbm(), biased_pattern_rbm(), freely_biased_pattern_rbm(), *general_models()]


def kind(model: ri.Model) -> str:
    """The name of a model in the list of tests."""
    biased = {"visible_clamp", "clamp"} & model.parameters.keys()
    shape = "" if len(model.layers) == 2 else "-" + "-".join(map(str, (model.n_visible, *model.layers)))
    free = model.n_patterns and model.bias_names
    return model.name + shape + ("-biased" if biased else "-freely-biased" if free else "")
