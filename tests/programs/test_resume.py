"""A training run that is saved and goes on in another process is the run that was not."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import autodiff
import nn
import optim
from autodiff.utils.data import DataLoader, TensorDataset

ROOT = Path(__file__).parents[2]


class Training:
    """A run with state of every kind: buffers, dropout, moments, schedules, the order of batches.

    compiled: its step is.
    """

    def __init__(self, optimizer: str, compiled: bool) -> None:
        autodiff.manual_seed(0)
        self.order = autodiff.Generator().manual_seed(1)
        data = TensorDataset(autodiff.randn(40, 5), autodiff.randint(3, (40,)))
        self.loader = DataLoader(data, batch_size=8, shuffle=True, generator=self.order)
        self.model = nn.Sequential(
            nn.Linear(5, 16), nn.BatchNorm1d(16), nn.PReLU(), nn.Dropout(0.3), nn.Linear(16, 3)
        )
        self.optimizer = getattr(optim, optimizer)(self.model.parameters(), lr=0.01)
        warmup = optim.lr_scheduler.LinearLR(self.optimizer, 0.2, total_iters=7)
        cosine = optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 13)
        self.scheduler = optim.lr_scheduler.SequentialLR(self.optimizer, [warmup, cosine], [7])
        self.average = optim.swa_utils.AveragedModel(self.model, use_buffers=True)
        self.losses: list[float] = []
        if compiled:
            self._step = autodiff.compile(self._step)  # type: ignore[method-assign]

    def train(self, epochs: int) -> None:
        """Five steps per epoch."""
        for _ in range(epochs):
            for x, y in self.loader:
                self.losses.append(self._step(x, y).item())
                self.scheduler.step()
                self.average.update_parameters(self.model)

    def _step(self, x, y):
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss

    def state(self) -> dict:
        parts = ("model", "optimizer", "scheduler", "average")
        return {
            **{name: getattr(self, name).state_dict() for name in parts},
            "random": autodiff.get_rng_state(),
            "order": self.order.get_state(),
            "losses": self.losses,
        }

    def load(self, state: dict) -> None:
        for name in ("model", "optimizer", "scheduler", "average"):
            getattr(self, name).load_state_dict(state[name])
        autodiff.set_rng_state(state["random"])
        self.order.set_state(state["order"])
        self.losses = state["losses"]


def resume(path: str, optimizer: str, compiled: str) -> None:
    """In another process: load, ten steps, save."""
    training = Training(optimizer, compiled == "True")
    training.load(autodiff.load(path))
    training.train(2)
    autodiff.save(training.state(), path)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("optimizer", ["Adam", "RMSprop", "SGD"])
def test_ten_steps_and_ten_in_a_new_process_are_twenty(tmp_path: Path, optimizer, compiled):
    path = tmp_path / "checkpoint.npz"
    training = Training(optimizer, compiled)
    training.train(2)
    autodiff.save(training.state(), path)
    training.train(2)
    assert len(training.losses) == 20

    arguments = (str(path), optimizer, str(compiled))
    program = f"from tests.programs.test_resume import resume; resume{arguments}"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert not run.returncode, run.stderr
    autodiff.save(training.state(), tmp_path / "expected.npz")
    assert contents(path) == contents(tmp_path / "expected.npz")


def contents(path: Path) -> dict[str, bytes]:
    """What stands in a checkpoint, without the times of its files."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
