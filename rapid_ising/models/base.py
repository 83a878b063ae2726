"""What every Boltzmann machine can do, and how its Gibbs chains are kept."""

from __future__ import annotations

import math
import os
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, TypeAlias, cast

import dimod
import numpy as np
import numpy.typing as npt
from dimod.core.sampler import Sampler

from rapid_ising import storage
from rapid_ising.arrays import NUMPY, Device, Place, all_finite, to_numpy
from rapid_ising.backend import Backend
from rapid_ising.errors import CheckpointError, InvalidDataError, InvalidParameterError
from rapid_ising.ising import IsingModel
from rapid_ising.models.statistics import SampleStatistics, Statistics
from rapid_ising.registry import as_backend
from rapid_ising.typing import Floats, Indices, Reals, States
from rapid_ising.validation import (
    MODEL,
    Seed,
    finite,
    generator,
    inverse_temperature,
    positive_integer,
    rectangular,
    spins,
)

KIND = "model"
THERMOMETER = 64
"""The reads of a machine whose temperature has to be measured."""
Known: TypeAlias = npt.NDArray[np.bool_] | None
"""Which visible spins a Gibbs step holds."""


def float_type(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Return ``dtype`` as float32 or float64."""
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = np.dtype(object)
    if kind not in (np.float32, np.float64):
        raise InvalidParameterError(f"dtype must be float32 or float64, not {dtype}")
    return kind


class Model(ABC):
    r"""A Boltzmann machine of V visible and H hidden spins -1 and +1.

    .. math:: P(v, h) \propto e^{-\beta E(v, h)}, \quad P(v) = \sum_h P(v, h)

    Its Ising problem has the visible spins first, 0..V-1, then the hidden ones. Gibbs chains are rows of the
    spins that a chain carries from step to step, ``carried``, visible spins first; those that it does not
    carry are independent given them and drawn anew in each step.
    """

    name: ClassVar[str]
    n_visible: int
    n_hidden: int
    dtype: np.dtype[Any]
    parameters: dict[str, Floats]
    """The arrays that training changes in place."""
    n_patterns: int = 0
    """The number K of patterns that the weights are built from; 0 where they are free."""
    temperature: float = 1.0
    """The temperature at which the model is what its last training fitted to the data."""
    bias_names: tuple[str, ...] = ()
    """The free biases of each layer, of machines that have a centred gradient."""
    pattern_names: tuple[str, ...] = ()
    """The parameters that are entries of patterns, one row a pattern."""

    @property
    @abstractmethod
    def layers(self) -> tuple[int, ...]:
        """The sizes of the layers, the visible one first; one layer of all N spins on a graph."""

    @property
    @abstractmethod
    def carried(self) -> Indices:
        """The spins of a Gibbs chain, shape (C,), of which the first V are the visible ones."""

    @abstractmethod
    def gradient(self, positive: Statistics, negative: Statistics) -> dict[str, Floats]:
        """Return the gradient of the log-likelihood at beta = 1 in the trained parameters.

        d log P / d theta = <-dE/d theta>_positive - <-dE/d theta>_negative, the first average over the data,
        the second over the model.
        """

    def centred(self, gradient: Mapping[str, Floats], offsets: Sequence[Floats]) -> dict[str, Floats]:
        """Return the gradient with its weights' part as it is for spins counted from the layers' offsets."""
        raise InvalidParameterError(f"a {type(self).__name__} has no centred gradient")

    def pulls(self, layers: Sequence[Floats]) -> list[Floats]:
        """Return what the weights add to the fields of each layer in a state of all layers."""
        raise InvalidParameterError(f"a {type(self).__name__} has no free biases of layers")

    @abstractmethod
    def statistics(self, chains: Floats, divisor: int | None = None) -> SampleStatistics:
        """Return the averages over chains, the spins that they do not carry replaced by their means."""

    @abstractmethod
    def gibbs_step(
        self, chains: Floats, beta: float, rng: np.random.Generator, steps: int = 1, known: Known = None
    ) -> Floats:
        """Return the chains after ``steps`` steps that draw every spin given the others.

        0 in a chain is a spin not known yet. ``known``, shape (V,), is True where a visible spin is held.
        """

    @abstractmethod
    def tempered_step(
        self, chains: Floats, beta: float | Reals, rng: np.random.Generator
    ) -> tuple[Floats, Reals]:
        """Return the chains after one step, and the energies of the states of all spins that it ends at.

        ``beta`` is one inverse temperature, or one a chain, shape (n,).
        """

    @abstractmethod
    def posterior(self, visible: Floats, rng: np.random.Generator) -> Floats:
        """Return chains at the data, their hidden spins drawn given the visible ones at beta = 1."""

    @abstractmethod
    def relaxed(self, chains: Floats) -> States:
        """Return states of all spins, shape (n, N): those that chains do not carry along their fields."""

    @abstractmethod
    def free_energy(self, visible: npt.ArrayLike, beta: float = 1.0) -> Reals:
        r"""Return the free energy of visible states, shape (n,), in float64.

        .. math:: F_\beta(v) = -\frac{1}{\beta} \log \sum_h e^{-\beta E(v, h)}

        so that P(v) = exp(-beta F(v)) / Z. At beta = infinity it is the lowest energy over h.
        """

    @abstractmethod
    def problem(self) -> IsingModel:
        """Return the Ising problem of all spins, in dimod's sign."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Return the arguments that make a model of this shape, as JSON values."""

    @property
    def place(self) -> Place:
        """Where its parameters lie, and its chains are drawn."""
        return Place.of(next(iter(self.parameters.values())))

    def to(self, device: Device) -> Self:
        """Move the parameters, and with them all work, to another library of arrays or device.

        Parameters
        ----------
        device
            "cpu" for NumPy, the default; another name, such as "cuda", for PyTorch on that device; or the
            namespace of a library whose arrays follow the array API standard and change in place.

        Returns
        -------
        Model
            This model. Optimizers and chains of a training follow at its next update; files are NumPy's.

        Raises
        ------
        InvalidParameterError
            If there is no such device here, or the model has not two layers: such draw their spins in
            compiled loops.
        MissingDependencyError
            If PyTorch is needed and not installed.
        """
        if Place.named(device) != NUMPY:
            raise InvalidParameterError(
                f"a {type(self).__name__} draws its spins in compiled loops, on the CPU alone: leave device "
                "out, or take an RBM or a PatternRBM, whose layers are drawn on any device"
            )
        return self

    def numpy_parameters(self) -> dict[str, Floats]:
        """Return the parameters as NumPy's arrays: themselves where they are, else copies."""
        return {name: to_numpy(array) for name, array in self.parameters.items()}

    def set_parameters(self, arrays: Mapping[str, npt.ArrayLike]) -> None:
        """Replace the entries of some parameters, in place, by numbers of any place."""
        place = self.place
        for name, array in arrays.items():
            values = np.asarray(to_numpy(array), self.dtype)
            self.parameters[name][...] = place.put(values)

    @property
    def linear_names(self) -> tuple[str, ...]:
        """The parameters that are factors of the energy: all of them where weights and biases are free."""
        return tuple(self.parameters)

    def rescale(self, beta: float) -> None:
        """Multiply the energy by ``beta``, so that the model is at 1 what it was at ``beta``.

        ``temperature`` follows: a later training starts from what the last one fitted, without the factor. To
        train on from here set ``temperature`` to 1.

        Raises
        ------
        InvalidParameterError
            If ``beta`` is not positive, or takes the parameters out of their type's range.
        """
        factor = finite("beta", beta, minimum=0, exclusive=True)
        if factor == 1:
            return
        with np.errstate(all="ignore"):
            rounded = float(self.dtype.type(factor))
            scaled = {name: rounded * self.parameters[name] for name in self.linear_names}
            whole = all(all_finite(array) for array in scaled.values())
        if not whole or not rounded:
            raise InvalidParameterError(f"beta = {factor:g} takes the parameters out of {self.dtype.name}")
        for name, array in scaled.items():
            self.parameters[name][...] = array
        self.temperature *= factor

    def states(self) -> Floats:
        """Return the patterns as chains, one or two a pattern, with the signs that make clamped spins +1."""
        raise InvalidParameterError(f"a {type(self).__name__} is not built from patterns")

    def chains_at(self, visible: Floats) -> Floats:
        """Return chains at visible states, their hidden spins not known yet, that is 0."""
        hidden = len(self.carried) - self.n_visible
        return np.hstack([visible, np.zeros((len(visible), hidden), visible.dtype)]) if hidden else visible

    def random_chains(self, count: int | tuple[int, ...], rng: np.random.Generator) -> Floats:
        """Return chains of even spins, shape (count, C); ``count`` may have several dimensions."""
        shape = (count,) if isinstance(count, int) else count
        drawn = (2 * rng.integers(2, size=(*shape, len(self.carried))) - 1).astype(self.dtype)
        return cast(Floats, self.place.put(drawn))

    def __repr__(self) -> str:
        # The edges of a graph are too many to be shown.
        arguments = ", ".join(f"{key}={reprlib.repr(value)}" for key, value in self.config().items())
        return f"{type(self).__name__}({arguments})"

    def ising(self, clamped: npt.ArrayLike | None = None) -> IsingModel:
        """Return the Ising problem of the free spins: all of them, or those that ``clamped`` leaves free.

        Parameters
        ----------
        clamped
            One number a visible spin: -1 or +1 fixes it, 0 leaves it free; shape (V,). Free spins keep their
            order, visible before hidden.
        """
        problem = self.problem()
        if clamped is None:
            return problem
        fixed = np.asarray(clamped)
        if fixed.shape != (self.n_visible,):
            raise InvalidDataError(f"clamped must have {self.n_visible} values, not shape {fixed.shape}")
        return problem.clamp(np.concatenate([fixed, np.zeros(self.n_hidden)]))[0]

    def sample(
        self,
        num_reads: int = 1,
        *,
        backend: str | Backend | Sampler | None = None,
        beta: float = 1.0,
        seed: Seed = None,
        deadline: float | None = None,
    ) -> States:
        """Return visible states drawn by a machine.

        Parameters
        ----------
        num_reads
            The number of states.
        backend
            The machine: a name, a Backend or any ``dimod.Sampler``; stages are put around it as
            ``prepare`` says. Left out, "gibbs", or for ground states, at beta = infinity, "annealing".
        beta, seed, deadline
            As in ``Backend.sample``.

        Returns
        -------
        States
            Shape (num_reads, V); fewer rows from a machine that returns each state once. Where reads have
            weights, each row comes as often as its weight says.
        """
        # Here, as below: the stages take longer to import than the models.
        from rapid_ising.machine.prepare import prepare

        problem = self.ising()
        backend = default_backend(beta) if backend is None else backend
        machine = prepare(backend, problem, beta=beta, num_reads=num_reads, show=False)
        answer = machine.sample(problem, num_reads=num_reads, beta=beta, seed=seed, deadline=deadline)
        return even_rows(answer, generator(seed, MODEL))[:, : self.n_visible]

    def reconstruct(
        self,
        partial: npt.ArrayLike,
        mask: npt.ArrayLike,
        *,
        beta: float = 1.0,
        steps: int = 1,
        unknown: npt.ArrayLike = 0.0,
        backend: str | Backend | Sampler | None = None,
        seed: Seed = None,
        deadline: float | None = None,
    ) -> States:
        """Fill in the unknown pixels of images.

        Parameters
        ----------
        partial
            The images, shape (n, V) or (V,); what stands at unknown pixels is not looked at.
        mask
            True where a pixel is known, shape (V,).
        beta
            The inverse temperature; infinity gives the most likely completion of each step.
        steps
            Gibbs steps v -> h -> v from the known pixels. Known pixels are kept at each.
        unknown
            What unknown pixels start at, one number or one a pixel. 0 says nothing of a pixel; where data
            have means, these say more. A machine on a graph, which draws spins one after another, takes
            values between -1 and 1 as 0.
        backend
            A machine that samples the unknown and hidden spins with the known ones clamped, instead.
        seed, deadline
            As in ``Backend.sample``.

        Returns
        -------
        States
            Whole images, shape (n, V), the known pixels as they were.
        """
        known = known_pixels(mask, self.n_visible)
        given = rectangular("partial images", partial)
        given = given[np.newaxis] if given.ndim == 1 else given
        if given.ndim != 2 or given.shape[1] != self.n_visible:
            raise InvalidDataError(
                f"partial images have shape {given.shape} where rows of {self.n_visible} are needed"
            )
        spins("known pixels", given[:, known])
        start = np.where(known, given, starting_values(unknown, self.n_visible)).astype(self.dtype)
        rng, inverse = generator(seed), inverse_temperature(beta)
        if backend is not None:
            from rapid_ising.machine.prepare import prepare

            images = np.where(known, start, 0).astype(np.int8)
            machine = as_backend(backend)
            # One read an image; a machine with a temperature of its own needs more to measure that by.
            reads = THERMOMETER if machine.capabilities.temperature == "effective" else 1
            for place, image in enumerate(images):
                problem = self.ising(image)
                if place == 0:
                    machine = prepare(machine, problem, beta=inverse, num_reads=reads, show=False)
                answer = machine.sample(problem, num_reads=reads, beta=inverse, seed=rng, deadline=deadline)
                image[~known] = rows_of(answer)[0, : int((~known).sum())]
            return images
        count = positive_integer("steps", steps)
        chains = self.gibbs_step(self.chains_at(start), inverse, rng, count, known)
        return np.asarray(to_numpy(chains)[:, : self.n_visible], np.int8)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one safetensors file."""
        storage.write(path, KIND, self.numpy_parameters(), self.header())

    def header(self) -> dict[str, Any]:
        """Return what a file of the model holds beside its parameters."""
        return {"model": self.name, "config": self.config(), "temperature": self.temperature}

    def restore(self, arrays: dict[str, Any], source: str) -> None:
        """Copy saved parameters into this model, or raise CheckpointError where they do not fit."""
        if set(arrays) != set(self.parameters):
            raise CheckpointError(
                f"{source} has parameters {sorted(arrays)} where this model has {sorted(self.parameters)}"
            )
        for name, array in self.parameters.items():
            if arrays[name].shape != tuple(array.shape) or arrays[name].dtype != self.dtype:
                raise CheckpointError(
                    f"{source} has {name} of {arrays[name].shape} {arrays[name].dtype} where this model has "
                    f"{tuple(array.shape)} {self.dtype}: it belongs to another model"
                )
        self.set_parameters(arrays)


def default_backend(beta: float) -> str:
    """Return the machine that samples where none is named: chains, or a search for ground states.

    >>> default_backend(1.0), default_backend(float("inf"))
    ('gibbs', 'annealing')
    """
    return "annealing" if math.isinf(beta) else "gibbs"


def rows_of(answer: dimod.SampleSet) -> States:
    """Return the samples of a problem with spins 0..N-1 as an array, one row a read."""
    return np.asarray(answer.record.sample, dtype=np.int8)


def weights_of(answer: dimod.SampleSet) -> Reals | None:
    """Return the importance weights of the samples, of mean 1, or None when all count alike."""
    names = answer.record.dtype.names or ()
    return np.asarray(answer.record.weight, dtype=np.float64) if "weight" in names else None


def even_rows(answer: dimod.SampleSet, rng: np.random.Generator) -> States:
    """Return the samples as rows that count alike: each row as often as its weight says, on average.

    Systematic resampling: the copies of a row are its weight rounded up or down.
    """
    rows, weights = rows_of(answer), weights_of(answer)
    if weights is None:
        return rows
    points = (np.arange(len(rows)) + rng.random()) / len(rows)
    places = np.searchsorted(np.cumsum(weights) / weights.sum(), points, side="right")
    return rows[np.minimum(places, len(rows) - 1)]


def starting_values(unknown: npt.ArrayLike, width: int) -> Reals:
    """Return what unknown pixels start at, shape (width,), each from -1 to 1."""
    values = np.asarray(unknown, dtype=np.float64)
    if values.shape not in ((), (width,)) or not (np.abs(values) <= 1).all():
        raise InvalidDataError(
            f"unknown must be a number from -1 to 1, or one for each of {width} pixels, not {unknown!r}"
        )
    return np.broadcast_to(values, (width,))


def known_pixels(mask: npt.ArrayLike, width: int) -> npt.NDArray[np.bool_]:
    """Return ``mask`` as a boolean array of ``width``."""
    known = np.asarray(mask)
    if known.dtype != bool or known.shape != (width,):
        raise InvalidDataError(
            f"mask must be a boolean array of shape ({width},), True where a pixel is known, "
            f"not {known.dtype} of shape {known.shape}"
        )
    return known
