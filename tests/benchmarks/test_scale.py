"""How steps grow: equal problems of any size, exponents, and the command's quick run."""

import argparse
import importlib
import json

import numpy as np
import pytest

from benchmarks import results
from benchmarks.scale import command
from benchmarks.scale.command import Growth, exponents
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


def test_exponents_tell_the_growth_from_one_size_to_the_next():
    cubic = {size: float(size**3) for size in (10, 20, 1000)}
    assert exponents({1: 1000.0} | cubic) == pytest.approx({10: 0, 20: 3, 1000: 3})
    assert exponents({1: 2.0}) == {} and exponents({1: 2.0, 2: 0.0, 3: 1.0}) == {}


def test_every_contender_is_timed_at_every_size(monkeypatch):
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


def test_how_long_a_first_step_takes_is_foretold_from_the_two_before():
    def foretold(**first):
        taken = {int(size.removeprefix("of_")): seconds for size, seconds in first.items()}
        return Growth(first={"compiled": taken}).foretold("compiled", 1000)

    assert foretold() == foretold(of_1=0.5) == 0
    assert foretold(of_1=0.5, of_10=0.5, of_100=5.0) == pytest.approx(50)
    assert foretold(of_1=0.5, of_10=0.5, of_100=50.0) == pytest.approx(5000)
    assert foretold(of_10=0.5, of_100=0.1) == pytest.approx(0.1)  # no first step gets shorter


def test_a_first_step_that_would_take_too_long_is_left_out(monkeypatch):
    timed = []

    def instead(name, workers, **_):
        timed.append(name)
        size = int(name.partition("/")[2])
        first = dict.fromkeys(workers, size**2 * 1e-3)
        return Outcome(name, {who: [1.0] for who in workers}, first=first)

    class Process:
        def ask(self, do, name):
            return None

    monkeypatch.setattr(command, "timed", instead)
    growth = command.measured("depth", {"eager": Process()}, quick=False)
    assert timed == ["depth/1", "depth/10", "depth/100"]
    assert growth.left_out == [
        "depth/300 eager left out: the first step would take some 90 s",
        "depth/1000 eager left out: the first step would take some 1000 s",
    ]


def test_a_table_has_a_row_a_size_and_the_exponents_between_them():
    growth = Growth(
        seconds={"eager": {1: 0.001, 10: 0.01}},
        first={"eager": {1: 0.1, 10: 0.1}},
        memory={"eager": {1: 1_000_000}},
        left_out=["depth/10 compiled left out"],
    )
    [table] = command.tables({"depth": growth})
    assert table.head == ["depth", "eager ms", "eager MB"]
    assert table.rows == [["1", "1.00", "1.00"], ["10", "10.00", "-"], ["1 to 10", "1.00", "-"]]
    assert table.notes[-1] == "depth/10 compiled left out"


def test_scale_prints_tables_and_writes_every_number(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(results, "installed", lambda distribution: "")
    path = tmp_path / "scale.json"
    assert command.run(asked("depth", "--quick", "--json", str(path))) == 0
    said = capsys.readouterr().out
    assert "torch left out" in said and "1 to 10" in said
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
