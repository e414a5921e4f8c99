"""The program's own topics: what they must be, making them, checking them, printing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without __all__
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from consumer.adapters.kafka import MESSAGE_MAX_BYTES, describe
from consumer.config.models import Config
from consumer.errors import TopicsError
from consumer.lane.ladder import STEPS

WAIT = 15.0


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as the program needs it. `checked`: settings that promises rest on."""

    name: str
    partitions: int
    settings: Mapping[str, str] = field(default_factory=dict)
    checked: frozenset[str] = frozenset()
    exactly_one: bool = False


def own_topics(config: Config, partitions: int = 6) -> list[TopicSpec]:
    """All topics that this config writes (architecture 4); `partitions` is for the results."""
    topics = config.topics
    large = {"max.message.bytes": str(MESSAGE_MAX_BYTES)}
    specs = [
        TopicSpec(topics.results, partitions),
        TopicSpec(
            topics.dead_letters,
            1,
            {**large, "retention.ms": "-1"},
            frozenset({"max.message.bytes"}),
        ),
        TopicSpec(
            topics.replayed,
            1,
            {**large, "retention.ms": "-1"},
            frozenset({"max.message.bytes", "retention.ms"}),
        ),
    ]
    specs += [
        TopicSpec(
            topics.delayed(step),
            1,
            {"message.timestamp.type": "LogAppendTime", "retention.ms": "-1"},
            frozenset({"message.timestamp.type", "retention.ms"}),
            exactly_one=True,
        )
        for step in STEPS
    ]
    for lane in config.lanes:
        specs += [
            TopicSpec(
                topics.invitations(lane),
                1,
                {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"},
                frozenset({"retention.ms", "retention.bytes", "cleanup.policy"}),
                exactly_one=True,
            ),
            TopicSpec(
                topics.checkpoints(lane),
                1,
                {
                    "cleanup.policy": "compact",
                    "segment.bytes": str(1024 * 1024),
                    "min.cleanable.dirty.ratio": "0.01",
                },
                frozenset({"cleanup.policy"}),
                exactly_one=True,
            ),
        ]
    return specs


def admin(settings: Mapping[str, str]) -> AdminClient:
    """A client for topics, with these librdkafka settings; what it says is in its errors."""
    return AdminClient({**settings, "log_level": 0})


def create(client: AdminClient, specs: Sequence[TopicSpec], replication: int = -1) -> list[str]:
    """Create what is missing; the names created. Raises TopicsError."""
    new = [
        NewTopic(each.name, each.partitions, replication, config=dict(each.settings))
        for each in specs
    ]
    created = []
    for name, future in client.create_topics(new, request_timeout=WAIT).items():
        try:
            future.result(WAIT)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise TopicsError(f"creating {name}: {describe(error)}") from error
        except TimeoutError:
            raise TopicsError(f"creating {name}: Kafka did not answer in time") from None
        else:
            created.append(name)
    return created


def problems(client: AdminClient, specs: Sequence[TopicSpec], inputs: Sequence[str]) -> list[str]:
    """What is wrong with the topics, one sentence each. Raises TopicsError without a broker."""
    try:
        return _problems(client, specs, inputs)
    except KafkaException as error:
        why = f"reading the topics: {describe(error)}; is Kafka at `bootstrap.servers`?"
        raise TopicsError(why) from error
    except TimeoutError:
        raise TopicsError("reading the topics: Kafka did not answer in time") from None


def _problems(client: AdminClient, specs: Sequence[TopicSpec], inputs: Sequence[str]) -> list[str]:
    known = client.list_topics(timeout=WAIT).topics
    found = [f"input topic {name} does not exist" for name in inputs if name not in known]
    there = []
    for spec in specs:
        if spec.name not in known:
            found.append(f"topic {spec.name} is missing")
            continue
        there.append(spec)
        number = len(known[spec.name].partitions)
        if spec.exactly_one and number != 1:
            found.append(f"topic {spec.name} has {number} partitions; it must have 1")
    return found + _setting_problems(client, there)


def topic_ids(client: AdminClient, names: Sequence[str]) -> dict[str, str]:
    """Topic name → its id: a topic that is deleted and made anew has another one."""
    futures: dict[str, Future[Any]] = client.describe_topics(
        TopicCollection(list(names)), request_timeout=WAIT
    )
    return {name: str(future.result(WAIT).topic_id) for name, future in futures.items()}


def as_commands(specs: Sequence[TopicSpec]) -> str:
    """`kafka-topics.sh` commands for those who may not let the program create topics."""
    lines = []
    for each in specs:
        settings = "".join(f" --config {key}={value}" for key, value in each.settings.items())
        lines.append(
            'kafka-topics.sh --bootstrap-server "$BOOTSTRAP" --create --if-not-exists '
            f"--topic {each.name} --partitions {each.partitions}{settings}"
        )
    return "\n".join(lines)


def as_strimzi(specs: Sequence[TopicSpec], cluster: str) -> list[dict[str, object]]:
    """Strimzi KafkaTopic resources."""
    return [
        {
            "apiVersion": "kafka.strimzi.io/v1beta2",
            "kind": "KafkaTopic",
            "metadata": {
                "name": each.name.replace("_", "-"),
                "labels": {"strimzi.io/cluster": cluster},
            },
            "spec": {
                "topicName": each.name,
                "partitions": each.partitions,
                "config": dict(each.settings),
            },
        }
        for each in specs
    ]


def _setting_problems(client: AdminClient, specs: Sequence[TopicSpec]) -> list[str]:
    checked = {each.name: each for each in specs if each.checked}
    if not checked:
        return []
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in checked]
    found = []
    for resource, future in client.describe_configs(asked, request_timeout=WAIT).items():
        spec, actual = checked[resource.name], future.result(WAIT)
        for key in sorted(spec.checked):
            wanted, value = spec.settings[key], actual[key].value
            if key == "max.message.bytes":
                if int(value) < int(wanted):
                    found.append(f"topic {spec.name} has {key}={value}; at least {wanted}")
            elif value != wanted:
                found.append(f"topic {spec.name} has {key}={value}; it must be {wanted}")
    return found
