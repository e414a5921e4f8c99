"""A fencing is usual; one after the other is a deployment's mistake."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumer.errors import KafkaSessionError
from consumer.runtime.fencing_monitor import TIMES, WITHIN, FencingMonitor, was_fenced


def trouble(code: int) -> KafkaSessionError:
    """As the clients' edge raises it."""
    error = KafkaSessionError("commit")
    error.__cause__ = KafkaException(KafkaError(code))
    return error


FENCED = trouble(KafkaError._FENCED)


@pytest.mark.parametrize(
    ("code", "fenced"),
    [
        (KafkaError._FENCED, True),
        (KafkaError.INVALID_PRODUCER_EPOCH, True),
        (KafkaError.PRODUCER_FENCED, True),
        (KafkaError._TIMED_OUT, False),
        (KafkaError.INVALID_PRODUCER_ID_MAPPING, False),
    ],
)
def test_a_fencing_is_known_by_kafkas_code(code: int, fenced: bool) -> None:
    assert was_fenced(trouble(code)) is fenced


def test_other_trouble_is_no_fencing() -> None:
    assert not was_fenced(None)
    assert not was_fenced(KafkaSessionError("the lane went and came back"))


def test_the_third_fencing_within_a_minute_is_said_with_its_id() -> None:
    monitor = FencingMonitor("app.router.0")
    said = [monitor.diagnose(FENCED, 10.0 * times) for times in range(TIMES)]
    assert said[:-1] == [None] * (TIMES - 1)
    assert "transactional.id app.router.0" in (said[-1] or "")
    assert "--instance" in (said[-1] or "")


def test_rare_fencings_and_other_errors_do_not_count() -> None:
    monitor, other = FencingMonitor(), FencingMonitor()
    for times in range(3 * TIMES):
        assert monitor.diagnose(FENCED, times * WITHIN) is None
        assert other.diagnose(trouble(KafkaError._TIMED_OUT), times) is None
    assert other.diagnose(FENCED, 0.0) is None
