"""Builds the router, the lanes' settings and the vendor accounts from a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from types import MappingProxyType

from consumer.config.models import Config
from consumer.config.sections import Campaign, Input
from consumer.config.sections import Route as RouteConfig
from consumer.http.calls import Account, Calls
from consumer.http.client import VendorClient
from consumer.http.tls import context_of
from consumer.lane.state.settings import LaneCampaign, LaneSettings
from consumer.policy.rules import ALL_RULES
from consumer.records.channel import Channel, ChannelSpec
from consumer.routing.decoding.decode import EventDecoder
from consumer.routing.decoding.formats import FORMATS
from consumer.routing.decoding.times import TimeReader
from consumer.routing.expressions import compile_value, needs_digits, plain_path
from consumer.routing.link import GIVEN, compile_link, entry_of
from consumer.routing.patterns.index import PatternIndex
from consumer.routing.patterns.pattern import compile_pattern
from consumer.routing.plain_data import MakeData, compile_data
from consumer.routing.recipients.recipients import (
    PhoneNormaliser,
    UntextedType,
    make_pseudonymiser,
    normalise_email,
)
from consumer.routing.route import Getter, Link, Normaliser, Reader, Route, Target, no_data
from consumer.routing.router import RoutedInput, Router
from consumer.vendors import VENDORS, Vendor
from consumer.vendors.protocol import LoginVendor


@dataclass(frozen=True, slots=True)
class LaneConfig:
    """Config of one lane. `relogin`: vendors whose account changed."""

    settings: LaneSettings
    calls: Calls
    relogin: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RouterConfig:
    """Config of the router. `inputs`: the topics that it reads."""

    router: Router
    inputs: Sequence[str]
    config_version: str


def build_vendors(config: Config) -> dict[str, Vendor]:
    """Return vendor account name → vendor adapter."""
    return {name: VENDORS[account.type](account) for name, account in config.vendors.items()}


def build_accounts(
    config: Config,
    vendors: Mapping[str, Vendor],
    now: Callable[[], float],
    kept: Mapping[str, Account] = MappingProxyType({}),
) -> dict[str, Account]:
    """Return vendor account name → vendor adapter and connection pool. Reuse those in `kept`.
    Raises TlsError for unusable certificates."""
    accounts = {}
    for name, account in config.vendors.items():
        accounts[name] = kept.get(name) or Account(
            vendors[name],
            VendorClient(
                account.base_url,
                config.quotas[account.quota].call_timeout,
                now,
                name=name,
                tls=context_of(account),
                proxy=account.proxy.get_secret_value() if account.proxy else None,
            ),
        )
    return accounts


def build_router(config: Config, vendors: Mapping[str, Vendor]) -> Router:
    """Compile all inputs and routes to a router."""
    inputs: dict[str, RoutedInput] = {}
    for name, entry in config.inputs.items():
        routes = [_route(route, config, vendors) for route in config.routes if route.input == name]
        routed = RoutedInput(
            _decoder(entry),
            routes,
            all_that_match=entry.routes == "all",
            index=PatternIndex.if_it_pays([route.pattern for route in routes]),
        )
        inputs.update(dict.fromkeys(entry.topics, routed))
    key = config.pseudonym.key.get_secret_value().encode()
    pseudonymise = make_pseudonymiser(config.pseudonym.key_id, key)
    return Router(inputs, pseudonymise, config.config_version, ALL_RULES)


def _decoder(entry: Input) -> EventDecoder:
    keys = entry.event
    times = TimeReader(keys.time_unit, keys.timezone)
    return EventDecoder(FORMATS[entry.format], keys.id, keys.time, entry.max_event_bytes, times)


def router_rules(config: Config, vendors: Mapping[str, Vendor]) -> RouterConfig:
    """Build the router's config."""
    return RouterConfig(build_router(config, vendors), config.input_topics, config.config_version)


