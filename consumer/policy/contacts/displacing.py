"""Displacement: an invitation takes the place of reservations of lower priority.

Only reservations that are not sealed give way, and only if the newcomer then fits under every rule.
Of several the lowest priority goes first, then the latest. None goes without need: each one that is
displaced would keep the newcomer out if it stayed.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from consumer.policy.contacts.contact_rule import ContactRule
from consumer.policy.contacts.history import Contact, ContactState
from consumer.policy.contacts.limits import Counting, FullRule
from consumer.policy.contacts.loaded import LoadedContacts
from consumer.policy.contacts.request import Request


def may_be_displaced(contact: Contact, priority: int) -> bool:
    """Tell whether an invitation of this priority may take a contact's place."""
    return contact.state is ContactState.RESERVED and contact.priority < priority


def find_room(
    rules: Sequence[ContactRule], request: Request, loaded: LoadedContacts, counting: Counting
) -> list[str] | None:
    """Return the reservations that must go for an invitation to fit; None: it cannot fit."""
    going: dict[str, Contact] = {}
    while (full := next(counting.full_rules(rules, going.keys()), None)) is not None:
        candidates = [
            contact
            for contact in _candidates(full, request, loaded, counting)
            if contact.id not in going
        ]
        if not candidates:
            return None
        first = min(candidates, key=_order)
        going[first.id] = first
    for spared in sorted(going.values(), key=_order, reverse=True):
        without = going.keys() - {spared.id}
        if next(counting.full_rules(rules, without), None) is None:
            del going[spared.id]
    return list(going)


def _order(contact: Contact) -> tuple[int, float, str]:
    """The lowest priority goes first, then the latest."""
    return contact.priority, -contact.at, contact.id


def _candidates(
    full: FullRule, request: Request, loaded: LoadedContacts, counting: Counting
) -> list[Contact]:
    found: list[Contact] = []
    if full.rule.counts_of == "responses":
        return found
    for contact in counting.counted(full.rule, loaded.history(full.subject)):
        reservation = loaded.reservation(contact.id)
        known = reservation is not None and loaded.has_subjects(reservation.subjects)
        if known and may_be_displaced(contact, request.priority):
            found.append(contact)
    return found


def displace(loaded: LoadedContacts, invitation: str, by: str) -> None:
    """End a reservation in favour of another invitation."""
    reservation = loaded.reservation(invitation)
    if reservation is not None:
        loaded.release(reservation.subjects, invitation)
        loaded.reserve(replace(reservation, state=ContactState.DISPLACED, blocked_by=by))
