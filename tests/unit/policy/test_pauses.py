"""What an operator paused by command, and whether it holds an invitation back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.pauses import Pauses
from consumer.records.pause import Pausable, PauseKind

NAMES = st.sampled_from(["a", "b", "c"])
THINGS = st.builds(Pausable, st.sampled_from(PauseKind), NAMES)


@given(st.lists(THINGS), NAMES, NAMES, NAMES)
def test_an_invitation_is_held_back_exactly_by_what_it_belongs_to(
    paused: list[Pausable], route: str, campaign: str, vendor: str
) -> None:
    found = Pauses.of(paused)
    own = {
        Pausable(PauseKind.ROUTE, route),
        Pausable(PauseKind.CAMPAIGN, campaign),
        Pausable(PauseKind.VENDOR, vendor),
    }
    whole = any(kind is PauseKind.EVERYTHING for kind, _ in paused)
    assert found.holds(route, campaign, vendor) == (whole or not own.isdisjoint(paused))
    without_route = own - {Pausable(PauseKind.ROUTE, route)}
    assert found.holds_campaign(campaign, vendor) == (whole or not without_route.isdisjoint(paused))
    assert bool(found) == bool(paused)


@given(st.sampled_from([kind for kind in PauseKind if kind is not PauseKind.EVERYTHING]), NAMES)
def test_a_key_names_what_is_paused(kind: PauseKind, name: str) -> None:
    thing = Pausable(kind, name)
    assert Pausable.from_key(thing.key) == thing
    assert thing.text == f"{kind} {name}"


def test_everything_has_no_name() -> None:
    everything = Pausable(PauseKind.EVERYTHING)
    assert (everything.key, everything.text) == ("everything|", "everything")
    assert Pausable.from_key("everything|") == everything


def test_any_other_key_names_nothing() -> None:
    for key in ("", "route", "route|", "everything", "everything|x", "lane|a", "|a", "route|a b"):
        assert Pausable.from_key(key) is None
