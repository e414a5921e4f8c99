"""The dispatcher's config for the common workload."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.dispatcher import command

CAMPAIGN = "c1"


def document(
    name: str, bootstrap: str, url: str, source: str, *, campaigns: Sequence[str] = (CAMPAIGN,)
) -> dict[str, Any]:
    """Return a config with one lane without limits, and a route for each campaign.

    Several campaigns share the events by `store.id`: S0, S1, ….
    """
    return {
        "version": 1,
        "application_id": name,
        "kafka": {"bootstrap.servers": bootstrap},
        "pseudonym": {"key_id": "k1", "key": "benchmark-key-0123456789"},
        "quotas": {"sink": {"limits": [], "max_in_flight": 4, "first_start": "unused"}},
        "vendors": {
            "sink": {"type": "pisano", "base_url": url, "token": "benchmark", "quota": "sink"}
        },
        "campaigns": {
            campaign: {"vendor": "sink", "channel": "sms", "id": campaign} for campaign in campaigns
        },
        "inputs": {"pos": {"topics": [source], "format": "json"}},
        "routes": [
            _route(campaign, number if len(campaigns) > 1 else None)
            for number, campaign in enumerate(campaigns)
        ],
        "admin": {"host": "127.0.0.1", "port": "${env:ADMIN_PORT:-0}"},
    }


def _route(campaign: str, store: int | None) -> dict[str, Any]:
    match: dict[str, Any] = {
        "channel": "pos",
        "amount": [{"numeric": [">", 10]}],
        "customer": {"phone": [{"exists": True}]},
    }
    if store is not None:
        match["store"] = {"id": [f"S{store}"]}
    return {
        "name": f"to-{campaign}",
        "input": "pos",
        "match": match,
        "recipient": {"phone": "customer.phone"},
        "phone_region": "TR",
        "send": [campaign],
        "data": {
            "custom_attributes": {
                "name": "customer.name",
                "external_id": "customer.id",
                "email": "customer.email",
            },
            "built_in_responses": {"Segment": "store.id", "Location": "store.city"},
        },
        "policy": {"expire_after": "3650d"},  # the workload's events have a fixed time
    }


def write(folder: Path, config: dict[str, Any]) -> Path:
    """Write the file; the program's topics are made by `create_topics`."""
    path = folder / f"{config['application_id']}.yaml"
    path.write_text(json.dumps(config, indent=2))  # JSON is YAML
    return path


def create_topics(config: Path) -> None:
    """Make the program's own topics, as an operator does."""
    subprocess.run(
        command("topics", "--create", "-c", config), check=True, stdout=subprocess.DEVNULL
    )
