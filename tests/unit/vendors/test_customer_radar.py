"""Customer Radar: the vendor's samples, its answers and its login."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from email.utils import format_datetime
from typing import Literal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from consumer.records.call import Answer, Call, Outcome, Token, Verdict
from consumer.records.channel import Channel
from consumer.records.invitation import Address, CallParts, Data
from consumer.vendors.customer_radar import CODES, CustomerRadar, CustomerRadarAccount
from tests.support.lanes import parts_of

Recipient = Literal["email_or_mobile", "email", "mobile"]

CLIENT = "8291a9ed952342c5b5fe2915f2189e7c"
NOW = 1_763_800_000.0

SAMPLE = """{
    "clientDisplayId": "8291a9ed952342c5b5fe2915f2189e7c",
    "programmeDisplayId": "1cf118a0326d47aa851a90b9674e90aa",
    "sendData": [
        {
            "email": "abc@gmail.com",
            "mobile": "0211234321",
            "firstName": "Dave",
            "lastName": "Brown",
            "locationDisplayId": "1cf118a0326d47aa851a90b9674e90aa",
            "pomDisplayId": "7547ct569yh67n0326vghddte86bkkn",
            "metadata": [
                {"key": "booking_reference", "value": "122334345"},
                {"key": "invoice_no", "value": "INV00001"}
            ]
        }
    ]
}"""
SUCCESS = {"code": "00000", "description": "success", "data": "846673197418938368"}


@dataclass(frozen=True)
class Campaign:
    channel: Channel = Channel.INVITATION
    id: str = "1cf118a0326d47aa851a90b9674e90aa"


def account(recipient: Recipient = "email_or_mobile") -> CustomerRadarAccount:
    return CustomerRadarAccount(
        type="customer_radar",
        base_url="https://radar.example.test",
        quota="radar",
        username="testing",
        password=SecretStr("testing12345"),
        client=CLIENT,
        recipient=recipient,
    )


RADAR = CustomerRadar(account())
ADDRESS: Address = {"phone": "0211234321", "email": "abc@gmail.com"}
DATA: Data = {
    "metadata": {"booking_reference": "122334345", "invoice_no": "INV00001"},
    "pomDisplayId": "7547ct569yh67n0326vghddte86bkkn",
    "locationDisplayId": "1cf118a0326d47aa851a90b9674e90aa",
    "lastName": "Brown",
    "firstName": "Dave",
}


def entries(*invitations: CallParts, radar: CustomerRadar = RADAR) -> list[object]:
    body = orjson.loads(radar.build(Campaign(), invitations, "t").body)
    sent = body["sendData"]
    assert isinstance(sent, list)
    return sent


@pytest.mark.parametrize("blank", ["", " ", "\u00a0"])
def test_a_blank_field_is_left_out(blank: str) -> None:
    """The vendor refuses the whole call for a `pomDisplayId` without a value."""
    (sent,) = entries(parts_of(ADDRESS, {**DATA, "pomDisplayId": blank, "firstName": blank}))
    assert isinstance(sent, dict)
    assert {"pomDisplayId", "firstName"}.isdisjoint(sent)
    assert sent["lastName"] == "Brown"


def read(status: int, body: object) -> Outcome:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return RADAR.read(Answer(status, {}, raw))


def read_login(status: int, body: object, **headers: str) -> Token | Outcome:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return RADAR.read_login(Answer(status, names, raw), NOW)


def test_a_call_is_the_sample() -> None:
    call = RADAR.build(Campaign(), [parts_of(ADDRESS, DATA)], "the-token")

    headers = {"Authorization": "the-token", "Content-Type": "application/json"}
    body = orjson.dumps(orjson.loads(SAMPLE))
    assert call == Call("POST", "/invitation", headers, body)


def test_what_an_invitation_has_not_is_left_out() -> None:
    by_mail: Address = {"email": "a@b.test"}
    by_phone: Address = {"phone": "+64211234321"}

    sent = entries(
        parts_of(by_mail, {"locationDisplayId": "l", "metadata": {}}),
        parts_of(by_phone, {"locationDisplayId": "l"}),
    )

    assert sent == [
        {"email": "a@b.test", "locationDisplayId": "l"},
        {"mobile": "+64211234321", "locationDisplayId": "l"},
    ]


@pytest.mark.parametrize(
    ("recipient", "needed", "sent"),
    [
        ("email_or_mobile", ("email", "phone"), {"email", "mobile"}),
        ("email", ("email",), {"email"}),
        ("mobile", ("phone",), {"mobile"}),
    ],
)
def test_the_account_says_which_address_counts_and_travels(
    recipient: Recipient, needed: tuple[str, ...], sent: set[str]
) -> None:
    radar = CustomerRadar(account(recipient))

    spec = radar.spec(Channel.INVITATION)
    (entry,) = entries(parts_of(ADDRESS, {"locationDisplayId": "l"}), radar=radar)

    assert spec.addresses == needed
    assert spec.required == {"locationDisplayId"}
    assert spec.fields == {"firstName", "lastName", "locationDisplayId", "pomDisplayId"}
    assert spec.maps == {"metadata"}
    assert isinstance(entry, dict)
    assert set(entry) == sent | {"locationDisplayId"}


def test_without_a_token_the_header_is_empty_so_that_a_401_asks_for_a_login() -> None:
    call = RADAR.build(Campaign(), [parts_of(ADDRESS, DATA)], None)

    assert call.headers["Authorization"] == ""


def test_the_account_says_which_points_a_location_has() -> None:
    entry = account().model_dump() | {"points_of_measure": {"mall": ("door", "till")}}
    radar = CustomerRadar(CustomerRadarAccount.model_validate(entry))

    (listed,) = radar.spec(Channel.INVITATION).listed

    assert (listed.field, listed.by) == ("pomDisplayId", "locationDisplayId")
    assert listed.values == {"mall": {"door", "till"}}
    assert RADAR.spec(Channel.INVITATION).listed == ()


@pytest.mark.parametrize("points", [(), ("",)])
def test_a_location_without_points_is_no_entry(points: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match=r"points_of_measure\.mall"):
        CustomerRadarAccount.model_validate(
            account().model_dump() | {"points_of_measure": {"mall": points}}
        )


@pytest.mark.parametrize("field", ["username", "password", "client", "recipient"])
def test_an_account_with_an_empty_field_is_refused_without_its_password(field: str) -> None:
    entry = {
        "type": "customer_radar",
        "base_url": "https://a.test",
        "quota": "q",
        "username": "u",
        "password": "hush-hush",
        "client": "c",
    }

    with pytest.raises(ValidationError) as refused:
        CustomerRadarAccount.model_validate(entry | {field: ""})

    assert [error["loc"] for error in refused.value.errors()] == [(field,)]
    assert "hush-hush" not in str(refused.value)


def test_the_samples_success_is_accepted() -> None:
    assert list(CODES) == ["00000"]
    accepted = Outcome(Verdict.ACCEPTED, 200, "00000", None, reference="846673197418938368")
    assert read(200, SUCCESS) == accepted


@pytest.mark.parametrize("data", [None, "", "two words", "a@b.example", {"id": 1}, "x" * 65, 1.5])
def test_data_that_is_no_id_is_no_reference(data: object) -> None:
    assert read(200, SUCCESS | {"data": data}).reference is None
    assert read(200, SUCCESS | {"data": 42}).reference == "42"


@pytest.mark.parametrize("code", ["40000", 40000, "1", "E-17"])
def test_a_200_with_a_failures_code_is_in_doubt(code: object) -> None:
    """By the page a 200 says that invitations were triggered: perhaps some of the call's were."""
    outcome = read(200, {"code": code, "description": "No location"})

    assert outcome == Outcome(Verdict.IN_DOUBT, 200, str(code), "No location")
    assert read(200, {"code": code}).message


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>00000</html>"),
        (200, b'{"code":"000'),
        (200, {}),
        (200, []),
        (200, {"description": "success"}),
        (200, {"code": 0, "description": "success"}),
        (200, {"code": "0000"}),
        (200, {"code": "success"}),
        (200, {"error": {"code": "00000"}}),
        (201, SUCCESS),
        (202, {"code": "40000"}),
        (204, b""),
    ],
)
def test_a_success_that_does_not_say_so_clearly_is_in_doubt(status: int, body: object) -> None:
    outcome = read(status, body)

    assert (outcome.verdict, outcome.relogin) == (Verdict.IN_DOUBT, False)
    assert outcome.message


