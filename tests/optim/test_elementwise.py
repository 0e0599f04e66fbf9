"""The optimisers with one rule for each element: PyTorch's numbers, equations, and refusals."""

import inspect
from itertools import product

import numpy as np
import pytest

import autodiff
import optim
from autodiff import tensor
from tests.optim.problem import parameters, train, values

# The parameters PyTorch reaches in 20 steps.
REACHED = [
    (
        "RMSprop",
        {},
        [
            -0.00315522890256,
            -0.496559805611,
            1.41135232069,
            1.01013416486,
            0.565321325884,
            -0.625728968964,
            -0.406150616286,
            -0.541614589172,
        ],
    ),
    (
        "RMSprop",
        {"lr": 0.02, "alpha": 0.9, "momentum": 0.5, "centered": True, "weight_decay": 0.1},
        [
            -0.041503539516,
            -0.430426471701,
            1.06032363327,
            0.734965909232,
            0.52046716385,
            -0.362869908586,
            -0.41552988762,
            -0.48854893558,
        ],
    ),
    (
        "Adagrad",
        {"lr": 0.1},
        [
            0.00188475165345,
            -0.501710283394,
            1.42063908704,
            1.01760865225,
            0.565467420361,
            -0.63602645474,
            -0.401096778233,
            -0.5402079605,
        ],
    ),
    (
        "Adagrad",
        {
            "lr": 0.1,
            "lr_decay": 0.1,
            "weight_decay": 0.1,
            "initial_accumulator_value": 0.2,
            "eps": 0.001,
        },
        [
            0.104940669067,
            -0.601577246902,
            1.57350558848,
            1.11942201229,
            0.550839232634,
            -0.722833222718,
            -0.294348352041,
            -0.496058979954,
        ],
    ),
    (
        "Adadelta",
        {},
        [
            0.43320297586,
            -0.933221058086,
            1.93275824809,
            1.43444796157,
            0.314474615024,
            -0.810514093794,
            0.0330811790053,
            -0.264542046031,
        ],
    ),
    (
        "Adadelta",
        {"lr": 0.5, "rho": 0.5, "eps": 0.001, "weight_decay": 0.1},
        [
            -0.0430446566898,
            -0.448993797523,
            1.35389098255,
            0.929496596418,
            0.55142036531,
            -0.502033168785,
            -0.435361895496,
            -0.526233607503,
        ],
    ),
    (
        "Adamax",
        {"lr": 0.05},
        [
            -0.0892488318434,
            -0.411172646194,
            1.32870890639,
            0.979966991075,
            0.625815765782,
            -0.751216257724,
            -0.494155746949,
            -0.5907678989,
        ],
    ),
    (
        "Adamax",
        {"lr": 0.05, "betas": (0.5, 0.7), "weight_decay": 0.1, "maximize": True},
        [
            1.45476164484,
            -1.95536916581,
            2.95400067465,
            2.44260767409,
            -0.695479844023,
            0.191396399586,
            1.060576603,
            0.746340997263,
        ],
    ),
    (
        "NAdam",
        {"lr": 0.05},
        [
            -0.0598003619039,
            -0.439597635744,
            1.34604309649,
            0.96455615199,
            0.591267376268,
            -0.599052841647,
            -0.462505306569,
            -0.568296596871,
        ],
    ),
    (
        "NAdam",
        {"lr": 0.05, "momentum_decay": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True},
        [
            -0.0533679440744,
            -0.398511121929,
            1.22185166353,
            0.870998188871,
            0.559387133017,
            -0.575746035174,
            -0.417621233327,
            -0.536942097812,
        ],
    ),
    (
        "RAdam",
        {"lr": 0.05},
        [
            0.072170841097,
            -0.0951313540126,
            1.1712970339,
            0.984893287628,
            0.700388993482,
            -0.7878048766,
            -0.32060927285,
            -0.427560613746,
        ],
    ),
    (
        "RAdam",
        {"lr": 0.05, "betas": (0.5, 0.7), "weight_decay": 0.1},
        [
            0.177751965119,
            -0.27318962977,
            0.703675764928,
            0.530622748528,
            0.474771099712,
            -0.349217419643,
            -0.0879651450046,
            -0.372967275657,
        ],
    ),
    (
        "ASGD",
        {},
        [
            0.215274519151,
            -0.410899325893,
            1.45972156593,
            1.16349413722,
            0.5500830163,
            -0.789060563551,
            -0.181248297157,
            -0.353623074377,
        ],
    ),
    (
        "ASGD",
        {"lr": 0.05, "lambd": 0.1, "alpha": 0.5, "t0": 5, "weight_decay": 0.1},
        [
            0.151086756356,
            -0.278442223892,
            0.821186824273,
            0.697605392143,
            0.513908362146,
            -0.585978172981,
            -0.17319272034,
            -0.346076165463,
        ],
    ),
    (
        "Rprop",
        {},
        [
            0.0589011873101,
            -0.55890118731,
            0.452600003147,
            0.545975760723,
            0.478479537334,
            -0.399901109578,
            -0.34109881269,
            -0.428479537334,
        ],
    ),
    (
        "Rprop",
        {"etas": (0.3, 1.5), "step_sizes": (0.001, 0.2)},
        [
            0.076829375,
            -0.576829375,
            0.230421875,
            0.634603125,
            0.487048318848,
            -0.115261317139,
            -0.323170625,
            -0.642079568848,
        ],
    ),
]


