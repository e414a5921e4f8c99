"""Loads a config file or text to a `Config`, or raises `ConfigError` with all its problems."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from consumer.config.checks.check import check
from consumer.config.document import Source
from consumer.config.include import merge_included
from consumer.config.interpolate import interpolate
from consumer.config.models import Config
from consumer.config.source import parse
from consumer.config.texts import UnfitTextError, read_text
from consumer.errors import ConfigError, Problem


def load(
    config: Path | str,
    *,
    secrets: bool = True,
    env: Mapping[str, str] | None = None,
    base: Path | None = None,
    name: str = "<config>",
) -> Config:
    """Read, check and return a config; `Config.warnings` has its warnings.

    `config`: a Path is a file, a str is the YAML itself, called `name` in problems. `secrets`:
    False reads no variable and no file but tables, so that CI can check a config without them.
    `env`: the variables, by default the process's. `base`: the folder that relative `${file:…}` and
    tables count from, by default the config file's (for a text: the working directory).

    Raises `ConfigError` with every problem found, in the order of lines.
    """
    source = read_source(config, base=base, name=name)
    variables = os.environ if env is None else env
    base = base or (config.parent if isinstance(config, Path) else Path())
    return check(source, interpolate(source, env=variables, base=base, secrets=secrets), base)


def read_source(config: Path | str, *, base: Path | None = None, name: str = "<config>") -> Source:
    """Parse a config with all files that it includes. Raises `ConfigError` without a tree to go on
    with; other problems are in the Source."""
    if isinstance(config, Path):
        source = parse(_read_config(config), str(config))
        merge_included(source, base or config.parent)
    else:
        source = parse(config, name)
        merge_included(source, base or Path())
    return source


def _read_config(path: Path) -> str:
    try:
        return read_text(path)
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    except UnfitTextError as error:
        message = str(error)
    raise ConfigError([Problem(str(path), 1, "(file)", message)])
