"""The uploads topic: read where there is one, looked for where there is none."""

from __future__ import annotations

from consumer.errors import KafkaSessionError
from consumer.runtime.router.uploads_topic import LOOK_EVERY, UploadsTopic


class Topics:
    """Kafka clients of a cluster; `answers`: what the next looks find."""

    def __init__(self, *answers: bool | KafkaSessionError) -> None:
        self.answers = list(answers)

    def has_topic(self, topic: str) -> bool:
        assert topic == "surveys.uploads"
        answer = self.answers.pop(0)
        if isinstance(answer, KafkaSessionError):
            raise answer
        return answer


def test_a_missing_topic_is_found_once_it_is_created() -> None:
    topic, clients = UploadsTopic("surveys.uploads"), Topics(False, True)
    assert not topic.look(clients, 100.0)
    assert topic.names == []
    assert not topic.look(clients, 100.0 + LOOK_EVERY - 0.1)  # asks nothing
    assert topic.look(clients, 100.0 + LOOK_EVERY)
    assert topic.names == ["surveys.uploads"]
    assert not topic.look(clients, 999.0)


def test_a_topic_that_may_not_be_seen_stops_no_input() -> None:
    topic = UploadsTopic("surveys.uploads")
    assert not topic.look(Topics(KafkaSessionError("TOPIC_AUTHORIZATION_FAILED")), 100.0)
    assert not topic.exists
