"""What subcommands write: tables, bars, and the record that `report` reads."""

import json

from benchmarks import results
from benchmarks.results import Bar, Table


def test_a_table_is_its_title_its_aligned_rows_and_its_notes():
    table = Table("times", ["step", "ms"], [["W1", "0.5"]], ["on one thread"])
    assert str(table).splitlines() == [
        "times",
        "step |  ms",
        "-----+----",
        "W1   | 0.5",
        "on one thread",
    ]


def test_notes_are_told_once():
    tables = [Table("a", ["x"], [["1"]], ["both", "first"]), Table("b", ["x"], [["2"]], ["both"])]
    said = set()
    assert [table.notes for table in results.once(tables, said)] == [["both", "first"], []]
    [table] = results.once([Table("c", ["x"], [["3"]], ["first", "new"])], said)
    assert (table.title, table.rows, table.notes) == ("c", [["3"]], ["new"])


def test_a_bar_is_met_up_to_its_value():
    assert str(Bar("peak", 1.2, 1.2, "x torch")) == "peak: 1.2 x torch, bar 1.2 met"
    assert str(Bar("ratio", 1.2, 1.21)) == "ratio: 1.21, bar 1.2 MISSED"


def test_a_record_holds_what_the_report_reads(tmp_path):
    path = tmp_path / "record.json"
    results.write(
        *(path, "start"),
        tables=[Table("t", ["a"], [["1"]], ["n"])],
        bars=[Bar("import", 30.0, 43.0, "ms")],
        pictures=[tmp_path / "p.png"],
        seconds=[0.1],
    )
    record = json.loads(path.read_text())
    assert record.pop("machine") == results.machine()
    assert record == {
        "command": "start",
        "tables": [{"title": "t", "head": ["a"], "rows": [["1"]], "notes": ["n"]}],
        "bars": [{"figure": "import", "bar": 30.0, "value": 43.0, "unit": "ms", "met": False}],
        "pictures": [str(tmp_path / "p.png")],
        "seconds": [0.1],
    }


def test_contenders_that_are_not_installed_are_left_out_with_a_line(monkeypatch, capsys):
    monkeypatch.setattr(results, "installed", lambda distribution: "")
    assert results.present(["eager", "torch"]) == ["eager"]
    assert capsys.readouterr().out.startswith("torch left out: torch is not installed (pip")
    assert results.machine()["torch"] is None
