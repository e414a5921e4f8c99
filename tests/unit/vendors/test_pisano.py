"""Pisano: the bodies of the vendor's samples, and what its codes and statuses mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import orjson
import pytest
from pydantic import JsonValue, SecretStr, ValidationError

from consumer.records.call import Answer, Call, Outcome, Verdict
from consumer.records.channel import Channel
from consumer.records.invitation import CallParts, Data
from consumer.vendors.pisano import CODES, Pisano, PisanoAccount
from tests.support.lanes import parts_of

TOKEN = "s3cr3t-token"
ACCOUNT = PisanoAccount(
    type="pisano", base_url="https://tr.example.test", quota="q", token=SecretStr(TOKEN)
)
PISANO = Pisano(ACCOUNT)

Key = Literal["built_in_responses", "transactional_data"]


@dataclass(frozen=True)
class Campaign:
    channel: Channel
    id: str = "ae51458c-9e82-417f-8f1d-e074891ea5c1"
    responses_key: Key = "built_in_responses"
    link_options: Mapping[str, JsonValue] = field(default_factory=dict)


def build(campaign: Campaign, *invitations: CallParts) -> Call:
    return PISANO.build(campaign, invitations, None)


def read(status: int, body: object, **headers: str) -> Outcome:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return PISANO.read(Answer(status, headers, raw))


def compact(sample: str) -> bytes:
    """A sample without its layout: key order and values stay, so bytes can be compared."""
    return orjson.dumps(orjson.loads(sample))


SMS_SAMPLE = """{
    "phone_numbers": ["<phone>"],
    "custom_attributes": {
        "<phone>": {"name": "<name>", "external_id": "<external_id>", "email": "<email>"}
    },
    "built_in_responses": {
        "<phone>": {
            "customerDetailedInformation1": "<customerDetailedInformation1>",
            "customerDetailedInformation2": "<customerDetailedInformation2>",
            "customerDetailedInformation3": "<customerDetailedInformation3>"
        }
    }
}"""

EMAIL_SAMPLE = """{
    "emails": ["<email1>", "<email2>"],
    "custom_attributes": {
        "<email1>": {"name": "<name1>", "external_id": "<external_id1>",
                     "phone_number": "<phone_number1>"},
        "<email2>": {"name": "<name2>", "external_id": "<external_id2>",
                     "phone_number": "<phone_number2>"}
    },
    "transactional_data": {
        "<email1>": {"Segment": "<Segment1>", "Location": "<Location1>",
                     "TransactionDate": "<TransactionDate1>"},
        "<email2>": {"Segment": "<Segment2>", "Location": "<Location2>",
                     "TransactionDate": "<TransactionDate2>"}
    }
}"""


def email_invitation(n: int) -> CallParts:
    attributes = {
        "name": f"<name{n}>",
        "external_id": f"<external_id{n}>",
        "phone_number": f"<phone_number{n}>",
    }
    responses = {
        "Segment": f"<Segment{n}>",
        "Location": f"<Location{n}>",
        "TransactionDate": f"<TransactionDate{n}>",
    }
    # The data's own order must not matter to the body's: attributes stand first in the sample.
    data: Data = {"built_in_responses": responses, "custom_attributes": attributes}
    return parts_of({"phone": "+905550000000", "email": f"<email{n}>"}, data)


@pytest.mark.parametrize(
    ("channel", "path"),
    [
        (Channel.SMS, "/v1/sms_campaigns/{}/sms_sharings"),
        (Channel.PUSH, "/v1/push_notification_campaigns/{}/push_notification_sharings"),
    ],
)
def test_sms_and_push_calls_are_the_samples(channel: Channel, path: str) -> None:
    sample = parts_of(
        {"phone": "<phone>", "email": "<not for this channel>"},
        {
            "custom_attributes": {
                "name": "<name>",
                "external_id": "<external_id>",
                "email": "<email>",
            },
            "built_in_responses": {
                f"customerDetailedInformation{n}": f"<customerDetailedInformation{n}>"
                for n in (1, 2, 3)
            },
        },
    )
    headers = {"Authorization": f"Token token={TOKEN}", "Content-Type": "application/json"}
    campaign = Campaign(channel, responses_key="transactional_data")  # not for these channels

    call = build(campaign, sample)

    assert call == Call("POST", path.format(campaign.id), headers, compact(SMS_SAMPLE))


def test_an_email_call_is_the_sample_with_transactional_data() -> None:
    campaign = Campaign(Channel.EMAIL, responses_key="transactional_data")

    call = build(campaign, email_invitation(1), email_invitation(2))

    assert call.path == f"/v1/email_campaigns/{campaign.id}/email_sharings"
    assert call.body == compact(EMAIL_SAMPLE)


def test_an_email_call_says_built_in_responses_by_default() -> None:
    call = build(Campaign(Channel.EMAIL), email_invitation(1), email_invitation(2))

    expected = EMAIL_SAMPLE.replace("transactional_data", "built_in_responses")
    assert call.body == compact(expected)


def test_recipients_without_data_are_left_out_of_the_maps() -> None:
    call = build(
        Campaign(Channel.SMS),
        parts_of({"phone": "+901"}, {"custom_attributes": {}, "built_in_responses": {"a": "1"}}),
        parts_of({"phone": "+902"}, {}),
    )

    expected = {"phone_numbers": ["+901", "+902"], "built_in_responses": {"+901": {"a": "1"}}}
    assert call.body == orjson.dumps(expected)


def test_map_keys_are_the_arrays_entries_byte_for_byte() -> None:
    odd = 'Ü"Ünal\\+x@exämple.test'
    call = build(
        Campaign(Channel.EMAIL), parts_of({"email": odd}, {"custom_attributes": {"a": "b"}})
    )

    body = orjson.loads(call.body)
    assert body["emails"] == [odd] == list(body["custom_attributes"])
    assert call.body.count(orjson.dumps(odd)) == 2


def test_a_campaign_id_cannot_leave_its_place_in_the_path() -> None:
    call = build(Campaign(Channel.SMS, id="a/b?c#d"), parts_of({"phone": "+901"}, {}))

    assert call.path == "/v1/sms_campaigns/a%2Fb%3Fc%23d/sms_sharings"


@pytest.mark.parametrize(
    ("template", "header"),
    [
        ("{token}", TOKEN),
        ("Token token= {token}", f"Token token= {TOKEN}"),
        ("Bearer {token}", f"Bearer {TOKEN}"),
        ("{x} {token}", f"{{x}} {TOKEN}"),
    ],
)
def test_the_authorization_header_follows_its_template(template: str, header: str) -> None:
    account = PisanoAccount.model_validate(ACCOUNT.model_dump() | {"authorization": template})

    call = Pisano(account).build(Campaign(Channel.SMS), [parts_of({"phone": "+901"}, {})], "unused")

    assert call.headers["Authorization"] == header


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("authorization", "Token token=TOKEN"),
        ("authorization", "{token}\r\nX: y"),
        ("authorization", "Tökén {token}"),
        ("authorization", "{token} "),
        ("token", ""),
        ("token", "two words"),
        ("token", "line\n"),
    ],
)
def test_an_account_whose_header_cannot_be_sent_is_refused(field: str, value: str) -> None:
    entry = {"type": "pisano", "base_url": "https://a.test", "quota": "q", "token": "hush-hush"}

    with pytest.raises(ValidationError) as refused:
        PisanoAccount.model_validate(entry | {field: value})

    assert [error["loc"] for error in refused.value.errors()] == [(field,)]
    assert "hush-hush" not in str(refused.value)


def test_what_the_channels_need() -> None:
    needs = {channel: PISANO.spec(channel).addresses for channel in Pisano.channels}

    assert needs == {
        Channel.SMS: ("phone",),
        Channel.EMAIL: ("email",),
        Channel.PUSH: ("phone",),
        Channel.LINK: ("phone", "email"),
        Channel.GENERATED_LINK: ("phone", "email"),
    }
    assert [each for each in Pisano.channels if PISANO.spec(each).anyone] == [Channel.LINK]
    assert PISANO.spec(Channel.SMS).maps == {"custom_attributes", "built_in_responses"}


# What a sender does with each code of the vendor's pages, written apart from the module's table.
CREDENTIALS = ["13001", "13011", "13016", "13030", "13032", "13033", "13036"]
CAMPAIGN = ["13002", "13005", "13007", "13010", "13013", "13034", "13035"]
RECIPIENT = ["13015", "13017", "13024", "13028", "13038"]
TROUBLE = ["13000"]
FOREIGN = [
    "13003",
    "13008",
    "13009",
    "13012",
    "13014",
    "13018",
    "13019",
    "13020",
    "13026",
    "13029",
    "13031",
    "13037",
]
EXPECTED = (
    dict.fromkeys(CREDENTIALS + CAMPAIGN, (Verdict.RETRY, False))
    | dict.fromkeys(RECIPIENT, (Verdict.REJECTED, True))
    | dict.fromkeys(TROUBLE, (Verdict.RETRY, True))
)


def test_the_table_has_every_code_of_the_pages() -> None:
    assert sorted([*EXPECTED, *FOREIGN]) == sorted(CODES)


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 408, 409, 422])
@pytest.mark.parametrize("code", EXPECTED)
def test_a_known_code_decides_whatever_the_refusals_status(code: str, status: int) -> None:
    outcome = read(status, {"status": "some_word", "code": int(code), "message": "+905551234567"})

    verdict, counts = EXPECTED[code]
    assert outcome == Outcome(
        verdict,
        status,
        code,
        CODES[code].meaning,
        counts=counts,
        parked=code in CAMPAIGN,
        refused=code in CREDENTIALS,
        divisible=code in RECIPIENT + TROUBLE,
    )


@pytest.mark.parametrize("code", FOREIGN)
def test_a_code_of_other_calls_leaves_the_decision_to_the_status(code: str) -> None:
    body = {"code": code, "message": "x"}

    meaning = CODES[code].meaning
    assert read(404, body) == Outcome(Verdict.REJECTED, 404, code, meaning, divisible=True)
    assert read(302, body) == Outcome(Verdict.IN_DOUBT, 302, code, meaning)


@pytest.mark.parametrize("code", [*EXPECTED, *FOREIGN])
def test_a_5xx_is_in_doubt_and_a_2xx_accepted_whatever_the_code(code: str) -> None:
    body = {"error": {"code": code}}

    assert read(503, body) == Outcome(Verdict.IN_DOUBT, 503, code, CODES[code].meaning)
    assert read(200, body) == Outcome(Verdict.ACCEPTED, 200, code, None)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\r\n", b'{"status":"ok"}', b'{"code":200}', b"[]", b"null"),
        *(b'\xef\xbb\xbf {"a":1}', b'{"accepted":[' + b'"x",' * 20_000),
    ],
)
def test_any_2xx_in_the_form_of_a_json_interface_is_accepted(status: int, body: bytes) -> None:
    """What is cut at the body's limit has that form, too."""
    assert read(status, body) == Outcome(Verdict.ACCEPTED, status)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("", b"<html>"),
        ("text/html; charset=utf-8", b"<!doctype html><title>Just a moment...</title>"),
        ("application/json", b"<html>Please sign in</html>"),
        ("text/html", b"Down for maintenance"),
        ("text/plain", b"Down for maintenance"),
        ("", b"OK"),
        ("", b"\x1f\x8b\x08\x00"),
    ],
)
def test_a_2xx_that_may_be_a_gateways_is_in_doubt(status: int, media: str, body: bytes) -> None:
    """A challenge or a maintenance page: whether the call passed it, no byte of it says."""
    outcome = PISANO.read(Answer(status, {"content-type": media}, body))

    assert (outcome.verdict, outcome.divisible) == (Verdict.IN_DOUBT, False)
    assert outcome.message


