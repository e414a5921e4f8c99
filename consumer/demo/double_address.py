"""How the commands of a config reach the vendors' double: by the variables that the config reads.

A `base_url` that is `${env:NAME:-https://…}` needs no edit: NAME is set while the double stands in
for the vendor. Of any other one the note says what to write, once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from consumer.config.document import Path as Place
from consumer.config.document import Source
from consumer.config.models import Config
from consumer.config.source import parse
from consumer.config.texts import read_text
from consumer.errors import Problem
from consumer.vendors.http_batch.account import HttpBatchAccount
from consumer.wiring.config_file import STDIN

_VARIABLE: Final = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)(?::-.*)?\}")
_ELSEWHERE: Final = "is not the double's address"
_LONG: Final = 5.0
"""Seconds of a first wait that a note is worth."""


@dataclass(slots=True)
class DoubleAddress:
    """`variables`: what to set, and to which value. `notes`: what no variable can change."""

    variables: dict[str, str] = field(default_factory=dict)
    notes: list[Problem] = field(default_factory=list)


def double_address(path: Path, config: Config, url: str) -> DoubleAddress:
    """Say how the vendors of a config are called at `url`. Of standard input nothing is known."""
    found = DoubleAddress()
    if path == STDIN:
        return found
    source = parse(read_text(path), str(path))
    for place, value, why in _wanted(config, url):
        written = source.at(place)
        variable = _VARIABLE.fullmatch(written) if isinstance(written, str) else None
        if variable is not None:
            found.variables[variable[1]] = value
        else:
            found.notes.append(_note(source, place, why))
    return found


def _wanted(config: Config, url: str) -> Iterator[tuple[Place, str, str]]:
    """Yield the keys that are not as the double needs them, their values there, and why."""
    used = {campaign.vendor for campaign in config.called.values()}
    for name in sorted(used):
        account = config.vendors[name]
        if not _leads_to(account.base_url, url):
            yield ("vendors", name, "base_url"), url, _ELSEWHERE
        oauth = account.oauth if isinstance(account, HttpBatchAccount) else None
        if oauth is not None and not _leads_to(oauth.token_url, url):
            place = ("vendors", name, "oauth", "token_url")
            yield place, url + urlsplit(oauth.token_url).path, _ELSEWHERE
    for name in config.lanes:
        quota = config.quotas[name]
        longest = max((limit.period for limit in quota.limits), default=0.0)
        if quota.first_start == "used" and longest > _LONG:
            why = f"of the first start the first call waits {longest:,.0f} s"
            yield ("quotas", name, "first_start"), "unused", why


def _leads_to(address: str, url: str) -> bool:
    return address == url or address.startswith(f"{url}/")


def _note(source: Source, place: Place, why: str) -> Problem:
    variable, usual = {
        "base_url": ("VENDOR_URL", "https://…"),
        "token_url": ("TOKEN_URL", "https://…"),
        "first_start": ("FIRST_START", "used"),
    }[str(place[-1])]
    hint = f'write "${{env:{variable}:-{usual}}}" to set it where the double is used'
    return source.problem(place, why, hint)
