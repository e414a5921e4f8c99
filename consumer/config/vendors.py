"""Cross checks of a vendor's account: what its rules cannot mean."""

from __future__ import annotations

from typing import Final

from consumer.config.findings import Findings
from consumer.vendors.http_rules import BY_RULE

_IN_DOUBT: Final = "with a 2xx these codes end `unknown`: some of the call may have been invited"
_WAYS: Final = (
    "name the status of such a refusal as well, as in status: [422]; or, if such a 2xx invites "
    "nobody, the codes of a success: success: {code: [...]}"
)


def check_vendor(findings: Findings, vendor: str) -> None:
    """Add to `findings` what does not fit together within the account."""
    findings.refers(("vendors", vendor, "quota"), "quotas")
    if findings.text("vendors", vendor, "type") == "http_batch":
        _codes_of_success(findings, vendor)


def _codes_of_success(findings: Findings, vendor: str) -> None:
    """A rule's code may come with a success for the rest of the call.

    Not where `success` names codes of its own, nor where the rule says which refusal it has.
    """
    if any(findings.texts("vendors", vendor, "success", "code")):
        return
    for rule in BY_RULE:
        path = ("vendors", vendor, rule, "code")
        if any(findings.texts(*path)) and not findings.at("vendors", vendor, rule, "status"):
            findings.warn(path, _IN_DOUBT, _WAYS)
