"""The names of the program's own topics; `application_id` is their prefix (architecture 4)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topics:
    """Topic names of one application."""

    application_id: str

    def invitations(self, lane: str) -> str:
        """What the router writes and the lane's sender reads."""
        return f"{self.application_id}.invitations.{lane}"

    def checkpoints(self, lane: str) -> str:
        """The lane's whole state, compacted."""
        return f"{self.application_id}.checkpoints.{lane}"

    @property
    def results(self) -> str:
        """One final result per invitation."""
        return f"{self.application_id}.results"

    @property
    def dead_letters(self) -> str:
        """Records that could not be read, as they came."""
        return f"{self.application_id}.dead-letters"

    @property
    def replayed(self) -> str:
        """Dead letters that an operator gave back: the router reads them as what they were."""
        return f"{self.application_id}.replayed"

    def delayed(self, step: str) -> str:
        """Invitations put off by a constant time (`1m`, `10m`, …): first in, first due."""
        return f"{self.application_id}.delayed.{step}"

    def owns(self, topic: str) -> bool:
        """Whether `topic` is, or may come to be, one of ours: an input must not read it."""
        return topic.startswith(f"{self.application_id}.")
