"""The Boltzmann machines, one file each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from rapid_ising import storage
from rapid_ising.errors import CheckpointError
from rapid_ising.models.base import KIND
from rapid_ising.models.base import Model as Model
from rapid_ising.models.boltzmann_machine import BoltzmannMachine as BoltzmannMachine
from rapid_ising.models.data_start import start_from_data as start_from_data
from rapid_ising.models.deep_boltzmann_machine import DeepBoltzmannMachine as DeepBoltzmannMachine
from rapid_ising.models.graph import GraphModel as GraphModel
from rapid_ising.models.layered import LayeredModel as LayeredModel
from rapid_ising.models.pattern_boltzmann_machine import PatternBoltzmannMachine as PatternBoltzmannMachine
from rapid_ising.models.pattern_deep_boltzmann_machine import (
    PatternDeepBoltzmannMachine as PatternDeepBoltzmannMachine,
)
from rapid_ising.models.pattern_rbm import PatternRBM as PatternRBM
from rapid_ising.models.patterns import PatternModel as PatternModel
from rapid_ising.models.patterns import pattern_model as pattern_model
from rapid_ising.models.rbm import RBM as RBM
from rapid_ising.models.two_layers import TwoLayerModel as TwoLayerModel
from rapid_ising.models.two_layers import two_layer_model as two_layer_model

MODELS: dict[str, Any] = {
    kind.name: kind
    for kind in (
        RBM,
        PatternRBM,
        BoltzmannMachine,
        PatternBoltzmannMachine,
        DeepBoltzmannMachine,
        PatternDeepBoltzmannMachine,
    )
}
"""The classes of the models, by name."""


def load_model(path: str | os.PathLike[str]) -> Model:
    """Return the model that ``Model.save`` wrote.

    Raises
    ------
    CheckpointError
        If the file is missing, truncated, damaged, or holds something else.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     RBM(4, 2, seed=0).save(f"{folder}/model.safetensors")
    ...     load_model(f"{folder}/model.safetensors")
    RBM(n_visible=4, n_hidden=2, weight_std=0.01, dtype='float32')
    """
    return model_of(*storage.read(path, KIND), str(path))


def model_of(arrays: storage.Arrays, facts: Mapping[str, Any], path: str) -> Model:
    """Return the model of these parameters and of what ``Model.header`` tells.

    Raises
    ------
    CheckpointError
        If they make no model that this version knows; ``path`` is for the message.
    """
    kind = MODELS.get(str(facts.get("model")))
    if kind is None:
        raise CheckpointError(f"{path} holds a model of kind {facts.get('model')!r}, unknown to this version")
    try:
        model: Model = kind(**facts["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} has a damaged header: {error}") from error
    model.restore(arrays, path)
    model.temperature = float(facts.get("temperature", 1.0))
    return model
