"""What every vendor module keeps to: one suite, and a row for each (`vendor_rows.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import orjson
import pytest

from consumer.http.client import VendorClient
from consumer.records.call import Answer, Call, Outcome, Token, Verdict
from consumer.sandbox.server import SandboxServer
from consumer.sandbox.settings import SandboxSettings
from consumer.vendors.protocol import Vendor, login_vendor
from consumer.vendors.registry import VENDORS
from tests.contract.vendor_rows import PHONES, ROWS, Row

BAD = PHONES[1]
NOW = 1_000.0


@pytest.fixture(scope="module")
def double() -> Iterator[str]:
    with SandboxServer(SandboxSettings(bad_recipients=frozenset({BAD}))) as base_url:
        yield base_url


def ask(base_url: str, call: Call) -> Answer:
    async def run() -> Answer:
        client = VendorClient(base_url, 5.0, lambda: NOW)
        exchange = await client.exchange(call, fresh_until=NOW + 5)
        await client.close()
        assert exchange.answer is not None
        return exchange.answer

    return asyncio.run(run())


def session(base_url: str, vendor: Vendor) -> str | None:
    """A token, where calls need one."""
    login = login_vendor(vendor)
    if login is None:
        return None
    token = login.read_login(ask(base_url, login.login()), NOW)
    assert isinstance(token, Token)
    return token.value


def outcome_of(base_url: str, row: Row, *phones: str) -> Outcome:
    """Of a call to the double for these customers."""
    vendor = row.vendor(base_url)
    call = row.call(vendor, session(base_url, vendor), *phones)
    return vendor.read(ask(base_url, call))


def read(row: Row, status: int, body: bytes, **headers: str) -> Outcome:
    return row.vendor("https://a.test").read(Answer(status, headers, body))


def test_every_vendor_has_its_row() -> None:
    assert set(ROWS) == set(VENDORS)
    assert {name: row.entry["type"] for name, row in ROWS.items()} == {name: name for name in ROWS}


@pytest.mark.parametrize("name", ROWS)
def test_the_double_accepts_its_calls(double: str, name: str) -> None:
    outcome = outcome_of(double, ROWS[name], PHONES[0], PHONES[2])

    assert (outcome.verdict, outcome.http_status) == (Verdict.ACCEPTED, 200)


@pytest.mark.parametrize("name", ROWS)
def test_a_bad_recipient_is_refused_so_that_smaller_calls_may_find_him(
    double: str, name: str
) -> None:
    outcome = outcome_of(double, ROWS[name], *PHONES)

    assert (outcome.verdict, outcome.divisible) == (Verdict.REJECTED, True)
    assert outcome.code is not None
    assert (outcome.parked, outcome.refused, outcome.relogin) == (False, False, False)


@pytest.mark.parametrize("name", ROWS)
def test_wrong_credentials_reject_no_customer(double: str, name: str) -> None:
    row = ROWS[name]
    secret = next(key for key in ("token", "password") if key in row.entry)
    wrong = {**row.entry, secret: "wrong", "base_url": double, "quota": "q"}
    kind = VENDORS[name]
    vendor = kind(kind.Account.model_validate_json(orjson.dumps(wrong)))

    login = login_vendor(vendor)

    if login is not None:
        outcome = login.read_login(ask(double, login.login()), NOW)
    else:
        outcome = vendor.read(ask(double, row.call(vendor, None)))

    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, outcome.refused, outcome.counts) == (Verdict.RETRY, True, False)


@pytest.mark.parametrize("name", ROWS)
def test_an_answer_of_the_documented_form_is_understood(name: str) -> None:
    row = ROWS[name]

    assert read(row, 200, row.accepts).verdict is Verdict.ACCEPTED
    assert read(row, 400, row.refuses).verdict is Verdict.REJECTED
    assert read(row, 200, b"<html>").verdict is row.unclear


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_what_may_come_after_the_act_is_in_doubt(name: str, status: int) -> None:
    row = ROWS[name]

    for body in (row.accepts, row.refuses, b""):
        outcome = read(row, status, body)
        assert (outcome.verdict, outcome.divisible) == (Verdict.IN_DOUBT, False)


@pytest.mark.parametrize("name", ROWS)
def test_a_429_is_a_429_whatever_it_holds(name: str) -> None:
    row = ROWS[name]

    for body in (row.accepts, row.refuses, b"slow down"):
        outcome = read(row, 429, body, **{"retry-after": "7"})
        assert (outcome.throttled, outcome.retry_after, outcome.counts) == (True, 7.0, False)


@pytest.mark.parametrize("name", ROWS)
def test_an_outcome_repeats_no_secret_and_no_customer(name: str) -> None:
    row = ROWS[name]
    private = (*row.secrets, "ada@example.test", *PHONES)
    told = f"Not {' '.join(private)}"
    body = orjson.dumps({"code": PHONES[0], "message": told, "description": told})

    shown = {
        status: repr(read(row, status, body))
        for status in (200, 302, 400, 401, 403, 404, 422, 429, 500)
    }

    people = private[len(row.secrets) :]
    assert [status for status, text in shown.items() if any(one in text for one in people)] == []


@pytest.mark.parametrize("name", ROWS)
def test_its_secrets_stand_in_no_account_and_no_path(name: str) -> None:
    row = ROWS[name]
    vendor = row.vendor("https://a.test")
    entry = {**row.entry, "base_url": "https://a.test", "quota": "q"}
    account = VENDORS[name].Account.model_validate_json(orjson.dumps(entry))

    call = row.call(vendor, "token")
    assert not any(secret in repr(account) + call.path for secret in row.secrets)


@pytest.mark.parametrize("name", ROWS)
def test_its_channels_say_how_a_customer_is_reached(name: str) -> None:
    vendor = ROWS[name].vendor("https://a.test")

    assert ROWS[name].campaign.channel in vendor.channels
    for channel in vendor.channels:
        spec = vendor.spec(channel)
        assert spec.addresses
        assert spec.required <= spec.fields
