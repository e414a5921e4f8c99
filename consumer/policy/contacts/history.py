"""What a store keeps of a subject: contacts, answers and suppressions, as compact MessagePack.

A contact is one invitation as it was when it was sent. Its life:

    (waiting) ─► reserved ─► sealed ─► sent | unknown        released: the contact is removed

`reserved` and `sealed` are *open*: they have no `sent_at` yet and count in every window. `unknown`
counts like `sent`, for it may have come. `waiting` (`at_limit: wait`) counts for no limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from enum import IntEnum
from typing import Final, Literal

import msgspec
from msgspec import Struct

SuppressionReason = Literal["opted_out", "bounced", "erased"]

EVERYTHING: Final = "all"
"""Scope of a suppression that holds for every survey."""


class ContactState(IntEnum):
    """How far an invitation got."""

    RESERVED = 0
    SEALED = 1
    SENT = 2
    UNKNOWN = 3
    WAITING = 4
    DISPLACED = 5
    """Of a reservation alone: an invitation of higher priority took its place."""


OPEN: Final = frozenset({ContactState.RESERVED, ContactState.SEALED})
SETTLED: Final = frozenset({ContactState.SENT, ContactState.UNKNOWN})


class Facts(Struct, array_like=True, frozen=True, gc=False):
    """What the selectors of rules look at."""

    route: str = ""
    campaign: str = ""
    channel: str = ""
    vendor: str = ""
    tags: tuple[str, ...] = ()


NO_FACTS: Final = Facts()


class Contact(Struct, array_like=True, frozen=True, gc=False):
    """One invitation in a subject's history. `at`: sent at; of an open one, reserved at.

    `keys`: values of the expressions in `per`. `waits`: names of the rules it waits for.
    """

    id: str
    state: ContactState
    at: float
    facts: Facts = NO_FACTS
    keys: dict[str, str | None] = {}
    priority: int = 0
    resend_of: str | None = None
    waits: tuple[str, ...] = ()


class Answer(Struct, array_like=True, frozen=True, gc=False):
    """A response of a person. Facts that are not known match every selector: never open."""

    at: float
    facts: Facts | None = None
    keys: dict[str, str | None] = {}


class Suppression(Struct, array_like=True, frozen=True, gc=False):
    """A person must not be asked: everything, or one channel, tag or campaign (`scope`).

    `removed`: the person allowed it again. `erased`: all of before `at` is forgotten.
    """

    scope: str
    at: float
    reason: SuppressionReason = "opted_out"
    until: float | None = None
    removed: bool = False


class HistoryRecord(Struct, array_like=True, frozen=True, gc=False):
    """A history as a store keeps it."""

    contacts: Sequence[Contact] = ()
    answers: Sequence[Answer] = ()
    suppressions: Sequence[Suppression] = ()


class History:
    """Everything kept of one subject. Finding, adding and removing a contact take no longer in a
    long history than in a short one: a pace may count ten thousand."""

    __slots__ = ("_contacts", "answers", "suppressions")

    def __init__(self, record: HistoryRecord = HistoryRecord()) -> None:  # noqa: B008 - frozen
        self._contacts = {contact.id: contact for contact in record.contacts}
        self.answers = list(record.answers)
        self.suppressions = list(record.suppressions)

    @property
    def contacts(self) -> Collection[Contact]:
        """The contacts, in the order in which they were written."""
        return self._contacts.values()

    def encode(self) -> bytes | None:
        """Return the bytes for a store, or None if nothing is kept."""
        if not (self._contacts or self.answers or self.suppressions):
            return None
        record = HistoryRecord([*self._contacts.values()], self.answers, self.suppressions)
        return encode_record(record)

    def find(self, invitation: str | None) -> Contact | None:
        """Return the contact of an invitation."""
        return None if invitation is None else self._contacts.get(invitation)

    def put(self, contact: Contact) -> None:
        """Add a contact in place of the same invitation's."""
        self._contacts.pop(contact.id, None)
        self._contacts[contact.id] = contact

    def remove(self, invitation: str) -> None:
        """Remove an invitation's contact."""
        self._contacts.pop(invitation, None)

    def add_answer(self, answer: Answer) -> None:
        """Add an answer; one that is known already changes nothing, nor does an erased one."""
        if answer not in self.answers and answer.at > self.erased_at:
            self.answers.append(answer)

    def merge(self, suppression: Suppression) -> None:
        """Merge one in: of the same scope and reason the last write wins, in whatever order read.

        Of two at the same time, one that suppresses wins over its removal.
        """
        same = [old for old in self.suppressions if _same(old, suppression)]
        self.suppressions = [old for old in self.suppressions if not _same(old, suppression)]
        self.suppressions.append(max([*same, suppression], key=_strength))
        self._forget(self.erased_at)

    @property
    def erased_at(self) -> float:
        """The time up to which all was to be forgotten."""
        marks = [mark.at for mark in self.suppressions if mark.reason == "erased"]
        return max(marks, default=-math.inf)

    def _forget(self, until: float) -> None:
        self._keep(lambda contact: contact.at > until or contact.state in OPEN)
        self.answers = [answer for answer in self.answers if answer.at > until]

    def prune(self, before: float) -> None:
        """Drop what was sent or answered before a time. Suppressions are kept for ever."""
        self._keep(lambda contact: contact.at >= before or contact.state not in SETTLED)
        self.answers = [answer for answer in self.answers if answer.at >= before]

    def _keep(self, wanted: Callable[[Contact], bool]) -> None:
        gone = [contact.id for contact in self._contacts.values() if not wanted(contact)]
        for invitation in gone:
            del self._contacts[invitation]


def _same(one: Suppression, other: Suppression) -> bool:
    return (one.scope, one.reason) == (other.scope, other.reason)


def _strength(suppression: Suppression) -> tuple[float, bool, float]:
    until = math.inf if suppression.until is None else suppression.until
    return suppression.at, not suppression.removed, until


encode_record = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(HistoryRecord).decode


def decode_history(value: bytes) -> History:
    """Return a history that a store kept."""
    return History(_decode(value))
