"""The heat equation u_t = 0.1 u_xx by a physics-informed network: Adam, then L-BFGS.

Source: Raissi, Perdikaris & Karniadakis 2019, Journal of Computational Physics 378.
"""

from itertools import pairwise

import autodiff as torch
import nn
import optim
from autodiff.autograd import grad


class PINN(nn.Module):
    def __init__(self, layers=(2, 20, 20, 1)):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(layers))
        for layer in self.layers:
            nn.init.xavier_normal_(layer.weight, gain=nn.init.calculate_gain("tanh"))
            nn.init.zeros_(layer.bias)

    def forward(self, x, t):
        h = torch.hstack((x, t))
        for layer in self.layers[:-1]:
            h = torch.tanh(layer(h))
        return self.layers[-1](h)


def residual(model, x, t):
    x.requires_grad_(True)
    t.requires_grad_(True)
    u = model(x, t)
    u_x = grad(u, x, grad_outputs=torch.ones_like(u), create_graph=True)[0]
    u_t = grad(u, t, grad_outputs=torch.ones_like(u), create_graph=True, retain_graph=True)[0]
    u_xx = grad(u_x, x, grad_outputs=torch.ones_like(u_x), create_graph=True)[0]
    return u_t - 0.1 * u_xx


def main(seed=0, iterations=400, compiled=False):
    """The metric: the largest error at the end."""
    torch.manual_seed(seed)
    model = PINN()
    x_inside, t_inside = torch.rand(200, 1), torch.rand(200, 1)
    x_start = torch.linspace(0, 1, 50).reshape(-1, 1)
    t_edge = torch.linspace(0, 1, 25).reshape(-1, 1)
    u_start = torch.sin(torch.pi * x_start)
    x_edge = torch.cat([torch.zeros_like(t_edge), torch.ones_like(t_edge)])
    t_edge = t_edge.repeat(2, 1)

    def compute_loss():
        inside = residual(model, x_inside.clone(), t_inside.clone()).pow(2).mean()
        start = nn.functional.mse_loss(model(x_start, torch.zeros_like(x_start)), u_start)
        edge = model(x_edge, t_edge).square().mean()
        return inside + 10 * start + 10 * edge

    adam = optim.Adam(model.parameters(), lr=1e-2)

    def train_step():
        adam.zero_grad()
        loss = compute_loss()
        loss.backward()
        adam.step()
        return loss

    if compiled:
        train_step = torch.compile(train_step)

    losses = [train_step().item() for _ in range(iterations)]

    lbfgs = optim.LBFGS(
        model.parameters(), lr=1.0, max_iter=max(iterations // 5, 3), line_search_fn="strong_wolfe"
    )

    def closure():
        lbfgs.zero_grad()
        loss = compute_loss()
        loss.backward()
        return loss

    losses.append(lbfgs.step(closure).item())
    losses.append(compute_loss().item())

    x, t = torch.meshgrid(torch.linspace(0, 1, 21), torch.linspace(0, 1, 21), indexing="ij")
    exact = torch.exp(-0.1 * torch.pi**2 * t) * torch.sin(torch.pi * x)
    with torch.no_grad():
        u = model(x.reshape(-1, 1), t.reshape(-1, 1)).view_as(exact)
    return losses, (u - exact).abs().max().item()
