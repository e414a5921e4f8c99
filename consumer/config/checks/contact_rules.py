"""Checks what the contact rules of a config amount to: a store, windows, priorities."""

from __future__ import annotations

from collections.abc import Mapping

from consumer.config.checks.model_findings import ModelFindings
from consumer.config.contact_sections import ContactRule
from consumer.config.document import Path, Source
from consumer.config.durations import duration_text
from consumer.config.models import Config
from consumer.errors import Problem
from consumer.records.channel import Channel

_TWO_LINES = (
    "add: contacts: {store: {type: sqlite, path: /var/lib/survey-dispatcher/contacts.sqlite}}, or "
    '{type: valkey, url: "${file:/run/secrets/valkey-url}"} for several processes'
)


def contact_findings(config: Config, source: Source) -> tuple[list[Problem], list[Problem]]:
    """Return problems and warnings of contact rules, feeds and what routes do to them."""
    found = ModelFindings(source)
    if config.counts_contacts and config.contacts is None:
        found.problem(("contacts",), "is required by rules that remember who was asked", _TWO_LINES)
    if config.contacts is not None and not config.counts_contacts:
        found.warn(("contacts",), "has no effect without contact rules, feeds, pace or deduplicate")
    for name, rule in config.contact_rules.items():
        here: Path = ("contact_rules", name)
        keep = config.contacts.keep if config.contacts else None
        if keep is not None and rule.within is not None and rule.within > keep:
            message = f"looks back further than contacts are kept: {duration_text(keep)}"
            found.problem((*here, "within"), message, "lengthen contacts.keep")
        if rule.counts and rule.counts.of == "responses" and config.feeds.responses is None:
            found.problem((*here, "counts"), "needs feeds.responses, by which answers are known")
    for cycle in _cycles(config.contact_rules):
        found.problem(("contact_rules", cycle[0], "instead_of"), "goes round: " + " → ".join(cycle))
    _links(config, found)
    _priorities(config, found)
    return found.unique()


def _cycles(rules: Mapping[str, ContactRule]) -> list[list[str]]:
    """Return the cycles of `instead_of`, each once: of such rules none would hold."""
    found: list[list[str]] = []
    for name in rules:
        path = [name]
        while following := [other for other in rules[path[-1]].instead_of if other in rules]:
            path.append(following[0])
            if following[0] == name:
                if min(path) == name:
                    found.append(path)
                break
            if following[0] in path[:-1]:
                break
    return found


def _links(config: Config, found: ModelFindings) -> None:
    """Refuse contact rules for links, which are made at once and ask no store."""
    if not config.counts_contacts:
        return
    for index, route in enumerate(config.routes):
        links = [name for name in route.campaigns if config.campaigns[name].channel is Channel.LINK]
        if links and route.contact != "off":
            message = f"campaign '{links[0]}' makes a link, at once: no contact rule can hold it"
            found.problem(("routes", index, "contact"), message, "write off, in a route of its own")


def _waiting(config: Config) -> bool:
    """Tell whether invitations wait together: for a due time, or for a permit of a limit."""
    policies = [config.policy_of(route) for route in config.routes]
    limited = any(config.quotas[lane].limits for lane in config.lanes)
    return limited or any(policy.delay or policy.needs_zone for policy in policies)


def _priorities(config: Config, found: ModelFindings) -> None:
    """Warn of priorities that never meet: an invitation that is due at once is sealed at once."""
    routes = config.routes
    if len({route.priority for route in routes}) < 2:
        return
    if not config.contact_rules:
        index = next(i for i, route in enumerate(routes) if "priority" in route.model_fields_set)
        found.warn(("routes", index, "priority"), "has no effect without contact_rules")
    elif not _waiting(config):
        index = next(i for i, route in enumerate(routes) if "priority" in route.model_fields_set)
        message = "has hardly an effect: nothing delays invitations, so the first is sent at once"
        found.warn(("routes", index, "priority"), message, "give the policies a delay")
