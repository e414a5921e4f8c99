"""Contact book: reserves, seals and settles invitations by the contact rules, over a store.

Every method is a series of rounds of read, decide and write, for at most 200 invitations each. All
block, may be called by any thread, and raise `StoreUnavailable` when the store does not answer or
grants nothing yet: then nothing may be sent. Repeating a call is harmless, for an invitation meets
its own reservation.

What callers owe:

- A lane calls `take_over` before anything else of an ownership, and again when `recovery` misses
  the lane. It commits nothing between the call and its return.
- An invitation has no result while a `reserve` of it is under way.
- A seal is good for `SEAL_SECONDS` from before `seal` was called; a later intent is dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from consumer.contacts import recovery
from consumer.contacts.recovery import OwnerRecord, Recovery, owner_key, ready_key
from consumer.contacts.store import ContactStore
from consumer.contacts.transaction import Load, Rounds, Transaction
from consumer.errors import OffsetsForgotten, StoreUnavailable
from consumer.policy.contacts.displacing import may_be_displaced
from consumer.policy.contacts.explaining import RuleCheck, check_rules
from consumer.policy.contacts.history import History, encode_record
from consumer.policy.contacts.request import Decision, Request
from consumer.policy.contacts.reserving import reserve
from consumer.policy.contacts.sealing import hold_sealed, seal
from consumer.policy.contacts.settling import Change, Settled, settle, subjects_changed
from consumer.policy.contacts.subjects import is_pace_subject, subjects_of
from consumer.policy.contacts.table import ContactRules

SEAL_SECONDS: Final = 10.0
"""For how long a granted seal may lead to a call."""

Offsets = Mapping[tuple[str, int], int]
"""(topic, partition) → the next offset to read."""

NO_OFFSETS: Final[Offsets] = {}


@dataclass(frozen=True, slots=True)
class Ownership:
    """A lane's ownership. `epoch` grows with each owner: the offset of its claim."""

    lane: str
    epoch: int


