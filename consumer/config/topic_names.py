"""The names of the program's own topics and groups; `application_id` is their prefix.

docs/architecture.md, "Topics", describes what each of them holds and which component writes it.
"""

from __future__ import annotations

from dataclasses import dataclass

TAILS = frozenset(
    {
        "results",
        "dead-letters",
        "replayed",
        "contacts",
        "commands",
        "pauses",
        "uploads",
        "uploaded",
    }
)
"""What follows the prefix in the names of topics that every application has."""

BRANCHES = frozenset({"invitations", "checkpoints", "delayed", "lane"})
"""What follows the prefix in names that end with a lane or a step: of topics, and of groups and
transactional ids (`lane`)."""


def as_kafka(name: str) -> str:
    """Return the name as Kafka compares it: topic names must not differ in . and _ only."""
    return name.replace(".", "_")


@dataclass(frozen=True, slots=True)
class Topics:
    """Names of one application's topics and groups. A group's name is also the head of its
    stage's transactional ids. Kafka remembers both: a renamed group would have no offsets."""

    application_id: str

    def invitations(self, lane: str) -> str:
        """Return a lane's invitations topic: the router writes it and the lane reads it."""
        return f"{self.application_id}.invitations.{lane}"

    def checkpoints(self, lane: str) -> str:
        """Return a lane's checkpoints topic: the lane's whole state, compacted."""
        return f"{self.application_id}.checkpoints.{lane}"

    @property
    def results(self) -> str:
        """The results topic: one final result per invitation."""
        return f"{self.application_id}.results"

    @property
    def dead_letters(self) -> str:
        """The dead letters topic: records that could not be decoded, unchanged."""
        return f"{self.application_id}.dead-letters"

    @property
    def replayed(self) -> str:
        """The replayed topic: the router reads replayed dead letters as the original records."""
        return f"{self.application_id}.replayed"

    @property
    def uploads(self) -> str:
        """The uploads topic: rows of CSV files, which the router sends to the route they name."""
        return f"{self.application_id}.uploads"

    @property
    def uploaded(self) -> str:
        """The uploaded topic: the identity of each row that was ever sent, compacted."""
        return f"{self.application_id}.uploaded"

    @property
    def commands(self) -> str:
        """The commands topic: operators' commands to the running processes."""
        return f"{self.application_id}.commands"

    @property
    def contacts(self) -> str:
        """The contacts topic: opt-outs, bounces, answers and erasures, compacted."""
        return f"{self.application_id}.contacts"

    @property
    def view_group(self) -> str:
        """Group of the view that keeps the contact store; its offsets are in the store."""
        return f"{self.application_id}.contacts-view"

    @property
    def pauses(self) -> str:
        """The pauses topic: what operators paused and resumed by command, compacted."""
        return f"{self.application_id}.pauses"

    @property
    def feeds_group(self) -> str:
        """Group of the stage that reads the feeds."""
        return f"{self.application_id}.feeds"

    @property
    def router_group(self) -> str:
        """Group of the router."""
        return f"{self.application_id}.router"

    @property
    def delay_group(self) -> str:
        """Group of the delay stage, under its former name."""
        return f"{self.application_id}.ladder"

    def lane_group(self, lane: str) -> str:
        """Return the group of a lane's owner and candidates."""
        return f"{self.application_id}.lane.{lane}"

    def delayed(self, step: str) -> str:
        """Return a delay topic: invitations delayed by a constant time (`1m`, `10m`, …)."""
        return f"{self.application_id}.delayed.{step}"

    def owns(self, topic: str) -> bool:
        """Tell whether `topic` has the program's prefix: an input must not read it."""
        return topic.startswith(f"{self.application_id}.")

    def hides(self, topic: str) -> bool:
        """Tell whether Kafka confuses `topic` with one of the program's, because of _ for a dot."""
        rest = as_kafka(topic).removeprefix(as_kafka(f"{self.application_id}."))
        branches = tuple(f"{as_kafka(branch)}_" for branch in BRANCHES)
        known = rest in map(as_kafka, TAILS) or rest.startswith(branches)
        return rest != as_kafka(topic) and known
