"""Machines by name: entry points of the group ``rapid_ising.backends``, loaded when asked for."""

from __future__ import annotations

import dataclasses
import importlib.metadata as metadata
import re
from typing import Any

from dimod.core.sampler import Sampler

from rapid_ising.backend import Backend
from rapid_ising.backend_names import GROUP as GROUP
from rapid_ising.backend_names import available_backends as available_backends
from rapid_ising.dimod_samplers import WrappedSampler, unwrapped
from rapid_ising.errors import (
    BackendLoadError,
    DuplicateBackendError,
    InvalidParameterError,
    MissingDependencyError,
    UnknownBackendError,
    UnknownOptionError,
)


def load_backend(name: str, **options: Any) -> Backend:
    """Return the machine ``name`` with its options.

    Parameters
    ----------
    name
        A name from ``available_backends()``.
    **options
        Fields of the backend's class.

    Raises
    ------
    UnknownBackendError
        If no distribution registers the name; the message has the nearest ones.
    UnknownOptionError
        If the backend has no such option.
    MissingDependencyError
        If a package that the backend needs is not installed; the message has the pip line.
    DuplicateBackendError
        If two distributions register the name.
    BackendLoadError
        If the backend's own code fails while it is imported.

    Examples
    --------
    >>> load_backend("gibbs", burn_in=50)
    Gibbs(burn_in=50, thinning=1, chains=None)
    """
    kind = backend_class(name)
    fields = backend_options(kind)
    if not set(options) <= set(fields):
        error = UnknownOptionError.among(f"backend {name!r}", options, fields)
        raise UnknownOptionError(f"{error} (rapid-ising backends {name} says what each is)")
    needed = sorted(set(backend_options(kind, required=True)) - set(options))
    if needed:
        raise InvalidParameterError(
            f"backend {name!r} needs the option {' and '.join(map(repr, needed))}: "
            f"give it, as in load_backend({name!r}, {needed[0]}=...)"
        )
    return kind(**options)


def as_backend(backend: str | Backend | Sampler) -> Backend:
    """Return a Backend for a name, a Backend or any ``dimod.Sampler``.

    Raises
    ------
    InvalidParameterError
        If it is none of these, or a sampler that ``as_dimod_sampler`` made with defaults.

    Examples
    --------
    >>> as_backend("exact")
    Exact()
    >>> import dimod
    >>> as_backend(dimod.ExactSolver()).name
    'dimod:ExactSolver'
    """
    if isinstance(backend, Backend):
        return backend
    if isinstance(backend, str):
        return load_backend(backend)
    if isinstance(backend, Sampler):
        return unwrapped(backend) or WrappedSampler(backend)
    raise InvalidParameterError(
        f"backend must be a name, a Backend or a dimod.Sampler, not {type(backend).__name__}"
    )


def backend_options(kind: type[Backend], *, required: bool = False) -> list[str]:
    """Return the names of a backend's options, the fields of its class, or of those without default."""
    if not dataclasses.is_dataclass(kind):
        return []
    fields = [field for field in dataclasses.fields(kind) if field.init]
    if required:
        missing = dataclasses.MISSING
        fields = [f for f in fields if f.default is missing and f.default_factory is missing]
    return [field.name for field in fields]


def backend_class(name: str) -> type[Backend]:
    """Return the class of the machine ``name``; raises as ``load_backend`` does of its name."""
    found = [entry for entry in metadata.entry_points(group=GROUP) if entry.name == name]
    if not found:
        raise UnknownBackendError.among("backend", name, available_backends())
    owners = sorted({entry.dist.name for entry in found if entry.dist is not None})
    if len(found) > 1:
        raise DuplicateBackendError(
            f"backend {name!r} is registered by {' and by '.join(owners)}: uninstall one of them"
        )
    entry = found[0]
    try:
        kind = entry.load()
    except Exception as error:
        missing = _missing_requirements(entry)
        if isinstance(error, ImportError) and missing:
            line = f"pip install '{owners[0]}[{','.join(_extras(entry))}]'"
            raise MissingDependencyError(
                f"backend {name!r} needs {', '.join(missing)}, not installed here: {line}"
            ) from error
        raise BackendLoadError(
            f"backend {name!r} of {owners[0] if owners else entry.value} fails while it is imported: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, Backend)):
        raise BackendLoadError(f"backend {name!r} is {entry.value}, which is not a Backend class")
    return kind


def _extras(entry: metadata.EntryPoint) -> list[str]:
    """Return the extras that the entry point names, as metadata spells them: lower case, with hyphens.

    ``entry.extras`` cuts a name at each hyphen.
    """
    names = re.findall(r"[\w.-]+", entry.value.partition("[")[2])
    return [re.sub(r"[-_.]+", "-", name).lower() for name in names]


def _missing_requirements(entry: metadata.EntryPoint) -> list[str]:
    """Return the distributions that the entry point's extras ask for and that are not installed.

    Told from the metadata, not from the exception: a bug inside a backend is never "not installed".
    """
    missing, extras = [], _extras(entry)
    for requirement in (entry.dist.requires or []) if entry.dist is not None else []:
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", requirement)
        wanted = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
        if extra is None or wanted is None or extra.group(1) not in extras:
            continue
        try:
            metadata.version(wanted.group())
        except metadata.PackageNotFoundError:
            missing.append(wanted.group())
    return missing