@pytest.mark.parametrize("media", ["application/json", "application/problem+json; charset=utf-8"])
def test_what_is_said_to_be_json_need_not_be_readable(media: str) -> None:
    assert PISANO.read(Answer(200, {"content-type": media}, b"OK")).verdict is Verdict.ACCEPTED


GATEWAYS = [
    (b"", ""),
    (b"default backend - 404", "text/plain"),
    (b"<html>blocked, your request id is 123</html>", "text/html"),
    (b'{"message":"no Route matched with those values"}', "application/json"),
    (b'{"statusCode":%d,"error":"Not Found","message":"x"}', "application/json"),
    (b'{"error":{"code":%d,"message":"x"}}', "application/json"),
    (b'{"code":5,"message":"Not Found","details":[]}', "application/json"),
    (b'{"type":"about:blank","title":"Forbidden","status":%d}', "application/problem+json"),
]


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 410, 414, 421, 422, 431, 451, 499])
@pytest.mark.parametrize(("body", "media"), GATEWAYS)
def test_a_refusal_that_is_not_the_vendors_says_nothing_of_a_recipient(
    status: int, body: bytes, media: str
) -> None:
    raw = body % status if b"%d" in body else body

    outcome = PISANO.read(Answer(status, {"content-type": media}, raw))

    assert (outcome.verdict, outcome.gateway, outcome.counts) == (Verdict.RETRY, True, False)
    assert {outcome.divisible, outcome.refused, outcome.parked} == {False}