def lane_settings(config: Config, lane: str) -> LaneSettings:
    """Build the settings of a lane's state machine."""
    quota = config.quotas[lane]
    campaigns = config.campaigns_of(lane)
    vendors = {campaign.vendor for campaign in campaigns.values()}
    modules = build_vendors(config)
    logins = {name for name in vendors if isinstance(modules[name], LoginVendor)}
    return LaneSettings(
        name=lane,
        campaigns={
            name: _lane_campaign(name, campaign, modules[campaign.vendor].spec(campaign.channel))
            for name, campaign in campaigns.items()
        },
        config_version=config.config_version,
        limits=quota.limits,
        skew=quota.skew,
        share=quota.share,
        first_start_full=quota.first_start == "used",
        max_in_flight=quota.max_in_flight,
        linger=quota.linger,
        max_buffered=quota.max_buffered,
        max_buffered_bytes=quota.max_buffered_bytes,
        keep=quota.keep,
        call_timeout=quota.call_timeout,
        logins=frozenset(logins),
        max_retry_after=quota.max_retry_after,
        policy=ALL_RULES,
    )


def _lane_campaign(name: str, campaign: Campaign, spec: ChannelSpec) -> LaneCampaign:
    window = campaign.window
    return LaneCampaign(
        name=name,
        vendor=campaign.vendor,
        channel=campaign.channel,
        max_batch=window.max_batch,
        max_bytes=window.max_bytes,
        max_wait=window.max_wait,
        weight=window.weight,
        in_doubt=campaign.in_doubt,
        max_attempts=campaign.max_attempts,
        bisect_calls=campaign.bisect_calls,
        spec=spec,
        required=campaign.required,
    )


def _route(route: RouteConfig, config: Config, vendors: Mapping[str, Vendor]) -> Route:
    recipient = route.recipient
    return Route(
        route.name,
        compile_pattern(route.match),
        _readers(recipient.phone, recipient.email, route.phone_region, route.phone_types),
        [_target(name, route, config, vendors) for name in route.send],
        route.policy.expire_after,
    )


@lru_cache(maxsize=100)
def _readers(
    phone: str | None, email: str | None, region: str | None, types: tuple[UntextedType, ...]
) -> Mapping[Reader, tuple[Getter, Normaliser]]:
    """Compile how addresses are read; routes that read them alike share it."""
    readers: dict[Reader, tuple[Getter, Normaliser]] = {}
    if phone is not None:
        normaliser = PhoneNormaliser(region, types)
        readers["phone"] = compile_value(phone), normaliser
        readers["texts"] = readers["phone"][0], normaliser.texts
    if email is not None:
        readers["email"] = compile_value(email), normalise_email
    return readers


def _target(name: str, route: RouteConfig, config: Config, vendors: Mapping[str, Vendor]) -> Target:
    campaign = config.campaigns[name]
    spec = vendors[campaign.vendor].spec(campaign.channel)
    link = None if campaign.link is None else _link(campaign.link, route)
    data = route.data.items()
    flat = {key: text for key, text in data if isinstance(text, str) and key in spec.fields}
    maps = {key: texts for key, texts in data if isinstance(texts, dict) and key in spec.maps}
    return Target(
        campaign=name,
        lane=config.lane_of(name),
        vendor=campaign.vendor,
        channel=campaign.channel,
        spec=spec,
        fields=_getters(flat),
        maps=[(key, _getters(texts)) for key, texts in maps.items()],
        link=link,
        required=campaign.required,
        texts=campaign.channel is Channel.SMS,
        exact=_needs_digits(route),
        plain_data=_plain_data(flat, maps),
    )


def _getters(texts: Mapping[str, str]) -> list[tuple[str, Getter]]:
    return [(name, compile_value(text)) for name, text in texts.items()]


def _plain_data(flat: Mapping[str, str], maps: Mapping[str, Mapping[str, str]]) -> MakeData:
    fields = {name: plain_path(text) for name, text in flat.items()}
    inner = {
        key: {name: plain_path(text) for name, text in texts.items()} for key, texts in maps.items()
    }
    paths = [*fields.values(), *(path for texts in inner.values() for path in texts.values())]
    return compile_data(fields, inner) if all(paths) else no_data


def _needs_digits(route: RouteConfig) -> bool:
    values = route.data.values()
    texts = (value.values() if isinstance(value, dict) else [value] for value in values)
    return any(map(needs_digits, chain.from_iterable(texts)))


def _link(text: str, route: RouteConfig) -> Link:
    template = compile_link(text)
    found = ((name, entry_of(route.data, name)) for name in template.names if name not in GIVEN)
    values = [(name, compile_value(path)) for name, path in found if path]
    return Link(template, values, _needs_digits(route))
