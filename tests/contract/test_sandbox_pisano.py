"""What Pisano's published pages ask for, and that the double refuses everything else."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from consumer.sandbox.pisano import Pisano
from consumer.sandbox.settings import SandboxSettings
from consumer.sandbox.wire import Received, Reply

SMS = "/v1/sms_campaigns/ae51458c-9e82-417f-8f1d-e074891ea5c1/sms_sharings"
EMAIL = "/v1/email_campaigns/735c19a7-ee54-4b03-a84a-93dfe2a94a56/email_sharings"
PUSH = (
    "/v1/push_notification_campaigns/a6aa1866-dcaa-462c-a52d-0c22b0ca1616"
    "/push_notification_sharings"
)
HEADERS = {"authorization": "Token token=sandbox-token", "content-type": "application/json"}
PHONE, EMAIL_ADDRESS = "+905321234567", "ada@example.test"
FULL = {
    "phone_numbers": [PHONE, "+905321234568"],
    "custom_attributes": {PHONE: {"name": "Ada", "external_id": "7"}},
    "built_in_responses": {PHONE: {"Segment": "gold"}},
}


def ask(
    body: Any,
    path: str = SMS,
    *,
    method: str = "POST",
    headers: dict[str, str] = HEADERS,
    **settings: Any,
) -> Reply:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return Pisano(SandboxSettings(**settings)).answer(Received(method, path, headers, raw, 0.0))


def refusal(reply: Reply) -> tuple[int, int]:
    """HTTP status and code of a refusal, which invites no customer and says both in its body."""
    assert not reply.accepted
    document = orjson.loads(reply.body)
    assert document.keys() == {"status", "code", "message"}
    assert str(document["code"]) == reply.code
    return reply.status, document["code"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (SMS, FULL),
        (PUSH, FULL),
        (SMS, {"phone_numbers": [PHONE]}),
        (EMAIL, {"emails": [EMAIL_ADDRESS], "built_in_responses": {EMAIL_ADDRESS: {"a": "b"}}}),
        (EMAIL, {"emails": [EMAIL_ADDRESS], "transactional_data": {EMAIL_ADDRESS: {"a": "b"}}}),
    ],
)
def test_a_sharing_call_as_documented_is_accepted_for_all_its_recipients(
    path: str, body: dict[str, Any]
) -> None:
    reply = ask(body, path)
    assert (reply.status, orjson.loads(reply.body)) == (200, {"status": "ok"})
    assert reply.accepted
    assert list(reply.recipients) == body.get("phone_numbers", body.get("emails"))
    assert reply.campaign == path.split("/")[3]


def test_a_slash_at_the_end_is_redirected_so_that_followers_of_redirects_are_caught() -> None:
    reply = ask(FULL, SMS + "/")
    assert (reply.status, reply.headers, reply.accepted) == (301, {"location": SMS}, False)
    assert refusal(ask(b"", SMS, method="GET")) == (404, 13002)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "sandbox-token",
        "Token token= sandbox-token",
        "Bearer sandbox-token",
        "Token token=x",
    ],
)
def test_any_other_form_of_the_token_is_unauthorized(authorization: str | None) -> None:
    headers = {
        k: v for k, v in (HEADERS | {"authorization": authorization}).items() if v is not None
    }
    assert refusal(ask(FULL, headers=headers)) == (401, 13001)


def test_the_form_of_the_authorization_is_a_setting() -> None:
    headers = HEADERS | {"authorization": "sandbox-token"}
    assert ask(FULL, headers=headers, pisano_authorization="{token}").accepted


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/jsonp"])
def test_another_content_type_is_invalid(content_type: str) -> None:
    assert refusal(ask(FULL, headers=HEADERS | {"content-type": content_type})) == (400, 13028)


def test_a_charset_does_not_change_the_content_type() -> None:
    assert ask(FULL, headers=HEADERS | {"content-type": "application/json; charset=utf-8"}).accepted


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b"null"])
def test_what_is_no_json_object_is_invalid(body: bytes) -> None:
    assert refusal(ask(body)) == (400, 13028)


@pytest.mark.parametrize(
    "path",
    [
        SMS.replace("ae51458c", "00000000"),
        SMS.replace("ae51458c-9e82-417f-8f1d-e074891ea5c1", EMAIL.split("/")[3]),
        SMS.replace("sms_sharings", "email_sharings"),
        "/v2" + SMS[3:],
        "/v1/sms_campaigns",
        SMS + "/more",
    ],
)
def test_an_unknown_campaign_channel_or_path_is_not_found(path: str) -> None:
    assert refusal(ask(FULL, path)) == (404, 13002)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"phone_numbers": None}, 13015),
        ({"phone_numbers": []}, 13028),
        ({"phone_numbers": PHONE}, 13028),
        ({"phone_numbers": [PHONE, 5]}, 13028),
        ({"phone_numbers": [PHONE, None]}, 13028),
        ({"phone_numbers": [PHONE, PHONE]}, 13017),
        ({"phone_numbers": [PHONE, "05321234567"]}, 13028),
        ({"phone_numbers": [PHONE, PHONE + "\n"]}, 13028),
        ({"phone_numbers": [PHONE, "+٩٠٥٣٢١٢٣٤٥٦٧"]}, 13028),
        ({"custom_attributes": []}, 13028),
        ({"custom_attributes": None}, 13028),
        ({"custom_attributes": {PHONE: []}}, 13028),
        ({"custom_attributes": {PHONE: {"age": 5}}}, 13028),
        ({"custom_attributes": {PHONE: {"name": None}}}, 13028),
        ({"custom_attributes": {"+905320000000": {"name": "x"}}}, 13028),
        ({"built_in_responses": {"+905320000000": {"name": "x"}}}, 13028),
        ({"built_in_responses": {PHONE: {"a": ["b"]}}}, 13028),
        ({"built_in_responses": "x"}, 13028),
        ({"transactional_data": {PHONE: {"a": "b"}}}, 13028),
        ({"emails": [EMAIL_ADDRESS]}, 13028),
        ({"name": "x"}, 13028),
    ],
)
def test_one_fault_refuses_the_whole_call(change: dict[str, Any], code: int) -> None:
    assert refusal(ask(FULL | change)) == (400, code)


def test_a_call_without_its_array_lacks_a_required_field() -> None:
    assert refusal(ask({"emails": [EMAIL_ADDRESS]})) == (400, 13015)
    assert refusal(ask({"phone_numbers": [PHONE]}, EMAIL)) == (400, 13015)


@pytest.mark.parametrize("email", ["ada", "@example.test", "ada@", "a@b@c", "a da@b.c", ""])
def test_an_email_needs_exactly_one_at_sign_within(email: str) -> None:
    assert refusal(ask({"emails": [EMAIL_ADDRESS, email]}, EMAIL)) == (400, 13028)


def test_responses_of_an_email_travel_under_one_name_only() -> None:
    both: dict[str, Any] = {"built_in_responses": {}, "transactional_data": {}}
    assert refusal(ask({"emails": [EMAIL_ADDRESS], **both}, EMAIL)) == (400, 13028)


def test_five_thousand_recipients_are_the_most() -> None:
    phones = [f"+90532{n:07d}" for n in range(5001)]
    assert refusal(ask({"phone_numbers": phones})) == (400, 13028)
    assert len(ask({"phone_numbers": phones[:5000]}).recipients) == 5000


def test_a_bad_recipient_refuses_the_call_and_its_absence_does_not() -> None:
    assert refusal(ask(FULL, bad_recipients={PHONE})) == (400, 13028)
    assert ask({"phone_numbers": ["+905321234568"]}, bad_recipients={PHONE}).accepted


LINK_ID = "9f3f1d4e-70c5-4a43-8a52-1d1f6f0b7c11"
LINKS = f"/external/v1/link_sharings/{LINK_ID}/generate_link"
LINK_CAMPAIGNS = [{"id": LINK_ID, "channel": "generated_link"}]


def test_a_link_call_as_documented_is_answered_with_a_link() -> None:
    full = {
        "customer": {"name": "Ada", "external_id": "7", "email": "a@a.test", "phone_number": PHONE},
        "built_in_responses": {"Segment": "gold"},
        "options": {"short_link": True},
    }

    reply = ask(full, LINKS, campaigns=LINK_CAMPAIGNS)

    assert (reply.status, reply.recipients, reply.campaign) == (200, (PHONE,), LINK_ID)
    assert orjson.loads(reply.body)["link"].startswith("https://")
    assert ask({"customer": {}}, LINKS, campaigns=LINK_CAMPAIGNS).recipients == ()
    mail = ask({"customer": {"email": "a@a.test"}}, LINKS, campaigns=LINK_CAMPAIGNS)
    assert mail.recipients == ("a@a.test",)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 13015),
        ({"customer": []}, 13028),
        ({"customer": {"tier": "gold"}}, 13028),
        ({"customer": {"name": 7}}, 13028),
        ({"customer": {}, "custom_attributes": {}}, 13028),
        ({"customer": {}, "built_in_responses": []}, 13028),
        ({"customer": {}, "built_in_responses": {"a": {}}}, 13028),
        ({"customer": {}, "options": True}, 13028),
    ],
)
def test_any_other_link_call_is_refused(body: Any, code: int) -> None:
    assert refusal(ask(body, LINKS, campaigns=LINK_CAMPAIGNS))[1] == code


def test_a_link_channel_takes_no_sharing_call_and_no_other_id() -> None:
    assert refusal(ask({"customer": {}}, LINKS)) == (404, 13002)
    assert refusal(ask(FULL, SMS.replace("ae51458c", LINK_ID[:8]), campaigns=LINK_CAMPAIGNS)) == (
        404,
        13002,
    )
    bad = {"customer": {"phone_number": PHONE}}
    refused = ask(bad, LINKS, campaigns=LINK_CAMPAIGNS, bad_recipients=frozenset({PHONE}))
    assert refusal(refused) == (400, 13028)
