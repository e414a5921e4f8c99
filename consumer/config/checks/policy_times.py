"""Checks what the rules of each route amount to: times that exclude each other, missing zones.

They run on the models, because a route's rules may be spread over a named policy and its own keys.
"""

from __future__ import annotations

import datetime as dt

from consumer.config.checks.model_findings import ModelFindings
from consumer.config.document import Path, Source
from consumer.config.durations import duration_text
from consumer.config.models import Config
from consumer.config.policy_sections import Policy
from consumer.config.sections import Route
from consumer.errors import Problem
from consumer.policy.quiet_checks import (
    always_quiet,
    longest_quiet_stretch,
    shortest_open_stretch,
    suspicious_gap,
)
from consumer.policy.zones import DAY, known_zone
from consumer.records.channel import Channel
from consumer.routing.recipients.recipients import PhoneNormaliser, normalise_email

LONGEST_GAP = 90 * DAY
"""Seconds between two set times, at most: the delay topics keep a record for 100 days."""

_LITERAL = "the last one is a zone in quotes of its own, as in \"'Europe/Istanbul'\""


class _RouteCheck(ModelFindings):
    """Findings about one route's rules."""

    def __init__(self, index: int, config: Config, source: Source) -> None:
        self.route: Route = config.routes[index]
        self.policy: Policy = config.policy_of(self.route)
        self.index = index
        self.config = config
        super().__init__(source)

    def place(self, key: str) -> Path:
        """Return where a key of the policy is written: at the route, or at the named policy."""
        own = self.route.policy
        if isinstance(own, str):
            return ("policies", own, key)
        if key not in own.model_fields_set and own.base is not None:
            return ("policies", own.base, key)
        return ("routes", self.index, "policy", key)

    def is_own(self, key: str) -> bool:
        """Return whether all that stands beside the key is used with it: it is not inherited."""
        own = self.route.policy
        return isinstance(own, str) or own.base is None or key in own.model_fields_set


def policy_findings(config: Config, source: Source) -> tuple[list[Problem], list[Problem]]:
    """Return problems and warnings of the rules of all routes."""
    found = ModelFindings(source)
    for index in range(len(config.routes)):
        check = _RouteCheck(index, config, source)
        _zone(check)
        _times(check)
        _set_times(check)
        _consent(check)
        _links(check)
        _testers(check)
        found.problems += check.problems
        found.warnings += check.warnings
    return found.unique()


def _zone(check: _RouteCheck) -> None:
    policy, place = check.policy, check.place("timezone")
    if not policy.timezone:
        if policy.needs_zone:
            message = "is required by quiet_hours and send_at, which go by the customer's clock"
            check.problem(place, message, _LITERAL)
        return
    last = policy.timezone[-1]
    quoted = len(last) > 2 and last[0] == last[-1] == "'"
    if not quoted or known_zone(last[1:-1]) is None:
        message = "ends without a known time zone: some customers would have none"
        check.problem((*place, len(policy.timezone) - 1), message, _LITERAL)
    if not policy.needs_zone and check.is_own("timezone"):
        check.warn(place, "has no effect without quiet_hours or send_at", "leave it out")


def _times(check: _RouteCheck) -> None:
    policy = check.policy
    if policy.delay >= policy.expire_after:
        message = f"an invitation expires after {duration_text(policy.expire_after)}, before it"
        check.problem(check.place("delay"), message, "shorten it, or lengthen expire_after")
    if policy.send_at and policy.delay + DAY >= policy.expire_after:
        message = "some invitations expire before they are due: it is up to 1d away"
        check.warn(check.place("send_at"), message, "lengthen expire_after, or shorten delay")
    if policy.spread and policy.quiet_hours is None and check.is_own("spread"):
        check.warn(check.place("spread"), "has no effect without quiet_hours", "leave it out")
    if policy.quiet_hours is None:
        return
    quiet, place = policy.quiet_hours.compiled(), check.place("quiet_hours")
    if always_quiet(quiet):
        check.problem(place, "leaves no time to send in a whole week")
        return
    longest = longest_quiet_stretch(quiet)
    if policy.delay + longest >= policy.expire_after:
        message = f"some invitations expire before they are due: {duration_text(longest)} are quiet"
        check.warn(check.place("expire_after"), message, "lengthen it, or shorten delay")
    if policy.spread > shortest_open_stretch(quiet):
        message = f"is longer than what is open: {duration_text(shortest_open_stretch(quiet))}"
        check.warn(check.place("spread"), message, "shorten it")
    if gap := suspicious_gap(quiet):
        check.warn(place, gap)
    if policy.send_at is not None and _in_quiet_hours(policy):
        message = "lies in quiet_hours: every invitation is moved to their end"
        check.warn(check.place("send_at"), message, "choose a time that is open")


