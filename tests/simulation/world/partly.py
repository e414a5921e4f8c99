"""A vendor that takes a batch as JSON and accepts it in part: it names the entries that failed.

Its 2xx has a failure's code though it has invited all others. A call of which one customer is bad
is refused whole at times, too.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

import orjson

from consumer.records.call import Answer

BAD = "INVALID_PHONE"
NO_CAMPAIGN = "NO_CAMPAIGN"
PARTS = 0.7
"""Share of the calls with a bad customer that are accepted in part."""

_JSON = {"content-type": "application/json"}


def _answer(status: int, document: object) -> Answer:
    return Answer(status, _JSON, orjson.dumps(document))


ACCEPTED = _answer(200, {"accepted": "all"})
REFUSED = _answer(422, {"errors": [{"code": BAD}]})
TROUBLE = Answer(425, _JSON, b"")
UNCLEAR = Answer(503, _JSON, b"")
CAMPAIGN = _answer(404, {"errors": [{"code": NO_CAMPAIGN}]})


def in_part(names: Sequence[str], bad: Collection[str], rng: random.Random) -> Answer | None:
    """The answer to a call with bad customers that invites all others; None: it is refused."""
    if rng.random() >= PARTS:
        return None
    errors = [{"index": index, "code": BAD} for index, name in enumerate(names) if name in bad]
    return _answer(rng.choice([200, 207]), {"accepted": len(names) - len(errors), "errors": errors})
