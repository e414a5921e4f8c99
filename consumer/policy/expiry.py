"""Expiry: a survey is not sent later than `expire_after` seconds after its transaction.

    expires at = transaction's time + expire_after      (None: never)
    expired    ⇔ now ≥ expires at

The clock starts at the transaction and not at routing, so a delay, a replay or an outage never
extends it. The time stands in the invitation: a later config changes only what is routed later.
"""

from __future__ import annotations

from typing import Protocol

from consumer.records.result import Reason


class Expiring(Protocol):
    """An event that a route took, or an invitation in a lane."""

    @property
    def expires_at(self) -> float | None: ...


def expiry_time(transaction: float, expire_after: float | None) -> float | None:
    """Return the epoch seconds from which on no survey is sent, or None."""
    return None if expire_after is None else transaction + expire_after


def has_expired(expires_at: float | None, now: float) -> bool:
    """Tell whether it is too late to send a survey."""
    return expires_at is not None and now >= expires_at


def expired_at_routing(subject: Expiring, now: float) -> Reason | None:
    """Refuse an event that was too old when it was routed."""
    return Reason.TOO_OLD if has_expired(subject.expires_at, now) else None


def expired_waiting(subject: Expiring, now: float) -> Reason | None:
    """Refuse an invitation that expired while it waited for a call."""
    return Reason.EXPIRED_WAITING if has_expired(subject.expires_at, now) else None
