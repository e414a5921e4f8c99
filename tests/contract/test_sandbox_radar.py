"""What Customer Radar's published page asks for, and that the double refuses everything else."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from consumer.sandbox.customer_radar import Radar
from consumer.sandbox.settings import RadarProgramme, SandboxSettings
from consumer.sandbox.wire import Received, Reply

PROGRAMME = "1cf118a0326d47aa851a90b9674e90aa"
JSON = {"content-type": "application/json"}
CREDENTIALS = {"username": "sandbox", "password": "sandbox-password"}
ENTRY: dict[str, Any] = {
    "email": "ada@example.test",
    "mobile": "0211234321",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "locationDisplayId": PROGRAMME,
    "pomDisplayId": "7547ct569yh67n0326vghddte86bkkn",
    "metadata": [{"key": "invoice_no", "value": "7"}],
}
FULL: dict[str, Any] = {
    "clientDisplayId": "8291a9ed952342c5b5fe2915f2189e7c",
    "programmeDisplayId": PROGRAMME,
    "sendData": [ENTRY],
}


def login(radar: Radar, body: Any = CREDENTIALS, *, at: float = 1000.0) -> Reply:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return radar.answer(Received("POST", "/auth/login", JSON, raw, at))


def invite(body: Any, *, radar: Radar | None = None, at: float = 1000.0, **settings: Any) -> Reply:
    """The answer to an invitation call in a session that was just opened."""
    radar = radar or Radar(SandboxSettings(**settings))
    token = orjson.loads(login(radar, at=at).body)["token"]
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    headers = JSON | {"authorization": token}
    return radar.answer(Received("POST", "/invitation", headers, raw, at))


def refused(reply: Reply) -> str:
    """The description of a refusal, which invites no customer."""
    assert (reply.status, reply.code, reply.accepted) == (400, "40000", False)
    document = orjson.loads(reply.body)
    assert document.keys() == {"code", "description"}
    assert document["code"] == "40000"
    return str(document["description"])


def entry(**changes: Any) -> dict[str, Any]:
    """A call with one entry; a change to None takes the key away."""
    changed = {key: value for key, value in (ENTRY | changes).items() if value is not None}
    return FULL | {"sendData": [changed]}


def test_a_login_gives_a_token_and_when_it_ends() -> None:
    reply = login(Radar(SandboxSettings(token_ttl=60.5)))
    document = orjson.loads(reply.body)
    assert (reply.status, document.keys()) == (200, {"token", "expiration", "userName"})
    assert (document["expiration"], document["userName"]) == (1060.5, "sandbox")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (CREDENTIALS | {"password": "x"}, 401),
        (CREDENTIALS | {"username": "x"}, 401),
        (CREDENTIALS | {"password": 5}, 401),
        ({"username": "sandbox"}, 400),
        (CREDENTIALS | {"more": "x"}, 400),
        (b"", 400),
    ],
)
def test_a_login_that_is_wrong_opens_nothing(body: Any, status: int) -> None:
    reply = login(Radar(SandboxSettings()), body)
    assert reply.status == status
    assert orjson.loads(reply.body).keys() == {"code", "description"}


def test_an_invitation_as_documented_is_accepted() -> None:
    reply = invite(FULL)
    document = orjson.loads(reply.body)
    assert (reply.status, reply.accepted, reply.campaign) == (200, True, PROGRAMME)
    assert (document["code"], document["description"]) == ("00000", "success")
    assert len(document["data"]) == 18
    assert document["data"].isdigit()
    assert reply.recipients == ("0211234321",)


def test_every_accepted_call_has_its_own_number() -> None:
    radar = Radar(SandboxSettings())
    numbers = {orjson.loads(invite(FULL, radar=radar).body)["data"] for _ in range(5)}
    assert len(numbers) == 5


def test_a_token_ends_with_its_time_and_a_new_one_does_not_end_it_earlier() -> None:
    radar = Radar(SandboxSettings())
    token = orjson.loads(login(radar, at=0.0).body)["token"]
    login(radar, at=3000.0)
    headers, raw = JSON | {"authorization": token}, orjson.dumps(FULL)
    statuses = [
        radar.answer(Received("POST", "/invitation", headers, raw, at)).status
        for at in (0.0, 3599.9, 3600.0)
    ]
    assert statuses == [200, 200, 401]


@pytest.mark.parametrize("authorization", ["", "unknown", "Bearer {token}"])
def test_only_the_bare_token_is_authorized(authorization: str) -> None:
    radar = Radar(SandboxSettings())
    token = orjson.loads(login(radar).body)["token"]
    headers = JSON | {"authorization": authorization.format(token=token)}
    reply = radar.answer(Received("POST", "/invitation", headers, orjson.dumps(FULL), 1000.0))
    assert (reply.status, reply.accepted) == (401, False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        FULL | {"more": 1},
        {key: FULL[key] for key in ("clientDisplayId", "sendData")},
        FULL | {"sendData": []},
        FULL | {"sendData": ENTRY},
        FULL | {"sendData": [ENTRY, "x"]},
        FULL | {"sendData": [ENTRY, {}]},
        entry(more="x"),
        entry(firstName=5),
        entry(firstName=""),
        entry(email=None, mobile=None),
        entry(email="ada"),
        entry(mobile="call me"),
        entry(locationDisplayId=None),
        entry(metadata={"invoice_no": "7"}),
        entry(metadata=[{"key": "invoice_no"}]),
        entry(metadata=[{"key": "invoice_no", "value": 7}]),
        entry(metadata=["x"]),
    ],
)
def test_one_fault_refuses_the_whole_call(body: Any) -> None:
    refused(invite(body))


@pytest.mark.parametrize(
    "body",
    [
        FULL | {"clientDisplayId": "x"},
        FULL | {"programmeDisplayId": "x"},
        FULL | {"programmeDisplayId": 5},
        entry(locationDisplayId="x"),
        entry(pomDisplayId="x"),
    ],
)
def test_an_unknown_id_has_no_feedback_code(body: Any) -> None:
    assert refused(invite(body)).startswith("No Feedback code found for this")


@pytest.mark.parametrize("kind", ["email", "mobile"])
def test_email_or_mobile_is_enough(kind: str) -> None:
    assert invite(entry(**{kind: None})).accepted


def test_a_point_of_measure_is_needed_where_there_are_two() -> None:
    programme = RadarProgramme(
        id=PROGRAMME, locations={"one": ["a"], "two": ["a", "b"], "none": []}
    )
    answers = {
        (location, pom): invite(
            entry(locationDisplayId=location, pomDisplayId=pom), radar_programmes=[programme]
        ).accepted
        for location, pom in [("one", None), ("two", None), ("two", "b"), ("none", None)]
    }
    assert answers == {
        ("one", None): True,
        ("two", None): False,
        ("two", "b"): True,
        ("none", None): True,
    }


def test_an_email_alone_needs_a_programme_that_can_send_emails() -> None:
    programme = RadarProgramme(id=PROGRAMME, locations={PROGRAMME: []}, postmark=False)
    alone = entry(mobile=None, pomDisplayId=None)
    assert "Postmark ID" in refused(invite(alone, radar_programmes=[programme]))
    assert invite(entry(pomDisplayId=None), radar_programmes=[programme]).accepted


def test_a_bad_recipient_refuses_the_whole_call() -> None:
    refused(invite(FULL, bad_recipients={"ada@example.test"}))


def test_other_paths_and_methods_are_not_found() -> None:
    radar = Radar(SandboxSettings())
    for method, path in [("GET", "/invitation"), ("POST", "/invitation/"), ("POST", "/auth/x")]:
        assert radar.answer(Received(method, path, JSON, b"{}", 0.0)).status == 404
