"""Cross checks of campaigns that make links: the template, and the names that it uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from consumer.config.checks.findings import Findings
from consumer.config.checks.messages import one_of
from consumer.config.document import Path
from consumer.config.sections import OPTION_KEYS
from consumer.records.channel import Channel
from consumer.routing.link import EXAMPLE, GIVEN, compile_link, entry_of, names_in

_OF_CALLS = ("required", "window", "in_doubt", "max_attempts", "bisect_calls", *sorted(OPTION_KEYS))
_ADDRESSES = ("phone", "email")


def check_link(findings: Findings, campaign: str) -> None:
    """Check a campaign's link: missing, misplaced or invalid, and settings without effect."""
    here: Path = ("campaigns", campaign)
    channel = findings.text(*here, "channel")
    there = findings.source.at((*here, "link")) is not None
    if channel != Channel.LINK:
        if there and channel in set(Channel):
            message = "belongs to a campaign with `channel: link`"
            findings.problem((*here, "link"), message, "leave it out")
        return
    if not there:
        findings.problem((*here, "link"), "is required with `channel: link`", f"as in {EXAMPLE}")
    _compiles(findings, (*here, "link"))
    for key in _OF_CALLS:
        if findings.at(*here, key) is not None:
            message = "has no effect: a link is made without a call"
            findings.warn((*here, key), message, "leave it out")


def _compiles(findings: Findings, path: Path) -> None:
    text = findings.text(*path)
    if text:  # the models report an empty one
        try:
            compile_link(text)
        except ValueError as error:
            findings.problem(path, f"not a link: {error}", f"as in {EXAMPLE}")


def check_route_links(findings: Findings, here: Path) -> None:
    """Check that a route has every name of its links; warn of campaigns behind a link."""
    anyone = ""
    for path, campaign in findings.sent(here):
        if anyone:
            findings.warn(path, "never chosen", f"'{anyone}' stands before it and needs no address")
        if findings.text("campaigns", campaign, "channel") == Channel.LINK:
            anyone = anyone or campaign
            _names(findings, here, campaign)


def _names(findings: Findings, here: Path, campaign: str) -> None:
    template = findings.link(campaign)
    data: Mapping[str, Any] = findings.mapping(*here, "data")
    recipient = findings.mapping(*here, "recipient")
    given = [name for name in GIVEN if name not in _ADDRESSES or name in recipient]
    route = findings.source.at((*here, "name"))
    for name in template.names if template else ():
        if name in given or (name not in GIVEN and entry_of(data, name) is not None):
            continue
        if name in GIVEN:
            where, hint = "recipient", "say where the event has it"
        else:
            where, hint = "data", one_of(name, [*names_in(data), *given])
        message = findings.resolved.scrub(f"route '{route}' has no '{name}' under `{where}`")
        findings.problem(("campaigns", campaign, "link"), message, hint)
