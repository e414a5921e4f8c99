"""Values in a link as Pisano's web links take them: `responses=` base64 of a JSON array.

    responses: {question_key: $key, body: $value}
    built_in_responses: {segment: gold, store: 17}
    [{"question_key":"segment","body":"gold"},{"question_key":"store","body":"17"}]  in base64

Source: the vendor's page on integration, which says base64 of a JSON array of objects, one for each
value. The form of an object is the config's: `$key` and `$value` stand for a value's name and text.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Final

import orjson

RESPONSES: Final = "responses"
"""The name in a link's braces, where its campaign says the form of an object."""

SOURCE: Final = "built_in_responses"
"""The map of a route's `data` whose values the link carries."""

_KEY: Final = "$key"
_VALUE: Final = "$value"


def checked_response(item: dict[str, str]) -> dict[str, str]:
    """Return the form of an object; raises ValueError if it would lose a value's name or text."""
    places = [text for text in item.values() if text.startswith("$")]
    if sorted(places) != [_KEY, _VALUE]:
        raise ValueError("must have $key and $value once each, as in {question_key: $key, …}")
    return item


def encoded_responses(item: Mapping[str, str], values: Mapping[str, str]) -> str | None:
    """Return the base64 of these values' array, in UTF-8; None without values."""
    objects = [
        {name: {_KEY: key, _VALUE: value}.get(text, text) for name, text in item.items()}
        for key, value in values.items()
    ]
    return b64encode(orjson.dumps(objects)).decode() if objects else None
