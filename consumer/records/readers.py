"""One parser for the records that we wrote: orjson reads the JSON, pydantic checks what it made.

A second JSON parser would disagree with the first on what is at the edge (`NaN`, `1e999`, integers
beyond 64 bits, lone surrogates, nesting), and what one let in would end the other. What passes
here is bounded: every number, every time, every name, the record's size and its nesting, so that
it can be counted with, dated, and written again.
"""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import ValidationError

from consumer.errors import UnreadableRecord
from consumer.records.checkpoint import Checkpoint
from consumer.records.fields import RECORD_VERSION
from consumer.records.invitation import (
    INVITATION_VERSION,
    Invitation,
    InvitationReader,
    InvitationRecord,
    RecordReader,
    flat_invitation,
)
from consumer.records.result import Result, ResultReader

RECORD_LIMIT = 512 * 1024
"""Bytes of an invitation or a result: twice what the router writes at most, and half of what a
topic takes by default, for what is read may have to be written again."""

_MOST = 2**31 - 1
_WITH_SCHEMA = b"\x00"
_ID_BYTES = 4
_INVITATION_KEYS = frozenset(Invitation.__annotations__)
_RECORD_KEYS = frozenset(InvitationRecord.__annotations__)
_KEYS = (
    _INVITATION_KEYS | _RECORD_KEYS | Result.__annotations__.keys() | Checkpoint.model_fields.keys()
)


def read_invitation(value: bytes | None) -> Invitation:
    """Return an invitation of either version with its later keys. Raises UnreadableRecord."""
    found = _object(value, RECORD_LIMIT)
    latest = found.get("version") == INVITATION_VERSION
    try:
        (RecordReader if latest else InvitationReader).validate_python(found, strict=True)
    except ValidationError as error:
        raise UnreadableRecord(_places(error)) from None
    if not found.keys() <= (_RECORD_KEYS if latest else _INVITATION_KEYS):
        _check_writable(found)
    return flat_invitation(found) if latest else found  # type: ignore[return-value]  # it was checked to be one


def wire_prefix(schema_id: int) -> bytes:
    """Return what stands before a value that names its schema: Confluent's wire format."""
    return _WITH_SCHEMA + schema_id.to_bytes(_ID_BYTES)


def result_json(value: bytes | None) -> bytes | None:
    """Return a result's JSON: its value without the prefix that names its schema."""
    if value is not None and value.startswith(_WITH_SCHEMA):
        return value[len(_WITH_SCHEMA) + _ID_BYTES :]
    return value


def read_result(value: bytes | None) -> Result:
    """Return a result, also one that names its schema. Raises UnreadableRecord."""
    try:
        return ResultReader.validate_python(_object(result_json(value), RECORD_LIMIT))
    except ValidationError as error:
        raise UnreadableRecord(_places(error)) from None


def read_checkpoint(value: bytes | None) -> Checkpoint:
    """Return a checkpoint whose bitmaps are not parsed yet. Raises UnreadableRecord."""
    try:
        return Checkpoint.model_validate(_object(value))
    except ValidationError as error:
        raise UnreadableRecord(_places(error)) from None


def later_attempts(value: bytes | None) -> tuple[int, int] | None:
    """Return attempts and delays of an invitation of a later version; None for anything else."""
    try:
        found = _object(value, RECORD_LIMIT)
        _check_writable(found)
    except UnreadableRecord:
        return None
    counts = [found.get(key, 0) for key in ("version", "attempt", "delays")]
    if not all(type(count) is int and 0 <= count <= _MOST for count in counts):
        return None
    version, attempt, delays = counts
    return (attempt, delays) if version > INVITATION_VERSION else None


def _object(value: bytes | None, limit: int | None = None) -> dict[str, Any]:
    if not value:
        raise UnreadableRecord("no value")
    if limit is not None and len(value) > limit:
        raise UnreadableRecord(f"over {limit} bytes")
    try:
        found = orjson.loads(value)
    except (orjson.JSONDecodeError, RecursionError):  # the former carries the whole document
        found = None
    if type(found) is not dict:
        raise UnreadableRecord("not a JSON object")
    if type(found.get("version", RECORD_VERSION)) is not int:  # `true` and `1.0` equal 1
        raise UnreadableRecord("version")
    return found


def _check_writable(found: dict[str, Any]) -> None:
    """Raise UnreadableRecord for what orjson reads, but is too deep to write to other topics."""
    try:
        orjson.dumps(found)
    except (TypeError, RecursionError):
        raise UnreadableRecord("nested too deeply") from None


def _places(error: ValidationError) -> str:
    """Return the refused keys, those of ours only: another one may be anything, a name too."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    keys = {str(refusal["loc"][0]) if refusal["loc"] else refusal["type"] for refusal in found}
    return ", ".join(sorted(key if key in _KEYS else "another key" for key in keys))
