"""However an answer is written on the wire of a simulated world, the real client reads the same."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from consumer.records.call import Answer, Call
from tests.simulation.world.answer_bytes import WAYS, AnswerBytes

CALL = Call("POST", "/surveys", {"Content-Type": "application/json"}, b'{"a": 1}')
ANSWERS = (
    Answer(200, {}, b'{"code": "00000"}'),
    Answer(422, {"content-type": "application/json"}, b'{"error": {"code": 13015}}'),
    Answer(429, {"retry-after": "7"}, b""),
    Answer(303, {"location": "/v1/results/7"}, b""),
    Answer(204, {}, b""),
)


@pytest.fixture
def answers() -> Iterator[AnswerBytes]:
    made = AnswerBytes(random.Random(1))
    yield made
    made.close()


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_means_the_same_however_it_is_written(answers: AnswerBytes, way: str) -> None:
    """Status, body and the vendor's own headers, one answer after the other on one client."""
    client = answers.client()
    for wanted in ANSWERS:
        exchange = client.read(CALL, WAYS[way](wanted))
        assert exchange.answer is not None
        assert (exchange.answer.status, exchange.answer.body) == (wanted.status, wanted.body)
        assert wanted.headers.items() <= exchange.answer.headers.items()
    assert not answers.wrong


@pytest.mark.parametrize("wanted", ANSWERS)
def test_a_cut_answer_is_none(answers: AnswerBytes, wanted: Answer) -> None:
    """Wherever the vendor's connection ends before the answer does."""
    for _ in range(20):
        exchange = answers.client().read(CALL, answers.cut(wanted))
        assert exchange.answer is None
        assert exchange.failure == "reset"
