"""Answers and refusals of D-Wave's Solver API 3.0: media types, error bodies and parts of definitions."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from rapid_ising_backends.emulators.emulator import refuse

VERSION = "3.0.0"
TEXTS: Mapping[int, str] = {
    400: "Bad request",
    401: "Invalid token or access denied",
    403: "Access forbidden",
    404: "Problem does not exist or apitoken does not have access",
    406: "Not acceptable",
    415: "Unsupported media type",
    429: "Request limits exceeded",
    500: "Internal server error",
    503: "Service unavailable",
}


def bad_job(text: str, code: int = 400) -> HTTPException:
    """Return what refuses a job, in the API's words, and not the request that it came in."""
    return refused(code, text)


def named(media: str) -> str:
    """Return the full name of one of the API's media types."""
    return f"application/vnd.dwave.sapi.{media}+json"


def answered(content: Any, media: str) -> Response:
    """Return an answer of one of the API's media types."""
    return JSONResponse(content, media_type=f"{named(media)}; version={VERSION}")


def error(code: int, text: str | None = None) -> dict[str, Any]:
    """Return the API's body of an error."""
    return {"error_code": code, "error_msg": text or TEXTS[code]}


def refused(code: int, text: str | None = None) -> HTTPException:
    """Return the API's refusal of a request."""
    return refuse(code, error(code, text))


def moment(seconds: float) -> str:
    """Return a time as the API writes it.

    >>> moment(0.5)
    '1970-01-01T00:00:00.500000Z'
    """
    when = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def filtered(definition: dict[str, Any], http: HttpRequest) -> dict[str, Any]:
    """Return the parts of a definition that ``filter`` asks for: all or none, then what is added or taken."""
    base, *changes = http.query_params.get("filter", "all").split(",")
    if base not in ("all", "none") or any(change[:1] not in ("+", "-", " ") for change in changes):
        raise refused(400)
    kept = dict(definition) if base == "all" else {}
    for change in changes:
        # A plus sign that was not escaped reads as a space.
        if change[:1] == "-":
            kept.pop(change[1:], None)
        else:
            kept.update({key: value for key, value in definition.items() if key == change[1:]})
    return kept
