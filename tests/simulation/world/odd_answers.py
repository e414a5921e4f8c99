"""Answers that no vendor's page documents, each with whether the vendor acted before it.

The lane must not take any of them for more than it says: a customer is never invited twice for
one, and nothing that was not carried out is reported as accepted.

A customer whose own calls are refused again and again while others pass is bad, whatever answers
them. So an odd answer refuses a customer alone twice at most, and then the vendor's own comes: a
third time by chance would be no stray one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from consumer.records.call import Answer

CHANCE = 0.08
"""Part of the calls that would be accepted, in a world that has odd answers."""

REFUSED_ALONE = 2
"""How often odd answers may refuse calls of one customer alone."""

_HTML = {"content-type": "text/html; charset=utf-8"}
_TEXT = {"content-type": "text/plain"}
_JSON = {"content-type": "application/json"}
_PAGE = b"<!DOCTYPE html><html><title>Just a moment</title></html>"


@dataclass(frozen=True, slots=True)
class OddAnswer:
    """`acts`: how probably the vendor carried the call out before this answer was made."""

    answer: Answer
    acts: float

    @property
    def refuses(self) -> bool:
        """Whether the vendor never acts: a lane that knows the answer takes it for a refusal."""
        return self.acts == 0.0


ODD_ANSWERS = {
    "see-other": OddAnswer(Answer(303, {"location": "/v1/results/7", **_HTML}, b""), 1.0),
    "found": OddAnswer(Answer(302, {"location": "/v1/results/7"}, b""), 0.5),
    "moved-for-good": OddAnswer(Answer(301, {"location": "https://other.example/"}, b""), 0.0),
    "elsewhere": OddAnswer(Answer(307, {"location": "https://other.example/"}, b""), 0.0),
    "moved": OddAnswer(Answer(308, {"location": "https://other.example/"}, b""), 0.0),
    "page": OddAnswer(Answer(200, _HTML, _PAGE), 0.5),
    "gateway-404": OddAnswer(Answer(404, _TEXT, b"no route matched"), 0.0),
    "gateway-400": OddAnswer(Answer(400, _HTML, _PAGE), 0.0),
    "bad-gateway": OddAnswer(Answer(502, _HTML, _PAGE), 0.5),
    "gateway-timeout": OddAnswer(Answer(504, _HTML, _PAGE), 0.5),
    "request-timeout": OddAnswer(Answer(408, {}, b""), 0.5),
    "no-content": OddAnswer(Answer(204, {}, b""), 1.0),
    "numeric-success": OddAnswer(Answer(200, _JSON, b'{"code": 0}'), 1.0),
    "stray-401": OddAnswer(Answer(401, _JSON, b'{"error": {"code": 13016}}'), 0.0),
    "stray-403": OddAnswer(Answer(403, _HTML, _PAGE), 0.0),
}


def draw(rng: random.Random) -> tuple[OddAnswer, bool] | None:
    """Now and then: an odd answer, and whether the vendor acted."""
    if rng.random() >= CHANCE:
        return None
    odd = rng.choice(list(ODD_ANSWERS.values()))
    return odd, rng.random() < odd.acts
