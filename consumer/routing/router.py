"""The router's pure part: an input record in, invitations, results and dead letters out.

Routing is idempotent: an invitation's id is a hash of topic, partition, offset, route and recipient
ordinal, so reading a record again makes the same invitations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from consumer.errors import EventError, defect
from consumer.policy.consent import agrees
from consumer.policy.expiry import expiry_time
from consumer.policy.rules import PolicyRules, first_refusal
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.fields import rfc3339
from consumer.records.input_record import InputRecord
from consumer.records.result import Reason
from consumer.routing.candidate import ANY_TIME, RouteCandidate
from consumer.routing.dead_letter_limit import DeadLetterLimit
from consumer.routing.decoding.decode import Event, EventDecoder
from consumer.routing.decoding.times import TimeReader
from consumer.routing.endings import Endings
from consumer.routing.patterns.index import PatternIndex
from consumer.routing.person import NO_PERSON, PersonReader
from consumer.routing.route import Body, Reach, Route, Target
from consumer.routing.routed import Routed
from consumer.routing.uploads import read_upload

OTHER_TOPIC = "other"
"""Label for replayed records whose topic is no input: their header may name any topic."""

BEAT_EVERY = 100
"""Records between two heartbeats."""


@dataclass(frozen=True, slots=True)
class RoutedInput:
    """An input: its decoder, its routes in order, and the index of their patterns if it pays."""

    decoder: EventDecoder
    routes: Sequence[Route]
    all_that_match: bool = False
    index: PatternIndex | None = None
    person: PersonReader = NO_PERSON
    times: TimeReader = ANY_TIME
    dead_letter_limit: DeadLetterLimit | None = None

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

    def candidates(
        self,
        record: InputRecord,
        event: Event,
        route: Route,
        routed_at: str,
        upload: str = "",
        not_before: float = 0.0,
    ) -> list[RouteCandidate]:
        """Return what the rules are asked about: one, or one for each item of `for_each`. Raises
        EventError for too many items. `upload`, `not_before`: of an uploaded row."""
        expires_at = expiry_time(event.time, route.expire_after)
        return [
            RouteCandidate(
                record,
                own,
                route,
                routed_at,
                expires_at,
                Reach(route, own.body),
                self.person,
                self.times,
                ordinal,
                upload,
                not_before,
            )
            for ordinal, own in enumerate(route.events(event))
        ]


class Router:
    """Routes records by input topic, and those of the topic `uploads` by the route that they name.
    Pure: the same records make the same `Routed`."""

    def __init__(
        self,
        inputs: Mapping[str, RoutedInput],
        endings: Endings,
        policy: PolicyRules,
        uploads: str = "",
    ) -> None:
        self.inputs = inputs
        self._endings = endings
        self.policy = policy
        self._uploads = uploads
        self._by_name = {
            route.name: (known, route) for known in inputs.values() for route in known.routes
        }

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
            if self._uploads and record.topic == self._uploads:
                for candidate in self.uploaded(record, now, routed_at):
                    self._route_event(candidate, now, out)
                return
            raise EventError(DeadLetterReason.NO_INPUT, "no input of the config has its topic")
        payload = known.decoder.load(record)
        if payload is None:
            out.counts[record.topic, "skipped", ""] += 1
            return
        routes = known.routes_for(payload.body)
        if not routes:  # even if it lacks an id or a time: a topic carries several kinds of events
            out.counts[record.topic, "unmatched", ""] += 1
            return
        event = known.decoder.identify(payload, now)
        candidates = [
            candidate
            for route in routes
            for candidate in known.candidates(record, event, route, routed_at)
        ]
        for candidate in candidates:  # all of them, or a dead letter alone
            self._route_event(candidate, now, out)

    def uploaded(self, record: InputRecord, now: float, routed_at: str) -> list[RouteCandidate]:
        """Return the candidates of a row by the route that it names, whose pattern is not asked.
        Raises EventError."""
        upload, event = read_upload(record, now)
        named = self._by_name.get(upload.route)
        if named is None:
            expected = "the config has no route of the name that the row gives"
            raise EventError(DeadLetterReason.NO_ROUTE, expected)
        known, route = named
        return known.candidates(record, event, route, routed_at, upload.id, upload.not_before)

    def label_of(self, topic: str) -> str:
        """Return a record's topic as metrics name it."""
        return topic if topic in self.inputs or topic == self._uploads else OTHER_TOPIC

    def _route_event(self, candidate: RouteCandidate, now: float, out: Routed) -> None:
        policy, reach = candidate.route.policy, candidate.reach
        self._endings.add_fields(candidate)
        refusal = first_refusal(self.policy.at_routing, candidate, now)
        if refusal is None and policy.rules:
            refusal = next(filter(None, (rule(candidate, now) for rule in policy.rules)), None)
        if refusal is not None:
            self._endings.add_result(candidate, refusal, None, out)
            return
        refused: Target | None = None
        for entry in candidate.route.send:
            target = entry if isinstance(entry, Target) else entry.choose(candidate)
            address = reach.address_for(target)
            if not (address or target.spec.anyone):
                continue
            if not policy.consent or agrees(policy.consent.get(target.channel), candidate):
                self._endings.add_chosen(candidate, target, address, now, out)
                return
            refused = refused or target
        if refused is not None:
            self._endings.add_result(candidate, Reason.NO_CONSENT, refused, out)
            return
        unfit = reach.unfit(candidate.route.targets_for(candidate))
        reason = Reason.INVALID_RECIPIENT if unfit else Reason.NO_RECIPIENT
        result = self._endings.add_result(candidate, reason, None, out)
        result["fields"] = unfit or reach.address_kinds()

    def _add_dead_letter(
        self, record: InputRecord, reason: DeadLetterReason, message: str, out: Routed
    ) -> None:
        out.dead_letters.append(record.dead_letter(reason, message))
        out.counts[self.label_of(record.topic), "dead_letter", reason] += 1
