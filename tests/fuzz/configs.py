"""Configs of a grammar: what `validate` takes is built and run for one event, and must not raise.

    python -m tests.fuzz.configs --minutes 10

Values are mostly plain, some at their bounds and some strange; scalars are written as YAML may
write them. A config that is accepted makes a router, its accounts and lanes; an event goes all the
way to a call for a vendor, whose answer is made up. The next accepted config takes the place of the
last one, as a reload does it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from consumer.config import Config
from consumer.config.changes import compare
from consumer.errors import ConfigError
from consumer.lane.state.pending import PendingInvitation
from consumer.records.call import Answer
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.records.invitation import decode_call_parts
from consumer.vendors.protocol import Vendor
from consumer.wiring.build import (
    build_accounts,
    build_router,
    build_vendors,
    lane_settings,
)
from consumer.wiring.config_file import read
from tests.support.lanes import ACCEPTED, NOW, Driver, lane

EVENT = {
    "id": "t-1",
    "time": "2025-11-22T08:26:00Z",
    "channel": "pos",
    "amount": 120,
    "store": {"id": "0042", "city": "Istanbul"},
    "customer": {"phone": "+905321234567", "name": "Ada", "email": "ada@example.com"},
    "items": [{"sku": "a", "n": 2}, {"sku": "b", "n": 1.5}],
}
ODD_OF = 150
"""One value of so many is odd: a config has about a hundred, and most odd ones are refused."""


class Raw(str):
    """A scalar as it stands in the YAML text."""

    __slots__ = ()


def written(tree: Any) -> str:
    """The tree as YAML in one line; texts are quoted but for raw ones."""
    if isinstance(tree, Raw):
        return str(tree)
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{written(k)}: {written(v)}" for k, v in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(written, tree)) + "]"
    return json.dumps(tree)


def mostly(usual: Any, *odd: Any) -> st.SearchStrategy[Any]:
    """The usual value (or strategy), and now and then an odd one."""
    plain = usual if isinstance(usual, st.SearchStrategy) else st.just(usual)
    # Not at an end of the range: Hypothesis likes those.
    return st.integers(0, ODD_OF).flatmap(
        lambda n: st.sampled_from(odd) if n == ODD_OF // 3 else plain
    )


def mapping(required: dict[str, Any], optional: dict[str, Any] | None = None) -> Any:
    """A mapping with these keys, the optional ones now and then."""
    return st.fixed_dictionaries(required, optional=optional or {})


TEXTS = (
    "",
    " ",
    "a" * 5000,
    "\u0130\u00df\U0001f600",
    "a\nb",
    "a'b\"c\\",
    "${env:X:-y}",
    "$${",
    Raw("~"),
)
NUMBERS = (0, 1, -1, 2**31, 2**64, 10**30, Raw("0042"), Raw("1e3"), Raw(".5"), Raw("1_000"), "1")
DURATIONS = ("0s", "1ms", "3650d", "3651d", "999999999d", "1", Raw("5"))
EXPRESSIONS = st.sampled_from(
    (
        "customer.name",
        "customer.phone",
        "store.id",
        "amount",
        "items[0].sku",
        "items[*].n | [0]",
        "sum(items[*].n)",
        "items[?sku=='b'].n | [0]",
        "customer.nick || 'Guest'",
        "join(',', items[*].sku)",
        "to_string(@)",
        "'literal'",
        "`1e400`",
        "`[1, 2]`",
        "keys(@)[0]",
        "nothing",
        "items[::2]",
        "items[:0:0]",
        "to_number('nan')",
        "max_by(items, &n).sku",
        '"customer"."name"',
        "lookup('stores', store.id, 'city')",
        "lookup('stores', amount, 'id') || lookup('stores', items, 'city')",
        "lookup(store.city, @, customer)",
    )
)
EXPRESSION = mostly(EXPRESSIONS, *TEXTS, "a[", "a..b", "f(a)", "[" * 200, "@" * 3, Raw("7"))
LEAF = st.sampled_from(
    (
        ["pos", "web"],
        "pos",
        [120, 1.5, None, True],
        [{"numeric": [">=", 100]}],
        [{"numeric": [">", -1e308, "<", 1e308]}],
        [{"prefix": "p"}, {"suffix": {"equals-ignore-case": "S"}}],
        [{"wildcard": "*o*"}],
        [{"anything-but": ["x", 1]}],
        [{"exists": True}],
        [{"exists": False}],
        [Raw("0042")],
        [10**30],
        [],
        [{"numeric": ["<", 1, ">", 2]}],
        [{"wildcard": "**"}],
        {"prefix": "x"},
    )
)
KEYS = st.sampled_from(
    ("channel", "amount", "store", "store.id", "customer.name", "items", "items.n", "a..b", r"a\.b")
)
MATCHES = st.recursive(
    st.dictionaries(KEYS, LEAF, max_size=2),
    lambda inner: st.one_of(
        st.dictionaries(KEYS, inner, max_size=2),
        st.lists(inner, min_size=1, max_size=3).map(lambda many: {"$or": many}),
    ),
    max_leaves=4,
)
LIMITS = st.lists(
    mostly(
        st.sampled_from(("1/1s", "20/5s", "160/625s", "1000/1d")),
        "1000000/3650d",
        "1/3650d",
        "1/1ms",
        "1000000/1ms",
        "1000001/1s",
    ),
    max_size=3,
)
QUOTA = mapping(
    {"limits": LIMITS},
    {
        "share": mostly(st.sampled_from((0.9, 1, 0.001, 1e-9)), 0, 1.1, Raw("1e-320")),
        "skew": mostly("2s", *DURATIONS),
        "max_in_flight": mostly(st.sampled_from((1, 16, 1000)), *NUMBERS),
        "linger": mostly("1s", *DURATIONS),
        "first_start": mostly(st.sampled_from(("used", "unused")), "", Raw("no")),
        "max_buffered": mostly(st.sampled_from((1, 200_000, 10_000_000)), *NUMBERS),
        "max_buffered_bytes": mostly(st.sampled_from((2**20, 10**8, 100 * 2**30)), *NUMBERS),
        "keep": mostly("7d", *DURATIONS),
        "call_timeout": mostly("30s", *DURATIONS),
    },
)
PROXY = {"proxy": mostly("http://proxy.example:3128", "http://a:b@h:1", "x", "https://p:1")}
QUOTA_NAMES = st.sampled_from(("a", "b"))
URLS = mostly(
    st.sampled_from(
        ("https://v.example", "https://v.example/v1", "http://[::1]:8080", "https://v")
    ),
    "http://v.example",
    "https://v.example/?q",
    "https://\u0131.example",
    "https://v.example:99999",
    "https://" + "a" * 300,
    "https://v.example/" + "a" * 70_000,
    "https://v.example/a b",
    *TEXTS,
)
TOKENS = mostly("token", "a b", "\u00e9", "{env:X}", *TEXTS)
PISANO = mapping(
    {"type": st.just("pisano"), "base_url": URLS, "token": TOKENS, "quota": QUOTA_NAMES},
    {"authorization": mostly("Bearer {token}", "x", "{token}\n", *TEXTS), **PROXY},
)
RADAR = mapping(
    {
        "type": st.just("customer_radar"),
        "base_url": URLS,
        "username": mostly("u", *TEXTS),
        "password": mostly("p", *TEXTS),
        "client": mostly("c", *TEXTS),
        "quota": QUOTA_NAMES,
    },
    {
        "recipient": st.sampled_from(("email", "mobile", "email_or_mobile")),
        "points_of_measure": mostly(st.just({"0042": ["till"]}), {"": []}, {"a": [""]}),
    },
)
TEMPLATE = st.recursive(
    mostly(st.sampled_from(("$phone", "$id", "$data.name", "$campaign", "$$x", 1, True)), *NUMBERS),
    lambda inner: (
        st.dictionaries(st.sampled_from(("a", "b", "", "\u0130")), inner, max_size=2)
        | st.lists(inner, max_size=2)
    ),
    max_leaves=4,
)
BATCH = mapping(
    {
        "type": st.just("http_batch"),
        "base_url": URLS,
        "path": mostly(
            st.sampled_from(("/v2/{campaign}/x", "/v1", "/")),
            "x",
            "/{a}",
            "/\u00e9",
            "/" + "a" * 70_000,
        ),
        "addresses": st.just(["phone"]),
        "body": st.one_of(
            st.just("$campaign"), st.sampled_from((1.5, True, 2**64, -1, [], {"a": "$$x"}))
        ).map(lambda more: {"people": "$recipients", "more": more}),
        "recipient": TEMPLATE.map(lambda more: {"mobile": "$phone", "more": more}),
        "quota": QUOTA_NAMES,
    },
    {
        "headers": mostly(st.just({"X-Key": "k"}), {"Host": "x"}, {"a b": "c"}, {"X": "\u00e9"}),
        "code": mostly("error.code", "a[", "length(@)", "f(a)", *TEXTS),
        "bad_recipient": mostly(
            st.just({"status": [422]}), {"status": [429]}, {"code": [Raw("7")]}
        ),
        "method": mostly(st.sampled_from(("POST", "PUT", "PATCH")), "GET", "post", *TEXTS),
        "encoding": mostly(st.sampled_from(("json", "form")), "xml"),
        "recipients": mostly(st.sampled_from(("list", "one")), "two"),
        "basic_auth": mostly(st.just("user:word"), "word", *TEXTS),
        "oauth": mostly(
            st.just(
                {
                    "token_url": "https://login.example.test/token",
                    "client_id": "me",
                    "client_secret": "hush",
                }
            ),
            {"token_url": "x"},
            {"token_url": "http://a.test", "client_id": "", "client_secret": "x"},
        ),
        "idempotency_key": mostly(st.just("Idempotency-Key"), "X-Key", "a b", "Host", *TEXTS),
        "failed_entries": mostly(
            st.just({"list": "errors[*]", "index": "row"}),
            {"list": "a[", "index": "b"},
            {"list": "a"},
            {"list": "a", "id": "b", "first": 1},
        ),
    },
)
CAMPAIGN = mapping(
    {
        "vendor": st.sampled_from(("p", "r", "h")),
        "channel": st.sampled_from(
            ("sms", "email", "push", "invitation", "link", "generated_link")
        ),
        "id": mostly("c-1", "a/b?c#d", "\u00e9\U0001f600", "a" * 70_000, "..", *TEXTS),
    },
    {
        "window": mapping(
            {},
            {
                "max_batch": mostly(st.sampled_from((1, 5000, 100_000)), *NUMBERS),
                "max_bytes": mostly(st.sampled_from((1, 2**20, 2**30)), *NUMBERS),
                "max_wait": mostly("10m", *DURATIONS),
                "weight": mostly(st.sampled_from((1, 1e-300, 1_000_000)), *NUMBERS),
            },
        ),
        "link": mostly(
            "https://l.example/s?n={name}", "http://x", "https://l/{", "https://l.example"
        ),
        "in_doubt": st.sampled_from(("report", "resend")),
        "max_attempts": mostly(st.sampled_from((1, 100)), *NUMBERS),
        "bisect_calls": mostly(st.sampled_from((0, 100_000)), *NUMBERS),
        "required": mostly(st.just([]), ["name"], [""], ["a.b"]),
        "responses_key": st.just("transactional_data"),
    },
)
MAP = st.dictionaries(st.sampled_from(("name", "x y", "\u0130", "a.b")), EXPRESSION, max_size=3)
DATA = {
    "p": mapping({}, {"custom_attributes": MAP, "built_in_responses": MAP}),
    "r": mapping({"locationDisplayId": EXPRESSION}, {"firstName": EXPRESSION, "metadata": MAP}),
    "h": mapping({"name": EXPRESSION}),
}
"""By the vendor's name."""
ROUTE = mapping(
    {
        "input": st.sampled_from(("i", "i", "j")),
        "recipient": st.just({"phone": "customer.phone", "email": "customer.email"})
        | mapping({"phone": EXPRESSION, "email": EXPRESSION}),
        "send": st.lists(st.sampled_from(("x", "y")), min_size=1, max_size=2, unique=True),
    },
    {
        "match": st.just({"channel": "pos"}) | st.just({}) | MATCHES,
        "phone_region": mostly("TR", "tr", "ZZ", *TEXTS),
        "policy": mapping({}, {"expire_after": mostly("72h", *DURATIONS)}),
    },
)
INPUT = mapping(
    {"format": st.just("json")},
    {
        "routes": st.sampled_from(("first", "all")),
        "event": mapping({}, {"id": mostly("id", "a[", "`1`"), "time": mostly("time", "nothing")}),
        "max_event_bytes": mostly(st.sampled_from((2**20, 1, 100 * 2**20)), *NUMBERS),
    },
)
KAFKA = st.dictionaries(
    st.sampled_from(
        (
            "linger.ms",
            "retries",
            "fetch.max.bytes",
            "compression.type",
            "client.id",
            "max.in.flight",
        )
    ),
    st.sampled_from((5, "5", "zstd", 0, 2_000_000, "x", True, "", Raw("0042"))),
    max_size=1,
)


