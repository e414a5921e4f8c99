"""The router's pure part: an input record in, invitations, results and dead letters out.

Routing is idempotent: an invitation's id is a hash of topic, partition, offset, route and recipient
ordinal, so reading a record again makes the same invitations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import orjson
from msgspec import Struct

from consumer.errors import DataError, EventError, defect
from consumer.policy.consent import agrees
from consumer.policy.expiry import expiry_time
from consumer.policy.rules import PolicyRules, first_refusal
from consumer.records.dead_letter import DeadLetter, DeadLetterReason
from consumer.records.fields import RECORD_VERSION, USUAL_PRIORITY, rfc3339
from consumer.records.input_record import InputRecord
from consumer.records.invitation import (
    INVITATION_VERSION,
    Address,
    InvitationRecord,
    ResultPart,
)
from consumer.records.result import Reason, Result
from consumer.routing.candidate import ANY_TIME, RouteCandidate
from consumer.routing.decoding.decode import EventDecoder
from consumer.routing.decoding.times import TimeReader
from consumer.routing.patterns.index import PatternIndex
from consumer.routing.person import NO_PERSON, PersonReader
from consumer.routing.route import Body, Link, Reach, Route, Target, name_of_longest

Pseudonymiser = Callable[[str], str]

OTHER_TOPIC = "other"
"""Label for replayed records whose topic is no input: their header may name any topic."""

INVITATION_LIMIT = 256 * 1024
"""Bytes of an invitation record, at most: a record that Kafka refuses would be retried for ever."""


BEAT_EVERY = 100
"""Records between two heartbeats."""


class EncodedInvitation(Struct, frozen=True, gc=False):
    """An invitation ready for its lane's topic. `source`: the topic of its event. `due_at`: epoch
    seconds until which the delay topics keep it; 0: it is due."""

    lane: str
    campaign: str
    key: str
    value: bytes
    source: str
    due_at: float = 0.0


@dataclass(frozen=True, slots=True)
class RoutedInput:
    """An input: its decoder, its routes in order, and the index of their patterns if it pays."""

    decoder: EventDecoder
    routes: Sequence[Route]
    all_that_match: bool = False
    index: PatternIndex | None = None
    person: PersonReader = NO_PERSON
    times: TimeReader = ANY_TIME

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
        *,
        counts_contacts: bool = False,
    ) -> None:
        self.inputs = inputs
        self._pseudonymise = pseudonymise
        self._config_version = config_version
        self._policy = policy
        self._counts_contacts = counts_contacts

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
            reach = Reach(route, event.body)
            candidate = RouteCandidate(
                record, event, route, routed_at, expires_at, reach, known.person, known.times
            )
            self._route_event(candidate, now, out)

    def _route_event(self, candidate: RouteCandidate, now: float, out: Routed) -> None:
        policy, reach = candidate.route.policy, candidate.reach
        refusal = first_refusal(self._policy.at_routing, candidate, now)
        if refusal is None and policy.rules:
            refusal = next(filter(None, (rule(candidate, now) for rule in policy.rules)), None)
        if refusal is not None:
            self._add_result(candidate, refusal, None, out)
            return
        refused: Target | None = None
        for target in candidate.route.targets_for(candidate):
            address = reach.address_for(target)
            if not (address or target.spec.anyone):
                continue
            if agrees(policy.consent.get(target.channel), candidate):
                self._invite_or_link(candidate, target, address, now, out)
                return
            refused = refused or target
        if refused is not None:
            self._add_result(candidate, Reason.NO_CONSENT, refused, out)
            return
        unfit = list(dict.fromkeys(reach.unfit))
        reason = Reason.INVALID_RECIPIENT if reach.present else Reason.NO_RECIPIENT
        result = self._add_result(candidate, reason, None, out)
        result["fields"] = unfit or reach.address_kinds()

    def _invite_or_link(
        self, candidate: RouteCandidate, target: Target, address: Address, now: float, out: Routed
    ) -> None:
        try:
            if target.link is None:
                self._invite_when_due(candidate, target, address, now, out)
            else:
                self._make_link(candidate, target, target.link, address, out)
        except DataError as error:
            result = self._add_result(candidate, error.reason, target, out)
            result["recipient"], result["fields"] = self._pseudonym(address), list(error.fields)

    def _pseudonym(self, address: Address) -> str | None:
        named = address.get("phone") or address.get("email")
        return self._pseudonymise(named) if named else None

    def _make_link(
        self,
        candidate: RouteCandidate,
        target: Target,
        link: Link,
        address: Address,
        out: Routed,
    ) -> None:
        """Make the link, which is the result: no lane and no vendor call."""
        recipient, event = self._pseudonym(address), candidate.event
        given = {"event_id": event.id, **cast("dict[str, str]", address)}
        if recipient is not None:
            given["pseudonym"] = recipient
        made = link.make_url(event.body, given, event.raw)
        result = self._add_result(candidate, Reason.LINK_MADE, target, out)
        result["recipient"], result["link"] = recipient, made

    def _invite_when_due(
        self, candidate: RouteCandidate, target: Target, address: Address, now: float, out: Routed
    ) -> None:
        """Invite the recipient, at the due time of the route's schedule if it has one."""
        schedule, due, zone = candidate.route.policy.schedule, 0.0, ""
        if schedule is not None:
            due, zone, refusal = schedule.plan(candidate, candidate.invitation_id)
            if refusal is not None:
                result = self._add_result(candidate, refusal, target, out)
                result["recipient"], result["due_at"] = self._pseudonym(address), rfc3339(due)
                return
        self._invite(candidate, target, address, due if due > now else 0.0, zone, out)

    def _invite(
        self,
        candidate: RouteCandidate,
        target: Target,
        address: Address,
        due: float,
        zone: str,
        out: Routed,
    ) -> None:
        route, event = candidate.route, candidate.event
        data = target.data(event.body, event.raw)
        testers = route.testers
        if testers is not None:
            address = testers
            candidate.found["redirected"] = True
        pseudonym = self._pseudonymise(address.get("phone") or address["email"])
        invitation: InvitationRecord = {
            "version": INVITATION_VERSION,
            "campaign": target.campaign,
            "pseudonym": pseudonym,
            "expires_at": candidate.expires_at,
            "event_at": event.time,
            "address": address,
            "data": data,
            "result": self._result_part(candidate),
        }
        if due:
            invitation["eligible_from"] = due
        if zone:
            invitation["zone"] = zone
        if route.priority != USUAL_PRIORITY:
            invitation["priority"] = route.priority
        value = orjson.dumps(invitation)
        if len(value) > INVITATION_LIMIT:
            message = f"an invitation of over {INVITATION_LIMIT} bytes"
            raise DataError(Reason.INVALID_DATA, message, [name_of_longest(data)])
        out.invitations.append(
            EncodedInvitation(
                target.lane, target.campaign, pseudonym, value, candidate.record.topic, due
            )
        )

    def _result_part(self, candidate: RouteCandidate) -> ResultPart:
        """Return what the invitation's result repeats of it."""
        part: ResultPart = {
            "id": candidate.invitation_id,
            "event_id": candidate.event.id,
            "route": candidate.route.name,
            "event_time": candidate.event.time_text,
            "routed_at": candidate.routed_at,
            "config_version": self._config_version,
            "source": candidate.record.source,
        }
        if self._counts_contacts:
            self._add_person(candidate)
        if candidate.found:
            part.update(candidate.found)  # type: ignore[typeddict-item]  # rules add keys of it
        return part

    def _add_person(self, candidate: RouteCandidate) -> None:
        """Add under what contacts of the person are counted."""
        route, found = candidate.route, candidate.found
        found["person"] = [self._pseudonymise(text) for text in candidate.identities()]
        if route.tags:
            found["tags"] = list(route.tags)
        if route.counted_by:
            found["keys"] = {name: candidate.text_at(get) for name, get in route.counted_by}

    def _add_result(
        self, candidate: RouteCandidate, reason: Reason, target: Target | None, out: Routed
    ) -> Result:
        """Add the result of an event that needs no vendor call to `out`."""
        result: Result = {
            "version": RECORD_VERSION,
            "id": candidate.invitation_id,
            "event_id": candidate.event.id,
            "status": reason.status,
            "reason": reason,
            "route": candidate.route.name,
            "campaign": target.campaign if target else None,
            "vendor": target.vendor if target else None,
            "channel": target.channel if target else None,
            "batch": None,
            "attempt": 0,
            "http_status": None,
            "vendor_code": None,
            "vendor_message": None,
            "recipient": None,
            "event_time": candidate.event.time_text,
            "routed_at": candidate.routed_at,
            "sent_at": None,
            "answered_at": None,
            "config_version": self._config_version,
            "source": candidate.record.source,
        }
        if candidate.found:
            result.update(candidate.found)  # type: ignore[typeddict-item]  # rules add keys of it
        out.results.append(result)
        out.counts[candidate.record.topic, reason.status, reason] += 1
        return result

    def _add_dead_letter(
        self, record: InputRecord, reason: DeadLetterReason, message: str, out: Routed
    ) -> None:
        out.dead_letters.append(record.dead_letter(reason, message))
        topic = record.topic if record.topic in self.inputs else OTHER_TOPIC
        out.counts[topic, "dead_letter", reason] += 1
