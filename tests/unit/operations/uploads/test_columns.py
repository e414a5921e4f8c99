"""Columns: where each stands in the event, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.errors import OperationError
from consumer.operations.uploads.columns import Columns, UnfitCellError, mapping_of

HEADER = ["customer.phone", "Müşteri Adı", "", "Tutar", "Not"]


def test_a_header_is_a_path_or_a_key_or_what_a_mapping_says() -> None:
    columns = Columns(HEADER, {"Tutar": "basket.total", "Not": ""})
    cells = ["0532", "Ada", "nameless", "12,50", "secret"]
    assert columns.event(cells) == {
        "customer": {"phone": "0532"},
        "Müşteri Adı": "Ada",
        "basket": {"total": "12,50"},
    }
    assert columns.names == ["customer.phone", "Müşteri Adı", "Tutar", "Not"]
    assert columns.event(["", "", "", "", ""]) == {}


def test_the_content_of_a_row_is_that_of_all_named_columns_in_any_order() -> None:
    one = Columns(["b", "a", ""], {"b": ""})
    other = Columns(["a", "b", "c"], {"a": "x.y"})
    assert one.content(["2", "1", "9"]) == other.content(["1", "2", ""]) == ["a", "1", "b", "2"]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("Evet", True),
        ("TRUE", True),
        ("1", True),
        ("HAYIR", False),
        ("hayır", False),
        ("No", False),
    ],
)
def test_a_cell_of_a_boolean_column_is_true_or_false(cell: str, value: bool) -> None:
    columns = Columns(["İzin"], {"İzin": "consent.sms:boolean"})
    assert columns.event([cell]) == {"consent": {"sms": value}}
    assert columns.event([""]) == {}


def test_another_cell_of_a_boolean_column_is_unfit() -> None:
    with pytest.raises(UnfitCellError) as refused:
        Columns(["İzin"], {"İzin": "consent.sms:boolean"}).event(["belki"])
    assert refused.value.column == "İzin"
    assert "belki" not in str(refused.value)


@pytest.mark.parametrize(
    ("header", "mapping", "message"),
    [
        (["a", "a"], {}, "names the column 'a' twice"),
        (["", ""], {}, "has no header"),
        (["0532 123 45 67", "b"], {}, "lacks its header"),
        (["ada@example.com"], {}, "lacks its header"),
        (["Telefon"], {"Telefn": "phone"}, "no such column .*Telefon"),
        (["Telefon"], {"Telefon": "a[0]"}, "expected a path"),
        (["Telefon"], {"Telefon": "a..b"}, "expected a path"),
        (["a", "b"], {"b": "a.c"}, "cannot both be kept"),
        (["a", "b"], {"b": "a"}, "cannot both be kept"),
    ],
)
def test_what_cannot_be_is_refused(
    header: list[str], mapping: dict[str, str], message: str
) -> None:
    with pytest.raises(OperationError, match=message) as refused:
        Columns(header, mapping)
    assert "0532" not in str(refused.value)
    assert "ada@" not in str(refused.value)


def test_a_column_that_an_option_names_must_be_there() -> None:
    columns = Columns(["Fiş No", "Tarih"], {})
    assert columns.place_of("Tarih", "--time") == 1
    with pytest.raises(OperationError, match=r"--id names 'Fis No'.*Fiş No"):
        columns.place_of("Fis No", "--id")


def test_a_mapping_of_options_wins_over_that_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "columns.yaml"
    file.write_text("Telefon: phone\nNot:\nAd: name\n", "utf-8")
    assert mapping_of(["Telefon = customer.phone"], file) == {
        "Telefon": "customer.phone",
        "Not": "",
        "Ad": "name",
    }
    assert mapping_of(["a=b=c"], None) == {"a": "b=c"}


@pytest.mark.parametrize("text", ["- a", "a: [", "a: 1", "\xff"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "columns.yaml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(OperationError, match=r"columns\.yaml"):
        mapping_of([], file)
    with pytest.raises(OperationError, match="cannot be read"):
        mapping_of([], tmp_path / "none.yaml")
    with pytest.raises(OperationError, match="expected HEADER=PATH"):
        mapping_of(["Telefon"], None)
