"""Warns about secrets that stand in the config itself, where all its readers and copies have them.

The warning never repeats the value. A certificate is public, and an address is a secret only where
it holds a password.
"""

from __future__ import annotations

import re
from typing import Final

from consumer.config.checks.findings import Findings
from consumer.config.document import Path, dotted, leaves
from consumer.config.schema_lookup import schema_at

_SECTIONS: Final = frozenset({"vendors", "registry", "contacts", "pseudonym"})
_REFERENCE: Final = "${"
_CERTIFICATE: Final = "-----BEGIN CERTIFICATE-----"
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+]*://(?![^/@]*:[^/@]+@)\S+", re.IGNORECASE)
"""A URL without a password before its host."""

_OF_KAFKA: Final = re.compile(r"(password|\.secret|ssl\.key\.pem|sasl\.jaas\.config)$")
_OPEN: Final = re.compile(r"(sandbox-|not-a-secret).*")
"""Credentials of the vendors' double, and what says of itself that it is none."""

_HEADERS: Final = re.compile(r"(authorization|.*(api-?key|token|secret|password))", re.IGNORECASE)

_IN_HEADER: Final = 'write {token} here, and token: "${file:PATH}" beside `headers`'
_MESSAGE: Final = "a secret stands here in clear text"
_HINT: Final = 'write it into a file that only the program can read: "${file:PATH}"'


def check_clear_secrets(findings: Findings) -> None:
    """Add a warning for each secret in clear text that has no other warning yet."""
    warned = {warning.path for warning in findings.warnings}
    for path, value in leaves(findings.source.tree):
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            continue
        text = str(value)
        if not text or _REFERENCE in text or dotted(path) in warned:
            continue
        if _is_header(path):
            if "{" not in text:
                findings.warn(path, _MESSAGE, _IN_HEADER)
        elif _is_secret(findings, path) and not _is_public(text):
            findings.warn(path, _MESSAGE, _HINT)


def _is_secret(findings: Findings, path: Path) -> bool:
    if path[0] == "kafka":
        return len(path) == 2 and _OF_KAFKA.search(str(path[1])) is not None
    return path[0] in _SECTIONS and bool(schema_at(path, findings.source.tree).get("writeOnly"))


def _is_header(path: Path) -> bool:
    in_headers = path[0] == "vendors" and path[2:3] == ("headers",) and len(path) == 4
    return in_headers and _HEADERS.fullmatch(str(path[3])) is not None


def _is_public(text: str) -> bool:
    """Tell whether a value is a certificate, an address without a password, or opens nothing."""
    address, opens_nothing = _ADDRESS.fullmatch(text), _OPEN.fullmatch(text)
    return text.lstrip().startswith(_CERTIFICATE) or bool(address or opens_nothing)
