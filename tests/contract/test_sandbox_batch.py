"""The double of any vendor with batches: it takes what the account describes, and nothing else."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from consumer.sandbox.batch_vendor import BatchVendors
from consumer.sandbox.double import Double
from consumer.sandbox.settings import BatchAccount, Faults, SandboxSettings
from consumer.sandbox.wire import Received, Reply

ANN, BOB = "+905321234567", "+905321234568"
ACCOUNT = BatchAccount(
    path="/v2/{campaign}/send",
    base_path="/api",
    headers={"X-Key": "secret", "X-Version": "2"},
    private_headers=["X-Key"],
    body={"to": "$recipients", "by": ["$campaign", "us"], "price": "$$5", "n": 1},
    recipient={"tel": "$phone", "mail": "$email", "ref": "$id", "tags": ["$data.a", "x"]},
    campaigns=["one"],
    code_at=["error", "code"],
    reference_at=["id"],
)
BODY: dict[str, Any] = {
    "to": [{"tel": ANN, "ref": "i-1", "tags": [{"any": 1}, "x"]}],
    "by": ["one", "us"],
    "price": "$5",
    "n": 1,
}
HEADERS = {"x-key": "secret", "x-version": "2", "content-type": "application/json; charset=utf-8"}


def answer(
    body: Any = None,
    *,
    path: str = "/v2/one/send",
    method: str = "POST",
    account: BatchAccount = ACCOUNT,
    bad: frozenset[str] = frozenset(),
    **headers: str | None,
) -> Reply:
    given = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    there = {name: value for name, value in given.items() if value is not None}
    raw = body if isinstance(body, bytes) else orjson.dumps(BODY if body is None else body)
    double = BatchVendors(SandboxSettings(batch_accounts=[account], bad_recipients=bad))
    return double.answer(Received(method, path, there, raw, 0.0))


def said(reply: Reply) -> tuple[int, str]:
    return reply.status, orjson.loads(reply.body).get("message", "")


@pytest.mark.parametrize("path", ["/v2/one/send", "/api/v2/one/send"])
def test_a_call_by_the_templates_is_accepted_with_a_reference(path: str) -> None:
    reply = answer(path=path)
    assert (reply.accepted, reply.campaign, reply.recipients) == (True, "one", (ANN,))
    assert orjson.loads(reply.body) == {"id": "sandbox-1"}


@pytest.mark.parametrize(
    "entry",
    [
        {"mail": "a@b.example", "ref": "i", "tags": ["x"]},
        {"mail": "a@b.example", "tel": BOB, "ref": "i", "tags": [None, "x"]},
    ],
)
def test_an_entry_may_lack_what_its_invitation_lacks(entry: Any) -> None:
    assert answer(BODY | {"to": [entry]}).accepted


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "body: expected JSON"),
        ([], "body: expected an object"),
        (BODY | {"more": 1}, "body: expected no other keys than to, by, price, n"),
        ({key: BODY[key] for key in ("by", "price", "n")}, "body.to: expected a value"),
        (BODY | {"to": []}, "body.to: expected entries"),
        (BODY | {"to": [ANN]}, "$recipients[0]: expected an object"),
        (BODY | {"by": ["two", "us"]}, "body.by[0]: expected the campaign's id"),
        (BODY | {"by": ["one"]}, "body.by[1]: expected a value"),
        (BODY | {"by": ["one", "us", "x"]}, "body.by: expected no further items"),
        (BODY | {"by": "one"}, "body.by: expected a list"),
        (BODY | {"price": "$$5"}, "body.price: expected the template's own value"),
        (BODY | {"n": True}, "body.n: expected the template's own value"),
        (
            BODY | {"to": [{"tel": "0532 123 45 67", "ref": "i", "tags": ["x"]}]},
            "$recipients[0].tel: expected a phone number as +905321234567",
        ),
        (
            BODY | {"to": [{"mail": "a", "ref": "i", "tags": ["x"]}]},
            "$recipients[0].mail: expected an e-mail address",
        ),
        (
            BODY | {"to": [{"tel": ANN, "tags": ["x"]}]},
            "$recipients[0].ref: expected a value",
        ),
        (
            BODY | {"to": [{"ref": "i", "tags": ["x"]}]},
            "$recipients[0]: expected a phone number or an e-mail address",
        ),
        (BODY | {"to": [*BODY["to"], *BODY["to"]]}, "$recipients: expected each recipient once"),
    ],
)
def test_a_body_that_differs_is_refused_with_the_place_and_no_value(
    body: Any, expected: str
) -> None:
    reply = answer(body)
    assert said(reply) == (400, expected)
    assert not reply.accepted


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"x_key": "wrong"}, (401, "header X-Key: expected the account's own value")),
        ({"x_version": None}, (400, "header X-Version: expected the account's own value")),
        ({"content_type": "text/plain"}, (400, "header content-type: expected the account's own")),
        ({"path": "/v2/two/send"}, (404, "no such campaign")),
        ({"path": "/v2/one"}, (404, "no such path")),
        ({"method": "PUT"}, (404, "no such path")),
    ],
)
def test_another_request_is_refused(changes: Any, expected: tuple[int, str]) -> None:
    status, message = said(answer(**changes))
    assert (status, message[: len(expected[1])]) == expected
    assert "wrong" not in message


def test_refusals_carry_the_accounts_own_codes() -> None:
    account = ACCOUNT.model_validate(
        ACCOUNT.model_dump()
        | {"bad_recipient": {"status": 400, "code": "BAD"}, "success": {"status": 202, "code": "1"}}
    )
    refused = answer(account=account, bad=frozenset({ANN}))
    assert orjson.loads(refused.body) == {"message": "a bad recipient", "error": {"code": "BAD"}}
    assert (refused.status, refused.recipients) == (400, (ANN,))
    taken = answer(account=account)
    assert (taken.status, orjson.loads(taken.body)["error"]) == (202, {"code": "1"})


@pytest.mark.parametrize("where", ["body", "entry", "nowhere"])
def test_a_campaign_may_stand_in_the_path_in_the_body_or_in_no_place(where: str) -> None:
    body: dict[str, Any] = {"to": "$recipients"}
    entry: dict[str, Any] = {"tel": "$phone"}
    {"body": body, "entry": entry}.get(where, {})["c"] = "$campaign"
    account = BatchAccount(path="/send", body=body, recipient=entry, campaigns=["one", "two"])
    filled = {"tel": ANN} | ({"c": "two"} if where == "entry" else {})
    whole = {"to": [filled]} | ({"c": "two"} if where == "body" else {})
    reply = answer(whole, path="/send", account=account)
    assert reply.campaign == ("one" if where == "nowhere" else "two")


def test_accounts_with_one_path_are_told_apart_by_their_headers() -> None:
    other = ACCOUNT.model_copy(update={"headers": {"X-Key": "other"}, "campaigns": ["second"]})
    double = BatchVendors(SandboxSettings(batch_accounts=[ACCOUNT, other]))
    body = orjson.dumps(BODY | {"by": ["second", "us"]})
    headers = HEADERS | {"x-key": "other"}
    assert double.answer(Received("POST", "/v2/second/send", headers, body, 0.0)).accepted


def test_faults_meet_calls_of_batch_vendors_too() -> None:
    settings = SandboxSettings(batch_accounts=[ACCOUNT], faults=Faults(unauthorized=1.0))
    double = Double(settings, lambda: 0.0)
    shown = double.call("POST", "/v2/one/send", HEADERS, orjson.dumps(BODY))
    assert shown.status_code == 401
    assert double.journal.log[-1]["vendor"] == "batch"


def test_a_path_of_no_account_is_unknown_to_the_double() -> None:
    double = Double(SandboxSettings(batch_accounts=[ACCOUNT]), lambda: 0.0)
    assert double.call("POST", "/v3", {}, b"").status_code == 404
