"""Partial success: an accepted call whose answer lists the entries that failed.

    failed_entries: {list: "errors[*]", index: row, code: reason}

Each element of `list` names one entry of the call, by its number (`index`), an address (`address`)
or the invitation's id (`id`). The entries that are named failed, and all others were taken. That
holds only while every element names an entry of the call: an element that names none failed
somewhere, so the others are in doubt.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from consumer.records.call import Answer
from consumer.records.invitation import CallParts
from consumer.vendors.answers import is_empty
from consumer.vendors.http_batch.answer_rules import checked_expression, code_getter, value_getter
from consumer.vendors.json_parts import parsed

_Expression = Annotated[str, AfterValidator(checked_expression)]

MULTI_STATUS: Final = 207
"""The status of an answer in which each entry has a status of its own."""

_PLAIN = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")

NAMED_BY: Final = ("index", "address", "id")
"""The keys of which one says how an element names its entry."""


class FailedEntries(BaseModel):
    """Where an accepted call's answer says which of its entries failed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    list: Annotated[
        _Expression,
        Field(description="JMESPath to the list of failures", examples=["errors[*]"]),
    ]
    index: Annotated[
        _Expression | None,
        Field(description="JMESPath in a failure to the entry's number", examples=["index"]),
    ] = None
    first: Annotated[int, Field(ge=0, le=1, description="the number of the first entry")] = 0
    address: Annotated[
        _Expression | None,
        Field(description="JMESPath in a failure to the entry's address", examples=["email"]),
    ] = None
    id: Annotated[
        _Expression | None,
        Field(description="JMESPath in a failure to what the entry has of $id"),
    ] = None
    code: Annotated[
        _Expression | None,
        Field(description="JMESPath in a failure to its code", examples=["code"]),
    ] = None

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if sum(getattr(self, way) is not None for way in NAMED_BY) != 1:
            raise ValueError(
                "expected one of `index`, `address` and `id`: how a failure names its entry"
            )
        if self.first and self.index is None:
            raise ValueError("`first` goes with `index`")
        return self


@dataclass(frozen=True, slots=True)
class Failures:
    """What an answer says of its call's entries. `failed`: number of an entry → its code, if any.
    `unmatched`: failures that name no entry, or not one alone."""

    failed: Mapping[int, str | None]
    unmatched: int = 0


class FailureReader:
    """Reads the failures of an account's answers."""

    def __init__(self, rule: FailedEntries, known_codes: Collection[str]) -> None:
        self._rule = rule
        path = rule.list.removesuffix("[*]").removesuffix("[]")
        self._path = path if _PLAIN.fullmatch(path) else None
        # A projection would leave nulls out, each of which is a failure that names no entry.
        self._list = value_getter(self._path or rule.list)
        self._name = value_getter(rule.index or rule.address or rule.id or "`null`")
        self._code = code_getter(rule.code or "`null`", known_codes)

    def names(self, invitations: Sequence[CallParts]) -> tuple[frozenset[str], ...]:
        """Return the names by which an answer may name each entry of a call."""
        rule = self._rule
        if rule.index is not None:
            return tuple(frozenset({str(rule.first + at)}) for at in range(len(invitations)))
        if rule.id is not None:
            return tuple(frozenset({invitation.id.casefold()}) for invitation in invitations)
        return tuple(
            frozenset(str(parsed(text)).casefold() for text in invitation.address.values())
            for invitation in invitations
        )

    def read(
        self, answer: Answer, document: object, names: Sequence[frozenset[str]]
    ) -> Failures | None:
        """Return what an accepting answer says of each entry; None if it cannot be told: it is cut
        off, or has something else in the list's place."""
        if is_empty(answer):
            return Failures({})
        if document is None:
            return None
        found = self._list(document)
        if isinstance(found, list):
            return self._matched(found, names)
        omitted = found is None and answer.status != MULTI_STATUS and self._omits(document)
        return Failures({}) if omitted else None

    def _omits(self, document: object) -> bool:
        """Tell whether a document leaves the list out, as many do where nothing failed.

        JMESPath finds null also where an object stands in the list's place. So the path is
        followed step by step; what is no plain path (a filter) is never left out.
        """
        node = document
        for step in (self._path or "").split("."):
            if isinstance(node, dict):
                node = node.get(step)
        return self._path is not None and node is None

    def _matched(self, found: Sequence[object], names: Sequence[frozenset[str]]) -> Failures:
        entries: dict[str, list[int]] = {}
        for at, own in enumerate(names):
            for name in own:
                entries.setdefault(name, []).append(at)
        failed: dict[int, str | None] = {}
        unmatched = 0
        for failure in found:
            named = entries.get(_folded(self._name(failure)) or "", [])
            if len(named) == 1:
                failed.setdefault(named[0], self._code(failure))
            else:
                unmatched += 1
        return Failures(failed, unmatched)


def _folded(value: object) -> str | None:
    """Return a name as it is compared, for some vendors repeat addresses in another case; None if
    it is neither text nor a whole number."""
    named = isinstance(value, int | str) and not isinstance(value, bool)
    return str(value).strip().casefold() if named else None
