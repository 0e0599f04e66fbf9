"""The learning experiments: their figures, and the command that runs them."""

import importlib.util
import json
import re

import numpy as np
import pytest

import autodiff
from autodiff.utils.data import TensorDataset
from benchmarks.__main__ import main
from benchmarks.learn import (
    classifier,
    digits,
    experiments,
    gates,
    mlp,
    mlp_torch,
    pictures,
    progress,
    rnn,
    rnn_torch,
    sigmoid_net,
    training,
)
from benchmarks.learn.figures import exact, shown, table, value, within

HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


def losses(experiment, *arguments):
    """The losses of an experiment that returns them alone or first."""
    found = experiment.train(*arguments)
    return found[0] if isinstance(found, tuple) else found


def misses(figures):
    """The figures that are not exactly as demanded, and those that nothing is demanded of."""
    return [figure for figure in figures if figure.ok is not True]


@pytest.mark.parametrize("compiled", [False, True])
def test_mlp_equals_all_eleven_printed_losses(compiled):
    figures = mlp.run(compiled=compiled)
    assert len(figures) == 11
    assert not misses(figures)


@pytest.mark.parametrize("compiled", [False, True])
def test_rnn_equals_all_printed_losses_and_predictions(compiled):
    figures = rnn.run(compiled=compiled)
    assert len(figures) == 11 + 5
    assert not misses(figures)


def test_compiled_sigmoid_net_and_gates_answer_as_the_eager_ones():
    assert not misses(sigmoid_net.run(compiled=True))
    assert not misses(gates.run(compiled=True))


@pytest.mark.parametrize("experiment", [mlp_torch, rnn_torch], ids=lambda module: module.__name__)
def test_compiled_twins_train_as_the_eager_ones(experiment):
    eager, compiled = (losses(experiment, 0, 40, compiled) for compiled in (False, True))
    np.testing.assert_allclose(compiled, eager, rtol=1e-3)


def test_compiled_digits_learn_as_the_eager_ones():
    eager, compiled = (digits.run(epochs=3, compiled=compiled) for compiled in (False, True))
    for name in ("train cross-entropy", "held-out cross-entropy"):
        assert value(compiled, name) == pytest.approx(value(eager, name), rel=1e-3)


def test_sigmoid_net_equals_the_printed_outputs_and_counts():
    figures = sigmoid_net.run()
    assert not misses(figures)
    assert value(figures, "correct of 1000, printed rule") == 894
    assert value(figures, "correct of 1000, true gradient") == 912


def test_the_printed_rule_differs_from_the_true_gradient_in_the_hidden_layer_alone():
    x, target = autodiff.tensor([[0.3, -0.8]]), autodiff.tensor([[0.99, 0.01]])
    gradients = []
    for printed_rule in (True, False):
        autodiff.manual_seed(0)
        model = sigmoid_net.Network(printed_rule)
        out = model(x)
        (((out - target) ** 2).sum() / 2).backward()
        gradients.append([p.grad.numpy() for p in model.parameters()])
        out = out.detach().numpy()
    (printed_hidden, printed_output), (true_hidden, true_output) = gradients
    np.testing.assert_allclose(printed_output, true_output, rtol=1e-5)
    assert np.all(np.abs(printed_hidden) > 2 * np.abs(true_hidden))


def test_mlp_twin_ends_within_pytorchs_band():
    low, high = mlp_torch.BAND
    assert low <= mlp_torch.train(seed=0, epochs=1000)[-1] <= high


def test_rnn_twin_ends_within_pytorchs_band():
    low, high = rnn_torch.BAND
    assert low <= losses(rnn_torch, 0, 1000)[-1] <= high


@pytest.mark.parametrize("experiment", [mlp_torch, rnn_torch], ids=lambda module: module.__name__)
def test_twins_report_the_same_run_for_the_same_seed(experiment):
    first, again = (experiment.run(seed=3, epochs=5) for _ in range(2))
    assert first == again
    assert value(first, "final loss, seed 3") != value(first, "final loss, seed 4")


def test_xor_needs_the_hidden_layer_and_the_other_gates_do_not():
    figures = gates.run()
    assert len(figures) == 6
    assert not misses(figures)


