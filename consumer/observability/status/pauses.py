"""What is paused, by the config and by command, for status, metrics and `pause --list`."""

from __future__ import annotations

from collections.abc import Iterable

from consumer.config.models import Config
from consumer.observability.status.status import COMMAND, CONFIG, PauseStatus
from consumer.records.pause import Pause, PauseKind


def pauses_of_config(config: Config) -> list[PauseStatus]:
    """Return what the config pauses."""
    named = (
        (PauseKind.CAMPAIGN, config.campaigns.items()),
        (PauseKind.ROUTE, ((route.name, route) for route in config.routes)),
        (PauseKind.VENDOR, config.vendors.items()),
    )
    return [
        PauseStatus(kind, name, CONFIG)
        for kind, sections in named
        for name, section in sections
        if section.paused
    ]


def pauses_by_command(records: Iterable[Pause]) -> list[PauseStatus]:
    """Return what operators paused."""
    return [PauseStatus(pause.kind, pause.name, COMMAND, pause.at, pause.why) for pause in records]
