"""The buffer: invitations in memory, by campaign, within bounds kept by eviction.

A backlog of one campaign must not push others out: when memory is full, the longest window gives
up its youngest invitations, which are only noted from then on. The oldest go first, so those are
the ones that are missed last.
"""

from __future__ import annotations

import math

from consumer.lane.buffer.window import Window
from consumer.lane.offsets.read_plan import ReadPlan
from consumer.lane.offsets.settled import SettledOffsets
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneSettings

GIVE_UP = 1 / 8
"""Share of the longest window that is given up at a time: a search for each would be quadratic."""

ROOM = 0.8
"""Share of the bounds below which there is room for noted ones."""


class InvitationBuffer:
    """Windows, how much they hold with all that is in flight, and what the log alone keeps."""

    def __init__(self, settings: LaneSettings, ledger: SettledOffsets) -> None:
        self.settings = settings
        self.windows: dict[str, Window] = {}
        self.read_plan = ReadPlan(ledger)
        self.buffered = 0
        self.buffered_bytes = 0
        self.changed: dict[str, None] = {}
        """Campaigns whose windows changed since somebody emptied this, in order."""

    def window(self, name: str) -> Window:
        """The campaign's window; one that the config knows no more waits, and never calls."""
        window = self.windows.get(name)
        if window is None:
            window = self.windows[name] = Window(name, 1, math.inf, changed=self.changed)
            self._configure(window)
        return window

    def reconfigure(self, settings: LaneSettings) -> None:
        """Other bounds and campaigns from now on; who waits, waits on."""
        self.settings = settings
        for window in self.windows.values():
            self._configure(window)

    def add(self, held: PendingInvitation) -> None:
        """Add an invitation, and evict others to stay within the bounds.

        The last one stays, however large it is: else it could never be called.
        """
        self.buffered += 1
        self.buffered_bytes += held.size
        self.window(held.campaign).add(held)
        while self.buffered > 1 and self._over(1.0) and self._evict():
            pass

    def remove(self, offset: int, campaign: str) -> None:
        """Take one out of its window, or out of those that are noted, if it is there."""
        window = self.windows.get(campaign)
        for held in window.drop(lambda each: each.offset == offset) if window else ():
            self.forget(held)
        if self.read_plan.is_noted(offset):
            self.read_plan.take(offset, campaign)

    def forget(self, held: PendingInvitation) -> None:
        """It was on the shelf, and is settled or noted now."""
        self.buffered -= 1
        self.buffered_bytes -= held.size

    @property
    def spill_is_full(self) -> bool:
        """As much is noted as may be."""
        return self.read_plan.spilled >= self.settings.max_spilled

    def has_room_for(self, campaign: str) -> bool:
        """Whether a noted one of this campaign may come back: there is room, or others have more
        than twice as much."""
        return not self._over(ROOM) or self._is_starved(campaign, self._longest())

    def campaigns_to_reload(self) -> list[str]:
        """Campaigns with noted invitations that may come back: starved ones before all others."""
        noted = list(self.read_plan.counts)
        if not noted:
            return noted
        longest = self._longest()
        starved = [campaign for campaign in noted if self._is_starved(campaign, longest)]
        return starved or ([] if self._over(ROOM) else noted)

    def _configure(self, window: Window) -> None:
        known = self.settings.campaigns.get(window.campaign)
        window.max_batch = known.max_batch if known else 1
        window.max_bytes = known.max_bytes if known else 1
        window.max_wait = known.max_wait if known else math.inf
        window.weight = known.weight if known else 1.0

    def _over(self, share: float) -> bool:
        settings = self.settings
        return (
            self.buffered > settings.max_buffered * share
            or self.buffered_bytes > settings.max_buffered_bytes * share
        )

    def _is_starved(self, campaign: str, longest: Window) -> bool:
        # Where calls in flight take more than all there is, who came back would go at once.
        window = self.window(campaign)
        few = window.count < min(window.max_batch, longest.count // 2)
        return few and not self._over(1.0)

    def _longest(self) -> Window:
        return max(self.windows.values(), key=lambda window: window.count)

    def _evict(self) -> bool:
        """False if nothing is left to give up: the rest is in flight."""
        longest = self._longest()
        given = longest.youngest(GIVE_UP) if longest.count else []
        for held in given:
            self.forget(held)
            self.read_plan.note(held.offset, held.campaign)
        return bool(given)