CHANNELS = (("p", "sms"), ("p", "email"), ("p", "push"), ("r", "invitation"), ("h", "sms"))


def _fit(campaign: dict[str, Any], vendor: str, channel: str) -> None:
    """A campaign of a channel that its vendor has, and with keys that it takes."""
    campaign.pop("link", None)
    campaign.pop("required", None)
    if vendor != "p":
        campaign.pop("responses_key", None)
    campaign |= {"vendor": vendor, "channel": channel}


TABLES = {
    "stores.csv": "id,city\n0042,\u0130zmir\n120,\n",
    "odd.csv": '\ufeffcity;id;\r\n"a\n;""b""";120;\r\n;\u0000;\r\n',
    "twice.csv": "id,city\n1,a\n1,b\n",
    "empty.csv": "",
}
"""Files of tables; what `odd.csv` has is a zero byte."""
TABLE = mapping(
    {
        "file": mostly("stores.csv", *TABLES, "none.csv", "/", *TEXTS),
        "key": mostly("id", "city", "none", *TEXTS),
    },
    {"delimiter": mostly(",", ";", "|", "tab", *TEXTS)},
)


@st.composite
def configs(draw: st.DrawFn) -> str:
    """A config as YAML."""
    tree = {
        "version": 1,
        "application_id": draw(mostly("fuzz", "fuzz.lane.x", "F", *TEXTS)),
        "kafka": {"bootstrap.servers": "localhost:1", **draw(mostly({}, *[draw(KAFKA)]))},
        "pseudonym": {"key_id": "k", "key": draw(mostly("0123456789abcdef", *TEXTS))},
        "quotas": {"a": draw(QUOTA), "b": draw(QUOTA)},
        "vendors": {"p": draw(PISANO), "r": draw(RADAR), "h": draw(BATCH)},
        "campaigns": {"x": draw(CAMPAIGN), "y": draw(CAMPAIGN)},
        "inputs": {name: {"topics": [name], **draw(INPUT)} for name in ("i", "j")},
        "tables": {"stores": draw(TABLE)},
        "routes": [
            {"name": f"r{number}", **draw(ROUTE)} for number in range(draw(st.integers(1, 3)))
        ],
    }
    for campaign in tree["campaigns"].values():
        if draw(mostly(True, False)):
            _fit(campaign, *draw(st.sampled_from(CHANNELS)))
    for route in tree["routes"]:
        route["data"] = draw(DATA[tree["campaigns"][route["send"][0]]["vendor"]])
    return written(tree)


