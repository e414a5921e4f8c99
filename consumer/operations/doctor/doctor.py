"""All checks of a config, and what they found."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka

from consumer import __version__
from consumer.config.models import Config
from consumer.errors import ConfigError
from consumer.operations.doctor.file_checks import config_findings, file_checks
from consumer.operations.doctor.finding import Check, Finding, State, run_checks
from consumer.operations.doctor.kafka_checks import kafka_checks
from consumer.operations.doctor.registry_checks import registry_checks
from consumer.operations.doctor.store_checks import store_checks
from consumer.operations.doctor.vendor_checks import vendor_checks
from consumer.wiring import config_file


def examine(path: Path) -> list[Finding]:
    """Return all findings, in the order of the table. Sends no survey, writes no record."""
    try:
        config = config_file.read(path)
    except ConfigError as error:
        refused = config_findings(error.problems, State.FAILED)
        rest = Finding("all else", State.SKIPPED, "without a config that is valid")
        return [*refused, *run_checks(file_checks(path)), rest]
    return run_checks(
        [
            Check("config", lambda: _config(path, config)),
            *file_checks(path),
            Check("kafka", lambda: kafka_checks(config)),
            *registry_checks(config),
            *store_checks(config),
            *vendor_checks(config),
        ]
    )


def _config(path: Path, config: Config) -> Iterator[Finding]:
    client, _ = confluent_kafka.libversion()
    programs = f"survey-dispatcher {__version__}, Python {platform.python_version()}"
    valid = f"{config_file.shown(path)} is valid ({programs}, librdkafka {client})"
    yield Finding("config", State.OK, valid)
    yield from config_findings(config.warnings, State.WARNING)
