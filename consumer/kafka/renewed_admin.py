"""Administration client that a question without an answer replaces.

librdkafka removes the brokers that a cluster does not name, its bootstrap servers too. A broker
that was cut off from its controller names none for a moment, and a client that asks just then may
never connect again (librdkafka 2.16, issue 5301). Consumers and producers end with their session;
this client would stay as long as its process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from consumer.kafka.errors import translate_errors


class RenewedAdmin:
    """Passes every request to its client, which `make` made. Safe in several threads."""

    def __init__(self, make: Callable[[], AdminClient]) -> None:
        self._make = make
        self._client = make()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def renew(self) -> None:
        """Ask by another client from now on."""
        self._client = self._make()

    @classmethod
    def client(cls, make: Callable[[], AdminClient]) -> AdminClient:
        """Return one, under the type that it stands for."""
        return cast("AdminClient", cls(make))


@contextmanager
def translate_admin_errors(action: str, client: object) -> Iterator[None]:
    """Translate the errors of a question, as `translate_errors`; renew a client without an
    answer."""
    with translate_errors(action):
        try:
            yield
        except (KafkaException, TimeoutError) as error:
            if isinstance(client, RenewedAdmin) and not _is_answer(error):
                client.renew()
            raise


def _is_answer(error: Exception) -> bool:
    """Return whether a broker said this: codes of librdkafka itself are negative."""
    cause = error.args[0] if error.args else None
    return isinstance(cause, KafkaError) and cause.code() >= 0
