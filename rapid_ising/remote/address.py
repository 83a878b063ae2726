"""Where a service is: a checked address."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

import httpx

from rapid_ising.errors import InvalidParameterError


def checked_url(machine: str, url: Any) -> str:
    """Return the address of a service without its last slash.

    >>> checked_url("demo", "https://example.org/api/")
    'https://example.org/api'
    """
    if not isinstance(url, str):
        raise InvalidParameterError(f"url of {machine} must be text such as 'https://host/api', not {url!r}")
    try:
        parts = urlsplit(url)
        bad = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
        bad = bad or parts.username is not None or parts.password is not None or bool({*"?#"} & {*url})
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        bad = True
    if bad or not url.isprintable() or " " in url:
        raise InvalidParameterError(
            f"url of {machine} must read http(s)://host[:port][/path], without a user, a password or a "
            "query; a token goes into token= or the environment"
        )
    return url.rstrip("/")


def loopback(url: str) -> bool:
    """Return whether an address is one of this computer.

    >>> loopback("http://127.0.0.1:8000/api"), loopback("https://example.org")
    (True, False)
    """
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
