"""Every public function, class and method, called with wrong arguments.

A Python exception every time, of the usual types, that says what was wrong; no hang, no crash; and
after an error arguments, parameters and modes are what they were.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import NAMESPACES, targets

ROOT = Path(__file__).parents[2]
GROUPS = {
    "autodiff": 10,
    "autodiff.linalg autodiff.special autodiff.func autodiff.autograd "
    "autodiff.autograd.functional autodiff.utils.data autodiff.utils.checkpoint": 12,
    "Tensor": 12,
    "nn.functional nn.init nn.utils nn.utils.rnn nn.utils.parametrize "
    "nn.utils.parametrizations": 15,
    "nn": 10,
    "optim optim.lr_scheduler optim.swa_utils": 20,
    "methods": 5,
}
"""Namespaces, and how often each of their names is called."""


@pytest.mark.skipif(os.name != "posix", reason="limits of memory and time by POSIX")
@pytest.mark.parametrize("group", GROUPS)
def test_wrong_arguments_raise_errors_that_say_so_and_change_nothing(group: str, tmp_path: Path):
    log = tmp_path / "call"
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.calls", "0", str(GROUPS[group]), log, *group.split()],
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == 0, f"{log.read_text()}\n{run.stderr[-3000:]}"
    *findings, (_, counts) = lines
    assert not findings, "\n".join(" | ".join(finding) for finding in findings)
    assert counts["targets that succeeded"] > 0.5 * counts["targets"]
    assert counts["errors"] > 0.3 * counts["calls"]


def test_all_namespaces_are_called():
    assert sorted(" ".join(GROUPS).split()) == sorted([*NAMESPACES, "Tensor", "methods"])
    assert sum(len(targets(name)) for name in " ".join(GROUPS).split()) > 1200
