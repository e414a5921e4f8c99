"""Recorded events through the config's router: campaigns, times, events without invitations."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from benchmarks.rules.year import CONFIG as YEAR
from consumer.config.load import load
from consumer.config.models import Config
from consumer.demo.baskets import Basket
from consumer.errors import OperationError
from consumer.lane.state.settings import Limit
from consumer.records.input_record import InputRecord
from consumer.simulate.recorded import routed, store_traffic
from consumer.simulate.recordings import input_topic, lines
from consumer.wiring.config_file import read

VALID = Path(__file__).parents[1] / "config" / "valid.yaml"
POS, WEB = "pos.transaction-completed", "web.orders"


@pytest.fixture
def config() -> Config:
    return read(VALID, secrets=False)


def sale(number: int, when: str, **more: object) -> dict[str, object]:
    customer = {"phone": f"+90532{number:07d}", "consent": {"sms": True}}
    event = {
        "id": f"t{number}",
        "time": when,
        "channel": "pos",
        "amount": 120,
        "customer": customer,
    }
    return event | more


def of(events: Iterable[dict[str, object]], topic: str = POS) -> list[InputRecord]:
    return [InputRecord(topic, 0, number, orjson.dumps(each)) for number, each in enumerate(events)]


def test_events_come_at_their_own_time_whatever_their_order(config: Config) -> None:
    """Years old as they are, none is too old: a recording is played as of its own time."""
    late, early = sale(1, "2020-11-27T10:00:30Z"), sale(2, "2020-11-27T10:00:00Z")
    [lane] = routed(config, of([late, early])).lanes(speed=1.0)
    assert [arrival.time for arrival in lane.arrivals()] == [0.0, 30.0]
    assert lane.settings.name == "pisano-cloud"
    assert lane.rates == {"purchase-sms": pytest.approx(2 / 30)}


def test_a_delayed_invitation_comes_at_its_due_time() -> None:
    config = load(orjson.dumps(YEAR | {"policies": {"standard": {"delay": "2h"}}}).decode())
    body = {"id": "b1", "time": "2026-03-02T12:00:00Z", "amount": 50, "customer": {}}
    body["customer"] = {"id": "h1", "phone": "+905321234567"}
    lanes = routed(config, of([body], "pos.baskets"))
    [arrival] = lanes.arrivals["cloud"]
    assert arrival.time == datetime(2026, 3, 2, 14, tzinfo=UTC).timestamp()


def test_the_quota_is_the_configs(config: Config) -> None:
    [lane] = routed(config, of([sale(1, "2020-11-27T10:00:30Z")])).lanes(speed=1.0)
    assert (lane.settings.share, len(lane.settings.limits)) == (0.9, 2)


def test_one_customers_two_events_are_one_recipients(config: Config) -> None:
    when = "2020-11-27T10:00:00Z"
    twice = [sale(1, when), sale(1, when) | {"id": "t9"}, sale(2, when)]
    [lane] = routed(config, of(twice)).lanes(speed=1.0)
    assert len({arrival.recipient for arrival in lane.arrivals()}) == 2


def test_each_lane_is_played_on_the_same_clock(config: Config) -> None:
    visit = sale(2, "2020-11-27T10:01:00Z", customer={"email": "a@example.com", "name": "A"})
    records = [*of([sale(1, "2020-11-27T10:00:00Z")]), *of([visit], WEB)]
    sms, web = routed(config, records).lanes(speed=2.0)
    assert [arrival.time for arrival in sms.arrivals()] == [0.0]
    assert [arrival.time for arrival in web.arrivals()] == [30.0]
    assert web.settings.logins == {"radar"}
    assert routed(config, records).lanes(1.0, only="radar")[0].settings.name == "radar"


def test_expiry_counts_from_the_event(config: Config) -> None:
    [lane] = routed(config, of([sale(1, "2020-11-27T10:00:30Z")])).lanes(speed=10.0)
    assert [arrival.expire_after for arrival in lane.arrivals()] == [72 * 3600.0]


def test_what_makes_no_invitation_is_counted(config: Config) -> None:
    when = "2020-11-27T10:00:00Z"
    events = [
        sale(1, when),
        sale(2, when, amount=1),
        sale(3, "yesterday"),
        sale(4, when, customer={}),
    ]
    counts = routed(config, of(events)).counts
    assert counts["routed"] == 1
    assert counts["unmatched"] == 2
    assert counts["dead_letter bad_time"] == 1


def test_a_recording_without_invitations_is_refused(config: Config) -> None:
    with pytest.raises(OperationError, match=r"no event would make .*unmatched: 1"):
        routed(config, of([sale(1, "2020-11-27T10:00:00Z", amount=1)]))
    with pytest.raises(OperationError, match="there are none"):
        routed(config, [])


def test_a_file_has_an_event_a_line_and_may_have_empty_ones(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"id": 1}\n\n{"id": 2}\n')
    assert [(line.topic, line.value) for line in lines(path, POS)] == [
        (POS, b'{"id": 1}'),
        (POS, b'{"id": 2}'),
    ]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match=r"gone\.jsonl: No such file"):
        list(lines(tmp_path / "gone.jsonl", POS))


def test_the_input_of_a_recorded_file_must_be_clear(config: Config) -> None:
    assert input_topic(config, WEB) == WEB
    with pytest.raises(OperationError, match="say with --topic which one"):
        input_topic(config, None)
    with pytest.raises(OperationError, match="other is none of the config's input topics"):
        input_topic(config, "other")


def test_the_largest_stores_are_campaigns_and_households_recipients() -> None:
    year = [
        Basket(
            id=number, household=number % 2, store=store, time=60.0 * number, amount=1.0, items=1
        )
        for number, store in enumerate([7, 8, 7, 8, 9])
    ]
    lane = store_traffic(2, 2.0, year, [Limit(20, 5.0)])
    assert [(arrival.time, arrival.campaign, arrival.recipient) for arrival in lane.arrivals()] == [
        (0.0, "store-7", "0"),
        (30.0, "store-8", "1"),
        (60.0, "store-7", "0"),
        (90.0, "store-8", "1"),
    ]
    assert sum(lane.rates.values()) == pytest.approx(4 / 90)
