"""The routing config as one pydantic model; its parts are in `sections`.

What pydantic cannot say (references, patterns, expressions) is in `check`; configs are read with
`load.load`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Field, PrivateAttr

from consumer.config.admin_section import Admin
from consumer.config.contact_sections import ContactRule, Contacts, Feeds
from consumer.config.fields import KafkaSetting, Name, Text, TopicSafe
from consumer.config.policy_sections import Exclude, Policy
from consumer.config.registry_section import Registry
from consumer.config.section import Section
from consumer.config.sections import Campaign, Input, Pseudonym, Quota, Results, Route
from consumer.config.tables import Table
from consumer.config.topic_names import Topics
from consumer.config.tracing_section import Tracing
from consumer.errors import Problem
from consumer.vendors.protocol import Account
from consumer.vendors.registry import VENDORS

__all__ = ["Campaign", "Config", "Route"]

_NOT_RULES = {"kafka", "admin", "registry", "include", "tracing"}

KAFKA_EXAMPLE = {"bootstrap.servers": "${env:KAFKA_BOOTSTRAP:-localhost:9092}"}


def _any_account() -> Any:
    """The union of what the vendor modules register: a new vendor needs no line here."""
    accounts = tuple(vendor.Account for vendor in VENDORS.values())
    return Annotated[Union[accounts], Field(discriminator="type")]  # noqa: UP007 - its members are known at run time only


if TYPE_CHECKING:
    AnyAccount = Account
else:
    AnyAccount = _any_account()


class Config(Section):
    """The routing config of one application."""

    version: Literal[1]
    """Version of this format."""
    include: tuple[Text, ...] = ()
    """Files of teams, as teams/*.yaml: names and routes that join those of this file."""
    application_id: TopicSafe
    """Prefix of topics, groups and transactional ids."""
    kafka: Annotated[dict[str, KafkaSetting], Field(repr=False, examples=[KAFKA_EXAMPLE])]
    """librdkafka's settings, but for those that the program owns."""
    pseudonym: Pseudonym
    """How a recipient is named where the address may not travel."""
    quotas: Annotated[dict[TopicSafe, Quota], Field(min_length=1)]
    """Name → limits: one quota, one lane."""
    vendors: Annotated[dict[Name, AnyAccount], Field(min_length=1)]
    """Name → account; two tenants, two entries."""
    campaigns: Annotated[dict[Name, Campaign], Field(min_length=1)]
    """Name → what shares a call."""
    inputs: Annotated[dict[Name, Input], Field(min_length=1)]
    """Name → topics whose events have one form."""
    registry: Registry | None = None
    """The schema registry, for inputs whose records name a schema of it."""
    exclude: Exclude = Exclude()
    """Addresses and events that are never sent a survey."""
    policies: dict[Name, Policy] = {}
    """Name → rules before a survey, for routes to share."""
    contacts: Contacts | None = None
    """The store of contacts: when each person was asked."""
    contact_rules: dict[Name, ContactRule] = {}
    """Name → how often a person may be asked; all that apply must hold."""
    feeds: Feeds = Feeds()
    """Topics of opt-outs, answers and delivery receipts."""
    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    """The rules, in order."""
    results: Results = Results()
    """Event fields that results carry."""
    tables: dict[Name, Table] = Field(default_factory=dict)
    """Name → a CSV file that expressions look into: `lookup('stores', store.code, 'city')`."""
    tracing: Tracing | None = None
    """Carry events' trace contexts to their results; without it no header is read for that."""
    admin: Admin = Admin()
    """The HTTP server for metrics and health."""

    _warnings: tuple[Problem, ...] = PrivateAttr(default=())

    def model_post_init(self, context: Any, /) -> None:
        """Keep what the checks found odd, which `load` passes as `{"warnings": …}`."""
        self._warnings = tuple((context or {}).get("warnings", ()))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is odd, but no reason to refuse the config."""
        return self._warnings

    def warn(self, problems: Iterable[Problem]) -> None:
        """Add what was found odd once the config was read."""
        found = dict.fromkeys((*self._warnings, *problems))
        self._warnings = tuple(sorted(found, key=lambda problem: (problem.file, problem.line)))

    @cached_property
    def config_version(self) -> str:
        """12 hex digits that change with the rules, not with secrets or addresses of our own.

        All of `kafka` is left out: any of its settings may carry a credential; so are `admin`,
        `registry` and `tracing`, for replicas may differ in them.
        """
        rules = self.model_dump(mode="json", exclude=_NOT_RULES)
        text = json.dumps(rules, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def topics(self) -> Topics:
        """The names of the program's own topics."""
        return Topics(self.application_id)

    @property
    def input_topics(self) -> list[str]:
        """The topics of all inputs."""
        return [topic for entry in self.inputs.values() for topic in entry.topics]

    @property
    def feed_topics(self) -> list[str]:
        """The topics of all feeds, each once."""
        topics = (topic for feed in self.feeds.named.values() for topic in feed.topics)
        return list(dict.fromkeys(topics))

    @cached_property
    def lanes(self) -> tuple[str, ...]:
        """The quotas that the calls of some campaign use, in the config's order."""
        used = {self.lane_of(name) for name in self.called}
        return tuple(quota for quota in self.quotas if quota in used)

    @property
    def called(self) -> dict[str, Campaign]:
        """The campaigns that make calls, in the config's order: all but links."""
        return {name: one for name, one in self.campaigns.items() if one.channel.called}

    @property
    def homes(self) -> dict[str, str]:
        """Campaign → its lane, for each campaign that makes calls."""
        return {name: self.lane_of(name) for name in self.called}

    @property
    def counts_contacts(self) -> bool:
        """Whether a rule needs the contact store."""
        policies = map(self.policy_of, self.routes)
        asks = any(policy.pace or policy.deduplicate for policy in policies)
        return bool(self.contact_rules) or bool(self.feeds.named) or asks

    def policy_of(self, route: Route) -> Policy:
        """Return the rules of a route: its own, over those of the policy that it names."""
        own = route.policy
        if isinstance(own, str):
            return self.policies[own]
        return own.over(self.policies[own.base] if own.base else Policy())

    def lane_of(self, campaign: str) -> str:
        """The quota, and so the lane, of a campaign that makes calls.

        Raises `KeyError` for an unknown one.
        """
        return self.vendors[self.campaigns[campaign].vendor].quota

    def campaigns_of(self, lane: str) -> dict[str, Campaign]:
        """A lane's campaigns by name, in the config's order."""
        return {
            name: campaign for name, campaign in self.called.items() if self.lane_of(name) == lane
        }
