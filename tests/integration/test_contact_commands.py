"""`suppress`, `forget` and `contacts` on a real Kafka."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.test_contact_rules import results
from tests.integration.test_feeds import (
    ACCEPTED,
    NEW_KEY,
    OLD_KEY,
    OPTED_OUT,
    FeedWorld,
    outcome,
    phone,
    start,
    world,
)
from tests.integration.test_operations import operate
from tests.support.dispatcher import until

__all__ = ["world"]


def test_an_operator_suppresses_shows_and_forgets_a_person(
    world: FeedWorld,
    tmp_path: Path,
) -> None:
    """What is forgotten may be asked again; an opt-out stays."""
    rules = {"once": {"at_most": 1, "within": "30d"}}
    config = world.configure({"suppressions": world.suppressions}, contact_rules=rules)
    world.world.create_topics(config)
    dispatcher = start(world, config)
    said = operate(config, "suppress", "add", typed=f"{phone(1)}\n")
    assert "within seconds" in said
    until("it is obeyed", lambda: world.visited(1) == [OPTED_OUT])
    assert world.visited(2) == [ACCEPTED]
    assert world.visited(2) == [("suppressed", "contact_limit")]
    for customer in (1, 2):
        operate(config, "forget", "--yes", typed=f"{phone(customer)}\n")
    until("it is forgotten", lambda: world.visited(2) == [ACCEPTED])
    assert world.visited(1) == [OPTED_OUT]
    shown = json.loads(operate(config, "contacts", "show", "--json", typed=f"{phone(2)}\n"))
    assert {row["what"] for row in shown} >= {"erased", "accepted (accepted)"}
    assert phone(2) not in json.dumps(shown)
    assert operate(config, "suppress", "remove", typed=phone(3)).startswith("refused: nothing")
    operate(config, "suppress", "remove", typed=phone(1))
    until("it is allowed", lambda: world.visited(1) != [OPTED_OUT])
    people = tmp_path / "people.txt"
    people.write_text(f"{phone(7)}\n\n{phone(8)}\n")
    operate(config, "suppress", "import", str(people), "--scope", "sms", "--yes")
    until("they are obeyed", lambda: world.visited(7, 8) == [OPTED_OUT, OPTED_OUT])
    listed = json.loads(operate(config, "suppress", "list", "--json"))
    assert sum(row["of"] == "sms" for row in listed) == 2
    assert dispatcher.terminate() == 0
    assert "emptied" in operate(config, "contacts", "rebuild", "--yes")
    stored = json.loads(operate(config, "contacts", "show", "--store", "--json", typed=phone(2)))
    assert stored == []
    dispatcher = start(world, config, begin=None)
    assert world.visited(7, 2) == [OPTED_OUT, ("suppressed", "contact_limit")]
    assert dispatcher.terminate() == 0


def test_a_rekeyed_person_stands_under_the_new_key_alone(
    world: FeedWorld,
) -> None:
    feeds = {"suppressions": world.suppressions}
    config = world.configure(feeds, pseudonym={"key_id": "k1", "key": OLD_KEY})
    world.world.create_topics(config)
    operate(config, "suppress", "add", typed=phone(1))
    both = {"key_id": "k2", "key": NEW_KEY, "previous": [{"key_id": "k1", "key": OLD_KEY}]}
    config = world.configure(feeds, pseudonym=both)
    said = operate(config, "contacts", "rekey", "--yes", typed=phone(1))
    assert "1 identities, 1 records" in said
    config = world.configure(feeds, pseudonym={"key_id": "k2", "key": NEW_KEY})
    assert "NOT IN THE CONFIG" in operate(config, "contacts", "rekey")
    dispatcher = start(world, config)
    assert world.visited(1, 2) == [OPTED_OUT, ACCEPTED]
    assert {outcome(one) for one in results(world.world)} == {OPTED_OUT, ACCEPTED}
    assert dispatcher.terminate() == 0
