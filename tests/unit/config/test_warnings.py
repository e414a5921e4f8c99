"""A config that says one thing and would do another: a warning with what was surely meant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from consumer.config import load
from consumer.errors import ConfigError
from tests.unit.config.support import HERE, VALID, edited, load_text

ROOT = Path(__file__).parents[3]
MATCH = "      channel: pos\n"


def warnings(text: str, folder: Path) -> list[str]:
    """Path, message and hint of every warning."""
    found = load_text(text, folder).warnings
    return [str(each).partition(":")[2].partition(": ")[2] for each in found]


def with_match(line: str) -> str:
    return edited(MATCH, f"{MATCH}      {line}\n")


def with_data(line: str) -> str:
    return edited(
        "custom_attributes: {name: customer.name, external_id: customer.id}",
        f"custom_attributes: {{name: customer.name, {line}}}",
    )


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0042", "42"),
        ("1_000", "1000"),
        ("1.10", "1.1"),
        ("+905321234567", "905321234567"),
        ("0x1F", "31"),
        ("0o17", "15"),
        ("1e5", "100000.0"),
        ("7547e12", "7547000000000000.0"),
        (".5", "0.5"),
        ("5.", "5.0"),
        ("-0", "0"),
        ("00", "0"),
    ],
)
def test_a_number_that_is_not_written_as_one_is_told_how_it_is_read(
    written: str, value: str, tmp_path: Path
) -> None:
    """An id in a pattern: 0042 is the number 42, and the event's "0042" never equals it."""
    meant = f'(if text is meant, write it in quotes: "{written}")'
    message = f"YAML reads {written} as the number {value} {meant}"
    place = "routes[0].match.store"
    assert warnings(with_match(f"store: [{written}]"), tmp_path) == [f"{place}[0]: {message}"]
    assert warnings(with_match(f"store: {written}"), tmp_path) == [f"{place}: {message}"]
    but = warnings(with_match(f"store: [{{anything-but: [{written}]}}]"), tmp_path)
    assert but == [f"{place}[0].anything-but[0]: {message}"]


@pytest.mark.parametrize("written", ["42", "-1", "0", "1.5", "100000.0", '"0042"', "true", "null"])
def test_a_plain_number_is_no_matter(written: str, tmp_path: Path) -> None:
    assert warnings(with_match(f"store: [{written}]"), tmp_path) == []
    assert warnings(with_match('store: [{numeric: [">=", 1.10, "<", 1e5]}]'), tmp_path) == []


def test_a_setting_of_kafka_that_yaml_changes_is_refused(tmp_path: Path) -> None:
    """A password 0042 was 42."""
    with pytest.raises(ConfigError, match="YAML reads another number than is written here") as said:
        load_text(edited('"${env:BROKER_PASSWORD}"', "0042"), tmp_path)
    assert "42" not in str(said.value).replace("routes", "")


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ('total: ">= 100"', '[{numeric: [">=", 100]}]'),
        ('total: [">100.5"]', '[{numeric: [">", 100.5]}]'),
        ('total: "=100"', "100, without quotes"),
        ('total: "=> 5"', '[{numeric: [">=" or "<=", 5]}]'),
        ('state: "!cancelled"', '[{anything-but: "cancelled"}]'),
        ('state: ["!= cancelled"]', '[{anything-but: "cancelled"}]'),
        ('sku: "GIFT*"', '[{wildcard: "GIFT*"}]'),
        ('state: "paid|shipped"', "[paid, shipped], a list"),
        ('state: "paid, shipped"', "[paid, shipped], a list"),
        ('total: "10..20"', '[{numeric: [">=", 10, "<=", 20]}]'),
        ('customer: {level: ">= 3"}', '[{numeric: [">=", 3]}]'),
        ('$or: [{total: "> 5"}, {state: paid}]', '[{numeric: [">", 5]}]'),
    ],
)
def test_a_condition_written_as_text_is_told(line: str, meant: str, tmp_path: Path) -> None:
    text = with_match(line)
    if line.startswith("customer"):
        text = with_match(line).replace("      customer: {consent: {sms: true}}\n", "")
    (warning,) = warnings(text, tmp_path)
    assert warning.endswith(
        f"matches only this very text, sign for sign (for a condition write {meant})"
    )


@pytest.mark.parametrize(
    "line",
    [
        "a: [web, app]",
        'a: ["A-1", "x_y", "a b"]',
        'a: [{wildcard: "GIFT*"}]',
        'a: ["100"]',
        'a: [""]',
    ],
)
def test_plain_texts_are_no_conditions(line: str, tmp_path: Path) -> None:
    assert warnings(with_match(line), tmp_path) == []


