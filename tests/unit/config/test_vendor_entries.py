"""Vendor entries with much of their own: `http_batch`, and ways on the company's premises."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from consumer.config import Config, load
from consumer.docgen import routing_config
from consumer.errors import ConfigError
from consumer.wiring import config_file
from consumer.wiring.build import lane_settings

TEXT = """\
version: 1
application_id: surveys
kafka: {bootstrap.servers: "localhost:9092"}
pseudonym: {key_id: k1, key: "${env:KEY:-0123456789abcdef}"}
quotas: {other: {limits: [1/1s]}}
vendors:
  other:
    type: http_batch
    base_url: "${env:OTHER_URL:-https://surveys.example.test}"
    quota: other
    token: "${file:token}"
    headers: {X-Api-Key: "{token}"}
    path: /surveys/{campaign}
    addresses: [phone, email]
    body: {people: $recipients}
    recipient: {mobile: $phone, mail: $email, name: $data.name, more: $data.attributes}
    code: error.code
    bad_recipient: {code: [INVALID], status: [422]}
campaigns: {visit: {vendor: other, channel: push, id: "7"}}
inputs: {pos: {topics: [pos], format: json}}
routes:
  - name: all
    input: pos
    recipient: {phone: phone}
    phone_region: TR
    send: [visit]
    data: {name: customer.name, attributes: {tier: customer.tier}}
"""
WAYS = """\
    ca: "${file:ca.pem}"
    client_cert: "${file:me.pem}"
    client_key: "${file:me.key}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("hush-hush\n")
    authority = trustme.CA()
    me = authority.issue_cert("me@company.test")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    me.cert_chain_pems[0].write_to_path(tmp_path / "me.pem")
    me.private_key_pem.write_to_path(tmp_path / "me.key")
    return tmp_path


def with_ways(text: str = WAYS) -> str:
    return TEXT.replace("    quota: other\n", f"    quota: other\n{text}")


def written(folder: Path, text: str) -> Path:
    path = folder / "routing.yaml"
    path.write_text(text)
    return path


def refused(folder: Path, text: str) -> list[str]:
    """The problems, without the file's name and the folder."""
    path = written(folder, text)
    with pytest.raises(ConfigError) as error:
        config_file.read(path)
    assert "hush" not in str(error.value)
    shown = [str(problem).removeprefix(f"{path}:") for problem in error.value.problems]
    return [each.replace(f"{folder}/", "") for each in shown]


def test_another_vendor_needs_no_code(folder: Path) -> None:
    config = load(written(folder, TEXT), env={})

    assert config.warnings == ()
    assert config.lanes == ("other",)


@pytest.mark.parametrize("rule", ["bad_recipient", "campaign_error", "credentials", "trouble"])
def test_a_rules_code_that_a_success_may_carry_is_warned_of(folder: Path, rule: str) -> None:
    old = "bad_recipient: {code: [INVALID], status: [422]}"

    def warned(new: str) -> list[str]:
        config = load(written(folder, TEXT.replace(old, new)), env={})
        return [f"{each.path}: {each.message}" for each in config.warnings]

    (told,) = warned(f"{rule}: {{code: [INVALID]}}")
    assert told.startswith(f"vendors.other.{rule}.code: with a 2xx these codes end `unknown`")
    assert warned(f"{rule}: {{code: [INVALID]}}\n    success: {{code: [OK]}}") == []
    assert warned(f"{rule}: {{code: [INVALID], status: [422]}}") == []
    assert warned(f"{rule}: {{status: [422]}}") == []
    listed = "failed_entries: {list: errors, index: row, code: code}"
    assert warned(f"{rule}: {{code: [INVALID]}}\n    {listed}") == []


@pytest.mark.parametrize("text", [TEXT, with_ways()])
def test_an_editor_takes_it(text: str) -> None:
    """By the same schema it refuses what the loader does."""
    validator = Draft202012Validator(routing_config.schema())

    def problems(written: str) -> list[str]:
        tree = YAML(typ="safe", pure=True).load(written)
        return [iter_error.json_path for iter_error in validator.iter_errors(tree)]

    assert problems(text) == []
    assert problems(text.replace("    code: error", "    coed: error")) == ["$.vendors.other"]
    assert problems(text.replace("status: [422]", "status: [200]")) == [
        "$.vendors.other.bad_recipient.status[0]"
    ]


