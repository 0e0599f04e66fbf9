"""The mutation check itself: `python -m tests.mutations` takes too long to be run here."""

import ast
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutations.equivalent import EQUIVALENT
from tests.mutations.faults import Fault, faults, planted, sample

ROOT = Path(__file__).parent.parent

RULES = """
def _total(x, axis):
    check_axis(x, axis)
    if x.ndim > 2:
        raise ValueError(f"{x.ndim - 1} axes")
    x = fit(x[1:n], shape).T
    return np.add.reduce(cast(x, "f"), axis=axis, keepdims=True)

double = elementwise(np.sin, promote="float", x=lambda g, y: -g * (y + 2.0))
"""


def found(path: str = "rules.py", source: str = RULES) -> dict[str, Fault]:
    return {fault.name: fault for fault in faults(path, source)}


@pytest.mark.parametrize(
    "fault",
    [
        "_total: check_axis(x, axis) -> pass",
        "_total: x.ndim > 2 -> x.ndim >= 2",
        "_total: if x.ndim > 2 -> if False and x.ndim > 2",
        "_total: x = fit(x[1:n], shape).T -> x = fit(x[1:n], shape)",
        "_total: x = fit(x[1:n], shape).T -> x = x[1:n].T",
        "_total: x = fit(x[1:n], shape).T -> x = fit(x[1:n + 1], shape).T",
        "double: lambda g, y: -g * (y + 2.0) -> lambda g, y: g * (y + 2.0)",
        "double: lambda g, y: -g * (y + 2.0) -> lambda g, y: -g",
        "double: lambda g, y: -g * (y + 2.0) -> lambda g, y: -g / (y + 2.0)",
        "double: lambda g, y: -g * (y + 2.0) -> lambda g, y: -g * (y - 2.0)",
        "double: lambda g, y: -g * (y + 2.0) -> lambda g, y: -g * y",
        "double: lambda g, y: -g * (y + 2.0) -> lambda g, y: -g * (y + 4.0)",
    ],
)
def test_faults_of_every_kind_are_found(fault: str):
    assert f"rules.py:{fault}" in found()


def test_the_rule_the_promotion_and_the_cast_can_be_left_out():
    kinds = Counter(fault.kind for fault in found().values())
    assert kinds["rule"] == 1 and kinds["cast"] == 2 and kinds["flag"] == 1
    assert kinds["unbroadcast"] == 1 and kinds["function"] == 2


def test_the_wording_of_errors_is_left_alone():
    assert not [name for name in found() if "axes" in name or "ndim - 1" in name]


@pytest.mark.parametrize("path", ["autodiff/ops/reduce.py", "autodiff/tape.py"])
def test_a_planted_fault_is_another_program_and_no_other_file(path: str):
    source = (ROOT / path).read_text()
    original = ast.dump(ast.parse(source))
    every = faults(path, source)
    assert len({fault.name for fault in every}) == len(every)
    for fault in sample(every, 60):
        tree = planted(fault, source)
        assert ast.dump(tree) != original, fault.name
        compile(tree, path, "exec")
    assert (ROOT / path).read_text() == source


def test_a_sample_is_the_same_each_time_and_has_every_kind():
    every = faults("rules.py", RULES)
    kinds = {fault.kind for fault in every}
    assert {fault.kind for fault in sample(every, len(kinds))} == kinds
    assert sample(every, 9) == sample(every[::-1], 9)


def test_faults_that_are_said_to_change_nothing_exist_and_have_a_reason():
    paths = {name.partition(":")[0] for name in EQUIVALENT}
    every = {name for path in paths for name in found(path, (ROOT / path).read_text())}
    assert not EQUIVALENT.keys() - every
    assert all(EQUIVALENT.values())


CAUGHT = """
from tests.mutations import trial
from tests.mutations.faults import faults

path, tests = "autodiff/ops/elementwise.py", ["tests/autodiff/test_special_values.py"]
source = (trial.ROOT / path).read_text()
trial.warm()
known = trial.baseline(tests, [path], 1)
assert known.seconds and not known.broken, known.broken
every = {fault.name.partition(":")[2]: fault for fault in faults(path, source)}
for name in (
    "relu: lambda g, out: g * nonzero_mask(out) -> lambda g, out: g / nonzero_mask(out)",
    "_clip: x if a_max is None else at_most(x, a_max) -> x",
):
    outcome = trial.tried(every[name], known)
    assert outcome.how in known.seconds, outcome
known.seconds = {test: 0.1 for test in known.seconds if "[relu]" in test}
known.reach.clear()
assert not trial.tried(every[name], known).how, "a test that cannot tell has told"
assert (trial.ROOT / path).read_text() == source
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
def test_a_test_that_can_tell_catches_a_planted_fault_and_no_other():
    command = [sys.executable, "-c", CAUGHT]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert not run.returncode, run.stderr
