"""Waiting, by which alerts ring: it counts from the due time, and no rule makes it late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.http.calls import Answered
from consumer.lane.state.commands import Batch
from consumer.lane.state.pending import PendingInvitation
from consumer.observability.metrics.metrics import Metrics
from consumer.runtime.lane.lane_report import LaneReport
from consumer.runtime.lane.lane_traces import LaneTraces
from tests.support.lanes import ACCEPTED, NOW, Driver, campaign, lane, limited, settings, written

HOUR = 3600.0
OPEN = settings(campaign("a", max_batch=1))


def observed(pending: PendingInvitation, now: float = NOW) -> list[float]:
    """How often an accepted call was counted, and the seconds that it took."""
    metrics, driver = Metrics(), Driver(lane(OPEN))
    batch: Batch
    (batch,) = driver.read(pending, now=now)
    driver.lane.answered(batch.id, ACCEPTED, sent_at=now, at=now)
    report = LaneReport(driver.lane, metrics.lane("cloud"), LaneTraces(None, "cloud"))
    report.answered(Answered(batch, "pisano", ACCEPTED, now, now, "200"), 0.1)
    found = [
        metrics.registry.get_sample_value(
            f"survey_dispatcher_event_to_answer_seconds_{what}", {"lane": "cloud"}
        )
        for what in ("count", "sum")
    ]
    return [value for value in found if value is not None]


@given(
    age=st.integers(0, 90 * 86400).map(float),
    delay=st.integers(0, 90 * 86400).map(float),
)
def test_a_delay_of_its_policy_makes_no_survey_late(age: float, delay: float) -> None:
    """It counts from the due time, where that is later than the event."""
    happened = NOW - age
    due = min(happened + delay, NOW)
    pending = written(1, event_at=happened, eligible_from=due)
    assert observed(pending) == pytest.approx([1, NOW - due])


def test_without_a_due_time_it_counts_from_the_event() -> None:
    assert observed(written(1, event_at=NOW - 2 * HOUR)) == pytest.approx([1, 2 * HOUR])


def test_the_wait_for_a_contact_rule_does_not_count() -> None:
    waited = written(1, event_at=NOW - 72 * HOUR, delays=1, waits_for="texts")
    assert observed(waited) == [0, 0]


def test_an_invitation_that_is_not_due_waits_for_no_call() -> None:
    """The lane returns it to a delay topic, so no gauge of waiting customers shows it."""
    driver = Driver(lane(OPEN))
    early = written(1, event_at=NOW - 72 * HOUR, eligible_from=NOW + HOUR)
    assert driver.read(early, now=NOW) == []
    assert [delayed.due_at for delayed in driver.put_off] == [NOW + HOUR]
    assert driver.lane.snapshot(NOW).campaigns == {}


def test_the_oldest_waiting_customer_waits_since_the_due_time() -> None:
    driver = Driver(lane(limited(campaign("a", max_batch=1), calls=1)))
    made = [written(n, event_at=NOW - 72 * HOUR, eligible_from=NOW - 10) for n in (1, 2)]
    due = [PendingInvitation.read(one.offset, one.value, NOW - 72 * HOUR) for one in made]
    assert len(driver.read(*due)) == 1
    assert driver.lane.campaign_snapshot("a", NOW).oldest_age == pytest.approx(10)
