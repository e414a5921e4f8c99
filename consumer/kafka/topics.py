"""The program's own topics: their required settings, creation and checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_exponential

from consumer.config.models import Config
from consumer.config.topic_names import Topics
from consumer.errors import TopicsError
from consumer.kafka.client_settings import MESSAGE_MAX_BYTES
from consumer.kafka.errors import describe
from consumer.lane.state.delay_steps import STEPS

WAIT = 15.0

SHOWN_WITHIN = 30.0
"""Seconds that the brokers have to show a newly created topic."""

BATCH_BYTES = 1024 * 1024
"""Most that the producer gathers into one batch (librdkafka's `batch.size`: 1,000,000). It exceeds
the largest invitation or result (256 KiB)."""

CHECKPOINT_MAX_BYTES = 8 * 1024 * 1024
"""Largest checkpoint: the limit of its topic, and the size of a segment of its log."""

COMMANDS_KEPT = 24 * 3600 * 1000
"""Retention of operator commands (ms); a command lapses much earlier."""

UPLOADS_KEPT = 30 * 24 * 3600 * 1000
"""Retention of uploaded rows (ms): they are personal data, and a row is routed at once."""

BROKERS_KEEP = 7 * 86400.0
"""The brokers' default retention in seconds, below which no retention of ours goes."""

PAST_LIMITS = ("message.timestamp.before.max.ms", "message.timestamp.difference.max.ms")
"""Settings that limit a record's age in a topic: since Kafka 3.6, and before 4.0."""


_ANSWERED = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.POLICY_VIOLATION,
    KafkaError.INVALID_CONFIG,
)
"""Error codes that prove that a broker answered."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as the program needs it, created with `settings`.

    `checked`: the settings that guarantees rest on. `at_least`: minimums of numeric settings, set
    by the topic or by its brokers; a setting that the brokers do not know is not checked.
    `optional`: a process starts without the topic, because older versions did not have it.
    """

    name: str
    partitions: int
    settings: Mapping[str, str] = field(default_factory=dict)
    checked: frozenset[str] = frozenset()
    exactly_one: bool = False
    at_least: Mapping[str, int] = field(default_factory=dict)
    optional: bool = False


def own_topics(config: Config, partitions: int = 6) -> list[TopicSpec]:
    """Return all topics that this config writes; `partitions` is for the results.

    docs/architecture.md, "Topics", has the same table in prose.
    """
    topics = config.topics
    forever = {"retention.ms": "-1"}
    return [
        _sized_topic(
            topics.results,
            BATCH_BYTES,
            unchecked=_kept_results(config),
            partitions=partitions,
            exactly_one=False,
        ),
        _sized_topic(topics.dead_letters, MESSAGE_MAX_BYTES, unchecked=forever, exactly_one=False),
        _sized_topic(topics.replayed, MESSAGE_MAX_BYTES, forever, exactly_one=False),
        TopicSpec(
            topics.commands,
            1,
            {"retention.ms": str(COMMANDS_KEPT), "cleanup.policy": "delete"},
            frozenset({"cleanup.policy"}),
            exactly_one=True,
            optional=True,
        ),
        pauses_topic(topics.pauses),
        *upload_topics(topics),
        *(
            _sized_topic(
                topics.delayed(step),
                BATCH_BYTES,
                {"message.timestamp.type": "LogAppendTime", **forever},
            )
            for step in STEPS
        ),
        *(spec for lane in config.lanes for spec in _lane_topics(config, lane)),
        *([_contacts_topic(config)] if config.contacts else []),
    ]


def _kept_results(config: Config) -> dict[str, str]:
    """Return with which retention the results topic is created: a lost contact store is read again
    from it."""
    if config.contacts is None:
        return {}
    return {"retention.ms": str(int(max(config.contacts.keep, BROKERS_KEEP) * 1000))}


def _contacts_topic(config: Config) -> TopicSpec:
    return TopicSpec(
        config.topics.contacts,
        1,
        {"cleanup.policy": "compact", "retention.ms": "-1", "message.timestamp.type": "CreateTime"},
        frozenset({"cleanup.policy"}),
        exactly_one=True,
    )


def pauses_topic(name: str) -> TopicSpec:
    """Return the topic of pauses by command: one that forgets would resume by itself."""
    checked = {"cleanup.policy": "compact"}
    return TopicSpec(name, 1, checked, frozenset(checked), exactly_one=True, optional=True)