@pytest.mark.parametrize(
    ("line", "place", "near"),
    [
        ("chanel: web", "chanel", "channel"),
        ("custmer: [x]", "custmer", "customer"),
        ("customer.segmnet: [gold]", "customer.segmnet", "segment"),
        ("amuont: [5]", "amuont", "amount"),
    ],
)
def test_a_name_that_differs_in_a_letter_is_told(
    line: str, place: str, near: str, tmp_path: Path
) -> None:
    text = with_match(line).replace("      customer: {consent: {sms: true}}\n", "")
    (warning,) = warnings(text, tmp_path)
    assert warning.startswith(f"routes[0].match.{place}: no other place of the config names")
    assert warning.endswith(f"(did you mean '{near}'?)")


def test_a_misspelt_channel_is_told_where_nothing_else_says_channel(tmp_path: Path) -> None:
    (warning,) = warnings(edited("      channel: pos\n", "      chanel: pos\n"), tmp_path)
    assert warning.endswith("(did you mean 'channel'?)")


@pytest.mark.parametrize(
    ("expression", "near"),
    [("custmer.name", "customer"), ("customer.segmnet", "segment"), ("sotre.city", "store")],
)
def test_a_slip_in_an_expression_is_told(expression: str, near: str, tmp_path: Path) -> None:
    (warning,) = warnings(with_data(f"city: {expression}"), tmp_path)
    assert warning.startswith("routes[0].data.custom_attributes.city: no other place of the config")
    assert warning.endswith(f"(did you mean '{near}'?)")


@pytest.mark.parametrize("expression", ["score", "customer.county", "address1", "loyal"])
def test_other_words_are_no_slips(expression: str, tmp_path: Path) -> None:
    assert warnings(with_data(f"city: {expression}"), tmp_path) == []


@pytest.mark.parametrize("line", ["amounts: [1]", "line1: [1]\n      line2: [1]", "code: [1]"])
def test_names_of_one_kind_are_no_slips(line: str, tmp_path: Path) -> None:
    assert warnings(with_match(line), tmp_path) == []


@pytest.mark.parametrize(
    ("match", "told"),
    [
        ("", True),
        ("    match: {}\n", True),
        ("    match: {channel: pos}\n", True),
        ("    match: {channel: [web, pos]}\n", True),
        ("    match: {channel: [web]}\n", False),
        ("    match: {channel: pos, other: x}\n", False),
        ("    match: {channel: [{prefix: p}]}\n", True),
        ("    match: {channel: [{suffix: s}, {prefix: w}]}\n", True),
        ("    match: {channel: [{prefix: w}]}\n", False),
        ("    match: {channel: [{anything-but: web}]}\n", False),
        ("    match: {channel: [{exists: true}]}\n", True),
        ("    match: {channel: [{exists: false}]}\n", False),
        ("    match: {amount: [{exists: true}]}\n", True),
        ("    match: {amount: [{numeric: ['>', 0]}]}\n", False),  # of ranges it does not say
    ],
)
@pytest.mark.parametrize("routes", ["first", "all"])
def test_a_route_that_no_event_reaches_is_told(
    match: str, told: bool, routes: str, tmp_path: Path
) -> None:
    before = (
        "  - name: before\n    input: pos\n"
        f"{match}    recipient: {{email: customer.email}}\n    send: [purchase-email]\n"
    )
    text = edited("routes:\n  - name: store", f"routes:\n{before}  - name: store")
    text = text.replace("    routes: first", f"    routes: {routes}")
    found = [warning for warning in warnings(text, tmp_path) if "no event reaches" in warning]
    assert bool(found) is (told and routes == "first")
    if found:
        assert found[0].startswith("routes[1]: no event reaches this route: 'before' takes every")


TOKEN = ("${env:PISANO_TOKEN}", "vendors.pisano-tr.token")
KEY = ("${env:PSEUDONYM_KEY}", "pseudonym.key")
PASSWORD = ("${env:BROKER_PASSWORD}", "kafka.sasl.password")
USER = ("acme", "vendors.radar.username")
ID = ("a6aa1866-dcaa-462c-a52d-0c22b0ca1616", "campaigns.purchase-sms.id")


