"""In doubt: batches that a previous owner had in flight and that have no recorded result.

Their intents stay in every checkpoint until each of their invitations was read again and resolved,
for the next takeover may come before that.

    in doubt ──read again──► result `unknown` (`owner_lost`), or sent once more (`in_doubt: resend`)

Invariant: an offset is in doubt for one batch at most. A batch stays while one of its offsets does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from consumer.lane.offsets.bitmap import unpack
from consumer.records.checkpoint import InFlight


class InDoubtBatches:
    """Which offsets are in doubt, and by which batch.

    `settled` says which offsets have their result already: a previous owner resolved them, and they
    are never read again. A batch that resent another's offset comes later in `batches`: the offset
    is in doubt for the later batch only.
    """

    def __init__(
        self,
        batches: Iterable[InFlight] = (),
        settled: Callable[[int], bool] = lambda _offset: False,
    ) -> None:
        self._by_offset = {
            offset: batch
            for batch in batches
            for offset in unpack(batch.offsets, batch.first)
            if not settled(offset)
        }
        self._batches = {batch.batch_id: batch for batch in self._by_offset.values()}
        self._open = Counter(batch.batch_id for batch in self._by_offset.values())

    def __contains__(self, offset: int) -> bool:
        return offset in self._by_offset

    def __len__(self) -> int:
        return len(self._by_offset)

    def __iter__(self) -> Iterator[InFlight]:
        return iter(self._batches.values())

    def resolve(self, offset: int) -> InFlight | None:
        """Remove an offset. Return the batch that carried it; None if it is not in doubt."""
        batch = self._by_offset.pop(offset, None)
        if batch is not None:
            self._open[batch.batch_id] -= 1
            if not self._open[batch.batch_id]:
                del self._batches[batch.batch_id]
        return batch
