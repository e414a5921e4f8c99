"""What becomes of an event by one route that took it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from consumer.config.models import Config
from consumer.config.models import Route as RouteConfig
from consumer.operations.explain.contact_answers import (
    AskContacts,
    contact_answers,
    rules_without_history,
)
from consumer.operations.explain.lane_answer import DueInvitation
from consumer.operations.explain.masking import Masking
from consumer.operations.explain.recipient import recipient_answers
from consumer.operations.explain.rule_answers import RuleAsker
from consumer.operations.explain.shapes import (
    Decision,
    DecisionName,
    RuleAnswer,
    rule_answer,
    time_text,
)
from consumer.operations.explain.vendor_call import call_answer
from consumer.policy.contacts.request import Request, Verdict
from consumer.policy.route_timing import HeldBack
from consumer.policy.rules import PolicyRules
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.result import Reason, Result, Status
from consumer.routing.candidate import RouteCandidate
from consumer.routing.routed import EncodedInvitation, Routed
from consumer.vendors.protocol import Vendor

WAITS: Final = "An invitation is made; it waits for what a rule below says."
ASKED: Final = "An invitation is made; rules about the person's history are asked when it is due."
INVITED: Final = "An invitation is made; a call takes it when it is due."


def without_route(
    decision: DecisionName, reason: DeadLetterReason | None, meaning: str
) -> Decision:
    """Return the decision about an event that no route took."""
    return Decision(
        decision=decision,
        reason=None if reason is None else reason.value,
        meaning=meaning,
        fields=[],
        route=None,
        campaign=None,
        channel=None,
        vendor=None,
        due_at=None,
        timezone=None,
        timezone_from=None,
        expires_at=None,
        rules=[],
        recipient=None,
        call=None,
        link=None,
    )


@dataclass(frozen=True, slots=True)
class RouteExplainer:
    """Explains decisions by routes. `table`: the rules that every route has."""

    config: Config
    vendors: Mapping[str, Vendor]
    table: PolicyRules
    masking: Masking
    ask_contacts: AskContacts | None

    def explain(self, candidate: RouteCandidate, routed: Routed, now: float) -> Decision:
        """Return the decision; `routed` is what the router made of the event."""
        name = candidate.route.name
        route = next(route for route in self.config.routes if route.name == name)
        asker = RuleAsker(self.config, route, self.table, self.masking)
        told = without_route("invite", None, INVITED)
        told["route"], told["rules"] = name, list(asker.ask(candidate, now))
        told["recipient"] = recipient_answers(candidate, route, self.masking)
        if candidate.expires_at is not None:
            told["expires_at"] = time_text(candidate.expires_at)
        own = candidate.invitation_id
        made = next((made for made in routed.invitations if _id_of(made) == own), None)
        result = next((result for result in routed.results if result["id"] == own), None)
        self._add_due(told, asker, candidate, result, now)
        if result is not None:
            self._add_result(told, result)
        if made is not None:
            self._add_invitation(told, asker, candidate, made, now)
        return told

    def _add_due(
        self,
        told: Decision,
        asker: RuleAsker,
        candidate: RouteCandidate,
        result: Result | None,
        now: float,
    ) -> None:
        """Add the due time; a link has none."""
        due = None if result and result["reason"] == Reason.LINK_MADE else asker.due(candidate, now)
        if due is not None:
            told["rules"].append(due)
            told["due_at"] = due["eligible_at"]
            told["timezone"] = candidate.found.get("timezone")
            told["timezone_from"] = candidate.found.get("timezone_from")

    def _add_result(self, told: Decision, result: Result) -> None:
        """Add what the router decided without an invitation."""
        reason = result["reason"]
        _decide(told, reason)
        told["fields"] = list(result.get("fields", ()))
        told["campaign"], told["vendor"] = result["campaign"], result["vendor"]
        told["channel"] = result["channel"]
        if reason is Reason.INVALID_DATA:
            told["rules"].append(_data_answer(told["fields"]))
        if reason is Reason.LINK_MADE:
            told["rules"].append(_data_answer(()))
            template = self.config.campaigns[result["campaign"] or ""].link
            told["link"] = result["link"] if self.masking.off else template

    def _add_invitation(
        self,
        told: Decision,
        asker: RuleAsker,
        candidate: RouteCandidate,
        made: EncodedInvitation,
        now: float,
    ) -> None:
        """Add what a lane does with the invitation, and its call."""
        target = next(
            target for target in candidate.route.targets if target.campaign == made.campaign
        )
        told["campaign"], told["vendor"] = target.campaign, target.vendor
        told["channel"] = str(target.channel)
        told["rules"].append(_data_answer(()))
        due = DueInvitation(self.config, made, now)
        told["rules"] += asker.now_answers(target)
        held = due.held_back()
        if held is not None:
            told["rules"] += _quiet_answers(held)
            _decide(told, held.reason)
        if self.config.counts_contacts:
            decided = held is not None and held.reason is not Reason.SHADOW
            self._add_contacts(told, asker.route, due.contact_request(), decided=decided)
        told["call"] = call_answer(
            self.config, self.vendors[target.vendor], target.campaign, made.value, self.masking
        )

    def _add_contacts(
        self, told: Decision, route: RouteConfig, request: Request, *, decided: bool
    ) -> None:
        """Add what the rules say that look at a history; with one their decision counts, unless
        another rule has decided."""
        if self.ask_contacts is None:
            checks = rules_without_history(self.config, request)
            told["rules"] += contact_answers(self.config, route, checks)
            if told["meaning"] == INVITED:
                told["meaning"] = ASKED
            return
        decision, checks = self.ask_contacts(request)
        told["rules"] += contact_answers(self.config, route, checks, decision)
        if decision.verdict is not Verdict.GRANTED and not decided:
            _decide(told, decision.reason)


def _id_of(made: EncodedInvitation) -> str:
    own: str = orjson.loads(made.value)["result"]["id"]
    return own


def _decide(told: Decision, reason: Reason | None) -> None:
    """Set what a rule decided; without a reason the invitation waits."""
    if reason is None:
        told["meaning"] = WAITS
        return
    names: Mapping[Status, DecisionName] = {
        Status.ACCEPTED: "invite",
        Status.SUPPRESSED: "suppressed",
        Status.REJECTED: "rejected",
        Status.EXPIRED: "expired",
    }
    told["decision"] = names[reason.status]
    told["reason"], told["meaning"] = reason.value, reason.meaning


def _data_answer(unfit: Iterable[str]) -> RuleAnswer:
    names = ", ".join(unfit)
    return rule_answer(
        "data", not names, f"missing or unfit: {names}" if names else "all that is needed is there"
    )


def _quiet_answers(held: HeldBack) -> Iterator[RuleAnswer]:
    """Yield the answer of quiet hours at the due time, if it is they that hold back."""
    if held.until is not None:
        detail = "quiet by the customer's clock when it is due; waits"
        yield rule_answer("quiet_hours", False, detail, held.until)
    elif held.reason in (Reason.QUIET_HOURS, Reason.EXPIRED_IN_QUIET_HOURS):
        yield rule_answer("quiet_hours", False, held.reason.meaning)
