"""Reads and checks a config file as `run` needs it, and detects changes by fingerprint.

The path `-` is standard input. It is read once, has no fingerprint and is not watched. A relative
`${file:…}` in it is resolved against the working directory.

Changes are detected by comparing contents, not by file events or modification times: Kubernetes
swaps a symbolic link above the files, and network file systems report no events.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from consumer.config.include import files_included
from consumer.config.interpolate import PLACEHOLDER, files_named
from consumer.config.load import load, read_source
from consumer.config.models import Config
from consumer.config.table_files import MOST_BYTES, paths_named
from consumer.config.texts import MOST, UnfitTextError, decoded, read_bytes
from consumer.errors import ConfigError, Problem
from consumer.http.tls import Certified, TlsError, context_of
from consumer.kafka.setting_refusals import Refusal, refusals

STDIN = Path("-")
STDIN_NAME = "<stdin>"

_WITH_SECRETS = ("sasl.", "security.", "ssl.", "plugin.")
"""Prefixes of Kafka settings that hold secrets, or depend on secrets or files."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """Path of a config file, and its fingerprint from before the config in use was read."""

    path: Path
    fingerprint: bytes


def read(path: Path, *, secrets: bool = True) -> Config:
    """Load the config with all checks of `run` except those of topics. Raises ConfigError."""
    source = _read_standard_input() if path == STDIN else path
    config = load(source, secrets=secrets, name=STDIN_NAME)
    _check_clients(source, config, secrets=secrets)
    if secrets:
        _check_certificates(source, config)
    return config


def shown(path: Path) -> str:
    """Return the name of a config in messages."""
    return STDIN_NAME if path == STDIN else str(path)


def _read_standard_input() -> str:
    try:
        return decoded(sys.stdin.buffer.read(MOST + 1))
    except UnfitTextError as error:
        raise ConfigError([Problem(STDIN_NAME, 1, "(file)", str(error))]) from None


def _check_clients(source: Path | str, config: Config, *, secrets: bool) -> None:
    settings = config.kafka if secrets else _without_secrets(config.kafka)
    said = refusals(settings)
    refused = [_problem(source, refusal) for refusal in said if refusal.fatal]
    if refused:
        raise ConfigError(sorted(refused, key=lambda problem: problem.line))
    config.warn(_problem(source, refusal) for refusal in said)


def _without_secrets(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that can be checked without secrets and their files."""
    return {
        name: value
        for name, value in settings.items()
        if PLACEHOLDER not in value and not name.startswith(_WITH_SECRETS)
    }


def _problem(source: Path | str, said: Refusal) -> Problem:
    place = ("kafka",) if said.setting is None else ("kafka", said.setting)
    why = f"librdkafka refuses this: {said.why}" if said.fatal else said.why
    return problems(source, [place], why)[0]


def _check_certificates(source: Path | str, config: Config) -> None:
    certified: dict[tuple[str, ...], Certified] = {
        ("vendors", name): account for name, account in config.vendors.items()
    }
    if config.registry is not None:
        certified["registry",] = config.registry
    for where, entry in certified.items():
        try:
            context_of(entry)
        except TlsError as refused:
            place = (*where, refused.field)
            raise ConfigError(problems(source, [place], str(refused))) from None


def problems(
    source: Path | str,
    places: Iterable[str | tuple[str, ...]],
    message: str,
    hint: str = "",
) -> list[Problem]:
    """Return one problem for each of these sections or paths, with its line in the file. `source`:
    a Path is a file, a str is the text of standard input, as for `load`."""
    name = STDIN_NAME if isinstance(source, str) else str(source)
    paths = [(place,) if isinstance(place, str) else place for place in places]
    try:
        parsed = read_source(source, name=name)
    except ConfigError:  # the file changed since it was read
        return [Problem(name, 1, ".".join(place), message, hint) for place in paths]
    return [parsed.problem(place, message, hint) for place in paths]


def fingerprint(path: Path) -> bytes:
    """Return a digest of a config file and of every file that it names: included files, and of
    them and itself `${file:…}`, tables and descriptors."""
    content, base = _content(path, MOST), path.parent
    digest = _digest(content, base)
    for file in files_included(_decoded(content), base):
        digest.update(hashlib.sha256(os.fsencode(file)).digest())
        digest.update(_digest(_content(file, MOST), base).digest())
    return digest.digest()


def _digest(content: bytes, base: Path) -> hashlib._Hash:
    """Return the digest of a file and of the files that it names, included ones left out."""
    digest, text = hashlib.sha256(content), _decoded(content)
    files = [(base / name, MOST) for name in files_named(text)]
    files += [(named, MOST_BYTES) for named in paths_named(text, base)]
    for file, most in files:
        digest.update(hashlib.sha256(_content(file, most)).digest())
    return digest


def _decoded(content: bytes) -> str:
    return content.decode("utf-8-sig", "replace")


def _content(path: Path, most: int) -> bytes:
    """Return a file's bytes, as many as are read of it; none if it is unreadable, for a reason that
    `read` reports."""
    try:
        return read_bytes(path, most)
    except (OSError, UnfitTextError):
        return b""
