"""The speed comparison: contenders that compute the same, and the refusal of those that do not."""

import importlib
import json
import re

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.speed import convolution, operations, report, timings, worker
from benchmarks.speed.comparison import Outcome, RefusedError, check, compare
from benchmarks.speed.contenders import CONTENDERS, UnavailableError, installed
from benchmarks.speed.workloads import WORKLOADS, problem, problems

OURS = "tests.benchmarks.contenders"


PROBLEMS = [name for workload in WORKLOADS for name in problems(workload)]
BY_HAND = [name for name in PROBLEMS if WORKLOADS[name.partition("/")[0]].by_hand]
# compiling takes longer than a test may: one problem of each kind of update
COMPILED = {"torch-compile": ["W1", "W6"]}


def losses(name, contender, dtype="float64"):
    step = CONTENDERS[contender].make(problem(name, dtype))
    return [float(step().item()) for _ in range(worker.STEPS)]


def compared(*contenders, rounds=1, threads=1):
    [outcome] = compare(
        "W3",
        ["hand", *contenders],
        rounds=rounds,
        seconds=1e-3,
        threads=threads,
        dtype="float64",
    )
    return outcome


@pytest.fixture(scope="module")
def peers():
    """What is installed of them, imported before a test's fixtures: JAX draws random numbers."""
    for package in ("torch", "jax", "autograd"):
        if installed(package):
            importlib.import_module(package)


@pytest.mark.parametrize(
    ("contender", "name"),
    [
        (contender, name)
        for contender in CONTENDERS
        for name in COMPILED.get(contender, BY_HAND)
        if contender != "hand"
    ],
)
@pytest.mark.usefixtures("peers")
@pytest.mark.filterwarnings("ignore:::(torch|jax|autograd)")
def test_contenders_compute_what_the_hand_written_steps_do(contender, name):
    needs = CONTENDERS[contender].needs
    if needs and not installed(needs):
        pytest.skip(f"{needs} is not installed")
    try:
        given = losses(name, contender)
    except UnavailableError as reason:
        pytest.skip(str(reason))
    np.testing.assert_allclose(given, losses(name, "hand"), rtol=1e-9)


@pytest.mark.parametrize("name", [name for name in PROBLEMS if name not in BY_HAND])
@pytest.mark.parametrize("contender", ["compiled", "torch"])
@pytest.mark.usefixtures("peers")
@pytest.mark.filterwarnings("ignore:::torch")
def test_contenders_compute_what_eager_steps_do_where_nothing_is_written_by_hand(contender, name):
    if contender == "torch" and not installed("torch"):
        pytest.skip("torch is not installed")
    np.testing.assert_allclose(losses(name, contender), losses(name, "eager"), rtol=1e-9)


@pytest.mark.parametrize("name", operations.EXPRESSIONS)
def test_timed_operations_compute_what_numpy_computes(name):
    bare, ours = (
        worker.tasks("ops", contender, "float32")[name].result() for contender in ("numpy", "eager")
    )
    np.testing.assert_allclose(ours, bare, rtol=1e-5)


