"""Which of many records raised: only that one is set aside, and Kafka's errors blame none."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from confluent_kafka import KafkaError, KafkaException
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from consumer.errors import KafkaSessionError, StartPositionError, UnreadableRecord, defect
from consumer.kafka.errors import records_fault
from consumer.runtime.isolation import isolate, log_defect


class Handled:
    """Handles numbers together, and raises for those that are poison."""

    def __init__(self, poison: set[int], error: type[Exception] = RuntimeError) -> None:
        self.poison, self.error = poison, error
        self.together: list[int] = []
        self.alone: list[int] = []
        self.calls = 0

    def handle(self, items: Sequence[int]) -> None:
        self.calls += 1
        if self.poison.intersection(items):
            raise self.error(f"cannot take {items}")
        self.together += items

    def set_aside(self, item: int, error: Exception) -> None:
        assert type(error) is self.error
        self.alone.append(item)


@given(st.integers(0, 300), st.sets(st.integers(0, 299), max_size=5))
def test_all_are_handled_once_in_their_order_and_the_guilty_ones_alone(
    number: int, poison: set[int]
) -> None:
    handled = Handled(poison)
    isolate(range(number), handled.handle, handled.set_aside)
    guilty = sorted(each for each in poison if each < number)
    assert handled.alone == guilty
    assert handled.together == [each for each in range(number) if each not in poison]
    assert handled.calls <= 1 + 2 * len(guilty) * max(1, number).bit_length()


@pytest.mark.parametrize(
    "error",
    [
        KafkaSessionError("x"),
        StartPositionError("x"),
        KafkaException(KafkaError(KafkaError._FENCED)),
        MemoryError(),
        KeyboardInterrupt(),
        SystemExit(1),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_not_about_a_record_passes_through(error: BaseException) -> None:
    def handle(_items: Sequence[int]) -> None:
        raise error

    assert not records_fault(error)
    with pytest.raises(type(error)):
        isolate([1, 2], handle, lambda *_: pytest.fail("no record is guilty"))


@pytest.mark.parametrize(
    "error",
    [
        SystemError(), RecursionError(), OverflowError(), UnicodeError(),
        KeyError(), UnreadableRecord("x"), AssertionError(), OSError(), StopIteration(),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_whatever_else_is_raised_may_be_a_records(error: Exception) -> None:
    assert records_fault(error)


def test_the_log_tells_type_and_places_and_no_value() -> None:
    try:
        int("+905551112233x")
    except ValueError as raised:
        error = raised
    with capture_logs() as lines:
        log_defect("router", ("t", 2, 7), defect(error))
    (line,) = lines
    assert (line["topic"], line["partition"], line["offset"]) == ("t", 2, 7)
    assert line["error"].startswith("ValueError at test_isolation.py:")
    assert "555" not in str(line)


def test_an_error_without_a_traceback_has_no_place() -> None:
    assert defect(ValueError()) == "ValueError at unknown"
