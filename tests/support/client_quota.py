"""Quotas of a Kafka client, as a cluster's operator sets them (`AlterClientQuotas`)."""

from __future__ import annotations

import subprocess

from tests.support.kafka import BrokerError, KafkaBroker, java


def throttle(broker: KafkaBroker, client_id: str, bytes_a_second: int | None) -> None:
    """Let the client with this `client.id` produce so many bytes a second; None: any number.

    In force when this returns, for the broker measures what comes from then on.
    """
    change = (
        ("--delete-config", "producer_byte_rate")
        if bytes_a_second is None
        else ("--add-config", f"producer_byte_rate={bytes_a_second}")
    )
    entity = ("--entity-type", "clients", "--entity-name", client_id)
    command = java(
        "kafka.admin.ConfigCommand",
        *("--bootstrap-server", broker.bootstrap),
        *("--alter", *change, *entity),
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BrokerError(f"the quota was not set:\n{done.stdout}{done.stderr}")
