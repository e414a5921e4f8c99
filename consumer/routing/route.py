"""One route, compiled: match → recipient, campaign, data, policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from consumer.errors import DataError
from consumer.model import Address, ChannelSpec, Data, Reason
from consumer.routing.link import Template, entry_of
from consumer.routing.pattern import Pattern
from consumer.routing.values import as_text

Body = dict[str, object]
Getter = Callable[[Body], object]
Kind = Literal["phone", "email"]
Reader = Kind | Literal["texts"]
"""How an address is read: `texts` is a phone that text messages reach."""
Normaliser = Callable[[object], str | None]


@dataclass(frozen=True, slots=True)
class Link:
    """A campaign's link, for one route: its template, and where its values are in an event."""

    template: Template
    values: Sequence[tuple[str, Getter]] = ()

    def of(self, body: Body, given: Mapping[str, str]) -> str:
        """The link; `given` are the values that the event does not say. Raises DataError."""
        found = {
            name: text for name, get in self.values if (text := as_text(get(body))) is not None
        }
        link = self.template.fill({**found, **given})
        if link is None:
            raise DataError(Reason.INVALID_DATA, "a value that the link needs is missing or unfit")
        return link


@dataclass(frozen=True, slots=True)
class Target:
    """A campaign of `send`: where its invitations go and what its vendor needs.

    `required`: what the campaign needs beside that, as `key` or `map.key` of the data. With a
    `link` there is no invitation: the link is the result, and `lane` is not used. `texts`: only
    phones that text messages reach.
    """

    campaign: str
    lane: str
    vendor: str
    channel: str
    spec: ChannelSpec
    fields: Sequence[tuple[str, Getter]] = ()
    maps: Sequence[tuple[str, Sequence[tuple[str, Getter]]]] = ()
    link: Link | None = None
    required: Sequence[str] = ()
    texts: bool = False

    def data(self, body: Body) -> Data:
        """The vendor's names → texts; null omits the key.

        Raises DataError if one is required (spaces are no value), or not one that it may be.
        """
        data: Data = {}
        for name, get in self.fields:
            text = as_text(get(body))
            if text is not None:
                data[name] = text
        for name, entries in self.maps:
            texts = {key: text for key, get in entries if (text := as_text(get(body))) is not None}
            if texts:
                data[name] = texts
        self._check(data)
        return data

    def _check(self, data: Data) -> None:
        for name in self.spec.required:
            value = data.get(name)
            if not value or (isinstance(value, str) and not value.strip()):
                raise DataError(Reason.INVALID_DATA, f"{name} is required by {self.vendor}")
        for name in self.required:
            if not (entry_of(data, name) or "").strip():
                raise DataError(Reason.INVALID_DATA, f"{name} is required by {self.campaign}")
        for each in self.spec.listed:
            if not each.allows(data):
                message = f"{each.field} is none that {self.vendor} has for this {each.by}"
                raise DataError(Reason.INVALID_DATA, message)


@dataclass(frozen=True, slots=True)
class Route:
    """One rule of the routing config. `expire_after` in seconds from the transaction.

    `recipient` is by `Reader` (a Mapping's type of keys cannot be narrower, so it says Any).
    """

    name: str
    pattern: Pattern
    recipient: Mapping[Any, tuple[Getter, Normaliser]]
    send: Sequence[Target]
    expire_after: float | None = None


@dataclass(slots=True)
class Reach:
    """A route's recipient in one event: each address is read and normalised at most once."""

    route: Route
    body: Body
    present: bool = False
    _known: dict[Reader, str | None] = field(default_factory=dict)

    def address(self, kind: Reader) -> str | None:
        """The valid address that is read so, or None."""
        if kind not in self._known:
            self._known[kind] = self._read(kind)
        return self._known[kind]

    def by(self, target: Target) -> Address:
        """All valid addresses that the target's channel can use; empty if it cannot reach."""
        address: Address = {}
        for kind in target.spec.addresses:
            value = self.address("texts" if target.texts and kind == "phone" else kind)
            if value is not None:
                address[kind] = value
        return address

    def _read(self, kind: Reader) -> str | None:
        found = self.route.recipient.get(kind)
        if found is None:
            return None
        get, normalise = found
        raw = get(self.body)
        if raw is None or raw == "":
            return None
        self.present = True
        return normalise(raw)
