"""Check of the schema registry: is it reached, may we read, and does it know the inputs' topics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing

from consumer.config.models import Config
from consumer.config.registry_section import Registry
from consumer.errors import RegistryUnavailable
from consumer.http.schema_registry import SchemaRegistry
from consumer.operations.doctor.finding import Check, Finding, State
from consumer.operations.doctor.vendor_checks import clock_finding
from consumer.wiring.inputs import needs_registry

_NAME = "registry"


def registry_checks(config: Config, now: Callable[[], float] = time.time) -> list[Check]:
    """Return the check of the config's registry, if it has one."""
    section = config.registry
    if section is None:
        return []
    inputs = [entry for entry in config.inputs.values() if needs_registry(entry)]
    needed = [topic for entry in inputs for topic in entry.topics]
    return [Check(_NAME, lambda: _registry(section, needed, now))]


def _registry(section: Registry, needed: list[str], now: Callable[[], float]) -> Iterator[Finding]:
    sent_at = now()
    try:
        with closing(SchemaRegistry(section)) as registry:
            found = registry.subjects()
    except RegistryUnavailable as error:
        said, _, remedy = str(error).partition(": ")
        usual = "check `url`, login and certificates under `registry`, and what firewalls allow"
        yield Finding(_NAME, State.FAILED, said, remedy or usual)
        return
    yield Finding(_NAME, State.OK, f"reached; {len(found.names):,} subjects")
    for topic in needed:
        if f"{topic}-value" not in found.names:
            said = f"no subject {topic}-value"
            remedy = "right if the writers of the topic name subjects in another way; else ask them"
            yield Finding(_NAME, State.WARNING, said, remedy)
    if (skewed := clock_finding(_NAME, found.date, sent_at, now())) is not None:
        yield skewed
