"""Results that exist already: the router leaves their events out, as `--skip-answered` says.

A mirror has the inputs and the results of another cluster, with other offsets. Where the router
starts over on it, an event may have its result from there. The invitation's id says nothing of
that, for it is made of the offset; event, route and recipient do:

    results written since TIME ─► {digest(event_id, route, pseudonym)} ─► router: in it? left out

Results are read once, before the first poll of a process; what it commits itself joins them, for a
mirror that was killed has some records twice. Memory: some 90 bytes for each of both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec
import structlog
from confluent_kafka import Consumer

from consumer.errors import UnreadableRecord
from consumer.kafka.clients import KafkaClients
from consumer.kafka.log_scan import LogScan
from consumer.kafka.queries import Offsets, log_range, offset_since, partitions_of
from consumer.kafka.records.messages import value_of
from consumer.records.invitation import decode_head
from consumer.records.readers import result_json
from consumer.records.result import Result
from consumer.routing.routed import Routed

log = structlog.get_logger(__name__)


class _Answered(msgspec.Struct, gc=False):
    event_id: str
    route: str
    recipient: str | None


_decode = msgspec.json.Decoder(_Answered).decode


class AnsweredEvents:
    """The results since a time (epoch seconds). Call from the router's thread."""

    def __init__(self, since: float) -> None:
        self._since = since
        self._known = set[bytes]()
        self._loaded = False

    def load(self, clients: KafkaClients, topic: str, beat: Callable[[], None]) -> None:
        """Read the results topic, unless that was done; `beat` is called meanwhile. Raises
        KafkaSessionError."""
        if self._loaded:
            return
        unreadable = 0
        with clients.reader(f"{topic}.answered") as reader:
            begin, ends = self._range(reader, topic)
            for message in LogScan(reader, ends, begin):
                beat()
                try:
                    self._known.add(_digest_of(value_of(message)))
                except UnreadableRecord:
                    unreadable += 1
        self._loaded = True
        log.info("answered_loaded", results=len(self._known), unreadable=unreadable)

    def _range(self, reader: Consumer, topic: str) -> tuple[Offsets, Offsets]:
        """Return where to begin and to end in each partition."""
        places = [(topic, each.partition) for each in partitions_of(reader, topic)]
        ends = {place: log_range(reader, *place)[1] for place in places}
        since = {place: offset_since(reader, *place, self._since) for place in places}
        return {place: ends[place] if at is None else at for place, at in since.items()}, ends

    def leave_out(self, routed: Routed) -> None:
        """Drop what has its result, or was routed before: invitations, and the router's own
        results."""
        met, before = set[bytes](), len(routed.invitations) + len(routed.results)

        def is_new(digest: bytes) -> bool:
            new = digest not in self._known and digest not in met
            met.add(digest)
            return new

        routed.invitations[:] = [
            made for made in routed.invitations if is_new(_of_invitation(made.value))
        ]
        routed.results[:] = [made for made in routed.results if is_new(_of_result(made))]
        if left := before - len(routed.invitations) - len(routed.results):
            log.info("answered_left_out", invitations=left)

    def committed(self, routed: Routed) -> None:
        """Know what was committed: the mirror's second copy of its event is left out."""
        self._known.update(_of_invitation(made.value) for made in routed.invitations)
        self._known.update(map(_of_result, routed.results))


def _digest_of(value: bytes | None) -> bytes:
    try:
        found = _decode(result_json(value) or b"")
    except (ValueError, RecursionError):
        raise UnreadableRecord("no result") from None
    return _digest(found.event_id, found.route, found.recipient)


def _of_invitation(value: bytes) -> bytes:
    head = decode_head(value)
    return _digest(head.result.event_id, head.result.route, head.pseudonym)


def _of_result(result: Result) -> bytes:
    return _digest(result["event_id"], result["route"], result["recipient"])


def _digest(event_id: str, route: str, recipient: str | None) -> bytes:
    named = "\0".join((event_id, route, recipient or ""))
    return hashlib.blake2b(named.encode("utf-8", "surrogatepass"), digest_size=16).digest()
