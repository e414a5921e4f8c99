"""An invitation in memory.

Fields that the lane decides by are attributes. The rest stays in the record's own bytes, which take
half the memory of the parsed invitation; the parts that a call or a result needs are copied from
them as they are (`records.invitation`).
"""

from __future__ import annotations

from sys import intern
from typing import Self

import msgspec
from msgspec import Raw

from consumer.records.fields import USUAL_PRIORITY
from consumer.records.invitation import (
    CallParts,
    Invitation,
    InvitationHead,
    Recipient,
    decode_call_parts,
    decode_head,
    decode_identity,
    decode_known_head,
    decode_recipient,
    decode_result_parts,
    encode_invitation,
    flat_invitation,
)
from consumer.records.readers import RECORD_LIMIT, later_attempts, read_invitation
from consumer.records.trace_context import is_sampled

OVERHEAD = 800
"""Bytes of a pending invitation beside its record's value (measured: 1.4 kB for 600)."""


class PendingInvitation(msgspec.Struct, gc=False):
    """A record of the lane's topic: its offset, since when it waits (epoch seconds), its bytes.
    `attempt`: calls that carried it. `delays`: how often it was delayed. `checked_by`: the config
    by which the router made it; none for one that an operator sent again. `event_at`: when its
    event happened, if that is known. `eligible_from`: its due time, 0 without one. `zone`: its
    customer's time zone. `waits_for`: the contact rule for which it was delayed. `shadow`: its
    route was in shadow when it was routed. `traceparent`: the trace context of its event, if it is
    sampled; results copy any from `value`. `_result`: the result's part, once a call decoded it.

    The garbage collector skips it (`gc=False`): there are many, and none refers to another object
    that could refer back."""

    offset: int
    value: bytes
    arrived: float
    campaign: str
    recipient: str
    expires_at: float | None
    attempt: int = 0
    delays: int = 0
    checked_by: str = ""
    event_at: float | None = None
    route: str = ""
    eligible_from: float = 0.0
    zone: str = ""
    priority: int = USUAL_PRIORITY
    waits_for: str = ""
    shadow: bool = False
    traceparent: str = ""
    _result: Raw | None = None

    @classmethod
    def read(cls, offset: int, value: bytes, arrived: float) -> Self:
        """Read a record's value; one of an earlier version is encoded again. Raises
        UnreadableRecord."""
        head: InvitationHead | None = None
        if len(value) <= RECORD_LIMIT:
            try:  # noqa: SIM105 - `suppress` would take a tenth of the reading
                head = decode_known_head(value)
            except (ValueError, RecursionError):  # `read_invitation` reads or refuses it
                pass
        if head is None:
            # A copy: orjson shrinks a buffer of 4 kB to what it wrote, and the rest stays a gap
            # beside each invitation (73,000 of them took 322 MB, copied ones 62).
            value = bytes(memoryview(encode_invitation(read_invitation(value))))
            head = decode_head(value)
        result, due = head.result, head.eligible_from
        return cls(
            offset,
            value,
            max(arrived, due) if due else arrived,
            intern(head.campaign),
            head.pseudonym,
            head.expires_at,
            head.attempt,
            head.delays,
            "" if result.resend_of else intern(result.config_version),
            head.event_at,
            intern(result.route),
            due,
            intern(head.zone) if head.zone else "",
            head.priority,
            head.waits_for,
            head.shadow,
            result.traceparent if is_sampled(result.traceparent) else "",
        )

    @classmethod
    def of(cls, offset: int, invitation: Invitation, arrived: float) -> Self:
        """Make one from an invitation's flat view."""
        return cls.read(offset, encode_invitation(invitation), arrived)

    @classmethod
    def from_later_version(cls, offset: int, value: bytes, arrived: float) -> Self | None:
        """Read a record of a later version of the program; None if it is no such record."""
        counts = later_attempts(value)
        if counts is None:
            return None
        attempt, delays = counts
        return cls(offset, value, arrived, "", "", None, attempt, delays)

    @property
    def size(self) -> int:
        """Approximate bytes of memory."""
        return len(self.value) + OVERHEAD

    def call_parts(self) -> CallParts:
        """Return the parts for its call. The result's part is kept, for a result follows."""
        parts = decode_call_parts(self.value)
        self._result = parts.result
        return parts

    def result_part(self) -> Raw:
        """Return the part for its result, as JSON."""
        return decode_result_parts(self.value).result if self._result is None else self._result

    @property
    def id(self) -> str:
        """The invitation's id, decoded at each access."""
        return decode_identity(self.result_part()).id

    @property
    def address(self) -> Recipient:
        """The recipient's addresses, decoded at each access."""
        return decode_recipient(self.value).address

    @property
    def invitation(self) -> Invitation:
        """The flat view, parsed at each access."""
        return flat_invitation(msgspec.json.decode(self.value))
