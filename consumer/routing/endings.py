"""Endings: what an event that a route took becomes. An invitation, a link, or a result that says
why there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import orjson

from consumer.errors import DataError
from consumer.policy.schedule import AT_ONCE
from consumer.records.fields import RECORD_VERSION, USUAL_PRIORITY, rfc3339
from consumer.records.invitation import INVITATION_VERSION, Address, InvitationRecord
from consumer.records.result import Reason, Result
from consumer.routing.candidate import RouteCandidate
from consumer.routing.redirect import hide_customer, tester_of
from consumer.routing.route import Getters, Link, Target, name_of_longest
from consumer.routing.routed import EncodedInvitation, Routed

Pseudonymiser = Callable[[str], str]

INVITATION_LIMIT = 256 * 1024
"""Bytes of an invitation record, at most: a record that Kafka refuses would be retried for ever."""


FIELD_LIMIT = 256
"""Characters of an event's field in a result, at most."""
LEAST_DIGITS = 7
"""Digits at a phone number's end by which a person may be called."""


def _without_address(candidate: RouteCandidate, text: str | None) -> str | None:
    """Return a text that may stand in a result: null for an e-mail address, and for what is the
    recipient's address as the event has it, or as many digits of the phone number."""
    if text is None or "@" in text:
        return None
    if any(str(get(candidate.body)) == text for get, _ in candidate.route.recipient.values()):
        return None
    digits, phone = re.sub(r"\D", "", text), candidate.address("phone") or ""
    return None if len(digits) >= LEAST_DIGITS and phone.endswith(digits) else text[:FIELD_LIMIT]


@dataclass(frozen=True, slots=True)
class Endings:
    """Adds to a `Routed` what an event becomes. `counts_contacts`: whether contact rules need to
    know under which identities persons are counted. `previous`: by the former keys, while contacts
    are known under them alone. `fields`: of the event, for results."""

    pseudonymise: Pseudonymiser
    config_version: str
    counts_contacts: bool = False
    previous: Sequence[Pseudonymiser] = ()
    fields: Getters = ()

    def add_fields(self, candidate: RouteCandidate) -> None:
        """Add to all that becomes of an event what results are to say of it: its trace context, and
        texts without an address, cut at `FIELD_LIMIT` characters."""
        if candidate.record.traceparent:
            candidate.found["traceparent"] = candidate.record.traceparent
        if self.fields:
            candidate.found["event"] = {
                name: _without_address(candidate, candidate.text_at(get))
                for name, get in self.fields
            }

    def add_chosen(
        self, candidate: RouteCandidate, target: Target, address: Address, now: float, out: Routed
    ) -> None:
        """Add the invitation or link of a campaign that was chosen, or the result that says why
        there is none."""
        try:
            if target.link is None:
                self._invite_when_due(candidate, target, address, now, out)
            else:
                self._make_link(candidate, target, target.link, address, out)
        except DataError as error:
            result = self.add_result(candidate, error.reason, target, out)
            result["recipient"], result["fields"] = self._pseudonym(address), list(error.fields)

    def _pseudonym(self, address: Address) -> str | None:
        named = address.get("phone") or address.get("email")
        return self.pseudonymise(named) if named else None

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
        result = self.add_result(candidate, Reason.LINK_MADE, target, out)
        result["recipient"], result["link"] = recipient, made

    def _invite_when_due(
        self, candidate: RouteCandidate, target: Target, address: Address, now: float, out: Routed
    ) -> None:
        """Add the invitation, with its due time and zone if the route has a schedule."""
        schedule, due, zone = candidate.route.policy.schedule, 0.0, ""
        if schedule is None and candidate.not_before:
            schedule = AT_ONCE
        if schedule is not None:
            due, zone, refusal = schedule.plan(candidate, candidate.invitation_id, now)
            if refusal is not None:
                result = self.add_result(candidate, refusal, target, out)
                result["recipient"], result["due_at"] = self._pseudonym(address), rfc3339(due)
                return
        invitation = self._invitation(candidate, target, address)
        if due:
            invitation["eligible_from"] = due
        if zone:
            invitation["zone"] = zone
        value = orjson.dumps(invitation)
        if len(value) > INVITATION_LIMIT:
            message, longest = f"an invitation of over {INVITATION_LIMIT} bytes", invitation["data"]
            raise DataError(Reason.INVALID_DATA, message, [name_of_longest(longest)])
        later, topic = due if due > now else 0.0, candidate.record.topic
        pseudonym = invitation["pseudonym"]
        out.invitations.append(
            EncodedInvitation(target.lane, target.campaign, pseudonym, value, topic, later)
        )

    def _invitation(
        self, candidate: RouteCandidate, target: Target, address: Address
    ) -> InvitationRecord:
        """Make the invitation. In `mode: redirect` it is a tester's."""
        route, event = candidate.route, candidate.event
        data = target.data(event.body, event.raw)
        if route.testers is not None:
            address = tester_of(route.testers, target)
            data = hide_customer(data, candidate, address)
            candidate.found["redirected"] = True
        invitation: InvitationRecord = {
            "version": INVITATION_VERSION,
            "campaign": target.campaign,
            "pseudonym": self.pseudonymise(address.get("phone") or address["email"]),
            "expires_at": candidate.expires_at,
            "event_at": event.time,
            "address": address,
            "data": data,
            "result": {
                "id": candidate.invitation_id,
                "event_id": event.id,
                "route": route.name,
                "event_time": event.time_text,
                "routed_at": candidate.routed_at,
                "config_version": self.config_version,
                "source": candidate.record.source,
            },
        }
        if route.priority != USUAL_PRIORITY:
            invitation["priority"] = route.priority
        if route.shadow:
            invitation["shadow"] = True
        if self.counts_contacts:
            self._add_person(candidate)
        if candidate.found:
            invitation["result"].update(candidate.found)  # type: ignore[typeddict-item]  # keys of it
        return invitation

    def _add_person(self, candidate: RouteCandidate) -> None:
        """Add under what contacts of the person are counted."""
        route, found = candidate.route, candidate.found
        texts, keys = candidate.identities(), (self.pseudonymise, *self.previous)
        found["person"] = [pseudonymise(text) for pseudonymise in keys for text in texts]
        if route.contact != "obey":
            found["contact"] = route.contact
        if route.tags:
            found["tags"] = list(route.tags)
        if route.counted_by:
            found["keys"] = {name: candidate.text_at(get) for name, get in route.counted_by}

    def add_result(
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
            "config_version": self.config_version,
            "source": candidate.record.source,
        }
        if candidate.found:
            result.update(candidate.found)  # type: ignore[typeddict-item]  # rules add keys of it
        out.results.append(result)
        out.counts[candidate.record.topic, reason.status, reason] += 1
        return result
