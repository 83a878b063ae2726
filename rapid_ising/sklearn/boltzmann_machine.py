"""The Boltzmann machine on a graph as an estimator."""

from __future__ import annotations

from typing import Any, final

import networkx as nx
import numpy as np
from dimod.core.sampler import Sampler

from rapid_ising.backend import Backend
from rapid_ising.errors import InvalidParameterError
from rapid_ising.models import BoltzmannMachine as GraphMachine
from rapid_ising.models import Model
from rapid_ising.sklearn.base import BoltzmannEstimator, Likelihood, RandomState
from rapid_ising.training.negative_phase import NegativePhase
from rapid_ising.training.recipes import Recipe
from rapid_ising.typing import Reals, States
from rapid_ising.validation import positive_integer

SWEEPS = 20
"""Sweeps of the mean field over hidden spins that are coupled to each other."""


@final
class BoltzmannMachine(BoltzmannEstimator):
    r"""A Boltzmann machine of spins -1 and +1 on a graph, with hidden spins or without.

    .. math:: E(s) = -\sum_{(i,j)} J_{ij} s_i s_j - \sum_i b_i s_i

    Without hidden spins the features are the means of each spin of the data given all others of its row,
    <s_i> = tanh(b_i + sum_j J_ij s_j). With hidden spins they are the means m_a of these given the row v, in
    mean field: m_a = tanh(b_a + sum_i J_ai v_i + sum_c J_ac m_c), set in turn in 20 sweeps from m = 0. It is
    exact where no two hidden spins are coupled. Salakhutdinov and Hinton, "Deep Boltzmann Machines", AISTATS
    (2009), has it for layers. J and b are here those of ``model_`` over the temperature of the fit,
    ``model_.temperature``, which is 1 unless the recipe has another.

    Parameters
    ----------
    n_hidden
        The number of hidden spins.
    graph
        Which spins are coupled: a networkx graph whose nodes, in order, are the features of the data and then
        the hidden spins. None couples every pair.
    likelihood
        What ``score_samples`` returns: "pseudo" for the pseudo-log-likelihood, or "exact" for the
        log-likelihood, up to 26 spins or so. Both enumerate hidden spins, so that these should be few.
    recipe, epochs, batch_size, learning_rate, negative_phase, backend, threshold, random_state, verbose
        As for ``RapidRBM``.

    Attributes
    ----------
    data_values_
        The two values of the data, shape (2,), that which stands for the spin -1 first.
    model_
        The ``rapid_ising.BoltzmannMachine``, with all that it can do.
    run_
        The last training, a ``rapid_ising.TrainingRun``.
    n_features_in_, feature_names_in_
        As everywhere in scikit-learn.

    Examples
    --------
    >>> X = np.repeat([[-1, -1, 1], [1, 1, -1]], 20, axis=0)
    >>> machine = BoltzmannMachine(random_state=0).fit(X)
    >>> machine.data_values_, machine.transform(X)[0].round()
    (array([-1,  1]), array([-1., -1.,  1.]))
    """

    def __init__(
        self,
        n_hidden: int = 0,
        *,
        graph: nx.Graph[Any] | None = None,
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
        self.graph = graph
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
        spins = n_features + positive_integer("n_hidden", self.n_hidden, minimum=0)
        if self.graph is not None and len(self.graph) != spins:
            raise InvalidParameterError(
                f"graph has {len(self.graph)} nodes where {n_features} features and {self.n_hidden} hidden "
                f"spins need {spins}: give such a graph, or n_hidden={len(self.graph) - n_features}"
            )
        return GraphMachine(spins if self.graph is None else self.graph, n_features, seed=rng)

    def _means(self, model: Model, rows: States) -> Reals:
        problem, visible = model.problem(), model.n_visible
        if not model.n_hidden:
            means: Reals = np.tanh(-problem.local_fields(rows))
            return means
        hidden = np.arange(visible, visible + model.n_hidden)
        pairs = -problem.couplings.submatrix(hidden, hidden)
        unknown = np.zeros((len(rows), model.n_hidden))
        given = -(problem.couplings.dot(np.hstack([rows, unknown])) + problem.fields)[:, hidden]
        means = unknown
        # One spin after another: each step raises the bound on the likelihood, which steps of all may not.
        for _ in range(SWEEPS if pairs.any() else 1):
            for place, row in enumerate(pairs):
                means[:, place] = np.tanh(given[:, place] + means @ row)
        return means

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.n_hidden or self.model_.n_visible)
