"""One route, compiled: match → recipient, campaign, data, policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from consumer.errors import DataError
from consumer.model import Address, ChannelSpec, Data, Reason
from consumer.routing.pattern import Pattern
from consumer.routing.values import as_text

Body = dict[str, object]
Getter = Callable[[Body], object]
Kind = Literal["phone", "email"]
Normaliser = Callable[[object], str | None]


@dataclass(frozen=True, slots=True)
class Target:
    """A campaign of `send`: where its invitations go and what its vendor needs."""

    campaign: str
    lane: str
    vendor: str
    channel: str
    spec: ChannelSpec
    fields: Sequence[tuple[str, Getter]] = ()
    maps: Sequence[tuple[str, Sequence[tuple[str, Getter]]]] = ()

    def data(self, body: Body) -> Data:
        """The vendor's names → texts; null omits the key. Raises DataError if one is required."""
        data: Data = {}
        for name, get in self.fields:
            text = as_text(get(body))
            if text is not None:
                data[name] = text
            elif name in self.spec.required:
                raise DataError(Reason.INVALID_DATA, f"{name} is required by {self.vendor}")
        for name, entries in self.maps:
            texts = {key: text for key, get in entries if (text := as_text(get(body))) is not None}
            if texts:
                data[name] = texts
        return data


@dataclass(frozen=True, slots=True)
class Route:
    """One rule of the routing config. `expire_after` in seconds from the transaction."""

    name: str
    pattern: Pattern
    recipient: Mapping[Kind, tuple[Getter, Normaliser]]
    send: Sequence[Target]
    expire_after: float | None = None


@dataclass(slots=True)
class Reach:
    """A route's recipient in one event: each address is read and normalised at most once."""

    route: Route
    body: Body
    present: bool = False
    _known: dict[Kind, str | None] = field(default_factory=dict)

    def address(self, kind: Kind) -> str | None:
        """The valid address of this kind, or None."""
        if kind not in self._known:
            self._known[kind] = self._read(kind)
        return self._known[kind]

    def by(self, target: Target) -> Address:
        """All valid addresses that the target's channel can use; empty if it cannot reach."""
        address: Address = {}
        for kind in target.spec.addresses:
            value = self.address(kind)
            if value is not None:
                address[kind] = value
        return address

    def _read(self, kind: Kind) -> str | None:
        reader = self.route.recipient.get(kind)
        if reader is None:
            return None
        get, normalise = reader
        raw = get(self.body)
        if raw is None or raw == "":
            return None
        self.present = True
        return normalise(raw)
