"""One row for each vendor module: what the contract suite must know to try it.

A new vendor is tried by all of the suite once it has a row here (docs/add-a-vendor.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from consumer.config.sections import Campaign
from consumer.records.call import Call, Verdict
from consumer.records.channel import Channel
from consumer.records.invitation import Data, Invitation
from consumer.sandbox import settings as sandbox
from consumer.vendors.protocol import Vendor
from consumer.vendors.registry import VENDORS
from tests.support.lanes import parts

PHONES = ("+905551234567", "+905551234568", "+905551234569")
SMS_CAMPAIGN = sandbox.SAMPLE_CAMPAIGNS[0].id
LOCATION, (POINT,) = next(iter(sandbox.SAMPLE_PROGRAMME.locations.items()))


@dataclass(frozen=True)
class Row:
    """A vendor's account at the double, a campaign of it, and answers of the documented forms.

    `secrets` may stand in no outcome. `accepts` and `refuses` are answers' bodies; `unclear` is
    what a 200 with a page means.
    """

    entry: Mapping[str, Any]
    campaign: Campaign
    data: Data
    secrets: tuple[str, ...]
    accepts: bytes
    refuses: bytes
    unclear: Verdict

    def vendor(self, base_url: str) -> Vendor:
        """The module, with its account there."""
        entry = {**self.entry, "base_url": base_url, "quota": "q"}
        kind = VENDORS[entry["type"]]
        return kind(kind.Account.model_validate_json(orjson.dumps(entry)))

    def call(self, vendor: Vendor, token: str | None, *phones: str) -> Call:
        """A call for these customers, or for three."""
        many = [parts(invitation(phone, self.data)) for phone in phones or PHONES]
        return vendor.build(self.campaign, many, token)


def invitation(phone: str, data: Data) -> Invitation:
    """Of the customer with this number."""
    return {
        "version": 1,
        "id": f"i{phone}",
        "event_id": "e",
        "event_time": "2026-11-22T10:00:00.000Z",
        "routed_at": "2026-11-22T10:00:01.000Z",
        "expires_at": None,
        "route": "r",
        "campaign": "c",
        "pseudonym": f"k1:{phone}",
        "address": {"phone": phone},
        "data": data,
        "config_version": "v",
        "source": {"topic": "t", "partition": 0, "offset": 0},
    }


ROWS: Mapping[str, Row] = {
    "pisano": Row(
        {"type": "pisano", "token": sandbox.SAMPLE_TOKEN},
        Campaign(vendor="v", channel=Channel.SMS, id=SMS_CAMPAIGN),
        {"custom_attributes": {"name": "Ada"}, "built_in_responses": {"Segment": "gold"}},
        (sandbox.SAMPLE_TOKEN,),
        accepts=b'{"status":"ok"}',
        refuses=b'{"status":"bad_request","code":13028,"message":"Invalid parameters"}',
        unclear=Verdict.IN_DOUBT,
    ),
    "customer_radar": Row(
        {
            "type": "customer_radar",
            "username": sandbox.SandboxSettings().radar_username,
            "password": sandbox.SAMPLE_PASSWORD,
            "client": sandbox.SandboxSettings().radar_client,
        },
        Campaign(vendor="v", channel=Channel.INVITATION, id=sandbox.SAMPLE_PROGRAMME.id),
        {"locationDisplayId": LOCATION, "pomDisplayId": POINT, "metadata": {"invoice_no": "7"}},
        (sandbox.SAMPLE_PASSWORD,),
        accepts=b'{"code":"00000","description":"success","data":"846673197418938368"}',
        refuses=b'{"code":"40000","description":"An entry cannot be sent."}',
        unclear=Verdict.IN_DOUBT,
    ),
    # Another survey vendor without code: here, Pisano's SMS sharing as a config would write it.
    "http_batch": Row(
        {
            "type": "http_batch",
            "token": sandbox.SAMPLE_TOKEN,
            "headers": {"Authorization": "Token token={token}"},
            "path": "/v1/sms_campaigns/{campaign}/sms_sharings",
            "addresses": ["phone"],
            "body": {"phone_numbers": "$recipients"},
            "recipient": "$phone",
            "code": "code",
            "bad_recipient": {"code": ["13028", "13038"]},
            "campaign_error": {"code": ["13002", "13035"]},
            "credentials": {"code": ["13030", "13032"]},
            "trouble": {"code": ["13000"]},
        },
        Campaign(vendor="v", channel=Channel.SMS, id=SMS_CAMPAIGN),
        {},
        (sandbox.SAMPLE_TOKEN,),
        accepts=b"{}",
        refuses=b'{"code":13028,"message":"Invalid parameters"}',
        unclear=Verdict.IN_DOUBT,
    ),
}
