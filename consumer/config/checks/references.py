"""Cross checks of everything but the routes: settings, quotas, vendors, campaigns, inputs."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from consumer.config.checks.findings import Findings
from consumer.config.checks.links import check_link
from consumer.config.checks.messages import one_of
from consumer.config.kafka_settings import (
    SMALLEST,
    plain_name,
    plain_names,
    servers_problem,
    why_owned,
)
from consumer.config.sections import OPTION_KEYS
from consumer.config.topic_names import BRANCHES, TAILS, Topics, as_kafka
from consumer.records.channel import Channel
from consumer.routing.decoding.formats import SCHEMA_FORMATS
from consumer.vendors.http_batch.answer_rules import BY_RULE
from consumer.vendors.registry import VENDORS

_IN_DOUBT: Final = "with a 2xx these codes end `unknown`: some of the call may have been invited"
_WAYS: Final = (
    "name the status of such a refusal as well, as in status: [422]; or, if such a 2xx invites "
    "no customer, the codes of a success: success: {code: [...]}"
)


def check_vendor(findings: Findings, vendor: str) -> None:
    """Add inconsistencies within the account to `findings`."""
    findings.refers(("vendors", vendor, "quota"), "quotas")
    if findings.text("vendors", vendor, "type") == "http_batch":
        _codes_of_success(findings, vendor)


def _codes_of_success(findings: Findings, vendor: str) -> None:
    """Warn of a rule's code that may come with a success for the rest of the call.

    Skipped if `success` names codes of its own, if codes stand in `failed_entries`, or if the rule
    names the refusal's status.
    """
    told = findings.at("vendors", vendor, "failed_entries", "code")
    if told or any(findings.texts("vendors", vendor, "success", "code")):
        return
    for rule in BY_RULE:
        path = ("vendors", vendor, rule, "code")
        if any(findings.texts(*path)) and not findings.at("vendors", vendor, rule, "status"):
            findings.warn(path, _IN_DOUBT, _WAYS)


SERVERS = "bootstrap.servers"
STAGES = frozenset(
    {"router", "ladder", "delay", "delayed", "admin", "operator", "contacts", "feeds"}
)
"""Forbidden quota names: other parts of the program have them in metrics, health and logs, and
topic names end with them."""


def check_references(findings: Findings) -> None:
    """Add inconsistencies outside the routes to `findings`."""
    _application(findings)
    _kafka(findings)
    _quotas(findings)
    for vendor in findings.mapping("vendors"):
        check_vendor(findings, vendor)
    for campaign in findings.mapping("campaigns"):
        _campaign(findings, campaign)
    _inputs(findings)
    _unused(findings)


def _kafka(findings: Findings) -> None:
    settings = findings.mapping("kafka")
    names: dict[str, str] = {}
    for name in settings:
        owned, first = why_owned(name), names.setdefault(plain_name(name), name)
        if owned is not None:
            findings.problem(("kafka", name), owned, "leave it out")
        elif first != name:
            findings.problem(("kafka", name), f"is librdkafka's other name for '{first}'")
        _smallest(findings, name)
    _token_source(findings)
    if isinstance(findings.at("kafka"), dict) and SERVERS not in names:
        findings.problem(("kafka", SERVERS), "is required", "host:port,host:port")
    servers = findings.text("kafka", names.get(SERVERS, SERVERS))
    if servers is not None and (problem := servers_problem(servers)):
        findings.problem(("kafka", names[SERVERS]), problem)
    if names.get(SERVERS, SERVERS) != SERVERS:
        findings.problem(("kafka", names[SERVERS]), "is an old name", f"write {SERVERS}")


def _token_source(findings: Findings) -> None:
    """Check that OAUTHBEARER has a method for its tokens: a config cannot hold a token function."""
    settings = plain_names({name: str(value) for name, value in findings.mapping("kafka").items()})
    method = settings.get("sasl.oauthbearer.method", "default")
    unsecured = settings.get("enable.sasl.oauthbearer.unsecure.jwt", "").lower() == "true"
    if settings.get("sasl.mechanisms") == "OAUTHBEARER" and method == "default" and not unsecured:
        path = ("kafka", "sasl.oauthbearer.method")
        findings.problem(path, "is required with OAUTHBEARER", "write oidc")


def _smallest(findings: Findings, name: str) -> None:
    least, value = SMALLEST.get(name), str(findings.at("kafka", name))
    if least is not None and value.isdecimal() and int(value) < least:
        message = f"expected at least {least}: a record of the program would never fit"
        findings.problem(("kafka", name), message)


def _application(findings: Findings) -> None:
    """Refuse a name that would share topics with the lanes of an application of shorter name."""
    name = findings.text("application_id")
    for branch in sorted(BRANCHES):
        if name is not None and f".{branch}." in f"{name}.".replace("_", "."):
            prefix = name.replace("_", ".").partition(f".{branch}.")[0].removesuffix(f".{branch}")
            message = f"has '{branch}' behind a dot or _: names of an application '{prefix}' do so"
            findings.problem(("application_id",), message, "leave it out")


def _quotas(findings: Findings) -> None:
    seen: dict[str, str] = {}
    for name in findings.mapping("quotas"):
        if name in STAGES:
            message = "is the name of another part of the program in metrics and health"
            findings.problem(("quotas", name), message, "call the quota something else")
        if as_kafka(name) in map(as_kafka, TAILS):
            message = "is how a topic of every application ends"
            findings.problem(("quotas", name), message, "call the quota something else")
        # Kafka refuses two topics whose names differ in . and _ only.
        first = seen.setdefault(as_kafka(name), name)
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
    for key in sorted(OPTION_KEYS.difference(VENDORS[kind].CampaignOptions.model_fields)):
        if findings.at(*here, key) is not None:
            findings.problem((*here, key), f"a vendor of type {kind} has no such key")
    check_link(findings, campaign)


def _registry(findings: Findings, name: str) -> None:
    """Refuse an input that needs the registry, in a config without one, or a missing library."""
    here = ("inputs", name)
    kind = findings.text(*here, "format")
    validates = kind == "json_schema" and findings.at(*here, "validate") is True
    needs = kind in SCHEMA_FORMATS and not findings.at(*here, "descriptors")
    if (needs or validates) and not findings.at("registry"):
        message = f"format {kind} needs the schema registry of the events"
        hint = "add `registry: {url: …}`"
        if kind == "protobuf":
            hint += ", or `descriptors: {file: …, message: …}`"
        findings.problem((*here, "format" if needs else "validate"), message, hint)
    if validates and find_spec("jsonschema_rs") is None:
        hint = "pip install 'survey-dispatcher[json-schema]'"
        findings.problem((*here, "validate"), "needs a library that is not installed", hint)


def _inputs(findings: Findings) -> None:
    topics = []
    own = Topics(findings.text("application_id") or "")
    for name in findings.mapping("inputs"):
        for key in ("id", "time"):
            findings.expression("inputs", name, "event", key)
        findings.expression("inputs", name, "body")
        _registry(findings, name)
        findings.pattern("inputs", name, "skip")
        for path, topic in findings.texts("inputs", name, "topics"):
            topics.append((path, topic))
            if own.application_id and own.owns(topic):
                message = f"topics that begin with '{own.application_id}.' are the program's own"
                findings.problem(path, message)
            elif own.application_id and own.hides(topic):
                message = "Kafka takes this for a topic of the program: they differ in . and _ only"
                findings.problem(path, message)
            elif topic.startswith("__") or topic in {".", ".."}:
                findings.problem(path, "is no topic of events: Kafka keeps its own matters so")
    findings.repeated(topics, "read already: a topic stands in one input, once")


def _unused(findings: Findings) -> None:
    campaigns = findings.mapping("campaigns")
    vendors = findings.mapping("vendors")
    routes = findings.routes()
    used: dict[str, set[str | None]] = {
        "quotas": {findings.text("vendors", name, "quota") for name in vendors},
        "vendors": {findings.text("campaigns", name, "vendor") for name in campaigns},
        "campaigns": {name for i in routes for _, name in findings.sent(("routes", i))},
        "inputs": {findings.text("routes", i, "input") for i in routes},
    }
    for section, names in used.items():
        for name in findings.mapping(section):
            if name not in names:
                findings.warn((section, name), "nothing uses this")
