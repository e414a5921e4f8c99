"""The worked examples of `docs/vendors-by-http.md` against doubles of the vendors, over HTTP.

Events go through the example's routes, a lane, its calls and the double; only Kafka is left out.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from consumer.config import Config, load
from consumer.records.fields import rfc3339
from consumer.records.input_record import InputRecord
from consumer.records.result import Result
from consumer.wiring.build import build_router, build_vendors
from tests.support.caller import Caller, calling
from tests.support.vendor_doubles import (
    DelightedDouble,
    MedalliaDouble,
    QualtricsDouble,
    Reply,
    Request,
    VendorDouble,
    serving,
)

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
SECRETS = {
    "pseudonym": "0123456789abcdef",
    "delighted-key": "delighted-key",
    "qualtrics-token": "qualtrics-token",
    "medallia-client": "medallia-secret",
}


def example(name: str, url: str, *, of: dict[str, str] | None = None) -> Config:
    """The example, whose vendor is at `url`. `of`: more texts to replace."""
    text = (EXAMPLES / f"routing-config-{name}.yaml").read_text(encoding="utf-8")
    for secret, value in SECRETS.items():
        text = text.replace(f"${{file:/etc/survey-dispatcher/secrets/{secret}}}", value)
    hosts = ("https://api.delighted.example", "https://fra1.qualtrics.example")
    for host in (*hosts, "https://chain-tenant.apis.medallia.example"):
        text = text.replace(host, url)
    text = text.replace("https://chain.medallia.example", url)
    for old, new in (of or {}).items():
        assert old in text
        text = text.replace(old, new)
    # The quota is not what is tried here.
    text = re.sub(r"limits: \[.*?\]", "linger: 0s, first_start: unused, limits: []", text)
    return load(text, env={})


@contextmanager
def running(config: Config, events: Sequence[dict[str, Any]]) -> Iterator[Caller]:
    """A lane that was given the invitations of these events."""
    (lane,), (topic,), now = config.lanes, config.input_topics, time.time()
    router = build_router(config, build_vendors(config))
    records = [
        InputRecord(topic, 0, at, orjson.dumps({"id": f"e{at}", "time": rfc3339(now), **event}))
        for at, event in enumerate(events)
    ]
    routed = router.route(records, now)
    assert (routed.results, routed.dead_letters) == ([], [])
    with calling(config, lane) as caller:
        for made in routed.invitations:
            caller.read(made.value)
        yield caller


def settled(config: Config, events: Sequence[dict[str, Any]]) -> dict[str, Result]:
    """Event id → the result, once nothing is left to do; what is due later comes an hour later."""
    with running(config, events) as caller:
        caller.settle()
        for _ in range(5):
            caller.skip(3600)
            caller.settle()
        return {result["event_id"]: result for result in caller.results}


def reasons(results: dict[str, Result]) -> Counter[str]:
    return Counter(result["reason"].value for result in results.values())


def orders(*emails: str) -> list[dict[str, Any]]:
    return [
        {
            "type": "order-delivered",
            "store": "Kadıköy & Co",
            "customer": {"email": email, "name": "Zoë Ağa"},
        }
        for email in emails
    ]


def test_single_sends_as_forms() -> None:
    double = DelightedDouble()
    with serving(double) as url:
        results = settled(
            example("delighted", url), orders("ada@shop.com", "bob@shop.com", "eve@shop.com")
        )

    assert reasons(results) == {"accepted": 3}
    assert len(double.requests) == 3
    assert min(double.taken, key=lambda person: person["email"]) == {
        "email": "ada@shop.com",
        "name": "Zoë Ağa",
        "properties": {"Store": "Kadıköy & Co", "Order": "e0"},
    }
    assert {result.get("vendor_reference") for result in results.values()} == {"1", "2", "3"}


def test_a_refused_single_send_ends_alone_and_says_nothing_of_the_customer() -> None:
    double = DelightedDouble()

    def echo(_request: Request) -> Reply:
        return 422, {"status": 422, "message": "Zoë Ağa <ada@shop.com> of Kadıköy is unknown"}

    double.faults.append(echo)
    with serving(double) as url, capture_logs() as logs:
        results = settled(example("delighted", url), orders("ada@shop.com", "bob@shop.com"))

    assert reasons(results) == {"vendor_rejected": 1, "accepted": 1}
    assert len(double.requests) == 2
    said = repr([result["vendor_message"] for result in results.values()]) + repr(logs)
    assert not [word for word in ("Zoë", "Ağa", "Kadıköy", "ada@shop") if word in said]


def test_a_wrong_key_stops_the_calls_and_ends_no_customer() -> None:
    double = DelightedDouble(key="another")
    with (
        serving(double) as url,
        running(
            example("delighted", url), orders(*(f"c{n}@shop.com" for n in range(20)))
        ) as caller,
    ):
        caller.settle()

        assert caller.results == []
        assert len(double.requests) < 8  # of four at once, and a try


def test_what_is_in_doubt_is_sent_again_under_the_same_key() -> None:
    """The vendor took the call, and its answer said nothing: the key tells it that this is one."""
    double = DelightedDouble()
    seen: list[str] = []

    def take_and_fail(request: Request) -> Reply:
        seen.append(request.headers["idempotency-key"])
        double.answer(request)
        return 502, {}

    def known(request: Request) -> Reply | None:
        seen.append(request.headers["idempotency-key"])
        return (200, double.taken[-1] | {"id": "1"}) if seen[-1] == seen[0] else None

    double.faults += [take_and_fail, known]
    keyed = {
        "    recipients: one\n": "    recipients: one\n    idempotency_key: Idempotency-Key\n",
        "id: nps}": "id: nps, in_doubt: resend}",
    }
    with serving(double) as url:
        results = settled(example("delighted", url, of=keyed), orders("ada@shop.com"))

    assert reasons(results) == {"accepted": 1}
    assert (len(seen), len(set(seen)), len(double.taken)) == (2, 1, 1)


def visits(number: int) -> list[dict[str, Any]]:
    return [
        {
            "type": "visit-closed",
            "store": "s1",
            "customer": {
                "id": f"C{n}",
                "email": f"c{n}@service.com",
                "phone": f"0151 23456{n:03d}",
                "first_name": "Ada",
            },
        }
        for n in range(number)
    ]


def test_an_import_of_contacts_with_their_transactions() -> None:
    double = QualtricsDouble()
    with serving(double) as url:
        results = settled(example("qualtrics", url), visits(600))

    assert reasons(results) == {"accepted": 600}
    assert len(double.requests) == 2  # `max_batch` is 500
    (seventh,) = [one for one in double.taken if one["extRef"] == "C7"]  # two calls at once
    assert seventh == {
        "email": "c7@service.com",
        "phone": "+4915123456007",
        "firstName": "Ada",
        "extRef": "C7",
        "transactionData": {"store": "s1", "order": "e7"},
    }
    assert {result.get("vendor_reference") for result in results.values()} == {"PGRS_1", "PGRS_2"}


def test_a_refused_import_is_divided_for_it_imported_no_contact() -> None:
    double = QualtricsDouble(bad={"c5@service.com"})
    with serving(double) as url:
        results = settled(example("qualtrics", url), visits(8))

    assert reasons(results) == {"accepted": 7, "vendor_rejected": 1}
    assert (
        results["e5"]["vendor_code"] is None
    )  # BRE_0.2 has no form of a code, and no rule names it
    assert sorted(one["extRef"] for one in double.taken) == [f"C{n}" for n in range(8) if n != 5]


def stays(*guests: tuple[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "type": "checked-out",
            "hotel": {"id": unit},
            "guest": {"email": email, "first_name": "Ada"},
        }
        for email, unit in guests
    ]


def test_of_a_feed_the_records_that_it_names_are_rejected_and_no_other() -> None:
    double = MedalliaDouble()
    guests = [
        ("a@stay.com", "u1"),
        ("b@bounces.com", "u1"),
        ("c@stay.com", "u9"),
        ("d@stay.com", "u2"),
    ]
    with serving(double) as url, capture_logs() as logs:
        results = settled(example("medallia", url), stays(*guests))

    assert {name: (one["reason"].value, one["vendor_code"]) for name, one in results.items()} == {
        "e0": ("accepted", None),
        "e1": ("vendor_rejected", "INVALID_EMAIL"),
        "e2": ("vendor_rejected", "UNKNOWN_UNIT"),
        "e3": ("accepted", None),
    }
    assert [one["email_address"] for one in double.taken] == ["a@stay.com", "d@stay.com"]
    assert (double.logins, len(double.requests)) == (1, 2)  # one login, one call
    assert not [log for log in logs if "stay.com" in repr(log) or "secret" in repr(log)]


def test_an_expired_token_is_replaced_once_and_no_storm_of_logins_follows() -> None:
    double = MedalliaDouble()
    double.faults += [lambda _: None, lambda _: (401, {"error": "expired"})]
    events = stays(("a@stay.com", "u1"))
    with serving(double) as url, running(example("medallia", url), events) as caller:
        caller.settle()  # at once: nothing is waited for

        assert [result["reason"].value for result in caller.results] == ["accepted"]
        assert (double.logins, len(double.requests)) == (2, 4)

    refusing = MedalliaDouble(client="another:secret")
    with (
        serving(refusing) as url,
        running(
            example("medallia", url), stays(*((f"a{n}@stay.com", "u1") for n in range(50)))
        ) as caller,
    ):
        caller.settle()
        assert (caller.results, len(refusing.requests)) == ([], 1)


def test_a_failure_of_an_unknown_record_leaves_the_others_in_doubt() -> None:
    double = MedalliaDouble()
    double.faults += [
        lambda _: None,
        lambda _: (207, {"errors": [{"transaction_id": "of another call"}]}),
    ]
    with serving(double) as url:
        results = settled(
            example("medallia", url), stays(("a@stay.com", "u1"), ("b@stay.com", "u1"))
        )

    assert reasons(results) == {"no_answer": 2}


@pytest.mark.parametrize("name", ["delighted", "qualtrics", "medallia"])
def test_a_double_takes_nothing_but_its_page(name: str) -> None:
    """The examples would pass at a double that takes everything."""
    doubles: dict[str, VendorDouble] = {
        "delighted": DelightedDouble(),
        "qualtrics": QualtricsDouble(),
        "medallia": MedalliaDouble(),
    }
    double = doubles[name]
    for request in (
        Request("POST", "/", {}, b""),
        Request("GET", "/v1/people.json", {"authorization": "Basic ZGVsaWdodGVkLWtleTo="}, b""),
        Request("POST", "/inbound/v1/stay_invitation", {"authorization": "Bearer "}, b"[]"),
    ):
        status, _ = double.answer(request)
        assert status >= 400
    assert double.taken == []
