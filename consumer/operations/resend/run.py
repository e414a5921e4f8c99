"""`resend`: find the chosen invitations, show them, and write all of them in one transaction.

Sending twice is impossible: the command first fences every other run of itself, which ends their
open transactions, then reads all records ever written, and only then decides. A fenced run cannot
commit any more.
"""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import Consumer, Producer

from consumer.errors import OperationError, UnreadableRecord
from consumer.kafka import transactions
from consumer.kafka.queries import topic_names
from consumer.kafka.records.messages import timestamp_of, value_of
from consumer.operations.access import Access
from consumer.operations.resend.selection import Choice, Plan, Search
from consumer.records.readers import read_result

NAME = "resend"


def send_again(
    access: Access, choice: Choice, show: Callable[[Plan], None], confirm: Callable[[Plan], bool]
) -> int:
    """Send again and return how many; `confirm` is only asked if there are any. Raises
    KafkaSessionError."""
    producer = access.fenced(NAME)
    plan = look(access, choice)
    show(plan)
    if not plan.again or not confirm(plan):
        return 0
    write(access, producer, plan)
    return len(plan.again)


def look(access: Access, choice: Choice) -> Plan:
    """Return what would be sent again, and what not. Raises KafkaSessionError.

    Raises OperationError for a name that neither the config nor a result has.
    """
    search = Search(choice)
    with access.reader() as reader:
        _read_results(access, reader, search)
        routes = (route.name for route in access.config.routes)
        if unknown := search.unknown(access.config.campaigns, routes):
            raise OperationError("; ".join(unknown))
        _read_invitations(access, reader, search)
    config = access.config
    lanes = {name: config.lane_of(name) for name in config.called}
    expiry = {route.name: route.policy.expire_after for route in config.routes}
    return search.plan(lanes, expiry, config.config_version, access.now())


def write(access: Access, producer: Producer, plan: Plan) -> None:
    """Write all in one transaction. Raises KafkaSessionError."""
    with access.transaction(producer, "sending again"):
        for each in plan.again:
            topic = access.topics.invitations(each.lane)
            key = each.invitation["pseudonym"]
            transactions.produce(producer, topic, each.value, key=key, partition=0)


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