def test_digits_learn_the_held_out_fifth():
    figures = digits.run(epochs=50)
    assert value(figures, "held-out accuracy") >= 0.94
    assert value(figures, "train accuracy") >= 0.95


def test_an_interrupted_training_keeps_what_was_learned(monkeypatch, capsys):
    calls = []

    def interrupting(*arguments):
        calls.append(arguments)
        if len(calls) == 4:  # in the fourth epoch
            raise KeyboardInterrupt
        return measure(*arguments)

    measure = training.measure
    monkeypatch.setattr(training, "measure", interrupting)
    figures = digits.run(epochs=50)
    assert value(figures, "epochs") == 3
    assert value(figures, "held-out accuracy") > 0.2
    assert "stopped; what was learned is kept" in capsys.readouterr().out


def test_classifier_program_reaches_pytorchs_accuracy(capsys):
    figures = classifier.run()
    assert not misses(figures[:1])
    said = capsys.readouterr().out
    assert "(hidden1): Linear(in_features=8, out_features=12, bias=True)" in said
    assert re.search(r"^Accuracy 0\.9\d+$", said, re.M)
    assert len(re.findall(r"\] => [01] \(expected [01]\)$", said, re.M)) == 5


def test_classifier_program_is_a_pytorch_program_but_for_its_imports(tmp_path, capsys):
    torch = pytest.importorskip("torch")
    text = classifier.PROGRAM.read_text(encoding="utf-8")
    ours = "import autodiff as torch\nimport nn\nimport optim\n"
    theirs = "import torch\nimport torch.nn as nn\nimport torch.optim as optim\n"
    assert text.count(ours) == 1

    accuracies, said = [], []
    for package, imports in ((autodiff, ours), (torch, theirs)):
        shorter = text.replace(ours, imports).replace("n_epochs = 100", "n_epochs = 30")
        program = tmp_path / "program.py"
        program.write_text(shorter, encoding="utf-8")
        package.manual_seed(0)
        accuracies.append(classifier.run_program(program)["accuracy"].item())
        said.append(re.sub(r"Accuracy 0\.\d+|=> \d", "", capsys.readouterr().out))
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.03)
    assert said[0] == said[1]


def test_a_table_shows_hits_and_misses():
    figures = [
        exact("a", "0.50", 0.501),
        exact("b", "0.5", 0.7),
        shown("c", 3.0),
        within("d", "", 1),
    ]
    assert table(figures).splitlines() == [
        "figure | known | here |  ok",
        "-------+-------+------+----",
        "a      |  0.50 | 0.50 | yes",
        "b      |   0.5 |  0.7 |  NO",
        "c      |       |    3 |",
        "d      |       |    1 | yes",
    ]


def test_progress_in_a_file_is_ten_lines(capsys):
    counted = progress.Progress(200)
    for epoch in counted:
        counted.say(f"loss {epoch / 2}")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert lines[0] == "epoch  20/200  loss 10.0"


def test_learn_without_a_name_lists_every_experiment(capsys):
    assert main(["learn"]) == 0
    listed = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[0] for line in listed] == list(experiments.EXPERIMENTS)
    assert all(len(line.split()) > 3 for line in listed)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["mpl"], "no experiment 'mpl'; choose from mlp, mlp-torch, rnn, rnn-torch, poisson, "),
        (["mlp", "--seed", "3"], "mlp takes no --seed: its run is fixed"),
        (["gates", "digits", "--plot", "a.png"], "--plot names one file"),
    ],
)
def test_learn_refuses_in_one_line(arguments, complaint, capsys):
    assert main(["learn", *arguments]) == 2
    complaints = capsys.readouterr().err.splitlines()
    assert len(complaints) == 1
    assert complaints[0].startswith(f"learn: {complaint}")


