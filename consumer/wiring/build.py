"""Builds the router, the lanes' settings and the vendor accounts from a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from types import MappingProxyType

from consumer.config.models import Config
from consumer.config.sections import Campaign, Input
from consumer.config.sections import Route as RouteConfig
from consumer.config.tables import lookup_tables
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
from consumer.routing.lookup import Tables
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
    tables = lookup_tables(config.tables)
    make = partial(_route, config=config, vendors=vendors, compiler=_Compiler(tables))
    for name, entry in config.inputs.items():
        routes = [make(route) for route in config.routes if route.input == name]
        routed = RoutedInput(
            _decoder(entry, tables),
            routes,
            all_that_match=entry.routes == "all",
            index=PatternIndex.if_it_pays([route.pattern for route in routes]),
        )
        inputs.update(dict.fromkeys(entry.topics, routed))
    key = config.pseudonym.key.get_secret_value().encode()
    pseudonymise = make_pseudonymiser(config.pseudonym.key_id, key)
    return Router(inputs, pseudonymise, config.config_version, ALL_RULES)


def _decoder(entry: Input, tables: Tables) -> EventDecoder:
    keys = entry.event
    times = TimeReader(keys.time_unit, keys.timezone)
    decode_payload = FORMATS[entry.format]
    return EventDecoder(decode_payload, keys.id, keys.time, entry.max_event_bytes, times, tables)


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


class _Compiler:
    """Compiles what routes read from events; routes that read alike share it."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.value: Callable[[str], Getter] = lru_cache(1_000)(self._value)
        self.readers = lru_cache(100)(self._readers)

    def getters(self, texts: Mapping[str, str]) -> list[tuple[str, Getter]]:
        """Compile expressions by name."""
        return [(name, self.value(text)) for name, text in texts.items()]

    def _value(self, expression: str) -> Getter:
        return compile_value(expression, self._tables)

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


def _route(
    route: RouteConfig, config: Config, vendors: Mapping[str, Vendor], compiler: _Compiler
) -> Route:
    recipient = route.recipient
    return Route(
        route.name,
        compile_pattern(route.match),
        compiler.readers(recipient.phone, recipient.email, route.phone_region, route.phone_types),
        [_target(name, route, config, vendors, compiler) for name in route.send],
        route.policy.expire_after,
    )


def _target(
    name: str,
    route: RouteConfig,
    config: Config,
    vendors: Mapping[str, Vendor],
    compiler: _Compiler,
) -> Target:
    campaign = config.campaigns[name]
    spec = vendors[campaign.vendor].spec(campaign.channel)
    link = None if campaign.link is None else _link(campaign.link, route, compiler)
    data = route.data.items()
    flat = {key: text for key, text in data if isinstance(text, str) and key in spec.fields}
    maps = {key: texts for key, texts in data if isinstance(texts, dict) and key in spec.maps}
    return Target(
        campaign=name,
        lane=config.lane_of(name),
        vendor=campaign.vendor,
        channel=campaign.channel,
        spec=spec,
        fields=compiler.getters(flat),
        maps=[(key, compiler.getters(texts)) for key, texts in maps.items()],
        link=link,
        required=campaign.required,
        texts=campaign.channel is Channel.SMS,
        exact=_needs_digits(route),
        plain_data=_plain_data(flat, maps),
    )


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


def _link(text: str, route: RouteConfig, compiler: _Compiler) -> Link:
    template = compile_link(text)
    found = ((name, entry_of(route.data, name)) for name in template.names if name not in GIVEN)
    values = compiler.getters({name: path for name, path in found if path})
    return Link(template, values, _needs_digits(route))
