"""Records of the topic of pauses: reading, writing, and what is paused after all of them.

Never open by accident: a value that cannot be read, as one of a later version, counts as a pause
of what its key names. A tombstone, or a record that says so, ends one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import structlog
from confluent_kafka import Message
from pydantic import ValidationError

from consumer.kafka.records.messages import appended_at, key_of, value_of
from consumer.policy.pauses import Pauses
from consumer.records.pause import Pausable, Pause

log = structlog.get_logger(__name__)


def dump(pause: Pause) -> bytes:
    """Return the record value of a pause."""
    return pause.model_dump_json(exclude_none=True).encode()


@dataclass(slots=True)
class PauseTable:
    """The newest record of each thing that was ever paused or resumed."""

    _newest: dict[Pausable, Pause] = field(default_factory=dict)

    def take(self, message: Message) -> None:
        """Take a record in, in the order of the log."""
        key = key_of(message)
        thing = None if key is None else Pausable.from_key(key.decode(errors="replace"))
        if thing is None:
            log.warning("pause_unreadable", topic=message.topic(), offset=message.offset())
            return
        self._newest[thing] = _read(message, thing)

    def paused(self) -> Sequence[Pause]:
        """Return the pauses in force."""
        return [pause for _, pause in sorted(self._newest.items()) if pause.paused]

    def pauses(self, *, resumed_after: float = float("inf")) -> Pauses:
        """Return what is paused, and what was resumed after a time as if it still were."""
        return Pauses.of(self._held(resumed_after))

    def _held(self, resumed_after: float) -> Iterator[Pausable]:
        for thing, pause in self._newest.items():
            if pause.paused or pause.at > resumed_after:
                yield thing


def _read(message: Message, thing: Pausable) -> Pause:
    """Return the record's pause; its key says of what."""
    value, at = value_of(message), max(0.0, appended_at(message) or 0.0)
    if value is None:
        return Pause(kind=thing.kind, name=thing.name, paused=False, at=at)
    try:
        return Pause.model_validate_json(value).model_copy(update=thing._asdict())
    except ValidationError:
        log.warning("pause_unreadable", topic=message.topic(), offset=message.offset())
        return Pause(kind=thing.kind, name=thing.name, paused=True, at=at)
