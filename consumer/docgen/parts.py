"""Small building blocks of the schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = dict[str, Any]

GENERATED: Final = "Generated: `survey-dispatcher schemas --write schemas` writes it again."


def time_of(description: str) -> Schema:
    """Describe a time in a record; `description` comes without its full stop."""
    return {"description": f"{description} (RFC 3339).", "format": "date-time"}


def of(description: str, **constraints: object) -> Schema:
    """Describe a key, with JSON Schema's keywords that bound it."""
    return {"description": description, **constraints}


def listed(meanings: Mapping[Any, str]) -> Schema:
    """Make a closed list whose values have a description each."""
    return {"oneOf": [{"const": str(each), "description": text} for each, text in meanings.items()]}


def headers(properties: Mapping[str, Schema]) -> Schema:
    """Make the schema of Kafka headers: all are required, and all are text."""
    texts = {name: {"type": "string", **each} for name, each in properties.items()}
    return {"type": "object", "properties": texts, "required": list(texts)}
