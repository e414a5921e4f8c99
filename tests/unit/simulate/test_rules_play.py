"""Recorded events through all rules, on a virtual clock."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson
import pytest

from benchmarks.rules.year import CONFIG, ZONE, check
from consumer.config import load
from consumer.contacts.memory import MemoryStore
from consumer.records.fields import rfc3339
from consumer.records.input_record import InputRecord
from consumer.simulate.rules_play import RulesPlay, RulesPlayed

MONDAY_NOON = datetime(2026, 3, 2, 12, tzinfo=ZONE).timestamp()
HOUR = 3600.0


def purchases(*of: tuple[str, float, float]) -> Iterator[tuple[float, InputRecord]]:
    """Purchases of households: name, hours after Monday noon, amount."""
    for offset, (household, hours, amount) in enumerate(of):
        at = MONDAY_NOON + hours * HOUR
        body = {
            "id": f"b{offset}",
            "time": rfc3339(at),
            "amount": amount,
            "customer": {
                "id": household,
                "phone": f"+90532{hash_of(household):07d}",
                "email": f"{household}@mail.example.com",
            },
        }
        yield at, InputRecord("pos.baskets", 0, offset, orjson.dumps(body))


def hash_of(text: str) -> int:
    """Seven digits that are always the same."""
    return int.from_bytes(text.encode()) % 10**7


def played(*of: tuple[str, float, float], **policy: Any) -> RulesPlayed:
    """Play purchases; `policy` replaces keys of the standard one."""
    config = copy.deepcopy(CONFIG)
    config["policies"]["standard"] |= {"sample": None, "holdout": None, "spread": "0s", **policy}
    return RulesPlay(load(orjson.dumps(config).decode())).run(purchases(*of))


def test_every_event_has_one_end_and_a_household_is_asked_once() -> None:
    end = played(("h1", 0, 10), ("h1", 1, 20), ("h2", 2, 10), ("h1", 24 * 31, 10))
    assert dict(end.counts) == {"accepted/accepted": 3, "suppressed/contact_limit": 1}
    assert dict(end.by_rule) == {"everyone": 1}
    assert check(end) == []


def test_the_programme_of_higher_priority_takes_the_place_of_a_reservation() -> None:
    """Both are due at once, at the end of the night; the later one has the higher priority."""
    end = played(("h1", 10, 10), ("h1", 11, 99))
    assert dict(end.counts) == {"accepted/accepted": 1, "suppressed/outranked": 1}
    (call,) = end.calls
    assert call[1]["campaign"] == "care-sms"


def test_a_call_waits_for_the_delay_and_for_the_end_of_the_night() -> None:
    end = played(("h1", 0, 10), ("h2", 10, 10))
    (noon, _), (night, result) = end.calls
    assert MONDAY_NOON + 2 * HOUR <= noon < MONDAY_NOON + 2 * HOUR + 700
    nine = datetime(2026, 3, 3, 9, tzinfo=ZONE).timestamp()
    assert nine <= night < nine + 700
    assert (result["due_at"], result["timezone"]) == (rfc3339(nine), "America/New_York")


def test_what_expires_before_it_is_due_ends_at_once() -> None:
    end = played(("h1", 10, 10), expire_after="3h")
    assert dict(end.counts) == {"expired/expired_in_quiet_hours": 1}


def test_a_check_finds_what_is_wrong() -> None:
    end = played(("h1", 0, 10))
    end.calls.append(end.calls[0])
    end.calls.append((MONDAY_NOON + 10 * HOUR, end.calls[0][1]))
    end.calls.append((MONDAY_NOON, end.calls[0][1]))
    end.events += 1
    wrong = " ".join(check(end))
    for what in ("2 events and 1 ends", "twice", "quiet hours", "before its delay"):
        assert what in wrong


def test_a_store_that_is_given_is_used() -> None:
    stores: list[MemoryStore] = []

    def opened(clock: Any) -> MemoryStore:
        stores.append(MemoryStore(clock))
        return stores[-1]

    config = load(orjson.dumps(CONFIG).decode())
    RulesPlay(config, open_store=opened).run(purchases(("h1", 0, 10)))
    assert len(stores) == 1


@pytest.mark.parametrize("amount", [10, 99])
def test_an_event_that_cannot_be_read_is_counted(amount: float) -> None:
    config = load(orjson.dumps(CONFIG).decode())
    broken = (MONDAY_NOON, InputRecord("pos.baskets", 0, 9, b"no JSON"))
    end = RulesPlay(config).run([broken, *purchases(("h1", 0, amount))])
    assert (end.events, end.dead_letters) == (2, 1)


def test_a_result_of_a_call_has_the_events_fields() -> None:
    config = load(orjson.dumps({**CONFIG, "results": {"fields": {"spent": "amount"}}}).decode())
    told = RulesPlay(config).run(purchases(*((f"h{number}", 0.0, 10.0) for number in range(20))))
    assert told.calls
    assert {result["event"]["spent"] for _, result in told.calls} == {"10.0"}
