"""Builds the router, the lanes' settings and the vendor accounts from a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from consumer.config.models import Config
from consumer.config.sections import Campaign, PseudonymKey
from consumer.config.tables import lookup_tables
from consumer.http.calls import Account, Calls
from consumer.http.client import VendorClient
from consumer.http.tls import context_of
from consumer.lane.state.settings import LaneCampaign, LaneSettings
from consumer.policy.rules import ALL_RULES
from consumer.records.channel import ChannelSpec
from consumer.routing.decoding.schemas.schema_book import SchemaBook
from consumer.routing.endings import Endings
from consumer.routing.patterns.index import PatternIndex
from consumer.routing.recipients.recipients import make_pseudonymiser
from consumer.routing.router import RoutedInput, Router
from consumer.vendors.protocol import Vendor, login_vendor
from consumer.vendors.registry import VENDORS
from consumer.wiring.contacts import ContactConfig
from consumer.wiring.inputs import dead_letter_limit, event_decoder, time_reader
from consumer.wiring.registry import InputSchemas, asking_book, input_schemas
from consumer.wiring.routes import RouteCompiler, build_timings, gone_routes


@dataclass(frozen=True, slots=True)
class LaneConfig:
    """Config of one lane. `relogin`: vendors whose account changed. `contacts`: how the contact
    book is asked; None without a contact store."""

    settings: LaneSettings
    calls: Calls
    relogin: frozenset[str] = frozenset()
    contacts: ContactConfig | None = None


@dataclass(frozen=True, slots=True)
class RouterConfig:
    """Config of the router. `inputs`: the topics that it reads. `schemas`: how it gets those of
    records that name one."""

    router: Router
    inputs: Sequence[str]
    config_version: str
    schemas: InputSchemas | None = None


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


def build_router(
    config: Config, vendors: Mapping[str, Vendor], book: SchemaBook | None = None
) -> Router:
    """Compile all inputs and routes to a router. `book`: the known schemas; without it each is
    looked up when a record names it, which raises OperationError from a decoder."""
    book = asking_book(config) if book is None else book
    inputs: dict[str, RoutedInput] = {}
    tables = lookup_tables(config.tables)
    compiler = RouteCompiler(config, vendors, tables)
    for name, entry in config.inputs.items():
        own = [route for route in config.routes if route.input == name]
        routes = [compiler.route(route) for route in own]
        routed = RoutedInput(
            event_decoder(config, entry, own, tables, book),
            routes,
            all_that_match=entry.routes == "all",
            index=PatternIndex.if_it_pays([route.pattern for route in routes]),
            person=compiler.person(entry.person),
            times=time_reader(entry),
            dead_letter_limit=dead_letter_limit(entry),
        )
        inputs.update(dict.fromkeys(entry.topics, routed))
    current, *previous = pseudonymisers(config)
    fields = compiler.getters(config.results.fields)
    endings = Endings(current, config.config_version, config.counts_contacts, previous, fields)
    return Router(inputs, endings, ALL_RULES, config.topics.uploads)


def pseudonymisers(config: Config) -> list[Callable[[str], str]]:
    """Return the function of a text to its pseudonym under each listed key, the present first."""
    keys: list[PseudonymKey] = [config.pseudonym, *config.pseudonym.previous]
    return [
        make_pseudonymiser(entry.key_id, entry.key.get_secret_value().encode()) for entry in keys
    ]


def router_rules(config: Config, vendors: Mapping[str, Vendor]) -> RouterConfig:
    """Build the router's config."""
    schemas = input_schemas(config)
    router = build_router(config, vendors, schemas.lookup.book if schemas else None)
    return RouterConfig(router, config.input_topics, config.config_version, schemas)


def lane_settings(config: Config, lane: str) -> LaneSettings:
    """Build the settings of a lane's state machine."""
    quota = config.quotas[lane]
    campaigns = config.campaigns_of(lane)
    vendors = {campaign.vendor for campaign in campaigns.values()}
    modules = build_vendors(config)
    logins = {name for name in vendors if login_vendor(modules[name])}
    return LaneSettings(
        name=lane,
        campaigns={
            name: _lane_campaign(
                name,
                campaign,
                modules[campaign.vendor].spec(campaign.channel),
                paused=campaign.paused or config.vendors[campaign.vendor].paused,
                routes=tuple(route.name for route in config.routes if name in route.campaigns),
            )
            for name, campaign in campaigns.items()
        },
        config_version=config.config_version,
        limits=quota.limits,
        reserve=quota.reserve,
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
        routes=build_timings(config),
        gone_routes=gone_routes(config),
        contacts=config.counts_contacts,
    )


def _lane_campaign(
    name: str, campaign: Campaign, spec: ChannelSpec, *, paused: bool, routes: tuple[str, ...]
) -> LaneCampaign:
    window = campaign.window
    return LaneCampaign(
        name=name,
        vendor=campaign.vendor,
        channel=campaign.channel,
        max_batch=min(window.max_batch, spec.most or window.max_batch),
        max_bytes=window.max_bytes,
        max_wait=window.max_wait,
        weight=window.weight,
        in_doubt="resend" if spec.repeatable else campaign.in_doubt,
        max_attempts=campaign.max_attempts,
        bisect_calls=campaign.bisect_calls,
        spec=spec,
        required=campaign.required,
        paused=paused,
        routes=routes,
    )
