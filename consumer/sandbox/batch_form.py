"""Reads a form as the document that it was made of: `key[inner]=…`, `key[]=…`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

_KEY = re.compile(r"([^\[\]]*)((?:\[[^\[\]]*\])*)")
_INNER = re.compile(r"\[([^\[\]]*)\]")


def form_document(body: bytes) -> dict[str, Any]:
    """Return the form as nested objects and lists of texts. Raises ValueError if it is none."""
    pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body))
    document: dict[str, Any] = {}
    for name, value in pairs:
        found = _KEY.fullmatch(name)
        if found is None:
            raise ValueError("a key with odd brackets")
        _put(document, [found[1], *_INNER.findall(found[2])], value)
    return document


def _put(document: dict[str, Any], keys: list[str], value: str) -> None:
    """Put a value where the keys lead; a last key that is empty stands for the next of a list."""
    *parents, last = keys
    listed = last == "" and bool(parents)
    if listed:
        last = parents.pop()
    for key in parents:
        inner = document.setdefault(key, {})
        if not isinstance(inner, dict):
            raise TypeError("a key is a value and an object")
        document = inner
    if not listed:
        document[last] = value
    elif isinstance(items := document.setdefault(last, []), list):
        items.append(value)