@pytest.mark.parametrize(("name", "options", "reached"), REACHED)
def test_twenty_steps_reach_these_parameters(name, options, reached):
    params = parameters(autodiff)
    train(autodiff, params, getattr(optim, name)(params, **options))
    np.testing.assert_allclose(values(params), reached, rtol=1e-10)


COMBINED: dict[str, dict[str, tuple]] = {
    "RMSprop": {
        "alpha": (0.99, 0.9),
        "eps": (1e-8, 1e-3),
        "weight_decay": (0, 0.1),
        "momentum": (0, 0.9),
        "centered": (False, True),
        "maximize": (False, True),
    },
    "Adagrad": {
        "lr_decay": (0, 0.1),
        "weight_decay": (0, 0.1),
        "initial_accumulator_value": (0, 0.3),
        "eps": (1e-10, 1e-3),
        "maximize": (False, True),
    },
    "Adadelta": {
        "rho": (0.9, 0.5),
        "eps": (1e-6, 1e-3),
        "weight_decay": (0, 0.1),
        "maximize": (False, True),
    },
    "Adamax": {
        "betas": ((0.9, 0.999), (0.5, 0.7)),
        "eps": (1e-8, 1e-2),
        "weight_decay": (0, 0.1),
        "maximize": (False, True),
    },
    "NAdam": {
        "betas": ((0.9, 0.999), (0.5, 0.7)),
        "eps": (1e-8, 1e-2),
        "weight_decay": (0, 0.1),
        "momentum_decay": (4e-3, 0.1),
        "decoupled_weight_decay": (False, True),
        "maximize": (False, True),
    },
    "RAdam": {
        "betas": ((0.9, 0.999), (0.5, 0.7), (0.9, 0.5)),
        "eps": (1e-8, 1e-2),
        "weight_decay": (0, 0.1),
        "decoupled_weight_decay": (False, True),
        "maximize": (False, True),
    },
    "ASGD": {
        "lambd": (1e-4, 0.1),
        "alpha": (0.75, 0.5),
        "t0": (1e6, 5, 0),
        "weight_decay": (0, 0.1),
        "maximize": (False, True),
    },
    "Rprop": {
        "etas": ((0.5, 1.2), (0.3, 1.5)),
        "step_sizes": ((1e-6, 50), (1e-2, 0.1)),
        "maximize": (False, True),
    },
}
COMBINATIONS = [
    (name, dict(zip(options, combination)))
    for name, options in COMBINED.items()
    for combination in product(*options.values())
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options"), COMBINATIONS, ids=str)
def test_twenty_steps_are_pytorchs(name, options, dtype, torch):
    reached = []
    for ns, module in ((autodiff, optim), (torch, torch.optim)):
        params = parameters(ns, dtype)
        train(ns, params, getattr(module, name)(params, lr=0.01, **options))
        reached.append(values(params))
    tolerance = 1e-6 if dtype == "float32" else 1e-12
    assert reached[0].dtype == dtype
    np.testing.assert_allclose(*reached, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["NAdam", "ASGD"])
def test_what_is_counted_is_as_precise_as_the_default_dtype(name, torch):
    reached = []
    for ns, module in ((autodiff, optim), (torch, torch.optim)):
        ns.set_default_dtype(ns.float64)
        try:
            params = parameters(ns)
            train(ns, params, getattr(module, name)(params, lr=0.03))
        finally:
            ns.set_default_dtype(ns.float32)
        reached.append(values(params))
    np.testing.assert_allclose(*reached, rtol=1e-13)


OPTIMIZERS = ["SGD", "Adam", "AdamW", *COMBINED]


@pytest.mark.parametrize("name", [*OPTIMIZERS, "LBFGS"])
def test_the_signature_is_pytorchs(name, torch):
    ours, theirs = (
        [(p.name, p.kind, p.default) for p in inspect.signature(cls).parameters.values()]
        for cls in (getattr(optim, name), getattr(torch.optim, name))
    )
    assert ours == theirs


@pytest.mark.parametrize("name", [*OPTIMIZERS, "LBFGS"])
def test_the_options_are_pytorchs(name, torch):
    ours = getattr(optim, name)(parameters(autodiff))
    theirs = getattr(torch.optim, name)(parameters(torch))
    assert ours.defaults == theirs.defaults


REFUSED = [
    *[(name, {"lr": -0.1}, "lr") for name in COMBINED],
    *[(name, {"weight_decay": -0.1}, "weight_decay") for name in COMBINED if name != "Rprop"],
    *[(name, {"eps": -0.1}, "eps") for name in COMBINED if name not in ("Rprop", "ASGD")],
    *[(name, {"betas": (0.9, 1.0)}, "betas") for name in ("Adamax", "NAdam", "RAdam")],
    ("RMSprop", {"momentum": -0.1}, "momentum"),
    ("RMSprop", {"alpha": -0.1}, "alpha"),
    ("Adagrad", {"lr_decay": -0.1}, "lr_decay"),
    ("Adagrad", {"initial_accumulator_value": -0.1}, "initial_accumulator_value"),
    ("Adadelta", {"rho": 1.1}, "rho"),
    ("NAdam", {"momentum_decay": -0.1}, "momentum_decay"),
    ("Rprop", {"etas": (1.5, 1.2)}, "etas"),
    ("Adam", {"lr": tensor([0.1, 0.2])}, r"lr.*\(2,\)"),
]


@pytest.mark.parametrize(("name", "options", "named"), REFUSED)
def test_impossible_options_are_refused(name, options, named):
    with pytest.raises(ValueError, match=named):
        getattr(optim, name)(parameters(autodiff), **options)


def one_step(name, p, g, **options):
    """The parameter and the state after a step with this gradient."""
    p = tensor(p, dtype=autodiff.float64, requires_grad=True)
    optimizer = getattr(optim, name)([p], **options)
    p.grad = tensor(g, dtype=autodiff.float64)
    optimizer.step()
    return p, optimizer


def test_adagrad_starts_from_the_accumulator_value():
    p = parameters(autodiff)[0]
    optimizer = optim.Adagrad([p], initial_accumulator_value=0.5)
    assert optimizer.state[p]["sum"].tolist() == [[0.5] * 3] * 2
    p, _ = one_step("Adagrad", [1.0], [2.0], lr=0.1, initial_accumulator_value=5.0, eps=0.0)
    assert p.item() == pytest.approx(1 - 0.1 * 2 / 3)


def test_radam_begins_without_adapting():
    p, optimizer = one_step("RAdam", [1.0], [1e-3], lr=0.1)
    seen = [p.item()]
    for _ in range(6):
        optimizer.step()
        seen.append(p.item())
    steps = -np.diff([1.0, *seen])
    np.testing.assert_allclose(steps[:5], 0.1 * 1e-3, rtol=1e-12)  # lr * m / (1 - beta1**t)
    assert all(steps[5:] > 1e-3)


def test_rprop_grows_and_shrinks_and_skips_a_turn():
    p, optimizer = one_step("Rprop", [0.0], [3.0], lr=0.1)
    seen = [p.item()]
    for g in (0.5, -2.0, -1.0, -1.0):
        p.grad = tensor([g], dtype=autodiff.float64)
        optimizer.step()
        seen.append(p.item())
    np.testing.assert_allclose(seen, [-0.1, -0.22, -0.22, -0.16, -0.088], rtol=1e-12)


def test_asgd_averages_from_t0_on():
    p = tensor([4.0], dtype=autodiff.float64, requires_grad=True)
    optimizer = optim.ASGD([p], lr=0.1, lambd=0.0, t0=1)
    seen = []
    for g in (1.0, 2.0, 3.0, 4.0):
        p.grad = tensor([g], dtype=autodiff.float64)
        optimizer.step()
        seen.append(p.item())
    assert optimizer.state[p]["ax"].item() == pytest.approx(np.mean(seen[2:]), rel=1e-6)


def test_parameters_of_different_history_step_apart():
    """With another mu_product though as many steps: beta1 was another in their first."""
    late, soon = parameters(autodiff)
    optimizer = optim.NAdam([late, soon], lr=0.05)
    expected, options = [], [{"betas": (0.5, 0.9)}, {"betas": (0.9, 0.9)}]
    for p, first in zip((late, soon), options):
        optimizer.param_groups[0].update(first)
        late.grad = soon.grad = None
        p.grad = autodiff.ones_like(p)
        optimizer.step()
    late.grad, soon.grad = autodiff.ones_like(late), autodiff.ones_like(soon)
    optimizer.step()
    for p, first in zip(parameters(autodiff), options):
        alone = optim.NAdam([p], lr=0.05, **first)
        for _ in range(2):
            p.grad = autodiff.ones_like(p)
            alone.step()
            alone.param_groups[0].update(options[1])
        expected.append(p)
    np.testing.assert_array_equal(values([late, soon]), values(expected))


# Differentiable steps

DIFFERENTIABLE = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "maximize": True}),
    *[(name, {}) for name in OPTIMIZERS if name not in ("SGD", "Rprop")],
    ("RMSprop", {"momentum": 0.5, "centered": True}),
]


