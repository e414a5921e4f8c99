"""A condition's wanted values in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

_TEXTS: Final = {
    "prefix": "text that begins with {}",
    "suffix": "text that ends with {}",
    "wildcard": "text like {}",
    "equals-ignore-case": "{} in any case",
}


def wanted(expected: Any) -> str:
    """Return what a condition wants: one of a list's values, or an object of a pattern."""
    if isinstance(expected, list):
        return " or ".join(map(_value, expected))
    if isinstance(expected, Mapping):
        return "an element with " + ", ".join(f"{key}: {wanted(expected[key])}" for key in expected)
    return str(expected)


def plain(value: Any) -> str:
    """Return a JSON value as text; a text as it is."""
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def _value(accepted: Any) -> str:
    if not isinstance(accepted, Mapping):
        return plain(accepted)
    [(name, argument)] = accepted.items()
    if name == "exists":
        return "any value" if argument else "no value"
    if name == "numeric":
        bounds = zip(argument[::2], argument[1::2], strict=True)
        return " and ".join(f"{sign} {number}" for sign, number in bounds)
    if name == "anything-but":
        return "anything but " + _but(argument)
    return _text(name, argument)


def _but(argument: Any) -> str:
    if isinstance(argument, Mapping):
        [(name, texts)] = argument.items()
        listed = texts if isinstance(texts, list) else [texts]
        return " or ".join(_text(name, text) for text in listed)
    return " or ".join(map(plain, argument if isinstance(argument, list) else [argument]))


def _text(name: str, argument: Any) -> str:
    if isinstance(argument, Mapping):
        return _TEXTS[name].format(next(iter(argument.values()))) + ", in any case"
    return _TEXTS[name].format(argument)