@pytest.mark.parametrize(
    ("where", "new", "hint"),
    [
        (TOKEN, "{env:X}", "${env:…}?"),
        (TOKEN, "{file:x}", "${file:…}?"),
        (TOKEN, "$PISANO_TOKEN", "${env:PISANO_TOKEN}"),
        (TOKEN, "$(TOKEN)", "${env:TOKEN}?"),
        (TOKEN, "%TOKEN%", "${env:TOKEN}?"),
        (TOKEN, "secrets/token", "${file:PATH}"),
        (TOKEN, "/run/secrets/t", "${file:PATH}"),
        (TOKEN, "<token>", "stand-in"),
        (KEY, "{file:secrets/pseudonym}", "${file:…}?"),
        (KEY, " ${env:PSEUDONYM_KEY}", "begins or ends with a blank"),
        (PASSWORD, "$PASSWORD", "${env:PASSWORD}?"),
        (ID, "$CAMPAIGN", "${env:CAMPAIGN}?"),
        (USER, "{{ user }}", "nothing fills"),
        (USER, "acme ", "begins or ends with a blank"),
    ],
)
def test_a_forgotten_reference_or_blank_is_told(
    where: tuple[str, str], new: str, hint: str, tmp_path: Path
) -> None:
    old, place = where
    (warning,) = warnings(VALID.replace(f'"{old}"', old).replace(old, f'"{new}"'), tmp_path)
    assert warning.startswith(f"{place}: ")
    assert hint in warning


def test_forgotten_bootstrap_is_told(tmp_path: Path) -> None:
    (warning,) = warnings(edited('"localhost:9092"', "$KAFKA_BOOTSTRAP"), tmp_path)
    assert warning == (
        "kafka.bootstrap.servers: stands as it is (did you mean ${env:KAFKA_BOOTSTRAP}?)"
    )


@pytest.mark.parametrize("written", ["Istanbul", "POS", "pos", "_Web"])
def test_a_bare_word_in_data_is_a_field(written: str, tmp_path: Path) -> None:
    """`pos` is what this route's pattern asks of a field."""
    found = warnings(with_data(f"city: {written}"), tmp_path)
    if written == "_Web":  # as fields may look
        assert found == []
        return
    assert found == [
        (
            f"routes[0].data.custom_attributes.city: {written} is a field here, not text "
            f"(text has single quotes within double ones: \"'{written}'\")"
        )
    ]


def test_where_all_fields_have_capitals_a_capital_says_nothing(tmp_path: Path) -> None:
    text = re.sub(r"\bcustomer\.(\w)", lambda m: f"Customer.{m[1].upper()}", VALID)
    text = text.replace("{id: id, time: time}", "{id: Id, time: Time}").replace(
        "Date: time", "Date: Time"
    )
    assert warnings(text.replace("basket.id", "Basket.Id"), tmp_path) == []


@pytest.mark.parametrize(
    ("expression", "meant"),
    [
        ('items[?type=="GIFT"].sku', "'GIFT'"),
        ("items[?type==GIFT].sku", "'GIFT'"),
        ('items[?"GIFT"==type]', "'GIFT'"),
        ('items[?status == "in-progress"]', "'in-progress'"),
        ("consent == true", "`true`"),
        ('customer.nick || "Guest"', "'Guest'"),
        ('contains(tags, "vip")', "'vip'"),
        ("starts_with(sku, ABC)", "'ABC'"),
        ('"web"', "'web'"),
        ('{channel: "web"}', "'web'"),
        ("items[*].type == 'GIFT'", "items[?type == 'GIFT']"),
        ("customer.nick | customer.name", "||"),
    ],
)
def test_a_field_that_is_meant_as_text_is_told(expression: str, meant: str, tmp_path: Path) -> None:
    text = edited("firstName: customer.name", f"firstName: >-\n        {expression}")
    (warning,) = warnings(text, tmp_path)
    assert warning.startswith("routes[1].data.firstName: ")
    assert meant in warning


