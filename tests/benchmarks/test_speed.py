"""The speed comparison: contenders that compute the same, and the refusal of those that do not."""

import json
import re

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.speed import operations, report, timings, worker
from benchmarks.speed.comparison import Outcome, RefusedError, check, compare
from benchmarks.speed.workloads import WORKLOADS, problem

OURS = "tests.benchmarks.contenders"


def losses(workload, contender, dtype="float64"):
    return worker.tasks(workload, contender, dtype)[workload].result()


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


@pytest.mark.parametrize("workload", WORKLOADS)
def test_hand_written_steps_compute_what_pytorch_computes(workload):
    pytest.importorskip("torch")
    np.testing.assert_allclose(losses(workload, "hand"), losses(workload, "torch"), rtol=1e-9)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_our_steps_compute_what_the_hand_written_ones_do(workload):
    np.testing.assert_allclose(losses(workload, "eager"), losses(workload, "hand"), rtol=1e-9)


@pytest.mark.parametrize("name", operations.EXPRESSIONS)
def test_timed_operations_compute_what_numpy_computes(name):
    bare, ours = (
        worker.tasks("ops", contender, "float32")[name].result() for contender in ("numpy", "eager")
    )
    np.testing.assert_allclose(ours, bare, rtol=1e-5)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_problems_are_the_same_each_time_and_have_one_dtype(workload):
    first, again = problem(workload), problem(workload)
    for ours, theirs in zip(first.weights, again.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == np.float32
    assert {x.dtype for x, _ in first.batches} == {np.dtype(np.float32)}
    assert {y.dtype for _, y in first.batches} <= {np.dtype(np.float32), np.dtype(np.int64)}


def test_a_step_changes_no_problem():
    start = problem("W6")
    step = worker.CONTENDERS["hand"](start)
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
            "3 x hand MISSED, 0.5 x torch met",
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
    complaint = "speed: no workload 'W99'; choose from W1, W2, W3, W4, W5, W6, W7, ops\n"
    assert capsys.readouterr().err == complaint


def test_speed_prints_a_table_and_writes_every_number(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(report, "installed", lambda distribution: "")
    path = tmp_path / "numbers.json"
    arguments = ["speed", "W3", "--quick", "--rounds", "2", "--json", str(path)]
    assert main([*arguments, "--also", f"{OURS}:same"]) == 0
    said = capsys.readouterr().out
    assert "torch left out: it is not installed" in said
    assert "W3: 2-2-2 sigmoid" in said
    numbers = json.loads(path.read_text())
    assert numbers["threads"] == 1 and numbers["dtype"] == "float32"
    timed = numbers["seconds per step"]["W3"]
    assert timed.keys() == {"hand", "eager", f"{OURS}:same"}
    assert {len(seconds) for seconds in timed.values()} == {2}


def test_the_listing_names_every_workload():
    assert all(name in timings.listing() for name in WORKLOADS)
