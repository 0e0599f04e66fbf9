"""Text, character by character, by an RNN trained on chunks that pass on the hidden state."""

import autodiff as torch
import nn
import nn.functional as F
import optim

TEXT = (
    "the cat sat on the mat and looked at the moon. the moon looked at the cat, "
    "and the cat slept on the mat. then the sun rose and the cat rose with it. "
) * 4


class CharRNN(nn.Module):
    def __init__(self, vocab, hidden=64):
        super().__init__()
        self.vocab = vocab
        self.rnn = nn.RNN(vocab, hidden, nonlinearity="tanh", batch_first=True)
        self.fc = nn.Linear(hidden, vocab)

    def forward(self, x, hidden=None):
        one_hot = F.one_hot(x, self.vocab).to(self.fc.weight.dtype)
        out, hidden = self.rnn(one_hot, hidden)
        return self.fc(out), hidden


def sample(model, stoi, itos, prompt, length):
    model.eval()
    text, hidden = list(prompt), None
    x = torch.tensor([[stoi[c] for c in prompt]])
    with torch.no_grad():
        for _ in range(length):
            logits, hidden = model(x, hidden)
            p = F.softmax(logits[0, -1] / 0.5, dim=-1)
            x = torch.multinomial(p, num_samples=1).unsqueeze(0)
            text.append(itos[x.item()])
    return "".join(text)


def main(seed=0, epochs=20, compiled=False, batch=4, chunk=15):
    """The metric: the share of the words of a sample that occur in the text."""
    torch.manual_seed(seed)
    chars = sorted(set(TEXT))
    stoi = {c: i for i, c in enumerate(chars)}
    itos = dict(enumerate(chars))
    data = torch.tensor([stoi[c] for c in TEXT], dtype=torch.long)
    columns = (len(data) - 1) // batch
    inputs = data[: batch * columns].view(batch, columns)
    targets = data[1 : batch * columns + 1].view(batch, columns)

    model = CharRNN(len(chars))
    optimizer = optim.RMSprop(model.parameters(), lr=2e-3)

    def train_step(x, y, hidden):
        optimizer.zero_grad()
        logits, hidden = model(x, hidden.detach())
        loss = F.cross_entropy(logits.reshape(-1, model.vocab), y.reshape(-1))
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 1.0)
        optimizer.step()
        return loss, hidden

    if compiled:
        train_step = torch.compile(train_step)

    losses = []
    for _ in range(epochs):
        hidden = torch.zeros(1, batch, 64)
        for x, y in zip(inputs.split(chunk, dim=1), targets.split(chunk, dim=1)):
            if x.size(1) < chunk:
                break
            loss, hidden = train_step(x.contiguous(), y.contiguous(), hidden)
            losses.append(loss.item())

    words = sample(model, stoi, itos, "the ", 200).split()[:-1]
    return losses, sum(word in TEXT.split() for word in words) / len(words)
