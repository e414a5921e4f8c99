"""The checked-in schemas: they follow the models, fit what the code writes, and refuse less."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from confluent_kafka import Producer
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML

from consumer import docgen
from consumer.config import Config, load
from consumer.config.interpolate import interpolate
from consumer.config.source import parse
from consumer.demo.events import TransactionEvent, synthetic
from consumer.errors import ConfigError
from consumer.kafka.records.publisher import Publisher, dead_letter_headers
from consumer.lane.offsets.bitmap import unpack
from consumer.lane.state.results import NO_CALL, CallFacts
from consumer.lane.state.settings import LaneCampaign
from consumer.records.call import Outcome, Verdict
from consumer.records.channel import Channel
from consumer.records.checkpoint import Checkpoint
from consumer.records.dead_letter import DeadLetter, DeadLetterReason
from consumer.records.input_record import InputRecord, RecordEnvelope
from consumer.records.invitation import RecordReader, flat_invitation
from consumer.records.result import EncodedResult, Reason, Result, ResultReader, Status
from consumer.wiring.build import build_router, build_vendors
from tests.support.lanes import result_of
from tests.unit.routing.broken_events import NOW, ROWS, TOPIC

FOLDER = Path(__file__).parents[2] / "schemas"
EXAMPLES = FOLDER / "examples"
CONFIG = EXAMPLES / "routing-config.yaml"
MODELS: Mapping[str, TypeAdapter[Any]] = {
    "transaction-event": TypeAdapter(TransactionEvent),
    "invitation": RecordReader,
    "result": ResultReader,
    "checkpoint": TypeAdapter(Checkpoint),
    "routing-config": TypeAdapter(Config),
}
FILES = [
    "transaction-event.json",
    "transaction-event-minimal.json",
    "transaction-event-visit.json",
    "transaction-event-receipt.json",
    "invitation-sms.json",
    "invitation-radar.json",
    "result-accepted.json",
    "result-link.json",
    "result-rejected.json",
    "result-unknown.json",
    "checkpoint.json",
    "dead-letter.json",
    "routing-config.yaml",
]
POLICIES = [
    f"routing-config-{of}.yaml"
    for of in ("bank", "hotel", "retailer", "delighted", "qualtrics", "medallia")
]
"""Whole configs of `docs/rules.md` and `docs/vendors-by-http.md`, beyond what is required."""

Place = tuple[str | int, ...]


def read(path: Path) -> Any:
    if path.suffix == ".json":
        return orjson.loads(path.read_bytes())
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


@cache
def schema(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", read(FOLDER / f"{name}.schema.json"))


VALIDATORS = {name: Draft202012Validator(schema(name)) for name in (*MODELS, "dead-letter")}


def name_of(file: str) -> str:
    return next(name for name in VALIDATORS if file.startswith(name))


def refusals(name: str, instance: Any) -> list[str]:
    """Why an instance is refused, without the instance."""
    return [
        f"{each.json_path}: {each.validator}" for each in VALIDATORS[name].iter_errors(instance)
    ]


# ---- the files follow the code ---------------------------------------------------------------


@pytest.mark.parametrize("name", docgen.documents())
def test_the_checked_in_file_is_what_the_models_say(name: str) -> None:
    mend = f"{name} has drifted from the code: survey-dispatcher schemas --write schemas mends it"
    assert (FOLDER / name).read_text(encoding="utf-8") == docgen.documents()[name], mend


def test_nothing_else_lies_in_the_folder() -> None:
    here = {path.name for path in FOLDER.iterdir()}
    assert here == {"examples"} | {name for name in docgen.documents() if "/" not in name}
    assert {path.name for path in EXAMPLES.iterdir()} == {*FILES, *POLICIES}


def test_write_makes_the_folder_and_none_beside_it(tmp_path: Path) -> None:
    names = docgen.write(tmp_path / "new")
    assert {path.name for path in (tmp_path / "new").iterdir()} == set(names)
    assert set(docgen.documents()) - set(names) == {
        docgen.RESULTS_PAGE,
        docgen.CONFIGURATION_PAGE,
        docgen.VENDOR_ANSWERS_PAGE,
    }
    (tmp_path / "docs").mkdir()
    assert docgen.write(tmp_path / "new") == list(docgen.documents())
    assert (tmp_path / "docs" / "results.md").is_file()


@pytest.mark.parametrize("name", VALIDATORS)
def test_a_schema_is_one_and_says_what_it_is(name: str) -> None:
    found = schema(name)
    Draft202012Validator.check_schema(found)
    assert found["$id"] == f"{name}.schema.json"
    assert found["title"]
    assert found["description"]


@pytest.mark.parametrize("name", ["transaction-event", "invitation", "result", "checkpoint"])
def test_every_key_of_a_record_is_described(name: str) -> None:
    found = schema(name)
    for part in (found, *found.get("$defs", {}).values()):
        for key, each in part.get("properties", {}).items():
            assert "description" in each or "$ref" in each, key


def test_the_page_lists_every_status_and_reason_with_its_meaning() -> None:
    page = docgen.documents()[docgen.RESULTS_PAGE]
    for reason in (*Reason, *DeadLetterReason):
        assert f"`{reason}` | {reason.meaning} |" in page
    for status in Status:
        assert f"\n| `{status}` | " in page


# ---- the examples ----------------------------------------------------------------------------


@pytest.mark.parametrize("file", [*FILES, *POLICIES])
def test_an_example_fits_its_schema(file: str) -> None:
    assert refusals(name_of(file), read(EXAMPLES / file)) == []


@pytest.mark.parametrize("file", [file for file in FILES if file.endswith(".json")])
def test_an_example_record_is_read_by_our_own_reader(file: str) -> None:
    name = name_of(file)
    if name in MODELS:
        MODELS[name].validate_json((EXAMPLES / file).read_bytes())


def test_the_example_config_loads_without_a_warning(tmp_path: Path) -> None:
    for secret in ("pseudonym", "pisano-token", "radar-password"):
        (tmp_path / secret).write_text(f"not-really-secret-{secret}\n", encoding="utf-8")
    text = CONFIG.read_text(encoding="utf-8").replace("/etc/survey-dispatcher/secrets/", "")
    loaded = load(text, env={"QUOTA_SHARE": "0.5"}, base=tmp_path)
    assert loaded.warnings == ()
    assert loaded.quotas["pisano-cloud"].share == 0.5
    shown = {campaign.channel for campaign in loaded.campaigns.values()}
    assert shown == set(Channel) - {Channel.GENERATED_LINK}  # as `link`, in docs/channels.md


def example_router() -> tuple[Config, Any]:
    config = load(CONFIG, secrets=False, env={})
    return config, build_router(config, build_vendors(config))


EXAMPLE, ROUTER = example_router()


@pytest.mark.parametrize(
    ("event", "made", "offset"),
    [
        ("transaction-event.json", "invitation-sms.json", 4711),
        ("transaction-event-visit.json", "invitation-radar.json", 4712),
        ("transaction-event-minimal.json", "result-rejected.json", 4713),
        ("transaction-event-receipt.json", "result-link.json", 4714),
    ],
)
def test_the_example_config_makes_the_examples_of_each_other(
    event: str, made: str, offset: int
) -> None:
    routed = ROUTER.route([InputRecord(TOPIC, 2, offset, (EXAMPLES / event).read_bytes())], NOW)
    outputs = [*(orjson.loads(each.value) for each in routed.invitations), *routed.results]
    # The version's digits are the example's; they change with the models.
    expected = read(EXAMPLES / made)
    expected.get("result", expected)["config_version"] = EXAMPLE.config_version
    assert outputs == [expected]


@pytest.mark.parametrize(
    ("result", "invitation"),
    [
        ("result-accepted.json", "invitation-sms.json"),
        ("result-unknown.json", "invitation-radar.json"),
    ],
)
def test_an_example_result_is_that_of_its_invitation(result: str, invitation: str) -> None:
    settled = read(EXAMPLES / result)
    sent: dict[str, Any] = {**flat_invitation(read(EXAMPLES / invitation))}
    shared = (settled.keys() & sent.keys()) - {"version"}
    assert {key: settled[key] for key in shared} == {key: sent[key] for key in shared}
    assert settled["recipient"] == sent["pseudonym"]


def test_the_example_checkpoint_has_readable_bitmaps() -> None:
    found = Checkpoint.model_validate(read(EXAMPLES / "checkpoint.json"))
    assert list(unpack(found.done, found.base)) == [4713, 4714, 4720]
    assert list(unpack(found.in_flight[0].offsets, found.in_flight[0].first)) == [4711, 4712]


def test_the_example_dead_letter_is_what_the_router_and_the_publisher_make() -> None:
    found = read(EXAMPLES / "dead-letter.json")
    headers = {key: text.encode() for key, text in found["headers"].items()}
    foreign = [item for item in headers.items() if not item[0].startswith("dead_letter.")]
    key, timestamp = base64.b64decode(found["key"]), int(headers["dead_letter.timestamp"])
    record = InputRecord(
        headers["dead_letter.topic"].decode(),
        int(headers["dead_letter.partition"]),
        int(headers["dead_letter.offset"]),
        base64.b64decode(found["value"]),
        lambda: RecordEnvelope(key, foreign, timestamp),
    )
    (letter,) = ROUTER.route([record], NOW).dead_letters
    at, version = headers["dead_letter.at"].decode(), headers["dead_letter.config_version"].decode()
    assert [*foreign, *dead_letter_headers(letter, at, version)] == list(headers.items())


# ---- what the schemas refuse -----------------------------------------------------------------


def keys(instance: Any, path: Place = ()) -> Iterator[Place]:
    """The path of every key of every object."""
    items: Sequence[tuple[str | int, Any]] = ()
    if isinstance(instance, dict):
        items = list(instance.items())
        yield from ((*path, key) for key in instance)
    elif isinstance(instance, list):
        items = list(enumerate(instance))
    for step, value in items:
        yield from keys(value, (*path, step))


def without(instance: Any, path: Place) -> Any:
    changed = parent = copy.deepcopy(instance)
    for step in path[:-1]:
        parent = parent[step]
    del parent[path[-1]]
    return changed


def missing(name: str, instance: Any) -> list[Place]:
    """The keys that the models miss; the names of alternatives are no part of the path."""
    try:
        MODELS[name].validate_json(json.dumps(instance))
    except ValidationError as error:
        found = [each["loc"] for each in error.errors() if each["type"] == "missing"]
        return [tuple(s for s in loc if s not in ("pisano", "customer_radar")) for loc in found]
    return []


@pytest.mark.parametrize("file", [file for file in FILES if name_of(file) in MODELS])
def test_without_a_key_that_the_model_requires_the_schema_refuses(file: str) -> None:
    name, instance = name_of(file), read(EXAMPLES / file)
    required = [path for path in keys(instance) if path in missing(name, without(instance, path))]
    assert len(required) >= 7
    for path in required:
        assert refusals(name, without(instance, path)) != [], path


@pytest.mark.parametrize("file", [file for file in FILES if not name_of(file).startswith("tr")])
def test_every_top_level_key_of_our_records_is_required(file: str) -> None:
    """But for `fields`, which only results of before a call have."""
    name, instance = name_of(file), read(EXAMPLES / file)
    for key in instance.keys() - {"fields"}:
        refused = any(
            refusal.endswith("$: required") for refusal in refusals(name, without(instance, (key,)))
        )
        assert refused, key


def test_without_one_of_our_headers_a_dead_letter_is_refused() -> None:
    """The first ones had no version."""
    instance = read(EXAMPLES / "dead-letter.json")
    for header in instance["headers"]:
        refused = refusals("dead-letter", without(instance, ("headers", header))) != []
        ours = header.startswith("dead_letter.") and header != "dead_letter.version"
        assert refused == ours


def test_a_link_stands_with_its_own_reason_only() -> None:
    linked = read(EXAMPLES / "result-link.json")
    assert linked["link"].startswith("https://")
    assert refusals("result", {**linked, "reason": "accepted"}) != []
    assert refusals("result", {**linked, "link": "https://a.example/" + "x" * 8_000}) != []
    accepted = read(EXAMPLES / "result-accepted.json")
    assert refusals("result", {**accepted, "reason": "link_made"}) != []


@pytest.mark.parametrize("status", Status)
def test_a_reason_stands_with_its_own_status_only(status: Status) -> None:
    accepted = read(EXAMPLES / "result-accepted.json")
    fits = refusals("result", {**accepted, "status": status}) == []
    assert fits == (status is Status.ACCEPTED)


# ---- the routing config: what an editor tells and what the loader takes ---------------------


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("surprise",), 1),
        (("quotas", "pisano-cloud", "limit"), ["20/5s"]),
        (("quotas", "Not A Topic"), {"limits": []}),
        (("quotas", "pisano-cloud", "limits"), ["20 per 5s"]),
        (("quotas", "pisano-cloud", "share"), 1.5),
        (("quotas", "pisano-cloud", "share"), "0.${env:SHARE}"),
        (("quotas", "pisano-cloud", "linger"), "10 minutes"),
        (("version",), "${env:VERSION}"),
        (("version",), 2),
        (("vendors", "radar", "type"), "pisano"),
        (("vendors", "radar", "type"), "qualtrics"),
        (("vendors", "radar", "token"), "t"),
        (("campaigns", "visit", "channel"), "letter"),
        (("campaigns", "visit", "channel"), "$${env:CHANNEL}"),
        (("campaigns", "visit", "id"), 7),
        (("campaigns", "receipt-link", "link"), None),
        (("campaigns", "receipt-link", "link"), ""),
        (("campaigns", "purchase-sms", "channel"), "link"),
        (("kafka", "acks"), "1"),
        (("kafka", "group.id"), "mine"),
        (("inputs", "pos", "format"), "thrift"),
        (("inputs", "pos", "topics"), []),
        (("routes", 0, "recipient"), {}),
        (("routes", 0, "policy", "expire_after"), 72),
        (("routes", 0, "data", "x"), ["y"]),
    ],
)
def test_the_config_schema_and_the_loader_refuse(
    path: Place, value: object, tmp_path: Path
) -> None:
    changed = put(path, value)
    assert refusals("routing-config", changed)
    with pytest.raises(ConfigError):
        load(json.dumps(changed), env={"SHARE": "5", "VERSION": "1"}, base=secrets_in(tmp_path))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("quotas", "pisano-cloud", "limits"), []),
        (("quotas", "pisano-cloud", "limits"), ["${env:CALLS}/5s"]),
        (("quotas", "pisano-cloud", "share"), 1),
        (("quotas", "pisano-cloud", "share"), "${env:SHARE}"),
        (("quotas", "pisano-cloud", "max_in_flight"), "${env:CALLS}"),
        (("quotas", "pisano-cloud", "linger"), "500ms"),
        (("vendors", "radar", "allow_http"), "${env:YES:-true}"),
        (("vendors", "radar", "type"), "${env:TYPE:-customer_radar}"),
        (("campaigns", "visit", "channel"), "${env:CHANNEL}"),
        (("campaigns", "visit", "window"), {"max_wait": "${env:CALLS}m"}),
        (("campaigns", "visit", "vendor"), "ra${env:REST:-dar}"),
        (
            ("campaigns", "receipt-link", "link"),
            "https://a.example/${env:STAGE:-test}?{name}&r={custom_attributes.external_id}",
        ),
        (("vendors", "radar", "points_of_measure"), {"mall": ["door", "${env:TILL:-till}"]}),
        (("application_id",), "surveys-${env:STAGE:-test}"),
        (("kafka", "linger.ms"), 5),
        (("inputs", "pos", "format"), "${file:format}"),
        (("routes", 0, "phone_region"), None),
        (("routes", 0, "match"), {"a": {"b": [{"exists": True}, 1.5, None]}}),
        (("admin",), {"port": "${env:CALLS}"}),
    ],
)
def test_the_config_schema_and_the_loader_take(path: Place, value: object, tmp_path: Path) -> None:
    changed = put(path, value)
    assert refusals("routing-config", changed) == []
    env = {"SHARE": "0.5", "CALLS": "20", "CHANNEL": "invitation"}
    load(json.dumps(changed), env=env, base=secrets_in(tmp_path))


def put(path: Place, value: object) -> Any:
    """The example config, its secrets beside it, with one value changed."""
    text = json.dumps(read(CONFIG)).replace("/etc/survey-dispatcher/secrets/", "")
    changed = parent = json.loads(text)
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    return changed


def secrets_in(folder: Path) -> Path:
    for name in ("pseudonym", "pisano-token", "radar-password"):
        (folder / name).write_text(f"not-really-secret-{name}", encoding="utf-8")
    (folder / "format").write_text("json\n", encoding="utf-8")
    return folder


PIECES = ["$", "{", "}", "env:", "file:", "X", "9", ":-", "${", "${env:A}", "${file:f}", " "]


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_the_schema_takes_a_text_for_a_reference_as_the_loader_does(text: str) -> None:
    """Judged by the loader's own reader of references, which says what was one and well-formed."""
    defs = schema("routing-config")["$defs"]
    resolved = interpolate(parse(json.dumps({"key": text}), ""), env={}, base=Path(), secrets=False)
    if not resolved.problems:
        whole = re.search(defs["Reference"]["pattern"], text) is not None
        assert whole == bool(resolved.whole)
        escaped = resolved.tree == {"key": text.replace("$${", "${")}
        part = re.search(defs["TextWithReference"]["pattern"], text) is not None
        assert part != escaped