@dataclass
class ConfigFuzz:
    """What was tried, accepted and called, and what raised, by exception and place."""

    folder: Path
    tried: int = 0
    accepted: int = 0
    invited: int = 0
    called: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    last: Config | None = None

    def __post_init__(self) -> None:
        for name, text in TABLES.items():
            (self.folder / name).write_text(text, encoding="utf-8")

    def one(self, text: str) -> None:
        """Read a config, and run it if it is one."""
        self.tried += 1
        path = self.folder / "routing.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            try:
                config = read(path)
            except ConfigError:
                return
            self.accepted += 1
            self.run(config)
            self.last = config
        except Exception as error:  # noqa: BLE001 - to find them is what this is for
            self._note(error, text)

    def run(self, config: Config) -> None:
        """One event, from the router to the vendors' answers; then over from the last config."""
        vendors = build_vendors(config)
        build_accounts(config, vendors, lambda: NOW)
        records = [
            InputRecord(topic, 0, number, json.dumps(EVENT).encode())
            for number, topic in enumerate(config.input_topics)
        ]
        routed = build_router(config, vendors).route(records, NOW)
        defects = [each for each in routed.dead_letters if each.reason is DeadLetterReason.INTERNAL]
        assert not defects, defects[0].message
        for name in config.lanes:
            own = [invitation.value for invitation in routed.invitations if invitation.lane == name]
            self.invited += len(own)
            self.lane(config, name, vendors, own)
        if self.last is not None:
            compare(self.last, config)

    def lane(
        self, config: Config, name: str, vendors: dict[str, Vendor], values: list[bytes]
    ) -> None:
        """A lane gets the invitations of the event and makes its calls."""
        made = replace(lane_settings(config, name), first_start_full=False)
        assert all(limit.name for limit in made.limits)
        driver = Driver(lane(made))
        driver.read(
            *(PendingInvitation.read(offset, value, NOW) for offset, value in enumerate(values))
        )
        for login in driver.logins:
            driver.lane.logged_in(login, NOW + 3600, NOW)
        wait = max((limit.period for limit in made.limits), default=made.linger)
        driver.step(NOW + wait + made.skew + made.linger)
        for batch in driver.batches:
            campaign = config.campaigns[batch.campaign]
            vendor = vendors[campaign.vendor]
            call = vendor.build(
                campaign, [decode_call_parts(held.value) for held in batch.invitations], "token"
            )
            where = config.vendors[campaign.vendor].base_url + call.path
            httpx.Request(call.method, where, headers=dict(call.headers), content=call.body)
            vendor.read(Answer(200, {}, b"{}"))
            self.called += 1
            driver.answer(batch, ACCEPTED, NOW + wait)
        if self.last is not None and name in self.last.lanes:
            driver.lane.reconfigure(lane_settings(self.last, name), NOW + wait)
            driver.step(NOW + 2 * wait)

    def _note(self, error: Exception, text: str) -> None:
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = "" if place is None else f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
        what = f"{type(error).__name__}: {str(error)[:200]} at {where}"
        if what not in self.failures:
            sys.stderr.write(f"{what}\n{text[:3000]}\n")
        self.failures[what] += 1


def feed(fuzz: ConfigFuzz, examples: int, number: int) -> None:
    """Made-up configs, the same for the same number."""

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(configs())
    def one(text: str) -> None:
        fuzz.one(text)

    one()


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.configs", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    wanted = parser.parse_args()
    until, number = time.monotonic() + 60 * wanted.minutes, wanted.seed
    with TemporaryDirectory() as folder:
        fuzz = ConfigFuzz(Path(folder))
        while time.monotonic() < until:
            feed(fuzz, 50, number)
            number += 1
    told = [
        (
            f"seed {wanted.seed}: {fuzz.tried:,} configs, {fuzz.accepted:,} accepted, "
            f"{fuzz.invited:,} invitations, {fuzz.called:,} calls"
        ),
        *(f"{n:,} × {what}" for what, n in fuzz.failures.items()),
    ]
    sys.stdout.write("\n  ".join(told) + "\n")
    return bool(fuzz.failures)


if __name__ == "__main__":
    sys.exit(_main())
