"""Defects to plant around the contact store: mistakes about a shared history.

`test_defects.py` has the seeds of those that a world is known to find. Each is a mistake that was
made, or could be; `rewritten` plants it in the program's own source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary

from consumer.contacts import book, changes, recovery
from consumer.contacts.book import ContactBook
from consumer.contacts.memory import MemoryStore
from consumer.lane.dispatch.sealing import Sealing
from consumer.lane.intake import Intake
from consumer.lane.settlement.hold_back import HoldBack
from consumer.policy.contacts import displacing
from consumer.policy.contacts.contact_rule import ContactRule
from consumer.policy.contacts.history import OPEN
from consumer.policy.contacts.limits import Counting
from consumer.policy.contacts.request import GRANTED
from consumer.runtime.contacts.desk import ContactDesk
from consumer.runtime.contacts.gate import FeedGate
from tests.simulation.planting import rewritten

Plant = Callable[[], AbstractContextManager[Any]]


def _rewriting(home: Any, name: str, *changed: tuple[str, str]) -> Plant:
    return lambda: rewritten(home, name, *changed)


@contextmanager
def _offsets_of_the_group() -> Iterator[None]:
    """The view's offsets are the consumer group's: a store that forgot is not read again."""
    groups: WeakKeyDictionary[ContactBook, dict[tuple[str, int], int]] = WeakKeyDictionary()
    settle, finish = ContactBook.settle, ContactBook.finish_recovery

    def committed(
        asked: ContactBook, records: Any, offsets: Mapping[tuple[str, int], int], _begins: Any
    ) -> None:
        settle(asked, records, {})
        groups.setdefault(asked, {}).update(offsets)

    with ExitStack() as patches:
        for name, planted in (
            ("settle", committed),
            ("offsets", lambda asked, _places: dict(groups.get(asked, {}))),
            ("finish_recovery", lambda asked, lanes, _ends: finish(asked, lanes, {})),
        ):
            patches.enter_context(patch.object(ContactBook, name, planted))
        yield


@contextmanager
def _one_key_a_decision() -> Iterator[None]:
    """A write compares one identity of each decision alone, as a script for each key would."""
    write = MemoryStore.write

    def first_only(
        store: MemoryStore, generation: str, versions: Mapping[str, int], values: Any
    ) -> bool:
        histories = [key for key in versions if key.startswith("s:")]
        compared = {key: version for key, version in versions.items() if key not in histories[1:]}
        return write(store, generation, compared, values)

    with patch.object(MemoryStore, "write", first_only):
        yield


@contextmanager
def _fail_open() -> Iterator[None]:
    """What the store does not answer is sent unchecked."""
    answer = (
        "self.state.unavailable(str(unavailable))",
        "decisions = dict.fromkeys((p.offset for p in command.invitations), _GRANTED)",
    )
    with (
        patch.dict(ContactDesk._answer.__globals__, {"_GRANTED": GRANTED}),
        rewritten(ContactDesk, "_answer", answer),
    ):
        yield


@contextmanager
def _sealed_is_displaced() -> Iterator[None]:
    """Priority takes the place of an invitation that may be with the vendor."""

    def lower(contact: Any, priority: int) -> bool:
        return contact.state in OPEN and contact.priority < priority

    with (
        patch.object(displacing, "may_be_displaced", lower),
        patch.object(book, "may_be_displaced", lower),
    ):
        yield


DEFECTS: dict[str, Plant] = {
    "intent-before-the-seal": _rewriting(
        Sealing, "_seal_batch", ("if self._settlement.reservations.needed:", "if False:")
    ),
    "retry-is-not-sealed-again": _rewriting(
        Sealing,
        "_seal_batch",
        (
            "if self._settlement.reservations.needed:",
            "if self._settlement.reservations.needed and not any(p.attempt for p in fresh):",
        ),
    ),
    "unknown-is-released": _rewriting(
        changes, "_outcome", ('return "unknown" if', 'return "released" if')
    ),
    "windows-of-the-calendar": _rewriting(
        ContactRule,
        "frees_at",
        ("return when + self.within", "return (when // self.within + 1) * self.within"),
    ),
    "tags-as-they-are-now": _rewriting(
        changes, "change_of_result", ('tuple(result.get("tags", ()))', '("store",)')
    ),
    "fail-open": _fail_open,
    "sent-before-the-feed-was-read": _rewriting(
        FeedGate,
        "_is_feed_read",
        ('not self._waits or self._feed_progress["suppressions"].started', "True"),
    ),
    "sent-before-the-opt-outs-were-applied": _rewriting(
        FeedGate, "_problem", ("not (self._looked and self._view.started)", "False")
    ),
    "offsets-of-the-group": _offsets_of_the_group,
    "offsets-run-ahead": _rewriting(
        ContactBook,
        "settle",
        ("forgotten or len(generations) > 1", "False"),
    ),
    "one-key-a-decision": _one_key_a_decision,
    "reservations-expire": _rewriting(
        Counting,
        "counted",
        (
            "if contact.id not in taken_over",
            (
                "if contact.id not in taken_over"
                " and not (contact.state in OPEN and contact.at < self._now - 8.0)"
            ),
        ),
    ),
    "sealed-is-displaced": _sealed_is_displaced,
    "calls-about-to-leave-are-not-reported": _rewriting(
        ContactDesk,
        "report",
        ("lane.with_vendor", "[p for b in lane.in_flight.values() for p in b.invitations]"),
    ),
    "new-generation-grants-at-once": _rewriting(
        recovery, "look", ('"waiting" if missing or left else "reading"', '"reading"')
    ),
    "full-lane-stops-before-its-doubt": _rewriting(
        Intake, "steer", ("self._reservations.needed and self._in_doubt", "False")
    ),
    "quiet-hours-at-intake-only": _rewriting(
        HoldBack,
        "at_sealing",
        ("return held\n", "return held if held and held.reason else None\n"),
    ),
}
"""Name → planted defect."""
