"""Experiments with networks: their figures, PyTorch's from the same weights, and compiled steps."""

import numpy as np
import pytest

import autodiff
from benchmarks import data
from benchmarks.learn import (
    breast_cancer,
    cnn,
    gradient_flow,
    grid,
    lstm,
    sigmoid_claims,
)
from benchmarks.learn.figures import value
from benchmarks.learn.training import pair_of_parts
from tests.benchmarks.learn.twins import on_pytorch


def misses(figures):
    return [figure for figure in figures if figure.ok is False]


@pytest.mark.parametrize("compiled", [False, True])
def test_lstm_equals_the_figures_of_pytorch(compiled):
    figures = lstm.run(epochs=200, compiled=compiled)
    assert len(figures) == 3 and not misses(figures)


def test_lstm_equals_pytorch_from_the_same_weights(torch):
    (theirs, *_), (ours, *_) = on_pytorch("lstm").train(20), lstm.train(20)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_breast_cancer_figures_are_scikit_learns_and_pytorchs():
    figures = breast_cancer.run(compiled=True)
    assert len([figure for figure in figures if figure.ok]) == 1 + 11
    assert not misses(figures)


def test_the_breast_cancer_network_equals_pytorch_from_the_same_weights(torch):
    _, _, theirs = on_pytorch("breast_cancer").network(20)
    _, _, ours = breast_cancer.network(20)
    for name, by_part in theirs.items():
        for part, numbers in by_part.items():
            np.testing.assert_allclose(ours[name][part], numbers, rtol=1e-6)


def test_the_count_of_right_answers_is_scikit_learns():
    linear_model = pytest.importorskip("sklearn.linear_model")
    right = 0
    for seed in range(breast_cancer.SPLITS):
        parts = breast_cancer.scaled_parts(seed, autodiff.float64)
        (x, y), held_out = (
            [tensor.numpy() for tensor in parts[part].tensors] for part in ("train", "held-out")
        )
        model = linear_model.LogisticRegression(tol=1e-10, max_iter=10_000).fit(x, y[:, 0])
        right += (model.predict(held_out[0]) == held_out[1][:, 0]).sum()
    assert right == breast_cancer.SCIKIT_LEARN_RIGHT


def test_the_convolutional_network_learns():
    figures = cnn.run(epochs=6, compiled=True)
    assert value(figures, "held-out accuracy") > 0.9
    assert not misses(figures)


def test_the_convolutional_network_of_pytorch_is_ours(torch):
    theirs, ours = on_pytorch("cnn").network(), cnn.network()
    state = {name: autodiff.tensor(array.numpy()) for name, array in theirs.state_dict().items()}
    ours.load_state_dict(state)
    x = np.random.default_rng(0).random((5, 1, 8, 8), dtype=np.float32)
    found = ours(autodiff.tensor(x)).detach().numpy()
    np.testing.assert_allclose(found, theirs(torch.tensor(x)).detach().numpy(), atol=1e-5)


def test_claims_about_the_sigmoid_network_hold():
    figures = sigmoid_claims.run(compiled=True)
    assert not misses(figures)
    assert len([figure for figure in figures if figure.ok]) == 2 + len(sigmoid_claims.CLAIMS)


def test_a_cell_of_the_grid_learns_eager_and_compiled():
    pixels, labels = data.digits()
    parts = pair_of_parts(
        autodiff.tensor(pixels, dtype=autodiff.float32),
        autodiff.tensor(labels),
        data.held_out_split(len(pixels), 0.2, 0),
    )
    found = []
    for compiled in (False, True):
        autodiff.manual_seed(0)
        found.append(grid.train(parts, 0.1, 1e-4, 10, compiled)["held-out"])
    assert found[0] > 0.8
    assert found[1] == pytest.approx(found[0], abs=0.01)


def test_an_interrupted_grid_keeps_its_cells(monkeypatch, capsys):
    cells = []

    def train(parts, eta, lam, epochs, compiled):
        if len(cells) == 10:
            raise KeyboardInterrupt
        cells.append((eta, lam))
        return {"train": 0.5, "held-out": 0.9 if (eta, lam) == (1e-4, 1e-5) else 0.4}

    monkeypatch.setattr(grid, "train", train)
    figures = grid.run()
    assert "stopped; the cells that are done are kept" in capsys.readouterr().out
    assert (value(figures, "its eta"), value(figures, "its lambda")) == (1e-4, 1e-5)
    assert not misses(figures)


def test_gradients_vanish_as_claimed():
    figures = gradient_flow.run(epochs=1, compiled=True)
    assert not misses(figures)
    judged = [figure.name for figure in figures if figure.ok]
    assert sum(name.endswith("first/last gradient") for name in judged) == 12
    assert "RNN, norm once clipped to 1" in judged


def test_other_activations_learn_better_than_the_logistic_one_and_dropout_regularises():
    figures = gradient_flow.run(compiled=True)
    assert not misses(figures)
    assert sum("held-out" in figure.name for figure in figures if figure.ok) == 4 + 1