@pytest.mark.parametrize(
    ("status", "verdict", "counts"),
    [
        (301, Verdict.RETRY, False),
        (302, Verdict.IN_DOUBT, True),
        (303, Verdict.IN_DOUBT, True),
        (400, Verdict.REJECTED, True),
        (401, Verdict.RETRY, False),
        (403, Verdict.RETRY, False),
        (404, Verdict.REJECTED, True),
        (408, Verdict.IN_DOUBT, True),
        (425, Verdict.RETRY, True),
        (429, Verdict.RETRY, False),
        (500, Verdict.IN_DOUBT, True),
        (503, Verdict.IN_DOUBT, True),
    ],
)
@pytest.mark.parametrize("code", ["40000", "00000"])
def test_other_statuses_decide_whatever_the_code(
    status: int, verdict: Verdict, counts: bool, code: str
) -> None:
    outcome = read(status, {"code": code, "description": "Not for abc@gmail.com or 021 123 4321"})

    assert outcome == Outcome(
        verdict,
        status,
        code,
        "Not for […] or […]",
        counts=counts,
        throttled=status == 429,
        relogin=status == 401,
        refused=status == 403,
        gateway=status == 301,
        divisible=status in {400, 404, 425},
    )


# The two errors that the vendor's page prints, and the double's words for the first.
UNPLACED = (
    "No Feedback code found for this clientDisplayId, locationDisplayId, pomDisplayId & "
    "programmeDisplayId."
)
NO_POSTMARK = "To send an email invitation, the programme must set Postmark ID. Try again."


