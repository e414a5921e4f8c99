"""The vendor that is all config: what it sends, how its rules read, what is refused at load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from consumer.records.call import Answer, Call, Outcome, Verdict
from consumer.records.channel import Channel
from consumer.vendors.http_batch.account import HttpBatchAccount
from consumer.vendors.http_batch.http_batch import CHANNELS, HttpBatch
from tests.support.lanes import parts_of

ENTRY: dict[str, Any] = {
    "type": "http_batch",
    "base_url": "https://surveys.example.test/api",
    "quota": "q",
    "token": "s3cr3t",
    "headers": {"X-Api-Key": "{token}", "X-Tenant": "acme"},
    "path": "/v2/surveys/{campaign}/people",
    "addresses": ["phone", "email"],
    "body": {"survey": "$campaign", "source": {"name": "pos"}, "people": "$recipients"},
    "recipient": {
        "mobile": "$phone",
        "mail": "$email",
        "reference": "$id",
        "first_name": "$data.name",
        "fields": "$data.attributes",
    },
    "code": "error.code",
    "success": {"status": [200, 202]},
    "bad_recipient": {"status": [422], "code": ["INVALID_PHONE"]},
    "campaign_error": {"code": ["NO_SURVEY"]},
    "credentials": {"status": [418], "code": ["EXPIRED"]},
    "trouble": {"status": [423]},
}


@dataclass(frozen=True)
class Campaign:
    channel: Channel = Channel.SMS
    id: str = "7"


def account(**changes: object) -> HttpBatchAccount:
    """A change to None takes the key away. Read as the config's loader reads it."""
    entry = {key: value for key, value in (ENTRY | changes).items() if value is not None}
    return HttpBatchAccount.model_validate_json(orjson.dumps(entry))


def vendor(**changes: object) -> HttpBatch:
    return HttpBatch(account(**changes))


def test_a_call_is_the_templates_filled() -> None:
    both = parts_of(
        {"phone": "+905551234567", "email": "a@b.test"},
        {"name": "Ada", "attributes": {"tier": "gold"}},
    )
    bare = parts_of({"email": 'x"$phone@b.test'}, {"name": "$recipients"})

    call = vendor().build(Campaign(id="a/b?"), [both, bare], "unused")

    headers = {"X-Api-Key": "s3cr3t", "X-Tenant": "acme", "Content-Type": "application/json"}
    people = [
        {
            "mobile": "+905551234567",
            "mail": "a@b.test",
            "reference": "i1",
            "first_name": "Ada",
            "fields": {"tier": "gold"},
        },
        {"mail": 'x"$phone@b.test', "reference": "i1", "first_name": "$recipients"},
    ]
    body = orjson.dumps({"survey": "a/b?", "source": {"name": "pos"}, "people": people})
    assert call == Call("POST", "/v2/surveys/a%2Fb%3F/people", headers, body)


def test_entries_may_be_addresses_alone() -> None:
    plain = vendor(addresses=["phone"], recipient="$phone")

    call = plain.build(Campaign(), [parts_of({"phone": "+901"}, {})], None)

    assert orjson.loads(call.body)["people"] == ["+901"]


@pytest.mark.parametrize("name", ["Content-Type", "content-type"])
def test_another_content_type_may_be_sent(name: str) -> None:
    headers = {name: "application/vnd.api+json", "X-Api-Key": "{token}"}

    call = vendor(headers=headers).build(Campaign(), [parts_of({"phone": "+901"}, {})], None)

    assert call.headers == {name: "application/vnd.api+json", "X-Api-Key": "s3cr3t"}


def test_a_vendor_may_need_no_token() -> None:
    call = vendor(token=None, headers=None).build(Campaign(), [parts_of({}, {})], None)

    assert call.headers == {"Content-Type": "application/json"}


def test_the_templates_say_what_a_channel_takes() -> None:
    assert tuple(HttpBatch.channels) == CHANNELS
    for channel in CHANNELS:
        spec = vendor().spec(channel)
        assert spec.addresses == ("phone", "email")
        assert spec.fields == spec.maps == {"name", "attributes"}


