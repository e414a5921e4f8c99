"""Damaged records of the program's own topics: `python -m tests.fuzz.records --minutes 10`.

Invitations are read and taken in by a lane until each has its fate; delayed records are read and
written again; checkpoints are read and restored; letters and replays are told from other records.
What is read must be bounded, and what is written must be read again. Every exception is shown with
the record that made it.
"""

from __future__ import annotations

import argparse
import base64
import random
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, cast

import orjson
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Message, Producer

from consumer.errors import UnreadableRecord
from consumer.kafka.records.checkpoints import end_of, parse
from consumer.kafka.records.delayed import LONGEST_WAIT, PUT, Delayed
from consumer.kafka.records.messages import Header
from consumer.kafka.records.replayed import original, place_headers
from consumer.kafka.transactions import Headers
from consumer.lane.lane import Lane
from consumer.lane.offsets.bitmap import pack
from consumer.lane.state.pending import PendingInvitation
from consumer.operations import view
from consumer.operations.dead_letters.letters import LetterPlace, letter_of, replayed_place
from consumer.records.invitation import Invitation, encode_invitation
from consumer.records.readers import RECORD_LIMIT, read_invitation, read_result
from tests.support.lanes import ACCEPTED, NOW, Driver, campaign, invitation, letter, settings
from tests.support.poison import NUMBERS, VALUES

ROUND: Final = 2_000
MOST_SHOWN: Final = 20
LATER: Final = {**invitation(1, "r", "a"), "version": 3, "new": {"form": [1]}}
INVITATIONS: Final = tuple(
    orjson.dumps(each)
    for each in (
        invitation(1, "r", "a", NOW + 9),
        {**invitation(2, "r", "b"), "attempt": 1, "delays": 2, "due_at": NOW, "resend_of": "i0"},
        {**invitation(3, "s", "a", NOW - 9), "data": {"m": {"a": "b"}, "f": "é"}},
        LATER,
    )
) + tuple(
    encode_invitation(made)
    for made in (
        invitation(4, "r", "a", NOW + 9),
        cast(
            "Invitation", {**invitation(5, "r", "b"), "attempt": 1, "resend_of": "i0", "new": [1]}
        ),
    )
)
CHECKPOINTS: Final = tuple(
    orjson.dumps(each)
    for each in (
        {
            "version": 1, "lane": "cloud", "topic_id": "t", "base": 7, "done": pack([7, 9], 7),
            "in_flight": [
                {"batch_id": "b", "campaign": "a", "attempt": 1, "sealed_at": NOW, "first": 8,
                 "offsets": pack([8, 11], 8)}
            ],
            "permit_log": [NOW - 3, NOW], "permit_log_reach": 60.0, "config_version": "c",
            "closed_until": NOW + 9, "limits_part": 0.5, "limits_since": NOW, "at": NOW,
            "tried": [{"attempt": 2, "first": 10, "offsets": pack([10], 10)}],
            "owners": [{"instance": "0", "config_version": "c", "at": NOW}],
        },
        {
            "version": 1, "lane": "cloud", "topic_id": None, "base": 0,
            "done": base64.b64encode(zlib.compress(bytes(2**20))).decode(), "in_flight": [],
            "permit_log": [], "config_version": "c",
        },
    )
)  # fmt: skip
DELAYED: Final[tuple[Header, ...]] = (
    ("lane", b"cloud"), ("arrived", b"1763800000.25"), ("due_at", b"1763800060.0"),
    (PUT, b"1763800000.0"),
)  # fmt: skip
LETTER: Final[tuple[Header, ...]] = tuple(
    (f"dead_letter.{name}", value)
    for name, value in (
        ("version", b"1"), ("reason", b"not_json"), ("message", b"m"), ("topic", b"pos"),
        ("partition", b"0"), ("offset", b"7"), ("timestamp", b"1763800000250"), ("at", b"t"),
        ("config_version", b"c"), ("unreadable", b"1 headers"), ("value_bytes", b"9"),
    )
)  # fmt: skip
WORDS: Final = (
    *NUMBERS, *(each for each in VALUES.values() if each and len(each) < 9_000), b"null", b'"',
    b"\\ud800", b"\xed\xa0\x80", b'"attempt":', b'"version":2', b'"version":3', b'"campaign":"b"',
    b"e99",    b"[" * 300, b'{"a":' * 300, b"AAAA", b"0" * 40, b"-",
)  # fmt: skip


