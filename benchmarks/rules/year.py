"""The year of real baskets through all rules: 155,848 purchases of 2,469 households.

    python -m benchmarks.rules.year [--store memory|sqlite|valkey] [--limit N] [--url URL]

Two programmes want the same households: `care` (priority 80, the larger baskets) and `nps`
(priority 50). Delay 2 h, quiet hours 21-09 by the customer's clock, one survey in 30 days per
household, expiry 72 h, a sample of 50 %, a holdout of 5 %. The run fails unless the totals add up
to every event, no household was asked twice in 30 days, and no call left in quiet hours or early.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from consumer.config import load
from consumer.config.models import Config
from consumer.contacts.memory import MemoryStore
from consumer.contacts.sqlite import SqliteStore
from consumer.contacts.store import ContactStore
from consumer.contacts.valkey import ValkeyStore
from consumer.demo.baskets import baskets, event_of
from consumer.records.input_record import InputRecord
from consumer.simulate.rules_play import OpenStore, RulesPlay, RulesPlayed

DAY = 86400.0
LARGE = 40.0
"""Dollars of a basket that the care programme asks about."""

CONFIG: dict[str, Any] = {
    "version": 1,
    "application_id": "year",
    "kafka": {"bootstrap.servers": "localhost:9092"},
    "pseudonym": {"key_id": "k1", "key": "0123456789abcdef"},
    "quotas": {
        "cloud": {
            "limits": ["20/5s", "40/25s", "80/125s", "160/625s"],
            "first_start": "unused",
        }
    },
    "vendors": {
        "pisano": {
            "type": "pisano",
            "base_url": "https://api.pisano.example",
            "token": "t",
            "quota": "cloud",
        }
    },
    "campaigns": {
        "care-sms": {"vendor": "pisano", "channel": "sms", "id": "1"},
        "nps-email": {"vendor": "pisano", "channel": "email", "id": "2"},
    },
    "inputs": {
        "pos": {
            "topics": ["pos.baskets"],
            "format": "json",
            "person": {"household": "customer.id"},
        }
    },
    "contacts": {"store": {"type": "sqlite", "path": "contacts.sqlite"}},
    "contact_rules": {"everyone": {"at_most": 1, "within": "30d"}},
    "policies": {
        "standard": {
            "delay": "2h",
            "expire_after": "72h",
            "timezone": ["'America/New_York'"],
            "quiet_hours": {"times": ["21:00-09:00"]},
            "spread": "30m",
            "sample": {"rate": 0.5, "salt": "year"},
            "holdout": {"rate": 0.05, "salt": "control"},
        }
    },
    "routes": [
        {
            "name": "care",
            "input": "pos",
            "match": {"amount": [{"numeric": [">=", LARGE]}]},
            "recipient": {"phone": "customer.phone"},
            "phone_region": "TR",
            "send": ["care-sms"],
            "tags": ["care"],
            "priority": 80,
            "policy": "standard",
        },
        {
            "name": "nps",
            "input": "pos",
            "recipient": {"email": "customer.email"},
            "send": ["nps-email"],
            "tags": ["nps"],
            "policy": "standard",
        },
    ],
}
ZONE = ZoneInfo("America/New_York")


def records(limit: int | None) -> Iterator[tuple[float, InputRecord]]:
    """Yield the year's events, each with its time."""
    for offset, basket in enumerate(baskets(limit)):
        value = event_of(basket, 0.0)
        yield basket.time, InputRecord("pos.baskets", 0, offset, value)


def may_call(when: float) -> bool:
    """Return whether a moment is outside quiet hours."""
    return 9 <= datetime.fromtimestamp(when, ZONE).hour < 21


def check(played: RulesPlayed) -> list[str]:
    """Return what is wrong with a run, in words."""
    wrong = []
    total = played.ended + played.unmatched + played.dead_letters
    if total != played.events:
        wrong.append(f"{played.events} events and {total} ends")
    last: dict[str, float] = {}
    for when, result in played.calls:
        household = result["person"][0]
        since = (when - last.get(household, -1e12)) / DAY
        if since < 30:
            wrong.append(f"a household was asked twice within {since:.2f} d")
        last[household] = when
        if not may_call(when):
            wrong.append(f"a call in quiet hours: {datetime.fromtimestamp(when, ZONE)}")
        happened = datetime.fromisoformat(result["event_time"]).timestamp()
        if when < happened + 7200:
            wrong.append("a call before its delay was over")
    return wrong


def main() -> int:
    """Run one store; print counts, rates and what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=["memory", "sqlite", "valkey"], default="memory")
    parser.add_argument("--url", default="valkey://127.0.0.1:6379/0")
    parser.add_argument("--limit", type=int)
    chosen = parser.parse_args()
    config: Config = load(json.dumps(CONFIG))
    for warning in config.warnings:
        print(warning)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        play = RulesPlay(config, open_store=opener(chosen.store, Path(folder), chosen.url))
        played = play.run(records(chosen.limit))
        seconds = time.perf_counter() - started
    print(
        f"{played.events:,} events in {seconds:.1f} s, {seconds / played.events * 1e6:.0f} µs each"
    )
    for name, number in sorted(played.counts.items()):
        print(f"  {name:40} {number:8,}")
    print(f"  {'unmatched':40} {played.unmatched:8,}")
    by_campaign = Counter(str(result["campaign"]) for _, result in played.calls)
    print(f"  asked by campaign: {dict(by_campaign)}; by rule: {dict(played.by_rule)}")
    wrong = check(played)
    print("\n".join(wrong[:10]) or "  nothing is wrong")
    return 1 if wrong else 0


def opener(store: str, folder: Path, url: str) -> OpenStore:
    """Return what opens the store."""

    def opened(clock: Callable[[], float]) -> ContactStore:
        if store == "sqlite":
            return SqliteStore(folder / "contacts.sqlite", clock)
        if store == "valkey":
            return ValkeyStore(url, "year", grace=0.0)
        return MemoryStore(clock)

    return opened


if __name__ == "__main__":
    sys.exit(main())
