"""Made-up answers, and what must hold of every one of them with every vendor."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import orjson
from hypothesis import strategies as st

from consumer.records.call import Answer, Call, Outcome, Token, Verdict
from consumer.records.channel import Channel
from consumer.records.fields import MESSAGE_LIMIT
from consumer.vendors.protocol import CallReader, LoginVendor, login_vendor
from tests.contract.vendor_rows import PHONES, ROWS, invitation
from tests.support.lanes import parts

Reader = Callable[[Answer], Token | Outcome]

NOW: Final = 1_763_800_000.0
FAILED: Final = {"list": "errors[*]", "index": "index", "code": "code"}
OAUTH: Final = {"token_url": "https://a.test/t", "client_id": "me", "client_secret": "hush"}
SEEDS: Final = (
    *(row.accepts for row in ROWS.values()),
    *(row.refuses for row in ROWS.values()),
    b'{"token":"eyJ0eXAi.eyJleHAi.f5Lsz6","expiration":1517434473.269,"userName":"testing"}',
    b'{"errors":[{"code":"13001","detail":"x"}],"meta":{"status":400}}',
    b'{"code":"40000","description":"No Feedback code found for this clientDisplayId"}',
    b"<html><h1>502 Bad Gateway</h1></html>",
    b"<!doctype html><title>Just a moment...</title>",
    b"404 page not found",
    b'{"message":"no Route matched with those values"}',
    b'{"statusCode":404,"error":"Not Found","message":"x"}',
    b'{"accepted":7,"errors":[{"index":3,"code":"13028"}]}',
    b'{"accepted":2,"errors":[{"index":1,"code":"13028"}]}',
    b'{"errors":[{"index":0},{"index":1},{"index":2}]}',
    b'{"link":"https://survey.example/s/1"}',
    b'{"access_token":"abc","token_type":"Bearer","expires_in":3600}',
    b'\xef\xbb\xbf{"code":"00000"}',
    b'{"code":"40000","description":"To send an email, the programme must set Postmark ID."}',
    b"",
)
WORDS: Final = (
    *(
        b'"code":',
        b'"error":',
        b'"message":',
        b"null",
        b"1e999",
        b"-0",
        b"13001",
        b"00000",
        b"[" * 99,
    ),
    *(
        b"{" * 9,
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\\ud800",
        b'"',
        b"\x00",
        b"+905551234567",
        b"a@b.test",
    ),
)
STATUSES: Final = (*range(-1, 20), *range(99, 104), *range(199, 210), *range(299, 310))
STATUSES_MORE: Final = (*range(399, 432), 451, *range(499, 512), 599, 600, 999)
DATES: Final = (
    "",
    "x",
    "Sun, 22 Nov 2026 15:37:00 GMT",
    "Sun Nov 22 15:37:05 2026",
    "0",
    "5",
    "9" * 99,
    "60, 60",
    "292.05",
    "-5",
    "1795361887",
    "1795361887000",
    "2026-11-22T15:38:00Z",
    "Sun, 22 Nov 2026 15:37:00 GMT, Sun, 22 Nov 2026 15:38:00 GMT",
    "text/html; charset=utf-8",
    "application/json",
)

_HEADERS = ("retry-after", "date", "content-type")
_CODE = re.compile(r"[A-Za-z_-]*[0-9]{1,6}")

_scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
_names = st.sampled_from(
    ["code", "error", "errors", "status", "message", "data", "token", "description"]
)
_documents = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(_names | st.text(max_size=4), inner)
    ),
    max_leaves=12,
)


def _dumped(document: object) -> bytes:
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:  # a lone surrogate
        return b"{}"


bodies = st.binary() | _documents.map(_dumped)
headers = st.dictionaries(st.sampled_from(_HEADERS), st.text() | st.sampled_from(DATES))


def readers() -> Mapping[str, Reader]:
    """Vendor (and its login, where it has one) → what reads an answer."""
    found: dict[str, Reader] = {}
    for name, row in ROWS.items():
        vendor = row.vendor("https://a.test")
        found[name] = vendor.read
        login = login_vendor(vendor)
        if login is not None:
            found[f"{name} login"] = _login(login)
    return found | _of_calls()


def _of_calls() -> dict[str, Reader]:
    """Readers of answers whose call counts: partial answers, links, and OAuth's logins."""
    rows, people = ROWS, [parts(invitation(phone, {})) for phone in PHONES]
    batch, pisano = rows["http_batch"], rows["pisano"]
    named = replace(batch, entry={**batch.entry, "failed_entries": FAILED})
    single = replace(batch, entry={**batch.entry, "token": None, "headers": {}, "oauth": OAUTH})
    link = pisano.campaign.model_copy(update={"channel": Channel.GENERATED_LINK})
    found: dict[str, Reader] = {}
    for name, row, campaign, many in (
        ("http_batch entries", named, batch.campaign, people),
        ("pisano link", pisano, link, people[:1]),
    ):
        vendor = row.vendor("https://a.test")
        assert isinstance(vendor, CallReader)
        found[name] = partial(_of_call, vendor, vendor.build(campaign, many, None))
    login = login_vendor(single.vendor("https://a.test"))
    assert login is not None
    return found | {"http_batch oauth login": _login(login)}


