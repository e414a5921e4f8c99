"""Invitations that routers with another config write to a lane, told from a roll-out."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import orjson
import pytest
import structlog
from confluent_kafka import Message

from consumer.http.calls import Calls
from consumer.lane.state.settings import LaneSettings
from consumer.observability.metrics.metrics import Metrics
from consumer.records.fields import rfc3339
from consumer.runtime.lane.config_rivals import (
    FORGOTTEN,
    FRESH,
    PATIENCE,
    REMEMBERED,
    SAY_EVERY,
    ConfigRivals,
    told_by,
)
from consumer.runtime.lane.lane_loop import LaneStage
from consumer.wiring.build import LaneConfig
from tests.support.lanes import HAPPENED
from tests.unit.runtime.test_stage import Time, services

START = 1_700_000_000.0


class Record:
    """An invitation's record."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    def value(self) -> bytes:
        """Its bytes."""
        return self._value


def record_of(config_version: str, routed_at: float) -> Record:
    """One that a config routed then."""
    said = {"config_version": config_version, "routed_at": rfc3339(routed_at)}
    return Record(orjson.dumps({"version": 2, "result": said}))


class Owner:
    """A lane whose owner has config `ours` since `START`."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.rivals = ConfigRivals("cloud", self.metrics, "ours", START)

    def reads(self, config_version: str, routed_at: float, now: float) -> int:
        """How many lines are logged about such an invitation."""
        with structlog.testing.capture_logs() as said:
            self.rivals.inspect_record(record_of(config_version, routed_at).value(), now)
        return len(said)

    @property
    def counted(self) -> float | None:
        name = "survey_dispatcher_other_config_invitations_total"
        return self.metrics.registry.get_sample_value(name, {"lane": "cloud"})


def test_another_config_that_goes_on_writing_is_said_after_a_minute_and_then_now_and_then() -> None:
    owner, said = Owner(), []
    for second in range(1, 1000):
        now = START + second
        if owner.reads("theirs", now - 0.5, now):
            said.append(second)
    assert said[0] == PATIENCE + 1
    assert said[1] == said[0] + SAY_EVERY
    assert owner.counted == 999


def test_a_roll_out_of_less_than_a_minute_is_counted_and_not_said() -> None:
    owner = Owner()
    assert not any(owner.reads("new", START + s, START + s) for s in range(1, 60))
    assert owner.counted == 59
    later = START + 10_000
    assert not owner.reads("newer", later, later)


@pytest.mark.parametrize(
    ("version", "routed_at", "now"),
    [
        ("ours", START + 100, START + 100),
        ("former", START - 1, START + 1),
        ("former", START + 1, START + 2 + FRESH),
    ],
)
def test_what_waited_or_was_routed_before_tells_nothing(
    version: str, routed_at: float, now: float
) -> None:
    """A backlog, and what comes back from the delay topics, is of former configs."""
    owner = Owner()
    assert not owner.reads(version, routed_at, now)
    assert owner.counted is None


def test_another_config_of_the_owner_starts_the_comparison_again() -> None:
    owner = Owner()
    for second in range(1, 60):
        owner.reads("next", START + second, START + second)
    owner.rivals.reconfigure("next", START + 60)
    assert not owner.reads("next", START + 61, START + 62)
    assert not owner.reads("ours", START + 59, START + 62)
    assert owner.counted == 59


@pytest.mark.parametrize(
    "value", [None, b"", b"[]", b'{"result":[]}', b'"x"', b'{"config_version":1}', b"\xff"]
)
def test_a_record_that_does_not_say_is_passed_over(value: bytes | None) -> None:
    Owner().rivals.inspect_record(value, START)


def test_a_record_of_the_first_version_tells_the_same() -> None:
    first = b'{"version":1,"config_version":"c1","routed_at":"2026-11-22T10:00:00.000Z"}'
    latest = (
        b'{"version":2,"result":{"config_version":"c1","routed_at":"2026-11-22T10:00:00.000Z"}}'
    )
    assert told_by(first) == told_by(latest) == ("c1", HAPPENED)


def test_few_records_of_another_config_are_said_though_minutes_lie_between_them() -> None:
    """A lane with little traffic, or one replica of many that was left out of a roll-out."""
    owner = Owner()
    said = [owner.reads("theirs", now, now) for now in (START + 10, START + 410, START + 1200)]
    assert said == [0, 1, 1]


def test_each_config_has_its_own_patience() -> None:
    """A roll-out does not pass for a contest because another one went before it."""
    owner = Owner()
    assert not owner.reads("former", START + 1, START + 1)
    assert not owner.reads("next", START + 4000, START + 4000)
    assert owner.reads("next", START + 4000 + PATIENCE, START + 4000 + PATIENCE)


def test_a_config_that_wrote_no_more_for_a_day_counts_as_new() -> None:
    owner = Owner()
    owner.reads("theirs", START + 1, START + 1)
    later = START + 2 + FORGOTTEN
    assert not owner.reads("theirs", later, later)
    assert owner.reads("theirs", later + PATIENCE, later + PATIENCE)


def test_many_configs_are_remembered_up_to_a_bound() -> None:
    owner = Owner()
    for number in range(REMEMBERED * 3):
        owner.reads(f"c{number}", START + 1, START + 1)
    assert len(owner.rivals._met) == REMEMBERED
    assert owner.reads(f"c{REMEMBERED * 3 - 1}", START + 99, START + 99)


def test_a_clock_that_is_stepped_back_blinds_no_lane() -> None:
    owner = Owner()
    owner.reads("theirs", START + 10, START + 10)
    assert owner.reads("theirs", START + 100, START + 100)
    earlier = START - 3600
    said = [owner.reads("theirs", earlier + s, earlier + s) for s in range(0, 1200, 30)]
    assert sum(said) >= 2


def test_a_few_records_of_another_config_in_full_polls_are_found() -> None:
    """The last record of a poll is ours; theirs are among the others."""
    owner = Owner()
    ours = record_of("ours", START + 5)
    polls = [ours if number % 10 else record_of("theirs", START + 5) for number in range(5_000)]
    owner.rivals.read(cast("list[Message]", [*polls, ours]), START + 5)
    assert owner.counted


def test_a_lane_that_is_owned_elsewhere_follows_the_config_for_its_next_owner_here() -> None:
    """What its own former config routed must not count against it."""
    before = LaneSettings(name="cloud", campaigns={}, config_version="ours", limits=())
    surroundings = services(Time())
    loop = LaneStage(before, surroundings, cast("Calls", None), None)
    after = replace(before, config_version="next")
    loop.reconfigure(LaneConfig(after, cast("Calls", None)))
    loop._take_configs()
    now = surroundings.clock.now()
    assert loop._rivals.record_invitation("next", now + 1, now + 1) is None
    assert loop._rivals.record_invitation("ours", now - 1, now + 1) is None
    assert not surroundings.metrics.registry.get_sample_value(
        "survey_dispatcher_other_config_invitations_total", {"lane": "cloud"}
    )
