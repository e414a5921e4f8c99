"""Warns about values that YAML reads differently than they look, or that lack a `$`.

YAML reads `0042` as 42 and `1.10` as 1.1. Fields of text refuse such a value, and in fields of
numbers it does no harm; where both are allowed, as in `match`, it gets a warning.
"""

from __future__ import annotations

import json
import re
from typing import Final

from consumer.config.checks.findings import Findings
from consumer.config.document import Path, leaves
from consumer.config.schema_lookup import is_secret, schema_at

_LONGEST: Final = 500
"""Characters that are searched for a forgotten reference, at most."""

_NUMERIC: Final = "numeric"
_TEMPLATES: Final = frozenset({"body", "recipient"})

_FORGOTTEN: Final[tuple[tuple[re.Pattern[str], str, str], ...]] = (
    (
        re.compile(r"(?<![$\w])\{(env|file):[^{}]*\}"),
        "is no reference: a reference begins with $",
        "did you mean ${{{0}:…}}?",
    ),
    (re.compile(r"\$([A-Z_][A-Z0-9_]*)"), "stands as it is", "did you mean ${{env:{0}}}?"),
    (re.compile(r"\$\(([A-Za-z_]\w*)\)"), "stands as it is", "did you mean ${{env:{0}}}?"),
    (re.compile(r"%([A-Z_][A-Z0-9_]*)%"), "stands as it is", "did you mean ${{env:{0}}}?"),
    (re.compile(r".*\{\{(.*)\}\}.*", re.DOTALL), "a template that nothing fills", ""),
    (re.compile(r"<([A-Za-z][\w .-]*)>"), "reads as a stand-in for a value", ""),
)
"""What a text contains (the first: anywhere in it) → the oddity and a hint."""

_PATH: Final = re.compile(r"(\.{0,2}|~)/[\w./-]+|secrets/[\w./-]+")


def check_written(findings: Findings) -> None:
    """Add values that are probably not meant as they are read to `findings`."""
    for path in list(findings.source.written):
        _number(findings, path)
    for path, text in leaves(findings.source.tree):
        if not isinstance(text, str):
            continue
        if not _is_event_matter(path):
            _reference(findings, path, text)
            _blank(findings, path)
        elif path[2] == "match" and text != text.strip():
            _odd_blank(findings, path)


def _number(findings: Findings, path: Path) -> None:
    """Report an unusually written number where text is allowed, too."""
    value, written = findings.source.at(path), findings.source.written[path]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    if written == json.dumps(value):
        return
    if path[0] == "kafka":
        message = "YAML reads another number than is written here"
        findings.problem(path, message, "write it in quotes")
    elif (_is_match(path) and _NUMERIC not in path) or _is_template(path):
        message = f"YAML reads {written} as the number {json.dumps(value)}"
        findings.warn(path, message, f'if text is meant, write it in quotes: "{written}"')


def _is_match(path: Path) -> bool:
    return path[0] == "routes" and path[2:3] == ("match",)


def _is_template(path: Path) -> bool:
    return path[0] == "vendors" and path[2:3] != () and path[2] in _TEMPLATES


def _is_event_matter(path: Path) -> bool:
    """Tell whether a path is about events, whose values may look like anything."""
    return path[0] == "routes" and path[2:3] in {("match",), ("data",), ("recipient",)}


def _reference(findings: Findings, path: Path, text: str) -> None:
    for anywhere, (pattern, message, hint) in zip((True, *[False] * 5), _FORGOTTEN, strict=True):
        found = pattern.search(text) if anywhere else pattern.fullmatch(text[:_LONGEST])
        if found is not None and not (_is_template(path) and text.startswith("$")):
            findings.warn(path, message, hint.format(found[1]))
            return
    if schema_at(path, findings.source.tree).get("writeOnly") and _PATH.fullmatch(text):
        message = "reads as a path, and is taken for the secret itself"
        findings.warn(path, message, "a file's content is written ${file:PATH}")


def _blank(findings: Findings, path: Path) -> None:
    """Warn of blanks around a value that is used unchanged: secrets, ids, settings of Kafka."""
    value = findings.text(*path)
    sent = is_secret(path, findings.source.tree) or path[0] in {"vendors", "campaigns"}
    if sent and value is not None and value != value.strip():
        _odd_blank(findings, path)


def _odd_blank(findings: Findings, path: Path) -> None:
    message = "begins or ends with a blank or a line break, which is part of it"
    findings.warn(path, message, "cut it off if it is not meant; a block of text ends with one: >-")
