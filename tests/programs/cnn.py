"""Digits by a convolutional network: batch normalisation, Nesterov momentum, one cycle."""

import autodiff as torch
import nn
import optim
from autodiff.utils.data import DataLoader, Subset, TensorDataset
from benchmarks.data import digits


def conv_block(in_channels, out_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
    )


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(conv_block(1, 8), conv_block(8, 16))
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(16 * 2 * 2, 10))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)

    def forward(self, x):
        return self.classifier(self.features(x))


def main(seed=0, epochs=4, compiled=False):
    torch.manual_seed(seed)
    images, labels = digits()
    x = torch.tensor(images, dtype=torch.get_default_dtype()).div_(16).view(-1, 1, 8, 8)
    mean, std = x[:1400].mean(), x[:1400].std()
    data = TensorDataset((x - mean) / std, torch.tensor(labels))
    train_loader = DataLoader(Subset(data, range(1400)), batch_size=50, shuffle=True)
    test_loader = DataLoader(Subset(data, range(1400, 1797)), batch_size=100)

    model = ConvNet()
    decay = [p for p in model.parameters() if p.dim() > 1]
    no_decay = [p for p in model.parameters() if p.dim() <= 1]
    groups = [
        {"params": decay, "weight_decay": 5e-4},
        {"params": no_decay, "weight_decay": 0.0},
    ]
    optimizer = optim.SGD(groups, lr=0.01, momentum=0.9, nesterov=True)
    scheduler = optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.1, epochs=epochs, steps_per_epoch=len(train_loader)
    )
    criterion = nn.CrossEntropyLoss()

    def train_step(x, y):
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    if compiled:
        train_step = torch.compile(train_step)

    losses = []
    for _ in range(epochs):
        model.train()
        for x, y in train_loader:
            losses.append(train_step(x, y).item())
            scheduler.step()

    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in test_loader:
            _, predicted = torch.max(model(x), 1)
            correct += (predicted == y).sum().item()
    return losses, correct / len(test_loader.dataset)
