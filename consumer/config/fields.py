"""Types of the config's values: names, expressions, settings, keys."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    SecretStr,
    StringConstraints,
    Tag,
    WithJsonSchema,
)

TOPIC_SAFE = r"^[a-z0-9][a-z0-9._-]{0,63}$"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
TOPIC = r"^[A-Za-z0-9._-]{1,249}$"
KEY_ID = r"^[A-Za-z0-9_-]{1,32}$"

PATTERN_WORDS = {
    TOPIC_SAFE: "1 to 64 of a-z 0-9 . _ - that begin with a letter or digit (it names topics)",
    NAME: "1 to 64 of A-Z a-z 0-9 . _ - that begin with a letter or digit",
    TOPIC: "a Kafka topic name: 1 to 249 of A-Z a-z 0-9 . _ -",
    KEY_ID: "1 to 32 of A-Z a-z 0-9 _ -",
}
"""The patterns above, in words that complete a message."""

TopicSafe = Annotated[str, StringConstraints(pattern=TOPIC_SAFE)]
Name = Annotated[str, StringConstraints(pattern=NAME)]
TopicName = Annotated[str, StringConstraints(pattern=TOPIC)]
Text = Annotated[str, StringConstraints(min_length=1)]
EXPRESSION_EXAMPLES = ("customer.id", "items[0].sku")
Expression = Annotated[
    str, StringConstraints(min_length=1), Field(examples=list(EXPRESSION_EXAMPLES))
]

DataValue = Annotated[
    Annotated[Expression, Tag("<expression>")] | Annotated[dict[Text, Expression], Tag("<map>")],
    Discriminator(lambda value: "<map>" if isinstance(value, dict) else "<expression>"),
]


def _as_setting(value: object) -> str:
    """Convert a number or boolean to text: librdkafka takes text only."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    raise ValueError("expected text, a whole number, true or false; a list is one text: a,b,c")


KafkaSetting = Annotated[
    str, BeforeValidator(_as_setting), WithJsonSchema({"type": ["string", "integer", "boolean"]})
]


def _time_zone(value: str) -> str:
    """Check a time zone; raises ValueError if the IANA database lacks it."""
    if value not in available_timezones():
        raise ValueError("expected a time zone of the IANA database, as Europe/Istanbul or UTC")
    return value


TimeZone = Annotated[str, AfterValidator(_time_zone), Field(examples=["Europe/Istanbul"])]

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)


def _can_be_bound(host: str) -> str:
    """Check an IP address or host name; the system checks that it is this host's own."""
    numeric = ":" in host or not host.strip("0123456789.")
    try:
        if numeric:
            ip_address(host)
        fit = numeric or all(_LABEL.fullmatch(label) for label in host.removesuffix(".").split("."))
    except ValueError:
        fit = False
    if not fit or len(host) > 253:
        raise ValueError("expected an IP address or a host name, as in 0.0.0.0")
    return host


Host = Annotated[Text, AfterValidator(_can_be_bound)]

MIN_KEY_BYTES = 16


def _long_enough(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value().encode()) < MIN_KEY_BYTES:
        raise ValueError(f"expected a key of at least {MIN_KEY_BYTES} bytes")
    return key


SecretKey = Annotated[SecretStr, AfterValidator(_long_enough)]
