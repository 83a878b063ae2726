"""What authorises a request, and keeps to itself what it is."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator
from typing import final

import httpx

from rapid_ising.remote.secret import Secret

LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))
"""The loggers below a transport: at level DEBUG they write each header of an answer."""


@final
class Authorisation(httpx.Auth):
    """A token that goes into a header at the last moment, so that no frame of ours holds it."""

    def __init__(self, token: Secret, header: str, prefix: str) -> None:
        self._token, self._header, self._prefix = token, header, prefix

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        """Send the request once, with the header."""
        request.headers[self._header] = self._prefix + self._token.reveal()
        yield request


@final
class _Hiding(logging.Filter):
    """Takes the tokens in use out of what is logged: a service may send one back."""

    def __init__(self) -> None:
        super().__init__()
        # By what they are and not by what they say: two machines may have equal ones, of different lives.
        self.tokens: weakref.WeakValueDictionary[int, Secret] = weakref.WeakValueDictionary()

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without tokens."""
        text = shown = record.getMessage()
        for token in list(self.tokens.values()):
            shown = token.hidden_in(shown)
        if shown != text:
            record.msg, record.args = shown, ()
        return True


_HIDING = _Hiding()


def hide_in_logs(token: Secret) -> None:
    """Keep a token out of the logs of the libraries below, for as long as it is in use."""
    _HIDING.tokens[id(token)] = token
    for name in LOGGERS:
        # The second time changes nothing.
        logging.getLogger(name).addFilter(_HIDING)
