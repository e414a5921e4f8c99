"""An upload without Kafka: what is found, what becomes of each row, report and forecast."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from consumer.config.load import load
from consumer.config.models import Config
from consumer.errors import OperationError
from consumer.lane.state.settings import Limit
from consumer.operations.uploads.call_forecast import duration, forecast
from consumer.operations.uploads.csv_file import CsvFile
from consumer.operations.uploads.report import HEADS
from consumer.operations.uploads.row_checks import Batch, Checked, Note
from consumer.operations.uploads.row_store import RowStore
from consumer.operations.uploads.upload import Asked, Upload
from consumer.operations.uploads.view import FirstNotes, show_checks, show_preview
from consumer.records.fields import rfc3339
from consumer.simulate.simulate import synthetic_lane
from consumer.wiring.build import lane_settings
from tests.unit.routing.test_router import BASE, rule

NOW = 1_795_361_827.0
HEADER = "Telefon;E-posta;Ad;Onay;Kayıt"
MAPPING = {"Telefon": "customer.phone", "E-posta": "customer.email", "Ad": "customer.name"}
STORE = rule(
    data={"custom_attributes": {"name": "customer.name"}},
    policy={"expire_after": "3d"},
)


def config_of(*routes: dict[str, Any], **changes: object) -> Config:
    inputs = {"pos": {"topics": ["pos"], "format": "json"}}
    return load(
        orjson.dumps({**BASE, "inputs": inputs, "routes": routes} | changes).decode(), env={}
    )


CONFIG = config_of(STORE)


def upload_of(
    folder: Path, lines: str, config: Config = CONFIG, name: str = "store", **asked: Any
) -> Upload:
    path = folder / "rows.csv"
    path.write_text(f"{HEADER}\n{lines}", "utf-8")
    mapping: Mapping[str, str] = asked.pop("mapping", MAPPING)
    return Upload(config, CsvFile.find(path, None, None), Asked(name, mapping, **asked), NOW)


@contextmanager
def silent(_name: str) -> Iterator[Callable[[int], None]]:
    yield lambda _read: None


def check(
    upload: Upload, *sent: bytes, report: Path | None = None
) -> tuple[Checked, list[Note], list[bytes | None]]:
    notes: list[Note] = []
    with closing(RowStore()) as store:
        store.add_sent(sent)
        checked = upload.check(store, NOW, silent, notes.append, report)
        rows = list(store.rows())
        values = [orjson.loads(value) for _, value, _ in upload.rows_to_send(store)]
    assert len(rows) == checked.rows
    assert len(values) == checked.sending == checked.rows - checked.held.total()
    return checked, notes, rows


def reasons(notes: list[Note]) -> list[tuple[int, str]]:
    return [(note.row, note.reason) for note in notes]


GOOD = "0532 1234567;;Ada;;"


def test_each_row_that_is_not_sent_has_its_reason(tmp_path: Path) -> None:
    lines = [GOOD, "0532 12;;Ali;;", ";;Can;;", f"{GOOD};;", ";;;;", "0532 1234568;;Ç\0;;", GOOD]
    checked, notes, rows = check(upload_of(tmp_path, "\n".join(lines)))
    assert reasons(notes) == [
        (3, "invalid_recipient"),
        (4, "no_recipient"),
        (5, "unreadable"),
        (6, "unreadable"),
        (7, "unreadable"),
    ]
    assert "phone: is too short for a phone number" in notes[0].meaning
    assert "the event has none at `customer.phone`" in notes[1].meaning
    assert [row is not None for row in rows] == [True, False, False, False, False, False, True]
    assert checked.invitations == {Batch("cloud", "sms"): 2}


def test_a_row_that_was_sent_before_is_not_sent_and_a_mended_one_is(tmp_path: Path) -> None:
    lines = [GOOD, GOOD, "12;;Ali;;"]
    _, _, rows = check(upload_of(tmp_path, "\n".join(lines)))
    sent = [row for row in rows if row is not None]
    assert len(sent) == 2
    lines[2] = "0533 1234567;;Ali;;"
    checked, notes, rows = check(upload_of(tmp_path, "\n".join(lines)), *sent)
    assert reasons(notes) == [(2, "sent_before"), (3, "sent_before")]
    assert checked.sending == 1


def test_a_row_that_was_sent_under_a_former_key_is_known(tmp_path: Path) -> None:
    _, _, rows = check(upload_of(tmp_path, GOOD))
    former = {"key_id": "k1", "key": BASE["pseudonym"]["key"]}
    key = {"key_id": "k2", "key": "another-key-for-tests", "previous": [former]}
    _, notes, _ = check(upload_of(tmp_path, GOOD, config_of(STORE, pseudonym=key)), rows[0] or b"")
    assert reasons(notes) == [(2, "sent_before")]


def test_an_id_knows_a_row_whatever_else_it_says(tmp_path: Path) -> None:
    lines = "0532 1234567;;n1;;\n0532 1234568;;n2;;\n0532 1234569;;n1;;\n0532 1234560;;;;"
    _, notes, rows = check(upload_of(tmp_path, lines, id_column="Ad"))
    assert reasons(notes) == [(4, "repeated"), (5, "unreadable")]
    _, notes, _ = check(upload_of(tmp_path, "0539 9999999;;n2;;", id_column="Ad"), rows[1] or b"")
    assert reasons(notes) == [(2, "sent_before")]


def test_a_row_that_a_rule_suppresses_goes_to_the_router_for_its_result(tmp_path: Path) -> None:
    config = config_of(
        {**STORE, "policy": {"consent": {"sms": "consent.sms"}, "expire_after": "3d"}}
    )
    mapping = MAPPING | {"Onay": "consent.sms:boolean"}
    lines = "0532 1234567;;Ada;evet;\n0532 1234568;;Ali;hayır;\n0532 1234569;;Can;belki;"
    upload = upload_of(tmp_path, lines, config, mapping=mapping)
    checked, notes, _ = check(upload)
    assert reasons(notes) == [(3, "no_consent"), (4, "unreadable")]
    assert [note.is_held for note in notes] == [False, True]
    assert notes[1].columns == ("Onay",)
    assert (checked.sending, checked.suppressed) == (2, {"no_consent": 1})


@pytest.mark.parametrize(
    ("form", "cell", "time"),
    [
        (None, "2026-11-22T18:00:00+03:00", "2026-11-22T18:00:00+03:00"),
        (None, "2026-11-22 18:00", "2026-11-22T15:00:00Z"),
        ("%d.%m.%Y %H:%M", "22.11.2026 18:00", "2026-11-22T15:00:00.000Z"),
        ("%d.%m.%Y %H:%M %z", "22.11.2026 18:00 +0100", "2026-11-22T17:00:00.000Z"),
        (None, "22.11.2026", None),
        ("%d.%m.%Y", "2026-11-22", None),
        (None, "", None),
    ],
)
def test_the_time_of_a_row_is_its_columns(
    tmp_path: Path, form: str | None, cell: str, time: str | None
) -> None:
    upload = upload_of(
        tmp_path,
        f"0532 1234567;;Ada;;{cell}",
        time_column="Kayıt",
        time_form=form,
        zone="Europe/Istanbul",
    )
    _, notes, rows = check(upload)
    if time is None:
        assert (reasons(notes), notes[0].columns) == ([(2, "unreadable")], ("Kayıt",))
        return
    value = orjson.loads(upload.records.value(rows[0] or b"", upload.sample[0].cells))
    assert value["time"] == time


def test_an_old_row_expires_and_a_waiting_one_counts_from_its_time(tmp_path: Path) -> None:
    old = f"0532 1234567;;Ada;;{rfc3339(NOW - 4 * 86_400)}"
    checked, notes, _ = check(upload_of(tmp_path, old, time_column="Kayıt"))
    assert (reasons(notes), checked.sending) == ([(2, "too_old")], 0)
    due = NOW + 30 * 86_400
    checked, notes, _ = check(upload_of(tmp_path, GOOD, not_before=due))
    assert (notes, checked.first_due, checked.last_due) == ([], due, due)


def test_the_preview_says_what_is_found_where_and_what_nothing_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upload = upload_of(tmp_path, f"{GOOD}\n;ada.canary@example.com;Çağla Canary;x;")
    parts = {one.name: (one.columns, one.rows, one.example) for one in upload.preview.found}
    assert parts["phone"] == (["Telefon"], 1, "05…67")
    assert parts["email"] == (["E-posta"], 1, "ad…om")
    assert parts["custom_attributes.name"] == (["Ad"], 2, "<text of 3>")
    assert upload.preview.unread == ["Onay", "Kayıt"]
    show_preview(CONFIG, upload)
    shown = capsys.readouterr().out
    assert "nothing reads these columns: Onay, Kayıt" in shown
    assert "letters beyond ASCII in the first rows: Çağ" not in shown  # sorted, each once
    assert "Çğ" in shown
    assert not re.search("canary|Canary|1234567|Ada", shown)


def test_a_route_that_finds_no_address_is_refused_with_the_option_that_mends_it(
    tmp_path: Path,
) -> None:
    with pytest.raises(OperationError) as refused:
        upload_of(tmp_path, GOOD, mapping={})
    assert '--column "Telefon=customer.phone"' in str(refused.value)
    assert "1234567" not in str(refused.value)


def test_a_route_that_cannot_take_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match="no route shop; there are: store"):
        upload_of(tmp_path, GOOD, name="shop")
    items = config_of({**STORE, "for_each": "items"})
    with pytest.raises(OperationError, match="for_each"):
        upload_of(tmp_path, GOOD, items)


def test_what_hinders_the_route_is_said_before_anything_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = {"consent": {"sms": "Onay"}, "expire_after": "3d"}
    config = config_of({**STORE, "paused": True, "mode": "shadow", "policy": policy})
    show_preview(config, upload_of(tmp_path, "0532 1234567;;Ada;evet;", config, not_before=NOW + 9))
    said = capsys.readouterr().err
    for part in ("in mode shadow", "route store is paused", "Onay:boolean", "is sent before 2026"):
        assert part in said


def test_the_report_has_row_reason_and_columns_and_no_cell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.csv"
    upload = upload_of(tmp_path, f'{GOOD}\n0532 12;;"Çağla\nCanary";;\n;;Can;;', report=report)
    checked, notes, _ = check(upload, report=report)
    with report.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert tuple(head) == HEADS
    assert [row[:4] for row in rows] == [
        ["3", "3", "not sent", "invalid_recipient"],
        ["4", "5", "not sent", "no_recipient"],
    ]
    assert rows[0][5] == "Telefon"
    assert "Canary" not in report.read_text("utf-8")
    assert report.stat().st_mode & 0o077 == 0
    first = FirstNotes()
    for note in notes:
        first.take(note)
    lanes = forecast(checked, {"cloud": lane_settings(CONFIG, "cloud")}, NOW)
    show_checks(upload, checked, first.notes, lanes)
    shown = capsys.readouterr().out
    assert "too short" in shown
    assert "Canary" not in shown


def test_a_report_replaces_an_earlier_report_and_nothing_else(tmp_path: Path) -> None:
    report = tmp_path / "report.csv"
    for _ in range(2):
        check(upload_of(tmp_path, GOOD, report=report), report=report)
    report.write_text("important", "utf-8")
    upload = upload_of(tmp_path, GOOD, report=report)
    with pytest.raises(OperationError, match="is no report"):
        check(upload, report=report)
    with pytest.raises(OperationError, match="is the file that is sent"):
        check(upload, report=upload.file.path)
    assert report.read_text("utf-8") == "important"
    with pytest.raises(OperationError, match="cannot be written"):
        check(upload, report=tmp_path / "none" / "report.csv")


def test_the_forecast_asks_the_lanes_own_limiter() -> None:
    """5,000 in a call, 20 calls in 5 s: the 41st call waits for two periods, with their skew."""
    lane = synthetic_lane(["sms"], [Limit(20, 5.0)], 1.0)
    assert duration(1, lane) == duration(20, lane) == 0.0
    assert 5.0 < duration(21, lane) < 9.0
    assert 10.0 < duration(41, lane) < 18.0
    assert duration(10_000, lane) == pytest.approx(2 * duration(5_000, lane), rel=0.01)
    assert duration(10_000, synthetic_lane(["sms"], [], 1.0)) == 0.0
    checked = Checked(first_due=NOW, last_due=NOW)
    batch = Batch("cloud", "sms")
    checked.invitations[batch], checked.bytes[batch] = 100_001, 1
    (told,) = forecast(checked, {"cloud": lane}, NOW)
    assert (told.calls, told.invitations) == (21, 100_001)
    assert told.last_at == NOW + told.seconds
    checked.bytes[batch] = 1000 * 10 * 2**20
    assert forecast(checked, {"cloud": lane}, NOW)[0].calls == 1000
    checked.first_due = checked.last_due = NOW + 86_400
    assert forecast(checked, {"cloud": lane}, NOW)[0].last_at > NOW + 86_400
