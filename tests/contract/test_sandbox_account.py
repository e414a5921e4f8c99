"""The double's account may change while it serves: a token is rotated, a campaign is mended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from consumer.sandbox.server import SandboxServer
from consumer.sandbox.settings import SAMPLE_PROGRAMME, SAMPLE_TOKEN, SandboxSettings

SMS_ID, NEW_ID = "ae51458c-9e82-417f-8f1d-e074891ea5c1", "0d3c8a4e-5f0b-4a8e-9d7b-1c2d3e4f5a6b"
ANN, BOB = "+905321234567", "+905321234568"


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with (
        SandboxServer(SandboxSettings()) as base_url,
        httpx.Client(base_url=base_url, timeout=5) as client,
    ):
        yield client


def change(client: httpx.Client, **account: object) -> httpx.Response:
    return client.post("/_sandbox/account", json=account)


def share(
    client: httpx.Client, *phones: str, token: str = SAMPLE_TOKEN, campaign: str = SMS_ID
) -> tuple[int, int | None]:
    """Status and code of a call by SMS."""
    answer = client.post(
        f"/v1/sms_campaigns/{campaign}/sms_sharings",
        headers={"authorization": f"Token token={token}"},
        json={"phone_numbers": phones or [ANN, BOB]},
    )
    return answer.status_code, answer.json().get("code")


def log_in(client: httpx.Client, password: str) -> httpx.Response:
    return client.post("/auth/login", json={"username": "sandbox", "password": password})


def invite(client: httpx.Client, session: Mapping[str, Any]) -> int:
    body = {
        "clientDisplayId": SandboxSettings().radar_client,
        "programmeDisplayId": SAMPLE_PROGRAMME.id,
        "sendData": [{"mobile": ANN, "locationDisplayId": SAMPLE_PROGRAMME.id}],
    }
    headers = {"authorization": session["token"]}
    return client.post("/invitation", json=body, headers=headers).status_code


def test_another_token_is_asked_for_from_then_on(client: httpx.Client) -> None:
    assert share(client) == (200, None)
    assert change(client, pisano_token="fresh").json() == {"changed": ["pisano_token"]}
    assert share(client) == (401, 13001)
    assert share(client, token="fresh") == (200, None)


def test_another_password_ends_the_sessions_of_the_former(client: httpx.Client) -> None:
    session = log_in(client, "sandbox-password").json()
    change(client, campaigns=[])
    assert invite(client, session) == 200  # the account's user is the same
    change(client, radar_password="fresh")
    assert invite(client, session) == 401
    assert log_in(client, "sandbox-password").status_code == 401
    assert invite(client, log_in(client, "fresh").json()) == 200


def test_campaigns_and_bad_recipients_come_and_go_one_change_after_the_other(
    client: httpx.Client,
) -> None:
    assert share(client, campaign=NEW_ID) == (404, 13002)
    change(client, campaigns=[{"id": NEW_ID, "channel": "sms"}])
    change(client, bad_recipients=[BOB])
    assert share(client, campaign=SMS_ID) == (404, 13002)
    assert share(client, campaign=NEW_ID) == (400, 13028)
    assert share(client, ANN, campaign=NEW_ID) == (200, None)
    change(client, bad_recipients=[])
    assert share(client, campaign=NEW_ID) == (200, None)


def test_a_reset_brings_the_account_back(client: httpx.Client) -> None:
    change(client, pisano_token="fresh", radar_password="fresh")
    client.post("/_sandbox/reset")
    assert share(client) == (200, None)
    assert log_in(client, "sandbox-password").status_code == 200


def test_what_is_no_account_changes_nothing_and_no_answer_repeats_it(client: httpx.Client) -> None:
    for wrong in (
        {"pisano_token": ""},
        {"pisano_tokn": "fresh"},
        {"pisano_token": "fresh", "port": 1},
        {"bad_recipients": [{"phone": BOB}]},
    ):
        answer = change(client, **wrong)
        assert answer.status_code == 400
        assert "fresh" not in answer.text
        assert BOB not in answer.text
    assert share(client) == (200, None)
    told = change(client, pisano_token="fresh", bad_recipients=[BOB]).text
    assert "fresh" not in told
    assert BOB not in told
