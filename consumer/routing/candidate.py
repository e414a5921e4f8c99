"""An event and a route that took it, on its way to an invitation."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final, Literal

from msgspec import Struct

from consumer.policy.candidate import ChanceKey, Value
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.decode import Event
from consumer.routing.decoding.digits import DigitsLostError, as_text, exact_body, text_in
from consumer.routing.decoding.times import TimeReader
from consumer.routing.person import PersonReader
from consumer.routing.route import Reach, Route

ANY_TIME = TimeReader()
_date: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch


class RouteCandidate(Struct, gc=False):
    """See `policy.candidate.Candidate`. `reader`: reads the event's identities of a person.

    `upload`, `not_before`: identity of an uploaded row, and the epoch seconds that it waits for.
    """

    record: InputRecord
    event: Event
    route: Route
    routed_at: str
    expires_at: float | None
    reach: Reach
    reader: PersonReader
    times: TimeReader = ANY_TIME
    ordinal: int = 0
    upload: str = ""
    not_before: float = 0.0
    found: dict[str, Any] = {}
    _identities: list[str] | None = None

    @property
    def invitation_id(self) -> str:
        """The invitation's identity; the ordinal is that of the item of `for_each`. An uploaded row
        has its own, wherever it stands."""
        record, ordinal = self.record, self.ordinal
        if self.upload:
            return _digest(f"upload|{self.upload}|{self.route.name}|{ordinal}")
        name = f"{record.topic}|{record.partition}|{record.offset}|{self.route.name}|{ordinal}"
        return _digest(name)

    @property
    def body(self) -> dict[str, Any]:
        """The event's body."""
        return self.event.body

    @property
    def event_time(self) -> float:
        """The transaction's time in epoch seconds."""
        return self.event.time

    @property
    def due_from(self) -> float:
        """The epoch seconds from which delays count."""
        return max(self.event.time, self.not_before)

    def address(self, kind: Literal["phone", "email"]) -> str | None:
        """Return the recipient's valid address of this kind, or None."""
        return self.reach.address(kind)

    def text_at(self, value: Value) -> str | None:
        """Return a value of the event as text with its digits as written; None: it has none."""
        found = value(self.body)
        try:
            return text_in(self.event.raw, found)
        except DigitsLostError:
            return as_text(value(exact_body(self.event.raw, self.body)))

    def time_at(self, value: Value) -> float | None:
        """Return a time of the event in epoch seconds, or None if it has none there. A date alone
        is its end, in UTC."""
        found = value(self.body)
        read = self.times(f"{found}T24:00Z" if _is_date(found) else found)
        return None if read is None else read[0]

    def identities(self) -> list[str]:
        """Return the person's identities in plain text, each with its kind in front but addresses:
        those of the input's `person`, and the route's recipient."""
        if self._identities is None:
            known = self.reader.read(self.body, self.text_at)
            known += [found for kind in ("phone", "email") if (found := self.reach.address(kind))]
            self._identities = list(dict.fromkeys(known))
        return self._identities

    def chance_key(self, by: ChanceKey) -> str:
        """Return the text that decides by chance. Without a person or a value it is the event's
        id, so that rates hold."""
        if by == "person":
            return next(iter(self.identities()), self.event.id)
        value = None if by == "event" else self.text_at(by)
        return self.event.id if value is None else value


def _digest(name: str) -> str:
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def _is_date(found: object) -> bool:
    return type(found) is str and _date(found) is not None
