"""What the estimators share: training, features, samples, scores and reconstructions of two-valued data."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from dimod.core.sampler import Sampler

from rapid_ising.backend import Backend
from rapid_ising.errors import InvalidDataError, MissingDependencyError, UnknownNameError
from rapid_ising.evaluation.likelihood import log_probabilities
from rapid_ising.evaluation.pseudo_likelihood import pseudo_log_probabilities
from rapid_ising.models import MODELS, Model
from rapid_ising.models.base import known_pixels
from rapid_ising.sklearn.data_values import as_spins, data_values, from_means, from_spins
from rapid_ising.training.negative_phase import NegativePhase
from rapid_ising.training.optimizers import Optimizer
from rapid_ising.training.recipes import Recipe, as_recipe
from rapid_ising.training.schedules import Constant
from rapid_ising.training.train import train
from rapid_ising.typing import Reals, States
from rapid_ising.validation import finite

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    if (error.name or "").partition(".")[0] != "sklearn":
        raise
    raise MissingDependencyError(
        "rapid_ising.sklearn needs scikit-learn 1.6 or newer, not installed here: "
        "pip install 'rapid-ising[sklearn]'"
    ) from error

RandomState: TypeAlias = int | np.random.RandomState | None
"""What scikit-learn takes for ``random_state``."""
Likelihood: TypeAlias = Literal["pseudo", "exact"]
"""What the score of a row is."""
MEASURES: dict[str, Callable[[Model, States], Reals]] = {
    "pseudo": pseudo_log_probabilities,
    "exact": log_probabilities,
}


class BoltzmannEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """A Boltzmann machine as scikit-learn sees it.

    Data are 0 and 1, or -1 and +1; the machine is one of spins either way, the same for the same data. What
    comes out is in the values that came in: samples, reconstructions, and features, which are means.

    Features, samples and scores are of the law that was fitted, that of ``model_`` at beta = 1 / T, T being
    its ``temperature``: 1, unless a recipe fits a model warm that is kept cold. A ``fit`` that fails, or is
    interrupted, leaves the estimator as it was.
    """

    recipe: str | Recipe
    epochs: int | None
    batch_size: int | None
    learning_rate: float | None
    negative_phase: str | NegativePhase | None
    backend: str | Backend | Sampler | None
    likelihood: Likelihood
    threshold: float | None
    random_state: RandomState
    verbose: bool

    @abstractmethod
    def _model(self, n_features: int, rng: np.random.Generator) -> Model:
        """Return the untrained model of data of so many features."""

    @abstractmethod
    def _means(self, model: Model, rows: States) -> Reals:
        """Return the features of rows of spins, means from -1 to 1."""

    @property
    @abstractmethod
    def _n_features_out(self) -> int:
        """The number of features that ``transform`` returns, by scikit-learn's name for it."""

    def fit(self, X: npt.ArrayLike, y: object = None) -> Self:
        """Train a new model on the rows of X, shape (n, V); ``y`` is not looked at.

        Raises
        ------
        InvalidDataError, InvalidParameterError, UnknownNameError
            Before any work, if data or a parameter are wrong.
        DivergenceError, BackendError
            As ``rapid_ising.train``.
        KeyboardInterrupt
            After Ctrl-C.
        """
        new = copy.copy(self)
        return self._become(new._train(new._begin(X), self.epochs))

    def partial_fit(self, X: npt.ArrayLike, y: object = None) -> Self:
        """Train for one epoch on the rows of X, from where the model stands, or on a new one at first.

        The learning rate stays at its first value. Chains, and what the optimizer remembers, begin anew with
        each call: a few hundred rows a call are better than a few. Raises as ``fit``.
        """
        new = copy.copy(self)
        rows = new._rows(X) if hasattr(new, "model_") else new._begin(X)
        steady = copy.copy(as_recipe(self.recipe, new.model_, rows).optimizer)
        steady.schedule = Constant()
        return self._become(new._train(rows, 1, steady))

    def transform(self, X: npt.ArrayLike) -> Reals:
        """Return the features of rows, shape (n, n_features_out): means, in the values of the data.

        They are means of the law that was fitted, at beta = 1 / ``model_.temperature``.
        """
        rows = self._rows(X)
        return from_means(self._means(_as_fitted(self.model_), rows), self.data_values_)

    def sample(
        self,
        n_samples: int = 1,
        *,
        backend: str | Backend | Sampler | None = None,
        random_state: RandomState = None,
    ) -> npt.NDArray[Any]:
        """Draw rows from the law that was fitted, in the values of the data.

        That is P(v) of ``model_`` at beta = 1 / ``model_.temperature``.

        Parameters
        ----------
        n_samples
            The number of rows; a machine that returns each state once may give fewer.
        backend
            The machine: a name, a Backend or any ``dimod.Sampler``. Left out, the estimator's own, or
            "gibbs".
        random_state
            Left out, the numbers of ``fit`` go on, so that each call draws other rows.
        """
        check_is_fitted(self)
        machine = self.backend if backend is None else backend
        rng, beta = self._generator(random_state), 1 / self.model_.temperature
        drawn = self.model_.sample(n_samples, backend=machine, beta=beta, seed=rng)
        return from_spins(drawn, self.data_values_)

    def reconstruct(
        self,
        X: npt.ArrayLike,
        known: npt.ArrayLike,
        *,
        beta: float = math.inf,
        steps: int = 10,
        backend: str | Backend | Sampler | None = None,
        random_state: RandomState = None,
    ) -> npt.NDArray[Any]:
        """Fill in the unknown features of rows, in the values of the data.

        Parameters
        ----------
        X
            The rows, shape (n, V). What stands at unknown features is not looked at, and may be NaN.
        known
            True where a feature is known, shape (V,).
        beta
            The inverse temperature of ``model_``: infinity for the likely completion, 1 /
            ``model_.temperature`` for one drawn from the law that was fitted.
        steps
            Gibbs steps from the known features, which are kept.
        backend
            A machine that samples the unknown features instead. The estimator's own is not asked, since that
            would be a call for each row.
        random_state
            As in ``sample``.
        """
        given, mask = self._validated(X, ensure_all_finite=False), known_pixels(known, self.n_features_in_)
        given = np.where(mask, given, self.data_values_[0])
        if not np.isfinite(given).all():
            raise InvalidDataError("X has a value at a known feature that is not finite: mark it as unknown")
        rng = self._generator(random_state)
        rows = self._as_spins(given)
        filled = self.model_.reconstruct(rows, mask, beta=beta, steps=steps, backend=backend, seed=rng)
        return from_spins(filled, self.data_values_)

    def score_samples(self, X: npt.ArrayLike) -> Reals:
        r"""Return the score of each row in nats, shape (n,), by the parameter ``likelihood``.

        "pseudo" is :math:`\sum_i \log p(v_i | v_{-i})`, for models of any size whose hidden spins are not
        coupled; "exact" is :math:`\log p(v)`, by enumeration. p is the law that was fitted, that of
        ``model_`` at beta = 1 / ``model_.temperature``.

        Raises
        ------
        ProblemTooLargeError
            If what has to be enumerated is too large.
        """
        rows = self._rows(X)
        return self._measure()(_as_fitted(self.model_), rows)

    def score(self, X: npt.ArrayLike, y: object = None) -> float:
        """Return the mean of ``score_samples``, the larger the better; ``y`` is not looked at."""
        return float(self.score_samples(X).mean())

    def _begin(self, X: npt.ArrayLike) -> States:
        """Return the rows of spins that a new model, untrained yet, is to be fitted to."""
        self._measure()
        array = validate_data(self, X)
        if self.threshold is None:
            self.data_values_ = data_values(array)
        else:
            finite("threshold", self.threshold)
            self.data_values_ = np.array([0, 1]).astype(array.dtype)
        self.random_state_ = _new_generator(self.random_state)
        self.model_ = self._model(array.shape[1], self.random_state_)
        return self._as_spins(array)

    def _train(self, rows: States, epochs: int | None, optimizer: Optimizer | None = None) -> Self:
        self.run_ = train(
            self.model_,
            rows,
            negative_phase=self.negative_phase,
            backend=self.backend,
            recipe=self.recipe,
            optimizer=optimizer,
            learning_rate=self.learning_rate,
            epochs=epochs,
            batch_size=self.batch_size,
            seed=self.random_state_,
            progress=bool(self.verbose),
        )
        if self.run_.stopped == "interrupted":
            # As elsewhere in scikit-learn: a pipeline or a search must not go on with it.
            raise KeyboardInterrupt
        return self

    def _become(self, trained: Self) -> Self:
        """Take over everything that a copy of this estimator, trained to the end, holds."""
        self.__dict__ = trained.__dict__
        return self

    def _measure(self) -> Callable[[Model, States], Reals]:
        if self.likelihood not in MEASURES:
            raise UnknownNameError.among("likelihood", self.likelihood, MEASURES)
        return MEASURES[self.likelihood]

    def _validated(self, X: npt.ArrayLike, **options: Any) -> npt.NDArray[Any]:
        check_is_fitted(self)
        array: npt.NDArray[Any] = validate_data(self, X, reset=False, **options)
        return array

    def _rows(self, X: npt.ArrayLike) -> States:
        return self._as_spins(self._validated(X))

    def _as_spins(self, array: npt.NDArray[Any]) -> States:
        if self.threshold is not None:
            return np.where(array > self.threshold, 1, -1).astype(np.int8)
        return as_spins(array, self.data_values_)

    def _generator(self, random_state: RandomState) -> np.random.Generator:
        own: np.random.Generator = self.random_state_
        return own if random_state is None else _new_generator(random_state)


def _new_generator(random_state: RandomState) -> np.random.Generator:
    """Return a Generator from what scikit-learn takes; None draws from NumPy's global numbers."""
    return np.random.default_rng(check_random_state(random_state).randint(2**31, size=4))


def _as_fitted(model: Model) -> Model:
    """Return the law that was fitted as that of a model at beta = 1.

    In float64, so that a row has the same numbers alone and among others.
    """
    twin: Model = MODELS[model.name](**{**model.config(), "dtype": "float64"})
    twin.set_parameters(model.numpy_parameters())
    twin.rescale(1 / model.temperature)
    return twin
