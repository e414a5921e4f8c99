"""Trial of contact rules: recorded results under other rules, as if these had been in force.

Each invitation that was asked for in the period is reserved again, in the order of time, in a store
of its own whose clock is the time of that invitation. What is granted counts as sent; what was
before the period counts as it was. Invitations that other rules ended (a sample, quiet hours, an
address) are passed over: the contact rules never saw them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from consumer.contacts.book import ContactBook
from consumer.contacts.memory import MemoryStore
from consumer.policy.contacts.request import Request, Verdict
from consumer.policy.contacts.settling import Settled
from consumer.policy.contacts.table import ContactRules
from consumer.records.result import Reason, Status

BY_CONTACT_RULES: Final = frozenset(
    {
        Reason.CONTACT_LIMIT,
        Reason.OUTRANKED,
        Reason.COOLDOWN,
        Reason.DUPLICATE,
        Reason.PACE_MET,
        Reason.OPTED_OUT,
        Reason.BOUNCED,
        Reason.EXPIRED_AT_LIMIT,
    }
)
"""Reasons of what reached the contact rules and was held back by them."""

ASKED: Final = frozenset({Status.ACCEPTED, Status.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded invitation. `at`: when it was sent, or ended; `asked`: it was sent."""

    at: float
    request: Request
    asked: bool


@dataclass(slots=True)
class Trial:
    """What the rules would have done: invitations of the period that were asked then and now;
    `held_back`, `let_through`: (rule or reason) → invitations that would have ended otherwise."""

    invitations: int = 0
    asked_then: int = 0
    asked_now: int = 0
    held_back: Counter[str] = field(default_factory=Counter)
    let_through: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)


def try_rules(recorded: Iterable[Recorded], rules: ContactRules, since: float) -> Trial:
    """Play the invitations, in the order of time, through the rules; `since`: the period begins."""
    clock, trial = [0.0], Trial()
    book = ContactBook(MemoryStore(lambda: clock[0]), rules)
    book.recovery(())
    book.finish_recovery((), {})
    for one in recorded:
        clock[0] = max(clock[0], one.at)
        if one.at < since:
            if one.asked:
                book.settle([Settled(one.request, "sent", one.at)], {})
            continue
        trial.invitations += 1
        trial.asked_then += one.asked
        (decision,) = book.reserve([one.request])
        if decision.verdict is Verdict.GRANTED:
            book.settle([Settled(one.request, "sent", one.at)], {})
            trial.asked_now += 1
            trial.let_through += not one.asked
            continue
        why = decision.rule or str(decision.reason or "waits")
        trial.by_rule[why] += 1
        trial.held_back[why] += one.asked
        if decision.verdict is Verdict.WAIT:  # not asked again here: it counts as held back
            book.settle([Settled(one.request, "released", one.at)], {})
    trial.held_back += Counter()  # drop zero counts
    return trial
