"""Weights of given norms and of spectral norm 1, as PyTorch's."""

import copy
import pickle

import numpy as np
import pytest

import autodiff
import nn
import optim
from autodiff import tensor
from nn.utils import parametrizations, remove_weight_norm, weight_norm
from nn.utils.parametrize import remove_parametrizations
from tests.autodiff.compiler.scenarios import agree
from tests.nn.twins import check_modules, check_state

RNG = np.random.default_rng(8)
ROWS = RNG.normal(size=(5, 4))
IMAGES = RNG.normal(size=(2, 4, 5, 6))
SEQUENCE = RNG.normal(size=(5, 3, 4))
LAYERS = {
    "linear": (lambda library: library.Linear(4, 3), "weight", ROWS),
    "convolution": (lambda library: library.Conv2d(4, 3, 2), "weight", IMAGES),
    "transposed": (lambda library: library.ConvTranspose2d(4, 3, 2), "weight", IMAGES),
    "recurrent": (lambda library: library.LSTM(4, 3), "weight_hh_l0", SEQUENCE),
    "vector": (lambda library: library.Linear(4, 3), "bias", ROWS),
}


def both(torch, make):
    return make(nn), make(torch.nn)


@pytest.mark.parametrize(
    ("kind", "dim"),
    [
        (kind, dim)
        for kind in LAYERS
        for dim in ((0, None) if kind == "vector" else (0, 1, -2, None))
    ],
)
def test_weight_norm_equals_pytorchs(torch, kind, dim):
    make, name, x = LAYERS[kind]
    ours, theirs = both(torch, make)
    for layer, library in ((ours, nn), (theirs, torch.nn)):
        library.utils.parametrizations.weight_norm(layer, name, dim)
    check_modules(torch, ours, theirs, x)
    for layer, library in ((ours, nn), (theirs, torch.nn)):
        library.utils.parametrize.remove_parametrizations(layer, name)
    check_state(ours, theirs)


@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize(("make", "name", "x"), list(LAYERS.values())[:3], ids=list(LAYERS)[:3])
def test_legacy_weight_norm_equals_pytorchs(torch, make, name, x, dim):
    ours, theirs = both(torch, make)
    for layer, library in ((ours, nn), (theirs, torch.nn)):
        assert library.utils.weight_norm(layer, name, dim) is layer
    check_modules(torch, ours, theirs, x)
    theirs(torch.tensor(x))
    for layer, library in ((ours, nn), (theirs, torch.nn)):
        assert library.utils.remove_weight_norm(layer, name) is layer
    check_state(ours, theirs)
    assert repr(ours) == repr(theirs)


def test_norms_are_learned_apart_from_directions():
    layer = weight_norm(nn.Linear(2, 1))
    with autodiff.no_grad():
        layer.weight_v.copy_(tensor([[3.0, 4.0]]))
        layer.weight_g.copy_(tensor([[10.0]]))
    assert layer.weight.tolist() == [[6.0, 8.0]]


def test_a_state_of_the_legacy_form_loads_into_the_new_one():
    old = weight_norm(nn.Linear(4, 3))
    new = parametrizations.weight_norm(nn.Linear(4, 3))
    model, state = nn.Sequential(new), nn.Sequential(old).state_dict()
    model.load_state_dict(state)
    assert (new.weight == old.weight).all()
    assert list(state) == ["0.bias", "0.weight_g", "0.weight_v"]


def test_legacy_weight_norm_is_applied_once():
    layer = weight_norm(nn.Linear(4, 3))
    with pytest.raises(RuntimeError, match="normalised already"):
        weight_norm(layer)
    remove_weight_norm(layer)
    with pytest.raises(AttributeError, match="no parameter 'wait', but: "):
        weight_norm(layer, "wait")
    with pytest.raises(ValueError, match="no weight_norm of 'weight'"):
        remove_weight_norm(layer)
    weight_norm(layer)


@pytest.mark.parametrize("options", [{}, {"n_power_iterations": 3, "dim": -2, "eps": 1e-3}])
@pytest.mark.parametrize("kind", ["linear", "convolution", "transposed", "vector"])
def test_spectral_norm_equals_pytorchs(torch, kind, options):
    make, name, x = LAYERS[kind]
    if kind == "vector":
        options = {}
    ours, theirs = both(torch, make)
    for layer, library in ((ours, nn), (theirs, torch.nn)):
        library.utils.parametrizations.spectral_norm(layer, name, **options)
    check_modules(torch, ours, theirs, x)
    check_state(ours, theirs)  # the vectors took the same steps
    check_modules(torch, ours.eval(), theirs.eval(), x)
    check_state(ours, theirs)


def test_the_spectral_norm_is_1():
    layer = parametrizations.spectral_norm(nn.Linear(6, 5), n_power_iterations=50)
    assert autodiff.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, abs=1e-4)
    remove_parametrizations(layer, "weight")
    assert autodiff.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, abs=1e-4)


def test_bad_settings_are_refused():
    for options, kind, message in (
        ({"dim": 2}, IndexError, "dim must be an axis"),
        ({"n_power_iterations": 0}, ValueError, "must be positive, got 0"),
        ({"name": "wait"}, ValueError, "no parameter and no buffer 'wait'"),
    ):
        layer = nn.Linear(3, 2)
        with pytest.raises(kind, match=message):
            parametrizations.spectral_norm(layer, **options)
        assert type(layer) is nn.Linear


NORMALISATIONS = {
    "weight": parametrizations.weight_norm,
    "legacy": weight_norm,
    "spectral": parametrizations.spectral_norm,
}


@pytest.mark.parametrize("normalise", NORMALISATIONS.values(), ids=NORMALISATIONS)
def test_normalised_layers_can_be_copied_and_pickled(normalise):
    layer = normalise(nn.Linear(4, 3)).eval()
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(other) == repr(layer)
        assert (other.weight == layer.weight).all()
        assert list(other.state_dict()) == list(layer.state_dict())


@pytest.mark.parametrize("normalise", NORMALISATIONS.values(), ids=NORMALISATIONS)
def test_compiled_steps_train_normalised_layers(normalise):
    def scenario(run):
        model = nn.Sequential(nn.Conv2d(4, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(60, 2))
        for layer in (model[0], model[3]):
            normalise(layer)
        model.double()
        optimizer = optim.Adam(model.parameters(), 0.01)

        @run.compile
        def step(x):
            optimizer.zero_grad()
            loss = (model(x) - model(x + 1)).square().sum()
            loss.backward()
            optimizer.step()
            return loss

        for i in range(6):
            model.train(i < 4)
            run.note(step(tensor(IMAGES * i)), model, optimizer)

    agree(scenario, recordings=2)
