"""The program's own topics: brokers that hear late of a topic that was just made."""

from __future__ import annotations

import re
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from consumer.config import load
from consumer.errors import TopicsError
from consumer.kafka import topic_manifests, topics
from tests.unit.routing.test_feeds import SUPPRESSIONS, config_text


class LateBrokers:
    """Each question goes to the next broker; the topic is shown from the n-th one on."""

    def __init__(self, metadata: int, settings: int) -> None:
        self.left = {"metadata": metadata, "settings": settings}

    def _knows(self, kind: str) -> bool:
        self.left[kind] -= 1
        return self.left[kind] < 0

    def list_topics(self, **_: float) -> object:
        known = {"app.results": SimpleNamespace(partitions={0: None})}
        return SimpleNamespace(topics=known if self._knows("metadata") else {})

    def describe_configs(self, asked: list[Any], **_: float) -> dict[Any, Future[Any]]:
        answer: Future[Any] = Future()
        if self._knows("settings"):
            answer.set_result({})
        else:
            answer.set_exception(KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)))
        return dict.fromkeys(asked, answer)


@pytest.mark.parametrize("late", [(0, 0), (3, 0), (0, 3), (2, 2)])
def test_a_topic_is_waited_for_until_brokers_show_it(late: tuple[int, int]) -> None:
    brokers = LateBrokers(*late)
    topics.wait_until_shown(cast("AdminClient", brokers), ["app.results"])
    assert max(brokers.left.values()) < 0  # both were asked until they knew it


def test_a_topic_that_is_never_shown_is_said_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "SHOWN_WITHIN", 0.1)
    with pytest.raises(TopicsError, match=r"app\.results; look again with `survey-dispatcher"):
        topics.wait_until_shown(cast("AdminClient", LateBrokers(10**6, 0)), ["app.results"])


class LateSettings(LateBrokers):
    """A controller that changes a setting at once, and brokers that show it later."""

    def __init__(self, late: int) -> None:
        super().__init__(0, late)
        self.changed = False

    def describe_configs(self, asked: list[Any], **_: float) -> dict[Any, Future[Any]]:
        shown = self.changed and self._knows("settings")
        answer: Future[Any] = Future()
        answer.set_result({"segment.bytes": SimpleNamespace(value=str(8 if shown else 1))})
        return dict.fromkeys(asked, answer)

    def incremental_alter_configs(self, asked: list[Any]) -> dict[Any, Future[Any]]:
        self.changed = True
        answer: Future[Any] = Future()
        answer.set_result(None)
        return dict.fromkeys(asked, answer)


LIMITED = topics.TopicSpec("app.results", 3, at_least={"segment.bytes": 8})


@pytest.mark.parametrize("late", [0, 2])
def test_a_raised_limit_is_waited_for_until_brokers_show_it(late: int) -> None:
    """A check that follows reads what a broker knows, and must not report the raised limit."""
    brokers = LateSettings(late)
    changed = topics.raise_limits(cast("AdminClient", brokers), [LIMITED])
    assert changed == ["app.results: segment.bytes=8"]
    assert brokers.left["settings"] < 0


def test_a_raised_limit_that_is_never_shown_is_said_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(topics, "SHOWN_WITHIN", 0.1)
    with pytest.raises(TopicsError, match=r"raised, but .* app\.results: segment\.bytes; look"):
        topics.raise_limits(cast("AdminClient", LateSettings(10**6)), [LIMITED])


def spec(name: str) -> topics.TopicSpec:
    return topics.TopicSpec(name, 3, {"cleanup.policy": "compact"})


def test_a_strimzi_resource_is_of_the_api_that_strimzi_1_serves() -> None:
    """Strimzi 1.0 serves no v1beta2; a key that its schema does not have is refused."""
    (resource,) = topic_manifests.as_strimzi([spec("app.results")], "main")
    assert resource == {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaTopic",
        "metadata": {"name": "app.results", "labels": {"strimzi.io/cluster": "main"}},
        "spec": {
            "topicName": "app.results",
            "partitions": 3,
            "config": {"cleanup.policy": "compact"},
        },
    }


def test_replication_goes_into_what_is_printed() -> None:
    (resource,) = topic_manifests.as_strimzi([spec("app.results")], "main", 3)
    assert cast("dict[str, Any]", resource["spec"])["replicas"] == 3
    assert "--replication-factor 3 " in topic_manifests.as_commands([spec("app.results")], 3)
    assert "--replication-factor" not in topic_manifests.as_commands([spec("app.results")])


def test_every_resource_has_a_name_of_its_own_that_kubernetes_takes() -> None:
    """Lanes `a_b` and `a-b` are two, and a name may neither begin nor end a part with a sign."""
    names = [
        "app.x.a_b",
        "app.x.a-b",
        "app.x.a--b",
        "app.x.a_",
        "app._a",
        "app.a.-b",
        "app..a",
        "A.b",
    ]
    made = [
        cast("dict[str, Any]", each["metadata"])["name"]
        for each in topic_manifests.as_strimzi([spec(name) for name in names], "main")
    ]
    part = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
    assert len(set(made)) == len(names)
    assert [each for each in made if not re.fullmatch(rf"{part}(\.{part})*", each)] == []
    assert made[1:3] == names[1:3]
    long = topic_manifests.as_strimzi([spec("a_" + "x" * 247)], "main")[0]["metadata"]
    assert len(cast("dict[str, Any]", long)["name"]) <= 253


@pytest.mark.parametrize(
    ("retention", "says"), [("-1", False), ("34560000000", False), ("604800000", True)]
)
def test_results_that_go_before_contacts_are_forgotten_are_a_problem(
    tmp_path: Path, retention: str, says: bool
) -> None:
    """400 days of contacts, and results for ever, as long, or for a week."""
    (tmp_path / "scopes.csv").write_text("code,scope\n7,sms\n")
    text = config_text({"suppressions": SUPPRESSIONS})
    config = load(text, env={}, base=tmp_path)
    (results,) = [spec for spec in topics.own_topics(config) if spec.name == config.topics.results]
    assert results.settings["retention.ms"] == "34560000000"
    entry = SimpleNamespace(value=retention)
    answer = SimpleNamespace(result=lambda _: {"retention.ms": entry})
    client = SimpleNamespace(describe_configs=lambda *_, **__: {"results": answer})
    problem = topics.retention_problem(cast("AdminClient", client), config)
    assert bool(problem) is says
    if problem:
        assert "for 7 days, and contacts.keep is 400" in problem