# ---- what the code writes fits ---------------------------------------------------------------

INVITATIONS = [
    flat_invitation(read(EXAMPLES / f"invitation-{each}.json")) for each in ("sms", "radar")
]
TIMES = st.floats(0, 4e9)
OUTCOMES = st.builds(
    Outcome,
    st.sampled_from(Verdict),
    st.none() | st.integers(100, 599),
    st.none() | st.text(max_size=10),
    st.none() | st.text(max_size=200),
)
FACTS = st.just(NO_CALL) | st.builds(CallFacts.from_call, st.text(), OUTCOMES, TIMES, TIMES)
CAMPAIGNS = st.none() | st.builds(
    LaneCampaign, st.just("c"), st.just("v"), st.sampled_from(Channel)
)
RESULTS = st.builds(
    result_of,
    st.sampled_from(INVITATIONS),
    st.sampled_from([each for each in Reason if each is not Reason.LINK_MADE]),
    CAMPAIGNS,
    st.integers(0, 100),
    FACTS,
)


@given(RESULTS)
def test_every_result_of_a_lane_fits_and_has_no_other_keys(result: Result) -> None:
    written = orjson.loads(orjson.dumps(result))
    assert refusals("result", written) == []
    assert written.keys() <= schema("result")["properties"].keys()


