"""A secret shows nowhere but where it is asked for."""

from __future__ import annotations

import copy
import dataclasses
import gc
import html
import json
import logging
import urllib.parse

import pytest

from rapid_ising.errors import InvalidParameterError
from rapid_ising.remote import Secret
from rapid_ising.remote.authorisation import LOGGERS, hide_in_logs
from rapid_ising.remote.secret import token_from

TOKENS = [
    "mackerel",
    'mack"erel',
    "mack'erel\"",
    "mack\\erel",
    "mack/erel&<>%+=",
    "mack  erel",
    ".*[mackerel",
]


@dataclasses.dataclass(frozen=True)
class Machine:
    token: Secret


@pytest.mark.parametrize("token", TOKENS)
def test_no_form_of_it_shows(token: str) -> None:
    secret = Secret(token)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>20}", "%s" % secret, repr([secret])]  # noqa: UP031
    shown += [repr(Machine(secret)), repr(dataclasses.asdict(Machine(secret))), repr(copy.copy(secret))]
    assert not any("mack" in text for text in shown)
    assert secret.reveal() == token


@pytest.mark.parametrize("token", TOKENS)
def test_it_is_hidden_in_whatever_way_it_is_written(token: str) -> None:
    twice = json.dumps(json.dumps(token))
    ways = [token, json.dumps(token)[1:-1], twice[3:-3], repr(token)[1:-1], repr(token.encode())[2:-1]]
    ways += [urllib.parse.quote(token), urllib.parse.quote_plus(token, safe=""), html.escape(token)]
    ways += [
        token.replace("/", r"\/"),
        " ".join(token.split()),
        json.dumps(token).replace("&", r"\u0026")[1:-1],
    ]
    for way in ways:
        hidden = Secret(token).hidden_in(f"no <{way}> here, {way}!")
        assert hidden == "no <***> here, ***!"


def test_other_texts_stay_as_they_are() -> None:
    assert Secret("mackerel").hidden_in("mack erel") == "mack erel"
    assert Secret("a.c").hidden_in("abc") == "abc"
    assert Secret("a").hidden_in("Name has a: 'a', a1") == "Name has ***: '***', a1"
    assert Secret("").hidden_in("all of it") == "all of it"


def test_it_is_written_nowhere() -> None:
    import pickle  # noqa: TID251

    for write in (pickle.dumps, json.dumps):
        with pytest.raises((InvalidParameterError, TypeError)) as caught:
            write(Secret("mackerel"))
        assert "mack" not in str(caught.value)


def test_two_of_them_are_compared_by_what_they_hold() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != "a"
    assert copy.deepcopy(Secret("a")) == Secret("a")


def test_a_token_comes_from_the_option_or_the_first_variable_that_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FIRST", "")
    monkeypatch.setenv("SECOND", " from-second\n")
    assert token_from("demo", None, "FIRST", "SECOND") == Secret("from-second")
    assert token_from("demo", "given", "SECOND") == Secret("given")
    assert token_from("demo", "", "SECOND") == Secret("from-second")
    assert token_from("demo", None, "FIRST") is None
    kept = Secret("kept")
    assert token_from("demo", kept, "SECOND") is kept


@pytest.mark.parametrize(
    "token", ["mack\nerel", "mack\x00erel", "mackérel", Secret("mack\r\nerel"), b"mackerel", 7, "  "]
)
def test_what_is_no_token(token: object) -> None:
    with pytest.raises(InvalidParameterError, match="the token of demo") as caught:
        token_from("demo", token)  # type: ignore[arg-type]
    assert "erel" not in str(caught.value)


@pytest.mark.parametrize("name", LOGGERS)
def test_the_logs_of_the_libraries_below_hide_it(name: str, caplog: pytest.LogCaptureFixture) -> None:
    token = Secret("mackerel-of-logs")
    hide_in_logs(token)
    hide_in_logs(token)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger(name).debug("got %r", [b"mackerel-of-logs"])
        logging.getLogger(name).debug("got 100 %")
    # The library closes connections of other tests whenever they are collected, and logs it.
    own = [record.getMessage() for record in caplog.records if record.name == name]
    assert own == ["got [b'***']", "got 100 %"]


def test_a_token_is_hidden_as_long_as_one_like_it_is_in_use(caplog: pytest.LogCaptureFixture) -> None:
    tokens = [Secret("mackerel-of-two"), Secret("mackerel-of-two")]
    for token in tokens:
        hide_in_logs(token)
    del token
    for shown in ("***", "mackerel-of-two"):
        tokens.pop(0)
        gc.collect()
        with caplog.at_level(logging.DEBUG):
            logging.getLogger("httpx").debug("mackerel-of-two")
        assert [record for record in caplog.records if record.name == "httpx"][-1].getMessage() == shown
