"""What some worlds have and others have not: rare conditions, drawn from a stream of their own.

Each is a switch with a chance, so that a condition that the program cannot meet yet is turned off
in one place, and a new one changes nothing about the seeds that do not have it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from tests.simulation.world.changes import CHANGES

CHANCES = {
    "eager_client": 0.3,
    "restart_at_rest": 0.25,
    "lost_input": 0.04,
    "keeps_records": 0.15,
    "forgets_input": 0.1,
    "odd_answers": 0.3,
    "foreign_records": 0.2,
    "refused_customer": 0.1,
    "drops_members": 0.1,
    "drops_paused": 0.05,
    "answer_bytes": 0.12,
    "partly": 0.12,
    "commanded": 0.12,
    "paused": 0.1,
    "sick": 0.06,
    "slow_broker": 0.08,
}
"""Feature → in what part of all worlds it is."""

FORGETS = 0.15
"""In what part of all worlds the whole fleet stands still until a group's offsets are forgotten."""

FORGOTTEN = ("router", "ladder", "lane.cloud", "lane.radar")
CHANGED = 0.3
"""In what part of all worlds the config changes."""


@dataclass(frozen=True, slots=True)
class Features:
    """`eager_client`: polls hand out records of partitions that they revoke, wait on although they
    have records, and hand out stale ones after a seek.

    `restart_at_rest`: when all is done and the fleet has stopped, a replica starts once more.

    `lost_input`: records of an input are deleted before the router has read them.
    `keeps_records`: the program has no right to delete records. `forgets_input`: an input that left
    the config comes back when its offsets are forgotten. `odd_answers`,
    `foreign_records`: see `odd_answers.py`, `foreign.py`.
    `refused_customer`: a firewall refuses each call that holds one certain customer.
    `slow_broker`: a quota of Kafka makes a full transaction last longer than its timeout.
    `drops_members`: groups of lanes forget their members while they poll eagerly.
    `drops_paused`: lanes have little memory, and their groups forget their members while a full
    lane's reader is paused.
    `answer_bytes`: vendors' answers come as bytes, written in many ways (`answer_bytes.py`).
    `partly`: the vendor of campaign `b` accepts a call in part.
    `sick`: a campaign is sick beside healthy ones, and nothing else is wrong (`sickness.py`).
    `commanded`: operators give commands (`operators.py`).
    `paused`: operators pause and resume by command (`pausing.py`), where clocks are right.
    """

    eager_client: bool
    restart_at_rest: bool
    lost_input: bool
    keeps_records: bool
    forgets_input: bool
    odd_answers: bool
    foreign_records: bool
    refused_customer: bool
    drops_members: bool
    drops_paused: bool
    answer_bytes: bool
    partly: bool
    commanded: bool
    paused: bool
    sick: bool
    slow_broker: bool
    forgets: str | None
    """The group (without the application's name) whose offsets are forgotten."""
    change: str | None
    """The config's change, one of `changes.CHANGES`."""


def draw(seed: int) -> Features:
    """The features of a seed's world; a new one changes nothing about the others."""
    on = {name: _chance(seed, name) < chance for name, chance in CHANCES.items()}
    if on["sick"]:
        calm = dict.fromkeys(CHANCES, False) | {"sick": True}
        return Features(**calm, forgets=None, change=None)
    on["eager_client"] |= on["drops_members"]  # a lane comes back within the poll that lost it
    if on["lost_input"]:  # half of these are mended by an operator
        on["commanded"] = _chance(seed, "commanded") < 0.5
    on["slow_broker"] &= not on["lost_input"]  # each offset of the past is then waited for
    changing = _chance(seed, "changing") < CHANGED and not on["lost_input"]
    change = CHANGES[int(_chance(seed, "change") * len(CHANGES))] if changing else None
    if on["forgets_input"]:
        change, on["lost_input"] = "input_gone", False
    forgetful = _chance(seed, "forgetful") < FORGETS and not (change or on["lost_input"])
    forgets = FORGOTTEN[int(_chance(seed, "forgets") * len(FORGOTTEN))] if forgetful else None
    if forgets == "ladder":  # the log alone would tell, were it trimmed
        on["keeps_records"] = _chance(seed, "keeps_records") < 0.7
    return Features(**on, forgets=forgets, change=change)


def with_contacts(drawn: Features, rng: random.Random) -> Features:
    """The features of the same world with contact rules: in some the pseudonym key is rotated."""
    change = "rotate" if drawn.change is None and rng.random() < 0.4 else drawn.change
    return replace(drawn, sick=False, change=change)


def _chance(seed: int, name: str) -> float:
    return random.Random(f"{name} of {seed}").random()