class Recorder:
    """Stands for a producer: keeps what it is given."""

    def __init__(self) -> None:
        self.timestamps: list[int] = []

    def produce(self, *_record: object, timestamp: int = 0, headers: object = None) -> None:
        """Keep the time."""
        del headers
        self.timestamps.append(timestamp)


class Fuzz:
    """Counts what was tried, what was read, and what failed, by kind and exception."""

    def __init__(self, seed: int) -> None:
        self.tried: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self._rng = random.Random(seed)
        self._last: list[object] = []
        self.kinds: Mapping[str, Callable[[], object]] = {
            "invitation": self._invitation,
            "delayed": self._delayed,
            "checkpoint": self._checkpoint,
            "letter": self._letter,
        }

    def run(self, times: int) -> None:
        """Damage so many records of each kind."""
        for kind, one in self.kinds.items():
            for _ in range(times):
                self.tried[kind] += 1
                self._last.clear()
                try:
                    one()
                except Exception as error:  # noqa: BLE001 - to find them is what this is for
                    self._note(f"{kind}: {type(error).__name__}: {error}")

    def _note(self, what: str) -> None:
        what = what.splitlines()[0][:200]
        self.failures[what] += 1
        if self.failures.total() <= MOST_SHOWN:
            sys.stderr.write(f"{what}\n  {self._last!r:.3000}\n")

    # -- kinds --------------------------------------------------------------------------------

    def _invitation(self) -> None:
        value = self.damaged(self._rng.choice(INVITATIONS))
        lane = Lane(settings(campaign("a")), random.Random(1), NOW)
        driver = Driver(lane)
        lane.accepts(0)
        try:
            held = PendingInvitation.read(0, value, NOW)
            lane.arrived(held, NOW)
            self.taken["invitation"] += 1
            assert 0 <= held.attempt <= 10**9
            assert len(value) <= RECORD_LIMIT
        except UnreadableRecord:
            later = PendingInvitation.from_later_version(0, value, NOW)
            if later is not None:
                lane.postponed(later, NOW)
            else:
                lane.unreadable(letter(0))
        for batch in driver.step():
            driver.answer(batch, ACCEPTED)
        driver.step(NOW + 90)  # invitations of an unknown campaign may expire here
        _one_fate(driver)

    def _delayed(self) -> None:
        headers = self.damaged_headers(DELAYED)
        key, value = self.damaged(b"k"), self.damaged(INVITATIONS[0])
        record = self._rng.choice((key, None, b"k")), value, cast("Headers", headers)
        when = self._rng.choice((int(NOW * 1000), 0, -1, 2**62))
        message = Message("t", 0, 0, *record, None, (TIMESTAMP_LOG_APPEND_TIME, when))
        found = Delayed.from_message(message, NOW)
        if found is None:
            return
        self.taken["delayed"] += 1
        recorder = Recorder()
        producer = cast("Producer", recorder)
        found.put(producer, "step", NOW)
        found.give_back(producer, "lane")
        assert all(0 <= timestamp <= NOW * 1000 for timestamp in recorder.timestamps)
        assert found.due_at <= NOW + LONGEST_WAIT
        assert isinstance(found.campaign, str)

    def _checkpoint(self) -> None:
        value = self.damaged(self._rng.choice(CHECKPOINTS))
        try:
            found = parse(value)
        except UnreadableRecord:
            return
        self.taken["checkpoint"] += 1
        assert end_of(found) >= found.base >= 0
        lane = Lane(settings(campaign("a")), random.Random(1), NOW, checkpoint=found)
        lane.tick(NOW)
        parse(lane.checkpoint(NOW).model_dump_json().encode())

    def _letter(self) -> None:
        headers = self.damaged_headers(LETTER)
        replayed_place(headers)
        found = letter_of(LetterPlace(0, 1), headers)
        if found is not None:
            self.taken["letter"] += 1
            view.time_text(found.timestamp)
        original(self.damaged_headers(place_headers("pos", 0, 7, 1_763_800_000_250)))

    # -- damage -------------------------------------------------------------------------------

    def damaged(self, whole: bytes) -> bytes:
        """Bytes changed, cut, repeated or put in; whole values exchanged."""
        body = bytearray(whole)
        for _ in range(self._rng.choice((0, 1, 1, 1, 2, 5))):
            at = self._rng.randint(0, len(body))
            match self._rng.randint(0, 5):
                case 0:
                    body[at : at + 1] = bytes([self._rng.randint(0, 255)])
                case 1:
                    del body[at : at + self._rng.randint(1, 8)]
                case 2:
                    body[at:at] = self._rng.choice(WORDS)
                case 3:
                    body[at:at] = body[at : at + 30]
                case _:
                    self._exchange(body)
        self._last.append(bytes(body))
        return bytes(body)

    def _exchange(self, body: bytearray) -> None:
        """The value behind one of the colons becomes another."""
        colons = [at for at, byte in enumerate(body) if byte == ord(":")]
        if colons:
            at = self._rng.choice(colons) + 1
            ends = [end for end in (body.find(b",", at), body.find(b"}", at)) if end > 0]
            body[at : min(ends, default=len(body))] = self._rng.choice(WORDS)

    def damaged_headers(self, whole: tuple[Header, ...] | list[Header]) -> list[Header]:
        """Headers damaged, left out, repeated or without a value."""
        found = list(whole)
        for _ in range(self._rng.choice((0, 1, 1, 2, 4))):
            at = self._rng.randrange(len(found)) if found else 0
            match self._rng.randint(0, 3) if found else 9:
                case 0:
                    del found[at]
                case 1:
                    found.insert(self._rng.randint(0, len(found)), found[at])
                case 2:
                    found[at] = found[at][0], self._rng.choice((None, b"", *WORDS))
                case 3:
                    found[at] = found[at][0], self.damaged(found[at][1] or b"")
                case _:
                    found.append(("x", b"y"))
        self._last.append(found)
        return found


def _one_fate(driver: Driver) -> None:
    """A result, a dead letter or a delay, exactly one, which can be written and read again."""
    letters = [dead_letter for commit in driver.commits for dead_letter in commit.dead_letters]
    assert len(driver.results) + len(letters) + len(driver.put_off) == 1
    for result in driver.results:
        read_result(orjson.dumps(result))
    for each in driver.put_off:
        again = each.record()
        if orjson.loads(again)["version"] == 1:
            read_invitation(again)
    assert driver.checkpoint.base == 1


def main() -> int:
    """For some minutes."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.records", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    wanted = parser.parse_args()
    fuzz = Fuzz(wanted.seed)
    until = time.monotonic() + 60 * wanted.minutes
    while time.monotonic() < until:
        fuzz.run(ROUND)
    told = [f"seed {wanted.seed}"]
    told += [f"{n:,} of {kind}, {fuzz.taken[kind]:,} taken" for kind, n in fuzz.tried.items()]
    told += [f"{fuzz.failures.total():,} exceptions"]
    told += [f"{n:,} × {what}" for what, n in fuzz.failures.items()]
    sys.stdout.write("\n  ".join(told) + "\n")
    return bool(fuzz.failures)


if __name__ == "__main__":
    sys.exit(main())
