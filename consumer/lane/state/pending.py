"""An invitation in memory.

What the lane decides by is at hand; the rest stays in the record's own bytes, which take half the
memory of the parsed invitation, and is read again when a call carries it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Self

import orjson

from consumer.records.invitation import Invitation
from consumer.records.readers import (
    later_attempts,
    read_invitation,
)

OVERHEAD = 800
"""Bytes that a held invitation takes beside its record's value (measured: 1.4 kB for 600)."""


@dataclass(slots=True)
class PendingInvitation:
    """A record of the lane's topic: its offset, since when it waits (epoch seconds), its bytes.

    `attempt`: calls it was in. `delays`: how often it was put off.
    """

    offset: int
    value: bytes
    arrived: float
    campaign: str
    recipient: str
    expires_at: float | None
    attempt: int = 0
    delays: int = 0
    _made: Invitation | None = None

    @classmethod
    def read(cls, offset: int, value: bytes, arrived: float) -> Self:
        """From a record's value. Raises UnreadableRecord."""
        invitation = read_invitation(value)
        return cls(
            offset,
            value,
            arrived,
            sys.intern(invitation["campaign"]),
            invitation["pseudonym"],
            invitation["expires_at"],
            invitation.get("attempt", 0),
            invitation.get("delays", 0),
        )

    @classmethod
    def of(cls, offset: int, invitation: Invitation, arrived: float) -> Self:
        """One that was made in memory (simulations): there are no bytes to read it from again."""
        return cls(
            offset,
            b"",
            arrived,
            invitation["campaign"],
            invitation["pseudonym"],
            invitation["expires_at"],
            _made=invitation,
        )

    @classmethod
    def from_later_version(cls, offset: int, value: bytes, arrived: float) -> Self | None:
        """One that a later version of the program wrote; None if it is no such thing."""
        counts = later_attempts(value)
        if counts is None:
            return None
        attempt, delays = counts
        return cls(offset, value, arrived, "", "", None, attempt, delays)

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return len(self.value) + OVERHEAD

    @property
    def invitation(self) -> Invitation:
        """All of it, parsed for whoever asks: 80,000 in flight took 160 MB when kept parsed."""
        return self._made or orjson.loads(self.value)

    def expired(self, now: float) -> bool:
        """Whether it is too late to send it."""
        return self.expires_at is not None and now >= self.expires_at
