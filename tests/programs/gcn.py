"""Communities of a graph by graph convolutions, from two labels each.

Source: Kipf & Welling 2016, arXiv:1609.02907.
"""

import numpy as np

import autodiff as torch
import nn
import nn.functional as F
import optim

NODES, CLASSES = 120, 4


class GCNConv(nn.Module):
    """D^-1/2 (A + I) D^-1/2 X W + b, along the edges."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_channels, out_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x, edge_index):
        loops = torch.arange(x.size(0)).repeat(2, 1)
        row, col = torch.cat([edge_index, loops], dim=1)
        degree = torch.zeros(x.size(0), dtype=x.dtype).scatter_add_(
            0, col, torch.ones_like(col, dtype=x.dtype)
        )
        norm = degree.pow(-0.5)
        norm = norm[row] * norm[col]
        messages = norm.view(-1, 1) * (x @ self.weight).index_select(0, row)
        out = torch.zeros(x.size(0), self.weight.size(1), dtype=x.dtype)
        return out.index_add(0, col, messages) + self.bias

    def extra_repr(self):
        return "{}, {}".format(*self.weight.shape)


class GCN(nn.Module):
    def __init__(self, features, hidden=16):
        super().__init__()
        self.conv1 = GCNConv(features, hidden)
        self.conv2 = GCNConv(hidden, CLASSES)

    def forward(self, x, edge_index):
        x = F.dropout(x, p=0.2, training=self.training)
        x = F.elu(self.conv1(x, edge_index))
        x = F.dropout(x, p=0.2, training=self.training)
        return F.log_softmax(self.conv2(x, edge_index), dim=1)


def graph(seed):
    """Nodes of a class are often neighbours, others seldom; features hint at the class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(NODES) % CLASSES
    likely = np.where(labels[:, None] == labels, 0.2, 0.02)
    adjacency = np.triu(rng.random((NODES, NODES)) < likely, 1)
    row, col = (adjacency | adjacency.T).nonzero()
    features = rng.normal(size=(NODES, 8)) + 0.5 * rng.normal(size=(CLASSES, 8))[labels]
    return features, np.stack([row, col]), labels


def main(seed=0, epochs=100, compiled=False):
    """The metric: accuracy on the nodes without a label."""
    torch.manual_seed(seed)
    features, edge_index, labels = graph(seed)
    x = torch.from_numpy(features).type(torch.get_default_dtype())
    edge_index, y = torch.from_numpy(edge_index), torch.as_tensor(labels)
    idx_train, idx_test = torch.arange(NODES).split([2 * CLASSES, NODES - 2 * CLASSES])

    model = GCN(x.shape[1])
    optimizer = optim.Adam(
        [
            dict(params=model.conv1.parameters(), weight_decay=5e-4),
            dict(params=model.conv2.parameters(), weight_decay=0),
        ],
        lr=0.02,
    )

    def train_step():
        model.train()
        optimizer.zero_grad()
        out = model(x, edge_index)
        loss = F.nll_loss(out[idx_train], y[idx_train])
        loss.backward()
        optimizer.step()
        return loss

    if compiled:
        train_step = torch.compile(train_step)

    losses = [train_step().item() for _ in range(epochs)]

    model.eval()
    pred = model(x, edge_index).argmax(dim=-1)
    correct = pred[idx_test].eq(y[idx_test]).double().sum()
    return losses, correct.item() / len(idx_test)
