"""Replaces `${env:NAME}`, `${env:NAME:-default}` and `${file:PATH}` in the texts of a config.

A replacement is always text; if a whole value is one reference and its field takes a number or a
boolean, `check` converts it. `$${` stands for a plain `${`. Keys are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from consumer.config.document import Path, Source, Tree
from consumer.config.texts import UnfitTextError, plain_secret, read_text
from consumer.errors import Problem

PLACEHOLDER = "placeholder-for-a-secret"
"""Replaces every reference without a default when a config is checked without its secrets."""

_TELLING = 6  # characters; shorter values occur in plain words, and messages would be garbled
_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_ENV = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_FORMS = "expected ${env:NAME}, ${env:NAME:-default} or ${file:PATH}"


@dataclass(slots=True)
class Resolved:
    """The tree with its references replaced.

    `whole`: values that are one reference, which may be a number. `open`: values with a
    placeholder. `secrets`: replacement → its reference, so that no message repeats a secret.
    """

    tree: Tree = None
    whole: set[Path] = field(default_factory=set)
    open: set[Path] = field(default_factory=set)
    secrets: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def scrub(self, text: str) -> str:
        """Replace each reference's content in `text` by the reference."""
        known = (value for value in self.secrets if len(value) >= _TELLING)
        for value in sorted(known, key=len, reverse=True):
            text = text.replace(value, self.secrets[value])
        return text


class _Missing(Exception):  # noqa: N818 - carries the sentence for a Problem, never leaves this file
    pass


def interpolate(
    source: Source, *, env: Mapping[str, str], base: FilePath, secrets: bool = True
) -> Resolved:
    """Replace the references in all texts of `source`.

    Relative paths count from `base`. Without `secrets` no variable and no file is read: a reference
    becomes its default, else a placeholder.
    """
    resolved = Resolved()

    def replaced(text: str, path: Path) -> str:
        def content(found: re.Match[str]) -> str:
            if found.group() == "$${":
                return "${"
            reference, value = found.group(1) or "", None
            try:
                value = _read_reference(reference, env, base) if secrets else _default_of(reference)
            except _Missing as missing:
                resolved.problems.append(source.problem(path, str(missing)))
            if value is None:
                resolved.open.add(path)
                return PLACEHOLDER
            resolved.secrets[value] = found.group()
            return value

        whole = _REFERENCE.fullmatch(text)
        if whole and whole.group(1):
            resolved.whole.add(path)
        return _REFERENCE.sub(content, text)

    resolved.tree = _map_texts(source.tree, (), replaced)
    return resolved


def files_named(text: str) -> list[str]:
    """List the paths of all `${file:PATH}` in a config's text, each once, as written."""
    found = (reference.group(1) or "" for reference in _REFERENCE.finditer(text))
    files = (name.removeprefix("file:") for name in found if name.startswith("file:"))
    return list(dict.fromkeys(filter(None, files)))


def _map_texts(tree: Tree, path: Path, text: Callable[[str, Path], str]) -> Tree:
    if isinstance(tree, dict):
        return {key: _map_texts(value, (*path, key), text) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_map_texts(value, (*path, i), text) for i, value in enumerate(tree)]
    return text(tree, path) if isinstance(tree, str) else tree


def _default_of(reference: str) -> str | None:
    """Return a reference's default; None: a placeholder. Raises `_Missing` if malformed."""
    if found := _ENV.fullmatch(reference):
        return str(found[2]) if found[2] is not None else None
    if reference.startswith("file:") and reference != "file:":
        return None
    raise _Missing(f"{_FORMS}; a plain ${{ is written $${{")


def _read_reference(reference: str, env: Mapping[str, str], base: FilePath) -> str:
    default = _default_of(reference)
    if found := _ENV.fullmatch(reference):
        # As in a shell's `:-`, empty counts as missing: an empty token is never meant.
        value = plain_secret(env.get(found[1], "")) or default
        if value is None:
            raise _Missing(f"the environment variable {found[1]} is not set, or empty")
        return _check_unicode(value, f"the environment variable {found[1]}")
    return _read_secret_file(base / reference.removeprefix("file:"))


def _read_secret_file(path: FilePath) -> str:
    try:
        content = plain_secret(read_text(path))
    except OSError as error:
        raise _Missing(f"the file {path} cannot be read: {error.strerror}") from None
    except UnfitTextError as error:
        raise _Missing(f"the file {path} {error}") from None
    if not content.strip():
        raise _Missing(f"the file {path} is empty")
    return content


def _check_unicode(text: str, what: str) -> str:
    # A variable whose bytes are not UTF-8 has lone surrogates.
    if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
        raise _Missing(f"{what} is not UTF-8 text")
    return text
