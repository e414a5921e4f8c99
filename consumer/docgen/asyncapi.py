"""The topics that the program reads and writes, and their records: AsyncAPI 3.0.

The words are in asyncapi_words.yaml.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

from consumer.config.topic_names import Topics
from consumer.docgen.parts import Schema, header_schema, read_yaml
from consumer.kafka.records.publisher import RESULT_TYPE
from consumer.kafka.records.replayed import PLACE_HEADERS
from consumer.kafka.topics import TopicSpec, needed_topics
from consumer.lane.state.delay_steps import STEPS
from consumer.records.fields import RECORD_VERSION

if TYPE_CHECKING:
    from consumer.config.models import Config

_BINDING: Final = "0.5.0"
_CLAIM: Final[Schema] = {
    "type": "object",
    "properties": {"version": {"const": RECORD_VERSION}, "lane": {"type": "string"}},
    "required": ["version", "lane"],
}
_AS_IN_THE_LETTER: Final = {"description": "As in the dead letter."}


def document() -> Schema:
    """Return the AsyncAPI document; its payloads refer to the schemas' files."""
    words = read_yaml("asyncapi_words.yaml")
    parameters, carried = words["parameters"], words["channels"]
    parameters["step"]["enum"] = list(STEPS)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Survey Dispatcher",
            "version": f"{RECORD_VERSION}.0.0",
            "description": "The topics that the dispatcher reads and writes, and their records.",
        },
        "channels": {
            name: _channel(spec, carried[name], parameters) for name, spec in _topics().items()
        },
        "operations": {
            name: _operation(action, channel, summary, carried[channel])
            for name, (action, channel, summary) in words["operations"].items()
        },
        "components": {"messages": _messages(words["messages"]), "parameters": parameters},
    }


def _topics() -> dict[str, TopicSpec]:
    """Return the topics of `topics --create`, with variable parts in braces, and an input."""
    # All that `needed_topics` reads of a config; a real one allows no braces in a name. The topics
    # of commands, pauses and contacts are internal: the program alone writes and reads them.
    name = Topics("{application_id}")
    asked = SimpleNamespace(topics=name, lanes=("{lane}",), routes=(), contacts=None)
    own = {spec.name.split(".")[1]: spec for spec in needed_topics(cast("Config", asked))}
    own["delayed"] = replace(own["delayed"], name=Topics("{application_id}").delayed("{step}"))
    return {"input": TopicSpec("{input_topic}", 0), **own}


def _channel(spec: TopicSpec, messages: list[str], parameters: Mapping[str, Schema]) -> Schema:
    used = [name for name in parameters if f"{{{name}}}" in spec.name]
    kafka: Schema = {"bindingVersion": _BINDING}
    if spec.exactly_one:
        kafka["partitions"] = 1
    if spec.settings:
        kafka["topicConfiguration"] = {
            key: [value] if key == "cleanup.policy" else json.loads(value)
            for key, value in spec.settings.items()
            if key != "message.timestamp.type"  # the binding has no place for it
        }
    return {
        "address": spec.name,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "parameters": {name: {"$ref": f"#/components/parameters/{name}"} for name in used},
        "bindings": {"kafka": kafka},
    }


def _operation(action: str, channel: str, summary: str, messages: list[str]) -> Schema:
    here = f"#/channels/{channel}"
    references = [{"$ref": f"{here}/messages/{name}"} for name in messages]
    return {"action": action, "channel": {"$ref": here}, "summary": summary, "messages": references}


def _messages(words: Mapping[str, dict[str, Any]]) -> dict[str, Schema]:
    words["claim"]["payload"] = _CLAIM
    words["result"]["headers"]["ce_type"]["const"] = RESULT_TYPE.decode()
    words["replayed"]["headers"] = dict.fromkeys(PLACE_HEADERS, _AS_IN_THE_LETTER)
    return {name: _message(**fields) for name, fields in words.items()}


def _message(
    title: str,
    summary: str,
    key: str,
    payload: Schema | None = None,
    headers: Schema | None = None,
) -> Schema:
    message: Schema = {"title": title, "summary": summary}
    if payload is not None:
        message |= {"contentType": "application/json", "payload": payload}
    if headers is not None:
        message["headers"] = headers if "$ref" in headers else header_schema(headers)
    kafka = {"key": {"type": "string", "description": key}, "bindingVersion": _BINDING}
    return {**message, "bindings": {"kafka": kafka}}
