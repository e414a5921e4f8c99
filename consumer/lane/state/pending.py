"""An invitation in memory.

Fields that the lane decides by are attributes. The rest stays in the record's own bytes, which take
half the memory of the parsed invitation; the parts that a call or a result needs are copied from
them as they are (`records.invitation`).
"""

from __future__ import annotations

import sys
from typing import Self

import msgspec

from consumer.records.invitation import (
    Invitation,
    InvitationHead,
    Recipient,
    decode_head,
    decode_known_head,
    decode_recipient,
    encode_invitation,
    flat_invitation,
)
from consumer.records.readers import RECORD_LIMIT, later_attempts, read_invitation

OVERHEAD = 800
"""Bytes of a pending invitation beside its record's value (measured: 1.4 kB for 600)."""


class PendingInvitation(msgspec.Struct, gc=False):
    """A record of the lane's topic: its offset, since when it waits (epoch seconds), its bytes.
    `attempt`: calls that carried it. `delays`: how often it was delayed. `checked_by`: the config
    by which the router made it; none for one that an operator sent again. `event_at`: when its
    event happened, if that is known.

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

    @classmethod
    def read(cls, offset: int, value: bytes, arrived: float) -> Self:
        """Read a record's value; one of an earlier version is encoded again. Raises
        UnreadableRecord."""
        head = _head(value)
        if head is None:
            # A copy: orjson shrinks a buffer of 4 kB to what it wrote, and the rest stays a gap
            # beside each invitation (73,000 of them took 322 MB, copied ones 62).
            value = bytes(memoryview(encode_invitation(read_invitation(value))))
            head = decode_head(value)
        return cls(
            offset,
            value,
            arrived,
            sys.intern(head.campaign),
            head.pseudonym,
            head.expires_at,
            head.attempt,
            head.delays,
            "" if head.result.resend_of else sys.intern(head.result.config_version),
            head.event_at,
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

    @property
    def address(self) -> Recipient:
        """The recipient's addresses, decoded at each access."""
        return decode_recipient(self.value).address

    @property
    def invitation(self) -> Invitation:
        """The flat view, parsed at each access."""
        return flat_invitation(msgspec.json.decode(self.value))


def _head(value: bytes) -> InvitationHead | None:
    """Return the head of a record that this program could have written; None for any other record,
    which `read_invitation` reads or refuses."""
    if len(value) > RECORD_LIMIT:
        return None
    try:
        return decode_known_head(value)
    except (ValueError, RecursionError):
        return None
