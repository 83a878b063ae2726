"""The errors that rapid-ising raises: one tree, so that one ``except`` catches them all.

::

    RapidIsingError
    ├── InvalidProblemError      ValueError    fields or couplings that are no Ising problem
    ├── InvalidDataError         ValueError    training data or states that a model cannot take
    ├── InvalidParameterError    ValueError    an argument out of its range
    ├── ProblemTooLargeError     ValueError    more spins than the machine or method can hold
    ├── CapabilityError          ValueError    a request that the machine cannot serve
    │   └── StructureError
    ├── CheckpointError          ValueError    a file that is damaged, or of another model
    ├── DivergenceError          ArithmeticError  parameters that are no longer finite
    ├── UnknownOptionError       TypeError     an option that the backend does not have
    ├── UnknownNameError         LookupError   a name that is in no list
    │   └── UnknownBackendError
    ├── MissingDependencyError   ImportError   a package to install, with its pip line
    ├── DuplicateBackendError    RuntimeError  two distributions that register one name
    ├── BackendLoadError         RuntimeError  a backend whose own code fails when imported
    ├── BudgetExceededError      RuntimeError  a request that would cost more than was allowed
    └── BackendError             RuntimeError  a machine that failed; its own error is the cause
        ├── DeadlineExceededError  TimeoutError
        ├── AuthenticationError    PermissionError  a token that is missing, wrong, expired or not enough
        ├── RejectedError          a request that the service refuses
        ├── JobFailedError         a job that the machine gave up, or no longer holds
        ├── ProtocolError          an answer that is none by the service's own document
        ├── UnknownOutcomeError    nobody knows whether the machine has taken the job on
        ├── IncompleteError        some of the calls failed; what arrived is in the error
        └── ReplayError            a recording that does not hold what was asked

Each leaf also inherits the builtin that a caller would expect. A message says what is wrong, with which
number, and what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dimod

    from rapid_ising.request import Answer


def nearest(name: object, names: Iterable[str]) -> str:
    """Return the names that a mistyped one may be, as they stand in a question; nothing where none is near.

    >>> nearest("burnin", ["burn_in", "thinning"])
    "'burn_in'"
    """
    near = difflib.get_close_matches(str(name), list(names), n=3)
    return " or ".join(map(repr, near))


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it came from: one of several calls may be the one that was over the budget."""
    while error is not None:
        yield error
        error = error.__cause__


class RapidIsingError(Exception):
    """The root of every error that rapid-ising raises on purpose."""


class InvalidProblemError(RapidIsingError, ValueError):
    """Fields or couplings do not make an Ising problem."""


class InvalidDataError(RapidIsingError, ValueError):
    """Data or states have the wrong width, or values that are not spins."""


class InvalidParameterError(RapidIsingError, ValueError):
    """An argument is out of its range."""


class ProblemTooLargeError(RapidIsingError, ValueError):
    """A problem has more spins than the machine or the method can hold."""


class CapabilityError(RapidIsingError, ValueError):
    """A request asks for something that the machine cannot do."""


class CheckpointError(RapidIsingError, ValueError):
    """A checkpoint or model file is damaged, or belongs to another model."""


class DivergenceError(RapidIsingError, ArithmeticError):
    """Training has run away: a parameter is no longer finite."""


class UnknownOptionError(RapidIsingError, TypeError):
    """A backend was given an option that it does not have."""

    @classmethod
    def among(cls, whose: str, given: Iterable[str], known: Iterable[str]) -> UnknownOptionError:
        """Build the error for those of the options that are not known, with the nearest names first.

        >>> print(UnknownOptionError.among("backend 'gibbs'", ["burnin"], ["burn_in", "chains"]))
        backend 'gibbs' has no option 'burnin': did you mean 'burn_in'? It has: burn_in, chains
        """
        known = list(known)
        unknown = sorted(set(given) - set(known))
        near = nearest(unknown[0], known)
        return cls(
            f"{whose} has no option {', '.join(map(repr, unknown))}"
            f"{f': did you mean {near}? It' if near else '; it'} has: {', '.join(known) or 'none'}"
        )


class UnknownNameError(RapidIsingError, LookupError):
    """A name is not in the list that it should come from."""

    @classmethod
    def among(cls, kind: str, name: object, names: Iterable[str]) -> UnknownNameError:
        """Build the error for ``name``, with the nearest names first.

        >>> print(UnknownNameError.among("optimizer", "adma", ["adam", "sgd"]))
        unknown optimizer 'adma': did you mean 'adam'? Known: adam, sgd
        """
        known = sorted(names)
        near = nearest(name, known)
        hint = f"did you mean {near}? " if near else ""
        return cls(f"unknown {kind} {name!r}: {hint}Known: {', '.join(known) or 'none'}")


class UnknownBackendError(UnknownNameError):
    """No installed distribution registers a backend of this name."""


class MissingDependencyError(RapidIsingError, ImportError):
    """An optional package is not installed; the message carries the exact pip line."""


class DuplicateBackendError(RapidIsingError, RuntimeError):
    """Two installed distributions register a backend of the same name."""


class BackendLoadError(RapidIsingError, RuntimeError):
    """A backend is installed, but its own code fails while it is imported."""


class BudgetExceededError(RapidIsingError, RuntimeError):
    """A request would cost more than the budget has left; it was not sent."""


class BackendError(RapidIsingError, RuntimeError):
    """A machine or a sampler failed; the original error is the ``__cause__``."""


class IncompleteError(BackendError):
    """One of several calls failed: ``samples`` are the reads that arrived, None when there are none."""

    samples: dimod.SampleSet | None = None

    def __init__(self, message: str, answer: Answer | None = None) -> None:
        super().__init__(message)
        self.answer = answer
        """The same in spins 0..N-1, for the stages on the way back."""


class ReplayError(BackendError):
    """A replay met another request than the recorded one, or one more than were recorded."""


class DeadlineExceededError(BackendError, TimeoutError):
    """A wait was longer than its deadline."""


class AuthenticationError(BackendError, PermissionError):
    """A service does not accept the token, or there is none."""


class RejectedError(BackendError):
    """A service refuses a request; its own code and text are in the message."""


class JobFailedError(BackendError):
    """A machine gave a job up, or does not hold it any more."""


class ProtocolError(BackendError):
    """A service answered what its own document does not allow; nothing of it was used."""


class UnknownOutcomeError(BackendError):
    """A job may be with the machine or not, and it cannot be told: it was not sent again."""

    timed_out: bool = False
    """Whether the machine may still take it on."""
