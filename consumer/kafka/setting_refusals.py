"""Check a config's settings with librdkafka before a client is needed.

Each kind of client is constructed with the very settings it will have, without any server, so that
nothing connects, and is thrown away. librdkafka reports one setting at a time: a refused one is
left out and the rest is checked again. Its messages are repeated without any value, because a value
may be a secret.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, KafkaException, Producer

from consumer.config.kafka_settings import ALIASES, plain_name
from consumer.kafka.client_settings import Settings, consumer_settings, producer_settings
from consumer.kafka.clients import admin_client, ignore_error
from consumer.kafka.errors import describe

_SERVERS: Final = "bootstrap.servers"
_QUOTED: Final = re.compile(r'"(.*?)"', re.DOTALL)
_VALUE: Final = re.compile(r"\bvalue (?!for\b)\S+")
_NAME: Final = re.compile(r"[a-z0-9]+([._][a-z0-9]+)+|retries|acks|linger")
_CREATING: Final = re.compile(r"^(_INVALID_ARG: )?(Failed to create [a-z ]+: )?")
_LONG: Final = 4
_HARMLESS: Final = frozenset({"true", "false"})
_DEPRECATED: Final = "is deprecated"
_ABOUT: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("SASL mechanism", ("sasl.mechanisms", "sasl.mechanism", "security.protocol")),
    ("(plugin ", ("plugin.library.paths",)),
)
"""Phrase of a message that names no setting → the settings that it is about."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """librdkafka's message and the setting that it is about; None if it names none. `fatal`: no
    client can be made with it. Otherwise the setting is only deprecated."""

    setting: str | None
    why: str
    fatal: bool = True


def refusals(settings: Settings) -> list[Refusal]:
    """Return all that librdkafka refuses in these settings, each once; fatal ones come first."""
    found: dict[Refusal, None] = {}
    for kind in _KINDS:
        found.update(dict.fromkeys(_asked(kind, settings)))
    return sorted(found, key=lambda refusal: not refusal.fatal)


def _consumer(settings: Settings, logger: logging.Logger) -> None:
    asked = consumer_settings(settings, "asked")
    Consumer({**asked, "error_cb": ignore_error}, logger=logger).close()


def _producer(settings: Settings, logger: logging.Logger) -> None:
    asked = producer_settings(settings, "asked")
    Producer({**asked, "error_cb": ignore_error}, logger=logger).poll(0)


def _admin(settings: Settings, _logger: logging.Logger) -> None:
    admin_client(settings)


_Make = Callable[[Settings, logging.Logger], None]
_KINDS: Final[tuple[_Make, ...]] = (_consumer, _producer, _admin)


def _asked(make: _Make, settings: Settings) -> Iterator[Refusal]:
    left = {**settings, _SERVERS: ""}
    heard = _Heard()
    while True:
        try:
            make(left, heard.logger())
        except (KafkaException, TypeError, ValueError, AttributeError) as error:
            said = describe(error) if isinstance(error, KafkaException) else str(error)
            setting = _named(said, left)
            yield Refusal(setting, _scrubbed(said, settings))
        else:
            break
        if setting is None:
            break
        del left[setting]
    for said in heard.lines:
        if _DEPRECATED in said and (setting := _named(said, left)) is not None:
            yield Refusal(setting, "is deprecated by librdkafka", fatal=False)


class _Heard(logging.Handler):
    """Keeps what librdkafka logs while a client is made."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def logger(self) -> logging.Logger:
        """Return a logger that no other part of the program uses."""
        logger = logging.Logger("librdkafka.asked")
        logger.addHandler(self)
        return logger

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line, without librdkafka's name of the client."""
        self.lines.append(record.getMessage().rpartition("]: ")[2])


def _named(said: str, settings: Mapping[str, str]) -> str | None:
    """Return the first of these settings that a message names, by any of its names."""
    places = {
        name: found.start()
        for name in settings
        if name != _SERVERS
        for alias in (name, *_other_names(name))
        if alias and (found := re.search(rf"(?<![\w.]){re.escape(alias)}(?![\w.]*\w)", said))
    }
    if '""' in said and "" in settings:
        return ""
    about = (name for words, names in _ABOUT if words in said for name in names)
    guessed = next((name for name in about if name in settings), None)
    return min(places, key=lambda name: places[name], default=guessed)


def _other_names(name: str) -> list[str]:
    plain = plain_name(name)
    return [plain, *(alias for alias, known in ALIASES.items() if known == plain)]


def _scrubbed(said: str, settings: Mapping[str, str]) -> str:
    """Return the message without anything that is, or may be, a value of these settings."""
    said = _CREATING.sub("", " ".join(said.split()))
    parts = {part.strip() for value in settings.values() for part in (value, *value.split(","))}
    for value in sorted(parts.difference(_HARMLESS), key=len, reverse=True):
        if len(value) >= _LONG and value not in settings:
            said = said.replace(" ".join(value.split()), "…")
    said = _VALUE.sub("value …", said)
    return _QUOTED.sub(lambda found: _name_or_dots(found, settings), said)


def _name_or_dots(quoted: re.Match[str], settings: Mapping[str, str]) -> str:
    known = quoted[1] in settings or _NAME.fullmatch(quoted[1])
    return quoted[0] if known and quoted[1] not in settings.values() else '"…"'
