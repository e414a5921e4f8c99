"""Tests of one scalar of an event, which patterns are made of.

Text, numbers, booleans and null are four types that never equal each other; integers and floats
are one. Arrays and missing fields are not known here: `pattern_match` sees to them.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import NoneType
from typing import Any, Final
from unicodedata import normalize

Test = Callable[[Any], bool]
Item = Mapping[type, Test]
"""What one value of a list accepts, by JSON type; a type that is not named never matches."""

MAX_WILDCARDS: Final = 16
SCALARS: Final = (str, int, float, bool, NoneType)
FOLD: Final = "equals-ignore-case"

COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def always(_value: object) -> bool:
    """Holds for any scalar."""
    return True


def never(_value: object) -> bool:
    """Holds for none."""
    return False


def negated(test: Test) -> Test:
    """Holds where `test` does not."""
    return lambda value: not test(value)


def fold(text: str) -> str:
    """The text without its case: I is one letter with i, and with Turkish's \u0130 and \u0131."""
    if text.isascii():
        return text.lower()
    return normalize("NFC", text.casefold()).replace("i\u0307", "i").replace("\u0131", "i")


def any_of(tests: Sequence[Test]) -> Test:
    """Holds where one of `tests` does; with none of them, nowhere."""
    if always in tests:
        return always
    if len(tests) < 2:
        return tests[0] if tests else never
    return lambda value: any(test(value) for test in tests)


def anything() -> dict[type, Test]:
    """Accepts every scalar."""
    return dict.fromkeys(SCALARS, always)


def kind_of(value: object) -> type | None:
    """The type under which a pattern's scalar is compared, int for all numbers; None: no scalar."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int if math.isfinite(value) else None
    return next((kind for kind in (str, bool, NoneType) if isinstance(value, kind)), None)


def exact(values: Iterable[object]) -> Item:
    """Accepts what equals one of `values`, all of which `kind_of` knows."""
    found: dict[type, set[object]] = {}
    for value in values:
        found.setdefault(kind_of(value) or NoneType, set()).add(value)
    item: dict[type, Test] = {kind: frozenset(of).__contains__ for kind, of in found.items()}
    return item | {float: item[int]} if int in item else item


def within(signs: Sequence[str], numbers: Sequence[float]) -> Test:
    """Holds for numbers that compare so: one sign and number, or the lower bound and the upper."""
    if len(numbers) == 1:
        only, bound = COMPARE[signs[0]], numbers[0]
        return lambda value: only(value, bound)
    above, below = (COMPARE[sign] for sign in signs)
    low, high = numbers
    return lambda value: above(value, low) and below(value, high)


def _folded(text: str, compare: Callable[[str, str], bool]) -> Test:
    wanted = fold(text)
    return lambda value: compare(fold(value), wanted)


def _wildcard(text: str) -> Test:
    """`*` stands for any characters; found part by part, so it costs no backtracking."""
    head, *middle = _parts(text)
    if not middle:
        return head.__eq__
    tail = middle.pop()
    least = len(head) + len(tail)

    def test(value: str) -> bool:
        if len(value) < least or not (value.startswith(head) and value.endswith(tail)):
            return False
        at, end = len(head), len(value) - len(tail)
        for part in middle:
            at = value.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True

    return test


def _parts(text: str) -> list[str]:
    """Split at the unescaped `*`; raises ValueError for what event-ruler refuses."""
    parts, characters = [""], iter(text)
    for character in characters:
        if character == "\\":
            escaped = next(characters, "")
            if escaped not in {"*", "\\"}:
                raise ValueError(r"a backslash may only escape * or a backslash")
            parts[-1] += escaped
        elif character == "*":
            parts.append("")
        else:
            parts[-1] += character
    if "" in parts[1:-1]:
        raise ValueError("two * in a row say no more than one")
    if len(parts) > MAX_WILDCARDS + 1:
        raise ValueError(f"has more than {MAX_WILDCARDS} *")
    return parts


TEXT_TESTS: Final[Mapping[tuple[str, bool], Callable[[str], Test]]] = {
    ("prefix", False): lambda text: lambda value: value.startswith(text),
    ("suffix", False): lambda text: lambda value: value.endswith(text),
    ("prefix", True): lambda text: _folded(text, str.startswith),
    ("suffix", True): lambda text: _folded(text, str.endswith),
    (FOLD, False): lambda text: _folded(text, str.__eq__),
    ("wildcard", False): _wildcard,
}
"""(operator, case ignored) → its test of text. A bad wildcard raises ValueError, what is wrong."""
