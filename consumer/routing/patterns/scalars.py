"""Tests of one scalar of an event, which patterns consist of.

Text, numbers, booleans and null are four types that never equal each other; integers and floats are
one. `match.py` handles arrays and missing fields.
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
"""What one value of a list accepts, by JSON type; a missing type never matches."""

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
    """Accept any scalar."""
    return True


def never(_value: object) -> bool:
    """Accept no scalar."""
    return False


def negated(test: Test) -> Test:
    """Return the negation of `test`."""
    return lambda value: not test(value)


def fold(text: str) -> str:
    """Fold the case of a text: I equals i, also Turkish's \u0130 and \u0131."""
    if text.isascii():
        return text.lower()
    return normalize("NFC", text.casefold()).replace("i\u0307", "i").replace("\u0131", "i")


def any_of(tests: Sequence[Test]) -> Test:
    """Return a test that holds if one of `tests` does; without tests it never holds."""
    if always in tests:
        return always
    if len(tests) < 2:
        return tests[0] if tests else never
    return lambda value: any(test(value) for test in tests)


def anything() -> dict[type, Test]:
    """Return an item that accepts every scalar."""
    return dict.fromkeys(SCALARS, always)


def kind_of(value: object) -> type | None:
    """Return the type of a pattern's scalar, int for all numbers; None: no scalar."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int if math.isfinite(value) else None
    return next((kind for kind in (str, bool, NoneType) if isinstance(value, kind)), None)


def exact(values: Iterable[object]) -> Item:
    """Return an item that accepts what equals one of `values`, all known to `kind_of`."""
    found: dict[type, set[object]] = {}
    for value in values:
        found.setdefault(kind_of(value) or NoneType, set()).add(value)
    item: dict[type, Test] = {kind: frozenset(of).__contains__ for kind, of in found.items()}
    return item | {float: item[int]} if int in item else item


def within(signs: Sequence[str], numbers: Sequence[float]) -> Test:
    """Return a test of a number against one bound, or against a lower and an upper bound."""
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
    """Test text with `*` for any characters. Parts are searched in order, without backtracking."""
    head, *middle = parts_of(text)
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


def parts_of(text: str) -> list[str]:
    """Split a wildcard at the unescaped `*`; raises ValueError for what event-ruler refuses."""
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
"""(operator, case ignored) → its test of text. A bad wildcard raises ValueError with the reason."""