def test_a_call_that_is_too_large_is_divided_for_every_kind_of_answer() -> None:
    """nginx answers a 413 with a page."""
    assert read(413, b"<html>Request Entity Too Large</html>").divisible


@pytest.mark.parametrize("status", [300, 302, 303, 304])
def test_a_redirect_that_may_follow_the_act_is_in_doubt(status: int) -> None:
    """RFC 9110 15.4.4: a 303 points at the result of a POST that was carried out."""
    assert read(status, b"").verdict is Verdict.IN_DOUBT
    assert read(303, {"code": 13028}).verdict is Verdict.IN_DOUBT


@pytest.mark.parametrize("slash", [False, True])
def test_a_path_ends_as_the_installation_wants_it(slash: bool) -> None:
    account = PisanoAccount.model_validate(ACCOUNT.model_dump() | {"trailing_slash": slash})
    one = parts_of({"phone": "+901", "email": "a@b.test"}, {})

    for channel in (Channel.SMS, Channel.EMAIL, Channel.PUSH):
        path = Pisano(account).build(Campaign(channel), [one], None).path
        assert path.endswith("_sharings/" if slash else "_sharings")


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, {"code": 13002}), (404, b"no such route"), (301, b""), (308, b""), (405, b"")],
)
def test_what_does_not_know_the_path_names_what_to_check(status: int, body: object) -> None:
    hint = read(status, body).hint

    assert hint is not None
    assert "`trailing_slash`" in hint
    assert read(400, {"code": 13028}).hint is None


