"""Asks every rule of a route about one event, in the published order and past the first refusal.

The rules are the router's own objects: what decides is not written a second time. Which of them
decided is the router's answer, which `explainer` has; here is what each alone says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from consumer.config.durations import duration_text
from consumer.config.models import Config
from consumer.config.models import Route as RouteConfig
from consumer.config.policy_sections import Policy
from consumer.operations.explain.masking import Masking
from consumer.operations.explain.rule_details import name_and_detail
from consumer.operations.explain.shapes import RuleAnswer, rule_answer
from consumer.policy.consent import agrees
from consumer.policy.rules import PolicyRules
from consumer.routing.candidate import RouteCandidate
from consumer.routing.route import Target, TargetSplit


@dataclass(frozen=True, slots=True)
class RuleAsker:
    """Asks the rules of one route. `table`: the rules that every route has."""

    config: Config
    route: RouteConfig
    table: PolicyRules
    masking: Masking

    @property
    def policy(self) -> Policy:
        """The route's policy, as the config has it."""
        return self.config.policy_of(self.route)

    def ask(self, candidate: RouteCandidate, now: float) -> Iterator[RuleAnswer]:
        """Yield the answers of the rules at routing, up to the choice of the campaign."""
        for rule in (*self.table.at_routing, *candidate.route.policy.rules):
            name, (detail, eligible_at) = name_and_detail(rule, candidate, self.policy)
            yield rule_answer(name, rule(candidate, now) is None, detail, eligible_at)
        for entry in candidate.route.send:
            if isinstance(entry, TargetSplit):
                chosen = entry.targets[entry.split.choose(candidate)].campaign
                names = ", ".join(target.campaign for target in entry.targets)
                yield rule_answer("split", True, f"chance chose {chosen} of {names}")
        for target in candidate.route.targets_for(candidate):
            yield self._address(candidate, target)
            if target.channel in candidate.route.policy.consent:
                yield self._consent(candidate, target)

    def _address(self, candidate: RouteCandidate, target: Target) -> RuleAnswer:
        kinds = list(candidate.reach.address_for(target))
        if kinds:
            detail = f"reached by {' and '.join(kinds)}"
        elif target.spec.anyone:
            detail = "needs no address"
        else:
            detail = f"the event has no usable {' or '.join(target.spec.addresses)}"
        holds = bool(kinds) or target.spec.anyone
        return rule_answer("address", holds, detail, campaign=target.campaign)

    def _consent(self, candidate: RouteCandidate, target: Target) -> RuleAnswer:
        get = candidate.route.policy.consent[target.channel]
        path = next(text for name, text in self.policy.consent.items() if name == target.channel)
        found = self.masking.found(get(candidate.body))
        is_there = "null or missing" if found is None else json.dumps(found, ensure_ascii=False)
        detail = f"`{path}` is {is_there}; wanted true"
        return rule_answer("consent", agrees(get, candidate), detail, campaign=target.campaign)

    def due(self, candidate: RouteCandidate, now: float) -> RuleAnswer | None:
        """Return when the invitation is due; None if it is due at once."""
        schedule, policy = candidate.route.policy.schedule, self.policy
        if schedule is None:
            return None
        due, zone, refusal = schedule.plan(candidate, candidate.invitation_id, now)
        delay, quiet = policy.delay, policy.quiet_hours
        steps = ["the event's time" + (f" + {duration_text(delay)}" if delay else "")]
        steps += [f"the next {policy.send_at}"] if policy.send_at else []
        if set_times := self.config.inputs[self.route.input].schedule:
            times = " or ".join(set_times.cron)
            steps.append(f"the next set time of input {self.route.input}: {times}")
        steps += ["out of quiet hours"] if quiet and quiet.at_quiet == "wait" else []
        source = candidate.found.get("timezone_from")
        where = f", by the clock of {zone} (from {source})" if zone else ""
        why = f": {refusal.meaning}" if refusal else ""
        return rule_answer("due_time", refusal is None, " → ".join(steps) + where + why, due)

    def now_answers(self, target: Target) -> Iterator[RuleAnswer]:
        """Yield what the config says about now: what a lane would wait for."""
        campaign = self.config.campaigns[target.campaign]
        vendor = self.config.vendors[target.vendor]
        paused = [
            f"{what} {name}"
            for what, name, section in (
                ("route", self.route.name, self.route),
                ("campaign", target.campaign, campaign),
                ("vendor", target.vendor, vendor),
            )
            if section.paused
        ]
        if paused:
            yield rule_answer("paused", False, f"waits, or expires: {', '.join(paused)} is paused")
        if self.route.mode == "shadow":
            yield rule_answer("mode", False, "`shadow` does everything but the call")
        elif self.route.mode == "redirect":
            yield rule_answer("mode", True, "`redirect` sends to the testers, not to the customer")
