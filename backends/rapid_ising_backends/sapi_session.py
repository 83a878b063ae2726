"""D-Wave's own client of its Solver API, its requests made by the one transport of all adapters."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, final
from urllib.parse import urlsplit

import requests
from dwave.cloud.api.client import SolverAPIClient
from dwave.cloud.api.exceptions import ResourceConflictError, ResourceNotFoundError
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from rapid_ising.deadline import Deadline
from rapid_ising.errors import RapidIsingError
from rapid_ising.remote import Transport, broken

GONE = {404: ResourceNotFoundError, 409: ResourceConflictError}
"""The client's errors of what is not there, and of a job that is over already."""
OWN_HEADERS = ("accept", "content-encoding", "content-md5", "content-type")
"""What the client's own headers say that the transport does not: media types and their versions."""


@final
class Way(BaseAdapter):
    """A way for ``requests`` through a transport: its time-outs, its retries where they are safe, its token.

    The client itself never has the token, so that it cannot log it.
    """

    def __init__(
        self, transport: Transport, deadline: Deadline, expected: Collection[int], idempotent: bool | None
    ) -> None:
        super().__init__()
        self._transport, self._deadline = transport, deadline
        self._expected, self._idempotent = expected, idempotent

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Return the answer to one request of the client."""
        asked = urlsplit(str(request.url))
        path = asked.path.removeprefix(urlsplit(self._transport.address()).path)
        reply = self._transport.request(
            str(request.method),
            path + (f"?{asked.query}" if asked.query else ""),
            body=whole_body(request.body),
            headers={key: str(value) for key, value in request.headers.items() if key.lower() in OWN_HEADERS},
            deadline=self._deadline,
            expected=self._expected,
            idempotent=self._idempotent,
        )
        if reply.status in GONE:
            # Not left to the client, whose reading of a refusal depends on what its body has.
            raise GONE[reply.status](self._transport.said(reply))
        answer = requests.Response()
        # The client logs answers, and a service may send the token back.
        hidden = self._transport.hidden
        answer.status_code = reply.status
        answer._content = hidden(reply.body.decode("latin-1")).encode("latin-1")
        answer.headers = CaseInsensitiveDict({key: hidden(value) for key, value in reply.headers.items()})
        answer.request, answer.url = request, str(request.url)
        return answer

    def close(self) -> None:
        """Do nothing: the transport keeps its connections."""


def whole_body(body: Any) -> bytes:
    """Return the body of a request, which is a generator where it is compressed.

    >>> whole_body(None), whole_body("a"), whole_body(iter([b"a", b"b"]))
    (b'', b'a', b'ab')
    """
    if body is None or isinstance(body, bytes):
        return body or b""
    if isinstance(body, str):
        return body.encode()
    return b"".join(body)


@contextlib.contextmanager
def asking(
    transport: Transport,
    deadline: Deadline,
    *,
    expected: Collection[int] = (200, 201, 202),
    idempotent: bool | None = None,
) -> Iterator[SolverAPIClient]:
    """Yield the vendor's client for one request; what it cannot read is a ProtocolError.

    It is made anew each time: it is not to be shared by threads, and costs a fraction of a millisecond.
    """
    client = SolverAPIClient(endpoint=transport.url, compress_qpu_problem_data=True)
    # No netrc: an entry there would put a second authorisation into the request.
    client.session.trust_env = False
    for scheme in ("http://", "https://"):
        client.session.mount(scheme, Way(transport, deadline, expected, idempotent))
    try:
        yield client
    except RapidIsingError:
        raise
    except (requests.RequestException, ValueError, TypeError) as error:
        # Its own errors of media types and versions, and those of its models of what an answer holds; its
        # enumerations raise TypeError.
        raise broken(transport.machine, transport.told(error)) from None
    finally:
        client.close()
