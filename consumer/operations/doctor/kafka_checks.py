"""Checks of Kafka: broker, topics, rights, transactions, and whose the application's id is.

No record is written. One trace remains: the transactional id `<application_id>.doctor`, which the
brokers forget after a week (`transactional.id.expiration.ms`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from consumer.config.models import Config
from consumer.errors import KafkaSessionError
from consumer.kafka import topics
from consumer.kafka.clients import KafkaClients, admin_client
from consumer.kafka.errors import describe
from consumer.kafka.lane_logs import orphans
from consumer.kafka.queries import committed_texts, members
from consumer.kafka.reachability import unreachable
from consumer.kafka.rights import missing_group_rights, missing_topic_rights
from consumer.operations.doctor.finding import Check, Finding, State, run_checks

WAIT: Final = 10.0
"""Seconds for a transactional id's first answer."""

_RIGHTS: Final = 'give the missing rights: "Topics and retention" of docs/operations.md lists all'
_TOPICS: Final = "`survey-dispatcher topics --create` makes and mends the program's own"
_OF_OTHERS: Final = "the owner of the events makes it; to try: `topics --create --inputs`"


def kafka_checks(config: Config) -> Iterator[Finding]:
    """Yield the findings about Kafka; without a broker only that there is none."""
    where = config.kafka.get("bootstrap.servers", "")
    trouble = unreachable(config.kafka)
    if trouble is not None:
        yield Finding("kafka", State.FAILED, f"no broker at {where}: {trouble.why}", trouble.check)
        yield Finding("topics, rights, transactions", State.SKIPPED, "without a broker")
        return
    client = admin_client(config.kafka)
    brokers = len(client.list_topics(timeout=WAIT).brokers)
    yield Finding("kafka", State.OK, f"{brokers} broker{'s' * (brokers != 1)} at {where}")
    yield from run_checks(
        [
            Check("topics", lambda: _topics(client, config)),
            Check("rights", lambda: _rights(client, config)),
            Check("transactions", lambda: _transactions(config)),
            Check("application_id", lambda: _application(client, config)),
        ]
    )


def _topics(client: AdminClient, config: Config) -> Iterator[Finding]:
    own, needed = topics.own_topics(config), topics.needed_topics(config)
    found = topics.problems(client, needed, config.input_topics, config.feed_topics)
    for problem in found:
        foreign = problem.startswith(("input topic", "feed topic"))
        yield Finding("topics", State.FAILED, problem, _OF_OTHERS if foreign else _TOPICS)
    optional = [spec for spec in own if spec not in needed]
    for problem in topics.problems(client, optional, ()):
        yield Finding("topics", State.WARNING, problem, _TOPICS)
    if not found:
        yield Finding("topics", State.OK, f"{len(own)} of its own, {len(config.input_topics)} read")
        if (why := topics.retention_problem(client, config)) is not None:
            yield Finding("topics", State.WARNING, why, "raise retention.ms of that topic")


def _rights(client: AdminClient, config: Config) -> Iterator[Finding]:
    read = [*config.input_topics, *config.feed_topics]
    own = [spec.name for spec in topics.own_topics(config)]
    missing = [
        *missing_topic_rights(client, read, own),
        *missing_group_rights(client, _group(config)),
    ]
    for lack in missing:
        state = State.FAILED if lack.needed else State.WARNING
        yield Finding("rights", state, lack.text, _RIGHTS)
    if not missing:
        yield Finding("rights", State.OK, "on topics and groups")


def _transactions(config: Config) -> Iterator[Finding]:
    name = f"{config.application_id}.doctor"
    producer = KafkaClients(config.kafka).producer(name)
    try:
        producer.init_transactions(WAIT)
    except KafkaException as error:
        found = f"transactional id {name}: {describe(error)}"
        yield Finding("transactions", State.FAILED, found, _RIGHTS)
    else:
        yield Finding("transactions", State.OK, f"transactional ids {config.application_id}.…")


def _application(client: AdminClient, config: Config) -> Iterator[Finding]:
    """Look for traces of another config with the same `application_id`."""
    own = config.topics
    try:
        running, read = members(client, _group(config)), committed_texts(client, _group(config))
    except KafkaSessionError as error:  # without the right there is a finding about rights
        yield Finding("application_id", State.SKIPPED, str(error))
        return
    known = {*config.input_topics, *(spec.name for spec in topics.own_topics(config))}
    foreign = sorted(set(read) - known)
    lanes = orphans(client, own, config.lanes)
    if foreign:
        found = f"group {_group(config)} also has offsets of {', '.join(foreign)}"
        yield Finding("application_id", State.WARNING, found, _two_configs(config, "inputs"))
    if lanes:
        found = f"topics of lanes that the config lacks: {', '.join(lanes)}"
        remedy = f"{_two_configs(config, 'quotas')}; `survey-dispatcher lanes list` shows them"
        yield Finding("application_id", State.WARNING, found, remedy)
    if not (foreign or lanes):
        state = f"{running} members of its group" if running else "no process runs with it"
        yield Finding("application_id", State.OK, f"{config.application_id}: {state}")


def _two_configs(config: Config, section: str) -> str:
    return (
        f"another config uses application_id {config.application_id}: choose another one; or these "
        f"left `{section}` of this config on purpose"
    )


def _group(config: Config) -> str:
    return config.topics.router_group
