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

    def owns(self, topic: str) -> bool:
        """Whether `topic` is, or may come to be, one of ours: an input must not read it."""
        return topic.startswith(f"{self.application_id}.")
