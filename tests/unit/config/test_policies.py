"""The rules before a survey in a config: which forms load, and what is warned of."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from consumer.config import Config, load
from consumer.config.policy_sections import Policy
from consumer.policy.quiet_hours import QuietTime
from tests.unit.config.support import ENV, edited, load_text

POLICY = "policy: {expire_after: 72h}"
SEND = "send: [purchase-sms, purchase-email]"
ZONE = """timezone: ["'Europe/Istanbul'"]"""
NIGHT = QuietTime(dt.time(21), dt.time(9))
NIGHTS = f"{ZONE}, quiet_hours: {{times: [21:00-09:00]}}"
HOLIDAYS = "\ufeff# feast days\r\n2026-12-25\r\n\r\n2027-01-01  # new year\r\n"
FEASTS = frozenset({dt.date(2026, 12, 25), dt.date(2027, 1, 1)})


def with_policy(keys: str, policies: str = "") -> str:
    text = edited(POLICY, f"policy: {{{keys}}}" if ":" in keys else f"policy: {keys}")
    return text + (f"policies: {{standard: {{{policies}}}}}\n" if policies else "")


def policy_of(config: Config) -> Policy:
    """The rules of the first route."""
    return config.policy_of(config.routes[0])


def quiet_times(config: Config) -> tuple[QuietTime, ...]:
    quiet = policy_of(config).quiet_hours
    assert quiet is not None
    return quiet.compiled().times


def warnings(text: str, folder: Path) -> list[str]:
    """Path, message and hint of every warning."""
    found = load_text(text, folder).warnings
    return [str(warning).partition(":")[2].partition(": ")[2] for warning in found]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("21:00-09:00", NIGHT),
        ('"21:00-09:00"', NIGHT),
        ("22:00-24:00", QuietTime(dt.time(22), dt.time())),
        ("{days: [sun], all_day: true}", QuietTime(days=frozenset({6}))),
        (
            "{days: [fri, sat], times: 23:00-10:00}",
            QuietTime(dt.time(23), dt.time(10), frozenset({4, 5})),
        ),
        ("{dates: [2026-12-25, 2027-01-01]}", QuietTime(dates=FEASTS)),
        ('{dates: ["2026-12-25", 2027-01-01], all_day: true}', QuietTime(dates=FEASTS)),
        ("{dates: 2026-12-25}", QuietTime(dates=frozenset({dt.date(2026, 12, 25)}))),
        (
            "{dates: [2026-12-25, 2027-01-01], times: 09:00-12:00}",
            QuietTime(dt.time(9), dt.time(12), dates=FEASTS),
        ),
    ],
)
def test_quiet_times_load_with_and_without_quotes(
    entry: str, expected: QuietTime, tmp_path: Path
) -> None:
    """YAML 1.1 would read 21:00 as 1260, and 2026-12-25 as a date."""
    text = with_policy(f"{ZONE}, send_at: 10:00, quiet_hours: {{times: [{entry}]}}")
    config = load_text(text, tmp_path)
    assert quiet_times(config) == (expected,)
    assert policy_of(config).send_at == "10:00"
    assert config.warnings == ()


@pytest.mark.parametrize("secrets", [True, False])
def test_dates_stand_in_a_file_one_a_line(secrets: bool, tmp_path: Path) -> None:
    """With a byte order mark, comments and empty lines. Without secrets no file is read."""
    (tmp_path / "radar-password").write_text("p")
    (tmp_path / "holidays.txt").write_bytes(HOLIDAYS.encode())
    times = '["21:00-09:00", {dates: "${file:holidays.txt}"}]'
    text = with_policy(f"{ZONE}, quiet_hours: {{times: {times}}}")
    config = load(text, env=ENV, base=tmp_path, secrets=secrets)
    night, feasts = quiet_times(config)
    assert night == NIGHT
    assert (feasts.dates == FEASTS) == secrets
    (tmp_path / "holidays.txt").unlink()
    if not secrets:
        assert load(text, env=ENV, base=tmp_path, secrets=False).warnings == ()


def test_another_holiday_is_another_config(tmp_path: Path) -> None:
    text = with_policy(f'{ZONE}, quiet_hours: {{times: [{{dates: "${{file:days}}"}}]}}')
    versions = set()
    for day in ("2026-12-25", "2026-12-26"):
        (tmp_path / "days").write_text(day)
        versions.add(load_text(text, tmp_path).config_version)
    assert len(versions) == 2


def test_keys_of_a_route_replace_those_of_its_base(tmp_path: Path) -> None:
    base = f"{NIGHTS}, delay: 2h, spread: 30m, consent: {{sms: a, email: b}}"
    own = policy_of(load_text(with_policy("base: standard, delay: 4h", base), tmp_path))
    assert (own.delay, own.spread, own.expire_after) == (4 * 3600.0, 1800.0, 72 * 3600.0)
    assert own.quiet_hours is not None
    replaced = policy_of(
        load_text(with_policy("base: standard, consent: {sms: c}", base), tmp_path)
    )
    assert replaced.consent == {"sms": "c"}
    assert policy_of(load_text(with_policy("standard", base), tmp_path)).delay == 2 * 3600.0


@pytest.mark.parametrize("key", ["quiet_hours", "send_at"])
def test_null_switches_a_rule_of_the_base_off(key: str, tmp_path: Path) -> None:
    """And the zone and the spread that the base has for it are no matter."""
    base = f"{NIGHTS}, spread: 30m" if key == "quiet_hours" else f"{ZONE}, send_at: 10:00"
    config = load_text(with_policy(f"base: standard, {key}: null", base), tmp_path)
    assert getattr(policy_of(config), key) is None
    assert not policy_of(config).needs_zone
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (ZONE, ["timezone: has no effect without quiet_hours or send_at (leave it out)"]),
        ("spread: 30m", ["spread: has no effect without quiet_hours (leave it out)"]),
        (f"{NIGHTS}, spread: 12h", []),
        (f"{NIGHTS}, spread: 13h", ["spread: is longer than what is open: 12h (shorten it)"]),
        (f"{NIGHTS}, expire_after: 13h", []),
        (
            f"{NIGHTS}, delay: 1h, expire_after: 13h",
            [
                (
                    "expire_after: some invitations expire before they are due: 12h are quiet "
                    "(lengthen it, or shorten delay)"
                )
            ],
        ),
        (f"{ZONE}, send_at: 10:00, delay: 47h", []),
        (
            f"{ZONE}, send_at: 10:00, delay: 48h",
            [
                (
                    "send_at: some invitations expire before they are due: it is up to 1d away "
                    "(lengthen expire_after, or shorten delay)"
                )
            ],
        ),
        (f"{NIGHTS}, send_at: 09:00", []),
        (
            f"{NIGHTS}, send_at: 22:00",
            [
                (
                    "send_at: lies in quiet_hours: every invitation is moved to their end "
                    "(choose a time that is open)"
                )
            ],
        ),
        (
            (
                f"{ZONE}, quiet_hours: {{times: [{{days: [mon, tue, wed, thu, fri], "
                "times: 21:00-09:00}, {days: [sat, sun], all_day: true}]}"
            ),
            [
                (
                    "quiet_hours: Monday 00:00-09:00 is not quiet, and 21:00-09:00 is on other "
                    "nights: a time over midnight belongs to the day on which it starts"
                )
            ],
        ),
        ("consent: {sms: a, email: b}", []),
        (
            "consent: {sms: a}",
            ["consent: has no 'email': campaign 'purchase-email' asks for no consent (add it)"],
        ),
    ],
)
def test_rules_that_amount_to_something_odd_are_warned_of(
    keys: str, expected: list[str], tmp_path: Path
) -> None:
    """At the route, or where the policy that it names is written."""
    own = [f"routes[0].policy.{warning}" for warning in expected]
    assert warnings(with_policy(keys), tmp_path) == own
    shared = [f"policies.standard.{warning}" for warning in expected]
    assert warnings(with_policy("standard", keys), tmp_path) == shared


def test_a_policy_that_no_route_uses_is_warned_of(tmp_path: Path) -> None:
    unused = with_policy("delay: 1h", "delay: 2h")
    assert warnings(unused, tmp_path) == ["policies.standard: nothing uses this"]
    assert warnings(with_policy("base: standard", "delay: 2h"), tmp_path) == []


def test_exclusions_that_no_address_can_equal_are_warned_of(tmp_path: Path) -> None:
    exclude = "exclude: {emails: [ourcompany.example, '*@a.example'], phones: ['0532*', '+90*']}"
    assert warnings(edited("admin: {port: 9464}", exclude), tmp_path) == [
        "exclude.emails[0]: is no e-mail address and has no *: no address equals it",
        "exclude.phones[0]: begins with neither + nor *: numbers are compared as in +905321234567",
    ]


def test_testers_without_redirect_are_warned_of(tmp_path: Path) -> None:
    testers = "testers: {phone: '+905321234567', email: ada@example.com}"
    assert warnings(edited(SEND, f"{SEND}\n    {testers}"), tmp_path) == [
        "routes[0].testers: has no effect without mode: redirect (leave it out)"
    ]
    redirected = edited(SEND, f"{SEND}\n    mode: redirect\n    {testers}")
    assert warnings(redirected, tmp_path) == []


LINK = "{vendor: pisano-tr, channel: link, id: a, link: 'https://s.example/{event_id}'}"


@pytest.mark.parametrize(
    ("policy", "route", "place"),
    [
        ("delay: 2h", "", "policy.delay"),
        (f"{ZONE}, send_at: 10:00", "", "policy.send_at"),
        (NIGHTS, "", "policy.quiet_hours"),
        ("expire_after: 72h", "mode: shadow", "mode"),
        ("expire_after: 72h", "paused: true", "paused"),
    ],
)
def test_a_link_obeys_no_rule_about_time(
    policy: str, route: str, place: str, tmp_path: Path
) -> None:
    """It is made when its event is routed."""
    text = with_policy(policy).replace("  visit:", f"  page: {LINK}\n  visit:")
    text = text.replace(SEND, f"send: [purchase-sms, page]\n    {route}".rstrip())
    with pytest.raises(Exception, match="makes a link, at once and without a call") as refused:
        load_text(text, tmp_path)
    assert f"routes[0].{place}: campaign 'page' makes a link" in str(refused.value)


def test_set_times_that_come_after_invitations_expired_are_warned_of(tmp_path: Path) -> None:
    """Over a weekend: each route of the input that has no time for it is named."""
    schedule = "    schedule: {cron: [0 10 * * mon-fri], timezone: Europe/Istanbul}\n"
    weekly = f"{schedule}    routes: first\n"
    (warning,) = warnings(edited("    routes: first\n", weekly), tmp_path)
    assert warning.startswith("inputs.pos.schedule.cron: some invitations of route 'store")
    assert "expire before they are due: set times are up to 3d apart" in warning
    daily = weekly.replace("mon-fri", "*")
    assert warnings(edited("    routes: first\n", daily), tmp_path) == []
