"""Checks of the config's own files: modes of secrets, stand-ins of `init`, warnings."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from consumer.config.document import leaves
from consumer.config.interpolate import files_named
from consumer.config.source import parse
from consumer.config.texts import UnfitTextError, read_text
from consumer.errors import ConfigError, Problem
from consumer.operations.doctor.finding import Check, Finding, State
from consumer.operations.first_config.files import STAND_IN
from consumer.wiring.config_file import STDIN

_SECRETS: Final = "secrets"
_OTHERS: Final = stat.S_IRWXO
_LARGEST: Final = 1024


def file_checks(path: Path) -> list[Check]:
    """Return the checks of the config at this path; none of standard input."""
    if path == STDIN:
        return []
    return [Check(_SECRETS, lambda: _secrets(path)), Check("config", lambda: _stand_ins(path))]


def config_findings(problems: tuple[Problem, ...], state: State) -> list[Finding]:
    """Return a row for each problem or warning of a config."""
    return [
        Finding("config", state, f"{one.file}:{one.line}: {one.path}: {one.message}", one.hint)
        for one in problems
    ]


def _secrets(path: Path) -> Iterator[Finding]:
    names = files_named(read_text(path))
    odd = [finding for name in names for finding in _secret(path.parent / name)]
    yield from odd
    if names and not odd:
        yield Finding(_SECRETS, State.OK, f"{len(names)} files, closed to other users")


def _secret(file: Path) -> Iterator[Finding]:
    try:
        mode, content = file.stat().st_mode, read_text(file)
    except (OSError, UnfitTextError):
        yield Finding(
            _SECRETS, State.FAILED, f"{file} cannot be read", "make it, or give the right"
        )
        return
    if mode & _OTHERS:
        found = f"{file} is open to all users of this host ({stat.filemode(mode)})"
        yield Finding(_SECRETS, State.WARNING, found, f"chmod 600 {file}")
    if len(content) < _LARGEST and content.strip() == STAND_IN:
        found = f"{file} holds the stand-in of `init`: enough for the sandbox"
        yield Finding(_SECRETS, State.WARNING, found, "write the vendor's secret into it")


def _stand_ins(path: Path) -> Iterator[Finding]:
    try:
        source = parse(read_text(path), str(path))
    except ConfigError:
        return
    for place, text in leaves(source.tree):
        if text == STAND_IN:
            problem = source.problem(place, "holds the stand-in of `init`: enough for the sandbox")
            yield from config_findings((problem,), State.WARNING)
