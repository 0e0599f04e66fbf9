"""Choosing hyperparameters: the folds, the searches, and what is drawn of them."""

import importlib.util

import numpy as np
import pytest

from benchmarks.learn import selection
from benchmarks.learn.figures import value


def test_every_row_is_held_out_once_and_never_trained_on_then():
    rows = np.random.default_rng(0).permutation(103)[:97]
    folds = selection.parted(rows)
    assert len(folds) == selection.FOLDS
    held_out = np.concatenate([part for _, part in folds])
    assert sorted(held_out) == sorted(rows)
    for train, part in folds:
        assert sorted([*train, *part]) == sorted(rows)


def test_rows_held_out_do_not_set_the_scale():
    train, held_out = np.arange(0, 400), np.arange(400, 569)
    parts = selection.scaled((train, held_out))
    x = parts["train"].tensors[0].numpy()
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(0), 1, atol=1e-5)
    assert abs(parts["held-out"].tensors[0].numpy().mean(0)).max() > 0.05


def test_both_searches_have_as_many_pairs_from_the_same_ranges():
    searches = selection.candidates(np.random.default_rng(0))
    assert len(searches["grid"]) == len(searches["random"]) == 9
    for pairs in searches.values():
        for bounds, values in zip((selection.RATES, selection.PENALTIES), zip(*pairs)):
            assert bounds[0] * (1 - 1e-9) <= min(values) <= max(values) <= bounds[1] * (1 + 1e-9)


def test_the_pair_with_the_lowest_loss_over_the_folds_is_chosen(monkeypatch):
    def reached(parts, pair, *_):
        return {"cross-entropy": abs(np.log10(pair[0] * 1e3) + pair[1]), "accuracy": 0.97}

    monkeypatch.setattr(selection, "reached", reached)
    figures = selection.run()
    assert value(figures, "grid search, rate") == pytest.approx(1e-3)
    assert value(figures, "grid search, penalty") == pytest.approx(1e-5)
    assert all(figure.ok for figure in figures if "test" in figure.name)


def test_eager_and_compiled_reach_the_same():
    parts = selection.scaled((np.arange(100), np.arange(100, 150)))
    eager, compiled = (selection.reached(parts, (0.1, 1e-3), 0, 3, each) for each in (False, True))
    assert compiled == pytest.approx(eager, rel=1e-3)
    assert eager["accuracy"] > 0.8


@pytest.mark.skipif(not importlib.util.find_spec("matplotlib"), reason="needs matplotlib")
def test_the_searches_are_drawn(tmp_path):
    searches = selection.candidates(np.random.default_rng(0))
    losses = {pair: 0.1 + pair[0] for pairs in searches.values() for pair in pairs}
    selection.draw(tmp_path / "a.png", searches, losses)
    assert (tmp_path / "a.png").stat().st_size > 10_000
