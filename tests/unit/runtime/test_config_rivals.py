"""Invitations that routers with another config write to a lane, told from a roll-out."""

from __future__ import annotations

import orjson
import pytest
import structlog

from consumer.adapters.metrics import Metrics
from consumer.model import rfc3339
from consumer.runtime.config_rivals import FRESH, PATIENCE, SAY_EVERY, ConfigRivals

START = 1_700_000_000.0


class Owner:
    """A lane whose owner has config `ours` since `START`."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.rivals = ConfigRivals("cloud", self.metrics, "ours", START)

    def reads(self, config_version: str, routed_at: float, now: float) -> int:
        """How many lines are logged about such an invitation."""
        record = {"config_version": config_version, "routed_at": rfc3339(routed_at)}
        with structlog.testing.capture_logs() as said:
            self.rivals.look(orjson.dumps(record), now)
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


def test_another_config_of_the_owner_begins_anew() -> None:
    owner = Owner()
    for second in range(1, 60):
        owner.reads("next", START + second, START + second)
    owner.rivals.follow("next", START + 60)
    assert not owner.reads("next", START + 61, START + 62)
    assert not owner.reads("ours", START + 59, START + 62)
    assert owner.counted == 59


@pytest.mark.parametrize("value", [None, b"", b"[]", b'{"config_version":1}', b"\xff"])
def test_a_record_that_does_not_say_is_passed_over(value: bytes | None) -> None:
    Owner().rivals.look(value, START)
