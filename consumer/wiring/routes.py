"""Compiles the routes of a config: how an event's address, data and rules are read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from zoneinfo import ZoneInfo

from consumer.config.models import Config
from consumer.config.person_section import Person
from consumer.config.policy_sections import Policy
from consumer.config.policy_sections import Split as SplitConfig
from consumer.config.sections import Campaign, InputSchedule
from consumer.config.sections import Route as RouteConfig
from consumer.policy.candidate import ChanceKey, Value
from consumer.policy.chance import Holdout, Sample, Split
from consumer.policy.customer_since import CustomerSince
from consumer.policy.due_time import DueTime
from consumer.policy.exclusion import Exclusion, compile_globs
from consumer.policy.own_rules import OwnRule
from consumer.policy.route_timing import GoneRoute, RouteTiming
from consumer.policy.rule_plugins import RULE_PLUGINS
from consumer.policy.rules import RouteRule, in_order
from consumer.policy.schedule import PHONE, Schedule, ZoneSources
from consumer.policy.zones import known_zone
from consumer.records.channel import Channel
from consumer.records.invitation import Address
from consumer.routing.expressions import compile_value, plain_path
from consumer.routing.for_each import ItemReader
from consumer.routing.link import GIVEN, compile_link, entry_of
from consumer.routing.link_responses import RESPONSES, SOURCE
from consumer.routing.lookup import Tables
from consumer.routing.patterns.pattern import compile_pattern
from consumer.routing.person import HOUSEHOLD, NUMBER, PersonReader
from consumer.routing.plain_data import MakeData, compile_data
from consumer.routing.recipients.recipients import PhoneNormaliser, UntextedType, normalise_email
from consumer.routing.route import (
    Getter,
    Link,
    Normaliser,
    Reader,
    Route,
    RoutePolicy,
    Target,
    TargetSplit,
    no_data,
)
from consumer.vendors.protocol import Vendor
from consumer.wiring.contacts import counted_by

_UTC = ZoneInfo("UTC")


class RouteCompiler:
    """Compiles what routes read from events; routes that read alike share it."""

    def __init__(self, config: Config, vendors: Mapping[str, Vendor], tables: Tables) -> None:
        self._config = config
        self._vendors, self._tables = vendors, tables
        compile_text = partial(compile_value, tables=tables)
        self.value: Callable[[str], Getter] = lru_cache(1_000)(compile_text)
        self._exact: Callable[[str], Getter] = lru_cache(1_000)(partial(compile_text, exact=True))
        self.readers = lru_cache(100)(self._readers)

    def route(self, route: RouteConfig) -> Route:
        """Compile one route."""
        recipient, policy = route.recipient, self._config.policy_of(route)
        return Route(
            route.name,
            compile_pattern(route.match),
            self.readers(recipient.phone, recipient.email, route.phone_region, route.phone_types),
            [self._send_entry(entry, route) for entry in route.send],
            policy.expire_after,
            RoutePolicy(
                self._rules(policy),
                {str(channel): self.value(text) for channel, text in policy.consent.items()},
                self._schedule(policy, self._config.inputs[route.input].schedule),
            ),
            route.tags,
            route.priority,
            self.getters({key: key for key in counted_by(self._config, route)}),
            testers=_testers(route),
            contact=route.contact,
            shadow=route.mode == "shadow",
            for_each=ItemReader(route.for_each, self._tables) if route.for_each else None,
        )

    def person(self, person: Person) -> PersonReader:
        """Compile under which identities an input knows its customers."""
        numbers = [
            (prefix, self.value(text))
            for prefix, text in ((NUMBER, person.id), (HOUSEHOLD, person.household))
            if text is not None
        ]
        addresses: list[tuple[Value, Normaliser]] = []
        if person.email is not None:
            addresses.append((self.value(person.email), normalise_email))
        if person.phone is not None:
            addresses.append((self.value(person.phone), PhoneNormaliser(person.phone_region, ())))
        return PersonReader(numbers, addresses)

    def getters(self, texts: Mapping[str, str]) -> list[tuple[str, Getter]]:
        """Compile expressions by name: what becomes text, with the digits of numbers."""
        return [(name, self._exact(text)) for name, text in texts.items()]

    def _readers(
        self,
        phone: str | None,
        email: str | None,
        region: str | None,
        types: tuple[UntextedType, ...],
    ) -> Mapping[Reader, tuple[Getter, Normaliser]]:
        readers: dict[Reader, tuple[Getter, Normaliser]] = {}
        if phone is not None:
            normaliser = PhoneNormaliser(region, types)
            readers["phone"] = self.value(phone), normaliser
            readers["texts"] = readers["phone"][0], normaliser.texts
        if email is not None:
            readers["email"] = self.value(email), normalise_email
        return readers

    def _rules(self, policy: Policy) -> tuple[RouteRule, ...]:
        rules, exclude = list[RouteRule](), self._config.exclude
        addresses = compile_globs((*exclude.emails, *exclude.phones))
        event = None if exclude.match is None else compile_pattern(exclude.match).matches
        if addresses or event:
            rules.append(Exclusion(addresses, event))
        if since := policy.customer_since:
            rules.append(CustomerSince(self.value(since.at), since.at_least))
        for name, options in policy.rules.items():
            rules.append(OwnRule(name, RULE_PLUGINS[name](options)))
        if holdout := policy.holdout:
            rules.append(Holdout(holdout.rate, holdout.salt, self._chance_key(holdout.by)))
        if sample := policy.sample:
            rules.append(Sample(sample.rate, sample.salt, self._chance_key(sample.by)))
        return in_order(rules)

    def _chance_key(self, by: str) -> ChanceKey:
        if by == "person":
            return "person"
        return "event" if by == "event" else self.value(by)

    def _schedule(self, policy: Policy, schedule: InputSchedule | None) -> Schedule | None:
        """Compile when a policy's invitations are due; None: at once."""
        if not (policy.delay or policy.needs_zone or schedule):
            return None
        due = DueTime(
            policy.delay,
            dt.time.fromisoformat(policy.send_at) if policy.send_at else None,
            policy.quiet_hours.compiled() if policy.quiet_hours else None,
            policy.spread,
            schedule.compiled() if schedule else None,
        )
        if not policy.needs_zone:
            return Schedule(due)
        sources = policy.timezone[:-1]  # the checks saw that the last one is a literal
        getters = [(text, None if text == PHONE else self.value(text)) for text in sources]
        return Schedule(due, ZoneSources(getters, last_zone(policy)))

    def _send_entry(self, entry: str | SplitConfig, route: RouteConfig) -> Target | TargetSplit:
        if isinstance(entry, str):
            return self._target(entry, route)
        salt = route.name if entry.salt is None else entry.salt
        weights, by = list(entry.split.values()), self._chance_key(entry.by)
        targets = [self._target(name, route) for name in entry.split]
        return TargetSplit(Split.by_weights(weights, salt, by), targets)

    def _target(self, name: str, route: RouteConfig) -> Target:
        config = self._config
        campaign = config.campaigns[name]
        spec = self._vendors[campaign.vendor].spec(campaign.channel)
        data = route.data.items()
        flat = {key: text for key, text in data if isinstance(text, str) and key in spec.fields}
        maps = {key: texts for key, texts in data if isinstance(texts, dict) and key in spec.maps}
        return Target(
            campaign=name,
            lane=config.lane_of(name),
            vendor=campaign.vendor,
            channel=campaign.channel,
            spec=spec,
            fields=self.getters(flat),
            maps=[(key, self.getters(texts)) for key, texts in maps.items()],
            link=None if campaign.link is None else self._link(campaign, route),
            required=campaign.required,
            texts=campaign.channel is Channel.SMS,
            plain_data=_plain_data(flat, maps),
        )

    def _link(self, campaign: Campaign, route: RouteConfig) -> Link:
        template, response = compile_link(campaign.link or ""), campaign.responses
        made = () if response is None else (RESPONSES,)
        names = (name for name in template.names if name not in (*GIVEN, *made))
        found = ((name, entry_of(route.data, name)) for name in names)
        values = self.getters({name: path for name, path in found if path})
        given = route.data.get(SOURCE) if response else None
        responses = self.getters(given) if isinstance(given, dict) else ()
        return Link(template, values, response, responses)


