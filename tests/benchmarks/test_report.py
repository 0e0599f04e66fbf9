"""The page about all benchmarks: the subcommand `report`."""

import argparse
import json
from html.parser import HTMLParser

import pytest

from benchmarks import results
from benchmarks.report import command, comparisons, html, markdown, page, records
from benchmarks.results import Bar, Table

PIXEL = bytes.fromhex("89504e470d0a1a0a")
MACHINE = {
    **{"date": "2026-11-26", "processor": "Xeon", "processors": 2, "system": "Linux"},
    **{"python": "3.11.7", "numpy": "2.4.6", "blas": "openblas", "torch": "2.13.0", "jax": None},
}
STEPS = {
    "W1": {
        **{"hand": [2e-5, 2e-5], "eager": [4e-5, 4e-5], "compiled": [1e-5, 1e-5]},
        **{"torch": [2e-5, 2e-5], "jax": [2e-5, 2e-5]},
    },
    "W8": {"eager": [3e-3, 3e-3], "compiled": [2e-3, 2e-3], "torch": [1e-3, 1e-3]},
    "W12/10": {"eager": [1e-5, 1e-5]},
}


def asked(*given):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["report", *map(str, given)])


@pytest.fixture
def speed(tmp_path):
    """What `speed --json` writes, with a picture."""
    picture = tmp_path / "steps.png"
    picture.write_bytes(PIXEL)
    path = tmp_path / "speed.json"
    results.write(
        *(path, "speed"),
        tables=[Table("W1: <small>", ("who", "us"), [("eager | a", "4 MISSED")], ["a note"])],
        bars=[Bar("W1 eager / torch", 0.5, 2.0, "x"), Bar("W1 compiled / hand", 0.6, 0.5)],
        pictures=[picture, tmp_path / "lost.png"],
        **{"seconds per step": STEPS, "rounds": 2, "threads": 1, "dtype": "float32"},
    )
    record = json.loads(path.read_text()) | {"machine": MACHINE}
    path.write_text(json.dumps(record))
    return path


class Cells(HTMLParser):
    """The texts and classes of table cells, and the sources of images."""

    def __init__(self, text):
        super().__init__()
        self.open, self.cells, self.missed, self.images = [], [], 0, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.images.append(dict(attributes)["src"])
        elif tag not in {"meta"}:
            self.open.append(tag)
        self.missed += dict(attributes).get("class") == "missed"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "td":
            self.cells.append(data)


def test_the_report_begins_with_where_a_peer_is_ahead(speed, tmp_path):
    given = asked("--out", tmp_path / "out", "--from", speed)
    assert given.run(given) == 0
    text = (tmp_path / "out" / "report.md").read_text()
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings[:2] == ["## Where a peer is faster or smaller", "## Figures to reach"]
    assert "In 3 of 5 comparisons." in text
    rows = [line for line in text.splitlines() if line.startswith("| time: ")]
    assert rows == [
        "| time: W8 | eager | torch | 3.00 |",
        "| time: W1 | eager | torch | 2.00 |",
        "| time: W8 | compiled | torch | 2.00 |",
    ]


def test_the_report_shows_every_bar_and_what_was_not_measured(speed, tmp_path):
    given = asked("--out", tmp_path / "out", "--from", speed)
    given.run(given)
    text = (tmp_path / "out" / "report.md").read_text()
    assert "1 of 2 bars are met, 1 missed." in text
    assert "| W1 eager / torch | speed | 0.5 x | 2 x | MISSED |" in text
    assert "| W1 compiled / hand | speed | 0.6 | 0.5 | met |" in text
    assert "| wheel | start | 0.5 MB | not measured |  |" in text


def test_pictures_are_copied_and_embedded_and_lost_ones_named(speed, tmp_path):
    given = asked("--out", tmp_path / "out", "--from", speed)
    given.run(given)
    text = (tmp_path / "out" / "report.md").read_text()
    assert "![steps](pictures/steps.png)" in text
    assert f"The picture {tmp_path / 'lost.png'} is no longer there." in text
    assert (tmp_path / "out" / "pictures" / "steps.png").read_bytes() == PIXEL
    found = Cells((tmp_path / "out" / "report.html").read_text())
    assert [image.partition(",")[0] for image in found.images] == ["data:image/png;base64"]


def test_the_html_page_is_well_formed_and_marks_what_is_missed(speed, tmp_path):
    given = asked("--out", tmp_path / "out", "--from", speed)
    given.run(given)
    text = (tmp_path / "out" / "report.html").read_text()
    found = Cells(text)
    assert not found.open
    assert "eager | a" in found.cells
    assert found.missed == 2
    assert "W1: &lt;small&gt;" in text
    assert "http" not in text


def test_a_bar_in_a_cell_does_not_end_it_in_markdown():
    lines = markdown.table(Table("", ("a", "b"), [("x | y", "1")])).splitlines()
    assert lines == ["| a | b |", "|---|---:|", r"| x \| y | 1 |"]


def test_the_readmes_table_has_the_machine_and_a_row_a_workload(speed, capsys):
    given = asked("--readme", "--from", speed)
    assert given.run(given) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == (
        "| model | eager: / by hand | / PyTorch | compiled: us | / by hand | / PyTorch | / JAX |"
    )
    assert [line.partition(":")[0] for line in said[2:4]] == ["| W1", "| W8"]
    assert said[2].endswith("| 2.00 | 2.00 | 10 | 0.50 | 0.50 | 0.50 |")
    assert said[3].endswith("| - | 3.00 | 2000 | - | 2.00 | - |")
    assert said[4] == ""
    assert "Medians of 2 rounds on 2026-11-26" in said[5]
    assert said[6] == "2 processors Xeon, Python 3.11.7, NumPy 2.4.6, PyTorch 2.13.0."


