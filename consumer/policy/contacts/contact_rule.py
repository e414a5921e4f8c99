"""Contact rule: at most so many invitations, or responses, of a key in a window of time.

    contact of time a in a rolling window counts at now  ⇔  a + within > now
    contact of time a in a calendar window counts at now ⇔  end of a's period > now
    the rule is full                                     ⇔  those that count ≥ at_most

So the window is (now - within, now], and a person may be asked again at exactly `sent_at` +
`within`. A time ahead of the store's clock (skew) counts too. An open reservation counts in every
window and ends at a time that is not known. A rule that is full for one identity of a person is
full for the person.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

from consumer.policy.contacts.history import Answer, Contact, Facts
from consumer.policy.contacts.periods import DAY, LONGEST_DAYS, PeriodUnit, period_at

PERSON: Final = "person"
"""The key in `per` that stands for each identity of the person."""

Keys = Mapping[str, str | None]
"""Expression → the invitation's value of it; None: there is none."""


@dataclass(frozen=True, slots=True)
class Selector:
    """Selects invitations: AND between its keys, OR within one; an empty key selects all."""

    tags: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    campaigns: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    vendors: frozenset[str] = frozenset()

    def matches(self, facts: Facts) -> bool:
        """Tell whether an invitation with these facts is selected."""
        return (
            (not self.tags or not self.tags.isdisjoint(facts.tags))
            and (not self.routes or facts.route in self.routes)
            and (not self.campaigns or facts.campaign in self.campaigns)
            and (not self.channels or facts.channel in self.channels)
            and (not self.vendors or facts.vendor in self.vendors)
        )


@dataclass(frozen=True)
class ContactRule:
    """One of `contact_rules`: `within` seconds, or a calendar period in a time zone.

    `counts` None: what `applies_to` selects. `per`: keys of the count, `person` among them or not.
    """

    name: str
    at_most: int = 1
    within: float | None = None
    calendar: PeriodUnit | None = None
    timezone: str | None = None
    applies_to: Selector = field(default_factory=Selector)
    counts: Selector | None = None
    counts_of: Literal["invitations", "responses"] = "invitations"
    per: tuple[str, ...] = (PERSON,)
    at_limit: Literal["drop", "wait"] = "drop"
    instead_of: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.at_most < 1:
            raise ValueError("`at_most` is 1 or more")
        if (self.within is None) == (self.calendar is None):
            raise ValueError("a contact rule has either `within` or `calendar`")
        if (self.calendar is None) != (self.timezone is None):
            raise ValueError("`calendar` needs `timezone`, and `within` takes none")
        if self.counts_of == "responses" and not self.counts_persons:
            raise ValueError("responses are known by person only: `per` must have `person`")

    @cached_property
    def counts_persons(self) -> bool:
        """Whether each identity of the person has a count."""
        return PERSON in self.per

    @cached_property
    def other_keys(self) -> tuple[str, ...]:
        """The expressions of `per` beside the person."""
        return tuple(key for key in self.per if key != PERSON)

    @cached_property
    def _counted(self) -> Selector:
        return self.applies_to if self.counts is None else self.counts

    def has_keys(self, persons: Collection[str], keys: Keys) -> bool:
        """Tell whether an invitation has every key of the count."""
        missing_person = self.counts_persons and not persons
        return not missing_person and None not in [keys.get(key) for key in self.other_keys]

    @property
    def longest_window(self) -> float:
        """Seconds for which something counts at the longest."""
        if self.within is not None:
            return self.within
        assert self.calendar is not None  # noqa: S101 - __post_init__ says so
        return LONGEST_DAYS[self.calendar] * DAY

    def frees_at(self, when: float, now: float) -> float:
        """Return the time from which on something of `when` counts no more."""
        if self.within is not None:
            return when + self.within
        start, end = self._period(now)
        if when < start:
            return -math.inf
        return end if when < end else self._period(when)[1]

    def _period(self, when: float) -> tuple[float, float]:
        assert self.calendar is not None  # noqa: S101 - __post_init__ says so
        assert self.timezone is not None  # noqa: S101
        return period_at(self.calendar, self.timezone, when)

    def counts_contact(self, contact: Contact, keys: Keys) -> bool:
        """Tell whether a contact of the subject is of what the rule counts, whenever it was."""
        for key in self.other_keys:
            if contact.keys.get(key) != keys.get(key):
                return False
        return self._counted.matches(contact.facts)

    def counts_answer(self, answer: Answer, keys: Keys) -> bool:
        """Tell the same of an answer. What is not known of it is taken to match."""
        same = all(answer.keys.get(key, keys.get(key)) == keys.get(key) for key in self.other_keys)
        return same and (answer.facts is None or self._counted.matches(answer.facts))
