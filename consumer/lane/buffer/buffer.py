"""The buffer: invitations in memory, by campaign, within bounds kept by eviction.

A backlog of one campaign must not push out the others. When memory is full, the longest window
loses its youngest invitations: they are *spilled*, so that only the log keeps them. The oldest
invitations are called first, so the evicted ones are needed last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from consumer.lane.buffer.window import Window
from consumer.lane.offsets.read_plan import ReadPlan
from consumer.lane.offsets.settled import SettledOffsets
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneSettings

EVICTED_SHARE = 1 / 8
"""Share of the longest window that is evicted at a time: a search for each would be quadratic."""

ROOM = 0.8
"""Share of the bounds below which there is room for spilled invitations."""


_NONE: Final = Window("", 1, math.inf)
"""The longest window where there is none yet; nothing is ever put into it."""


class InvitationBuffer:
    """Windows, totals of all invitations in memory, and the read plan of the spilled ones.
    `buffered` and `buffered_bytes` include invitations in flight."""

    def __init__(self, settings: LaneSettings, settled: SettledOffsets) -> None:
        self.settings = settings
        self.windows: dict[str, Window] = {}
        self.settled = settled
        self.read_plan = ReadPlan(settled)
        self.buffered = 0
        self.buffered_bytes = 0
        self.changed: dict[str, None] = {}
        """Campaigns whose windows changed since this was emptied last, in order."""

    def window(self, name: str) -> Window:
        """Return the campaign's window. Without such a campaign in the config it never calls."""
        window = self.windows.get(name)
        if window is None:
            window = self.windows[name] = Window(name, 1, math.inf, changed=self.changed)
            window.configure(self.settings.campaigns.get(name))
        return window

    def mark_all_changed(self) -> None:
        """Have the due index compute all windows again."""
        self.changed.update(dict.fromkeys(self.windows))

    def vendor_of(self, campaign: str) -> str | None:
        """Return the account of a campaign; None if the config lacks it, so it is never called."""
        known = self.settings.campaigns.get(campaign)
        return known.vendor if known else None

    def windows_of(self, vendor: str) -> list[Window]:
        """Return the windows of an account's campaigns."""
        windows = self.windows.values()
        return [window for window in windows if self.vendor_of(window.campaign) == vendor]

    def reconfigure(self, settings: LaneSettings) -> None:
        """Apply other bounds and campaigns. Pending invitations stay."""
        self.settings = settings
        for window in self.windows.values():
            window.configure(settings.campaigns.get(window.campaign))

    def add(self, pending: PendingInvitation) -> None:
        """Add an invitation, and evict others to stay within the bounds. The last one stays,
        however large it is: else it could never be called."""
        self._count(pending)
        self.admit(pending)

    def hold(self, pending: PendingInvitation) -> bool:
        """Add an invitation that is in no window yet to the totals, and evict others as in `add`.
        Return False if there is no room for it."""
        self._count(pending)
        self._make_room()
        if self._over(1.0) and self.buffered > 1:
            self.forget(pending)
            return False
        return True

    def admit(self, pending: PendingInvitation) -> None:
        """Add an invitation of the totals to its window, and evict others as in `add`."""
        self.window(pending.campaign).add(pending)
        self._make_room()

    def _count(self, pending: PendingInvitation) -> None:
        self.buffered += 1
        self.buffered_bytes += pending.size

    def _make_room(self) -> None:
        while self._over(1.0) and self.buffered > 1 and self._evict():
            pass

    def remove(self, offset: int, campaign: str) -> None:
        """Remove an invitation from its window or from the spilled ones, if it is there."""
        window = self.windows.get(campaign)
        for pending in window.drop(lambda pending: pending.offset == offset) if window else ():
            self.forget(pending)
        if self.read_plan.is_spilled(offset):
            self.read_plan.unspill(offset, campaign)

    def forget(self, pending: PendingInvitation) -> None:
        """Subtract an invitation from the totals: it is settled, spilled or delayed now."""
        self.buffered -= 1
        self.buffered_bytes -= pending.size

    def forget_all(self, settled: Sequence[PendingInvitation]) -> None:
        """Subtract settled invitations from the totals."""
        self.buffered -= len(settled)
        self.buffered_bytes -= sum([pending.size for pending in settled])

    @property
    def spill_is_full(self) -> bool:
        """Whether the spill limit is reached."""
        return self.read_plan.spilled >= self.settings.max_spilled

    @property
    def nearly_full(self) -> bool:
        """Whether there is no room for spilled invitations, and soon none for new ones."""
        return self._over(ROOM)

    def has_room_for(self, campaign: str) -> bool:
        """Return whether a spilled invitation of this campaign may be reloaded: there is room, or
        the longest window holds more than twice as many."""
        return not self.nearly_full or self._is_starved(campaign, self._longest())

    def campaigns_to_reload(self) -> list[str]:
        """Return campaigns with spilled invitations that may be reloaded: only starved ones, if
        there are any."""
        spilled = list(self.read_plan.counts)
        if not spilled:
            return spilled
        longest = self._longest()
        starved = [campaign for campaign in spilled if self._is_starved(campaign, longest)]
        return starved or ([] if self.nearly_full else spilled)

    def _over(self, share: float) -> bool:
        settings = self.settings
        return (
            self.buffered > settings.max_buffered * share
            or self.buffered_bytes > settings.max_buffered_bytes * share
        )

    def _is_starved(self, campaign: str, longest: Window) -> bool:
        # Where calls in flight exceed the bounds, a reloaded invitation would be evicted at once.
        window = self.window(campaign)
        few = window.count < min(window.max_batch, longest.count // 2)
        return few and not self._over(1.0)

    def _longest(self) -> Window:
        return max(self.windows.values(), key=lambda window: window.count, default=_NONE)

    def _evict(self) -> bool:
        """Evict the youngest of the longest window. Return False if the rest is in flight, or waits
        for the contact store."""
        longest = self._longest()
        evicted = longest.take_youngest(EVICTED_SHARE) if longest.count else []
        for pending in evicted:
            self.forget(pending)
            self.read_plan.spill(pending.offset, pending.campaign)
        return bool(evicted)
