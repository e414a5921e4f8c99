"""Personalised links: a URL template of the config, filled with one customer's values.

    https://survey.example/s/{code}?name={name}&ref={external_id}

Each value is percent-encoded but for letters, digits and `-._~`. So no customer's name can become a
`&`, `/`, `#` or line break of the URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from pydantic_core import Url

from consumer.records.fields import LINK_LIMIT

GIVEN: Final = ("phone", "email", "event_id", "pseudonym")
"""Names that every link may use beside the route's `data`, and that precede keys called alike."""

EXAMPLE: Final = "https://survey.example/s?name={name}&ref={external_id}"

_NAME = re.compile(r"\{([\w.-]+)\}")
_PARAMETER = re.compile(r"[^={}]+=\{([\w.-]+)\}")
_SOUND = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2}|\{[\w.-]+\})*")
_START = "https://"


@dataclass(frozen=True, slots=True)
class _Text:
    """Literals and names by turns, a literal first and last. `optional`: may be left out."""

    pieces: Sequence[str]
    optional: bool = False

    @classmethod
    def from_template(cls, text: str) -> _Text:
        """Make the text of a path or a fragment."""
        return cls(_NAME.split(text))

    @classmethod
    def from_parameter(cls, text: str) -> _Text:
        """Make the text of a query parameter, optional if its value is exactly one name."""
        return cls(_NAME.split(text), _PARAMETER.fullmatch(text) is not None)

    def fill(self, values: Mapping[str, str]) -> str | None:
        """Return the text with its values, or None if one is missing."""
        out = list(self.pieces)
        for at in range(1, len(out), 2):
            value = values.get(out[at])
            if value is None:
                return None
            out[at] = quote(value, safe="")
        return "".join(out)


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled link of the config. `names`: the names in its braces, each once."""

    names: tuple[str, ...]
    _path: _Text
    _query: Sequence[_Text]
    _fragment: _Text

    def fill(self, values: Mapping[str, str]) -> str | None:
        """Return a customer's link; `values` by name, not encoded.

        A query parameter with a missing value is left out if its value is exactly one name. Return
        None if another value is missing (in the path also an empty one), if a value would lead to
        another path (`..`), or if the link is longer than `LINK_LIMIT`.
        """
        path = self._path.fill({name: value for name, value in values.items() if value})
        query, fragment = self._filled_query(values), self._fragment.fill(values)
        if path is None or query is None or fragment is None or _leads_away(path):
            return None
        link = path + _after("?", query) + _after("#", fragment)
        return link if len(link) <= LINK_LIMIT else None

    def unfit(self, values: Mapping[str, str]) -> list[str]:
        """Return the names that make `fill` return None: missing, else dots, else the longest."""
        missing = [name for name in self._needed() if not values.get(name)]
        dots = [name for name in self._path.pieces[1::2] if not values.get(name, "").strip(".")]
        named = [name for name in self.names if name in values]
        return missing or dots or sorted(named, key=lambda name: -len(values[name]))[:1]

    def _needed(self) -> list[str]:
        required = [text for text in self._query if not text.optional]
        texts = [self._path, *required, self._fragment]
        return list(dict.fromkeys(name for text in texts for name in text.pieces[1::2]))

    def _filled_query(self, values: Mapping[str, str]) -> str | None:
        filled = []
        for parameter in self._query:
            text = parameter.fill(values)
            if text is not None:
                filled.append(text)
            elif not parameter.optional:
                return None
        return "&".join(filled)

    def keys(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the keys of `data` that the link may use: flat ones, and maps (`map.name`)."""
        own = [name for name in self.names if name not in GIVEN]
        return frozenset(own), frozenset(name.partition(".")[0] for name in own if "." in name)


def compile_link(text: str) -> Template:
    """Compile a template; raises ValueError with a plain sentence if it is no https link.

    Names stand in braces, in the path, the query or the fragment: `{name}` is a flat key of the
    route's `data`, `{custom_attributes.name}` an entry of a map there; `GIVEN` are always known.
    """
    _check_characters(text)
    rest, _, fragment = text.partition("#")
    path, _, query = rest.partition("?")
    _check_host(path)
    if _leads_away(path):
        raise ValueError("the path must not have . or .. between two slashes")
    return Template(
        tuple(dict.fromkeys(_NAME.findall(text))),
        _Text.from_template(path),
        [_Text.from_parameter(text) for text in query.split("&") if text],
        _Text.from_template(fragment),
    )


def entry_of(data: Mapping[str, object], name: str) -> str | None:
    """Look up a name (`key` or `map.key`) in the `data` of a route or an invitation."""
    flat = data.get(name)
    if isinstance(flat, str):
        return flat
    first, _, inner = name.partition(".")
    entries = data.get(first)
    found = entries.get(inner) if isinstance(entries, Mapping) else None
    return found if isinstance(found, str) else None


def names_in(data: Mapping[str, object]) -> list[str]:
    """List every name of a route's `data` that a link may use."""
    names: list[str] = []
    for key, value in data.items():
        inner: Iterable[str] = value if isinstance(value, Mapping) else ()
        names += [key] if isinstance(value, str) else [f"{key}.{name}" for name in inner]
    return names


def _check_characters(text: str) -> None:
    sound = _SOUND.match(text)
    at = sound.end() if sound else 0
    if text[at : at + 1] in ("{", "}"):
        raise ValueError(f"position {at}: braces hold a name of letters, digits, _ . -")
    if at < len(text):
        raise ValueError(f"position {at}: this character must be percent-encoded")
    if text.count("#") > 1:
        raise ValueError("there is more than one #")


def _check_host(path: str) -> None:
    host = path.removeprefix(_START).partition("/")[0]
    if not path.startswith(_START) or not host:
        raise ValueError("must begin with https:// and a host")
    if "{" in host:
        raise ValueError("the host must not come from a customer's data")
    if "@" in host:
        raise ValueError("must not contain a user name or password")
    try:
        Url(_START + host)
    except ValueError:
        raise ValueError("the host is none") from None


def _leads_away(path: str) -> bool:
    """Tell whether a path has dot segments, which browsers resolve, even if encoded."""
    steps = path.lower().replace("%2e", ".").split("/")
    return "." in steps or ".." in steps


def _after(mark: str, text: str) -> str:
    return mark + text if text else ""