def _set_times(check: _RouteCheck) -> None:
    """Check how far apart the set times of the route's input are."""
    name, policy = check.route.input, check.policy
    entry = check.config.inputs.get(name)
    if entry is None or entry.schedule is None:
        return
    gap, place = entry.schedule.compiled().longest_gap(), ("inputs", name, "schedule", "cron")
    if gap > LONGEST_GAP:
        limit = duration_text(LONGEST_GAP)
        check.problem(place, f"set times are more than {limit} apart: no record waits so long")
    elif policy.delay + gap >= policy.expire_after:
        message = f"some invitations of route '{check.route.name}' expire before they are due: "
        message += f"set times are up to {duration_text(gap)} apart"
        check.warn(place, message, "lengthen expire_after, or add times")


def _in_quiet_hours(policy: Policy) -> bool:
    """Return whether `send_at` is quiet on each day of a week."""
    if policy.quiet_hours is None or policy.send_at is None:
        return False
    quiet = policy.quiet_hours.compiled()
    time = dt.time.fromisoformat(policy.send_at)
    days = (dt.datetime.combine(dt.date(2026, 1, day), time, dt.UTC) for day in range(5, 12))
    return all(quiet.is_quiet(day.timestamp(), dt.UTC) for day in days)


def _consent(check: _RouteCheck) -> None:
    """Warn of a channel that a policy with consent forgot: it is used without."""
    consent, campaigns = check.policy.consent, check.config.campaigns
    for name in check.route.campaigns if consent else ():
        channel = campaigns[name].channel
        if channel not in consent:
            message = f"has no '{channel}': campaign '{name}' asks for no consent"
            check.warn(check.place("consent"), message, "add it")


def _links(check: _RouteCheck) -> None:
    """Refuse rules that a link cannot obey: it is made when its event is routed, without a call."""
    route, policy = check.route, check.policy
    links = [
        name for name in route.campaigns if check.config.campaigns[name].channel is Channel.LINK
    ]
    if not links:
        return
    why = f"campaign '{links[0]}' makes a link, at once and without a call"
    for key in ("delay", "send_at", "quiet_hours"):
        if getattr(policy, key):
            check.problem(check.place(key), why, "give links a route of their own")
    entry = check.config.inputs.get(route.input)
    if entry is not None and entry.schedule is not None:
        here = ("inputs", route.input, "schedule")
        check.problem(here, f"{why}; route '{route.name}'", "give links an input of their own")
    for key, usual in (("mode", "live"), ("paused", False)):
        if getattr(route, key) != usual:
            check.problem(("routes", check.index, key), why, "give links a route of their own")


def _testers(check: _RouteCheck) -> None:
    route, here = check.route, ("routes", check.index, "testers")
    if route.mode == "redirect" and route.testers is None:
        check.problem(here, "is required by mode: redirect", "an address of a tester")
    if route.testers is None:
        return
    if route.mode != "redirect":
        check.warn(here, "has no effect without mode: redirect", "leave it out")
    phone, email = route.testers.phone, route.testers.email
    if phone is not None and PhoneNormaliser(None, ())(phone) != phone:
        check.problem((*here, "phone"), "expected a phone number as in +905321234567")
    if email is not None and normalise_email(email) != email:
        check.problem((*here, "email"), "expected an e-mail address, its domain in lower case")
