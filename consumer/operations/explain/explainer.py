"""What becomes of one event, and why: the router's own answer, with what each rule said.

    record ─► Router.route ─► invitation, result, dead letter or nothing      the decision
           ─► each route's pattern, each rule, the recipient                  the reasons
    invitation ─► the lane's rules before a call, the vendor's module         the call

No rule is written here a second time: the router decides, and its own objects are asked once more
for what they saw. A contact history takes part by `ask_contacts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from consumer.config.models import Config
from consumer.errors import EventError
from consumer.operations.explain.contact_answers import AskContacts
from consumer.operations.explain.decisions import RouteExplainer, without_route
from consumer.operations.explain.masking import Masking
from consumer.operations.explain.recipient import addresses_of
from consumer.operations.explain.routes import nearest_routes
from consumer.operations.explain.shapes import (
    Decision,
    EventAnswer,
    Explanation,
    RouteAnswer,
    time_text,
)
from consumer.records.dead_letter import DeadLetter
from consumer.records.input_record import InputRecord
from consumer.routing.candidate import RouteCandidate
from consumer.routing.decoding.decode import Event
from consumer.routing.decoding.payload import Payload
from consumer.routing.route import Route
from consumer.routing.router import RoutedInput
from consumer.wiring.build import build_router, build_vendors

SKIPPED = "The input skips such records: they are no transaction (`skip`, `tombstones`)."
UNMATCHED = "No route takes the event; the nearest routes say what they lack."


class Explainer:
    """Explains events by one config. `ask_contacts`: asks a contact history, if one is at hand."""

    def __init__(
        self, config: Config, masking: Masking, ask_contacts: AskContacts | None = None
    ) -> None:
        self._config = config
        self._vendors = build_vendors(config)
        self._router = build_router(config, self._vendors)
        self._masking = masking
        self._ask_contacts = ask_contacts

    def explain(self, record: InputRecord, now: float, most_routes: int) -> Explanation:
        """Return what the router makes of a record of an input's topic at a time, and why."""
        if record.topic == self._config.topics.uploads:
            return self._explain_row(record, now)
        known = self._router.inputs[record.topic]
        payload = _payload(known, record)
        event = _event(known, payload, now)
        masking, taken = self._masking, list[Route]()
        if payload is not None:
            masking = replace(masking, addresses=addresses_of(known, payload.body))
            taken += known.routes_for(payload.body)
        first, *also = self._decisions(record, event, taken, masking, now)
        routes = _routes(known, payload, taken, most_routes, masking)
        return Explanation(
            **first,
            at=time_text(now),
            event=_event_answer(record, event, masking),
            masked=not masking.off,
            also=also,
            routes=routes,
            routes_left_out=len(known.routes) - len(routes) if payload else 0,
        )

    def _explain_row(self, record: InputRecord, now: float) -> Explanation:
        """Explain an uploaded row, by the route that it names."""
        routed, masking, candidates = self._router.route([record], now), self._masking, []
        with suppress(EventError):  # then it is a dead letter
            candidates = self._router.uploaded(record, now, time_text(now))
        for one in candidates:
            masking = replace(masking, addresses=addresses_of(self._input_of(one), one.body))
        explainer = RouteExplainer(
            self._config, self._vendors, self._router.policy, masking, self._ask_contacts
        )
        told = [_of_dead_letter(letter) for letter in routed.dead_letters]
        told += [explainer.explain(one, routed, now) for one in candidates]
        first, *also = told
        return Explanation(
            **first,
            at=time_text(now),
            event=_event_answer(record, candidates[0].event if candidates else None, masking),
            masked=not masking.off,
            also=also,
            routes=[],
            routes_left_out=0,
        )

    def _input_of(self, candidate: RouteCandidate) -> RoutedInput:
        inputs = self._router.inputs.values()
        return next(known for known in inputs if candidate.route in known.routes)

    def _decisions(
        self,
        record: InputRecord,
        event: Event | None,
        taken: Sequence[Route],
        masking: Masking,
        now: float,
    ) -> list[Decision]:
        """Return the decision by each route that took the event; one at least."""
        routed = self._router.route([record], now)
        if routed.dead_letters:
            return [_of_dead_letter(letter) for letter in routed.dead_letters]
        if routed.counts[record.topic, "skipped", ""]:
            return [without_route("skipped", None, SKIPPED)]
        if event is None or not taken:
            return [without_route("unmatched", None, UNMATCHED)]
        known = self._router.inputs[record.topic]
        explainer = RouteExplainer(
            self._config, self._vendors, self._router.policy, masking, self._ask_contacts
        )
        return [
            explainer.explain(candidate, routed, now)
            for route in taken
            for candidate in known.candidates(record, event, route, time_text(now))
        ]


def _payload(known: RoutedInput, record: InputRecord) -> Payload | None:
    try:
        return known.decoder.load(record)
    except EventError:
        return None


def _event(known: RoutedInput, payload: Payload | None, now: float) -> Event | None:
    try:
        return None if payload is None else known.decoder.identify(payload, now)
    except EventError:
        return None


def _routes(
    known: RoutedInput,
    payload: Payload | None,
    taken: Sequence[Route],
    most: int,
    masking: Masking,
) -> list[RouteAnswer]:
    names = {route.name for route in taken}
    return nearest_routes(known.routes, payload.body, names, most, masking) if payload else []


def _event_answer(record: InputRecord, event: Event | None, masking: Masking) -> EventAnswer:
    return EventAnswer(
        id=masking.words(event.id) if event else None,
        time=event.time_text if event else None,
        source=record.source,
    )


def _of_dead_letter(letter: DeadLetter) -> Decision:
    return without_route("dead_letter", letter.reason, f"{letter.reason.meaning} {letter.message}.")
