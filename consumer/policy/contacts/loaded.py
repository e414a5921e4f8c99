"""What was read of a store, changed by decisions until it is written back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from consumer.policy.contacts.history import (
    NO_FACTS,
    SETTLED,
    Contact,
    History,
    decode_history,
    encode_record,
)
from consumer.policy.contacts.request import Reservation, decode_reservation
from consumer.policy.contacts.subjects import is_pace_subject


class LoadedContacts:
    """Histories by subject and reservations by invitation; those that changed are marked.

    `histories` and `reservations` are the bytes that a store had, with an entry for each key that
    was read; a key that was not read must not be asked for.
    """

    def __init__(
        self,
        histories: Mapping[str, bytes | None],
        reservations: Mapping[str, bytes | None],
    ) -> None:
        self._history_bytes = histories
        self._reservation_bytes = reservations
        self._histories: dict[str, History] = {}
        self._reservations: dict[str, Reservation | None] = {}
        self._changed: set[str] = set()
        self._changed_reservations: set[str] = set()

    def history(self, subject: str) -> History:
        """Return a subject's history, to look at."""
        history = self._histories.get(subject)
        if history is None:
            value = self._history_bytes[subject]
            history = History() if value is None else decode_history(value)
            self._histories[subject] = history
        return history

    def change(self, subject: str) -> History:
        """Return a subject's history, to change."""
        self._changed.add(subject)
        return self.history(subject)

    def has_subjects(self, subjects: Iterable[str]) -> bool:
        """Tell whether all these subjects were read."""
        return all(subject in self._history_bytes for subject in subjects)

    def put(self, subjects: Iterable[str], contact: Contact) -> None:
        """Write a contact under subjects. Under a pace it is only counted: facts are left out."""
        bare = replace(contact, facts=NO_FACTS, keys={}, waits=())
        for subject in subjects:
            self.change(subject).put(bare if is_pace_subject(subject) else contact)

    def put_open(self, subjects: Iterable[str], contact: Contact) -> None:
        """Write a contact where the same invitation has no settled one, which says more."""
        self.put(
            [subject for subject in subjects if not self._is_settled(subject, contact.id)], contact
        )

    def _is_settled(self, subject: str, invitation: str) -> bool:
        contact = self.history(subject).find(invitation)
        return contact is not None and contact.state in SETTLED

    def release(self, subjects: Iterable[str], invitation: str) -> None:
        """Remove an invitation's contact where it is not settled."""
        for subject in subjects:
            contact = self.history(subject).find(invitation)
            if contact is not None and contact.state not in SETTLED:
                self.change(subject).remove(invitation)

    def reservation(self, invitation: str) -> Reservation | None:
        """Return an invitation's reservation; None also for one that was not read."""
        if invitation not in self._reservations:
            value = self._reservation_bytes.get(invitation)
            self._reservations[invitation] = None if value is None else decode_reservation(value)
        return self._reservations[invitation]

    def reserve(self, reservation: Reservation) -> None:
        """Write a reservation."""
        invitation = reservation.request.id
        self._reservations[invitation] = reservation
        self._changed_reservations.add(invitation)

    def forget(self, invitation: str) -> None:
        """Remove an invitation's reservation."""
        self._reservations[invitation] = None
        self._changed_reservations.add(invitation)

    def changed_histories(self, before: float) -> Iterator[tuple[str, bytes | None]]:
        """Yield what is to be written, without what was sent or answered before a time."""
        for subject in self._changed:
            history = self._histories[subject]
            history.prune(before)
            yield subject, None if history.is_empty() else encode_record(history)

    def changed_reservations(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the reservations to be written."""
        for invitation in self._changed_reservations:
            reservation = self._reservations[invitation]
            yield invitation, None if reservation is None else encode_record(reservation)
