"""The speed comparison: contenders that compute the same, and the refusal of those that do not."""

import importlib
import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import results
from benchmarks.__main__ import main
from benchmarks.speed import comparison, convolution, operations, report, timings, worker
from benchmarks.speed.comparison import Outcome, RefusedError, Worker, check, compare
from benchmarks.speed.contenders import CONTENDERS, UnavailableError, installed
from benchmarks.speed.workloads import WORKLOADS, problem, problems

OURS = "tests.benchmarks.contenders"


PROBLEMS = [name for workload in WORKLOADS for name in problems(workload)]
# compiling takes longer than a test may: one problem of each kind of update
COMPILED = {"torch-compile": ["W1", "W6"]}


def losses(name, contender, **changes):
    step = CONTENDERS[contender].make(replace(problem(name, "float64"), **changes))
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
        for name in COMPILED.get(contender, PROBLEMS)
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


@pytest.mark.parametrize("name", ["W2", "W4", "W5", "W6", "W7", "W8", "W9", "W10"])
def test_gradients_by_hand_are_those_of_the_engine(name):
    """By losses under gradient descent: Adam's steps are the same whatever a gradient's factor."""
    descent = {"optimizer": "SGD", "lr": 0.1}
    given, wanted = (losses(name, contender, **descent) for contender in ("hand", "eager"))
    assert given[0] != given[-1]
    np.testing.assert_allclose(given, wanted, rtol=1e-9)


@pytest.mark.parametrize("size", [1, 64])
@pytest.mark.parametrize("contender", ["eager", "torch"])
def test_timed_operations_compute_what_numpy_computes(contender, size, request):
    if contender == "torch":
        request.getfixturevalue("torch")
    bare, ours = (worker.tasks(f"ops/{size}", each, "float32") for each in ("numpy", contender))
    assert bare.keys() == ours.keys()
    for name, task in bare.items():
        check(ours[name].result(), task.result(), "float32", name)


def test_numbers_of_different_arrays_differ():
    square = np.arange(12.0).reshape(3, 4)
    for other in (square.T, square[:, :3], square * 1.01, -square):
        assert operations.digest(other) != operations.digest(square)


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


def test_a_ratio_is_noisy_if_half_of_the_rounds_spread_too_far():
    steady = Outcome("W1", {"hand": [1.0] * 5, "eager": [2.0, 2.1, 2.0, 1.9, 9.0]})
    assert str(steady.ratio("eager", "hand")) == "2.00"
    wild = Outcome("W1", {"hand": [1.0] * 5, "eager": [2.0, 2.4, 2.0, 1.7, 9.0]})
    assert str(wild.ratio("eager", "hand")) == "2.00~"
    steps = [1.0] * 5 + [1.1] * 5 + [1.2] * 5
    assert (
        str(Outcome("W1", {"hand": [1.0] * 15, "eager": steps}).ratio("eager", "hand")) == "1.10~"
    )


def test_a_table_marks_bars_met_and_missed():
    outcome = Outcome(
        "W1",
        {"hand": [1e-5, 2e-5], "eager": [4e-5, 8e-5], "torch": [1e-4, 2e-4]},
        {"mine": "computes something else"},
    )
    bars = {"eager": {"torch": 0.5, "hand": 3.0}}
    table = report.steps_table(outcome, "W1: a network", ("hand", "torch"), bars)
    assert table.head == ("contender", "median us", "min us", "/ hand", "/ torch", "bar")
    assert table.rows == [
        ("hand", "15.00", "10.00", "1.00", "0.10 (0.10 to 0.10)", ""),
        (
            *("eager", "60.00", "40.00", "4.00 (4.00 to 4.00)", "0.40 (0.40 to 0.40)"),
            "0.5 x torch met, 3 x hand MISSED",
        ),
        ("torch", "150.00", "100.00", "10.00 (10.00 to 10.00)", "1.00", ""),
    ]
    assert table.notes == ["mine refused: computes something else"]


def test_tables_of_operations_have_both_ratios_by_size_and_name_what_was_refused():
    outcomes = [
        Outcome("add/64/record", {"numpy": [1e-7], "eager": [3e-7], "torch": [6e-7]}),
        Outcome("add/1024/record", {"numpy": [1e-7], "eager": [2e-7]}),
        Outcome("mul/64/record", {"numpy": [1e-7], "eager": [5e-7]}),
        Outcome("add/64/backward", {"numpy": [1e-7]}, {"eager": "computes something else"}),
    ]
    record, backward = report.operations_tables(outcomes)
    assert record.head == ("ours / numpy , / torch", "64", "1,024")
    assert record.rows == [
        ("add", "3.00 , 0.50", "2.00 , -"),
        ("mul", "5.00 , -", ""),
        ("median", "4.00 , 0.50", "2.00 , -"),
    ]
    assert backward.rows == [("add", "refused", ""), ("median", "- , -", "- , -")]
    assert backward.notes[-1] == "add/64/backward: eager refused: computes something else"
    bars = [str(bar) for bar, _ in report.operation_judgements(outcomes)]
    assert bars == ["recording one operation / NumPy: 4, bar 4 met"]


