"""Compiles the feeds of a config, and what is known of an answer's survey."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from consumer.config.contact_sections import Deliveries, Responses, Suppressions
from consumer.config.contact_sections import Feed as FeedSection
from consumer.config.models import Config
from consumer.config.person_section import Person
from consumer.config.tables import lookup_tables
from consumer.policy.candidate import Value
from consumer.policy.contacts.history import Facts
from consumer.records.channel import Channel
from consumer.routing.expressions import compile_value
from consumer.routing.feeds import (
    DeliveryFeed,
    Feed,
    FeedSays,
    ResponseFeed,
    SuppressionFeed,
    read_address,
)
from consumer.routing.person import PersonReader
from consumer.routing.recipients.recipients import PhoneNormaliser
from consumer.wiring.build import pseudonymisers
from consumer.wiring.routes import RouteCompiler

FeedsByTopic = Mapping[str, tuple[Feed, ...]]
"""Topic → the feeds that read it; one topic may hold answers and receipts."""


@dataclass(frozen=True, slots=True)
class _Compiler:
    """Compiles feeds; `value` compiles an expression."""

    config: Config
    value: Callable[[str], Value]
    person: Callable[[Person], PersonReader]

    def feed(self, name: str, feed: FeedSection) -> Feed:
        """Compile one feed."""
        region = feed.phone_region
        person = feed.person
        if person.phone_region is None and region is not None:
            person = person.model_copy(update={"phone_region": region})
        reader = self.person(person)
        if feed.address is not None:
            phone = PhoneNormaliser(region, ())
            address = self.value(feed.address), lambda raw: read_address(phone, raw)
            reader = PersonReader(reader.numbers, [*reader.addresses, address])
        time = self._optional(feed.time)
        return Feed(name, self._says(feed), reader, pseudonymisers(self.config), time)

    def _says(self, feed: FeedSection) -> FeedSays:
        config, optional = self.config, self._optional
        if isinstance(feed, Suppressions):
            scopes = known_scopes(config)
            return SuppressionFeed(
                scopes, optional(feed.scope), optional(feed.until), optional(feed.remove)
            )
        if isinstance(feed, Responses):
            routes = frozenset(route.name for route in config.routes)
            campaigns = frozenset(config.campaigns)
            return ResponseFeed(routes, campaigns, optional(feed.route), optional(feed.campaign))
        assert isinstance(feed, Deliveries)  # noqa: S101 - the config has no other feed
        return DeliveryFeed(self.value(feed.hard_bounce))

    def _optional(self, text: str | None) -> Value | None:
        return None if text is None else self.value(text)


def build_feeds(config: Config) -> FeedsByTopic:
    """Return topic → its feeds."""
    tables = lookup_tables(config.tables)
    routes = RouteCompiler(config, {}, tables)
    compiler = _Compiler(config, lambda text: compile_value(text, tables), routes.person)
    found = dict[str, tuple[Feed, ...]]()
    for name, feed in config.feeds.named.items():
        compiled = compiler.feed(name, feed)
        for topic in feed.topics:
            found[topic] = (*found.get(topic, ()), compiled)
    return found


def known_scopes(config: Config) -> frozenset[str]:
    """Return what a suppression may be limited to: channels, tags and campaigns."""
    tags = {tag for route in config.routes for tag in route.tags}
    return frozenset({*map(str, Channel), *config.campaigns, *tags})


def answer_facts(config: Config) -> Callable[[str, str], Facts | None]:
    """Return the function of a route and a campaign to what rules look at. None where one of them
    is not known: then an answer counts for every rule."""
    tags = {route.name: tuple(route.tags) for route in config.routes}
    campaigns = {
        name: (str(campaign.channel), campaign.vendor)
        for name, campaign in config.campaigns.items()
    }

    def facts(route: str, campaign: str) -> Facts | None:
        if route not in tags or campaign not in campaigns:
            return None
        return Facts(route, campaign, *campaigns[campaign], tags[route])

    return facts
