"""Settling: what a result, a suppression or an answer changes. Every change may come twice.

    accepted                                    sent, with its `sent_at`
    unknown                                     kept: it may have come
    rejected, failed, expired, suppressed       released

A result before a person's erasure is passed over. A resend that was sent or is unknown replaces the
contact of the one that it repeats, if both are of one route and campaign: else each counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from consumer.policy.contacts.history import Answer, Contact, ContactState, Suppression
from consumer.policy.contacts.loaded import LoadedContacts
from consumer.policy.contacts.request import Request
from consumer.policy.contacts.subjects import subjects_of
from consumer.policy.contacts.table import ContactRules

Outcome = Literal["sent", "unknown", "released"]


@dataclass(frozen=True, slots=True)
class Settled:
    """A result. `at`: when it was sent, or of an unknown one may have been at the latest.

    `request`: as at reserving, but made of the result, so that a store without a reservation counts
    it all the same.
    """

    request: Request
    outcome: Outcome
    at: float


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A person's suppression, its removal, or an erasure."""

    persons: tuple[str, ...]
    suppression: Suppression


@dataclass(frozen=True, slots=True)
class Answered:
    """A person's response."""

    persons: tuple[str, ...]
    answer: Answer


Change = Settled | Suppressed | Answered


def subjects_changed(change: Change, rules: ContactRules) -> tuple[str, ...]:
    """Return the subjects whose histories a change needs, beside those of its reservation."""
    if isinstance(change, Settled):
        return subjects_of(change.request, rules)
    return change.persons


def settle(change: Change, loaded: LoadedContacts, rules: ContactRules) -> None:
    """Apply a change to what was loaded."""
    if isinstance(change, Settled):
        _settle_result(change, loaded, rules)
    elif isinstance(change, Suppressed):
        for person in change.persons:
            loaded.change(person).merge(change.suppression)
    else:
        for person in change.persons:
            loaded.change(person).add_answer(change.answer)


def _settle_result(change: Settled, loaded: LoadedContacts, rules: ContactRules) -> None:
    request = change.request
    reservation = loaded.reservation(request.id)
    subjects = set(subjects_of(request, rules))
    if reservation is not None:
        subjects.update(reservation.subjects)
        loaded.forget(request.id)
    if change.outcome == "released":
        loaded.release(sorted(subjects), request.id)
        return
    state = ContactState.SENT if change.outcome == "sent" else ContactState.UNKNOWN
    contact = Contact(request.id, state, change.at, request.facts, request.keys)
    for subject in sorted(subjects):
        history = loaded.change(subject)
        history.remove(request.id)
        repeated = history.find(request.resend_of)
        if repeated is not None and repeated.facts == request.facts:
            history.remove(repeated.id)
        if change.at > history.erased_at:
            loaded.put([subject], contact)