def assert_routed_fits(records: Sequence[InputRecord]) -> None:
    routed = ROUTER.route(records, NOW)
    for invitation in routed.invitations:
        written = orjson.loads(invitation.value)
        assert refusals("invitation", written) == []
        assert written.keys() <= schema("invitation")["properties"].keys()
    for result in routed.results:
        written = orjson.loads(orjson.dumps(result))
        assert refusals("result", written) == []
        assert written.keys() <= schema("result")["properties"].keys()
    for letter in routed.dead_letters:
        assert refusals("dead-letter", shown(letter)) == []


def shown(letter: DeadLetter) -> dict[str, Any]:
    """A dead letter as the schema shows it."""
    raw = {"key": letter.key, "value": letter.value}
    texts = {
        key: each if each is None else base64.b64encode(each).decode() for key, each in raw.items()
    }
    headers = dead_letter_headers(letter, "2026-11-22T15:37:07.000Z", "87955c20283a")
    return {**texts, "headers": {key: each.decode() for key, each in headers}}


def test_what_the_router_makes_of_broken_and_odd_events_fits() -> None:
    assert_routed_fits([InputRecord(TOPIC, 0, at, row.value) for at, row in enumerate(ROWS)])


def test_what_the_router_makes_of_the_synthetic_events_fits() -> None:
    values = [value for _, _, value in synthetic(300, 1, NOW - 3600)]
    assert_routed_fits([InputRecord(TOPIC, 0, at, value) for at, value in enumerate(values)])


