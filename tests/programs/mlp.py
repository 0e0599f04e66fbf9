"""Digits by a perceptron with dropout: Adam, and a learning rate that falls in steps."""

import autodiff as torch
import nn
import nn.functional as F
import optim
from autodiff.utils.data import DataLoader, TensorDataset
from benchmarks.data import digits


class Net(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.fc1 = nn.Linear(64, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, 10)
        self.drop = nn.Dropout(0.2)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = self.drop(F.relu(self.fc2(x)))
        return self.out(x)


def load_data():
    images, labels = digits()
    x = torch.tensor(images / 16, dtype=torch.get_default_dtype())
    y = torch.from_numpy(labels).long()
    train, test = TensorDataset(x[:1400], y[:1400]), TensorDataset(x[1400:], y[1400:])
    return DataLoader(train, batch_size=64, shuffle=True), DataLoader(test, batch_size=256)


@torch.no_grad()
def evaluate(model, loader, device):
    model.eval()
    correct = total = 0
    for x, y in loader:
        x, y = x.to(device), y.to(device, non_blocking=True)
        correct += model(x).argmax(dim=1).eq(y).sum().item()
        total += y.size(0)
    model.train()
    return correct / total


def main(seed=0, epochs=10, compiled=False):
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train_loader, test_loader = load_data()
    model = Net().to(device)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
    optimizer = optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-4)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.3)

    def train_step(x, y):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    if compiled:
        train_step = torch.compile(train_step)

    losses = []
    for _ in range(epochs):
        for x, y in train_loader:
            losses.append(train_step(x.to(device), y.to(device)).item())
        scheduler.step()
    return losses, evaluate(model, test_loader, device)
