"""Reserving: whether an invitation that is due may be sent, by everything that is known of it.

    duplicate → suppression → contact rules and cooldown → pace

The first that fails gives the reason. Of contact rules that are full at once, one that drops comes
before one that waits: waiting would end in a refusal. An invitation that has a reservation already
(a replay, a new owner) meets its own. Only a result ends a reservation.
"""

from __future__ import annotations

from collections.abc import Sequence

from consumer.policy.contacts.contact_rule import ContactRule
from consumer.policy.contacts.displacing import displace, find_room
from consumer.policy.contacts.history import (
    OPEN,
    Contact,
    ContactState,
    Suppression,
    SuppressionReason,
)
from consumer.policy.contacts.limits import Counting, FullRule, holding_rules
from consumer.policy.contacts.loaded import LoadedContacts
from consumer.policy.contacts.request import (
    GRANTED,
    NOT_DISPLACED,
    Decision,
    Request,
    Reservation,
    Verdict,
)
from consumer.policy.contacts.subjects import (
    pace_subject,
    repeat_subject,
    rule_subjects,
    subjects_of,
)
from consumer.policy.contacts.suppressions import first_suppression
from consumer.policy.contacts.table import ContactRules
from consumer.records.result import Reason

_REASONS: dict[SuppressionReason, Reason] = {
    "opted_out": Reason.OPTED_OUT,
    "bounced": Reason.BOUNCED,
    "erased": Reason.ERASED,
}


def reserve(request: Request, loaded: LoadedContacts, rules: ContactRules, now: float) -> Decision:
    """Decide on an invitation that is due, and change what was loaded accordingly."""
    own = loaded.reservation(request.id)
    if own is not None and own.state is not ContactState.WAITING:
        return GRANTED if own.state in OPEN else outranked(own)
    decision = _decide(request, loaded, rules, now)
    if decision.verdict is Verdict.REFUSED and own is not None:
        loaded.release(own.subjects, request.id)
        loaded.forget(request.id)
    return decision


def outranked(reservation: Reservation) -> Decision:
    """Refuse an invitation that was displaced."""
    return Decision(Verdict.REFUSED, Reason.OUTRANKED, blocked_by=reservation.blocked_by)


def suppressed(request: Request, loaded: LoadedContacts, now: float) -> Decision | None:
    """Refuse an invitation to a person with a suppression under any identity."""
    known = [found for person in request.persons for found in loaded.history(person).suppressions]
    found: Suppression | None = first_suppression(known, request.facts, request.routed_at, now)
    if found is None:
        return None
    return Decision(Verdict.REFUSED, _REASONS[found.reason], eligible_at=found.until)


def rules_of(request: Request, rules: ContactRules) -> list[ContactRule]:
    """Return the contact rules that may hold an invitation back."""
    return holding_rules(rules.rules, request) if request.contact == "obey" else []


def _decide(request: Request, loaded: LoadedContacts, rules: ContactRules, now: float) -> Decision:
    refused = _duplicate(request, loaded, rules, now) or suppressed(request, loaded, now)
    if refused is not None:
        return refused
    counting = Counting(request, loaded, now)
    holding = rules_of(request, rules)
    going = find_room(holding, request, loaded, counting)
    if going is None:
        return decide_full(list(counting.full_rules(holding)), request, loaded, rules, now)
    if (unpaced := _over_pace(request, loaded, rules, now, going)) is not None:
        return unpaced
    for invitation in going:
        displace(loaded, invitation, request.id)
    hold(request, loaded, rules, now, ContactState.RESERVED)
    return Decision(Verdict.GRANTED, displaced=tuple(going)) if going else GRANTED


def _duplicate(
    request: Request, loaded: LoadedContacts, rules: ContactRules, now: float
) -> Decision | None:
    duplicates = rules.duplicates_of(request)
    subject = None if duplicates is None else repeat_subject(duplicates, request.keys)
    if duplicates is None or subject is None:
        return None
    for contact in loaded.history(subject).contacts:
        own = request.is_own(contact.id)
        if not own and duplicates.repeats(contact, request.facts.route, now):
            return Decision(Verdict.REFUSED, Reason.DUPLICATE, duplicate_of=contact.id)
    return None


def _over_pace(
    request: Request,
    loaded: LoadedContacts,
    rules: ContactRules,
    now: float,
    going: Sequence[str],
) -> Decision | None:
    pace = rules.pace_of(request)
    subject = None if pace is None else pace_subject(pace, request.keys)
    if pace is None or subject is None:
        return None
    counted = loaded.paced(subject, lambda when: pace.counts_time(when, now))
    count = len(counted) - len(counted & {request.id, request.resend_of or "", *going})
    if count < pace.allowed(now):
        return None
    at = pace.eligible_at(count, now)
    return Decision(Verdict.REFUSED, Reason.PACE_MET, pace.name, at)


def decide_full(
    full: Sequence[FullRule],
    request: Request,
    loaded: LoadedContacts,
    rules: ContactRules,
    now: float,
) -> Decision:
    """Refuse an invitation that found rules full, or let it wait where all of them wait."""
    last = max(full, key=lambda state: state.eligible_at)
    dropping = next((state for state in full if state.rule.at_limit == "drop"), None)
    if dropping is None and request.expires_at is not None:
        known = last.known_time is not None
        dropping = last if known and last.eligible_at >= request.expires_at else None
    if dropping is None:
        dropping = next((state for state in full if _another_waits(state, request, loaded)), None)
    held = dropping or last
    decision = Decision(
        Verdict.WAIT if dropping is None else Verdict.REFUSED,
        held.reason,
        held.rule.name,
        held.known_time,
        held.blocked_by,
    )
    if dropping is None:
        waits = tuple(state.rule.name for state in full)
        hold(request, loaded, rules, now, ContactState.WAITING, waits)
    return decision


def _another_waits(full: FullRule, request: Request, loaded: LoadedContacts) -> bool:
    """Tell whether another invitation waits for the same key of the rule."""
    return any(
        contact.state is ContactState.WAITING
        and not request.is_own(contact.id)
        and full.rule.name in contact.waits
        and all(contact.keys.get(key) == request.keys.get(key) for key in full.rule.other_keys)
        for subject in rule_subjects(full.rule, request)
        for contact in loaded.history(subject).contacts
    )


def hold(
    request: Request,
    loaded: LoadedContacts,
    rules: ContactRules,
    now: float,
    state: ContactState,
    waits: tuple[str, ...] = (),
) -> None:
    """Write an invitation's contact under all its subjects, and its reservation."""
    priority = NOT_DISPLACED if request.contact == "exempt" else request.priority
    contact = Contact(
        request.id, state, now, request.facts, request.keys, priority, request.resend_of, waits
    )
    subjects = subjects_of(request, rules)
    own = loaded.reservation(request.id)
    if own is not None:
        loaded.release(own.subjects, request.id)
    loaded.put_open(subjects, contact)
    loaded.reserve(Reservation(state, request, subjects))
