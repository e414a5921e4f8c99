"""The router's pure part: an input record in, invitations, results and dead letters out.

Routing is idempotent: an invitation's id is a hash of topic, partition, offset, route and recipient
ordinal, so reading a record again makes the same invitations.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import orjson
from msgspec import Struct

from consumer.errors import DataError, EventError, defect
from consumer.policy.expiry import expiry_time
from consumer.policy.rules import PolicyRules, first_refusal
from consumer.records.dead_letter import DeadLetter, DeadLetterReason
from consumer.records.fields import RECORD_VERSION, rfc3339
from consumer.records.input_record import InputRecord
from consumer.records.invitation import INVITATION_VERSION, Address, InvitationRecord
from consumer.records.result import Reason, Result
from consumer.routing.decoding.decode import Event, EventDecoder
from consumer.routing.patterns.index import PatternIndex
from consumer.routing.route import Body, Link, Reach, Route, Target, name_of_longest

Pseudonymiser = Callable[[str], str]

OTHER_TOPIC = "other"
"""Label for replayed records whose topic is no input: their header may name any topic."""

INVITATION_LIMIT = 256 * 1024
"""Bytes of an invitation record, at most: a record that Kafka refuses would be retried for ever."""


BEAT_EVERY = 100
"""Records between two heartbeats."""


class EncodedInvitation(Struct, frozen=True, gc=False):
    """An invitation ready for its lane's topic. `source`: the topic of its event."""

    lane: str
    campaign: str
    key: str
    value: bytes
    source: str


@dataclass(frozen=True, slots=True)
class RoutedInput:
    """An input: its decoder, its routes in order, and the index of their patterns if it pays."""

    decoder: EventDecoder
    routes: Sequence[Route]
    all_that_match: bool = False
    index: PatternIndex | None = None

    def routes_for(self, body: Body) -> Sequence[Route]:
        """Return the routes that take an event with this body."""
        routes: Iterable[Route] = self.routes
        if self.index is not None:
            routes = map(self.routes.__getitem__, self.index.candidates(body))
        if self.all_that_match:
            return [route for route in routes if route.pattern.matches(body)]
        for route in routes:
            if route.pattern.matches(body):
                return (route,)
        return ()


@dataclass(slots=True)
class Routed:
    """The outcome of a batch of records; counts are by (topic, disposition, reason). Those of
    invitations (`routed`) are counted at the batch's end."""

    invitations: list[EncodedInvitation] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def count_routed(self) -> None:
        """Count the invitations."""
        for topic, number in Counter([made.source for made in self.invitations]).items():
            self.counts[topic, "routed", ""] = number

    def forget(self, topic: str, invitations: int, results: int) -> None:
        """Drop what one record of `topic` made beyond so many invitations and results.

        A dead letter is routed as a whole when it is replayed: a part of it that was sent before
        would be sent twice.
        """
        for result in self.results[results:]:
            self.counts[topic, result["status"], result["reason"]] -= 1
        self.counts += Counter()  # drops zero counts
        del self.invitations[invitations:], self.results[results:]


