"""Contact desk: a lane's questions to the contact book, answered off the lane's thread.

    lane's thread    ReserveContacts, SealContacts ─► submit          take_over (seldom, blocks)
    a pool's thread                                   book ─► the lane's inbox

A lane has one question of each kind open, so its answers come in order. A store that is unavailable
and a closed feed gate (`gate`) answer with None, and the lane asks again. An invitation that cannot
be asked about is a defect of ours: it ends `not_built`, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog

from consumer.clock import Clock
from consumer.contacts.book import Ownership
from consumer.errors import StoreUnavailable, defect
from consumer.http.calls import Inbox
from consumer.lane.lane import Lane
from consumer.lane.state.commands import ContactsAnswered, ReserveContacts, SealContacts
from consumer.lane.state.pending import PendingInvitation
from consumer.policy.contacts.request import Decision, Request, Verdict
from consumer.records.result import Reason
from consumer.runtime.contacts.state import ContactState
from consumer.wiring.contacts import ContactConfig, contact_request

TAKE_OVER_AGAIN = 2.0
"""Seconds until a lane that could not report to the store tries again."""

DEFECT = Decision(Verdict.REFUSED, Reason.NOT_BUILT)

Submit = Callable[[Callable[[], None]], object]
"""Runs a function in another thread."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ContactDesk:
    """The questions of one ownership of a lane. Only `_answer` runs in the pool's threads."""

    config: ContactConfig
    owner: Ownership
    submit: Submit
    inbox: Inbox
    state: ContactState
    clock: Clock
    _reported: bool = False
    _report_at: float = 0.0
    _defects: set[str] = field(default_factory=set)

    def ask(self, command: ReserveContacts | SealContacts) -> None:
        """Have the book decide; the inbox receives one ContactsAnswered."""
        self.submit(partial(self._answer, command, self.config))

    def report(self, lane: Lane) -> None:
        """Report the lane's calls in flight to the store, at a takeover and to a store of another
        generation. Call it between two commits, in the lane's thread: no result may be committed
        between the report's beginning and its end."""
        if self._reported and self.owner.lane not in self.state.missing_lanes:
            return
        now = self.clock.now()
        if now < self._report_at or not lane.knows_in_flight:
            return
        self._report_at = now + TAKE_OVER_AGAIN
        try:
            self.config.book.take_over(self.owner, self._requests(lane.with_vendor, self.config))
        except StoreUnavailable as unavailable:
            self.state.unavailable(str(unavailable))
        else:
            self._reported = True
            self.state.reported(self.owner.lane)

    def _answer(self, command: ReserveContacts | SealContacts, config: ContactConfig) -> None:
        sealing = isinstance(command, SealContacts)
        if self.state.closed:
            self.inbox.put(ContactsAnswered(None, sealing))
            return
        decisions: Mapping[int, Decision] | None = None
        started, asked_at = self.clock.steady(), self.clock.now()
        try:
            decide = self._seal if sealing else self._reserve
            decisions = decide(command.invitations, config)
        except StoreUnavailable as unavailable:
            self.state.unavailable(str(unavailable))
        except Exception as error:  # noqa: BLE001 - a lane must get an answer to every question
            log.error("contact_defect", lane=self.owner.lane, error=defect(error))
            self.state.unavailable("a defect of ours, see the log")
        else:
            self.state.answered("seal" if sealing else "reserve", self.clock.steady() - started)
        self.inbox.put(ContactsAnswered(decisions, sealing, asked_at))

    def _reserve(
        self, invitations: Sequence[PendingInvitation], config: ContactConfig
    ) -> dict[int, Decision]:
        requests = {pending.offset: self._request(pending, config) for pending in invitations}
        asked = {offset: request for offset, request in requests.items() if request is not None}
        said = config.book.reserve(list(asked.values()), self.owner)
        decisions = dict.fromkeys(requests, DEFECT)
        decisions.update(zip(asked, said, strict=True))
        return decisions

    def _seal(
        self, invitations: Sequence[PendingInvitation], config: ContactConfig
    ) -> dict[int, Decision]:
        said = config.book.seal([pending.id for pending in invitations], self.owner)
        offsets = (pending.offset for pending in invitations)
        return dict(zip(offsets, said, strict=True))

    def _requests(
        self, invitations: Sequence[PendingInvitation], config: ContactConfig
    ) -> list[Request]:
        requests = (self._request(pending, config) for pending in invitations)
        return [request for request in requests if request is not None]

    def _request(self, pending: PendingInvitation, config: ContactConfig) -> Request | None:
        try:
            return contact_request(pending, config.campaigns.get(pending.campaign), config.routes)
        except Exception as error:  # noqa: BLE001 - one invitation's defect is its own
            log.error("contact_defect", lane=self.owner.lane, error=defect(error))
            return None
