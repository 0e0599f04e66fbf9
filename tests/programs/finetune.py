"""Transfer: a network trained on the digits 0-4 learns 5-9 with its features frozen, then free."""

import io

import autodiff as torch
import nn
import optim
from autodiff.utils.data import DataLoader, TensorDataset
from benchmarks.data import digits


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1),
            nn.GroupNorm(2, 8),
            nn.SiLU(),
            nn.Conv2d(8, 16, 3, padding="same"),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )
        self.fc = nn.Linear(64, classes)

    def forward(self, x):
        return self.fc(self.backbone(x))


def trainer(model, optimizer, compiled):
    criterion = nn.CrossEntropyLoss()

    def train_step(x, y):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return torch.compile(train_step) if compiled else train_step


def main(seed=0, epochs=5, compiled=False):
    """The metric: accuracy on digits 5-9 held out."""
    torch.manual_seed(seed)
    images, labels = digits()
    x = torch.tensor(images / 16).unflatten(1, (1, 8, 8)).to(dtype=torch.get_default_dtype())
    y = torch.tensor(labels)
    low = y < 5
    source = DataLoader(TensorDataset(x[low][:600], y[low][:600]), 50, shuffle=True)
    target = DataLoader(TensorDataset(x[~low][:300], y[~low][:300] - 5), 50, shuffle=True)
    losses = []

    model = Net(classes=5)
    train_step = trainer(model, optim.Adam(model.parameters(), lr=1e-2), compiled)
    for _ in range(epochs):
        losses += [train_step(*batch).item() for batch in source]
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "epoch": epochs}, file)

    file.seek(0)
    checkpoint = torch.load(file, map_location="cpu")
    pretrained = Net(classes=5)
    assert str(pretrained.load_state_dict(checkpoint["model"])) == "<All keys matched successfully>"
    weights = {k: v for k, v in checkpoint["model"].items() if not k.startswith("fc.")}
    fresh = Net(classes=5)
    result = fresh.load_state_dict(weights, strict=False)
    assert result.missing_keys == ["fc.weight", "fc.bias"] and not result.unexpected_keys

    for p in pretrained.parameters():
        p.requires_grad = False
    pretrained.fc = nn.Linear(pretrained.fc.in_features, 5)
    before = pretrained.backbone[0].weight.clone()
    trainable = filter(lambda p: p.requires_grad, pretrained.parameters())
    optimizer = optim.SGD(trainable, lr=0.05, momentum=0.9)
    train_step = trainer(pretrained, optimizer, compiled)
    for _ in range(epochs):
        losses += [train_step(*batch).item() for batch in target]
    assert torch.equal(before, pretrained.backbone[0].weight), "a frozen layer changed"

    pretrained.backbone.requires_grad_(True)
    optimizer.add_param_group({"params": pretrained.backbone.parameters(), "lr": 0.01})
    for _ in range(epochs):
        losses += [train_step(*batch).item() for batch in target]
    assert not torch.equal(before, pretrained.backbone[0].weight)

    pretrained.eval()
    with torch.no_grad():
        predicted = pretrained(x[~low][300:]).softmax(-1).argmax(-1)
    return losses, (predicted == y[~low][300:] - 5).double().mean().item()
