"""Links: what a template may be, and that no customer's value leaves its place in one."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.records.fields import LINK_LIMIT
from consumer.routing.link import EXAMPLE, GIVEN, compile_link, entry_of, names_in

EVERYWHERE = "https://survey.example/s/{code}/x-{shop}?name={name}&tag=a-{shop}&fix=1#at/{code}"
ESCAPES = "&=?#/\\%+:;@'\"<>{}[] \t\r\n\x00\x7f\u2028"
"""Characters that mean something in a URL, in HTML or to a header."""
VALUES = st.text(st.sampled_from(ESCAPES) | st.characters(codec="utf-8"), max_size=30)
NONEMPTY = VALUES.filter(lambda value: value not in {"", ".", ".."})


# ---- filling ---------------------------------------------------------------------------------


def test_values_are_percent_encoded_in_their_places() -> None:
    made = compile_link(EVERYWHERE).fill({"code": "a/b", "shop": "İzmir", "name": "Ada & Co"})
    assert made == (
        "https://survey.example/s/a%2Fb/x-%C4%B0zmir?name=Ada%20%26%20Co&tag=a-%C4%B0zmir&fix=1"
        "#at/a%2Fb"
    )


@given(NONEMPTY, VALUES, NONEMPTY)
def test_every_value_comes_back_as_it_was_and_changes_nothing_else(
    code: str, name: str, shop: str
) -> None:
    """As any reader of URLs takes it apart: the same host, steps, keys; the values decoded."""
    made = compile_link(EVERYWHERE).fill({"code": code, "shop": shop, "name": name})
    assert made is not None
    assert made.isascii()
    assert made.isprintable()
    assert " " not in made
    parts = urlsplit(made)
    assert (parts.scheme, parts.netloc) == ("https", "survey.example")
    assert [unquote(step) for step in parts.path.split("/")] == ["", "s", code, f"x-{shop}"]
    query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)
    assert query == [("name", name), ("tag", f"a-{shop}"), ("fix", "1")]
    assert unquote(parts.fragment) == f"at/{code}"


@given(st.dictionaries(st.sampled_from(["code", "shop", "name"]), VALUES))
def test_a_link_is_made_only_if_nothing_but_a_whole_parameter_is_missing(
    values: dict[str, str],
) -> None:
    made = compile_link(EVERYWHERE).fill(values)
    sound = values.get("code") not in {None, "", ".", ".."} and bool(values.get("shop"))
    assert (made is not None) == sound
    if made is not None:
        assert ("?name=" in made) == ("name" in values)


@pytest.mark.parametrize(
    ("template", "values", "expected"),
    [
        ("https://a.example/?n={n}", {}, "https://a.example/"),
        ("https://a.example?n={n}", {}, "https://a.example"),
        ("https://a.example/?n={n}&m={m}&k=1", {"m": "2"}, "https://a.example/?m=2&k=1"),
        ("https://a.example/?n={n}#end", {}, "https://a.example/#end"),
        ("https://a.example/?n={n}", {"n": ""}, "https://a.example/?n="),
        ("https://a.example/?n={n}{m}", {"n": "1"}, None),
        ("https://a.example/?n=x{n}", {}, None),
        ("https://a.example/?n={n}x", {}, None),
        ("https://a.example/?n=a={n}", {}, None),
        ("https://a.example/?{n}=1", {}, None),
        ("https://a.example/?{n}=1", {"n": "a=b"}, "https://a.example/?a%3Db=1"),
        ("https://a.example/?{n}", {}, None),
        ("https://a.example/{n}", {}, None),
        ("https://a.example/{n}", {"n": ""}, None),
        ("https://a.example/#{n}", {}, None),
        ("https://a.example/#{n}", {"n": ""}, "https://a.example/"),
    ],
)
def test_what_a_missing_value_leads_to(
    template: str, values: dict[str, str], expected: str | None
) -> None:
    assert compile_link(template).fill(values) == expected


@pytest.mark.parametrize("value", [".", ".."])
@pytest.mark.parametrize(
    "template", ["https://a.example/s/{n}", "https://a.example/{n}/s", "https://a.example/%2E{n}"]
)
def test_no_value_leads_to_another_path(template: str, value: str) -> None:
    """A browser takes `/s/../admin` for `/admin`."""
    expected = None if "%2E" not in template or value == "." else "https://a.example/%2E.."
    assert compile_link(template).fill({"n": value}) == expected


def test_dots_that_are_no_steps_may_stay() -> None:
    template = compile_link("https://a.example/{n}?n={n}#{n}")
    assert template.fill({"n": "..."}) == "https://a.example/...?n=...#..."
    assert compile_link("https://a.example/?n={n}").fill({"n": ".."}) == "https://a.example/?n=.."


def test_a_link_that_is_too_long_is_none() -> None:
    template = compile_link("https://a.example/?n={n}")
    room = LINK_LIMIT - len("https://a.example/?n=")
    assert len(template.fill({"n": "x" * room}) or "") == LINK_LIMIT == 8_000
    assert template.fill({"n": "x" * (room + 1)}) is None


def test_without_names_a_link_is_the_same_for_all() -> None:
    assert compile_link("https://a.example/s?x=1").fill({}) == "https://a.example/s?x=1"


# ---- templates -------------------------------------------------------------------------------


def test_the_names_of_a_template_in_their_order() -> None:
    assert compile_link(EVERYWHERE).names == ("code", "shop", "name")
    assert compile_link(EXAMPLE).names == ("name", "external_id")


def test_the_keys_of_data_that_a_template_takes() -> None:
    text = "https://a.example/{name}?{attributes.id}&{phone}&{email}&{event_id}&{pseudonym}"
    fields, maps = compile_link(text).keys()
    assert fields == {"name", "attributes.id"}
    assert maps == {"attributes"}
    assert set(GIVEN) == {"phone", "email", "event_id", "pseudonym"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must begin with https:// and a host"),
        ("http://a.example/{n}", "must begin with https:// and a host"),
        ("//a.example/{n}", "must begin with https:// and a host"),
        ("{n}", "must begin with https:// and a host"),
        ("https://", "must begin with https:// and a host"),
        ("https:///path", "must begin with https:// and a host"),
        ("https://?n={n}", "must begin with https:// and a host"),
        ("https://{n}.example/", "the host must not come from a customer's data"),
        ("https://a.example:{n}/", "the host must not come from a customer's data"),
        ("https://{n}@a.example/", "the host must not come from a customer's data"),
        ("https://me:secret@a.example/", "must not contain a user name or password"),
        ("https://a.example:port/", "the host is none"),
        ("https://a.example/{n", "position 18: braces hold a name of letters, digits, _ . -"),
        ("https://a.example/n}", "position 19: braces hold a name of letters, digits, _ . -"),
        ("https://a.example/{}", "position 18: braces hold a name of letters, digits, _ . -"),
        ("https://a.example/{{n}}", "position 18: braces hold a name of letters, digits, _ . -"),
        ("https://a.example/{a b}", "position 18: braces hold a name of letters, digits, _ . -"),
        ("https://a.example/{a&b}", "position 18: braces hold a name of letters, digits, _ . -"),
        ("https://a.example/é", "position 18: this character must be percent-encoded"),
        ("https://a.example/ {n}", "position 18: this character must be percent-encoded"),
        ("https://a.example/{n}\n", "position 21: this character must be percent-encoded"),
        ("https://a.example/100%", "position 21: this character must be percent-encoded"),
        ("https://a.example/%{n}", "position 18: this character must be percent-encoded"),
        ("https://a.example\\b", "position 17: this character must be percent-encoded"),
        ("https://a.example/#a#{n}", "there is more than one #"),
        ("https://a.example/../{n}", "the path must not have . or .. between two slashes"),
        ("https://a.example/%2e%2E/{n}", "the path must not have . or .. between two slashes"),
    ],
)
def test_what_is_no_template(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"position|https|host|#|path|user") as refused:
        compile_link(text)
    assert str(refused.value) == message


@given(st.text(st.sampled_from("https:/.?#&={}%2en@ é"), max_size=20))
def test_compiling_raises_nothing_but_a_sentence(text: str) -> None:
    try:
        template = compile_link("https://a.example/" + text)
    except ValueError:
        return
    made = template.fill(dict.fromkeys(template.names, "x"))
    assert made is None or made.startswith("https://a.example/")


# ---- names in a route's data -----------------------------------------------------------------

DATA = {"name": "customer.name", "a.b": "flat", "map": {"id": "customer.id", "x.y": "z"}, "a": {}}


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("name", "customer.name"),
        ("a.b", "flat"),
        ("map.id", "customer.id"),
        ("map.x.y", "z"),
        ("map", None),
        ("map.none", None),
        ("name.id", None),
        ("none", None),
    ],
)
def test_a_name_is_a_flat_key_or_an_entry_of_a_map(name: str, expression: str | None) -> None:
    assert entry_of(DATA, name) == expression


def test_all_names_that_a_link_may_use() -> None:
    assert names_in(DATA) == ["name", "a.b", "map.id", "map.x.y"]
    assert all(entry_of(DATA, name) for name in names_in(DATA))
