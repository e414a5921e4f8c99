"""Duplicates: an invitation of the same route and key as one of before repeats it.

Two routes may make one invitation each of the same event, so the route is part of the key. An
invitation that waits, is reserved or sealed is repeated as well as one that was sent within
`within` seconds; one that was refused or failed is not.
"""

from __future__ import annotations

from dataclasses import dataclass

from consumer.policy.contacts.history import SETTLED, Contact


@dataclass(frozen=True, slots=True)
class Duplicates:
    """One policy's `deduplicate`: `by` is an expression. A null key repeats nothing."""

    by: str
    within: float

    def repeats(self, contact: Contact, route: str, now: float) -> bool:
        """Tell whether an invitation of this route would repeat a contact of the same key."""
        ended = contact.state in SETTLED and contact.at + self.within <= now
        return contact.facts.route == route and not ended