@pytest.mark.parametrize(
    "expression",
    [
        "items[?type=='GIFT'].sku",
        "items[?\"@type\"=='x']",
        "items[?price > cost]",
        "items[?n > `5`]",
        "consent == `true`",
        '"first-name" || "last-name"',
        '"order-id"',
        "contains(tags, 'vip')",
        "sort_by(items, &price)[0].sku",
        "items[*].sku | [0]",
        "{sku: sku, n: count}",
        'customer."full name"',
        "not_null(nick, name)",
    ],
)
def test_sound_expressions_are_no_matter(expression: str, tmp_path: Path) -> None:
    text = edited("firstName: customer.name", f"firstName: >-\n        {expression}")
    assert warnings(text, tmp_path) == []


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("@timestamp", "'\"@timestamp\"'"),
        ("event.@timestamp", "'\"@timestamp\"'"),
        ("$.customer.name", "leave $ out"),
        ("{{ customer.name }}", "without braces"),
        ("items.0.sku", "items[0].sku"),
        ("items[?a = = 'x']", "write =="),
        ("items[?a <> 'x']", "write !="),
        ("a and b", "&&"),
        ("items[?a == 'x' & b == 'y']", "&&"),
        ("items[?n > 5]", "`5`"),
        ("Istanbul Kadikoy", "single quotes"),
        ("Iğdır", "single quotes"),
        ("129.90", "single quotes"),
    ],
)
def test_a_hint_says_what_was_meant(expression: str, hint: str, tmp_path: Path) -> None:
    text = edited("firstName: customer.name", f"firstName: >-\n        {expression}")
    with pytest.raises(ConfigError) as refused:
        load_text(text, tmp_path)
    (problem,) = refused.value.problems
    assert hint in f"{problem.message} {problem.hint}"


@pytest.mark.parametrize(
    ("recipient", "told"),
    [
        ("phone: customer.phone", True),
        ("phone: p, email: e", True),
        ("email: customer.email", False),
    ],
)
def test_a_phone_without_a_region_is_told(recipient: str, told: bool, tmp_path: Path) -> None:
    text = edited("    phone_region: TR\n", "").replace(
        "recipient: {phone: customer.phone, email: customer.email}", f"recipient: {{{recipient}}}"
    )
    found = [warning for warning in warnings(text, tmp_path) if "phone_region" in warning]
    assert bool(found) is told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("customer.segment: [gold]", False),
        (r"customer\.segment: [gold]", False),
        ("'\"customer.segment\"': [gold]", False),
    ],
)
def test_a_dotted_key_is_the_nested_field(line: str, told: bool, tmp_path: Path) -> None:
    assert bool(warnings(with_match(line), tmp_path)) is told


def test_a_dotted_key_is_told_where_the_config_names_such_a_field(tmp_path: Path) -> None:
    text = with_match("store.id: [1]").replace("name: customer.name", "name: '\"store.id\"'")
    (warning,) = warnings(text.replace("firstName: '\"store.id\"'", "firstName: a.b"), tmp_path)
    assert warning == (
        "routes[0].match.store.id: is the field 'id' within 'store', as on Amazon EventBridge "
        "(one name with a dot in it is written 'store\\.id')"
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("https://tr.example.test", "https://tr.example.test/v1", "/v1"),
        ("https://tr.example.test", "https://tr.example.test/api/V1/", "/v1"),
        (
            "https://tr.example.test",
            "https://tr.example.test/v1/sms_campaigns",
            "/v1/sms_campaigns",
        ),
        ("https://tr.example.test", "https://tr.example.test/v2", None),
        ("https://tr.example.test", "https://v1", None),
        ("https://radar.example.test", "https://radar.example.test/invitation", "/invitation"),
        ("https://radar.example.test", "https://radar.example.test/auth/login", "/auth/login"),
        ("https://radar.example.test", "https://radar.example.test/auth", "/auth"),
    ],
)
def test_a_base_url_that_holds_the_calls_path_is_told(
    old: str, new: str, told: str | None, tmp_path: Path
) -> None:
    found = warnings(edited(old, new), tmp_path)
    assert [f"ends in {told}, with which" in each for each in found] == ([True] if told else [])