@pytest.mark.parametrize(
    ("status", "code", "verdict", "flags"),
    [
        (200, None, Verdict.ACCEPTED, ""),
        (202, "WHATEVER", Verdict.ACCEPTED, ""),
        (201, None, Verdict.IN_DOUBT, ""),  # a success that no rule names
        (204, None, Verdict.IN_DOUBT, ""),
        (200, "INVALID_PHONE", Verdict.IN_DOUBT, ""),  # some may have been invited
        (202, "NO_SURVEY", Verdict.IN_DOUBT, ""),
        (207, "EXPIRED", Verdict.IN_DOUBT, ""),
        (400, "INVALID_PHONE", Verdict.REJECTED, "divisible"),
        (302, "INVALID_PHONE", Verdict.REJECTED, "divisible"),
        (422, None, Verdict.REJECTED, "divisible"),
        (422, "NO_SURVEY", Verdict.RETRY, "parked"),  # a code decides first
        (404, "NO_SURVEY", Verdict.RETRY, "parked"),
        (418, None, Verdict.RETRY, "refused"),
        (400, "EXPIRED", Verdict.RETRY, "refused"),
        (423, None, Verdict.RETRY, "divisible"),
        (400, None, Verdict.REJECTED, "divisible"),
        (401, None, Verdict.RETRY, "refused"),
        (302, None, Verdict.IN_DOUBT, ""),
        (303, "INVALID_PHONE", Verdict.IN_DOUBT, ""),
        (308, None, Verdict.RETRY, "gateway"),
        (403, None, Verdict.RETRY, "gateway"),
        (403, "E17", Verdict.RETRY, "refused"),
        (404, None, Verdict.RETRY, "gateway"),
        (404, "404", Verdict.RETRY, "gateway"),
        (404, "E17", Verdict.REJECTED, "divisible"),
        (413, None, Verdict.REJECTED, "divisible"),
        (408, "INVALID_PHONE", Verdict.IN_DOUBT, ""),
        (429, "INVALID_PHONE", Verdict.RETRY, "throttled"),
        (500, "INVALID_PHONE", Verdict.IN_DOUBT, ""),
        (100, "INVALID_PHONE", Verdict.IN_DOUBT, ""),
    ],
)
def test_an_answer_is_read_by_the_rules(
    status: int, code: str | None, verdict: Verdict, flags: str
) -> None:
    body = orjson.dumps({"error": {"code": code, "message": "Not +905551234567"}})

    outcome = vendor().read(Answer(status, {}, body))

    flags_there = ("divisible", "parked", "refused", "gateway")
    shown = {name for name in flags_there if getattr(outcome, name)}
    assert (outcome.verdict, shown) == (verdict, {flags} - {"", "throttled"})
    assert outcome.throttled == (flags == "throttled")
    assert outcome.message == (None if verdict is Verdict.ACCEPTED else "Not […]")


def test_an_answer_without_a_message_gets_one_of_ours() -> None:
    outcome = vendor().read(Answer(422, {}, b"<html>"))

    assert outcome.message == "By the config's rule `bad_recipient`."


@pytest.mark.parametrize(
    ("value", "code"),
    [("0", "0"), (0, "0"), (True, "true"), (False, None), (0.0, "0"), ("ok", None), ([], None)],
)
def test_a_success_may_need_a_code_too(value: object, code: str | None) -> None:
    strict = vendor(code="result", success={"code": ["0", "true"]}, bad_recipient={})

    outcome = strict.read(Answer(200, {}, orjson.dumps({"result": value})))

    assert (outcome.verdict is Verdict.ACCEPTED) == (code is not None)
    assert outcome.code == code
    assert set(strict.codes) == {"0", "true", "NO_SURVEY", "EXPIRED"}


