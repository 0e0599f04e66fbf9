"""A spiral by a neural ODE whose gradient is another ODE, solved backwards in time.

Source: Chen et al. 2018, arXiv:1806.07366.
"""

import autodiff as torch
import nn
import optim


def rk4(f, y, t, dt):
    k1 = f(t, y)
    k2 = f(t + dt / 2, y + dt / 2 * k1)
    k3 = f(t + dt / 2, y + dt / 2 * k2)
    k4 = f(t + dt, y + dt * k3)
    return y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


class ODEAdjoint(torch.autograd.Function):
    """The solution at the times 0, dt, 2 dt, ..., one per row."""

    @staticmethod
    def forward(ctx, y0, func, dt, steps, *params):
        ctx.func, ctx.dt = func, dt
        with torch.no_grad():
            ys = [y0]
            for i in range(steps):
                ys.append(rk4(func, ys[-1], i * dt, dt))
            ys = torch.stack(ys)
        ctx.save_for_backward(ys, *params)
        return ys

    @staticmethod
    def backward(ctx, grad_ys):
        ys, *params = ctx.saved_tensors
        func, dt = ctx.func, ctx.dt
        a = torch.zeros_like(ys[0])
        grads = [torch.zeros_like(p) for p in params]
        for i in range(len(ys) - 1, 0, -1):
            a = a + grad_ys[i]
            with torch.enable_grad():
                y = ys[i - 1].detach().requires_grad_(True)
                out = rk4(func, y, (i - 1) * dt, dt)
            a, *more = torch.autograd.grad(out, (y, *params), a, allow_unused=True)
            grads = [g if m is None else g + m for g, m in zip(grads, more)]
        return a + grad_ys[0], None, None, None, *grads


class ODEFunc(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
        for m in self.net.modules():
            if isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, mean=0, std=0.1)
                nn.init.constant_(m.bias, val=0)

    def forward(self, t, y):
        return self.net(y**3)


def main(seed=0, iterations=200, compiled=False, dt=0.05, steps=8):
    """The metric: mean distance from the true path over the first 20 steps."""
    torch.manual_seed(seed)
    true_a = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]])
    truth = [torch.tensor([[2.0, 0.0]])]
    for i in range(100):
        truth.append(rk4(lambda t, y: (y**3) @ true_a, truth[-1], i * dt, dt))
    truth = torch.cat(truth)

    func = ODEFunc()
    optimizer = optim.Adam(func.parameters(), lr=1e-2)

    def train_step(y0, path):
        optimizer.zero_grad()
        predicted = ODEAdjoint.apply(y0, func, dt, steps, *func.parameters())
        loss = torch.mean(torch.abs(predicted - path))
        loss.backward()
        optimizer.step()
        return loss

    if compiled:
        train_step = torch.compile(train_step)

    losses = []
    for _ in range(iterations):
        start = torch.randperm(100 - steps)[:20]
        path = torch.stack([truth[start + i] for i in range(steps + 1)], dim=0)
        losses.append(train_step(truth[start], path).item())

    with torch.no_grad():
        y, whole = truth[:1], [truth[:1]]
        for i in range(20):
            y = rk4(func, y, i * dt, dt)
            whole.append(y)
    return losses, (torch.cat(whole) - truth[:21]).norm(dim=-1).mean().item()