def documented() -> list[tuple[str, str]]:
    """Every whole config of the pages and examples."""
    files = [
        ROOT / "deploy/compose/routing.yaml",
        ROOT / "schemas/examples/routing-config.yaml",
        ROOT / "consumer/demo/demo.yaml",
        HERE / "valid.yaml",
    ]
    found = [(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in files]
    for page in sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/*.md")}):
        blocks = re.findall(
            r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        )
        name = str(page.relative_to(ROOT))
        found += [(name, block) for block in blocks if "application_id:" in block]
    return found


@pytest.mark.parametrize(("name", "text"), documented(), ids=[name for name, _ in documented()])
def test_a_documented_config_has_no_warnings(name: str, text: str) -> None:
    """Nothing that the pages recommend is called odd."""
    config = load(text, secrets=False, name=name)
    assert [str(warning) for warning in config.warnings] == []


@pytest.mark.parametrize(
    ("wider", "narrower", "told"),
    [
        ("[{numeric: ['>=', 1]}]", "5", True),
        ("[{numeric: ['>=', 1, '<', 5]}]", "[1, 4.5]", True),
        ("[{numeric: ['>=', 1, '<', 5]}]", "[1, 5]", False),
        ("[{numeric: ['=', 5]}]", "5", True),
        ("[{numeric: ['>=', 1]}]", "'5'", False),
        ("[{numeric: ['>=', 0]}]", "true", False),
        ("[1]", "true", False),
        ("[{exists: true}]", "[5, {prefix: x}, null]", True),
        ("[{prefix: x}]", "[xy, x]", True),
        ("[{prefix: x}]", "[{prefix: x}]", True),
        ("[{prefix: x}]", "[{prefix: xy}]", False),
        ("[{prefix: {equals-ignore-case: x}}]", "xy", False),
    ],
)
def test_alternatives_that_take_all_of_others_hide_a_route(
    wider: str, narrower: str, told: bool, tmp_path: Path
) -> None:
    before = "    recipient: {email: customer.email}\n    send: [purchase-email]\n"
    text = edited(
        "routes:\n  - name: store",
        f"routes:\n  - name: before\n    input: pos\n    match: {{kind: {wider}}}\n{before}"
        "  - name: store",
    ).replace(MATCH, f"{MATCH}      kind: {narrower}\n")
    found = [warning for warning in warnings(text, tmp_path) if "no event reaches" in warning]
    assert bool(found) is told


@pytest.mark.parametrize(
    "where", ["exclude: {match: {state: '>= 3'}}\n", "inputs:\n  pos:\n    skip: {state: '>= 3'}\n"]
)
def test_a_condition_written_as_text_is_told_in_every_pattern(where: str, tmp_path: Path) -> None:
    if where.startswith("exclude"):
        text = VALID + where
    else:
        text = VALID.replace("inputs:\n  pos:\n", where)
    (warning,) = warnings(text, tmp_path)
    assert "matches only this very text, sign for sign" in warning
    assert '[{numeric: [">=", 3]}]' in warning


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('"${env:PISANO_TOKEN}"', "of-the-tests-hush", "vendors.pisano-tr.token"),
        ('"${env:PSEUDONYM_KEY}"', "0123456789abcdef-hush", "pseudonym.key"),
        ('"${env:BROKER_PASSWORD}"', "of-the-tests-hush", "kafka.sasl.password"),
    ],
)
def test_a_secret_in_clear_text_is_told_and_not_repeated(
    old: str, new: str, place: str, tmp_path: Path
) -> None:
    (warning,) = warnings(edited(old, new), tmp_path)
    assert warning == (
        f"{place}: a secret stands here in clear text "
        '(write it into a file that only the program can read: "${file:PATH}")'
    )


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("contacts: {store: {type: valkey, url: 'valkey://user:hush-hush@host:6379/0'}}", True),
        ("contacts: {store: {type: valkey, url: 'valkey://host:6379/0'}}", False),
        ("registry: {url: 'https://registry.example', basic_auth: 'user:hush-hush'}", True),
    ],
)
def test_an_address_is_a_secret_where_it_has_a_password(
    section: str, told: bool, tmp_path: Path
) -> None:
    found = [text for text in warnings(f"{VALID}{section}\n", tmp_path) if "clear text" in text]
    assert bool(found) is told
    assert "hush" not in "".join(found)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("X-Api-Key: of-the-tests-hush", True),
        ("Authorization: Bearer hush", True),
        ("Accept: application/json", False),
        ('X-Api-Key: "{token}", token_: x', False),
    ],
)
def test_a_credential_in_a_header_is_told(header: str, told: bool, tmp_path: Path) -> None:
    from consumer.config.checks.clear_secrets import check_clear_secrets  # noqa: PLC0415 - one use
    from consumer.config.checks.findings import Findings  # noqa: PLC0415 - one use
    from consumer.config.interpolate import interpolate  # noqa: PLC0415 - one use
    from consumer.config.source import parse  # noqa: PLC0415 - one use

    source = parse(f"vendors: {{a: {{type: http_batch, headers: {{{header}}}}}}}", "x.yaml")
    findings = Findings(source, interpolate(source, env={}, base=tmp_path))
    check_clear_secrets(findings)
    assert [warning.path.split(".")[:3] for warning in findings.warnings] == (
        [["vendors", "a", "headers"]] if told else []
    )
    assert "hush" not in "".join(map(str, findings.warnings))
