"""The memory comparison: measures of known allocations, bars, and the command's quick run."""

import argparse
import json

import numpy as np
import pytest

from benchmarks import results
from benchmarks.memory import command, meter
from benchmarks.speed.contenders import CONTENDERS
from benchmarks.speed.workloads import problem

MEGABYTE = 1_000_000
on_linux = pytest.mark.skipif(not meter.AVAILABLE, reason="only Linux tells resident memory")


def holding_two_and_passing_five(numpy=np):
    """A step that holds 2 MB between steps and needs 5 MB more within one."""
    kept = numpy.ones(2 * MEGABYTE // 8)

    def step():
        return kept[0] + numpy.ones(5 * MEGABYTE // 8)[-1]

    return step


def asked(*arguments):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["memory", *arguments])


def test_arrays_are_counted_from_an_empty_start_without_python_objects():
    found = meter.arrays(holding_two_and_passing_five)
    assert found["steady"] == 2 * MEGABYTE
    assert found["peak"] == pytest.approx(7 * MEGABYTE, rel=1e-3)
    assert found["first"] == pytest.approx(7 * MEGABYTE, rel=1e-2)


def test_what_only_the_first_steps_need_is_no_peak_of_a_later_step():
    def make():
        np.ones(MEGABYTE)
        return lambda: np.ones(MEGABYTE // 8)

    found = meter.arrays(make)
    assert found["first"] == pytest.approx(8 * MEGABYTE, rel=1e-2)
    assert found["peak"] == pytest.approx(MEGABYTE, rel=1e-2)
    assert found["steady"] == 0


def test_pytorch_is_measured_alike(torch):
    def make():
        kept = torch.ones(2 * MEGABYTE // 4)
        return lambda: kept[0] + torch.ones(5 * MEGABYTE // 4)[-1]

    found = meter.torch_arrays(make)
    assert found["steady"] == pytest.approx(2 * MEGABYTE, rel=1e-3)
    assert found["peak"] == pytest.approx(7 * MEGABYTE, rel=1e-3)


@on_linux
def test_resident_memory_holds_the_arrays_of_a_step():
    found = meter.resident(holding_two_and_passing_five)
    assert found["peak"] >= 6.5 * MEGABYTE
    assert 1.5 * MEGABYTE <= found["steady"] <= 6.5 * MEGABYTE


@on_linux
def test_growth_finds_a_leak_and_none_where_there_is_none():
    leaked = []

    def leaking():
        leaked.append(np.ones(MEGABYTE // 80))

    assert meter.growth(leaking, 200)[-1] > 15 * MEGABYTE
    step = CONTENDERS["eager"].make(problem("W3"))
    assert max(meter.growth(step, 200)) < MEGABYTE


def test_bars_are_for_the_large_steps_and_over_pytorch():
    figures = {
        "eager": {"arrays": {"first": 9, "peak": 6, "steady": 1}},
        "torch": {"arrays": {"first": 4, "peak": 4, "steady": 2}},
    }
    [bar] = command.peak_bars({"W1": figures, "W7": figures})
    assert (bar.figure, bar.value, bar.met) == ("W7 eager: peak in arrays", 1.5, False)
    table = command.peaks({"W7": figures})
    assert table.rows[0] == ["W7 eager", *["0.00"] * 3, "1.50", *["-"] * 4]
    assert not command.peak_bars({"W7": {"eager": figures["eager"]}})


def test_memory_prints_tables_and_writes_every_number(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(results, "installed", lambda distribution: "")
    path = tmp_path / "memory.json"
    assert command.run(asked("--quick", "--json", str(path))) == 0
    said = capsys.readouterr().out
    assert "torch left out" in said and "W1 compiled" in said
    record = json.loads(path.read_text())
    assert record["command"] == "memory"
    assert record["bytes"]["W1"].keys() == {"eager", "compiled"}
    if meter.AVAILABLE:
        assert all(bar["met"] for bar in record["bars"])
        assert len(record["growth"]["W3 compiled"]) == 20


def test_memory_refuses_unknown_workloads_in_one_line(capsys):
    assert command.run(asked("W12")) == 2
    assert capsys.readouterr().err.startswith("memory: no workload 'W12'; choose from W1, W2")
