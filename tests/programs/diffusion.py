"""A spiral by denoising diffusion (Ho et al. 2020, arXiv:2006.11239)."""

import math

import autodiff as torch
import nn
import nn.functional as F
import optim

STEPS = 40


class SinusoidalEmbedding(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, t):
        half = self.width // 2
        frequencies = torch.exp(torch.arange(half) * -(math.log(10000) / (half - 1)))
        angles = t[:, None] * frequencies[None, :]
        return torch.cat((angles.sin(), angles.cos()), dim=-1)


class Denoiser(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.time = nn.Sequential(SinusoidalEmbedding(16), nn.Linear(16, width), nn.SiLU())
        self.enter = nn.Linear(2, width)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.leave = nn.Linear(width, 2)

    def forward(self, x, t):
        h, emb = self.enter(x), self.time(t)
        for block in self.blocks:
            h = h + block(F.silu(h + emb))
        return self.leave(F.silu(h))


def extract(values, t, x):
    return values.gather(-1, t).reshape(t.shape[0], *((1,) * (x.dim() - 1)))


def spiral(n):
    angle = 1.5 * math.pi * (1 + 2 * torch.rand(n)).sqrt()
    return torch.stack([angle * angle.cos(), angle * angle.sin()], -1) / 5


def main(seed=0, iterations=400, compiled=False):
    """The metric: mean distance of the points generated from the spiral."""
    torch.manual_seed(seed)
    betas = torch.linspace(1e-3, 0.15, STEPS)
    alphas = 1.0 - betas
    alphas_cumprod = torch.cumprod(alphas, dim=0)
    previous = F.pad(alphas_cumprod[:-1], (1, 0), value=1.0)
    variance = betas * (1.0 - previous) / (1.0 - alphas_cumprod)
    sqrt_alphas_cumprod = torch.sqrt(alphas_cumprod)
    sqrt_one_minus = torch.sqrt(1.0 - alphas_cumprod)
    model = Denoiser()
    optimizer = optim.AdamW(model.parameters(), lr=5e-3)
    scheduler = optim.lr_scheduler.PolynomialLR(optimizer, total_iters=iterations, power=1.0)

    def train_step(x0):
        t = torch.randint(0, STEPS, (x0.shape[0],), device=x0.device).long()
        noise = torch.randn_like(x0)
        x = extract(sqrt_alphas_cumprod, t, x0) * x0 + extract(sqrt_one_minus, t, x0) * noise
        loss = F.huber_loss(model(x, t), noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    if compiled:
        train_step = torch.compile(train_step)

    losses = []
    for _ in range(iterations):
        losses.append(train_step(spiral(128)).item())
        scheduler.step()

    with torch.no_grad():
        x = torch.randn(300, 2)
        for i in reversed(range(STEPS)):
            t = torch.full((300,), i, dtype=torch.long)
            mean = (x - betas[i] * model(x, t) / sqrt_one_minus[i]) / alphas[i].sqrt()
            x = mean + torch.sqrt(variance[i]) * torch.randn_like(x) if i else mean
    return losses, torch.cdist(x, spiral(1000)).min(dim=1).values.mean().item()
