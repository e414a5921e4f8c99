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
from consumer.routing.link_responses import RESPONSES, SOURCE

_OF_CALLS = ("required", "window", "in_doubt", "max_attempts", "bisect_calls", *sorted(OPTION_KEYS))
_ADDRESSES = ("phone", "email")


def check_link(findings: Findings, campaign: str) -> None:
    """Check a campaign's link: missing, misplaced or invalid, and settings without effect."""
    here: Path = ("campaigns", campaign)
    channel = findings.text(*here, "channel")
    there = findings.source.at((*here, "link")) is not None
    _check_responses(findings, here, channel)
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


def _check_responses(findings: Findings, here: Path, channel: str | None) -> None:
    path = (*here, "responses")
    if findings.source.at(path) is None:
        return
    if channel != Channel.LINK and channel in set(Channel):
        findings.problem(path, "belongs to a campaign with `channel: link`", "leave it out")
    template = findings.link(str(here[-1]))
    if template is not None and RESPONSES not in template.names:
        findings.problem(path, "the link has no {responses}", "add responses={responses} to it")


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
    if findings.at("campaigns", campaign, "responses") is not None and SOURCE in data:
        given.append(RESPONSES)
    for name in template.names if template else ():
        if name in given or (name not in GIVEN and entry_of(data, name) is not None):
            continue
        if name in GIVEN:
            where, hint = "recipient", "say where the event has it"
        elif name == RESPONSES and findings.at("campaigns", campaign, "responses") is not None:
            where, hint = "data", f"{name} are the values of `{SOURCE}`: add it"
        else:
            where, hint = "data", one_of(name, [*names_in(data), *given])
        message = findings.resolved.scrub(f"route '{route}' has no '{name}' under `{where}`")
        findings.problem(("campaigns", campaign, "link"), message, hint)
