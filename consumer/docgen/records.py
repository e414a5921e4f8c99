"""Schemas of the records that the program writes, and the page of statuses and reasons.

The shapes come from the models. The descriptions and bounds are in record_words.yaml, so that the
models do not load them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from consumer.docgen.parts import Schema, fill_page, header_schema, listed, read_yaml, table
from consumer.kafka.records.fitting import PARTS
from consumer.operations.results.columns import COLUMNS
from consumer.records.checkpoint import Checkpoint
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.fields import LINK_LIMIT, MESSAGE_LIMIT, RECORD_VERSION
from consumer.records.invitation import RecordReader
from consumer.records.result import Reason, ResultReader, Status

_WORDS: Final[Mapping[str, Any]] = read_yaml("record_words.yaml")
_MEANINGS: Final[Mapping[Status, str]] = {
    status: _WORDS["statuses"][str(status)] for status in Status
}
_INSTEAD: Final = (("bytes", "size in bytes", "^[0-9]+$"), ("sha256", "SHA-256", "^[0-9a-f]{64}$"))
"""Headers of a dead letter in place of a part: name, what it says, its pattern."""
_BASE64: Final[Schema] = {"type": ["string", "null"], "contentEncoding": "base64"}


def _described(keys: Mapping[str, Any]) -> Iterator[tuple[str, Schema]]:
    """Yield each key with its keywords; a text alone is its description."""
    for key, about in keys.items():
        yield key, {"description": about} if isinstance(about, str) else about


def _record(schema: Schema) -> Schema:
    """Describe and bound every key of a record's schema, and list the required ones."""
    for name, part in ((schema["title"], schema), *schema.get("$defs", {}).items()):
        for key, about in _described(_WORDS["keys"].get(name, {})):
            part["properties"][key].update(about)
    optional = _WORDS["sometimes"][schema["title"]]
    schema["required"] = [key for key in schema["properties"] if key not in optional]
    return schema


def _reasons_of(status: Status) -> list[Reason]:
    """List the reasons of this status, in their own order."""
    return [reason for reason in Reason if reason.status is status]


def invitation() -> Schema:
    """Return the schema of `<application_id>.invitations.<lane>`."""
    return _record(RecordReader.json_schema(mode="serialization"))


def checkpoint() -> Schema:
    """Return the schema of `<application_id>.checkpoints.<lane>`, without the claims."""
    return _record(Checkpoint.model_json_schema(mode="serialization"))


def result() -> Schema:
    """Return the schema of `<application_id>.results`: each reason with its own status only."""
    schema = _record(ResultReader.json_schema(mode="serialization"))
    schema["properties"]["vendor_message"]["maxLength"] = MESSAGE_LIMIT
    schema["properties"]["link"] |= {"maxLength": LINK_LIMIT, "format": "uri"}
    reasons = {reason: reason.meaning for reason in Reason}
    for name, values in (("Status", listed(_MEANINGS)), ("Reason", listed(reasons))):
        del schema["$defs"][name]["enum"]
        schema["$defs"][name] |= values
    schema["allOf"] = [
        {
            "if": _has_reason({"enum": [str(reason) for reason in _reasons_of(status)]}),
            "then": {"properties": {"status": {"const": str(status)}}},
        }
        for status in Status
    ]
    made = _has_reason({"const": str(Reason.LINK_MADE)})
    linked: Schema = {"required": ["link"]}
    schema["allOf"].append({"if": made, "then": linked, "else": {"not": linked}})
    return schema


def _has_reason(reason: Schema) -> Schema:
    return {"properties": {"reason": reason}, "required": ["reason"]}


def dead_letter() -> Schema:
    """Return the schema of `<application_id>.dead-letters`: record and headers as a JSON object."""
    always = dict(_described(_WORDS["dead_letter_headers"]))
    always["version"]["const"] = str(RECORD_VERSION)
    always["reason"] |= listed({reason: reason.meaning for reason in DeadLetterReason})
    sometimes = {
        "unreadable": {"description": "What of the record the Kafka client could not say."},
        **{
            f"{part}_{name}": {
                "description": f"The {part} was too large to be kept: its {what}.",
                "pattern": pattern,
            }
            for part in PARTS
            for name, what, pattern in _INSTEAD
        },
    }
    headers = header_schema(
        {f"dead_letter.{name}": about for name, about in (always | sometimes).items()}
    )
    for name in ("version", *sometimes):  # the first ones had no version
        headers["required"].remove(f"dead_letter.{name}")
    properties = {
        "key": {"description": "The original key, base64.", **_BASE64},
        "value": {"description": "The original bytes, base64.", **_BASE64},
        "headers": {"description": "The original headers, and ours.", **headers},
    }
    return {
        "description": _WORDS["dead_letter"],
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def results_page() -> str:
    """Return the page of statuses, reasons and dead letters in Markdown."""
    statuses = [(f"`{status}`", meaning) for status, meaning in _MEANINGS.items()]
    reasons = [
        (f"`{status}`", f"`{reason}`", reason.meaning)
        for status in Status
        for reason in _reasons_of(status)
    ]
    dead_letters = [(f"`{reason}`", reason.meaning) for reason in DeadLetterReason]
    return fill_page(
        "results_page",
        statuses=table(("status", "meaning"), statuses),
        reasons=table(("status", "reason", "meaning"), reasons),
        columns=table(("column", "type", "meaning"), _columns()),
        dead_letters=table(("reason", "meaning"), dead_letters),
    )


def _columns() -> Iterator[tuple[str, str, str]]:
    """Yield name, type and meaning of each column of the results for people."""
    words = dict(_described(_WORDS["keys"]["Result"]))
    for part, about in _described(_WORDS["keys"]["Source"]):
        words[f"source_{part}"] = about
    words |= dict(_described(_WORDS["columns"]))
    for name, kind in COLUMNS.items():
        yield f"`{name}`", _WORDS["column_types"][kind], words[name]["description"]
