"""Makes the files of a first config from the templates, and writes them where none is yet.

A template's places are `%{name}`. Secrets are the config's own `${file:…}`: the key of pseudonyms
is made, any other is a stand-in that `doctor` finds.
"""

from __future__ import annotations

import os
import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

import phonenumbers

from consumer.config.interpolate import files_named
from consumer.errors import OperationError
from consumer.operations.first_config.choices import Choices
from consumer.records.fields import rfc3339

STAND_IN: Final = "put-yours"
"""What a config and its secrets hold until the operator knows better."""

PRIVATE: Final = 0o600
_KEY: Final = "pseudonym"
_USUAL: Final = "US"
"""Region of the sample event's number where the config calls no phone."""


_PLAIN: Final = re.compile(r"[A-Za-z][\w.-]{3,}")


class _Template(string.Template):
    delimiter = "%"


@dataclass(frozen=True, slots=True)
class FirstConfig:
    """File → text. `config` is the routing config; `secret`: the files for the owner's eyes."""

    config: Path
    texts: Mapping[Path, str]
    secret: frozenset[Path]


def config_path(place: Path) -> Path:
    """Return the config's path: `place` itself, or `routing.yaml` in the folder that it names."""
    return place if place.suffix in {".yaml", ".yml"} else place / "routing.yaml"


def first_config(place: Path, choices: Choices, now: float) -> FirstConfig:
    """Make the files; `place`: a folder, or the config's own path."""
    config = config_path(place)
    values = _values(config, choices, now)
    text = "".join(_filled(name, values) for name in ("head.yaml", f"{choices.vendor}.yaml"))
    folder = config.parent
    keys = {folder / name: _secret(name) for name in files_named(text)}
    texts = {
        config: text,
        config.with_suffix(".tests.yaml"): _filled("tests.yaml", values),
        folder / "event.json": _filled("event.json", values),
        **keys,
    }
    return FirstConfig(config, texts, frozenset(keys))


def write(made: FirstConfig) -> None:
    """Write the files. Raises OperationError, before anything is written, if one exists."""
    there = sorted(str(path) for path in made.texts if os.path.lexists(path))
    if there:
        raise OperationError(
            f"{', '.join(there)}: there already, and `init` overwrites nothing. Name another "
            "folder, as in `survey-dispatcher init surveys`, or move what is there"
        )
    for path, text in made.texts.items():
        try:
            _write_new(path, text, PRIVATE if path in made.secret else 0o644)
        except OSError as error:
            raise OperationError(f"{path}: {error.strerror}") from None


def _write_new(path: Path, text: str, mode: int) -> None:
    private = mode == PRIVATE
    path.parent.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _values(config: Path, choices: Choices, now: float) -> dict[str, str]:
    by_email = choices.region is None
    both = choices.vendor == "customer_radar"
    addresses = ["email"] if by_email else ["phone", "email"] if both else ["phone"]
    recipient = ", ".join(f"{kind}: customer.{kind}" for kind in addresses)
    region = f'    phone_region: "{choices.region}"             # of numbers without country code\n'
    return {
        "stem": config.stem,
        "application": _as_yaml(choices.application).ljust(18),
        "topic": _as_yaml(choices.topic),
        "channel": choices.channel,
        "address": addresses[0],
        "recipient": f"{{{recipient}}}",
        "region": "" if by_email else region,
        "campaign": "store-visit" if both else f"purchase-{choices.channel}",
        "phone": _sample_phone(choices.region or _USUAL),
        "now": rfc3339(now),
    }


def _as_yaml(name: str) -> str:
    """Quote a name that YAML may read as a number or a boolean."""
    plain = _PLAIN.fullmatch(name) and name.lower() not in {"true", "false", "null"}
    return name if plain else f'"{name}"'


def _sample_phone(region: str) -> str:
    kind = phonenumbers.PhoneNumberType.MOBILE
    number = phonenumbers.example_number_for_type(region, kind)
    if number is None:  # a region without mobile numbers
        number = phonenumbers.example_number(region) or phonenumbers.parse("+12015550123")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _filled(name: str, values: Mapping[str, str]) -> str:
    folder = resources.files("consumer.operations.first_config") / "templates"
    return _Template((folder / name).read_text("utf-8")).substitute(values)


def _secret(name: str) -> str:
    return f"{secrets.token_hex(32) if Path(name).name == _KEY else STAND_IN}\n"
