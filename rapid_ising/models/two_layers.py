"""What every machine with one visible and one hidden layer can do."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Self

import numpy as np
import numpy.typing as npt

from rapid_ising.arrays import Device, Place, beside, is_numpy, namespace, signs, to_numpy, widened
from rapid_ising.couplings import row_products
from rapid_ising.enumeration import log_2cosh_sums
from rapid_ising.errors import InvalidParameterError
from rapid_ising.layer_fields import LayerFields, block_sweeps
from rapid_ising.models.base import Known, Model
from rapid_ising.models.statistics import SampleStatistics
from rapid_ising.typing import Floats, Indices, Reals, States
from rapid_ising.validation import inverse_temperature, spins


class TwoLayerModel(Model):
    r"""A machine of V visible and H hidden spins, coupled between the layers only.

    .. math:: E(v, h) = -\sum_{ai} W_{ai} h_a v_i - \sum_i b_i v_i - \sum_a c_a h_a

    Its chains are visible states: the hidden spins are independent given them.
    """

    @abstractmethod
    def layer_fields(self, states: int = 1) -> tuple[LayerFields, LayerFields]:
        """Return the fields on the hidden layer and on the visible one, in dimod's sign.

        ``states`` is for how many states they will be worked out: a large number pays for preparations.
        """

    def _here(self, states: Floats) -> Floats:
        """Return states where the parameters lie, and there in their type: only NumPy mixes types."""
        first = next(iter(self.parameters.values()))
        if is_numpy(first) and is_numpy(states):
            return states
        if is_numpy(first) or not is_numpy(states):
            here: Floats = self.place.put(states)
            return here
        return beside(states, first)

    def hidden_fields(self, visible: Floats) -> Floats:
        """Return x_a = c_a + sum_i W_ai v_i of each row, shape (n, H); <h_a> = tanh(beta x_a)."""
        fields = self.layer_fields()[0].fields(self._here(visible))
        fields *= -1.0
        return fields

    def visible_fields(self, hidden: Floats) -> Floats:
        """Return y_i = b_i + sum_a W_ai h_a of each row, shape (n, V); <v_i> = tanh(beta y_i)."""
        fields = self.layer_fields()[1].fields(self._here(hidden))
        fields *= -1.0
        return fields

    def to(self, device: Device) -> Self:  # noqa: D102
        place = Place.named(device)
        self.parameters = {name: place.put(array) for name, array in self.parameters.items()}
        return self

    @property
    def biases(self) -> Floats | None:
        """The visible biases b, shape (V,), or None where the model has none."""
        return self.parameters.get("visible_biases")

    @property
    def carried(self) -> Indices:  # noqa: D102
        return np.arange(self.n_visible)

    @property
    def layers(self) -> tuple[int, ...]:  # noqa: D102
        return (self.n_visible, self.n_hidden)

    def statistics(self, chains: Floats, divisor: int | None = None) -> SampleStatistics:  # noqa: D102
        states = self._here(chains)
        return SampleStatistics([states], divisor, means=self._hidden_means)

    def _hidden_means(self, states: Floats) -> Floats:
        return self.layer_fields(states.shape[0])[0].means(states)

    def posterior(self, visible: Floats, rng: np.random.Generator) -> Floats:  # noqa: D102
        return visible

    def gibbs_step(  # noqa: D102
        self, chains: Floats, beta: float, rng: np.random.Generator, steps: int = 1, known: Known = None
    ) -> Floats:
        if not steps:
            return chains
        up, down = self.layer_fields(steps * chains.shape[0])
        return block_sweeps(up, down, self._here(chains), np.full(steps, beta), rng, known)[0]

    def tempered_step(  # noqa: D102
        self, chains: Floats, beta: float | Reals, rng: np.random.Generator
    ) -> tuple[Floats, Reals]:
        energies = np.empty(chains.shape[0])
        up, down = self.layer_fields(chains.shape[0])
        states = self._here(chains)
        return block_sweeps(up, down, states, np.array([beta]), rng, energies=energies)[0], energies

    def relaxed(self, chains: Floats) -> States:  # noqa: D102
        hidden = signs(self.hidden_fields(chains))
        return np.hstack([to_numpy(chains), to_numpy(hidden)]).astype(np.int8)

    def free_energy(self, visible: npt.ArrayLike, beta: float = 1.0) -> Reals:
        r"""Return the free energy of visible states, shape (n,), in float64.

        .. math:: F_\beta(v) = -\sum_i b_i v_i - \frac{1}{\beta} \sum_a \log 2\cosh(\beta x_a(v))

        so that P(v) = exp(-beta F(v)) / Z. At beta = infinity it is the lowest energy over h.
        """
        given = spins("visible states", visible, self.n_visible).astype(self.dtype)
        inverse = inverse_temperature(beta)
        rows, biases = self._here(given), self.biases
        fields = widened(self.hidden_fields(rows))
        linear = np.zeros(len(given)) if biases is None else to_numpy(rows @ biases).astype(np.float64)
        if math.isinf(inverse):
            xp = namespace(fields)
            lowest: Reals = -linear - to_numpy(xp.sum(abs(fields), axis=1, dtype=self.place.wide()))
            return lowest
        if inverse == 0:
            raise InvalidParameterError("the free energy has no limit at beta = 0")
        energies: Reals = -linear - log_2cosh_sums(inverse * fields) / inverse
        return energies

    def energies(self, visible: Floats, hidden: Floats) -> Reals:
        """Return E(v, h) of pairs of rows, shape (n,), in float64."""
        # y_i v_i sums over both the couplings and the visible biases; c_a = x_a at v = 0.
        energies = -row_products(to_numpy(self.visible_fields(hidden)), to_numpy(visible))
        constant = to_numpy(self.hidden_fields(np.zeros((1, self.n_visible), self.dtype)))
        energies -= (to_numpy(hidden) @ constant[0]).astype(np.float64)
        return energies


def two_layer_model(model: Model, method: str) -> TwoLayerModel:
    """Return the model, or raise when it has not the two layers that ``method`` needs."""
    if not isinstance(model, TwoLayerModel):
        raise InvalidParameterError(
            f"{method} needs a model of one visible and one hidden layer, an RBM or a PatternRBM, and not a "
            f"{type(model).__name__}"
        )
    return model