def build_timings(config: Config) -> dict[str, RouteTiming]:
    """Return what lanes ask about now, of each route. Each lane has those of all routes, for its
    topic may hold invitations of a route that sends to another lane by now."""
    return {
        route.name: replace(
            _timing(config.policy_of(route)),
            paused=route.paused,
            shadow=route.mode == "shadow",
        )
        for route in config.routes
    }


def gone_routes(config: Config) -> RouteTiming:
    """Return what lanes ask about invitations of routes that are not in the config: the quiet
    hours of all its policies. None is dropped, since its own policy may have been another."""
    policies = [*config.policies.values(), *map(config.policy_of, config.routes)]
    waiting = {
        replace(timing, after_quiet=replace(due, quiet=replace(due.quiet, at_quiet="wait")))
        for timing in map(_timing, policies)
        if (due := timing.after_quiet) and due.quiet
    }
    return GoneRoute(policies=tuple(waiting))


def _timing(policy: Policy) -> RouteTiming:
    quiet = policy.quiet_hours.compiled() if policy.quiet_hours else None
    after_quiet = DueTime(quiet=quiet, spread=policy.spread) if quiet else None
    return RouteTiming(after_quiet, last_zone(policy).key)


def literal_zone(text: str) -> ZoneInfo | None:
    """Return the zone that a literal names, as in `'Europe/Istanbul'`; None for anything else."""
    quoted = len(text) > 2 and text[0] == text[-1] == "'"
    return known_zone(text[1:-1]) if quoted else None


def last_zone(policy: Policy) -> ZoneInfo:
    """Return the zone of customers of whom none is known."""
    return (literal_zone(policy.timezone[-1]) if policy.timezone else None) or _UTC


def _testers(route: RouteConfig) -> Address | None:
    if route.mode != "redirect" or route.testers is None:
        return None
    address: Address = {}
    if route.testers.phone:
        address["phone"] = route.testers.phone
    if route.testers.email:
        address["email"] = route.testers.email
    return address


def _plain_data(flat: Mapping[str, str], maps: Mapping[str, Mapping[str, str]]) -> MakeData:
    fields = {name: plain_path(text) for name, text in flat.items()}
    inner = {
        key: {name: plain_path(text) for name, text in texts.items()} for key, texts in maps.items()
    }
    paths = [*fields.values(), *(path for texts in inner.values() for path in texts.values())]
    return compile_data(fields, inner) if all(paths) else no_data
