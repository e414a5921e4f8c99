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
    campaigns, programmes = [*base.campaigns], [*base.radar_programmes]
    users = dict(base.radar_users)
    for campaign in config.called.values():
        account = config.vendors[campaign.vendor]
        if isinstance(account, PisanoAccount):
            campaigns.append(_pisano_campaign(campaign, account))
        elif isinstance(account, CustomerRadarAccount):
            programmes.append(_radar_programme(campaign, account))
            users[account.username] = account.password.get_secret_value()
    own = {name: getattr(base, name) for name in Account.model_fields}
    added = {"campaigns": campaigns, "radar_programmes": programmes, "radar_users": users}
    return Account.model_validate(own | added)


def unknown_to_the_double(config: Config) -> list[str]:
    """List the names of campaigns whose vendor has no double."""
    doubled = (PisanoAccount, CustomerRadarAccount)
    return [
        name
        for name, campaign in config.called.items()
        if not isinstance(config.vendors[campaign.vendor], doubled)
    ]


def _pisano_campaign(campaign: Campaign, account: PisanoAccount) -> PisanoCampaign:
    token = account.token.get_secret_value()
    return PisanoCampaign(
        id=campaign.id,
        channel=cast("Literal['sms', 'email', 'push']", campaign.channel.value),
        authorization=account.authorization.replace("{token}", token),
        trailing_slash=account.trailing_slash,
    )


def _radar_programme(campaign: Campaign, account: CustomerRadarAccount) -> RadarProgramme:
    return RadarProgramme(
        id=campaign.id,
        client=account.client,
        locations={name: list(points) for name, points in account.points_of_measure.items()},
        any_location=True,
    )
