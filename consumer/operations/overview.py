"""`lanes list`: every lane that the config has or a topic is left of."""

from __future__ import annotations

from consumer.adapters.lanes import LaneView, lane_names, look
from consumer.adapters.reading import members
from consumer.operations.access import Access


def lanes(access: Access) -> list[tuple[LaneView, bool, int]]:
    """Each lane, whether the config has it, and how many members its group has.

    Read without a claim: what an owner is about to commit is not in it. Raises KafkaTrouble.
    """
    configured, topics = access.config.lanes, access.topics
    found = []
    with access.reader() as reader:
        for name in lane_names(access.admin, topics):
            group = f"{topics.application_id}.lane.{name}"
            view = look(access.admin, reader, topics, name)
            found.append((view, name in configured, members(access.admin, group)))
    return found
