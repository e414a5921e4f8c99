"""Sealing: whether a reserved invitation may still be sent, right before the intent of its call.

Asked again: suppressions, whether the reservation stands, and contact rules and cooldown over what
is confirmed and sealed. Meanwhile an answer may have come, or an exempt contact, or other rules.
Reservations that are not sealed do not count: they are asked when they are sealed themselves.
"""

from __future__ import annotations

from consumer.policy.contacts.history import ContactState
from consumer.policy.contacts.limits import COUNTED_AT_SEALING, Counting
from consumer.policy.contacts.loaded import LoadedContacts
from consumer.policy.contacts.request import GRANTED, LOST, Decision, Request, Reservation, Verdict
from consumer.policy.contacts.reserving import decide_full, hold, outranked, rules_of, suppressed
from consumer.policy.contacts.table import ContactRules


def seal(invitation: str, loaded: LoadedContacts, rules: ContactRules, now: float) -> Decision:
    """Decide on an invitation whose call is about to leave, and change what was loaded."""
    reservation = loaded.reservation(invitation)
    if reservation is None or reservation.state is ContactState.WAITING:
        return LOST
    if reservation.state is ContactState.DISPLACED:
        return outranked(reservation)
    decision = _decide(reservation, loaded, rules, now)
    if decision.verdict is Verdict.GRANTED:
        hold(reservation.request, loaded, rules, now, ContactState.SEALED)
    elif decision.verdict is Verdict.REFUSED:
        loaded.release(reservation.subjects, invitation)
        loaded.forget(invitation)
    return decision


def _decide(
    reservation: Reservation, loaded: LoadedContacts, rules: ContactRules, now: float
) -> Decision:
    request = reservation.request
    refused = suppressed(request, loaded, now)
    if refused is not None:
        return refused
    counting = Counting(request, loaded, now, COUNTED_AT_SEALING)
    full = list(counting.full_rules(rules_of(request, rules)))
    return decide_full(full, request, loaded, rules, now) if full else GRANTED


def hold_sealed(request: Request, loaded: LoadedContacts, rules: ContactRules, now: float) -> None:
    """Write an invitation in flight as sealed, whatever the rules say: it is with the vendor."""
    hold(request, loaded, rules, now, ContactState.SEALED)