@pytest.mark.parametrize("text", [TEXT, with_ways()])
def test_without_its_secrets_it_can_be_checked(text: str, tmp_path: Path) -> None:
    """Also where the account itself is a reference, so that its content is unknown."""
    unknown = text.replace("${env:OTHER_URL:-https://surveys.example.test}", "${env:OTHER_URL}")

    for each in (text, unknown):
        assert load(each, secrets=False, env={}, base=tmp_path).lanes == ("other",)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "body: {people: $recipients}",
            "body: {people: $recipient}",
            (
                "15: vendors.other.body: '$recipient' is not known here; there are: $recipients, "
                "$campaign"
            ),
        ),
        (
            "mail: $email",
            "mail: $mail",
            (
                "16: vendors.other.recipient: '$mail' is not known here; there are: $phone, "
                "$email, $id, $campaign, $data.<name>"
            ),
        ),
        (
            "code: error.code",
            "code: error.",
            "17: vendors.other.code: must be a JMESPath expression, as in error.code",
        ),
        (
            "bad_recipient:",
            "bad_recipients:",
            "18: vendors.other.bad_recipients: is not known here (did you mean 'bad_recipient'?)",
        ),
        (
            "code: [INVALID]",
            "codes: [INVALID]",
            "18: vendors.other.bad_recipient.codes: is not known here (did you mean 'code'?)",
        ),
        (
            "status: [422]",
            "status: [429]",
            "18: vendors.other.bad_recipient.status: the meaning of 429 is fixed: leave it out",
        ),
        (
            'X-Api-Key: "{token}"',
            "X-Api-Key: none",
            "12: vendors.other.headers: no header has {token}",
        ),
        (
            "data: {name: customer.name, attributes",
            "data: {name: customer.name, atributes",
            (
                "27: routes[0].data.atributes: no vendor of this route's campaigns takes this (did "
                "you mean 'attributes'? there are: attributes, name)"
            ),
        ),
    ],
)
def test_a_slip_is_named_with_its_line(folder: Path, old: str, new: str, problem: str) -> None:
    assert refused(folder, TEXT.replace(old, new)) == [problem]


def test_certificates_are_files_beside_the_config(folder: Path) -> None:
    path = written(folder, with_ways())
    before, seen = config_file.read(path), config_file.fingerprint(path)

    renewed = trustme.CA()
    renewed.cert_pem.write_to_path(folder / "ca.pem")
    after = config_file.read(path)

    assert config_file.fingerprint(path) != seen
    assert after.vendors["other"] != before.vendors["other"]
    assert after.config_version == before.config_version  # a renewal is no new rule
    assert "BEGIN" not in repr(after)


@pytest.mark.parametrize(
    ("ways", "problem"),
    [
        (
            '    ca: "${file:none.pem}"\n',
            "11: vendors.other.ca: the file none.pem cannot be read: No such file or directory",
        ),
        (
            "    ca: ca.pem\n",
            (
                "11: vendors.other.ca: must be PEM text with -----BEGIN CERTIFICATE-----; a file "
                'is written "${file:PATH}"'
            ),
        ),
        (
            '    ca: "${file:broken.pem}"\n',
            "11: vendors.other.ca: holds a certificate that cannot be read",
        ),
        (
            '    client_cert: "${file:me.pem}"\n    client_key: "${file:other.key}"\n',
            "12: vendors.other.client_key: is not the key of `client_cert`",
        ),
        (
            '    client_cert: "${file:me.pem}"\n    client_key: "${file:locked.key}"\n',
            (
                "12: vendors.other.client_key: cannot be read with `client_cert`: both must be "
                "whole, and the key not encrypted"
            ),
        ),
        (
            '    client_cert: "${file:me.pem}"\n',
            "7: vendors.other: `client_cert` and `client_key` go together",
        ),
        (
            "    proxy: https://hush-hush.test:3128\n",
            "11: vendors.other.proxy: must be http://host:port: calls go through it by CONNECT",
        ),
    ],
)
def test_a_way_that_cannot_be_gone_is_named_with_its_line(
    folder: Path, ways: str, problem: str
) -> None:
    (folder / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nhush-hush\n")
    other = trustme.CA().issue_cert("other@company.test").private_key_pem.bytes().decode()
    (folder / "other.key").write_text(other)
    locked = other.replace("\n", "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1)
    (folder / "locked.key").write_text(locked)

    assert refused(folder, with_ways(ways)) == [problem]


def test_a_proxy_and_all_certificates_are_no_part_of_what_is_shown(folder: Path) -> None:
    text = with_ways(WAYS + "    proxy: http://me:hush-hush@proxy.test:3128\n")

    config: Config = config_file.read(written(folder, text))

    assert "hush" not in repr(config)
    assert "hush" not in config.model_dump_json()
    assert "BEGIN" not in config.model_dump_json()


ONE_A_CALL = """\
    recipients: one
    encoding: form
    path: /people/{data.name}/invite
    oauth:
      token_url: https://login.example.test/token
      client_id: me
      client_secret: "${file:token}"
      scope: send
    body: {mobile: $phone, mail: $email, more: $data.attributes}
"""


def test_one_customer_a_call_and_a_login_elsewhere_are_taken(folder: Path) -> None:
    lines = TEXT.splitlines(keepends=True)
    first, last = (
        next(n for n, line in enumerate(lines) if line.startswith(start))
        for start in ("    token:", "    code:")
    )
    text = "".join([*lines[:first], ONE_A_CALL, "    addresses: [phone, email]\n", *lines[last:]])

    config = config_file.read(written(folder, text))

    settings = lane_settings(config, "other")
    assert settings.campaigns["visit"].max_batch == 1
    assert sorted(settings.logins) == ["other"]
    assert (
        lane_settings(load(written(folder, TEXT), env={}), "other").campaigns["visit"].max_batch
        == 5000
    )
