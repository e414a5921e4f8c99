"""`resend`: find the chosen invitations, show them, and write them, if possible in one transaction.

Sending twice is impossible: the command first fences every other run of itself, which ends their
open transactions, then reads all records ever written, and only then decides. A fenced run cannot
commit any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from confluent_kafka import Consumer, Producer

from consumer.errors import OperationError, UnreadableRecord
from consumer.kafka import transactions
from consumer.kafka.queries import topic_names
from consumer.kafka.records.messages import timestamp_of, value_of
from consumer.kafka.transaction_size import TransactionSize
from consumer.operations.access import Access
from consumer.operations.resend.selection import AT_ONCE, Choice, Plan, Search
from consumer.records.readers import read_result

NAME = "resend"


def resend_chosen(access: Access, choice: Choice, confirm: Callable[[Plan], bool]) -> int:
    """Resend the invitations that `confirm` agrees to, and return how many."""
    size = TransactionSize(AT_ONCE)

    def plan_rest(_producer: Producer, confirmed: Plan | None) -> Plan:
        if confirmed is None:
            return plan(access, choice)
        ids = frozenset(new.invitation["resend_of"] for new in confirmed.again)
        return plan(access, replace(choice, ids=ids))

    def write(producer: Producer, todo: Plan) -> None:
        sent = 0
        while sent < len(todo.again):
            batch = todo.again[sent : sent + size.records]
            with access.transaction(producer, "resending", size, len(batch)):
                for new in batch:
                    topic, key = access.topics.invitations(new.lane), new.invitation["pseudonym"]
                    transactions.produce(producer, topic, new.value, key=key, partition=0)
            sent += len(batch)

    done = access.write_confirmed(NAME, size, plan_rest, confirm, write)
    return len(done.again) if done is not None else 0


def plan(access: Access, choice: Choice) -> Plan:
    """Return what would be resent, and what not. Raises OperationError for a name that neither the
    config nor a result has."""
    search = Search(choice)
    with access.reader() as reader:
        _read_results(access, reader, search)
        routes = (route.name for route in access.config.routes)
        if unknown := search.unknown(access.config.campaigns, routes):
            raise OperationError("; ".join(unknown))
        _read_invitations(access, reader, search)
    config = access.config
    lanes = {name: config.lane_of(name) for name in config.called}
    expiry = {route.name: config.policy_of(route).expire_after for route in config.routes}
    return search.plan(lanes, expiry, config.config_version, access.now())


def _read_results(access: Access, reader: Consumer, search: Search) -> None:
    for record in access.everything(reader, [access.topics.results]):
        try:
            result = read_result(value_of(record))
        except UnreadableRecord:  # another program's record, or a newer version's
            search.unread_results += 1
            continue
        search.result(result, timestamp_of(record) / 1000)


def _read_invitations(access: Access, reader: Consumer, search: Search) -> None:
    """Read all lanes' topics, also of lanes that left the config, and the delay topics."""
    prefixes = access.topics.invitations(""), access.topics.delayed("")
    names = [name for name in topic_names(access.admin) if name.startswith(prefixes)]
    for record in access.everything(reader, names):
        try:
            search.invitation(value_of(record))
        except UnreadableRecord:
            search.unread_invitations += 1