def after_steps(ns, module, name, options, start, g, steps=3):
    """The sum of squares of a computed parameter after differentiable steps."""
    p = start.clone()
    optimizer = getattr(module, name)([p], lr=0.05, differentiable=True, **options)
    for i in range(1, steps + 1):
        p.grad = g * g * i
        optimizer.step()
    return (p * p).sum()


@pytest.mark.parametrize(("name", "options"), DIFFERENTIABLE, ids=str)
def test_the_derivative_through_differentiable_steps(name, options):
    start = tensor([0.5, -1.0, 2.0], dtype=autodiff.float64, requires_grad=True)
    g = tensor([0.3, -0.2, 0.7], dtype=autodiff.float64, requires_grad=True)
    after_steps(autodiff, optim, name, options, start, g).backward()
    for x in (start, g):
        numeric = np.zeros(3)
        for i in range(3):
            ends = []
            for h in (1e-6, -1e-6):
                moved = [t.detach().clone() for t in (start, g)]
                moved[x is g][i] += h
                ends.append(after_steps(autodiff, optim, name, options, *moved).item())
            numeric[i] = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(x.grad.numpy(), numeric, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "Adadelta", "RAdam", "ASGD"])
def test_differentiable_steps_are_pytorchs(name, torch):
    found = []
    for ns, module in ((autodiff, optim), (torch, torch.optim)):
        start = ns.tensor([0.5, -1.0, 2.0], dtype=ns.float64, requires_grad=True)
        g = ns.tensor([0.3, -0.2, 0.7], dtype=ns.float64, requires_grad=True)
        result = after_steps(ns, module, name, {}, start, g, 7)
        result.backward()
        found.append([result.item(), *start.grad.tolist(), *g.grad.tolist()])
    np.testing.assert_allclose(*found, rtol=1e-12, atol=1e-14)


def test_a_computed_parameter_needs_a_differentiable_optimizer():
    p = parameters(autodiff)[0] * 1.0
    with pytest.raises(ValueError, match="leaf"):
        optim.Adam([p])
    optim.Adam([p], differentiable=True)


def test_differentiable_steps_are_not_compiled():
    p = parameters(autodiff)[0].detach()
    optimizer = optim.SGD([p], lr=0.5, differentiable=True)

    @autodiff.compile
    def step():
        p.grad = autodiff.ones_like(p)
        optimizer.step()

    with pytest.warns(UserWarning, match="eagerly"):
        step()
    step()
    np.testing.assert_allclose(values([p]), values(parameters(autodiff)[:1]) - 1.0)
