"""Records that confluent-kafka would not write: header names that are no UTF-8.

Through the C interface of the very librdkafka that confluent-kafka brings.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

import confluent_kafka

FLUSH_MS = 60_000
_TOPIC, _PARTITION, _VALUE, _KEY, _FLAGS, _TIMESTAMP, _HEADERS = 1, 3, 4, 5, 7, 8, 10
"""rd_kafka_vtype_t"""

_COPY = 0x2

RawHeader = tuple[bytes, bytes | None]


def _library() -> ctypes.CDLL:
    package = Path(confluent_kafka.__file__).parent
    places = package.parent / "confluent_kafka.libs", package / ".dylibs"
    found = [each for place in places for each in place.glob("librdkafka*")]
    if not found:
        raise RuntimeError(f"no librdkafka beside {package}: install confluent-kafka's own wheel")
    library = ctypes.CDLL(str(found[0]))
    pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_ssize_t
    for name, returns, takes in (
        ("rd_kafka_conf_new", pointer, []),
        ("rd_kafka_conf_set", ctypes.c_int, [pointer, text, text, text, size]),
        ("rd_kafka_new", pointer, [ctypes.c_int, pointer, text, size]),
        ("rd_kafka_headers_new", pointer, [size]),
        ("rd_kafka_header_add", ctypes.c_int, [pointer, text, size, text, size]),
        ("rd_kafka_flush", ctypes.c_int, [pointer, ctypes.c_int]),
        ("rd_kafka_outq_len", ctypes.c_int, [pointer]),
        ("rd_kafka_destroy", None, [pointer]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = returns, takes
    library.rd_kafka_producev.restype = ctypes.c_int
    return library


class RawProducer:
    """A producer of records as bytes, header names too; `close` sends them and ends it."""

    def __init__(self, bootstrap: str, **settings: str) -> None:
        self._library = _library()
        error = ctypes.create_string_buffer(512)
        configuration = self._library.rd_kafka_conf_new()
        own = {"bootstrap.servers": bootstrap, "log_level": "0", "linger.ms": "0"}
        for name, value in {**own, **settings}.items():
            if self._library.rd_kafka_conf_set(
                configuration, name.encode(), value.encode(), error, len(error)
            ):
                raise RuntimeError(error.value.decode())
        self._client = self._library.rd_kafka_new(0, configuration, error, len(error))
        if not self._client:
            raise RuntimeError(error.value.decode())

    def produce(
        self,
        topic: str,
        value: bytes | None = b"",
        key: bytes | None = None,
        headers: Sequence[RawHeader] = (),
        *,
        partition: int = 0,
        timestamp: int = 0,
    ) -> None:
        """One record. Raises RuntimeError where librdkafka takes it not."""
        library, given = self._library, self._library.rd_kafka_headers_new(len(headers))
        for name, held in headers:
            library.rd_kafka_header_add(given, name, len(name), held, len(held or b""))
        integer, pointer, size = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t
        refused = library.rd_kafka_producev(
            pointer(self._client),
            *(integer(_TOPIC), ctypes.c_char_p(topic.encode())),
            *(integer(_PARTITION), ctypes.c_int32(partition)),
            *(integer(_VALUE), ctypes.c_char_p(value), size(len(value or b""))),
            *(integer(_KEY), ctypes.c_char_p(key), size(len(key or b""))),
            *(integer(_FLAGS), integer(_COPY)),
            *(integer(_TIMESTAMP), ctypes.c_int64(timestamp)),
            *(integer(_HEADERS), pointer(given)),
            integer(0),
        )
        if refused:
            raise RuntimeError(f"librdkafka refused the record: {refused}")

    def close(self) -> None:
        """Raises RuntimeError if something was not sent."""
        self._library.rd_kafka_flush(self._client, FLUSH_MS)
        left = self._library.rd_kafka_outq_len(self._client)
        self._library.rd_kafka_destroy(self._client)
        if left:
            raise RuntimeError(f"{left} records were not sent")

    def __enter__(self) -> RawProducer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
