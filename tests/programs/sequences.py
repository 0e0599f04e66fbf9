"""Sequences of different lengths: a Dataset, collating, weighted sampling, a packed GRU."""

import math
import random

import autodiff as torch
import nn
import nn.functional as F
import optim
from autodiff.utils.data import DataLoader, Dataset, WeightedRandomSampler, random_split
from nn.utils.rnn import pack_padded_sequence, pad_sequence


class Waves(Dataset):
    """Noisy sines, of which the rarer ones (label 1) grow."""

    def __init__(self, n, seed):
        rng = random.Random(seed)
        self.examples = []
        for _ in range(n):
            label = int(rng.random() < 0.25)
            length, phase = rng.randint(6, 16), rng.uniform(0, 6)
            growth = 0.06 if label else 0.0
            values = [
                [math.sin(phase + 0.8 * t) * math.exp(growth * t) + rng.gauss(0, 0.1)]
                for t in range(length)
            ]
            self.examples.append((values, label))

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, index):
        values, label = self.examples[index]
        return torch.tensor(values), label


def collate(batch):
    sequences, labels = zip(*batch)
    lengths = torch.tensor([len(s) for s in sequences])
    return pad_sequence(sequences, batch_first=True), lengths, torch.tensor(labels)


class Classifier(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, h = self.gru(packed)
        return self.head(h[-1])[..., 0]


def main(seed=0, epochs=8, compiled=False):
    """The metric: accuracy balanced between the classes."""
    torch.manual_seed(seed)
    data = Waves(500, seed)
    train, test = random_split(data, [0.8, 0.2], generator=torch.Generator().manual_seed(42))
    labels = torch.tensor([label for _, label in train])
    weights = 1.0 / torch.bincount(labels).double()
    sampler = WeightedRandomSampler(weights[labels], num_samples=len(train), replacement=True)
    train_loader = DataLoader(train, batch_size=25, sampler=sampler, collate_fn=collate)
    test_loader = DataLoader(test, batch_size=50, collate_fn=collate)

    model = Classifier()
    optimizer = optim.NAdam(model.parameters(), lr=1e-2)

    def train_step(x, lengths, y):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(x, lengths), y.to(x.dtype))
        loss.backward()
        optimizer.step()
        return loss

    if compiled:
        train_step = torch.compile(train_step)

    losses = []
    for _ in range(epochs):
        for x, lengths, y in train_loader:
            losses.append(train_step(x, lengths, y).item())

    right, seen = torch.zeros(2), torch.zeros(2)
    with torch.no_grad():
        for x, lengths, y in test_loader:
            predicted = (model(x, lengths) > 0).long()
            right.index_add_(0, y, (predicted == y).to(right.dtype))
            seen += torch.bincount(y, minlength=2)
    return losses, (right / seen).mean().item()
