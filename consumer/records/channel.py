"""Channels: SMS, e-mail, push and what a campaign needs for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Channel(StrEnum):
    """How a survey reaches a customer; which vendor offers which is the vendor module's."""

    SMS = "sms"
    EMAIL = "email"
    PUSH = "push"
    INVITATION = "invitation"
    LINK = "link"
    GENERATED_LINK = "generated_link"

    @property
    def called(self) -> bool:
        """Whether the vendor is called at all: the program makes a `link` itself. A generated one
        is the vendor's, made by a call; both go into the result, and nowhere else."""
        return self is not Channel.LINK


@dataclass(frozen=True, slots=True)
class Listed:
    """Where `values` has the text of the field `by`, `field` must be one of those listed there. It
    may be missing only where there is but one."""

    field: str
    by: str
    values: Mapping[str, frozenset[str]]

    def allows(self, data: Mapping[str, object]) -> bool:
        """Whether these flat fields fit."""
        listed = self.values.get(str(data.get(self.by)))
        value = data.get(self.field)
        return listed is None or (value in listed if value else len(listed) == 1)


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """What a vendor's channel needs of a recipient and may carry.

    `addresses`: the address kinds that can reach a recipient, any one of them is enough
    (and all that are valid travel). `anyone`: one without an address is reached, too. `fields`:
    flat keys of `data`; `maps`: keys of `data` that hold a map of free names; `required`: flat
    keys without which, or with nothing but spaces, the vendor refuses; `listed`: flat keys whose
    values are known; `most`: recipients of one call, 0 without such a bound; `repeatable`: a
    repeated call reaches no customer twice, so what is in doubt is always sent again.
    """

    addresses: tuple[Literal["phone", "email"], ...]
    fields: frozenset[str] = frozenset()
    maps: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    listed: tuple[Listed, ...] = ()
    anyone: bool = False
    most: int = 0
    repeatable: bool = False
