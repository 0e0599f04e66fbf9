"""Train something with the installed packages, and check that NumPy was all they needed."""

import sys
from importlib.metadata import distributions
from pathlib import Path

import autodiff
import nn
import optim

for package in (autodiff, nn, optim):
    assert Path(sys.prefix) in Path(package.__file__).parents, package.__file__

installed = {distribution.metadata["Name"].lower() for distribution in distributions()}
assert installed <= {"tapegrad", "numpy", "pip", "setuptools", "wheel"}, installed

autodiff.manual_seed(0)
x = autodiff.linspace(-1, 1, 50).reshape(50, 1)
model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = optim.Adam(model.parameters(), lr=0.05)
losses = []
for _ in range(200):
    optimizer.zero_grad()
    loss = ((model(x) - x**2) ** 2).mean()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
assert losses[-1] < 0.01 * losses[0], losses[:: len(losses) - 1]

print(f"loss {losses[0]:.3f} -> {losses[-1]:.5f} with {', '.join(sorted(installed))}")
