"""Cross checks of everything but the routes: settings, quotas, vendors, campaigns, inputs."""

from __future__ import annotations

import re

from consumer.config.findings import Findings
from consumer.config.links import check_link
from consumer.config.sentences import one_of
from consumer.config.topics import Topics
from consumer.model import Channel
from consumer.vendors import VENDORS

OWNED = re.compile(
    r"isolation\.level|enable\.auto\..*|auto\.offset\.reset|transactional\..*"
    r"|transaction\.timeout\.ms|enable\.idempotence|acks|request\.required\.acks|group\..*"
    r"|client\.rack|partition\.assignment\.strategy|(message|delivery)\.timeout\.ms"
    r"|socket\.timeout\.ms|session\.timeout\.ms|heartbeat\.interval\.ms|max\.poll\.interval\.ms"
    r"|enable\.partition\.eof"
)
"""librdkafka's settings that the promises rest on: the program sets them itself."""

ROUTER = "router"

RESPONSES = "built_in_responses"


def check_references(findings: Findings) -> None:
    """Add to `findings` what does not fit together outside the routes."""
    _kafka(findings)
    _quotas(findings)
    for vendor in findings.mapping("vendors"):
        findings.refers(("vendors", vendor, "quota"), "quotas")
    for campaign in findings.mapping("campaigns"):
        _campaign(findings, campaign)
    _inputs(findings)
    _unused(findings)


def _kafka(findings: Findings) -> None:
    settings = findings.mapping("kafka")
    for name in settings:
        if OWNED.fullmatch(name):
            message = "the program sets this itself: its promises rest on it"
            findings.problem(("kafka", name), message, "leave it out")
    if isinstance(findings.at("kafka"), dict) and "bootstrap.servers" not in settings:
        findings.problem(("kafka", "bootstrap.servers"), "is required", "host:port,host:port")


def _quotas(findings: Findings) -> None:
    seen: dict[str, str] = {}
    for name in findings.mapping("quotas"):
        if name == ROUTER:
            message = "is the other stage's name in metrics and health"
            findings.problem(("quotas", name), message, "call the quota something else")
        # Kafka refuses two topics whose names differ in . and _ only.
        first = seen.setdefault(name.replace(".", "_"), name)
        if first != name:
            message = f"differs from '{first}' in . and _ only: Kafka takes their topics for one"
            findings.problem(("quotas", name), message)


def _campaign(findings: Findings, campaign: str) -> None:
    here = ("campaigns", campaign)
    findings.refers((*here, "vendor"), "vendors")
    kind = findings.vendor_type(campaign)
    if kind is None:
        return
    channel = findings.text(*here, "channel")
    offered = VENDORS[kind].channels
    if channel in set(Channel).difference(offered):
        message = (
            f"a vendor of type {kind} has no channel '{findings.source.at((*here, 'channel'))}'"
        )
        findings.problem((*here, "channel"), message, one_of(channel, offered))
    responses = any(RESPONSES in spec.maps for spec in offered.values())
    if findings.at(*here, "responses_key") is not None and not responses:
        findings.problem((*here, "responses_key"), f"a vendor of type {kind} has no such key")
    check_link(findings, campaign)


def _inputs(findings: Findings) -> None:
    topics = []
    own = Topics(findings.text("application_id") or "")
    for name in findings.mapping("inputs"):
        for key in ("id", "time"):
            findings.expression("inputs", name, "event", key)
        for path, topic in findings.texts("inputs", name, "topics"):
            topics.append((path, topic))
            if own.application_id and own.owns(topic):
                message = f"topics that begin with '{own.application_id}.' are the program's own"
                findings.problem(path, message)
    findings.repeated(topics, "read already: a topic stands in one input, once")


def _unused(findings: Findings) -> None:
    campaigns = findings.mapping("campaigns")
    vendors = findings.mapping("vendors")
    routes = findings.routes()
    used: dict[str, set[str | None]] = {
        "quotas": {findings.text("vendors", name, "quota") for name in vendors},
        "vendors": {findings.text("campaigns", name, "vendor") for name in campaigns},
        "campaigns": {name for i in routes for _, name in findings.texts("routes", i, "send")},
        "inputs": {findings.text("routes", i, "input") for i in routes},
    }
    for section, names in used.items():
        for name in findings.mapping(section):
            if name not in names:
                findings.warn((section, name), "nothing uses this")
