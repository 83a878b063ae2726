"""PyTorch: a Boltzmann machine as the prior of somebody's network, trained by samples of any machine."""

from __future__ import annotations

import copy
from typing import Any, final

import numpy as np
from dimod.core.sampler import Sampler

from rapid_ising.arrays import to_numpy
from rapid_ising.backend import Backend
from rapid_ising.errors import (
    DivergenceError,
    InvalidDataError,
    InvalidParameterError,
    MissingDependencyError,
)
from rapid_ising.models import Model
from rapid_ising.training import negative_phase as phases
from rapid_ising.validation import Seed, generator, spins

try:
    import torch
except ImportError as error:
    raise MissingDependencyError(
        "rapid_ising.torch needs PyTorch, not installed here: pip install 'rapid-ising[torch]'"
    ) from error


@final
class NegativePhase(torch.nn.Module):  # type: ignore[misc]
    r"""A quasi-objective whose gradient is that of the negative log-likelihood of a Boltzmann machine.

    .. math:: \nabla_\theta = \langle \nabla_\theta E \rangle_{\text{data}}
              - \langle \nabla_\theta E \rangle_{\text{model}}, \quad
              \nabla_v = \langle \nabla_v E \rangle_{h | v}

    The first is the gradient in the machine's parameters, which are those of this module; the second average
    in it, the negative phase, comes from samples of any backend, and is a constant for autograd. The second
    is the gradient in the data, which may be codes of an encoder: that of their free energy. Both are those
    of -log P(v), averaged over the rows, at beta = 1.

    The value is no likelihood: it is <E>_data - <E>_model where the energy is linear in the parameters, as in
    an RBM, and has no meaning elsewhere.

    Parameters
    ----------
    model
        The machine: any model of this library, of which the module makes a copy to start with. The property
        ``model`` gives that copy with the present numbers; the one given here stays as it is.
    backend
        Where low-energy samples come from: a name, a Backend or any ``dimod.Sampler``. The stages that the
        model needs on it are put around it, so that its ranges, its graph and its temperature are dealt with,
        as ``prepare`` does. Left out, "gibbs".
    num_reads
        The reads of each call; None takes 64, or enough to start at each pattern equally often.
    negative_phase
        A method instead of a backend: "pcd", "exact" or an object, as in ``train``.
    seed
        Seeds all sampling.

    Raises
    ------
    InvalidParameterError
        If both a backend and a negative phase are given, or the model is none.

    Examples
    --------
    >>> from rapid_ising import RBM
    >>> prior = NegativePhase(RBM(4, 2, seed=0), "exact", num_reads=100, seed=0)
    >>> codes = torch.tensor([[1.0, -1.0, 1.0, 1.0]], requires_grad=True)
    >>> prior(codes).backward()
    >>> codes.grad.shape, sorted(name for name, _ in prior.named_parameters())
    (torch.Size([1, 4]), ['hidden_biases', 'visible_biases', 'weights'])
    """

    def __init__(
        self,
        model: Model,
        backend: str | Backend | Sampler | None = None,
        *,
        num_reads: int | None = None,
        negative_phase: str | phases.NegativePhase | None = None,
        seed: Seed = None,
    ) -> None:
        super().__init__()
        if not isinstance(model, Model):
            raise InvalidParameterError(f"model must be a model such as RBM, not {type(model).__name__}")
        if negative_phase is not None and (backend is not None or num_reads is not None):
            raise InvalidParameterError(
                "give either negative_phase or a backend and its num_reads: backend=X is "
                "negative_phase=BackendSamples(X)"
            )
        self._model = copy.deepcopy(model)
        self._phase = (
            phases.BackendSamples("gibbs" if backend is None else backend, num_reads=num_reads)
            if negative_phase is None
            else copy.copy(phases.as_negative_phase(negative_phase))
        )
        self._started = False
        self._rng = generator(seed)
        # Copies: a parametrisation, or a network that gives the numbers, may put others in their place.
        for name, array in model.parameters.items():
            values = torch.as_tensor(array).detach().clone()
            self.register_parameter(name, torch.nn.Parameter(values))

    @property
    def model(self) -> Model:
        """The module's copy of the machine, with the present numbers of the parameters.

        Raises
        ------
        DivergenceError
            If one is no longer finite, and so from ``forward`` and ``sample`` too.
        """
        present = {name: getattr(self, name).detach() for name in self._model.parameters}
        for name, values in present.items():
            if not bool(torch.isfinite(values).all()):
                raise DivergenceError(
                    f"{name} of the prior is no longer finite: lower the learning rate, and begin "
                    "again from parameters that are finite"
                )
        self._model.set_parameters(present)
        return self._model

    def forward(self, visible: torch.Tensor) -> torch.Tensor:
        """Return the quasi-objective of rows of visible spins, a scalar.

        Parameters
        ----------
        visible
            Spins -1 and +1, shape (n, V) or one row (V,); or values between, of relaxed spins, for a model
            whose hidden spins are independent given these. Rows of 0 and 1 are refused, but values strictly
            between these are taken for relaxed spins: from 0 to 1 scale them by 2 v - 1.

        Raises
        ------
        InvalidDataError
            If they are no such rows.
        DivergenceError
            If a parameter is no longer finite.
        """
        model = self.model
        rows = self._checked(visible)
        if not self._started:
            self._phase.start(model, rows, self._rng)
            self._started = True
        chains = model.posterior(rows, self._rng)
        positive = model.statistics(chains)
        negative = self._phase.statistics(model, chains, self._rng)
        total = visible.new_zeros(())
        for name, ascent in model.gradient(positive, negative).items():
            parameter = getattr(self, name)
            total = total - (parameter * _like(ascent, parameter)).sum()
        if visible.requires_grad:
            problem = model.problem()
            states = to_numpy(positive.rows())
            fields = problem.couplings.dot(states) + problem.fields
            slope = _like(fields[:, : model.n_visible], visible) / len(states)
            # A difference that is 0: the value stays that of the energies.
            total = total + ((visible - visible.detach()) * slope).sum()
        return total

    def sample(self, num_reads: int = 1) -> torch.Tensor:
        """Return visible states that the backend draws, shape (num_reads, V), for a decoder.

        Where a method takes the backend's place they are drawn by "gibbs".
        """
        backend = self._phase.backend if isinstance(self._phase, phases.BackendSamples) else "gibbs"
        states = self.model.sample(num_reads, backend=backend, seed=self._rng)
        return _like(states, getattr(self, next(iter(self._model.parameters))))

    def _checked(self, visible: torch.Tensor) -> Any:
        """Return rows of visible spins where the model's parameters lie, in their type."""
        model = self._model
        if not isinstance(visible, torch.Tensor):
            raise InvalidDataError(f"visible must be a torch.Tensor, not {type(visible).__name__}")
        given = visible.detach().cpu().to(torch.float64)
        given = given[None] if given.ndim == 1 else given
        if given.ndim and not len(given):
            raise InvalidDataError("visible has no rows: give one or more")
        values = given.numpy()
        alone = len(model.layers) == 2 or not model.n_hidden
        fits = values.shape[1:] == (model.n_visible,) and bool((np.abs(values) <= 1).all())
        if not (alone and fits) or np.isin(values, (0, 1)).all():
            values = spins("visible", given, model.n_visible)
        return model.place.put(values.astype(model.dtype))


def _like(array: Any, tensor: torch.Tensor) -> torch.Tensor:
    """Return an array of any place as a tensor of the device and type of another."""
    return torch.as_tensor(array, dtype=tensor.dtype, device=tensor.device)
