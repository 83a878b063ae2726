"""The restricted Boltzmann machine as an estimator."""

from __future__ import annotations

from typing import final

import numpy as np
from dimod.core.sampler import Sampler

from rapid_ising.arrays import to_numpy
from rapid_ising.backend import Backend
from rapid_ising.models import RBM, Model, PatternRBM, two_layer_model
from rapid_ising.sklearn.base import BoltzmannEstimator, Likelihood, RandomState
from rapid_ising.training.negative_phase import NegativePhase
from rapid_ising.training.recipes import Recipe
from rapid_ising.typing import Reals, States


@final
class RapidRBM(BoltzmannEstimator):
    r"""A restricted Boltzmann machine, by default one whose weights are built from patterns.

    .. math:: E(v, h) = -\sum_{ai} W_{ai} h_a v_i - \sum_i b_i v_i - \sum_a c_a h_a, \quad
              W_{ai} = \frac{1}{\sqrt K} \sum_k \xi^k_a \xi^k_i

    of spins -1 and +1. Its features are the means of the hidden spins given a row, <h_a> = tanh((c_a +
    sum_i W_ai v_i) / T); for data of 0 and 1 they are the probabilities (1 + <h_a>) / 2. T is the temperature
    of the fit, ``model_.temperature``: 1, unless a recipe fits the model warm and keeps it cold. Eq. 1 of
    arXiv:1910.01592, with biases of their own (see ``rapid_ising.PatternRBM``).

    Parameters
    ----------
    n_hidden
        The number H of hidden spins, and of features.
    n_patterns
        The number K of patterns; None for free weights.
    recipe
        "default", "paper", "recall", "likelihood" or a ``rapid_ising.Recipe``.
    epochs
        How often ``fit`` goes through the data; None for the recipe's own number.
    batch_size, learning_rate, negative_phase
        As in ``rapid_ising.train``; None for the recipe's.
    backend
        The machine whose samples train the model, and that ``sample`` asks: a name, a Backend with its
        options, or any ``dimod.Sampler``. None trains by the recipe's negative phase.
    likelihood
        What ``score_samples`` returns: "pseudo" for the pseudo-log-likelihood, at any size, or "exact" for
        the log-likelihood, where the smaller layer has up to 22 spins. They are not to be compared.
    threshold
        None takes data of 0 and 1, or of -1 and +1, and nothing else. A number takes any data: what is above
        it stands for the spin +1, and what comes out is 0 and 1.
    random_state
        An int, a RandomState or None. The same int gives the same model and the same samples.
    verbose
        Whether to show the progress of training.

    Attributes
    ----------
    data_values_
        The two values of the data, shape (2,), that which stands for the spin -1 first.
    model_
        The ``rapid_ising.PatternRBM``, or the ``RBM``, with all that it can do.
    run_
        The last training, a ``rapid_ising.TrainingRun``.
    n_features_in_, feature_names_in_
        As everywhere in scikit-learn.

    Examples
    --------
    >>> X = np.repeat([[0, 0, 1, 1], [1, 1, 0, 0]], 20, axis=0)
    >>> rbm = RapidRBM(n_hidden=8, n_patterns=2, random_state=0).fit(X)
    >>> rbm.data_values_, rbm.transform(X).shape, rbm.sample(2).shape
    (array([0, 1]), (40, 8), (2, 4))
    >>> rbm.reconstruct([[0, 0, 0, 0]], known=np.array([False, True, False, False]))
    array([[0, 0, 1, 1]])
    """

    def __init__(
        self,
        n_hidden: int = 100,
        *,
        n_patterns: int | None = 32,
        recipe: str | Recipe = "default",
        epochs: int | None = 100,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        negative_phase: str | NegativePhase | None = None,
        backend: str | Backend | Sampler | None = None,
        likelihood: Likelihood = "pseudo",
        threshold: float | None = None,
        random_state: RandomState = None,
        verbose: bool = False,
    ) -> None:
        self.n_hidden = n_hidden
        self.n_patterns = n_patterns
        self.recipe = recipe
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.negative_phase = negative_phase
        self.backend = backend
        self.likelihood = likelihood
        self.threshold = threshold
        self.random_state = random_state
        self.verbose = verbose

    def _model(self, n_features: int, rng: np.random.Generator) -> Model:
        if self.n_patterns is None:
            return RBM(n_features, self.n_hidden, seed=rng)
        return PatternRBM(n_features, self.n_hidden, self.n_patterns, seed=rng, biases="free")

    def _means(self, model: Model, rows: States) -> Reals:
        fields = two_layer_model(model, "transform").hidden_fields(rows.astype(model.dtype))
        means: Reals = np.tanh(to_numpy(fields))
        return means

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.n_hidden)
