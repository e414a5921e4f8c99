"""Compiles the contact rules of a config, and what a route asks of the contact book."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from consumer.config import contact_sections
from consumer.config.models import Config
from consumer.config.policy_sections import RoutePolicy
from consumer.config.sections import Route
from consumer.contacts.book import ContactBook
from consumer.contacts.changes import NamesOf
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneCampaign
from consumer.policy.contacts.contact_rule import PERSON, ContactRule, Selector
from consumer.policy.contacts.duplicates import Duplicates
from consumer.policy.contacts.history import Facts
from consumer.policy.contacts.pace import Pace
from consumer.policy.contacts.request import Request
from consumer.policy.contacts.table import ContactRules
from consumer.records.invitation import decode_contact_part
from consumer.routing.decoding.times import TimeReader

_TIMES = TimeReader()


def build_contact_rules(config: Config) -> ContactRules:
    """Return the contact rules, in the config's order."""
    paces, duplicates = dict[str, Pace](), dict[str, Duplicates]()
    for route in config.routes:
        policy = config.policy_of(route)
        if pace := policy.pace:
            name = _home_of(route, "pace")
            paces[name] = Pace(
                name, pace.at_most, pace.every, pace.timezone, pace.keys, pace.distribute
            )
        if repeats := policy.deduplicate:
            duplicates[_home_of(route, "deduplicate")] = Duplicates(repeats.by, repeats.within)
    return ContactRules(
        [_rule(name, rule) for name, rule in config.contact_rules.items()],
        paces,
        duplicates,
        config.contacts.keep if config.contacts else 0.0,
    )


def _home_of(route: Route, key: str) -> str:
    """Return the policy that a key is written in: routes that share it share its counts."""
    own = route.policy
    if isinstance(own, str):
        return own
    if isinstance(own, RoutePolicy) and own.base and key not in own.model_fields_set:
        return own.base
    return f"route {route.name}"  # no policy's name has a blank


def _rule(name: str, rule: contact_sections.ContactRule) -> ContactRule:
    return ContactRule(
        name,
        rule.at_most,
        rule.within,
        rule.calendar,
        rule.timezone,
        _selector(rule.applies_to),
        None if rule.counts is None else _selector(rule.counts),
        rule.counts.of if rule.counts else "invitations",
        rule.per,
        rule.at_limit,
        rule.instead_of,
    )


def _selector(selection: contact_sections.Selection) -> Selector:
    return Selector(
        frozenset(selection.tags),
        frozenset(selection.routes),
        frozenset(selection.campaigns),
        frozenset(map(str, selection.channels)),
        frozenset(selection.vendors),
    )


def counted_by(config: Config, route: Route) -> tuple[str, ...]:
    """Return the expressions by whose values contacts of a route are counted."""
    policy = config.policy_of(route)
    keys = [key for rule in config.contact_rules.values() for key in rule.per if key != PERSON]
    keys += policy.pace.keys if policy.pace else ()
    keys += [policy.deduplicate.by] if policy.deduplicate else []
    return tuple(dict.fromkeys(keys))


@dataclass(frozen=True, slots=True)
class RouteContact:
    """What a route asks of the contact book; `pace`, `duplicates`: names in `ContactRules`."""

    pace: str | None = None
    duplicates: str | None = None


UNKNOWN_ROUTE = RouteContact()


@dataclass(frozen=True, slots=True)
class ContactConfig:
    """What a lane needs of the config to ask the book."""

    book: ContactBook
    campaigns: Mapping[str, LaneCampaign]
    routes: Mapping[str, RouteContact]


def route_contacts(config: Config) -> dict[str, RouteContact]:
    """Return what each route asks of the contact book."""
    found = {}
    for route in config.routes:
        policy = config.policy_of(route)
        found[route.name] = RouteContact(
            _home_of(route, "pace") if policy.pace else None,
            _home_of(route, "deduplicate") if policy.deduplicate else None,
        )
    return found


def counted_names(routes: Mapping[str, RouteContact]) -> NamesOf:
    """Return the function of a route to the names of its pace and of its `deduplicate`."""

    def names(route: str) -> tuple[str | None, str | None]:
        known = routes.get(route, UNKNOWN_ROUTE)
        return known.pace, known.duplicates

    return names


def contact_request(
    pending: PendingInvitation,
    campaign: LaneCampaign | None,
    routes: Mapping[str, RouteContact],
) -> Request:
    """Return what the contact book is asked about an invitation. One of before the contact rules
    has no persons: it counts by its recipient."""
    part = decode_contact_part(pending.result_part())
    route = routes.get(pending.route, UNKNOWN_ROUTE)
    routed_at = _TIMES(part.routed_at)
    return Request(
        part.id,
        tuple(part.person) or (pending.recipient,),
        routed_at[0] if routed_at else pending.arrived,
        Facts(
            pending.route,
            pending.campaign,
            campaign.channel if campaign else "",
            campaign.vendor if campaign else "",
            tuple(part.tags),
        ),
        part.keys,
        pending.priority,
        part.contact,
        pending.expires_at,
        part.resend_of or None,
        route.pace,
        route.duplicates,
    )
