"""Configs that a world's fleet goes over to and comes back from, and what each of them changes.

A change is made to the whole document, so that it is loaded and checked as an operator's would be.
"""

from __future__ import annotations

from typing import Any

from tests.simulation.world import partly
from tests.simulation.world.contacts import rotated

Document = dict[str, Any]

MOVED = "pisano-b"
"""The account of campaign `b`."""

STAYS = frozenset({"quota"})
"""Changes that are not taken back: what waits for the former lane must find its new one."""

CHANGES = ("channel", "campaign_gone", "input_gone", "quota")


def accepts_in_part(document: Document) -> Document:
    """The document with an account of campaign `b` whose vendor accepts a call in part."""
    document["vendors"][MOVED] = {
        "type": "http_batch",
        "base_url": "https://partly.example",
        "quota": document["vendors"][MOVED]["quota"],
        "path": "/{campaign}/invitations",
        "addresses": ["phone", "email"],
        "body": {"people": "$recipients"},
        "recipient": {"mobile": "$phone", "mail": "$email"},
        "code": "errors[0].code",
        "bad_recipient": {"code": [partly.BAD]},
        "campaign_error": {"code": [partly.NO_CAMPAIGN]},
    }
    return document


def changed(document: Document, change: str | None) -> Document:
    """The document after a change; the same one without any."""
    if change == "channel":
        document["campaigns"]["b"]["channel"] = "email"
    elif change == "campaign_gone":
        del document["campaigns"]["b"]
        document["routes"] = [route for route in document["routes"] if route["send"] != ["b"]]
    elif change == "input_gone":
        del document["inputs"]["crm"]
        document["routes"] = [route for route in document["routes"] if route["input"] != "crm"]
    elif change == "quota":
        document["quotas"]["spare"] = document["quotas"]["cloud"]
        document["vendors"][MOVED]["quota"] = "spare"
    elif change == "rotate":
        return rotated(document)
    return document
