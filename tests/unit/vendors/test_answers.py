"""Answers that no page documents: any bytes, codes at any depth, private texts, `Retry-After`."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections import Counter
from email.utils import format_datetime

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from consumer.config.sections import SharedCampaign
from consumer.records.call import Answer, Outcome, Token, Verdict
from consumer.records.fields import MESSAGE_LIMIT
from consumer.vendors.answer_kinds import EFFECTS, Kind
from consumer.vendors.answers import BODY_LIMIT, code_in, message_in, parse, scrub
from consumer.vendors.answers import outcome as outcome_of
from consumer.vendors.customer_radar import CustomerRadar, CustomerRadarAccount
from consumer.vendors.http_batch.account import HttpBatchAccount
from consumer.vendors.http_batch.http_batch import HttpBatch
from consumer.vendors.pisano import Pisano, PisanoAccount
from consumer.vendors.protocol import Vendor, login_vendor
from consumer.vendors.registry import VENDORS
from consumer.vendors.retry_after import retry_after

PISANO = Pisano(
    PisanoAccount(type="pisano", base_url="https://a.test", quota="q", token=SecretStr("t"))
)
RADAR = CustomerRadar(
    CustomerRadarAccount(
        type="customer_radar",
        base_url="https://a.test",
        quota="q",
        username="u",
        password=SecretStr("p"),
        client="c",
    )
)
HTTP_BATCH = HttpBatch(
    HttpBatchAccount.model_validate_json(
        orjson.dumps(
            {
                "type": "http_batch",
                "base_url": "https://a.test",
                "quota": "q",
                "path": "/calls",
                "addresses": ["phone"],
                "body": {"all": "$recipients"},
                "recipient": {"to": "$phone"},
                "code": "error.code || length(errors) || sort(data)[0]",
                "success": {"code": ["0", "true"]},
                "bad_recipient": {"code": ["1"], "status": [422]},
            }
        )
    )
)
ALL_VENDORS: tuple[Vendor, ...] = (PISANO, RADAR, HTTP_BATCH)
KNOWN = {"13001", "13028"}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
names = st.sampled_from(["code", "error", "errors", "status", "message", "data", "token"])
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names | st.text(max_size=4), inner),
    max_leaves=12,
)


def as_json(document: object) -> bytes:
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:  # an integer beyond 64 bits: not what this is about
        return b"{}"


bodies = st.binary() | documents.map(as_json)
headers = st.dictionaries(st.sampled_from(["retry-after", "date", "content-type"]), st.text())


def test_every_vendor_type_has_its_class() -> None:
    accounts = [PisanoAccount, CustomerRadarAccount, HttpBatchAccount]

    classes = {"pisano": Pisano, "customer_radar": CustomerRadar, "http_batch": HttpBatch}
    assert classes == VENDORS
    assert [VENDORS[name].Account for name in VENDORS] == accounts
    assert [login_vendor(vendor) is not None for vendor in ALL_VENDORS] == [False, True, False]


def test_no_two_vendors_claim_one_key_of_a_campaign() -> None:
    options = (vendor.CampaignOptions for vendor in VENDORS.values())
    keys = Counter(key for model in options for key in model.model_fields)
    assert keys == {"responses_key": 1, "link_options": 1}
    assert not keys.keys() & SharedCampaign.model_fields.keys()


@given(st.integers(-1, 700), headers, bodies)
@example(200, {}, b"[" * 5_000)
@example(400, {}, b'{"errors":' * 900 + b"1" + b"}" * 900)
@example(429, {"retry-after": "9" * 5_000, "date": "x"}, b"\xff\xfe")
@example(400, {}, b'{"code":1e400}')
@example(400, {}, b'{"code":18446744073709551616}')
def test_no_answer_raises_and_nothing_private_leaves(
    status: int, fields: dict[str, str], body: bytes
) -> None:
    answer = Answer(status, fields, body)

    answers = [vendor.read(answer) for vendor in ALL_VENDORS]
    for outcome in (*answers, RADAR.read_login(answer, 1e9)):
        if isinstance(outcome, Token):
            continue
        assert outcome.http_status == status
        assert outcome.code is None or re.fullmatch(r"[A-Za-z_-]*[0-9]{1,6}|true", outcome.code)
        assert outcome.message is None or len(outcome.message) <= MESSAGE_LIMIT
        assert not re.search(r"\d{5}|@", outcome.message or "")
        assert outcome.retry_after is None or 0 < outcome.retry_after <= 86_400
        assert outcome.throttled == (status == 429)


@given(st.integers(200, 299), bodies)
def test_what_follows_a_2xx_is_never_another_call(status: int, body: bytes) -> None:
    for vendor in (PISANO, RADAR):
        assert vendor.read(Answer(status, {}, body)).verdict in {
            Verdict.ACCEPTED,
            Verdict.IN_DOUBT,
        }


@given(st.integers(400, 499), headers, st.binary())
def test_without_a_code_only_a_413_is_a_rejection(
    status: int, fields: dict[str, str], body: bytes
) -> None:
    if parse(body) is None:
        for vendor in (PISANO, RADAR):
            outcome = vendor.read(Answer(status, fields, body))
            assert (outcome.verdict is Verdict.REJECTED) == (status == 413)


@given(st.integers(-1, 700), bodies)
def test_only_a_2xx_is_ever_accepted_and_no_5xx_is_decided(status: int, body: bytes) -> None:
    answer = Answer(status, {}, body)

    verdicts = {vendor.read(answer).verdict for vendor in ALL_VENDORS}
    assert Verdict.ACCEPTED not in verdicts or 200 <= status < 300
    assert verdicts == {Verdict.IN_DOUBT} or not 500 <= status < 600


def test_every_kind_but_by_status_has_its_effect() -> None:
    assert set(EFFECTS) == set(Kind) - {Kind.BY_STATUS}


def test_only_a_call_that_invited_no_customer_may_be_divided() -> None:
    """A customer that was perhaps invited would be invited twice."""
    for kind, effect in EFFECTS.items():
        settled = effect.verdict in {Verdict.ACCEPTED, Verdict.IN_DOUBT}
        assert not (settled and (effect.divisible or effect.parked)), kind


def test_a_gateways_answer_is_a_definite_no_that_blames_no_part() -> None:
    """It counts no attempt, and names neither account, campaign nor recipient."""
    read = outcome_of(Answer(404, {}, b"not found"), Kind.GATEWAY, None, None)
    assert read.verdict is Verdict.RETRY
    assert read.gateway
    assert read.unattributed
    assert not read.trouble
    assert not {read.counts, read.refused, read.parked, read.divisible} - {False}


@pytest.mark.parametrize(
    "document",
    [
        {"code": 13028},
        {"code": "13028"},
        {"code": 13028.0},
        {"status_code": 13028},
        {"statusCode": "13028"},
        {"error_code": 13028, "message": "x"},
        {"error": 13028},
        {"error": {"code": 13028}},
        {"errors": [{"code": 13028}]},
        {"errors": ["x", {"code": 13028}]},
        {"meta": {"error": {"code": 13028}}},
        {"status": {"code": 13028}},
        {"data": {"errors": [{"status_code": "13028"}]}},
        [{"code": 13028}],
        {"code": 400, "error": {"code": 13028}},
        {"status": 400, "code": 400, "status_code": 13028},
    ],
)
def test_a_code_is_found_at_any_usual_depth(document: object) -> None:
    assert code_in(document, KNOWN) == "13028"


def test_of_unknown_codes_the_outermost_is_taken() -> None:
    assert code_in({"error": {"code": 2}, "code": 1}, KNOWN) == "1"
    assert code_in({"code": 1}) == "1"


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        13028,
        "13028",
        {"code": None},
        {"code": True},
        {"code": 1.5},
        {"code": "+905551234567"},
        {"code": 905551234567},
        {"code": "a@b.test"},
        {"code": "Ada Lovelace"},
        {"code": "unauthorized"},
        {"code": "13028 for Ada"},
        {"code": [13028]},
        {"customer": {"code": 13028}},
        {"errors": [{}] * 100 + [{"code": 13028}]},
        {"errors": [[{}] * 64, [{"code": 13028}]]},
    ],
)
def test_what_is_no_code_is_none(document: object) -> None:
    assert code_in(document, KNOWN) is None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"message": "Try later"}, "Try later"),
        ({"description": "Try later"}, "Try later"),
        ({"code": 1, "error": {"detail": "Try later"}}, "Try later"),
        ({"error": "Try later"}, "Try later"),
        ({"errors": [{"title": "Try later"}]}, "Try later"),
        ({"message": "", "error": {"msg": "Try later"}}, "Try later"),
        ({"message": 5, "description": "Try later"}, "Try later"),
        ({"other": "Try later"}, None),
        ("Try later", None),
    ],
)
def test_a_message_is_found_at_any_usual_depth(document: object, message: str | None) -> None:
    assert message_in(document) == message


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Ask a.b+c@d.test, please", "Ask […] please"),
        ("for <a@b.test>", "for […]"),
        ("for a%40b.test", "for […]"),
        ("for a＠b.test", "for […]"),
        ("number +905551234567 is bad", "number […] is bad"),
        ("number +90 555 123 45 67 is bad", "number […] is bad"),
        ("number (021) 123-4321 is bad", "number […] is bad"),
        ("number 0.2_1\u00a01\u20112\u20113 is bad", "number […] is bad"),
        ("number ٠٥٥٥١٢٣ is bad", "number […] is bad"),
        ("code 4000 of 13 rows", "code 4000 of 13 rows"),
        ("token eyJhbGciOiJIUzI1NiIsInR5cCI6 expired", "token […] expired"),
        ("for a%252540b.test", "for […]"),
        ("for a&#64;b.test", "for […]"),
        ("for a\\u0040b.test", "for […]"),
        ("number %2B%39%30%35%35%35%31%32 is bad", "number […] is bad"),
        ("all %25252525252541 of it", "all %[…] of it"),
        ("two\nlines\x1b[31m\tred", "two lines [31m red"),
        (" \n ", ""),
    ],
)
def test_private_things_are_removed_from_a_text(text: str, safe: str) -> None:
    assert scrub(text) == safe


@given(st.text(alphabet="0123456789 -.()+@ab/_", max_size=2_000))
def test_no_address_or_number_survives(text: str) -> None:
    safe = scrub(text)

    assert len(safe) <= MESSAGE_LIMIT
    assert "@" not in safe
    assert not re.search(r"\d(?:[\W_]{0,3}\d){4}", safe.replace("[…]", "…hidden…"))


def test_a_half_of_an_address_is_not_left_at_the_cut() -> None:
    """What is scanned ends inside the last address, while all others shrink when hidden."""
    text = " ".join(f"customer.{n:03d}@b.test" for n in range(200))

    assert "customer" not in scrub(text)
    assert scrub("x" * 5_000) == ""


def test_a_long_text_is_cut() -> None:
    assert scrub("all is lost " * 50) == ("all is lost " * 50)[:MESSAGE_LIMIT]


def test_a_byte_order_mark_is_no_part_of_a_document() -> None:
    assert parse(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"nope", b"{", b" " * BODY_LIMIT + b"1"])
def test_a_body_that_is_no_json_document_is_none(body: bytes) -> None:
    assert parse(body) is None


DATE = "Sun, 22 Nov 2026 15:37:00 GMT"


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("5", None, 5.0),
        (" 120 ", DATE, 120.0),
        ("9" * 400, None, 86_400.0),
        ("Sun, 22 Nov 2026 15:37:30 GMT", DATE, 30.0),
        ("Sunday, 22-Nov-26 15:38:00 GMT", DATE, 60.0),
        ("Sun Nov 22 15:37:05 2026", DATE, 5.0),
        ("Sun, 22 Nov 2026 15:37:30 -0000", DATE, 30.0),
        ("Tue, 22 Nov 2033 15:37:30 GMT", DATE, 86_400.0),
        ("0", DATE, None),
        ("-5", DATE, None),
        ("1.5", DATE, 2.0),
        ("292.05", DATE, 293.0),
        ("292.", None, 292.0),
        (".5", None, 1.0),
        ("60.0", None, 60.0),
        ("+60", None, 60.0),
        ("60s", None, 60.0),
        ("60 seconds", None, 60.0),
        ("60, 60", None, 60.0),
        ("60,60", None, 60.0),
        ("30, 60, 5", None, 60.0),
        ("-5, 60", None, 60.0),
        ("soon, 60", None, 60.0),
        ("0, 0", None, None),
        (", ,", None, None),
        ("Sun, 22 Nov 2026 15:37:30 GMT, Sun, 22 Nov 2026 15:37:40 GMT", DATE, 40.0),
        ("60, Sun, 22 Nov 2026 15:37:30 GMT", DATE, 60.0),
        ("Sun, 22 Nov 2026 15:38:30 GMT, 60", DATE, 90.0),
        ("1795361880", DATE, 60.0),
        ("1795361880.25", DATE, 61.0),
        ("1795361880000", DATE, 60.0),
        ("1795361820", DATE, None),
        ("1795361800", DATE, None),
        ("1795361880", None, None),
        ("4000000000", DATE, 86_400.0),
        ("999999999", DATE, 86_400.0),
        ("86401", None, 86_400.0),
        ("1e3", DATE, None),
        ("0x10", DATE, None),
        ("1_000", DATE, None),
        ("2026-11-22T15:38:00Z", DATE, 60.0),
        ("2026-11-22T18:38:00+03:00", DATE, 60.0),
        ("2026-11-22T15:38:00", DATE, None),
        ("Sun, 22 Nov 2026 15:37:30 GMT", f"{DATE}, {DATE}", 30.0),
        ("٥", DATE, None),
        ("soon", DATE, None),
        ("Sun, 22 Nov 2026 15:36:59 GMT", DATE, None),
        ("Sun, 22 Nov 2026 15:37:30 GMT", None, None),
        ("Sun, 22 Nov 2026 15:37:30 GMT", "yesterday", None),
        ("Sun, 99 Nov 2026 99:37:30 GMT", DATE, None),
        (None, DATE, None),
    ],
)
def test_retry_after_in_all_its_forms(
    value: str | None, date: str | None, seconds: float | None
) -> None:
    given_fields = {"retry-after": value, "date": date}

    fields = {name: text for name, text in given_fields.items() if text is not None}
    assert retry_after(fields) == seconds


@given(st.integers(0, 10**6), st.integers(1_000_000_000, 4_000_000_000), st.sampled_from("sdelm"))
def test_every_form_of_the_same_wait_is_the_same_wait(wait: int, now: int, form: str) -> None:
    written = {
        "s": str(wait),
        "d": format_datetime(dt.datetime.fromtimestamp(now + wait, dt.UTC), usegmt=True),
        "e": str(now + wait),
        "m": str((now + wait) * 1_000),
        "l": f"{wait}, {wait}",
    }[form]
    date = format_datetime(dt.datetime.fromtimestamp(now, dt.UTC), usegmt=True)

    told = retry_after({"retry-after": written, "date": date})

    assert told == (min(float(wait), 86_400.0) or None)


@given(st.floats(0.001, 80_000))
def test_a_part_of_a_second_is_waited_out(seconds: float) -> None:
    told = retry_after({"retry-after": f"{seconds:.3f}"})

    assert told is not None
    assert told - 1 < float(f"{seconds:.3f}") <= told


def test_an_http_date_without_a_zone_is_gmt_wherever_we_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as here:
        here.setenv("TZ", "XYZ-9")
        time.tzset()
        seconds = retry_after({"retry-after": "Sun Nov 22 15:37:05 2026", "date": DATE})
    time.tzset()

    assert seconds == 5.0


@given(st.text(alphabet="0123456789 :,+-SunNovGMT", max_size=40))
def test_no_retry_after_raises(value: str) -> None:
    seconds = retry_after({"retry-after": value, "date": value})

    assert seconds is None or 0 < seconds <= 86_400


def test_an_outcome_of_nothing_says_nothing() -> None:
    assert PISANO.read(Answer(200, {}, b"")) == Outcome(Verdict.ACCEPTED, 200)
