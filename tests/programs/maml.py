"""Sines from ten points after one step of gradient descent: the step itself is learned through.

Source: Finn, Abbeel & Levine 2017, arXiv:1703.03400.
"""

import math

import autodiff as torch
import nn
import nn.functional as F
import optim
from autodiff.func import functional_call, grad, vmap


def tasks(n, points=10):
    amplitude = torch.empty(n, 1, 1).uniform_(1.0, 3.0)
    phase = torch.empty(n, 1, 1).uniform_(0, math.pi)
    x = torch.empty(n, 2 * points, 1).uniform_(-4.0, 4.0)
    y = amplitude * torch.sin(x + phase)
    return x[:, :points], y[:, :points], x[:, points:], y[:, points:]


def main(seed=0, iterations=200, compiled=False, inner_lr=0.05):
    """The metric: error after adapting, as a share of the error before."""
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
    )
    optimizer = optim.Adam(model.parameters(), lr=5e-3)

    def loss_of(params, x, y):
        return F.mse_loss(functional_call(model, params, (x,)), y)

    def adapted(params, x, y):
        grads = grad(loss_of)(params, x, y)
        return {name: p - inner_lr * grads[name] for name, p in params.items()}

    def after(params, x_support, y_support, x_query, y_query):
        return loss_of(adapted(params, x_support, y_support), x_query, y_query)

    def train_step(*batch):
        params = dict(model.named_parameters())
        loss = vmap(after, in_dims=(None, 0, 0, 0, 0))(params, *batch).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    if compiled:
        train_step = torch.compile(train_step)

    losses = [train_step(*tasks(8)).item() for _ in range(iterations)]

    params = {name: p.detach() for name, p in model.named_parameters()}
    batch = tasks(100)
    best = vmap(after, in_dims=(None, 0, 0, 0, 0))(params, *batch).mean()
    unadapted = vmap(loss_of, in_dims=(None, 0, 0))(params, *batch[2:]).mean()
    return losses, (best / unadapted).item()
