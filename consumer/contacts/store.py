"""What a contact store must do: keep bytes by key, and write many keys at once or none.

Decisions are made by pure code, the same for every store. A store only compares and sets:

    read(keys)                          → now, generation, {key: (version, value)}
    write(generation, versions, values) → True, or False: another one wrote, read again

`write` writes all of `values` if the generation is still the same and every key of `versions` still
has that version (0: the key is not there); else nothing. A version is never used twice, so a key
that was removed and written again is not taken for the old one. A `write` that fails with
`StoreUnavailable` may have been carried out.

*Generation*: what a store has in memory is continuous within one. A store that is new, restored,
restarted or failed over has another, also where it lost nothing. Reservations and seals of an older
generation may be gone, or may still lead to a call for `grace` seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

ABSENT: Final = 0
"""Version of a key that is not there."""


class StoredValue(NamedTuple):
    """What a store has under a key."""

    version: int
    value: bytes


class StoreReading(NamedTuple):
    """Answer to `read`, of one moment. `now`: epoch seconds of the store's own clock."""

    now: float
    generation: str
    found: Mapping[str, StoredValue]


class ContactStore(Protocol):
    """A store; may be called by any thread. Every method raises `StoreUnavailable`."""

    @property
    def grace(self) -> float:
        """Seconds for which a call sealed in an older generation may still leave."""

    def read(self, keys: Sequence[str]) -> StoreReading:
        """Return what the store has under keys; those that are not there are left out."""

    def write(
        self, generation: str, versions: Mapping[str, int], values: Mapping[str, bytes | None]
    ) -> bool:
        """Write values (None: remove the key) if generation and versions are still the same."""

    def notes(self) -> Sequence[str]:
        """Return what an operator should know of how the store is set up."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield keys that begin with a prefix: those that are there all the while, at least."""

    def wipe(self) -> None:
        """Remove everything and begin another generation."""

    def close(self) -> None:
        """Release what the store holds."""


StoreFactory = Callable[[Mapping[str, Any], str, Callable[[], float]], ContactStore]
"""Opens the store of a plugin: options of the config, application id, clock in epoch seconds.
Raises ValueError for unusable options, StoreUnavailable for a store that is not reached."""
