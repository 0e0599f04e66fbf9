"""A generative adversarial network that learns a ring (Goodfellow et al. 2014, arXiv:1406.2661)."""

import math

import autodiff as torch
import nn
import optim

LATENT = 4


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(LATENT, 32),
            nn.LayerNorm(32),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(32, 32),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(32, 2),
        )

    def forward(self, z):
        return self.net(z)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2)
        )
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        return self.head(self.net(x)).squeeze(1)


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Linear") != -1:
        nn.init.xavier_normal_(m.weight.data)
        m.bias.data.fill_(0)


def real_samples(n):
    angle = torch.rand(n) * (2 * math.pi)
    return torch.stack([angle.cos(), angle.sin()], dim=1) + 0.05 * torch.randn(n, 2)


def main(seed=0, iterations=700, compiled=False, batch=64):
    """The metric: how far the points are from the ring, and their mean from its centre."""
    torch.manual_seed(seed)
    generator, discriminator = Generator(), Discriminator()
    generator.apply(weights_init)
    discriminator.apply(weights_init)
    criterion = nn.BCEWithLogitsLoss()
    optimizer_g = optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    optimizer_d = optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.5, 0.999))
    real_label, fake_label = torch.full((batch,), 0.9), torch.zeros(batch)

    def train_step(real):
        discriminator.zero_grad()
        loss_real = criterion(discriminator(real), real_label)
        loss_real.backward()
        fake = generator(torch.randn(batch, LATENT))
        loss_fake = criterion(discriminator(fake.detach()), fake_label)
        loss_fake.backward()
        optimizer_d.step()

        generator.zero_grad()
        loss_g = criterion(discriminator(fake), real_label)
        loss_g.backward()
        optimizer_g.step()
        return loss_real + loss_fake, loss_g

    if compiled:
        train_step = torch.compile(train_step)

    losses = []
    for _ in range(iterations):
        loss_d, loss_g = train_step(real_samples(batch))
        losses += [loss_d.item(), loss_g.item()]

    with torch.inference_mode():
        points = generator(torch.randn(1000, LATENT))
    off = (points.norm(dim=1) - 1).abs().mean() + points.mean(dim=0).norm()
    return losses, off.item()
