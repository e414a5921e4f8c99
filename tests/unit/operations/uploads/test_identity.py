"""Identities of rows, and the store that knows which were sent."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from consumer.operations.uploads.identity import SIZE, RowIdentity
from consumer.operations.uploads.row_store import RowStore

KEY = b"a-key-for-tests-only"
contents = st.lists(st.text(max_size=5), max_size=4)


def identities(rows: Sequence[Sequence[str]], maker: RowIdentity) -> list[bytes]:
    with closing(RowStore()) as store:
        bases = [maker.base(row) for row in rows]
        return [maker.nth(base, store.ordinal(base)) for base in bases]


@given(st.lists(contents, max_size=12))
def test_each_row_of_a_file_has_an_identity_of_its_own(rows: list[list[str]]) -> None:
    """Equal rows too; and a second reading of the file finds the same ones."""
    maker = RowIdentity(KEY, "store", by_id=False)
    found = identities(rows, maker)
    assert len(set(found)) == len(rows)
    assert all(len(identity) == SIZE for identity in found)
    assert identities(rows, maker) == found


@given(st.lists(contents, min_size=1, max_size=12), st.data())
def test_the_order_of_rows_does_not_matter_and_a_mended_row_is_the_only_new_one(
    rows: list[list[str]], data: st.DataObject
) -> None:
    maker = RowIdentity(KEY, "store", by_id=False)
    before = set(identities(rows, maker))
    assert set(identities(data.draw(st.permutations(rows)), maker)) == before
    at = data.draw(st.integers(0, len(rows) - 1))
    mended = [*rows[:at], [*rows[at], "mended"], *rows[at + 1 :]]  # longer than any cell
    assert len(set(identities(mended, maker)) - before) == 1


def test_route_kind_and_key_are_part_of_an_identity() -> None:
    makers = [
        RowIdentity(KEY, "store", by_id=False),
        RowIdentity(KEY, "web", by_id=False),
        RowIdentity(KEY, "store", by_id=True),
        RowIdentity(KEY + b"2", "store", by_id=False),
    ]
    assert len({maker.base(["n1"]) for maker in makers}) == 4


def test_cells_do_not_run_into_each_other() -> None:
    maker = RowIdentity(KEY, "store", by_id=False)
    assert maker.base(["a", "b", "c"]) != maker.base(["a", "bc"]) != maker.base(["ab", "c"])


def test_an_identity_stays_the_same_over_releases() -> None:
    """`.uploaded` remembers it for ever: another one would send all files again."""
    maker = RowIdentity(KEY, "store", by_id=False)
    base = maker.base(["Telefon", "0532 123 45 67"])
    assert base.hex() == "fa8549884254f004b7a8e927d7d8550a"
    assert maker.nth(base, 1).hex() == "e9e8fceb6a78371332e13f33c650800c"
    assert (
        RowIdentity(KEY, "store", by_id=True).base(["n1"]).hex()
        == "a50c270df5e735c63c28c74ea20a0c9f"
    )


def test_the_store_knows_what_was_sent_and_which_rows_go() -> None:
    one, other = bytes(range(16)), bytes(range(1, 17))
    with closing(RowStore()) as store:
        store.add_sent([one, one])
        assert store.was_sent(one)
        assert not store.was_sent(other)
        assert [store.ordinal(one), store.ordinal(one), store.ordinal(other)] == [0, 1, 0]
        store.add_row(one)
        store.add_row(None)
        assert list(store.rows()) == [one, None]
        store.begin_file()
        assert list(store.rows()) == []
        assert store.ordinal(one) == 0
        assert store.was_sent(one)
