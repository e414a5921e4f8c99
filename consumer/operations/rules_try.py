"""`rules try`: the recorded results of an application under the contact rules of a config."""

from __future__ import annotations

from consumer.contacts.changes import change_of_result
from consumer.contacts.trial import ASKED, BY_CONTACT_RULES, Recorded, Trial, try_rules
from consumer.errors import UnreadableRecord
from consumer.kafka.records.messages import timestamp_of, value_of
from consumer.operations.access import Access
from consumer.records.readers import read_result
from consumer.routing.decoding.times import TimeReader
from consumer.wiring.contacts import build_contact_rules, counted_names, route_contacts


def rules_try(access: Access, since: float) -> tuple[Trial, int]:
    """Read all results, and return what the config's rules would have done since then; and how
    many results could not be read."""
    names, times = counted_names(route_contacts(access.config)), TimeReader()
    found, unread = list[Recorded](), 0
    with access.reader() as reader:
        for record in access.everything(reader, [access.topics.results]):
            try:
                result = read_result(value_of(record))
            except UnreadableRecord:
                unread += 1
                continue
            asked = result["status"] in ASKED
            change = change_of_result(result, max(0, timestamp_of(record)) / 1000, names, times)
            if change is not None and (asked or result["reason"] in BY_CONTACT_RULES):
                found.append(Recorded(change.at, change.request, asked))
    found.sort(key=lambda recorded: recorded.at)
    return try_rules(found, build_contact_rules(access.config), since), unread
