"""Breast cancer by a perceptron: warm-up, cosine, plateau, clipping, and a running average."""

import autodiff as torch
import nn
import optim
from autodiff.utils.data import DataLoader, TensorDataset
from benchmarks.data import breast_cancer
from optim.lr_scheduler import (
    CosineAnnealingWarmRestarts,
    LinearLR,
    MultiStepLR,
    ReduceLROnPlateau,
    SequentialLR,
)
from optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def train(model, optimizer, schedulers, plateau, average, loaders, epochs, compiled):
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(0.6))

    def train_step(x, y):
        optimizer.zero_grad()
        loss = criterion(model(x).squeeze(-1), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5)
        optimizer.step()
        return loss

    if compiled:
        train_step = torch.compile(train_step)

    losses, rates = [], []
    for _ in range(epochs):
        for x, y in loaders[0]:
            losses.append(train_step(x, y).item())
            average.update_parameters(model)
        with torch.no_grad():
            parts = [criterion(model(x).squeeze(-1), y) * len(x) for x, y in loaders[1]]
            valid = torch.stack(parts).sum() / len(loaders[1].dataset)
        for scheduler in schedulers:
            scheduler.step()
        plateau.step(valid)
        rates.append(optimizer.param_groups[0]["lr"])
        losses.append(valid.item())
    return losses, rates


def main(seed=0, epochs=12, compiled=False):
    """The metric: accuracy of the averaged model on the examples held out."""
    torch.manual_seed(seed)
    features, labels = breast_cancer()
    x = torch.tensor(features, dtype=torch.get_default_dtype())
    std, mean = torch.std_mean(x[:400], dim=0)
    x, y = (x - mean) / std, torch.tensor(labels).to(x)
    loaders = (
        DataLoader(TensorDataset(x[:400], y[:400]), batch_size=40, shuffle=True),
        DataLoader(TensorDataset(x[400:], y[400:]), batch_size=100),
    )
    model = nn.Sequential(nn.Linear(30, 16), nn.Mish(), nn.Dropout(0.1), nn.Linear(16, 1))
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    optimizer = optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    warmup = LinearLR(optimizer, start_factor=0.1, total_iters=3)
    cosine = CosineAnnealingWarmRestarts(optimizer, T_0=5, eta_min=1e-3)
    schedulers = [
        SequentialLR(optimizer, schedulers=[warmup, cosine], milestones=[3]),
        MultiStepLR(optimizer, milestones=[6, 10], gamma=0.5),
    ]
    plateau = ReduceLROnPlateau(optimizer, mode="min", factor=0.5, patience=1, cooldown=1)
    losses, rates = train(model, optimizer, schedulers, plateau, average, loaders, epochs, compiled)
    average.eval()
    with torch.no_grad():
        predicted = (torch.sigmoid(average(x[400:]).squeeze(-1)) > 0.5).to(y.dtype)
    return losses + rates, predicted.eq(y[400:]).double().mean().item()