EVENTS = st.fixed_dictionaries(
    {
        "id": st.text(max_size=5) | st.integers(-9, 9),
        "time": st.sampled_from(["2026-11-22T15:00:00Z", "2026-01-01T00:00:00+03:00", 1.5]),
        "channel": st.sampled_from(["pos", "app", "visit", "receipt"]),
        "amount": st.integers(90, 110),
    },
    optional={
        "customer": st.fixed_dictionaries(
            {"consent": st.fixed_dictionaries({"sms": st.booleans()}), "name": st.text()},
            optional={
                "phone": st.sampled_from(["+12015550123", "+1", 5]),
                "email": st.sampled_from(["ada@example.com", "ada@", None]),
            },
        ),
        "store": st.fixed_dictionaries({"id": st.text()}),
    },
)


@given(st.lists(EVENTS, max_size=5))
def test_what_the_router_makes_of_any_event_fits(events: list[Any]) -> None:
    assert_routed_fits(
        [InputRecord(TOPIC, 0, at, orjson.dumps(event)) for at, event in enumerate(events)]
    )


def test_synthetic_events_that_are_json_are_default_events() -> None:
    """Some are broken on purpose."""
    texts = [value for _, _, value in synthetic(300, 1, NOW - 3600)]
    sound = [text for text in texts if text.startswith(b"{") and text.endswith(b"}")]
    assert len(sound) > 250
    for text in sound:
        assert refusals("transaction-event", orjson.loads(text)) == []


