"""How steps grow: equal problems of any size, exponents, and the command's quick run."""

import argparse
import importlib
import json

import numpy as np
import pytest

from benchmarks import results
from benchmarks.scale import command
from benchmarks.scale.command import Growth, exponent
from benchmarks.scale.problems import AXES, problem
from benchmarks.scale.worker import Sizes
from benchmarks.speed.comparison import Outcome

SMALLEST = [f"{name}/{axis.quick[0]}" for name, axis in AXES.items()]


def asked(*arguments):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["scale", *arguments])


def losses(name, contender):
    return Sizes("scale", contender, "float32").answer({"do": "result", "name": name})


@pytest.mark.parametrize("name", [*SMALLEST, "depth/3", "length/5"])
def test_compiled_steps_of_any_size_compute_what_eager_ones_do(name):
    np.testing.assert_allclose(losses(name, "compiled"), losses(name, "eager"), rtol=1e-4)


@pytest.mark.parametrize("name", SMALLEST)
@pytest.mark.usefixtures("torch")
@pytest.mark.filterwarnings("ignore:::torch")
def test_pytorch_computes_the_same(name):
    np.testing.assert_allclose(losses(name, "torch"), losses(name, "eager"), rtol=1e-4)


@pytest.mark.parametrize("name", AXES)
def test_models_have_the_size_in_their_name(name):
    size = 6
    start, model = problem(f"{name}/{size}")
    network, _ = model(*map(importlib.import_module, ("autodiff", "nn")))
    [(x, _)] = start.batches
    assert {
        "batch": lambda: len(x),
        "width": lambda: network[2].in_features,
        "depth": lambda: len(network.layers),
        "length": lambda: len(x),
    }[name]() == size
    assert [p.shape for p in network.parameters()] == [w.shape for w in start.weights]


def test_an_exponent_is_the_slope_over_the_upper_half():
    cubic = {size: float(size**3) for size in (10, 100, 1000)}
    assert exponent({1: 5000.0, 3: 5000.0, 5: 5000.0} | cubic) == pytest.approx(3)
    assert exponent({1: 2.0}) is None and exponent({1: 2.0, 2: 0.0}) is None


def test_a_first_step_that_would_take_too_long_is_left_out(monkeypatch):
    axis = AXES["depth"]
    timed = []

    def instead(name, workers, **_):
        timed.append((name, [*workers]))
        return Outcome(name, {who: [1.0] for who in workers}, first=dict.fromkeys(workers, 0.3))

    class Process:
        def ask(self, do, name):
            return 1_000_000

    monkeypatch.setattr(command, "timed", instead)
    growth = command.measured("depth", {"eager": Process(), "compiled": Process()}, quick=True)
    assert timed == [(f"depth/{size}", ["eager", "compiled"]) for size in axis.quick]
    assert growth.memory["eager"] == dict.fromkeys(axis.quick, 1_000_000)

    timed.clear()
    monkeypatch.setattr(command, "LONGEST", 29.0)
    growth = command.measured("depth", {"eager": Process()}, quick=True)
    assert timed == [("depth/1", ["eager"])]
    assert growth.left_out == ["depth/10 eager left out: the first step would take some 30 s"]


def test_a_table_has_a_row_a_size_and_the_exponents():
    growth = Growth(
        seconds={"eager": {1: 0.001, 10: 0.01}},
        first={"eager": {1: 0.1, 10: 0.1}},
        memory={"eager": {1: 1_000_000}},
        left_out=["depth/10 compiled left out"],
    )
    [table] = command.tables({"depth": growth})
    assert table.head == ["depth", "eager ms", "eager MB"]
    assert table.rows == [["1", "1.00", "1.00"], ["10", "10.00", "-"], ["exponent", "1.00", "-"]]
    assert table.notes[-1] == "depth/10 compiled left out"


def test_scale_prints_tables_and_writes_every_number(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(results, "installed", lambda distribution: "")
    path = tmp_path / "scale.json"
    assert command.run(asked("depth", "--quick", "--json", str(path))) == 0
    said = capsys.readouterr().out
    assert "torch left out" in said and "exponent" in said
    record = json.loads(path.read_text())
    assert record["command"] == "scale" and len(record["tables"]) == 1
    measured = record["growth"]["depth"]
    assert measured["seconds"].keys() == {"eager", "compiled"}
    assert [*measured["first"]["compiled"]] == ["1", "10"]


def test_scale_draws_times_and_memory(tmp_path):
    pytest.importorskip("matplotlib")
    numbers = {"depth": {"eager": {1: 1.0, 10: 10.0, 100: -1.0}}, "width": {}}
    command.draw(tmp_path / "scale.png", "seconds a step", numbers)
    assert (tmp_path / "scale.png").read_bytes().startswith(b"\x89PNG")


def test_scale_without_matplotlib_says_so_in_one_line(tmp_path, monkeypatch, capsys):
    def missing(*_):
        raise ImportError("pictures need matplotlib")

    monkeypatch.setattr(command, "canvas", missing)
    monkeypatch.setattr(command, "measured", lambda *_: Growth())
    monkeypatch.setattr(results, "installed", lambda distribution: "")
    assert command.run(asked("depth", "--plot", str(tmp_path / "scale.png"))) == 0
    assert "no picture: pictures need matplotlib" in capsys.readouterr().out


def test_scale_refuses_unknown_axes_in_one_line(capsys):
    assert command.run(asked("height")) == 2
    assert capsys.readouterr().err == (
        "scale: no axis 'height'; choose from batch, width, depth, length\n"
    )
