"""Hypothesis profiles, and fixtures that fail a test which changes what other tests rely on."""

import os
import warnings
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
from hypothesis import settings

import autodiff

settings.register_profile("dev", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def _shared_state() -> dict[str, object]:
    """What a test must leave as it found it, named as the failure message should name it."""
    return {
        "is_grad_enabled()": autodiff.is_grad_enabled(),
        "is_inference_mode_enabled()": autodiff.is_inference_mode_enabled(),
        "is_anomaly_enabled()": autodiff.is_anomaly_enabled(),
        "the default dtype": autodiff.get_default_dtype(),
        "NumPy's global random state": _digest(np.random.get_state(legacy=False)),
    }


def _digest(state: dict) -> int:
    return hash((state["state"]["key"].tobytes(), state["state"]["pos"], state["gauss"]))


@pytest.fixture(autouse=True)
def shared_state() -> Iterator[None]:
    """Start from one seed, and fail the test that leaks a mode, a default or a random state."""
    before = _shared_state()
    numpy_state = np.random.get_state()
    autodiff.manual_seed(0)
    yield
    after = _shared_state()
    changed = [
        f"{name} from {before[name]} to {after[name]}"
        for name in before
        if before[name] != after[name]
    ]
    if changed:
        autodiff.inference_mode(False).__enter__()
        autodiff.set_grad_enabled(True)
        autodiff.autograd.set_detect_anomaly(False)
        autodiff.set_default_dtype(before["the default dtype"])
        np.random.set_state(numpy_state)
        pytest.fail(f"the test changed {'; '.join(changed)}")


@pytest.fixture
def rng() -> np.random.Generator:
    """A freshly seeded NumPy generator."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def torch() -> ModuleType:
    """PyTorch to compare with; the test is skipped where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pytest.importorskip("torch")
    found.backends.opt_einsum.enabled = False  # another package, with errors of its own
    return found