@pytest.mark.parametrize("status", [200, 201, 202, 206, 207, 299])
@pytest.mark.parametrize("rule", ["bad_recipient", "campaign_error", "credentials", "trouble"])
def test_a_2xx_with_the_code_of_an_entry_is_never_called_again(rule: str, status: int) -> None:
    """Seven of eight were accepted: dividing the call would invite them twice."""
    rules = dict.fromkeys(("bad_recipient", "campaign_error", "credentials", "trouble"))
    partly = vendor(
        **rules | {rule: {"code": ["INVALID_PHONE"]}},
        code="errors[0].code",
        success={"status": [200, 201, 202, 206, 207, 299]},
    )
    body = {"accepted": 7, "errors": [{"index": 3, "code": "INVALID_PHONE"}]}

    outcome = partly.read(Answer(status, {}, orjson.dumps(body)))

    assert outcome.verdict is Verdict.IN_DOUBT
    assert outcome.code == "INVALID_PHONE"
    assert {outcome.divisible, outcome.refused, outcome.parked} == {False}


def test_where_success_names_codes_a_failures_code_decides_but_in_a_207() -> None:
    """Some vendors answer 200 whatever becomes of a call, and say in a code what that was."""
    coded = vendor(code="result", success={"status": [200, 207], "code": ["OK"]})
    body = orjson.dumps({"result": "INVALID_PHONE"})

    assert coded.read(Answer(200, {}, body)).divisible
    assert coded.read(Answer(207, {}, body)).verdict is Verdict.IN_DOUBT
    assert coded.read(Answer(207, {}, b'{"result":"OK"}')).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("media", "body", "accepted"),
    [
        ("text/html", b"<html>Please sign in</html>", False),
        ("", b"\n <!doctype html>", False),
        ("application/json", b"<h1>Moved</h1>", False),
        ("application/xhtml+xml", b"<?xml version='1.0'?><html/>", False),
        ("text/html", b"\x1f\x8b\x08\xff", False),
        ("text/html", b"OK", True),  # what PHP calls any text
        ("text/plain", b"Tamam", True),
        ("application/xml", b"<ok/>", True),
        ("", b"", True),
    ],
)
def test_a_page_is_no_success(media: str, body: bytes, accepted: bool) -> None:
    outcome = vendor().read(Answer(200, {"content-type": media}, body))

    assert outcome.verdict is (Verdict.ACCEPTED if accepted else Verdict.IN_DOUBT)


@pytest.mark.parametrize("body", [b"", b"<html>", b"no such path", b"[1"])
def test_a_refusal_that_is_no_json_says_nothing_of_a_recipient(body: bytes) -> None:
    outcome = vendor(bad_recipient={}).read(Answer(400, {}, body))

    assert (outcome.gateway, outcome.divisible) == (True, False)
    assert vendor().read(Answer(422, {}, body)).divisible  # the account's rule says so


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"result":{}}', b"\xff"])
def test_what_does_not_say_that_it_is_a_success_is_in_doubt(body: bytes) -> None:
    strict = vendor(code="result", success={"code": ["0"]})

    assert strict.read(Answer(200, {}, body)).verdict is Verdict.IN_DOUBT


def test_an_accepted_call_has_the_vendors_reference() -> None:
    def reference(status: int, document: object) -> str | None:
        made = vendor(reference="batch.id")
        return made.read(Answer(status, {}, orjson.dumps(document))).reference

    assert reference(200, {"batch": {"id": "b-17"}}) == "b-17"
    assert reference(200, {"batch": 7}) is None
    assert reference(400, {"batch": {"id": "b-17"}}) is None


def test_a_code_that_no_rule_names_travels_only_if_it_looks_like_one() -> None:
    def code(value: object) -> str | None:
        return vendor().read(Answer(400, {}, orjson.dumps({"error": {"code": value}}))).code

    assert [code(each) for each in ("E17", 4711, "Ada Lovelace", "+905551234567")] == [
        "E17",
        "4711",
        None,
        None,
    ]


@pytest.mark.parametrize("expression", ["length(a)", "sort(a)[0]", "a[::0]", "b && unknown(a)"])
def test_an_expression_that_fails_on_an_answer_finds_no_code(expression: str) -> None:
    document = {"a": [1, "x"], "b": True}

    outcome = vendor(code=expression).read(Answer(200, {}, orjson.dumps(document)))

    assert outcome == Outcome(Verdict.ACCEPTED, 200, "2" if expression == "length(a)" else None)