class ContactBook:
    """The contact rules of a config over one store."""

    def __init__(self, store: ContactStore, rules: ContactRules) -> None:
        self._store = store
        self._rules = rules
        self._rounds = Rounds(store, rules.kept_seconds)

    # -- lanes ------------------------------------------------------------------------------------

    def take_over(self, owner: Ownership, in_flight: Sequence[Request]) -> None:
        """Note a lane's owner and hold what it has in flight as sealed, in this generation."""

        def work(round_: Transaction, requests: Sequence[Request]) -> list[None]:
            self._check_owner(round_, owner, at_takeover=True)
            for request in requests:
                hold_sealed(request, round_.loaded, self._rules, round_.now)
            return []

        def last(round_: Transaction, _requests: Sequence[Request]) -> list[None]:
            record = OwnerRecord(owner.epoch, round_.generation)
            round_.put(owner_key(owner.lane), encode_record(record))
            return []

        self._rounds.run_last(in_flight, self._loading(owner), work, last)

    def reserve(
        self, requests: Sequence[Request], owner: Ownership | None = None
    ) -> list[Decision]:
        """Decide on invitations that are due, in their order."""

        def work(round_: Transaction, chunk: Sequence[Request]) -> list[Decision]:
            self._check_may_grant(round_, owner)
            loaded, now = round_.loaded, round_.now
            return [reserve(request, loaded, self._rules, now) for request in chunk]

        return self._rounds.run(requests, self._loading(owner), work)

    def seal(self, invitations: Sequence[str], owner: Ownership | None = None) -> list[Decision]:
        """Decide on reserved invitations whose call is about to leave, in their order."""

        def load(round_: Transaction, chunk: Sequence[str]) -> None:
            round_.read(invitations=chunk, others=self._state_keys(owner))
            self._load_reservations(round_, chunk)

        def work(round_: Transaction, chunk: Sequence[str]) -> list[Decision]:
            self._check_may_grant(round_, owner)
            loaded, now = round_.loaded, round_.now
            return [seal(invitation, loaded, self._rules, now) for invitation in chunk]

        return self._rounds.run(invitations, load, work)

    # -- the view ---------------------------------------------------------------------------------

    def settle(
        self, changes: Sequence[Change], offsets: Offsets, begins: Offsets = NO_OFFSETS
    ) -> None:
        """Apply results, suppressions and answers; offsets are written with the last of them.

        `begins`, for each of `offsets`: what the store had when the view read from there, else 0.
        Raises OffsetsForgotten if the store has a lower one, or began another generation meanwhile:
        what it forgot would stay below the offsets of now.
        """
        generations = set[str]()

        def load(round_: Transaction, chunk: Sequence[Change]) -> None:
            ids = [change.request.id for change in chunk if isinstance(change, Settled)]
            subjects = [name for change in chunk for name in subjects_changed(change, self._rules)]
            round_.read(subjects, ids, offset_keys)
            self._load_reservations(round_, ids)

        def work(round_: Transaction, chunk: Sequence[Change]) -> list[None]:
            generations.add(round_.generation)
            forgotten = any(self._offset_in(round_, place) < begins[place] for place in offsets)
            if forgotten or len(generations) > 1:
                raise OffsetsForgotten("the contact store has fallen back behind the view")
            for change in chunk:
                settle(change, round_.loaded, self._rules)
            return []

        def last(round_: Transaction, _chunk: Sequence[Change]) -> list[None]:
            for place, offset in offsets.items():
                if self._offset_in(round_, place) < offset:
                    round_.put(self._offset_key(*place), encode_record(offset))
            return []

        offset_keys = [self._offset_key(*place) for place in offsets]
        self._rounds.run_last(changes, load, work, last)

    def offsets(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Return where the view goes on reading; places it has not begun are left out."""
        keys = {self._offset_key(*place): place for place in places}
        found = self._store.read(list(keys)).found
        return {keys[key]: recovery.decode_offset(stored.value) for key, stored in found.items()}

    # -- generations ------------------------------------------------------------------------------

    def recovery(self, lanes: Collection[str]) -> Recovery:
        """Return how far the store's generation is; `lanes` are all of the config."""
        return recovery.look(self._store, self._rules.fingerprint, lanes)

    def finish_recovery(self, lanes: Collection[str], ends: Offsets) -> bool:
        """Let the generation grant; `ends` were asked for in phase `reading`. False: not yet."""
        named = {self._offset_key(*place): offset for place, offset in ends.items()}
        return recovery.finish(self._store, self._rules.fingerprint, lanes, named)

    # -- commands ---------------------------------------------------------------------------------

    def histories(self, subjects: Sequence[str]) -> dict[str, History]:
        """Return what is kept of subjects."""
        round_ = Transaction(self._store)
        round_.read(subjects)
        return {subject: round_.loaded.history(subject) for subject in subjects}

    def explain(self, request: Request) -> tuple[Decision, list[RuleCheck]]:
        """Return what `reserve` would decide, and every contact rule's state; write nothing."""
        round_ = Transaction(self._store)
        self._loading(None)(round_, [request])
        checks = check_rules(request, round_.loaded, self._rules, round_.now)
        return reserve(request, round_.loaded, self._rules, round_.now), checks

    # -- what is read -----------------------------------------------------------------------------

    def _loading(self, owner: Ownership | None) -> Load[Request]:
        def load(round_: Transaction, chunk: Sequence[Request]) -> None:
            ids = [request.id for request in chunk]
            subjects = [name for request in chunk for name in self._subjects(request)]
            round_.read(subjects, ids, self._state_keys(owner))
            outranked = self._outranked(round_, chunk)
            round_.read(invitations=outranked)
            self._load_reservations(round_, [*ids, *outranked])

        return load

    def _subjects(self, request: Request) -> tuple[str, ...]:
        return (*request.persons, *subjects_of(request, self._rules))

    def _outranked(self, round_: Transaction, chunk: Sequence[Request]) -> list[str]:
        """Return the invitations of which some of the chunk may take the place."""
        return [
            contact.id
            for request in chunk
            for subject in subjects_of(request, self._rules)
            if not is_pace_subject(subject)
            for contact in round_.loaded.history(subject).contacts
            if may_be_displaced(contact, request.priority)
        ]

    def _load_reservations(self, round_: Transaction, invitations: Sequence[str]) -> None:
        """Read what reservations that were read stand under, and what they ask for."""
        found = [round_.loaded.reservation(invitation) for invitation in invitations]
        round_.read(
            name
            for reservation in found
            if reservation is not None
            for name in (*reservation.subjects, *self._subjects(reservation.request))
        )

    # -- what must hold ---------------------------------------------------------------------------

    def _state_keys(self, owner: Ownership | None) -> list[str]:
        ready = ready_key(self._rules.fingerprint)
        return [ready] if owner is None else [ready, owner_key(owner.lane)]

    def _check_may_grant(self, round_: Transaction, owner: Ownership | None) -> None:
        value = round_.value(ready_key(self._rules.fingerprint))
        record = None if value is None else recovery.decode_ready(value)
        if record is None or record.generation != round_.generation or not record.ready:
            raise StoreUnavailable("the contact store is new or was restarted: it reads results")
        if owner is not None:
            self._check_owner(round_, owner, at_takeover=False)

    def _check_owner(self, round_: Transaction, owner: Ownership, *, at_takeover: bool) -> None:
        """Refuse a former owner, also one that is replaced before the round's commit."""
        key = owner_key(owner.lane)
        value = round_.value(key)
        found = OwnerRecord(-1, "") if value is None else recovery.decode_owner(value)
        if found.epoch > owner.epoch or (not at_takeover and found.epoch != owner.epoch):
            raise StoreUnavailable(f"lane {owner.lane} has another owner in the contact store")
        round_.guard(key)

    def _offset_in(self, round_: Transaction, place: tuple[str, int]) -> int:
        value = round_.value(self._offset_key(*place))
        return 0 if value is None else recovery.decode_offset(value)

    def _offset_key(self, topic: str, partition: int) -> str:
        return f"o:{self._rules.fingerprint}:{topic}:{partition}"
