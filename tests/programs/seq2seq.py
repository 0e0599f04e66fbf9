"""Reversing sequences: an encoder, and a decoder that attends to it (Bahdanau, arXiv:1409.0473)."""

import random

import autodiff as torch
import nn
import nn.functional as F
import optim

PAD, SOS, EOS, LETTERS = 0, 1, 2, 8


class Encoder(nn.Module):
    def __init__(self, vocab, hidden):
        super().__init__()
        self.embedding = nn.Embedding(vocab, hidden, padding_idx=PAD)
        self.gru = nn.GRU(hidden, hidden, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * hidden, hidden)

    def forward(self, source):
        outputs, hidden = self.gru(self.embedding(source))
        return outputs, torch.tanh(self.bridge(torch.cat((hidden[0], hidden[1]), dim=1)))


class Attention(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(2 * hidden, hidden, bias=False)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, hidden, outputs, mask):
        energy = torch.tanh(self.query(hidden).unsqueeze(1) + self.key(outputs))
        scores = self.score(energy).squeeze(-1).masked_fill(~mask, float("-inf"))
        weights = F.softmax(scores, dim=-1)
        return torch.bmm(weights.unsqueeze(1), outputs).squeeze(1)


class Decoder(nn.Module):
    def __init__(self, vocab, hidden):
        super().__init__()
        self.embedding = nn.Embedding(vocab, hidden, padding_idx=PAD)
        self.attention = Attention(hidden)
        self.cell = nn.GRUCell(3 * hidden, hidden)
        self.out = nn.Linear(3 * hidden, vocab)

    def forward(self, token, hidden, outputs, mask):
        context = self.attention(hidden, outputs, mask)
        hidden = self.cell(torch.cat([self.embedding(token), context], dim=-1), hidden)
        return self.out(torch.cat([hidden, context], dim=-1)), hidden


class Seq2Seq(nn.Module):
    def __init__(self, vocab=LETTERS + 3, hidden=32):
        super().__init__()
        self.encoder = Encoder(vocab, hidden)
        self.decoder = Decoder(vocab, hidden)

    def forward(self, source, target=None, length=8):
        outputs, hidden = self.encoder(source)
        mask = source.ne(PAD)
        token = torch.full_like(source[:, 0], SOS)
        logits = []
        for t in range(length):
            step, hidden = self.decoder(token, hidden, outputs, mask)
            logits.append(step)
            token = step.detach().argmax(-1) if target is None else target[:, t]
        return torch.stack(logits, dim=1)


def batch(rng, size):
    source, target = torch.zeros(size, 7).long(), torch.zeros(size, 8, dtype=torch.int64)
    for i in range(size):
        word = [rng.randrange(3, 3 + LETTERS) for _ in range(rng.randint(3, 7))]
        source[i, : len(word)] = torch.tensor(word)
        target[i, : len(word) + 1] = torch.tensor([*reversed(word), EOS])
    return source, target


def main(seed=0, iterations=180, compiled=False):
    """The metric: the share of tokens that are right when it writes on its own."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    model = Seq2Seq()
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    criterion = nn.CrossEntropyLoss(ignore_index=PAD)

    def train_step(source, target):
        optimizer.zero_grad(set_to_none=True)
        logits = model(source, target)
        loss = criterion(logits.flatten(0, 1), target.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    if compiled:
        train_step = torch.compile(train_step)

    losses = [train_step(*batch(rng, 32)).item() for _ in range(iterations)]

    model.eval()
    with torch.no_grad():
        source, target = batch(rng, 100)
        right = (model(source).argmax(-1) == target)[target != PAD]
    return losses, right.double().mean().item()