@pytest.mark.parametrize(
    ("changes", "field", "why"),
    [
        ({"body": {"people": "$people"}}, "body", r"'\$people' is not known"),
        ({"body": {"survey": "$campaign"}}, "body", r"\$recipients"),
        ({"body": {"people": "$recipients", "x": "$phone"}}, "body", r"'\$phone' is not known"),
        ({"recipient": {"a": "$phone"}}, "recipient", r"\$email stands here"),
        ({"recipient": {"a": "$phone", "b": "$email", "c": "$mail"}}, "recipient", "not known"),
        ({"addresses": ["phone"]}, "recipient", r"\$email stands here"),
        ({"recipient": "$phone"}, "recipient", r"\$email stands here"),
        ({"recipient": "$data.name"}, "recipient", r"\$email stands here"),
        ({"recipient": ["$phone", "$email"]}, "recipient", "must be a mapping"),
        ({"addresses": []}, "addresses", "at least 1"),
        ({"addresses": ["fax"]}, "addresses.0", "'phone' or 'email'"),
        ({"path": "v2"}, "path", "begin with /"),
        ({"path": "/v2 x"}, "path", "no space"),
        ({"path": "/v2#x"}, "path", "#"),
        ({"path": "/{survey}"}, "path", "braces"),
        ({"headers": {"X Y": "{token}"}}, "headers", "name"),
        ({"headers": {"Host": "{token}"}}, "headers", "sets Host itself"),
        ({"headers": {"X": "{token}\r\nY: z"}}, "headers", "printable ASCII"),
        ({"headers": {"X": " {token}"}}, "headers", "printable ASCII"),
        ({"headers": {"X": "y"}}, "headers", "no header has"),
        ({"headers": None}, "headers", "no header has"),
        ({"token": None}, "headers", "needs `token`, or `oauth`"),
        ({"token": "two words"}, "token", "printable ASCII"),
        ({"code": "a["}, "code", "JMESPath"),
        ({"code": "unknown(a)"}, "code", "JMESPath"),
        ({"code": "length()"}, "code", "JMESPath"),
        ({"code": None}, "", "said with `code`"),
        ({"success": {"status": []}}, "success.status", "at least 1"),
        ({"success": {"status": [404]}}, "success.status.0", "less than or equal to 299"),
        ({"trouble": {"status": [503]}}, "trouble.status.0", "less than or equal to 499"),
        ({"trouble": {"status": [429]}}, "trouble.status", "429 is fixed"),
        ({"trouble": {"status": [422]}}, "", "two rules name 422"),
        ({"trouble": {"code": ["EXPIRED"]}}, "", "two rules name EXPIRED"),
        ({"success": {"code": ["EXPIRED"]}}, "", "two rules name EXPIRED"),
        ({"trouble": {"codes": ["E1"]}}, "trouble.codes", "Extra"),
        ({"methods": "PUT"}, "methods", "Extra"),
        ({"recipient": None}, "recipient", "is required"),
    ],
)
def test_an_entry_that_cannot_work_is_refused_with_its_reason(
    changes: dict[str, object], field: str, why: str
) -> None:
    with pytest.raises(ValidationError, match=why) as refused:
        account(**changes)

    # A list whose item is refused counts as too short besides: the loader passes that over.
    fields = [".".join(map(str, error["loc"])) for error in refused.value.errors()]
    assert fields in ([field], [field, field.removesuffix(".0")])
    assert "s3cr3t" not in str(refused.value)


def test_one_mistake_is_reported_once() -> None:
    """What depends on a refused key is not refused for it, too."""
    with pytest.raises(ValidationError) as refused:
        account(token="two words", recipient={"x": "$phone", "y": "$email", "z": "$unknown"})

    assert [error["loc"] for error in refused.value.errors()] == [("token",), ("recipient",)]
