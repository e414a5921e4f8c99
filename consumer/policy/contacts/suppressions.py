"""Suppression: a person that opted out, an address that does not exist, a person to be forgotten.

A scope is `all`, or the name of a channel, a tag or a campaign; a name that is several of them
suppresses each. An erased person is asked again for what happened after the erasure.
"""

from __future__ import annotations

from collections.abc import Iterable

from consumer.policy.contacts.history import EVERYTHING, Facts, Suppression


def holds(suppression: Suppression, facts: Facts, routed_at: float, now: float) -> bool:
    """Tell whether a suppression forbids an invitation with these facts, routed at that time."""
    if suppression.removed:
        return False
    if suppression.reason == "erased":
        return routed_at <= suppression.at
    current = suppression.until is None or suppression.until > now
    return current and suppression.scope in {
        EVERYTHING,
        facts.channel,
        facts.campaign,
        *facts.tags,
    }


def first_suppression(
    suppressions: Iterable[Suppression], facts: Facts, routed_at: float, now: float
) -> Suppression | None:
    """Return the suppression that an invitation's result names, or None: opted out comes first."""
    held = [found for found in suppressions if holds(found, facts, routed_at, now)]
    order = ("opted_out", "erased", "bounced")
    return min(held, key=lambda found: order.index(found.reason), default=None)
