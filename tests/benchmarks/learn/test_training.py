"""The training loop: what it goes through, measures and keeps."""

import doctest
from itertools import chain

import numpy as np
import pytest

import autodiff
import nn
import optim
from autodiff.utils.data import TensorDataset
from benchmarks.learn import training
from benchmarks.learn.training import class_accuracy, fit, measure, threshold_accuracy


def regression(seed=0):
    autodiff.manual_seed(seed)
    model = nn.Linear(2, 1)
    parts = {
        name: TensorDataset(autodiff.randn(rows, 2), autodiff.randn(rows, 1))
        for name, rows in (("train", 10), ("held-out", 4))
    }
    return model, optim.SGD(model.parameters(), lr=0.01), parts


def mean_squared_error(given, y):
    return nn.functional.mse_loss(given, y)


def test_every_epoch_goes_through_every_training_row_once_and_through_no_other():
    model, optimizer, parts = regression()
    seen = []

    def criterion(given, y):
        seen.append(y[:, 0].tolist())
        return nn.functional.mse_loss(given, y)

    fit(model, criterion, optimizer, parts, {"error": mean_squared_error}, 2, batch_size=4)
    assert [len(batch) for batch in seen] == [4, 4, 2, 4, 4, 2]
    targets = sorted(parts["train"].tensors[1][:, 0].tolist())
    first, second = ([*chain(*epoch)] for epoch in (seen[:3], seen[3:]))
    assert sorted(first) == sorted(second) == targets
    assert first != second


def test_the_history_is_of_the_model_after_each_epoch_over_all_rows():
    model, optimizer, parts = regression()
    errors = {"error": mean_squared_error}
    history = fit(model, mean_squared_error, optimizer, parts, errors, 3, batch_size=4)
    assert [len(history["error"][part]) for part in parts] == [3, 3]
    for part, (x, y) in ((part, data.tensors) for part, data in parts.items()):
        assert history["error"][part][-1] == pytest.approx(((model(x) - y) ** 2).mean().item())


def test_one_batch_of_all_rows_makes_one_update_an_epoch():
    model, optimizer, parts = regression()
    twin, twins_optimizer, _ = regression()
    fit(model, mean_squared_error, optimizer, parts, {}, 5)
    x, y = parts["train"].tensors
    for _ in range(5):
        twins_optimizer.zero_grad()
        mean_squared_error(twin(x), y).backward()
        twins_optimizer.step()
    np.testing.assert_array_equal(model.weight.detach(), twin.weight.detach())


def test_an_interruption_keeps_the_finished_epochs_and_the_weights(capsys):
    model, optimizer, parts = regression()
    before = model.weight.detach().clone()

    def criterion(given, y):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(y)
        return nn.functional.mse_loss(given, y)

    calls = []
    history = fit(model, criterion, optimizer, parts, {"error": mean_squared_error}, 9)
    assert "stopped; what was learned is kept" in capsys.readouterr().out
    assert len(history["error"]["train"]) == 2
    assert not autodiff.equal(model.weight, before)
    assert measure(model, parts, {"error": mean_squared_error})["error"]["train"] == (
        pytest.approx(history["error"]["train"][-1])
    )


def test_training_is_in_training_mode_and_measuring_is_not():
    model = nn.Sequential(nn.Dropout(0.5), nn.Identity())
    x = autodiff.ones(1, 1000)
    weight = autodiff.ones(1, requires_grad=True)
    parts = {"train": TensorDataset(x, x)}
    means = []

    def criterion(given, y):
        means.append(float((given == 0).float().mean()))
        return weight.sum()

    zeros = {"zeros": lambda given, y: (given == 0).float().mean()}
    history = fit(model, criterion, optim.SGD([weight], lr=0.1), parts, zeros, 2)
    assert all(0.4 < mean < 0.6 for mean in means)
    assert history["zeros"]["train"] == [0, 0]


def test_accuracies_count_rows():
    scores = autodiff.tensor([[1.0, 2.0, 0.0], [3.0, 1.0, 2.0], [0.0, 0.0, 1.0]])
    assert class_accuracy(scores, autodiff.tensor([1, 2, 2])).item() == pytest.approx(2 / 3)
    logits = autodiff.logit(autodiff.tensor([[0.3], [0.6], [0.8], [0.95]]))
    answers = autodiff.tensor([[0.0], [0.0], [1.0], [1.0]])
    at = {t: threshold_accuracy(t)(logits, answers).item() for t in (0.5, 0.7, 0.9)}
    assert at == {0.5: 0.75, 0.7: 1.0, 0.9: 0.75}


def test_examples_in_docstrings_hold():
    tried = doctest.testmod(training)
    assert tried.attempted and not tried.failed
