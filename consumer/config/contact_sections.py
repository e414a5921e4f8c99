"""The config of the rules that look at a person's history: contact rules, store and feeds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    Discriminator,
    Field,
    JsonValue,
    SecretStr,
    Tag,
    field_validator,
    model_validator,
)

from consumer.config.durations import PositiveDuration
from consumer.config.fields import Expression, Name, Text, TimeZone, TopicName
from consumer.config.person_section import Person
from consumer.config.section import Section
from consumer.config.store_plugins import STORE_PLUGINS
from consumer.policy.contacts.contact_rule import PERSON
from consumer.policy.contacts.periods import PeriodUnit
from consumer.records.channel import Channel

Most = Annotated[int, Field(ge=1, le=1_000_000)]


class SqliteStore(Section):
    """A file beside the program, for one sender process."""

    type: Literal["sqlite"]
    """`sqlite`, `valkey` or `plugin`."""
    path: Text
    """The file, on a volume that survives restarts; the store is rebuilt if it is lost."""


class ValkeyStore(Section):
    """A Valkey or Redis server, for several processes."""

    type: Literal["valkey"]
    """`valkey`."""
    url: Annotated[SecretStr, Field(examples=["${file:/run/secrets/valkey-url}"])]
    """As in valkey://user:password@host:6379/0; valkeys:// for TLS."""
    cluster: bool = False
    """Whether the server is a cluster."""
    timeout: PositiveDuration = 2.0
    """How long an answer is waited for; meanwhile nothing is sent."""


class PluginStore(Section):
    """A store that a plugin opens (docs/plugins.md)."""

    type: Literal["plugin"]
    """`plugin`."""
    name: Text
    """The plugin's name."""
    options: Annotated[dict[str, JsonValue], Field(repr=False)] = {}
    """What the plugin is given."""

    @field_validator("name")
    @classmethod
    def _installed(cls, name: str) -> str:
        if name not in STORE_PLUGINS:
            raise ValueError(f"no plugin for stores is called '{name}'")
        return name


Store = Annotated[SqliteStore | ValkeyStore | PluginStore, Field(discriminator="type")]


class Contacts(Section):
    """The store of contacts: when each person was asked."""

    store: Store
    """The store: a view of results and contacts, which can be lost and is rebuilt."""
    keep: PositiveDuration = 400 * 86400.0
    """How long a contact is remembered: as long as the longest rule looks back, or longer."""


class Selection(Section):
    """Invitations: AND between the keys, OR within one; without keys all."""

    tags: tuple[Name, ...] = ()
    """Tags of their routes."""
    routes: tuple[Name, ...] = ()
    """Their routes."""
    campaigns: tuple[Name, ...] = ()
    """Their campaigns."""
    channels: tuple[Channel, ...] = ()
    """Their channels."""
    vendors: tuple[Name, ...] = ()
    """Their vendor accounts."""


class Counts(Selection):
    """What fills a contact rule."""

    of: Literal["invitations", "responses"] = "invitations"
    """Invitations that were sent, or answers that came."""


class ContactRule(Section):
    """How often a person may be asked."""

    at_most: Most = 1
    """Invitations (or responses) in the window."""
    within: PositiveDuration | None = None
    """A rolling window: what was sent in this time counts."""
    calendar: PeriodUnit | None = None
    """Instead of `within`: day, week (from Monday), month, quarter, year."""
    timezone: TimeZone | None = None
    """The zone of the calendar."""
    applies_to: Selection = Selection()
    """The invitations that the rule may hold back."""
    counts: Counts | None = None
    """What fills it; by default what it applies to. {}: any survey."""
    per: Annotated[tuple[Expression, ...], Field(min_length=1)] = (PERSON,)
    """The keys of the count: `person`, or JMESPath into the event."""
    at_limit: Literal["drop", "wait"] = "drop"
    """A full rule ends an invitation, or has it wait until there is room."""
    instead_of: tuple[Name, ...] = ()
    """Names of rules that do not hold where this one applies."""

    @model_validator(mode="after")
    def _one_window(self) -> ContactRule:
        if (self.within is None) == (self.calendar is None):
            raise ValueError("expected `within` or `calendar`, and not both")
        if self.calendar is not None and self.timezone is None:
            raise ValueError("a calendar needs `timezone`, as in Europe/Istanbul")
        if self.within is not None and self.timezone is not None:
            raise ValueError("`timezone` belongs to `calendar`: a rolling window has none")
        if self.counts and self.counts.of == "responses" and PERSON not in self.per:
            raise ValueError("answers are known by person only: `per` must name `person`")
        return self


