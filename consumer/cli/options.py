"""Options that the commands share, and how a command loads its config."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from consumer.config.models import Config
from consumer.wiring import config_file

ConfigPath = Annotated[
    Path,
    typer.Option("--config", "-c", help="the routing config", envvar="SURVEY_DISPATCHER_CONFIG"),
]


def load_config(path: Path, *, secrets: bool = True) -> Config:
    """The config, with its warnings told to stderr. Raises ConfigError."""
    config = config_file.read(path, secrets=secrets)
    for warning in config.warnings:
        typer.echo(f"warning: {warning}", err=True)
    return config


def time_of(text: str) -> float | None:
    """An RFC 3339 time with its offset → epoch seconds; None for anything else."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if when.tzinfo is None else when.timestamp()
