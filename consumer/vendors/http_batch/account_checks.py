"""Checks of an account's entry that concern several of its keys: logins, path, an entry's places.

`entry` is what pydantic has read so far, by key. A refused key is missing there, so that one
mistake is reported once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from pydantic import JsonValue

from consumer.vendors import protocol
from consumer.vendors.http_batch import templates
from consumer.vendors.http_batch.request import PLACE

OF_ENTRY: Final = ("phone", "email", "id", "campaign")
"""Places of one recipient's entry, beside $data.<name>."""

_IN_PATH: Final = ("campaign", "id", "phone", "email")
_PATH: Final = "must begin with / and hold no space, #, or braces but "


def check_path(path: str, entry: Mapping[str, Any]) -> None:
    """Check a path and its places. Raises ValueError."""
    one = entry.get("recipients") == "one"
    known, places = _IN_PATH if one else ("campaign",), PLACE.findall(path)
    start = templates.DATA
    data = {name for name in places if one and name.startswith(start) and name != start}
    rest = PLACE.sub("x", path)
    plain = path.startswith("/") and protocol.is_header_token(rest) and not set(rest) & set("{}#")
    if not plain or not set(places) - data <= set(known):
        names = [*known, *([f"{templates.DATA}<name>"] if one else ())]
        raise ValueError(_PATH + ", ".join(f"{{{name}}}" for name in names))
    needed, addresses = {"phone", "email"}.intersection(places), set(entry.get("addresses", ()))
    # A customer without the address in the path would have no path.
    if addresses and needed and needed != addresses:
        raise ValueError(f"with {{{min(needed)}}} `addresses` must be [{min(needed)}]")


def check_entry(value: JsonValue, entry: Mapping[str, Any], beside: Collection[str] = ()) -> None:
    """Check an entry's template; `beside`: places of the same entry that stand elsewhere. Raises
    ValueError."""
    found = [*templates.check(value, OF_ENTRY, data=True), *beside]
    wanted = set(entry.get("addresses", ()))
    there = {"phone", "email"}.intersection(found)
    # An entry without any address would reach no customer, and be reported accepted.
    if wanted and there != wanted:
        odd = min(wanted ^ there)
        raise ValueError(f"${odd} stands here if, and only if, it is one of `addresses`")


def check_logins(headers: Mapping[str, str], entry: Mapping[str, Any]) -> None:
    """Check that each secret is used, and that each use has its secret. Raises ValueError."""
    ways = [name for name in ("token", "oauth") if entry[name] is not None]
    used = any("{token}" in text for text in headers.values())
    if len(ways) > 1:
        raise ValueError("{token} is of `token` or of `oauth`: leave one out")
    if used and not ways:
        raise ValueError("{token} needs `token`, or `oauth`")
    if ways == ["token"] and not used:
        raise ValueError("no header has {token}")
    made = [name for name in ("basic_auth", "oauth") if entry[name] is not None]
    if ways == ["oauth"] and used:
        made.remove("oauth")
    written = "authorization" in map(str.lower, headers)
    if written and made:
        raise ValueError(f"`Authorization` stands here, and is made of `{made[0]}`: leave one out")
    if len(made) > 1:
        raise ValueError("`Authorization` is made of `basic_auth` or of `oauth`: leave one out")
