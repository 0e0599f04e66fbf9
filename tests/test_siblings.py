import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("package", ["nn", "optim"])
def test_a_foreign_autodiff_is_named_in_one_line(tmp_path, package):
    ours = Path(importlib.import_module(package).__file__).parents[1]
    foreign = tmp_path / "autodiff"
    foreign.mkdir()
    (foreign / "__init__.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", f"import {package}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ours)])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: {package} belongs to tapegrad")
    assert str(foreign) in last
