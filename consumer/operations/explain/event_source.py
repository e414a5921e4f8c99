"""The event to explain: a file, standard input, or one record of a Kafka topic."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final, NamedTuple

from consumer.config.models import Config
from consumer.errors import OperationError
from consumer.records.input_record import InputRecord

STDIN: Final = "-"
_PLACE: Final = re.compile(r"([A-Za-z0-9._-]{1,249}):([0-9]{1,9}):([0-9]{1,18})")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class RecordPlace(NamedTuple):
    """A record's place in Kafka."""

    topic: str
    partition: int
    offset: int


def place_of(text: str) -> RecordPlace | None:
    """Parse TOPIC:PARTITION:OFFSET; None for anything else, and for the name of a file."""
    found = _PLACE.fullmatch(text)
    if found is None or Path(text).exists():
        return None
    return RecordPlace(found[1], int(found[2]), int(found[3]))


def event_of_file(text: str, topic: str) -> InputRecord:
    """Return the event of a file, or of standard input for `-`, as the first record of a topic.
    Raises OperationError."""
    if text == STDIN:
        value = sys.stdin.buffer.read()
    else:
        try:
            value = Path(text).read_bytes()
        except OSError as error:
            raise OperationError(
                f"{text} cannot be read: {error.strerror}. Expected a file with one event, - for "
                "standard input, or a record of Kafka as TOPIC:PARTITION:OFFSET"
            ) from None
    return InputRecord(topic, 0, 0, value.removeprefix(_BYTE_ORDER_MARK))


def topic_of_input(config: Config, name: str | None) -> str:
    """Return the first topic of an input, or of the only one. Raises OperationError."""
    known = ", ".join(config.inputs)
    if name is None and len(config.inputs) > 1:
        raise OperationError(f"say with --input which input's event it is: {known}")
    chosen = next(iter(config.inputs)) if name is None else name
    if chosen not in config.inputs:
        raise OperationError(f"no input {chosen} in the config; there are: {known}")
    return config.inputs[chosen].topics[0]
