"""Requests for tests of the contact rules, and a store that is one dict and has no conflicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from consumer.policy.contacts.contact_rule import ContactRule, Selector
from consumer.policy.contacts.history import (
    Contact,
    ContactState,
    Facts,
    Suppression,
    SuppressionReason,
)
from consumer.policy.contacts.loaded import LoadedContacts
from consumer.policy.contacts.request import Decision, Request, Reservation
from consumer.policy.contacts.reserving import reserve
from consumer.policy.contacts.sealing import hold_sealed, seal
from consumer.policy.contacts.settling import Change, Outcome, Settled, Suppressed, settle
from consumer.policy.contacts.table import ContactRules

NOW = 1_795_361_827.0
DAY = 86_400.0
ISTANBUL = "Europe/Istanbul"
FACTS = Facts("store", "purchase", "sms", "radar", ("nps", "store"))


def request(number: int = 1, *persons: str, **changes: Any) -> Request:
    """Return an invitation of person `p` that is due."""
    fields: dict[str, Any] = {"routed_at": NOW - 60, "facts": FACTS, **changes}
    return Request(f"i{number}", persons or ("p",), **fields)


def selecting(**names: str) -> Selector:
    """Return a selector of one name for each key."""
    return Selector(**{key: frozenset([name]) for key, name in names.items()})


def sent(wanted: Request, at: float, outcome: Outcome = "sent") -> Settled:
    """Return an invitation's result."""
    return Settled(wanted, outcome, at)


def suppression(
    *persons: str,
    at: float = NOW,
    reason: SuppressionReason = "opted_out",
    scope: str = "all",
    until: float | None = None,
    removed: bool = False,
) -> Suppressed:
    """Return a suppression of person `p`, or of those given."""
    return Suppressed(persons or ("p",), Suppression(scope, at, reason, until, removed))


class _AllRead(dict[str, bytes | None]):
    """Bytes of a store in which every key has been read."""

    def __missing__(self, key: str) -> None:
        return None

    def __contains__(self, key: object) -> bool:
        return True


class PureContacts:
    """Contact rules over one dict: what a book and a store do, without either."""

    def __init__(self, *rules: ContactRule, **table: Any) -> None:
        self.rules = ContactRules(rules, **table)
        self.now = NOW
        self._histories, self._reservations = _AllRead(), _AllRead()

    def load(self) -> LoadedContacts:
        """Return all that is kept."""
        return LoadedContacts(self._histories, self._reservations)

    def save(self, loaded: LoadedContacts) -> None:
        """Keep what changed."""
        kept_seconds = self.rules.kept_seconds
        kept = loaded.changed_histories(lambda subject: self.now - kept_seconds(subject))
        self._histories.update(kept)
        self._reservations.update(loaded.changed_reservations())

    def reserve(self, wanted: Request) -> Decision:
        """Reserve at `now`."""
        loaded = self.load()
        decision = reserve(wanted, loaded, self.rules, self.now)
        self.save(loaded)
        return decision

    def seal(self, wanted: Request) -> Decision:
        """Seal at `now`."""
        loaded = self.load()
        decision = seal(wanted.id, loaded, self.rules, self.now)
        self.save(loaded)
        return decision

    def hold_sealed(self, wanted: Request) -> None:
        """Write one in flight."""
        loaded = self.load()
        hold_sealed(wanted, loaded, self.rules, self.now)
        self.save(loaded)

    def settle(self, *changes: Change) -> None:
        """Apply changes in order."""
        loaded = self.load()
        for change in changes:
            settle(change, loaded, self.rules)
        self.save(loaded)

    def contacts(self, subject: str = "p") -> Sequence[Contact]:
        """Return a subject's contacts."""
        return [*self.load().history(subject).contacts]

    def states(self, subject: str = "p") -> dict[str, ContactState]:
        """Return the state of each contact of a subject."""
        return {contact.id: contact.state for contact in self.contacts(subject)}

    def reservation(self, wanted: Request) -> Reservation | None:
        """Return an invitation's reservation."""
        return self.load().reservation(wanted.id)

    @property
    def kept(self) -> set[str]:
        """Keys of everything that is kept."""
        pairs = [*self._histories.items(), *self._reservations.items()]
        return {key for key, value in pairs if value is not None}
