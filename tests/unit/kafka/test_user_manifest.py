"""The KafkaUser that `topics --format strimzi --user` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from markdown_it import MarkdownIt

from consumer.config import load
from consumer.config.models import Config
from consumer.kafka.user_manifest import user_as_strimzi
from tests.unit.routing.test_feeds import SUPPRESSIONS, config_text

MANUAL = Path(__file__).parents[3] / "docs" / "operations.md"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """One input, one feed."""
    (tmp_path / "scopes.csv").write_text("code,scope\n7,sms\n")
    return load(config_text({"suppressions": SUPPRESSIONS}), env={}, base=tmp_path)


def spec(config: Config) -> dict[str, Any]:
    """The resource's spec."""
    return cast("dict[str, Any]", user_as_strimzi(config, "surveys", "main")["spec"])


def manual() -> set[tuple[str, str, frozenset[str]]]:
    """The table of docs/operations.md: kind, name, operations."""
    texts = [
        each.content
        for each in MarkdownIt("commonmark").enable("table").parse(MANUAL.read_text())
        if each.type == "inline"
    ]
    at = texts.index("resource")
    rows = [texts[at + 3 + 3 * n : at + 6 + 3 * n] for n in range(4)]
    return {(kind, name, frozenset(may.split(", "))) for kind, name, may in rows}


def test_a_user_has_the_rights_that_the_manual_lists_and_no_others(config: Config) -> None:
    """Inputs and feeds by name, the program's own by their prefix."""
    own = f"{config.topics.application_id}."
    read = {*config.input_topics, *config.feed_topics}
    assert len(read) == 2
    found = set()
    for each in spec(config)["authorization"]["acls"]:
        resource = each["resource"]
        assert resource["patternType"] == ("literal" if resource["name"] in read else "prefix")
        assert resource["name"] in {*read, own}
        name = "each input topic, each feed topic"
        if resource["name"] == own:
            name = "prefix `<application_id>.`"
        kind = {"transactionalId": "transactional id"}.get(resource["type"], resource["type"])
        found.add((kind, name, frozenset(each["operations"])))
    assert found == manual()


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        (None, None),
        ("PLAINTEXT", None),
        ("SASL_SSL", {"type": "scram-sha-512"}),
        ("sasl_plaintext", {"type": "scram-sha-512"}),
        ("SSL", {"type": "tls"}),
    ],
)
def test_it_authenticates_as_the_config_does(
    config: Config, protocol: str | None, expected: object
) -> None:
    kafka = {**config.kafka, **({"security.protocol": protocol} if protocol else {})}
    other = config.model_copy(update={"kafka": kafka})
    assert spec(other).get("authentication") == expected


def test_it_is_a_resource_of_the_cluster(config: Config) -> None:
    resource = user_as_strimzi(config, "surveys", "main")
    assert (resource["apiVersion"], resource["kind"]) == ("kafka.strimzi.io/v1", "KafkaUser")
    assert resource["metadata"] == {"name": "surveys", "labels": {"strimzi.io/cluster": "main"}}
