"""Translates YAML's syntax errors: what is wrong, what to do, the line with a caret.

ruamel.yaml reports what its parser expected ("expected <block end>, but found '<scalar>'"), which
is true but does not help a config's author. Each kind of error has a sentence here; other errors
are repeated unchanged. The line is shown with possible secrets masked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from consumer.config.document import dotted
from consumer.errors import Problem

_LEFT_OPEN: Final = ("the quote that", "the [ ", "the { ")
SAME_COLUMN: Final = "the keys of one mapping begin in one column, below their section's key"
_WIDTH: Final = 100
_SECRET: Final = re.compile(
    r"(passw|token|secret|key|credential|sasl|ssl|proxy|cert|auth|pem)[\w.-]*[\"']?\s*:"
    r"|//(?=[^/\s]*@)",
    re.IGNORECASE,
)
_STRUCTURED: Final = re.compile(r"^\s*(- |[\w.$\"'-]+\s*:|[\[\]{}#?%-])|^\s*$")
_QUOTED: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_OPENERS: Final = {"]": "[", "}": "{"}


class _Slip(NamedTuple):
    """A syntax error: ruamel.yaml's words, lines from 1 on, the line's text up to the error."""

    words: str
    line: int
    begun: int
    before: str


def syntax_problem(error: YAMLError | RecursionError, text: str, file: str) -> Problem:
    """Translate a syntax error to a `Problem`, with its line."""
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1)
        message = f"a character that YAML does not allow (U+{int(error.character):04X})"
        return Problem(file, line, dotted(()), message, "", _excerpt(text, line, column))
    if not isinstance(error, MarkedYAMLError):
        return Problem(file, 1, dotted(()), "not readable as YAML: nested too deeply")
    mark = error.problem_mark or error.context_mark
    line, column = (1, 0) if mark is None else (mark.line + 1, mark.column)
    begun = error.context_mark.line + 1 if error.context_mark else line
    words = f"{error.context or ''}: {error.problem or ''}"
    slip = _Slip(words, line, begun, _line_at(text, line)[:column])
    message, hint = _message_and_hint(slip)
    opened = _open_quote(text, line)
    if opened is not None and opened[0] <= line:
        message, hint = "a quote is left open in this line", f"noticed in line {line}"
        line, column = opened
    elif message.startswith(_LEFT_OPEN) and error.context_mark is not None:
        line, column = begun, error.context_mark.column
    return Problem(file, line, dotted(()), message, hint, _excerpt(text, line, column))


def _message_and_hint(slip: _Slip) -> tuple[str, str]:
    for pattern, sentence in _SLIPS:
        if found := re.search(pattern, slip.words, re.DOTALL):
            return sentence if isinstance(sentence, tuple) else sentence(slip, found)
    # ruamel.yaml may quote a part of a secret; single characters help and stay.
    what = _QUOTED.sub(_shortened, slip.words.rpartition(": ")[2])
    begun = f"begun in line {slip.begun}" if slip.begun != slip.line else ""
    return f"not readable as YAML: {what}", begun


def _shortened(quoted: re.Match[str]) -> str:
    text = quoted[1] or quoted[2] or ""
    return quoted[0] if len(text) <= len("\\t") or text == "<stream end>" else "…"


def _wrong_start(_slip: _Slip, found: re.Match[str]) -> tuple[str, str]:
    if found[1] == "\\t":
        return "a tab stands where only spaces may", "indent with spaces, two for each level"
    return f"a text that begins with {found[1]} must stand in quotes", ""


def _wrong_colon(slip: _Slip, _found: re.Match[str]) -> tuple[str, str]:
    if re.search(r":\s", slip.before):
        hint = "quote a text that holds a colon and a blank, or begin a new line for the key"
        return "a second colon in one line", hint
    return "this key cannot stand here", f"{SAME_COLUMN}; the line above may lack its colon"


def _open_bracket(slip: _Slip, found: re.Match[str]) -> tuple[str, str]:
    opener = _OPENERS[found[1]]
    message = f"the {opener} that opens here is not closed, or a comma is missing"
    noticed = "" if slip.begun == slip.line else f"noticed in line {slip.line}; "
    return message, f"{noticed}close it with {found[1]}; quote a text that holds , : [ ] {{ or }}"


def _missing_content(_slip: _Slip, found: re.Match[str]) -> tuple[str, str]:
    if found[1] == ",":
        return "a comma without a value before it", ""
    if found[1] in _OPENERS:
        return f"nothing opened the {found[1]} that stands here", ""
    return "the text ends before a [ or { is closed", ""


def _wrong_block_end(slip: _Slip, found: re.Match[str]) -> tuple[str, str]:
    if found[1] in _OPENERS:
        return f"nothing opened the {found[1]} that stands here", ""
    if slip.before.strip():
        hint = (
            "a quote within quotes is written twice: 'it''s', or with a backslash: \"a \\\"b\\\"\""
        )
        return "something stands behind the end of a quoted text, a list or a mapping", hint
    if found[1] in {"-", "?"}:
        hint = "indent what belongs to an item, or to a key"
        return "keys and items of a list cannot stand in one column", hint
    hint = f"begun in line {slip.begun}: {SAME_COLUMN}"
    return "this line is indented unlike those beside it", hint


_Sentence = tuple[str, str] | Callable[[_Slip, re.Match[str]], tuple[str, str]]
_SLIPS: Final[tuple[tuple[str, _Sentence], ...]] = (
    (r"found character '(\\t|.)' that cannot start", _wrong_start),
    (
        r"quoted scalar: found unexpected (?:end of stream|document separator)",
        ("the quote that opens here is never closed", ""),
    ),
    (
        r"double-quoted scalar: (?:found unknown escape|expected escape)",
        (
            "in double quotes a backslash begins an escape, and this is none",
            "write it twice, or use single quotes",
        ),
    ),
    (
        r"scanning a block scalar",
        (
            "a text that begins with > or | must stand in quotes",
            "alone on the line, they begin a block of text on the lines below",
        ),
    ),
    (r"scanning an (?:alias|anchor)", ("a text that begins with * or & must stand in quotes", "")),
    (r"undefined alias", ("an alias without an anchor", "quote a text that begins with *")),
    (r"another document", ("a second document begins here", "one file holds one config")),
    (r"a tag|tag handle", ("custom tags are not supported", "quote a text that begins with !")),
    (r"mapping values are not allowed", _wrong_colon),
    (
        r"could not find expected ':'",
        ("a key without a colon", "write key: value, and quote a longer text"),
    ),
    (
        r"sequence entries are not allowed",
        ("a list cannot begin here", "each '- ' begins a line; in one line write [a, b]"),
    ),
    (r"expected ',' or '([\]}])'", _open_bracket),
    (r"expected the node content, but found '(<stream end>|.)'", _missing_content),
    (r"expected <block end>, but found '(.*)'", _wrong_block_end),
    (r"<document start>", ("this line is indented unlike the first one", SAME_COLUMN)),
)
"""ruamel.yaml's words → message and hint, or the function that makes them."""


