"""Two moons by a normalising flow of affine couplings (Dinh et al. 2016, arXiv:1605.08803)."""

import math

import autodiff as torch
import nn
import optim


class Coupling(nn.Module):
    def __init__(self, mask, hidden=32):
        super().__init__()
        self.register_buffer("mask", mask)
        self.scale = nn.Sequential(
            nn.Linear(2, hidden), nn.LeakyReLU(), nn.Linear(hidden, 2), nn.Tanh()
        )
        self.translate = nn.Sequential(nn.Linear(2, hidden), nn.LeakyReLU(), nn.Linear(hidden, 2))

    def forward(self, z):
        kept = z * self.mask
        s = self.scale(kept) * (1 - self.mask)
        t = self.translate(kept) * (1 - self.mask)
        return kept + (1 - self.mask) * (z * torch.exp(s) + t)

    def inverse(self, x):
        kept = x * self.mask
        s = self.scale(kept) * (1 - self.mask)
        t = self.translate(kept) * (1 - self.mask)
        return kept + (1 - self.mask) * (x - t) * torch.exp(-s), -s.sum(dim=1)


class RealNVP(nn.Module):
    def __init__(self, layers=6):
        super().__init__()
        masks = [torch.tensor([float(i % 2), float((i + 1) % 2)]) for i in range(layers)]
        self.couplings = nn.ModuleList([Coupling(mask) for mask in masks])
        self.register_buffer("mean", torch.zeros(2), persistent=False)

    def log_prob(self, x):
        log_det = x.new_zeros(x.shape[0])
        for coupling in reversed(self.couplings):
            x, step = coupling.inverse(x)
            log_det += step
        normal = -0.5 * (x - self.mean).pow(2).sum(dim=1) - math.log(2 * math.pi)
        return normal + log_det

    def sample(self, n):
        z = torch.randn(n, 2)
        for coupling in self.couplings:
            z = coupling(z)
        return z


def two_moons(n, noise=0.05):
    angle = math.pi * torch.rand(n)
    upper = torch.bernoulli(torch.full((n,), 0.5)).bool()
    first = torch.stack((torch.cos(angle), torch.sin(angle)), 1)
    second = torch.stack((1 - torch.cos(angle), 0.5 - torch.sin(angle)), 1)
    points = torch.where(upper[:, None], first, second)
    return points + torch.normal(0.0, noise, size=(n, 2))


def main(seed=0, iterations=200, compiled=False):
    """The metric: negative log-likelihood of new points, in nats."""
    torch.manual_seed(seed)
    flow = RealNVP()
    optimizer = optim.Adam(flow.parameters(), lr=5e-3)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=iterations, eta_min=1e-4)

    def train_step(x):
        loss = -flow.log_prob(x).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
        optimizer.step()
        return loss

    if compiled:
        train_step = torch.compile(train_step)

    losses = []
    for _ in range(iterations):
        losses.append(train_step(two_moons(128)).item())
        scheduler.step()

    with torch.no_grad():
        points = flow.sample(500)
        restored = points
        for coupling in reversed(flow.couplings):
            restored, _ = coupling.inverse(restored)
        for coupling in flow.couplings:
            restored = coupling(restored)
        assert torch.allclose(points, restored, atol=1e-3), "the flow is not invertible"
        return losses, -flow.log_prob(two_moons(1000)).mean().item()
