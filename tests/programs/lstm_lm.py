"""A language model of sentences by an LSTM of two layers, over padded batches."""

import math
import random

import autodiff as torch
import nn
import nn.functional as F
import optim
from nn.utils.rnn import pad_sequence

GRAMMAR = {
    "S": [["N", "V"], ["N", "V", "N"], ["N", "that", "V", "N", "V"]],
    "N": [["the", "dog"], ["the", "cat"], ["a", "big", "dog"], ["a", "small", "bird"]],
    "V": [["sees"], ["likes"], ["runs", "to"]],
}


def sentence(rng, symbol="S"):
    if symbol not in GRAMMAR:
        return [symbol]
    return [word for part in rng.choice(GRAMMAR[symbol]) for word in sentence(rng, part)]


class LanguageModel(nn.Module):
    def __init__(self, vocab, width=32, dropout=0.1):
        super().__init__()
        self.embedding = nn.Embedding(vocab, width, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.lstm = nn.LSTM(width, width, num_layers=2, batch_first=True)
        self.decoder = nn.Linear(width, vocab)
        self.init_weights()

    def init_weights(self):
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)
        for name, p in self.lstm.named_parameters():
            if "weight_hh" in name:
                nn.init.xavier_uniform_(p)
            elif "bias_ih" in name:
                p.data[p.size(0) // 4 : p.size(0) // 2].fill_(1.0)  # the forget gate

    def forward(self, tokens):
        out, (_h, _c) = self.lstm(self.dropout(self.embedding(tokens)))
        return self.decoder(self.dropout(out))


def main(seed=0, epochs=5, compiled=False):
    """The metric: perplexity of new sentences."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    corpus = [sentence(rng) for _ in range(400)]
    words = ["<pad>", "<s>", "</s>", *sorted({word for s in corpus for word in s})]
    index = {word: i for i, word in enumerate(words)}
    encoded = [torch.tensor([1, *(index[w] for w in s), 2]) for s in corpus]
    train, test = encoded[:320], encoded[320:]

    model = LanguageModel(len(words))
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    scheduler = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.8)

    def batches(sentences, size=32):
        for i in range(0, len(sentences), size):
            yield pad_sequence(sentences[i : i + size], batch_first=True, padding_value=0)

    def loss_of(padded, reduction="mean"):
        logits = model(padded[:, :-1])
        return F.cross_entropy(
            logits.transpose(1, 2), padded[:, 1:], ignore_index=0, reduction=reduction
        )

    def train_step(padded):
        optimizer.zero_grad()
        loss = loss_of(padded)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        return loss

    if compiled:
        train_step = torch.compile(train_step)

    losses = []
    for _ in range(epochs):
        model.train()
        rng.shuffle(train)
        for padded in batches(train):
            losses.append(train_step(padded).item())
        scheduler.step()

    model.eval()
    with torch.no_grad():
        total = sum(loss_of(padded, "sum").item() for padded in batches(test))
    return losses, math.exp(total / sum(len(s) - 1 for s in test))
