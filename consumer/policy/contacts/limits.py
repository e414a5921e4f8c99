"""Which contact rules hold for an invitation, and which of them are full.

Rules that apply: the selector matches and no key is null. Of those, a rule that another one names
in `instead_of` does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from consumer.policy.contacts.contact_rule import ContactRule
from consumer.policy.contacts.history import OPEN, SETTLED, Contact, ContactState, History
from consumer.policy.contacts.loaded import LoadedContacts
from consumer.policy.contacts.request import Request
from consumer.policy.contacts.subjects import rule_subjects
from consumer.records.result import Reason

COUNTED_AT_RESERVING = OPEN | SETTLED
COUNTED_AT_SEALING = SETTLED | {ContactState.SEALED}


@dataclass(frozen=True, slots=True)
class FullRule:
    """A rule that has no room. `eligible_at` infinite: not known, an open reservation is in it."""

    rule: ContactRule
    subject: str
    eligible_at: float
    blocked_by: str | None

    @property
    def reason(self) -> Reason:
        """The reason of a result."""
        return Reason.COOLDOWN if self.rule.counts_of == "responses" else Reason.CONTACT_LIMIT

    @property
    def known_time(self) -> float | None:
        """`eligible_at`, or None where it is not known."""
        return self.eligible_at if math.isfinite(self.eligible_at) else None


def applying_rules(rules: Sequence[ContactRule], request: Request) -> list[ContactRule]:
    """Return the rules that apply to an invitation, those included that another one replaces."""
    return [
        rule
        for rule in rules
        if rule.applies_to.matches(request.facts) and rule.has_keys(request.persons, request.keys)
    ]


def holding_rules(rules: Sequence[ContactRule], request: Request) -> list[ContactRule]:
    """Return the rules that hold for an invitation, in their order."""
    applying = applying_rules(rules, request)
    replaced = {name for rule in applying for name in rule.instead_of}
    return [rule for rule in applying if rule.name not in replaced]


class Counting:
    """Counts contacts and answers at one time for one invitation, without its own.

    `states`: those of contacts that count. `without`: ids of contacts that are thought away.
    """

    def __init__(
        self,
        request: Request,
        loaded: LoadedContacts,
        now: float,
        states: Collection[ContactState] = COUNTED_AT_RESERVING,
    ) -> None:
        self._request, self._loaded, self._now, self._states = request, loaded, now, states

    def full_rules(
        self, rules: Sequence[ContactRule], without: AbstractSet[str] = frozenset()
    ) -> Iterator[FullRule]:
        """Yield the rules that are full, in order; of a person's identities the latest free."""
        for rule in rules:
            subjects = rule_subjects(rule, self._request)
            full = [self._full_in(rule, subject, without) for subject in subjects]
            found = [state for state in full if state is not None]
            if found:
                yield max(found, key=lambda state: state.eligible_at)

    def _full_in(
        self, rule: ContactRule, subject: str, without: AbstractSet[str]
    ) -> FullRule | None:
        history = self._loaded.history(subject)
        counted = (
            self._answers(rule, history)
            if rule.counts_of == "responses"
            else self._contacts(rule, history, without)
        )
        inside = [(frees_at, by) for frees_at, by in counted if frees_at > self._now]
        if len(inside) < rule.at_most:
            return None
        inside.sort(key=lambda pair: pair[0], reverse=True)
        frees_at, blocked_by = inside[rule.at_most - 1]
        return FullRule(rule, subject, frees_at, blocked_by)

    def _answers(self, rule: ContactRule, history: History) -> Iterator[tuple[float, None]]:
        for answer in history.answers:
            if rule.counts_answer(answer, self._request.keys):
                yield rule.frees_at(answer.at, self._now), None

    def _contacts(
        self, rule: ContactRule, history: History, without: AbstractSet[str]
    ) -> Iterator[tuple[float, str]]:
        for contact in self.counted(rule, history):
            if contact.id not in without:
                is_open = contact.state in OPEN
                yield math.inf if is_open else rule.frees_at(contact.at, self._now), contact.id

    def counted(self, rule: ContactRule, history: History) -> Iterator[Contact]:
        """Yield the contacts of other invitations that a rule counts, in whatever window. An open
        resend takes over the contact of the one that it repeats where it counts itself: a reserved
        one does not at sealing, nor one of another campaign for a rule of the first."""
        counting = [
            contact
            for contact in history.contacts
            if contact.state in self._states
            and not self._request.is_own(contact.id)
            and rule.counts_contact(contact, self._request.keys)
        ]
        taken_over = {contact.resend_of for contact in counting if contact.state in OPEN}
        yield from (contact for contact in counting if contact.id not in taken_over)
