"""librdkafka's settings in a config: which the program owns and why, and their aliases.

The program's clients merge its own defaults, the config's settings, its own fixed values, in this
order. Each fixed value is refused by name here, under all of its names: no setting of a config is
overridden silently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_PROMISES: Final = "the program sets this itself: its promises rest on it"
_RECORDS: Final = "the program sets this itself: its topics take records of up to 16 MiB"
_TOPICS: Final = "the program sets this itself: its topics have settings of their own"
_LOG: Final = "the program sets this itself: its log has librdkafka's errors, and no more"
_CODE: Final = "takes a function of a program, which no file can hold"

_OWNED: Final[tuple[tuple[str, str], ...]] = (
    (
        _PROMISES,
        (
            r"isolation\.level|enable\.auto\..*|auto\.commit\..*|offset\.store\..*"
            r"|auto\.offset\.reset"
            r"|transactional\..*|transaction\.timeout\.ms|enable\.idempotence"
            r"|enable\.gapless\.guarantee|acks|request\.required\.acks|group\..*|client\.rack"
            r"|partition\.assignment\.strategy|(message|delivery)\.timeout\.ms|socket\.timeout\.ms"
            r"|session\.timeout\.ms|heartbeat\.interval\.ms|max\.poll\.interval\.ms"
            r"|enable\.partition\.eof|delivery\.report\.only\.error|topic\.blacklist"
        ),
    ),
    (_RECORDS, r"message\.max\.bytes"),
    (_TOPICS, r"allow\.auto\.create\.topics"),
    (_LOG, r"debug|log_level|log\.queue"),
    (_CODE, r".*_cb(_data)?|on_delivery|on_commit|opaque|logger|default\.topic\.config"),
)

OWNED: Final = re.compile("|".join(pattern for _, pattern in _OWNED))
"""Settings that a config must not give."""

SMALLEST: Final[Mapping[str, int]] = {"queue.buffering.max.kbytes": 16 * 1024}
"""Smallest values that work. librdkafka accepts smaller ones, but then the program waits for ever:
a record of 16 MiB never finds room in a smaller queue."""

ALIASES: Final[Mapping[str, str]] = {
    "queue.buffering.max.ms": "linger.ms",
    "compression.codec": "compression.type",
    "max.in.flight.requests.per.connection": "max.in.flight",
    "message.send.max.retries": "retries",
    "sasl.mechanism": "sasl.mechanisms",
    "fetch.message.max.bytes": "max.partition.fetch.bytes",
    "metadata.broker.list": "bootstrap.servers",
    "sasl.oauthbearer.client.credentials.client.id": "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.credentials.client.secret": "sasl.oauthbearer.client.secret",
}
"""librdkafka's other names for a setting → the name that the program uses."""

_SERVER: Final = re.compile(
    r"([A-Za-z_]+://)?(\[[0-9A-Fa-f:.%a-z]+\]|[^\s,:/@\[\]]+)(:(?P<port>[0-9]{1,5}))?", re.ASCII
)


def why_owned(name: str) -> str | None:
    """Return why a config must not give this setting; None if it may."""
    return next((why for why, pattern in _OWNED if re.fullmatch(pattern, name)), None)


def plain_name(name: str) -> str:
    """Return the name that the program uses for a setting."""
    return ALIASES.get(name, name)


def plain_names(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings by the names that the program uses."""
    return {plain_name(name): value for name, value in settings.items()}


def servers_problem(value: str) -> str | None:
    """Return the error in `bootstrap.servers`, or None; librdkafka accepts any text."""
    for server in value.split(","):
        found = _SERVER.fullmatch(server.strip())
        if found is None or not 0 < int(found["port"] or 1) < 65536:
            return "expected host:port,host:port"
    return None
