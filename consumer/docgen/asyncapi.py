"""The topics that the program reads and writes, and their records: AsyncAPI 3.0."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, cast

from consumer.config.topic_names import Topics
from consumer.docgen.parts import Schema, headers, of, time_of
from consumer.kafka.records.publisher import RESULT_TYPE
from consumer.kafka.records.replayed import PLACE_HEADERS
from consumer.kafka.topics import TopicSpec, needed_topics
from consumer.lane.state.delay_steps import STEPS
from consumer.records.fields import RECORD_VERSION

if TYPE_CHECKING:
    from consumer.config.models import Config

_BINDING: Final = "0.5.0"
_PARAMETERS: Final[Mapping[str, Schema]] = {
    "input_topic": {
        "description": "Any topic under `inputs.<name>.topics` of the routing config.",
        "examples": ["pos.transaction-completed"],
    },
    "application_id": {
        "description": "`application_id` of the routing config.",
        "examples": ["surveys"],
    },
    "lane": {
        "description": "A quota that the calls of some campaign use: one quota, one lane.",
        "examples": ["pisano-cloud"],
    },
    "step": {
        "description": "How long a record stays on this step of the delay ladder.",
        "enum": list(STEPS),
    },
}
_CE_HEADERS: Final[Mapping[str, Schema]] = {
    "ce_specversion": of("CloudEvents' version.", const="1.0"),
    "ce_type": of("What the record is.", const=RESULT_TYPE.decode()),
    "ce_source": of("The application, and the stage that settled the invitation."),
    "ce_id": of("The invitation's id."),
    "ce_time": time_of("When the answer came, or when the result was written"),
    "content-type": of("How the value is written.", const="application/json"),
}
_CLAIM: Final[Schema] = {
    "type": "object",
    "properties": {"version": {"const": RECORD_VERSION}, "lane": {"type": "string"}},
    "required": ["version", "lane"],
}


def _message(title: str, summary: str, key: str, payload: Schema | None, **more: object) -> Schema:
    bindings = {
        "kafka": {"key": {"type": "string", "description": key}, "bindingVersion": _BINDING}
    }
    body = {"contentType": "application/json", "payload": payload} if payload else {}
    return {"title": title, "summary": summary, **body, **more, "bindings": bindings}


def _file(name: str) -> Schema:
    return {"$ref": f"{name}.schema.json"}


def _messages() -> dict[str, Schema]:
    return {
        "transactionCompleted": _message(
            "Transaction completed",
            "The event of the examples; the routing config says what an event looks like.",
            "Free: nothing depends on it.",
            _file("transaction-event"),
        ),
        "invitation": _message(
            "Invitation",
            "One recipient × one route. Holds personal data.",
            "The recipient's pseudonym.",
            _file("invitation"),
        ),
        "result": _message(
            "Result",
            "How an invitation ended: exactly one, final. A `link` in it holds personal data.",
            "The event's id.",
            _file("result"),
            headers=headers(_CE_HEADERS),
        ),
        "checkpoint": _message(
            "Checkpoint",
            "The lane's whole state; the newest one counts.",
            "The lane.",
            _file("checkpoint"),
        ),
        "claim": _message(
            "Claim",
            "A new owner of the lane; its offset ends what it reads.",
            "The lane and `/claim`.",
            _CLAIM,
        ),
        "deadLetter": _message(
            "Dead letter",
            "A record that could not be read: the original bytes and headers, with ours behind.",
            "The original key.",
            None,
            headers={"$ref": "dead-letter.schema.json#/properties/headers"},
        ),
        "replayedMark": _message(
            "Replayed mark",
            "A dead letter was replayed: its value is null, its header names partition/offset.",
            "None.",
            None,
            headers=headers({"dead_letter.replayed": of("`<partition>/<offset>` of the letter.")}),
        ),
        "putOff": _message(
            "Invitation that was put off",
            "As it comes back to its lane. Holds personal data.",
            "The recipient's pseudonym.",
            _file("invitation"),
            headers=headers(
                {
                    "lane": of("The lane that it comes back to."),
                    "arrived": of("Epoch seconds since when it waits."),
                    "due_at": of("Epoch seconds until which it stays on the ladder."),
                }
            ),
        ),
        "replayed": _message(
            "Replayed dead letter",
            "The original bytes and headers, with the original place in its last headers.",
            "The original key.",
            None,
            headers=headers(
                {name: of("As in the dead letter.") for name in PLACE_HEADERS},
            ),
        ),
    }


_CHANNELS: Final[Mapping[str, tuple[str, ...]]] = {
    "input": ("transactionCompleted",),
    "invitations": ("invitation",),
    "results": ("result",),
    "checkpoints": ("checkpoint", "claim"),
    "dead-letters": ("deadLetter", "replayedMark"),
    "replayed": ("replayed",),
    "delayed": ("putOff",),
}
_OPERATIONS: Final[Mapping[str, tuple[str, str, str]]] = {
    "readEvents": ("receive", "input", "The router reads transactions."),
    "inviteRecipients": ("send", "invitations", "The router writes what a route made."),
    "readInvitations": ("receive", "invitations", "The lane's owner reads what it will send."),
    "reportResults": ("send", "results", "Router and lanes report each invitation once."),
    "saveCheckpoint": ("send", "checkpoints", "The lane's owner records its state."),
    "takeOver": ("receive", "checkpoints", "A new owner reads the newest checkpoint."),
    "setAside": ("send", "dead-letters", "What cannot be read is set aside."),
    "replay": ("send", "replayed", "`dlq replay` routes dead letters again."),
    "putOff": ("send", "delayed", "A lane puts off who cannot go soon."),
    "climbDown": ("receive", "delayed", "The ladder gives back who is due."),
    "readReplayed": ("receive", "replayed", "The router reads them as what they were."),
}


def document() -> Schema:
    """Return the AsyncAPI document; its payloads refer to the schemas' files."""
    description = "The topics that the dispatcher reads and writes, and their records."
    channels = {name: _channel(name, spec) for name, spec in _topics().items()}
    operations = {name: _operation(*each) for name, each in _OPERATIONS.items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Survey Dispatcher",
            "version": f"{RECORD_VERSION}.0.0",
            "description": description,
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": _messages(), "parameters": dict(_PARAMETERS)},
    }


def _topics() -> dict[str, TopicSpec]:
    """Return the topics of `topics --create`, with variable parts in braces, and an input."""
    # All that `needed_topics` reads of a config; a real one allows no braces in a name. The
    # commands topic is internal, between the program and its own command line.
    asked = SimpleNamespace(topics=Topics("{application_id}"), lanes=("{lane}",), routes=())
    own = {spec.name.split(".")[1]: spec for spec in needed_topics(cast("Config", asked))}
    own["delayed"] = replace(own["delayed"], name=Topics("{application_id}").delayed("{step}"))
    return {"input": TopicSpec("{input_topic}", 0), **own}


def _channel(name: str, spec: TopicSpec) -> Schema:
    used = [each for each in _PARAMETERS if f"{{{each}}}" in spec.name]
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
        "messages": {each: {"$ref": f"#/components/messages/{each}"} for each in _CHANNELS[name]},
        "parameters": {each: {"$ref": f"#/components/parameters/{each}"} for each in used},
        "bindings": {"kafka": kafka},
    }


def _operation(action: str, channel: str, summary: str) -> Schema:
    here = f"#/channels/{channel}"
    messages = [{"$ref": f"{here}/messages/{each}"} for each in _CHANNELS[channel]]
    return {"action": action, "channel": {"$ref": here}, "summary": summary, "messages": messages}
