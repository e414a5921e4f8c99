"""A vendor that takes `{"numbers": [...]}` and says in a word what it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, SecretStr

from consumer import api

SAYS: Final[Mapping[str, api.Row]] = {
    "taken": api.Row(api.Kind.ACCEPTED, "The vendor took the call."),
    "no-such-survey": api.Row(api.Kind.CAMPAIGN, "The vendor does not know the survey."),
    "bad-number": api.Row(api.Kind.RECIPIENT, "The vendor refuses a number of the call."),
}


class AcmeAccount(api.Account):
    """A config entry of `type: acme`."""

    type: Annotated[Literal["acme"], Field(description="the vendor")]
    key: Annotated[SecretStr, Field(description="the account's key")]


class AcmeVendor:
    """One account."""

    Account: ClassVar[type[api.Account]] = AcmeAccount
    CampaignOptions: ClassVar[type[api.CampaignOptions]] = api.CampaignOptions
    channels: ClassVar[Mapping[api.Channel, api.ChannelSpec]] = {
        api.Channel.SMS: api.ChannelSpec(addresses=("phone",))
    }
    codes: ClassVar[frozenset[str]] = frozenset(SAYS)

    def __init__(self, account: AcmeAccount) -> None:
        self._headers = {
            "X-Acme-Key": account.key.get_secret_value(),
            "Content-Type": "application/json",
        }

    def spec(self, channel: api.Channel) -> api.ChannelSpec:
        """Return the channel's spec, the same for every account."""
        return self.channels[channel]

    def build(
        self, campaign: api.VendorCampaign, invitations: Sequence[api.CallParts], _: str | None
    ) -> api.Call:
        """Build one call with the numbers of all invitations."""
        numbers = api.json_list(one.address["phone"] for one in invitations)
        body = api.named_object({"numbers": numbers})
        return api.Call("POST", f"/surveys/{campaign.id}", self._headers, body)

    def read(self, answer: api.Answer) -> api.Outcome:
        """Read the answer's word; without a known one the status decides."""
        document = api.parse(answer.body)
        said = document.get("said") if isinstance(document, dict) else None
        row = None if api.decided_by_status(answer.status) else SAYS.get(str(said))
        row = row or api.row_of_status(answer.status)
        message = None if row.kind is api.Kind.ACCEPTED else row.meaning
        return api.outcome(answer, row.kind, None, message)