def test_speed_refuses_unknown_workloads_in_one_line(capsys):
    assert main(["speed", "W99"]) == 2
    complaint = f"speed: no workload 'W99'; choose from {', '.join(WORKLOADS)}, ops, conv\n"
    assert capsys.readouterr().err == complaint


def test_speed_prints_a_table_and_writes_every_number(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(results, "installed", lambda distribution: "")
    path = tmp_path / "numbers.json"
    arguments = ["speed", "W3", "--quick", "--rounds", "2", "--json", str(path)]
    assert main([*arguments, "--also", f"{OURS}:same"]) == 0
    said = capsys.readouterr().out
    assert "torch left out: torch is not installed" in said
    assert "jax left out: jax is not installed" in said
    assert "W3: 2-2-2 sigmoid" in said
    numbers = json.loads(path.read_text())
    assert numbers["command"] == "speed" and numbers["threads"] == 1
    assert [bar["figure"] for bar in numbers["bars"]] == ["W3 compiled / hand"]
    assert numbers["ratios"]["W3"]["hand"]["floor"].keys() == {"median", "low", "high", "noisy"}
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


def test_a_summary_begins_with_the_peers_ahead_and_ends_with_the_bars_worst_first():
    bars = {"eager": {"torch": 1.5}, "floor": {"hand": 0.1}, "jax": {"hand": 1.0}}
    first = Outcome("A", {"hand": [1.0], "eager": [2.0], "torch": [4.0]})
    second = Outcome("B", {"hand": [1.0], "eager": [2.0], "torch": [1.0], "floor": [0.5]})
    ahead, by_torch, by_hand, judged = report.summary([(first, bars), (second, bars)])
    assert ahead.rows == [("B", "torch 0.50 of eager's time")]
    assert by_torch.rows == [
        ("A", "0.25", "0.50", "1.00", ""),
        ("B", "1.00", "2.00", "1.00", "0.50"),
    ]
    assert by_hand.rows == [
        ("A", "1.00", "2.00", "4.00", ""),
        ("B", "1.00", "2.00", "1.00", "0.50"),
    ]
    assert judged.rows == [
        ("B floor / hand", "0.50", "0.1", "MISSED"),
        ("B eager / torch", "2.00", "1.5", "MISSED"),
        ("A eager / torch", "0.50", "1.5", "met"),
    ]


def test_a_picture_is_drawn_with_a_tick_for_each_bar(tmp_path):
    pytest.importorskip("matplotlib")
    outcome = Outcome("A", {"hand": [1.0, 1.0], "eager": [2.0, 3.0], "torch": [4.0, 4.0]})
    path = tmp_path / "ratios.svg"
    report.picture(path, [(outcome, {"eager": {"torch": 1.5}})])
    assert "<svg" in path.read_text()


def test_a_picture_without_matplotlib_is_refused_before_anything_is_timed(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"tapegrad\[plot\]"):
        timings.speed(["W3"], plot=tmp_path / "ratios.png")


def test_the_listing_names_every_workload():
    assert all(name in timings.listing() for name in WORKLOADS)


def test_rounds_of_several_processes_are_put_together():
    first = Outcome("W1", {"hand": [1.0], "eager": [2.0], "jax": [1.0]}, first={"eager": 5.0})
    first.add(Outcome("W1", {"hand": [1.5], "eager": [3.5]}, {"jax": "failed"}, first={"eager": 9}))
    assert first.seconds == {"hand": [1.0, 1.5], "eager": [2.0, 3.5]}
    assert first.refused == {"jax": "failed"}
    assert first.first == {"eager": 5.0}


def test_many_rounds_are_run_in_three_processes(monkeypatch):
    started = []

    class Counted(Worker):
        def __init__(self, workload, contender, *rest):
            started.append(contender)
            super().__init__(workload, contender, *rest)

    monkeypatch.setattr(comparison, "Worker", Counted)
    [outcome] = compare(
        "W3", ["hand", "eager"], rounds=10, seconds=1e-3, threads=1, dtype="float32"
    )
    assert started == ["hand", "eager"] * 3
    assert {len(seconds) for seconds in outcome.seconds.values()} == {10}


def test_a_ratio_that_differs_from_process_to_process_is_noisy():
    outcome = Outcome("W1", {"hand": [1.0] * 30, "jax": [1.0] * 20 + [1.2] * 10})
    assert outcome.ratio("jax", "hand").noisy
    assert not outcome.ratio("hand", "hand").noisy


def test_nothing_is_timed_if_the_reference_fails():
    class Answering:
        def __init__(self, error: Exception | None) -> None:
            self.error = error

        def tell(self, do: str, **arguments: object) -> None:
            assert do == "result"

        def hear(self) -> list[float]:
            if self.error is not None:
                raise self.error
            return [1.0]

    workers = {"hand": Answering(RefusedError("broken")), "eager": Answering(None)}
    with pytest.raises(RefusedError, match="broken"):
        comparison.timed("W1", workers, rounds=1, seconds=0.01, dtype="float32")
