"""What is asked of the contact rules, and what they decide."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

import msgspec
from msgspec import Struct

from consumer.policy.contacts.history import NO_FACTS, ContactState, Facts
from consumer.records.fields import HIGHEST_PRIORITY, USUAL_PRIORITY
from consumer.records.result import Reason

ContactMode = Literal["obey", "exempt", "off"]
"""`exempt`: no contact rule holds it back, and it counts. `off`: it does not count either.
Suppressions, duplicates and pace hold for all."""

NOT_DISPLACED: Final = HIGHEST_PRIORITY + 1
"""Priority of an exempt contact: none is higher."""


class Request(Struct, array_like=True, frozen=True, gc=False):
    """An invitation that is due.

    `persons`: the pseudonyms of all identities, under every listed key. `keys`: values of every
    expression in `per`, `pace` and `deduplicate`. `pace`, `duplicates`: names in `ContactRules`.
    """

    id: str
    persons: tuple[str, ...]
    routed_at: float
    facts: Facts = NO_FACTS
    keys: dict[str, str | None] = {}
    priority: int = USUAL_PRIORITY
    contact: ContactMode = "obey"
    expires_at: float | None = None
    resend_of: str | None = None
    pace: str | None = None
    duplicates: str | None = None

    def is_own(self, invitation: str) -> bool:
        """Tell whether a contact is this invitation's, or of the one that it repeats."""
        return invitation in {self.id, self.resend_of}


class Reservation(Struct, array_like=True, frozen=True, gc=False):
    """An invitation that is reserved, sealed or waits, or was displaced by `blocked_by`.

    `subjects`: where its contact was written.
    """

    state: ContactState
    request: Request
    subjects: tuple[str, ...]
    blocked_by: str | None = None


decode_reservation = msgspec.msgpack.Decoder(Reservation).decode


class Verdict(StrEnum):
    """What becomes of an invitation."""

    GRANTED = "granted"
    REFUSED = "refused"
    """It ends `suppressed` with the reason."""
    WAIT = "wait"
    """It is asked again at `eligible_at`; None: at the next delay step."""
    LOST = "lost"
    """Of sealing: the store knows no reservation; it must be reserved again."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rules say of one invitation.

    `rule`: the contact rule (or the pace) that holds it back, and `eligible_at` when that ends, if
    it is known. `blocked_by`: the invitation that displaced it, or that must leave the rule's
    window first. `displaced`: reservations that had to make room for it.
    """

    verdict: Verdict
    reason: Reason | None = None
    rule: str | None = None
    eligible_at: float | None = None
    blocked_by: str | None = None
    duplicate_of: str | None = None
    displaced: tuple[str, ...] = ()


GRANTED: Final = Decision(Verdict.GRANTED)
LOST: Final = Decision(Verdict.LOST)