# ---- AsyncAPI --------------------------------------------------------------------------------


@cache
def asyncapi() -> dict[str, Any]:
    return cast("dict[str, Any]", read(FOLDER / "asyncapi.yaml"))


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from ([node["$ref"]] if "$ref" in node else [])
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from references(each)


def resolved(reference: str) -> Any:
    file, _, pointer = reference.partition("#")
    node = read(FOLDER / file) if file else asyncapi()
    for step in filter(None, pointer.split("/")):
        node = node[step]
    return node


def test_all_references_of_the_asyncapi_document_lead_somewhere() -> None:
    found = list(references(asyncapi()))
    assert len(found) > 20
    for each in found:
        assert isinstance(resolved(each), dict)


def test_the_asyncapi_document_has_what_version_3_requires() -> None:
    document = asyncapi()
    assert document["asyncapi"] == "3.0.0"
    assert document["info"]["title"]
    assert document["info"]["version"]
    for channel in document["channels"].values():
        assert set(re.findall(r"\{(\w+)\}", channel["address"])) == set(channel["parameters"])
        assert channel["messages"]
    for operation in document["operations"].values():
        assert operation["action"] in {"send", "receive"}
        channel = operation["channel"]["$ref"]
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{channel}/messages/")
    operated = {each["channel"]["$ref"] for each in document["operations"].values()}
    assert operated == {f"#/channels/{name}" for name in document["channels"]}


