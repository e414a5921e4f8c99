"""librdkafka is asked about the settings of every client before one is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.config.kafka_settings import OWNED, plain_name
from consumer.errors import ConfigError
from consumer.kafka.client_settings import consumer_settings, producer_settings
from consumer.kafka.setting_refusals import refusals
from consumer.wiring.config_file import read

CONFIG = """\
version: 1
application_id: surveys
kafka:
  bootstrap.servers: localhost:9092
  {setting}
pseudonym: {{key_id: k1, key: 0123456789abcdef}}
quotas: {{q: {{limits: []}}}}
vendors: {{p: {{type: pisano, base_url: 'https://x.example.com', token: t, quota: q}}}}
campaigns: {{c: {{vendor: p, channel: sms, id: a}}}}
inputs: {{i: {{topics: [t], format: json}}}}
routes: [{{name: r, input: i, recipient: {{phone: p}}, phone_region: TR, send: [c]}}]
"""


def written(folder: Path, setting: str) -> Path:
    """A config with one more setting under `kafka`, in line 5."""
    path = folder / "routing.yaml"
    path.write_text(CONFIG.format(setting=setting))
    return path


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        # producers: transactional, so idempotent
        ("max.in.flight.requests.per.connection: 10", "must be set <= 5"),
        ("max.in.flight: 6", "must be set <= 5"),
        ("retries: 0", "must be set >= 1"),
        ("message.send.max.retries: 0", "must be set >= 1"),
        ("queuing.strategy: lifo", "must be set to `fifo`"),
        ("linger.ms: 900000", "`message.timeout.ms` must be greater than `linger.ms`"),
        ("queue.buffering.max.kbytes: 1", "expected at least 16384"),
        # consumers
        ("fetch.max.bytes: 500000", "must be >= `message.max.bytes`"),
        ("receive.message.max.bytes: 1000", "must be >= `fetch.max.bytes` + 512"),
        # all of them
        ("reconnect.backoff.ms: 60000", "must be >= `reconnect.backoff.ms`"),
        ("security.protocl: SSL", "No such configuration property"),
        ("linger.ms: soon", "Invalid value"),
        ("compression.type: snap", "Invalid value"),
        ("compression.level: 99", "outside allowed range"),
        ("ssl.ca.location: /no/such/file", ""),
        ("socket.keepalive.enable: maybe", "Expected bool value"),
        # what needs a function of a program
        ("error_cb: x", "takes a function"),
        ("stats_cb: x", "takes a function"),
        ("on_delivery: x", "takes a function"),
        ("default.topic.config: x", "takes a function"),
        # what the program sets
        ("message.max.bytes: 1000000", "topics take records of up to 16 MiB"),
        ("allow.auto.create.topics: true", "topics have settings of their own"),
        ("debug: all", "its log has librdkafka's errors"),
        ("enable.gapless.guarantee: true", "its promises rest on it"),
        ("auto.commit.enable: true", "its promises rest on it"),
        # what librdkafka takes, and nothing would ever be reached
        ("metadata.broker.list: other:9092", "other name for 'bootstrap.servers'"),
        ("sasl.mechanisms: OAUTHBEARER", "is required with OAUTHBEARER"),
    ],
)
def test_a_setting_that_no_client_can_have_is_refused_with_its_line(
    setting: str, words: str, tmp_path: Path
) -> None:
    if setting.startswith("ssl."):
        setting += "\n  security.protocol: SSL"
    with pytest.raises(ConfigError) as refused:
        read(written(tmp_path, setting))
    (problem,) = refused.value.problems
    assert words in problem.message
    assert problem.path.startswith("kafka.")
    assert problem.line in {3, 5}


def test_all_that_librdkafka_refuses_is_said_at_once(tmp_path: Path) -> None:
    wrong = {"fetch.max.bytes": "500000", "retries": "0", "max.in.flight": "9", "nonsense": "1"}
    path = written(tmp_path, "\n  ".join(f"{name}: {value}" for name, value in wrong.items()))
    with pytest.raises(ConfigError) as refused:
        read(path)
    assert {problem.path for problem in refused.value.problems} == {f"kafka.{n}" for n in wrong}


@pytest.mark.parametrize("secrets", [True, False])
def test_settings_are_judged_without_secrets_too(secrets: bool, tmp_path: Path) -> None:
    path = written(tmp_path, "retries: 0\n  sasl.mechanisms: PLAIN")
    with pytest.raises(ConfigError, match=r"kafka\.retries"):
        read(path, secrets=secrets)


def test_a_check_without_secrets_needs_neither_passwords_nor_files(tmp_path: Path) -> None:
    setting = "security.protocol: SASL_SSL\n  sasl.mechanisms: PLAIN\n  sasl.username: u\n  "
    setting += 'sasl.password: "${env:NO_SUCH}"\n  ssl.ca.location: /no/such\n  linger.ms: 7'
    read(written(tmp_path, setting), secrets=False)


@pytest.mark.parametrize("secret", ["hunter2-hunter2", "ab", "a.b", "1", "SSL,hunter2"])
@pytest.mark.parametrize("setting", ["security.protocol", "linger.ms", "compression.level"])
def test_librdkafkas_words_repeat_no_value(setting: str, secret: str, tmp_path: Path) -> None:
    """They do: a secret in the wrong place would stand in the log of every start."""
    (tmp_path / "secret").write_text(secret)
    try:
        read(written(tmp_path, f'{setting}: "${{file:secret}}"'))
    except ConfigError as refused:
        said = str(refused).replace(str(tmp_path), "")
        assert f'"{secret}"' not in said
        assert f"value {secret} " not in said
        assert len(secret) < 4 or secret not in said


def test_a_deprecated_setting_is_a_warning(tmp_path: Path) -> None:
    config = read(written(tmp_path, "api.version.request: true"))
    (warning,) = [str(each) for each in config.warnings if each.path.startswith("kafka")]
    assert warning.endswith(":5: kafka.api.version.request: is deprecated by librdkafka")


@pytest.mark.parametrize(
    ("servers", "fit"),
    [
        ("localhost", True),
        ("a:9092,b:9093", True),
        ("a:9092, b:9093", True),
        ("SASL_SSL://a.example:9093", True),
        ("[::1]:9092", True),
        ("", False),
        ("a:9092,", False),
        ("a b:9092", False),
        ("a:port", False),
        ("a:99999", False),
        ("a;b", True),
        ("http://a:9092/", False),
    ],
)
def test_servers_are_hosts_with_ports(servers: str, fit: bool, tmp_path: Path) -> None:
    """librdkafka takes any text, and never connects."""
    path = written(tmp_path, "linger.ms: 5")
    path.write_text(path.read_text().replace("localhost:9092", f"'{servers}'"))
    if fit:
        read(path)
    else:
        with pytest.raises(ConfigError, match=r":4: kafka.bootstrap.servers: expected host:port"):
            read(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("linger.ms", "50"),
        ("queue.buffering.max.ms", "50"),
        ("retry.backoff.ms", "200"),
        ("compression.type", "zstd"),
        ("compression.codec", "zstd"),
        ("queue.buffering.max.messages", "1000"),
        ("queued.max.messages.kbytes", "65536"),
        ("fetch.wait.max.ms", "500"),
        ("fetch.queue.backoff.ms", "100"),
        ("client.id", "mine"),
        ("topic.metadata.refresh.interval.ms", "1000"),
        ("reconnect.backoff.max.ms", "20000"),
    ],
)
def test_a_setting_that_is_accepted_is_honoured(name: str, value: str) -> None:
    """Under either of its names, and where the program has a default of its own."""
    given = {"bootstrap.servers": "localhost:9092", name: value}
    assert refusals(given) == []
    for merged in (
        consumer_settings(given, "g"),
        producer_settings(given, "t"),
    ):
        assert merged[plain_name(name)] == value
        assert name == plain_name(name) or name not in merged


def test_every_setting_that_cannot_be_changed_is_refused_by_name() -> None:
    given: dict[str, str] = {}
    for settings in (
        consumer_settings(given, "g"),
        producer_settings(given, "t"),
    ):
        for name in settings:
            overridden = consumer_settings({name: "given"}, "g") | producer_settings(
                {name: "given"}, "t"
            )
            assert OWNED.fullmatch(name) or overridden[name] == "given", name