def _of_call(vendor: CallReader, call: Call, answer: Answer) -> Outcome:
    read = vendor.read_call(answer, call)
    assert all(code is None or _CODE.fullmatch(code) for code in read.failed.values())
    assert set(read.failed) <= set(range(len(PHONES)))
    assert not (read.failed and read.divisible)
    return read


def _login(vendor: LoginVendor) -> Reader:
    def read_login(answer: Answer) -> Token | Outcome:
        return vendor.read_login(answer, NOW)

    return read_login


def check(read: Reader, answer: Answer) -> None:
    """Read it. AssertionError for an outcome that must not be; anything else has escaped."""
    said = read(answer)
    if isinstance(said, Token):
        assert 200 <= answer.status < 300
        assert NOW < said.expires_at <= NOW + 86_400
        return
    assert said.http_status == answer.status
    assert said.code is None or _CODE.fullmatch(said.code)
    assert said.message is None or len(said.message) <= MESSAGE_LIMIT
    assert not re.search(r"\d{5}|@", said.message or "")
    assert said.retry_after is None or 0 < said.retry_after <= 86_400
    assert said.retry_after is None or said.retry_after.is_integer()
    assert said.gateway <= (said.verdict is Verdict.RETRY and not said.counts)
    assert said.throttled == (answer.status == 429)
    assert said.verdict is not Verdict.ACCEPTED or 200 <= answer.status < 300
    invites = getattr(read, "__name__", "") != "read_login"
    if 200 <= answer.status < 300 and invites and not (said.failed or said.parked):
        assert said.verdict in {Verdict.ACCEPTED, Verdict.IN_DOUBT}
    if answer.status in {302, 303} and said.code is None:
        assert said.verdict in {Verdict.IN_DOUBT, Verdict.RETRY}
        assert not said.divisible
    if 500 <= answer.status < 600:
        assert said.verdict in {Verdict.IN_DOUBT, Verdict.RETRY}
    if said.verdict in {Verdict.ACCEPTED, Verdict.IN_DOUBT}:
        assert not said.divisible


def mutated(rng: random.Random) -> Answer:
    """One of the known answers, with bytes changed, cut, repeated or put in."""
    body = bytearray(rng.choice(SEEDS))
    for _ in range(rng.randint(0, 6)):
        at = rng.randint(0, len(body))
        match rng.randint(0, 4):
            case 0:
                body[at : at + 1] = bytes([rng.randint(0, 255)])
            case 1:
                del body[at : at + rng.randint(1, 8)]
            case 2:
                body[at:at] = rng.choice(WORDS)
            case 3:
                body[at:at] = body[at : at + 30]
            case _:
                body += rng.choice(SEEDS)
    fields = {name: rng.choice(DATES) for name in _HEADERS if rng.random() < 0.3}
    return Answer(rng.choice(STATUSES + STATUSES_MORE), fields, bytes(body))