def test_the_channels_are_the_topics_of_the_config_and_an_input() -> None:
    topics = EXAMPLE.topics
    expected = {"{input_topic}", topics.results, topics.dead_letters}
    expected |= {topics.invitations("{lane}"), topics.checkpoints("{lane}")}
    expected |= {topics.delayed("{step}"), topics.replayed}
    filled = {
        channel["address"].replace("{application_id}", EXAMPLE.application_id)
        for channel in asyncapi()["channels"].values()
    }
    assert filled == expected


class Recorder:
    """Stands for a producer and keeps what it is given."""

    def __init__(self) -> None:
        self.produced: list[tuple[Any, ...]] = []

    def produce(self, *record: object, headers: dict[str, str | bytes], timestamp: int = 0) -> None:
        assert timestamp == 0  # now
        self.produced.append((*record, headers))


def test_the_headers_of_a_written_result_equal_the_documents() -> None:
    recorder = Recorder()
    result = cast("Result", read(EXAMPLES / "result-accepted.json"))
    publisher = Publisher(cast("Producer", recorder), "r", "d", "/surveys/lane/radar", "v")
    publisher.results([EncodedResult.of(result)], "2026-11-22T15:37:07.000Z")
    headers = {
        # Text or bytes: on the wire it is the same.
        key: each if isinstance(each, str) else each.decode()
        for key, each in recorder.produced[0][-1].items()
    }
    expected = asyncapi()["components"]["messages"]["result"]["headers"]
    assert list(Draft202012Validator(expected).iter_errors(headers)) == []
    assert headers.keys() == set(expected["required"]) == expected["properties"].keys()
