"""What was read of a store, changed by decisions until it is written back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from consumer.policy.contacts.history import (
    NO_FACTS,
    OPEN,
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
        self._paced: dict[str, tuple[set[str | None], set[str | None]]] = {}
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
            if is_pace_subject(subject):
                self.change(subject).put(bare)
                self._recount(subject, bare)
            else:
                self.change(subject).put(contact)

    def paced(self, subject: str, counts_time: Callable[[float], bool]) -> AbstractSet[str | None]:
        """Return the invitations that count for a pace: open ones, and those sent in its period.

        Counted once and kept up to date, because each invitation of a batch asks.
        """
        if subject not in self._paced:
            contacts = self.history(subject).contacts
            taken_over = {contact.resend_of for contact in contacts if contact.state in OPEN}
            counted: set[str | None] = {
                contact.id
                for contact in contacts
                if contact.state in OPEN or (contact.state in SETTLED and counts_time(contact.at))
            }
            self._paced[subject] = counted - taken_over, taken_over
        return self._paced[subject][0]

    def _recount(self, subject: str, contact: Contact) -> None:
        if subject not in self._paced or contact.state not in OPEN:
            self._paced.pop(subject, None)
            return
        counted, taken_over = self._paced[subject]
        if contact.id not in taken_over:
            counted.add(contact.id)
        counted.discard(contact.resend_of)
        taken_over.add(contact.resend_of)

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
                self._paced.pop(subject, None)

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

    def changed_histories(
        self, kept_from: Callable[[str], float]
    ) -> Iterator[tuple[str, bytes | None]]:
        """Yield what is to be written. `kept_from`: subject → the time before which what was sent
        or answered is dropped."""
        for subject in self._changed:
            history = self._histories[subject]
            history.prune(kept_from(subject))
            yield subject, history.encode()

    def changed_reservations(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the reservations to be written."""
        for invitation in self._changed_reservations:
            reservation = self._reservations[invitation]
            yield invitation, None if reservation is None else encode_record(reservation)
