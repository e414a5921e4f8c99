"""Read made-up answers for some minutes; every exception is shown with the answer that made it."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from consumer.records.call import Answer
from tests.fuzz import heads
from tests.fuzz.answers import bodies, check, headers, mutated, readers

EXAMPLES = 300
MUTATIONS = 20_000
MOST_SHOWN = 20


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    wanted = parser.parse_args()
    found = Fuzz(wanted.seed)
    until = time.monotonic() + 60 * wanted.minutes
    while time.monotonic() < until:
        found.mutate(MUTATIONS)
        found.heads(MUTATIONS)
        found.imagine(EXAMPLES)
    failed = sum(found.failures.values())
    told = [f"seed {wanted.seed}: {found.answers:,} answers, {found.reads:,} reads"]
    told += [f"{failed:,} exceptions", *(f"{n:,} × {what}" for what, n in found.failures.items())]
    sys.stdout.write("\n  ".join(told) + "\n")
    return bool(found.failures)


class Fuzz:
    """Counts what was tried, and what failed, by vendor and exception."""

    def __init__(self, seed: int) -> None:
        self.answers = self.reads = 0
        self.failures: Counter[str] = Counter()
        self._rng = random.Random(seed)
        self._readers = readers()

    def mutate(self, times: int) -> None:
        """Known answers, damaged."""
        for _ in range(times):
            self.read(mutated(self._rng))

    def heads(self, times: int) -> None:
        """Heads as no server should write them."""
        for _ in range(times):
            head = heads.mutated(self._rng)
            self.answers += 1
            try:
                heads.check(head)
            except Exception as error:  # noqa: BLE001 - to find them is what this is for
                self._note(f"head: {type(error).__name__}: {error}", head)

    def imagine(self, times: int) -> None:
        """Answers of hypothesis's making."""

        @settings(
            max_examples=times,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.integers(-1, 700), headers, bodies)
        def one(status: int, fields: dict[str, str], body: bytes) -> None:
            self.read(Answer(status, fields, body))

        one()

    def read(self, answer: Answer) -> None:
        """One answer, by every vendor."""
        self.answers += 1
        for name, read in self._readers.items():
            self.reads += 1
            try:
                check(read, answer)
            except Exception as error:  # noqa: BLE001 - to find them is what this is for
                self._note(f"{name}: {type(error).__name__}: {error}", answer)

    def _note(self, what: str, answer: Answer | bytes) -> None:
        self.failures[what.splitlines()[0]] += 1
        if sum(self.failures.values()) <= MOST_SHOWN:
            sys.stderr.write(f"{what}\n  {answer!r}\n")


if __name__ == "__main__":
    sys.exit(_main())