@pytest.mark.parametrize("status", [400, 404, 422])
@pytest.mark.parametrize("text", [UNPLACED, "no feedback code found for this location"])
def test_a_place_that_is_not_set_up_is_looked_for_with_smaller_calls(
    status: int, text: str
) -> None:
    """The lane parks the campaign when no customer can be invited to it."""
    outcome = read(status, {"code": "40000", "description": text})

    assert outcome == Outcome(Verdict.REJECTED, status, "40000", text, divisible=True)


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_programme_without_postmark_is_parked(status: int) -> None:
    outcome = read(status, {"code": "40000", "description": NO_POSTMARK})

    assert outcome == Outcome(
        Verdict.RETRY, status, "40000", NO_POSTMARK, counts=False, parked=True
    )


@pytest.mark.parametrize("text", [UNPLACED, NO_POSTMARK])
def test_a_documented_failure_under_a_200_is_not_called_again(text: str) -> None:
    assert read(200, {"code": "40000", "description": text}).verdict is Verdict.IN_DOUBT


@pytest.mark.parametrize("status", [400, 403, 404, 405, 422])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>blocked</html>",
        b"no such path",
        {"message": "Missing Authentication Token"},
        {"message": "no Route matched with those values"},
        {"code": 5, "message": "Not Found"},
        ["x"],
    ],
)
def test_a_refusal_that_is_not_the_vendors_says_nothing_of_a_recipient(
    status: int, body: object
) -> None:
    outcome = read(status, body)

    assert (outcome.verdict, outcome.gateway, outcome.counts) == (Verdict.RETRY, True, False)
    assert {outcome.divisible, outcome.refused, outcome.parked} == {False}


@pytest.mark.parametrize(
    "body", [{"description": "x"}, {"code": "40000"}, {"error": UNPLACED}, {"message": NO_POSTMARK}]
)
def test_a_refusal_in_the_vendors_form_is_the_vendors(body: object) -> None:
    assert not read(400, body).gateway


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_where_the_status_decides_a_text_does_not(status: int) -> None:
    with_text, without = (
        read(status, {"code": "40000", "description": text}) for text in (NO_POSTMARK, "x")
    )

    assert replace(with_text, message="x") == without
    assert not with_text.parked


def test_an_answer_without_a_message_gets_one_of_ours() -> None:
    told = read(400, b"mobile 0211234321 is wrong").message

    assert told == "Refused in a form that is not the vendor's."
    assert read(400, {"code": "40000"}).message == "The vendor refused the call."


