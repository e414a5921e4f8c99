"""Builds a trial call for every account and campaign: an error here would hit every customer.

Made-up invitations with all that a campaign may carry are built into the vendor's call. Nothing is
sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from consumer.config.document import Path, Source, Tree, leaves
from consumer.config.models import Config
from consumer.config.sections import Campaign
from consumer.errors import Problem
from consumer.records.call import Call
from consumer.records.channel import ChannelSpec
from consumer.records.invitation import (
    INVITATION_VERSION,
    Address,
    Data,
    Invitation,
    decode_call_parts,
    encode_invitation,
)
from consumer.vendors.protocol import Vendor, login_vendor
from consumer.vendors.registry import VENDORS

_ADDRESSES: Final[tuple[Address, ...]] = (
    {"phone": "+905321234567", "email": "ada@example.com"},
    {"phone": "+905321234568", "email": "grace@example.com"},
)
MOST_URL: Final = 4000
"""Characters of a call's URL, at most: servers refuse longer ones, all beyond eight thousand."""

_WHY_LONG: Final = "or shorten `base_url` or `path` of its vendor"
_VALUE: Final = "Ada \"'\\ \u011f\u00fc\U0001f600"


def trial_problems(config: Config, source: Source) -> tuple[list[Problem], list[Problem]]:
    """Return problems of calls that cannot be built, and warnings of wrong URLs."""
    problems: list[Problem] = []
    twice: dict[tuple[str, str], str] = {}
    accounts = _accounts(config, source, problems)
    for name, campaign in config.called.items():
        if (vendor := accounts.get(campaign.vendor)) is None:
            continue
        base = config.vendors[campaign.vendor].base_url
        try:
            calls = list(_calls(vendor, campaign))
        except Exception as error:  # noqa: BLE001 - any of it would be raised for every customer
            problems.append(_unbuilt(source, config, name, error))
            continue
        calls = [call for call in calls if call.url is None]
        longest = max(len(base + call.path) for call in calls)
        if longest > MOST_URL:
            message = f"makes a URL of {longest} characters, expected at most {MOST_URL}"
            problems.append(source.problem(("campaigns", name, "id"), message, _WHY_LONG))
            continue
        for call in calls:
            steps = _twice(base, call.path)
            if steps is not None:
                twice.setdefault((campaign.vendor, steps), call.path)
    warnings = [
        source.problem(
            ("vendors", vendor, "base_url"),
            f"ends in {steps}, with which the path of a call begins: {path}",
            f"leave {steps} out",
        )
        for (vendor, steps), path in twice.items()
    ]
    return problems, warnings


def _accounts(config: Config, source: Source, problems: list[Problem]) -> dict[str, Vendor]:
    made = {}
    for name, account in config.vendors.items():
        try:
            made[name] = VENDORS[account.type](account)
        except Exception as error:  # noqa: BLE001 - any of it would end the process
            # Without the error's own words, which may repeat a secret.
            message = f"cannot be used: {type(error).__name__}"
            problems.append(source.problem(("vendors", name), message))
    return made


def _calls(vendor: Vendor, campaign: Campaign) -> Iterator[Call]:
    spec = vendor.spec(campaign.channel)
    made = (_invitation(spec, number) for number in range(len(_ADDRESSES)))
    invitations = [decode_call_parts(encode_invitation(invitation)) for invitation in made]
    login = login_vendor(vendor)
    token = None if login is None else "token"
    yield vendor.build(campaign, invitations[: spec.most or None], token)
    yield vendor.build(campaign, invitations[:1], token)
    if login is not None:
        yield login.login()


def _invitation(spec: ChannelSpec, number: int) -> Invitation:
    """Make an invitation with all that the channel carries.

    A name that takes both kinds has a map in even invitations and a text in odd ones."""
    maps = spec.maps if number % 2 == 0 else spec.maps - spec.fields
    data: Data = dict.fromkeys(sorted(spec.fields), _VALUE)
    for name in sorted(maps):
        data[name] = {"name": _VALUE, _VALUE: ""}
    return {
        "version": INVITATION_VERSION,
        "id": f"{number:032x}",
        "event_id": "trial",
        "event_time": "2026-01-31T08:00:00.000Z",
        "routed_at": "2026-01-31T08:00:00.000Z",
        "expires_at": None,
        "route": "trial",
        "campaign": "trial",
        "pseudonym": "trial",
        "address": {kind: _ADDRESSES[number][kind] for kind in spec.addresses},  # type: ignore[typeddict-item]  # its keys
        "data": data,
        "config_version": "trial",
        "source": {"topic": "trial", "partition": 0, "offset": number},
    }


def _unbuilt(source: Source, config: Config, campaign: str, error: Exception) -> Problem:
    vendor = config.campaigns[campaign].vendor
    message = f"a call of campaign '{campaign}' cannot be made of this: {type(error).__name__}"
    for key in ("recipient", "body"):
        path: Path = ("vendors", vendor, key)
        if (number := _large(source.at(path), path)) is not None:
            return source.problem(number, message, "a number beyond 64 bits stands in quotes")
    return source.problem(("vendors", vendor), message, "see the account's own keys")


def _large(tree: Tree, path: Path) -> Path | None:
    """Return the path of a template's number that no JSON writer takes, or None."""
    numbers = ((at, value) for at, value in leaves(tree, path) if isinstance(value, int))
    return next((at for at, value in numbers if not -(2**63) <= value < 2**64), None)


def _twice(base: str, path: str) -> str | None:
    """Return the steps that end a base URL and begin a call's path, None if there are none."""
    host_and_steps = base.partition("://")[2].lower().split("/")
    steps = path.lower().partition("?")[0].strip("/").split("/")
    ending = host_and_steps[1:]
    for length in range(min(len(ending), len(steps)), 0, -1):
        if ending[-length:] == steps[:length]:
            return "/" + "/".join(steps[:length])
    return None
