"""Rules of a config entry about a vendor's answers and headers, for vendors without a module."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Final

import jmespath
from jmespath import exceptions
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from consumer.vendors.answer_kinds import Kind, Row
from consumer.vendors.answers import as_code

BY_RULE: Final[Mapping[str, Row]] = {
    "bad_recipient": Row(Kind.RECIPIENT, "By the config's rule `bad_recipient`."),
    "campaign_error": Row(Kind.CAMPAIGN, "By the config's rule `campaign_error`."),
    "credentials": Row(Kind.CREDENTIALS, "By the config's rule `credentials`."),
    "trouble": Row(Kind.TROUBLE, "By the config's rule `trouble`."),
}
"""The account's rules beside `success` → the meaning of an answer that matches."""

ALWAYS: Final = frozenset({408, 429})
"""Statuses that no rule can redefine: 408 leaves the outcome in doubt, 429 throttles all calls."""

_OWN = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

_MISTAKES = (exceptions.UnknownFunctionError, exceptions.ArityError)

_Code = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Rule(BaseModel):
    """Answers with one of these statuses, or one of these codes: a code decides first."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    status: Annotated[
        tuple[Annotated[int, Field(ge=400, le=499)], ...], Field(description="HTTP statuses, 4xx")
    ] = ()
    code: Annotated[tuple[_Code, ...], Field(description="the vendor's codes, in quotes")] = ()

    @field_validator("status")
    @classmethod
    def _may_be_told(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if fixed := ALWAYS.intersection(value):
            raise ValueError(f"the meaning of {min(fixed)} is fixed: leave it out")
        return value


class Success(BaseModel):
    """Answers with one of these statuses and, where codes are named, one of these codes."""

    model_config = Rule.model_config

    status: Annotated[
        tuple[Annotated[int, Field(ge=200, le=299)], ...],
        Field(min_length=1, description="HTTP statuses, 2xx"),
    ] = (200, 201, 202)
    code: Annotated[
        tuple[_Code, ...], Field(description="the vendor's codes, in quotes; none: any answer")
    ] = ()


def code_getter(expression: str, known: Collection[str]) -> Callable[[object], str | None]:
    """Compile an expression to a function of the answer's document that returns its code.

    A code is one of `known`, or what looks like a code: text, whole numbers, true and false. Raises
    ValueError if it is no JMESPath.
    """
    value_in = value_getter(expression)

    def code(document: object) -> str | None:
        value = value_in(document)
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return text if text in known else as_code(value)

    return code


def checked_expression(value: str) -> str:
    """Return an expression; raises ValueError if it is no JMESPath."""
    value_getter(value)
    return value


def value_getter(expression: str) -> Callable[[object], object]:
    """Compile an expression to a function of the answer's document; null where it fails. Raises
    ValueError if it is no JMESPath."""
    try:
        compiled = jmespath.compile(expression)
        _search(compiled, {})  # finds unknown functions
    except (exceptions.JMESPathError, RecursionError):
        raise ValueError("must be a JMESPath expression, as in error.code") from None

    def value(document: object) -> object:
        try:
            return _search(compiled, document)
        except _MISTAKES:  # in a part of the expression that no earlier answer reached
            return None

    return value


def _search(compiled: Any, document: object) -> object:
    """Evaluate; None also if the expression fails on this document, which is the vendor's."""
    try:
        return compiled.search(document)
    except _MISTAKES:
        raise
    except Exception:  # noqa: BLE001 - JMESPath lets Python's own errors out on foreign data
        return None


def header_problem(name: str, value: str) -> str | None:
    """Return why a header cannot be sent, or None."""
    if not _NAME.fullmatch(name):
        return "a header's name is letters, digits and -"
    if name.lower() in _OWN:
        return f"the program sets {name} itself"
    if not (value.isascii() and value.isprintable()) or value != value.strip():
        return f"the value of {name} must be printable ASCII without spaces at its ends"
    return None
