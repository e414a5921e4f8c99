"""What a valid config becomes; secrets; warnings; the config's version."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from consumer.config import load
from consumer.errors import ConfigError
from consumer.lane.state.settings import Limit
from consumer.records.channel import Channel
from consumer.vendors.pisano import Pisano
from tests.unit.config.support import ENV, HERE, SECRETS, VALID, edited, load_text


def test_the_example_config_is_valid_without_its_secrets() -> None:
    config = load(HERE / "example.yaml", secrets=False)
    assert config.kafka == {"bootstrap.servers": "localhost:9092"}
    assert [str(warning).split(": ", 1)[1] for warning in config.warnings] == [
        "campaigns.visit: nothing uses this"
    ]


def test_a_valid_config_is_read_as_written(tmp_path: Path) -> None:
    config = load_text(VALID, tmp_path)
    assert config.warnings == ()
    assert config.quotas["pisano-cloud"].limits == (Limit(20, 5.0), Limit(160, 625.0))
    assert config.campaigns["purchase-sms"].channel is Channel.SMS
    assert config.campaigns["purchase-sms"].window.max_wait == 600.0
    assert config.policy_of(config.routes[0]).expire_after == 259_200.0
    assert config.routes[1].data["metadata"] == {"Basket": "basket.id"}
    account = config.vendors["pisano-tr"]
    assert isinstance(account, Pisano.Account)
    assert account.model_dump()["token"] == SecretStr(ENV["PISANO_TOKEN"])
    assert config.topics.invitations("radar") == "surveys.invitations.radar"
    assert config.topics.checkpoints("radar") == "surveys.checkpoints.radar"
    assert config.topics.results == "surveys.results"
    assert config.topics.dead_letters == "surveys.dead-letters"


def test_defaults_are_the_documented_ones(tmp_path: Path) -> None:
    config = load_text(VALID, tmp_path)
    campaign, quota = config.campaigns["visit"], config.quotas["radar"]
    assert (campaign.in_doubt, campaign.max_attempts, campaign.window.max_batch) == (
        "report",
        5,
        5000,
    )
    assert (quota.share, quota.skew, quota.max_in_flight, quota.linger) == (1.0, 2.0, 16, 1.0)
    assert (quota.first_start, quota.max_buffered, quota.call_timeout) == ("used", 200_000, 30.0)
    assert config.routes[1].match == {}
    assert config.policy_of(config.routes[1]).expire_after == 72 * 3600
    assert (config.inputs["web"].event.id, config.inputs["web"].max_event_bytes) == ("id", 2**20)


def test_a_lane_is_a_quota_that_campaigns_use(tmp_path: Path) -> None:
    spare = edited("  radar: {limits: [1/1s]}", "  spare: {limits: []}\n  radar: {limits: [1/1s]}")
    config = load_text(spare, tmp_path)
    assert config.lanes == ("pisano-cloud", "radar")
    assert config.lane_of("visit") == "radar"
    assert list(config.campaigns_of("pisano-cloud")) == ["purchase-sms", "purchase-email"]
    assert [warning.path for warning in config.warnings] == ["quotas.spare"]


def test_numbers_and_booleans_of_kafka_become_text(tmp_path: Path) -> None:
    text = edited("sasl.password:", "a.number: 5, a.flag: true, sasl.password:")
    assert load_text(text, tmp_path).kafka == {
        "bootstrap.servers": "localhost:9092",
        "a.number": "5",
        "a.flag": "true",
        "sasl.password": ENV["BROKER_PASSWORD"],
    }


def test_no_secret_is_in_what_prints_a_config(tmp_path: Path) -> None:
    config = load_text(VALID, tmp_path)
    assert not any(secret in repr(config) + str(config) for secret in SECRETS)
    dumped = config.model_dump_json(exclude={"kafka"})
    assert not any(secret in dumped for secret in SECRETS)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${env:USER_NAME}", "acme"),
        ("${env:NONE:-fallback}", "fallback"),
        ("${env:NONE:-}", ""),
        ("${env:EMPTY:-fallback}", "fallback"),
        ("a-${env:USER_NAME}-${env:USER_NAME}", "a-acme-acme"),
        ("$${env:USER_NAME}", "${env:USER_NAME}"),
        ("$5 {x}", "$5 {x}"),
        ("${file:name}", "from a file"),
        ("${env:NUMBER}", "12345"),
    ],
)
def test_references_are_replaced_and_stay_text(written: str, value: str, tmp_path: Path) -> None:
    (tmp_path / "name").write_text("from a file\n", encoding="utf-8")
    env = {**ENV, "USER_NAME": "acme", "EMPTY": "", "NUMBER": "12345"}
    text = edited('key: "${env:PSEUDONYM_KEY}"', f'key: "0123456789abcdef{written}"')
    key = load_text(text, tmp_path, env).pseudonym.key.get_secret_value()
    assert key == f"0123456789abcdef{value}"


def test_a_reference_may_stand_for_a_number_or_a_boolean(tmp_path: Path) -> None:
    text = edited("port: 9464", 'port: "${env:PORT:-8080}"').replace(
        "share: 0.9", 'share: "${env:SHARE}"'
    )
    text = text.replace("    type: pisano\n", '    type: pisano\n    allow_http: "${env:HTTP}"\n')
    config = load_text(text, tmp_path, {**ENV, "SHARE": "0.5", "HTTP": "true"})
    assert config.admin.port == 8080
    assert config.quotas["pisano-cloud"].share == 0.5
    assert config.vendors["pisano-tr"].allow_http is True


def test_without_secrets_nothing_is_read_and_the_rest_is_checked() -> None:
    text = edited("port: 9464", 'port: "${env:PORT}"')
    text = text.replace("https://tr.example.test", '"${env:URL}"')
    text = text.replace("in_doubt: report", 'in_doubt: "${env:IN_DOUBT}"')
    text = text.replace("max_wait: 10m", 'max_wait: "${env:WAIT}"')
    text = text.replace("    type: pisano\n", '    type: pisano\n    allow_http: "${env:HTTP}"\n')
    assert load(text, secrets=False, env={}).admin.port == 9464
    with pytest.raises(ConfigError, match="no 'vist' under `campaigns`"):
        load(text.replace("send: [visit]", "send: [vist]"), secrets=False, env={})


def test_a_secret_in_a_wrong_place_is_not_repeated(tmp_path: Path) -> None:
    """Neither by our own sentences nor by those of the pattern and JMESPath compilers."""
    reference = '"${env:PISANO_TOKEN}"'
    text = VALID
    for old in ("send: [visit]", "phone_region: TR", "input: web", "channel: sms", "format: json"):
        key, _, value = old.partition(": ")
        spoilt = f"[{reference}]" if value.startswith("[") else reference
        text = text.replace(f"{old}\n", f"{key}: {spoilt}\n", 1)
    text = text.replace('[{numeric: [">=", 100]}]', f"[{{numeric: [{reference}, 1]}}]")
    text = text.replace("\"'web'\"", '"a b ${env:PISANO_TOKEN}"')
    with pytest.raises(ConfigError) as refused:
        load_text(text, tmp_path)
    assert len(refused.value.problems) >= 6
    assert ENV["PISANO_TOKEN"] not in str(refused.value)
    assert refused.value.__context__ is None


def test_the_version_changes_with_the_rules_only(tmp_path: Path) -> None:
    version = load_text(VALID, tmp_path).config_version
    rotated = {name: f"{value}-rotated" for name, value in ENV.items()}
    commented = "# a comment\n" + VALID.replace("72h", "3d")
    elsewhere = VALID.replace("localhost:9092", "broker:9092")
    assert len(version) == 12
    assert load_text(VALID, tmp_path, rotated).config_version == version
    assert load_text(commented, tmp_path).config_version == version
    assert load_text(elsewhere, tmp_path).config_version == version
    assert load(VALID, secrets=False).config_version == version
    for old, new in (("72h", "71h"), ('numeric: [">=", 100]', 'numeric: [">=", 101]')):
        assert load_text(edited(old, new), tmp_path).config_version != version


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        (
            "expire_after: 72h",
            "expire_after: 10m",
            (
                "50: routes[0].policy.expire_after: an invitation may wait 10m for its call, "
                "and expires first (see campaigns.purchase-sms.window.max_wait)"
            ),
        ),
        (
            "recipient: {phone: customer.phone, email: customer.email}",
            "recipient: {phone: customer.phone}",
            "46: routes[0].send[1]: never chosen (`recipient` lacks email)",
        ),
        (
            "    input: web\n",
            "    input: pos\n",
            "36: inputs.web: nothing uses this",
        ),
    ],
)
def test_what_is_odd_is_a_warning(old: str, new: str, warning: str, tmp_path: Path) -> None:
    shown = [str(each) for each in load_text(edited(old, new), tmp_path).warnings]
    assert f"config.yaml:{warning}" in shown


def test_an_account_may_narrow_what_its_channel_needs(tmp_path: Path) -> None:
    """Customer Radar reaches by e-mail or mobile, unless the account says which."""
    text = edited("username: acme", "username: acme\n    recipient: mobile")
    with pytest.raises(ConfigError, match="they need: phone"):
        load_text(text, tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff", "is not UTF-8 text: save it as UTF-8"),
        ("version: 1\n".encode("utf-16"), "is UTF-16 text: save it as UTF-8"),
        ("version: 1\n".encode("utf-32"), "is UTF-32 text: save it as UTF-8"),
        (
            "version: 1\n".encode("utf-16-le"),
            "holds zero bytes, as UTF-16 text does: save it as UTF-8",
        ),
        (b"#" * (2**20 + 1), "has more than 1048576 bytes"),
    ],
)
def test_an_unreadable_config_is_a_problem(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "routing.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert str(refused.value) == f"{path}:1: (file): {message}"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfhunter2",
        b"hunter2\n",
        b"hunter2\r\n",
        b"\xef\xbb\xbfhunter2\r\n\r\n",
    ],
)
def test_a_byte_order_mark_and_last_line_breaks_are_no_part_of_a_secret(
    content: bytes, tmp_path: Path
) -> None:
    """Windows editors write the one, all others the other; both change every pseudonym."""
    (tmp_path / "secret").write_bytes(content)
    text = edited("${file:radar-password}", "${file:secret}")
    account = load_text(text, tmp_path).vendors["radar"]
    assert account.model_dump()["password"] == SecretStr("hunter2")
    env = {**ENV, "RADAR": content.decode()}
    config = load_text(edited("${file:radar-password}", "${env:RADAR}"), tmp_path, env)
    assert config.vendors["radar"].model_dump()["password"] == SecretStr("hunter2")


@pytest.mark.parametrize("content", [" hunter2", "hunter2 ", "hunt\ner2", "hunt\ufeffer2"])
def test_all_else_is_part_of_a_secret(content: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(content, encoding="utf-8")
    text = edited("${file:radar-password}", "${file:secret}")
    account = load_text(text, tmp_path).vendors["radar"]
    assert account.model_dump()["password"] == SecretStr(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\n", "is empty"),
        (b"", "is empty"),
        (b" \t\n", "is empty"),
        (b"\xef\xbb\xbf\n", "is empty"),
        (b"\xff", "is not UTF-8"),
        ("hunter2".encode("utf-16"), "is UTF-16 text: save it as UTF-8"),
        ("hunter2".encode("utf-16-be"), "holds zero bytes"),
        (b"hunter2\0", "holds zero bytes"),
        (b"x" * (2**20 + 1), "has more than 1048576 bytes"),
    ],
)
def test_an_unusable_secret_is_a_problem_at_its_line(
    content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ConfigError, match=f":18: .*password: the file .*secret {message}"):
        load_text(edited("${file:radar-password}", "${file:secret}"), tmp_path)


def test_a_variable_that_is_not_utf_8_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r":12: .*variable PISANO_TOKEN is not UTF-8 text"):
        load_text(VALID, tmp_path, {**ENV, "PISANO_TOKEN": "\udcff"})


def test_secrets_count_from_the_configs_own_folder(tmp_path: Path) -> None:
    (tmp_path / "radar-password").write_text("x\r\n", encoding="utf-8")
    (tmp_path / "routing.yaml").write_text("\ufeff" + VALID, encoding="utf-8")
    account = load(tmp_path / "routing.yaml", env=ENV).vendors["radar"]
    assert account.model_dump()["password"] == SecretStr("x")


def test_what_a_compiler_repeats_of_a_secret_is_shown_as_its_reference(tmp_path: Path) -> None:
    text = edited(
        "email: customer.email}\n    send: [visit]", "email: '${env:WORD}(a)'}\n    send: [visit]"
    )
    with pytest.raises(ConfigError) as refused:
        load_text(text, tmp_path, {**ENV, "WORD": "hunter2hunter2"})
    message = "not a JMESPath expression: unknown function ${env:WORD}()"
    assert [problem.message for problem in refused.value.problems] == [message]
