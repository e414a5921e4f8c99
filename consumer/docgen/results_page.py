"""The page of statuses and reasons, for people."""

from __future__ import annotations

from typing import Final

from consumer.docgen.parts import GENERATED
from consumer.docgen.records import STATUSES, reasons_of
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.result import Status

_PAGE: Final = """\
<!-- {generated} -->
# Results and dead letters

Every invitation ends in exactly one record on `<application_id>.results`, keyed by the event's id:
its `status` says how it ended, its `reason` why. Both lists are closed. All keys are in
[result.schema.json](../schemas/result.schema.json).

| status | meaning |
|---|---|
{statuses}

| status | reason | meaning |
|---|---|---|
{reasons}

## Dead letters

A record that cannot be read goes to `<application_id>.dead-letters` as it came, with headers that
begin with `dead_letter.` behind its own. `survey-dispatcher dlq` lists, explains and replays them.
A record with the header `dead_letter.replayed` alone is no dead letter: it marks that the one it
names was replayed. What Kafka could not take (over 16 MiB) goes without its largest parts (value,
key, headers): `dead_letter.value_bytes`, `dead_letter.value_sha256` and the like say what is
missing. `dead_letter.unreadable` counts headers whose names are no UTF-8: the Kafka client cannot
read them, and the others are kept. All headers are in
[dead-letter.schema.json](../schemas/dead-letter.schema.json); `dead_letter.reason` is one of:

| reason | meaning |
|---|---|
{dead_letters}
"""


def _told(status: Status) -> str:
    return STATUSES[status] + ("" if reasons_of(status) else " No rule of this version does.")


def text() -> str:
    """Return the page in Markdown; its links start in the folder `docs`."""
    reasons = [each for status in Status for each in reasons_of(status)]
    return _PAGE.format(
        generated=GENERATED,
        statuses="\n".join(f"| `{each}` | {_told(each)} |" for each in Status),
        reasons="\n".join(f"| `{each.status}` | `{each}` | {each.meaning} |" for each in reasons),
        dead_letters="\n".join(f"| `{each}` | {each.meaning} |" for each in DeadLetterReason),
    )