@pytest.mark.parametrize(
    ("status", "verdict", "counts"),
    [
        (301, Verdict.RETRY, False),
        (307, Verdict.RETRY, False),
        (308, Verdict.RETRY, False),
        (400, Verdict.REJECTED, True),
        (401, Verdict.RETRY, False),
        (403, Verdict.RETRY, False),
        (404, Verdict.REJECTED, True),
        (407, Verdict.RETRY, False),
        (408, Verdict.IN_DOUBT, True),
        (413, Verdict.REJECTED, True),
        (422, Verdict.REJECTED, True),
        (425, Verdict.RETRY, True),
        (500, Verdict.IN_DOUBT, True),
        (502, Verdict.IN_DOUBT, True),
        (599, Verdict.IN_DOUBT, True),
        (100, Verdict.IN_DOUBT, True),
        (0, Verdict.IN_DOUBT, True),
        (-1, Verdict.IN_DOUBT, True),
        (999, Verdict.IN_DOUBT, True),
    ],
)
def test_with_an_unknown_code_of_the_vendors_form_the_status_decides(
    status: int, verdict: Verdict, counts: bool
) -> None:
    assert read(status, {"code": 13999, "message": "Ask for help"}) == Outcome(
        verdict,
        status,
        "13999",
        "Ask for help",
        counts=counts,
        refused=status in {401, 403, 407},
        gateway=status in {301, 307, 308},
        divisible=verdict is Verdict.REJECTED or status == 425,
    )


@pytest.mark.parametrize("status", [301, 400, 401, 403, 407, 408, 425, 500, 100, -1])
def test_a_page_is_told_of_in_our_own_words(status: int) -> None:
    plain = read(status, b"<html>trouble for +905551234567</html>")

    assert plain.code is None
    assert plain.message
    assert "555" not in plain.message


def test_the_vendors_own_clock_is_read() -> None:
    answer = Answer(429, {"date": "Sun, 22 Nov 2026 15:37:00 GMT"}, b"")

    assert PISANO.read(answer).vendor_time == 1_795_361_820.0
    assert read(429, b"").vendor_time is None


def test_a_429_closes_the_lane_for_as_long_as_it_says() -> None:
    answer = Answer(429, {"retry-after": "7", "content-type": "text/plain"}, b"Retry later\n")

    outcome = PISANO.read(answer)

    assert (outcome.verdict, outcome.counts, outcome.code) == (Verdict.RETRY, False, None)
    assert (outcome.throttled, outcome.retry_after) == (True, 7.0)
    assert read(429, b"").retry_after is None


def test_a_429_stays_a_429_whatever_its_code() -> None:
    outcome = read(429, {"code": 13028})

    assert (outcome.verdict, outcome.throttled, outcome.counts) == (Verdict.RETRY, True, False)


def test_retry_after_is_read_from_a_429_only() -> None:
    assert PISANO.read(Answer(503, {"retry-after": "7"}, b"")).retry_after is None