def test_the_readmes_table_needs_a_record_of_speed(tmp_path, capsys):
    results.write(tmp_path / "a.json", "start")
    given = asked("--readme", "--from", tmp_path / "a.json")
    assert given.run(given) == 2
    assert "report: --readme needs the record of `speed --json`" in capsys.readouterr().err


def test_files_that_cannot_be_read_are_said_and_the_others_reported(speed, tmp_path, capsys):
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.json").write_text("[1]")
    files = [tmp_path / name for name in ("none.json", "broken.json", "other.json")]
    given = asked("--out", tmp_path / "out", "--from", *files, speed)
    assert given.run(given) == 1
    complaints = capsys.readouterr().err.splitlines()
    assert [str(file) in line for file, line in zip(files, complaints, strict=True)] == [True] * 3
    text = (tmp_path / "out" / "report.md").read_text()
    assert "## Not measured" in text and "## speed" in text


def test_without_a_record_there_is_no_report(tmp_path, capsys):
    given = asked("--out", tmp_path / "out", "--from", tmp_path / "none.json")
    assert given.run(given) == 2
    assert "report: there is nothing to report" in capsys.readouterr().err


def test_the_report_runs_every_command_and_says_which_left_no_record(tmp_path, monkeypatch, capsys):
    commands = {"digits": ("learn", "mlp"), "none": ("no-such-command",)}
    monkeypatch.setattr(records, "COMMANDS", commands)
    found, missing = records.measured(commands, tmp_path, quick=True)
    assert [record["command"] for record in found] == ["digits"]
    assert records.given([tmp_path / "digits.json"]) == (found, {})
    assert found[0]["tables"][0]["head"] == ["figure", "known", "here", "ok"]
    assert "7.843827" in (tmp_path / "digits.txt").read_text()
    assert missing.keys() == {"none"}
    assert "status 2" in missing["none"] and "no-such-command" in missing["none"]


def test_comparisons_take_the_peaks_of_memory_and_the_sizes_of_scale():
    peaks = {who: {"arrays": {"peak": peak}} for who, peak in (("compiled", 3), ("torch", 2))}
    memory = {"command": "memory", "bytes": {"W7": peaks}}
    assert comparisons.of(memory) == [
        comparisons.Comparison("peak of arrays: W7", "compiled", "torch", 1.5)
    ]
    growth = {
        "seconds": {"eager": {"1": 1.0, "10": 4.0}, "torch": {"1": 2.0, "10": 2.0}},
        "memory": {"eager": {"1": -5}, "torch": {"1": 7}},
    }
    found = comparisons.of({"command": "scale", "growth": {"batch": growth}})
    assert [(each.what, each.ratio) for each in found] == [
        ("time: batch 10", 2.0),
        ("time: batch 1", 0.5),
    ]


def test_an_eager_step_is_not_held_against_compilers():
    record = {"command": "speed", "seconds per step": STEPS}
    pairs = {(each.ours, each.peer) for each in comparisons.of(record)}
    assert pairs == {("eager", "torch"), ("compiled", "torch"), ("compiled", "jax")}


def test_without_a_peer_the_report_says_so():
    first, *_ = page.sections([{"command": "start", "machine": MACHINE}], {})
    assert (first.lines, first.tables) == (["No peer was measured."], [])


def test_a_noisy_ratio_in_the_readmes_table_is_explained(speed, capsys):
    record = json.loads(speed.read_text())
    record["seconds per step"]["W1"]["eager"] = [1e-5, 9e-5]
    speed.write_text(json.dumps(record))
    given = asked("--readme", "--from", speed)
    given.run(given)
    said = capsys.readouterr().out
    assert "| 2.50~ |" in said and "\n~ marks a noisy ratio" in said


def test_machines_and_notes_are_on_the_page_once():
    table = {"title": "t", "head": ["a"], "rows": [["1"]], "notes": ["what a is"]}
    later = MACHINE | {"date": "2026-11-27"}
    made = [
        {"command": "start", "machine": later, "tables": [table, table]},
        {"command": "speed", "machine": MACHINE, "tables": [table]},
    ]
    sections = {section.title: section for section in page.sections(made, {})}
    [line] = sections["Measured on"].lines
    assert line.startswith("2026-11-26, 2026-11-27; 2 processors Xeon; ")
    assert [table.notes for table in sections["start"].tables] == [["what a is"], []]
    assert [table.notes for table in sections["speed"].tables] == [["what a is"]]
    made[1]["machine"] = MACHINE | {"processor": "EPYC"}
    first, second = page.sections(made, {})[2].lines
    assert first.startswith("speed: 2026-11-26; 2 processors EPYC")
    assert second.startswith("start: 2026-11-27; 2 processors Xeon")


def test_sections_come_in_the_order_of_the_commands():
    made = [{"command": name, "machine": MACHINE} for name in ("learn", "other", "start", "speed")]
    titles = [section.title for section in page.sections(made, {})]
    assert titles[-4:] == ["speed", "start", "learn", "other"]
    assert html.page(page.sections(made, {})).count("<h2>") == len(titles)
