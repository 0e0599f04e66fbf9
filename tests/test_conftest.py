import subprocess
import sys
from pathlib import Path

LEAKS = {
    "autodiff.set_grad_enabled(False)": "is_grad_enabled() from True to False",
    "autodiff.inference_mode().__enter__()": "is_inference_mode_enabled() from False to True",
    "autodiff.autograd.set_detect_anomaly(True)": "is_anomaly_enabled() from False to True",
    "autodiff.set_default_dtype(autodiff.float64)": "the default dtype from",
    "np.random.rand()": "NumPy's global random state from",
}


def test_a_test_that_changes_shared_state_fails_and_the_next_does_not(tmp_path: Path):
    file = tmp_path / "test_leaks.py"
    file.write_text(
        "import autodiff, numpy as np\n"
        + "".join(f"def test_leak{i}(): {leak}\n" for i, leak in enumerate(LEAKS))
        + "def test_afterwards():\n"
        "    assert autodiff.is_grad_enabled() and not autodiff.is_inference_mode_enabled()\n"
        "    assert not autodiff.is_anomaly_enabled()\n"
        "    assert autodiff.get_default_dtype() is autodiff.float32\n"
    )
    options = ["-p", "tests.conftest", "-p", "no:cacheprovider", "-c", "/dev/null"]
    report = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", str(tmp_path), str(file)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
    ).stdout
    assert "6 passed, 5 errors" in report, report
    for change in LEAKS.values():
        assert change in report, report
