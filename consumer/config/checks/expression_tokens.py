"""Finds oddities in a JMESPath expression that compiles, and hints for one that does not.

JMESPath reads a name in double quotes as a field, like a bare word: `type == "GIFT"` and `type ==
GIFT` compare two fields and are null or false for ever. Text needs single quotes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from jmespath import lexer

from consumer.routing.expressions import syntax_tree, with_names_quoted

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CAPITALS: Final = re.compile(r"[A-Z][A-Z0-9_]+")
_CONSTANTS: Final = frozenset({"true", "false", "null"})
_COMPARATORS: Final = frozenset({"eq", "ne", "lt", "lte", "gt", "gte"})
_GOES_ON: Final = frozenset({"dot", "lbracket", "lparen", "filter", "flatten"})
_SECOND_IS_TEXT: Final = frozenset({"contains", "starts_with", "ends_with"})
_PROJECTIONS: Final = frozenset({"projection", "filter_projection", "value_projection"})

_HINTS: Final[tuple[tuple[str, str], ...]] = (
    (r"^\s*@\w|\.@\w", """a name that begins with @ stands in double quotes: '"@timestamp"'"""),
    (r"\{\{|\$\{|\}\}", "an expression stands alone, without braces around it"),
    (r"^\s*\$", "leave $ out: an expression begins at the event itself"),
    (r"[A-Za-z_]\w*\.\d", "an element of a list is written [0], as in items[0].sku"),
    (r"===|= =|[^=!<>]=[^=]", "write == to compare"),
    (r"<>", "write != for unequal"),
    (r"(?i)[^'\w](and|or|not)\s", "and is written &&, or is ||, not is !"),
    (r"[^&]&[^&]", "and is written &&"),
    (r"[=<>]\s*-?\d", "a number stands in backticks, as in amount > `5`"),
    (
        r"^\s*[\w.+-]*\d[\w.+-]*\s*$|^[^'\"\[\](){}|&=<>`@$.]+$|[^\x00-\x7f]",
        "text that is meant as it stands has single quotes within double ones: \"'a b'\"",
    ),
)
"""What an expression that does not compile contains → the hint."""


_LONG: Final = 200
"""Characters that are searched for hints: more add nothing, and could be slow."""


class Token(NamedTuple):
    """One token of an expression."""

    kind: str
    text: str


def tokens_of(expression: str) -> list[Token]:
    """Return the tokens of an expression that compiles, with an end token."""
    found = lexer.Lexer().tokenize(with_names_quoted(expression))
    return [Token(token["type"], str(token["value"])) for token in found]


def meant_by(expression: str) -> str:
    """Return a hint for an expression that does not compile, or ""."""
    text = expression[:_LONG]
    return next((hint for pattern, hint in _HINTS if re.search(pattern, text)), "")


def root_of(expression: str) -> str | None:
    """Return the field of the event that a plain path begins with."""
    first, *rest = tokens_of(expression)
    ends = not rest or rest[0].kind in {"eof", "dot", "lbracket", "filter", "flatten"}
    is_name = first.kind in {"unquoted_identifier", "quoted_identifier"}
    return first.text if is_name and ends else None


def bare_word(expression: str) -> str | None:
    """Return the only word of an unquoted one-word expression; None if it is more than that."""
    first, *rest = tokens_of(expression)
    alone = len(rest) == 1 and rest[0].kind == "eof"
    return first.text if alone and first.kind == "unquoted_identifier" else None


def oddities(expression: str, known: Collection[str]) -> list[tuple[str, str]]:
    """Return messages with hints; `known`: fields that the config names elsewhere."""
    tokens = tokens_of(expression)
    found = [_as_literal(tokens[at]) for at in _literals_meant(tokens, known)]
    tree = syntax_tree(expression)
    if any(_compares_a_list(node) for node in nodes_of(tree)):
        message = "a list is compared with one value, which is never true"
        found.append((message, "filter it: items[?type == 'GIFT'], or take one: items[0].type"))
    if any(_pipes_to_a_sibling(node) for node in nodes_of(tree)):
        message = "| takes the second part from what the first one gives"
        found.append((message, "write || for 'or else'"))
    return list(dict.fromkeys(found))


def _as_literal(token: Token) -> tuple[str, str]:
    if token.text in _CONSTANTS and token.kind == "unquoted_identifier":
        return f"{token.text} is a field's name here", f"the value is `{token.text}` in backticks"
    quotes = '"' if token.kind == "quoted_identifier" else ""
    message = f"{quotes}{token.text}{quotes} is a field here, not text"
    return message, f"text has single quotes: '{token.text}'"


def _literals_meant(tokens: Sequence[Token], known: Collection[str]) -> Iterator[int]:
    """Yield the indexes of names that are probably meant as text or constants."""
    functions: list[str] = []
    for at, token in enumerate(tokens):
        before = tokens[at - 1] if at else Token("start", "")
        behind = tokens[at + 1].kind if at + 1 < len(tokens) else "eof"
        if token.kind == "lparen":
            functions.append(before.text)
        elif token.kind == "rparen" and functions:
            functions.pop()
        if token.text in known or before.kind == "dot" or behind in _GOES_ON or behind == "colon":
            continue
        second = before.kind == "comma" and functions and functions[-1] in _SECOND_IS_TEXT
        if before.kind in _COMPARATORS or second:
            quoted = token.kind == "quoted_identifier"
            if quoted or _shouts(token, constants=not second):
                yield at
        elif _quotes_in_vain(token):
            right = tokens[at + 2].kind if behind in _COMPARATORS else "literal"
            starts = before.kind in {"start", "or", "colon"}
            if (behind in _COMPARATORS and right != "literal") or (
                starts and behind in {"eof", "rbrace", "comma", "or"}
            ):
                yield at
        elif before.kind == "or" and (_shouts(token, constants=True) or _has_blank(token)):
            yield at


def _shouts(token: Token, *, constants: bool) -> bool:
    if token.kind != "unquoted_identifier":
        return False
    return bool(_CAPITALS.fullmatch(token.text)) or (constants and token.text in _CONSTANTS)


def _quotes_in_vain(token: Token) -> bool:
    return token.kind == "quoted_identifier" and bool(_PLAIN.fullmatch(token.text))


def _has_blank(token: Token) -> bool:
    return token.kind == "quoted_identifier" and " " in token.text


def nodes_of(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the nodes of an expression's tree."""
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        stack += [child for child in node["children"] if isinstance(child, dict)]


def _compares_a_list(node: Mapping[str, Any]) -> bool:
    kinds = {child["type"] for child in node["children"]} if node["type"] == "comparator" else set()
    return bool(kinds & _PROJECTIONS) and "literal" in kinds


def _pipes_to_a_sibling(node: Mapping[str, Any]) -> bool:
    if node["type"] != "pipe":
        return False
    left, right = (_first_field(child) for child in node["children"])
    return left is not None and left == right


def _first_field(node: Mapping[str, Any]) -> str | None:
    while node["type"] == "subexpression":
        node = node["children"][0]
    return str(node["value"]) if node["type"] == "field" else None
