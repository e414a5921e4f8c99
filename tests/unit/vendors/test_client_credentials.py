"""OAuth's client credentials: the request for a token, and what its answers mean."""

from __future__ import annotations

from base64 import b64decode
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.records.call import Answer, Outcome, Token, Verdict
from consumer.vendors.client_credentials import (
    LONGEST_LIFETIME,
    TOKEN_LIFETIME,
    ClientCredentials,
    login_call,
    read_token,
)

NOW = 1_000.0


def oauth(**more: str) -> ClientCredentials:
    entry = {"token_url": "https://a.test/t", "client_id": "id:1", "client_secret": "s/ö"}
    return ClientCredentials.model_validate_json(orjson.dumps(entry | more))


def read(status: int, document: object, **headers: str) -> Token | Outcome:
    return read_token(Answer(status, headers, orjson.dumps(document)), NOW)


def test_id_and_secret_stand_in_the_header_form_encoded() -> None:
    call = login_call(oauth(scope="surveys send", audience="https://api.a.test"))

    assert (call.method, call.url, call.path) == ("POST", "https://a.test/t", "")
    packed = call.headers["Authorization"].removeprefix("Basic ")
    assert b64decode(packed) == b"id%3A1:s%2F%C3%B6"
    assert dict(parse_qsl(call.body.decode())) == {
        "grant_type": "client_credentials",
        "scope": "surveys send",
        "audience": "https://api.a.test",
    }


def test_or_in_the_body() -> None:
    call = login_call(oauth(client_auth="body"))

    assert "Authorization" not in call.headers
    assert dict(parse_qsl(call.body.decode())) == {
        "grant_type": "client_credentials",
        "client_id": "id:1",
        "client_secret": "s/ö",
    }


@pytest.mark.parametrize(
    ("said", "lifetime"),
    [
        (600, 600.0),
        ("600", 600.0),
        (0.5, 0.5),
        (10**9, LONGEST_LIFETIME),
        (None, TOKEN_LIFETIME),
        (0, TOKEN_LIFETIME),
        (-1, TOKEN_LIFETIME),
        (True, TOKEN_LIFETIME),
        ("soon", TOKEN_LIFETIME),
        ("²", TOKEN_LIFETIME),
    ],
)
def test_a_token_is_valid_as_long_as_the_answer_says(said: object, lifetime: float) -> None:
    token = read(200, {"access_token": "abc", "token_type": "Bearer", "expires_in": said})

    assert token == Token("abc", NOW + lifetime)


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"access_token": "two words"},
        {"access_token": 7},
        {"access_token": "abc", "token_type": "mac"},
    ],
)
def test_a_success_without_a_bearer_token_is_trouble(document: Any) -> None:
    outcome = read(200, document)

    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.refused, outcome.counts) == (Verdict.RETRY, False, False)


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_a_refused_client_is_the_operators(status: int) -> None:
    outcome = read(status, {"error": "invalid_client", "error_description": "no client id:1"})

    assert isinstance(outcome, Outcome)
    assert (outcome.refused, outcome.relogin, outcome.verdict) == (True, True, Verdict.RETRY)
    assert "id:1" not in repr(outcome)


@pytest.mark.parametrize("status", [302, 404, 408, 500, 503])
def test_another_failure_is_tried_again(status: int) -> None:
    outcome = read(status, {})

    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.refused, outcome.divisible) == (Verdict.RETRY, False, False)


def test_a_429_is_one() -> None:
    outcome = read(429, {}, **{"retry-after": "7"})

    assert isinstance(outcome, Outcome)
    assert (outcome.throttled, outcome.retry_after) == (True, 7.0)


@given(st.integers(100, 599), st.binary())
def test_reading_never_raises(status: int, body: bytes) -> None:
    assert isinstance(read_token(Answer(status, {}, body), NOW), Token | Outcome)