def test_the_login_is_the_sample() -> None:
    body = b'{"username":"testing","password":"testing12345"}'
    headers = {"Content-Type": "application/json"}

    assert RADAR.login() == Call("POST", "/auth/login", headers, body)


def test_a_login_gives_a_token_until_its_expiration() -> None:
    answer = {"token": "eyJ0.eyJl-X_.f5Ls", "expiration": NOW + 3_599.269, "userName": "testing"}

    assert read_login(200, answer) == Token("eyJ0.eyJl-X_.f5Ls", NOW + 3_599.269)


def test_the_pages_own_answer_to_a_login_is_understood() -> None:
    """Byte for byte; its token ended long ago, so it is also read as of that day."""
    token = (
        "eyJ0eXAiOiJKVs23bGciOiJIUzI1NiJ9.eyJleHAfdsgfSDYyNDQsInVzZXJOYW1lIjoidGVzdCJ9"
        ".f5Lsz6jPsKFXL4fktRUvAD5wj3b0_ihm_rOrW9jkRGw"
    )
    body = f'{{\n"token": "{token}",\n"expiration": 1517434473.269,\n"userName": "testing"\n}}'
    answer = Answer(200, {}, body.encode())

    assert RADAR.read_login(answer, 1_517_430_874.0) == Token(token, 1_517_434_473.269)
    assert RADAR.read_login(answer, NOW) == Token(token, NOW + 3_600)


@given(
    st.one_of(
        st.none(),
        st.booleans(),
        st.text(),
        st.floats(max_value=NOW),
        st.floats(min_value=NOW + 86_401, allow_nan=False),
        st.integers(min_value=-(2**63), max_value=int(NOW)),
        st.lists(st.booleans()),
    )
)
def test_an_unusable_expiration_means_an_hour(expiration: object) -> None:
    answer = {"token": "t", "expiration": expiration}

    assert read_login(200, answer) == Token("t", NOW + 3_600)


def test_a_missing_expiration_means_an_hour() -> None:
    assert read_login(200, {"token": "t"}) == Token("t", NOW + 3_600)


@given(st.floats(min_value=NOW + 1, max_value=NOW + 86_400))
def test_a_usable_expiration_is_kept(expiration: float) -> None:
    assert read_login(200, {"token": "t", "expiration": expiration}) == Token("t", expiration)


@given(ahead=st.floats(-90_000, 90_000), life=st.floats(2, 86_400))
def test_a_token_lives_by_the_vendors_clock(ahead: float, life: float) -> None:
    """However wrong the machine's clock is, only the whole second of `Date` is lost."""
    there = NOW - ahead
    answer = {"token": "t", "expiration": there + life}

    token = read_login(200, answer, date=format_datetime(dt.datetime.fromtimestamp(there, dt.UTC)))

    assert isinstance(token, Token)
    assert life - 1.001 <= token.expires_at - NOW <= life + 0.001


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_a_refused_login_asks_for_another_and_counts_no_attempt(status: int) -> None:
    outcome = read_login(status, {"code": "40100", "description": "testing12345 is wrong"})

    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.counts, outcome.relogin) == (Verdict.RETRY, False, True)
    assert outcome.refused
    assert "testing" not in (outcome.message or "")


def test_a_proxy_that_wants_credentials_refuses_the_login() -> None:
    outcome = read_login(407, b"")

    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.refused, outcome.counts) == (Verdict.RETRY, True, False)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (302, b""),
        (404, b""),
        (500, {"token": "t"}),
        (200, b"<html>"),
        (200, []),
        (200, {}),
        (200, {"token": ""}),
        (200, {"token": 1}),
        (200, {"token": "a\r\nX-Injected: b"}),
        (200, {"token": "tökén"}),
    ],
)
def test_any_other_login_answer_is_tried_again(status: int, body: object) -> None:
    outcome = read_login(status, body)

    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.counts, outcome.relogin) == (Verdict.RETRY, False, False)
    assert (outcome.refused, outcome.divisible, outcome.throttled) == (False, False, False)


def test_a_throttled_login_closes_the_lane() -> None:
    outcome = read_login(429, b"slow down", retry_after="9")

    assert isinstance(outcome, Outcome)
    assert (outcome.throttled, outcome.retry_after, outcome.counts) == (True, 9.0, False)
