"""Which token is most frequent: a transformer encoder over padded sequences."""

import math

import autodiff as torch
import nn
import nn.functional as F
import optim

KINDS, PAD = 4, 4


class PositionalEncoding(nn.Module):
    def __init__(self, width, longest=50):
        super().__init__()
        position = torch.arange(longest).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
        pe = torch.zeros(longest, 1, width)
        pe[:, 0, 0::2] = torch.sin(position * div_term)
        pe[:, 0, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe)

    def forward(self, x):
        return x + self.pe[: x.size(0)]


class Model(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.width = width
        self.embedding = nn.Embedding(KINDS + 1, width, padding_idx=PAD)
        self.positions = PositionalEncoding(width)
        layer = nn.TransformerEncoderLayer(width, nhead=3, dim_feedforward=48, dropout=0.0)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, KINDS)

    def forward(self, tokens):
        padding = tokens == PAD
        x = self.positions(self.embedding(tokens.t()) * math.sqrt(self.width))
        x = self.encoder(x, src_key_padding_mask=padding)
        x = x.masked_fill(padding.t().unsqueeze(-1), 0.0).sum(dim=0)
        return self.head(x / (~padding).sum(dim=1, keepdim=True))


def batch(n, length=9):
    tokens = torch.randint(0, KINDS, (n, length))
    lengths = torch.randint(5, length + 1, (n, 1))
    tokens = torch.where(torch.arange(length) < lengths, tokens, torch.tensor(PAD))
    counts = F.one_hot(tokens, KINDS + 1).sum(dim=1)[:, :KINDS]
    return tokens, counts.argmax(dim=1)


def main(seed=0, iterations=150, compiled=False):
    """The metric: accuracy; ties count for the smaller token alone."""
    torch.manual_seed(seed)
    model = Model()
    optimizer = optim.RAdam(model.parameters(), lr=5e-3)

    def train_step(tokens, target):
        model.train()
        loss = F.cross_entropy(model(tokens), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    if compiled:
        train_step = torch.compile(train_step)

    losses = [train_step(*batch(32)).item() for _ in range(iterations)]
    model.eval()
    with torch.no_grad():
        tokens, target = batch(500)
        return losses, (model(tokens).argmax(1) == target).double().mean().item()