def test_learn_prints_the_figures_beside_the_seeds(capsys):
    assert main(["learn", "mlp", "--quick"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^loss after 0 updates +\| 7\.843827 \| 7\.843827 \| yes$", said, re.M)


def test_learn_fails_when_a_figure_misses(monkeypatch, capsys):
    monkeypatch.setattr(mlp, "PRINTED", ("7.843828",))
    assert main(["learn", "mlp", "--epochs", "1"]) == 1
    assert "NO" in capsys.readouterr().out


def test_every_experiment_has_a_quick_run_its_arguments_allow():
    for name, module in experiments.EXPERIMENTS.items():
        assert module.QUICK.keys() <= experiments.parameters(name)


def test_without_matplotlib_the_extra_is_named(monkeypatch, capsys):
    def canvas(columns):
        raise ImportError("pictures need matplotlib: pip install 'tapegrad[plot]'")

    monkeypatch.setattr(experiments, "canvas", canvas)
    assert main(["learn", "digits", "--epochs", "1"]) == 0
    assert "no picture: pictures need matplotlib" in capsys.readouterr().out
    assert main(["learn", "digits", "--epochs", "1", "--plot", "a.png"]) == 2
    assert "tapegrad[plot]" in capsys.readouterr().err


@pytest.mark.skipif(HAS_MATPLOTLIB, reason="shows the message where matplotlib is missing")
def test_a_canvas_without_matplotlib_names_the_extra():
    with pytest.raises(ImportError, match=r"tapegrad\[plot\]"):
        pictures.canvas(1)


@pytest.mark.skipif(not HAS_MATPLOTLIB, reason="needs matplotlib")
@pytest.mark.parametrize(
    "arguments",
    [
        ["mlp", "--epochs", "150"],
        ["mlp-torch", "--epochs", "2"],
        ["rnn", "--epochs", "2"],
        ["rnn-torch", "--epochs", "2"],
        ["lstm", "--epochs", "2"],
        ["sigmoid-net"],
        ["polynomial"],
        ["digits", "--epochs", "2"],
        ["gates"],
        ["derivatives"],
        ["update-rules", "--epochs", "2"],
        ["grid", "--epochs", "1", "--compiled"],
        ["gradient-flow", "--epochs", "1"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_pictures_are_drawn_where_asked(arguments, tmp_path):
    path = tmp_path / "picture.png"
    assert main(["learn", *arguments, "--plot", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")


def test_images_that_were_told_wrong_come_first():
    x = autodiff.tensor([[0.0] * 64, [1.0] * 64, [2.0] * 64])
    rows = TensorDataset(x, autodiff.tensor([0, 1, 0]))

    def model(x):  # answers 0 always
        return autodiff.tensor([[1.0, 0.0]] * len(x))

    shown = digits.answered(model, rows, count=2)
    assert list(shown) == ["1: told 0, is 1", "0: told 0, is 0"]
    assert shown["1: told 0, is 1"].tolist() == [[1.0] * 8] * 8


@pytest.mark.skipif(not HAS_MATPLOTLIB, reason="needs matplotlib")
def test_a_decision_region_ends_where_the_probability_is_one_half():
    _, (panel,) = pictures.canvas(1)
    pictures.decision_regions(
        panel, lambda points: 1 / (1 + np.exp(-points[:, 0])), (-3, 3), (0, 1)
    )
    (line,) = panel.collections[-1].get_paths()
    np.testing.assert_allclose(line.vertices[:, 0], 0, atol=1e-9)
    pictures.decision_regions(panel, lambda points: 0 * points[:, 0], (-3, 3), (0, 1))


@pytest.mark.skipif(not HAS_MATPLOTLIB, reason="needs matplotlib")
def test_losses_are_drawn_beside_the_known_ones_that_a_run_has_reached():
    _, (panel,) = pictures.canvas(1)
    pictures._draw_losses(panel, {"here": [3.0] * 150}, ("4.0", "2.0", "1.0"))
    here, known = panel.get_lines()
    assert len(here.get_ydata()) == 150
    assert known.get_xydata().tolist() == [[0, 4], [100, 2]]


def test_learn_records_every_table_and_where_the_pictures_are(tmp_path, capsys):
    path = tmp_path / "learn.json"
    names = ["mlp", "gates"]
    assert experiments.learn(names, quick=True, json_file=path) == 0
    record = json.loads(path.read_text())
    assert record["command"] == "learn"
    assert [table["title"].partition(":")[0] for table in record["tables"]] == names
    first = record["tables"][0]["rows"][0]
    assert first == ["loss after 0 updates", "7.843827", "7.843827", "yes"]
    drawn = names if HAS_MATPLOTLIB else []
    assert record["pictures"] == [str(tmp_path / f"tapegrad-{name}.png") for name in drawn]
    assert all((tmp_path / f"tapegrad-{name}.png").exists() for name in drawn)