def upload_topics(topics: Topics) -> list[TopicSpec]:
    """Return the topics of `send-csv`. The identities of sent rows are kept for ever: a file that
    is sent again must find them."""
    kept = {"cleanup.policy": "compact"}
    return [
        replace(
            _sized_topic(
                topics.uploads,
                BATCH_BYTES,
                {"cleanup.policy": "delete"},
                {"retention.ms": str(UPLOADS_KEPT)},
            ),
            optional=True,
        ),
        TopicSpec(topics.uploaded, 1, kept, frozenset(kept), exactly_one=True, optional=True),
    ]


def needed_topics(config: Config) -> list[TopicSpec]:
    """Return the topics without which a process does not start."""
    return [spec for spec in own_topics(config) if not spec.optional]


def _lane_topics(config: Config, lane: str) -> list[TopicSpec]:
    return [
        _sized_topic(
            config.topics.invitations(lane),
            BATCH_BYTES,
            {
                "retention.ms": "-1",
                "retention.bytes": "-1",
                "cleanup.policy": "delete",
                "message.timestamp.type": "CreateTime",
            },
            at_least=dict.fromkeys(PAST_LIMITS, _longest_wait(config)),
        ),
        _sized_topic(
            config.topics.checkpoints(lane),
            CHECKPOINT_MAX_BYTES,
            {"cleanup.policy": "compact"},
            {
                "message.timestamp.type": "LogAppendTime",
                "segment.bytes": str(CHECKPOINT_MAX_BYTES),
                "min.cleanable.dirty.ratio": "0.01",
            },
        ),
    ]


def _sized_topic(
    name: str,
    largest: int,
    checked: Mapping[str, str] = MappingProxyType({}),
    unchecked: Mapping[str, str] = MappingProxyType({}),
    at_least: Mapping[str, int] = MappingProxyType({}),
    *,
    partitions: int = 1,
    exactly_one: bool = True,
) -> TopicSpec:
    """Return a topic whose limit and log segments take a batch of so many bytes."""
    settings = {**checked, "max.message.bytes": str(largest), **unchecked}
    limits = {"max.message.bytes": largest, "segment.bytes": largest, **at_least}
    return TopicSpec(name, partitions, settings, frozenset(checked), exactly_one, limits)


def _longest_wait(config: Config) -> int:
    """Return the oldest record timestamp that a lane's topic must take, as an age in ms. A record
    that returns from a delay topic carries its arrival time."""
    longest = max((config.policy_of(route).expire_after for route in config.routes), default=0.0)
    return int((longest + 86400.0) * 1000)


