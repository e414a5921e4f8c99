"""An invitation in memory.

Fields that the lane decides by are attributes. The rest stays in the record's own bytes, which take
half the memory of the parsed invitation, and is parsed again when a call carries it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Self

import orjson

from consumer.records.invitation import Invitation
from consumer.records.readers import later_attempts, read_invitation

OVERHEAD = 800
"""Bytes of a pending invitation beside its record's value (measured: 1.4 kB for 600)."""


@dataclass(slots=True)
class PendingInvitation:
    """A record of the lane's topic: its offset, since when it waits (epoch seconds), its bytes.
    `attempt`: calls that carried it. `delays`: how often it was delayed."""

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
        """Parse a record's value. Raises UnreadableRecord."""
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
        """Make one in memory (simulations): there are no bytes to parse it from."""
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
    def invitation(self) -> Invitation:
        """The whole invitation, parsed at each access: 80,000 parsed ones took 160 MB."""
        return self._made or orjson.loads(self.value)