def _line_at(text: str, line: int) -> str:
    lines = text.split("\n")
    return lines[line - 1].rstrip("\r") if line <= len(lines) else ""


def _open_quote(text: str, last: int) -> tuple[int, int] | None:
    """Return line and column of the first unclosed quote up to line `last`, or None."""
    for number, line in enumerate(text.split("\n")[:last], start=1):
        column = _unclosed(line)
        if column is not None:
            return number, column
    return None


def _unclosed(line: str) -> int | None:
    inside, opened, before = "", 0, " "
    for column, character in enumerate(line):
        if inside:
            inside = "" if character == inside and before != "\\" else inside
        elif character == "#" and before.isspace():
            break
        elif character in "\"'" and before in " \t[{,:(":
            inside, opened = character, column
        before = character
    return opened if inside else None


def _excerpt(text: str, line: int, column: int) -> str:
    """Return the line with its number, and a caret below the error."""
    shown = _masked(_line_at(text, line))
    begin = max(0, column - _WIDTH // 2)
    part = shown[begin : begin + _WIDTH]
    number = f"{line:>5} | "
    part = "".join(character if character.isprintable() else " " for character in part)
    return f"{number}{part}\n{' ' * (len(number) - 2)}| {' ' * (column - begin)}^"


def _masked(line: str) -> str:
    """Return the line with possible secrets masked: it is printed in logs and terminals."""
    secret = _SECRET.search(line)
    if not _STRUCTURED.match(line):
        return re.sub(r"\S", "*", line)
    if secret is None:
        return line
    return line[: secret.end()] + re.sub(r"[^\s]", "*", line[secret.end() :])