class Pace(Section):
    """At most so many surveys of a policy in a calendar period."""

    at_most: Most
    """Surveys in a period."""
    every: PeriodUnit
    """day, week, month, quarter or year."""
    timezone: TimeZone
    """The zone of the calendar."""
    per: Annotated[
        Annotated[Expression, Tag("<one>")] | Annotated[tuple[Expression, ...], Tag("<list>")],
        Discriminator(lambda value: "<one>" if isinstance(value, str) else "<list>"),
    ] = ()
    """JMESPath: what has a pace of its own, such as store.id; without it all together."""
    distribute: Literal["even", "any"] = "any"
    """`even`: not more than the part of the period that has passed."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The expressions of `per`."""
        return (self.per,) if isinstance(self.per, str) else self.per


class Deduplicate(Section):
    """One survey of a route for equal values."""

    by: Expression
    """JMESPath: the value that must not repeat, such as the order's number."""
    within: PositiveDuration
    """How long it must not."""


class Feed(Section):
    """A topic of what other systems know of persons."""

    topics: Annotated[tuple[TopicName, ...], Field(min_length=1)]
    """The topics to read, from their beginning on."""
    person: Person = Person()
    """The person that a record is about."""
    address: Expression | None = None
    """JMESPath to a phone number or an e-mail address, whichever it is."""
    phone_region: str | None = None
    """Region of phone numbers without a country code: two letters, as in TR."""
    time: Expression | None = None
    """JMESPath to when it happened; by default Kafka's timestamp."""
    max_lag: PositiveDuration = 15 * 60.0
    """How far it may lie behind before an alert; see `behind`."""

    @model_validator(mode="after")
    def _has_identity(self) -> Feed:
        if self.address is None and not self.person.model_fields_set - {"phone_region"}:
            raise ValueError("expected `address`, `person` or both: the person of a record")
        return self


class Suppressions(Feed):
    """Opt-outs, and consents given again."""

    scope: Expression | None = None
    """JMESPath to what must not be sent: a channel, tag or campaign; null: everything."""
    until: Expression | None = None
    """JMESPath to when it ends; null: never."""
    remove: Expression | None = None
    """JMESPath that is `true` for a record that allows surveys again."""
    behind: Literal["wait", "send"] = "wait"
    """While it lies behind by more than `max_lag`, nothing is sent; `send` risks it."""


class Responses(Feed):
    """Answers to surveys."""

    campaign: Expression | None = None
    """JMESPath to the campaign's name in this config, for the response rate."""
    route: Expression | None = None
    """JMESPath to the route's name in this config, for the response rate."""


class Deliveries(Feed):
    """Delivery receipts."""

    hard_bounce: Expression
    """JMESPath that is `true` for an address that does not exist."""


class Feeds(Section):
    """Topics of what other systems know of persons."""

    suppressions: Suppressions | None = None
    """Opt-outs, and consents given again."""
    responses: Responses | None = None
    """Answers to surveys."""
    deliveries: Deliveries | None = None
    """Delivery receipts: addresses that do not exist are not used again."""

    @property
    def named(self) -> dict[str, Feed]:
        """The feeds that there are, by name."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: feed for name, feed in found.items() if feed is not None}
