"""Cross checks of the routes: match, recipient, send, data."""

from __future__ import annotations

import json
from collections.abc import Mapping

from consumer.config.checks.findings import Findings
from consumer.config.checks.links import check_route_links
from consumer.config.checks.messages import one_of
from consumer.config.document import Path
from consumer.config.durations import duration_text, parse_duration
from consumer.config.policy_sections import Policy
from consumer.config.sections import Window
from consumer.records.channel import Channel, ChannelSpec
from consumer.routing.expressions import ITEM
from consumer.routing.link import entry_of, names_in
from consumer.routing.recipients.recipients import known_region

_ADDRESSES = ("phone", "email")


def check_routes(findings: Findings) -> None:
    """Add problems and warnings about the routes to `findings`."""
    names = ((("routes", i, "name"), findings.text("routes", i, "name")) for i in findings.routes())
    findings.repeated(
        ((path, name) for path, name in names if name is not None), "the name of a route already"
    )
    for index in findings.routes():
        _route(findings, ("routes", index))


def _route(findings: Findings, here: Path) -> None:
    findings.refers((*here, "input"), "inputs")
    for path, name in findings.sent(here):
        findings.names(path, name, "campaigns")
    # A branch of a split may stand again behind it, for customers that the chosen one cannot reach.
    findings.repeated(findings.texts(*here, "send"), "in this list already")
    findings.pattern(*here, "match")
    findings.expression(*here, "for_each")
    for address in _ADDRESSES:
        findings.expression(*here, "recipient", address)
    _items(findings, here)
    _region(findings, (*here, "phone_region"))
    sent = list(dict.fromkeys(name for _, name in findings.sent(here)))
    specs = {name: spec for name in sent if (spec := findings.spec(name)) is not None}
    _reach(findings, here, specs)
    _country_codes(findings, here, specs)
    _testers(findings, here, specs)
    _data(findings, here, specs)
    if specs and len(specs) == len(sent) and _all_named(findings, here):
        _data_names(findings, here, specs)
    _waits(findings, here, sent)
    check_route_links(findings, here)


def _all_named(findings: Findings, here: Path) -> bool:
    """Return whether each entry of `send` names a campaign, or several: none is of a wrong type."""
    entries = findings.at(*here, "send")
    named = {path[: len(here) + 2] for path, _ in findings.sent(here)}
    return isinstance(entries, list) and len(named) == len(entries)


def _items(findings: Findings, here: Path) -> None:
    """Refuse `$item` where there is none: it would be null for ever."""
    pattern = json.dumps(findings.mapping(*here, "match"))
    if ITEM in pattern:
        message = f"{ITEM} is not there yet: events are matched before `for_each`"
        findings.problem((*here, "match"), message, "choose items in `for_each`: list[?a == 'b']")
    rest = {key: findings.at(*here, key) for key in ("recipient", "data", "policy")}
    if findings.at(*here, "for_each") is None and ITEM in json.dumps(rest, default=str):
        message = f"is missing: {ITEM} is an item of its list"
        findings.problem((*here, "for_each"), message, "JMESPath to the list, as in travellers")


def _region(findings: Findings, path: Path) -> None:
    region = findings.text(*path)
    if region is not None and not known_region(region):
        message = f"'{findings.source.at(path)}' is not a region"
        upper = f"did you mean '{region.upper()}'?" if known_region(region.upper()) else ""
        findings.problem(path, message, upper or "expected two capital letters, as in TR")


def _country_codes(findings: Findings, here: Path, specs: Mapping[str, ChannelSpec]) -> None:
    """Warn of a missing `phone_region`: customers write numbers without a country code."""
    phone = findings.at(*here, "recipient", "phone")
    called = any("phone" in spec.addresses and not spec.anyone for spec in specs.values())
    if phone is not None and called and findings.source.at((*here, "phone_region")) is None:
        message = "is missing: a number without a country code, such as 0532 123 45 67, is rejected"
        findings.warn((*here, "phone_region"), message, "two capital letters, as in TR")


