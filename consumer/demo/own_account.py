"""Derives from a routing config the accounts that the vendors' double needs to accept its calls.

The double shares no code with the dispatcher; this is the only module that imports both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, cast
from urllib.parse import parse_qsl, urlsplit

from consumer.config.models import Config
from consumer.config.sections import Campaign
from consumer.routing.expressions import plain_path
from consumer.sandbox.settings import (
    Account,
    BatchAccount,
    BatchAnswer,
    BatchFailures,
    BatchLogin,
    PisanoCampaign,
    PisanoChannel,
    Quota,
    RadarProgramme,
)
from consumer.vendors.client_credentials import ClientCredentials, login_call
from consumer.vendors.customer_radar import CustomerRadarAccount
from consumer.vendors.http_batch.account import HttpBatchAccount
from consumer.vendors.http_batch.answer_rules import Rule
from consumer.vendors.http_batch.http_batch import call_headers
from consumer.vendors.pisano import PisanoAccount

_MULTI_STATUS: Final = 207


def account_of(config: Config, base: Account) -> Account:
    """Return `base` with a config's campaigns, programmes, credentials and limits added to its own.

    The limits are counted in the strictest way: all calls within any period.
    """
    campaigns, programmes = [*base.campaigns], [*base.radar_programmes]
    users, user_quotas = dict(base.radar_users), dict(base.radar_user_quotas)
    for campaign in config.called.values():
        account = config.vendors[campaign.vendor]
        if isinstance(account, PisanoAccount):
            campaigns.append(_pisano_campaign(campaign, account))
        elif isinstance(account, CustomerRadarAccount):
            programmes.append(_radar_programme(campaign, account))
            users[account.username] = account.password.get_secret_value()
            user_quotas[account.username] = account.quota
    own = {name: getattr(base, name) for name in Account.model_fields}
    added = {
        "campaigns": campaigns,
        "radar_programmes": programmes,
        "radar_users": users,
        "radar_user_quotas": user_quotas,
        "batch_accounts": [*base.batch_accounts, *_batch_accounts(config)],
        "quotas": base.quotas | _quotas(config),
    }
    return Account.model_validate(own | added)


def unknown_to_the_double(config: Config) -> dict[str, str]:
    """Return campaign → why the double cannot answer its calls, for those that it cannot."""
    return {
        name: why
        for name, campaign in config.called.items()
        if (why := _why_unknown(config, campaign)) is not None
    }


def _why_unknown(config: Config, campaign: Campaign) -> str | None:
    account = config.vendors[campaign.vendor]
    if isinstance(account, HttpBatchAccount):
        plain = not account.success.code or _keys(account.code)
        return None if plain else f"`code` of vendor {campaign.vendor} is no plain path of keys"
    doubled = isinstance(account, PisanoAccount | CustomerRadarAccount)
    return None if doubled else f"there is no double of {account.type}"


def _quotas(config: Config) -> dict[str, Quota]:
    return {
        name: Quota(
            limits=[f"{limit.calls}/{limit.period:.6f}s" for limit in quota.limits],
            algorithm="sliding",
        )
        for name, quota in config.quotas.items()
    }


def _pisano_campaign(campaign: Campaign, account: PisanoAccount) -> PisanoCampaign:
    token = account.token.get_secret_value()
    return PisanoCampaign(
        id=campaign.id,
        channel=cast("PisanoChannel", campaign.channel.value),
        authorization=account.authorization.replace("{token}", token),
        trailing_slash=account.trailing_slash,
        quota=account.quota,
    )


def _radar_programme(campaign: Campaign, account: CustomerRadarAccount) -> RadarProgramme:
    return RadarProgramme(
        id=campaign.id,
        client=account.client,
        locations={name: list(points) for name, points in account.points_of_measure.items()},
        any_location=True,
        quota=account.quota,
    )


def _batch_accounts(config: Config) -> Iterator[BatchAccount]:
    for name, account in config.vendors.items():
        if isinstance(account, HttpBatchAccount):
            ids = [one.id for one in config.called.values() if one.vendor == name]
            yield _batch_account(account, list(dict.fromkeys(ids)))


def _batch_account(account: HttpBatchAccount, campaigns: list[str]) -> BatchAccount:
    success = account.success
    headers = call_headers(account)
    secret = [name for name, text in account.headers.items() if "{token}" in text]
    return BatchAccount(
        method=account.method,
        encoding=account.encoding,
        path=account.path,
        base_path=urlsplit(account.base_url).path,
        headers=headers,
        private_headers=[*secret, "Authorization"],
        other_headers=[account.idempotency_key] if account.idempotency_key else [],
        login=_login(account.oauth) if account.oauth else None,
        body=account.body,
        recipient=account.recipient,
        campaigns=campaigns,
        quota=account.quota,
        code_at=_keys(account.code),
        reference_at=_keys(account.reference),
        success=BatchAnswer(status=success.status[0], code=next(iter(success.code), None)),
        bad_recipient=_refusal(account.bad_recipient, 422),
        campaign_error=_refusal(account.campaign_error, 404),
        credentials=_refusal(account.credentials, 401),
        failures=_failures(account),
    )


def _failures(account: HttpBatchAccount) -> BatchFailures | None:
    """Return how the double lists failures; None where only an expression finds them."""
    rule = account.failed_entries
    listed = _keys(rule.list.removesuffix("[*]").removesuffix("[]")) if rule else []
    if rule is None or not listed:
        return None
    named: dict[Literal["index", "address", "id"], str | None] = {
        "index": rule.index,
        "address": rule.address,
        "id": rule.id,
    }
    by, expression = next((by, text) for by, text in named.items() if text is not None)
    if not (name_at := _keys(expression)):
        return None
    statuses = account.success.status
    return BatchFailures(
        status=_MULTI_STATUS if _MULTI_STATUS in statuses else statuses[0],
        list_at=listed,
        named_by=by,
        name_at=name_at,
        first=rule.first,
        code_at=_keys(rule.code),
        code=next(iter(account.bad_recipient.code), "E1"),
    )


def _login(oauth: ClientCredentials) -> BatchLogin:
    asked = login_call(oauth)
    return BatchLogin(
        path=urlsplit(oauth.token_url).path,
        fields=dict(parse_qsl(asked.body.decode())),
        authorization=asked.headers.get("Authorization"),
    )


def _refusal(rule: Rule, usual: int) -> BatchAnswer:
    """Return an answer that the rule reads as it is meant: by its status, else by its code."""
    if rule.status:
        return BatchAnswer(status=rule.status[0])
    code = next(iter(rule.code), None)
    return BatchAnswer(status=usual if code is None else 400, code=code)


def _keys(expression: str | None) -> list[str]:
    """Return the keys of a plain path, as in `error.code`; none for any other expression."""
    return plain_path(expression) if expression else []
