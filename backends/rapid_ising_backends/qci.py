"""The vendor's client of QCi's machines: found where it is installed, its errors turned into ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from rapid_ising.errors import (
    AuthenticationError,
    BackendError,
    MissingDependencyError,
    RapidIsingError,
    RejectedError,
)
from rapid_ising.remote import Transport, broken

UNAUTHORIZED, BAD_REQUEST, TOO_MANY, SERVER_ERROR = (401, 403), 400, 429, 500
INSTALL = (
    "dirac-3 needs qci-client, not installed here. It asks for networkx<3, and rapid-ising for networkx>=3, "
    "as dwave-samplers and dwave-system do, so that pip finds no versions for both; the part of it that is "
    "used here works with networkx 3. In an environment of its own: pip install 'rapid-ising[dirac-3]' && "
    "pip install --no-deps 'qci-client>=5'"
)


def client_class() -> Any:
    """Return the class of the vendor's client, or raise with the lines that install it."""
    try:
        from qci_client import QciClient
    except ModuleNotFoundError as error:
        if error.name not in ("qci_client", "requests_futures", "requests"):
            raise
        raise MissingDependencyError(INSTALL) from error
    return QciClient


@contextlib.contextmanager
def told(way: Transport, *, submits: bool = False) -> Iterator[None]:
    """Turn the client's errors into ours; ``submits`` says whether a job may have been taken on."""
    import requests

    try:
        yield
    except RapidIsingError:
        raise
    except (requests.RequestException, TimeoutError) as error:
        status, text = status_of(error), way.told(error)
        if status in UNAUTHORIZED:
            raise AuthenticationError(
                f"{way.machine} refuses the token ({text}): renew it, or ask for the right to use the machine"
            ) from None
        if status == TOO_MANY:
            raise BackendError(f"{way.machine} is busy ({text}): try again later") from None
        if BAD_REQUEST <= status < SERVER_ERROR:
            raise RejectedError(f"{way.machine} refuses the request ({text})") from None
        if submits:
            late = isinstance(error, (requests.Timeout, TimeoutError))
            raise way.unknown(f"failed: {text}", timed_out=late) from None
        raise BackendError(f"{way.machine} failed: {text}") from None
    except (KeyError, TypeError, ValueError) as error:
        # The client reads answers without a check.
        if submits:
            raise way.unknown(f"answers {way.told(repr(error))}", timed_out=False) from None
        raise broken(way.machine, way.told(repr(error))) from None


def status_of(error: BaseException | None) -> int:
    """Return the HTTP status that an error of the client is about, 0 for another; it wraps them."""
    while error is not None:
        response = getattr(error, "response", None)
        if response is not None:
            return int(response.status_code)
        error = error.__cause__
    return 0
