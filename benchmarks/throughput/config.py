"""The dispatcher's config for the common workload."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from consumer.config.models import Config
from tests.support.dispatcher import command

CAMPAIGN = "c1"


def document(
    name: str, bootstrap: str, url: str, source: str, *, campaigns: int = 1, routes: int = 0
) -> dict[str, Any]:
    """Return a config with one lane without limits; by default a route for each campaign.

    Several routes share the events by `store.id`: S0, S1, …; the campaigns take turns.
    """
    names = [f"c{number + 1}" for number in range(campaigns)]
    routes = routes or campaigns
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
            campaign: {"vendor": "sink", "channel": "sms", "id": campaign} for campaign in names
        },
        "inputs": {"pos": {"topics": [source], "format": "json"}},
        "routes": [
            _route(number, names[number % campaigns], match_store=routes > 1)
            for number in range(routes)
        ],
        "admin": {"host": "127.0.0.1", "port": "${env:ADMIN_PORT:-0}"},
    }


def _route(number: int, campaign: str, *, match_store: bool) -> dict[str, Any]:
    match: dict[str, Any] = {
        "channel": "pos",
        "amount": [{"numeric": [">", 10]}],
        "customer": {"phone": [{"exists": True}]},
    }
    if match_store:
        match["store"] = {"id": [f"S{number}"]}
    return {
        "name": f"route-{number}",
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


def in_process(*, campaigns: int = 1, routes: int = 0) -> Config:
    """Return a config for a router and a lane of this process, without reading YAML."""
    made = in_process_document(campaigns=campaigns, routes=routes)
    return Config.model_validate_json(json.dumps(made))


def in_process_document(*, campaigns: int = 1, routes: int = 0) -> dict[str, Any]:
    """Return the document of `in_process`."""
    made = document(
        "bench", "127.0.0.1:1", "http://127.0.0.1:1", "tx", campaigns=campaigns, routes=routes
    )
    made["admin"]["port"] = 0
    return made