@pytest.mark.parametrize("name", convolution.CONVOLUTIONS)
def test_timed_convolutions_compute_what_pytorch_computes(name, torch):
    ours, theirs = (
        worker.tasks("conv", contender, "float32")[name].result()
        for contender in ("eager", "torch")
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


@pytest.mark.parametrize("workload", PROBLEMS)
def test_problems_are_the_same_each_time_and_have_one_dtype(workload):
    first, again = problem(workload), problem(workload)
    for ours, theirs in zip(first.weights, again.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == np.float32
    kinds = {a.dtype for batch in first.batches for a in batch}
    assert kinds <= {np.dtype(np.float32), np.dtype(np.int64)}


def test_a_step_changes_no_problem():
    start = problem("W6")
    step = CONTENDERS["hand"].make(start)
    for _ in range(3):
        step()
    for ours, untouched in zip(start.weights, problem("W6").weights, strict=True):
        np.testing.assert_array_equal(ours, untouched)


def test_a_contender_that_computes_something_else_is_refused():
    outcome = compared(f"{OURS}:faster_rate", f"{OURS}:same")
    assert "computes something else: number 1 is" in outcome.refused[f"{OURS}:faster_rate"]
    assert outcome.seconds.keys() == {"hand", f"{OURS}:same"}


def test_contenders_that_fail_are_refused_with_the_reason():
    outcome = compared(f"{OURS}:failing", f"{OURS}:dying")
    assert outcome.refused == {
        f"{OURS}:failing": "ValueError: no such layer",
        f"{OURS}:dying": "its process ended with status 3",
    }


def test_contenders_run_with_the_threads_asked_for_and_may_print():
    outcome = compared(f"{OURS}:two_threads_wanted", f"{OURS}:printing", threads=2)
    assert not outcome.refused


def test_every_round_times_every_contender():
    outcome = compared(f"{OURS}:same", rounds=3)
    assert {len(seconds) for seconds in outcome.seconds.values()} == {3}
    assert all(each > 0 for seconds in outcome.seconds.values() for each in seconds)


def test_losses_are_compared_to_the_tolerance_of_the_dtype():
    check([1.0, 2.00001], [1.0, 2.0], "float32", "hand")
    with pytest.raises(RefusedError, match=r"number 1 is 2\.00001, hand has 2$"):
        check([1.0, 2.00001], [1.0, 2.0], "float64", "hand")
    with pytest.raises(RefusedError, match="computes 1 numbers where hand computes 2"):
        check([1.0], [1.0, 2.0], "float32", "hand")
    with pytest.raises(RefusedError, match="something else"):
        check([float("nan")], [1.0], "float32", "hand")


def test_calibration_finds_a_number_of_runs_of_about_the_time_wanted():
    task = worker.Task(list, lambda runs: runs * 1e-4)
    assert worker.calibrated(task, 0.03) == 300
    assert worker.calibrated(worker.Task(list, float), 0.03) == 1


def test_a_report_marks_bars_met_and_missed():
    outcome = Outcome(
        "W1",
        {"hand": [1e-5, 2e-5], "eager": [4e-5, 8e-5], "torch": [1e-4, 2e-4]},
        {"mine": "computes something else"},
    )
    bars = {"eager": {"torch": 0.5, "hand": 3.0}}
    text = report.steps_report(outcome, ("hand", "torch"), bars)
    assert [re.split(r" +\| *", line) for line in text.splitlines() if "|" in line] == [
        ["contender", "median us", "min us", "/ hand", "/ torch", "bar"],
        ["hand", "15.00", "10.00", "1.00", "0.10 (0.10 to 0.10)", ""],
        [
            *("eager", "60.00", "40.00", "4.00 (4.00 to 4.00)", "0.40 (0.40 to 0.40)"),
            "0.5 x torch met, 3 x hand MISSED",
        ],
        ["torch", "150.00", "100.00", "10.00 (10.00 to 10.00)", "1.00", ""],
    ]
    assert text.endswith("\nmine refused: computes something else")


def test_a_report_of_operations_names_what_was_refused():
    outcomes = [
        Outcome("add", {"numpy": [1e-7], "eager": [3e-7]}),
        Outcome("mul", {"numpy": [1e-7]}, {"eager": "computes something else"}),
    ]
    lines = report.operations_report(outcomes).splitlines()
    assert lines[2].endswith("3.00 (3.00 to 3.00) |    4 x numpy met")
    assert "refused" in lines[3] and lines[3].endswith("4 x numpy MISSED")
    assert "median over the operations, eager / numpy: 3.00" in lines
    assert lines[-1] == "mul: eager refused: computes something else"


def test_speed_refuses_unknown_workloads_in_one_line(capsys):
    assert main(["speed", "W99"]) == 2
    complaint = f"speed: no workload 'W99'; choose from {', '.join(WORKLOADS)}, ops, conv\n"
    assert capsys.readouterr().err == complaint


def test_speed_prints_a_table_and_writes_every_number(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(timings, "installed", lambda distribution: "")
    path = tmp_path / "numbers.json"
    arguments = ["speed", "W3", "--quick", "--rounds", "2", "--json", str(path)]
    assert main([*arguments, "--also", f"{OURS}:same"]) == 0
    said = capsys.readouterr().out
    assert "torch left out: torch is not installed" in said
    assert "jax left out: jax is not installed" in said
    assert "W3: 2-2-2 sigmoid" in said
    numbers = json.loads(path.read_text())
    assert numbers["threads"] == 1 and numbers["dtype"] == "float32"
    timed = numbers["seconds per step"]["W3"]
    assert timed.keys() - {"compiled"} == {"hand", "floor", "eager", f"{OURS}:same"}
    assert {len(seconds) for seconds in timed.values()} == {2}


def test_speed_times_the_contenders_asked_for_and_the_hand_written_one(tmp_path):
    path = tmp_path / "numbers.json"
    arguments = ["speed", "W3", "--quick", "--rounds", "1", "--json", str(path)]
    assert main([*arguments, "--contenders", "floor"]) == 0
    assert json.loads(path.read_text())["seconds per step"]["W3"].keys() == {"hand", "floor"}


def test_speed_refuses_unknown_contenders_in_one_line(capsys):
    assert main(["speed", "W3", "--contenders", "floor,fast"]) == 2
    assert "no contender 'fast'; choose from hand, floor, eager" in capsys.readouterr().err


def test_contenders_that_cannot_run_here_are_left_out_with_the_reason():
    outcome = compared(f"{OURS}:unavailable")
    assert outcome.left_out == {f"{OURS}:unavailable": "no compiler"}
    assert not outcome.refused and outcome.seconds.keys() == {"hand"}


def test_a_summary_has_a_line_a_problem_and_the_missed_bars_worst_first():
    bars = {"eager": {"hand": 1.5}, "floor": {"hand": 0.1}, "jax": {"hand": 1.0}}
    first = Outcome("A", {"hand": [1.0], "eager": [2.0]})
    second = Outcome("B", {"hand": [1.0], "eager": [1.0], "floor": [0.5]})
    assert report.summary([(first, bars), (second, bars)]).splitlines() == [
        "/ hand | hand | eager | floor",
        "-------+------+-------+------",
        "A      | 1.00 |  2.00 |",
        "B      | 1.00 |  1.00 |  0.50",
        "bars missed, worst first:",
        "B floor / hand: 0.50, bar 0.1",
        "A eager / hand: 2.00, bar 1.5",
    ]


def test_the_listing_names_every_workload():
    assert all(name in timings.listing() for name in WORKLOADS)
