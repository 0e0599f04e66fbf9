"""A variational autoencoder of digits (Kingma & Welling 2013, arXiv:1312.6114)."""

import autodiff as torch
import nn
import optim
from autodiff.utils.data import DataLoader
from benchmarks.data import digits
from nn import functional as F


class VAE(nn.Module):
    def __init__(self, latent=6, hidden=64):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, hidden), nn.ReLU())
        self.mu = nn.Linear(hidden, latent)
        self.logvar = nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, 64), nn.Sigmoid()
        )

    def encode(self, x):
        h = self.encoder(x)
        return self.mu(h), self.logvar(h)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return eps.mul(std).add_(mu)

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 64))
        z = self.reparameterize(mu, logvar)
        return self.decoder(z), mu, logvar


def loss_function(recon, x, mu, logvar):
    bce = F.binary_cross_entropy(recon, x, reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return (bce + kld) / x.size(0)


def main(seed=0, epochs=20, compiled=False):
    """The metric: minus the evidence lower bound of the images held out, in nats."""
    torch.manual_seed(seed)
    images, _ = digits()
    x = torch.from_numpy(images / 16.0).to(torch.get_default_dtype())
    train_loader = DataLoader(x[:1400], batch_size=100, shuffle=True, drop_last=True)
    model = VAE()
    optimizer = optim.Adam(model.parameters(), lr=5e-3)

    def train_step(batch):
        optimizer.zero_grad()
        recon, mu, logvar = model(batch)
        loss = loss_function(recon, batch, mu, logvar)
        loss.backward()
        optimizer.step()
        return loss

    if compiled:
        train_step = torch.compile(train_step)

    losses = []
    for _ in range(epochs):
        for batch in train_loader:
            losses.append(train_step(batch).item())

    with torch.no_grad():
        bound = loss_function(model(x[1400:])[0], x[1400:], *model.encode(x[1400:]))
        sample = model.decoder(torch.randn(16, 6)).view(16, 8, 8)
    assert sample.shape == torch.Size([16, 8, 8])
    assert sample.min() >= 0 and sample.max() <= 1
    return losses, bound.item()
