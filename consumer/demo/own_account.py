"""Derives from a routing config the account that the vendors' double needs to accept its calls.

The double shares no code with the dispatcher; this is the only module that imports both.
"""

from __future__ import annotations

from typing import Literal, cast

from consumer.config.models import Config
from consumer.config.sections import Campaign
from consumer.sandbox.settings import Account, PisanoCampaign, RadarProgramme
from consumer.vendors.customer_radar import CustomerRadarAccount
from consumer.vendors.pisano import PisanoAccount


def account_of(config: Config, base: Account) -> Account:
    """Return `base` with the campaigns, programmes and credentials of a config added to its own."""
    pisano = [
        _campaign(campaign, account)
        for campaign, account in _called(config)
        if isinstance(account, PisanoAccount)
    ]
    radar = [
        (campaign, account)
        for campaign, account in _called(config)
        if isinstance(account, CustomerRadarAccount)
    ]
    users = {each.username: each.password.get_secret_value() for _, each in radar}
    own = {name: getattr(base, name) for name in Account.model_fields}
    added = {
        "campaigns": [*base.campaigns, *pisano],
        "radar_programmes": [*base.radar_programmes, *(_programme(*each) for each in radar)],
        "radar_users": base.radar_users | users,
    }
    return Account.model_validate(own | added)


def unknown_to_the_double(config: Config) -> list[str]:
    """List the names of campaigns whose vendor has no double."""
    doubled = (PisanoAccount, CustomerRadarAccount)
    return [
        name
        for name, each in config.campaigns.items()
        if each.channel.called and not isinstance(config.vendors[each.vendor], doubled)
    ]


def _called(config: Config) -> list[tuple[Campaign, object]]:
    """List the campaigns that make calls, with their vendors' accounts."""
    campaigns = config.campaigns.values()
    return [(each, config.vendors[each.vendor]) for each in campaigns if each.channel.called]


def _campaign(campaign: Campaign, account: PisanoAccount) -> PisanoCampaign:
    token = account.token.get_secret_value()
    return PisanoCampaign(
        id=campaign.id,
        channel=cast("Literal['sms', 'email', 'push']", campaign.channel.value),
        authorization=account.authorization.replace("{token}", token),
        trailing_slash=account.trailing_slash,
    )


def _programme(campaign: Campaign, account: CustomerRadarAccount) -> RadarProgramme:
    return RadarProgramme(
        id=campaign.id,
        client=account.client,
        locations={name: list(each) for name, each in account.points_of_measure.items()},
        any_location=True,
    )
