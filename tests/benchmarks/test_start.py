"""What it costs to begin: the subcommand `start`."""

import argparse
import json
import zipfile
from pathlib import Path

import pytest

from benchmarks import start
from benchmarks.speed.contenders import installed


def arguments(*given):
    parser = argparse.ArgumentParser()
    start.add_parser(parser.add_subparsers())
    return parser.parse_args(["start", *given])


def test_start_prints_and_records_times_and_sizes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(start.results, "PEERS", ())
    asked = arguments("--quick", "--json", str(tmp_path / "start.json"))
    assert asked.run(asked) == 0
    record = json.loads((tmp_path / "start.json").read_text())
    assert record["command"] == "start"
    (imported,) = record["seconds"]["import beyond NumPy"]["tapegrad"]
    assert 0.001 < imported < 30
    steps = record["seconds"]["until the first trained step"]
    assert steps.keys() == {"by hand in NumPy", "tapegrad", "tapegrad, compiled"}
    assert all(0.01 < seconds < 60 for (seconds,) in steps.values())
    assert [bar["figure"] for bar in record["bars"]] == [
        "import beyond NumPy, best",
        "wheel",
        "installed beyond NumPy",
    ]
    wheel, installed = (bar["value"] for bar in record["bars"][1:])
    assert 0.1 < wheel < installed < 10
    assert "installed beyond NumPy" in capsys.readouterr().out


def test_the_first_step_is_the_same_by_hand_eager_and_compiled():
    names = ["by hand in NumPy", "tapegrad", "tapegrad, compiled"]
    _, sums = start.first_step_seconds(names, 1)
    by_hand, *others = (sums[name] for name in names)
    assert others == pytest.approx([by_hand] * 2, rel=1e-6)


@pytest.mark.parametrize("peer", ["torch", "jax", "autograd"])
def test_the_first_step_of_a_peer_is_the_one_by_hand(peer):
    if not installed(peer):
        pytest.skip(f"{peer} is not installed")
    _, sums = start.first_step_seconds(["by hand in NumPy", peer], 0)
    assert sums[peer] == pytest.approx(sums["by hand in NumPy"], rel=1e-6)


def test_a_step_that_computes_something_else_fails(monkeypatch, capsys):
    monkeypatch.setattr(start.results, "PEERS", ())
    other = start.STEPS["tapegrad"].replace("lr=0.01", "lr=0.02")
    monkeypatch.setitem(start.STEPS, "tapegrad", other)
    asked = arguments("--quick")
    assert asked.run(asked) == 1
    assert "tapegrad: its first step computes something else" in capsys.readouterr().out


def test_a_process_that_fails_says_so():
    with pytest.raises(RuntimeError, match="a process ended with status 3"):
        start._printed("raise SystemExit(3)")


def test_unpacked_bytes_are_those_of_the_files_and_of_their_byte_code(tmp_path):
    wheel = tmp_path / "a.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("a/__init__.py", "x = 1\n" * 10)
        archive.writestr("a/data.txt", "y" * 100)
    source, everything = start.unpacked_bytes(wheel, tmp_path / "unpacked")
    assert source == 160
    (compiled,) = (tmp_path / "unpacked").rglob("*.pyc")
    assert everything == 160 + compiled.stat().st_size


def test_without_hatchling_the_packages_are_zipped(tmp_path, monkeypatch):
    find = start.importlib.util.find_spec
    monkeypatch.setattr(
        start.importlib.util, "find_spec", lambda name: None if name == "hatchling" else find(name)
    )
    wheel, how = start.built_wheel(tmp_path)
    assert "hatchling is not installed" in how
    names = zipfile.ZipFile(wheel).namelist()
    assert {Path(name).parts[0] for name in names} == {"autodiff", "nn", "optim"}
    assert {"nn/__init__.py", "optim/py.typed"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]


def test_installed_bytes_leave_numpy_out_and_take_requirements_in():
    if not installed("hypothesis"):
        pytest.skip("hypothesis is not installed")
    assert start.installed_bytes("numpy") == 0
    alone = sum(
        file.locate().stat().st_size
        for file in start.distribution("hypothesis").files
        if file.locate().is_file()
    )
    assert start.installed_bytes("hypothesis") > alone > 100_000