def create(client: AdminClient, specs: Sequence[TopicSpec], replication: int = -1) -> list[str]:
    """Create missing topics; return the names created. Raises TopicsError."""
    new = [
        NewTopic(spec.name, spec.partitions, replication, config=dict(spec.settings))
        for spec in specs
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


@contextmanager
def _answers(doing: str) -> Iterator[None]:
    """Translate an administration client's exceptions to TopicsError."""
    try:
        yield
    except KafkaException as error:
        why = f"{doing}: {describe(error)}"
        hint = "" if error.args[0].code() in _ANSWERED else "; is Kafka at `bootstrap.servers`?"
        raise TopicsError(why + hint) from error
    except TimeoutError:
        raise TopicsError(f"{doing}: Kafka did not answer in time") from None


@_answers("reading the topics")
def wait_until_shown(client: AdminClient, names: Sequence[str]) -> None:
    """Wait until the brokers show these topics, just created. Raises TopicsError.

    The controller creates a topic and each broker learns of it separately, so the next request may
    reach a broker that does not know it yet.
    """
    _wait_until_none("created", lambda: _not_shown(client, names))


def _wait_until_none(done: str, hidden: Callable[[], list[str]]) -> None:
    """Wait until the brokers hide nothing of what was `done`. Raises TopicsError."""
    patience = Retrying(
        retry=retry_if_result(bool),
        stop=stop_after_delay(SHOWN_WITHIN),
        wait=wait_exponential(multiplier=0.05, max=1.0),
    )
    try:
        patience(hidden)
    except RetryError as error:
        raise TopicsError(
            f"{done}, but not shown by the brokers within {SHOWN_WITHIN:.0f} s: "
            f"{', '.join(error.last_attempt.result())}; look again with `survey-dispatcher topics`"
        ) from None


def _not_shown(client: AdminClient, names: Sequence[str]) -> list[str]:
    """Return the topics whose metadata or settings are not visible yet."""
    known = client.list_topics(timeout=WAIT).topics
    hidden = [name for name in names if name not in known or not known[name].partitions]
    if hidden or not names:
        return hidden
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    for resource, future in client.describe_configs(asked, request_timeout=WAIT).items():
        try:
            future.result(WAIT)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
            hidden.append(resource.name)
    return hidden


@_answers("reading the topics")
def problems(
    client: AdminClient,
    specs: Sequence[TopicSpec],
    inputs: Sequence[str],
    feeds: Sequence[str] = (),
) -> list[str]:
    """Return what is wrong with the topics, one sentence each. Raises TopicsError."""
    known = client.list_topics(timeout=WAIT).topics
    found = [f"input topic {name} does not exist" for name in inputs if name not in known]
    found += [f"feed topic {name} does not exist" for name in feeds if name not in known]
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


@_answers("reading the retention of results")
def retention_problem(client: AdminClient, config: Config) -> str | None:
    """Return what it means that results are deleted before contacts are forgotten; None if they
    are not. Raises TopicsError."""
    if config.contacts is None:
        return None
    asked = ConfigResource(ResourceType.TOPIC, config.topics.results)
    (future,) = client.describe_configs([asked], request_timeout=WAIT).values()
    kept = int(future.result(WAIT)["retention.ms"].value) / 1000
    if kept < 0 or kept >= config.contacts.keep:
        return None
    return (
        f"topic {config.topics.results} keeps results for {kept / 86400:.3g} days, and "
        f"contacts.keep is {config.contacts.keep / 86400:.3g}: a contact store that is lost or new "
        "does not know older surveys, and persons may be asked again too soon; raise retention.ms"
    )


def _setting_problems(client: AdminClient, specs: Sequence[TopicSpec]) -> list[str]:
    return [
        f"topic {spec.name} has {key}={value}; {'at least' if least else 'it must be'} {wanted}"
        for spec, unfit in _unfit(client, specs)
        for key, value, wanted, least in unfit
    ]


@_answers("raising topics' limits")
def raise_limits(client: AdminClient, specs: Sequence[TopicSpec]) -> list[str]:
    """Raise the limits of these topics that are too small; return the changes. Raises TopicsError.
    Other unfit settings may be intended: they are only reported."""
    changed = []
    for spec, unfit in _unfit(client, specs):
        low = {key: wanted for key, _, wanted, least in unfit if least}
        entries = [
            ConfigEntry(key, wanted, incremental_operation=AlterConfigOpType.SET)
            for key, wanted in low.items()
        ]
        asked = ConfigResource(ResourceType.TOPIC, spec.name, incremental_configs=entries)
        for future in client.incremental_alter_configs([asked]).values() if low else ():
            future.result(WAIT)
        changed += [f"{spec.name}: {key}={wanted}" for key, wanted in low.items()]
    if changed:
        _wait_until_none("raised", lambda: _low_limits(client, specs))
    return changed


def _low_limits(client: AdminClient, specs: Sequence[TopicSpec]) -> list[str]:
    """Return the limits that a broker still shows too small: it learns of a change later than the
    controller, which answers."""
    return [
        f"{spec.name}: {key}"
        for spec, unfit in _unfit(client, specs)
        for key, _, _, least in unfit
        if least
    ]


Unfit = tuple[str, str, str, bool]
"""A setting, its value, the value that it needs, and whether a larger value is as good."""


def _unfit(
    client: AdminClient, specs: Sequence[TopicSpec]
) -> Iterator[tuple[TopicSpec, list[Unfit]]]:
    """Yield the topics with unfit settings."""
    checked = {spec.name: spec for spec in specs if spec.checked or spec.at_least}
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in checked]
    if not asked:
        return
    for resource, future in client.describe_configs(asked, request_timeout=WAIT).items():
        spec = checked[resource.name]
        actual = {key: str(entry.value) for key, entry in future.result(WAIT).items()}
        found = [
            (key, actual[key], spec.settings[key], False)
            for key in sorted(spec.checked)
            if actual[key] != spec.settings[key]
        ]
        found += [
            (key, actual[key], str(least), True)
            for key, least in sorted(spec.at_least.items())
            if key in actual and int(actual[key]) < least
        ]
        if found:
            yield spec, found