def _reach(findings: Findings, here: Path, specs: Mapping[str, ChannelSpec]) -> None:
    known = {kind for kind in _ADDRESSES if findings.at(*here, "recipient", kind) is not None}
    if not known or not specs:
        return
    unreached = [
        name
        for name, spec in specs.items()
        if not (spec.anyone or known.intersection(spec.addresses))
    ]
    if len(unreached) == len(specs):
        needed = sorted({kind for spec in specs.values() for kind in spec.addresses})
        message = "no campaign of `send` can reach this recipient"
        findings.problem((*here, "recipient"), message, f"they need: {' or '.join(needed)}")
        return
    for path, name in findings.sent(here):
        if name in unreached:
            needed = list(specs[name].addresses)
            findings.warn(path, "never chosen", f"`recipient` lacks {' or '.join(needed)}")


def _testers(findings: Findings, here: Path, specs: Mapping[str, ChannelSpec]) -> None:
    """Check that the surveys of `mode: redirect` reach a tester by every campaign."""
    testers = findings.mapping(*here, "testers")
    for name, spec in specs.items():
        if testers and not spec.anyone and testers.keys().isdisjoint(spec.addresses):
            hint = f"it needs {' or '.join(spec.addresses)}"
            findings.problem((*here, "testers"), f"campaign '{name}' can reach none", hint)


def _data(findings: Findings, here: Path, specs: Mapping[str, ChannelSpec]) -> None:
    """Check the expressions, and the fields that a vendor requires."""
    for key in findings.mapping(*here, "data"):
        findings.expression(*here, "data", key)
        for name in findings.mapping(*here, "data", key):
            findings.expression(*here, "data", key, name)
    for campaign, spec in specs.items():
        for key in sorted(spec.required.difference(findings.mapping(*here, "data"))):
            message = f"is required: campaign '{campaign}' cannot be sent without it"
            findings.problem((*here, "data", key), message)
        _campaign_data(findings, here, campaign, spec)


def _campaign_data(findings: Findings, here: Path, campaign: str, spec: ChannelSpec) -> None:
    """Check what the campaign itself requires, and what the account requires for some places."""
    data = findings.mapping(*here, "data")
    route = findings.source.at((*here, "name"))
    for path, name in findings.texts("campaigns", campaign, "required"):
        if entry_of(data, name) is None:
            message = findings.resolved.scrub(f"route '{route}' has no '{name}' under `data`")
            findings.problem(path, message, one_of(name, names_in(data)))
    for listed in spec.listed:
        if listed.field not in data:
            message = f"is missing: campaign '{campaign}' needs it for some {listed.by}"
            place: Path = (*here, "data", listed.field)
            findings.warn(place, message, "see the account of its vendor")


def _data_names(findings: Findings, here: Path, specs: Mapping[str, ChannelSpec]) -> None:
    """Check that a vendor of `send` takes each key, as a field (one value) or as a map."""
    fields = frozenset[str]().union(*(spec.fields for spec in specs.values()))
    maps = frozenset[str]().union(*(spec.maps for spec in specs.values()))
    for key, value in findings.mapping(*here, "data").items():
        path = (*here, "data", key)
        if key not in fields | maps:
            message = "no vendor of this route's campaigns takes this"
            findings.problem(path, message, one_of(key, sorted(fields | maps)))
        elif isinstance(value, dict) and key not in maps:
            findings.problem(path, "expected one JMESPath expression, found a mapping")
        elif isinstance(value, str) and key not in fields:
            findings.problem(path, "expected a mapping of names to JMESPath, found text")


def _waits(findings: Findings, here: Path, sent: list[str]) -> None:
    expires = _seconds(findings, (*here, "policy", "expire_after"), Policy().expire_after)
    for campaign in sent:
        if findings.text("campaigns", campaign, "channel") == Channel.LINK:
            continue  # a link waits for no vendor call
        path: Path = ("campaigns", campaign, "window", "max_wait")
        waits = _seconds(findings, path, Window().max_wait)
        if waits >= expires:
            message = (
                f"an invitation may wait {duration_text(waits)} for its call, and expires first"
            )
            path = (*here, "policy", "expire_after")
            findings.warn(path, message, f"see campaigns.{campaign}.window.max_wait")


def _seconds(findings: Findings, path: Path, default: float) -> float:
    try:
        return parse_duration(findings.at(*path))
    except ValueError:
        return default