class Router:
    """Routes records by input topic. Pure: the same records make the same `Routed`."""

    def __init__(
        self,
        inputs: Mapping[str, RoutedInput],
        pseudonymise: Pseudonymiser,
        config_version: str,
        policy: PolicyRules,
    ) -> None:
        self.inputs = inputs
        self._pseudonymise = pseudonymise
        self._config_version = config_version
        self._policy = policy

    def route(
        self, records: Sequence[InputRecord], now: float, beat: Callable[[], None] = lambda: None
    ) -> Routed:
        """Route all records of one poll. Never raises for their content.

        `beat` is called every `BEAT_EVERY` records: hostile events of many routes take milliseconds
        each.
        """
        out = Routed()
        routed_at = rfc3339(now)
        for number, record in enumerate(records):
            if number % BEAT_EVERY == 0:
                beat()
            invitations, results = len(out.invitations), len(out.results)
            try:
                self._route_record(record, now, routed_at, out)
            except EventError as error:
                self._add_dead_letter(record, error.reason, str(error), out)
            except Exception as error:  # noqa: BLE001 - a defect of ours must not stop the stream
                out.forget(record.topic, invitations, results)
                self._add_dead_letter(record, DeadLetterReason.INTERNAL, defect(error), out)
        out.count_routed()
        return out

    def _route_record(self, record: InputRecord, now: float, routed_at: str, out: Routed) -> None:
        known = self.inputs.get(record.topic)
        if known is None:
            raise EventError(DeadLetterReason.NO_INPUT, "no input of the config has its topic")
        payload = known.decoder.load(record)
        routes = known.routes_for(payload.body)
        if not routes:  # even if it lacks an id or a time: a topic carries several kinds of events
            out.counts[record.topic, "unmatched", ""] += 1
            return
        event = known.decoder.identify(payload, now)
        for route in routes:
            expires_at = expiry_time(event.time, route.expire_after)
            self._route_event(_Match(record, event, route, routed_at, expires_at), now, out)

    def _route_event(self, match: _Match, now: float, out: Routed) -> None:
        refusal = first_refusal(self._policy.at_routing, match, now)
        if refusal is not None:
            self._add_result(match, refusal, None, out)
            return
        reach = Reach(match.route, match.event.body)
        for target in match.route.send:
            address = reach.address_for(target)
            if address or target.spec.anyone:
                self._invite_or_link(match, target, address, out)
                return
        unfit = list(dict.fromkeys(reach.unfit))
        reason = Reason.INVALID_RECIPIENT if reach.present else Reason.NO_RECIPIENT
        self._add_result(match, reason, None, out)["fields"] = unfit or reach.address_kinds()

    def _invite_or_link(self, match: _Match, target: Target, address: Address, out: Routed) -> None:
        try:
            if target.link is None:
                self._invite(match, target, address, out)
            else:
                self._make_link(match, target, target.link, address, out)
        except DataError as error:
            result = self._add_result(match, error.reason, target, out)
            result["recipient"], result["fields"] = self._pseudonym(address), list(error.fields)

    def _pseudonym(self, address: Address) -> str | None:
        named = address.get("phone") or address.get("email")
        return self._pseudonymise(named) if named else None

    def _make_link(
        self, match: _Match, target: Target, link: Link, address: Address, out: Routed
    ) -> None:
        """Make the link, which is the result: no lane and no vendor call."""
        recipient = self._pseudonym(address)
        given = {"event_id": match.event.id, **cast("dict[str, str]", address)}
        if recipient is not None:
            given["pseudonym"] = recipient
        made = link.make_url(match.event.body, given, match.event.raw)
        result = self._add_result(match, Reason.LINK_MADE, target, out)
        result["recipient"], result["link"] = recipient, made

    def _invite(self, match: _Match, target: Target, address: Address, out: Routed) -> None:
        data = target.data(match.event.body, match.event.raw)
        record, event = match.record, match.event
        invitation: InvitationRecord = {
            "version": INVITATION_VERSION,
            "campaign": target.campaign,
            "pseudonym": self._pseudonymise(address.get("phone") or address["email"]),
            "expires_at": match.expires_at,
            "event_at": event.time,
            "address": address,
            "data": data,
            "result": {
                "id": match.invitation_id,
                "event_id": event.id,
                "route": match.route.name,
                "event_time": event.time_text,
                "routed_at": match.routed_at,
                "config_version": self._config_version,
                "source": record.source,
            },
        }
        value = orjson.dumps(invitation)
        if len(value) > INVITATION_LIMIT:
            message = f"an invitation of over {INVITATION_LIMIT} bytes"
            raise DataError(Reason.INVALID_DATA, message, [name_of_longest(data)])
        pseudonym = invitation["pseudonym"]
        out.invitations.append(
            EncodedInvitation(target.lane, target.campaign, pseudonym, value, record.topic)
        )

    def _add_result(
        self, match: _Match, reason: Reason, target: Target | None, out: Routed
    ) -> Result:
        """Add the result of an event that needs no vendor call to `out`."""
        result: Result = {
            "version": RECORD_VERSION,
            "id": match.invitation_id,
            "event_id": match.event.id,
            "status": reason.status,
            "reason": reason,
            "route": match.route.name,
            "campaign": target.campaign if target else None,
            "vendor": target.vendor if target else None,
            "channel": target.channel if target else None,
            "batch": None,
            "attempt": 0,
            "http_status": None,
            "vendor_code": None,
            "vendor_message": None,
            "recipient": None,
            "event_time": match.event.time_text,
            "routed_at": match.routed_at,
            "sent_at": None,
            "answered_at": None,
            "config_version": self._config_version,
            "source": match.record.source,
        }
        out.results.append(result)
        out.counts[match.record.topic, reason.status, reason] += 1
        return result

    def _add_dead_letter(
        self, record: InputRecord, reason: DeadLetterReason, message: str, out: Routed
    ) -> None:
        out.dead_letters.append(record.dead_letter(reason, message))
        topic = record.topic if record.topic in self.inputs else OTHER_TOPIC
        out.counts[topic, "dead_letter", reason] += 1


class _Match(Struct, frozen=True, gc=False):
    """An event and a route that took it."""

    record: InputRecord
    event: Event
    route: Route
    routed_at: str
    expires_at: float | None

    @property
    def invitation_id(self) -> str:
        """The invitation's identity; the recipient's ordinal is 0 while there is one recipient."""
        record = self.record
        name = f"{record.topic}|{record.partition}|{record.offset}|{self.route.name}|0"
        return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
