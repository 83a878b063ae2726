"""The Boltzmann machines, one file each."""

from __future__ import annotations

import os

from rapid_ising import storage
from rapid_ising.errors import CheckpointError
from rapid_ising.models.base import KIND
from rapid_ising.models.base import Model as Model
from rapid_ising.models.pattern_rbm import PatternRBM as PatternRBM
from rapid_ising.models.pattern_rbm import pattern_model as pattern_model
from rapid_ising.models.rbm import RBM as RBM
from rapid_ising.models.two_layers import TwoLayerModel as TwoLayerModel
from rapid_ising.models.two_layers import two_layer_model as two_layer_model

MODELS: dict[str, type[RBM] | type[PatternRBM]] = {RBM.name: RBM, PatternRBM.name: PatternRBM}


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
    arrays, facts = storage.read(path, KIND)
    kind = MODELS.get(str(facts.get("model")))
    if kind is None:
        raise CheckpointError(f"{path} holds a model of kind {facts.get('model')!r}, unknown to this version")
    try:
        model = kind(**facts["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} has a damaged header: {error}") from error
    model.restore(arrays, str(path))
    return model
